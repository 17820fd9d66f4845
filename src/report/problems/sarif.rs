//! SARIF 2.1.0, the format in which code scanning takes problems.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::place::{Region, file, fingerprints, plain};
use crate::diagnostic::{Diagnostic, Level, Span, explain};

/// The log of one run. `checked` is what was checked: the place of problems that have no line.
pub fn problems_as_sarif(diagnostics: &[Diagnostic], checked: &str) -> Value {
    let codes: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let known = fingerprints(diagnostics, checked);
    let results: Vec<Value> = diagnostics
        .iter()
        .zip(known)
        .map(|(diagnostic, known)| {
            let mut message = diagnostic.message.clone();
            if let Some(help) = &diagnostic.help {
                // Writing to a String cannot fail.
                let _ = write!(message, ": {help}");
            }
            let place = match &diagnostic.span {
                Some(span) => location(span),
                None => json!({ "artifactLocation": artifact(&file(diagnostic, checked)) }),
            };
            let mut result = json!({
                "ruleId": diagnostic.code,
                "ruleIndex": codes.binary_search(&diagnostic.code).unwrap_or_default(),
                "level": level(diagnostic.level),
                "message": { "text": message },
                "locations": [{ "physicalLocation": place }],
                // The first is the one that GitHub goes by.
                "partialFingerprints": { "primaryLocationLineHash": known, "switchbackProblem/v1": known },
            });
            if let Some((what, span)) = &diagnostic.related {
                result["relatedLocations"] = json!([{
                    "id": 1,
                    "message": { "text": crate::model::printable(what, 200) },
                    "physicalLocation": location(span),
                }]);
            }
            result
        })
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code, diagnostics)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Switchback",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "invocations": [{ "executionSuccessful": true }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str, diagnostics: &[Diagnostic]) -> Value {
    let text = explain(code).unwrap_or(code);
    let first = text.split_inclusive(". ").next().unwrap_or(text).trim_end();
    let worst = diagnostics.iter().filter(|d| d.code == code).map(|d| d.level).max().unwrap_or(Level::Warning);
    json!({
        "id": code,
        "shortDescription": { "text": first },
        "fullDescription": { "text": text },
        "help": { "text": format!("{text}\n\nswitchback check --explain {code}") },
        "defaultConfiguration": { "level": level(worst) },
    })
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn location(span: &Span) -> Value {
    let Region { start, end } = Region::of(span);
    json!({
        "artifactLocation": artifact(&plain(&span.source.name)),
        "region": {
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        },
    })
}

fn artifact(path: &str) -> Value {
    let uri = encode(path);
    if path.starts_with('/') {
        json!({ "uri": format!("file://{uri}") })
    } else {
        json!({ "uri": uri, "uriBaseId": "%SRCROOT%" })
    }
}

/// A path as a URI reference: all but what may stand in any URI is written as bytes.
fn encode(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
