//! The graph of each host: preflight → backup → drain → fix → restart → reboot → verify → undrain → soak, with the
//! way back on the steps that need one.

use crate::model::{Command, HostName, ProviderSettings, StepId, TimeSpan};
use crate::plan::draft::{Draft, HostDraft};
use crate::plan::{Action, PlanError, Probe, Step, StepKind};
use crate::playbook::Rendered;
use crate::policy::{Policy, RebootPolicy};

/// How long a switch waits for running requests; longer than most requests, shorter than most people's patience.
const IDLE_WITHIN: TimeSpan = TimeSpan::minutes(5);
/// The same on the way back: what hangs on a service that has failed must not hold its restore up for long.
const IDLE_BACK: TimeSpan = TimeSpan::minutes(1);
/// A drain usually ends with the last short request.
const DRAIN_TAKES: TimeSpan = TimeSpan::minutes(1);
/// One call to the switch.
const UNDRAIN_TAKES: TimeSpan = TimeSpan::seconds(10);
/// When a restored host must answer, where the playbook does not say what a boot takes.
const BACK_WITHIN: TimeSpan = TimeSpan::minutes(10);
/// How often a host is looked at while it is watched: soon enough to go back early, seldom enough not to be a load.
const SOAK_EVERY: TimeSpan = TimeSpan::seconds(30);
/// Added to what a step's own limits sum up to: connecting, uploading, asking for the result.
const OVERHEAD: TimeSpan = TimeSpan::minutes(2);

/// What a kind of provider usually takes, and when a call counts as failed.
struct ProviderTimes {
    backup: TimeSpan,
    restore: TimeSpan,
    limit: TimeSpan,
}

fn provider_times(provider: &ProviderSettings) -> ProviderTimes {
    match provider {
        // Measured: committing and running a container takes seconds; an image of some size and a boot take more.
        ProviderSettings::Podman { .. } => {
            ProviderTimes { backup: TimeSpan::minutes(1), restore: TimeSpan::minutes(1), limit: TimeSpan::minutes(30) }
        }
        // Nothing is known of the user's commands but their limit.
        ProviderSettings::Exec(exec) => ProviderTimes {
            backup: TimeSpan::minutes(5),
            restore: TimeSpan::minutes(10),
            limit: exec.timeout.unwrap_or(TimeSpan::hours(1)),
        },
        ProviderSettings::Simulated => {
            ProviderTimes { backup: TimeSpan::minutes(1), restore: TimeSpan::minutes(2), limit: TimeSpan::minutes(30) }
        }
    }
}

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let policy = draft.input.policy;
    for (name, host) in &mut draft.hosts {
        let Some(rendered) = host.rendered.take() else { continue };
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
        host.steps = chain(name, host, rendered, policy);
    }
    Ok(())
}

/// Builds the chain of one host; each step needs the one before.
struct Chain<'a> {
    host: &'a HostName,
    steps: Vec<Step>,
}

impl Chain<'_> {
    fn id(&self, step: &str) -> StepId {
        StepId::of(self.host, step)
    }

    fn push(&mut self, kind: StepKind, action: Action, expected: TimeSpan, undo: Vec<Step>) {
        let needs = self.steps.last().map(|s| s.id.clone()).into_iter().collect();
        self.steps.push(step(self.id(kind.as_str()), kind, needs, action, expected, undo));
    }
}

fn step(id: StepId, kind: StepKind, needs: Vec<StepId>, action: Action, expected: TimeSpan, undo: Vec<Step>) -> Step {
    let timeout = limit(&action).max(expected);
    Step { id, kind, needs, action, undo, expected, timeout }
}

fn chain(name: &HostName, host: &HostDraft<'_>, rendered: Rendered, policy: &Policy) -> Vec<Step> {
    let probes = &host.probes;
    let expected = rendered.expected;
    let provider = host.host.provider.as_ref().filter(|_| !host.without_backup);
    let reboot = match policy.reboot {
        RebootPolicy::Never => None,
        RebootPolicy::WhenRequired | RebootPolicy::Always => rendered.reboot,
    };
    let mut chain = Chain { host: name, steps: Vec::new() };

    // A service that does not answer before the fix could not be told from one that the fix broke.
    chain.push(StepKind::Preflight, check(rendered.preflight, probes), expected.preflight, vec![]);
    if let Some(provider) = provider {
        let takes = provider_times(provider).backup;
        chain.push(StepKind::Backup, Action::Backup { keep: policy.backup.keep }, takes, vec![]);
        if let Some(backup) = chain.steps.last_mut() {
            backup.timeout = provider_times(provider).limit.plus(OVERHEAD);
        }
    }
    if host.host.switch.is_some() {
        let back = step(chain.id("undrain-back"), StepKind::Undrain, vec![], Action::Undrain, UNDRAIN_TAKES, vec![]);
        chain.push(StepKind::Drain, Action::Drain { idle_within: IDLE_WITHIN }, DRAIN_TAKES, vec![back]);
    }
    let undo = provider.map_or_else(Vec::new, |provider| {
        let back_within = reboot.as_ref().map_or(BACK_WITHIN, |r| r.back_within);
        let times = provider_times(provider);
        let restore = Action::Restore { backup: chain.id(StepKind::Backup.as_str()), back_within };
        let mut restore = step(chain.id("restore"), StepKind::Restore, vec![], restore, times.restore, vec![]);
        restore.timeout = times.limit.plus(back_within).plus(OVERHEAD);
        let verify = step(
            chain.id("verify_restored"),
            StepKind::VerifyRestored,
            vec![restore.id.clone()],
            check(rendered.verify_restored, probes),
            expected.verify,
            vec![],
        );
        vec![restore, verify]
    });
    chain.push(StepKind::Fix, Action::Change { commands: rendered.fix }, expected.fix, undo);
    if !rendered.restart.is_empty() {
        chain.push(StepKind::Restart, Action::Change { commands: rendered.restart }, expected.restart, vec![]);
    }
    if let Some(reboot) = reboot {
        let required = reboot.required.filter(|_| policy.reboot == RebootPolicy::WhenRequired);
        let action = Action::Reboot { required, command: reboot.command, back_within: reboot.back_within };
        chain.push(StepKind::Reboot, action, expected.reboot, vec![]);
    }
    chain.push(StepKind::Verify, check(rendered.verify.clone(), probes), expected.verify, vec![]);
    if host.host.switch.is_some() {
        // What fails from here on fails in service: traffic must go before a restore takes the host away.
        let drain = Action::Drain { idle_within: IDLE_BACK };
        let back = step(chain.id("drain-back"), StepKind::Drain, vec![], drain, DRAIN_TAKES, vec![]);
        chain.push(StepKind::Undrain, Action::Undrain, UNDRAIN_TAKES, vec![back]);
    }
    let span = policy.verify_soak;
    let soak = Action::Soak { span, every: SOAK_EVERY, commands: rendered.verify, probes: probes.clone() };
    chain.push(StepKind::Soak, soak, span, vec![]);
    chain.steps
}

fn check(commands: Vec<Command>, probes: &[Probe]) -> Action {
    Action::Check { commands, probes: probes.to_vec() }
}

/// The longest an action may take: its parts' own limits, one behind the other.
fn limit(action: &Action) -> TimeSpan {
    let commands = action.commands().fold(TimeSpan::ZERO, |sum, c| sum.plus(c.timeout));
    let of = |probes: &[Probe]| probes.iter().fold(TimeSpan::ZERO, |sum, p| sum.plus(p.timeout));
    let own = match action {
        Action::Check { probes, .. } => of(probes),
        Action::Change { .. } | Action::Undrain | Action::Backup { .. } => TimeSpan::ZERO,
        Action::Reboot { back_within, .. } | Action::Restore { back_within, .. } => *back_within,
        Action::Drain { idle_within } => *idle_within,
        Action::Soak { span, probes, .. } => span.plus(of(probes)),
    };
    commands.plus(own).plus(OVERHEAD)
}
