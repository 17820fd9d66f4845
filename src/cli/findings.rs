//! `switchback findings`: what scanner reports hold, normalised.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::intake::{Feeds, IntakeError, ReadOptions, Report, Reports, read_report_file, report_formats};
use crate::model::{Finding, HostName, Severity};
use crate::report::FindingsView;

use super::args::{Findings, Format};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn run(args: &Findings, printer: Printer) -> Result<Exit, CommandError> {
    if args.formats {
        let line = |(name, title)| format!("{name:<22} {title}\n");
        return printer.data(&report_formats().map(line).collect::<String>()).map(|()| Exit::Ok);
    }
    let mut reports = read_reports(&args.reports, args.from.as_deref())?;
    let feeds = read_feeds(&args.feeds)?;
    printer.diagnostics(feeds.warnings());
    for line in feeds.describe() {
        printer.talk(format!("feed: {line}"));
    }
    reports.findings.iter_mut().for_each(|finding| feeds.enrich(finding));
    for (what, count) in &reports.set_aside {
        printer.talk(format!("beside vulnerabilities: {count} {what}"));
    }
    match args.format {
        Format::Json => {
            let view = FindingsView { read: reports.read, findings: reports.findings, left_out: reports.left_out };
            printer.json(&view)?;
        }
        Format::Table => printer.data(&table(&reports))?,
    }
    Ok(Exit::Ok)
}

/// Reads `[HOST=]PATH` reports; all problems of all files at once.
pub(super) fn read_reports(arguments: &[String], format: Option<&str>) -> Result<Reports, CommandError> {
    let mut reports: Vec<Report> = Vec::new();
    let mut problems: Vec<IntakeError> = Vec::new();
    for argument in arguments {
        let (host, path) = split(argument);
        match read_report_file(Path::new(path), &ReadOptions { host, format: format.map(str::to_owned) }) {
            Ok(report) => reports.push(report),
            Err(error) => problems.push(error),
        }
    }
    if problems.is_empty() {
        return Ok(Reports::join(reports));
    }
    Err(CommandError::invalid(problems.into_iter().map(Into::into).collect()))
}

/// Reads feeds; all problems of all files at once.
pub(super) fn read_feeds(paths: &[PathBuf]) -> Result<Feeds, CommandError> {
    Feeds::read(paths).map_err(|problems| CommandError::invalid(problems.into_iter().map(Into::into).collect()))
}

/// `HOST=PATH` where the part before `=` is a host name and no file has the whole name.
pub(super) fn split(argument: &str) -> (Option<HostName>, &str) {
    if let Some((host, path)) = argument.split_once('=')
        && let Ok(host) = HostName::new(host)
        && !Path::new(argument).exists()
    {
        return (Some(host), path);
    }
    (None, argument)
}

fn table(reports: &Reports) -> String {
    let mut text = String::new();
    let mut assets: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &reports.findings {
        assets.entry(finding.asset.as_str()).or_default().push(finding);
    }
    // Writing to a String cannot fail.
    for (asset, findings) in assets {
        let _ = writeln!(text, "{asset}: {} findings", findings.len());
        for finding in findings {
            let severity = finding.severity.map_or("-", severity_name);
            let score = finding.base_score().map_or_else(|| "-".to_owned(), |cvss| cvss.score.to_string());
            let installed = finding.installed.as_ref().map_or("?", |v| v.as_str());
            let fixed: Vec<&str> = finding.fixed.iter().map(|v| v.as_str()).collect();
            let fixed = if fixed.is_empty() { "no fix".to_owned() } else { fixed.join(" or ") };
            let _ = writeln!(
                text,
                "  {severity:<10} {score:>4}  {:<20} {} {installed} -> {fixed}",
                finding.vulnerability.as_str(),
                finding.package.as_ref().map_or("-", |package| package.as_str())
            );
        }
    }
    let _ = writeln!(text, "{} rows read, {} findings", reports.read, reports.findings.len());
    for (reason, count) in &reports.left_out {
        let _ = writeln!(text, "  {count} left out: {reason}");
    }
    text
}

const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "negligible",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
