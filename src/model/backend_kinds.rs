//! Settings of the providers that work by scripts on the machine that holds a host's disks, or on the host.

use super::{Capabilities, Consistency, Cost, Takes, TimeSpan, Via};

/// How long each of the user's commands may take unless the inventory says otherwise: a host stops and starts in it.
const COMMAND: TimeSpan = TimeSpan::minutes(5);

/// Commands that run on a host around a snapshot, each an argv whose elements are templates over `host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Freeze {
    /// Makes services write all they have and hold still.
    pub freeze: Vec<String>,
    /// Lets them go on; harmless when they do.
    pub thaw: Vec<String>,
}

/// A host whose root is a btrfs subvolume, a system container most often. The commands run on the machine that holds
/// it; they are templates over `host`, and those for clones over `clone`, a name for it, and `path`, its root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct BtrfsProvider {
    /// The path of the host's root.
    pub subvolume: String,
    /// A folder in the same mounted file system for what is kept.
    pub snapshots: String,
    /// Stops the host; harmless when it does not run.
    pub stop: Vec<String>,
    /// Starts the host; harmless when it runs.
    pub start: Vec<String>,
    /// Starts a clone where the clients of its host's service do not get to it, and prints its address as its last line;
    /// harmless when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_clone: Option<Vec<String>>,
    /// Stops a clone; harmless when it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_clone: Option<Vec<String>>,
    /// Holds services still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// The machine, where it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// How long each command may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

impl BtrfsProvider {
    /// How long each of the user's commands may take.
    pub fn command_limit(&self) -> TimeSpan {
        self.timeout.unwrap_or(COMMAND)
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let clones = self.start_clone.is_some() && self.stop_clone.is_some();
        let each = self.command_limit();
        Capabilities {
            kind: "btrfs",
            consistency: if self.freeze.is_some() { Consistency::Application } else { Consistency::Crash },
            verifies: true,
            clones,
            promotes: clones,
            shares_data: false,
            restores_on_host: false,
            goes_back_alone: true,
            cost: Cost::Changes,
            // A snapshot is made at once; the rest is a host that stops and starts.
            takes: Takes {
                backup: TimeSpan::minutes(1),
                restore: TimeSpan::minutes(2),
                clone: TimeSpan::minutes(2),
                promote: TimeSpan::minutes(2),
                // At most three commands a call, and time to hold services still.
                limit: each.plus(each).plus(each).plus(TimeSpan::minutes(15)),
            },
            concurrent_backups: None,
            concurrent_clones: None,
        }
    }
}

/// A host whose disk is a thin volume of LVM, a virtual machine most often. The commands run on the machine that holds
/// it; they are templates over `host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LvmProvider {
    /// The volume group.
    pub group: String,
    /// The volume in it.
    pub volume: String,
    /// Stops the host; harmless when it does not run.
    pub stop: Vec<String>,
    /// Starts the host; harmless when it runs.
    pub start: Vec<String>,
    /// Holds services still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// The machine, where it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// How long each command may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

impl LvmProvider {
    /// How long each of the user's commands may take.
    pub fn command_limit(&self) -> TimeSpan {
        self.timeout.unwrap_or(COMMAND)
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let each = self.command_limit();
        Capabilities {
            kind: "lvm",
            consistency: if self.freeze.is_some() { Consistency::Application } else { Consistency::Crash },
            verifies: true,
            clones: false,
            promotes: false,
            shares_data: false,
            restores_on_host: false,
            goes_back_alone: true,
            cost: Cost::Changes,
            // A snapshot is made at once; the rest is a virtual machine that stops and boots.
            takes: Takes {
                backup: TimeSpan::minutes(1),
                restore: TimeSpan::minutes(3),
                clone: TimeSpan::ZERO,
                promote: TimeSpan::ZERO,
                // At most two commands a call, and time to hold services still.
                limit: each.plus(each).plus(TimeSpan::minutes(15)),
            },
            // The volumes of a pool share its space: each backup grows as its host changes.
            concurrent_backups: None,
            concurrent_clones: None,
        }
    }
}

/// A host that is a domain of libvirt on QEMU, whose disks are files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LibvirtProvider {
    /// The domain.
    pub domain: String,
    /// Where libvirt is, as virsh takes it; `qemu:///system` unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// A folder for what is kept.
    pub backups: String,
    /// Holds services still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// The machine, where it is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// How long the host may take to shut down before it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

impl LibvirtProvider {
    /// Where libvirt is.
    pub fn uri(&self) -> &str {
        self.uri.as_deref().unwrap_or("qemu:///system")
    }

    /// How long the host may take to shut down: it is about to be replaced.
    pub fn stop_limit(&self) -> TimeSpan {
        self.timeout.unwrap_or(TimeSpan::minutes(1))
    }

    /// How long a call may take: some hundred gigabytes are copied in it.
    pub fn limit(&self) -> TimeSpan {
        TimeSpan::hours(2).plus(self.stop_limit())
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "libvirt",
            consistency: if self.freeze.is_some() { Consistency::Application } else { Consistency::Crash },
            verifies: true,
            clones: false,
            promotes: false,
            shares_data: false,
            restores_on_host: false,
            goes_back_alone: true,
            cost: Cost::Copy,
            // A disk of some ten gigabytes is read and written in minutes.
            takes: Takes {
                backup: TimeSpan::minutes(5),
                restore: TimeSpan::minutes(7),
                clone: TimeSpan::ZERO,
                promote: TimeSpan::ZERO,
                // With time to hold services still.
                limit: self.limit().plus(TimeSpan::minutes(15)),
            },
            // Each reads and writes whole disks of the same hypervisor.
            concurrent_backups: Some(2),
            concurrent_clones: None,
        }
    }
}

/// Files of a host in a restic repository, by the restic on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ResticProvider {
    /// The repository as restic names it.
    pub repository: String,
    /// A file on the host with the repository's password.
    pub password_file: String,
    /// A file on the host with `NAME=VALUE` lines for restic: keys of an object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_file: Option<String>,
    /// What is backed up and put back.
    pub paths: Vec<String>,
    /// Patterns of restic: what they match is neither backed up nor touched by a restore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Runs on the host when files have been put back: programs that run go on with the old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_restore: Option<Vec<String>>,
    /// How long each call of restic may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
}

impl ResticProvider {
    /// How long a call may take.
    pub fn limit(&self) -> TimeSpan {
        self.timeout.unwrap_or(TimeSpan::hours(1))
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "restic",
            // Files are read one after the other while services write.
            consistency: Consistency::Crash,
            verifies: true,
            clones: false,
            promotes: false,
            shares_data: false,
            restores_on_host: true,
            // What runs on the host goes with it.
            goes_back_alone: false,
            cost: Cost::Copy,
            takes: Takes {
                backup: TimeSpan::minutes(10),
                restore: TimeSpan::minutes(15),
                clone: TimeSpan::ZERO,
                promote: TimeSpan::ZERO,
                limit: self.limit(),
            },
            // Repositories are shared, and restic locks them for some of its work.
            concurrent_backups: Some(4),
            concurrent_clones: None,
        }
    }
}
