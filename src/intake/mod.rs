//! Bytes become findings and hosts: one parser a file.

mod advisory;
mod ansible;
mod apt;
mod cyclonedx;
mod cyclonedx_json;
mod error;
mod format;
mod grype;
mod inventory;
mod inventory_native;
mod json;
mod lenient;
mod native;
mod osv;
mod osv_scanner;
mod peek;
mod reports;
mod row;
#[cfg(test)]
mod samples;
mod sarif;
mod sarif_text;
mod settings;
mod shapes;
#[cfg(test)]
mod tests;
mod trivy;
mod trivy_operator;
mod vuls;

pub use ansible::expand_host_entry;
pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use format::report_formats;
pub use inventory::*;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
