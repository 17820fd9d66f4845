//! Every fault of the lab really happens, leaves its evidence, and can be healed.

use switchback::lab::{Evidence, EvidenceEvent, Fault, HostState, Trigger};

use crate::fleet::{Fleet, eventually};

const HOST: &str = "web-1";
const CANARY: &str = "sblab-canary";

fn plant(fleet: &Fleet, fault: Fault, trigger: Trigger) {
    fleet.lab.plant(HOST, fault, trigger).unwrap();
}

fn heal(fleet: &Fleet, fault: Fault) {
    fleet.lab.heal(HOST, fault).unwrap();
    assert!(fleet.lab.evidence(HOST).unwrap().last().is_some_and(|e| e.event == EvidenceEvent::Healed));
}

fn fired(fleet: &Fleet, fault: Fault) -> bool {
    fleet.lab.fired(HOST, fault).unwrap()
}

fn status(fleet: &Fleet) -> String {
    fleet.say(HOST, "curl -s -o /dev/null -w '%{http_code}' http://localhost/health; true")
}

#[test]
fn planted_updates_go_wrong_as_told() {
    let Some(fleet) = Fleet::up("updates", 1) else { return };
    let canary = || fleet.say(HOST, "dpkg-query --show --showformat '${Version} ${db:Status-Status}' sblab-canary");
    let updates = [
        (Fault::Healthy, true, "1.1 installed", "200"),
        (Fault::FailingPostinst, false, "1.1 half-configured", "200"),
        (Fault::NginxBroken, true, "1.1 installed", "000"),
        (Fault::Nginx500 { after: 0 }, true, "1.1 installed", "500"),
        (Fault::Nginx500 { after: 2 }, true, "1.1 installed", "200"),
        (Fault::Slow { seconds: 2 }, true, "1.1 installed", "200"),
    ];
    for (fault, content, version, code) in updates {
        plant(&fleet, fault, Trigger::Now);
        assert!(!fired(&fleet, fault), "{fault:?} fired before the update");
        let offered = fleet.say(HOST, "apt-get -s upgrade | grep '^Inst sblab-canary'");
        assert!(offered.contains("(1.1 Debian-Security:"), "{offered}");
        let (done, said) = fleet.update(HOST, CANARY);
        assert_eq!(done, content, "{fault:?}: {said}");
        assert_eq!((canary().as_str(), status(&fleet).as_str()), (version, code), "{fault:?}");
        if fault == (Fault::Nginx500 { after: 2 }) {
            eventually("nginx answers 500", 10, || status(&fleet) == "500");
        }
        if fault == Fault::NginxBroken {
            assert!(!fleet.ssh(HOST, "sudo nginx -t").status.success());
        }
        eventually("the evidence is there", 10, || fired(&fleet, fault) || fault == Fault::Healthy);
        heal(&fleet, fault);
        assert_eq!((canary().as_str(), status(&fleet).as_str()), ("1.0 installed", "200"), "{fault:?}");
        assert!(!fleet.say(HOST, "apt-get -s upgrade").contains(CANARY));
        assert_eq!(fleet.say(HOST, "sudo dpkg --audit"), "");
    }
    let slow: Vec<Evidence> = fleet.lab.evidence(HOST).unwrap().into_iter().filter(|e| e.fault == "slow").collect();
    let at = |event| slow.iter().find(|e| e.event == event).unwrap().at;
    assert!(at(EvidenceEvent::Ended) - at(EvidenceEvent::Fired) >= 2_000, "{slow:?}");

    // Going back with apt alone, as a fix would be undone in place.
    plant(&fleet, Fault::NginxBroken, Trigger::Now);
    assert!(fleet.update(HOST, CANARY).0);
    fleet.say(HOST, "sudo apt-get -qq install --allow-downgrades sblab-canary=1.0 2>&1");
    assert_eq!((canary().as_str(), status(&fleet).as_str()), ("1.0 installed", "200"));
}

#[test]
fn package_management_is_hindered_as_told() {
    let Some(fleet) = Fleet::up("apt", 1) else { return };
    let pending = fleet.say(HOST, "apt-get -s upgrade | awk '/^Inst lib/{print $2}'");
    let mut packages = pending.lines();
    let faults = [
        (Fault::AptLocked { seconds: 600 }, "Could not get lock /var/lib/dpkg/lock-frontend"),
        (Fault::DiskFull, "You don't have enough free space in /var/cache/apt/archives/"),
        (Fault::DpkgInterrupted, "dpkg was interrupted"),
        (Fault::MirrorGone, "Unable to fetch some archives"),
    ];
    for (fault, complaint) in faults {
        let package = packages.next().unwrap();
        let version = fleet.version(HOST, package);
        plant(&fleet, fault, Trigger::Now);
        assert!(fired(&fleet, fault));
        let (done, said) = fleet.update(HOST, package);
        assert!(!done && said.contains(complaint), "{fault:?}: {said}");
        assert_eq!(fleet.version(HOST, package), version);
        heal(&fleet, fault);
        let (done, said) = fleet.update(HOST, package);
        assert!(done, "{fault:?}: {said}");
        assert_ne!(fleet.version(HOST, package), version);
        assert_eq!(fleet.say(HOST, "sudo dpkg --audit"), "");
    }
    // The lock passes by itself, too.
    plant(&fleet, Fault::AptLocked { seconds: 2 }, Trigger::Now);
    eventually("the lock is gone", 10, || fleet.update(HOST, packages.clone().next().unwrap()).0);
}

#[test]
fn hosts_are_lost_as_told() {
    let Some(fleet) = Fleet::up("lost", 1) else { return };
    let state = || fleet.lab.status().unwrap()[0].state;

    for fault in [Fault::Cut { seconds: Some(3) }, Fault::Partition { seconds: Some(3) }] {
        plant(&fleet, fault, Trigger::Now);
        assert!(fired(&fleet, fault));
        assert_eq!(state(), HostState::Unreachable, "{fault:?}");
        eventually("the host is back by itself", 15, || fleet.answers(HOST));
    }
    for fault in [Fault::Cut { seconds: None }, Fault::Partition { seconds: None }, Fault::SshGone] {
        plant(&fleet, fault, Trigger::Now);
        assert!(fired(&fleet, fault));
        assert!(!fleet.answers(HOST), "{fault:?}");
        heal(&fleet, fault);
        eventually("the host is back", 15, || fleet.answers(HOST));
        // It reaches the mirror again, not only us.
        fleet.say(HOST, "sudo apt-get -qq update");
    }

    let pending = fleet.say(HOST, "apt-get -s upgrade | awk '/^Inst lib/{print $2}'");
    let mut packages = pending.lines();
    let during = Fault::Cut { seconds: Some(8) };
    plant(&fleet, during, Trigger::DuringFix);
    assert!(fleet.answers(HOST) && !fired(&fleet, during));
    let package = packages.next().unwrap();
    let before = fleet.version(HOST, package);
    // The connection is lost in the middle, and the work goes on there or dies with it: both happen to people.
    let service = format!("sudo systemd-run --quiet --wait --unit=fix apt-get -qq install --only-upgrade {package}");
    assert!(!fleet.ssh(HOST, &service).status.success(), "the connection survived");
    assert!(fired(&fleet, during));
    eventually("the host is back by itself", 20, || fleet.answers(HOST));
    eventually("the fix has ended", 60, || !fleet.ssh(HOST, "systemctl is-active --quiet fix").status.success());
    assert_ne!(fleet.version(HOST, package), before, "the fix did not go on");

    let boot = fleet.boot(HOST);
    plant(&fleet, Fault::Reboot, Trigger::DuringFix);
    let (done, said) = fleet.update(HOST, packages.next().unwrap());
    assert!(!done && fired(&fleet, Fault::Reboot), "the fix survived the reboot: {said}");
    eventually("the host has rebooted", 30, || fleet.answers(HOST) && fleet.boot(HOST) != boot);

    plant(&fleet, Fault::NoReturn, Trigger::Now);
    assert!(fleet.answers(HOST) && !fired(&fleet, Fault::NoReturn));
    fleet.ssh(HOST, "sudo systemctl reboot");
    eventually("it happened", 20, || fired(&fleet, Fault::NoReturn));
    assert!(!fleet.answers(HOST));
    heal(&fleet, Fault::NoReturn);
    eventually("the host is back", 15, || fleet.answers(HOST));
}
