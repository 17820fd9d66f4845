//! Reads JUnit XML as strictly as those who take it in.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// What a JUnit report counts, by reading it; each element and attribute is held against what the common schema allows.
#[derive(Debug, Default, PartialEq)]
pub struct Junit {
    pub cases: usize,
    pub failures: usize,
    pub skipped: usize,
    pub text: String,
}

/// Elements with the one that they stand in, and the attributes that they may have: those of the schema of Jenkins' xUnit
/// plugin, and `file` and `line`, which others read.
const SCHEMA: [(&str, &str, &[&str]); 5] = [
    ("testsuites", "", &["name", "tests", "failures", "errors", "time", "disabled"]),
    (
        "testsuite",
        "testsuites",
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        ],
    ),
    ("testcase", "testsuite", &["name", "classname", "time", "assertions", "status", "file", "line"]),
    ("failure", "testcase", &["message", "type"]),
    ("skipped", "testcase", &["message", "type"]),
];

impl Junit {
    pub fn read(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let (mut junit, mut open, mut said) = (Self::default(), Vec::<String>::new(), Vec::<[usize; 3]>::new());
        let mut counted = Vec::<[usize; 3]>::new();
        loop {
            let event = reader.read_event().unwrap();
            let empty = matches!(event, Event::Empty(_));
            match event {
                Event::Eof => break,
                Event::Start(element) | Event::Empty(element) => {
                    let name = element.name().as_ref().to_owned();
                    let parent = open.last().map_or("", String::as_str);
                    let schema =
                        SCHEMA.iter().find(|(element, within, _)| (*element, *within) == (name.as_str(), parent));
                    let (_, _, allowed) = schema.unwrap_or_else(|| panic!("{name} in {parent}"));
                    for attribute in element.attributes() {
                        let key = attribute.unwrap().key;
                        assert!(allowed.contains(&key.as_ref()), "{name} has {key:?}");
                    }
                    match name.as_str() {
                        "testsuites" | "testsuite" => {
                            let number = |key| attribute(&element, key).parse::<usize>().unwrap();
                            assert_eq!(number("errors"), 0);
                            assert!(!attribute(&element, "name").is_empty() && seconds(&element) >= 0.0);
                            let skipped = has(&element, "skipped").then(|| number("skipped"));
                            said.push([number("tests"), number("failures"), skipped.unwrap_or(usize::MAX)]);
                            counted.push([junit.cases, junit.failures, junit.skipped]);
                        }
                        "testcase" => {
                            assert!(
                                !attribute(&element, "name").is_empty() && !attribute(&element, "classname").is_empty()
                            );
                            assert!(seconds(&element) >= 0.0);
                            junit.cases += 1;
                        }
                        "skipped" => {
                            assert!(empty && !attribute(&element, "message").is_empty());
                            junit.skipped += 1;
                        }
                        _ => {
                            assert!(
                                !attribute(&element, "message").is_empty() && !attribute(&element, "type").is_empty()
                            );
                            junit.failures += 1;
                        }
                    }
                    if !empty {
                        open.push(name);
                    }
                }
                Event::End(_) => {
                    let name = open.pop().unwrap();
                    if name.starts_with("testsuite") {
                        let [cases, failures, skipped] = counted.pop().unwrap();
                        let [said_cases, said_failures, said_skipped] = said.pop().unwrap();
                        assert_eq!(
                            [said_cases, said_failures],
                            [junit.cases - cases, junit.failures - failures],
                            "{name}"
                        );
                        assert!(said_skipped == usize::MAX || said_skipped == junit.skipped - skipped, "{name}");
                    }
                }
                Event::Text(text) if open.last().is_some_and(|name| name == "failure") => {
                    junit.text.push_str(&text.xml10_content());
                }
                Event::GeneralRef(_) | Event::Text(_) | Event::Decl(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(open.is_empty());
        junit
    }
}

fn has(element: &BytesStart<'_>, key: &str) -> bool {
    element.attributes().map(Result::unwrap).any(|attribute| attribute.key.as_ref() == key)
}

fn attribute(element: &BytesStart<'_>, key: &str) -> String {
    let found = element.attributes().map(Result::unwrap).find(|attribute| attribute.key.as_ref() == key);
    let found = found.unwrap_or_else(|| panic!("{element:?} has no {key}"));
    found.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned()
}

fn seconds(element: &BytesStart<'_>) -> f64 {
    attribute(element, "time").parse().unwrap()
}
