//! What the text views of a plan have in common.

use crate::model::{PackageFix, TimeSpan, printable};
use crate::plan::{HostPlan, Plan};

/// No cell of a table is wider: reasons of policies can be long.
const MAX_CELL: usize = 400;

/// Rows as columns, two spaces apart and indented by two; the last column is not padded.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(i) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!(" {cell:width$} "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Text from anywhere as a cell.
pub(super) fn cell(text: impl std::fmt::Display) -> String {
    printable(&text.to_string(), MAX_CELL)
}

/// `1 host`, `2 hosts`.
pub(crate) fn count(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// When it can start first.
pub(super) fn start(plan: &Plan, host: &HostPlan) -> String {
    match (&host.windows, host.first_window(plan)) {
        (None, _) => "any time".to_owned(),
        (Some(_), Some(window)) => format!("{} {}", minutes(window.interval.start), cell(&window.name)),
        (Some(name), None) => format!("never in {}", cell(name)),
    }
}

/// A time to the minute, in UTC.
pub(super) fn minutes(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// The usual time of all steps.
pub(super) fn expected(host: &HostPlan) -> TimeSpan {
    host.steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(step.expected))
}

/// A package with its way from one version to another.
pub(super) fn package(package: &PackageFix) -> String {
    let from = package.from.as_ref().map_or("?", |v| v.as_str());
    let to = package.to.as_ref().map_or("newest", |v| v.as_str());
    format!("{} {from} → {to}", package.name)
}
