//! Arguments, exit codes, one file a subcommand.

mod args;
mod args_policy;
mod check;
mod clones;
mod completions;
mod control;
mod debug;
mod demo;
mod diff;
mod drill;
mod drive;
mod error;
mod exceptions;
mod exit;
mod explain;
mod findings;
mod inputs;
mod lab;
mod main;
mod man;
mod plan;
mod printer;
mod quarantine;
mod rehearse;
mod report;
mod revision;
mod rules;
mod run;
mod scan;
mod schema;
mod show;
mod test;
mod windows;

pub use args::Cli;
pub use exit::Exit;
pub use main::main;
