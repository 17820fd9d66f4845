//! apk-tools' version order: `1.2.3a_rc1~hash-r4`. What apk would refuse has an order too, as in apk: the part that keeps the
//! rules decides first.

use std::cmp::Ordering;

use super::number::{Number, split_run};

/// The tokens up to the end, or up to the first that is none.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Apk<'t>(Vec<Token<'t>>);

/// What may stand at one place, least first: the end is older than what may follow it, except for what leads up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token<'t> {
    Before(Before),
    /// From here on the rules are broken; what begins with `-` is all alike.
    Invalid(&'t str),
    End,
    Revision(Number<'t>),
    Commit(&'t str),
    SuffixNumber(Number<'t>),
    Suffix(After),
    Letter(char),
    Digits(Digits<'t>),
    First(Number<'t>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Alpha,
    Beta,
    Pre,
    Rc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum After {
    Cvs,
    Svn,
    Git,
    Hg,
    P,
}

/// A number behind a dot; with a leading zero it counts as the digits of a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digits<'t>(&'t str);

impl Ord for Digits<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0.starts_with('0') || other.0.starts_with('0') {
            self.0.cmp(other.0)
        } else {
            self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
        }
    }
}

impl PartialOrd for Digits<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How far a version has come; each part may follow those before it only.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Part {
    Digits,
    Letter,
    Suffix,
    SuffixNumber,
    Commit,
    Revision,
}

impl Apk<'_> {
    /// Whether apk takes it.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.0.last() == Some(&Token::End) {
            Ok(())
        } else {
            Err(
                "it is not of the form 1.2.3a_rc1~hash-r4, with alpha, beta, pre, rc, cvs, svn, git, hg or p behind `_`",
            )
        }
    }

    /// Whether it is the other, or the other with more behind it (`3.6.1 ~ 3.6`).
    pub(super) fn starts_with(&self, other: &Self) -> bool {
        match &other.0[..] {
            [start @ .., Token::End] => self.0.starts_with(start),
            whole => self.0 == whole,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Apk<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.bytes().any(|b| b.is_ascii_whitespace() || b == 0) {
        return Err("it has spaces inside");
    }
    let (digits, mut rest) = split_run(text, u8::is_ascii_digit);
    let mut tokens: Vec<Token<'_>> = Number::new(digits).map(Token::First).into_iter().collect();
    let mut part = Part::Digits;
    while !rest.is_empty() {
        match next(part, rest).filter(|_| !tokens.is_empty()) {
            Some((token, after, at)) => {
                tokens.push(token);
                (rest, part) = (after, at);
            }
            None => {
                tokens.push(Token::Invalid(if rest.starts_with('-') { "" } else { rest }));
                return Ok(Apk(tokens));
            }
        }
    }
    tokens.push(Token::End);
    Ok(Apk(tokens))
}

fn next(part: Part, text: &str) -> Option<(Token<'_>, &str, Part)> {
    let first = text.chars().next()?;
    let behind = &text[first.len_utf8()..];
    match first {
        'a'..='z' if part == Part::Digits => Some((Token::Letter(first), behind, Part::Letter)),
        '.' if part == Part::Digits => match split_run(behind, u8::is_ascii_digit) {
            ("", _) => None,
            (digits, rest) => Some((Token::Digits(Digits(digits)), rest, Part::Digits)),
        },
        '0'..='9' if part == Part::Suffix => {
            let (digits, rest) = split_run(text, u8::is_ascii_digit);
            Some((Token::SuffixNumber(Number::new(digits)?), rest, Part::SuffixNumber))
        }
        '_' if part <= Part::SuffixNumber => {
            let (name, rest) = split_run(behind, u8::is_ascii_lowercase);
            Some((suffix(name)?, rest, Part::Suffix))
        }
        '~' if part < Part::Commit => match split_run(behind, u8::is_ascii_hexdigit) {
            ("", _) => None,
            (hash, rest) => Some((Token::Commit(hash), rest, Part::Commit)),
        },
        '-' if part < Part::Revision => {
            let (digits, rest) = split_run(behind.strip_prefix('r')?, u8::is_ascii_digit);
            // Refused for what follows, but a revision nevertheless.
            let number = Number::new(digits).or(rest.starts_with('-').then_some(Number::ZERO))?;
            Some((Token::Revision(number), rest, Part::Revision))
        }
        _ => None,
    }
}

fn suffix(name: &str) -> Option<Token<'static>> {
    Some(match name {
        "alpha" => Token::Before(Before::Alpha),
        "beta" => Token::Before(Before::Beta),
        "pre" => Token::Before(Before::Pre),
        "rc" => Token::Before(Before::Rc),
        "cvs" => Token::Suffix(After::Cvs),
        "svn" => Token::Suffix(After::Svn),
        "git" => Token::Suffix(After::Git),
        "hg" => Token::Suffix(After::Hg),
        "p" => Token::Suffix(After::P),
        _ => return None,
    })
}
