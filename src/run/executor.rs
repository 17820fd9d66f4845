//! The step executor: makes one attempt of one step on a real host.

mod bisect;
mod change;
mod check;
mod clone;
mod effects;
mod http;
mod reboot;
mod soak;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::engine::{BoxFuture, Effected, Mode, StepContext, StepExecutor, StepRequest, StepResult};
use crate::model::{Become, Command, Host, Program, TimeSpan, printable, told_lines};
use crate::plan::{Action, Reason, Step};
use crate::playbook::{command_payload, parse_output};
use crate::provider::{self, Provider};
use crate::switch::{self, Switch};
use crate::transport::{JobSpool, LocalTransport, Transport, TransportError};

/// Finds the provider of a host.
pub type ProviderOf = dyn Fn(&Host) -> Option<Arc<dyn Provider>> + Send + Sync;
/// Finds the switch of a host.
pub type SwitchOf = dyn Fn(&Host) -> Option<Arc<dyn Switch>> + Send + Sync;

/// Makes attempts on real hosts: checks directly, changes as detached jobs, the rest through providers and switches.
pub struct RemoteExecutor {
    transport: Arc<dyn Transport>,
    spool: JobSpool,
    provider_of: Box<ProviderOf>,
    switch_of: Box<SwitchOf>,
    /// How many backups each kind of provider makes at once, where it has a limit.
    backups: Mutex<BTreeMap<&'static str, Arc<Semaphore>>>,
}

impl RemoteExecutor {
    /// An executor over this transport, with the providers and switches that hosts name.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        let (for_providers, for_switches) = (Arc::clone(&transport), Arc::clone(&transport));
        Self {
            transport,
            spool: JobSpool::new(),
            provider_of: Box::new(move |host| provider::for_host(host, &for_providers)),
            switch_of: Box::new(move |host| switch::for_host(host, &for_switches)),
            backups: Mutex::default(),
        }
    }

    /// Keeps jobs elsewhere on the hosts.
    #[must_use]
    pub fn with_spool(self, spool: JobSpool) -> Self {
        Self { spool, ..self }
    }

    /// Takes providers and switches from elsewhere.
    #[must_use]
    pub fn with_backends(self, provider_of: Box<ProviderOf>, switch_of: Box<SwitchOf>) -> Self {
        Self { provider_of, switch_of, ..self }
    }

    fn backup_slots(&self, host: &Host) -> Option<Arc<Semaphore>> {
        let can = host.provider.as_ref()?.capabilities();
        let limit = usize::try_from(can.concurrent_backups?.max(1)).ok()?;
        let mut slots = self.backups.lock().unwrap_or_else(PoisonError::into_inner);
        Some(slots.entry(can.kind).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone())
    }
}

impl StepExecutor for RemoteExecutor {
    fn execute<'a>(&'a self, context: Arc<dyn StepContext>, request: StepRequest) -> BoxFuture<'a, StepResult> {
        Box::pin(async move {
            let Some((planned, step)) = request.plan.step(&request.attempt.step) else {
                let text = format!("the plan has no step {}", request.attempt.step);
                return failed(Reason::new("unknown-step", text), Effected::No, String::new());
            };
            let deadline = Instant::now() + step.timeout.to_std();
            let there;
            let host = match &step.on {
                None => &planned.host,
                Some(clone) => match clone::clone_of(&planned.host, clone, &request.facts) {
                    Ok(host) => {
                        there = host;
                        &there
                    }
                    Err(reason) => return failed(reason, Effected::No, String::new()),
                },
            };
            let work = Work { executor: self, context: &*context, request: &request, host, step, deadline };
            match work.under_watch() {
                Some(watch) => work.perform_under(&watch).await,
                None => work.perform().await,
            }
        })
    }
}

impl Work<'_> {
    /// Does what the step says.
    fn perform(&self) -> BoxFuture<'_, StepResult> {
        let (work, step) = (self, self.step);
        Box::pin(async move {
            match &step.action {
                Action::Check { commands, probes } => work.check_step(commands, probes).await,
                Action::Change { commands } => work.change_step(commands).await,
                Action::Reboot { required, command, back_within } => {
                    work.reboot_step(required.as_ref(), command, *back_within).await
                }
                Action::Backup { .. } => work.backup_step().await,
                Action::Restore { backup, back_within } => work.restore_step(backup, *back_within).await,
                Action::Arm { backup, after } => same(work.arm_step(backup, *after).await),
                Action::Disarm { .. } => same(work.disarm_step().await),
                Action::Drain { idle_within } => work.drain_step(*idle_within).await,
                Action::Undrain => work.undrain_step().await,
                Action::Clone { backup, back_within, .. } => same(work.clone_step(backup, *back_within).await),
                Action::Bisect { .. } => same(work.bisect_step().await),
                Action::Destroy { keep_failed, .. } => same(work.destroy_step(*keep_failed).await),
                Action::Switchover { clone } => same(work.switchover_step(clone).await),
                Action::SwitchBack { clone } => same(work.switch_back_step(clone).await),
                Action::Promote { clone, back_within } => same(work.promote_step(clone, *back_within).await),
                Action::Release { backup, promote } => same(work.release_step(backup, promote.as_ref()).await),
                Action::Soak { span, every, commands, probes } => work.soak_step(*span, *every, commands, probes).await,
            }
        })
    }
}

/// One attempt in the making.
#[derive(Clone, Copy)]
struct Work<'a> {
    executor: &'a RemoteExecutor,
    context: &'a dyn StepContext,
    request: &'a StepRequest,
    host: &'a Host,
    step: &'a Step,
    deadline: Instant,
}

impl Work<'_> {
    fn transport(&self) -> &dyn Transport {
        &*self.executor.transport
    }

    /// Where a command runs.
    fn transport_of(&self, command: &Command) -> &dyn Transport {
        if is_on_controller(command) { &LocalTransport } else { self.transport() }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether a command goes through `sudo`.
    fn as_root(&self, command: &Command) -> bool {
        command.root && self.host.becomes == Become::Sudo
    }

    /// Whether the step takes something back.
    fn is_way_back(&self) -> bool {
        let plan = self.request.plan.hosts.get(&self.request.host);
        plan.is_some_and(|plan| plan.steps.iter().all(|step| step.id != self.step.id))
    }

    fn is_attach(&self) -> bool {
        self.request.mode == Mode::Attach
    }

    /// What a shell is to run for this command.
    fn payload(&self, command: &Command) -> Result<String, Reason> {
        command_payload(command, &self.request.plan.scripts, &self.request.facts)
            .map_err(|error| Reason::new("command-not-rendered", format!("{}: {error}", command.name)))
    }

    fn out_of_time(&self) -> Reason {
        Reason::new("step-timeout", format!("not done within {}", self.step.timeout))
    }
}

/// Ansible reaches the host by itself.
fn is_on_controller(command: &Command) -> bool {
    matches!(command.program, Program::Ansible { .. })
}

/// What a script said, bounded and printable.
struct Told {
    facts: BTreeMap<String, String>,
    reason: Option<Reason>,
    evidence: String,
}

impl Told {
    /// `reports` are lines of the output that may have fallen out of its kept end.
    fn of(reports: &[u8], stdout: &[u8], stderr: &[u8]) -> Self {
        const MAX_EVIDENCE_LINES: usize = 40;
        const MAX_EVIDENCE_LINE: usize = 500;
        let early = parse_output(reports);
        let said = parse_output(stdout);
        let mut facts = early.facts;
        facts.extend(said.facts);
        let reason = said.reason.or(early.reason).map(|reason| Reason::new(&reason.code, reason.text));
        // As a whole: a key has several lines.
        let all = format!("{}\n{}", said.text, String::from_utf8_lossy(stderr));
        let all = told_lines(&all, MAX_EVIDENCE_LINES * MAX_EVIDENCE_LINE);
        let lines = all.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<String> = lines.map(|line| printable(line, MAX_EVIDENCE_LINE)).collect();
        let skip = lines.len().saturating_sub(MAX_EVIDENCE_LINES);
        Self { facts, reason, evidence: lines[skip..].join("\n") }
    }

    /// Why the command failed: what it said itself, else its code.
    fn reason_or(&self, code: &str, command: &Command, exit: i32) -> Reason {
        self.reason.clone().unwrap_or_else(|| Reason::new(code, format!("{} ended with code {exit}", command.name)))
    }
}

/// Steps end early with `?`: either way it is their result.
fn same(result: Result<StepResult, StepResult>) -> StepResult {
    result.unwrap_or_else(|result| result)
}

fn failed(reason: Reason, effect: Effected, evidence: String) -> StepResult {
    StepResult::Failed { reason, effect, evidence }
}

fn unknown(reason: Reason) -> StepResult {
    StepResult::Unknown { reason }
}

/// The reason that a transport's failure is.
fn unreachable(error: &TransportError) -> Reason {
    let code = match error {
        TransportError::Connect { .. } => "unreachable",
        TransportError::HostKey { .. } => "host-key-mismatch",
        TransportError::Login { .. } => "login-refused",
        TransportError::Lost { .. } => "connection-lost",
        TransportError::Timeout { .. } => "no-answer",
        TransportError::Protocol { .. } => "out-of-protocol",
    };
    Reason::new(code, error.to_string())
}

/// Growing pauses between tries.
struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// Sleeps, unless there is not so much time left.
    async fn pause(&mut self, left: Duration) -> bool {
        if left <= self.next {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.most);
        true
    }
}

/// A remote limit of at least a second, at most what is left.
fn limit_of(wanted: TimeSpan, left: Duration) -> TimeSpan {
    wanted.min(TimeSpan::seconds(left.as_secs())).max(TimeSpan::seconds(1))
}
