//! The simulated watch: the machine that holds a host's disks puts it back when no controller has asked in time.

use jiff::Timestamp;

use crate::engine::Mode;
use crate::model::{AttemptId, HostName, TimeSpan};
use crate::plan::{Action, StepKind};

use super::act::{broken, failed, later, succeeded, unknown};
use super::effect::verify_as_before;
use super::provider::BACKUP_FACT;
use super::world::{Call, Happening};
use super::{CallId, Disk, Fault, LostWhen, Network, Observation, SimWorld};

/// A watch is renewed so often in its time.
const PER_TIME: u64 = 4;
/// A restore by the watch takes so long.
const RESTORE: TimeSpan = TimeSpan::seconds(100);
/// Between two looks whether a restore by a controller still runs.
const RETRY_MS: i64 = 5_000;

/// A watch over a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The attempt that armed it.
    pub key: AttemptId,
    /// What it restores.
    pub backup: String,
    /// How long it waits for a controller.
    pub after: TimeSpan,
    /// When it goes back.
    pub due: Timestamp,
    /// How it stands.
    pub state: WatchState,
}

/// How a watch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum WatchState {
    Armed,
    Disarmed,
    GoesBack,
    WentBack,
}

impl Call {
    /// How long the watch waits that is renewed while this is done.
    pub(super) fn under_watch(&self) -> Option<TimeSpan> {
        let steps = &self.plan.hosts.get(&self.owner)?.steps;
        let at = |kind: StepKind| steps.iter().position(|step| step.kind == kind);
        let arm = at(StepKind::Arm)?;
        let Action::Arm { after, .. } = steps[arm].action else { return None };
        let between = steps.iter().position(|step| step.id == self.step.id);
        let between = between.is_some_and(|own| arm < own && at(StepKind::Disarm).is_some_and(|end| own < end));
        (between || self.step.kind == StepKind::Restore).then_some(after)
    }
}

impl SimWorld {
    pub(super) fn watch_state(&self, host: &HostName) -> Option<WatchState> {
        Some(self.hosts.get(host)?.watch.as_ref()?.state)
    }

    /// Somebody asks the watch in time.
    fn renew(&mut self, now: Timestamp, host: &HostName) {
        let watch = self.hosts.get_mut(host).and_then(|host| host.watch.as_mut());
        if let Some(watch) = watch.filter(|watch| watch.state == WatchState::Armed) {
            watch.due = watch.after.after(now);
        }
    }

    /// A controller that waits for this call renews the watch, again and again.
    pub(super) fn renews(&mut self, now: Timestamp, id: CallId) {
        let Some((host, after)) = self.calls.get(&id).and_then(|call| Some((call.host.clone(), call.under_watch()?)))
        else {
            return;
        };
        self.renew(now, &host);
        self.at(TimeSpan::seconds(after.as_seconds() / PER_TIME).after(now), Happening::Renews(id));
    }

    /// Whether something may begin on a host, as its watch says: what went back is not to be changed again.
    pub(super) fn watch_allows(&mut self, now: Timestamp, id: CallId, call: &Call) -> bool {
        if call.under_watch().is_none() {
            return true;
        }
        self.renew(now, &call.host);
        let state = self.watch_state(&call.host);
        #[cfg(test)]
        if crate::engine::planted::planted(crate::engine::planted::Defect::ForgetsTheWatch) {
            return true;
        }
        let text = format!("{} went back by itself", call.host);
        match (state, call.step.kind) {
            // The lock of the host: one restore at a time.
            (Some(WatchState::GoesBack), StepKind::Restore) => {
                self.answer(now, id, unknown("restore-runs", text));
                false
            }
            (_, StepKind::Restore) | (Some(WatchState::Armed), _) => true,
            (Some(WatchState::GoesBack | WatchState::WentBack), _) => {
                self.answer(now, id, broken("went-back-by-itself", text, ""));
                false
            }
            (None | Some(WatchState::Disarmed), _) => {
                self.answer(now, id, failed("watch-gone", format!("nobody watches {}", call.host)));
                false
            }
        }
    }

    /// A watch is to be armed or disarmed.
    pub(super) fn watch(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let kind = call.step.kind;
        let fault = self.spring(
            &call.host,
            |fault| matches!(fault, Fault::WatchFails { step } | Fault::Lost { step, .. } if *step == kind),
        );
        if matches!(fault, Some(Fault::Lost { when: LostWhen::Before, .. })) {
            return self.connection_lost(now, id);
        }
        if matches!(fault, Some(Fault::WatchFails { .. })) {
            let text = format!("the machine that holds the disks of {} does not answer", call.host);
            // It says nothing of a call before this one.
            let result =
                if call.mode == Mode::Attach { unknown("watch-silent", text) } else { failed("watch-silent", text) };
            return self.answer(now, id, result);
        }
        let result = match &call.step.action {
            Action::Arm { backup, after } => match self.noted(call, backup, BACKUP_FACT) {
                Ok(backup) => self.arms(now, call, backup, *after),
                Err(result) => result,
            },
            _ => self.disarms(call),
        };
        if fault.is_some() { self.connection_lost(now, id) } else { self.answer(now, id, result) }
    }

    fn arms(&mut self, now: Timestamp, call: &Call, backup: String, after: TimeSpan) -> crate::engine::StepResult {
        let (name, due) = (call.host.clone(), after.after(now));
        self.takes_effect(call);
        self.renew(now, &name);
        if let Some(host) = self.hosts.get_mut(&name)
            && host.watch.is_none()
        {
            host.watch = Some(Watch { key: call.attempt.clone(), backup, after, due, state: WatchState::Armed });
            self.at(due, Happening::WatchDue { host: name.clone() });
        }
        match self.watch_state(&name) {
            Some(WatchState::Armed) => succeeded("armed"),
            _ => broken("went-back-by-itself", format!("{name} went back by itself"), ""),
        }
    }

    fn disarms(&mut self, call: &Call) -> crate::engine::StepResult {
        let name = &call.host;
        self.takes_effect(call);
        if let Some(watch) = self.hosts.get_mut(name).and_then(|host| host.watch.as_mut())
            && watch.state == WatchState::Armed
        {
            watch.state = WatchState::Disarmed;
        }
        #[cfg(test)]
        if crate::engine::planted::planted(crate::engine::planted::Defect::DisarmsWhatWentBack) {
            return succeeded("disarmed");
        }
        let text = format!("{name} went back by itself");
        match self.watch_state(name) {
            None | Some(WatchState::Armed | WatchState::Disarmed) => succeeded("disarmed"),
            Some(_) if !call.is_way_back() => broken("went-back-by-itself", text, ""),
            Some(WatchState::GoesBack) => unknown("restore-runs", text),
            Some(WatchState::WentBack) => match self.hosts.get(name) {
                Some(host) => verify_as_before(host, self.backup_of(call)),
                None => failed("no-such-host", text),
            },
        }
    }

    /// What is done at once.
    fn takes_effect(&mut self, call: &Call) {
        let (attempt, kind) = (call.attempt.clone(), call.step.kind);
        self.see(Observation::EffectStarted { attempt: attempt.clone(), kind });
        self.see(Observation::EffectEnded { attempt, kind, well: true });
    }

    /// The time of a watch is up, unless somebody has asked meanwhile.
    pub(super) fn watch_due(&mut self, now: Timestamp, name: &HostName) {
        let restoring = self.hosts.get(name).is_some_and(|host| host.is_being_restored());
        let Some(watch) = self.hosts.get_mut(name).and_then(|host| host.watch.as_mut()) else { return };
        match watch.state {
            WatchState::Armed if now < watch.due => {
                let due = watch.due;
                self.at(due, Happening::WatchDue { host: name.clone() });
            }
            WatchState::Armed | WatchState::GoesBack => {
                if watch.state == WatchState::Armed {
                    watch.state = WatchState::GoesBack;
                    self.see(Observation::WentBack { host: name.clone() });
                }
                if restoring {
                    self.at(later(now, RETRY_MS), Happening::WatchDue { host: name.clone() });
                } else {
                    self.power_off(now, name, None);
                    self.at(RESTORE.after(now), Happening::WatchRestored { host: name.clone() });
                }
            }
            WatchState::Disarmed | WatchState::WentBack => {}
        }
    }

    /// The watch has restored the host.
    pub(super) fn watch_restored(&mut self, name: &HostName) {
        *self.restores.entry(name.clone()).or_insert(0) += 1;
        let Some(host) = self.hosts.get_mut(name) else { return };
        let Some(watch) = host.watch.as_mut() else { return };
        watch.state = WatchState::WentBack;
        let Some(disk) = host.backups.get(&watch.backup).cloned() else { return };
        // What ran there is gone, with all that was known of it.
        host.jobs.retain(|_, job| !job.kind.is_change());
        let network = if host.network == Network::Isolated { Network::Isolated } else { Network::Fine };
        host.boots(Disk { stale: false, ..disk }, network);
        let boot = host.boot;
        self.see(Observation::HostUp { host: name.clone(), boot });
    }
}
