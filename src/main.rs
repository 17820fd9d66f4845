//! The `switchback` program: everything is in the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    switchback::cli::main()
}
