//! A daemon of a test's own, in namespaces of its own: it sees no network but its own, mounts nothing on the machine, and
//! whatever it starts ends with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Runs a line of shell that ends in `DAEMON & wait $!`, until `ready`. The shell takes the ends of processes that have
    /// lost their parents: daemons wait for those.
    pub(crate) fn start(dir: &Path, line: &str, ready: impl Fn() -> bool) -> Self {
        let log = dir.join("log");
        let output = std::fs::File::create(&log).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"])
            .args(["sh", "-ec", line])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .spawn()
            .unwrap();
        let mut daemon = Self { child, log };
        let begun = Instant::now();
        while !ready() {
            let gone = daemon.child.try_wait().unwrap();
            assert!(gone.is_none() && begun.elapsed() < Duration::from_secs(60), "{gone:?}: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        daemon
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The first process of the namespace dies with `unshare`, and with it all others.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
