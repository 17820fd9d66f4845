//! Policies that are shipped: each is checked, tested by the file beside it, and no mutant survives.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::{Path, PathBuf};

use switchback::diagnostic::{Diagnostics, render_text};
use switchback::policy::{Bundle, Coverage, Mutation, Outcome, Policy, Suite};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every policy under `policies/` and `examples/`, without tests.
fn shipped() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if is_policy(&path) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("policies"), &mut found);
    walk(&root().join("examples"), &mut found);
    found.sort();
    found
}

fn is_policy(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    let inside = path.components().any(|part| part.as_os_str() == "policies");
    (inside || name == "policy.yaml") && name.ends_with(".yaml") && !name.ends_with(".test.yaml")
}

/// What tests find about one policy: how many mutants, and which survived.
fn tested(path: &Path) -> Mutation {
    let bundle = Bundle::read(&[path.to_owned()]).unwrap();
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(bundle.clone(), &mut diagnostics);
    let suites: Vec<Suite> =
        bundle.tests.iter().filter_map(|source| Suite::load(source, &bundle, &mut diagnostics)).collect();
    let shown = render_text(&diagnostics.clone().sorted(), false);
    assert!(diagnostics.iter().next().is_none(), "{}: not even a warning\n{shown}", path.display());
    assert_eq!((bundle.tests.len(), suites.len()), (1, 1), "{} has its tests beside it", path.display());
    let policy = policy.unwrap();
    let mut coverage = Coverage::default();
    for suite in &suites {
        assert_eq!(suite.policy(&mut Diagnostics::default()).unwrap().digest(), policy.digest(), "{}", path.display());
        for index in 0..suite.len() {
            let test = suite.run(index, &policy).unwrap();
            assert_eq!(test.outcome, Outcome::Passed, "{} at {}", test.name, test.place);
        }
        coverage.add(suite.coverage(&policy));
    }
    let (seen, all) = coverage.counts();
    assert_eq!(seen, all, "{}: {:?}", path.display(), coverage.rules);
    let suites: Vec<&Suite> = suites.iter().collect();
    Mutation::run(&suites, Mutation::of(&suites), &|_| true)
}

#[test]
fn no_mutant_of_a_shipped_policy_survives() {
    let shipped = shipped();
    for must in ["policies/default.yaml", "policies/kev-first.yaml", "policies/production-windows.yaml"] {
        assert!(shipped.contains(&root().join(must)), "{must} is found in {shipped:?}");
    }
    assert!(shipped.len() >= 7, "{shipped:?}");
    for path in shipped {
        // Rules in Rego are asked in a process of their own: `tests/rego.rs` runs the tests of that example.
        if std::fs::read_to_string(&path).unwrap().contains("\nrules: ") {
            continue;
        }
        let mutation = tested(&path);
        let total = mutation.killed + mutation.invalid + mutation.survivors.len();
        assert_eq!(mutation.mutants, total, "every mutant is accounted for");
        assert!(mutation.mutants >= 14 && mutation.killed * 10 > mutation.mutants * 8, "{}", path.display());
        let mut survivors = mutation.survivors;
        // This one is open on Saturdays only, and its freeze begins on a Friday and ends on a Monday: a day more or less
        // freezes the same Saturdays.
        if path.ends_with("examples/first-plan/policies/policy.yaml") {
            let dates = ["freezes[0].from", "freezes[0].to", "freezes[0].timezone"];
            survivors.retain(|survivor| !dates.iter().any(|date| survivor.what.starts_with(date)));
        }
        assert!(survivors.is_empty(), "{}: {survivors:#?}", path.display());
    }
}
