//! What rules say of a plan as a whole.

pub use super::answer::PlanMessage;

/// What rules say of a plan as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanVerdict {
    /// Why it must not be; none means that it may.
    pub deny: Vec<PlanMessage>,
    /// What a person should know.
    pub warn: Vec<PlanMessage>,
}
