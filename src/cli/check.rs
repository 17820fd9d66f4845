//! `switchback check`: all problems of policies, playbooks and inventory in one go.

use std::fmt::Write as _;

use crate::diagnostic::{self, CODES, Diagnostic, Diagnostics, Level, to_json};
use crate::model::{Host, printable};
use crate::plan::unused_playbooks;
use crate::playbook;
use crate::policy::Judged;
use crate::report::{problems_as_sarif, problems_for_github, problems_for_gitlab};
use crate::yaml::nearest;

use super::args::{Check, CheckFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::findings::read_reports;
use super::inputs::{load_playbooks, load_policy, match_findings, read_inventory};
use super::printer::Printer;

pub(super) fn run(args: &Check, printer: Printer) -> Result<Exit, CommandError> {
    if args.codes || args.explain.as_deref() == Some("all") {
        return codes(args, printer);
    }
    if let Some(code) = &args.explain {
        return match diagnostic::explain(code) {
            Some(text) => printer.data(text).map(|()| Exit::Ok),
            None => {
                let error = CommandError::new(Exit::Usage, format!("there is no code {:?}", printable(code, 60)));
                let near = nearest(code, CODES.iter().map(|(known, _)| *known));
                Err(near.into_iter().fold(error, |error, near| error.hint(format!("did you mean {near}?"))))
            }
        };
    }
    let given = [&args.policies, &args.inventory, &args.playbooks];
    let Some(checked) = given.into_iter().flatten().next() else {
        return Err(CommandError::new(Exit::Usage, "there is nothing to check")
            .hint("give policies (-p), an inventory (-i) or playbooks (--playbooks)"));
    };
    let mut found = problems(args).sorted();
    // What is only worth knowing would hide from people what is wrong.
    found.retain(|d| args.format == CheckFormat::Json || d.level != Level::Note);
    let count = |level: Level| found.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let failed = errors > 0 || (args.deny_warnings && warnings > 0);
    // What has no line of its own is shown at what was checked.
    let checked = printable(&checked.to_string_lossy(), 4096);
    match args.format {
        CheckFormat::Json => printer.json(&found.iter().map(to_json).collect::<Vec<_>>())?,
        CheckFormat::Sarif => printer.json(&problems_as_sarif(&found, &checked))?,
        CheckFormat::Github => printer.data(&problems_for_github(&found, &checked))?,
        CheckFormat::Gitlab => printer.json(&problems_for_gitlab(&found, &checked))?,
        CheckFormat::Table if failed => printer.problems(&found),
        CheckFormat::Table => printer.diagnostics(&found),
    }
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    printer.talk(format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")));
    Ok(if failed { Exit::InvalidInput } else { Exit::Ok })
}

fn problems(args: &Check) -> Diagnostics {
    let as_of = args.as_of.unwrap_or_else(crate::env::now);
    let mut diagnostics = Diagnostics::default();
    let mut policy = load_policy(&args.policies, &mut diagnostics);
    if let Some(policy) = &mut policy {
        super::rules::start(policy, &mut diagnostics);
    }
    let playbooks = load_playbooks(&args.playbooks, &mut diagnostics);
    let mut inventory = (!args.inventory.is_empty())
        .then(|| read_inventory(&args.inventory, args.programs.run_inventory, &mut diagnostics))
        .flatten();
    let mut findings = None;
    if !args.reports.is_empty() {
        match (read_reports(&args.reports, args.from.as_deref()), &mut inventory) {
            (Ok(reports), Some(inventory)) => findings = Some(match_findings(inventory, reports, &mut diagnostics)),
            (Ok(_), None) => {}
            (Err(error), _) => diagnostics.extend_from(error.diagnostics),
        }
    }
    if let Some(policy) = &policy {
        let hosts = inventory.as_ref().map(|inventory| &inventory.hosts);
        if let (Some(inventory), Some(findings)) = (&inventory, &findings)
            && let Err(error) = super::rules::prepare(policy, inventory, findings, as_of)
        {
            diagnostics.extend_from(error.diagnostics);
        }
        diagnostics.extend_from(policy.dead_rules(Judged { hosts, findings: findings.as_deref(), as_of }));
        diagnostics.extend_from(policy.expired_exceptions(as_of));
        diagnostics.extend_from(policy.expiring_exceptions(as_of));
        diagnostics.extend_from(policy.prove_windows(as_of));
        if args.format == CheckFormat::Json && policy.has_windows() {
            diagnostics.push(Diagnostic::note(
                "windows-proven",
                format!("windows are proven for two years with time zone data {}", policy.tzdata_version()),
            ));
        }
    }
    if let Some(inventory) = &inventory {
        let given = playbooks.len().saturating_sub(playbook::shipped().len());
        let hosts: Vec<&Host> = inventory.hosts.values().collect();
        diagnostics.extend_from(unused_playbooks(&playbooks, given, &hosts));
    }
    diagnostics
}

/// Every code with its explanation.
fn codes(args: &Check, printer: Printer) -> Result<Exit, CommandError> {
    if args.format == CheckFormat::Json {
        let all: Vec<_> =
            CODES.iter().map(|(code, text)| serde_json::json!({ "code": code, "explanation": text })).collect();
        return printer.json(&all).map(|()| Exit::Ok);
    }
    let mut text = String::new();
    for (code, explanation) in CODES {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{code}\n    {explanation}");
    }
    printer.data(&text).map(|()| Exit::Ok)
}
