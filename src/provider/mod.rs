//! Backups and restores: one file a backend.

mod podman;
mod types;

pub use podman::Podman;
pub use types::*;
