//! Bytes become findings and hosts: one parser a file.

mod ansible;
mod apt;
mod asff;
mod aws;
mod columns;
mod cyberwatch;
mod defectdojo;
mod defender;
mod each;
mod error;
mod feeds;
mod format;
mod gcloud;
mod huawei_hss;
mod inspector;
mod inventory;
mod inventory_native;
mod json;
mod lenient;
mod native;
mod peek;
mod reports;
mod row;
mod satellite;
mod settings;
mod subject;
#[cfg(test)]
mod tests;
mod trivy;
mod trivy_operator;
mod twistlock;
mod wazuh;

pub use ansible::expand_host_entry;
pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use feeds::*;
pub use format::report_formats;
pub use inventory::*;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
