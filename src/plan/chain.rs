//! The shortest chain of reasons for a decision: which value in which line.

use crate::diagnostic::Source;
use crate::model::{Decision, DecisionKind, Place, Priority};
use crate::policy::Bundle;
use crate::yaml::outline;

/// One link: a fact and where the value stands that makes it so.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Link {
    /// In words.
    pub fact: String,
    /// The value's place; none where it is built in, or comes from a report.
    pub place: Option<Place>,
}

/// Why a finding has its priority, and why that is decided of it.
pub fn chain(decision: &Decision, bundle: &Bundle) -> Vec<Link> {
    let assessment = &decision.assessment;
    let rule = assessment.rule.name.as_str();
    let mut links = Vec::new();
    match (rule.strip_prefix("priority.thresholds"), assessment.score) {
        (Some(_), Some(score)) => {
            let (lower, upper) = bounds(assessment.priority);
            for (name, sign) in [(lower, "at least"), (upper, "below")] {
                let Some(name) = name else { continue };
                let (value, place) = value_of(bundle, &format!("priority.thresholds.{name}"));
                let value = value.unwrap_or_else(|| built_in(name).to_owned());
                links.push(Link { fact: format!("score {score} is {sign} {name} {value}"), place });
            }
        }
        _ => {
            let why = assessment.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            let fact = format!("{rule} makes it {}{why}", assessment.priority);
            links.push(Link { fact, place: assessment.rule.place.clone() });
        }
    }
    // Where an exception or the missing fix decides, the priority does not matter.
    if !matches!(decision.kind, DecisionKind::Fix | DecisionKind::Defer) {
        links.clear();
    }
    let fact = format!("{}: {}", decision.kind.as_str(), decision.reason);
    links.push(Link { fact, place: decision.rule.place.clone() });
    links
}

/// The thresholds between which the scores of a priority lie.
const fn bounds(priority: Priority) -> (Option<&'static str>, Option<&'static str>) {
    match priority {
        Priority::Critical => (Some("critical"), None),
        Priority::High => (Some("high"), Some("critical")),
        Priority::Medium => (Some("medium"), Some("high")),
        Priority::Low => (None, Some("medium")),
    }
}

fn built_in(threshold: &str) -> &'static str {
    match threshold {
        "critical" => "8.0 (built in)",
        "high" => "6.0 (built in)",
        _ => "3.5 (built in)",
    }
}

/// The text and the place of a value that the bundle writes once at most.
fn value_of(bundle: &Bundle, name: &str) -> (Option<String>, Option<Place>) {
    let find = |source: &std::sync::Arc<Source>| {
        let item = outline(source).into_iter().find(|item| item.name() == name)?;
        Some((item.scalar, Some(source.place(item.start))))
    };
    bundle.policies.iter().find_map(find).unwrap_or((None, None))
}
