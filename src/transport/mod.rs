//! How a command reaches a host, and the detached jobs that survive the loss of the connection.

mod types;

pub use types::*;
