//! What the comments around an entry say: people keep the reason there.

use super::read::reason;

/// No more lines of comment are taken for a reason.
const MAX_LINES: usize = 12;

/// The comment behind an entry on its line, else the lines of comment right above it.
pub(super) fn of(text: &str, offset: usize) -> Option<String> {
    let (start, line) = line_at(text, offset);
    behind(line, offset - start).and_then(reason).or_else(|| above(text, start))
}

/// The lines of comment right above the line of a key.
pub(super) fn heading(text: &str, key: &str) -> Option<String> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with([':', '='])) {
            return above(text, start);
        }
        start += line.len();
    }
    None
}

fn line_at(text: &str, offset: usize) -> (usize, &str) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let start = text[..offset].rfind('\n').map_or(0, |index| index + 1);
    (start, text[start..].lines().next().unwrap_or_default())
}

/// What stands behind ` #` where no quote is open.
fn behind(line: &str, from: usize) -> Option<&str> {
    let mut quote = None;
    let mut before = b' ';
    for (index, byte) in line.bytes().enumerate() {
        match (quote, byte) {
            (None, b'#') if before.is_ascii_whitespace() && index > from => return line.get(index + 1..),
            (None, b'"' | b'\'') if index >= from => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        before = byte;
    }
    None
}

fn above(text: &str, start: usize) -> Option<String> {
    let mut lines: Vec<&str> = Vec::new();
    for line in text[..start].lines().rev() {
        let line = line.trim();
        // The header of a table of TOML stands between an entry and its comment.
        if lines.is_empty() && line.starts_with("[[") {
            continue;
        }
        let Some(comment) = line.strip_prefix('#') else { break };
        let comment = comment.trim_start_matches('#').trim();
        if lines.len() == MAX_LINES {
            break;
        }
        // What was commented out is no reason.
        if !is_entry(comment) {
            lines.push(comment);
        }
    }
    lines.reverse();
    reason(&lines.join(" "))
}

fn is_entry(comment: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    comment.split_once('=').is_some_and(|(key, _)| word(key.trim()))
        || comment.strip_prefix("- ").is_some_and(|rest| rest.split_once(": ").is_some_and(|(key, _)| word(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_beside_and_above_an_entry_are_its_reason() {
        let of = |text: &str, entry: &str| super::of(text, text.find(entry).unwrap_or_default());
        assert_eq!(of("# not\n\n# why\n#  so\nCVE-1\n", "CVE-1").as_deref(), Some("why so"));
        assert_eq!(of("# up\n  - id: X # here\n", "id").as_deref(), Some("here"));
        assert_eq!(of("id = \"a # b\"\n", "id"), None);
        assert_eq!(of("# why\n[[IgnoredVulns]]\nid = \"X\"\n", "id").as_deref(), Some("why"));
        assert_eq!(of("# id = \"Y\"\n# - vulnerability: Z\nX\n", "X\n"), None);
        assert_eq!(heading("# all of it\nignore:\n  - a\n", "ignore").as_deref(), Some("all of it"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_searched_without_harm(text in "[#é\"'\n a=]{0,40}", offset in 0usize..60) {
            let _ = super::of(&text, offset);
        }
    }
}
