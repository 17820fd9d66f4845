//! Rules in Rego, from the command line.

use super::World;

fn both() -> World {
    let world = World::new();
    world.example_in("first-plan", "first-plan");
    world.example_in("rego", "rego");
    world
}

/// The commands of the example's README.
fn commands() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(format!("{}/examples/rego/README.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().replace("\\\n", " "));
    let lines: Vec<String> = blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.iter().map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

#[test]
fn the_example_does_as_its_readme_says() {
    let world = both();
    let commands = commands();
    let [check, plan, explain, late] = commands.as_slice() else { panic!("{commands:?}") };
    let run = |command: &[String]| world.run(&command.iter().map(String::as_str).collect::<Vec<_>>());
    for command in [check, plan] {
        let ran = run(command);
        assert_eq!(ran.code, Some(0), "{}", ran.show());
    }
    let ran = run(explain);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let told = ["rules/priority.override", "openssl ends TLS for shop", "rego/policies/rules/priority.rego:7:9"];
    assert!(told.iter().all(|text| ran.stdout.contains(text)), "{}", ran.show());

    let ran = world.refused(4, &late.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(ran.show(), @r"
    exit: 4
    ----- stderr
    error: 1 rule denies this plan; nothing was written [plan-denied]
    hint: critical fixes start later than in a week (web-1, web-2)
    ");
}

#[test]
fn a_warning_is_shown_and_stays_in_the_plan() {
    let world = both();
    let path = world.path().join("rego/policies/rules/plan.rego");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        format!("{text}\nwarn contains {{\"msg\": \"look\", \"hosts\": object.keys(input.hosts)}}\n"),
    )
    .unwrap();
    let words = commands()[1].clone();
    let ran = world.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stderr.contains("warning: look (web-1, web-2) [rule-warning]"), "{}", ran.show());
    assert!(ran.stdout.contains("look (web-1, web-2)"), "{}", ran.show());
    let plan = std::fs::read_to_string(world.path().join("plan.json")).unwrap();
    assert!(plan.contains("look (web-1, web-2)"));
}

#[test]
fn mistakes_in_rules_are_shown_by_check_and_no_plan_is_made() {
    let world = both();
    world.write(
        "rego/policies/rules/x.rego",
        "package switchback.priority\n\noverride := \"low\" if {\n\tf(1)\n}\n\nf(x) := f(x + 1)\n",
    );
    let ran = world.refused(3, &["check", "-p", "rego/policies"]);
    assert!(ran.stderr.contains("rego-recursion") || ran.stderr.contains("rego-timeout"), "{}", ran.show());
    world.write("rego/policies/rules/x.rego", "package switchback.priority\n\noverride := \"low\" if {\n");
    let ran = world.refused(3, &["check", "-p", "rego/policies"]);
    insta::assert_snapshot!(ran.show(), @r#"
    exit: 3
    ----- stderr
    invalid-rego

      × expecting expression
       ╭─[rego/policies/rules/x.rego:4:1]
     3 │ override := "low" if {
       ╰────

    1 error, 0 warnings
    "#);
    let words = commands()[1].clone();
    world.refused(3, &words.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_child_answers_its_controller_and_is_not_listed() {
    let world = World::new();
    let question = "{\"add\":{\"file\":0,\"text\":\"package a\\n\\nx := input.y + 1\"}}\n{\"evaluate\":{\"rule\":\"data.a.x\",\"inputs\":[{\"y\":1},{}]}}\n";
    let ran = world.run_with(&["rego-worker"], question);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "{\"added\":\"data.a\"}\n{\"value\":2}\n\"undefined\"\n"),
        "{}",
        ran.show()
    );
    let ran = world.run_with(&["rego-worker"], "nonsense\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.show());
    assert!(!world.run(&["--help"]).stdout.contains("rego"));
}
