//! Files of a host in a restic repository, for hosts that have nothing better: restic runs on the host.
//!
//! Its password is a file on the host: neither it nor what opens an object store comes here. A restore puts files back one
//! by one, deletes those that came since, and leaves alone what a backup leaves out; programs that run go on with what
//! they have read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::reference;
use super::machine::{Call, Machine, command, mark, value};
use super::{BackupRef, EffectKey, Held, Provider, ProviderError};
use crate::engine::BoxFuture;
use crate::model::{Host, ResticProvider, TimeSpan, printable};
use crate::playbook::quote_words;
use crate::transport::Transport;

const SCRIPT: &str = include_str!("restic/restic.sh");
/// How much of a repository's data is read to verify a backup; its index and all trees are.
const SUBSET: &str = "64M";
/// The tag of a whole backup.
const KEY: &str = "switchback-key=";
/// Listing needs the repository's index, which may be far away.
const LOOK: TimeSpan = TimeSpan::minutes(10);

/// The provider of one host.
#[derive(Clone)]
pub(super) struct Restic {
    settings: ResticProvider,
    transport: Arc<dyn Transport>,
}

/// What restic tells of a snapshot.
#[derive(Debug, serde::Deserialize)]
struct Snapshot {
    id: String,
    hostname: String,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

fn no_effect(why: impl Into<String>) -> ProviderError {
    ProviderError::NoEffect(why.into())
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Restic {
    pub(super) fn new(settings: ResticProvider, transport: &Arc<dyn Transport>) -> Self {
        Self { settings, transport: Arc::clone(transport) }
    }

    async fn run(
        &self,
        host: &Host,
        op: &str,
        more: &[(&str, String)],
        limit: TimeSpan,
        call: Call,
    ) -> Result<Vec<String>, ProviderError> {
        let settings = &self.settings;
        let words = |words: &mut dyn Iterator<Item = String>| {
            let words: Vec<String> = words.collect();
            if words.is_empty() {
                return Ok(String::new());
            }
            quote_words(words.iter().map(String::as_str)).map_err(|error| no_effect(error.to_string()))
        };
        let after = settings.after_restore.as_ref().map(|argv| command(argv, host, &[])).transpose()?;
        let own = [
            ("OP", op.to_owned()),
            ("NAME", host.name.to_string()),
            ("RESTIC_REPOSITORY", settings.repository.clone()),
            ("RESTIC_PASSWORD_FILE", settings.password_file.clone()),
            ("ENVIRONMENT_FILE", settings.environment_file.clone().unwrap_or_default()),
            ("PATHS", words(&mut settings.paths.iter().cloned())?),
            ("EXCLUDES", words(&mut settings.exclude.iter().map(|pattern| format!("--exclude={pattern}")))?),
            ("AFTER", after.unwrap_or_default()),
            ("SUBSET", SUBSET.to_owned()),
            ("LIMIT", limit.as_seconds().to_string()),
        ];
        let values: BTreeMap<String, String> = own
            .into_iter()
            .chain(more.iter().map(|(name, value)| (*name, value.clone())))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Machine::itself(host, &self.transport).run(SCRIPT, values, limit, call).await
    }

    async fn do_backup(&self, host: &Host, key: &EffectKey) -> Result<BackupRef, ProviderError> {
        reference(&key.0).ok_or_else(|| no_effect(format!("{:?} is no key", printable(&key.0, 80))))?;
        let values = [("KEY", key.0.clone())];
        let made = self.run(host, "backup", &values, self.settings.limit(), Call::Change).await?;
        let id = value(&made, "id").filter(|id| is_id(id));
        let id = id.ok_or_else(|| ProviderError::Unclear("restic does not tell the id of the backup".to_owned()))?;
        Ok(BackupRef(id.to_owned()))
    }

    /// Whether it is there and one of ours for this host; another's is never touched.
    async fn holds(&self, host: &Host, backup: &BackupRef) -> Result<bool, ProviderError> {
        if !is_id(&backup.0) {
            return Err(no_effect(format!("{:?} is not the reference of a backup", printable(&backup.0, 80))));
        }
        let held = Held::Backup(backup.clone());
        Ok(self.do_list(host).await?.iter().any(|(_, one)| *one == held))
    }

    async fn with(
        &self,
        host: &Host,
        op: &str,
        backup: &BackupRef,
        more: &[(&str, String)],
        call: Call,
    ) -> Result<(), ProviderError> {
        if !self.holds(host, backup).await? {
            return Err(no_effect(format!("backup {} does not exist", backup.0)));
        }
        let values = [more, &[("ID", backup.0.clone())]].concat();
        self.run(host, op, &values, self.settings.limit(), call).await.map(|_| ())
    }

    async fn do_delete(&self, host: &Host, backup: &BackupRef) -> Result<(), ProviderError> {
        if !self.holds(host, backup).await? {
            return Ok(());
        }
        self.with(host, "delete", backup, &[], Call::Change).await
    }

    async fn do_list(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        let answer = self.run(host, "list", &[], LOOK, Call::Look).await?.join("\n");
        let found = listed(&answer, host.name.as_str());
        found.ok_or_else(|| no_effect("restic's list of snapshots is not understood"))
    }
}

/// The backups of ours for this host; none where the answer is not understood.
fn listed(answer: &str, name: &str) -> Option<Vec<(EffectKey, Held)>> {
    let snapshots: Option<Vec<Snapshot>> = serde_json::from_str(answer).ok()?;
    let mut found = Vec::new();
    for snapshot in snapshots.unwrap_or_default() {
        let key = snapshot.tags.iter().flatten().find_map(|tag| tag.strip_prefix(KEY));
        if let (Some(key), true) = (key, snapshot.hostname == name) {
            let key = EffectKey(reference(key)?.to_owned());
            is_id(&snapshot.id).then(|| found.push((key, Held::Backup(BackupRef(snapshot.id.clone())))))?;
        }
    }
    found.sort();
    Some(found)
}

impl Provider for Restic {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(self.do_backup(host, key))
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.with(host, "verify", backup, &[], Call::Look))
    }

    fn restore<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.with(host, "restore", backup, &[("MARK", mark(key))], Call::Change).await })
    }

    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.do_delete(host, backup))
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(self.do_list(host))
    }
}

#[cfg(test)]
mod tests;
