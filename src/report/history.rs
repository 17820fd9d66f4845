//! The ledger of campaigns for people and spreadsheets: entries, and summaries of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::TimeSpan;
use crate::store::{LedgerEntry, PackageChange, Standing};

use super::plan_text::{cell, columns, minutes};
use super::sheet::{Cell, Column, Tabular};

impl Tabular for LedgerEntry {
    fn columns() -> Vec<Column> {
        [
            ("campaign", 22),
            ("host", 24),
            ("vulnerability", 20),
            ("priority", 9),
            ("status", 15),
            ("packages", 40),
            ("strategy", 16),
            ("operator", 14),
            ("started (UTC)", 19),
            ("ended (UTC)", 19),
            ("seconds", 9),
            ("code", 22),
            ("reason", 60),
            ("ticket", 14),
            ("at (UTC)", 19),
        ]
        .map(|(title, width)| Column::new(title, width))
        .into()
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(self.campaign.as_str()),
            Cell::text(self.host.as_str()),
            Cell::text(&self.vulnerability),
            Cell::text(self.priority.map(|priority| priority.to_string()).unwrap_or_default()),
            Cell::text(self.status.as_str()),
            Cell::text(packages(&self.packages)),
            Cell::text(self.strategy.map_or("", |strategy| strategy.as_str())),
            Cell::text(&self.operator),
            Cell::time(self.started),
            Cell::time(self.ended),
            self.seconds.map_or(Cell::Empty, Cell::count),
            Cell::text(self.code.as_deref().unwrap_or_default()),
            Cell::text(self.reason.as_deref().unwrap_or_default()),
            Cell::text(self.ticket.as_deref().unwrap_or_default()),
            Cell::Time(self.at),
        ]
    }
}

/// `openssl 3.0.11 -> 3.0.13, libssl3 3.0.11 -> 3.0.13`.
fn packages(packages: &[PackageChange]) -> String {
    let one = |package: &PackageChange| match (&package.from, &package.to) {
        (None, None) => package.name.clone(),
        (Some(from), None) => format!("{} {from}", package.name),
        (from, Some(to)) => format!("{} {} -> {to}", package.name, from.as_deref().unwrap_or("?")),
    };
    packages.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The entries of one campaign for a terminal.
pub fn history_table(entries: &[LedgerEntry]) -> String {
    let Some(first) = entries.first() else { return String::new() };
    let mut out = format!("campaign {} by {}", first.campaign, cell(&first.operator));
    // Writing to a String cannot fail.
    if let Some(ticket) = &first.ticket {
        let _ = write!(out, ", {}", cell(ticket));
    }
    out.push('\n');
    let mut rows =
        vec![["HOST", "VULNERABILITY", "STATUS", "SINCE", "TOOK", "PACKAGES", "WHY"].map(str::to_owned).to_vec()];
    for entry in entries {
        let why = match (&entry.code, &entry.reason) {
            (Some(code), Some(reason)) => format!("{code}: {reason}"),
            _ => String::new(),
        };
        rows.push(vec![
            cell(&entry.host),
            cell(&entry.vulnerability),
            entry.status.as_str().to_owned(),
            minutes(entry.at),
            entry.seconds.map_or_else(String::new, |seconds| TimeSpan::seconds(seconds).to_string()),
            cell(packages(&entry.packages)),
            cell(why),
        ]);
    }
    out.push_str(&columns(&rows));
    out
}

/// What entries are summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryBy {
    /// For each host, where its vulnerabilities stand.
    Host,
    /// For each vulnerability, where its hosts stand.
    Vulnerability,
    /// For each campaign, what it has come to.
    Campaign,
}

/// Entries summed up. A vulnerability of a host counts once under each name, as it stood last.
#[derive(Debug)]
pub struct HistorySummary {
    by: SummaryBy,
    /// Only what stands so at last; all where there is none.
    only: Vec<Standing>,
    names: BTreeMap<String, Named>,
}

#[derive(Debug, Default)]
struct Named {
    /// What can come once only.
    once: BTreeMap<Standing, u64>,
    /// What later campaigns may come to again.
    last_of: BTreeMap<String, (Timestamp, Standing)>,
    span: Option<(Timestamp, Timestamp)>,
}

/// One line of a summary.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct SummaryLine {
    /// The host, vulnerability or campaign.
    pub name: String,
    /// How many vulnerabilities (of a host), hosts (with a vulnerability) or both (of a campaign).
    pub total: u64,
    /// How many of them stand where, as last known.
    pub statuses: BTreeMap<Standing, u64>,
    /// The time of the first entry.
    pub first: Timestamp,
    /// The time of the last.
    pub last: Timestamp,
}

impl HistorySummary {
    /// With nothing in it.
    pub fn new(by: SummaryBy, only: Vec<Standing>) -> Self {
        Self { by, only, names: BTreeMap::new() }
    }

    /// Takes an entry in.
    pub fn add(&mut self, entry: &LedgerEntry) {
        let (host, vulnerability) = (entry.host.as_str(), entry.vulnerability.as_str());
        let (name, of) = match self.by {
            SummaryBy::Host => (host, Some(vulnerability)),
            SummaryBy::Vulnerability => (vulnerability, Some(host)),
            SummaryBy::Campaign => (entry.campaign.as_str(), None),
        };
        let named = self.names.entry(name.to_owned()).or_default();
        let (first, last) = named.span.unwrap_or((entry.at, entry.at));
        named.span = Some((first.min(entry.at), last.max(entry.at)));
        let Some(of) = of else {
            *named.once.entry(entry.status).or_default() += 1;
            return;
        };
        let known = named.last_of.entry(of.to_owned()).or_insert((entry.at, entry.status));
        if entry.at >= known.0 {
            *known = (entry.at, entry.status);
        }
    }

    /// By name.
    pub fn lines(&self) -> impl Iterator<Item = SummaryLine> {
        self.names.iter().filter_map(|(name, named)| {
            let (first, last) = named.span?;
            let mut statuses = named.once.clone();
            for (_, status) in named.last_of.values() {
                *statuses.entry(*status).or_default() += 1;
            }
            statuses.retain(|status, _| self.only.is_empty() || self.only.contains(status));
            if statuses.is_empty() {
                return None;
            }
            Some(SummaryLine { name: name.clone(), total: statuses.values().sum(), statuses, first, last })
        })
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let name = match self.by {
            SummaryBy::Host => "HOST",
            SummaryBy::Vulnerability => "VULNERABILITY",
            SummaryBy::Campaign => "CAMPAIGN",
        };
        let mut rows = vec![[name, "TOTAL", "FIRST", "LAST", "STATUS"].map(str::to_owned).to_vec()];
        rows.extend(self.lines().map(|line| {
            let statuses: Vec<String> =
                line.statuses.iter().rev().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
            let (first, last) = (minutes(line.first), minutes(line.last));
            vec![cell(&line.name), line.total.to_string(), first, last, statuses.join(", ")]
        }));
        columns(&rows)
    }
}

impl Tabular for SummaryLine {
    fn columns() -> Vec<Column> {
        let fixed = [("name", 24), ("total", 8), ("first (UTC)", 19), ("last (UTC)", 19)];
        let fixed = fixed.map(|(title, width)| Column::new(title, width));
        fixed.into_iter().chain(Standing::ALL.map(|status| Column::new(status.as_str(), 12))).collect()
    }

    fn cells(&self) -> Vec<Cell> {
        let mut cells =
            vec![Cell::text(&self.name), Cell::count(self.total), Cell::Time(self.first), Cell::Time(self.last)];
        cells.extend(Standing::ALL.iter().map(|status| Cell::count(self.statuses.get(status).copied().unwrap_or(0))));
        cells
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::model::{CampaignId, HostName};

    fn entry(campaign: &str, host: &str, vulnerability: &str, status: Standing, second: i64) -> LedgerEntry {
        LedgerEntry {
            campaign: CampaignId::new(campaign).unwrap(),
            host: HostName::new(host).unwrap(),
            vulnerability: vulnerability.to_owned(),
            priority: None,
            status,
            packages: Vec::new(),
            strategy: None,
            operator: "ann".to_owned(),
            started: None,
            ended: None,
            seconds: None,
            code: None,
            reason: None,
            ticket: None,
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn a_vulnerability_of_a_host_counts_once_as_it_stood_last() {
        let entries = [
            entry("c1", "a", "CVE-1", Standing::Restored, 100),
            entry("c1", "b", "CVE-1", Standing::Fixed, 101),
            // It began earlier and ended later.
            entry("c2", "a", "CVE-1", Standing::Fixed, 300),
            entry("c3", "a", "CVE-1", Standing::Failed, 200),
            entry("c3", "a", "CVE-2", Standing::Ignored, 200),
        ];
        let lines = |by: SummaryBy| {
            let mut summary = HistorySummary::new(by, Vec::new());
            entries.iter().for_each(|entry| summary.add(entry));
            let short = |line: SummaryLine| {
                let statuses: Vec<_> = line.statuses.into_iter().collect();
                (line.name, line.total, statuses, line.first.as_second(), line.last.as_second())
            };
            summary.lines().map(short).collect::<Vec<_>>()
        };
        use Standing::{Failed, Fixed, Ignored, Restored};
        assert_eq!(
            lines(SummaryBy::Vulnerability),
            [
                ("CVE-1".to_owned(), 2, vec![(Fixed, 2)], 100, 300),
                ("CVE-2".to_owned(), 1, vec![(Ignored, 1)], 200, 200)
            ]
        );
        assert_eq!(
            lines(SummaryBy::Host),
            [
                ("a".to_owned(), 2, vec![(Fixed, 1), (Ignored, 1)], 100, 300),
                ("b".to_owned(), 1, vec![(Fixed, 1)], 101, 101)
            ]
        );
        assert_eq!(
            lines(SummaryBy::Campaign),
            [
                ("c1".to_owned(), 2, vec![(Fixed, 1), (Restored, 1)], 100, 101),
                ("c2".to_owned(), 1, vec![(Fixed, 1)], 300, 300),
                ("c3".to_owned(), 2, vec![(Ignored, 1), (Failed, 1)], 200, 200)
            ]
        );
    }
    #[test]
    fn what_stood_so_once_is_not_listed_as_standing_so() {
        let mut summary = HistorySummary::new(SummaryBy::Host, vec![Standing::Restored]);
        for entry in [
            entry("c1", "a", "CVE-1", Standing::Restored, 100),
            entry("c2", "a", "CVE-1", Standing::Fixed, 200),
            entry("c2", "b", "CVE-1", Standing::Restored, 200),
        ] {
            summary.add(&entry);
        }
        let names: Vec<String> = summary.lines().map(|line| line.name).collect();
        assert_eq!(names, ["b"]);
    }
}
