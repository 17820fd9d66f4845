//! `switchback pause`, `abort` and `status`.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::engine::{Campaign, CampaignStatus, Phase, Signal};
use crate::model::CampaignId;
use crate::store::{Journal as _, SignalBox};

use super::args::{Control, Format, Global, Status};
use super::drive::{find, open, read, store_failed, stored_plan, which_open};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn pause(args: &Control, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = which_open(global.state(), args.campaign.as_ref())?;
    post(global, &campaign, &Signal::Pause { by: crate::env::operator() })?;
    printer.talk(format!(
        "campaign {campaign}: what runs is finished, nothing new starts; go on with `switchback resume`"
    ));
    Ok(Exit::Ok)
}

pub(super) fn abort(args: &Control, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = which_open(global.state(), args.campaign.as_ref())?;
    post(global, &campaign, &Signal::Abort { by: crate::env::operator() })?;
    printer.talk(format!(
        "campaign {campaign}: hosts in the middle go back, then it ends. Where no controller runs, `switchback resume {campaign}` does it"
    ));
    Ok(Exit::Ok)
}

/// Durable when it returns: the campaign's controller takes it up, now or when there is one again.
pub(super) fn post(global: &Global, campaign: &CampaignId, signal: &Signal) -> Result<(), CommandError> {
    let mut signals = SignalBox::open(global.state()).map_err(|error| store_failed(&error))?;
    signals.post(campaign, signal).map_err(|error| store_failed(&error))
}

pub(super) fn status(args: &Status, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaigns: Vec<CampaignId> = match &args.campaign {
        Some(campaign) => vec![find(global.state(), campaign)?],
        None => {
            open(global.state())?.campaigns().map_err(|error| store_failed(&error))?.into_iter().map(|c| c.id).collect()
        }
    };
    let mut all: Vec<CampaignStatus> = Vec::new();
    for campaign in campaigns {
        let plan = match stored_plan(global.state(), &campaign) {
            Ok(plan) => Arc::new(plan),
            // One of many that another program has made must not hide the others.
            Err(error) if args.campaign.is_none() => {
                printer.talk(format!("warning: {}", error.to_text()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let (digest, records) = read(global.state(), &campaign)?;
        let folded = Campaign::fold(plan, digest, campaign.clone(), &records)
            .map_err(|error| CommandError::caused(Exit::Failed, format!("campaign {campaign}"), &error))?;
        all.push(folded.status(crate::env::now()));
    }
    match args.format {
        Format::Json => printer.json(&all)?,
        Format::Table => printer.data(&table(&all))?,
    }
    Ok(Exit::Ok)
}

fn table(all: &[CampaignStatus]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for status in all {
        let _ = writeln!(text, "campaign {} {}", status.campaign, phase(status.phase));
        for (host, outcome) in &status.ended {
            let _ = writeln!(text, "  {host:<24} ended as {}", outcome.as_str());
        }
        for (host, step) in &status.active {
            let _ = writeln!(text, "  {host:<24} {step}");
        }
        for (host, why) in &status.waiting {
            let _ = writeln!(text, "  {host:<24} waits: {why}");
        }
    }
    text
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::New => "has not begun",
        Phase::Running => "is running",
        Phase::Paused => "is paused",
        Phase::Aborting => "is being aborted",
        Phase::Ended => "has ended",
    }
}
