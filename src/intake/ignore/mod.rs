//! Ignore files of scanners become rules: one reader a tool.

mod comments;
mod grype;
mod read;
#[cfg(test)]
mod tests;
mod toml;
mod trivy;

pub use grype::grype_type;
pub use read::*;
pub use toml::osv_ecosystem;
