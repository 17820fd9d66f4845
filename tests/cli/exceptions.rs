//! `switchback exceptions`

use super::{FIRST_PLAN, World};

const POLICY: &str = "version: 1
exceptions:
  - {name: EXC-1, kind: whitelist, match: {vulnerability: [CVE-2026-1, CVE-2026-2]}, reason: module not loaded, justification: vulnerable_code_not_in_execute_path, owner: web-team, ticket: CHG1, expires: 2026-09-01}
  - {name: EXC-2, kind: whitelist, match: {vulnerability: [RUSTSEC-2026-0001]}, reason: \"not \\\"reachable\\\"\", owner: ops, expires: 2027-03-01T12:00:00Z}
  - {name: EXC-3, kind: whitelist, match: {vulnerability: CVE-2026-3, package: [zlib, \"lib*\"], ecosystem: apk}, reason: waits for a build, owner: ops, expires: 2027-01-01}
  - {name: EXC-4, kind: whitelist, match: {package: urllib3, ecosystem: pypi, installed: 1.26.20}, reason: tests only, owner: dev, expires: 2027-01-01}
  - {name: EXC-5, kind: whitelist, match: {vulnerability: CVE-2026-5, hosts: web-*}, reason: behind a proxy, owner: ops, expires: 2027-01-01}
  - {name: EXC-6, kind: ignore, match: {vulnerability: CVE-2026-6}, reason: next sprint, owner: ops, expires: 2027-01-01}
  - {name: EXC-7, kind: whitelist, match: {vulnerability: CVE-2026-7}, reason: old, owner: ops, expires: 2026-01-01}
  - {name: EXC-8, kind: whitelist, match: {vulnerability: CVE-2026-8}, reason: r, owner: ops, expires: whenever}
  - {name: EXC-9, kind: whitelist, match: all, reason: r, owner: ops, expires: 2027-01-01}
";

const AS_OF: &str = "2026-06-01T00:00:00Z";

fn world() -> World {
    let world = World::new();
    world.write("p/a.yaml", POLICY);
    world
}

#[test]
fn exceptions_are_listed_with_their_state_and_the_days_left() {
    let ran = world().run(&["exceptions", "list", "-q", "-p", "p", "--as-of", AS_OF]);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    NAME   KIND       STATE      DAYS LEFT  EXPIRES               OWNER     SOURCE
    EXC-8  whitelist  malformed  -          whenever              ops       p/a.yaml:10:12
    EXC-7  whitelist  expired    -151       2026-01-01            ops       p/a.yaml:9:12
    EXC-1  whitelist  active     92         2026-09-01            web-team  p/a.yaml:3:12
    EXC-3  whitelist  active     214        2027-01-01            ops       p/a.yaml:5:12
    EXC-4  whitelist  active     214        2027-01-01            dev       p/a.yaml:6:12
    EXC-5  whitelist  active     214        2027-01-01            ops       p/a.yaml:7:12
    EXC-9  whitelist  active     214        2027-01-01            ops       p/a.yaml:11:12
    EXC-6  ignore     active     214        2027-01-01            ops       p/a.yaml:8:12
    EXC-2  whitelist  active     273        2027-03-01T12:00:00Z  ops       p/a.yaml:4:12
    "#);
    let json = world().run(&["exceptions", "list", "-q", "-p", "p", "--as-of", AS_OF, "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), 9);
    assert_eq!(json[2]["name"], "EXC-1");
    assert_eq!(json[2]["state"], "active");
    assert_eq!(json[2]["days_left"], 92);
    assert_eq!(json[2]["owner"], "web-team");
    assert_eq!(json[2]["source"]["line"], 3);
    assert_eq!(json[0]["days_left"], serde_json::Value::Null);
}

/// What `exceptions export` prints for a scanner.
fn export(format: &str) -> super::Ran {
    let ran = world().run(&["exceptions", "export", "--format", format, "-p", "p", "--as-of", AS_OF]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(!ran.stdout.contains("CVE-2026-5") && !ran.stdout.contains("CVE-2026-6"), "{}", ran.show());
    assert!(!ran.stdout.contains("CVE-2026-7") && !ran.stdout.contains("CVE-2026-8"), "{}", ran.show());
    ran
}

/// The talk without the warning about the date that cannot be read.
fn notes(ran: &super::Ran) -> String {
    ran.stderr
        .lines()
        .filter(|line| line.starts_with("EXC") || line.contains("export") || line.contains("written"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_whitelist_is_written_as_trivy_reads_it() {
    let ran = export("trivyignore");
    insta::assert_snapshot!(ran.stdout, @r#"
    # Written by `switchback exceptions export` from the whitelist of the policies; change it there.
    # EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1)
    CVE-2026-1 exp:2026-09-01
    CVE-2026-2 exp:2026-09-01
    # EXC-2: not "reachable" (ops)
    RUSTSEC-2026-0001 exp:2027-03-01
    "#);
    insta::assert_snapshot!(notes(&ran), @r#"
    EXC-3 is not written: the format cannot tie a vulnerability to a package
    EXC-4 is not written: the format cannot tie a vulnerability to a package
    EXC-5 is not written: the format knows no `hosts`
    EXC-9 is not written: it names neither vulnerabilities nor packages
    2 exceptions written
    "#);
}

#[test]
fn the_whitelist_is_written_as_grype_reads_it() {
    let ran = export("grype");
    insta::assert_snapshot!(ran.stdout, @r#"
    # Written by `switchback exceptions export` from the whitelist of the policies; change it there.
    ignore:
      # EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1), until 2026-09-01
      - vulnerability: "CVE-2026-1"
        reason: "EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1)"
      - vulnerability: "CVE-2026-2"
        reason: "EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1)"
      # EXC-2: not "reachable" (ops), until 2027-03-01
      - vulnerability: "RUSTSEC-2026-0001"
        reason: "EXC-2: not \"reachable\" (ops)"
      # EXC-3: waits for a build (ops), until 2027-01-01
      - vulnerability: "CVE-2026-3"
        package: {name: "zlib", type: "apk"}
        reason: "EXC-3: waits for a build (ops)"
      - vulnerability: "CVE-2026-3"
        package: {name: "lib.*", type: "apk"}
        reason: "EXC-3: waits for a build (ops)"
      # EXC-4: tests only (dev), until 2027-01-01
      - package: {name: "urllib3", version: "1.26.20", type: "python"}
        reason: "EXC-4: tests only (dev)"
    "#);
    insta::assert_snapshot!(notes(&ran), @r#"
    EXC-5 is not written: the format knows no `hosts`
    EXC-9 is not written: it names neither vulnerabilities nor packages
    the format knows no dates: export again before 2026-09-01
    4 exceptions written
    "#);
}

#[test]
fn the_whitelist_is_written_as_osv_scanner_reads_it() {
    let ran = export("osv-scanner");
    insta::assert_snapshot!(ran.stdout, @r#"
    # Written by `switchback exceptions export` from the whitelist of the policies; change it there.

    [[IgnoredVulns]]
    id = "CVE-2026-1"
    ignoreUntil = 2026-09-01
    reason = "EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1)"

    [[IgnoredVulns]]
    id = "CVE-2026-2"
    ignoreUntil = 2026-09-01
    reason = "EXC-1: module not loaded (web-team, vulnerable_code_not_in_execute_path, CHG1)"

    [[IgnoredVulns]]
    id = "RUSTSEC-2026-0001"
    ignoreUntil = 2027-03-01
    reason = "EXC-2: not \"reachable\" (ops)"

    [[PackageOverrides]]
    name = "urllib3"
    ecosystem = "PyPI"
    version = "1.26.20"
    vulnerability.ignore = true
    effectiveUntil = 2027-01-01
    reason = "EXC-4: tests only (dev)"
    "#);
    insta::assert_snapshot!(notes(&ran), @r#"
    EXC-3 is not written: the format knows no patterns for `package`
    EXC-5 is not written: the format knows no `hosts`
    EXC-9 is not written: it names neither vulnerabilities nor packages
    3 exceptions written
    "#);
}

#[test]
fn the_whitelist_is_written_as_cargo_audit_reads_it() {
    let ran = export("cargo-audit");
    insta::assert_snapshot!(ran.stdout, @r#"
    # Written by `switchback exceptions export` from the whitelist of the policies; change it there.
    [advisories]
    ignore = [
      # EXC-2: not "reachable" (ops)
      "RUSTSEC-2026-0001", # until 2027-03-01
    ]
    "#);
    insta::assert_snapshot!(notes(&ran), @r#"
    EXC-1 is not written: the format knows ids of RUSTSEC only
    EXC-3 is not written: the format cannot tie a vulnerability to a package
    EXC-4 is not written: the format cannot tie a vulnerability to a package
    EXC-5 is not written: the format knows no `hosts`
    EXC-9 is not written: it names neither vulnerabilities nor packages
    the format knows no dates: export again before 2027-03-01T12:00:00Z
    1 exceptions written
    "#);
}

/// Ignore files of every tool, with what cannot be imported.
fn ignore_files() -> World {
    let world = World::new();
    world.write(
        ".trivyignore",
        "# waits for upstream\nCVE-2026-1 exp:2026-09-01\nCVE-2026-2 exp:2020-01-01\nCVE-2026-3 exp:2099-01-01\nCVE-2026-3\nGPL-3.0\n",
    );
    world.write(
        ".grype.yaml",
        "ignore:\n  - vulnerability: CVE-2026-4\n    reason: \"a \\\"quoted\\\" reason: {x}\"\n    package: {name: zlib, type: apk}\n  - package: {location: /usr/bin/terraform}\n",
    );
    world.write(
        "osv-scanner.toml",
        "[[IgnoredVulns]]\nid = \"GO-2026-1\"\nignoreUntil = 2026-07-01\n[[PackageOverrides]]\nname = \"urllib3\"\nversion = \"1.26.20\"\necosystem = \"PyPI\"\nignore = true\n",
    );
    world.write(
        "t.yaml",
        "vulnerabilities:\n  - id: CVE-2026-7\n    purls: [\"pkg:golang/a.io/b@1\", \"pkg:deb/debian/c\", \"pkg:rpm/redhat/d\"]\n  - id: CVE-2026-8\n    paths: [x]\nsecrets:\n  - id: private-key\n",
    );
    world
}

const IMPORT: &[&str] = &[
    "exceptions",
    "import",
    ".trivyignore",
    ".grype.yaml",
    "osv-scanner.toml",
    "t.yaml",
    "--owner",
    "web-team",
    "--expires",
    "2027-03-01",
    "--as-of",
    AS_OF,
];

#[test]
fn ignore_files_become_a_policy_that_our_own_checker_takes() {
    let world = ignore_files();
    let ran = world.run(IMPORT);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    version: 1
    # Imported from .trivyignore (trivyignore), .grype.yaml (grype), osv-scanner.toml (osv-scanner), t.yaml (trivyignore-yaml). Say better why, and who answers for each.
    exceptions:
      # .trivyignore:2
      - name: "CVE-2026-1"
        kind: whitelist
        match: {vulnerability: "CVE-2026-1"}
        reason: "waits for upstream"
        owner: "web-team"
        expires: 2026-09-01
      # .trivyignore:4
      - name: "CVE-2026-3"
        kind: whitelist
        match: {vulnerability: "CVE-2026-3"}
        reason: "no reason is given in .trivyignore:4"
        owner: "web-team"
        expires: 2027-03-01
      # .trivyignore:5
      - name: "CVE-2026-3 (2)"
        kind: whitelist
        match: {vulnerability: "CVE-2026-3"}
        reason: "no reason is given in .trivyignore:5"
        owner: "web-team"
        expires: 2027-03-01
      # .grype.yaml:2
      - name: "CVE-2026-4"
        kind: whitelist
        match: {vulnerability: "CVE-2026-4", package: "zlib", ecosystem: "apk"}
        reason: "a \"quoted\" reason: {x}"
        owner: "web-team"
        expires: 2027-03-01
      # osv-scanner.toml:2
      - name: "GO-2026-1"
        kind: whitelist
        match: {vulnerability: "GO-2026-1"}
        reason: "no reason is given in osv-scanner.toml:2"
        owner: "web-team"
        expires: 2026-07-01
      # osv-scanner.toml:5
      - name: "urllib3 1.26.20 pypi"
        kind: whitelist
        match: {package: "urllib3", ecosystem: "pypi", installed: "1.26.20"}
        reason: "no reason is given in osv-scanner.toml:5"
        owner: "web-team"
        expires: 2027-03-01
      # t.yaml:2
      - name: "CVE-2026-7"
        kind: whitelist
        match: {vulnerability: "CVE-2026-7", any: [{package: "a.io/b", ecosystem: "golang", installed: "1"}, {package: "c", ecosystem: "deb", os: {name: "debian"}}, {package: "d", ecosystem: "rpm", os: {name: ["rhel", "redhat"]}}]}
        reason: "no reason is given in t.yaml:2"
        owner: "web-team"
        expires: 2027-03-01
    ----- stderr
    .grype.yaml:5: /usr/bin/terraform is not imported: it holds for some `location` only, and an exception cannot ask for a path
    .trivyignore:3: CVE-2026-2 is not imported: it ended 2020-01-01
    .trivyignore:6: GPL-3.0 is not imported: it is no id of a vulnerability: a check, a rule for secrets or a licence
    t.yaml:4: CVE-2026-8 is not imported: it holds for some `paths` only, and an exception cannot ask for a path
    t.yaml:7: private-key is not imported: it is about a secret, not a vulnerability
    7 exceptions, 5 entries not imported
    "#);
    world.write("p/imported.yaml", &ran.stdout);
    let checked = world.run(&["exceptions", "list", "-p", "p", "--as-of", AS_OF, "--format", "json"]);
    assert_eq!((checked.code, checked.json().as_array().unwrap().len()), (Some(0), 7), "{}", checked.show());
    // The same files in another order give the same names.
    let mut again: Vec<&str> = IMPORT.to_vec();
    again[2..6].reverse();
    again.extend(["--kind", "ignore", "--reason", "agreed in June"]);
    let again = world.run(&again);
    let names = |text: &str| {
        let mut names: Vec<String> = text.lines().filter(|line| line.contains("- name:")).map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(names(&again.stdout), names(&ran.stdout));
    assert_eq!(again.stdout.matches("kind: ignore").count(), 7);
    assert_eq!(
        again.stdout.matches("agreed in June").count(),
        5,
        "where the file itself gives no reason: {}",
        again.show()
    );
}

#[test]
fn what_is_exported_can_be_imported() {
    let world = world();
    for (format, file, count) in [
        ("trivyignore", ".trivyignore", 3),
        ("grype", ".grype.yaml", 6),
        ("osv-scanner", "osv-scanner.toml", 4),
        ("cargo-audit", "audit.toml", 1),
    ] {
        world.write(file, &export(format).stdout);
        let ran =
            world.run(&["exceptions", "import", file, "--owner", "o", "--expires", "2027-03-01", "--as-of", AS_OF]);
        assert_eq!(ran.stdout.matches("- name:").count(), count, "{format}: {}", ran.show());
        assert!(ran.stderr.contains("0 entries not imported"), "{}", ran.show());
    }
}

#[test]
fn owner_and_expiry_are_demanded_and_checked() {
    let world = ignore_files();
    world.refused(2, &["exceptions", "import", ".trivyignore", "--owner", "o"]);
    world.refused(2, &["exceptions", "import", ".trivyignore", "--expires", "2027-03-01"]);
    let import = |owner: &str, expires: &str| {
        let args = ["exceptions", "import", ".trivyignore", "--owner", owner, "--expires", expires, "--as-of", AS_OF];
        world.refused(2, &args).stderr
    };
    assert!(import(" ", "2027-03-01").contains("--owner is empty"));
    assert!(import("o", "soon").contains("not a date"));
    assert!(import("o", "2026-06-01").contains("has passed"));
    world.write("bad.toml", "[[IgnoredVulns]\n");
    let ran =
        world.refused(3, &["exceptions", "import", "bad.toml", "nothing", "--owner", "o", "--expires", "2099-01-01"]);
    assert!(ran.stderr.contains("bad.toml:1:") && ran.stderr.contains("unreadable-file"), "{}", ran.show());
}

#[test]
fn nothing_in_a_foreign_file_becomes_more_than_a_text() {
    let world = World::new();
    world.write(
        ".grype.yaml",
        "ignore:\n  - vulnerability: CVE-2026-1\n    reason: \"x\\\", owner: root\\u001b[2J\\n- name: evil\"\n  - package: {name: \"a', b: *x\"}\n",
    );
    let ran = world.run(&["exceptions", "import", ".grype.yaml", "--owner", "o\" evil: [", "--expires", "2099-01-01"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(!ran.all().contains('\u{1b}'));
    world.write("p/a.yaml", &ran.stdout);
    let json = world.run(&["exceptions", "list", "-p", "p", "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), 1, "{}", ran.show());
    assert_eq!(json[0]["owner"], "o\" evil: [");
    assert!(json[0]["reason"].as_str().unwrap().starts_with("x\", owner: root"));
}

#[test]
fn the_plan_and_explain_say_which_exception_no_longer_applies_and_what_vex_states() {
    let world = World::new();
    world.example("first-plan");
    world.write(
        "policies/exceptions.yaml",
        "version: 1\nvex: [vex/*.json]\nexceptions:\n  - {name: EXC-17, kind: whitelist, match: {hosts: web-1}, reason: r, owner: web-team, expires: 2026-03-01}\n",
    );
    world.write("policies/vex/acme.json", "{\"author\": \"Acme\", \"statements\": []}");
    // A finding that no playbook can fix: a later pass of the planner decides it anew.
    let report = world.path().join("reports/web-1.trivy.json");
    let mut trivy: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    trivy["Results"].as_array_mut().unwrap().push(serde_json::json!({
        "Target": "package-lock.json", "Class": "lang-pkgs", "Type": "npm",
        "Vulnerabilities": [{
            "VulnerabilityID": "CVE-2026-9999", "PkgName": "left-pad", "InstalledVersion": "1.0.0",
            "FixedVersion": "1.0.1", "Severity": "CRITICAL", "CVSS": {"nvd": {"V3Score": 9.9}},
        }],
    }));
    std::fs::write(&report, trivy.to_string()).unwrap();
    assert_eq!(world.run(FIRST_PLAN).code, Some(0));
    let explained = world.run(&["explain", "web-1"]);
    let said = "; exception EXC-17 of web-team ended 2026-03-01 and no longer applies";
    assert!(explained.stdout.contains(said), "{}", explained.show());
    let plan = world.run(&["show", "plan.json", "--format", "json"]).json();
    let decisions = plan["report"]["decisions"].as_array().unwrap();
    let of = |host: &str| decisions.iter().filter(|d| d["host"] == host).collect::<Vec<_>>();
    assert!(!of("web-1").is_empty() && !of("web-2").is_empty());
    assert!(of("web-1").iter().any(|d| d["kind"] == "manual"), "{decisions:?}");
    assert!(of("web-1").iter().all(|d| d["reason"].as_str().unwrap().contains(said)));
    assert!(of("web-2").iter().all(|d| !d["reason"].as_str().unwrap().contains("EXC")));
    // One finding of the plan is not affected, says the author.
    let finding = decisions.iter().find(|d| d["kind"] == "fix").unwrap();
    let id = finding["finding"].as_str().unwrap().split('/').nth_back(1).unwrap_or_default().to_owned();
    let vulnerability =
        finding["finding"].as_str().unwrap().split('/').find(|part| part.starts_with("CVE-")).unwrap_or(&id);
    let host = finding["host"].as_str().unwrap();
    world.write(
        "policies/vex/acme.json",
        &format!(
            "{{\"author\": \"Acme\", \"timestamp\": \"2026-01-01T00:00:00Z\", \"statements\": [{{\"vulnerability\": \"{vulnerability}\",\
             \"products\": [\"{host}\"], \"status\": \"not_affected\", \"justification\": \"component_not_present\"}}]}}"
        ),
    );
    let mut before_run = FIRST_PLAN.to_vec();
    *before_run.last_mut().unwrap() = "plan2.json";
    assert_eq!(world.run(&before_run).code, Some(0));
    let explained = world.run(&["explain", host, vulnerability, "--plan", "plan2.json"]);
    assert!(explained.stdout.contains("not_affected"), "{}", explained.show());
    assert!(
        explained.stdout.contains("Acme says that it is not affected, component_not_present"),
        "{}",
        explained.show()
    );
    assert!(
        explained.stdout.contains("vex/acme.json#statements/1 at policies/vex/acme.json:1:"),
        "{}",
        explained.show()
    );
}

#[test]
fn check_warns_of_what_ends_soon() {
    let world = World::new();
    let day = |days: i64| {
        let time = switchback::env::now() + jiff::SignedDuration::from_hours(24 * days);
        time.strftime("%Y-%m-%d").to_string()
    };
    let exception = |name: &str, expires: &str| {
        format!("  - {{name: {name}, kind: ignore, match: all, reason: r, owner: ops, expires: {expires}}}\n")
    };
    let text = [exception("SOON", &day(9)), exception("LATER", &day(30)), exception("PAST", &day(-2))].concat();
    world.write("p/a.yaml", &format!("version: 1\nexceptions:\n{text}"));
    let ran = world.run(&["check", "-p", "p", "--format", "json"]);
    let found = ran.json();
    let codes: Vec<(&str, u64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            (found["code"].as_str().unwrap(), found["line"].as_u64().or(found["place"]["line"].as_u64()).unwrap_or(0))
        })
        .collect();
    assert_eq!(codes, [("exception-expires-soon", 3), ("expired-exception", 5)], "{}", ran.show());
    assert_eq!(world.run(&["check", "-p", "p", "--deny-warnings"]).code, Some(3));
}
