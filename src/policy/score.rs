//! How urgent a finding is: a weighted score of four factors, in whole numbers.
//!
//! Each factor has 0 to 10 points, the weights are normalised to ten-thousandths that sum to exactly 10,000, and
//! the score never falls when a factor rises.

use jiff::Timestamp;

use crate::model::{Finding, Importance, Priority, Score, ScorePart, Severity, TimeSpan};

/// The factors in the order in which they are shown.
pub(super) const FACTORS: [&str; 4] = ["cvss", "exploitation", "importance", "age"];

/// The whole, in ten-thousandths.
const WHOLE: u64 = 10_000;

/// What a chance of exploitation (EPSS, in hundred-thousandths) is worth, in hundredths of points; straight lines
/// between. Most vulnerabilities lie below 1 %, so that the scale must rise quickly there; only exploitation that is
/// known reaches 10.
const EXPLOITATION: [(u32, u32); 5] = [(0, 0), (1_000, 200), (10_000, 600), (50_000, 850), (100_000, 950)];

/// Section `priority`, as far as it makes scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scoring {
    /// By factor, in ten-thousandths.
    pub weights: [u16; 4],
    /// From this age on, age has 10 points.
    pub age_full_at: TimeSpan,
    /// Points of `important`, `general`, `test`.
    pub important: Score,
    pub general: Score,
    pub test: Score,
    /// From these scores on a priority is critical, high, medium.
    pub critical: Score,
    pub high: Score,
    pub medium: Score,
}

impl Default for Scoring {
    fn default() -> Self {
        Self {
            weights: [6_000, 1_500, 1_500, 1_000],
            age_full_at: TimeSpan::days(90),
            important: Score::from_hundredths(1000),
            general: Score::from_hundredths(500),
            test: Score::from_hundredths(0),
            critical: Score::from_hundredths(800),
            high: Score::from_hundredths(600),
            medium: Score::from_hundredths(350),
        }
    }
}

/// Shares in ten-thousandths that sum to exactly 10,000; none if all weights are zero.
pub(super) fn normalise(weights: [u64; 4]) -> Option<[u16; 4]> {
    let sum: u64 = weights.iter().sum();
    if sum == 0 {
        return None;
    }
    let mut shares = weights.map(|weight| weight * WHOLE / sum);
    // What rounding down left over goes to the largest remainders; the earlier factor wins a tie.
    let mut order = [0, 1, 2, 3];
    order.sort_by_key(|&i| std::cmp::Reverse(weights[i] * WHOLE % sum));
    let left = usize::try_from(WHOLE - shares.iter().sum::<u64>()).unwrap_or(0);
    for &i in order.iter().take(left) {
        shares[i] += 1;
    }
    Some(shares.map(|share| u16::try_from(share).unwrap_or(u16::MAX)))
}

impl Scoring {
    /// The score of a finding with its parts; none with neither score nor severity.
    pub fn score(
        &self,
        finding: &Finding,
        importance: Importance,
        as_of: Timestamp,
    ) -> Option<(Score, Vec<ScorePart>)> {
        let (cvss, cvss_because) = severity_points(finding)?;
        let (exploitation, exploitation_because) = exploitation_points(finding);
        let (age, age_because) = self.age_points(finding, as_of);
        let factors = [
            (cvss, cvss_because),
            (exploitation, exploitation_because),
            (self.importance_points(importance), format!("importance {}", importance.as_str())),
            (age, age_because),
        ];
        let score = self.weigh(std::array::from_fn(|i| factors[i].0));
        let parts = FACTORS
            .iter()
            .zip(self.weights)
            .zip(factors)
            .map(|((factor, weight), (points, because))| ScorePart {
                factor: (*factor).to_owned(),
                points,
                weight,
                because,
            })
            .collect();
        Some((score, parts))
    }

    /// The weighted mean, rounded to hundredths.
    fn weigh(&self, points: [Score; 4]) -> Score {
        let sum: u64 = points
            .iter()
            .zip(self.weights)
            .map(|(points, weight)| u64::from(points.hundredths()) * u64::from(weight))
            .sum();
        Score::from_hundredths(u16::try_from((sum + WHOLE / 2) / WHOLE).unwrap_or(u16::MAX))
    }

    /// The priority of a score.
    pub fn priority(&self, score: Score) -> (Priority, &'static str) {
        if score >= self.critical {
            (Priority::Critical, "priority.thresholds.critical")
        } else if score >= self.high {
            (Priority::High, "priority.thresholds.high")
        } else if score >= self.medium {
            (Priority::Medium, "priority.thresholds.medium")
        } else {
            (Priority::Low, "priority.thresholds")
        }
    }

    /// The least and the highest score that any finding can have on hosts of these importances.
    pub fn range(&self, importances: &[Importance]) -> Option<(Score, Score)> {
        let points = importances.iter().map(|importance| self.importance_points(*importance));
        let none = Score::default();
        Some((
            self.weigh([none, none, points.clone().min()?, none]),
            self.weigh([Score::MAX, Score::MAX, points.max()?, Score::MAX]),
        ))
    }

    const fn importance_points(&self, importance: Importance) -> Score {
        match importance {
            Importance::Important => self.important,
            Importance::General => self.general,
            Importance::Test => self.test,
        }
    }

    fn age_points(&self, finding: &Finding, as_of: Timestamp) -> (Score, String) {
        let (since, what) = match (finding.published, finding.first_seen) {
            (Some(published), _) => (published, "published"),
            // It cannot be younger than its first report.
            (None, Some(seen)) => (seen, "first seen"),
            (None, None) => return (Score::default(), "age unknown".to_owned()),
        };
        let age = TimeSpan::between(since, as_of);
        let full = self.age_full_at.as_seconds().max(1);
        let points = (age.as_seconds().min(full) * 1000) / full;
        (
            Score::from_hundredths(u16::try_from(points).unwrap_or(1000)),
            format!("{what} {} days ago", age.as_seconds() / 86_400),
        )
    }
}

fn severity_points(finding: &Finding) -> Option<(Score, String)> {
    if let Some(cvss) = finding.base_score() {
        return Some((cvss.score, format!("CVSS {} {} by {}", cvss.version, cvss.score, cvss.source)));
    }
    let (points, name) = match finding.severity? {
        Severity::Critical => (950, "critical"),
        Severity::High => (800, "high"),
        Severity::Medium => (550, "medium"),
        Severity::Low => (300, "low"),
        Severity::Negligible => (100, "negligible"),
    };
    Some((Score::from_hundredths(points), format!("severity {name}, no CVSS score")))
}

fn exploitation_points(finding: &Finding) -> (Score, String) {
    if finding.kev {
        return (Score::MAX, "known to be exploited".to_owned());
    }
    let Some(epss) = finding.epss else {
        return (Score::default(), "nothing known of exploitation".to_owned());
    };
    let chance = epss.hundred_thousandths();
    let points = EXPLOITATION.windows(2).find(|pair| chance <= pair[1].0).map_or(EXPLOITATION[4].1, |pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        y0 + (chance - x0) * (y1 - y0) / (x1 - x0)
    });
    let score = Score::from_hundredths(u16::try_from(points).unwrap_or(1000));
    (score, format!("EPSS {}.{:03} %", chance / 1000, chance % 1000))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::{
        AssetName, Cvss, FindingId, FixState, PackageName, Probability, VulnerabilityId, VulnerabilityType,
    };
    use proptest::prelude::*;

    fn finding() -> Finding {
        Finding {
            id: FindingId::new("f").unwrap(),
            asset: AssetName::new("a").unwrap(),
            vulnerability: VulnerabilityId::new("CVE-2026-1").unwrap(),
            aliases: Default::default(),
            kind: VulnerabilityType::Linux,
            ecosystem: "deb".into(),
            package: Some(PackageName::new("openssl").unwrap()),
            location: None,
            installed: None,
            fixed: vec![],
            fix_state: FixState::Fixed,
            severity: None,
            cvss: vec![],
            epss: None,
            kev: false,
            published: None,
            first_seen: None,
            title: None,
            references: vec![],
            claims: vec![],
            scanner: "test".into(),
        }
    }

    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    #[derive(Clone, Debug)]
    struct Factors(u16, u32, bool, Importance, i64);

    fn score_of(scoring: &Scoring, Factors(cvss, epss, kev, importance, age): &Factors) -> Score {
        let mut finding = finding();
        finding.cvss = vec![Cvss {
            source: "nvd".into(),
            version: "3.1".into(),
            score: Score::from_hundredths(*cvss),
            vector: None,
        }];
        finding.epss = Some(Probability::try_from(f64::from(*epss) / 100_000.0).unwrap());
        finding.kev = *kev;
        finding.published = Some(Timestamp::from_second(NOW - age).unwrap());
        scoring.score(&finding, *importance, now()).unwrap().0
    }

    fn importance() -> impl Strategy<Value = Importance> {
        prop_oneof![Just(Importance::Test), Just(Importance::General), Just(Importance::Important)]
    }

    prop_compose! {
        fn factors()(c in 0u16..=1000, e in 0u32..=100_000, k: bool, i in importance(), a in 0i64..20_000_000) -> Factors {
            Factors(c, e, k, i, a)
        }
    }

    prop_compose! {
        fn scoring()(w in prop::array::uniform4(0u64..1_000_000), age in 1u64..400, mut p in prop::array::uniform3(0u16..=1000)) -> Scoring {
            p.sort_unstable();
            Scoring {
                weights: normalise(w).unwrap_or([10_000, 0, 0, 0]),
                age_full_at: TimeSpan::days(age),
                test: Score::from_hundredths(p[0]),
                general: Score::from_hundredths(p[1]),
                important: Score::from_hundredths(p[2]),
                ..Scoring::default()
            }
        }
    }

    proptest! {
        #[test]
        fn weights_sum_to_the_whole(weights in prop::array::uniform4(0u64..1_000_000_000)) {
            match normalise(weights) {
                None => prop_assert_eq!(weights, [0; 4]),
                Some(shares) => {
                    prop_assert_eq!(shares.iter().map(|&s| u64::from(s)).sum::<u64>(), WHOLE);
                    let sum: u64 = weights.iter().sum();
                    for (share, weight) in shares.iter().zip(weights) {
                        prop_assert!((u64::from(*share)).abs_diff(weight * WHOLE / sum) <= 1);
                    }
                }
            }
        }

        #[test]
        fn no_factor_that_rises_lowers_the_score(scoring in scoring(), low in factors(), high in factors()) {
            // Between the two, each factor alone rises; so does the score.
            let top = Factors(low.0.max(high.0), low.1.max(high.1), low.2 | high.2, low.3.max(high.3), low.4.max(high.4));
            let base = score_of(&scoring, &low);
            for raised in [
                Factors { 0: top.0, ..low.clone() }, Factors { 1: top.1, ..low.clone() }, Factors { 2: top.2, ..low.clone() },
                Factors { 3: top.3, ..low.clone() }, Factors { 4: top.4, ..low.clone() }, top.clone(),
            ] {
                prop_assert!(score_of(&scoring, &raised) >= base, "{low:?} {raised:?}");
            }
            prop_assert!(base <= Score::MAX);
        }
    }

    #[test]
    fn the_worst_is_ten_and_the_parts_say_where_points_come_from() {
        let worst = Factors(1000, 0, true, Importance::Important, 100 * 86_400);
        assert_eq!(score_of(&Scoring::default(), &worst), Score::MAX);
        let mut finding = finding();
        finding.severity = Some(Severity::High);
        let (score, parts) = Scoring::default().score(&finding, Importance::General, now()).unwrap();
        // 8.0 * 0.60 + 0 + 5.0 * 0.15 + 0
        assert_eq!(score.hundredths(), 555);
        assert_eq!(parts[0].because, "severity high, no CVSS score");
        assert_eq!(parts.iter().map(|p| p.weight).sum::<u16>(), 10_000);
        assert!(Scoring::default().score(&self::finding(), Importance::General, now()).is_none());
    }
}
