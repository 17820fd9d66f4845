//! Snyk's JSON of one project or several, with the applications in an image.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::Report;
use super::row::{self, Row, Sink};
use super::shapes::{Flag, Listed, OneOrMore, Part, Plain, Tally};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, FixState, VulnerabilityType};

/// `snyk test --json` and `snyk container test --json`.
pub(super) const REPORT: Format = Format {
    name: "snyk",
    title: "Snyk's JSON (`snyk test --json`, `snyk container test --json`)",
    scanner: "snyk",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let own = ["packageManager", "dependencyCount", "projectName", "ok"];
            let of = |at: &str| {
                root.has(&[&format!("{at}vulnerabilities")]) && own.iter().any(|key| root.has(&[&format!("{at}{key}")]))
            };
            of("") || of("0/")
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawProject<'a> {
    vulnerabilities: Listed<RawVulnerability<'a>>,
    #[serde(rename = "projectName", borrow)]
    project: Text<'a>,
    #[serde(rename = "displayTargetFile", borrow)]
    shown_target: Text<'a>,
    #[serde(rename = "targetFile", borrow)]
    target: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(rename = "packageManager", borrow)]
    manager: Text<'a>,
    filtered: Part<RawFiltered>,
    applications: Listed<RawProject<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawFiltered {
    ignore: Tally,
    patch: Tally,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(rename = "alternativeIds", borrow)]
    alternatives: Few<Text<'a>, 32>,
    identifiers: Part<RawIdentifiers<'a>>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(rename = "packageName", borrow)]
    package: Text<'a>,
    #[serde(rename = "moduleName", borrow)]
    module: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(rename = "packageManager", borrow)]
    manager: Text<'a>,
    #[serde(rename = "fixedIn", borrow)]
    fixed: Few<Text<'a>, 32>,
    #[serde(rename = "nearestFixedInVersion", borrow)]
    nearest: Text<'a>,
    #[serde(rename = "isUpgradable")]
    upgradable: Flag,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(rename = "severityWithCritical", borrow)]
    severity_with_critical: Text<'a>,
    #[serde(rename = "cvssScore")]
    score: Number,
    #[serde(rename = "CVSSv3", borrow)]
    vector: Text<'a>,
    #[serde(rename = "cvssDetails")]
    details: Few<Part<RawDetail<'a>>, 16>,
    #[serde(rename = "cvssSources")]
    sources: Few<Part<RawSource<'a>>, 16>,
    #[serde(rename = "epssDetails")]
    epss: Part<RawEpss>,
    #[serde(rename = "publicationTime", borrow)]
    published: Text<'a>,
    references: Few<Part<RawReference<'a>>, 32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawIdentifiers<'a> {
    #[serde(rename = "CVE", borrow)]
    cve: Few<Text<'a>, 32>,
    #[serde(rename = "GHSA", borrow)]
    ghsa: Few<Text<'a>, 32>,
    #[serde(rename = "RHSA", borrow)]
    rhsa: Few<Text<'a>, 32>,
    #[serde(rename = "ALTERNATIVE", borrow)]
    others: Few<Text<'a>, 32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDetail<'a> {
    #[serde(borrow)]
    assigner: Text<'a>,
    #[serde(rename = "cvssV3Vector", borrow)]
    vector: Text<'a>,
    #[serde(rename = "cvssV3BaseScore")]
    score: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSource<'a> {
    #[serde(borrow)]
    assigner: Text<'a>,
    #[serde(borrow)]
    vector: Text<'a>,
    #[serde(rename = "baseScore")]
    score: Number,
    #[serde(rename = "cvssVersion", borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEpss {
    probability: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReference<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

impl RawVulnerability<'_> {
    fn check(&self, manager: &str, place: &str) -> Result<Row, &'static str> {
        let ids = &self.identifiers.0;
        let others = [&ids.cve, &ids.ghsa, &ids.rhsa, &ids.others].into_iter().flat_map(|list| &list.0);
        let others = others.chain(&self.alternatives.0).map(Text::as_str);
        let (vulnerability, aliases) = advisory::identify(&self.id, others)?;
        let manager = if self.manager == Text::Absent { manager } else { self.manager.as_str() };
        let ecosystem = advisory::ecosystem(manager);
        let name = [&self.package, &self.module, &self.name].into_iter().find(|name| **name != Text::Absent);
        let mut name = name.cloned().unwrap_or_default();
        // In an image `SOURCE/BINARY`, of which the binary package is what is installed.
        if advisory::kind_of(&ecosystem) == VulnerabilityType::Linux
            && let Some((_, binary)) = self.name.as_str().split_once('/')
        {
            name = advisory::text(binary);
        }
        let listed = self.fixed.0.iter().map(Text::as_str);
        let fixed = advisory::versions(listed.chain([self.nearest.as_str()]).filter(|version| !version.is_empty()))?;
        let by = |assigner: &Text<'_>| {
            if assigner.as_str().is_empty() { "snyk".to_owned() } else { assigner.as_str().to_lowercase() }
        };
        let own = advisory::cvss("snyk", "3.1", self.score.0.filter(|score| *score > 0.0), self.vector.as_str());
        let details = self
            .details
            .0
            .iter()
            .filter_map(|Part(raw)| advisory::cvss(&by(&raw.assigner), "3.1", raw.score.0, raw.vector.as_str()));
        let sources = self.sources.0.iter().filter_map(|Part(raw)| {
            advisory::cvss(&by(&raw.assigner), raw.version.as_str(), raw.score.0, raw.vector.as_str())
        });
        let severity = [&self.severity_with_critical, &self.severity];
        Ok(Row {
            aliases,
            package: Some(row::package_name(&name)?),
            installed: row::installed_version(&self.version)?,
            fix_state: match self.upgradable.0 {
                _ if !fixed.is_empty() => FixState::Fixed,
                // Nothing says in which version it is fixed, and there is none to go to.
                Some(false) => FixState::NotFixed,
                _ => FixState::Unknown,
            },
            fixed,
            severity: severity.into_iter().find_map(|text| advisory::severity(text.as_str())),
            cvss: advisory::scores(own.into_iter().chain(details).chain(sources)),
            epss: row::probability(self.epss.0.probability.0.parse().ok()),
            published: advisory::time(self.published.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(self.references.0.iter().map(|Part(reference)| reference.url.as_str())),
            path: row::location(place),
            purl_type: Some(ecosystem),
            ..Row::new(vulnerability)
        })
    }
}

impl RawProject<'_> {
    fn pour(&self, asset: &AssetName, report: &mut Report, sink: &mut Sink) {
        let targets = [&self.shown_target, &self.target].map(Text::as_str);
        let place = targets.into_iter().find(|target| !target.is_empty()).unwrap_or_default();
        for vulnerability in &self.vulnerabilities.0 {
            if vulnerability.kind.as_str() == "license" {
                report.set_aside("license", 1);
            } else {
                let row = vulnerability.check(self.manager.as_str(), place);
                advisory::put(sink, asset, "snyk", row);
            }
        }
        let filtered = &self.filtered.0;
        report.set_aside("suppressed-by-scanner", (filtered.ignore.0.len() + filtered.patch.0.len()) as u64);
        for application in &self.applications.0 {
            application.pour(asset, report, sink);
        }
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let projects: OneOrMore<RawProject<'_>> = json::parse(input.name, input.bytes)?;
    for project in &projects.0 {
        let image = project.project.as_str().strip_prefix("docker-image|");
        let names = [image.unwrap_or_default(), project.project.as_str(), project.path.as_str()];
        let named = names.into_iter().find(|name| !name.is_empty()).and_then(asset_name);
        let asset = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
        project.pour(&asset, report, sink);
        let facts = report.assets.entry(asset.clone()).or_default();
        facts.kind = image.map(|_| "container_image".to_owned());
        facts.names.extend(named.filter(|named| *named != asset));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn projects_and_images() {
        let vulnerability = json!({"id": "SNYK-JS-LODASH-1", "title": "a flaw", "moduleName": "lodash", "packageName": "lodash", "name": "lodash", "version": "4.17.15",
            "packageManager": "npm", "identifiers": {"CVE": ["CVE-2026-1234"], "CWE": ["CWE-1"], "GHSA": ["GHSA-aaaa-bbbb-cccc"]}, "fixedIn": ["4.17.20"],
            "severity": "high", "severityWithCritical": "critical", "cvssScore": 7.4, "CVSSv3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "cvssSources": [{"assigner": "NVD", "cvssVersion": "4.0", "baseScore": 8.0, "vector": "CVSS:4.0/AV:N"}], "epssDetails": {"probability": "0.25", "percentile": "0.9"},
            "publicationTime": "2026-01-01T00:00:00Z", "references": [{"url": "https://example.org/1"}], "from": ["a@1", "lodash@4.17.15"], "isUpgradable": true});
        let license = json!({"id": "snyk:lic:npm:x:GPL-3.0", "type": "license", "severity": "high"});
        let project = json!({"vulnerabilities": [vulnerability, vulnerability, license], "ok": false, "dependencyCount": 5, "packageManager": "npm", "projectName": "shop",
            "displayTargetFile": "package-lock.json", "filtered": {"ignore": [{}], "patch": []}});
        let image = json!({"vulnerabilities": [{"id": "SNYK-DEBIAN12-OPENSSL-1", "packageName": "openssl", "name": "openssl/libssl3", "version": "3.0.11-1", "nearestFixedInVersion": "3.0.13-1",
                "severity": "low", "isUpgradable": false}, {"id": "SNYK-DEBIAN12-ZLIB-1", "name": "zlib/zlib1g", "version": "1", "isUpgradable": false}],
            "ok": false, "packageManager": "deb", "projectName": "docker-image|img", "path": "img:1", "docker": {},
            "applications": [{"vulnerabilities": [vulnerability], "packageManager": "npm", "targetFile": "/app/package.json"}]});
        let document = json!([project, image]);
        let report = read_as("snyk", &document);
        assert_eq!(
            shown(&report),
            [
                "shop CVE-2026-1234+GHSA-aaaa-bbbb-cccc+SNYK-JS-LODASH-1 application npm lodash 4.17.15 -> 4.17.20 fixed critical #package-lock.json",
                "img SNYK-DEBIAN12-OPENSSL-1 linux deb libssl3 3.0.11-1 -> 3.0.13-1 fixed low",
                "img SNYK-DEBIAN12-ZLIB-1 linux deb zlib1g 1 -> not_fixed -",
                "img CVE-2026-1234+GHSA-aaaa-bbbb-cccc+SNYK-JS-LODASH-1 application npm lodash 4.17.15 -> 4.17.20 fixed critical #/app/package.json",
            ]
        );
        // Each path that leads to a package is a row of Snyk's.
        assert_eq!((report.read, report.left_out["duplicate"]), (5, 1));
        assert_eq!((report.set_aside["license"], report.set_aside["suppressed-by-scanner"]), (1, 1));
        assert!(report.findings[0].epss.is_some() && report.findings[0].cvss.len() == 2);
        check_sample("snyk", &document);
        assert_eq!(read_as("snyk", &json!({"ok": true, "vulnerabilities": [], "dependencyCount": 1})).read, 0);
        assert_eq!(read_as("snyk", &project).findings.len(), 1);
    }
}
