//! `switchback scan`: pending security updates as the hosts' own package managers see them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::intake::{HostScan, Inventory, write_scans};
use crate::model::{DecisionKind, Host, HostName, printable};
use crate::policy::Policy;
use crate::run::{ScanError, ScanOptions, scan};
use crate::transport::{SshLimits, SshTransport};

use super::args::{Format, Scan};
use super::drive::runtime;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_policy, read_inventory, read_text, settle};
use super::output::whole;
use super::printer::Printer;

pub(super) fn run(args: &Scan, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics);
    let policy = load_policy(&args.policies, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let (Some(inventory), Some(policy)) = (inventory, policy) else {
        return Err(CommandError::new(Exit::InvalidInput, "inventory or policies cannot be read"));
    };
    let hosts = chosen(&inventory, &args.hosts, args.limit.as_deref(), printer)?.into_iter().cloned().collect();
    let (mut scans, failed) = scan_hosts(hosts, usize::from(args.concurrency), printer)?;
    leave_out_whitelisted(&mut scans, &policy, &inventory);
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

/// The hosts that are named by `--host` and selected by `--limit`.
pub(super) fn chosen<'a>(
    inventory: &'a Inventory,
    named: &[HostName],
    pattern: Option<&str>,
    printer: Printer,
) -> Result<Vec<&'a Host>, CommandError> {
    if let Some(unknown) = named.iter().find(|host| !inventory.hosts.contains_key(*host)) {
        return Err(CommandError::new(Exit::InvalidInput, format!("the inventory does not have {unknown}"))
            .code("unknown-host")
            .hint("--host names hosts as the inventory names them"));
    }
    let limited = pattern.map(|pattern| limit(inventory, pattern, printer)).transpose()?;
    let hosts: Vec<&Host> = inventory
        .hosts
        .values()
        .filter(|host| named.is_empty() || named.contains(&host.name))
        .filter(|host| limited.as_ref().is_none_or(|limited| limited.contains(&host.name)))
        .collect();
    if hosts.is_empty() && (limited.is_some() || !named.is_empty()) {
        return Err(CommandError::new(Exit::InvalidInput, "no host is both in --host and in --limit")
            .code("empty-limit")
            .hint("leave one of them out"));
    }
    Ok(hosts)
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

/// Takes out what policy accepts and counts it; what is ignored stays, to be reported again.
fn leave_out_whitelisted(scans: &mut [HostScan], policy: &Policy, inventory: &Inventory) {
    for scan in scans {
        let Some(host) = inventory.hosts.get(&scan.host) else { continue };
        // Policy may ask for the system, which the scan has just seen.
        let host = Host { os: host.os.clone().or_else(|| scan.os.clone()), ..host.clone() };
        let before = scan.findings.len();
        scan.findings.retain(|finding| policy.decide(finding, &host, scan.scanned_at).kind != DecisionKind::Whitelist);
        let left_out = before - scan.findings.len();
        if left_out > 0 {
            scan.left_out.insert("whitelisted".to_owned(), left_out as u64);
        }
    }
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
    let json = to_json(scans)?;
    whole(path, |out| out.write_all(json.as_bytes()))
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
        for (reason, count) in &scan.left_out {
            let _ = writeln!(text, "  {count} left out: {reason}");
        }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::diagnostic::Source;
    use crate::intake::HostFacts;
    use crate::model::{AssetName, Finding, FixState, Os, PackageName, VulnerabilityId, VulnerabilityType};

    fn finding(id: &str) -> Finding {
        let (asset, vulnerability) = (AssetName::new("web-1").unwrap(), VulnerabilityId::new(id).unwrap());
        let package = PackageName::new("openssl").unwrap();
        Finding {
            id: Finding::make_id(&asset, &vulnerability, Some(&package), None, None),
            asset,
            vulnerability,
            aliases: Default::default(),
            kind: VulnerabilityType::Linux,
            ecosystem: "deb".into(),
            package: Some(package),
            location: None,
            installed: None,
            fixed: Vec::new(),
            fix_state: FixState::Fixed,
            severity: None,
            cvss: Vec::new(),
            epss: None,
            kev: false,
            published: None,
            first_seen: None,
            title: None,
            references: Vec::new(),
            claims: Vec::new(),
            scanner: "switchback".into(),
        }
    }

    #[test]
    fn what_is_whitelisted_is_left_out_and_what_is_ignored_stays() {
        let exception = |name: &str, kind: &str, id: &str, rest: &str, expires: &str| {
            format!(
                "  - {{name: {name}, kind: {kind}, match: {{vulnerability: {id}{rest}}}, reason: r, owner: o, expires: {expires}}}\n"
            )
        };
        let policy = format!(
            "version: 1\nexceptions:\n{}{}{}{}",
            exception("a", "whitelist", "CVE-2026-1", ", os: {name: debian, version: \"12\"}", "2027-01-01"),
            exception("b", "ignore", "CVE-2026-2", "", "2027-01-01"),
            exception("c", "whitelist", "CVE-2026-3", "", "2026-01-01"),
            exception("d", "whitelist", "CVE-2026-4", ", os: {name: ubuntu}", "2027-01-01"),
        );
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(vec![Source::new("p", policy)], &mut diagnostics).unwrap();
        let host = HostName::new("web-1").unwrap();
        let inventory = Inventory::new([Host::named(host.clone())]);
        let mut scans = [HostScan {
            host,
            scanned_at: "2026-06-01T00:00:00Z".parse().unwrap(),
            os: Some(Os { family: "debian".into(), name: "debian".into(), version: Some("12".into()) }),
            facts: HostFacts::default(),
            findings: ["CVE-2026-1", "CVE-2026-2", "CVE-2026-3", "CVE-2026-4"].map(finding).to_vec(),
            left_out: BTreeMap::new(),
        }];
        leave_out_whitelisted(&mut scans, &policy, &inventory);
        let left: Vec<&str> = scans[0].findings.iter().map(|finding| finding.vulnerability.as_str()).collect();
        assert_eq!(left, ["CVE-2026-2", "CVE-2026-3", "CVE-2026-4"]);
        assert_eq!(scans[0].left_out, BTreeMap::from([("whitelisted".to_owned(), 1)]));
        assert!(table(&scans).contains("   3 findings\n  1 left out: whitelisted\n"), "{}", table(&scans));
        let written = to_json(&scans).unwrap();
        assert!(written.contains("\"whitelisted\": 1") && !written.contains("CVE-2026-1"), "{written}");
        let again = crate::intake::read_report("f", written.as_bytes(), &Default::default()).unwrap();
        assert_eq!(
            (again.read, again.findings.len()),
            (3, 3),
            "a reader that knows nothing of it counts what is there"
        );
    }
}
