//! What policy asks for and cannot be given is told.

use crate::plan::draft::Draft;
use crate::plan::{PlanError, Reason};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    if draft.input.policy.notifies > 0 {
        let note = "`notify` is checked and nobody is told yet: watch the campaign, or ask `switchback status`";
        draft.notes.insert(Reason::new("notify-not-sent", note));
    }
    Ok(())
}
