//! A reboot that is proven: the host answers, and it is in another boot than the one the job was started in.

use std::time::{Duration, Instant};

use crate::engine::{Effected, StepResult};
use crate::model::{Command, TimeSpan, exit};
use crate::plan::Reason;
use crate::transport::{Call, Job, JobState, TransportError};

use super::check::PATIENCE;
use super::{Told, Work, failed, limit_of, unknown, unreachable};

/// How long one question to a host that may be down takes at most.
const ASK: TimeSpan = TimeSpan::seconds(10);
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// A reboot command that has failed may have been killed by the shutdown it asked for: so long the host may still go.
const FAILED_COMMAND: Duration = Duration::from_secs(60);
/// Services may take this long to start on a host that answers.
const SETTLE: Duration = Duration::from_secs(120);

/// Waits until the boot has ended, well or not: what is broken is found by the checks that follow.
const WAIT_FOR_BOOT: &str =
    "if [ -d /run/systemd/system ]; then systemctl is-system-running --wait >/dev/null 2>&1; fi\nexit 0\n";

impl Work<'_> {
    pub(super) async fn reboot_step(
        &self,
        required: Option<&Command>,
        command: &Command,
        back_within: TimeSpan,
    ) -> StepResult {
        let job = match self.job(command, "0") {
            Ok(job) => job,
            Err(reason) => return failed(reason, Effected::No, String::new()),
        };
        // A call of the controller before may still be on its way.
        let effect = if self.is_attach() { Effected::Possibly } else { Effected::No };
        let begun = match self.look_until_answered(&job).await {
            Ok(JobState::NotClaimed(why)) if self.is_attach() => {
                return unknown(Reason::new("job-not-started", why));
            }
            Ok(state) => !matches!(state, JobState::Absent | JobState::Claimed | JobState::NotClaimed(_)),
            Err(error) if self.is_attach() && !matches!(error, TransportError::HostKey { .. }) => {
                return unknown(unreachable(&error));
            }
            Err(error) => return failed(unreachable(&error), effect, String::new()),
        };
        if !begun {
            if let Some(required) = required {
                match self.read_only(required, PATIENCE).await {
                    Err(reason) => return failed(reason, effect, String::new()),
                    Ok(output) => match output.code {
                        0 => {}
                        exit::NOTHING_TO_DO => {
                            return StepResult::no_reboot("no reboot is required");
                        }
                        code => {
                            let told = Told::of(&[], &output.stdout, &output.stderr);
                            let reason = told.reason_or("check-failed", required, code);
                            return failed(reason, effect, told.evidence);
                        }
                    },
                }
            }
            self.context.progress(&command.name);
        }
        self.reboot_and_wait(&job, command, back_within, begun).await
    }

    /// Asks how the job stands, without starting it, until the host answers or it is clear that it does not.
    async fn look_until_answered(&self, job: &Job) -> Result<JobState, TransportError> {
        let patience = if self.is_attach() { self.left() } else { PATIENCE.min(self.left()) };
        let begun = Instant::now();
        loop {
            match self.ask(job, Call::Look).await {
                Err(error)
                    if begun.elapsed() < patience
                        && !matches!(error, TransportError::HostKey { .. } | TransportError::Login { .. }) =>
                {
                    self.context.progress(&format!("{error}; asking again"));
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask(&self, job: &Job, call: Call) -> Result<JobState, TransportError> {
        let session = self.transport().open(self.host).await?;
        self.executor.spool.attach(&*session, job, call, TimeSpan::ZERO).await
    }

    async fn reboot_and_wait(&self, job: &Job, command: &Command, back_within: TimeSpan, begun: bool) -> StepResult {
        let asked = Instant::now();
        let give_up = asked + back_within.to_std();
        let mut call = Call::StartOrAttach;
        let mut started = begun;
        let mut failed_since: Option<Instant> = None;
        let mut last =
            Reason::new("not-rebooted", format!("{} did not reboot the host within {back_within}", command.name));
        let mut evidence = String::new();
        loop {
            match self.ask(job, call).await {
                Ok(JobState::LostByReboot) => break,
                Ok(JobState::Done(output)) if output.rebooted => break,
                Ok(JobState::Done(output)) => {
                    (started, call) = (true, Call::Look);
                    let told = Told::of(&output.reports, &output.stdout, &output.stderr);
                    last = Reason::new(
                        "not-rebooted",
                        format!("{} ended with code {} and the host did not go down", command.name, output.code),
                    );
                    if output.code != 0 {
                        last = told.reason_or("reboot-failed", command, output.code);
                        let since = *failed_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > FAILED_COMMAND {
                            return failed(last, Effected::Possibly, told.evidence);
                        }
                    }
                    evidence = told.evidence;
                }
                // A shutdown kills the job and the connection in any order.
                Ok(JobState::Running(_) | JobState::Lost) => (started, call) = (true, Call::Look),
                Ok(JobState::Claimed | JobState::Absent) if started => {
                    return unknown(Reason::new("job-vanished", "the reboot job was seen on the host and is gone"));
                }
                Ok(JobState::Claimed | JobState::Absent) => {}
                Ok(JobState::NotClaimed(why)) if started => return unknown(Reason::new("job-not-started", why)),
                Ok(state @ (JobState::Conflict | JobState::Refused | JobState::NotClaimed(_))) => {
                    return match self.ended(crate::transport::JobEnd::Known(state), Effected::No) {
                        Err(result) => result,
                        Ok(_) => unknown(last),
                    };
                }
                Err(error @ TransportError::HostKey { .. }) => {
                    let effect = if started { Effected::Possibly } else { Effected::No };
                    return failed(unreachable(&error), effect, String::new());
                }
                Err(error) => {
                    // While it goes down and comes up it may refuse logins, too.
                    started |= !matches!(error, TransportError::Connect { .. } | TransportError::Login { .. });
                    last = Reason::new("not-back", format!("not back within {back_within}: {error}"));
                    self.transport().close(self.host);
                }
            }
            if Instant::now() >= give_up {
                let effect = if started { Effected::Possibly } else { Effected::No };
                return failed(last, effect, evidence);
            }
            self.context.progress(&format!("waits for the host, {}s", asked.elapsed().as_secs()));
            tokio::time::sleep(PAUSE).await;
        }
        let proven_after = asked.elapsed();
        self.settle(give_up.saturating_duration_since(Instant::now()), self.as_root(command)).await;
        StepResult::Succeeded {
            facts: [("reboot".to_owned(), "proven".to_owned())].into(),
            note: Some(format!("rebooted, back after {}s", proven_after.as_secs())),
        }
    }

    /// Waits until the host has done booting, within these bounds. That it has not is no failure here.
    pub(super) async fn settle(&self, left: std::time::Duration, root: bool) {
        let limit = limit_of(TimeSpan::seconds(SETTLE.as_secs()), left);
        if let Ok(session) = self.transport().open(self.host).await {
            let _ = session.run(WAIT_FOR_BOOT, root, limit).await;
        }
    }

    /// Waits until a host that was put back answers on a new connection.
    pub(super) async fn wait_until_back(&self, back_within: TimeSpan) -> Result<(), Reason> {
        let asked = Instant::now();
        let give_up = asked + back_within.to_std();
        self.transport().close(self.host);
        loop {
            let answer = match self.transport().open(self.host).await {
                Ok(session) => session.run("exit 0\n", false, ASK).await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(_) => break,
                Err(error) => error,
            };
            // Another key will not become the right one; a login may be refused while the host comes up.
            if matches!(error, TransportError::HostKey { .. }) {
                return Err(unreachable(&error));
            }
            if Instant::now() >= give_up {
                return Err(Reason::new("not-back", format!("not back within {back_within}: {error}")));
            }
            self.context.progress(&format!("waits for the host, {}s", asked.elapsed().as_secs()));
            self.transport().close(self.host);
            tokio::time::sleep(PAUSE).await;
        }
        self.settle(give_up.saturating_duration_since(Instant::now()), false).await;
        Ok(())
    }
}
