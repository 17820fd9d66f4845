//! Data-driven cases: a folder per case under `tests/cases/`; a case is added without touching code.
//!
//! `policy-invalid/NAME/`: the policy files of a bundle, and `expected.txt` with a line `CODE FILE:LINE:COLUMN` for
//! every problem (and its other place, where it has one). `SWITCHBACK_BLESS=1` writes what was found.
//!
//! `suite-invalid/NAME/`: the same for tests of policies (`*.test.yaml`).
//!
//! `ansible/NAME/`: inventories (`hosts*`), and what ansible-core says of them: `expected.json` as
//! `ansible-inventory --list` prints it, or `"refused"` and why in our words in `refused.txt`; `patterns.tsv` with hosts
//! by pattern. `ansible/README.md` says how they were made.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and asks its own environment")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use switchback::diagnostic::{Diagnostic, Diagnostics, Level, explain, render_text};
use switchback::intake::{Inventory, read_inventory};
use switchback::policy::{Bundle, Policy, Suite};

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

/// The folders of a kind, sorted.
fn cases(kind: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// How what was found differs from what is expected.
fn differs(case: &Path, all: &[Diagnostic]) -> Option<String> {
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
    let shown = render_text(all, false);
    (found != expected).then(|| format!("{}\nexpected:\n{expected}found:\n{found}{shown}", case.display()))
}

#[test]
fn invalid_policies_are_refused_with_code_and_place() {
    let cases = cases("policy-invalid");
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

        wrong.extend(differs(&case, &all));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn invalid_tests_of_policies_are_refused_with_code_and_place() {
    let cases = cases("suite-invalid");
    assert!(cases.len() >= 15, "the cases are found");
    let mut wrong = Vec::new();
    for case in cases {
        let bundle = bundle(&case);
        let [source] = bundle.tests.as_slice() else { panic!("{case:?}: one file of tests") };
        let mut diagnostics = Diagnostics::default();
        let suite = Suite::load(source, &bundle, &mut diagnostics);
        assert!(suite.is_none() && diagnostics.has_errors(), "{case:?} is refused");
        let all = diagnostics.sorted();
        let shown = render_text(&all, false);
        let harmless = |c: char| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(shown.chars().all(harmless), "{case:?} drives a terminal");
        wrong.extend(differs(&case, &all));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// As Ansible runs inventory programs.
fn run_program(program: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = std::process::Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(output.status.to_string()) }
}

fn inventory_of(case: &Path) -> (Option<Inventory>, Diagnostics) {
    let names = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let is_source = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("hosts");
    let mut sources: Vec<PathBuf> = names.filter(is_source).collect();
    sources.sort();
    assert!(!sources.is_empty(), "{case:?}: no source");
    let mut diagnostics = Diagnostics::default();
    let inventory = read_inventory(&sources, Some(&run_program), &mut diagnostics);
    (inventory, diagnostics)
}

/// Members of groups as sets; a text that is no template is a text.
fn normal(value: &mut Value, members: bool) {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("__ansible_unsafe") => {
            *value = map.remove("__ansible_unsafe").unwrap();
        }
        Value::Object(map) => {
            for (key, value) in map {
                normal(value, !matches!(key.as_str(), "_meta" | "hostvars"));
                if let (true, "hosts" | "children", Value::Array(names)) = (members, key.as_str(), value) {
                    names.sort_by_key(ToString::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normal(item, false)),
        _ => {}
    }
}

#[test]
fn ansible_inventories_answer_as_ansible_core_does() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder("ansible")).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    assert!(cases.len() >= 100, "the cases are found");
    let (mut wrong, mut patterns) = (Vec::new(), 0);
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let mut expected: Value = serde_json::from_slice(&std::fs::read(case.join("expected.json")).unwrap()).unwrap();
        let (inventory, diagnostics) = inventory_of(&case);
        for diagnostic in diagnostics.iter() {
            assert!(explain(diagnostic.code).is_some(), "{} is explained", diagnostic.code);
        }
        let shown = render_text(&diagnostics.clone().sorted(), false);
        let Some(inventory) = inventory else {
            let codes: String = diagnostics
                .sorted()
                .iter()
                .map(|d| {
                    format!("{} {}\n", d.code, d.place().map_or(String::new(), |p| format!("{}:{}", p.line, p.column)))
                })
                .collect();
            let path = case.join("refused.txt");
            if std::env::var("SWITCHBACK_BLESS").is_ok() {
                std::fs::write(&path, &codes).unwrap();
            }
            if expected != "refused" || codes != std::fs::read_to_string(&path).unwrap_or_default() {
                wrong.push(format!("{name}: refused\n{codes}{shown}"));
            }
            continue;
        };
        let mut found = inventory.ansible_list().unwrap();
        normal(&mut found, true);
        normal(&mut expected, true);
        if found != expected {
            wrong.push(format!("{name}\nexpected {expected}\nfound    {found}\n{shown}"));
        }
        let Ok(table) = std::fs::read_to_string(case.join("patterns.tsv")) else { continue };
        for line in table.lines() {
            let (pattern, hosts) = line.split_once('\t').unwrap();
            let selected = inventory.select(pattern).map_or("refused".to_owned(), |selected| {
                selected.hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(",")
            });
            patterns += 1;
            if selected != hosts {
                wrong.push(format!("{name}: pattern {pattern:?}\nexpected {hosts}\nfound    {selected}"));
            }
        }
    }
    assert!(patterns >= 80, "{patterns} patterns");
    assert!(wrong.is_empty(), "{}\n\n{} are wrong", wrong.join("\n\n"), wrong.len());
}
