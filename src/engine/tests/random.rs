//! Random plans in random worlds: the invariants hold, everything comes to an end, and a killed controller makes no
//! difference.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::engine::{CampaignState, Effected, Input, Phase, Signal, StepResult};
use crate::plan::StepKind;

use super::fixture::{HostSpec, PlanSpec, Way, at};
use super::judge::{Shown, judge};
use super::world::{Deed, Fate, Stop, World, failed, succeeded};

/// Shares in percent of what steps do.
#[derive(Clone, Copy, Debug)]
struct Luck {
    seed: u64,
    fails: u64,
    unknown: u64,
    lost: u64,
    nothing: u64,
    undo_fails: u64,
}

fn mix(seed: u64, text: &str) -> u64 {
    // FNV-1a, then the finaliser of SplitMix64.
    let mut x =
        text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    for shift in [30, 27, 31] {
        x = (x ^ (x >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    x
}

impl Luck {
    fn fate(self) -> Fate {
        Arc::new(move |id, kind| {
            let roll = |what: &str| mix(self.seed, &format!("{id}{what}"));
            let back = [StepKind::Restore, StepKind::VerifyRestored, StepKind::SwitchBack, StepKind::VerifyOriginal];
            let undo = back.contains(&kind) || id.step().starts_with("undo-");
            let share = if undo { self.undo_fails } else { self.fails };
            let result = if roll("fails") % 100 < share {
                failed(if roll("effect") % 3 == 0 { Effected::No } else { Effected::Possibly })
            } else if kind == StepKind::Preflight && roll("nothing") % 100 < self.nothing {
                StepResult::NothingToDo { note: String::new() }
            } else {
                succeeded()
            };
            let unknown = match roll("unknown") % 100 {
                share if share < self.lost => u32::MAX,
                share if share < self.lost + self.unknown => 1 + u32::try_from(roll("times") % 4).unwrap(),
                _ => 0,
            };
            // One in eight takes much longer than expected, so that windows are overrun.
            let takes = roll("takes") % 60 * if roll("slow") % 8 == 0 { 15 } else { 1 };
            Deed { takes: i64::try_from(takes).unwrap(), result, unknown }
        })
    }
}

fn luck() -> impl Strategy<Value = Luck> {
    (any::<u64>(), 0..12_u64, 0..20_u64, 0..4_u64, 0..10_u64, 0..15_u64).prop_map(
        |(seed, fails, unknown, lost, nothing, undo_fails)| Luck { seed, fails, unknown, lost, nothing, undo_fails },
    )
}

fn host() -> impl Strategy<Value = HostSpec> {
    (
        (prop::option::of(0..3_u8), prop::collection::vec(0..3_u8, 0..3)),
        prop::option::of(0..2_u8),
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
        any::<(bool, bool, bool)>(),
        prop::sample::select(vec![Way::InPlace, Way::InPlace, Way::Tried, Way::Switched]),
        prop::option::weighted(0.4, 0..3_usize),
        5..60_u64,
    )
        .prop_map(|((group, pools), windows, backup, drain, (restart, reboot, soak), way, pilot, expected)| {
            HostSpec { group, pools, windows, backup, drain, restart, reboot, soak, way, pilot, expected }
        })
}

fn plan(hosts: std::ops::Range<usize>) -> impl Strategy<Value = PlanSpec> {
    let windows = prop::collection::vec((0..20_000_i64, 60..4_000_i64), 0..4)
        .prop_map(|set| set.into_iter().map(|(start, length)| (start, start + length)).collect());
    (
        prop::collection::vec(host(), hosts),
        prop::collection::vec(1..4_usize, 0..3),
        any::<bool>(),
        0..2_000_u64,
        (prop::collection::vec(1..4_u32, 3), prop::collection::vec(1..4_u32, 3)),
        prop::collection::vec(windows, 2),
        (1..5_u32, 1..8_u32, 0..60_u64),
    )
        .prop_map(
            |(hosts, waves, canary, soak, (groups, pools), windows, (failure_budget, concurrency, margin))| PlanSpec {
                hosts,
                waves,
                canary,
                soak,
                groups,
                pools,
                windows,
                failure_budget,
                concurrency,
                margin,
            },
        )
}

/// What happens from outside.
#[derive(Clone, Copy, Debug)]
enum Whim {
    Pause,
    Resume,
    Abort,
    Tick,
    Repeat,
    ClockBack(i64),
    Kill,
}

fn whims() -> impl Strategy<Value = Vec<(i64, Whim)>> {
    let whim = prop_oneof![
        3 => Just(Whim::Pause),
        4 => Just(Whim::Resume),
        1 => Just(Whim::Abort),
        2 => Just(Whim::Tick),
        4 => Just(Whim::Repeat),
        2 => (1..5_000_i64).prop_map(Whim::ClockBack),
        4 => Just(Whim::Kill),
    ];
    prop::collection::vec((0..6_000_i64, whim), 0..10)
}

/// Runs to the end, or to a pause that nobody lifts; resumes at most `resumes` times.
fn live(world: &mut World, whims: &[(i64, Whim)], mut resumes: u32) {
    let ann = || "ann".to_owned();
    world.start();
    let mut whims = whims.to_vec();
    whims.sort_by_key(|(time, _)| *time);
    for (time, whim) in whims {
        world.run(Some(at(time)));
        world.now = world.now.max(at(time));
        match whim {
            Whim::Pause => world.signal(Signal::Pause { by: ann() }),
            Whim::Resume => world.signal(Signal::Resume { by: ann() }),
            Whim::Abort => world.signal(Signal::Abort { by: ann() }),
            Whim::Tick => world.give(Input::Tick),
            Whim::Repeat => {
                world.repeat_last_result();
                true
            }
            Whim::ClockBack(seconds) => {
                world.offset -= SignedDuration::from_secs(seconds);
                world.give(Input::Tick)
            }
            Whim::Kill => world.recover(),
        };
    }
    loop {
        assert_eq!(world.run(None), Stop::Quiet);
        match world.phase() {
            Phase::Ended => break,
            Phase::Paused if resumes > 0 => {
                resumes -= 1;
                world.signal(Signal::Resume { by: ann() });
            }
            Phase::Paused => return,
            phase => panic!("stalled in {phase:?}: {:?}", world.campaign.status(world.now)),
        }
    }
    assert!(world.finished && world.outcomes().len() == world.plan.hosts.len());
}

fn add(total: &mut Shown, shown: &Shown) {
    total.intents += shown.intents;
    total.undos += shown.undos;
    total.probes += shown.probes;
    total.overruns += shown.overruns;
    total.pauses += shown.pauses;
    total.aborts += shown.aborts;
    total.jumps += shown.jumps;
    for (outcome, count) in &shown.outcomes {
        *total.outcomes.entry(*outcome).or_default() += count;
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was tried")]
fn random_campaigns_keep_the_invariants() {
    let total = std::cell::RefCell::new((Shown::default(), 0_u64, BTreeMap::<String, u64>::new()));
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(plan(0..9), luck(), whims(), 0..6_u32), |(spec, luck, whims, resumes)| {
        let mut world = World::new(spec.build(), luck.fate());
        live(&mut world, &whims, resumes);
        let shown = judge(&world.plan, &world.records);
        let state = serde_json::to_vec(world.campaign.state()).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<CampaignState>(&state).unwrap(), world.campaign.state());
        let mut total = total.borrow_mut();
        add(&mut total.0, &shown);
        total.1 += u64::try_from(world.records.len()).unwrap();
        *total.2.entry(format!("{:?}", world.phase())).or_default() += 1;
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let (shown, records, phases) = total.into_inner();
    eprintln!("600 campaigns, {records} records, {phases:?}: {shown:?}");
    for (what, count) in [
        ("undo", shown.undos),
        ("probe", shown.probes),
        ("overrun", shown.overruns),
        ("pause", shown.pauses),
        ("abort", shown.aborts),
        ("clock jump", shown.jumps),
        ("kind of outcome", u64::try_from(shown.outcomes.len()).unwrap() / 6),
    ] {
        assert!(count > 0, "no {what} was tried");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was tried")]
fn a_controller_killed_at_any_record_makes_no_difference() {
    let total = std::cell::RefCell::new((0_u64, 0_u64));
    let mut runner = TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
    // What depends on which host comes first (budgets of failures, windows that close, permits lost for good) may
    // differ between two orders that are both right; it is left out here and judged above.
    let spec = plan(1..5).prop_map(|mut spec| {
        spec.failure_budget = 1_000;
        spec.groups = vec![6; 3];
        spec.windows = vec![vec![(0, 30_000_000)], vec![(900, 30_000_000)]];
        spec
    });
    let ran = runner.run(&(spec, luck()), |(spec, luck)| {
        let plan = spec.build();
        let mut whole = World::new(plan.clone(), luck.fate());
        live(&mut whole, &[], 100);
        let expected = whole.outcomes();
        for kill_at in 1..=whole.records.len() {
            let mut world = World::new(plan.clone(), luck.fate());
            world.kill_at = Some(kill_at);
            let mut alive = world.start();
            while alive {
                match world.run(None) {
                    Stop::Killed => alive = false,
                    _ if world.phase() == Phase::Paused => {
                        alive = world.signal(Signal::Resume { by: "ann".to_owned() });
                    }
                    stop => panic!("{stop:?} before record {kill_at}"),
                }
            }
            prop_assert_eq!(world.records.len(), kill_at);
            world.now = world.now.checked_add(SignedDuration::from_secs(3)).unwrap();
            world.recover();
            loop {
                prop_assert_eq!(world.run(None), Stop::Quiet);
                if world.phase() != Phase::Paused {
                    break;
                }
                world.signal(Signal::Resume { by: "ann".to_owned() });
            }
            prop_assert_eq!(world.outcomes(), expected.clone(), "killed at record {}", kill_at);
            prop_assert!(world.starts.values().all(|starts| *starts == 1));
            prop_assert!(world.finished);
            judge(&world.plan, &world.records);
            total.borrow_mut().0 += 1;
        }
        total.borrow_mut().1 += 1;
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let (kills, campaigns) = total.into_inner();
    eprintln!("{campaigns} campaigns killed at each of their {kills} records");
    assert!(kills > 500);
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was tried")]
fn random_campaigns_killed_at_any_record_keep_the_invariants() {
    let total = std::cell::RefCell::new(0_u64);
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(plan(1..8), luck(), 1..80_usize), |(spec, luck, kill_at)| {
        let mut world = World::new(spec.build(), luck.fate());
        world.kill_at = Some(kill_at);
        if !world.start() || world.run(None) == Stop::Killed {
            world.recover();
            *total.borrow_mut() += 1;
            while world.run(None) == Stop::Quiet && world.phase() == Phase::Paused {
                world.signal(Signal::Resume { by: "ann".to_owned() });
            }
            prop_assert_eq!(world.phase(), Phase::Ended);
        }
        judge(&world.plan, &world.records);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{} of 400 campaigns were killed before they came to rest", total.into_inner());
}

#[test]
fn hostile_records_are_errors_and_never_panics() {
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(plan(1..5), luck(), any::<u64>()), |(spec, luck, seed)| {
        let mut world = World::new(spec.build(), luck.fate());
        live(&mut world, &[], 3);
        let (id, digest) = (world.campaign.id().clone(), world.campaign.plan_digest());
        for round in 0..20 {
            // A record left out, doubled or moved.
            let mut records = world.records.clone();
            let pick = |what: &str| {
                usize::try_from(mix(seed, &format!("{what}{round}")) % 1000).unwrap() % world.records.len()
            };
            let (from, to) = (pick("from"), pick("to"));
            let moved = records.remove(from);
            match round % 3 {
                0 => {}
                1 => records.splice(from..from, [moved.clone(), moved]).for_each(drop),
                _ => records.insert(to.min(records.len()), moved),
            }
            drop(crate::engine::Campaign::fold(world.plan.clone(), digest, id.clone(), &records));
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

/// A judge that never says no proves nothing: each journal is right by its own plan and wrong by a stricter one.
#[test]
fn the_judge_says_no() {
    use crate::plan::Plan;
    let host = HostSpec { group: Some(0), pools: vec![0], windows: Some(0), ..HostSpec::default() };
    let spec = PlanSpec {
        hosts: vec![host; 6],
        groups: vec![2],
        pools: vec![4],
        windows: vec![vec![(1_000, 3_000)]],
        failure_budget: 4,
        concurrency: 4,
        ..PlanSpec::default()
    };
    let broken = Deed::of(failed(Effected::Possibly));
    let deeds = [("h00001/fix", broken.clone()), ("h00002/verify", broken)];
    let world = World::with_deeds(spec.build(), &deeds).start_and_run();
    judge(&world.plan, &world.records);
    type Change = fn(&mut Plan);
    let stricter: [(&str, Change); 9] = [
        ("disruption budget", |p| p.rollout.groups.values_mut().for_each(|g| g.max_unavailable = 1)),
        ("concurrency", |p| p.rollout.concurrency = 3),
        ("pool", |p| p.rollout.pools.values_mut().for_each(|pool| pool.hosts = 3)),
        ("window", |p| p.windows.values_mut().flatten().for_each(|w| w.interval.end = at(1_100))),
        ("reserve", |p| p.rollout.margin = crate::model::TimeSpan::hours(1)),
        ("failure budget", |p| p.rollout.failure_budget = 1),
        ("order", |p| {
            p.hosts_mut().for_each(|h| {
                let last = h.steps[8].id.clone();
                h.steps[3].needs.push(last);
            });
        }),
        ("undo order", |p| p.hosts_mut().for_each(|h| h.steps[3].undo.reverse())),
        ("backup", |p| p.hosts_mut().for_each(|h| h.steps[1].id = h.steps[8].id.clone())),
    ];
    for (what, change) in stricter {
        let mut plan = Plan::clone(&world.plan);
        change(&mut plan);
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&plan, &world.records)));
        assert!(judged.is_err(), "{what} was not seen");
    }
    // And records that are out of turn: the last outcome, the end of a host and the end of the campaign left out.
    for kind in ["outcome", "host_ended", "undo_started", "wave_started"] {
        let mut records = world.records.clone();
        let found = records.iter().rposition(|record| record.body.kind() == kind).unwrap();
        records.remove(found);
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&world.plan, &records)));
        assert!(judged.is_err(), "a missing {kind} was not seen");
    }
}
