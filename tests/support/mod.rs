//! What tests of simulated fleets share.
#![expect(clippy::unwrap_used, reason = "tests may panic")]
#![allow(unused_imports, reason = "each test target uses its own part")]

use switchback::model::HostName;
pub use switchback::sim::{Reboots, Shape, Way, sample, start};

pub fn host(text: &str) -> HostName {
    HostName::new(text).unwrap()
}
