//! How many hosts of a kind are worked on at once: by label, by who makes clones, by what a provider bears.

use std::collections::BTreeMap;

use crate::model::{HostName, RuleName, printable};
use crate::plan::draft::{Draft, HostDraft};
use crate::plan::{Action, Pool, PoolOf};
use crate::policy::RolloutPolicy;

/// Puts a host whose steps are known into its pools.
pub(super) fn join(draft: &mut Draft<'_>, name: &HostName) {
    let Some(host) = draft.hosts.get_mut(name) else { return };
    for pool in pools_of(&draft.input.policy.rollout, host) {
        let Ok(name) = RuleName::new(&words(&pool)) else {
            let text = format!(
                "what limits how many hosts go at once has no printable name: {:?}",
                printable(&words(&pool), 80)
            );
            host.block("concurrency-label", text);
            continue;
        };
        host.pools.insert(name.clone());
        draft.pools.insert(name, pool);
    }
}

/// The pools to which a host with these steps belongs.
fn pools_of(rollout: &RolloutPolicy, host: &HostDraft<'_>) -> Vec<Pool> {
    let clones = host.steps.iter().any(|step| matches!(step.action, Action::Clone { .. }));
    let mut limits: BTreeMap<(PoolOf, bool), u32> = BTreeMap::new();
    let mut limit = |of: PoolOf, clones: bool, hosts: Option<u32>| {
        hosts.map(|hosts| limits.insert((of, clones), hosts));
    };
    for per in &rollout.per_label {
        let Some(value) = host.host.labels.get(&per.label) else { continue };
        let of = PoolOf::Label { label: per.label.clone(), value: value.clone() };
        limit(of.clone(), false, per.hosts);
        limit(of, true, per.clones.filter(|_| clones));
    }
    limit(PoolOf::All, true, rollout.clones.filter(|_| clones));
    if let Some(can) = host.host.provider.as_ref().map(|provider| provider.capabilities()) {
        limit(PoolOf::Provider(can.kind.to_owned()), true, can.concurrent_clones.filter(|_| clones));
    }
    limits.into_iter().map(|((of, clones), hosts)| Pool { hosts: hosts.max(1), of, clones }).collect()
}

/// What its hosts have in common, in words that differ for each.
fn words(pool: &Pool) -> String {
    let of = match &pool.of {
        PoolOf::All => String::new(),
        PoolOf::Provider(kind) => format!("provider {kind}"),
        PoolOf::Label { label, value } => format!("{label}={value}"),
    };
    match (pool.clones, of.is_empty()) {
        (false, _) => of,
        (true, true) => "clones".to_owned(),
        (true, false) => format!("clones of {of}"),
    }
}
