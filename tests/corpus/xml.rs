//! Reports in XML and in tables, written by others, against the facts that their folder's README states: visibly
//! skipped where the folder (`SWITCHBACK_CORPUS`, else `../shared/corpus`) is not there.

use std::collections::{BTreeMap, BTreeSet};

use switchback::intake::{ReadOptions, Report, read_report_file};
use switchback::model::{FixState, Severity, VulnerabilityType};

use super::{Facts, accounted_for, corpus};

/// What is known of a file, which has it all.
struct Known {
    path: &'static str,
    facts: Facts,
}

impl Known {
    fn number(&self, key: &str) -> u64 {
        self.facts.number(key).unwrap_or_else(|| panic!("{}: no fact {key}", self.path))
    }

    fn counts(&self, key: &str) -> BTreeMap<String, u64> {
        self.facts.counts(key).unwrap_or_else(|| panic!("{}: no fact {key}", self.path))
    }
}

/// Reads a report and its facts, or nothing where there is no corpus; every row is accounted for.
fn read(path: &'static str, format: &str) -> Option<(Report, Known)> {
    let corpus = corpus()?;
    let readme = std::fs::read_to_string(corpus.join("README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with(&format!("| {path} |"))).unwrap();
    let facts = Facts::read(line.trim_matches(['|', ' ']).split(" | ").last().unwrap());
    let report = read_report_file(&corpus.join(path), &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    accounted_for(path, &report);
    assert_eq!(report.format, format, "{path}");
    assert!(
        report.findings.iter().all(|f| report.assets.contains_key(&f.asset)),
        "{path}: every finding has its asset"
    );
    Some((report, Known { path, facts }))
}

/// Distinct CVEs of all findings, as ids or as other ids.
fn cves(report: &Report) -> u64 {
    let ids = report.findings.iter().flat_map(|f| f.aliases.iter().chain([&f.vulnerability]));
    ids.filter(|id| id.as_str().starts_with("CVE-")).collect::<BTreeSet<_>>().len() as u64
}

fn severities(report: &Report) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for finding in &report.findings {
        let name = match finding.severity {
            None => "none",
            Some(Severity::Negligible) => "negligible",
            Some(Severity::Low) => "low",
            Some(Severity::Medium) => "medium",
            Some(Severity::High) => "high",
            Some(Severity::Critical) => "critical",
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

fn aside(report: &Report, kind: &str) -> u64 {
    report.set_aside.get(kind).copied().unwrap_or(0)
}

fn kinds(report: &Report, kind: VulnerabilityType) -> usize {
    report.findings.iter().filter(|f| f.kind == kind).count()
}

fn states(report: &Report, state: FixState) -> u64 {
    report.findings.iter().filter(|f| f.fix_state == state).count() as u64
}

fn names(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn nessus_xml_gives_its_facts() {
    for path in ["scanners/nessus/nessus_v_unknown.xml", "scanners/nessus/nessus_with_cvssv3.nessus"] {
        let Some((report, facts)) = read(path, "nessus") else { return };
        assert_eq!(report.read + aside(&report, "informational"), facts.number("items"), "{path}: items");
        assert_eq!(report.assets.len() as u64, facts.number("hosts"), "{path}: hosts");
        assert_eq!(cves(&report), facts.number("distinct_cves"), "{path}: distinct_cves");
        // An item without a severity is informational, but for those with a CVE.
        let expected = facts.counts("severity");
        let with_cve = report.findings.iter().filter(|f| f.severity == Some(Severity::Negligible)).count() as u64;
        assert_eq!(aside(&report, "informational") + with_cve, expected["0"], "{path}: informational");
        let found = severities(&report);
        for (number, name) in [("1", "low"), ("2", "medium"), ("3", "high"), ("4", "critical")] {
            assert_eq!(found.get(name), expected.get(number), "{path}: severity {number}");
        }
        let with_cve = report.findings.iter().filter(|f| f.vulnerability.as_str().starts_with("CVE-")).count() as u64;
        let expected = facts.facts.number("items_with_cve").unwrap_or(with_cve);
        assert_eq!(with_cve, expected, "{path}: items_with_cve");
        let scored = |generation: &str| {
            report.findings.iter().filter(|f| f.cvss.iter().any(|c| c.version == generation)).count() as u64
        };
        assert_eq!(scored("2.0"), facts.number("cvss2"), "{path}: cvss2");
        assert_eq!(scored("3.0"), facts.facts.number("cvss3").unwrap_or(0), "{path}: cvss3");
    }
    let Some((report, _)) = read("scanners/nessus/nessus_v_unknown.xml", "nessus") else { return };
    assert_eq!(kinds(&report, VulnerabilityType::Windows), 7);
    assert!(report.assets.values().all(|a| a.os.as_ref().is_some_and(|os| os.family == "windows")));
    let Some((report, _)) = read("scanners/nessus/nessus_with_cvssv3.nessus", "nessus") else { return };
    let php = report.findings.iter().find(|f| f.vulnerability.as_str() == "CVE-2012-1823").unwrap();
    let fixed: Vec<_> = php.fixed.iter().map(ToString::to_string).collect();
    assert_eq!((php.package.as_ref().unwrap().as_str(), fixed), ("php", vec!["5.3.12".to_owned(), "5.4.2".to_owned()]));
    assert_eq!(states(&report, FixState::EndOfLife), 2);
}

#[test]
fn nessus_tables_give_their_facts() {
    let Some((report, facts)) = read("scanners/nessus/issue_11102.csv", "nessus-csv") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    assert_eq!((severities(&report), cves(&report)), (facts.counts("severity"), facts.number("distinct_cves")));

    let Some((report, facts)) = read("scanners/nessus/nessus-template.csv", "nessus-csv") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    assert_eq!(severities(&report), facts.counts("severity"));
    // The other three of the eight CVEs are mentioned in descriptions only.
    assert_eq!((cves(&report), facts.number("distinct_cves")), (5, 8));
    assert_eq!(report.findings.iter().filter(|f| f.kev).count() as u64, facts.number("cves_in_kev_file"));
    // A spreadsheet has lost the decimal points of its scores (`75`): none of them is a score.
    assert!(report.findings.iter().all(|f| f.cvss.is_empty()));

    let Some((report, facts)) = read("scanners/nessus/nessus_many_vuln2-default.csv", "nessus-csv") else { return };
    assert_eq!(report.read + aside(&report, "informational"), facts.number("data_rows"));
    // One of the 29 rows without a severity has a CVE, so that it is no mere information.
    assert_eq!(severities(&report), names(&[("medium", 1), ("negligible", 1)]));
    assert_eq!(aside(&report, "informational") + 1, facts.counts("severity")["none"]);
    assert_eq!((report.assets.len() as u64, cves(&report)), (facts.number("hosts"), facts.number("distinct_cves")));

    let Some((report, facts)) = read("scanners/nessus/nessus_new.csv", "nessus-csv") else { return };
    // One row a host here; a row whose output names several packages is one finding for each of them.
    let hosts: BTreeSet<_> = report.findings.iter().map(|f| &f.asset).collect();
    assert_eq!((hosts.len() as u64, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    // One more is only mentioned in the name of a plugin (`… Spring4Shell (CVE-2022-22965) Mitigations`).
    assert_eq!(cves(&report) + 1, facts.number("distinct_cves"));
    assert_eq!(severities(&report).keys().collect::<Vec<_>>(), ["low"]);
    let linux: Vec<_> = report.findings.iter().filter(|f| f.kind == VulnerabilityType::Linux).collect();
    let whole = |f: &&&switchback::model::Finding| f.package.is_some() && f.installed.is_some() && !f.fixed.is_empty();
    assert_eq!((linux.len(), linux.iter().filter(whole).count()), (103, 103));
    assert_eq!(linux.iter().map(|f| &f.asset).collect::<BTreeSet<_>>().len(), 30);
    assert_eq!(kinds(&report, VulnerabilityType::Windows), 4);
}

#[test]
fn qualys_reports_give_their_facts() {
    let Some((report, facts)) = read("scanners/qualys/Qualys_Sample_Report.xml", "qualys") else { return };
    assert_eq!(report.read + aside(&report, "informational"), facts.number("vuln_info"));
    assert_eq!(report.assets.len() as u64, facts.number("hosts"));
    // Two more belong to a QID of the glossary that was found as information only.
    assert_eq!(cves(&report) + 2, facts.number("distinct_cves"));
    // Two practices are not proven; severities of the README are those of the glossary, not of the rows.
    let potential =
        |f: &&switchback::model::Finding| f.title.as_deref().is_some_and(|title| title.starts_with("potential: "));
    assert_eq!(report.findings.iter().filter(potential).count(), 2);
    assert_eq!(report.left_out, names(&[("duplicate", 3)]));

    let Some((report, facts)) = read("scanners/qualys/Qualys_Sample_Report.csv", "qualys-csv") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    assert_eq!((severities(&report), cves(&report)), (names(&[("critical", 6)]), facts.number("distinct_cves")));
    assert_eq!(kinds(&report, VulnerabilityType::Windows), 6);
    let update = report.findings.iter().find(|f| f.vulnerability.as_str() == "CVE-2021-31192").unwrap();
    assert_eq!((update.fixed.len(), update.fixed[0].as_str()), (13, "KB5003169"));

    let Some((report, facts)) = read("scanners/qualys/vmdr_many_vulns_cve.csv", "qualys-csv") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    // One of the five is fixed already, and with it its CVE; Qualys counts severities from 1 to 5.
    assert_eq!((cves(&report) + 1, report.left_out), (facts.number("distinct_cves"), names(&[("closed", 1)])));
}

#[test]
fn openvas_reports_give_their_facts() {
    let Some((report, facts)) = read("scanners/openvas/many_vuln.xml", "openvas") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("results"), facts.number("hosts")));
    // The two without a threat have a score of 4.0.
    let mut expected = facts.counts("threat");
    *expected.get_mut("medium").unwrap() += expected.remove("(empty)").unwrap();
    assert_eq!(severities(&report), expected);
    assert_eq!(cves(&report), facts.number("distinct_cves"));
    let with_cve = report.findings.iter().filter(|f| f.vulnerability.as_str().starts_with("CVE-")).count() as u64;
    assert_eq!(with_cve, facts.number("results_with_cve"));
    assert_eq!(states(&report, FixState::Fixed), 14);

    let Some((report, facts)) = read("scanners/openvas/report_using_CVE.csv", "openvas-csv") else { return };
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("data_rows"), facts.number("hosts")));
    assert_eq!((severities(&report), cves(&report)), (facts.counts("severity"), facts.number("distinct_cves")));
    assert!(report.findings.iter().all(|f| f.package.is_some() && f.installed.is_some()));
}

#[test]
fn openscap_results_give_their_facts() {
    for path in ["scanners/openscap/ios-sample-v1.1.3.xccdf.xml", "scanners/openscap/xccdf-results-openscap-rhel7.xml"]
    {
        let Some((report, facts)) = read(path, "openscap-xccdf") else { return };
        assert_eq!((report.read, aside(&report, "compliance")), (0, facts.number("rule_results")), "{path}");
        assert!(report.assets.keys().any(|name| Some(name.as_str()) == facts.facts.text("targets")), "{path}: targets");
    }
    let Some((report, facts)) = read("scanners/openscap/one_vuln_rhsa.xml", "openscap-xccdf") else { return };
    let results = facts.counts("results");
    assert_eq!((report.read, aside(&report, "not-vulnerable")), (results["fail"], results["pass"]));
    assert_eq!(cves(&report), facts.number("distinct_cves_in_failed"));
    let finding = &report.findings[0];
    assert_eq!(
        (finding.id.as_str(), finding.kind),
        ("sample.system/CVE-2005-1038/vixie-cron", VulnerabilityType::Linux)
    );
    assert!(finding.aliases.iter().any(|id| id.as_str() == "RHSA-2006:0117"));
}

#[test]
fn cyclonedx_bills_give_their_facts() {
    for path in ["scanners/cyclonedx/grype.xml", "scanners/cyclonedx/log4j.xml"] {
        let Some((report, facts)) = read(path, "cyclonedx-xml") else { return };
        assert_eq!((report.read, report.scanner.as_str()), (facts.number("vulnerabilities"), "grype"), "{path}");
        let mut expected = facts.counts("severities");
        if let Some(unknown) = expected.remove("unknown") {
            expected.insert("none".to_owned(), unknown);
        }
        assert_eq!(severities(&report), expected, "{path}: severities");
        let ids: BTreeSet<_> = report.findings.iter().map(|f| f.vulnerability.as_str()).collect();
        assert_eq!(ids.len() as u64, facts.number("distinct_ids"), "{path}: distinct_ids");
        assert!(report.findings.iter().all(|f| f.package.is_some() && f.installed.is_some()), "{path}: packages");
        assert_eq!(report.left_out, BTreeMap::new(), "{path}");
    }
    let Some((report, _)) = read("scanners/cyclonedx/grype.xml", "cyclonedx-xml") else { return };
    assert_eq!((kinds(&report, VulnerabilityType::Linux), kinds(&report, VulnerabilityType::Application)), (219, 108));
    let Some((report, _)) = read("scanners/cyclonedx/log4j.xml", "cyclonedx-xml") else { return };
    assert!(
        report.findings.iter().all(|f| f.package.as_ref().unwrap().as_str() == "org.apache.logging.log4j:log4j-core")
    );
}

#[test]
fn prisma_tables_give_their_facts() {
    let Some((report, facts)) = read("scanners/other/prisma/prismacloud_hosts.csv", "prisma-csv") else { return };
    assert_eq!(report.read + aside(&report, "compliance"), facts.number("rows"));
    assert_eq!((report.read, report.assets.len() as u64), (facts.number("rows_with_cve"), facts.number("hosts")));
    assert_eq!(cves(&report), facts.number("distinct_cves"));
    // `moderate` is medium and `important` high; the facts count compliance rows too (9 critical-or-high ones of each).
    let found = severities(&report);
    let expected = facts.counts("severity");
    assert_eq!(found["medium"], expected["moderate"] + expected["medium"]);
    assert_eq!(found["low"], expected["low"]);
    let rest = expected["critical"] + expected["high"] + expected["important"];
    assert_eq!(found["critical"] + found["high"] + aside(&report, "compliance"), rest);
    // `fixed 26, will 26, affected 10, under 2`; of the 30 rows with nothing there, 29 are about compliance.
    let by_state = [FixState::Fixed, FixState::WillNotFix, FixState::NotFixed, FixState::Unknown]
        .map(|state| states(&report, state));
    assert_eq!(by_state, [26, 26, 10, 3]);
    let kernels = report.findings.iter().filter(|f| f.package.as_ref().unwrap().as_str() == "kernel").count() as u64;
    assert_eq!(kernels, facts.number("kernel_rows"));
}

#[test]
fn other_tools_give_their_facts() {
    let Some((report, facts)) = read("scanners/other/nexpose/report_auth.xml", "nexpose") else { return };
    let elements = facts.counts("elements");
    assert_eq!((report.read, report.assets.len() as u64), (elements["test"], elements["node"]));
    // The same check of several users' folders is one finding a host.
    let ids: BTreeSet<_> = report.findings.iter().map(|f| f.vulnerability.as_str()).collect();
    assert_eq!((ids.len() as u64, report.left_out), (elements["vulnerability"], names(&[("duplicate", 12)])));

    let Some((report, facts)) = read("scanners/other/sysdig_reports/sysdig-2025.csv", "sysdig-csv") else { return };
    // Whoever made the file anonymous called the packages `package name 1`: no package is called so.
    assert_eq!((report.read, report.left_out), (facts.number("data_rows"), names(&[("unsafe-package-name", 6)])));

    let Some((report, facts)) = read("scanners/other/deepfence_threatmapper/vulnerability_report.csv", "deepfence-csv")
    else {
        return;
    };
    assert_eq!((report.read, cves(&report)), (facts.number("data_rows"), facts.number("distinct_cves")));
    assert_eq!(severities(&report), names(&[("low", 1), ("medium", 2)]));
    assert_eq!(states(&report, FixState::Fixed), 2);
}
