//! What reports in Markdown have in common.

use crate::model::printable;

/// Characters of a text that nobody must read to its end.
const MAX_TEXT: usize = 400;

/// Text from anywhere of usual length; see [`escaped`].
pub(super) fn md(text: &str) -> String {
    escaped(text, MAX_TEXT)
}

/// Text from anywhere inside Markdown, of this many characters at most: nothing of it is markup, a mention or HTML.
pub(super) fn escaped(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in printable(text, max).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // A link that nobody wrote as one.
    out.replace("://", ":&#8203;//").replace("www.", "www&#46;")
}

/// What a program said, as a block in which nothing is markup: no run of backticks in it is as long as the fence.
pub(super) fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::{fenced, md};

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let hostile = "<img src=x>|**b** @team #1 `c` [a](http://x) ![i](y) www.x.y\u{1b}[2J\u{202e}";
        let text = md(hostile);
        for bad in ["<img", "@team", "#1", "](http://", "\u{1b}", "\u{202e}", "www."] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert!(!text.replace("\\|", "").contains('|') && !text.replace("\\*", "").contains('*'), "{text}");
    }

    #[test]
    fn a_block_ends_only_where_we_end_it() {
        assert_eq!(fenced("a"), "```text\na\n```\n");
        assert_eq!(fenced("a\n````\n<b>"), "`````text\na\n````\n<b>\n`````\n");
    }
}
