//! Grype's JSON, of every version: what is about one image, folder, file or SBOM.

use serde::Deserialize;

use super::advisory::{self, Purl};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Owner, Row, Sink};
use super::shapes::{Part, Tally, TextOr};
use super::trivy::{Check, Rows, asset_name, given_asset, unnamed};
use crate::model::{Cvss, VulnerabilityType};

/// `grype -o json`.
pub(super) const REPORT: Format = Format {
    name: "grype",
    title: "Grype's JSON (`grype -o json`)",
    scanner: "grype",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let by_name = root.has(&["matches"]) && root.text("descriptor/name") == "grype";
            let list = root.is_list("matches") || root.at("matches") == Some(&Root::Null);
            by_name
                || (list && root.has(&["source/type"]))
                || root.has(&["matches/0/vulnerability", "matches/0/artifact"])
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    matches: Rows<RawMatch<'a>>,
    #[serde(rename = "ignoredMatches")]
    ignored: Tally,
    source: Part<RawSource<'a>>,
    distro: Part<RawDistro<'a>>,
    descriptor: Part<RawDescriptor<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSource<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    target: TextOr<'a, RawTarget<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawTarget<'a> {
    #[serde(rename = "userInput", borrow)]
    input: Text<'a>,
    #[serde(rename = "imageID", borrow)]
    image: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    tags: Few<Text<'a>, 16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDistro<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDescriptor<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMatch<'a> {
    vulnerability: Part<RawVulnerability<'a>>,
    #[serde(rename = "relatedVulnerabilities")]
    related: Few<Part<RawVulnerability<'a>>, 32>,
    artifact: Part<RawArtifact<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "dataSource", borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    /// `links` before 0.11.
    #[serde(alias = "links", borrow)]
    urls: Few<Text<'a>, 64>,
    #[serde(borrow)]
    description: Text<'a>,
    cvss: Few<Part<RawCvss<'a>>, 32>,
    // Before 0.11.
    #[serde(rename = "cvssV2")]
    cvss2: Part<RawMetrics<'a>>,
    #[serde(rename = "cvssV3")]
    cvss3: Part<RawMetrics<'a>>,
    #[serde(rename = "fixedInVersion", borrow)]
    fixed: Text<'a>,
    epss: Few<Part<RawEpss>, 32>,
    #[serde(rename = "knownExploited")]
    exploited: Tally,
    fix: Part<RawFix<'a>>,
    advisories: Few<Part<RawAdvisory<'a>>, 32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    vector: Text<'a>,
    metrics: Part<RawMetrics<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMetrics<'a> {
    #[serde(rename = "baseScore")]
    score: Number,
    #[serde(borrow)]
    vector: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEpss {
    epss: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFix<'a> {
    #[serde(borrow)]
    versions: Few<Text<'a>, 32>,
    #[serde(borrow)]
    state: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    link: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawArtifact<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    purl: Text<'a>,
    locations: Few<Part<RawLocation<'a>>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLocation<'a> {
    #[serde(borrow)]
    path: Text<'a>,
}

impl RawVulnerability<'_> {
    /// Who says it: `redhat:distro:redhat:8` is Red Hat.
    fn by(&self) -> &str {
        self.namespace.as_str().split(':').next().filter(|name| !name.is_empty()).unwrap_or("nvd")
    }

    fn scores(&self) -> Vec<Cvss> {
        let list = self.cvss.0.iter().filter_map(|Part(raw)| {
            let by = if raw.source == Text::Absent { self.by() } else { raw.source.as_str() };
            advisory::cvss(by, raw.version.as_str(), raw.metrics.0.score.0, raw.vector.as_str())
        });
        let old = [("2.0", &self.cvss2.0), ("3.1", &self.cvss3.0)];
        let old = old.into_iter().filter_map(|(version, raw)| {
            advisory::cvss(self.by(), version, raw.score.0.filter(|score| *score > 0.0), raw.vector.as_str())
        });
        list.chain(old).collect()
    }

    fn epss(&self) -> Option<f64> {
        self.epss.0.iter().filter_map(|Part(raw)| raw.epss.0).reduce(f64::max)
    }
}

impl Check for RawMatch<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let own = &self.vulnerability.0;
        let artifact = &self.artifact.0;
        let related = || self.related.0.iter().map(|Part(related)| related);
        let advisories = own.advisories.0.iter().map(|Part(advisory)| advisory);
        let others = related().map(|related| related.id.as_str());
        let (vulnerability, aliases) =
            advisory::identify(&own.id, others.chain(advisories.clone().map(|advisory| advisory.id.as_str())))?;
        let purl = Purl::parse(artifact.purl.as_str());
        let ecosystem = match &purl {
            Some(purl) => purl.kind.clone(),
            None => advisory::ecosystem(artifact.kind.as_str()),
        };
        let mut fixed = advisory::versions(own.fix.0.versions.0.iter().map(Text::as_str))?;
        if fixed.is_empty() {
            fixed = row::fixed_versions(&own.fixed)?;
        }
        // What is known of the same vulnerability elsewhere; an advisory's several CVEs have scores of their own.
        let same = || related().filter(|related| related.id.as_str() == vulnerability.as_str());
        let all = || std::iter::once(own).chain(same());
        let of_distribution = advisory::kind_of(&ecosystem) == VulnerabilityType::Linux;
        let path = artifact.locations.0.first().filter(|_| !of_distribution);
        let urls = std::iter::once(own.source.as_str())
            .chain(advisories.map(|advisory| advisory.link.as_str()))
            .chain(own.urls.0.iter().map(Text::as_str))
            .chain(
                same().flat_map(|related| std::iter::once(&related.source).chain(&related.urls.0)).map(Text::as_str),
            );
        Ok(Row {
            aliases,
            package: Some(advisory::package(&artifact.name, purl.as_ref())?),
            installed: row::installed_version(&artifact.version)?,
            fix_state: advisory::fix_state(own.fix.0.state.as_str(), &fixed),
            fixed,
            severity: advisory::severity(own.severity.as_str()),
            cvss: advisory::scores(all().flat_map(RawVulnerability::scores)),
            epss: row::probability(all().filter_map(RawVulnerability::epss).reduce(f64::max)),
            kev: all().any(|raw| !raw.exploited.0.is_empty()),
            title: row::title(all().map(|raw| raw.description.as_str())),
            references: row::references(urls),
            path: path.and_then(|Part(location)| row::location(location.path.as_str())),
            purl_type: Some(ecosystem),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: RawReport<'_> = json::parse(input.name, input.bytes)?;
    let source = raw.source.0;
    let mut facts = Asset {
        os: advisory::os(raw.distro.0.name.as_str(), raw.distro.0.version.as_str()),
        scanned_at: advisory::time(raw.descriptor.0.timestamp.as_str()),
        kind: match source.kind.as_str() {
            "" => None,
            "image" => Some("container_image".to_owned()),
            "directory" => Some("filesystem".to_owned()),
            other => row::location(other),
        },
        ..Asset::default()
    };
    let name = match &source.target {
        TextOr::Text(text) => text.as_str(),
        TextOr::Object(target) => {
            facts.names.extend(target.tags.0.iter().filter_map(|tag| asset_name(tag.as_str())));
            [&target.input, &target.path, &target.image]
                .map(Text::as_str)
                .into_iter()
                .find(|t| !t.is_empty())
                .unwrap_or("")
        }
    };
    let named = asset_name(name);
    let asset = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
    facts.names.extend(named);
    facts.names.remove(&asset);
    report.set_aside("suppressed-by-scanner", raw.ignored.0.len() as u64);
    raw.matches.pour(sink, |row| Owner {
        asset: &asset,
        kind: advisory::kind_of(row.purl_type.as_deref().unwrap_or_default()),
        ecosystem: "unknown",
        location: row.path.clone(),
        scanner: "grype",
    });
    report.assets.insert(asset, facts);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn every_version_of_the_format_is_read() {
        let new = json!({
            "matches": [{
                "vulnerability": {
                    "id": "GHSA-aaaa-bbbb-cccc", "namespace": "github:language:java", "severity": "Critical", "risk": 9.1,
                    "dataSource": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "urls": [], "description": "a flaw\nmore",
                    "cvss": [{"version": "3.1", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "metrics": {"baseScore": 9.8}}],
                    "epss": [{"cve": "CVE-2026-1234", "epss": 0.5}], "knownExploited": [{"cve": "CVE-2026-1234"}],
                    "fix": {"versions": ["2.15.0", "2.12.2"], "state": "fixed", "available": [{"version": "2.15.0", "date": "2026-01-01"}]},
                    "advisories": []},
                "relatedVulnerabilities": [{"id": "CVE-2026-1234", "namespace": "nvd:cpe", "severity": "High",
                    "cvss": [{"source": "nvd@nist.gov", "version": "2.0", "vector": "AV:N/AC:L/Au:N/C:P/I:N/A:N", "metrics": {"baseScore": 5.0}}]}],
                "artifact": {"name": "log4j-core", "version": "2.14.1", "type": "java-archive",
                    "purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "locations": [{"path": "/app/a.jar"}, {"path": "/b"}]},
            }, {
                "vulnerability": {"id": "CVE-2026-2", "severity": "Unknown", "fix": {"versions": [], "state": "wont-fix"},
                    "advisories": [{"id": "RHSA-2026:1", "link": "https://access.redhat.com/errata/RHSA-2026:1"}]},
                "artifact": {"name": "nss", "version": "3.79.0-17.el9_1", "type": "rpm", "locations": [{"path": "/var/lib/rpm"}]},
            }],
            "ignoredMatches": [{}, {}],
            "source": {"type": "directory", "target": "/srv"},
            "distro": {"name": "redhat", "version": "9.1", "idLike": ["fedora"]},
            "descriptor": {"name": "grype", "version": "0.96.0", "timestamp": "2026-01-01T00:00:00Z"},
        });
        let report = read_as("grype", &new);
        assert_eq!(
            shown(&report),
            [
                "/srv CVE-2026-1234+GHSA-aaaa-bbbb-cccc application maven org.apache.logging.log4j:log4j-core 2.14.1 -> 2.15.0,2.12.2 fixed critical #/app/a.jar",
                "/srv CVE-2026-2+RHSA-2026:1 linux rpm nss 3.79.0-17.el9_1 -> will_not_fix -",
            ]
        );
        let first = &report.findings[0];
        let scores: Vec<_> = first.cvss.iter().map(|c| format!("{} {} {}", c.source, c.version, c.score)).collect();
        assert_eq!(scores, ["github 3.1 9.8", "nvd@nist.gov 2.0 5.0"]);
        assert!(first.kev && first.epss.is_some());
        assert_eq!(first.title.as_deref(), Some("a flaw"));
        assert_eq!(report.set_aside["suppressed-by-scanner"], 2);
        let asset = &report.assets["/srv"];
        assert_eq!((asset.os.as_ref().unwrap().family.as_str(), asset.kind.as_deref()), ("redhat", Some("filesystem")));

        let old = json!({
            "matches": [{
                "vulnerability": {"id": "CVE-2026-1", "severity": "Negligible", "links": ["https://example.org/1"],
                    "cvssV2": {"baseScore": 7.2, "vector": "AV:L/AC:L/Au:N/C:C/I:C/A:C"}, "fixedInVersion": "5.1"},
                "matchDetails": {"matcher": "dpkg-matcher"},
                "artifact": {"name": "bash", "version": "5.0-4", "type": "deb", "locations": [{"path": "/var/lib/dpkg/status"}]},
            }],
            "source": {"type": "image", "target": {"userInput": "img:1", "tags": ["img:1", "img:latest"]}},
            "distro": {"name": "debian", "version": "10", "idLike": ""}, "descriptor": {"name": "grype", "version": "0.7.0"},
        });
        let report = read_as("grype", &old);
        assert_eq!(shown(&report), ["img:1 CVE-2026-1 linux deb bash 5.0-4 -> 5.1 fixed negligible"]);
        assert_eq!(report.findings[0].cvss.len(), 1);
        assert!(report.assets["img:1"].names.contains("img:latest"));

        for text in [
            r#"{"matches": [], "source": null, "descriptor": {"name": "grype"}}"#,
            r#"{"matches": null, "source": {"type": "file", "target": 7}}"#,
        ] {
            assert_eq!(read_as("grype", &serde_json::from_str(text).unwrap()).read, 0);
        }
        check_sample("grype", &new);
        check_sample("grype", &old);
    }
}
