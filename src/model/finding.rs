//! A finding: one vulnerability on one asset, as one scanner reported it, normalised.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{AssetName, Cvss, FindingId, PackageName, PackageVersion, Probability, Severity, VulnerabilityId};

/// What kind of thing is vulnerable, and so who can fix it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum VulnerabilityType {
    /// A package of a Linux distribution.
    Linux,
    /// A Windows update.
    Windows,
    /// A content management system.
    WebCms,
    /// A library or program that no distribution manages.
    Application,
    /// Something that must be handled by hand at once.
    Emergency,
}

impl VulnerabilityType {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
            Self::WebCms => "web_cms",
            Self::Application => "application",
            Self::Emergency => "emergency",
        }
    }
}

/// Whether its maintainers offer a fix.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FixState {
    Fixed,
    NotFixed,
    WillNotFix,
    Deferred,
    EndOfLife,
    /// Its maintainers say that this package is not vulnerable.
    NotAffected,
    Unknown,
}

/// One vulnerability on one asset.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// Stable across scans: made by [`Finding::make_id`].
    pub id: FindingId,
    /// What the scanner called the asset.
    pub asset: AssetName,
    /// The id that names it, a CVE where there is one.
    pub vulnerability: VulnerabilityId,
    /// Its other ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<VulnerabilityId>,
    /// What kind of thing is vulnerable.
    #[serde(rename = "type")]
    pub kind: VulnerabilityType,
    /// The ecosystem of the package: `deb`, `rpm`, `apk`, `npm`, `pypi`, ... (a scheme of [`super::VersionScheme`] where known).
    pub ecosystem: String,
    /// The vulnerable package; none where the scanner tells of a vulnerability and not of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Where on the asset, for packages that can be there more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The installed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<PackageVersion>,
    /// The versions that fix it, one a maintained branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<PackageVersion>,
    /// Whether there is a fix.
    pub fix_state: FixState,
    /// The severity, where the source gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Every score given, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<Cvss>,
    /// The chance of exploitation within 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Probability>,
    /// Known to be exploited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kev: bool,
    /// When the vulnerability was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When this asset was first seen to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The tool that reported it.
    pub scanner: String,
    /// What each tool says, where several report it and differ; what the finding itself says is the worst of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
}

/// What one tool says of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Claim {
    /// The tool.
    pub scanner: String,
    /// Its severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether it knows a fix.
    pub fix_state: FixState,
    /// The versions that it says fix it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<PackageVersion>,
    /// The version that it says is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<PackageVersion>,
}

impl Claim {
    /// What the tool of this finding says.
    pub fn of(finding: &Finding) -> Self {
        Self {
            scanner: finding.scanner.clone(),
            severity: finding.severity,
            fix_state: finding.fix_state,
            fixed: finding.fixed.clone(),
            installed: finding.installed.clone(),
        }
    }

    /// Whether another tool says the same.
    pub fn agrees(&self, other: &Self) -> bool {
        (self.severity, self.fix_state, &self.fixed, &self.installed)
            == (other.severity, other.fix_state, &other.fixed, &other.installed)
    }
}

impl Finding {
    /// `ASSET/VULNERABILITY/PACKAGE@VERSION#LOCATION` (`-` for no package), shortened by a digest where it would be too long.
    pub fn make_id(
        asset: &AssetName,
        vulnerability: &VulnerabilityId,
        package: Option<&PackageName>,
        installed: Option<&PackageVersion>,
        location: Option<&str>,
    ) -> FindingId {
        let mut text = format!("{asset}/{vulnerability}/{}", package.map_or("-", PackageName::as_str));
        if let Some(version) = installed {
            text.push('@');
            text.push_str(version.as_str());
        }
        if let Some(location) = location {
            text.push('#');
            text.push_str(&super::printable(location, 512));
        }
        FindingId::new(&text).unwrap_or_else(|_| {
            let digest = super::Digest::of(text.as_bytes());
            #[expect(clippy::unwrap_used, reason = "a digest is printable and short")]
            FindingId::new(&digest.to_string()).unwrap()
        })
    }

    /// The highest base score of the newest CVSS generation that has one (4, then 3, then 2).
    pub fn base_score(&self) -> Option<&Cvss> {
        let generation = |cvss: &Cvss| cvss.version.bytes().next().unwrap_or(b'0');
        self.cvss.iter().max_by_key(|cvss| (generation(cvss), cvss.score))
    }
}
