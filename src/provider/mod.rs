//! Backups and restores: one file a backend.

mod exec;
mod podman;
mod registry;
mod types;

pub use exec::ExecCommands;
pub use podman::Podman;
pub use registry::for_host;
pub use types::*;
