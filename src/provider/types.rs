//! The contract of a provider.

use std::fs::File;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan};
use crate::transport::effect_lock;

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

/// A clone that answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct CloneHost {
    /// Names it for its provider.
    pub reference: CloneRef,
    /// Where it answers; the clients of the original's service do not get there.
    pub address: String,
    /// Its host key, `TYPE BASE64`, as its provider made it: never learned from whoever answers.
    pub host_key: String,
}

/// Names a clone for its provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct CloneRef(pub String);

/// Names an original that a clone has replaced and that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct OriginalRef(pub String);

/// Something of ours that a provider holds for a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// A backup.
    Backup(BackupRef),
    /// A clone.
    Clone(CloneRef),
    /// What a clone has replaced.
    Original(OriginalRef),
}

/// What a watch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// From now on the machine that holds the host's disks puts the host back from this backup, when it has not been asked
    /// for so long. What comes late, behind [`Ask::Disarm`], arms nothing.
    Arm {
        /// The backup.
        backup: &'a BackupRef,
        /// How long.
        after: TimeSpan,
    },
    /// The time begins anew.
    Renew {
        /// How long.
        after: TimeSpan,
    },
    /// It ends, unless it has gone back already. Where there is none, none can be armed under this key any more.
    Disarm,
}

/// How a watch stands. What has gone back is never disarmed, and the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It puts the host back when nobody renews it.
    Armed,
    /// It does nothing any more.
    Disarmed,
    /// Nobody has renewed it: it restores the host now.
    GoesBack,
    /// It has restored the host.
    WentBack,
    /// It could not restore the host; this was said last.
    Failed(String),
    /// It is not armed: this other watch of the host has not ended.
    Another(String),
}

/// Makes backups and clones of hosts and puts hosts back. What it can do is told by
/// [`ProviderSettings::capabilities`](crate::model::ProviderSettings::capabilities); a call beyond that has no effect.
pub trait Provider: Send + Sync {
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
    /// All of ours that it holds for this host, with the key of each.
    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>>;

    /// Asks a watch for something, by the key under which it was armed. Asking again is harmless.
    fn watch<'a>(
        &'a self,
        host: &'a Host,
        _key: &'a EffectKey,
        _ask: Ask<'a>,
    ) -> BoxFuture<'a, Result<Watch, ProviderError>> {
        Box::pin(async move { Err(cannot(host, "put it back by itself")) })
    }

    /// Makes a clone of the host from a backup and starts it, or finds the one already made with this key. It cannot be
    /// taken for the original: its machine id, host keys, name and address are its own, and the clients of the
    /// original's service do not reach it.
    fn clone_host<'a>(
        &'a self,
        host: &'a Host,
        _backup: &'a BackupRef,
        _key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<CloneHost, ProviderError>> {
        Box::pin(async move { Err(cannot(host, "make clones")) })
    }
    /// Lets a clone take the place of its host: name, address, host key. The original is shut down and kept. Repeating it
    /// with the same key is harmless.
    fn promote<'a>(
        &'a self,
        host: &'a Host,
        _clone: &'a CloneRef,
        _key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<OriginalRef, ProviderError>> {
        Box::pin(async move { Err(cannot(host, "let a clone take a host's place")) })
    }
    /// Destroys a clone; one that is gone already is no error.
    fn destroy<'a>(&'a self, host: &'a Host, _clone: &'a CloneRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { Err(cannot(host, "destroy clones")) })
    }
    /// Deletes an original that was kept; one that is gone already is no error.
    fn release<'a>(&'a self, host: &'a Host, _original: &'a OriginalRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { Err(cannot(host, "release originals")) })
    }
}

pub(super) fn cannot(host: &Host, what: &str) -> ProviderError {
    ProviderError::NoEffect(format!("the provider of {host} cannot {what}"))
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
