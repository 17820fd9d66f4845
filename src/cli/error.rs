//! The one error of the edge: a kind that maps to an exit code, the chain of causes, and hints.

use std::error::Error;
use std::fmt::Write as _;

use crate::diagnostic::Diagnostic;
use crate::model::printable;

use super::exit::Exit;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// A stable kebab-case code, where there is one.
    pub code: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hints: Vec<String>,
    /// Problems in input files.
    pub diagnostics: Vec<Diagnostic>,
}

impl CommandError {
    /// An error with its message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, code: None, message: message.into(), hints: Vec::new(), diagnostics: Vec::new() }
    }

    /// An error with all its causes in one line.
    pub fn caused(exit: Exit, what: impl AsRef<str>, error: &dyn Error) -> Self {
        let mut message = what.as_ref().to_owned();
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self::new(exit, message)
    }

    /// Problems in input files.
    pub fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter().filter(|d| d.level == crate::diagnostic::Level::Error).count();
        let plural = if errors == 1 { "error" } else { "errors" };
        Self {
            diagnostics,
            ..Self::new(Exit::InvalidInput, format!("{errors} {plural} in the input; nothing was done"))
        }
    }

    /// With a code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!("error: {}", printable(&self.message, 4_000));
        if let Some(code) = &self.code {
            let _ = write!(text, " [{code}]");
        }
        for hint in &self.hints {
            let _ = write!(text, "\nhint: {}", printable(hint, 4_000));
        }
        text
    }
}
