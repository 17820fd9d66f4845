//! Backups and clones of containers of podman and docker that are whole hosts: an image of the stopped clock, and the host
//! made again from it.
//!
//! A host comes back as it was made: what made it is kept with every backup, and is done again with the backup for an
//! image. Volumes are mounted again, not put back.

mod clones;
mod docker;
mod engine;
mod recreate;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::process::Stdio;

use self::engine::Engine;
use self::recreate::{CommandLine, Container, Recreate};
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
/// The label with what made the container, as hexadecimal JSON: labels have quoting rules of their own.
const RECREATE: &str = "io.switchback.backup.recreate";
/// The label on a container that a restore has made; its value tells which.
const RESTORE: &str = "io.switchback.restore";
/// How our labels begin, but for those of the lab.
const OWN_LABELS: [&str; 4] = ["io.switchback.backup.", RESTORE, "io.switchback.clone.", clones::PROMOTED];
/// The repository of docker images that have lost their names and on which containers stand.
const KEPT: &str = "localhost/switchback-kept";
/// How long the old host may take to shut down before it is ended: it is about to be replaced.
const STOP_SECONDS: &str = "--time=10";
/// Committing or mounting a large host takes minutes, not hours.
const LIMIT: TimeSpan = TimeSpan::minutes(30);

/// A busy host may not be caught with all of its processes at rest at once: the OCI runtime thaws it, gives up, and leaves
/// the next try to its caller. So long each time.
const FREEZE_AGAIN: [TimeSpan; 4] =
    [TimeSpan::seconds(1), TimeSpan::seconds(2), TimeSpan::seconds(4), TimeSpan::seconds(8)];

/// Makes backups of containers on this machine.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    program: Option<OsString>,
}

/// A container as its host's settings name it.
#[derive(Clone, Copy)]
struct Target<'a> {
    name: &'a str,
    engine: Engine<'a>,
    clone_network: Option<&'a str>,
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

/// What podman and docker tell of an image.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: ImageConfig,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageConfig {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Image {
    fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    fn is_called(&self, name: &str) -> bool {
        self.repo_tags.iter().flatten().any(|tag| tag == name)
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
    let target = match &host.provider {
        Some(ProviderSettings::Podman { name, containers_conf, clone_network }) => Target {
            name,
            engine: Engine::Podman { containers_conf: containers_conf.as_deref() },
            clone_network: clone_network.as_deref(),
        },
        Some(ProviderSettings::Docker { name, socket, clone_network }) => Target {
            name,
            engine: Engine::Docker { socket: socket.as_deref().unwrap_or("/var/run/docker.sock") },
            clone_network: clone_network.as_deref(),
        },
        _ => return Err(no_effect(format!("{host} is not a container"))),
    };
    if target.name.is_empty() || target.name.starts_with('-') {
        return Err(no_effect(format!("{host} names no container")));
    }
    Ok(target)
}

impl Containers {
    /// With another program than `podman` or `docker`.
    pub fn with_program(program: impl Into<OsString>) -> Self {
        Self { program: Some(program.into()) }
    }

    /// Calls the engine; an error means that it is not known what it did.
    async fn ask<S: AsRef<std::ffi::OsStr>>(
        &self,
        target: Target<'_>,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Answer, String> {
        self.ask_holding(target, args, None).await
    }

    /// The same, with a lock that the engine's program holds until it ends, also when this program ends before.
    async fn ask_holding<S: AsRef<std::ffi::OsStr>>(
        &self,
        target: Target<'_>,
        args: impl IntoIterator<Item = S>,
        lock: Option<File>,
    ) -> Result<Answer, String> {
        let mut command = target.engine.command(self.program.as_deref());
        let name = target.engine.name();
        // A group of its own: Ctrl-C asks this program to pause, and must not cut a commit or a restore off.
        command.args(args).process_group(0).stdin(lock.map_or_else(Stdio::null, Stdio::from));
        // Not killed when dropped: half of a commit is worse than a whole one that nobody waits for.
        let output = tokio::time::timeout(LIMIT.to_std(), command.output())
            .await
            .map_err(|_| format!("{name} did not answer within {LIMIT}"))?
            .map_err(|error| format!("{name} could not be started: {error}"))?;
        Ok(Answer {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
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
        let recreate = self.recreate(target, &container).await;
        let recreate =
            recreate.map_err(|why| no_effect(format!("container {} could not be restored: {why}", target.name)))?;
        let change = |name: &str, value: &str| ["--change".to_owned(), format!("LABEL {name}={value}")];
        let mut args = target.engine.commit();
        args.extend(change(KEY, &key.0));
        args.extend(change(CONTAINER, target.name));
        args.extend(change(RECREATE, &recreate.to_label()));
        args.extend([target.name.to_owned(), reference.clone()]);
        for again in FREEZE_AGAIN.map(Some).into_iter().chain([None]) {
            // Each call holds the lock as well, and this program between one and the next.
            let held = lock.try_clone().map_err(|error| no_effect(format!("lock of the backup: {error}")))?;
            let answer = self.ask_holding(target, &args, Some(held)).await.map_err(ProviderError::Unclear)?;
            if answer.ok {
                break;
            }
            self.awake(target).await.map_err(ProviderError::Unclear)?;
            match again {
                Some(later) if answer.stderr.contains(target.engine.not_frozen()) => {
                    tokio::time::sleep(later.to_std()).await
                }
                // Of the host nothing was changed; a backup that is there all the same is found by the next try.
                _ => {
                    let why = format!("container {} could not be committed: {}", target.name, answer.said());
                    return Err(no_effect(why));
                }
            }
        }
        Ok(BackupRef(reference))
    }

    /// How the container is made again.
    async fn recreate(&self, target: Target<'_>, container: &Container) -> Result<Recreate, String> {
        if let Engine::Podman { .. } = target.engine {
            return CommandLine::of(container).map(Recreate::Command);
        }
        let described: Option<docker::Described> = self.inspect(target, "container", container.name()).await?;
        docker::Body::of(described.ok_or("it is gone")?).map(Recreate::Body)
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
        self.look_into(target, backup).await
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
                    // The engine may complain of a host that ended just then: what counts is that it has.
                    let still: Option<Container> = self.inspect(target, "container", name).await.map_err(unclear)?;
                    if still.is_some_and(|container| container.state.running) {
                        stopped?;
                    }
                    if self.inspect::<Container>(target, "container", &old).await.map_err(unclear)?.is_some() {
                        // An earlier try had set the old host aside, and somebody made another in its place.
                        self.remove(target, name, &[STOP_SECONDS], "removed").await?;
                    } else {
                        demand(&["rename", name, &old], "renamed").await?;
                    }
                }
                let made = self.make(target, &recreate, &backup.0, (RESTORE, &mark)).await;
                made.map_err(|why| unclear(format!("container {name} could not be made again: {why}")))?;
            }
        }
        let now: Option<Container> = self.inspect(target, "container", name).await.map_err(unclear)?;
        if !now.is_some_and(|container| is_new(&container) && container.state.running) {
            return Err(unclear(format!("container {name} does not run after its restore")));
        }
        if self.inspect::<Container>(target, "container", &old).await.map_err(unclear)?.is_some() {
            self.remove(target, &old, &[STOP_SECONDS], "cleared of what it replaced").await?;
        }
        Ok(())
    }

    async fn do_delete(&self, host: &Host, backup: &BackupRef) -> Result<(), ProviderError> {
        let target = target(host)?;
        let Some(image) = self.inspect::<Image>(target, "image", &backup.0).await.map_err(no_effect)? else {
            return Ok(());
        };
        if image.label(CONTAINER) != Some(target.name) {
            return Err(no_effect(format!("{} is not a backup of container {}", backup.0, target.name)));
        }
        // A host restored from it still stands on its layers: the name goes now, the rest with the host.
        self.unname(target, &backup.0).await?;
        self.sweep(target, &format!("label={CONTAINER}={}", target.name)).await
    }

    async fn do_list(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        let target = target(host)?;
        let filter = format!("label={CONTAINER}={}", target.name);
        let images: Vec<Image> = self.find(target, "image", &["images", "--filter", &filter]).await?;
        let mut found: Vec<(EffectKey, Held)> = images
            .into_iter()
            .filter_map(|image| {
                let key = EffectKey(image.label(KEY)?.to_owned());
                let reference = reference(target.name, &key);
                image.is_called(&reference).then_some((key, Held::Backup(BackupRef(reference))))
            })
            .collect();
        found.extend(self.list_clones(host).await?);
        found.sort();
        Ok(found)
    }
}

impl Provider for Containers {
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
