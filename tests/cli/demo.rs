//! `switchback demo --simulated`

use std::time::{Duration, Instant};

use serde_json::Value;

use super::conform::conforms;
use super::{Ran, World};

/// The demo on the simulated fleet, as JSON.
pub fn demo() -> (World, Ran) {
    let world = World::new();
    let ran = world.run(&["demo", "--simulated", "--dir", "d", "--format", "json"]);
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    (world, ran)
}

#[test]
fn some_hosts_are_fixed_and_the_broken_one_is_restored() {
    let start = Instant::now();
    let (world, ran) = demo();
    assert!(start.elapsed() < Duration::from_secs(60), "seconds, not {:?}", start.elapsed());
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, events) = lines.split_last().unwrap();
    conforms("demo", last);
    let keys: Vec<&String> = last.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["campaign", "findings_after", "findings_before", "outcomes"]);
    let outcomes: Vec<&str> = last["outcomes"].as_object().unwrap().values().map(|o| o.as_str().unwrap()).collect();
    assert_eq!(outcomes.len(), 4);
    assert!(outcomes.contains(&"fixed") && outcomes.contains(&"restored"), "{last}");
    let count = |key: &str| last[key].as_u64().unwrap();
    assert!(0 < count("findings_after") && count("findings_after") < count("findings_before"), "{last}");
    assert!(events.len() > 20);
    for event in events {
        conforms("event", event);
    }
    for file in ["policy.yaml", "plan.json", "findings-before.json", "findings-after.json", "report.html"] {
        assert!(world.path().join("d").join(file).exists(), "{file}");
    }
    let ran = world.run(&["findings", "-f", "d/findings-before.json", "--format", "json"]);
    assert_eq!(ran.json()["findings"].as_array().unwrap().len() as u64, count("findings_before"));
    assert_eq!(world.run(&["show", "d/plan.json"]).code, Some(0));
    let html = std::fs::read_to_string(world.path().join("d/report.html")).unwrap();
    assert!(html.contains("restored") && html.contains("web-3"));
}

#[test]
fn for_people_the_story_is_on_stderr_and_the_outcome_on_stdout() {
    let world = World::new();
    let ran = world.run(&["demo", "--simulated", "--hosts", "2", "--state", "journal"]);
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.show());
    for part in ["== scan", "== plan", "== run", "on purpose", "== scan again", "report: "] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.show());
    }
    assert!(world.path().join("journal/journal.db").exists() && !world.path().join("switchback-demo/state").exists());
    let ran = world.run(&["demo", "--simulated", "--hosts", "2", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(5), ""));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let world = World::new();
    world.write("file", "");
    insta::assert_snapshot!(world.refused(1, &["demo", "--simulated", "--dir", "file/d"]).show(), @r"
    exit: 1
    ----- stderr
    error: cannot write file/d: Not a directory (os error 20)
    ");
    world.refused(2, &["demo", "--hosts", "1"]);
}
