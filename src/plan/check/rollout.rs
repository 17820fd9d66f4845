//! Rules about hosts together: waves, failure domains, disruption budgets, the failure budget.
//!
//! What single hosts do is proven for each of them: none is unavailable without a permit of its group, and none gives it
//! back before it has ended, or ever if it is stuck. So at any instant at most `max_unavailable` hosts of a group are
//! unavailable, whoever goes first and whatever fails, and what is left to prove is that this is fewer than all. Where it
//! is not, hosts of a group are alike: counting those that wait, that hold a permit and that are stuck gives the shortest
//! way to a service that is down as a whole. Waves follow each other, so that two failure domains are disrupted at once
//! only if a wave has hosts of both.

use std::collections::{BTreeMap, BTreeSet};

use super::search::{Next, search};
use super::{Found, Violation};
use crate::model::{HostName, RuleName};
use crate::plan::{Action, BudgetGroup, Plan, PoolOf, Step};

/// Counts of a group of some three hundred hosts; a trace for more would be read by nobody.
const MAX_STATES: usize = 50_000;

pub(super) fn check(plan: &Plan, found: &mut Found) {
    waves(plan, found);
    domains(plan, found);
    failures(plan, found);
    groups(plan, found);
    grouped(plan, found);
    pools(plan, found);
}

/// Waves are a partition of the hosts.
fn waves(plan: &Plan, found: &mut Found) {
    let mut seen: BTreeSet<&HostName> = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (index, wave) in plan.rollout.waves.iter().enumerate() {
        let place = format!("wave {:?}", wave.name.as_str());
        found.expect(!wave.hosts.is_empty(), &place, "wave-empty", "it has no host");
        found.expect(names.insert(&wave.name), &place, "wave-name-twice", "another wave has its name");
        for host in &wave.hosts {
            found.expect(seen.insert(host), host, "wave-twice", "it is in the waves more than once");
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
    }
    for host in plan.hosts.keys() {
        found.expect(seen.contains(host), host, "wave-missing", "it is in no wave");
    }
}

fn domains(plan: &Plan, found: &mut Found) {
    let Some(label) = &plan.rollout.domain else { return };
    for wave in &plan.rollout.waves {
        let mut first: Option<(&HostName, &str)> = None;
        for host in &wave.hosts {
            let Some(planned) = plan.hosts.get(host) else { continue };
            let Some(domain) = planned.host.labels.get(label) else {
                found.add(host, "domain-unknown", format!("it has no label {label:?}, its failure domain"));
                continue;
            };
            let &mut (other, of) = first.get_or_insert((host, domain));
            if of == domain.as_str() {
                continue;
            }
            found.0.push(Violation {
                place: format!("wave {:?}", wave.name.as_str()),
                code: "wave-domains",
                text: "it has hosts of two failure domains".to_owned(),
                trace: both_disrupted(plan, [other, host], [of, domain]),
            });
            break;
        }
    }
}

/// How two hosts of one wave are unavailable at once; nothing if a budget keeps them apart.
fn both_disrupted(plan: &Plan, hosts: [&HostName; 2], domains: [&str; 2]) -> Vec<String> {
    let group = |host: &HostName| plan.hosts.get(host).and_then(|host| host.group.as_ref());
    let shared = group(hosts[0]).filter(|own| group(hosts[1]) == Some(own));
    let apart = shared.and_then(|group| plan.rollout.groups.get(group)).is_some_and(|group| group.max_unavailable < 2);
    if apart {
        return Vec::new();
    }
    let mut lines: Vec<String> = hosts.iter().map(|host| begins(plan, host)).collect();
    if plan.rollout.concurrency < 2 {
        lines.insert(1, format!("{} fails, and so does what takes it back: it stays unavailable", hosts[0]));
    }
    lines.push(format!("failure domains {:?} and {:?} are disrupted at once", domains[0], domains[1]));
    lines
}

/// The first step of a host that makes it unavailable.
fn begins(plan: &Plan, host: &HostName) -> String {
    let step = plan.hosts.get(host).and_then(|host| host.steps.iter().find(|step| Step::is_disruptive(step)));
    step.map_or_else(|| format!("{host} begins"), |step| format!("{} begins", step.id))
}

fn failures(plan: &Plan, found: &mut Found) {
    let rollout = &plan.rollout;
    found.expect(rollout.concurrency >= 1, "rollout", "concurrency-zero", "no host may be worked on");
    let most = plan.hosts.len().max(1) as u64;
    if (1..=most).contains(&u64::from(rollout.failure_budget)) {
        return;
    }
    let hosts = rollout.waves.iter().flat_map(|wave| &wave.hosts);
    let mut trace: Vec<String> = Vec::new();
    if rollout.failure_budget > 0 {
        trace.extend(hosts.map(|host| format!("{host} fails and is taken back")));
        trace.push(format!("all have failed, and the campaign has not paused: it would at {}", rollout.failure_budget));
    }
    found.0.push(Violation {
        place: "rollout".to_owned(),
        code: "failure-budget",
        text: format!("it pauses as soon as {} of {} hosts have failed", rollout.failure_budget, plan.hosts.len()),
        trace,
    });
}

fn groups(plan: &Plan, found: &mut Found) {
    let rollout = &plan.rollout;
    let mut members: BTreeMap<&RuleName, u64> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        let Some(group) = &host.group else { continue };
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
    for (name, group) in &rollout.groups {
        let place = format!("group {:?}", name.as_str());
        let planned = members.get(name).copied().unwrap_or(0);
        found.expect(planned > 0, &place, "group-unused", "no planned host belongs to it");
        found.expect(planned <= u64::from(group.size), &place, "group-size", "more hosts are planned than it has");
        found.expect(group.max_unavailable >= 1, &place, "budget-zero", "none of its hosts may be unavailable");
        // The only host of a service goes down when it is fixed: the policy was asked for that.
        if group.max_unavailable >= group.size && (group.size, group.max_unavailable) != (1, 1) {
            found.0.push(Violation {
                place,
                code: "budget-whole-service",
                text: format!("all {} hosts may be unavailable at once", group.size),
                trace: whole_service_down(plan, name, group),
            });
        }
    }
}

/// How many hosts of a group wait, hold a permit and are stuck, and in which wave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Counts {
    wave: usize,
    waiting: u32,
    active: u32,
    stuck: u32,
}

#[derive(Clone, Copy)]
enum Counted {
    Begins,
    EndsWell,
    GetsStuck,
    NextWave,
}

/// The shortest way to a service of which no host is left; nothing if hosts that are not planned keep it up.
fn whole_service_down(plan: &Plan, name: &RuleName, group: &BudgetGroup) -> Vec<String> {
    let is_member =
        |host: &&HostName| plan.hosts.get(*host).is_some_and(|planned| planned.group.as_ref() == Some(name));
    let waves: Vec<Vec<&HostName>> =
        plan.rollout.waves.iter().map(|wave| wave.hosts.iter().filter(is_member).collect()).collect();
    let size = |wave: usize| waves.get(wave).and_then(|hosts| u32::try_from(hosts.len()).ok());
    let Some(first) = size(0) else { return Vec::new() };
    let start = Counts { wave: 0, waiting: first, active: 0, stuck: 0 };
    let found = search(start, MAX_STATES, |state| {
        let down = state.active + state.stuck;
        if down >= group.size.max(1) {
            return vec![Next::Bad(())];
        }
        let mut next = Vec::new();
        if state.waiting > 0 && down < group.max_unavailable && state.active < plan.rollout.concurrency {
            let state = Counts { waiting: state.waiting - 1, active: state.active + 1, ..*state };
            next.push(Next::State(Counted::Begins, state));
        }
        if state.active > 0 {
            let ended = Counts { active: state.active - 1, ..*state };
            next.push(Next::State(Counted::EndsWell, ended));
            next.push(Next::State(Counted::GetsStuck, Counts { stuck: state.stuck + 1, ..ended }));
        }
        if let (0, 0, Some(waiting)) = (state.waiting, state.active, size(state.wave + 1)) {
            next.push(Next::State(Counted::NextWave, Counts { wave: state.wave + 1, waiting, ..*state }));
        }
        next
    });
    let Some((_, events)) = found.bad.into_iter().next() else { return Vec::new() };
    let mut lines = Vec::new();
    let (mut wave, mut begun, mut ended, mut down) = (0, 0, 0, 0_u32);
    for event in events {
        let host = |index: usize| waves.get(wave).and_then(|hosts| hosts.get(index)).copied();
        match event {
            Counted::Begins => {
                down += 1;
                let line = host(begun).map(|host| begins(plan, host)).unwrap_or_default();
                lines.push(format!("{line}: {down} of {} are unavailable", group.size));
                begun += 1;
            }
            Counted::EndsWell => {
                down -= 1;
                lines.extend(host(ended).map(|host| format!("{host} ends well")));
                ended += 1;
            }
            Counted::GetsStuck => {
                lines.extend(
                    host(ended).map(|host| format!("{host} fails, and so does what takes it back: it is stuck")),
                );
                ended += 1;
            }
            Counted::NextWave => (wave, begun, ended) = (wave + 1, 0, 0),
        }
    }
    lines.push(format!("no host of {name} is left"));
    lines
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

/// Each pool holds just the hosts that it says, so that counting those that have begun keeps its limit.
fn pools(plan: &Plan, found: &mut Found) {
    let pools = &plan.rollout.pools;
    let mut members: BTreeSet<&RuleName> = BTreeSet::new();
    for (host, planned) in &plan.hosts {
        for pool in &planned.pools {
            members.insert(pool);
            found.expect(pools.contains_key(pool), host, "pool-unknown", format!("the plan has no pool {pool}"));
        }
    }
    let mut seen = BTreeSet::new();
    for (name, pool) in pools {
        let place = format!("pool {:?}", name.as_str());
        found.expect(pool.hosts >= 1, &place, "concurrency-zero", "none of its hosts may be worked on");
        found.expect(members.contains(name), &place, "pool-unused", "no planned host belongs to it");
        found.expect(seen.insert((&pool.of, pool.clones)), &place, "pool-twice", "another pool is of the same hosts");
    }
    for (host, planned) in &plan.hosts {
        let makes_clones = planned.steps.iter().any(|step| matches!(step.action, Action::Clone { .. }));
        let is_of = |of: &PoolOf| match of {
            PoolOf::All => true,
            PoolOf::Provider(kind) => planned.host.provider.as_ref().is_some_and(|p| p.capabilities().kind == kind),
            PoolOf::Label { label, value } => planned.host.labels.get(label) == Some(value),
        };
        for (name, pool) in pools {
            let belongs = is_of(&pool.of) && (makes_clones || !pool.clones);
            match (belongs, planned.pools.contains(name)) {
                (true, false) => found.add(host, "pool-missing", format!("it is not counted in pool {name}")),
                (false, true) => found.add(host, "pool-stranger", format!("it is counted in pool {name} of others")),
                _ => {}
            }
        }
    }
}
