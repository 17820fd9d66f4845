//! The windows of a host as a table and as JSON.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::plan_text::{cell, columns, minutes};
use crate::model::Interval;
use crate::policy::{HostWindow, Taken};

/// Each stretch in which a host may be disrupted on a line, and those that freezes take whole.
pub fn host_windows_table(windows: &[HostWindow]) -> String {
    let mut rows = vec![["OPENS", "CLOSES", "ZONE", "UTC", "LENGTH", "WINDOW", "NOTE"].map(str::to_owned).to_vec()];
    for window in windows {
        let row = |interval: Interval, length: String, note: String| {
            vec![
                local(interval.start, &window.zone),
                local(interval.end, &window.zone),
                cell(zone_name(&window.zone)),
                format!("{} to {}", minutes(interval.start), minutes(interval.end)),
                length,
                cell(&window.name),
                note,
            ]
        };
        let mut notes: Vec<String> = window.taken.iter().map(|taken| frozen(taken, &window.zone)).collect();
        if window.open.is_empty() {
            rows.push(row(window.interval, "frozen".to_owned(), notes.join("; ")));
            continue;
        }
        notes.extend(window.clock.clone());
        for open in &window.open {
            rows.push(row(*open, open.length().to_string(), cell(notes.join("; "))));
        }
    }
    columns(&rows)
}

/// The same as JSON.
pub fn host_windows_json(windows: &[HostWindow]) -> Value {
    let local =
        |time: Timestamp, zone: &TimeZone| time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let rows = windows.iter().map(|window| {
        let interval = |interval: &Interval| {
            json!({
                "start": interval.start,
                "end": interval.end,
                "local_start": local(interval.start, &window.zone),
                "local_end": local(interval.end, &window.zone),
                "length": interval.length(),
            })
        };
        let taken = window.taken.iter().map(|taken| {
            json!({
                "freeze": taken.freeze,
                "reason": taken.reason,
                "start": taken.interval.start,
                "end": taken.interval.end,
            })
        });
        json!({
            "window": window.name,
            "timezone": zone_name(&window.zone),
            "whole": interval(&window.interval),
            "open": window.open.iter().map(interval).collect::<Vec<_>>(),
            "taken": taken.collect::<Vec<_>>(),
            "clock_change": window.clock,
        })
    });
    Value::Array(rows.collect())
}

fn frozen(taken: &Taken, zone: &TimeZone) -> String {
    let (start, end) = (local(taken.interval.start, zone), local(taken.interval.end, zone));
    format!("freeze {} takes {start} to {end}: {}", cell(&taken.freeze), cell(&taken.reason))
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("of the calendar")
}

fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
}
