//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod bundle;
mod decide;
mod types;

pub use bundle::*;
pub use decide::Policy;
pub use types::*;
