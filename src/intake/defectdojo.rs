//! DefectDojo's generic findings: the format that own scanners are brought into.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::each::{self, Amount, Flag, Shape, Word};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::Root;
use super::lenient::{Few, Text, otherwise};
use super::reports::Report;
use super::row::{self, MAX_ALIASES, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use crate::model::{FixState, VulnerabilityId, VulnerabilityType};

const SCANNER: &str = "defectdojo";

/// Generic findings in JSON.
pub(super) const GENERIC: Format = Format {
    name: "defectdojo-generic",
    title: "DefectDojo's generic findings in JSON",
    scanner: SCANNER,
    is: |peek| {
        // Inspector's findings have a title too.
        let is_other = peek.root().is_some_and(|root| root.has(&["findings/0/findingArn"]));
        (each::is_one(peek, SHAPES) && !is_other) || peek.root().is_some_and(is_empty)
    },
    read,
};

const SHAPES: &[Shape] =
    &[Shape { has: &["findings/0/title", "findings/0/severity", "findings/0/description"], rows: &["findings"] }];
const EMPTY: &[Shape] = &[Shape { has: &["findings", "name"], rows: &["findings"] }];

/// A test that has a name and found nothing.
fn is_empty(root: &Root) -> bool {
    matches!(root.at("findings"), Some(Root::List(None))) && root.has(&["name"])
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    date: Text<'a>,
    #[serde(borrow)]
    publish_date: Text<'a>,
    #[serde(borrow)]
    cve: Text<'a>,
    #[serde(borrow)]
    vulnerability_ids: Few<Text<'a>, MAX_ALIASES>,
    #[serde(borrow)]
    cvssv3: Text<'a>,
    cvssv3_score: Amount,
    #[serde(borrow)]
    cvssv4: Text<'a>,
    cvssv4_score: Amount,
    epss_score: Amount,
    known_exploited: Flag,
    active: Flag,
    false_p: Flag,
    out_of_scope: Flag,
    risk_accepted: Flag,
    is_mitigated: Flag,
    #[serde(borrow)]
    component_name: Text<'a>,
    #[serde(borrow)]
    component_version: Word<'a>,
    fix_available: Flag,
    #[serde(borrow)]
    fix_version: Word<'a>,
    #[serde(borrow)]
    file_path: Text<'a>,
    #[serde(borrow)]
    references: Text<'a>,
    #[serde(borrow)]
    service: Text<'a>,
    endpoints: Few<Endpoint<'a>, 1000>,
}

/// Where it was found: a host by itself or in a URL, or an object with a host.
#[derive(Default)]
struct Endpoint<'a>(Text<'a>);

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawEndpoint<'a> {
    #[serde(borrow)]
    host: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Endpoint<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Endpoint<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Endpoint<'de>, E> {
                Ok(Endpoint(Text::Is(text.into())))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Endpoint<'de>, E> {
                Ok(Endpoint(Text::Is(text.to_owned().into())))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint<'de>, A::Error> {
                RawEndpoint::deserialize(MapAccessDeserializer::new(map)).map(|raw| Endpoint(raw.host))
            }
            fn visit_unit<E: Error>(self) -> Result<Endpoint<'de>, E> {
                Ok(Endpoint::default())
            }
            otherwise!('de, Endpoint::default(), [scalars numbers seq]);
        }
        deserializer.deserialize_any(V)
    }
}

impl Endpoint<'_> {
    /// The host of `https://user@host:8443/path`.
    fn host(&self) -> &str {
        let text = self.0.as_str().trim();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        match host.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
            None => host,
        }
    }
}

impl RawFinding<'_> {
    /// Why it opens no work.
    fn is_done(&self) -> Option<&'static str> {
        let is = |flag: Flag| flag.0 == Some(true);
        match () {
            () if is(self.false_p) => Some(reason::FALSE_POSITIVE),
            () if is(self.risk_accepted) => Some(reason::RISK_ACCEPTED),
            () if is(self.out_of_scope) => Some(reason::SUPPRESSED),
            () if is(self.is_mitigated) || self.active.0 == Some(false) => Some(reason::CLOSED),
            () => None,
        }
    }

    fn row(&self) -> Result<Row, &'static str> {
        if let Some(why) = self.is_done() {
            return Err(why);
        }
        let listed = &self.vulnerability_ids.0;
        let first = if self.cve == Text::Absent { listed.first().unwrap_or(&Text::Absent) } else { &self.cve };
        let vulnerability: VulnerabilityId = row::vulnerability_id(first)?;
        let fixed = row::fixed_versions(&self.fix_version.0)?;
        let package = match &self.component_name {
            Text::Absent => None,
            name => Some(row::package_name(name)?),
        };
        let scores = [
            (&self.cvssv3, self.cvssv3_score, subject::cvss_version(self.cvssv3.as_str(), "3.1")),
            (&self.cvssv4, self.cvssv4_score, "4.0"),
        ];
        let scores = scores
            .into_iter()
            .filter_map(|(vector, score, version)| row::cvss(SCANNER, version, score.0?, vector.as_str()));
        Ok(Row {
            aliases: row::aliases(listed, &vulnerability),
            package,
            installed: row::installed_version(&self.component_version.0)?,
            fix_state: match self.fix_available.0 {
                Some(false) if fixed.is_empty() => FixState::NotFixed,
                None if fixed.is_empty() => FixState::Unknown,
                _ => FixState::Fixed,
            },
            fixed,
            severity: row::severity(self.severity.as_str()),
            cvss: scores.collect(),
            epss: row::probability(self.epss_score.0),
            kev: self.known_exploited.0 == Some(true),
            published: subject::moment(self.publish_date.as_str()),
            first_seen: subject::moment(self.date.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(self.references.as_str().split_whitespace()),
            path: row::location(self.file_path.as_str()),
            ..Row::new(vulnerability)
        })
    }
}

/// A finding may be about several hosts: each counts as a row.
fn take(raw: &RawFinding<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let hosts: BTreeSet<&str> = raw.endpoints.0.iter().map(Endpoint::host).filter(|host| !host.is_empty()).collect();
    // One host for all of them, where the user says which.
    let hosts: Vec<&str> = if hosts.is_empty() || input.given.is_some() {
        vec![hosts.first().copied().unwrap_or_else(|| raw.service.as_str())]
    } else {
        hosts.into_iter().collect()
    };
    let row = raw.row();
    for host in hosts {
        match &row {
            Err(why) => sink.leave_out(why, 1),
            Ok(row) => {
                let asset = Subject { names: vec![host], kind: "host", ..Subject::default() }.enter(input, report);
                let kind = VulnerabilityType::Application;
                let location = row.path.clone();
                let owner = Owner { asset: &asset, kind, ecosystem: "unknown", location, scanner: SCANNER };
                sink.add(row.clone().into_finding(owner));
            }
        }
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, &[SHAPES, EMPTY].concat(), |raw: Option<RawFinding<'_>>| match raw {
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
    use crate::model::HostName;

    fn read(text: &str) -> Report {
        read_report("g.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn finding(extra: &Value) -> Value {
        let mut finding =
            json!({"title": "t", "description": "d", "severity": "High", "date": "2026-01-02", "cve": "CVE-2026-1000"});
        for (key, value) in extra.as_object().unwrap() {
            finding[key] = value.clone();
        }
        finding
    }

    #[test]
    fn findings_are_read_with_all_they_say() {
        let full = finding(&json!({"vulnerability_ids": ["GHSA-1", "CVE-2026-1000"], "component_name": "spring-core",
            "component_version": "6.1.0", "fix_version": "6.1.1", "cvssv4": "CVSS:4.0/AV:N", "cvssv4_score": 7.3, "epss_score": 0.5,
            "known_exploited": true, "endpoints": ["https://user@web-1.example.org:8443/x", {"host": "10.0.0.1"}, "web-1.example.org"]}));
        let text = json!({"name": "n", "findings": [full, finding(&json!({"fix_available": false}))]}).to_string();
        let report = read(&text);
        let shown: Vec<_> =
            report.findings.iter().map(|f| (f.asset.as_str(), f.fix_state, f.kev, f.cvss.len())).collect();
        let expected = [
            ("10.0.0.1", FixState::Fixed, true, 1),
            ("web-1.example.org", FixState::Fixed, true, 1),
            ("unnamed artifact", FixState::NotFixed, false, 0),
        ];
        assert_eq!(shown, expected);
        assert_eq!((report.format, report.read, report.findings[0].aliases.len()), ("defectdojo-generic", 3, 1));
        let options = ReadOptions { host: Some(HostName::new("db-1").unwrap()), ..ReadOptions::default() };
        assert_eq!(read_report("g", text.as_bytes(), &options).unwrap().read, 2);
        let empty = read(r#"{"name": "n", "type": "t", "findings": []}"#);
        assert_eq!((empty.format, empty.read), ("defectdojo-generic", 0));
    }

    #[test]
    fn what_people_decided_is_kept() {
        let rows = ["false_p", "risk_accepted", "out_of_scope", "is_mitigated"].map(|key| finding(&json!({key: true})));
        let mut rows = rows.to_vec();
        rows.push(finding(&json!({"active": "false"})));
        rows.push(finding(&json!({"cve": null})));
        let report = read(&json!({"findings": rows}).to_string());
        let left_out: Vec<_> = report.left_out.iter().map(|(why, rows)| format!("{why} {rows}")).collect();
        let expected = [
            "closed 2",
            "false-positive 1",
            "missing-vulnerability-id 1",
            "risk-accepted 1",
            "suppressed-by-scanner 1",
        ];
        assert_eq!(left_out, expected);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let rows = json!([
            finding(&json!({})),
            finding(&json!({"component_name": "a; reboot"})),
            finding(&json!({"fix_version": "$(id)"})),
            finding(&json!({"cve": 7})),
            7,
            finding(&json!({"endpoints": [7, null, "a\u{1b}[2J"]}))
        ]);
        let text = json!({"findings": rows}).to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (6, 2), "{:?}", report.left_out);
        assert!(report.assets.keys().all(|name| !name.as_str().contains('\u{1b}')));
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("g", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
