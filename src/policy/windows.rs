//! Windows and freezes: dates by recurrence rules, times by one function, intervals in UTC.
//!
//! Times are local to a named zone. Where daylight saving makes a local time occur twice or not at all, a window is
//! as narrow and a freeze as wide as can be meant:
//! - a window starts at the later reading of its start;
//! - with `end`, it ends at the earlier reading of that local time (on the next day where `end` is not after `start`);
//! - with `duration`, it ends when that much time has *elapsed*: four hours are four hours also on the night on which
//!   the clock is changed;
//! - a freeze starts at the earlier and ends at the later reading.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Disambiguation, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::calendar::Calendar;
use super::rule::Rule;
use crate::model::{Interval, TimeSpan};

/// Windows are never expanded further than this.
pub(super) const MAX_HORIZON: TimeSpan = TimeSpan::days(5 * 366);

/// The days on which a window opens.
#[derive(Clone, Debug)]
pub(super) enum Days {
    /// These, sorted.
    Dates(Vec<Date>),
    /// By a rule.
    Rule(Box<Rule>),
    /// By a cron expression, which gives the times as well.
    Cron(Box<croner::Cron>),
}

/// What is taken out of the starts of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Except {
    /// All of a day.
    Day(Date),
    /// One.
    Time(DateTime),
}

/// When a window closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// After this much time has elapsed.
    After(TimeSpan),
    /// At this local time, on the next day where it is not after the start.
    At(Time),
}

/// How a local time is read that occurs twice or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As narrow as can be meant: windows.
    Narrow,
    /// As wide as can be meant: freezes.
    Wide,
}

impl Reading {
    pub const fn start(self) -> Disambiguation {
        match self {
            Self::Narrow => Disambiguation::Later,
            Self::Wide => Disambiguation::Earlier,
        }
    }

    pub const fn end(self) -> Disambiguation {
        match self {
            Self::Narrow => Disambiguation::Earlier,
            Self::Wide => Disambiguation::Later,
        }
    }
}

/// One opening, as it is written and as it is.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// When it starts, by the clock on the wall.
    pub start: DateTime,
    /// The clock.
    pub zone: TimeZone,
    /// How long it is where no clock is changed.
    pub usual: TimeSpan,
    /// What is left of it.
    pub open: Option<Interval>,
}

/// When a window is open.
#[derive(Clone, Debug)]
pub(super) enum Times {
    /// By a schedule.
    Schedule(Schedule),
    /// By the events of a calendar.
    Calendar(Calendar),
}

impl Times {
    /// The intervals that overlap `range`, sorted and whole.
    pub fn intervals(&self, range: Interval) -> Vec<Interval> {
        self.openings(range).into_iter().filter_map(|opening| opening.open).collect()
    }

    /// The openings that overlap `range`, or would, sorted.
    pub fn openings(&self, range: Interval) -> Vec<Opening> {
        match self {
            Self::Schedule(schedule) => schedule.openings(range),
            Self::Calendar(calendar) => calendar.openings(range),
        }
    }

    /// Whether it can be seen without a date that it never opens.
    pub fn is_never(&self) -> bool {
        match self {
            Self::Schedule(schedule) => !schedule.ever(),
            Self::Calendar(calendar) => calendar.is_empty(),
        }
    }

    /// The zone in which people think of it, if there is one.
    pub fn zone(&self) -> Option<&TimeZone> {
        match self {
            Self::Schedule(schedule) => Some(&schedule.zone),
            Self::Calendar(calendar) => calendar.zone(),
        }
    }
}

/// A schedule of a policy.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub days: Days,
    /// The time of day of days that come without one.
    pub start: Time,
    /// More starts.
    pub extra: Vec<DateTime>,
    /// Fewer starts.
    pub except: Vec<Except>,
    pub close: Close,
    pub zone: TimeZone,
}

impl Schedule {
    pub fn new(days: Days, start: Time, close: Close, zone: TimeZone) -> Self {
        Self { days, start, extra: Vec::new(), except: Vec::new(), close, zone }
    }

    /// The intervals that overlap `range`, sorted and whole.
    #[cfg(test)]
    pub fn intervals(&self, range: Interval) -> Vec<Interval> {
        self.openings(range).into_iter().filter_map(|opening| opening.open).collect()
    }

    fn openings(&self, range: Interval) -> Vec<Opening> {
        // A window may have opened before the range; zones are at most a day off.
        let reach = match self.close {
            Close::After(span) => span.plus(TimeSpan::days(2)),
            Close::At(_) => TimeSpan::days(3),
        };
        let first = Offset::UTC.to_datetime(reach.before(range.start)).date();
        let last = Offset::UTC.to_datetime(TimeSpan::days(2).after(range.end)).date();
        self.starts(first, last)
            .into_iter()
            .map(|start| self.opening(start))
            .filter(|opening| overlaps(opening, range))
            .collect()
    }

    /// The local times from the first to the last day at which it opens, sorted.
    pub fn starts(&self, first: Date, last: Date) -> Vec<DateTime> {
        let mut starts: Vec<DateTime> = match &self.days {
            Days::Dates(dates) => {
                dates.iter().filter(|day| (first..=last).contains(day)).map(|day| day.to_datetime(self.start)).collect()
            }
            Days::Rule(rule) => {
                let starts = rule.days(first, last).into_iter().map(|day| day.to_datetime(self.start));
                let allowed = |start: &DateTime| {
                    resolve(&self.zone, *start, Reading::Narrow.start())
                        .is_some_and(|instant| rule.allows(*start, instant))
                };
                starts.filter(allowed).collect()
            }
            Days::Cron(cron) => {
                let end = last.to_datetime(Time::MAX);
                let from = cron.iter_from(first.to_datetime(Time::midnight()), croner::Direction::Forward);
                from.take_while(|start| *start <= end).collect()
            }
        };
        if !self.extra.is_empty() {
            starts.extend(self.extra.iter().filter(|start| (first..=last).contains(&start.date())));
            starts.sort();
            starts.dedup();
        }
        starts.retain(|start| !self.except.iter().any(|except| except.takes(*start)));
        starts
    }

    fn opening(&self, start: DateTime) -> Opening {
        let usual = match self.close {
            Close::After(span) => span,
            Close::At(time) => {
                let end = day_of_end(start, time).to_datetime(time);
                TimeSpan::seconds(u64::try_from(start.duration_until(end).as_secs()).unwrap_or(0))
            }
        };
        Opening { start, zone: self.zone.clone(), usual, open: self.at(start) }
    }

    /// The interval that opens at a local time, unless the clock change leaves nothing of it.
    fn at(&self, local: DateTime) -> Option<Interval> {
        let start = resolve(&self.zone, local, Reading::Narrow.start())?;
        let end = match self.close {
            Close::After(span) => span.after(start),
            Close::At(time) => resolve(&self.zone, day_of_end(local, time).to_datetime(time), Reading::Narrow.end())?,
        };
        (start < end).then_some(Interval { start, end })
    }

    #[cfg(test)]
    pub fn on(&self, day: Date) -> Option<Interval> {
        self.at(day.to_datetime(self.start))
    }

    /// Whether it opens at all, as far as two years show.
    pub fn ever(&self) -> bool {
        if !self.extra.is_empty() {
            return true;
        }
        match &self.days {
            Days::Dates(dates) => !dates.is_empty(),
            Days::Rule(rule) => rule.ever(),
            Days::Cron(_) => !self.starts(Date::constant(2024, 1, 1), Date::constant(2025, 12, 31)).is_empty(),
        }
    }
}

impl Except {
    pub fn takes(self, start: DateTime) -> bool {
        match self {
            Self::Day(day) => start.date() == day,
            Self::Time(time) => start == time,
        }
    }
}

fn day_of_end(start: DateTime, end: Time) -> Date {
    if end > start.time() { start.date() } else { start.date().saturating_add(1.day()) }
}

/// Whether an opening overlaps a range; one of which nothing is left, where it would have.
pub(super) fn overlaps(opening: &Opening, range: Interval) -> bool {
    match opening.open {
        Some(open) => open.start < range.end && range.start < open.end,
        None => {
            let start = Offset::UTC.to_timestamp(opening.start).unwrap_or(Timestamp::MAX);
            range.contains(start)
        }
    }
}

/// A local time as an instant.
pub(super) fn resolve(zone: &TimeZone, local: DateTime, rule: Disambiguation) -> Option<Timestamp> {
    Some(zone.to_ambiguous_zoned(local).disambiguate(rule).ok()?.timestamp())
}

/// Where the time zone data comes from that resolves local times, and its version if its files say so.
pub(super) fn tzdata_version() -> String {
    // Which database was found is known to the time crate alone, and it says so only to people.
    let database = format!("{:?}", jiff::tz::db());
    let inner = database.strip_prefix("TimeZoneDatabase(").and_then(|rest| rest.strip_suffix(')')).unwrap_or_default();
    let Some(folder) = inner.strip_prefix("ZoneInfo(").and_then(|rest| rest.strip_suffix(')')) else {
        return format!("not of the system: {}", crate::model::printable(inner, 60));
    };
    let path = std::path::Path::new(folder);
    let version = ["+VERSION", "version", "tzdata.zi"].iter().find_map(|file| first_line(&path.join(file)));
    match version {
        Some(line) => {
            let line = line.trim_start_matches("# version").trim();
            format!("{} of {}", crate::model::printable(line, 20), crate::model::printable(folder, 200))
        }
        None => format!("unknown version of {}", crate::model::printable(folder, 200)),
    }
}

fn first_line(path: &std::path::Path) -> Option<String> {
    use std::io::{BufRead as _, Read as _};
    let file = std::fs::File::open(path).ok()?;
    let mut line = String::new();
    std::io::BufReader::new(file.take(200)).read_line(&mut line).ok()?;
    (!line.trim().is_empty()).then_some(line)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::{subtract, union};
    use crate::policy::rule::RuleError;
    use crate::policy::vectors::vectors;
    use proptest::prelude::*;

    fn schedule(zone: &str, rule: &str, start: &str, close: Close) -> Schedule {
        let days = Days::Rule(Box::new(Rule::new(rule, None).unwrap()));
        Schedule::new(days, start.parse().unwrap(), close, TimeZone::get(zone).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The local times of the window that opens on a day, and its length in minutes.
    fn on(schedule: &Schedule, day: &str) -> (String, String, u64) {
        let open = schedule.on(day.parse().unwrap()).unwrap();
        let local = |t: Timestamp| t.to_zoned(schedule.zone.clone()).strftime("%H:%M%:z").to_string();
        (local(open.start), local(open.end), open.length().as_seconds() / 60)
    }

    #[test]
    fn with_an_end_the_narrowest_reading_holds_on_the_days_of_clock_changes() {
        let berlin = schedule("Europe/Berlin", "FREQ=WEEKLY;BYDAY=SU", "02:30", Close::At("05:00".parse().unwrap()));
        let york = schedule("America/New_York", "FREQ=WEEKLY;BYDAY=SU", "01:30", Close::At("04:00".parse().unwrap()));
        let expect = |from: &str, to: &str, minutes| (from.to_owned(), to.to_owned(), minutes);
        assert_eq!(on(&berlin, "2027-03-21"), expect("02:30+01:00", "05:00+01:00", 150));
        assert_eq!(on(&berlin, "2027-03-28"), expect("03:30+02:00", "05:00+02:00", 90));
        assert_eq!(on(&berlin, "2027-10-31"), expect("02:30+01:00", "05:00+01:00", 150));
        assert_eq!(on(&york, "2027-03-14"), expect("01:30-05:00", "04:00-04:00", 90));
        assert_eq!(on(&york, "2027-11-07"), expect("01:30-05:00", "04:00-05:00", 150));
    }

    #[test]
    fn a_duration_is_time_that_has_elapsed() {
        let nights = schedule("Europe/Berlin", "FREQ=DAILY", "22:00", Close::After(TimeSpan::hours(6)));
        assert_eq!(on(&nights, "2027-03-27"), ("22:00+01:00".into(), "05:00+02:00".into(), 360));
        assert_eq!(on(&nights, "2027-10-30"), ("22:00+02:00".into(), "03:00+01:00".into(), 360));
        assert_eq!(on(&nights, "2027-06-01"), ("22:00+02:00".into(), "04:00+02:00".into(), 360));
    }

    #[test]
    fn an_end_before_the_start_is_on_the_next_day() {
        let nights = schedule("Europe/Berlin", "FREQ=DAILY", "22:00", Close::At("02:00".parse().unwrap()));
        assert_eq!(on(&nights, "2027-06-01").2, 240);
        // 02:00 does not exist: its earlier reading is 01:00.
        assert_eq!(on(&nights, "2027-03-27").2, 180);
        let gap = schedule("Europe/Berlin", "FREQ=DAILY", "02:15", Close::At("02:45".parse().unwrap()));
        assert_eq!(gap.on("2027-03-28".parse().unwrap()), None);
    }

    #[test]
    fn a_window_that_opened_before_the_range_is_found_whole() {
        let weekends = schedule("Pacific/Kiritimati", "FREQ=WEEKLY;BYDAY=FR", "20:00", Close::After(TimeSpan::days(3)));
        let open = weekends.intervals(Interval { start: at("2027-06-06T00:00:00Z"), end: at("2027-06-06T01:00:00Z") });
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].length(), TimeSpan::days(3));
        assert!(open[0].start < at("2027-06-06T00:00:00Z"));
    }

    #[test]
    fn until_is_understood_in_all_its_forms() {
        for until in ["20270603", "20270603T220000", "20270603T200000Z"] {
            let nights = schedule(
                "Europe/Berlin",
                &format!("FREQ=DAILY;UNTIL={until}"),
                "22:00",
                Close::After(TimeSpan::hours(1)),
            );
            let open =
                nights.intervals(Interval { start: at("2027-06-01T00:00:00Z"), end: at("2027-06-10T00:00:00Z") });
            assert_eq!(open.len(), 3, "{until}");
        }
    }

    #[test]
    fn a_rule_that_depends_on_its_first_day_must_name_it() {
        for rule in
            ["FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY;BYMONTH=6", "FREQ=DAILY;INTERVAL=2", "FREQ=DAILY;COUNT=3"]
        {
            assert_eq!(Rule::new(rule, None).unwrap_err(), RuleError::NeedsFrom, "{rule}");
            let from = Date::constant(2027, 1, 2);
            let days =
                Rule::new(rule, Some(from)).unwrap().days(Date::constant(2026, 1, 1), Date::constant(2027, 12, 31));
            assert!(days.iter().all(|day| *day >= from) && !days.is_empty(), "{rule}");
        }
        let odd = Rule::new("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", Some(Date::constant(2027, 1, 2))).unwrap();
        let days = odd.days(Date::constant(2030, 1, 1), Date::constant(2030, 2, 1));
        assert_eq!(days, [Date::constant(2030, 1, 12), Date::constant(2030, 1, 26)]);
    }

    #[test]
    fn rules_finer_than_a_day_and_nonsense_are_refused() {
        for rule in ["FREQ=HOURLY", "FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=DAILY;BYHOUR=3"] {
            assert_eq!(Rule::new(rule, None).unwrap_err(), RuleError::TooFine, "{rule}");
        }
        for rule in [
            "",
            "DAILY",
            "FREQ=DAILY\nEXDATE:20260101",
            "FREQ=DAILY;UNTIL=x",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=MONTHLY;BYMONTHDAY=40",
        ] {
            assert!(Rule::new(rule, Some(Date::constant(2027, 1, 1))).is_err(), "{rule:?}");
        }
        let never = Rule::new("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", None).unwrap();
        assert!(!never.ever());
    }

    #[test]
    fn the_data_names_its_version() {
        let version = tzdata_version();
        // Fails when the time crate changes how it names its database.
        let folder = version.split(" of ").nth(1).unwrap();
        assert!(std::path::Path::new(folder).join("Europe/Berlin").is_file(), "{version}");
    }

    const ZONES: [&str; 7] = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "America/Santiago",
        "UTC",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn windows_keep_their_length_and_avoid_freezes(
            zone in prop::sample::select(&ZONES[..]),
            hour in 0i8..24, minute in prop::sample::select(&[0i8, 15, 30, 45][..]),
            length in prop_oneof![(1u64..72).prop_map(|h| Close::After(TimeSpan::hours(h))), (0i8..24).prop_map(|h| Close::At(Time::constant(h, 7, 0, 0)))],
            day in 0i64..700, freeze in 0i64..60 * 24, frozen in 1i64..200,
        ) {
            let days = Days::Rule(Box::new(Rule::new("FREQ=DAILY", None).unwrap()));
            let zone = TimeZone::get(zone).unwrap();
            let schedule = Schedule::new(days, Time::constant(hour, minute, 0, 0), length, zone);
            let start = Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap();
            let range = Interval { start, end: TimeSpan::days(60).after(start) };
            let open = schedule.intervals(range);
            prop_assert!(open.len() <= 64 && open.len() >= 58);
            for interval in &open {
                match length {
                    Close::After(span) => prop_assert_eq!(interval.length(), span),
                    // Never longer than on any other day, however the clock changes.
                    Close::At(time) => {
                        let usual = (time.duration_since(schedule.start).as_secs()).rem_euclid(86_400);
                        prop_assert!(interval.length().as_seconds() <= u64::try_from(usual).unwrap() + 3600);
                    }
                }
            }
            let hole = TimeSpan::hours(u64::try_from(freeze).unwrap()).after(start);
            let freeze = Interval { start: hole, end: TimeSpan::hours(u64::try_from(frozen).unwrap()).after(hole) };
            let total = |all: &[Interval]| all.iter().map(|i| i.length().as_seconds()).sum::<u64>();
            let whole = union(open);
            let left = subtract(&whole, &[freeze]);
            prop_assert!(left.iter().all(|i| !freeze.contains(i.start) && i.end <= freeze.start || i.start >= freeze.end));
            prop_assert!(total(&left) <= total(&whole));
            prop_assert!(total(&left) + freeze.length().as_seconds() >= total(&whole));
        }
    }

    #[test]
    fn instants_agree_with_published_vectors_across_clock_changes() {
        let Some(rows) = vectors("rrule-dst.tsv") else { return };
        let mut compared = 0;
        for row in rows {
            let [zone, dtstart, rule, _, utc, kinds, ..] = row.as_slice() else { panic!("{row:?}") };
            let dtstart = DateTime::strptime("%Y%m%dT%H%M%S", dtstart).unwrap();
            // Hours belong to `start` with us.
            let rule = rule.replace(";BYHOUR=23", "");
            let Ok(rule) = Rule::new(&rule, Some(dtstart.date())) else {
                assert!(rule.contains("HOURLY"), "{rule}");
                continue;
            };
            let close = Close::After(TimeSpan::minutes(1));
            let zone = TimeZone::get(zone).unwrap();
            let schedule = Schedule::new(Days::Rule(Box::new(rule)), dtstart.time(), close, zone);
            let first = dtstart.to_zoned(TimeZone::UTC).unwrap().timestamp();
            let range = Interval { start: TimeSpan::days(3).before(first), end: TimeSpan::days(400).after(first) };
            let found: Vec<Timestamp> = schedule.intervals(range).into_iter().map(|i| i.start).collect();
            let expected: Vec<(Timestamp, &str)> = utc
                .split(',')
                .zip(kinds.split(','))
                .map(|(t, kind)| {
                    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", t).unwrap();
                    (time.to_zoned(TimeZone::UTC).unwrap().timestamp(), kind)
                })
                .collect();
            assert_eq!(found.len(), expected.len(), "{row:?}");
            for (found, (expected, kind)) in found.into_iter().zip(expected) {
                // Where a local time occurs twice we take the later reading, calendars the earlier.
                if kind == "ambiguous" {
                    let later = TimeSpan::between(expected, found);
                    assert!(later >= TimeSpan::minutes(30) && later <= TimeSpan::hours(2), "{row:?}");
                } else {
                    assert_eq!(found, expected, "{row:?}");
                }
                compared += 1;
            }
        }
        assert!(compared > 40, "{compared} instants");
    }
}
