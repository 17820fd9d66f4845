//! How each host is fixed, and what speaks for it: similar hosts form a cohort, whose first host is its pilot.
//!
//! Under `auto` the pilot goes by clone and switch where its provider can clone and its switch can move traffic; else it
//! tries the fix on a clone before its own; else it is the first to be fixed in place. The others are fixed in place and
//! wait for its success, or for nobody where the same fix has been proven on similar hosts before.

use std::collections::BTreeMap;

use crate::model::{Capabilities, Digest, Host, RuleName, StepId, Strategy, printable};
use crate::plan::draft::{Draft, HostDraft};
use crate::plan::{AFTER_PILOT, AFTER_TRIAL, PlanError, Reason, StepKind};
use crate::policy::{Policy, StrategyChoice, StrategyKind, TestFix};

use super::{drilled, durations, pools, steps, windows};

/// How a host is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub strategy: Strategy,
    /// The fix is tried on a clone first.
    pub trial: bool,
    /// The steps of other hosts that must have succeeded before anything is done here.
    pub waits_for: Vec<StepId>,
    /// The search for what breaks a clone, of a host that goes first: it tells what to leave out here as well.
    pub told_by: Option<StepId>,
}

/// Who speaks for the hosts of a cohort.
#[derive(Default)]
struct Pilot {
    /// Everything was done on it and it is well.
    fixed: Option<StepId>,
    /// The fix went well on a clone of it.
    tried: Option<StepId>,
}

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let policy = draft.input.policy;
    let mut pilots: BTreeMap<RuleName, Pilot> = BTreeMap::new();
    let mut learned = durations::Learned::new();
    for name in draft.sequence.clone() {
        let Some(host) = draft.hosts.get_mut(&name) else { continue };
        let cohort = cohort(host, policy);
        let proofs = draft.input.history.successes(&cohort, policy.proven.within.before(draft.input.as_of));
        if let Some(entry) = draft.input.history.rolled_back(&cohort, draft.input.as_of) {
            host.block(
                "rolled-back-before",
                format!(
                    "the same fix was rolled back on {} in campaign {} ({}), and which of its packages was to blame is \
                     not known: it waits until {}, for other versions, or for `switchback quarantine release {cohort}`",
                    entry.host, entry.campaign, entry.why, entry.until
                ),
            );
        }
        let proven = proofs >= policy.proven.successes;
        host.cohort = Some(cohort.clone());
        let pilot = pilots.entry(cohort).or_default();
        let Some((mut role, why)) = role(host, policy, pilot, proven.then_some(proofs)) else { continue };
        host.strategy = role.strategy;
        host.strategy_reason = Some(why);
        let search = |step: &StepId| {
            let pilot = draft.hosts.get(step.host())?;
            pilot.steps.iter().find(|step| step.kind == StepKind::Bisect).map(|step| step.id.clone())
        };
        role.told_by = role.waits_for.iter().find_map(search);
        let Some(host) = draft.hosts.get_mut(&name) else { continue };
        if role.strategy == Strategy::InPlace && !role.trial {
            drilled::ask(host, policy, draft.input.history, draft.input.as_of);
        }
        steps::build(&name, host, &role, policy);
        durations::join(&mut learned, durations::apply(host, draft.input.experience));
        windows::fit(draft, &name);
        pools::join(draft, &name);
        // A host that cannot be planned speaks for nobody.
        let Some(host) = draft.hosts.get(&name).filter(|host| host.reasons.is_empty()) else { continue };
        let last = |kind: StepKind| host.steps.iter().rev().find(|step| step.kind == kind).map(|step| step.id.clone());
        if pilot.fixed.is_none() {
            pilot.fixed = last(StepKind::Soak);
        }
        if pilot.tried.is_none() {
            let tried = host.steps.iter().find(|step| step.kind == StepKind::Verify && step.on.is_some());
            pilot.tried = tried.map(|step| step.id.clone());
        }
    }
    durations::tell(draft, &learned);
    Ok(())
}

/// What policy wants for the host, with why; none blocks it.
fn role(host: &mut HostDraft<'_>, policy: &Policy, pilot: &Pilot, proven: Option<u32>) -> Option<(Role, Reason)> {
    let choice = policy.strategy_for(host.host);
    let can = host.host.provider.as_ref().filter(|_| !host.without_backup).map(|provider| provider.capabilities());
    let clones = can.is_some_and(|can| can.clones);
    let in_place = |trial, waits_for| Role { strategy: Strategy::InPlace, trial, waits_for, told_by: None };
    let told = |text: String| Reason::new("strategy", text);

    let (mut role, mut why) = match choice.kind {
        StrategyKind::InPlace => (in_place(false, vec![]), told(format!("{} says so", choice.rule.name))),
        StrategyKind::CloneAndSwitch => {
            if let Err((code, why)) = may_switch(host.host, can, policy) {
                host.block(code, format!("{} wants `clone_and_switch`, and {why}", choice.rule.name));
                return None;
            }
            let role = Role { strategy: Strategy::CloneAndSwitch, trial: true, waits_for: vec![], told_by: None };
            (role, told(format!("{} says so", choice.rule.name)))
        }
        StrategyKind::Auto => match (proven, &pilot.fixed) {
            (Some(times), _) => {
                let why = format!("the same fix went well on similar hosts, {times} times in {}", policy.proven.within);
                (in_place(false, vec![]), told(why))
            }
            (None, Some(step)) => {
                let why = format!("similar to {}, which goes first", step.host());
                (in_place(false, vec![step.clone()]), Reason::new(AFTER_PILOT, why))
            }
            (None, None) => first_of_cohort(host.host, can, policy, &choice),
        },
    };
    let wants_trial = match policy.test_fix {
        TestFix::Never => false,
        TestFix::EveryHost => true,
        TestFix::FirstOfCohort => proven.is_none() && pilot.tried.is_none(),
    };
    if let (TestFix::FirstOfCohort, Some(step), None) = (policy.test_fix, &pilot.tried, proven)
        && role.waits_for.is_empty()
    {
        role.waits_for.push(step.clone());
        let text = format!("{}, once the fix went well on a clone of {}", why.text, step.host());
        why = Reason::new(AFTER_TRIAL, text);
    }
    if wants_trial && !role.trial {
        if !clones {
            let why = "`strategy.test_fix` wants the fix tried on a clone first, and";
            host.block("cannot-clone", format!("{why} {}", cannot_clone(host.host, can)));
            return None;
        }
        role.trial = true;
    }
    Some((role, why))
}

/// The first host of its kind, under `auto`.
fn first_of_cohort(host: &Host, can: Option<Capabilities>, policy: &Policy, choice: &StrategyChoice) -> (Role, Reason) {
    let rule = &choice.rule.name;
    match may_switch(host, can, policy) {
        Ok(()) => (
            Role { strategy: Strategy::CloneAndSwitch, trial: true, waits_for: vec![], told_by: None },
            Reason::new("strategy", format!("{rule}: the first of its cohort, on a clone that takes its traffic")),
        ),
        Err((_, why)) => {
            let trial = can.is_some_and(|can| can.clones);
            let how = if trial { "tried on a clone, then in place" } else { "in place" };
            (
                Role { strategy: Strategy::InPlace, trial, waits_for: vec![], told_by: None },
                Reason::new("strategy", format!("{rule}: the first of its cohort, {how}: {why}")),
            )
        }
    }
}

/// Whether a clone of the host may take its traffic and its place.
fn may_switch(host: &Host, can: Option<Capabilities>, policy: &Policy) -> Result<(), (&'static str, String)> {
    if !can.is_some_and(|can| can.clones) {
        return Err(("cannot-clone", cannot_clone(host, can)));
    }
    let Some(can) = can.filter(|can| can.promotes) else {
        return Err(("cannot-promote", "its provider cannot let a clone take its place".to_owned()));
    };
    match &host.switch {
        None => return Err(("cannot-switch", "it has no `switch` that could move its traffic".to_owned())),
        Some(switch) if !switch.moves() => {
            return Err(("cannot-switch", "its switch cannot move its traffic to a clone".to_owned()));
        }
        Some(_) => {}
    }
    if policy.is_stateful(host) && !can.shares_data {
        let why = "it is stateful: a switch back would lose what was written to the clone";
        return Err(("stateful-host", why.to_owned()));
    }
    Ok(())
}

pub(in crate::plan) fn cannot_clone(host: &Host, can: Option<Capabilities>) -> String {
    match can {
        None => "it has no provider that could make one".to_owned(),
        Some(can) if ["podman", "docker"].contains(&can.kind) => {
            format!("the provider of {host} makes none: give it a `clone_network` that its clients do not reach")
        }
        Some(can) => format!("a provider of kind `{}` as that of {host} is set up makes none", can.kind),
    }
}

/// The cohort of a host: the same OS release and the same fix by the same playbook, and the labels that policy adds. The
/// name is the same in every plan, so that what history knows of it is found again.
fn cohort(host: &HostDraft<'_>, policy: &Policy) -> RuleName {
    let os = host.host.os.as_ref();
    let system = os.map_or("unknown".to_owned(), |os| {
        format!("{}-{}", printable(&os.name, 20), printable(os.version.as_deref().unwrap_or("unknown"), 20))
    });
    let packages: Vec<_> = host.fix.packages.iter().map(|package| (&package.name, &package.to)).collect();
    let labels: Vec<_> = policy.similar_by.iter().map(|label| (label, host.host.labels.get(label))).collect();
    let same = (os, host.playbook.map(|playbook| playbook.name()), packages, labels);
    // Strings and lists of them: this cannot fail.
    let digest = Digest::of(&serde_json::to_vec(&same).unwrap_or_default());
    #[expect(clippy::unwrap_used, reason = "short and printable")]
    RuleName::new(&format!("{system}-{}", digest.short())).unwrap()
}
