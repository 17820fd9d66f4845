//! Decisions become an immutable plan; synchronous, deterministic and pure.

mod types;

pub use types::*;
