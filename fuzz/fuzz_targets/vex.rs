//! VEX documents (OpenVEX, CSAF, CycloneDX) that a policy names.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::Diagnostics;
use switchback::policy::{Bundle, Policy};

fuzz_target!(|data: &[u8]| {
    let policy: &[u8] = b"version: 1\nvex: v.json\n";
    let files = [("policy.yaml", policy), ("v.json", data)].map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let bundle = Bundle::of_files(BTreeMap::from(files), &[String::new()]).expect("the policy is text");
    let mut diagnostics = Diagnostics::default();
    let _ = Policy::load(bundle, &mut diagnostics);
    let _ = diagnostics.sorted();
});
