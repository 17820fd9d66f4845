//! The native scan of Debian and Ubuntu: what the host's own package manager says is pending.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{HostFacts, HostScan};
use crate::model::{
    AssetName, Finding, FixState, HostName, InvalidName, Os, PackageName, PackageVersion, UnitName, VulnerabilityId,
    VulnerabilityType, printable,
};

/// The script that looks at a host: needs root, refreshes the package lists unless `NO_UPDATE=1` and changes nothing
/// else. It is one group of commands, so that a shell reads it whole before it runs any of it.
pub fn scan_script() -> &'static str {
    concat!(
        "{\n",
        include_str!("../../playbooks/linux/common.sh"),
        include_str!("../../playbooks/linux/apt.sh"),
        include_str!("apt_scan.sh"),
        "\n} </dev/null\n"
    )
}

/// Why the output of a scan cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It does not follow the protocol of the script.
    #[error("scan of {host}: {what}")]
    Protocol {
        /// The host.
        host: HostName,
        /// What is wrong.
        what: String,
    },
}

/// The most a host may say; a real one says some tens of kilobytes.
const MAX_BYTES: usize = 8 << 20;
/// The most findings of one host.
const MAX_FINDINGS: usize = 50_000;
/// The most entries of a list of facts.
const MAX_FACTS: usize = 1_000;

/// Reads what the script printed. The host may be hostile: what does not follow the protocol to the letter is refused
/// as a whole, so that half a scan never passes for a clean host.
pub fn parse_scan(host: &HostName, scanned_at: Timestamp, bytes: &[u8]) -> Result<HostScan, ScanError> {
    read(host, scanned_at, bytes).map_err(|what| ScanError::Protocol { host: host.clone(), what })
}

/// One pending update.
struct Update {
    package: PackageName,
    installed: PackageVersion,
    fixed: PackageVersion,
    source: PackageName,
    suite: String,
}

fn read(host: &HostName, scanned_at: Timestamp, bytes: &[u8]) -> Result<HostScan, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("{} bytes are more than a scan can be", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the output is not UTF-8".to_owned())?;
    let lines: Vec<&str> = text.lines().collect();
    let [first, body @ .., last] = lines.as_slice() else { return Err("the output is empty".to_owned()) };
    if *first != "scan\t1" {
        return Err(format!("{:?} does not start a scan", printable(first, 80)));
    }
    if *last != format!("end\t{}", body.len()) {
        return Err("the output is cut off".to_owned());
    }
    let mut os = None;
    let mut facts = HostFacts::default();
    let mut updates: Vec<Update> = Vec::new();
    let mut cves: BTreeMap<PackageName, BTreeSet<VulnerabilityId>> = BTreeMap::new();
    for (number, line) in body.iter().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let wrong = |e: InvalidName| format!("line {}: {e}", number + 2);
        match fields.as_slice() {
            ["os", id, like, version] => os = Some(system(id, like, version)),
            ["arch", _] => {}
            ["kernel", release] => facts.running_kernel = Some(printable(release, 200)),
            ["newest", release] => facts.newest_kernel = Some(printable(release, 200)),
            ["reboot", why] if facts.reboot_why.len() < MAX_FACTS => {
                facts.reboot_pending = true;
                facts.reboot_why.push(printable(why, 400));
            }
            ["stale", unit] if facts.stale_services.len() < MAX_FACTS => {
                facts.stale_services.push(UnitName::new(unit).map_err(wrong)?);
            }
            ["note", code, text] if facts.notes.len() < MAX_FACTS => {
                facts.notes.push(note(code, text));
            }
            // The candidate (fifth) is what an upgrade brings; what fixes is what the security archive has.
            ["update", package, installed, fixed, _, source, suite] if updates.len() < MAX_FINDINGS => {
                updates.push(Update {
                    package: PackageName::new(package).map_err(wrong)?,
                    installed: PackageVersion::new(installed).map_err(wrong)?,
                    fixed: PackageVersion::new(fixed).map_err(wrong)?,
                    source: PackageName::new(source).map_err(wrong)?,
                    suite: printable(suite, 100),
                });
            }
            ["cve", source, id] => {
                let source = PackageName::new(source).map_err(wrong)?;
                cves.entry(source).or_default().insert(VulnerabilityId::new(id).map_err(wrong)?);
            }
            _ => return Err(format!("line {}: {:?} is not a line of a scan", number + 2, printable(line, 80))),
        }
    }
    let findings = findings(host, scanned_at, &updates, &cves)?;
    Ok(HostScan { host: host.clone(), scanned_at, os, facts, findings, left_out: BTreeMap::new() })
}

/// Debian's kin say so in `ID_LIKE`.
fn system(id: &str, like: &str, version: &str) -> Os {
    let kin = |family: &str| id == family || like.split(' ').any(|l| l == family);
    let family = if kin("debian") || kin("ubuntu") { "debian" } else { id };
    let version = Some(printable(version, 50)).filter(|v| !v.is_empty());
    Os { family: printable(family, 50), name: printable(id, 50), version }
}

fn note(code: &str, text: &str) -> String {
    let text = printable(text, 400);
    match code {
        "unreadable" => format!("cannot tell whether these services use replaced files: {text}"),
        "no-changelog" => format!("no changelog, and so no CVE ids, of the updates of {text}"),
        code => format!("{}: {text}", printable(code, 40)),
    }
}

/// One finding a package and CVE; where no CVE is known, one a package that says just that an update is pending.
fn findings(
    host: &HostName,
    scanned_at: Timestamp,
    updates: &[Update],
    cves: &BTreeMap<PackageName, BTreeSet<VulnerabilityId>>,
) -> Result<Vec<Finding>, String> {
    let asset = AssetName::new(host.as_str()).map_err(|e| e.to_string())?;
    let mut findings: BTreeMap<_, Finding> = BTreeMap::new();
    for update in updates {
        let known = cves.get(&update.source).cloned().unwrap_or_default();
        let ids = if known.is_empty() { BTreeSet::from([pending_id(update)?]) } else { known };
        for vulnerability in ids {
            if findings.len() >= MAX_FINDINGS {
                return Err(format!("more than {MAX_FINDINGS} findings"));
            }
            let id = Finding::make_id(&asset, &vulnerability, Some(&update.package), Some(&update.installed), None);
            let finding = Finding {
                id: id.clone(),
                asset: asset.clone(),
                vulnerability,
                aliases: BTreeSet::new(),
                kind: VulnerabilityType::Linux,
                ecosystem: "deb".to_owned(),
                package: Some(update.package.clone()),
                location: None,
                installed: Some(update.installed.clone()),
                fixed: vec![update.fixed.clone()],
                fix_state: FixState::Fixed,
                severity: None,
                cvss: Vec::new(),
                epss: None,
                kev: false,
                published: None,
                first_seen: Some(scanned_at),
                title: Some(format!("pending security update of {} from {}", update.source, update.suite)),
                references: Vec::new(),
                claims: Vec::new(),
                scanner: "switchback".to_owned(),
            };
            findings.insert(id, finding);
        }
    }
    Ok(findings.into_values().collect())
}

/// `APT-PACKAGE-VERSION`: the same in every scan until the update is installed or superseded.
fn pending_id(update: &Update) -> Result<VulnerabilityId, String> {
    let text = format!("APT-{}-{}", update.package, update.fixed);
    let text: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || ".-:".contains(c) { c } else { '_' }).take(128).collect();
    VulnerabilityId::new(&text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn host() -> HostName {
        HostName::new("web-1").unwrap()
    }

    fn parse(body: &[&str]) -> Result<HostScan, ScanError> {
        let text = format!("scan\t1\n{}\nend\t{}\n", body.join("\n"), body.len());
        parse_scan(&host(), Timestamp::UNIX_EPOCH, text.as_bytes())
    }

    const REAL: [&str; 11] = [
        "os\tdebian\t\t12",
        "arch\tamd64",
        "kernel\t6.1.0-13-amd64",
        "newest\t6.1.0-18-amd64",
        "reboot\tkernel 6.1.0-18-amd64 is installed, 6.1.0-13-amd64 runs",
        "stale\tnginx.service",
        "update\tlibssl3\t3.0.20-1~deb12u2\t3.0.22-1~deb12u2\t3.0.22-1~deb12u2\topenssl\tbookworm-security",
        "update\topenssl\t3.0.20-1~deb12u2\t3.0.22-1~deb12u2\t3.0.22-1~deb12u2\topenssl\tbookworm-security",
        "update\ttzdata\t2026b-0+deb12u1\t2026f-0+deb12u1\t2026f-0+deb12u1\ttzdata\tbookworm-security",
        "cve\topenssl\tCVE-2026-1234",
        "note\tno-changelog\ttzdata",
    ];

    #[test]
    fn every_pending_update_is_a_finding_of_each_of_its_cves() {
        let scan = parse(&REAL).unwrap();
        let found: Vec<(&str, &str, &str)> = scan
            .findings
            .iter()
            .map(|f| (f.package.as_ref().unwrap().as_str(), f.vulnerability.as_str(), f.fixed[0].as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("tzdata", "APT-tzdata-2026f-0_deb12u1", "2026f-0+deb12u1"),
                ("libssl3", "CVE-2026-1234", "3.0.22-1~deb12u2"),
                ("openssl", "CVE-2026-1234", "3.0.22-1~deb12u2"),
            ]
        );
        assert_eq!(scan.os.unwrap().family, "debian");
        assert!(scan.facts.reboot_pending);
        assert_eq!(scan.facts.newest_kernel.as_deref(), Some("6.1.0-18-amd64"));
        assert_eq!(scan.facts.stale_services.len(), 1);
        assert_eq!(scan.facts.notes, ["no changelog, and so no CVE ids, of the updates of tzdata"]);
    }

    #[test]
    fn a_clean_host_has_no_findings() {
        assert_eq!(parse(&["os\tubuntu\tdebian\t22.04"]).unwrap().findings, []);
    }

    #[test]
    fn half_a_scan_is_no_scan() {
        let text = format!("scan\t1\n{}\nend\t{}\n", REAL.join("\n"), REAL.len());
        for end in 0..text.len() - 1 {
            assert!(parse_scan(&host(), Timestamp::UNIX_EPOCH, &text.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn hostile_values_are_refused_or_made_printable() {
        for line in [
            "update\t$(id)\t1\t2\t2\ta\ts",
            "update\ta\t1; reboot\t2\t2\ta\ts",
            "update\t-oDpkg::x\t1\t2\t2\ta\ts",
            "cve\ta\tCVE 1",
            "stale\t../x",
            "other\tx",
            "update\ta",
        ] {
            assert!(parse(&[line]).is_err(), "{line:?}");
        }
        let scan = parse(&["kernel\t6.1\u{1b}[2J"]).unwrap();
        assert_eq!(scan.facts.running_kernel.as_deref(), Some("6.1\u{fffd}[2J"));
        assert!(parse_scan(&host(), Timestamp::UNIX_EPOCH, &vec![b'a'; 10 << 20]).is_err());
    }

    proptest! {
        #[test]
        fn no_output_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_scan(&host(), Timestamp::UNIX_EPOCH, &bytes);
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped check must be visible")]
    fn the_script_is_valid_for_every_posix_shell() {
        for shell in ["dash", "bash", "busybox"] {
            let arguments: &[&str] = match shell {
                "bash" => &["--posix", "-n"],
                "busybox" => &["sh", "-n"],
                _ => &["-n"],
            };
            let Ok(mut child) = Command::new(shell).args(arguments).stdin(Stdio::piped()).spawn() else {
                eprintln!("skipped: there is no {shell} here");
                continue;
            };
            child.stdin.take().unwrap().write_all(scan_script().as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{shell}");
        }
    }
}
