//! Plans of drills: each host's backup is restored to a clone, which is looked at and destroyed. Nothing is fixed.
//!
//! A drill is a plan like any other, so that it is journaled, resumed behind a crash and accounted for like any other:
//! preflight → backup → clone → (on it) verify → destroy → release, where a clone and a backup are deleted whatever fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::passes::cohorts::cannot_clone;
use super::passes::machines::{machine, objects, same_object};
use super::passes::pools::pools_of;
use super::passes::render::{keep_scripts, probes_of};
use super::passes::steps::{BACK_WITHIN, DESTROY_TAKES, check, step};
use super::{
    Action, HostPlan, InputRef, PLAN_FORMAT, Plan, PlanError, PlanReport, Reason, Rollout, Step, StepKind, Wave,
};
use crate::model::{
    Capabilities, Fix, Host, HostName, Priority, RuleName, StepId, Strategy, TimeSpan, VulnerabilityType, printable,
};
use crate::playbook::{PhaseTimes, Playbook, RenderInput, Rendered};
use crate::policy::Policy;

/// A clone that is still there after this long was forgotten: a drill looks at it for minutes.
const TIME_TO_LIVE: TimeSpan = TimeSpan::hours(2);
/// What a look at a host usually takes, where no playbook says so.
const LOOK_TAKES: TimeSpan = TimeSpan::seconds(30);

/// Everything that the plan of a drill depends on.
#[derive(Clone, Debug)]
pub struct DrillInput<'a> {
    /// The hosts to be drilled.
    pub hosts: &'a [&'a Host],
    /// Says which probes show that a host is well, and how many clones there may be.
    pub policy: &'a Policy,
    /// How it is seen that a clone is as its host.
    pub playbooks: &'a [Playbook],
    /// How many hosts at once.
    pub concurrency: u32,
    /// The time of the plan.
    pub as_of: Timestamp,
    /// Where it all came from, by role.
    pub inputs: BTreeMap<String, InputRef>,
}

/// The plan of a drill.
#[derive(Clone, Debug)]
pub struct Drills {
    /// What is drilled.
    pub plan: Plan,
    /// Hosts that cannot be, with all reasons.
    pub left_out: BTreeMap<HostName, BTreeSet<Reason>>,
}

/// Why no drill of this host is possible, whatever policies and playbooks say.
pub fn cannot_drill(host: &Host) -> Option<String> {
    let can = host.provider.as_ref().map(|provider| provider.capabilities());
    if !can.is_some_and(|can| can.clones) {
        return Some(format!("a drill restores its backup to a clone, and {}", cannot_clone(host, can)));
    }
    let tidies = host.provider.as_ref().is_some_and(|provider| provider.tidies());
    (!tidies).then(|| {
        "its provider has no `list` or no `delete`: what a drill makes could not be found again and deleted".to_owned()
    })
}

/// Plans the drills of hosts. The same input gives the same bytes, whatever the order of its lists.
pub fn plan_drills(input: &DrillInput<'_>) -> Result<Drills, PlanError> {
    let mut plan = empty(input);
    let mut left_out: BTreeMap<HostName, BTreeSet<Reason>> = BTreeMap::new();
    let mut playbooks: Vec<&Playbook> = input.playbooks.iter().filter(|playbook| playbook.tells_state()).collect();
    playbooks.sort_by(|a, b| (a.name(), a.digest()).cmp(&(b.name(), b.digest())));
    let mut machines: BTreeMap<_, &HostName> = BTreeMap::new();
    let mut hosts = input.hosts.to_vec();
    hosts.sort_by_key(|host| &host.name);
    let objects = objects(hosts.iter().copied());
    for host in &hosts {
        let mut reasons = BTreeSet::new();
        if let Some(object) = host.provider.as_ref().and_then(|provider| provider.object()) {
            let others: Vec<&HostName> =
                objects[&object].iter().copied().filter(|other| **other != host.name).collect();
            if !others.is_empty() {
                reasons.insert(Reason::new("same-provider-object", same_object(&object, &others)));
            }
        }
        if let Some(first) = machines.insert(machine(host.address(), &host.ssh), &host.name) {
            let text = format!("it is {first} by its address: name it once in the inventory");
            reasons.insert(Reason::new("same-machine", text));
        }
        let planned = of_host(input, &playbooks, host, &mut plan, &mut reasons)?;
        match planned.filter(|_| reasons.is_empty()) {
            Some(planned) => drop(plan.hosts.insert(host.name.clone(), Arc::new(planned))),
            None => drop(left_out.insert(host.name.clone(), reasons)),
        }
    }
    tidy(&mut plan);
    Ok(Drills { plan, left_out })
}

fn empty(input: &DrillInput<'_>) -> Plan {
    Plan {
        format: PLAN_FORMAT,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: input.as_of,
        seed: 0,
        tzdata: input.policy.tzdata_version(),
        inputs: input.inputs.clone(),
        rollout: Rollout {
            waves: Vec::new(),
            groups: BTreeMap::new(),
            // Nothing is disrupted, so no failure uses it up.
            failure_budget: 1,
            concurrency: input.concurrency.max(1),
            pools: BTreeMap::new(),
            margin: TimeSpan::ZERO,
            domain: None,
        },
        windows: BTreeMap::new(),
        approvals: Vec::new(),
        author: None,
        ticket: None,
        signers: BTreeMap::new(),
        change: None,
        notify: input.policy.notify.clone(),
        hosts: BTreeMap::new(),
        scripts: BTreeMap::new(),
        report: PlanReport::default(),
    }
}

/// One wave of all hosts; what only hosts that were left out would use goes.
fn tidy(plan: &mut Plan) {
    let hosts: Vec<HostName> = plan.hosts.keys().cloned().collect();
    if !hosts.is_empty() {
        plan.rollout.waves.push(Wave { name: drill(), hosts, soak: TimeSpan::ZERO });
    }
    plan.keep_used();
}

fn drill() -> RuleName {
    #[expect(clippy::unwrap_used, reason = "short and printable")]
    RuleName::new("drill").unwrap()
}

/// The plan of one host; what is missing for it is added to the reasons.
fn of_host(
    input: &DrillInput<'_>,
    playbooks: &[&Playbook],
    host: &Host,
    plan: &mut Plan,
    reasons: &mut BTreeSet<Reason>,
) -> Result<Option<HostPlan>, PlanError> {
    if let Some(why) = cannot_drill(host) {
        reasons.insert(Reason::new("cannot-drill", why));
    }
    if host.os.as_ref().is_some_and(|os| os.family == "windows") {
        let text = "commands cannot be run on Windows hosts yet: what reaches a host is read by a POSIX shell there";
        reasons.insert(Reason::new("windows-not-supported", text));
    }
    let playbook = playbooks.iter().copied().find(|playbook| playbook.reach(host, VulnerabilityType::Linux).is_some());
    let expected = PhaseTimes { preflight: LOOK_TAKES, verify: LOOK_TAKES, ..PhaseTimes::default() };
    let mut rendered = Rendered { expected, ..Rendered::default() };
    if let Some(playbook) = playbook {
        let fix = no_fix();
        let policy = input.policy;
        match playbook.render_drill(&RenderInput {
            host,
            fix: &fix,
            allow_removals: policy.allow_removals,
            restart_never: &policy.restart_never,
            pending_reboot: policy.pending_reboot,
        }) {
            Ok(looks) => rendered = looks,
            Err(error) => {
                let text = format!("playbook {} cannot be rendered for it: {error}", playbook.name());
                reasons.insert(Reason::new("render-failed", printable(&text, 400)));
            }
        }
        keep_scripts(&mut plan.scripts, &mut rendered, playbook)?;
    }
    let ((probes, clone_probes), failed) = probes_of(host, input.policy);
    reasons.extend(failed);
    if rendered.verify_restored.is_empty() && clone_probes.is_empty() {
        let text = "nothing would show that a restored clone is well: no playbook tells the state of such a host (is its \
                    `os` in the inventory, or in a report?) and the policy has no probe for it";
        reasons.insert(Reason::new("no-verification", text));
    }
    let mut pools = BTreeSet::new();
    for pool in pools_of(&input.policy.rollout, host, true) {
        match pool {
            Ok((name, pool)) => {
                pools.insert(name.clone());
                plan.rollout.pools.insert(name, pool);
            }
            Err(reason) => drop(reasons.insert(reason)),
        }
    }
    let Some(can) = host.provider.as_ref().map(|provider| provider.capabilities()) else { return Ok(None) };
    Ok(Some(HostPlan {
        // Its traffic is no matter of a drill.
        host: Host { switch: None, ..host.clone() },
        importance: input.policy.importance_of(host).0,
        priority: Priority::Low,
        strategy: Strategy::Drill,
        fix: no_fix(),
        strategy_reason: Reason::new("drill", "its way back is tried on a clone"),
        cohort: drill(),
        playbook: playbook.map_or_else(drill, |playbook| playbook.name().clone()),
        wave: 0,
        emergency: false,
        group: None,
        pools,
        windows: None,
        quarantine: input.policy.quarantine,
        without_backup: false,
        steps: steps(&host.name, can, rendered, [probes, clone_probes]),
    }))
}

const fn no_fix() -> Fix {
    Fix { packages: Vec::new(), findings: Vec::new() }
}

/// The chain of one host; each step needs the one before.
fn steps(
    name: &HostName,
    can: Capabilities,
    rendered: Rendered,
    [probes, clone_probes]: [Vec<super::Probe>; 2],
) -> Vec<Step> {
    let id = |step: &str| StepId::of(name, step);
    let (backup, clone) = (id(StepKind::Backup.as_str()), id(StepKind::Clone.as_str()));
    let destroy = Action::Destroy { clone: clone.clone(), keep_failed: TimeSpan::ZERO };
    let release = Action::Release { backup: backup.clone(), promote: None };
    let made = Action::Clone { backup: backup.clone(), back_within: BACK_WITHIN, time_to_live: TIME_TO_LIVE };
    let call = |id: StepId, kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>| {
        let call = step(id, kind, vec![], action, expected, undo);
        Step { timeout: call.timeout.plus(can.takes.limit), ..call }
    };
    let back =
        |at: &str, kind: StepKind, action: &Action| vec![call(id(at), kind, action.clone(), DESTROY_TAKES, vec![])];
    let released = back("release-back", StepKind::Release, &release);
    let destroyed = back("destroy-back", StepKind::Destroy, &destroy);
    let expected = rendered.expected;
    // A service that does not answer before could not be told from one that the restore broke.
    let before = check(rendered.preflight, &probes);
    let restored = check(rendered.verify_restored, &clone_probes);
    let verify = step(id("verify-clone"), StepKind::Verify, vec![], restored, expected.verify, vec![]);
    let kept = Action::Backup { keep: TimeSpan::ZERO };
    let mut steps = vec![
        step(id(StepKind::Preflight.as_str()), StepKind::Preflight, vec![], before, expected.preflight, vec![]),
        call(backup, StepKind::Backup, kept, can.takes.backup, released),
        call(clone.clone(), StepKind::Clone, made, can.takes.clone, destroyed),
        Step { on: Some(clone), ..verify },
        call(id(StepKind::Destroy.as_str()), StepKind::Destroy, destroy, DESTROY_TAKES, vec![]),
        call(id(StepKind::Release.as_str()), StepKind::Release, release, DESTROY_TAKES, vec![]),
    ];
    for at in 1..steps.len() {
        steps[at].needs = vec![steps[at - 1].id.clone()];
    }
    steps
}
