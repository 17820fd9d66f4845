//! Tests of rules: `test_` rules run one by one in a child, with the lines that they cover.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::client::{Launcher, Runner};
use super::protocol::{Answer, Request, TestAnswer};
use super::rules::load;
use super::set::RuleSet;
use crate::diagnostic::{Diagnostic, Span};
use crate::model::Place;

/// No suite has more tests.
const MAX_TESTS: usize = 10_000;

/// What became of the tests of rules.
#[derive(Clone, Debug, Default)]
pub struct RegoTests {
    /// Every test, by package and name.
    pub tests: Vec<RegoTest>,
    /// Lines of every rule file (tests left out) that any test evaluated, and lines that none did.
    pub coverage: BTreeMap<String, RegoCoverage>,
}

/// A `test_` rule.
#[derive(Clone, Debug)]
pub struct RegoTest {
    /// Its package.
    pub package: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// How it ended.
    pub outcome: RegoOutcome,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// How a test ended.
#[derive(Clone, Debug)]
pub enum RegoOutcome {
    /// It gave `true`.
    Pass,
    /// It gave something else, or nothing.
    Fail {
        /// What it printed.
        output: Vec<String>,
    },
    /// It could not be evaluated.
    Error {
        /// Why.
        problem: Box<Diagnostic>,
    },
}

/// Lines of a file, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegoCoverage {
    /// Lines that some test evaluated.
    pub covered: BTreeSet<u32>,
    /// Lines that hold rules and that no test evaluated.
    pub not_covered: BTreeSet<u32>,
}

/// Runs all tests. A test that ends its child is an error, and the next one has a new child.
pub fn run_rego_tests(rules: &RuleSet, launcher: &dyn Launcher) -> Result<RegoTests, Vec<Diagnostic>> {
    let mut suite = RegoTests::default();
    let mut found: BTreeMap<(String, String), Span> = BTreeMap::new();
    for file in rules.all() {
        for (name, &(offset, length)) in file.facts.heads.iter().filter(|(name, _)| name.starts_with("test_")) {
            let at = Span { source: std::sync::Arc::clone(&file.source), offset, length };
            found.entry((file.facts.package.clone(), name.clone())).or_insert(at);
        }
    }
    if rules.is_empty() || found.is_empty() {
        return Ok(suite);
    }
    if found.len() > MAX_TESTS {
        let message = format!("{} tests of rules: at most {MAX_TESTS} are run", found.len());
        return Err(vec![Diagnostic::error("rego-too-large", message)]);
    }
    let mut runner: Option<Box<dyn Runner>> = None;
    for ((package, name), at) in found {
        let mut ready = match runner.take() {
            Some(runner) => runner,
            None => {
                let mut problems = Vec::new();
                load(rules, true, launcher, &mut problems).ok_or(problems)?
            }
        };
        let request = Request::Test { rule: format!("data.{package}.{name}") };
        let begun = Instant::now();
        let mut answer = None;
        let asked = ready.ask(&request, 1, &mut |given| answer = Some(given));
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let doing = format!("test `{package}.{name}`");
        let outcome = match (asked, answer) {
            (Err(failure), _) => RegoOutcome::Error { problem: failure.diagnostic(&doing, Some(at.clone())).into() },
            (Ok(()), Some(Answer::Tested { outcome, prints, lines })) => {
                runner = Some(ready);
                cover(rules, &mut suite.coverage, lines);
                match outcome {
                    TestAnswer::Passed => RegoOutcome::Pass,
                    TestAnswer::Failed => RegoOutcome::Fail { output: prints },
                    TestAnswer::Problem(problem) => {
                        RegoOutcome::Error { problem: problem.diagnostic(rules, "", Some(at.clone())).into() }
                    }
                }
            }
            (Ok(()), Some(Answer::Problem(problem))) => {
                RegoOutcome::Error { problem: problem.diagnostic(rules, &doing, Some(at.clone())).into() }
            }
            (Ok(()), _) => {
                let message = format!("{doing}: the evaluator gave an answer to another question");
                RegoOutcome::Error { problem: Diagnostic::error("rego-crashed", message).at(at.clone()).into() }
            }
        };
        suite.tests.push(RegoTest { package, name, place: at.place(), outcome, millis });
    }
    Ok(suite)
}

/// Adds lines to what is covered, as far as they can be lines of the rule files.
fn cover(rules: &RuleSet, coverage: &mut BTreeMap<String, RegoCoverage>, lines: BTreeMap<u32, [BTreeSet<u32>; 2]>) {
    for (number, [covered, not_covered]) in lines {
        let Some(file) = usize::try_from(number).ok().and_then(|number| rules.files.get(number)) else { continue };
        let most = u32::try_from(file.source.text.lines().count()).unwrap_or(u32::MAX);
        let inside = |line: &u32| (1..=most).contains(line);
        let known = coverage.entry(file.source.name.clone()).or_default();
        known.covered.extend(covered.into_iter().filter(inside));
        known.not_covered.extend(not_covered.into_iter().filter(inside));
        known.not_covered.retain(|line| !known.covered.contains(line));
    }
}
