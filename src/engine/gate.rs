//! When windows let a host go, with the time to go back reserved.

use jiff::Timestamp;

use crate::model::{Interval, TimeSpan};
use crate::plan::{HostPlan, Rollout};

/// How much earlier than strictly needed a host is prepared for its window: preparation that takes longer than usual
/// must not cost the window, and a backup grows older by no more than this.
pub const EARLY: TimeSpan = TimeSpan::minutes(10);

/// A host whose backup is older than this when its turn comes is left untouched: a restore would lose what was written
/// since. Longer than any one night, shorter than two.
pub const MAX_BACKUP_AGE: TimeSpan = TimeSpan::hours(12);

/// What windows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowAnswer {
    Open,
    Later(Timestamp),
    Over,
}

/// What a host's steps mean for its gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Index of the first disruptive step.
    pub chain_start: Option<usize>,
    /// Expected time of what comes before.
    pub preparation: TimeSpan,
    /// What must be left of a window when the disruptive part starts: until nothing can fail any more, the way back,
    /// and the margin.
    pub reserve: TimeSpan,
}

impl Lengths {
    pub(super) fn of(host: &HostPlan, rollout: &Rollout) -> Self {
        let chain_start = host.steps.iter().position(crate::plan::Step::is_disruptive);
        let preparation = host.steps.iter().take(chain_start.unwrap_or(0)).map(|step| step.expected);
        Self {
            chain_start,
            preparation: preparation.fold(TimeSpan::ZERO, TimeSpan::plus),
            reserve: host.disruptive_chain().plus(host.way_back()).plus(rollout.margin),
        }
    }
}

/// Whether the disruptive part may start now. `windows` are sorted and do not touch.
pub(super) fn chain_may_start(windows: &[Interval], lengths: Lengths, now: Timestamp) -> WindowAnswer {
    #[cfg(test)]
    let lengths = match super::planted::planted(super::planted::Defect::ReservesNothing) {
        true => Lengths { reserve: TimeSpan::ZERO, ..lengths },
        false => lengths,
    };
    match first_fit(windows, lengths.reserve, now) {
        Some(window) if window.start <= now => WindowAnswer::Open,
        Some(window) => WindowAnswer::Later(window.start),
        None => WindowAnswer::Over,
    }
}

/// Whether preparation may start now: late enough that the backup is fresh, early enough for the window.
pub(super) fn preparation_may_start(windows: &[Interval], lengths: Lengths, now: Timestamp) -> WindowAnswer {
    let Some(window) = first_fit(windows, lengths.reserve, lengths.preparation.after(now)) else {
        return WindowAnswer::Over;
    };
    let start = lengths.preparation.plus(EARLY).before(window.start);
    if start <= now { WindowAnswer::Open } else { WindowAnswer::Later(start) }
}

/// The end of the window that this time lies in.
pub(super) fn window_end(windows: &[Interval], now: Timestamp) -> Option<Timestamp> {
    windows.get(windows.partition_point(|w| w.end <= now)).filter(|w| w.contains(now)).map(|w| w.end)
}

/// The first window in which `reserve` fits, not before `from`.
fn first_fit(windows: &[Interval], reserve: TimeSpan, from: Timestamp) -> Option<Interval> {
    let ahead = windows.get(windows.partition_point(|w| w.end <= from)..)?;
    ahead.iter().copied().find(|w| reserve.after(w.start.max(from)) <= w.end)
}

/// Writes the reasons of gates that never open down once, as an enum and as a list.
macro_rules! nevers {
    ($($name:ident = $code:literal,)*) => {
        #[derive(Clone, Copy)]
        pub(super) enum Never { $($name,)* }

        impl Never {
            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }

        /// Codes of the gates that never open: what they keep back has not failed.
        pub const GATE_CLOSED: &[&str] = &[$($code,)*];
    };
}

nevers! {
    PilotFailed = "pilot-failed",
    ApprovalExpired = "approval-expired",
    BackupTooOld = "backup-too-old",
    DisruptionBudgetUsedUp = "disruption-budget-used-up",
    WindowOver = "window-over",
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
    }

    fn windows() -> Vec<Interval> {
        [(10_000, 12_000), (20_000, 20_500), (30_000, 40_000)]
            .map(|(start, end)| Interval { start: at(start), end: at(end) })
            .to_vec()
    }

    #[test]
    fn the_chain_starts_only_where_its_reserve_fits() {
        let lengths =
            Lengths { chain_start: Some(2), preparation: TimeSpan::seconds(300), reserve: TimeSpan::seconds(1000) };
        let ask = |second| chain_may_start(&windows(), lengths, at(second));
        assert_eq!(ask(9_999), WindowAnswer::Later(at(10_000)));
        assert_eq!(ask(10_000), WindowAnswer::Open);
        assert_eq!(ask(11_000), WindowAnswer::Open);
        assert_eq!(ask(11_001), WindowAnswer::Later(at(30_000)), "the second window is too short");
        assert_eq!(ask(39_000), WindowAnswer::Open);
        assert_eq!(ask(39_001), WindowAnswer::Over);
    }

    #[test]
    fn a_fraction_of_a_second_too_late_is_too_late() {
        let lengths = Lengths { chain_start: Some(0), preparation: TimeSpan::ZERO, reserve: TimeSpan::seconds(1000) };
        let late = at(39_000).checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(Timestamp::MIN);
        assert_eq!(chain_may_start(&windows(), lengths, late), WindowAnswer::Over);
    }

    #[test]
    fn preparation_starts_shortly_before_the_window_and_never_too_late() {
        let lengths =
            Lengths { chain_start: Some(2), preparation: TimeSpan::seconds(300), reserve: TimeSpan::seconds(1000) };
        let ask = |second| preparation_may_start(&windows(), lengths, at(second));
        assert_eq!(ask(9_099), WindowAnswer::Later(at(9_100)));
        assert_eq!(ask(9_100), WindowAnswer::Open);
        assert_eq!(ask(10_700), WindowAnswer::Open);
        assert_eq!(ask(10_701), WindowAnswer::Later(at(29_100)));
        assert_eq!(ask(38_701), WindowAnswer::Over);
    }
}
