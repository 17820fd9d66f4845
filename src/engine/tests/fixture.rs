//! Small plans, built from types.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{Fix, Host, HostName, Importance, Interval, Priority, RuleName, StepId, TimeSpan};
use crate::plan::{
    Action, BudgetGroup, HostPlan, PLAN_FORMAT, Plan, PlanReport, PlanWindow, Reason, Rollout, Step, StepKind,
    Strategy, Wave,
};

/// The time at which test campaigns start.
pub const START: i64 = 1_800_000_000;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

pub fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

pub fn host_name(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

/// What is varied from host to host.
#[derive(Clone, Debug)]
pub struct HostSpec {
    pub group: Option<u8>,
    pub windows: Option<u8>,
    pub backup: bool,
    pub drain: bool,
    pub restart: bool,
    pub reboot: bool,
    pub soak: bool,
    /// Expected seconds of each step; limits are twenty times as long.
    pub expected: u64,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            group: None,
            windows: None,
            backup: true,
            drain: true,
            restart: true,
            reboot: true,
            soak: true,
            expected: 30,
        }
    }
}

/// What is varied from plan to plan.
#[derive(Clone, Debug)]
pub struct PlanSpec {
    pub hosts: Vec<HostSpec>,
    /// How many hosts each wave takes; the last takes the rest.
    pub waves: Vec<usize>,
    pub canary: bool,
    pub soak: u64,
    pub groups: Vec<u32>,
    /// Sets of (start, end) in seconds after the start.
    pub windows: Vec<Vec<(i64, i64)>>,
    pub failure_budget: u32,
    pub concurrency: u32,
    pub margin: u64,
}

impl Default for PlanSpec {
    fn default() -> Self {
        Self {
            hosts: vec![HostSpec::default()],
            waves: vec![],
            canary: false,
            soak: 0,
            groups: vec![],
            windows: vec![],
            failure_budget: 100,
            concurrency: 100,
            margin: 0,
        }
    }
}

impl PlanSpec {
    pub fn hosts(count: usize) -> Self {
        Self { hosts: vec![HostSpec::default(); count], ..Self::default() }
    }

    pub fn build(&self) -> Plan {
        let names: Vec<HostName> = (0..self.hosts.len()).map(|i| host_name(&format!("h{i:05}"))).collect();
        let mut waves = Vec::new();
        let mut rest = names.as_slice();
        for (index, size) in self.waves.iter().copied().chain([usize::MAX]).enumerate() {
            let (wave, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let soak = TimeSpan::seconds(self.soak);
            let name = crate::engine::wave_name(index, self.canary).unwrap();
            waves.push(Wave { name, hosts: wave.to_vec(), soak });
        }
        let wave_of = |host: &HostName| waves.iter().position(|wave| wave.hosts.contains(host)).unwrap();
        let mut plans = BTreeMap::new();
        let mut wave_by_host: BTreeMap<&HostName, usize> = BTreeMap::new();
        if names.len() > 1000 {
            // Searching waves for each of many hosts would take longer than what is measured.
            wave_by_host = waves.iter().enumerate().flat_map(|(i, w)| w.hosts.iter().map(move |h| (h, i))).collect();
        }
        for (host, spec) in names.iter().zip(&self.hosts) {
            let wave = wave_by_host.get(host).copied().unwrap_or_else(|| wave_of(host));
            plans.insert(host.clone(), host_plan(host, spec, u32::try_from(wave).unwrap()));
        }
        let windows = self.windows.iter().enumerate().map(|(i, set)| {
            let set = set.iter().map(|&(start, end)| PlanWindow {
                interval: Interval { start: at(start), end: at(end) },
                name: name("night"),
            });
            (name(&format!("set {i}")), set.collect())
        });
        let groups = self
            .groups
            .iter()
            .enumerate()
            .map(|(i, &max_unavailable)| (name(&format!("group {i}")), BudgetGroup { max_unavailable, size: 100 }));
        Plan {
            format: PLAN_FORMAT,
            made_by: "test".to_owned(),
            as_of: at(0),
            seed: 0,
            tzdata: "test".to_owned(),
            inputs: BTreeMap::new(),
            rollout: Rollout {
                waves: waves.clone(),
                groups: groups.collect(),
                failure_budget: self.failure_budget,
                concurrency: self.concurrency,
                margin: TimeSpan::seconds(self.margin),
                domain: None,
            },
            windows: windows.collect(),
            hosts: plans,
            approvals: Vec::new(),
            scripts: BTreeMap::new(),
            report: PlanReport::default(),
        }
    }
}

fn host_plan(host: &HostName, spec: &HostSpec, wave: u32) -> HostPlan {
    use StepKind as K;
    let step = |kind: StepKind, id: &str, undo: Vec<Step>| Step {
        id: StepId::of(host, id),
        kind,
        needs: vec![],
        on: None,
        stands_for: Vec::new(),
        action: Action::Undrain,
        undo,
        expected: TimeSpan::seconds(spec.expected),
        timeout: TimeSpan::seconds(spec.expected * 20),
    };
    let restore = vec![step(K::Restore, "restore", vec![]), step(K::VerifyRestored, "verify_restored", vec![])];
    let kinds = [
        (K::Preflight, true, vec![]),
        (K::Backup, spec.backup, vec![]),
        (K::Drain, spec.drain, vec![step(K::Undrain, "undo-drain", vec![])]),
        (K::Fix, true, if spec.backup { restore } else { vec![] }),
        (K::Restart, spec.restart, vec![]),
        (K::Reboot, spec.reboot, vec![]),
        (K::Verify, true, vec![]),
        (K::Undrain, spec.drain, vec![step(K::Drain, "undo-undrain", vec![])]),
        (K::Soak, spec.soak, vec![]),
    ];
    let mut steps: Vec<Step> = Vec::new();
    for (kind, _, undo) in kinds.into_iter().filter(|(_, wanted, _)| *wanted) {
        let needs = steps.last().map(|last| last.id.clone()).into_iter().collect();
        steps.push(Step { needs, ..step(kind, kind.as_str(), undo) });
    }
    HostPlan {
        host: Host::named(host.clone()),
        importance: Importance::General,
        priority: Priority::High,
        strategy: Strategy::InPlace,
        strategy_reason: Reason::new("strategy", "asked for"),
        cohort: name("debian-12"),
        fix: Fix { packages: vec![], findings: vec![] },
        playbook: name("test"),
        wave,
        emergency: false,
        group: spec.group.map(|group| name(&format!("group {group}"))),
        windows: spec.windows.map(|set| name(&format!("set {set}"))),
        quarantine: TimeSpan::days(30),
        without_backup: !spec.backup,
        steps,
    }
}
