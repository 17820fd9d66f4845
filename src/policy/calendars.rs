//! Sections `windows` and `freezes` as written: schedules, spans, and calendars of others.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::calendar::{self, Calendar, Options};
use super::check::Check;
use super::decide::FreezeSpan;
use super::glob::Glob;
use super::raw::{FreezeRaw, WindowRaw};
use super::schedule;
use super::windows::{Reading, Times, resolve};
use crate::diagnostic::{Diagnostic, Source};
use crate::model::{Interval, printable};
use crate::yaml::{Spanned, span};

/// When a window is open.
pub(super) fn window(check: &mut Check<'_>, source: &Arc<Source>, raw: &WindowRaw) -> Option<Times> {
    match (&raw.schedule, &raw.calendar) {
        (Some(written), None) => {
            for key in [&raw.summary, &raw.timezone].into_iter().flatten() {
                let message = "`summary` and `timezone` of a window belong to `calendar`";
                check.error("invalid-schedule", source, key, message);
            }
            schedule::check(check, source, written).map(Times::Schedule)
        }
        (None, Some(path)) => {
            let calendar = read(check, source, path, &raw.summary, &raw.timezone, Reading::Narrow)?;
            if calendar.is_empty() {
                let message = "no event of this calendar opens a window";
                empty(check, source, path, message, "hosts that have no other window are never fixed");
            }
            Some(Times::Calendar(calendar))
        }
        (Some(_), Some(path)) => {
            check.error("invalid-schedule", source, path, "`schedule` and `calendar` exclude each other");
            None
        }
        (None, None) => {
            check.error("missing-key", source, &raw.name, "this window has neither `schedule` nor `calendar`");
            None
        }
    }
}

/// When a freeze holds.
pub(super) fn freeze(check: &mut Check<'_>, source: &Arc<Source>, raw: &FreezeRaw) -> Option<FreezeSpan> {
    if let Some(path) = &raw.calendar {
        for key in [&raw.from, &raw.to].into_iter().flatten() {
            check.error("invalid-freeze", source, key, "`from` and `to` say what `calendar` says");
        }
        let calendar = read(check, source, path, &raw.summary, &raw.timezone, Reading::Wide)?;
        if calendar.is_empty() {
            empty(
                check,
                source,
                path,
                "no event of this calendar freezes anything",
                "correct `summary` or the calendar",
            );
        }
        return Some(FreezeSpan::Calendar(calendar));
    }
    if let Some(key) = &raw.summary {
        check.error("invalid-freeze", source, key, "`summary` selects events of `calendar`");
    }
    let mut missing = false;
    for (key, value) in [("from", &raw.from), ("to", &raw.to), ("timezone", &raw.timezone)] {
        if value.is_none() {
            missing = true;
            let message = format!("this freeze has no `{key}`: it has `from`, `to` and `timezone`, or `calendar`");
            check.error("missing-key", source, &raw.name, message);
        }
    }
    let zone = raw.timezone.as_ref().and_then(|zone| schedule::zone(check, source, zone));
    let from = raw.from.as_ref().and_then(|from| Some((from, local_time(check, source, from)?)));
    let to = raw.to.as_ref().and_then(|to| Some((to, local_time(check, source, to)?)));
    let (false, Some(zone), Some((from, start)), Some((to, end))) = (missing, zone, from, to) else { return None };
    once(check, source, &zone, (from, start), (to, end)).map(FreezeSpan::Once)
}

fn once(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    zone: &TimeZone,
    (from, first): (&Spanned<String>, DateTime),
    (to, last): (&Spanned<String>, DateTime),
) -> Option<Interval> {
    // As wide as can be meant: a freeze that a clock change shortens would not be safe.
    let start = resolve(zone, first, Reading::Wide.start());
    let end = resolve(zone, last, Reading::Wide.end());
    let (Some(start), Some(end)) = (start, end) else {
        check.error("invalid-time", source, from, "this time is out of range");
        return None;
    };
    if last <= first || end <= start {
        check.push(
            Diagnostic::error("negative-freeze", "this freeze ends before it begins")
                .at(span(source, to))
                .related("it begins here", span(source, from)),
        );
        return None;
    }
    Some(Interval { start, end })
}

fn read(
    check: &mut Check<'_>,
    source: &Arc<Source>,
    path: &Spanned<String>,
    summary: &Option<Spanned<String>>,
    timezone: &Option<Spanned<String>>,
    reading: Reading,
) -> Option<Calendar> {
    let zone = match timezone {
        Some(zone) => Some(schedule::zone(check, source, zone)?),
        None => None,
    };
    let files = check.files(source, path);
    if files.is_empty() {
        return None;
    }
    let glob = summary.as_ref().map(|summary| Glob::new(&summary.value));
    let options = Options { floating: zone, summary: glob.as_ref(), reading };
    calendar::read(&files, &options, check.diagnostics)
}

fn empty(check: &mut Check<'_>, source: &Arc<Source>, path: &Spanned<String>, message: &str, help: &str) {
    check.push(Diagnostic::warning("empty-calendar", message).at(span(source, path)).help(help));
}

pub(super) fn local_time(check: &mut Check<'_>, source: &Arc<Source>, text: &Spanned<String>) -> Option<DateTime> {
    let time = schedule::local_time(&text.value);
    if time.is_none() {
        let message = format!("`{}` is not a local time", printable(&text.value, 40));
        check.push(
            Diagnostic::error("invalid-time", message)
                .at(span(source, text))
                .help("write it as 2026-12-18T18:00, or 2026-12-18 for the beginning of that day"),
        );
    }
    time
}
