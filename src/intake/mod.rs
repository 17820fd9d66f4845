//! Bytes become findings and hosts: one parser a file.

mod apt;
mod error;
mod json;
mod lenient;
mod native;
mod reports;
mod row;
mod trivy;

pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
