//! Who goes first: an order of all hosts, and what keeps a host from having a place in it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{HostName, printable};
use crate::plan::draft::{Draft, some_of};
use crate::plan::{PlanError, Reason};

/// By the rules of `rollout.order`, then by failure domain; the hosts that matter least first, and of those the ones
/// with the most urgent findings.
pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    domains(draft);
    let levels = levels(draft);
    let label = draft.input.policy.rollout.domain.as_ref();
    for (name, host) in &mut draft.hosts {
        let domain = label.and_then(|label| host.host.labels.get(label)).cloned();
        host.place = (levels.get(name).copied().unwrap_or(0), domain);
    }
    let mut hosts: Vec<_> = draft.hosts.iter().collect();
    // A name is unique: nothing is left to chance.
    hosts.sort_by_key(|&(name, host)| (&host.place, host.importance, Reverse(host.priority), name));
    draft.sequence = hosts.into_iter().map(|(name, _)| name.clone()).collect();
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

fn levels(draft: &mut Draft<'_>) -> BTreeMap<HostName, u32> {
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
