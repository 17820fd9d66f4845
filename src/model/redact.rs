//! What other programs say, for people: without what looks like a secret, and safe to show.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::printable;

/// Stands where a secret was.
const REDACTED: &str = "[redacted]";

/// Credentials in URLs; values of what is named like a secret; authorization headers; known forms of keys and tokens.
static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        r"(?P<url>[a-z][a-z0-9+.-]*://)[^/\s@]+@",
        r#"(?P<name>\b[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)["']?\s*[:=]\s*["']?)[^\s"',;&]+"#,
        r#"(?P<header>\bauthorization["']?\s*[:=]\s*["']?)(?:basic |bearer )?[^\s"',;]+"#,
        r"(?P<bearer>\bbearer )[\w.~+/=-]{8,}",
        r"(?P<key>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:.*)",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+",
    ];
    Regex::new(&format!("(?is){}", forms.join("|"))).ok()
});

/// What a program said, for journals and people: secrets are left out as far as their form shows them, the rest is
/// [`printable`].
pub fn told(text: &str, max_chars: usize) -> String {
    let (shown, is_cut) = without_secrets(text, max_chars);
    let cut = printable(&shown, max_chars);
    if is_cut && !cut.ends_with('…') { cut + "…" } else { cut }
}

/// The same for a text of several lines: its last ones, for what went wrong is said in the end.
pub fn told_lines(text: &str, max_chars: usize) -> String {
    let length = text.chars().count();
    let is_cut = length > max_chars;
    let from = text.char_indices().nth(length.saturating_sub(max_chars)).map_or(text.len(), |(at, _)| at);
    // Half a line may be half a secret.
    let from = if is_cut { text[from..].find('\n').map_or(from, |end| from + end + 1) } else { 0 };
    let (shown, _) = without_secrets(&text[from..], max_chars);
    let lines = shown.split('\n').map(|line| printable(line, max_chars)).collect::<Vec<_>>().join("\n");
    if is_cut { format!("…\n{lines}") } else { lines }
}

/// The beginning of a text without secrets, and whether it is only that.
fn without_secrets(text: &str, max_chars: usize) -> (String, bool) {
    // Longer than what is kept, so that a secret is not cut in its middle and missed; bounded, since hosts may be hostile.
    let bound = text.char_indices().nth(max_chars.saturating_mul(2)).map_or(text.len(), |(at, _)| at);
    let Some(secrets) = SECRETS.as_ref() else { return (REDACTED.to_owned(), false) };
    let left_out = |found: &Captures<'_>| {
        let before = ["url", "name", "header", "bearer", "key"].iter().find_map(|form| found.name(form));
        let at = if found.name("url").is_some() { "@" } else { "" };
        format!("{}{REDACTED}{at}", before.map_or("", |before| before.as_str()))
    };
    (secrets.replace_all(&text[..bound], left_out).into_owned(), bound < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        for (said, shown) in [
            ("Err:1 https://ann:s3cr3t@apt.example.com/debian x", "Err:1 https://[redacted]@apt.example.com/debian x"),
            ("dial amqp://u:p@ss/vhost", "dial amqp://[redacted]@ss/vhost"),
            ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=[redacted] next"),
            ("{\"api-key\": \"abc\", \"n\": 1}", "{\"api-key\": \"[redacted]\", \"n\": 1}"),
            ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
            ("sent bearer abcdefgh.ijkl", "sent bearer [redacted]"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", "-----BEGIN OPENSSH PRIVATE KEY-----[redacted]"),
            ("id AKIAABCDEFGHIJKLMNOP.", "id [redacted]."),
        ] {
            assert_eq!(told(said, 200), shown);
        }
    }

    #[test]
    fn other_text_is_as_it_was() {
        for said in [
            "dpkg: error processing package nginx (--configure)",
            "http://deb.example.com/x@2",
            "a@b",
            "secretary is in",
        ] {
            assert_eq!(told(said, 200), said);
        }
        assert_eq!(told("\u{1b}[2J", 10), "\u{fffd}[2J");
        assert_eq!(told("abcdef", 3), "abc…");
        // What is cut is cut behind the secret, not in it.
        let long = format!("{} password=hunter2hunter2", "x".repeat(85));
        assert!(!told(&long, 100).contains("hunter"));
    }

    #[test]
    fn lines_stay_lines_and_the_last_ones_are_told() {
        assert_eq!(told_lines("a\u{1b}\npassword=x1\nb", 100), "a\u{fffd}\npassword=[redacted]\nb");
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\naC1rZXkt\n";
        assert_eq!(told_lines(key, 100), "-----BEGIN OPENSSH PRIVATE KEY-----[redacted]");
        assert_eq!(told_lines("first line\nsecond\nlast", 10), "…\nlast");
        // One line that has no end: the end of it, and never more than asked for.
        assert_eq!(told_lines(&"x".repeat(50), 10), format!("…\n{}", "x".repeat(10)));
        assert_eq!(told_lines("", 10), "");
    }
}
