//! A scanner's report of any known format: told by its content, read, normalised, and every row accounted for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;

use super::error::IntakeError;
use super::format::{self, Format, Input};
use super::json;
use super::native::HostFacts;
use super::peek::Peek;
use super::row::Sink;
use crate::model::{AssetName, Finding, HostName, Os, printable};

/// What the user says about a report beyond its bytes.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The host that all its findings are about, whatever the report calls it (`-f HOST=PATH`).
    pub host: Option<HostName>,
    /// The name of the format, where the content shall not be asked (`--from FORMAT`).
    pub format: Option<String>,
}

/// What a report says about an asset beyond its findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
    /// Other names by which the inventory may know it: host name, FQDN, addresses, instance id.
    pub names: BTreeSet<AssetName>,
    /// What it runs.
    pub os: Option<Os>,
    /// What the scanner took it for (`container_image`, `filesystem`, `vm`, ...).
    pub kind: Option<String>,
    /// When it was looked at.
    pub scanned_at: Option<Timestamp>,
    /// What a native scan saw.
    pub facts: Option<HostFacts>,
}

/// A report as it was taken in: `read` = findings + all of `left_out`, always.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file as it was named.
    pub file: String,
    /// The tool that wrote it.
    pub scanner: String,
    /// The name of its format.
    pub format: &'static str,
    /// Every asset it speaks of, also those without a finding.
    pub assets: BTreeMap<AssetName, Asset>,
    /// Vulnerability rows as the tool wrote them.
    pub read: u64,
    /// Its findings, in the order of the file.
    pub findings: Vec<Finding>,
    /// Rows that became no finding, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// What it holds beside vulnerability rows, by kind: misconfigurations, secrets, licences, and findings that
    /// the scanner itself suppressed. Not part of `read`.
    pub set_aside: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn new(format: &Format) -> Self {
        Self {
            file: String::new(),
            scanner: format.scanner.to_owned(),
            format: format.name,
            assets: BTreeMap::new(),
            read: 0,
            findings: Vec::new(),
            left_out: BTreeMap::new(),
            set_aside: BTreeMap::new(),
        }
    }

    pub(super) fn set_aside(&mut self, what: &str, count: u64) {
        if count > 0 {
            *self.set_aside.entry(what.to_owned()).or_default() += count;
        }
    }

    pub(super) fn fill(mut self, sink: Sink) -> Self {
        self.read = sink.read;
        self.findings = sink.findings;
        self.left_out = sink.left_out;
        self
    }
}

/// Several reports together: a finding that more than one of them has is there once and knows what each said.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    /// Every asset they speak of.
    pub assets: BTreeMap<AssetName, Asset>,
    /// Vulnerability rows as the tools wrote them.
    pub read: u64,
    /// All findings, by id.
    pub findings: Vec<Finding>,
    /// Rows that became no finding of their own, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The file in which each asset comes up first.
    pub files: BTreeMap<AssetName, String>,
    /// What they hold beside vulnerability rows.
    pub set_aside: BTreeMap<String, u64>,
}

impl Reports {
    /// Puts reports together; their order does not matter.
    pub fn join(reports: impl IntoIterator<Item = Report>) -> Self {
        let mut sink = Sink::default();
        let mut joined = Self::default();
        for report in reports {
            for (why, rows) in report.left_out {
                sink.leave_out(&why, rows);
            }
            for finding in report.findings {
                sink.add(finding);
            }
            for (what, count) in report.set_aside {
                *joined.set_aside.entry(what).or_default() += count;
            }
            for (name, asset) in report.assets {
                let file = joined.files.entry(name.clone()).or_insert_with(|| report.file.clone());
                if report.file < *file {
                    file.clone_from(&report.file);
                }
                let known = joined.assets.entry(name).or_default();
                // The latest look counts.
                let newer = asset.scanned_at >= known.scanned_at;
                let (new, old) = if newer { (asset, std::mem::take(known)) } else { (std::mem::take(known), asset) };
                let mut names = new.names;
                names.extend(old.names);
                *known = Asset {
                    names,
                    os: new.os.or(old.os),
                    kind: new.kind.or(old.kind),
                    scanned_at: new.scanned_at,
                    facts: new.facts.or(old.facts),
                };
            }
        }
        sink.findings.sort_by(|a, b| a.id.cmp(&b.id));
        Self { read: sink.read, findings: sink.findings, left_out: sink.left_out, ..joined }
    }
}

/// Reads a report file.
pub fn read_report_file(path: &Path, options: &ReadOptions) -> Result<Report, IntakeError> {
    let bytes = json::read_file(path)?;
    read_report(&path.display().to_string(), &bytes, options)
}

/// Reads a report; `name` is what messages call it.
pub fn read_report(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Report, IntakeError> {
    let bytes = json::check(name, bytes)?;
    let format = match options.format.as_deref() {
        Some(wanted) => format::by_name(wanted).ok_or_else(|| {
            let known: Vec<&str> = format::report_formats().map(|(name, _)| name).collect();
            let error = IntakeError::new("unknown-report-format", name, format!("there is no format `{wanted}`"));
            error.help(format!("known are {}", known.join(", ")))
        })?,
        None => format::detect(name, &Peek::at(name, bytes)?)?,
    };
    let mut report = Report::new(format);
    let mut sink = Sink::default();
    (format.read)(&Input { name, bytes, given: options.host.as_ref() }, &mut report, &mut sink)?;
    report.file = printable(name, 300);
    Ok(report.fill(sink))
}
