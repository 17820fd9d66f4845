//! Limits, findings, what is left alone and why, and where the plan comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::super::plan_forecast::cause;
use super::super::plan_text::count;
use super::{MAX_ROWS, Page, names, text, when};
use crate::model::{Decision, DecisionKind, Digest, HostName, Priority};
use crate::plan::{Plan, Reason};

/// Hosts named in a cell.
const NAMED: usize = 20;

const URGENT_FIRST: [Priority; 4] = [Priority::Critical, Priority::High, Priority::Medium, Priority::Low];

/// What is left alone alike: the decision, its rule and why.
type Alike<'a> = (DecisionKind, &'a str, &'a str);

pub(super) fn limits(page: &mut Page, plan: &Plan) {
    if plan.hosts.is_empty() {
        return;
    }
    let rollout = &plan.rollout;
    page.heading("Limits while it runs");
    let failed = match rollout.failure_budget {
        1 => "1 host has failed".to_owned(),
        more => format!("{more} hosts have failed"),
    };
    page.put(format_args!(
        "<ul>\n<li>Pauses as soon as {failed}.</li>\n<li>Works on at most {} at once.</li>\n\
         <li>Keeps {} free at the end of each window, beyond the time to go back.</li>\n",
        count(rollout.concurrency as usize, "host"),
        rollout.margin
    ));
    for (name, pool) in &rollout.pools {
        page.put(format_args!(
            "<li>Of {} works on at most {} at once.</li>\n",
            text(name),
            count(pool.hosts as usize, "host")
        ));
    }
    if let Some(domain) = &rollout.domain {
        page.put(format_args!("<li>No wave has hosts with two values of label {}.</li>\n", text(domain)));
    }
    page.put(format_args!("</ul>\n"));
    if rollout.groups.is_empty() {
        page.put(format_args!(
            "<p>The policy does not limit how many hosts of a service may be unavailable at once.</p>\n"
        ));
        return;
    }
    let rows =
        rollout.groups.iter().take(MAX_ROWS).map(|(name, group)| {
            vec![text(name), group.max_unavailable.to_string(), count(group.size as usize, "host")]
        });
    page.table(&["Service", "Unavailable at once, at most", "Has"], rows);
    page.cut(rollout.groups.len(), "service");
}

pub(super) fn findings(page: &mut Page, plan: &Plan) {
    page.heading("Findings by priority");
    let mut counts: BTreeMap<(Priority, DecisionKind), usize> = BTreeMap::new();
    let mut to_fix: BTreeMap<Priority, Vec<&Decision>> = BTreeMap::new();
    for decision in &plan.report.decisions {
        let priority = decision.assessment.priority;
        *counts.entry((priority, decision.kind)).or_default() += 1;
        if decision.kind == DecisionKind::Fix && plan.hosts.contains_key(&decision.host) {
            to_fix.entry(priority).or_default().push(decision);
        }
    }
    let kinds: Vec<DecisionKind> = plan.report.decided.keys().copied().collect();
    let mut titles = vec!["Priority"];
    titles.extend(kinds.iter().map(|kind| words(*kind)));
    let rows = URGENT_FIRST.iter().map(|priority| {
        let number = |kind: &DecisionKind| counts.get(&(*priority, *kind)).copied().unwrap_or(0).to_string();
        std::iter::once(priority.to_string()).chain(kinds.iter().map(number)).collect()
    });
    page.table(&titles, rows);
    for (priority, decisions) in URGENT_FIRST.iter().filter_map(|priority| to_fix.get_key_value(priority)) {
        page.put(format_args!(
            "<details><summary>{} of priority <b>{priority}</b> fixed by this plan</summary>\n",
            count(decisions.len(), "finding")
        ));
        let rows = decisions.iter().take(MAX_ROWS).map(|decision| {
            let due = decision.due.map_or("–".to_owned(), when);
            let why = decision.assessment.reason.as_ref().map_or_else(|| text(&decision.assessment.rule.name), text);
            vec![text(&decision.finding), text(&decision.host), due, why]
        });
        page.table(&["Finding", "Host", "Due", "Why this priority"], rows);
        page.cut(decisions.len(), "finding");
        page.put(format_args!("</details>\n"));
    }
}

pub(super) fn deadlines(page: &mut Page, plan: &Plan) {
    let Some(forecast) = plan.report.forecast.as_ref().filter(|forecast| !forecast.breaches.is_empty()) else { return };
    page.heading("Deadlines missed");
    let rows = forecast.breaches.iter().take(MAX_ROWS).map(|breach| {
        vec![text(&breach.host), when(breach.due), breach.findings.to_string(), cause(breach.cause).to_owned()]
    });
    page.table(&["Host", "Due", "Findings", "Why"], rows);
    page.cut(forecast.breaches.len(), "deadline");
}

/// What no playbook does.
pub(super) fn manual(page: &mut Page, plan: &Plan) {
    let items = &plan.report.manual;
    if items.is_empty() {
        return;
    }
    page.heading("Work for people");
    let rows = items.iter().take(MAX_ROWS).map(|item| {
        let due = item.due.map_or("–".to_owned(), when);
        let who = item.assignee.as_ref().map_or_else(|| "–".to_owned(), text);
        let what = [text(&item.id), text(&item.host), text(&item.vulnerability), text(&item.suggestion)];
        what.into_iter().chain([item.priority.to_string(), who, due]).collect()
    });
    page.table(&["Item", "Host", "Vulnerability", "Suggestion", "Priority", "Assignee", "Due"], rows);
    page.cut(items.len(), "item");
}

pub(super) fn left_alone(page: &mut Page, plan: &Plan) {
    let mut alike: BTreeMap<Alike<'_>, Vec<&Decision>> = BTreeMap::new();
    for decision in plan.report.decisions.iter().filter(|decision| decision.kind != DecisionKind::Fix) {
        let key = (decision.kind, decision.rule.name.as_str(), decision.reason.as_str());
        alike.entry(key).or_default().push(decision);
    }
    if alike.is_empty() {
        return;
    }
    page.heading("Decisions not to fix");
    let all = alike.len();
    for ((kind, rule, reason), decisions) in alike.into_iter().take(MAX_ROWS) {
        let hosts: BTreeSet<&HostName> = decisions.iter().map(|decision| &decision.host).collect();
        page.put(format_args!(
            "<details><summary><b>{}</b>: {} on {}. {} <small>(rule {})</small></summary>\n",
            words(kind),
            count(decisions.len(), "finding"),
            count(hosts.len(), "host"),
            text(reason),
            text(rule)
        ));
        // Of thousands of reasons each may have as many findings: a few tell what it is about.
        let rows = decisions.iter().take(NAMED).map(|decision| {
            let until = decision.expires.map_or("–".to_owned(), when);
            vec![text(&decision.finding), text(&decision.host), decision.assessment.priority.to_string(), until]
        });
        page.table(&["Finding", "Host", "Priority", "Until"], rows);
        if decisions.len() > NAMED {
            page.put(format_args!("<p class=\"cut\">And {} more.</p>\n", decisions.len() - NAMED));
        }
        page.put(format_args!("</details>\n"));
    }
    page.cut(all, "reason");
}

pub(super) fn blocked(page: &mut Page, plan: &Plan) {
    if plan.report.blocked.is_empty() {
        return;
    }
    page.put(format_args!("<h2 id=\"blocked\">Hosts that are blocked, and why</h2>\n"));
    let mut alike: BTreeMap<&Reason, Vec<&HostName>> = BTreeMap::new();
    for (host, reason) in plan.report.blocked.iter().flat_map(|(host, reasons)| reasons.iter().map(move |r| (host, r)))
    {
        alike.entry(reason).or_default().push(host);
    }
    let all = alike.len();
    let rows = alike.into_iter().take(MAX_ROWS).map(|(reason, hosts)| {
        let named = names(hosts.iter(), NAMED);
        vec![text(&reason.text), format!("<code>{}</code>", text(&reason.code)), hosts.len().to_string(), named]
    });
    page.table(&["Why", "Code", "Hosts", "Which"], rows);
    page.cut(all, "reason");
}

pub(super) fn notes(page: &mut Page, plan: &Plan) {
    if plan.report.notes.is_empty() {
        return;
    }
    page.heading("Notes");
    page.put(format_args!("<ul>\n"));
    for note in plan.report.notes.iter().take(MAX_ROWS) {
        page.put(format_args!("<li>{} <code>{}</code></li>\n", text(&note.text), text(&note.code)));
    }
    page.put(format_args!("</ul>\n"));
    page.cut(plan.report.notes.len(), "note");
}

pub(super) fn origin(page: &mut Page, plan: &Plan, id: &Digest) {
    page.heading("Where this plan comes from");
    page.put(format_args!(
        "<p>Plan <code>{id}</code>. The name is the digest of its content: whoever approves it approves exactly this. \
         Decisions as of {}; all times are UTC; time zones by the data {}; made by switchback {}.</p>\n",
        when(plan.as_of),
        text(&plan.tzdata),
        text(&plan.made_by)
    ));
    let rows = plan.inputs.iter().map(|(role, input)| {
        vec![text(role), names(input.paths.iter(), NAMED), format!("<code>{}</code>", input.digest.short())]
    });
    page.table(&["Input", "Read from", "Digest"], rows);
}

const fn words(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Fix => "Fix",
        DecisionKind::Defer => "Not now",
        DecisionKind::Ignore => "Ignored",
        DecisionKind::Whitelist => "Accepted until a date",
        DecisionKind::NotAffected => "Does not apply",
        DecisionKind::NoFixAvailable => "No fix exists",
        DecisionKind::Manual => "By a person",
    }
}
