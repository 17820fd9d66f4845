//! Who must approve the plan, and for which of its hosts.

use crate::plan::draft::Draft;
use crate::plan::{PlanError, asked};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let planned = draft.hosts.values().filter(|host| host.reasons.is_empty());
    (draft.approvals, draft.signers) = asked(draft.input.policy, planned.map(|host| (host.host, host.emergency)));
    Ok(())
}
