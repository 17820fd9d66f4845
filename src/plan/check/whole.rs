//! Rules about the plan as a whole: findings accounted for, machines, approvals, windows, scripts.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::model::{DecisionKind, Digest, FindingId, Host, HostName, Program, RuleName, Strategy, TimeSpan};
use crate::plan::{PLAN_FORMAT, Plan, PlanApproval};

/// The rule of approvals that the emergency lane asks for, for every host that goes by it.
const EMERGENCY: &str = "scope.emergency";

pub(super) fn check(plan: &Plan, found: &mut Found) {
    found.expect(
        plan.format == PLAN_FORMAT,
        "plan",
        "format",
        format!("its format is {}, not {PLAN_FORMAT}", plan.format),
    );
    findings(plan, found);
    machines(plan, found);
    approvals(plan, found);
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
        let is_drill = plan.hosts.get(host).is_some_and(|planned| planned.strategy == Strategy::Drill);
        found.expect(is_drill || to_fix.contains_key(host), host, "host-unasked", "it has no finding to fix");
    }
}

/// Nothing runs before all approvals are there: what can be wrong in a plan is whom they are for. Which hosts a rule of
/// the policy means the plan does not show, except for the emergency lane.
fn approvals(plan: &Plan, found: &mut Found) {
    for approval in &plan.approvals {
        let place = place_of(approval);
        found.expect(approval.required >= 1, &place, "approval-zero", "nobody must approve");
        found.expect(approval.valid_for > TimeSpan::ZERO, &place, "approval-void", "it would expire at once");
        found.expect(!approval.hosts.is_empty(), &place, "approval-empty", "it is for no host");
        let sorted = approval.hosts.is_sorted_by(|a, b| a < b);
        found.expect(sorted, &place, "approval-order", "its hosts are not sorted, each once");
        for host in &approval.hosts {
            let known = plan.hosts.contains_key(host);
            found.expect(known, &place, "approval-host-unknown", format!("it is for {host}, which is not planned"));
        }
    }
    let lane: Vec<&PlanApproval> = plan.approvals.iter().filter(|a| a.rule.name.as_str() == EMERGENCY).collect();
    let covered: BTreeSet<&HostName> = lane.iter().flat_map(|approval| &approval.hosts).collect();
    for (name, host) in plan.hosts.iter().filter(|_| !lane.is_empty()) {
        found.expect(
            host.emergency == covered.contains(name),
            name,
            "approval-uncovered",
            "the approvals of the emergency lane are not for exactly the hosts that go by it",
        );
    }
}

fn place_of(approval: &PlanApproval) -> String {
    format!("approval {:?}", approval.rule.name.as_str())
}

/// Two names of one machine would be fixed at once, and a restore of one undo the other.
fn machines(plan: &Plan, found: &mut Found) {
    let mut seen: BTreeMap<_, &HostName> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        if let Some(first) = seen.insert(reached_by(&host.host), name) {
            found.add(name, "same-machine", format!("by its address it is {first}"));
        }
    }
    let mut restored: BTreeMap<String, &HostName> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        let object = host.host.provider.as_ref().and_then(|provider| provider.object());
        if let Some((object, first)) = object.and_then(|object| Some((object.clone(), restored.insert(object, name)?)))
        {
            found.add(
                name,
                "same-provider-object",
                format!("a restore of it puts the {object} back, which is {first}'s"),
            );
        }
    }
}

/// What a host is reached by: names of one machine look like this to whoever connects, whatever their case. Behind
/// another jump host, or with another configuration, an address may be another machine's.
fn reached_by(host: &Host) -> impl Ord + '_ {
    let port = host.ssh.port.filter(|port| *port != 22);
    (host.address().to_ascii_lowercase(), port, &host.ssh.jump, &host.ssh.config)
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
