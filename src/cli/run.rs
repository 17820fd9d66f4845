//! `switchback run` and `switchback resume`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::engine::{RecordBody, Signal, StepExecutor};
use crate::evidence::{Judged, POLICY_ROLE};
use crate::intake::Feeds;
use crate::model::{CampaignId, Digest, HostName};
use crate::plan::{Plan, plan_id};
use crate::report::{count, lines_of};
use crate::run::RemoteExecutor;
use crate::store::{Journal as _, SignalBox, SqliteJournal};
use crate::transport::{SshLimits, SshTransport};

use super::approvals;
use super::args::{Global, Resume, Run};
use super::audit::controller_key;
use super::drive::{Begin, Driven, check_html, drive, open, read, store_failed, stored_plan, which_open, write_html};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{judge, load_plan, load_policy, policy_texts, read_inventory};
use super::printer::Printer;

/// Paths named in a line before the rest is counted.
const MAX_PATHS: usize = 5;
/// What can always be done.
const ABORT: &str = "`switchback abort` and then `switchback resume` take back what is in the middle";

pub(super) fn run(args: &Run, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    check_html(args.html.as_deref())?;
    let (id, plan) = load_plan(&args.plan)?;
    let key = controller_key(args.signs.controller_key.as_deref())?;
    let mut texts = Vec::new();
    if !args.trust_plan {
        let inventory = compare(&plan, "inventory", &args.inventory, |paths| {
            let mut diagnostics = Diagnostics::default();
            let inventory = read_inventory(paths, args.programs.run_inventory, &mut diagnostics);
            let inventory = inventory.ok_or_else(|| CommandError::invalid(diagnostics.sorted()))?;
            Ok((inventory.digest, inventory))
        })?;
        let policy = compare(&plan, POLICY_ROLE, &args.place.policies, |paths| {
            let mut diagnostics = Diagnostics::default();
            let policy = load_policy(paths, &mut diagnostics);
            let policy = policy.ok_or_else(|| CommandError::invalid(diagnostics.sorted()))?;
            Ok((policy.digest(), policy))
        })?;
        approvals::as_asked(&plan, &policy, &inventory, &args.place.policies)?;
        texts = policy_texts(&policy);
        if let Some(line) = moved_feeds(&plan) {
            printer.talk(line);
        }
    } else {
        printer.warn("warning: the plan is taken at its word, also for who must approve it [--trust-plan]");
    }
    if plan.hosts.is_empty() {
        printer.talk("the plan touches no host: nothing to do");
        return Ok(Exit::Ok);
    }
    approvals::change(id, &plan)?;
    // Behind the ticket, which takes its time: what was revoked meanwhile does not count.
    let found = approvals::found(Some(&args.plan), args.place.approvals.as_deref())?;
    let judged = approvals::judged(&plan, found, &args.place.policies)?;
    approvals::complete(&judged)?;
    approvals::forecast(&judged.rules, printer);
    services_are_free(global.state(), &plan)?;
    let (hosts, waves) = (count(plan.hosts.len(), "host"), count(plan.rollout.waves.len(), "wave"));
    printer.talk(format!("plan {}: {hosts} in {waves}", id.short()));
    let plan = Arc::new(plan);
    let begin = Begin::Start(Arc::clone(&plan), judged, texts);
    let driven = drive(begin, executor()?, global.state(), key, args.view.format, printer)?;
    finish(&driven, &plan, args.html.as_deref(), printer)
}

pub(super) fn resume(args: &Resume, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    check_html(args.html.as_deref())?;
    let key = controller_key(args.signs.controller_key.as_deref())?;
    let campaign = which_open(global.state(), args.campaign.as_ref())?;
    let plan = Arc::new(stored_plan(global.state(), &campaign)?);
    judge(&plan)?;
    let judged = match is_aborted(global, &campaign)? {
        // What is in the middle goes back, whatever has become of ticket and approvals.
        true => None,
        false => Some(approvals_of(args, global, &campaign, &plan, printer)?),
    };
    let begin = Begin::Resume(campaign, Arc::clone(&plan), judged);
    let driven = drive(begin, executor()?, global.state(), key, args.view.format, printer)?;
    finish(&driven, &plan, args.html.as_deref(), printer)
}

/// Refuses a plan with hosts of a service of which an open campaign has hosts as well: each would take down as many as may
/// be unavailable together.
fn services_are_free(state: &Path, plan: &Plan) -> Result<(), CommandError> {
    if plan.rollout.groups.is_empty() || !state.join(SqliteJournal::FILE).exists() {
        return Ok(());
    }
    let campaigns = open(state)?.campaigns().map_err(|error| store_failed(&error))?;
    for other in campaigns.into_iter().filter(|campaign| !campaign.ended && campaign.records > 0) {
        // One of another program cannot be run by this one either.
        let Ok(of_other) = stored_plan(state, &other.id) else { continue };
        let (_, records) = read(state, &other.id)?;
        let ended: BTreeSet<&HostName> = records
            .iter()
            .filter_map(|record| match &record.body {
                RecordBody::HostEnded { host, .. } => Some(host),
                _ => None,
            })
            .collect();
        let unended = || of_other.hosts.iter().filter(|(name, _)| !ended.contains(name));
        // Whose hosts are locked is told by the journal.
        if unended().any(|(name, _)| plan.hosts.contains_key(name)) {
            continue;
        }
        let shared =
            unended().filter_map(|(_, host)| host.group.as_ref()).find(|g| plan.rollout.groups.contains_key(*g));
        if let Some(service) = shared {
            let id = other.id;
            let text =
                format!("campaign {id} has not ended and has hosts of {service}, as this plan has; nothing was done");
            let why =
                "each would count its own hosts only, and together they could take down more than the policy allows";
            return Err(CommandError::new(Exit::Busy, text).code("service-busy").hint(format!(
                "{why}; go on with it (`switchback resume {id}`) or end it (`switchback abort {id}`) first"
            )));
        }
    }
    Ok(())
}

/// Whether a campaign is being aborted, or will be as soon as it goes on.
fn is_aborted(global: &Global, campaign: &CampaignId) -> Result<bool, CommandError> {
    let mut signals = SignalBox::open(global.state()).map_err(|error| store_failed(&error))?;
    let waiting = signals.waiting(campaign).map_err(|error| store_failed(&error))?;
    let (_, records) = read(global.state(), campaign)?;
    let aborted = records.iter().any(|record| matches!(record.body, RecordBody::Aborted { .. }));
    Ok(aborted || waiting.iter().any(|(_, signal)| matches!(signal, Signal::Abort { .. })))
}

/// The approvals of a campaign that goes on, judged anew: those that it began with, and those of the folder that is
/// named. What is missing by now does not end what is in the middle; hosts that have not begun are left untouched.
fn approvals_of(
    args: &Resume,
    global: &Global,
    campaign: &CampaignId,
    plan: &Plan,
    printer: Printer,
) -> Result<Judged, CommandError> {
    let id = plan_id(plan).map_err(|error| CommandError::caused(Exit::Failed, "plan", &error))?;
    approvals::change(id, plan).map_err(|error| error.hint(ABORT))?;
    let kept = open(global.state())?.approvals(campaign).map_err(|error| store_failed(&error))?;
    let mut found = approvals::found(None, args.place.approvals.as_deref())?;
    found.extend(approvals::kept(kept));
    let judged = approvals::judged(plan, found, &args.place.policies).map_err(|error| error.hint(ABORT))?;
    for rule in judged.rules.iter().filter(|rule| !rule.is_complete()) {
        printer.talk(format!("warning: {}: {} [approval-missing]", rule.rule, lines_of(rule).join("; ")));
    }
    Ok(judged)
}

/// The executor that reaches hosts over SSH.
pub(super) fn executor() -> Result<Arc<dyn StepExecutor>, CommandError> {
    let transport = SshTransport::new(SshLimits::default())
        .map_err(|error| CommandError::caused(Exit::Failed, "cannot prepare ssh", &error))?;
    Ok(Arc::new(RemoteExecutor::new(Arc::new(transport))))
}

fn finish(driven: &Driven, plan: &Plan, html: Option<&Path>, printer: Printer) -> Result<Exit, CommandError> {
    if let Some(path) = html {
        write_html(path, &driven.report, plan, printer)?;
    }
    let exit = driven.exit();
    if exit == Exit::Paused {
        printer.talk(format!("campaign {} is paused; go on with: switchback resume {0}", driven.status.campaign));
    }
    Ok(exit)
}

/// Says that the feeds have moved since the plan was made. New ones come every day, and an approved plan does not
/// become wrong by them: it is run, and people see that a new plan could put other findings first.
fn moved_feeds(plan: &Plan) -> Option<String> {
    let recorded = plan.inputs.get("feeds")?;
    let was = recorded.digest.short();
    match Feeds::digest_of(&recorded.paths) {
        Ok(now) if now == recorded.digest => None,
        Ok(now) => Some(format!("note: the feeds had digest {was} when the plan was made, now it is {}", now.short())),
        Err(error) => Some(format!("note: cannot compare the plan with its feeds (digest {was}): {error}")),
    }
}

/// Refuses a plan whose input is not what it was when the plan was made, or that names none; gives the input. What cannot
/// be compared blocks too.
fn compare<T>(
    plan: &Plan,
    role: &str,
    given: &[PathBuf],
    read: impl FnOnce(&[PathBuf]) -> Result<(Digest, T), CommandError>,
) -> Result<T, CommandError> {
    let option = if role == POLICY_ROLE { "-p" } else { "-i" };
    let missing = |why: String| {
        CommandError::new(Exit::PlanRefused, format!("cannot compare the plan with its {role}: {why}"))
            .code("plan-input-missing")
            .hint(format!("say where it is ({option}), or run the plan as it is with --trust-plan"))
    };
    let recorded = plan.inputs.get(role).ok_or_else(|| missing("it does not say from which it was made".to_owned()))?;
    let paths: Vec<PathBuf> =
        if given.is_empty() { recorded.paths.iter().map(PathBuf::from).collect() } else { given.to_vec() };
    if let Some(absent) = paths.iter().find(|path| !path.exists()) {
        return Err(missing(format!("{} is not there", absent.display())));
    }
    let (now, input) = read(&paths)?;
    if now == recorded.digest {
        return Ok(input);
    }
    Err(CommandError::new(
        Exit::PlanRefused,
        format!(
            "the plan is stale: its {role} ({}) had digest {}, now it is {}",
            shown(&paths),
            recorded.digest.short(),
            now.short()
        ),
    )
    .code("plan-stale")
    .hint(format!("make the plan again, or name the {role} it was made from with {option}")))
}

/// A few of many paths.
fn shown(paths: &[PathBuf]) -> String {
    let first: Vec<String> = paths.iter().take(MAX_PATHS).map(|path| path.display().to_string()).collect();
    let more = paths.len().saturating_sub(MAX_PATHS);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}
