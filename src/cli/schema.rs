//! `switchback schema`: the JSON Schemas of what the program reads and writes.

use schemars::schema_for;
use serde_json::Value;

use crate::engine::{CampaignStatus, Event};
use crate::evidence::{AuditReport, Statement};
use crate::intake::HostScan;
use crate::model::printable;
use crate::plan::{Impact, Plan};
use crate::report::{ApprovalsReport, CampaignReport, ChangeRequest, DemoSummary, DrillReport, FindingsView};
use crate::sim::Rehearsal;
use crate::{intake, playbook, policy, sim};

use super::args;
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// What makes a schema.
type Make = fn() -> Value;

/// Every schema by name; `schemas/NAME.schema.json` is what a build prints.
const SCHEMAS: [(&str, Make); 19] = [
    ("approval", || schema_for!(Statement).to_value()),
    ("approvals", || schema_for!(ApprovalsReport).to_value()),
    ("audit-report", || schema_for!(AuditReport).to_value()),
    ("campaign-report", || schema_for!(CampaignReport).to_value()),
    ("change-request", || schema_for!(ChangeRequest).to_value()),
    ("demo", || schema_for!(DemoSummary).to_value()),
    ("diff", || schema_for!(Impact).to_value()),
    ("drill", || schema_for!(DrillReport).to_value()),
    ("event", || schema_for!(Event).to_value()),
    ("findings", || schema_for!(FindingsView).to_value()),
    ("host-scan", || schema_for!(HostScan).to_value()),
    ("inventory", intake::inventory_schema),
    ("plan", || schema_for!(Plan).to_value()),
    ("playbook", playbook::schema),
    ("policy", policy::schema),
    ("policy-test", policy::suite_schema),
    ("rehearsal", || schema_for!(Rehearsal).to_value()),
    ("rehearsal-profile", sim::profile_schema),
    ("status", || schema_for!(CampaignStatus).to_value()),
];

pub(super) fn run(args: &args::Schema, printer: Printer) -> Result<Exit, CommandError> {
    let Some(wanted) = &args.name else {
        printer.data(&SCHEMAS.iter().map(|(name, _)| format!("{name}\n")).collect::<String>())?;
        return Ok(Exit::Ok);
    };
    match SCHEMAS.iter().find(|(name, _)| name == wanted) {
        Some((_, make)) => printer.json(&make()).map(|()| Exit::Ok),
        None => {
            let known: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
            Err(CommandError::new(Exit::Usage, format!("there is no schema {:?}", printable(wanted, 40)))
                .hint(format!("known: {}", known.join(", "))))
        }
    }
}
