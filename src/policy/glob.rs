//! Patterns with `*` (any text) and `?` (any one character), compiled once.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glob {
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
    /// Compiles a pattern; every text is one.
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

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == text,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Pattern(pattern) => wildcard(pattern, &text.chars().collect::<Vec<_>>(), |_| true),
        }
    }

    /// Whether it surely matches every text that the other matches.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Exact(text)) => self.matches(text),
            (Self::Exact(_), _) | (_, Self::Any) => false,
            // What the other leaves open may be anything: only `*` takes its `*`, and only `*` and `?` its `?`.
            _ => wildcard(&self.chars(), &other.chars(), |c| c != '*'),
        }
    }

    /// Whether surely no text matches both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(text), glob) | (glob, Self::Exact(text)) => !glob.matches(text),
            _ => {
                let literal = |c: &&char| !matches!(c, '*' | '?');
                let (a, b) = (self.chars(), other.chars());
                let begin = a.iter().take_while(literal).zip(b.iter().take_while(literal)).any(|(a, b)| a != b);
                begin || a.iter().rev().take_while(literal).zip(b.iter().rev().take_while(literal)).any(|(a, b)| a != b)
            }
        }
    }

    /// The pattern as written.
    fn chars(&self) -> Vec<char> {
        match self {
            Self::Any => vec!['*'],
            Self::Exact(text) => text.chars().collect(),
            Self::Prefix(text) => text.chars().chain(['*']).collect(),
            Self::Pattern(pattern) => pattern.clone(),
        }
    }
}

/// Goes back to the last `*` only, so that it takes at most pattern times text steps. `single` says what `?` stands for.
fn wildcard(pattern: &[char], text: &[char], single: impl Fn(char) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(&c) if (c == '?' && single(text[t])) || c == text[t] => {
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

    proptest! {
        #[test]
        fn what_is_said_of_two_patterns_holds_for_every_text(
            a in "[ab*?]{0,4}", b in "[ab*?]{0,4}", texts in proptest::collection::vec("[ab]{0,5}", 40),
        ) {
            let (a, b) = (Glob::new(&a), Glob::new(&b));
            for text in &texts {
                prop_assert!(!a.includes(&b) || !b.matches(text) || a.matches(text), "{a:?} {b:?} {text}");
                prop_assert!(!(a.is_disjoint(&b) && a.matches(text) && b.matches(text)), "{a:?} {b:?} {text}");
            }
        }
    }

    #[test]
    fn patterns_compare_as_far_as_can_be_seen() {
        let includes = |a: &str, b: &str| Glob::new(a).includes(&Glob::new(b));
        assert!(
            includes("*", "web-?")
                && includes("web-*", "web-1")
                && includes("w*", "web-*")
                && includes("w*-*", "we*-a?")
        );
        assert!(!includes("web-?", "web-*") && !includes("web-*", "w*") && !includes("web", "*"));
        let disjoint = |a: &str, b: &str| Glob::new(a).is_disjoint(&Glob::new(b));
        assert!(disjoint("web-*", "db-*") && disjoint("*.de", "*.com") && disjoint("a", "b*") && !disjoint("a*", "*b"));
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        let glob = Glob::new(&format!("{}b", "*a".repeat(100)));
        assert!(!glob.matches(&"a".repeat(100_000)));
    }
}
