//! Waves: the canary, then waves of growing size.
//!
//! Where policy orders hosts or keeps failure domains apart, a wave is cut where the order or the domain changes: waves
//! follow each other, so that nothing of two domains is ever disrupted at once.

use crate::model::{HostName, RuleName, TimeSpan};
use crate::plan::draft::Draft;
use crate::plan::{PlanError, Wave};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let rollout = &draft.input.policy.rollout;
    let sequence = std::mem::take(&mut draft.sequence);
    let hosts: Vec<HostName> =
        sequence.into_iter().filter(|name| draft.hosts.get(name).is_some_and(|h| h.reasons.is_empty())).collect();
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
            wave.chunk_by(|a, b| draft.hosts[a].place == draft.hosts[b].place).map(<[HostName]>::to_vec).collect();
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

fn wave_name(text: &str) -> RuleName {
    #[expect(clippy::unwrap_used, reason = "a word and a number are short and printable")]
    RuleName::new(text).unwrap()
}
