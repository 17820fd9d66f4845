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
    /// The newest plan that had it.
    pub planned: Timestamp,
    /// Oldest first.
    pub log: Vec<ManualEntry>,
}

/// What one tool found on one host, by when it looked, where it says so.
type Scans = BTreeMap<Option<Timestamp>, BTreeSet<ManualId>>;

/// What scans looked at, and what they found.
#[derive(Clone, Debug, Default)]
pub struct Looked(BTreeMap<HostName, BTreeMap<String, Scans>>);

impl Looked {
    /// A tool looked at a host, and found these items there, among others.
    pub fn add(
        &mut self,
        host: HostName,
        scanner: String,
        at: Option<Timestamp>,
        found: impl IntoIterator<Item = ManualId>,
    ) {
        self.0.entry(host).or_default().entry(scanner).or_default().entry(at).or_default().extend(found);
    }
}

/// What still tells something at this time: the newest scan, and those that do not say when they were made.
fn telling(scans: &Scans, since: Option<Timestamp>) -> impl Iterator<Item = &BTreeSet<ManualId>> {
    let newest = scans.keys().next_back().copied().flatten();
    let is_later = move |at: Timestamp| newest == Some(at) && since.is_none_or(|since| at > since);
    scans.iter().filter(move |(at, _)| at.is_none_or(is_later)).map(|(_, found)| found)
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

    /// Since when it stands so.
    pub fn settled(&self) -> Timestamp {
        let said = self.log.iter().rev().find(|entry| !matches!(entry.event, ManualEvent::Assigned { .. }));
        said.map_or(self.since, |entry| entry.at)
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
        let scans = looked.0.get(&self.item.host)?;
        let since = self.done().map(|done| done.at);
        let looks = |scanner: &&String| scans.get(*scanner).is_some_and(|scans| telling(scans, since).next().is_some());
        let scanner = self.item.scanners.iter().find(looks)?.clone();
        let finds = |scans: &Scans| telling(scans, since).any(|found| found.contains(&self.item.id));
        let finder = scans.iter().find(|(_, scans)| finds(scans)).map(|(scanner, _)| scanner);
        match (finder, state) {
            (Some(_), ManualState::Open | ManualState::Reopened) => None,
            (Some(scanner), _) => {
                let before = match self.done() {
                    Some(done) => format!("said to be done by {} at {}", done.by, done.at),
                    None => "gone before".to_owned(),
                };
                Some(ManualEvent::Reopened { why: format!("{before}, and found by {scanner} again") })
            }
            (None, ManualState::Done) => Some(ManualEvent::Verified { scanner }),
            (None, ManualState::Open | ManualState::Reopened) => {
                Some(ManualEvent::Closed { why: format!("{scanner} does not find it any more") })
            }
            (None, _) => None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn at(hour: u32) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + i64::from(hour) * 3600).unwrap()
    }

    fn work(events: &[(u32, ManualEvent)]) -> ManualWork {
        let item = serde_json::json!({
            "id": "m-1", "host": "web-1", "vulnerability": "CVE-2026-1", "findings": [], "scanners": ["trivy"],
            "priority": "high", "why": "no playbook", "suggestion": "update it",
        });
        let entry =
            |(hour, event): &(u32, ManualEvent)| ManualEntry { at: at(*hour), by: "ann".into(), event: event.clone() };
        let item = serde_json::from_value(item).unwrap();
        ManualWork { item, since: at(0), planned: at(0), log: events.iter().map(entry).collect() }
    }

    fn looked(scans: &[(&str, Option<u32>, bool)]) -> Looked {
        let mut looked = Looked::default();
        for (scanner, hour, found) in scans {
            let found = found.then(|| ManualId::new("m-1").unwrap());
            looked.add(HostName::new("web-1").unwrap(), (*scanner).to_owned(), hour.map(at), found);
        }
        looked
    }

    #[test]
    fn a_scan_from_before_the_work_opens_nothing_again() {
        let done = ManualEvent::Done { evidence: Evidence { text: "done".into(), file: None, digest: None } };
        let verified = work(&[(10, done.clone()), (20, ManualEvent::Verified { scanner: "trivy".into() })]);
        assert_eq!(verified.judge(&looked(&[("trivy", Some(5), true)])), None);
        assert!(matches!(verified.judge(&looked(&[("trivy", Some(21), true)])), Some(ManualEvent::Reopened { .. })));
        let again = work(&[(10, done), (11, ManualEvent::Reopened { why: "found".into() })]);
        assert_eq!(again.judge(&looked(&[("trivy", Some(5), false)])), None);
        assert!(matches!(again.judge(&looked(&[("trivy", Some(12), false)])), Some(ManualEvent::Closed { .. })));
    }

    #[test]
    fn the_newest_scan_of_a_tool_counts_whatever_the_order_of_the_files() {
        let done = ManualEvent::Done { evidence: Evidence { text: "done".into(), file: None, digest: None } };
        let work = work(&[(10, done)]);
        let (older, newer) = (("trivy", Some(11), true), ("trivy", Some(12), false));
        for scans in [[older, newer], [newer, older]] {
            assert_eq!(work.judge(&looked(&scans)), Some(ManualEvent::Verified { scanner: "trivy".into() }));
        }
        // What does not say when it was made cannot be overtaken.
        for scans in [[("trivy", None, true), newer], [newer, ("trivy", None, true)]] {
            assert!(matches!(work.judge(&looked(&scans)), Some(ManualEvent::Reopened { .. })));
        }
        // Another tool that still finds it is believed, and named.
        let found = work.judge(&looked(&[newer, ("grype", Some(12), true)]));
        assert!(matches!(found, Some(ManualEvent::Reopened { why }) if why.ends_with("and found by grype again")));
    }
}
