//! What an approver must know, before all detail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::plan_forecast::{forecast_details, forecast_line};
use super::super::plan_text::count;
use super::{MAX_ROWS, Page, has_no_way_back, names, text, when};
use crate::model::{DecisionKind, HostName, Strategy};
use crate::plan::{BreachCause, HostPlan, Plan};

/// Hosts named in a sentence.
const NAMED: usize = 12;

pub(super) fn summary(page: &mut Page, plan: &Plan) {
    let of = |kind| plan.report.decided.get(&kind).copied().unwrap_or(0);
    let planned: usize = plan.hosts.values().map(|host| host.fix.findings.len()).sum();
    let waves = count(plan.rollout.waves.len(), "wave");
    let verdict = if plan.hosts.is_empty() {
        "This plan changes nothing.".to_owned()
    } else {
        format!("This plan fixes {} on {}, in {waves}.", count(planned, "finding"), count(plan.hosts.len(), "host"))
    };
    page.put(format_args!("<p class=\"verdict\">{verdict} {}</p>\n", span(plan)));

    let no_way_back: Vec<&HostName> =
        plan.hosts.iter().filter(|(_, host)| has_no_way_back(host)).map(|(n, _)| n).collect();
    let approvals: u32 = plan.approvals.iter().map(|approval| approval.required).max().unwrap_or(0);
    let breaches = plan.report.forecast.iter().flat_map(|forecast| &forecast.breaches);
    let missed: BTreeSet<&HostName> = breaches.map(|breach| &breach.host).collect();
    page.put(format_args!("<ul class=\"figures\">\n"));
    let left = usize::try_from(plan.report.findings - of(DecisionKind::Fix)).unwrap_or(usize::MAX);
    for (number, one, more, bad) in [
        (plan.hosts.len(), "host changed", "hosts changed", false),
        (plan.report.blocked.len(), "host blocked", "hosts blocked", true),
        (no_way_back.len(), "host without a way back", "hosts without a way back", true),
        (left, "finding not to be fixed", "findings not to be fixed", false),
        (missed.len(), "host with deadlines missed", "hosts with deadlines missed", true),
        (approvals as usize, "approval needed", "approvals needed", false),
    ] {
        let (mark, sign) = if bad && number > 0 { (" class=\"warn\"", "⚠ ") } else { ("", "") };
        let what = if number == 1 { one } else { more };
        page.put(format_args!("<li{mark}>{sign}<b>{number}</b> {what}</li>\n"));
    }
    page.put(format_args!("</ul>\n<h2>What to know before you approve</h2>\n<ul class=\"points\">\n"));
    points(page, plan, &no_way_back);
    page.put(format_args!("</ul>\n"));
}

/// From when to when, as the forecast has it.
fn span(plan: &Plan) -> String {
    let Some(forecast) = &plan.report.forecast else { return String::new() };
    let first = forecast.hosts.values().map(|host| host.disrupted.unwrap_or(host.start)).min();
    first.zip(forecast.ends).map_or(String::new(), |(first, ends)| {
        format!("If all goes as usual it disrupts the first host on {} and is done by {}.", when(first), when(ends))
    })
}

fn points(page: &mut Page, plan: &Plan, no_way_back: &[&HostName]) {
    let mut point = |title: &str, body: String| page.put(format_args!("<li><b>{title}.</b> {body}</li>\n"));
    if !plan.hosts.is_empty() {
        point("How", how(&plan.hosts));
        point(
            "Way back",
            if no_way_back.is_empty() {
                "Every host goes back to how it was if anything fails: from its backup, or to the original that its clone \
                 replaced."
                    .to_owned()
            } else {
                format!(
                    "⚠ Nothing takes back what is done to {}: {}. If the fix fails there, a person must repair the host.",
                    count(no_way_back.len(), "host"),
                    names(no_way_back.iter(), NAMED)
                )
            },
        );
        let failures = match plan.rollout.failure_budget {
            1 => "one host has".to_owned(),
            more => format!("{more} hosts have"),
        };
        point(
            "If hosts fail",
            format!("Everything pauses as soon as {failures} failed, and a person decides how to go on."),
        );
    }
    for approval in plan.approvals.iter().take(MAX_ROWS) {
        let from = approval.from.as_ref().map_or(String::new(), |from| format!(" of {}", text(from)));
        let author = if approval.not_author { "; who made the plan does not count" } else { "" };
        point(
            "Approval",
            format!(
                "{}{from} for {} ({}), by rule {}{author}; each is good for {}.",
                count(approval.required as usize, "approval"),
                count(approval.hosts.len(), "host"),
                names(approval.hosts.iter(), NAMED),
                text(&approval.rule.name),
                approval.valid_for,
            ),
        );
    }
    if plan.approvals.is_empty() {
        point("Approval", "The policy asks for none.".to_owned());
    }
    let emergency = plan.hosts.iter().filter(|(_, host)| host.emergency).map(|(name, _)| name).collect::<Vec<_>>();
    if !emergency.is_empty() {
        point(
            "Emergency",
            format!("⚠ {} by the emergency lane: {}.", count(emergency.len(), "host"), names(emergency.iter(), NAMED)),
        );
    }
    if !plan.report.blocked.is_empty() {
        point(
            "Blocked",
            format!(
                "⚠ {} with findings to fix cannot be touched; <a href=\"#blocked\">why</a>: {}.",
                count(plan.report.blocked.len(), "host"),
                names(plan.report.blocked.keys(), NAMED)
            ),
        );
    }
    if let (Some(forecast), Some(line)) = (&plan.report.forecast, forecast_line(plan)) {
        let sign = if forecast.breaches.iter().any(|b| b.cause != BreachCause::Overdue) { "⚠ " } else { "" };
        point("Forecast", format!("{sign}{}.", text(sentence(&line))));
        for detail in forecast_details(forecast) {
            point("Forecast", format!("{}.", text(sentence(&detail))));
        }
    }
    for note in plan.report.notes.iter().take(MAX_ROWS) {
        point("Note", text(&note.text));
    }
}

fn how(hosts: &BTreeMap<HostName, Arc<HostPlan>>) -> String {
    let clones = hosts.values().filter(|host| host.strategy == Strategy::CloneAndSwitch).count();
    let in_place = hosts.len() - clones;
    let mut parts = Vec::new();
    if clones > 0 {
        let are = if clones == 1 { "is" } else { "are" };
        parts.push(format!("{} {are} fixed on a clone, to which the traffic is switched", count(clones, "host")));
    }
    if in_place > 0 {
        let are = if in_place == 1 { "is" } else { "are" };
        parts.push(format!("{} {are} fixed in place", count(in_place, "host")));
    }
    format!("{}.", parts.join("; "))
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
