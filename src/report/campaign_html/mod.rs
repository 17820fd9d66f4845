//! One self-contained HTML file per campaign, for auditors and change boards: summary first, then what went back and why,
//! figures, time, services, and every host. A script filters and sorts; the page is whole without it.

mod figures;
mod hosts;
mod services;
mod summary;
mod timeline;
mod went_back;

use super::campaign::{CampaignReport, HostReport, StepReport};
use super::page::{MAX_ROWS, Page, names, text, when};
use super::plan_text::count;
use super::rehearsal::ended;
use crate::engine::StepResult;
use crate::model::HostOutcome;
use crate::plan::Plan;

const SCRIPT: &str = include_str!("../campaign.js");

/// The page of a campaign.
pub fn campaign_html(report: &CampaignReport, plan: &Plan) -> String {
    let mut page = Page::titled(&format!("Campaign {}", report.campaign));
    let details = hosts::Details::of(report, plan);
    summary::summary(&mut page, report, plan);
    went_back::went_back(&mut page, report, plan, &details);
    figures::findings(&mut page, report, plan);
    figures::sla(&mut page, report, plan);
    figures::forecast(&mut page, report);
    timeline::timeline(&mut page, report, plan);
    figures::waves(&mut page, report);
    services::services(&mut page, report);
    summary::approvals(&mut page, report, plan);
    hosts::table(&mut page, report, plan, &details);
    details.write(&mut page, report, plan);
    summary::kept(&mut page, report);
    summary::operations(&mut page, report);
    summary::left_alone(&mut page, plan);
    summary::origin(&mut page, report, plan);
    page.script(SCRIPT);
    page.end()
}

fn outcome(host: &HostReport) -> &'static str {
    host.outcome.map_or("not ended", ended)
}

fn class(outcome: Option<HostOutcome>) -> &'static str {
    match outcome {
        None => "open",
        Some(HostOutcome::Stuck) => "bad",
        Some(outcome) if outcome.is_success() => "good",
        Some(_) => "back",
    }
}

/// Sure by its sign too, for those who see no colour.
fn marked(host: &HostReport) -> String {
    let sign = match class(host.outcome) {
        "bad" => "✖ ",
        "back" => "↩ ",
        "open" => "… ",
        _ => "✔ ",
    };
    format!("<span class=\"{}\">{sign}{}</span>", class(host.outcome), outcome(host))
}

fn step_class(step: &StepReport) -> &'static str {
    match (&step.result, step.undo) {
        (None | Some(StepResult::Unknown { .. }), _) => "open",
        (Some(StepResult::Failed { .. }), _) => "bad",
        (Some(_), true) => "back",
        (Some(_), false) => "good",
    }
}
