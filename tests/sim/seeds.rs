//! Random fleets, plans, faults, crashes and operators, by seed; a failure prints its seed.

use std::collections::BTreeMap;

use switchback::engine::{Phase, Signal};
use switchback::model::TimeSpan;
use switchback::sim::{Disturbance, Fault, Rng, SimResult, SimRun, WhenPaused, clone_name};

use crate::support::{Shape, sample, start};

/// More of them: `SWITCHBACK_SIM_RUNS=20000`. One of them: `SWITCHBACK_SIM_SEED=4711`.
const RUNS: u64 = 600;

/// How many kinds of faults there are.
const KINDS: usize = 24;

fn campaign(seed: u64) -> SimRun {
    let mut rng = Rng::keyed(seed, "campaign");
    let shape = Shape::draw(&mut rng);
    let (mut fleet, plan, digest) = sample(&shape, seed);
    for host in &mut fleet.hosts {
        // Somebody was faster than the plan.
        if rng.percent(5) {
            let offered = host.offers.iter().map(|(package, offer)| (package.clone(), offer.version.clone()));
            host.disk.installed = offered.collect();
        }
    }
    let mut world = fleet.world();
    for host in fleet.inventory() {
        let faults = [0, 0, 0, 1, 1, 2][usize::try_from(rng.below(6)).unwrap()];
        for _ in 0..faults {
            world.plant(&host.name, Fault::draw(&mut rng));
        }
        if plan.hosts[&host.name].steps.iter().any(|step| step.on.is_some()) {
            for _ in 0..rng.below(3) {
                match rng.below(4) {
                    0 => world.plant(&clone_name(&host.name), Fault::draw_on_clone(&mut rng)),
                    1 | 2 => world.plant(&host.name, Fault::draw_around_clone(&mut rng)),
                    _ => {}
                }
            }
        }
    }
    let mut disturbances = Vec::new();
    for _ in 0..rng.below(4) {
        let behind = rng.between(1, 200);
        let by = "operator".to_owned();
        disturbances.push(match rng.below(6) {
            0..=2 => {
                let longest = if rng.percent(20) { 90_000 } else { 600 };
                let down_for = TimeSpan::seconds(rng.between(0, longest));
                Disturbance::Kill { behind, down_for }
            }
            3 => Disturbance::TakeOver { behind },
            4 => Disturbance::Ask { behind, signal: Signal::Pause { by } },
            _ => Disturbance::Ask { behind, signal: Signal::Abort { by } },
        });
    }
    let when_paused = [WhenPaused::Resume, WhenPaused::Resume, WhenPaused::Abort, WhenPaused::Leave];
    let when_paused = *rng.pick(&when_paused).unwrap();
    SimRun { plan, digest, world, start: start(), disturbances, when_paused }
}

fn env(name: &str) -> Option<u64> {
    switchback::env::var(name)?.parse().ok()
}

#[test]
fn no_invariant_is_violated_in_random_campaigns() {
    let (first, runs) = match env("SWITCHBACK_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (1, env("SWITCHBACK_SIM_RUNS").unwrap_or(RUNS)),
    };
    let mut violated: Vec<(u64, SimResult)> = Vec::new();
    let (mut faults, mut controllers, mut records) = (0, 0, 0);
    let mut ends = BTreeMap::new();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for seed in first..first + runs {
        let result = campaign(seed).run();
        faults += result.world.faults_reached();
        controllers += result.controllers;
        records += result.records.len();
        for fault in result.world.faults() {
            let kind = format!("{fault:?}").chars().take_while(char::is_ascii_alphanumeric).collect();
            *kinds.entry(kind).or_default() += 1;
        }
        for (outcome, _) in result.outcomes.values() {
            *ends.entry(outcome.as_str()).or_insert(0) += 1;
        }
        if !result.violations.is_empty() {
            violated.push((seed, result));
        }
    }
    println!("{kinds:?}");
    println!("{runs} campaigns, {faults} faults reached, {controllers} controllers, {records} records, ends {ends:?}");
    if runs == 1
        && let Some((_, result)) = violated.first()
    {
        crate::assert_well(result, Phase::Ended);
    }
    for (seed, result) in violated.iter().take(10) {
        println!("seed {seed}: {}", result.violations[0]);
    }
    let seeds: Vec<u64> = violated.iter().map(|(seed, _)| *seed).collect();
    assert!(violated.is_empty(), "{} of {runs} campaigns violated an invariant: seeds {seeds:?}", violated.len());
    assert!(runs == 1 || (faults > 300 && kinds.len() == KINDS), "every kind of fault comes to pass: {kinds:?}");
    assert!(runs == 1 || ends.len() == 7, "every end is reached: {ends:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..40 {
        let (one, other) = (campaign(seed).run(), campaign(seed).run());
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.records, other.records, "seed {seed}");
    }
    assert_ne!(campaign(1).run().trace, campaign(2).run().trace);
}
