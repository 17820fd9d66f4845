//! CVSS v2, v3 and v4: the scores of a vector, by the specifications of FIRST.

use std::collections::BTreeMap;

use super::{Score, Severity, printable};

/// Longer texts are no vectors: one with every metric of v4 is half of it.
const MAX_VECTOR: usize = 512;

/// What a vector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorScore {
    /// `2.0`, `3.0`, `3.1` or `4.0`.
    pub version: &'static str,
    /// Of the base metrics alone.
    pub base: Score,
    /// With the temporal metrics; none where v2 defines none of them, and in v4, which has one score only.
    pub temporal: Option<Score>,
    /// With the environmental metrics; none as above.
    pub environmental: Option<Score>,
    /// Of the whole vector.
    pub overall: Score,
    /// The base score in words; none for 0.0, which v3 and v4 call `None`.
    pub base_severity: Option<Severity>,
    /// The overall score in words.
    pub severity: Option<Severity>,
}

/// A text that is no vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a CVSS vector: {rule}")]
pub struct InvalidVector {
    /// The text, made printable.
    pub shown: String,
    /// The rule it breaks.
    pub rule: String,
}

/// The scores of a vector: `CVSS:3.1/AV:N/...`, `CVSS:4.0/AV:N/...`, and v2 bare, in parentheses or with a prefix.
pub fn score_vector(text: &str) -> Result<VectorScore, InvalidVector> {
    let scored = if text.len() > MAX_VECTOR {
        Err("it is longer than 512 bytes".to_owned())
    } else {
        let text = text.trim_ascii();
        if let Some(metrics) = text.strip_prefix("CVSS:4.0/") {
            v4::score(metrics)
        } else if let Some(metrics) = text.strip_prefix("CVSS:3.1/") {
            v3::score(metrics, v3::Minor::One)
        } else if let Some(metrics) = text.strip_prefix("CVSS:3.0/") {
            v3::score(metrics, v3::Minor::Zero)
        } else {
            v2::score(v2_metrics(text))
        }
    };
    scored.map_err(|rule| InvalidVector { shown: printable(text, 80), rule })
}

/// Scanners write `(AV:N/...)`, `CVSS2#AV:N/...` and `CVSS:2.0/AV:N/...`.
fn v2_metrics(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    ["CVSS2#", "CVSS:2.0/"].iter().find_map(|prefix| inner.strip_prefix(prefix)).unwrap_or(inner)
}

/// A metric of a generation.
struct Metric {
    name: &'static str,
    values: &'static [&'static str],
    /// Whether every vector must have it.
    base: bool,
}

const fn base(name: &'static str, values: &'static [&'static str]) -> Metric {
    Metric { name, values, base: true }
}

const fn optional(name: &'static str, values: &'static [&'static str]) -> Metric {
    Metric { name, values, base: false }
}

/// The metrics of a vector: known ones with known values, each once, those of the base all there.
#[derive(Debug)]
struct Metrics<'t>(BTreeMap<&'static str, &'t str>);

impl<'t> Metrics<'t> {
    fn parse(text: &'t str, known: &'static [Metric]) -> Result<Self, String> {
        let mut metrics = BTreeMap::new();
        for part in text.split('/') {
            let shown = || printable(part, 20);
            let (name, value) = part.split_once(':').ok_or_else(|| format!("{:?} is no METRIC:VALUE", shown()))?;
            let metric = known.iter().find(|metric| metric.name == name);
            let metric =
                metric.ok_or_else(|| format!("there is no metric {:?} in this version", printable(name, 20)))?;
            if !metric.values.contains(&value) {
                return Err(format!("{:?} is not one of {}", shown(), metric.values.join(", ")));
            }
            if metrics.insert(metric.name, value).is_some() {
                return Err(format!("metric {name} stands twice"));
            }
        }
        match known.iter().find(|metric| metric.base && !metrics.contains_key(metric.name)) {
            Some(missing) => Err(format!("metric {} is missing", missing.name)),
            None => Ok(Self(metrics)),
        }
    }

    /// The value; that which means "not defined" is none.
    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.get(name).copied().filter(|value| !matches!(*value, "X" | "ND"))
    }

    /// The value, or empty where it is not defined.
    fn text(&self, name: &str) -> &'t str {
        self.get(name).unwrap_or_default()
    }

    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }
}

/// A score in tenths; out of range is not possible by the equations, but for rounding.
fn tenths(value: i64) -> Score {
    Score::from_hundredths(u16::try_from(value.max(0) * 10).unwrap_or(u16::MAX))
}

/// The qualitative scale of v3 and v4.
fn severity(score: Score) -> Option<Severity> {
    match score.hundredths() {
        0 => None,
        1..=399 => Some(Severity::Low),
        400..=699 => Some(Severity::Medium),
        700..=899 => Some(Severity::High),
        _ => Some(Severity::Critical),
    }
}

mod v2;
mod v3;
mod v4;
mod v4_scores;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use proptest::prelude::*;

    use super::*;

    fn scores(vector: &str) -> (&'static str, String, String) {
        let scored = score_vector(vector).unwrap();
        (scored.version, scored.base.to_string(), scored.overall.to_string())
    }

    #[test]
    fn each_generation_scores_as_its_specification_does() {
        for (vector, version, base, overall) in [
            // The examples of the guide to v2: CVE-2002-0392 and CVE-2003-0062.
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", "2.0", "7.8", "9.2"),
            ("(AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C)", "2.0", "6.2", "4.9"),
            ("CVSS2#AV:N/AC:L/Au:N/C:P/I:P/A:P", "2.0", "7.5", "7.5"),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", "3.0", "9.6", "9.6"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N/E:U/RL:O/RC:U", "3.1", "6.1", "4.9"),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MAV:P", "3.1", "9.8", "6.8"),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", "4.0", "10.0", "10.0"),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "4.0", "9.3", "8.1"),
        ] {
            assert_eq!(scores(vector), (version, base.to_owned(), overall.to_owned()), "{vector}");
        }
    }

    #[test]
    fn what_is_not_defined_has_no_score_of_its_own() {
        let v2 = score_vector("AV:N/AC:L/Au:N/C:P/I:P/A:P/E:ND/TD:ND").unwrap();
        assert_eq!((v2.temporal, v2.environmental, v2.severity), (None, None, Some(Severity::High)));
        let nothing = score_vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:N/A:N").unwrap();
        assert_eq!((nothing.base, nothing.base_severity), (Score::default(), None));
        // The environmental equation of v3.1 has a coefficient of its own: it counts only where it was asked.
        let scored = score_vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H").unwrap();
        assert_eq!(scored.overall, scored.base);
        assert!(scored.environmental.unwrap() > scored.base);
    }

    #[test]
    fn what_is_no_vector_is_refused_with_the_rule() {
        for (text, rule) in [
            ("", "no METRIC:VALUE"),
            ("CVSS:3.1", "there is no metric \"CVSS\""),
            ("CVSS:3.2/AV:N", "there is no metric \"CVSS\""),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", "metric A is missing"),
            ("CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "metric AV stands twice"),
            ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "\"AV:X\" is not one of N, A, L, P"),
            ("CVSS:4.0/av:N", "there is no metric \"av\""),
            ("(AV:N/AC:L/Au:N/C:P/I:P/A:P", "there is no metric \"(AV\""),
        ] {
            let error = score_vector(text).unwrap_err();
            assert!(error.rule.contains(rule), "{text}: {error}");
        }
        let long = format!("AV:N/AC:L/Au:N/C:P/I:P/A:P{}", "/".repeat(512));
        assert!(score_vector(&long).unwrap_err().to_string().contains("512 bytes"));
    }

    proptest! {
        #[test]
        fn any_text_is_scored_or_refused(any in any::<String>(), close in "(CVSS:[34]\\.[01]/)?([A-Z]{1,2}:[A-Z]/?){0,12}") {
            let _ = score_vector(&any);
            let _ = score_vector(&close);
        }

        /// Of every combination of base metrics: a score, and a temporal one that is not above it.
        #[test]
        fn any_vector_of_v3_scores(i in prop::array::uniform8(0_usize..6)) {
            let pick = |values: &[&'static str], index: usize| values[index % values.len()];
            let vector = format!(
                "CVSS:3.{}/AV:{}/AC:{}/PR:{}/UI:{}/S:{}/C:{}/I:{}/A:{}/E:U",
                i[0] % 2, pick(&["N", "A", "L", "P"], i[0]), pick(&["L", "H"], i[1]), pick(&["N", "L", "H"], i[2]),
                pick(&["N", "R"], i[3]), pick(&["U", "C"], i[4]), pick(&["N", "L", "H"], i[5]),
                pick(&["N", "L", "H"], i[6]), pick(&["N", "L", "H"], i[7]),
            );
            let scored = score_vector(&vector).unwrap();
            prop_assert!(scored.overall <= scored.base);
        }
    }
}
