//! Rules about the plan as a whole: findings accounted for, waves, budgets, windows, scripts.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::model::{DecisionKind, Digest, FindingId, HostName, Program, RuleName};
use crate::plan::passes::machines::machine;
use crate::plan::{PLAN_FORMAT, Plan};

pub(super) fn check(plan: &Plan, found: &mut Found) {
    found.expect(
        plan.format == PLAN_FORMAT,
        "plan",
        "format",
        format!("its format is {}, not {PLAN_FORMAT}", plan.format),
    );
    findings(plan, found);
    machines(plan, found);
    waves(plan, found);
    budgets(plan, found);
    grouped(plan, found);
    windows(plan, found);
    scripts(plan, found);
}

/// What went in is decided, and what is to be fixed is planned on its host or blocked with it.
fn findings(plan: &Plan, found: &mut Found) {
    let report = &plan.report;
    found.expect(
        report.findings == report.decisions.len() as u64,
        "report",
        "findings-count",
        format!("{} findings went in and {} were decided", report.findings, report.decisions.len()),
    );
    let mut counted: BTreeMap<DecisionKind, u64> = BTreeMap::new();
    let mut to_fix: BTreeMap<&HostName, BTreeSet<&FindingId>> = BTreeMap::new();
    for decision in &report.decisions {
        *counted.entry(decision.kind).or_default() += 1;
        if decision.kind == DecisionKind::Fix {
            to_fix.entry(&decision.host).or_default().insert(&decision.finding);
        }
    }
    found.expect(counted == report.decided, "report", "decided-count", "the counts differ from the decisions");
    found.expect(
        report.decisions.is_sorted_by_key(|d| (&d.host, &d.finding)),
        "report",
        "decisions-order",
        "decisions are not sorted by host and finding",
    );
    for (host, wanted) in &to_fix {
        match (plan.hosts.get(*host), report.blocked.get(*host)) {
            (Some(_), Some(_)) => found.add(host, "planned-and-blocked", "it is planned and blocked at once"),
            (None, None) => {
                found.add(host, "finding-lost", "it has findings to fix and is neither planned nor blocked")
            }
            (Some(planned), None) => {
                let fixed: BTreeSet<&FindingId> = planned.fix.findings.iter().collect();
                for finding in wanted.difference(&fixed) {
                    found.add(host, "finding-lost", format!("finding {finding} is to be fixed and is not in its fix"));
                }
                for finding in fixed.difference(wanted) {
                    found.add(
                        host,
                        "finding-unasked",
                        format!("finding {finding} is in its fix and was not decided so"),
                    );
                }
            }
            (None, Some(reasons)) => {
                found.expect(!reasons.is_empty(), host, "blocked-without-reason", "it is blocked without a reason");
            }
        }
    }
    for host in plan.hosts.keys().chain(report.blocked.keys()) {
        found.expect(to_fix.contains_key(host), host, "host-unasked", "it has no finding to fix");
    }
}

/// Waves are a partition of the hosts.
fn waves(plan: &Plan, found: &mut Found) {
    let mut seen: BTreeMap<&HostName, usize> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (index, wave) in plan.rollout.waves.iter().enumerate() {
        let place = format!("wave {:?}", wave.name.as_str());
        found.expect(!wave.hosts.is_empty(), &place, "wave-empty", "it has no host");
        found.expect(names.insert(&wave.name), &place, "wave-name-twice", "another wave has its name");
        let mut domains = BTreeSet::new();
        for host in &wave.hosts {
            if let (Some(label), Some(planned)) = (&plan.rollout.domain, plan.hosts.get(host)) {
                match planned.host.labels.get(label) {
                    Some(domain) => drop(domains.insert(domain.as_str())),
                    None => found.add(host, "domain-unknown", format!("it has no label {label:?}, its failure domain")),
                }
            }
            if seen.insert(host, index).is_some() {
                found.add(host, "wave-twice", "it is in the waves more than once");
            }
            match plan.hosts.get(host) {
                None => found.add(host, "wave-host-unknown", format!("{place} has it, the plan does not")),
                Some(planned) => found.expect(
                    usize::try_from(planned.wave) == Ok(index),
                    host,
                    "wave-differs",
                    format!("it names wave {} and is in wave {index}", planned.wave),
                ),
            }
        }
        found.expect(domains.len() <= 1, &place, "wave-domains", "it has hosts of two failure domains");
    }
    for host in plan.hosts.keys() {
        found.expect(seen.contains_key(host), host, "wave-missing", "it is in no wave");
    }
    for approval in &plan.approvals {
        let place = format!("approval {:?}", approval.rule.name.as_str());
        found.expect(approval.required >= 1, &place, "approval-zero", "nobody must approve");
        for host in &approval.hosts {
            let known = plan.hosts.contains_key(host);
            found.expect(known, &place, "approval-host-unknown", format!("it is for {host}, which is not planned"));
        }
    }
}

fn budgets(plan: &Plan, found: &mut Found) {
    let rollout = &plan.rollout;
    found.expect(rollout.concurrency >= 1, "rollout", "concurrency-zero", "no host may be worked on");
    let most = plan.hosts.len().max(1) as u64;
    found.expect(
        (1..=most).contains(&u64::from(rollout.failure_budget)),
        "rollout",
        "failure-budget",
        format!("it pauses as soon as {} of {} hosts have failed", rollout.failure_budget, plan.hosts.len()),
    );
    let mut members: BTreeMap<&RuleName, u64> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        if let Some(group) = &host.group {
            *members.entry(group).or_default() += 1;
            found.expect(
                rollout.groups.contains_key(group),
                name,
                "group-unknown",
                format!("it belongs to group {group}, which the plan does not have"),
            );
            found.expect(
                host.host.labels.values().any(|value| value == group.as_str()),
                name,
                "group-without-label",
                format!("it belongs to group {group}, and no label of it says so"),
            );
        }
    }
    for (name, group) in &rollout.groups {
        let place = format!("group {:?}", name.as_str());
        let planned = members.get(name).copied().unwrap_or(0);
        found.expect(planned > 0, &place, "group-unused", "no planned host belongs to it");
        found.expect(planned <= u64::from(group.size), &place, "group-size", "more hosts are planned than it has");
        found.expect(group.max_unavailable >= 1, &place, "budget-zero", "none of its hosts may be unavailable");
        found.expect(
            group.max_unavailable < group.size || (group.size, group.max_unavailable) == (1, 1),
            &place,
            "budget-whole-service",
            format!("all {} hosts may be unavailable at once", group.size),
        );
    }
}

/// Two names of one machine would be fixed at once, and a restore of one undo the other.
fn machines(plan: &Plan, found: &mut Found) {
    let mut seen: BTreeMap<_, &HostName> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        if let Some(first) = seen.insert(machine(host.host.address(), &host.host.ssh), name) {
            found.add(name, "same-machine", format!("by its address it is {first}"));
        }
    }
}

/// A host outside all groups that carries the label of the groups would escape its budget. The plan does not name that
/// label: it is among those whose value is the group of every host that has one.
fn grouped(plan: &Plan, found: &mut Found) {
    let mut labels: Option<BTreeSet<&str>> = None;
    for host in plan.hosts.values() {
        let Some(group) = &host.group else { continue };
        let own =
            host.host.labels.iter().filter(|(_, value)| *value == group.as_str()).map(|(label, _)| label.as_str());
        labels = Some(match labels {
            None => own.collect(),
            Some(labels) => own.filter(|label| labels.contains(label)).collect(),
        });
    }
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else { return };
    for (name, host) in plan.hosts.iter().filter(|(_, host)| host.group.is_none()) {
        found.expect(
            !labels.iter().all(|label| host.host.labels.contains_key(*label)),
            name,
            "group-missing",
            "it has the label of the disruption budget and is in no group",
        );
    }
}

fn windows(plan: &Plan, found: &mut Found) {
    let used: BTreeSet<&RuleName> = plan.hosts.values().filter_map(|h| h.windows.as_ref()).collect();
    for (name, set) in &plan.windows {
        let place = format!("windows {:?}", name.as_str());
        found.expect(used.contains(name), &place, "windows-unused", "no host uses them");
        found.expect(!set.is_empty(), &place, "windows-empty", "they hold no interval");
        for window in set {
            found.expect(
                window.interval.start < window.interval.end,
                &place,
                "window-empty",
                "an interval ends before it starts",
            );
            found.expect(
                window.interval.start >= plan.as_of,
                &place,
                "window-past",
                "an interval begins before the plan",
            );
        }
        for pair in set.windows(2) {
            found.expect(
                pair[0].interval.end <= pair[1].interval.start,
                &place,
                "windows-overlap",
                "intervals are not sorted and apart",
            );
        }
    }
}

fn scripts(plan: &Plan, found: &mut Found) {
    let mut used = BTreeSet::new();
    for step in plan.hosts.values().flat_map(|h| &h.steps).flat_map(|s| std::iter::once(s).chain(&s.undo)) {
        for command in step.action.commands() {
            if let Program::Builtin { digest, .. } | Program::Ansible { digest } | Program::Shell { digest } =
                &command.program
            {
                used.insert(*digest);
                found.expect(
                    plan.scripts.contains_key(digest),
                    &step.id,
                    "script-missing",
                    format!("command {:?} runs a script that the plan does not hold", command.name),
                );
            }
        }
    }
    for (digest, text) in &plan.scripts {
        let place = format!("script {}", digest.short());
        found.expect(Digest::of(text.as_bytes()) == *digest, &place, "script-changed", "its text has another digest");
        found.expect(used.contains(digest), &place, "script-unused", "no command runs it");
    }
}
