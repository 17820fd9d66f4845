//! The shortest reasons and the smallest changes, in words.

use super::plan_text::{cell, columns};
use crate::model::FindingId;
use crate::plan::{Goal, Link, WhatIf};

/// Findings whose chains are shown before the rest is counted.
const SHOWN: usize = 20;

/// Chains of reasons, and what would have to be written otherwise.
pub fn what_if_text(chains: &[(&FindingId, Vec<Link>)], changes: &[WhatIf], unreached: &[Goal]) -> String {
    let mut out = String::from("Because\n");
    for (finding, links) in chains.iter().take(SHOWN) {
        out.push_str(&format!("  {}\n", cell(finding)));
        let rows: Vec<_> = links
            .iter()
            .map(|link| {
                let place = link.place.as_ref().map_or_else(String::new, |place| format!("at {place}"));
                vec![String::new(), cell(&link.fact), cell(place)]
            })
            .collect();
        out.push_str(&columns(&rows));
    }
    if chains.len() > SHOWN {
        out.push_str(&format!("  and {} more findings\n", chains.len() - SHOWN));
    }
    out.push_str("\nOne change of policy, applied and tried, would make it\n");
    let mut rows: Vec<_> = changes
        .iter()
        .map(|change| {
            let place = change.place.as_ref().map_or_else(String::new, |place| format!("at {place}"));
            vec![goal(change.goal), cell(&change.change), cell(place), format!("then: {}", cell(&change.outcome))]
        })
        .collect();
    rows.extend(unreached.iter().map(|other| vec![goal(*other), "no single change that was tried".to_owned()]));
    out.push_str(&columns(&rows));
    out.push('\n');
    out
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::Planned => "planned".to_owned(),
        Goal::NotPlanned => "not planned".to_owned(),
        Goal::Priority(priority) => format!("priority {priority}"),
    }
}
