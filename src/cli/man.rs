//! `switchback man`: a man page for the program and each subcommand.

use clap::CommandFactory as _;

use super::args::{Cli, Man};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

pub(super) fn run(args: &Man, printer: Printer) -> Result<Exit, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::caused(Exit::Failed, format!("cannot write man pages to {}", args.dir.display()), &error)
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(failed)?;
    printer.talk(format!("man pages are in {}", args.dir.display()));
    Ok(Exit::Ok)
}
