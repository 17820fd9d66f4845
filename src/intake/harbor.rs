//! Harbor's scan reports of an image: what its API answers for a media type, with or without that type as the key.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink};
use super::shapes::{Listed, Named, Part};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::printable;

/// `GET /projects/P/repositories/R/artifacts/A/additions/vulnerabilities`.
pub(super) const REPORT: Format = Format {
    name: "harbor",
    title: "Harbor's vulnerability report of an artifact (the answer of its API)",
    scanner: "harbor",
    is: |peek| match peek.root() {
        Some(root @ Root::Object(keys)) => {
            let media_type = |key: &String| key.starts_with("application/vnd.") && key.contains("vuln");
            keys.keys().any(media_type) || root.has(&["generated_at", "scanner", "vulnerabilities"])
        }
        _ => false,
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    #[serde(borrow)]
    generated_at: Text<'a>,
    scanner: Part<RawScanner<'a>>,
    artifact: Part<RawArtifact<'a>>,
    vulnerabilities: Listed<RawVulnerability<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScanner<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawArtifact<'a> {
    #[serde(borrow)]
    repository: Text<'a>,
    #[serde(borrow)]
    tag: Text<'a>,
    #[serde(borrow)]
    digest: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    package: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    fix_version: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    links: Few<Text<'a>, 64>,
    preferred_cvss: Part<RawCvss<'a>>,
    vendor_attributes: Part<RawAttributes<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    score_v3: Number,
    score_v2: Number,
    #[serde(borrow)]
    vector_v3: Text<'a>,
    #[serde(borrow)]
    vector_v2: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAttributes<'a> {
    #[serde(rename = "CVSS")]
    cvss: Named<'a, Part<RawScores<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScores<'a> {
    #[serde(rename = "V2Score")]
    score2: Number,
    #[serde(rename = "V2Vector", borrow)]
    vector2: Text<'a>,
    #[serde(rename = "V3Score")]
    score3: Number,
    #[serde(rename = "V3Vector", borrow)]
    vector3: Text<'a>,
    #[serde(rename = "V40Score")]
    score4: Number,
    #[serde(rename = "V40Vector", borrow)]
    vector4: Text<'a>,
}

/// Harbor does not say which packages are a distribution's. Their versions end with a revision of the packaging
/// (`2.31-13+deb11u3`, `1.2.3-r0`, `3.79.0-17.el8`), where a library's has none or a word (`1.0.0-beta.1`).
fn is_of_distribution(version: &str) -> bool {
    version.rsplit_once('-').is_some_and(|(_, revision)| {
        let revision = revision.strip_prefix('r').unwrap_or(revision);
        revision.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// The ecosystem, as far as the version tells it.
pub(super) fn ecosystem_by_version(version: &str) -> Option<&'static str> {
    let revision = version.rsplit_once('-').map_or("", |(_, revision)| revision);
    match () {
        () if !is_of_distribution(version) => None,
        () if revision.starts_with('r') => Some("apk"),
        () if [".el", ".fc", ".amzn", ".ph", ".cm", ".oe", ".module"].iter().any(|mark| revision.contains(mark)) => {
            Some("rpm")
        }
        () => Some("deb"),
    }
}

impl RawVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let (vulnerability, aliases) = advisory::identify(&self.id, [])?;
        let fixed = row::fixed_versions(&self.fix_version)?;
        let of_vendors = self.vendor_attributes.0.cvss.0.iter().flat_map(|(source, Part(raw))| {
            let all = [
                ("2.0", raw.score2, &raw.vector2),
                ("3.1", raw.score3, &raw.vector3),
                ("4.0", raw.score4, &raw.vector4),
            ];
            all.map(|(version, score, vector)| advisory::cvss(source, version, score.0, vector.as_str()))
        });
        let mut cvss: Vec<_> = of_vendors.flatten().collect();
        if cvss.is_empty() {
            let raw = &self.preferred_cvss.0;
            let all = [("3.1", raw.score_v3, &raw.vector_v3), ("2.0", raw.score_v2, &raw.vector_v2)];
            cvss.extend(all.into_iter().filter_map(|(version, score, vector)| {
                advisory::cvss("harbor", version, score.0.filter(|score| *score > 0.0), vector.as_str())
            }));
        }
        Ok(Row {
            aliases,
            package: Some(row::package_name(&self.package)?),
            installed: row::installed_version(&self.version)?,
            fix_state: advisory::fix_state(self.status.as_str(), &fixed),
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            cvss: advisory::scores(cvss),
            title: row::title([self.description.as_str()]),
            references: row::references(self.links.0.iter().map(Text::as_str)),
            purl_type: ecosystem_by_version(self.version.as_str()).map(str::to_owned),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let by_type: Named<'_, Part<RawReport<'_>>> = json::parse(input.name, input.bytes)?;
    let of_type =
        |(key, Part(raw)): (_, Part<_>)| AsRef::<str>::as_ref(&key).starts_with("application/vnd.").then_some(raw);
    let typed: Vec<RawReport<'_>> = by_type.0.into_iter().filter_map(|(key, part)| of_type((key, part))).collect();
    let reports =
        if typed.is_empty() { vec![json::parse::<Part<RawReport<'_>>>(input.name, input.bytes)?.0] } else { typed };
    for raw in &reports {
        let artifact = &raw.artifact.0;
        let repository = artifact.repository.as_str();
        let name = match (artifact.tag.as_str(), artifact.digest.as_str()) {
            _ if repository.is_empty() => String::new(),
            ("", "") => repository.to_owned(),
            ("", digest) => format!("{repository}@{digest}"),
            (tag, _) => format!("{repository}:{tag}"),
        };
        let asset = given_asset(input.given).or_else(|| asset_name(&name)).unwrap_or_else(unnamed);
        let scanner = raw.scanner.0.name.as_str();
        if !scanner.is_empty() {
            report.scanner = printable(&scanner.to_lowercase(), 64);
        }
        for vulnerability in &raw.vulnerabilities.0 {
            advisory::put(sink, &asset, &report.scanner, vulnerability.check());
        }
        let facts = Asset {
            kind: Some("container_image".to_owned()),
            scanned_at: advisory::time(raw.generated_at.as_str()),
            ..Asset::default()
        };
        report.assets.insert(asset, facts);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn with_and_without_the_media_type() {
        let inner = json!({"generated_at": "2026-01-01T00:00:00Z", "scanner": {"name": "Trivy", "vendor": "Aqua Security"}, "severity": "Critical",
            "artifact": {"repository": "library/img", "digest": "sha256:1"},
            "vulnerabilities": [
                {"id": "CVE-2026-1234", "package": "libc6", "version": "2.31-13+deb11u3", "fix_version": "2.31-13+deb11u4", "severity": "Low", "description": "a flaw",
                 "links": ["https://example.org/1"], "preferred_cvss": {"score_v3": 8.8, "score_v2": null, "vector_v3": ""},
                 "vendor_attributes": {"CVSS": {"nvd": {"V2Score": 6.8, "V2Vector": "AV:N/AC:M/Au:N/C:P/I:P/A:P", "V3Score": 8.8}, "redhat": {"V3Score": 7.8}}}},
                {"id": "CVE-2026-2", "package": "musl", "version": "1.2.2-r0", "severity": "Unknown", "preferred_cvss": {"score_v3": 9.8}},
                {"id": "CVE-2026-3", "package": "nss", "version": "3.79.0-17.el8", "severity": "High", "status": "will_not_fix"},
                {"id": "CVE-2026-4", "package": "lodash", "version": "4.17.1-beta.1", "fix_version": "4.17.2, 5.0", "severity": "Critical"}]});
        let lines = [
            "library/img@sha256:1 CVE-2026-1234 linux deb libc6 2.31-13+deb11u3 -> 2.31-13+deb11u4 fixed low",
            "library/img@sha256:1 CVE-2026-2 linux apk musl 1.2.2-r0 -> unknown -",
            "library/img@sha256:1 CVE-2026-3 linux rpm nss 3.79.0-17.el8 -> will_not_fix high",
            "library/img@sha256:1 CVE-2026-4 application unknown lodash 4.17.1-beta.1 -> 4.17.2,5.0 fixed critical",
        ];
        for document in [json!({"application/vnd.security.vulnerability.report; version=1.1": inner}), inner] {
            let report = read_as("harbor", &document);
            assert_eq!(shown(&report), lines);
            let scores: Vec<_> = report.findings.iter().map(|f| f.cvss.len()).collect();
            assert_eq!((scores, report.scanner.as_str()), (vec![3, 1, 0, 0], "trivy"));
            check_sample("harbor", &document);
        }
    }
}
