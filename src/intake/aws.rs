//! What Inspector and Security Hub have in common: platforms, package managers, versions in parts, and whose a resource is.

use std::borrow::Cow;

use serde::Deserialize;

use super::each::{Objects, Word};
use super::lenient::Text;
use super::row::{self, Owner, Row, Sink, reason};
use super::subject;
use super::trivy;
use crate::model::{AssetName, FixState, Os, PackageName, PackageVersion, VulnerabilityType};

/// A package that is vulnerable, as Inspector spells it and as Security Hub does.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct RawPackage<'a> {
    #[serde(alias = "Name", borrow)]
    name: Text<'a>,
    #[serde(alias = "Epoch", borrow)]
    epoch: Word<'a>,
    #[serde(alias = "Version", borrow)]
    version: Text<'a>,
    #[serde(alias = "Release", borrow)]
    release: Text<'a>,
    #[serde(alias = "FixedInVersion", borrow)]
    fixed_in_version: Text<'a>,
    #[serde(alias = "PackageManager", borrow)]
    package_manager: Text<'a>,
    #[serde(alias = "FilePath", borrow)]
    file_path: Text<'a>,
}

/// The tag by which people know a resource.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawTags<'a> {
    #[serde(rename = "Name", borrow)]
    pub(super) name: Text<'a>,
}

impl RawPackage<'_> {
    fn complete(&self, mut row: Row, kind: VulnerabilityType) -> Result<Row, &'static str> {
        row.package = Some(package(kind, &self.name)?);
        row.installed = version(self.epoch.as_str(), &self.version, self.release.as_str())?;
        let said = row.fix_state;
        (row.fix_state, row.fixed) = fixed(&self.fixed_in_version)?;
        row.fix_state = if row.fix_state == FixState::Unknown { said } else { row.fix_state };
        row.path = row::location(self.file_path.as_str());
        Ok(row)
    }
}

/// Whose the packages of a finding are.
pub(super) struct PackagesOf<'a> {
    pub(super) asset: &'a AssetName,
    pub(super) os: Option<&'a Os>,
    pub(super) scanner: &'a str,
}

impl PackagesOf<'_> {
    /// A finding is about a vulnerability of a resource and may name several packages, each of which must be fixed:
    /// every package counts as a row, and a finding without packages as one.
    pub(super) fn add(&self, packages: &Objects<RawPackage<'_>>, row: Result<Row, &'static str>, sink: &mut Sink) {
        let rows = u64::try_from(packages.first.len().max(1)).unwrap_or(u64::MAX) + packages.beyond;
        let row = match row {
            Ok(row) => row,
            Err(why) => return sink.leave_out(why, rows),
        };
        if packages.first.is_empty() {
            return self.add_row(row, ecosystem("OS", self.os), sink);
        }
        for package in &packages.first {
            let Some(package) = package else {
                sink.leave_out(reason::MALFORMED, 1);
                continue;
            };
            let ecosystem = ecosystem(package.package_manager.as_str(), self.os);
            match package.complete(row.clone(), ecosystem.0) {
                Ok(row) => self.add_row(row, ecosystem, sink),
                Err(why) => sink.leave_out(why, 1),
            }
        }
        sink.leave_out(reason::TOO_MANY, packages.beyond);
    }

    fn add_row(&self, row: Row, (kind, ecosystem): (VulnerabilityType, Cow<'_, str>), sink: &mut Sink) {
        let location = row.path.clone().filter(|_| kind != VulnerabilityType::Linux);
        let owner = Owner { asset: self.asset, kind, ecosystem: &ecosystem, location, scanner: self.scanner };
        sink.add(row.into_finding(owner));
    }
}

/// `UBUNTU_20_04`, `AMAZON_LINUX_2`, `WINDOWS_SERVER_2019`: what the instance or image runs.
pub(super) fn os(platform: &str) -> Option<Os> {
    let lower = platform.to_ascii_lowercase();
    let (name, version) = lower.rsplit_once('_').map_or((lower.as_str(), String::new()), |_| {
        let start = lower.find(|c: char| c.is_ascii_digit()).unwrap_or(lower.len());
        (lower[..start].trim_end_matches('_'), lower[start..].replace('_', "."))
    });
    let family = match name {
        "" | "unknown" => return None,
        "amazon_linux" => "amazon",
        "oracle_linux" => "oracle",
        "rocky_linux" => "rocky",
        "alma_linux" | "almalinux" => "alma",
        "redhat" | "rhel" | "red_hat" => "redhat",
        "suse_server" | "suse" => "sles",
        "open_suse" | "opensuse_leap" | "open_suse_leap" => "opensuse-leap",
        "windows_server" | "windows" => {
            return Some(Os { family: "windows".into(), name: lower.clone(), version: Some(version) });
        }
        known => known,
    };
    trivy::os(family, &version)
}

/// Whose package it is: the platform's own manager, or a language's.
fn ecosystem(manager: &str, platform: Option<&Os>) -> (VulnerabilityType, Cow<'static, str>) {
    let lower = manager.to_ascii_lowercase();
    let known = match lower.as_str() {
        "os" => {
            let family = platform.map_or("", |os| os.family.as_str());
            return match family {
                "windows" => (VulnerabilityType::Windows, "windows".into()),
                "debian" => (VulnerabilityType::Linux, "deb".into()),
                "redhat" | "suse" => (VulnerabilityType::Linux, "rpm".into()),
                "alpine" => (VulnerabilityType::Linux, "apk".into()),
                "arch" => (VulnerabilityType::Linux, "alpm".into()),
                "" => (VulnerabilityType::Linux, "unknown".into()),
                other => (VulnerabilityType::Linux, other.to_owned().into()),
            };
        }
        "pythonpkg" | "python" => "python-pkg",
        "nodepkg" => "node-pkg",
        "dotnet_core" | "dotnet" => "dotnet-core",
        "gradle_lock" => "gradle",
        "generic" | "" => return (VulnerabilityType::Application, "unknown".into()),
        "wordpress" => return (VulnerabilityType::WebCms, "wordpress".into()),
        known => known,
    };
    trivy::classify("lang-pkgs", known, "")
}

/// `EPOCH:VERSION-RELEASE` of its parts; an epoch of 0 is not written.
fn version(epoch: &str, version: &Text<'_>, release: &str) -> Result<Option<PackageVersion>, &'static str> {
    let upstream = match version {
        Text::Is(text) => text,
        Text::Absent => return Ok(None),
        Text::Wrong => return Err(reason::MALFORMED),
    };
    let epoch = match epoch {
        "" | "0" => String::new(),
        epoch => format!("{epoch}:"),
    };
    let release = if release.is_empty() { String::new() } else { format!("-{release}") };
    row::installed_version(&Text::Is(format!("{epoch}{upstream}{release}").into()))
}

/// The versions that fix it. `NotAvailable` stands for none, and an epoch of 0 is written here.
fn fixed(text: &Text<'_>) -> Result<(FixState, Vec<PackageVersion>), &'static str> {
    match text {
        Text::Wrong => Err(reason::MALFORMED),
        Text::Absent => Ok((FixState::Unknown, Vec::new())),
        Text::Is(text) if ["NotAvailable", "None"].iter().any(|none| text.eq_ignore_ascii_case(none)) => {
            Ok((FixState::NotFixed, Vec::new()))
        }
        Text::Is(text) => {
            let versions = text.split(',').map(|one| one.trim().strip_prefix("0:").unwrap_or(one.trim()));
            let joined = versions.collect::<Vec<_>>().join(",");
            row::fixed_versions(&Text::Is(joined.into())).map(|versions| (FixState::Fixed, versions))
        }
    }
}

/// A package of the platform, or a product where the platform's are no packages.
fn package(kind: VulnerabilityType, name: &Text<'_>) -> Result<PackageName, &'static str> {
    if kind == VulnerabilityType::Windows { subject::product_name("microsoft", name) } else { row::package_name(name) }
}

/// What a resource is called for short: the instance of an ARN, the repository and digest of an image, a function.
pub(super) fn short(id: &str) -> &str {
    let Some(rest) = id.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4)) else { return id };
    ["instance/", "repository/", "function:"].iter().find_map(|kind| rest.strip_prefix(kind)).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    #[test]
    fn platforms_are_known() {
        for (platform, expected) in [
            ("UBUNTU_20_04", "debian ubuntu 20.04"),
            ("DEBIAN_10", "debian debian 10"),
            ("CENTOS_7", "redhat centos 7"),
            ("AMAZON_LINUX_2", "redhat amazon 2"),
            ("AMAZON_LINUX_2023", "redhat amazon 2023"),
            ("ROCKY_LINUX_9", "redhat rocky 9"),
            ("SUSE_SERVER_15_4", "suse sles 15.4"),
            ("ALPINE_3_18", "alpine alpine 3.18"),
            ("WINDOWS_SERVER_2019", "windows windows_server_2019 2019"),
            ("BOTTLEROCKET", "redhat bottlerocket "),
        ] {
            let os = os(platform).unwrap();
            let shown = format!("{} {} {}", os.family, os.name, os.version.unwrap_or_default());
            assert_eq!(shown, expected, "{platform}");
        }
        assert_eq!(os(""), None);
    }

    #[test]
    fn versions_are_put_together() {
        let text = |text: &'static str| Text::Is(text.into());
        let whole = |e, v, r| version(e, &text(v), r).unwrap().unwrap().to_string();
        assert_eq!(whole("0", "4.19.118", "2"), "4.19.118-2");
        assert_eq!(whole("1", "9.2p1", "2+deb12u3"), "1:9.2p1-2+deb12u3");
        assert_eq!(whole("", "v0.0.0-20220901064549-fbd10ff4f5a1", ""), "v0.0.0-20220901064549-fbd10ff4f5a1");
        assert_eq!(version("0", &text("1; id"), ""), Err(reason::UNSAFE_VERSION));
        assert_eq!(fixed(&text("NotAvailable")), Ok((FixState::NotFixed, Vec::new())));
        let (state, versions) = fixed(&text("0:2.9.1-6.el7.4, 1:3")).unwrap();
        assert_eq!((state, versions[0].as_str(), versions[1].as_str()), (FixState::Fixed, "2.9.1-6.el7.4", "1:3"));
        assert_eq!(fixed(&text("$(id)")), Err(reason::UNSAFE_VERSION));
    }

    #[test]
    fn resources_have_short_names() {
        for (id, expected) in [
            ("arn:aws:ec2:eu-west-1:123456789123:instance/i-0a", "i-0a"),
            ("arn:aws:ec2:us-east-1:XXXXXXXXXXXX:i-1", "i-1"),
            ("arn:aws:ecr:eu-central-1:1:repository/repo-os/sha256:af", "repo-os/sha256:af"),
            ("arn:aws:lambda:us-west-2:1:function:f:$LATEST", "f:$LATEST"),
            ("i-0b22", "i-0b22"),
            ("arn:aws", "arn:aws"),
        ] {
            assert_eq!(short(id), expected, "{id}");
        }
    }
}
