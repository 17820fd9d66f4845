//! CVSS v2: its decimals are few, so that whole numbers hold every intermediate value exactly.

use super::{Metric, Metrics, VectorScore, base, optional, tenths};
use crate::model::{Score, Severity};

const REQUIREMENT: &[&str] = &["L", "M", "H", "ND"];

const METRICS: &[Metric] = &[
    base("AV", &["L", "A", "N"]),
    base("AC", &["H", "M", "L"]),
    base("Au", &["M", "S", "N"]),
    base("C", &["N", "P", "C"]),
    base("I", &["N", "P", "C"]),
    base("A", &["N", "P", "C"]),
    optional("E", &["U", "POC", "F", "H", "ND"]),
    optional("RL", &["OF", "TF", "W", "U", "ND"]),
    optional("RC", &["UC", "UR", "C", "ND"]),
    optional("CDP", &["N", "L", "LM", "MH", "H", "ND"]),
    optional("TD", &["N", "L", "M", "H", "ND"]),
    optional("CR", REQUIREMENT),
    optional("IR", REQUIREMENT),
    optional("AR", REQUIREMENT),
];

/// Thousandths.
const ONE: i128 = 1000;
const E21: i128 = 10_i128.pow(21);
/// Ten, as [`impact`] counts.
const MAX_IMPACT: i128 = E21;

pub(super) fn score(text: &str) -> Result<VectorScore, String> {
    let metrics = Metrics::parse(text, METRICS)?;
    let base = base_tenths(&metrics, impact(&metrics, |_| ONE));
    let temporal = metrics.any(&["E", "RL", "RC"]).then(|| temporal_tenths(&metrics, base));
    let environmental = metrics.any(&["CDP", "TD", "CR", "IR", "AR"]).then(|| {
        let adjusted = impact(&metrics, |requirement| weight(&metrics, requirement)).min(MAX_IMPACT);
        let adjusted = temporal_tenths(&metrics, base_tenths(&metrics, adjusted));
        // In tenths times 10^3 and then 10^6.
        let damaged = adjusted * ONE + (100 - adjusted) * weight(&metrics, "CDP");
        rounded(damaged * weight(&metrics, "TD"), ONE * ONE)
    });
    let overall = environmental.or(temporal).unwrap_or(base);
    Ok(VectorScore {
        version: "2.0",
        base: score_of(base),
        temporal: temporal.map(score_of),
        environmental: environmental.map(score_of),
        overall: score_of(overall),
        base_severity: severity(score_of(base)),
        severity: severity(score_of(overall)),
    })
}

fn score_of(value: i128) -> Score {
    tenths(i64::try_from(value).unwrap_or(0))
}

/// v2 has no words of its own; these are the NVD's, where 0.0 is low too.
fn severity(score: Score) -> Option<Severity> {
    Some(match score.hundredths() {
        ..=399 => Severity::Low,
        400..=699 => Severity::Medium,
        _ => Severity::High,
    })
}

/// Half away from zero.
fn rounded(value: i128, unit: i128) -> i128 {
    (value.abs() * 2 + unit) / (unit * 2) * value.signum()
}

/// 10^20 times the impact: `10.41 * (1 - (1-C)(1-I)(1-A))`.
fn impact(metrics: &Metrics<'_>, requirement: impl Fn(&str) -> i128) -> i128 {
    let left = |name, of| ONE * ONE - weight(metrics, name) * requirement(of);
    let all = (ONE * ONE).pow(3);
    1041 * (all - left("C", "CR") * left("I", "IR") * left("A", "AR"))
}

fn base_tenths(metrics: &Metrics<'_>, impact: i128) -> i128 {
    // 10^9 times a twentieth of the exploitability.
    let exploitability = weight(metrics, "AV") * weight(metrics, "AC") * weight(metrics, "Au");
    if impact == 0 {
        return 0;
    }
    // 0.6 * impact + 0.4 * exploitability - 1.5, times 10^21; then times 1.176.
    let sum = 6 * impact + 8 * exploitability * (E21 / ONE.pow(3)) - 15 * E21 / 10;
    rounded(sum * 1176, E21 * ONE / 10)
}

fn temporal_tenths(metrics: &Metrics<'_>, base: i128) -> i128 {
    rounded(base * weight(metrics, "E") * weight(metrics, "RL") * weight(metrics, "RC"), ONE.pow(3))
}

/// In thousandths.
fn weight(metrics: &Metrics<'_>, name: &str) -> i128 {
    match (name, metrics.text(name)) {
        ("AV", "L") => 395,
        ("AV", "A") => 646,
        ("AC", "H") => 350,
        ("AC", "M") => 610,
        ("AC", _) => 710,
        ("Au", "M") => 450,
        ("Au", "S") => 560,
        ("Au", _) => 704,
        ("C" | "I" | "A", "N") => 0,
        ("C" | "I" | "A", "P") => 275,
        ("C" | "I" | "A", _) => 660,
        ("E", "U") => 850,
        ("E", "POC") => 900,
        ("E", "F") => 950,
        ("RL", "OF") => 870,
        ("RL", "TF") => 900,
        ("RL", "W") => 950,
        ("RC", "UC") => 900,
        ("RC", "UR") => 950,
        ("CDP", "L") => 100,
        ("CDP", "LM") => 300,
        ("CDP", "MH") => 400,
        ("CDP", "H") => 500,
        ("CDP", _) | ("TD", "N") => 0,
        ("TD", "L") => 250,
        ("TD", "M") => 750,
        ("CR" | "IR" | "AR", "L") => 500,
        ("CR" | "IR" | "AR", "H") => 1510,
        _ => ONE,
    }
}
