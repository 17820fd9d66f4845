//! Who must approve the plan, and for which of its hosts.

use std::collections::BTreeMap;

use crate::model::HostName;
use crate::plan::draft::Draft;
use crate::plan::{PlanApproval, PlanError};
use crate::policy::ApprovalPolicy;

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut needed: BTreeMap<ApprovalPolicy, Vec<HostName>> = BTreeMap::new();
    for (name, host) in draft.hosts.iter().filter(|(_, host)| host.reasons.is_empty()) {
        for approval in draft.input.policy.approvals_for(host.host, host.emergency) {
            needed.entry(approval).or_default().push(name.clone());
        }
    }
    draft.signers = needed.keys().filter_map(|approval| approval.signers.clone()).map(|s| (s.file, s.text)).collect();
    draft.approvals = needed
        .into_iter()
        .map(|(approval, hosts)| PlanApproval {
            rule: approval.rule,
            required: approval.required,
            from: approval.from,
            signers: approval.signers.map(|signers| signers.file),
            not_author: approval.not_author,
            valid_for: approval.valid_for,
            hosts,
        })
        .collect();
    Ok(())
}
