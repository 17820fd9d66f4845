//! CVSS v4.0: the score of the macro vector, less the mean way towards the next lower ones. In whole numbers, so that
//! halves are halves.

use super::v4_scores::macro_score;
use super::{Metric, Metrics, VectorScore, base, optional, severity, tenths};

const IMPACT: &[&str] = &["H", "L", "N"];
const MODIFIED_IMPACT: &[&str] = &["X", "H", "L", "N"];
const MODIFIED_SAFETY: &[&str] = &["X", "S", "H", "L", "N"];
const REQUIREMENT: &[&str] = &["X", "H", "M", "L"];

const METRICS: &[Metric] = &[
    base("AV", &["N", "A", "L", "P"]),
    base("AC", &["L", "H"]),
    base("AT", &["N", "P"]),
    base("PR", &["N", "L", "H"]),
    base("UI", &["N", "P", "A"]),
    base("VC", IMPACT),
    base("VI", IMPACT),
    base("VA", IMPACT),
    base("SC", IMPACT),
    base("SI", IMPACT),
    base("SA", IMPACT),
    optional("E", &["X", "A", "P", "U"]),
    optional("CR", REQUIREMENT),
    optional("IR", REQUIREMENT),
    optional("AR", REQUIREMENT),
    optional("MAV", &["X", "N", "A", "L", "P"]),
    optional("MAC", &["X", "L", "H"]),
    optional("MAT", &["X", "N", "P"]),
    optional("MPR", &["X", "N", "L", "H"]),
    optional("MUI", &["X", "N", "P", "A"]),
    optional("MVC", MODIFIED_IMPACT),
    optional("MVI", MODIFIED_IMPACT),
    optional("MVA", MODIFIED_IMPACT),
    optional("MSC", MODIFIED_IMPACT),
    optional("MSI", MODIFIED_SAFETY),
    optional("MSA", MODIFIED_SAFETY),
    // Supplemental: they tell, and score nothing.
    optional("S", &["X", "N", "P"]),
    optional("AU", &["X", "N", "Y"]),
    optional("R", &["X", "A", "U", "I"]),
    optional("V", &["X", "D", "C"]),
    optional("RE", &["X", "L", "M", "H"]),
    optional("U", &["X", "Clear", "Green", "Amber", "Red"]),
];

pub(super) fn score(text: &str) -> Result<VectorScore, String> {
    let metrics = Metrics::parse(text, METRICS)?;
    let base = tenths(Distances::base(&metrics).score());
    let overall = tenths(Distances::whole(&metrics).score());
    Ok(VectorScore {
        version: "4.0",
        base,
        temporal: None,
        environmental: None,
        overall,
        base_severity: severity(base),
        severity: severity(overall),
    })
}

/// The places of the metrics that score.
const NAMES: [&str; COUNT] = ["AV", "PR", "UI", "AC", "AT", "VC", "VI", "VA", "CR", "IR", "AR", "SC", "SI", "SA", "E"];
const COUNT: usize = 15;

/// How many values each scoring metric is away from its worst one, by [`NAMES`].
#[derive(Clone, Copy, Debug)]
struct Distances([i64; COUNT]);

/// From the worst value on. Only modified metrics can be `S` (safety); `SC` keeps pace with the two that can.
fn values(name: &str) -> &'static [&'static str] {
    match name {
        "AV" => &["N", "A", "L", "P"],
        "PR" => &["N", "L", "H"],
        "UI" => &["N", "P", "A"],
        "AC" => &["L", "H"],
        "AT" => &["N", "P"],
        "CR" | "IR" | "AR" => &["H", "M", "L"],
        "SC" | "SI" | "SA" => &["S", "H", "L", "N"],
        "E" => &["A", "P", "U"],
        _ => &["H", "L", "N"],
    }
}

/// The vectors that no other of their macro vector is above, for each of its digits.
const HIGHEST_EQ1: [&[[i64; 3]]; 3] = [&[[0, 0, 0]], &[[1, 0, 0], [0, 1, 0], [0, 0, 1]], &[[3, 0, 0], [1, 1, 1]]];
const HIGHEST_EQ2: [&[[i64; 2]]; 2] = [&[[0, 0]], &[[1, 0], [0, 1]]];
/// The third and the sixth digit go together: 00, 01, 10, 11; then 21, for 20 cannot be.
const HIGHEST_EQ3_EQ6: [&[[i64; 6]]; 5] = [
    &[[0, 0, 0, 0, 0, 0]],
    &[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]],
    &[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
    &[[1, 0, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 1]],
    &[[1, 1, 1, 0, 0, 0]],
];
const HIGHEST_EQ4: [&[[i64; 3]]; 3] = [&[[1, 0, 0]], &[[1, 1, 1]], &[[2, 2, 2]]];

/// How far down each digit goes before the next one begins.
const DEPTH_EQ1: [i64; 3] = [1, 4, 5];
const DEPTH_EQ2: [i64; 2] = [1, 2];
const DEPTH_EQ3_EQ6: [i64; 5] = [7, 6, 8, 8, 10];
const DEPTH_EQ4: [i64; 3] = [6, 5, 4];
/// A multiple of every depth.
const COMMON: i64 = 840;

impl Distances {
    /// Of the base metrics alone: what is not defined counts as the worst.
    fn base(metrics: &Metrics<'_>) -> Self {
        Self::of(|name| match name {
            "CR" | "IR" | "AR" | "E" => "",
            name => metrics.text(name),
        })
    }

    /// Of all metrics: a modified one takes the place of its base.
    fn whole(metrics: &Metrics<'_>) -> Self {
        Self::of(|name| metrics.get(&format!("M{name}")).unwrap_or_else(|| metrics.text(name)))
    }

    fn of<'t>(value: impl Fn(&str) -> &'t str) -> Self {
        let distance = |name: &str| {
            let index = values(name).iter().position(|known| *known == value(name)).unwrap_or(0);
            i64::try_from(index).unwrap_or(0)
        };
        Self(NAMES.map(distance))
    }

    /// The six digits.
    fn macro_vector(&self) -> [usize; 6] {
        let [av, pr, ui, ac, at, vc, vi, va, cr, ir, ar, sc, si, sa, e] = self.0;
        let first = |conditions: &[bool]| conditions.iter().position(|holds| *holds).unwrap_or(conditions.len());
        [
            first(&[av == 0 && pr == 0 && ui == 0, (av == 0 || pr == 0 || ui == 0) && av != 3]),
            first(&[ac == 0 && at == 0]),
            first(&[vc == 0 && vi == 0, vc == 0 || vi == 0 || va == 0]),
            first(&[si == 0 || sa == 0, sc == 1 || si == 1 || sa == 1]),
            first(&[e == 0, e == 1]),
            first(&[(cr == 0 && vc == 0) || (ir == 0 && vi == 0) || (ar == 0 && va == 0)]),
        ]
    }

    /// In tenths.
    fn score(&self) -> i64 {
        let [.., vc, vi, va, _, _, _, sc, si, sa, _] = self.0;
        if [vc, vi, va] == [2; 3] && [sc, si, sa] == [3; 3] {
            return 0;
        }
        let digits = self.macro_vector();
        let Some(score) = macro_score(digits) else { return 0 };
        let next = |steps: &[usize]| {
            let mut lower = digits;
            steps.iter().for_each(|&digit| lower[digit] += 1);
            macro_score(lower)
        };
        let [eq1, eq2, eq3, eq4, _, eq6] = digits;
        let together = (eq3 * 2 + eq6).min(4);
        let next_eq3_eq6 = match (eq3, eq6) {
            (0, 0) => next(&[5]).max(next(&[2])),
            (1, 0) => next(&[5]),
            (0 | 1, 1) => next(&[2]),
            _ => None,
        };
        // For each digit: the score of the next lower one, how far the vector is below the highest, and of how much.
        let ways = [
            (next(&[0]), self.below(0, HIGHEST_EQ1[eq1]), DEPTH_EQ1[eq1]),
            (next(&[1]), self.below(3, HIGHEST_EQ2[eq2]), DEPTH_EQ2[eq2]),
            (next_eq3_eq6, self.below(5, HIGHEST_EQ3_EQ6[together]), DEPTH_EQ3_EQ6[together]),
            (next(&[3]), self.below(11, HIGHEST_EQ4[eq4]), DEPTH_EQ4[eq4]),
            (next(&[4]), 0, 1),
        ];
        let (mut sum, mut count) = (0, 0);
        for (lower, below, depth) in ways {
            if let Some(lower) = lower {
                sum += (score - lower) * below * (COMMON / depth);
                count += 1;
            }
        }
        // Rounded half up.
        let unit = COMMON * count.max(1);
        ((score * unit - sum) * 2 + unit).div_euclid(unit * 2)
    }

    /// The steps below the first of the highest vectors that is not below this one.
    fn below<const N: usize>(&self, from: usize, highest: &[[i64; N]]) -> i64 {
        let own = self.0.iter().skip(from);
        let above = |highest: &&[i64; N]| own.clone().zip(**highest).all(|(own, high)| *own >= high);
        let highest = highest.iter().find(above).or(highest.last());
        highest.map_or(0, |highest| own.zip(highest).map(|(own, high)| own - high).sum())
    }
}
