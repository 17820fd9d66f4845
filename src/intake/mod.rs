//! Bytes become findings and hosts: one parser a file.

mod ansible;
mod apt;
mod error;
mod format;
mod inventory;
mod inventory_native;
mod json;
mod lenient;
mod native;
mod peek;
mod reports;
mod row;
mod settings;
#[cfg(test)]
mod tests;
mod trivy;
mod trivy_operator;

pub use ansible::{PatternError, Selected, expand_host_entry};
pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use format::report_formats;
pub use inventory::*;
pub use inventory_native::inventory_schema;
pub use json::MAX_BYTES;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
