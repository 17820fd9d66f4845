//! The plan checker: written apart from the planner, it judges any plan before it is run.
//!
//! It shares the types with the planner and nothing else: what a pass computes, a rule here computes again in another
//! way, or states as a property.

mod host;
mod whole;

use super::Plan;

/// Something that must not be in a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Violation {
    /// Where: a host, a step, or a part of the plan.
    pub place: String,
    /// Kebab-case, stable.
    pub code: &'static str,
    /// What is wrong, in words.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.text, self.code)
    }
}

/// Everything that is wrong with a plan, by place; nothing if it may be run.
pub fn check(plan: &Plan) -> Vec<Violation> {
    let mut found = Found::default();
    whole::check(plan, &mut found);
    for (name, host) in &plan.hosts {
        host::check(plan, name, host, &mut found);
    }
    found.0.sort();
    found.0.dedup();
    found.0
}

#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, place: impl std::fmt::Display, code: &'static str, text: impl Into<String>) {
        self.0.push(Violation { place: place.to_string(), code, text: text.into() });
    }

    /// Adds a violation unless this holds.
    fn expect(&mut self, holds: bool, place: impl std::fmt::Display, code: &'static str, text: impl Into<String>) {
        if !holds {
            self.add(place, code, text);
        }
    }
}
