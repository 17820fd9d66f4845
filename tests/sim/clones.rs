//! One scenario for each row of what can fail with clones, switchovers and pilots, each proving that its fault came to
//! pass.

use switchback::engine::{Phase, RecordBody, Signal};
use switchback::model::{HostOutcome, StepId, TimeSpan};
use switchback::plan::{Action, Plan, Step, StepKind};
use switchback::sim::{Disturbance, Fault, Invariant, LostWhen, SimResult, SimRun, Took, Traffic, WhenPaused};

use crate::support::{Reboots, Shape, Way, host, sample, start};
use crate::{assert_well, outcome, plant, run};

fn switched() -> Shape {
    Shape { way: Way::CloneAndSwitch, reboot: Reboots::Always, ..Shape::default() }
}

/// Plants faults on three hosts or their clones and says where `web-1` ends; the others end fixed.
#[track_caller]
fn ends(shape: &Shape, faults: &[(&str, Fault)], expected: HostOutcome) -> SimResult {
    let result = run(shape, 1, faults, vec![]);
    assert_well(&result, Phase::Ended);
    for (name, fault) in faults {
        assert!(result.world.reached(&host(name), *fault), "{fault:?} never came to pass");
    }
    assert_eq!(outcome(&result, "web-1"), expected, "{faults:?} {:?}", result.outcomes);
    for other in ["web-2", "web-3"] {
        // A stuck host keeps using up the budget of one: the others may not be touched any more.
        let others = if expected == HostOutcome::Stuck { HostOutcome::Untouched } else { HostOutcome::Fixed };
        assert_eq!(outcome(&result, other), others, "{faults:?} {:?}", result.outcomes);
    }
    result
}

/// `web-1` is as it was, in service, and was not touched.
#[track_caller]
fn assert_as_before(result: &SimResult) {
    let (fleet, ..) = sample(&switched(), 1);
    let before = &fleet.hosts.iter().find(|h| h.host.name == host("web-1")).unwrap().disk.installed;
    let web_1 = result.world.host(&host("web-1")).unwrap();
    assert_eq!(&web_1.disk.installed, before, "packages exactly as before");
    assert!(web_1.available());
}

fn clones(result: &SimResult) -> usize {
    result.world.clones(&host("web-1")).count()
}

#[test]
fn the_clone_takes_the_place_of_the_host_and_the_original_is_kept_until_it_is_released() {
    for keep in [true, false] {
        let shape = Shape { keep, ..switched() };
        let result = ends(&shape, &[], HostOutcome::Fixed);
        let web_1 = result.world.host(&host("web-1")).unwrap();
        assert_eq!(web_1.scan(result.ended_at).findings.len(), 0, "what now is the host is fixed");
        assert!(web_1.available());
        assert_eq!(web_1.originals.len(), usize::from(keep));
        assert_eq!(web_1.backups.len(), usize::from(keep));
        assert_eq!(clones(&result), 0);
    }
}

#[test]
fn what_fails_on_the_clone_leaves_the_host_untouched_and_no_clone() {
    for (name, fault) in [
        ("web-1", Fault::CloneFails),
        ("web-1", Fault::CloneNeverAnswers),
        ("web-1-clone", Fault::MirrorDown),
        ("web-1-clone", Fault::DiskFull),
        ("web-1-clone", Fault::LockHeld),
        ("web-1-clone", Fault::FixFails),
        ("web-1-clone", Fault::FixBreaks),
        ("web-1-clone", Fault::ForeignReboot),
        ("web-1-clone", Fault::RebootNeverReturns),
        ("web-1-clone", Fault::CutOff { step: StepKind::Fix }),
        ("web-1-clone", Fault::Isolated { step: StepKind::Restart }),
        ("web-1-clone", Fault::Refused { step: StepKind::Verify, span: TimeSpan::hours(2) }),
    ] {
        for way in [Way::CloneAndSwitch, Way::EachTried] {
            let result = ends(&Shape { way, ..switched() }, &[(name, fault)], HostOutcome::Untouched);
            assert_as_before(&result);
            assert_eq!(clones(&result), 0, "{fault:?}");
        }
    }
}

#[test]
fn a_clone_on_which_something_failed_is_kept_for_people_to_look_at() {
    let shape = Shape { keep_failed: TimeSpan::days(2), ..switched() };
    for fault in [Fault::FixFails, Fault::BreaksUnderTraffic { after: TimeSpan::ZERO }] {
        let expected = if fault == Fault::FixFails { HostOutcome::Untouched } else { HostOutcome::SwitchedBack };
        let result = ends(&shape, &[("web-1-clone", fault)], expected);
        let (_, of) = result.world.clones(&host("web-1")).next().unwrap();
        assert!(of.kept_until.unwrap() > TimeSpan::days(1).after(start()));
        assert_as_before(&result);
    }
}

#[test]
fn what_fails_from_the_switchover_on_is_switched_back() {
    let later = TimeSpan::seconds(200);
    for (name, fault) in [
        ("web-1", Fault::SwitchFails { step: StepKind::Switchover, took: Took::No }),
        ("web-1", Fault::SwitchFails { step: StepKind::Switchover, took: Took::Yes }),
        ("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO }),
        ("web-1-clone", Fault::BreaksUnderTraffic { after: later }),
        ("web-1-clone", Fault::FixBreaksLater { after: later }),
        ("web-1-clone", Fault::CutOff { step: StepKind::Observe }),
        ("web-1", Fault::DrainFails),
        ("web-1", Fault::PromoteFails { took: Took::No }),
    ] {
        let result = ends(&switched(), &[(name, fault)], HostOutcome::SwitchedBack);
        assert_as_before(&result);
        assert_eq!(clones(&result), 0, "{fault:?}");
        assert!(result.world.host(&host("web-1")).unwrap().originals.is_empty());
    }
}

#[test]
fn what_fails_from_the_promotion_on_is_restored() {
    for fault in [
        Fault::PromoteFails { took: Took::Yes },
        Fault::CutOff { step: StepKind::Verify },
        Fault::SwitchFails { step: StepKind::Undrain, took: Took::No },
        Fault::SwitchFails { step: StepKind::Undrain, took: Took::Yes },
        Fault::CutOff { step: StepKind::Soak },
    ] {
        let result = ends(&switched(), &[("web-1", fault)], HostOutcome::Restored);
        assert_as_before(&result);
        assert_eq!(clones(&result), 0, "{fault:?}");
    }
}

#[test]
fn a_switch_back_that_fails_parks_the_host_and_leaves_its_clone() {
    let breaks = ("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO });
    for fault in [
        Fault::SwitchFails { step: StepKind::SwitchBack, took: Took::No },
        Fault::SwitchFails { step: StepKind::SwitchBack, took: Took::Yes },
        Fault::CutOff { step: StepKind::VerifyOriginal },
    ] {
        let result = ends(&switched(), &[breaks, ("web-1", fault)], HostOutcome::Stuck);
        assert_eq!(clones(&result), 1, "requests may go to it: {fault:?}");
    }
    let halfway = ("web-1", Fault::PromoteFails { took: Took::Yes });
    let result = ends(&switched(), &[halfway, ("web-1", Fault::RestoreFails)], HostOutcome::Stuck);
    let web_1 = result.world.host(&host("web-1")).unwrap();
    assert_eq!((web_1.traffic, web_1.originals.len(), clones(&result)), (Traffic::Drained, 1, 1));
}

#[test]
fn what_cannot_be_deleted_is_listed_and_changes_no_end() {
    let faults = [("web-1-clone", Fault::FixFails), ("web-1", Fault::DestroyFails)];
    let result = ends(&switched(), &faults, HostOutcome::Untouched);
    let (_, of) = result.world.clones(&host("web-1")).next().unwrap();
    assert!(of.overdue_at < TimeSpan::days(2).after(start()) && of.kept_until.is_none());

    let tried = Shape { way: Way::EachTried, ..switched() };
    let result = ends(&tried, &[("web-1", Fault::DestroyFails)], HostOutcome::Fixed);
    assert_eq!(clones(&result), 1);

    let released = Shape { keep: false, ..switched() };
    let result = ends(&released, &[("web-1", Fault::ReleaseFails)], HostOutcome::Fixed);
    assert_eq!(result.world.host(&host("web-1")).unwrap().originals.len(), 1);
}

#[test]
fn a_host_that_somebody_fixed_before_its_backup_needs_nothing_and_its_clone_goes() {
    for way in [Way::CloneAndSwitch, Way::EachTried] {
        let result = ends(&Shape { way, ..switched() }, &[("web-1", Fault::FixedMeanwhile)], HostOutcome::NothingToDo);
        assert_eq!(clones(&result), 0);
    }
}

#[test]
fn an_answer_of_provider_or_switch_that_is_lost_is_asked_for_again() {
    let shape = Shape { keep: false, ..switched() };
    let (provider, switch) = (
        [StepKind::Backup, StepKind::Clone, StepKind::Promote, StepKind::Release],
        [StepKind::Switchover, StepKind::Drain, StepKind::Undrain],
    );
    for step in provider.into_iter().chain(switch) {
        for when in [LostWhen::Before, LostWhen::During, LostWhen::After] {
            let result = ends(&shape, &[("web-1", Fault::Lost { step, when })], HostOutcome::Fixed);
            let probed = result.records.iter().any(|record| matches!(record.body, RecordBody::Probing { .. }));
            assert!(probed, "{step} {when:?} was not looked at again");
        }
    }
    let breaks = ("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO });
    for (step, when) in [(StepKind::SwitchBack, LostWhen::After), (StepKind::Destroy, LostWhen::During)] {
        ends(&shape, &[breaks, ("web-1", Fault::Lost { step, when })], HostOutcome::SwitchedBack);
    }
}

/// A web server goes first for five, a data base for two.
fn auto() -> Shape {
    Shape { hosts: 9, way: Way::Auto, max_unavailable: Some(2), ..Shape::default() }
}

#[test]
fn the_first_of_each_cohort_goes_first_and_the_others_wait_for_it() {
    let result = run(&auto(), 1, &[], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.outcomes.values().all(|(outcome, _)| *outcome == HostOutcome::Fixed), "{:?}", result.outcomes);
    let begun = |step: &str| {
        let is =
            |body: &RecordBody| matches!(body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step);
        result.records.iter().find(|record| is(&record.body)).map(|record| record.seq)
    };
    // A data base holds data: the fix is tried on a clone of it, and then made in place.
    assert!(begun("web-1/promote").is_some() && begun("db-1/verify-clone").is_some() && begun("db-1/fix").is_some());
    for (follower, pilot) in [("web-2", "web-1"), ("web-6", "web-1"), ("db-2", "db-1")] {
        assert!(begun(&format!("{follower}/preflight")) > begun(&format!("{pilot}/soak")), "{follower}");
        assert!(begun(&format!("{follower}/clone")).is_none());
    }
}

#[test]
fn a_pilot_that_fails_holds_back_its_cohort_and_no_other() {
    for (name, fault) in [
        ("web-1-clone", Fault::FixBreaks),
        ("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO }),
        ("web-1", Fault::PromoteFails { took: Took::Yes }),
        ("web-1", Fault::FixedMeanwhile),
    ] {
        let result = run(&auto(), 1, &[(name, fault)], vec![]);
        assert_well(&result, Phase::Ended);
        assert!(result.world.reached(&host(name), fault));
        for follower in ["web-2", "web-3", "web-4", "web-5", "web-6"] {
            let (ended, reason) = &result.outcomes[&host(follower)];
            let code = reason.as_ref().map(|reason| reason.code.as_str());
            assert_eq!((*ended, code), (HostOutcome::Untouched, Some("pilot-failed")), "{fault:?}");
        }
        assert_eq!(outcome(&result, "db-2"), HostOutcome::Fixed, "{fault:?}");
    }
}

#[test]
fn a_fix_that_was_tried_on_one_clone_speaks_for_the_others() {
    let shape = Shape { way: Way::FirstTried, ..switched() };
    ends(&shape, &[], HostOutcome::Fixed);
    // The fix went well on the clone; that the host itself fails afterwards is its own affair.
    ends(&shape, &[("web-1", Fault::FixFails)], HostOutcome::Restored);
    let result = run(&shape, 1, &[("web-1-clone", Fault::FixFails)], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.outcomes.values().all(|(outcome, _)| *outcome == HostOutcome::Untouched), "{:?}", result.outcomes);
}

#[test]
fn abort_and_pause_behind_any_record_leave_no_clone_and_no_switched_traffic() {
    let by = || "operator".to_owned();
    for way in [Way::CloneAndSwitch, Way::Auto] {
        let shape = Shape { hosts: 2, way, ..Shape::default() };
        let last = run(&shape, 1, &[], vec![]).records.len() as u64;
        for behind in 1..last {
            let abort = Disturbance::ask(behind, Signal::Abort { by: by() });
            let result = run(&shape, 1, &[], vec![abort]);
            assert_well(&result, Phase::Ended);
            assert!(result.world.hosts().all(switchback::sim::SimHost::available), "aborted behind {behind}");

            let (fleet, plan, digest) = sample(&shape, 1);
            let mut world = fleet.world();
            plant(&mut world, &[]);
            let disturbances = vec![
                Disturbance::ask(behind, Signal::Pause { by: by() }),
                Disturbance::kill(behind + 3, TimeSpan::minutes(5)),
            ];
            let run = SimRun { plan, digest, world, start: start(), disturbances, when_paused: WhenPaused::Resume };
            let result = run.run();
            assert_well(&result, Phase::Ended);
            assert!(result.outcomes.values().all(|(outcome, _)| *outcome == HostOutcome::Fixed), "{behind}");
        }
    }
}

/// Runs a plan that nobody would make, with all steps of `web-1` changed.
fn tampered(shape: &Shape, faults: &[(&str, Fault)], change: fn(&mut Vec<Step>)) -> Vec<Invariant> {
    let (fleet, plan, digest) = sample(shape, 1);
    let mut plan = Plan::clone(&plan);
    for name in ["web-1", "web-2"] {
        change(&mut plan.host_mut(&host(name)).unwrap().steps);
    }
    let mut world = fleet.world();
    plant(&mut world, faults);
    let (plan, disturbances) = (std::sync::Arc::new(plan), vec![]);
    let run = SimRun { plan, digest, world, start: start(), disturbances, when_paused: WhenPaused::Leave };
    run.run().violations.into_iter().map(|violation| violation.invariant).collect()
}

fn at(steps: &[Step], kind: StepKind, on_clone: bool) -> usize {
    steps.iter().position(|step| step.kind == kind && step.on.is_some() == on_clone).unwrap()
}

/// A judge that never says no proves nothing.
#[test]
fn the_monitor_sees_what_a_wrong_plan_does() {
    let breaks = [("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO })];
    let fails = [("web-1-clone", Fault::FixFails)];
    type Wrong<'a> = (&'a str, Invariant, &'a [(&'a str, Fault)], fn(&mut Vec<Step>));
    let wrong: [Wrong<'_>; 6] = [
        ("a clone that nobody destroys", Invariant::Leftover, &fails, |steps| {
            let clone = at(steps, StepKind::Clone, false);
            steps[clone].undo.clear();
        }),
        ("a promotion in service", Invariant::Order, &[], |steps| {
            let drain = at(steps, StepKind::Drain, false);
            steps.remove(drain);
            steps[drain].needs.clear();
        }),
        ("no way back for its traffic", Invariant::Outcome, &breaks, |steps| {
            let over = at(steps, StepKind::Switchover, false);
            steps[over].undo[0].action = Action::Undrain;
        }),
        ("a clone destroyed while it serves", Invariant::Traffic, &[], |steps| {
            let (clone, observe) = (at(steps, StepKind::Clone, false), at(steps, StepKind::Observe, true));
            steps[observe].kind = StepKind::Destroy;
            steps[observe].action = steps[clone].undo[0].action.clone();
            steps[observe].on = None;
        }),
        ("an original released at once", Invariant::Leftover, &[], |steps| {
            let id = StepId::of(&host(steps[0].id.host()), "release");
            let [backup, promote] = [StepKind::Backup, StepKind::Promote].map(|kind| at(steps, kind, false));
            let action = Action::Release { backup: steps[backup].id.clone(), promote: Some(steps[promote].id.clone()) };
            let mut early = steps.last().unwrap().clone();
            (early.id, early.action, early.needs) = (id, action, vec![]);
            steps.push(early);
        }),
        ("a fix on the host before its backup", Invariant::BackupBeforeFix, &[], |steps| {
            let (backup, fix) = (at(steps, StepKind::Backup, false), at(steps, StepKind::Fix, true));
            let mut early = steps[fix].clone();
            (early.id, early.on) = (StepId::of(&host(steps[0].id.host()), "early"), None);
            early.needs.clear();
            steps.insert(backup, early);
        }),
    ];
    for (what, invariant, faults, change) in wrong {
        let seen = tampered(&switched(), faults, change);
        assert!(seen.contains(&invariant), "{what} was not seen: {seen:?}");
    }
    // Who only waits for the pilot to begin does not wait for it to succeed.
    let seen = tampered(&Shape { way: Way::Auto, ..switched() }, &[], |steps| {
        if let Some(need) = steps[0].needs.first_mut() {
            *need = StepId::of(&host("web-1"), "preflight");
        }
    });
    assert!(seen.contains(&Invariant::PilotFirst), "{seen:?}");
}
