//! Backups and clones of podman containers that are whole hosts: an image of the stopped clock, and the host made again
//! from it.
//!
//! A host comes back as it was made: the very command that made it is kept with every backup, and is run again with the
//! backup for an image. Volumes are mounted again, not put back.

mod clones;
mod recreate;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::process::Stdio;

use tokio::process::Command;

use self::recreate::{Container, Recreate};
use super::types::alone;
use super::{BackupRef, CloneHost, CloneRef, EffectKey, Held, OriginalRef, Provider, ProviderError};
use crate::engine::BoxFuture;
use crate::model::{Digest, Host, ProviderSettings, TimeSpan, printable, told};

/// The repository of all our backups.
const REPOSITORY: &str = "localhost/switchback-backup";
/// The label with the key of a backup.
const KEY: &str = "io.switchback.backup.key";
/// The label with the name of the container a backup was made of.
const CONTAINER: &str = "io.switchback.backup.container";
/// The label with the command that made the container, as hexadecimal JSON: labels have quoting rules of their own.
const RECREATE: &str = "io.switchback.backup.recreate";
/// The label on a container that a restore has made; its value tells which.
const RESTORE: &str = "io.switchback.restore";
/// How long the old host may take to shut down before it is ended: it is about to be replaced.
const STOP_SECONDS: &str = "--time=10";
/// Committing or mounting a large host takes minutes, not hours.
const LIMIT: TimeSpan = TimeSpan::minutes(30);

/// What podman says of a host that it could not freeze, and so did not commit.
const NOT_FROZEN: &str = "pausing container";
/// A busy host may not be caught with all of its processes at rest at once: the OCI runtime thaws it, gives up, and leaves
/// the next try to its caller. So long each time.
const FREEZE_AGAIN: [TimeSpan; 4] =
    [TimeSpan::seconds(1), TimeSpan::seconds(2), TimeSpan::seconds(4), TimeSpan::seconds(8)];

/// Makes backups of podman containers on this machine.
#[derive(Clone, Debug)]
pub struct Podman {
    program: OsString,
}

impl Default for Podman {
    fn default() -> Self {
        Self::with_program("podman")
    }
}

/// A container as its host's settings name it.
#[derive(Clone, Copy)]
struct Target<'a> {
    name: &'a str,
    containers_conf: Option<&'a str>,
}

struct Answer {
    ok: bool,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn said(&self) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        told(&text.trim().replace('\n', "; "), 600)
    }
}

/// What podman tells of an image.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Image {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.as_ref()?.get(name).map(String::as_str)
    }
}

/// The name of the backup with this key.
fn reference(name: &str, key: &EffectKey) -> String {
    format!("{REPOSITORY}/{}:{}", name.to_ascii_lowercase(), short(key))
}

/// A key as a tag: keys hold characters that tags may not.
fn short(key: &EffectKey) -> String {
    Digest::of(key.0.as_bytes()).to_string()[..32].to_owned()
}

/// Where the old host waits until the new one runs.
fn replaced(name: &str, key: &EffectKey) -> String {
    format!("{name}-replaced-{}", &short(key)[..12])
}

fn no_effect(why: impl Into<String>) -> ProviderError {
    ProviderError::NoEffect(why.into())
}

fn target(host: &Host) -> Result<Target<'_>, ProviderError> {
    match &host.provider {
        Some(ProviderSettings::Podman { name, containers_conf, .. }) if !name.is_empty() && !name.starts_with('-') => {
            Ok(Target { name, containers_conf: containers_conf.as_deref() })
        }
        Some(ProviderSettings::Podman { .. }) => Err(no_effect(format!("{host} names no podman container"))),
        _ => Err(no_effect(format!("{host} is not a podman container"))),
    }
}

impl Podman {
    /// With another program than `podman`.
    pub fn with_program(program: impl Into<OsString>) -> Self {
        Self { program: program.into() }
    }

    /// Calls podman; an error means that it is not known what it did.
    async fn ask<S: AsRef<std::ffi::OsStr>>(
        &self,
        target: Target<'_>,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Answer, String> {
        self.ask_holding(target, args, None).await
    }

    /// The same, with a lock that podman holds until it ends, also when this program ends before.
    async fn ask_holding<S: AsRef<std::ffi::OsStr>>(
        &self,
        target: Target<'_>,
        args: impl IntoIterator<Item = S>,
        lock: Option<File>,
    ) -> Result<Answer, String> {
        let mut command = Command::new(&self.program);
        // A group of its own: Ctrl-C asks this program to pause, and must not cut a commit or a restore off.
        command.args(args).process_group(0).stdin(lock.map_or_else(Stdio::null, Stdio::from));
        if let Some(conf) = target.containers_conf {
            command.env("CONTAINERS_CONF", conf);
        }
        // Not killed when dropped: half of a commit is worse than a whole one that nobody waits for.
        let output = tokio::time::timeout(LIMIT.to_std(), command.output())
            .await
            .map_err(|_| format!("podman did not answer within {LIMIT}"))?
            .map_err(|error| format!("podman could not be started: {error}"))?;
        Ok(Answer {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Looks at something; absent where podman does not know it.
    async fn inspect<T: serde::de::DeserializeOwned>(
        &self,
        target: Target<'_>,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, String> {
        let exists = self.ask(target, [kind, "exists", name]).await?;
        if !exists.ok {
            // 1 says no; anything else comes with words.
            return if exists.stderr.trim().is_empty() { Ok(None) } else { Err(exists.said()) };
        }
        let answer = self.ask(target, [kind, "inspect", name]).await?;
        let wrong = |why: String| format!("podman's answer about {kind} {name} is not understood: {why}");
        if !answer.ok {
            return Err(wrong(answer.said()));
        }
        let found: Vec<T> = serde_json::from_str(&answer.stdout).map_err(|error| wrong(error.to_string()))?;
        Ok(found.into_iter().next())
    }

    /// The container, unfrozen: a commit that was killed leaves it as it stood.
    async fn awake(&self, target: Target<'_>) -> Result<Option<Container>, String> {
        let container: Option<Container> = self.inspect(target, "container", target.name).await?;
        if container.as_ref().is_some_and(|container| container.state.paused) {
            let answer = self.ask(target, ["unpause", target.name]).await?;
            if !answer.ok {
                return Err(format!("container {} is frozen and stays so: {}", target.name, answer.said()));
            }
        }
        Ok(container)
    }

    async fn do_backup(&self, host: &Host, key: &EffectKey) -> Result<BackupRef, ProviderError> {
        let target = target(host)?;
        let reference = reference(target.name, key);
        // Before the host is woken: it may be frozen for a commit that goes on though its controller is gone.
        let lock = alone(key)?;
        let container = self.awake(target).await.map_err(no_effect)?;
        let earlier: Option<Image> = self.inspect(target, "image", &reference).await.map_err(no_effect)?;
        if earlier.is_some_and(|image| image.label(KEY) == Some(&key.0)) {
            return Ok(BackupRef(reference));
        }
        // Beyond these characters the label would need quoting; attempt ids have no others.
        if !key.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:/".contains(&b)) {
            return Err(no_effect(format!("key {:?} cannot be a label", printable(&key.0, 80))));
        }
        let container = container.ok_or_else(|| no_effect(format!("there is no container {}", target.name)))?;
        let recreate = Recreate::of(&container)
            .map_err(|why| no_effect(format!("container {} could not be restored: {why}", target.name)))?;
        let change = |name: &str, value: &str| ["--change".to_owned(), format!("LABEL {name}={value}")];
        let mut args = ["commit", "--quiet", "--pause=true"].map(str::to_owned).to_vec();
        args.extend(change(KEY, &key.0));
        args.extend(change(CONTAINER, target.name));
        args.extend(change(RECREATE, &recreate.to_label()));
        args.extend([target.name.to_owned(), reference.clone()]);
        for again in FREEZE_AGAIN.map(Some).into_iter().chain([None]) {
            // Each podman holds the lock as well, and this program between one and the next.
            let held = lock.try_clone().map_err(|error| no_effect(format!("lock of the backup: {error}")))?;
            let answer = self.ask_holding(target, &args, Some(held)).await.map_err(ProviderError::Unclear)?;
            if answer.ok {
                break;
            }
            self.awake(target).await.map_err(ProviderError::Unclear)?;
            match again {
                Some(later) if answer.stderr.contains(NOT_FROZEN) => tokio::time::sleep(later.to_std()).await,
                // Of the host nothing was changed; a backup that is there all the same is found by the next try.
                _ => {
                    let why = format!("container {} could not be committed: {}", target.name, answer.said());
                    return Err(no_effect(why));
                }
            }
        }
        Ok(BackupRef(reference))
    }

    /// The backup, if it is one of this host.
    async fn own(&self, host: &Host, backup: &BackupRef) -> Result<Option<(Image, Recreate)>, String> {
        let target = target(host).map_err(|error| error.to_string())?;
        let Some(image) = self.inspect::<Image>(target, "image", &backup.0).await? else { return Ok(None) };
        if image.label(CONTAINER) != Some(target.name) {
            return Err(format!("{} is not a backup of container {}", backup.0, target.name));
        }
        let recreate = image.label(RECREATE).and_then(Recreate::from_label);
        let recreate = recreate.ok_or_else(|| format!("backup {} does not tell how its host was made", backup.0))?;
        Ok(Some((image, recreate)))
    }

    async fn do_verify(&self, host: &Host, backup: &BackupRef) -> Result<(), ProviderError> {
        let target = target(host)?;
        let found = self.own(host, backup).await.map_err(no_effect)?;
        found.ok_or_else(|| no_effect(format!("backup {} does not exist", backup.0)))?;
        // Mounting needs every layer; what is in it must look like a system.
        let mounted = self.ask(target, ["image", "mount", &backup.0]).await.map_err(no_effect)?;
        let root = mounted.stdout.trim().to_owned();
        let whole = mounted.ok && tokio::fs::metadata(format!("{root}/etc")).await.is_ok_and(|etc| etc.is_dir());
        let unmounted = self.ask(target, ["image", "unmount", &backup.0]).await.map_err(no_effect)?;
        match (mounted.ok, whole, unmounted.ok) {
            (false, ..) => Err(no_effect(format!("backup {} cannot be mounted: {}", backup.0, mounted.said()))),
            (_, false, _) => Err(no_effect(format!("backup {} holds no system", backup.0))),
            (.., false) => Err(no_effect(format!("backup {} cannot be unmounted: {}", backup.0, unmounted.said()))),
            _ => Ok(()),
        }
    }

    async fn do_restore(&self, host: &Host, backup: &BackupRef, key: &EffectKey) -> Result<(), ProviderError> {
        let target = target(host)?;
        let unclear = ProviderError::Unclear;
        let (_, recreate) = self
            .own(host, backup)
            .await
            .map_err(no_effect)?
            .ok_or_else(|| no_effect(format!("backup {} does not exist", backup.0)))?;
        let (name, old, mark) = (target.name, replaced(target.name, key), short(key));
        let current = self.awake(target).await.map_err(no_effect)?;
        let is_new = |container: &Container| {
            container.config.labels.as_ref().and_then(|labels| labels.get(RESTORE)) == Some(&mark)
        };
        let demand = async |args: &[&str], what: &str| self.demand(target, args, what).await;
        match current {
            // An earlier try came this far.
            Some(container) if is_new(&container) => {
                if !container.state.running {
                    demand(&["start", name], "started").await?;
                }
            }
            other => {
                if other.is_some() {
                    let stopped = demand(&["stop", STOP_SECONDS, name], "stopped").await;
                    // podman may complain of a host that ended just then: what counts is that it has.
                    let still: Option<Container> = self.inspect(target, "container", name).await.map_err(unclear)?;
                    if still.is_some_and(|container| container.state.running) {
                        stopped?;
                    }
                    if self.inspect::<Container>(target, "container", &old).await.map_err(unclear)?.is_some() {
                        // An earlier try had set the old host aside, and somebody made another in its place.
                        demand(&["rm", "--force", STOP_SECONDS, name], "removed").await?;
                    } else {
                        demand(&["rename", name, &old], "renamed").await?;
                    }
                }
                let made = self.ask(target, recreate.args(&backup.0, &mark)).await.map_err(unclear)?;
                if !made.ok {
                    return Err(unclear(format!("container {name} could not be made again: {}", made.said())));
                }
            }
        }
        let now: Option<Container> = self.inspect(target, "container", name).await.map_err(unclear)?;
        if !now.is_some_and(|container| is_new(&container) && container.state.running) {
            return Err(unclear(format!("container {name} does not run after its restore")));
        }
        if self.inspect::<Container>(target, "container", &old).await.map_err(unclear)?.is_some() {
            demand(&["rm", "--force", STOP_SECONDS, &old], "cleared of what it replaced").await?;
        }
        Ok(())
    }

    async fn do_delete(&self, host: &Host, backup: &BackupRef) -> Result<(), ProviderError> {
        let target = target(host)?;
        let unclear = ProviderError::Unclear;
        let Some(image) = self.inspect::<Image>(target, "image", &backup.0).await.map_err(no_effect)? else {
            return Ok(());
        };
        if image.label(CONTAINER) != Some(target.name) {
            return Err(no_effect(format!("{} is not a backup of container {}", backup.0, target.name)));
        }
        // A host restored from it still stands on its layers: the name goes now, the rest with the host.
        let untagged = self.ask(target, ["untag", &backup.0, &backup.0]).await.map_err(unclear)?;
        if !untagged.ok {
            return Err(unclear(format!("backup {} could not be deleted: {}", backup.0, untagged.said())));
        }
        let filter = format!("label={CONTAINER}={}", target.name);
        let nameless = ["images", "--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", &filter];
        let nameless = self.ask(target, nameless).await.map_err(unclear)?;
        for id in nameless.stdout.split_whitespace() {
            // Refused while a host stands on it; the deletion of the next backup tries again.
            self.ask(target, ["rmi", id]).await.map_err(unclear)?;
        }
        Ok(())
    }

    async fn do_list(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            #[serde(default)]
            names: Option<Vec<String>>,
            #[serde(default)]
            labels: Option<BTreeMap<String, String>>,
        }
        let target = target(host)?;
        let filter = format!("label={CONTAINER}={}", target.name);
        let answer = self.ask(target, ["images", "--format", "json", "--filter", &filter]).await.map_err(no_effect)?;
        let wrong = |why: String| no_effect(format!("backups of {} could not be listed: {why}", target.name));
        if !answer.ok {
            return Err(wrong(answer.said()));
        }
        let listed: Vec<Listed> = serde_json::from_str(&answer.stdout).map_err(|error| wrong(error.to_string()))?;
        let mut found: Vec<(EffectKey, Held)> = listed
            .into_iter()
            .filter_map(|image| {
                let key = EffectKey(image.labels?.get(KEY)?.clone());
                let reference = reference(target.name, &key);
                image.names?.contains(&reference).then_some((key, Held::Backup(BackupRef(reference))))
            })
            .collect();
        found.extend(self.list_clones(host).await?);
        found.sort();
        Ok(found)
    }
}

impl Provider for Podman {
    fn backup<'a>(&'a self, host: &'a Host, key: &'a EffectKey) -> BoxFuture<'a, Result<BackupRef, ProviderError>> {
        Box::pin(self.do_backup(host, key))
    }

    fn verify_backup<'a>(&'a self, host: &'a Host, backup: &'a BackupRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.do_verify(host, backup))
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
        Box::pin(self.do_delete(host, backup))
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
        Box::pin(self.do_destroy(host, clone))
    }

    fn release<'a>(&'a self, host: &'a Host, original: &'a OriginalRef) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(self.do_release(host, original))
    }

    fn list<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Vec<(EffectKey, Held)>, ProviderError>> {
        Box::pin(self.do_list(host))
    }
}

#[cfg(test)]
mod tests;
