//! What a script says of itself on standard output: facts, and the reason of a failure.

use std::collections::BTreeMap;

use crate::model::{FACT_PREFIX, REASON_PREFIX, printable, told, told_lines};

/// The longest fact kept, in bytes.
const MAX_FACT: usize = 64 * 1024;
/// More facts than this are not kept.
const MAX_FACTS: usize = 64;
/// How much of the rest of the output is kept as evidence, from its end.
const MAX_TEXT: usize = 8 * 1024;
/// How long the words of a reason may be, in characters.
const MAX_REASON: usize = 500;

/// What a script said, bounded and safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptOutput {
    /// What later steps may ask for, by key.
    pub facts: BTreeMap<String, String>,
    /// Why it failed or refused: the last that it gave.
    pub reason: Option<ScriptReason>,
    /// The end of everything else it printed, for people.
    pub text: String,
}

/// Why a script failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptReason {
    /// Kebab-case.
    pub code: String,
    /// In words.
    pub text: String,
}

/// Reads the standard output of a script. It comes from a host that may be hostile: sizes and counts are bounded,
/// malformed facts are ordinary text, and nothing unprintable is kept.
pub fn parse_output(bytes: &[u8]) -> ScriptOutput {
    let mut output = ScriptOutput::default();
    let mut text: Vec<String> = Vec::new();
    for line in bytes.split(|&b| b == b'\n') {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        if let Some((key, value)) = line.strip_prefix(FACT_PREFIX).and_then(fact) {
            if output.facts.len() < MAX_FACTS || output.facts.contains_key(key) {
                output.facts.insert(key.to_owned(), printable(value, MAX_FACT));
            }
        } else if let Some(reason) = line.strip_prefix(REASON_PREFIX).and_then(reason) {
            output.reason = Some(reason);
        } else if !line.is_empty() {
            // Longer than what is kept, so that no secret is cut in its middle and missed.
            text.push(line.chars().take(2 * MAX_REASON).collect());
        }
    }
    let mut left = MAX_TEXT;
    let kept = text.iter().rev().take_while(|line| {
        left = left.saturating_sub(line.len() + 1);
        left > 0
    });
    let mut kept: Vec<&str> = kept.map(String::as_str).collect();
    kept.reverse();
    // As a whole: a key has several lines.
    let told = told_lines(&kept.join("\n"), MAX_TEXT);
    output.text = told.lines().map(|line| printable(line, MAX_REASON)).collect::<Vec<_>>().join("\n");
    output
}

fn fact(rest: &str) -> Option<(&str, &str)> {
    let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
    (is_fact_key(key) && value.len() <= MAX_FACT).then_some((key, value))
}

/// Whether this can name a fact.
pub(super) fn is_fact_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn reason(rest: &str) -> Option<ScriptReason> {
    let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let fine = (1..=64).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fine.then(|| ScriptReason { code: code.to_owned(), text: told(text, MAX_REASON) })
}
