//! The user's own commands as provider.
//!
//! Each is an argv in which `{host}`, `{address}`, `{key}` and `{ref}` stand for values. Exit code 0 is success, 75
//! says that nothing was done, anything else leaves it open. `backup` prints the reference of the backup as its last
//! line, the same for the same key: it is called again with its key when nobody knows how the first call ended.

use std::fs::File;

use crate::engine::BoxFuture;
use crate::model::{ExecProvider, Host, TimeSpan, exit};
use crate::transport::{ProcessError, Ran, fill_argv, run_argv_holding};

use super::types::alone;
use super::{BackupRef, EffectKey, Held, Provider, ProviderError};

/// How long a command may take unless the inventory says otherwise.
const TIMEOUT: TimeSpan = TimeSpan::hours(1);
/// Longest reference of a backup.
const MAX_REF: usize = 256;

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

    async fn run_holding(
        &self,
        argv: &[String],
        host: &Host,
        values: &[(&str, &str)],
        lock: Option<File>,
    ) -> Result<Ran, ProviderError> {
        let no_effect = |error: ProcessError| ProviderError::NoEffect(error.to_string());
        let argv = fill_argv(argv, host, values).map_err(no_effect)?;
        let ran = match run_argv_holding(&argv, self.commands.timeout.unwrap_or(TIMEOUT), lock).await {
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
}

impl Provider for ExecCommands {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(async move {
            let lock = alone(key)?;
            let ran = self.run_holding(&self.commands.backup, host, &[("key", &key.0)], Some(lock)).await?;
            reference(&ran.last_line).ok_or_else(|| {
                ProviderError::Unclear(format!(
                    "{:?}, the last line of the backup command, is not a reference: letters, digits and . _ - : / @ + =",
                    ran.last_line
                ))
            })
        })
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match &self.commands.verify_backup {
                Some(argv) => self.run(argv, host, &[("ref", checked(backup)?)]).await.map(|_| ()),
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
            let values = [("ref", checked(backup)?), ("key", &key.0)];
            self.run_holding(&self.commands.restore, host, &values, Some(alone(key)?)).await.map(|_| ())
        })
    }

    fn delete_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match &self.commands.delete {
                Some(argv) => self.run(argv, host, &[("ref", checked(backup)?)]).await.map(|_| ()),
                None => Err(ProviderError::NoEffect(format!("the provider of {host} has no `delete` command"))),
            }
        })
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(async move {
            Err(ProviderError::NoEffect(format!("the provider of {host} has no command that lists backups")))
        })
    }
}

/// A reference that cannot be taken for an option or for anything but one word.
fn reference(text: &str) -> Option<BackupRef> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@' | '+' | '=');
    let valid = !text.is_empty() && text.len() <= MAX_REF && !text.starts_with('-') && text.chars().all(fine);
    valid.then(|| BackupRef(text.to_owned()))
}

/// A reference may come back from a journal: it is checked again.
fn checked(backup: &BackupRef) -> Result<&str, ProviderError> {
    match reference(&backup.0) {
        Some(_) => Ok(&backup.0),
        None => Err(ProviderError::NoEffect(format!("{:?} is not the reference of a backup", backup.0))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::path::Path;

    use crate::model::HostName;

    use super::*;

    fn host() -> Host {
        Host::named(HostName::new("web-1").unwrap())
    }

    fn key(text: &str) -> EffectKey {
        EffectKey(text.to_owned())
    }

    fn sh(script: &str, arguments: &[&str]) -> Vec<String> {
        let words = [&["/bin/sh", "-c", script, "sh"], arguments].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// "Backs up" a file: one copy a key, as the contract asks.
    fn provider(dir: &Path) -> ExecCommands {
        let dir = dir.to_str().unwrap();
        ExecCommands::new(ExecProvider {
            backup: sh(
                r#"cd "$1" || exit 75; name=b-$(echo "$3" | tr / _); [ -e "$name" ] || { cp data "$name"; echo made >>log; }; echo "of $2"; echo "$name""#,
                &[dir, "{host}", "{key}"],
            ),
            restore: sh(r#"cd "$1" && [ -e "$2" ] || exit 75; cp "$2" data"#, &[dir, "{ref}"]),
            verify_backup: Some(sh(r#"[ -s "$1/$2" ]"#, &[dir, "{ref}"])),
            delete: Some(sh(r#"rm -f "$1/$2""#, &[dir, "{ref}"])),
            timeout: Some(TimeSpan::seconds(5)),
            ..ExecProvider::default()
        })
    }

    #[tokio::test]
    async fn a_backup_is_made_once_a_key_and_puts_back_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::write(&data, "before").unwrap();
        let provider = provider(dir.path());
        let first = provider.backup(&host(), &key("c1/web-1/backup/1")).await.unwrap();
        assert_eq!(first, BackupRef("b-c1_web-1_backup_1".into()));
        std::fs::write(&data, "after").unwrap();
        assert_eq!(provider.backup(&host(), &key("c1/web-1/backup/1")).await.unwrap(), first);
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "made\n");
        provider.verify_backup(&host(), &first).await.unwrap();
        for _ in 0..2 {
            provider.restore(&host(), &first, &key("c1/web-1/restore/1")).await.unwrap();
            assert_eq!(std::fs::read_to_string(&data).unwrap(), "before");
        }
        for _ in 0..2 {
            provider.delete_backup(&host(), &first).await.unwrap();
        }
        assert!(provider.verify_backup(&host(), &first).await.is_err());
        let gone = provider.restore(&host(), &first, &key("k")).await;
        assert!(matches!(gone, Err(ProviderError::NoEffect(_))), "75 says that nothing was done: {gone:?}");
    }

    #[tokio::test]
    async fn a_call_that_outlived_its_caller_is_not_joined_by_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let mut commands = provider(dir.path()).commands;
        commands.restore =
            sh(r#"echo begun >>"$1/log"; sleep 1; echo ended >>"$1/log""#, &[dir.path().to_str().unwrap()]);
        let provider = ExecCommands::new(commands);
        let (host, backup, key) = (host(), BackupRef("b".into()), key(dir.path().to_str().unwrap()));
        let restore = || provider.restore(&host, &backup, &key);
        let cut_off = tokio::time::timeout(std::time::Duration::from_millis(300), restore()).await;
        assert!(cut_off.is_err());
        let second = restore().await;
        assert!(matches!(second, Err(ProviderError::Unclear(_))), "{second:?}");
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        restore().await.unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "begun\nended\nbegun\nended\n");
    }

    #[tokio::test]
    async fn failures_say_whether_something_may_have_been_done() {
        let with = |backup: Vec<String>| {
            ExecCommands::new(ExecProvider { backup, timeout: Some(TimeSpan::seconds(1)), ..ExecProvider::default() })
        };
        for (argv, no_effect) in [
            (sh("exit 75", &[]), true),
            (vec!["/nonexistent".to_owned()], true),
            (sh("true", &["{typo}"]), true),
            (Vec::new(), true),
            (sh("exit 1", &[]), false),
            (sh("kill -9 $$", &[]), false),
            (sh("sleep 5", &[]), false),
            (sh("true", &[]), false),
            (sh("echo '--all'", &[]), false),
            (sh("echo 'a b'", &[]), false),
            (sh("printf 'a\\033[2J\\n'", &[]), false),
            (sh("head -c 1000 /dev/zero | tr '\\0' a", &[]), false),
        ] {
            let error = with(argv.clone()).backup(&host(), &key("k")).await.unwrap_err();
            assert_eq!(matches!(error, ProviderError::NoEffect(_)), no_effect, "{argv:?}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_reference_from_elsewhere_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let error = provider(dir.path()).restore(&host(), &BackupRef("--all".into()), &key("k")).await.unwrap_err();
        assert!(matches!(error, ProviderError::NoEffect(_)));
    }
}
