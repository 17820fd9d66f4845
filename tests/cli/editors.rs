//! What editors know of the files that people write: schemas, judged by a validator that is not ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::policy::Policy;

const HEADER: &str = "# yaml-language-server: $schema=";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap()
}

fn schema(name: &str) -> Value {
    let path = root().join("schemas").join(format!("{name}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn of(name: &str) -> Self {
        let mut compiler = Compiler::new();
        compiler.add_resource("https://switchback.test/schema.json", schema(name)).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("https://switchback.test/schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn judge(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.index).map_err(|error| format!("{error:#}"))
    }
}

/// A document as editors read it, by YAML 1.2.
fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
    serde_yaml::from_str_with_options(text, options).map_err(|error| error.to_string())
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
}

#[test]
fn what_is_shipped_names_its_schema_and_is_as_it_says() {
    let mut files = Vec::new();
    for folder in ["policies", "playbooks", "examples"] {
        yaml_files(&root().join(folder), &mut files);
    }
    files.sort();
    let mut judged: BTreeMap<String, u32> = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        // Files of other programs, such as pipelines, have no version of ours.
        if !text.lines().any(|line| line == "version: 1") {
            continue;
        }
        let first = text.lines().next().unwrap();
        let target = first.strip_prefix(HEADER).unwrap_or_else(|| panic!("{}: no schema in line 1", path.display()));
        let target =
            path.parent().unwrap().join(target).canonicalize().unwrap_or_else(|_| panic!("{}", path.display()));
        assert_eq!(target.parent().unwrap(), root().join("schemas"), "{}", path.display());
        let name = target.file_name().unwrap().to_str().unwrap().strip_suffix(".schema.json").unwrap().to_owned();
        if let Err(why) = Validator::of(&name).judge(&yaml(&text).unwrap()) {
            panic!("{}: {why}", path.display());
        }
        *judged.entry(name).or_default() += 1;
    }
    let kinds: Vec<&str> = judged.keys().map(String::as_str).collect();
    for kind in ["inventory", "playbook", "policy"] {
        assert!(kinds.contains(&kind), "{judged:?}");
    }
}

/// Policies whose shape is right for a schema and wrong for us, with the reason.
const BEYOND_SCHEMAS: &[(&str, &str)] = &[
    ("calendar-and-schedule", "which of two keys is there, a schema could say and no editor would explain"),
    ("no-start", "`cron` gives the time of day itself, everything else needs `start`"),
];

#[test]
fn policies_of_the_wrong_shape_are_refused_by_the_schema_too() {
    let validator = Validator::of("policy");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root().join("tests/cases/policy-invalid"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    let (mut refused, mut wrong) = (0, Vec::new());
    for case in cases {
        let mut files = Vec::new();
        yaml_files(&case, &mut files);
        for path in files {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut diagnostics = Diagnostics::default();
            let _ = Policy::load(vec![Source::new("p.yaml", text.as_str())], &mut diagnostics);
            let structural = diagnostics.iter().find(|d| {
                matches!(d.code, "unknown-key" | "wrong-type" | "missing-key")
                    || d.code == "invalid-value" && d.message.starts_with("unknown value")
            });
            // Without a tree there is nothing to judge.
            let (Some(structural), Ok(value)) = (structural, yaml(&text)) else { continue };
            let name = case.file_name().unwrap().to_str().unwrap();
            let beyond = BEYOND_SCHEMAS.iter().any(|(case, _)| *case == name);
            match validator.judge(&value) {
                Ok(()) if !beyond => wrong.push(format!("{}: {structural}", path.display())),
                Err(_) if beyond => wrong.push(format!("{name} is no exception any more")),
                _ => refused += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 8, "only {refused} cases are of the wrong shape");
}

/// The places of properties that say nothing of themselves.
fn silent(schema: &Value, at: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                for (key, property) in properties {
                    if property.get("description").is_none_or(|d| d.as_str().is_none_or(|d| d.len() < 5)) {
                        found.push(format!("{at}/{key}"));
                    }
                }
            }
            object.iter().for_each(|(key, value)| silent(value, &format!("{at}/{key}"), found));
        }
        Value::Array(all) => all.iter().for_each(|value| silent(value, at, found)),
        _ => {}
    }
}

#[test]
fn every_key_says_what_it_is() {
    for name in ["policy", "playbook", "inventory"] {
        let mut found = Vec::new();
        silent(&schema(name), name, &mut found);
        assert!(found.is_empty(), "without a doc comment: {found:#?}");
    }
}

#[test]
fn a_text_may_stand_without_quotes_where_we_take_it() {
    let policy = Validator::of("policy");
    for fine in ["{per: {label: service}, value: 2}", "{per: {label: service}, value: \"25%\"}"] {
        let text = format!("version: 1\nrollout: {{max_unavailable: {fine}}}\n");
        let mut diagnostics = Diagnostics::default();
        assert!(Policy::load(vec![Source::new("p.yaml", text.as_str())], &mut diagnostics).is_some(), "{text}");
        assert_eq!(policy.judge(&yaml(&text).unwrap()), Ok(()), "{text}");
    }
    let list = "version: 1\nrollout: {max_unavailable: {per: {label: service}, value: [2]}}\n";
    assert!(policy.judge(&yaml(list).unwrap()).is_err());
    let inventory = Validator::of("inventory");
    let fine = "version: 1\nhosts:\n  a:\n  b: {labels: {rack: 7, spare: true}, os: {family: debian, version: 12}, provider: {kind: exec, backup: [b], restore: [r], timeout: 10m}}\n";
    assert_eq!(inventory.judge(&yaml(fine).unwrap()), Ok(()));
    for bad in [
        "a: {labels: {rack: 7.5}}",
        "a: {adress: b}",
        "a: {provider: {kind: zfs}}",
        "a: {provider: {kind: exec, timeout: 10}}",
        "a: {ssh: {port: x}}",
    ] {
        let text = format!("version: 1\nhosts:\n  {bad}\n");
        assert!(inventory.judge(&yaml(&text).unwrap()).is_err(), "{bad}");
    }
}

/// `SWITCHBACK_BLESS=1` writes the file instead of comparing it.
#[expect(clippy::disallowed_methods, reason = "the test asks its own environment")]
#[test]
fn the_list_of_codes_is_what_the_program_says() {
    let mut text = "# Codes\n\nWhat `switchback check` and its siblings may find wrong, by code; `switchback check --explain CODE` says the same.\n\
        Made from the program by its tests: `SWITCHBACK_BLESS=1 cargo test --test cli`.\n"
        .to_owned();
    for (code, explanation) in switchback::diagnostic::CODES {
        text += &format!("\n## {code}\n{explanation}\n");
    }
    let path = root().join("docs/reference/codes.md");
    if std::env::var_os("SWITCHBACK_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == text, "docs/reference/codes.md has drifted");
}
