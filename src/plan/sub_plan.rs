//! What an approver approves of a host, without what changes only because other hosts have changed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{HostPlan, Plan, Step};
use crate::model::{Digest, TimeSpan};

/// How many digits of the digest of a part tell that it has changed.
const PART_DIGITS: usize = 12;

/// The part of a plan that is about one host: what it is named by, and what its parts are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubPlan {
    /// Names all of its parts.
    pub digest: Digest,
    /// The beginning of the digest of each part: shows what has changed from one plan to the next.
    pub parts: BTreeMap<String, String>,
}

impl SubPlan {
    /// The sub-plan of a host. Its wave, its pools, the name of the host that goes first for it, expected durations and
    /// the size of its group are no part of it: they follow from other hosts and from history. When it may be touched
    /// is held against the windows themselves.
    pub fn of(plan: &Plan, host: &HostPlan) -> Self {
        let budget = host.group.as_ref().and_then(|group| plan.rollout.groups.get(group));
        let steps: Vec<Step> = host.steps.iter().map(own).collect();
        let parts = [
            ("host", digest(&host.host)),
            ("fix", digest(&(&host.fix, host.emergency))),
            ("strategy", digest(&(host.strategy, &host.strategy_reason.code))),
            ("playbook", digest(&host.playbook)),
            ("steps", digest(&steps)),
            ("windows", digest(&host.windows)),
            ("budget", digest(&(&host.group, budget.map(|budget| budget.max_unavailable)))),
            ("backup", digest(&host.without_backup)),
        ];
        let whole = parts.map(|(name, digest)| format!("{name} {digest}\n")).concat();
        let shown = parts.map(|(name, digest)| (name.to_owned(), digest.to_string()[..PART_DIGITS].to_owned()));
        Self { digest: Digest::of(whole.as_bytes()), parts: shown.into() }
    }

    /// The parts in which two differ.
    pub fn differs_in(&self, other: &Self) -> Vec<String> {
        self.parts.iter().filter(|(name, part)| other.parts.get(*name) != Some(part)).map(|(n, _)| n.clone()).collect()
    }
}

/// A step without the names of other hosts, and without what history says of it.
fn own(step: &Step) -> Step {
    let mut own = step.clone();
    own.expected = TimeSpan::ZERO;
    own.needs.retain(|need| need.host() == step.id.host());
    own.undo = step.undo.iter().map(self::own).collect();
    own
}

fn digest(value: &impl Serialize) -> Digest {
    // Strings, numbers and sorted maps: this cannot fail, and is the same for the same value.
    Digest::of(&serde_json::to_vec(value).unwrap_or_default())
}
