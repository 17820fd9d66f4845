//! Why a child gave no answer, and what its problems mean for people.

use super::protocol::{
    ANSWER, CPU_SECONDS, EVALUATION, MAX_ANSWER, MAX_REQUEST, MEMORY, Problem, ProblemKind, REQUEST, STACK,
};
use super::set::RuleSet;
use crate::diagnostic::{Diagnostic, Source, Span};

/// Why a child gave no answer. It is gone then; the next one starts afresh.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not be started, or did not understand.
    #[error("the evaluator cannot be used: {0}")]
    Launch(String),
    /// One answer took too long.
    #[error("no answer within {} seconds", ANSWER.as_secs())]
    Answer,
    /// All answers together took too long.
    #[error("not all answers within {} seconds", REQUEST.as_secs())]
    Request,
    /// It used up its CPU seconds.
    #[error("more than {CPU_SECONDS} seconds of CPU")]
    Cpu,
    /// It wanted more memory than it may have.
    #[error("more memory than the {} MiB that rules may use", MEMORY >> 20)]
    Memory,
    /// Its stack overflowed.
    #[error("a recursion that overflows a stack of {} MiB", STACK >> 20)]
    Recursion,
    /// It died otherwise.
    #[error("the evaluator died: {0}")]
    Crashed(String),
    /// A request would be too long.
    #[error("more than {} MiB to ask", MAX_REQUEST >> 20)]
    RequestSize,
    /// An answer was too long.
    #[error("an answer of more than {} MiB", MAX_ANSWER >> 20)]
    AnswerSize,
}

impl Failure {
    /// The kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Launch(_) => "rego-unavailable",
            Self::Answer | Self::Request | Self::Cpu => "rego-timeout",
            Self::Memory => "rego-memory",
            Self::Recursion => "rego-recursion",
            Self::Crashed(_) => "rego-crashed",
            Self::RequestSize | Self::AnswerSize => "rego-too-large",
        }
    }

    /// With what it was doing, at the place that is nearest to the cause.
    pub(super) fn diagnostic(&self, doing: &str, at: Option<Span>) -> Diagnostic {
        placed(Diagnostic::error(self.code(), format!("{doing}: {self}")), at)
    }
}

impl Problem {
    /// The kebab-case code.
    pub(super) const fn code(&self) -> &'static str {
        match self.kind {
            ProblemKind::Invalid => "invalid-rego",
            ProblemKind::Failed => "rego-error",
            ProblemKind::Timeout => "rego-timeout",
            ProblemKind::TooLarge => "rego-too-large",
        }
    }

    /// In words, with the limit that was reached.
    pub(super) fn text(&self) -> String {
        match self.kind {
            ProblemKind::Timeout => format!("evaluation takes longer than {} s", EVALUATION.as_secs()),
            ProblemKind::TooLarge => format!("the value is larger than {} MiB", MAX_ANSWER >> 20),
            ProblemKind::Invalid | ProblemKind::Failed => self.message.clone(),
        }
    }

    /// At its own place, else at the given one.
    pub(super) fn diagnostic(&self, rules: &RuleSet, doing: &str, otherwise: Option<Span>) -> Diagnostic {
        let own = self.place.and_then(|(file, line, column)| {
            let file = rules.all().nth(usize::try_from(file).ok()?)?;
            span(&file.source, line, column)
        });
        let text = self.text();
        let message = if doing.is_empty() { text } else { format!("{doing}: {text}") };
        placed(Diagnostic::error(self.code(), message), own.or(otherwise))
    }
}

fn placed(diagnostic: Diagnostic, at: Option<Span>) -> Diagnostic {
    match at {
        Some(at) => diagnostic.at(at),
        None => diagnostic,
    }
}

/// The word at a line and a column as the evaluator counts them: a tab is four columns wide.
fn span(source: &std::sync::Arc<Source>, line: u32, column: u32) -> Option<Span> {
    let number = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = source.text.split('\n').nth(number)?;
    let start: usize = source.text.split('\n').take(number).map(|line| line.len() + 1).sum();
    let mut at = 1;
    let mut offset = text.len();
    for (index, c) in text.char_indices() {
        if at >= column {
            offset = index;
            break;
        }
        at += if c == '\t' { 4 } else { 1 };
    }
    let rest = &text[offset..];
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
    let length = word.max(rest.chars().next().map_or(0, char::len_utf8));
    Some(Span { source: std::sync::Arc::clone(source), offset: start + offset, length })
}
