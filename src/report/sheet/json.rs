//! JSON, one list of all rows, that drives no terminal.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::model::is_unprintable;

/// A list being written.
pub(super) struct Json<'a> {
    out: &'a mut (dyn Write + Send),
    rows: bool,
}

impl<'a> Json<'a> {
    pub fn begin(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, rows: false }
    }

    pub fn row(&mut self, row: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string(row)?;
        write!(self.out, "{}{}", if self.rows { ",\n" } else { "[\n" }, escape_json(&text))?;
        self.rows = true;
        Ok(())
    }

    pub fn end(self) -> io::Result<()> {
        self.out.write_all(if self.rows { b"\n]\n" } else { b"[]\n" })?;
        self.out.flush()
    }
}

/// The same JSON with what could drive a terminal written as escapes; such characters stand in its strings only.
pub(crate) fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_unprintable(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_says_the_same_without_driving_a_terminal() {
        let text = "a\u{9b}31m\u{202e}\u{feff}\u{1b}\n\u{10ffff}ä";
        let json = escape_json(&serde_json::to_string_pretty(&[text]).unwrap());
        assert!(!json.chars().any(|c| c != '\n' && is_unprintable(c)), "{json}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
    }
}
