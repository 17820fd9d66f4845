//! The btrfs provider on a real host: Debian booted by systemd-nspawn from a subvolume, reached over SSH.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use switchback::model::{BtrfsProvider, Freeze, Host, HostName, ProviderSettings};
use switchback::provider::{BackupRef, for_host};
use switchback::transport::{SshLimits, SshTransport, Transport};

use crate::contract::{Identity, Subject, hold};
use crate::fleet::{Fleet, eventually};

/// Starts what is below `$1` as machine `$2` in the network `$3`, unless it runs.
const START: &str = r#"pid=$4/$2.pid
[ -e "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null && exit 0
setsid systemd-nspawn --quiet --register=no --keep-unit --link-journal=no -D "$1" -M "$2" \
  "--network-namespace-path=/run/netns/$3" -b </dev/null >>"$4/$2.log" 2>&1 &
echo $! >"$pid""#;

/// Shuts machine `$1` down and waits until it is.
const STOP: &str = r#"pid=$2/$1.pid
[ -e "$pid" ] || exit 0
kill "$(cat "$pid")" 2>/dev/null
for try in $(seq 300); do
  kill -0 "$(cat "$pid")" 2>/dev/null || { rm "$pid"; exit 0; }
  # A machine that is still booting does not hear the first; the second ends it at once.
  [ "$try" != 100 ] || kill "$(cat "$pid")" 2>/dev/null
  sleep 0.2
done
exit 1"#;

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn sh(script: &str, arguments: &[&str]) -> Vec<String> {
    [&["/bin/sh", "-c", script, "sh"], arguments].concat().into_iter().map(str::to_owned).collect()
}

/// The last parts of the addresses of the host and of its clone.
const HOST: u8 = 2;
const CLONE: u8 = 6;

/// A file system with a host in it, and a network each for the host and for its clone.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    name: String,
    /// Of its networks; another for every test.
    third: u8,
}

impl Place {
    pub(crate) fn new(fleet: &Fleet, third: u8) -> Self {
        let dir = fleet.dir.with_extension("nspawn");
        let place = Self { name: fleet.prefix.to_string(), dir, third };
        place.clear();
        let (mount, image) = (place.file("pool"), place.file("image"));
        std::fs::create_dir_all(&mount).unwrap();
        std::fs::File::create(&image).unwrap().set_len(2 << 30).unwrap();
        run("mkfs.btrfs", &["-q", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), mount.to_str().unwrap()]);
        run("btrfs", &["subvolume", "create", place.root().to_str().unwrap()]);
        let copy = "podman export \"$1\" | tar -x -C \"$2\" --exclude='dev/*' && podman rm -f \"$1\"";
        let image = run("podman", &["inspect", "--format", "{{.Image}}", &fleet.container("web-1")]);
        let container = run("podman", &["create", &image]);
        run("/bin/sh", &["-c", copy, "sh", &container, place.root().to_str().unwrap()]);
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", place.file("key").to_str().unwrap()]);
        std::fs::create_dir_all(place.root().join("root/.ssh")).unwrap();
        std::fs::copy(place.file("key.pub"), place.root().join("root/.ssh/authorized_keys")).unwrap();
        std::fs::write(place.root().join("etc/hostname"), "web-1\n").unwrap();
        let clone = START.replace("&& exit 0", &format!("&& echo {} && exit 0", place.clone_address()));
        let clone = format!("{clone}\necho {}", place.clone_address());
        for (name, script) in [("start", START), ("stop", STOP), ("start-clone", clone.as_str())] {
            std::fs::write(place.file(name), script).unwrap();
        }
        for (net, last) in [("h", HOST), ("c", CLONE)] {
            let (space, link, address) = (place.space(net), place.link(net), place.address(last));
            let here = format!("{}/30", place.address(last - 1));
            run("ip", &["netns", "add", &space]);
            run("ip", &["link", "add", &link, "type", "veth", "peer", "name", "host0", "netns", &space]);
            run("ip", &["address", "add", &here, "dev", &link]);
            run("ip", &["link", "set", &link, "up"]);
            run("ip", &["-n", &space, "address", "add", &format!("{address}/30"), "dev", "host0"]);
            for name in ["host0", "lo"] {
                run("ip", &["-n", &space, "link", "set", name, "up"]);
            }
        }
        place
    }

    /// Takes away what this or an earlier run has left.
    fn clear(&self) {
        if let Ok(entries) = std::fs::read_dir(&self.dir) {
            for path in
                entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "pid"))
            {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let stop = sh(STOP, &[&name, self.dir.to_str().unwrap()]);
                let _ = Command::new(&stop[0]).args(&stop[1..]).status();
            }
        }
        for net in ["h", "c"] {
            let _ = Command::new("ip").args(["netns", "del", &self.space(net)]).output();
        }
        let _ = Command::new("umount").arg(self.file("pool")).output();
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    fn address(&self, last: u8) -> String {
        format!("10.213.{}.{last}", self.third)
    }

    pub(crate) fn host_address(&self) -> String {
        self.address(HOST)
    }

    fn clone_address(&self) -> String {
        self.address(CLONE)
    }

    /// Boots the host, and waits until it answers.
    pub(crate) fn boot(&self) {
        let (root, space, dir) = (self.root(), self.space("h"), self.dir.to_str().unwrap());
        let start = sh(START, &[root.to_str().unwrap(), "web-1", &space, dir]);
        run(&start[0], &start[1..].iter().map(String::as_str).collect::<Vec<_>>());
        self.say(&self.host_address(), "true");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.file("pool/web-1")
    }

    pub(crate) fn space(&self, net: &str) -> String {
        format!("{}-{net}", self.name)
    }

    pub(crate) fn link(&self, net: &str) -> String {
        // Names of links end at 15 characters.
        format!("{}-{net}", &self.name[..self.name.len().min(12)])
    }

    fn host(&self) -> Host {
        let dir = self.dir.to_str().unwrap();
        let root = self.root().display().to_string();
        let mut host = Host::named(HostName::new("web-1").unwrap());
        host.address = Some(self.host_address());
        host.ssh.user = Some("root".to_owned());
        host.ssh.identity = Some(self.file("key").display().to_string());
        host.ssh.host_key = Some(self.host_key(&self.host_address()).unwrap_or_default());
        host.provider = Some(ProviderSettings::Btrfs(BtrfsProvider {
            subvolume: root.clone(),
            snapshots: self.file("pool/kept").display().to_string(),
            stop: self.command("stop", &["web-1", dir]),
            start: self.command("start", &[&root, "web-1", &self.space("h"), dir]),
            start_clone: Some(self.command("start-clone", &["{path}", "{clone}", &self.space("c"), dir])),
            stop_clone: Some(self.command("stop", &["{clone}", dir])),
            freeze: Some(Freeze { freeze: sh("sync", &[]), thaw: sh("true", &[]) }),
            via: None,
            timeout: None,
        }));
        host
    }

    pub(crate) fn command(&self, script: &str, arguments: &[&str]) -> Vec<String> {
        let script = self.file(script);
        let words = [&["/bin/sh", script.to_str().unwrap()], arguments].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// The key with which whoever is there answers.
    pub(crate) fn host_key(&self, address: &str) -> Option<String> {
        let output = Command::new("ssh-keyscan").args(["-T", "2", "-t", "ed25519", address]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with(address))?;
        Some(line.split_once(' ')?.1.to_owned())
    }

    /// What a command says there, once it answers with a key that is its own.
    pub(crate) fn say(&self, address: &str, command: &str) -> String {
        let known = self.file("known");
        let mut said = None;
        eventually(&format!("{address} answers"), 60, || {
            let Some(key) = self.host_key(address) else { return false };
            std::fs::write(&known, format!("{address} {key}\n")).unwrap();
            let output = Command::new("ssh")
                .args(["-n", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"])
                .args(["-o", &format!("UserKnownHostsFile={}", known.display()), "-i"])
                .arg(self.file("key"))
                .args([&format!("root@{address}"), command])
                .output()
                .unwrap();
            said = output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned());
            said.is_some()
        });
        said.unwrap()
    }

    fn identity(&self, address: &str) -> Identity {
        let text = self.say(address, "cat /etc/machine-id; uname -n");
        let (machine_id, name) = text.split_once('\n').unwrap();
        let host_key = self.host_key(address).unwrap();
        Identity { machine_id: machine_id.to_owned(), host_key, name: name.to_owned() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if switchback::env::var("SWITCHBACK_KEEP_LAB").is_none() {
            self.clear();
        }
    }
}

pub(crate) fn possible() -> bool {
    let found =
        |program: &str| ["/usr/bin", "/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists());
    let missing: Vec<_> =
        ["systemd-nspawn", "mkfs.btrfs", "ssh-keyscan"].into_iter().filter(|program| !found(program)).collect();
    if missing.is_empty() {
        return true;
    }
    let required = switchback::env::var("SWITCHBACK_FLEET").is_some_and(|value| value == "required");
    assert!(!required, "SWITCHBACK_FLEET=required and there is no {missing:?}");
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("SKIPPED: there is no {missing:?}\n"));
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_in_a_subvolume_keeps_the_contract() {
    if !possible() {
        return;
    }
    let Some(fleet) = Fleet::up("nspawn", 1) else { return };
    let place = Place::new(&fleet, 77);
    place.boot();
    let at = place.host_address();
    let transport: Arc<dyn Transport> = Arc::new(SshTransport::new(SshLimits::default()).unwrap());
    let host = place.host();
    let provider = for_host(&host, &transport).unwrap();
    hold(&Subject {
        kind: "btrfs",
        tried_as: "btrfs, a real host",
        on: "Debian 12 in systemd-nspawn, with freeze and thaw, every answer over OpenSSH".to_owned(),
        provider,
        host,
        write: Box::new(|text| drop(place.say(&at, &format!("echo {text} >/etc/data")))),
        read: Box::new(|| place.say(&at, "cat /etc/data")),
        identity: Box::new(|clone| match clone {
            Some(clone) => place.identity(&clone.address),
            None => place.identity(&at),
        }),
        unknown: BackupRef(format!("{}:8f1c5c91-e805-3947-83ee-f8fdea233a98", "0".repeat(32))),
    })
    .await;
    assert_eq!(place.say(&at, "systemctl is-system-running || true"), "running");
}
