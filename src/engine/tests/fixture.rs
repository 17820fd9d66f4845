//! Small plans, built from types.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Fix, Host, HostName, Importance, Interval, Priority, RuleName, StepId, TimeSpan};
use crate::plan::{
    Action, BudgetGroup, HostPlan, PLAN_FORMAT, Plan, PlanReport, PlanWindow, Pool, PoolOf, Reason, Rollout, Step,
    StepKind, Strategy, Wave,
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

/// How a host is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    InPlace,
    /// Tried on a clone first.
    Tried,
    /// A clone takes its traffic, then its place.
    Switched,
}

/// What is varied from host to host.
#[derive(Clone, Debug)]
pub struct HostSpec {
    pub group: Option<u8>,
    pub pools: Vec<u8>,
    pub windows: Option<u8>,
    pub backup: bool,
    pub drain: bool,
    pub restart: bool,
    pub reboot: bool,
    pub soak: bool,
    pub way: Way,
    /// The number of the host that must have succeeded before, if it comes before.
    pub pilot: Option<usize>,
    /// Expected seconds of each step; limits are twenty times as long.
    pub expected: u64,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            group: None,
            pools: Vec::new(),
            windows: None,
            backup: true,
            drain: true,
            restart: true,
            reboot: true,
            soak: true,
            way: Way::InPlace,
            pilot: None,
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
    /// How many hosts of each pool at once.
    pub pools: Vec<u32>,
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
            pools: vec![],
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
            plans.insert(host.clone(), Arc::new(host_plan(host, spec, u32::try_from(wave).unwrap())));
        }
        for (host, spec) in names.iter().zip(&self.hosts) {
            let pilot = spec.pilot.and_then(|pilot| names.get(pilot)).filter(|pilot| *pilot < host);
            let speaks = |step: &&Step| matches!(step.kind, StepKind::Soak | StepKind::Verify) && step.on.is_none();
            let Some(need) = pilot.and_then(|pilot| plans[pilot].steps.iter().rev().find(speaks)) else { continue };
            let need = need.id.clone();
            Arc::make_mut(plans.get_mut(host).unwrap()).steps[0].needs.push(need);
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
                pools: self
                    .pools
                    .iter()
                    .enumerate()
                    .map(|(i, &hosts)| (name(&format!("pool {i}")), pool(hosts)))
                    .collect(),
                margin: TimeSpan::seconds(self.margin),
                domain: None,
            },
            windows: windows.collect(),
            hosts: plans,
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
}

fn pool(hosts: u32) -> Pool {
    Pool { hosts, of: PoolOf::All, clones: false }
}

fn host_plan(host: &HostName, spec: &HostSpec, wave: u32) -> HostPlan {
    use StepKind as K;
    let clone = StepId::of(host, "clone");
    let step = |kind: StepKind, id: &str, undo: Vec<Step>| Step {
        id: StepId::of(host, id),
        kind,
        needs: vec![],
        on: None,
        stands_for: Vec::new(),
        action: match kind {
            K::Destroy => Action::Destroy { clone: clone.clone(), keep_failed: TimeSpan::ZERO },
            _ => Action::Undrain,
        },
        undo,
        expected: TimeSpan::seconds(spec.expected),
        timeout: TimeSpan::seconds(spec.expected * 20),
    };
    let undo = |steps: &[(StepKind, &str)]| steps.iter().map(|(kind, id)| step(*kind, id, vec![])).collect();
    let (cloned, tried, switched) = (spec.way != Way::InPlace, spec.way == Way::Tried, spec.way == Way::Switched);
    let restore = if spec.backup || cloned {
        undo(&[(K::Restore, "restore"), (K::VerifyRestored, "verify_restored")])
    } else {
        vec![]
    };
    let drained = |way: &[(StepKind, &str)]| if switched { vec![] } else { undo(way) };
    let switch_back = undo(&[(K::SwitchBack, "switch_back"), (K::VerifyOriginal, "verify_original")]);
    // Kind, whether it is on the clone, whether it is wanted, what takes it back.
    let kinds = [
        (K::Preflight, false, true, vec![]),
        (K::Backup, false, spec.backup || cloned, vec![]),
        (K::Clone, false, cloned, undo(&[(K::Destroy, "undo-clone")])),
        (K::Preflight, true, cloned, vec![]),
        (K::Fix, true, cloned, vec![]),
        (K::Restart, true, cloned && spec.restart, vec![]),
        (K::Reboot, true, cloned && spec.reboot, vec![]),
        (K::Verify, true, cloned, vec![]),
        (K::Destroy, false, tried, vec![]),
        (K::Switchover, false, switched, switch_back),
        (K::Observe, true, switched, vec![]),
        (K::Drain, false, spec.drain || switched, drained(&[(K::Undrain, "undo-drain")])),
        (K::Fix, false, !switched, restore.clone()),
        (K::Promote, false, switched, restore),
        (K::Restart, false, spec.restart && !switched, vec![]),
        (K::Reboot, false, spec.reboot && !switched, vec![]),
        (K::Verify, false, true, vec![]),
        (K::Undrain, false, spec.drain || switched, undo(&[(K::Drain, "undo-undrain")])),
        (K::Soak, false, spec.soak, vec![]),
    ];
    let mut steps: Vec<Step> = Vec::new();
    for (kind, on, _, undo) in kinds.into_iter().filter(|(.., wanted, _)| *wanted) {
        let needs = steps.last().map(|last| last.id.clone()).into_iter().collect();
        let id = if on && kind != K::Observe { format!("{kind}-clone") } else { kind.to_string() };
        steps.push(Step { needs, on: on.then(|| clone.clone()), ..step(kind, &id, undo) });
    }
    HostPlan {
        host: Host::named(host.clone()),
        importance: Importance::General,
        priority: Priority::High,
        strategy: if switched { Strategy::CloneAndSwitch } else { Strategy::InPlace },
        strategy_reason: Reason::new("strategy", "asked for"),
        cohort: name("debian-12"),
        fix: Fix { packages: vec![], findings: vec![] },
        playbook: name("test"),
        wave,
        emergency: false,
        group: spec.group.map(|group| name(&format!("group {group}"))),
        pools: spec.pools.iter().map(|pool| name(&format!("pool {pool}"))).collect(),
        windows: spec.windows.map(|set| name(&format!("set {set}"))),
        quarantine: TimeSpan::days(30),
        without_backup: !spec.backup && !cloned,
        steps,
    }
}
