//! Files in a real restic repository, on this machine and over a real sshd.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use switchback::model::{Host, ProviderSettings, ResticProvider};
use switchback::provider::{BackupRef, EffectKey, Provider, ProviderError, for_host};
use switchback::transport::{LocalTransport, SshLimits, SshTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::{host, possible, run, sh, testing};

struct Place {
    dir: tempfile::TempDir,
    settings: ResticProvider,
}

impl Place {
    /// A folder with files, and a repository beside it.
    fn new() -> Option<Self> {
        if !possible(&["restic"], false) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::create_dir_all(path("it's a host/etc/ssh")).unwrap();
        std::fs::write(path("password"), "it's secret\n").unwrap();
        std::fs::write(
            path("environment"),
            format!("# where it works\nXDG_STATE_HOME={}\nXDG_CACHE_HOME={}\n", path("state"), path("cache")),
        )
        .unwrap();
        run("restic", &["init", "-q", "-r", &path("repo"), "--password-file", &path("password")]);
        let settings = ResticProvider {
            repository: path("repo"),
            password_file: path("password"),
            environment_file: Some(path("environment")),
            paths: vec![path("it's a host")],
            exclude: vec!["*.cache".to_owned()],
            after_restore: Some(sh("echo restored >>\"$1\"", &[&path("restored")])),
            timeout: None,
        };
        Some(Self { dir, settings })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("it's a host").join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn host(&self) -> Host {
        host("web-1", ProviderSettings::Restic(self.settings.clone()))
    }
}

fn provider(host: &Host) -> Arc<dyn Provider> {
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport);
    for_host(host, &transport).unwrap()
}

fn key(step: &str) -> EffectKey {
    EffectKey(format!("c{}-restic/web-1/{step}/1", std::process::id()))
}

async fn contract(place: &Place, host: Host, transport: Arc<dyn Transport>) {
    let version = run("restic", &["version"]);
    hold(&Subject {
        kind: "restic",
        tried_as: "restic",
        on: format!("{}, a repository in a folder, over OpenSSH", version.split(" compiled").next().unwrap()),
        provider: for_host(&host, &transport).unwrap(),
        host,
        write: Box::new(|text| std::fs::write(place.file("etc/data"), text).unwrap()),
        read: Box::new(|| place.text("etc/data")),
        identity: Box::new(|_| Identity {
            machine_id: place.text("etc/machine-id"),
            host_key: place.text("etc/ssh/key"),
            name: place.text("etc/hostname"),
        }),
        unknown: BackupRef("0".repeat(64)),
    })
    .await;
}

#[tokio::test]
async fn files_keep_the_contract() {
    let Some(place) = Place::new() else { return };
    for name in ["etc/machine-id", "etc/ssh/key", "etc/hostname"] {
        std::fs::write(place.file(name), name).unwrap();
    }
    let Some(sshd) = testing::Sshd::start() else {
        return contract(&place, place.host(), Arc::new(LocalTransport)).await;
    };
    let mut host = place.host();
    host.address = Some("127.0.0.1".into());
    host.ssh.port = Some(sshd.port);
    host.ssh.user = Some("root".into());
    host.ssh.identity = Some(sshd.file("user_key").display().to_string());
    host.ssh.host_key = Some(sshd.public_key("host_key.pub"));
    contract(&place, host, Arc::new(SshTransport::new(SshLimits::default()).unwrap())).await;
    assert!(place.dir.path().join("restored").exists());
}

/// Every file below with what it is.
fn tree(root: &Path) -> Vec<String> {
    let mut lines: Vec<String> = run("find", &[root.to_str().unwrap(), "-printf", "%y %m %P -> %l %s\\n"])
        .lines()
        .filter(|l| !l.starts_with('d'))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_restore_puts_back_whatever_was_done_to_files_and_leaves_what_a_backup_leaves_out() {
    let Some(place) = Place::new() else { return };
    let (host, provider) = (place.host(), provider(&place.host()));
    for (name, text) in [
        ("a b\n\"c\" \\d", "odd"),
        ("etc/changed", "v1"),
        ("etc/gone", "gone"),
        ("was-file", "file"),
        ("kept.cache", "1"),
    ] {
        std::fs::write(place.file(name), text).unwrap();
    }
    std::fs::create_dir_all(place.file("was-dir/below")).unwrap();
    std::fs::write(place.file("was-dir/below/file"), "deep").unwrap();
    symlink("etc/changed", place.file("link")).unwrap();
    symlink("nowhere", place.file("was-link")).unwrap();
    std::fs::copy("/bin/sleep", place.file("sleep")).unwrap();
    let before = tree(&place.file(""));
    let backup = provider.backup(&host, &key("files")).await.unwrap();

    // A program that runs can be replaced, not written to.
    let mut running = Command::new(place.file("sleep")).arg("60").spawn().unwrap();
    std::fs::remove_file(place.file("etc/gone")).unwrap();
    std::fs::write(place.file("etc/changed"), "v2").unwrap();
    std::fs::set_permissions(place.file("etc/changed"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(place.file("a b\n\"c\" \\d"), "changed").unwrap();
    std::fs::remove_file(place.file("was-file")).unwrap();
    std::fs::create_dir_all(place.file("was-file/now a folder")).unwrap();
    std::fs::remove_dir_all(place.file("was-dir")).unwrap();
    symlink("/etc", place.file("was-dir")).unwrap();
    std::fs::remove_file(place.file("was-link")).unwrap();
    std::fs::write(place.file("was-link"), "now a file").unwrap();
    std::fs::create_dir_all(place.file("new/folder")).unwrap();
    std::fs::write(place.file("new/folder/it's <new> & \"odd\""), "new").unwrap();
    std::fs::write(place.file("new/other.cache"), "kept").unwrap();
    std::fs::write(place.file("kept.cache"), "22").unwrap();
    let inode = std::fs::metadata(place.file("sleep")).unwrap().ino();
    provider.restore(&host, &backup, &key("restore-files")).await.unwrap();
    let left = |line: &String| !line.contains(".cache");
    assert_eq!(
        tree(&place.file("")).into_iter().filter(left).collect::<Vec<_>>(),
        before.into_iter().filter(left).collect::<Vec<_>>()
    );
    assert_eq!((place.text("kept.cache").as_str(), place.text("new/other.cache").as_str()), ("22", "kept"));
    assert!(!place.file("new/folder").exists() && Path::new("/etc/passwd").exists());
    assert_eq!(std::fs::metadata(place.file("sleep")).unwrap().ino(), inode, "what is as it was is not touched");

    std::fs::remove_file(place.file("sleep")).unwrap();
    std::fs::copy("/bin/true", place.file("sleep")).unwrap();
    let mut other = Command::new(place.file("sleep")).spawn().unwrap();
    provider.restore(&host, &backup, &key("restore-program")).await.unwrap();
    assert_eq!(std::fs::read(place.file("sleep")).unwrap(), std::fs::read("/bin/sleep").unwrap());
    running.kill().unwrap();
    running.wait().unwrap();
    other.wait().unwrap();

    // All of it gone.
    std::fs::remove_dir_all(place.file("")).unwrap();
    provider.restore(&host, &backup, &key("restore-all")).await.unwrap();
    assert_eq!(place.text("etc/changed"), "v1");
    assert_eq!(provider.list(&host).await.unwrap().len(), 1);
    let tags = run(
        "restic",
        &["-r", &place.settings.repository, "--password-file", &place.settings.password_file, "snapshots", "--json"],
    );
    assert!(!tags.contains("switchback-now") && !tags.contains("switchback-half"), "{tags}");
}

#[tokio::test]
async fn failures_say_that_nothing_was_done_and_tell_no_secrets() {
    let Some(place) = Place::new() else { return };
    std::fs::write(place.file("etc/data"), "before").unwrap();
    let backup = provider(&place.host()).backup(&place.host(), &key("secrets")).await.unwrap();
    let wrong = |change: &dyn Fn(&mut ResticProvider)| {
        let mut settings = place.settings.clone();
        change(&mut settings);
        host("web-1", ProviderSettings::Restic(settings))
    };
    let password = place.dir.path().join("wrong").display().to_string();
    std::fs::write(&password, "hunter2\n").unwrap();
    let environment = place.dir.path().join("odd").display().to_string();
    std::fs::write(&environment, "AWS-KEY=hunter2\n").unwrap();
    for broken in [
        wrong(&|s| s.password_file = password.clone()),
        wrong(&|s| s.environment_file = Some(environment.clone())),
        wrong(&|s| s.repository = "/nonexistent/repository".into()),
        wrong(&|s| s.paths.push("/nonexistent/path".into())),
    ] {
        let error = provider(&broken).backup(&broken, &key("broken")).await.unwrap_err();
        assert!(matches!(&error, ProviderError::NoEffect(why) if !why.contains("hunter2")), "{error:?}");
    }
    // Another host's backup in the same repository is neither put back nor deleted.
    let other = Host { name: switchback::model::HostName::new("web-2").unwrap(), ..place.host() };
    assert!(matches!(provider(&other).restore(&other, &backup, &key("other")).await, Err(ProviderError::NoEffect(_))));
    provider(&other).delete_backup(&other, &backup).await.unwrap();
    assert_eq!(provider(&place.host()).list(&place.host()).await.unwrap().len(), 1);
    // A repository whose data is spoilt is not believed.
    let spoil = r#"find "$1/data" -type f | while read -r f; do chmod u+w "$f"; n=$(stat -c %s "$f"); head -c "$n" /dev/zero >"$f"; done"#;
    run("/bin/sh", &["-c", spoil, "sh", &place.settings.repository]);
    let error = provider(&place.host()).verify_backup(&place.host(), &backup).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    std::fs::write(place.file("etc/data"), "after").unwrap();
    let error = provider(&place.host()).restore(&place.host(), &backup, &key("lost")).await.unwrap_err();
    assert!(matches!(error, ProviderError::NoEffect(_)), "{error:?}");
    assert_eq!(place.text("etc/data"), "after", "nothing is touched before all of the backup was read");
}
