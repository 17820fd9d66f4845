//! Bytes become findings and hosts.

mod native;

pub use native::*;
