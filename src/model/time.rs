//! Lengths of time as people write them, and intervals in UTC.

use std::fmt;

use jiff::Timestamp;

/// A length of time in whole seconds, written `90d`, `4h30m`, `45s`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9]+[wdhms]([0-9]+[dhms])*$"))]
pub struct TimeSpan(u64);

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a length of time: write whole numbers with d, h, m or s, largest first, such as `4h30m` or `90d`"
)]
pub struct InvalidTimeSpan(String);

/// No span is longer than a hundred years: sums of spans and times never overflow.
const MAX_SECONDS: u64 = 100 * 366 * 86_400;

impl TimeSpan {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// This many seconds, at most a hundred years.
    pub const fn seconds(seconds: u64) -> Self {
        Self(if seconds > MAX_SECONDS { MAX_SECONDS } else { seconds })
    }

    /// This many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// This many hours.
    pub const fn hours(hours: u64) -> Self {
        Self::seconds(hours.saturating_mul(3600))
    }

    /// This many days of 24 hours.
    pub const fn days(days: u64) -> Self {
        Self::seconds(days.saturating_mul(86_400))
    }

    /// In seconds.
    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    /// For timers.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0)
    }

    /// The sum, at most a hundred years.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::seconds(self.0.saturating_add(other.0))
    }

    /// The time from `from` to `to`, or none if `to` is earlier.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self::seconds(u64::try_from(to.as_second().saturating_sub(from.as_second())).unwrap_or(0))
    }

    /// The time this long after `time`, at most the end of time.
    pub fn after(self, time: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        time.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
    }

    /// The time this long before `time`, at least the beginning of time.
    pub fn before(self, time: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        time.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
    }
}

impl std::str::FromStr for TimeSpan {
    type Err = InvalidTimeSpan;

    fn from_str(text: &str) -> Result<Self, InvalidTimeSpan> {
        let invalid = || InvalidTimeSpan(crate::model::printable(text, 40));
        let mut total: u64 = 0;
        let mut last_unit = u64::MAX;
        let mut number: Option<u64> = None;
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                let so_far = number.unwrap_or(0).checked_mul(10).ok_or_else(invalid)?;
                number = Some(so_far.checked_add(u64::from(digit)).ok_or_else(invalid)?);
                continue;
            }
            let unit = match c {
                'w' => 7 * 86_400,
                'd' => 86_400,
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return Err(invalid()),
            };
            let count = number.take().ok_or_else(invalid)?;
            if unit >= last_unit {
                return Err(invalid());
            }
            last_unit = unit;
            total = count.checked_mul(unit).and_then(|s| s.checked_add(total)).ok_or_else(invalid)?;
        }
        if number.is_some() || last_unit == u64::MAX || total > MAX_SECONDS {
            return Err(invalid());
        }
        Ok(Self(total))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, letter) in [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')] {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = InvalidTimeSpan;
    fn try_from(text: String) -> Result<Self, InvalidTimeSpan> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> String {
        span.to_string()
    }
}

/// A half-open interval `[start, end)` in UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Interval {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant outside.
    pub end: Timestamp,
}

impl Interval {
    /// Whether the instant lies inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    /// How long it is.
    pub fn length(&self) -> TimeSpan {
        TimeSpan::between(self.start, self.end)
    }
}

/// One interval in which disruptive steps may start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanWindow {
    /// The interval, freezes taken out.
    pub interval: Interval,
    /// The windows of the policy it comes from.
    pub name: super::RuleName,
}

/// Sorts, drops empty intervals and joins those that touch or overlap.
pub fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|i| i.start < i.end);
    intervals.sort();
    let mut out: Vec<Interval> = Vec::with_capacity(intervals.len());
    for next in intervals {
        match out.last_mut() {
            Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
            _ => out.push(next),
        }
    }
    out
}

/// `from` without `holes`; both must come from [`union`].
pub fn subtract(from: &[Interval], holes: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::with_capacity(from.len());
    for interval in from {
        let mut start = interval.start;
        for hole in holes.iter().filter(|h| h.end > interval.start && h.start < interval.end) {
            if hole.start > start {
                out.push(Interval { start, end: hole.start });
            }
            start = start.max(hole.end);
        }
        if start < interval.end {
            out.push(Interval { start, end: interval.end });
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_as_written() {
        let read = |text: &str| text.parse::<TimeSpan>().map(TimeSpan::as_seconds);
        assert_eq!(read("4h30m"), Ok(16_200));
        assert_eq!(read("90d"), Ok(7_776_000));
        assert_eq!(read("2w"), Ok(1_209_600));
        assert_eq!(read("0s"), Ok(0));
        for bad in ["", "5", "h", "30m4h", "-1h", "1.5h", "1h ", "4h4h", "99999999999999999999d", "1000000d"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn spans_round_trip(seconds in 0..MAX_SECONDS) {
            let span = TimeSpan::seconds(seconds);
            prop_assert_eq!(span.to_string().parse::<TimeSpan>(), Ok(span));
        }

        #[test]
        fn subtracting_leaves_exactly_the_points_outside(
            from in prop::collection::vec((0i64..100, 0i64..20), 0..8),
            holes in prop::collection::vec((0i64..100, 0i64..20), 0..8),
        ) {
            let make = |v: &[(i64, i64)]| union(v.iter().map(|&(start, length)| Interval {
                start: Timestamp::from_second(start).unwrap(),
                end: Timestamp::from_second(start + length).unwrap(),
            }).collect());
            let (from, holes) = (make(&from), make(&holes));
            let left = subtract(&from, &holes);
            for second in 0..125 {
                let t = Timestamp::from_second(second).unwrap();
                let inside = |v: &[Interval]| v.iter().any(|i| i.contains(t));
                prop_assert_eq!(inside(&left), inside(&from) && !inside(&holes));
            }
        }
    }
}
