//! What came of verifying a campaign, for people.

use std::fmt::Write as _;

use super::count;
use crate::engine::Gives;
use crate::evidence::{Agreed, AuditReport, KeyFrom, Problem, Verdict};

/// So many of those who agreed are shown; the JSON has all.
const SHOWN: usize = 50;

/// The verification in words: the verdict first, then what is wrong, then what it rests on.
pub fn audit_text(report: &AuditReport) -> String {
    let mut text = String::new();
    let verdict = match report.verdict {
        Verdict::Verified => "verified",
        Verdict::Failed => "NOT VERIFIED",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "campaign {}: {verdict}", report.campaign);
    for problem in &report.problems {
        let _ = writeln!(text, "  {}", told(problem));
        if let (Some(expected), Some(found)) = (&problem.expected, &problem.found) {
            let _ = writeln!(text, "    expected {expected}\n    found    {found}");
        }
    }
    let _ = writeln!(text, "plan      {}", report.plan);
    let (records, signed, checkpoints) = (report.records, report.signed, report.checkpoints);
    let _ = writeln!(text, "records   {records} hold, {signed} of them are signed ({checkpoints} checkpoints)");
    let from = match report.key_from {
        KeyFrom::Pinned => "the one you gave",
        KeyFrom::Bundle => "the bundle's own",
    };
    for key in &report.keys {
        let _ = writeln!(text, "key       {key} ({from})");
    }
    let outcomes: Vec<String> =
        report.outcomes.iter().map(|(outcome, hosts)| format!("{hosts} {}", outcome.as_str())).collect();
    if !outcomes.is_empty() {
        let _ = writeln!(text, "hosts     {}", outcomes.join(", "));
    }
    for Agreed { rule, by, key, gives, hosts } in report.agreed.iter().take(SHOWN) {
        let what = match gives {
            Gives::Approval => count(*hosts, "host"),
            Gives::WithoutBackup => format!("{} without a backup", count(*hosts, "host")),
        };
        let _ = writeln!(text, "agreed    {by} for {rule}: {what} ({key})");
    }
    if report.agreed.len() > SHOWN {
        let _ = writeln!(text, "          and {} more", report.agreed.len() - SHOWN);
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {}", note.text);
    }
    text
}

fn told(problem: &Problem) -> String {
    let line = problem.line.map_or(String::new(), |line| format!("line {line}: "));
    format!("{line}{} [{}]", problem.text, problem.code)
}
