//! Plans for simulated fleets, made as the planner makes them and without its inputs.
#![expect(clippy::unwrap_used, reason = "names and ids are constants, or made of valid ones")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    Assessment, Command, Decision, DecisionKind, Digest, FactRef, Fix, HostName, Importance, Interval, PackageFix,
    PackageName, Priority, Program, RuleName, RuleRef, StepId, TimeSpan,
};
use crate::plan::{
    AFTER_PILOT, AFTER_TRIAL, Action, BudgetGroup, HostPlan, PLAN_FORMAT, Plan, PlanReport, PlanWindow, Pool, PoolOf,
    Reason, Rollout, Step, StepKind, Strategy, Wave,
};
use crate::playbook::LEFT_OUT;

use super::approve;
use super::{Reboots, Shape, SimFleet, SimHost, Way, fleet};

/// The variable in which commands get the names of packages to leave out.
pub(super) const LEAVE_OUT: &str = "LEAVE_OUT";

/// When simulated campaigns start.
pub fn start() -> Timestamp {
    "2026-03-07T20:00:00Z".parse().unwrap()
}

fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

/// A fleet and a plan that fixes all of it.
pub fn sample(shape: &Shape, seed: u64) -> (SimFleet, Arc<Plan>, Digest) {
    sample_without(shape, seed, &BTreeSet::new())
}

/// The same without some of its hosts.
pub(super) fn sample_without(shape: &Shape, seed: u64, without: &BTreeSet<HostName>) -> (SimFleet, Arc<Plan>, Digest) {
    let mut fleet = fleet(shape.hosts, seed);
    fleet.hosts.retain(|host| !without.contains(&host.host.name));
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
    if let Some(soak) = shape.canary.filter(|_| !left.is_empty()) {
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
    // Waves keep the order of the fleet: who speaks for a cohort is in no later wave than the others.
    let mut pilots: BTreeMap<RuleName, Pilot> = BTreeMap::new();
    for host in &fleet.hosts {
        let group = shape.max_unavailable.map(|max_unavailable| {
            let service = name(&host.host.labels["service"]);
            groups.entry(service.clone()).or_insert(BudgetGroup { max_unavailable, size: 0 }).size += 1;
            service
        });
        let wave = waves.iter().position(|wave| wave.hosts.contains(&host.host.name)).unwrap();
        let cohort = cohort(host);
        let role = role(shape, host, pilots.get(&cohort));
        let planned = host_plan(shape, host, &role, u32::try_from(wave).unwrap(), group);
        pilots.entry(cohort).or_insert_with(|| Pilot {
            tried: planned.steps.iter().find(|s| s.kind == StepKind::Verify && s.on.is_some()).map(|s| s.id.clone()),
            fixed: StepId::of(&host.host.name, "soak"),
            search: planned.steps.iter().find(|s| s.kind == StepKind::Bisect).map(|s| s.id.clone()),
        });
        hosts.insert(host.host.name.clone(), Arc::new(planned));
    }
    for group in groups.values_mut() {
        // The checker wants a service to keep one of its hosts, if it has more than one.
        group.max_unavailable = group.max_unavailable.min(group.size.saturating_sub(1).max(1));
    }
    let mut pools = BTreeMap::new();
    if let Some(limit) = shape.clones.filter(|_| hosts.values().any(|host| makes_clones(host))) {
        pools.insert(name("clones"), Pool { hosts: limit, of: PoolOf::All, clones: true });
        for host in hosts.values_mut().filter(|host| makes_clones(host)) {
            Arc::make_mut(host).pools.insert(name("clones"));
        }
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
            failure_budget: shape.failure_budget.clamp(1, u32::try_from(names.len()).unwrap().max(1)),
            concurrency: shape.concurrency,
            pools,
            margin: TimeSpan::minutes(5),
            domain: None,
        },
        windows,
        hosts,
        approvals: shape.approvals.and_then(|valid_for| approve::rule(valid_for, &names)).into_iter().collect(),
        author: None,
        ticket: None,
        signers: BTreeMap::new(),
        change: None,
        notify: Vec::new(),
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
            first_seen: None,
            due: None,
            expires: None,
        }));
    }
    decisions.sort_by(|a, b| (&a.host, &a.finding).cmp(&(&b.host, &b.finding)));
    let findings = decisions.len() as u64;
    let decided = BTreeMap::from([(DecisionKind::Fix, findings)]);
    PlanReport { findings, decided, decisions, ..PlanReport::default() }
}

/// Who goes first in a cohort: what succeeds on it speaks for the others.
struct Pilot {
    tried: Option<StepId>,
    fixed: StepId,
    search: Option<StepId>,
}

/// How one host is fixed.
struct Role {
    strategy: Strategy,
    trial: bool,
    waits_for: Vec<StepId>,
    /// The search of another host that tells what to leave out.
    told_by: Option<StepId>,
}

fn cohort(host: &SimHost) -> RuleName {
    name(&format!("debian-12-{}", host.host.groups.first().unwrap()))
}

/// As the planner gives roles.
fn role(shape: &Shape, host: &SimHost, pilot: Option<&Pilot>) -> Role {
    let in_place = |trial, waits_for| Role { strategy: Strategy::InPlace, trial, waits_for, told_by: None };
    let stateful = shape.stateful && cohort(host).as_str().ends_with("-db");
    let switches = shape.backup && host.host.switch.is_some() && !stateful;
    let mut role = match (shape.way, pilot) {
        (Way::InPlace, _) => in_place(false, vec![]),
        (Way::EachTried, _) => in_place(shape.backup, vec![]),
        (Way::FirstTried, Some(pilot)) => in_place(false, pilot.tried.iter().cloned().collect()),
        (Way::Auto, Some(pilot)) => in_place(false, vec![pilot.fixed.clone()]),
        (Way::Auto | Way::CloneAndSwitch, _) if switches => {
            Role { strategy: Strategy::CloneAndSwitch, trial: true, waits_for: vec![], told_by: None }
        }
        (Way::FirstTried | Way::Auto | Way::CloneAndSwitch, _) => in_place(shape.backup, vec![]),
    };
    role.told_by = pilot.filter(|_| !role.waits_for.is_empty()).and_then(|pilot| pilot.search.clone());
    role
}

/// A chain of steps, each behind the one before.
struct Steps<'a> {
    host: &'a HostName,
    steps: Vec<Step>,
}

impl Steps<'_> {
    fn id(&self, step: &str) -> StepId {
        StepId::of(self.host, step)
    }

    fn push(&mut self, kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>) {
        let id = self.id(kind.as_str());
        self.push_as(id, kind, None, action, expected, undo);
    }

    fn push_on(&mut self, clone: &StepId, kind: StepKind, action: Action, expected: TimeSpan) {
        let id = if kind == StepKind::Observe { "observe".to_owned() } else { format!("{kind}-clone") };
        self.push_as(self.id(&id), kind, Some(clone.clone()), action, expected, vec![]);
    }

    fn push_as(
        &mut self,
        id: StepId,
        kind: StepKind,
        on: Option<StepId>,
        action: Action,
        expected: TimeSpan,
        undo: Vec<Step>,
    ) {
        // What stands for others is done only when they fail.
        let before = self.steps.iter().rev().find(|step| step.stands_for.is_empty());
        let needs = before.map(|step| step.id.clone()).into_iter().collect();
        let timeout = expected.plus(expected).plus(TimeSpan::minutes(10));
        self.steps.push(Step { id, kind, needs, on, stands_for: vec![], action, undo, expected, timeout });
    }

    /// Fix, restart, reboot and verify, on the host or its clone.
    fn fixes(&mut self, shape: &Shape, on: Option<&StepId>, undo: Vec<Step>) {
        let change = |text: &str| Action::Change { commands: vec![command(text)] };
        let mut steps = vec![
            (StepKind::Fix, change("fix"), TimeSpan::minutes(3), undo),
            (StepKind::Restart, change("restart"), TimeSpan::seconds(20), vec![]),
        ];
        if shape.reboot != Reboots::Never {
            let required = (shape.reboot == Reboots::WhenRequired).then(|| command("reboot-required"));
            let action = Action::Reboot { required, command: command("reboot"), back_within: BACK_WITHIN };
            steps.push((StepKind::Reboot, action, TimeSpan::minutes(1), vec![]));
        }
        steps.push((StepKind::Verify, check(), TimeSpan::seconds(20), vec![]));
        for (kind, action, expected, undo) in steps {
            match on {
                Some(clone) => self.push_on(clone, kind, action, expected),
                None => self.push(kind, action, expected, undo),
            }
        }
    }

    /// Where the trial fails: which packages are to blame.
    fn bisect(&mut self, units: Vec<Vec<PackageName>>) {
        let trial: Vec<&Step> = self.steps.iter().filter(|step| step.on.is_some()).collect();
        let once = trial.iter().fold(TimeSpan::minutes(30), |sum, step| sum.plus(step.timeout));
        let steps: Vec<StepId> = trial.iter().map(|step| step.id.clone()).collect();
        let trials = 2 * (units.len().ilog2() + 2);
        let (clone, stands_for) = (self.id("clone"), steps.iter().skip(1).cloned().collect());
        self.steps.push(Step {
            id: self.id("bisect"),
            kind: StepKind::Bisect,
            needs: vec![clone.clone()],
            on: None,
            stands_for,
            action: Action::Bisect {
                backup: self.id("backup"),
                clone,
                steps,
                units,
                variable: LEAVE_OUT.to_owned(),
                back_within: BACK_WITHIN,
                trials,
            },
            undo: vec![],
            expected: TimeSpan::ZERO,
            timeout: (0..trials).fold(TimeSpan::ZERO, |sum, _| sum.plus(once)),
        });
    }

    /// Tells steps where the names of what is left out stand.
    fn tell_what_is_left_out(&mut self, told_by: Option<&StepId>) {
        let search = self.steps.iter().position(|step| step.kind == StepKind::Bisect);
        let own = search.map(|at| self.steps[at].id.clone());
        for (index, step) in self.steps.iter_mut().enumerate() {
            let told_by =
                if search.is_some_and(|at| index > at) { own.as_ref() } else { told_by.filter(|_| own.is_none()) };
            let (Action::Check { commands, .. } | Action::Change { commands } | Action::Soak { commands, .. }) =
                &mut step.action
            else {
                continue;
            };
            for command in commands {
                match told_by {
                    Some(step) => {
                        let (key, otherwise) = (LEFT_OUT.1.to_owned(), Some(String::new()));
                        command.env_facts.insert(LEAVE_OUT.to_owned(), FactRef { step: step.clone(), key, otherwise });
                    }
                    None => drop(command.env.insert(LEAVE_OUT.to_owned(), String::new())),
                }
            }
        }
    }

    fn drain(&mut self, shape: &Shape, undo: Vec<Step>) {
        if shape.switch {
            self.push(StepKind::Drain, Action::Drain { idle_within: IDLE_WITHIN }, TimeSpan::seconds(30), undo);
        }
    }

    fn put_into_service(&mut self, shape: &Shape, action: Action) {
        if shape.switch {
            let drain = Action::Drain { idle_within: IDLE_WITHIN };
            let back = step(self.id("drain-back"), StepKind::Drain, drain, TimeSpan::seconds(30), vec![]);
            self.push(StepKind::Undrain, action, TimeSpan::seconds(10), vec![back]);
        }
    }

    fn arm(&mut self, shape: &Shape) -> Option<StepId> {
        let after = shape.dead_man.filter(|_| shape.backup)?;
        let arm = self.id("arm");
        let disarm = Action::Disarm { arm: arm.clone() };
        let back = step(self.id("disarm-back"), StepKind::Disarm, disarm, WATCH_TAKES, vec![]);
        let action = Action::Arm { backup: self.id("backup"), after };
        self.push(StepKind::Arm, action, WATCH_TAKES, vec![back]);
        Some(arm)
    }

    fn restore(&self, shape: &Shape) -> Vec<Step> {
        if !shape.backup {
            return vec![];
        }
        let id = self.id("restore");
        let restore = Action::Restore { backup: self.id("backup"), back_within: BACK_WITHIN };
        let verify = self.id("verify_restored");
        vec![
            step(id.clone(), StepKind::Restore, restore, TimeSpan::minutes(2), vec![]),
            step(verify, StepKind::VerifyRestored, check(), TimeSpan::seconds(20), vec![id]),
        ]
    }
}

const BACK_WITHIN: TimeSpan = TimeSpan::minutes(10);
const IDLE_WITHIN: TimeSpan = TimeSpan::minutes(5);
const WATCH_TAKES: TimeSpan = TimeSpan::seconds(5);

fn check() -> Action {
    Action::Check { commands: vec![command("look")], probes: vec![] }
}

fn watch(span: TimeSpan) -> Action {
    Action::Soak { span, every: TimeSpan::seconds(30), commands: vec![command("look")], probes: vec![] }
}

fn steps(shape: &Shape, host: &HostName, role: &Role, units: Vec<Vec<PackageName>>) -> Vec<Step> {
    let mut chain = Steps { host, steps: vec![] };
    let clone = chain.id("clone");
    chain.push(StepKind::Preflight, check(), TimeSpan::seconds(20), vec![]);
    chain.steps[0].needs = role.waits_for.clone();
    if shape.backup {
        let keep = if shape.keep { TimeSpan::days(7) } else { TimeSpan::ZERO };
        chain.push(StepKind::Backup, Action::Backup { keep }, TimeSpan::minutes(1), vec![]);
    }
    if role.trial {
        let made =
            Action::Clone { backup: chain.id("backup"), back_within: BACK_WITHIN, time_to_live: TimeSpan::days(1) };
        let destroy = Action::Destroy { clone: clone.clone(), keep_failed: shape.keep_failed };
        let back = step(chain.id("destroy-back"), StepKind::Destroy, destroy, TimeSpan::seconds(30), vec![]);
        chain.push(StepKind::Clone, made, TimeSpan::minutes(2), vec![back]);
        chain.push_on(&clone, StepKind::Preflight, check(), TimeSpan::seconds(20));
        chain.fixes(shape, Some(&clone), vec![]);
        if shape.bisect && units.len() > 1 {
            chain.bisect(units);
        }
    }
    match role.strategy {
        Strategy::InPlace => {
            if role.trial {
                let destroy = Action::Destroy { clone, keep_failed: TimeSpan::ZERO };
                chain.push(StepKind::Destroy, destroy, TimeSpan::seconds(30), vec![]);
            }
            let id = chain.id("undrain-back");
            chain.drain(shape, vec![step(id, StepKind::Undrain, Action::Undrain, TimeSpan::seconds(10), vec![])]);
            let armed = chain.arm(shape);
            chain.fixes(shape, None, chain.restore(shape));
            if let Some(arm) = armed {
                chain.push(StepKind::Disarm, Action::Disarm { arm }, WATCH_TAKES, vec![]);
            }
            chain.put_into_service(shape, Action::Undrain);
            chain.push(StepKind::Soak, watch(shape.soak), shape.soak, vec![]);
            release(shape, &mut chain, None);
        }
        Strategy::CloneAndSwitch => {
            let back = Action::SwitchBack { clone: clone.clone() };
            let id = chain.id("switch_back");
            let verify = chain.id("verify_original");
            let undo = vec![
                step(id.clone(), StepKind::SwitchBack, back.clone(), TimeSpan::seconds(10), vec![]),
                step(verify, StepKind::VerifyOriginal, check(), TimeSpan::seconds(20), vec![id]),
            ];
            let over = Action::Switchover { clone: clone.clone() };
            chain.push(StepKind::Switchover, over, TimeSpan::seconds(10), undo);
            chain.push_on(&clone, StepKind::Observe, watch(shape.soak), shape.soak);
            chain.drain(shape, vec![]);
            let promote = Action::Promote { clone, back_within: BACK_WITHIN };
            chain.push(StepKind::Promote, promote, TimeSpan::minutes(2), chain.restore(shape));
            chain.push(StepKind::Verify, check(), TimeSpan::seconds(20), vec![]);
            chain.put_into_service(shape, back);
            let again = shape.soak.min(TimeSpan::minutes(2));
            chain.push(StepKind::Soak, watch(again), again, vec![]);
            let promote = chain.id("promote");
            release(shape, &mut chain, Some(promote));
        }
        // No shape is one.
        Strategy::Drill => {}
    }
    chain.tell_what_is_left_out(role.told_by.as_ref());
    chain.steps
}

fn release(shape: &Shape, chain: &mut Steps<'_>, promote: Option<StepId>) {
    if shape.backup && !shape.keep {
        let action = Action::Release { backup: chain.id("backup"), promote };
        chain.push(StepKind::Release, action, TimeSpan::seconds(30), vec![]);
    }
}

fn host_plan(shape: &Shape, host: &SimHost, role: &Role, wave: u32, group: Option<RuleName>) -> HostPlan {
    let packages: Vec<PackageFix> = host
        .offers
        .iter()
        .map(|(package, offer)| PackageFix {
            name: package.clone(),
            from: host.disk.installed.get(package).cloned(),
            to: Some(offer.version.clone()),
        })
        .collect();
    let steps = steps(shape, &host.host.name, role, units(&packages));
    let mut findings: Vec<_> = host.scan(start()).findings.into_iter().map(|finding| finding.id).collect();
    findings.sort();
    HostPlan {
        host: host.host.clone(),
        importance: Importance::General,
        priority: Priority::High,
        strategy: role.strategy,
        strategy_reason: Reason::new(
            match (role.waits_for.is_empty(), shape.way) {
                (true, _) => "strategy",
                (false, Way::Auto) => AFTER_PILOT,
                (false, _) => AFTER_TRIAL,
            },
            "asked for",
        ),
        cohort: cohort(host),
        fix: Fix { packages, findings },
        playbook: name("linux-apt"),
        wave,
        emergency: false,
        group,
        pools: BTreeSet::new(),
        windows: shape.windows.map(|_| name("nights")),
        quarantine: TimeSpan::days(30),
        without_backup: !shape.backup,
        steps,
    }
}

fn makes_clones(host: &HostPlan) -> bool {
    host.steps.iter().any(|step| matches!(step.action, Action::Clone { .. }))
}

/// Packages of one source have the same versions, and go together.
fn units(packages: &[PackageFix]) -> Vec<Vec<PackageName>> {
    let mut units: Vec<(&PackageFix, Vec<PackageName>)> = Vec::new();
    for package in packages {
        match units.iter_mut().find(|(first, _)| (&first.from, &first.to) == (&package.from, &package.to)) {
            Some((_, names)) => names.push(package.name.clone()),
            None => units.push((package, vec![package.name.clone()])),
        }
    }
    units.into_iter().map(|(_, names)| names).collect()
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
