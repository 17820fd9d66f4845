//! The contract of a transport.

use std::sync::Arc;

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan};

/// Why a host could not be reached or did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection was made: nothing was sent.
    #[error("cannot connect to {host}: {why}")]
    Connect {
        /// The host.
        host: String,
        /// What ssh said.
        why: String,
    },
    /// The host key is not the known one: somebody may be in the middle. Never retried.
    #[error("host key of {host} is not one that is known: {why}")]
    HostKey {
        /// The host.
        host: String,
        /// What ssh said.
        why: String,
    },
    /// The host refused the login. Never retried.
    #[error("{host} refuses the login: {why}")]
    Login {
        /// The host.
        host: String,
        /// What ssh said.
        why: String,
    },
    /// The connection was lost: what was sent may go on there.
    #[error("connection to {host} was lost: {why}")]
    Lost {
        /// The host.
        host: String,
        /// What is known.
        why: String,
    },
    /// No answer in time: what was sent may go on there.
    #[error("{host} did not answer within {limit}")]
    Timeout {
        /// The host.
        host: String,
        /// The limit.
        limit: TimeSpan,
    },
    /// The answer breaks the protocol.
    #[error("{host} answered out of protocol: {why}")]
    Protocol {
        /// The host.
        host: String,
        /// What was wrong.
        why: String,
    },
}

/// What a short command answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// Standard output, bounded.
    pub stdout: Vec<u8>,
    /// Standard error, bounded.
    pub stderr: Vec<u8>,
}

/// Opens sessions.
pub trait Transport: Send + Sync {
    /// A session with this host; kept open by the transport and shared between callers where it can.
    fn open<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Arc<dyn Session>, TransportError>>;

    /// Forgets the session that is kept for this host: the next is a new one. For a host that was rebooted or
    /// replaced, so that nothing of the old one can answer for it.
    fn close(&self, _host: &Host) {}
}

/// A way to run things on one host.
pub trait Session: Send + Sync {
    /// Feeds `script` to a constant remote command (`/bin/sh`, through `sudo -n` when `root`) and waits for its end.
    /// The script is a payload made by [`crate::playbook`]'s quoting renderer: values travel inside it, never in the
    /// ssh command string. On `Lost` and `Timeout` the script may still be running there.
    fn run<'a>(&'a self, script: &'a str, root: bool, limit: TimeSpan)
    -> BoxFuture<'a, Result<Output, TransportError>>;
}
