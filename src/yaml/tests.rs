//! What the reader of YAML takes, refuses and says.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::diagnostic::{Diagnostics, Source};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Doc {
    #[serde(default)]
    name: Option<Spanned<String>>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    count: Option<u8>,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    list: OneOrMany<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Stop,
    Run { argv: Vec<String> },
}

fn read(text: &str) -> Result<Doc, Vec<String>> {
    let source = Source::new("f.yaml", text);
    let mut diagnostics = Diagnostics::default();
    match parse::<Doc>(&source, Size::Small, &mut diagnostics) {
        Some(doc) => {
            assert!(!diagnostics.has_errors());
            Ok(doc)
        }
        None => {
            assert!(diagnostics.has_errors());
            Err(diagnostics.sorted().iter().map(|d| format!("{d} | {}", d.help.clone().unwrap_or_default())).collect())
        }
    }
}

fn errors(text: &str) -> String {
    read(text).unwrap_err().join("\n")
}

#[test]
fn values_keep_their_text_and_their_place() {
    let doc = read("# ü\nname: 1.10\nlist: one\nlabels: {env: prod, on: \"no\", tier: 1}\nsteps: [stop, {run: {argv: [\"012\", a]}}]\n")
        .unwrap();
    let name = doc.name.unwrap();
    assert_eq!(name.value, "1.10");
    assert_eq!((name.offset, name.length), (11, 4));
    assert_eq!(doc.list.0[0].value, "one");
    assert_eq!(doc.labels["on"], "no");
    assert_eq!(doc.labels["tier"], "1");
    let plain = read("count: 7\nshare: 0.5\nenabled: true").unwrap();
    assert_eq!((plain.count, plain.share, plain.enabled), (Some(7), Some(0.5), Some(true)));
    assert_eq!(doc.steps[1], Step::Run { argv: vec!["012".into(), "a".into()] });
    assert_eq!(doc.steps[0], Step::Stop);
    assert_eq!(read("list: [a, b]").unwrap().list.0.len(), 2);
}

#[test]
fn all_problems_of_a_file_are_reported_at_once() {
    insta::assert_snapshot!(errors("nmae: x\ncount: 300\nshare: a\nenabled: yes\nlist: {a: b}\nsteps:\n  - run: {argv: []}\n  - run: {argv: b}\n  - walk\n  - run: {}\nreason: no\n"), @r#"
    f.yaml:1:1: unknown key `nmae` [unknown-key] | did you mean `name`?
    f.yaml:2:8: expected a whole number from 0, at most 255, found the number `300` [wrong-type] | 
    f.yaml:3:8: expected a number, found the text `a` [wrong-type] | 
    f.yaml:4:10: expected `true` or `false`, found the text `yes` [wrong-type] | only `true` and `false` are truth values here
    f.yaml:5:7: expected a text, found a mapping [wrong-type] | 
    f.yaml:8:17: expected a list, found the text `b` [wrong-type] | put it in brackets: [ ... ]
    f.yaml:9:5: unknown value `walk` [invalid-value] | write one of `stop`, `run`
    f.yaml:10:10: key `argv` is missing [missing-key] | 
    f.yaml:11:9: `no` without quotes is a truth value to other readers of YAML [ambiguous-scalar] | write "no"
    "#);
}

#[test]
fn yaml_1_1_surprises_are_refused() {
    for text in ["no", "on", "Off", "YES", "012", "22:00", "1:30:00"] {
        assert!(errors(&format!("reason: {text}")).contains("ambiguous-scalar"), "{text}");
        assert_eq!(read(&format!("reason: \"{text}\"")).unwrap().reason.unwrap(), text);
        assert_eq!(read(&format!("reason: '{text}'")).unwrap().reason.unwrap(), text);
    }
    for text in ["2026-12-18T18:00", "1:99", "nowhere", "y", "0", "a:10", "10.0.0.1", "fe80::1"] {
        assert_eq!(read(&format!("reason: {text}")).unwrap().reason.unwrap(), text);
    }
    assert!(errors("count: 012").contains("octal"));
    assert!(errors("count: \"12\"").contains("without quotes"));
    assert!(errors("enabled: on").contains("only `true` and `false`"));
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let source = Source::new("f.yaml", "name: a\nreason: x\nname: b\n");
    let mut diagnostics = Diagnostics::default();
    assert!(parse::<Doc>(&source, Size::Small, &mut diagnostics).is_none());
    let all = diagnostics.sorted();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].to_string(), "f.yaml:3:1: key `name` is given twice [duplicate-key]");
    assert_eq!(all[0].related.as_ref().unwrap().1.place().to_string(), "f.yaml:1:1");
}

#[test]
fn syntax_errors_have_a_place() {
    insta::assert_snapshot!([
        errors("name: [a\n"), errors("name: a\n b: c\n  - d\n"), errors("name: \"a"),
        errors("name: a\n---\nname: b\n"), errors("name: *nowhere"), errors(""), errors("[]"), errors("name: {a: b}"),
        errors("list: [~]"), errors("labels: {[a]: b}"), errors("name: \u{1}"),
    ].join("\n"), @r#"
    f.yaml:1:7: unclosed bracket '[' [invalid-yaml] | 
    f.yaml:2:3: mapping values are not allowed in this context [invalid-yaml] | 
    f.yaml:1:7: unclosed quote [invalid-yaml] | 
    f.yaml:3:1: a second document begins here [invalid-yaml] | put it into a file of its own
    f.yaml:1:7: alias references unknown anchor [invalid-yaml] | 
    f.yaml:1:1: expected a mapping, found nothing [wrong-type] | its keys are `name`, `reason`, `count`, `share`, `enabled`, `list`, `labels`, `steps`
    f.yaml:1:1: expected a mapping, found a list [wrong-type] | its keys are `name`, `reason`, `count`, `share`, `enabled`, `list`, `labels`, `steps`
    f.yaml:1:7: expected a text, found a mapping [wrong-type] | 
    f.yaml:1:8: expected a text, found nothing [wrong-type] | 
    f.yaml:1:10: expected a text, found a list [wrong-type] | 
    f.yaml:1:7: unexpected character: `\u{1}' [invalid-yaml] |
    "#);
}

#[test]
fn bombs_are_refused_with_their_limit() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..9 {
        let reference = format!("*a{}", i - 1);
        aliases.push_str(&format!("a{i}: &a{i} [{}]\n", vec![reference; 10].join(", ")));
    }
    let depth = format!("name: {}x{}", "[".repeat(100), "]".repeat(100));
    let block = (0..100).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>();
    let nodes = format!("list: [{}]", "a, ".repeat(100_001));
    let bytes = format!("name: {}", "x".repeat(5 << 20));
    insta::assert_snapshot!([&aliases, &depth, &block, &nodes, &bytes].map(|t| errors(t)).join("\n"), @r#"
    f.yaml:5:45: anchors and aliases repeat more than 100000 nodes [yaml-limit] | 
    f.yaml:1:38: the document nests deeper than 32 levels [yaml-limit] | 
    f.yaml:33:33: the document nests deeper than 32 levels [yaml-limit] | 
    f.yaml:1:299999: the document has more than 100000 nodes [yaml-limit] | 
    f.yaml:1:1: `f.yaml` is larger than 4 MiB [yaml-limit] |
    "#);
}

#[test]
fn aliases_and_merges_work_as_written() {
    let doc = read("labels: &l {a: b}\nsteps: []\nreason: &r text\nname: *r\n").unwrap();
    assert_eq!(doc.name.unwrap().value, "text");
    let doc = read("labels: {<<: {a: b}, c: d}").unwrap();
    assert_eq!(doc.labels.len(), 2);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n\t&*{}\\[\\]:]{0,80}") {
        let _ = read(&text);
    }

    #[test]
    fn quoted_texts_come_back(text in "\\PC{0,40}") {
        let doc = read(&format!("name: {}", serde_json::to_string(&text).unwrap())).unwrap();
        prop_assert_eq!(doc.name.unwrap().value, text);
    }
}
