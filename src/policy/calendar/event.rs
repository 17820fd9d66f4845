//! One `VEVENT`: when it is, how long, and how it repeats.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Disambiguation, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::lines::{Broken, Component, Line};
use super::values::{self, Nominal, Written, nominal, written};
use super::zones::Zones;
use crate::model::printable;
use crate::policy::rule::Rule;
use crate::policy::windows::resolve;

/// No event repeats by more rules, or names more single dates.
const MAX_RULES: usize = 32;
const MAX_DATES: usize = 5_000;

/// No event is longer: a schedule of a policy is not either, and holidays are shorter.
const MAX_DAYS: i64 = 366;

/// A local time and its clock.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub local: DateTime,
    pub zone: TimeZone,
}

impl Stamp {
    /// As calendars read it: the earlier of two readings, and behind a gap.
    pub fn instant(&self) -> Option<Timestamp> {
        resolve(&self.zone, self.local, Disambiguation::Compatible)
    }
}

/// How long an event is.
#[derive(Clone, Debug)]
pub(super) enum Length {
    /// To another local time, perhaps on another clock.
    To {
        /// By the clocks on the wall.
        wall: SignedDuration,
        /// As it elapses the first time.
        exact: SignedDuration,
        zone: TimeZone,
    },
    /// Days as they are counted, and time as it elapses.
    Nominal(Nominal),
}

/// What an `EXDATE` or `RECURRENCE-ID` names.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// As written.
    pub local: DateTime,
    /// None for a day, or a time without a zone.
    pub instant: Option<Timestamp>,
    pub is_day: bool,
}

/// An event as written.
#[derive(Debug)]
pub(super) struct Event {
    pub uid: Option<String>,
    pub sequence: i64,
    pub summary: String,
    pub cancelled: bool,
    /// Its time counts as free.
    pub free: bool,
    pub start: Stamp,
    pub all_day: bool,
    pub length: Length,
    pub rules: Vec<Rule>,
    pub not_rules: Vec<Rule>,
    pub dates: Vec<(Stamp, Option<Length>)>,
    pub not_dates: Vec<Mark>,
    /// The occurrence that it replaces, and whether those behind it as well.
    pub replaces: Option<(Mark, bool)>,
    pub at: crate::diagnostic::Span,
}

impl Event {
    /// Whether none of its occurrences lasts any time.
    pub fn has_no_length(&self) -> bool {
        let none = |length: &Length| match length {
            Length::To { exact, .. } => exact.is_zero(),
            Length::Nominal(nominal) => nominal.days == 0 && nominal.seconds == 0,
        };
        none(&self.length) && self.dates.iter().all(|(_, length)| length.as_ref().is_none_or(none))
    }
}

/// What is needed to read events of a root.
pub(super) struct Reader<'a> {
    pub zones: Zones<'a>,
    /// The zone of times that name none.
    pub floating: Option<TimeZone>,
    /// What the calendar says its zone is, for the error about it.
    pub hint: Option<String>,
    /// Whether the whole root takes its events back.
    pub cancels: bool,
}

impl Reader<'_> {
    pub fn event(&mut self, raw: &Component) -> Result<Event, Broken> {
        let broken = |message: &str| Broken { span: raw.at.clone(), message: message.to_owned() };
        let start_line = raw.one("DTSTART")?.ok_or_else(|| broken("this event has no DTSTART"))?;
        let (start, all_day) = self.start(start_line)?;
        let length = self.length(raw, &start, all_day)?;
        let text = |name: &str| Ok(raw.one(name)?.map(|line| values::text(&line.value)));
        let sequence = match raw.one("SEQUENCE")? {
            Some(line) => line.value.parse().map_err(|_| line.broken("SEQUENCE is a number"))?,
            None => 0,
        };
        let status = text("STATUS")?.unwrap_or_default();
        let repeats = rules(raw, "RRULE", start.local)?;
        let not_rules = rules(raw, "EXRULE", start.local)?;
        let mut dates = Vec::new();
        for line in raw.all("RDATE") {
            self.dates(line, all_day, &start, &mut dates)?;
        }
        let mut not_dates = Vec::new();
        for line in raw.all("EXDATE") {
            for (text, at) in parts(line) {
                not_dates.push(self.mark(line, text, at)?);
            }
        }
        if dates.len() > MAX_DATES || not_dates.len() > MAX_DATES {
            return Err(broken(&format!("an event names at most {MAX_DATES} single dates")));
        }
        let replaces = match raw.one("RECURRENCE-ID")? {
            Some(line) => {
                let range = line.param("RANGE").map(str::to_ascii_uppercase);
                let following = match range.as_deref() {
                    None => false,
                    Some("THISANDFUTURE") => true,
                    Some(other) => return Err(line.broken(format!("RANGE={} is not known", printable(other, 40)))),
                };
                Some((self.mark(line, &line.value, 0)?, following))
            }
            None => None,
        };
        let uid = text("UID")?.filter(|uid| !uid.is_empty());
        Ok(Event {
            uid,
            sequence,
            summary: text("SUMMARY")?.unwrap_or_default(),
            cancelled: self.cancels || status.eq_ignore_ascii_case("CANCELLED"),
            free: text("TRANSP")?.is_some_and(|transp| transp.eq_ignore_ascii_case("TRANSPARENT")),
            start,
            all_day,
            length,
            rules: repeats,
            not_rules,
            dates,
            not_dates,
            replaces,
            at: raw.at.clone(),
        })
    }

    fn start(&mut self, line: &Line) -> Result<(Stamp, bool), Broken> {
        let value = self.value(line, &line.value, 0)?;
        Ok((self.stamp(line, value, 0, line.value.len())?, matches!(value, Written::Day(_))))
    }

    fn value(&self, line: &Line, text: &str, at: usize) -> Result<Written, Broken> {
        let broken = |message: String| Broken { span: line.part(at, text.len()), message };
        let Some(value) = written(text) else {
            let shown = printable(text, 40);
            return Err(broken(format!("`{shown}` is not a time of {}: write 20261205T220000", line.name)));
        };
        let is_day = matches!(value, Written::Day(_));
        if line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE")) && !is_day {
            return Err(broken(format!("{} says VALUE=DATE and has a time", line.name)));
        }
        Ok(value)
    }

    fn stamp(&mut self, line: &Line, value: Written, at: usize, length: usize) -> Result<Stamp, Broken> {
        let local = value.local();
        let zone = match (value, line.param("TZID")) {
            (Written::Utc(_), _) => TimeZone::UTC,
            (Written::Local(_), Some(name)) => self.zones.get(name, |message| Broken { span: line.span(), message })?,
            // Days are of no zone, whatever stands beside them.
            (Written::Local(_) | Written::Day(_), _) => self.floating.clone().ok_or_else(|| {
                let hint = self.hint.as_deref().map_or(String::new(), |hint| {
                    format!("; the calendar says of itself X-WR-TIMEZONE:{}", printable(hint, 60))
                });
                let what = if matches!(value, Written::Day(_)) { "a whole day" } else { "this time" };
                let message = format!("{what} is of no time zone: write `timezone` beside `calendar`{hint}");
                Broken { span: line.part(at, length), message }
            })?,
        };
        Ok(Stamp { local, zone })
    }

    fn mark(&mut self, line: &Line, text: &str, at: usize) -> Result<Mark, Broken> {
        let value = self.value(line, text, at)?;
        let (local, is_day) = (value.local(), matches!(value, Written::Day(_)));
        let floats = matches!(value, Written::Local(_)) && line.param("TZID").is_none();
        let instant = if is_day || floats { None } else { self.stamp(line, value, at, text.len())?.instant() };
        Ok(Mark { local, instant, is_day })
    }

    fn length(&mut self, raw: &Component, start: &Stamp, all_day: bool) -> Result<Length, Broken> {
        match (raw.one("DTEND")?, raw.one("DURATION")?) {
            (Some(_), Some(line)) => {
                Err(Broken { span: line.span(), message: "this event has both DTEND and DURATION".to_owned() })
            }
            (Some(line), None) => {
                let value = self.value(line, &line.value, 0)?;
                if matches!(value, Written::Day(_)) != all_day {
                    return Err(line.broken("DTSTART and DTEND are both days or both times"));
                }
                let end = self.stamp(line, value, 0, line.value.len())?;
                self.to(line, start, &end, all_day, (0, line.value.len()))
            }
            (None, Some(line)) => duration(line, &line.value, all_day, (0, line.value.len())),
            (None, None) if all_day => Ok(Length::Nominal(Nominal { days: 1, seconds: 0 })),
            (None, None) => Ok(Length::Nominal(Nominal { days: 0, seconds: 0 })),
        }
    }

    fn to(
        &self,
        line: &Line,
        start: &Stamp,
        end: &Stamp,
        all_day: bool,
        (at, length): (usize, usize),
    ) -> Result<Length, Broken> {
        let broken = |message: &str| Broken { span: line.part(at, length), message: message.to_owned() };
        let wall = start.local.duration_until(end.local);
        if all_day {
            let days = wall.as_hours() / 24;
            return match days {
                // Some writers mean the day itself.
                0 => Ok(Length::Nominal(Nominal { days: 1, seconds: 0 })),
                1..=MAX_DAYS => Ok(Length::Nominal(Nominal { days, seconds: 0 })),
                ..0 => Err(broken("this event ends before it begins")),
                _ => Err(broken("an event is at most 366 days long")),
            };
        }
        let (Some(first), Some(last)) = (start.instant(), end.instant()) else {
            return Err(broken("this time is out of range"));
        };
        let exact = first.duration_until(last);
        if exact.is_negative() {
            return Err(broken("this event ends before it begins"));
        }
        if exact.as_hours() > MAX_DAYS * 24 {
            return Err(broken("an event is at most 366 days long"));
        }
        Ok(Length::To { wall, exact, zone: end.zone.clone() })
    }

    fn dates(
        &mut self,
        line: &Line,
        all_day: bool,
        start: &Stamp,
        dates: &mut Vec<(Stamp, Option<Length>)>,
    ) -> Result<(), Broken> {
        for (text, at) in parts(line) {
            let Some((from, to)) = text.split_once('/') else {
                let value = self.value(line, text, at)?;
                let stamp = match value {
                    // A day among times means the usual time of that day.
                    Written::Day(day) => Stamp { local: day.to_datetime(start.local.time()), zone: start.zone.clone() },
                    _ if all_day => return Err(line.broken("this event is of whole days, and RDATE is a time")),
                    _ => self.stamp(line, value, at, text.len())?,
                };
                dates.push((stamp, None));
                continue;
            };
            let place = (at + from.len() + 1, to.len());
            let value = self.value(line, from, at)?;
            let begin = self.stamp(line, value, at, from.len())?;
            let length = if to.starts_with(['P', '+', '-']) {
                duration(line, to, false, place)?
            } else {
                let value = self.value(line, to, place.0)?;
                let end = self.stamp(line, value, place.0, place.1)?;
                self.to(line, &begin, &end, false, place)?
            };
            dates.push((begin, Some(length)));
        }
        Ok(())
    }
}

/// The values of a list, with their places.
fn parts(line: &Line) -> Vec<(&str, usize)> {
    let mut at = 0;
    let mut parts = Vec::new();
    for part in line.value.split(',') {
        let text = part.trim();
        let lead = part.len() - part.trim_start().len();
        if !text.is_empty() {
            parts.push((text, at + lead));
        }
        at += part.len() + 1;
    }
    parts
}

fn rules(raw: &Component, name: &str, start: DateTime) -> Result<Vec<Rule>, Broken> {
    let read = |line: &Line| Rule::of_event(&line.value, start).map_err(|error| line.broken(error.to_string()));
    let rules: Vec<Rule> = raw.all(name).map(read).collect::<Result<_, _>>()?;
    if rules.len() > MAX_RULES {
        return Err(Broken { span: raw.at.clone(), message: format!("an event has at most {MAX_RULES} rules") });
    }
    Ok(rules)
}

fn duration(line: &Line, text: &str, all_day: bool, (at, length): (usize, usize)) -> Result<Length, Broken> {
    let broken = |message: String| Broken { span: line.part(at, length), message };
    let read = nominal(text)
        .ok_or_else(|| broken(format!("`{}` is not a duration: write PT4H, P1D or P1DT12H", printable(text, 40))))?;
    if read.days < 0 || read.seconds < 0 {
        return Err(broken("this event ends before it begins".to_owned()));
    }
    if read.days > MAX_DAYS || read.seconds > MAX_DAYS * 86_400 {
        return Err(broken("an event is at most 366 days long".to_owned()));
    }
    if all_day && (read.seconds != 0 || read.days == 0) {
        return Err(broken("an event of whole days lasts whole days".to_owned()));
    }
    Ok(Length::Nominal(read))
}

impl Mark {
    /// Whether it names an occurrence exactly.
    pub fn names(&self, occurrence: &Stamp, instant: Timestamp, all_day: bool) -> bool {
        if self.is_day || all_day {
            return self.local.date() == occurrence.local.date();
        }
        match self.instant {
            Some(named) => named == instant,
            None => self.local == occurrence.local,
        }
    }

    /// The day it means on the clock of an event.
    pub fn day(&self, zone: &TimeZone) -> Date {
        self.instant.map_or(self.local, |instant| zone.to_datetime(instant)).date()
    }
}
