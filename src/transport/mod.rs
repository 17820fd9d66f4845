//! How a command reaches a host, and the detached jobs that survive the loss of the connection.

mod local;
mod private_dir;
mod process;
mod remote_job;
mod ssh;
mod ssh_config;
#[cfg(test)]
mod ssh_tests;
#[cfg(test)]
pub(crate) mod testing;
mod types;
mod wire;

pub use local::LocalTransport;
pub(crate) use private_dir::PrivateDir;
pub use private_dir::effect_lock;
pub use process::{Printed, ProcessError, Ran, fill_argv, fill_values, run_argv, run_argv_holding, run_argv_whole};
pub use remote_job::*;
pub use ssh::{SshLimits, SshTransport};
pub use types::*;
