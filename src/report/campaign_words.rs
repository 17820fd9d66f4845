//! A campaign in words: what its page, its Markdown and its table say alike.

use std::collections::BTreeSet;

use super::campaign::{CampaignReport, FindingsReport, StepReport, Verdict};
use super::page::when;
use super::plan_text::count;
use crate::engine::StepResult;
use crate::model::TimeSpan;

/// People named in a sentence.
const MAX_PEOPLE: usize = 10;

/// A number of findings, for [`count`].
pub(super) fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// What it came to, in a sentence.
pub(super) fn verdict(report: &CampaignReport) -> String {
    let hosts = count(report.hosts.len(), "host");
    let ended: u32 = report.outcomes.values().sum();
    let so_far = || {
        let back = match report.went_back() {
            0 => String::new(),
            back => format!(", {back} of them not as planned"),
        };
        format!("{ended} of {hosts} have{back}")
    };
    let needs = |stuck: u32| if stuck == 1 { "1 host needs".to_owned() } else { format!("{stuck} hosts need") };
    let back = || {
        let back = report.went_back();
        format!("{back} of {hosts} {} not as planned", if back == 1 { "is" } else { "are" })
    };
    match report.verdict {
        Verdict::Open => format!("The campaign has not ended: {}.", so_far()),
        Verdict::Paused => format!("The campaign is paused and has not ended: {}.", so_far()),
        Verdict::Stuck => format!("The campaign ended, and {} a person.", needs(report.stuck())),
        Verdict::Aborted => format!("The campaign was ended before its time: {}.", back()),
        Verdict::WentBack => format!("The campaign ended: {}.", back()),
        Verdict::AsPlanned => format!("The campaign ended, and every one of {hosts} is as planned."),
    }
}

/// What findings there were, and what there are.
pub(super) fn findings(report: &FindingsReport) -> String {
    let all = report.total;
    format!(
        "Of {} {} to be fixed, and {} fixed and verified; {} left.",
        count(number(all.before), "finding"),
        are(all.planned, "was", "were"),
        are(all.fixed, "was", "were"),
        are(all.after, "is", "are"),
    )
}

/// How what is left is known.
pub(super) fn after(report: &FindingsReport) -> String {
    let Some(scan) = &report.later_scan else {
        return "No later scan was given: what is left is what there was before, less what was fixed and verified."
            .to_owned();
    };
    let at = scan.at.map_or_else(|| "made later".to_owned(), |at| format!("of {}", when(at)));
    let mut told = format!("What is left is what a scan {at} reports");
    let hosts = match scan.not_scanned.len() {
        0 => String::new(),
        some => format!("; it does not speak of {}, for which the journal is taken", count(some, "host")),
    };
    told.push_str(&hosts);
    told.push_str(&format!(
        ". It also reports {} that {} not there before.",
        count(number(scan.new), "finding"),
        if scan.new == 1 { "was" } else { "were" }
    ));
    told
}

/// Findings that the scan still has although they were fixed; none where there are none.
pub(super) fn still_found(report: &FindingsReport) -> Option<String> {
    let scan = report.later_scan.as_ref().filter(|scan| !scan.still_found.is_empty())?;
    let findings: usize = scan.still_found.values().map(BTreeSet::len).sum();
    let hosts = count(scan.still_found.len(), "host");
    Some(format!(
        "The scan still reports {} on {hosts} that {} fixed and verified",
        count(findings, "finding"),
        if findings == 1 { "was" } else { "were" }
    ))
}

fn are(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// How long findings stayed open, a sentence for each beginning.
pub(super) fn remediation(report: &CampaignReport) -> Vec<String> {
    let figures = &report.sla.total;
    let since = [
        (figures.since_first_seen, "since it was first seen on its host"),
        (figures.since_plan, "since the plan was made, as nobody says when it was first seen"),
    ];
    let told = since.into_iter().filter_map(|(durations, since)| {
        let durations = durations?;
        let findings = count(number(durations.findings), "finding");
        Some(format!("Mean time to remediate: {} a finding {since} ({findings})", durations.mean))
    });
    told.collect()
}

/// Which deadlines were met.
pub(super) fn deadlines(report: &CampaignReport) -> String {
    let all = report.sla.total.deadlines;
    if all == Default::default() {
        return "No finding had a deadline".to_owned();
    }
    format!(
        "Deadlines of findings: {} met, {} missed, {} ahead; {} had passed when the plan was made",
        all.met, all.missed, all.ahead, all.overdue
    )
}

/// When it ended, and when it was to end.
pub(super) fn ends(report: &CampaignReport) -> Option<String> {
    let forecast = report.forecast.as_ref()?;
    let (ends, ended) = (forecast.ends?, forecast.ended?);
    Some(if ended > ends {
        format!("It ended {} later than the plan foretold", TimeSpan::between(ends, ended))
    } else {
        format!("It ended {} earlier than the plan foretold", TimeSpan::between(ended, ends))
    })
}

/// What came of a step.
pub(super) fn result(step: &StepReport) -> String {
    let mut text = match &step.result {
        None => "no result yet".to_owned(),
        Some(StepResult::Succeeded { note, .. }) => note.clone().unwrap_or_else(|| "done".to_owned()),
        Some(StepResult::NothingToDo { note }) => format!("nothing to do: {note}"),
        Some(StepResult::Failed { reason, .. }) => format!("failed: {}", reason.text),
        Some(StepResult::Unknown { reason }) => format!("unknown: {}", reason.text),
    };
    if step.probes > 0 {
        text.push_str(&format!(" (asked again {})", count(step.probes as usize, "time")));
    }
    text
}

/// The end of what a failed step said; empty where it said nothing.
pub(super) fn evidence(step: &StepReport) -> &str {
    match &step.result {
        Some(StepResult::Failed { evidence, .. }) => evidence,
        _ => "",
    }
}

/// Who approved it; none where nobody did.
pub(super) fn approved(report: &CampaignReport) -> Option<String> {
    let (held, withdrawn): (Vec<_>, Vec<_>) = report.approvals.iter().partition(|given| given.withdrawn.is_none());
    if report.approvals.is_empty() {
        return None;
    }
    let people: BTreeSet<&str> = held.iter().map(|given| given.by.as_str()).collect();
    let by = people.iter().take(MAX_PEOPLE).copied().collect::<Vec<_>>().join(", ");
    let more =
        if people.len() > MAX_PEOPLE { format!(" and {} more", people.len() - MAX_PEOPLE) } else { String::new() };
    let back = match withdrawn.len() {
        0 => String::new(),
        some => format!("; {} withdrawn", count(some, "approval")),
    };
    Some(if people.is_empty() {
        format!("No approval held to the end{back}")
    } else {
        format!("Approved by {by}{more}{back}")
    })
}
