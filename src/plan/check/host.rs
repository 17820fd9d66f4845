//! The form of one host: its steps are those of its strategy, in their order, each with the way back that belongs to it,
//! and commands refer to what is there. What follows from it is not judged here but explored.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::shape::{MAX_STEPS, Order};
use crate::model::{Command, DecisionKind, HostName, Program, Strategy, TimeSpan};
use crate::plan::{Action, HostPlan, Plan, Step, StepKind};

/// What a step is for, and whether it works on a clone.
type Part = (StepKind, bool);

/// The only order of steps of a host that is fixed in place; each at most once, so there is at most one reboot.
const IN_PLACE: [Part; 20] = [
    (StepKind::Preflight, false),
    (StepKind::Backup, false),
    (StepKind::Clone, false),
    (StepKind::Preflight, true),
    (StepKind::Fix, true),
    (StepKind::Restart, true),
    (StepKind::Reboot, true),
    (StepKind::Verify, true),
    (StepKind::Bisect, false),
    (StepKind::Destroy, false),
    (StepKind::Drain, false),
    (StepKind::Arm, false),
    (StepKind::Fix, false),
    (StepKind::Restart, false),
    (StepKind::Reboot, false),
    (StepKind::Verify, false),
    (StepKind::Disarm, false),
    (StepKind::Undrain, false),
    (StepKind::Soak, false),
    (StepKind::Release, false),
];

/// The same for a host whose fixed clone takes its place.
const CLONE_AND_SWITCH: [Part; 17] = [
    (StepKind::Preflight, false),
    (StepKind::Backup, false),
    (StepKind::Clone, false),
    (StepKind::Preflight, true),
    (StepKind::Fix, true),
    (StepKind::Restart, true),
    (StepKind::Reboot, true),
    (StepKind::Verify, true),
    (StepKind::Bisect, false),
    (StepKind::Switchover, false),
    (StepKind::Observe, true),
    (StepKind::Drain, false),
    (StepKind::Promote, false),
    (StepKind::Verify, false),
    (StepKind::Undrain, false),
    (StepKind::Soak, false),
    (StepKind::Release, false),
];

/// The same for a host whose way back is tried; all of it must be there.
const DRILL: [Part; 6] = [
    (StepKind::Preflight, false),
    (StepKind::Backup, false),
    (StepKind::Clone, false),
    (StepKind::Verify, true),
    (StepKind::Destroy, false),
    (StepKind::Release, false),
];

fn part(step: &Step) -> Part {
    (step.kind, step.on.is_some())
}

pub(super) fn check(plan: &Plan, name: &HostName, host: &HostPlan, found: &mut Found) {
    found.expect(&host.host.name == name, name, "host-name", format!("it is called {} inside", host.host.name));
    let undo = host.steps.iter().map(|step| step.undo.len()).max().unwrap_or(0);
    if host.steps.len().max(undo) > MAX_STEPS {
        found.add(
            name,
            "too-many-steps",
            format!("it has {} steps, and none has more than {MAX_STEPS}", host.steps.len()),
        );
        return;
    }
    ids(name, host, found);
    let order = Order::of(&host.steps);
    for (step, need) in host.steps.iter().flat_map(|step| step.needs.iter().map(move |need| (step, need))) {
        let is_own = need.host() == name.as_str();
        found.expect(
            !is_own || order.knows(need),
            &step.id,
            "need-unknown",
            format!("it needs {need}, which is no step of its host"),
        );
    }
    if let Some(step) = order.cycle() {
        found.add(step, "cycle", "it waits for itself");
    }
    chain(name, host, &order, found);
    way_back(host, found);
    for step in &host.steps {
        facts(host, step, &order, found);
    }
    fix(plan, name, host, found);
}

fn all_steps(host: &HostPlan) -> impl Iterator<Item = &Step> {
    host.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo))
}

fn ids(name: &HostName, host: &HostPlan, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for step in all_steps(host) {
        let owned = step.id.as_str().strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('/'));
        found.expect(
            owned.is_some_and(|s| !s.is_empty() && !s.contains('/')),
            &step.id,
            "step-id-foreign",
            format!("it is not an id of {name}"),
        );
        found.expect(seen.insert(&step.id), &step.id, "step-id-twice", "another step has this id");
        found.expect(fits(step), &step.id, "action-differs", format!("its action is not that of {}", step.kind));
        found.expect(step.timeout > TimeSpan::ZERO, &step.id, "timeout-zero", "it would fail at once");
        found.expect(step.expected <= step.timeout, &step.id, "timeout-short", "it usually takes longer than it may");
        for command in step.action.commands() {
            found.expect(
                !matches!(command.program, Program::Argv) || command.argv.first().is_some_and(|p| !p.is_empty()),
                &step.id,
                "command-empty",
                format!("command {:?} names no program", command.name),
            );
        }
    }
    for step in host.steps.iter().flat_map(|s| &s.undo) {
        found.expect(step.undo.is_empty(), &step.id, "undo-nested", "what takes back cannot be taken back");
    }
}

fn fits(step: &Step) -> bool {
    match step.kind {
        StepKind::Preflight | StepKind::Verify | StepKind::VerifyRestored | StepKind::VerifyOriginal => {
            matches!(step.action, Action::Check { .. })
        }
        StepKind::Clone => matches!(step.action, Action::Clone { .. }),
        StepKind::Bisect => matches!(step.action, Action::Bisect { .. }),
        StepKind::Destroy => matches!(step.action, Action::Destroy { .. }),
        StepKind::Switchover => matches!(step.action, Action::Switchover { .. }),
        StepKind::SwitchBack => matches!(step.action, Action::SwitchBack { .. }),
        StepKind::Promote => matches!(step.action, Action::Promote { .. }),
        StepKind::Release => matches!(step.action, Action::Release { .. }),
        StepKind::Backup => matches!(step.action, Action::Backup { .. }),
        StepKind::Drain => matches!(step.action, Action::Drain { .. }),
        StepKind::Arm => matches!(step.action, Action::Arm { after, .. } if after > TimeSpan::ZERO),
        StepKind::Disarm => matches!(step.action, Action::Disarm { .. }),
        StepKind::Fix | StepKind::Restart => matches!(step.action, Action::Change { .. }),
        StepKind::Reboot => matches!(step.action, Action::Reboot { .. }),
        StepKind::Undrain => matches!(step.action, Action::Undrain | Action::SwitchBack { .. }),
        StepKind::Soak | StepKind::Observe => matches!(step.action, Action::Soak { .. }),
        StepKind::Restore => matches!(step.action, Action::Restore { .. }),
    }
}

/// Whether the action can show that something is well.
fn shows_something(action: &Action) -> bool {
    match action {
        Action::Check { commands, probes } => !commands.is_empty() || !probes.is_empty(),
        _ => false,
    }
}

fn chain(name: &HostName, host: &HostPlan, order: &Order<'_>, found: &mut Found) {
    let parts: &[Part] = match host.strategy {
        Strategy::InPlace => &IN_PLACE,
        Strategy::CloneAndSwitch => &CLONE_AND_SWITCH,
        Strategy::Drill => &DRILL,
    };
    let mut by_part: BTreeMap<Part, &Step> = BTreeMap::new();
    let mut place = 0;
    for step in &host.steps {
        if by_part.insert(part(step), step).is_some() {
            found.add(&step.id, "step-twice", format!("the host has more than one {}", step.kind));
        }
        match parts.iter().position(|&expected| expected == part(step)) {
            None => found.add(&step.id, "step-unexpected", format!("{} does not belong there", step.kind)),
            Some(at) if at < place => found.add(&step.id, "step-order", format!("{} comes too late", step.kind)),
            Some(at) => place = at,
        }
    }
    // What stands for others is done instead of them: nobody waits for it.
    let chained: Vec<&Step> = host.steps.iter().filter(|step| step.stands_for.is_empty()).collect();
    for pair in chained.windows(2) {
        found.expect(
            order.is_behind(&pair[1].id, &pair[0].id),
            &pair[1].id,
            "chain-broken",
            format!("it does not wait for {}", pair[0].id),
        );
    }

    for part in musts(host, &by_part) {
        found.expect(by_part.contains_key(&part), name, "step-missing", format!("it has no {} step", part.0));
    }
    let has = |kind: StepKind| by_part.contains_key(&(kind, false));
    found.expect(
        host.host.switch.is_some() || !(has(StepKind::Drain) || has(StepKind::Undrain) || has(StepKind::Switchover)),
        name,
        "drain-without-switch",
        "it has no switch that could drain it",
    );
    found.expect(
        host.host.provider.is_some() || !(has(StepKind::Backup) || has(StepKind::Clone)),
        name,
        "backup-without-provider",
        "it has no provider that could make a backup",
    );
    found.expect(
        !has(StepKind::Arm) || host.host.provider.as_ref().is_some_and(|p| p.capabilities().goes_back_alone),
        name,
        "arm-without-provider",
        "it has no provider that could take it back by itself",
    );
    found.expect(
        !(host.without_backup && has(StepKind::Backup)),
        name,
        "backup-unexpected",
        "it is said to go without a backup and has one",
    );

    let keeps = by_part.get(&(StepKind::Backup, false)).map(|step| match step.action {
        Action::Backup { keep } => keep > TimeSpan::ZERO,
        _ => true,
    });
    found.expect(
        has(StepKind::Release) == (keeps == Some(false)),
        name,
        "release-differs",
        "its backup is to be kept and deleted at once, or neither",
    );
    for step in &host.steps {
        if let Action::Change { commands } = &step.action {
            found.expect(!commands.is_empty(), &step.id, "change-empty", "it runs nothing");
        }
        found.expect(
            step.on.is_none()
                || matches!(
                    step.action,
                    Action::Check { .. } | Action::Change { .. } | Action::Reboot { .. } | Action::Soak { .. }
                ),
            &step.id,
            "action-differs",
            format!("a clone has no {}", step.kind),
        );
    }
    for verify in host.steps.iter().filter(|step| step.kind == StepKind::Verify) {
        found.expect(shows_something(&verify.action), &verify.id, "verify-empty", "it looks at nothing");
    }
    let last = host.steps.iter().rev().find(|step| step.kind != StepKind::Release);
    found.expect(
        host.strategy == Strategy::Drill || last.is_some_and(|s| s.kind == StepKind::Soak),
        name,
        "soak-not-last",
        "it does not end with being watched",
    );
}

/// The steps that the host must have.
fn musts(host: &HostPlan, by_part: &BTreeMap<Part, &Step>) -> Vec<Part> {
    if host.strategy == Strategy::Drill {
        return DRILL.to_vec();
    }
    let on_host = |kind: StepKind| (kind, false);
    let mut must = [StepKind::Preflight, StepKind::Verify, StepKind::Soak].map(on_host).to_vec();
    let trial = [(StepKind::Clone, false), (StepKind::Fix, true), (StepKind::Verify, true)];
    if host.strategy == Strategy::CloneAndSwitch {
        must.extend([StepKind::Switchover, StepKind::Promote].map(on_host));
        must.push((StepKind::Observe, true));
        must.extend(trial);
    } else {
        must.push(on_host(StepKind::Fix));
    }
    if by_part.keys().any(|part| trial.contains(part) || part.1) {
        must.extend(trial);
        if host.strategy == Strategy::InPlace {
            must.push(on_host(StepKind::Destroy));
        }
    }
    if !host.without_backup {
        must.push(on_host(StepKind::Backup));
    }
    let watch = [StepKind::Arm, StepKind::Disarm].map(on_host);
    if watch.iter().any(|part| by_part.contains_key(part)) {
        must.extend(watch);
    }
    if host.host.switch.is_some() {
        must.extend([StepKind::Drain, StepKind::Undrain].map(on_host));
    }
    must
}

fn way_back(host: &HostPlan, found: &mut Found) {
    for step in &host.steps {
        let kinds: Vec<StepKind> = step.undo.iter().map(|s| s.kind).collect();
        match step.kind {
            StepKind::Clone => {
                found.expect(kinds == [StepKind::Destroy], &step.id, "undo-missing", "its undo is not destroy");
            }
            StepKind::Backup if host.strategy == Strategy::Drill => {
                found.expect(kinds == [StepKind::Release], &step.id, "undo-missing", "its undo is not release");
            }
            StepKind::Switchover => {
                found.expect(
                    kinds == [StepKind::SwitchBack, StepKind::VerifyOriginal],
                    &step.id,
                    "undo-missing",
                    "its undo is not switch_back, then verify_original",
                );
            }
            StepKind::Fix | StepKind::Promote if step.on.is_none() && !host.without_backup => {
                found.expect(
                    kinds == [StepKind::Restore, StepKind::VerifyRestored],
                    &step.id,
                    "undo-missing",
                    "its undo is not restore, then verify_restored",
                );
            }
            StepKind::Drain if host.strategy == Strategy::InPlace => {
                found.expect(kinds == [StepKind::Undrain], &step.id, "undo-missing", "its undo is not undrain");
            }
            StepKind::Arm => {
                found.expect(kinds == [StepKind::Disarm], &step.id, "undo-missing", "its undo is not disarm");
            }
            StepKind::Undrain => {
                found.expect(kinds == [StepKind::Drain], &step.id, "undo-missing", "its undo is not drain");
            }
            _ => found.expect(kinds.is_empty(), &step.id, "undo-unexpected", "it has an undo and should have none"),
        }
        for (at, undo) in step.undo.iter().enumerate() {
            for need in &undo.needs {
                let earlier = step.undo[..at].iter().any(|s| &s.id == need);
                found.expect(
                    earlier,
                    &undo.id,
                    "need-unknown",
                    format!("it needs {need}, which no earlier undo step is"),
                );
            }
            if matches!(undo.kind, StepKind::VerifyRestored | StepKind::VerifyOriginal) {
                found.expect(shows_something(&undo.action), &undo.id, "verify-empty", "it looks at nothing");
                found.expect(
                    step.undo[..at].iter().any(|s| undo.needs.contains(&s.id)),
                    &undo.id,
                    "chain-broken",
                    "it does not wait for the restore",
                );
            }
        }
    }
}

/// A fact comes from a step that has succeeded before it is asked for.
fn facts(host: &HostPlan, step: &Step, order: &Order<'_>, found: &mut Found) {
    // A fact that may be absent is asked of a step that may be skipped, or of the host that goes first.
    let asks = |command: &Command| {
        let facts = command.env_facts.values().filter(|fact| fact.otherwise.is_none());
        facts.map(|fact| fact.step.clone()).collect::<Vec<_>>()
    };
    for fact in step.action.commands().flat_map(asks) {
        found.expect(
            order.is_behind(&step.id, &fact),
            &step.id,
            "fact-unknown",
            format!("it asks for a fact of {fact}, which does not come before it"),
        );
    }
    for fact in step.undo.iter().flat_map(|undo| undo.action.commands()).flat_map(asks) {
        let known = host.steps.iter().any(|s| s.id == fact) && order.is_behind(&step.id, &fact);
        found.expect(
            known,
            &step.id,
            "fact-unknown",
            format!("its undo asks for a fact of {fact}, which does not come before it"),
        );
    }
}

fn fix(plan: &Plan, name: &HostName, host: &HostPlan, found: &mut Found) {
    let fix = &host.fix;
    if host.strategy == Strategy::Drill {
        let is_empty = fix.packages.is_empty() && fix.findings.is_empty();
        found.expect(is_empty, name, "drill-fixes", "it is a drill and has something to fix");
        return;
    }
    found.expect(!fix.packages.is_empty(), name, "fix-empty", "its fix has no package");
    found.expect(
        fix.packages.is_sorted_by(|a, b| a.name < b.name),
        name,
        "fix-order",
        "its packages are not sorted, each once",
    );
    found.expect(fix.findings.is_sorted_by(|a, b| a < b), name, "fix-order", "its findings are not sorted, each once");
    // Decisions are sorted by host, so one host's are a stretch of them.
    let decisions = &plan.report.decisions;
    let from = decisions.partition_point(|d| &d.host < name);
    let own = decisions[from..].iter().take_while(|d| &d.host == name).filter(|d| d.kind == DecisionKind::Fix);
    found.expect(
        own.clone().map(|d| d.assessment.priority).max() == Some(host.priority),
        name,
        "priority-differs",
        "its priority is not that of its most urgent finding",
    );
    found.expect(
        host.emergency || !own.clone().any(|d| d.emergency),
        name,
        "emergency-differs",
        "one of its findings goes by the emergency lane, and it does not",
    );
}
