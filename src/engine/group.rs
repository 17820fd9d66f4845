//! One disruption-budget group: who of its hosts may be unavailable. A pure machine and the only writer of its permits.

use std::collections::BTreeSet;

use crate::model::{HostName, HostOutcome};

use super::IllegalTransition;

/// The permits of one group. A host takes one with its first disruptive step and gives it back when it has ended;
/// a stuck host never does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GroupMachine {
    max: u32,
    /// Hosts that began and are not disrupted yet.
    preparing: BTreeSet<HostName>,
    /// Hosts that hold a permit.
    holders: BTreeSet<HostName>,
    /// Holders that ended as stuck.
    lost: BTreeSet<HostName>,
}

impl GroupMachine {
    /// A group of which this many hosts may be unavailable at once.
    pub fn new(max_unavailable: u32) -> Self {
        Self { max: max_unavailable, preparing: BTreeSet::new(), holders: BTreeSet::new(), lost: BTreeSet::new() }
    }

    /// Whether another host may become unavailable now.
    pub fn has_permit(&self) -> bool {
        #[cfg(test)]
        if super::planted::planted(super::planted::Defect::OverspendsPermits) {
            return true;
        }
        count(&self.holders) < self.max
    }

    /// Whether another host may be prepared now. At most one batch waits prepared for its permits: more would only
    /// let their backups grow old.
    pub fn may_prepare(&self) -> bool {
        count(&self.preparing).saturating_add(count(&self.lost)) < self.max
    }

    /// Whether no permit will ever be free again.
    pub fn is_exhausted(&self) -> bool {
        count(&self.lost) >= self.max
    }

    /// How many may be unavailable at once.
    pub fn max_unavailable(&self) -> u32 {
        self.max
    }

    /// Hosts that count as unavailable.
    pub fn unavailable(&self) -> &BTreeSet<HostName> {
        &self.holders
    }

    /// A host begins with its preparation.
    pub(super) fn prepare(&mut self, host: &HostName) {
        self.preparing.insert(host.clone());
    }

    /// A host begins with its disruptive part.
    pub(super) fn take(&mut self, host: &HostName) -> Result<(), IllegalTransition> {
        if !self.has_permit() || self.holders.contains(host) {
            return Err(IllegalTransition(format!("host {host} takes a permit of a group that has none left")));
        }
        self.preparing.remove(host);
        self.holders.insert(host.clone());
        Ok(())
    }

    /// A host has ended.
    pub(super) fn end(&mut self, host: &HostName, outcome: HostOutcome) {
        self.preparing.remove(host);
        if outcome != HostOutcome::Stuck {
            self.holders.remove(host);
        } else if self.holders.contains(host) {
            self.lost.insert(host.clone());
        }
    }
}

fn count(hosts: &BTreeSet<HostName>) -> u32 {
    u32::try_from(hosts.len()).unwrap_or(u32::MAX)
}
