//! `switchback explain`

use super::World;

#[test]
fn a_finding_is_explained_with_its_rule_and_place() {
    let world = World::first_plan();
    let ran = world.run(&["explain", "web-1", "CVE-2023-4039"]);
    let (finding, planned) = ran.stdout.split_once("Planned\n").unwrap();
    assert!(planned.contains("window   saturday-night without year-end, first at 2026-11-28 21:00Z"), "{}", ran.show());
    insta::assert_snapshot!(finding, @r"
    web-1
    Finding web-1/CVE-2023-4039/libgcc-s1@12.2.0-14
      priority        medium            score 4.63, by priority.thresholds.medium
        cvss          4.8               weighs 60.00%: CVSS 3.1 4.8 by nvd
        exploitation  0.0               weighs 15.00%: nothing known of exploitation
        importance    5.0               weighs 15.00%: importance general
        age           10.0              weighs 10.00%: published 1167 days ago
      decision        no_fix_available  its maintainers offer no fix, by default
    ");
    let ran = world.run(&["explain", "web-1", "CVE-2024-5535", "--plan", "plan.json"]);
    assert!(ran.stdout.contains("by scope.fix at policies/policy.yaml:5:8"), "{}", ran.show());
    let json = world.run(&["explain", "web-1", "--format", "json"]).json();
    assert!(json.to_string().contains("CVE-2024-5535"), "{json}");
}

#[test]
fn what_the_plan_does_not_know_is_said() {
    let world = World::first_plan();
    insta::assert_snapshot!(world.refused(3, &["explain", "web-9"]).show(), @r"
    exit: 3
    ----- stderr
    error: nothing to explain: plan says nothing of host web-9: no report has a finding on it, or the inventory does not have it [unknown-host]
    ");
    insta::assert_snapshot!(world.refused(3, &["explain", "web-1", "CVE-1999-1"]).show(), @r"
    exit: 3
    ----- stderr
    error: nothing to explain: plan knows no finding CVE-1999-1 on host web-1 [unknown-vulnerability]
    ");
    insta::assert_snapshot!(world.refused(2, &["explain", "web-1; reboot"]).show(), @r#"
    exit: 2
    ----- stderr
    error: invalid value 'web-1; reboot' for '<HOST>': "web-1; reboot" is not a valid host name: letters, digits and . _ - : only, starting with a letter or digit, at most 253

    For more information, try '--help'.
    "#);
}

const EXAMPLE: [&str; 8] =
    ["-p", "head/policies", "-i", "inventory.yaml", "-f", "findings.json", "--as-of", "2026-11-23T12:00:00Z"];

fn answer(world: &World, host: &str, vulnerability: &str) -> serde_json::Value {
    let ran = world.run(&[&["explain", host, vulnerability][..], &EXAMPLE, &["--format", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn the_shortest_reasons_and_the_smallest_changes_come_first() {
    let world = World::new();
    world.example("pull-request");
    let ran = world.run(&[&["explain", "web-1", "CVE-2026-1003"][..], &EXAMPLE].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.show());
    let said: String = ran.stdout.lines().take_while(|line| *line != "web-1").map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!(said);
}

/// Each change is made in the file as it is told, and the program asked again.
#[test]
fn every_change_that_is_named_does_what_is_said_of_it() {
    let policy = "head/policies/fleet.yaml";
    let mut applied = 0;
    for (host, vulnerability) in [
        ("web-1", "CVE-2026-1003"),
        ("web-1", "CVE-2026-1001"),
        ("web-1", "CVE-2026-1004"),
        ("pay-1", "CVE-2026-1002"),
        ("db-1", "CVE-2026-1004"),
    ] {
        let world = World::new();
        world.example("pull-request");
        let text = std::fs::read_to_string(world.path().join(policy)).unwrap();
        for change in answer(&world, host, vulnerability)["what_if"].as_array().unwrap() {
            let described = change["change"].as_str().unwrap();
            if let Some(section) = described.strip_prefix("add: ") {
                world.write("head/policies/added.yaml", &format!("version: 1\n{section}\n"));
            } else {
                let Some((old, new)) = described.split_once(": ").and_then(|(_, change)| change.split_once(" -> "))
                else {
                    continue;
                };
                let number = |key: &str| usize::try_from(change["place"][key].as_u64().unwrap()).unwrap();
                let line_start: usize = text.split_inclusive('\n').take(number("line") - 1).map(str::len).sum();
                let at = line_start + number("column") - 1;
                assert!(text[at..].starts_with(old), "{described}: {}", &text[at..at + 30]);
                world.write(policy, &format!("{}{new}{}", &text[..at], &text[at + old.len()..]));
            }
            let then = answer(&world, host, vulnerability);
            let decision = &then["decisions"][0];
            let planned = decision["kind"] == "fix" && then["outcome"]["planned"].is_object();
            match &change["goal"] {
                serde_json::Value::String(goal) if goal == "planned" => assert!(planned, "{described}"),
                serde_json::Value::String(_) => assert!(!planned, "{described}"),
                goal => assert_eq!(decision["assessment"]["priority"], goal["priority"], "{described}"),
            }
            applied += 1;
            world.write(policy, &text);
            let _ = std::fs::remove_file(world.path().join("head/policies/added.yaml"));
        }
    }
    assert!(applied >= 12, "{applied}");
}
