//! The graph of a host, with the way back on the steps that need one.
//!
//! In place: preflight → backup → drain → arm → fix → restart → reboot → verify → disarm → undrain → soak, where the fix
//! is tried first with clone → fix → restart → reboot → verify → destroy on a clone before the drain. Clone and switch:
//! preflight → backup → clone → (on it) fix → restart → reboot → verify → switchover → observe → drain → promote → verify
//! → undrain → soak.

use crate::model::{Capabilities, Command, FactRef, HostName, PackageFix, PackageName, StepId, Strategy, TimeSpan};
use crate::plan::draft::HostDraft;
use crate::plan::{Action, Probe, Step, StepKind};
use crate::playbook::{LEFT_OUT, Rendered, RenderedReboot};
use crate::policy::{Policy, RebootPolicy};

use super::cohorts::Role;

/// How long a switch waits for running requests; longer than most requests, shorter than most people's patience.
const IDLE_WITHIN: TimeSpan = TimeSpan::minutes(5);
/// The same on the way back: what hangs on a service that has failed must not hold its restore up for long.
const IDLE_BACK: TimeSpan = TimeSpan::minutes(1);
/// A drain usually ends with the last short request.
const DRAIN_TAKES: TimeSpan = TimeSpan::minutes(1);
/// One call to the switch.
const UNDRAIN_TAKES: TimeSpan = TimeSpan::seconds(10);
/// When a restored host must answer, where the playbook does not say what a boot takes.
pub(in crate::plan) const BACK_WITHIN: TimeSpan = TimeSpan::minutes(10);
/// How often a host is looked at while it is watched: soon enough to go back early, seldom enough not to be a load.
const SOAK_EVERY: TimeSpan = TimeSpan::seconds(30);
/// Deleting what a provider holds.
pub(in crate::plan) const DESTROY_TAKES: TimeSpan = TimeSpan::seconds(30);
/// A clone that is not destroyed by then was forgotten: longer than any night's work on it.
const TIME_TO_LIVE: TimeSpan = TimeSpan::hours(24);
/// How long a promoted clone is watched again.
const SETTLED: TimeSpan = TimeSpan::minutes(2);
/// One call to the machine that watches.
const WATCH_TAKES: TimeSpan = TimeSpan::seconds(5);
/// How long the machine that watches is asked again when it does not answer: longer than a broken connection lasts.
const WATCH_PATIENCE: TimeSpan = TimeSpan::minutes(3);
/// Added to what a step's own limits sum up to: connecting, uploading, asking for the result.
const OVERHEAD: TimeSpan = TimeSpan::minutes(2);

/// Builds the graph of a host; what is missing for it blocks the host.
pub(super) fn build(name: &HostName, host: &mut HostDraft<'_>, role: &Role, policy: &Policy) {
    let Some(rendered) = host.rendered.take() else { return };
    if rendered.fix.is_empty() {
        host.block("no-fix-commands", "its playbook has no command in `fix`");
    }
    if rendered.verify.is_empty() && host.probes.is_empty() {
        host.block(
            "no-verification",
            "nothing would show that the fix worked: its playbook has no `verify` and the policy no probe for it",
        );
    }
    if rendered.verify_restored.is_empty() && host.probes.is_empty() && !host.without_backup {
        host.block(
            "no-verification",
            "nothing would show that a restore worked: its playbook has no check for it and the policy no probe",
        );
    }
    let provider = host.host.provider.as_ref().filter(|_| !host.without_backup).map(|provider| provider.capabilities());
    let reboot = match policy.reboot {
        RebootPolicy::Never => None,
        RebootPolicy::WhenRequired => rendered.reboot.clone(),
        RebootPolicy::Always => rendered.reboot.clone().map(|reboot| RenderedReboot { required: None, ..reboot }),
    };
    let mut chain = Chain { name, host, rendered: &rendered, reboot, provider, policy, steps: Vec::new() };
    chain.prepare(&role.waits_for);
    if role.trial {
        chain.trial();
    }
    if role.strategy == Strategy::CloneAndSwitch {
        chain.clone_and_switch();
    } else {
        chain.in_place(role.trial);
    }
    let mut steps = chain.steps;
    tell_what_is_left_out(&mut steps, role.told_by.as_ref());
    host.steps = steps;
}

/// Builds the chain of one host; each step needs the one before.
struct Chain<'a> {
    name: &'a HostName,
    host: &'a HostDraft<'a>,
    rendered: &'a Rendered,
    reboot: Option<RenderedReboot>,
    provider: Option<Capabilities>,
    policy: &'a Policy,
    steps: Vec<Step>,
}

impl Chain<'_> {
    fn id(&self, step: &str) -> StepId {
        StepId::of(self.name, step)
    }

    fn back_within(&self) -> TimeSpan {
        self.reboot.as_ref().map_or(BACK_WITHIN, |reboot| reboot.back_within)
    }

    fn push(&mut self, kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>) {
        let id = self.id(kind.as_str());
        self.push_as(id, kind, None, action, expected, undo);
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
        self.steps.push(Step { on, ..step(id, kind, needs, action, expected, undo) });
    }

    /// A call to the provider, which has limits of its own.
    fn push_call(&mut self, kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>) {
        let limit = self.call_limit();
        self.push(kind, action, expected, undo);
        if let Some(step) = self.steps.last_mut() {
            step.timeout = step.timeout.plus(limit);
        }
    }

    fn call_limit(&self) -> TimeSpan {
        self.provider.map_or(TimeSpan::ZERO, |provider| provider.takes.limit)
    }

    fn prepare(&mut self, waits_for: &[StepId]) {
        // A service that does not answer before the fix could not be told from one that the fix broke.
        let action = check(self.rendered.preflight.clone(), &self.host.probes);
        self.push(StepKind::Preflight, action, self.rendered.expected.preflight, vec![]);
        if let Some(first) = self.steps.first_mut() {
            first.needs = waits_for.to_vec();
        }
        if let Some(provider) = self.provider {
            let action = Action::Backup { keep: self.policy.backup.keep };
            self.push_call(StepKind::Backup, action, provider.takes.backup, vec![]);
        }
    }

    /// The fix on a clone: nobody is disrupted.
    fn trial(&mut self) {
        let Some(provider) = self.provider else { return };
        let clone = self.id(StepKind::Clone.as_str());
        let destroy = Action::Destroy { clone: clone.clone(), keep_failed: self.policy.keep_failed };
        let mut back = step(self.id("destroy-back"), StepKind::Destroy, vec![], destroy, DESTROY_TAKES, vec![]);
        back.timeout = back.timeout.plus(self.call_limit());
        let made = Action::Clone {
            backup: self.id(StepKind::Backup.as_str()),
            back_within: self.back_within(),
            time_to_live: TIME_TO_LIVE,
        };
        self.push_call(StepKind::Clone, made, provider.takes.clone, vec![back]);

        let expected = self.rendered.expected;
        let rendered = self.rendered;
        let probes = &self.host.clone_probes;
        let reboot = self.reboot.clone();
        let mut on_clone = |kind: StepKind, action: Action, expected: TimeSpan| {
            let id = self.id(&format!("{}-clone", kind.as_str()));
            self.push_as(id, kind, Some(clone.clone()), action, expected, vec![]);
        };
        on_clone(StepKind::Preflight, check(for_clone(&rendered.preflight), probes), expected.preflight);
        on_clone(StepKind::Fix, Action::Change { commands: for_clone(&rendered.fix) }, expected.fix);
        if !rendered.restart.is_empty() {
            on_clone(StepKind::Restart, Action::Change { commands: for_clone(&rendered.restart) }, expected.restart);
        }
        if let Some(reboot) = reboot {
            on_clone(StepKind::Reboot, rebooted(&reboot), expected.reboot);
        }
        on_clone(StepKind::Verify, check(for_clone(&rendered.verify), probes), expected.verify);
        self.bisect();
    }

    /// Where a fix of several packages fails on the clone, and its playbook can leave some of them out.
    fn bisect(&mut self) {
        let units = units(self.host);
        let Some(variable) = leave_out(self.rendered).filter(|_| self.policy.bisect && units.len() > 1) else { return };
        let trial: Vec<&Step> = self.steps.iter().filter(|step| step.on.is_some()).collect();
        let once = trial.iter().fold(self.call_limit(), |sum, step| sum.plus(step.timeout));
        let steps: Vec<StepId> = trial.iter().map(|step| step.id.clone()).collect();
        // The last half of a search, the whole without what it found, and as much again for a second culprit.
        let trials = 2 * (units.len().ilog2() + 2);
        let action = Action::Bisect {
            backup: self.id(StepKind::Backup.as_str()),
            clone: self.id(StepKind::Clone.as_str()),
            steps: steps.clone(),
            units,
            variable: variable.to_owned(),
            back_within: self.back_within(),
            trials,
        };
        // It is seldom done, and then before the window: nobody is kept waiting for it.
        self.push(StepKind::Bisect, action, TimeSpan::ZERO, vec![]);
        let clone = self.id(StepKind::Clone.as_str());
        if let Some(step) = self.steps.last_mut() {
            step.needs = vec![clone];
            step.stands_for = steps.into_iter().skip(1).collect();
            step.timeout = (0..trials).fold(OVERHEAD, |sum, _| sum.plus(once));
        }
    }

    fn in_place(&mut self, tried: bool) {
        if tried {
            let destroy = Action::Destroy { clone: self.id(StepKind::Clone.as_str()), keep_failed: TimeSpan::ZERO };
            self.push_call(StepKind::Destroy, destroy, DESTROY_TAKES, vec![]);
        }
        let undrain = step(self.id("undrain-back"), StepKind::Undrain, vec![], Action::Undrain, UNDRAIN_TAKES, vec![]);
        self.drain(vec![undrain]);
        let armed = self.arm();
        let expected = self.rendered.expected;
        let undo = self.restore();
        self.push(StepKind::Fix, Action::Change { commands: self.rendered.fix.clone() }, expected.fix, undo);
        if !self.rendered.restart.is_empty() {
            let action = Action::Change { commands: self.rendered.restart.clone() };
            self.push(StepKind::Restart, action, expected.restart, vec![]);
        }
        if let Some(reboot) = self.reboot.clone() {
            self.push(StepKind::Reboot, rebooted(&reboot), expected.reboot, vec![]);
        }
        let verify = check(self.rendered.verify.clone(), &self.host.probes);
        self.push(StepKind::Verify, verify, expected.verify, vec![]);
        if let Some(arm) = armed {
            self.push(StepKind::Disarm, Action::Disarm { arm }, WATCH_TAKES, vec![]);
        }
        self.put_into_service(Action::Undrain);
        self.soak(self.policy.verify_soak);
        self.release(None);
    }

    /// Traffic goes to the fixed clone, which is watched and then takes the host's place: only for that it is out of
    /// service.
    fn clone_and_switch(&mut self) {
        let Some(provider) = self.provider else { return };
        let clone = self.id(StepKind::Clone.as_str());
        let back = Action::SwitchBack { clone: clone.clone() };
        let switch_back = step(self.id("switch_back"), StepKind::SwitchBack, vec![], back, UNDRAIN_TAKES, vec![]);
        let verify = check(self.rendered.verify_restored.clone(), &self.host.probes);
        let verify_original = step(
            self.id("verify_original"),
            StepKind::VerifyOriginal,
            vec![switch_back.id.clone()],
            verify,
            self.rendered.expected.verify,
            vec![],
        );
        let over = Action::Switchover { clone: clone.clone() };
        self.push(StepKind::Switchover, over, UNDRAIN_TAKES, vec![switch_back, verify_original]);
        let span = self.policy.verify_soak;
        let observe = Action::Soak {
            span,
            every: SOAK_EVERY,
            commands: for_clone(&self.rendered.verify),
            probes: self.host.clone_probes.clone(),
        };
        self.push_as(self.id("observe"), StepKind::Observe, Some(clone.clone()), observe, span, vec![]);
        // Its way back is that of the switchover: until then its traffic would go to a clone that is gone.
        self.drain(vec![]);
        let undo = self.restore();
        let promote = Action::Promote { clone: clone.clone(), back_within: self.back_within() };
        self.push_call(StepKind::Promote, promote, provider.takes.promote, undo);
        let verify = check(self.rendered.verify.clone(), &self.host.probes);
        self.push(StepKind::Verify, verify, self.rendered.expected.verify, vec![]);
        self.put_into_service(Action::SwitchBack { clone });
        // The system was watched as a clone; what is new is its name and address.
        self.soak(span.min(SETTLED));
        self.release(Some(self.id(StepKind::Promote.as_str())));
    }

    fn drain(&mut self, undo: Vec<Step>) {
        if self.host.host.switch.is_some() {
            self.push(StepKind::Drain, Action::Drain { idle_within: IDLE_WITHIN }, DRAIN_TAKES, undo);
        }
    }

    fn put_into_service(&mut self, action: Action) {
        if self.host.host.switch.is_some() {
            // What fails from here on fails in service: traffic must go before a restore takes the host away.
            let drain = Action::Drain { idle_within: IDLE_BACK };
            let back = step(self.id("drain-back"), StepKind::Drain, vec![], drain, DRAIN_TAKES, vec![]);
            self.push(StepKind::Undrain, action, UNDRAIN_TAKES, vec![back]);
        }
    }

    /// From here on the host goes back by itself when nothing is heard of the controller.
    fn arm(&mut self) -> Option<StepId> {
        let provider = self.provider.filter(|provider| provider.goes_back_alone)?;
        let after = self.policy.backup.dead_man?;
        let arm = self.id(StepKind::Arm.as_str());
        let disarm = Action::Disarm { arm: arm.clone() };
        let mut back = step(self.id("disarm-back"), StepKind::Disarm, vec![], disarm, WATCH_TAKES, vec![]);
        // A watch that has begun to restore the host is waited for, and the host is looked at.
        let look = check(self.rendered.verify_restored.clone(), &self.host.probes);
        back.timeout = back.timeout.plus(provider.takes.limit).plus(self.back_within()).plus(limit(&look));
        let backup = self.id(StepKind::Backup.as_str());
        self.push(StepKind::Arm, Action::Arm { backup, after }, WATCH_TAKES, vec![back]);
        Some(arm)
    }

    /// What puts the host itself back.
    fn restore(&self) -> Vec<Step> {
        let Some(provider) = self.provider else { return Vec::new() };
        let back_within = self.back_within();
        let action = Action::Restore { backup: self.id(StepKind::Backup.as_str()), back_within };
        let mut restore = step(self.id("restore"), StepKind::Restore, vec![], action, provider.takes.restore, vec![]);
        restore.timeout = provider.takes.limit.plus(back_within).plus(OVERHEAD);
        let verify = step(
            self.id("verify_restored"),
            StepKind::VerifyRestored,
            vec![restore.id.clone()],
            check(self.rendered.verify_restored.clone(), &self.host.probes),
            self.rendered.expected.verify,
            vec![],
        );
        vec![restore, verify]
    }

    fn soak(&mut self, span: TimeSpan) {
        let commands = self.rendered.verify.clone();
        let soak = Action::Soak { span, every: SOAK_EVERY, commands, probes: self.host.probes.clone() };
        self.push(StepKind::Soak, soak, span, vec![]);
    }

    /// Where policy keeps nothing. Else `switchback clones` deletes it when its time has come.
    fn release(&mut self, promote: Option<StepId>) {
        if self.provider.is_some() && self.policy.backup.keep == TimeSpan::ZERO {
            let action = Action::Release { backup: self.id(StepKind::Backup.as_str()), promote };
            self.push_call(StepKind::Release, action, DESTROY_TAKES, vec![]);
        }
    }
}

fn rebooted(reboot: &RenderedReboot) -> Action {
    Action::Reboot {
        required: reboot.required.clone(),
        command: reboot.command.clone(),
        back_within: reboot.back_within,
    }
}

/// Packages that are told apart by their version: those of one source have the same, and go together.
fn units(host: &HostDraft<'_>) -> Vec<Vec<PackageName>> {
    let mut units: Vec<(&PackageFix, Vec<PackageName>)> = Vec::new();
    for package in &host.fix.packages {
        let of_one_source =
            |first: &PackageFix| package.to.is_some() && (&first.from, &first.to) == (&package.from, &package.to);
        match units.iter_mut().find(|(first, _)| of_one_source(first)) {
            Some((_, names)) => names.push(package.name.clone()),
            None => units.push((package, vec![package.name.clone()])),
        }
    }
    units.into_iter().map(|(_, names)| names).collect()
}

/// The variable in which the fix's commands get the names of packages to leave out, if they can.
fn leave_out(rendered: &Rendered) -> Option<&str> {
    let mut asked = rendered.fix.iter().flat_map(|command| &command.env_facts);
    asked.find(|(_, fact)| (fact.step.step(), fact.key.as_str()) == LEFT_OUT).map(|(variable, _)| variable.as_str())
}

/// Tells the commands that can leave packages out where the names stand: with the host's own search, or with that of the
/// host that goes first. Where nobody searches, and in the trial itself, nothing is left out.
fn tell_what_is_left_out(steps: &mut [Step], told_by: Option<&StepId>) {
    let own = steps.iter().position(|step| step.kind == StepKind::Bisect);
    let own_id = own.map(|at| steps[at].id.clone());
    for (index, step) in steps.iter_mut().enumerate() {
        let is_behind = own.is_some_and(|search| index > search);
        let told_by = if is_behind { own_id.as_ref() } else { told_by.filter(|_| own.is_none()) };
        let undo = step.undo.iter_mut().flat_map(|undo| undo.action.commands_mut());
        for command in step.action.commands_mut().chain(undo) {
            let asks = |fact: &FactRef| (fact.step.step(), fact.key.as_str()) == LEFT_OUT;
            let asked: Vec<String> =
                command.env_facts.iter().filter(|(_, fact)| asks(fact)).map(|(variable, _)| variable.clone()).collect();
            for variable in asked {
                command.env_facts.remove(&variable);
                match told_by {
                    Some(step) => {
                        let (step, key) = (step.clone(), LEFT_OUT.1.to_owned());
                        command.env_facts.insert(variable, FactRef { step, key, otherwise: Some(String::new()) });
                    }
                    None => drop(command.env.insert(variable, String::new())),
                }
            }
        }
    }
}

/// The commands for a clone: what they ask of earlier steps they ask of those on the clone.
fn for_clone(commands: &[Command]) -> Vec<Command> {
    let mut commands = commands.to_vec();
    let facts = commands.iter_mut().flat_map(|command| command.env_facts.values_mut());
    for fact in facts.filter(|fact| (fact.step.step(), fact.key.as_str()) != LEFT_OUT) {
        if let Ok(step) = StepId::new(&format!("{}-clone", fact.step)) {
            fact.step = step;
        }
    }
    commands
}

pub(in crate::plan) fn step(
    id: StepId,
    kind: StepKind,
    needs: Vec<StepId>,
    action: Action,
    expected: TimeSpan,
    undo: Vec<Step>,
) -> Step {
    let timeout = limit(&action).max(expected);
    Step { id, kind, needs, on: None, stands_for: Vec::new(), action, undo, expected, timeout }
}

pub(in crate::plan) fn check(commands: Vec<Command>, probes: &[Probe]) -> Action {
    Action::Check { commands, probes: probes.to_vec() }
}

/// The longest an action may take: its parts' own limits, one behind the other.
fn limit(action: &Action) -> TimeSpan {
    let commands = action.commands().fold(TimeSpan::ZERO, |sum, c| sum.plus(c.timeout));
    let of = |probes: &[Probe]| probes.iter().fold(TimeSpan::ZERO, |sum, p| sum.plus(p.timeout));
    let own = match action {
        Action::Check { probes, .. } => of(probes),
        Action::Change { .. }
        | Action::Undrain
        | Action::Backup { .. }
        | Action::Destroy { .. }
        | Action::Bisect { .. }
        | Action::Switchover { .. }
        | Action::SwitchBack { .. }
        | Action::Release { .. } => TimeSpan::ZERO,
        Action::Reboot { back_within, .. }
        | Action::Restore { back_within, .. }
        | Action::Clone { back_within, .. }
        | Action::Promote { back_within, .. } => *back_within,
        Action::Drain { idle_within } => *idle_within,
        Action::Arm { .. } | Action::Disarm { .. } => WATCH_PATIENCE,
        Action::Soak { span, probes, .. } => span.plus(of(probes)),
    };
    commands.plus(own).plus(OVERHEAD)
}
