//! Red Hat Satellite, that is Foreman with Katello: errata that apply to hosts.

use serde::Deserialize;

use super::each::{self, Flag, Object, Shape};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, MAX_ALIASES, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use crate::model::{FixState, PackageName, PackageVersion, VulnerabilityId, VulnerabilityType};

const SCANNER: &str = "satellite";

/// `GET /katello/api/errata`, `GET /api/hosts/ID/errata`.
pub(super) const ERRATA: Format = Format {
    name: "satellite",
    title: "Red Hat Satellite / Foreman: applicable errata (`GET /api/hosts/ID/errata`, `GET /katello/api/errata`)",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, SHAPES),
    read,
};

const SHAPES: &[Shape] = &[
    Shape { has: &["results/0/errata_id"], rows: &["results"] },
    // A page with nothing on it.
    Shape { has: &["results", "selectable", "subtotal", "per_page"], rows: &["results"] },
    Shape { has: &["0/errata_id", "0/packages"], rows: &[] },
    Shape { has: &["errata_id", "packages"], rows: &[] },
];

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawErratum<'a> {
    #[serde(borrow)]
    errata_id: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    issued: Text<'a>,
    cves: Few<Object<RawCve<'a>>, MAX_ALIASES>,
    #[serde(borrow)]
    packages: Few<Text<'a>, 10_000>,
    installable: Flag,
    host: Object<RawHost<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCve<'a> {
    #[serde(borrow)]
    cve_id: Text<'a>,
    #[serde(borrow)]
    href: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawHost<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// `NAME-VERSION-RELEASE.ARCHITECTURE` as name and version.
fn nevra(text: &str) -> Option<(PackageName, PackageVersion)> {
    let text = text.strip_suffix(".rpm").unwrap_or(text);
    let (rest, _) = text.rsplit_once('.')?;
    let (rest, release) = rest.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let fine = version.starts_with(|c: char| c.is_ascii_digit());
    let version = PackageVersion::new(&format!("{version}-{release}")).ok().filter(|_| fine)?;
    Some((PackageName::new(name).ok()?, version))
}

impl RawErratum<'_> {
    fn row(&self) -> Result<Row, &'static str> {
        let advisory = row::vulnerability_id(&self.errata_id)?;
        let cves = self.cves.0.iter().filter_map(|cve| cve.0.as_ref());
        let ids: Vec<VulnerabilityId> =
            cves.clone().filter_map(|cve| VulnerabilityId::new(cve.cve_id.as_str()).ok()).collect();
        let (vulnerability, aliases) = subject::named_by(Some(advisory), ids).ok_or(reason::NO_ID)?;
        // An erratum lists what it ships, not what a host has of it: only one name alone says what is installed.
        let mut shipped = self.packages.0.iter().map(|package| nevra(package.as_str()));
        let first = shipped.next().flatten();
        let mut is_one = |name: &PackageName| shipped.all(|other| other.is_some_and(|(other, _)| other == *name));
        let (package, fixed) = match first {
            Some((name, version)) if is_one(&name) => (Some(name), vec![version]),
            _ => (None, Vec::new()),
        };
        Ok(Row {
            aliases,
            package,
            fixed,
            // What is applicable has a fix; whether the host's content view has it yet is `installable`.
            fix_state: if self.installable.0 == Some(false) { FixState::Deferred } else { FixState::Fixed },
            severity: subject::severity(self.severity.as_str()),
            published: subject::moment(self.issued.as_str()),
            title: row::title([self.title.as_str(), self.name.as_str()]),
            references: row::references(cves.map(|cve| cve.href.as_str())),
            ..Row::new(vulnerability)
        })
    }
}

fn take(raw: &RawErratum<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let other = match raw.kind.as_str() {
        "bugfix" | "recommended" => Some("bugfix-erratum"),
        "enhancement" | "optional" => Some("enhancement-erratum"),
        _ => None,
    };
    // A fix of bugs may still name CVEs.
    if let Some(other) = other.filter(|_| raw.cves.0.is_empty()) {
        return report.set_aside(other, 1);
    }
    let host = raw.host.0.as_ref().map_or("", |host| host.name.as_str());
    let asset = Subject { names: vec![host], kind: "host", ..Subject::default() }.enter(input, report);
    match raw.row() {
        Ok(row) => {
            let kind = VulnerabilityType::Linux;
            let owner = Owner { asset: &asset, kind, ecosystem: "rpm", location: None, scanner: SCANNER };
            sink.add(row.into_finding(owner));
        }
        Err(why) => sink.leave_out(why, 1),
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawErratum<'_>>| match raw {
        Some(raw) => take(&raw, input, report, sink),
        None => sink.leave_out(reason::MALFORMED, 1),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};
    use crate::model::{HostName, Severity};

    fn read(text: &str) -> Report {
        let options = ReadOptions { host: Some(HostName::new("web-1").unwrap()), ..ReadOptions::default() };
        read_report("s.json", text.as_bytes(), &options).unwrap()
    }

    fn erratum(id: &str, kind: &str, cves: &[&str], packages: &Value) -> Value {
        let cves: Vec<_> =
            cves.iter().map(|cve| json!({"cve_id": cve, "href": format!("https://e.org/{cve}")})).collect();
        json!({"id": 1, "errata_id": id, "type": kind, "severity": "Important", "title": "t", "issued": "2026-01-02", "cves": cves,
            "packages": packages, "module_streams": [], "installable": true})
    }

    #[test]
    fn errata_are_read_and_fixes_of_bugs_set_aside() {
        let rows = json!([
            erratum(
                "RHSA-2026:1",
                "security",
                &["CVE-2026-1000"],
                &json!(["firefox-115.6.0-1.el9_3.x86_64", "firefox-115.6.0-1.el9_3.src"])
            ),
            erratum(
                "RHSA-2026:2",
                "security",
                &["CVE-2026-1001", "CVE-2026-1002"],
                &json!(["a-1-1.x86_64", "b-c-1-1.x86_64"])
            ),
            erratum("RHBA-2026:3", "bugfix", &[], &json!(["c-1-1.noarch"])),
            erratum("RHEA-2026:4", "enhancement", &[], &json!([]))
        ]);
        let page = json!({"total": 4, "subtotal": 4, "selectable": 4, "page": 1, "per_page": 20, "results": rows});
        let report = read(&page.to_string());
        assert_eq!((report.format, report.read), ("satellite", 2));
        assert_eq!((report.set_aside["bugfix-erratum"], report.set_aside["enhancement-erratum"]), (1, 1));
        let [one, several] = &report.findings[..] else { panic!("{:?}", report.left_out) };
        assert_eq!((one.vulnerability.as_str(), one.package.as_ref().unwrap().as_str()), ("CVE-2026-1000", "firefox"));
        assert_eq!((one.fixed[0].as_str(), one.severity), ("115.6.0-1.el9_3", Some(Severity::High)));
        assert_eq!(
            (several.vulnerability.as_str(), several.aliases.len(), &several.package),
            ("RHSA-2026:2", 2, &None)
        );
        let empty = json!({"total": 0, "subtotal": 0, "selectable": 0, "page": 1, "per_page": 20, "results": []});
        assert_eq!(read(&empty.to_string()).read, 0);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let packages = json!(["a;id-1-1.x86_64", 7]);
        let rows = json!([
            erratum("$(id)", "security", &[], &packages),
            erratum("RHSA-1", "security", &["`x`"], &packages),
            7
        ]);
        let text = json!({"results": rows, "selectable": 3, "subtotal": 3, "per_page": 20}).to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (3, 1), "{:?}", report.left_out);
        assert_eq!((&report.findings[0].package, report.findings[0].aliases.len()), (&None, 0));
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("s", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
