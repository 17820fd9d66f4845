//! `switchback plan`: policies, inventory and findings become a plan file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::diagnostic::{Diagnostics, Level};
use crate::intake::{Feeds, Inventory};
use crate::model::{Finding, HostName, TimeSpan, printable};
use crate::plan::{InputRef, Origin, Plan, PlanId, PlanInput, plan, write_plan};
use crate::playbook::{self, Playbook};
use crate::policy::Policy;
use crate::report::plan_table;
use crate::store::Lessons;

use super::args::{self, Format, Global};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::{read_feeds, read_reports, split};
use super::inputs::{
    file_digest, input_ref, judge, load_playbooks, load_policy, match_findings, read_inventory, settle,
};
use super::output::whole;
use super::printer::Printer;
use super::revision;

/// As long as an address may be.
const MAX_AUTHOR: usize = 254;

pub(super) fn run(args: &args::Plan, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let plan = planned(args, global, printer)?;
    let id = save(&plan, &args.output)?;
    match args.format {
        Format::Json => printer.json(&serde_json::json!({
            "plan": id,
            "file": args.output,
            "findings": plan.report.findings,
            "decided": plan.report.decided,
            "hosts": plan.hosts.len(),
            "blocked": plan.report.blocked,
            "breaches": plan.report.forecast.as_ref().map(|forecast| &forecast.breaches),
        }))?,
        Format::Table => printer.data(&plan_table(&plan, &id))?,
    }
    if plan.ticket.is_none() && plan.change.as_ref().is_some_and(|change| change.required) {
        printer
            .talk("warning: the policy wants a ticket, without which the plan will not run: --ticket [ticket-missing]");
    }
    match plan.report.manual.len() {
        0 => {}
        items => {
            printer.talk(format!("{items} items for people: `switchback manual list --plan {}`", args.output.display()))
        }
    }
    printer.talk(format!("plan {} is in {}", id.short(), args.output.display()));
    Ok(Exit::Ok)
}

/// Reads everything, plans, and lets checker and rules judge the plan.
pub(super) fn planned(args: &args::Plan, global: &Global, printer: Printer) -> Result<Plan, CommandError> {
    let as_of = args.as_of.unwrap_or_else(crate::env::now);
    let mut diagnostics = Diagnostics::default();
    let mut policy = load_policy(&args.policies, &mut diagnostics);
    if let Some(policy) = &mut policy {
        super::rules::start(policy, &mut diagnostics);
    }
    let playbooks = load_playbooks(&args.playbooks, &mut diagnostics);
    let mut inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    let reports = match read_reports(&args.reports, args.from.as_deref()) {
        Ok(reports) => Some(reports),
        Err(error) => {
            error.diagnostics.into_iter().for_each(|d| diagnostics.push(d));
            None
        }
    };
    let feeds = match read_feeds(&args.feeds) {
        Ok(feeds) => feeds,
        Err(error) => {
            error.diagnostics.into_iter().for_each(|d| diagnostics.push(d));
            Feeds::default()
        }
    };
    feeds.warnings().iter().for_each(|warning| diagnostics.push(warning.clone()));
    let mut findings = Vec::new();
    if let (Some(inventory), Some(mut reports)) = (&mut inventory, reports) {
        reports.findings.iter_mut().for_each(|finding| feeds.enrich(finding));
        findings = match_findings(inventory, reports, &mut diagnostics);
    }
    if let (Some(policy), Some(inventory)) = (&policy, &inventory) {
        for warning in policy.unmatched_selectors(inventory.hosts.values()) {
            diagnostics.push(warning);
        }
    }
    if let Some(policy) = &policy {
        let proven = policy.prove_windows(as_of).into_iter().filter(|found| found.level != Level::Note);
        for warning in policy.expired_exceptions(as_of).into_iter().chain(proven) {
            diagnostics.push(warning);
        }
    }
    settle(diagnostics, false, printer)?;
    let (Some(policy), Some(inventory)) = (policy, inventory) else {
        return Err(CommandError::new(Exit::InvalidInput, "policies or inventory cannot be read"));
    };
    let report_paths: Vec<PathBuf> = args.reports.iter().map(|r| PathBuf::from(split(r).1)).collect();
    let mut inputs = inputs(&args.policies, &policy, &args.inventory, &inventory, &report_paths, &playbooks)?;
    if !args.feeds.is_empty() {
        inputs.insert("feeds".to_owned(), input_ref(&args.feeds, feeds.digest()));
    }
    for line in feeds.describe() {
        printer.talk(format!("feed: {line}"));
    }
    super::rules::prepare(&policy, &inventory, &findings, as_of)?;
    let lessons = super::drive::lessons(global.state())?;
    if let Some(digest) = lessons.digest {
        inputs.insert("history".to_owned(), input_ref(&[global.state().to_owned()], digest));
    }
    let author = args.author.clone().unwrap_or_else(|| author(&args.policies));
    let origin = Origin { author: Some(printable(&author, MAX_AUTHOR)), ticket: args.ticket.clone() };
    let mut plan =
        make(&inventory, &findings, &policy, &playbooks, as_of, args.seed, args.horizon, inputs, &lessons, origin)?;
    let notes = plan.report.notes.len();
    super::rules::judge(&policy, &mut plan)?;
    for warning in &plan.report.notes[notes..] {
        printer.talk(format!("warning: {} [{}]", warning.text, warning.code));
    }
    Ok(plan)
}

/// Who makes plans from these policies, as git knows it, else as this machine does.
fn author(policies: &[PathBuf]) -> String {
    let folder =
        policies.first().map(|path| if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(path) });
    folder.and_then(revision::user_email).unwrap_or_else(crate::env::operator)
}

/// What the plan was made from, to be compared when it is run.
pub(super) fn inputs(
    policy_paths: &[PathBuf],
    policy: &Policy,
    inventory_paths: &[PathBuf],
    inventory: &Inventory,
    report_paths: &[PathBuf],
    playbooks: &[Playbook],
) -> Result<BTreeMap<String, InputRef>, CommandError> {
    Ok(BTreeMap::from([
        ("policies".to_owned(), input_ref(policy_paths, policy.digest())),
        ("inventory".to_owned(), input_ref(inventory_paths, inventory.digest)),
        ("reports".to_owned(), input_ref(report_paths, file_digest(report_paths)?)),
        ("playbooks".to_owned(), input_ref(&[], playbook::digest(playbooks))),
    ]))
}

/// Plans, and lets the checker judge the plan.
#[expect(clippy::too_many_arguments, reason = "they are the planner's input, gathered from the command line")]
pub(super) fn make(
    inventory: &Inventory,
    findings: &[(HostName, Finding)],
    policy: &Policy,
    playbooks: &[Playbook],
    as_of: Timestamp,
    seed: u64,
    horizon: TimeSpan,
    inputs: BTreeMap<String, InputRef>,
    lessons: &Lessons,
    origin: Origin,
) -> Result<Plan, CommandError> {
    let input = PlanInput {
        hosts: &inventory.hosts,
        findings,
        policy,
        playbooks,
        as_of,
        seed,
        inputs,
        history: &lessons.history,
        experience: &lessons.experience,
        origin,
        horizon,
    };
    let plan =
        plan(&input).map_err(|error| CommandError::caused(Exit::InvalidInput, "no plan", &error).code(error.code()))?;
    judge(&plan)?;
    Ok(plan)
}

/// Writes the plan beside its place and moves it there, so that no half of a plan is ever found.
pub(super) fn save(plan: &Plan, path: &Path) -> Result<PlanId, CommandError> {
    whole(path, |out| write_plan(plan, out))
        .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot write {}", path.display()), &error))
}
