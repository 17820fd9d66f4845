//! `npm audit` in JSON: the advisories of npm 6 (also of pnpm and Yarn), and the vulnerabilities of npm 7 and later.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Number, Text, otherwise};
use super::peek::Peek;
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink, reason};
use super::shapes::{Flag, Listed, Named, Part, Plain, TextOr};
use super::trivy::{given_asset, unnamed};
use crate::model::{AssetName, FixState, PackageVersion};

const SCANNER: &str = "npm-audit";

/// npm 6, pnpm and Yarn 2 and 3.
pub(super) const ADVISORIES: Format = Format {
    name: "npm-audit-6",
    title: "`npm audit --json` of npm 6 (and `pnpm audit --json`)",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            let object = matches!(root.at("advisories"), Some(Root::Object(_) | Root::List(None)));
            object && root.has(&["metadata/vulnerabilities"])
        })
    },
    read: read_advisories,
};

/// npm 7 and later.
pub(super) const VULNERABILITIES: Format = Format {
    name: "npm-audit",
    title: "`npm audit --json` of npm 7 and later",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            root.has(&["auditReportVersion", "vulnerabilities"]) || root.has(&["audit/auditReportVersion"])
        })
    },
    read: read_vulnerabilities,
};

/// Yarn 1.
pub(super) const LINES: Format = Format {
    name: "yarn-audit",
    title: "`yarn audit --json` of Yarn 1",
    scanner: "yarn-audit",
    is: |peek| match peek {
        Peek::Stream(root) | Peek::Json(root) => {
            matches!(root.text("type"), "auditAdvisory" | "auditSummary") && root.has(&["data"])
        }
        _ => false,
    },
    read: read_lines,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisories<'a> {
    advisories: Named<'a, Part<RawAdvisory<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    id: Plain,
    #[serde(rename = "github_advisory_id", borrow)]
    github: Text<'a>,
    #[serde(borrow)]
    cves: Few<Text<'a>, 32>,
    #[serde(rename = "module_name", borrow)]
    package: Text<'a>,
    findings: Listed<RawFinding<'a>>,
    #[serde(rename = "vulnerable_versions", borrow)]
    vulnerable: Text<'a>,
    #[serde(rename = "patched_versions", borrow)]
    patched: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    cvss: Part<RawCvss<'a>>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    references: Text<'a>,
    #[serde(borrow)]
    created: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    score: Number,
    #[serde(rename = "vectorString", borrow)]
    vector: Text<'a>,
}

impl RawCvss<'_> {
    fn normal(&self) -> Vec<crate::model::Cvss> {
        let score = self.score.0.filter(|score| *score > 0.0);
        advisory::scores(advisory::cvss("ghsa", "", score, self.vector.as_str()))
    }
}

/// The GitHub id where one is told, else npm's own number.
fn own_id(github: &str, url: &str, number: &str) -> String {
    match advisory::id_of_url(url) {
        _ if !github.is_empty() => github.to_owned(),
        Some(id) => id.to_owned(),
        None if number.is_empty() => String::new(),
        None => format!("NPM-{number}"),
    }
}

impl RawAdvisory<'_> {
    fn check(&self, installed: &Text<'_>) -> Result<Row, &'static str> {
        let own = own_id(self.github.as_str(), self.url.as_str(), &self.id.0);
        let (vulnerability, aliases) = advisory::identify(&advisory::text(&own), self.cves.0.iter().map(Text::as_str))?;
        let mut fixed = advisory::starts_of_range(self.patched.as_str());
        if fixed.is_empty() {
            fixed = advisory::ends_of_range(self.vulnerable.as_str());
        }
        let references =
            self.references.as_str().split_whitespace().map(|url| url.trim_matches(['-', '<', '>', '(', ')']));
        Ok(Row {
            aliases,
            package: Some(row::package_name(&self.package)?),
            installed: row::installed_version(installed)?,
            // `<0.0.0`: no version is patched.
            fix_state: match self.patched.as_str() {
                "<0.0.0" => FixState::NotFixed,
                _ => advisory::fix_state("", &fixed),
            },
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            cvss: self.cvss.0.normal(),
            published: advisory::time(self.created.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(std::iter::once(self.url.as_str()).chain(references)),
            purl_type: Some("npm".to_owned()),
            ..Row::new(vulnerability)
        })
    }

    /// A row for each version that is installed: a module may be there in several.
    fn pour(&self, asset: &AssetName, scanner: &str, sink: &mut Sink) {
        if self.findings.0.is_empty() {
            advisory::put(sink, asset, scanner, self.check(&Text::Absent));
        }
        for finding in &self.findings.0 {
            advisory::put(sink, asset, scanner, self.check(&finding.version));
        }
    }
}

fn read_advisories(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawAdvisories<'_>> = json::parse(input.name, input.bytes)?;
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    for (_, Part(advisory)) in &raw.0.advisories.0 {
        advisory.pour(&asset, SCANNER, sink);
    }
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLine<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    data: Part<RawData<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawData<'a> {
    advisory: Part<RawAdvisory<'a>>,
}

fn read_lines(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    // Yarn repeats an advisory for each path that leads to it.
    json::documents(input.name, input.bytes, |Part::<RawLine<'_>>(line)| {
        if line.kind.as_str() == "auditAdvisory" {
            line.data.0.advisory.0.pour(&asset, "yarn-audit", sink);
        }
    })?;
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerabilities<'a> {
    vulnerabilities: Named<'a, Part<RawVulnerability<'a>>>,
    /// What `npm audit fix --json` has around it.
    audit: Option<Part<RawAudit<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAudit<'a> {
    vulnerabilities: Named<'a, Part<RawVulnerability<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    via: Few<TextOr<'a, RawVia<'a>>, 4096>,
    #[serde(borrow)]
    nodes: Few<Text<'a>, 64>,
    #[serde(rename = "fixAvailable")]
    fix: RawFix<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVia<'a> {
    source: Plain,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    cvss: Part<RawCvss<'a>>,
    #[serde(borrow)]
    range: Text<'a>,
}

/// `false`, `true`, or what to install.
#[derive(Debug, Default)]
struct RawFix<'a> {
    available: Flag,
    package: RawPackage<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawFix<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawFix<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or a package")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<RawFix<'de>, E> {
                Ok(RawFix { available: Flag(Some(value)), package: RawPackage::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawFix<'de>, A::Error> {
                let package = RawPackage::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawFix { available: Flag(Some(true)), package })
            }
            fn visit_unit<E: Error>(self) -> Result<RawFix<'de>, E> {
                Ok(RawFix::default())
            }
            otherwise!('de, RawFix::default(), [numbers text seq]);
        }
        deserializer.deserialize_any(V)
    }
}

impl RawVulnerability<'_> {
    fn check(&self, key: &str, via: &RawVia<'_>) -> Result<Row, &'static str> {
        let own = own_id("", via.url.as_str(), &via.source.0);
        let (vulnerability, aliases) = advisory::identify(&advisory::text(&own), [])?;
        let name = match (&via.name, &self.name) {
            (Text::Absent, Text::Absent) => advisory::text(key),
            (Text::Absent, name) | (name, _) => name.clone(),
        };
        let fix = &self.fix.package;
        let mut fixed: Vec<PackageVersion> = advisory::ends_of_range(via.range.as_str());
        // What is to be installed may be another package, one that brings this one in.
        if fixed.is_empty() && fix.name == name {
            fixed.extend(row::installed_version(&fix.version)?);
        }
        let fix_state = match self.fix.available.0 {
            _ if !fixed.is_empty() => FixState::Fixed,
            Some(true) => FixState::Fixed,
            Some(false) => FixState::NotFixed,
            None => FixState::Unknown,
        };
        Ok(Row {
            aliases,
            package: Some(row::package_name(&name)?),
            fix_state,
            fixed,
            severity: advisory::severity(via.severity.as_str()),
            cvss: via.cvss.0.normal(),
            title: row::title([via.title.as_str()]),
            references: row::references([via.url.as_str()]),
            path: self.nodes.0.first().and_then(|node| row::location(node.as_str())),
            purl_type: Some("npm".to_owned()),
            ..Row::new(vulnerability)
        })
    }
}

fn read_vulnerabilities(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawVulnerabilities<'_>> = json::parse(input.name, input.bytes)?;
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    let within = raw.0.audit.iter().flat_map(|Part(audit)| &audit.vulnerabilities.0);
    for (key, Part(vulnerability)) in raw.0.vulnerabilities.0.iter().chain(within) {
        let own = vulnerability.via.0.iter().filter_map(|via| match via {
            TextOr::Object(via) => Some(via),
            TextOr::Text(_) => None,
        });
        let mut rows = 0;
        for via in own {
            rows += 1;
            advisory::put(sink, &asset, SCANNER, vulnerability.check(key, via));
        }
        if rows == 0 {
            // Only names of other packages: those have the vulnerability.
            sink.leave_out(reason::THROUGH_DEPENDENCY, 1);
        }
    }
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, check_text, read_as, read_text_as, shown};

    #[test]
    fn npm_6_and_its_like() {
        let advisory = json!({"findings": [{"version": "2.0.10", "paths": ["a>b"]}, {"version": "3.0.0"}], "id": 118, "title": "a flaw",
            "module_name": "minimatch", "cves": ["CVE-2026-1234"], "vulnerable_versions": "<=3.0.1", "patched_versions": ">=3.0.2 <4.0.0 || >=4.0.1",
            "severity": "high", "url": "https://npmjs.com/advisories/118", "references": "- https://example.org/1", "created": "2026-01-01T00:00:00.000Z"});
        let mut other = advisory.clone();
        other["cves"] = json!([]);
        other["github_advisory_id"] = json!("GHSA-aaaa-bbbb-cccc");
        other["patched_versions"] = json!("<0.0.0");
        other["findings"] = json!(null);
        let metadata = json!({"vulnerabilities": {"high": 1}});
        let document =
            json!({"actions": [], "advisories": {"118": advisory, "119": other}, "muted": [], "metadata": metadata});
        let report = read_as("npm-audit-6", &document);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact CVE-2026-1234+NPM-118 application npm minimatch 2.0.10 -> 3.0.2,4.0.1 fixed high",
                "unnamed artifact CVE-2026-1234+NPM-118 application npm minimatch 3.0.0 -> 3.0.2,4.0.1 fixed high",
                "unnamed artifact GHSA-aaaa-bbbb-cccc application npm minimatch - -> not_fixed high",
            ]
        );
        assert_eq!(report.findings[0].references.len(), 2);
        check_sample("npm-audit-6", &document);
        let empty = json!({"actions": [], "advisories": {}, "muted": [], "metadata": metadata});
        assert_eq!(read_as("npm-audit-6", &empty).read, 0);

        let line = json!({"type": "auditAdvisory", "data": {"resolution": {"id": 118, "path": "a>b"}, "advisory": document["advisories"]["118"]}});
        let text = format!("{line}\n{line}\n{}\n", json!({"type": "auditSummary", "data": {"vulnerabilities": {}}}));
        let report = read_text_as("yarn-audit", &text);
        assert_eq!((report.findings.len(), report.left_out["duplicate"]), (2, 2));
        check_text("yarn-audit", &text);
        let clean = json!({"type": "auditSummary", "data": {"vulnerabilities": {}}});
        assert_eq!(read_as("yarn-audit", &clean).read, 0);
    }

    #[test]
    fn npm_7() {
        let via = |url: &str, range: &str| {
            json!({"source": 1089, "name": "minimist", "dependency": "minimist", "title": "a flaw", "url": url, "severity": "critical",
            "cwe": ["CWE-1"], "cvss": {"score": 9.8, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, "range": range})
        };
        let document = json!({"auditReportVersion": 2, "vulnerabilities": {
            "minimist": {"name": "minimist", "severity": "critical", "isDirect": false, "effects": ["mkdirp"], "range": "<=1.2.5",
                "via": [via("https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "<0.2.4 || >=1.0.0 <1.2.6"), via("https://npmjs.com/advisories/1089", "<=1.0")],
                "nodes": ["node_modules/minimist"], "fixAvailable": {"name": "minimist", "version": "2.0.0", "isSemVerMajor": true}},
            "mkdirp": {"name": "mkdirp", "severity": "critical", "via": ["minimist"], "effects": [], "fixAvailable": true},
            "left-pad": {"via": [{"source": 7, "severity": "low", "range": "*"}], "fixAvailable": false}},
            "metadata": {"vulnerabilities": {"total": 3}}});
        let report = read_as("npm-audit", &document);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact NPM-7 application npm left-pad - -> not_fixed low",
                "unnamed artifact GHSA-aaaa-bbbb-cccc application npm minimist - -> 0.2.4,1.2.6 fixed critical #node_modules/minimist",
                "unnamed artifact NPM-1089 application npm minimist - -> 2.0.0 fixed critical #node_modules/minimist",
            ]
        );
        assert_eq!(report.left_out["caused-by-dependency"], 1);
        assert_eq!(report.findings[1].cvss[0].score.to_string(), "9.8");
        check_sample("npm-audit", &document);
        let clean: serde_json::Value =
            serde_json::from_str(r#"{"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {}}"#).unwrap();
        assert_eq!(read_as("npm-audit", &clean).read, 0);
    }
}
