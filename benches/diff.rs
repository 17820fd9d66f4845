//! What it costs to say what a change of policy does, up to 10,000 hosts with ten findings each.
#![allow(clippy::print_stderr, missing_docs, clippy::allow_attributes, reason = "criterion's macros make public items")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use switchback::diagnostic::{Diagnostics, Source};
use switchback::plan::{PlanInput, Version, impact, plan};
use switchback::policy::Policy;

const FINDINGS: usize = 10;

/// What the pull request wants: other thresholds, and approvals.
const HEAD: &str = "version: 1\npriority: {thresholds: {critical: 9.5, high: 6.0, medium: 3.5}}\n\
    approvals: [{match: {labels: {env: prod}}, required: 2}]\n";

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10).measurement_time(std::time::Duration::from_secs(3));
    for hosts in [1_000, 10_000] {
        let fleet = fleet::Fleet::of(hosts, FINDINGS);
        let Some(head) = Policy::load(vec![Source::new("head.yaml", HEAD)], &mut Diagnostics::default()) else {
            return;
        };
        let base = fleet.input();
        let after = PlanInput { policy: &head, ..fleet.input() };
        let (Ok(old), Ok(new)) = (plan(&base), plan(&after)) else { return };
        let before = Version {
            plan: &old,
            policy: base.policy,
            hosts: base.hosts,
            findings: base.findings,
            horizon: base.horizon,
        };
        let behind = Version {
            plan: &new,
            policy: after.policy,
            hosts: after.hosts,
            findings: after.findings,
            horizon: after.horizon,
        };
        group.throughput(Throughput::Elements((hosts * FINDINGS) as u64));
        group.bench_with_input(BenchmarkId::new("impact", hosts), &(), |b, ()| b.iter(|| impact(&before, &behind)));
        group.bench_with_input(BenchmarkId::new("two plans and impact", hosts), &(), |b, ()| {
            b.iter(|| {
                let (Ok(old), Ok(new)) = (plan(&base), plan(&after)) else { return 0 };
                impact(&Version { plan: &old, ..before }, &Version { plan: &new, ..behind }).changed
            });
        });
        eprintln!("{hosts} hosts: {} of {} findings change", impact(&before, &behind).changed, hosts * FINDINGS);
    }
    group.finish();
}

criterion_group!(diffs, benches);
criterion_main!(diffs);
