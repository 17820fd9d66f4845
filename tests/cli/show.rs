//! `switchback show`

use super::World;
use super::conform::conforms;

#[test]
fn every_view_shows_the_plan() {
    let world = World::first_plan();
    for (format, begin) in [
        ("table", "Plan "),
        ("tree", "Plan "),
        ("mermaid", "flowchart"),
        ("dot", "digraph"),
        ("html", "<!doctype html>"),
        ("json", "{"),
    ] {
        let ran = world.run(&["show", "plan.json", "--format", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{format}");
        assert!(ran.stdout.contains(begin), "{format}: {}", ran.show());
        assert!(ran.stdout.contains("web-1") && ran.stdout.contains("web-2"), "{format}");
    }
    let plan = world.run(&["show", "plan.json", "--format", "json"]).json();
    conforms("plan", &plan);
    assert_eq!(plan["hosts"].as_object().unwrap().len(), 2);
    assert_eq!(plan["report"]["forecast"]["ends"], "2026-11-28T21:59:50Z");
}

#[test]
fn a_plan_changed_by_one_byte_is_refused() {
    let world = World::first_plan();
    let plan = std::fs::read_to_string(world.path().join("plan.json")).unwrap();
    world.write("changed.json", &plan.replacen("\"seed\":0", "\"seed\":1", 1));
    for command in ["show", "run"] {
        let ran = world.refused(4, &[command, "changed.json"]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.show(), @r"
            exit: 4
            ----- stderr
            error: plan changed.json is refused: plan file was changed after it was made: it names [DIGEST], its content [DIGEST] [plan-changed]
            hint: plans are not edited: change the policy or the inventory and make the plan again
            ");
        }
    }
    let bytes = plan.as_bytes();
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        std::fs::write(world.path().join("changed.json"), changed).unwrap();
        world.refused(4, &["show", "changed.json"]);
    }
}

#[test]
fn what_is_no_plan_is_refused() {
    let world = World::first_plan();
    let plan = std::fs::read_to_string(world.path().join("plan.json")).unwrap();
    world.write("cut.json", &plan[..3000]);
    insta::assert_snapshot!(world.refused(4, &["show", "cut.json"]).show(), @r"
    exit: 4
    ----- stderr
    error: plan cut.json is refused: plan file ends before its plan does [plan-truncated]
    hint: copy the file again, or make the plan again
    ");
    insta::assert_snapshot!(world.refused(4, &["show", "inventory.yaml"]).show(), @r#"
    exit: 4
    ----- stderr
    error: plan inventory.yaml is refused: file is not a plan: it does not start with `{"switchback_plan":...` [not-a-plan]
    hint: give the file that `switchback plan -o` wrote
    "#);
    insta::assert_snapshot!(world.refused(1, &["show", "nothere.json"]).show(), @r"
    exit: 1
    ----- stderr
    error: cannot open nothere.json: No such file or directory (os error 2) [unreadable-file]
    hint: give the file that `switchback plan -o` wrote
    ");
    world.write("newer.json", &plan.replacen("{\"switchback_plan\":3", "{\"switchback_plan\":4", 1));
    insta::assert_snapshot!(world.refused(4, &["show", "newer.json"]).show(), @r"
    exit: 4
    ----- stderr
    error: plan newer.json is refused: plan file has format 4, this program reads format 3 [plan-format]
    hint: make the plan again with this version of the program
    ");
}
