//! Jobs that run once on a host, whatever happens to the connection or to this program.

mod drive;
mod protocol;
#[cfg(test)]
mod tests;

pub use drive::{JobEnd, KILL_GRACE, drive};
pub use protocol::{BootMarker, Call, Job, JobOutput, JobSpool, JobState, boot_marker};
