//! The calendar prover: what is wrong with windows only on some days of the years ahead.

use jiff::Timestamp;

use super::decide::{Policy, Window};
use super::windows::Opening;
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Interval, TimeSpan, printable, subtract, union};

/// How far ahead windows are proven.
const AHEAD: TimeSpan = TimeSpan::days(2 * 365 + 1);

/// Dates that a diagnostic names; the rest is counted.
const DATES: usize = 6;

impl Policy {
    /// Whether any window is written.
    pub fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    /// Windows that within two years from now never open, or are altered by a change of clocks, overlap themselves, or
    /// are eaten by freezes.
    pub fn prove_windows(&self, now: Timestamp) -> Vec<Diagnostic> {
        if self.windows.is_empty() {
            return Vec::new();
        }
        let range = Interval { start: now, end: AHEAD.after(now) };
        let data = format!("proven for two years from {} with time zone data {}", day(now), self.tzdata_version());
        let frozen: Vec<Vec<Interval>> =
            self.freezes.iter().map(|freeze| union(freeze.span.intervals(range))).collect();
        let mut found = Vec::new();
        for window in &self.windows {
            let openings = window.times.openings(range);
            let mut say = |level: fn(&'static str, String) -> Diagnostic, code, message: String, help: &str| {
                found.push(level(code, message).at(window.at.clone()).help(format!("{help}; {data}")));
            };
            if openings.is_empty() {
                // What can never open was reported where it is written.
                if !window.never {
                    let message = format!("window `{}` does not open any more within two years", window.name);
                    say(warning, "empty-window", message, "hosts that have no other window are never fixed");
                }
                continue;
            }
            changed(window, &openings, &mut say);
            overlapping(window, &openings, &mut say);
            self.frozen(window, &openings, &frozen, &mut found, &data);
        }
        found
    }

    /// Freezes count against a window where they are for every host of it, as far as the selectors say.
    fn frozen(
        &self,
        window: &Window,
        openings: &[Opening],
        frozen: &[Vec<Interval>],
        found: &mut Vec<Diagnostic>,
        data: &str,
    ) {
        let freezes: Vec<usize> =
            (0..self.freezes.len()).filter(|&i| self.freezes[i].selector.covers(&window.selector)).collect();
        let all = union(freezes.iter().flat_map(|&i| frozen[i].iter().copied()).collect());
        if all.is_empty() {
            return;
        }
        let open: Vec<(&Opening, Interval)> = openings.iter().filter_map(|o| Some((o, o.open?))).collect();
        let eaten: Vec<&Opening> = open
            .iter()
            .filter(|(_, interval)| subtract(&[*interval], near(&all, *interval)).is_empty())
            .map(|(opening, _)| *opening)
            .collect();
        if eaten.is_empty() {
            return;
        }
        let by = freezes.iter().filter(|&&i| {
            eaten.iter().filter_map(|opening| opening.open).any(|open| !near(&frozen[i], open).is_empty())
        });
        let names: Vec<String> = by.clone().map(|&i| format!("`{}`", self.freezes[i].name)).collect();
        let related: Option<Span> = by.clone().next().map(|&i| self.freezes[i].at.clone());
        let (level, message): (fn(&'static str, String) -> Diagnostic, String) = if eaten.len() == open.len() {
            let message = format!(
                "window `{}` is wholly frozen: all its {} within two years lie in {}",
                window.name,
                count(open.len(), "opening"),
                names.join(", "),
            );
            (warning, message)
        } else {
            let message = format!(
                "{} of window `{}` within two years lie wholly in {}: {}",
                count(eaten.len(), "opening"),
                window.name,
                names.join(", "),
                dates(&eaten),
            );
            (note, message)
        };
        let diagnostic = level("window-frozen", message).at(window.at.clone()).help(data);
        found.push(related.into_iter().fold(diagnostic, |d, at| d.related("the freeze", at)));
    }
}

/// Those of the sorted intervals that touch one.
fn near(all: &[Interval], one: Interval) -> &[Interval] {
    let first = all.partition_point(|interval| interval.end <= one.start);
    let last = all.partition_point(|interval| interval.start < one.end);
    all.get(first..last).unwrap_or_default()
}

type Say<'a> = dyn FnMut(fn(&'static str, String) -> Diagnostic, &'static str, String, &str) + 'a;

fn changed(window: &Window, openings: &[Opening], say: &mut Say<'_>) {
    let length = |opening: &Opening| opening.open.map_or(TimeSpan::ZERO, |open| open.length());
    let shorter: Vec<&Opening> = openings.iter().filter(|opening| length(opening) < opening.usual).collect();
    let longer: Vec<&Opening> = openings.iter().filter(|opening| length(opening) > opening.usual).collect();
    if let Some(worst) = shorter.iter().min_by_key(|opening| length(opening)) {
        let left = length(worst);
        let how = if left == TimeSpan::ZERO {
            "nothing".to_owned()
        } else if left.plus(left) <= worst.usual {
            format!("half or less ({left} of {})", worst.usual)
        } else {
            format!("{left} of {}", worst.usual)
        };
        let message = format!("a clock change leaves {how} of window `{}`: {}", window.name, dates(&shorter));
        say(warning, "window-shortened", message, "with `duration` in place of `end` it is as long as ever");
    }
    if let Some(most) = longer.iter().max_by_key(|opening| length(opening)) {
        let message = format!(
            "a clock change makes window `{}` longer ({} instead of {}): {}",
            window.name,
            length(most),
            most.usual,
            dates(&longer),
        );
        say(warning, "window-lengthened", message, "with `duration` in place of `end` it is as long as ever");
    }
}

fn overlapping(window: &Window, openings: &[Opening], say: &mut Say<'_>) {
    let mut open: Vec<(&Opening, Interval)> = openings.iter().filter_map(|o| Some((o, o.open?))).collect();
    open.sort_by_key(|(_, interval)| *interval);
    let mut end = Timestamp::MIN;
    let mut over = Vec::new();
    for (opening, interval) in open {
        if interval.start < end {
            over.push(opening);
        }
        end = end.max(interval.end);
    }
    if !over.is_empty() {
        let message = format!(
            "window `{}` opens while it is still open from the time before ({}): {}",
            window.name,
            count(over.len(), "time"),
            dates(&over),
        );
        say(warning, "window-overlaps", message, "it counts as one longer window; shorten it if that is not meant");
    }
}

fn warning(code: &'static str, message: String) -> Diagnostic {
    Diagnostic::warning(code, message)
}

fn note(code: &'static str, message: String) -> Diagnostic {
    Diagnostic::note(code, message)
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn dates(openings: &[&Opening]) -> String {
    let mut days: Vec<String> = openings.iter().map(|opening| opening.start.date().to_string()).collect();
    days.dedup();
    let more = days.len().saturating_sub(DATES);
    days.truncate(DATES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    printable(&format!("{}{rest}", days.join(", ")), 400)
}

fn day(at: Timestamp) -> String {
    jiff::tz::Offset::UTC.to_datetime(at).date().to_string()
}
