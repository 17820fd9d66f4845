//! The simulated world behind the seam of the real one: an executor for the real dispatcher, in scaled time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::engine::{BoxFuture, StepContext, StepExecutor, StepRequest, StepResult};
use crate::plan::StepKind;

use super::{CallId, SimWorld};

/// Makes attempts on a simulated world whose time goes faster than ours.
pub struct SimExecutor {
    state: Arc<Mutex<State>>,
}

struct State {
    world: SimWorld,
    answers: BTreeMap<CallId, StepResult>,
    clock: Clock,
}

/// The world's time: where it began, and how much faster it goes.
struct Clock {
    began: Instant,
    start: Timestamp,
    scale: u32,
}

/// The longest nap between two looks at the world. Other calls may make something happen earlier than was foreseen,
/// and a soak is to end soon after it was cancelled.
const NAP: Duration = Duration::from_millis(50);

impl Clock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed().saturating_mul(self.scale));
        elapsed.ok().and_then(|elapsed| self.start.checked_add(elapsed).ok()).unwrap_or(Timestamp::MAX)
    }

    /// How long to sleep until this time of the world.
    fn nap(&self, until: Option<Timestamp>) -> Duration {
        let left = until.and_then(|until| Duration::try_from(until.duration_since(self.now())).ok());
        let left = left.map_or(NAP, |left| left / self.scale.max(1));
        left.clamp(Duration::from_micros(200), NAP)
    }
}

impl SimExecutor {
    /// An executor on this world, whose time starts at `start` and goes `scale` times as fast as ours.
    pub fn new(world: SimWorld, start: Timestamp, scale: u32) -> Self {
        let clock = Clock { began: Instant::now(), start, scale: scale.max(1) };
        Self { state: Arc::new(Mutex::new(State { world, answers: BTreeMap::new(), clock })) }
    }

    /// Looks at the world, or changes it, as it is now.
    pub fn with_world<T>(&self, look: impl FnOnce(&mut SimWorld, Timestamp) -> T) -> T {
        let mut state = lock(&self.state);
        let now = state.catch_up();
        look(&mut state.world, now)
    }
}

impl State {
    /// Lets everything happen that is due.
    fn catch_up(&mut self) -> Timestamp {
        let now = self.clock.now();
        while let Some(advanced) = self.world.advance(now) {
            if let Some((call, result)) = advanced.answer {
                self.answers.insert(call, result);
            }
        }
        // Nobody judges invariants here; what was seen would only grow.
        self.world.take_seen();
        now
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // No code panics while it holds the lock.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call of ours; when it is dropped nobody waits for its answer, and what it started goes on.
struct Pending {
    state: Arc<Mutex<State>>,
    call: CallId,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.world.forget(self.call);
        state.answers.remove(&self.call);
    }
}

impl StepExecutor for SimExecutor {
    fn execute<'a>(&'a self, context: Arc<dyn StepContext>, request: StepRequest) -> BoxFuture<'a, StepResult> {
        Box::pin(async move {
            if let Some((_, step)) = request.plan.step(&request.attempt.step) {
                context.progress(doing(step.kind));
            }
            let call = {
                let mut state = lock(&self.state);
                let now = state.catch_up();
                state.world.begin(now, &request)
            };
            let pending = Pending { state: Arc::clone(&self.state), call };
            loop {
                let nap = {
                    let mut state = lock(&self.state);
                    let now = state.catch_up();
                    if context.is_cancelled() {
                        state.world.cancel_soak(now, pending.call);
                    }
                    if let Some(result) = state.answers.remove(&pending.call) {
                        return result;
                    }
                    state.clock.nap(state.world.next_at())
                };
                tokio::time::sleep(nap).await;
            }
        })
    }
}

const fn doing(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Preflight => "asking the host what the fix would do",
        StepKind::Backup => "making a backup",
        StepKind::Clone => "making a clone",
        StepKind::Bisect => "looking for what breaks the clone",
        StepKind::Destroy => "destroying the clone",
        StepKind::Switchover => "sending its traffic to the clone",
        StepKind::SwitchBack => "sending its traffic back",
        StepKind::VerifyOriginal => "verifying that the original is as before",
        StepKind::Promote => "letting the clone take its place",
        StepKind::Release => "deleting what is no longer needed",
        StepKind::Observe => "watching the clone",
        StepKind::Drain => "taking it out of service",
        StepKind::Fix => "upgrading packages",
        StepKind::Restart => "restarting services",
        StepKind::Reboot => "rebooting, if that is required",
        StepKind::Verify => "verifying",
        StepKind::Undrain => "putting it back into service",
        StepKind::Soak => "watching",
        StepKind::Restore => "restoring the backup",
        StepKind::Arm => "arming the way back",
        StepKind::Disarm => "disarming the way back",
        StepKind::VerifyRestored => "verifying that it is as before",
    }
}
