//! Clones: made from a backup, worked on like hosts, switched to, promoted and destroyed.

use crate::engine::{Effected, StepResult};
use crate::model::{Host, HostName, Ssh, StepId, TimeSpan};
use crate::plan::{CLONE_ADDRESS, Probe, Reason, StepKind};
use crate::provider::{BackupRef, CloneRef, Held, OriginalRef, Provider};
use crate::switch::Endpoint;

use super::effects::{BACKUP, provider_failed};
use super::{Work, failed};

/// The facts of a clone: its reference, where it answers, its host key, and where its host's traffic went before.
pub(super) const CLONE: &str = "clone";
pub(super) const ADDRESS: &str = "address";
pub(super) const HOST_KEY: &str = "host_key";
const ENDPOINT: &str = "endpoint";
/// The fact that names what a clone has replaced.
const ORIGINAL: &str = "original";

/// The clone on which a step works, as a host: the login of the original, the address and the key of its provider, and
/// nothing that could back it up or move its traffic.
pub(super) fn clone_of(
    host: &Host,
    clone: &StepId,
    facts: &std::collections::BTreeMap<(StepId, String), String>,
) -> Result<Host, Reason> {
    let fact = |key: &str| {
        let missing = || Reason::new("no-clone", format!("{clone} left no {key} of a clone"));
        of_clone(facts, clone, key).cloned().ok_or_else(missing)
    };
    Ok(as_host(host, fact(ADDRESS)?, fact(HOST_KEY)?))
}

/// A fact of the clone that a step made, or of the one that a search left in its place.
fn of_clone<'f>(
    facts: &'f std::collections::BTreeMap<(StepId, String), String>,
    clone: &StepId,
    key: &str,
) -> Option<&'f String> {
    let search = StepId::new(&format!("{}/{}", clone.host(), StepKind::Bisect.as_str())).ok();
    let by = |step: StepId| facts.get(&(step, key.to_owned()));
    search.and_then(by).or_else(|| by(clone.clone()))
}

pub(super) fn as_host(host: &Host, address: String, host_key: String) -> Host {
    let name = HostName::new(&format!("{}-clone", host.name)).unwrap_or_else(|_| host.name.clone());
    let ssh = Ssh { host_key: Some(host_key), known_hosts: None, ..host.ssh.clone() };
    Host {
        name,
        address: Some(address),
        ssh,
        provider: None,
        switch: None,
        aliases: Default::default(),
        ..host.clone()
    }
}

/// The probe, asked of whoever this step works on.
pub(super) fn probe_of(probe: &Probe, host: &Host) -> Probe {
    let address =
        if host.address().contains(':') { format!("[{}]", host.address()) } else { host.address().to_owned() };
    Probe { url: probe.url.replace(CLONE_ADDRESS, &address), ..probe.clone() }
}

impl Work<'_> {
    fn fact(&self, step: &StepId, key: &str) -> Option<&String> {
        of_clone(&self.request.facts, step, key)
    }

    pub(super) fn needed(&self, step: &StepId, key: &str) -> Result<String, StepResult> {
        self.fact(step, key)
            .cloned()
            .ok_or_else(|| failed(Reason::new("no-fact", format!("{step} left no {key}")), Effected::No, String::new()))
    }

    pub(super) async fn clone_step(&self, backup: &StepId, back_within: TimeSpan) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        let backup = BackupRef(self.needed(backup, BACKUP)?);
        let mut facts = std::collections::BTreeMap::new();
        // Asked before anything moves: a switch does not remember it.
        if self.host.switch.as_ref().is_some_and(crate::model::SwitchSettings::moves) {
            match self.in_time(self.switch()?.endpoint(self.host)).await? {
                Ok(endpoint) => drop(facts.insert(ENDPOINT.to_owned(), endpoint.0)),
                Err(error) => {
                    let reason = Reason::new("endpoint-unknown", format!("where its traffic goes: {error}"));
                    // An earlier call of this step may have made one.
                    let effect = if self.is_attach() { Effected::Possibly } else { Effected::No };
                    return Err(failed(reason, effect, String::new()));
                }
            }
        }
        self.context.progress("makes a clone");
        let clone = match self.in_time(provider.clone_host(self.host, &backup, &self.key())).await? {
            Ok(clone) => clone,
            Err(error) => return Err(self.provider_failed("clone-failed", error)),
        };
        let host = as_host(self.host, clone.address.clone(), clone.host_key.clone());
        let there = Work { host: &host, ..*self };
        if let Err(reason) = there.wait_until_back(back_within).await {
            let reason = Reason::new("clone-not-up", format!("clone {}: {}", clone.reference.0, reason.text));
            return Err(failed(reason, Effected::Possibly, String::new()));
        }
        let note = Some(format!("clone {} at {}", clone.reference.0, clone.address));
        facts.extend([
            (CLONE.to_owned(), clone.reference.0),
            (ADDRESS.to_owned(), clone.address),
            (HOST_KEY.to_owned(), clone.host_key),
        ]);
        Ok(StepResult::Succeeded { facts, note })
    }

    /// Every clone that this campaign made of the host, also where nobody heard of it.
    pub(super) async fn clones(&self, provider: &dyn Provider) -> Result<Vec<CloneRef>, StepResult> {
        let clone = |held| if let Held::Clone(reference) = held { Some(reference) } else { None };
        Ok(self.held(provider, "clone-not-found").await?.filter_map(clone).collect())
    }

    /// Every backup that this campaign made of the host: the one that it knows, or those that nobody heard of.
    async fn backups(&self, provider: &dyn Provider, step: &StepId) -> Result<Vec<BackupRef>, StepResult> {
        if let Some(known) = self.fact(step, BACKUP) {
            return Ok(vec![BackupRef(known.clone())]);
        }
        let backup = |held| if let Held::Backup(reference) = held { Some(reference) } else { None };
        Ok(self.held(provider, "backup-not-found").await?.filter_map(backup).collect())
    }

    /// What this campaign made of the host, by its keys; `code` tells that nobody can say.
    async fn held(&self, provider: &dyn Provider, code: &str) -> Result<impl Iterator<Item = Held>, StepResult> {
        let ours = format!("{}/{}/", self.request.attempt.campaign, self.request.host);
        match self.in_time(provider.list(self.host)).await? {
            Ok(held) => Ok(held.into_iter().filter(move |(key, _)| key.0.starts_with(&ours)).map(|(_, held)| held)),
            Err(error) => Err(provider_failed(code, error)),
        }
    }

    pub(super) async fn destroy_step(&self, keep: TimeSpan) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        let clones = self.clones(&*provider).await?;
        let names = clones.iter().map(|clone| clone.0.as_str()).collect::<Vec<_>>().join(" and ");
        if clones.is_empty() {
            return Ok(StepResult::Succeeded { facts: Default::default(), note: Some("there is no clone".to_owned()) });
        }
        if keep > TimeSpan::ZERO {
            let until = keep.after(crate::env::now());
            let note = format!("{names} is kept until {until} for you to look at");
            let facts = [("kept_until".to_owned(), until.to_string())].into();
            return Ok(StepResult::Succeeded { facts, note: Some(note) });
        }
        self.context.progress("destroys the clone");
        for clone in clones {
            if let Err(error) = self.in_time(provider.destroy(self.host, &clone)).await? {
                return Err(self.provider_failed("destroy-failed", error));
            }
        }
        Ok(StepResult::Succeeded { facts: Default::default(), note: Some(format!("destroyed {names}")) })
    }

    pub(super) async fn switchover_step(&self, clone: &StepId) -> Result<StepResult, StepResult> {
        let (original, address) = (Endpoint(self.needed(clone, ENDPOINT)?), self.needed(clone, ADDRESS)?);
        self.go_to(&original.at(&address)).await
    }

    pub(super) async fn switch_back_step(&self, clone: &StepId) -> Result<StepResult, StepResult> {
        let original = Endpoint(self.needed(clone, ENDPOINT)?);
        self.go_to(&original).await
    }

    async fn go_to(&self, to: &Endpoint) -> Result<StepResult, StepResult> {
        let switch = self.switch()?;
        self.context.progress(&format!("sends its traffic to {}", to.0));
        match self.in_time(switch.switch(self.host, to)).await? {
            Ok(()) => {
                let note = Some(format!("its traffic goes to {}", to.0));
                Ok(StepResult::Succeeded { facts: Default::default(), note })
            }
            Err(error) => {
                Err(failed(Reason::new("switch-failed", error.to_string()), Effected::Possibly, String::new()))
            }
        }
    }

    pub(super) async fn promote_step(&self, clone: &StepId, back_within: TimeSpan) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        let reference = CloneRef(self.needed(clone, CLONE)?);
        if let Ok(there) = clone_of(self.host, clone, &self.request.facts) {
            self.transport().close(&there);
        }
        self.context.progress("lets the clone take the host's place");
        let original = match self.in_time(provider.promote(self.host, &reference, &self.key())).await? {
            Ok(original) => original,
            Err(error) => return Err(self.provider_failed("promote-failed", error)),
        };
        self.wait_until_back(back_within).await.map_err(|reason| failed(reason, Effected::Possibly, String::new()))?;
        let note = Some(format!("{} has taken its place; the original is kept as {}", reference.0, original.0));
        Ok(StepResult::Succeeded { facts: [(ORIGINAL.to_owned(), original.0)].into(), note })
    }

    pub(super) async fn release_step(
        &self,
        backup: &StepId,
        promote: Option<&StepId>,
    ) -> Result<StepResult, StepResult> {
        let provider = self.provider()?;
        self.context.progress("deletes what is no longer needed");
        let mut released = Vec::new();
        if let Some(original) = promote.and_then(|promote| self.fact(promote, ORIGINAL)) {
            let original = OriginalRef(original.clone());
            match self.in_time(provider.release(self.host, &original)).await? {
                Ok(()) => released.push(original.0),
                Err(error) => return Err(self.provider_failed("release-failed", error)),
            }
        }
        for backup in self.backups(&*provider, backup).await? {
            match self.in_time(provider.delete_backup(self.host, &backup)).await? {
                Ok(()) => released.push(backup.0),
                Err(error) => return Err(self.provider_failed("release-failed", error)),
            }
        }
        let note = match released.as_slice() {
            [] => "there is nothing to delete".to_owned(),
            released => format!("deleted {}", released.join(" and ")),
        };
        let note = Some(note);
        Ok(StepResult::Succeeded { facts: Default::default(), note })
    }
}
