//! A plan in short, as rules about plans see it: documented in docs/guide/rego.md, its keys are stable.

use serde_json::{Map, Value, json};

use super::{HostPlan, Plan};
use crate::model::TimeSpan;

/// What rules about plans see: `as_of`, `totals`, `waves`, `hosts`, `blocked`. What is not known is left out.
pub fn summary(plan: &Plan) -> Value {
    let hosts: Map<String, Value> =
        plan.hosts.iter().map(|(name, host)| (name.to_string(), of_host(plan, host))).collect();
    let waves: Vec<Value> = plan
        .rollout
        .waves
        .iter()
        .map(|wave| json!({"name": wave.name, "hosts": wave.hosts, "soak": wave.soak}))
        .collect();
    let blocked: Map<String, Value> =
        plan.report.blocked.iter().map(|(name, reasons)| (name.to_string(), json!(reasons))).collect();
    json!({
        "as_of": plan.as_of,
        "totals": {
            "findings": plan.report.findings,
            "decided": plan.report.decided,
            "hosts": plan.hosts.len(),
            "blocked": plan.report.blocked.len(),
            "waves": plan.rollout.waves.len(),
            "packages": plan.hosts.values().map(|host| host.fix.packages.len()).sum::<usize>(),
        },
        "concurrency": plan.rollout.concurrency,
        "pools": plan.rollout.pools,
        "failure_budget": plan.rollout.failure_budget,
        "waves": waves,
        "hosts": hosts,
        "blocked": blocked,
    })
}

fn of_host(plan: &Plan, host: &HostPlan) -> Value {
    let wave = usize::try_from(host.wave).ok().and_then(|wave| plan.rollout.waves.get(wave));
    let expected = host.steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(step.expected));
    let mut summary = json!({
        "importance": host.importance,
        "priority": host.priority,
        "strategy": host.strategy,
        "playbook": host.playbook,
        "groups": host.host.groups,
        "labels": host.host.labels,
        "without_backup": host.without_backup,
        "findings": host.fix.findings.len(),
        "packages": host.fix.packages,
        "steps": host.steps.len(),
        "expected": expected,
    });
    let mut put = |key: &str, value: Option<Value>| {
        if let (Some(map), Some(value)) = (summary.as_object_mut(), value) {
            map.insert(key.to_owned(), value);
        }
    };
    put("wave", wave.map(|wave| json!(wave.name)));
    put("os", host.host.os.as_ref().map(|os| json!(os)));
    put("budget", host.group.as_ref().map(|group| json!(group)));
    put("window", host.windows.as_ref().map(|name| json!(name)));
    put("first_start", host.first_window(plan).map(|window| json!(window.interval.start)));
    summary
}
