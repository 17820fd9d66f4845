//! What controller and child say to each other, a JSON document a line, and the limits that both keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Address space of the child, its stacks included.
pub(super) const MEMORY: u64 = 768 << 20;
/// The stack of the thread that evaluates: with less, a recursion dies before its time is up.
pub(super) const STACK: usize = 256 << 20;
/// CPU seconds in the life of a child; it is replaced long before it needs so many.
pub(super) const CPU_SECONDS: u64 = 60;
/// Open files: three pipes, and what the runtime needs.
pub(super) const FILES: u64 = 16;
/// How long one evaluation may take by the evaluator's own watch, which does not look into built-in functions.
pub(super) const EVALUATION: Duration = Duration::from_secs(2);
/// How long the controller waits for one answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// How long the controller waits for all answers to one request.
pub(super) const REQUEST: Duration = Duration::from_secs(30);
/// A child that has worked for longer is replaced by a new one, so that its CPU seconds last.
pub(super) const LIFE: Duration = Duration::from_secs(20);
/// The longest request, such as the summary of a plan for a large fleet.
pub(super) const MAX_REQUEST: usize = 64 << 20;
/// The longest answer.
pub(super) const MAX_ANSWER: usize = 4 << 20;
/// How many lines a test may print, and how long each may be.
pub(super) const MAX_PRINTS: (usize, usize) = (100, 500);

/// A question. `V` is a JSON value to one side and a value of the evaluator to the other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request<V = serde_json::Value> {
    /// Take this file, known by its number.
    Add {
        /// The number.
        file: u32,
        /// The text.
        text: String,
    },
    /// Check all files together.
    Compile {
        /// Whether lines are to be counted.
        coverage: bool,
    },
    /// Evaluate a rule with each of these inputs.
    Evaluate {
        /// `data.PACKAGE.NAME`.
        rule: String,
        /// Each has an answer.
        inputs: Vec<V>,
    },
    /// Run a test.
    Test {
        /// `data.PACKAGE.test_NAME`.
        rule: String,
    },
}

/// An answer. `V` as in [`Request`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<V = serde_json::Value> {
    /// Added: the package as the evaluator reads it, `data.PACKAGE`.
    Added(String),
    /// Compiled.
    Done,
    /// The value of the rule.
    Value(V),
    /// The rule has no value for this input.
    Undefined,
    /// It could not be done.
    Problem(Problem),
    /// A test was run.
    Tested {
        /// What went wrong, where it did not give `true`.
        outcome: TestAnswer,
        /// What it printed.
        prints: Vec<String>,
        /// Lines that were evaluated by any test so far, and lines that were not, by file.
        lines: BTreeMap<u32, [BTreeSet<u32>; 2]>,
    },
}

/// How a test ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestAnswer {
    /// It gave `true`.
    Passed,
    /// It gave something else, or nothing.
    Failed,
    /// It could not be evaluated.
    Problem(Problem),
}

/// What kind of problem the evaluator has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The text is not valid.
    Invalid,
    /// The evaluation failed.
    Failed,
    /// Its time was up.
    Timeout,
    /// Its value is too large.
    TooLarge,
}

/// A problem, with its place where it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// In words.
    pub message: String,
    /// Number of the file, line and column from 1; a tab counts as four columns.
    pub place: Option<(u32, u32, u32)>,
}
