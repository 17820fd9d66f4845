//! Rehearsals: the same for the same seed, bound by what the engine holds, and told as it was.

use std::sync::Arc;

use switchback::diagnostic::{Diagnostics, Source};
use switchback::model::{Digest, HostOutcome, TimeSpan};
use switchback::plan::Plan;
use switchback::sim::{Profile, Rehearsal, Rehearse, rehearse};

use crate::support::{Shape, sample, start};

fn profile(text: &str) -> Profile {
    let mut diagnostics = Diagnostics::default();
    let text = format!("version: 1\n{text}");
    Profile::read(&Source::new("faults.yaml", text), &mut diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Nothing goes wrong, and everything takes as long as is expected.
fn calm() -> String {
    let kinds = [
        "preflight",
        "backup",
        "clone",
        "drain",
        "switchover",
        "promote",
        "fix",
        "restart",
        "reboot",
        "verify",
        "observe",
        "soak",
        "undrain",
        "bisect",
        "restore",
        "verify_restored",
        "switch_back",
        "verify_original",
    ];
    let fails = kinds.map(|kind| format!("{kind}: 0%")).join(", ");
    format!(
        "fails: {{{fails}}}\nlost: 0%\ngone: 0%\nslow: {{share: 0%, factor: 1}}\ndurations: {{typical: 100%, late: 100%}}\n"
    )
}

fn run(plan: &(Arc<Plan>, Digest), profile: &Profile, runs: u32, threads: usize) -> Rehearsal {
    rehearse(&plan.0, plan.1, profile, Rehearse { runs, seed: 7, start: start(), threads })
}

fn fleet(shape: &Shape) -> (Arc<Plan>, Digest) {
    let (_, plan, digest) = sample(shape, 1);
    (plan, digest)
}

#[test]
fn the_same_seed_gives_the_same_result_on_any_number_of_threads() {
    let plan = fleet(&Shape { hosts: 8, ..Shape::default() });
    let one = run(&plan, &Profile::default(), 200, 1);
    assert_eq!(one, run(&plan, &Profile::default(), 200, 3));
    let other =
        rehearse(&plan.0, plan.1, &Profile::default(), Rehearse { runs: 200, seed: 8, start: start(), threads: 2 });
    assert_ne!(one.ends, other.ends);
    assert!(one.histogram.iter().sum::<u32>() > 100, "{:?}", one.histogram);
}

#[test]
fn where_nothing_goes_wrong_every_run_is_alike() {
    let plan = fleet(&Shape { hosts: 6, ..Shape::default() });
    let calm = run(&plan, &profile(&calm()), 20, 2);
    let chances = calm.chances;
    assert_eq!([chances.no_pause, chances.all_fixed, chances.none_stuck], [1.0, 1.0, 1.0], "{:?}", calm.hosts_ended);
    // What the plan does not have cannot be missed.
    assert_eq!((chances.in_windows, chances.deadlines_met), (None, None));
    assert_eq!(calm.hosts_ended[&HostOutcome::Fixed].mean, 6.0);
    assert!(
        calm.ends.p50.is_some() && calm.ends.p50 < calm.ends.worst,
        "durations differ by a part of them: {:?}",
        calm.ends
    );
    assert_eq!(calm.never_begun, []);
    // What the budget allows is used and never passed.
    for (name, service) in &calm.services {
        assert!((1..=service.max_unavailable).contains(&service.worst), "{name}: {service:?}");
        assert!(service.degraded_seconds > 0 && !service.over_time.is_empty());
    }
}

#[test]
fn a_fix_that_always_fails_uses_the_failure_budget_up() {
    let shape = Shape { hosts: 8, failure_budget: 2, max_unavailable: None, ..Shape::default() };
    let mut text = calm().replace("verify: 0%", "verify: 100%");
    let broken = run(&fleet(&shape), &profile(&text), 20, 2);
    assert_eq!((broken.chances.no_pause, broken.chances.all_fixed), (0.0, 0.0));
    assert_eq!(broken.ends.p50, None, "a campaign that stands still does not end");
    assert!(broken.hosts_ended[&HostOutcome::Restored].most <= 3, "{:?}", broken.hosts_ended);
    // Somebody resumes it each time: all have their turn.
    text.push_str("resume_after: 10m\n");
    let resumed = run(&fleet(&shape), &profile(&text), 20, 2);
    assert_eq!(resumed.hosts_ended[&HostOutcome::Restored].mean, 8.0, "{:?}", resumed.hosts_ended);
    assert!(resumed.ends.p50.is_some());
}

#[test]
fn hosts_that_are_gone_are_left_alone_and_hosts_that_cannot_go_back_are_stuck() {
    let shape = Shape { hosts: 4, failure_budget: 4, max_unavailable: None, ..Shape::default() };
    let gone = run(&fleet(&shape), &profile(&calm().replace("gone: 0%", "gone: 100%")), 5, 1);
    // A host that does not even answer the first question is left alone.
    assert_eq!(gone.hosts_ended[&HostOutcome::Untouched].mean, 4.0, "{:?}", gone.hosts_ended);
    let text = calm().replace("verify: 0%", "verify: 100%").replace("restore: 0%", "restore: 100%");
    let stuck = run(&fleet(&shape), &profile(&text), 5, 1);
    assert!(stuck.hosts_ended[&HostOutcome::Stuck].most >= 1);
    assert_eq!(stuck.chances.none_stuck, 0.0);
}

#[test]
fn hosts_for_which_there_is_no_room_are_named() {
    // One window that ends before the second host could begin.
    let shape = Shape { hosts: 6, windows: Some(TimeSpan::hours(1)), concurrency: 1, ..Shape::default() };
    let (mut plan, digest) = fleet(&shape);
    Arc::make_mut(&mut plan).windows.values_mut().for_each(|set| set.truncate(1));
    let rehearsal = run(&(plan, digest), &profile(&calm()), 10, 2);
    assert!(!rehearsal.never_begun.is_empty(), "{:?}", rehearsal.hosts_ended);
    assert_eq!(rehearsal.chances.in_windows, Some(0.0));
}
