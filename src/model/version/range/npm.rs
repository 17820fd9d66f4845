//! npm's ranges: `^1.2 || >=2.1.3 <2.4`, `1.x`, `~1.2.3`, `1.0 - 2.0`. Everything becomes comparisons, as node-semver does it.

use std::cmp::Ordering;

use super::Prereleases;
use crate::model::version::semver::{Identifier, identifiers, split};

/// Alternatives of comparisons that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    any: Vec<Vec<Comparator>>,
    prereleases: Prereleases,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    sign: Sign,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// A version to the letter: three numbers, at most what a JavaScript number holds exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    /// Empty for a release.
    pre: String,
}

const MAX_NUMBER: u64 = (1 << 53) - 1;

impl Version {
    const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { numbers: [major, minor, patch], pre: String::new() }
    }

    fn with_pre(self, pre: &str) -> Self {
        Self { pre: pre.to_owned(), ..self }
    }

    fn identifiers(&self) -> Vec<Identifier<'_>> {
        if self.pre.is_empty() { Vec::new() } else { identifiers(&self.pre).unwrap_or_default() }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let release = |version: &Self| version.pre.is_empty();
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| release(self).cmp(&release(other)))
            .then_with(|| self.identifiers().cmp(&other.identifiers()))
    }
}

/// A version of which the end may be open: `1`, `1.x`, `1.2.*`.
#[derive(Debug)]
struct Partial<'t> {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
    pre: &'t str,
}

impl Partial<'_> {
    fn parse(text: &str) -> Result<Partial<'_>, &'static str> {
        let (numbers, pre) = split(text)?;
        let mut parts = numbers.split('.');
        let mut part = || match parts.next() {
            None | Some("x" | "X" | "*") => Ok(None),
            Some("") if text.trim_ascii().is_empty() => Ok(None),
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let number = digits.parse().ok().filter(|&number| number <= MAX_NUMBER);
                number.map(Some).ok_or("a number is larger than 2^53 - 1")
            }
            Some(_) => Err("a version is numbers, x or * with dots between"),
        };
        let (major, minor, patch) = (part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err("a version has more than three numbers");
        }
        if pre.is_some_and(|pre| identifiers(pre).is_none()) {
            return Err("a pre-release is letters, digits and `-` with dots between, none empty");
        }
        // What is open leaves open what follows it.
        let minor = major.and(minor);
        Ok(Partial { major, minor, patch: minor.and(patch), pre: pre.unwrap_or_default() })
    }

    /// The first version that it may mean.
    fn floor(&self) -> Version {
        Version::new(self.major.unwrap_or(0), self.minor.unwrap_or(0), self.patch.unwrap_or(0))
    }

    /// Open at its end.
    fn is_open(&self) -> bool {
        self.patch.is_none()
    }
}

impl Comparator {
    const fn new(sign: Sign, version: Version) -> Self {
        Self { sign, version }
    }

    /// Before every version of this release, its pre-releases too.
    fn before(major: u64, minor: u64, patch: u64) -> Self {
        Self::new(Sign::Less, Version::new(major, minor, patch).with_pre("0"))
    }

    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.sign {
            Sign::Less => order.is_lt(),
            Sign::AtMost => order.is_le(),
            Sign::Equal => order.is_eq(),
            Sign::AtLeast => order.is_ge(),
            Sign::Greater => order.is_gt(),
        }
    }
}

pub(super) fn parse(text: &str, prereleases: Prereleases) -> Result<Range, &'static str> {
    let any = text.split("||").map(|all| parse_all(all, prereleases)).collect::<Result<_, _>>()?;
    Ok(Range { any, prereleases })
}

fn parse_all(text: &str, prereleases: Prereleases) -> Result<Vec<Comparator>, &'static str> {
    let mut comparators = Vec::new();
    if let Some((from, to)) = hyphen(text) {
        hyphen_range(&Partial::parse(from)?, &Partial::parse(to)?, prereleases, &mut comparators);
        return Ok(comparators);
    }
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let (operator, behind) = operator(word);
        // The operator may stand apart.
        let version = match behind {
            "" => words.next().ok_or("no version follows an operator")?,
            behind => behind,
        };
        let partial = Partial::parse(version)?;
        match operator {
            "~" | "~>" => tilde(&partial, prereleases, &mut comparators),
            "^" => caret(&partial, prereleases, &mut comparators),
            _ => primitive(operator, &partial, prereleases, &mut comparators),
        }
    }
    Ok(comparators)
}

/// `FROM - TO`, with spaces around.
fn hyphen(text: &str) -> Option<(&str, &str)> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words[..] {
        [from, "-", to] => Some((from, to)),
        _ => None,
    }
}

fn operator(word: &str) -> (&str, &str) {
    const OPERATORS: [&str; 8] = [">=", "<=", "~>", ">", "<", "=", "~", "^"];
    let found = OPERATORS.iter().find(|operator| word.starts_with(**operator));
    word.split_at(found.map_or(0, |operator| operator.len()))
}

/// The pre-release that a lower bound begins with, where a version was left open.
fn lowest(version: Version, prereleases: Prereleases) -> Version {
    if prereleases == Prereleases::All { version.with_pre("0") } else { version }
}

fn hyphen_range(from: &Partial<'_>, to: &Partial<'_>, prereleases: Prereleases, out: &mut Vec<Comparator>) {
    if from.major.is_some() {
        let floor = from.floor();
        let floor = if from.pre.is_empty() { lowest(floor, prereleases) } else { floor.with_pre(from.pre) };
        out.push(Comparator::new(Sign::AtLeast, floor));
    }
    match (to.major, to.minor, to.patch) {
        (None, ..) => {}
        (Some(major), None, _) => out.push(Comparator::before(major + 1, 0, 0)),
        (Some(major), Some(minor), None) => out.push(Comparator::before(major, minor + 1, 0)),
        (Some(major), Some(minor), Some(patch)) => {
            let version = Version::new(major, minor, patch);
            out.push(match (to.pre, prereleases) {
                ("", Prereleases::All) => Comparator::before(major, minor, patch + 1),
                (pre, _) => Comparator::new(Sign::AtMost, version.with_pre(pre)),
            });
        }
    }
}

fn tilde(partial: &Partial<'_>, prereleases: Prereleases, out: &mut Vec<Comparator>) {
    let Some(major) = partial.major else { return };
    let floor = partial.floor();
    let floor = if partial.is_open() { lowest(floor, prereleases) } else { floor.with_pre(partial.pre) };
    out.push(Comparator::new(Sign::AtLeast, floor));
    out.push(match partial.minor {
        None => Comparator::before(major + 1, 0, 0),
        Some(minor) => Comparator::before(major, minor + 1, 0),
    });
}

fn caret(partial: &Partial<'_>, prereleases: Prereleases, out: &mut Vec<Comparator>) {
    let Some(major) = partial.major else { return };
    let floor = partial.floor();
    let floor = if partial.is_open() { lowest(floor, prereleases) } else { floor.with_pre(partial.pre) };
    out.push(Comparator::new(Sign::AtLeast, floor));
    // Up to the first number that is not zero.
    out.push(match (major, partial.minor, partial.patch) {
        (0, Some(0), Some(patch)) => Comparator::before(0, 0, patch + 1),
        (0, Some(minor), _) => Comparator::before(0, minor + 1, 0),
        (major, ..) => Comparator::before(major + 1, 0, 0),
    });
}

fn primitive(operator: &str, partial: &Partial<'_>, prereleases: Prereleases, out: &mut Vec<Comparator>) {
    let floor = partial.floor();
    if !partial.is_open() {
        let sign = match operator {
            "<" => Sign::Less,
            "<=" => Sign::AtMost,
            ">=" => Sign::AtLeast,
            ">" => Sign::Greater,
            _ => Sign::Equal,
        };
        out.push(Comparator::new(sign, floor.with_pre(partial.pre)));
        return;
    }
    let Some(major) = partial.major else {
        // Nothing is above or below all versions; otherwise nothing is forbidden.
        if matches!(operator, "<" | ">") {
            out.push(Comparator::before(0, 0, 0));
        }
        return;
    };
    // The first version behind those that it may mean.
    let next = match partial.minor {
        None => (major + 1, 0, 0),
        Some(minor) => (major, minor + 1, 0),
    };
    let before_next = Comparator::before(next.0, next.1, next.2);
    match operator {
        "<" => out.push(Comparator::new(Sign::Less, floor.with_pre("0"))),
        "<=" => out.push(before_next),
        ">=" => out.push(Comparator::new(Sign::AtLeast, lowest(floor, prereleases))),
        ">" => {
            let next = lowest(Version::new(next.0, next.1, next.2), prereleases);
            out.push(Comparator::new(Sign::AtLeast, next));
        }
        _ => {
            out.push(Comparator::new(Sign::AtLeast, lowest(floor, prereleases)));
            out.push(before_next);
        }
    }
}

impl Range {
    pub(super) fn contains(&self, text: &str) -> Result<bool, &'static str> {
        let partial = Partial::parse(text)?;
        if partial.is_open() {
            return Err("a version to compare with a range has three numbers");
        }
        let version = partial.floor().with_pre(partial.pre);
        Ok(self.any.iter().any(|all| self.holds(all, &version)))
    }

    fn holds(&self, all: &[Comparator], version: &Version) -> bool {
        let named = |comparator: &Comparator| {
            !comparator.version.pre.is_empty() && comparator.version.numbers == version.numbers
        };
        all.iter().all(|comparator| comparator.holds(version))
            && (version.pre.is_empty() || self.prereleases == Prereleases::All || all.iter().any(named))
    }
}
