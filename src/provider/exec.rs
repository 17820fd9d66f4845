//! The user's own commands as provider.
//!
//! Each is an argv in which `{host}`, `{address}`, `{key}` and `{ref}` stand for values. Exit code 0 is success, 75
//! says that nothing was done, anything else leaves it open. `backup` prints the reference of the backup as its last
//! line, the same for the same key: it is called again with its key when nobody knows how the first call ended. The same
//! holds for `clone` and `promote`.

use std::fs::File;

use crate::engine::BoxFuture;
use crate::model::{ExecProvider, Host, TimeSpan, exit, printable};
use crate::transport::{ProcessError, Ran, fill_argv, run_argv_holding, run_argv_whole};

use super::answer::{address, host_key, reference};
use super::types::{alone, cannot};
use super::{BackupRef, CloneHost, CloneRef, EffectKey, Held, OriginalRef, Provider, ProviderError};

/// How long a command may take unless the inventory says otherwise.
const TIMEOUT: TimeSpan = TimeSpan::hours(1);
/// Longest list that is read: some hundred bytes a line, thousands of lines.
const MAX_LIST: usize = 1 << 20;

/// A provider made of the user's own commands.
#[derive(Clone, Debug)]
pub struct ExecCommands {
    commands: ExecProvider,
}

impl ExecCommands {
    /// A provider of these commands.
    pub fn new(commands: ExecProvider) -> Self {
        Self { commands }
    }

    async fn run(&self, argv: &[String], host: &Host, values: &[(&str, &str)]) -> Result<Ran, ProviderError> {
        self.run_holding(argv, host, values, None).await
    }

    fn limit(&self) -> TimeSpan {
        self.commands.timeout.unwrap_or(TIMEOUT)
    }

    async fn run_holding(
        &self,
        argv: &[String],
        host: &Host,
        values: &[(&str, &str)],
        lock: Option<File>,
    ) -> Result<Ran, ProviderError> {
        let no_effect = |error: ProcessError| ProviderError::NoEffect(error.to_string());
        let argv = fill_argv(argv, host, values).map_err(no_effect)?;
        let ran = match run_argv_holding(&argv, self.limit(), lock).await {
            Ok(ran) => ran,
            Err(error @ ProcessError::NotStarted(_)) => return Err(no_effect(error)),
            Err(error) => return Err(ProviderError::Unclear(error.to_string())),
        };
        let said = || format!("{} ended with code {}: {}", argv[0], ran.code, ran.errors);
        match ran.code {
            0 => Ok(ran),
            exit::TRANSIENT => Err(ProviderError::NoEffect(said())),
            _ => Err(ProviderError::Unclear(said())),
        }
    }

    async fn destroy_one(&self, host: &Host, of: &str) -> Result<(), ProviderError> {
        let argv = self.commands.destroy.as_ref().ok_or_else(|| cannot(host, "destroy clones"))?;
        self.run(argv, host, &[("ref", checked(of)?)]).await.map(|_| ())
    }
}

impl Provider for ExecCommands {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(async move {
            let lock = alone(key)?;
            let ran = self.run_holding(&self.commands.backup, host, &[("key", &key.0)], Some(lock)).await?;
            named("backup", &ran.last_line).map(BackupRef)
        })
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match &self.commands.verify_backup {
                Some(argv) => self.run(argv, host, &[("ref", checked(&backup.0)?)]).await.map(|_| ()),
                None => Ok(()),
            }
        })
    }

    fn restore<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let values = [("ref", checked(&backup.0)?), ("key", &key.0)];
            self.run_holding(&self.commands.restore, host, &values, Some(alone(key)?)).await.map(|_| ())
        })
    }

    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match &self.commands.delete {
                Some(argv) => self.run(argv, host, &[("ref", checked(&backup.0)?)]).await.map(|_| ()),
                None => Err(ProviderError::NoEffect(format!("the provider of {host} has no `delete` command"))),
            }
        })
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(async move {
            let argv = self.commands.list.as_ref().ok_or_else(|| cannot(host, "list what it holds"))?;
            let no_effect = |error: ProcessError| ProviderError::NoEffect(error.to_string());
            let argv = fill_argv(argv, host, &[]).map_err(no_effect)?;
            let printed = run_argv_whole(&argv, self.limit(), MAX_LIST).await.map_err(no_effect)?;
            if printed.code != 0 {
                let why = format!("{} ended with code {}: {}", argv[0], printed.code, printed.errors);
                return Err(ProviderError::NoEffect(why));
            }
            let text = String::from_utf8_lossy(&printed.output);
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            // A line that is not understood may be a clone that nobody would destroy.
            lines
                .map(|line| {
                    listed(line).ok_or_else(|| {
                        let shown = printable(line, 200);
                        ProviderError::NoEffect(format!("{shown:?} is not `backup|clone|original KEY REF`"))
                    })
                })
                .collect()
        })
    }

    fn clone_host<'a>(
        &'a self,
        host: &'a Host,
        backup: &'a BackupRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<CloneHost, ProviderError>> {
        Box::pin(async move {
            // What cannot be destroyed must not be made.
            let (Some(argv), Some(_)) = (&self.commands.clone, &self.commands.destroy) else {
                return Err(cannot(host, "make clones and destroy them"));
            };
            let values = [("ref", checked(&backup.0)?), ("key", &key.0)];
            let ran = self.run_holding(argv, host, &values, Some(alone(key)?)).await?;
            clone_of(&ran.last_line).ok_or_else(|| {
                ProviderError::Unclear(format!(
                    "{:?}, the last line of the clone command, is not `REF ADDRESS KEYTYPE BASE64`",
                    ran.last_line
                ))
            })
        })
    }

    fn promote<'a>(
        &'a self,
        host: &'a Host,
        clone: &'a CloneRef,
        key: &'a EffectKey,
    ) -> BoxFuture<'a, Result<OriginalRef, ProviderError>> {
        Box::pin(async move {
            let argv = self.commands.promote.as_ref().ok_or_else(|| cannot(host, "let a clone take a host's place"))?;
            let values = [("ref", checked(&clone.0)?), ("key", &key.0)];
            let ran = self.run_holding(argv, host, &values, Some(alone(key)?)).await?;
            named("promote", &ran.last_line).map(OriginalRef)
        })
    }

    fn destroy<'a>(&'a self, host: &'a Host, clone: &'a CloneRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.destroy_one(host, &clone.0))
    }

    fn release<'a>(&'a self, host: &'a Host, original: &'a OriginalRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.destroy_one(host, &original.0))
    }
}

/// The reference that a command has printed.
fn named(command: &str, line: &str) -> Result<String, ProviderError> {
    reference(line).map(str::to_owned).ok_or_else(|| {
        ProviderError::Unclear(format!(
            "{line:?}, the last line of the {command} command, is not a reference: letters, digits and . _ - : / @ + ="
        ))
    })
}

/// A reference may come back from a journal: it is checked again.
fn checked(text: &str) -> Result<&str, ProviderError> {
    reference(text).ok_or_else(|| ProviderError::NoEffect(format!("{:?} is not a reference", printable(text, 80))))
}

fn clone_of(line: &str) -> Option<CloneHost> {
    let mut words = line.splitn(3, ' ');
    Some(CloneHost {
        reference: CloneRef(reference(words.next()?)?.to_owned()),
        address: address(words.next()?)?.to_owned(),
        host_key: host_key(words.next()?)?.to_owned(),
    })
}

fn listed(line: &str) -> Option<(EffectKey, Held)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, key, of] = words[..] else { return None };
    let (key, of) = (EffectKey(reference(key)?.to_owned()), reference(of)?.to_owned());
    let held = match kind {
        "backup" => Held::Backup(BackupRef(of)),
        "clone" => Held::Clone(CloneRef(of)),
        "original" => Held::Original(OriginalRef(of)),
        _ => return None,
    };
    Some((key, held))
}

#[cfg(test)]
mod tests;
