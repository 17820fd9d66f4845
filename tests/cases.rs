//! Data-driven cases: a folder per case under `tests/cases/`; a case is added without touching code.
//!
//! `policy-invalid/NAME/`: the policy files of a bundle, and `expected.txt` with a line `CODE FILE:LINE:COLUMN` for
//! every problem (and its other place, where it has one). `SWITCHBACK_BLESS=1` writes what was found.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and asks its own environment")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use switchback::diagnostic::{Diagnostics, Level, explain, render_text};
use switchback::policy::{Bundle, Policy};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(kind)
}

/// The bundle in a folder, with names relative to it.
fn bundle(case: &Path) -> Bundle {
    fn collect(top: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(top, &path, files);
            } else {
                let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    collect(case, case, &mut files);
    Bundle::of_files(files, &[String::new()]).unwrap()
}

#[test]
fn invalid_policies_are_refused_with_code_and_place() {
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder("policy-invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 25, "the cases are found");
    let mut wrong = Vec::new();
    for case in cases {
        let mut files = bundle(&case);
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(files.clone(), &mut diagnostics);
        let refused = policy.is_none();
        assert_eq!(refused, diagnostics.has_errors(), "{case:?}: refused, if and only if there is an error");

        // The order of files does not matter.
        files.policies.reverse();
        let mut again = Diagnostics::default();
        assert_eq!(Policy::load(files, &mut again).is_none(), refused);
        let (all, again) = (diagnostics.sorted(), again.sorted());
        assert_eq!(render_text(&all, false), render_text(&again, false), "{case:?}");

        let found: String = all
            .iter()
            .map(|diagnostic| {
                assert!(explain(diagnostic.code).is_some(), "{} is explained", diagnostic.code);
                let place = diagnostic.place().map_or("nowhere".to_owned(), |place| place.to_string());
                let level = if diagnostic.level == Level::Warning { "warning " } else { "" };
                let related =
                    diagnostic.related.as_ref().map_or(String::new(), |(_, span)| format!(" and {}", span.place()));
                format!("{level}{} {place}{related}\n", diagnostic.code)
            })
            .collect();
        let path = case.join("expected.txt");
        if std::env::var("SWITCHBACK_BLESS").is_ok() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            let shown = render_text(&all, false);
            wrong.push(format!("{}\nexpected:\n{expected}found:\n{found}{shown}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
