//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod bundle;
mod calendar;
mod calendars;
mod check;
mod compare;
mod decide;
mod glob;
mod host_windows;
mod prove;
mod raw;
mod rule;
mod schedule;
mod schema;
mod score;
mod selector;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod types;
#[cfg(test)]
mod vectors;
mod windows;

pub use bundle::*;
pub use decide::Policy;
pub use host_windows::*;
pub use schema::schema;
pub use types::*;
