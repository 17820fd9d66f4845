//! Scores, severities and priorities, in fixed point so that they compare and print the same everywhere.

use std::fmt;

/// A score from 0.00 to 10.00 in hundredths (CVSS, weighted priority score and its factors).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(try_from = "f64", into = "f64")]
pub struct Score(u16);

impl Score {
    /// The highest score.
    pub const MAX: Self = Self(1000);

    /// From hundredths, at most 10.00.
    pub const fn from_hundredths(hundredths: u16) -> Self {
        Self(if hundredths > 1000 { 1000 } else { hundredths })
    }

    /// In hundredths.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

/// A number that is not a score.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a score from 0 to 10")]
pub struct InvalidScore(f64);

impl TryFrom<f64> for Score {
    type Error = InvalidScore;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.0..=10.0 was checked")]
    fn try_from(value: f64) -> Result<Self, InvalidScore> {
        if (0.0..=10.0).contains(&value) { Ok(Self((value * 100.0).round() as u16)) } else { Err(InvalidScore(value)) }
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> f64 {
        f64::from(score.0) / 100.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{}.{}", self.0 / 100, self.0 / 10 % 10)
        } else {
            write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
        }
    }
}

/// A probability from 0 to 1 in hundred-thousandths (EPSS).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(u32);

impl Probability {
    /// In hundred-thousandths.
    pub const fn hundred_thousandths(self) -> u32 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = &'static str;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.0..=1.0 was checked")]
    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self((value * 100_000.0).round() as u32))
        } else {
            Err("a probability lies between 0 and 1")
        }
    }
}

impl From<Probability> for f64 {
    fn from(p: Probability) -> f64 {
        f64::from(p.0) / 100_000.0
    }
}

/// What the scanner or the distribution called the severity.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

/// Urgency of a fix; the greatest is the most urgent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Priority {
    Low,
    Medium,
    High,
    Critical,
}

impl Priority {
    /// All, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A CVSS score as one source gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Cvss {
    /// Who scored (`nvd`, `redhat`, ...).
    pub source: String,
    /// `2.0`, `3.0`, `3.1`, `4.0`.
    pub version: String,
    /// The base score.
    pub score: Score,
    /// The vector, where the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
}
