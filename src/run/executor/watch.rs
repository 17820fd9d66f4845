//! The watch that puts a host back when nothing is heard of the controller: armed, renewed while the host is changed, and
//! disarmed.
//!
//! A watch that has gone back has taken away what ran on its host, and all that was known there of it. So it is asked
//! before anything begins on the host, or is looked for there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::engine::{Effected, StepResult};
use crate::model::{AttemptId, HostName, StepId, TimeSpan};
use crate::plan::{Action, Reason, Step, StepKind};
use crate::provider::{Ask, BackupRef, EffectKey, ProviderError, Watch};

use super::effects::BACKUP;
use super::{Work, failed, same, unknown};

/// A watch is renewed so often in its time: two calls may be lost.
const PER_TIME: u32 = 4;
/// How long one call to a watch may take.
const CALL: Duration = Duration::from_secs(30);
/// A call that was not answered is made again this soon.
const AGAIN: Duration = Duration::from_secs(5);
/// A watch fires this much later than it was told to at most: a call to it may take its time, its runner looks every five
/// seconds.
const LATE: TimeSpan = TimeSpan::seconds(40);
/// Between two looks at a watch that restores the host.
const PAUSE: Duration = Duration::from_secs(2);

/// The watch of a host, as the plan has it.
pub(super) struct Armed {
    key: EffectKey,
    after: TimeSpan,
}

/// Between a call to a watch, which took this long, and the next one.
pub(super) fn pause(after: TimeSpan, took: Duration, answered: bool) -> Duration {
    let every = after.to_std() / PER_TIME;
    if answered { every.saturating_sub(took) } else { every.min(AGAIN) }
}

fn went_back(watch: &Watch) -> Reason {
    let how = match watch {
        Watch::Failed(said) => format!("and could not be restored: {said}"),
        Watch::GoesBack => "and is being restored".to_owned(),
        _ => "and was restored".to_owned(),
    };
    Reason::new(
        "went-back-by-itself",
        format!("its machine had not heard of the controller in time: it went back {how}"),
    )
}

impl Work<'_> {
    /// The watch that is armed while this step is done: steps on the host itself between the one that arms and the one
    /// that disarms it.
    pub(super) fn under_watch(&self) -> Option<Armed> {
        let steps = &self.request.plan.hosts.get(&self.request.host)?.steps;
        let at = |kind: StepKind| steps.iter().position(|step| step.kind == kind);
        let own = steps.iter().position(|step| step.id == self.step.id)?;
        (at(StepKind::Arm)? < own && own < at(StepKind::Disarm)?).then(|| self.armed())?
    }

    /// The watch of this host, if it has one.
    fn armed(&self) -> Option<Armed> {
        let steps = &self.request.plan.hosts.get(&self.request.host)?.steps;
        steps.iter().find_map(|step| match step.action {
            Action::Arm { after, .. } => Some(Armed { key: self.key_of(&step.id), after }),
            _ => None,
        })
    }

    fn key_of(&self, arm: &StepId) -> EffectKey {
        EffectKey(AttemptId { step: arm.clone(), ..self.request.attempt.clone() }.to_string())
    }

    async fn ask_watch(&self, key: &EffectKey, ask: Ask<'_>) -> Result<Watch, ProviderError> {
        let Ok(provider) = self.provider() else {
            return Err(ProviderError::NoEffect(format!("{} has no provider", self.host.name)));
        };
        let silent = || ProviderError::Unclear("the machine that holds its disks does not answer".to_owned());
        tokio::time::timeout(CALL, provider.watch(self.host, key, ask)).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Asks until there is an answer, within bounds.
    async fn answer_of_watch(&self, key: &EffectKey, ask: Ask<'_>) -> Result<Watch, ProviderError> {
        self.patiently(|_| true, || self.ask_watch(key, ask)).await
    }

    pub(super) async fn arm_step(&self, backup: &StepId, after: TimeSpan) -> Result<StepResult, StepResult> {
        let backup = BackupRef(self.needed(backup, BACKUP)?);
        self.context.progress("arms its way back");
        let ask = Ask::Arm { backup: &backup, after };
        match self.ask_watch(&self.key(), ask).await.map_err(|error| self.provider_failed("arm-failed", error))? {
            Watch::Armed => {
                let note = format!("it goes back by itself when nothing is heard of the controller for {after}");
                Ok(StepResult::Succeeded { facts: Default::default(), note: Some(note) })
            }
            watch @ Watch::Another(_) if !self.is_attach() => Err(gone(&watch, Effected::No)),
            watch => Err(gone(&watch, Effected::Possibly)),
        }
    }

    /// Does the step while the watch is renewed.
    pub(super) async fn perform_under(&self, watch: &Armed) -> StepResult {
        self.context.progress("asks whether it went back");
        let asked = Instant::now();
        match self.answer_of_watch(&watch.key, Ask::Renew { after: watch.after }).await {
            Ok(Watch::Armed) => {}
            // What an earlier controller began here may have had its effect.
            Ok(other) => {
                self.jobs_here_end().await;
                return gone(&other, Effected::Possibly);
            }
            Err(error) if self.is_attach() => return unknown(Reason::new("watch-silent", error.to_string())),
            Err(error) => return failed(Reason::new("watch-silent", error.to_string()), Effected::No, String::new()),
        }
        let reason = tokio::select! {
            biased;
            result = self.perform() => return result,
            reason = self.renew(watch, asked) => reason,
        };
        self.jobs_here_end().await;
        failed(reason, Effected::Possibly, String::new())
    }

    /// Renews the watch, and ends with why nothing more may be done on the host: it went back, or must be taken to.
    async fn renew(&self, watch: &Armed, mut heard: Instant) -> Reason {
        let mut next = pause(watch.after, heard.elapsed(), true);
        loop {
            tokio::time::sleep(next).await;
            let asked = Instant::now();
            let answer = self.ask_watch(&watch.key, Ask::Renew { after: watch.after }).await;
            next = pause(watch.after, asked.elapsed(), answer.is_ok());
            match answer {
                Ok(Watch::Armed) => heard = asked,
                Ok(other) => return gone_for(&other),
                Err(error) if heard.elapsed() >= watch.after.to_std() => {
                    let text =
                        format!("nobody could renew its watch for {}: it goes back by itself: {error}", watch.after);
                    return Reason::new("went-back-by-itself", text);
                }
                Err(error) => self.context.progress(&format!("its watch is not renewed: {error}; trying again")),
            }
        }
    }

    /// Restores the host with its watch kept from doing the same at once, and ends the watch when that is done: there is
    /// nothing left for it to do.
    pub(super) async fn restore_under<T>(
        &self,
        restore: impl Future<Output = Result<T, StepResult>>,
    ) -> Result<T, StepResult> {
        let Some(watch) = self.armed() else { return restore.await };
        let known = Mutex::new(None);
        let renewed = async {
            loop {
                // Whatever it says: that they never restore at once is up to the lock of the host.
                let (asked, since) = (crate::env::now(), Instant::now());
                let answer = self.ask_watch(&watch.key, Ask::Renew { after: watch.after }).await;
                let next = pause(watch.after, since.elapsed(), answer.is_ok());
                if let Ok(watch) = answer {
                    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((watch, asked));
                }
                tokio::time::sleep(next).await;
            }
        };
        let restored = tokio::select! {
            biased;
            restored = restore => restored,
            () = renewed => return Err(unknown(self.out_of_time())),
        };
        match restored {
            // Nobody renews it any more: nothing follows while it may still restore.
            Ok(done) => match self.answer_of_watch(&watch.key, Ask::Disarm).await {
                Ok(Watch::GoesBack) => self.end_of_restore(&watch).await.map(|_| done),
                Ok(_) => Ok(done),
                // Asked again, the restore is repeated, which changes nothing.
                Err(error) => {
                    Err(self.tell_when(unknown(Reason::new("disarm-failed", error.to_string())), None, watch.after))
                }
            },
            Err(result) => {
                let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
                Err(self.tell_when(result, known, watch.after))
            }
        }
    }

    pub(super) async fn disarm_step(&self) -> Result<StepResult, StepResult> {
        let Some(watch) = self.armed() else {
            return Err(failed(Reason::new("unknown-step", "nothing arms a watch"), Effected::No, String::new()));
        };
        self.context.progress("disarms its way back");
        let mut told = self.end_of_watch(&watch).await?;
        if told == Watch::Disarmed {
            return Ok(StepResult::Succeeded { facts: Default::default(), note: None });
        }
        if !self.is_way_back() {
            return Err(gone(&told, Effected::Possibly));
        }
        if told == Watch::GoesBack {
            told = self.end_of_restore(&watch).await?;
        }
        let seen = same(self.is_as_before().await);
        // What the host needs may be what its watch could not do.
        Ok(match told {
            Watch::Failed(_) => self.tell_when(seen, Some((told, crate::env::now())), watch.after),
            _ => seen,
        })
    }

    /// Ends the watch, unless it has gone back.
    async fn end_of_watch(&self, watch: &Armed) -> Result<Watch, StepResult> {
        let told = self.answer_of_watch(&watch.key, Ask::Disarm).await;
        told.map_err(|error| self.tell_when(self.provider_failed("disarm-failed", error), None, watch.after))
    }

    /// Waits until the watch has restored the host, or could not: whoever waits for it looks at the host.
    async fn end_of_restore(&self, watch: &Armed) -> Result<Watch, StepResult> {
        self.context.progress("waits until it went back by itself");
        loop {
            match self.end_of_watch(watch).await? {
                Watch::GoesBack if self.left() > PAUSE => tokio::time::sleep(PAUSE).await,
                Watch::GoesBack => return Err(unknown(self.out_of_time())),
                end => return Ok(end),
            }
        }
    }

    /// A host that went back by itself, behind the last look at it or without one, is looked at as a restored one is.
    async fn is_as_before(&self) -> Result<StepResult, StepResult> {
        let back = TimeSpan::seconds(self.left().as_secs());
        self.wait_until_back(back).await.map_err(|reason| failed(reason, Effected::Possibly, String::new()))?;
        let plan = self.request.plan.hosts.get(&self.request.host);
        let mut undo = plan.into_iter().flat_map(|plan| &plan.steps).flat_map(|step| &step.undo);
        match undo.find(|step| step.kind == StepKind::VerifyRestored) {
            Some(Step { action: Action::Check { commands, probes }, .. }) => {
                Ok(self.check_step(commands, probes).await)
            }
            _ => Ok(StepResult::Succeeded { facts: Default::default(), note: None }),
        }
    }

    /// Why it failed, with what the watch will do.
    fn tell_when(&self, result: StepResult, known: Option<(Watch, Timestamp)>, after: TimeSpan) -> StepResult {
        let end = |heard| begins(&self.host.name, after, heard);
        let told = match known {
            Some((Watch::Armed, heard)) => format!("its watch is armed, and {}", end(heard)),
            Some((watch, _)) => gone_for(&watch).text,
            // Whoever renewed it last did that before now.
            None => format!("its watch does not answer; it {}", end(crate::env::now())),
        };
        let tell = |reason: Reason| Reason { text: format!("{}; {told}", reason.text), ..reason };
        match result {
            StepResult::Failed { reason, effect, evidence } => failed(tell(reason), effect, evidence),
            StepResult::Unknown { reason } => unknown(tell(reason)),
            other => other,
        }
    }
}

/// When a watch fires that was renewed by a call at this time, and what keeps it from that.
fn begins(host: &HostName, after: TimeSpan, heard: Timestamp) -> String {
    let by = after.plus(LATE).after(heard);
    format!("begins to put it back by itself at {by} at the latest, unless `switchback disarm {host}` ends it before")
}

fn gone_for(watch: &Watch) -> Reason {
    match watch {
        Watch::Disarmed => Reason::new("watch-gone", "somebody has disarmed its watch"),
        Watch::Another(of) => Reason::new(
            "watched-already",
            format!("another watch may put it back at any time: {of}; `switchback disarm` ends it"),
        ),
        watch => went_back(watch),
    }
}

fn gone(watch: &Watch, effect: Effected) -> StepResult {
    failed(gone_for(watch), effect, String::new())
}
