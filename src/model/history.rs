//! What earlier campaigns have shown.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{HostName, RuleName};

/// What earlier campaigns have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Hosts of each cohort on which its fix went well, with the last time.
    proofs: BTreeMap<RuleName, BTreeMap<HostName, Timestamp>>,
}

impl History {
    /// A fix went well.
    pub fn prove(&mut self, cohort: RuleName, host: HostName, at: Timestamp) {
        let last = self.proofs.entry(cohort).or_default().entry(host).or_insert(at);
        *last = at.max(*last);
    }

    /// On how many hosts of a cohort the fix went well since then.
    pub fn successes(&self, cohort: &RuleName, since: Timestamp) -> u32 {
        let hosts = self.proofs.get(cohort).map_or(0, |hosts| hosts.values().filter(|&&at| at >= since).count());
        u32::try_from(hosts).unwrap_or(u32::MAX)
    }
}
