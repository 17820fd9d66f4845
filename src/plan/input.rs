//! Everything a plan depends on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::InputRef;
use crate::model::{Finding, History, Host, HostName, Ticket, TimeSpan};
use crate::playbook::Playbook;
use crate::policy::Policy;

/// Who makes a plan, and why.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The author.
    pub author: Option<String>,
    /// The change request.
    pub ticket: Option<Ticket>,
}

/// Everything a plan depends on: neither clock nor environment nor the order of these lists adds to it.
#[derive(Clone, Debug)]
pub struct PlanInput<'a> {
    /// The inventory.
    pub hosts: &'a BTreeMap<HostName, Host>,
    /// What scanners reported, each matched to its host.
    pub findings: &'a [(HostName, Finding)],
    /// What is fixed first, when, and how carefully.
    pub policy: &'a Policy,
    /// How it is fixed.
    pub playbooks: &'a [Playbook],
    /// The time all decisions refer to.
    pub as_of: Timestamp,
    /// Recorded in the plan; whatever chooses at random while the plan runs starts from it.
    pub seed: u64,
    /// Where it all came from, by role (`policies`, `inventory`, `reports`, `playbooks`, `feeds`).
    pub inputs: BTreeMap<String, InputRef>,
    /// What earlier campaigns have shown.
    pub history: &'a History,
    /// Who makes the plan, and for which change request.
    pub origin: Origin,
    /// How far ahead windows are resolved.
    pub horizon: TimeSpan,
}
