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
    names: BTreeMap<String, Named>,
}

#[derive(Debug, Default)]
struct Named {
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
    pub fn new(by: SummaryBy) -> Self {
        Self { by, names: BTreeMap::new() }
    }

    /// Takes an entry in.
    pub fn add(&mut self, entry: &LedgerEntry) {
        let (host, vulnerability) = (entry.host.as_str(), entry.vulnerability.as_str());
        let (name, of) = match self.by {
            SummaryBy::Host => (host, vulnerability.to_owned()),
            SummaryBy::Vulnerability => (vulnerability, host.to_owned()),
            SummaryBy::Campaign => (entry.campaign.as_str(), format!("{host}/{vulnerability}")),
        };
        let named = self.names.entry(name.to_owned()).or_default();
        let (first, last) = named.span.unwrap_or((entry.at, entry.at));
        named.span = Some((first.min(entry.at), last.max(entry.at)));
        let known = named.last_of.entry(of).or_insert((entry.at, entry.status));
        if entry.at >= known.0 {
            *known = (entry.at, entry.status);
        }
    }

    /// By name.
    pub fn lines(&self) -> impl Iterator<Item = SummaryLine> {
        self.names.iter().filter_map(|(name, named)| {
            let (first, last) = named.span?;
            let mut statuses = BTreeMap::new();
            for (_, status) in named.last_of.values() {
                *statuses.entry(*status).or_default() += 1;
            }
            Some(SummaryLine { name: name.clone(), total: named.last_of.len() as u64, statuses, first, last })
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
