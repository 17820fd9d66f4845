//! The invariants of a campaign, judged by what truly happens in the simulated world.
//!
//! Nothing here asks the engine what it believes: the monitor sees what controllers ask for, what hosts do, and the
//! journal. It is written apart from the engine and shares no code with its gates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Approval, Mode, Record, RecordBody, StepResult};
use crate::model::{AttemptId, Digest, HostName, HostOutcome, PackageFix, PackageName, StepId, TimeSpan, union};
use crate::plan::{HostPlan, Plan, Reason, Step, StepKind};

use super::{Disk, Fault, Observation, Power, SimHost, SimWorld, Traffic};

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
    /// Nothing is done to a host before those that speak for it have proven the fix.
    PilotFirst,
    /// Never more hosts of a group unavailable than its budget.
    DisruptionBudget,
    /// Never more hosts worked on, of all and of a pool, than may be.
    Concurrency,
    /// No disruptive start outside a window or without the time to go back.
    Window,
    /// Every host ends in exactly one state, and is what that state says.
    Outcome,
    /// Every clone is destroyed, has taken its host's place, or is known to its provider as kept or overdue; an original
    /// is kept until it is released.
    Leftover,
    /// No request is sent to a clone that is gone or off.
    Traffic,
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
    /// What a search found to break a host is fixed on none for which it speaks, and is found in few trials.
    Blame,
    /// No host begins without the approvals that the plan wants, unexpired.
    Approval,
    /// A campaign comes to its end, or says that it is paused.
    Progress,
}

/// Watches one campaign.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) plan: Arc<Plan>,
    pub(super) before: BTreeMap<HostName, Disk>,
    pub violations: Vec<Violation>,
    /// What people have approved, by what they signed.
    pub(super) approved: BTreeMap<Digest, Approval>,
    /// What each search found.
    pub(super) blamed: BTreeMap<StepId, BTreeSet<PackageName>>,
    /// The trials of each search since it last began.
    pub(super) trials: BTreeMap<StepId, u32>,
    /// When each was decided on, by the clock of the controller: it cannot know a better time.
    intents: BTreeMap<AttemptId, Timestamp>,
    /// Attempts that somebody looked at again, or that are known to have failed.
    asked: BTreeSet<AttemptId>,
    started: BTreeSet<AttemptId>,
    /// How often each kind took effect, by the clone it worked on, if it did on one, and by host.
    effects: BTreeMap<(Option<StepId>, HostName, StepKind), u32>,
    /// Steps that took effect.
    affected: BTreeSet<StepId>,
    running: BTreeMap<AttemptId, StepKind>,
    begun: BTreeSet<StepId>,
    succeeded: BTreeSet<StepId>,
    /// Steps that succeeded, and the fix truly was there then and the service well.
    proven: BTreeSet<StepId>,
    /// Hosts that were changed, clones aside.
    changed: BTreeSet<HostName>,
    /// Hosts whose place a clone took.
    promoted: BTreeSet<HostName>,
    /// Hosts whose clone was ready only when it had been given up.
    late: BTreeSet<HostName>,
    ended: BTreeMap<HostName, HostOutcome>,
    /// Hosts whose service broke when nobody watched them any more.
    broke_late: BTreeSet<HostName>,
    /// Hosts that have begun and not ended.
    at_work: BTreeSet<HostName>,
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
            approved: BTreeMap::new(),
            blamed: BTreeMap::new(),
            trials: BTreeMap::new(),
            intents: BTreeMap::new(),
            asked: BTreeSet::new(),
            started: BTreeSet::new(),
            effects: BTreeMap::new(),
            affected: BTreeSet::new(),
            running: BTreeMap::new(),
            begun: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            proven: BTreeSet::new(),
            changed: BTreeSet::new(),
            promoted: BTreeSet::new(),
            late: BTreeSet::new(),
            ended: BTreeMap::new(),
            broke_late: BTreeSet::new(),
            at_work: BTreeSet::new(),
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
            RecordBody::Approved(approval) => drop(self.approved.insert(approval.statement, approval.clone())),
            RecordBody::Disapproved { statement, .. } => drop(self.approved.remove(statement)),
            RecordBody::Intent { attempt, undo } => {
                if !undo {
                    self.is_approved(record.at, attempt);
                }
                let new = self.intents.insert(attempt.clone(), record.at).is_none();
                self.expect(new, record.at, Invariant::RunOnce, || format!("{attempt} has two intents"));
                self.works(record.at, attempt);
            }
            RecordBody::HostEnded { host, outcome, .. } => {
                self.at_work.remove(host);
                let first = self.ended.insert(host.clone(), *outcome).is_none();
                self.expect(first, record.at, Invariant::Outcome, || format!("{host} ended twice"));
                let plan = Arc::clone(&self.plan);
                let plan = plan.hosts.get(host);
                if let Some(what) = plan.and_then(|plan| self.untrue(world, plan, *outcome)) {
                    self.complain(record.at, Invariant::Outcome, format!("{host} ends as {outcome:?}, but {what}"));
                }
                if let Some(what) = plan.and_then(|plan| self.leftover(world, plan, *outcome)) {
                    self.complain(record.at, Invariant::Leftover, format!("{host} ends as {outcome:?}, but {what}"));
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

    /// A host begins, or goes on.
    fn works(&mut self, at: Timestamp, attempt: &AttemptId) {
        let plan = Arc::clone(&self.plan);
        let Some((host, _)) = plan.step(&attempt.step) else { return };
        if !self.at_work.insert(host.host.name.clone()) {
            return;
        }
        let all = self.at_work.len();
        let limit = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        self.expect(all <= limit(plan.rollout.concurrency), at, Invariant::Concurrency, || {
            format!("{all} hosts at once")
        });
        for (name, pool) in plan.rollout.pools.iter().filter(|(name, _)| host.pools.contains(*name)) {
            let of_pool = |host: &&HostName| plan.hosts.get(*host).is_some_and(|host| host.pools.contains(name));
            let hosts = self.at_work.iter().filter(of_pool).count();
            self.expect(hosts <= limit(pool.hosts), at, Invariant::Concurrency, || {
                format!("{hosts} hosts of {name} at once")
            });
        }
    }

    /// Something was seen; `world` is as it is behind it.
    pub fn saw(&mut self, at: Timestamp, world: &SimWorld, observation: &Observation) {
        match observation {
            Observation::Begun { attempt, mode, .. } => self.begun(at, world, attempt, *mode),
            Observation::Trial { attempt } => *self.trials.entry(attempt.step.clone()).or_insert(0) += 1,
            Observation::Answered { attempt, result, .. } => match result {
                StepResult::Succeeded { facts, .. } => {
                    self.found(at, &attempt.step, facts);
                    self.succeeded.insert(attempt.step.clone());
                    if self.shows_the_fix(world, &attempt.step) {
                        self.proven.insert(attempt.step.clone());
                    }
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
            Observation::EffectEnded { attempt, kind, well } => {
                self.running.remove(attempt);
                if matches!(kind, StepKind::Fix | StepKind::Promote) {
                    self.leaves_out(at, world, &attempt.step);
                }
                if let Some((plan, _)) = self.plan.step(&attempt.step).filter(|_| *well) {
                    let name = &plan.host.name;
                    let given_up =
                        || all_steps(plan).any(|s| s.kind == StepKind::Destroy && self.begun.contains(&s.id));
                    match kind {
                        StepKind::Promote => drop(self.promoted.insert(name.clone())),
                        StepKind::Clone if given_up() => drop(self.late.insert(name.clone())),
                        _ => {}
                    }
                }
            }
            // What somebody else did is part of what was before.
            Observation::FaultReached { host, fault: Fault::FixedMeanwhile } => {
                let disk = world.host(host).map(|host| host.disk.clone());
                disk.map(|disk| self.before.insert(host.clone(), disk));
            }
            _ => {}
        }
    }

    /// Between two events: where requests go, and how many hosts of each group are unavailable.
    pub fn between(&mut self, at: Timestamp, world: &SimWorld) {
        for name in self.plan.hosts.keys() {
            let switched =
                world.host(name).is_some_and(|host| host.traffic == Traffic::InService && !host.gets_requests());
            if switched && world.serving(name).is_none_or(|clone| clone.power == Power::Down) {
                let what = format!("requests of {name} are sent to a clone that is gone or off");
                self.complain(at, Invariant::Traffic, what);
                break;
            }
        }
        let mut down: BTreeMap<_, Vec<&HostName>> = BTreeMap::new();
        for (name, host) in &self.plan.hosts {
            let in_chain = || host.steps.iter().any(|s| s.is_disruptive() && self.begun.contains(&s.id));
            let is_down = |sim: &SimHost| !sim.is_well() || (sim.is_cut_off() && in_chain());
            if let Some(group) = &host.group
                && !self.broke_late.contains(name)
                && world.serving(name).is_none_or(is_down)
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

    fn begun(&mut self, at: Timestamp, world: &SimWorld, attempt: &AttemptId, mode: Mode) {
        let plan = Arc::clone(&self.plan);
        let Some((host, step)) = plan.step(&attempt.step) else { return };
        let name = &host.host.name;
        let decided = self.intents.get(attempt).copied();
        if decided.is_none() {
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
        if mode == Mode::Start && step.is_disruptive() && step.kind != StepKind::Restore {
            let first = !host.steps.iter().any(|s| s.is_disruptive() && self.begun.contains(&s.id));
            if first && let Some(what) = outside_window(&plan, host, step, decided.unwrap_or(at)) {
                self.complain(at, Invariant::Window, what);
            }
        }
        self.trials.remove(&step.id);
        self.begun.insert(step.id.clone());
    }

    fn order(&mut self, at: Timestamp, host: &HostPlan, step: &Step) {
        // What only deletes may fail: nothing waits for it but its turn.
        let tidied = |need: &StepId| {
            let step = self.plan.step(need).map(|(_, step)| step);
            step.is_some_and(|step| step.kind.is_tidying()) && self.begun.contains(need)
        };
        let missing = step.needs.iter().find(|need| !self.is_met(&self.succeeded, need) && !tidied(need));
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
            .flat_map(|later| &later.undo)
            .all(|undo| self.succeeded.contains(&undo.id) || undo.kind.is_tidying());
        if !later_undone {
            self.complain(at, Invariant::Order, format!("{} began before later steps were taken back", step.id));
        }
    }

    /// Whether a step is among these, or one that was done instead of it.
    fn is_met(&self, among: &BTreeSet<StepId>, need: &StepId) -> bool {
        let host = self.plan.step(need).map(|(host, _)| host);
        let mut instead = host.into_iter().flat_map(|host| &host.steps).filter(|step| step.stands_for.contains(need));
        among.contains(need) || instead.any(|step| among.contains(&step.id))
    }

    fn effect(&mut self, at: Timestamp, world: &SimWorld, attempt: &AttemptId, kind: StepKind) {
        let plan = Arc::clone(&self.plan);
        let Some((host, step)) = plan.step(&attempt.step) else { return };
        let name = &host.host.name;
        let back = host.steps.iter().all(|s| s.id != step.id);
        let changes = step.on.is_none() && (kind.is_change() || kind == StepKind::Promote);
        let backed_up = world.host(name).is_some_and(|host| !host.backups.is_empty());
        if changes && !host.without_backup && !backed_up {
            self.complain(at, Invariant::BackupBeforeFix, format!("{name} was changed without a backup"));
        }
        if changes {
            self.changed.insert(name.clone());
        }
        if step.is_disruptive() && !back {
            let unproven =
                host.steps.iter().flat_map(Step::foreign_needs).find(|need| !self.is_met(&self.proven, need));
            if let Some(unproven) = unproven {
                let what = format!("{attempt} took effect on {name} though {unproven} has not proven the fix");
                self.complain(at, Invariant::PilotFirst, what);
            }
        }
        self.served(at, world, host, kind);
        let excused = |(other, kind): &(&AttemptId, &StepKind)| {
            // Going back while a job may still run is right only when asking for it led nowhere.
            kind.is_tidying() || (back && self.asked.contains(*other))
        };
        let others = self.running.iter().filter(|(other, _)| other.step.host() == name.as_str() && *other != attempt);
        if let Some((other, _)) = others.into_iter().find(|other| !excused(other)) {
            let what = format!("{attempt} took effect while {other} still ran");
            self.complain(at, Invariant::RunOnce, what);
        }
        self.affected.insert(attempt.step.clone());
        let times = self.effects.entry((step.on.clone(), name.clone(), kind)).or_insert(0);
        *times += 1;
        let once = kind.is_change() || matches!(kind, StepKind::Restore | StepKind::Clone | StepKind::Promote);
        if *times > 1 && once {
            let invariant = if kind == StepKind::Reboot { Invariant::OneReboot } else { Invariant::RunOnce };
            let on = if step.on.is_some() { "the clone of " } else { "" };
            self.complain(at, invariant, format!("{kind} took effect twice on {on}{name}"));
        }
        self.running.insert(attempt.clone(), kind);
    }

    /// Nobody is taken away who gets requests.
    fn served(&mut self, at: Timestamp, world: &SimWorld, host: &HostPlan, kind: StepKind) {
        let name = &host.host.name;
        let Some(sim) = world.host(name).filter(|sim| sim.traffic == Traffic::InService) else { return };
        let taken = match kind {
            StepKind::Restore if host.host.switch.is_some() && sim.gets_requests() => "it was restored",
            StepKind::Promote => "a clone took its place",
            StepKind::Destroy if !sim.gets_requests() => "its clone, which gets its requests, was destroyed",
            _ => return,
        };
        self.complain(at, Invariant::Order, format!("{name} was in service when {taken}"));
    }

    /// Whether what a watched or verified system showed is true.
    fn shows_the_fix(&self, world: &SimWorld, step: &StepId) -> bool {
        let Some((plan, step)) = self.plan.step(step) else { return false };
        let there = match (step.kind, &step.on) {
            (StepKind::Verify, Some(_)) | (StepKind::Bisect, None) => {
                world.clones(&plan.host.name).map(|(clone, _)| clone).next()
            }
            (StepKind::Soak, None) => world.host(&plan.host.name),
            _ => None,
        };
        there.is_some_and(|there| there.serves() && self.unfixed(plan, there).is_none())
    }

    /// The campaign says that it has ended.
    pub fn finish(
        &mut self,
        at: Timestamp,
        world: &SimWorld,
        outcomes: &BTreeMap<HostName, (HostOutcome, Option<Reason>)>,
    ) {
        let plan = Arc::clone(&self.plan);
        for (name, host) in &plan.hosts {
            let Some((outcome, reason)) = outcomes.get(name) else {
                self.complain(at, Invariant::Outcome, format!("{name} has no outcome"));
                continue;
            };
            if self.ended.get(name) != Some(outcome) {
                self.complain(at, Invariant::Outcome, format!("{name} is {outcome:?}, its record says otherwise"));
            }
            if let Some(what) = self.leftover(world, host, *outcome) {
                self.complain(at, Invariant::Leftover, format!("at the end {name}, {outcome:?}: {what}"));
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
        if !host.gets_requests() {
            return Some(format!("its requests do not go to it (traffic {:?} to {})", host.traffic, host.goes_to));
        }
        if !host.serves() && !self.broke_late.contains(name) {
            return Some(format!("its service is down (power {:?})", host.power));
        }
        let harms = |(attempt, kind): &(&AttemptId, &StepKind)| {
            let step = plan.steps.iter().find(|step| step.id == attempt.step);
            let on_clone = **kind == StepKind::Clone || step.is_some_and(|step| step.on.is_some());
            attempt.step.host() == name.as_str() && !on_clone && !kind.is_tidying()
        };
        if let Some((running, _)) = self.running.iter().find(harms) {
            return Some(format!("{running} still runs"));
        }
        match outcome {
            HostOutcome::Fixed | HostOutcome::FixedPendingReboot | HostOutcome::NothingToDo => {
                if let Some(missing) = self.unfixed(plan, host) {
                    return Some(format!("{missing} is not fixed"));
                }
                if outcome == HostOutcome::NothingToDo {
                    return self.changed.contains(name).then(|| "it was changed".to_owned());
                }
                let pending = outcome == HostOutcome::FixedPendingReboot;
                (host.disk.reboot_required != pending)
                    .then(|| format!("reboot required: {}", host.disk.reboot_required))
            }
            HostOutcome::Untouched | HostOutcome::SwitchedBack | HostOutcome::Proven if self.changed.contains(name) => {
                Some("it was changed".to_owned())
            }
            _ => (host.disk.installed != before.installed).then(|| "its packages are not as before".to_owned()),
        }
    }

    /// A package of the fix that is not there and that no search blames.
    fn unfixed<'p>(&self, plan: &'p HostPlan, there: &SimHost) -> Option<&'p PackageName> {
        let missing = |p: &&PackageFix| {
            !there.has(&p.name, p.to.as_ref()) && !self.blamed_for(plan).any(|blamed| *blamed == p.name)
        };
        plan.fix.packages.iter().find(missing).map(|p| &p.name)
    }

    /// What is left behind of a host that has ended and nobody knows of, or is gone too soon. A stuck host is left as it
    /// is, for a person.
    fn leftover(&self, world: &SimWorld, plan: &HostPlan, outcome: HostOutcome) -> Option<String> {
        let name = &plan.host.name;
        if outcome == HostOutcome::Stuck {
            return None;
        }
        let steps = |kind: StepKind| all_steps(plan).filter(move |step| step.kind == kind).map(|step| &step.id);
        let asked = steps(StepKind::Destroy).any(|step| self.begun.contains(step));
        let destroyed = steps(StepKind::Destroy).any(|step| self.succeeded.contains(step));
        // Its provider could not destroy it, or had not made it then: what it lists is overdue one day.
        let overdue = self.late.contains(name) || (asked && !destroyed);
        let leaked = world.clones(name).find(|(_, of)| of.kept_until.is_none() && !overdue);
        if let Some((clone, _)) = leaked {
            return Some(format!("{} is left behind", clone.host.name));
        }
        let host = world.host(name)?;
        let released = steps(StepKind::Release).any(|step| self.succeeded.contains(step));
        if self.promoted.contains(name) && outcome.is_success() && host.originals.is_empty() != released {
            return Some(format!("it has {} originals, released: {released}", host.originals.len()));
        }
        let backed_up = steps(StepKind::Backup).any(|step| self.succeeded.contains(step));
        let wrong = backed_up && host.backups.is_empty() != released;
        wrong.then(|| format!("it has {} backups, released: {released}", host.backups.len()))
    }
}

fn all_steps(plan: &HostPlan) -> impl Iterator<Item = &Step> {
    plan.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo))
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
