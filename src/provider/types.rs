//! The contract of a provider.

use std::fs::File;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan};
use crate::transport::effect_lock;

/// What a backup holds when services write while it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// As after a power cut.
    Crash,
    /// As after a clean unmount.
    FileSystem,
    /// As the application wants it.
    Application,
    /// Only the user's commands know.
    Unknown,
}

/// What a provider can do; declared, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Capabilities {
    /// What a backup holds.
    pub consistency: Consistency,
    /// Whether a backup can be verified beyond its existence.
    pub verifies: bool,
    /// Whether it can make clones.
    pub clones: bool,
    /// Usual time of a backup.
    pub backup_takes: TimeSpan,
    /// Usual time of a restore until the host answers.
    pub restore_takes: TimeSpan,
    /// How many backups may be made at once; none means no limit.
    pub concurrent_backups: Option<u32>,
}

/// Names a backup for its provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BackupRef(pub String);

/// Our key on an effect: the text of an attempt id. A repeat after a crash finds what it made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectKey(pub String);

/// Why a provider could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It is known that nothing was changed.
    #[error("{0}")]
    NoEffect(String),
    /// Something may have been changed; the same call with the same key finds out and completes it.
    #[error("{0}")]
    Unclear(String),
}

/// Makes backups of hosts and puts hosts back.
pub trait Provider: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// Makes a backup, or finds the one already made with this key.
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>>;
    /// Whether the backup is there and whole.
    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>>;
    /// Puts the host back: same name, address, host key and disks as when the backup was made. Repeating it is harmless.
    fn restore<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;
    /// Deletes the backup; one that is gone already is no error.
    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>>;
    /// All backups of ours that it holds for this host, with the key of each.
    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, BackupRef)>, ProviderError>>;
}

/// The right to work on this effect, to be given to the process that does it. A controller that was killed leaves that
/// process behind: whoever asks again must not start a second one beside it.
pub(super) fn alone(key: &EffectKey) -> Result<File, ProviderError> {
    match effect_lock(&key.0) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(ProviderError::Unclear(format!("an earlier call for {} still runs on this machine", key.0))),
        Err(error) => Err(ProviderError::Unclear(format!("cannot lock {}: {error}", key.0))),
    }
}
