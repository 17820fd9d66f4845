//! How a plan's approvals stand: per rule who has approved and what is missing, and what does not count and why.

use super::plan_text::{cell, columns, count, minutes};
use crate::evidence::{Judged, RuleState, Void};
use crate::model::{Digest, HostName, Ticket};
use crate::plan::Plan;

/// Hosts named in a line before the rest is counted.
const NAMED: usize = 8;

/// The same for machines.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct ApprovalsReport {
    /// The plan.
    pub plan: Digest,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The change request it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Whether nothing is missing.
    pub complete: bool,
    /// How each rule stands.
    pub rules: Vec<RuleState>,
    /// What does not count.
    pub void: Vec<Void>,
}

impl ApprovalsReport {
    /// Of a plan whose approvals were judged.
    pub fn new(id: Digest, plan: &Plan, judged: &Judged) -> Self {
        Self {
            plan: id,
            author: plan.author.clone(),
            ticket: plan.ticket.clone(),
            complete: judged.is_complete(),
            rules: judged.rules.clone(),
            void: judged.void.clone(),
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut out = format!("Plan {}", self.plan.short());
        if let Some(author) = &self.author {
            out.push_str(&format!(" by {}", cell(author)));
        }
        if let Some(ticket) = &self.ticket {
            out.push_str(&format!(" for {ticket}"));
        }
        out.push_str(match (self.rules.is_empty(), self.complete) {
            (true, _) => ": needs no approval\n",
            (_, true) => ": approved\n",
            (_, false) => ": not approved\n",
        });
        for rule in &self.rules {
            out.push_str(&format!("\n{} wants {}\n", cell(&rule.rule), wanted(rule)));
            let people = rule.people.iter().map(|person| {
                let hosts = format!("{} of {}", person.hosts, count(rule.hosts, "host"));
                vec![cell(&person.by), hosts, format!("until {}", minutes(person.until)), cell(&person.key)]
            });
            out.push_str(&columns(&people.collect::<Vec<_>>()));
            lines_of(rule).into_iter().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
        if !self.void.is_empty() {
            out.push_str("\nDoes not count\n");
            let rows = self.void.iter().map(|void| {
                let by = void.by.as_ref().map_or("-".to_owned(), cell);
                let hosts = if void.hosts.is_empty() { "all".to_owned() } else { named(&void.hosts) };
                vec![cell(&void.file), by, hosts, cell(&void.reason.code), cell(&void.reason.text)]
            });
            out.push_str(&columns(&rows.collect::<Vec<_>>()));
        }
        out
    }
}

/// What a rule wants, in words.
pub fn wanted(rule: &RuleState) -> String {
    let from = rule.from.as_ref().map_or(String::new(), |from| format!(" of {}", cell(from)));
    let (people, hosts) = (count(rule.required as usize, "approval"), count(rule.hosts, "host"));
    format!("{people}{from} for {hosts}")
}

/// What is missing of a rule and what will be, a line each.
pub fn lines_of(rule: &RuleState) -> Vec<String> {
    let mut lines = Vec::new();
    if !rule.unapproved.is_empty() {
        lines.push(format!("missing for {}", named(&rule.unapproved)));
    }
    if !rule.unacknowledged.is_empty() {
        let hosts = named(&rule.unacknowledged);
        lines.push(format!("nobody has signed that there is no backup of {hosts} (--without-backup HOST)"));
    }
    if !rule.too_short.is_empty() {
        lines.push(format!("will have expired when the first window opens of {}", named(&rule.too_short)));
    }
    lines
}

/// A few of many hosts.
pub(crate) fn named(hosts: &[HostName]) -> String {
    let shown: Vec<&str> = hosts.iter().take(NAMED).map(HostName::as_str).collect();
    let more = hosts.len().saturating_sub(NAMED);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
