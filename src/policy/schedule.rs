//! Section `windows`: schedules and zones as written, checked.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::calendars::local_time as checked_local_time;
use super::check::Check;
use super::raw::{ScheduleRaw, Texts};
use super::rule::{Rule, RuleError};
use super::windows::{Close, Days, Except, Schedule};
use crate::diagnostic::{Diagnostic, Source};
use crate::model::{TimeSpan, printable};
use crate::yaml::{Spanned, nearest, span};

/// No window is open longer at a stretch.
const MAX_LENGTH: TimeSpan = TimeSpan::days(31);

/// No schedule names more single dates.
const MAX_DATES: usize = 5_000;

pub(super) fn check(check: &mut Check<'_>, source: &Arc<Source>, raw: &Spanned<ScheduleRaw>) -> Option<Schedule> {
    let written = &raw.value;
    let zone = zone(check, source, &written.timezone);
    let start = start(check, source, raw);
    let from = written.from.as_ref().map(|from| date(check, source, from));
    let days = days(check, source, raw, from);
    let close = close(check, source, raw, start);
    let (extra, except) = (extra(check, source, raw, start), except(check, source, raw));
    let mut schedule = Schedule::new(days?, start?, close?, zone?);
    schedule.extra = extra?;
    for (text, except) in written.exdate.iter().flat_map(|texts| &texts.value.0).zip(except?) {
        let day = match except {
            Except::Day(day) => day,
            Except::Time(time) => time.date(),
        };
        if !schedule.starts(day, day).into_iter().any(|start| except.takes(start)) {
            let message = format!("the window does not open then: `{}` takes nothing out", printable(&text.value, 40));
            check.push(Diagnostic::warning("unmatched-exdate", message).at(span(source, text)));
        }
        schedule.except.push(except);
    }
    if !schedule.ever() {
        let key = written.rrule.as_ref().or(written.cron.as_ref());
        let at = key.map_or_else(|| span(source, raw), |rule| span(source, rule));
        check.push(
            Diagnostic::warning("empty-window", "this window never opens within two years")
                .at(at)
                .help("hosts that have no other window are never fixed"),
        );
    }
    Some(schedule)
}

/// The time of day; a cron expression brings its own.
fn start(check: &mut Check<'_>, source: &Arc<Source>, raw: &Spanned<ScheduleRaw>) -> Option<Time> {
    match (&raw.value.start, &raw.value.cron) {
        (Some(text), None) => time(check, source, text),
        (None, Some(_)) => Some(Time::midnight()),
        (Some(text), Some(_)) => {
            check.error("invalid-schedule", source, text, "`cron` gives the time of day: `start` says it twice");
            None
        }
        (None, None) => {
            check.error("missing-key", source, raw, "a schedule has `start`");
            None
        }
    }
}

fn days(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    raw: &Spanned<ScheduleRaw>,
    from: Option<Option<Date>>,
) -> Option<Days> {
    let written = &raw.value;
    if written.rrule.is_none()
        && let Some(from) = &written.from
    {
        check.error("invalid-schedule", source, from, "`from` belongs to `rrule`");
    }
    match (&written.rrule, &written.cron, &written.dates) {
        (Some(text), None, None) => {
            // A `from` that is wrong was reported.
            let from = match from {
                Some(None) => return None,
                Some(Some(from)) => Some(from),
                None => None,
            };
            match Rule::new(&text.value, from) {
                Ok(rule) => Some(Days::Rule(Box::new(rule))),
                Err(error) => {
                    let mut diagnostic = Diagnostic::error("invalid-rrule", error.to_string()).at(span(source, text));
                    if error == RuleError::NeedsFrom {
                        diagnostic.code = "rrule-needs-from";
                        diagnostic = diagnostic.help("name its days (BYDAY, BYMONTHDAY) or add `from: 2026-01-03`");
                    }
                    check.push(diagnostic);
                    None
                }
            }
        }
        (None, Some(text), None) => match cron(&text.value) {
            Ok(cron) => Some(Days::Cron(Box::new(cron))),
            Err(message) => {
                let help = "write five fields: minute, hour, day of month, month, day of week, such as `0 22 * * SAT`";
                check.push(Diagnostic::error("invalid-cron", message).at(span(source, text)).help(help));
                None
            }
        },
        (None, None, Some(dates)) => {
            if dates.value.0.is_empty() {
                check.error("invalid-schedule", source, dates, "no dates are given");
            }
            few(check, source, dates)?;
            let mut days: Vec<Date> = dates.value.0.iter().filter_map(|text| date(check, source, text)).collect();
            days.sort();
            days.dedup();
            Some(Days::Dates(days))
        }
        (None, None, None) => {
            check.error("invalid-schedule", source, raw, "a schedule has `rrule`, `cron` or `dates`");
            None
        }
        (_, cron, dates) => {
            let at = dates.as_ref().map(|dates| span(source, dates)).or_else(|| cron.as_ref().map(|c| span(source, c)));
            let problem = Diagnostic::error("invalid-schedule", "`rrule`, `cron` and `dates` exclude each other");
            check.push(at.into_iter().fold(problem, Diagnostic::at));
            None
        }
    }
}

/// A cron expression of five fields that fires at most once an hour.
fn cron(text: &str) -> Result<croner::Cron, String> {
    if text.len() > 256 || text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return Err("a cron expression is one short line".to_owned());
    }
    let fields = text.split_ascii_whitespace().count();
    if fields != 5 && !text.trim().starts_with('@') {
        return Err(match fields {
            6 => "six fields: seconds are not taken, a window opens at a minute".to_owned(),
            count => format!("{count} fields"),
        });
    }
    let parser = croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Disallowed)
        .year(croner::parser::Year::Disallowed)
        .build();
    let cron = parser.parse(text).map_err(|error| printable(&error.to_string(), 200))?;
    let minutes = (0..60).filter(|minute| cron.pattern.minute_match(*minute).unwrap_or(false)).count();
    if minutes > 1 {
        return Err(format!("it fires {minutes} times an hour: a window opens once and stays open for `duration`"));
    }
    Ok(cron)
}

fn few(check: &mut Check<'_>, source: &Arc<Source>, texts: &Texts) -> Option<()> {
    if texts.value.0.len() > MAX_DATES {
        let message = format!("a schedule names at most {MAX_DATES} single dates");
        check.error("invalid-schedule", source, texts, message);
        return None;
    }
    Some(())
}

/// `rdate`: more starts. None where any is wrong.
fn extra(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    raw: &Spanned<ScheduleRaw>,
    start: Option<Time>,
) -> Option<Vec<DateTime>> {
    let Some(texts) = &raw.value.rdate else { return Some(Vec::new()) };
    if raw.value.rrule.is_none() {
        check.error("invalid-schedule", source, texts, "`rdate` adds to `rrule`");
        return None;
    }
    few(check, source, texts)?;
    let mut all = Vec::new();
    for text in &texts.value.0 {
        match day(&text.value) {
            Some(day) => all.push(day.to_datetime(start?)),
            None => all.push(checked_local_time(check, source, text)?),
        }
    }
    Some(all)
}

/// `exdate`: fewer starts. None where any is wrong.
fn except(check: &mut Check<'_>, source: &Arc<Source>, raw: &Spanned<ScheduleRaw>) -> Option<Vec<Except>> {
    let Some(texts) = &raw.value.exdate else { return Some(Vec::new()) };
    if raw.value.dates.is_some() {
        check.error("invalid-schedule", source, texts, "`exdate` takes out of `rrule` or `cron`");
        return None;
    }
    few(check, source, texts)?;
    let mut all = Vec::new();
    for text in &texts.value.0 {
        match day(&text.value) {
            Some(day) => all.push(Except::Day(day)),
            None => all.push(Except::Time(checked_local_time(check, source, text)?)),
        }
    }
    Some(all)
}

fn close(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    raw: &Spanned<ScheduleRaw>,
    start: Option<Time>,
) -> Option<Close> {
    match (&raw.value.duration, &raw.value.end) {
        (Some(text), None) => match text.value.parse::<TimeSpan>() {
            Ok(TimeSpan::ZERO) => {
                check.error("invalid-duration", source, text, "a window of no length never opens");
                None
            }
            Ok(length) if length > MAX_LENGTH => {
                check.error("invalid-duration", source, text, "a window is at most 31 days long");
                None
            }
            Ok(length) => Some(Close::After(length)),
            Err(_) if text.value.starts_with('-') => {
                let message = "a window cannot have a negative length";
                let problem = Diagnostic::error("invalid-duration", message).at(span(source, text));
                check.push(problem.help("write how long it is open, such as 4h"));
                None
            }
            Err(error) => {
                check.error("invalid-duration", source, text, error.to_string());
                None
            }
        },
        (None, Some(text)) => {
            let end = time(check, source, text)?;
            if Some(end) == start && raw.value.cron.is_none() {
                let message = "`end` is `start`: write `duration: 24h` if a whole day is meant";
                check.error("invalid-duration", source, text, message);
                return None;
            }
            Some(Close::At(end))
        }
        (Some(_), Some(end)) => {
            check.error("invalid-schedule", source, end, "`duration` and `end` exclude each other");
            None
        }
        (None, None) => {
            check.error("invalid-schedule", source, raw, "a schedule has `duration` or `end`");
            None
        }
    }
}

fn time(check: &mut Check<'_>, source: &Arc<Source>, text: &Spanned<String>) -> Option<Time> {
    let time = clock(&text.value);
    if time.is_none() {
        let message = format!("`{}` is not a time of day", printable(&text.value, 40));
        check.push(Diagnostic::error("invalid-time", message).at(span(source, text)).help("write it as \"22:00\""));
    }
    time
}

fn date(check: &mut Check<'_>, source: &Arc<Source>, text: &Spanned<String>) -> Option<Date> {
    let date = day(&text.value);
    if date.is_none() {
        let message = format!("`{}` is not a date", printable(&text.value, 40));
        check.push(Diagnostic::error("invalid-date", message).at(span(source, text)).help("write it as 2026-12-05"));
    }
    date
}

/// `22:00` or `22:00:30`.
fn clock(text: &str) -> Option<Time> {
    let shape = text.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b }).collect::<Vec<_>>();
    match shape.as_slice() {
        b"00:00" => Time::strptime("%H:%M", text).ok(),
        b"00:00:00" => Time::strptime("%H:%M:%S", text).ok(),
        _ => None,
    }
}

/// `2026-12-05`.
fn day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| Date::strptime("%Y-%m-%d", text).ok()).flatten()
}

/// `2026-12-18T18:00` with or without seconds, or a day for its beginning.
pub(super) fn local_time(text: &str) -> Option<DateTime> {
    match text.split_once('T') {
        Some((date, time)) => Some(day(date)?.to_datetime(clock(time)?)),
        None => day(text).map(|day| day.to_datetime(Time::midnight())),
    }
}

/// Names that the database has and that do not name a place: they keep no or an outdated daylight saving.
pub(super) const ABBREVIATIONS: [&str; 10] =
    ["CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT"];

pub(super) fn zone(check: &mut Check<'_>, source: &Arc<Source>, text: &Spanned<String>) -> Option<TimeZone> {
    let name = text.value.as_str();
    let shown = printable(name, 60);
    let at = span(source, text);
    // `GMT+2` is two hours behind in one notation and ahead in the other.
    let signed = name.len() < 20 && name.contains(['+', '-']) && name.ends_with(|c: char| c.is_ascii_digit());
    if signed && !name.contains("GMT0") || name.starts_with(['+', '-']) {
        check.push(
            Diagnostic::error("unknown-time-zone", format!("`{shown}` is an offset, not a time zone"))
                .at(at)
                .help("name a place, such as Europe/Berlin: an offset knows no daylight saving"),
        );
        return None;
    }
    if ABBREVIATIONS.contains(&name.to_ascii_uppercase().as_str()) {
        check.push(
            Diagnostic::warning("abbreviated-time-zone", format!("`{shown}` names no place"))
                .at(at.clone())
                .help("name a place, such as Europe/Berlin"),
        );
    }
    let found = if name.len() <= 64 { jiff::tz::db().get(name).ok() } else { None };
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
        let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).to_ascii_lowercase();
        let near = known
            .iter()
            .find(|zone| city(zone) == city(name))
            .map(String::as_str)
            .or_else(|| nearest(name, known.iter().map(String::as_str)));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the IANA database, such as Europe/Berlin or UTC".to_owned(),
        };
        check.push(Diagnostic::error("unknown-time-zone", format!("unknown time zone `{shown}`")).at(at).help(help));
    }
    found
}
