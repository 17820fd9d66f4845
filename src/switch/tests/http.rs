//! Small HTTP servers that count, and clients that keep asking.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the slow requests take, which run while something is switched.
pub(super) const SLOW: Duration = Duration::from_millis(200);

/// A server that answers with one letter and counts its requests.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Server {
    pub(super) fn start(letter: u8, at: &str) -> Option<Self> {
        let listener = TcpListener::bind(at).ok()?;
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), counted) = (stream, Arc::clone(&counted)) else { return };
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    while let Some((first, close)) = head(&mut lines) {
                        counted.fetch_add(1, Ordering::SeqCst);
                        if first.contains("/slow") {
                            std::thread::sleep(SLOW);
                        }
                        let answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", &[letter][..]].concat();
                        if stream.write_all(&answer).is_err() || close {
                            return;
                        }
                    }
                });
            }
        });
        Some(Self { address, requests })
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

/// First line of a head, and whether its connection ends with it.
fn head(lines: &mut impl BufRead) -> Option<(String, bool)> {
    let (mut first, mut close) = (String::new(), false);
    lines.read_line(&mut first).ok().filter(|&n| n > 0)?;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|&n| n > 0)?;
        match line.trim().to_ascii_lowercase().as_str() {
            "" => return Some((first, close)),
            "connection: close" => close = true,
            _ => {}
        }
    }
}

/// One client with its connection.
pub(super) struct Client {
    front: PathBuf,
    keep: bool,
    open: Option<BufReader<UnixStream>>,
}

impl Client {
    pub(super) fn new(front: &Path, keep: bool) -> Self {
        Self { front: front.to_owned(), keep, open: None }
    }

    /// The letter of who answered.
    pub(super) fn get(&mut self, path: &str, header: &str) -> Result<u8, String> {
        let mut lines = match self.open.take() {
            Some(open) => open,
            None => {
                let stream = UnixStream::connect(&self.front).map_err(|e| format!("connect: {e}"))?;
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                BufReader::new(stream)
            }
        };
        let close = if self.keep { "" } else { "Connection: close\r\n" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{close}{header}\r\n");
        lines.get_mut().write_all(request.as_bytes()).map_err(|e| format!("send: {e}"))?;
        let (first, closed) = head(&mut lines).ok_or("no answer")?;
        if !first.contains(" 200 ") {
            return Err(first.trim().to_owned());
        }
        let mut body = [0];
        lines.read_exact(&mut body).map_err(|e| format!("body: {e}"))?;
        if self.keep && !closed {
            self.open = Some(lines);
        }
        Ok(body[0])
    }
}

/// Clients that ask without a pause; half of them keep their connections.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(super) fn start(front: &Path, clients: usize) -> Self {
        let (stop, done, failed) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let threads = (0..clients)
            .map(|number| {
                let (stop, done, failed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
                let mut client = Client::new(front, number % 2 == 0);
                std::thread::spawn(move || {
                    for round in 0.. {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        match client.get(if round % 20 == number { "/slow" } else { "/" }, "") {
                            Ok(_) => drop(done.fetch_add(1, Ordering::SeqCst)),
                            Err(error) => failed.lock().unwrap().push(error),
                        }
                        std::thread::sleep(Duration::from_millis(3));
                    }
                })
            })
            .collect();
        Self { stop, done, failed, threads }
    }

    /// How many requests were answered, and what became of the others.
    pub(super) fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        (self.done.load(Ordering::SeqCst), std::mem::take(&mut self.failed.lock().unwrap()))
    }
}
