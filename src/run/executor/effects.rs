//! Backups, restores and traffic: effects off the host, found again by their key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::{Effected, StepResult};
use crate::model::{StepId, TimeSpan};
use crate::plan::Reason;
use crate::provider::{BackupRef, EffectKey, Provider, ProviderError};
use crate::switch::{Switch, TrafficState};

use super::{Backoff, Work, failed, unknown};

/// The fact that names the backup.
pub(super) const BACKUP: &str = "backup";
/// How long a machine is asked again that does not answer: longer than a broken connection lasts.
const PATIENCE: Duration = Duration::from_secs(180);
/// A backend may take this much longer than its step before it is given up: it has limits of its own.
const GRACE: Duration = Duration::from_secs(15);

impl Work<'_> {
    pub(super) fn key(&self) -> EffectKey {
        EffectKey(self.request.attempt.to_string())
    }

    pub(super) fn provider(&self) -> Result<Arc<dyn Provider>, StepResult> {
        (self.executor.provider_of)(self.host).ok_or_else(|| {
            let reason = Reason::new("no-provider", format!("{} has no provider that makes backups", self.host.name));
            failed(reason, Effected::No, String::new())
        })
    }

    pub(super) fn switch(&self) -> Result<Arc<dyn Switch>, StepResult> {
        (self.executor.switch_of)(self.host).ok_or_else(|| {
            let reason = Reason::new("no-switch", format!("{} has no switch that moves its traffic", self.host.name));
            failed(reason, Effected::No, String::new())
        })
    }

    /// The work of a backend, cut off when the step's time is up: whether it was done is then unknown.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, StepResult> {
        tokio::time::timeout(self.left() + GRACE, work).await.map_err(|_| unknown(self.out_of_time()))
    }

    /// Makes the call again while it fails so, within bounds: what does not answer now may soon.
    pub(super) async fn patiently<T, F: Future<Output = Result<T, ProviderError>>>(
        &self,
        passes: impl Fn(&ProviderError) -> bool,
        call: impl Fn() -> F,
    ) -> Result<T, ProviderError> {
        let mut again = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        let begun = Instant::now();
        loop {
            let error = match call().await {
                Err(error) if passes(&error) => error,
                end => return end,
            };
            self.context.progress(&format!("{error}; asking again"));
            if !again.pause(self.left().min(PATIENCE.saturating_sub(begun.elapsed()))).await {
                return Err(error);
            }
        }
    }

    /// What a failed call means for the step. That this one had no effect says nothing of one before it.
    pub(super) fn provider_failed(&self, code: &str, error: ProviderError) -> StepResult {
        match error {
            ProviderError::NoEffect(why) if self.is_attach() => unknown(Reason::new(code, why)),
            error => provider_failed(code, error),
        }
    }

    pub(super) async fn backup_step(&self) -> StepResult {
        self.backup().await.unwrap_or_else(|result| result)
    }

    async fn backup(&self) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        let slots = self.executor.backup_slots(self.host);
        let _slot = match &slots {
            Some(slots) => {
                self.context.progress("waits for other backups");
                // The semaphore is never closed.
                self.in_time(slots.acquire()).await?.ok()
            }
            None => None,
        };
        self.context.progress("makes a backup");
        let backup = match self.in_time(provider.backup(self.host, &self.key())).await? {
            Ok(backup) => backup,
            Err(error) => return Err(self.provider_failed("backup-failed", error)),
        };
        self.context.progress("verifies the backup");
        match self.in_time(provider.verify_backup(self.host, &backup)).await? {
            Ok(()) => Ok(StepResult::Succeeded {
                facts: [(BACKUP.to_owned(), backup.0.clone())].into(),
                note: Some(format!("backup {}", backup.0)),
            }),
            Err(error) => {
                let reason = Reason::new("backup-not-verified", format!("{}: {error}", backup.0));
                // It is there, whatever it is worth: who would delete it must know.
                Err(failed(reason, Effected::Possibly, String::new()))
            }
        }
    }

    pub(super) async fn restore_step(&self, backup: &StepId, back_within: TimeSpan) -> StepResult {
        self.restore(backup, back_within).await.unwrap_or_else(|result| result)
    }

    async fn restore(&self, backup_step: &StepId, back_within: TimeSpan) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        let Some(backup) = self.request.facts.get(&(backup_step.clone(), BACKUP.to_owned())) else {
            let reason = Reason::new("no-backup", format!("{backup_step} left no backup to restore"));
            return Err(failed(reason, Effected::No, String::new()));
        };
        let backup = BackupRef(backup.clone());
        self.context.progress(&format!("restores {}", backup.0));
        let key = self.key();
        let restore = async {
            let nothing_done = |error: &ProviderError| matches!(error, ProviderError::NoEffect(_));
            let restored = self.patiently(nothing_done, || provider.restore(self.host, &backup, &key));
            self.in_time(restored).await?.map_err(|error| self.provider_failed("restore-failed", error))
        };
        self.restore_under(restore).await?;
        self.wait_until_back(back_within).await.map_err(|reason| failed(reason, Effected::Possibly, String::new()))?;
        Ok(StepResult::Succeeded { facts: Default::default(), note: Some(format!("restored {}", backup.0)) })
    }

    pub(super) async fn drain_step(&self, idle_within: TimeSpan) -> StepResult {
        self.drain(idle_within).await.unwrap_or_else(|result| result)
    }

    async fn drain(&self, idle_within: TimeSpan) -> Result<StepResult, StepResult> {
        let switch = self.switch()?;
        self.context.progress("takes the host out of service");
        match self.in_time(switch.drain(self.host, idle_within)).await? {
            Ok(()) => Ok(StepResult::Succeeded { facts: Default::default(), note: None }),
            Err(error) => {
                let stands = self.in_time(switch.status(self.host)).await?;
                // On the way back it is enough that nothing new comes: what still runs there runs on a service that has
                // failed, and would keep the host from being restored.
                if let (Ok(TrafficState::Drained { .. }), true) = (&stands, self.is_way_back()) {
                    let note = Some(format!("{error}: it takes no new requests, the others are lost"));
                    return Ok(StepResult::Succeeded { facts: Default::default(), note });
                }
                let stands = match stands {
                    Ok(TrafficState::InService) => "it is in service".to_owned(),
                    Ok(TrafficState::Drained { running: Some(running) }) => format!("{running} requests still run"),
                    Ok(TrafficState::Drained { running: None }) => "it takes no new requests".to_owned(),
                    Err(_) => "where its traffic goes is not known".to_owned(),
                };
                Err(failed(
                    Reason::new("drain-failed", format!("{error}; {stands}")),
                    Effected::Possibly,
                    String::new(),
                ))
            }
        }
    }

    pub(super) async fn undrain_step(&self) -> StepResult {
        self.undrain().await.unwrap_or_else(|result| result)
    }

    async fn undrain(&self) -> Result<StepResult, StepResult> {
        let switch = self.switch()?;
        self.context.progress("puts the host back into service");
        match self.in_time(switch.undrain(self.host)).await? {
            Ok(()) => Ok(StepResult::Succeeded { facts: Default::default(), note: None }),
            Err(error) => {
                Err(failed(Reason::new("undrain-failed", error.to_string()), Effected::Possibly, String::new()))
            }
        }
    }
}

/// The same for what a step does anew whenever it is looked at.
pub(super) fn provider_failed(code: &str, error: ProviderError) -> StepResult {
    let reason = Reason::new(code, error.to_string());
    match error {
        ProviderError::NoEffect(_) => failed(reason, Effected::No, String::new()),
        // The same call with the same key finds out: that is what attaching to this attempt does.
        ProviderError::Unclear(_) => unknown(reason),
    }
}
