//! CVSS v3.0 and v3.1.

use super::{Metric, Metrics, VectorScore, base, optional, severity, tenths};

/// Which minor version: they differ in what changes the scope of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Minor {
    Zero,
    One,
}

const IMPACT: &[&str] = &["N", "L", "H"];
const MODIFIED_IMPACT: &[&str] = &["X", "N", "L", "H"];
const REQUIREMENT: &[&str] = &["X", "L", "M", "H"];

const METRICS: &[Metric] = &[
    base("AV", &["N", "A", "L", "P"]),
    base("AC", &["L", "H"]),
    base("PR", &["N", "L", "H"]),
    base("UI", &["N", "R"]),
    base("S", &["U", "C"]),
    base("C", IMPACT),
    base("I", IMPACT),
    base("A", IMPACT),
    optional("E", &["X", "U", "P", "F", "H"]),
    optional("RL", &["X", "O", "T", "W", "U"]),
    optional("RC", &["X", "U", "R", "C"]),
    optional("CR", REQUIREMENT),
    optional("IR", REQUIREMENT),
    optional("AR", REQUIREMENT),
    optional("MAV", &["X", "N", "A", "L", "P"]),
    optional("MAC", &["X", "L", "H"]),
    optional("MPR", &["X", "N", "L", "H"]),
    optional("MUI", &["X", "N", "R"]),
    optional("MS", &["X", "U", "C"]),
    optional("MC", MODIFIED_IMPACT),
    optional("MI", MODIFIED_IMPACT),
    optional("MA", MODIFIED_IMPACT),
];
const ENVIRONMENTAL: [&str; 11] = ["CR", "IR", "AR", "MAV", "MAC", "MPR", "MUI", "MS", "MC", "MI", "MA"];

pub(super) fn score(text: &str, minor: Minor) -> Result<VectorScore, String> {
    let metrics = Metrics::parse(text, METRICS)?;
    let base = base_score(&metrics);
    let temporal = round_up(as_score(base) * temporal_factor(&metrics));
    let environmental = environmental_score(&metrics, minor);
    let overall = if metrics.any(&ENVIRONMENTAL) { environmental } else { temporal };
    Ok(VectorScore {
        version: match minor {
            Minor::Zero => "3.0",
            Minor::One => "3.1",
        },
        base: tenths(base),
        temporal: Some(tenths(temporal)),
        environmental: Some(tenths(environmental)),
        overall: tenths(overall),
        base_severity: severity(tenths(base)),
        severity: severity(tenths(overall)),
    })
}

fn base_score(metrics: &Metrics<'_>) -> i64 {
    let changed = metrics.text("S") == "C";
    let left = |name| 1.0 - impact_weight(metrics.text(name));
    let sub_score = 1.0 - left("C") * left("I") * left("A");
    let impact =
        if changed { 7.52 * (sub_score - 0.029) - 3.25 * (sub_score - 0.02).powi(15) } else { 6.42 * sub_score };
    round_up(whole(impact, exploitability(|name| metrics.text(name), changed), changed))
}

fn environmental_score(metrics: &Metrics<'_>, minor: Minor) -> i64 {
    let modified = |name: &str| {
        let (modified, _) = MODIFIED.iter().find(|(_, base)| *base == name).copied().unwrap_or_default();
        metrics.get(modified).unwrap_or_else(|| metrics.text(name))
    };
    let changed = modified("S") == "C";
    let left = |name, requirement| 1.0 - impact_weight(modified(name)) * requirement_weight(metrics.text(requirement));
    let sub_score = (1.0 - left("C", "CR") * left("I", "IR") * left("A", "AR")).min(0.915);
    let impact = match (changed, minor) {
        (false, _) => 6.42 * sub_score,
        (true, Minor::Zero) => 7.52 * (sub_score - 0.029) - 3.25 * (sub_score - 0.02).powi(15),
        (true, Minor::One) => 7.52 * (sub_score - 0.029) - 3.25 * (sub_score * 0.9731 - 0.02).powi(13),
    };
    let score = round_up(whole(impact, exploitability(modified, changed), changed));
    round_up(as_score(score) * temporal_factor(metrics))
}

/// A modified metric and that which it takes the place of.
const MODIFIED: [(&str, &str); 8] =
    [("MAV", "AV"), ("MAC", "AC"), ("MPR", "PR"), ("MUI", "UI"), ("MS", "S"), ("MC", "C"), ("MI", "I"), ("MA", "A")];

fn whole(impact: f64, exploitability: f64, changed: bool) -> f64 {
    if impact <= 0.0 {
        return 0.0;
    }
    let factor = if changed { 1.08 } else { 1.0 };
    (factor * (impact + exploitability)).min(10.0)
}

fn as_score(tenths: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 100")]
    let score = tenths as f64 / 10.0;
    score
}

/// To the next tenth, by the whole numbers of v3.1 that keep the noise of floating point out; in tenths.
#[expect(clippy::cast_possible_truncation, reason = "at most 10^6")]
fn round_up(value: f64) -> i64 {
    let whole = (value * 100_000.0).round() as i64;
    (whole + 9_999).div_euclid(10_000)
}

fn exploitability<'t>(value: impl Fn(&str) -> &'t str, changed: bool) -> f64 {
    let vector = match value("AV") {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        _ => 0.2,
    };
    let complexity = if value("AC") == "L" { 0.77 } else { 0.44 };
    let privileges = match (value("PR"), changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        (_, false) => 0.27,
        (_, true) => 0.5,
    };
    let interaction = if value("UI") == "N" { 0.85 } else { 0.62 };
    8.22 * vector * complexity * privileges * interaction
}

fn impact_weight(value: &str) -> f64 {
    match value {
        "H" => 0.56,
        "L" => 0.22,
        _ => 0.0,
    }
}

fn requirement_weight(value: &str) -> f64 {
    match value {
        "H" => 1.5,
        "L" => 0.5,
        _ => 1.0,
    }
}

fn temporal_factor(metrics: &Metrics<'_>) -> f64 {
    let exploit = match metrics.text("E") {
        "U" => 0.91,
        "P" => 0.94,
        "F" => 0.97,
        _ => 1.0,
    };
    let remediation = match metrics.text("RL") {
        "O" => 0.95,
        "T" => 0.96,
        "W" => 0.97,
        _ => 1.0,
    };
    let confidence = match metrics.text("RC") {
        "U" => 0.92,
        "R" => 0.96,
        _ => 1.0,
    };
    exploit * remediation * confidence
}
