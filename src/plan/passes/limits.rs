//! When the campaign pauses by itself.

use crate::plan::PlanError;
use crate::plan::draft::Draft;
use crate::policy::Amount;

/// The campaign pauses as soon as as many hosts have failed as policy says: the number, or the share of the planned
/// hosts (rounded down), whichever is reached first. The first failure is the earliest that can pause it, the last
/// planned host the latest.
pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let rollout = &draft.input.policy.rollout;
    let planned = draft.waves.iter().map(|w| w.hosts.len()).sum::<usize>();
    let planned = u32::try_from(planned).unwrap_or(u32::MAX);
    let share = rollout.failure_percent.map(|percent| Amount::Percent(percent).of(planned));
    let pauses_at = [rollout.failure_hosts, share].into_iter().flatten().fold(planned, u32::min);
    draft.failure_budget = pauses_at.max(1);
    Ok(())
}
