//! Reports of cloud scanners and of agents, and feeds, as others wrote them, against the facts that their folder's
//! README states: visibly skipped where the folder (`SWITCHBACK_CORPUS`, else `../shared/corpus`) is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use switchback::intake::{Feeds, ReadOptions, Report, read_report_file};
use switchback::model::{Finding, FixState, Severity, VulnerabilityType};

use super::{Entry, accounted_for, corpus, count};

/// The files of a folder, or one file.
fn entries(corpus: &Path, start: &str) -> Vec<Entry> {
    let mut entries = super::entries(corpus);
    entries.retain(|entry| entry.path.starts_with(start));
    entries
}

fn read(corpus: &Path, path: &str) -> Report {
    let report = read_report_file(&corpus.join(path), &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    accounted_for(path, &report);
    report
}

fn severity(finding: &Finding) -> String {
    finding
        .severity
        .map_or("untriaged", |severity| match severity {
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        })
        .to_owned()
}

fn ids(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().map(|finding| finding.vulnerability.as_str()).collect()
}

/// Findings by vulnerability and asset: what the tool wrote as one, however many packages it has.
fn written(findings: &[Finding]) -> Vec<&Finding> {
    let mut seen = BTreeSet::new();
    findings.iter().filter(|f| seen.insert((f.asset.as_str(), f.vulnerability.as_str()))).collect()
}

#[test]
fn wazuh_reports_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let entries = entries(&corpus, "scanners/wazuh/");
    assert!(entries.len() >= 3);
    for entry in &entries {
        let report = read(&corpus, &entry.path);
        let path = &entry.path;
        assert_eq!(Some(report.read), entry.facts.number("findings"), "{path}: findings");
        let raw = entry.facts.text("shape").unwrap().starts_with("4.7");
        assert_eq!(report.format, if raw { "wazuh-api" } else { "wazuh" }, "{path}");
        if report.read == 0 {
            continue;
        }
        assert_eq!(
            Some(ids(&report.findings).len() as u64),
            entry.facts.number("distinct_ids"),
            "{path}: distinct_ids"
        );
        assert_eq!(Some(report.assets.len() as u64), entry.facts.number("agents"), "{path}: agents");
        // Rows of several agents of one name (made so when the sample was anonymised) are one finding each.
        let duplicates = report.left_out.get("duplicate").copied().unwrap_or(0);
        let rows: u64 = count(&report.findings, severity).values().sum();
        assert_eq!(rows + duplicates, report.read, "{path}");
        if duplicates == 0 {
            assert_eq!(Some(count(&report.findings, severity)), entry.facts.counts("severities"), "{path}: severities");
        }
        if let Some(packages) = entry.facts.number("packages") {
            let names: BTreeSet<_> = report.findings.iter().map(|f| f.package.as_ref().unwrap().as_str()).collect();
            assert_eq!(names.len() as u64, packages, "{path}: packages");
        }
        assert!(report.findings.iter().all(|f| f.kind == VulnerabilityType::Linux && f.ecosystem == "deb"), "{path}");
    }
    let report = read(&corpus, "scanners/wazuh/v4-7_many_findings.json");
    let states = count(&report.findings, |f| format!("{:?}", f.fix_state));
    assert_eq!(states, BTreeMap::from([("Fixed".into(), 7), ("NotFixed".into(), 6)]));
    let with_version = report.findings.iter().filter(|f| !f.fixed.is_empty()).count();
    assert_eq!(with_version, 6, "one condition holds a made-up text in place of its version");
}

#[test]
fn amazon_reports_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let entries = entries(&corpus, "scanners/aws/");
    assert!(entries.len() >= 6);
    for entry in &entries {
        let path = &entry.path;
        let report = read(&corpus, path);
        let is_inspector = path.contains("/inspector2-");
        assert_eq!(report.format, if is_inspector { "aws-inspector2" } else { "asff" }, "{path}");
        // A finding of Amazon's may name several packages, each of which must be fixed: the rows are the packages, and
        // a finding without any (as Trivy's, which stand elsewhere) is one.
        let rows = entry.facts.number("vulnerable_packages").or(entry.facts.number("findings"));
        assert_eq!(Some(report.read), rows, "{path}: vulnerable_packages, findings");
        assert_eq!(report.set_aside, BTreeMap::new(), "{path}");
        let closed = report.left_out.get("closed").copied().unwrap_or(0);
        let counted = entry.facts.counts("status").and_then(|status| status.get("closed").copied()).unwrap_or(0);
        assert_eq!(closed, counted, "{path}: closed");
        let distinct = entry.facts.number("distinct_ids").or(entry.facts.number("distinct_cves")).unwrap();
        assert_eq!(ids(&report.findings).len() as u64 + closed, distinct, "{path}: distinct ids");
        let duplicates = report.left_out.get("duplicate").copied().unwrap_or(0);
        if closed == 0 && duplicates == 0 && !path.contains("trivy") {
            let severities = count(written(&report.findings), severity);
            assert_eq!(Some(severities), entry.facts.counts("severities"), "{path}: severities");
        }
        let unfixed = report.findings.iter().filter(|f| f.fix_state == FixState::NotFixed).count() as u64;
        assert_eq!(unfixed, entry.facts.number("no_fixedInVersion").unwrap_or(0), "{path}: no_fixedInVersion");
        let kinds = count(report.assets.values(), |asset| asset.kind.clone().unwrap());
        for (fact, kind) in [("AwsEcrContainerImage", "container_image"), ("AWS_EC2_INSTANCE", "host")] {
            if entry.facts.text("resource_types").unwrap().contains(fact) {
                assert!(kinds.contains_key(kind), "{path}: {kinds:?}");
            }
        }
        if duplicates == 0 {
            assert_eq!(Some(report.assets.len() as u64), entry.facts.number("resources"), "{path}: resources");
        }
    }
    // Two accounts are written for one instance when the sample was anonymised: it is one asset with one finding.
    let report = read(&corpus, "scanners/aws/securityhub-inspector_ec2_cve.json");
    assert_eq!((report.assets.len(), report.findings.len(), report.left_out["duplicate"]), (1, 1, 4));
    assert_eq!(report.findings[0].installed.as_ref().unwrap().as_str(), "4.14.301-224.520.amzn2");
    assert_eq!((report.findings[0].ecosystem.as_str(), severity(&report.findings[0])), ("rpm", "critical".to_owned()));
    let report = read(&corpus, "scanners/aws/trivy-alpine-310.asff.json");
    assert_eq!(count(&report.findings, severity), BTreeMap::from([("medium".into(), 4)]));
    assert!(report.findings.iter().all(|f| f.ecosystem == "apk" && f.scanner == "trivy" && f.cvss.len() == 2));
    let report = read(&corpus, "scanners/aws/inspector2-many_vul.json");
    let ecosystems = count(&report.findings, |f| f.ecosystem.clone());
    assert_eq!(ecosystems, BTreeMap::from([("deb".into(), 7), ("rpm".into(), 2)]));
    let names: Vec<_> = report.assets["i-0b22a22eec53b9321"].names.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["10.52.88.71", "8.84.11.16", "my-instance"]);
}

#[test]
fn huawei_answers_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let report = read(&corpus, "scanners/huawei-hss/affected-servers.json");
    // The example is of a server on which the vulnerability was ignored.
    assert_eq!((report.read, report.left_out["suppressed-by-scanner"]), (1, 1));
    let asset = &report.assets["ecs"];
    assert!(asset.names.contains("xxx.xxx.xxx.xxx"), "{asset:?}");
    let report = read(&corpus, "scanners/huawei-hss/vulnerability-list.json");
    // The example says that no server is left on which it is not handled.
    assert_eq!((report.format, report.read, report.left_out["closed"]), ("huawei-hss", 1, 1));
    let folder = tempfile::tempdir().unwrap();
    for (file, old, new, shown) in [
        (
            "affected-servers.json",
            "vul_status_ignored",
            "vul_status_unfix",
            "ecs CVE-2022-1664 low rpm update-alternatives",
        ),
        (
            "vulnerability-list.json",
            "\"unhandle_host_num\" : 0",
            "\"unhandle_host_num\" : 1",
            "caa958ad-a481-4d46-b51e-6861b8864515 CVE-2022-27405 critical unknown -",
        ),
    ] {
        let text = std::fs::read_to_string(corpus.join("scanners/huawei-hss").join(file)).unwrap();
        assert!(text.contains(old), "{file}");
        let open = folder.path().join(file);
        std::fs::write(&open, text.replace(old, new)).unwrap();
        let report = read_report_file(&open, &ReadOptions::default()).unwrap();
        let [finding] = &report.findings[..] else { panic!("{file}: {:?}", report.left_out) };
        let package = finding.package.as_ref().map_or("-", |package| package.as_str());
        let text = format!(
            "{} {} {} {} {package}",
            finding.asset,
            finding.vulnerability,
            severity(finding),
            finding.ecosystem
        );
        assert_eq!((text.as_str(), finding.kind), (shown, VulnerabilityType::Linux), "{file}");
    }
}

#[test]
fn other_reports_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let facts = |path: &str| entries(&corpus, path).pop().unwrap();
    let path = "scanners/other/ms_defender/report_many_vulns.json";
    let report = read(&corpus, path);
    assert_eq!((report.format, report.findings.len(), report.assets.len()), ("defender", 4, 1));
    assert_eq!(Some(count(&report.findings, severity)), facts(path).facts.counts("severity_values"));
    assert_eq!(Some(ids(&report.findings).len() as u64), facts(path).facts.number("distinct_cves"));

    let path = "scanners/other/twistlock/findings_include_packages.json";
    let report = read(&corpus, path);
    assert_eq!((report.format, report.findings.len(), report.set_aside["compliance"]), ("twistlock", 4, 2));
    assert_eq!(Some(ids(&report.findings).len() as u64), facts(path).facts.number("distinct_cves"));
    // The fact counts the severities of the two compliance rows, high and medium, as well.
    let mut severities = count(&report.findings, severity);
    *severities.entry("high".to_owned()).or_default() += 1;
    *severities.entry("medium".to_owned()).or_default() += 1;
    assert_eq!(Some(severities), facts(path).facts.counts("severity_values"));

    let path = "scanners/other/gcloud_artifact_scan/many_vulns.json";
    let report = read(&corpus, path);
    assert_eq!((report.format, report.findings.len(), report.assets.len()), ("gcloud", 7, 1));
    assert_eq!(Some(count(&report.findings, severity)), facts(path).facts.counts("severity_values"));
    assert_eq!(Some(ids(&report.findings).len() as u64), facts(path).facts.number("distinct_cves"));
    assert!(report.findings.iter().all(|f| f.ecosystem == "golang" && f.fixed.len() == 1 && !f.cvss.is_empty()));

    let report = read(&corpus, "scanners/other/cyberwatch_galeax/mixed_findings.json");
    // The one CVE is fixed on its one server; the two issues are no vulnerabilities of software.
    assert_eq!((report.format, report.read, report.left_out["closed"]), ("cyberwatch", 1, 1));
    assert_eq!(report.set_aside["security-issue"], 2);

    let path = "scanners/other/generic/generic_report_fix_version.json";
    let report = read(&corpus, path);
    assert_eq!((report.format, report.findings.len()), ("defectdojo-generic", 2));
    assert_eq!(Some(count(&report.findings, severity)), facts(path).facts.counts("severity_values"));
    let states: Vec<_> = report.findings.iter().map(|f| (f.fix_state, f.fixed.len())).collect();
    assert_eq!(states, [(FixState::Fixed, 1), (FixState::NotFixed, 0)]);

    let report = read(&corpus, "scanners/other/redhatsatellite/many_packages.json");
    // The one erratum fixes bugs and names no vulnerability.
    assert_eq!((report.format, report.read, report.set_aside["bugfix-erratum"]), ("satellite", 0, 1));
}

#[test]
fn feeds_give_their_facts() {
    let Some(corpus) = corpus() else { return };
    let mut checked = 0;
    for entry in entries(&corpus, "feeds/") {
        let path = &entry.path;
        let file = corpus.join(path);
        let is_database =
            ["nvd", "osv", "cve5", "distro"].iter().any(|kind| path.starts_with(&format!("feeds/{kind}/")));
        let feeds = match Feeds::read(&[&file]) {
            Ok(feeds) if !is_database && !path.contains("invalid-header") => feeds,
            Err(errors) if is_database => {
                assert_eq!(errors[0].code, "unknown-feed", "{path}");
                let message = &errors[0].message;
                assert!(message.contains("advisory database") || message.contains("end-of-life"), "{path}: {message}");
                checked += 1;
                continue;
            }
            Err(errors) if path.contains("invalid-header") => {
                assert_eq!((errors[0].code, errors[0].place), ("invalid-feed", Some((2, 1))), "{path}");
                checked += 1;
                continue;
            }
            other => panic!("{path}: {other:?}"),
        };
        let codes: BTreeSet<_> = feeds.warnings().iter().map(|warning| warning.code).collect();
        if let Some(kev) = feeds.kev() {
            assert_eq!(kev.version.as_deref(), entry.facts.text("catalogVersion"), "{path}");
            assert_eq!(kev.declared, entry.facts.number("declared_count"), "{path}");
            assert_eq!(Some(kev.entries.len() as u64), entry.facts.number("entries"), "{path}");
            assert_eq!(kev.entries.len() as u64, entry.facts.number("distinct_cves").unwrap(), "{path}");
            assert_eq!(kev.ransomware() as u64, entry.facts.number("ransomware_known").unwrap_or(0), "{path}");
            let due: BTreeSet<_> = kev.entries.values().filter_map(|entry| entry.due).collect();
            let range = format!("{}..{}", due.first().unwrap(), due.last().unwrap());
            assert_eq!(Some(range.as_str()), entry.facts.text("dueDate_range"), "{path}");
            let mismatch = entry.facts.number("declared_count") != entry.facts.number("entries");
            assert_eq!(codes.contains("feed-count-mismatch"), mismatch, "{path}: {codes:?}");
        } else if let Some(epss) = feeds.epss() {
            assert_eq!(Some(epss.scores.len() as u64), entry.facts.number("data_rows"), "{path}");
            assert_eq!(Some(epss.scores.len() as u64), entry.facts.number("distinct_cves"), "{path}");
            assert!(entry.facts.text("comment").unwrap().contains(epss.model.as_deref().unwrap()), "{path}");
            let is_dated = entry.facts.text("comment").unwrap().contains("score_date");
            assert_eq!((epss.scored.is_some(), codes.contains("feed-without-date")), (is_dated, !is_dated), "{path}");
        } else {
            let [table] = feeds.tables() else { panic!("{path}") };
            let rows = entry.facts.number("rows").or(entry.facts.number("mapping_rows")).unwrap();
            assert_eq!(table.rows() as u64, rows, "{path}: rows");
            let inputs = entry
                .facts
                .number("inputs")
                .or(entry.facts.number("decision_points").map(|points| points - 1))
                .unwrap();
            assert_eq!(table.points.len() as u64, inputs, "{path}: inputs");
            if let Some(key) = entry.facts.text("outcome") {
                assert_eq!(table.outcome.key.as_deref(), Some(key), "{path}");
            }
            // Each table is there in both editions, which say the same.
            let twin = entries(&corpus, &path.replace(".json", ".csv")).pop().unwrap();
            let outcomes = table.outcomes().into_iter().map(|(name, rows)| (name.to_owned(), rows as u64)).collect();
            assert_eq!(twin.facts.counts("outcomes"), Some(outcomes), "{path}: outcomes");
        }
        checked += 1;
    }
    assert!(checked >= 30, "{checked} feeds");
}

#[test]
fn editions_of_a_decision_table_decide_alike() {
    let Some(corpus) = corpus() else { return };
    let mut rows = 0;
    for entry in entries(&corpus, "feeds/ssvc/").iter().filter(|entry| entry.path.ends_with(".csv")) {
        let json = corpus.join(entry.path.replace(".csv", ".json"));
        let feeds = Feeds::read(&[corpus.join(&entry.path), json]).unwrap();
        let [csv, json] = feeds.tables() else { panic!("{}", entry.path) };
        let text = std::fs::read_to_string(corpus.join(&entry.path)).unwrap();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let (outcome, answers) = cells[1..].split_last().unwrap();
            let names = csv.points.iter().map(|point| point.name.clone());
            let answers = names.zip(answers.iter().map(|answer| (*answer).to_owned())).collect();
            assert_eq!(csv.decide(&answers).unwrap(), BTreeSet::from([*outcome]), "{}: {line}", entry.path);
            assert_eq!(json.decide(&answers).unwrap(), BTreeSet::from([*outcome]), "{}: {line}", entry.path);
            rows += 1;
        }
    }
    assert_eq!(rows, 16 + 36 + 72 + 16);
}
