//! The simulator finds mistakes: each that tests can make on purpose is made, and found within some hundred campaigns.
#![expect(clippy::print_stderr, reason = "says how many campaigns it took")]

use crate::engine::planted::{Defect, with};

use super::Scenario;

/// The most campaigns it may take.
const RUNS: u64 = 600;

#[test]
fn every_planted_defect_is_found() {
    let mut missed = Vec::new();
    for defect in Defect::ALL {
        let found = (1..=RUNS).find_map(|seed| {
            let result = with(defect, || Scenario::draw(seed).run());
            result.violations.first().map(|violation| (seed, violation.to_string()))
        });
        match found {
            Some((seed, what)) => {
                let clean = Scenario::draw(seed).run().violations;
                assert!(clean.is_empty(), "{defect:?}: seed {seed} violates an invariant without it: {clean:?}");
                eprintln!("{defect:?} found after {seed} campaigns: {what}");
            }
            None => missed.push(defect),
        }
    }
    assert!(missed.is_empty(), "not found within {RUNS} campaigns: {missed:?}");
}
