//! Rehearsals: a plan run many times against a world that fails as often as a profile says, by the engine that runs it.

mod profile;
mod tally;
mod trial;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::Timestamp;

use crate::model::{Digest, Interval, TimeSpan, union};
use crate::plan::Plan;

pub use profile::{Profile, profile_schema};
pub use tally::{Amounts, Chances, Quantiles, Rehearsal, Service, Stretch};

use tally::{Axis, Tally};
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
    let axis = axis(plan, how.start);
    let tally = || Tally::new(plan.hosts.len(), plan.rollout.groups.len(), axis.clone());
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

/// The times in which something happens: those of windows where all of it waits for windows, as far as half as long again
/// as when all goes as usual.
fn axis(plan: &Plan, start: Timestamp) -> Axis {
    let ends = plan.report.forecast.as_ref().and_then(|forecast| forecast.ends);
    let usual = ends.map_or(TimeSpan::hours(4), |ends| TimeSpan::between(plan.as_of, ends));
    let last = TimeSpan::seconds(usual.as_seconds().saturating_mul(3) / 2).after(start);
    let windows = plan.windows.values().flatten().map(|window| window.interval);
    // What began in a window may end behind it, and go back behind it.
    let used = windows.filter(|window| window.end > start && window.start < last).map(|window| Interval {
        start: window.start.max(start),
        end: TimeSpan::seconds(TimeSpan::between(window.start, window.end).as_seconds() / 4).after(window.end),
    });
    let whole = Interval { start, end: last };
    let waits = plan.hosts.values().all(|host| host.windows.is_some());
    let times = if waits { union(used.collect()) } else { vec![whole] };
    let times = if times.is_empty() { vec![whole] } else { times };
    let seconds = |at: Timestamp| at.as_second() - start.as_second();
    Axis::over(&times.iter().map(|time| (seconds(time.start), seconds(time.end))).collect::<Vec<_>>())
}
