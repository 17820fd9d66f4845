//! Read-only commands and probes. They may be made again whenever their answer was lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::{Effected, StepResult};
use crate::model::{Command, exit};
use crate::plan::{Probe, Reason, StepKind};
use crate::transport::{Output, TransportError};

use super::clone::probe_of;
use super::{Backoff, Told, Work, failed, http, limit_of, unreachable};

/// How long a host may be unreachable before a check gives up on it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// What ends with less time than this left ended because its time was up.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// A service may still be starting when it is asked first.
const PROBE_TRIES: u32 = 5;
const PROBE_PAUSE: Duration = Duration::from_secs(2);

/// What came of some checks.
pub(super) enum Checked {
    Passed(BTreeMap<String, String>),
    NothingToDo(String),
    Failed { reason: Reason, evidence: String },
}

impl Work<'_> {
    pub(super) async fn check_step(&self, commands: &[Command], probes: &[Probe]) -> StepResult {
        match self.check(commands, probes, PATIENCE, PROBE_TRIES).await {
            Checked::Passed(facts) => StepResult::Succeeded { facts, note: None },
            // Only the first look at a host can find that it needs nothing; later it would hide a failure.
            Checked::NothingToDo(note) if self.step.kind == StepKind::Preflight && self.step.on.is_none() => {
                StepResult::NothingToDo { note }
            }
            Checked::NothingToDo(note) => {
                failed(Reason::new("check-failed", format!("nothing to check: {note}")), Effected::No, String::new())
            }
            Checked::Failed { reason, evidence } => failed(reason, Effected::No, evidence),
        }
    }

    /// All must hold; the first that does not ends it.
    pub(super) async fn check(
        &self,
        commands: &[Command],
        probes: &[Probe],
        patience: Duration,
        probe_tries: u32,
    ) -> Checked {
        let mut facts = BTreeMap::new();
        for command in commands {
            self.context.progress(&command.name);
            match self.check_command(command, patience).await {
                Checked::Passed(more) => facts.extend(more),
                other => return other,
            }
        }
        for probe in probes {
            self.context.progress(probe.name.as_str());
            if let Err(why) = self.probe(&probe_of(probe, self.host), probe_tries).await {
                let reason = Reason::new("probe-failed", format!("{}: {why}", probe.name));
                return Checked::Failed { reason, evidence: String::new() };
            }
        }
        Checked::Passed(facts)
    }

    async fn check_command(&self, command: &Command, patience: Duration) -> Checked {
        let mut again = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));
        let mut before = None;
        loop {
            let output = match self.read_only(command, patience).await {
                Ok(output) => output,
                // Its time was up in the middle of one more try: what it waited for says more.
                Err(reason) => {
                    let (reason, evidence) =
                        before.filter(|_| self.left() < LAST_MOMENT).unwrap_or((reason, String::new()));
                    return Checked::Failed { reason, evidence };
                }
            };
            let told = Told::of(&[], &output.stdout, &output.stderr);
            return match output.code {
                0 => Checked::Passed(told.facts),
                exit::NOTHING_TO_DO => Checked::NothingToDo(
                    told.reason.map_or_else(|| format!("{} found nothing to do", command.name), |reason| reason.text),
                ),
                exit::TRANSIENT if command.repeatable && again.pause(self.left()).await => {
                    let reason = told.reason_or("check-failed", command, output.code);
                    self.context.progress(&format!("{}: {}; again", command.name, reason.text));
                    before = Some((reason, told.evidence));
                    continue;
                }
                code => {
                    Checked::Failed { reason: told.reason_or("check-failed", command, code), evidence: told.evidence }
                }
            };
        }
    }

    /// Runs a command that changes nothing, again if its answer was lost.
    pub(super) async fn read_only(&self, command: &Command, patience: Duration) -> Result<Output, Reason> {
        let payload = self.payload(command)?;
        let root = self.as_root(command);
        let begun = Instant::now();
        let mut again = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        loop {
            if self.left().is_zero() {
                return Err(self.out_of_time());
            }
            let limit = limit_of(command.timeout, self.left());
            let answer = match self.transport_of(command).open(self.host).await {
                Ok(session) => session.run(&payload, root, limit).await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let passing = matches!(error, TransportError::Connect { .. } | TransportError::Lost { .. });
            if !passing || begun.elapsed() >= patience || !again.pause(self.left()).await {
                return Err(unreachable(&error));
            }
            self.context.progress(&format!("{error}; asking again"));
        }
    }

    async fn probe(&self, probe: &Probe, tries: u32) -> Result<(), String> {
        let mut tried = 1;
        loop {
            match http::probe(probe).await {
                Ok(()) => return Ok(()),
                Err(why) if tried >= tries || self.left() <= PROBE_PAUSE => return Err(why),
                Err(why) => self.context.progress(&format!("{}: {why}; asking again", probe.name)),
            }
            tried += 1;
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }
}
