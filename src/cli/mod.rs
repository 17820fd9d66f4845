//! Arguments, exit codes, one file a subcommand.

mod args;
mod completions;
mod debug;
mod error;
mod exit;
mod main;
mod man;
mod printer;

pub use args::Cli;
pub use exit::Exit;
pub use main::main;
