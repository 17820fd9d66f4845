//! A decision for every finding, as policy gives it.

use crate::model::{DecisionKind, Finding, HostName};
use crate::plan::draft::{Draft, HostDraft};
use crate::plan::{PlanError, Strategy};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let input = draft.input;
    let mut sorted: Vec<(&HostName, &Finding)> = input.findings.iter().map(|(host, finding)| (host, finding)).collect();
    sorted.sort_by(|a, b| {
        // Two findings with one id are both kept; their content puts them in order.
        (a.0, &a.1.id).cmp(&(b.0, &b.1.id)).then_with(|| content(a.1).cmp(&content(b.1)))
    });
    draft.findings.reserve(sorted.len());
    draft.decisions.reserve(sorted.len());
    for (name, finding) in sorted {
        let Some(host) = input.hosts.get(name) else {
            return Err(PlanError::UnknownHost { host: name.clone(), finding: finding.id.clone() });
        };
        let decision = input.policy.decide(finding, host, input.as_of);
        if decision.kind == DecisionKind::Fix {
            let planned = draft.hosts.entry(name.clone()).or_insert_with(|| HostDraft {
                host,
                importance: decision.assessment.importance,
                priority: decision.assessment.priority,
                strategy: Strategy::InPlace,
                strategy_reason: None,
                cohort: None,
                place: Default::default(),
                findings: Vec::new(),
                playbook: None,
                fix: crate::model::Fix { packages: Vec::new(), findings: Vec::new() },
                rendered: None,
                probes: Vec::new(),
                clone_probes: Vec::new(),
                without_backup: false,
                steps: Vec::new(),
                windows: None,
                group: None,
                pools: Default::default(),
                wave: 0,
                emergency: false,
                bypass_freeze: false,
                reasons: Default::default(),
            });
            planned.findings.push(draft.findings.len());
            planned.emergency |= decision.emergency;
        }
        draft.findings.push(finding);
        draft.decisions.push(decision);
    }
    Ok(())
}

fn content(finding: &Finding) -> String {
    serde_json::to_string(finding).unwrap_or_default()
}
