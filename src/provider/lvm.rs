//! Hosts whose disk is a thin volume of LVM: a snapshot, and the volume replaced by a copy of one.
//!
//! No merging: a merged snapshot is gone, and a backup must serve again. There are no clones: they would need an identity
//! of their own, and a file system that a host has written to is not mounted by its hypervisor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::reference;
use super::freeze::Freezer;
use super::machine::{Call, Machine, command, is_mark, mark, value};
use super::{BackupRef, EffectKey, Held, Provider, ProviderError};
use crate::engine::BoxFuture;
use crate::model::{Host, LvmProvider, TimeSpan, printable};
use crate::transport::Transport;

const SCRIPT: &str = include_str!("lvm/lvm.sh");
/// Looking at volumes takes seconds; a group that others change is waited for.
const LOOK: TimeSpan = TimeSpan::minutes(2);
/// What a call does itself, beside the user's commands.
const OWN_WORK: TimeSpan = TimeSpan::minutes(10);

/// The provider of one host.
#[derive(Clone)]
pub(super) struct Lvm {
    settings: LvmProvider,
    transport: Arc<dyn Transport>,
}

type Values = Vec<(&'static str, String)>;

fn no_effect(why: impl Into<String>) -> ProviderError {
    ProviderError::NoEffect(why.into())
}

/// Digest of the key and UUID of the volume: nothing else can stand in its place unnoticed.
fn parts(backup: &BackupRef) -> Result<Values, ProviderError> {
    let fine = |uuid: &str| uuid.len() == 38 && uuid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match backup.0.split_once(':') {
        Some((mark, uuid)) if is_mark(mark) && fine(uuid) => {
            Ok(vec![("MARK", mark.to_owned()), ("UUID", uuid.to_owned())])
        }
        _ => Err(no_effect(format!("{:?} is not the reference of a backup", printable(&backup.0, 80)))),
    }
}

impl Lvm {
    pub(super) fn new(settings: LvmProvider, transport: &Arc<dyn Transport>) -> Self {
        Self { settings, transport: Arc::clone(transport) }
    }

    async fn run(&self, host: &Host, op: &str, values: Values, call: Call) -> Result<Vec<String>, ProviderError> {
        let each = self.settings.command_limit();
        let own = [
            ("OP", op.to_owned()),
            ("NAME", host.name.to_string()),
            ("GROUP", self.settings.group.clone()),
            ("VOLUME", self.settings.volume.clone()),
            ("LIMIT", each.as_seconds().to_string()),
        ];
        let all: BTreeMap<_, _> = own.into_iter().chain(values).map(|(name, value)| (name.to_owned(), value)).collect();
        let limit = match call {
            Call::Look => LOOK,
            Call::Change => each.plus(each).plus(OWN_WORK),
        };
        Machine::behind(host, self.settings.via.as_ref(), &self.transport).run(SCRIPT, all, limit, call).await
    }

    async fn do_backup(&self, host: &Host, key: &EffectKey) -> Result<BackupRef, ProviderError> {
        // A tag of LVM takes all that a key may hold but this.
        if reference(&key.0).is_none() || key.0.contains('@') {
            return Err(no_effect(format!("key {:?} cannot be a tag", printable(&key.0, 80))));
        }
        let mark = mark(key);
        let backup = |lines: &[String]| {
            let backup = BackupRef(format!("{mark}:{}", value(lines, "uuid").unwrap_or_default()));
            parts(&backup).is_ok().then_some(backup)
        };
        let unclear = || ProviderError::Unclear("LVM does not tell the UUID of the snapshot".to_owned());
        let values = |frozen: &str| vec![("MARK", mark.clone()), ("KEY", key.0.clone()), ("FROZEN", frozen.to_owned())];
        let Some(freeze) = &self.settings.freeze else {
            let made = self.run(host, "backup", values("no"), Call::Change).await?;
            return backup(&made).ok_or_else(unclear);
        };
        let freezer = Freezer::new(Machine::itself(host, &self.transport), host, freeze, key)?;
        freezer.settle().await?;
        let found = self.run(host, "find", vec![("MARK", mark.clone())], Call::Look).await?;
        if let Some(found) = backup(&found) {
            return Ok(found);
        }
        let made = freezer.around(self.run(host, "backup", values("yes"), Call::Change)).await;
        if let Err(ProviderError::NoEffect(_)) = made {
            // Made while services went on: of no use. The first error says why.
            let _ = self.run(host, "discard", vec![("MARK", mark.clone())], Call::Change).await;
        }
        let made = made?;
        let made = backup(&made).ok_or_else(unclear)?;
        self.run(host, "confirm", vec![("MARK", mark.clone())], Call::Change).await?;
        Ok(made)
    }

    async fn do_restore(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<(), ProviderError> {
        let settings = &self.settings;
        let commands =
            vec![("STOP", command(&settings.stop, host, &[])?), ("START", command(&settings.start, host, &[])?)];
        let values = [parts(backup)?, vec![("BY", mark(key))], commands].concat();
        self.run(host, "restore", values, Call::Change).await.map(|_| ())
    }

    async fn do_list(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        let lines = self.run(host, "list", vec![], Call::Look).await?;
        let mut found = Vec::new();
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let held = listed(line, host.name.as_str());
            found.extend(held.ok_or_else(|| no_effect(format!("{:?} is not understood", printable(line, 200))))?);
        }
        found.sort();
        Ok(found)
    }
}

/// One line of a list: a backup of ours for this host, or something else.
fn listed(line: &str, name: &str) -> Option<Option<(EffectKey, Held)>> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [volume, uuid, tags] = columns[..] else { return None };
    let tag = |name: &str| tags.split(',').find_map(|tag| tag.strip_prefix(name)?.strip_prefix('='));
    let Some(of) = volume.strip_prefix("switchback_backup_") else { return Some(None) };
    if tag("switchback.host") != Some(name) {
        return Some(None);
    }
    let key = EffectKey(reference(tag("switchback.key")?)?.to_owned());
    let backup = BackupRef(format!("{of}:{uuid}"));
    // A key that is not the one whose digest names the volume was not written by us.
    (of == mark(&key) && parts(&backup).is_ok()).then_some(Some((key, Held::Backup(backup))))
}

impl Provider for Lvm {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(self.do_backup(host, key))
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.run(host, "verify", parts(backup)?, Call::Look).await.map(|_| ()) })
    }

    fn restore<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.do_restore(host, backup, key))
    }

    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.run(host, "delete", parts(backup)?, Call::Change).await.map(|_| ()) })
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(self.do_list(host))
    }
}

#[cfg(test)]
mod tests;
