//! `switchback quarantine`: what is kept out of plans because it had to be rolled back.

use std::fmt::Write as _;

use crate::model::History;
use crate::store::{Notes, Released};

use super::args::{Format, Global, Quarantine, QuarantineCommand};
use super::drive::{lessons, open, store_failed};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::{Printer, to_the_second};

pub(super) fn run(args: &Quarantine, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    drop(open(global.state())?);
    let history = lessons(global.state())?.history;
    let now = crate::env::now();
    match args.command.as_ref().unwrap_or(&QuarantineCommand::List { format: Format::Table }) {
        QuarantineCommand::List { format } => list(&history, *format, now, printer)?,
        QuarantineCommand::Release { name, reason } => {
            let (packages, cohorts) = history.quarantine_list();
            let known =
                packages.iter().any(|p| p.package.as_str() == name || format!("{}={}", p.package, p.version) == *name)
                    || cohorts.iter().any(|c| c.cohort.as_str() == name);
            if !known {
                let text = format!("{:?} is not in quarantine", crate::model::printable(name, 120));
                return Err(CommandError::new(Exit::InvalidInput, text)
                    .code("not-in-quarantine")
                    .hint("`switchback quarantine` lists what is"));
            }
            let (by, reason) = (crate::env::operator(), reason.clone());
            let released = Released { name: name.clone(), at: now, by, reason };
            let mut notes = Notes::open(global.state()).map_err(|error| store_failed(&error))?;
            notes.release(&released).map_err(|error| store_failed(&error))?;
            printer.talk(format!("{name} may be planned again"));
        }
    }
    Ok(Exit::Ok)
}

fn list(history: &History, format: Format, now: jiff::Timestamp, printer: Printer) -> Result<(), CommandError> {
    let (packages, cohorts) = history.quarantine_list();
    if format == Format::Json {
        return printer.json(&serde_json::json!({ "packages": packages, "cohorts": cohorts }));
    }
    let mut text = String::new();
    let state = |until: jiff::Timestamp| {
        let is_over = until <= now;
        format!("{} {}", if is_over { "over since" } else { "until" }, to_the_second(until))
    };
    // Writing to a String cannot fail.
    for entry in packages {
        let what = format!("{}={} on {}", entry.package, entry.version, entry.os);
        let _ = writeln!(text, "{what:<48} {}: rolled back on {}: {}", state(entry.until), entry.host, entry.why);
    }
    for entry in cohorts {
        let what = format!("cohort {}", entry.cohort);
        let _ = writeln!(text, "{what:<48} {}: rolled back on {}: {}", state(entry.until), entry.host, entry.why);
    }
    if text.is_empty() {
        text.push_str("nothing is in quarantine\n");
    }
    printer.data(&text)
}
