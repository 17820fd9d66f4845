//! From the command line to an exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use super::args::{Cli, Command};
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            // Nobody can be told when this fails.
            let _ = error.print();
            return exit.into();
        }
    };
    log_to_stderr();
    let printer = Printer::new(&cli.global);
    match run(&cli, printer) {
        Ok(exit) => exit.into(),
        Err(error) => {
            printer.error(&error);
            error.exit.into()
        }
    }
}

fn run(cli: &Cli, printer: Printer) -> Result<Exit, CommandError> {
    match &cli.command {
        Command::Findings(args) => super::findings::run(args, printer),
        Command::Scan(args) => super::scan::run(args, printer),
        Command::Drill(args) => super::drill::run(args, &cli.global, printer),
        Command::Check(args) => super::check::run(args, printer),
        Command::Diff(args) => super::diff::run(args, printer),
        Command::Test(args) => super::test::run(args, printer),
        Command::Exceptions(args) => super::exceptions::run(args, printer),
        Command::Plan(args) => super::plan::run(args, &cli.global, printer),
        Command::Show(args) => super::show::show(args, printer),
        Command::Windows(args) => super::windows::run(args, printer),
        Command::Explain(args) => super::explain::run(args, printer),
        Command::Approve(args) => super::approve::run(args, printer),
        Command::Approvals(args) => super::approvals::list(args, printer),
        Command::Run(args) => super::run::run(args, &cli.global, printer),
        Command::Resume(args) => super::run::resume(args, &cli.global, printer),
        Command::Pause(args) => super::control::pause(args, &cli.global, printer),
        Command::Abort(args) => super::control::abort(args, &cli.global, printer),
        Command::Clones(args) => super::clones::run(args, &cli.global, printer),
        Command::Disarm(args) => super::disarm::run(args, &cli.global, printer),
        Command::Rehearse(args) => super::rehearse::run(args, &cli.global, printer),
        Command::Quarantine(args) => super::quarantine::run(args, &cli.global, printer),
        Command::Manual(args) => super::manual::run(args, &cli.global, printer),
        Command::Notify(args) => super::notify::run(args, &cli.global, printer),
        Command::Status(args) => super::control::status(args, &cli.global, printer),
        Command::History(args) => super::history::run(args, &cli.global, printer),
        Command::Report(args) => super::report::run(args, &cli.global, printer),
        Command::Audit(args) => super::audit::run(args, &cli.global, printer),
        Command::Lab(args) => super::lab::run(args, printer),
        Command::Demo(args) => super::demo::run(args, &cli.global, printer),
        Command::Schema(args) => super::schema::run(args, printer),
        Command::Debug(args) => super::debug::run(args, printer),
        Command::Completions(args) => super::completions::run(args, printer),
        Command::Man(args) => super::man::run(args, printer),
        Command::RegoWorker => super::rules::serve(),
    }
}

/// What the program says of itself, for those who ask with `SWITCHBACK_LOG`.
fn log_to_stderr() {
    let Some(filter) = crate::env::var("SWITCHBACK_LOG") else { return };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        let _ = writeln!(std::io::stderr(), "warning: a log subscriber is set already");
    }
}
