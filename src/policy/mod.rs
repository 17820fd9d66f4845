//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod bundle;
mod check;
mod compare;
mod decide;
mod glob;
mod raw;
mod rego;
mod schedule;
mod schema;
mod score;
mod selector;
#[cfg(test)]
mod tests;
mod types;
mod windows;

pub use bundle::*;
pub use decide::Policy;
pub use rego::*;
pub use schema::schema;
pub use types::*;
