//! Windows and freezes: dates by recurrence rules, times by one function, intervals in UTC.
//!
//! Times are local to a named zone. Where daylight saving makes a local time occur twice or not at all, a window is
//! as narrow and a freeze as wide as can be meant:
//! - a window starts at the later reading of its start;
//! - with `end`, it ends at the earlier reading of that local time (on the next day where `end` is not after `start`);
//! - with `duration`, it ends when that much time has *elapsed*: four hours are four hours also on the night on which
//!   the clock is changed;
//! - a freeze starts at the earlier and ends at the later reading.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::model::{Interval, TimeSpan};

/// No rule gives more dates than this in one expansion: 50 years of every day.
const MAX_DATES: u16 = 18_300;

/// Windows are never expanded further than this.
pub(super) const MAX_HORIZON: TimeSpan = TimeSpan::days(5 * 366);

/// Why a recurrence rule is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RuleError {
    /// Not a rule of RFC 5545.
    #[error("{0}")]
    Invalid(String),
    /// Finer than a day.
    #[error("a rule gives days: the time of day is `start`")]
    TooFine,
    /// Depends on a day it starts from.
    #[error("this rule depends on the day it starts from")]
    NeedsFrom,
}

/// The days on which a window opens.
#[derive(Clone, Debug)]
pub(super) enum Days {
    /// These, sorted.
    Dates(Vec<Date>),
    /// By a rule.
    Rule(Rule),
}

/// A recurrence rule of RFC 5545 that gives days.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    rule: rrule::RRule<rrule::Unvalidated>,
    from: Option<Date>,
    until: Option<Until>,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Day(Date),
    Local(DateTime),
    Utc(Timestamp),
}

impl Rule {
    /// Reads a rule. `from` is the day it starts from; rules that depend on it must have it.
    pub fn new(text: &str, from: Option<Date>) -> Result<Self, RuleError> {
        let invalid = |text: &str| RuleError::Invalid(text.to_owned());
        let body = text.trim().strip_prefix("RRULE:").unwrap_or(text.trim());
        if body.len() > 512 || body.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("a recurrence rule is one short line, such as FREQ=WEEKLY;BYDAY=SA"));
        }
        // UNTIL is ours: the crate wants it in UTC, and real rules mix all three kinds.
        let mut until = None;
        let mut rest = Vec::new();
        for part in body.split(';') {
            match part.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("UNTIL") => {
                    until = Some(Until::new(value).ok_or_else(|| invalid("UNTIL is neither a date nor a time"))?);
                }
                Some((key, _)) if ["BYHOUR", "BYMINUTE", "BYSECOND"].iter().any(|k| key.eq_ignore_ascii_case(k)) => {
                    return Err(RuleError::TooFine);
                }
                _ => rest.push(part),
            }
        }
        let rule = rrule::RRule::from_str(&rest.join(";")).map_err(|error| RuleError::Invalid(error.to_string()))?;
        if !matches!(
            rule.get_freq(),
            rrule::Frequency::Daily | rrule::Frequency::Weekly | rrule::Frequency::Monthly | rrule::Frequency::Yearly
        ) {
            return Err(RuleError::TooFine);
        }
        let names_days = !rule.get_by_weekday().is_empty()
            || !rule.get_by_month_day().is_empty()
            || !rule.get_by_year_day().is_empty()
            || rule.get_freq() == rrule::Frequency::Daily;
        if from.is_none() && (rule.get_interval() > 1 || rule.get_count().is_some() || !names_days) {
            return Err(RuleError::NeedsFrom);
        }
        let rule = Self { rule, from, until };
        let anchor = from.unwrap_or_else(|| Date::constant(2024, 1, 1));
        rule.set(anchor).map_err(|error| RuleError::Invalid(error.to_string()))?;
        Ok(rule)
    }

    fn set(&self, anchor: Date) -> Result<rrule::RRuleSet, rrule::RRuleError> {
        self.rule.clone().build(*seed(anchor)?.get_dt_start())
    }

    /// The days from `first` to `last`, both included.
    pub fn days(&self, first: Date, last: Date) -> Vec<Date> {
        // A rule that does not depend on its first day may start near the days asked for.
        let anchor = self.from.unwrap_or_else(|| {
            let year = first.year().saturating_sub(1).max(1900);
            Date::new(year, 1, 1).unwrap_or(first)
        });
        if last < first || last < anchor {
            return Vec::new();
        }
        let (Ok(set), Ok(after), Ok(before)) = (self.set(anchor), seed(first.max(anchor)), seed(last)) else {
            return Vec::new();
        };
        let set = set.after(*after.get_dt_start()).before(*before.get_dt_start());
        let to_day = |seconds| Some(Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).date());
        let days = set.all(MAX_DATES).dates.into_iter().filter_map(|time| to_day(time.timestamp()));
        days.filter(|day| (first..=last).contains(day)).collect()
    }

    fn allows(&self, start: DateTime, instant: Timestamp) -> bool {
        match self.until {
            None => true,
            Some(Until::Day(day)) => start.date() <= day,
            Some(Until::Local(time)) => start <= time,
            Some(Until::Utc(time)) => instant <= time,
        }
    }

    /// Whether there is any day in the two years that begin with the rule (or, with an end, in the two before it).
    fn ever(&self) -> bool {
        let end = match self.until {
            Some(Until::Day(day)) => Some(day),
            Some(Until::Local(time)) => Some(time.date()),
            Some(Until::Utc(time)) => Some(time.to_zoned(TimeZone::UTC).date()),
            None => None,
        };
        let two_years = 2.years();
        let (first, last) = match (self.from, end) {
            (Some(from), end) => {
                let last = from.saturating_add(two_years);
                (from, end.map_or(last, |end| end.min(last)))
            }
            (None, Some(end)) => (end.saturating_sub(two_years), end),
            (None, None) => (Date::constant(2024, 1, 1), Date::constant(2025, 12, 31)),
        };
        !self.days(first, last).is_empty()
    }
}

impl Until {
    fn new(text: &str) -> Option<Self> {
        match text.len() {
            8 => Date::strptime("%Y%m%d", text).ok().map(Self::Day),
            15 => DateTime::strptime("%Y%m%dT%H%M%S", text).ok().map(Self::Local),
            16 => {
                let time = DateTime::strptime("%Y%m%dT%H%M%S", text.strip_suffix('Z')?).ok()?;
                time.to_zoned(TimeZone::UTC).ok().map(|zoned| Self::Utc(zoned.timestamp()))
            }
            _ => None,
        }
    }
}

/// A set that starts at midnight UTC of a day: it is there for its start, in the terms of the recurrence crate. Rules
/// are expanded in UTC, where every day has its midnight; zones come in later.
fn seed(day: Date) -> Result<rrule::RRuleSet, rrule::RRuleError> {
    let text = format!("DTSTART:{}T000000Z\nRRULE:FREQ=DAILY;COUNT=1", day.strftime("%Y%m%d"));
    rrule::RRuleSet::from_str(&text)
}

/// When a window closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// After this much time has elapsed.
    After(TimeSpan),
    /// At this local time, on the next day where it is not after the start.
    At(Time),
}

/// When a window is open.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub days: Days,
    pub start: Time,
    pub close: Close,
    pub zone: TimeZone,
}

impl Schedule {
    /// The intervals that overlap `range`, sorted and whole.
    pub fn intervals(&self, range: Interval) -> Vec<Interval> {
        // A window may have opened before the range; zones are at most a day off.
        let reach = match self.close {
            Close::After(span) => span.plus(TimeSpan::days(2)),
            Close::At(_) => TimeSpan::days(3),
        };
        let first = reach.before(range.start).to_zoned(TimeZone::UTC).date();
        let last = TimeSpan::days(2).after(range.end).to_zoned(TimeZone::UTC).date();
        let days = match &self.days {
            Days::Dates(dates) => dates.iter().copied().filter(|day| (first..=last).contains(day)).collect(),
            Days::Rule(rule) => rule.days(first, last),
        };
        days.into_iter()
            .filter_map(|day| self.on(day))
            .filter(|open| open.start < range.end && range.start < open.end)
            .collect()
    }

    /// The interval that opens on a day, unless the clock change leaves nothing of it.
    pub fn on(&self, day: Date) -> Option<Interval> {
        let local = day.to_datetime(self.start);
        let start = resolve(&self.zone, local, Disambiguation::Later)?;
        if let Days::Rule(rule) = &self.days
            && !rule.allows(local, start)
        {
            return None;
        }
        let end = match self.close {
            Close::After(span) => span.after(start),
            Close::At(time) => {
                let day = if time > self.start { day } else { day.tomorrow().ok()? };
                resolve(&self.zone, day.to_datetime(time), Disambiguation::Earlier)?
            }
        };
        (start < end).then_some(Interval { start, end })
    }

    /// Whether it opens at all, as far as two years show.
    pub fn ever(&self) -> bool {
        match &self.days {
            Days::Dates(dates) => !dates.is_empty(),
            Days::Rule(rule) => rule.ever(),
        }
    }
}

/// A local time as an instant.
pub(super) fn resolve(zone: &TimeZone, local: DateTime, rule: Disambiguation) -> Option<Timestamp> {
    Some(zone.to_ambiguous_zoned(local).disambiguate(rule).ok()?.timestamp())
}

/// The version of the time zone data that resolves local times: that of the system, as its files say.
pub(super) fn tzdata_version() -> String {
    let folders = crate::env::var("TZDIR").into_iter().chain(["/usr/share/zoneinfo".to_owned()]);
    for folder in folders {
        let path = std::path::Path::new(&folder);
        if !path.is_dir() {
            continue;
        }
        let version = ["+VERSION", "version", "tzdata.zi"].iter().find_map(|file| first_line(&path.join(file)));
        return match version {
            Some(line) => {
                let line = line.trim_start_matches("# version").trim();
                format!("system {}", crate::model::printable(line, 20))
            }
            None => "system, version unknown".to_owned(),
        };
    }
    "none".to_owned()
}

fn first_line(path: &std::path::Path) -> Option<String> {
    use std::io::{BufRead as _, Read as _};
    let file = std::fs::File::open(path).ok()?;
    let mut line = String::new();
    std::io::BufReader::new(file.take(200)).read_line(&mut line).ok()?;
    (!line.trim().is_empty()).then_some(line)
}
