//! Work that no playbook does: items for people, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Digest, Finding, FindingId, HostName, ManualId, PackageName, Priority, VulnerabilityId};

/// One vulnerability of one package at one place of one host, to be removed by a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualItem {
    /// The same in every plan.
    pub id: ManualId,
    /// The host.
    pub host: HostName,
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// The package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Its findings: several where the package is there in several versions.
    pub findings: BTreeSet<FindingId>,
    /// The tools that report it.
    pub scanners: BTreeSet<String>,
    /// How urgent.
    pub priority: Priority,
    /// Why a person must.
    pub why: String,
    /// What could be done, as far as the report knows.
    pub suggestion: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Who does it, by policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Until when, by policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

impl ManualItem {
    /// The id of the item that a finding on a host belongs to. Its version is no part of it: who updates to one that is
    /// still vulnerable has not done another item.
    pub fn id_of(host: &HostName, finding: &Finding) -> ManualId {
        let package = finding.package.as_ref().map_or("", PackageName::as_str);
        let location = finding.location.as_deref().unwrap_or_default();
        let parts = serde_json::json!([host, finding.vulnerability, package, location]);
        #[expect(clippy::unwrap_used, reason = "a digest is a valid id")]
        ManualId::new(&format!("m-{}", Digest::of(parts.to_string().as_bytes()).short())).unwrap()
    }
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManualState {
    /// Said to be done, and found again.
    Reopened,
    /// To be done.
    Open,
    /// Said to be done, not yet verified.
    Done,
    /// Said to be done, and gone from a later scan.
    Verified,
    /// Gone without a word, or not for people any more.
    Closed,
}

impl ManualState {
    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reopened => "reopened",
            Self::Open => "open",
            Self::Done => "done, not yet verified",
            Self::Verified => "verified",
            Self::Closed => "closed",
        }
    }

    /// Whether nobody waits for anything any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Verified | Self::Closed)
    }
}

/// What a person shows for his work.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// In words, or the beginning of a file.
    pub text: String,
    /// The name of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The digest of the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ManualEvent {
    /// Somebody is to do it.
    Assigned {
        /// Who.
        to: String,
        /// Until when, where that was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// Somebody says that it is done.
    Done {
        /// What he shows for it.
        evidence: Evidence,
    },
    /// A later scan does not find it any more.
    Verified {
        /// Whose scan.
        scanner: String,
    },
    /// A later scan finds it again, or a plan has it again.
    Reopened {
        /// In words, with what was said before.
        why: String,
    },
    /// Nobody needs to do it any more.
    Closed {
        /// In words.
        why: String,
    },
}

/// An entry of an item's log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualEntry {
    /// When.
    pub at: Timestamp,
    /// Who said or looked.
    pub by: String,
    /// What.
    pub event: ManualEvent,
}

/// An item and all that became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct ManualWork {
    /// The item, as the last plan had it.
    #[serde(flatten)]
    pub item: ManualItem,
    /// The first plan that had it.
    pub since: Timestamp,
    /// Oldest first.
    pub log: Vec<ManualEntry>,
}

/// What scans looked at, and what they found.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// By host and tool when it looked, where it says so.
    pub hosts: BTreeMap<(HostName, String), Option<Timestamp>>,
    /// The items of all findings.
    pub found: BTreeSet<ManualId>,
}

impl ManualWork {
    /// Where it stands.
    pub fn state(&self) -> ManualState {
        let last = self.log.iter().rev().find_map(|entry| match entry.event {
            ManualEvent::Assigned { .. } => None,
            ManualEvent::Done { .. } => Some(ManualState::Done),
            ManualEvent::Verified { .. } => Some(ManualState::Verified),
            ManualEvent::Reopened { .. } => Some(ManualState::Reopened),
            ManualEvent::Closed { .. } => Some(ManualState::Closed),
        });
        last.unwrap_or(ManualState::Open)
    }

    /// Who does it: as was said last, else as policy has it.
    pub fn assignee(&self) -> Option<&str> {
        let said = self.log.iter().rev().find_map(|entry| match &entry.event {
            ManualEvent::Assigned { to, .. } => Some(to.as_str()),
            _ => None,
        });
        said.or(self.item.assignee.as_deref())
    }

    /// Until when: as was said last, else as policy has it.
    pub fn due(&self) -> Option<Timestamp> {
        let said = self.log.iter().rev().find_map(|entry| match entry.event {
            ManualEvent::Assigned { due, .. } => due,
            _ => None,
        });
        said.or(self.item.due)
    }

    /// The last that was said of its being done.
    pub fn done(&self) -> Option<&ManualEntry> {
        self.log.iter().rev().find(|entry| matches!(entry.event, ManualEvent::Done { .. }))
    }

    /// What scans say of it; nothing where no tool that had reported it has looked at its host since.
    pub fn judge(&self, looked: &Looked) -> Option<ManualEvent> {
        let state = self.state();
        let said = self.done().filter(|_| state == ManualState::Done);
        let scanner = self.item.scanners.iter().find(|scanner| {
            let at = looked.hosts.get(&(self.item.host.clone(), (*scanner).clone()));
            at.is_some_and(|at| at.is_none_or(|at| said.is_none_or(|said| at > said.at)))
        })?;
        let scanner = scanner.clone();
        match (looked.found.contains(&self.item.id), state) {
            (true, ManualState::Open | ManualState::Reopened) => None,
            (true, _) => {
                let before = match self.done() {
                    Some(done) => format!("said to be done by {} at {}", done.by, done.at),
                    None => "gone before".to_owned(),
                };
                Some(ManualEvent::Reopened { why: format!("{before}, and found by {scanner} again") })
            }
            (false, ManualState::Done) => Some(ManualEvent::Verified { scanner }),
            (false, ManualState::Open | ManualState::Reopened) => {
                Some(ManualEvent::Closed { why: format!("{scanner} does not find it any more") })
            }
            (false, _) => None,
        }
    }
}
