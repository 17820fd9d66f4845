//! Wazuh: the vulnerability detector's API (up to 4.7) and the states in the indexer (from 4.8), as answers or as
//! their rows line by line.

use serde::Deserialize;

use super::each::{self, Amount, Object, Shape, Word};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, MAX_REFERENCES, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{FixState, Os, PackageVersion, VulnerabilityType, printable};

const SCANNER: &str = "wazuh";

/// `GET /vulnerability/AGENT` up to 4.7.
pub(super) const API: Format = Format {
    name: "wazuh-api",
    title: "Wazuh up to 4.7: answers of its vulnerability API, or their items line by line",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, API_SHAPES),
    read: read_api,
};

/// `wazuh-states-vulnerabilities-*` from 4.8.
pub(super) const INDEXER: Format = Format {
    name: "wazuh",
    title: "Wazuh from 4.8: search answers of its indexer (`wazuh-states-vulnerabilities-*`), or their hits line by line",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, INDEXER_SHAPES),
    read: read_indexer,
};

const API_SHAPES: &[Shape] = &[
    Shape { has: &["data/affected_items/0/cve"], rows: &["data", "affected_items"] },
    Shape { has: &["data/affected_items", "data/total_affected_items"], rows: &["data", "affected_items"] },
    Shape { has: &["affected_items/0/cve"], rows: &["affected_items"] },
    Shape { has: &["0/cve", "0/condition", "0/detection_time"], rows: &[] },
    Shape { has: &["cve", "condition", "detection_time"], rows: &[] },
];

const INDEXER_SHAPES: &[Shape] = &[
    Shape { has: &["hits/hits/0/_source/vulnerability"], rows: &["hits", "hits"] },
    // A search that found nothing.
    Shape { has: &["took", "timed_out", "hits/hits", "hits/total"], rows: &["hits", "hits"] },
    Shape { has: &["0/_source/vulnerability", "0/_source/agent"], rows: &[] },
    Shape { has: &["_source/vulnerability", "_source/agent"], rows: &[] },
    Shape { has: &["0/vulnerability/id", "0/agent", "0/package"], rows: &[] },
    Shape { has: &["vulnerability/id", "agent", "package"], rows: &[] },
];

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawItem<'a> {
    #[serde(borrow)]
    cve: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    architecture: Text<'a>,
    #[serde(borrow)]
    condition: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    cvss2_score: Amount,
    cvss3_score: Amount,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    published: Text<'a>,
    #[serde(borrow)]
    detection_time: Text<'a>,
    #[serde(borrow)]
    external_references: Few<Text<'a>, 64>,
    #[serde(borrow)]
    agent_id: Word<'a>,
    #[serde(borrow)]
    agent_name: Text<'a>,
    #[serde(borrow)]
    agent_ip: Text<'a>,
}

/// What `scanner.condition` says of a fix. It is free text: what is no version in it is not one.
fn fix(condition: &str) -> (FixState, Vec<PackageVersion>) {
    if let Some(version) = condition.strip_prefix("Package less than ").filter(|rest| !rest.starts_with("or equal")) {
        return (FixState::Fixed, PackageVersion::new(version.trim()).into_iter().collect());
    }
    match condition.split_whitespace().next().and_then(subject::kb) {
        Some(kb) if condition.ends_with("not installed") => (FixState::Fixed, vec![kb]),
        _ if condition.starts_with("Package unfixed") => (FixState::NotFixed, Vec::new()),
        _ => (FixState::Unknown, Vec::new()),
    }
}

/// A score of 0 stands for none.
fn cvss(version: &str, score: Amount) -> Option<crate::model::Cvss> {
    row::cvss(SCANNER, version, score.0.filter(|score| *score > 0.0)?, "")
}

impl RawItem<'_> {
    fn check(&self) -> Result<(Row, VulnerabilityType, &'static str), &'static str> {
        let vulnerability = row::vulnerability_id(&self.cve)?;
        if self.status.as_str().eq_ignore_ascii_case("OBSOLETE") {
            return Err(reason::CLOSED);
        }
        let (fix_state, fixed) = fix(self.condition.as_str());
        let is_kb = fixed.iter().any(|version| version.as_str().starts_with("KB"));
        let is_os = self.kind.as_str().eq_ignore_ascii_case("OS");
        // The API does not say which system the agent runs on. Spaces are in names on Windows only, and the names of
        // architectures are the distributions' own.
        let is_product = self.name.as_str().contains(' ');
        let (kind, ecosystem) = match self.architecture.as_str() {
            _ if is_kb => (VulnerabilityType::Windows, "windows"),
            _ if is_product && !is_os => (VulnerabilityType::Application, "windows"),
            _ if self.name.as_str().starts_with("Windows") || self.name.as_str().starts_with("Microsoft Windows") => {
                (VulnerabilityType::Windows, "windows")
            }
            "amd64" | "all" | "arm64" | "armhf" | "i386" => (VulnerabilityType::Linux, "deb"),
            "noarch" | "x86_64" | "aarch64" => (VulnerabilityType::Linux, "rpm"),
            _ => (VulnerabilityType::Linux, "unknown"),
        };
        let scores = [cvss("2.0", self.cvss2_score), cvss("3.1", self.cvss3_score)];
        let row = Row {
            package: Some(subject::product_name("", &self.name)?),
            installed: row::installed_version(&self.version)?,
            fixed,
            fix_state,
            severity: row::severity(self.severity.as_str()),
            cvss: scores.into_iter().flatten().collect(),
            published: subject::moment(self.published.as_str()),
            first_seen: subject::moment(self.detection_time.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(self.external_references.0.iter().map(Text::as_str)),
            ..Row::new(vulnerability)
        };
        Ok((row, kind, ecosystem))
    }
}

fn read_api(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, API_SHAPES, |raw: Option<RawItem<'_>>| {
        let Some(raw) = raw else { return sink.leave_out(reason::MALFORMED, 1) };
        let names = vec![raw.agent_name.as_str(), raw.agent_ip.as_str(), raw.agent_id.as_str()];
        let asset = Subject { names, kind: "host", ..Subject::default() }.enter(input, report);
        match raw.check() {
            Ok((row, kind, ecosystem)) => {
                sink.add(row.into_finding(Owner { asset: &asset, kind, ecosystem, location: None, scanner: SCANNER }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    })
}

/// A hit with the state in `_source`, or the state itself.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawHit<'a> {
    #[serde(rename = "_source")]
    source: Object<RawState<'a>>,
    agent: Object<RawAgent<'a>>,
    host: Object<RawHost<'a>>,
    package: Object<RawPackage<'a>>,
    vulnerability: Object<RawVulnerability<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawState<'a> {
    agent: Object<RawAgent<'a>>,
    host: Object<RawHost<'a>>,
    package: Object<RawPackage<'a>>,
    vulnerability: Object<RawVulnerability<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAgent<'a> {
    #[serde(borrow)]
    id: Word<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    ip: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawHost<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
    #[serde(borrow)]
    hostname: Text<'a>,
    os: Object<RawOs<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOs<'a> {
    #[serde(borrow)]
    platform: Text<'a>,
    #[serde(borrow)]
    full: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    category: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    published_at: Text<'a>,
    #[serde(borrow)]
    detected_at: Text<'a>,
    #[serde(borrow)]
    reference: Text<'a>,
    scanner: Object<RawScanner<'a>>,
    score: Object<RawScore<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScanner<'a> {
    #[serde(borrow)]
    condition: Text<'a>,
    #[serde(borrow)]
    reference: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScore<'a> {
    base: Amount,
    #[serde(borrow)]
    version: Text<'a>,
}

/// Which package manager a package is of.
fn ecosystem(kind: &str, is_windows: bool) -> (VulnerabilityType, &'static str) {
    match kind {
        "deb" => (VulnerabilityType::Linux, "deb"),
        "rpm" => (VulnerabilityType::Linux, "rpm"),
        "apk" => (VulnerabilityType::Linux, "apk"),
        "pacman" => (VulnerabilityType::Linux, "alpm"),
        "pypi" => (VulnerabilityType::Application, "pypi"),
        "npm" => (VulnerabilityType::Application, "npm"),
        "win" | "msi" => (VulnerabilityType::Application, "windows"),
        _ if is_windows => (VulnerabilityType::Application, "windows"),
        "pkg" | "macports" | "snap" => (VulnerabilityType::Application, "unknown"),
        _ => (VulnerabilityType::Linux, "unknown"),
    }
}

fn check(
    vulnerability: &RawVulnerability<'_>,
    package: &RawPackage<'_>,
    is_windows: bool,
) -> Result<(Row, VulnerabilityType, &'static str), &'static str> {
    let scanner = vulnerability.scanner.0.as_ref();
    let (fix_state, fixed) = fix(scanner.map_or("", |scanner| scanner.condition.as_str()));
    let is_os = vulnerability.category.as_str() == "OS" || fixed.iter().any(|v| v.as_str().starts_with("KB"));
    let (kind, ecosystem) = match ecosystem(package.kind.as_str(), is_windows) {
        (_, _) if is_os && is_windows => (VulnerabilityType::Windows, "windows"),
        (_, ecosystem) if is_os => (VulnerabilityType::Linux, ecosystem),
        known => known,
    };
    let name = if ecosystem == "windows" || is_os {
        subject::product_name("", &package.name)?
    } else {
        row::package_name(&package.name)?
    };
    let score = vulnerability.score.0.as_ref().and_then(|score| {
        let version = subject::cvss_version("", score.version.as_str());
        cvss(version, score.base)
    });
    let urls = vulnerability.reference.as_str().split(',').map(str::trim).take(MAX_REFERENCES);
    let row = Row {
        package: Some(name),
        installed: row::installed_version(&package.version)?,
        fixed,
        fix_state,
        severity: row::severity(vulnerability.severity.as_str()),
        cvss: score.into_iter().collect(),
        published: subject::moment(vulnerability.published_at.as_str()),
        first_seen: subject::moment(vulnerability.detected_at.as_str()),
        title: row::title([vulnerability.description.as_str()]),
        references: row::references(urls.chain(scanner.map(|scanner| scanner.reference.as_str()))),
        path: row::location(package.path.as_str()),
        ..Row::new(row::vulnerability_id(&vulnerability.id)?)
    };
    Ok((row, kind, ecosystem))
}

fn os(raw: &RawOs<'_>) -> Option<Os> {
    match raw.platform.as_str() {
        "" => None,
        "windows" => Some(Os {
            family: "windows".to_owned(),
            name: printable(raw.full.as_str(), 64),
            version: Some(printable(raw.version.as_str(), 64)).filter(|version| !version.is_empty()),
        }),
        "rhel" => trivy::os("redhat", raw.version.as_str()),
        "amzn" => trivy::os("amazon", raw.version.as_str()),
        "ol" => trivy::os("oracle", raw.version.as_str()),
        "almalinux" => trivy::os("alma", raw.version.as_str()),
        platform => trivy::os(platform, raw.version.as_str()),
    }
}

fn read_indexer(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, INDEXER_SHAPES, |raw: Option<RawHit<'_>>| {
        let Some(raw) = raw else { return sink.leave_out(reason::MALFORMED, 1) };
        let RawHit { source, agent, host, package, vulnerability } = raw;
        let state = source.0.unwrap_or(RawState { agent, host, package, vulnerability });
        let (agent, host) = (state.agent.or_default(), state.host.or_default());
        let raw_os = host.os.or_default();
        let is_windows = raw_os.platform.as_str() == "windows";
        let subject = Subject {
            names: vec![
                agent.name.as_str(),
                host.hostname.as_str(),
                agent.ip.as_str(),
                host.ip.as_str(),
                agent.id.as_str(),
            ],
            os: os(&raw_os),
            kind: "host",
            seen: None,
        };
        let asset = subject.enter(input, report);
        match check(&state.vulnerability.or_default(), &state.package.or_default(), is_windows) {
            Ok((row, kind, ecosystem)) => {
                let location = row.path.clone().filter(|_| kind == VulnerabilityType::Application);
                sink.add(row.into_finding(Owner { asset: &asset, kind, ecosystem, location, scanner: SCANNER }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::reports::{ReadOptions, Report, read_report};
    use super::*;
    use crate::model::HostName;

    fn read(text: &str) -> Report {
        read_report("w.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn item(condition: &str) -> serde_json::Value {
        json!({"cve": "CVE-2026-1000", "name": "bash", "version": "5.1-2", "architecture": "amd64", "condition": condition,
            "cvss2_score": 0, "cvss3_score": 9.8, "detection_time": "2026-01-02T03:04:05Z", "published": "2026-01-01",
            "severity": "Critical", "status": "VALID", "type": "PACKAGE", "title": "t",
            "external_references": ["https://example.org/1"], "agent_name": "web-1", "agent_ip": "10.0.0.1", "agent_id": "007"})
    }

    fn state(agent: &str, platform: &str, package: serde_json::Value, condition: &str) -> serde_json::Value {
        json!({"agent": {"id": "001", "name": agent}, "host": {"os": {"platform": platform, "full": "F", "version": "24.04"}},
            "package": package,
            "vulnerability": {"id": "CVE-2026-1000", "category": "Packages", "description": "d", "severity": "High",
                "detected_at": "2026-01-02T03:04:05.204Z", "published_at": "2026-01-01T00:00:00Z",
                "reference": "https://example.org/1, https://example.org/2", "score": {"base": 9.1, "version": "3.1"},
                "scanner": {"condition": condition, "reference": "https://example.org/3"}}})
    }

    #[test]
    fn items_of_the_api_are_read_in_every_shape() {
        let answer =
            json!({"data": {"affected_items": [item("Package unfixed")], "total_affected_items": 1}, "error": 0});
        let line = item("Package less than 5.1-2+deb12u1").to_string();
        for text in [answer.to_string(), json!([item("Package unfixed")]).to_string(), format!("{line}\n{line}"), line]
        {
            let report = read(&text);
            let finding = &report.findings[0];
            assert_eq!((report.format, report.findings.len()), ("wazuh-api", 1), "{text}");
            assert_eq!((finding.asset.as_str(), finding.ecosystem.as_str()), ("web-1", "deb"));
            assert_eq!(finding.cvss.len(), 1, "a score of 0 is none");
            assert_eq!(finding.published.unwrap().to_string(), "2026-01-01T00:00:00Z");
            let names: Vec<_> = report.assets["web-1"].names.iter().map(|name| name.as_str()).collect();
            assert_eq!(names, ["007", "10.0.0.1"]);
        }
        let empty = r#"{"data": {"affected_items": [], "total_affected_items": 0}}"#;
        assert_eq!((read(empty).format, read(empty).read), ("wazuh-api", 0));
    }

    #[test]
    fn conditions_tell_of_fixes_and_are_not_trusted() {
        for (condition, state, fixed) in [
            ("Package unfixed", FixState::NotFixed, None),
            ("Package less than 1:2.3", FixState::Fixed, Some("1:2.3")),
            ("Package less than lorem impsum", FixState::Fixed, None),
            ("Package less than 1; reboot", FixState::Fixed, None),
            ("Package less than or equal to 7", FixState::Unknown, None),
            ("Package default status", FixState::Unknown, None),
            ("KB5015808 patch is not installed", FixState::Fixed, Some("KB5015808")),
        ] {
            let (got, versions) = fix(condition);
            assert_eq!((got, versions.first().map(|v| v.as_str())), (state, fixed), "{condition}");
        }
        let report = read(&json!([item("KB5015808 patch is not installed")]).to_string());
        assert_eq!(report.findings[0].kind, VulnerabilityType::Windows);
        let mut obsolete = item("Package unfixed");
        obsolete["status"] = json!("OBSOLETE");
        assert_eq!(read(&json!([obsolete]).to_string()).left_out["closed"], 1);
    }

    #[test]
    fn states_of_the_indexer_are_read_in_every_shape() {
        let deb = json!({"name": "bash", "version": "5.1-2", "type": "deb"});
        let hit = json!({"_index": "i", "_source": state("web-1", "ubuntu", deb.clone(), "Package less than 5.1-3")});
        let answer = json!({"took": 1, "timed_out": false, "hits": {"total": {"value": 1}, "hits": [hit]}});
        let plain = state("web-1", "ubuntu", deb, "Package less than 5.1-3").to_string();
        for text in
            [answer.to_string(), hit.to_string(), format!("{hit}\n{hit}\n"), plain.clone(), format!("[{plain}]")]
        {
            let report = read(&text);
            let finding = &report.findings[0];
            assert_eq!((report.format, finding.asset.as_str(), finding.ecosystem.as_str()), ("wazuh", "web-1", "deb"));
            assert_eq!(finding.fixed[0].as_str(), "5.1-3");
            assert_eq!(finding.references.len(), 3);
            assert_eq!(report.assets["web-1"].os.as_ref().unwrap().version.as_deref(), Some("24.04"));
        }
        let empty = r#"{"took": 1, "timed_out": false, "hits": {"total": {"value": 0}, "hits": []}}"#;
        assert_eq!((read(empty).format, read(empty).read), ("wazuh", 0));
    }

    #[test]
    fn windows_is_told_from_its_applications() {
        let app =
            state("w", "windows", json!({"name": "Mozilla Firefox (x64 en-US)", "version": "1", "type": "win"}), "");
        let mut system = state("w", "windows", json!({"name": "Microsoft Windows Server 2019", "version": "10.0"}), "");
        system["vulnerability"]["category"] = json!("OS");
        let report = read(&format!("{app}\n{system}"));
        let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind.as_str()).collect();
        assert_eq!(kinds, ["application", "windows"], "{:?}", report.left_out);
        assert_eq!(report.assets["w"].os.as_ref().unwrap().family, "windows");
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let mut rows: Vec<_> = ["a; reboot", "$(id)", "a\nb", "-rf"]
            .map(|name| {
                let mut row = item("Package unfixed");
                row["name"] = json!(name);
                row
            })
            .into();
        rows.push(json!(7));
        rows.push(json!({"cve": 5}));
        rows.push(json!({"cve": "CVE-2026-1", "name": "a", "version": "1", "agent_name": "a\u{1b}[2Jb", "cvss3_score": f64::MAX}));
        rows.insert(0, item("Package unfixed"));
        let report = read(&json!(rows).to_string());
        assert_eq!((report.read, report.findings.len()), (8, 2), "{:?}", report.left_out);
        assert_eq!(report.left_out["unsafe-package-name"], 4);
        assert_eq!(report.left_out["malformed-row"], 2);
        assert!(report.assets.keys().all(|name| !name.as_str().contains('\u{1b}')));
        let text = json!({"data": {"affected_items": rows, "total_affected_items": 8}}).to_string();
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("w", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }

    #[test]
    fn a_given_host_names_answers_that_name_none() {
        let mut row = item("Package unfixed");
        for key in ["agent_name", "agent_ip", "agent_id"] {
            row.as_object_mut().unwrap().remove(key);
        }
        let text = json!([row]).to_string();
        assert_eq!(read(&text).findings[0].asset.as_str(), "unnamed artifact");
        let options = ReadOptions { host: Some(HostName::new("db-1").unwrap()), ..ReadOptions::default() };
        assert_eq!(read_report("w", text.as_bytes(), &options).unwrap().findings[0].asset.as_str(), "db-1");
    }
}
