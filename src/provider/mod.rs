//! Backups and restores: one file a backend.

mod answer;
mod btrfs;
mod containers;
mod exec;
mod freeze;
mod libvirt;
mod lvm;
mod machine;
mod registry;
mod restic;
mod snapshot;
mod types;
mod watch;

pub use containers::Containers;
pub use exec::ExecCommands;
pub use registry::for_host;
pub use types::*;
