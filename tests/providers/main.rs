//! Providers against what they stand on: a real btrfs, dockerd, libvirtd and restic, commands of a user.
//!
//! Where something is missing a test says so on stderr and passes, unless `SWITCHBACK_FLEET=required` makes that a
//! failure.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod btrfs;
#[path = "../support/contract.rs"]
mod contract;
mod daemon;
mod docker;
mod exec;
mod libvirt;
mod lvm;
mod restic;
#[path = "../../src/transport/testing.rs"]
#[expect(dead_code, reason = "tests of the transport use more of it")]
mod testing;
mod watch;

use std::path::Path;
use std::process::Command;

use switchback::model::{Host, HostName, ProviderSettings};

/// Runs a program that must succeed; what it printed.
fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A script of a test's own with arguments, as a command of a user's.
fn sh(script: &str, arguments: &[&str]) -> Vec<String> {
    let words = [&["/bin/sh", "-c", script, "sh"], arguments].concat();
    words.into_iter().map(str::to_owned).collect()
}

fn host(name: &str, provider: ProviderSettings) -> Host {
    Host { provider: Some(provider), ..Host::named(HostName::new(name).unwrap()) }
}

/// Whether all of this is here; says what is missing.
fn possible(programs: &[&str], root: bool) -> bool {
    here(programs, root, "SWITCHBACK_FLEET")
}

/// The same for daemons that are too large to be installed for every run of the tests.
fn has_daemon(programs: &[&str]) -> bool {
    here(programs, true, "SWITCHBACK_DAEMONS")
}

fn here(programs: &[&str], root: bool, must: &str) -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let found = |program: &&&str| {
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists())
    };
    let missing: Vec<&str> = programs.iter().filter(|program| !found(program)).copied().collect();
    if missing.is_empty() && (is_root || !root) {
        return true;
    }
    let why = format!("needs {}{}", if root { "root, " } else { "" }, programs.join(", "));
    let required = switchback::env::var(must).is_some_and(|value| value == "required");
    assert!(!required, "{must}=required and it {why}");
    testing::skip(&why);
    false
}

#[test]
fn the_page_tells_what_was_tried() {
    contract::the_page_tells_what_was_tried();
}
