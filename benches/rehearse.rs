//! How long rehearsals of ten thousand hosts take, on one core and on all.
#![allow(missing_docs, clippy::allow_attributes, reason = "criterion's macros make public items")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use switchback::plan::{plan, plan_id};
use switchback::sim::{Profile, Rehearse, rehearse};

/// The time of a thousand is as many times that of these.
const RUNS: u32 = 20;

fn rehearsals(criterion: &mut Criterion) {
    let mut fleet = fleet::Fleet::of(10_000, 2);
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), switchback::policy::Amount::Percent(50)));
    // Nothing may stop it: every run does all the work.
    fleet.policy.rollout.failure_hosts = None;
    fleet.policy.rollout.failure_percent = None;
    fleet.policy.rollout.canary = None;
    let Ok(plan) = plan(&fleet.input()) else { return };
    let Ok(id) = plan_id(&plan) else { return };
    let plan = Arc::new(plan);
    let mut group = criterion.benchmark_group("rehearse");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(20));
    group.throughput(Throughput::Elements(u64::from(RUNS)));
    for threads in [1, std::thread::available_parallelism().map_or(1, usize::from)] {
        let how = Rehearse { runs: RUNS, seed: 1, start: plan.as_of, threads };
        let name = format!("{} hosts x {RUNS} runs, threads: {threads}", plan.hosts.len());
        group.bench_function(name, |bencher| bencher.iter(|| rehearse(&plan, id, &Profile::default(), how)));
    }
    group.finish();
}

criterion_group!(benches, rehearsals);
criterion_main!(benches);
