//! What a change does to the fleet, as text for a terminal and as Markdown for a pull request.

use std::fmt::Write as _;

use super::markdown::md;
use super::plan_text::{cell, columns, count};
use crate::model::{RuleRef, printable};
use crate::plan::{Aspect, ChangeGroup, Impact};

/// Every aspect in the order in which it is told.
const ASPECTS: [Aspect; 9] = [
    Aspect::Presence,
    Aspect::Decision,
    Aspect::Priority,
    Aspect::Due,
    Aspect::Planned,
    Aspect::Window,
    Aspect::Strategy,
    Aspect::Approval,
    Aspect::Wave,
];

/// Groups and rows that a page shows; what is beyond is counted.
const MAX_GROUPS: usize = 40;
const MAX_ROWS: usize = 25;

/// By this line a bot finds its comment again.
const MARKER: &str = "<!-- switchback diff -->";

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The first sentence: what changes, or that nothing does.
fn headline(impact: &Impact) -> String {
    if impact.is_empty() {
        return format!(
            "Nothing changes: {} on {} decided as before.",
            count(number(impact.compared), "finding"),
            count(number(impact.hosts), "host")
        );
    }
    let mut parts = Vec::new();
    if impact.changed > 0 {
        let (findings, hosts) = (number(impact.changed), number(impact.changed_hosts));
        parts.push(format!("{} on {} change", count(findings, "finding"), count(hosts, "host")));
    }
    for (problems, what) in [(&impact.new_problems, "new problem"), (&impact.gone_problems, "problem gone")] {
        if !problems.is_empty() {
            parts.push(count(problems.len(), what).replace("problem gones", "problems gone"));
        }
    }
    let (compared, hosts) = (number(impact.compared), number(impact.hosts));
    format!("{}. Compared: {} on {}.", parts.join(", "), count(compared, "finding"), count(hosts, "host"))
}

/// Rows of what, findings, hosts, and where to most of them went.
fn totals(impact: &Impact) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for aspect in ASPECTS {
        let (findings, hosts) = impact.count(aspect);
        if findings == 0 {
            continue;
        }
        let mut moves: Vec<(usize, String)> = Vec::new();
        for group in impact.groups.iter().filter(|group| group.aspect == aspect) {
            let text = format!("{} → {}", printable(&group.before, 80), printable(&group.after, 80));
            match moves.iter_mut().find(|(_, known)| *known == text) {
                Some((n, _)) => *n += group.findings.len(),
                None => moves.push((group.findings.len(), text)),
            }
        }
        moves.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let more = moves.len().saturating_sub(3);
        let mut text = moves.iter().take(3).map(|(n, text)| format!("{text} ({n})")).collect::<Vec<_>>().join(", ");
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
        rows.push([aspect.as_str().to_owned(), findings.to_string(), hosts.to_string(), text]);
    }
    rows
}

fn both(what: &str, [before, after]: [u64; 2]) -> String {
    if before == after { format!("{what}: {after}") } else { format!("{what}: {before} → {after}") }
}

fn rule(rule: Option<&RuleRef>) -> Option<String> {
    let rule = rule?;
    Some(match &rule.place {
        Some(place) => format!("{} at {place}", rule.name),
        None => rule.name.to_string(),
    })
}

fn rules(group: &ChangeGroup) -> Option<String> {
    // A rule that decided before and decides now need be found in one place only.
    let same = group.rule_before.as_ref().map(|rule| &rule.name) == group.rule_after.as_ref().map(|rule| &rule.name);
    let (before, after) = (rule(group.rule_before.as_ref()), rule(group.rule_after.as_ref()));
    match (before, after) {
        (None, None) => None,
        (_, after) if same => after.map(|rule| format!("by {rule}")),
        (before, after) => Some(format!(
            "by {}, before by {}",
            after.unwrap_or_else(|| "no rule".to_owned()),
            before.unwrap_or_else(|| "no rule".to_owned())
        )),
    }
}

/// For a terminal.
pub fn impact_text(impact: &Impact) -> String {
    let mut out = format!("{}\n", headline(impact));
    let _ = writeln!(out, "{}; {}", both("To fix", impact.to_fix), both("planned hosts", impact.planned));
    if !impact.groups.is_empty() {
        out.push('\n');
        let mut rows = vec![["WHAT", "FINDINGS", "HOSTS", "FROM → TO"].map(str::to_owned).to_vec()];
        rows.extend(totals(impact).into_iter().map(|row| row.map(|text| cell(&text)).to_vec()));
        out.push_str(&columns(&rows));
    }
    for group in impact.groups.iter().take(MAX_GROUPS) {
        let _ = writeln!(
            out,
            "\n{}: {} → {} ({} on {})",
            group.aspect.as_str(),
            cell(&group.before),
            cell(&group.after),
            count(group.findings.len(), "finding"),
            count(number(group.hosts), "host")
        );
        if let Some(rules) = rules(group) {
            let _ = writeln!(out, "  {}", cell(rules));
        }
        if !group.why.is_empty() {
            let _ = writeln!(out, "  because: {}", cell(&group.why));
        }
        let rows: Vec<_> = group
            .findings
            .iter()
            .take(MAX_ROWS)
            .map(|m| {
                let package = m.package.as_ref().map_or("-", |package| package.as_str());
                vec![String::new(), cell(&m.host), cell(&m.vulnerability), cell(package)]
            })
            .collect();
        out.push_str(&columns(&rows));
        if group.findings.len() > MAX_ROWS {
            let _ = writeln!(out, "    and {} more", group.findings.len() - MAX_ROWS);
        }
    }
    if impact.groups.len() > MAX_GROUPS {
        let _ = writeln!(out, "\nand {} more groups: --format json has all", impact.groups.len() - MAX_GROUPS);
    }
    for (title, problems) in [("New problems", &impact.new_problems), ("Problems gone", &impact.gone_problems)] {
        if !problems.is_empty() {
            let _ = writeln!(out, "\n{title}");
            for problem in problems {
                let _ = writeln!(out, "  {}", cell(problem));
            }
        }
    }
    out
}

/// For a comment on a pull request: the summary first, details folded, the same for the same input.
pub fn impact_markdown(impact: &Impact) -> String {
    let mut out = format!("{MARKER}\n### Switchback: what this change does to the fleet\n\n");
    let _ = writeln!(
        out,
        "**{}** {}; {}.",
        md(&headline(impact)),
        both("To fix", impact.to_fix),
        both("planned hosts", impact.planned)
    );
    if !impact.groups.is_empty() {
        out.push_str("\n| what changes | findings | hosts | from → to |\n|---|--:|--:|---|\n");
        for [what, findings, hosts, moves] in totals(impact) {
            let _ = writeln!(out, "| {what} | {findings} | {hosts} | {} |", md(&moves));
        }
    }
    for (title, problems) in [("New problems", &impact.new_problems), ("Problems gone", &impact.gone_problems)] {
        if !problems.is_empty() {
            let _ = writeln!(out, "\n**{title}**\n");
            for problem in problems.iter().take(MAX_ROWS) {
                let _ = writeln!(out, "- {}", md(problem));
            }
            if problems.len() > MAX_ROWS {
                let _ = writeln!(out, "- and {} more", problems.len() - MAX_ROWS);
            }
        }
    }
    for group in impact.groups.iter().take(MAX_GROUPS) {
        let _ = writeln!(
            out,
            "\n<details><summary>{}: {} → {} ({} on {})</summary>\n",
            group.aspect.as_str(),
            md(&group.before),
            md(&group.after),
            count(group.findings.len(), "finding"),
            count(number(group.hosts), "host")
        );
        let rules = rules(group).map(|rules| md(&rules));
        let why = (!group.why.is_empty()).then(|| format!("because: {}", md(&group.why)));
        let said: Vec<String> = rules.into_iter().chain(why).collect();
        if !said.is_empty() {
            let _ = writeln!(out, "{}\n", said.join("; "));
        }
        out.push_str("| host | vulnerability | package |\n|---|---|---|\n");
        for member in group.findings.iter().take(MAX_ROWS) {
            let package = member.package.as_ref().map_or("-", |package| package.as_str());
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                md(member.host.as_str()),
                md(member.vulnerability.as_str()),
                md(package)
            );
        }
        if group.findings.len() > MAX_ROWS {
            let _ = writeln!(out, "\nand {} more", group.findings.len() - MAX_ROWS);
        }
        out.push_str("\n</details>\n");
    }
    if impact.groups.len() > MAX_GROUPS {
        let _ = writeln!(out, "\nand {} more groups: `--format json` has all", impact.groups.len() - MAX_GROUPS);
    }
    out
}
