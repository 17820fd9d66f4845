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

      × policy latin.yaml: stream did not contain valid UTF-8
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
