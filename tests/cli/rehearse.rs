//! `switchback rehearse`

use super::World;
use super::conform::conforms;

#[test]
fn a_plan_is_rehearsed_as_text_json_and_page() {
    let world = World::first_plan();
    let table = world.run(&["rehearse", "plan.json", "--runs", "50"]);
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""));
    for line in [
        "50 runs from 2026-11-23 12:00Z, seeds 1 to 50",
        "Half of the runs end by 2026-11-28",
        "fix every planned host",
        "fixed",
    ] {
        assert!(table.stdout.contains(line), "{line}: {}", table.show());
    }
    assert_eq!(table.stdout, world.run(&["rehearse", "plan.json", "--runs", "50"]).stdout);
    let json = world.run(&["rehearse", "plan.json", "--runs", "50", "--format", "json"]).json();
    conforms("rehearsal", &json);
    assert_eq!((json["runs"].as_u64(), json["hosts"].as_object().unwrap().len()), (Some(50), 2));
    let page = world.run(&["rehearse", "plan.json", "--runs", "50", "--format", "html"]);
    assert!(page.stdout.starts_with("<!doctype html>") && page.stdout.contains("<svg"), "{}", page.show());
    assert!(!page.stdout.contains("<script"));
}

#[test]
fn a_profile_is_held_to_and_a_wrong_one_refused_with_every_problem() {
    let world = World::first_plan();
    world.write("faults.yaml", "version: 1\nfails: {verify: 100%}\n");
    let run = world.run(&["rehearse", "plan.json", "--runs", "20", "--profile", "faults.yaml", "--format", "json"]);
    assert_eq!(run.json()["chances"]["all_fixed"].as_f64(), Some(0.0), "{}", run.show());
    world.write("faults.yaml", "version: 2\nfails: {fix: 200%}\nlost: often\n");
    let refused = world.refused(3, &["rehearse", "plan.json", "--profile", "faults.yaml"]);
    for place in ["faults.yaml:1:10", "faults.yaml:2:14", "faults.yaml:3:7"] {
        assert!(refused.stderr.contains(place), "{place}: {}", refused.show());
    }
    // Who asks for what earlier campaigns have shown must have some.
    let history = world.refused(1, &["rehearse", "plan.json", "--runs", "5", "--history"]);
    assert!(history.stderr.contains("--state"), "{}", history.show());
}
