//! How long the plan checker takes for ten thousand hosts: sound ones of every form, and as many of which each can do harm.
#![allow(clippy::print_stderr, missing_docs, clippy::allow_attributes, reason = "criterion's macros make public items")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use criterion::{Criterion, criterion_group, criterion_main};
use switchback::model::{ProviderSettings, SwitchSettings, TimeSpan};
use switchback::plan::{Plan, StepKind, check, plan};

const HOSTS: usize = 10_000;

const POLICY: &str = r#"
version: 1
scope: {fix: [critical]}
strategy: {default: auto, similar_by: [service]}
backup: {required: false, max_age: 1h, keep: 7d}
rollout: {canary: {hosts: 1, soak: 5m}, waves: ["10%", "100%"], max_unavailable: {per: {label: service}, value: "2"}}
reboot: when_required
verify: {soak: 5m}
"#;

/// Services of ten, each a cohort with a pilot; with and without a switch, a provider and windows.
fn sound() -> Option<Plan> {
    let windows = "version: 1\nwindows:\n  - {name: nights, match: {labels: {env: prod}}, schedule: {rrule: FREQ=DAILY, start: \"20:00\", duration: 8h, timezone: UTC}}\n";
    let mut fleet = fleet::Fleet::under(&[("policy.yaml", POLICY), ("windows.yaml", windows)]);
    for number in 0..HOSTS {
        let name = format!("web-{number:05}");
        let mut host = fleet::host(&name);
        let service = number / 10;
        host.labels.insert("service".to_owned(), format!("service-{service}"));
        host.switch = (service % 3 != 0).then_some(SwitchSettings::Simulated);
        host.provider = (service % 5 != 0).then_some(ProviderSettings::Simulated);
        if service % 2 == 0 {
            host.labels.insert("env".to_owned(), "none".to_owned());
        }
        fleet.add(host);
        fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
    }
    plan(&fleet.input()).ok()
}

/// Nothing takes a fix back, nobody waits for a pilot, and no window is long enough.
fn broken(mut plan: Plan) -> Plan {
    for (name, host) in &mut plan.hosts {
        for step in &mut std::sync::Arc::make_mut(host).steps {
            step.needs.retain(|need| need.host() == name.as_str());
            if step.kind == StepKind::Fix {
                step.undo.clear();
            }
        }
    }
    for window in plan.windows.values_mut().flatten() {
        window.interval.end = TimeSpan::minutes(1).after(window.interval.start);
    }
    plan
}

fn benches(criterion: &mut Criterion) {
    let Some(sound) = sound() else { return };
    let broken = broken(sound.clone());
    let mut group = criterion.benchmark_group("checker");
    group.sample_size(10).measurement_time(std::time::Duration::from_secs(3));
    for (name, plan) in [("sound", &sound), ("broken", &broken)] {
        eprintln!("{name}: {} hosts, {} violations", plan.hosts.len(), check(plan).len());
        group.bench_function(format!("{name} {HOSTS} hosts"), |b| b.iter(|| check(plan)));
    }
    group.finish();
}

criterion_group!(checkers, benches);
criterion_main!(checkers);
