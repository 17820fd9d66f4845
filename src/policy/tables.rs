//! Schedules and calendars against tables that another implementation wrote (`tests/cases/calendars/generate.py`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Policy;
use super::calendar::{self, Options};
use super::windows::Reading;
use crate::diagnostic::{Diagnostics, Source};
use crate::model::Interval;

fn pairs(intervals: impl IntoIterator<Item = Interval>) -> Vec<[i64; 2]> {
    let mut all: Vec<[i64; 2]> =
        intervals.into_iter().map(|i| [i.start.as_second() / 60, i.end.as_second() / 60]).collect();
    all.sort_unstable();
    all
}

fn calendar(table: &Value, range: Interval, reading: Reading) -> Vec<[i64; 2]> {
    let text = |key: &str| table[key].as_str().unwrap();
    let floating = TimeZone::get(text("timezone")).ok();
    let mut diagnostics = Diagnostics::default();
    let options = Options { floating, summary: None, reading };
    let read = calendar::read(&[Source::new("t.ics", text("ics"))], &options, &mut diagnostics);
    let read = read.unwrap_or_else(|| panic!("{}: {:?}", text("ics"), diagnostics.sorted()));
    pairs(read.openings(range).into_iter().filter_map(|opening| opening.open))
}

fn schedule(table: &Value, range: Interval) -> Vec<[i64; 2]> {
    let text = format!("version: 1\nwindows:\n  - {{name: w, match: all, schedule: {}}}\n", table["schedule"]);
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(vec![Source::new("t.yaml", text)], &mut diagnostics);
    let policy = policy.unwrap_or_else(|| panic!("{}: {:?}", table["schedule"], diagnostics.sorted()));
    pairs(policy.windows[0].times.intervals(range))
}

#[test]
fn another_implementation_gives_the_same_openings() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/calendars/tables.jsonl");
    let (mut tables, mut intervals, mut differing) = (0, 0, Vec::new());
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let table: Value = serde_json::from_str(line).unwrap();
        let instant = |key: &str| Timestamp::from_second(table[key].as_i64().unwrap() * 60).unwrap();
        let range = Interval { start: instant("from"), end: instant("to") };
        let mut compare = |key: &str, found: Vec<[i64; 2]>| {
            let expected: Vec<[i64; 2]> = serde_json::from_value(table[key].clone()).unwrap();
            intervals += expected.len();
            if found != expected {
                let odd = |of: &[[i64; 2]], other: &[[i64; 2]]| -> Vec<String> {
                    let only = of.iter().filter(|i| !other.contains(i)).take(4);
                    only.map(|i| i.map(|m| Timestamp::from_second(m * 60).unwrap().to_string()).join("/")).collect()
                };
                let (ours, theirs) = (odd(&found, &expected), odd(&expected, &found));
                let what = table.get("ics").or(table.get("schedule")).unwrap();
                differing.push(format!("{key} {what}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        };
        if table["kind"] == "schedule" {
            compare("narrow", schedule(&table, range));
        } else {
            compare("narrow", calendar(&table, range, Reading::Narrow));
            compare("wide", calendar(&table, range, Reading::Wide));
        }
        tables += 1;
    }
    assert!(differing.is_empty(), "{} of {tables} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(tables > 150 && intervals > 5_000, "{tables} tables, {intervals} intervals");
}
