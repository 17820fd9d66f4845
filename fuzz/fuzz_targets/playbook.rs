//! Playbooks, and their rendering for a host.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::model::{Fix, Host, HostName};
use switchback::playbook::{Playbook, RenderInput};

fuzz_target!(|text: &str| {
    let mut diagnostics = Diagnostics::default();
    if let Some(playbook) = Playbook::load(&Source::new("playbook.yaml", text), &mut diagnostics) {
        let host = Host::named(HostName::new("web-1").expect("it is a name"));
        let fix = Fix { packages: Vec::new(), findings: Vec::new() };
        let _ = (playbook.digest(), playbook.has_shell(), playbook.matches(&host, playbook.kind()));
        let _ = playbook.render(&RenderInput { host: &host, fix: &fix, allow_removals: false, restart_never: &[], pending_reboot: Default::default() });
    }
    let _ = diagnostics.sorted();
});
