//! Scans hosts over a transport, some at a time; a host that cannot be scanned is listed with why, never left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::intake::{HostScan, parse_scan, scan_script};
use crate::model::{Become, Host, HostName, TimeSpan, told};
use crate::transport::{Transport, TransportError};

/// How a fleet is scanned.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// How many hosts at once.
    pub concurrency: usize,
    /// How long one host may take.
    pub limit: TimeSpan,
}

impl Default for ScanOptions {
    /// 32 hosts at once (each is an ssh process), ten minutes a host (a slow mirror, many changelogs).
    fn default() -> Self {
        Self { concurrency: 32, limit: TimeSpan::minutes(10) }
    }
}

/// Why a host could not be scanned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It could not be reached, or did not answer.
    #[error("scan could not reach it")]
    Transport(#[source] TransportError),
    /// The scan failed there.
    #[error("scan of {host} ended with exit code {code}: {stderr}")]
    Failed {
        /// The host.
        host: HostName,
        /// The exit code.
        code: i32,
        /// The end of what it said, made printable.
        stderr: String,
    },
    /// What it printed is not the output of a scan.
    #[error("scan cannot be read")]
    Output(#[source] crate::intake::ScanError),
    /// The program itself failed.
    #[error("scan of {0} stopped")]
    Stopped(HostName),
}

/// Scans every host; the answer has one entry for each. `done` is told as each ends, for progress.
pub async fn scan(
    transport: Arc<dyn Transport>,
    hosts: Vec<Host>,
    options: ScanOptions,
    done: impl Fn(&HostName, &Result<HostScan, ScanError>),
) -> BTreeMap<HostName, Result<HostScan, ScanError>> {
    let slots = Arc::new(Semaphore::new(options.concurrency.max(1)));
    // Until its task says otherwise a host counts as not scanned: a task that is lost cannot make it vanish.
    let mut scans: BTreeMap<HostName, Result<HostScan, ScanError>> =
        hosts.iter().map(|host| (host.name.clone(), Err(ScanError::Stopped(host.name.clone())))).collect();
    let mut tasks = JoinSet::new();
    for host in hosts {
        let (transport, slots) = (Arc::clone(&transport), Arc::clone(&slots));
        tasks.spawn(async move {
            // The semaphore is never closed; were it, going on unbounded would still be right.
            let _slot = slots.acquire().await;
            let result = scan_host(&*transport, &host, options.limit).await;
            (host.name, result)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        if let Ok((host, result)) = joined {
            done(&host, &result);
            scans.insert(host, result);
        }
    }
    scans
}

async fn scan_host(transport: &dyn Transport, host: &Host, limit: TimeSpan) -> Result<HostScan, ScanError> {
    const STDERR_CHARS: usize = 400;
    let session = transport.open(host).await.map_err(ScanError::Transport)?;
    let root = host.becomes != Become::None;
    let output = session.run(scan_script(), root, limit).await.map_err(ScanError::Transport)?;
    if output.code != 0 {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: String = stderr.trim_end().chars().rev().take(STDERR_CHARS).collect();
        let tail: String = tail.chars().rev().collect();
        let stderr = told(&tail, STDERR_CHARS);
        return Err(ScanError::Failed { host: host.name.clone(), code: output.code, stderr });
    }
    parse_scan(&host.name, crate::env::now(), &output.stdout).map_err(ScanError::Output)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::engine::BoxFuture;
    use crate::transport::{Output, Session};

    /// Answers by the name of the host; counts how many are asked at once.
    #[derive(Default)]
    struct Fake {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    struct FakeSession {
        code: i32,
        stdout: String,
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl Transport for Fake {
        fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>> {
            Box::pin(async move {
                let well = "scan\t1\nos\tdebian\t\t12\nend\t1\n";
                let (code, stdout) = match host.name.as_str() {
                    "gone" => {
                        return Err(TransportError::Connect { host: "gone".to_owned(), why: "refused".to_owned() });
                    }
                    "panics" => panic!("planted"),
                    "fails" => (100, ""),
                    "lies" => (0, "welcome to lies"),
                    _ => (0, well),
                };
                let (now, most) = (Arc::clone(&self.now), Arc::clone(&self.most));
                Ok(Arc::new(FakeSession { code, stdout: stdout.to_owned(), now, most }) as Arc<dyn Session>)
            })
        }
    }

    impl Session for FakeSession {
        fn run<'a>(
            &'a self,
            script: &'a str,
            root: bool,
            _limit: TimeSpan,
        ) -> BoxFuture<'a, Result<Output, TransportError>> {
            Box::pin(async move {
                assert!(root && script == scan_script());
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                let stderr = b"E: \x1b[31mno lists".to_vec();
                Ok(Output { code: self.code, stdout: self.stdout.clone().into_bytes(), stderr })
            })
        }
    }

    fn host(name: &str) -> Host {
        Host { becomes: Become::Sudo, ..Host::named(HostName::new(name).unwrap()) }
    }

    #[tokio::test]
    async fn every_host_has_an_answer_whatever_happens_to_it() {
        let hosts = ["gone", "panics", "fails", "lies", "well"].map(host).to_vec();
        let done = std::cell::RefCell::new(Vec::new());
        let told = |name: &HostName, _: &Result<HostScan, ScanError>| done.borrow_mut().push(name.clone());
        let scans = scan(Arc::new(Fake::default()), hosts, ScanOptions::default(), told).await;
        let of = |name: &str| scans[&HostName::new(name).unwrap()].clone();
        assert_eq!(scans.len(), 5);
        assert!(matches!(of("gone"), Err(ScanError::Transport(TransportError::Connect { .. }))));
        assert!(matches!(of("panics"), Err(ScanError::Stopped(_))));
        assert!(
            matches!(of("fails"), Err(ScanError::Failed { code: 100, stderr, .. }) if stderr == "E: \u{fffd}[31mno lists")
        );
        assert!(matches!(of("lies"), Err(ScanError::Output(_))));
        assert!(of("well").is_ok_and(|scan| scan.findings.is_empty()));
        assert_eq!(done.borrow().len(), 4, "all but the one that panicked were told of");
    }

    #[tokio::test]
    async fn no_more_hosts_are_asked_at_once_than_allowed() {
        let fake = Fake::default();
        let most = Arc::clone(&fake.most);
        let hosts: Vec<Host> = (0..40).map(|i| host(&format!("host-{i}"))).collect();
        let options = ScanOptions { concurrency: 3, ..ScanOptions::default() };
        let scans = scan(Arc::new(fake), hosts, options, |_, _| {}).await;
        assert!(scans.values().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
