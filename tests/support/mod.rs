//! Plans for simulated fleets, made by hand so that every shape can be drawn from a seed.
#![expect(clippy::unwrap_used, reason = "tests may panic")]
#![allow(dead_code, reason = "each test target uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use switchback::model::{
    Assessment, Command, Decision, DecisionKind, Digest, Fix, HostName, Importance, Interval, PackageFix, Priority,
    Program, RuleName, RuleRef, StepId, TimeSpan,
};
use switchback::plan::{
    Action, BudgetGroup, HostPlan, PLAN_FORMAT, Plan, PlanReport, PlanWindow, Reason, Rollout, Step, StepKind,
    Strategy, Wave,
};
use switchback::sim::{Rng, SimFleet, SimHost, fleet};

/// When simulated campaigns start.
pub fn start() -> Timestamp {
    "2026-03-07T20:00:00Z".parse().unwrap()
}

pub fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

pub fn host(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

/// What a plan is to be like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub hosts: usize,
    /// Sizes of the waves; the last takes the rest. The first is the canary if it soaks.
    pub canary: Option<TimeSpan>,
    pub waves: Vec<usize>,
    pub max_unavailable: Option<u32>,
    pub failure_budget: u32,
    pub concurrency: u32,
    /// The length of the nightly window, where there is one.
    pub windows: Option<TimeSpan>,
    pub switch: bool,
    pub reboot: Reboots,
    pub backup: bool,
    pub soak: TimeSpan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reboots {
    Never,
    WhenRequired,
    Always,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            hosts: 3,
            canary: None,
            waves: vec![],
            max_unavailable: Some(1),
            failure_budget: 5,
            concurrency: 10,
            windows: None,
            switch: true,
            reboot: Reboots::WhenRequired,
            backup: true,
            soak: TimeSpan::minutes(5),
        }
    }
}

impl Shape {
    pub fn draw(rng: &mut Rng) -> Self {
        let reboots = [Reboots::Never, Reboots::WhenRequired, Reboots::WhenRequired, Reboots::Always];
        Self {
            hosts: usize::try_from(rng.between(1, 9)).unwrap(),
            canary: rng.percent(50).then(|| TimeSpan::minutes(rng.between(0, 30))),
            waves: if rng.percent(50) { vec![usize::try_from(rng.between(1, 3)).unwrap()] } else { vec![] },
            max_unavailable: rng.percent(80).then(|| u32::try_from(rng.between(1, 3)).unwrap()),
            failure_budget: u32::try_from(rng.between(1, 5)).unwrap(),
            concurrency: u32::try_from(rng.between(1, 6)).unwrap(),
            windows: rng.percent(50).then(|| TimeSpan::minutes(rng.between(30, 120))),
            switch: rng.percent(70),
            reboot: *rng.pick(&reboots).unwrap(),
            backup: !rng.percent(7),
            soak: TimeSpan::minutes(rng.between(0, 10)),
        }
    }
}

/// A fleet and a plan that fixes all of it.
pub fn sample(shape: &Shape, seed: u64) -> (SimFleet, Arc<Plan>, Digest) {
    let mut fleet = fleet(shape.hosts, seed);
    for host in fleet.hosts.iter_mut().filter(|_| !shape.switch) {
        host.host.switch = None;
    }
    let plan = plan_for(shape, &fleet, seed);
    let digest = Digest::of(&serde_json::to_vec(&plan).unwrap());
    (fleet, Arc::new(plan), digest)
}

fn plan_for(shape: &Shape, fleet: &SimFleet, seed: u64) -> Plan {
    let names: Vec<HostName> = fleet.inventory().into_iter().map(|host| host.name).collect();
    let mut left = names.clone();
    let mut waves = Vec::new();
    if let Some(soak) = shape.canary {
        waves.push(Wave { name: name("canary"), hosts: left.drain(..1).collect(), soak });
    }
    for (i, size) in shape.waves.iter().enumerate() {
        let hosts: Vec<HostName> = left.drain(..(*size).min(left.len())).collect();
        if !hosts.is_empty() {
            waves.push(Wave { name: name(&format!("wave {}", i + 1)), hosts, soak: TimeSpan::minutes(3) });
        }
    }
    if !left.is_empty() {
        waves.push(Wave { name: name("wave 9"), hosts: left, soak: TimeSpan::ZERO });
    }
    let mut groups: BTreeMap<RuleName, BudgetGroup> = BTreeMap::new();
    let mut hosts = BTreeMap::new();
    for host in &fleet.hosts {
        let group = shape.max_unavailable.map(|max_unavailable| {
            let service = name(&host.host.labels["service"]);
            groups.entry(service.clone()).or_insert(BudgetGroup { max_unavailable, size: 0 }).size += 1;
            service
        });
        let wave = waves.iter().position(|wave| wave.hosts.contains(&host.host.name)).unwrap();
        hosts.insert(host.host.name.clone(), host_plan(shape, host, u32::try_from(wave).unwrap(), group));
    }
    for group in groups.values_mut() {
        // The checker wants a service to keep one of its hosts, if it has more than one.
        group.max_unavailable = group.max_unavailable.min(group.size.saturating_sub(1).max(1));
    }
    let mut windows = BTreeMap::new();
    if let Some(length) = shape.windows {
        let nights = (0..60).map(|day| {
            let start = TimeSpan::hours(24 * day + 2).after(start());
            PlanWindow { interval: Interval { start, end: length.after(start) }, name: name("night") }
        });
        windows.insert(name("nights"), nights.collect());
    }
    Plan {
        format: PLAN_FORMAT,
        made_by: "test".to_owned(),
        as_of: start(),
        seed,
        tzdata: "none".to_owned(),
        inputs: BTreeMap::new(),
        rollout: Rollout {
            waves,
            groups,
            // The checker wants it to pause before every host has failed.
            failure_budget: shape.failure_budget.clamp(1, u32::try_from(shape.hosts).unwrap()),
            concurrency: shape.concurrency,
            margin: TimeSpan::minutes(5),
            domain: None,
        },
        windows,
        hosts,
        approvals: Vec::new(),
        scripts: BTreeMap::new(),
        report: report(fleet),
    }
}

/// Every finding is to be fixed.
fn report(fleet: &SimFleet) -> PlanReport {
    let rule = || RuleRef { name: name("default"), place: None };
    let mut decisions: Vec<Decision> = Vec::new();
    for host in &fleet.hosts {
        decisions.extend(host.scan(start()).findings.into_iter().map(|finding| Decision {
            emergency: false,
            finding: finding.id,
            host: host.host.name.clone(),
            kind: DecisionKind::Fix,
            assessment: Assessment {
                score: None,
                parts: vec![],
                priority: Priority::High,
                rule: rule(),
                reason: None,
                importance: Importance::General,
            },
            rule: rule(),
            reason: "a test asks for it".to_owned(),
            due: None,
            expires: None,
        }));
    }
    decisions.sort_by(|a, b| (&a.host, &a.finding).cmp(&(&b.host, &b.finding)));
    let findings = decisions.len() as u64;
    let decided = BTreeMap::from([(DecisionKind::Fix, findings)]);
    PlanReport { findings, decided, decisions, ..PlanReport::default() }
}

fn host_plan(shape: &Shape, host: &SimHost, wave: u32, group: Option<RuleName>) -> HostPlan {
    let name_of = &host.host.name;
    let id = |step: &str| StepId::of(name_of, step);
    let mut steps: Vec<Step> = Vec::new();
    let mut push = |kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>| {
        let needs = steps.last().map(|step| step.id.clone()).into_iter().collect();
        let timeout = expected.plus(expected).plus(TimeSpan::minutes(10));
        steps.push(Step {
            id: id(kind.as_str()),
            kind,
            needs,
            on: None,
            stands_for: vec![],
            action,
            undo,
            expected,
            timeout,
        });
    };
    let check = || Action::Check { commands: vec![command("look")], probes: vec![] };
    push(StepKind::Preflight, check(), TimeSpan::seconds(20), vec![]);
    if shape.backup {
        push(StepKind::Backup, Action::Backup { keep: TimeSpan::days(7) }, TimeSpan::minutes(1), vec![]);
    }
    if shape.switch {
        let back = step(id("undrain-back"), StepKind::Undrain, Action::Undrain, TimeSpan::seconds(10), vec![]);
        let drain = Action::Drain { idle_within: TimeSpan::minutes(5) };
        push(StepKind::Drain, drain, TimeSpan::seconds(30), vec![back]);
    }
    let mut undo = Vec::new();
    if shape.backup {
        let restore = Action::Restore { backup: id("backup"), back_within: TimeSpan::minutes(10) };
        undo.push(step(id("restore"), StepKind::Restore, restore, TimeSpan::minutes(2), vec![]));
        undo.push(step(
            id("verify_restored"),
            StepKind::VerifyRestored,
            check(),
            TimeSpan::seconds(20),
            vec![id("restore")],
        ));
    }
    push(StepKind::Fix, Action::Change { commands: vec![command("fix")] }, TimeSpan::minutes(3), undo);
    push(StepKind::Restart, Action::Change { commands: vec![command("restart")] }, TimeSpan::seconds(20), vec![]);
    if shape.reboot != Reboots::Never {
        let required = (shape.reboot == Reboots::WhenRequired).then(|| command("reboot-required"));
        let back_within = TimeSpan::minutes(10);
        let action = Action::Reboot { required, command: command("reboot"), back_within };
        push(StepKind::Reboot, action, TimeSpan::minutes(1), vec![]);
    }
    push(StepKind::Verify, check(), TimeSpan::seconds(20), vec![]);
    if shape.switch {
        let drain = Action::Drain { idle_within: TimeSpan::minutes(5) };
        let back = step(id("drain-back"), StepKind::Drain, drain, TimeSpan::seconds(30), vec![]);
        push(StepKind::Undrain, Action::Undrain, TimeSpan::seconds(10), vec![back]);
    }
    let soak = Action::Soak {
        span: shape.soak,
        every: TimeSpan::seconds(30),
        commands: vec![command("look")],
        probes: vec![],
    };
    push(StepKind::Soak, soak, shape.soak, vec![]);
    let packages = host.offers.iter().map(|(package, offer)| PackageFix {
        name: package.clone(),
        from: host.disk.installed.get(package).cloned(),
        to: Some(offer.version.clone()),
    });
    let mut findings: Vec<_> = host.scan(start()).findings.into_iter().map(|finding| finding.id).collect();
    findings.sort();
    HostPlan {
        host: host.host.clone(),
        importance: Importance::General,
        priority: Priority::High,
        strategy: Strategy::InPlace,
        strategy_reason: Reason::new("strategy", "asked for"),
        cohort: name("debian-12"),
        fix: Fix { packages: packages.collect(), findings },
        playbook: name("linux-apt"),
        wave,
        emergency: false,
        group,
        windows: shape.windows.map(|_| name("nights")),
        quarantine: TimeSpan::days(30),
        without_backup: !shape.backup,
        steps,
    }
}

fn step(id: StepId, kind: StepKind, action: Action, expected: TimeSpan, needs: Vec<StepId>) -> Step {
    let timeout = expected.plus(TimeSpan::minutes(15));
    Step { id, kind, needs, on: None, stands_for: vec![], action, undo: vec![], expected, timeout }
}

fn command(text: &str) -> Command {
    Command {
        name: text.to_owned(),
        program: Program::Argv,
        argv: vec![text.to_owned()],
        env: BTreeMap::new(),
        env_facts: BTreeMap::new(),
        root: true,
        timeout: TimeSpan::minutes(1),
        repeatable: false,
    }
}
