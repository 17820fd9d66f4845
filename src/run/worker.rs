//! One attempt on one host: waits for its time, executes, and turns a panic or a hang into `Unknown`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::engine::{StepContext, StepExecutor, StepRequest, StepResult};
use crate::model::{HostName, StepId, TimeSpan};
use crate::plan::Reason;

use super::hub::Hub;

/// Added to a step's own limit before its executor counts as hanging. Less than [`crate::engine::GRACE`], so that the
/// engine can ask the host once more before it gives up.
const WATCHDOG: TimeSpan = TimeSpan::seconds(30);

/// What an executor may tell and ask.
struct Context {
    hub: Arc<Hub>,
    host: HostName,
    step: StepId,
    cancelled: watch::Receiver<bool>,
}

impl StepContext for Context {
    fn progress(&self, note: &str) {
        self.hub.progress(&self.host, &self.step, note);
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }
}

/// Makes the attempt.
pub(super) async fn attempt(
    executor: Arc<dyn StepExecutor>,
    request: StepRequest,
    not_before: Option<Timestamp>,
    hub: Arc<Hub>,
    cancelled: watch::Receiver<bool>,
) -> StepResult {
    if let Some(time) = not_before {
        // A span, not a time on the wall: a clock that is set back must not keep a host unasked for hours.
        let left = time.duration_since(crate::env::now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }
    let limit = request.plan.step(&request.attempt.step).map_or(TimeSpan::ZERO, |(_, step)| step.timeout);
    let context = Context { hub, host: request.host.clone(), step: request.attempt.step.clone(), cancelled };
    // A task of its own: its panic is an answer here, not the end of the controller.
    let mut task = Abort(tokio::spawn(async move { executor.execute(Arc::new(context), request).await }));
    match tokio::time::timeout(limit.plus(WATCHDOG).to_std(), &mut task.0).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => {
            let what = if error.is_panic() { "panicked" } else { "was stopped" };
            StepResult::Unknown { reason: Reason::new("executor-failed", format!("the executor {what}")) }
        }
        Err(_) => {
            let text = format!("the executor gave no answer within {limit}");
            StepResult::Unknown { reason: Reason::new("executor-hangs", text) }
        }
    }
}

/// Stops its task when it is dropped: nobody waits for the answer any more. What it started on a host goes on there.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The longest sleep at once: the clock on the wall may be set while we sleep.
const NAP: Duration = Duration::from_secs(20);

/// Sleeps until this time on the wall.
pub(super) async fn sleep_until(time: Timestamp) {
    loop {
        let left = time.duration_since(crate::env::now());
        let Ok(left) = Duration::try_from(left) else { return };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}
