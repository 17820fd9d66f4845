//! Plans of the real planner pass; broken in any way that a plan can show, they do not, and the harm is shown as a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchback::model::{HostName, Importance, ProviderSettings, StepId, SwitchSettings, TimeSpan};
use switchback::plan::{AFTER_PILOT, AFTER_TRIAL, Action, HostPlan, Plan, Step, StepKind, check};

use crate::fleet::{Fleet, host};

/// A small generator of numbers: the same seed gives the same fleets and the same mutants.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len())].clone())
    }
}

const WINDOWS: &str = r#"
version: 1
windows:
  - name: nights
    match: {labels: {env: prod}}
    schedule: {rrule: FREQ=DAILY, start: "20:00", duration: 8h, timezone: Europe/Berlin}
"#;

/// A fleet with everything that changes the form of a plan.
fn any_fleet(dice: &mut Dice) -> Fleet {
    let strategy = dice
        .pick(&[
            "default: auto",
            "default: auto",
            "default: auto, test_fix: first_of_cohort",
            "default: auto, stateful: {match: {labels: {role: db}}}",
            "default: in_place, test_fix: first_of_cohort",
            "default: in_place, test_fix: every_host",
            "default: in_place",
            "default: clone_and_switch",
        ])
        .unwrap();
    let domain = if dice.one_in(3) { "one_domain_at_a_time: {label: rack}, " } else { "" };
    let limits = dice
        .pick(&["", ", clones: 1", ", per: [{label: role, hosts: 2, clones: 1}, {label: rack, hosts: 3}]"])
        .unwrap();
    let approvals = if dice.one_in(2) {
        "approvals:\n  - {match: {labels: {role: db}}, required: 2, from: policies/approvers, valid_for: 72h}\n"
    } else {
        ""
    };
    let policy = format!(
        "version: 1\nscope: {{fix: [critical], emergency: {{match: {{vulnerability: CVE-2026-9}}, approvals: 2}}}}\n\
         strategy: {{{strategy}}}\nbackup: {{required: {}, max_age: 1h, keep: 7d}}\nreboot: {}\nverify: {{soak: 5m}}\n\
         rollout: {{{domain}canary: {{hosts: 1, soak: 5m}}, waves: [\"50%\", \"100%\"], \
         max_unavailable: {{per: {{label: service}}, value: \"{}\"}}, failure_budget: {{hosts: 2}}, \
         concurrency: {{hosts: {}{limits}}}}}\n{approvals}",
        dice.one_in(2),
        dice.pick(&["never", "when_required", "always"]).unwrap(),
        1 + dice.roll(3),
        1 + dice.roll(6),
    );
    let mut fleet = Fleet::under(&[("policy.yaml", &policy), ("windows.yaml", WINDOWS)]);
    if dice.one_in(3) {
        fleet.policy.backup.keep = TimeSpan::ZERO;
    }
    for number in 0..2 + dice.roll(9) {
        let name = format!("web-{number}");
        let mut host = host(&name);
        host.provider = (!dice.one_in(6)).then_some(ProviderSettings::Simulated);
        host.switch = (!dice.one_in(3)).then_some(SwitchSettings::Simulated);
        host.importance = dice.pick(&[Importance::Test, Importance::General, Importance::Important]);
        let labels: [(&str, &[&str]); 4] = [
            ("env", &["prod", "prod", "none"]),
            ("service", &["shop", "mail"]),
            ("rack", &["a", "b"]),
            ("role", &["web", "web", "db"]),
        ];
        for (label, values) in labels {
            host.labels.insert(label.to_owned(), dice.pick(values).unwrap().to_owned());
        }
        fleet.add(host);
        let fixed = dice.pick(&["1.3.0", "1.3.0", "1.4.0"]).unwrap();
        fleet.finding(&name, "CVE-2026-1", "openssl", fixed);
        if dice.one_in(4) {
            fleet.finding(&name, "CVE-2026-9", "bash", "1.3.0");
        }
    }
    fleet
}

/// What must be seen of a mutant: a run that does harm, or only that it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Run,
    Code,
}

/// Breaks a plan; none if it has nothing to break in this way.
type Mutation = fn(&mut Plan, &mut Dice) -> Option<Shows>;

const MUTATIONS: &[(&str, Mutation)] = &[
    ("an edge removed", edge_removed),
    ("a step removed, with a hole in the chain", step_removed),
    ("a step removed, and the chain closed", step_cut_out),
    ("two steps swapped in the list", steps_swapped),
    ("two steps swapped in the chain", steps_exchanged),
    ("an undo step removed", undo_removed),
    ("an undo reversed", undo_reversed),
    ("an undo moved to another step", undo_moved),
    ("a budget raised to the whole service", budget_raised),
    ("a failure budget beyond all hosts", failure_budget_raised),
    ("a host that leaves its pool", pool_left),
    ("a pool without a limit", pool_dropped),
    ("windows shortened", windows_shortened),
    ("a pilot behind its follower", pilot_moved_behind),
    ("a wait for the pilot dropped", wait_dropped),
    ("a wait for the pilot weakened", wait_weakened),
    ("a wait that nobody asked for", wait_added),
    ("a step on a clone made one on production", clone_step_on_production),
    ("the clone of a step changed", clone_changed),
    ("the clone of an action changed", clone_of_action_changed),
    ("a backup step changed", backup_changed),
    ("a reboot duplicated", reboot_duplicated),
    ("a host dropped from the approvals of the emergency lane", approval_host_dropped),
    ("two failure domains in one wave", domains_merged),
    ("a backup kept and deleted at once", release_contradicted),
    ("a watch that nobody arms", arm_dropped),
    ("a watch that nobody disarms", disarm_dropped),
    ("a watch disarmed before the verify", disarm_moved),
    ("the watch of an action changed", watch_changed),
];

/// A host that this test takes to be of interest.
fn host_where(plan: &Plan, dice: &mut Dice, is: impl Fn(&HostPlan) -> bool) -> Option<HostName> {
    let names: Vec<HostName> = plan.hosts.iter().filter(|(_, host)| is(host)).map(|(name, _)| name.clone()).collect();
    dice.pick(&names)
}

fn any_host<'a>(plan: &'a mut Plan, dice: &mut Dice) -> Option<&'a mut HostPlan> {
    let name = host_where(plan, dice, |_| true)?;
    plan.host_mut(&name)
}

/// Each step needs the one before; what it needs of other hosts stays.
fn relink(host: &mut HostPlan) {
    let mut before: Option<StepId> = None;
    for step in &mut host.steps {
        let own = step.id.host().to_owned();
        step.needs.retain(|need| need.host() != own);
        step.needs.extend(before.take());
        before = Some(step.id.clone());
    }
}

/// What waits for others waits with its first step.
fn waits(host: &HostPlan) -> bool {
    host.steps.iter().any(|step| step.foreign_needs().next().is_some())
}

fn edge_removed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = any_host(plan, dice)?;
    let at = 1 + dice.roll(host.steps.len() - 1);
    host.steps[at].needs.clear();
    Some(Shows::Run)
}

fn step_removed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = any_host(plan, dice)?;
    let at = dice.roll(host.steps.len() - 1);
    host.steps.remove(at);
    Some(Shows::Run)
}

fn step_cut_out(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = any_host(plan, dice)?;
    let at = dice.roll(host.steps.len());
    // Not every playbook restarts something, not every policy reboots: a plan without does not show that it should.
    if matches!(host.steps[at].kind, StepKind::Restart | StepKind::Reboot) {
        return None;
    }
    let gone = host.steps.remove(at);
    if at == 0 {
        host.steps[0].needs.extend(gone.needs);
    }
    relink(host);
    // Deleting a backup that is not to be kept does no harm by being left out.
    Some(if gone.kind == StepKind::Release { Shows::Code } else { Shows::Run })
}

fn steps_swapped(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = any_host(plan, dice)?;
    let at = dice.roll(host.steps.len() - 1);
    host.steps.swap(at, at + 1);
    // They still wait for each other.
    Some(Shows::Code)
}

fn steps_exchanged(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = any_host(plan, dice)?;
    let at = dice.roll(host.steps.len() - 1);
    let foreign: Vec<StepId> = host.steps[0].foreign_needs().cloned().collect();
    host.steps.swap(at, at + 1);
    host.steps.iter_mut().for_each(|step| step.needs.clear());
    relink(host);
    host.steps[0].needs.extend(foreign);
    let (first, second) = (&host.steps[at + 1], &host.steps[at]);
    // Not as documented, and still safe.
    let harmless = matches!(
        (first.kind, second.kind),
        (StepKind::Fix | StepKind::Restart | StepKind::Reboot, StepKind::Restart | StepKind::Reboot)
            | (StepKind::Preflight, StepKind::Backup | StepKind::Drain)
            | (StepKind::Backup, StepKind::Drain)
            | (StepKind::Destroy, StepKind::Drain | StepKind::Arm | StepKind::Fix)
            | (StepKind::Disarm, StepKind::Soak)
    );
    Some(if harmless { Shows::Code } else { Shows::Run })
}

/// Hosts without a backup are parked when their fix fails: what would be done on the way back from later steps never is.
fn is_never_run(host: &HostPlan, step: &Step) -> bool {
    host.without_backup && step.kind == StepKind::Undrain
}

fn with_undo(plan: &mut Plan, dice: &mut Dice, steps: usize) -> Option<(HostName, usize)> {
    let has = |step: &Step| step.undo.len() >= steps;
    let name = host_where(plan, dice, |host| host.steps.iter().any(has))?;
    let host = &plan.hosts[&name];
    let places: Vec<usize> = (0..host.steps.len()).filter(|&i| has(&host.steps[i])).collect();
    Some((name, dice.pick(&places)?))
}

fn undo_removed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, at) = with_undo(plan, dice, 1)?;
    let host = plan.host_mut(&name)?;
    let never = is_never_run(host, &host.steps[at]);
    let undo = &mut host.steps[at].undo;
    let gone = dice.roll(undo.len());
    undo.remove(gone);
    Some(if never { Shows::Code } else { Shows::Run })
}

fn undo_reversed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, at) = with_undo(plan, dice, 2)?;
    plan.host_mut(&name)?.steps[at].undo.reverse();
    Some(Shows::Run)
}

fn undo_moved(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, from) = with_undo(plan, dice, 1)?;
    let host = plan.host_mut(&name)?;
    let never = is_never_run(host, &host.steps[from]);
    let to = (from + 1 + dice.roll(host.steps.len() - 1)) % host.steps.len();
    let undo = std::mem::take(&mut host.steps[from].undo);
    host.steps[to].undo.extend(undo);
    Some(if never { Shows::Code } else { Shows::Run })
}

fn pool_left(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let members: Vec<HostName> =
        plan.hosts.iter().filter(|(_, host)| !host.pools.is_empty()).map(|(name, _)| name.clone()).collect();
    let host = plan.host_mut(&dice.pick(&members)?)?;
    host.pools.pop_first().map(|_| Shows::Code)
}

fn pool_dropped(plan: &mut Plan, _: &mut Dice) -> Option<Shows> {
    plan.rollout.pools.pop_first().map(|_| Shows::Code)
}

fn budget_raised(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let names: Vec<_> = plan.rollout.groups.keys().cloned().collect();
    let name = dice.pick(&names)?;
    let members = plan.hosts.values().filter(|host| host.group.as_ref() == Some(&name)).count();
    let group = plan.rollout.groups.get_mut(&name)?;
    if group.size == 1 {
        return None;
    }
    group.max_unavailable = group.size + u32::try_from(dice.roll(2)).unwrap();
    // Hosts that are not planned keep their service up.
    Some(if members == usize::try_from(group.size).unwrap() { Shows::Run } else { Shows::Code })
}

fn failure_budget_raised(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let beyond = plan.hosts.len() + 1 + dice.roll(100);
    plan.rollout.failure_budget = u32::try_from(beyond).unwrap();
    (!plan.hosts.is_empty()).then_some(Shows::Run)
}

fn windows_shortened(plan: &mut Plan, _: &mut Dice) -> Option<Shows> {
    for window in plan.windows.values_mut().flatten() {
        window.interval.end = TimeSpan::minutes(6).after(window.interval.start);
    }
    (!plan.windows.is_empty()).then_some(Shows::Run)
}

fn pilot_moved_behind(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, waits)?;
    let need = plan.hosts[&name].steps.iter().flat_map(Step::foreign_needs).next()?.clone();
    let pilot = HostName::new(need.host()).unwrap();
    for host in plan.rollout.waves.iter_mut().flat_map(|wave| &mut wave.hosts) {
        if *host == name {
            *host = pilot.clone();
        } else if *host == pilot {
            *host = name.clone();
        }
    }
    for (wave, index) in plan.rollout.waves.iter().zip(0..) {
        wave.hosts.iter().for_each(|host| Arc::make_mut(plan.hosts.get_mut(host).unwrap()).wave = index);
    }
    Some(Shows::Run)
}

fn wait_dropped(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, waits)?;
    let host = plan.host_mut(&name)?;
    host.steps.iter_mut().for_each(|step| step.needs.retain(|need| need.host() == name.as_str()));
    Some(Shows::Run)
}

/// It waits for something of its pilot that proves nothing.
fn wait_weakened(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, waits)?;
    let host = plan.host_mut(&name)?;
    for need in host.steps.iter_mut().flat_map(|step| &mut step.needs).filter(|need| need.host() != name.as_str()) {
        *need = StepId::new(&format!("{}/preflight", need.host())).unwrap();
    }
    Some(Shows::Run)
}

fn wait_added(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name =
        host_where(plan, dice, |host| ![AFTER_PILOT, AFTER_TRIAL].contains(&host.strategy_reason.code.as_str()))?;
    let other = host_where(plan, dice, |host| host.host.name != name)?;
    let need = plan.hosts[&other].steps.last()?.id.clone();
    plan.host_mut(&name)?.steps[0].needs.push(need);
    Some(Shows::Code)
}

fn on_clone(plan: &Plan, dice: &mut Dice) -> Option<(HostName, usize)> {
    let name = host_where(plan, dice, |host| host.steps.iter().any(|step| step.on.is_some()))?;
    let host = &plan.hosts[&name];
    let places: Vec<usize> = (0..host.steps.len()).filter(|&i| host.steps[i].on.is_some()).collect();
    Some((name, dice.pick(&places)?))
}

fn clone_step_on_production(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, at) = on_clone(plan, dice)?;
    plan.host_mut(&name)?.steps[at].on = None;
    Some(Shows::Run)
}

fn clone_changed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, at) = on_clone(plan, dice)?;
    plan.host_mut(&name)?.steps[at].on = StepId::new("web-99/clone").ok();
    Some(Shows::Run)
}

fn clone_of_action_changed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let (name, _) = on_clone(plan, dice)?;
    let steps = &mut plan.host_mut(&name)?.steps;
    let mut ids: Vec<&mut StepId> = Vec::new();
    for step in steps.iter_mut() {
        let Step { action, undo, .. } = step;
        for action in std::iter::once(action).chain(undo.iter_mut().map(|undo| &mut undo.action)) {
            if let Action::Destroy { clone, .. }
            | Action::Switchover { clone }
            | Action::SwitchBack { clone }
            | Action::Promote { clone, .. } = action
            {
                ids.push(clone);
            }
        }
    }
    let at = dice.roll(ids.len());
    **ids.get_mut(at)? = StepId::new("web-99/clone").unwrap();
    Some(Shows::Run)
}

fn backup_changed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, |host| !host.without_backup)?;
    let steps = &mut plan.host_mut(&name)?.steps;
    let mut ids: Vec<&mut StepId> = Vec::new();
    for step in steps.iter_mut() {
        let Step { action, undo, .. } = step;
        for action in std::iter::once(action).chain(undo.iter_mut().map(|undo| &mut undo.action)) {
            if let Action::Clone { backup, .. }
            | Action::Restore { backup, .. }
            | Action::Release { backup, .. }
            | Action::Arm { backup, .. } = action
            {
                ids.push(backup);
            }
        }
    }
    let at = dice.roll(ids.len());
    **ids.get_mut(at)? = StepId::new("web-99/backup").unwrap();
    Some(Shows::Run)
}

fn place_of(host: &HostPlan, kind: StepKind) -> Option<usize> {
    host.steps.iter().position(|step| step.kind == kind && step.on.is_none())
}

fn watched<'a>(plan: &'a mut Plan, dice: &mut Dice) -> Option<&'a mut HostPlan> {
    let name = host_where(plan, dice, |host| place_of(host, StepKind::Arm).is_some())?;
    plan.host_mut(&name)
}

fn without(plan: &mut Plan, dice: &mut Dice, kind: StepKind) -> Option<Shows> {
    let host = watched(plan, dice)?;
    let at = place_of(host, kind)?;
    host.steps.remove(at);
    relink(host);
    Some(Shows::Run)
}

fn arm_dropped(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    without(plan, dice, StepKind::Arm)
}

fn disarm_dropped(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    without(plan, dice, StepKind::Disarm)
}

fn disarm_moved(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = watched(plan, dice)?;
    let disarm = host.steps.remove(place_of(host, StepKind::Disarm)?);
    let at = place_of(host, StepKind::Fix)? + 1;
    let verify = place_of(host, StepKind::Verify)?;
    host.steps.insert(at + dice.roll(verify + 1 - at), disarm);
    relink(host);
    Some(Shows::Run)
}

fn watch_changed(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let host = watched(plan, dice)?;
    let (arm, disarm) = (place_of(host, StepKind::Arm)?, place_of(host, StepKind::Disarm)?);
    let back = dice.one_in(2);
    let step = if back { host.steps[arm].undo.first_mut()? } else { &mut host.steps[disarm] };
    step.action = Action::Disarm { arm: StepId::new("web-99/arm").unwrap() };
    Some(Shows::Run)
}

fn reboot_duplicated(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, |host| host.steps.iter().any(|step| step.kind == StepKind::Reboot))?;
    let host = plan.host_mut(&name)?;
    let places: Vec<usize> = (0..host.steps.len()).filter(|&i| host.steps[i].kind == StepKind::Reboot).collect();
    let at = dice.pick(&places)?;
    let mut again = host.steps[at].clone();
    again.id = StepId::of(&name, "reboot-again");
    again.needs.clear();
    host.steps.insert(at + 1, again);
    relink(host);
    Some(Shows::Run)
}

/// Of a rule of `approvals` the plan shows only the hosts that it is for, not whom it should be for.
fn approval_host_dropped(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let mut lane: Vec<_> =
        plan.approvals.iter_mut().filter(|approval| approval.rule.name.as_str() == "scope.emergency").collect();
    let at = dice.roll(lane.len());
    let hosts = &mut lane.get_mut(at)?.hosts;
    hosts.remove(dice.roll(hosts.len()));
    Some(Shows::Code)
}

fn domains_merged(plan: &mut Plan, _: &mut Dice) -> Option<Shows> {
    let label = plan.rollout.domain.clone()?;
    let rack = |plan: &Plan, host: &HostName| plan.hosts[host].host.labels[&label].clone();
    let waves = &plan.rollout.waves;
    let at = (1..waves.len()).find(|&i| rack(plan, &waves[i].hosts[0]) != rack(plan, &waves[i - 1].hosts[0]))?;
    let moved = plan.rollout.waves.remove(at);
    let into = &mut plan.rollout.waves[at - 1].hosts;
    let pair = [into[0].clone(), moved.hosts[0].clone()];
    into.extend(moved.hosts);
    for (wave, index) in plan.rollout.waves.iter().zip(0..) {
        wave.hosts.iter().for_each(|host| Arc::make_mut(plan.hosts.get_mut(host).unwrap()).wave = index);
    }
    let groups = pair.map(|host| plan.hosts[&host].group.clone());
    // One budget of one host keeps them apart as well.
    let apart = groups[0].is_some() && groups[0] == groups[1];
    let one = groups[0].as_ref().is_some_and(|group| plan.rollout.groups[group].max_unavailable == 1);
    Some(if apart && one { Shows::Code } else { Shows::Run })
}

fn release_contradicted(plan: &mut Plan, dice: &mut Dice) -> Option<Shows> {
    let name = host_where(plan, dice, |host| !host.without_backup)?;
    for step in &mut plan.host_mut(&name)?.steps {
        if let Action::Backup { keep } = &mut step.action {
            *keep = if *keep == TimeSpan::ZERO { TimeSpan::days(7) } else { TimeSpan::ZERO };
        }
    }
    Some(Shows::Code)
}

#[test]
fn sound_plans_pass_and_every_mutant_is_refused() {
    let mut applied: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut forms: BTreeMap<String, usize> = BTreeMap::new();
    let mut planned = 0;
    for seed in 0..160 {
        let mut dice = Dice(seed);
        let plan = any_fleet(&mut dice).plan();
        assert_eq!(check(&plan), [], "seed {seed}");
        planned += plan.hosts.len();
        for host in plan.hosts.values() {
            let trial = host.steps.iter().any(|step| step.on.is_some());
            let form = format!("{} trial={trial} {}", host.strategy.as_str(), host.strategy_reason.code);
            *forms.entry(form).or_default() += 1;
        }
        if plan.hosts.is_empty() {
            continue;
        }
        for (what, mutate) in MUTATIONS {
            let mut mutant = plan.clone();
            let Some(shows) = mutate(&mut mutant, &mut dice) else { continue };
            assert_ne!(mutant, plan, "seed {seed}, {what}: nothing was changed");
            let found = check(&mutant);
            assert!(!found.is_empty(), "seed {seed}, {what}: it passes");
            let run = found.iter().find(|violation| !violation.trace.is_empty());
            assert!(shows == Shows::Code || run.is_some(), "seed {seed}, {what}: no run is shown: {found:#?}");
            let count = applied.entry(*what).or_default();
            *count = (count.0 + 1, count.1 + usize::from(run.is_some()));
        }
    }
    eprintln!("{planned} hosts: {forms:#?}");
    eprintln!("mutants refused, and of those with a run: {applied:#?}");
    for (what, _) in MUTATIONS {
        let (refused, _) = applied.get(what).copied().unwrap_or_default();
        assert!(refused >= 10, "{what}: only {refused} plans could be broken so");
    }
    for form in ["in_place trial=true", "in_place trial=false", "clone_and_switch trial=true"] {
        assert!(forms.keys().any(|known| known.starts_with(form)), "no host is {form}: {forms:?}");
    }
}
