//! A campaign for a terminal: what it came to, what is not as planned, waves.

use std::fmt::Write as _;

use super::campaign::CampaignReport;
use super::campaign_words::{after, deadlines, ends, findings, remediation, still_found, verdict};
use super::plan_text::{cell, columns, minutes};
use super::rehearsal::ended;

/// Hosts that are told of.
const MAX_TOLD: usize = 50;

/// The report as text.
pub fn campaign_table(report: &CampaignReport) -> String {
    let mut out = format!("{}\n{} {}\n", verdict(report), findings(&report.findings), after(&report.findings));
    // Writing to a String cannot fail.
    let said = still_found(&report.findings).into_iter().chain(remediation(report));
    for told in said.chain([deadlines(report)]).chain(ends(report)) {
        let _ = writeln!(out, "{told}.");
    }
    let mut rows = vec![["WAVE", "HOSTS", "BEGAN", "ENDED", "HOSTS ENDED AS"].map(str::to_owned).to_vec()];
    rows.extend(report.waves.iter().map(|wave| {
        let outcomes: Vec<String> = wave.outcomes.iter().map(|(o, n)| format!("{n} {}", ended(*o))).collect();
        let time = |at: Option<jiff::Timestamp>| at.map_or("-".to_owned(), minutes);
        vec![cell(&wave.name), wave.hosts.to_string(), time(wave.started), time(wave.ended), outcomes.join(", ")]
    }));
    out.push('\n');
    out.push_str(&columns(&rows));
    let back: Vec<Vec<String>> = report
        .hosts
        .iter()
        .filter(|(_, host)| host.outcome.is_none_or(|outcome| !outcome.is_success()))
        .map(|(name, host)| {
            let why = host.reason.as_ref().map(|reason| reason.text.as_str()).or(host.waiting.as_deref());
            vec![cell(name), host.outcome.map_or("not ended", ended).to_owned(), cell(why.unwrap_or(""))]
        })
        .collect();
    if !back.is_empty() {
        let mut rows = vec![["HOST", "ENDED AS", "WHY"].map(str::to_owned).to_vec()];
        rows.extend(back.iter().take(MAX_TOLD).cloned());
        out.push('\n');
        out.push_str(&columns(&rows));
        if back.len() > MAX_TOLD {
            let _ = writeln!(out, "  and {} more: --format json has all", back.len() - MAX_TOLD);
        }
    }
    out
}
