//! What the machines cost: whole campaigns in which every step succeeds at once, with and without limits that bind.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot unwrap has failed")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use switchback::engine::{Campaign, Effect, Input, StepResult, wave_name};
use switchback::model::{CampaignId, Digest, Fix, Host, HostName, Importance, Priority, RuleName, StepId, TimeSpan};
use switchback::plan::{
    Action, BudgetGroup, HostPlan, PLAN_FORMAT, Plan, PlanReport, Reason, Rollout, Step, StepKind, Strategy, Wave,
};

/// Eight steps a host, one wave, a group of each twenty hosts where limits are to bind.
fn plan(hosts: usize, limited: bool) -> Plan {
    use StepKind as K;
    let names: Vec<HostName> = (0..hosts).map(|i| HostName::new(&format!("host-{i:05}")).unwrap()).collect();
    let group = |i: usize| RuleName::new(&format!("service {}", i / 20)).unwrap();
    let kinds = [K::Preflight, K::Backup, K::Drain, K::Fix, K::Reboot, K::Verify, K::Undrain, K::Soak];
    let chain = |host: &HostName| {
        let mut steps: Vec<Step> = Vec::new();
        for kind in kinds {
            steps.push(Step {
                id: StepId::of(host, kind.as_str()),
                kind,
                needs: steps.last().map(|step| step.id.clone()).into_iter().collect(),
                on: None,
                stands_for: vec![],
                action: Action::Undrain,
                undo: vec![],
                expected: TimeSpan::minutes(1),
                timeout: TimeSpan::minutes(10),
            });
        }
        steps
    };
    let host_plan = |i: usize, name: &HostName| HostPlan {
        host: Host::named(name.clone()),
        importance: Importance::General,
        priority: Priority::High,
        strategy: Strategy::InPlace,
        strategy_reason: Reason::new("strategy", "bench"),
        cohort: RuleName::new("bench").unwrap(),
        fix: Fix { packages: vec![], findings: vec![] },
        playbook: RuleName::new("bench").unwrap(),
        wave: 0,
        emergency: false,
        group: limited.then(|| group(i)),
        pools: Default::default(),
        windows: None,
        quarantine: TimeSpan::days(30),
        without_backup: false,
        steps: chain(name),
    };
    Plan {
        format: PLAN_FORMAT,
        made_by: "bench".to_owned(),
        as_of: Timestamp::UNIX_EPOCH,
        seed: 0,
        tzdata: "bench".to_owned(),
        inputs: BTreeMap::new(),
        rollout: Rollout {
            waves: vec![Wave { name: wave_name(0, false).unwrap(), hosts: names.clone(), soak: TimeSpan::ZERO }],
            groups: (0..hosts).map(|i| (group(i), BudgetGroup { max_unavailable: 3, size: 20 })).collect(),
            failure_budget: 10_000,
            concurrency: if limited { 200 } else { 10_000 },
            pools: Default::default(),
            margin: TimeSpan::ZERO,
            domain: None,
        },
        windows: BTreeMap::new(),
        hosts: names.iter().enumerate().map(|(i, name)| (name.clone(), host_plan(i, name).into())).collect(),
        approvals: Vec::new(),
        author: None,
        ticket: None,
        signers: BTreeMap::new(),
        change: None,
        notify: Vec::new(),
        scripts: BTreeMap::new(),
        report: PlanReport::default(),
    }
}

/// Runs a campaign in which every step succeeds at once; gives the number of records.
fn run(mut campaign: Campaign) -> usize {
    let now = Timestamp::UNIX_EPOCH;
    let mut begun = VecDeque::new();
    let mut records = 0;
    let mut input = Input::Start { operator: "bench".to_owned(), approvals: Vec::new() };
    loop {
        for effect in campaign.handle(now, input).unwrap() {
            match effect {
                Effect::Append(_) => records += 1,
                Effect::Begin { attempt, .. } => begun.push_back(attempt),
                _ => {}
            }
        }
        let Some(attempt) = begun.pop_front() else { break };
        input = Input::Finished { attempt, result: StepResult::Succeeded { facts: BTreeMap::new(), note: None } };
    }
    assert!(campaign.is_ended());
    records
}

fn campaigns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(3));
    for limited in [false, true] {
        for hosts in [100, 1_000, 10_000] {
            let plan = Arc::new(plan(hosts, limited));
            let new = || Campaign::new(plan.clone(), Digest::of(b"plan"), CampaignId::new("bench").unwrap());
            group.throughput(Throughput::Elements(u64::try_from(hosts * 8).unwrap()));
            let name = format!("{hosts} hosts, {}", if limited { "limits bind" } else { "no limits" });
            group.bench_function(name, |bencher| bencher.iter_batched(new, run, BatchSize::PerIteration));
        }
    }
    group.finish();
}

criterion_group!(benches, campaigns);
criterion_main!(benches);
