//! Google Artifact Analysis: occurrences of vulnerabilities in images.

use serde::Deserialize;

use super::each::{self, Amount, Object, Objects, Shape};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{Cvss, FixState, Os, PackageVersion, VulnerabilityType};

const SCANNER: &str = "google-artifact-analysis";

/// `gcloud artifacts docker images describe`, `gcloud artifacts vulnerabilities list`, the API.
pub(super) const OCCURRENCES: Format = Format {
    name: "gcloud",
    title: "Google Artifact Analysis (`gcloud artifacts docker images describe --show-package-vulnerability`, `... vulnerabilities list`)",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, SHAPES),
    read,
};

const SHAPES: &[Shape] = &[
    Shape {
        has: &["package_vulnerability_summary/vulnerabilities"],
        rows: &["package_vulnerability_summary", "vulnerabilities", "*"],
    },
    // Described without a vulnerability.
    Shape {
        has: &["image_summary/fully_qualified_digest"],
        rows: &["package_vulnerability_summary", "vulnerabilities", "*"],
    },
    Shape { has: &["occurrences/0/noteName"], rows: &["occurrences"] },
    Shape { has: &["0/noteName", "0/resourceUri"], rows: &[] },
    Shape { has: &["noteName", "resourceUri", "kind"], rows: &[] },
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawOccurrence<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    note_name: Text<'a>,
    #[serde(borrow)]
    resource_uri: Text<'a>,
    #[serde(borrow)]
    create_time: Text<'a>,
    #[serde(borrow)]
    update_time: Text<'a>,
    vulnerability: Object<RawVulnerability<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    cvssv3: Object<RawScore>,
    #[serde(rename = "cvssV2")]
    cvss_v2: Object<RawScore>,
    #[serde(borrow)]
    effective_severity: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    short_description: Text<'a>,
    #[serde(borrow)]
    long_description: Text<'a>,
    related_urls: Few<Object<RawUrl<'a>>, 64>,
    package_issue: Objects<RawIssue<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawScore {
    base_score: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawUrl<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawIssue<'a> {
    #[serde(borrow)]
    affected_cpe_uri: Text<'a>,
    #[serde(borrow)]
    affected_package: Text<'a>,
    affected_version: Object<RawVersion<'a>>,
    #[serde(borrow)]
    effective_severity: Text<'a>,
    file_location: Few<Object<RawFile<'a>>, 4>,
    fixed_version: Object<RawVersion<'a>>,
    #[serde(borrow)]
    package_type: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawVersion<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    full_name: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    revision: Text<'a>,
    epoch: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawFile<'a> {
    #[serde(borrow)]
    file_path: Text<'a>,
}

impl RawVersion<'_> {
    /// `MAXIMUM` is later than every version: of a fix it says that there is none.
    fn read(&self) -> Result<Option<PackageVersion>, &'static str> {
        if matches!(self.kind.as_str(), "MAXIMUM" | "MINIMUM") {
            return Ok(None);
        }
        if self.full_name != Text::Absent {
            return row::installed_version(&self.full_name);
        }
        if self.name == Text::Absent {
            return Ok(None);
        }
        let epoch = self.epoch.0.filter(|epoch| *epoch > 0.0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let revision = self.revision.as_str();
        let revision = if revision.is_empty() { String::new() } else { format!("-{revision}") };
        row::installed_version(&Text::Is(format!("{epoch}{}{revision}", self.name.as_str()).into()))
    }
}

/// `cpe:/o:debian:debian_linux:12`.
fn os(cpe: &str) -> Option<Os> {
    let mut parts = cpe.strip_prefix("cpe:/o:")?.split(':');
    let (vendor, _, version) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    let family = match vendor {
        "canonical" => "ubuntu",
        "alpinelinux" | "alpine" => "alpine",
        "rockylinux" => "rocky",
        "almalinux" => "alma",
        known => known,
    };
    trivy::os(family, version)
}

/// Whose package it is.
fn ecosystem(package_type: &str, os: Option<&Os>) -> (VulnerabilityType, &'static str) {
    let language = match package_type {
        "OS" | "" => {
            let family = os.map_or("", |os| os.family.as_str());
            let known = match family {
                "debian" => "deb",
                "alpine" => "apk",
                "redhat" | "suse" => "rpm",
                _ => "unknown",
            };
            return (VulnerabilityType::Linux, known);
        }
        "MAVEN" => "maven",
        "GO" | "GO_STDLIB" => "golang",
        "PYPI" => "pypi",
        "NPM" => "npm",
        "NUGET" => "nuget",
        "RUBYGEMS" => "gem",
        "RUST" => "cargo",
        "COMPOSER" => "composer",
        _ => "unknown",
    };
    (VulnerabilityType::Application, language)
}

impl RawVulnerability<'_> {
    fn scores(&self) -> Vec<Cvss> {
        let text = self.long_description.as_str();
        let vector = text.split_whitespace().find(|word| word.starts_with("CVSS:3")).unwrap_or_default();
        let base = |score: &Object<RawScore>| score.0.as_ref().and_then(|score| score.base_score.0);
        let v2 = base(&self.cvss_v2).and_then(|score| row::cvss(SCANNER, "2.0", score, ""));
        let v3 = base(&self.cvssv3)
            .and_then(|score| row::cvss(SCANNER, subject::cvss_version(vector, "3.1"), score, vector));
        v2.into_iter().chain(v3).collect()
    }

    fn row(&self, raw: &RawOccurrence<'_>) -> Result<Row, &'static str> {
        let id = match &raw.note_name {
            Text::Is(note) => Text::Is(note.rsplit('/').next().unwrap_or_default().into()),
            other => other.clone(),
        };
        let severity = [&self.effective_severity, &self.severity].map(Text::as_str);
        let urls = self.related_urls.0.iter().filter_map(|url| url.0.as_ref());
        Ok(Row {
            severity: severity.into_iter().find_map(subject::severity),
            cvss: self.scores(),
            first_seen: subject::moment(raw.create_time.as_str()),
            title: row::title([self.short_description.as_str()]),
            references: row::references(urls.map(|url| url.url.as_str())),
            ..Row::new(row::vulnerability_id(&id)?)
        })
    }
}

impl RawIssue<'_> {
    fn complete(&self, mut row: Row) -> Result<Row, &'static str> {
        let version = |version: &Object<RawVersion<'_>>| version.0.as_ref().map_or(Ok(None), RawVersion::read);
        row.package = Some(row::package_name(&self.affected_package)?);
        row.installed = version(&self.affected_version)?;
        row.fixed = version(&self.fixed_version)?.into_iter().collect();
        let none = self.fixed_version.0.as_ref().is_some_and(|version| version.kind.as_str() == "MAXIMUM");
        row.fix_state = match () {
            () if !row.fixed.is_empty() => FixState::Fixed,
            () if none => FixState::NotFixed,
            () => FixState::Unknown,
        };
        row.severity = subject::severity(self.effective_severity.as_str()).or(row.severity);
        let file = self.file_location.0.iter().find_map(|file| file.0.as_ref());
        row.path = file.and_then(|file| row::location(file.file_path.as_str()));
        Ok(row)
    }
}

/// An occurrence names every package of the image that has the vulnerability, each of which must be fixed: every
/// package counts as a row, and an occurrence without packages as one.
fn take(raw: &RawOccurrence<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    if !matches!(raw.kind.as_str(), "VULNERABILITY" | "") {
        return report.set_aside("other-occurrence", 1);
    }
    let empty = RawVulnerability::default();
    let vulnerability = raw.vulnerability.0.as_ref().unwrap_or(&empty);
    let issues = &vulnerability.package_issue;
    let system = issues.first.iter().flatten().find_map(|issue| os(issue.affected_cpe_uri.as_str()));
    let uri = raw.resource_uri.as_str();
    let subject = Subject {
        names: vec![uri.strip_prefix("https://").unwrap_or(uri)],
        os: system.clone(),
        kind: "container_image",
        seen: subject::moment(raw.update_time.as_str()),
    };
    let asset = subject.enter(input, report);
    let base = match vulnerability.row(raw) {
        Ok(base) => base,
        Err(why) => {
            return sink.leave_out(why, u64::try_from(issues.first.len().max(1)).unwrap_or(u64::MAX) + issues.beyond);
        }
    };
    let mut wrong = vec![(reason::TOO_MANY, issues.beyond)];
    let mut add = |row: Row, (kind, ecosystem): (VulnerabilityType, &str)| {
        let location = row.path.clone().filter(|_| kind != VulnerabilityType::Linux);
        sink.add(row.into_finding(Owner { asset: &asset, kind, ecosystem, location, scanner: SCANNER }));
    };
    if issues.first.is_empty() {
        add(base, ecosystem("", system.as_ref()));
        return;
    }
    for issue in &issues.first {
        let row = issue.as_ref().map_or(Err(reason::MALFORMED), |issue| issue.complete(base.clone()));
        match (row, issue) {
            (Ok(row), Some(issue)) => add(row, ecosystem(issue.package_type.as_str(), system.as_ref())),
            (Err(why), _) => wrong.push((why, 1)),
            (Ok(_), None) => {}
        }
    }
    wrong.into_iter().for_each(|(why, rows)| sink.leave_out(why, rows));
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawOccurrence<'_>>| match raw {
        Some(raw) => take(&raw, input, report, sink),
        None => sink.leave_out(reason::MALFORMED, 1),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};
    use super::*;

    fn read(text: &str) -> Report {
        read_report("g.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn occurrence(issues: &Value) -> Value {
        json!({"kind": "VULNERABILITY", "noteName": "projects/goog-vulnz/notes/CVE-2026-1000", "createTime": "2026-01-02T03:04:05.25Z",
            "resourceUri": "https://pkg.dev/a/b@sha256:1", "vulnerability": {"effectiveSeverity": "MINIMAL", "cvssv3": {"baseScore": 9.8},
                "longDescription": "NIST vectors: CVSS:3.0/AV:N", "relatedUrls": [{"url": "https://example.org/1"}], "packageIssue": issues}})
    }

    fn issue(package: &str, kind: &str, fixed: &Value) -> Value {
        json!({"affectedCpeUri": "cpe:/o:debian:debian_linux:12", "affectedPackage": package, "packageType": kind,
            "affectedVersion": {"kind": "NORMAL", "epoch": 1, "name": "1.2.13", "revision": "1"}, "fixedVersion": fixed,
            "fileLocation": [{"filePath": "/usr/x"}]})
    }

    #[test]
    fn occurrences_are_read_in_every_shape() {
        let none = json!({"kind": "MAXIMUM"});
        let one =
            occurrence(&json!([issue("zlib", "OS", &none), issue("go", "GO_STDLIB", &json!({"fullName": "1.19.10"}))]));
        for text in [
            json!({"image_summary": {}, "package_vulnerability_summary": {"vulnerabilities": {"LOW": [one]}}})
                .to_string(),
            json!({"occurrences": [one]}).to_string(),
            json!([one, {"kind": "DISCOVERY", "noteName": "n", "resourceUri": "r"}]).to_string(),
            one.to_string(),
        ] {
            let report = read(&text);
            let [os, go] = &report.findings[..] else { panic!("{text}: {:?}", report.left_out) };
            assert_eq!(
                (report.format, os.asset.as_str(), os.ecosystem.as_str()),
                ("gcloud", "pkg.dev/a/b@sha256:1", "deb")
            );
            assert_eq!((os.installed.as_ref().unwrap().as_str(), os.fix_state), ("1:1.2.13-1", FixState::NotFixed));
            assert_eq!((go.fixed[0].as_str(), go.location.as_deref()), ("1.19.10", Some("/usr/x")));
            assert_eq!((os.cvss[0].version.as_str(), os.severity), ("3.0", Some(crate::model::Severity::Negligible)));
        }
        let described = r#"{"image_summary": {"fully_qualified_digest": "x"}}"#;
        assert_eq!(read(described).read, 0);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let fixed = json!({"fullName": "1 && id"});
        let issues =
            json!([issue("a; reboot", "OS", &json!(null)), issue("a", "OS", &fixed), 7, issue("a", "OS", &json!(7))]);
        let mut nameless = occurrence(&issues);
        nameless["noteName"] = json!("projects/$(id)");
        let text = json!({"occurrences": [occurrence(&issues), nameless, 7]}).to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (9, 1), "{:?}", report.left_out);
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("g", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
