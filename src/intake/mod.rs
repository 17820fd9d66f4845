//! Bytes become findings and hosts: one parser a file.

mod ansible;
mod apt;
mod container_csv;
mod cyclonedx_xml;
mod error;
mod format;
#[cfg(test)]
mod hostile;
mod identity;
mod inventory;
mod inventory_native;
mod json;
mod lenient;
mod native;
mod nessus;
mod nessus_csv;
mod nessus_output;
mod nexpose;
mod openscap;
mod openvas;
mod peek;
mod prisma;
mod prose;
mod qualys;
mod qualys_csv;
mod reports;
mod row;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod trivy;
mod trivy_operator;
mod xml;

pub use ansible::expand_host_entry;
pub use apt::{ScanError, parse_scan, scan_script};
pub use error::*;
pub use format::report_formats;
pub use inventory::*;
pub use native::{FORMAT, HostFacts, HostScan, write_scans};
pub use reports::*;
