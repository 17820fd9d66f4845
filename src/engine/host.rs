//! One host's walk through its steps, and its way back: a pure machine.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{HostName, HostOutcome, StepId, Strategy, TimeSpan};
use crate::plan::{Action, HostPlan, Reason, Step, StepKind};

#[cfg(test)]
use super::planted::{Defect, planted};
use super::{Effected, GateVerdict, IllegalTransition, StepResult};

/// Added to a step's own time limit before an attempt whose result is unknown counts as failed: the limit must have
/// run out on the host as well, and a lost host is asked over a new connection, which takes its time to fail.
pub const GRACE: TimeSpan = TimeSpan::seconds(60);

/// The first and the longest pause between two looks at an attempt whose result is unknown. The first is short because
/// most losses are a dropped connection; the longest keeps a fleet that lost its network from being hammered.
const BACKOFF: (u64, u64) = (1, 60);

/// The fact of a verify step that says that only a reboot is missing.
const REBOOT_PENDING: &str = "reboot_pending";

/// The fact of a verify step that names what was left out of the fix.
const LEFT_OUT: &str = "left_out";

/// Where one host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostMachine {
    /// How the forward steps ended so far, in the plan's order.
    walked: Vec<StepEnd>,
    running: Option<Running>,
    chain: Option<Chained>,
    undo: Option<Undo>,
    facts: BTreeMap<StepId, BTreeMap<String, String>>,
    backed_up: Option<Timestamp>,
    /// What the gates said last, until the next step begins.
    gate: Option<GateVerdict>,
    ended: Option<HostEnd>,
}

/// The reason of a host that was fixed without some packages, as its code and the beginning of its text.
const PACKAGES_LEFT_OUT: &str = "packages-left-out";
const WERE_LEFT_OUT: &str = "they broke a clone and were left out: ";

/// The packages that a host was fixed without, by the reason that it ended with.
pub(crate) fn packages_left_out(reason: &Reason) -> impl Iterator<Item = &str> {
    let names = reason.text.strip_prefix(WERE_LEFT_OUT).filter(|_| reason.code == PACKAGES_LEFT_OUT);
    names.unwrap_or_default().split_whitespace()
}

/// How a forward step ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum StepEnd {
    Succeeded,
    NothingToDo,
    Failed {
        reason: Reason,
        effect: Effected,
    },
    /// It failed, and a later step is done instead of it.
    Replaced {
        reason: Reason,
    },
    /// It was not needed.
    Skipped,
}

impl StepEnd {
    const fn may_have_effect(&self) -> bool {
        !matches!(self, Self::Failed { effect: Effected::No, .. } | Self::Skipped)
    }
}

/// An attempt whose end is not in the journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Running {
    step: StepId,
    since: Timestamp,
    probes: u32,
    /// Set between a result that says nothing and the next look.
    unknown: Option<Reason>,
}

/// The disruptive part has begun.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Chained {
    window_end: Option<Timestamp>,
    overrun: bool,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Undo {
    reason: Reason,
    steps: Vec<StepId>,
    done: usize,
    failed: Option<Reason>,
    /// Where the host ends if all goes well.
    outcome: HostOutcome,
}

/// Where a host ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostEnd {
    /// In which state.
    pub outcome: HostOutcome,
    /// Why, unless it is fixed.
    pub reason: Option<Reason>,
}

/// What a host wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostCommand {
    /// Nothing until a running attempt has a result.
    Await,
    /// Start this step, if the gates let it.
    Start {
        /// The step.
        step: StepId,
        /// Whether it takes something back; then no gate may hold it.
        undo: bool,
    },
    /// Look at the running attempt again.
    Probe {
        /// The step.
        step: StepId,
        /// Counts from 1.
        probe: u32,
        /// How long to wait before.
        delay: TimeSpan,
    },
    /// The running attempt stayed unknown past its time: it counts as failed.
    GiveUp {
        /// The step.
        step: StepId,
        /// The result to record.
        result: StepResult,
    },
    /// Go back.
    GoBack {
        /// Why.
        reason: Reason,
    },
    /// The host reached a final state.
    End(HostEnd),
    /// It has ended.
    Done,
}

impl HostMachine {
    /// What is to be done next; `stop` is why the campaign is aborted, if it is.
    pub fn next(&self, plan: &HostPlan, stop: Option<&Reason>, now: Timestamp) -> HostCommand {
        if self.ended.is_some() {
            return HostCommand::Done;
        }
        if let Some(running) = &self.running {
            return running.next(plan, now);
        }
        if let Some(undo) = &self.undo {
            return undo.next();
        }
        match self.walked.last() {
            Some(StepEnd::Failed { reason, .. }) => return self.turn_round(plan, reason),
            Some(StepEnd::NothingToDo) if self.needs_nothing(plan) => {
                if !self.owes(plan) {
                    return HostCommand::End(HostEnd { outcome: HostOutcome::NothingToDo, reason: None });
                }
                let text = "a clone of it needs nothing: it was fixed by somebody else meanwhile";
                return HostCommand::GoBack { reason: Reason::new("nothing-to-do", text) };
            }
            _ => {}
        }
        let Some(step) = plan.steps.get(self.walked.len()) else {
            let outcome = match plan.strategy {
                Strategy::Drill => HostOutcome::Proven,
                _ if self.reboot_is_pending(plan) => HostOutcome::FixedPendingReboot,
                _ => HostOutcome::Fixed,
            };
            return HostCommand::End(HostEnd { outcome, reason: self.left_out(plan) });
        };
        match stop {
            Some(reason) => self.turn_round(plan, reason),
            None => HostCommand::Start { step: step.id.clone(), undo: false },
        }
    }

    /// Before the disruptive part there is only a clone that may have to be taken back.
    fn turn_round(&self, plan: &HostPlan, reason: &Reason) -> HostCommand {
        let reason = reason.clone();
        if self.owes(plan) {
            HostCommand::GoBack { reason }
        } else {
            HostCommand::End(HostEnd { outcome: HostOutcome::Untouched, reason: Some(reason) })
        }
    }

    /// Whether something that was done must be taken back if the host does not go on.
    pub(super) fn owes(&self, plan: &HostPlan) -> bool {
        #[cfg(test)]
        if planted(Defect::GivesUpTheHost) {
            return false;
        }
        self.chain.is_some() || self.way_back(plan).next().is_some()
    }

    /// Whether the last step found that the system needs nothing any more.
    fn needs_nothing(&self, plan: &HostPlan) -> bool {
        matches!(self.walked.last(), Some(StepEnd::NothingToDo))
            && self.last(plan).is_some_and(|step| step.kind == StepKind::Preflight)
    }

    fn last<'p>(&self, plan: &'p HostPlan) -> Option<&'p Step> {
        self.walked.len().checked_sub(1).and_then(|i| plan.steps.get(i))
    }

    /// Steps that were done, or may have been.
    fn done<'p>(&self, plan: &'p HostPlan) -> impl DoubleEndedIterator<Item = &'p Step> {
        let ends = plan.steps.iter().zip(self.walked.iter());
        let done: Vec<&Step> = ends.filter(|(_, end)| end.may_have_effect()).map(|(step, _)| step).collect();
        done.into_iter()
    }

    /// What takes it back, last first. A clone that was destroyed on the way is not destroyed again.
    fn way_back<'p>(&self, plan: &'p HostPlan) -> impl Iterator<Item = &'p Step> {
        let destroyed: Vec<&StepId> = self
            .done(plan)
            .filter_map(|step| match &step.action {
                Action::Destroy { clone, .. } => Some(clone),
                _ => None,
            })
            .collect();
        let due =
            move |step: &&Step| !matches!(&step.action, Action::Destroy { clone, .. } if destroyed.contains(&clone));
        #[cfg(test)]
        let due = move |step: &&Step| due(step) && !(step.kind == StepKind::Destroy && planted(Defect::LeavesTheClone));
        self.done(plan).rev().flat_map(|step| &step.undo).filter(due)
    }

    /// What was left out of the fix, as its last look at the host says.
    fn left_out(&self, plan: &HostPlan) -> Option<Reason> {
        let verify = plan.steps.iter().rev().find(|step| step.kind == StepKind::Verify && step.on.is_none())?;
        let names = self.facts.get(&verify.id)?.get(LEFT_OUT).filter(|names| !names.is_empty())?;
        Some(Reason::new(PACKAGES_LEFT_OUT, format!("{WERE_LEFT_OUT}{names}")))
    }

    fn reboot_is_pending(&self, plan: &HostPlan) -> bool {
        plan.steps
            .iter()
            // A clone that needed a reboot has had it when it took the host's place.
            .filter(|step| step.kind == StepKind::Verify && step.on.is_none())
            .filter_map(|step| self.facts.get(&step.id)?.get(REBOOT_PENDING))
            .any(|value| value == "true")
    }

    /// A step begins. `window_end` is the end of the window it starts in, kept for the first disruptive one.
    pub(super) fn begin(
        &mut self,
        plan: &HostPlan,
        step: &StepId,
        undo: bool,
        now: Timestamp,
        window_end: Option<Timestamp>,
    ) -> Result<(), IllegalTransition> {
        match self.next(plan, None, now) {
            HostCommand::Start { step: due, undo: back } if due == *step && back == undo => {}
            other => return illegal(format!("step {step} cannot begin: its host is due for {other:?}")),
        }
        if !undo && find(plan, step).is_some_and(Step::is_disruptive) && self.chain.is_none() {
            self.chain = Some(Chained { window_end, overrun: false });
        }
        self.gate = None;
        self.running = Some(Running { step: step.clone(), since: now, probes: 0, unknown: None });
        Ok(())
    }

    /// The running attempt has a result.
    pub(super) fn finish(
        &mut self,
        plan: &HostPlan,
        step: &StepId,
        result: &StepResult,
        now: Timestamp,
    ) -> Result<(), IllegalTransition> {
        let Some(running) = self.running.as_mut().filter(|running| running.step == *step) else {
            return illegal(format!("step {step} has a result but is not running"));
        };
        #[cfg(test)]
        let wrong = match result {
            StepResult::Unknown { .. } if planted(Defect::SkipsTheProbe) => Some(()),
            StepResult::Failed { .. } if planted(Defect::FixesWithoutBackup) && step.step() == "backup" => Some(()),
            _ => None,
        };
        #[cfg(test)]
        let result = &wrong.map_or(result.clone(), |()| StepResult::Succeeded { facts: BTreeMap::new(), note: None });
        if let StepResult::Unknown { reason } = result {
            if running.unknown.replace(reason.clone()).is_some() {
                return illegal(format!("step {step} is unknown twice without a look in between"));
            }
            return Ok(());
        }
        self.running = None;
        if let StepResult::Succeeded { facts, .. } = result
            && !facts.is_empty()
        {
            self.facts.insert(step.clone(), facts.clone());
        }
        // What cannot be deleted is listed by its provider; for the host it changes nothing.
        let tidies = find(plan, step).is_some_and(|step| step.kind.is_tidying());
        if let Some(undo) = &mut self.undo {
            match result {
                StepResult::Failed { reason, .. } if !tidies => {
                    let text = format!(
                        "taking back failed at {}: {} (it was taken back because: {})",
                        step.step(),
                        reason.text,
                        undo.reason.text
                    );
                    undo.failed = Some(Reason::new("undo-failed", text));
                }
                _ => undo.done += 1,
            }
            return Ok(());
        }
        self.walked.push(match result {
            StepResult::NothingToDo { .. } => StepEnd::NothingToDo,
            StepResult::Failed { .. } if tidies => StepEnd::Succeeded,
            StepResult::Failed { reason, effect, .. } => StepEnd::Failed { reason: reason.clone(), effect: *effect },
            _ => StepEnd::Succeeded,
        });
        if self.last(plan).is_some_and(|step| step.kind == StepKind::Backup) {
            self.backed_up = Some(now);
        }
        self.step_over(plan);
        Ok(())
    }

    /// Goes past steps that need not be done: what a step stands for when that has failed, and a step that stands for
    /// others when they have not.
    fn step_over(&mut self, plan: &HostPlan) {
        let walked = self.walked.len();
        if let Some(StepEnd::Failed { reason, effect }) = self.walked.last()
            && let Some(failed) = self.last(plan)
            // A read-only look that fails is evidence as well; a fix that was refused is not.
            && (failed.kind == StepKind::Verify || *effect == Effected::Possibly)
            && let Some(instead) = plan.steps.iter().position(|step| step.stands_for.contains(&failed.id))
            && instead >= walked
        {
            let reason = reason.clone();
            if let Some(last) = self.walked.last_mut() {
                *last = StepEnd::Replaced { reason };
            }
            self.walked.resize(instead, StepEnd::Skipped);
            return;
        }
        while let Some(next) = plan.steps.get(self.walked.len()).filter(|next| !next.stands_for.is_empty())
            && matches!(self.walked.last(), Some(StepEnd::Succeeded | StepEnd::NothingToDo))
            && self.last(plan).is_some_and(|last| next.stands_for.contains(&last.id))
        {
            self.walked.push(StepEnd::Skipped);
        }
    }

    /// Another controller looks from now on. Time that passed while nobody looked decides nothing: what runs, or is
    /// only now found never to have started, gets its whole limit again.
    pub(super) fn taken_over(&mut self, now: Timestamp) {
        if let Some(running) = &mut self.running {
            running.since = now;
        }
    }

    /// The running attempt, of which nothing is known, is looked at again.
    pub(super) fn probe(&mut self, step: &StepId, probe: u32) -> Result<(), IllegalTransition> {
        match self.running.as_mut().filter(|r| r.step == *step && r.unknown.is_some()) {
            Some(running) if running.probes.checked_add(1) == Some(probe) => {
                running.probes = probe;
                running.unknown = None;
                Ok(())
            }
            _ => illegal(format!("step {step} is looked at out of turn")),
        }
    }

    /// The host turns round. What takes it back follows from what was done and may have had an effect, last first.
    pub(super) fn go_back(&mut self, plan: &HostPlan, reason: &Reason) -> Result<(), IllegalTransition> {
        let may_turn = self.ended.is_none() && self.running.is_none() && self.undo.is_none() && self.owes(plan);
        if !may_turn {
            return illegal(format!("host {} goes back but cannot", plan.host.name));
        }
        let back: Vec<&Step> = self.way_back(plan).collect();
        #[cfg(test)]
        let back = if planted(Defect::UndoesForwards) { back.into_iter().rev().collect() } else { back };
        #[cfg(test)]
        let back =
            if planted(Defect::SkipsTheLastUndo) && back.len() > 1 { back[..back.len() - 1].to_vec() } else { back };
        let has = |kind: StepKind| back.iter().any(|step| step.kind == kind);
        let (restores, switches_back) = (has(StepKind::Restore), has(StepKind::SwitchBack));
        let touched = |which: fn(StepKind) -> bool| self.done(plan).any(|step| step.on.is_none() && which(step.kind));
        let needs_restore = touched(|kind| kind.is_change() || kind == StepKind::Promote);
        let needs_switch = touched(|kind| kind == StepKind::Switchover);
        let mut undo = Undo {
            reason: reason.clone(),
            steps: back.iter().map(|step| step.id.clone()).collect(),
            done: 0,
            failed: None,
            outcome: match (restores, switches_back) {
                (true, _) => HostOutcome::Restored,
                (false, true) => HostOutcome::SwitchedBack,
                (false, false) if self.needs_nothing(plan) => HostOutcome::NothingToDo,
                (false, false) => HostOutcome::Untouched,
            },
        };
        if (needs_restore && !restores) || (needs_switch && !switches_back) {
            // Without a restore the host may be broken: it must not be put back into service either.
            let text = format!("the host may have been changed and there is no way back: {}", reason.text);
            undo.failed = Some(Reason::new("no-way-back", text));
            undo.steps.clear();
        }
        self.undo = Some(undo);
        Ok(())
    }

    /// The host reached a final state: the one it is due for, or untouched because a gate closed before its
    /// disruptive part.
    pub(super) fn end(
        &mut self,
        plan: &HostPlan,
        end: HostEnd,
        stop: Option<&Reason>,
        now: Timestamp,
    ) -> Result<(), IllegalTransition> {
        let legal = match self.next(plan, stop, now) {
            HostCommand::End(due) => due.outcome == end.outcome,
            HostCommand::Start { undo: false, .. } => !self.owes(plan) && end.outcome == HostOutcome::Untouched,
            _ => false,
        };
        if !legal {
            return illegal(format!("host {} cannot end as {}", plan.host.name, end.outcome.as_str()));
        }
        self.gate = None;
        self.ended = Some(end);
        Ok(())
    }

    /// Its chain ran past the end of its window.
    pub(super) fn overrun(&mut self, host: &HostName) -> Result<(), IllegalTransition> {
        match &mut self.chain {
            Some(chain) if !chain.overrun && chain.window_end.is_some() => {
                chain.overrun = true;
                Ok(())
            }
            _ => illegal(format!("host {host} overruns a window that it is not in")),
        }
    }

    /// A gate's answer changed.
    pub(super) fn answer(&mut self, host: &HostName, verdict: &GateVerdict) -> Result<(), IllegalTransition> {
        if self.ended.is_some() || self.running.is_some() || self.undo.is_some() {
            return illegal(format!("a gate answers host {host}, which does not ask"));
        }
        self.gate = Some(verdict.clone());
        Ok(())
    }

    /// The end of the window that its chain ran past, as long as that is not recorded.
    pub(super) fn unrecorded_overrun(&self, now: Timestamp) -> Option<Timestamp> {
        let chain = self.chain.as_ref().filter(|chain| !chain.overrun)?;
        chain.window_end.filter(|end| now > *end)
    }

    /// Whether the forward step of this index has succeeded; none as long as it may.
    pub(super) fn has_succeeded(&self, plan: &HostPlan, index: usize) -> Option<bool> {
        match self.walked.get(index) {
            Some(StepEnd::Replaced { .. } | StepEnd::Skipped) => {
                let id = plan.steps.get(index).map(|step| &step.id);
                let stands = |step: &Step| id.is_some_and(|id| step.stands_for.contains(id));
                match plan.steps.iter().position(stands).filter(|instead| *instead > index) {
                    Some(instead) => self.has_succeeded(plan, instead),
                    None => Some(false),
                }
            }
            Some(end) => Some(*end == StepEnd::Succeeded),
            None if self.ended.is_some() || self.undo.is_some() => Some(false),
            None if matches!(self.walked.last(), Some(StepEnd::Failed { .. })) => Some(false),
            None => None,
        }
    }

    /// Index of the next forward step.
    pub(super) fn position(&self) -> usize {
        self.walked.len()
    }

    /// Whether any step has begun.
    pub fn has_begun(&self) -> bool {
        !self.walked.is_empty() || self.running.is_some()
    }

    /// Whether its disruptive part has begun.
    pub fn is_in_chain(&self) -> bool {
        self.chain.is_some()
    }

    /// Whether a step has failed since its disruptive part began, or its way back has.
    pub fn has_failed(&self) -> bool {
        let forward = matches!(self.walked.last(), Some(StepEnd::Failed { .. }));
        self.chain.is_some() && (forward || self.undo.as_ref().is_some_and(|undo| undo.failed.is_some()))
    }

    /// The step that is running, and whether somebody is at it.
    pub(super) fn running(&self) -> Option<(&StepId, bool)> {
        self.running.as_ref().map(|running| (&running.step, running.unknown.is_none()))
    }

    /// The step somebody must be at: its intent is recorded and its result is not.
    pub(super) fn looked_at(&self) -> Option<StepId> {
        self.running.as_ref().filter(|running| running.unknown.is_none()).map(|running| running.step.clone())
    }

    /// Whether this step has begun at any time.
    pub(super) fn knows(&self, plan: &HostPlan, step: &StepId) -> bool {
        let undone = self.undo.as_ref().map_or(&[][..], |undo| {
            undo.steps.get(..undo.done + usize::from(undo.failed.is_some())).unwrap_or(&undo.steps)
        });
        self.running.as_ref().is_some_and(|running| running.step == *step)
            || plan.steps.iter().take(self.walked.len()).any(|walked| walked.id == *step)
            || undone.contains(step)
    }

    /// When its backup was made.
    pub(super) fn backed_up(&self) -> Option<Timestamp> {
        self.backed_up
    }

    /// What the gates said last, if it still waits.
    pub fn gate(&self) -> Option<&GateVerdict> {
        self.gate.as_ref()
    }

    /// Where it ended.
    pub fn ended(&self) -> Option<&HostEnd> {
        self.ended.as_ref()
    }

    /// What its steps reported.
    pub fn facts(&self) -> &BTreeMap<StepId, BTreeMap<String, String>> {
        &self.facts
    }
}

impl Running {
    fn next(&self, plan: &HostPlan, now: Timestamp) -> HostCommand {
        let Some(known) = &self.unknown else { return HostCommand::Await };
        let step = self.step.clone();
        let limit = find(plan, &step).map_or(TimeSpan::ZERO, |step| step.timeout).plus(GRACE);
        let deadline = limit.after(self.since);
        if now >= deadline {
            let text = format!("its result is still unknown {limit} after it began: {}", known.text);
            let reason = Reason::new("unknown-past-deadline", text);
            let result = StepResult::Failed { reason, effect: Effected::Possibly, evidence: String::new() };
            return HostCommand::GiveUp { step, result };
        }
        let doubled = 1_u64.checked_shl(self.probes).unwrap_or(BACKOFF.1);
        let left = TimeSpan::between(now, deadline).as_seconds();
        let delay = TimeSpan::seconds(doubled.min(left).clamp(BACKOFF.0, BACKOFF.1));
        HostCommand::Probe { step, probe: self.probes.saturating_add(1), delay }
    }
}

impl Undo {
    fn next(&self) -> HostCommand {
        if let Some(reason) = &self.failed {
            return HostCommand::End(HostEnd { outcome: HostOutcome::Stuck, reason: Some(reason.clone()) });
        }
        match self.steps.get(self.done) {
            Some(step) => HostCommand::Start { step: step.clone(), undo: true },
            None => HostCommand::End(HostEnd { outcome: self.outcome, reason: Some(self.reason.clone()) }),
        }
    }
}

/// A step or undo step of this host.
pub(super) fn find<'a>(plan: &'a HostPlan, id: &StepId) -> Option<&'a Step> {
    plan.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo)).find(|step| step.id == *id)
}

fn illegal<T>(why: String) -> Result<T, IllegalTransition> {
    Err(IllegalTransition(why))
}
