//! All feeds of a run together: read and told apart by content, and what they say joined to findings.

use std::path::Path;

use jiff::Timestamp;

use super::epss::EpssScores;
use super::kev::KevCatalogue;
use super::kind::{self, Kind};
use super::ssvc::DecisionTable;
use crate::diagnostic::Diagnostic;
use crate::intake::error::IntakeError;
use crate::intake::format::Input;
use crate::intake::json;
use crate::intake::peek::Peek;
use crate::model::{Digest, Finding, Probability, printable};

/// What is known of vulnerabilities everywhere.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    kev: Option<KevCatalogue>,
    epss: Option<EpssScores>,
    tables: Vec<DecisionTable>,
    warnings: Vec<Diagnostic>,
    /// Of the files, sorted.
    digests: Vec<Digest>,
}

impl Feeds {
    /// Reads files; all problems of all of them come out in one go.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, Vec<IntakeError>> {
        let mut feeds = Self::default();
        let mut problems = Vec::new();
        for path in paths {
            let name = path.as_ref().display().to_string();
            let added = json::read_file(path.as_ref()).and_then(|bytes| feeds.add(&name, &bytes));
            problems.extend(added.err());
        }
        feeds.digests.sort();
        if problems.is_empty() { Ok(feeds) } else { Err(problems) }
    }

    /// Reads one feed that is in memory already; `name` is what messages call it.
    pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Self, IntakeError> {
        let mut feeds = Self::default();
        feeds.add(name, bytes)?;
        Ok(feeds)
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), IntakeError> {
        let digest = Digest::of(bytes);
        let bytes = json::check(name, bytes)?;
        let input = Input { name, bytes, given: None };
        let twice = |what: &str| {
            Err(IntakeError::new("duplicate-feed", name, format!("there is another {what} already"))
                .help("give the newest one only"))
        };
        match kind::detect(name, &Peek::at(name, bytes)?)? {
            Kind::Kev | Kind::KevTable if self.kev.is_some() => return twice("KEV catalogue"),
            Kind::Epss if self.epss.is_some() => return twice("file of EPSS scores"),
            kind @ (Kind::Kev | Kind::KevTable) => {
                let is_json = kind == Kind::Kev;
                let kev = if is_json { KevCatalogue::read(&input)? } else { KevCatalogue::read_table(&input)? };
                let entries = u64::try_from(kev.entries.len()).unwrap_or(u64::MAX);
                if let Some(declared) = kev.declared.filter(|declared| *declared != entries + kev.left_out) {
                    let message =
                        format!("{name}: the catalogue says that it has {declared} entries, and has {entries}");
                    self.warn(
                        "feed-count-mismatch",
                        message,
                        "download it again: it may be a part of the catalogue only",
                    );
                }
                self.left_out(name, kev.left_out);
                // The CSV edition never has a date.
                self.undated(name, is_json && kev.released.is_none());
                self.kev = Some(kev);
            }
            Kind::Epss => {
                let epss = EpssScores::read(&input)?;
                self.left_out(name, epss.left_out);
                self.undated(name, epss.scored.is_none());
                self.epss = Some(epss);
            }
            kind @ (Kind::Decisions | Kind::DecisionsTable) => {
                let is_json = kind == Kind::Decisions;
                let table = if is_json { DecisionTable::read(&input)? } else { DecisionTable::read_table(&input)? };
                if table.missing() > 0 {
                    let message = format!("{name}: {} combinations of answers have no row", table.missing());
                    self.warn("incomplete-decision-table", message, "what the table does not say is not decided by it");
                }
                self.tables.push(table);
            }
        }
        self.digests.push(digest);
        Ok(())
    }

    fn warn(&mut self, code: &'static str, message: impl AsRef<str>, help: &str) {
        self.warnings.push(Diagnostic::warning(code, message).help(help));
    }

    fn left_out(&mut self, name: &str, rows: u64) {
        if rows > 0 {
            let message = format!("{name}: {rows} rows name no vulnerability, name one twice, or have no valid score");
            self.warn("feed-rows-left-out", message, "was the file changed by hand?");
        }
    }

    fn undated(&mut self, name: &str, is_undated: bool) {
        if is_undated {
            let message = format!("{name}: the feed does not say of which day it is");
            self.warn("feed-without-date", message, "its age is not known; take the file as it is published");
        }
    }

    /// Joins what the feeds know to a finding: exploitation known to the report or the catalogue, by any of the ids;
    /// the highest score of its ids in place of the one in the report, which is as old as the report.
    pub fn enrich(&self, finding: &mut Finding) {
        let ids = || std::iter::once(&finding.vulnerability).chain(&finding.aliases);
        let is_known = self.kev.as_ref().is_some_and(|kev| ids().any(|id| kev.entries.contains_key(id)));
        let score = self.epss.as_ref().and_then(|epss| ids().filter_map(|id| epss.scores.get(id)).max());
        let (kev, epss) = (finding.kev || is_known, score.copied().or(finding.epss));
        (finding.kev, finding.epss) = (kev, epss);
    }

    /// What was odd.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The catalogue.
    pub const fn kev(&self) -> Option<&KevCatalogue> {
        self.kev.as_ref()
    }

    /// The scores.
    pub const fn epss(&self) -> Option<&EpssScores> {
        self.epss.as_ref()
    }

    /// The decision tables, in the order they were given.
    pub fn tables(&self) -> &[DecisionTable] {
        &self.tables
    }

    /// The digest of all files, whatever their order.
    pub fn digest(&self) -> Digest {
        let lines: String = self.digests.iter().map(|digest| format!("{digest}\n")).collect();
        Digest::of(lines.as_bytes())
    }

    /// The digest that feeds in these files have, without reading what they say.
    pub fn digest_of<P: AsRef<Path>>(paths: &[P]) -> Result<Digest, IntakeError> {
        let digests = paths.iter().map(|path| json::read_file(path.as_ref()).map(|bytes| Digest::of(&bytes)));
        let mut feeds = Self { digests: digests.collect::<Result<_, _>>()?, ..Self::default() };
        feeds.digests.sort();
        Ok(feeds.digest())
    }

    /// A line each feed, with its version and day, for people.
    pub fn describe(&self) -> Vec<String> {
        let day = |time: Option<Timestamp>| {
            time.map_or("of an unknown day".to_owned(), |time| time.strftime("of %F").to_string())
        };
        let mut lines = Vec::new();
        if let Some(kev) = &self.kev {
            let version = kev.version.as_deref().unwrap_or("without a version");
            let (entries, ransomware) = (kev.entries.len(), kev.ransomware());
            let of = day(kev.released);
            lines.push(format!("KEV catalogue {version} {of}, CVEs: {entries}, used by ransomware: {ransomware}"));
        }
        if let Some(epss) = &self.epss {
            let model = epss.model.as_deref().unwrap_or("of an unknown model");
            lines.push(format!("EPSS scores {model} {}, CVEs: {}", day(epss.scored), epss.scores.len()));
        }
        for table in &self.tables {
            let version = table.version.as_deref().unwrap_or_default();
            let points: Vec<&str> = table.points.iter().map(|point| point.name.as_str()).collect();
            let name = printable(&table.name, 100);
            lines.push(format!("SSVC table {name} {version}, rows: {}, by {}", table.rows(), points.join(", ")));
        }
        lines
    }
}

/// SSVC's decision point `Exploitation`, as far as the feeds tell it. Derived: the KEV catalogue is evidence of attacks
/// (`active`). EPSS is a prediction and no evidence; from a chance of a tenth on it is taken for `public poc`, because
/// the model weighs published exploits most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exploitation {
    /// Nothing is known.
    None,
    /// A way to exploit it is likely to be public.
    PublicPoc,
    /// It is exploited.
    Active,
}

impl Exploitation {
    /// Of a finding that was enriched.
    pub fn of(finding: &Finding) -> Self {
        const LIKELY: f64 = 0.1;
        let likely = finding.epss.is_some_and(|epss| Probability::try_from(LIKELY).is_ok_and(|likely| epss >= likely));
        match () {
            () if finding.kev => Self::Active,
            () if likely => Self::PublicPoc,
            () => Self::None,
        }
    }

    /// The value as SSVC's tables write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PublicPoc => "public poc",
            Self::Active => "active",
        }
    }
}
