//! Version ranges: npm's grammar for semver, specifiers for PEP 440, and comparisons for every other scheme.

use std::cmp::Ordering;

use super::{InvalidVersion, VersionScheme, apk};
use crate::model::printable;

/// Longer texts are no ranges: the longest of real advisories name some dozens of branches.
const MAX_RANGE: usize = 512;

/// A set of versions of one scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    scheme: VersionScheme,
    set: Set,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Set {
    Npm(npm::Range),
    Pep440(Vec<pep440::Specifier>),
    /// A version is in where it meets all comparisons of any of the lists.
    Plain(Vec<Vec<Comparison>>),
}

/// Which pre-releases npm's ranges contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prereleases {
    /// Those of releases that the range names together with a pre-release, as npm installs them.
    Named,
    /// All that lie in between, as one asks whether a version is affected.
    All,
}

/// A text that is not a range of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a range of {scheme} versions: {rule}")]
pub struct InvalidRange {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The text, made printable.
    pub shown: String,
    /// The rule it breaks.
    pub rule: String,
}

impl VersionRange {
    /// Reads a range; pre-releases as npm installs them.
    pub fn parse(scheme: VersionScheme, text: &str) -> Result<Self, InvalidRange> {
        Self::parse_with(scheme, text, Prereleases::Named)
    }

    /// Reads a range.
    pub fn parse_with(scheme: VersionScheme, text: &str, prereleases: Prereleases) -> Result<Self, InvalidRange> {
        let set = if text.len() > MAX_RANGE {
            Err("it is longer than 512 bytes".to_owned())
        } else {
            match scheme {
                VersionScheme::Semver => npm::parse(text, prereleases).map(Set::Npm).map_err(str::to_owned),
                VersionScheme::Pep440 => pep440::parse(text).map(Set::Pep440).map_err(str::to_owned),
                _ => plain(scheme, text).map(Set::Plain),
            }
        };
        set.map(|set| Self { scheme, set }).map_err(|rule| InvalidRange {
            scheme: scheme.name(),
            shown: printable(text, 80),
            rule,
        })
    }

    /// Whether a version lies in the range.
    pub fn contains(&self, version: &str) -> Result<bool, InvalidVersion> {
        self.scheme.check_length(version)?;
        let invalid = |rule| self.scheme.invalid(version, rule);
        match &self.set {
            Set::Npm(range) => range.contains(version).map_err(invalid),
            Set::Pep440(specifiers) => pep440::contains(specifiers, version).map_err(invalid),
            Set::Plain(any) => {
                for all in any {
                    if meets_all(self.scheme, all, version)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// One comparison, such as `>= 1.2-3`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    negated: bool,
    orders: Vec<Ordering>,
    /// apk's `~`: what begins like the version counts as equal.
    fuzzy: bool,
    version: String,
}

/// Comparisons with commas or spaces between; `||` separates alternatives.
fn plain(scheme: VersionScheme, text: &str) -> Result<Vec<Vec<Comparison>>, String> {
    text.split("||").map(|all| comparisons(scheme, all)).collect()
}

fn comparisons(scheme: VersionScheme, text: &str) -> Result<Vec<Comparison>, String> {
    let separator = |c: char| c == ',' || c.is_ascii_whitespace();
    let mut comparisons = Vec::new();
    let mut rest = text.trim_matches(separator);
    while !rest.is_empty() {
        let mut comparison = Comparison { negated: false, orders: Vec::new(), fuzzy: false, version: String::new() };
        let behind = rest.strip_prefix('!');
        comparison.negated = behind.is_some();
        let mut behind = behind.unwrap_or(rest);
        while let Some(sign) = behind.chars().next() {
            match sign {
                '<' => comparison.orders.push(Ordering::Less),
                '=' => comparison.orders.push(Ordering::Equal),
                '>' => comparison.orders.push(Ordering::Greater),
                '~' if scheme == VersionScheme::Apk => {
                    comparison.orders.push(Ordering::Equal);
                    comparison.fuzzy = true;
                }
                _ => break,
            }
            behind = &behind[1..];
        }
        comparison.orders.sort_unstable();
        comparison.orders.dedup();
        if comparison.orders.is_empty() {
            comparison.orders.push(Ordering::Equal);
        }
        behind = behind.trim_ascii_start();
        let (version, after) = behind.split_at(behind.find(separator).unwrap_or(behind.len()));
        scheme.validate(version).map_err(|error| error.to_string())?;
        version.clone_into(&mut comparison.version);
        comparisons.push(comparison);
        rest = after.trim_start_matches(separator);
    }
    if comparisons.is_empty() { Err("it has no comparison".to_owned()) } else { Ok(comparisons) }
}

fn meets_all(scheme: VersionScheme, all: &[Comparison], version: &str) -> Result<bool, InvalidVersion> {
    for comparison in all {
        let mut order = scheme.compare(version, &comparison.version)?;
        if let (true, Ok(a), Ok(b)) = (comparison.fuzzy, apk::parse(version), apk::parse(&comparison.version))
            && a.starts_with(&b)
        {
            order = Ordering::Equal;
        }
        if comparison.orders.contains(&order) == comparison.negated {
            return Ok(false);
        }
    }
    Ok(true)
}

mod npm;
mod pep440;
