//! `switchback approvals`, and what `run` and `resume` ask of approvals and tickets.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::evidence::{Found, JudgeError, Judged, POLICY_ROLE, RuleState, approvals_folder, read_folder};
use crate::intake::Inventory;
use crate::model::Host;
use crate::plan::{Plan, PlanId, asked, asks_otherwise};
use crate::policy::Policy;
use crate::report::{ApprovalsReport, lines_of, wanted};
use crate::run::check_change;
use crate::store::SignedText;

use super::args::{self, Format};
use super::drive::runtime;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{leaves_open, load_plan, load_policy};
use super::printer::Printer;

/// What does not count is told of this many statements.
const TOLD: usize = 20;

pub(super) fn list(args: &args::Approvals, printer: Printer) -> Result<Exit, CommandError> {
    let (id, plan) = load_plan(&args.plan)?;
    let judged = judged(&plan, found(Some(&args.plan), args.place.approvals.as_deref())?, &args.place.policies)?;
    as_policy(&plan, &args.place.policies, printer)?;
    let report = ApprovalsReport::new(id, &plan, &judged);
    match args.format {
        Format::Json => printer.json(&report)?,
        Format::Table => printer.data(&report.to_text())?,
    }
    Ok(if report.complete { Exit::Ok } else { Exit::PlanRefused })
}

/// Refuses a plan that `run` would refuse for what it does not ask of people.
fn as_policy(plan: &Plan, policies: &[PathBuf], printer: Printer) -> Result<(), CommandError> {
    let was = plan.inputs.get(POLICY_ROLE).map(|input| input.paths.as_slice()).unwrap_or_default();
    let was: Vec<PathBuf> = was.iter().map(PathBuf::from).collect();
    let paths = if policies.is_empty() { &was } else { policies };
    if paths.is_empty() || !paths.iter().all(|path| path.exists()) {
        printer
            .warn("warning: its policies are not there (-p): it is not known whether the plan asks for what they ask");
    } else {
        let mut diagnostics = Diagnostics::default();
        let policy = load_policy(paths, &mut diagnostics);
        let policy = policy.ok_or_else(|| CommandError::invalid(diagnostics.sorted()))?;
        asks_as(plan, &policy, policies)?;
    }
    if plan.ticket.is_none() && plan.change.as_ref().is_some_and(|change| change.required) {
        return Err(CommandError::new(Exit::PlanRefused, "the policy wants a ticket, and the plan has none")
            .code("ticket-missing")
            .hint("make the plan again with --ticket"));
    }
    Ok(())
}

fn not_as_policy(why: &str) -> CommandError {
    CommandError::new(Exit::PlanRefused, format!("{why}; nothing was done"))
        .code("plan-not-as-policy")
        .hint("the plan was changed after it was made, or its policies were: make it again")
}

/// The statements of a folder: the one that is named, else the one beside the plan.
pub(super) fn found(plan: Option<&Path>, named: Option<&Path>) -> Result<Vec<Found>, CommandError> {
    let folder = named.map(Path::to_owned).or_else(|| plan.map(approvals_folder));
    let Some(folder) = folder else { return Ok(Vec::new()) };
    if let Some(named) = named.filter(|named| !named.is_dir()) {
        return Err(CommandError::new(Exit::Failed, format!("there is no folder {}", named.display()))
            .code("unreadable-file")
            .hint("--approvals names the folder into which `switchback approve` writes"));
    }
    read_folder(&folder)
        .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot read {}", folder.display()), &error))
}

/// Judges approvals by the files of approvers as they are now.
pub(super) fn judged(plan: &Plan, found: Vec<Found>, policies: &[PathBuf]) -> Result<Judged, CommandError> {
    if plan.approvals.is_empty() {
        return Ok(Judged::default());
    }
    let judged = Judged::of(plan, &found, &|file| current(plan, file, policies), crate::env::now());
    judged.map_err(|error| {
        let failed = CommandError::new(Exit::PlanRefused, error.to_string());
        match error {
            JudgeError::Approvers { .. } => failed
                .code("approvers-missing")
                .hint("say where the policies are now (-p): who may approve is looked up at every start"),
            JudgeError::Signature { .. } | JudgeError::Io(_) => failed.code("approval-not-checked"),
        }
    })
}

/// Refuses a plan that does not ask people for what its policy asks for hosts as the inventory has them: approvals, a
/// ticket, and by whom.
pub(super) fn as_asked(
    plan: &Plan,
    policy: &Policy,
    inventory: &Inventory,
    policies: &[PathBuf],
) -> Result<(), CommandError> {
    for (name, planned) in &plan.hosts {
        let told = inventory.hosts.get(name).map(|host| match &planned.host.os {
            Some(os) if leaves_open(host, os) => Host { os: Some(os.clone()), ..host.clone() },
            _ => host.clone(),
        });
        if told.as_ref() != Some(&planned.host) {
            return Err(not_as_policy(&format!("{name} is not in the plan as the inventory has it")));
        }
    }
    asks_as(plan, policy, policies)
}

/// Refuses a plan that does not ask the people whom its policy asks, for what it asks.
fn asks_as(plan: &Plan, policy: &Policy, policies: &[PathBuf]) -> Result<(), CommandError> {
    if let Some(why) = asks_otherwise(plan, policy) {
        return Err(not_as_policy(&why));
    }
    // Nobody else's list of approvers, although it would be frozen in the plan.
    let (_, now) = asked(policy, plan.hosts.values().map(|host| (&host.host, host.emergency)));
    let now: BTreeSet<PathBuf> = now.keys().filter_map(|file| Path::new(file).canonicalize().ok()).collect();
    for file in plan.approvals.iter().filter_map(|rule| rule.signers.as_ref()) {
        let named = current(plan, file, policies);
        // One that is not there is told as such when approvals are judged.
        if named.canonicalize().is_ok_and(|named| !now.contains(&named)) {
            return Err(not_as_policy(&format!("the policy names nobody who may approve in {}", named.display())));
        }
    }
    Ok(())
}

/// Where a file of approvers is now: where it was, or at the same place below the policies that are named instead.
pub(super) fn current(plan: &Plan, file: &str, policies: &[PathBuf]) -> PathBuf {
    let was = plan.inputs.get(POLICY_ROLE).map(|input| input.paths.as_slice()).unwrap_or_default();
    let file = plain(Path::new(file));
    // Inputs are sorted in the plan; where there are several, their order says nothing.
    let moved = policies.iter().flat_map(|policies| {
        let folder = if policies.is_dir() { policies.as_path() } else { policies.parent().unwrap_or(policies) };
        let file = &file;
        was.iter().filter_map(move |was| {
            let was = plain(Path::new(was));
            // A policy that was named itself has its files beside it.
            let below = file.strip_prefix(&was).or_else(|_| file.strip_prefix(was.parent().unwrap_or(&was))).ok()?;
            Some(folder.join(below))
        })
    });
    let moved: Vec<PathBuf> = moved.collect();
    // Never the old file where new policies are named: whom it names may have been taken out of the new one.
    let there = moved.iter().find(|path| path.is_file()).or(moved.first()).cloned();
    there.or_else(|| Some(policies.first()?.join(file.file_name()?))).unwrap_or(file)
}

/// A path as the bundle of policies writes it: without `.`, and without `..` behind a name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Refuses a plan to which somebody has not agreed.
pub(super) fn complete(judged: &Judged) -> Result<(), CommandError> {
    if judged.is_complete() {
        return Ok(());
    }
    let mut error =
        CommandError::new(Exit::PlanRefused, "the plan does not have the approvals that it needs; nothing was done")
            .code("approval-missing");
    for rule in judged.rules.iter().filter(|rule| !rule.is_complete()) {
        error = error.hint(format!("{} wants {}: {}", rule.rule, wanted(rule), lines_of(rule).join("; ")));
    }
    for void in judged.void.iter().take(TOLD) {
        let by = void.by.as_ref().map_or(String::new(), |by| format!(" of {by}"));
        error = error.hint(format!("{}{by} does not count: {} [{}]", void.file, void.reason.text, void.reason.code));
    }
    Err(error.hint("`switchback approvals PLAN` shows how they stand, `switchback approve PLAN` gives one"))
}

/// Tells of approvals that will not be good when they are needed.
pub(super) fn forecast(rules: &[RuleState], printer: Printer) {
    for rule in rules.iter().filter(|rule| !rule.too_short.is_empty()) {
        let hosts = crate::report::named(&rule.too_short);
        let code = "approval-too-short";
        let text = format!("the approvals of {} will have expired when the first window opens of {hosts}", rule.rule);
        printer.talk(format!("warning: {text} [{code}]"));
    }
}

/// What a campaign keeps, to be judged again.
pub(super) fn kept(signed: Vec<SignedText>) -> Vec<Found> {
    let found = |signed: SignedText| Found {
        name: format!("{} of the journal", crate::model::Digest::of(signed.text.as_bytes()).short()),
        text: signed.text,
        signature: Some(signed.signature),
    };
    signed.into_iter().map(found).collect()
}

/// Refuses a change that whoever keeps change requests does not let go on.
pub(super) fn change(id: PlanId, plan: &Plan) -> Result<(), CommandError> {
    let Some(policy) = &plan.change else { return Ok(()) };
    runtime()?.block_on(check_change(policy, plan.ticket.as_ref(), id)).map_err(|error| {
        let refused = CommandError::new(Exit::PlanRefused, format!("{error}; nothing was done")).code(error.code());
        match plan.ticket {
            None => refused.hint("make the plan again with --ticket"),
            Some(_) => refused,
        }
    })
}
