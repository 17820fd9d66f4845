//! What the planner may ask of a checked policy, beyond its decisions.

use std::sync::Arc;

use crate::model::{PlanWindow, RuleName, RuleRef, TimeSpan};

/// A number of hosts, or a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// This many.
    Hosts(u32),
    /// This many per cent, 0 to 100.
    Percent(u32),
}

impl Amount {
    /// Of `total` hosts, rounded down.
    pub const fn of(self, total: u32) -> u32 {
        match self {
            Self::Hosts(hosts) => hosts,
            Self::Percent(percent) => ((total as u64 * percent as u64) / 100) as u32,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hosts(hosts) => write!(f, "{hosts}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl std::str::FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let amount = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|p| (1..=100).contains(p)).map(Self::Percent),
            None => text.parse().ok().filter(|&hosts| hosts >= 1).map(Self::Hosts),
        };
        amount.filter(|_| text.starts_with(|c: char| c.is_ascii_digit())).ok_or(InvalidAmount)
    }
}

/// A text that is neither a number of hosts nor a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a number of hosts from 1 nor a share from 1% to 100%")]
pub struct InvalidAmount;

/// Section `backup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupPolicy {
    /// Whether a host without a provider is left out of the plan.
    pub required: bool,
    /// How old a backup may be that was made before the campaign.
    pub max_age: TimeSpan,
    /// How long a backup is kept behind the end of its host.
    pub keep: TimeSpan,
    /// Within this time a drill must have proven the restore of a host that is to be fixed in place.
    pub drill_within: Option<TimeSpan>,
}

/// The strategy as policy names it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Clone and switch for the first host of a cohort, in place once the same fix is proven on similar hosts.
    Auto,
    /// Back up, fix in place, restore on failure.
    InPlace,
    /// Fix a clone and switch traffic over to it.
    CloneAndSwitch,
}

impl StrategyKind {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::InPlace => "in_place",
            Self::CloneAndSwitch => "clone_and_switch",
        }
    }
}

/// Whether a fix is tried on a clone before production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestFix {
    /// Not at all.
    Never,
    /// On a clone of the first host of each cohort.
    FirstOfCohort,
    /// On a clone of every host.
    EveryHost,
}

/// When a fix counts as proven on similar hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// So many successes...
    pub successes: u32,
    /// ... within this time.
    pub within: TimeSpan,
}

/// An approval that a plan needs for some of its hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApprovalPolicy {
    /// The rule that asks for it.
    pub rule: RuleRef,
    /// How many people must approve.
    pub required: u32,
    /// Where the people are named who may.
    pub from: Option<String>,
    /// The file that names them, as it is now; none where there is no such file.
    pub signers: Option<Signers>,
    /// Whether who made the plan counts.
    pub not_author: bool,
    /// How long an approval is good for.
    pub valid_for: TimeSpan,
}

/// A file in the format of `allowed_signers` of OpenSSH.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signers {
    /// Its path.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// Section `rollout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// The first wave: this many hosts, watched for this long.
    pub canary: Option<(u32, TimeSpan)>,
    /// Cumulative sizes of the waves that follow; empty means one wave.
    pub waves: Vec<Amount>,
    /// The label whose value is a service, and how many of its hosts may be unavailable.
    pub max_unavailable: Option<(String, Amount)>,
    /// Whether the only host of a service may be taken down where the amount rounds down to none.
    pub single_host: bool,
    /// Pauses at this many failed hosts...
    pub failure_hosts: Option<u32>,
    /// ... or at this share of the planned hosts, whichever is less.
    pub failure_percent: Option<u32>,
    /// Hosts worked on at once.
    pub concurrency: u32,
    /// Hosts that make clones, worked on at once.
    pub clones: Option<u32>,
    /// The same for hosts with the same value of a label.
    pub per_label: Vec<LabelLimit>,
    /// The label whose value is a failure domain: hosts of two domains are never disrupted at once.
    pub domain: Option<String>,
}

/// How many of the hosts with the same value of a label are worked on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelLimit {
    /// The label.
    pub label: String,
    /// So many hosts.
    pub hosts: Option<u32>,
    /// So many that make clones.
    pub clones: Option<u32>,
}

/// Section `reboot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RebootPolicy {
    /// When the host says that it needs one.
    WhenRequired,
    /// Not in this campaign; a needed one is reported.
    Never,
    /// Behind every fix.
    Always,
}

/// One probe of section `verify`, for the hosts that its selector takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePolicy {
    /// Its name.
    pub name: RuleName,
    /// URL, a template over `host`.
    pub url: String,
    /// Expected status.
    pub status: u16,
    /// Text that the body must hold.
    pub contains: Option<String>,
    /// One try.
    pub timeout: TimeSpan,
}

/// When disruptive steps on a host may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowSet {
    /// At any time: no windows are written and no freeze lies ahead.
    Always,
    /// Never: windows are written, and none of them is for this host.
    None {
        /// In words.
        why: String,
    },
    /// In these intervals.
    Set {
        /// A stable name of the windows and freezes that match: hosts with the same name have the same intervals.
        name: RuleName,
        /// Sorted, without overlap, freezes taken out. May be empty.
        intervals: Arc<[PlanWindow]>,
    },
}

/// The strategy for a host, with what chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyChoice {
    /// What policy wants.
    pub kind: StrategyKind,
    /// The rule.
    pub rule: RuleRef,
}
