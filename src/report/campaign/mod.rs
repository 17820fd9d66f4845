//! What became of a campaign, gathered from its plan and its records for every kind of view.

mod disruption;
mod findings;
mod gather;
mod kept;
mod sla;
mod types;

pub use findings::LaterScan;
pub(super) use gather::in_order;
pub use types::*;
