//! Judges a journal by the invariants, from plan and records alone: it shares nothing with the machines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::{Effected, Record, RecordBody, StepResult};
use crate::model::{AttemptId, HostName, HostOutcome, StepId};
use crate::plan::{HostPlan, Plan, Step, StepKind};

/// What is known of a host from its records.
#[derive(Default)]
struct Seen {
    open: Option<AttemptId>,
    started: Vec<StepId>,
    results: BTreeMap<StepId, StepResult>,
    undo: bool,
    undone: Vec<StepId>,
    disrupted: bool,
    failed: bool,
    ended: Option<HostOutcome>,
}

/// Counts of what a journal showed, so that a test can tell that it tested something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub intents: u64,
    pub undos: u64,
    pub probes: u64,
    pub overruns: u64,
    pub pauses: u64,
    pub aborts: u64,
    pub jumps: u64,
    pub outcomes: BTreeMap<HostOutcome, u64>,
}

struct Judge<'a> {
    plan: &'a Plan,
    hosts: BTreeMap<HostName, Seen>,
    wave: Option<u32>,
    waves_ended: u32,
    paused: bool,
    aborted: bool,
    ended: bool,
    failures: u32,
    granted: u32,
    canary_lost: bool,
    shown: Shown,
}

/// Panics at the first record that breaks an invariant.
pub fn judge(plan: &Plan, records: &[Record]) -> Shown {
    let mut judge = Judge {
        plan,
        hosts: plan.hosts.keys().map(|host| (host.clone(), Seen::default())).collect(),
        wave: None,
        waves_ended: 0,
        paused: false,
        aborted: false,
        ended: false,
        failures: 0,
        granted: plan.rollout.failure_budget,
        canary_lost: false,
        shown: Shown::default(),
    };
    for record in records {
        judge.record(record);
    }
    judge.shown
}

fn all_steps(host: &HostPlan) -> impl Iterator<Item = &Step> {
    host.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo))
}

/// Whether the host itself may become another.
fn changes(step: &Step) -> bool {
    step.on.is_none() && matches!(step.kind, StepKind::Fix | StepKind::Promote)
}

/// Whether users may notice.
fn disrupts(step: &Step) -> bool {
    let notices = matches!(
        step.kind,
        StepKind::Switchover
            | StepKind::Drain
            | StepKind::Fix
            | StepKind::Promote
            | StepKind::Restart
            | StepKind::Reboot
    );
    step.on.is_none() && notices
}

impl Judge<'_> {
    fn record(&mut self, record: &Record) {
        assert!(!self.ended, "nothing follows the end: {record:?}");
        match &record.body {
            RecordBody::WaveStarted { wave } => {
                assert_eq!(*wave, self.waves_ended, "waves go in order");
                assert!(!self.paused && !self.aborted && self.wave.is_none() && !self.canary_lost);
                self.wave = Some(*wave);
            }
            RecordBody::WaveEnded { .. } => {
                let wave = &self.plan.rollout.waves[usize::try_from(self.wave.unwrap()).unwrap()];
                assert!(
                    wave.hosts.iter().all(|host| self.hosts[host].ended.is_some()),
                    "a wave ends with all its hosts"
                );
                self.wave = None;
                self.waves_ended += 1;
            }
            RecordBody::Intent { attempt, undo } => self.intent(record.at, attempt, *undo),
            RecordBody::Outcome { attempt, result } => self.outcome(attempt, result),
            RecordBody::Probing { attempt, .. } => {
                self.shown.probes += 1;
                assert_eq!(self.hosts[attempt.step.host()].open.as_ref(), Some(attempt));
            }
            RecordBody::UndoStarted { host, .. } => {
                self.shown.undos += 1;
                let seen = self.hosts.get_mut(host).unwrap();
                let cloned = seen.started.iter().any(|id| id.step() == "clone");
                assert!((seen.disrupted || cloned) && seen.open.is_none() && !seen.undo);
                seen.undo = true;
            }
            RecordBody::HostEnded { host, outcome, .. } => self.host_ended(host, *outcome),
            RecordBody::Overrun { window_end, .. } => {
                self.shown.overruns += 1;
                assert!(record.at > *window_end);
            }
            RecordBody::Paused { .. } => {
                self.shown.pauses += 1;
                self.canary_lost = false;
                self.paused = true;
            }
            RecordBody::Resumed { .. } => {
                self.paused = false;
                self.granted = self.granted.max(self.failures + 1);
            }
            RecordBody::Aborted { .. } => {
                self.shown.aborts += 1;
                self.aborted = true;
                self.paused = false;
            }
            RecordBody::ClockJump { .. } => self.shown.jumps += 1,
            RecordBody::CampaignEnded { outcomes } => {
                self.ended = true;
                let mut counted: BTreeMap<HostOutcome, u32> = BTreeMap::new();
                for seen in self.hosts.values() {
                    *counted.entry(seen.ended.unwrap()).or_default() += 1;
                }
                assert_eq!(*outcomes, counted, "every host is accounted for");
            }
            RecordBody::Gate { .. }
            | RecordBody::Approved(_)
            | RecordBody::Disapproved { .. }
            | RecordBody::WaveSoaking { .. }
            | RecordBody::CampaignStarted { .. }
            | RecordBody::ControllerStarted { .. } => {}
        }
        self.budgets();
    }

    fn intent(&mut self, at: Timestamp, attempt: &AttemptId, undo: bool) {
        self.shown.intents += 1;
        let host = attempt.step.host();
        let host_plan = &self.plan.hosts[host];
        let step = all_steps(host_plan).find(|step| step.id == attempt.step).unwrap();
        for need in step.needs.iter().filter(|_| !undo) {
            // 2 and 8: also what another host must show first.
            let done = self.hosts[need.host()].results.get(need);
            let well = matches!(done, Some(StepResult::Succeeded { .. } | StepResult::NothingToDo { .. }));
            let tidied = done.is_some() && self.plan.step(need).unwrap().1.kind == StepKind::Destroy;
            assert!(well || tidied, "{attempt} needs {need}");
        }
        let seen = self.hosts.get_mut(host).unwrap();
        // 6: never twice, never two at once.
        assert!(seen.ended.is_none() && seen.open.is_none(), "{attempt} while {:?} is open", seen.open);
        assert!(!seen.started.contains(&step.id) && !seen.undone.contains(&step.id), "{attempt} twice");
        seen.open = Some(attempt.clone());
        assert_eq!(undo, seen.undo);
        if undo {
            // 8: in reverse order, and only of what was begun and may have had an effect.
            seen.undone.push(step.id.clone());
            let effective = host_plan.steps.iter().rev().filter(|step| {
                let known_harmless =
                    matches!(seen.results.get(&step.id), Some(StepResult::Failed { effect: Effected::No, .. }));
                seen.started.contains(&step.id) && !known_harmless
            });
            // What has been destroyed, or was not to be destroyed, is not destroyed again.
            let destroyed = seen.started.iter().any(|id| id.step() == "destroy");
            let due: Vec<&StepId> = effective
                .flat_map(|step| &step.undo)
                .filter(|step| step.kind != StepKind::Destroy || !destroyed)
                .map(|step| &step.id)
                .collect();
            assert_eq!(due[..seen.undone.len()], seen.undone.iter().collect::<Vec<_>>(), "undo out of order");
            return;
        }
        let first = seen.started.is_empty();
        seen.started.push(step.id.clone());
        let disrupts = disrupts(step);
        let first_disruption = disrupts && !seen.disrupted;
        seen.disrupted |= disrupts;
        assert!(!self.aborted, "{attempt} begins after an abort");
        if first || !seen.disrupted || first_disruption {
            assert!(!self.paused, "{attempt} is something new in a pause");
            assert_eq!(self.wave, Some(host_plan.wave), "{attempt} out of its wave");
            // 7: after the failure budget is used up no further host is touched.
            assert!(self.failures < self.granted, "{attempt} begins with the failure budget used up");
        }
        if step.kind == StepKind::Fix && !host_plan.without_backup {
            // 1
            let backup = host_plan.steps.iter().find(|step| step.kind == StepKind::Backup).unwrap();
            assert!(matches!(seen.results.get(&backup.id), Some(StepResult::Succeeded { .. })));
        }
        if first_disruption {
            self.window(at, host_plan);
        }
    }

    /// 4: no disruptive start outside a window or without the reserve.
    fn window(&self, at: Timestamp, host: &HostPlan) {
        let Some(set) = &host.windows else { return };
        let disruptive = host.steps.iter().position(disrupts);
        let mut seconds = self.plan.rollout.margin.as_seconds();
        for step in &host.steps[disruptive.unwrap()..] {
            seconds += step.expected.as_seconds();
            seconds += step.undo.iter().map(|step| step.expected.as_seconds()).sum::<u64>();
        }
        // Windows may touch: what counts is that every second until then lies in one of them.
        let needed = at.as_second()..=at.as_second() + i64::try_from(seconds).unwrap() - 1;
        let windows = &self.plan.windows[set];
        let covered = needed.clone().all(|second| {
            let second = Timestamp::from_second(second).unwrap();
            windows.iter().any(|w| w.interval.start <= second && second < w.interval.end)
        });
        assert!(covered, "host {} starts at {at} without {seconds} s left in {windows:?}", host.host.name);
    }

    fn outcome(&mut self, attempt: &AttemptId, result: &StepResult) {
        let seen = self.hosts.get_mut(attempt.step.host()).unwrap();
        assert_eq!(seen.open.as_ref(), Some(attempt), "a result of something that does not run");
        if matches!(result, StepResult::Unknown { .. }) {
            return;
        }
        seen.open = None;
        let tidies = self.plan.step(&attempt.step).unwrap().1.kind == StepKind::Destroy;
        let failed = matches!(result, StepResult::Failed { .. }) && !tidies;
        if failed && seen.disrupted && !seen.failed {
            seen.failed = true;
            self.failures += 1;
        }
        seen.results.insert(attempt.step.clone(), result.clone());
    }

    fn host_ended(&mut self, host: &HostName, outcome: HostOutcome) {
        *self.shown.outcomes.entry(outcome).or_default() += 1;
        let plan = &self.plan.hosts[host];
        let seen = self.hosts.get_mut(host).unwrap();
        // 5
        assert!(seen.ended.is_none() && seen.open.is_none());
        seen.ended = Some(outcome);
        if outcome == HostOutcome::Stuck && !seen.failed {
            seen.failed = true;
            self.failures += 1;
        }
        let went_well = |step: &Step| {
            step.kind == StepKind::Destroy
                || matches!(
                    seen.results.get(&step.id),
                    Some(StepResult::Succeeded { .. } | StepResult::NothingToDo { .. })
                )
        };
        let undone: Vec<&Step> =
            plan.steps.iter().flat_map(|step| &step.undo).filter(|s| seen.undone.contains(&s.id)).collect();
        match outcome {
            HostOutcome::Fixed | HostOutcome::FixedPendingReboot | HostOutcome::Proven => {
                assert!(!seen.undo && plan.steps.iter().all(went_well));
            }
            HostOutcome::NothingToDo => {
                let last = seen.started.last().unwrap();
                assert!(!seen.disrupted && last.step().starts_with("preflight"));
                assert!(matches!(seen.results[last], StepResult::NothingToDo { .. }));
            }
            HostOutcome::Untouched => {
                let fixed = plan.steps.iter().filter(|step| changes(step)).any(|step| {
                    let harmless =
                        matches!(seen.results.get(&step.id), Some(StepResult::Failed { effect: Effected::No, .. }));
                    seen.started.contains(&step.id) && !harmless
                });
                assert!(!fixed && undone.iter().all(|step| went_well(step)));
                if seen.disrupted {
                    assert!(seen.undo, "what was drained is put back into service");
                }
            }
            HostOutcome::Restored => {
                assert!(undone.iter().all(|step| went_well(step)));
                assert!(undone.iter().any(|step| step.kind == StepKind::Restore));
                assert!(undone.iter().any(|step| step.kind == StepKind::VerifyRestored));
                let drained = seen.started.iter().any(|id| id.step() == "drain");
                let back = |step: &&Step| matches!(step.kind, StepKind::Undrain | StepKind::SwitchBack);
                assert!(!drained || undone.iter().any(back));
            }
            HostOutcome::Stuck => {
                let failed =
                    |id: &StepId| id.step() != "undo-clone" && matches!(seen.results[id], StepResult::Failed { .. });
                let after = seen.undone.iter().position(failed);
                match after {
                    Some(position) => assert_eq!(position + 1, seen.undone.len(), "nothing follows a failed undo"),
                    None => assert!(plan.without_backup && seen.undone.is_empty()),
                }
            }
            HostOutcome::SwitchedBack => {
                let kinds: Vec<StepKind> = undone.iter().map(|step| step.kind).collect();
                assert!(kinds.contains(&StepKind::SwitchBack) && kinds.contains(&StepKind::VerifyOriginal));
                assert!(undone.iter().all(|step| went_well(step)) && !kinds.contains(&StepKind::Restore));
            }
        }
        // 5: a clone is destroyed, or took its host's place; a stuck host is left as it is.
        let begun = |id: &str| seen.started.iter().chain(&seen.undone).any(|step| step.step() == id);
        let made = plan.steps.iter().find(|step| step.kind == StepKind::Clone).is_some_and(|step| {
            let harmless = matches!(seen.results.get(&step.id), Some(StepResult::Failed { effect: Effected::No, .. }));
            seen.started.contains(&step.id) && !harmless
        });
        let gone = begun("destroy") || begun("undo-clone") || (outcome.is_success() && begun("promote"));
        assert!(!made || gone || outcome == HostOutcome::Stuck, "the clone of {host} is left behind: {outcome:?}");
        // 11
        for on_clone in [false, true] {
            let reboots = all_steps(plan).filter(|step| step.kind == StepKind::Reboot && step.on.is_some() == on_clone);
            assert!(reboots.filter(|step| seen.started.contains(&step.id)).count() <= 1);
        }
        let wave = &self.plan.rollout.waves[usize::try_from(plan.wave).unwrap()];
        let success =
            matches!(outcome, HostOutcome::Fixed | HostOutcome::FixedPendingReboot | HostOutcome::NothingToDo);
        if wave.name.as_str() == "canary" && !success && !self.aborted {
            self.canary_lost = true;
        }
    }

    /// 3 and the other limits, at every record.
    fn budgets(&self) {
        let mut unavailable: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut pools: BTreeMap<&str, u32> = BTreeMap::new();
        let mut worked_on = 0;
        let mut at_risk = 0;
        for (host, seen) in &self.hosts {
            let running = !seen.started.is_empty() && seen.ended.is_none();
            worked_on += u32::from(running);
            for pool in self.plan.hosts[host].pools.iter().filter(|_| running) {
                *pools.entry(pool.as_str()).or_default() += 1;
            }
            at_risk += u32::from(running && seen.disrupted && !seen.failed);
            let down = seen.disrupted && seen.ended.is_none_or(|outcome| outcome == HostOutcome::Stuck);
            if let Some(group) = self.plan.hosts[host].group.as_ref().filter(|_| down) {
                unavailable.entry(group.as_str()).or_default().insert(host.as_str());
            }
        }
        for (group, down) in unavailable {
            let max = self.plan.rollout.groups[group].max_unavailable;
            assert!(down.len() <= usize::try_from(max).unwrap(), "{down:?} of {group} are unavailable, {max} may be");
        }
        assert!(worked_on <= self.plan.rollout.concurrency);
        assert!(pools.iter().all(|(pool, count)| *count <= self.plan.rollout.pools[*pool].hosts), "{pools:?}");
        assert!(
            at_risk == 0 || self.failures + at_risk <= self.granted + 1,
            "{} failed, {at_risk} may, {} were granted",
            self.failures,
            self.granted
        );
    }
}
