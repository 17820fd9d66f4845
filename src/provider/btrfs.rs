//! Hosts whose root is a btrfs subvolume: a snapshot, and the root replaced by a copy of one.
//!
//! Everything happens in one script on the machine that holds the subvolumes, under a lock of the host: it is found again
//! by the digest of its key, and a call that was cut off is completed by the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::{address, host_key, reference};
use super::machine::{Call, Machine, command, is_mark, mark, value};
use super::snapshot::{self, Script, Scripted, Values, is_plain_uuid, no_effect};
use super::{Ask, BackupRef, CloneHost, CloneRef, EffectKey, Held, OriginalRef, Provider, ProviderError, Watch, watch};
use crate::engine::BoxFuture;
use crate::model::{BtrfsProvider, Freeze, Host, TimeSpan, printable};
use crate::transport::Transport;

const SCRIPT: &str = include_str!("btrfs/btrfs.sh");
/// Looking at subvolumes takes no time.
const LOOK: TimeSpan = TimeSpan::minutes(1);
/// What a call does itself, beside the user's commands.
const OWN_WORK: TimeSpan = TimeSpan::minutes(10);

/// The provider of one host.
#[derive(Clone)]
pub(super) struct Btrfs {
    settings: BtrfsProvider,
    transport: Arc<dyn Transport>,
}

fn checked(text: &str) -> Result<&str, ProviderError> {
    if is_mark(text) { Ok(text) } else { Err(no_effect(format!("{:?} is not a reference", printable(text, 80)))) }
}

impl Btrfs {
    pub(super) fn new(settings: BtrfsProvider, transport: &Arc<dyn Transport>) -> Self {
        Self { settings, transport: Arc::clone(transport) }
    }

    fn base(&self, host: &Host) -> String {
        format!("{}/{}", self.settings.snapshots.trim_end_matches('/'), host.name)
    }

    fn start(&self, host: &Host) -> Result<Values, ProviderError> {
        let settings = &self.settings;
        Ok(vec![("STOP", command(&settings.stop, host, &[])?), ("START", command(&settings.start, host, &[])?)])
    }

    /// The commands for the clone with this mark.
    fn clone_commands(&self, host: &Host, mark: &str) -> Result<Values, ProviderError> {
        let (Some(start), Some(stop)) = (&self.settings.start_clone, &self.settings.stop_clone) else {
            return Err(super::types::cannot(host, "start and stop clones"));
        };
        let name = format!("switchback-{}", &mark[..12]);
        let path = format!("{}/clone-{mark}/root", self.base(host));
        let values = [("clone", name.as_str()), ("path", path.as_str())];
        Ok(vec![
            ("START_CLONE", command(start, host, &values)?),
            ("STOP_CLONE", command(stop, host, &values)?),
            ("NAME", name),
        ])
    }

    async fn do_clone(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<CloneHost, ProviderError> {
        reference(&key.0).ok_or_else(|| no_effect(format!("{:?} is no key", printable(&key.0, 80))))?;
        let by = mark(key);
        let commands = self.clone_commands(host, &by)?;
        let values = [Self::parts(backup)?, vec![("BY", by.clone()), ("KEY", key.0.clone())], commands].concat();
        let made = self.run(host, "clone", values, Call::Change).await?;
        let said = value(&made, "address").unwrap_or_default();
        let address = address(said).ok_or_else(|| {
            let said = printable(said, 200);
            ProviderError::Unclear(format!("{said:?}, the last line of the command that starts a clone, is no address"))
        })?;
        let host_key = value(&made, "host_key").and_then(host_key);
        let host_key = host_key.ok_or_else(|| ProviderError::Unclear("the clone has no host key".to_owned()))?;
        Ok(CloneHost { reference: CloneRef(by), address: address.to_owned(), host_key: host_key.to_owned() })
    }

    async fn do_promote(&self, host: &Host, clone: &CloneRef, key: &EffectKey) -> Result<OriginalRef, ProviderError> {
        let (mark, by) = (checked(&clone.0)?, mark(key));
        let commands = self.clone_commands(host, mark)?;
        let own = vec![("MARK", mark.to_owned()), ("BY", by.clone()), ("KEY", key.0.clone())];
        self.run(host, "promote", [own, self.start(host)?, commands].concat(), Call::Change).await?;
        Ok(OriginalRef(by))
    }

    async fn do_list(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        let lines = self.run(host, "list", vec![], Call::Look).await?;
        let mut found = Vec::new();
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let held = listed(line);
            found.push(held.ok_or_else(|| no_effect(format!("{:?} is not understood", printable(line, 200))))?);
        }
        found.sort();
        Ok(found)
    }
}

/// One line of a list. A key that is not the one whose digest names the folder was not written by us.
fn listed(line: &str) -> Option<(EffectKey, Held)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [kind, of, key] = words[..] else { return None };
    let key = EffectKey(reference(key)?.to_owned());
    let found = of.split(':').next()?;
    if found != mark(&key) {
        return None;
    }
    let held = match kind {
        "backup" => {
            let backup = BackupRef(of.to_owned());
            Btrfs::parts(&backup).ok()?;
            Held::Backup(backup)
        }
        "clone" => Held::Clone(CloneRef(found.to_owned())),
        "original" => Held::Original(OriginalRef(found.to_owned())),
        _ => return None,
    };
    Some((key, held))
}

impl Scripted for Btrfs {
    fn script(&self, host: &Host, op: &'static str, values: Values, call: Call) -> Script {
        let each = self.settings.command_limit();
        let mut all = BTreeMap::from([
            ("OP".to_owned(), op.to_owned()),
            ("BASE".to_owned(), self.base(host)),
            ("SUBVOLUME".to_owned(), self.settings.subvolume.trim_end_matches('/').to_owned()),
            ("LIMIT".to_owned(), each.as_seconds().to_string()),
        ]);
        all.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let limit = match call {
            Call::Look => LOOK,
            Call::Change => each.plus(each).plus(each).plus(OWN_WORK),
        };
        let machine = Machine::behind(host, self.settings.via.as_ref(), &self.transport);
        Script { machine, text: SCRIPT, values: all, limit }
    }

    fn lock(&self, host: &Host) -> String {
        self.base(host)
    }

    fn to_restore(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<Values, ProviderError> {
        Ok([Self::parts(backup)?, vec![("BY", mark(key))], self.start(host)?].concat())
    }

    fn freeze(&self) -> (Option<&Freeze>, &Arc<dyn Transport>) {
        (self.settings.freeze.as_ref(), &self.transport)
    }

    fn is_uuid(text: &str) -> bool {
        is_plain_uuid(text)
    }
}

impl Provider for Btrfs {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(snapshot::backup(self, host, key, vec![]))
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

    fn clone_host<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<CloneHost, ProviderError>> {
        Box::pin(self.do_clone(host, backup, key))
    }

    fn promote<'a>(
        &'a self,
        host: &'a Host,
        clone: &'a CloneRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<OriginalRef, ProviderError>> {
        Box::pin(self.do_promote(host, clone, key))
    }

    fn destroy<'a>(&'a self, host: &'a Host, clone: &'a CloneRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let mark = checked(&clone.0)?;
            let values = [vec![("MARK", mark.to_owned())], self.clone_commands(host, mark)?].concat();
            self.run(host, "destroy", values, Call::Change).await.map(|_| ())
        })
    }

    fn release<'a>(&'a self, host: &'a Host, original: &'a OriginalRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let values = vec![("MARK", checked(&original.0)?.to_owned())];
            self.run(host, "release", values, Call::Change).await.map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests;
