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
    /// Back into service.
    fn undrain<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<(), SwitchError>>;
}
