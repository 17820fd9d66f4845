//! Rules about one host: the chain, the way back, what commands refer to, and whether it all fits into a window.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::model::{Command, DecisionKind, HostName, Program, StepId, TimeSpan};
use crate::plan::{Action, HostPlan, Plan, Step, StepGraph, StepKind};

/// The only order of steps on a host; each at most once, so there is at most one reboot.
const ORDER: [StepKind; 9] = [
    StepKind::Preflight,
    StepKind::Backup,
    StepKind::Drain,
    StepKind::Fix,
    StepKind::Restart,
    StepKind::Reboot,
    StepKind::Verify,
    StepKind::Undrain,
    StepKind::Soak,
];

pub(super) fn check(plan: &Plan, name: &HostName, host: &HostPlan, found: &mut Found) {
    found.expect(&host.host.name == name, name, "host-name", format!("it is called {} inside", host.host.name));
    ids(name, host, found);
    let graph = StepGraph::of(&host.steps);
    for (step, need) in graph.unknown_needs() {
        found.add(step, "need-unknown", format!("it needs {need}, which is no step of its host"));
    }
    if let Some(cycle) = graph.cycle() {
        found.add(name, "cycle", cycle.to_string());
    }
    chain(name, host, &graph, found);
    way_back(name, host, found);
    for step in &host.steps {
        facts(host, step, &graph, found);
    }
    fix(plan, name, host, found);
    window(plan, name, host, found);
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
        StepKind::Preflight | StepKind::Verify | StepKind::VerifyRestored => {
            matches!(step.action, Action::Check { .. })
        }
        StepKind::Backup => matches!(step.action, Action::Backup { .. }),
        StepKind::Drain => matches!(step.action, Action::Drain { .. }),
        StepKind::Fix | StepKind::Restart => matches!(step.action, Action::Change { .. }),
        StepKind::Reboot => matches!(step.action, Action::Reboot { .. }),
        StepKind::Undrain => matches!(step.action, Action::Undrain),
        StepKind::Soak => matches!(step.action, Action::Soak { .. }),
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

fn chain(name: &HostName, host: &HostPlan, graph: &StepGraph, found: &mut Found) {
    let mut by_kind: BTreeMap<StepKind, &Step> = BTreeMap::new();
    let mut place = 0;
    for step in &host.steps {
        if by_kind.insert(step.kind, step).is_some() {
            found.add(&step.id, "step-twice", format!("the host has more than one {}", step.kind));
        }
        match ORDER.iter().position(|&kind| kind == step.kind) {
            None => found.add(&step.id, "step-unexpected", format!("{} belongs to the way back", step.kind)),
            Some(at) if at < place => found.add(&step.id, "step-order", format!("{} comes too late", step.kind)),
            Some(at) => place = at,
        }
    }
    for pair in host.steps.windows(2) {
        found.expect(
            graph.is_behind(&pair[1].id, &pair[0].id),
            &pair[1].id,
            "chain-broken",
            format!("it does not wait for {}", pair[0].id),
        );
    }

    let mut must = vec![StepKind::Preflight, StepKind::Fix, StepKind::Verify, StepKind::Soak];
    if !host.without_backup {
        must.push(StepKind::Backup);
    }
    if host.host.switch.is_some() {
        must.extend([StepKind::Drain, StepKind::Undrain]);
    }
    for kind in must {
        found.expect(by_kind.contains_key(&kind), name, "step-missing", format!("it has no {kind} step"));
    }
    found.expect(
        host.host.switch.is_some()
            || !(by_kind.contains_key(&StepKind::Drain) || by_kind.contains_key(&StepKind::Undrain)),
        name,
        "drain-without-switch",
        "it has no switch that could drain it",
    );
    found.expect(
        host.host.provider.is_some() || !by_kind.contains_key(&StepKind::Backup),
        name,
        "backup-without-provider",
        "it has no provider that could make a backup",
    );
    found.expect(
        !(host.without_backup && by_kind.contains_key(&StepKind::Backup)),
        name,
        "backup-unexpected",
        "it is said to go without a backup and has one",
    );

    let before_change = |kind: StepKind| by_kind.get(&kind).map(|step| &step.id);
    let (preflight, backup) = (before_change(StepKind::Preflight), before_change(StepKind::Backup));
    let verify = by_kind.get(&StepKind::Verify);
    for step in &host.steps {
        if !matches!(step.action, Action::Change { .. } | Action::Reboot { .. }) {
            continue;
        }
        let behind = |id: Option<&StepId>| id.is_some_and(|id| graph.is_behind(&step.id, id));
        found.expect(behind(preflight), &step.id, "change-before-preflight", "it does not wait for the preflight");
        found.expect(
            host.without_backup || behind(backup),
            &step.id,
            "change-before-backup",
            "it does not wait for a backup of its host",
        );
        found.expect(
            verify.is_some_and(|verify| graph.is_behind(&verify.id, &step.id)),
            &step.id,
            "change-unverified",
            "nothing verifies what it changes",
        );
        if let Action::Change { commands } = &step.action {
            found.expect(!commands.is_empty(), &step.id, "change-empty", "it runs nothing");
        }
    }
    if let Some(verify) = verify {
        found.expect(shows_something(&verify.action), &verify.id, "verify-empty", "it looks at nothing");
    }
    found.expect(
        host.steps.last().is_some_and(|s| s.kind == StepKind::Soak),
        name,
        "soak-not-last",
        "it does not end with being watched",
    );
}

fn way_back(name: &HostName, host: &HostPlan, found: &mut Found) {
    let backup = host.steps.iter().find(|s| s.kind == StepKind::Backup).map(|s| &s.id);
    for step in &host.steps {
        let kinds: Vec<StepKind> = step.undo.iter().map(|s| s.kind).collect();
        match step.kind {
            StepKind::Fix if !host.without_backup => {
                found.expect(
                    kinds == [StepKind::Restore, StepKind::VerifyRestored],
                    &step.id,
                    "undo-missing",
                    "its undo is not restore, then verify_restored",
                );
            }
            StepKind::Drain => {
                found.expect(kinds == [StepKind::Undrain], &step.id, "undo-missing", "its undo is not undrain");
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
            if let Action::Restore { backup: restored, .. } = &undo.action {
                found.expect(
                    Some(restored) == backup,
                    &undo.id,
                    "restore-of-other",
                    format!("it restores {restored}, which is not the backup step of {name}"),
                );
            }
            if undo.kind == StepKind::VerifyRestored {
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
fn facts(host: &HostPlan, step: &Step, graph: &StepGraph, found: &mut Found) {
    let asks = |command: &Command| command.env_facts.values().map(|f| f.step.clone()).collect::<Vec<_>>();
    for fact in step.action.commands().flat_map(asks) {
        found.expect(
            graph.is_behind(&step.id, &fact),
            &step.id,
            "fact-unknown",
            format!("it asks for a fact of {fact}, which does not come before it"),
        );
    }
    for fact in step.undo.iter().flat_map(|undo| undo.action.commands()).flat_map(asks) {
        let known = host.steps.iter().any(|s| s.id == fact) && graph.is_behind(&step.id, &fact);
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
        own.map(|d| d.assessment.priority).max() == Some(host.priority),
        name,
        "priority-differs",
        "its priority is not that of its most urgent finding",
    );
}

/// One window holds all that may disrupt the host, the longest way back and the margin.
fn window(plan: &Plan, name: &HostName, host: &HostPlan, found: &mut Found) {
    let Some(set) = &host.windows else { return };
    let Some(windows) = plan.windows.get(set) else {
        found.add(name, "windows-unknown", format!("it waits for windows {set}, which the plan does not have"));
        return;
    };
    let mut seconds: u64 = plan.rollout.margin.as_seconds();
    let mut disrupted = false;
    for step in &host.steps {
        disrupted |= step.kind.is_disruptive();
        if disrupted {
            seconds = seconds.saturating_add(step.expected.as_seconds());
        }
        for undo in &step.undo {
            seconds = seconds.saturating_add(undo.expected.as_seconds());
        }
    }
    let fits = windows.iter().any(|w| {
        w.interval.start >= plan.as_of && TimeSpan::between(w.interval.start, w.interval.end).as_seconds() >= seconds
    });
    found.expect(
        fits,
        name,
        "window-too-short",
        format!("it needs {} in one window, and none of {set} is as long", TimeSpan::seconds(seconds)),
    );
}
