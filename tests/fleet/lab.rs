//! The lab keeps its own promises: repeatable, recoverable, gone without a trace.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use switchback::lab::HostState;

use crate::fleet::{Fleet, eventually, left};

/// From the cached image, as promised for four hosts.
const UP_WITHIN: Duration = Duration::from_secs(15);

#[test]
fn four_hosts_are_up_in_seconds_with_real_pending_updates() {
    // The image is built before the clock starts.
    let Some(fleet) = Fleet::up("four", 1) else { return };
    // The promise is about the lab; other tests that keep the machine busy at the first try are no breach of it.
    let mut took = UP_WITHIN;
    let mut hosts = Vec::new();
    for _ in 0..3 {
        fleet.lab.down().unwrap();
        let start = Instant::now();
        hosts = fleet.bring_up(4);
        took = start.elapsed();
        if took < UP_WITHIN {
            break;
        }
    }
    assert!(took < UP_WITHIN, "four hosts took {took:?}");
    let mut identities = std::collections::BTreeSet::new();
    for host in &hosts {
        assert_eq!(host.state, HostState::Up, "{host:?}");
        assert_eq!(fleet.say(&host.name, "hostname"), host.name);
        assert_eq!(fleet.say(&host.name, "systemctl is-system-running; true"), "running");
        assert_eq!(fleet.say(&host.name, "curl -s http://localhost/health"), "ok");
        assert_eq!(fleet.say(&host.name, "sudo -n id -u"), "0");
        identities.insert(fleet.say(&host.name, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"));
        let pending = fleet.say(&host.name, "apt-get -s upgrade | grep -c '^Inst.*Debian-Security'");
        assert!(pending.parse::<u32>().unwrap() > 0, "{} has no pending security update", host.name);
    }
    assert_eq!(identities.len(), 4, "hosts share an identity");
}

#[test]
fn up_again_changes_nothing_and_mends_what_is_missing() {
    let Some(fleet) = Fleet::up("again", 2) else { return };
    let before = fleet.lab.status().unwrap();
    let boot = fleet.boot("web-1");
    assert_eq!(fleet.bring_up(2), before);
    assert_eq!(fleet.boot("web-1"), boot);

    let podman = |args: &[&str]| assert!(Command::new("podman").args(args).output().unwrap().status.success());
    podman(&["stop", "--time=5", &fleet.container("web-1")]);
    podman(&["rm", "--force", "--time=1", &fleet.container("web-2")]);
    let states: Vec<HostState> = fleet.lab.status().unwrap().iter().map(|host| host.state).collect();
    assert_eq!(states, [HostState::Stopped, HostState::Missing]);
    assert!(fleet.bring_up(3).iter().all(|host| host.state == HostState::Up));
    // The new host's key is known, too.
    assert!(fleet.answers("web-1") && fleet.answers("web-2") && fleet.answers("web-3"));
}

#[test]
fn a_reboot_brings_the_host_back() {
    let Some(fleet) = Fleet::up("reboot", 1) else { return };
    let boot = fleet.boot("web-1");
    fleet.ssh("web-1", "sudo systemctl reboot");
    eventually("the host is back", 30, || {
        let output = fleet.ssh("web-1", "cut -d' ' -f22 /proc/1/stat");
        output.status.success() && String::from_utf8_lossy(&output.stdout).trim() != boot
    });
    assert_eq!(fleet.say("web-1", "systemctl is-system-running --wait"), "running");
}

#[test]
fn a_lab_killed_while_coming_up_is_taken_down_or_brought_up() {
    let Some(fleet) = Fleet::up("killed", 1) else { return };
    fleet.lab.down().unwrap();
    for finish in [false, true] {
        let mut up = Command::new(env!("CARGO_BIN_EXE_switchback"))
            .args(["lab", "--dir"])
            .arg(&fleet.dir)
            .args(["up", "--hosts", "3", "--prefix", fleet.prefix.as_str()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the first host exists", 30, || {
            let exists = Command::new("podman").args(["container", "exists", &fleet.container("web-1")]).status();
            exists.unwrap().success()
        });
        up.kill().unwrap();
        up.wait().unwrap();
        if finish {
            assert!(fleet.bring_up(3).iter().all(|host| host.state == HostState::Up));
            assert!(fleet.answers("web-3"));
        }
        assert!(fleet.lab.down().unwrap());
        assert_eq!(left(&fleet.prefix), "");
        assert!(!fleet.dir.exists());
    }
}
