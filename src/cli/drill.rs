//! `switchback drill`: proves that backups put hosts back, by restoring them to clones.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::evidence::Judged;
use crate::model::{Host, HostName};
use crate::plan::{DrillInput, Drills, plan_drills};
use crate::report::DrillReport;

use super::args::{Drill, Format, Global};
use super::drive::{Begin, drive};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::{read_reports, split};
use super::inputs::{judge, load_playbooks, load_policy, match_findings, read_inventory, settle};
use super::plan::inputs;
use super::printer::Printer;
use super::run::executor;
use super::scan::chosen;

pub(super) fn run(args: &Drill, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let mut inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    if let Some(inventory) = inventory.as_mut().filter(|_| !args.reports.is_empty()) {
        // What was found is no matter of a drill; on what it was found is.
        let reports = read_reports(&args.reports, None)?;
        drop(match_findings(inventory, reports, &mut diagnostics));
    }
    let policy = load_policy(&args.policies, &mut diagnostics);
    let playbooks = load_playbooks(&args.playbooks, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let (Some(inventory), Some(policy)) = (inventory, policy) else {
        return Err(CommandError::new(Exit::InvalidInput, "inventory or policies cannot be read"));
    };
    let hosts: Vec<&Host> = chosen(&inventory, &args.hosts, args.limit.as_deref(), printer)?;
    let reports: Vec<PathBuf> = args.reports.iter().map(|report| PathBuf::from(split(report).1)).collect();
    let inputs = inputs(&args.policies, &policy, &args.inventory, &inventory, &reports, &playbooks)?;
    let (concurrency, as_of) = (u32::from(args.concurrency), crate::env::now());
    let input = DrillInput { hosts: &hosts, policy: &policy, playbooks: &playbooks, concurrency, as_of, inputs };
    let Drills { plan, left_out } = plan_drills(&input)
        .map_err(|error| CommandError::caused(Exit::InvalidInput, "no drill", &error).code(error.code()))?;
    judge(&plan)?;
    let mut report = DrillReport::new(left_out);
    let mut exit = Exit::Ok;
    if !plan.hosts.is_empty() {
        printer.talk(format!("drills {} hosts, {concurrency} at once: {}", plan.hosts.len(), some(plan.hosts.keys())));
        let plan = Arc::new(plan);
        let driven = drive(
            Begin::Start(Arc::clone(&plan), Judged::default()),
            executor()?,
            global.state(),
            Format::Table,
            printer,
        )?;
        report.add(&driven.report, &plan);
        exit = driven.exit();
    }
    match args.format {
        Format::Json => printer.json(&report)?,
        Format::Table => printer.data(&report.table())?,
    }
    if exit == Exit::Paused {
        printer.talk("the drill is paused and holds its hosts; `switchback resume` goes on with it");
    }
    Ok(if exit == Exit::Ok && !report.is_proven() { Exit::WentBack } else { exit })
}

/// The first of many names.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a HostName>) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).map(HostName::as_str).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
