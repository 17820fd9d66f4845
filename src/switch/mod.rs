//! Traffic: one file a backend.

mod command;
mod haproxy;
mod registry;
mod types;

pub use command::{CommandSwitch, SwitchCommands};
pub use haproxy::Haproxy;
pub use registry::for_host;
pub use types::*;
