//! The pure machines: (state, input, now) becomes records and effects. No IO, no clock.

mod machine;
mod record;
mod seam;

pub use machine::*;
pub use record::*;
pub use seam::*;
