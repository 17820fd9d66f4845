//! What policy asks for and cannot be given blocks the host, or is told.

use crate::plan::draft::Draft;
use crate::plan::{PlanError, Reason};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let policy = draft.input.policy;
    for host in draft.hosts.values_mut() {
        if let Some(within) = policy.backup.drill_within {
            host.block(
                "backup-not-drilled",
                format!(
                    "`backup.drill_within` wants a restore proven within {within}, and drills cannot be recorded yet: \
                     take it out for a backup that was never tried"
                ),
            );
        }
    }
    if policy.notifies > 0 {
        let note = "`notify` is checked and nobody is told yet: watch the campaign, or ask `switchback status`";
        draft.notes.insert(Reason::new("notify-not-sent", note));
    }
    Ok(())
}
