//! GitLab's Code Quality report: each problem is shown in the merge request that brings it.

use serde_json::{Value, json};

use super::place::{Region, file, fingerprints};
use crate::diagnostic::{Diagnostic, Level};
use crate::model::Digest;

/// The report: a list with one entry a problem. GitLab wants a place of each, so that one without a place has the first
/// line of what was checked.
pub fn problems_for_gitlab(diagnostics: &[Diagnostic], checked: &str) -> Value {
    let known = fingerprints(diagnostics, checked);
    let entry = |(diagnostic, known): (&Diagnostic, String)| {
        let lines = diagnostic.span.as_ref().map(Region::of).map_or((1, 1), |r| (r.start.line, r.end.line));
        let description = match &diagnostic.help {
            Some(help) => format!("{} ({help})", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        json!({
            "description": description,
            "check_name": diagnostic.code,
            "fingerprint": Digest::of(known.as_bytes()).to_string(),
            "severity": match diagnostic.level { Level::Error => "major", Level::Warning => "minor", Level::Note => "info" },
            "location": { "path": file(diagnostic, checked), "lines": { "begin": lines.0, "end": lines.1 } },
        })
    };
    diagnostics.iter().zip(known).map(entry).collect()
}
