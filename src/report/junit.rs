//! What reports in JUnit XML have in common.

use std::fmt::Write as _;

use crate::model::printable;

/// The first line of a file.
pub(super) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// No text is longer.
const MAX_TEXT: usize = 2000;

/// How a case ended.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    Passed,
    Failed { message: &'a str, kind: &'a str },
    Skipped { message: &'a str },
}

/// The attributes that suites and their sum have alike.
pub(super) fn numbers(tests: usize, failures: usize, seconds: f64) -> String {
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.6}\"")
}

/// Ends the element of a case whose attributes have been written; the lines are those of a failure.
pub(super) fn end(end: End<'_>, lines: impl Iterator<Item = String>, out: &mut String) {
    // Writing to a String cannot fail.
    match end {
        End::Passed => out.push_str("/>\n"),
        End::Skipped { message } => {
            let _ = writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", xml(message));
        }
        End::Failed { message, kind } => {
            let _ = writeln!(out, ">\n      <failure message=\"{}\" type=\"{}\">", xml(message), xml(kind));
            for line in lines {
                let _ = writeln!(out, "{}", xml(&line));
            }
            out.push_str("      </failure>\n    </testcase>\n");
        }
    }
}

/// Text from anywhere, in elements and quoted attributes.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text, MAX_TEXT).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // Not allowed in XML 1.0, and not made unprintable above.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
