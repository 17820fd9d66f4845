//! A finding: one vulnerability on one asset, as one scanner reported it, normalised.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    AssetName, Cvss, FindingId, HostName, PackageName, PackageVersion, Probability, Severity, VulnerabilityId,
};

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

/// What the id of a finding tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingParts<'a> {
    /// The vulnerability; the whole id where it was too long to hold it.
    pub vulnerability: &'a str,
    /// The package.
    pub package: Option<&'a str>,
    /// The version that was installed.
    pub installed: Option<&'a str>,
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

    /// What [`Finding::make_id`] has put into the id of a finding of this host.
    pub fn parts_of<'a>(id: &'a FindingId, host: &HostName) -> FindingParts<'a> {
        let text = id.as_str();
        let whole = FindingParts { vulnerability: text, package: None, installed: None };
        // Scanners mostly call a host what we do; what they call it otherwise may hold a slash as well.
        let own = text.strip_prefix(host.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let behind = |at: usize| text.get(at + 1..);
        let mut slashes = text.match_indices('/').map(|(at, _)| at).filter_map(behind);
        let advisory = |rest: &&str| {
            let name = rest.split('/').next().unwrap_or_default();
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.contains('-')
                && name.ends_with(|c: char| c.is_ascii_alphanumeric())
                && VulnerabilityId::new(name).is_ok()
        };
        let Some(rest) = own.or_else(|| slashes.clone().find(advisory)).or_else(|| slashes.next()) else {
            return whole;
        };
        let Some((vulnerability, rest)) = rest.split_once('/') else { return whole };
        // Neither a package nor a version holds `#`, and no version holds `@`.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (package, installed) = match rest.rsplit_once('@') {
            Some((package, version)) if !package.is_empty() => (package, Some(version)),
            _ => (rest, None),
        };
        FindingParts { vulnerability, package: Some(package).filter(|package| *package != "-"), installed }
    }

    /// The highest base score of the newest CVSS generation that has one (4, then 3, then 2).
    pub fn base_score(&self) -> Option<&Cvss> {
        let generation = |cvss: &Cvss| cvss.version.bytes().next().unwrap_or(b'0');
        self.cvss.iter().max_by_key(|cvss| (generation(cvss), cvss.score))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_tells_what_it_was_made_of(
            asset in prop_oneof![Just("web-1"), Just("registry.example.com/shop/web:1.2"), Just("Web 1 (debian/12)")],
            vulnerability in "(CVE|GHSA|DSA|RHSA)-[0-9a-z:-]{1,12}[0-9a-z]",
            package in prop::option::of("[@a-z_][a-z0-9+._:/@~-]{0,20}[a-z0-9]"),
            version in prop::option::of("[0-9][a-z0-9+._:~^!-]{0,12}"),
            location in prop::option::of("[ -~]{1,30}"),
        ) {
            let version = version.filter(|_| package.as_ref().is_some_and(|package| !package.contains('@')));
            let (asset, host) = (AssetName::new(asset).unwrap(), HostName::new("web-1").unwrap());
            let name = VulnerabilityId::new(&vulnerability).unwrap();
            // A package with `@` in its middle looks like one with a version, and is told so.
            let package = package.filter(|package| version.is_some() || !package[1..].contains('@'));
            let known = package.as_deref().map(|package| PackageName::new(package).unwrap());
            let installed = version.as_deref().map(|version| PackageVersion::new(version).unwrap());
            let id = Finding::make_id(&asset, &name, known.as_ref(), installed.as_ref(), location.as_deref());
            let parts = Finding::parts_of(&id, &host);
            let made_of = (vulnerability.as_str(), package.as_deref(), version.as_deref());
            prop_assert_eq!((parts.vulnerability, parts.package, parts.installed), made_of, "{}", id.as_str());
        }
    }
}
