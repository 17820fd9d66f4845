//! Arguments, exit codes, one file a subcommand.

mod args;
mod check;
mod completions;
mod control;
mod debug;
mod demo;
mod diff;
mod drive;
mod error;
mod exit;
mod findings;
mod inputs;
mod lab;
mod main;
mod man;
mod plan;
mod printer;
mod report;
mod revision;
mod run;
mod scan;
mod schema;
mod show;
mod test;

pub use args::Cli;
pub use exit::Exit;
pub use main::main;
