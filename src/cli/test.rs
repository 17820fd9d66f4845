//! `switchback test`: tests of policies, their coverage, and mutants that no test notices.

use std::sync::Arc;
use std::time::Instant;

use crate::diagnostic::Diagnostics;
use crate::model::printable;
use crate::policy::{Bundle, Mismatch, Outcome, Policy, RegoOutcome, RuleSet, Suite, Tested, mutants, run_rego_tests};
use crate::report::{LineCoverage, Mutation, SuiteReport, Survivor, TestLine, suite_junit, suite_text};

use super::args::{Test, TestFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::{load_bundle, settle};
use super::printer::Printer;
use super::rules;

pub(super) fn run(args: &Test, printer: Printer) -> Result<Exit, CommandError> {
    let bundle = load_bundle(&args.policies)?;
    let mut diagnostics = Diagnostics::default();
    let mut loaded: Vec<(Suite, Policy)> = Vec::new();
    for source in &bundle.tests {
        if let Some(suite) = Suite::load(source, &bundle, &mut diagnostics)
            && let Some(mut policy) = suite.policy(&mut diagnostics)
        {
            rules::start(&mut policy, &mut diagnostics);
            loaded.push((suite, policy));
        }
    }
    settle(diagnostics, false, printer)?;
    let mut report = SuiteReport::default();
    for (suite, policy) in &loaded {
        for index in 0..suite.len() {
            let start = Instant::now();
            suite.prepare(index, policy).map_err(CommandError::invalid)?;
            if let Some(tested) = suite.run(index, policy)
                && wanted(args, &tested.name)
            {
                let seconds = start.elapsed().as_secs_f64();
                report.tests.push(TestLine { file: suite.source.name.clone(), tested, seconds });
            }
        }
        report.coverage.add(suite.coverage(policy));
    }
    rego(args, &bundle, &mut report)?;
    if report.tests.is_empty() {
        return Err(CommandError::new(Exit::InvalidInput, "there is no test")
            .code("no-tests")
            .hint("write NAME.test.yaml beside the policies; `switchback schema policy-test` shows its form"));
    }
    if args.mutants && report.failed() == 0 {
        report.mutation = Some(mutate(&bundle, &loaded, printer));
    }
    match args.format {
        TestFormat::Text => printer.data(&suite_text(&report))?,
        TestFormat::Json => printer.json(&report)?,
        TestFormat::Junit => printer.data(&suite_junit(&report))?,
    }
    verdict(args, &report)
}

/// Runs the `test_` rules beside the rules that policies name.
fn rego(args: &Test, bundle: &Bundle, report: &mut SuiteReport) -> Result<(), CommandError> {
    let set = rule_files(bundle);
    if set.is_empty() {
        return Ok(());
    }
    let launcher = rules::launcher().map_err(|error| CommandError::caused(Exit::Failed, "rules", &error))?;
    let ran = run_rego_tests(&set, &launcher).map_err(CommandError::invalid)?;
    for test in ran.tests {
        let name = format!("{}.{}", test.package, test.name);
        if !wanted(args, &name) {
            continue;
        }
        let wrong = |got: String| vec![Mismatch { key: "result", expected: "true".to_owned(), got }];
        let outcome = match test.outcome {
            RegoOutcome::Pass => Outcome::Passed,
            RegoOutcome::Fail { output } if output.is_empty() => Outcome::Failed(wrong("not true".to_owned())),
            RegoOutcome::Fail { output } => Outcome::Failed(wrong(format!("not true; printed {}", output.join("; ")))),
            RegoOutcome::Error { problem } => Outcome::Failed(wrong(problem.to_string())),
        };
        let file = test.place.file.clone();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a test")]
        let seconds = test.millis as f64 / 1000.0;
        report.tests.push(TestLine { file, tested: Tested { name, place: test.place, outcome }, seconds });
    }
    for (file, lines) in ran.coverage {
        let covered = lines.covered.into_iter().collect();
        report.lines.push(LineCoverage { file, covered, not_covered: lines.not_covered.into_iter().collect() });
    }
    Ok(())
}

/// The rule files that any policy of the bundle names, with their tests; policies that cannot be read were told.
fn rule_files(bundle: &Bundle) -> RuleSet {
    let mut files = Vec::new();
    for policy in &bundle.policies {
        let mut alone = bundle.clone();
        alone.policies = vec![Arc::clone(policy)];
        if let Some(policy) = Policy::load(alone, &mut Diagnostics::default()) {
            files.extend(policy.rules().files().chain(policy.rules().tests()).cloned());
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name);
    RuleSet::read(files, &mut Diagnostics::default())
}

fn started(policy: &mut Policy) -> bool {
    let mut problems = Diagnostics::default();
    rules::start(policy, &mut problems);
    !problems.has_errors()
}

fn wanted(args: &Test, name: &str) -> bool {
    args.run.as_ref().is_none_or(|part| name.contains(part.as_str()))
}

fn verdict(args: &Test, report: &SuiteReport) -> Result<Exit, CommandError> {
    let failed = report.failed();
    if failed > 0 {
        return Err(CommandError::new(Exit::TestsFailed, format!("{failed} of {} tests failed", report.tests.len())));
    }
    let covered = report.covered_percent().unwrap_or(100);
    if let Some(least) = args.min_coverage.filter(|least| covered < usize::from(*least)) {
        let message = format!("coverage is {covered}%, less than the {least}% asked for");
        return Err(CommandError::new(Exit::TestsFailed, message));
    }
    match &report.mutation {
        Some(mutation) if !mutation.survivors.is_empty() => {
            let survivors = mutation.survivors.len();
            Err(CommandError::new(Exit::TestsFailed, format!("{survivors} mutants survived: no test noticed them"))
                .hint("add a test that fails with the change, or take out the rule that changes nothing"))
        }
        _ => Ok(Exit::Ok),
    }
}

/// Changes the policies at one place at a time and lets all tests run on each.
fn mutate(bundle: &Bundle, loaded: &[(Suite, Policy)], printer: Printer) -> Mutation {
    // What no test asks for is not to be noticed by tests: the coverage tells it.
    let mut tested: Vec<&str> =
        loaded.iter().flat_map(|(suite, _)| &suite.bundle.policies).map(|p| p.name.as_str()).collect();
    tested.sort_unstable();
    tested.dedup();
    let mut under_test = bundle.clone();
    under_test.policies.retain(|policy| tested.contains(&policy.name.as_str()));
    let all = mutants(&under_test);
    printer.talk(format!("trying {} mutants", all.len()));
    let mut mutation = Mutation { mutants: all.len(), ..Mutation::default() };
    for mutant in all {
        let mut noticed = None;
        for (suite, _) in loaded.iter().filter(|(suite, _)| has(&suite.bundle, &mutant.edit.file)) {
            match Policy::load(suite.bundle.edited(&mutant.edit), &mut Diagnostics::default()) {
                None => noticed = Some(true),
                Some(mut policy) => {
                    if started(&mut policy) && suite.passes(&policy) {
                        continue;
                    }
                    noticed = Some(false);
                }
            }
            break;
        }
        match noticed {
            Some(true) => mutation.invalid += 1,
            Some(false) => mutation.killed += 1,
            None => mutation.survivors.push(Survivor { place: mutant.place, what: printable(&mutant.what, 300) }),
        }
    }
    mutation
}

fn has(bundle: &Bundle, file: &str) -> bool {
    bundle.policies.iter().map(Arc::as_ref).any(|policy| policy.name == file)
}
