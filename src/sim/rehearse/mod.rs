//! Rehearsals: a plan run many times against a world that fails as often as a profile says, by the engine that runs it.

mod profile;
mod tally;
mod trial;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::Timestamp;

use crate::model::{Digest, TimeSpan};
use crate::plan::Plan;

pub use profile::{Profile, profile_schema};
pub use tally::{Amounts, Chances, Quantiles, Rehearsal, Service, Stretch};

use tally::Tally;
use trial::Stage;

/// What is rehearsed, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Rehearse {
    /// How many runs.
    pub runs: u32,
    /// The seed of the first; each has its own.
    pub seed: u64,
    /// When they start.
    pub start: Timestamp,
    /// How many runs at once; the result is the same for any number.
    pub threads: usize,
}

/// Runs a plan many times; the same arguments give the same result.
pub fn rehearse(plan: &Arc<Plan>, digest: Digest, profile: &Profile, how: Rehearse) -> Rehearsal {
    let stage = Stage::new(plan, digest, profile, how.start);
    let tally = || Tally::new(plan.hosts.len(), plan.rollout.groups.len(), length(plan));
    let next = AtomicU64::new(0);
    let play = || {
        let mut tally = tally();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= u64::from(how.runs) {
                return tally;
            }
            tally.count(number, &stage.run(how.seed.wrapping_add(number)), stage.casts());
        }
    };
    let mut all = tally();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..how.threads.max(1)).map(|_| scope.spawn(play)).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => all.add(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all.conclude(plan, digest, how.start, how.seed)
}

/// How long a run takes, more or less: half as long again as when all goes as usual.
fn length(plan: &Plan) -> TimeSpan {
    let ends = plan.report.forecast.as_ref().and_then(|forecast| forecast.ends);
    let usual = ends.map_or(TimeSpan::hours(4), |ends| TimeSpan::between(plan.as_of, ends));
    TimeSpan::seconds(usual.as_seconds().saturating_mul(3) / 2)
}
