//! Policies: everything that `check` asks of one, its windows on a host, and its mutants.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::model::{Host, HostName, TimeSpan};
use switchback::policy::{Bundle, Judged, Policy, mutants};

fuzz_target!(|text: &str| {
    let bundle = Bundle::from(vec![Source::new("policy.yaml", text)]);
    let mut diagnostics = Diagnostics::default();
    if let Some(policy) = Policy::load(bundle.clone(), &mut diagnostics) {
        let as_of = "2026-03-01T00:00:00Z".parse().expect("it is a time");
        let host = Host::named(HostName::new("web-1").expect("it is a name"));
        let _ = policy.dead_rules(Judged { hosts: None, findings: None, as_of });
        let _ = (policy.expired_exceptions(as_of), policy.prove_windows(as_of));
        let _ = policy.list_windows(&host, as_of, TimeSpan::days(60));
        let _ = (policy.strategy_for(&host), policy.approvals_for(&host, true));
    }
    let _ = (mutants(&bundle), diagnostics.sorted());
});
