//! A rehearsal as text.

use std::fmt::Write as _;

use crate::model::{HostOutcome, TimeSpan};
use crate::sim::{Chances, Rehearsal};

use super::plan_text::{cell, columns, count, minutes};

/// Services that are listed; `--format json` has all.
const MAX_SERVICES: usize = 20;

/// For a terminal.
pub fn rehearsal_table(rehearsal: &Rehearsal) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "Plan {}: {} from {}, seeds {} to {}",
        rehearsal.plan.short(),
        count(rehearsal.runs as usize, "run"),
        minutes(rehearsal.start),
        rehearsal.seed,
        rehearsal.seed.saturating_add(u64::from(rehearsal.runs).saturating_sub(1)),
    );
    let _ = match (rehearsal.ends.p50, rehearsal.ends.p95, rehearsal.ends.worst) {
        (Some(p50), Some(p95), Some(worst)) => writeln!(
            out,
            "Half of the runs end by {}, 95 of 100 by {}, the last by {}",
            minutes(p50),
            minutes(p95),
            minutes(worst)
        ),
        _ => writeln!(out, "No run comes to its end"),
    };
    out.push('\n');
    let rows: Vec<Vec<String>> =
        chances(&rehearsal.chances).map(|(what, chance)| vec![percent(chance), what.to_owned()]).collect();
    out.push_str(&columns(&rows));
    out.push('\n');
    let mut rows = vec![["hosts", "on average", "95 of 100 runs", "most"].map(str::to_owned).to_vec()];
    for (outcome, hosts) in &rehearsal.hosts_ended {
        let cells =
            [ended(*outcome).to_owned(), format!("{:.2}", hosts.mean), hosts.p95.to_string(), hosts.most.to_string()];
        rows.push(cells.to_vec());
    }
    out.push_str(&columns(&rows));
    let mut services: Vec<_> = rehearsal.services.iter().collect();
    services.sort_by_key(|(name, service)| (std::cmp::Reverse(service.worst), *name));
    if !services.is_empty() {
        let mut rows =
            vec![["service", "down at worst", "may be down", "hosts", "degraded"].map(str::to_owned).to_vec()];
        for (name, service) in services.iter().take(MAX_SERVICES) {
            rows.push(vec![
                cell(name),
                service.worst.to_string(),
                service.max_unavailable.to_string(),
                service.hosts.to_string(),
                TimeSpan::seconds(service.degraded_seconds).to_string(),
            ]);
        }
        out.push('\n');
        out.push_str(&columns(&rows));
        if services.len() > MAX_SERVICES {
            let _ = writeln!(out, "and {} more; --format json has all", services.len() - MAX_SERVICES);
        }
    }
    if !rehearsal.never_begun.is_empty() {
        let names = rehearsal.never_begun.iter().take(MAX_SERVICES).map(cell).collect::<Vec<_>>().join(", ");
        let more = rehearsal.never_begun.len().saturating_sub(MAX_SERVICES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "\nNo run has begun with {names}{more}");
    }
    out
}

/// In words, with the share of runs of which it is true.
pub(super) fn chances(chances: &Chances) -> impl Iterator<Item = (&'static str, f64)> {
    [
        ("come to their end without a pause", Some(chances.no_pause)),
        ("leave no host out for want of a window, and overrun none", chances.in_windows),
        ("fix every planned host", Some(chances.all_fixed)),
        ("miss no deadline", chances.deadlines_met),
        ("park no host for a person", Some(chances.none_stuck)),
    ]
    .into_iter()
    .filter_map(|(what, chance)| Some((what, chance?)))
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(super) const fn ended(outcome: HostOutcome) -> &'static str {
    match outcome {
        HostOutcome::Fixed => "fixed",
        HostOutcome::FixedPendingReboot => "fixed, reboot pending",
        HostOutcome::Proven => "proven",
        HostOutcome::NothingToDo => "nothing to do",
        HostOutcome::Untouched => "untouched",
        HostOutcome::Restored => "restored",
        HostOutcome::SwitchedBack => "switched back",
        HostOutcome::Stuck => "stuck",
    }
}
