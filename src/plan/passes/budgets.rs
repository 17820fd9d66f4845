//! How many hosts of a service may be unavailable at once.

use std::collections::BTreeMap;

use crate::model::{RuleName, printable};
use crate::plan::draft::Draft;
use crate::plan::{BudgetGroup, PlanError, Reason};
use crate::policy::Amount;

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let Some((label, amount)) = &draft.input.policy.rollout.max_unavailable else { return Ok(()) };
    // The whole inventory counts: hosts that are not planned keep the service up.
    let mut sizes: BTreeMap<&str, u32> = BTreeMap::new();
    for host in draft.input.hosts.values() {
        if let Some(service) = host.labels.get(label) {
            *sizes.entry(service).or_default() += 1;
        }
    }
    for host in draft.hosts.values_mut() {
        let Some(service) = host.host.labels.get(label) else { continue };
        let Ok(group) = RuleName::new(service) else {
            host.block(
                "budget-label",
                format!(
                    "its label {} has a value that cannot name a service: {:?}",
                    printable(label, 80),
                    printable(service, 80)
                ),
            );
            continue;
        };
        let size = sizes.get(service.as_str()).copied().unwrap_or(1);
        let mut allowed = amount.of(size);
        let rounds_to_none = allowed == 0 && *amount != Amount::Percent(0) && matches!(amount, Amount::Percent(_));
        if size == 1 && rounds_to_none && draft.input.policy.rollout.single_host {
            allowed = 1;
            draft.notes.insert(Reason::new(
                "budget-single-host",
                format!("service {group} has 1 host, and `rollout.max_unavailable.single_host` lets it go down"),
            ));
        }
        if allowed == 0 {
            host.block("budget-zero", budget_zero(&group, size, *amount));
            continue;
        }
        // A service of several hosts never goes down as a whole, whatever the share says.
        let max_unavailable = allowed.min(size.saturating_sub(1).max(1));
        if max_unavailable < allowed.min(size) {
            draft.notes.insert(Reason::new(
                "budget-limited",
                format!(
                    "service {group} has {size} hosts and `rollout.max_unavailable` would let all be down at once: \
                     one is always kept up, so {max_unavailable} may be down"
                ),
            ));
        }
        draft.groups.insert(group.clone(), BudgetGroup { max_unavailable, size });
        host.group = Some(group);
    }
    Ok(())
}

/// Why no host of the service may be touched, and both ways to change that.
fn budget_zero(service: &RuleName, size: u32, amount: Amount) -> String {
    let hosts = if size == 1 { "1 host".to_owned() } else { format!("{size} hosts") };
    match amount {
        Amount::Hosts(_) => {
            format!(
                "`rollout.max_unavailable` is 0, so no host of service {service} ({hosts}) may be taken down: set it to 1 or more"
            )
        }
        Amount::Percent(percent) => {
            let enough = 100_u32.div_ceil(size.max(1));
            let remedy = if size == 1 && percent > 0 {
                "To allow it, and with it the whole service, set `rollout.max_unavailable.single_host`".to_owned()
            } else {
                let down = if size == 1 { "and with it the whole service" } else { "one at a time" };
                format!("To allow one ({down}), set `rollout.max_unavailable.value` to 1, or to {enough}% or more")
            };
            format!(
                "service {service} has {hosts}, and {percent}% of {size}, rounded down, is 0: none may be taken down. \
                 {remedy}"
            )
        }
    }
}
