//! Feeds: every edition, what is odd in them, what is no feed, and what they add to findings.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::intake::error::IntakeError;
use crate::intake::{ReadOptions, read_report};
use crate::model::{Finding, Probability};

fn files(texts: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(i, text): (usize, &&str)| {
        let path = folder.path().join(format!("f{i}"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths = texts.iter().enumerate().map(write).collect();
    (folder, paths)
}

fn read(texts: &[&str]) -> Result<Feeds, Vec<IntakeError>> {
    let (_folder, paths) = files(texts);
    Feeds::read(&paths)
}

fn codes(feeds: &Feeds) -> Vec<&'static str> {
    feeds.warnings().iter().map(|warning| warning.code).collect()
}

const KEV: &str = r#"{"title": "t", "catalogVersion": "2026.01.02", "dateReleased": "2026-01-02T03:04:05.6789Z", "count": 2,
    "vulnerabilities": [{"cveID": "CVE-2026-1000", "dateAdded": "2026-01-01", "dueDate": "2026-01-22", "knownRansomwareCampaignUse": "Known"},
    {"cveID": "CVE-2026-1001", "dateAdded": "x", "knownRansomwareCampaignUse": "Unknown"}]}"#;
const KEV_TABLE: &str = "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,\
    knownRansomwareCampaignUse,notes,cwes\nCVE-2026-1000,a,b,c,2026-01-01,\"d, e\",f,2026-01-22,Known,,\nCVE-2026-1001,a,b,c,,,,,Unknown,,\n";
const EPSS: &str = "#model_version:v2025.03.14,score_date:2026-01-02T00:00:00+0000\ncve,epss,percentile\n\
    CVE-2026-1000,0.25,0.9\nCVE-2026-1001,0.00042,0.1\n";
const TABLE: &str = "row,Exploitation v1.1.0,Automatable v2.0.0,\"Defer, Act v1.0.0\"\n0,none,no,defer\n1,none,yes,defer\n\
    2,public poc,no,defer\n3,public poc,yes,act\n4,active,no,act\n5,active,yes,act\n";

#[test]
fn both_editions_of_the_catalogue_say_the_same() {
    for (text, version, is_dated) in [(KEV, Some("2026.01.02"), true), (KEV_TABLE, None, false)] {
        let feeds = read(&[text]).unwrap();
        assert_eq!(Feeds::read_bytes("f", text.as_bytes()).unwrap().describe(), feeds.describe());
        let kev = feeds.kev().unwrap();
        assert_eq!((kev.version.as_deref(), kev.released.is_some()), (version, is_dated));
        assert_eq!((kev.entries.len(), kev.ransomware(), kev.left_out), (2, 1, 0));
        let entry = kev.entries["CVE-2026-1000"];
        assert_eq!(entry.due.unwrap().to_string(), "2026-01-22");
        assert_eq!(kev.entries["CVE-2026-1001"].added, None);
        assert_eq!(codes(&feeds), Vec::<&str>::new());
    }
    let feeds = read(&[&KEV.replace("\"count\": 2", "\"count\": 1273").replace("dateReleased", "x")]).unwrap();
    assert_eq!(codes(&feeds), ["feed-count-mismatch", "feed-without-date"]);
    assert!(feeds.warnings()[0].message.contains("1273"), "{:?}", feeds.warnings());
    let feeds = read(&[&KEV.replace("CVE-2026-1001", "$(id)")]).unwrap();
    assert_eq!(codes(&feeds), ["feed-rows-left-out"]);
}

#[test]
fn scores_are_read_with_and_without_their_day() {
    let feeds = read(&[EPSS]).unwrap();
    let epss = feeds.epss().unwrap();
    assert_eq!((epss.model.as_deref(), epss.scores.len()), (Some("v2025.03.14"), 2));
    assert_eq!(epss.scored.unwrap().to_string(), "2026-01-02T00:00:00Z");
    assert_eq!(epss.scores["CVE-2026-1001"], Probability::try_from(0.00042).unwrap());
    for undated in ["#model_version:v1\ncve,epss,percentile\nCVE-2026-1000,1,1\n", "cve,epss\nCVE-2026-1000,1\n"] {
        assert_eq!(codes(&read(&[undated]).unwrap()), ["feed-without-date"], "{undated}");
    }
    let odd = format!("{EPSS}CVE-2026-1,7,1\n$(id),0.5,1\nCVE-2026-2,nan,1\nCVE-2026-3\n");
    assert_eq!(read(&[&odd]).unwrap().epss().unwrap().left_out, 4);
    let error = &read(&["#model_version:v1\ninvalid,header,format\nCVE-2026-1000,1,1\n"]).unwrap_err()[0];
    assert_eq!((error.code, error.place), ("invalid-feed", Some((2, 1))), "{error}");
    assert!(error.message.contains("`invalid,header,format`"), "{error}");
}

#[test]
fn tables_decide_what_their_rows_say_and_no_more() {
    let json = r#"{"name": "T", "version": "1.0.0", "outcome": "o", "decision_points": {
        "E": {"name": "Exploitation", "version": "1.1.0", "values": [{"key": "N", "name": "None"}, {"key": "A", "name": "Active"}]},
        "o": {"name": "Act", "version": "1.0.0", "values": [{"key": "T", "name": "Track*"}, {"key": "A", "name": "Act"}]}},
        "mapping": [{"E": "N", "o": "T"}, {"E": "A", "o": "A"}]}"#;
    let feeds = read(&[TABLE, json]).unwrap();
    assert_eq!(codes(&feeds), Vec::<&str>::new());
    let [table, small] = feeds.tables() else { panic!("{:?}", feeds.tables()) };
    assert_eq!((table.name.as_str(), table.version.as_deref(), table.rows()), ("Defer, Act", Some("1.0.0"), 6));
    assert_eq!(table.outcomes(), BTreeMap::from([("act", 3), ("defer", 3)]));
    let answers = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let decide = |table: &DecisionTable, pairs: &[(&str, &str)]| {
        table.decide(&answers(pairs)).map(|set| set.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(decide(table, &[("exploitation", "Public PoC"), ("Automatable", "yes")]).unwrap(), ["act"]);
    assert_eq!(decide(table, &[("Automatable", "no")]).unwrap(), ["act", "defer"], "an open question leaves both");
    assert_eq!(decide(small, &[("E", "active")]).unwrap(), ["act"]);
    assert_eq!(decide(small, &[("Exploitation", "none")]).unwrap(), ["track*"]);
    let error = decide(table, &[("Exposure", "open")]).unwrap_err();
    assert_eq!(error.to_string(), "the table `Defer, Act` has no decision point `exposure`");
    let error = decide(table, &[("Automatable", "maybe")]).unwrap_err();
    assert_eq!(error.to_string(), "`maybe` is no value of `Automatable`: no, yes");

    let incomplete = TABLE.replace("5,active,yes,act\n", "");
    let feeds = read(&[&incomplete]).unwrap();
    assert_eq!(codes(&feeds), ["incomplete-decision-table"]);
    assert_eq!(decide(&feeds.tables()[0], &[("Exploitation", "active"), ("Automatable", "yes")]).unwrap(), [""; 0]);
    for (text, word) in [
        (TABLE.replace("5,active,yes,act", "5,active,no,defer"), "two outcomes"),
        (TABLE.replace("5,active,yes,act", "5,active"), "cells"),
        ("row,A v1,B v1\n".to_owned(), "no rows"),
        (format!("row{}\n", ",A v1".repeat(40)), "columns"),
        (json.replace("\"E\": \"A\"", "\"E\": \"X\""), "`X` is no value"),
        (json.replace("\"outcome\": \"o\"", "\"outcome\": \"p\""), "no decision point"),
    ] {
        let errors = read(&[&text]).unwrap_err();
        assert!(errors[0].code == "invalid-feed" && errors[0].message.contains(word), "{text}: {}", errors[0]);
    }
}

#[test]
fn what_is_no_feed_is_named() {
    for (text, word) in [
        (r#"{"resultsPerPage": 1, "format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-1"}}]}"#, "NVD"),
        (r#"{"id": "DSA-1-1", "modified": "2026-01-01T00:00:00Z", "affected": []}"#, "OSV"),
        (r#"{"dataType": "CVE_RECORD", "cveMetadata": {}}"#, "CVE record"),
        (r#"[{"Vulnerability": {"NamespaceName": "debian:8"}}]"#, "distribution"),
        (r#"{"SchemaVersion": 2, "Results": []}"#, "`-f`"),
        (r#"{"a": 1}"#, "no feed known here"),
        ("a,b\n1,2\n", "text that begins with"),
        ("<a/>", "<a>"),
    ] {
        let error = &read(&[text]).unwrap_err()[0];
        assert!(error.code == "unknown-feed" && error.message.contains(word), "{text}: {error}");
    }
    let (_folder, mut paths) = files(&[""]);
    std::fs::write(&paths[0], b"\x1f\x8b\x08\x00").unwrap();
    paths.push(PathBuf::from("/does/not/exist"));
    let errors = Feeds::read(&paths).unwrap_err();
    assert!(errors[0].message.contains("gzip") && errors[1].code == "unreadable-file", "{errors:?}");
    assert_eq!(read(&[KEV, KEV_TABLE]).unwrap_err()[0].code, "duplicate-feed");
    assert_eq!(read(&[EPSS, EPSS]).unwrap_err()[0].code, "duplicate-feed");
}

#[test]
fn findings_learn_from_feeds_by_any_of_their_ids() {
    let report = r#"{"SchemaVersion": 2, "ArtifactName": "a", "Results": [{"Target": "t", "Class": "os-pkgs", "Type": "debian",
        "Vulnerabilities": [{"VulnerabilityID": "GHSA-x", "VendorIDs": ["CVE-2026-1000", "CVE-2026-1001"], "PkgName": "p"},
            {"VulnerabilityID": "CVE-2026-9", "PkgName": "p"}]}]}"#;
    let findings = read_report("r", report.as_bytes(), &ReadOptions::default()).unwrap().findings;
    let enriched = |texts: &[&str], change: fn(&mut Finding)| -> Vec<(bool, Option<u32>, &str)> {
        let feeds = read(texts).unwrap();
        let mut findings = findings.clone();
        findings.iter_mut().for_each(|finding| {
            change(finding);
            feeds.enrich(finding);
        });
        let shown = |f: &Finding| (f.kev, f.epss.map(Probability::hundred_thousandths), Exploitation::of(f).as_str());
        findings.iter().map(shown).collect()
    };
    assert_eq!(enriched(&[KEV, EPSS], |_| {}), [(true, Some(25_000), "active"), (false, None, "none")]);
    assert_eq!(enriched(&[EPSS], |_| {}), [(false, Some(25_000), "public poc"), (false, None, "none")]);
    // What the report knows stays: exploitation always, its score where the feed has none.
    let known = |finding: &mut Finding| {
        finding.kev = true;
        finding.epss = Some(Probability::try_from(0.5).unwrap());
    };
    assert_eq!(enriched(&[EPSS], known), [(true, Some(25_000), "active"), (true, Some(50_000), "active")]);
    assert_eq!(enriched(&[], known)[1], (true, Some(50_000), "active"));
}

#[test]
fn the_digest_is_of_the_files_and_not_of_their_order() {
    let digest = |texts: &[&str]| read(texts).unwrap().digest();
    assert_eq!(digest(&[KEV, EPSS]), digest(&[EPSS, KEV]));
    assert_ne!(digest(&[KEV, EPSS]), digest(&[KEV]));
    assert_ne!(digest(&[KEV]), digest(&[&KEV.replace("Known", "known")]));
    let (_folder, paths) = files(&[EPSS, KEV]);
    assert_eq!(Feeds::digest_of(&paths).unwrap(), digest(&[KEV, EPSS]));
    let lines = read(&[KEV, EPSS, TABLE]).unwrap().describe();
    assert_eq!(
        lines,
        [
            "KEV catalogue 2026.01.02 of 2026-01-02, CVEs: 2, used by ransomware: 1",
            "EPSS scores v2025.03.14 of 2026-01-02, CVEs: 2",
            "SSVC table Defer, Act 1.0.0, rows: 6, by Exploitation, Automatable"
        ]
    );
}

#[test]
fn no_part_of_a_feed_does_harm() {
    for text in [KEV, KEV_TABLE, EPSS, TABLE] {
        for end in (0..text.len()).step_by(17) {
            let _ = read(&[&text[..end]]);
            let _ = read(&[&format!("{}\u{1b}\"{}", &text[..end], &text[end..])]);
        }
    }
}
