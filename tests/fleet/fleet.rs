//! A lab for one test: up when asked for, down when dropped, also after a panic or an earlier crash.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use switchback::lab::{Lab, LabHost, Prefix, UpOptions, default_cache};
use switchback::model::{Digest, Host, HostName, ProviderSettings};

pub(crate) struct Fleet {
    pub(crate) lab: Lab,
    pub(crate) prefix: Prefix,
    pub(crate) dir: PathBuf,
}

/// Whether a lab can run here; says on the real stderr, which the test harness does not capture, if not.
pub(crate) fn possible() -> bool {
    let Err(missing) = Lab::requirements() else { return true };
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {missing} (help: {})", missing.help);
    let required = switchback::env::var("SWITCHBACK_FLEET").is_some_and(|value| value == "required");
    assert!(!required, "SWITCHBACK_FLEET=required and {missing}");
    false
}

impl Fleet {
    /// An empty lab for this test; whatever an earlier run of it left is removed. None where no lab can run.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !possible() {
            return None;
        }
        // The same for every run from this folder, so that leftovers are found; another checkout has another.
        let checkout = Digest::of(env!("CARGO_MANIFEST_DIR").as_bytes()).short();
        let prefix: Prefix = format!("t{}-{test}", &checkout[..6]).parse().unwrap();
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fleet-{test}"));
        let fleet = Self { lab: Lab::open(&dir, &default_cache()).unwrap(), prefix, dir };
        fleet.clear();
        Some(fleet)
    }

    /// A lab with this many hosts that are up.
    pub(crate) fn up(test: &str, hosts: u32) -> Option<Self> {
        let fleet = Self::new(test)?;
        let up = fleet.bring_up(hosts);
        assert_eq!(up.len(), hosts as usize);
        Some(fleet)
    }

    pub(crate) fn bring_up(&self, hosts: u32) -> Vec<LabHost> {
        let options = UpOptions { hosts, prefix: self.prefix.clone(), subnet: None, refresh: true };
        self.lab.up(&options, &|_| {}).unwrap()
    }

    fn clear(&self) {
        Lab::sweep(&self.prefix).unwrap();
        self.lab.down().unwrap();
    }

    pub(crate) fn container(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// The host as an inventory describes it to a provider.
    pub(crate) fn host(&self, name: &str) -> Host {
        let mut host = Host::named(HostName::new(name).unwrap());
        host.provider = Some(ProviderSettings::Podman {
            name: self.container(name),
            containers_conf: None,
            clone_network: Some(self.prefix.clone_network()),
        });
        host
    }

    /// Runs a command on the host as anybody would who has only the lab's files: the host key must be the known one.
    pub(crate) fn ssh(&self, host: &str, command: &str) -> Output {
        let known = self.lab.status().unwrap().into_iter().find(|h| h.name == host).unwrap();
        Command::new("ssh")
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=2"])
            .args(["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3", "-o", "LogLevel=ERROR"])
            .args(["-o", &format!("UserKnownHostsFile={}", self.lab.known_hosts_path().display())])
            .args(["-i", &self.lab.identity_path().display().to_string()])
            .args([&format!("ops@{}", known.address), command])
            .output()
            .unwrap()
    }

    /// What the command says; it must succeed.
    pub(crate) fn say(&self, host: &str, command: &str) -> String {
        let output = self.ssh(host, command);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command} on {host}: {}\n{stdout}\n{stderr}", output.status);
        stdout.trim().to_owned()
    }

    pub(crate) fn answers(&self, host: &str) -> bool {
        self.ssh(host, "true").status.success()
    }

    /// The first process' start time: changes with every boot.
    pub(crate) fn boot(&self, host: &str) -> String {
        self.say(host, "cut -d' ' -f22 /proc/1/stat")
    }

    /// Updates one package as a fix would; answers whether apt was content, and what it said.
    pub(crate) fn update(&self, host: &str, package: &str) -> (bool, String) {
        let command = format!("sudo DEBIAN_FRONTEND=noninteractive apt-get -qq install --only-upgrade {package} 2>&1");
        let output = self.ssh(host, &command);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn version(&self, host: &str, package: &str) -> String {
        self.say(host, &format!("dpkg-query --show --showformat '${{Version}}' {package}"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // For looking at what went wrong; the next run clears it.
        if switchback::env::var("SWITCHBACK_KEEP_LAB").is_none() {
            let down = self.lab.down();
            assert!(std::thread::panicking() || down.is_ok(), "{down:?}");
        }
    }
}

/// Waits until it holds.
pub(crate) fn eventually(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What podman lists under this label, by kind.
pub(crate) fn left(prefix: &Prefix) -> String {
    let filter = format!("label=io.switchback.lab={prefix}");
    let list = |args: &[&str]| {
        let output = Command::new("podman").args(args).args(["--quiet", "--filter", &filter]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    [list(&["ps", "--all"]), list(&["images"]), list(&["network", "ls"])].concat()
}
