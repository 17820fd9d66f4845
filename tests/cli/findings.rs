//! `switchback findings`

use serde_json::json;

use super::conform::conforms;
use super::{Ran, World};

/// A Trivy report of one host with one row.
pub fn report(host: &str, row: serde_json::Value) -> String {
    json!({
        "SchemaVersion": 2,
        "ArtifactName": host,
        "ArtifactType": "vm",
        "Metadata": {"OS": {"Family": "debian", "Name": "12.5"}},
        "Results": [{"Target": host, "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [row]}],
    })
    .to_string()
}

/// Asserts that nothing in the output could drive a terminal, look like a command or flood it.
pub fn assert_harmless(ran: &Ran) {
    let all = ran.all();
    assert!(!all.contains("panicked"), "{}", ran.show());
    let raw = all.chars().find(|c| *c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(c)));
    assert_eq!(raw, None, "{all:?}");
    assert!(all.len() < 200_000, "{} bytes", all.len());
}

#[test]
fn a_report_is_a_table_or_one_object() {
    let world = World::new();
    world.example("first-plan");
    let ran = world.run(&["findings", "-f", "web-2=reports/web-2.trivy.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stdout
    web-2: 3 findings
      medium      4.8  CVE-2023-4039        libgcc-s1 12.2.0-14 -> no fix
      critical    9.1  CVE-2024-5535        libssl3 3.0.11-1~deb12u2 -> 3.0.15-1~deb12u1
      critical    9.1  CVE-2024-5535        openssl 3.0.11-1~deb12u2 -> 3.0.15-1~deb12u1
    3 rows read, 3 findings
    ");
    let ran =
        world.run(&["findings", "-f", "reports/web-1.trivy.json", "reports/web-2.trivy.json", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let value = ran.json();
    conforms("findings", &value);
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["findings", "left_out", "read"]);
    let left_out: u64 = value["left_out"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let kept = value["findings"].as_array().unwrap().len() as u64;
    assert!(kept > 0 && value["read"] == kept + left_out, "{value}");
}

#[test]
fn problems_of_several_reports_are_told_in_one_run() {
    let world = World::new();
    world.example("first-plan");
    let whole = std::fs::read_to_string(world.path().join("reports/web-1.trivy.json")).unwrap();
    world.write("cut.json", &whole[..700]);
    world.write("root.json", "{\"unheard\": [], \"of\": {}}");
    world.write("empty.json", "");
    let ran = world.refused(
        3,
        &[
            "findings",
            "-f",
            "cut.json",
            "root.json",
            "reports/web-2.trivy.json",
            "nothere.json",
            "empty.json",
            "--format",
            "json",
        ],
    );
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    invalid-json

      × cut.json:28:11: the file ends in the middle: eof while parsing an object
      help: was its writing interrupted?

    unknown-report-format

      × root.json: a JSON document: an object with `of`, `unheard`, no report known here
      help: `switchback findings --formats` lists the formats that are read; `--from FORMAT` forces
            one

    unreadable-file

      × nothere.json: cannot be read: No such file or directory (os error 2)
      help: check the path and that you may read it

    invalid-json

      × empty.json:1:1: the file is empty
      help: did the scanner fail? an empty report would be `{}` or `null`

    error: 4 errors in the input; nothing was done
    ");
}

#[test]
fn hostile_values_are_left_out_and_never_shown_raw() {
    let world = World::new();
    let fine =
        json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "openssl", "InstalledVersion": "1", "FixedVersion": "2"});
    let long = "a".repeat(10 << 20);
    for (key, value) in [
        ("PkgName", "a; reboot"),
        ("PkgName", "$(id)"),
        ("PkgName", "a\u{1b}[2Jb"),
        ("PkgName", &long),
        ("VulnerabilityID", "CVE-2026-1\u{1b}]0;owned\u{7}"),
        ("VulnerabilityID", "`id`"),
        ("VulnerabilityID", &long),
        ("InstalledVersion", "1; reboot"),
        ("InstalledVersion", "1\u{9b}31m"),
        ("FixedVersion", "2\n$(reboot)"),
        ("FixedVersion", &long),
        ("Title", "\u{1b}[31mred\u{202e}"),
        ("Title", &long),
        ("Severity", "\u{1b}[31mHIGH"),
    ] {
        let mut row = fine.clone();
        row[key] = value.into();
        world.write("r.json", &report("web-1", row));
        for format in ["table", "json"] {
            let ran = world.run(&["findings", "-f", "r.json", "--format", format]);
            assert_harmless(&ran);
            let shown: String = value.chars().take(20).collect();
            assert_eq!(ran.code, Some(0), "{key} {shown:?}: {}", ran.show());
            assert!(!ran.all().contains("reboot") && !ran.all().contains("id)"), "{}", ran.show());
            if format == "json" {
                assert_eq!(ran.json()["read"], 1, "{key} {shown:?}");
            }
        }
    }
    for name in ["a; reboot", "\u{1b}[2J", "-oProxyCommand=reboot", &long] {
        world.write("r.json", &report(name, fine.clone()));
        let ran = world.run(&["findings", "-f", "r.json"]);
        assert_harmless(&ran);
        // What an asset is called is shown as text and becomes a host only if the inventory has it.
        assert_eq!(ran.code, Some(0), "{}", ran.show());
    }
}

#[test]
fn a_depth_bomb_is_an_error() {
    let world = World::new();
    world.write("deep.json", &"[".repeat(1 << 20));
    let ran = world.refused(3, &["findings", "-f", "deep.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    nesting-too-deep

      × deep.json:1:129: nested deeper than 128 levels
      help: no scanner writes such a file

    error: 1 error in the input; nothing was done
    ");
}

#[test]
fn feeds_enrich_findings_and_say_how_old_they_are() {
    let world = World::new();
    world.example("first-plan");
    let kev = json!({"catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T00:00:00Z", "count": 1,
        "vulnerabilities": [{"cveID": "CVE-2024-5535", "dateAdded": "2026-11-20"}]});
    world.write("kev.json", &kev.to_string());
    world.write("epss.csv", "#model_version:v2025.03.14\ncve,epss,percentile\nCVE-2024-5535,0.5,0.9\n");
    let args = ["findings", "-f", "web-2=reports/web-2.trivy.json", "--feed", "kev.json", "epss.csv"];
    let ran = world.run(&args);
    insta::assert_snapshot!(ran.stderr, @r"
    feed-without-date

      ⚠ epss.csv: the feed does not say of which day it is
      help: its age is not known; take the file as it is published

    feed: KEV catalogue 2026.11.20 of 2026-11-20, CVEs: 1, used by ransomware: 0
    feed: EPSS scores v2025.03.14 of an unknown day, CVEs: 1
    ");
    let ran = world.run(&[&args[..], &["--format", "json"]].concat());
    let value = ran.json();
    conforms("findings", &value);
    let findings = value["findings"].as_array().unwrap();
    let exploited: Vec<_> = findings.iter().filter(|finding| finding["kev"] == json!(true)).collect();
    assert_eq!(exploited.len(), 2, "{value}");
    assert!(exploited.iter().all(|finding| finding["epss"] == json!(0.5)), "{value}");
    world.write("nvd.json", r#"{"format": "NVD_CVE", "resultsPerPage": 0, "vulnerabilities": []}"#);
    let ran = world.refused(
        3,
        &["findings", "-f", "web-2=reports/web-2.trivy.json", "--feed", "nvd.json", "kev.json", "kev.json"],
    );
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    unknown-feed

      × nvd.json: the file is an answer of the NVD's API 2.0, an advisory database; it is no feed that
      │ raises or lowers priorities
      help: feeds are the KEV catalogue (JSON, CSV), the EPSS scores (CSV) and SSVC decision tables
            (JSON, CSV)

    duplicate-feed

      × kev.json: there is another KEV catalogue already
      help: give the newest one only

    error: 2 errors in the input; nothing was done
    ");
}
