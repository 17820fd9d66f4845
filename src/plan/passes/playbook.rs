//! One playbook for each host: what it cannot fix waits for a person or for the next campaign.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{DecisionKind, Host, Priority, RuleName, RuleRef, VulnerabilityType};
use crate::plan::PlanError;
use crate::plan::draft::Draft;
use crate::playbook::Playbook;

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut playbooks: Vec<&Playbook> = draft.input.playbooks.iter().collect();
    playbooks.sort_by(|a, b| (a.name(), a.digest()).cmp(&(b.name(), b.digest())));

    let mut redecided = Vec::new();
    for host in draft.hosts.values_mut() {
        // What each playbook could do here: the most urgent, then the most, then the first by name is taken.
        let mut able: BTreeMap<usize, (Priority, usize)> = BTreeMap::new();
        let mut by_type: BTreeMap<VulnerabilityType, Vec<usize>> = BTreeMap::new();
        for &finding in &host.findings {
            let kind = draft.findings[finding].kind;
            let matching = by_type
                .entry(kind)
                .or_insert_with(|| (0..playbooks.len()).filter(|&p| playbooks[p].matches(host.host, kind)).collect());
            let priority = draft.decisions[finding].assessment.priority;
            for &playbook in matching.iter().filter(|&&p| playbooks[p].takes(draft.findings[finding])) {
                let (urgent, count) = able.entry(playbook).or_insert((priority, 0));
                *urgent = priority.max(*urgent);
                *count += 1;
            }
        }
        let chosen = able.iter().max_by_key(|&(&p, &(urgent, count))| (urgent, count, Reverse(p))).map(|(&p, _)| p);
        let takers = |f: usize| {
            let finding = draft.findings[f];
            by_type[&finding.kind].iter().copied().filter(|&p| playbooks[p].takes(finding))
        };
        let (fixed, left): (Vec<usize>, Vec<usize>) = std::mem::take(&mut host.findings)
            .into_iter()
            .partition(|&f| chosen.is_some_and(|chosen| takers(f).any(|p| p == chosen)));
        for finding in left {
            let other = takers(finding).next().map(|p| playbooks[p].name());
            redecided.push((
                finding,
                why(host.host, draft.findings[finding].kind, other, chosen.map(|p| playbooks[p].name())),
            ));
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

fn why(
    host: &Host,
    kind: VulnerabilityType,
    other: Option<&RuleName>,
    chosen: Option<&RuleName>,
) -> (DecisionKind, RuleRef, String) {
    let system = host.os.as_ref().map_or_else(
        || "a host whose operating system is unknown".to_owned(),
        |os| format!("{} {}", os.name, os.version.as_deref().unwrap_or("(version unknown)")),
    );
    match (other, chosen) {
        (Some(other), Some(chosen)) => (
            DecisionKind::Defer,
            rule("playbooks"),
            format!(
                "one transaction a host and campaign: this campaign runs playbook {chosen}; plan again behind it for {other}"
            ),
        ),
        _ => (
            DecisionKind::Manual,
            rule("playbooks"),
            format!("no playbook fixes {} findings on {system}: a person must", kind.as_str()),
        ),
    }
}

/// A rule of the planner itself.
pub(super) fn rule(name: &'static str) -> RuleRef {
    #[expect(clippy::unwrap_used, reason = "the names given here are short and printable")]
    RuleRef { name: RuleName::new(name).unwrap(), place: None }
}
