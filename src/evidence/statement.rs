//! What a person signs: one JSON file, and the signature beside it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::model::{Digest, HostName, Interval, Principal, RuleName, Ticket, printable};
use crate::plan::{Plan, PlanId, SubPlan};

/// The format of statements; a reader refuses any other.
pub const APPROVAL_FORMAT: &str = "switchback.approval/v1";

/// The namespace of their signatures: what was signed for another use is no approval.
pub const APPROVAL_NAMESPACE: &str = "switchback-approval";

/// Ten thousand hosts take 3 MiB.
pub const MAX_STATEMENT: usize = 32 << 20;

/// The longest comment.
pub const MAX_COMMENT: usize = 1_000;

/// What a person says of a plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`APPROVAL_FORMAT`].
    pub format: String,
    /// What it says.
    pub kind: StatementKind,
    /// The digest of the plan that was looked at.
    pub plan: Digest,
    /// Who says it.
    pub principal: Principal,
    /// When.
    pub signed_at: Timestamp,
    /// Until when it is good.
    pub valid_until: Timestamp,
    /// The change request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Of which hosts, and what was planned for them.
    pub hosts: BTreeMap<HostName, StatedHost>,
    /// The windows of these hosts, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<RuleName, Vec<Interval>>,
}

/// A host as it was planned when somebody signed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatedHost {
    /// What was planned.
    pub sub_plan: SubPlan,
    /// Key into [`Statement::windows`]; none means at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<RuleName>,
}

/// What a statement says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// These hosts may be fixed as planned.
    Approve,
    /// They may be, although there is no backup of them.
    WithoutBackup,
    /// What this person signed of these hosts so far does not count any more.
    Revoke,
}

impl StatementKind {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::WithoutBackup => "without_backup",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for StatementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is no statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not even JSON of that form.
    #[error("it is no statement of an approval: {0}")]
    Invalid(String),
    /// Of another version.
    #[error("its format is {0:?}, this program reads {APPROVAL_FORMAT:?}")]
    Format(String),
    /// The same could be written in another way.
    #[error("it is not in canonical form")]
    NotCanonical,
}

impl Statement {
    /// What `principal` says of these hosts of a plan.
    pub fn new<'a>(
        kind: StatementKind,
        (id, plan): (PlanId, &Plan),
        principal: Principal,
        hosts: impl IntoIterator<Item = &'a HostName>,
        (signed_at, valid_until): (Timestamp, Timestamp),
    ) -> Self {
        let planned = hosts.into_iter().filter_map(|name| Some((name, plan.hosts.get(name)?)));
        let hosts: BTreeMap<HostName, StatedHost> = planned
            .map(|(name, host)| {
                let stated = StatedHost { sub_plan: SubPlan::of(plan, host), windows: host.windows.clone() };
                (name.clone(), stated)
            })
            .collect();
        let windows = hosts.values().filter_map(|host| host.windows.as_ref());
        let windows = windows.map(|name| (name.clone(), intervals(plan, name))).collect();
        let format = APPROVAL_FORMAT.to_owned();
        Self { format, kind, plan: id, principal, signed_at, valid_until, ticket: None, comment: None, hosts, windows }
    }

    /// The bytes that are signed.
    pub fn to_text(&self) -> String {
        // Strings, numbers and sorted maps: this cannot fail, and is the same for the same statement.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads what [`Statement::to_text`] wrote, and refuses every other text: one statement has one digest.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        if text.len() > MAX_STATEMENT {
            return Err(StatementError::Invalid("it is too large".to_owned()));
        }
        let read: Result<Self, _> = serde_json::from_str(text);
        let statement = read.map_err(|error| StatementError::Invalid(printable(&error.to_string(), 200)))?;
        if statement.format != APPROVAL_FORMAT {
            return Err(StatementError::Format(printable(&statement.format, 60)));
        }
        if statement.to_text() != text {
            return Err(StatementError::NotCanonical);
        }
        Ok(statement)
    }
}

/// When hosts of this set of windows may be touched.
pub(super) fn intervals(plan: &Plan, windows: &RuleName) -> Vec<Interval> {
    let windows = plan.windows.get(windows).map(Vec::as_slice).unwrap_or_default();
    crate::model::union(windows.iter().map(|window| window.interval).collect())
}
