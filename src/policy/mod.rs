//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod bundle;
mod check;
mod compare;
mod dead;
mod decide;
mod glob;
mod mutate;
mod order;
mod raw;
mod schedule;
mod schema;
mod score;
mod selector;
mod suite;
#[cfg(test)]
mod tests;
mod types;
mod windows;

pub use bundle::*;
pub use dead::Judged;
pub use decide::Policy;
pub use mutate::*;
pub use schema::schema;
pub use suite::*;
pub use types::*;
