//! How much CPU the check of a large bundle takes: 100 files, alone and for 1,000 hosts with ten findings each.
#![allow(clippy::print_stderr, missing_docs, clippy::allow_attributes, reason = "criterion's macros make public items")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use std::fmt::Write as _;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use switchback::diagnostic::{Diagnostics, Source};
use switchback::policy::{Judged, Policy};

const FILES: usize = 100;

/// A bundle as large organisations have it: exceptions, windows and freezes of every team, and one file of overrides.
fn bundle() -> Vec<Arc<Source>> {
    let mut files = Vec::new();
    let mut overrides = "version: 1\npriority:\n  overrides:\n".to_owned();
    // Writing to a String cannot fail.
    for i in 0..FILES {
        let _ = writeln!(
            overrides,
            "    - {{name: o{i}, match: {{groups: [team-{i}, all-*], kev: true, not: {{labels: {{env: test}}}}}}, priority: critical, reason: r}}"
        );
    }
    files.push(Source::new("overrides.yaml", overrides));
    for team in 1..FILES {
        let mut text = "version: 1\nexceptions:\n".to_owned();
        for i in 0..20 {
            let _ = writeln!(
                text,
                "  - {{name: e-{team}-{i}, kind: whitelist, match: {{vulnerability: \"CVE-2026-{i}*\", groups: team-{team}, package: \"lib*\"}}, reason: not loaded, owner: team-{team}, expires: 2027-03-01}}"
            );
        }
        let _ = write!(
            text,
            "windows:\n  - name: w-{team}\n    match: {{groups: team-{team}}}\n    schedule: {{rrule: FREQ=WEEKLY;BYDAY=SA, start: \"22:00\", duration: 4h, timezone: Europe/Berlin}}\n\
             freezes:\n  - {{name: f-{team}, match: {{groups: team-{team}}}, from: 2026-12-18T18:00, to: 2027-01-04T06:00, timezone: Europe/Berlin, reason: close}}\n"
        );
        files.push(Source::new(format!("team-{team}.yaml"), text));
    }
    files
}

/// Nanoseconds that this thread spent on a CPU.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
}

fn load(files: &[Arc<Source>]) -> Policy {
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(files.to_vec(), &mut diagnostics);
    policy.unwrap_or_else(|| panic!("{:?}", diagnostics.iter().next()))
}

fn dead(policy: &Policy, fleet: Option<&fleet::Fleet>) -> usize {
    let (hosts, findings) = (fleet.map(|fleet| &fleet.hosts), fleet.map(|fleet| fleet.findings.as_slice()));
    policy.dead_rules(Judged { hosts, findings, as_of: fleet::as_of() }).len()
}

fn benches(criterion: &mut Criterion) {
    let files = bundle();
    let mut fleet = fleet::Fleet::of(1_000, 10);
    for (h, host) in fleet.hosts.values_mut().enumerate() {
        host.groups.insert(format!("team-{}", h % FILES).parse().unwrap_or_else(|error| panic!("{error}")));
    }
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10).measurement_time(std::time::Duration::from_secs(3));
    for (name, fleet) in [("alone", None), ("1000 hosts, 10000 findings", Some(&fleet))] {
        let before = cpu();
        let policy = load(&files);
        let loaded = cpu();
        let found = dead(&policy, fleet);
        let ended = cpu();
        eprintln!(
            "check of {} files, {name}: {} + {} ms of CPU to read and to judge, {found} dead rules",
            files.len(),
            (loaded - before) / 1_000_000,
            (ended - loaded) / 1_000_000
        );
        group.bench_function(name, |b| b.iter(|| dead(&load(&files), fleet)));
    }
    group.finish();
}

criterion_group!(checks, benches);
criterion_main!(checks);
