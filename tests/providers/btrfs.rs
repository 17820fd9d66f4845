//! Roots of hosts on a real btrfs in a file, on this machine and over a real sshd.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use switchback::model::{BtrfsProvider, Digest, Freeze, Host, ProviderSettings, Ssh, TimeSpan, Via};
use switchback::provider::{Ask, BackupRef, CloneHost, EffectKey, Held, Provider, ProviderError, Watch, for_host};
use switchback::transport::{LocalTransport, SshLimits, SshTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::{host, possible, run, sh, testing};

/// A btrfs that is gone when dropped.
struct Pool {
    dir: tempfile::TempDir,
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.path("")).status();
    }
}

impl Pool {
    /// With one host in it: a tree that looks like one, and parts of it as systemd makes them.
    fn new() -> Option<Self> {
        if !possible(&["mkfs.btrfs", "btrfs", "ssh-keygen", "flock", "findmnt"], true) {
            return None;
        }
        let pool = Self { dir: tempfile::tempdir().unwrap() };
        let (image, mount) = (pool.dir.path().join("image"), pool.path(""));
        std::fs::create_dir(&mount).unwrap();
        std::fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
        run("mkfs.btrfs", &["-q", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), mount.to_str().unwrap()]);
        pool.subvolume("web-1");
        for folder in ["usr/bin", "etc/ssh", "var/lib/dbus", "var/lib/systemd"] {
            std::fs::create_dir_all(pool.root().join(folder)).unwrap();
        }
        pool.subvolume("web-1/var/tmp");
        pool.subvolume("web-1/var/lib/machines");
        std::fs::write(pool.root().join("var/tmp/scratch"), "scratch").unwrap();
        for (file, text) in [
            ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("etc/hostname", "web-1\n"),
            ("var/lib/dbus/machine-id", "0123\n"),
        ] {
            std::fs::write(pool.root().join(file), text).unwrap();
        }
        for kind in ["ed25519", "ecdsa"] {
            let key = pool.root().join(format!("etc/ssh/ssh_host_{kind}_key"));
            run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", key.to_str().unwrap()]);
        }
        Some(pool)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("it's a pool").join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("web-1")
    }

    fn kept(&self) -> PathBuf {
        self.path("kept/web-1")
    }

    fn subvolume(&self, name: &str) {
        run("btrfs", &["subvolume", "create", self.path(name).to_str().unwrap()]);
    }

    fn settings(&self) -> BtrfsProvider {
        let dir = self.dir.path().to_str().unwrap();
        let log = |word: &str| sh(&format!("echo {word} \"$2\" >>\"$1/log\""), &[dir, "{host}"]);
        BtrfsProvider {
            subvolume: self.root().display().to_string(),
            snapshots: self.path("kept").display().to_string(),
            stop: log("stop"),
            start: log("start"),
            start_clone: Some(sh(
                "[ -d \"$2/etc\" ] && echo clone \"$3\" >>\"$1/log\"; echo starting; echo 10.77.0.9",
                &[dir, "{path}", "{clone}"],
            )),
            stop_clone: Some(sh("echo stop \"$2\" >>\"$1/log\"", &[dir, "{clone}"])),
            freeze: None,
            via: None,
            timeout: None,
        }
    }

    fn host(&self, settings: BtrfsProvider) -> (Host, Arc<dyn Provider>) {
        let host = host("web-1", ProviderSettings::Btrfs(settings));
        let transport: Arc<dyn Transport> = Arc::new(LocalTransport);
        let provider = for_host(&host, &transport).unwrap();
        (host, provider)
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let _ = std::fs::remove_file(self.dir.path().join("log"));
        text.replace('\n', ", ")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.root().join("etc/data"), text).unwrap();
    }

    fn read(&self) -> String {
        std::fs::read_to_string(self.root().join("etc/data")).unwrap()
    }

    fn identity(&self, clone: Option<&CloneHost>) -> Identity {
        let root = clone.map_or(self.root(), |clone| self.kept().join(format!("clone-{}/root", clone.reference.0)));
        let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap().trim().to_owned();
        let key = read("etc/ssh/ssh_host_ed25519_key.pub");
        // Private and public key are one pair.
        let private = root.join("etc/ssh/ssh_host_ed25519_key");
        assert_eq!(run("ssh-keygen", &["-y", "-f", private.to_str().unwrap()]).trim(), key);
        Identity { machine_id: read("etc/machine-id"), host_key: key, name: read("etc/hostname") }
    }

    fn subject(&self, host: Host, provider: Arc<dyn Provider>) -> Subject<'_> {
        let version = run("btrfs", &["--version"]);
        Subject {
            kind: "btrfs",
            tried_as: "btrfs, subvolumes",
            on: format!(
                "{}, a file system in a file; a tree of files as host, on this machine and over OpenSSH",
                version.lines().next().unwrap()
            ),
            provider,
            host,
            write: Box::new(|text| self.write(text)),
            read: Box::new(|| self.read()),
            identity: Box::new(|clone| self.identity(clone)),
            unknown: BackupRef(format!("{}:8f1c5c91-e805-3947-83ee-f8fdea233a98", "0".repeat(32))),
        }
    }
}

fn key(step: &str) -> EffectKey {
    // What watches leave stays on this machine: no other run has this name.
    static RUN: LazyLock<u128> = LazyLock::new(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos());
    EffectKey(format!("c{}-{}/web-1/{step}/1", std::process::id(), *RUN))
}

fn mark(key: &EffectKey) -> String {
    Digest::of(key.0.as_bytes()).to_string()[..32].to_owned()
}

fn subvolumes(pool: &Pool) -> usize {
    run("btrfs", &["subvolume", "list", pool.path("").to_str().unwrap()]).lines().count()
}

#[tokio::test]
async fn subvolumes_keep_the_contract_here_and_over_ssh() {
    let Some(pool) = Pool::new() else { return };
    let (here, provider) = pool.host(pool.settings());
    hold(&pool.subject(here, provider)).await;
    assert_eq!(subvolumes(&pool), 1, "nothing of ours is left, and disposable parts are folders now");
    assert!(run("ls", &["-A", pool.kept().to_str().unwrap()]).lines().all(|name| name == "lock"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(pool.root().join("var/tmp")).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o1777);

    let Some(sshd) = testing::Sshd::start() else { return };
    let ssh = Ssh {
        user: Some("root".into()),
        port: Some(sshd.port),
        identity: Some(sshd.file("user_key").display().to_string()),
        host_key: Some(sshd.public_key("host_key.pub")),
        ..Ssh::default()
    };
    let via = Via { address: "127.0.0.1".into(), ssh, becomes: Default::default() };
    let there = host("web-1", ProviderSettings::Btrfs(BtrfsProvider { via: Some(via), ..pool.settings() }));
    let transport: Arc<dyn Transport> = Arc::new(SshTransport::new(SshLimits::default()).unwrap());
    let provider = for_host(&there, &transport).unwrap();
    hold(&pool.subject(there, provider)).await;
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_completed_by_the_next() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    pool.write("before");
    let backup = provider.backup(&host, &key("cut-backup")).await.unwrap();
    let snapshot = pool.kept().join(format!("backup-{}/root", mark(&key("cut-backup"))));
    let copy = |to: &Path| run("btrfs", &["subvolume", "snapshot", snapshot.to_str().unwrap(), to.to_str().unwrap()]);
    let mv = |from: &Path, to: &Path| std::fs::rename(from, to).unwrap();

    // Cut off after the copy was made; between the two moves; after them.
    for (cut, stops) in [(0, true), (1, false), (2, false)] {
        pool.write("after");
        let by = key(&format!("cut-{cut}"));
        let here = pool.kept().join(format!("restore-{}", mark(&by)));
        std::fs::create_dir(&here).unwrap();
        std::fs::write(here.join("of"), format!("{}\n", mark(&key("cut-backup")))).unwrap();
        copy(&here.join("root"));
        if cut > 0 {
            mv(&pool.root(), &here.join("old"));
        }
        if cut > 1 {
            mv(&here.join("root"), &pool.root());
        }
        pool.log();
        provider.restore(&host, &backup, &by).await.unwrap();
        assert_eq!(
            (pool.read().as_str(), pool.log()),
            ("before", if stops { "stop web-1, start web-1, ".to_owned() } else { "start web-1, ".into() }),
            "{cut}"
        );
        assert!(!here.join("old").exists() && !here.join("root").exists());
    }

    // A host that does not stop or start: what is known is said, and the next call goes on.
    pool.write("after");
    for (change, done) in [(0, false), (1, true)] {
        let mut broken = pool.settings();
        if change == 0 {
            broken.stop = sh("exit 1", &[])
        } else {
            broken.start = sh("exit 1", &[])
        }
        let (host, provider) = pool.host(broken);
        let error = provider.restore(&host, &backup, &key("broken")).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unclear(_)), "{error:?}");
        assert_eq!(pool.read() == "before", done);
    }
    provider.restore(&host, &backup, &key("broken")).await.unwrap();

    // A mark that cannot be written does not keep the host down.
    pool.write("after");
    let here = pool.kept().join(format!("restore-{}", mark(&key("unmarked"))));
    std::fs::create_dir(&here).unwrap();
    symlink("/nowhere/done", here.join("done")).unwrap();
    pool.log();
    for starts in ["stop web-1, start web-1, ", "start web-1, "] {
        let error = provider.restore(&host, &backup, &key("unmarked")).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Unclear(why) if why.contains("the host is back")), "{error:?}");
        assert_eq!((pool.read().as_str(), pool.log().as_str()), ("before", starts));
    }
    std::fs::remove_file(here.join("done")).unwrap();
    provider.restore(&host, &backup, &key("unmarked")).await.unwrap();
    assert!(here.join("done").exists() && !here.join("old").exists());
    provider.delete_backup(&host, &backup).await.unwrap();
    assert_eq!(run("ls", &[pool.kept().to_str().unwrap()]), "lock", "markers go with their backup");
}

#[tokio::test]
async fn an_earlier_call_that_still_runs_is_not_joined_by_a_second() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    pool.write("before");
    let backup = provider.backup(&host, &key("alone")).await.unwrap();
    let slow = BtrfsProvider { stop: sh("sleep 3", &[]), ..pool.settings() };
    let (slow_host, slow) = pool.host(slow);
    let by = key("alone-restore");
    let first = tokio::time::timeout(std::time::Duration::from_secs(1), slow.restore(&slow_host, &backup, &by)).await;
    assert!(first.is_err());
    let second = provider.restore(&host, &backup, &by).await;
    assert!(matches!(&second, Err(ProviderError::Unclear(why)) if why.contains("still runs")), "{second:?}");
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    provider.restore(&host, &backup, &by).await.unwrap();
}

/// The runner of the watch with this key.
fn runner(by: &EffectKey) -> Option<u32> {
    let folder = format!("/var/lib/switchback/watches/{}", mark(by));
    let mut all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&line).split('\0').any(|word| word == folder).then_some(pid)
    });
    all.next()
}

async fn until(provider: &dyn Provider, host: &Host, by: &EffectKey, end: Watch) {
    for _ in 0..60 {
        if provider.watch(host, by, Ask::Disarm).await == Ok(end.clone()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("it is not {end:?}");
}

#[tokio::test]
async fn a_watch_and_a_controller_never_restore_at_once() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    pool.write("before");
    let backup = provider.backup(&host, &key("both")).await.unwrap();
    pool.write("after");
    // The watch is due while a restore that nobody waits for any more stops the host.
    let dir = pool.dir.path().to_str().unwrap();
    let slow = sh("echo begin >>\"$1/log\"; sleep 4; echo end >>\"$1/log\"", &[dir]);
    let (slow_host, slow) = pool.host(BtrfsProvider { stop: slow, ..pool.settings() });
    let by = key("both-arm");
    let arm = Ask::Arm { backup: &backup, after: TimeSpan::seconds(2) };
    assert_eq!(slow.watch(&slow_host, &by, arm).await, Ok(Watch::Armed));
    let restore = key("both-restore");
    let first =
        tokio::time::timeout(std::time::Duration::from_secs(1), slow.restore(&slow_host, &backup, &restore)).await;
    assert!(first.is_err());
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(provider.watch(&host, &by, Ask::Disarm).await, Ok(Watch::GoesBack), "it has fired, and waits");
    let busy = provider.restore(&host, &backup, &restore).await;
    assert!(matches!(busy, Err(ProviderError::Unclear(_))), "{busy:?}");
    until(&*provider, &host, &by, Watch::WentBack).await;
    assert_eq!(pool.log(), "begin, end, start web-1, begin, end, start web-1, ", "one behind the other");
    assert_eq!(pool.read(), "before");
    provider.restore(&host, &backup, &restore).await.unwrap();
    provider.delete_backup(&host, &backup).await.unwrap();
    assert_eq!(run("ls", &[pool.kept().to_str().unwrap()]), "lock", "nothing of either is left");
}

#[tokio::test]
async fn a_watch_either_goes_back_or_is_disarmed() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    pool.write("before");
    let backup = provider.backup(&host, &key("or")).await.unwrap();
    let mut ends = std::collections::BTreeMap::new();
    for round in 0..8_u64 {
        pool.write("after");
        let by = key(&format!("or-{round}"));
        let arm = Ask::Arm { backup: &backup, after: TimeSpan::seconds(1) };
        assert_eq!(provider.watch(&host, &by, arm).await, Ok(Watch::Armed));
        // Around the moment at which it is due.
        tokio::time::sleep(std::time::Duration::from_millis(300 + 200 * round)).await;
        let end = match provider.watch(&host, &by, Ask::Disarm).await.unwrap() {
            Watch::Disarmed => Watch::Disarmed,
            _ => Watch::WentBack,
        };
        until(&*provider, &host, &by, end.clone()).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(pool.read() == "before", end == Watch::WentBack, "{end:?}");
        assert_eq!(provider.watch(&host, &by, Ask::Disarm).await, Ok(end.clone()));
        assert_eq!(runner(&by), None, "nobody is left behind");
        *ends.entry(format!("{end:?}")).or_insert(0) += 1;
    }
    assert_eq!(ends.len(), 2, "{ends:?}");
}

#[tokio::test]
async fn a_watch_that_died_is_renewed_or_goes_on() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    pool.write("before");
    let backup = provider.backup(&host, &key("died")).await.unwrap();
    pool.write("after");
    let by = key("died-arm");
    let after = TimeSpan::seconds(30);
    assert_eq!(provider.watch(&host, &by, Ask::Arm { backup: &backup, after }).await, Ok(Watch::Armed));
    let kill = || {
        let first = runner(&by).unwrap();
        run("kill", &["-9", &first.to_string()]);
        while runner(&by) == Some(first) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    kill();
    assert_eq!(runner(&by), None);
    let soon = TimeSpan::seconds(1);
    assert_eq!(provider.watch(&host, &by, Ask::Renew { after: soon }).await, Ok(Watch::Armed));
    assert!(runner(&by).is_some(), "who renews it starts it again");
    until_fired(&by);
    until(&*provider, &host, &by, Watch::WentBack).await;
    assert_eq!(pool.read(), "before");

    // A host that cannot be put back: it is told, with what was said.
    let (broken_host, broken) =
        pool.host(BtrfsProvider { stop: sh("echo 'it does not stop' >&2; exit 1", &[]), ..pool.settings() });
    let by = key("died-broken");
    let arm = Ask::Arm { backup: &backup, after: soon };
    assert_eq!(broken.watch(&broken_host, &by, arm).await, Ok(Watch::Armed));
    until_fired(&by);
    for _ in 0..120 {
        match provider.watch(&host, &by, Ask::Disarm).await.unwrap() {
            Watch::Failed(said) => {
                assert_eq!(said, "the command that stops it has failed");
                return;
            }
            other => assert_eq!(other, Watch::GoesBack),
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("it is still going back");
}

#[tokio::test]
async fn a_host_has_one_watch() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    let backup = provider.backup(&host, &key("one")).await.unwrap();
    let arm = Ask::Arm { backup: &backup, after: TimeSpan::minutes(5) };
    let (first, second, third) = (key("one-1"), key("one-2"), key("one-3"));
    assert_eq!(provider.watch(&host, &first, arm).await, Ok(Watch::Armed));
    let another = format!("{} in /var/lib/switchback/watches/{}", first.0, mark(&first));
    assert_eq!(provider.watch(&host, &second, arm).await, Ok(Watch::Another(another)));
    // Other hosts of the machine have theirs.
    let (other_host, other) = (crate::host("web-2", ProviderSettings::Btrfs(pool.settings())), key("one-other"));
    assert_eq!(provider.watch(&other_host, &other, arm).await, Ok(Watch::Armed));
    assert_eq!(provider.watch(&other_host, &other, Ask::Disarm).await, Ok(Watch::Disarmed));
    // What comes late arms nothing, also where it was disarmed before it was ever armed.
    for ask in [Ask::Disarm, arm, Ask::Renew { after: TimeSpan::minutes(5) }, Ask::Disarm] {
        assert_eq!(provider.watch(&host, &second, ask).await, Ok(Watch::Disarmed), "{ask:?}");
    }
    assert_eq!((provider.watch(&host, &first, Ask::Disarm).await, runner(&second)), (Ok(Watch::Disarmed), None));
    assert_eq!(provider.watch(&host, &third, arm).await, Ok(Watch::Armed));
    assert_eq!(provider.watch(&host, &third, Ask::Disarm).await, Ok(Watch::Disarmed));
}

#[tokio::test]
async fn watches_that_nobody_renews_for_a_month_are_forgotten() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    let backup = provider.backup(&host, &key("month")).await.unwrap();
    let watches = Path::new("/var/lib/switchback/watches");
    let old = ["dead", "alive", "ended"].map(|name| watches.join(mark(&key(&format!("month-{name}")))));
    for folder in &old {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("guard"), "").unwrap();
    }
    std::fs::write(old[2].join("disarmed"), "").unwrap();
    let guard = old[1].join("guard");
    let mut alive =
        std::process::Command::new("flock").arg("--no-fork").arg(&guard).args(["sleep", "60"]).spawn().unwrap();
    for folder in &old {
        run("touch", &["-d", "40 days ago", folder.to_str().unwrap()]);
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let by = key("month-arm");
    let arm = Ask::Arm { backup: &backup, after: TimeSpan::minutes(5) };
    let armed = provider.watch(&host, &by, arm).await;
    let left = old.clone().map(|folder| folder.exists());
    alive.kill().unwrap();
    alive.wait().unwrap();
    std::fs::remove_dir_all(&old[1]).unwrap();
    assert_eq!((armed, left), (Ok(Watch::Armed), [false, true, false]));
    assert_eq!(provider.watch(&host, &by, Ask::Disarm).await, Ok(Watch::Disarmed));
}

/// Waits until the watch has fired: to ask it would renew or end it.
fn until_fired(by: &EffectKey) {
    let fired = format!("/var/lib/switchback/watches/{}/fired", mark(by));
    for _ in 0..200 {
        if Path::new(&fired).exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it does not fire");
}

#[tokio::test]
async fn services_hold_still_for_a_snapshot() {
    let Some(pool) = Pool::new() else { return };
    let data = pool.root().join("etc/data").display().to_string();
    let write = |text: &str| sh("echo \"$1\" >\"$2\"", &[text, &data]);
    let freeze = |freeze| Some(Freeze { freeze, thaw: write("running") });
    let frozen = BtrfsProvider { freeze: freeze(write("still")), ..pool.settings() };
    let (host, provider) = pool.host(frozen.clone());
    assert_eq!(host.provider.as_ref().unwrap().capabilities().consistency, switchback::model::Consistency::Application);
    let backup = provider.backup(&host, &key("still")).await.unwrap();
    let kept = pool.kept().join(format!("backup-{}/root/etc/data", mark(&key("still"))));
    assert_eq!((std::fs::read_to_string(kept).unwrap().as_str(), pool.read().as_str()), ("still\n", "running\n"));
    // Found again without being held again.
    pool.write("untouched");
    assert_eq!(provider.backup(&host, &key("still")).await.unwrap(), backup);
    assert_eq!(pool.read(), "untouched");
    // One that nobody confirmed is made again: it is not known whether services held still to its end.
    std::fs::remove_file(pool.kept().join(format!("backup-{}/whole", mark(&key("still"))))).unwrap();
    assert_ne!(provider.backup(&host, &key("still")).await.unwrap(), backup);

    let (host, provider) = pool.host(BtrfsProvider { freeze: freeze(sh("exit 1", &[])), ..frozen });
    let error = provider.backup(&host, &key("not-still")).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    assert_eq!((pool.read().as_str(), provider.list(&host).await.unwrap().len()), ("running\n", 1));
}

#[tokio::test]
async fn a_host_cannot_lead_its_machine_astray() {
    let Some(pool) = Pool::new() else { return };
    let (host, provider) = pool.host(pool.settings());
    let outside = pool.dir.path().join("outside");
    std::fs::create_dir_all(outside.join("ssh")).unwrap();
    for file in ["machine-id", "hostname", "ssh/ssh_host_ed25519_key"] {
        std::fs::write(outside.join(file), "the machine's own").unwrap();
    }
    // Links as files are replaced, not followed.
    std::fs::remove_file(pool.root().join("etc/machine-id")).unwrap();
    symlink(outside.join("machine-id"), pool.root().join("etc/machine-id")).unwrap();
    let backup = provider.backup(&host, &key("links")).await.unwrap();
    let clone = provider.clone_host(&host, &backup, &key("links-clone")).await.unwrap();
    provider.destroy(&host, &clone.reference).await.unwrap();
    // Links as folders are refused.
    std::fs::rename(pool.root().join("etc/ssh"), pool.root().join("etc/ssh.away")).unwrap();
    symlink(outside.join("ssh"), pool.root().join("etc/ssh")).unwrap();
    let second = provider.backup(&host, &key("links-2")).await.unwrap();
    let error = provider.clone_host(&host, &second, &key("links-clone-2")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("etc/ssh")), "{error:?}");
    // What is half made is listed, and goes.
    let list = provider.list(&host).await.unwrap();
    let half = list.iter().find_map(|(_, held)| match held {
        Held::Clone(clone) => Some(clone.clone()),
        _ => None,
    });
    provider.destroy(&host, &half.unwrap()).await.unwrap();
    assert_eq!(provider.list(&host).await.unwrap().len(), 2);
    for file in ["machine-id", "hostname", "ssh/ssh_host_ed25519_key"] {
        assert_eq!(std::fs::read_to_string(outside.join(file)).unwrap(), "the machine's own", "{file}");
    }

    // What a snapshot would leave out is told, by name.
    pool.subvolume("web-1/usr/data");
    let error = provider.backup(&host, &key("nested")).await.unwrap_err();
    assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains("usr/data")), "{error:?}");
    // And what is no subvolume, or in no btrfs.
    for subvolume in [pool.path("web-1/etc"), outside.clone(), pool.path("none")] {
        let settings = BtrfsProvider { subvolume: subvolume.display().to_string(), ..pool.settings() };
        let (host, provider) = pool.host(settings);
        let error = provider.backup(&host, &key("odd")).await.unwrap_err();
        assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    }
    // Another subvolume in place of the backup is not believed.
    let place = pool.kept().join(format!("backup-{}/root", mark(&key("links"))));
    let moved = pool.path("moved");
    let btrfs = |args: &[&str]| run("btrfs", &[&["subvolume"], args].concat());
    btrfs(&["snapshot", "-r", place.to_str().unwrap(), moved.to_str().unwrap()]);
    btrfs(&["delete", place.to_str().unwrap()]);
    btrfs(&["snapshot", "-r", moved.to_str().unwrap(), place.to_str().unwrap()]);
    for error in [
        provider.verify_backup(&host, &backup).await.unwrap_err(),
        provider.restore(&host, &backup, &key("forged")).await.unwrap_err(),
        provider.delete_backup(&host, &backup).await.unwrap_err(),
    ] {
        assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    }
}
