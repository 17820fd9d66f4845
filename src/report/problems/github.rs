//! Workflow commands of GitHub Actions: each problem becomes an annotation of its line.

use std::fmt::Write as _;

use super::place::{Region, file};
use crate::diagnostic::{Diagnostic, Level};
use crate::model::printable;

/// One workflow command a line. What files and names hold cannot end a line, and so cannot be a command of its own.
pub fn problems_for_github(diagnostics: &[Diagnostic], checked: &str) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let command = match diagnostic.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "::{command} file={}", property(&file(diagnostic, checked)));
        if let Some(span) = &diagnostic.span {
            let Region { start, end } = Region::of(span);
            let _ =
                write!(out, ",line={},col={},endLine={},endColumn={}", start.line, start.column, end.line, end.column);
        }
        let mut message = printable(&diagnostic.message, 4_000);
        if let Some(help) = &diagnostic.help {
            let _ = write!(message, "\nhelp: {}", printable(help, 4_000));
        }
        if let Some((what, span)) = &diagnostic.related {
            let _ = write!(message, "\n{}: {}", printable(what, 200), printable(&span.place().to_string(), 4_200));
        }
        let _ = writeln!(out, ",title={}::{}", property(diagnostic.code), data(&message));
    }
    out
}

/// As the runner decodes what stands behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As the runner decodes what stands behind `=`.
fn property(text: &str) -> String {
    data(&printable(text, 4_200)).replace(':', "%3A").replace(',', "%2C")
}
