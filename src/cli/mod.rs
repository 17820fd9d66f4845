//! Arguments, exit codes, one file a subcommand.

mod args;
mod completions;
mod debug;
mod error;
mod exit;
mod findings;
mod lab;
mod main;
mod man;
mod printer;
mod schema;

pub use args::Cli;
pub use exit::Exit;
pub use main::main;
