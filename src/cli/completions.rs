//! `switchback completions`: the shell's completion script.

use clap::CommandFactory as _;

use super::args::{Cli, Completions};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn run(args: &Completions, printer: Printer) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "switchback", &mut script);
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
