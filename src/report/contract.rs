//! Objects that scripts read from stdout; their shape is kept stable, with schemas in `schemas/`.

use std::collections::BTreeMap;

use crate::model::{CampaignId, Finding, HostName, HostOutcome};

/// `switchback findings --format json`.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct FindingsView {
    /// Rows as the tools wrote them; always the number of `findings` plus the sum of `left_out`.
    pub read: u64,
    /// Normalised.
    pub findings: Vec<Finding>,
    /// Rows that are no findings: reason to count.
    pub left_out: BTreeMap<String, u64>,
}

/// The last line of `switchback demo --format json`.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct DemoSummary {
    /// The campaign.
    pub campaign: CampaignId,
    /// Where each host ended.
    pub outcomes: BTreeMap<HostName, HostOutcome>,
    /// Findings of the whole fleet before the campaign.
    pub findings_before: u64,
    /// Findings of the whole fleet after it.
    pub findings_after: u64,
}
