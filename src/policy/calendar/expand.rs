//! Events become openings: repeated, with exceptions taken out and replaced ones put in.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::event::{Event, Length, Mark, Stamp};
use crate::model::{Interval, TimeSpan};
use crate::policy::rule::Rule;
use crate::policy::windows::{Opening, Reading, overlaps, resolve};

/// The events of one or more files, selected and checked.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Calendar {
    pub(super) series: Vec<Series>,
    pub(super) reading: Reading,
    pub(super) floating: Option<TimeZone>,
}

/// An event with what replaces its occurrences.
#[derive(Clone, Debug)]
pub(super) struct Series {
    start: Stamp,
    all_day: bool,
    length: Length,
    /// Whether any of its occurrences lasts.
    lasts: bool,
    rules: Vec<Rule>,
    not_rules: Vec<Rule>,
    dates: Vec<(Stamp, Option<Length>)>,
    not_dates: Vec<Mark>,
    /// Occurrences that are events of their own, or cancelled.
    replaced: Vec<Mark>,
    /// Changes that hold for all occurrences from an instant on, sorted.
    later: Vec<Later>,
}

/// From here on everything is moved by this much and lasts this long, or is cancelled.
#[derive(Clone, Debug)]
struct Later {
    from: Timestamp,
    shift: SignedDuration,
    length: Option<Length>,
}

impl Series {
    pub fn new(event: Event) -> Self {
        Self {
            lasts: !event.has_no_length(),
            start: event.start,
            all_day: event.all_day,
            length: event.length,
            rules: event.rules,
            not_rules: event.not_rules,
            dates: event.dates,
            not_dates: event.not_dates,
            replaced: Vec::new(),
            later: Vec::new(),
        }
    }

    /// Takes out the occurrence that another event replaces, and changes those behind it where that is said.
    pub fn replace(&mut self, mark: Mark, following: bool, by: &Event, opens: bool) {
        if following {
            let zone = &self.start.zone;
            let local = mark.instant.map_or(mark.local, |instant| zone.to_datetime(instant));
            let from = mark.instant.or_else(|| Stamp { local, zone: zone.clone() }.instant());
            let moved = by.start.instant().map_or(by.start.local, |instant| zone.to_datetime(instant));
            let moved = if self.all_day { by.start.local } else { moved };
            if let Some(from) = from {
                let length = opens.then(|| by.length.clone());
                self.later.push(Later { from, shift: local.duration_until(moved), length });
                self.later.sort_by_key(|later| later.from);
            }
        }
        self.replaced.push(mark);
    }

    /// How many openings there are in a year at most.
    pub fn yearly(&self) -> u64 {
        self.rules.iter().map(Rule::yearly).sum::<u64>() + 1
    }

    /// Every occurrence whose local start lies within these days, and a day around.
    fn occurrences(&self, first: Date, last: Date, reading: Reading) -> Vec<(Stamp, &Length)> {
        // One that was moved here may have started elsewhere.
        let moves = self.later.iter().map(|later| later.shift);
        let (back, forth) = moves.fold((0, 0), |(back, forth): (i64, i64), shift| {
            let days = shift.as_hours() / 24;
            (back.max(days + 1), forth.max(1 - days))
        });
        let first = first.saturating_sub((back + 1).days()).to_datetime(jiff::civil::Time::midnight());
        let last = last.saturating_add((forth + 1).days()).to_datetime(jiff::civil::Time::MAX);
        let within = |time: &DateTime| (first..=last).contains(time);
        let by = |rules: &[Rule]| -> Vec<DateTime> {
            let times = rules.iter().flat_map(|rule| {
                let allowed = |local: &DateTime| {
                    let stamp = Stamp { local: *local, zone: self.start.zone.clone() };
                    stamp.instant().is_some_and(|instant| rule.allows(*local, instant))
                };
                rule.times(first, last).into_iter().filter(allowed).collect::<Vec<_>>()
            });
            times.collect()
        };
        // The first is one of them whatever the rules say.
        let mut locals = vec![self.start.local];
        locals.extend(by(&self.rules));
        locals.retain(within);
        locals.sort();
        locals.dedup();
        let of_zone = |local| Stamp { local, zone: self.start.zone.clone() };
        let mut found: Vec<(Timestamp, Stamp, &Length)> =
            locals.into_iter().map(of_zone).filter_map(|stamp| Some((stamp.instant()?, stamp, &self.length))).collect();
        for (stamp, length) in self.dates.iter().filter(|(stamp, _)| within(&stamp.local)) {
            let Some(instant) = stamp.instant() else { continue };
            let known = found.iter_mut().find(|(known, ..)| *known == instant);
            match (known, length) {
                (Some(known), Some(length)) => known.2 = length,
                (Some(_), None) => {}
                (None, length) => found.push((instant, stamp.clone(), length.as_ref().unwrap_or(&self.length))),
            }
        }
        let mut not = by(&self.not_rules);
        not.sort();
        found.retain(|(_, stamp, _)| not.binary_search(&stamp.local).is_err());
        self.take_out(&mut found, reading);
        found.retain(|(instant, stamp, _)| !self.replaced.iter().any(|mark| mark.names(stamp, *instant, self.all_day)));
        found.sort_by_key(|(instant, ..)| *instant);
        found
            .into_iter()
            .filter_map(|(instant, mut stamp, mut length)| {
                if let Some(later) = self.later.iter().rev().find(|later| later.from <= instant) {
                    stamp.local = stamp.local.checked_add(later.shift).ok()?;
                    length = later.length.as_ref()?;
                }
                Some((stamp, length))
            })
            .collect()
    }

    fn take_out(&self, found: &mut Vec<(Timestamp, Stamp, &Length)>, reading: Reading) {
        for mark in &self.not_dates {
            let before = found.len();
            found.retain(|(instant, stamp, _)| !mark.names(stamp, *instant, self.all_day));
            // A time that names none of them means one of that day; nobody can tell which.
            if found.len() == before && reading == Reading::Narrow {
                let day = mark.day(&self.start.zone);
                found.retain(|(_, stamp, _)| stamp.local.date() != day);
            }
        }
    }

    fn opening(&self, start: Stamp, length: &Length, reading: Reading) -> Opening {
        let whole = |seconds: SignedDuration| TimeSpan::seconds(u64::try_from(seconds.as_secs()).unwrap_or(0));
        let (usual, open) = match length {
            Length::To { wall, exact, zone } => {
                let usual = if *zone == start.zone { *wall } else { *exact };
                (whole(usual), self.to(&start, *wall, *exact, zone, reading))
            }
            Length::Nominal(nominal) => {
                let usual = TimeSpan::seconds(u64::try_from(nominal.days * 86_400 + nominal.seconds).unwrap_or(0));
                let open = || {
                    let begin = resolve(&start.zone, start.local, reading.start())?;
                    let base = if nominal.days == 0 {
                        begin
                    } else {
                        resolve(&start.zone, start.local.checked_add(nominal.days.days()).ok()?, reading.end())?
                    };
                    let end = base.checked_add(SignedDuration::from_secs(nominal.seconds)).ok()?;
                    (begin < end).then_some(Interval { start: begin, end })
                };
                (usual, open())
            }
        };
        Opening { start: start.local, zone: start.zone, usual, open }
    }

    /// Calendars differ in whether an end means the clock or the time until then: the narrower or the wider of both.
    fn to(
        &self,
        start: &Stamp,
        wall: SignedDuration,
        exact: SignedDuration,
        zone: &TimeZone,
        reading: Reading,
    ) -> Option<Interval> {
        let begin = resolve(&start.zone, start.local, reading.start())?;
        let by_clock = resolve(zone, start.local.checked_add(wall).ok()?, reading.end())?;
        let by_time = begin.checked_add(exact).ok()?;
        let end = match reading {
            Reading::Narrow => by_clock.min(by_time),
            Reading::Wide => by_clock.max(by_time),
        };
        (begin < end).then_some(Interval { start: begin, end })
    }

    fn longest(&self) -> TimeSpan {
        let own = |length: &Length| match length {
            Length::To { exact, .. } => exact.as_secs(),
            Length::Nominal(nominal) => nominal.days * 86_400 + nominal.seconds,
        };
        let later = self.later.iter().filter_map(|later| later.length.as_ref());
        let dates = self.dates.iter().filter_map(|(_, length)| length.as_ref());
        let longest = later.chain(dates).map(own).fold(own(&self.length), i64::max);
        TimeSpan::seconds(u64::try_from(longest).unwrap_or(0))
    }

    fn openings(&self, range: Interval, reading: Reading) -> Vec<Opening> {
        let reach = self.longest().plus(TimeSpan::days(1));
        let first = Offset::UTC.to_datetime(reach.before(range.start)).date();
        let last = Offset::UTC.to_datetime(TimeSpan::days(1).after(range.end)).date();
        self.occurrences(first, last, reading)
            .into_iter()
            .map(|(start, length)| self.opening(start, length, reading))
            .filter(|opening| overlaps(opening, range))
            .collect()
    }
}

impl Calendar {
    /// The openings that overlap `range`, or would, sorted.
    pub fn openings(&self, range: Interval) -> Vec<Opening> {
        let mut all: Vec<Opening> =
            self.series.iter().flat_map(|series| series.openings(range, self.reading)).collect();
        all.sort_by_key(|opening| opening.open.map(|open| (open.start, open.end)));
        all
    }

    /// The zone of the first event that names a place, else that of the policy.
    pub fn zone(&self) -> Option<&TimeZone> {
        let places = self.series.iter().map(|series| &series.start.zone).filter(|zone| **zone != TimeZone::UTC);
        self.floating.as_ref().or_else(|| places.into_iter().next())
    }

    /// Whether no event is selected that lasts.
    pub fn is_empty(&self) -> bool {
        !self.series.iter().any(|series| series.lasts)
    }

    /// How many starts there are from one day to another, events without length included: for comparison with others.
    #[cfg(test)]
    pub fn starts(&self, first: Date, last: Date) -> Vec<(DateTime, TimeZone)> {
        let all = self.series.iter().flat_map(|series| series.occurrences(first, last, self.reading));
        let mut all: Vec<_> = all
            .filter(|(stamp, _)| (first..=last).contains(&stamp.local.date()))
            .map(|(stamp, _)| (stamp.local, stamp.zone))
            .collect();
        all.sort_by_key(|(local, _)| *local);
        all
    }
}
