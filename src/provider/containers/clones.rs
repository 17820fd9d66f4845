//! Clones of containers: made from a backup with an identity of their own, promoted by making the host again from
//! what the clone has become.

use std::collections::BTreeMap;
use std::path::Path;

use super::recreate::{Container, Recreate};
use super::{Containers, Image, Target, no_effect, short, target};
use crate::model::{Host, TimeSpan};
use crate::provider::types::alone;
use crate::provider::{BackupRef, CloneHost, CloneRef, EffectKey, Held, OriginalRef, ProviderError};
use crate::transport::{PrivateDir, run_argv};

/// The label with the name of the container that a clone was made of.
const CLONE_OF: &str = "io.switchback.clone.of";
/// The label with the key of a clone.
const CLONE_KEY: &str = "io.switchback.clone.key";
/// The label with the public host key that a clone was given.
const HOST_KEY: &str = "io.switchback.clone.host-key";
/// The label on a container that a promotion has made, with its key; it goes on to what is made from it.
pub(super) const PROMOTED: &str = "io.switchback.promoted";
/// The repository of what clones have become.
const PROMOTIONS: &str = "localhost/switchback-promoted";
/// The kinds of host keys, the one to be known by first.
const KEY_KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];
/// A clone shuts down in this time, or is ended: so much its services may take to write what they know.
const STOP_SECONDS: &str = "--time=30";
/// Making three keys takes a second.
const KEYGEN_LIMIT: TimeSpan = TimeSpan::seconds(60);

fn clone_name(name: &str, key: &EffectKey) -> String {
    format!("{name}-clone-{}", &short(key)[..12])
}

fn original_prefix(name: &str) -> String {
    format!("{name}-original-")
}

fn original_name(name: &str, key: &EffectKey) -> String {
    format!("{}{}", original_prefix(name), &short(key)[..12])
}

fn promotion(name: &str, key: &EffectKey) -> String {
    format!("{PROMOTIONS}/{}:{}", name.to_ascii_lowercase(), short(key))
}

impl Container {
    /// Docker writes it as a path.
    pub(super) fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    fn address(&self, network: &str) -> Option<&str> {
        let address = self.network_settings.networks.as_ref()?.get(network)?.ip_address.as_str();
        (!address.is_empty()).then_some(address)
    }
}

impl Containers {
    pub(super) async fn do_clone(
        &self,
        host: &Host,
        backup: &BackupRef,
        key: &EffectKey,
    ) -> Result<CloneHost, ProviderError> {
        let target = target(host)?;
        let Some(network) = target.clone_network else {
            return Err(no_effect(format!("{host} has no `clone_network`, and its clone must not be in its own")));
        };
        let name = clone_name(target.name, key);
        let _lock = alone(key)?;
        let (_, recreate) = self
            .own(host, backup)
            .await
            .map_err(no_effect)?
            .ok_or_else(|| no_effect(format!("backup {} does not exist", backup.0)))?;
        let found: Option<Container> = self.inspect(target, "container", &name).await.map_err(no_effect)?;
        let host_key = match found {
            // It had its own identity before it was started first.
            Some(container) if container.label(CLONE_KEY) == Some(&key.0) && container.state.was_started() => {
                let known = container.label(HOST_KEY).map(str::to_owned);
                let known = known.ok_or_else(|| no_effect(format!("clone {name} does not tell its host key")))?;
                if !container.state.running {
                    self.demand(target, &["start", &name], "started").await?;
                }
                known
            }
            other => {
                if let Some(container) = other {
                    if container.label(CLONE_KEY) != Some(&key.0) {
                        return Err(no_effect(format!("container {name} is there and is not our clone")));
                    }
                    self.remove(target, &name, &[], "removed").await?;
                }
                self.make_clone(target, &recreate, backup, network, &name, key).await?
            }
        };
        let unclear = ProviderError::Unclear;
        let now: Option<Container> = self.inspect(target, "container", &name).await.map_err(unclear)?;
        let address = now.as_ref().filter(|now| now.state.running).and_then(|now| now.address(network));
        let address = address.ok_or_else(|| unclear(format!("clone {name} does not run in network {network}")))?;
        Ok(CloneHost { reference: CloneRef(name), address: address.to_owned(), host_key })
    }

    async fn make_clone(
        &self,
        target: Target<'_>,
        recreate: &Recreate,
        backup: &BackupRef,
        network: &str,
        name: &str,
        key: &EffectKey,
    ) -> Result<String, ProviderError> {
        // The same kinds as its host: promotion replaces each by the host's own.
        let mut kinds = Vec::new();
        for kind in KEY_KINDS {
            let from = format!("{}:/etc/ssh/ssh_host_{kind}_key.pub", target.name);
            if self.copy_out(target, &from).await.map_err(no_effect)?.is_some() {
                kinds.push(kind);
            }
        }
        let identity = Identity::new(&kinds).await.map_err(no_effect)?;
        let labels = [(CLONE_OF, target.name), (CLONE_KEY, key.0.as_str()), (HOST_KEY, identity.public.as_str())];
        self.make_apart(target, recreate, &backup.0, name, network, &labels).await?;
        for (from, to) in identity.files() {
            let to = format!("{name}:{to}");
            self.demand(target, &["cp", &from, &to], "given an identity of its own").await?;
        }
        self.demand(target, &["start", name], "started").await?;
        Ok(identity.public.clone())
    }

    pub(super) async fn do_promote(
        &self,
        host: &Host,
        clone: &CloneRef,
        key: &EffectKey,
    ) -> Result<OriginalRef, ProviderError> {
        let target = target(host)?;
        let unclear = ProviderError::Unclear;
        let (name, original, image) = (target.name, original_name(target.name, key), promotion(target.name, key));
        let _lock = alone(key)?;
        let current = self.awake(target).await.map_err(no_effect)?;
        let is_promoted = |container: &Container| container.label(PROMOTED) == Some(key.0.as_str());
        match current {
            // An earlier try came this far.
            Some(container) if is_promoted(&container) => {
                if !container.state.running {
                    self.demand(target, &["start", name], "started").await?;
                }
            }
            current => {
                self.image_of_clone(target, current.as_ref(), clone, &image, key).await?;
                // Where an earlier try had set the original aside, that is the one to be made again.
                let aside: Option<Container> = self.inspect(target, "container", &original).await.map_err(unclear)?;
                let recreate = match aside.as_ref().or(current.as_ref()) {
                    Some(container) => self.recreate(target, container).await,
                    None => Err(format!("there is no container {name}")),
                }
                .map_err(|why| unclear(format!("container {name} could not be replaced: {why}")))?;
                match (aside.is_some(), current.is_some()) {
                    (true, true) => self.remove(target, name, &[STOP_SECONDS], "removed").await?,
                    (false, true) => {
                        self.stop(target, name).await?;
                        self.demand(target, &["rename", name, &original], "set aside").await?;
                    }
                    (_, false) => {}
                }
                let made = self.make(target, &recreate, &image, (PROMOTED, &key.0)).await;
                made.map_err(|why| unclear(format!("container {name} could not be made again: {why}")))?;
            }
        }
        let now: Option<Container> = self.inspect(target, "container", name).await.map_err(unclear)?;
        if !now.is_some_and(|container| is_promoted(&container) && container.state.running) {
            return Err(unclear(format!("container {name} does not run after its promotion")));
        }
        // What the clone was lives on in the host.
        self.do_destroy(host, clone).await?;
        Ok(OriginalRef(original))
    }

    /// What the clone has become, as an image with the identity of its host.
    async fn image_of_clone(
        &self,
        target: Target<'_>,
        original: Option<&Container>,
        clone: &CloneRef,
        image: &str,
        key: &EffectKey,
    ) -> Result<(), ProviderError> {
        let unclear = ProviderError::Unclear;
        let made: Option<Image> = self.inspect(target, "image", image).await.map_err(no_effect)?;
        if made.is_some() {
            return Ok(());
        }
        let container: Option<Container> = self.inspect(target, "container", &clone.0).await.map_err(no_effect)?;
        match container {
            Some(container) if container.label(CLONE_OF) == Some(target.name) => {}
            Some(_) => return Err(no_effect(format!("{} is not a clone of {}", clone.0, target.name))),
            None => return Err(no_effect(format!("there is no clone {}", clone.0))),
        }
        if original.is_none() {
            return Err(no_effect(format!("there is no container {} whose place it could take", target.name)));
        }
        self.stop(target, &clone.0).await?;
        for file in identity_paths(&KEY_KINDS) {
            let from = format!("{}:{file}", target.name);
            if let Some(copy) = self.copy_out(target, &from).await.map_err(unclear)? {
                let to = format!("{}:{file}", clone.0);
                let copy = copy.path().join("file");
                self.demand(target, &["cp", &copy.to_string_lossy(), &to], "given the identity of its host").await?;
            }
        }
        let labels =
            [format!("LABEL {PROMOTED}={}", key.0), format!("LABEL {CLONE_OF}="), format!("LABEL {CLONE_KEY}=")];
        let mut args = target.engine.commit();
        args.extend(labels.into_iter().flat_map(|label| ["--change".to_owned(), label]));
        args.extend([clone.0.clone(), image.to_owned()]);
        let answer = self.ask(target, args).await.map_err(unclear)?;
        if answer.ok {
            Ok(())
        } else {
            Err(unclear(format!("clone {} could not be committed: {}", clone.0, answer.said())))
        }
    }

    pub(super) async fn do_destroy(&self, host: &Host, clone: &CloneRef) -> Result<(), ProviderError> {
        let target = target(host)?;
        match self.inspect::<Container>(target, "container", &clone.0).await.map_err(no_effect)? {
            None => Ok(()),
            Some(container) if container.label(CLONE_OF) == Some(target.name) && clone.0 != target.name => {
                self.remove(target, &clone.0, &["--volumes", "--time=0"], "destroyed").await
            }
            Some(_) => Err(no_effect(format!("{} is not a clone of {}", clone.0, target.name))),
        }
    }

    pub(super) async fn do_release(&self, host: &Host, original: &OriginalRef) -> Result<(), ProviderError> {
        let target = target(host)?;
        let Some(mark) = original.0.strip_prefix(&original_prefix(target.name)) else {
            return Err(no_effect(format!("{} is no original of {}", original.0, target.name)));
        };
        if self.inspect::<Container>(target, "container", &original.0).await.map_err(no_effect)?.is_some() {
            self.remove(target, &original.0, &[STOP_SECONDS], "released").await?;
        }
        // The host stands on the layers of what was promoted; only the name goes.
        for (_, image) in self.promotions(target).await?.into_iter().filter(|(key, _)| short(key).starts_with(mark)) {
            self.unname(target, &image).await?;
        }
        Ok(())
    }

    /// What clones of this container have become, by key.
    async fn promotions(&self, target: Target<'_>) -> Result<Vec<(EffectKey, String)>, ProviderError> {
        let reference = format!("reference={PROMOTIONS}/{}", target.name.to_ascii_lowercase());
        let images: Vec<Image> = self.find(target, "image", &["images", "--filter", &reference]).await?;
        let with_key = |image: Image| {
            let key = EffectKey(image.label(PROMOTED)?.to_owned());
            let name = promotion(target.name, &key);
            image.is_called(&name).then_some((key, name))
        };
        Ok(images.into_iter().filter_map(with_key).collect())
    }

    /// Clones and originals of this container.
    pub(super) async fn list_clones(&self, host: &Host) -> Result<Vec<(EffectKey, Held)>, ProviderError> {
        let target = target(host)?;
        let filter = format!("label={CLONE_OF}={}", target.name);
        let clones: Vec<Container> = self.find(target, "container", &["ps", "--all", "--filter", &filter]).await?;
        let mut found: Vec<(EffectKey, Held)> = clones
            .into_iter()
            .filter_map(|clone| {
                let key = EffectKey(clone.label(CLONE_KEY)?.to_owned());
                Some((key, Held::Clone(CloneRef(clone.name().to_owned()))))
            })
            .collect();
        let keys: BTreeMap<String, EffectKey> = self
            .promotions(target)
            .await?
            .into_iter()
            .map(|(key, _)| (original_name(target.name, &key), key))
            .collect();
        let prefix = original_prefix(target.name);
        let filter = format!("name=^{prefix}");
        let aside: Vec<Container> = self.find(target, "container", &["ps", "--all", "--filter", &filter]).await?;
        for container in aside {
            if let Some(key) = keys.get(container.name()) {
                found.push((key.clone(), Held::Original(OriginalRef(container.name().to_owned()))));
            }
        }
        Ok(found)
    }

    /// A copy of a container's file, in a folder that goes with it; none if there is no such file.
    pub(super) async fn copy_out(&self, target: Target<'_>, from: &str) -> Result<Option<PrivateDir>, String> {
        let folder = PrivateDir::create().map_err(|error| format!("a temporary folder: {error}"))?;
        let copy = folder.path().join("file");
        let answer = self.ask(target, ["cp", from, &copy.to_string_lossy()]).await?;
        Ok(answer.ok.then_some(folder))
    }

    async fn stop(&self, target: Target<'_>, name: &str) -> Result<(), ProviderError> {
        let stopped = self.demand(target, &["stop", STOP_SECONDS, name], "stopped").await;
        // The engine may complain of a host that ended just then: what counts is that it has.
        let still: Option<Container> = self.inspect(target, "container", name).await.map_err(ProviderError::Unclear)?;
        if still.is_some_and(|container| container.state.running) { stopped } else { Ok(()) }
    }

    /// The engine must do this.
    pub(super) async fn demand(&self, target: Target<'_>, args: &[&str], what: &str) -> Result<(), ProviderError> {
        let unclear = ProviderError::Unclear;
        match self.ask(target, args).await {
            Ok(answer) if answer.ok => Ok(()),
            Ok(answer) => {
                let name = args.last().unwrap_or(&target.name);
                Err(unclear(format!("container {name} could not be {what}: {}", answer.said())))
            }
            Err(why) => Err(unclear(why)),
        }
    }
}

/// The files that tell a host from its clone, made for a clone.
struct Identity {
    folder: PrivateDir,
    kinds: Vec<&'static str>,
    /// `TYPE BASE64` of the key by which the clone is known.
    public: String,
}

impl Identity {
    /// With host keys of these kinds, or of the first where there is none.
    async fn new(kinds: &[&'static str]) -> Result<Self, String> {
        let kinds = if kinds.is_empty() { &KEY_KINDS[..1] } else { kinds };
        let folder = PrivateDir::create().map_err(|error| format!("a temporary folder: {error}"))?;
        let failed = |error: &dyn std::fmt::Display| format!("the clone's identity: {error}");
        for kind in kinds {
            let file = folder.path().join(format!("ssh_host_{kind}_key"));
            let file = file.to_string_lossy();
            let argv = ["ssh-keygen", "-q", "-t", *kind, "-N", "", "-C", "clone", "-f", &file].map(str::to_owned);
            let ran = run_argv(&argv, KEYGEN_LIMIT).await.map_err(|error| failed(&error))?;
            if ran.code != 0 {
                return Err(failed(&format!("ssh-keygen ended with code {}: {}", ran.code, ran.errors)));
            }
        }
        let id = crate::env::random_hex().map_err(|error| failed(&error))?;
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("machine-id", &format!("{:0<32.32}\n", id)).map_err(|error| failed(&error))?;
        let text = std::fs::read_to_string(folder.path().join(format!("ssh_host_{}_key.pub", kinds[0])));
        let public = text.map_err(|e| failed(&e))?.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Ok(Self { folder, kinds: kinds.to_vec(), public })
    }

    /// Files here and where they belong on the clone.
    fn files(&self) -> impl Iterator<Item = (String, String)> {
        identity_paths(&self.kinds).map(|path| {
            let name = Path::new(&path).file_name().unwrap_or_default();
            (self.folder.path().join(name).to_string_lossy().into_owned(), path)
        })
    }
}

/// The files that tell who a host is, with host keys of these kinds.
fn identity_paths(kinds: &[&'static str]) -> impl Iterator<Item = String> {
    let keys = kinds.iter().flat_map(|kind| ["", ".pub"].map(|end| format!("/etc/ssh/ssh_host_{kind}_key{end}")));
    keys.chain(["/etc/machine-id".to_owned()])
}
