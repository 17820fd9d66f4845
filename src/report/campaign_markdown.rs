//! A campaign for a ticket: summary first, then what is not as planned and why, figures, waves. The same for the same
//! journal, and nothing that a host said is markup.

use std::fmt::Write as _;

use super::campaign::{CampaignReport, Deadlines, Durations, HostReport, Kept, KeptKind};
use super::campaign_words::{
    after, approved, deadlines, ends, evidence, findings, remediation, result, still_found, verdict,
};
use super::markdown::{fenced, md};
use super::page::when;
use super::plan_text::count;
use super::rehearsal::ended;
use crate::model::{HostName, Priority, TimeSpan};
use crate::plan::Plan;

/// Tickets have a limit of some 65,000 characters; no text has fewer bytes than characters.
const MAX_LENGTH: usize = 65_000;
/// The last line of a report that is longer.
const CUT: &str = "\n**The report is longer than a ticket: the rest is left out here. `--format json` has all.**\n";
/// Hosts that are told of.
const MAX_TOLD: usize = 25;
/// Of the output of a step, so many lines of its end and so many characters.
const LINES: usize = 12;
const EXCERPT: usize = 800;
/// Rows of a table.
const MAX_ROWS: usize = 50;

/// The report as Markdown.
pub fn campaign_markdown(report: &CampaignReport, plan: &Plan) -> String {
    let mut out = format!("## Campaign {}\n\n**{}**\n\n", report.campaign, verdict(report));
    facts(&mut out, report, plan);
    not_as_planned(&mut out, report);
    figures(&mut out, report);
    waves(&mut out, report);
    services(&mut out, report);
    kept(&mut out, report);
    operations(&mut out, report);
    fit(out)
}

/// What a ticket takes, with a last line that says what is missing. No block is left open.
fn fit(mut out: String) -> String {
    if out.len() <= MAX_LENGTH {
        return out;
    }
    let (mut at, mut whole) = (0, 0);
    let mut fence: Option<&str> = None;
    for line in out.split_inclusive('\n') {
        at += line.len();
        if at + CUT.len() > MAX_LENGTH {
            break;
        }
        let bare = line.trim();
        fence = match fence {
            Some(open) => (bare != open).then_some(open),
            None => bare.strip_suffix("text").filter(|open| open.starts_with("```")),
        };
        if fence.is_none() {
            whole = at;
        }
    }
    out.truncate(whole);
    out + CUT
}

/// Writing to a String cannot fail.
fn facts(out: &mut String, report: &CampaignReport, plan: &Plan) {
    let mut fact = |text: String| {
        let _ = writeln!(out, "- {text}");
    };
    fact(format!("Plan `{}`, made {}", report.plan, when(plan.as_of)));
    report.ticket.iter().for_each(|ticket| fact(format!("Change request {}", md(ticket.as_str()))));
    if let Some(started) = report.started {
        let by = md(&report.operator);
        fact(match report.ended {
            Some(end) => {
                format!("Started {} by {by}, ended {} ({})", when(started), when(end), TimeSpan::between(started, end))
            }
            None => format!("Started {} by {by}", when(started)),
        });
    }
    if let (None, Some(now)) = (report.ended, report.as_of) {
        fact(format!("As of {}, its last record", when(now)));
    }
    let outcomes: Vec<String> = report.outcomes.iter().map(|(o, n)| format!("{n} {}", ended(*o))).collect();
    if !outcomes.is_empty() {
        fact(format!("Hosts: {}", outcomes.join(", ")));
    }
    fact(format!("{} {}", findings(&report.findings), after(&report.findings)));
    still_found(&report.findings).into_iter().for_each(|told| fact(format!("**{told}**")));
    remediation(report).into_iter().for_each(&mut fact);
    fact(deadlines(report));
    ends(report).into_iter().for_each(&mut fact);
    approved(report).into_iter().for_each(|told| fact(md(&told)));
    if !plan.approvals.is_empty() && report.approvals.is_empty() {
        let most = plan.approvals.iter().map(|approval| approval.required).max().unwrap_or(0);
        fact(format!("{} asked for by the policy", count(most as usize, "approval")));
    }
}

fn not_as_planned(out: &mut String, report: &CampaignReport) {
    let mut back: Vec<(&HostName, &HostReport)> =
        report.hosts.iter().filter(|(_, host)| host.outcome.is_some_and(|outcome| !outcome.is_success())).collect();
    if back.is_empty() {
        return;
    }
    back.sort_by_key(|(name, host)| (std::cmp::Reverse(host.outcome), *name));
    out.push_str("\n### Not as planned, and why\n\n");
    for (name, host) in back.iter().take(MAX_TOLD) {
        let outcome = host.outcome.map_or("not ended", ended);
        let reason = host.reason.as_ref().map_or("", |reason| reason.text.as_str());
        let _ = writeln!(out, "- **{}** {outcome}: {}", md(name.as_str()), md(reason));
        let Some(step) = host.failed_step() else { continue };
        let _ = writeln!(out, "  - step {} {}", step.kind, md(&result(step)));
        let said = last_lines(evidence(step));
        if !said.is_empty() {
            // As a part of its point.
            let block = fenced(&said).lines().map(|line| format!("    {line}\n")).collect::<String>();
            let _ = writeln!(out, "\n{block}");
        }
    }
    if back.len() > MAX_TOLD {
        let _ = writeln!(out, "- and {}", count(back.len() - MAX_TOLD, "more host"));
    }
}

fn last_lines(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(EXCERPT);
    let from = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    let lines: Vec<&str> = text[from..].lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn figures(out: &mut String, report: &CampaignReport) {
    out.push_str(
        "\n### Findings\n\n| priority | before | to be fixed | fixed and verified | reboot pending | after | mean time, \
         first seen | mean time, plan | deadlines met | missed | too late already |\n\
         |---|--:|--:|--:|--:|--:|---|---|--:|--:|--:|\n",
    );
    let mean = |durations: Option<Durations>| durations.map_or("–".to_owned(), |d| d.mean.to_string());
    let rows = Priority::ALL.iter().filter_map(|priority| {
        let counts = report.findings.by_priority.get(priority)?;
        Some((priority.as_str(), *counts, report.sla.by_priority.get(priority).copied().unwrap_or_default()))
    });
    for (title, counts, sla) in rows.chain([("all", report.findings.total, report.sla.total)]) {
        let Deadlines { met, missed, overdue, .. } = sla.deadlines;
        let _ = writeln!(
            out,
            "| {title} | {} | {} | {} | {} | {} | {} | {} | {met} | {missed} | {overdue} |",
            counts.before,
            counts.planned,
            counts.fixed,
            counts.pending_reboot,
            counts.after,
            mean(sla.since_first_seen),
            mean(sla.since_plan)
        );
    }
}

fn waves(out: &mut String, report: &CampaignReport) {
    out.push_str("\n### Waves\n\n| wave | hosts | began | ended | hosts ended as |\n|---|--:|---|---|---|\n");
    for wave in report.waves.iter().take(MAX_ROWS) {
        let outcomes: Vec<String> = wave.outcomes.iter().map(|(o, n)| format!("{n} {}", ended(*o))).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            md(&wave.name.to_string()),
            wave.hosts,
            wave.started.map_or("not begun".to_owned(), when),
            wave.ended.map_or("–".to_owned(), when),
            if outcomes.is_empty() { "–".to_owned() } else { outcomes.join(", ") }
        );
    }
    more(out, report.waves.len());
}

fn services(out: &mut String, report: &CampaignReport) {
    if report.services.is_empty() {
        return;
    }
    out.push_str("\n### Services\n\n| service | unavailable at worst | allowed | of | any unavailable for |\n|---|--:|--:|--:|---|\n");
    let mut services: Vec<_> = report.services.iter().collect();
    services.sort_by_key(|(name, service)| (std::cmp::Reverse(service.most), *name));
    for (name, service) in services.iter().take(MAX_ROWS) {
        let name = md(&name.to_string());
        let (most, allowed) = (service.most, service.max_unavailable);
        let _ = writeln!(out, "| {name} | {most} | {allowed} | {} | {} |", service.hosts, service.degraded);
    }
    more(out, services.len());
}

/// Every host has a backup for a while: they are counted, and what else there is has a row.
fn kept(out: &mut String, report: &CampaignReport) {
    if report.kept.is_empty() {
        return;
    }
    let is_usual = |kept: &&Kept| kept.kind == KeptKind::Backup && kept.until.is_some();
    let (backups, other): (Vec<&Kept>, Vec<&Kept>) = report.kept.iter().partition(is_usual);
    out.push_str("\n### Kept\n");
    if let Some(last) = backups.iter().filter_map(|kept| kept.until).max() {
        let _ = writeln!(out, "\n{}, the last until {}.", count(backups.len(), "backup"), when(last));
    }
    if other.is_empty() {
        return;
    }
    out.push_str("\n| host | what | reference | until |\n|---|---|---|---|\n");
    for kept in other.iter().take(MAX_ROWS) {
        let until = kept.until.map_or("its host needs it".to_owned(), when);
        let (host, reference) = (md(kept.host.as_str()), md(&kept.reference));
        let _ = writeln!(out, "| {host} | {} | {reference} | {until} |", kept.kind.as_str());
    }
    more(out, other.len());
}

fn operations(out: &mut String, report: &CampaignReport) {
    if report.operations.is_empty() {
        return;
    }
    out.push_str("\n### What people and controllers did\n\n");
    for operation in report.operations.iter().take(MAX_ROWS) {
        let _ = writeln!(out, "- {} {}", when(operation.at), md(&operation.what));
    }
    more(out, report.operations.len());
}

fn more(out: &mut String, all: usize) {
    if all > MAX_ROWS {
        let _ = writeln!(out, "\nand {} more: `--format json` has all", all - MAX_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_ticket_does_not_take_is_cut_where_no_block_is_open() {
        assert_eq!(fit("short\n".to_owned()), "short\n");
        let block = fenced(&"é".repeat(20_000));
        let cut = fit(format!("## Title\n\n- a\n\n{block}\n- b\n\n{block}"));
        assert!(cut.len() <= MAX_LENGTH && cut.ends_with(CUT), "{}", cut.len());
        assert!(cut.contains("- b\n") && cut.matches("```").count() == 2, "{}", cut.matches("```").count());
    }
}
