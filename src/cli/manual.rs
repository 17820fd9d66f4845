//! `switchback manual`: what no playbook does, who does it, and whether it is done.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::intake::{ReadOptions, Reports, read_report_file};
use crate::model::{
    AssetName, DecisionKind, Digest, Evidence, FindingId, HostName, Looked, ManualEntry, ManualEvent, ManualId,
    ManualItem, ManualState, ManualWork, PackageName, TimeSpan, printable,
};
use crate::plan::Plan;
use crate::report::{Sheet, SheetFormat};
use crate::store::{Notes, SqliteJournal};

use super::args::{self, Format, Global, ListFormat, Manual, ManualAssign, ManualDone, ManualList, ManualVerify};
use super::drive::store_failed;
use super::error::CommandError;
use super::exit::Exit;
use super::findings::split;
use super::inputs::{load_plan, match_findings, read_inventory, settle};
use super::output::{Output, Stopped};
use super::printer::{Printer, escape_json};

/// Windows are of no interest here; a plan that is only looked at needs some horizon.
const HORIZON: TimeSpan = TimeSpan::days(35);

/// As much of an evidence is kept as people read; the digest tells whether the file is the one that was shown.
const MAX_EVIDENCE: usize = 2000;

/// A larger evidence belongs where such things are kept, and its address here.
const MAX_EVIDENCE_FILE: u64 = 64 << 20;

/// No cell is longer.
const MAX_CELL: usize = 300;

pub(super) fn run(args: &Manual, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Manual::List(args) => list(args, global, printer),
        Manual::Assign(args) => assign(args, global, printer),
        Manual::Done(args) => done(args, global, printer),
        Manual::Verify(args) => verify(args, global, printer),
    }
}

fn list(args: &ManualList, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let out = Output::new(args.output.as_deref(), args.format, printer)?;
    let plan = match &args.plan {
        Some(path) => Some(load_plan(path)?.1),
        None if args.policies.is_empty() => None,
        None => Some(super::plan::planned(&plan_args(args), global, printer)?),
    };
    if let Some(plan) = plan.as_ref().filter(|plan| plan.report.manual.is_empty()) {
        let manual = plan.report.decided.get(&DecisionKind::Manual).copied().unwrap_or(0);
        if manual > 0 {
            let message = format!("the plan leaves {manual} findings to people and has no items for them");
            return Err(CommandError::new(Exit::InvalidInput, message).hint("an older version made it: plan again"));
        }
    }
    let mut notes = notes(global)?;
    if let Some(plan) = &plan {
        take_in(&mut notes, plan)?;
    }
    let current: Option<BTreeSet<&ManualId>> =
        plan.as_ref().map(|plan| plan.report.manual.iter().map(|item| &item.id).collect());
    let all = notes.manual().map_err(|error| store_failed(&error))?;
    let mut shown: Vec<ManualWork> = all.into_values().collect();
    let known = shown.len();
    // What a plan names is in its list, whatever was said of it before.
    shown.retain(|work| {
        args.all || !work.state().is_over() || current.as_ref().is_some_and(|items| items.contains(&work.item.id))
    });
    shown.sort_by(|a, b| {
        let order = |work: &ManualWork| (work.state(), std::cmp::Reverse(work.item.priority), work.due());
        let name = |work: &ManualWork| (work.item.host.clone(), work.item.vulnerability.clone(), work.item.id.clone());
        order(a).cmp(&order(b)).then_with(|| name(a).cmp(&name(b)))
    });
    match args.format {
        ListFormat::Table if shown.is_empty() && args.output.is_none() => {
            printer.talk("nothing is left for people to do");
        }
        format => out.write(|out| write(&shown, format, out))?,
    }
    if known > shown.len() {
        printer.talk(format!("{} items are over; --all shows them", known - shown.len()));
    }
    Ok(Exit::Ok)
}

fn write(shown: &[ManualWork], format: ListFormat, out: &mut (dyn Write + Send)) -> Result<(), Stopped> {
    match format.sheet() {
        None => Ok(out.write_all(table(shown).as_bytes())?),
        // With what follows from the logs.
        Some(SheetFormat::Json) => {
            let json = serde_json::to_string_pretty(&shown.iter().map(view).collect::<Vec<_>>());
            Ok(writeln!(out, "{}", escape_json(&json.map_err(io::Error::from)?))?)
        }
        Some(format) => {
            let mut sheet = Sheet::begin::<ManualWork>(format, "manual work", crate::env::now(), out)?;
            shown.iter().try_for_each(|work| sheet.row(work))?;
            Ok(sheet.end()?)
        }
    }
}

fn plan_args(args: &ManualList) -> args::Plan {
    args::Plan {
        policies: args.policies.clone(),
        inventory: args.inventory.clone(),
        programs: args.programs,
        reports: args.reports.clone(),
        from: args.from.clone(),
        feeds: args.feeds.clone(),
        playbooks: args.playbooks.clone(),
        as_of: args.as_of,
        seed: 0,
        author: None,
        ticket: None,
        horizon: HORIZON,
        output: PathBuf::new(),
        format: Format::Table,
    }
}

/// The list of a plan goes into that of the state folder. An item that was open and is decided otherwise now is over;
/// one that was, and is for people again, is not. What was said to be done only scans judge.
fn take_in(notes: &mut Notes, plan: &Plan) -> Result<(), CommandError> {
    let fail = |error| store_failed(&error);
    let by = crate::env::operator();
    notes.list_manual(&plan.report.manual, plan.as_of).map_err(fail)?;
    let items: BTreeSet<&ManualId> = plan.report.manual.iter().map(|item| &item.id).collect();
    for work in notes.manual().map_err(fail)?.into_values() {
        // A plan from before the last word says nothing new.
        if plan.as_of < work.settled().max(work.planned) {
            continue;
        }
        let event = match (work.state(), items.contains(&work.item.id)) {
            (ManualState::Closed, true) => ManualEvent::Reopened { why: "a plan has it for people again".to_owned() },
            (ManualState::Open | ManualState::Reopened, false) => {
                let Some((kind, why)) = decided(plan, &work.item) else { continue };
                ManualEvent::Closed { why: format!("policy decides {kind}: {why}") }
            }
            _ => continue,
        };
        let entry = ManualEntry { at: plan.as_of, by: by.clone(), event };
        notes.log_manual(&work.item.id, &entry).map_err(fail)?;
    }
    Ok(())
}

/// What a plan decides of the findings of an item, if it has any of them.
fn decided(plan: &Plan, item: &ManualItem) -> Option<(&'static str, String)> {
    let has = |finding: &FindingId| item.findings.contains(finding);
    let decision = plan.report.decisions_of(&item.host).iter().find(|decision| has(&decision.finding))?;
    Some((decision.kind.as_str(), printable(&decision.reason, MAX_CELL)))
}

fn assign(args: &ManualAssign, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    if args.who.trim().is_empty() {
        return Err(CommandError::new(Exit::Usage, "an item is assigned to somebody"));
    }
    let to = printable(args.who.trim(), 100);
    say(global, &args.item, None, ManualEvent::Assigned { to: to.clone(), due: args.due })?;
    printer.talk(format!("{} is assigned to {to}", args.item));
    Ok(Exit::Ok)
}

fn done(args: &ManualDone, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let evidence = evidence(&args.evidence)?;
    let state = say(global, &args.item, args.by.as_deref(), ManualEvent::Done { evidence })?;
    if state.is_over() {
        printer.talk(format!("note: {} was {} before", args.item, state.as_str()));
    }
    printer.talk(format!(
        "{} is done, not yet verified; `switchback manual verify -i INVENTORY -f SCAN` looks whether a scan finds it",
        args.item
    ));
    Ok(Exit::Ok)
}

/// A text, or `@FILE`.
fn evidence(text: &str) -> Result<Evidence, CommandError> {
    let Some(path) = text.strip_prefix('@') else {
        if text.trim().is_empty() {
            return Err(CommandError::new(Exit::Usage, "the evidence is empty").hint("say what was done, or @FILE"));
        }
        return Ok(Evidence { text: printable(text.trim(), MAX_EVIDENCE), file: None, digest: None });
    };
    let read = std::fs::metadata(path).and_then(|file| {
        if file.len() > MAX_EVIDENCE_FILE {
            return Err(std::io::Error::other(format!("it has more than {MAX_EVIDENCE_FILE} bytes")));
        }
        std::fs::read(path)
    });
    let bytes = read
        .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot read {}", printable(path, 200)), &error))?;
    // What is no text is named by its digest alone.
    let beginning = std::str::from_utf8(&bytes).map_or("", str::trim);
    Ok(Evidence {
        text: printable(beginning, MAX_EVIDENCE),
        file: Some(printable(path, 300)),
        digest: Some(Digest::of(&bytes)),
    })
}

/// Writes into the log of an item; where it stood before.
fn say(global: &Global, item: &ManualId, by: Option<&str>, event: ManualEvent) -> Result<ManualState, CommandError> {
    let mut notes = notes(global)?;
    let all = notes.manual().map_err(|error| store_failed(&error))?;
    let Some(work) = all.get(item) else {
        return Err(CommandError::new(Exit::InvalidInput, format!("there is no item {item}"))
            .code("unknown-item")
            .hint("`switchback manual list` shows them; with -p, -i and -f, or --plan, it takes in those of a plan"));
    };
    let by = by.map_or_else(crate::env::operator, |by| printable(by, 100));
    let entry = ManualEntry { at: crate::env::now(), by, event };
    notes.log_manual(item, &entry).map_err(|error| store_failed(&error))?;
    Ok(work.state())
}

fn verify(args: &ManualVerify, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let looked = look(args, printer)?;
    let mut notes = notes(global)?;
    let (at, by) = (crate::env::now(), crate::env::operator());
    let (mut judged, mut reopened, mut waiting) = (Vec::new(), false, 0);
    for mut work in notes.manual().map_err(|error| store_failed(&error))?.into_values() {
        match work.judge(&looked) {
            Some(event) => {
                reopened |= matches!(event, ManualEvent::Reopened { .. });
                let entry = ManualEntry { at, by: by.clone(), event };
                notes.log_manual(&work.item.id, &entry).map_err(|error| store_failed(&error))?;
                work.log.push(entry);
                judged.push(work);
            }
            None => waiting += usize::from(work.state() == ManualState::Done),
        }
    }
    match args.format {
        Format::Json => printer.json(&judged.iter().map(view).collect::<Vec<_>>())?,
        Format::Table => {
            let mut text = String::new();
            for work in &judged {
                let why = match work.log.last().map(|entry| &entry.event) {
                    Some(ManualEvent::Reopened { why } | ManualEvent::Closed { why }) => why.clone(),
                    Some(ManualEvent::Verified { scanner }) => format!("{scanner} does not find it any more"),
                    _ => String::new(),
                };
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "{} {}: {} on {}: {why}",
                    work.item.id,
                    work.state().as_str(),
                    work.item.vulnerability,
                    work.item.host
                );
            }
            printer.data(&text)?;
        }
    }
    if waiting > 0 {
        printer.talk(format!(
            "{waiting} items that are said to be done stay so: no tool that reported them has looked at their hosts since"
        ));
    }
    Ok(if reopened { Exit::Changed } else { Exit::Ok })
}

/// What the given scans looked at, and what they found.
fn look(args: &ManualVerify, printer: Printer) -> Result<Looked, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let Some(mut inventory) = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics) else {
        return Err(CommandError::invalid(diagnostics.sorted()));
    };
    let mut looked = Looked::default();
    for argument in &args.reports {
        let (host, path) = split(argument);
        match read_report_file(Path::new(path), &ReadOptions { host, format: args.from.clone() }) {
            Ok(report) => {
                let (assets, scanner) = (report.assets.clone(), report.scanner.clone());
                let reports = Reports::join([report]);
                let names = assets.iter().map(|(asset, about)| (asset, path, &about.names));
                let at = |asset: &AssetName| assets.get(asset).and_then(|about| about.scanned_at);
                for (asset, host) in inventory.resolve_all(names, &mut Diagnostics::default()) {
                    looked.add(host, scanner.clone(), at(&asset), None);
                }
                for (host, finding) in match_findings(&mut inventory, reports, &mut diagnostics) {
                    let item = ManualItem::id_of(&host, &finding);
                    looked.add(host, finding.scanner, at(&finding.asset), Some(item));
                }
            }
            Err(error) => diagnostics.push(error.into()),
        }
    }
    settle(diagnostics, false, printer)?;
    Ok(looked)
}

/// The notes of the state folder, which is made where there is none: the list is kept there.
fn notes(global: &Global) -> Result<Notes, CommandError> {
    SqliteJournal::open(global.state()).and_then(|_| Notes::open(global.state())).map_err(|error| store_failed(&error))
}

/// An item as JSON: with what follows from its log.
fn view(work: &ManualWork) -> serde_json::Value {
    // Texts and lists of them: this cannot fail.
    let mut value = serde_json::to_value(work).unwrap_or_default();
    value["state"] = serde_json::json!(work.state());
    value["assignee"] = serde_json::json!(work.assignee());
    value["due"] = serde_json::json!(work.due());
    value
}

const COLUMNS: [&str; 9] =
    ["ITEM", "STATE", "PRIORITY", "DUE", "ASSIGNEE", "HOST", "VULNERABILITY", "PACKAGE", "SUGGESTION"];

fn row(work: &ManualWork) -> [String; 9] {
    let item = &work.item;
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    [
        item.id.to_string(),
        work.state().as_str().to_owned(),
        item.priority.to_string(),
        work.due().map_or_else(|| "-".to_owned(), |due| due.strftime("%Y-%m-%d").to_string()),
        or_dash(work.assignee()),
        HostName::as_str(&item.host).to_owned(),
        item.vulnerability.to_string(),
        or_dash(item.package.as_ref().map(PackageName::as_str)),
        item.suggestion.clone(),
    ]
}

fn table(shown: &[ManualWork]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(shown.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:<width$}", printable(cell, MAX_CELL)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}
