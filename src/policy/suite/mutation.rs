//! Mutants of the policies under test, and the tests that notice them.

use std::collections::BTreeMap;

use super::check::Suite;
use crate::diagnostic::Diagnostics;
use crate::model::Place;
use crate::policy::{Bundle, Mutant, Policy, mutants};

/// A mutant that no test noticed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Survivor {
    /// Where.
    pub place: Place,
    /// What was changed.
    pub what: String,
}

/// What mutation testing found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Mutation {
    /// Mutants that were tried.
    pub mutants: usize,
    /// Those that a test noticed.
    pub killed: usize,
    /// Those that are no policy: the checker noticed.
    pub invalid: usize,
    /// Those that nobody noticed.
    pub survivors: Vec<Survivor>,
}

enum Noticed {
    ByChecker,
    ByTest,
}

impl Mutation {
    /// Every mutant of the policies that these tests are about. What no test asks for is not to be noticed by tests: the
    /// coverage tells it.
    pub fn of(suites: &[&Suite]) -> Vec<Mutant> {
        let policies: BTreeMap<&str, _> = suites
            .iter()
            .flat_map(|suite| &suite.bundle.policies)
            .map(|policy| (policy.name.as_str(), std::sync::Arc::clone(policy)))
            .collect();
        mutants(&Bundle::from(policies.into_values().collect::<Vec<_>>()))
    }

    /// Lets all tests run on each mutant, made ready to decide (its rules in Rego are started). All must pass on the
    /// policies as they are, else nothing is learnt.
    pub fn run(suites: &[&Suite], mutants: Vec<Mutant>, ready: &dyn Fn(&mut Policy) -> bool) -> Self {
        let mut mutation = Self { mutants: mutants.len(), ..Self::default() };
        for mutant in mutants {
            match noticed(suites, &mutant, ready) {
                Some(Noticed::ByChecker) => mutation.invalid += 1,
                Some(Noticed::ByTest) => mutation.killed += 1,
                None => mutation.survivors.push(Survivor { place: mutant.place, what: mutant.what }),
            }
        }
        mutation
    }
}

fn noticed(suites: &[&Suite], mutant: &Mutant, ready: &dyn Fn(&mut Policy) -> bool) -> Option<Noticed> {
    let about = suites.iter().filter(|suite| suite.bundle.policies.iter().any(|p| p.name == mutant.edit.file));
    about.into_iter().find_map(|suite| {
        match Policy::load(suite.bundle.edited(&mutant.edit), &mut Diagnostics::default()) {
            None => Some(Noticed::ByChecker),
            Some(mut policy) => (!(ready(&mut policy) && suite.passes(&policy))).then_some(Noticed::ByTest),
        }
    })
}
