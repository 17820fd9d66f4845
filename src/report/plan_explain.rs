//! The chain of reasons for a host, in words.

use super::plan_text::{cell, columns, count, minutes, package};
use crate::model::{Decision, RuleRef};
use crate::plan::{Explanation, HostExplained, Planned};

/// An explanation in words.
pub fn explain_text(explanation: &Explanation<'_>) -> String {
    let mut out = format!("{}\n", explanation.host);
    for decision in &explanation.decisions {
        out.push_str(&decided(decision));
    }
    match &explanation.outcome {
        HostExplained::Planned(planned) => out.push_str(&host_planned(planned)),
        HostExplained::Blocked(reasons) => {
            out.push_str("Not planned\n");
            let rows: Vec<_> = reasons.iter().map(|r| vec![cell(&r.code), cell(&r.text)]).collect();
            out.push_str(&columns(&rows));
        }
        HostExplained::NothingToFix => out.push_str("Not planned: none of its findings is to be fixed\n"),
    }
    out
}

fn rule(rule: &RuleRef) -> String {
    match &rule.place {
        Some(place) => format!("{} at {}", cell(&rule.name), cell(place)),
        None => cell(&rule.name),
    }
}

fn decided(decision: &Decision) -> String {
    let assessment = &decision.assessment;
    let mut out = format!("Finding {}\n", cell(&decision.finding));
    let score = assessment.score.map_or_else(|| "no score".to_owned(), |s| format!("score {s}"));
    let mut rows = vec![vec![
        "priority".to_owned(),
        assessment.priority.to_string(),
        format!("{score}, by {}", rule(&assessment.rule)),
    ]];
    rows.extend(assessment.parts.iter().map(|part| {
        let weight = format!("{}.{:02}%", part.weight / 100, part.weight % 100);
        vec![
            format!("  {}", cell(&part.factor)),
            part.points.to_string(),
            format!("weighs {weight}: {}", cell(&part.because)),
        ]
    }));
    rows.push(vec![
        "decision".to_owned(),
        decision.kind.as_str().to_owned(),
        format!("{}, by {}", cell(&decision.reason), rule(&decision.rule)),
    ]);
    if let Some(due) = decision.due {
        rows.push(vec!["due".to_owned(), minutes(due), "deadline of its priority".to_owned()]);
    }
    if let Some(expires) = decision.expires {
        rows.push(vec!["until".to_owned(), minutes(expires), "the exception ends".to_owned()]);
    }
    out.push_str(&columns(&rows));
    out
}

fn host_planned(planned: &Planned<'_>) -> String {
    let mut rows = vec![
        vec![
            "wave".to_owned(),
            format!(
                "{}, place {}, behind {} of earlier waves (importance {}, priority {})",
                cell(planned.wave),
                planned.place,
                count(planned.hosts_before, "host"),
                planned.importance.as_str(),
                planned.priority
            ),
        ],
        vec!["how".to_owned(), format!("{} by playbook {}", planned.strategy.as_str(), cell(planned.playbook))],
    ];
    rows.extend(planned.fix.packages.iter().map(|p| vec!["package".to_owned(), package(p)]));
    rows.push(vec![
        "window".to_owned(),
        match (planned.windows, planned.first_start) {
            (None, _) => "any time: policy writes no window for it".to_owned(),
            (Some(name), Some(start)) => format!("{}, first at {}", cell(name), minutes(start)),
            (Some(name), None) => format!("{}, none of them long enough", cell(name)),
        },
    ]);
    rows.push(vec![
        "needs".to_owned(),
        format!("{} for what disrupts it, {} to go back", planned.chain, planned.way_back),
    ]);
    if let Some((name, group)) = planned.group {
        rows.push(vec![
            "budget".to_owned(),
            format!(
                "service {}: at most {} of {} down",
                cell(name),
                group.max_unavailable,
                count(group.size as usize, "host")
            ),
        ]);
    }
    if planned.without_backup {
        rows.push(vec!["way back".to_owned(), "none: no provider, and policy does not require a backup".to_owned()]);
    }
    rows.extend(planned.steps.iter().map(|s| {
        let undo: Vec<_> = s.undo.iter().map(|k| k.as_str()).collect();
        let undo = if undo.is_empty() { String::new() } else { format!(", on failure {}", undo.join(", ")) };
        vec!["step".to_owned(), format!("{}, about {}{undo}", s.kind, s.expected)]
    }));
    format!("Planned\n{}", columns(&rows))
}
