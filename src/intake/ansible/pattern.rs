//! Host patterns as Ansible reads them: `web:&eu:!old`, `db*`, `~web\d+`, `web[0]`, `web[1:3]`.

use regex::Regex;

use super::address;
use super::members::Members;
use crate::model::{HostName, printable};

/// No pattern is longer: a hundred thousand names of hosts fit,
const MAX_LENGTH: usize = 4 << 20;
/// has more parts that are no host's name, each of which is held against every host,
const MAX_PARTS: usize = 1000;
/// or names more hosts on its way to an answer: a glob may match many groups that share their hosts.
const MAX_MATCHES: usize = 10_000_000;
/// A regular expression is not compiled to more than this many bytes.
const MAX_REGEX: usize = 1 << 20;

/// Why a pattern selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is too large.
    #[error("the pattern has more than {0}")]
    TooLarge(&'static str),
    /// A sign stands alone.
    #[error("nothing stands behind the `{0}`")]
    Empty(char),
    /// Its regular expression cannot be used.
    #[error("`{pattern}` is no regular expression: {why}")]
    Regex {
        /// The part of the pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// It counts beyond the hosts it matches.
    #[error("`{pattern}` matches {hosts} hosts, none of which has this number")]
    Subscript {
        /// The part of the pattern.
        pattern: String,
        /// How many hosts there are without the number.
        hosts: usize,
    },
}

/// What a pattern selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The hosts, in Ansible's order.
    pub hosts: Vec<HostName>,
    /// Parts of the pattern that match no host and no group: more likely typing mistakes than meant.
    pub unmatched: Vec<String>,
}

/// The hosts that a pattern selects.
pub fn select(pattern: &str, members: &Members) -> Result<Selected, PatternError> {
    if pattern.len() > MAX_LENGTH {
        return Err(PatternError::TooLarge("4194304 bytes"));
    }
    let mut parts = split(pattern);
    if parts.iter().filter(|part| members.find_host(part).is_none()).count() > MAX_PARTS {
        return Err(PatternError::TooLarge("1000 parts that are no host's name"));
    }
    // Those that add go first, then those that keep, then those that take away.
    let rank = |part: &&str| match part.as_bytes().first() {
        Some(b'&') => 1,
        Some(b'!') => 2,
        _ => 0,
    };
    parts.sort_by_key(rank);
    if parts.first().is_none_or(|part| rank(part) > 0) {
        parts.insert(0, "all");
    }
    let mut selected: Vec<usize> = Vec::new();
    let mut is_selected = vec![false; members.host_names().count()];
    let mut unmatched = Vec::new();
    for part in parts {
        if let Some(host) = members.find_host(part) {
            if !std::mem::replace(&mut is_selected[host], true) {
                selected.push(host);
            }
            continue;
        }
        let (kind, rest) = part.split_at(usize::from(rank(&part) > 0));
        if let ("", Some(sign)) = (rest, kind.chars().next()) {
            return Err(PatternError::Empty(sign));
        }
        let matched = match_part(rest, members, &mut unmatched)?;
        if kind.is_empty() {
            selected.extend(matched.into_iter().filter(|host| !std::mem::replace(&mut is_selected[*host], true)));
            continue;
        }
        let mut marked = vec![false; is_selected.len()];
        matched.iter().for_each(|host| marked[*host] = true);
        selected.retain(|host| {
            is_selected[*host] = marked[*host] == (kind == "&");
            is_selected[*host]
        });
    }
    let hosts = selected.into_iter().map(|host| members.name_of(host).clone()).collect();
    Ok(Selected { hosts, unmatched })
}

/// At commas where there are any; else at colons, unless the whole is one address.
fn split(pattern: &str) -> Vec<&str> {
    let parts: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if address::parse(pattern).is_some() {
        vec![pattern]
    } else {
        words(pattern)
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Runs of characters other than white space, colons and lone brackets; what is in brackets belongs to a run.
fn words(pattern: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut at = 0;
    // Many opened and none closed are not looked through for each of them.
    let closed = pattern.rfind(']').unwrap_or(0);
    while let Some(c) = pattern[at..].chars().next() {
        let length = match c {
            '[' if closed < at => None,
            '[' => pattern[at..].find(']').map(|end| end + 1),
            ':' | ']' => None,
            c if c.is_whitespace() => None,
            c => Some(c.len_utf8()),
        };
        match length {
            Some(_) => drop(start.get_or_insert(at)),
            None => words.extend(start.take().map(|start| &pattern[start..at])),
        }
        at += length.unwrap_or(c.len_utf8());
    }
    words.extend(start.map(|start| &pattern[start..]));
    words
}

/// The hosts of one part without its `&` or `!`; one that is in several groups may be there several times.
fn match_part(part: &str, members: &Members, unmatched: &mut Vec<String>) -> Result<Vec<usize>, PatternError> {
    let (name, subscript) = split_subscript(part);
    let matcher = Matcher::new(name)?;
    let mut hosts = Vec::new();
    let mut any_group = false;
    for (group, _) in members.group_names().filter(|(_, group)| matcher.matches(group)) {
        any_group = true;
        hosts.extend(members.hosts_of(group));
        if hosts.len() > MAX_MATCHES {
            return Err(PatternError::TooLarge("10000000 matches"));
        }
    }
    if !any_group || name.starts_with('~') || name.contains(['.', '?', '*', '[']) {
        hosts.extend(members.host_names().filter(|(_, host)| matcher.matches(host)).map(|(index, _)| index));
    }
    if hosts.is_empty() && !any_group && name != "all" && unmatched.len() < 20 {
        unmatched.push(printable(name, 80));
    }
    match subscript {
        None => Ok(hosts),
        Some(_) if hosts.is_empty() => Ok(hosts),
        Some(Subscript::One(index)) => {
            let at = if index < 0 { index.checked_add_unsigned(hosts.len() as u64) } else { Some(index) };
            let found = at.and_then(|at| hosts.get(usize::try_from(at).ok()?)).map(|host| vec![*host]);
            found.ok_or_else(|| PatternError::Subscript { pattern: printable(part, 80), hosts: hosts.len() })
        }
        Some(Subscript::From(first, last)) => {
            let end = last.map_or(hosts.len(), |last| last.saturating_add(1).min(hosts.len()));
            Ok(hosts.get(first..end).map(<[usize]>::to_vec).unwrap_or_default())
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Subscript {
    /// Counted from the end where it is negative.
    One(i64),
    /// Both included.
    From(usize, Option<usize>),
}

/// `web[0]`, `web[-1]`, `web[1:3]`, `web[1:]`; anything else in brackets is part of a glob.
fn split_subscript(part: &str) -> (&str, Option<Subscript>) {
    let found = || {
        if part.starts_with('~') {
            return None;
        }
        let (name, inside) = part.strip_suffix(']')?.rsplit_once('[')?;
        if name.is_empty() {
            return None;
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits(inside.strip_prefix('-').unwrap_or(inside)) {
            let huge = if inside.starts_with('-') { i64::MIN } else { i64::MAX };
            return Some((name, Subscript::One(inside.parse().unwrap_or(huge))));
        }
        let (first, last) = inside.split_once([':', '-'])?;
        if !digits(first) || !(last.is_empty() || digits(last)) {
            return None;
        }
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        Some((
            name,
            match number(last) {
                _ if last.is_empty() => Subscript::From(number(first), None),
                // Ansible takes a last number of 0 for none.
                0 => Subscript::One(first.parse().unwrap_or(i64::MAX)),
                last => Subscript::From(number(first), Some(last)),
            },
        ))
    };
    found().map_or((part, None), |(name, subscript)| (name, Some(subscript)))
}

enum Matcher {
    Exact(String),
    Glob(Vec<Token>),
    Regex(Regex),
}

#[derive(Clone, Debug)]
enum Token {
    Any,
    One,
    Is(char),
    /// `[a-c]`, or `[!a-c]`: ranges, and whether it is any but these.
    Set(Vec<(char, char)>, bool),
}

impl Matcher {
    fn new(text: &str) -> Result<Self, PatternError> {
        let Some(regex) = text.strip_prefix('~') else {
            return Ok(match text.contains(['*', '?', '[']) {
                true => Self::Glob(glob(text)),
                false => Self::Exact(text.to_owned()),
            });
        };
        let built = regex::RegexBuilder::new(&like_python(regex)).size_limit(MAX_REGEX).build();
        built.map(Self::Regex).map_err(|error| {
            let why = match &error {
                regex::Error::CompiledTooBig(_) => format!("it is larger than {MAX_REGEX} bytes"),
                error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            };
            PatternError::Regex { pattern: printable(text, 80), why: printable(&why, 200) }
        })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            // It has to match where a name begins, but need not go to its end.
            Self::Regex(regex) => regex.find(name).is_some_and(|found| found.start() == 0),
            Self::Glob(tokens) => glob_matches(tokens, name),
        }
    }
}

/// In sets of Python's regular expressions `[`, `&` and `~` are nothing special.
fn like_python(regex: &str) -> String {
    let mut out = String::with_capacity(regex.len());
    let mut chars = regex.chars().peekable();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            '[' if !in_set => {
                in_set = true;
                out.push(c);
                out.extend(chars.next_if_eq(&'^'));
                // One in front is in the set.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' | '&' | '~' if in_set => out.extend(['\\', c]),
            c => {
                in_set &= c != ']';
                out.push(c);
            }
        }
    }
    out
}

/// A shell's glob; a bracket that is not closed stands for itself.
fn glob(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' if matches!(tokens.last(), Some(Token::Any)) => {}
            '*' => tokens.push(Token::Any),
            '?' => tokens.push(Token::One),
            '[' => {
                let negated = chars.get(at) == Some(&'!');
                let first = at + usize::from(negated);
                // A `]` in front is one of the set.
                match chars.iter().skip(first + 1).position(|c| *c == ']').map(|length| first + 1 + length) {
                    Some(end) => {
                        tokens.push(Token::Set(ranges(&chars[first..end]), negated));
                        at = end + 1;
                    }
                    None => tokens.push(Token::Is('[')),
                }
            }
            c => tokens.push(Token::Is(c)),
        }
    }
    tokens
}

fn ranges(set: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut rest = set;
    loop {
        rest = match rest {
            [first, '-', last, rest @ ..] => {
                ranges.push((*first, *last));
                rest
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                rest
            }
            [] => return ranges,
        };
    }
}

/// Goes back to the last `*` only, so that it takes at most pattern times text steps.
fn glob_matches(tokens: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match tokens.get(p) {
            Some(Token::Any) => {
                back = Some((p, t));
                p += 1;
                continue;
            }
            Some(Token::One) => true,
            Some(Token::Is(c)) => *c == text[t],
            Some(Token::Set(ranges, negated)) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&text[t])) != *negated
            }
            None => false,
        };
        match (step, back) {
            (true, _) => {
                p += 1;
                t += 1;
            }
            (false, Some((star, from))) => {
                back = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
            (false, None) => return false,
        }
    }
    tokens[p..].iter().all(|token| matches!(token, Token::Any))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;
    use crate::model::{GroupName, Host};
    use proptest::prelude::*;

    fn members() -> Members {
        let mut members = Members::default();
        for (name, groups) in [("web1", &["web", "eu"][..]), ("web2", &["web"]), ("db1", &["db", "eu"]), ("lone", &[])]
        {
            let mut host = Host::named(HostName::new(name).unwrap());
            host.groups = groups.iter().map(|group| GroupName::new(group).unwrap()).collect();
            members.add(&host);
        }
        members
    }

    fn hosts(pattern: &str) -> Vec<String> {
        select(pattern, &members()).unwrap().hosts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn native_hosts_are_selected_too() {
        assert_eq!(hosts("all"), ["web1", "web2", "db1", "lone"]);
        assert_eq!(hosts("web:&eu"), ["web1"]);
        assert_eq!(hosts("all:!eu"), ["web2", "lone"]);
        assert_eq!(hosts("ungrouped"), ["lone"]);
        assert_eq!(hosts("e*[1]"), ["db1"]);
        let selected = select("web:wbe:!typo", &members()).unwrap();
        assert_eq!((selected.hosts.len(), selected.unmatched), (2, vec!["wbe".to_owned(), "typo".to_owned()]));
    }

    #[test]
    fn limits_are_named() {
        let error = |pattern: &str| select(pattern, &members()).unwrap_err().to_string();
        assert!(error(&"a,".repeat(2000)).contains("1000 parts that"));
        assert_eq!(hosts(&"web1,".repeat(100_000)), ["web1"], "names of hosts are cheap");
        assert!(error(&"a".repeat(5_000_000)).contains("4194304 bytes"));
        assert!(error("~(a{1000}){1000}").contains("1048576 bytes"));
        assert!(error("~(?=x)").starts_with("`~(?=x)` is no regular expression: look-around"));
        assert!(error("web:!").contains("behind the `!`") && error("&").contains("behind the `&`"));
        assert_eq!(hosts("~[[w]eb[[&~1]"), ["web1"]);
        assert!(error("web[7]").contains("matches 2 hosts"));
        assert_eq!(hosts("web[99999999999999999999:]"), [""; 0]);
        let slow = format!("{}x", "*a".repeat(30_000));
        assert_eq!(hosts(&slow), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[a-bwe0-3:\\[\\]*?!&~,.()é -]{0,24}") {
            let _ = select(&pattern, &members());
        }
    }
}
