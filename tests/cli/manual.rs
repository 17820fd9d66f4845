//! `switchback manual`: from a plan to work that a scan has verified.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::World;

const POLICY: &str = "version: 1\nscope: {fix: [critical, high]}\npriority: {deadlines: {critical: 3d, high: 7d}}\nmanual:\n  \
    - {match: {package: left-pad}, assignee: web-team, due: 2d}\n  - {match: {ecosystem: npm}, assignee: app-team}\n";

fn finding(cve: &str, package: &str, installed: &str) -> Value {
    json!({
        "vulnerability": cve, "type": "application", "ecosystem": "npm", "package": package,
        "location": "srv/app/package-lock.json", "installed": installed, "fixed": ["9.0.0"], "fix_state": "fixed",
        "severity": "critical", "first_seen": "2026-11-20T00:00:00Z", "title": "=cmd|' /C calc'!A0",
    })
}

/// A findings file about both hosts; `findings` are of `web-1`.
fn scan(at: &str, findings: &[Value]) -> String {
    let linux = json!({
        "vulnerability": "CVE-2024-5535", "type": "linux", "ecosystem": "deb", "package": "openssl",
        "installed": "3.0.1", "fixed": ["3.0.2"], "fix_state": "fixed", "severity": "critical",
    });
    let hosts = json!([
        {"host": "web-1", "scanned_at": at, "findings": findings},
        {"host": "web-2", "scanned_at": at, "findings": [linux]},
    ]);
    json!({"format": "switchback.findings/v1", "hosts": hosts}).to_string()
}

fn world() -> World {
    let world = World::new();
    world.example("first-plan");
    world.write("policy.yaml", POLICY);
    let findings = [
        finding("CVE-2026-1", "left-pad", "1.0.0"),
        // Another version at the same place is the same work.
        finding("CVE-2026-1", "left-pad", "1.1.0"),
        finding("CVE-2026-2", "lodash", "4.0.0"),
    ];
    world.write("scan.json", &scan("2026-11-23T06:00:00Z", &findings));
    world
}

const LIST: &[&str] = &[
    "manual",
    "list",
    "-p",
    "policy.yaml",
    "-i",
    "inventory.yaml",
    "-f",
    "scan.json",
    "--as-of",
    "2026-11-23T12:00:00Z",
];

fn list(world: &World, more: &[&str]) -> Value {
    let ran = world.run(&[LIST, more, &["--format", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    ran.json()
}

fn states(list: &Value) -> Vec<(&str, &str)> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| (item["vulnerability"].as_str().unwrap(), item["state"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_manual_finding_is_in_the_list_once_with_who_and_until_when() {
    let world = world();
    let ran = world.run(&[
        "plan",
        "-p",
        "policy.yaml",
        "-i",
        "inventory.yaml",
        "-f",
        "scan.json",
        "--as-of",
        "2026-11-23T12:00:00Z",
        "-o",
        "plan.json",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stderr.contains("2 items for people: `switchback manual list --plan plan.json`"), "{}", ran.show());
    let plan = world.run(&["show", "plan.json", "--format", "json"]).json();
    super::conform::conforms("plan", &plan);
    assert!(world.run(&["show", "plan.json", "--format", "html"]).stdout.contains("<h2>Work for people</h2>"));
    let decisions = plan["report"]["decisions"].as_array().unwrap();
    let manual: BTreeSet<&str> = decisions
        .iter()
        .filter(|decision| decision["kind"] == "manual")
        .map(|decision| decision["finding"].as_str().unwrap())
        .collect();
    let listed: Vec<&str> = plan["report"]["manual"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|item| item["findings"].as_array().unwrap())
        .map(|finding| finding.as_str().unwrap())
        .collect();
    assert_eq!((manual.len(), listed.len(), listed.iter().copied().collect::<BTreeSet<_>>()), (3, 3, manual));
    let ran = world.run(LIST);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let has = |line: usize, words: &[&str]| words.iter().all(|word| lines[line].contains(word));
    assert_eq!(lines.len(), 3, "{}", ran.show());
    assert!(has(
        0,
        &["ITEM", "STATE", "PRIORITY", "DUE", "ASSIGNEE", "HOST", "VULNERABILITY", "PACKAGE", "SUGGESTION"]
    ));
    let first =
        ["open", "2026-11-22", "web-team", "web-1", "CVE-2026-1", "bring left-pad from 1.", "to 9.0.0 or later"];
    assert!(has(1, &first), "{}", ran.show());
    assert!(has(2, &["open", "app-team", "CVE-2026-2", "bring lodash from 4.0.0 to 9.0.0 or later"]), "{}", ran.show());
    assert!(!lines[2].contains(" -  "), "the deadline of its priority: {}", ran.show());
    assert_eq!(world.run(&["manual", "list", "--plan", "plan.json"]).stdout, ran.stdout);
    assert_eq!(world.run(&["manual", "list"]).stdout, ran.stdout);
    let csv = world.run(&["manual", "list", "--format", "csv"]).stdout;
    assert!(csv.starts_with("item,state,priority,due,assignee,host,vulnerability,package,suggestion\r\n"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let markdown = world.run(&["manual", "list", "--format", "markdown"]).stdout;
    assert_eq!(markdown.lines().count(), 4, "{markdown}");
    assert_eq!(world.run(&["manual", "list", "--format", "xlsx", "-o", "work.xlsx"]).code, Some(0));
    assert!(std::fs::read(world.path().join("work.xlsx")).unwrap().starts_with(b"PK"));
}

#[test]
fn what_is_said_to_be_done_is_verified_or_opened_again_by_a_later_scan() {
    let world = world();
    let all = list(&world, &[]);
    assert_eq!(states(&all), [("CVE-2026-1", "open"), ("CVE-2026-2", "open")]);
    let id = |at: usize| all[at]["id"].as_str().unwrap().to_owned();
    let (first, second) = (id(0), id(1));
    assert_eq!(world.run(&["manual", "assign", &first, "ann", "--due", "2026-12-24T00:00:00Z"]).code, Some(0));
    world.write("log.txt", "npm install left-pad@9\nadded 1 package\n");
    let ran = world.run(&["manual", "done", &first, "--evidence", "@log.txt", "--by", "ann"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert_eq!(world.run(&["manual", "done", &second, "--evidence", "lodash removed"]).code, Some(0));
    // Planning from the scan of before the work opens nothing again.
    let all = list(&world, &[]);
    // By when they are due.
    assert_eq!(states(&all), [("CVE-2026-2", "done"), ("CVE-2026-1", "done")]);
    assert_eq!((&all[1]["assignee"], &all[1]["due"]), (&json!("ann"), &json!("2026-12-24T00:00:00Z")));
    let evidence = &all[1]["log"][1]["event"]["evidence"];
    assert_eq!((&all[1]["log"][1]["by"], &evidence["file"]), (&json!("ann"), &json!("log.txt")));
    assert!(evidence["text"].as_str().unwrap().contains("npm install") && evidence["digest"].is_string(), "{evidence}");

    let verify = |file: &str, at: &str, findings: &[Value]| {
        world.write(file, &scan(at, findings));
        world.run(&["manual", "verify", "-i", "inventory.yaml", "-f", file])
    };
    // A scan of before the work tells nothing of it, nor does one of another host.
    let ran = verify("old.json", "2020-01-01T00:00:00Z", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.show());
    assert!(ran.stderr.contains("2 items that are said to be done stay so"), "{}", ran.show());
    // The first is gone, the second is still there, in another version.
    let ran = verify("new.json", "2099-01-01T00:00:00Z", &[finding("CVE-2026-2", "lodash", "4.1.0")]);
    assert_eq!(ran.code, Some(11), "{}", ran.show());
    assert!(
        ran.stdout.contains(&format!("{first} verified: CVE-2026-1 on web-1: switchback does not find it any more")),
        "{}",
        ran.show()
    );
    assert!(
        ran.stdout.contains(&format!("{second} reopened: CVE-2026-2 on web-1: said to be done by tester at 2")),
        "{}",
        ran.show()
    );
    assert!(ran.stdout.contains("and found by switchback again"), "{}", ran.show());
    let ran = world.run(&["manual", "list", "--format", "json"]);
    assert_eq!(states(&ran.json()), [("CVE-2026-2", "reopened")]);
    assert!(ran.stderr.contains("1 items are over; --all shows them"), "{}", ran.show());
    // It comes back: what was verified is opened again.
    let again = [finding("CVE-2026-1", "left-pad", "1.0.0"), finding("CVE-2026-2", "lodash", "4.1.0")];
    assert_eq!(verify("again.json", "2099-01-02T00:00:00Z", &again).code, Some(11));
    let ran = world.run(&["manual", "list", "--format", "json"]);
    assert_eq!(states(&ran.json()), [("CVE-2026-2", "reopened"), ("CVE-2026-1", "reopened")]);
}

#[test]
fn what_policy_decides_otherwise_is_closed_and_what_nobody_knows_is_refused() {
    let world = world();
    assert_eq!(states(&list(&world, &[])).len(), 2);
    let exception = "exceptions:\n  - {name: EXC-1, kind: ignore, match: {package: lodash}, reason: not loaded, owner: ann, expires: 2099-01-01}\n";
    world.write("policy.yaml", &format!("{POLICY}{exception}"));
    assert_eq!(states(&list(&world, &[])), [("CVE-2026-1", "open")]);
    let all = list(&world, &["--all"]);
    assert_eq!(states(&all), [("CVE-2026-1", "open"), ("CVE-2026-2", "closed")]);
    assert!(all[1]["log"][0]["event"]["why"].as_str().unwrap().contains("policy decides ignore"), "{all}");
    world.write("policy.yaml", POLICY);
    assert_eq!(states(&list(&world, &[])), [("CVE-2026-2", "reopened"), ("CVE-2026-1", "open")]);
    insta::assert_snapshot!(world.refused(3, &["manual", "done", "m-0", "--evidence", "x"]).show(), @r"
    exit: 3
    ----- stderr
    error: there is no item m-0 [unknown-item]
    hint: `switchback manual list` shows them; with -p, -i and -f, or --plan, it takes in those of a plan
    ");
    let first = list(&world, &[])[0]["id"].as_str().unwrap().to_owned();
    world.refused(2, &["manual", "done", &first, "--evidence", " "]);
    world.refused(1, &["manual", "done", &first, "--evidence", "@nothing"]);
    world.refused(2, &["manual", "list", "-p", "policy.yaml"]);
    world.write("policy.yaml", "version: 1\nmanual: [{match: all, assignee: \" \"}]\n");
    world.refused(3, LIST);
}

#[test]
fn a_plan_from_before_changes_nothing_in_the_list() {
    let world = world();
    let plan = |at: &str, file: &str| {
        let ran = world.run(&[
            "plan",
            "-p",
            "policy.yaml",
            "-i",
            "inventory.yaml",
            "-f",
            "scan.json",
            "--as-of",
            at,
            "-o",
            file,
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.show());
    };
    let exception = "exceptions:\n  - {name: EXC-1, kind: ignore, match: {package: lodash}, reason: not loaded, owner: ann, expires: 2099-01-01}\n";
    world.write("policy.yaml", &format!("{POLICY}{exception}").replace("web-team", "old-team"));
    plan("2026-11-23T12:00:00Z", "old.json");
    world.write("policy.yaml", POLICY);
    plan("2026-11-24T12:00:00Z", "new.json");
    let list = |file: &str| world.run(&["manual", "list", "--plan", file, "--all", "--format", "json"]).json();
    let before = list("new.json");
    assert_eq!(states(&before), [("CVE-2026-1", "open"), ("CVE-2026-2", "open")]);
    assert_eq!(list("old.json"), before);
    assert_eq!(list("new.json"), before);
}
