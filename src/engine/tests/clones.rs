//! Clones and pilots: what follows from each failure, and who waits for whom.

use crate::engine::{Campaign, Effected, Phase, RecordBody, Signal, StepResult};
use crate::model::{HostOutcome, StepId};
use crate::plan::{Step, StepKind};

use super::fixture::{HostSpec, PlanSpec, Way, at};
use super::judge::judge;
use super::world::{Deed, World, failed, succeeded, unknown};

const TRIAL: [&str; 8] =
    ["preflight", "backup", "clone", "preflight-clone", "fix-clone", "restart-clone", "reboot-clone", "verify-clone"];
const SWITCHED: [&str; 7] = ["switchover", "observe", "drain", "promote", "verify", "undrain", "soak"];
const TRIED: [&str; 8] = ["destroy", "drain", "fix", "restart", "reboot", "verify", "undrain", "soak"];

fn spec(way: Way) -> PlanSpec {
    PlanSpec { hosts: vec![HostSpec { way, ..HostSpec::default() }], ..PlanSpec::default() }
}

/// A pilot that goes this way, and a host that waits for it.
fn piloted(way: Way) -> PlanSpec {
    let follower = HostSpec { pilot: Some(0), ..HostSpec::default() };
    PlanSpec { hosts: vec![HostSpec { way, ..HostSpec::default() }, follower], ..PlanSpec::default() }
}

fn run(spec: &PlanSpec, deeds: &[(&str, Deed)]) -> World {
    let world = World::with_deeds(spec.build(), deeds).start_and_run();
    judge(&world.plan, &world.records);
    world
}

fn broken(effect: Effected) -> Deed {
    Deed::of(failed(effect))
}

fn abort() -> Signal {
    Signal::Abort { by: "ann".to_owned() }
}

/// Everything up to this step, then these.
fn walk<'a>(rest: &[&'a str], until: &str, then: &[&'a str]) -> Vec<&'a str> {
    let all: Vec<&str> = TRIAL.iter().chain(rest).copied().collect();
    let done = all.iter().position(|step| *step == until).unwrap();
    all.into_iter().take(done + 1).chain(then.iter().copied()).collect()
}

#[test]
fn a_clone_takes_the_place_of_its_host_or_goes_when_it_was_tried() {
    for (way, rest) in [(Way::Switched, &SWITCHED[..]), (Way::Tried, &TRIED)] {
        let world = run(&spec(way), &[]);
        assert_eq!(world.outcome("h00000"), Some((HostOutcome::Fixed, String::new())));
        assert_eq!(world.walk("h00000"), walk(rest, "soak", &[]));
    }
}

#[test]
fn each_failure_takes_back_what_was_done_and_destroys_the_clone() {
    use HostOutcome::{Restored, SwitchedBack, Untouched};
    let (destroy, back) = (&["undo-clone"][..], &["switch_back", "verify_original", "undo-clone"][..]);
    let restore = &["restore", "verify_restored", "switch_back", "verify_original", "undo-clone"][..];
    let out = &["undo-undrain", "restore", "verify_restored", "switch_back", "verify_original", "undo-clone"][..];
    for (step, effect, outcome, undo) in [
        ("clone", Effected::No, Untouched, &[][..]),
        ("clone", Effected::Possibly, Untouched, destroy),
        ("fix-clone", Effected::Possibly, Untouched, destroy),
        ("reboot-clone", Effected::Possibly, Untouched, destroy),
        ("verify-clone", Effected::No, Untouched, destroy),
        ("switchover", Effected::No, Untouched, destroy),
        ("switchover", Effected::Possibly, SwitchedBack, back),
        ("observe", Effected::No, SwitchedBack, back),
        ("drain", Effected::Possibly, SwitchedBack, back),
        ("promote", Effected::No, SwitchedBack, back),
        ("promote", Effected::Possibly, Restored, restore),
        ("verify", Effected::No, Restored, restore),
        ("undrain", Effected::Possibly, Restored, out),
        ("soak", Effected::No, Restored, out),
    ] {
        let world = run(&spec(Way::Switched), &[(&format!("h00000/{step}"), broken(effect))]);
        assert_eq!(world.outcome("h00000"), Some((outcome, "broken".to_owned())), "{step} {effect:?}");
        assert_eq!(world.walk("h00000"), walk(&SWITCHED, step, undo), "{step} {effect:?}");
    }
}

#[test]
fn a_clone_that_was_destroyed_on_the_way_is_not_destroyed_again() {
    for destroy in
        [Deed::of(succeeded()), broken(Effected::Possibly), Deed { unknown: u32::MAX, ..Deed::of(unknown()) }]
    {
        let deeds = [("h00000/destroy", destroy), ("h00000/fix", broken(Effected::Possibly))];
        let world = run(&spec(Way::Tried), &deeds);
        assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Restored);
        assert_eq!(world.walk("h00000"), walk(&TRIED, "fix", &["restore", "verify_restored", "undo-drain"]));
    }
}

#[test]
fn a_clone_that_cannot_be_destroyed_parks_nobody() {
    let lost = Deed { unknown: u32::MAX, ..Deed::of(unknown()) };
    for destroy in [broken(Effected::No), broken(Effected::Possibly), lost] {
        let deeds = [("h00000/observe", broken(Effected::No)), ("h00000/undo-clone", destroy.clone())];
        assert_eq!(run(&spec(Way::Switched), &deeds).outcome("h00000").unwrap().0, HostOutcome::SwitchedBack);
        let world = run(&spec(Way::Tried), &[("h00000/destroy", destroy)]);
        assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Fixed);
    }
}

#[test]
fn a_switch_back_that_fails_parks_the_host_with_its_clone() {
    for step in ["switch_back", "verify_original"] {
        let deeds = [("h00000/observe", broken(Effected::No)), (&format!("h00000/{step}"), broken(Effected::Possibly))];
        let world = run(&spec(Way::Switched), &deeds);
        assert_eq!(world.outcome("h00000"), Some((HostOutcome::Stuck, "undo-failed".to_owned())));
        assert!(!world.walk("h00000").contains(&"undo-clone".to_owned()), "its requests may go there");
    }
}

#[test]
fn a_clone_that_needs_nothing_is_destroyed_and_its_host_needs_nothing() {
    let nothing = Deed::of(StepResult::NothingToDo { note: "fixed already".to_owned() });
    for way in [Way::Switched, Way::Tried] {
        let world = run(&spec(way), &[("h00000/preflight-clone", nothing.clone())]);
        assert_eq!(world.outcome("h00000"), Some((HostOutcome::NothingToDo, "nothing-to-do".to_owned())));
        assert_eq!(world.walk("h00000"), walk(&SWITCHED, "preflight-clone", &["undo-clone"]));
    }
}

#[test]
fn a_reboot_that_only_the_clone_missed_is_not_pending() {
    let pending = |value: &str| {
        let facts = [("reboot_pending".to_owned(), value.to_owned())].into();
        Deed::of(StepResult::Succeeded { facts, note: None })
    };
    for (own, outcome) in [("false", HostOutcome::Fixed), ("true", HostOutcome::FixedPendingReboot)] {
        let deeds = [("h00000/verify-clone", pending("true")), ("h00000/verify", pending(own))];
        assert_eq!(run(&spec(Way::Switched), &deeds).outcome("h00000").unwrap().0, outcome);
    }
}

#[test]
fn a_gate_that_closes_for_good_destroys_the_clone_that_waits() {
    let windowed = |way| {
        let mut spec = spec(way);
        spec.hosts[0].windows = Some(0);
        spec.windows = vec![vec![(10_000, 11_000)]];
        spec
    };
    let late = [("h00000/preflight", Deed { takes: 2_000, ..Deed::of(succeeded()) })];
    for (way, clone) in [(Way::Switched, "undo-clone"), (Way::Tried, "destroy")] {
        let world = run(&windowed(way), &late);
        assert_eq!(world.outcome("h00000"), Some((HostOutcome::Untouched, "window-over".to_owned())));
        assert_eq!(world.walk("h00000"), walk(&[], "verify-clone", &[clone]), "{way:?}");
        assert_eq!(world.phase(), Phase::Ended);
    }
}

#[test]
fn an_abort_leaves_no_clone_behind_in_any_phase() {
    for way in [Way::Switched, Way::Tried] {
        let whole = run(&spec(way), &[]);
        let end = whole.now.duration_since(at(0)).as_secs();
        for second in (0..end).step_by(5) {
            let mut world = World::with_deeds(spec(way).build(), &[]);
            world.start();
            world.run(Some(at(second)));
            world.now = at(second);
            world.signal(abort());
            world.run(None);
            assert_eq!(world.phase(), Phase::Ended, "{way:?} {second}");
            judge(&world.plan, &world.records);
        }
    }
}

#[test]
fn who_waits_for_a_pilot_begins_when_it_has_succeeded() {
    let world = run(&piloted(Way::Switched), &[]);
    assert!(world.outcomes().values().all(|outcome| *outcome == HostOutcome::Fixed));
    let begins = |step: &str| {
        let intent =
            |body: &RecordBody| matches!(body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step);
        world.records.iter().find(|record| intent(&record.body)).unwrap().seq
    };
    assert!(begins("h00001/preflight") > begins("h00000/soak"));
}

#[test]
fn who_waits_for_a_pilot_that_fails_is_left_untouched() {
    let nothing = Deed::of(StepResult::NothingToDo { note: String::new() });
    for (step, deed) in [
        ("preflight", nothing.clone()),
        ("preflight-clone", nothing),
        ("clone", broken(Effected::No)),
        ("verify-clone", broken(Effected::No)),
        ("observe", broken(Effected::No)),
        ("promote", broken(Effected::Possibly)),
        ("soak", broken(Effected::No)),
        ("observe", Deed { unknown: u32::MAX, ..Deed::of(succeeded()) }),
    ] {
        let world = run(&piloted(Way::Switched), &[(&format!("h00000/{step}"), deed)]);
        let follower = world.outcome("h00001");
        assert_eq!(follower, Some((HostOutcome::Untouched, "pilot-failed".to_owned())), "{step}");
        assert!(world.walk("h00001").is_empty(), "{step}");
        assert_eq!(world.phase(), Phase::Ended, "{step}");
    }
}

#[test]
fn a_pause_while_somebody_waits_for_a_pilot_holds_both_and_resuming_goes_on() {
    for way in [Way::Switched, Way::Tried] {
        let end = run(&piloted(way), &[]).now.duration_since(at(0)).as_secs();
        for second in (0..end).step_by(5) {
            for failing in [false, true] {
                let deeds = [("h00000/observe", broken(Effected::No)), ("h00000/fix", broken(Effected::No))];
                let deeds = if failing { &deeds[..] } else { &[] };
                let mut world = World::with_deeds(piloted(way).build(), deeds);
                world.start();
                world.run(Some(at(second)));
                world.now = at(second);
                world.signal(Signal::Pause { by: "ann".to_owned() });
                world.run(None);
                if world.phase() == Phase::Paused {
                    world.recover();
                    world.run(None);
                    world.signal(Signal::Resume { by: "ann".to_owned() });
                    world.run(None);
                }
                assert_eq!(world.phase(), Phase::Ended, "{way:?} {second} {failing}");
                let fixed = world.outcomes().values().filter(|outcome| outcome.is_success()).count();
                assert_eq!(fixed, if failing { 0 } else { 2 }, "{way:?} {second} {:?}", world.outcomes());
                judge(&world.plan, &world.records);
            }
        }
    }
}

#[test]
fn a_pilot_that_cannot_go_first_frees_those_who_wait() {
    let mut spec = piloted(Way::Switched);
    spec.hosts[0].windows = Some(0);
    spec.windows = vec![vec![(10_000, 10_100)]];
    let world = run(&spec, &[]);
    assert_eq!(world.outcome("h00000"), Some((HostOutcome::Untouched, "window-over".to_owned())));
    assert_eq!(world.outcome("h00001"), Some((HostOutcome::Untouched, "pilot-failed".to_owned())));
}

/// The same plan with a search for what breaks the clone, which stands for the trial.
fn searched(spec: &PlanSpec, deeds: &[(&str, Deed)]) -> World {
    let mut plan = spec.build();
    for host in plan.hosts_mut() {
        let Some(verify) = host.steps.iter().position(|step| step.id.step() == "verify-clone") else { continue };
        let of_trial = |step: &&Step| step.on.is_some() && step.kind != StepKind::Preflight;
        let stands_for = host.steps[..=verify].iter().filter(of_trial).map(|step| step.id.clone()).collect();
        let search = Step {
            id: StepId::of(&host.host.name, "bisect"),
            kind: StepKind::Bisect,
            on: None,
            stands_for,
            undo: vec![],
            ..host.steps[verify].clone()
        };
        let search = Step { needs: host.steps[2..3].iter().map(|step| step.id.clone()).collect(), ..search };
        host.steps.insert(verify + 1, search);
    }
    World::with_deeds(plan, deeds).start_and_run()
}

#[test]
fn a_search_stands_for_the_trial_when_that_fails_and_only_then() {
    let plan = spec(Way::Switched);
    let world = searched(&plan, &[]);
    assert_eq!(world.walk("h00000"), walk(&SWITCHED, "soak", &[]), "nothing failed: nothing is searched");
    for (fails, effect) in
        [("verify-clone", Effected::No), ("fix-clone", Effected::Possibly), ("reboot-clone", Effected::Possibly)]
    {
        let world = searched(&plan, &[(&format!("h00000/{fails}"), broken(effect))]);
        assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Fixed, "{fails}");
        let then = [&["bisect"][..], &SWITCHED].concat();
        assert_eq!(world.walk("h00000"), walk(&SWITCHED, fails, &then), "{fails}");
        // Killed behind any record it comes to the same end.
        for records in 1..world.records.len() {
            let again = Campaign::fold(
                world.plan.clone(),
                world.campaign.plan_digest(),
                world.campaign.id().clone(),
                &world.records[..records],
            );
            assert!(again.is_ok(), "{fails}, {records} records: {again:?}");
        }
    }
}

#[test]
fn what_was_refused_is_not_searched_and_a_search_that_fails_touches_nobody() {
    let plan = piloted(Way::Switched);
    let world = searched(&plan, &[("h00000/fix-clone", broken(Effected::No))]);
    assert_eq!(world.walk("h00000"), walk(&SWITCHED, "fix-clone", &["undo-clone"]));
    let world =
        searched(&plan, &[("h00000/verify-clone", broken(Effected::No)), ("h00000/bisect", broken(Effected::No))]);
    assert_eq!(world.walk("h00000"), walk(&SWITCHED, "verify-clone", &["bisect", "undo-clone"]));
    for host in ["h00000", "h00001"] {
        assert_eq!(world.outcome(host).unwrap().0, HostOutcome::Untouched, "{host}");
    }
}

#[test]
fn who_waits_for_a_trial_goes_on_when_the_search_has_succeeded() {
    let follower = HostSpec { pilot: Some(0), ..HostSpec::default() };
    let pilot = HostSpec { way: Way::Tried, ..HostSpec::default() };
    let plan = PlanSpec { hosts: vec![pilot, follower], ..PlanSpec::default() };
    let world = searched(&plan, &[("h00000/verify-clone", broken(Effected::No))]);
    assert_eq!(world.outcome("h00001").unwrap().0, HostOutcome::Fixed);
}
