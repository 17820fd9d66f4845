//! Figures as tables: findings, deadlines, the forecast, waves.

use super::super::campaign::{CampaignReport, Deadlines, Durations, FindingCounts, SlaFigures};
use super::super::campaign_words::{after, still_found};
use super::super::plan_forecast::cause;
use super::{MAX_ROWS, Page, count, ended, names, text, when};
use crate::model::{Priority, TimeSpan};
use crate::plan::Plan;

/// Findings of a host that are named.
const NAMED: usize = 20;

pub(super) fn findings(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    page.heading("Findings before and after");
    page.put(format_args!(
        "<p>{} Before is every finding that the plan has decided about.</p>\n",
        after(&report.findings)
    ));
    let row = |title: &str, counts: &FindingCounts| {
        let numbers = [counts.before, counts.planned, counts.fixed, counts.pending_reboot, counts.after];
        std::iter::once(title.to_owned()).chain(numbers.map(|number| number.to_string())).collect::<Vec<_>>()
    };
    let priorities = Priority::ALL.iter().filter_map(|p| Some(row(p.as_str(), report.findings.by_priority.get(p)?)));
    page.table(
        &["Priority", "Before", "To be fixed", "Fixed and verified", "Of those, reboot pending", "After"],
        priorities.chain([row("all", &report.findings.total)]),
    );
    let decided: Vec<String> = plan
        .report
        .decided
        .iter()
        .map(|(kind, number)| format!("{number} {}", kind.as_str().replace('_', " ")))
        .collect();
    if !decided.is_empty() {
        page.put(format_args!("<p>As the policy decided them: {}.</p>\n", decided.join(", ")));
    }
    if let (Some(told), Some(scan)) = (still_found(&report.findings), &report.findings.later_scan) {
        page.put(format_args!("<p>⚠ {told}:</p>\n"));
        let rows = scan
            .still_found
            .iter()
            .take(MAX_ROWS)
            .map(|(host, findings)| vec![text(host), names(findings.iter(), NAMED)]);
        page.table(&["Host", "Findings"], rows);
        page.cut_of_campaign(scan.still_found.len(), "host");
    }
}

pub(super) fn sla(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    page.heading("Deadlines and time to remediate");
    page.put(format_args!(
        "<p>A finding is remediated when its host has ended as fixed. The time runs from when it was first seen on its host, \
         as the scanner says; where no scanner says, from when the plan was made ({}). Both are told apart.</p>\n",
        when(plan.as_of)
    ));
    let row = |title: &str, figures: &SlaFigures| {
        let Deadlines { met, missed, overdue, ahead } = figures.deadlines;
        let mut row = vec![title.to_owned(), durations(figures.since_first_seen), durations(figures.since_plan)];
        row.extend([met, missed, overdue, ahead].map(|number| number.to_string()));
        row
    };
    let priorities = Priority::ALL.iter().filter_map(|p| Some(row(p.as_str(), report.sla.by_priority.get(p)?)));
    page.table(
        &["Priority", "Since first seen", "Since the plan", "Deadlines met", "Missed", "Too late already", "Ahead"],
        priorities.chain([row("all", &report.sla.total)]),
    );
    if report.sla.missed.is_empty() {
        return;
    }
    page.put(format_args!("<p>Deadlines missed, the first first:</p>\n"));
    let rows = report.sla.missed.iter().take(MAX_ROWS).map(|missed| {
        vec![
            text(&missed.host),
            when(missed.due),
            missed.findings.to_string(),
            missed
                .fixed
                .map_or("not fixed".to_owned(), |at| format!("fixed {} late", TimeSpan::between(missed.due, at))),
            missed.foretold.map_or("no", cause).to_owned(),
        ]
    });
    page.table(&["Host", "Due", "Findings", "What became of them", "Foretold by the plan"], rows);
    page.cut_of_campaign(report.sla.missed.len(), "host");
}

fn durations(durations: Option<Durations>) -> String {
    let Some(durations) = durations else { return "–".to_owned() };
    format!(
        "<b>{}</b> on average<br><small>half within {}, all within {}; {}</small>",
        durations.mean,
        durations.median,
        durations.longest,
        count(usize::try_from(durations.findings).unwrap_or(usize::MAX), "finding")
    )
}

pub(super) fn forecast(page: &mut Page, report: &CampaignReport) {
    let Some(forecast) = &report.forecast else { return };
    page.heading("What the plan foretold, and what came of it");
    page.put(format_args!(
        "<p>The forecast takes it that the campaign starts when the plan is made, every step takes as long as usual and \
         nothing fails.</p>\n"
    ));
    let time = |at: Option<jiff::Timestamp>| at.map_or("–".to_owned(), when);
    let hosts = count(forecast.hosts as usize, "host");
    let rows = [
        ["The last host ends".to_owned(), time(forecast.ends), time(forecast.ended)],
        [format!("Time of {hosts}, waiting included"), forecast.expected.to_string(), forecast.took.to_string()],
        ["Hosts that end later than foretold".to_owned(), "0".to_owned(), forecast.later.to_string()],
        ["Hosts rebooted".to_owned(), format!("at most {}", forecast.reboots_expected), forecast.reboots.to_string()],
        [
            "Findings that miss their deadline".to_owned(),
            forecast.breaches_expected.to_string(),
            forecast.breaches.to_string(),
        ],
    ];
    page.table(&["What", "Foretold", "Came"], rows.map(|row| row.to_vec()));
}

pub(super) fn waves(page: &mut Page, report: &CampaignReport) {
    page.heading("Waves");
    let time = |at: Option<jiff::Timestamp>, none: &str| at.map_or(none.to_owned(), when);
    let rows = report.waves.iter().take(MAX_ROWS).map(|wave| {
        let outcomes: Vec<String> =
            wave.outcomes.iter().map(|(outcome, number)| format!("{number} {}", ended(*outcome))).collect();
        vec![
            text(&wave.name),
            wave.hosts.to_string(),
            time(wave.started, "not begun"),
            time(wave.watched_until, "–"),
            time(wave.ended, "not ended"),
            if outcomes.is_empty() { "–".to_owned() } else { outcomes.join(", ") },
        ]
    });
    page.table(&["Wave", "Hosts", "Began", "Watched until", "Ended", "Hosts ended as"], rows);
    page.cut_of_campaign(report.waves.len(), "wave");
}
