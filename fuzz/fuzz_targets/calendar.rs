//! Calendars (`.ics`) as windows and freezes of a policy, expanded, proven and listed.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::Diagnostics;
use switchback::model::{Host, HostName, TimeSpan};
use switchback::policy::{Bundle, Policy};

const POLICY: &[u8] = b"version: 1\nwindows: [{name: w, match: all, calendar: c.ics}]\n\
    freezes: [{name: f, match: all, calendar: c.ics, timezone: Europe/Berlin, reason: r}]\n";

fuzz_target!(|data: &[u8]| {
    let files = [("policy.yaml", POLICY), ("c.ics", data)].map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let bundle = Bundle::of_files(BTreeMap::from(files), &[String::new()]).expect("the policy is text");
    let mut diagnostics = Diagnostics::default();
    if let Some(policy) = Policy::load(bundle, &mut diagnostics) {
        let host = Host::named(HostName::new("web-1").expect("it is a name"));
        let from = "2026-03-01T00:00:00Z".parse().expect("it is a time");
        let _ = (policy.prove_windows(from), policy.list_windows(&host, from, TimeSpan::days(60)));
        let _ = policy.windows_bypassing_freezes(&host, from, TimeSpan::days(60));
    }
    let _ = diagnostics.sorted();
});
