//! `switchback findings`: what scanner reports hold, normalised.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostics;
use crate::intake::{Feeds, IntakeError, ReadOptions, Report, Reports, read_report_file, report_formats};
use crate::model::{AssetName, Finding, HostName};
use crate::report::{FindingsView, Sheet, SheetFormat, severity_name};

use super::args::{Findings, ListFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{match_findings, read_inventory, settle};
use super::output::Output;
use super::printer::{Printer, escape_json};

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
    if !args.inventory.is_empty() {
        reports = on_hosts(args, reports, printer)?;
    }
    for (what, count) in &reports.set_aside {
        printer.talk(format!("beside vulnerabilities: {count} {what}"));
    }
    let out = Output::new(args.output.as_deref(), args.format, printer)?;
    out.write(|out| match args.format.sheet() {
        // What is read and left out belongs to it.
        None | Some(SheetFormat::Json) => Ok(out.write_all(whole(args.format, reports)?.as_bytes())?),
        Some(format) => {
            let mut sheet = Sheet::begin::<Finding>(format, "findings", crate::env::now(), out)?;
            reports.findings.iter().try_for_each(|finding| sheet.row(finding))?;
            Ok(sheet.end()?)
        }
    })?;
    Ok(Exit::Ok)
}

fn whole(format: ListFormat, reports: Reports) -> io::Result<String> {
    if format == ListFormat::Table {
        return Ok(table(&reports));
    }
    let view = FindingsView { read: reports.read, findings: reports.findings, left_out: reports.left_out };
    Ok(escape_json(&serde_json::to_string_pretty(&view)?) + "\n")
}

/// The findings by host instead of by what each scanner called it, merged.
fn on_hosts(args: &Findings, mut reports: Reports, printer: Printer) -> Result<Reports, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    let (read, mut left_out, set_aside) =
        (reports.read, reports.left_out.clone(), std::mem::take(&mut reports.set_aside));
    let (before, mut matched) = (reports.findings.len(), Vec::new());
    if let Some(mut inventory) = inventory {
        matched = match_findings(&mut inventory, reports, &mut diagnostics);
    }
    settle(diagnostics, false, printer)?;
    let again = before.saturating_sub(matched.len()) as u64;
    if again > 0 {
        left_out.insert("reported-by-several-scanners".to_owned(), again);
    }
    let findings = matched.into_iter().filter_map(|(host, finding)| {
        let asset = AssetName::new(host.as_str()).ok()?;
        Some(Finding { asset, ..finding })
    });
    Ok(Reports { read, findings: findings.collect(), left_out, set_aside, ..Reports::default() })
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
            for claim in &finding.claims {
                let severity = claim.severity.map_or("no severity", severity_name);
                let fixed: Vec<&str> = claim.fixed.iter().map(|version| version.as_str()).collect();
                let fixed = if fixed.is_empty() { "no fix".to_owned() } else { fixed.join(" or ") };
                let _ = writeln!(text, "      {} says {severity}, {fixed}", claim.scanner);
            }
        }
    }
    let _ = writeln!(text, "{} rows read, {} findings", reports.read, reports.findings.len());
    for (reason, count) in &reports.left_out {
        let _ = writeln!(text, "  {count} left out: {reason}");
    }
    text
}
