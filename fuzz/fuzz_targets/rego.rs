//! Rule files, as far as they are read without evaluating them: a rule file and a file of tests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::policy::RuleSet;

fuzz_target!(|text: &str| {
    let mut diagnostics = Diagnostics::default();
    let _ = RuleSet::read(["a.rego", "a_test.rego"].map(|name| Source::new(name, text)), &mut diagnostics);
    let _ = diagnostics.sorted();
});
