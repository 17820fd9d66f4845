//! The windows of one host as a person asks for them: every opening, what is left of it, and what took the rest.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::decide::{Policy, joined};
use super::windows::{MAX_HORIZON, Opening};
use crate::model::{Host, Interval, RuleName, TimeSpan, subtract, union};

/// When disruptive steps on a host may start, in full.
#[derive(Clone, Debug)]
pub enum HostWindows {
    /// At any time: no windows are written and no freeze lies ahead.
    Always,
    /// Never.
    None {
        /// In words.
        why: String,
    },
    /// In these.
    Listed(Vec<HostWindow>),
}

/// A stretch of time in which windows are open, before freezes.
#[derive(Clone, Debug)]
pub struct HostWindow {
    /// The windows.
    pub name: RuleName,
    /// All of it.
    pub interval: Interval,
    /// The clock on the wall.
    pub zone: TimeZone,
    /// How a clock change alters an opening in it.
    pub clock: Option<String>,
    /// What freezes leave, sorted.
    pub open: Vec<Interval>,
    /// What freezes take.
    pub taken: Vec<Taken>,
}

/// What a freeze takes of a window.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The freeze.
    pub freeze: RuleName,
    /// Its reason.
    pub reason: String,
    /// What it takes.
    pub interval: Interval,
}

impl Policy {
    /// What `windows_for` says of a host, with what freezes take and where clock changes show.
    pub fn list_windows(&self, host: &Host, from: Timestamp, horizon: TimeSpan) -> HostWindows {
        let range = Interval { start: from, end: horizon.min(MAX_HORIZON).after(from) };
        let (open, closed) = self.matching(host, from, true);
        if open.is_empty() && !self.windows.is_empty() {
            let why = format!("policy has {} windows, and none of them is for this host", self.windows.len());
            return HostWindows::None { why };
        }
        if open.is_empty() && closed.is_empty() {
            return HostWindows::Always;
        }
        let by_window: Vec<(&RuleName, Option<&TimeZone>, Vec<Opening>)> = open
            .iter()
            .map(|&i| &self.windows[i])
            .map(|window| (&window.name, window.times.zone(), window.times.openings(range)))
            .collect();
        let openings = || by_window.iter().flat_map(|(.., all)| all.iter().filter_map(|opening| opening.open));
        let whole = if open.is_empty() { vec![range] } else { union(openings().collect()) };
        let edges = whole.iter().fold(range, |edges, interval| Interval {
            start: edges.start.min(interval.start),
            end: edges.end.max(interval.end),
        });
        let freezes: Vec<_> = closed
            .iter()
            .map(|&i| &self.freezes[i])
            .map(|freeze| (freeze, union(freeze.span.intervals(edges))))
            .collect();
        let frozen = union(freezes.iter().flat_map(|(_, all)| all.iter().copied()).collect());
        let rows = whole.into_iter().map(|interval| {
            let inside = |opening: &Opening| opening.open.is_some_and(|open| meet(open, interval).is_some());
            let of = by_window.iter().filter(|(.., all)| all.iter().any(inside));
            let zone = of.clone().find_map(|(_, zone, _)| *zone).cloned();
            let names = of.clone().map(|(name, ..)| name.as_str()).collect();
            let clock = of.flat_map(|(.., all)| all).filter(|opening| inside(opening)).find_map(clock_change);
            let taken = freezes.iter().flat_map(|(freeze, all)| {
                all.iter().filter_map(|span| meet(*span, interval)).map(|interval| Taken {
                    freeze: freeze.name.clone(),
                    reason: freeze.reason.clone(),
                    interval,
                })
            });
            HostWindow {
                name: joined(names, "any time"),
                interval,
                zone: zone.unwrap_or(TimeZone::UTC),
                clock,
                open: subtract(&[interval], &frozen),
                taken: taken.collect(),
            }
        });
        HostWindows::Listed(rows.collect())
    }
}

fn meet(a: Interval, b: Interval) -> Option<Interval> {
    let both = Interval { start: a.start.max(b.start), end: a.end.min(b.end) };
    (both.start < both.end).then_some(both)
}

/// How an opening differs from what its clock says.
pub(super) fn clock_change(opening: &Opening) -> Option<String> {
    let Some(open) = opening.open else { return Some("the clock change leaves nothing of it".to_owned()) };
    let start = opening.zone.to_datetime(open.start);
    let (usual, length) = (opening.usual, open.length());
    let moved = start != opening.start;
    let before = opening.zone.to_offset(open.start);
    let after = opening.zone.to_offset(open.end);
    match length.cmp(&usual) {
        std::cmp::Ordering::Less => Some(format!("{length} instead of {usual}: the clock change takes the rest")),
        std::cmp::Ordering::Greater => Some(format!("{length} instead of {usual}: an hour of the clock comes twice")),
        std::cmp::Ordering::Equal if moved => {
            Some(format!("starts at {} because {} does not exist", start.time(), opening.start.time()))
        }
        std::cmp::Ordering::Equal if before != after => Some("the clock is changed within it".to_owned()),
        std::cmp::Ordering::Equal => None,
    }
}
