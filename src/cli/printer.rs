//! stdout is data, stderr is talk. The only place that writes to either.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnostic::{Diagnostic, render_text};
use crate::model::printable;
pub(super) use crate::report::escape_json;

use super::args::{Color, Global};
use super::error::CommandError;
use super::exit::Exit;

/// No line of talk is longer.
const MAX_LINE: usize = 10_000;

/// A time for people: nobody reads parts of a second.
pub(super) fn to_the_second(time: Timestamp) -> impl fmt::Display {
    time.strftime("%Y-%m-%dT%H:%M:%SZ")
}

/// Writes for one command.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    color: bool,
    quiet: bool,
}

impl Printer {
    /// As the options and the terminal want it.
    pub fn new(global: &Global) -> Self {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => crate::env::var("NO_COLOR").is_none_or(|v| v.is_empty()) && io::stderr().is_terminal(),
        };
        Self { color, quiet: global.quiet }
    }

    /// Whether a live display makes sense.
    pub fn is_live(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether only errors are told.
    pub const fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Data. A reader that has gone away is no error.
    pub fn data(self, text: &str) -> Result<(), CommandError> {
        let mut out = io::stdout().lock();
        let written = out
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') || text.is_empty() { Ok(()) } else { out.write_all(b"\n") });
        match written.and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::caused(Exit::Failed, "cannot write to stdout", &error))
            }
            _ => Ok(()),
        }
    }

    /// For data as it comes.
    pub fn stdout(self) -> impl io::Write + Send {
        io::BufWriter::new(io::stdout())
    }

    /// Data as one JSON document.
    pub fn json(self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
        self.data(&escape_json(&text))
    }

    /// Data as one JSON object on a line.
    pub fn json_line(self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
        self.data(&escape_json(&text))
    }

    /// Talk. Nobody can be told when it fails.
    pub fn talk(self, text: impl AsRef<str>) {
        if !self.quiet {
            let mut err = io::stderr().lock();
            for line in text.as_ref().split('\n') {
                let _ = writeln!(err, "{}", printable(line, MAX_LINE));
            }
        }
    }

    /// What would be lost unseen, also when quiet.
    pub fn warn(self, text: impl AsRef<str>) {
        Self { quiet: false, ..self }.talk(text);
    }

    /// Problems that end nothing.
    pub fn diagnostics(self, diagnostics: &[Diagnostic]) {
        if !self.quiet {
            self.problems(diagnostics);
        }
    }

    /// Problems that end something, also when quiet.
    pub fn problems(self, diagnostics: &[Diagnostic]) {
        if !diagnostics.is_empty() {
            let _ = writeln!(io::stderr().lock(), "{}", render_text(diagnostics, self.color));
        }
    }

    /// An error, also when quiet.
    pub fn error(self, error: &CommandError) {
        self.problems(&error.diagnostics);
        let _ = writeln!(io::stderr().lock(), "{}", error.to_text());
    }
}

#[cfg(test)]
mod tests {
    use super::to_the_second;

    #[test]
    fn nobody_reads_parts_of_a_second() {
        let time = "2026-11-28T20:15:30.123456789Z".parse().unwrap_or_default();
        assert_eq!(to_the_second(time).to_string(), "2026-11-28T20:15:30Z");
    }
}
