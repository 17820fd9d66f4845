//! Backups and restores: one file a backend.

mod answer;
mod btrfs;
mod exec;
mod freeze;
mod lvm;
mod machine;
mod podman;
mod registry;
mod restic;
mod types;

pub use exec::ExecCommands;
pub use podman::Podman;
pub use registry::for_host;
pub use types::*;
