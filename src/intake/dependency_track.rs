//! Dependency-Track's findings: the Finding Packaging Format, and the list that its API answers.

use serde::Deserialize;

use super::advisory::{self, Purl};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink, reason};
use super::shapes::{Flag, Listed, Part, Plain};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::FixState;

/// `GET /api/v1/finding/project/UUID/export`, and without `export`.
pub(super) const REPORT: Format = Format {
    name: "dependency-track",
    title: "Dependency-Track's findings (FPF export or the answer of its API)",
    scanner: "dependency-track",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let exported = root.has(&["findings"]) && root.text("meta/application") == "Dependency-Track";
            exported || root.has(&["0/component", "0/vulnerability/vulnId"])
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawExport<'a> {
    meta: Part<RawMeta<'a>>,
    project: Part<RawProject<'a>>,
    findings: Listed<RawFinding<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMeta<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawProject<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    component: Part<RawComponent<'a>>,
    vulnerability: Part<RawVulnerability<'a>>,
    analysis: Part<RawAnalysis<'a>>,
    attribution: Part<RawAttribution>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawComponent<'a> {
    #[serde(borrow)]
    group: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    purl: Text<'a>,
    #[serde(rename = "projectName", borrow)]
    project: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(rename = "vulnId", borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    aliases: Few<Part<RawAlias<'a>>, 32>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(rename = "cvssV2BaseScore")]
    score2: Number,
    #[serde(rename = "cvssV2Vector", borrow)]
    vector2: Text<'a>,
    #[serde(rename = "cvssV3BaseScore")]
    score3: Number,
    #[serde(rename = "cvssV3Vector", borrow)]
    vector3: Text<'a>,
    #[serde(rename = "cvssV4Score")]
    score4: Number,
    #[serde(rename = "cvssV4Vector", borrow)]
    vector4: Text<'a>,
    #[serde(rename = "epssScore")]
    epss: Number,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(rename = "patchedVersions", borrow)]
    patched: Text<'a>,
    published: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAlias<'a> {
    #[serde(rename = "cveId", borrow)]
    cve: Text<'a>,
    #[serde(rename = "ghsaId", borrow)]
    ghsa: Text<'a>,
    #[serde(rename = "osvId", borrow)]
    osv: Text<'a>,
    #[serde(rename = "snykId", borrow)]
    snyk: Text<'a>,
    #[serde(rename = "sonatypeId", borrow)]
    sonatype: Text<'a>,
    #[serde(rename = "gsdId", borrow)]
    gsd: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAnalysis<'a> {
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(rename = "isSuppressed")]
    suppressed: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawAttribution {
    #[serde(rename = "attributedOn")]
    on: Plain,
}

/// A time as text, or in milliseconds.
fn time(text: &str) -> Option<jiff::Timestamp> {
    match text.parse::<i64>() {
        Ok(milliseconds) => jiff::Timestamp::from_millisecond(milliseconds).ok(),
        Err(_) => advisory::time(text),
    }
}

impl RawFinding<'_> {
    fn left_out(&self) -> Option<&'static str> {
        match self.analysis.0.state.as_str() {
            "FALSE_POSITIVE" => Some(reason::FALSE_POSITIVE),
            "RESOLVED" => Some(reason::CLOSED),
            _ if self.analysis.0.suppressed.is_set() => Some(reason::SUPPRESSED),
            _ => None,
        }
    }

    fn check(&self) -> Result<Row, &'static str> {
        if let Some(why) = self.left_out() {
            return Err(why);
        }
        let (raw, component) = (&self.vulnerability.0, &self.component.0);
        let others = raw.aliases.0.iter().flat_map(|Part(alias)| {
            [&alias.cve, &alias.ghsa, &alias.osv, &alias.snyk, &alias.sonatype, &alias.gsd].map(Text::as_str)
        });
        let (vulnerability, aliases) = advisory::identify(&raw.id, others)?;
        let purl = Purl::parse(component.purl.as_str());
        let name = match (&purl, component.group.as_str()) {
            (Some(purl), _) => purl.package(),
            (None, "") => component.name.as_str().to_owned(),
            (None, group) => format!("{group}/{}", component.name.as_str()),
        };
        let fixed = advisory::starts_of_range(raw.patched.as_str());
        let by = raw.source.as_str().to_ascii_lowercase();
        let scores =
            [("2.0", raw.score2, &raw.vector2), ("3.1", raw.score3, &raw.vector3), ("4.0", raw.score4, &raw.vector4)];
        let cvss = scores.into_iter().filter_map(|(version, score, vector)| {
            advisory::cvss(&by, version, score.0.filter(|score| *score > 0.0), vector.as_str())
        });
        Ok(Row {
            aliases,
            package: Some(row::package_name(&advisory::text(&name))?),
            installed: row::installed_version(&component.version)?,
            fix_state: match self.analysis.0.state.as_str() {
                "NOT_AFFECTED" => FixState::NotAffected,
                _ => advisory::fix_state("", &fixed),
            },
            fixed,
            severity: advisory::severity(raw.severity.as_str()),
            cvss: advisory::scores(cvss),
            epss: row::probability(raw.epss.0),
            published: time(&raw.published.0),
            first_seen: time(&self.attribution.0.on.0),
            title: row::title([raw.title.as_str(), raw.description.as_str()]),
            purl_type: purl.map(|purl| purl.kind),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let is_list = input.bytes.trim_ascii_start().starts_with(b"[");
    let raw = if is_list {
        RawExport { findings: json::parse(input.name, input.bytes)?, ..RawExport::default() }
    } else {
        json::parse::<Part<RawExport<'_>>>(input.name, input.bytes)?.0
    };
    let project = raw.project.0;
    let mut names: std::collections::BTreeSet<_> =
        [&project.name, &project.uuid].into_iter().filter_map(|name| asset_name(name.as_str())).collect();
    let of_component = || raw.findings.0.iter().find_map(|finding| asset_name(finding.component.0.project.as_str()));
    let named = asset_name(project.name.as_str()).or_else(of_component).or_else(|| names.first().cloned());
    let asset = given_asset(input.given).or(named).unwrap_or_else(unnamed);
    for finding in &raw.findings.0 {
        advisory::put(sink, &asset, "dependency-track", finding.check());
    }
    names.remove(&asset);
    let scanned_at = advisory::time(raw.meta.0.timestamp.as_str());
    report.assets.insert(asset, Asset { names, scanned_at, ..Asset::default() });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn the_export_and_the_answer() {
        let finding = |id: &str, analysis: serde_json::Value| {
            json!({
            "component": {"group": "com.x", "name": "core", "version": "2.13.3", "purl": "pkg:maven/com.x/core@2.13.3?type=jar", "projectName": "shop"},
            "attribution": {"analyzerIdentity": "INTERNAL_ANALYZER", "attributedOn": "2026-02-07 21:51:37.814"},
            "vulnerability": {"vulnId": id, "source": "GITHUB", "severity": "HIGH", "aliases": [{"cveId": "CVE-2026-1234", "ghsaId": id, "osvId": "DSA-1-1"}],
                "cvssV3BaseScore": 7.5, "cvssV2BaseScore": 0, "epssScore": 0.5, "description": "a flaw", "published": 1767225600000u64, "patchedVersions": ">= 2.13.4"},
            "analysis": analysis, "matrix": "x"})
        };
        let findings = json!([
            finding("GHSA-aaaa-bbbb-cccc", json!({"isSuppressed": false})),
            finding("GHSA-aaaa-bbbb-dddd", json!({"state": "NOT_AFFECTED", "isSuppressed": false})),
            finding("GHSA-aaaa-bbbb-eeee", json!({"state": "FALSE_POSITIVE", "isSuppressed": true})),
            finding("GHSA-aaaa-bbbb-ffff", json!({"isSuppressed": true})),
            finding("GHSA-aaaa-bbbb-gggg", json!({"state": "RESOLVED"}))
        ]);
        let export = json!({"version": "1.2", "meta": {"application": "Dependency-Track", "timestamp": "2026-03-01T00:00:00Z"},
            "project": {"name": "shop", "version": "1", "uuid": "u-1"}, "findings": findings});
        let line = "shop CVE-2026-1234+DSA-1-1+GHSA-aaaa-bbbb-cccc+GHSA-aaaa-bbbb-dddd application maven com.x:core 2.13.3 -> 2.13.4 fixed high";
        for document in [export, findings] {
            let report = read_as("dependency-track", &document);
            assert_eq!(shown(&report), [line]);
            let left_out: Vec<_> = report.left_out.iter().map(|(why, rows)| format!("{why} {rows}")).collect();
            assert_eq!(left_out, ["closed 1", "duplicate 1", "false-positive 1", "suppressed-by-scanner 1"]);
            let finding = &report.findings[0];
            assert_eq!(finding.first_seen.unwrap().to_string(), "2026-02-07T21:51:37.814Z");
            assert_eq!(finding.published.unwrap().to_string(), "2026-01-01T00:00:00Z");
            assert_eq!(finding.cvss.len(), 1);
            check_sample("dependency-track", &document);
        }
    }
}
