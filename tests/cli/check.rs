//! `switchback check`

use super::World;

#[test]
fn the_example_has_no_problem() {
    let world = World::new();
    world.example("first-plan");
    let ran = world.run(&["check", "-p", "policies", "-i", "inventory.yaml", "--deny-warnings"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stderr
    0 errors, 0 warnings
    ");
}

/// Two files, each with problems; both are told in one run.
fn bad() -> World {
    let world = World::new();
    world.write("bad/a.yaml", "version: 1\nscope: {fix: [critical]}\nwindwos: []\n");
    world.write(
        "bad/b.yaml",
        "version: 1\nwindows:\n  - name: w\n    match: {}\n    schedule: {rrule: FREQ=DAILY, start: \"22:00\", duration: -4h, timezone: Europe/Berlin}\n",
    );
    world
}

#[test]
fn problems_of_all_files_come_with_code_place_and_remedy() {
    let ran = bad().refused(3, &["check", "-p", "bad"]);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 3
    ----- stderr
    unknown-key

      × unknown key `windwos`
       ╭─[bad/a.yaml:3:1]
     2 │ scope: {fix: [critical]}
     3 │ windwos: []
       · ───────
       ╰────
      help: did you mean `windows`?

    empty-selector

      × this selector says nothing
       ╭─[bad/b.yaml:4:12]
     3 │   - name: w
     4 │     match: {}
       ·            ─
     5 │     schedule: {rrule: FREQ=DAILY, start: "22:00", duration: -4h, timezone: Europe/Berlin}
       ╰────
      help: write `match: all` if everything is meant

    invalid-duration

      × a window cannot have a negative length
       ╭─[bad/b.yaml:5:61]
     4 │     match: {}
     5 │     schedule: {rrule: FREQ=DAILY, start: "22:00", duration: -4h, timezone: Europe/Berlin}
       ·                                                             ───
       ╰────
      help: write how long it is open, such as 4h

    3 errors, 0 warnings
    "#);
}

#[test]
fn problems_as_json_have_the_same_parts() {
    let ran = bad().run(&["check", "-p", "bad", "nothere", "--format", "json"]);
    assert_eq!(ran.code, Some(3));
    let ran = bad().run(&["check", "-p", "bad", "--format", "json", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), ""));
    let problems = ran.json();
    assert_eq!(
        problems[0],
        serde_json::json!({"code": "unknown-key", "level": "error", "message": "unknown key `windwos`", "file": "bad/a.yaml",
            "line": 3, "column": 1, "help": "did you mean `windows`?"})
    );
    let codes: Vec<_> = problems.as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["unknown-key", "empty-selector", "invalid-duration"]);
}

#[test]
fn colour_comes_only_where_it_is_asked_for() {
    let world = bad();
    let escape = |args: &[&str], no_color: Option<&str>| {
        let mut command = world.command(args);
        command.env_remove("NO_COLOR").envs(no_color.map(|value| ("NO_COLOR", value)));
        let ran = world.finish(command, "");
        assert_eq!(ran.code, Some(3));
        ran.stderr.contains('\u{1b}')
    };
    let check = ["check", "-p", "bad"];
    assert!(!escape(&check, None), "stderr is no terminal");
    assert!(!escape(&check, Some("1")));
    assert!(escape(&["check", "-p", "bad", "--color", "always"], None));
    assert!(escape(&["--color", "always", "check", "-p", "bad"], Some("1")), "the option goes before the environment");
    assert!(!escape(&["check", "-p", "bad", "--color", "never"], None));
}

#[test]
fn warnings_are_errors_on_request() {
    let world = World::new();
    world.example("first-plan");
    world.write(
        "policies/old.yaml",
        "version: 1\nexceptions:\n  - {name: OLD, kind: ignore, match: {groups: [gone]}, reason: r, owner: o, expires: 2020-01-01}\n",
    );
    let ran = world.run(&["check", "-p", "policies", "-i", "inventory.yaml"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stderr
    expired-exception

      ⚠ exception `OLD` ended at 2020-01-01T00:00:00Z: it no longer applies
       ╭─[policies/old.yaml:3:12]
     2 │ exceptions:
     3 │   - {name: OLD, kind: ignore, match: {groups: [gone]}, reason: r, owner: o, expires: 2020-01-01}
       ·            ───
       ╰────
      help: take it out, or give it another date for a good reason

    unmatched-selector

      ⚠ this rule can match no host of the inventory
       ╭─[policies/old.yaml:3:12]
     2 │ exceptions:
     3 │   - {name: OLD, kind: ignore, match: {groups: [gone]}, reason: r, owner: o, expires: 2020-01-01}
       ·            ───
       ╰────

    0 errors, 2 warnings
    ");
    let ran = world.refused(3, &["check", "-p", "policies", "-i", "inventory.yaml", "--deny-warnings", "-q"]);
    assert!(ran.stderr.contains("unmatched-selector") && !ran.stderr.contains("2 warnings"), "{}", ran.show());
    let ran = world.run(&["check", "-p", "policies", "-i", "inventory.yaml", "-q"]);
    assert_eq!((ran.code, ran.all().as_str()), (Some(0), ""));
}

#[test]
fn codes_are_explained() {
    let world = World::new();
    for code in ["unknown-key", "plan-changed", "plan-stale", "unknown-host", "no-open-campaign"] {
        let ran = world.run(&["check", "--explain", code]);
        assert_eq!(ran.code, Some(0), "{code}");
        assert!(ran.stdout.len() > 60 && ran.stderr.is_empty(), "{}", ran.show());
    }
    insta::assert_snapshot!(world.refused(2, &["check", "--explain", "unknwon-key"]).show(), @r#"
    exit: 2
    ----- stderr
    error: there is no code "unknwon-key"
    hint: did you mean unknown-key?
    "#);
    insta::assert_snapshot!(world.refused(2, &["check"]).show(), @r"
    exit: 2
    ----- stderr
    error: there is nothing to check
    hint: give policies (-p), an inventory (-i) or playbooks (--playbooks)
    ");
}

#[test]
fn files_that_cannot_be_read_are_problems_like_others() {
    let world = bad();
    world.write("empty/readme.md", "no policy");
    std::fs::write(world.path().join("latin.yaml"), b"version: 1\n# \xe4\n").unwrap();
    let ran = world.refused(3, &["check", "-p", "bad", "-i", "nothere.yaml", "--playbooks", "gone.yaml", "bad/a.yaml"]);
    for code in ["unknown-key", "empty-selector", "invalid-duration", "unreadable-file"] {
        assert!(ran.stderr.contains(code), "{code}: {}", ran.show());
    }
    assert!(ran.stderr.contains("nothere.yaml") && ran.stderr.contains("gone.yaml"), "{}", ran.show());
    insta::assert_snapshot!(world.refused(3, &["check", "-p", "empty"]).show(), @r"
    exit: 3
    ----- stderr
    no-policy-files

      × empty: no policy file is in it
      help: -p takes policy files, or folders of *.yaml

    1 error, 0 warnings
    ");
    insta::assert_snapshot!(world.refused(3, &["check", "-p", "latin.yaml"]).show(), @r"
    exit: 3
    ----- stderr
    unreadable-file

      × policy latin.yaml: it is not UTF-8 text
      help: -p takes policy files, or folders of *.yaml

    1 error, 0 warnings
    ");
}

#[test]
fn a_hostile_policy_drives_no_terminal() {
    let world = World::new();
    let long = "k".repeat(5 << 20);
    for text in [
        "\u{1b}[2J: 1\n",
        "version: \"\u{1b}]0;x\u{7}\"\n",
        "version: 1\n\"a\\u001b[2J\": 1\n",
        &format!("version: 1\n{long}: 1\n"),
    ] {
        world.write("p.yaml", text);
        let ran = world.run(&["check", "-p", "p.yaml"]);
        assert_eq!(ran.code, Some(3));
        super::findings::assert_harmless(&ran);
    }
}

/// Rules that decide nothing, an exception for what is gone and a playbook that nothing needs.
fn dead() -> World {
    let world = World::new();
    world.example("first-plan");
    world.write(
        "policies/more.yaml",
        "version: 1\npriority:\n  overrides:\n    - {name: web, match: {groups: web}, priority: high, reason: r}\n    \
            - {name: exploited, match: {kev: true, groups: web}, priority: critical, reason: r}\n    \
            - {name: never, match: {kev: true, not: {kev: true}}, priority: low, reason: r}\n\
         exceptions:\n  - {name: GONE, kind: ignore, match: {vulnerability: CVE-1999-1}, reason: r, owner: o, expires: 2099-01-01}\n",
    );
    world.write(
        "mine.yaml",
        "version: 1\nname: mine\ndescription: d\nmatch: {type: linux, os: {family: suse}}\nsteps:\n  fix: [{run: [fix]}]\n  verify: [{run: [look]}]\n",
    );
    world
}

const DEAD: &[&str] = &[
    "check",
    "-p",
    "policies",
    "-i",
    "inventory.yaml",
    "-f",
    "web-1=reports/web-1.trivy.json",
    "--playbooks",
    "mine.yaml",
];

#[test]
fn rules_that_decide_nothing_are_warnings() {
    let ran = dead().run(DEAD);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stderr
    unused-playbook

      ⚠ playbook `mine` fits no host of the inventory
       ╭─[mine.yaml:2:7]
     1 │ version: 1
     2 │ name: mine
       ·       ────
     3 │ description: d
       ╰────
      help: look at its `match` and at the `os` of the hosts

    shadowed-rule

      ⚠ `priority.overrides/exploited` decides nothing: an earlier rule matches all that it matches
       ╭─[policies/more.yaml:5:14]
     3 │   overrides:
     4 │     - {name: web, match: {groups: web}, priority: high, reason: r}
       ·              ─┬─
       ·               ╰── this one comes first
     5 │     - {name: exploited, match: {kev: true, groups: web}, priority: critical, reason: r}
       ·              ─────────
     6 │     - {name: never, match: {kev: true, not: {kev: true}}, priority: low, reason: r}
       ╰────
      help: the first match wins: take it out, or put it in front of the rule that is more general

    impossible-selector

      ⚠ the selector of this rule contradicts itself: it can never match
       ╭─[policies/more.yaml:6:14]
     5 │     - {name: exploited, match: {kev: true, groups: web}, priority: critical, reason: r}
     6 │     - {name: never, match: {kev: true, not: {kev: true}}, priority: low, reason: r}
       ·              ─────
     7 │ exceptions:
       ╰────
      help: every key must hold at once; alternatives stand under `any`

    unmatched-exception

      ⚠ exception `GONE` matches none of the findings
       ╭─[policies/more.yaml:8:12]
     7 │ exceptions:
     8 │   - {name: GONE, kind: ignore, match: {vulnerability: CVE-1999-1}, reason: r, owner: o, expires: 2099-01-01}
       ·            ────
       ╰────
      help: take it out, if what it accepted is fixed

    0 errors, 4 warnings
    ");
    let ran = dead().refused(3, &[DEAD, &["--deny-warnings"]].concat());
    assert!(ran.stderr.contains("0 errors, 4 warnings"), "{}", ran.show());
}

#[test]
fn findings_need_an_inventory() {
    let ran = dead().refused(2, &["check", "-p", "policies", "-f", "reports/web-1.trivy.json"]);
    assert!(ran.stderr.contains("--inventory"), "{}", ran.show());
    let ran = dead().run(&["check", "-p", "policies", "-i", "inventory.yaml", "-f", "nothere.json"]);
    assert!(
        ran.code == Some(3) && ran.stderr.contains("nothere.json") && ran.stderr.contains("shadowed-rule"),
        "{}",
        ran.show()
    );
}

#[test]
fn annotations_for_github_and_gitlab() {
    let ran = dead().run(&[DEAD, &["--format", "github"]].concat());
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stdout
    ::warning file=mine.yaml,line=2,col=7,endLine=2,endColumn=11,title=unused-playbook::playbook `mine` fits no host of the inventory%0Ahelp: look at its `match` and at the `os` of the hosts
    ::warning file=policies/more.yaml,line=5,col=14,endLine=5,endColumn=23,title=shadowed-rule::`priority.overrides/exploited` decides nothing: an earlier rule matches all that it matches%0Ahelp: the first match wins: take it out, or put it in front of the rule that is more general%0Athis one comes first: policies/more.yaml:4:14
    ::warning file=policies/more.yaml,line=6,col=14,endLine=6,endColumn=19,title=impossible-selector::the selector of this rule contradicts itself: it can never match%0Ahelp: every key must hold at once; alternatives stand under `any`
    ::warning file=policies/more.yaml,line=8,col=12,endLine=8,endColumn=16,title=unmatched-exception::exception `GONE` matches none of the findings%0Ahelp: take it out, if what it accepted is fixed
    ----- stderr
    0 errors, 4 warnings
    ");
    let ran = bad().run(&["check", "-p", "bad", "--format", "gitlab", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), ""));
    let report = ran.json();
    assert_eq!(
        (&report[0]["check_name"], &report[0]["severity"], &report[0]["location"]),
        (
            &"unknown-key".into(),
            &"major".into(),
            &serde_json::json!({"path": "bad/a.yaml", "lines": {"begin": 3, "end": 3}})
        )
    );
    assert_eq!(report[0]["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(report.as_array().unwrap().len(), 3);
}

#[test]
fn sarif_for_code_scanning() {
    let ran = dead().run(&[DEAD, &["--format", "sarif"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "0 errors, 4 warnings\n"));
    let run = &ran.json()["runs"][0];
    assert_eq!(run["tool"]["driver"]["version"], env!("CARGO_PKG_VERSION"));
    let results = run["results"].as_array().unwrap();
    let ids: Vec<_> = results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["unused-playbook", "shadowed-rule", "impossible-selector", "unmatched-exception"]);
    assert_eq!(
        results[1]["locations"][0]["physicalLocation"],
        serde_json::json!({
            "artifactLocation": {"uri": "policies/more.yaml", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 5, "startColumn": 14, "endLine": 5, "endColumn": 23},
        })
    );
    assert_eq!(results[1]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 4);
    // Nothing wrong is a log as well: code scanning closes what is no longer there.
    let world = World::new();
    world.example("first-plan");
    let ran = world.run(&["check", "-p", "policies", "--format", "sarif"]);
    assert_eq!((ran.code, &ran.json()["runs"][0]["results"]), (Some(0), &serde_json::json!([])));
}

#[test]
fn no_format_lets_a_hostile_name_through() {
    let world = World::new();
    let name = "p\u{1b}[2J\n::add-mask::x,y:z%0A\u{202e}.yaml";
    world.write(name, "version: 1\n\"::error::\\r\\n::stop-commands::t\": 1\n\"\\u001b[31m\\u009b\": 2\n");
    for format in ["json", "sarif", "github", "gitlab", "table"] {
        let ran = world.run(&["check", "-p", name, "--format", format]);
        assert_eq!(ran.code, Some(3), "{format}: {}", ran.show());
        super::findings::assert_harmless(&ran);
        if format == "github" {
            assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
            assert!(ran.stdout.lines().all(|line| line.starts_with("::error file=p")), "{}", ran.stdout);
        }
    }
}

#[test]
fn all_codes_are_listed() {
    let world = World::new();
    let listed = world.run(&["check", "--codes"]);
    assert_eq!(listed.stdout, world.run(&["check", "--explain", "all"]).stdout);
    assert!(listed.stdout.starts_with("abbreviated-time-zone\n    The time zone"), "{}", listed.stdout);
    assert_eq!(listed.stdout.lines().count(), 2 * switchback::diagnostic::CODES.len());
    let json = world.run(&["check", "--codes", "--format", "json"]).json();
    assert_eq!(json.as_array().unwrap().len(), switchback::diagnostic::CODES.len());
}
