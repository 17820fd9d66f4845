//! Rego as a row of tokens: comments, strings and raw strings are told apart from code, and nothing is evaluated.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A string, quotes included.
    Text,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// Anything else.
    Mark,
}

/// A token and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub offset: usize,
}

impl Token<'_> {
    /// The offset behind it.
    pub fn end(&self) -> usize {
        self.offset + self.text.len()
    }

    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }
}

/// The tokens of a text, whatever it is.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = line_end(bytes, at);
                continue;
            }
            b'"' => {
                at = string_end(bytes, at + 1);
                Kind::Text
            }
            b'`' => {
                at = bytes[at + 1..].iter().position(|b| *b == b'`').map_or(bytes.len(), |length| at + length + 2);
                Kind::Text
            }
            b'(' | b'[' | b'{' => {
                at += 1;
                Kind::Open
            }
            b')' | b']' | b'}' => {
                at += 1;
                Kind::Close
            }
            byte if is_word(byte) => {
                // A number is no name: the dot in it leads nowhere.
                let number = byte.is_ascii_digit();
                while at < bytes.len() && (is_word(bytes[at]) || number && bytes[at] == b'.') {
                    at += 1;
                }
                if number { Kind::Mark } else { Kind::Word }
            }
            _ => {
                at += 1;
                while !text.is_char_boundary(at) {
                    at += 1;
                }
                Kind::Mark
            }
        };
        tokens.push(Token { kind, text: &text[start..at], offset: start });
    }
    tokens
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Behind the closing quote; a string that does not end on its line ends with it.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' if bytes.get(at + 1).is_some_and(|b| b.is_ascii() && *b != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_and_comments_hide_what_is_in_them() {
        let text = "x := \"a[\\\"(\" # [[[\ny := `{\n\"` [1.5, é]";
        let found: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
        let expected = ["x", ":", "=", "\"a[\\\"(\"", "y", ":", "=", "`{\n\"`", "[", "1.5", ",", "é", "]"];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn any_text_becomes_tokens_in_order(text in "[\"`\\\\#\\[\\](){}a.0é\\n ]{0,40}") {
            let mut end = 0;
            for token in tokens(&text) {
                prop_assert!(token.offset >= end && !token.text.is_empty());
                end = token.end();
            }
            prop_assert!(end <= text.len());
        }
    }
}
