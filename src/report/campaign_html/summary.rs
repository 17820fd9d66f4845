//! What a reader must know before all detail, and what is only looked up.

use super::super::campaign::{CampaignReport, Verdict};
use super::super::campaign_words::{after, approved, deadlines, ends, findings, remediation, still_found, verdict};
use super::{MAX_ROWS, Page, class, count, names, text, when};
use crate::engine::Gives;
use crate::model::TimeSpan;
use crate::plan::Plan;

/// Hosts named in a sentence.
const NAMED: usize = 12;

pub(super) fn summary(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    let sign = if report.verdict == Verdict::AsPlanned { "✔" } else { "⚠" };
    page.put(format_args!("<p class=\"verdict\">{sign} {}</p>\n<ul class=\"figures\">\n", verdict(report)));
    for (outcome, number) in &report.outcomes {
        let hosts = if *number == 1 { "host" } else { "hosts" };
        page.put(format_args!(
            "<li class=\"{}\"><b>{number}</b> {hosts} {}</li>\n",
            class(Some(*outcome)),
            super::ended(*outcome)
        ));
    }
    let ended: u32 = report.outcomes.values().sum();
    let open = report.hosts.len() - ended as usize;
    if open > 0 {
        page.put(format_args!("<li class=\"open\"><b>{open}</b> not ended</li>\n"));
    }
    let all = report.findings.total;
    page.put(format_args!(
        "<li><b>{}</b> findings before</li>\n<li><b>{}</b> findings after</li>\n",
        all.before, all.after
    ));
    let missed = report.sla.total.deadlines;
    if missed.missed > 0 {
        page.put(format_args!("<li class=\"warn\">⚠ <b>{}</b> deadlines missed</li>\n", missed.missed));
    }
    page.put(format_args!("</ul>\n<dl>"));
    for (name, value) in facts(report, plan) {
        page.put(format_args!("<dt>{name}</dt><dd>{value}</dd>"));
    }
    page.put(format_args!("</dl>\n<h2>In short</h2>\n<ul class=\"points\">\n"));
    for (title, body) in points(report) {
        page.put(format_args!("<li><b>{title}.</b> {body}</li>\n"));
    }
    page.put(format_args!("</ul>\n"));
}

fn facts(report: &CampaignReport, plan: &Plan) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Plan", format!("<code>{}</code>", report.plan))];
    facts.push(("Plan made", when(plan.as_of)));
    facts.extend(report.author.as_ref().map(|author| ("Plan made by", text(author))));
    facts.extend(report.ticket.as_ref().map(|ticket| ("Change request", text(ticket))));
    facts.push(("Started by", text(&report.operator)));
    facts.extend(report.started.map(|at| ("Started", when(at))));
    match (report.ended, report.as_of) {
        (Some(ended), _) => facts.push(("Ended", when(ended))),
        (None, Some(now)) => facts.push(("As of", format!("{}, its last record", when(now)))),
        (None, None) => {}
    }
    let took = report.started.zip(report.ended).map(|(from, to)| TimeSpan::between(from, to).to_string());
    facts.extend(took.map(|took| ("Took", took)));
    facts
}

fn points(report: &CampaignReport) -> Vec<(&'static str, String)> {
    let mut points = Vec::new();
    let back: Vec<_> = report.hosts.iter().filter(|(_, host)| host.outcome.is_some_and(|o| !o.is_success())).collect();
    points.push(match back.len() {
        0 => ("Hosts", "No host went back, was left untouched or is stuck.".to_owned()),
        some => {
            let named = names(back.iter().map(|(name, _)| name), NAMED);
            ("Hosts", format!("<a href=\"#back\">{} not as planned</a>: {named}.", count(some, "host")))
        }
    });
    points.push(("Findings", format!("{} {}", findings(&report.findings), after(&report.findings))));
    points.extend(still_found(&report.findings).map(|told| ("Findings", format!("⚠ {told}."))));
    points.extend(remediation(report).into_iter().map(|told| ("Time", format!("{told}."))));
    points.push(("Deadlines", format!("{}.", deadlines(report))));
    points.extend(ends(report).map(|told| ("Forecast", format!("{told}."))));
    let over: Vec<_> =
        report.services.iter().filter(|(_, s)| s.most > s.max_unavailable).map(|(name, _)| name).collect();
    points.push(match (report.services.len(), over.len()) {
        (0, _) => ("Services", "The policy does not limit how many hosts of a service may be unavailable.".to_owned()),
        (_, 0) => ("Services", "No service had more hosts unavailable than its disruption budget allows.".to_owned()),
        _ => ("Services", format!("⚠ More hosts unavailable than allowed: {}.", names(over.iter(), NAMED))),
    });
    if let Some(told) = approved(report) {
        points.push(("Approvals", format!("{told}.")));
    }
    let overran: Vec<_> =
        report.hosts.iter().filter(|(_, host)| host.overrun.is_some()).map(|(name, _)| name).collect();
    if !overran.is_empty() {
        points.push(("Windows", format!("⚠ Went on past the end of their window: {}.", names(overran.iter(), NAMED))));
    }
    points
}

/// What the plan asks for, and who gave it.
pub(super) fn approvals(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    page.heading("Approvals");
    if plan.approvals.is_empty() {
        page.put(format_args!("<p>The policy asks for none.</p>\n"));
    } else {
        let rows = plan.approvals.iter().take(MAX_ROWS).map(|approval| {
            vec![
                text(&approval.rule.name),
                approval.required.to_string(),
                approval.from.as_ref().map_or("–".to_owned(), text),
                approval.hosts.len().to_string(),
                if approval.not_author { "does not count" } else { "counts" }.to_owned(),
            ]
        });
        page.table(&["Rule", "Approvals needed", "Of", "Hosts", "Who made the plan"], rows);
        page.cut_of_campaign(plan.approvals.len(), "rule");
    }
    if report.approvals.is_empty() {
        return;
    }
    let rows = report.approvals.iter().take(MAX_ROWS).map(|given| {
        let gives = match given.gives {
            Gives::Approval => "as planned",
            Gives::WithoutBackup => "⚠ without a backup",
        };
        let until = match &given.withdrawn {
            None => when(given.until),
            Some(back) => format!("⚠ {}, when it was withdrawn: {}", when(back.at), text(&back.reason.text)),
        };
        vec![
            text(&given.by),
            gives.to_owned(),
            count(given.hosts as usize, "host"),
            names(given.rules.iter(), NAMED),
            when(given.signed_at),
            until,
            given.ticket.as_ref().map_or("–".to_owned(), text),
            format!("<code>{}</code><br><small>statement {}</small>", text(&given.key), given.statement.short()),
        ]
    });
    page.table(&["Given by", "What", "For", "Rules", "Signed", "Good until", "Ticket", "Key"], rows);
    page.cut_of_campaign(report.approvals.len(), "approval");
}

pub(super) fn kept(page: &mut Page, report: &CampaignReport) {
    if report.kept.is_empty() {
        return;
    }
    page.heading("Backups, clones and originals that are kept");
    page.put(format_args!(
        "<p>As the journal has it; <code>switchback clones</code> asks the providers what is there now.</p>\n"
    ));
    let now = report.as_of;
    let rows = report.kept.iter().take(MAX_ROWS).map(|kept| {
        let until = match kept.until {
            Some(until) if now.is_some_and(|now| until < now) => format!("⚠ {}, which has passed", when(until)),
            Some(until) => when(until),
            None => "its host needs it".to_owned(),
        };
        vec![text(&kept.host), kept.kind.as_str().to_owned(), format!("<code>{}</code>", text(&kept.reference)), until]
    });
    page.table(&["Host", "What", "Reference", "Until"], rows);
    page.cut_of_campaign(report.kept.len(), "item");
}

pub(super) fn operations(page: &mut Page, report: &CampaignReport) {
    if report.operations.is_empty() {
        return;
    }
    page.heading("What people and controllers did");
    let rows = report.operations.iter().take(MAX_ROWS).map(|operation| vec![when(operation.at), text(&operation.what)]);
    page.table(&["When", "What"], rows);
    page.cut_of_campaign(report.operations.len(), "operation");
}

pub(super) fn left_alone(page: &mut Page, plan: &Plan) {
    if plan.report.blocked.is_empty() {
        return;
    }
    page.heading("Hosts that the plan had to leave out");
    let rows = plan.report.blocked.iter().flat_map(|(host, why)| why.iter().map(move |why| (host, why)));
    let all = rows.clone().count();
    page.table(&["Host", "Why"], rows.take(MAX_ROWS).map(|(host, why)| vec![text(host), text(&why.text)]));
    page.cut_of_campaign(all, "reason");
}

pub(super) fn origin(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    page.heading("Where this report comes from");
    page.put(format_args!(
        "<p>The plan <code>{}</code>, made by switchback {}, and {} of the journal of campaign <code>{}</code>. All times are \
         UTC. <code>switchback report {} --format json</code> has everything, without the bounds of a page.</p>\n",
        report.plan,
        text(&plan.made_by),
        count(usize::try_from(report.records).unwrap_or(usize::MAX), "record"),
        report.campaign,
        report.campaign
    ));
}
