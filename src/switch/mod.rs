//! Traffic: one file a backend.

mod types;

pub use types::*;
