//! What podman and docker do each in a way of its own; all else they do alike.

use std::ffi::OsStr;

use tokio::process::Command;

use super::{Answer, Containers, KEPT, LIMIT, Target, no_effect};
use super::{docker, recreate::Recreate};
use crate::provider::{BackupRef, ProviderError};

/// The engine that runs a container.
#[derive(Clone, Copy, Debug)]
pub(super) enum Engine<'a> {
    Podman { containers_conf: Option<&'a str> },
    Docker { socket: &'a str },
}

impl Engine<'_> {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Podman { .. } => "podman",
            Self::Docker { .. } => "docker",
        }
    }

    /// A call of its program, or of another in place of it.
    pub(super) fn command(self, program: Option<&OsStr>) -> Command {
        let mut command = Command::new(program.unwrap_or(OsStr::new(self.name())));
        match self {
            Self::Podman { containers_conf: Some(conf) } => {
                command.env("CONTAINERS_CONF", conf);
            }
            Self::Podman { containers_conf: None } => {}
            Self::Docker { socket } => {
                command.arg(format!("--host=unix://{socket}"));
            }
        }
        command
    }

    /// Commits a container at rest, and says no more than it must.
    pub(super) fn commit(self) -> Vec<String> {
        let quiet = matches!(self, Self::Podman { .. }).then_some("--quiet");
        ["commit", "--pause=true"].into_iter().chain(quiet).map(str::to_owned).collect()
    }

    /// What it says of a host that it could not freeze, and so did not commit.
    pub(super) fn not_frozen(self) -> &'static str {
        match self {
            Self::Podman { .. } => "pausing container",
            Self::Docker { .. } => "annot pause container",
        }
    }
}

impl Containers {
    /// Looks at something; absent where the engine does not know it.
    pub(super) async fn inspect<T: serde::de::DeserializeOwned>(
        &self,
        target: Target<'_>,
        kind: &str,
        name: &str,
    ) -> Result<Option<T>, String> {
        if let Engine::Podman { .. } = target.engine {
            let exists = self.ask(target, [kind, "exists", name]).await?;
            if !exists.ok {
                // 1 says no; anything else comes with words.
                return if exists.stderr.trim().is_empty() { Ok(None) } else { Err(exists.said()) };
            }
        }
        let answer = self.ask(target, [kind, "inspect", name]).await?;
        let wrong = |why: &dyn std::fmt::Display| {
            format!("{}'s answer about {kind} {name} is not understood: {why}", target.engine.name())
        };
        if !answer.ok {
            let none = answer.stderr.to_ascii_lowercase().contains(&format!("no such {kind}"));
            let asked = matches!(target.engine, Engine::Docker { .. });
            return if none && asked { Ok(None) } else { Err(wrong(&answer.said())) };
        }
        let found: Vec<T> = serde_json::from_str(&answer.stdout).map_err(|error| wrong(&error))?;
        Ok(found.into_iter().next())
    }

    /// All of this kind that a listing finds.
    pub(super) async fn find<T: serde::de::DeserializeOwned>(
        &self,
        target: Target<'_>,
        kind: &str,
        listing: &[&str],
    ) -> Result<Vec<T>, ProviderError> {
        let wrong = |why: String| no_effect(format!("what there is of {} could not be listed: {why}", target.name));
        let said = |answer: Answer| if answer.ok { Ok(answer.stdout) } else { Err(wrong(answer.said())) };
        let all = listing.iter().copied().chain(["--quiet", "--no-trunc"]);
        let ids = said(self.ask(target, all).await.map_err(no_effect)?)?;
        // One line for each of its names.
        let ids: std::collections::BTreeSet<&str> = ids.split_whitespace().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ask(target, [kind, "inspect"].into_iter().chain(ids)).await.map_err(no_effect)?;
        serde_json::from_str(&said(found)?).map_err(|error| wrong(error.to_string()))
    }

    /// Whether every layer of the backup is there and there is a system in it.
    pub(super) async fn look_into(&self, target: Target<'_>, backup: &BackupRef) -> Result<(), ProviderError> {
        let unreadable = |said: String| no_effect(format!("backup {} cannot be mounted: {said}", backup.0));
        let not_closed = |said: String| no_effect(format!("backup {} cannot be unmounted: {said}", backup.0));
        let whole = match target.engine {
            Engine::Podman { .. } => {
                let mounted = self.ask(target, ["image", "mount", &backup.0]).await.map_err(no_effect)?;
                let root = mounted.stdout.trim().to_owned();
                let whole =
                    mounted.ok && tokio::fs::metadata(format!("{root}/etc")).await.is_ok_and(|etc| etc.is_dir());
                let unmounted = self.ask(target, ["image", "unmount", &backup.0]).await.map_err(no_effect)?;
                match (mounted.ok, unmounted.ok) {
                    (false, _) => return Err(unreadable(mounted.said())),
                    (_, false) => return Err(not_closed(unmounted.said())),
                    _ => whole,
                }
            }
            // It mounts no images, but copies out of a container that never ran.
            Engine::Docker { .. } => {
                let made = ["create", "--network=none", "--read-only", &backup.0, "never-run"];
                let made = self.ask(target, made).await.map_err(no_effect)?;
                let Some(id) = made.stdout.split_whitespace().next().filter(|_| made.ok) else {
                    return Err(unreadable(made.said()));
                };
                let whole = self.copy_out(target, &format!("{id}:/etc/passwd")).await;
                let removed = self.ask(target, ["rm", "--volumes", id]).await.map_err(no_effect)?;
                if !removed.ok {
                    return Err(not_closed(removed.said()));
                }
                whole.map_err(no_effect)?.is_some()
            }
        };
        if whole { Ok(()) } else { Err(no_effect(format!("backup {} holds no system", backup.0))) }
    }

    /// Takes the name from an image, and what no container stands on goes with it.
    pub(super) async fn unname(&self, target: Target<'_>, image: &str) -> Result<(), ProviderError> {
        if let Engine::Podman { .. } = target.engine {
            return self.demand(target, &["untag", image, image], "cleared of its name").await;
        }
        let removed = self.ask(target, ["rmi", image]).await.map_err(ProviderError::Unclear)?;
        if removed.ok {
            return Ok(());
        }
        // In use. Docker could not commit a container whose image has no name and was deleted: it gets another.
        let tag = image.rsplit(':').next().unwrap_or(image);
        let kept = format!("{KEPT}/{}:{tag}", target.name.to_ascii_lowercase());
        self.demand(target, &["tag", image, &kept], "kept for what stands on it").await?;
        self.demand(target, &["rmi", image], "cleared of its name").await
    }

    /// Deletes what has lost its name; refused while a container stands on it, and tried again after the next deletion.
    pub(super) async fn sweep(&self, target: Target<'_>, label: &str) -> Result<(), ProviderError> {
        let unclear = ProviderError::Unclear;
        let kept = format!("reference={KEPT}/{}", target.name.to_ascii_lowercase());
        let listing = match target.engine {
            Engine::Podman { .. } => {
                vec!["images", "--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", label]
            }
            Engine::Docker { .. } => vec!["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", &kept],
        };
        let nameless = self.ask(target, listing).await.map_err(unclear)?;
        for image in nameless.stdout.split_whitespace() {
            self.ask(target, ["rmi", image]).await.map_err(unclear)?;
        }
        Ok(())
    }

    /// Removes a container, whatever it does.
    pub(super) async fn remove(
        &self,
        target: Target<'_>,
        name: &str,
        options: &[&str],
        what: &str,
    ) -> Result<(), ProviderError> {
        let mut args = vec!["rm", "--force"];
        // Docker gives it no time.
        let takes = |option: &&str| matches!(target.engine, Engine::Podman { .. }) || !option.starts_with("--time");
        args.extend(options.iter().copied().filter(takes));
        args.push(name);
        self.demand(target, &args, what).await
    }

    /// Makes the host again from this image and starts it.
    pub(super) async fn make(
        &self,
        target: Target<'_>,
        recreate: &Recreate,
        image: &str,
        label: (&str, &str),
    ) -> Result<(), String> {
        match (recreate, target.engine) {
            (Recreate::Command(line), Engine::Podman { .. }) => {
                let made = self.ask(target, line.args_with(image, label.0, label.1)).await?;
                if made.ok { Ok(()) } else { Err(made.said()) }
            }
            (Recreate::Body(body), Engine::Docker { socket }) => {
                docker::create(socket, target.name, &body.with(image, label), LIMIT).await?;
                let started = self.ask(target, ["start", target.name]).await?;
                if started.ok { Ok(()) } else { Err(started.said()) }
            }
            _ => Err("the backup was made by another engine".to_owned()),
        }
    }

    /// Makes a clone from this image, not started.
    pub(super) async fn make_apart(
        &self,
        target: Target<'_>,
        recreate: &Recreate,
        image: &str,
        name: &str,
        network: &str,
        labels: &[(&str, &str)],
    ) -> Result<(), ProviderError> {
        let cannot = |why: String| no_effect(format!("container {} could not be cloned: {why}", target.name));
        let failed = |why: String| ProviderError::Unclear(format!("clone {name} could not be made: {why}"));
        match (recreate, target.engine) {
            (Recreate::Command(line), Engine::Podman { .. }) => {
                let args = line.clone_args(image, name, network, labels).map_err(cannot)?;
                let made = self.ask(target, args).await.map_err(ProviderError::Unclear)?;
                if made.ok { Ok(()) } else { Err(failed(made.said())) }
            }
            (Recreate::Body(body), Engine::Docker { socket }) => {
                let body = body.clone_of(image, network, labels).map_err(cannot)?;
                docker::create(socket, name, &body, LIMIT).await.map_err(failed)
            }
            _ => Err(cannot("the backup was made by another engine".to_owned())),
        }
    }
}
