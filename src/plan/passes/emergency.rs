//! The emergency lane: what may not wait for a freeze to end passes it alone.

use super::playbook::rule;
use crate::model::{DecisionKind, Host, Interval};
use crate::plan::draft::Draft;
use crate::plan::{PlanError, PlanInput};
use crate::policy::WindowSet;

/// Where a freeze takes time from a host and the lane may pass it, only the emergencies are fixed: nobody allowed more
/// to be changed during the freeze.
pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let input = draft.input;
    if !input.policy.emergency_bypasses_freezes() {
        return Ok(());
    }
    let mut waiting = Vec::new();
    for host in draft.hosts.values_mut().filter(|host| host.emergency) {
        host.bypass_freeze = is_frozen(input, host.host);
        if host.bypass_freeze {
            let (urgent, rest): (Vec<usize>, Vec<usize>) =
                std::mem::take(&mut host.findings).into_iter().partition(|&finding| draft.decisions[finding].emergency);
            host.findings = urgent;
            waiting.extend(rest);
            let priorities = host.findings.iter().map(|&finding| draft.decisions[finding].assessment.priority);
            host.priority = priorities.max().unwrap_or(host.priority);
        }
    }
    for finding in waiting {
        let reason = "a freeze holds, and only the emergencies of this host pass it: plan again when it has ended";
        draft.redecide(finding, DecisionKind::Defer, rule("scope.emergency"), reason.to_owned());
    }
    Ok(())
}

/// Whether freezes take anything from the windows of a host.
fn is_frozen(input: &PlanInput<'_>, host: &Host) -> bool {
    let open = |set: WindowSet| match set {
        WindowSet::Always => vec![Interval { start: input.as_of, end: input.horizon.after(input.as_of) }],
        WindowSet::None { .. } => Vec::new(),
        WindowSet::Set { intervals, .. } => intervals.iter().map(|window| window.interval).collect(),
    };
    open(input.policy.windows_for(host, input.as_of, input.horizon))
        != open(input.policy.windows_bypassing_freezes(host, input.as_of, input.horizon))
}
