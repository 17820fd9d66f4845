//! Clair: the report of Clair 4 (also Quay's), of clair-scanner, and of Klar.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink};
use super::shapes::{Listed, Named, Part, Plain};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, Cvss};

const SCANNER: &str = "clair";

/// `clairctl report --out json`.
pub(super) const VERSION_4: Format = Format {
    name: "clair",
    title: "Clair 4's report (`clairctl report --out json`)",
    scanner: SCANNER,
    is: |peek| peek.root().is_some_and(|root| root.has(&["package_vulnerabilities", "vulnerabilities"])),
    read: read_version_4,
};

/// `clair-scanner -r FILE`, and `klar` with `FORMAT_OUTPUT=json`.
pub(super) const SCANNERS: Format = Format {
    name: "clair-scanner",
    title: "clair-scanner's report (`clair-scanner -r FILE`) and Klar's JSON",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            let klar =
                root.has(&["LayerCount"]) && matches!(root.at("Vulnerabilities"), Some(Root::Object(_) | Root::Null));
            klar || root.has(&["unapproved", "vulnerabilities"]) || root.has(&["vulnerabilities/0/featurename"])
        })
    },
    read: read_scanners,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    #[serde(borrow)]
    manifest_hash: Text<'a>,
    packages: Named<'a, Part<RawPackage<'a>>>,
    distributions: Named<'a, Part<RawDistribution<'a>>>,
    environments: Named<'a, Listed<RawEnvironment<'a>>>,
    vulnerabilities: Named<'a, Part<RawVulnerability<'a>>>,
    package_vulnerabilities: Named<'a, Few<Text<'a>, 100_000>>,
    enrichments: Named<'a, Listed<RawEnrichment<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDistribution<'a> {
    #[serde(borrow)]
    did: Text<'a>,
    #[serde(borrow)]
    version_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawEnvironment<'a> {
    #[serde(borrow)]
    package_db: Text<'a>,
    #[serde(borrow)]
    distribution_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    updater: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    issued: Text<'a>,
    #[serde(borrow)]
    links: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    normalized_severity: Text<'a>,
    #[serde(borrow)]
    fixed_in_version: Text<'a>,
}

/// By the vulnerability's key, a list of scores.
type RawEnrichment<'a> = RawScores<'a>;

#[derive(Debug, Default, Deserialize)]
#[serde(transparent, bound(deserialize = "'de: 'a"))]
struct RawScores<'a>(Named<'a, Listed<RawScore<'a>>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScore<'a> {
    #[serde(rename = "baseScore")]
    score: Number,
    #[serde(rename = "vectorString", borrow)]
    vector: Text<'a>,
    version: Plain,
}

fn read_version_4(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawReport<'_>> = json::parse(input.name, input.bytes)?;
    let raw = &raw.0;
    let asset = given_asset(input.given).or_else(|| asset_name(raw.manifest_hash.as_str())).unwrap_or_else(unnamed);
    let packages: BTreeMap<&str, &RawPackage<'_>> =
        raw.packages.0.iter().map(|(key, Part(p))| (key.as_ref(), p)).collect();
    let known: BTreeMap<&str, &RawVulnerability<'_>> =
        raw.vulnerabilities.0.iter().map(|(key, Part(v))| (key.as_ref(), v)).collect();
    let systems: BTreeMap<&str, &RawDistribution<'_>> =
        raw.distributions.0.iter().map(|(key, Part(d))| (key.as_ref(), d)).collect();
    let environments: BTreeMap<&str, &RawEnvironment<'_>> =
        raw.environments.0.iter().filter_map(|(key, list)| Some((key.as_ref(), list.0.first()?))).collect();
    let mut scores: BTreeMap<&str, Vec<Cvss>> = BTreeMap::new();
    for (kind, lists) in raw.enrichments.0.iter().filter(|(kind, _)| kind.contains("cvss")) {
        for (key, list) in lists.0.iter().flat_map(|scores| &scores.0.0) {
            let source = if kind.contains("clair.cvss") { "nvd" } else { "clair" };
            let found =
                list.0.iter().filter_map(|s| advisory::cvss(source, &s.version.0, s.score.0, s.vector.as_str()));
            scores.entry(key.as_ref()).or_default().extend(found.take(row::MAX_SCORES));
        }
    }
    for (key, ids) in &raw.package_vulnerabilities.0 {
        let package = packages.get(key.as_ref());
        let environment = environments.get(key.as_ref());
        let system = environment.and_then(|e| systems.get(e.distribution_id.as_str()));
        for id in &ids.0 {
            let row = match (package, known.get(id.as_str())) {
                (Some(package), Some(vulnerability)) => {
                    let found = scores.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
                    vulnerability.check(package, system.copied(), environment.copied(), found)
                }
                _ => Err(row::reason::MALFORMED),
            };
            advisory::put(sink, &asset, SCANNER, row);
        }
    }
    let os = raw.distributions.0.first().and_then(|(_, Part(d))| advisory::os(d.did.as_str(), d.version_id.as_str()));
    let kind = Some("container_image".to_owned());
    report.assets.insert(asset, Asset { os, kind, ..Asset::default() });
    Ok(())
}

impl RawVulnerability<'_> {
    fn check(
        &self,
        package: &RawPackage<'_>,
        system: Option<&RawDistribution<'_>>,
        environment: Option<&RawEnvironment<'_>>,
        scores: &[Cvss],
    ) -> Result<Row, &'static str> {
        // `RHSA-2026:1: openssl security update (Important)` names the CVEs in its links.
        let name = self.name.as_str();
        let first = name.split_whitespace().next().unwrap_or_default().trim_end_matches([':', ',']);
        let links = || self.links.as_str().split_whitespace();
        let others: Vec<&str> =
            advisory::ids_in(name).into_iter().chain(links().filter_map(advisory::id_of_url)).collect();
        let (vulnerability, aliases) = advisory::identify(&advisory::text(first), others)?;
        // Of language ecosystems it may be a part of a query.
        let fixed_text = self.fixed_in_version.as_str();
        let fixed = match fixed_text.split('&').find_map(|part| part.strip_prefix("fixed=")) {
            Some(version) => row::fixed_versions(&advisory::text(version))?,
            None if fixed_text.contains('=') => Vec::new(),
            None => row::fixed_versions(&self.fixed_in_version)?,
        };
        let database = environment.map_or("", |environment| environment.package_db.as_str());
        // The updaters of languages are named after them (`osv/pypi`); those of distributions after these.
        let ecosystem = match database.split_once(':') {
            Some((language @ ("python" | "go" | "ruby" | "jar" | "maven" | "nodejs"), _)) => {
                advisory::ecosystem(language)
            }
            _ => match self.updater.as_str().strip_prefix("osv/") {
                Some(language) => advisory::ecosystem(language),
                None => advisory::ecosystem(system.map_or("", |system| system.did.as_str())),
            },
        };
        let severity =
            [&self.normalized_severity, &self.severity].into_iter().find_map(|s| advisory::severity(s.as_str()));
        Ok(Row {
            aliases,
            package: Some(row::package_name(&package.name)?),
            installed: row::installed_version(&package.version)?,
            fix_state: advisory::fix_state("", &fixed),
            fixed,
            severity,
            cvss: advisory::scores(scores.iter().cloned()),
            published: advisory::time(self.issued.as_str()),
            title: row::title([self.description.as_str()]),
            references: row::references(links()),
            path: row::location(database.split_once(':').map_or(database, |(_, path)| path)),
            purl_type: Some(ecosystem),
            ..Row::new(vulnerability)
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScan<'a> {
    #[serde(borrow)]
    image: Text<'a>,
    vulnerabilities: Listed<RawFeature<'a>>,
    #[serde(rename = "Vulnerabilities")]
    by_severity: Named<'a, Listed<RawKlar<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFeature<'a> {
    #[serde(rename = "featurename", borrow)]
    name: Text<'a>,
    #[serde(rename = "featureversion", borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    vulnerability: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    link: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(rename = "fixedby", borrow)]
    fixed: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawKlar<'a> {
    #[serde(rename = "FeatureName", borrow)]
    name: Text<'a>,
    #[serde(rename = "FeatureVersion", borrow)]
    version: Text<'a>,
    #[serde(rename = "Name", borrow)]
    vulnerability: Text<'a>,
    #[serde(rename = "NamespaceName", borrow)]
    namespace: Text<'a>,
    #[serde(rename = "Description", borrow)]
    description: Text<'a>,
    #[serde(rename = "Link", borrow)]
    link: Text<'a>,
    #[serde(rename = "Severity", borrow)]
    severity: Text<'a>,
    #[serde(rename = "FixedBy", borrow)]
    fixed: Text<'a>,
}

impl RawFeature<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let (vulnerability, aliases) = advisory::identify(&self.vulnerability, [])?;
        // `None` is how some updaters say that there is no fix.
        let fixed = match self.fixed.as_str() {
            "None" | "none" => Vec::new(),
            _ => row::fixed_versions(&self.fixed)?,
        };
        Ok(Row {
            aliases,
            package: Some(row::package_name(&self.name)?),
            installed: row::installed_version(&self.version)?,
            fix_state: advisory::fix_state("", &fixed),
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            title: row::title([self.description.as_str()]),
            references: row::references([self.link.as_str()]),
            purl_type: Some(advisory::ecosystem(self.namespace.as_str())),
            ..Row::new(vulnerability)
        })
    }
}

impl<'a> RawKlar<'a> {
    fn normal(&self) -> RawFeature<'a> {
        let Self { name, version, vulnerability, namespace, description, link, severity, fixed } = self;
        RawFeature {
            name: name.clone(),
            version: version.clone(),
            vulnerability: vulnerability.clone(),
            namespace: namespace.clone(),
            description: description.clone(),
            link: link.clone(),
            severity: severity.clone(),
            fixed: fixed.clone(),
        }
    }
}

fn read_scanners(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawScan<'_>> = json::parse(input.name, input.bytes)?;
    let named = asset_name(raw.0.image.as_str());
    let asset: AssetName = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
    let mut facts = Asset { kind: Some("container_image".to_owned()), ..Asset::default() };
    facts.names.extend(named.filter(|named| *named != asset));
    let klar: Vec<RawFeature<'_>> =
        raw.0.by_severity.0.iter().flat_map(|(_, list)| &list.0).map(RawKlar::normal).collect();
    for feature in raw.0.vulnerabilities.0.iter().chain(&klar) {
        let (system, version) = feature.namespace.as_str().split_once(':').unwrap_or_default();
        facts.os = facts.os.take().or_else(|| advisory::os(system, version.trim_start_matches('v')));
        advisory::put(sink, &asset, SCANNER, feature.check());
    }
    report.assets.insert(asset, facts);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn version_4() {
        let document = json!({
            "manifest_hash": "sha256:1",
            "packages": {"10": {"id": "10", "name": "openssl-libs", "version": "1:1.1.1k-7.el8"}, "11": {"name": "urllib3", "version": "1.26.5"}},
            "distributions": {"1": {"id": "1", "did": "rhel", "version_id": "8"}},
            "environments": {"10": [{"package_db": "var/lib/rpm", "distribution_id": "1"}], "11": [{"package_db": "python:usr/lib/python3", "distribution_id": ""}]},
            "vulnerabilities": {
                "5": {"id": "5", "updater": "RHEL8", "name": "RHSA-2026:1: openssl security update (Important)", "description": "a flaw", "issued": "2026-01-01T00:00:00Z",
                    "links": "https://access.redhat.com/errata/RHSA-2026:1 https://access.redhat.com/security/cve/CVE-2026-1234", "severity": "Important", "normalized_severity": "High", "fixed_in_version": "1:1.1.1k-9.el8"},
                "6": {"updater": "osv/pypi", "name": "GHSA-aaaa-bbbb-cccc", "links": "", "severity": "CVSS:3.1/AV:N", "normalized_severity": "Unknown", "fixed_in_version": "fixed=1.26.17&introduced=0"}},
            "package_vulnerabilities": {"10": ["5"], "11": ["6", "7"]},
            "enrichments": {"message/vnd.clair.map.vulnerability; enricher=clair.cvss schema=https://x": [{"5": [{"baseScore": 7.5, "version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]}]}});
        let report = read_as("clair", &document);
        assert_eq!(
            shown(&report),
            [
                "sha256:1 CVE-2026-1234+RHSA-2026:1 linux rpm openssl-libs 1:1.1.1k-7.el8 -> 1:1.1.1k-9.el8 fixed high",
                "sha256:1 GHSA-aaaa-bbbb-cccc application pypi urllib3 1.26.5 -> 1.26.17 fixed - #usr/lib/python3",
            ]
        );
        assert_eq!((report.left_out["malformed-row"], report.findings[0].cvss.len()), (1, 1));
        check_sample("clair", &document);
    }

    #[test]
    fn clair_scanner_and_klar() {
        let scan = json!({"image": "ubuntu:18.04", "unapproved": ["CVE-2026-1234"], "vulnerabilities": [
            {"featurename": "systemd", "featureversion": "237-3ubuntu10.29", "vulnerability": "CVE-2026-1234", "namespace": "ubuntu:18.04", "description": "a flaw",
             "link": "http://people.ubuntu.com/1", "severity": "Medium", "fixedby": "237-3ubuntu10.30"},
            {"featurename": "bash", "featureversion": "4", "vulnerability": "CVE-2026-2", "namespace": "ubuntu:18.04", "severity": "Defcon1", "fixedby": "None"}]});
        let report = read_as("clair-scanner", &scan);
        assert_eq!(
            shown(&report),
            [
                "ubuntu:18.04 CVE-2026-1234 linux deb systemd 237-3ubuntu10.29 -> 237-3ubuntu10.30 fixed medium",
                "ubuntu:18.04 CVE-2026-2 linux deb bash 4 -> unknown critical",
            ]
        );
        assert_eq!(report.assets["ubuntu:18.04"].os.as_ref().unwrap().version.as_deref(), Some("18.04"));
        check_sample("clair-scanner", &scan);
        let klar = json!({"LayerCount": 3, "Vulnerabilities": {"High": [{"Name": "CVE-2026-1234", "NamespaceName": "alpine:v3.4", "FeatureName": "zlib", "FeatureVersion": "1.2.8-r2", "Severity": "High", "FixedBy": "1.2.11-r0"}]}});
        assert_eq!(
            shown(&read_as("clair-scanner", &klar)),
            ["unnamed artifact CVE-2026-1234 linux apk zlib 1.2.8-r2 -> 1.2.11-r0 fixed high"]
        );
    }
}
