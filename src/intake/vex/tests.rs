//! Every document of the corpus gives the facts of its README, and hostile ones are refused.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Source, explain};
use crate::model::{ProductName, VexStatus};

fn read(text: &str) -> Result<VexDocument, crate::intake::IntakeError> {
    read_vex(&Source::new("v.json", text))
}

/// A file, its kind, and its facts.
type Row = (String, String, BTreeMap<String, String>);

/// The folder of files by others, and what its README states of those under a folder.
#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
fn facts(under: &str) -> Option<(PathBuf, Vec<Row>)> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("SWITCHBACK_CORPUS").map_or_else(beside, PathBuf::from);
    let Ok(readme) = std::fs::read_to_string(folder.join("README.md")) else {
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: no corpus at {}", folder.display());
        }
        return None;
    };
    let rows = readme.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [path, what, .., facts] = cells[..] else { return None };
        let fact = |item: &str| item.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()));
        path.starts_with(under).then(|| (path.to_owned(), what.to_owned(), facts.split(';').filter_map(fact).collect()))
    });
    let rows: Vec<_> = rows.collect();
    Some((folder, rows))
}

/// `not_affected 2, fixed 1` as counts, without zeros.
fn counts(text: Option<&String>) -> BTreeMap<String, u64> {
    let count = |item: &str| {
        let (name, number) = item.trim().rsplit_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    text.into_iter().flat_map(|text| text.split(',')).filter_map(count).filter(|(_, number)| *number > 0).collect()
}

fn tally(names: impl IntoIterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut tally = BTreeMap::new();
    for (name, number) in names {
        *tally.entry(name).or_default() += number;
    }
    tally
}

#[test]
fn every_document_of_the_corpus_gives_its_facts() {
    let Some((folder, rows)) = facts("vex/") else { return };
    assert!(rows.len() >= 36, "{}", rows.len());
    let mut refused = BTreeMap::new();
    for (path, what, facts) in rows {
        let source = Source::new(path.clone(), std::fs::read_to_string(folder.join(&path)).unwrap());
        let document = match read_vex(&source) {
            Ok(document) => document,
            Err(error) => {
                assert!(explain(error.code).is_some(), "{}", error.code);
                refused.insert(path, (error.code, error.place));
                continue;
            }
        };
        let number = |key: &str| facts.get(key).map_or(0, |text| text.parse::<usize>().unwrap());
        let statements = &document.statements;
        let all_products = || statements.iter().flat_map(|statement| &statement.products);
        let justifications = tally(statements.iter().filter_map(|s| Some((s.justification.clone()?, 1))));
        let statuses = tally(statements.iter().map(|s| (s.status.as_str().to_owned(), 1)));
        let vulnerabilities: BTreeSet<_> = statements.iter().map(|s| &s.vulnerabilities).collect();
        let ids: BTreeSet<&str> = statements.iter().map(|statement| statement.id.as_str()).collect();
        assert_eq!(ids.len(), statements.len(), "{path}: every statement has a name of its own");
        // The place of a statement is where it begins.
        for statement in statements {
            let (line, column) = statement.place;
            let line = source.text.lines().nth(line as usize - 1).unwrap();
            assert_eq!(line.chars().nth(column as usize - 1), Some('{'), "{path}: {}", statement.id);
        }
        match what.as_str() {
            "OpenVEX" => {
                assert_eq!((document.format, statements.len()), ("openvex", number("statements")), "{path}");
                assert_eq!(vulnerabilities.len(), number("distinct_vulns"), "{path}");
                assert_eq!(statuses, counts(facts.get("statuses")), "{path}");
                assert_eq!(justifications, counts(facts.get("justifications")), "{path}");
                let products: BTreeSet<String> = all_products().map(|p| format!("{:?}", p.names)).collect();
                assert_eq!(products.len(), number("products"), "{path}");
                assert_eq!(all_products().map(|p| p.parts.len()).sum::<usize>(), number("subcomponents"), "{path}");
                assert!(statements.iter().all(|s| s.timestamp.is_some() || facts["statements"] == "218"), "{path}");
            }
            "CSAF 2.0" => {
                assert_eq!((document.format, &document.id), ("csaf", &facts["id"]), "{path}");
                let key = |id: &str| {
                    id.split('/')
                        .find(|part| super::csaf::STATUSES.iter().any(|(key, _)| key == part))
                        .unwrap()
                        .to_owned()
                };
                let found = tally(statements.iter().map(|s| (key(&s.id), s.products.len() as u64)));
                let mut expected = counts(facts.get("product_status"));
                expected.remove("recommended");
                assert_eq!(found, expected, "{path}");
                // Flags that name no product with a status say nothing.
                let named: BTreeSet<String> = justifications.into_keys().collect();
                let stated: BTreeSet<String> = counts(facts.get("flags")).into_keys().collect();
                assert!(named == stated || path.ends_with("illegal-module.json"), "{path}: {named:?} {stated:?}");
                assert!(!statements.is_empty() && statements.iter().all(|s| s.timestamp.is_some()), "{path}");
            }
            "CycloneDX" => {
                assert_eq!((document.format, statements.len()), ("cyclonedx", number("vulnerabilities")), "{path}");
                let written = |name: &str| {
                    match name {
                        "affected" => "exploitable",
                        "fixed" => "resolved",
                        "under_investigation" => "in_triage",
                        other => other,
                    }
                    .to_owned()
                };
                let states = tally(statuses.into_iter().map(|(name, n)| (written(&name), n)));
                assert_eq!(states, counts(facts.get("analysis_states")), "{path}");
                assert_eq!(justifications, counts(facts.get("justifications")), "{path}");
                assert_eq!(all_products().count(), number("affects"), "{path}");
            }
            other => panic!("{path} is read although it is {other}"),
        }
    }
    let expected = BTreeMap::from([
        ("vex/csaf/dd-csaf_unsupported_version.json".to_owned(), ("unsupported-version", None)),
        ("vex/csaf/trailing-garbage-avendor-advisory-0004.json".to_owned(), ("invalid-json", Some((171, 1)))),
    ]);
    assert_eq!(refused, expected);
}

#[test]
fn products_of_csaf_are_components_of_what_they_run_on() {
    let text = r#"{"document": {"csaf_version": "2.1", "publisher": {"name": "Acme"}, "tracking": {"current_release_date": "2026-01-01T00:00:00Z"}},
      "product_tree": {
        "branches": [{"branches": [{"product": {"product_id": "os", "name": "RHEL 8", "product_identification_helper": {"cpe": "cpe:/o:redhat:enterprise_linux:8"}}}]}],
        "full_product_names": [{"product_id": "pkg", "name": "x", "product_identification_helper": {"purls": ["pkg:rpm/redhat/x", "pkg:rpm/redhat/y"]}}],
        "product_groups": [{"group_id": "g", "product_ids": ["both"]}],
        "relationships": [
          {"product_reference": "pkg", "relates_to_product_reference": "os", "full_product_name": {"product_id": "both", "name": "x on RHEL"}},
          {"product_reference": "pkg", "relates_to_product_reference": "both", "full_product_name": {"product_id": "deep", "name": "?"}}]},
      "vulnerabilities": [{"cve": "CVE-2026-1", "ids": [{"text": "12345"}, {"text": "GHSA-1-2-3"}],
        "flags": [{"label": "component_not_present", "group_ids": ["g"]}],
        "product_status": {"known_not_affected": ["both", "deep", "nothing"], "fixed": ["pkg"], "recommended": ["pkg"]}}]}"#;
    let document = read(text).unwrap();
    let shown: Vec<(&str, Option<&str>, usize)> =
        document.statements.iter().map(|s| (s.id.as_str(), s.justification.as_deref(), s.products.len())).collect();
    assert_eq!(
        shown,
        [
            ("CVE-2026-1/known_not_affected", None, 2),
            ("CVE-2026-1/known_not_affected/2", Some("component_not_present"), 1),
            ("CVE-2026-1/fixed", None, 1),
        ]
    );
    let both = &document.statements[1].products[0];
    assert!(matches!(&both.names[..], [ProductName::Cpe(_), ProductName::Text(_)]), "{both:?}");
    assert_eq!(both.parts[0].len(), 3, "{both:?}");
    let deep = &document.statements[0].products[0];
    assert!(
        deep.names.is_empty() && deep.parts.len() == 1 && deep.parts[0].is_empty(),
        "what a part of a part is, is not guessed: {deep:?}"
    );
    let ids: Vec<&str> = document.statements[0].vulnerabilities.iter().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["CVE-2026-1", "GHSA-1-2-3"]);
}

#[test]
fn references_of_cyclonedx_lead_to_components_here_and_to_package_urls_elsewhere() {
    let text = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:AA-1", "metadata": {"timestamp": "2026-01-01T00:00:00Z"},
      "components": [{"bom-ref": "a", "purl": "pkg:npm/a@1"}, {"bom-ref": "n", "name": "n", "components": [{"bom-ref": "in ner", "purl": "pkg:npm/b"}]}],
      "vulnerabilities": [{"id": "CVE-1-1", "analysis": {"state": "false_positive"}, "affects": [
        {"ref": "a"}, {"ref": "urn:cdx:aa-1/1#in ner"}, {"ref": "urn:cdx:bb-2/1#a"},
        {"ref": "urn:cdx:bb-2/1#pkg%3Anpm%2F%2540x%2Fy%401"}, {"ref": "urn:cdx:bb-2/1#pkg:npm/%40x/y@1"}, {"ref": "n"}]},
        {"id": "CVE-1-2"}]}"#;
    let document = read(text).unwrap();
    let products = &document.statements[0].products;
    let names: Vec<String> = products
        .iter()
        .map(|product| match &product.names[..] {
            [ProductName::Purl(purl)] => format!("{}@{}", purl.package_key(), purl.version.as_deref().unwrap_or("")),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["a@1", "b@", "[]", "@x/y@1", "@x/y@1", "[]"]);
    assert_eq!((document.statements.len(), document.statements[0].status), (1, VexStatus::NotAffected));
}

#[test]
fn what_is_no_vex_is_refused_with_code_and_place() {
    for (text, code) in [
        ("", "invalid-json"),
        ("<bom/>", "unknown-vex-format"),
        ("[]", "unknown-vex-format"),
        ("{\"a\": 1}", "unknown-vex-format"),
        ("{\"@context\": \"https://openvex.dev/ns/v9.0.0\"}", "unsupported-version"),
        ("{\"document\": {\"csaf_version\": \"3.0\"}}", "unsupported-version"),
        ("{\"document\": {}}", "unsupported-version"),
        ("{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"2.0\"}", "unsupported-version"),
        ("{\"statements\": {}}", "invalid-report"),
        ("{\"statements\": [{\"status\": \"safe\"}]}", "invalid-report"),
        ("{\"statements\": [", "invalid-json"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.code, code, "{text}: {error}");
        assert!(explain(error.code).is_some());
    }
    let error = read("{\"statements\": [\n  {\"status\": \"fixed\"},\n  {\"status\": \"safe\"}]}").unwrap_err();
    assert_eq!(error.place, Some((3, 3)));
    assert_eq!(read(&"[".repeat(1 << 20)).unwrap_err().code, "nesting-too-deep");
    // What is inherited or grouped could make millions of a small document.
    let many = vec!["\"a\""; 10_000].join(",");
    let statements = vec!["{\"status\": \"fixed\"}"; 10_000].join(",");
    let error = read(&format!("{{\"products\": [{many}], \"statements\": [{statements}]}}")).unwrap_err();
    assert_eq!(error.code, "file-too-large");
    let flags = vec!["{\"label\": \"x\", \"group_ids\": [\"g\"]}"; 10_000].join(",");
    let error = read(&format!(
        "{{\"document\": {{\"csaf_version\": \"2.0\"}}, \"product_tree\": {{\"product_groups\": [{{\"group_id\": \"g\", \"product_ids\": [{many}]}}]}}, \
         \"vulnerabilities\": [{{\"flags\": [{flags}]}}]}}"
    ));
    assert_eq!(error.unwrap_err().code, "file-too-large");
}

proptest! {
    #[test]
    fn any_document_is_read_without_harm(
        mut value in prop::collection::vec(("(status|products|vulnerability|@id|flags|cve|affects|ref)", "(fixed|not_affected|pkg:npm/a|\\[\\]|x)"), 0..6),
        head in prop::sample::select(vec![
            "\"statements\"", "\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.4\",\"vulnerabilities\"",
            "\"document\":{\"csaf_version\":\"2.0\"},\"product_tree\":{\"branches\":[{\"product\":3}]},\"vulnerabilities\"",
        ]),
        list in any::<bool>(),
    ) {
        value.dedup_by(|a, b| a.0 == b.0);
        let wrap = |text: &str| if list { format!("[\"{text}\", 1, null]") } else { format!("\"{text}\"") };
        let entries: Vec<String> = value.iter().map(|(key, text)| format!("\"{key}\": {}", wrap(text))).collect();
        let _ = read(&format!("{{{head}: [{{{}}}, 1, []]}}", entries.join(",")));
    }
}
