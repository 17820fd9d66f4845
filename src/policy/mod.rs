//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod types;

pub use types::*;
