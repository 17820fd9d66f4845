//! A fix: what removes one or more findings on one host in one transaction.

use super::{FindingId, PackageName, PackageVersion};

/// One package to be brought to a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct PackageFix {
    /// The package.
    pub name: PackageName,
    /// The version seen by the scanner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PackageVersion>,
    /// At least this version; none where the scanner only knows that an update is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PackageVersion>,
}

/// What is done with a host that should have been rebooted already before its fix. There is no "reboot it first": a host
/// is rebooted at most once in a campaign, and the fix may need that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PendingReboot {
    /// It is told, and the fix goes on; the reboot that may follow takes both.
    #[default]
    Report,
    /// The host is left alone.
    Refuse,
}

/// Everything one host gets in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Fix {
    /// Packages, sorted by name.
    pub packages: Vec<PackageFix>,
    /// The findings it removes, sorted.
    pub findings: Vec<FindingId>,
}
