//! A forecast in words.

use std::collections::BTreeSet;

use super::plan_text::{cell, count, minutes};
use crate::model::HostName;
use crate::plan::{Breach, BreachCause, Forecast, HeldBy, Plan};

/// The forecast in one line; none where the plan has none.
pub fn forecast_line(plan: &Plan) -> Option<String> {
    let forecast = plan.report.forecast.as_ref()?;
    let mut parts = Vec::new();
    if let Some(ends) = forecast.ends {
        let mut part = format!("done by {}", minutes(ends));
        if forecast.windows > 0 {
            part.push_str(&format!(", in {}", count(forecast.windows as usize, "window")));
        }
        part.push_str(&match forecast.reboots {
            0 => ", without a reboot".to_owned(),
            some => format!(", with at most {}", count(some as usize, "reboot")),
        });
        parts.push(part);
    }
    if !forecast.no_room.is_empty() {
        parts.push(format!("{} in no window", has(forecast.no_room.len(), "host", "finds room", "find room")));
    }
    parts.push(deadlines(plan, forecast));
    if let Some(remedy) = remedy(forecast) {
        parts.push(remedy);
    }
    Some(parts.join("; "))
}

/// What else is to be said of it, a sentence each.
pub(super) fn forecast_details(forecast: &Forecast) -> Vec<String> {
    let mut lines: Vec<String> = forecast
        .held()
        .into_iter()
        .map(|(by, hosts)| {
            let wait = has(
                hosts,
                "host",
                "would fit into an earlier window and waits",
                "would fit into an earlier window and wait",
            );
            format!("{wait} for {}", held_by(by))
        })
        .collect();
    if !forecast.reboot_again.is_empty() {
        let hosts = has(forecast.reboot_again.len(), "host", "has", "have");
        lines.push(format!("{hosts} findings left for another playbook, whose campaign may reboot again"));
    }
    lines
}

const fn held_by(by: HeldBy) -> &'static str {
    match by {
        HeldBy::Waves => "the waves before it (`rollout.waves`, `rollout.canary`)",
        HeldBy::Pilot => "the host that goes first for it (`strategy`)",
        HeldBy::DisruptionBudget => "the disruption budget (`rollout.max_unavailable`)",
        HeldBy::Concurrency => "its turn (`rollout.concurrency`)",
        HeldBy::FailureBudget => "the failure budget (`rollout.failure_budget`)",
    }
}

fn deadlines(plan: &Plan, forecast: &Forecast) -> String {
    if plan.report.decisions.iter().all(|decision| decision.due.is_none()) {
        return "no finding has a deadline".to_owned();
    }
    let (overdue, ahead): (Vec<&Breach>, Vec<&Breach>) =
        forecast.breaches.iter().partition(|breach| breach.cause == BreachCause::Overdue);
    let mut parts = Vec::new();
    if let (Some(first), Some(last)) = (ahead.first(), ahead.last()) {
        let when = if first.due == last.due {
            minutes(first.due)
        } else {
            format!("{}, the first on {}", minutes(last.due), minutes(first.due))
        };
        let (hosts, findings) = sizes(&ahead);
        parts.push(format!(
            "{} ({}) by {when}",
            has(hosts, "host", "misses a deadline", "miss a deadline"),
            count(findings, "finding")
        ));
    }
    if !overdue.is_empty() {
        let (hosts, findings) = sizes(&overdue);
        let are = has(findings, "finding", "was", "were");
        parts.push(format!("{are} overdue on {} when the plan was made", count(hosts, "host")));
    }
    if parts.is_empty() { "every deadline is met".to_owned() } else { parts.join("; ") }
}

/// Hosts and findings.
fn sizes(breaches: &[&Breach]) -> (usize, usize) {
    let hosts: BTreeSet<&HostName> = breaches.iter().map(|breach| &breach.host).collect();
    (hosts.len(), breaches.iter().map(|breach| breach.findings as usize).sum())
}

fn remedy(forecast: &Forecast) -> Option<String> {
    let remedy = forecast.remedy.as_ref()?;
    let sets: Vec<String> = remedy.sets.iter().map(|set| format!("`{}`", cell(set))).collect();
    let where_to = format!("in {} before {}", sets.join(" and "), minutes(remedy.before));
    Some(match remedy.length {
        Some(length) => format!("one more window of {length} {where_to} would do"),
        None => format!("no single window of up to 8h {where_to} would do"),
    })
}

/// Why a deadline is missed.
pub(super) const fn cause(cause: BreachCause) -> &'static str {
    match cause {
        BreachCause::Overdue => "had passed when the plan was made",
        BreachCause::Late => "the host's turn comes later",
        BreachCause::NoRoom => "no window has room for the host",
        BreachCause::Blocked => "the host is blocked",
        BreachCause::NotPlanned => "this plan does not fix it",
    }
}

/// `1 host has`, `2 hosts have`.
fn has(n: usize, what: &str, one: &str, more: &str) -> String {
    format!("{} {}", count(n, what), if n == 1 { one } else { more })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn breaches_of_one_host_count_it_once() {
        let host = HostName::new("web-1").unwrap();
        let breach = |cause| Breach { due: Timestamp::UNIX_EPOCH, host: host.clone(), findings: 2, cause };
        let (late, blocked) = (breach(BreachCause::Late), breach(BreachCause::NotPlanned));
        assert_eq!(sizes(&[&late, &blocked]), (1, 4));
    }
}
