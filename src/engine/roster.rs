//! A plan numbered for speed: hosts in wave order, what their steps mean for the gates, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{HostName, Interval, RuleName, StepId, union};
use crate::plan::{HostPlan, Plan};

use super::gate::Lengths;

/// What never changes while a plan is run.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "`by_name` is asked several times for every record and never walked")]
pub(super) struct Roster {
    /// In the order in which they are started.
    pub hosts: Vec<Member>,
    pub groups: Vec<RuleName>,
    pub pools: Vec<RuleName>,
    /// Where each wave's hosts begin in `hosts`, and the end of the last.
    waves: Vec<usize>,
    windows: Vec<Vec<Interval>>,
    /// Who waits for a host, by its number.
    followers: BTreeMap<usize, Vec<usize>>,
    by_name: std::collections::HashMap<HostName, usize>,
    /// Why the plan cannot be run, if so.
    pub problem: Option<String>,
}

/// A host of the plan.
#[derive(Debug)]
pub(super) struct Member {
    pub name: HostName,
    pub plan: Arc<HostPlan>,
    pub wave: u32,
    pub group: Option<usize>,
    pub pools: Vec<usize>,
    pub lengths: Lengths,
    /// What must have succeeded on other hosts before a step: its index, the number of the host, the index there.
    pub awaits: Vec<(usize, usize, usize)>,
    /// The rules of approvals that are for it, by their place in the plan.
    pub approvals: Vec<usize>,
    windows: Option<usize>,
}

impl Roster {
    /// Numbers a plan; what does not fit is left out, and [`Roster::problem`] tells of it.
    pub(super) fn new(plan: &Plan) -> Self {
        let groups: Vec<RuleName> = plan.rollout.groups.keys().cloned().collect();
        let pools: Vec<RuleName> = plan.rollout.pools.keys().cloned().collect();
        let sets: Vec<&RuleName> = plan.windows.keys().collect();
        let windows = plan.windows.values().map(|set| union(set.iter().map(|w| w.interval).collect())).collect();
        let mut roster = Self {
            hosts: Vec::new(),
            groups,
            pools,
            waves: vec![0],
            windows,
            followers: BTreeMap::new(),
            by_name: Default::default(),
            problem: problem(plan),
        };
        for (wave, names) in (0_u32..).zip(plan.rollout.waves.iter().map(|wave| &wave.hosts)) {
            for name in names {
                let Some(host) = plan.hosts.get(name).filter(|_| !roster.by_name.contains_key(name)) else { continue };
                let number = roster.hosts.len();
                let awaits = roster.awaits(plan, host);
                for &(_, pilot, _) in &awaits {
                    roster.followers.entry(pilot).or_default().push(number);
                }
                roster.by_name.insert(name.clone(), number);
                roster.hosts.push(Member {
                    name: name.clone(),
                    plan: Arc::clone(host),
                    wave,
                    group: host.group.as_ref().and_then(|group| roster.groups.binary_search(group).ok()),
                    pools: host.pools.iter().filter_map(|pool| roster.pools.binary_search(pool).ok()).collect(),
                    lengths: Lengths::of(host, &plan.rollout),
                    awaits,
                    approvals: Vec::new(),
                    windows: host.windows.as_ref().and_then(|set| sets.binary_search(&set).ok()),
                });
            }
            roster.waves.push(roster.hosts.len());
        }
        for (rule, approval) in plan.approvals.iter().enumerate() {
            for name in &approval.hosts {
                let number = roster.number(name.as_str());
                if let Some(member) = number.and_then(|number| roster.hosts.get_mut(number)) {
                    member.approvals.push(rule);
                }
            }
        }
        roster
    }

    /// What a host waits for on hosts before it; what is not there is told by [`Roster::problem`].
    fn awaits(&self, plan: &Plan, host: &HostPlan) -> Vec<(usize, usize, usize)> {
        let steps = host.steps.iter().enumerate();
        let needs = steps.flat_map(|(index, step)| step.foreign_needs().map(move |need| (index, need)));
        needs
            .filter_map(|(index, need)| {
                let pilot = self.number(need.host())?;
                let there = plan.hosts.get(need.host())?.steps.iter().position(|step| step.id == *need)?;
                Some((index, pilot, there))
            })
            .collect()
    }

    /// The numbers of the hosts that wait for this one.
    pub(super) fn followers(&self, number: usize) -> &[usize] {
        self.followers.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The number of a host.
    pub(super) fn number(&self, host: &str) -> Option<usize> {
        self.by_name.get(host).copied()
    }

    /// The numbers of a wave's hosts.
    pub(super) fn wave(&self, wave: u32) -> std::ops::Range<usize> {
        let bound = |i: Option<usize>| i.and_then(|i| self.waves.get(i)).copied().unwrap_or(self.hosts.len());
        let wave = usize::try_from(wave).ok();
        bound(wave)..bound(wave.and_then(|i| i.checked_add(1)))
    }

    /// When disruptive steps of a host may start; none means at any time.
    pub(super) fn windows(&self, member: &Member) -> Option<&[Interval]> {
        member.windows.and_then(|set| self.windows.get(set)).map(Vec::as_slice)
    }
}

/// Why a plan cannot be run, if so. A checked plan has no such problem; this keeps the machines total on any other.
fn problem(plan: &Plan) -> Option<String> {
    if plan.rollout.concurrency == 0 && !plan.hosts.is_empty() {
        return Some("no host may be worked on: concurrency is 0".to_owned());
    }
    if let Some((name, _)) = plan.rollout.pools.iter().find(|(_, pool)| pool.hosts == 0) {
        return Some(format!("no host of {name} may be worked on: its concurrency is 0"));
    }
    let mut seen = BTreeSet::new();
    for (index, wave) in (0_u32..).zip(&plan.rollout.waves) {
        for name in &wave.hosts {
            match plan.hosts.get(name) {
                None => return Some(format!("host {name} of wave {} is not in the plan", wave.name)),
                Some(host) if host.wave != index => {
                    return Some(format!("host {name} is in wave {} but says {}", index, host.wave));
                }
                Some(_) if !seen.insert(name) => return Some(format!("host {name} is in two waves")),
                Some(_) => {}
            }
        }
    }
    if let Some(name) = plan.hosts.keys().find(|name| !seen.contains(name)) {
        return Some(format!("host {name} is in no wave"));
    }
    if let Some(why) = plan.hosts.iter().find_map(|(name, host)| host_problem(plan, name, host)) {
        return Some(why);
    }
    // Who speaks for others goes before them: nobody waits for each other, and no wave for a later one.
    let mut before: BTreeSet<&StepId> = BTreeSet::new();
    for host in plan.rollout.waves.iter().flat_map(|wave| &wave.hosts).filter_map(|name| plan.hosts.get(name)) {
        for (step, need) in host.steps.iter().flat_map(|step| step.foreign_needs().map(move |need| (step, need))) {
            if !before.contains(need) {
                return Some(format!("step {} needs {need}, which no host before it has", step.id));
            }
        }
        before.extend(host.steps.iter().map(|step| &step.id));
    }
    None
}

fn host_problem(plan: &Plan, name: &HostName, host: &HostPlan) -> Option<String> {
    if host.host.name != *name {
        return Some(format!("host {name} is described as {}", host.host.name));
    }
    if let Some(group) = host.group.as_ref().filter(|group| !plan.rollout.groups.contains_key(*group)) {
        return Some(format!("host {name} is in group {group}, which has no budget"));
    }
    if let Some(pool) = host.pools.iter().find(|pool| !plan.rollout.pools.contains_key(*pool)) {
        return Some(format!("host {name} is in pool {pool}, which has no limit"));
    }
    if let Some(set) = host.windows.as_ref().filter(|set| !plan.windows.contains_key(*set)) {
        return Some(format!("host {name} waits for windows {set}, which are not in the plan"));
    }
    if host.steps.is_empty() {
        return Some(format!("host {name} has no steps"));
    }
    let mut ids: BTreeSet<&StepId> = BTreeSet::new();
    let mut before: BTreeSet<&StepId> = BTreeSet::new();
    for step in &host.steps {
        let own = |need: &&StepId| need.host() == name.as_str();
        if let Some(need) = step.needs.iter().filter(own).find(|need| !before.contains(need)) {
            return Some(format!("step {} needs {need}, which does not come before it", step.id));
        }
        before.insert(&step.id);
        for id in std::iter::once(step).chain(&step.undo).map(|step| &step.id) {
            if id.host() != name.as_str() || !ids.insert(id) {
                return Some(format!("step {id} of host {name} is there twice or is not its own"));
            }
        }
    }
    None
}
