//! Files written by others, against the facts that their folder's README states: visibly skipped where the folder
//! (`SWITCHBACK_CORPUS`, else `../shared/corpus`) is not there.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod cloud;
mod json;
mod xml;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use switchback::diagnostic::Diagnostics;
use switchback::intake::{ReadOptions, Report, expand_host_entry, read_inventory, read_report_file};
use switchback::model::{
    FixState, Prereleases, Score, Severity, VersionRange, VersionScheme, VulnerabilityType, score_vector,
};

fn corpus() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = switchback::env::var("SWITCHBACK_CORPUS").map_or_else(beside, PathBuf::from);
    if folder.join("README.md").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no corpus at {}; set SWITCHBACK_CORPUS", folder.display());
    None
}

/// What is known of a file: `key=value; key=value`.
struct Facts(BTreeMap<String, String>);

impl Facts {
    fn read(cell: &str) -> Self {
        let fact = |item: &str| item.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()));
        Self(cell.split(';').filter_map(fact).collect())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.text(key).map(|text| text.parse().unwrap())
    }

    /// `MEDIUM 4, LOW 1` as counts; the names in lower case.
    fn counts(&self, key: &str) -> Option<BTreeMap<String, u64>> {
        let count = |item: &str| {
            let (name, number) = item.trim().rsplit_once(' ').unwrap();
            (name.to_lowercase(), number.parse().unwrap())
        };
        self.text(key).map(|text| text.split(',').map(count).collect())
    }
}

/// A file of which something is known.
struct Entry {
    path: String,
    what: String,
    origin: String,
    facts: Facts,
}

/// The rows of the README's tables.
fn entries(corpus: &std::path::Path) -> Vec<Entry> {
    let readme = std::fs::read_to_string(corpus.join("README.md")).unwrap();
    let mut entries = Vec::new();
    for line in readme.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [path, what, origin, .., facts] = cells[..]
            && path.contains('/')
        {
            entries.push(Entry {
                path: path.to_owned(),
                what: what.to_owned(),
                origin: origin.to_owned(),
                facts: Facts::read(facts),
            });
        }
    }
    entries
}

fn accounted_for(path: &str, report: &Report) {
    let left_out: u64 = report.left_out.values().sum();
    assert_eq!(report.read, report.findings.len() as u64 + left_out, "{path}: rows in = rows accounted for");
}

fn count<T>(items: impl IntoIterator<Item = T>, name: impl Fn(T) -> String) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(name(item)).or_default() += 1;
    }
    counts
}

fn severity(severity: Option<Severity>) -> String {
    severity
        .map_or("unknown", |severity| match severity {
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        })
        .to_owned()
}

/// How many vulnerability rows belong to packages of a distribution, and how many to others: by walking the JSON.
fn rows_by_class(value: &serde_json::Value, counts: &mut (u64, u64)) {
    const DISTRIBUTIONS: [&str; 2] = ["debian", "ubuntu"];
    match value {
        serde_json::Value::Array(list) => list.iter().for_each(|value| rows_by_class(value, counts)),
        serde_json::Value::Object(map) => {
            if let (Some(rows), Some(_)) = (map.get("Vulnerabilities").and_then(|v| v.as_array()), map.get("Target")) {
                let text = |key: &str| map.get(key).and_then(|v| v.as_str()).unwrap_or_default();
                let of_os =
                    text("Class") == "os-pkgs" || (text("Class").is_empty() && DISTRIBUTIONS.contains(&text("Type")));
                *(if of_os { &mut counts.0 } else { &mut counts.1 }) += rows.len() as u64;
            } else {
                map.values().for_each(|value| rows_by_class(value, counts));
            }
        }
        _ => {}
    }
}

fn check_trivy(entry: &Entry, report: &Report, raw: &serde_json::Value) {
    let path = &entry.path;
    let findings = &report.findings;
    let left_out: u64 = report.left_out.values().sum();
    assert_eq!(report.read, findings.len() as u64 + left_out, "{path}: rows in = rows accounted for");
    assert_eq!(report.left_out, BTreeMap::new(), "{path}: nothing is left out of these");
    let severities = count(findings, |f| severity(f.severity));
    let ids: BTreeSet<_> = findings.iter().map(|f| f.vulnerability.as_str()).collect();
    let cve = |id: &&str| id.starts_with("CVE-");
    if entry.what.starts_with("Trivy Operator") {
        assert_eq!(
            entry.facts.number("distinct_cves"),
            Some(ids.iter().copied().filter(|id| cve(id)).count() as u64),
            "{path}"
        );
        assert_eq!(entry.facts.counts("severity_values"), Some(severities), "{path}");
        assert_eq!(findings.iter().filter(|f| f.kind == VulnerabilityType::Linux).count(), findings.len(), "{path}");
        return;
    }
    let or_zero = |key: &str| entry.facts.number(key).unwrap_or(0);
    assert_eq!(report.read, or_zero("findings"), "{path}: findings");
    assert_eq!(ids.len() as u64, or_zero("distinct_ids"), "{path}: distinct_ids");
    assert_eq!(ids.iter().filter(|id| !cve(id)).count() as u64, or_zero("non_cve_ids"), "{path}: non_cve_ids");
    assert_eq!(severities, entry.facts.counts("severities").unwrap_or_default(), "{path}: severities");
    let fixed = |least: usize| findings.iter().filter(|f| f.fixed.len() >= least).count() as u64;
    assert_eq!(report.read - fixed(1), or_zero("no_fixed_version"), "{path}: no_fixed_version");
    assert_eq!(fixed(2), or_zero("multi_fixed"), "{path}: multi_fixed");
    let sources = findings.iter().flat_map(|f| f.cvss.iter().map(|c| c.source.as_str()).collect::<BTreeSet<_>>());
    assert_eq!(
        count(sources, str::to_owned),
        entry.facts.counts("cvss_sources").unwrap_or_default(),
        "{path}: cvss_sources"
    );
    if let Some(mut expected) = entry.facts.counts("status") {
        // Neither says anything of a fix.
        if let Some(rows) = expected.remove("under_investigation") {
            *expected.entry("unknown".to_owned()).or_default() += rows;
        }
        let status = |state| match state {
            FixState::Fixed => "fixed",
            FixState::NotFixed => "affected",
            FixState::WillNotFix => "will_not_fix",
            FixState::Deferred => "fix_deferred",
            FixState::EndOfLife => "end_of_life",
            FixState::NotAffected => "not_affected",
            FixState::Unknown => "unknown",
        };
        assert_eq!(count(findings, |f| status(f.fix_state).to_owned()), expected, "{path}: status");
    }
    for (fact, kind) in
        [("misconfigs", "misconfiguration"), ("licenses", "license"), ("modified_findings", "suppressed-by-scanner")]
    {
        assert_eq!(report.set_aside.get(kind).copied().unwrap_or(0), or_zero(fact), "{path}: {fact}");
    }
    let mut classes = (0, 0);
    rows_by_class(raw, &mut classes);
    let linux = findings.iter().filter(|f| f.kind == VulnerabilityType::Linux).count() as u64;
    assert_eq!((linux, report.read - linux), classes, "{path}: distribution and other packages");
    if let Some(os) = entry.facts.text("os").filter(|os| !os.starts_with("none")) {
        let shown: Vec<_> = report
            .assets
            .values()
            .filter_map(|a| a.os.as_ref())
            .map(|os| format!("{} {}", os.name, os.version.as_deref().unwrap_or_default()))
            .collect();
        assert!(matches!(&shown[..], [one] if os.starts_with(one.as_str())), "{path}: {shown:?} is not {os}");
    }
}

#[test]
fn trivy_reports_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let mut checked = 0;
    for entry in entries(&corpus).iter().filter(|entry| entry.path.starts_with("scanners/trivy/")) {
        let file = corpus.join(&entry.path);
        let report = read_report_file(&file, &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let raw = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        check_trivy(entry, &report, &raw);
        checked += 1;
    }
    assert!(checked >= 30, "{checked} reports");
}

#[test]
fn reports_of_other_tools_are_read_or_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    for entry in entries(&corpus) {
        let other = entry.path.starts_with("scanners/") && !entry.path.starts_with("scanners/trivy/");
        if other && entry.path.ends_with(".json") {
            match read_report_file(&corpus.join(&entry.path), &ReadOptions::default()) {
                Ok(report) => assert!(!report.format.starts_with("trivy") || report.read == 0, "{}", entry.path),
                Err(e) => assert!(["unknown-report-format", "invalid-json"].contains(&e.code), "{}: {e}", entry.path),
            }
        }
    }
}

fn table(corpus: &std::path::Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(corpus.join("vectors").join(name)).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn check_order(file: &str, scheme: VersionScheme, rows_at_least: usize) {
    let Some(corpus) = corpus() else { return };
    let rows = table(&corpus, file);
    assert!(rows.len() >= rows_at_least, "{} rows", rows.len());
    for row in rows {
        let order = match row[1].as_str() {
            "<" => Ordering::Less,
            "=" => Ordering::Equal,
            ">" => Ordering::Greater,
            other => panic!("{file}: {other:?} is no order"),
        };
        assert_eq!(scheme.compare(&row[0], &row[2]), Ok(order), "{file}: {row:?}");
        assert_eq!(scheme.compare(&row[2], &row[0]), Ok(order.reverse()), "{file}: {row:?}");
    }
}

fn validity(scheme: VersionScheme, version: &str) -> &'static str {
    match scheme.validate(version) {
        Ok(None) => "valid",
        Ok(Some(_)) => "warn",
        Err(_) => "invalid",
    }
}

#[test]
fn deb_versions_are_ordered_as_dpkg_does() {
    check_order("version-deb.tsv", VersionScheme::Deb, 380);
    let Some(corpus) = corpus() else { return };
    for row in table(&corpus, "version-deb-validity.tsv") {
        let version: String = serde_json::from_str(&row[0]).unwrap();
        assert_eq!(validity(VersionScheme::Deb, &version), row[1], "{version:?}");
    }
}

#[test]
fn apk_versions_are_ordered_as_apk_tools_do() {
    check_order("version-apk.tsv", VersionScheme::Apk, 690);
    let Some(corpus) = corpus() else { return };
    let rows = table(&corpus, "version-apk-validity.tsv");
    assert!(rows.len() >= 19);
    for row in rows {
        assert_eq!(validity(VersionScheme::Apk, &row[0]), row[1], "{row:?}");
    }
    let relations = table(&corpus, "version-apk-relations.tsv");
    assert!(relations.len() >= 12);
    for row in relations {
        let (version, range) = row[0].split_once(' ').unwrap();
        let range = VersionRange::parse(VersionScheme::Apk, range).unwrap();
        assert_eq!(range.contains(version).unwrap().to_string(), row[1], "{row:?}");
    }
}

#[test]
fn rpm_versions_are_ordered_as_rpm_does() {
    check_order("version-rpm.tsv", VersionScheme::Rpm, 444);
}

#[test]
fn maven_versions_are_ordered_as_maven_does() {
    check_order("version-maven.tsv", VersionScheme::Maven, 715);
}

#[test]
fn nuget_versions_are_ordered_as_nuget_does() {
    check_order("version-nuget.tsv", VersionScheme::Nuget, 25);
}

#[test]
fn packagist_versions_are_ordered_as_composer_does() {
    check_order("version-packagist.tsv", VersionScheme::Packagist, 63);
}

#[test]
fn python_versions_are_ordered_as_packaging_does() {
    check_order("version-pep440.tsv", VersionScheme::Pep440, 428);
    let Some(corpus) = corpus() else { return };
    let rows = table(&corpus, "range-pep440.tsv");
    assert!(rows.len() >= 158);
    for row in rows {
        let range = VersionRange::parse(VersionScheme::Pep440, &row[1]).unwrap();
        assert_eq!(range.contains(&row[0]).unwrap().to_string(), row[2], "{row:?}");
    }
}

#[test]
fn gem_versions_are_ordered_as_rubygems_does() {
    check_order("version-rubygems.tsv", VersionScheme::Rubygems, 97);
}

#[test]
fn semantic_versions_are_ordered_as_npm_does() {
    check_order("version-semver.tsv", VersionScheme::Semver, 57);
    let Some(corpus) = corpus() else { return };
    let rows = table(&corpus, "range-npm-semver.tsv");
    assert!(rows.len() >= 136);
    for row in rows {
        let prereleases = if row[3] == "includePrerelease" { Prereleases::All } else { Prereleases::Named };
        let range = VersionRange::parse_with(VersionScheme::Semver, &row[1], prereleases).unwrap();
        assert_eq!(range.contains(&row[0]).unwrap().to_string(), row[2], "{row:?}");
    }
}

/// As the tables write it.
fn shown(severity: Option<Severity>) -> String {
    severity.map_or("NONE".to_owned(), |severity| format!("{severity:?}").to_uppercase())
}

#[test]
fn cvss_vectors_score_as_the_tables_say() {
    let Some(corpus) = corpus() else { return };
    let score = |vector: &str| score_vector(vector).unwrap_or_else(|error| panic!("{error}"));
    let group = |score: Option<Score>| score.map_or(String::new(), |score| score.to_string());
    let rows = table(&corpus, "cvss-v2.tsv");
    assert!(rows.len() >= 504);
    for row in rows {
        let scored = score(&row[0]);
        let scores = [scored.base.to_string(), group(scored.temporal), group(scored.environmental)];
        assert_eq!(scores, row[1..4], "{row:?}");
        assert_eq!(score(&format!("({})", row[0])), scored, "{row:?}");
    }
    let rows = table(&corpus, "cvss-v3.tsv");
    assert!(rows.len() >= 672);
    for row in rows {
        let scored = score(&row[0]);
        let scores = [scored.base.to_string(), group(scored.temporal), group(scored.environmental)];
        assert_eq!(scores, row[1..4], "{row:?}");
        assert_eq!(shown(scored.base_severity), row[4].to_uppercase(), "{row:?}");
        assert!(row[0].starts_with(&format!("CVSS:{}/", scored.version)), "{row:?}");
    }
    let rows = table(&corpus, "cvss-v4.tsv");
    assert!(rows.len() >= 786);
    for row in rows {
        let scored = score(&row[0]);
        assert_eq!(
            (scored.overall.to_string(), shown(scored.severity)),
            (row[1].clone(), row[2].to_uppercase()),
            "{row:?}"
        );
    }
    let rows = table(&corpus, "cvss-nvd-records.tsv");
    assert!(rows.len() >= 45);
    for row in rows {
        let scored = score(&row[4]);
        assert_eq!((scored.base.to_string(), shown(scored.base_severity)), (row[5].clone(), row[6].clone()), "{row:?}");
        let version = scored.version.replace('.', "");
        assert_eq!(
            row[1].trim_start_matches("cvssMetricV").trim_end_matches('0'),
            version.trim_end_matches('0'),
            "{row:?}"
        );
    }
    let rows = table(&corpus, "cvss-malformed.tsv");
    assert!(rows.len() >= 14);
    for row in rows {
        let vector: String = serde_json::from_str(&row[0]).unwrap();
        assert!(score_vector(&vector).is_err(), "{row:?}");
    }
}

fn show(diagnostics: &Diagnostics) -> String {
    diagnostics.iter().map(|d| format!("{d}\n")).collect()
}

#[test]
fn ansible_inventories_answer_as_ansible_does() {
    let Some(corpus) = corpus() else { return };
    let mut checked = 0;
    for entry in entries(&corpus).iter().filter(|entry| entry.path.starts_with("inventory/expected/")) {
        let (_, source) = entry.origin.rsplit_once(" of ").unwrap();
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(corpus.join(&entry.path)).unwrap()).unwrap();
        // The answer itself is an inventory too.
        for source in [source, &entry.path] {
            let mut diagnostics = Diagnostics::default();
            let inventory = read_inventory(&[corpus.join(source)], None, &mut diagnostics);
            let inventory = inventory.unwrap_or_else(|| panic!("{source}:\n{}", show(&diagnostics)));
            assert_eq!(inventory.hosts.len() as u64, entry.facts.number("hosts").unwrap(), "{source}: hosts");
            let list = inventory.ansible_list().unwrap();
            assert_eq!(normal(&list), normal(&expected), "{source}");
            checked += 1;
        }
    }
    assert!(checked >= 30, "{checked} inventories");
}

/// Members of groups as sets.
fn normal(list: &serde_json::Value) -> serde_json::Value {
    let mut list = list.clone();
    for group in list.as_object_mut().unwrap().values_mut() {
        for key in ["hosts", "children"] {
            if let Some(names) = group.get_mut(key).and_then(|names| names.as_array_mut()) {
                names.sort_by_key(ToString::to_string);
            }
        }
    }
    list
}

#[test]
fn host_patterns_select_as_ansible_does() {
    let Some(corpus) = corpus() else { return };
    let mut inventories = BTreeMap::new();
    let rows = table(&corpus, "ansible-host-patterns.tsv");
    assert!(rows.len() >= 36);
    for row in rows {
        let inventory = inventories.entry(row[0].clone()).or_insert_with(|| {
            let mut diagnostics = Diagnostics::default();
            let inventory = read_inventory(&[corpus.join(&row[0])], None, &mut diagnostics);
            inventory.unwrap_or_else(|| panic!("{}:\n{}", row[0], show(&diagnostics)))
        });
        let expected: BTreeSet<&str> = row[2].split(',').filter(|host| !host.is_empty()).collect();
        let selected = inventory.select(&row[1]).unwrap();
        let found: BTreeSet<&str> = selected.hosts.iter().map(|host| host.as_str()).collect();
        assert_eq!(found, expected, "{row:?}");
    }
}

/// Files without an answer of Ansible's: what they say can be seen.
#[test]
fn other_files_are_read_as_they_stand() {
    let Some(corpus) = corpus() else { return };
    for name in ["pyinfra-inventory_ansible.json", "pyinfra-inventory_ansible.yml"] {
        let mut diagnostics = Diagnostics::default();
        let inventory = read_inventory(&[corpus.join("inventory").join(name)], None, &mut diagnostics);
        let inventory = inventory.unwrap_or_else(|| panic!("{name}:\n{}", show(&diagnostics)));
        let groups: BTreeMap<&str, Vec<&str>> = inventory
            .hosts
            .values()
            .map(|host| (host.name.as_str(), host.groups.iter().map(|group| group.as_str()).collect()))
            .collect();
        let expected = BTreeMap::from([
            ("bar.example.com", vec!["webservers"]),
            ("foo.example.com", vec!["webservers"]),
            ("mail.example.com", vec![]),
            ("one.example.com", vec!["dbservers"]),
            ("three.example.com", vec!["dbservers"]),
            ("two.example.com", vec!["dbservers"]),
        ]);
        assert_eq!(groups, expected, "{name}");
    }
}

#[test]
fn every_inventory_is_read_or_refused_for_its_reason() {
    let Some(corpus) = corpus() else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(corpus.join("inventory")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "expected" {
            continue;
        }
        let mut diagnostics = Diagnostics::default();
        let inventory = read_inventory(&[path], None, &mut diagnostics);
        assert_eq!(inventory.is_none(), name == "bolt-patching-inventory.yaml", "{name}:\n{}", show(&diagnostics));
        read += usize::from(inventory.is_some());
    }
    assert!(read >= 17, "{read} inventories");
}

#[test]
fn host_ranges_expand_as_ansible_does() {
    let Some(corpus) = corpus() else { return };
    for row in table(&corpus, "ansible-host-ranges.tsv") {
        let expected: Vec<_> = row[2].split(',').filter(|host| !host.is_empty()).map(str::to_owned).collect();
        match (expand_host_entry(&row[0]), row[1].as_str()) {
            (Err(_), "error") => {}
            (Ok((hosts, port)), "ok" | "empty") => {
                assert_eq!(hosts, expected, "{}", row[0]);
                assert_eq!(port.map_or(String::new(), |port| port.to_string()), row[3], "{}", row[0]);
            }
            (result, expected) => panic!("{}: {result:?} is not {expected}", row[0]),
        }
    }
}

#[test]
fn other_inventories_are_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    let mut diagnostics = Diagnostics::default();
    assert!(read_inventory(&[corpus.join("inventory/bolt-patching-inventory.yaml")], None, &mut diagnostics).is_none());
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["unknown-inventory-format"]);
}
