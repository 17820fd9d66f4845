//! What a step costs on an open connection: ours against a bare `ssh` through a ControlMaster, the same sshd for both.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use switchback::model::{Host, HostName, TimeSpan};
use switchback::transport::{SshLimits, SshTransport, Transport};

#[path = "../src/transport/testing.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod testing;

const ROUNDS: usize = 200;
const WARM_UP: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(sshd) = testing::Sshd::start() else { return };
    let master = Master::start(&sshd);
    let mut host = Host::named(HostName::new("loopback").unwrap());
    host.address = Some("127.0.0.1".into());
    host.ssh.port = Some(sshd.port);
    host.ssh.user = Some("root".into());
    host.ssh.identity = Some(sshd.file("user_key").display().to_string());
    host.ssh.host_key = Some(sshd.public_key("host_key.pub"));
    let transport = SshTransport::new(SshLimits::default()).unwrap();

    // Turn and turn about, so that whatever else the machine does hits both.
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + WARM_UP {
        let begun = Instant::now();
        let session = transport.open(&host).await.unwrap();
        let output = session.run("true", false, TimeSpan::seconds(10)).await.unwrap();
        let one = begun.elapsed();
        assert_eq!(output.code, 0);
        let begun = Instant::now();
        master.run("true");
        let other = begun.elapsed();
        if round >= WARM_UP {
            ours.push(one);
            bare.push(other);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    println!("a step on an open connection, median of {ROUNDS}:");
    println!("  switchback              {:6.2} ms", ours.as_secs_f64() * 1000.0);
    println!("  ssh with ControlMaster  {:6.2} ms", bare.as_secs_f64() * 1000.0);
    println!("  ratio                   {:6.2}", ours.as_secs_f64() / bare.as_secs_f64());
    assert!(ours <= bare, "ours must not be slower");
}

/// A connection of the ssh program's own.
struct Master<'a> {
    sshd: &'a testing::Sshd,
    dir: tempfile::TempDir,
}

impl<'a> Master<'a> {
    fn start(sshd: &'a testing::Sshd) -> Self {
        let dir = tempfile::Builder::new().prefix("sb").tempdir_in("/tmp").unwrap();
        let known = format!("[127.0.0.1]:{} {}\n", sshd.port, sshd.public_key("host_key.pub"));
        std::fs::write(dir.path().join("known_hosts"), known).unwrap();
        let master = Self { sshd, dir };
        assert!(master.ssh(&["-M", "-f", "-N", "root@127.0.0.1"]).status().unwrap().success());
        master
    }

    fn ssh(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-p", &self.sshd.port.to_string()]);
        command.args(["-i", &self.sshd.file("user_key").display().to_string()]);
        command.args(["-o", &format!("UserKnownHostsFile={}", path("known_hosts"))]);
        command.args(["-o", &format!("ControlPath={}", path("s")), "-o", "BatchMode=yes"]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn run(&self, command: &str) {
        assert!(self.ssh(&["root@127.0.0.1", command]).status().unwrap().success());
    }
}

impl Drop for Master<'_> {
    fn drop(&mut self) {
        let _ = self.ssh(&["-O", "exit", "root@127.0.0.1"]).status();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
