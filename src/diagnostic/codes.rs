//! Every code a diagnostic may have, with what it means and what to do.

/// The codes of problems in input files with their explanations, sorted by code.
pub const CODES: &[(&str, &str)] = &[
    (
        "abbreviated-time-zone",
        "The time zone is an abbreviation such as EST or CET. The database has it, but it names no place: it has no or an outdated daylight saving. Name a place, such as Europe/Berlin.",
    ),
    (
        "ambiguous-scalar",
        "A text stands without quotes that other readers of YAML take for something else: `no` and `on` for truth values, `012` for an octal number, `22:00` for a number to the base of 60. Put it in quotes.",
    ),
    (
        "deadlines-out-of-order",
        "A more urgent priority has a later deadline than a less urgent one. The deadlines of critical, high, medium and low must not fall in this order.",
    ),
    (
        "duplicate-key",
        "A mapping has the same key twice. Readers of YAML differ in which of them they take, so that neither is taken. Keep one of them.",
    ),
    (
        "duplicate-name",
        "Two entries of a section have the same name. Names hold across all files of a bundle; decisions and plans refer to them. Rename one.",
    ),
    (
        "empty-selector",
        "A selector, or one of its lists, is empty. It is not guessed whether everything or nothing was meant: write `match: all` for everything, or leave the empty key out.",
    ),
    (
        "empty-window",
        "A window does not open on any day within two years, for example because its rule asks for February 30 or ended long ago. Hosts that have no other window are never fixed.",
    ),
    (
        "expired-exception",
        "The date of an exception has passed, so that it no longer applies. Take it out, or give it another date if its reason still holds.",
    ),
    (
        "invalid-amount",
        "An amount is neither a number of hosts from 1 nor a share from 1% to 100%, or it is one where only the other makes sense.",
    ),
    (
        "invalid-comparison",
        "A comparison could not be read. Write an operator (>=, <=, >, <, =) and a value of the right kind; several, all of which must hold, are parted by commas.",
    ),
    ("invalid-date", "A day could not be read. Write it as 2026-12-05."),
    (
        "invalid-duration",
        "The length of a window could not be read, is zero, negative or longer than 31 days. Write whole numbers with d, h, m or s, such as 4h30m.",
    ),
    (
        "invalid-name",
        "A name is empty, too long, or has characters that cannot be printed. Names are shown in tables and logs and stand in plans.",
    ),
    ("invalid-pattern", "A pattern of a selector is empty or longer than 256 bytes."),
    (
        "invalid-rrule",
        "A recurrence rule could not be read or is finer than a day. Write a rule of RFC 5545 with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY; the time of day is `start`, so that BYHOUR, BYMINUTE and BYSECOND have no place.",
    ),
    ("invalid-schedule", "A schedule needs `rrule` or `dates` (not both), and `duration` or `end` (not both)."),
    ("invalid-score", "A score lies between 0 and 10."),
    (
        "invalid-time",
        "A time could not be read. Write a time of day as \"22:00\", in quotes, and a local time as 2026-12-18T18:00.",
    ),
    ("invalid-url", "The URL of a probe must begin with http:// or https://."),
    (
        "invalid-value",
        "A value has the right type and is not one of those that make sense here; the message says which do.",
    ),
    (
        "invalid-weight",
        "A weight is not between 0 and 1000, or all weights are zero. Weights are normalised, so that any unit will do.",
    ),
    (
        "invalid-yaml",
        "The file is not YAML. The message is that of the parser; the place is where it gave up, which may be behind the cause.",
    ),
    (
        "malformed-expiry",
        "The date of an exception could not be read. It is taken as expired: an exception that might never end must not hide findings.",
    ),
    ("missing-key", "A key that must be given is not there."),
    ("missing-owner", "An exception names nobody who answers for it."),
    (
        "missing-reason",
        "A rule that departs from the usual gives no reason. It is shown with every decision the rule makes.",
    ),
    ("negative-freeze", "A freeze ends before it begins."),
    (
        "not-supported-yet",
        "A part of the format that this version does not act on. It is refused, because what is written must never be silently ignored.",
    ),
    (
        "ordered-list-split",
        "A list in which the first match wins stands in two files. Files of a bundle have no order, so that it could not be said which rule comes first. Put all rules of the list into one file.",
    ),
    ("points-out-of-order", "A more important host would get fewer points than a less important one."),
    (
        "rrule-needs-from",
        "The days of this rule depend on the day it starts from (INTERVAL, COUNT, or no days named). Name the days, or add `from` with that day.",
    ),
    (
        "selector-context",
        "A selector asks for something that is not known where it stands: a rule about hosts cannot ask for findings, and a rule that sets the importance cannot ask for it.",
    ),
    (
        "set-twice",
        "A value is set in two files of a bundle. Files have no order, so that neither wins. Keep one of them.",
    ),
    (
        "thresholds-out-of-order",
        "The thresholds do not fall from critical over high to medium, so that some priority could never be reached.",
    ),
    (
        "unknown-key",
        "A key is not part of the format. It is refused, because a misspelt key would silently not be acted on; a near one is suggested.",
    ),
    (
        "unknown-time-zone",
        "A time zone is not in the IANA database, or is an offset such as GMT+2, which knows no daylight saving and is read with either sign. Name a place, such as Europe/Berlin.",
    ),
    (
        "unmatched-selector",
        "A rule can match no host of the inventory: a misspelt label or group, or a rule that has outlived its hosts.",
    ),
    ("unsupported-version", "The file says that it is written for another version of the format."),
    ("waves-out-of-order", "A wave is not larger than the one before. Waves are cumulative."),
    ("wrong-type", "A value is of another type than expected, for example a text where a list must stand."),
    (
        "yaml-limit",
        "The file exceeds a limit of size, depth or repetition through anchors. No file that people write does; large inventories may.",
    ),
];

/// What a code means, if it is one of ours.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES.binary_search_by(|(known, _)| (*known).cmp(code)).ok().map(|index| CODES[index].1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The codes that stand in a source text: arguments of the functions that make diagnostics.
    fn codes_in(text: &str) -> BTreeSet<String> {
        let text = text.split("#[cfg(test)]").next().unwrap();
        let mut codes = BTreeSet::new();
        for (marker, argument) in [
            ("Diagnostic::error(", 1),
            ("Diagnostic::warning(", 1),
            ("Error::new(", 1),
            ("Self::new(", 1),
            (".error(", 1),
            ("diagnostic.code = ", 1),
            ("self.once(", 3),
        ] {
            for (start, _) in text.match_indices(marker) {
                let rest = &text[start + marker.len()..];
                let call = &rest[..rest.find(';').unwrap_or(rest.len()).min(200)];
                let Some(part) = call.split(',').nth(argument - 1) else { continue };
                let code = part
                    .trim()
                    .trim_end_matches(';')
                    .trim_end_matches(')')
                    .strip_prefix('"')
                    .and_then(|p| p.strip_suffix('"'));
                codes.extend(
                    code.filter(|c| {
                        c.contains('-') && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
                    })
                    .map(str::to_owned),
                );
            }
        }
        codes
    }

    fn walk(folder: &Path, codes: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, codes);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                codes.extend(codes_in(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn every_code_is_explained() {
        let mut used = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        assert!(used.len() > 30, "the search finds codes: {used:?}");
        let unknown: Vec<_> = used.iter().filter(|code| explain(code).is_none()).collect();
        assert!(unknown.is_empty(), "add these to CODES: {unknown:?}");
    }

    #[test]
    fn codes_are_sorted_and_each_is_used() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        let mut used = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
        let unused: Vec<_> = CODES.iter().map(|c| c.0).filter(|code| !used.contains(*code)).collect();
        assert!(unused.is_empty(), "nothing makes these: {unused:?}");
        assert!(explain("no-such-code").is_none());
    }
}
