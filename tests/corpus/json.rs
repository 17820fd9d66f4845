//! JSON reports of other tools, against the facts that their folder's README states: visibly skipped where the folder
//! (`SWITCHBACK_CORPUS`, else `../shared/corpus`) is not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback::intake::{ReadOptions, Report, read_report_file};
use switchback::model::{FixState, HostName, Severity, VulnerabilityType};

use super::{Facts, accounted_for, corpus, count};

/// A file, what is known of it and what was read.
struct Entry {
    path: String,
    facts: Facts,
    report: Report,
    raw: Value,
}

impl Entry {
    fn text(&self, key: &str) -> &str {
        self.facts.text(key).unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.facts.number(key).unwrap_or(0)
    }

    fn counts(&self, key: &str) -> BTreeMap<String, u64> {
        self.facts.counts(key).unwrap_or_default()
    }

    /// Rows that are the same finding as another.
    fn duplicates(&self) -> u64 {
        self.report.left_out.get("duplicate").copied().unwrap_or(0)
    }

    /// Every id, whichever of them names the finding.
    fn ids(&self) -> BTreeSet<&str> {
        self.report
            .findings
            .iter()
            .flat_map(|f| std::iter::once(&f.vulnerability).chain(&f.aliases))
            .map(|id| id.as_str())
            .collect()
    }
}

/// The files of a folder, each read by the format that its content tells.
fn read(folder: &str, format: &str) -> Vec<Entry> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let readme = std::fs::read_to_string(corpus.join("README.md")).unwrap();
    let mut entries = Vec::new();
    for line in readme.lines().filter(|line| line.starts_with("| scanners/")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (path, facts) = (cells[0], cells[cells.len() - 1]);
        if !path.starts_with(&format!("scanners/{folder}/")) || !(path.ends_with("json") || path.ends_with("sarif")) {
            continue;
        }
        let file = corpus.join(path);
        let bytes = std::fs::read(&file).unwrap();
        // What says nothing is told by name: no file at all and `[]`.
        let says_nothing = bytes.len() < 8;
        let options = ReadOptions { format: says_nothing.then(|| format.to_owned()), ..ReadOptions::default() };
        let report = read_report_file(&file, &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.format, format, "{path}");
        accounted_for(path, &report);
        let raw = serde_json::from_slice(&bytes).unwrap_or_default();
        entries.push(Entry { path: path.to_owned(), facts: Facts::read(facts), report, raw });
    }
    assert!(!entries.is_empty(), "{folder}");
    entries
}

fn severity(severity: Option<Severity>) -> String {
    severity.map_or("unknown".to_owned(), |severity| format!("{severity:?}").to_lowercase())
}

fn severities(report: &Report) -> BTreeMap<String, u64> {
    count(&report.findings, |f| severity(f.severity))
}

/// Nothing but duplicates is left out.
fn only_duplicates(entry: &Entry) {
    assert!(entry.report.left_out.keys().all(|why| why == "duplicate"), "{}: {:?}", entry.path, entry.report.left_out);
}

fn state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "not-fixed",
        FixState::WillNotFix => "wont-fix",
        _ => "unknown",
    }
}

/// As many as there are; with duplicates, not fewer than there are without them.
fn about(entry: &Entry, counted: &BTreeMap<String, u64>, expected: &BTreeMap<String, u64>, what: &str) {
    let path = &entry.path;
    if entry.duplicates() == 0 {
        assert_eq!(counted, expected, "{path}: {what}");
        return;
    }
    let missing: u64 =
        expected.iter().map(|(name, rows)| rows.saturating_sub(counted.get(name).copied().unwrap_or(0))).sum();
    assert_eq!(missing, entry.duplicates(), "{path}: {what}: {counted:?} is not {expected:?}");
}

#[test]
fn grype_reports_give_their_facts() {
    for entry in read("grype", "grype") {
        let (path, report) = (&entry.path, &entry.report);
        only_duplicates(&entry);
        assert_eq!(report.read, entry.number("findings"), "{path}");
        let own: BTreeSet<&str> = entry.raw["matches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["vulnerability"]["id"].as_str().unwrap())
            .collect();
        assert_eq!(own.len() as u64, entry.number("distinct_ids"), "{path}");
        assert_eq!(own.difference(&entry.ids()).count(), 0, "{path}: every id of the tool is known to a finding");
        // A GHSA or an ALAS about one CVE goes by that CVE: fewer have another name.
        let named = report.findings.iter().map(|f| f.vulnerability.as_str()).filter(|id| !id.starts_with("CVE-"));
        assert!(named.collect::<BTreeSet<_>>().len() as u64 <= entry.number("non_cve_ids"), "{path}");
        let mut expected = entry.counts("severities");
        if let Some(missing) = expected.remove("(missing)") {
            *expected.entry("unknown".to_owned()).or_default() += missing;
        }
        about(&entry, &severities(report), &expected, "severities");
        let mut states = entry.counts("fix_state");
        // Nothing said, in old and in new reports: a version that fixes says it.
        for nothing in ["(missing)", "(empty)"] {
            if let Some(rows) = states.remove(nothing) {
                let with_version = report.findings.iter().filter(|f| !f.fixed.is_empty()).count() as u64;
                let said = states.get("fixed").copied().unwrap_or(0);
                *states.entry("fixed".to_owned()).or_default() += with_version - said;
                *states.entry("unknown".to_owned()).or_default() += rows - (with_version - said);
            }
        }
        states.retain(|_, rows| *rows > 0);
        about(&entry, &count(&report.findings, |f| state(f.fix_state).to_owned()), &states, "fix_state");
        let several = report.findings.iter().filter(|f| f.fixed.len() > 1).count() as u64;
        assert_eq!(several, entry.number("multi_fix_versions"), "{path}: multi_fix_versions");
        let epss = report.findings.iter().filter(|f| f.epss.is_some()).count() as u64;
        assert_eq!(epss, entry.number("epss_entries"), "{path}: epss");
        let os = report
            .assets
            .values()
            .next()
            .unwrap()
            .os
            .as_ref()
            .map(|os| format!("{} {}", os.name, os.version.as_deref().unwrap()));
        assert_eq!(os.as_deref(), Some(entry.text("distro")), "{path}: distro");
        let of_distribution =
            ["deb", "rpm", "apk"].iter().filter_map(|kind| entry.counts("pkg_types").remove(*kind)).sum::<u64>();
        let linux = report.findings.iter().filter(|f| f.kind == VulnerabilityType::Linux).count() as u64;
        assert!(linux <= of_distribution && linux + entry.duplicates() >= of_distribution, "{path}: {linux}");
        assert_eq!(
            entry.duplicates(),
            match path.rsplit('/').next().unwrap() {
                // One package of a distribution, told once for each of its files.
                "same_cve_different_paths.json" => 1,
                // A row twice.
                "check_all_fields.json" => 1,
                _ => 0,
            },
            "{path}: duplicates"
        );
    }
}

#[test]
fn osv_scanner_reports_give_their_facts() {
    for entry in read("osv-scanner", "osv-scanner") {
        let (path, report) = (&entry.path, &entry.report);
        only_duplicates(&entry);
        assert_eq!(report.read, entry.number("findings"), "{path}");
        let packages = entry.raw["results"].as_array().cloned().unwrap_or_default();
        let packages: Vec<&Value> = packages.iter().flat_map(|r| r["packages"].as_array().unwrap()).collect();
        let records: Vec<&Value> = packages.iter().flat_map(|p| p["vulnerabilities"].as_array().unwrap()).collect();
        let own: BTreeSet<&str> = records.iter().map(|v| v["id"].as_str().unwrap()).collect();
        assert_eq!(own.len() as u64, entry.number("distinct_ids"), "{path}");
        assert_eq!(own.difference(&entry.ids()).count(), 0, "{path}");
        let cves = entry.ids().iter().filter(|id| id.starts_with("CVE-")).count() as u64;
        // Among them the one that is a record's own id.
        assert_eq!(cves, entry.number("distinct_cve_aliases"), "{path}");
        // Records of one CVE from several databases are one finding: what the scanner calls a group.
        assert_eq!(report.findings.len() as u64, entry.number("groups"), "{path}: groups");
        let scored = report.findings.iter().filter(|f| !f.cvss.is_empty()).count();
        assert_eq!(scored > 0, entry.number("findings") > 1, "{path}: vectors are scored");
        assert!(
            report.findings.iter().all(|f| f.cvss.iter().all(|c| c.vector.is_some() && c.version.starts_with('3')))
        );
        let ecosystems = count(&report.findings, |f| f.ecosystem.clone());
        assert_eq!(ecosystems.len(), entry.counts("ecosystems").len(), "{path}: {ecosystems:?}");
        let unfixed: Vec<_> =
            report.findings.iter().filter(|f| f.fixed.is_empty()).map(|f| f.vulnerability.as_str()).collect();
        assert!(unfixed.len() <= 3, "{path}: {unfixed:?}");
    }
}

#[test]
fn sarif_logs_give_their_facts() {
    for entry in read("sarif", "sarif") {
        let (path, report) = (&entry.path, &entry.report);
        only_duplicates(&entry);
        let aside: u64 = report.set_aside.values().sum();
        assert_eq!(report.read + aside, entry.number("findings"), "{path}");
        assert_eq!(report.scanner, entry.text("tools").to_lowercase(), "{path}");
        let cves = entry.ids().iter().filter(|id| id.starts_with("CVE-")).count() as u64;
        assert_eq!(cves, entry.number("distinct_cves"), "{path}");
        assert!(report.findings.iter().all(|f| f.package.is_some() && f.installed.is_some()), "{path}: packages");
        assert!(
            report.findings.iter().all(|f| f.kind == VulnerabilityType::Linux),
            "{path}: packages of distributions"
        );
        let suppressed = report.set_aside.get("suppressed-by-scanner").copied().unwrap_or(0);
        assert_eq!(suppressed, entry.number("suppressed"), "{path}: suppressed");
        if path.ends_with("suppression_test.sarif") {
            // Findings in source code.
            assert_eq!((report.read, report.set_aside["static-analysis"]), (0, 2));
            continue;
        }
        let assets: Vec<_> = report.assets.keys().map(|asset| asset.as_str()).collect();
        let [asset] = assets[..] else { panic!("{path}: {assets:?}") };
        assert!(asset.starts_with("nginx@sha256:13d22ec6") || asset.ends_with("alpine-310.tar.gz"), "{path}: {asset}");
        assert_eq!(entry.duplicates(), 0, "{path}");
    }
}

#[test]
fn cyclonedx_documents_give_their_facts() {
    for entry in read("cyclonedx", "cyclonedx-json") {
        let (path, report) = (&entry.path, &entry.report);
        only_duplicates(&entry);
        assert_eq!(report.read, entry.number("affects"), "{path}");
        let own: BTreeSet<&str> =
            entry.raw["vulnerabilities"].as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap()).collect();
        assert_eq!(own.len() as u64, entry.number("distinct_ids"), "{path}");
        assert_eq!(own.difference(&entry.ids()).count(), 0, "{path}");
        match path.rsplit('/').next().unwrap() {
            "dropwizard-vulns.json" => {
                // One rating each but for one: ours is the one by who tells of it, or the worst.
                let mut expected = entry.counts("severities");
                expected.insert("negligible".to_owned(), expected["info"]);
                expected.remove("info");
                let counted = severities(report);
                let differ: u64 =
                    expected.iter().map(|(name, rows)| rows.abs_diff(counted.get(name).copied().unwrap_or(0))).sum();
                assert!(differ <= 1, "{path}: {counted:?} is not {expected:?}");
                assert!(report.findings.iter().all(|f| f.ecosystem == "maven"
                    && f.cvss.is_empty()
                    && f.package.is_some()
                    && f.installed.is_some()));
            }
            "no-severity.json" => {
                let finding = &report.findings[0];
                // It refers to a component that the document does not have.
                assert_eq!(
                    (finding.severity, finding.package.as_ref(), finding.location.as_deref()),
                    (None, None, Some("gerbwetbqt"))
                );
                assert_eq!(finding.cvss[0].score.to_string(), "10.0");
            }
            _ => {
                let methods = entry.counts("rating_methods");
                let scores: u64 =
                    methods.iter().filter(|(name, _)| name.starts_with("cvss")).map(|(_, rows)| rows).sum();
                assert_eq!(report.findings.iter().map(|f| f.cvss.len() as u64).sum::<u64>(), scores, "{path}: scores");
                assert!(
                    report.findings.iter().filter(|f| !f.fixed.is_empty()).all(|f| f.fix_state == FixState::Fixed),
                    "{path}"
                );
                assert_eq!(report.scanner, "trivy", "{path}");
            }
        }
    }
}

#[test]
fn pip_and_npm_audits_give_their_facts() {
    for entry in read("pip-audit", "pip-audit") {
        let (path, report) = (&entry.path, &entry.report);
        assert_eq!((report.read, report.left_out.len()), (entry.number("findings"), 0), "{path}");
        assert_eq!(entry.ids().len() as u64, entry.number("distinct_ids"), "{path}");
        assert_eq!(report.set_aside.get("skipped-dependency").copied().unwrap_or(0), entry.number("skipped"), "{path}");
        assert_eq!(
            report.findings.iter().filter(|f| f.fixed.len() > 1).count() as u64,
            entry.number("multi_fix"),
            "{path}"
        );
        assert_eq!(
            report.findings.iter().filter(|f| f.fixed.is_empty()).count() as u64,
            entry.number("no_fix"),
            "{path}"
        );
    }
    for entry in read("npm-audit", "npm-audit-6") {
        assert_eq!(entry.report.read, entry.number("findings"), "{}", entry.path);
    }
}

#[test]
fn reports_of_other_tools_give_their_facts() {
    // With the rows that a look at the files counts, where the README has none.
    for (folder, format, rows, packages) in [
        ("other/anchore_engine", "anchore", 51, 51),
        ("other/clair", "clair-scanner", 4, 4),
        ("other/composer_audit", "composer-audit", 1, 1),
        ("other/dependency_track", "dependency-track", 12, 12),
        ("other/github_vulnerability", "github-alerts-graphql", 5, 5),
        ("other/gitlab_container_scan", "gitlab", 5, 5),
        ("other/govulncheck", "govulncheck", 1, 1),
        ("other/harbor_vulnerability", "harbor", 3, 3),
        ("other/snyk", "snyk", 1, 1),
    ] {
        for entry in read(folder, format) {
            let (path, report) = (&entry.path, &entry.report);
            only_duplicates(&entry);
            assert_eq!(report.read, rows, "{path}");
            assert_eq!(
                report.findings.iter().filter(|f| f.package.is_some()).count() as u64 + entry.duplicates(),
                packages,
                "{path}"
            );
            let cves: BTreeSet<&str> = entry.ids().into_iter().filter(|id| id.starts_with("CVE-")).collect();
            match folder {
                // 31 more are only names in `unapproved`.
                "other/clair" => assert_eq!(cves.len(), 4, "{path}"),
                // One more is only mentioned in a description.
                "other/anchore_engine" => assert_eq!(cves.len(), 23, "{path}"),
                _ => assert_eq!(cves.len() as u64, entry.number("distinct_cves"), "{path}"),
            }
            let mut expected = entry.counts("severity_values");
            match folder {
                // Counted at every level of the file, of which only one is the rows'.
                "other/anchore_engine" | "other/harbor_vulnerability" | "other/govulncheck" => {}
                // `MODERATE` is medium.
                "other/github_vulnerability" => {
                    expected.remove("moderate");
                    *expected.entry("medium".to_owned()).or_default() += 1;
                    assert_eq!(severities(report), expected, "{path}");
                }
                _ => assert_eq!(severities(report), expected, "{path}"),
            }
        }
    }
}

#[test]
fn a_host_that_the_user_names_gets_every_finding() {
    let Some(corpus) = corpus() else { return };
    for path in [
        "scanners/grype/check_all_fields.json",
        "scanners/sarif/nginx-grype.sarif.json",
        "scanners/cyclonedx/trivy-npm-cyclonedx.json",
    ] {
        let options = ReadOptions { host: Some(HostName::new("web-1").unwrap()), ..ReadOptions::default() };
        let report = read_report_file(&corpus.join(path), &options).unwrap();
        assert!(report.findings.iter().all(|f| f.asset.as_str() == "web-1"), "{path}");
        assert_eq!(report.assets.len(), 1, "{path}");
        assert!(!report.assets["web-1"].names.is_empty(), "{path}: what the report calls it is another name");
    }
}
