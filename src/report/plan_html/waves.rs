//! Which hosts, in which order; and how each kind of host is fixed, and why so.

use std::collections::BTreeMap;

use super::super::plan_text::{count, package};
use super::procedure::Procedures;
use super::{MAX_ROWS, Page, has_no_way_back, names, text};
use crate::model::{HostName, RuleName, Strategy};
use crate::plan::{HeldBy, HostPlan, Plan};

/// Hosts with a row, of all waves together.
const MAX_HOSTS: usize = 2_000;
/// With more hosts what is in a wave is folded.
const UNFOLDED: usize = 60;
/// Packages and hosts named in a line.
const NAMED: usize = 40;

pub(super) fn waves(page: &mut Page, plan: &Plan, procedures: &Procedures<'_>) {
    if plan.hosts.is_empty() {
        return;
    }
    page.heading("Waves");
    page.put(format_args!(
        "<p>In this order: a wave starts when the one before has ended well and has been watched.</p>\n"
    ));
    let open = if plan.hosts.len() <= UNFOLDED { " open" } else { "" };
    let mut left = MAX_HOSTS;
    for (number, wave) in plan.rollout.waves.iter().enumerate() {
        let soak = if wave.soak.as_seconds() > 0 { format!(", then watched for {}", wave.soak) } else { String::new() };
        page.put(format_args!(
            "<details{open}><summary><b>{}. {}</b>: {}{soak}</summary>\n",
            number + 1,
            text(&wave.name),
            count(wave.hosts.len(), "host")
        ));
        let hosts: Vec<(&HostName, &HostPlan)> = wave
            .hosts
            .iter()
            .filter_map(|name| plan.hosts.get_key_value(name).map(|(name, host)| (name, &**host)))
            .collect();
        if plan.hosts.len() > UNFOLDED {
            by_cohort(page, &hosts);
        }
        let shown = hosts.len().min(left);
        left -= shown;
        let titles = ["Host", "Urgency", "Findings", "How", "Service", "May start", "Expected", "If it fails"];
        page.table(&titles, hosts.iter().take(shown).map(|(name, host)| row(plan, procedures, name, host)));
        if shown < hosts.len() {
            let more = count(hosts.len() - shown, "host");
            page.put(format_args!(
                "<p class=\"cut\">{more} of this wave without a row: this page lists {MAX_HOSTS} hosts; \
                 <code>switchback show PLAN</code> lists all.</p>\n"
            ));
        }
        page.put(format_args!("</details>\n"));
    }
}

fn by_cohort(page: &mut Page, hosts: &[(&HostName, &HostPlan)]) {
    let mut cohorts: BTreeMap<(&RuleName, Strategy), (usize, usize)> = BTreeMap::new();
    for (_, host) in hosts {
        let (number, findings) = cohorts.entry((&host.cohort, host.strategy)).or_default();
        *number += 1;
        *findings += host.fix.findings.len();
    }
    let all = cohorts.len();
    page.table(
        &["Kind of host", "How", "Hosts", "Findings"],
        cohorts.into_iter().take(MAX_ROWS).map(|((cohort, strategy), (number, findings))| {
            vec![text(cohort), how(strategy).to_owned(), number.to_string(), findings.to_string()]
        }),
    );
    page.cut(all, "kind of host");
}

fn row(plan: &Plan, procedures: &Procedures<'_>, name: &HostName, host: &HostPlan) -> Vec<String> {
    let forecast = plan.report.forecast.as_ref();
    let expected = match forecast.and_then(|forecast| forecast.hosts.get(name)) {
        Some(host) => {
            let held = host.held_by.map_or(String::new(), |by| format!("<br><small>{}</small>", waits(by)));
            format!("{} to {}{held}", host.start.strftime("%a %-d %b %H:%M"), host.end.strftime("%H:%M"))
        }
        None => "⚠ no window has room".to_owned(),
    };
    let back = match (has_no_way_back(host), host.strategy) {
        (true, _) => "⚠ no way back",
        (false, Strategy::InPlace) => "restored from its backup",
        (false, Strategy::CloneAndSwitch) => "traffic goes back to the original",
        (false, Strategy::Drill) => "nothing is changed",
    };
    vec![
        text(name),
        format!("{}<br><small>{} host</small>", host.priority, host.importance.as_str()),
        host.fix.findings.len().to_string(),
        format!("{}<br><small>{}</small>", how(host.strategy), procedures.link(name)),
        host.group.as_ref().map_or("–".to_owned(), text),
        first_window(plan, host),
        expected,
        back.to_owned(),
    ]
}

fn first_window(plan: &Plan, host: &HostPlan) -> String {
    match (&host.windows, host.first_window(plan)) {
        (None, _) => "at any time".to_owned(),
        (Some(set), None) => format!("⚠ never in {}", text(set)),
        (Some(_), Some(window)) => {
            format!("{}<br><small>{}</small>", window.interval.start.strftime("%a %-d %b %H:%M"), text(&window.name))
        }
    }
}

const fn waits(by: HeldBy) -> &'static str {
    match by {
        HeldBy::Waves => "not earlier: waves before it",
        HeldBy::Pilot => "not earlier: another host goes first",
        HeldBy::DisruptionBudget => "not earlier: its service must stay up",
        HeldBy::Concurrency => "not earlier: others are worked on",
        HeldBy::FailureBudget => "not earlier: the failure budget",
    }
}

const fn how(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::InPlace => "fixed in place",
        Strategy::CloneAndSwitch => "fixed on a clone, then switched to it",
        Strategy::Drill => "restored to a clone, which is looked at",
    }
}

/// Similar hosts: what they get, who goes first, and why each is fixed as it is.
pub(super) fn cohorts(page: &mut Page, plan: &Plan, procedures: &Procedures<'_>) {
    let mut cohorts: BTreeMap<&RuleName, Vec<(&HostName, &HostPlan)>> = BTreeMap::new();
    for (name, host) in
        plan.rollout.waves.iter().flat_map(|wave| &wave.hosts).filter_map(|n| plan.hosts.get_key_value(n))
    {
        cohorts.entry(&host.cohort).or_default().push((name, host));
    }
    if cohorts.is_empty() {
        return;
    }
    page.heading("How each kind of host is fixed, and why so");
    page.put(format_args!("<p>Hosts of a kind have the same system and get the same fix.</p>\n"));
    let all = cohorts.len();
    let open = if all <= 5 { " open" } else { "" };
    for (cohort, hosts) in cohorts.into_iter().take(MAX_ROWS) {
        let Some((_, first)) = hosts.first() else { continue };
        page.put(format_args!(
            "<details{open}><summary><b>{}</b>: {}, playbook {}</summary>\n",
            text(cohort),
            count(hosts.len(), "host"),
            text(&first.playbook)
        ));
        let packages = names(first.fix.packages.iter().map(package), NAMED);
        page.put(format_args!("<p>Packages: {packages}.</p>\n<ol class=\"roles\">\n"));
        // In the order in which they go, so that who goes first stands before who follows.
        let mut roles: Vec<((&str, usize), Vec<&HostName>)> = Vec::new();
        let mut known: BTreeMap<(&str, usize), usize> = BTreeMap::new();
        for (name, host) in &hosts {
            let role = (host.strategy_reason.text.as_str(), procedures.number(name));
            let at = *known.entry(role).or_insert(roles.len());
            match roles.get_mut(at) {
                Some((_, hosts)) => hosts.push(name),
                None => roles.push((role, vec![name])),
            }
        }
        let number = roles.len();
        for ((reason, _), hosts) in roles.into_iter().take(MAX_ROWS) {
            let Some(host) = hosts.first().and_then(|name| plan.hosts.get(*name)) else { continue };
            let waits: Vec<&str> = host.steps.iter().flat_map(|s| s.foreign_needs()).map(|need| need.host()).collect();
            let waits =
                if waits.is_empty() { String::new() } else { format!(" <b>after {}</b>", names(waits.iter(), NAMED)) };
            page.put(format_args!(
                "<li>{} ({}){waits}: {}, {}. <span class=\"why\">Why: {}.</span></li>\n",
                names(hosts.iter(), NAMED),
                count(hosts.len(), "host"),
                how(host.strategy),
                procedures.link(&host.host.name),
                text(reason)
            ));
        }
        page.put(format_args!("</ol>\n"));
        page.cut(number, "role");
        page.put(format_args!("</details>\n"));
    }
    page.cut(all, "kind of host");
}
