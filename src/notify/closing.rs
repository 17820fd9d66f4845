//! The end of telling: until when those who still try may go on.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Until when may be tried; as long as the campaign runs, without an end.
#[derive(Debug, Default)]
pub(super) struct Closing {
    deadline: Mutex<Option<Instant>>,
    changed: Condvar,
}

impl Closing {
    /// The campaign is over.
    pub fn close(&self, deadline: Instant) {
        *self.lock() = Some(deadline);
        self.changed.notify_all();
    }

    /// How much of this time is left; none at the end.
    pub fn left(&self, wanted: Duration) -> Option<Duration> {
        let left = self.lock().map_or(wanted, |end| end.saturating_duration_since(Instant::now()).min(wanted));
        (!left.is_zero()).then_some(left)
    }

    /// Waits. The end of the campaign cuts the wait short, for one more try; behind it nobody waits past the deadline.
    pub fn pause(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut deadline = self.lock();
        let running = deadline.is_none();
        loop {
            let until = deadline.map_or(until, |end| end.min(until));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || (running && deadline.is_some()) {
                return;
            }
            deadline = self.changed.wait_timeout(deadline, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nobody panics while holding it; even so the value is whole.
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
