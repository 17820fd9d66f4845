//! The text of a change request, made from a plan: what, where, when, what may go wrong, and how it is taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::markdown::escaped;
use super::plan_text::{count, minutes, package};
use crate::model::{Digest, HostName, Priority, RuleName, Strategy, Ticket, TimeSpan};
use crate::plan::{HostPlan, Plan, StepKind};

/// Rows of hosts before the rest is counted: a change board reads no more.
const MAX_ROWS: usize = 200;

/// A change request.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct ChangeRequest {
    /// The plan; its digest is its name.
    pub plan: Digest,
    /// The change request that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Who made the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What is done, in a sentence.
    pub summary: String,
    /// When the first host is disrupted if all goes as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// When all is done if all goes as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// What is changed.
    pub hosts: Vec<ChangedHost>,
    /// Hosts by the most urgent priority of their findings: what is at risk if nothing is done.
    pub priorities: BTreeMap<Priority, usize>,
    /// What may go wrong, a sentence each.
    pub risk: Vec<String>,
    /// Who will notice, a sentence each.
    pub impact: Vec<String>,
    /// How it is taken back, a sentence each.
    pub backout: Vec<String>,
    /// What speaks for the fix before production is touched, a sentence each.
    pub evidence: Vec<String>,
    /// Who must approve, a sentence each.
    pub approvals: Vec<String>,
}

/// A host of a change request.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct ChangedHost {
    /// The host.
    pub host: HostName,
    /// Its wave.
    pub wave: RuleName,
    /// How.
    pub strategy: Strategy,
    /// The packages with their versions.
    pub packages: Vec<String>,
    /// How many findings it removes.
    pub findings: usize,
    /// When its first window opens; none: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Timestamp>,
    /// Whether it may be rebooted.
    pub reboot: bool,
    /// Whether it can be taken back.
    pub way_back: bool,
}

impl ChangeRequest {
    /// Of a plan.
    pub fn new(plan: &Plan, id: Digest) -> Self {
        let hosts: Vec<ChangedHost> = plan
            .rollout
            .waves
            .iter()
            .flat_map(|wave| wave.hosts.iter().map(move |host| (wave, host)))
            .filter_map(|(wave, name)| Some(changed(plan, &wave.name, plan.hosts.get(name)?)))
            .collect();
        let mut priorities = BTreeMap::new();
        plan.hosts.values().for_each(|host| *priorities.entry(host.priority).or_default() += 1);
        let findings: usize = hosts.iter().map(|host| host.findings).sum();
        let forecast = plan.report.forecast.as_ref();
        Self {
            plan: id,
            ticket: plan.ticket.clone(),
            author: plan.author.clone(),
            summary: format!(
                "Fixes {} on {} in {}.",
                count(findings, "finding"),
                count(hosts.len(), "host"),
                count(plan.rollout.waves.len(), "wave")
            ),
            starts: forecast.and_then(|f| f.hosts.values().map(|host| host.disrupted.unwrap_or(host.start)).min()),
            ends: forecast.and_then(|forecast| forecast.ends),
            priorities,
            risk: risk(plan, &hosts),
            impact: impact(plan, &hosts),
            backout: backout(plan, &hosts),
            evidence: evidence(plan),
            approvals: approvals(plan),
            hosts,
        }
    }

    /// As Markdown.
    pub fn to_markdown(&self) -> String {
        let ticket = self.ticket.as_ref().map_or(String::new(), |ticket| format!("{}: ", markdown(ticket)));
        let mut out = format!("# {ticket}{}\n\n- Plan: `{}`\n", self.summary.trim_end_matches('.'), self.plan);
        if let Some(author) = &self.author {
            out.push_str(&format!("- Made by: {}\n", markdown(author)));
        }
        if let (Some(starts), Some(ends)) = (self.starts, self.ends) {
            out.push_str(&format!("- Expected: {} to {}\n", minutes(starts), minutes(ends)));
        }
        let priorities =
            self.priorities.iter().rev().map(|(priority, hosts)| format!("{} {priority}", count(*hosts, "host")));
        out.push_str(&format!("- Most urgent finding: {}\n", priorities.collect::<Vec<_>>().join(", ")));
        for (title, lines) in [
            ("Risk", &self.risk),
            ("Impact", &self.impact),
            ("Backout plan", &self.backout),
            ("Test evidence", &self.evidence),
            ("Approvals", &self.approvals),
        ] {
            out.push_str(&format!("\n## {title}\n\n"));
            lines.iter().for_each(|line| out.push_str(&format!("- {}\n", markdown(line))));
        }
        out.push_str("\n## Hosts\n\n| Host | Wave | Strategy | Packages | Findings | From | Reboot | Way back |\n|---|---|---|---|---|---|---|---|\n");
        for host in self.hosts.iter().take(MAX_ROWS) {
            let yes = |it: bool| if it { "yes" } else { "no" };
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
                markdown(&host.host),
                markdown(&host.wave),
                host.strategy.as_str(),
                markdown(host.packages.join(", ")),
                host.findings,
                host.window.map_or_else(|| "any time".to_owned(), minutes),
                yes(host.reboot),
                yes(host.way_back),
            ));
        }
        if self.hosts.len() > MAX_ROWS {
            out.push_str(&format!("\n{} more are in the plan.\n", self.hosts.len() - MAX_ROWS));
        }
        out
    }
}

fn changed(plan: &Plan, wave: &RuleName, host: &HostPlan) -> ChangedHost {
    ChangedHost {
        host: host.host.name.clone(),
        wave: wave.clone(),
        strategy: host.strategy,
        packages: host.fix.packages.iter().map(package).collect(),
        findings: host.fix.findings.len(),
        window: host.first_window(plan).map(|window| window.interval.start),
        reboot: host.steps.iter().any(|step| step.kind == StepKind::Reboot && step.on.is_none()),
        way_back: !host.without_backup,
    }
}

fn risk(plan: &Plan, hosts: &[ChangedHost]) -> Vec<String> {
    let mut lines = Vec::new();
    let bare: Vec<&str> = hosts.iter().filter(|host| !host.way_back).map(|host| host.host.as_str()).collect();
    if !bare.is_empty() {
        lines.push(format!(
            "{} without a backup: {}. A person must repair them if the fix fails.",
            count(bare.len(), "host"),
            bare.join(", ")
        ));
    }
    let failures = plan.rollout.failure_budget as usize;
    lines.push(format!(
        "It pauses as soon as {} failed.",
        if failures == 1 { "1 host has".to_owned() } else { format!("{failures} hosts have") }
    ));
    if let Some(wave) = plan.rollout.waves.first().filter(|_| plan.rollout.waves.len() > 1) {
        let watched = if wave.soak > TimeSpan::ZERO {
            format!(", which is then watched for {}", wave.soak)
        } else {
            String::new()
        };
        lines.push(format!("It begins with {}{watched}.", count(wave.hosts.len(), "host")));
    }
    if !plan.report.blocked.is_empty() {
        lines.push(format!(
            "{} with findings to fix cannot be planned and stay as they are.",
            count(plan.report.blocked.len(), "host")
        ));
    }
    lines
}

fn impact(plan: &Plan, hosts: &[ChangedHost]) -> Vec<String> {
    let groups = plan.rollout.groups.iter();
    let mut lines: Vec<String> = groups
        .map(|(name, group)| {
            format!(
                "Service {name}: at most {} of {} down at once.",
                group.max_unavailable,
                count(group.size as usize, "host")
            )
        })
        .collect();
    let reboots = hosts.iter().filter(|host| host.reboot).count();
    lines.push(match reboots {
        0 => "No host is rebooted.".to_owned(),
        some => format!("{} may be rebooted, at most once.", count(some, "host")),
    });
    let free = hosts.iter().filter(|host| host.window.is_none()).count();
    if free > 0 {
        lines.push(format!("{} may be touched at any time: no window is for them.", count(free, "host")));
    }
    lines
}

fn backout(plan: &Plan, hosts: &[ChangedHost]) -> Vec<String> {
    let by = |strategy: Strategy| {
        plan.hosts.values().filter(|host| host.strategy == strategy && !host.without_backup).count()
    };
    let mut lines = Vec::new();
    let in_place = by(Strategy::InPlace);
    if in_place > 0 {
        lines.push(format!(
            "{} restored from the backup made before the fix, and verified, if anything fails.",
            count(in_place, "host")
        ));
    }
    let cloned = hosts.iter().filter(|host| host.way_back).count().saturating_sub(in_place);
    if cloned > 0 {
        lines.push(format!(
            "{} switched back to the original, which stays untouched, if anything fails.",
            count(cloned, "host")
        ));
    }
    lines.push("The command switchback abort takes back whatever is in the middle.".to_owned());
    let longest = plan.hosts.values().map(|host| host.way_back()).max().unwrap_or(TimeSpan::ZERO);
    lines.push(format!(
        "The way back of a host takes {longest} at most; that much is left of its window before it is touched."
    ));
    lines
}

fn evidence(plan: &Plan) -> Vec<String> {
    let tried = |host: &&Arc<HostPlan>| host.steps.iter().any(|step| step.on.is_some() && step.kind == StepKind::Fix);
    let trials = plan.hosts.values().filter(tried).count();
    let mut lines = vec![match trials {
        0 => "The fix is not tried on a clone first.".to_owned(),
        some => format!("The fix is tried on a clone of {} before production is touched.", count(some, "host")),
    }];
    lines.push("Each fix is verified on its host: installed versions, running kernel, services, probes.".to_owned());
    lines.push(
        "The plan was proved by a checker that shares no code with the planner; switchback rehearse simulates it."
            .to_owned(),
    );
    lines
}

fn approvals(plan: &Plan) -> Vec<String> {
    if plan.approvals.is_empty() {
        return vec!["The policy asks for none.".to_owned()];
    }
    let line = |rule: &crate::plan::PlanApproval| {
        let from = rule.from.as_ref().map_or(String::new(), |from| format!(" of {from}"));
        let author = if rule.not_author { ", not by who made the plan" } else { "" };
        format!(
            "{}{from} for {}{author}, good for {} ({})",
            count(rule.required as usize, "approval"),
            count(rule.hosts.len(), "host"),
            rule.valid_for,
            rule.rule.name
        )
    };
    plan.approvals.iter().map(line).collect()
}

/// Text from anywhere, which means nothing in Markdown. It is never cut: whoever approves must read all of it.
fn markdown(text: impl std::fmt::Display) -> String {
    escaped(&text.to_string(), usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_text_and_what_approvers_must_read_is_whole() {
        let hosts: Vec<String> = (0..200).map(|n| format!("web-{n}.example.com")).collect();
        let request = ChangeRequest {
            plan: Digest::of(b"plan"),
            ticket: None,
            author: Some("@everyone ~~x~~ &#64;all https://evil.example".to_owned()),
            summary: "Fixes 1 finding on 1 host in 1 wave.".to_owned(),
            starts: None,
            ends: None,
            hosts: Vec::new(),
            priorities: BTreeMap::new(),
            risk: vec![format!("200 hosts without a backup: {}. A person must repair them.", hosts.join(", "))],
            impact: Vec::new(),
            backout: Vec::new(),
            evidence: Vec::new(),
            approvals: Vec::new(),
        };
        let text = request.to_markdown();
        assert!(text.contains("web-199.example.com. A person must repair them."), "{text}");
        for markup in ["@everyone", "~~x", "&#64;all", "https://"] {
            assert!(!text.contains(markup), "{markup}: {text}");
        }
    }
}
