//! Findings and hosts become decisions: raw (as written) -> check (validated) -> decide.

mod bundle;
mod calendar;
mod calendars;
mod check;
mod compare;
mod dead;
mod decide;
mod exceptions;
mod export;
mod glob;
mod host_windows;
mod import;
mod manual;
mod mutate;
mod notify;
mod order;
mod prove;
mod raw;
mod rego;
mod rule;
mod schedule;
mod schema;
mod score;
mod selector;
mod suite;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod types;
#[cfg(test)]
mod vectors;
mod vex;
mod vex_names;
#[cfg(test)]
mod vex_tests;
mod windows;

pub use bundle::*;
pub use dead::Judged;
pub use decide::Policy;
pub use exceptions::{ExceptionKind, ExceptionState, ExceptionView, expiry};
pub use export::{ExportFormat, Exported};
pub use glob::Glob;
pub use host_windows::*;
pub use import::{ImportOptions, Imported, import_exceptions};
pub use mutate::*;
pub use notify::render_notification;
pub use rego::*;
pub use schema::schema;
pub use suite::*;
pub use types::*;
