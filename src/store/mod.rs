//! The durable journal.

mod journal;

pub use journal::*;
