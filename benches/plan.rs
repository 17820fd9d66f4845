//! How long a plan takes, and how much memory, from 100 to 10,000 hosts with ten findings each.
#![allow(clippy::print_stderr, missing_docs, clippy::allow_attributes, reason = "criterion's macros make public items")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use switchback::plan::{check, plan, plan_id};
use switchback::policy::Amount;

const FINDINGS: usize = 10;

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10).measurement_time(std::time::Duration::from_secs(3));
    for hosts in [100, 1_000, 10_000] {
        let mut fleet = fleet::Fleet::of(hosts, FINDINGS);
        fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Percent(50)));
        let input = fleet.input();
        group.throughput(Throughput::Elements((hosts * FINDINGS) as u64));
        group.bench_with_input(BenchmarkId::new("plan", hosts), &input, |b, input| b.iter(|| plan(input)));
        if let Ok(made) = plan(&input) {
            group.bench_with_input(BenchmarkId::new("digest", hosts), &made, |b, made| b.iter(|| plan_id(made)));
            group.bench_with_input(BenchmarkId::new("check", hosts), &made, |b, made| b.iter(|| check(made)));
        }
        // The peak never falls: read in this order, each size shows its own.
        eprintln!("peak memory up to {hosts} hosts: {} MiB", peak_mib());
    }
    group.finish();
}

criterion_group!(plans, benches);
criterion_main!(plans);
