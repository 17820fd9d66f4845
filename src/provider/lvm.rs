//! Hosts whose disk is a thin volume of LVM: a snapshot, and the volume replaced by a copy of one.
//!
//! No merging: a merged snapshot is gone, and a backup must serve again. There are no clones: they would need an identity
//! of their own, and a file system that a host has written to is not mounted by its hypervisor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::reference;
use super::machine::{Call, Machine, command, mark};
use super::snapshot::{self, Script, Scripted, Values, no_effect};
use super::{Ask, BackupRef, EffectKey, Held, Provider, ProviderError, Watch, watch};
use crate::engine::BoxFuture;
use crate::model::{Freeze, Host, LvmProvider, TimeSpan, printable};
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

impl Lvm {
    pub(super) fn new(settings: LvmProvider, transport: &Arc<dyn Transport>) -> Self {
        Self { settings, transport: Arc::clone(transport) }
    }

    async fn do_backup(&self, host: &Host, key: &EffectKey) -> Result<BackupRef, ProviderError> {
        // A tag of LVM takes all that a key may hold but this.
        if key.0.contains('@') {
            return Err(no_effect(format!("key {:?} cannot be a tag", printable(&key.0, 80))));
        }
        snapshot::backup(self, host, key, vec![]).await
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
    (of == mark(&key) && Lvm::parts(&backup).is_ok()).then_some(Some((key, Held::Backup(backup))))
}

impl Scripted for Lvm {
    fn script(&self, host: &Host, op: &'static str, values: Values, call: Call) -> Script {
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
        let machine = Machine::behind(host, self.settings.via.as_ref(), &self.transport);
        Script { machine, text: SCRIPT, values: all, limit }
    }

    fn lock(&self, _: &Host) -> String {
        format!("{}/{}", self.settings.group, self.settings.volume)
    }

    fn to_restore(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<Values, ProviderError> {
        let settings = &self.settings;
        let commands =
            vec![("STOP", command(&settings.stop, host, &[])?), ("START", command(&settings.start, host, &[])?)];
        Ok([Self::parts(backup)?, vec![("BY", mark(key))], commands].concat())
    }

    fn freeze(&self) -> (Option<&Freeze>, &Arc<dyn Transport>) {
        (self.settings.freeze.as_ref(), &self.transport)
    }

    fn is_uuid(text: &str) -> bool {
        text.len() == 38 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
}

impl Provider for Lvm {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(self.do_backup(host, key))
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.run(host, "verify", Self::parts(backup)?, Call::Look).await.map(|_| ()) })
    }

    fn restore<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(snapshot::restore(self, host, backup, key))
    }

    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.run(host, "delete", Self::parts(backup)?, Call::Change).await.map(|_| ()) })
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(self.do_list(host))
    }

    fn watch<'a>(
        &'a self,
        host: &'a Host,
        key: &'a EffectKey,
        ask: Ask<'a>,
    ) -> BoxFuture<'a, Result<Watch, ProviderError>> {
        Box::pin(watch::ask(self, host, key, ask))
    }
}

#[cfg(test)]
mod tests;
