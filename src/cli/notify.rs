//! `switchback notify`: tries the targets of policies, and tells again what a campaign could not tell.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Diagnostics;
use crate::model::{Moment, Notification, printable};
use crate::notify::{Notifier, deliver, limit_of, missing_secret, prepare};

use super::args::{Format, Global, Notify, NotifyResend, NotifyTest};
use super::drive::{find, read, stored_plan, tell_rest};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_policy, settle};
use super::printer::Printer;

/// How long each target has for a test, except commands.
const LIMIT: Duration = Duration::from_secs(10);

/// No line of a dry run is longer.
const MAX_LINE: usize = 10_000;

/// What came of one target.
#[derive(serde::Serialize)]
struct Tried {
    target: String,
    on: Vec<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_send: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(args: &Notify, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    match args {
        Notify::Test(args) => test(args, printer),
        Notify::Resend(args) => resend(args, global, printer),
    }
}

fn test(args: &NotifyTest, printer: Printer) -> Result<Exit, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let policy = load_policy(&args.policies, &mut diagnostics);
    settle(diagnostics, false, printer)?;
    let policy = policy.ok_or_else(|| CommandError::new(Exit::InvalidInput, "policies cannot be read"))?;
    if policy.notify.is_empty() {
        printer.talk("these policies have no `notify`: nobody is told anything");
    }
    let notification = Notification::test(crate::env::now());
    let tried = policy.notify.iter().map(|notify| {
        let (would_send, problem) = if args.dry_run {
            match prepare(&notify.to, &notification) {
                Ok(prepared) => (Some(prepared.text()), missing_secret(&notify.to)),
                Err(failure) => (None, Some(failure.to_string())),
            }
        } else {
            (
                None,
                deliver(&notify.to, &notification, limit_of(&notify.to, LIMIT))
                    .err()
                    .map(|failure| failure.to_string()),
            )
        };
        Tried { target: notify.to.shown(), on: notify.on.iter().copied().collect(), would_send, problem }
    });
    let tried: Vec<Tried> = tried.collect();
    match args.format {
        Format::Json => printer.json(&tried)?,
        Format::Table => printer.data(&table(&tried))?,
    }
    let fine = args.dry_run || tried.iter().all(|tried| tried.problem.is_none());
    Ok(if fine { Exit::Ok } else { Exit::Failed })
}

fn table(tried: &[Tried]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for Tried { target, on, would_send, problem } in tried {
        let on: Vec<&str> = on.iter().map(|moment| moment.as_str()).collect();
        let came = match (problem, would_send) {
            (Some(problem), _) => format!("PROBLEM: {problem}"),
            (None, Some(_)) => "would get".to_owned(),
            (None, None) => "was told".to_owned(),
        };
        let _ = writeln!(text, "{target} [{}] {came}", on.join(" "));
        for line in would_send.iter().flat_map(|sent| sent.lines()) {
            let _ = writeln!(text, "  {}", printable(line, MAX_LINE));
        }
    }
    text
}

fn resend(args: &NotifyResend, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let campaign = find(global.state(), &args.campaign)?;
    let plan = Arc::new(stored_plan(global.state(), &campaign)?);
    let (_, records) = read(global.state(), &campaign)?;
    let (mut notifier, problems) = Notifier::start(&plan, &campaign, global.state());
    problems.iter().for_each(|problem| printer.talk(format!("notify: {problem}")));
    records.iter().for_each(|record| notifier.record(record));
    Ok(if tell_rest(notifier, &campaign, printer) { Exit::Ok } else { Exit::Failed })
}
