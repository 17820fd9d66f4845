//! Values of RFC 5545: dates, times, durations, offsets.

use jiff::civil::{Date, DateTime};

/// Calendars reach no further: outside of these years zones and rules mean nothing.
const YEARS: std::ops::RangeInclusive<i16> = 1600..=2999;

/// A date or a time as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Day(Date),
    Local(DateTime),
    Utc(DateTime),
}

impl Written {
    /// On the clock on the wall; a day begins at midnight.
    pub fn local(self) -> DateTime {
        match self {
            Self::Day(day) => day.to_datetime(jiff::civil::Time::midnight()),
            Self::Local(time) | Self::Utc(time) => time,
        }
    }
}

/// `20261205`, `20261205T220000`, `20261205T220000Z`.
pub(super) fn written(text: &str) -> Option<Written> {
    let shape = |text: &str, at: &[usize]| {
        text.is_ascii() && text.bytes().enumerate().all(|(i, b)| at.contains(&i) || b.is_ascii_digit())
    };
    let read = match text.len() {
        8 if shape(text, &[]) => Written::Day(Date::strptime("%Y%m%d", text).ok()?),
        15 if shape(text, &[8]) => Written::Local(DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?),
        16 if shape(text, &[8, 15]) => Written::Utc(DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?),
        _ => return None,
    };
    YEARS.contains(&read.local().year()).then_some(read)
}

/// A duration: days as they are counted, and seconds as they elapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nominal {
    pub days: i64,
    pub seconds: i64,
}

/// `P1D`, `PT4H30M`, `P1W`; negative ones are read too, for others to refuse.
pub(super) fn nominal(text: &str) -> Option<Nominal> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (date, time) = match rest.strip_prefix('P')?.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (rest.strip_prefix('P')?, ""),
    };
    let days = sum(date, &[('W', 7), ('D', 1)])?;
    let seconds = sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    (!(date.is_empty() && time.is_empty())).then_some(Nominal { days: sign * days, seconds: sign * seconds })
}

fn sum(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut left = units;
    let mut total: i64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() && digits.len() < 7 {
            digits.push(c);
            continue;
        }
        let at = left.iter().position(|(unit, _)| *unit == c)?;
        total += digits.parse::<i64>().ok()? * left.get(at)?.1;
        left = left.get(at + 1..)?;
        digits.clear();
    }
    digits.is_empty().then_some(total)
}

/// `+0100`, `-0330`, `+001234` in seconds.
pub(super) fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |at: usize| digits.get(at..at + 2).map_or(Some(0), |two| two.parse::<i32>().ok());
    let (hours, minutes, seconds) = (number(0)?, number(2)?, number(4)?);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// A text with its escapes taken out.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_written_or_not_at_all() {
        assert_eq!(written("20261205"), Some(Written::Day(Date::constant(2026, 12, 5))));
        let time = DateTime::constant(2026, 12, 5, 22, 0, 0, 0);
        assert_eq!(written("20261205T220000"), Some(Written::Local(time)));
        assert_eq!(written("20261205T220000Z"), Some(Written::Utc(time)));
        for bad in
            ["", "2026-12-05", "20261205Z", "20261305", "20261205T2200", "00010101", "20261205T2200000", "2026120é"]
        {
            assert_eq!(written(bad), None, "{bad}");
        }
        let read = |text: &str| nominal(text).map(|n| (n.days, n.seconds));
        assert_eq!(read("P1D"), Some((1, 0)));
        assert_eq!(read("P2W"), Some((14, 0)));
        assert_eq!(read("P1DT12H"), Some((1, 43_200)));
        assert_eq!(read("-PT15M"), Some((0, -900)));
        for bad in ["", "P", "PT", "1D", "P1H", "PT1W1D2H3M4S", "PT1M1H", "P1", "PTH", "P99999999999D"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!((offset("+0100"), offset("-033000"), offset("-0000")), (Some(3600), Some(-12_600), Some(0)));
        assert_eq!((offset("01:00"), offset("+2500"), offset("+01")), (None, None, None));
        assert_eq!(text(r"a\, b\nc\\"), "a, b\nc\\");
    }
}
