//! The next values on each side: of numbers, lengths of time, days, hours and rules of recurrence.

use jiff::civil::{Date, Time};
use jiff::{Span as TimeAmount, ToSpan as _};

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// One step more and less, with as many decimals as were written.
pub(super) fn shift_number(text: &str, step: f64) -> Vec<String> {
    let Ok(number) = text.trim().parse::<f64>() else { return Vec::new() };
    let least = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
    let decimals = text.trim().split_once('.').map_or(0, |(_, rest)| rest.len()).max(least);
    let shown = [number + step, (number - step).max(0.0)].map(|changed| format!("{changed:.decimals$}"));
    shown.into_iter().filter(|changed| changed.parse() != Ok(number)).collect()
}

/// One more and one less of its first unit.
pub(super) fn shift_span(text: &str) -> Vec<String> {
    let Some(unit) = text.find(|c: char| c.is_ascii_alphabetic()) else { return Vec::new() };
    let Ok(number) = text[..unit].trim().parse::<u64>() else { return Vec::new() };
    [number.checked_add(1), number.checked_sub(1).filter(|n| *n > 0)]
        .into_iter()
        .flatten()
        .map(|changed| format!("{changed}{}", &text[unit..]))
        .collect()
}

/// A day later and earlier, at the same time.
pub(super) fn shift_day(text: &str) -> Vec<String> {
    let (day, rest) = text.split_at(text.find('T').unwrap_or(text.len()));
    let Ok(date) = day.parse::<Date>() else { return Vec::new() };
    let by: [TimeAmount; 2] = [1.day(), -1.day()];
    by.into_iter().filter_map(|amount| Some(format!("{}{rest}", date.checked_add(amount).ok()?))).collect()
}

/// An hour later and earlier.
pub(super) fn shift_hour(text: &str) -> Vec<String> {
    let form = if text.matches(':').count() == 2 { "%H:%M:%S" } else { "%H:%M" };
    let Ok(time) = Time::strptime(form, text) else { return Vec::new() };
    let by: [TimeAmount; 2] = [1.hour(), -1.hour()];
    by.into_iter().map(|amount| time.wrapping_add(amount).strftime(form).to_string()).collect()
}

/// Each day, number and date of a rule of recurrence changed alone.
///
/// `FREQ` is left alone where days are named: `FREQ=DAILY;BYDAY=SA` gives the same days as `FREQ=WEEKLY;BYDAY=SA`.
pub(super) fn shift_rule(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split(';').collect();
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Some((key, value)) = part.split_once('=') else { continue };
        let daily = key.eq_ignore_ascii_case("FREQ")
            && value.eq_ignore_ascii_case("DAILY")
            && !parts.iter().any(|part| part.get(..2).is_some_and(|by| by.eq_ignore_ascii_case("BY")));
        let changes = if daily { vec!["WEEKLY;BYDAY=MO".to_owned()] } else { shift_part(key, value) };
        for changed in changes {
            let mut rule: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            rule[at] = format!("{key}={changed}");
            all.push(rule.join(";"));
        }
    }
    all
}

fn shift_part(key: &str, value: &str) -> Vec<String> {
    let elements: Vec<&str> = value.split(',').collect();
    let mut all = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let changes: Vec<String> = match key.to_ascii_uppercase().trim_start_matches("RRULE:") {
            "BYDAY" => shift_weekday(element),
            "BYMONTHDAY" | "BYMONTH" | "BYSETPOS" | "BYYEARDAY" | "BYWEEKNO" => shift_ordinal(element),
            "INTERVAL" | "COUNT" => shift_ordinal(element).into_iter().filter(|n| !n.starts_with('-')).collect(),
            "UNTIL" => match (element.get(..8).and_then(|day| Date::strptime("%Y%m%d", day).ok()), element.get(8..)) {
                (Some(day), Some(rest)) => [day.tomorrow(), day.yesterday()]
                    .into_iter()
                    .filter_map(|day| Some(format!("{}{rest}", day.ok()?.strftime("%Y%m%d"))))
                    .collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        for changed in changes {
            let joined: Vec<&str> =
                elements.iter().enumerate().map(|(i, element)| if i == at { &changed } else { *element }).collect();
            all.push(joined.join(","));
        }
    }
    all
}

/// The next day of the week, and another week of the month where one is named: `2SA`.
fn shift_weekday(element: &str) -> Vec<String> {
    let Some(split) = element.len().checked_sub(2).filter(|at| element.is_char_boundary(*at)) else {
        return Vec::new();
    };
    let (ordinal, name) = element.split_at(split);
    let Some(day) = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name)) else { return Vec::new() };
    let mut all = vec![format!("{ordinal}{}", DAYS[(day + 1) % DAYS.len()])];
    all.extend(shift_ordinal(ordinal).into_iter().map(|changed| format!("{changed}{name}")));
    all
}

/// One more and one less; there is no zeroth.
fn shift_ordinal(text: &str) -> Vec<String> {
    let Ok(number) = text.parse::<i32>() else { return Vec::new() };
    [number.checked_add(1), number.checked_sub(1)]
        .into_iter()
        .flatten()
        .filter(|n| *n != 0)
        .map(|n| n.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_neighbours() {
        assert_eq!(shift_number("7.0", 0.1), ["7.1", "6.9"]);
        assert_eq!(shift_number("0", 0.1), ["0.1"]);
        assert_eq!(shift_number(".5 ", 0.01), ["0.51", "0.49"]);
        assert_eq!(shift_span("4h30m"), ["5h30m", "3h30m"]);
        assert_eq!(shift_span("1d"), ["2d"]);
        assert_eq!(shift_day("2026-12-31T18:00"), ["2027-01-01T18:00", "2026-12-30T18:00"]);
        assert_eq!(shift_hour("23:30"), ["00:30", "22:30"]);
        assert_eq!(shift_hour("22:00:30"), ["23:00:30", "21:00:30"]);
        for junk in ["", "T", "x", "9999999999999999999999d", "\u{e4}\u{e4}", "-"] {
            let all = [shift_number(junk, 0.1), shift_span(junk), shift_day(junk), shift_hour(junk), shift_rule(junk)];
            assert_eq!(all.concat(), Vec::<String>::new(), "{junk}");
        }
    }

    #[test]
    fn every_part_of_a_rule_is_changed_and_none_that_changes_nothing() {
        assert_eq!(
            shift_rule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU"),
            [
                "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SU",
                "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,SU",
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU",
                "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,MO",
            ]
        );
        assert_eq!(
            shift_rule("FREQ=MONTHLY;BYDAY=-1SA;UNTIL=20261231T220000Z"),
            [
                "FREQ=MONTHLY;BYDAY=-1SU;UNTIL=20261231T220000Z",
                "FREQ=MONTHLY;BYDAY=-2SA;UNTIL=20261231T220000Z",
                "FREQ=MONTHLY;BYDAY=-1SA;UNTIL=20270101T220000Z",
                "FREQ=MONTHLY;BYDAY=-1SA;UNTIL=20261230T220000Z",
            ]
        );
        assert_eq!(shift_rule("FREQ=DAILY"), ["FREQ=WEEKLY;BYDAY=MO"]);
        assert_eq!(shift_rule("FREQ=WEEKLY;BYDAY=\u{e4}"), Vec::<String>::new());
    }
}
