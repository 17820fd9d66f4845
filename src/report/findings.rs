//! Findings for spreadsheets.

use crate::model::{Finding, FixState, Severity};

use super::sheet::{Cell, Column, Tabular};

impl Tabular for Finding {
    fn columns() -> Vec<Column> {
        [
            ("asset", 24),
            ("vulnerability", 20),
            ("type", 12),
            ("severity", 11),
            ("score", 7),
            ("package", 26),
            ("installed", 22),
            ("fixed in", 30),
            ("fix", 14),
            ("exploited", 10),
            ("epss", 8),
            ("published (UTC)", 19),
            ("first seen (UTC)", 19),
            ("location", 30),
            ("title", 60),
            ("aliases", 30),
            ("scanner", 14),
        ]
        .map(|(title, width)| Column::new(title, width))
        .into()
    }

    fn cells(&self) -> Vec<Cell> {
        let fixed: Vec<&str> = self.fixed.iter().map(|version| version.as_str()).collect();
        let aliases: Vec<&str> = self.aliases.iter().map(|alias| alias.as_str()).collect();
        vec![
            Cell::text(self.asset.as_str()),
            Cell::text(self.vulnerability.as_str()),
            Cell::text(self.kind.as_str()),
            Cell::text(self.severity.map_or("", severity_name)),
            self.base_score().map_or(Cell::Empty, |cvss| Cell::Number(cvss.score.into())),
            Cell::text(self.package.as_ref().map_or("", |package| package.as_str())),
            Cell::text(self.installed.as_ref().map_or("", |version| version.as_str())),
            Cell::text(fixed.join(" or ")),
            Cell::text(fix_state(self.fix_state)),
            Cell::text(if self.kev { "known" } else { "" }),
            self.epss.map_or(Cell::Empty, |chance| Cell::Number(chance.into())),
            Cell::time(self.published),
            Cell::time(self.first_seen),
            Cell::text(self.location.as_deref().unwrap_or_default()),
            Cell::text(self.title.as_deref().unwrap_or_default()),
            Cell::text(aliases.join(" ")),
            Cell::text(&self.scanner),
        ]
    }
}

/// A severity as written in files.
pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "negligible",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

const fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "not_fixed",
        FixState::WillNotFix => "will_not_fix",
        FixState::Deferred => "deferred",
        FixState::EndOfLife => "end_of_life",
        FixState::NotAffected => "not_affected",
        FixState::Unknown => "unknown",
    }
}
