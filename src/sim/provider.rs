//! The simulated provider: backups, clones, and what clones have replaced, each found again by the key of its attempt.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{StepRequest, StepResult};
use crate::model::{HostName, StepId, TimeSpan};
use crate::plan::{Action, Step, StepKind};

use super::act::{broken, failed, succeeded};
pub(super) use super::switch::ADDRESS_FACT;
use super::switch::ENDPOINT_FACT;
use super::world::{Call, Happening, Phase};
use super::{
    CallId, CloneOf, Disk, Fault, Job, JobState, LostWhen, Network, Observation, Power, SimHost, SimWorld, Took,
    WatchState, clone_name,
};

/// The facts under which a backup step reports its backup, a clone step its clone, and a promotion the original. They
/// are what later steps know of them.
pub(super) const BACKUP_FACT: &str = "backup";
pub(super) const CLONE_FACT: &str = "clone";
pub(super) const HOST_KEY_FACT: &str = "host_key";
const ORIGINAL_FACT: &str = "original";

impl Call {
    /// Whether the step takes something back.
    pub(super) fn is_way_back(&self) -> bool {
        let plan = self.plan.hosts.get(&self.owner);
        plan.is_some_and(|plan| plan.steps.iter().all(|step| step.id != self.step.id))
    }
}

impl SimWorld {
    /// Who a step works on: the clone that answers where the journal says, under the host key it says.
    pub(super) fn target(&self, request: &StepRequest, step: &Step) -> Result<HostName, StepResult> {
        let Some(clone) = &step.on else { return Ok(request.host.clone()) };
        let fact = |key: &str| {
            let missing = || failed("no-clone", format!("{clone} left no {key} of a clone"));
            of_clone(&request.facts, clone, key).ok_or_else(missing)
        };
        let (address, host_key) = (fact(ADDRESS_FACT)?, fact(HOST_KEY_FACT)?);
        match self.clones(&request.host).find(|(there, _)| there.host.address() == address) {
            Some((there, of)) if host_key_of(of) == *host_key => Ok(there.host.name.clone()),
            Some(_) => Err(failed("host-key-mismatch", format!("{address} is not the clone that {clone} made"))),
            // Nobody answers there.
            None => Ok(clone_name(&request.host)),
        }
    }

    /// What the provider is asked for, by the key of the attempt: asking again finds what was made.
    pub(super) fn provider(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let kind = call.step.kind;
        let lost = |when: LostWhen| move |fault: &Fault| *fault == Fault::Lost { step: kind, when };
        if self.spring(&call.host, lost(LostWhen::Before)).is_some() {
            return self.connection_lost(now, id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Working;
        }
        match self.job(&call.host, &call.attempt) {
            Some(JobState::Done(result)) => {
                let result = result.clone();
                self.answer(now, id, result);
            }
            Some(_) => {}
            None => match self.at_once(now, call) {
                Some(result) => {
                    self.remember(call, &result);
                    self.answer(now, id, result);
                }
                None => self.start_provider(now, call),
            },
        }
        if self.spring(&call.host, lost(LostWhen::During)).is_some() {
            self.connection_lost(now, id);
        }
    }

    /// The same request will get the same answer.
    pub(super) fn remember(&mut self, call: &Call, result: &StepResult) {
        if let Some(host) = self.hosts.get_mut(&call.host) {
            let job = Job { kind: call.step.kind, state: JobState::Done(result.clone()) };
            host.jobs.insert(call.attempt.clone(), job);
        }
    }

    /// The answer, where the provider has nothing to do or knows that it cannot.
    fn at_once(&mut self, now: Timestamp, call: &Call) -> Option<StepResult> {
        let name = &call.host;
        match &call.step.action {
            Action::Restore { .. } if self.backup_of(call).is_none() => {
                Some(failed("no-backup", format!("{name} has no backup to go back to")))
            }
            Action::Clone { backup, .. } => {
                let forgotten = self.noted(call, backup, BACKUP_FACT).err();
                forgotten.or_else(|| {
                    self.spring(name, |fault| *fault == Fault::CloneFails)?;
                    Some(failed("clone-failed", format!("the quota leaves no room for a clone of {name}")))
                })
            }
            Action::Promote { clone, .. } => {
                let forgotten = self.noted(call, clone, CLONE_FACT).err();
                forgotten.or_else(|| {
                    self.spring(name, |fault| *fault == Fault::PromoteFails { took: Took::No })?;
                    Some(failed("promote-failed", format!("the provider does not touch {name}")))
                })
            }
            Action::Destroy { keep_failed, .. } => {
                let Some(found) = self.find_clone(call) else { return Some(succeeded("there is no clone")) };
                if *keep_failed == TimeSpan::ZERO {
                    return None;
                }
                let until = keep_failed.after(now);
                if let Some(of) = self.hosts.get_mut(&found).and_then(|clone| clone.clone_of.as_mut()) {
                    of.kept_until = Some(until);
                }
                let facts = BTreeMap::from([("kept_until".to_owned(), until.to_string())]);
                Some(StepResult::Succeeded { facts, note: None })
            }
            _ => None,
        }
    }

    fn start_provider(&mut self, now: Timestamp, call: &Call) {
        let kind = call.step.kind;
        self.see(Observation::EffectStarted { attempt: call.attempt.clone(), kind });
        // Nobody is there while a disk or the machine itself is replaced.
        let takes_away = matches!(kind, StepKind::Restore | StepKind::Promote);
        if takes_away {
            self.power_off(now, &call.host, None);
        }
        let meanwhile = kind == StepKind::Backup && self.spring(&call.host, |f| *f == Fault::FixedMeanwhile).is_some();
        if let Some(host) = self.hosts.get_mut(&call.host) {
            host.jobs.insert(call.attempt.clone(), Job { kind, state: JobState::Running { boot: None } });
            if takes_away {
                host.busy.insert(call.attempt.clone());
            }
            if meanwhile {
                let offers = host.offers.iter().map(|(package, offer)| (package.clone(), offer.version.clone()));
                host.disk.installed.extend(offers.collect::<Vec<_>>());
            }
        }
        let duration = self.duration(&call.host, &call.step);
        self.at(duration.after(now), Happening::JobEnds { call: Box::new(call.clone()), boot: None });
    }

    /// The provider is done: its answer, and how long it is waited for who should answer and does not.
    pub(super) fn provided(&mut self, now: Timestamp, call: &Call) -> (StepResult, TimeSpan) {
        match &call.step.action {
            Action::Backup { .. } => (self.backed_up(call), TimeSpan::ZERO),
            Action::Restore { .. } => (self.restored(call), TimeSpan::ZERO),
            Action::Clone { backup, back_within, time_to_live } => {
                self.cloned(call, backup, *back_within, time_to_live.after(now))
            }
            Action::Promote { clone, back_within } => self.promoted(now, call, clone, *back_within),
            Action::Destroy { .. } => (self.destroyed(now, call), TimeSpan::ZERO),
            Action::Release { backup, promote } => (self.released(call, backup, promote.as_ref()), TimeSpan::ZERO),
            _ => (failed("unexpected", format!("no provider does {}", call.step.kind)), TimeSpan::ZERO),
        }
    }

    fn backed_up(&mut self, call: &Call) -> StepResult {
        let name = &call.host;
        if self.spring(name, |fault| *fault == Fault::BackupFails).is_some() {
            return failed("backup-failed", format!("the provider has no room for a backup of {name}"));
        }
        let reference = format!("sim-{}", call.attempt);
        if let Some(host) = self.hosts.get_mut(name) {
            host.backups.insert(reference.clone(), host.disk.clone());
        }
        let facts = BTreeMap::from([(BACKUP_FACT.to_owned(), reference)]);
        StepResult::Succeeded { facts, note: None }
    }

    fn restored(&mut self, call: &Call) -> StepResult {
        let name = &call.host;
        if self.spring(name, |fault| *fault == Fault::RestoreFails).is_some() {
            return broken("restore-failed", format!("the provider could not restore {name}"), "no space left on pool");
        }
        let Some(disk) = self.backup_of(call).cloned() else {
            return broken("no-backup", format!("the backup of {name} is gone"), "");
        };
        *self.restores.entry(name.clone()).or_insert(0) += 1;
        if let Some(host) = self.hosts.get_mut(name) {
            // There is nothing left for its watch to do.
            if let Some(watch) = host.watch.as_mut().filter(|watch| watch.state == WatchState::Armed) {
                watch.state = WatchState::Disarmed;
            }
            let network = if host.network == Network::Isolated { Network::Isolated } else { Network::Fine };
            host.boots(Disk { stale: false, ..disk }, network);
            let boot = host.boot;
            self.see(Observation::HostUp { host: name.clone(), boot });
        }
        succeeded("restored")
    }

    fn cloned(
        &mut self,
        call: &Call,
        backup: &StepId,
        back_within: TimeSpan,
        overdue_at: Timestamp,
    ) -> (StepResult, TimeSpan) {
        let name = &call.host;
        let reference = self.noted(call, backup, BACKUP_FACT).unwrap_or_default();
        let never = self.spring(name, |fault| *fault == Fault::CloneNeverAnswers).is_some();
        let Some((host, disk)) = self.hosts.get(name).and_then(|host| Some((host, host.backups.get(&reference)?)))
        else {
            return (failed("no-backup", format!("{name} has no backup to make a clone from")), TimeSpan::ZERO);
        };
        let of = CloneOf { host: name.clone(), key: call.attempt.clone(), overdue_at, kept_until: None };
        let mut facts = BTreeMap::from([
            (CLONE_FACT.to_owned(), clone_name(name).to_string()),
            (HOST_KEY_FACT.to_owned(), host_key_of(&of)),
        ]);
        if host.host.switch.is_some() {
            facts.insert(ENDPOINT_FACT.to_owned(), host.goes_to.clone());
        }
        let mut clone = host.cloned(disk, of);
        facts.insert(ADDRESS_FACT.to_owned(), clone.host.address().to_owned());
        if never {
            clone.power = Power::Down;
        }
        let up = Observation::HostUp { host: clone.host.name.clone(), boot: clone.boot };
        self.add_clone(clone);
        if never {
            return (broken("clone-not-up", format!("the clone of {name} does not answer"), ""), back_within);
        }
        self.see(up);
        (StepResult::Succeeded { facts, note: None }, TimeSpan::ZERO)
    }

    fn promoted(
        &mut self,
        now: Timestamp,
        call: &Call,
        clone: &StepId,
        back_within: TimeSpan,
    ) -> (StepResult, TimeSpan) {
        let name = &call.host;
        let halfway = self.spring(name, |fault| *fault == Fault::PromoteFails { took: Took::Yes }).is_some();
        let named = self.noted(call, clone, CLONE_FACT).ok();
        let Some(clone) = self.find_clone(call).filter(|found| named.as_deref() == Some(found.as_str())) else {
            return (
                broken("promote-failed", format!("{name} has no clone that could take its place"), ""),
                TimeSpan::ZERO,
            );
        };
        let reference = format!("original-{}", call.attempt);
        if let Some(host) = self.hosts.get_mut(name) {
            host.originals.insert(reference.clone(), host.disk.clone());
        }
        if halfway {
            let text = format!("{name} was shut down, and its clone did not take its place");
            return (broken("promote-failed", text, ""), TimeSpan::ZERO);
        }
        self.power_off(now, &clone, None);
        let restores = self.restores.get(name).copied().unwrap_or(0);
        let taken = self.hosts.remove(&clone);
        self.promoted.insert(clone, (name.clone(), restores));
        if let Some((host, clone)) = self.hosts.get_mut(name).zip(taken) {
            let network = if clone.is_cut_off() { clone.network } else { Network::Fine };
            host.boots(clone.disk.booted(), network);
            let (boot, back) = (host.boot, !host.is_cut_off());
            self.see(Observation::HostUp { host: name.clone(), boot });
            if !back {
                return (broken("host-not-back", format!("{name} does not answer"), ""), back_within);
            }
        }
        let facts = BTreeMap::from([(ORIGINAL_FACT.to_owned(), reference)]);
        (StepResult::Succeeded { facts, note: None }, TimeSpan::ZERO)
    }

    fn destroyed(&mut self, now: Timestamp, call: &Call) -> StepResult {
        if self.spring(&call.host, |fault| *fault == Fault::DestroyFails).is_some() {
            return failed("destroy-failed", format!("the provider does not destroy the clone of {}", call.host));
        }
        self.remove_clone(now, &call.owner);
        succeeded("destroyed")
    }

    fn released(&mut self, call: &Call, backup: &StepId, promote: Option<&StepId>) -> StepResult {
        if self.spring(&call.host, |fault| *fault == Fault::ReleaseFails).is_some() {
            return failed("release-failed", format!("the provider deletes nothing of {}", call.host));
        }
        let original = promote.and_then(|promote| self.noted(call, promote, ORIGINAL_FACT).ok());
        let backup = self.noted(call, backup, BACKUP_FACT).ok();
        if let Some(host) = self.hosts.get_mut(&call.host) {
            original.map(|original| host.originals.remove(&original));
            backup.map(|backup| host.backups.remove(&backup));
        }
        succeeded("deleted")
    }

    /// The clone that this campaign made of the call's host, also where nobody heard of it.
    fn find_clone(&self, call: &Call) -> Option<HostName> {
        let ours = |(_, of): &(&SimHost, &CloneOf)| of.key.campaign == call.attempt.campaign;
        self.clones(&call.owner).find(ours).map(|(clone, _)| clone.host.name.clone())
    }

    /// Somebody destroys the host's clone, if there is one.
    pub(super) fn remove_clone(&mut self, now: Timestamp, host: &HostName) {
        let clone = self.clones(host).next().map(|(clone, _)| clone.host.name.clone());
        if let Some(clone) = clone {
            self.power_off(now, &clone, None);
            self.hosts.remove(&clone);
        }
    }

    /// The backup that this campaign made of the call's host. What is restored comes from the journal, by way of the
    /// facts: a controller that forgot it cannot go back.
    pub(super) fn backup_of(&self, call: &Call) -> Option<&Disk> {
        let reference = match &call.step.action {
            Action::Restore { backup, .. } => call.facts.get(&(backup.clone(), BACKUP_FACT.to_owned())),
            _ => {
                let own = |(step, key): &(StepId, String)| key == BACKUP_FACT && step.host() == call.owner.as_str();
                call.facts.iter().find(|(fact, _)| own(fact)).map(|(_, reference)| reference)
            }
        };
        self.hosts.get(&call.owner)?.backups.get(reference?)
    }
}

/// A fact of the clone that a step made, or of the one that a search left in its place.
pub(super) fn of_clone<'f>(
    facts: &'f BTreeMap<(StepId, String), String>,
    clone: &StepId,
    key: &str,
) -> Option<&'f String> {
    let search = StepId::new(&format!("{}/{}", clone.host(), StepKind::Bisect)).ok();
    let by = |step: StepId| facts.get(&(step, key.to_owned()));
    search.and_then(by).or_else(|| by(clone.clone()))
}

pub(super) fn host_key_of(clone: &CloneOf) -> String {
    format!("ssh-ed25519 {}", clone.key)
}
