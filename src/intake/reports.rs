//! A scanner's report of any known format: told by its content, read, normalised, and every row accounted for.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::error::IntakeError;
use super::json::{self, Root};
use super::native::{self, HostFacts};
use super::row::Sink;
use super::{trivy, trivy_operator};
use crate::model::{AssetName, Finding, HostName, Os, printable};

/// What the user says about a report beyond its bytes.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The host that all its findings are about, whatever the report calls it (`-f HOST=PATH`).
    pub host: Option<HostName>,
}

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportFormat {
    /// Trivy's report of one artifact, schema 2.
    Trivy,
    /// Trivy's list of results from before schema 2 (`null` and `[]` where nothing was found).
    TrivyLegacy,
    /// Trivy's report of a Kubernetes cluster.
    TrivyKubernetes,
    /// Custom resources of the Trivy operator.
    TrivyOperator,
    /// What `switchback scan` writes.
    Native,
}

/// What a report says about an asset beyond its findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asset {
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
    /// Its format.
    pub format: ReportFormat,
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
    pub(super) fn new(scanner: &str, format: ReportFormat) -> Self {
        Self {
            file: String::new(),
            scanner: scanner.to_owned(),
            format,
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
                *known = Asset {
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
    let root: Root = json::parse(name, bytes)?;
    let format = detect(name, &root)?;
    let given = options.host.as_ref();
    let mut sink = Sink::default();
    let mut report = Report::new(if format == ReportFormat::Native { "switchback" } else { "trivy" }, format);
    match format {
        ReportFormat::Trivy | ReportFormat::TrivyKubernetes => {
            let raw: trivy::RawReport<'_> = json::parse(name, bytes)?;
            if raw.schema_version.0.is_some_and(|version| version > 2.0) {
                let version = raw.schema_version.0.unwrap_or_default();
                return Err(IntakeError::new(
                    "unsupported-version",
                    name,
                    format!("Trivy's schema version {version} is newer than 2, the newest one known here"),
                )
                .help("update switchback, or write the report with an older Trivy"));
            }
            trivy::artifact_or_cluster(raw, given, &mut report, &mut sink);
        }
        ReportFormat::TrivyLegacy => {
            let raw: Option<_> = json::parse(name, bytes)?;
            trivy::legacy(raw.unwrap_or_default(), given, &mut report, &mut sink);
        }
        ReportFormat::TrivyOperator => trivy_operator::read(json::parse(name, bytes)?, given, &mut report, &mut sink),
        ReportFormat::Native => native::read(name, bytes, given, &mut report, &mut sink)?,
    }
    report.file = printable(name, 300);
    Ok(report.fill(sink))
}

/// Tells the format by the root of the document.
fn detect(name: &str, root: &Root) -> Result<ReportFormat, IntakeError> {
    let kind = root.text("kind");
    match root {
        Root::Null | Root::List(None) => return Ok(ReportFormat::TrivyLegacy),
        Root::List(Some(first)) if first.has("Target") => return Ok(ReportFormat::TrivyLegacy),
        Root::Object(keys) if keys.is_empty() => return Ok(ReportFormat::Trivy),
        Root::Object(_) if root.text("format") == native::FORMAT => return Ok(ReportFormat::Native),
        Root::Object(_) if root.text("format").starts_with("switchback.findings/") => {
            let message = format!("`{}` is another version than `{}`", root.text("format"), native::FORMAT);
            return Err(IntakeError::new("unsupported-version", name, message)
                .help("scan again with this version of switchback"));
        }
        Root::Object(_) if root.has("ClusterName") => return Ok(ReportFormat::TrivyKubernetes),
        Root::Object(_)
            if ["SchemaVersion", "Results", "ArtifactName", "ArtifactType"].iter().any(|key| root.has(key)) =>
        {
            return Ok(ReportFormat::Trivy);
        }
        Root::Object(_) if root.has("apiVersion") && kind.contains("VulnerabilityReport") => {
            return Ok(ReportFormat::TrivyOperator);
        }
        Root::Object(_) if root.has("apiVersion") && kind == "List" && root.has("items") => {
            return Ok(ReportFormat::TrivyOperator);
        }
        _ => {}
    }
    let known = other_tool(root).map(|tool| format!(": this looks like {tool}, which cannot be read yet"));
    Err(IntakeError::new(
        "unknown-report-format",
        name,
        format!("the document is {}, no report known here{}", root.describe(), known.unwrap_or_default()),
    )
    .help("known are Trivy's JSON (`trivy ... --format json`) and what `switchback scan` writes"))
}

/// What else it may be, so that the message helps.
fn other_tool(root: &Root) -> Option<&'static str> {
    let has = |keys: &[&str]| keys.iter().all(|key| root.has(key));
    [
        (&["matches", "descriptor"][..], "a Grype report"),
        (&["runs", "version"], "SARIF"),
        (&["bomFormat"], "a CycloneDX document"),
        (&["spdxVersion"], "an SPDX document"),
        (&["@context", "statements"], "an OpenVEX document"),
        (&["document", "vulnerabilities"], "a CSAF document"),
        (&["results", "experimental_config"], "an OSV-Scanner report"),
        (&["Findings"], "AWS Security Hub findings"),
        (&["vulnerabilities", "scan"], "a GitLab report"),
    ]
    .iter()
    .find(|(keys, _)| has(keys))
    .map(|&(_, tool)| tool)
}
