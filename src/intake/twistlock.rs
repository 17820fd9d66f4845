//! Twistlock, today Prisma Cloud: what `twistcli` writes of an image or a host.

use serde::Deserialize;

use super::each::{self, Amount, Objects, Shape, Word};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Count, Text};
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy::{self, Check, Rows};
use crate::model::{FixState, Os, VulnerabilityType};

const SCANNER: &str = "twistlock";

/// `twistcli images scan --output-file`, `twistcli hosts scan`.
pub(super) const RESULTS: Format = Format {
    name: "twistlock",
    title: "Twistlock / Prisma Cloud: `twistcli ... scan --output-file FILE`",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, SHAPES),
    read,
};

const SHAPES: &[Shape] = &[
    Shape { has: &["results/0/vulnerabilityDistribution"], rows: &["results"] },
    Shape { has: &["results/0/complianceDistribution"], rows: &["results"] },
    Shape { has: &["results/0/vulnerabilities/0/packageName"], rows: &["results"] },
    Shape { has: &["results/0/distro", "results/0/id"], rows: &["results"] },
];

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResult<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    distro: Text<'a>,
    #[serde(rename = "scanTime", borrow)]
    scan_time: Text<'a>,
    vulnerabilities: Rows<RawVulnerability<'a>>,
    compliances: Count,
    packages: Objects<RawPackage<'a>>,
}

/// What is installed: the type tells a distribution's package from a library.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    cvss: Amount,
    #[serde(borrow)]
    vector: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(rename = "packageName", borrow)]
    package: Text<'a>,
    #[serde(rename = "packageVersion", borrow)]
    version: Text<'a>,
    #[serde(rename = "packageType", borrow)]
    package_type: Text<'a>,
    #[serde(rename = "packagePath", borrow)]
    path: Text<'a>,
    #[serde(borrow)]
    link: Text<'a>,
    #[serde(rename = "publishedDate", borrow)]
    published: Word<'a>,
    #[serde(rename = "discoveredDate", borrow)]
    discovered: Word<'a>,
}

/// `fixed in 4.1.3, 4.0.9`, `open`, `needed`, `will not fix`, ...
fn fix(status: &str) -> (FixState, Text<'_>) {
    let status = status.trim();
    if let Some(versions) = status.strip_prefix("fixed in ") {
        return (FixState::Fixed, Text::Is(versions.into()));
    }
    let state = match status.to_ascii_lowercase().as_str() {
        "open" | "needed" | "affected" | "vulnerable" => FixState::NotFixed,
        "deferred" | "fix deferred" | "postponed" => FixState::Deferred,
        "will not fix" | "won't fix" | "wont fix" | "ignored" => FixState::WillNotFix,
        "end-of-life" | "end of life" | "out of support scope" => FixState::EndOfLife,
        "not affected" => FixState::NotAffected,
        "fixed" | "released" => FixState::Fixed,
        _ => FixState::Unknown,
    };
    (state, Text::Absent)
}

/// `glibc (used in libc6, libc-bin)`: the source package, which the row is about.
fn source<'a>(name: &'a Text<'_>) -> Text<'a> {
    match name {
        Text::Is(text) => Text::Is(text.split(" (used in ").next().unwrap_or_default().into()),
        Text::Absent => Text::Absent,
        Text::Wrong => Text::Wrong,
    }
}

impl Check for RawVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let (fix_state, fixed) = fix(self.status.as_str());
        let vector = self.vector.as_str();
        let version = subject::cvss_version(vector, "");
        let time = |word: &Word<'_>| {
            let seconds = word.as_str().parse::<f64>().ok().map(|seconds| seconds * 1000.0);
            subject::moment(word.as_str()).or_else(|| subject::millis(seconds))
        };
        let is_os = self.package_type.as_str() == "package" || self.package_type.as_str() == "os";
        Ok(Row {
            package: Some(row::package_name(&source(&self.package))?),
            installed: row::installed_version(&self.version)?,
            fixed: row::fixed_versions(&fixed)?,
            fix_state,
            severity: subject::severity(self.severity.as_str()),
            cvss: self.cvss.0.and_then(|score| row::cvss(SCANNER, version, score, vector)).into_iter().collect(),
            published: time(&self.published),
            first_seen: time(&self.discovered),
            title: row::title([self.description.as_str()]),
            references: row::references([self.link.as_str()]),
            path: row::location(self.path.as_str()),
            // Used in another sense until the row has an owner: what the tool calls the type, if it does.
            purl_type: (!is_os && self.package_type != Text::Absent).then(|| self.package_type.as_str().to_owned()),
            ..Row::new(row::vulnerability_id(&self.id)?)
        })
    }
}

/// `Debian GNU/Linux 9 (stretch)`, `Red Hat Enterprise Linux release 8.6 (Ootpa)`.
fn os(distro: &str) -> Option<Os> {
    const FAMILIES: &[(&str, &str)] = &[
        ("debian", "debian"),
        ("ubuntu", "ubuntu"),
        ("alpine", "alpine"),
        ("red hat", "redhat"),
        ("centos", "centos"),
        ("rocky", "rocky"),
        ("almalinux", "alma"),
        ("amazon", "amazon"),
        ("oracle", "oracle"),
        ("fedora", "fedora"),
        ("suse", "sles"),
        ("photon", "photon"),
    ];
    let lower = distro.to_ascii_lowercase();
    let (_, family) = FAMILIES.iter().find(|(start, _)| lower.contains(start))?;
    let version =
        lower.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    trivy::os(family, version)
}

/// The kind of a library by the type that the tool gives it.
fn library(kind: &str) -> &str {
    match kind.to_ascii_lowercase().as_str() {
        "python" => "pypi",
        "nodejs" | "node" => "npm",
        "jar" | "java" => "maven",
        "gem" | "ruby" => "gem",
        "go" => "golang",
        "nuget" => "nuget",
        "rust" => "cargo",
        _ => "unknown",
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawResult<'_>>| {
        let Some(raw) = raw else { return sink.leave_out(reason::MALFORMED, 1) };
        report.set_aside("compliance", raw.compliances.0);
        let os = os(raw.distro.as_str());
        let ecosystem = os.as_ref().map_or("unknown", |os| match os.family.as_str() {
            "debian" => "deb",
            "alpine" => "apk",
            "redhat" | "suse" => "rpm",
            _ => "unknown",
        });
        let is_host = raw.hostname != Text::Absent && raw.name == Text::Absent;
        let subject = Subject {
            names: vec![raw.name.as_str(), raw.hostname.as_str(), raw.id.as_str()],
            os: os.clone(),
            kind: if is_host { "host" } else { "container_image" },
            seen: subject::moment(raw.scan_time.as_str()),
        };
        let asset = subject.enter(input, report);
        let packages: Vec<&RawPackage<'_>> = raw.packages.first.iter().flatten().collect();
        let mut rows = raw.vulnerabilities;
        for row in rows.checked() {
            // The row itself may say the type; else the list of what is installed does. What is in a path of its own,
            // or installed by a language, is none of the distribution.
            let said = row.purl_type.take();
            let listed = || {
                let name = row.package.as_ref()?.as_str();
                packages.iter().find(|package| package.name.as_str() == name).map(|package| package.kind.as_str())
            };
            row.purl_type = match said.as_deref().or_else(listed) {
                Some("os" | "package") => None,
                Some(kind) => Some(library(kind).to_owned()),
                None if row.path.is_some() => Some("unknown".to_owned()),
                None => None,
            };
        }
        rows.pour(sink, |row| Owner {
            asset: &asset,
            kind: if row.purl_type.is_some() { VulnerabilityType::Application } else { VulnerabilityType::Linux },
            ecosystem,
            location: row.path.clone().filter(|_| row.purl_type.is_some()),
            scanner: SCANNER,
        });
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::reports::{ReadOptions, Report, read_report};

    fn read(text: &str) -> Report {
        read_report("t.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    #[test]
    fn results_are_read_with_their_packages() {
        let text = json!({"results": [{"id": "sha256:1", "name": "img:1", "distro": "Debian GNU/Linux 9 (stretch)",
            "compliances": [{}, {}], "complianceDistribution": {}, "vulnerabilityDistribution": {},
            "vulnerabilities": [
                {"id": "CVE-2026-1000", "status": "open", "cvss": 9.8, "vector": "CVSS:3.0/AV:N", "severity": "important",
                    "packageName": "glibc (used in libc6, libc-bin)", "packageVersion": "2.24-11+deb9u4", "link": "https://e.org/1"},
                {"id": "CVE-2026-1001", "status": "fixed in 4.1.3, 4.0.9", "severity": "critical", "packageName": "org.apache.cxf_cxf-core",
                    "packageVersion": "3.5", "packagePath": "/opt/cxf.jar", "publishedDate": "2025-08-08T11:15:25+01:00"},
                {"id": "CVE-2026-1002", "status": "will not fix", "severity": "low", "packageName": "wsgiref", "packageVersion": "0.1"},
                {"id": "CVE-2026-1003", "severity": "moderate", "packageName": "lodash", "packageVersion": "4", "packageType": "nodejs"}],
            "packages": [{"type": "os", "name": "glibc"}, {"type": "python", "name": "wsgiref"}]}]});
        let report = read(&text.to_string());
        assert_eq!((report.format, report.read, report.set_aside["compliance"]), ("twistlock", 4, 2));
        let shown: Vec<_> = report
            .findings
            .iter()
            .map(|f| {
                format!(
                    "{} {} {} {:?} {}",
                    f.package.as_ref().unwrap(),
                    f.kind.as_str(),
                    f.ecosystem,
                    f.fix_state,
                    f.fixed.len()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "glibc linux deb NotFixed 0",
                "org.apache.cxf_cxf-core application unknown Fixed 2",
                "wsgiref application pypi WillNotFix 0",
                "lodash application npm Unknown 0"
            ]
        );
        assert_eq!(report.findings[0].cvss[0].version, "3.0");
        assert_eq!(report.assets["img:1"].names.len(), 1);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let text = json!({"results": [{"vulnerabilityDistribution": null, "vulnerabilities": [
            {"id": "CVE-2026-1", "packageName": "a; reboot"}, {"id": "CVE-2026-1", "packageName": "a", "status": "fixed in $(id)"},
            {"id": 7}, null, {"id": "CVE-2026-1", "packageName": "a", "cvss": 1e300}]}, 7]})
        .to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (6, 1), "{:?}", report.left_out);
        assert_eq!(report.findings[0].asset.as_str(), "unnamed artifact");
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("t", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
