//! The plan checker: written apart from the planner, it judges any plan before it is run.
//!
//! It shares the types with the planner and nothing else: what a pass computes, a rule here computes again in another
//! way, or states as a property. What must hold in every run is proven over all runs, or the shortest run that breaks it
//! is shown:
//!
//! - *one host* is a transition system of some hundred states, in which each step may succeed, fail before its effect,
//!   behind it or unknown, and each step of the way back may fail ([`explore`], [`world`]). All states are looked at, once
//!   for each [`shape`], so that ten thousand hosts cost what a few do;
//! - *two hosts*, a pilot and one that waits for it, are a product of two chains ([`cohort`]);
//! - *many hosts* meet in waves and budgets only, where they are alike: they are counted ([`rollout`]);
//! - *time* is a sum ([`window`]).
//!
//! [`host`] and [`whole`] hold the form of the plan against what is documented of it. The proofs rest on that form: a chain
//! has few states, and a plan whose steps are no chain is refused for that already, whether or not all its states could
//! be looked at.

mod cohort;
mod explore;
mod host;
mod rollout;
mod search;
mod shape;
mod whole;
mod window;
mod world;

use self::explore::Peril;
use self::shape::Shapes;
use super::Plan;

/// So many lines of a trace are shown at its begin and at its end.
const TRACE_ENDS: (usize, usize) = (20, 6);

/// A plan with so many kinds of hosts that are in peril is refused without a look at the others.
const MAX_BAD_SHAPES: usize = 20;

/// Something that must not be in a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Violation {
    /// Where: a host, a step, or a part of the plan.
    pub place: String,
    /// Kebab-case, stable.
    pub code: &'static str,
    /// What is wrong, in words.
    pub text: String,
    /// The shortest run in which it does harm, an event a line; empty for what is wrong without being run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
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
    rollout::check(plan, &mut found);
    for (name, host) in &plan.hosts {
        host::check(plan, name, host, &mut found);
        window::check(plan, name, host, &mut found);
    }
    let shapes = Shapes::of(plan);
    explored(plan, &shapes, &mut found);
    cohort::check(plan, &shapes, &mut found);
    found.0.iter_mut().for_each(|violation| shorten(&mut violation.trace));
    found.0.sort();
    found.0.dedup();
    found.0
}

/// What can go wrong on single hosts.
fn explored(plan: &Plan, shapes: &Shapes<'_>, found: &mut Found) {
    let mut perils: Vec<Vec<Peril>> = Vec::new();
    let mut bad = 0;
    for shape in &shapes.all {
        let peril = if bad < MAX_BAD_SHAPES { explore::explore(shape) } else { Vec::new() };
        bad += usize::from(!peril.is_empty());
        perils.push(peril);
    }
    for (name, host) in &plan.hosts {
        let own = shapes.number(name).and_then(|number| perils.get(number));
        for peril in own.into_iter().flatten() {
            found.0.push(Violation {
                place: peril.step(host).map_or_else(|| name.to_string(), |step| step.id.to_string()),
                code: peril.hazard.code,
                text: peril.text(host),
                trace: peril.trace(name, host),
            });
        }
    }
}

fn shorten(trace: &mut Vec<String>) {
    let (first, last) = TRACE_ENDS;
    if let Some(more) = trace.len().checked_sub(first + last).filter(|more| *more > 1) {
        trace.splice(first..first + more, [format!("... and {more} more")]);
    }
}

#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, place: impl std::fmt::Display, code: &'static str, text: impl Into<String>) {
        self.0.push(Violation { place: place.to_string(), code, text: text.into(), trace: Vec::new() });
    }

    /// Adds a violation unless this holds.
    fn expect(&mut self, holds: bool, place: impl std::fmt::Display, code: &'static str, text: impl Into<String>) {
        if !holds {
            self.add(place, code, text);
        }
    }
}
