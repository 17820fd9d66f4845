//! Rules of the user's own in Rego: read here, evaluated in a child process that can be killed.

mod answer;
mod builtins;
mod client;
mod failure;
mod input;
mod plan;
mod protocol;
mod rules;
mod scan;
mod set;
mod suite;
#[cfg(test)]
mod tests;
mod tokens;
mod worker;

pub use client::*;
pub use failure::*;
pub use plan::*;
pub use rules::*;
pub use set::*;
pub use suite::*;
pub use worker::serve as serve_rego_worker;
