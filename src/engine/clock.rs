//! A clock that never goes back, kept by the records alone.

use jiff::{SignedDuration, Timestamp};

/// Turns the controller's clock, which may be set back or forward, into a time that only grows, and no faster than time. Deadlines and soaks are counted
/// in it; windows are not, because they mean the time on the wall.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Clock {
    /// When the last record was written.
    last: Option<Timestamp>,
    /// The latest time reached.
    reached: Timestamp,
    /// Added to the wall's time, because it was set back by so much; less than nothing if it was set forward.
    ahead: SignedDuration,
}

impl Default for Clock {
    fn default() -> Self {
        Self { last: None, reached: Timestamp::MIN, ahead: SignedDuration::ZERO }
    }
}

impl Clock {
    /// The time behind which the clock has gone, if it has.
    pub fn went_back(&self, now: Timestamp) -> Option<Timestamp> {
        self.last.filter(|last| now < *last)
    }

    /// When a clock that was set forward was set, if nobody has noticed before: it would be `from` now.
    pub(super) fn leapt(&self, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
        Some(self.last.map_or(from, |last| last.max(from))).filter(|from| *from < now)
    }

    /// The growing time at this time on the wall.
    pub fn steady(&self, wall: Timestamp) -> Timestamp {
        wall.checked_add(self.ahead).unwrap_or(Timestamp::MAX).max(self.reached)
    }

    /// The time on the wall when this growing time is reached.
    pub fn wall(&self, steady: Timestamp) -> Timestamp {
        steady.checked_sub(self.ahead).unwrap_or(Timestamp::MIN)
    }

    /// A record was written.
    pub(super) fn record(&mut self, at: Timestamp) {
        self.reached = self.steady(at);
        self.last = Some(at);
    }

    /// The clock was set from one time to another.
    pub(super) fn jump(&mut self, from: Timestamp, to: Timestamp) {
        self.ahead = self.ahead.checked_add(from.duration_since(to)).unwrap_or(self.ahead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
    }

    #[test]
    fn steady_time_goes_on_where_the_wall_went_back() {
        let mut clock = Clock::default();
        clock.record(at(1000));
        assert_eq!(clock.went_back(at(999)), Some(at(1000)));
        clock.jump(at(1000), at(400));
        clock.record(at(400));
        assert_eq!(clock.steady(at(400)), at(1000));
        assert_eq!(clock.steady(at(410)), at(1010));
        assert_eq!(clock.wall(at(1010)), at(410));
        assert_eq!(clock.went_back(at(410)), None);
        assert_eq!(clock.steady(at(1)), at(1000), "never back");
    }

    #[test]
    fn steady_time_does_not_leap_with_the_wall() {
        let mut clock = Clock::default();
        clock.record(at(1000));
        assert_eq!(clock.leapt(at(1010), at(5000)), Some(at(1010)));
        assert_eq!(clock.leapt(at(900), at(5000)), Some(at(1000)), "not before what is in the journal");
        assert_eq!(clock.leapt(at(5000), at(5000)), None);
        clock.jump(at(1010), at(5000));
        clock.record(at(5000));
        assert_eq!([5000, 5010].map(|wall| clock.steady(at(wall))), [at(1010), at(1020)]);
        assert_eq!(clock.wall(at(1020)), at(5010));
    }
}
