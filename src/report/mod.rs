//! Consumers of plans, records, events and diagnostics: text, JSON and HTML for people and machines.

mod campaign;
mod contract;
mod html;
mod live;

pub use campaign::*;
pub use contract::*;
pub use html::*;
pub use live::*;
