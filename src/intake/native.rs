//! What `switchback scan` found on hosts, and the file it is kept in (`switchback.findings/v1`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Keep, Many, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, MAX_ALIASES, MAX_SCORES, Owner, Row, Sink, reason};
use crate::model::{AssetName, Finding, FixState, HostName, Os, UnitName, VulnerabilityType, printable};

/// The value of `format` in the file.
pub const FORMAT: &str = "switchback.findings/v1";

/// What `switchback scan` writes, of any version: a newer one is refused by name.
pub(super) const REPORT: Format = Format {
    name: "native",
    title: "what `switchback scan` writes (`switchback.findings/v1`)",
    scanner: "switchback",
    is: |peek| peek.root().is_some_and(|root| root.text("format").starts_with("switchback.findings/")),
    read,
};

/// What a scan saw on one host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct HostScan {
    /// The host.
    pub host: HostName,
    /// When it was looked at.
    pub scanned_at: Timestamp,
    /// What it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// What else matters for a fix.
    pub facts: HostFacts,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// Findings that were seen and are not among them, by reason (`whitelisted`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
}

/// What matters for a fix beyond the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct HostFacts {
    /// The running kernel (`uname -r`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_kernel: Option<String>,
    /// The newest installed kernel, as `uname -r` would say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_kernel: Option<String>,
    /// Whether the host needs a reboot already now.
    pub reboot_pending: bool,
    /// Why it needs one, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reboot_why: Vec<String>,
    /// Services that still map files which were replaced or deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale_services: Vec<UnitName>,
    /// What could not be found out, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The text of a findings file with these scans: of one host as it is, of several as a list by name.
pub fn write_scans(scans: &[HostScan]) -> Result<String, serde_json::Error> {
    #[derive(serde::Serialize)]
    struct One<'a> {
        format: &'static str,
        #[serde(flatten)]
        scan: &'a HostScan,
    }
    #[derive(serde::Serialize)]
    struct Several<'a> {
        format: &'static str,
        hosts: Vec<&'a HostScan>,
    }
    let mut text = match scans {
        [scan] => serde_json::to_string_pretty(&One { format: FORMAT, scan })?,
        scans => {
            let mut hosts: Vec<_> = scans.iter().collect();
            hosts.sort_by(|a, b| a.host.cmp(&b.host));
            serde_json::to_string_pretty(&Several { format: FORMAT, hosts })?
        }
    };
    text.push('\n');
    Ok(text)
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFile<'a> {
    #[serde(borrow)]
    format: Text<'a>,
    #[serde(borrow)]
    host: Text<'a>,
    #[serde(borrow)]
    scanned_at: Text<'a>,
    os: Option<RawOs<'a>>,
    facts: Option<RawFacts<'a>>,
    findings: Many<RawFinding<'a>>,
    hosts: Option<Many<RawScan<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawScan<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    #[serde(borrow)]
    scanned_at: Text<'a>,
    os: Option<RawOs<'a>>,
    facts: Option<RawFacts<'a>>,
    findings: Many<RawFinding<'a>>,
}

impl Keep for RawScan<'_> {
    fn keep(&self) -> bool {
        true
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOs<'a> {
    #[serde(borrow)]
    family: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFacts<'a> {
    #[serde(borrow)]
    running_kernel: Text<'a>,
    #[serde(borrow)]
    newest_kernel: Text<'a>,
    reboot_pending: bool,
    #[serde(borrow)]
    reboot_why: Few<Text<'a>, 100>,
    stale_services: Few<UnitName, 10_000>,
    #[serde(borrow)]
    notes: Few<Text<'a>, 100>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(borrow)]
    vulnerability: Text<'a>,
    #[serde(borrow)]
    aliases: Few<Text<'a>, MAX_ALIASES>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    ecosystem: Text<'a>,
    #[serde(borrow)]
    package: Text<'a>,
    #[serde(borrow)]
    location: Text<'a>,
    #[serde(borrow)]
    installed: Text<'a>,
    #[serde(borrow)]
    fixed: Few<Text<'a>, 32>,
    #[serde(borrow)]
    fix_state: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    cvss: Few<RawCvss<'a>, MAX_SCORES>,
    epss: Number,
    kev: bool,
    #[serde(borrow)]
    published: Text<'a>,
    #[serde(borrow)]
    first_seen: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    references: Few<Text<'a>, 64>,
    #[serde(borrow)]
    scanner: Text<'a>,
}

impl Keep for RawFinding<'_> {
    fn keep(&self) -> bool {
        true
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    score: Number,
    #[serde(borrow)]
    vector: Text<'a>,
}

/// A text that is one of the names by which serde knows the values of `T`.
fn named<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, &'static str> {
    let text: serde::de::value::BorrowedStrDeserializer<'de, serde::de::value::Error> =
        serde::de::value::BorrowedStrDeserializer::new(text);
    T::deserialize(text).map_err(|_| reason::MALFORMED)
}

impl RawFinding<'_> {
    fn check(&self, asset: &AssetName) -> Result<Finding, &'static str> {
        let vulnerability = row::vulnerability_id(&self.vulnerability)?;
        let mut fixed = Vec::new();
        for version in &self.fixed.0 {
            fixed.extend(row::installed_version(version)?);
        }
        let kind: VulnerabilityType = named(self.kind.as_str())?;
        let fix_state = match &self.fix_state {
            Text::Absent => FixState::Unknown,
            state => named(state.as_str())?,
        };
        let scores = self.cvss.0.iter().filter_map(|raw| {
            let version = ["2.0", "3.0", "3.1", "4.0"].into_iter().find(|v| *v == raw.version.as_str())?;
            row::cvss(raw.source.as_str(), version, raw.score.0?, raw.vector.as_str())
        });
        let mut cvss: Vec<_> = scores.collect();
        cvss.sort();
        let checked = Row {
            aliases: row::aliases(&self.aliases.0, &vulnerability),
            package: match &self.package {
                Text::Absent => None,
                package => Some(row::package_name(package)?),
            },
            installed: row::installed_version(&self.installed)?,
            fixed,
            fix_state,
            severity: row::severity(self.severity.as_str()),
            cvss,
            epss: row::probability(self.epss.0),
            kev: self.kev,
            published: row::time(self.published.as_str()),
            first_seen: row::time(self.first_seen.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(self.references.0.iter().map(Text::as_str)),
            ..Row::new(vulnerability)
        };
        let scanner = if self.scanner == Text::Absent { "switchback" } else { self.scanner.as_str() };
        let owner = Owner {
            asset,
            kind,
            ecosystem: &printable(self.ecosystem.as_str(), 32),
            location: row::location(self.location.as_str()),
            scanner: &printable(scanner, 64),
        };
        Ok(checked.into_finding(owner))
    }
}

/// Reads a findings file: what is wrong with the file is an error, what is wrong with a finding leaves it out.
fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let Input { name, bytes, given } = *input;
    let file: RawFile<'_> = json::parse(name, bytes)?;
    if file.format.as_str() != FORMAT {
        let message = format!("`{}` is another version than `{FORMAT}`", printable(file.format.as_str(), 60));
        return Err(
            IntakeError::new("unsupported-version", name, message).help("scan again with this version of switchback")
        );
    }
    let RawFile { host, scanned_at, os, facts, findings, hosts, .. } = file;
    let scans = match hosts {
        Some(hosts) => hosts.0,
        None => vec![RawScan { host, scanned_at, os, facts, findings }],
    };
    if given.is_some() && scans.len() > 1 {
        let message = format!("the file is about {} hosts: it cannot be given one name", scans.len());
        return Err(IntakeError::new("ambiguous-host", name, message).help("leave out `HOST=`"));
    }
    let mut seen = BTreeSet::new();
    for scan in scans {
        let host = match given {
            Some(host) => host.clone(),
            None => HostName::new(scan.host.as_str()).map_err(|error| {
                IntakeError::new("invalid-host-name", name, format!("`host`: {error}"))
                    .help("every scan names its host as the inventory does")
            })?,
        };
        if !seen.insert(host.clone()) {
            return Err(IntakeError::new("duplicate-host", name, format!("host `{host}` is there twice"))
                .help("keep one scan of each host in a file"));
        }
        let asset = AssetName::new(host.as_str())
            .map_err(|error| IntakeError::new("invalid-host-name", name, error.to_string()))?;
        for raw in &scan.findings.0 {
            match raw.check(&asset) {
                Ok(finding) => sink.add(finding),
                Err(why) => sink.leave_out(why, 1),
            }
        }
        let raw = scan.facts.unwrap_or_default();
        let text = |text: &Text<'_>| (!text.as_str().is_empty()).then(|| printable(text.as_str(), 128));
        let facts = HostFacts {
            running_kernel: text(&raw.running_kernel),
            newest_kernel: text(&raw.newest_kernel),
            reboot_pending: raw.reboot_pending,
            reboot_why: raw.reboot_why.0.iter().map(|why| printable(why.as_str(), 200)).collect(),
            stale_services: raw.stale_services.0,
            notes: raw.notes.0.iter().map(|note| printable(note.as_str(), 500)).collect(),
        };
        let os = scan
            .os
            .and_then(|os| Some(Os { family: text(&os.family)?, name: text(&os.name)?, version: text(&os.version) }));
        let looked = Asset {
            os,
            kind: Some("host".to_owned()),
            scanned_at: row::time(scan.scanned_at.as_str()),
            facts: Some(facts),
            ..Asset::default()
        };
        report.assets.insert(asset, looked);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;
    use crate::model::{Cvss, PackageName, PackageVersion, Probability, Score, Severity, VulnerabilityId};

    fn scan(host: &str) -> HostScan {
        let asset = AssetName::new(host).unwrap();
        let vulnerability = VulnerabilityId::new("CVE-2026-1").unwrap();
        let package = PackageName::new("libssl3").unwrap();
        let installed = PackageVersion::new("3.0.14-1~deb12u1").unwrap();
        HostScan {
            host: HostName::new(host).unwrap(),
            scanned_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            os: Some(Os { family: "debian".into(), name: "debian".into(), version: Some("12".into()) }),
            facts: HostFacts {
                running_kernel: Some("6.1.0-13-amd64".into()),
                newest_kernel: Some("6.1.0-18-amd64".into()),
                reboot_pending: true,
                reboot_why: vec!["a newer kernel is installed".into()],
                stale_services: vec![UnitName::new("nginx.service").unwrap()],
                notes: vec!["no changelog of tzdata".into()],
            },
            findings: vec![Finding {
                id: Finding::make_id(&asset, &vulnerability, Some(&package), Some(&installed), None),
                asset,
                vulnerability,
                aliases: [VulnerabilityId::new("DSA-1-1").unwrap()].into(),
                kind: VulnerabilityType::Linux,
                ecosystem: "deb".into(),
                package: Some(package),
                location: None,
                installed: Some(installed),
                fixed: vec![PackageVersion::new("3.0.15-1~deb12u1").unwrap()],
                fix_state: FixState::Fixed,
                severity: Some(Severity::High),
                cvss: vec![Cvss {
                    source: "nvd".into(),
                    version: "3.1".into(),
                    score: Score::from_hundredths(750),
                    vector: None,
                }],
                epss: Some(Probability::try_from(0.25).unwrap()),
                kev: true,
                published: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                first_seen: Some("2026-01-02T00:00:00Z".parse().unwrap()),
                title: Some("a flaw".into()),
                references: vec!["https://example.org/1".into()],
                claims: vec![],
                scanner: "switchback".into(),
            }],
            left_out: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for scans in [vec![scan("web-1")], vec![scan("web-1"), scan("db-1")]] {
            let text = write_scans(&scans).unwrap();
            let report = read_report("f", text.as_bytes(), &ReadOptions::default()).unwrap();
            assert_eq!(report.read, scans.len() as u64);
            for scan in &scans {
                let finding = report.findings.iter().find(|f| f.asset.as_str() == scan.host.as_str()).unwrap();
                assert_eq!(*finding, scan.findings[0]);
                let asset = &report.assets[scan.host.as_str()];
                assert_eq!(asset.facts.as_ref(), Some(&scan.facts));
                assert_eq!((asset.os.as_ref(), asset.scanned_at), (scan.os.as_ref(), Some(scan.scanned_at)));
            }
        }
    }

    #[test]
    fn hostile_findings_are_left_out_and_hostile_hosts_refused() {
        let text = write_scans(&[scan("web-1")]).unwrap();
        let read = |text: &str| read_report("f", text.as_bytes(), &ReadOptions::default());
        let report = read(&text.replace("\"libssl3\"", "\"a; reboot\"")).unwrap();
        assert_eq!((report.read, report.findings.len()), (1, 0));
        assert_eq!(report.left_out["unsafe-package-name"], 1);
        assert_eq!(read(&text.replace("\"web-1\"", "\"$(id)\"")).unwrap_err().code, "invalid-host-name");
        assert_eq!(read(&text.replace("nginx.service", "nginx;id")).unwrap_err().code, "invalid-report");
        assert_eq!(read(&text.replace("findings/v1", "findings/v9")).unwrap_err().code, "unsupported-version");
        let twice = write_scans(&[scan("web-1"), scan("web-1")]).unwrap();
        assert_eq!(read(&twice).unwrap_err().code, "duplicate-host");
    }

    #[test]
    fn a_given_host_renames_a_single_scan() {
        let options = ReadOptions { host: Some(HostName::new("other").unwrap()), ..ReadOptions::default() };
        let one = write_scans(&[scan("web-1")]).unwrap();
        let report = read_report("f", one.as_bytes(), &options).unwrap();
        assert_eq!(report.findings[0].asset.as_str(), "other");
        let two = write_scans(&[scan("web-1"), scan("db-1")]).unwrap();
        assert_eq!(read_report("f", two.as_bytes(), &options).unwrap_err().code, "ambiguous-host");
    }
}
