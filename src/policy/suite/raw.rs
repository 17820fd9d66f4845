//! `*.test.yaml` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{DecisionKind, FixState, Importance, Priority, Severity, VulnerabilityType};
use crate::policy::StrategyKind;
use crate::yaml::{OneOrMany, Spanned};

/// The JSON Schema by which editors complete and check tests of policies.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(SuiteRaw);
    schema.insert("title".to_owned(), "Switchback policy test".into());
    crate::yaml::with_plain_texts(schema.to_value())
}

/// Tests of policies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuiteRaw {
    /// The version of the format: 1.
    pub version: Spanned<u32>,
    /// The time that ages, deadlines, expiries and windows refer to, such as `2026-11-23T12:00:00Z`.
    pub now: Spanned<String>,
    /// The policies under test, relative to this file; all of the bundle where absent.
    #[serde(default)]
    pub policies: Option<OneOrMany<Spanned<String>>>,
    /// Hosts by name.
    pub hosts: Spanned<BTreeMap<String, Spanned<HostRaw>>>,
    /// Findings by a name of their own.
    #[serde(default)]
    pub findings: BTreeMap<String, Spanned<FindingRaw>>,
    /// What is expected.
    pub tests: Spanned<Vec<Spanned<TestRaw>>>,
}

/// A host, as an inventory would describe it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HostRaw {
    /// Groups it belongs to.
    #[serde(default)]
    pub groups: Option<OneOrMany<Spanned<String>>>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its operating system.
    #[serde(default)]
    pub os: Option<OsRaw>,
    /// Its importance, where the inventory says it.
    #[serde(default)]
    pub importance: Option<Importance>,
}

/// An operating system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OsRaw {
    /// `debian`, `redhat`, `suse`, `alpine`, `windows`.
    pub family: String,
    /// `debian`, `ubuntu`, `rocky`, ...
    #[serde(default)]
    pub name: Option<String>,
    /// `12`, `22.04`, ...
    #[serde(default)]
    pub version: Option<String>,
}

/// A finding, as a report would describe it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingRaw {
    /// The host that it is on.
    pub host: Spanned<String>,
    /// The vulnerability; `CVE-0000-0001` where it does not matter.
    #[serde(default)]
    pub vulnerability: Option<Spanned<String>>,
    /// Its other ids.
    #[serde(default)]
    pub aliases: Option<OneOrMany<Spanned<String>>>,
    /// What kind of thing is vulnerable; `linux` where absent.
    #[serde(default, rename = "type")]
    pub kind: Option<VulnerabilityType>,
    /// The ecosystem of the package; `deb` where absent.
    #[serde(default)]
    pub ecosystem: Option<String>,
    /// The package.
    #[serde(default)]
    pub package: Option<Spanned<String>>,
    /// The installed version.
    #[serde(default)]
    pub installed: Option<Spanned<String>>,
    /// Versions that fix it.
    #[serde(default)]
    pub fixed: Option<OneOrMany<Spanned<String>>>,
    /// Whether there is a fix; `fixed` where absent.
    #[serde(default)]
    pub fix_state: Option<FixState>,
    /// What the scanner called the severity.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// The CVSS base score.
    #[serde(default)]
    pub cvss: Option<Spanned<f64>>,
    /// The chance of exploitation, 0 to 1.
    #[serde(default)]
    pub epss: Option<Spanned<f64>>,
    /// Known to be exploited.
    #[serde(default)]
    pub kev: bool,
    /// When the vulnerability was published: a day or a time.
    #[serde(default)]
    pub published: Option<Spanned<String>>,
    /// When this host was first seen to have it: a day or a time.
    #[serde(default)]
    pub first_seen: Option<Spanned<String>>,
}

/// One test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestRaw {
    /// What it shows, in words.
    pub name: Spanned<String>,
    /// Another time than that of the file.
    #[serde(default)]
    pub now: Option<Spanned<String>>,
    /// The finding that it is about.
    #[serde(default)]
    pub finding: Option<Spanned<String>>,
    /// The host that it is about, where it is about no finding.
    #[serde(default)]
    pub host: Option<Spanned<String>>,
    /// What is expected; at least one thing.
    pub expect: Spanned<ExpectRaw>,
}

/// What is expected. The first seven are about a finding, the rest about a host (that of the finding, where one is named).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectRaw {
    /// What is to be done.
    #[serde(default)]
    pub decision: Option<DecisionKind>,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// The weighted score.
    #[serde(default)]
    pub score: Option<Spanned<f64>>,
    /// The rule that decides: `exceptions/EXC-1`, `scope.fix`, `priority.overrides/NAME`, ...
    #[serde(default)]
    pub rule: Option<String>,
    /// A part of the reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it is due: a day or a time; `never` where no deadline holds.
    #[serde(default)]
    pub due: Option<Spanned<String>>,
    /// Whether it goes by the emergency lane.
    #[serde(default)]
    pub emergency: Option<bool>,
    /// The importance of the host.
    #[serde(default)]
    pub importance: Option<Importance>,
    /// The strategy for the host.
    #[serde(default)]
    pub strategy: Option<StrategyKind>,
    /// How many people must approve, all rules together.
    #[serde(default)]
    pub approvals: Option<u32>,
    /// Times at which disruptive steps may start; for a finding in the emergency lane, freezes that the lane bypasses
    /// do not count.
    #[serde(default)]
    pub open: Option<OneOrMany<Spanned<String>>>,
    /// Times at which they may not.
    #[serde(default)]
    pub closed: Option<OneOrMany<Spanned<String>>>,
    /// Probes that verify the host, by name, in any order.
    #[serde(default)]
    pub probes: Option<Vec<String>>,
}
