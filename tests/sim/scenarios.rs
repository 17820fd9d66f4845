//! One scenario for each row of what can fail, each proving that its fault came to pass.

use switchback::engine::{Phase, RecordBody, Signal};
use switchback::model::{HostOutcome, TimeSpan};
use switchback::plan::StepKind;
use switchback::sim::{Disturbance, Fault, LostWhen, Traffic};

use crate::support::{Reboots, Shape, host, sample, start};
use crate::{assert_well, outcome, run};

/// Plants one fault on `web-1` of three hosts and says where that host ends; the others end fixed.
#[track_caller]
fn one_fault(fault: Fault, expected: HostOutcome) -> switchback::sim::SimResult {
    let shape = Shape { reboot: Reboots::Always, ..Shape::default() };
    let result = run(&shape, 1, &[("web-1", fault)], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.world.reached(&host("web-1"), fault), "{fault:?} never came to pass");
    assert_eq!(outcome(&result, "web-1"), expected, "{:?}", result.outcomes);
    for other in ["web-2", "web-3"] {
        // A stuck host keeps using up the budget of one: the others may not be touched any more.
        let others = if expected == HostOutcome::Stuck { HostOutcome::Untouched } else { HostOutcome::Fixed };
        assert_eq!(outcome(&result, other), others, "{:?}", result.outcomes);
    }
    result
}

#[test]
fn plans_of_every_shape_pass_the_checker() {
    let mut rng = switchback::sim::Rng::new(1);
    for seed in 0..50 {
        let (_, plan, _) = sample(&Shape::draw(&mut rng), seed);
        assert_eq!(switchback::plan::check(&plan), [], "seed {seed}");
    }
}

#[test]
fn all_goes_well() {
    let (fleet, ..) = sample(&Shape::default(), 1);
    let before = fleet.findings(start()).len();
    let result = run(&Shape::default(), 1, &[], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.outcomes.values().all(|(outcome, _)| *outcome == HostOutcome::Fixed), "{:?}", result.outcomes);
    let scans = result.world.scan(result.ended_at);
    let after: usize = scans.values().map(|scan| scan.as_ref().unwrap().findings.len()).sum();
    assert!(before > 0);
    assert_eq!(after, 0, "a scan behind the campaign finds nothing more");
}

#[test]
fn what_fails_before_anything_is_touched_leaves_the_host_untouched() {
    for fault in [
        Fault::DiskFull,
        Fault::LockHeld,
        Fault::MirrorDown,
        Fault::BackupFails,
        Fault::Refused { step: StepKind::Preflight, span: TimeSpan::hours(2) },
        Fault::CutOff { step: StepKind::Preflight },
        Fault::DrainFails,
    ] {
        let cut = matches!(fault, Fault::CutOff { .. });
        let shape = Shape { reboot: Reboots::Always, ..Shape::default() };
        let result = run(&shape, 1, &[("web-1", fault)], vec![]);
        assert!(result.world.reached(&host("web-1"), fault), "{fault:?} never came to pass");
        assert_eq!(outcome(&result, "web-1"), HostOutcome::Untouched, "{fault:?}");
        let (_, reason) = &result.outcomes[&host("web-1")];
        assert!(reason.is_some(), "{fault:?}");
        let web_1 = result.world.host(&host("web-1")).unwrap();
        assert_eq!(web_1.traffic, Traffic::InService, "{fault:?}");
        if !cut {
            assert_well(&result, Phase::Ended);
        }
    }
}

#[test]
fn what_fails_from_the_fix_on_is_restored() {
    for fault in [
        Fault::FixFails,
        Fault::FixBreaks,
        Fault::FixBreaksLater { after: TimeSpan::minutes(4) },
        Fault::ForeignReboot,
        Fault::RebootNeverReturns,
        Fault::CutOff { step: StepKind::Fix },
        Fault::CutOff { step: StepKind::Restart },
        Fault::CutOff { step: StepKind::Verify },
        Fault::CutOff { step: StepKind::Soak },
        Fault::Refused { step: StepKind::Verify, span: TimeSpan::hours(2) },
    ] {
        let result = one_fault(fault, HostOutcome::Restored);
        let (fleet, ..) = sample(&Shape::default(), 1);
        let before = &fleet.hosts.iter().find(|h| h.host.name == host("web-1")).unwrap().disk.installed;
        let web_1 = result.world.host(&host("web-1")).unwrap();
        assert_eq!(&web_1.disk.installed, before, "{fault:?}: packages exactly as before");
        assert!(web_1.serves() && web_1.traffic == Traffic::InService, "{fault:?}");
    }
}

#[test]
fn an_undo_that_fails_parks_the_host_as_stuck() {
    let shape = Shape::default();
    let faults = [("web-1", Fault::FixBreaks), ("web-1", Fault::RestoreFails)];
    let result = run(&shape, 1, &faults, vec![]);
    assert_well(&result, Phase::Ended);
    assert!(faults.iter().all(|(name, fault)| result.world.reached(&host(name), *fault)));
    assert_eq!(outcome(&result, "web-1"), HostOutcome::Stuck);
    let (_, reason) = &result.outcomes[&host("web-1")];
    assert!(reason.as_ref().unwrap().text.contains("service"), "the first reason is kept: {reason:?}");
    one_fault(Fault::Isolated { step: StepKind::Fix }, HostOutcome::Stuck);
}

#[test]
fn a_lost_connection_is_asked_about_and_never_repeated_blindly() {
    for step in [StepKind::Preflight, StepKind::Fix, StepKind::Restart, StepKind::Reboot, StepKind::Verify] {
        for when in [LostWhen::Before, LostWhen::During, LostWhen::After] {
            // A reboot takes the connection with it anyway: its answer is made when the host is back.
            if step == StepKind::Reboot && when == LostWhen::After {
                continue;
            }
            let result = one_fault(Fault::Lost { step, when }, HostOutcome::Fixed);
            let probed = result.records.iter().any(|record| matches!(record.body, RecordBody::Probing { .. }));
            assert!(probed, "{step} {when:?} was not looked at again");
        }
    }
}

#[test]
fn a_short_silence_or_a_slow_host_is_no_failure() {
    for fault in [
        Fault::Refused { step: StepKind::Fix, span: TimeSpan::seconds(40) },
        Fault::Refused { step: StepKind::Verify, span: TimeSpan::seconds(100) },
        Fault::Refused { step: StepKind::Soak, span: TimeSpan::seconds(100) },
        Fault::Slow { factor: 3 },
    ] {
        one_fault(fault, HostOutcome::Fixed);
    }
}

#[test]
fn a_host_that_needs_nothing_any_more_is_left_alone() {
    let (fleet, plan, digest) = sample(&Shape::default(), 1);
    let mut hosts = fleet.hosts;
    for web_1 in hosts.iter_mut().filter(|h| h.host.name == host("web-1")) {
        for (package, offer) in &web_1.offers {
            web_1.disk.installed.insert(package.clone(), offer.version.clone());
        }
    }
    let result = switchback::sim::SimRun {
        plan,
        digest,
        world: switchback::sim::SimWorld::new(1, hosts),
        start: start(),
        disturbances: vec![],
        when_paused: switchback::sim::WhenPaused::Leave,
    }
    .run();
    assert_well(&result, Phase::Ended);
    assert_eq!(outcome(&result, "web-1"), HostOutcome::NothingToDo);
    assert_eq!(outcome(&result, "web-2"), HostOutcome::Fixed);
}

#[test]
fn a_forbidden_reboot_is_reported() {
    // Seed and size are such that some host has a kernel pending and some has not.
    let shape = Shape { hosts: 9, reboot: Reboots::Never, ..Shape::default() };
    let result = run(&shape, 1, &[], vec![]);
    assert_well(&result, Phase::Ended);
    let count = |wanted| result.outcomes.values().filter(|(outcome, _)| *outcome == wanted).count();
    assert!(count(HostOutcome::FixedPendingReboot) > 0 && count(HostOutcome::Fixed) > 0, "{:?}", result.outcomes);
}

#[test]
fn the_failure_budget_pauses_and_nothing_further_is_touched() {
    let shape = Shape { hosts: 6, failure_budget: 2, max_unavailable: None, concurrency: 1, ..Shape::default() };
    let faults = [("web-1", Fault::FixBreaks), ("web-2", Fault::FixFails)];
    let result = run(&shape, 1, &faults, vec![]);
    assert_well(&result, Phase::Paused);
    assert!(faults.iter().all(|(name, fault)| result.world.reached(&host(name), *fault)));
    assert_eq!(result.outcomes.len(), 2, "{:?}", result.outcomes);
}

#[test]
fn a_failed_canary_pauses_before_the_next_wave() {
    let shape = Shape { hosts: 4, canary: Some(TimeSpan::minutes(10)), ..Shape::default() };
    let result = run(&shape, 1, &[("web-1", Fault::FixBreaks)], vec![]);
    assert_well(&result, Phase::Paused);
    assert!(result.world.reached(&host("web-1"), Fault::FixBreaks));
    assert_eq!(result.outcomes.len(), 1, "{:?}", result.outcomes);
}

#[test]
fn a_break_during_the_soak_of_one_host_never_takes_a_second_of_its_service() {
    let shape = Shape { hosts: 6, soak: TimeSpan::minutes(10), ..Shape::default() };
    let fault = Fault::FixBreaksLater { after: TimeSpan::minutes(8) };
    let result = run(&shape, 3, &[("web-2", fault)], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.world.reached(&host("web-2"), fault));
    assert_eq!(outcome(&result, "web-2"), HostOutcome::Restored);
}

#[test]
fn windows_hold_disruptive_steps_and_leave_the_time_to_go_back() {
    // Six web servers one behind the other do not fit into one night: who would not be back in time waits.
    let windows = Some(TimeSpan::minutes(45));
    let shape = Shape { hosts: 9, windows, max_unavailable: Some(1), ..Shape::default() };
    let result = run(&shape, 1, &[("web-1", Fault::FixBreaks)], vec![]);
    assert_well(&result, Phase::Ended);
    assert!(result.ended_at > TimeSpan::hours(26).after(start()), "it takes two nights: {}", result.ended_at);
    let fixed = result.outcomes.values().filter(|(outcome, _)| *outcome == HostOutcome::Fixed).count();
    assert!(fixed >= 7, "{:?}", result.outcomes);
    for (outcome, reason) in result.outcomes.values() {
        // Who was prepared for the first night and had no turn has a backup too old for the second.
        let code = reason.as_ref().map(|reason| reason.code.as_str());
        assert!(*outcome != HostOutcome::Untouched || code == Some("backup-too-old"), "{:?}", result.outcomes);
    }
    let waited = result.records.iter().any(|record| {
        matches!(&record.body, RecordBody::Gate { verdict: switchback::engine::GateVerdict::Waiting { .. }, .. })
    });
    assert!(waited);
}

#[test]
fn pause_finishes_what_runs_and_abort_takes_back_what_is_in_the_middle() {
    let by = || "operator".to_owned();
    let shape = Shape { hosts: 5, max_unavailable: None, concurrency: 2, ..Shape::default() };
    let undisturbed = run(&shape, 1, &[], vec![]);
    let fix = |record: &&switchback::engine::Record| matches!(&record.body, RecordBody::Intent { attempt, .. } if attempt.step.step() == "fix");
    let behind = undisturbed.records.iter().find(fix).unwrap().seq;
    let pause = Disturbance::ask(behind, Signal::Pause { by: by() });
    let result = run(&shape, 1, &[], vec![pause.clone()]);
    assert_well(&result, Phase::Paused);
    assert!(!result.outcomes.is_empty() && result.outcomes.len() < 5, "{:?}", result.outcomes);
    assert!(result.outcomes.values().all(|(outcome, _)| *outcome == HostOutcome::Fixed));

    let abort = Disturbance::ask(behind, Signal::Abort { by: by() });
    let result = run(&shape, 1, &[], vec![abort]);
    assert_well(&result, Phase::Ended);
    assert_eq!(result.outcomes.len(), 5);
    let count = |wanted| result.outcomes.values().filter(|(outcome, _)| *outcome == wanted).count();
    assert!(count(HostOutcome::Restored) >= 1, "{:?}", result.outcomes);
    assert_eq!(count(HostOutcome::Restored) + count(HostOutcome::Untouched), 5, "{:?}", result.outcomes);
}

/// The forecast is an estimate of the engine: over plans of many shapes the fleet's true end is near it.
#[test]
fn the_forecast_is_near_what_the_engine_does() {
    let mut rng = switchback::sim::Rng::new(2);
    let mut ratios = Vec::new();
    for seed in 0..60 {
        let shape = Shape { backup: true, ..Shape::draw(&mut rng) };
        let (_, plan, _) = sample(&shape, seed);
        let forecast = switchback::plan::forecast(&plan);
        let result = run(&shape, seed, &[], vec![]);
        let (Some(ends), true) = (forecast.ends, forecast.no_room.is_empty()) else { continue };
        assert_eq!(result.phase, Phase::Ended, "seed {seed}");
        let length = |end| TimeSpan::between(start(), end).as_seconds() as f64;
        let ratio = length(result.ended_at) / length(ends);
        println!("seed {seed}: {} hosts, forecast {ends}, ended {}, {ratio:.2}", shape.hosts, result.ended_at);
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let middle = ratios[ratios.len() / 2];
    assert!(ratios.len() > 40 && (0.7..1.3).contains(&middle), "{middle}");
}
