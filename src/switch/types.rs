//! The contract of a switch.

use crate::engine::BoxFuture;
use crate::model::{Host, TimeSpan};

/// Whether a host takes traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficState {
    /// It takes new requests.
    InService,
    /// It takes no new requests; this many still run, where the switch knows.
    Drained {
        /// Requests or sessions still running.
        running: Option<u64>,
    },
}

/// Where the traffic of a host goes: `ADDRESS`, or `ADDRESS:PORT` where the switch knows ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Endpoint(pub String);

impl Endpoint {
    /// The same port at another address.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        // The port of an address with colons stands behind brackets.
        match self.0.rsplit_once(':') {
            Some((before, port)) if !before.contains(':') || before.ends_with(']') => {
                if address.contains(':') {
                    Self(format!("[{address}]:{port}"))
                } else {
                    Self(format!("{address}:{port}"))
                }
            }
            _ => Self(address.to_owned()),
        }
    }
}

/// A switch could not do it; whether it did is found out by `status`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SwitchError(pub String);

/// Moves traffic to and from a host. Every call may be repeated.
pub trait Switch: Send + Sync {
    /// Where traffic is.
    fn status<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<TrafficState, SwitchError>>;
    /// No new requests, and waits until it is idle; not idle in time is an error.
    fn drain<'a>(&'a self, host: &'a Host, idle_within: TimeSpan) -> BoxFuture<'a, Result<(), SwitchError>>;
    /// Back into service, wherever its traffic goes.
    fn undrain<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>>;
    /// Where its traffic goes now; an error if it could not be sent elsewhere, so that this is known before it is tried.
    fn endpoint<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Endpoint, SwitchError>>;
    /// New requests of the host go there from now on, and it is in service; those that run end where they are.
    /// Switching back is the same call with the original's endpoint.
    fn switch<'a>(&'a self, host: &'a Host, to: &'a Endpoint) -> BoxFuture<'a, Result<(), SwitchError>>;
}
