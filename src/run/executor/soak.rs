//! A host is watched for a while after it was changed.

use std::time::{Duration, Instant};

use crate::engine::{Effected, StepResult};
use crate::model::{Command, TimeSpan};
use crate::plan::{Probe, Reason};

use super::check::Checked;
use super::{Work, failed};

/// How soon a request to stop is noticed.
const SLICE: Duration = Duration::from_millis(500);
/// What the last round may take.
const LAST_ROUND: Duration = Duration::from_secs(20);

impl Work<'_> {
    /// One failure may be chance; the next round, at once, decides.
    pub(super) async fn soak_step(
        &self,
        span: TimeSpan,
        every: TimeSpan,
        commands: &[Command],
        probes: &[Probe],
    ) -> StepResult {
        let end = Instant::now() + span.to_std();
        // The watch ends with its span; the step's limit must not cut its last round off.
        let watch = Work { deadline: self.deadline.max(end + LAST_ROUND), ..*self };
        let every = every.to_std().max(Duration::from_secs(1));
        let mut rounds = 0u32;
        let mut failures = 0u32;
        loop {
            rounds += 1;
            let next = Instant::now() + every;
            match watch.check(commands, probes, Duration::ZERO, 1).await {
                Checked::Passed(_) => failures = 0,
                Checked::NothingToDo(note) => failures = self.count(failures, &note),
                Checked::Failed { reason, .. } if failures == 0 => failures = self.count(failures, &reason.text),
                Checked::Failed { reason, evidence } => return failed(reason, Effected::No, evidence),
            }
            let now = Instant::now();
            if failures == 0 && now >= end {
                let note = format!("watched for {span}, {rounds} rounds");
                return StepResult::Succeeded { facts: Default::default(), note: Some(note) };
            }
            // The last round is at the very end.
            let until = if failures > 0 { now + Duration::from_secs(1) } else { next.min(end) };
            while Instant::now() < until {
                if self.context.is_cancelled() {
                    let reason = Reason::new("cancelled", "the watch was ended because the campaign is aborted");
                    return failed(reason, Effected::Possibly, String::new());
                }
                tokio::time::sleep(SLICE.min(until.saturating_duration_since(Instant::now()))).await;
            }
        }
    }

    fn count(&self, failures: u32, why: &str) -> u32 {
        self.context.progress(&format!("{why}; looking again"));
        failures + 1
    }
}
