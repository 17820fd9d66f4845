//! Whole campaigns on the simulated fleet: every row of failure, crashes at every record, faults by seed.
#![expect(clippy::unwrap_used, reason = "tests may panic")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "runs and seeds are shown")]

#[path = "../support/mod.rs"]
mod support;

mod bisect;
mod clones;
mod crashes;
mod drills;
#[path = "../support/junit.rs"]
mod junit;
#[path = "../support/page.rs"]
mod page;
mod rehearse;
mod reports;
mod scenarios;
mod seeds;
mod watch;

use switchback::engine::Phase;
use switchback::model::{HostName, HostOutcome};
use switchback::sim::{Disturbance, Fault, SimResult, SimRun, SimWorld, WhenPaused};

use support::{Shape, sample, start};

/// A run of a plan of this shape, with faults planted and the controller disturbed.
fn run(shape: &Shape, seed: u64, faults: &[(&str, Fault)], disturbances: Vec<Disturbance>) -> SimResult {
    let (fleet, plan, digest) = sample(shape, seed);
    let mut world = fleet.world();
    plant(&mut world, faults);
    let run = SimRun { plan, digest, world, start: start(), disturbances, when_paused: WhenPaused::Leave };
    run.run()
}

fn plant(world: &mut SimWorld, faults: &[(&str, Fault)]) {
    for (host, fault) in faults {
        world.plant(&HostName::new(host).unwrap(), *fault);
    }
}

fn outcome(result: &SimResult, host: &str) -> HostOutcome {
    result.outcomes[&HostName::new(host).unwrap()].0
}

/// Nothing was violated, and the campaign came to its end; the journal is shown otherwise.
#[track_caller]
fn assert_well(result: &SimResult, phase: Phase) {
    if result.violations.is_empty() && result.phase == phase {
        return;
    }
    for record in &result.records {
        eprintln!("{:>4} {} {}", record.seq, record.at, serde_json::to_string(&record.body).unwrap());
    }
    for violation in &result.violations {
        eprintln!("VIOLATED {violation}");
    }
    panic!("phase {:?}, {} violations", result.phase, result.violations.len());
}
