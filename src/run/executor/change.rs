//! Commands that change a host: detached jobs, in order, each run once.
//!
//! Start and attach are the same walk. Every job is found by its name on the host, so a new controller reads the
//! results of the jobs that have ended and goes on where the walk stood.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::{Effected, StepResult};
use crate::model::{Command, exit};
use crate::plan::{Action, Reason};
use crate::transport::{Call, Job, JobEnd, JobOutput, JobState, KILL_GRACE, TransportError, drive};

use super::{Backoff, Told, Work, failed, is_on_controller, limit_of, unknown, unreachable};

/// What the job of a command is called, and of its repetitions.
fn job_name(index: usize, repetition: u32) -> String {
    if repetition == 0 { index.to_string() } else { format!("{index}r{repetition}") }
}

impl Work<'_> {
    pub(super) async fn change_step(&self, commands: &[Command]) -> StepResult {
        let mut facts = BTreeMap::new();
        let mut notes = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            // What came before has changed the host, whatever this command does.
            let before = if index == 0 { Effected::No } else { Effected::Possibly };
            let output = match self.run_change(command, index, before).await {
                Ok(output) => output,
                Err(result) => return *result,
            };
            let told = Told::of(&output.reports, &output.stdout, &output.stderr);
            match output.code {
                0 => {}
                exit::NOTHING_TO_DO => notes.push(format!("{}: nothing to do", command.name)),
                code => {
                    let effect =
                        if matches!(code, exit::REFUSED | exit::TRANSIENT) { before } else { Effected::Possibly };
                    let reason = match code {
                        124 | 137 if told.reason.is_none() => Reason::new(
                            "command-timeout",
                            format!("{} was ended after {} (code {code})", command.name, command.timeout),
                        ),
                        _ => told.reason_or("command-failed", command, code),
                    };
                    return failed(reason, effect, told.evidence);
                }
            }
            facts.extend(told.facts);
        }
        StepResult::Succeeded { facts, note: (!notes.is_empty()).then(|| notes.join("; ")) }
    }

    /// Runs one command to its end; again, as another job, while it may be and its failure is known to pass.
    async fn run_change(
        &self,
        command: &Command,
        index: usize,
        before: Effected,
    ) -> Result<JobOutput, Box<StepResult>> {
        let mut again = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        let mut repetition = 0u32;
        loop {
            let job = self
                .job(command, &job_name(index, repetition))
                .map_err(|reason| Box::new(failed(reason, before, String::new())))?;
            let end = if is_on_controller(command) {
                let call = if self.is_attach() { Call::Look } else { Call::StartOrAttach };
                self.follow_here(&job, command, call).await
            } else {
                self.follow(&job, &command.name).await
            };
            let output = self.ended(end, before).map_err(Box::new)?;
            if output.code != exit::TRANSIENT || !command.repeatable || !again.pause(self.left()).await {
                return Ok(output);
            }
            let told = Told::of(&output.reports, &output.stdout, &output.stderr);
            self.context.progress(&format!("{}; again", told.reason_or("", command, output.code).text));
            repetition += 1;
        }
    }

    /// The job of this name that runs this command.
    pub(super) fn job(&self, command: &Command, name: &str) -> Result<Job, Reason> {
        Ok(Job {
            attempt: self.request.attempt.clone(),
            index: name.to_owned(),
            script: self.payload(command)?,
            root: self.as_root(command),
            limit: limit_of(command.timeout, self.left()),
        })
    }

    /// Starts the job or attaches to it, and follows it until the step's time is up.
    pub(super) async fn follow(&self, job: &Job, name: &str) -> JobEnd {
        self.context.progress(name);
        let note = |text: &str| self.context.progress(&format!("{name}: {text}"));
        let deadline = self.deadline + KILL_GRACE;
        drive(&self.executor.spool, self.transport(), self.host, job, Call::StartOrAttach, deadline, &note).await
    }

    /// The same for a job on the controller. Only the machine that started it can tell what became of it: on another one,
    /// or where it is gone, it is not started again, and its result is unknown.
    async fn follow_here(&self, job: &Job, command: &Command, call: Call) -> JobEnd {
        self.context.progress(&command.name);
        let note = |text: &str| self.context.progress(&format!("{}: {text}", command.name));
        let spool = self.executor.spool.about(&self.host.name);
        let deadline = self.deadline + KILL_GRACE;
        drive(&spool, self.transport_of(command), self.host, job, call, deadline, &note).await
    }

    /// Waits for what the step has begun on the controller: no restore of the host ends that, and it would go on there.
    pub(super) async fn jobs_here_end(&self) {
        let Action::Change { commands } = &self.step.action else { return };
        for (index, command) in commands.iter().enumerate().filter(|(_, command)| is_on_controller(command)) {
            for repetition in 0_u32.. {
                let Ok(job) = self.job(command, &job_name(index, repetition)) else { break };
                let JobEnd::Known(JobState::Done(_)) = self.follow_here(&job, command, Call::Look).await else { break };
            }
        }
    }

    /// The output of a job that has ended, or what its end means for the step.
    pub(super) fn ended(&self, end: JobEnd, before: Effected) -> Result<JobOutput, StepResult> {
        let state = match end {
            JobEnd::Known(state) => state,
            JobEnd::StillThere(JobState::NotClaimed(why)) => return Err(unknown(Reason::new("job-not-started", why))),
            JobEnd::StillThere(_) => return Err(unknown(self.out_of_time())),
            // Whoever answers there is not the host: whatever runs there cannot be asked, and must not be.
            JobEnd::Unknown(error @ TransportError::HostKey { .. }) => {
                return Err(failed(unreachable(&error), Effected::Possibly, String::new()));
            }
            JobEnd::Unknown(error) => return Err(unknown(unreachable(&error))),
            JobEnd::NeverSent(error) => {
                let reason = unreachable(&error);
                return Err(match (self.is_attach(), &error) {
                    (false, _) => failed(reason, before, String::new()),
                    (true, TransportError::HostKey { .. }) => failed(reason, Effected::Possibly, String::new()),
                    (true, _) => unknown(reason),
                });
            }
        };
        let result = match state {
            JobState::Done(output) => return Ok(output),
            JobState::Lost => unknown(Reason::new("job-lost", "the job was started, does not run and left no result")),
            // Nothing of it can run any more, so there is nothing to wait for while the host is out of service.
            JobState::LostByReboot => failed(
                Reason::new("job-lost-by-reboot", "the host booted while the job ran; it left no result"),
                Effected::Possibly,
                String::new(),
            ),
            JobState::Conflict => failed(
                Reason::new("job-conflict", "another script ran on the host under the name of this attempt"),
                Effected::Possibly,
                String::new(),
            ),
            JobState::Refused => {
                failed(Reason::new("superseded", "a later attempt of this step is on the host"), before, String::new())
            }
            // A call of the controller before may still be on its way.
            JobState::NotClaimed(why) if self.is_attach() => unknown(Reason::new("job-not-started", why)),
            JobState::NotClaimed(why) => failed(Reason::new("job-not-started", why), before, String::new()),
            JobState::Absent => unknown(Reason::new("job-vanished", "the job was seen on the host and is gone")),
            JobState::Running(_) | JobState::Claimed => unknown(self.out_of_time()),
        };
        Err(result)
    }
}
