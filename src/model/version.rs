//! Version order by the ecosystem's own rules.

use std::cmp::Ordering;

/// Whose rules order the versions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum VersionScheme {
    /// Debian and Ubuntu (dpkg).
    Deb,
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
    /// Every scheme, by the name used in files and by `debug version-order`.
    pub const ALL: [(&'static str, Self); 1] = [("deb", Self::Deb)];

    /// The scheme of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|&(_, scheme)| scheme)
    }

    /// Orders two versions.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, InvalidVersion> {
        match self {
            Self::Deb => deb::compare(a, b),
        }
    }

    /// Whether this is a version: `Ok` with what is unusual about one that the ecosystem's own tools would warn of.
    pub fn validate(self, text: &str) -> Result<Option<&'static str>, InvalidVersion> {
        match self {
            Self::Deb => deb::validate(text),
        }
    }
}

mod deb;
