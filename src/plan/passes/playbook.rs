//! One playbook for each host: what it cannot fix waits for a person or for the next campaign.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{DecisionKind, Finding, Host, Priority, RuleName, RuleRef, VulnerabilityType};
use crate::plan::PlanError;
use crate::plan::draft::Draft;
use crate::playbook::{Playbook, Reach};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut playbooks: Vec<&Playbook> = draft.input.playbooks.iter().collect();
    playbooks.sort_by(|a, b| (a.name(), a.digest()).cmp(&(b.name(), b.digest())));

    let mut redecided = Vec::new();
    for host in draft.hosts.values_mut() {
        // What each playbook could do here: the most urgent, then the most, then the first by name is taken.
        let mut able: BTreeMap<usize, (Priority, usize)> = BTreeMap::new();
        let mut by_type: BTreeMap<VulnerabilityType, Vec<(usize, Reach<'_>)>> = BTreeMap::new();
        for &finding in &host.findings {
            let kind = draft.findings[finding].kind;
            let matching = by_type.entry(kind).or_insert_with(|| {
                let all = playbooks.iter().copied().enumerate();
                all.filter_map(|(p, playbook)| Some((p, playbook.reach(host.host, kind)?))).collect()
            });
            let priority = draft.decisions[finding].assessment.priority;
            for &(playbook, _) in matching.iter().filter(|(_, reach)| reach.takes(draft.findings[finding])) {
                let (urgent, count) = able.entry(playbook).or_insert((priority, 0));
                *urgent = priority.max(*urgent);
                *count += 1;
            }
        }
        let chosen = able.iter().max_by_key(|&(&p, &(urgent, count))| (urgent, count, Reverse(p))).map(|(&p, _)| p);
        let takers = |f: usize| {
            let finding = draft.findings[f];
            by_type[&finding.kind].iter().filter(|(_, reach)| reach.takes(finding)).map(|&(p, _)| p)
        };
        let (fixed, left): (Vec<usize>, Vec<usize>) = std::mem::take(&mut host.findings)
            .into_iter()
            .partition(|&f| chosen.is_some_and(|chosen| takers(f).any(|p| p == chosen)));
        for finding in left {
            let other = takers(finding).next().map(|p| playbooks[p].name());
            let why = match (other, chosen) {
                (Some(other), Some(chosen)) => next_time(other, playbooks[chosen].name()),
                _ => nobody(host.host, draft.findings[finding], &playbooks),
            };
            redecided.push((finding, why));
        }
        host.findings = fixed;
        host.playbook = chosen.map(|p| playbooks[p]);
    }
    for (finding, (kind, rule, reason)) in redecided {
        draft.redecide(finding, kind, rule, reason);
    }
    draft.hosts.retain(|_, host| !host.findings.is_empty());
    Ok(())
}

type Why = (DecisionKind, RuleRef, String);

fn next_time(other: &RuleName, chosen: &RuleName) -> Why {
    let reason = format!(
        "one transaction a host and campaign: this campaign runs playbook {chosen}; plan again behind it for {other}"
    );
    (DecisionKind::Defer, rule("playbooks"), reason)
}

fn nobody(host: &Host, finding: &Finding, playbooks: &[&Playbook]) -> Why {
    let system = host.os.as_ref().map_or_else(
        || "a host whose operating system is unknown".to_owned(),
        |os| format!("{} {}", os.name, os.version.as_deref().unwrap_or("(version unknown)")),
    );
    let mut reason = format!("no playbook fixes {} findings on {system}: a person must", finding.kind.as_str());
    let missed = playbooks.iter().find_map(|p| Some((p.name(), p.missed_by(host, finding)?)));
    if let Some((name, folder)) = missed {
        let place = finding
            .location
            .as_deref()
            .map_or_else(String::new, |place| format!("; this is at {}", crate::model::printable(place, 200)));
        reason.push_str(&format!(" (playbook {name} fixes what lies in {folder}{place})"));
    }
    (DecisionKind::Manual, rule("playbooks"), reason)
}

/// A rule of the planner itself.
pub(super) fn rule(name: &'static str) -> RuleRef {
    #[expect(clippy::unwrap_used, reason = "the names given here are short and printable")]
    RuleRef { name: RuleName::new(name).unwrap(), place: None }
}
