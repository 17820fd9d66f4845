//! Rules with an evaluator in this process: what a child adds is its limits.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::builtins;
use super::protocol::{Answer, ProblemKind, Request, STACK};
use super::scan::scan;
use super::worker::{Worker, problem};
use super::*;
use crate::diagnostic::{Diagnostics, Source};

/// An evaluator on a thread with the child's stack, without its limits.
#[derive(Debug)]
struct InProcess;

struct Here(Worker);

impl Launcher for InProcess {
    fn launch(&self) -> Result<Box<dyn Runner>, Failure> {
        Ok(Box::new(Here(Worker::new())))
    }
}

impl Runner for Here {
    fn ask(&mut self, request: &Request, expected: usize, each: &mut dyn FnMut(Answer)) -> Result<(), Failure> {
        let request = serde_json::from_slice(&serde_json::to_vec(request).unwrap()).unwrap();
        let mut lines = Vec::new();
        std::thread::scope(|scope| {
            let ask = || {
                let mut write = |line: &[u8]| {
                    lines.push(line.to_vec());
                    Ok(())
                };
                self.0.handle(request, &mut write).unwrap();
            };
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, ask).unwrap().join().unwrap();
        });
        assert_eq!(lines.len(), expected);
        lines.iter().for_each(|line| each(serde_json::from_slice(line).unwrap()));
        Ok(())
    }
}

fn read(files: &[(&str, &str)]) -> (RuleSet, Vec<(&'static str, String)>) {
    let mut diagnostics = Diagnostics::default();
    let set = RuleSet::read(files.iter().map(|(name, text)| Source::new(*name, *text)), &mut diagnostics);
    let found = diagnostics.sorted();
    (set, found.iter().map(|d| (d.code, d.place().map_or(String::new(), |place| place.to_string()))).collect())
}

#[test]
fn rules_see_the_parts_of_the_input_that_they_name_and_no_more() {
    let paths = |body: &str| {
        let text = format!("package switchback.priority\n\ndefault override := null\n\n{body}\n");
        let (set, found) = read(&[("a.rego", &text)]);
        assert_eq!(found, [], "{body}");
        set.paths("switchback.priority")
    };
    let marked = |list: &[&str]| {
        let mut paths = input::Paths::default();
        for path in list {
            let parts: Vec<String> = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            paths.mark(&parts);
        }
        paths
    };
    assert_eq!(paths("override := \"low\" if input.finding.kev"), marked(&["finding.kev"]));
    assert_eq!(
        paths("override := \"low\" if input[\"asset\"].labels[\"env\"] == \"input.x\" # input.y"),
        marked(&["asset.labels.env"])
    );
    assert_eq!(paths("override := \"low\" if input.asset.labels[_] == \"x\""), marked(&["asset.labels"]));
    assert_eq!(paths("import input.asset.labels as l\n\noverride := l.x"), marked(&["asset.labels"]));
    assert_eq!(paths("override := \"low\" if f(input)\n\nf(x) if x"), marked(&[""]));
    assert_eq!(paths("override := \"low\" if input\n.finding"), marked(&[""]));
    // What helpers look at counts, and so does all where a package asks another one.
    let a = "package switchback.priority\n\noverride := data.lib.x\n";
    let lib = "package lib\n\nx := input.asset.name\n";
    let plan = "package switchback.plan\n\ndeny contains input.hosts\n";
    let (set, found) = read(&[("a.rego", a), ("lib.rego", lib), ("p.rego", plan)]);
    assert_eq!((set.paths("switchback.priority"), found), (marked(&["asset.name"]), vec![]));
    let (set, _) = read(&[("a.rego", &a.replace("data.lib.x", "data[\"switchback\"].plan.deny")), ("p.rego", plan)]);
    assert_eq!(set.paths("switchback.priority"), marked(&["hosts"]));
    let (set, _) = read(&[("a.rego", &a.replace("data.lib.x", "data[\"a\"][x]")), ("p.rego", plan)]);
    assert_eq!(set.paths("switchback.priority"), marked(&[]));
}

#[test]
fn functions_are_known_forbidden_or_defined() {
    let code = |body: &str| {
        let text = format!(
            "package switchback.priority\n\nimport data.lib.g\n\nimport data.lib as l\n\n{body}\n\noverride := 1\n"
        );
        read(&[("a.rego", &text)]).1.first().map(|(code, _)| *code)
    };
    for fine in [
        "import rego.v1",
        "x if input.finding.package in {\"a\"}",
        "x := count(input.finding.aliases)",
        "x := g(1) + l.h(1) + data.other.i(2)",
        "f(x) := x\n\ny := f(1)",
        "x := set()",
        "x if not (1 == 2)",
        "x := http.send if { http := {\"send\": 1} }",
    ] {
        let expected = if fine.contains("http") { Some("forbidden-builtin") } else { None };
        assert_eq!(code(fine), expected, "{fine}");
    }
    for forbidden in
        ["x := time.now_ns()", "x := uuid.rfc4122(\"a\")", "x := rand . intn(\"a\", 2)", "x if trace(\"a\")"]
    {
        assert_eq!(code(forbidden), Some("forbidden-builtin"), "{forbidden}");
    }
    assert_eq!(code("x := cuont(1)"), Some("unknown-function"));
    assert_eq!(code("x := deb.version_lte(1, 2)"), Some("unknown-function"));
}

#[test]
fn every_allowed_function_exists_in_the_evaluator_and_no_forbidden_one_answers() {
    let mut worker = Worker::new();
    let mut ask = |name: &str| {
        let text = format!("package t.{}\n\nx := {name}()\n", name.replace('.', "_"));
        let rule = format!("data.t.{}.x", name.replace('.', "_"));
        let mut answers: Vec<Answer> = Vec::new();
        for request in [Request::Add { file: 0, text }, Request::Evaluate { rule, inputs: vec![regorus::Value::Null] }]
        {
            let mut write = |line: &[u8]| {
                answers.push(serde_json::from_slice(line).unwrap());
                Ok(())
            };
            worker.handle(request, &mut write).unwrap();
        }
        format!("{:?}", answers.last().unwrap())
    };
    // It exists if it complains about its arguments.
    let missing: Vec<&str> =
        builtins::names().filter(|name| ask(name).contains("could not find function") && *name != "set").collect();
    assert_eq!(missing, [""; 0]);
    for name in ["time.now_ns", "uuid.rfc4122", "opa.runtime", "rand.intn"] {
        assert!(builtins::refused(name).is_some());
    }
}

#[test]
fn errors_of_the_evaluator_are_read() {
    let text = "\n--> 3:12:7\n   |\n12 | x := y\n   |      ^\nerror: var `y` is\nnot good";
    let found = problem(ProblemKind::Failed, text);
    assert_eq!((found.place, found.message.as_str()), (Some((3, 12, 7)), "var `y` is not good"));
    let bare = problem(ProblemKind::Failed, "no place: 1:2:3\u{1b}");
    assert_eq!((bare.place, bare.message.as_str()), (None, "no place: 1:2:3\u{fffd}"));
    let late = problem(ProblemKind::Failed, "execution exceeded time limit (elapsed=2ns, limit=1ns)");
    assert_eq!(late.kind, ProblemKind::Timeout);
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(package a|input|data|\\.|x|\\[|\\]|\\(|\\)|\\{|\"|`|#|\n| |é|\\\\|default|import|as){0,60}") {
        let source = Source::new("a.rego", text);
        let mut diagnostics = Diagnostics::default();
        let facts = scan(&source, false, &mut diagnostics);
        drop(facts);
        for diagnostic in diagnostics.iter() {
            prop_assert!(diagnostic.place().is_some());
        }
        RuleSet::read([source], &mut diagnostics);
    }
}

/// Cases that the evaluator answers in another way than OPA, by the end of their note, with the reason.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "reachable_paths/cycle_1022_3",
        "OPA's own answer depends on the order of its maps; the evaluator gives every path",
    ),
    ("withkeyword/builtin-builtin: arity 0", "`opa.runtime` asks the machine and is refused"),
];

/// OPA's own cases, where a folder with them is at hand.
#[test]
fn opa_cases_are_answered_as_opa_does() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    #[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
    let corpus = std::env::var("SWITCHBACK_CORPUS").map_or_else(|_| beside(), PathBuf::from);
    let Ok(folder) = std::fs::read_dir(corpus.join("policy/opa-cases")) else {
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: no cases in {}", corpus.display());
        }
        return;
    };
    let (mut run, mut wrong, mut otherwise) = (0, Vec::new(), BTreeMap::new());
    for entry in folder {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for (number, case) in file["cases"].as_array().unwrap().iter().enumerate() {
            let name = format!("{}#{number} {}", path.file_name().unwrap().display(), case["note"].as_str().unwrap());
            run += 1;
            if let Err(why) = opa_case(case) {
                match OTHERWISE.iter().find(|(known, _)| name.ends_with(known)) {
                    Some((known, _)) => drop(otherwise.insert(*known, why)),
                    None => wrong.push(format!("{name}\n  {why}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {run}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(run >= 25, "{run} cases");
    assert!(otherwise.len() <= OTHERWISE.len(), "{otherwise:?}");
}

/// One case in the evaluator as rules have it; `Err` says how the answers differ.
fn opa_case(case: &Value) -> Result<(), String> {
    let mut engine = regorus::Engine::new();
    engine.set_strict_builtin_errors(case["strict_error"] == json!(true));
    let result = (|| {
        for (number, module) in case["modules"].as_array().into_iter().flatten().enumerate() {
            engine.add_policy(format!("{number}.rego"), module.as_str().unwrap_or_default().to_owned())?;
        }
        if let Some(data) = case.get("data").filter(|data| !data.is_null()) {
            engine.add_data(serde_json::from_value(data.clone()).unwrap())?;
        }
        if let Some(term) = case["input_term"].as_str() {
            let value = engine.eval_query(term.to_owned(), false)?;
            let value = value.result.first().map(|result| result.expressions[0].value.clone());
            engine.set_input(value.unwrap_or(regorus::Value::Undefined));
        } else if let Some(input) = case.get("input") {
            engine.set_input(serde_json::from_value(input.clone()).unwrap());
        }
        engine.eval_query(case["query"].as_str().unwrap().to_owned(), false)
    })();
    let wants_error = case.get("want_error").is_some() || case.get("want_error_code").is_some();
    let wants_error = wants_error || case["strict_error"] == json!(true) && case.get("want_result").is_none();
    let results = match result {
        Err(_) if wants_error => return Ok(()),
        // What is not built in is refused where rules are checked.
        Err(error) if absent(&format!("{error:#}")) => return Ok(()),
        Err(error) => return Err(format!("an error: {error:#}")),
        Ok(_) if wants_error => return Err(format!("no error, where OPA says {}", case["want_error"])),
        Ok(results) => results,
    };
    let sorted = |mut rows: Vec<Value>| {
        rows.sort_by_key(ToString::to_string);
        rows
    };
    let sort_bindings = case["sort_bindings"] == json!(true);
    let shape = |row: Value| match row {
        Value::Object(map) if sort_bindings => {
            let sort = |value| match value {
                Value::Array(items) => Value::Array(sorted(items)),
                value => value,
            };
            Value::Object(map.into_iter().map(|(key, value)| (key, sort(value))).collect())
        }
        row => row,
    };
    let got: Vec<Value> =
        results.result.iter().map(|row| shape(serde_json::to_value(&row.bindings).unwrap())).collect();
    let want: Vec<Value> = case["want_result"].as_array().into_iter().flatten().cloned().map(shape).collect();
    let normal = |rows: Vec<Value>| sorted(rows.into_iter().map(numbers).collect());
    let (got, want) = (normal(got), normal(want));
    if got == want { Ok(()) } else { Err(format!("{} is not {}", Value::Array(got), Value::Array(want))) }
}

/// A whole number is the same with and without a fraction.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => Value::Array(items.into_iter().map(numbers).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, numbers(value))).collect()),
        value => value,
    }
}

/// Whether an error says that a function is not there which rules may not call anyway.
fn absent(error: &str) -> bool {
    let name = error.split_once("could not find function ").map(|(_, name)| name.trim());
    name.is_some_and(|name| !builtins::allowed(name))
}

#[test]
fn the_evaluator_answers_in_this_process_as_well() {
    let text = "package switchback.priority\n\noverride := input.finding.type\n";
    let (set, _) = read(&[("a.rego", text)]);
    let mut problems = Vec::new();
    let mut runner = super::rules::load(&set, false, &InProcess, &mut problems).unwrap();
    let inputs = vec![json!({"finding": {"type": "linux"}}), json!({})];
    let request = Request::Evaluate { rule: "data.switchback.priority.override".to_owned(), inputs };
    let mut answers = Vec::new();
    runner.ask(&request, 2, &mut |answer| answers.push(answer)).unwrap();
    assert!(matches!(&answers[0], Answer::Value(value) if value == "linux") && matches!(answers[1], Answer::Undefined));
}

#[test]
fn a_package_is_what_the_first_words_say() {
    let read = |text: &str| {
        let (set, found) = read(&[("a.rego", text)]);
        (set.files[0].facts.package.clone(), found)
    };
    let text =
        "# package x\npackage switchback.priority\n\noverride := \"low\" if input.finding.package in {\"default\"}\n";
    assert_eq!(read(text), ("switchback.priority".to_owned(), vec![]));
    assert_eq!(read("x := 1\npackage a\n").1, [("invalid-rego", "a.rego:1:1".to_owned())]);
    assert_eq!(read("package switchback[\"prio\"]\n").1, [("unknown-rule-package", "a.rego:1:9".to_owned())]);
}
