//! Patterns with `*` (any text) and `?` (any one character), compiled once.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Glob {
    /// `*`.
    Any,
    /// No wildcard.
    Exact(String),
    /// `text*`.
    Prefix(String),
    /// Anything else.
    Pattern(Vec<char>),
}

impl Glob {
    pub fn new(pattern: &str) -> Self {
        match pattern.find(['*', '?']) {
            None => Self::Exact(pattern.to_owned()),
            Some(0) if pattern == "*" => Self::Any,
            Some(first) if first + 1 == pattern.len() && pattern.ends_with('*') => {
                Self::Prefix(pattern[..first].to_owned())
            }
            Some(_) => Self::Pattern(pattern.chars().collect()),
        }
    }

    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == text,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Pattern(pattern) => wildcard(pattern, text),
        }
    }
}

/// Goes back to the last `*` only, so that it takes at most pattern times text steps.
fn wildcard(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => slow(&pattern[1..], text) || (!text.is_empty() && slow(pattern, &text[1..])),
            (Some(&p), Some(&t)) => (p == '?' || p == t) && slow(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[abé]{0,10}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(Glob::new(&pattern).matches(&text), slow(&chars(&pattern), &chars(&text)));
        }
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        let glob = Glob::new(&format!("{}b", "*a".repeat(100)));
        assert!(!glob.matches(&"a".repeat(100_000)));
    }
}
