//! Version order by the ecosystem's own rules.

use std::cmp::Ordering;

use super::printable;

/// Longer texts are no versions: the longest of a real package is a tenth of it, and some orders nest by length.
const MAX_VERSION: usize = 256;

/// Whose rules order the versions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum VersionScheme {
    /// Arch Linux (pacman).
    Alpm,
    /// Alpine (apk-tools 3).
    Apk,
    /// Debian and Ubuntu (dpkg).
    Deb,
    /// Maven 4 (Java).
    Maven,
    /// NuGet (.NET).
    Nuget,
    /// Composer (PHP).
    Packagist,
    /// PEP 440 (Python).
    Pep440,
    /// rpm 4 (Red Hat, SUSE, Amazon, ...).
    Rpm,
    /// RubyGems, and CocoaPods, which took it over.
    Rubygems,
    /// Semantic Versioning 2.0 as npm, Go, Cargo and others write it: a leading `v` says nothing.
    Semver,
}

/// A text that is not a version of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a {scheme} version: {rule}")]
pub struct InvalidVersion {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The text, made printable.
    pub shown: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl VersionScheme {
    /// Every name used in files, by findings (package URL types) and by `debug version-order`; sorted.
    pub const ALL: [(&'static str, Self); 22] = [
        ("alpm", Self::Alpm),
        ("apk", Self::Apk),
        ("cargo", Self::Semver),
        ("cocoapods", Self::Rubygems),
        ("composer", Self::Packagist),
        ("deb", Self::Deb),
        ("gem", Self::Rubygems),
        ("golang", Self::Semver),
        ("hex", Self::Semver),
        ("julia", Self::Semver),
        ("k8s", Self::Semver),
        ("maven", Self::Maven),
        ("npm", Self::Semver),
        ("nuget", Self::Nuget),
        ("packagist", Self::Packagist),
        ("pep440", Self::Pep440),
        ("pub", Self::Semver),
        ("pypi", Self::Pep440),
        ("rpm", Self::Rpm),
        ("rubygems", Self::Rubygems),
        ("semver", Self::Semver),
        ("swift", Self::Semver),
    ];

    /// The scheme of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|&(_, scheme)| scheme)
    }

    /// The scheme's own name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alpm => "alpm",
            Self::Apk => "apk",
            Self::Deb => "deb",
            Self::Maven => "maven",
            Self::Nuget => "nuget",
            Self::Packagist => "packagist",
            Self::Pep440 => "pep440",
            Self::Rpm => "rpm",
            Self::Rubygems => "rubygems",
            Self::Semver => "semver",
        }
    }

    /// Orders two versions.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        self.check_length(a)?;
        self.check_length(b)?;
        match self {
            Self::Alpm => self.order(a, b, alpm::parse),
            Self::Apk => self.order(a, b, apk::parse),
            Self::Deb => deb::compare(a, b),
            Self::Maven => self.order(a, b, maven::parse),
            Self::Nuget => self.order(&a.to_ascii_lowercase(), &b.to_ascii_lowercase(), semver::parse),
            Self::Packagist => self.order(a, b, packagist::parse),
            Self::Pep440 => self.order(a, b, pep440::parse),
            Self::Rpm => self.order(a, b, rpm::parse),
            Self::Rubygems => self.order(a, b, rubygems::parse),
            Self::Semver => self.order(a, b, semver::parse),
        }
    }

    /// Whether this is a version: `Ok` with what is unusual about one that the ecosystem's own tools would warn of.
    pub fn validate(self, text: &str) -> Result<Option<&'static str>, InvalidVersion> {
        self.check_length(text)?;
        let warning = match self {
            Self::Alpm => alpm::parse(text).map(|_| None),
            Self::Apk => apk::parse(text).and_then(|version| version.check().map(|()| None)),
            Self::Deb => return deb::validate(text),
            Self::Maven => maven::parse(text).map(|_| None),
            Self::Nuget => semver::parse(text).map(|_| semver::warning(text, 4)),
            Self::Packagist => packagist::parse(text).map(|_| packagist::warning(text)),
            Self::Pep440 => pep440::parse(text).map(|_| None),
            Self::Rpm => rpm::parse(text).map(|_| rpm::warning(text)),
            Self::Rubygems => rubygems::parse(text).map(|_| None),
            Self::Semver => semver::parse(text).map(|_| semver::warning(text, 3)),
        };
        warning.map_err(|rule| self.invalid(text, rule))
    }

    fn order<'t, V: Ord>(
        self,
        a: &'t str,
        b: &'t str,
        parse: impl Fn(&'t str) -> Result<V, &'static str>,
    ) -> Result<Ordering, InvalidVersion> {
        let parse = |text| parse(text).map_err(|rule| self.invalid(text, rule));
        Ok(parse(a)?.cmp(&parse(b)?))
    }

    fn check_length(self, text: &str) -> Result<(), InvalidVersion> {
        if text.len() <= MAX_VERSION { Ok(()) } else { Err(self.invalid(text, "it is longer than 256 bytes")) }
    }

    fn invalid(self, text: &str, rule: &'static str) -> InvalidVersion {
        InvalidVersion { scheme: self.name(), shown: printable(text, 80), rule }
    }
}

mod alpm;
mod apk;
mod deb;
mod evr;
mod maven;
mod number;
mod packagist;
mod pep440;
mod range;
mod rpm;
mod rubygems;
mod semver;
#[cfg(test)]
mod tests;

pub use range::{InvalidRange, Prereleases, VersionRange};
