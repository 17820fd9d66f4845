//! Comparisons as people write them: `">=7.0"`, `">=30d"`, `">=11,<13"`.

use std::cmp::Ordering;
use std::str::FromStr;

use crate::model::{Probability, Score, TimeSpan};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// Comparisons that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison<T>(Vec<(Operator, T)>);

impl<T> Comparison<T> {
    fn parse(text: &str, value: impl Fn(&str) -> Option<T>) -> Option<Self> {
        text.split(',')
            .map(|part| {
                let part = part.trim();
                let (operator, rest) = [
                    (">=", Operator::GreaterOrEqual),
                    ("<=", Operator::LessOrEqual),
                    (">", Operator::Greater),
                    ("<", Operator::Less),
                    ("=", Operator::Equal),
                ]
                .into_iter()
                .find_map(|(sign, operator)| part.strip_prefix(sign).map(|rest| (operator, rest)))
                .unwrap_or((Operator::Equal, part));
                value(rest.trim()).map(|value| (operator, value))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }
}

/// The values from one point up to, and without, another; points are numbers between dots without zeros at their end,
/// so that they compare as their lists do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    from: Vec<u128>,
    /// None: without end.
    to: Option<Vec<u128>>,
}

impl Stretch {
    /// Everything.
    pub const ALL: Self = Self { from: Vec::new(), to: None };

    /// All values up to this one.
    pub fn up_to(last: u64) -> Self {
        Self { from: Vec::new(), to: Some(vec![u128::from(last) + 1]) }
    }

    /// What lies in both; none if nothing does.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let from = self.from.clone().max(other.from.clone());
        let to = match (&self.to, &other.to) {
            (Some(a), Some(b)) => Some(a.min(b).clone()),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        to.as_ref().is_none_or(|to| from < *to).then_some(Self { from, to })
    }

    /// What lies outside.
    pub fn outside(&self) -> Vec<Self> {
        let before = (!self.from.is_empty()).then(|| Self { from: Vec::new(), to: Some(self.from.clone()) });
        let behind = self.to.clone().map(|from| Self { from, to: None });
        before.into_iter().chain(behind).collect()
    }
}

impl<T> Comparison<T> {
    /// Where it holds; none if nowhere.
    fn stretch_by(&self, point: impl Fn(&T) -> Vec<u128>) -> Option<Stretch> {
        let trim = |mut point: Vec<u128>| {
            while point.last() == Some(&0) {
                point.pop();
            }
            point
        };
        self.0.iter().try_fold(Stretch::ALL, |all, (operator, bound)| {
            let from = point(bound);
            let mut next = from.clone();
            next.last_mut().into_iter().for_each(|last| *last += 1);
            let (from, next) = (trim(from), trim(next));
            let this = match operator {
                Operator::Less => Stretch { from: Vec::new(), to: Some(from) },
                Operator::LessOrEqual => Stretch { from: Vec::new(), to: Some(next) },
                Operator::Equal => Stretch { from, to: Some(next) },
                Operator::GreaterOrEqual => Stretch { from, to: None },
                Operator::Greater => Stretch { from: next, to: None },
            };
            all.and(&this)
        })
    }
}

impl<T: Ord> Comparison<T> {
    pub fn holds(&self, value: &T) -> bool {
        self.0.iter().all(|(operator, bound)| operator.holds(value.cmp(bound)))
    }
}

impl Comparison<Score> {
    pub fn stretch(&self) -> Option<Stretch> {
        self.stretch_by(|score| vec![u128::from(score.hundredths())])
    }

    pub fn score(text: &str) -> Option<Self> {
        Self::parse(text, |t| f64::from_str(t).ok().and_then(|n| Score::try_from(n).ok()))
    }
}

impl Comparison<Probability> {
    pub fn stretch(&self) -> Option<Stretch> {
        self.stretch_by(|chance| vec![u128::from(chance.hundred_thousandths())])
    }

    pub fn probability(text: &str) -> Option<Self> {
        Self::parse(text, |t| f64::from_str(t).ok().and_then(|n| Probability::try_from(n).ok()))
    }
}

impl Comparison<TimeSpan> {
    pub fn stretch(&self) -> Option<Stretch> {
        self.stretch_by(|span| vec![u128::from(span.as_seconds())])
    }

    pub fn span(text: &str) -> Option<Self> {
        Self::parse(text, |t| t.parse().ok())
    }
}

/// The version of an operating system: numbers between dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OsVersion(Vec<u64>);

impl OsVersion {
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<_>>>().map(Self)
    }
}

impl Comparison<OsVersion> {
    pub fn stretch(&self) -> Option<Stretch> {
        self.stretch_by(|version| version.0.iter().copied().map(u128::from).collect())
    }

    pub fn os_version(text: &str) -> Option<Self> {
        Self::parse(text, OsVersion::new)
    }

    /// Compares as many numbers as the bound has: `9.3` is `9`, not newer than it.
    pub fn holds_for(&self, version: &OsVersion) -> bool {
        self.0.iter().all(|(operator, bound)| {
            let part = |i: usize| version.0.get(i).copied().unwrap_or(0);
            let order = bound.0.iter().enumerate().map(|(i, b)| part(i).cmp(b)).find(|o| o.is_ne());
            operator.holds(order.unwrap_or(Ordering::Equal))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn versions_of_systems_compare_by_number() {
        let holds = |rule: &str, version: &str| {
            Comparison::os_version(rule).unwrap().holds_for(&OsVersion::new(version).unwrap())
        };
        assert!(holds(">=12", "12") && holds(">=12", "13") && !holds(">=12", "9"));
        assert!(holds("9", "9.3") && !holds(">9", "9.3") && holds(">9", "10") && holds("<=9", "9.3"));
        assert!(holds(">=20.04,<24.04", "22.04") && !holds(">=20.04,<24.04", "24.04") && holds("=22.04", "22.04"));
        for bad in ["", ">=", "twelve", "12.", ">=12,", "=>12"] {
            assert!(Comparison::os_version(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn scores_ages_and_probabilities_compare() {
        let score = |n: f64| Score::try_from(n).unwrap();
        assert!(Comparison::score(">=7.0").unwrap().holds(&score(7.0)));
        assert!(!Comparison::score("> 7").unwrap().holds(&score(7.0)));
        assert!(Comparison::score(">=11").is_none() && Comparison::score("nan").is_none());
        assert!(Comparison::probability(">=0.5").unwrap().holds(&Probability::try_from(0.5).unwrap()));
        assert!(Comparison::span(">=30d").unwrap().holds(&TimeSpan::days(30)));
        assert!(Comparison::span("30").is_none());
    }
}
