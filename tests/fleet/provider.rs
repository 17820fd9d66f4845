//! The provider's contract on a real host: what comes back is the host that was backed up, whatever was interrupted.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use switchback::lab::{Fault, Trigger};
use switchback::provider::{BackupRef, CloneHost, CloneRef, Containers, EffectKey, Held, Provider as _, ProviderError};

use crate::contract::{Identity, Subject, hold};
use crate::fleet::{Fleet, eventually};

/// An effect's key. It locks the whole machine, so it is the fleet's own: tests run side by side.
fn key(fleet: &Fleet, step: &str) -> EffectKey {
    EffectKey(format!("{}/web-1/{step}/1", fleet.prefix))
}

/// Everything that tells a host from another.
fn identity(fleet: &Fleet) -> String {
    eventually("the host answers with its known key", 30, || fleet.answers("web-1"));
    fleet.say(
        "web-1",
        "hostname; cat /etc/machine-id; ip -4 -o address show eth0 | awk '{print $4}'; cat /etc/ssh/*.pub",
    )
}

/// The first package with a pending security update that stands alone.
fn pending(fleet: &Fleet) -> String {
    fleet.say("web-1", "apt-get -s upgrade | awk '/^Inst libexpat1 |^Inst liblzma5 |^Inst tzdata /{print $2; exit}'")
}

/// A podman that dies at its n-th call that changes something, before or after doing it.
fn dying(dir: &Path, at: u32, does_it: bool) -> Containers {
    let (path, count) = (dir.join("podman"), dir.join("count"));
    std::fs::write(&count, "0").unwrap();
    let script = format!(
        "#!/bin/sh\n\
         changes=no\n\
         for word in \"$@\"; do case $word in stop|rename|run|start|rm|commit|untag) changes=yes; break ;; inspect|exists) break ;; esac; done\n\
         [ $changes = yes ] || exec podman \"$@\"\n\
         n=$(($(cat {count}) + 1))\n\
         echo $n > {count}\n\
         [ $n -ge {at} ] || exec podman \"$@\"\n\
         [ $n = {at} ] && {does_it} && podman \"$@\" > {count}.out 2>&1\n\
         echo died >&2\n\
         exit 137\n",
        count = count.display(),
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Containers::with_program(path)
}

fn scratch(fleet: &Fleet) -> PathBuf {
    let dir = fleet.dir.with_extension("podman");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn containers(fleet: &Fleet) -> Vec<String> {
    let filter = format!("label=io.switchback.lab={}", fleet.prefix);
    let output =
        Command::new("podman").args(["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_comes_back_as_it_was() {
    let Some(fleet) = Fleet::up("restore", 1) else { return };
    let (podman, host) = (Containers::default(), fleet.host("web-1"));
    let was = identity(&fleet);
    let package = pending(&fleet);
    let version = fleet.version("web-1", &package);
    fleet.say("web-1", "sudo sh -c 'echo before > /var/lib/marker'");

    // Made once for its key, found again, listed, whole.
    assert!(podman.list(&host).await.unwrap().is_empty());
    let backup = podman.backup(&host, &key(&fleet, "backup")).await.unwrap();
    assert_eq!(podman.backup(&host, &key(&fleet, "backup")).await.unwrap(), backup);
    assert_eq!(podman.list(&host).await.unwrap(), [(key(&fleet, "backup"), Held::Backup(backup.clone()))]);
    podman.verify_backup(&host, &backup).await.unwrap();
    assert_eq!(identity(&fleet), was, "the backup disturbed the host");

    let (updated, said) = fleet.update("web-1", &package);
    assert!(updated, "{said}");
    fleet.say("web-1", "sudo sh -c 'echo after > /var/lib/marker; echo kept > /var/lib/switchback-lab/volume'");
    assert_ne!(fleet.version("web-1", &package), version);

    podman.restore(&host, &backup, &key(&fleet, "restore")).await.unwrap();
    assert_eq!(identity(&fleet), was);
    assert_eq!(fleet.version("web-1", &package), version);
    assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), "before");
    assert_eq!(fleet.say("web-1", "cat /var/lib/switchback-lab/volume"), "kept", "volumes are not part of a backup");
    assert_eq!(containers(&fleet), [fleet.container("web-1")]);

    // Repeated with the same key it does nothing: the host is not booted again.
    let boot = fleet.boot("web-1");
    podman.restore(&host, &backup, &key(&fleet, "restore")).await.unwrap();
    assert_eq!(fleet.boot("web-1"), boot);

    // A restored host can be backed up, reboots, and can be restored again, from either backup.
    let second = podman.backup(&host, &key(&fleet, "second")).await.unwrap();
    fleet.say("web-1", "sudo sh -c 'echo later > /var/lib/marker'");
    fleet.ssh("web-1", "sudo systemctl reboot");
    eventually("the host is back", 30, || fleet.answers("web-1") && fleet.boot("web-1") != boot);
    podman.restore(&host, &second, &key(&fleet, "restore-2")).await.unwrap();
    assert_eq!(identity(&fleet), was);
    assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), "before");
    podman.restore(&host, &backup, &key(&fleet, "restore-3")).await.unwrap();
    assert_eq!(identity(&fleet), was);

    // A host that nobody reaches any more, and one that is broken beyond booting to sshd, come back all the same.
    for fault in [Fault::Cut { seconds: None }, Fault::SshGone] {
        fleet.lab.plant("web-1", fault, Trigger::Now).unwrap();
        assert!(!fleet.answers("web-1"), "{fault:?}");
        podman.restore(&host, &backup, &key(&fleet, fault.name())).await.unwrap();
        assert_eq!(identity(&fleet), was, "{fault:?}");
        assert!(fleet.lab.fired("web-1", fault).unwrap(), "the evidence of {fault:?} did not survive the restore");
    }

    // Deleting twice is as good as once, also while the host stands on the backup's layers.
    for backup in [&backup, &second, &backup] {
        podman.delete_backup(&host, backup).await.unwrap();
    }
    assert!(podman.list(&host).await.unwrap().is_empty());
    assert!(matches!(podman.verify_backup(&host, &backup).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(podman.restore(&host, &backup, &key(&fleet, "late")).await, Err(ProviderError::NoEffect(_))));
    assert_eq!(identity(&fleet), was);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_is_completed_by_its_repetition() {
    let Some(fleet) = Fleet::up("broken", 1) else { return };
    let (podman, host, dir) = (Containers::default(), fleet.host("web-1"), scratch(&fleet));
    let was = identity(&fleet);
    fleet.say("web-1", "sudo sh -c 'echo before > /var/lib/marker'");
    let backup = podman.backup(&host, &key(&fleet, "backup")).await.unwrap();
    // stop, rename, run, rm: the restore's changes, each cut short before and after.
    let mut interrupted = 0;
    for at in 1..=4 {
        for does_it in [false, true] {
            fleet.say("web-1", "sudo sh -c 'echo after > /var/lib/marker'");
            let key = key(&fleet, &format!("restore-{at}-{does_it}"));
            let died = dying(&dir, at, does_it).restore(&host, &backup, &key).await;
            assert!(matches!(died, Err(ProviderError::Unclear(_))), "change {at}, {does_it}: {died:?}");
            interrupted += 1;
            podman.restore(&host, &backup, &key).await.unwrap();
            assert_eq!(identity(&fleet), was, "change {at}, {does_it}");
            assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), "before", "change {at}, {does_it}");
            assert_eq!(containers(&fleet), [fleet.container("web-1")], "change {at}, {does_it}");
        }
    }
    assert_eq!(interrupted, 8);
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_is_found_or_made_and_leaves_the_host_running() {
    let Some(fleet) = Fleet::up("backup", 1) else { return };
    let (podman, host, dir) = (Containers::default(), fleet.host("web-1"), scratch(&fleet));
    for does_it in [false, true] {
        let key = key(&fleet, &format!("backup-{does_it}"));
        assert!(dying(&dir, 1, does_it).backup(&host, &key).await.is_err());
        assert_eq!(podman.list(&host).await.unwrap().iter().filter(|(k, _)| *k == key).count(), usize::from(does_it));
        let backup: BackupRef = podman.backup(&host, &key).await.unwrap();
        podman.verify_backup(&host, &backup).await.unwrap();
        assert_eq!(podman.list(&host).await.unwrap().iter().filter(|(k, _)| *k == key).count(), 1);
    }
    // Killed while the host was frozen: the next call of either kind thaws it.
    let freeze = || {
        assert!(Command::new("podman").args(["pause", &fleet.container("web-1")]).output().unwrap().status.success())
    };
    freeze();
    assert!(!fleet.answers("web-1"));
    let backup = podman.backup(&host, &key(&fleet, "backup-true")).await.unwrap();
    assert!(fleet.answers("web-1"));
    freeze();
    podman.restore(&host, &backup, &key(&fleet, "restore")).await.unwrap();
    eventually("the host answers", 30, || fleet.answers("web-1"));
    std::fs::remove_dir_all(dir).unwrap();
}

/// What the clone says, over SSH with the key that its provider pinned.
fn on_clone(fleet: &Fleet, clone: &CloneHost, command: &str) -> (bool, String) {
    let known = fleet.dir.join("clone_known_hosts");
    std::fs::write(&known, format!("{} {}\n", clone.address, clone.host_key)).unwrap();
    let output = Command::new("ssh")
        .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=2"])
        .args(["-o", "LogLevel=ERROR", "-o", &format!("UserKnownHostsFile={}", known.display())])
        .args(["-i", &fleet.lab.identity_path().display().to_string()])
        .args([&format!("ops@{}", clone.address), command])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_somebody_else_until_it_takes_its_hosts_place() {
    let Some(fleet) = Fleet::up("clone", 2) else { return };
    let (podman, host) = (Containers::default(), fleet.host("web-1"));
    let was = identity(&fleet);
    fleet.say("web-1", "sudo sh -c 'echo data > /var/lib/switchback-lab/volume; echo original > /var/lib/marker'");
    let backup = podman.backup(&host, &key(&fleet, "backup")).await.unwrap();

    // Made once for its key; it answers with the pinned key and shares nothing that tells who it is.
    let clone = podman.clone_host(&host, &backup, &key(&fleet, "clone")).await.unwrap();
    assert_eq!(podman.clone_host(&host, &backup, &key(&fleet, "clone")).await.unwrap(), clone);
    eventually("the clone answers with the pinned key", 30, || on_clone(&fleet, &clone, "true").0);
    let (_, id) = on_clone(&fleet, &clone, "cat /etc/machine-id /etc/ssh/*.pub; ip -4 -o address show eth0");
    let own = was.lines().filter(|line| line.len() > 20 && id.contains(*line)).collect::<Vec<_>>();
    assert!(own.is_empty(), "the clone has {own:?} of its host");
    let listed = podman.list(&host).await.unwrap();
    assert!(listed.contains(&(key(&fleet, "clone"), Held::Clone(clone.reference.clone()))), "{listed:?}");

    // The service's clients do not reach it; what it writes to the host's volumes stays with it.
    let reach = format!("curl -s -o /dev/null --max-time 3 http://{}/", clone.address);
    assert!(!fleet.ssh("web-2", &reach).status.success(), "a client in the service's network reaches the clone");
    assert!(on_clone(&fleet, &clone, "curl -s -o /dev/null http://127.0.0.1/").0, "its service runs");
    let (_, seen) = on_clone(&fleet, &clone, "cat /var/lib/switchback-lab/volume");
    assert_eq!(seen, "data");
    assert!(
        on_clone(
            &fleet,
            &clone,
            "sudo sh -c 'echo clone > /var/lib/switchback-lab/volume; echo clone > /var/lib/marker'"
        )
        .0
    );
    assert_eq!(fleet.say("web-1", "cat /var/lib/switchback-lab/volume"), "data");

    // It is not taken for another host's, and a clone is nobody's to destroy by the name of the host.
    let other = podman.destroy(&fleet.host("web-2"), &clone.reference).await;
    assert!(matches!(other, Err(ProviderError::NoEffect(_))), "{other:?}");
    let itself = podman.destroy(&host, &CloneRef(fleet.container("web-1"))).await;
    assert!(matches!(itself, Err(ProviderError::NoEffect(_))), "{itself:?}");

    // It takes the host's place: the same identity, what the clone wrote, and the original kept.
    let original = podman.promote(&host, &clone.reference, &key(&fleet, "promote")).await.unwrap();
    assert_eq!(identity(&fleet), was);
    assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), "clone");
    assert_eq!(fleet.say("web-1", "cat /var/lib/switchback-lab/volume"), "data");
    let boot = fleet.boot("web-1");
    assert_eq!(podman.promote(&host, &clone.reference, &key(&fleet, "promote")).await.unwrap(), original);
    assert_eq!(fleet.boot("web-1"), boot, "a repeat does nothing");
    let listed = podman.list(&host).await.unwrap();
    assert!(listed.contains(&(key(&fleet, "promote"), Held::Original(original.clone()))), "{listed:?}");
    assert!(!listed.iter().any(|(_, held)| matches!(held, Held::Clone(_))), "{listed:?}");

    // Its way back is that of every host; it can be backed up, and cloned again.
    podman.restore(&host, &backup, &key(&fleet, "restore")).await.unwrap();
    assert_eq!(identity(&fleet), was);
    assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), "original");
    let second = podman.backup(&host, &key(&fleet, "second")).await.unwrap();
    let again = podman.clone_host(&host, &second, &key(&fleet, "again")).await.unwrap();
    eventually("the second clone answers", 30, || on_clone(&fleet, &again, "true").0);

    // Nothing is left.
    for _ in 0..2 {
        podman.destroy(&host, &again.reference).await.unwrap();
        podman.release(&host, &original).await.unwrap();
        podman.delete_backup(&host, &second).await.unwrap();
        podman.delete_backup(&host, &backup).await.unwrap();
    }
    assert_eq!(podman.list(&host).await.unwrap(), []);
    let mut left = containers(&fleet);
    left.sort();
    assert_eq!(left, [fleet.container("web-1"), fleet.container("web-2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_keeps_the_contract() {
    let Some(fleet) = Fleet::up("contract", 1) else { return };
    let said = |command: &str| {
        eventually("the host answers with its known key", 30, || fleet.answers("web-1"));
        fleet.say("web-1", command)
    };
    let ask = "cat /etc/machine-id; cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub; hostname";
    let identity = |text: &str| {
        let [machine_id, host_key, name] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text:?}") };
        Identity { machine_id: machine_id.to_owned(), host_key: host_key.to_owned(), name: name.to_owned() }
    };
    hold(&Subject {
        kind: "podman",
        tried_as: "podman, a real host",
        on: "Debian 12 with systemd in a container of podman 4.3, every answer over OpenSSH".to_owned(),
        provider: Arc::new(Containers::default()),
        host: fleet.host("web-1"),
        write: Box::new(|text| drop(said(&format!("sudo sh -c 'echo {text} >/etc/data'")))),
        read: Box::new(|| said("cat /etc/data")),
        identity: Box::new(|clone| match clone {
            Some(clone) => {
                eventually("the clone answers with the pinned key", 30, || on_clone(&fleet, clone, "true").0);
                identity(&on_clone(&fleet, clone, ask).1)
            }
            None => identity(&said(ask)),
        }),
        unknown: BackupRef("localhost/switchback-backup/none:0".to_owned()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_was_interrupted_is_completed_by_its_repeat() {
    let Some(fleet) = Fleet::up("promote", 1) else { return };
    let (podman, host) = (Containers::default(), fleet.host("web-1"));
    let was = identity(&fleet);
    let dir = scratch(&fleet);
    let backup = podman.backup(&host, &key(&fleet, "backup")).await.unwrap();
    // It stops the clone, commits it, stops the original, sets it aside, makes the host again, and removes the clone.
    for (at, does_it) in [(2, true), (4, true), (5, false)] {
        let marker = format!("clone {at}");
        let clone = podman.clone_host(&host, &backup, &key(&fleet, &format!("clone{at}"))).await.unwrap();
        eventually("the clone answers", 30, || on_clone(&fleet, &clone, "true").0);
        assert!(on_clone(&fleet, &clone, &format!("sudo sh -c 'echo {marker} > /var/lib/marker'")).0);

        let promote = key(&fleet, &format!("promote{at}"));
        let cut_off = dying(&dir, at, does_it).promote(&host, &clone.reference, &promote).await;
        assert!(matches!(cut_off, Err(ProviderError::Unclear(_))), "call {at}: {cut_off:?}");
        let calls: u32 = std::fs::read_to_string(dir.join("count")).unwrap().trim().parse().unwrap();
        assert!(calls >= at, "podman died at its call {at}, and only {calls} were made");
        let original = podman.promote(&host, &clone.reference, &promote).await.unwrap();
        assert_eq!(identity(&fleet), was, "call {at}");
        assert_eq!(fleet.say("web-1", "cat /var/lib/marker"), marker);

        podman.restore(&host, &backup, &key(&fleet, &format!("restore{at}"))).await.unwrap();
        podman.release(&host, &original).await.unwrap();
        assert_eq!(containers(&fleet), [fleet.container("web-1")], "call {at}");
    }
}
