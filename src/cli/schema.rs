//! `switchback schema`: the JSON Schemas of what the program reads and writes.

use schemars::{Schema, schema_for};

use crate::engine::{CampaignStatus, Event};
use crate::intake::HostScan;
use crate::plan::Plan;
use crate::report::{CampaignReport, DemoSummary, FindingsView};

use super::args;
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// Every schema by name.
fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("campaign-report", schema_for!(CampaignReport)),
        ("demo", schema_for!(DemoSummary)),
        ("event", schema_for!(Event)),
        ("findings", schema_for!(FindingsView)),
        ("host-scan", schema_for!(HostScan)),
        ("plan", schema_for!(Plan)),
        ("status", schema_for!(CampaignStatus)),
    ]
}

pub(super) fn run(args: &args::Schema, printer: Printer) -> Result<Exit, CommandError> {
    let schemas = schemas();
    let Some(wanted) = &args.name else {
        printer.data(&schemas.iter().map(|(name, _)| format!("{name}\n")).collect::<String>())?;
        return Ok(Exit::Ok);
    };
    match schemas.iter().find(|(name, _)| name == wanted) {
        Some((_, schema)) => printer.json(schema).map(|()| Exit::Ok),
        None => {
            let known: Vec<&str> = schemas.iter().map(|(name, _)| *name).collect();
            Err(CommandError::new(Exit::Usage, format!("there is no schema {wanted:?}"))
                .hint(format!("known: {}", known.join(", "))))
        }
    }
}
