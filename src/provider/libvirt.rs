//! Hosts that are domains of libvirt on QEMU: a copy of their disks of one moment, and the disks put back.
//!
//! The chain of files of a running domain is never touched: what is made of snapshots there has to be merged again, and
//! is lost with whoever forgets it. The hypervisor copies the disks while the host runs, and goes on when nobody waits.

mod domain;

use std::sync::Arc;

use self::domain::Domain;
use super::answer::reference;
use super::machine::{Call, Machine, mark};
use super::snapshot::{self, Script, Scripted, Values, is_plain_uuid, no_effect};
use super::{Ask, BackupRef, EffectKey, Held, Provider, ProviderError, Watch, watch};
use crate::engine::BoxFuture;
use crate::model::{Freeze, Host, LibvirtProvider, TimeSpan, printable};
use crate::transport::Transport;

const SCRIPT: &str = include_str!("libvirt/libvirt.sh");
/// Looking at a domain takes no time; checking the structure of large copies takes some.
const LOOK: TimeSpan = TimeSpan::minutes(10);

/// The provider of one host.
#[derive(Clone)]
pub(super) struct Libvirt {
    settings: LibvirtProvider,
    transport: Arc<dyn Transport>,
}

impl Libvirt {
    pub(super) fn new(settings: LibvirtProvider, transport: &Arc<dyn Transport>) -> Self {
        Self { settings, transport: Arc::clone(transport) }
    }

    fn base(&self, host: &Host) -> String {
        format!("{}/{}", self.settings.backups.trim_end_matches('/'), host.name)
    }

    async fn do_backup(&self, host: &Host, key: &EffectKey) -> Result<BackupRef, ProviderError> {
        // What was made is found also when the domain has changed since.
        let found = self.run(host, "find", vec![("MARK", mark(key))], Call::Look).await?;
        if let Some(uuid) = super::machine::value(&found, "uuid") {
            let backup = BackupRef(format!("{}:{uuid}", mark(key)));
            return Self::parts(&backup).map(|_| backup);
        }
        let xml = self.run(host, "look", vec![], Call::Look).await?.join("\n");
        let domain = Domain::read(&xml)
            .map_err(|why| no_effect(format!("domain {} could not be restored: {why}", self.settings.domain)))?;
        snapshot::backup(self, host, key, vec![("DISKS", domain.disks()), ("OTHERS", domain.others())]).await
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
    let (of, key) = line.split_once(' ')?;
    let key = EffectKey(reference(key)?.to_owned());
    let backup = BackupRef(of.to_owned());
    Libvirt::parts(&backup).ok()?;
    (of.split(':').next()? == mark(&key)).then_some((key, Held::Backup(backup)))
}

impl Scripted for Libvirt {
    fn script(&self, host: &Host, op: &'static str, values: Values, call: Call) -> Script {
        let settings = &self.settings;
        let own = [
            ("OP", op.to_owned()),
            ("URI", settings.uri().to_owned()),
            ("DOMAIN", settings.domain.clone()),
            ("BASE", self.base(host)),
            ("LIMIT", settings.stop_limit().as_seconds().to_string()),
        ];
        let all = own.into_iter().chain(values).map(|(name, value)| (name.to_owned(), value));
        let limit = match call {
            Call::Look => LOOK,
            Call::Change => settings.limit(),
        };
        let machine = Machine::behind(host, settings.via.as_ref(), &self.transport);
        Script { machine, text: SCRIPT, values: all.collect(), limit }
    }

    fn lock(&self, host: &Host) -> String {
        self.base(host)
    }

    fn to_restore(&self, _: &Host, backup: &BackupRef, key: &EffectKey) -> Result<Values, ProviderError> {
        Ok([Self::parts(backup)?, vec![("BY", mark(key))]].concat())
    }

    fn freeze(&self) -> (Option<&Freeze>, &Arc<dyn Transport>) {
        (self.settings.freeze.as_ref(), &self.transport)
    }

    fn is_uuid(text: &str) -> bool {
        is_plain_uuid(text)
    }
}

impl Provider for Libvirt {
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
