//! Tests of policies (`*.test.yaml`), read and run against a policy beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::policy::{Bundle, Suite};

const POLICY: &str = "version: 1\nscope: {fix: [critical, high]}\nwindows:\n  - name: night\n    match: all\n    \
    schedule: {rrule: FREQ=DAILY, start: \"22:00\", duration: 4h, timezone: Europe/Berlin}\n";

fuzz_target!(|text: &str| {
    let bundle = Bundle::from(vec![Source::new("policy.yaml", POLICY)]);
    let mut diagnostics = Diagnostics::default();
    if let Some(suite) = Suite::load(&Source::new("policy.test.yaml", text), &bundle, &mut diagnostics)
        && let Some(policy) = suite.policy(&mut diagnostics)
    {
        for index in 0..suite.len().min(64) {
            let _ = suite.run(index, &policy);
        }
        let _ = suite.coverage(&policy);
    }
    let _ = diagnostics.sorted();
});
