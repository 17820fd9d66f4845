//! `switchback test`: like a test runner, with coverage, mutants and what continuous integration reads.

use std::path::Path;

use super::junit::Junit;
use super::{Ran, World};

const POLICY: &str = "version: 1
priority:
  overrides:
    - {name: exploited, match: {kev: true}, priority: critical, reason: used already}
scope: {fix: [critical, high]}
exceptions:
  - {name: EXC-1, kind: ignore, match: {package: vim*}, reason: next sprint, owner: ops, expires: 2027-03-01}
";

const TESTS: &str = "version: 1
now: 2026-11-23T12:00:00Z
hosts:
  web-1: {groups: web}
findings:
  exploited: {host: web-1, cvss: 3.0, kev: true}
  harmless: {host: web-1, cvss: 3.0}
tests:
  - {name: what is exploited is fixed, finding: exploited, expect: {priority: critical, decision: fix}}
  - {name: what is <harmless> waits, finding: harmless, expect: {priority: low, decision: defer}}
";

/// Tests that pass, and see two of three rules.
fn world() -> World {
    let world = World::new();
    world.write("policies/fleet.yaml", POLICY);
    world.write("policies/fleet.test.yaml", TESTS);
    world
}

/// The same with one that fails.
fn failing() -> World {
    let world = world();
    let wrong =
        "{rule: exceptions/EXC-1, due: 2027-01-01, score: 3.0, importance: test, closed: 2026-12-01, probes: [shop]}";
    world.write("policies/fleet.test.yaml", &TESTS.replace("{priority: low, decision: defer}", wrong));
    world
}

/// How long tests took is another each time.
fn show(ran: &Ran) -> String {
    let mut shown = String::new();
    for line in ran.show().lines() {
        match line.rsplit_once(" (").filter(|(_, time)| time.ends_with(" ms)")) {
            Some((test, _)) => shown.push_str(&format!("{test} ([TIME])\n")),
            None => shown.push_str(&format!("{line}\n")),
        }
    }
    shown
}

#[test]
fn tests_that_pass_are_listed_with_what_they_cover() {
    let ran = world().run(&["test", "-p", "policies", "--min-coverage", "66"]);
    insta::assert_snapshot!(show(&ran), @r"
    exit: 0
    ----- stdout
    policies/fleet.test.yaml
      PASS  what is exploited is fixed ([TIME])
      PASS  what is <harmless> waits ([TIME])

    2 passed, 0 failed
    coverage 66%: 2 of 3 rules
      not covered  exceptions/EXC-1  policies/fleet.yaml:7:12
    ");
}

#[test]
fn a_test_that_fails_shows_what_was_expected_and_what_the_rule_says() {
    let ran = failing().run(&["test", "-p", "policies"]);
    insta::assert_snapshot!(show(&ran), @r"
    exit: 12
    ----- stdout
    policies/fleet.test.yaml
      PASS  what is exploited is fixed ([TIME])
      FAIL  what is <harmless> waits ([TIME])
            at policies/fleet.test.yaml:10:12
            score
              - expected  3.0
              + got       2.55
            rule
              - expected  exceptions/EXC-1
              + got       scope.fix, and of the priority priority.thresholds
            due
              - expected  2027-01-01T00:00:00Z
              + got       never, by priority.thresholds
            importance
              - expected  test
              + got       general, by default
            closed
              - expected  closed at 2026-12-01T00:00:00Z
              + got       open: no window is written, and no freeze lies ahead
            probes
              - expected  shop
              + got       none

    1 passed, 1 failed
    coverage 66%: 2 of 3 rules
      not covered  exceptions/EXC-1  policies/fleet.yaml:7:12
    ----- stderr
    error: 1 of 2 tests failed
    ");
}

#[test]
fn too_little_coverage_fails() {
    let ran = world().run(&["test", "-p", "policies", "--min-coverage", "67"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(12), "error: coverage is 66%, less than the 67% asked for\n"));
    assert!(ran.stdout.contains("2 passed, 0 failed"), "{}", ran.show());
    world().refused(2, &["test", "-p", "policies", "--min-coverage", "101"]);
}

#[test]
fn mutants_that_no_test_notices_are_listed_with_their_place() {
    let world = world();
    let ran = world.run(&["test", "-p", "policies", "--mutants"]);
    insta::assert_snapshot!(show(&ran), @r#"
    exit: 12
    ----- stdout
    policies/fleet.test.yaml
      PASS  what is exploited is fixed ([TIME])
      PASS  what is <harmless> waits ([TIME])

    2 passed, 0 failed
    coverage 66%: 2 of 3 rules
      not covered  exceptions/EXC-1  policies/fleet.yaml:7:12
    mutants: 7 of 16 noticed by tests, 0 by the checker, 9 survived
      policies/fleet.yaml:5:25  scope.fix[1] taken out
      policies/fleet.yaml:5:25  scope.fix[1]: high -> critical
      policies/fleet.yaml:5:25  scope.fix[1]: high -> medium
      policies/fleet.yaml:7:5   exceptions[0] taken out
      policies/fleet.yaml:7:25  exceptions[0].kind: ignore -> whitelist
      policies/fleet.yaml:7:50  exceptions[0].match.package: vim* -> "not-vim*"
      policies/fleet.yaml:7:50  exceptions[0].match.package: vim* -> "*"
      policies/fleet.yaml:7:99  exceptions[0].expires: 2027-03-01 -> "2027-03-02"
      policies/fleet.yaml:7:99  exceptions[0].expires: 2027-03-01 -> "2027-02-28"
    ----- stderr
    trying 16 mutants
    error: 9 mutants survived: no test noticed
    hint: add a test that fails with the change, or take out the rule that changes nothing
    "#);
    // Where a test fails already, mutants would teach nothing.
    let ran = failing().run(&["test", "-p", "policies", "--mutants", "--format", "json"]);
    assert_eq!((ran.code, ran.json().get("mutation")), (Some(12), None));
    // Of a part of the tests neither coverage nor mutants say anything.
    for args in [["--mutants"].as_slice(), &["--min-coverage", "1"]] {
        world.refused(2, &[&["test", "-p", "policies", "--run", "waits"], args].concat());
    }
}

#[test]
fn the_shipped_policies_are_tested_and_no_mutant_survives() {
    let world = World::new();
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let args = ["test", "-p", policies.to_str().unwrap(), "--mutants", "--min-coverage", "100", "--format", "json"];
    let ran = world.run(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let report = ran.json();
    assert_eq!(report["mutation"]["survivors"], serde_json::json!([]));
    assert!(report["mutation"]["mutants"].as_u64().unwrap() >= 200);
    // Rules of the same name in two policies are two rules.
    let rules = report["coverage"]["rules"].as_array().unwrap();
    assert_eq!(rules.iter().filter(|rule| rule["rule"]["name"] == "scope.fix" && rule["covered"] == true).count(), 3);
}

#[test]
fn one_policy_of_a_folder_or_one_file_of_tests_can_be_named() {
    let world = world();
    world.write("policies/other.yaml", "version: 1\nscope: {fix: [critical]}\n");
    // Both set `scope.fix`.
    world.refused(3, &["test", "-p", "policies"]);
    let ran = world.run(&["test", "-p", "policies/fleet.yaml"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("2 passed"), "{}", ran.show());
    insta::assert_snapshot!(world.refused(3, &["test", "-p", "policies/fleet.test.yaml"]).show(), @r"
    exit: 3
    ----- stderr
    no-policy-files

      × there is no policy to test
       ╭─[policies/fleet.test.yaml:1:10]
     1 │ version: 1
       ·          ─
     2 │ now: 2026-11-23T12:00:00Z
       ╰────
      help: name it: `policies: NAME.yaml`, relative to this file

    error: 1 error in the input; nothing was done
    ");
    world.write("policies/fleet.test.yaml", &TESTS.replace("now:", "policies: fleet.yaml\nnow:"));
    for path in ["policies", "policies/fleet.yaml", "policies/fleet.test.yaml"] {
        let ran = world.run(&["test", "-p", path, "--mutants"]);
        assert!(ran.code == Some(12) && ran.stdout.contains("of 16 noticed"), "{path}: {}", ran.show());
    }
}

#[test]
fn a_part_of_the_tests_is_run_by_name() {
    let world = world();
    let ran = world.run(&["test", "-p", "policies", "--run", "waits"]);
    insta::assert_snapshot!(show(&ran), @r"
    exit: 0
    ----- stdout
    policies/fleet.test.yaml
      PASS  what is <harmless> waits ([TIME])

    1 passed, 0 failed
    ");
    insta::assert_snapshot!(world.refused(3, &["test", "-p", "policies", "--run", "\u{1b}nothing"]).show(), @"
    exit: 3
    ----- stderr
    error: no test has `\u{fffd}nothing` in its name [no-tests]
    hint: leave --run out to run all tests
    ");
}

#[test]
fn nothing_to_test_is_an_error() {
    let world = World::new();
    world.write("policies/fleet.yaml", POLICY);
    insta::assert_snapshot!(world.refused(3, &["test", "-p", "policies"]).show(), @r"
    exit: 3
    ----- stderr
    error: there is no test [no-tests]
    hint: write NAME.test.yaml beside the policies; `switchback schema policy-test` shows its form
    ");
    world.refused(3, &["test", "-p", "nothere"]);
    world.refused(2, &["test"]);
}

#[test]
fn problems_of_tests_and_policies_come_in_one_go_and_each_once() {
    let world = world();
    world.write("policies/fleet.yaml", &POLICY.replace("kev: true", "kve: true"));
    world.write("policies/a.test.yaml", TESTS);
    world.write("policies/b.test.yaml", &TESTS.replace("finding: harmless", "finding: harmles"));
    insta::assert_snapshot!(world.refused(3, &["test", "-p", "policies"]).show(), @r"
    exit: 3
    ----- stderr
    unknown-name

      × there is no finding `harmles` in this file
        ╭─[policies/b.test.yaml:10:47]
      9 │   - {name: what is exploited is fixed, finding: exploited, expect: {priority: critical, decision: fix}}
     10 │   - {name: what is <harmless> waits, finding: harmles, expect: {priority: low, decision: defer}}
        ·                                               ───────
        ╰────
      help: did you mean `harmless`?

    unknown-key

      × unknown key `kve`
       ╭─[policies/fleet.yaml:4:33]
     3 │   overrides:
     4 │     - {name: exploited, match: {kve: true}, priority: critical, reason: used already}
       ·                                 ───
     5 │ scope: {fix: [critical, high]}
       ╰────
      help: the keys here are `hosts`, `groups`, `labels`, `os`, `importance`, `type`,
            `vulnerability`, `package`, `ecosystem`, `installed`, `priority`, `cvss`, `epss`, `kev`,
            `age`, `fix_available`, `any`, `not`

    error: 2 errors in the input; nothing was done
    ");
}

#[test]
fn json_has_the_same_parts() {
    let ran = failing().run(&["test", "-p", "policies", "--format", "json", "-q"]);
    assert_eq!(ran.code, Some(12));
    let report = ran.json();
    assert_eq!(report["tests"][0]["outcome"], "passed");
    assert!(report["tests"][0]["seconds"].as_f64().unwrap() >= 0.0);
    let place = serde_json::json!({"file": "policies/fleet.test.yaml", "line": 10, "column": 12});
    assert_eq!(report["tests"][1]["place"], place);
    assert_eq!(
        report["tests"][1]["outcome"]["failed"][0],
        serde_json::json!({"key": "score", "expected": "3.0", "got": "2.55"})
    );
    assert_eq!(report["coverage"]["rules"][0]["covered"], false);
    let ran = world().run(&["test", "-p", "policies", "--mutants", "--format", "json"]);
    let mutation = &ran.json()["mutation"];
    assert_eq!((ran.code, &mutation["mutants"], &mutation["killed"]), (Some(12), &16.into(), &7.into()));
    assert_eq!(mutation["survivors"][3]["what"], "exceptions[0] taken out");
    assert_eq!(mutation["survivors"][3]["place"]["line"], 7);
}

#[test]
fn junit_is_well_formed_and_counts_what_it_lists() {
    let ran = world().run(&["test", "-p", "policies", "--format", "junit"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(Junit::read(&ran.stdout), Junit { cases: 2, ..Junit::default() });
    assert!(ran.stdout.contains("name=\"what is &lt;harmless&gt; waits\""), "{}", ran.stdout);

    let ran = failing().run(&["test", "-p", "policies", "--format", "junit"]);
    let junit = Junit::read(&ran.stdout);
    assert_eq!((ran.code, junit.cases, junit.failures), (Some(12), 2, 1));
    assert!(junit.text.contains("score: expected 3.0, got 2.55\n"), "{}", junit.text);

    let ran = world().run(&["test", "-p", "policies", "--mutants", "--format", "junit"]);
    let junit = Junit::read(&ran.stdout);
    assert_eq!((ran.code, junit.cases, junit.failures), (Some(12), 3, 1));
    assert!(junit.text.contains("policies/fleet.yaml:7:5: exceptions[0] taken out\n"), "{}", junit.text);
}

#[test]
fn hostile_texts_neither_break_xml_nor_drive_a_terminal() {
    let world = world();
    let name = "a\\u001b[2J]]>&lt;'\\\"\\ufffe\\u202e<!--\\u0000";
    let reason = "\\u001b]0;x\\u0007</failure>&";
    let wrong = TESTS
        .replace("name: what is <harmless> waits", &format!("name: \"{name}\""))
        .replace("{priority: low, decision: defer}", &format!("{{reason: \"{reason}\"}}"));
    world.write("policies/fleet.test.yaml", &wrong);
    for format in ["text", "json", "junit"] {
        let ran = world.run(&["test", "-p", "policies", "--format", format]);
        assert_eq!(ran.code, Some(12), "{}", ran.show());
        super::findings::assert_harmless(&ran);
        if format == "junit" {
            assert_eq!(Junit::read(&ran.stdout).failures, 1);
        }
    }
}
