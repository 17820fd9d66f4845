//! One self-contained HTML file per campaign: summary first, then every host with its timeline; no script needed.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::engine::StepResult;
use crate::model::{HostOutcome, TimeSpan};
use crate::plan::Plan;

use super::campaign::{CampaignReport, HostReport, StepReport};

const STYLE: &str = include_str!("campaign.css");

/// The page.
pub fn campaign_html(report: &CampaignReport, plan: &Plan) -> String {
    let mut page = String::new();
    let title = format!("Campaign {}", report.campaign);
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n<h1>{title}</h1>",
        title = escape(&title),
    );
    summary(&mut page, report, plan);
    hosts_table(&mut page, report, plan);
    went_back(&mut page, report);
    for (name, host) in &report.hosts {
        host_section(&mut page, name.as_str(), host, plan);
    }
    operations(&mut page, report);
    left_alone(&mut page, plan);
    let _ = writeln!(
        page,
        "<footer>Plan <code>{}</code>, decisions as of {}, {} journal records. Made by switchback {}.</footer></main></body></html>",
        report.plan,
        time(plan.as_of),
        report.records,
        escape(&plan.made_by),
    );
    page
}

fn summary(page: &mut String, report: &CampaignReport, plan: &Plan) {
    let verdict = if report.ended.is_none() {
        "has not ended"
    } else if report.stuck() > 0 {
        "ended; some hosts need a person"
    } else if report.went_back() > 0 {
        "ended; some hosts went back"
    } else {
        "ended; every host is as planned"
    };
    let _ = write!(page, "<p class=\"verdict\">The campaign {verdict}.</p>\n<ul class=\"figures\">\n");
    for (outcome, count) in &report.outcomes {
        let _ = writeln!(
            page,
            "<li class=\"{class}\"><b>{count}</b> {name}</li>",
            class = class(Some(*outcome)),
            name = outcome.as_str().replace('_', " ")
        );
    }
    if let Some(findings) = report.findings {
        let _ = writeln!(
            page,
            "<li><b>{}</b> findings before</li><li><b>{}</b> after</li>",
            findings.before, findings.after
        );
    }
    let _ = writeln!(page, "</ul>");
    let mut facts: Vec<(&str, String)> = vec![("Started by", escape(&report.operator))];
    if let Some(started) = report.started {
        facts.push(("Started", time(started)));
    }
    if let (Some(started), Some(ended)) = (report.started, report.ended) {
        facts.push(("Ended", time(ended)));
        facts.push(("Took", TimeSpan::between(started, ended).to_string()));
    }
    facts.push(("Findings read", plan.report.findings.to_string()));
    for (kind, count) in &plan.report.decided {
        facts.push(("Decided", format!("{count} {}", kind.as_str().replace('_', " "))));
    }
    page.push_str("<dl>");
    for (name, value) in facts {
        let _ = write!(page, "<dt>{name}</dt><dd>{value}</dd>");
    }
    page.push_str("</dl>\n");
}

fn hosts_table(page: &mut String, report: &CampaignReport, plan: &Plan) {
    page.push_str(
        "<h2>Hosts</h2>\n<div class=\"scroll\"><table><thead><tr><th>Host</th><th>Ended as</th><th>Wave</th>\
         <th>Findings</th><th>Packages</th><th>Took</th><th class=\"wide\">Timeline</th></tr></thead><tbody>\n",
    );
    for (name, host) in &report.hosts {
        let fix = plan.hosts.get(name).map(|h| &h.fix);
        let took = host
            .steps
            .first()
            .zip(host.steps.iter().filter_map(|s| s.ended).max())
            .map(|(first, end)| TimeSpan::between(first.started, end).to_string());
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><a href=\"#host-{name}\">{name}</a></th><td class=\"{class}\">{outcome}</td><td>{wave}</td>\
             <td class=\"n\">{findings}</td><td class=\"n\">{packages}</td><td>{took}</td><td class=\"wide\">",
            name = escape(name.as_str()),
            class = class(host.outcome),
            outcome = outcome_text(host),
            wave = escape(&host.wave),
            findings = fix.map_or(0, |f| f.findings.len()),
            packages = fix.map_or(0, |f| f.packages.len()),
            took = took.unwrap_or_default(),
        );
        timeline(page, report, host);
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// A bar per step on the campaign's time axis.
fn timeline(page: &mut String, report: &CampaignReport, host: &HostReport) {
    let Some(start) = report.started else { return };
    let end = report.ended.or_else(|| host.steps.iter().filter_map(|s| s.ended).max()).unwrap_or(start);
    let whole = (end.as_millisecond() - start.as_millisecond()).max(1);
    let share = |at: Timestamp| {
        let part = (at.as_millisecond() - start.as_millisecond()).clamp(0, whole);
        // Per mille in whole numbers is finer than a screen.
        part * 1000 / whole
    };
    page.push_str("<svg viewBox=\"0 0 1000 16\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"timeline\">");
    for step in &host.steps {
        let (from, to) = (share(step.started), share(step.ended.unwrap_or(end)));
        let _ = write!(
            page,
            "<rect x=\"{from}\" y=\"1\" width=\"{width}\" height=\"14\" class=\"{class}\"><title>{kind}: {text}</title></rect>",
            width = (to - from).max(3),
            class = step_class(step),
            kind = step.kind,
            text = escape(&step_text(step)),
        );
    }
    page.push_str("</svg>");
}

fn went_back(page: &mut String, report: &CampaignReport) {
    let back: Vec<_> =
        report.hosts.iter().filter(|(_, host)| host.outcome.is_some_and(|outcome| !outcome.is_success())).collect();
    if back.is_empty() {
        return;
    }
    page.push_str("<h2>What went back, and why</h2>\n<ul>\n");
    for (name, host) in back {
        let reason = host.reason.as_ref().map(|r| escape(&r.text)).unwrap_or_default();
        let _ = writeln!(
            page,
            "<li><a href=\"#host-{name}\"><b>{name}</b></a> <span class=\"{class}\">{outcome}</span>: {reason}</li>",
            name = escape(name.as_str()),
            class = class(host.outcome),
            outcome = outcome_text(host),
        );
    }
    page.push_str("</ul>\n");
}

fn host_section(page: &mut String, name: &str, host: &HostReport, plan: &Plan) {
    let open = if host.outcome.is_some_and(HostOutcome::is_success) { "" } else { " open" };
    let _ = writeln!(
        page,
        "<details id=\"host-{name}\"{open}><summary><b>{name}</b> <span class=\"{class}\">{outcome}</span></summary>",
        name = escape(name),
        class = class(host.outcome),
        outcome = outcome_text(host),
    );
    if let Some(planned) = plan.hosts.get(name) {
        page.push_str("<p>Packages:</p><ul class=\"packages\">");
        for package in &planned.fix.packages {
            let from = package.from.as_ref().map_or_else(|| "?".to_owned(), |v| escape(v.as_str()));
            let to = package.to.as_ref().map_or_else(|| "newest".to_owned(), |v| escape(v.as_str()));
            let _ = write!(page, "<li>{} {from} → {to}</li>", escape(package.name.as_str()));
        }
        page.push_str("</ul>");
    }
    if let Some(end) = host.overrun {
        let _ = write!(page, "<p class=\"bad\">Went on past the end of its window at {}.</p>", time(end));
    }
    page.push_str(
        "<div class=\"scroll\"><table><thead><tr><th>Step</th><th>Started</th><th>Took</th><th>Result</th></tr></thead><tbody>\n",
    );
    for step in &host.steps {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{kind}{undo}</th><td>{started}</td><td>{took}</td><td class=\"{class}\">{text}",
            kind = step.kind,
            undo = if step.undo { " <small>(undo)</small>" } else { "" },
            started = time(step.started),
            took = step.took().map(|t| t.to_string()).unwrap_or_default(),
            class = step_class(step),
            text = escape(&step_text(step)),
        );
        if let Some(StepResult::Failed { evidence, .. }) = &step.result
            && !evidence.is_empty()
        {
            let _ = write!(page, "<pre>{}</pre>", escape(evidence));
        }
        page.push_str("</td></tr>\n");
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn operations(page: &mut String, report: &CampaignReport) {
    if report.operations.is_empty() {
        return;
    }
    page.push_str("<h2>Operations</h2>\n<ul>\n");
    for operation in &report.operations {
        let _ = writeln!(page, "<li>{} {}</li>", time(operation.at), escape(&operation.what));
    }
    page.push_str("</ul>\n");
}

fn left_alone(page: &mut String, plan: &Plan) {
    if plan.report.blocked.is_empty() {
        return;
    }
    page.push_str("<h2>Hosts left out of the plan</h2>\n<ul>\n");
    for (host, reasons) in &plan.report.blocked {
        for reason in reasons {
            let _ = writeln!(page, "<li><b>{}</b>: {}</li>", escape(host.as_str()), escape(&reason.text));
        }
    }
    page.push_str("</ul>\n");
}

fn outcome_text(host: &HostReport) -> String {
    host.outcome.map_or_else(|| "not ended".to_owned(), |outcome| outcome.as_str().replace('_', " "))
}

fn step_text(step: &StepReport) -> String {
    let mut text = match &step.result {
        None => "no result yet".to_owned(),
        Some(StepResult::Succeeded { note, .. }) => note.clone().unwrap_or_else(|| "done".to_owned()),
        Some(StepResult::NothingToDo { note }) => format!("nothing to do: {note}"),
        Some(StepResult::Failed { reason, .. }) => format!("failed: {}", reason.text),
        Some(StepResult::Unknown { reason }) => format!("unknown: {}", reason.text),
    };
    if step.probes > 0 {
        let _ = write!(text, " (asked again {} times)", step.probes);
    }
    text
}

fn step_class(step: &StepReport) -> &'static str {
    match (&step.result, step.undo) {
        (None | Some(StepResult::Unknown { .. }), _) => "open",
        (Some(StepResult::Failed { .. }), _) => "bad",
        (Some(_), true) => "back",
        (Some(_), false) => "good",
    }
}

fn class(outcome: Option<HostOutcome>) -> &'static str {
    match outcome {
        None => "open",
        Some(HostOutcome::Stuck) => "bad",
        Some(outcome) if outcome.is_success() => "good",
        Some(_) => "back",
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Text in HTML, safe in elements and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if crate::model::is_unprintable(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_and_escapes_of_hosts_are_text() {
        assert_eq!(escape("<script>'\"&\u{1b}[2J"), "&lt;script&gt;&#39;&quot;&amp;\u{fffd}[2J");
    }
}
