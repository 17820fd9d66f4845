//! `switchback run` before it touches a host, and campaigns whose hosts cannot be reached.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{World, first_plan_with};

#[test]
fn a_plan_made_from_another_inventory_or_policy_is_stale() {
    let world = World::first_plan();
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    world.write("moved.yaml", &inventory.replace("10.0.0.13", "10.0.0.99"));
    let ran = world.refused(4, &["run", "plan.json", "-i", "moved.yaml"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 4
    ----- stderr
    error: the plan is stale: its inventory (moved.yaml) had digest [DIGEST], now it is [DIGEST] [plan-stale]
    hint: make the plan again, or name the inventory it was made from with -i
    ");
    let digests: Vec<&str> = ran.stderr.split(|c: char| !c.is_ascii_hexdigit()).filter(|w| w.len() == 12).collect();
    assert!(digests.len() == 2 && digests[0] != digests[1], "both are shown: {digests:?}");
    world.write("moved.yaml", "version: 1\nhosts: {web-1: {adress: x}}\n");
    let ran = world.refused(3, &["run", "plan.json", "-i", "moved.yaml"]);
    assert!(ran.stderr.contains("unknown-key") && ran.stderr.contains("[moved.yaml:2:17]"), "{}", ran.show());
    let policy = std::fs::read_to_string(world.path().join("policies/policy.yaml")).unwrap();
    world.write("policies/policy.yaml", &policy.replace("4h", "5h"));
    let ran = world.refused(4, &["run", "plan.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 4
    ----- stderr
    error: the plan is stale: its policies (policies) had digest [DIGEST], now it is [DIGEST] [plan-stale]
    hint: make the plan again, or name the policies it was made from with -p
    ");
}

#[test]
fn feeds_that_moved_are_shown_and_do_not_block() {
    let world = World::new();
    world.example("first-plan");
    let epss = "#model_version:v1,score_date:2026-11-20T00:00:00+0000\ncve,epss\nCVE-2024-5535,0.5\n";
    world.write("epss.csv", epss);
    world.write("nothing.json", "{\"SchemaVersion\": 2}");
    let args = "plan -p policies -i inventory.yaml -f web-1=nothing.json --feed epss.csv --as-of 2026-11-23T12:00:00Z -o plan.json";
    let ran = world.run(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stderr.contains("feed: EPSS scores v1 of 2026-11-20, CVEs: 1"), "{}", ran.show());
    let run = || world.run(&["run", "plan.json"]);
    insta::assert_snapshot!(run().show(), @r"
    exit: 0
    ----- stderr
    the plan touches no host: nothing to do
    ");
    world.write("epss.csv", &epss.replace("0.5", "0.6"));
    insta::assert_snapshot!(run().show(), @r"
    exit: 0
    ----- stderr
    note: the feeds had digest [DIGEST] when the plan was made, now it is [DIGEST]
    the plan touches no host: nothing to do
    ");
    std::fs::remove_file(world.path().join("epss.csv")).unwrap();
    insta::assert_snapshot!(run().show(), @r"
    exit: 0
    ----- stderr
    note: cannot compare the plan with its feeds (digest [DIGEST]): epss.csv: cannot be read: No such file or directory (os error 2) [unreadable-file]
    the plan touches no host: nothing to do
    ");
}

#[test]
fn missing_inputs_block() {
    let world = World::first_plan();
    std::fs::remove_file(world.path().join("inventory.yaml")).unwrap();
    insta::assert_snapshot!(world.refused(4, &["run", "plan.json"]).show(), @r"
    exit: 4
    ----- stderr
    error: cannot compare the plan with its inventory: inventory.yaml is not there [plan-input-missing]
    hint: say where it is (-i), or run the plan as it is with --trust-plan
    ");
    std::fs::remove_dir_all(world.path().join("policies")).unwrap();
    world.example("first-plan");
    std::fs::remove_dir_all(world.path().join("policies")).unwrap();
    insta::assert_snapshot!(world.refused(4, &["run", "plan.json"]).show(), @r"
    exit: 4
    ----- stderr
    error: cannot compare the plan with its policies: policies is not there [plan-input-missing]
    hint: say where it is (-p), or run the plan as it is with --trust-plan
    ");
}

#[test]
fn the_place_of_the_report_is_looked_at_first() {
    let world = World::first_plan();
    insta::assert_snapshot!(world.refused(2, &["run", "plan.json", "--html", "no/report.html"]).show(), @r"
    exit: 2
    ----- stderr
    error: the report cannot be written to no/report.html
    hint: --html names a file in a folder that exists
    ");
}

#[test]
fn a_plan_that_touches_nothing_is_done() {
    let world = World::new();
    world.example("first-plan");
    world.write("policy.yaml", "version: 1\nscope: {fix: [critical]}\n");
    assert_eq!(world.run(&first_plan_with("policies", "policy.yaml")).code, Some(0));
    let ran = world.run(&["run", "plan.json"]);
    insta::assert_snapshot!(ran.show(), @r"
    exit: 0
    ----- stderr
    the plan touches no host: nothing to do
    ");
    assert!(!world.path().join(".switchback").exists());
}

/// A fleet behind an `ssh` of our own making, so that no test leaves this machine.
fn fleet(ssh: &str) -> World {
    let world = World::new();
    world.example("first-plan");
    world.write("policy.yaml", "version: 1\n");
    replace_ssh(&world, ssh);
    let ran = world.run(&first_plan_with("policies", "policy.yaml"));
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    world
}

pub(super) fn replace_ssh(world: &World, script: &str) {
    let path = world.write("bin/ssh.new", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&path, world.path().join("bin/ssh")).unwrap();
}

pub(super) fn with_ssh(world: &World, args: &[&str]) -> Command {
    let mut command = world.command(args);
    command.env("PATH", format!("{}:/usr/bin:/bin", world.path().join("bin").display()));
    command
}

/// Answers nothing, for as long as its controller lives.
pub(super) const SILENT: &str = "while kill -0 $PPID 2>/dev/null; do sleep 0.2; done";

/// Refuses at once and for good; `ssh` says why in the log that it is given.
pub(super) const MISMATCH: &str =
    "while [ $# -gt 1 ]; do [ \"$1\" = -E ] && echo 'Host key verification failed.' >\"$2\"; shift; done; exit 255";

#[test]
fn a_canary_that_cannot_be_reached_is_left_untouched_and_the_campaign_pauses() {
    let world = fleet(MISMATCH);
    let ran = world.finish(with_ssh(&world, &["run", "plan.json", "--html", "r.html"]), "");
    assert_eq!(ran.code, Some(7), "{}", ran.show());
    assert!(ran.stderr.contains("Host key verification failed"), "{}", ran.show());
    assert!(ran.stderr.contains("go on with: switchback resume"), "{}", ran.show());
    assert!(ran.stdout.is_empty() && ran.stderr.contains("ended as untouched"), "{}", ran.show());
    assert!(std::fs::read_to_string(world.path().join("r.html")).unwrap().contains("untouched"));
    let status = world.run(&["status", "--format", "json"]).json();
    assert_eq!(status[0]["phase"], "paused", "{status}");
}

#[test]
fn a_killed_controller_leaves_a_campaign_that_can_be_asked_paused_and_aborted() {
    let world = fleet(SILENT);
    let mut controller = with_ssh(&world, &["run", "plan.json", "--format", "json"]).spawn().unwrap();
    let begun = Instant::now();
    while !world.run(&["status"]).stdout.contains("preflight") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the campaign never began");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The hosts are locked, the controller is alive.
    let ran = world.finish(with_ssh(&world, &["run", "plan.json"]), "");
    assert_eq!(ran.code, Some(9), "{}", ran.show());
    assert!(ran.stderr.contains("has not ended"), "{}", ran.show());
    let ran = world.finish(with_ssh(&world, &["resume"]), "");
    assert_eq!(ran.code, Some(9), "{}", ran.show());
    controller.kill().unwrap();
    controller.wait().unwrap();

    let status = world.run(&["status", "--format", "json"]).json();
    let campaign = status[0]["campaign"].as_str().unwrap().to_owned();
    super::conform::conforms("status", &status[0]);
    let shown = |args: &[&str]| {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(0));
        ran.show().replace(&campaign, "[CAMPAIGN]")
    };
    insta::assert_snapshot!(shown(&["pause"]), @r"
    exit: 0
    ----- stderr
    campaign [CAMPAIGN]: what runs is finished, nothing new starts; go on with `switchback resume`
    ");
    insta::assert_snapshot!(shown(&["abort", &campaign]), @r"
    exit: 0
    ----- stderr
    campaign [CAMPAIGN]: hosts in the middle go back, then it ends. Where no controller runs, `switchback resume [CAMPAIGN]` does it
    ");
    replace_ssh(&world, MISMATCH);
    let ran = world.finish(with_ssh(&world, &["resume"]), "");
    assert_eq!(ran.code, Some(8), "{}", ran.show());
    let (before, after) = ran.stderr.split_once("from here on:").unwrap();
    assert!(before.contains("so far, in ") && before.contains("records:"), "{}", ran.show());
    assert!(!before.contains("aborted by tester") && after.contains("aborted by tester"), "{}", ran.show());
    assert!(world.run(&["status"]).stdout.contains("has ended"));
}

#[test]
fn two_campaigns_do_not_share_the_budget_of_a_service() {
    let world = World::new();
    world.example("first-plan");
    world.write(
        "policy.yaml",
        "version: 1\nrollout: {max_unavailable: {per: {label: service}, value: 1}, canary: {hosts: 0, soak: 1s}}\n",
    );
    replace_ssh(&world, SILENT);
    for host in ["web-1", "web-2"] {
        let (report, plan) = (format!("{host}=reports/{host}.trivy.json"), format!("{host}.plan.json"));
        let ran = world.run(&["plan", "-p", "policy.yaml", "-i", "inventory.yaml", "-f", &report, "-o", &plan]);
        assert_eq!(ran.code, Some(0), "{}", ran.show());
    }
    let mut controller = with_ssh(&world, &["run", "web-1.plan.json"]).spawn().unwrap();
    let begun = Instant::now();
    while !world.run(&["status"]).stdout.contains("preflight") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the campaign never began");
        std::thread::sleep(Duration::from_millis(100));
    }
    let status = world.run(&["status"]).stdout;
    assert!(status.contains("is running"), "{status}");
    let second = || world.finish(with_ssh(&world, &["run", "web-2.plan.json"]), "");
    let ran = second();
    assert_eq!(ran.code, Some(9), "{}", ran.show());
    assert!(ran.stderr.contains("has hosts of shop") && ran.stderr.contains("[service-busy]"), "{}", ran.show());
    controller.kill().unwrap();
    controller.wait().unwrap();

    // Also when nobody runs it: its hosts may be in their middle.
    let status = world.run(&["status"]).stdout;
    assert!(status.contains("no controller runs it; go on with: switchback resume"), "{status}");
    assert_eq!(second().code, Some(9));
    replace_ssh(&world, MISMATCH);
    world.run(&["abort"]);
    let ran = world.finish(with_ssh(&world, &["resume"]), "");
    assert_eq!(ran.code, Some(8), "{}", ran.show());
    assert_ne!(second().code, Some(9), "it has ended");
}
