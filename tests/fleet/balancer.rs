//! A real HAProxy in front of lab hosts, and clients that count every request.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fleet::eventually;

/// Whether there is a HAProxy; says on the real stderr if not.
pub(crate) fn possible() -> bool {
    let there = Command::new("haproxy").arg("-v").output().is_ok_and(|output| output.status.success());
    if !there {
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: haproxy is not installed");
        let required = switchback::env::var("SWITCHBACK_FLEET").is_some_and(|value| value == "required");
        assert!(!required, "SWITCHBACK_FLEET=required and haproxy is not installed");
    }
    there
}

/// HAProxy on a port of this machine.
pub(crate) struct Balancer {
    process: Child,
    pub(crate) socket: PathBuf,
    pub(crate) port: u16,
}

impl Balancer {
    /// In front of these servers (name, address).
    pub(crate) fn start(dir: &Path, servers: &[(String, String)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let socket = dir.join("haproxy.sock");
        let servers: String =
            servers.iter().map(|(name, address)| format!("  server {name} {address}:80 check inter 500ms\n")).collect();
        let config = format!(
            "global\n  stats socket {} level admin\n\
             defaults\n  mode http\n  option http-server-close\n  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n  option redispatch\n  \
             retries 3\n\
             frontend shop\n  bind 127.0.0.1:{port}\n  default_backend shop\n\
             backend shop\n  balance roundrobin\n  http-response set-header X-Server %s\n{servers}",
            socket.display()
        );
        let file = dir.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(dir.join("haproxy.log")).unwrap();
        let process =
            Command::new("haproxy").arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let balancer = Self { process, socket, port };
        eventually("the balancer answers", 10, || get(port).is_ok());
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request; the name of the server that answered 200, or what was wrong.
fn get(port: u16) -> Result<String, String> {
    let wrong = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(wrong)?;
    stream.set_read_timeout(Some(Duration::from_secs(25))).map_err(wrong)?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").map_err(wrong)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(wrong)?;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    let server =
        answer.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("x-server: ").map(str::to_owned));
    match server {
        Some(server) if status.contains(" 200 ") => Ok(server),
        _ => Err(status),
    }
}

/// Clients that never rest.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub(crate) fn start(port: u16, clients: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |_| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match get(port) {
                        Ok(_) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(why) => failed.push(why),
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                failed
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, done, clients }
    }

    /// How many requests were answered well, and what was wrong with the others.
    pub(crate) fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (self.done.load(Ordering::Relaxed), failed)
    }
}
