//! stdout is data, stderr is talk. The only place that writes to either.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::diagnostic::{Diagnostic, render_text};

use super::args::{Color, Global};
use super::error::CommandError;
use super::exit::Exit;

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

    /// Data as one JSON document.
    pub fn json(self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
        self.data(&text)
    }

    /// Data as one JSON object on a line.
    pub fn json_line(self, value: &impl Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CommandError::caused(Exit::Failed, "cannot write JSON", &error))?;
        self.data(&text)
    }

    /// Talk. Nobody can be told when it fails.
    pub fn talk(self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
        }
    }

    /// Problems that end nothing.
    pub fn diagnostics(self, diagnostics: &[Diagnostic]) {
        if !self.quiet && !diagnostics.is_empty() {
            let _ = write!(io::stderr().lock(), "{}", render_text(diagnostics, self.color));
        }
    }

    /// An error, also when quiet.
    pub fn error(self, error: &CommandError) {
        let mut err = io::stderr().lock();
        if !error.diagnostics.is_empty() {
            for diagnostic in &error.diagnostics {
                let _ = writeln!(err, "{diagnostic}");
            }
        }
        let _ = writeln!(err, "{}", error.to_text());
    }
}
