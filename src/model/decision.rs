//! What policy says of a finding, always with the rule that decided and why.

use jiff::Timestamp;

use super::{FindingId, HostName, Importance, Priority, RuleName, Score};

/// What is to be done with a finding.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Fix it in this plan.
    Fix,
    /// Not now: its priority is out of scope.
    Defer,
    /// Leave it; the next scan reports it again.
    Ignore,
    /// Accepted until an expiry date.
    Whitelist,
    /// Does not apply here.
    NotAffected,
    /// Nobody offers a fix.
    NoFixAvailable,
    /// No playbook can fix it; a person must.
    Manual,
}

impl DecisionKind {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Defer => "defer",
            Self::Ignore => "ignore",
            Self::Whitelist => "whitelist",
            Self::NotAffected => "not_affected",
            Self::NoFixAvailable => "no_fix_available",
            Self::Manual => "manual",
        }
    }
}

/// A place in a file that people write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RuleRef {
    /// Section and name, such as `exceptions/EXC-17`, `scope.fix`, or `default`.
    pub name: RuleName,
    /// Where it is written; none for a built-in default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// One factor of a priority score.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ScorePart {
    /// `cvss`, `exploitation`, `importance`, `age`.
    pub factor: String,
    /// The factor's points, 0 to 10.
    pub points: Score,
    /// Its share of the whole in ten-thousandths, after normalising.
    pub weight: u16,
    /// Where the points come from, for people.
    pub because: String,
}

/// A priority with how it came about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Assessment {
    /// The weighted score; none for findings with neither score nor severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ScorePart>,
    /// The priority.
    pub priority: Priority,
    /// The threshold or override that set it.
    pub rule: RuleRef,
    /// Why an override set it, in the words of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The host's importance as policy sees it.
    pub importance: Importance,
}

/// What policy says of one finding on one host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Decision {
    /// The finding.
    pub finding: FindingId,
    /// The host it was matched to.
    pub host: HostName,
    /// What to do.
    pub kind: DecisionKind,
    /// How urgent.
    pub assessment: Assessment,
    /// It is fixed in the emergency lane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// The rule that decided what to do.
    pub rule: RuleRef,
    /// Why, in words.
    pub reason: String,
    /// When the host was first seen to have it, where a scanner says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// When the deadline for its priority passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When an exception ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What a host may be in before and after a campaign: where it ends.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostOutcome {
    /// Fixed and verified.
    Fixed,
    /// Fixed and verified; policy forbids the reboot that completes it.
    FixedPendingReboot,
    /// Nothing was needed any more.
    NothingToDo,
    /// Nothing was changed.
    Untouched,
    /// Put back from its backup and verified.
    Restored,
    /// Traffic is back on the original, which is verified.
    SwitchedBack,
    /// An undo failed: a person must look.
    Stuck,
    /// Its backup was restored to a clone, which was well: its way back is proven, and nothing was changed.
    Proven,
}

impl HostOutcome {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::FixedPendingReboot => "fixed_pending_reboot",
            Self::NothingToDo => "nothing_to_do",
            Self::Untouched => "untouched",
            Self::Restored => "restored",
            Self::SwitchedBack => "switched_back",
            Self::Stuck => "stuck",
            Self::Proven => "proven",
        }
    }

    /// Whether the host reached what the plan wanted.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Fixed | Self::FixedPendingReboot | Self::NothingToDo | Self::Proven)
    }
}

/// How a host is fixed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Back up, fix in place, restore on failure.
    InPlace,
    /// Fix a clone, switch traffic over to it, switch back on failure, and let it take the host's place.
    CloneAndSwitch,
    /// Nothing is fixed: a backup is restored to a clone, to see that it can be.
    Drill,
}

impl Strategy {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in_place",
            Self::CloneAndSwitch => "clone_and_switch",
            Self::Drill => "drill",
        }
    }
}
