//! `switchback scan`: pending security updates as the hosts' own package managers see them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::intake::{HostScan, Inventory, write_scans};
use crate::model::{Host, HostName, printable};
use crate::run::{ScanError, ScanOptions, scan};
use crate::transport::{SshLimits, SshTransport};

use super::args::{Format, Scan};
use super::drive::runtime;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{read_inventory, read_text, settle};
use super::printer::Printer;

pub(super) fn run(args: &Scan, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let Some(inventory) = inventory else {
        return Err(CommandError::new(Exit::InvalidInput, "the inventory cannot be read"));
    };
    if let Some(unknown) = args.hosts.iter().find(|host| !inventory.hosts.contains_key(*host)) {
        return Err(CommandError::new(Exit::InvalidInput, format!("the inventory does not have {unknown}"))
            .code("unknown-host")
            .hint("--host names hosts as the inventory names them"));
    }
    let limited = args.limit.as_ref().map(|pattern| limit(&inventory, pattern, printer)).transpose()?;
    let hosts: Vec<Host> = inventory
        .hosts
        .values()
        .filter(|host| args.hosts.is_empty() || args.hosts.contains(&host.name))
        .filter(|host| limited.as_ref().is_none_or(|limited| limited.contains(&host.name)))
        .cloned()
        .collect();
    if hosts.is_empty() && (limited.is_some() || !args.hosts.is_empty()) {
        return Err(CommandError::new(Exit::InvalidInput, "no host is both in --host and in --limit")
            .code("empty-limit")
            .hint("leave one of them out"));
    }
    let (scans, failed) = scan_hosts(hosts, usize::from(args.concurrency), printer)?;
    if let Some(path) = &args.output {
        write(path, &scans)?;
    }
    match args.format {
        Format::Json if args.output.is_none() => printer.data(&to_json(&scans)?)?,
        Format::Json => {}
        Format::Table => printer.data(&table(&scans))?,
    }
    if failed.is_empty() {
        return Ok(Exit::Ok);
    }
    let mut error =
        CommandError::new(Exit::Failed, format!("{} hosts could not be scanned", failed.len())).code("scan-incomplete");
    for (host, why) in failed.iter().take(20) {
        error = error.hint(format!("{host}: {}", CommandError::caused(Exit::Failed, "scan", why).message));
    }
    Err(error)
}

/// The hosts that a pattern selects; a pattern that selects none is more likely mistyped than meant.
fn limit(inventory: &Inventory, pattern: &str, printer: Printer) -> Result<BTreeSet<HostName>, CommandError> {
    let invalid = |message: String| CommandError::new(Exit::InvalidInput, message);
    let help = "groups and hosts with `:` between them, `&` for both, `!` for not: web:&eu:!web-3";
    let listed = pattern.strip_prefix('@').map(|file| listed(Path::new(file))).transpose()?;
    let selected = inventory
        .select(listed.as_deref().unwrap_or(pattern))
        .map_err(|error| invalid(format!("--limit cannot be used: {error}")).code("invalid-pattern").hint(help))?;
    for part in &selected.unmatched {
        printer.talk(format!("--limit: `{part}` matches no host and no group"));
    }
    if selected.hosts.is_empty() {
        return Err(invalid(format!("--limit {:?} selects no host of the inventory", printable(pattern, 80)))
            .code("empty-limit")
            .hint(help));
    }
    Ok(selected.hosts.into_iter().collect())
}

/// The patterns of a file, one a line, as one pattern.
fn listed(path: &Path) -> Result<String, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let text = read_text(path, &mut diagnostics).ok_or_else(|| CommandError::invalid(diagnostics.sorted()))?;
    // With a comma behind each, a colon in a line parts nothing.
    Ok(text.lines().flat_map(|line| [line, ","]).collect())
}

/// What was scanned, and what could not be.
pub(super) type Scanned = (Vec<HostScan>, BTreeMap<HostName, ScanError>);

/// Scans hosts over SSH.
pub(super) fn scan_hosts(hosts: Vec<Host>, concurrency: usize, printer: Printer) -> Result<Scanned, CommandError> {
    let transport = SshTransport::new(SshLimits::default())
        .map_err(|error| CommandError::caused(Exit::Failed, "cannot prepare ssh", &error))?;
    let options = ScanOptions { concurrency, ..ScanOptions::default() };
    let answers = runtime()?.block_on(scan(Arc::new(transport), hosts, options, |host, result| match result {
        Ok(scan) => printer.talk(format!("{host}: {} findings", scan.findings.len())),
        Err(_) => printer.talk(format!("{host}: failed")),
    }));
    let (mut scans, mut failed) = (Vec::new(), BTreeMap::new());
    for (host, answer) in answers {
        match answer {
            Ok(scan) => scans.push(scan),
            Err(error) => {
                failed.insert(host, error);
            }
        }
    }
    Ok((scans, failed))
}

/// Writes the findings file.
pub(super) fn write(path: &Path, scans: &[HostScan]) -> Result<(), CommandError> {
    std::fs::write(path, to_json(scans)?)
        .map_err(|error| CommandError::caused(Exit::Failed, format!("cannot write {}", path.display()), &error))
}

fn to_json(scans: &[HostScan]) -> Result<String, CommandError> {
    write_scans(scans).map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))
}

fn table(scans: &[HostScan]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for scan in scans {
        let os = scan
            .os
            .as_ref()
            .map_or_else(|| "?".to_owned(), |os| format!("{} {}", os.name, os.version.as_deref().unwrap_or("?")));
        let _ = writeln!(text, "{:<24} {os:<14} {:>4} findings", scan.host.as_str(), scan.findings.len());
        if scan.facts.reboot_pending {
            let _ = writeln!(text, "  reboot pending: {}", scan.facts.reboot_why.join("; "));
        }
        for note in &scan.facts.notes {
            let _ = writeln!(text, "  {note}");
        }
        if !scan.facts.stale_services.is_empty() {
            let units: Vec<&str> = scan.facts.stale_services.iter().map(|u| u.as_str()).collect();
            let _ = writeln!(text, "  still use deleted libraries: {}", units.join(", "));
        }
    }
    text
}
