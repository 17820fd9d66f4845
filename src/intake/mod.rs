//! Bytes become findings and hosts.

mod apt;
mod native;

pub use apt::{ScanError, parse_scan, scan_script};
pub use native::*;
