//! Tells people what a campaign does, and never holds it up: a consumer of its records, with a thread for each target.

mod bodies;
mod closing;
mod command;
mod courier;
mod http;
mod mail;
mod message;
mod notifier;
mod send;
#[cfg(test)]
mod tests;

pub use notifier::Notifier;
pub use send::{Failure, Prepared, deliver, limit_of, missing_secret, prepare};
