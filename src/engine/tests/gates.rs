//! Windows, budgets, waves, pause, abort and clocks.

use jiff::SignedDuration;

use crate::engine::{Effected, Gate, GateVerdict, Input, Phase, RecordBody, Signal};
use crate::model::HostOutcome;

use super::fixture::{HostSpec, PlanSpec, at};
use super::world::{Deed, Stop, World, failed, succeeded};

fn broken() -> Deed {
    Deed::of(failed(Effected::Possibly))
}

fn pause() -> Signal {
    Signal::Pause { by: "ann".to_owned() }
}

fn resume() -> Signal {
    Signal::Resume { by: "ann".to_owned() }
}

fn abort() -> Signal {
    Signal::Abort { by: "ann".to_owned() }
}

fn began(world: &World, step: &str) -> Option<i64> {
    let found = world
        .records
        .iter()
        .find(|record| matches!(&record.body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step))?;
    Some(found.at.as_second() - super::fixture::START)
}

fn paused_by(world: &World) -> Vec<&str> {
    world
        .bodies()
        .filter_map(|b| if let RecordBody::Paused { by, .. } = b { Some(by.as_str()) } else { None })
        .collect()
}

fn windowed(set: Vec<(i64, i64)>) -> PlanSpec {
    PlanSpec {
        hosts: vec![HostSpec { windows: Some(0), ..HostSpec::default() }],
        windows: vec![set],
        ..PlanSpec::default()
    }
}

#[test]
fn preparation_comes_shortly_before_the_window_and_the_fix_inside() {
    // Two steps of 30 s and ten minutes before the window.
    let world = World::with_deeds(windowed(vec![(10_000, 12_000)]).build(), &[]).start_and_run();
    assert_eq!(began(&world, "h00000/preflight"), Some(10_000 - 660));
    assert_eq!(began(&world, "h00000/drain"), Some(10_000));
    assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Fixed);
    let gates: Vec<_> = world
        .bodies()
        .filter_map(|body| match body {
            RecordBody::Gate { verdict, step, .. } => Some((step.step(), verdict)),
            _ => None,
        })
        .collect();
    assert_eq!(gates.len(), 4, "asked twice, each answered twice: {gates:?}");
    assert!(matches!(gates[0], ("preflight", GateVerdict::Waiting { gate: Gate::Window, .. })));
    assert!(matches!(gates[1], ("preflight", GateVerdict::Open)));
    assert!(matches!(gates[2], ("drain", GateVerdict::Waiting { gate: Gate::Window, until: Some(_), .. })));
    assert!(matches!(gates[3], ("drain", GateVerdict::Open)));
}

#[test]
fn a_window_without_room_for_the_way_back_is_passed_by() {
    // Seven steps and four to go back, 30 s each: 330 s; 329 s are too few.
    let world = World::with_deeds(windowed(vec![(10_000, 10_329), (20_000, 20_330)]).build(), &[]).start_and_run();
    assert_eq!(began(&world, "h00000/drain"), Some(20_000));
    let world = World::with_deeds(windowed(vec![(10_000, 10_329)]).build(), &[]).start_and_run();
    assert_eq!(world.outcome("h00000"), Some((HostOutcome::Untouched, "window-over".to_owned())));
    assert_eq!(world.phase(), Phase::Ended);
}

#[test]
fn a_started_chain_is_taken_back_past_the_end_and_that_is_recorded() {
    let slow = Deed { takes: 500, ..broken() };
    let world = World::with_deeds(windowed(vec![(10_000, 10_400)]).build(), &[("h00000/fix", slow)]).start_and_run();
    assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Restored);
    let overruns: Vec<_> = world.bodies().filter(|b| matches!(b, RecordBody::Overrun { .. })).collect();
    assert_eq!(overruns, [&RecordBody::Overrun { host: super::fixture::host_name("h00000"), window_end: at(10_400) }]);
}

#[test]
fn a_host_whose_backup_grew_old_is_left_untouched() {
    let late = Deed { takes: 3000, ..Deed::of(succeeded()) };
    let plan = windowed(vec![(10_000, 11_000), (90_000, 95_000)]).build();
    let world = World::with_deeds(plan, &[("h00000/preflight", late.clone())]).start_and_run();
    assert_eq!(world.outcome("h00000"), Some((HostOutcome::Untouched, "backup-too-old".to_owned())));
    let plan = windowed(vec![(10_000, 11_000), (40_000, 45_000)]).build();
    let world = World::with_deeds(plan, &[("h00000/preflight", late)]).start_and_run();
    assert_eq!(began(&world, "h00000/drain"), Some(40_000));
}

#[test]
fn a_group_never_loses_more_than_its_budget_and_a_stuck_host_keeps_its_permit() {
    let hosts = vec![HostSpec { group: Some(0), ..HostSpec::default() }; 4];
    let spec = PlanSpec { hosts, groups: vec![2], ..PlanSpec::default() };
    let parked = [("h00000/fix", broken()), ("h00000/restore", broken())];
    let world = World::with_deeds(spec.build(), &parked).start_and_run();
    let outcomes = world.outcomes();
    assert_eq!(outcomes["h00000"], HostOutcome::Stuck);
    assert!(outcomes.iter().skip(1).all(|(_, outcome)| *outcome == HostOutcome::Fixed));
    let ended = |host: &str| {
        let found = world
            .records
            .iter()
            .find(|r| matches!(&r.body, RecordBody::HostEnded { host: h, .. } if h.as_str() == host));
        found.unwrap().seq
    };
    let drains: Vec<u64> = (1..4)
        .map(|i| {
            let step = format!("h{i:05}/drain");
            world
                .records
                .iter()
                .find(|r| matches!(&r.body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step))
                .unwrap()
                .seq
        })
        .collect();
    assert!(ended("h00001") < drains[1] && ended("h00002") < drains[2], "one permit is left for three");
}

#[test]
fn a_group_whose_permits_are_lost_for_good_closes() {
    let hosts = vec![HostSpec { group: Some(0), ..HostSpec::default() }; 3];
    let spec = PlanSpec { hosts: hosts.clone(), groups: vec![1], ..PlanSpec::default() };
    let parked = [("h00000/fix", broken()), ("h00000/restore", broken())];
    let world = World::with_deeds(spec.build(), &parked).start_and_run();
    assert_eq!(world.outcome("h00001"), Some((HostOutcome::Untouched, "disruption-budget-used-up".to_owned())));
    assert_eq!(world.phase(), Phase::Ended);
    let world =
        World::with_deeds(PlanSpec { hosts, groups: vec![0], ..PlanSpec::default() }.build(), &[]).start_and_run();
    assert!(world.outcomes().values().all(|outcome| *outcome == HostOutcome::Untouched));
}

#[test]
fn a_used_up_failure_budget_pauses_and_each_resume_grants_one_more() {
    let spec = PlanSpec { failure_budget: 2, ..PlanSpec::hosts(6) };
    let deeds: Vec<(String, Deed)> = [0, 2, 3].map(|i| (format!("h{i:05}/fix"), broken())).to_vec();
    let deeds: Vec<(&str, Deed)> = deeds.iter().map(|(id, deed)| (id.as_str(), deed.clone())).collect();
    let mut world = World::with_deeds(spec.build(), &deeds).start_and_run();
    assert_eq!((world.phase(), paused_by(&world)), (Phase::Paused, vec!["failure_budget"]));
    assert_eq!(world.outcomes().len(), 3, "two failed, one was fixed, no other was touched: {:?}", world.outcomes());
    world.signal(resume());
    world.run(None);
    assert_eq!((world.phase(), world.outcomes().len()), (Phase::Paused, 5), "the next failure pauses again");
    world.signal(resume());
    world.run(None);
    assert_eq!((world.phase(), world.outcomes().len()), (Phase::Ended, 6));
}

#[test]
fn what_is_in_the_middle_never_overspends_the_failure_budget() {
    for budget in 1..5 {
        let deeds: Vec<(String, Deed)> = (0..10).map(|i| (format!("h{i:05}/fix"), broken())).collect();
        let deeds: Vec<(&str, Deed)> = deeds.iter().map(|(id, deed)| (id.as_str(), deed.clone())).collect();
        let world = World::with_deeds(PlanSpec { failure_budget: budget, ..PlanSpec::hosts(10) }.build(), &deeds);
        let world = world.start_and_run();
        let restored = world.outcomes().values().filter(|o| **o == HostOutcome::Restored).count();
        assert_eq!(u32::try_from(restored), Ok(budget + 1));
        assert_eq!(world.phase(), Phase::Paused);
    }
}

#[test]
fn waves_wait_for_the_one_before_and_its_soak() {
    let spec = PlanSpec { waves: vec![1, 2], canary: true, soak: 1800, ..PlanSpec::hosts(5) };
    let world = World::with_deeds(spec.build(), &[]).start_and_run();
    assert_eq!(began(&world, "h00000/preflight"), Some(0));
    assert_eq!(began(&world, "h00001/preflight"), Some(90 + 1800));
    assert_eq!(began(&world, "h00003/preflight"), Some(2 * (90 + 1800)));
    assert_eq!(world.phase(), Phase::Ended);
    let soaks = world.bodies().filter(|b| matches!(b, RecordBody::WaveSoaking { .. })).count();
    assert_eq!(soaks, 2, "nothing comes after the last wave, so it is not watched");
}

#[test]
fn a_canary_that_does_not_succeed_pauses() {
    let spec = PlanSpec { waves: vec![1], canary: true, soak: 60, ..PlanSpec::hosts(3) };
    for step in ["preflight", "fix"] {
        let mut world = World::with_deeds(spec.build(), &[(&format!("h00000/{step}"), broken())]).start_and_run();
        assert_eq!((world.phase(), paused_by(&world)), (Phase::Paused, vec!["canary"]));
        assert_eq!(world.outcomes().len(), 1);
        world.signal(resume());
        world.run(None);
        assert_eq!((world.phase(), world.outcomes().len()), (Phase::Ended, 3));
    }
}

#[test]
fn concurrency_limits_the_hosts_that_are_worked_on() {
    let world = World::with_deeds(PlanSpec { concurrency: 2, ..PlanSpec::hosts(5) }.build(), &[]).start_and_run();
    assert_eq!(began(&world, "h00001/preflight"), Some(0));
    assert_eq!(began(&world, "h00002/preflight"), Some(90));
    assert_eq!(began(&world, "h00004/preflight"), Some(180));
}

#[test]
fn the_next_of_a_pool_starts_when_one_of_it_has_ended_and_nobody_else_waits_for_it() {
    let of = |pool: u8| HostSpec { pools: vec![pool], ..HostSpec::default() };
    let hosts = vec![of(0), of(0), of(0), of(1), of(1), HostSpec::default()];
    let spec = PlanSpec { hosts, pools: vec![1, 2], concurrency: 4, ..PlanSpec::default() };
    let world = World::with_deeds(spec.build(), &[("h00000/preflight", Deed { takes: 40, ..Deed::of(succeeded()) })]);
    let world = world.start_and_run();
    let starts: Vec<_> = (0..6).map(|i| began(&world, &format!("h{i:05}/preflight"))).collect();
    assert_eq!(starts, [Some(0), Some(120), Some(210), Some(0), Some(0), Some(0)]);
    assert_eq!(world.phase(), Phase::Ended);
}

#[test]
fn pause_finishes_what_is_in_the_middle_and_starts_nothing_new() {
    let mut world = World::with_deeds(
        PlanSpec { concurrency: 2, ..PlanSpec::hosts(4) }.build(),
        &[("h00001/preflight", Deed { takes: 30, ..Deed::of(succeeded()) })],
    );
    world.start();
    assert_eq!(world.run(Some(at(25))), Stop::Time, "h0 drains, h1 is looked at");
    world.signal(pause());
    world.signal(pause());
    assert_eq!(world.run(None), Stop::Quiet);
    assert_eq!(world.phase(), Phase::Paused);
    assert_eq!(world.outcomes().len(), 1, "the drained host was finished");
    assert_eq!(world.walk("h00001"), ["preflight"], "no backup is begun");
    assert_eq!(world.walk("h00002").len(), 0);
    assert_eq!(paused_by(&world).len(), 1, "asked twice, paused once");
    let status = world.campaign.status(at(1000));
    assert_eq!((status.ended.len(), status.waiting.len(), status.active.len()), (1, 3, 0));
    world.signal(resume());
    world.run(None);
    assert_eq!((world.phase(), world.outcomes().len()), (Phase::Ended, 4));
}

#[test]
fn abort_takes_back_what_is_in_the_middle() {
    for paused in [false, true] {
        let mut world = World::with_deeds(
            PlanSpec { concurrency: 2, ..PlanSpec::hosts(4) }.build(),
            &[("h00001/backup", Deed { takes: 500, ..Deed::of(succeeded()) })],
        );
        world.start();
        world.run(Some(at(45)));
        if paused {
            world.signal(pause());
        }
        world.signal(abort());
        world.signal(abort());
        world.signal(resume());
        world.run(None);
        assert_eq!(world.cancels, 1);
        let walk = ["preflight", "backup", "drain", "fix", "restart", "restore", "verify_restored", "undo-drain"];
        assert_eq!(world.walk("h00000"), walk, "the step that ran is awaited");
        assert_eq!(world.outcome("h00000"), Some((HostOutcome::Restored, "aborted".to_owned())));
        for host in ["h00001", "h00002", "h00003"] {
            assert_eq!(world.outcome(host), Some((HostOutcome::Untouched, "aborted".to_owned())));
        }
        assert_eq!(world.phase(), Phase::Ended);
    }
}

#[test]
fn a_host_that_is_only_watched_when_the_campaign_is_aborted_is_fixed() {
    let mut world = World::with_deeds(PlanSpec::hosts(1).build(), &[]);
    world.start();
    world.run(Some(at(85)));
    world.signal(abort());
    world.run(None);
    assert_eq!(world.outcome("h00000").unwrap().0, HostOutcome::Fixed);
}

#[test]
fn a_clock_set_back_is_recorded_and_neither_deadlines_nor_soaks_wait_for_it() {
    let spec = PlanSpec { waves: vec![1], soak: 600, ..PlanSpec::hosts(2) };
    let mut world = World::with_deeds(spec.build(), &[]);
    world.start();
    world.run(Some(at(100)));
    world.offset = SignedDuration::from_hours(-5);
    world.give(Input::Tick);
    world.run(None);
    assert_eq!(world.phase(), Phase::Ended);
    assert_eq!(world.bodies().filter(|b| matches!(b, RecordBody::ClockJump { .. })).count(), 1);
    // 10 s lie between the jump and the record before it: they are not counted, which only makes waits longer.
    assert_eq!(world.now, at(90 + 600 + 10 + 90));
    assert_eq!(began(&world, "h00001/preflight"), Some(700 - 5 * 3600));
}

#[test]
fn windows_mean_the_time_on_the_wall() {
    let mut world = World::with_deeds(windowed(vec![(10_000, 12_000)]).build(), &[]);
    world.start();
    world.run(Some(at(9_000)));
    world.offset = SignedDuration::from_secs(-8_990);
    world.give(Input::Tick);
    world.run(None);
    let jumped = began(&world, "h00000/drain").unwrap();
    assert!((10_000..12_000).contains(&jumped), "{jumped}");
}

#[test]
fn taking_over_counts_the_fence_and_looks_at_what_runs() {
    use crate::engine::{Effect, Mode};
    let mut world = World::with_deeds(PlanSpec::hosts(3).build(), &[]);
    world.start();
    world.run(Some(at(35)));
    let effects =
        world.campaign.clone().handle(at(40), Input::Recover { operator: "bob".to_owned(), approvals: None }).unwrap();
    assert_eq!(effects[0], Effect::Append(RecordBody::ControllerStarted { fence: 2, operator: "bob".to_owned() }));
    assert_eq!(effects.len(), 4);
    assert!(effects[1..].iter().all(
        |e| matches!(e, Effect::Begin { mode: Mode::Attach, not_before: None, attempt } if attempt.step.step() == "fix")
    ));
}
