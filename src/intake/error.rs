//! Why a file could not be taken in.

use crate::diagnostic::Diagnostic;
use crate::model::printable;

/// A file that could not be taken in: nothing of it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {message} [{code}]", place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default())]
pub struct IntakeError {
    /// Kebab-case name of the kind of problem; documented, stable.
    pub code: &'static str,
    /// The file as it was named.
    pub file: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong: a lowercase fragment that names the object.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl IntakeError {
    /// An error of a whole file; the message is made printable.
    pub(crate) fn new(code: &'static str, file: &str, message: impl AsRef<str>) -> Self {
        Self { code, file: printable(file, 300), place: None, message: printable(message.as_ref(), 600), help: None }
    }

    /// With its place.
    #[must_use]
    pub(crate) const fn at(mut self, line: usize, column: usize) -> Self {
        self.place = Some((line, column));
        self
    }

    /// With what would be right.
    #[must_use]
    pub(crate) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(printable(help.as_ref(), 600));
        self
    }
}

impl From<IntakeError> for Diagnostic {
    /// The place travels in the message: a report is too large to be kept for its source lines.
    fn from(error: IntakeError) -> Self {
        let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let diagnostic = Self::error(error.code, format!("{}{place}: {}", error.file, error.message));
        match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}
