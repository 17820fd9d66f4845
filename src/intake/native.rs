//! What `switchback scan` found on hosts, and the file it is kept in (`switchback.findings/v1`).

use jiff::Timestamp;

use crate::model::{Finding, HostName, Os, UnitName};

/// The value of `format` in the file.
pub const FORMAT: &str = "switchback.findings/v1";

/// What a scan saw on one host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HostScan {
    /// The host.
    pub host: HostName,
    /// When it was looked at.
    pub scanned_at: Timestamp,
    /// What it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// What else matters for a fix.
    pub facts: HostFacts,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// What matters for a fix beyond the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct HostFacts {
    /// The running kernel (`uname -r`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_kernel: Option<String>,
    /// The newest installed kernel, as `uname -r` would say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_kernel: Option<String>,
    /// Whether the host needs a reboot already now.
    pub reboot_pending: bool,
    /// Why it needs one, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reboot_why: Vec<String>,
    /// Services that still map files which were replaced or deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale_services: Vec<UnitName>,
}
