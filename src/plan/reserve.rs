//! How much time a host needs in its window: what is still to be done, and the way back.

use super::{HostPlan, Plan, PlanWindow, Step};
use crate::model::{StepId, TimeSpan};

impl HostPlan {
    /// The usual time from the start of this step until nothing more can fail, the soak included: a failure while the
    /// host is watched leads to the way back too. None if the host has no such step.
    pub fn time_from(&self, step: &StepId) -> Option<TimeSpan> {
        let at = self.steps.iter().position(|s| &s.id == step)?;
        Some(total(&self.steps[at..]))
    }

    /// The usual time of the whole way back.
    pub fn way_back(&self) -> TimeSpan {
        way_back(&self.steps)
    }

    /// What must be left of a window when this step starts, before the plan's margin: the rest and the way back.
    pub fn reserve(&self, step: &StepId) -> Option<TimeSpan> {
        Some(self.time_from(step)?.plus(self.way_back()))
    }

    /// The usual time of its disruptive steps and of all that follows them.
    pub fn disruptive_chain(&self) -> TimeSpan {
        disruptive_chain(&self.steps)
    }

    /// The first window in which its disruptive steps, the way back and the margin fit; none if it needs no window.
    pub fn first_window<'a>(&self, plan: &'a Plan) -> Option<&'a PlanWindow> {
        let needed = self.disruptive_chain().plus(self.way_back()).plus(plan.rollout.margin);
        plan.windows.get(self.windows.as_ref()?)?.iter().find(|w| w.interval.length() >= needed)
    }
}

/// The usual time of all steps from the first disruptive one on.
pub(super) fn disruptive_chain(steps: &[Step]) -> TimeSpan {
    steps.iter().position(Step::is_disruptive).map_or(TimeSpan::ZERO, |at| total(&steps[at..]))
}

pub(super) fn way_back(steps: &[Step]) -> TimeSpan {
    steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(total(&step.undo)))
}

fn total(steps: &[Step]) -> TimeSpan {
    steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(step.expected))
}
