//! GitLab's security reports: container and dependency scanning, every schema. Reports on code are set aside.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, Row, Sink};
use super::shapes::{Listed, Part};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{PackageVersion, printable};

/// `gl-container-scanning-report.json` and `gl-dependency-scanning-report.json`.
pub(super) const REPORT: Format = Format {
    name: "gitlab",
    title: "GitLab's container and dependency scanning reports (`gl-*-scanning-report.json`)",
    scanner: "gitlab",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let rows = root.has(&["vulnerabilities/0/location", "vulnerabilities/0/identifiers"]);
            root.has(&["version", "vulnerabilities"])
                && (rows || root.has(&["scan/type"]) || root.has(&["remediations"]))
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    scan: Part<RawScan<'a>>,
    vulnerabilities: Listed<RawVulnerability<'a>>,
    dependency_files: Listed<RawFile<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScan<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    scanner: Part<RawScanner<'a>>,
    #[serde(borrow)]
    end_time: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScanner<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFile<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    package_manager: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    category: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    cve: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    solution: Text<'a>,
    location: Part<RawLocation<'a>>,
    identifiers: Few<Part<RawIdentifier<'a>>, 64>,
    links: Few<Part<RawLink<'a>>, 64>,
    cvss_vectors: Few<Part<RawVector<'a>>, 16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLocation<'a> {
    dependency: Part<RawDependency<'a>>,
    #[serde(borrow)]
    operating_system: Text<'a>,
    #[serde(borrow)]
    image: Text<'a>,
    #[serde(borrow)]
    file: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDependency<'a> {
    package: Part<RawPackage<'a>>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawIdentifier<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLink<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVector<'a> {
    #[serde(borrow)]
    vendor: Text<'a>,
    #[serde(borrow)]
    vector: Text<'a>,
}

/// `Upgrade glibc from 2.28-10 to 2.28-10+deb10u2`, `Upgrade to versions 3.2.1, 2.1.3 or above.`
fn solved(text: &str) -> Vec<PackageVersion> {
    let Some((_, rest)) = text.split_once(" to ").filter(|_| text.starts_with("Upgrade")) else { return Vec::new() };
    let words = rest.split([' ', ',']).filter(|word| !matches!(*word, "" | "version" | "versions" | "or" | "and"));
    words
        .map(|word| word.trim_end_matches('.'))
        .take_while(|word| word.bytes().any(|b| b.is_ascii_digit()))
        .filter_map(|word| PackageVersion::new(word).ok())
        .take(32)
        .collect()
}

impl RawVulnerability<'_> {
    fn check(&self, managers: &BTreeMap<&str, &str>) -> Result<Row, &'static str> {
        // Weaknesses are no names of a vulnerability.
        let ids =
            || self.identifiers.0.iter().map(|Part(id)| id).filter(|id| !matches!(id.kind.as_str(), "cwe" | "owasp"));
        let of = |kind: &str| ids().find(|id| id.kind.as_str().eq_ignore_ascii_case(kind)).map(|id| &id.value);
        let own = of("cve").or_else(|| of("ghsa")).or_else(|| ids().next().map(|id| &id.value)).unwrap_or(&self.cve);
        let (vulnerability, aliases) = advisory::identify(own, ids().map(|id| id.value.as_str()))?;
        let location = &self.location.0;
        let system = location.operating_system.as_str().split([' ', ':']).next().unwrap_or_default();
        let manager = managers.get(location.file.as_str()).copied().unwrap_or_default();
        let ecosystem = advisory::ecosystem(if system.is_empty() { manager } else { system });
        let fixed = solved(self.solution.as_str());
        let cvss =
            self.cvss_vectors.0.iter().filter_map(|Part(raw)| {
                advisory::cvss(&raw.vendor.as_str().to_lowercase(), "", None, raw.vector.as_str())
            });
        let urls =
            self.identifiers.0.iter().map(|Part(id)| &id.url).chain(self.links.0.iter().map(|Part(link)| &link.url));
        Ok(Row {
            aliases,
            package: Some(row::package_name(&location.dependency.0.package.0.name)?),
            installed: row::installed_version(&location.dependency.0.version)?,
            fix_state: advisory::fix_state("", &fixed),
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            cvss: advisory::scores(cvss),
            title: row::title([self.name.as_str(), self.message.as_str(), self.description.as_str()]),
            references: row::references(urls.map(Text::as_str)),
            path: row::location(location.file.as_str()),
            purl_type: Some(ecosystem),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawReport<'_>> = json::parse(input.name, input.bytes)?;
    let (raw, scan) = (&raw.0, &raw.0.scan.0);
    let scanner = printable(scan.scanner.0.id.as_str(), 64);
    let scanner = if scanner.is_empty() { "gitlab".to_owned() } else { scanner };
    report.scanner.clone_from(&scanner);
    let managers =
        raw.dependency_files.0.iter().map(|file| (file.path.as_str(), file.package_manager.as_str())).collect();
    for vulnerability in &raw.vulnerabilities.0 {
        let category = if vulnerability.category == Text::Absent { &scan.kind } else { &vulnerability.category };
        match category.as_str() {
            "sast" => report.set_aside("static-analysis", 1),
            "secret_detection" => report.set_aside("secret", 1),
            "dast" | "api_fuzzing" | "coverage_fuzzing" => report.set_aside("dynamic-analysis", 1),
            _ => {
                let location = &vulnerability.location.0;
                let named = asset_name(location.image.as_str());
                let asset = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
                let (system, version) = location.operating_system.as_str().split_once([' ', ':']).unwrap_or_default();
                let facts = report.assets.entry(asset.clone()).or_default();
                facts.os = facts.os.take().or_else(|| advisory::os(system, version));
                facts.scanned_at = advisory::time(scan.end_time.as_str());
                facts.names.extend(named.filter(|named| *named != asset));
                advisory::put(sink, &asset, &scanner, vulnerability.check(&managers));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};
    use super::*;

    #[test]
    fn images_and_lock_files() {
        let container = json!({"version": "15.0.0", "scan": {"type": "container_scanning", "scanner": {"id": "trivy"}, "end_time": "2026-01-01T00:00:00"}, "remediations": [],
            "vulnerabilities": [{"id": "e392", "description": "a flaw", "severity": "High", "solution": "Upgrade glibc from 2.28-10 to 2.28-10+deb10u2",
                "location": {"dependency": {"package": {"name": "libc6"}, "version": "2.28-10"}, "operating_system": "debian 10.9", "image": "img:1"},
                "identifiers": [{"type": "cwe", "value": "787"}, {"type": "cve", "value": "CVE-2026-1234", "url": "https://example.org/1"}],
                "cvss_vectors": [{"vendor": "NVD", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}], "links": [{"url": "https://example.org/2"}]}]});
        let report = read_as("gitlab", &container);
        assert_eq!(shown(&report), ["img:1 CVE-2026-1234 linux deb libc6 2.28-10 -> 2.28-10+deb10u2 fixed high"]);
        assert_eq!(
            (report.scanner.as_str(), report.findings[0].references.len(), report.findings[0].cvss.len()),
            ("trivy", 2, 1)
        );
        assert_eq!(report.assets["img:1"].os.as_ref().unwrap().version.as_deref(), Some("10.9"));
        check_sample("gitlab", &container);

        let dependency = json!({"version": "14.0.0", "dependency_files": [{"path": "yarn.lock", "package_manager": "yarn", "dependencies": []}],
            "vulnerabilities": [{"category": "dependency_scanning", "name": "a flaw", "severity": "Critical", "solution": "Upgrade to versions 3.2.1, 2.1.3 or above.",
                "location": {"file": "yarn.lock", "dependency": {"package": {"name": "lodash"}, "version": "2.0"}},
                "identifiers": [{"type": "gemnasium", "value": "6d3e"}, {"type": "ghsa", "value": "GHSA-aaaa-bbbb-cccc"}]}, {"category": "sast"}, {"category": "secret_detection"}]});
        let report = read_as("gitlab", &dependency);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact GHSA-aaaa-bbbb-cccc+6d3e application npm lodash 2.0 -> 3.2.1,2.1.3 fixed critical #yarn.lock"
            ]
        );
        assert_eq!((report.set_aside["static-analysis"], report.set_aside["secret"]), (1, 1));
    }

    #[test]
    fn solutions_are_prose() {
        let shown = |text: &str| solved(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown("Upgrade to version 9.4.30 or above"), "9.4.30");
        assert_eq!(shown("No solution provided"), "");
        assert_eq!(shown("Unfortunately, there is no solution to 1 thing"), "");
    }
}
