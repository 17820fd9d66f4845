//! `switchback rehearse`.

use std::sync::Arc;
use std::thread;

use crate::diagnostic::{Diagnostics, Source};
use crate::report::{rehearsal_html, rehearsal_table};
use crate::sim::{self, Profile};

use super::args::{Global, RehearsalFormat, Rehearse};
use super::drive::learned;
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_plan, read_text, settle};
use super::printer::Printer;

pub(super) fn run(args: &Rehearse, global: &Global, printer: Printer) -> Result<Exit, CommandError> {
    let (id, plan) = load_plan(&args.plan)?;
    let mut profile = Profile::default();
    if let Some(path) = &args.profile {
        let mut diagnostics = Diagnostics::default();
        let text = read_text(path, &mut diagnostics).unwrap_or_default();
        let read = Profile::read(&Source::new(path.display().to_string(), text), &mut diagnostics);
        settle(diagnostics, false, printer)?;
        profile = read.unwrap_or(profile);
    }
    if args.history {
        let lessons = learned(global.state())?;
        profile = profile.with(lessons.experience);
        printer
            .talk(format!("{} kinds of steps go by earlier campaigns, the others by the profile", profile.learned()));
    }
    let plan = Arc::new(plan);
    let how = sim::Rehearse {
        runs: args.runs,
        seed: args.seed,
        start: args.start.unwrap_or(plan.as_of),
        threads: thread::available_parallelism().map_or(1, usize::from),
    };
    let rehearsal = sim::rehearse(&plan, id, &profile, how);
    match args.format {
        RehearsalFormat::Table => printer.data(&rehearsal_table(&rehearsal))?,
        RehearsalFormat::Html => printer.data(&rehearsal_html(&rehearsal))?,
        RehearsalFormat::Json => printer.json(&rehearsal)?,
    }
    Ok(Exit::Ok)
}
