//! The native scan of Debian and Ubuntu: what the host's own package manager says is pending.

use jiff::Timestamp;

use crate::model::HostName;

use super::HostScan;

/// The script that looks at a host; it needs root and `NO_UPDATE=1` keeps it from refreshing the package lists.
pub fn scan_script() -> &'static str {
    ""
}

/// Why the output of a scan cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// It does not follow the protocol of the script.
    #[error("scan of {host}: {what}")]
    Protocol {
        /// The host.
        host: HostName,
        /// What is wrong.
        what: String,
    },
}

/// Reads what the script printed.
pub fn parse_scan(host: &HostName, _scanned_at: Timestamp, _bytes: &[u8]) -> Result<HostScan, ScanError> {
    Err(ScanError::Protocol { host: host.clone(), what: "not read".to_owned() })
}
