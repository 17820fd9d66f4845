//! `switchback test`: tests of policies, their coverage, and mutants that no test notices.

use std::sync::Arc;
use std::time::Instant;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::model::printable;
use crate::policy::{Bundle, Mismatch, Mutation, Outcome, Policy, RegoOutcome, RuleSet, Suite, Tested, run_rego_tests};
use crate::report::{LineCoverage, SuiteReport, TestLine, count, suite_junit, suite_text};

use super::args::{Test, TestFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::inputs::settle;
use super::printer::Printer;
use super::rules;

pub(super) fn run(args: &Test, printer: Printer) -> Result<Exit, CommandError> {
    let bundle = Bundle::read(&args.policies)
        .map_err(|error| CommandError::new(Exit::InvalidInput, error.to_string()).code("unreadable-file"))?;
    let loaded = load(&bundle, printer)?;
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
        // Coverage is that of all tests.
        if args.run.is_none() {
            report.coverage.add(suite.coverage(policy));
        }
    }
    rego(args, &bundle, &mut report)?;
    if report.tests.is_empty() {
        return Err(nothing_to_run(args));
    }
    if args.mutants && report.failed() == 0 {
        let suites: Vec<&Suite> = loaded.iter().map(|(suite, _)| suite).collect();
        let mutants = Mutation::of(&suites);
        printer.talk(format!("trying {}", count(mutants.len(), "mutant")));
        report.mutation = Some(Mutation::run(&suites, mutants, &started));
    }
    match args.format {
        TestFormat::Text => printer.data(&suite_text(&report))?,
        TestFormat::Json => printer.json(&report)?,
        TestFormat::Junit => printer.data(&suite_junit(&report))?,
    }
    verdict(args, &report)
}

/// The tests with the policies that each is about. What is wrong with a policy is told once, however many tests it has.
fn load(bundle: &Bundle, printer: Printer) -> Result<Vec<(Suite, Policy)>, CommandError> {
    let mut diagnostics = Diagnostics::default();
    let mut told: Vec<Diagnostic> = Vec::new();
    let mut loaded = Vec::new();
    for source in &bundle.tests {
        let Some(suite) = Suite::load(source, bundle, &mut diagnostics) else { continue };
        let mut of_policy = Diagnostics::default();
        let mut policy = suite.policy(&mut of_policy);
        if let Some(policy) = &mut policy {
            rules::start(policy, &mut of_policy);
        }
        for problem in of_policy.sorted() {
            let same =
                |d: &Diagnostic| (d.code, d.place(), &d.message) == (problem.code, problem.place(), &problem.message);
            if !told.iter().any(same) {
                told.push(problem);
            }
        }
        loaded.extend(policy.map(|policy| (suite, policy)));
    }
    told.into_iter().for_each(|problem| diagnostics.push(problem));
    settle(diagnostics, false, printer)?;
    Ok(loaded)
}

fn nothing_to_run(args: &Test) -> CommandError {
    let (message, hint) = match &args.run {
        Some(part) => {
            (format!("no test has `{}` in its name", printable(part, 80)), "leave --run out to run all tests")
        }
        None => (
            "there is no test".to_owned(),
            "write NAME.test.yaml beside the policies; `switchback schema policy-test` shows its form",
        ),
    };
    CommandError::new(Exit::InvalidInput, message).code("no-tests").hint(hint)
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
        return Err(CommandError::new(
            Exit::TestsFailed,
            format!("{failed} of {} failed", count(report.tests.len(), "test")),
        ));
    }
    let covered = report.covered_percent().unwrap_or(100);
    if let Some(least) = args.min_coverage.filter(|least| covered < usize::from(*least)) {
        let message = format!("coverage is {covered}%, less than the {least}% asked for");
        return Err(CommandError::new(Exit::TestsFailed, message));
    }
    match &report.mutation {
        Some(mutation) if !mutation.survivors.is_empty() => {
            let survivors = count(mutation.survivors.len(), "mutant");
            Err(CommandError::new(Exit::TestsFailed, format!("{survivors} survived: no test noticed"))
                .hint("add a test that fails with the change, or take out the rule that changes nothing"))
        }
        _ => Ok(Exit::Ok),
    }
}
