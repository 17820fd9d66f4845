//! A real fleet on one machine: Debian hosts with systemd, sshd, nginx and pending security updates, and faults to plant.

mod error;
mod fault;
mod fleet;
mod hosts;
mod image;
mod inventory;
mod machine;
mod network;
mod state;
mod tool;

pub use error::*;
pub use fault::*;
pub use fleet::*;
pub use machine::MissingRequirement;
pub use network::Subnet;
pub use state::Prefix;
