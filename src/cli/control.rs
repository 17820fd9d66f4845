//! `switchback pause`, `abort` and `status`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::engine::{Campaign, CampaignStatus, Phase, Signal};
use crate::model::{CampaignId, HostOutcome};
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
    let mut all: Vec<Standing> = Vec::new();
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
        let status = folded.status(crate::env::now());
        let controller = open(global.state())?.controller(&campaign).map_err(|error| store_failed(&error))?;
        let asked = SignalBox::open(global.state()).and_then(|mut signals| signals.waiting(&campaign));
        let asked = asked.map_err(|error| store_failed(&error))?.into_iter().map(|(_, signal)| signal).collect();
        all.push(Standing { status, controller, asked });
    }
    match args.format {
        Format::Json => printer.json(&all)?,
        Format::Table => printer.data(&table(&all))?,
    }
    Ok(Exit::Ok)
}

/// Where a campaign stands, and who sees to it.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub(super) struct Standing {
    #[serde(flatten)]
    status: CampaignStatus,
    /// Who started the controller that runs it now; none: nobody runs it.
    controller: Option<String>,
    /// What was asked of it and no controller has taken up yet.
    asked: Vec<Signal>,
}

impl Standing {
    /// In a few words, and what is to be done where it does not go on by itself.
    fn told(&self) -> String {
        let of = &self.status;
        let asked = |wanted: fn(&Signal) -> bool| self.asked.iter().any(wanted);
        let mut text = match of.phase {
            Phase::New => "has not begun".to_owned(),
            Phase::Running if self.controller.is_none() => "is open, and no controller runs it".to_owned(),
            Phase::Running => "is running".to_owned(),
            Phase::Paused if !of.active.is_empty() => "is paused; what runs is being finished".to_owned(),
            Phase::Paused => "is paused".to_owned(),
            Phase::Aborting => "is being aborted".to_owned(),
            Phase::Ended => {
                let mut counts: BTreeMap<HostOutcome, usize> = BTreeMap::new();
                of.ended.values().for_each(|outcome| *counts.entry(*outcome).or_default() += 1);
                let counts = counts.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str()));
                format!("has ended: {}", counts.collect::<Vec<_>>().join(", "))
            }
        };
        if asked(|signal| matches!(signal, Signal::Abort { .. })) {
            text.push_str("; an abort was asked for");
        } else if asked(|signal| matches!(signal, Signal::Pause { .. })) {
            text.push_str("; a pause was asked for");
        }
        if of.phase != Phase::Ended && self.controller.is_none() {
            text.push_str(&format!("; go on with: switchback resume {}", of.campaign));
        }
        text
    }
}

fn table(all: &[Standing]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for standing in all {
        let status = &standing.status;
        let _ = writeln!(text, "campaign {} {}", status.campaign, standing.told());
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
