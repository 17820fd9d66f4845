//! Commands of the user's own, which get the notification on their standard input.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use crate::model::{TimeSpan, exit, printable};
use crate::transport::{ProcessError, run_argv_holding};

use super::send::Failure;

/// Runs it once.
pub(super) fn run(argv: &[String], input: &str, limit: TimeSpan) -> Result<(), Failure> {
    let system = |error: std::io::Error| Failure::passing(format!("no command can be run: {error}"));
    let (reader, mut writer) = std::io::pipe().map_err(system)?;
    let input = format!("{input}\n");
    // Beside the command: who does not read must not be waited for. It ends when nobody holds the other end any more.
    std::thread::Builder::new()
        .name("notify-input".to_owned())
        .spawn(move || drop(writer.write_all(input.as_bytes())))
        .map_err(system)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let ran = runtime.block_on(run_argv_holding(argv, limit, Some(File::from(OwnedFd::from(reader)))));
    let ran = ran.map_err(|error| match error {
        ProcessError::Timeout { .. } => Failure::passing(error.to_string()),
        _ => Failure::Lasting(error.to_string()),
    })?;
    let said = if ran.errors.is_empty() { String::new() } else { format!(": {}", printable(&ran.errors, 200)) };
    match ran.code {
        0 => Ok(()),
        exit::TRANSIENT => Err(Failure::passing(format!("it asks to be tried again{said}"))),
        code => Err(Failure::Lasting(format!("it exited with {code}{said}"))),
    }
}
