//! What the formats say, also of hostile files.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::model::is_unprintable;

fn span(source: &Arc<Source>, of: &str) -> Span {
    Span { source: Arc::clone(source), offset: source.text.find(of).unwrap(), length: of.len() }
}

fn two() -> Vec<Diagnostic> {
    let source = Source::new("./p q/ä,b:c.yaml", "ä: 𝄞x 1\nname: y\n");
    vec![
        Diagnostic::error("unknown-key", "100% wrong").at(span(&source, "x 1")).help("right"),
        Diagnostic::warning("shadowed-rule", "w").at(span(&source, "name")).related("first", span(&source, "ä")),
        Diagnostic::error("no-policy-files", "nothing there"),
    ]
}

#[test]
fn github_gets_a_command_a_line() {
    assert_eq!(
        problems_for_github(&two(), "policies"),
        "::error file=p q/ä%2Cb%3Ac.yaml,line=1,col=5,endLine=1,endColumn=8,title=unknown-key::100%25 wrong%0Ahelp: right\n\
         ::warning file=p q/ä%2Cb%3Ac.yaml,line=2,col=1,endLine=2,endColumn=5,title=shadowed-rule::w%0Afirst: ./p q/ä,b:c.yaml:1:1\n\
         ::error file=policies,title=no-policy-files::nothing there\n"
    );
}

#[test]
fn gitlab_gets_a_place_of_each() {
    let report = problems_for_gitlab(&two(), "policies");
    let list = report.as_array().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[0]["location"], json!({"path": "p q/ä,b:c.yaml", "lines": {"begin": 1, "end": 1}}));
    assert_eq!((&list[0]["severity"], &list[1]["severity"]), (&json!("major"), &json!("minor")));
    assert_eq!(list[0]["description"], "100% wrong (right)");
    assert_eq!(list[1]["check_name"], "shadowed-rule");
    assert_eq!(list[2]["location"], json!({"path": "policies", "lines": {"begin": 1, "end": 1}}));
}

#[test]
fn sarif_has_rules_places_and_what_else_matters() {
    let log = problems_as_sarif(&two(), "policies");
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!((log["version"].as_str(), run["columnKind"].as_str()), (Some("2.1.0"), Some("unicodeCodePoints")));
    assert_eq!(results.len(), 3);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[key]["text"].as_str().unwrap().len() > 20, "{rule}");
        }
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
    }
    assert_eq!(
        results[0]["locations"][0]["physicalLocation"],
        json!({
            "artifactLocation": {"uri": "p%20q/%C3%A4%2Cb%3Ac.yaml", "uriBaseId": "%SRCROOT%"},
            // The note lies outside of the first plane and is one column.
            "region": {"startLine": 1, "startColumn": 5, "endLine": 1, "endColumn": 8},
        })
    );
    assert_eq!(results[0]["level"], "error");
    assert_eq!(results[0]["message"]["text"], "100% wrong: right");
    assert_eq!(results[1]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 1);
    assert_eq!(
        results[2]["locations"][0]["physicalLocation"],
        json!({"artifactLocation": {"uri": "policies", "uriBaseId": "%SRCROOT%"}})
    );
    let absolute = Source::new("/etc/a b.yaml", "x\n");
    let log = problems_as_sarif(&[Diagnostic::error("unknown-key", "m").at(span(&absolute, "x"))], "");
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"], json!({"uri": "file:///etc/a%20b.yaml"}));
}

/// The fingerprints of a problem at each `bad` of a text, in SARIF and in GitLab's report.
fn known(text: &str) -> Vec<(String, String)> {
    let source = Source::new("a.yaml", text);
    let places = text.match_indices("bad").map(|(offset, found)| (offset, found.len()));
    let problems: Vec<Diagnostic> = places
        .map(|(offset, length)| {
            Diagnostic::error("unknown-key", "m").at(Span { source: Arc::clone(&source), offset, length })
        })
        .collect();
    let (sarif, gitlab) = (problems_as_sarif(&problems, ""), problems_for_gitlab(&problems, ""));
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    (0..problems.len())
        .map(|i| {
            let prints = &sarif["runs"][0]["results"][i]["partialFingerprints"];
            (of(&prints["switchbackProblem/v1"]), of(&gitlab[i]["fingerprint"]))
        })
        .collect()
}

#[test]
fn a_problem_is_known_again_when_lines_move() {
    let before = known("x: 1\nbad: 1\ny: {bad: 2}\nbad: 1\n");
    let after = known("new: 1\n\nx: 1\n  bad: 1\nz: 3\ny: {bad: 2}\nbad: 1\n");
    assert_eq!(before, after);
    assert!(before[0] != before[1] && before[0] != before[2], "{before:?}");
}

proptest! {
    #[test]
    fn hostile_names_make_no_line_and_no_control_character(
        text in "(?s).{0,40}", name in "(?s).{0,20}", offset in 0usize..200, length in 0usize..200,
    ) {
        let injected = format!("{text}\r\n::add-mask::x\n{text}");
        let source = Source::new(format!("{name}\n::stop-commands::y"), injected.as_str());
        let at = |offset| Span { source: Arc::clone(&source), offset, length };
        let problems = [
            Diagnostic::error("unknown-key", &injected).help(&injected).at(at(offset)).related(injected.as_str(), at(length)),
            Diagnostic { message: injected.clone(), ..Diagnostic::warning("wrong-type", "") },
        ];
        let lines = problems_for_github(&problems, &name);
        prop_assert_eq!(lines.lines().count(), 2);
        prop_assert!(lines.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")));
        prop_assert!(!lines.chars().any(|c| c != '\n' && is_unprintable(c)), "{:?}", lines);
        prop_assert_eq!(problems_for_gitlab(&problems, &name).as_array().unwrap().len(), 2);
        let sarif = problems_as_sarif(&problems, &name);
        let uri = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        prop_assert!(uri.bytes().all(|b| b.is_ascii_graphic()));
    }
}
