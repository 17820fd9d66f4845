//! What had to be rolled back on similar hosts stays out, until there is another version, its time is over, or a person
//! lets it in again.

use std::collections::BTreeSet;

use super::playbook::rule;
use crate::model::{DecisionKind, PackageName, os_release};
use crate::plan::PlanError;
use crate::plan::draft::Draft;

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let (history, as_of) = (draft.input.history, draft.input.as_of);
    let mut deferred = Vec::new();
    for host in draft.hosts.values_mut() {
        let Some(os) = os_release(host.host) else { continue };
        let mut kept_out: Vec<(PackageName, String)> = Vec::new();
        host.fix.packages.retain(|package| {
            let Some(entry) = history.keeps_out(&package.name, package.to.as_ref(), &os, as_of) else { return true };
            let reason = format!(
                "{} {} is in quarantine until {}: it was rolled back on {} in campaign {} ({}); \
                 `switchback quarantine release {}` lets it in again",
                entry.package, entry.version, entry.until, entry.host, entry.campaign, entry.why, entry.package
            );
            kept_out.push((package.name.clone(), reason));
            false
        });
        if kept_out.is_empty() {
            continue;
        }
        for (package, reason) in kept_out {
            let (out, left): (Vec<usize>, Vec<usize>) = std::mem::take(&mut host.findings)
                .into_iter()
                .partition(|&finding| draft.findings[finding].package.as_ref() == Some(&package));
            host.findings = left;
            deferred.extend(out.into_iter().map(|finding| (finding, reason.clone())));
        }
        let ids: BTreeSet<_> = host.findings.iter().map(|&finding| &draft.findings[finding].id).collect();
        host.fix.findings.retain(|id| ids.contains(id));
        let priority = host.findings.iter().map(|&finding| draft.decisions[finding].assessment.priority).max();
        host.priority = priority.unwrap_or(host.priority);
    }
    for (finding, reason) in deferred {
        draft.redecide(finding, DecisionKind::Defer, rule("quarantine"), reason);
    }
    draft.hosts.retain(|_, host| !host.findings.is_empty());
    // What made a host an emergency may have been taken out, here or before.
    for host in draft.hosts.values_mut() {
        host.emergency = host.findings.iter().any(|&finding| draft.decisions[finding].emergency);
    }
    Ok(())
}
