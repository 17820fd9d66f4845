//! Consumers of plans, records, events and diagnostics: text, JSON and HTML for people and machines.

mod campaign;
mod html;
mod live;

pub use campaign::*;
pub use html::*;
pub use live::*;
