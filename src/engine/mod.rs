//! The pure machines: (state, input, now) becomes records and effects. No IO, no clock.

mod record;
mod seam;

pub use record::*;
pub use seam::*;
