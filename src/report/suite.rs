//! How tests of policies went: like a test runner prints it, as JUnit and as JSON.

use std::fmt::Write as _;

use super::junit::{End, HEAD, end, numbers, xml};
use super::plan_text::{cell, columns, count};
use crate::policy::{Coverage, Mutation, Outcome, Tested};

/// A test with the file that it stands in and how long it took.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TestLine {
    /// The file.
    pub file: String,
    /// The test.
    #[serde(flatten)]
    pub tested: Tested,
    /// How long it took.
    pub seconds: f64,
}

/// Lines of a text that tests reached, for rules in Rego.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LineCoverage {
    /// The file.
    pub file: String,
    /// Lines that were reached.
    pub covered: Vec<u32>,
    /// Lines that were not.
    pub not_covered: Vec<u32>,
}

/// All that a run of tests found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct SuiteReport {
    /// Every test.
    pub tests: Vec<TestLine>,
    /// Which rules they saw.
    pub coverage: Coverage,
    /// Which lines of Rego they reached.
    pub lines: Vec<LineCoverage>,
    /// Mutants, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
}

impl SuiteReport {
    /// Tests that failed.
    pub fn failed(&self) -> usize {
        self.tests.iter().filter(|line| line.tested.outcome != Outcome::Passed).count()
    }

    /// Rules seen and lines reached, of all rules and lines, in per cent rounded down; none where there is nothing to cover.
    pub fn covered_percent(&self) -> Option<usize> {
        let (seen, all) = self.coverage.counts();
        let lines: usize = self.lines.iter().map(|file| file.covered.len()).sum();
        let missed: usize = self.lines.iter().map(|file| file.not_covered.len()).sum();
        let total = all + lines + missed;
        ((seen + lines) * 100).checked_div(total)
    }
}

/// For a terminal.
pub fn suite_text(report: &SuiteReport) -> String {
    let mut out = String::new();
    let mut file = "";
    for line in &report.tests {
        if line.file != file {
            file = &line.file;
            let _ = writeln!(out, "{}", cell(file));
        }
        let verdict = if line.tested.outcome == Outcome::Passed { "PASS" } else { "FAIL" };
        let _ = writeln!(out, "  {verdict}  {} ({:.1} ms)", cell(&line.tested.name), line.seconds * 1000.0);
        if let Outcome::Failed(mismatches) = &line.tested.outcome {
            let _ = writeln!(out, "        at {}", cell(&line.tested.place));
            for mismatch in mismatches {
                let _ = writeln!(out, "        {}", cell(mismatch.key));
                let _ = writeln!(out, "          - expected  {}", cell(&mismatch.expected));
                let _ = writeln!(out, "          + got       {}", cell(&mismatch.got));
            }
        }
    }
    let failed = report.failed();
    let _ = writeln!(out, "\n{} passed, {failed} failed", report.tests.len() - failed);
    coverage_text(report, &mut out);
    if let Some(mutation) = &report.mutation {
        let _ = writeln!(
            out,
            "mutants: {} of {} noticed by tests, {} by the checker, {} survived",
            mutation.killed,
            mutation.mutants,
            mutation.invalid,
            mutation.survivors.len()
        );
        let rows: Vec<_> = mutation.survivors.iter().map(|s| vec![cell(&s.place), cell(&s.what)]).collect();
        out.push_str(&columns(&rows));
    }
    out
}

fn coverage_text(report: &SuiteReport, out: &mut String) {
    let Some(percent) = report.covered_percent() else { return };
    let (seen, all) = report.coverage.counts();
    let _ = write!(out, "coverage {percent}%: {seen} of {}", count(all, "rule"));
    for file in &report.lines {
        let total = file.covered.len() + file.not_covered.len();
        let _ = write!(out, ", {} of {} of {}", file.covered.len(), count(total, "line"), cell(&file.file));
    }
    out.push('\n');
    let unseen = report.coverage.rules.iter().filter(|(_, seen)| !**seen);
    let rows: Vec<_> = unseen
        .map(|(rule, _)| {
            let place = rule.place.as_ref().map_or_else(String::new, ToString::to_string);
            vec!["not covered".to_owned(), cell(&rule.name), cell(place)]
        })
        .collect();
    out.push_str(&columns(&rows));
    for file in report.lines.iter().filter(|file| !file.not_covered.is_empty()) {
        let lines: Vec<String> = file.not_covered.iter().take(20).map(ToString::to_string).collect();
        let more = if file.not_covered.len() > lines.len() { ", ..." } else { "" };
        let _ = writeln!(out, "  not covered  {} lines {}{more}", cell(&file.file), lines.join(", "));
    }
}

/// JUnit XML, as continuous integration reads it. Mutants are one test more: that none survives.
pub fn suite_junit(report: &SuiteReport) -> String {
    let mutants = usize::from(report.mutation.is_some());
    let survived = usize::from(report.mutation.as_ref().is_some_and(|mutation| !mutation.survivors.is_empty()));
    let seconds: f64 = report.tests.iter().map(|line| line.seconds).sum();
    let mut out = HEAD.to_owned();
    let (tests, failed) = (report.tests.len() + mutants, report.failed() + survived);
    let _ = writeln!(out, "<testsuites name=\"switchback test\" {}>", numbers(tests, failed, seconds));
    for lines in report.tests.chunk_by(|a, b| a.file == b.file) {
        let failed = lines.iter().filter(|line| line.tested.outcome != Outcome::Passed).count();
        let seconds: f64 = lines.iter().map(|line| line.seconds).sum();
        let file = xml(&lines[0].file);
        let numbers = numbers(lines.len(), failed, seconds);
        let _ = writeln!(out, "  <testsuite name=\"{file}\" {numbers} skipped=\"0\">");
        lines.iter().for_each(|line| junit_case(line, &file, &mut out));
        out.push_str("  </testsuite>\n");
    }
    if let Some(mutation) = &report.mutation {
        let _ = writeln!(out, "  <testsuite name=\"mutants\" {} skipped=\"0\">", numbers(1, survived, 0.0));
        out.push_str("    <testcase classname=\"mutants\" name=\"no mutant survives\" time=\"0.000000\"");
        let survivors = mutation.survivors.iter().map(|survivor| format!("{}: {}", survivor.place, survivor.what));
        let message = format!("{} survived", count(mutation.survivors.len(), "mutant"));
        end(
            if survived > 0 { End::Failed { message: &message, kind: "survivor" } } else { End::Passed },
            survivors,
            &mut out,
        );
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn junit_case(line: &TestLine, file: &str, out: &mut String) {
    let tested = &line.tested;
    let (name, at) = (xml(&tested.name), tested.place.line);
    let seconds = line.seconds;
    let _ = write!(
        out,
        "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{at}\" time=\"{seconds:.6}\""
    );
    let mismatches = match &tested.outcome {
        Outcome::Passed => &[][..],
        Outcome::Failed(mismatches) => mismatches,
    };
    let keys: Vec<&str> = mismatches.iter().map(|mismatch| mismatch.key).collect();
    let message = format!("not as expected: {}", keys.join(", "));
    let wrong = mismatches.iter().map(|m| format!("{}: expected {}, got {}", m.key, m.expected, m.got));
    let failed = tested.outcome != Outcome::Passed;
    end(if failed { End::Failed { message: &message, kind: "expectation" } } else { End::Passed }, wrong, out);
}
