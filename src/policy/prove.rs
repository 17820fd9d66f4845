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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, Level, Source};

    fn prove(windows: &str, freezes: &str, now: &str) -> Vec<(Level, &'static str, String)> {
        let text = format!("version: 1\nwindows:\n{windows}freezes:\n{freezes}");
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(vec![Source::new("p.yaml", text)], &mut diagnostics);
        let policy = policy.unwrap_or_else(|| panic!("{:?}", diagnostics.sorted()));
        let found = policy.prove_windows(now.parse().unwrap());
        let data = policy.tzdata_version();
        assert!(found.iter().all(|d| d.help.as_ref().unwrap().contains(&data) && d.span.is_some()));
        found.into_iter().map(|d| (d.level, d.code, d.message)).collect()
    }

    fn one(schedule: &str) -> Vec<(Level, &'static str, String)> {
        prove(
            &format!("  - {{name: w, match: all, schedule: {{{schedule}, timezone: Europe/Berlin}}}}\n"),
            "  []\n",
            "2026-11-25T12:00:00Z",
        )
    }

    const NONE: Vec<(Level, &str, String)> = Vec::new();

    #[test]
    fn windows_that_keep_their_length_are_fine() {
        assert_eq!(one("rrule: FREQ=WEEKLY;BYDAY=SA, start: \"22:00\", duration: 8h"), NONE);
        assert_eq!(one("rrule: FREQ=DAILY, start: \"02:30\", duration: 1h"), NONE);
        assert_eq!(one("rrule: FREQ=DAILY, start: \"04:00\", end: \"06:00\""), NONE);
        // Every hour: in the night without 02:00 the one of 03:00 opens twice.
        let hourly = one("cron: 0 * * * *, duration: 1h");
        assert_eq!(
            hourly[0].2,
            "window `w` opens while it is still open from the time before (2 times): 2027-03-28, 2028-03-26"
        );
    }

    #[test]
    fn a_window_shortened_or_lengthened_by_a_clock_change_names_the_nights() {
        let found = one("rrule: FREQ=DAILY, start: \"22:00\", end: \"06:00\"");
        let expected = [
            (
                Level::Warning,
                "window-shortened",
                "a clock change leaves 7h of 8h of window `w`: 2027-03-27, 2028-03-25",
            ),
            (
                Level::Warning,
                "window-lengthened",
                "a clock change makes window `w` longer (9h instead of 8h): 2027-10-30, 2028-10-28",
            ),
        ];
        assert_eq!(found, expected.map(|(level, code, message)| (level, code, message.to_owned())));
        let found = one("rrule: FREQ=WEEKLY;BYDAY=SU, start: \"01:30\", end: \"03:00\"");
        assert_eq!(
            found[0].2,
            "a clock change leaves half or less (30m of 1h30m) of window `w`: 2027-03-28, 2028-03-26"
        );
        assert_eq!(found[1].1, "window-lengthened");
        let found = one("rrule: FREQ=WEEKLY;BYDAY=SU, start: \"02:15\", end: \"02:45\"");
        assert_eq!(
            found[0].2,
            "a clock change leaves nothing of window `w`: 2027-03-28, 2027-10-31, 2028-03-26, 2028-10-29"
        );
        // On the other night its start is read late and its end early, which leaves nothing either.
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_window_that_opens_while_it_is_open_is_told() {
        let found = one("cron: 0 */6 * * *, duration: 7h");
        assert_eq!((found[0].1, found.len()), ("window-overlaps", 1));
        assert!(
            found[0]
                .2
                .starts_with("window `w` opens while it is still open from the time before (2922 times): 2026-11-25"),
            "{found:?}"
        );
        let sundays = one("rrule: FREQ=DAILY, rdate: [\"2026-12-06T23:00\"], start: \"22:00\", duration: 4h");
        assert_eq!(sundays[0].2, "window `w` opens while it is still open from the time before (1 time): 2026-12-06");
    }

    #[test]
    fn a_window_that_has_ended_is_empty_and_one_that_cannot_open_is_told_once() {
        let found = one("dates: [2026-11-01], start: \"22:00\", duration: 4h");
        assert_eq!(found[0].1, "empty-window");
        assert_eq!(one("rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30, start: \"22:00\", duration: 4h"), NONE);
    }

    const SATURDAYS: &str = "  - {name: w, match: {groups: [a]}, schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, start: \"22:00\", duration: 4h, timezone: Europe/Berlin}}\n";

    #[test]
    fn frozen_openings_are_counted_for_freezes_that_hold_for_all_hosts_of_the_window() {
        let freeze = |matches: &str, to: &str| {
            format!(
                "  - {{name: f, match: {matches}, from: 2026-12-18T18:00, to: {to}, timezone: Europe/Berlin, reason: r}}\n"
            )
        };
        let year_end = prove(SATURDAYS, &freeze("all", "2027-01-04T06:00"), "2026-11-25T12:00:00Z");
        assert_eq!(
            year_end,
            [(
                Level::Note,
                "window-frozen",
                "3 openings of window `w` within two years lie wholly in `f`: 2026-12-19, 2026-12-26, 2027-01-02"
                    .to_owned()
            )]
        );
        assert_eq!(prove(SATURDAYS, &freeze("{groups: [a]}", "2027-01-04T06:00"), "2026-11-25T12:00:00Z").len(), 1);
        assert_eq!(prove(SATURDAYS, &freeze("{groups: [b]}", "2027-01-04T06:00"), "2026-11-25T12:00:00Z"), NONE);
        let ever = prove(SATURDAYS, &freeze("all", "2029-01-04T06:00"), "2026-12-20T12:00:00Z");
        assert_eq!(ever[0].0, Level::Warning);
        assert!(ever[0].2.starts_with("window `w` is wholly frozen: all its 104 openings"), "{ever:?}");
        // A freeze that takes part of an opening takes no opening.
        assert_eq!(prove(SATURDAYS, &freeze("all", "2026-12-19T23:00"), "2026-11-25T12:00:00Z"), NONE);
    }

    #[test]
    fn a_hundred_windows_are_proven_in_no_time() {
        let rules = ["FREQ=WEEKLY;BYDAY=SA", "FREQ=DAILY", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=WEEKLY;BYDAY=MO,WE,FR"];
        let zones = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "UTC", "Asia/Tokyo"];
        let windows: String = (0..100).map(|i| format!(
            "  - {{name: w{i}, match: {{groups: [g{i}]}}, schedule: {{rrule: \"{}\", start: \"{:02}:30\", duration: 2h, timezone: {}}}}}\n",
            rules[i % 4], i % 24, zones[i % 5],
        )).collect();
        let freezes: String = (0..20).map(|i| format!(
            "  - {{name: f{i}, match: all, from: 2027-{:02}-18T18:00, to: 2027-{:02}-20T06:00, timezone: Europe/Berlin, reason: r}}\n",
            i % 12 + 1, i % 12 + 1,
        )).collect();
        let mut diagnostics = Diagnostics::default();
        let text = format!("version: 1\nwindows:\n{windows}freezes:\n{freezes}");
        let policy = Policy::load(vec![Source::new("p.yaml", text)], &mut diagnostics).unwrap();
        let started = std::time::Instant::now();
        let found = policy.prove_windows("2026-11-25T12:00:00Z".parse().unwrap());
        let took = started.elapsed();
        assert!(!found.is_empty());
        // 20 ms where it is optimised and alone; here it is neither.
        assert!(took < std::time::Duration::from_secs(3), "{took:?}");
        #[expect(clippy::print_stderr, reason = "a figure for those who ask")]
        {
            eprintln!("100 windows proven in {took:?}");
        }
    }
}
