//! `switchback plan`

use serde_json::json;

use super::findings::{assert_harmless, report};
use super::{FIRST_PLAN, World, first_plan_with};

#[test]
fn the_example_plans_as_its_readme_says() {
    let world = World::new();
    world.example("first-plan");
    let readme = std::fs::read_to_string(world.path().join("README.md")).unwrap();
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().replace("\\\n", " ");
    let mut commands = 0;
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "switchback");
        if words[1] == "plan" {
            assert_eq!(&words[1..], FIRST_PLAN);
        }
        let ran = world.run(&words[1..]);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.show());
        commands += 1;
    }
    assert_eq!(commands, 3);
    let ran = world.run(FIRST_PLAN);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stdout
    Plan [DIGEST], as of 2026-11-23 12:00Z: 2 hosts in 2 waves, 7 findings (4 fix, 1 defer, 2 no_fix_available)
    Pauses as soon as 1 host has failed; works on at most 10 hosts at once
    Service shop: at most 1 of 3 hosts down
    Forecast: done by 2026-11-28 21:59Z, in 1 window, with at most 2 reboots; no finding has a deadline

    canary (1 host, then watched for 30m)
      HOST   PRIORITY  FINDINGS  PACKAGES          STRATEGY  FIRST START                       STEPS  EXPECTED
      web-1  high      2         libssl3, openssl  in_place  2026-11-28 21:00Z saturday-night  9      17m40s

    wave 1 (1 host)
      HOST   PRIORITY  FINDINGS  PACKAGES          STRATEGY  FIRST START                       STEPS  EXPECTED
      web-2  high      2         libssl3, openssl  in_place  2026-11-28 21:00Z saturday-night  9      17m40s
    ----- stderr
    plan [DIGEST] is in plan.json
    ");
}

#[test]
fn the_same_input_gives_the_same_file_and_json_tells_its_name() {
    let world = World::first_plan();
    let first = std::fs::read(world.path().join("plan.json")).unwrap();
    let mut args = FIRST_PLAN.to_vec();
    args.extend(["--format", "json"]);
    let ran = world.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(first == std::fs::read(world.path().join("plan.json")).unwrap());
    let value = ran.json();
    assert_eq!(value["findings"], 7);
    assert_eq!(value["decided"], json!({"fix": 4, "defer": 1, "no_fix_available": 2}));
    assert_eq!((&value["hosts"], &value["file"]), (&json!(2), &json!("plan.json")));
    assert!(String::from_utf8(first).unwrap().contains(value["plan"].as_str().unwrap()));
}

#[test]
fn policies_inventory_reports_and_output_must_be_given() {
    let world = World::new();
    let ran = world.refused(2, &["plan"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 2
    ----- stderr
    error: the following required arguments were not provided:
      --policies <POLICIES>...
      --inventory <INVENTORY>...
      --findings <[HOST=]REPORT>...
      --output <PLAN>

    Usage: switchback plan --policies <POLICIES>... --inventory <INVENTORY>... --findings <[HOST=]REPORT>... --output <PLAN>

    For more information, try '--help'.
    ");
}

#[test]
fn an_empty_policy_stands_for_the_defaults() {
    let world = World::new();
    world.example("first-plan");
    world.write("defaults.yaml", "version: 1\n");
    let ran = world.run(&first_plan_with("policies", "defaults.yaml"));
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stdout.contains("any time"), "{}", ran.show());
}

#[test]
fn a_truncated_report_is_refused() {
    let world = World::new();
    world.example("first-plan");
    let whole = std::fs::read_to_string(world.path().join("reports/web-1.trivy.json")).unwrap();
    world.write("cut.json", &whole[..700]);
    let ran = world.refused(3, &first_plan_with("web-1=reports/web-1.trivy.json", "web-1=cut.json"));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    invalid-json

      × cut.json:28:11: the file ends in the middle: eof while parsing an object
      help: was its writing interrupted?

    error: 1 error in the input; nothing was done
    ");
}

#[test]
fn a_report_with_another_root_is_refused() {
    let world = World::new();
    world.example("first-plan");
    world.write("spdx.json", "{\"spdxVersion\": \"SPDX-2.3\"}");
    let ran = world.refused(3, &first_plan_with("web-1=reports/web-1.trivy.json", "web-1=spdx.json"));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    unknown-report-format

      × spdx.json: a JSON document: an object with `spdxVersion`, no report known here; this looks
      │ like an SPDX document, which is not read
      help: `switchback findings --formats` lists the formats that are read; `--from FORMAT` forces
            one

    error: 1 error in the input; nothing was done
    ");
}

#[test]
fn a_report_about_a_host_that_is_not_in_the_inventory_is_refused() {
    let world = World::new();
    world.example("first-plan");
    let ran = world.refused(3, &first_plan_with("web-1=reports/web-1.trivy.json", "web-9=reports/web-1.trivy.json"));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    unknown-host

      × reports are about assets that are not in the inventory: `web-9` (reports/web-1.trivy.json)
      help: add them to the inventory (as host, address or alias), or say which host a report is
            about: `-f HOST=PATH`

    error: 1 error in the input; nothing was done
    ");
}

#[test]
fn two_hosts_with_one_name_are_refused() {
    let world = World::new();
    world.example("first-plan");
    let one = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    world.write("twice.yaml", &one.replace("  web-3:", "  web-1:"));
    let ran = world.refused(3, &first_plan_with("inventory.yaml", "twice.yaml"));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    duplicate-key

      × key `web-1` is given twice
       ╭─[twice.yaml:4:3]
     3 │ hosts:
     4 │   web-1:
       ·   ──┬──
       ·     ╰── given before here
     5 │     address: 10.0.0.11
       ╰────
        ╭─[twice.yaml:22:3]
     21 │     switch: {kind: haproxy, socket: /run/haproxy/admin.sock, backend: shop, server: web-2}
     22 │   web-1:
        ·   ─────
     23 │     address: 10.0.0.13
        ╰────
      help: keep one of them

    error: 1 error in the input; nothing was done
    ");
    world.write("other.yaml", "version: 1\nhosts:\n  web-1: {address: 10.0.0.9}\n");
    let mut args = FIRST_PLAN.to_vec();
    args.extend(["-i", "other.yaml"]);
    let ran = world.refused(3, &args);
    assert!(ran.stderr.contains("duplicate-host"), "{}", ran.show());
    assert!(ran.stderr.contains("[other.yaml:3:3]") && ran.stderr.contains("[inventory.yaml:4:3]"), "{}", ran.show());
}

#[test]
fn problems_of_policy_inventory_and_report_are_told_in_one_run() {
    let world = World::new();
    world.write("policy.yaml", "version: 1\nrolout: {}\n");
    world.write("inventory.yaml", "version: 1\nhosts:\n  web-1: {adress: 10.0.0.1}\n");
    world.write("report.json", "{\"Results\": [");
    let ran = world
        .refused(3, &["plan", "-p", "policy.yaml", "-i", "inventory.yaml", "-f", "report.json", "-o", "plan.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 3
    ----- stderr
    invalid-json

      × report.json:1:13: the file ends in the middle: eof while parsing a list
      help: was its writing interrupted?

    unknown-key

      × unknown key `adress`
       ╭─[inventory.yaml:3:11]
     2 │ hosts:
     3 │   web-1: {adress: 10.0.0.1}
       ·           ──────
       ╰────
      help: did you mean `address`?

    unknown-key

      × unknown key `rolout`
       ╭─[policy.yaml:2:1]
     1 │ version: 1
     2 │ rolout: {}
       · ──────
       ╰────
      help: did you mean `rollout`?

    error: 3 errors in the input; nothing was done
    ");
}

#[test]
fn what_has_expired_or_matches_nothing_is_a_warning() {
    let world = World::new();
    world.example("first-plan");
    world.write(
        "policies/old.yaml",
        "version: 1\nexceptions:\n  - {name: OLD, kind: whitelist, match: {package: tzdata}, reason: r, owner: o, expires: 2026-11-23}\n",
    );
    let ran = world.run(FIRST_PLAN);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stdout
    Plan [DIGEST], as of 2026-11-23 12:00Z: 2 hosts in 2 waves, 7 findings (4 fix, 1 defer, 2 no_fix_available)
    Pauses as soon as 1 host has failed; works on at most 10 hosts at once
    Service shop: at most 1 of 3 hosts down
    Forecast: done by 2026-11-28 21:59Z, in 1 window, with at most 2 reboots; no finding has a deadline

    canary (1 host, then watched for 30m)
      HOST   PRIORITY  FINDINGS  PACKAGES          STRATEGY  FIRST START                       STEPS  EXPECTED
      web-1  high      2         libssl3, openssl  in_place  2026-11-28 21:00Z saturday-night  9      17m40s

    wave 1 (1 host)
      HOST   PRIORITY  FINDINGS  PACKAGES          STRATEGY  FIRST START                       STEPS  EXPECTED
      web-2  high      2         libssl3, openssl  in_place  2026-11-28 21:00Z saturday-night  9      17m40s
    ----- stderr
    expired-exception

      ⚠ exception `OLD` ended at 2026-11-23T00:00:00Z: it no longer applies
       ╭─[policies/old.yaml:3:12]
     2 │ exceptions:
     3 │   - {name: OLD, kind: whitelist, match: {package: tzdata}, reason: r, owner: o, expires: 2026-11-23}
       ·            ───
       ╰────
      help: take it out, or give it another date for a good reason

    plan [DIGEST] is in plan.json
    ");
    let ran = world.run(&first_plan_with("2026-11-23T12:00:00Z", "2026-11-22T12:00:00Z"));
    assert!(ran.code == Some(0) && !ran.stderr.contains("expired-exception"), "the time is the plan's: {}", ran.show());
    let mut quiet = FIRST_PLAN.to_vec();
    quiet.push("-q");
    assert_eq!(world.run(&quiet).stderr, "");
}

#[test]
fn a_plan_that_cannot_be_written_leaves_nothing() {
    let world = World::first_plan();
    world.write("folder/file", "");
    let ran = world.refused(1, &first_plan_with("plan.json", "folder"));
    insta::assert_snapshot!(ran.show(), @r"
    exit: 1
    ----- stderr
    error: cannot write folder: plan file could not be read or written: Is a directory (os error 21)
    ");
    world.refused(1, &first_plan_with("plan.json", "nothere/plan.json"));
}

#[test]
fn hostile_reports_reach_no_plan_and_no_terminal() {
    let world = World::new();
    world.example("first-plan");
    for (key, value) in [
        ("PkgName", "a; reboot"),
        ("PkgName", "a\u{1b}[2J"),
        ("FixedVersion", "2\u{1b}[2J"),
        ("VulnerabilityID", "CVE-2026-1\u{1b}[2J"),
        ("Title", "\u{1b}[2J\u{202e}"),
    ] {
        let mut row = json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "bash", "InstalledVersion": "1", "FixedVersion": "2", "Severity": "HIGH"});
        row[key] = value.into();
        world.write("hostile.json", &report("web-1", row));
        let ran = world.run(&first_plan_with("web-1=reports/web-1.trivy.json", "hostile.json"));
        assert_eq!(ran.code, Some(0), "{}", ran.show());
        assert_harmless(&ran);
        for format in ["table", "tree", "mermaid", "dot", "html", "json"] {
            let ran = world.run(&["show", "plan.json", "--format", format]);
            assert_eq!(ran.code, Some(0));
            assert!(!ran.all().contains('\u{1b}') && !ran.all().contains('\u{202e}'), "{format}");
            assert!(!ran.all().contains("; reboot"), "{format}");
        }
        assert_harmless(&world.run(&["explain", "web-1", "--plan", "plan.json"]));
    }
    world.write(
        "hostile.json",
        &report("a; reboot\u{1b}[2J", json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "bash"})),
    );
    let ran = world.refused(3, &first_plan_with("web-1=reports/web-1.trivy.json", "hostile.json"));
    assert_harmless(&ran);
}

#[test]
fn a_plan_that_can_do_harm_is_refused_with_the_run_that_does() {
    let world = World::first_plan();
    let file = std::fs::File::open(world.path().join("plan.json")).unwrap();
    let (_, mut plan) = switchback::plan::read_plan(file).unwrap();
    for step in plan.hosts_mut().flat_map(|host| &mut host.steps) {
        step.undo.retain(|undo| undo.kind != switchback::plan::StepKind::Undrain);
    }
    let file = std::fs::File::create(world.path().join("plan.json")).unwrap();
    switchback::plan::write_plan(&plan, file).unwrap();
    let ran = world.refused(4, &["show", "plan.json"]);
    insta::assert_snapshot!(ran.show(), @"
    exit: 4
    ----- stderr
    error: the plan breaks 4 invariants; nothing was done [plan-unsafe]
    hint: web-1: it can end out of service [left-out-of-service]
    hint:   1. web-1/preflight, backup succeed
    hint:   2. web-1/drain fails when it has had its effect
    hint:   3. web-1 ends out of service
    hint: web-1/drain: its undo is not undrain [undo-missing]
    hint: web-2: it can end out of service [left-out-of-service]
    hint:   1. web-2/preflight, backup succeed
    hint:   2. web-2/drain fails when it has had its effect
    hint:   3. web-2 ends out of service
    hint: web-2/drain: its undo is not undrain [undo-missing]
    ");
}
