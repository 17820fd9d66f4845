//! Backups that a script makes on the machine that holds a host's disks, with its services held still where that is
//! wanted.
//!
//! The script knows `find`, `backup`, `confirm` and `discard` of a `MARK`, and prints the `uuid` of what it made. What is
//! made while services are held still counts only when it was confirmed: they were still to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::reference;
use super::freeze::Freezer;
use super::machine::{Call, Machine, is_mark, mark, value};
use super::{BackupRef, EffectKey, ProviderError};
use crate::engine::BoxFuture;
use crate::model::{Freeze, Host, TimeSpan, printable};
use crate::transport::Transport;

/// What a script finds in its environment.
pub(super) type Values = Vec<(&'static str, String)>;

pub(super) fn no_effect(why: impl Into<String>) -> ProviderError {
    ProviderError::NoEffect(why.into())
}

/// A call of a script: where it runs, with what in its environment, and for how long at most.
pub(super) struct Script {
    pub machine: Machine,
    pub text: &'static str,
    pub values: BTreeMap<String, String>,
    pub limit: TimeSpan,
}

/// A provider that works by such a script.
pub(super) trait Scripted: Sync {
    /// A call of its script.
    fn script(&self, host: &Host, op: &'static str, values: Values, call: Call) -> Script;
    /// What no two hosts on its machine have in common: what it locks.
    fn lock(&self, host: &Host) -> String;
    /// What the script needs beside to restore a backup under this key.
    fn to_restore(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<Values, ProviderError>;
    /// Runs its script; the lines that it printed.
    fn run<'a>(
        &'a self,
        host: &'a Host,
        op: &'static str,
        values: Values,
        call: Call,
    ) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        let Script { machine, text, values, limit } = self.script(host, op, values, call);
        Box::pin(async move { machine.run(text, values, limit, call).await })
    }
    /// What holds services still, and what reaches the host for it.
    fn freeze(&self) -> (Option<&Freeze>, &Arc<dyn Transport>);
    /// Whether this is what the script tells of what it made: nothing else can stand in its place unnoticed.
    fn is_uuid(text: &str) -> bool;

    /// Digest of the key and UUID.
    fn parts(backup: &BackupRef) -> Result<Values, ProviderError> {
        match backup.0.split_once(':') {
            Some((mark, uuid)) if is_mark(mark) && Self::is_uuid(uuid) => {
                Ok(vec![("MARK", mark.to_owned()), ("UUID", uuid.to_owned())])
            }
            _ => Err(no_effect(format!("{:?} is not the reference of a backup", printable(&backup.0, 80)))),
        }
    }
}

/// `8f1c5c91-e805-3947-83ee-f8fdea233a98`.
pub(super) fn is_plain_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Makes the backup with this key, or finds it. `more` is what the script needs beside to make it.
pub(super) async fn backup<S: Scripted>(
    scripted: &S,
    host: &Host,
    key: &EffectKey,
    more: Values,
) -> Result<BackupRef, ProviderError> {
    reference(&key.0).ok_or_else(|| no_effect(format!("{:?} is no key", printable(&key.0, 80))))?;
    let mark = mark(key);
    let made = |lines: &[String]| {
        let backup = BackupRef(format!("{mark}:{}", value(lines, "uuid").unwrap_or_default()));
        S::parts(&backup).is_ok().then_some(backup)
    };
    let unclear = || ProviderError::Unclear("it is not told what was made".to_owned());
    let only = || vec![("MARK", mark.clone())];
    let values = |frozen: &str| [only(), vec![("KEY", key.0.clone()), ("FROZEN", frozen.to_owned())], more].concat();
    let (Some(freeze), transport) = scripted.freeze() else {
        let lines = scripted.run(host, "backup", values("no"), Call::Change).await?;
        return made(&lines).ok_or_else(unclear);
    };
    let freezer = Freezer::new(Machine::itself(host, transport), host, freeze, key)?;
    freezer.settle().await?;
    let found = scripted.run(host, "find", only(), Call::Look).await?;
    if let Some(found) = made(&found) {
        return Ok(found);
    }
    let lines = freezer.around(scripted.run(host, "backup", values("yes"), Call::Change)).await;
    if let Err(ProviderError::NoEffect(_)) = lines {
        // Made while services went on: of no use. The first error says why.
        let _ = scripted.run(host, "discard", only(), Call::Change).await;
    }
    let backup = made(&lines?).ok_or_else(unclear)?;
    scripted.run(host, "confirm", only(), Call::Change).await?;
    Ok(backup)
}

/// Puts the host back.
pub(super) async fn restore<S: Scripted>(
    scripted: &S,
    host: &Host,
    backup: &BackupRef,
    key: &EffectKey,
) -> Result<(), ProviderError> {
    let values = scripted.to_restore(host, backup, key)?;
    scripted.run(host, "restore", values, Call::Change).await.map(|_| ())
}
