//! Records of the OSV schema, as OSV-Scanner, govulncheck and cargo-audit's kin put them into their reports.

use serde::Deserialize;

use super::advisory::{self, Purl};
use super::lenient::{Few, Text};
use super::row::{self, Row};
use super::shapes::{Part, Plain};
use crate::model::{FixState, PackageVersion, Severity};

/// A record: what is known of one vulnerability.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RawOsv<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    aliases: Few<Text<'a>, 64>,
    /// What a distribution's record is about (schema 1.7).
    #[serde(borrow)]
    upstream: Few<Text<'a>, 64>,
    #[serde(borrow)]
    summary: Text<'a>,
    #[serde(borrow)]
    details: Text<'a>,
    #[serde(borrow)]
    published: Text<'a>,
    #[serde(borrow)]
    withdrawn: Text<'a>,
    severity: Few<Part<RawSeverity<'a>>, 16>,
    affected: Few<Part<RawAffected<'a>>, 4096>,
    references: Few<Part<RawReference<'a>>, 64>,
    database_specific: Part<RawSpecific>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSeverity<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    score: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAffected<'a> {
    package: Part<RawPackage<'a>>,
    ranges: Few<Part<RawRange<'a>>, 64>,
    severity: Few<Part<RawSeverity<'a>>, 16>,
    ecosystem_specific: Part<RawSpecific>,
    database_specific: Part<RawSpecific>,
}

/// Only what a database names so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawSpecific {
    severity: Plain,
    urgency: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    ecosystem: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    purl: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRange<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    events: Few<Part<RawEvent<'a>>, 256>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawEvent<'a> {
    #[serde(borrow)]
    fixed: Text<'a>,
    #[serde(borrow)]
    last_affected: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReference<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

/// The package that a scanner found, as it names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) ecosystem: &'a str,
}

impl RawOsv<'_> {
    /// Whether the record was taken back.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn != Text::Absent
    }

    /// The row of one package, without a package where the scanner knows only a commit.
    pub(super) fn row(&self, found: Found<'_>) -> Result<Row, &'static str> {
        let others = self.aliases.0.iter().chain(&self.upstream.0).map(Text::as_str);
        let (vulnerability, aliases) = advisory::identify(&self.id, others)?;
        let by = self.id.as_str().split(['-', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let about: Vec<_> =
            self.affected.0.iter().map(|Part(affected)| affected).filter(|a| a.is_about(found)).collect();
        let (fixed, fix_state) = fixes(&about, found.name.is_empty())?;
        let ratings = || {
            let of_package = about.iter().flat_map(|affected| &affected.severity.0);
            self.severity.0.iter().chain(of_package).map(|Part(rating)| rating)
        };
        let cvss =
            ratings().filter_map(|rating| advisory::cvss(&by, rating.kind.as_str(), None, rating.score.as_str()));
        let words = std::iter::once(&self.database_specific.0)
            .chain(about.iter().flat_map(|a| [&a.ecosystem_specific.0, &a.database_specific.0]))
            .flat_map(|specific| [specific.severity.0.as_str(), specific.urgency.0.as_str()])
            .chain(ratings().map(|rating| rating.score.as_str()));
        Ok(Row {
            aliases,
            package: advisory::named_package(&advisory::text(found.name))?,
            installed: row::installed_version(&advisory::text(found.version))?,
            fix_state,
            fixed,
            severity: words.into_iter().find_map(severity),
            cvss: advisory::scores(cvss),
            published: advisory::time(self.published.as_str()),
            title: row::title([self.summary.as_str(), self.details.as_str()]),
            references: row::references(self.references.0.iter().map(|Part(reference)| reference.url.as_str())),
            purl_type: Some(advisory::ecosystem(found.ecosystem)),
            ..Row::new(vulnerability)
        })
    }
}

/// A word, not a vector and not a number.
fn severity(word: &str) -> Option<Severity> {
    if word.contains(['/', ':']) { None } else { advisory::severity(word) }
}

impl RawAffected<'_> {
    /// Ecosystems have suffixes (`Debian:12`), names differ in case and separators, and some tools give neither.
    fn is_about(&self, found: Found<'_>) -> bool {
        let package = &self.package.0;
        let by_purl = Purl::parse(package.purl.as_str());
        let name = match (&package.name, &by_purl) {
            (Text::Absent, Some(purl)) => purl.package(),
            (name, _) => name.as_str().to_owned(),
        };
        if found.name.is_empty() || name.is_empty() {
            return found.name.is_empty() && name.is_empty();
        }
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '.'], "-");
        // Of a distribution, only the release that was scanned.
        let (wanted, release) = found.ecosystem.split_once(':').unwrap_or((found.ecosystem, ""));
        let (given, of_release) =
            package.ecosystem.as_str().split_once(':').unwrap_or((package.ecosystem.as_str(), ""));
        plain(&name) == plain(found.name)
            && (wanted.is_empty() || given.is_empty() || advisory::ecosystem(wanted) == advisory::ecosystem(given))
            && (release.is_empty() || of_release.is_empty() || of_release.starts_with(release))
    }
}

/// The versions at which the branches of a package are fixed. Commits fix only what is known by its commit.
fn fixes(affected: &[&RawAffected<'_>], by_commit: bool) -> Result<(Vec<PackageVersion>, FixState), &'static str> {
    let ranges = || affected.iter().flat_map(|a| &a.ranges.0).map(|Part(range)| range);
    let events = || {
        let ranges = ranges().filter(|range| (range.kind.as_str() == "GIT") == by_commit);
        ranges.flat_map(|range| &range.events.0).map(|Part(event)| event)
    };
    let fixed = advisory::versions(events().map(|event| event.fixed.as_str()).filter(|version| !version.is_empty()))?;
    let ends = events().any(|event| event.last_affected != Text::Absent);
    let state = match (fixed.is_empty(), ends || events().next().is_none()) {
        (false, _) => FixState::Fixed,
        // It ends somewhere behind the last affected version.
        (true, true) => FixState::Unknown,
        (true, false) => FixState::NotFixed,
    };
    Ok((fixed, state))
}
