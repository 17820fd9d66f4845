//! Containers of a real dockerd of the test's own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchback::model::{Host, ProviderSettings};
use switchback::provider::{BackupRef, CloneHost, Containers, EffectKey, Held, Provider, ProviderError};

use crate::contract::{Identity, Subject, hold};
use crate::daemon::Daemon;
use crate::{has_daemon, host, run};

/// A daemon with one host in it, made of busybox.
struct Docker {
    // In this order: the daemon ends before its folder goes.
    _daemon: Daemon,
    dir: tempfile::TempDir,
}

const FRONT: &str = "10.213.1.7";

impl Docker {
    fn start() -> Option<Self> {
        if !has_daemon(&["dockerd", "docker", "containerd", "runc", "busybox", "ssh-keygen", "unshare", "ldd", "tar"]) {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("sb-docker").tempdir_in("/tmp").unwrap();
        std::fs::write(dir.path().join("config.json"), "{}").unwrap();
        let line = "ip link set lo up; dockerd --config-file \"$PWD/config.json\" --data-root \"$PWD/data\" \
             --exec-root \"$PWD/exec\" --pidfile \"$PWD/pid\" --host \"unix://$PWD/sock\" --storage-driver vfs \
             --bridge none --iptables=false --ip-forward=false --ip-masq=false & wait $!";
        let socket = dir.path().join("sock");
        let ready = || {
            let mut docker = std::process::Command::new("docker");
            docker.arg(format!("--host=unix://{}", socket.display())).args([
                "version",
                "--format",
                "{{.Server.Version}}",
            ]);
            docker.output().unwrap().status.success()
        };
        let docker = Self { _daemon: Daemon::start(dir.path(), line, ready), dir };
        docker.image();
        docker.docker(&["network", "create", "--subnet", "10.213.1.0/24", "front"]);
        docker.docker(&["network", "create", "--subnet", "10.213.2.0/24", "--internal", "lab"]);
        docker.run_host(
            "web-1",
            &["--hostname=web-1", "--ip", FRONT, "--volume", "/anonymous", "--volume", "data:/data"],
        );
        Some(docker)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn docker(&self, args: &[&str]) -> String {
        run("docker", &[&[format!("--host=unix://{}", self.path("sock").display()).as_str()], args].concat())
    }

    fn image(&self) {
        let root = self.path("image");
        for folder in ["bin", "etc/ssh"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let linked = run("sh", &["-c", "ldd \"$(command -v busybox)\" | grep -o '/[^ ]*' || true"]);
        for file in linked.lines() {
            let to = root.join(file.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(file, to).unwrap();
        }
        std::fs::copy(run("sh", &["-c", "command -v busybox"]), root.join("bin/busybox")).unwrap();
        for name in ["sh", "cat", "sleep", "hostname", "touch"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        std::fs::write(root.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
        let key = root.join("etc/ssh/ssh_host_ed25519_key");
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key.to_str().unwrap()]);
        let socket = self.path("sock");
        let import = "tar -C \"$1\" -c . | docker \"--host=unix://$2\" import - localhost/host:1";
        run("sh", &["-ec", import, "sh", root.to_str().unwrap(), socket.to_str().unwrap()]);
    }

    fn run_host(&self, name: &str, options: &[&str]) {
        let init = ["localhost/host:1", "/bin/sh", "-c", "trap exit TERM; while :; do sleep 1000 & wait; done"];
        let own = ["run", "--detach", "--name", name, "--network=front", "--env=X=it's \"one\"", "--label=mine=1"];
        self.docker(&[&own[..], options, &init[..]].concat());
    }

    fn host(&self, name: &str) -> Host {
        let socket = self.path("sock").display().to_string();
        let lab = Some("lab".to_owned());
        host(name, ProviderSettings::Docker { name: name.to_owned(), socket: Some(socket), clone_network: lab })
    }

    /// What a shell in a container says.
    fn say(&self, name: &str, script: &str) -> String {
        self.docker(&["exec", name, "/bin/sh", "-c", script])
    }

    fn write(&self, text: &str) {
        self.say("web-1", &format!("echo {text} >/etc/data"));
    }

    fn read(&self) -> String {
        self.say("web-1", "cat /etc/data")
    }

    fn identity(&self, clone: Option<&CloneHost>) -> Identity {
        let name = clone.map_or("web-1", |clone| &clone.reference.0);
        let networks =
            "{{range $name, $it := .NetworkSettings.Networks}} {{$name}} {{$it.IPAddress}} {{$it.MacAddress}}{{end}}";
        let key = self.say(name, "cat /etc/ssh/ssh_host_ed25519_key.pub");
        Identity {
            machine_id: self.say(name, "cat /etc/machine-id"),
            host_key: key.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            name: self.say(name, "hostname; echo $X") + &self.docker(&["inspect", "--format", networks, name]),
        }
    }

    /// A docker that dies at its n-th call that changes something, before or after doing it.
    fn dying(&self, at: u32, does_it: bool) -> Containers {
        let (path, count) = (self.path("dying"), self.path("count"));
        std::fs::write(&count, "0").unwrap();
        let script = format!(
            "#!/bin/sh\n\
             case $2 in stop|rename|start|rm) ;; *) exec docker \"$@\" ;; esac\n\
             n=$(($(cat {count}) + 1))\n\
             echo $n > {count}\n\
             [ $n -ge {at} ] || exec docker \"$@\"\n\
             [ $n = {at} ] && {does_it} && docker \"$@\" > {count}.out 2>&1\n\
             echo died >&2\n\
             exit 137\n",
            count = count.display(),
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Containers::with_program(path)
    }

    fn containers(&self) -> String {
        self.docker(&["ps", "--all", "--format", "{{.Names}}"]).lines().collect::<Vec<_>>().join(" ")
    }

    /// The names of our images; those that others are made of go with them.
    fn images(&self) -> String {
        let all = self.docker(&["images", "--format", "{{.Repository}}"]);
        all.lines().filter(|name| *name != "localhost/host").collect()
    }
}

fn key(step: &str) -> EffectKey {
    EffectKey(format!("c{}-docker/web-1/{step}/1", std::process::id()))
}

#[tokio::test]
async fn containers_keep_the_contract() {
    let Some(docker) = Docker::start() else { return };
    let (provider, web): (Arc<dyn Provider>, _) = (Arc::new(Containers::default()), docker.host("web-1"));
    let version = docker.docker(&["version", "--format", "{{.Server.Version}}"]);
    docker.say("web-1", "echo volume >/anonymous/kept; echo volume >/data/kept");
    hold(&Subject {
        kind: "docker",
        tried_as: "docker",
        on: format!("Docker {}; a container with busybox as host", version.split('+').next().unwrap()),
        provider: Arc::clone(&provider),
        host: web.clone(),
        write: Box::new(|text| docker.write(text)),
        read: Box::new(|| docker.read()),
        identity: Box::new(|clone| docker.identity(clone)),
        unknown: BackupRef("localhost/switchback-backup/web-1:none".to_owned()),
    })
    .await;
    assert_eq!(docker.say("web-1", "cat /anonymous/kept /data/kept"), "volume\nvolume", "volumes are mounted again");
    assert_eq!(docker.containers(), "web-1");

    // A backup that the host stands on goes by name; the host can be backed up all the same, also when it is stopped.
    let first = provider.backup(&web, &key("first")).await.unwrap();
    provider.restore(&web, &first, &key("first-restore")).await.unwrap();
    docker.docker(&["stop", "--time", "5", "web-1"]);
    provider.delete_backup(&web, &first).await.unwrap();
    assert_eq!(docker.images(), "localhost/switchback-kept/web-1");
    let second = provider.backup(&web, &key("second")).await.unwrap();
    assert_eq!(provider.list(&web).await.unwrap(), [(key("second"), Held::Backup(second.clone()))]);
    provider.restore(&web, &second, &key("second-restore")).await.unwrap();
    assert_eq!(
        docker.docker(&["inspect", "--format", "{{.Config.Labels.mine}} {{.State.Running}}", "web-1"]),
        "1 true"
    );

    // A clone sees what is in volumes and cannot change it.
    let clone = provider.clone_host(&web, &second, &key("reader")).await.unwrap();
    let seen = "cat /anonymous/kept /data/kept; touch /data/new /anonymous/new 2>/dev/null || echo read-only";
    assert_eq!(docker.say(&clone.reference.0, seen), "volume\nvolume\nread-only");
    assert!(clone.address.starts_with("10.213.2."), "{clone:?}");
    provider.destroy(&web, &clone.reference).await.unwrap();
    assert_eq!(docker.say("web-1", "cat /data/kept"), "volume");

    // What could come back as somebody else is not backed up.
    docker.run_host("moving", &[]);
    docker.run_host("fleeting", &["--rm", "--ip", "10.213.1.9"]);
    for (name, words) in [("moving", "--ip"), ("fleeting", "--rm"), ("none", "no container")] {
        let error = provider.backup(&docker.host(name), &key(name)).await.unwrap_err();
        assert!(matches!(&error, ProviderError::NoEffect(why) if why.contains(words)), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn an_interrupted_restore_is_completed_by_its_repetition() {
    let Some(docker) = Docker::start() else { return };
    let (provider, web) = (Containers::default(), docker.host("web-1"));
    let was = docker.identity(None);
    docker.write("before");
    let backup = provider.backup(&web, &key("cut")).await.unwrap();
    // stop, rename, start, rm.
    for at in 1..=4 {
        for does_it in [false, true] {
            docker.write("after");
            let by = key(&format!("cut-{at}-{does_it}"));
            let died = docker.dying(at, does_it).restore(&web, &backup, &by).await;
            assert!(matches!(died, Err(ProviderError::Unclear(_))), "change {at}, {does_it}: {died:?}");
            provider.restore(&web, &backup, &by).await.unwrap();
            assert_eq!((docker.read().as_str(), docker.identity(None)), ("before", was.clone()), "{at}, {does_it}");
            assert_eq!(docker.containers(), "web-1", "change {at}, {does_it}");
        }
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_has_changed_nothing() {
    let socket = Some(Path::new("/nonexistent/docker.sock").display().to_string());
    let web = host("web-1", ProviderSettings::Docker { name: "web-1".into(), socket, clone_network: None });
    let (provider, backup) = (Containers::default(), BackupRef("localhost/switchback-backup/web-1:1".into()));
    assert!(matches!(provider.backup(&web, &key("x")).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(provider.restore(&web, &backup, &key("x")).await, Err(ProviderError::NoEffect(_))));
    assert!(matches!(provider.delete_backup(&web, &backup).await, Err(ProviderError::NoEffect(_))));
}
