//! Backups and restores: one file a backend.

mod types;

pub use types::*;
