//! The watch that puts a host back when nothing is heard of the controller: armed, renewed while the host is changed, and
//! disarmed.
//!
//! A watch that has gone back has taken away what ran on its host, and all that was known there of it. So it is asked
//! before anything begins on the host, or is looked for there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::engine::{Effected, StepResult};
use crate::model::{AttemptId, StepId, TimeSpan};
use crate::plan::{Action, Reason, Step, StepKind};
use crate::provider::{Ask, BackupRef, EffectKey, ProviderError, Watch};

use super::effects::{BACKUP, provider_failed};
use super::{Backoff, Work, failed, unknown};

/// A watch is renewed so often in its time: two calls may be lost.
const PER_TIME: u32 = 4;
/// How long one call to a watch may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a watch is asked again that does not answer: longer than a broken connection lasts.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at a watch that restores the host.
const PAUSE: Duration = Duration::from_secs(2);

/// The watch of a host, as the plan has it.
pub(super) struct Armed {
    key: EffectKey,
    after: TimeSpan,
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
        let mut again = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        let begun = Instant::now();
        loop {
            match self.ask_watch(key, ask).await {
                Ok(watch) => return Ok(watch),
                Err(error) => {
                    self.context.progress(&format!("{error}; asking again"));
                    if !again.pause(self.left().min(PATIENCE.saturating_sub(begun.elapsed()))).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    pub(super) async fn arm_step(&self, backup: &StepId, after: TimeSpan) -> Result<StepResult, StepResult> {
        let backup = BackupRef(self.needed(backup, BACKUP)?);
        self.context.progress("arms its way back");
        let ask = Ask::Arm { backup: &backup, after };
        match self.ask_watch(&self.key(), ask).await.map_err(|error| provider_failed("arm-failed", error))? {
            Watch::Armed => {
                let note = format!("it goes back by itself when nothing is heard of the controller for {after}");
                Ok(StepResult::Succeeded { facts: Default::default(), note: Some(note) })
            }
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
            Ok(other) => return gone(&other, Effected::Possibly),
            Err(error) if self.is_attach() => return unknown(Reason::new("watch-silent", error.to_string())),
            Err(error) => return failed(Reason::new("watch-silent", error.to_string()), Effected::No, String::new()),
        }
        tokio::select! {
            biased;
            result = self.perform() => result,
            reason = self.renew(watch, asked) => failed(reason, Effected::Possibly, String::new()),
        }
    }

    /// Renews the watch, and ends with why nothing more may be done on the host: it went back, or must be taken to.
    async fn renew(&self, watch: &Armed, mut heard: Instant) -> Reason {
        let every = watch.after.to_std() / PER_TIME;
        loop {
            tokio::time::sleep(every).await;
            let asked = Instant::now();
            match self.ask_watch(&watch.key, Ask::Renew { after: watch.after }).await {
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
                let asked = crate::env::now();
                if let Ok(watch) = self.ask_watch(&watch.key, Ask::Renew { after: watch.after }).await {
                    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((watch, asked));
                }
                tokio::time::sleep(watch.after.to_std() / PER_TIME).await;
            }
        };
        let restored = tokio::select! {
            biased;
            restored = restore => restored,
            () = renewed => return Err(unknown(self.out_of_time())),
        };
        match restored {
            Ok(done) => {
                // The step that disarms it asks again where this is not answered.
                if let Ok(Watch::GoesBack) = self.ask_watch(&watch.key, Ask::Disarm).await {
                    self.end_of_restore(&watch.key).await?;
                }
                Ok(done)
            }
            Err(result) => {
                let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
                Err(tell_when(result, known, watch.after))
            }
        }
    }

    pub(super) async fn disarm_step(&self, arm: &StepId) -> Result<StepResult, StepResult> {
        let key = self.key_of(arm);
        self.context.progress("disarms its way back");
        let answer = self.answer_of_watch(&key, Ask::Disarm).await;
        match answer.map_err(|error| provider_failed("disarm-failed", error))? {
            Watch::Disarmed => Ok(StepResult::Succeeded { facts: Default::default(), note: None }),
            watch if !self.is_way_back() => Err(gone(&watch, Effected::Possibly)),
            Watch::GoesBack => {
                self.end_of_restore(&key).await?;
                self.is_as_before().await
            }
            Watch::WentBack => self.is_as_before().await,
            watch => Err(gone(&watch, Effected::Possibly)),
        }
    }

    /// Waits until the watch has restored the host.
    async fn end_of_restore(&self, key: &EffectKey) -> Result<(), StepResult> {
        self.context.progress("waits until it went back by itself");
        loop {
            match self.answer_of_watch(key, Ask::Disarm).await {
                Ok(Watch::GoesBack) if self.left() > PAUSE => tokio::time::sleep(PAUSE).await,
                Ok(Watch::GoesBack) => return Err(unknown(self.out_of_time())),
                Ok(Watch::Failed(said)) => return Err(gone(&Watch::Failed(said), Effected::Possibly)),
                Ok(_) => return Ok(()),
                Err(error) => return Err(provider_failed("disarm-failed", error)),
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
}

fn gone_for(watch: &Watch) -> Reason {
    match watch {
        Watch::Disarmed => Reason::new("watch-gone", "somebody has disarmed its watch"),
        watch => went_back(watch),
    }
}

fn gone(watch: &Watch, effect: Effected) -> StepResult {
    failed(gone_for(watch), effect, String::new())
}

/// Why a restore failed, with what its watch will do.
fn tell_when(result: StepResult, known: Option<(Watch, Timestamp)>, after: TimeSpan) -> StepResult {
    let told = match known {
        Some((Watch::Armed, heard)) => {
            format!("its watch is armed, and begins to put it back by itself at {} at the latest", after.after(heard))
        }
        Some((watch, _)) => gone_for(&watch).text,
        // Whoever renewed it last did that before now.
        None => {
            let by = after.after(crate::env::now());
            format!("its watch does not answer; it begins to put it back by itself at {by} at the latest")
        }
    };
    let tell = |reason: Reason| Reason { text: format!("{}; {told}", reason.text), ..reason };
    match result {
        StepResult::Failed { reason, effect, evidence } => failed(tell(reason), effect, evidence),
        StepResult::Unknown { reason } => unknown(tell(reason)),
        other => other,
    }
}
