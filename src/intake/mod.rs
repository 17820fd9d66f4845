//! Bytes become findings and hosts: one parser a file.

mod advisory;
mod anchore;
mod ansible;
mod apt;
mod cargo_audit;
mod clair;
mod composer_audit;
mod cyclonedx;
mod cyclonedx_json;
mod dependency_track;
mod error;
mod format;
mod github_alerts;
mod gitlab;
mod govulncheck;
mod grype;
mod harbor;
mod ignore;
mod inventory;
mod inventory_native;
mod json;
mod lenient;
mod merge;
mod native;
mod npm_audit;
mod osv;
mod osv_scanner;
mod peek;
mod pip_audit;
mod reports;
mod row;
#[cfg(test)]
mod samples;
mod sarif;
mod sarif_text;
mod settings;
mod shapes;
mod snyk;
#[cfg(test)]
mod tests;
mod trivy;
mod trivy_operator;
mod vex;
mod vuls;

pub use ansible::{PatternError, Selected, expand_host_entry};
pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use format::report_formats;
pub use ignore::*;
pub use inventory::*;
pub use json::MAX_BYTES;
pub use merge::merge_scanners;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
pub use vex::*;
