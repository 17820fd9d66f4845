//! Traffic: one file a backend.

mod command;
mod dns;
mod haproxy;
mod registry;
#[cfg(test)]
mod tests;
mod types;

pub use command::{CommandSwitch, SwitchCommands};
pub use dns::{Dns, reads_answer};
pub use haproxy::Haproxy;
pub use registry::for_host;
pub use types::*;
