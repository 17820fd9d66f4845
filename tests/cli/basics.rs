//! What holds for the program as a whole, and the small subcommands.

use super::World;

#[test]
fn no_command_is_a_usage_error_with_help() {
    let ran = World::new().run(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains("Usage: switchback [OPTIONS] <COMMAND>"));
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let ran = World::new().run(&["plan", "--windwos"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.is_empty());
}

#[test]
fn help_of_every_command_is_on_stdout() {
    let world = World::new();
    for command in [
        "findings",
        "scan",
        "check",
        "plan",
        "show",
        "explain",
        "run",
        "resume",
        "pause",
        "abort",
        "status",
        "disarm",
        "history",
        "report",
        "lab",
        "demo",
        "schema",
        "debug",
        "completions",
        "man",
    ] {
        let ran = world.run(&[command, "--help"]);
        assert_eq!(ran.code, Some(0), "{command}");
        assert!(ran.stdout.contains("Usage:"), "{command}");
        assert!(ran.stderr.is_empty(), "{command}");
    }
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = World::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("switchback"));
    }
}

#[test]
fn man_pages_are_written() {
    let world = World::new();
    let ran = world.run(&["man", "man1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    for page in ["switchback.1", "switchback-plan.1", "switchback-run.1"] {
        let text = std::fs::read_to_string(world.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn version_order_answers_line_by_line() {
    let ran = World::new().run_with(&["debug", "version-order", "deb"], "1.0~rc1\t1.0\n1:0\t2\n2.0-1\t2.0-1\nno tab\n");
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"order":-1}
    {"order":1}
    {"order":0}
    {"error":"write two versions with a tab between them"}
    "#);
    let ran = World::new().run(&["debug", "version-order", "dev"]);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 2
    ----- stderr
    error: there is no version scheme "dev"
    hint: known: alpm, apk, cargo, cocoapods, composer, deb, gem, golang, hex, julia, k8s, maven, npm, nuget, packagist, pep440, pub, pypi, rpm, rubygems, semver, swift
    "#);
}

#[test]
fn version_ranges_and_vectors_answer_line_by_line() {
    let lines = "1.2.3\t^1.2\n2.0.0-rc.1\t>=1.0.0\n2.0.0-rc.1\t>=1.0.0\tincludePrerelease\nnew\t*\n1\n";
    let ran = World::new().run_with(&["debug", "version-range", "npm"], lines);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"contains":true}
    {"contains":false}
    {"contains":true}
    {"error":"\"new\" is not a semver version: a version is numbers, x or * with dots between"}
    {"error":"write a version and a range with a tab between them"}
    "#);
    let ran = World::new().run_with(&["debug", "version-range", "pypi"], "1.2.post1\t~=1.1,!=1.2\n1.2\t~=1\n");
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"contains":true}
    {"error":"\"~=1\" is not a range of pep440 versions: ~= needs two numbers at least"}
    "#);
    assert_eq!(World::new().run(&["debug", "version-range", "dev"]).code, Some(2));
    let vectors = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N/E:U\n(AV:N/AC:L/Au:N/C:N/I:N/A:N)\nCVSS:4.0/AV:N\n\
        CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N\n";
    let ran = World::new().run_with(&["debug", "cvss"], vectors);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"base":6.1,"base_severity":"medium","environmental":5.6,"score":5.6,"severity":"medium","temporal":5.6,"version":"3.1"}
    {"base":0.0,"base_severity":"low","environmental":null,"score":0.0,"severity":"low","temporal":null,"version":"2.0"}
    {"error":"\"CVSS:4.0/AV:N\" is not a CVSS vector: metric AC is missing"}
    {"base":0.0,"base_severity":"none","environmental":null,"score":0.0,"severity":"none","temporal":null,"version":"4.0"}
    "#);
}

#[test]
fn host_ranges_and_windows_answer_line_by_line() {
    let ran = World::new().run_with(&["debug", "hosts"], "web[01:03]\nweb[3:1]\nweb[a\n");
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 0
    ----- stdout
    {"hosts":["web01","web02","web03"],"port":null}
    {"hosts":[],"port":null}
    {"error":"a range has no closing `]`"}
    "#);
    let schedule =
        "{rrule: FREQ=WEEKLY;BYDAY=SU, start: \"02:30\", duration: 90m, timezone: Europe/Berlin}\n{start: 1}\n";
    let ran =
        World::new().run_with(&["debug", "windows", "--from", "2027-03-25T00:00:00Z", "--horizon", "10d"], schedule);
    insta::assert_snapshot!(without_zone_database(&ran.show()), @r#"
    exit: 0
    ----- stdout
    {"intervals":[{"end":"2027-03-28T03:00:00Z","start":"2027-03-28T01:30:00Z"}],"tzdata":"[TZDATA]"}
    {"error":"key `timezone` is missing [missing-key]"}
    "#);
}

/// Which database of time zones a machine has is its own business.
fn without_zone_database(text: &str) -> String {
    let (before, rest) = text.split_once("\"tzdata\":\"").unwrap();
    format!("{before}\"tzdata\":\"[TZDATA]{}", &rest[rest.find('"').unwrap()..])
}
