//! The invariants of a campaign, judged by what truly happens in the simulated world.
//!
//! Nothing here asks the engine what it believes: the monitor sees what controllers ask for, what hosts do, and the
//! journal. It is written apart from the engine and shares no code with its gates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Mode, Record, RecordBody, StepResult};
use crate::model::{AttemptId, HostName, HostOutcome, StepId, TimeSpan, union};
use crate::plan::{HostPlan, Plan, Reason, Step, StepKind};

use super::{Disk, Observation, SimWorld, Traffic};

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.at, self.invariant, self.what)
    }
}

/// What must hold at every instant of every campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No fix without a backup, unless the plan does without one.
    BackupBeforeFix,
    /// Never more hosts of a group unavailable than its budget.
    DisruptionBudget,
    /// No disruptive start outside a window or without the time to go back.
    Window,
    /// Every host ends in exactly one state, and is what that state says.
    Outcome,
    /// No step with an effect starts twice, no two at once on one host.
    RunOnce,
    /// Nothing is touched any more when the failure budget is used up.
    FailureBudget,
    /// A step starts only behind all it needs; undo goes backwards, and only over what was done.
    Order,
    /// State is the fold of the journal, and an input never meets an illegal state.
    Fold,
    /// At most one reboot of a host.
    OneReboot,
    /// A campaign comes to its end, or says that it is paused.
    Progress,
}

/// Watches one campaign.
#[derive(Debug)]
pub(super) struct Monitor {
    plan: Arc<Plan>,
    before: BTreeMap<HostName, Disk>,
    pub violations: Vec<Violation>,
    intents: BTreeSet<AttemptId>,
    /// Attempts that somebody looked at again, or that are known to have failed.
    asked: BTreeSet<AttemptId>,
    started: BTreeSet<AttemptId>,
    effects: BTreeMap<(HostName, StepKind), u32>,
    /// Steps that took effect.
    affected: BTreeSet<StepId>,
    running: BTreeMap<AttemptId, StepKind>,
    begun: BTreeSet<StepId>,
    succeeded: BTreeSet<StepId>,
    ended: BTreeMap<HostName, HostOutcome>,
    /// Hosts whose service broke when nobody watched them any more.
    broke_late: BTreeSet<HostName>,
    failed: u32,
    excused: u32,
}

/// More complaints than this say nothing new.
const MAX_VIOLATIONS: usize = 20;

impl Monitor {
    pub fn new(plan: Arc<Plan>, world: &SimWorld) -> Self {
        Self {
            plan,
            before: world.hosts().map(|host| (host.host.name.clone(), host.disk.clone())).collect(),
            violations: Vec::new(),
            intents: BTreeSet::new(),
            asked: BTreeSet::new(),
            started: BTreeSet::new(),
            effects: BTreeMap::new(),
            affected: BTreeSet::new(),
            running: BTreeMap::new(),
            begun: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            ended: BTreeMap::new(),
            broke_late: BTreeSet::new(),
            failed: 0,
            excused: 0,
        }
    }

    pub fn complain(&mut self, at: Timestamp, invariant: Invariant, what: impl Into<String>) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { at, invariant, what: what.into() });
        }
    }

    fn expect(&mut self, holds: bool, at: Timestamp, invariant: Invariant, what: impl FnOnce() -> String) {
        if !holds {
            self.complain(at, invariant, what());
        }
    }

    /// A record became durable.
    pub fn recorded(&mut self, world: &SimWorld, record: &Record) {
        match &record.body {
            RecordBody::Intent { attempt, .. } => {
                let new = self.intents.insert(attempt.clone());
                self.expect(new, record.at, Invariant::RunOnce, || format!("{attempt} has two intents"));
            }
            RecordBody::HostEnded { host, outcome, .. } => {
                let first = self.ended.insert(host.clone(), *outcome).is_none();
                self.expect(first, record.at, Invariant::Outcome, || format!("{host} ended twice"));
                let plan = Arc::clone(&self.plan);
                if let Some(what) = plan.hosts.get(host).and_then(|plan| self.untrue(world, plan, *outcome)) {
                    self.complain(record.at, Invariant::Outcome, format!("{host} ends as {outcome:?}, but {what}"));
                }
                if matches!(outcome, HostOutcome::Restored | HostOutcome::SwitchedBack | HostOutcome::Stuck) {
                    self.failed += 1;
                }
            }
            // A person who lets the campaign go on accepts what has failed so far.
            RecordBody::Resumed { .. } => self.excused = self.failed,
            _ => {}
        }
    }

    /// Something was seen; `world` is as it is behind it.
    pub fn saw(&mut self, at: Timestamp, world: &SimWorld, observation: &Observation) {
        match observation {
            Observation::Begun { attempt, kind, mode } => self.begun(at, world, attempt, *kind, *mode),
            Observation::Answered { attempt, result, .. } => match result {
                StepResult::Succeeded { .. } => {
                    self.succeeded.insert(attempt.step.clone());
                }
                StepResult::Failed { .. } => {
                    self.asked.insert(attempt.clone());
                }
                _ => {}
            },
            Observation::ServiceBroke { host }
                if self.succeeded.contains(&StepId::of(host, StepKind::Soak.as_str())) =>
            {
                self.broke_late.insert(host.clone());
            }
            Observation::EffectStarted { attempt, kind } => self.effect(at, world, attempt, *kind),
            Observation::EffectEnded { attempt, .. } => {
                self.running.remove(attempt);
            }
            _ => {}
        }
    }

    /// Between two events: how many hosts of each group are unavailable.
    pub fn budgets(&mut self, at: Timestamp, world: &SimWorld) {
        let mut down: BTreeMap<_, Vec<&HostName>> = BTreeMap::new();
        for (name, host) in &self.plan.hosts {
            let in_chain = || host.steps.iter().any(|s| s.kind.is_disruptive() && self.begun.contains(&s.id));
            let is_down = |sim: &super::SimHost| !sim.available() || (sim.is_cut_off() && in_chain());
            if let Some(group) = &host.group
                && !self.broke_late.contains(name)
                && world.host(name).is_some_and(is_down)
            {
                down.entry(group).or_default().push(name);
            }
        }
        let over = down.into_iter().find_map(|(group, down)| {
            let limit = self.plan.rollout.groups.get(group)?.max_unavailable;
            (down.len() > limit as usize).then(|| format!("{group}: {down:?} are unavailable, {limit} may be"))
        });
        if let Some(what) = over {
            self.complain(at, Invariant::DisruptionBudget, what);
        }
    }

    fn begun(&mut self, at: Timestamp, world: &SimWorld, attempt: &AttemptId, kind: StepKind, mode: Mode) {
        let plan = Arc::clone(&self.plan);
        let Some((host, step)) = plan.step(&attempt.step) else { return };
        let name = &host.host.name;
        if !self.intents.contains(attempt) {
            self.complain(at, Invariant::RunOnce, format!("{attempt} began without a durable intent"));
        }
        if mode == Mode::Start && !self.started.insert(attempt.clone()) {
            self.complain(at, Invariant::RunOnce, format!("{attempt} was started twice"));
        }
        if mode == Mode::Attach {
            self.asked.insert(attempt.clone());
        }
        if let Some(other) = world.open_calls().find(|a| *a != attempt && a.step.host() == name.as_str()) {
            self.complain(at, Invariant::RunOnce, format!("{attempt} began while {other} was under way"));
        }
        if self.ended.contains_key(name) {
            self.complain(at, Invariant::Outcome, format!("{attempt} began behind the end of its host"));
        }
        if !host.steps.iter().any(|s| self.begun.contains(&s.id)) && self.failed > self.excused {
            let limit = plan.rollout.failure_budget;
            if self.failed >= limit {
                let what = format!("{name} was touched after {} hosts had failed, {limit} pause it", self.failed);
                self.complain(at, Invariant::FailureBudget, what);
            }
        }
        self.order(at, host, step);
        if mode == Mode::Start && kind.is_disruptive() && kind != StepKind::Restore {
            let first = !host.steps.iter().any(|s| s.kind.is_disruptive() && self.begun.contains(&s.id));
            if first && let Some(what) = outside_window(&plan, host, step, at) {
                self.complain(at, Invariant::Window, what);
            }
        }
        self.begun.insert(step.id.clone());
    }

    fn order(&mut self, at: Timestamp, host: &HostPlan, step: &Step) {
        let missing = step.needs.iter().find(|need| !self.succeeded.contains(*need));
        if let Some(missing) = missing {
            self.complain(at, Invariant::Order, format!("{} began before {missing} had succeeded", step.id));
        }
        let Some(at_step) = host.steps.iter().position(|s| s.undo.iter().any(|u| u.id == step.id)) else { return };
        if !self.begun.contains(&host.steps[at_step].id) {
            let what = format!("{} began though {} was never begun", step.id, host.steps[at_step].id);
            self.complain(at, Invariant::Order, what);
        }
        let later_undone = host.steps[at_step + 1..]
            .iter()
            // By id: what takes the drain back is of the same kind as the step that follows the verify.
            .filter(|later| self.affected.contains(&later.id))
            .all(|later| later.undo.iter().all(|undo| self.succeeded.contains(&undo.id)));
        if !later_undone {
            self.complain(at, Invariant::Order, format!("{} began before later steps were taken back", step.id));
        }
    }

    fn effect(&mut self, at: Timestamp, world: &SimWorld, attempt: &AttemptId, kind: StepKind) {
        let plan = Arc::clone(&self.plan);
        let Some((host, _)) = plan.step(&attempt.step) else { return };
        let name = &host.host.name;
        let backed_up = world.host(name).is_some_and(|host| !host.backups.is_empty());
        if kind == StepKind::Fix && !host.without_backup && !backed_up {
            self.complain(at, Invariant::BackupBeforeFix, format!("{name} was fixed without a backup"));
        }
        let served = host.host.switch.is_some() && world.host(name).is_some_and(|h| h.traffic == Traffic::InService);
        if kind == StepKind::Restore && served {
            self.complain(
                at,
                Invariant::Order,
                format!("{name} was taken away to be restored while it was in service"),
            );
        }
        let other = self.running.keys().find(|other| other.step.host() == name.as_str() && *other != attempt).cloned();
        if let Some(other) = other
            // Going back while a job may still run is right only when asking for it led nowhere.
            && !(kind == StepKind::Restore && self.asked.contains(&other))
        {
            self.complain(at, Invariant::RunOnce, format!("{attempt} took effect while {other} still ran"));
        }
        self.affected.insert(attempt.step.clone());
        let times = self.effects.entry((name.clone(), kind)).or_insert(0);
        *times += 1;
        if *times > 1 && matches!(kind, StepKind::Fix | StepKind::Restart | StepKind::Reboot | StepKind::Restore) {
            let invariant = if kind == StepKind::Reboot { Invariant::OneReboot } else { Invariant::RunOnce };
            self.complain(at, invariant, format!("{kind} took effect twice on {name}"));
        }
        self.running.insert(attempt.clone(), kind);
    }

    /// The campaign says that it has ended.
    pub fn finish(&mut self, at: Timestamp, outcomes: &BTreeMap<HostName, (HostOutcome, Option<Reason>)>) {
        let plan = Arc::clone(&self.plan);
        for name in plan.hosts.keys() {
            let Some((outcome, reason)) = outcomes.get(name) else {
                self.complain(at, Invariant::Outcome, format!("{name} has no outcome"));
                continue;
            };
            if self.ended.get(name) != Some(outcome) {
                self.complain(at, Invariant::Outcome, format!("{name} is {outcome:?}, its record says otherwise"));
            }
            if !outcome.is_success() && reason.is_none() {
                self.complain(at, Invariant::Outcome, format!("{name} is {outcome:?} without a reason"));
            }
        }
        if let Some(name) = outcomes.keys().find(|name| !plan.hosts.contains_key(*name)) {
            self.complain(at, Invariant::Outcome, format!("{name} has an outcome and is not in the plan"));
        }
    }

    /// What contradicts this outcome on the host itself.
    fn untrue(&self, world: &SimWorld, plan: &HostPlan, outcome: HostOutcome) -> Option<String> {
        let name = &plan.host.name;
        let host = world.host(name)?;
        let before = self.before.get(name)?;
        if outcome == HostOutcome::Stuck {
            return None;
        }
        if host.traffic != Traffic::InService {
            return Some("it is out of service".to_owned());
        }
        if !host.serves() && !self.broke_late.contains(name) {
            return Some(format!("its service is down (power {:?})", host.power));
        }
        let running = self.running.keys().find(|attempt| attempt.step.host() == name.as_str());
        if let Some(running) = running {
            return Some(format!("{running} still runs"));
        }
        match outcome {
            HostOutcome::Fixed | HostOutcome::FixedPendingReboot | HostOutcome::NothingToDo => {
                let missing = plan.fix.packages.iter().find(|p| !host.has(&p.name, p.to.as_ref()));
                if let Some(missing) = missing {
                    return Some(format!("{} is not fixed", missing.name));
                }
                let pending = outcome == HostOutcome::FixedPendingReboot;
                (outcome != HostOutcome::NothingToDo && host.disk.reboot_required != pending)
                    .then(|| format!("reboot required: {}", host.disk.reboot_required))
            }
            _ => (host.disk.installed != before.installed).then(|| "its packages are not as before".to_owned()),
        }
    }
}

/// Why this step may not start now, were it the first disruptive one of its host.
fn outside_window(plan: &Plan, host: &HostPlan, step: &Step, at: Timestamp) -> Option<String> {
    let windows = plan.windows.get(host.windows.as_ref()?)?;
    let windows = union(windows.iter().map(|window| window.interval).collect());
    let rest = host.steps.iter().skip_while(|s| s.id != step.id);
    let back = host.steps.iter().flat_map(|s| &s.undo);
    let needed = rest.chain(back).fold(plan.rollout.margin, |sum, s| sum.plus(s.expected));
    let Some(window) = windows.iter().find(|window| window.contains(at)) else {
        return Some(format!("{} began outside every window", step.id));
    };
    let left = TimeSpan::between(at, window.end);
    (left < needed).then(|| format!("{} began with {left} left in its window and needs {needed}", step.id))
}
