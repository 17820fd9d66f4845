//! Which hosts go first: the canary, then waves of growing size, the hosts that matter least first.
//!
//! Where policy orders hosts or keeps failure domains apart, a wave is cut where the order or the domain changes: waves
//! follow each other, so that nothing of two domains is ever disrupted at once.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{HostName, RuleName, TimeSpan, printable};
use crate::plan::draft::{Draft, some_of};
use crate::plan::{PlanError, Reason, Wave};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let rollout = &draft.input.policy.rollout;
    domains(draft);
    let order = order(draft);
    let place = |name: &HostName, draft: &Draft<'_>| {
        let domain = rollout.domain.as_ref().and_then(|label| draft.hosts[name].host.labels.get(label));
        (order.get(name).copied().unwrap_or(0), domain.cloned())
    };
    let mut hosts: Vec<_> = draft.hosts.iter().filter(|(_, h)| h.reasons.is_empty()).collect();
    // A name is unique: nothing is left to chance.
    hosts.sort_by_key(|&(name, host)| (place(name, draft), host.importance, Reverse(host.priority), name));
    let hosts: Vec<HostName> = hosts.into_iter().map(|(name, _)| name.clone()).collect();
    let total = u32::try_from(hosts.len()).unwrap_or(u32::MAX);

    let mut ends: Vec<(String, u32, TimeSpan)> = Vec::new();
    if let Some((canary, soak)) = rollout.canary {
        ends.push(("canary".to_owned(), canary, soak));
    }
    let sizes = rollout.waves.iter().map(|amount| amount.of(total)).chain([total]);
    ends.extend(sizes.enumerate().map(|(i, end)| (format!("wave {}", i + 1), end, TimeSpan::ZERO)));

    let mut rest = hosts.as_slice();
    for (name, end, soak) in ends {
        if rest.is_empty() {
            break;
        }
        // Sizes count from the first host. A wave has at least one host: small fleets get all their stops too.
        let started = hosts.len() - rest.len();
        let size = usize::try_from(end).unwrap_or(usize::MAX).saturating_sub(started).clamp(1, rest.len());
        let (wave, later) = rest.split_at(size);
        rest = later;
        let parts: Vec<Vec<HostName>> =
            wave.chunk_by(|a, b| place(a, draft) == place(b, draft)).map(<[HostName]>::to_vec).collect();
        for (number, part) in parts.into_iter().enumerate() {
            let index = u32::try_from(draft.waves.len()).unwrap_or(u32::MAX);
            for host in &part {
                if let Some(host) = draft.hosts.get_mut(host) {
                    host.wave = index;
                }
            }
            let name = if number == 0 { name.clone() } else { format!("{name}.{}", number + 1) };
            draft.waves.push(Wave { name: wave_name(&name), hosts: part, soak });
        }
    }
    Ok(())
}

/// A host whose failure domain is not known may share one with any other.
fn domains(draft: &mut Draft<'_>) {
    let Some(label) = &draft.input.policy.rollout.domain else { return };
    for host in draft.hosts.values_mut().filter(|host| !host.host.labels.contains_key(label)) {
        host.block(
            "domain-unknown",
            format!(
                "`rollout.one_domain_at_a_time` goes by label {}, which the host does not have",
                printable(label, 80)
            ),
        );
    }
}

fn order(draft: &mut Draft<'_>) -> BTreeMap<HostName, u32> {
    let planned = draft.hosts.values().filter(|host| host.reasons.is_empty()).map(|host| host.host);
    match draft.input.policy.order_of(planned) {
        Ok(levels) => levels,
        Err(circle) => {
            let why = format!("the rules of `rollout.order` contradict each other for {}", some_of(&circle));
            draft.notes.insert(Reason::new("order-contradiction", why.clone()));
            // Nobody can say who goes first: nobody goes.
            draft.hosts.values_mut().for_each(|host| host.block("order-contradiction", why.clone()));
            BTreeMap::new()
        }
    }
}

fn wave_name(text: &str) -> RuleName {
    #[expect(clippy::unwrap_used, reason = "a word and a number are short and printable")]
    RuleName::new(text).unwrap()
}
