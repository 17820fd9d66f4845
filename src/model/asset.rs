//! Hosts as the inventory describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{GroupName, HostName, ProviderSettings, SwitchSettings};

/// How much a host matters.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// Can be broken without harm.
    Test,
    /// The usual.
    #[default]
    General,
    /// Matters more than others.
    Important,
}

impl Importance {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::General => "general",
            Self::Important => "important",
        }
    }
}

/// The operating system of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Os {
    /// `debian` for Debian, Ubuntu and their kin, `redhat`, `suse`, `alpine`, `windows`.
    pub family: String,
    /// `debian`, `ubuntu`, `rocky`, ... (`ID` of os-release).
    pub name: String,
    /// `12`, `22.04`, ... (`VERSION_ID` of os-release).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How to become root on a host.
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
#[serde(rename_all = "snake_case")]
pub enum Become {
    /// The login user is root, or nothing needs root.
    #[default]
    None,
    /// Through `sudo -n`.
    Sudo,
}

/// How to reach a host; what is absent comes from the user's ssh configuration.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Ssh {
    /// Login user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Private key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Jump host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// An ssh_config file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// A known_hosts file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// The pinned host key, `TYPE BASE64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
}

/// A server that can be fixed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Host {
    /// Its name, unique in the inventory.
    pub name: HostName,
    /// Where to connect; the name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Other names scanners may know it by (addresses, FQDN, instance id).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// Groups it belongs to, ancestors included.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Operating system, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// Importance, where the inventory says it; policy decides otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<Importance>,
    /// Connection.
    #[serde(default)]
    pub ssh: Ssh,
    /// How to become root.
    #[serde(default, rename = "become")]
    pub becomes: Become,
    /// Backups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderSettings>,
    /// Traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchSettings>,
}

impl Host {
    /// A host of which nothing but the name is known.
    pub fn named(name: HostName) -> Self {
        Self {
            name,
            address: None,
            aliases: BTreeSet::new(),
            groups: BTreeSet::new(),
            labels: BTreeMap::new(),
            os: None,
            importance: None,
            ssh: Ssh::default(),
            becomes: Become::None,
            provider: None,
            switch: None,
        }
    }

    /// Where to connect.
    pub fn address(&self) -> &str {
        self.address.as_deref().unwrap_or(self.name.as_str())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
