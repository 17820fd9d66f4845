//! For tests of the formats: findings as lines, and a sample cut off, spoilt and exaggerated in every way.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::PathBuf;

use serde_json::{Value, json};

use super::format::FORMATS;
use super::peek::Peek;
use super::{ReadOptions, Report, read_report};
use crate::model::{FixState, HostName, is_unprintable};

/// Reads a document, of which the content must tell the format.
pub(super) fn read_as(format: &str, document: &Value) -> Report {
    read_text_as(format, &document.to_string())
}

/// The same for a text.
pub(super) fn read_text_as(format: &str, text: &str) -> Report {
    let report =
        read_report("r.json", text.as_bytes(), &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(report.format, format, "{text}");
    assert!(holds(&report));
    assert_eq!(claimed_by("r.json", text.as_bytes()), [format], "one format only: {text}");
    report
}

/// Every format that takes these bytes for its own.
fn claimed_by(name: &str, bytes: &[u8]) -> Vec<&'static str> {
    let Ok(peek) = Peek::at(name, bytes) else { return Vec::new() };
    FORMATS.iter().filter(|format| (format.is)(&peek)).map(|format| format.name).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[expect(clippy::disallowed_methods, reason = "a test may ask where its files are")]
fn no_report_of_others_is_of_two_formats() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("SWITCHBACK_CORPUS").map_or_else(beside, PathBuf::from).join("scanners");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no corpus at {}; set SWITCHBACK_CORPUS", folder.display());
        return;
    }
    let mut folders = vec![folder];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let claims = claimed_by("f", &std::fs::read(&path).unwrap());
            assert!(claims.len() <= 1, "{}: {claims:?}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} reports");
}

fn holds(report: &Report) -> bool {
    report.read == report.findings.len() as u64 + report.left_out.values().sum::<u64>()
}

/// `ASSET ID+ALIASES TYPE ECOSYSTEM PACKAGE INSTALLED -> FIXED STATE SEVERITY #LOCATION`.
pub(super) fn shown(report: &Report) -> Vec<String> {
    let lines = report.findings.iter().map(|f| {
        let ids: Vec<&str> = std::iter::once(&f.vulnerability).chain(&f.aliases).map(|id| id.as_str()).collect();
        let fixed: Vec<&str> = f.fixed.iter().map(|v| v.as_str()).collect();
        let state = match f.fix_state {
            FixState::Fixed => "fixed",
            FixState::NotFixed => "not_fixed",
            FixState::WillNotFix => "will_not_fix",
            FixState::Deferred => "deferred",
            FixState::EndOfLife => "end_of_life",
            FixState::NotAffected => "not_affected",
            FixState::Unknown => "unknown",
        };
        let severity = f.severity.map_or("-".to_owned(), |s| format!("{s:?}").to_lowercase());
        let mut words =
            vec![f.asset.as_str().to_owned(), ids.join("+"), f.kind.as_str().to_owned(), f.ecosystem.clone()];
        words.push(f.package.as_ref().map_or("-".to_owned(), ToString::to_string));
        words.push(f.installed.as_ref().map_or("-".to_owned(), ToString::to_string));
        words.push("->".to_owned());
        words.extend((!fixed.is_empty()).then(|| fixed.join(",")));
        words.extend([state.to_owned(), severity]);
        words.extend(f.location.as_ref().map(|location| format!("#{location}")));
        words.join(" ")
    });
    lines.collect()
}

/// Whatever happens to a sample of a format, nothing panics, every row is accounted for, every text is harmless.
pub(super) fn check_sample(format: &str, sample: &Value) {
    check_text(format, &sample.to_string());
    let mut spoilt = Vec::new();
    spoil(sample, &mut |value| spoilt.push(value.to_string()));
    assert!(spoilt.len() > 20, "a sample has some values");
    for text in spoilt {
        let options = ReadOptions { format: Some(format.to_owned()), ..ReadOptions::default() };
        if let Ok(report) = read_report("r.json", text.as_bytes(), &options) {
            assert!(holds(&report), "{text}");
            let shown = format!("{}{:?}", serde_json::to_string(&report.findings).unwrap(), report.assets);
            assert!(
                !shown.contains("\\u001b") && !shown.contains("\\u{1b}") && !shown.contains(is_unprintable),
                "{shown}"
            );
            assert!(shown.len() < 40_000, "{}", shown.len());
        }
    }
}

/// The same for the text of a sample: cut off anywhere, and for a host that the user names.
pub(super) fn check_text(format: &str, text: &str) {
    let host = HostName::new("given-1").unwrap();
    let options = ReadOptions { host: Some(host), format: Some(format.to_owned()) };
    let report = read_report("r.json", text.as_bytes(), &options).unwrap();
    assert!(!report.findings.is_empty() && report.findings.iter().all(|f| f.asset.as_str() == "given-1"), "{report:?}");
    assert_eq!(
        report.findings.len(),
        read_report("r", text.as_bytes(), &ReadOptions::default()).unwrap().findings.len()
    );
    let twice = read_report("r.json", text.as_bytes(), &options).unwrap();
    assert_eq!(report.findings, twice.findings);
    for cut in (0..text.len()).step_by(50).filter(|cut| text.is_char_boundary(*cut)) {
        for format in [None, Some(format.to_owned())] {
            let options = ReadOptions { host: None, format };
            if let Ok(report) = read_report("r.json", &text.as_bytes()[..cut], &options) {
                assert!(holds(&report), "{cut}");
            }
        }
    }
}

/// Every value of a document, one after the other, as something else.
fn spoil(document: &Value, each: &mut impl FnMut(&Value)) {
    let mut paths = Vec::new();
    collect(document, String::new(), &mut paths);
    let hostile = "\u{1b}[2J\u{202e}$(id); `x` ".to_owned() + &"y".repeat(5000);
    let others =
        [json!(null), json!(7), json!(-1e300), json!(true), json!([]), json!([[7]]), json!({"a": {}}), json!(hostile)];
    for path in paths {
        for other in &others {
            let mut changed = document.clone();
            *changed.pointer_mut(&path).unwrap() = other.clone();
            each(&changed);
        }
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                collect(below, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
            }
        }
        Value::Array(list) => {
            for (index, below) in list.iter().enumerate() {
                collect(below, format!("{path}/{index}"), paths);
            }
        }
        _ => {}
    }
    if !path.is_empty() {
        paths.push(path);
    }
}
