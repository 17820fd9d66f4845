//! How many hosts of a kind are worked on at once: by label, by who makes clones, by what a provider bears.

use std::collections::BTreeMap;

use crate::model::{Host, HostName, RuleName, printable};
use crate::plan::draft::Draft;
use crate::plan::{Action, Pool, PoolOf, Reason};
use crate::policy::RolloutPolicy;

/// Puts a host whose steps are known into its pools.
pub(super) fn join(draft: &mut Draft<'_>, name: &HostName) {
    let Some(host) = draft.hosts.get_mut(name) else { return };
    let clones = host.steps.iter().any(|step| matches!(step.action, Action::Clone { .. }));
    for pool in pools_of(&draft.input.policy.rollout, host.host, clones) {
        match pool {
            Ok((name, pool)) => {
                host.pools.insert(name.clone());
                draft.pools.insert(name, pool);
            }
            Err(reason) => drop(host.reasons.insert(reason)),
        }
    }
}

/// The pools to which a host belongs, each under its name; `clones`: it makes one.
pub(in crate::plan) fn pools_of(
    rollout: &RolloutPolicy,
    host: &Host,
    clones: bool,
) -> Vec<Result<(RuleName, Pool), Reason>> {
    limits(rollout, host, clones).into_iter().map(|pool| named(&words(&pool)).map(|name| (name, pool))).collect()
}

fn named(words: &str) -> Result<RuleName, Reason> {
    RuleName::new(words).map_err(|_| {
        let text = format!("what limits how many hosts go at once has no printable name: {:?}", printable(words, 80));
        Reason::new("concurrency-label", text)
    })
}

fn limits(rollout: &RolloutPolicy, host: &Host, clones: bool) -> Vec<Pool> {
    let mut limits: BTreeMap<(PoolOf, bool), u32> = BTreeMap::new();
    let mut limit = |of: PoolOf, clones: bool, hosts: Option<u32>| {
        hosts.map(|hosts| limits.insert((of, clones), hosts));
    };
    for per in &rollout.per_label {
        let Some(value) = host.labels.get(&per.label) else { continue };
        let of = PoolOf::Label { label: per.label.clone(), value: value.clone() };
        limit(of.clone(), false, per.hosts);
        limit(of, true, per.clones.filter(|_| clones));
    }
    limit(PoolOf::All, true, rollout.clones.filter(|_| clones));
    if let Some(can) = host.provider.as_ref().map(|provider| provider.capabilities()) {
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
