//! Random fleets, plans, faults, crashes and operators, by seed; a failure prints its seed and a small scenario.

use std::collections::BTreeMap;

use switchback::sim::{Coverage, FAULTS, Scenario, SimResult, TROUBLES, shrink, violates};

/// `cargo xtask sim` runs as many as wanted. One of them: `SWITCHBACK_SIM_SEED=4711`.
const RUNS: u64 = 600;

fn env(name: &str) -> Option<u64> {
    switchback::env::var(name)?.parse().ok()
}

#[test]
fn no_invariant_is_violated_in_random_campaigns() {
    let (first, runs) = match env("SWITCHBACK_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (1, RUNS),
    };
    let mut violated: Vec<(u64, SimResult)> = Vec::new();
    let mut coverage = Coverage::default();
    let (mut faults, mut controllers, mut records, mut stops) = (0, 0, 0, 0);
    let mut ends = BTreeMap::new();
    for seed in first..first + runs {
        let result = Scenario::draw(seed).run();
        faults += result.world.faults_reached();
        controllers += result.controllers;
        records += result.records.len();
        stops += result.stops.len();
        coverage.add(&result.coverage);
        for (outcome, _) in result.outcomes.values() {
            *ends.entry(outcome.as_str()).or_insert(0) += 1;
        }
        if !result.violations.is_empty() {
            violated.push((seed, result));
        }
    }
    println!(
        "{runs} campaigns, {faults} faults reached, {controllers} controllers, {stops} stopped by their journal, \
         {records} records, ends {ends:?}"
    );
    if let (1, Some((_, result))) = (runs, violated.first()) {
        crate::assert_well(result, result.phase);
    }
    for (seed, result) in violated.iter().take(10) {
        println!("seed {seed}: {}", result.violations[0]);
    }
    if let Some((seed, result)) = violated.first() {
        let invariant = result.violations[0].invariant;
        let small = shrink(&Scenario::draw(*seed), |scenario| violates(scenario, invariant));
        println!("seed {seed}, made small in {} runs: {}", small.runs, small.scenario);
    }
    let seeds: Vec<u64> = violated.iter().map(|(seed, _)| *seed).collect();
    assert!(violated.is_empty(), "{} of {runs} campaigns violated an invariant: seeds {seeds:?}", violated.len());
    assert_eq!(coverage.surprises(), [], "what is said to be impossible came to pass");
    for trouble in FAULTS.iter().chain(&TROUBLES).filter(|_| runs > 1) {
        assert!(coverage.of(trouble) > 0, "{trouble} never came to pass");
    }
    assert!(runs == 1 || ends.len() == 7, "every end is reached: {ends:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..40 {
        let scenario = Scenario::draw(seed);
        let (one, other) = (scenario.run(), scenario.run());
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!(one.records, other.records, "seed {seed}");
    }
    assert_ne!(Scenario::draw(1).run().trace, Scenario::draw(2).run().trace);
}

#[test]
fn a_scenario_is_written_and_read() {
    for seed in 1..200 {
        let scenario = Scenario::draw(seed);
        assert_eq!(scenario.to_string().parse::<Scenario>().unwrap(), scenario);
    }
}
