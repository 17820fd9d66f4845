//! Tests of policies: hosts, findings and a time are given, what policy says of them is expected.

mod check;
mod mutation;
mod raw;
mod run;

pub use check::Suite;
pub use mutation::{Mutation, Survivor};
pub use raw::schema as suite_schema;
pub use run::{Coverage, Mismatch, Outcome, Tested};
