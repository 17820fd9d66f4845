//! Every host in a row, and what was done on it step by step: of all hosts where that can be read, else of those that
//! matter most.

use std::collections::BTreeSet;

use super::super::campaign::{CampaignReport, HostReport, in_order};
use super::super::campaign_words::{evidence, result};
use super::super::page::Shown;
use super::super::plan_text::package;
use super::went_back::excerpt;
use super::{MAX_ROWS, Page, class, count, marked, names, outcome, step_class, text, when};
use crate::model::{HostName, TimeSpan, printable};
use crate::plan::Plan;

/// Hosts with a row: all of nearly every campaign, in some two megabytes.
const MAX_HOSTS: usize = 5_000;
/// Hosts whose steps are shown; a fifth of a page's size.
const MAX_DETAILS: usize = 200;
/// Steps of one host; a host has some twenty and takes back as many.
const MAX_STEPS: usize = 80;
/// Packages named, and characters of what a step said.
const NAMED: usize = 60;
const EVIDENCE: usize = 2_000;
/// Characters of a reason in a row.
const WHY: usize = 160;

/// The hosts whose steps are on the page.
pub(super) struct Details<'a>(BTreeSet<&'a HostName>);

impl<'a> Details<'a> {
    /// Those that are not as planned first, then in the order of the plan.
    pub fn of(report: &'a CampaignReport, plan: &'a Plan) -> Self {
        let (good, other): (Vec<_>, Vec<_>) = in_order(plan, &report.hosts)
            .partition(|(_, host)| host.outcome.is_some_and(|outcome| outcome.is_success()));
        let (open, back): (Vec<_>, Vec<_>) = other.into_iter().partition(|(_, host)| host.outcome.is_none());
        let begun = open.into_iter().filter(|(_, host)| !host.steps.is_empty());
        Self(back.into_iter().chain(begun).chain(good).take(MAX_DETAILS).map(|(name, _)| name).collect())
    }

    /// The name, as a link where there is something behind it.
    pub fn link(&self, name: &HostName) -> String {
        let shown = text(name);
        if self.0.contains(name) { format!("<a href=\"#host-{shown}\">{shown}</a>") } else { shown }
    }

    pub fn write(&self, page: &mut Page, report: &CampaignReport, plan: &Plan) {
        if self.0.is_empty() {
            return;
        }
        page.heading("Step by step");
        page.put(format_args!(
            "<p class=\"needs-script\" hidden><button type=\"button\" id=\"open-all\">Open all</button> \
             <button type=\"button\" id=\"close-all\">Close all</button></p>\n"
        ));
        for (name, host) in in_order(plan, &report.hosts).filter(|(name, _)| self.0.contains(name)) {
            section(page, name, host, plan);
        }
        let more = report.hosts.len() - self.0.len();
        if more > 0 {
            page.put(format_args!(
                "<p class=\"cut\">{} without their steps here, none of them before those that are not as planned; \
                 <code>switchback report {} --format json</code> has all.</p>\n",
                count(more, "host"),
                report.campaign
            ));
        }
    }
}

pub(super) fn table(page: &mut Page, report: &CampaignReport, plan: &Plan, details: &Details<'_>) {
    page.heading("Hosts");
    let ended: BTreeSet<&str> = report.hosts.values().map(outcome).collect();
    page.put(format_args!(
        "<p class=\"needs-script\" hidden><label>Find <input type=\"search\" id=\"find\"></label> <label>Ended as \
         <select id=\"ended\"><option value=\"\">any</option>"
    ));
    for outcome in ended {
        page.put(format_args!("<option>{outcome}</option>"));
    }
    page.put(format_args!("</select></label> <span id=\"shown\"></span></p>\n<div id=\"hosts\">\n"));
    let rows = in_order(plan, &report.hosts).take(MAX_HOSTS).map(|(name, host)| row(name, host, plan, details));
    page.table(&["Host", "Ended as", "Why", "Wave", "Urgency", "Findings", "Disrupted", "Took", "Foretold"], rows);
    page.put(format_args!("</div>\n"));
    if report.hosts.len() > MAX_HOSTS {
        page.put(format_args!(
            "<p class=\"cut\">{} without a row; <code>switchback report {} --format json</code> has all.</p>\n",
            count(report.hosts.len() - MAX_HOSTS, "host"),
            report.campaign
        ));
    }
}

fn row(name: &HostName, host: &HostReport, plan: &Plan, details: &Details<'_>) -> Vec<Shown> {
    let why = match (&host.reason, &host.waiting) {
        (Some(reason), _) => text(printable(&reason.text, WHY)),
        (None, Some(waits)) => format!("waits: {}", text(printable(waits, WHY))),
        (None, None) => String::new(),
    };
    let forecast = plan.report.forecast.as_ref().and_then(|forecast| forecast.hosts.get(name));
    let foretold = forecast.map(|host| TimeSpan::between(host.start, host.end));
    let none = || Shown::from("–".to_owned());
    let span = |span: Option<TimeSpan>| span.map_or_else(none, |span| Shown::ranked(span.as_seconds(), span));
    vec![
        details.link(name).into(),
        marked(host).into(),
        why.into(),
        text(&host.wave).into(),
        Shown::ranked(host.priority as u64, host.priority),
        host.findings.to_string().into(),
        host.disrupted
            .map_or_else(none, |at| Shown::ranked(at.as_second().max(0).cast_unsigned(), at.strftime("%-d %b %H:%M"))),
        span(host.took()),
        span(foretold),
    ]
}

fn section(page: &mut Page, name: &HostName, host: &HostReport, plan: &Plan) {
    let open = if matches!(class(host.outcome), "bad" | "back") { " open" } else { "" };
    page.put(format_args!(
        "<details id=\"host-{name}\"{open}><summary><b>{name}</b> {}</summary>\n",
        marked(host),
        name = text(name)
    ));
    if let Some(reason) = &host.reason {
        page.put(format_args!("<p>{} <code>{}</code></p>\n", text(&reason.text), text(&reason.code)));
    }
    if let Some(planned) = plan.hosts.get(name) {
        page.put(format_args!("<p>Packages: {}.</p>\n", names(planned.fix.packages.iter().map(package), NAMED)));
    }
    if !host.left_out.is_empty() {
        page.put(format_args!("<p>⚠ Left out, for they broke a clone: {}.</p>\n", names(host.left_out.iter(), NAMED)));
    }
    if let Some(end) = host.overrun {
        page.put(format_args!("<p class=\"bad\">⚠ Went on past the end of its window at {}.</p>\n", when(end)));
    }
    for wait in host.waits.iter().take(MAX_ROWS) {
        let until = wait.to.map_or("until now".to_owned(), |to| format!("for {}", TimeSpan::between(wait.from, to)));
        page.put(format_args!("<p class=\"why\">Waited {until} from {}: {}</p>\n", when(wait.from), text(&wait.why)));
    }
    if host.steps.is_empty() {
        page.put(format_args!("<p>No step has begun.</p></details>\n"));
        return;
    }
    let rows = host.steps.iter().take(MAX_STEPS).map(|step| {
        let mut what = Page::part();
        what.put(format_args!("<span class=\"{}\">{}</span>", step_class(step), text(result(step))));
        excerpt(&mut what, evidence(step), EVIDENCE);
        let undo = if step.undo { " <small>takes back</small>" } else { "" };
        vec![
            format!("{}{undo}", text(step.step.step())),
            step.started.strftime("%-d %b %H:%M:%S").to_string(),
            step.took().map_or("–".to_owned(), |took| took.to_string()),
            what.into_text(),
        ]
    });
    page.table(&["Step", "Began", "Took", "What came of it"], rows);
    if host.steps.len() > MAX_STEPS {
        page.put(format_args!("<p class=\"cut\">And {}.</p>\n", count(host.steps.len() - MAX_STEPS, "more attempt")));
    }
    page.put(format_args!("</details>\n"));
}
