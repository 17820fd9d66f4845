//! What earlier campaigns have shown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{CampaignId, Digest, Host, HostName, PackageName, PackageVersion, RuleName};

/// The release of an operating system, as history compares it: `debian 12`.
pub fn os_release(host: &Host) -> Option<String> {
    let os = host.os.as_ref()?;
    Some(format!("{} {}", os.name, os.version.as_deref()?))
}

/// A package version that had to be rolled back: it stays out of plans for similar hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Quarantined {
    /// The package.
    pub package: PackageName,
    /// The version that was to be installed.
    pub version: PackageVersion,
    /// On hosts with this release: `debian 12`.
    pub os: String,
    /// Where it was rolled back.
    pub host: HostName,
    /// In which campaign.
    pub campaign: CampaignId,
    /// When.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

/// A fix of several packages that had to be rolled back, and nobody knows which of them was to blame: it stays out of
/// plans for its cohort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RolledBack {
    /// The cohort.
    pub cohort: RuleName,
    /// Where.
    pub host: HostName,
    /// In which campaign.
    pub campaign: CampaignId,
    /// When.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

/// What the last drill of a host has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// In which campaign.
    pub campaign: CampaignId,
    /// When it ended.
    pub at: Timestamp,
    /// What the settings of the host's provider were.
    pub provider: Digest,
    /// The probes that were asked of the clone.
    pub probes: BTreeSet<RuleName>,
    /// What was wrong with the backup or its clone; none: the way back is proven.
    pub failed: Option<String>,
}

/// What earlier campaigns have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Hosts of each cohort on which its fix went well, with the last time.
    proofs: BTreeMap<RuleName, BTreeMap<HostName, Timestamp>>,
    quarantined: BTreeMap<(PackageName, String), Vec<Quarantined>>,
    rolled_back: BTreeMap<RuleName, RolledBack>,
    drills: BTreeMap<HostName, Drill>,
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

    /// A drill has shown something of a host's way back; what was shown last counts.
    pub fn drill(&mut self, host: HostName, drill: Drill) {
        if self.drills.get(&host).is_none_or(|known| known.at <= drill.at) {
            self.drills.insert(host, drill);
        }
    }

    /// What the last drill of a host has shown.
    pub fn drilled(&self, host: &HostName) -> Option<&Drill> {
        self.drills.get(host)
    }

    /// A package version had to be rolled back.
    pub fn quarantine(&mut self, entry: Quarantined) {
        let entries = self.quarantined.entry((entry.package.clone(), entry.os.clone())).or_default();
        entries.insert(entries.partition_point(|known| known.since <= entry.since), entry);
    }

    /// A fix had to be rolled back as a whole; what was shown last counts.
    pub fn roll_back(&mut self, entry: RolledBack) {
        if self.rolled_back.get(&entry.cohort).is_none_or(|known| known.since <= entry.since) {
            self.rolled_back.insert(entry.cohort.clone(), entry);
        }
    }

    /// Why this version of a package, or any where it is not known which it will be, must not be installed on such hosts
    /// at this time.
    pub fn keeps_out(
        &self,
        package: &PackageName,
        version: Option<&PackageVersion>,
        os: &str,
        at: Timestamp,
    ) -> Option<&Quarantined> {
        let entries = self.quarantined.get(&(package.clone(), os.to_owned()))?;
        entries.iter().rev().find(|entry| entry.until > at && version.is_none_or(|version| *version == entry.version))
    }

    /// The last time the fix of this cohort was rolled back as a whole, if it is to be kept out at this time and has not
    /// gone well since.
    pub fn rolled_back(&self, cohort: &RuleName, at: Timestamp) -> Option<&RolledBack> {
        let entry = self.rolled_back.get(cohort)?;
        (entry.until > at && self.successes(cohort, entry.since) == 0).then_some(entry)
    }

    /// Everything that is kept out, whatever the time.
    pub fn quarantine_list(&self) -> (Vec<&Quarantined>, Vec<&RolledBack>) {
        (self.quarantined.values().flatten().collect(), self.rolled_back.values().collect())
    }

    /// Lets what was kept out in again: of a package (all its versions), or of a cohort.
    pub fn release(&mut self, name: &str, before: Timestamp) {
        for entries in self.quarantined.values_mut() {
            let named = |entry: &Quarantined| {
                entry.package.as_str() == name || format!("{}={}", entry.package, entry.version) == name
            };
            entries.retain(|entry| !(named(entry) && entry.since <= before));
        }
        self.rolled_back.retain(|cohort, entry| !(cohort.as_str() == name && entry.since <= before));
    }
}
