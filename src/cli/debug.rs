//! `switchback debug`: single questions, line by line, for support and for checks against others' tables.

use std::io::{BufRead as _, Read as _, stdin};
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::diagnostic::{Diagnostics, Source};
use crate::intake::expand_host_entry;
use crate::model::{
    Host, HostName, Prereleases, Severity, TimeSpan, VersionRange, VersionScheme, printable, score_vector,
};
use crate::policy::{Policy, WindowSet};

use super::args::Debug;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{read_inventory, settle};
use super::printer::Printer;

/// A longer line is no question.
const MAX_LINE: u64 = 1 << 20;

pub(super) fn run(args: &Debug, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Debug::VersionOrder { scheme } => version_order(scheme, printer),
        Debug::VersionRange { scheme } => version_range(scheme, printer),
        Debug::Cvss => cvss(printer),
        Debug::Windows { from, horizon } => windows(*from, *horizon, printer),
        Debug::Hosts { inventory, .. } if inventory.is_empty() => hosts(printer),
        Debug::Hosts { inventory, programs } => patterns(inventory, programs.run_inventory, printer),
    }
}

/// Feeds each line of stdin to `answer` and prints what it says as a JSON line.
fn each_line(printer: Printer, mut answer: impl FnMut(&str) -> serde_json::Value) -> Result<Exit, CommandError> {
    let mut input = stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = input
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot read stdin", &error))?;
        if read == 0 {
            return Ok(Exit::Ok);
        }
        let text = String::from_utf8_lossy(&line);
        printer.json_line(&answer(text.trim_end_matches(['\n', '\r'])))?;
    }
}

fn known_scheme(name: &str) -> Result<VersionScheme, CommandError> {
    VersionScheme::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = VersionScheme::ALL.iter().map(|(name, _)| *name).collect();
        CommandError::new(Exit::Usage, format!("there is no version scheme {:?}", printable(name, 40)))
            .hint(format!("known: {}", known.join(", ")))
    })
}

fn version_order(scheme: &str, printer: Printer) -> Result<Exit, CommandError> {
    let scheme = known_scheme(scheme)?;
    each_line(printer, |line| {
        let Some((a, b)) = line.split_once('\t') else {
            return json!({"error": "write two versions with a tab between them"});
        };
        match scheme.compare(a, b) {
            Ok(order) => json!({"order": order as i8}),
            Err(error) => json!({"error": error.to_string()}),
        }
    })
}

fn version_range(scheme: &str, printer: Printer) -> Result<Exit, CommandError> {
    let scheme = known_scheme(scheme)?;
    each_line(printer, |line| {
        let mut fields = line.split('\t');
        let (version, range, prereleases) = match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(version), Some(range), None, None) => (version, range, Prereleases::Named),
            (Some(version), Some(range), Some("includePrerelease"), None) => (version, range, Prereleases::All),
            _ => return json!({"error": "write a version and a range with a tab between them"}),
        };
        let range = match VersionRange::parse_with(scheme, range, prereleases) {
            Ok(range) => range,
            Err(error) => return json!({"error": error.to_string()}),
        };
        match range.contains(version) {
            Ok(contains) => json!({"contains": contains}),
            Err(error) => json!({"error": error.to_string()}),
        }
    })
}

fn cvss(printer: Printer) -> Result<Exit, CommandError> {
    each_line(printer, |line| match score_vector(line) {
        Ok(scored) => json!({
            "version": scored.version,
            "base": scored.base,
            "base_severity": severity(scored.base_severity),
            "temporal": scored.temporal,
            "environmental": scored.environmental,
            "score": scored.overall,
            "severity": severity(scored.severity),
        }),
        Err(error) => json!({"error": error.to_string()}),
    })
}

/// A score of 0.0 has the word `none`.
fn severity(severity: Option<Severity>) -> serde_json::Value {
    severity.map_or_else(|| json!("none"), |severity| json!(severity))
}

/// A window's schedule a line, as in a policy: what a host would get of it.
fn windows(from: Timestamp, horizon: TimeSpan, printer: Printer) -> Result<Exit, CommandError> {
    let host = HostName::new("any").map(Host::named);
    let host = host.map_err(|error| CommandError::caused(Exit::Failed, "debug", &error))?;
    each_line(printer, |line| {
        let text = format!("version: 1\nwindows:\n  - name: window\n    match: all\n    schedule: {line}\n");
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(vec![Source::new("window", text)], &mut diagnostics);
        let Some(policy) = policy else {
            let problems: Vec<String> =
                diagnostics.sorted().iter().map(|d| format!("{} [{}]", d.message, d.code)).collect();
            return json!({"error": problems.join("; ")});
        };
        match policy.windows_for(&host, from, horizon) {
            WindowSet::Set { intervals, .. } => {
                json!({"intervals": intervals.iter().map(|w| w.interval).collect::<Vec<_>>(), "tzdata": policy.tzdata_version()})
            }
            WindowSet::Always => json!({"error": "not a window"}),
            WindowSet::None { why } => json!({"error": why}),
        }
    })
}

/// An entry of an Ansible inventory a line: the hosts it names.
fn hosts(printer: Printer) -> Result<Exit, CommandError> {
    each_line(printer, |line| match expand_host_entry(line) {
        Ok((hosts, port)) => json!({"hosts": hosts, "port": port}),
        Err(error) => json!({"error": error}),
    })
}

/// A host pattern a line: the hosts of the inventory that it selects.
fn patterns(paths: &[PathBuf], run_programs: bool, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(paths, run_programs, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let Some(inventory) = inventory else {
        return Err(CommandError::new(Exit::InvalidInput, "the inventory cannot be read"));
    };
    each_line(printer, |line| match inventory.select(line) {
        Ok(selected) => json!({"hosts": selected.hosts}),
        Err(error) => json!({"error": error.to_string()}),
    })
}
