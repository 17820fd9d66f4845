//! `switchback clones`: what campaigns have left with providers, kept longer or deleted.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::CampaignId;
use crate::run::{HeldItem, Past, discard, held};
use crate::store::{Journal as _, Notes};
use crate::transport::{SshLimits, SshTransport, Transport};

use super::args::{Clones, ClonesCommand, Format, Global};
use super::drive::{open, read, runtime, store_failed, stored_plan};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::{Printer, to_the_second};

pub(super) fn run(args: &Clones, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let transport: Arc<dyn Transport> = Arc::new(
        SshTransport::new(SshLimits::default())
            .map_err(|error| CommandError::caused(Exit::Failed, "no folder for connections", &error))?,
    );
    let past = past(global, printer)?;
    let mut notes = Notes::open(global.state()).map_err(|error| store_failed(&error))?;
    let kept = notes.kept().map_err(|error| store_failed(&error))?;
    let runtime = runtime()?;
    let (items, unasked) = runtime.block_on(held(&past, &kept, &transport));
    for (host, why) in &unasked {
        printer.talk(format!("warning: what there is of {host} is not known: {why}"));
    }
    let now = crate::env::now();
    match args.command.as_ref().unwrap_or(&ClonesCommand::List { format: Format::Table }) {
        ClonesCommand::List { format: Format::Json } => printer.json(&items)?,
        ClonesCommand::List { format: Format::Table } => printer.data(&table(&items, now))?,
        ClonesCommand::Extend { reference, length } => {
            let item = find(&items, reference)?;
            let until = length.after(now.max(item.until.unwrap_or(now)));
            notes.keep(&item.reference, until, &crate::env::operator()).map_err(|error| store_failed(&error))?;
            printer.talk(format!("{} of {} is kept until {}", item.reference, item.host, to_the_second(until)));
        }
        ClonesCommand::Destroy { references } => {
            let chosen: Vec<&HeldItem> = references.iter().map(|r| find(&items, r)).collect::<Result<_, _>>()?;
            if let Some(item) = chosen.iter().find(|item| item.in_use) {
                let text = format!("{} belongs to a campaign of {} that has not ended", item.reference, item.host);
                return Err(CommandError::new(Exit::Failed, text).code("in-use").hint(
                    "`switchback abort`, then `switchback resume`, ends the campaign and takes back what is in the middle",
                ));
            }
            delete(&runtime, &past, &chosen, &transport, printer)?;
        }
        ClonesCommand::Prune => {
            let overdue: Vec<&HeldItem> = items.iter().filter(|item| item.is_overdue(now)).collect();
            if overdue.is_empty() {
                printer.talk("nothing is overdue");
            }
            delete(&runtime, &past, &overdue, &transport, printer)?;
        }
    }
    Ok(if unasked.is_empty() { Exit::Ok } else { Exit::Failed })
}

/// The campaigns of the state folder that can be read.
pub(super) fn past(global: &Global, printer: Printer) -> Result<Vec<Past>, CommandError> {
    let ids: Vec<CampaignId> =
        open(global.state())?.campaigns().map_err(|error| store_failed(&error))?.into_iter().map(|c| c.id).collect();
    let mut past = Vec::new();
    for id in ids {
        match (stored_plan(global.state(), &id), read(global.state(), &id)) {
            (Ok(plan), Ok((_, records))) => past.push(Past { id, plan, records }),
            (Err(error), _) | (_, Err(error)) => printer.talk(format!("warning: {}", error.message)),
        }
    }
    // The last one tells how a host is reached.
    past.sort_by_key(|past| past.records.first().map(|record| record.at));
    Ok(past)
}

fn find<'a>(items: &'a [HeldItem], reference: &str) -> Result<&'a HeldItem, CommandError> {
    items.iter().find(|item| item.reference == reference).ok_or_else(|| {
        let text = format!("there is no clone, backup or original {:?}", crate::model::printable(reference, 120));
        CommandError::new(Exit::InvalidInput, text).code("unknown-reference").hint("`switchback clones` lists them")
    })
}

fn delete(
    runtime: &tokio::runtime::Runtime,
    past: &[Past],
    items: &[&HeldItem],
    transport: &Arc<dyn Transport>,
    printer: Printer,
) -> Result<(), CommandError> {
    let mut failed = None;
    for item in items {
        match runtime.block_on(discard(past, item, transport)) {
            Ok(()) => printer.talk(format!("deleted {} {} of {}", item.kind, item.reference, item.host)),
            Err(error) => failed = Some((*item, error)),
        }
    }
    match failed {
        None => Ok(()),
        Some((item, error)) => {
            let what = format!("{} {} of {} was not deleted", item.kind, item.reference, item.host);
            Err(CommandError::caused(Exit::Failed, what, &error))
        }
    }
}

fn table(items: &[HeldItem], now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for item in items {
        let state = match item.until {
            _ if item.in_use => "in use".to_owned(),
            Some(until) if until <= now => format!("overdue since {}", to_the_second(until)),
            Some(until) => format!("kept until {}", to_the_second(until)),
            None if item.is_stuck => "kept: its host is stuck".to_owned(),
            None => "no campaign here tells of it".to_owned(),
        };
        let _ = writeln!(text, "{:<9} {:<24} {} ({state})", item.kind, item.host.as_str(), item.reference);
    }
    if items.is_empty() {
        text.push_str("no clones, backups or originals\n");
    }
    text
}
