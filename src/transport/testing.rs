//! A real sshd on the loopback, with keys and settings of its own, for tests and benches.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server; killed when dropped.
pub(crate) struct Sshd {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Sshd {
    /// Starts a server, or says why there is none.
    pub(crate) fn start() -> Option<Self> {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let (Some(_), true) = (sshd, is_root) else {
            skip("there is no sshd binary, or this user is not root");
            return None;
        };
        // The privilege separation folder that the distribution's service would make.
        let _ = fs::create_dir_all("/run/sshd");
        let dir = tempfile::Builder::new().prefix("sb-sshd").tempdir_in("/tmp").unwrap();
        for name in ["host_key", "user_key", "other_key"] {
            keygen(&dir.path().join(name));
        }
        fs::copy(dir.path().join("user_key.pub"), dir.path().join("authorized_keys")).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let child = Self::spawn(dir.path(), port);
        Some(Self { child, dir, port })
    }

    fn spawn(dir: &Path, port: u16) -> Child {
        let path = |name: &str| dir.join(name).display().to_string();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 200\nMaxSessions 10\n\
             KexAlgorithms curve25519-sha256\nSetEnv HOME={}\n",
            path("host_key"),
            path("authorized_keys"),
            // Not the home of whoever runs the tests: what a login shell reads there can take longer than a test.
            dir.display(),
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        let log = fs::File::create(dir.join("log")).unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &path("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd: {}", fs::read_to_string(dir.join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    /// A file of the server's folder: `user_key`, `other_key`, `host_key.pub`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `TYPE BASE64` of a public key file.
    pub(crate) fn public_key(&self, name: &str) -> String {
        let text = fs::read_to_string(self.file(name)).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Kills the server and every connection it serves, as a power cut would.
    pub(crate) fn kill(&mut self) {
        for pid in descendants(self.child.id()) {
            kill(pid);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port with the same keys.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = Self::spawn(self.dir.path(), self.port);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `kill -9` of one process.
pub(crate) fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

/// The sshd processes below this one; what they have started (detached jobs) is left alone.
fn descendants(root: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, ppid, name) in processes() {
            if ppid == parent && name.starts_with("sshd") {
                found.push(pid);
                parents.push(pid);
            }
        }
    }
    found
}

fn processes() -> Vec<(u32, u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((before, after)) = stat.rsplit_once(") ") else { continue };
        let name = before.split_once('(').map_or("", |(_, name)| name).to_owned();
        let Some(ppid) = after.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()) else { continue };
        found.push((pid, ppid, name));
    }
    found
}

/// The ssh processes whose command line names this folder: the masters of one transport.
pub(crate) fn masters(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let names_it = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&folder))
    };
    processes().into_iter().filter(|(_, _, name)| name == "ssh").map(|(pid, _, _)| pid).filter(names_it).collect()
}

fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// Says that a test did not run.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}
