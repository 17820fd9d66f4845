//! Scans hosts over a transport, some at a time; a host that cannot be scanned is listed with why, never left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::intake::{HostScan, parse_scan, scan_script};
use crate::model::{Become, Host, HostName, TimeSpan, printable};
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
        let stderr = printable(&tail, STDERR_CHARS);
        return Err(ScanError::Failed { host: host.name.clone(), code: output.code, stderr });
    }
    parse_scan(&host.name, crate::env::now(), &output.stdout).map_err(ScanError::Output)
}
