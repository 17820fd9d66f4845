//! What makes backups and clones of a host and what moves its traffic, and what each of them can do.

use super::{Become, BtrfsProvider, Digest, LibvirtProvider, LvmProvider, ResticProvider, Ssh, TimeSpan};

/// Another machine on which a backend's commands run: a balancer, a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Via {
    /// Where to connect.
    pub address: String,
    /// Connection.
    #[serde(default)]
    pub ssh: Ssh,
    /// How to become root there.
    #[serde(default, rename = "become")]
    pub becomes: Become,
}

/// What makes backups of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProviderSettings {
    /// A podman container on this machine.
    Podman {
        /// The container's name.
        name: String,
        /// `CONTAINERS_CONF` to call podman with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        containers_conf: Option<String>,
        /// The network for its clones, which the service's clients must not reach; without it none are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clone_network: Option<String>,
    },
    /// A docker container on this machine.
    Docker {
        /// The container's name.
        name: String,
        /// The daemon's socket, where it is not `/var/run/docker.sock`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        socket: Option<String>,
        /// The network for its clones, which the service's clients must not reach; without it none are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clone_network: Option<String>,
    },
    /// The user's own commands.
    Exec(ExecProvider),
    /// A host whose root is a btrfs subvolume on a machine.
    Btrfs(BtrfsProvider),
    /// A host whose disk is a thin volume of LVM.
    Lvm(LvmProvider),
    /// A host that is a domain of libvirt.
    Libvirt(LibvirtProvider),
    /// Files of a host in a restic repository.
    Restic(ResticProvider),
    /// A host of the simulator.
    Simulated,
}

/// The user's own commands, each an argv whose elements are templates over `host`, `key` and `ref`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct ExecProvider {
    /// Prints the reference of the backup it made (or found, for the same key) as its last line.
    pub backup: Vec<String>,
    /// Puts the host back.
    pub restore: Vec<String>,
    /// Exits 0 if the backup is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_backup: Option<Vec<String>>,
    /// Deletes the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Vec<String>>,
    /// Makes a clone from a backup; its last line is `REF ADDRESS KEYTYPE BASE64`: a reference, where it answers, and
    /// its host key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone: Option<Vec<String>>,
    /// Destroys a clone, or deletes an original that a clone has replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy: Option<Vec<String>>,
    /// Lets a clone take the place of its host; its last line is the reference of the original, which is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote: Option<Vec<String>>,
    /// Prints what there is of ours for the host, a line each: `backup|clone|original KEY REF`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<String>>,
    /// A clone works on the data volumes of its host: a switch back loses no writes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shares_data: bool,
    /// How long each may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

/// What moves traffic to and from a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SwitchSettings {
    /// HAProxy's runtime API over its socket.
    Haproxy {
        /// Path of the admin socket on this machine.
        socket: String,
        /// Backend.
        backend: String,
        /// Server in the backend.
        server: String,
        /// The balancer, where it is not this machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<Via>,
    },
    /// The user's own commands.
    Command {
        /// Takes the host out of service.
        drain: Vec<String>,
        /// Puts it back.
        undrain: Vec<String>,
        /// Prints, as its last line, where the host's traffic goes now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<Vec<String>>,
        /// Sends the host's traffic to `{to}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        switch: Option<Vec<String>>,
        /// Prints, as its last line, `in`, or `out` and, where known, how many requests still run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Vec<String>>,
        /// How long each may take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<TimeSpan>,
    },
    /// Addresses of a service's name, changed by dynamic updates.
    Dns(DnsSwitch),
    /// A switch of the simulator.
    Simulated,
}

/// A host's address among those of a service's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct DnsSwitch {
    /// The zone's primary server, `NAME:PORT` or `ADDRESS:PORT`.
    pub server: String,
    /// The zone.
    pub zone: String,
    /// The name of the service.
    pub name: String,
    /// The host's address behind this name, where it is not the one to connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<std::net::IpAddr>,
    /// How long others may remember what is put in; like the addresses that are there, unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<TimeSpan>,
    /// The name of the key that signs.
    pub key: String,
    /// What it signs with.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,
    /// Where its secret is: the secret itself is in no plan.
    pub secret: SecretSource,
}

/// What a key signs with.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum TsigAlgorithm {
    #[default]
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// In this variable of the environment.
    Env(String),
    /// In this file on this machine.
    File(String),
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(variable) => write!(f, "${}", super::printable(variable, 80)),
            Self::File(path) => f.write_str(&super::printable(path, 200)),
        }
    }
}

/// What a backup holds when services write while it is made.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// As after a power cut.
    Crash,
    /// As after a clean unmount.
    FileSystem,
    /// As the application wants it.
    Application,
    /// Only the user's commands know.
    Unknown,
}

/// What it costs to keep a backup or a clone.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// What has changed since, on a disk of ours.
    Changes,
    /// As much space as the host's data, once.
    Copy,
    /// Money for as long as it is kept.
    PayPerUse,
    /// Only the user's commands know.
    Unknown,
}

/// What a call to a provider usually takes, and when it counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Takes {
    pub backup: TimeSpan,
    pub restore: TimeSpan,
    pub clone: TimeSpan,
    pub promote: TimeSpan,
    /// The limit of any of them.
    pub limit: TimeSpan,
}

/// What a provider can do; declared, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Capabilities {
    /// The name of the kind, as in inventories.
    pub kind: &'static str,
    /// What a backup holds.
    pub consistency: Consistency,
    /// Whether a backup can be verified beyond its existence.
    pub verifies: bool,
    /// Whether it makes clones.
    pub clones: bool,
    /// Whether a clone can take the place of its host for good.
    pub promotes: bool,
    /// Whether a clone works on the data of its host, so that a switch back loses no writes.
    pub shares_data: bool,
    /// Whether a host can be put back from the host itself, without the controller.
    pub restores_on_host: bool,
    /// Whether a host can go back by itself when nothing is heard of the controller.
    pub goes_back_alone: bool,
    /// What a backup costs while it is kept.
    pub cost: Cost,
    /// Usual times.
    pub takes: Takes,
    /// How many backups may be made at once; none means no limit.
    pub concurrent_backups: Option<u32>,
    /// How many clones there may be at once; none means no limit.
    pub concurrent_clones: Option<u32>,
}

fn container(kind: &'static str, clones: bool) -> Capabilities {
    Capabilities {
        kind,
        consistency: Consistency::Crash,
        verifies: true,
        clones,
        promotes: clones,
        shares_data: false,
        restores_on_host: false,
        goes_back_alone: false,
        cost: Cost::Changes,
        // Measured: committing and running a container takes seconds; an image of some size and a boot take more.
        takes: Takes {
            backup: TimeSpan::minutes(1),
            restore: TimeSpan::minutes(1),
            clone: TimeSpan::minutes(1),
            promote: TimeSpan::minutes(1),
            limit: TimeSpan::minutes(30),
        },
        // Each holds a host still and writes its changes to the same disk.
        concurrent_backups: Some(2),
        concurrent_clones: None,
    }
}

impl ExecProvider {
    /// What cannot be found again and destroyed must not be made.
    const fn makes_clones(&self) -> bool {
        self.clone.is_some() && self.destroy.is_some() && self.list.is_some()
    }
}

impl ProviderSettings {
    /// What names these settings: a proof of what a provider can do holds for those that it was made with.
    pub fn digest(&self) -> Digest {
        // Strings and lists of them: this cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// What it backs up and puts back: two hosts with the same would be one. None where only the user's commands, or the
    /// host itself, know.
    pub fn object(&self) -> Option<String> {
        let on = |via: &Option<Via>| match via {
            Some(via) => format!(" on {}", via.address.to_ascii_lowercase()),
            None => String::new(),
        };
        match self {
            Self::Podman { name, .. } => Some(format!("podman container {name}")),
            Self::Docker { name, socket, .. } => {
                let of = socket.as_ref().map_or_else(String::new, |socket| format!(" of {socket}"));
                Some(format!("docker container {name}{of}"))
            }
            Self::Btrfs(btrfs) => {
                Some(format!("subvolume {}{}", btrfs.subvolume.trim_end_matches('/'), on(&btrfs.via)))
            }
            Self::Lvm(lvm) => Some(format!("volume {}/{}{}", lvm.group, lvm.volume, on(&lvm.via))),
            Self::Libvirt(libvirt) => {
                Some(format!("domain {} of {}{}", libvirt.domain, libvirt.uri(), on(&libvirt.via)))
            }
            Self::Exec(_) | Self::Restic(_) | Self::Simulated => None,
        }
    }

    /// Whether what it has made can be found again and deleted, also when nobody heard of it.
    pub fn tidies(&self) -> bool {
        match self {
            Self::Exec(exec) => exec.list.is_some() && exec.delete.is_some(),
            _ => true,
        }
    }

    /// What this provider can do.
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Podman { clone_network, .. } => container("podman", clone_network.is_some()),
            Self::Docker { clone_network, .. } => container("docker", clone_network.is_some()),
            Self::Exec(exec) => {
                let limit = exec.timeout.unwrap_or(TimeSpan::hours(1));
                Capabilities {
                    kind: "exec",
                    consistency: Consistency::Unknown,
                    verifies: exec.verify_backup.is_some(),
                    clones: exec.makes_clones(),
                    promotes: exec.makes_clones() && exec.promote.is_some(),
                    shares_data: exec.shares_data,
                    restores_on_host: false,
                    goes_back_alone: false,
                    cost: Cost::Unknown,
                    // Nothing is known of the user's commands but that they do not usually take longer than they may.
                    takes: Takes {
                        backup: TimeSpan::minutes(5).min(limit),
                        restore: TimeSpan::minutes(10).min(limit),
                        clone: TimeSpan::minutes(10).min(limit),
                        promote: TimeSpan::minutes(10).min(limit),
                        limit,
                    },
                    concurrent_backups: None,
                    concurrent_clones: None,
                }
            }
            Self::Btrfs(btrfs) => btrfs.capabilities(),
            Self::Lvm(lvm) => lvm.capabilities(),
            Self::Libvirt(libvirt) => libvirt.capabilities(),
            Self::Restic(restic) => restic.capabilities(),
            Self::Simulated => Capabilities {
                kind: "simulated",
                consistency: Consistency::Crash,
                verifies: true,
                clones: true,
                promotes: true,
                shares_data: false,
                restores_on_host: false,
                goes_back_alone: true,
                cost: Cost::Changes,
                takes: Takes {
                    backup: TimeSpan::minutes(1),
                    restore: TimeSpan::minutes(2),
                    clone: TimeSpan::minutes(2),
                    promote: TimeSpan::minutes(2),
                    limit: TimeSpan::minutes(30),
                },
                concurrent_backups: None,
                concurrent_clones: None,
            },
        }
    }
}

impl SwitchSettings {
    /// The name of the kind, as in inventories.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Haproxy { .. } => "haproxy",
            Self::Dns(_) => "dns",
            Self::Command { .. } => "command",
            Self::Simulated => "simulated",
        }
    }

    /// Whether it can send a host's traffic to a clone, and not only take the host out of service.
    pub fn moves(&self) -> bool {
        match self {
            Self::Haproxy { .. } | Self::Dns(_) | Self::Simulated => true,
            Self::Command { endpoint, switch, .. } => endpoint.is_some() && switch.is_some(),
        }
    }
}
