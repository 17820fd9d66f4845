//! OSV-Scanner's JSON: of lock files, SBOMs, folders under Git and images.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Text};
use super::osv::{Found, RawOsv};
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::shapes::{Listed, Part, Plain, Tally};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, VulnerabilityId, VulnerabilityType};

/// `osv-scanner --format json`.
pub(super) const REPORT: Format = Format {
    name: "osv-scanner",
    title: "OSV-Scanner's JSON (`osv-scanner scan --format json`)",
    scanner: "osv-scanner",
    is: |peek| match peek.root() {
        Some(root @ Root::Object(keys)) => {
            const KEYS: [&str; 5] = [
                "results",
                "experimental_config",
                "image_metadata",
                "license_summary",
                "experimental_generic_findings",
            ];
            let list = matches!(root.at("results"), Some(Root::List(_) | Root::Null));
            let only = keys.keys().all(|key| KEYS.contains(&key.as_str()));
            let first = matches!(root.at("results"), Some(Root::List(Some(_))));
            list && ((only && !first)
                || root.has(&["results/0/packages", "results/0/source"])
                || root.has(&["results", "experimental_config"]))
        }
        _ => false,
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    results: Listed<RawResult<'a>>,
    #[serde(rename = "image_metadata")]
    image: Part<RawImage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawImage<'a> {
    /// `Debian GNU/Linux 12 (bookworm)`.
    #[serde(borrow)]
    os: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResult<'a> {
    #[serde(alias = "packageSource")]
    source: Part<RawSource<'a>>,
    packages: Listed<RawPackage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSource<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    /// `Package` in the first versions.
    #[serde(alias = "Package")]
    package: Part<RawName<'a>>,
    vulnerabilities: Listed<RawOsv<'a>>,
    groups: Few<Part<RawGroup<'a>>, 4096>,
    license_violations: Tally,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawName<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    ecosystem: Text<'a>,
    #[serde(borrow)]
    commit: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawGroup<'a> {
    #[serde(borrow)]
    ids: Few<Text<'a>, 256>,
    #[serde(borrow)]
    aliases: Few<Text<'a>, 256>,
    max_severity: Plain,
}

impl RawGroup<'_> {
    /// Several records of one vulnerability go by one name, also where they are about several CVEs.
    fn name(&self, row: Row) -> Row {
        let [first, _, ..] = &self.ids.0[..] else { return row };
        let known = std::iter::once(&row.vulnerability).chain(&row.aliases).map(VulnerabilityId::as_str);
        let others = self.ids.0.iter().chain(&self.aliases.0).map(Text::as_str).chain(known);
        match advisory::identify(first, others) {
            Ok((vulnerability, aliases)) => Row { vulnerability, aliases, ..row },
            Err(_) => row,
        }
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    // Old versions write nothing where they find nothing.
    if input.bytes.trim_ascii().is_empty() {
        return Ok(());
    }
    let raw: RawReport<'_> = json::parse(input.name, input.bytes)?;
    let image = raw.image.0;
    for result in raw.results.0 {
        let source = result.source.0;
        let path = source.path.as_str();
        // `IMAGE:/lib/apk/db/installed` in an image.
        let name = match source.kind.as_str() {
            "os" | "docker" | "image" => path.split_once(":/").map_or(path, |(name, _)| name),
            _ => path,
        };
        let asset = given_asset(input.given).or_else(|| asset_name(name)).unwrap_or_else(unnamed);
        let facts = report.assets.entry(asset.clone()).or_default();
        facts.kind = facts.kind.take().or_else(|| row::location(source.kind.as_str()));
        let (system, version) = image.os.as_str().split_once(' ').unwrap_or((image.os.as_str(), ""));
        let version =
            version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
        facts.os = facts.os.take().or_else(|| advisory::os(&system.to_ascii_lowercase(), version));
        for package in result.packages.0 {
            report.set_aside("license", package.license_violations.0.len() as u64);
            take_package(&package, &Place { asset: &asset, path }, sink);
        }
    }
    Ok(())
}

struct Place<'a> {
    asset: &'a AssetName,
    path: &'a str,
}

fn take_package(package: &RawPackage<'_>, place: &Place<'_>, sink: &mut Sink) {
    let raw = &package.package.0;
    let found = Found {
        name: raw.name.as_str(),
        version: if raw.version == Text::Absent { raw.commit.as_str() } else { raw.version.as_str() },
        ecosystem: raw.ecosystem.as_str(),
    };
    let groups = package.groups.0.iter().flat_map(|Part(group)| group.ids.0.iter().map(move |id| (id.as_str(), group)));
    let groups: BTreeMap<&str, &RawGroup<'_>> = groups.collect();
    for vulnerability in &package.vulnerabilities.0 {
        if vulnerability.is_withdrawn() {
            sink.leave_out(reason::CLOSED, 1);
            continue;
        }
        let mut row = match vulnerability.row(found) {
            Ok(row) => row,
            Err(why) => {
                sink.leave_out(why, 1);
                continue;
            }
        };
        let group = groups.get(vulnerability.id.as_str()).copied();
        if let Some(group) = group {
            row = group.name(row);
        }
        // The scanner's own word where the record has none.
        let by_score = || group?.max_severity.0.parse().ok().and_then(advisory::severity_of_score);
        row.severity = row.severity.or_else(by_score);
        let ecosystem: Cow<'_, str> = row.purl_type.clone().map_or("unknown".into(), Cow::Owned);
        let owner = Owner {
            asset: place.asset,
            kind: advisory::kind_of(&ecosystem),
            ecosystem: &ecosystem,
            location: match advisory::kind_of(&ecosystem) {
                VulnerabilityType::Linux => None,
                _ => row::location(place.path),
            },
            scanner: "osv-scanner",
        };
        sink.add(row.into_finding(owner));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};
    use super::super::{ReadOptions, read_report};

    #[test]
    fn packages_of_lock_files_commits_and_images() {
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let range = |kind: &str, events: serde_json::Value| json!({"type": kind, "events": events});
        let document = json!({
            "results": [{
                "source": {"path": "/src/requirements.txt", "type": "lockfile"},
                "packages": [{
                    "package": {"name": "Django", "version": "3.2.4", "ecosystem": "PyPI"},
                    "vulnerabilities": [
                        {"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2026-1234", "PYSEC-2026-1"], "summary": "a flaw",
                         "published": "2026-01-01T00:00:00Z", "severity": [{"type": "CVSS_V3", "score": vector}],
                         "affected": [
                            {"package": {"ecosystem": "PyPI", "name": "django"}, "ranges": [range("ECOSYSTEM", json!([{"introduced": "0"}, {"fixed": "2.2.28"}]))]},
                            {"package": {"ecosystem": "PyPI", "name": "django"}, "ranges": [range("ECOSYSTEM", json!([{"introduced": "3.2"}, {"fixed": "3.2.13"}])), range("GIT", json!([{"fixed": "abcdef"}]))]},
                            {"package": {"ecosystem": "npm", "name": "django"}, "ranges": [range("SEMVER", json!([{"fixed": "9"}]))]}],
                         "references": [{"type": "WEB", "url": "https://example.org/1"}], "database_specific": {"severity": "MODERATE"}},
                        {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1234"], "affected": [{"package": {"ecosystem": "PyPI", "name": "django"}}]},
                        {"id": "MAL-2026-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "django"}, "ranges": [range("SEMVER", json!([{"introduced": "0"}]))]}]},
                        {"id": "GHSA-aaaa-bbbb-dddd", "withdrawn": "2026-02-01T00:00:00Z"},
                    ],
                    "groups": [{"ids": ["MAL-2026-1"], "aliases": [], "max_severity": "9.8"}],
                    "license_violations": ["GPL"],
                }],
            }, {
                "source": {"path": "/src", "type": "git"},
                "packages": [{"package": {"name": "", "version": "", "ecosystem": "", "commit": "f5f3c22f"},
                    "vulnerabilities": [{"id": "CVE-2026-2", "affected": [{"ranges": [range("GIT", json!([{"introduced": "0"}, {"last_affected": "fd5a"}]))]}]}]}],
            }, {
                "source": {"path": "img:1:/var/lib/dpkg/status", "type": "os"},
                "packages": [{"package": {"name": "curl", "version": "7.88.1-10", "ecosystem": "Debian:12"},
                    "vulnerabilities": [{"id": "DEBIAN-CVE-2026-3333", "affected": [
                        {"package": {"ecosystem": "Debian:12", "name": "curl"}, "ranges": [range("ECOSYSTEM", json!([{"fixed": "7.88.1-10+deb12u1"}]))], "ecosystem_specific": {"urgency": "unimportant"}},
                        {"package": {"ecosystem": "Debian:13", "name": "curl"}, "ranges": [range("ECOSYSTEM", json!([{"fixed": "8"}]))]}]}]}],
            }],
            "image_metadata": {"os": "Debian GNU/Linux 12 (bookworm)"},
        });
        let report = read_as("osv-scanner", &document);
        assert_eq!(
            shown(&report),
            [
                "/src/requirements.txt CVE-2026-1234+GHSA-aaaa-bbbb-cccc+PYSEC-2026-1 application pypi Django 3.2.4 -> 2.2.28,3.2.13 fixed medium #/src/requirements.txt",
                "/src/requirements.txt MAL-2026-1 application pypi Django 3.2.4 -> not_fixed critical #/src/requirements.txt",
                "/src CVE-2026-2 application unknown - f5f3c22f -> unknown - #/src",
                "img:1 CVE-2026-3333+DEBIAN-CVE-2026-3333 linux deb curl 7.88.1-10 -> 7.88.1-10+deb12u1 fixed negligible",
            ]
        );
        assert_eq!((report.left_out["duplicate"], report.left_out["closed"], report.set_aside["license"]), (1, 1, 1));
        assert_eq!(report.assets["img:1"].os.as_ref().unwrap().version.as_deref(), Some("12"));
        check_sample("osv-scanner", &document);
    }

    #[test]
    fn a_group_about_several_cves_is_one_finding() {
        let record = |id: &str, aliases: serde_json::Value| json!({"id": id, "aliases": aliases});
        let both = json!(["CVE-2026-1111", "CVE-2026-2222"]);
        let document = json!({"results": [{"source": {"path": "/p", "type": "lockfile"}, "packages": [{
            "package": {"name": "django", "version": "3", "ecosystem": "PyPI"},
            "vulnerabilities": [record("GHSA-aaaa-bbbb-cccc", both.clone()), record("PYSEC-2026-1", json!(["CVE-2026-1111"]))],
            "groups": [{"ids": ["GHSA-aaaa-bbbb-cccc", "PYSEC-2026-1"], "aliases": ["CVE-2026-1111", "CVE-2026-2222"]}]}]}]});
        assert_eq!(
            shown(&read_as("osv-scanner", &document)),
            [
                "/p GHSA-aaaa-bbbb-cccc+CVE-2026-1111+CVE-2026-2222+PYSEC-2026-1 application pypi django 3 -> unknown - #/p"
            ]
        );
    }

    #[test]
    fn nothing_found_is_told_from_nothing_read() {
        for text in [
            r#"{"results": []}"#,
            r#"{"results": null}"#,
            r#"{"results": [], "experimental_config": {"licenses": {}}}"#,
        ] {
            assert_eq!(read_as("osv-scanner", &serde_json::from_str(text).unwrap()).read, 0);
        }
        assert_eq!(read_report("f", b"", &ReadOptions::default()).unwrap_err().code, "invalid-json");
        let forced = ReadOptions { format: Some("osv-scanner".into()), ..ReadOptions::default() };
        assert_eq!(read_report("f", b"\n", &forced).unwrap().read, 0);
    }
}
