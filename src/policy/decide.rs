//! A checked policy, and what it says of findings and hosts.

use std::sync::Arc;

use jiff::Timestamp;

use super::{BackupPolicy, ProbePolicy, RebootPolicy, RolloutPolicy, StrategyChoice, WindowSet};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::{Assessment, Decision, Digest, Finding, Host, Importance, RuleRef, TimeSpan};

/// A checked policy.
#[derive(Debug)]
pub struct Policy {
    /// Section `backup`.
    pub backup: BackupPolicy,
    /// Section `rollout`.
    pub rollout: RolloutPolicy,
    /// Section `reboot`.
    pub reboot: RebootPolicy,
    /// `verify.soak`: how long a fixed host is watched.
    pub verify_soak: TimeSpan,
    /// `playbooks.allow_removals`: whether a fix may remove packages.
    pub allow_removals: bool,
    digest: Digest,
}

impl Policy {
    /// Reads and checks the files of a bundle. Every problem of every file becomes a diagnostic;
    /// none is returned if one of them was an error.
    pub fn load(_files: Vec<Arc<Source>>, _diagnostics: &mut Diagnostics) -> Option<Self> {
        unimplemented!()
    }

    /// The digest of the texts of all files; their names and order do not matter.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The importance of a host, and the rule that says so.
    pub fn importance_of(&self, _host: &Host) -> (Importance, RuleRef) {
        unimplemented!()
    }

    /// The priority of a finding on a host.
    pub fn assess(&self, _finding: &Finding, _host: &Host, _as_of: Timestamp) -> Assessment {
        unimplemented!()
    }

    /// What to do with a finding on a host: fix, defer, ignore, whitelist or no fix available.
    pub fn decide(&self, _finding: &Finding, _host: &Host, _as_of: Timestamp) -> Decision {
        unimplemented!()
    }

    /// When disruptive steps on a host may start, for intervals that touch `from .. from + horizon`.
    pub fn windows_for(&self, _host: &Host, _from: Timestamp, _horizon: TimeSpan) -> WindowSet {
        unimplemented!()
    }

    /// The version of the time zone data that resolves windows.
    pub fn tzdata_version(&self) -> String {
        unimplemented!()
    }

    /// How a host is fixed.
    pub fn strategy_for(&self, _host: &Host) -> StrategyChoice {
        unimplemented!()
    }

    /// The probes of section `verify` for a host.
    pub fn probes_for(&self, _host: &Host) -> Vec<ProbePolicy> {
        unimplemented!()
    }

    /// A warning for every selector that matches no host of the inventory.
    pub fn unmatched_selectors<'a>(&self, _hosts: impl IntoIterator<Item = &'a Host>) -> Vec<Diagnostic> {
        unimplemented!()
    }
}
