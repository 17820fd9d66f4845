//! The pure machines: (state, input, now) becomes records and effects. No IO, no clock.

mod agenda;
mod approval;
mod campaign;
mod clock;
mod gate;
mod group;
mod host;
mod machine;
mod record;
mod roster;
mod seam;
mod settle;
mod status;

#[cfg(test)]
pub(crate) mod planted;
#[cfg(test)]
mod tests;

pub use approval::*;
pub use campaign::{CANARY_FAILED, CampaignMachine, FAILURE_BUDGET};
pub use clock::Clock;
pub use gate::{EARLY, GATE_CLOSED, MAX_BACKUP_AGE};
pub use group::GroupMachine;
pub(crate) use host::packages_left_out;
pub use host::{GRACE, HostCommand, HostEnd, HostMachine};
pub use machine::{Campaign, CampaignState, IllegalTransition};
pub use record::*;
pub use seam::*;
