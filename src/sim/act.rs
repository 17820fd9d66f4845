//! How the simulated world answers a controller: the same promises as the real executor's, on model hosts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::engine::{Effected, Mode, StepResult};
use crate::model::{AttemptId, HostName, TimeSpan};
use crate::plan::{Action, Reason, StepKind};

use super::world::{Call, Happening, Phase};
use super::{CallId, Fault, Job, JobState, LostWhen, Network, Observation, Power, SimWorld};

/// One way over the network.
pub(super) const LATENCY_MS: i64 = 50;
/// A dead connection is noticed after this time (`ServerAliveInterval` 1 s, three times).
const NOTICED_MS: i64 = 4_000;
/// A refused connection is tried again after this time...
const RETRY_MS: i64 = 15_000;
/// ... but not for longer than this, or than the step may take.
const PATIENCE: TimeSpan = TimeSpan::minutes(5);
/// A host goes down so long after it was told to reboot.
const SHUTDOWN_MS: i64 = 2_000;
/// How long a host takes to boot when somebody else rebooted it.
const BOOT_MS: i64 = 25_000;
/// The key of the fact by which a verify step says that only a reboot is missing.
pub(super) const REBOOT_FACT: &str = "reboot_pending";

pub(super) fn later(time: Timestamp, milliseconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_millis(milliseconds)).unwrap_or(Timestamp::MAX)
}

pub(super) fn succeeded(note: &str) -> StepResult {
    StepResult::Succeeded { facts: BTreeMap::new(), note: Some(note.to_owned()) }
}

/// Known to have failed without having changed anything.
pub(super) fn failed(code: &str, text: impl Into<String>) -> StepResult {
    StepResult::Failed { reason: Reason::new(code, text), effect: Effected::No, evidence: String::new() }
}

pub(super) fn broken(code: &str, text: impl Into<String>, evidence: &str) -> StepResult {
    StepResult::Failed { reason: Reason::new(code, text), effect: Effected::Possibly, evidence: evidence.to_owned() }
}

pub(super) fn unknown(code: &str, text: impl Into<String>) -> StepResult {
    StepResult::Unknown { reason: Reason::new(code, text) }
}

impl SimWorld {
    pub(super) fn happen(&mut self, now: Timestamp, happening: Happening) -> Option<(CallId, StepResult)> {
        match happening {
            Happening::Reply(id, result) => return self.reply(id, result),
            Happening::Arrives(id) => self.arrives(now, id),
            Happening::CheckEnds(id) => self.check_ends(now, id),
            Happening::SoakTick(id) => self.soak_tick(now, id),
            Happening::Deadline(id) => self.deadline(now, id),
            Happening::JobEnds { call, boot } => self.job_ends(now, &call, boot),
            Happening::GoesDown { attempt, host, boot } => self.goes_down(now, attempt, &host, boot),
            Happening::ForeignReboot { host } => self.foreign_reboot(now, &host),
            Happening::ComesUp { host, boot, rebooted_by } => self.comes_up(now, &host, boot, rebooted_by),
            Happening::Breaks { host, restores } => self.breaks(&host, restores),
            Happening::TrialEnds(id) => self.trial_ends(now, id),
            Happening::Renews(id) => self.renews(now, id),
            Happening::WatchDue { host } => self.watch_due(now, &host),
            Happening::WatchRestored { host } => self.watch_restored(&host),
        }
        None
    }

    fn reply(&mut self, id: CallId, result: StepResult) -> Option<(CallId, StepResult)> {
        let call = self.calls.remove(&id)?;
        let seen =
            Observation::Answered { call: id, attempt: call.attempt, kind: call.step.kind, result: result.clone() };
        self.see(seen);
        Some((id, result))
    }

    fn arrives(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        if call.phase != Phase::Connecting {
            return;
        }
        if !self.watch_allows(now, id, &call) {
            return;
        }
        match call.step.action {
            Action::Arm { .. } | Action::Disarm { .. } => self.watch(now, id, &call),
            Action::Bisect { .. } => self.search(now, id, &call),
            Action::Backup { .. }
            | Action::Restore { .. }
            | Action::Clone { .. }
            | Action::Destroy { .. }
            | Action::Promote { .. }
            | Action::Release { .. } => self.provider(now, id, &call),
            Action::Drain { .. } | Action::Undrain | Action::Switchover { .. } | Action::SwitchBack { .. } => {
                self.switch(now, id, &call);
            }
            Action::Check { .. } | Action::Change { .. } | Action::Reboot { .. } | Action::Soak { .. } => {
                if self.connects(now, id, &call) {
                    self.on_host(now, id, &call);
                }
            }
        }
    }

    /// Whether the host is reached; if not, the call tries again or gives up.
    fn connects(&mut self, now: Timestamp, id: CallId, call: &Call) -> bool {
        let kind = call.step.kind;
        if let Some(Fault::Refused { span, .. }) =
            self.spring(&call.host, |fault| matches!(fault, Fault::Refused { step, .. } if *step == kind))
            && let Some(host) = self.hosts.get_mut(&call.host)
        {
            host.network = Network::RefusesUntil(span.after(now));
        }
        if self.hosts.get(&call.host).is_some_and(|host| host.reachable(now)) {
            return true;
        }
        let patience = match call.step.action {
            Action::Reboot { back_within, .. } => back_within,
            _ => PATIENCE,
        };
        let retry = later(now, RETRY_MS);
        if retry < patience.min(call.step.timeout).after(call.began) {
            self.at(retry, Happening::Arrives(id));
            return false;
        }
        let changes = matches!(call.step.action, Action::Change { .. } | Action::Reboot { .. });
        let text = format!("{} does not answer", call.host);
        let result = if changes && call.mode == Mode::Attach {
            unknown("unreachable", text)
        } else {
            failed("unreachable", text)
        };
        self.answer(now, id, result);
        false
    }

    fn on_host(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let kind = call.step.kind;
        let lost = |when: LostWhen| move |fault: &Fault| *fault == Fault::Lost { step: kind, when };
        if self.spring(&call.host, lost(LostWhen::Before)).is_some() {
            self.connection_lost(now, id);
            return;
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Working;
        }
        let duration = self.duration(&call.host, &call.step);
        match call.step.action {
            Action::Check { .. } => self.at(duration.after(now), Happening::CheckEnds(id)),
            Action::Soak { every, .. } => {
                self.at(every.max(TimeSpan::seconds(1)).after(now), Happening::SoakTick(id));
            }
            Action::Reboot { ref required, .. } => {
                let needed = self.hosts.get(&call.host).is_some_and(|host| host.disk.reboot_required);
                let known = self.job(&call.host, &call.attempt).is_some();
                if required.is_some() && !needed && !known {
                    self.answer(now, id, StepResult::no_reboot("no reboot required"));
                } else {
                    self.job_call(now, id, call, duration);
                }
            }
            _ => self.job_call(now, id, call, duration),
        }
        // From here on the request is there; what follows cuts the controller off from its answer.
        if self.spring(&call.host, lost(LostWhen::During)).is_some() {
            self.connection_lost(now, id);
        }
        let cut = self.spring(
            &call.host,
            |fault| matches!(fault, Fault::CutOff { step } | Fault::Isolated { step } if *step == kind),
        );
        if let Some(fault) = cut {
            if let Some(host) = self.hosts.get_mut(&call.host) {
                host.network =
                    if matches!(fault, Fault::Isolated { .. }) { Network::Isolated } else { Network::CutOff };
            }
            if call.step.kind != StepKind::Soak {
                self.connection_lost(now, id);
            }
        }
    }

    /// The run-once protocol: a job is started if it never was, else it is attached to.
    fn job_call(&mut self, now: Timestamp, id: CallId, call: &Call, duration: TimeSpan) {
        #[cfg(test)]
        if call.mode == Mode::Attach && self.forgets(call) {
            return self.start_job(now, call, duration);
        }
        match self.job(&call.host, &call.attempt) {
            Some(JobState::Done(result)) => {
                let result = result.clone();
                self.answer(now, id, result);
            }
            Some(JobState::Running { .. }) => {}
            Some(JobState::Lost) => {
                let text = format!("{} was started on {} and left no result", call.step.kind, call.host);
                self.answer(now, id, unknown("job-lost", text));
            }
            None => self.start_job(now, call, duration),
        }
    }

    /// A mistake: what has begun before is begun again.
    #[cfg(test)]
    fn forgets(&self, call: &Call) -> bool {
        use crate::engine::planted::{Defect, planted};
        match self.job(&call.host, &call.attempt) {
            Some(JobState::Lost) => planted(Defect::RepeatsWhatLeftNoResult),
            Some(JobState::Done(_)) => planted(Defect::RebootsTwice) && call.step.kind == StepKind::Reboot,
            _ => false,
        }
    }

    fn start_job(&mut self, now: Timestamp, call: &Call, duration: TimeSpan) {
        let Some(host) = self.hosts.get_mut(&call.host) else { return };
        let (kind, boot) = (call.step.kind, host.boot);
        host.jobs.insert(call.attempt.clone(), Job { kind, state: JobState::Running { boot: Some(boot) } });
        host.busy.insert(call.attempt.clone());
        let (attempt, name) = (call.attempt.clone(), call.host.clone());
        self.see(Observation::EffectStarted { attempt: attempt.clone(), kind });
        if kind == StepKind::Reboot {
            self.at(later(now, SHUTDOWN_MS), Happening::GoesDown { attempt, host: name.clone(), boot });
            if self.spring(&name, |fault| *fault == Fault::RebootNeverReturns).is_none() {
                let up = Happening::ComesUp { host: name, boot, rebooted_by: Some(call.attempt.clone()) };
                self.at(later(duration.after(now), SHUTDOWN_MS), up);
            }
            return;
        }
        if kind == StepKind::Fix && self.spring(&name, |fault| *fault == Fault::ForeignReboot).is_some() {
            let half = TimeSpan::seconds(duration.as_seconds() / 2);
            self.at(half.after(now), Happening::ForeignReboot { host: name });
        }
        self.at(duration.after(now), Happening::JobEnds { call: Box::new(call.clone()), boot: Some(boot) });
    }

    fn job_ends(&mut self, now: Timestamp, call: &Call, boot: Option<u64>) {
        let (name, attempt, kind) = (&call.host, &call.attempt, call.step.kind);
        if !matches!(self.job(name, attempt), Some(JobState::Running { boot: running }) if *running == boot) {
            return;
        }
        let (result, wait) = match call.step.action {
            Action::Change { .. } if kind == StepKind::Fix => (self.fixed(now, call), TimeSpan::ZERO),
            Action::Change { .. } => (self.restarted(call), TimeSpan::ZERO),
            _ => self.provided(now, call),
        };
        let well = matches!(result, StepResult::Succeeded { .. });
        self.end_job(name, attempt, kind, JobState::Done(result.clone()), well);
        let lost = |fault: &Fault| *fault == Fault::Lost { step: kind, when: LostWhen::After };
        let answer_lost = self.spring(name, lost).is_some();
        for id in self.waiting_for(attempt) {
            if answer_lost {
                self.connection_lost(now, id);
            } else {
                self.answer(wait.after(now), id, result.clone());
            }
        }
    }

    fn end_job(&mut self, name: &HostName, attempt: &AttemptId, kind: StepKind, state: JobState, well: bool) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.jobs.insert(attempt.clone(), Job { kind, state });
            host.busy.remove(attempt);
        }
        self.see(Observation::EffectEnded { attempt: attempt.clone(), kind, well });
    }

    fn goes_down(&mut self, now: Timestamp, attempt: AttemptId, name: &HostName, boot: u64) {
        if self.hosts.get(name).is_some_and(|host| host.boot == boot && host.power == Power::Up) {
            self.power_off(now, name, Some(&attempt));
        }
    }

    fn foreign_reboot(&mut self, now: Timestamp, name: &HostName) {
        let Some(host) = self.hosts.get(name) else { return };
        if host.power == Power::Up {
            let boot = host.boot;
            self.power_off(now, name, None);
            let up = Happening::ComesUp { host: name.clone(), boot, rebooted_by: None };
            self.at(later(now, BOOT_MS), up);
        }
    }

    /// The host goes down: its jobs end without a result, except the one that wanted this.
    pub(super) fn power_off(&mut self, now: Timestamp, name: &HostName, except: Option<&AttemptId>) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.power = Power::Down;
        let runs = |(attempt, job): (&AttemptId, &Job)| {
            let here = matches!(job.state, JobState::Running { boot: Some(_) }) && Some(attempt) != except;
            here.then(|| (attempt.clone(), job.kind))
        };
        let lost: Vec<(AttemptId, StepKind)> = host.jobs.iter().filter_map(runs).collect();
        self.see(Observation::HostDown { host: name.clone() });
        for (attempt, kind) in lost {
            self.end_job(name, &attempt, kind, JobState::Lost, false);
            for id in self.waiting_for(&attempt) {
                self.connection_lost(now, id);
            }
        }
    }

    fn comes_up(&mut self, now: Timestamp, name: &HostName, boot: u64, rebooted_by: Option<AttemptId>) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if host.boot != boot || host.power == Power::Up {
            return;
        }
        host.power = Power::Up;
        host.boot += 1;
        host.disk.stale = false;
        host.disk.reboot_required = false;
        let boot = host.boot;
        self.see(Observation::HostUp { host: name.clone(), boot });
        let Some(attempt) = rebooted_by else { return };
        let result = succeeded("rebooted, with a new boot id");
        self.end_job(name, &attempt, StepKind::Reboot, JobState::Done(result.clone()), true);
        for id in self.waiting_for(&attempt) {
            self.answer(now, id, result.clone());
        }
    }

    fn breaks(&mut self, name: &HostName, restores: u32) {
        // What a clone was made to suffer goes with it to the place it took.
        let (name, restores) = match self.promoted.get(name) {
            Some((host, restores)) => (host.clone(), *restores),
            None => (name.clone(), restores),
        };
        if self.restores.get(&name).copied().unwrap_or(0) == restores
            && let Some(host) = self.hosts.get_mut(&name)
        {
            host.disk.sound = false;
            self.see(Observation::ServiceBroke { host: name });
        }
    }

    /// The controller did not get an answer in time.
    fn deadline(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let (kind, text) = (call.step.kind, format!("{} took longer than {}", call.step.kind, call.step.timeout));
        let result = match call.step.action {
            Action::Check { .. } | Action::Soak { .. } => failed("timeout", text),
            Action::Reboot { .. } if call.phase == Phase::Working && self.job(&call.host, &call.attempt).is_some() => {
                broken("host-not-back", format!("{} did not come back from its reboot", call.host), "")
            }
            _ if kind == StepKind::Drain || kind == StepKind::Undrain => broken("timeout", text, ""),
            _ => unknown("timeout", text),
        };
        self.answer(now, id, result);
    }

    /// The controller notices after a while that nobody is there any more.
    pub(super) fn connection_lost(&mut self, now: Timestamp, id: CallId) {
        if let Some(call) = self.calls.get(&id) {
            let text = format!("the connection to {} was lost", call.host);
            self.answer(later(now, NOTICED_MS), id, unknown("connection-lost", text));
        }
    }

    // ---- small things ----

    pub(super) fn job(&self, host: &HostName, attempt: &AttemptId) -> Option<&JobState> {
        self.hosts.get(host)?.jobs.get(attempt).map(|job| &job.state)
    }
}
