//! What went back, and why: each host with the step that failed and the end of what it said.

use super::super::campaign::{CampaignReport, HostReport};
use super::super::campaign_words::evidence;
use super::super::page::escape;
use super::hosts::Details;
use super::{Page, count, marked, text, when};
use crate::model::HostName;
use crate::plan::Plan;

/// Hosts that are told of; those that need a person come first.
const MAX_TOLD: usize = 100;
/// Of the output of a step, so many characters of its end stand here; the host's own section has more.
const EXCERPT: usize = 1200;

pub(super) fn went_back(page: &mut Page, report: &CampaignReport, plan: &Plan, details: &Details<'_>) {
    let mut back: Vec<(&HostName, &HostReport)> =
        report.hosts.iter().filter(|(_, host)| host.outcome.is_some_and(|outcome| !outcome.is_success())).collect();
    if back.is_empty() {
        return;
    }
    back.sort_by_key(|(name, host)| (std::cmp::Reverse(host.outcome), *name));
    page.put(format_args!("<h2 id=\"back\">What is not as planned, and why</h2>\n"));
    for (name, host) in back.iter().take(MAX_TOLD) {
        one(page, name, host, plan, details);
    }
    if back.len() > MAX_TOLD {
        page.put(format_args!(
            "<p class=\"cut\">{} more: the table of hosts has why.</p>\n",
            count(back.len() - MAX_TOLD, "host")
        ));
    }
}

fn one(page: &mut Page, name: &HostName, host: &HostReport, plan: &Plan, details: &Details<'_>) {
    let at = host.ended.map_or(String::new(), |at| format!(", {}", when(at)));
    page.put(format_args!(
        "<div class=\"back\"><p><b>{}</b> {}{at}<br>{}</p>\n",
        details.link(name),
        marked(host),
        host.reason.as_ref().map_or(String::new(), |reason| format!(
            "{} <code>{}</code>",
            text(&reason.text),
            text(&reason.code)
        )),
    ));
    page.put(format_args!("<ul>\n"));
    let same = |one: &crate::plan::Reason| host.reason.as_ref().is_some_and(|reason| reason.text == one.text);
    if let Some(back) = host.went_back.as_ref().filter(|back| !same(&back.reason)) {
        page.put(format_args!("<li>It turned back {} because: {}</li>\n", when(back.at), text(&back.reason.text)));
    }
    let fixes = plan.hosts.get(name).map_or(0, |host| host.fix.packages.len());
    page.put(format_args!(
        "<li>It was to get {} for {}.</li>\n",
        count(fixes, "package"),
        count(host.findings as usize, "finding")
    ));
    if let Some(step) = host.failed_step() {
        page.put(format_args!(
            "<li>Step <b>{}</b> failed {}: {}</li>\n</ul>\n",
            step.kind,
            when(step.ended.unwrap_or(step.started)),
            text(super::super::campaign_words::result(step))
        ));
        excerpt(page, evidence(step), EXCERPT);
    } else {
        page.put(format_args!("</ul>\n"));
    }
    page.put(format_args!("</div>\n"));
}

/// The end of an output.
pub(super) fn excerpt(page: &mut Page, said: &str, most: usize) {
    if said.is_empty() {
        return;
    }
    let skip = said.chars().count().saturating_sub(most);
    let from = said.char_indices().nth(skip).map_or(said.len(), |(at, _)| at);
    let cut = if skip > 0 { "…" } else { "" };
    page.put(format_args!("<pre>{cut}{}</pre>\n", escape(&said[from..])));
}
