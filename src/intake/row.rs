//! One row of a report: raw texts become checked values, or a reason to leave the row out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    AssetName, Cvss, Finding, FindingId, FixState, PackageName, PackageVersion, Probability, Score, Severity,
    VulnerabilityId, VulnerabilityType, printable, score_vector,
};

use super::lenient::Text;

/// Why a row was left out. Kebab-case, documented, stable.
pub(super) mod reason {
    pub(in crate::intake) const DUPLICATE: &str = "duplicate";
    pub(in crate::intake) const MALFORMED: &str = "malformed-row";
    pub(in crate::intake) const NO_ID: &str = "missing-vulnerability-id";
    pub(in crate::intake) const NO_PACKAGE: &str = "missing-package-name";
    pub(in crate::intake) const UNSAFE_ID: &str = "unsafe-vulnerability-id";
    pub(in crate::intake) const UNSAFE_PACKAGE: &str = "unsafe-package-name";
    pub(in crate::intake) const UNSAFE_VERSION: &str = "unsafe-version";
}

/// More references, aliases and scores than these help nobody.
pub(super) const MAX_REFERENCES: usize = 8;
pub(super) const MAX_ALIASES: usize = 32;
pub(super) const MAX_SCORES: usize = 32;
const MAX_FIXED: usize = 32;
const MAX_TITLE: usize = 200;
const MAX_URL: usize = 1024;
const MAX_LOCATION: usize = 512;

/// A checked row: everything of a finding but whose it is.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) vulnerability: VulnerabilityId,
    pub(super) aliases: BTreeSet<VulnerabilityId>,
    /// None where the tool tells of a vulnerability and not of a package.
    pub(super) package: Option<PackageName>,
    pub(super) installed: Option<PackageVersion>,
    pub(super) fixed: Vec<PackageVersion>,
    pub(super) fix_state: FixState,
    pub(super) severity: Option<Severity>,
    pub(super) cvss: Vec<Cvss>,
    pub(super) epss: Option<Probability>,
    pub(super) kev: bool,
    pub(super) published: Option<Timestamp>,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) title: Option<String>,
    pub(super) references: Vec<String>,
    /// Where on the asset, as far as the row itself says it.
    pub(super) path: Option<String>,
    /// The package URL's type (`deb`, `npm`, ...).
    pub(super) purl_type: Option<String>,
}

pub(super) fn vulnerability_id(text: &Text<'_>) -> Result<VulnerabilityId, &'static str> {
    match text {
        Text::Is(text) => VulnerabilityId::new(text.trim()).map_err(|_| reason::UNSAFE_ID),
        Text::Absent => Err(reason::NO_ID),
        Text::Wrong => Err(reason::MALFORMED),
    }
}

pub(super) fn package_name(text: &Text<'_>) -> Result<PackageName, &'static str> {
    match text {
        Text::Is(text) => PackageName::new(text).map_err(|_| reason::UNSAFE_PACKAGE),
        Text::Absent => Err(reason::NO_PACKAGE),
        Text::Wrong => Err(reason::MALFORMED),
    }
}

pub(super) fn installed_version(text: &Text<'_>) -> Result<Option<PackageVersion>, &'static str> {
    match text {
        Text::Is(text) => PackageVersion::new(text).map(Some).map_err(|_| reason::UNSAFE_VERSION),
        Text::Absent => Ok(None),
        Text::Wrong => Err(reason::MALFORMED),
    }
}

/// The versions of a list such as `3.1.0, 2.6.9`. Language ecosystems also write ranges (`>= 5.2.4.3, < 6`): the
/// lower bound is the version that fixes, the rest of the range says nothing more.
pub(super) fn fixed_versions(text: &Text<'_>) -> Result<Vec<PackageVersion>, &'static str> {
    let text = match text {
        Text::Is(text) => text,
        Text::Absent => return Ok(Vec::new()),
        Text::Wrong => return Err(reason::MALFORMED),
    };
    let mut versions = Vec::new();
    for item in text.split(',').flat_map(|item| item.split("||")).map(str::trim).filter(|item| !item.is_empty()) {
        let version = item.trim_start_matches(['>', '=']).trim_start();
        match PackageVersion::new(version) {
            Ok(version) if versions.len() < MAX_FIXED => {
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
            Ok(_) => {}
            Err(_) if is_range(version) => {}
            Err(_) => return Err(reason::UNSAFE_VERSION),
        }
    }
    Ok(versions)
}

/// Whether the text has nothing but versions, spaces and comparison signs.
fn is_range(text: &str) -> bool {
    text.len() <= 256
        && text.contains(['<', '>', '=', '~', '^', '*', '!', '[', '('])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " .-+~<>=^*![]()".contains(c))
        && !text.contains("$(")
}

/// Ids that are none are dropped: an alias decides nothing.
pub(super) fn aliases<'t>(
    texts: impl IntoIterator<Item = &'t Text<'t>>,
    of: &VulnerabilityId,
) -> BTreeSet<VulnerabilityId> {
    texts
        .into_iter()
        .filter_map(|text| VulnerabilityId::new(text.as_str()).ok())
        .filter(|alias| alias != of)
        .take(MAX_ALIASES)
        .collect()
}

pub(super) fn severity(text: &str) -> Option<Severity> {
    const NAMES: [(&str, Severity); 6] = [
        ("critical", Severity::Critical),
        ("high", Severity::High),
        ("medium", Severity::Medium),
        ("moderate", Severity::Medium),
        ("low", Severity::Low),
        ("negligible", Severity::Negligible),
    ];
    NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|&(_, severity)| severity)
}

/// A time; the zero time of Go programs means that none is known.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if text.len() > 64 || text.starts_with("0001-01-01") {
        return None;
    }
    text.parse().ok()
}

pub(super) fn title<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
    let line = texts.into_iter().find_map(|text| text.lines().map(str::trim).find(|line| !line.is_empty()))?;
    Some(printable(line, MAX_TITLE))
}

pub(super) fn references<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
        if is_url && is_plain && text.len() <= MAX_URL && kept.len() < MAX_REFERENCES && !kept.iter().any(|k| k == text)
        {
            kept.push(text.to_owned());
        }
    }
    kept
}

pub(super) fn location(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| printable(text, MAX_LOCATION))
}

/// A score as one source gave it; what is no score is none. A vector says more than a number: where it is one, version
/// and base score are ours, from the vector.
pub(super) fn cvss(source: &str, version: &str, score: f64, vector: &str) -> Option<Cvss> {
    let (version, score) = match score_vector(vector) {
        Ok(scored) => (scored.version, scored.base),
        Err(_) => (version, Score::try_from(score).ok()?),
    };
    Some(Cvss {
        source: printable(source, 64),
        version: version.to_owned(),
        score,
        vector: (!vector.is_empty()).then(|| printable(vector, 256)),
    })
}

/// A probability; what is none is unknown.
pub(super) fn probability(value: Option<f64>) -> Option<Probability> {
    value.and_then(|value| Probability::try_from(value).ok())
}

/// The type of a package URL: `pkg:TYPE/...`.
pub(super) fn purl_type(purl: &str) -> Option<String> {
    let (kind, _) = purl.strip_prefix("pkg:")?.split_once('/')?;
    let fine = !kind.is_empty() && kind.len() <= 32 && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fine.then(|| kind.to_ascii_lowercase())
}

/// Whose a row is.
#[derive(Clone, Debug)]
pub(super) struct Owner<'a> {
    pub(super) asset: &'a AssetName,
    pub(super) kind: VulnerabilityType,
    pub(super) ecosystem: &'a str,
    pub(super) location: Option<String>,
    pub(super) scanner: &'a str,
}

impl Row {
    /// A row of which nothing but the vulnerability is known; parsers set what their format says.
    pub(super) fn new(vulnerability: VulnerabilityId) -> Self {
        Self {
            vulnerability,
            aliases: BTreeSet::new(),
            package: None,
            installed: None,
            fixed: Vec::new(),
            fix_state: FixState::Unknown,
            severity: None,
            cvss: Vec::new(),
            epss: None,
            kev: false,
            published: None,
            first_seen: None,
            title: None,
            references: Vec::new(),
            path: None,
            purl_type: None,
        }
    }

    /// The finding of its owner.
    pub(super) fn into_finding(self, owner: Owner<'_>) -> Finding {
        let Owner { asset, kind, ecosystem, location, scanner } = owner;
        Finding {
            id: Finding::make_id(
                asset,
                &self.vulnerability,
                self.package.as_ref(),
                self.installed.as_ref(),
                location.as_deref(),
            ),
            asset: asset.clone(),
            vulnerability: self.vulnerability,
            aliases: self.aliases,
            kind,
            ecosystem: self.purl_type.unwrap_or_else(|| ecosystem.to_owned()),
            package: self.package,
            location,
            installed: self.installed,
            fixed: self.fixed,
            fix_state: self.fix_state,
            severity: self.severity,
            cvss: self.cvss,
            epss: self.epss,
            kev: self.kev,
            published: self.published,
            first_seen: self.first_seen,
            title: self.title,
            references: self.references,
            scanner: scanner.to_owned(),
        }
    }
}

/// Everything read so far. Rows in = findings + rows left out, always.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) read: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) left_out: BTreeMap<String, u64>,
    /// Where each finding is in `findings`.
    seen: BTreeMap<FindingId, usize>,
}

impl Sink {
    /// A finding, or more knowledge about one that is there already.
    pub(super) fn add(&mut self, finding: Finding) {
        self.read += 1;
        match self.seen.get(&finding.id) {
            Some(&index) => {
                enrich(&mut self.findings[index], finding);
                *self.left_out.entry(reason::DUPLICATE.to_owned()).or_default() += 1;
            }
            None => {
                self.seen.insert(finding.id.clone(), self.findings.len());
                self.findings.push(finding);
            }
        }
    }

    /// Rows that are left out.
    pub(super) fn leave_out(&mut self, why: &str, rows: u64) {
        if rows > 0 {
            self.read += rows;
            *self.left_out.entry(why.to_owned()).or_default() += rows;
        }
    }
}

/// What two reports of one finding say together, whichever came first.
fn enrich(known: &mut Finding, other: Finding) {
    fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
        a.into_iter().chain(b).min()
    }
    fn join<T: Ord>(known: &mut Vec<T>, other: Vec<T>, max: usize) {
        known.extend(other);
        known.sort();
        known.dedup();
        known.truncate(max);
    }
    known.aliases.extend(other.aliases);
    join(&mut known.cvss, other.cvss, MAX_SCORES);
    join(&mut known.references, other.references, MAX_REFERENCES);
    if (other.fixed.len(), &other.fixed) > (known.fixed.len(), &known.fixed) {
        known.fixed = other.fixed;
    }
    known.fix_state = known.fix_state.min(other.fix_state);
    known.kind = known.kind.min(other.kind);
    known.severity = known.severity.max(other.severity);
    known.epss = known.epss.max(other.epss);
    known.kev |= other.kev;
    known.published = least(known.published, other.published);
    known.first_seen = least(known.first_seen, other.first_seen);
    known.title = least(known.title.take(), other.title);
    if (&other.ecosystem, &other.scanner) < (&known.ecosystem, &known.scanner) {
        known.ecosystem = other.ecosystem;
        known.scanner = other.scanner;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn fixed(text: &str) -> Result<Vec<String>, &'static str> {
        let text = Text::Is(text.into());
        fixed_versions(&text).map(|versions| versions.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn fixed_versions_are_taken_apart() {
        assert_eq!(fixed("3.1.0, 2.6.9").unwrap(), ["3.1.0", "2.6.9"]);
        assert_eq!(fixed("1:9.2p1-2+deb12u3").unwrap(), ["1:9.2p1-2+deb12u3"]);
        assert_eq!(fixed("~> 5.2.4, >= 5.2.4.3, < 6").unwrap(), ["5.2.4.3"]);
        assert_eq!(fixed(">=1.2, 1.2,").unwrap(), ["1.2"]);
        for hostile in ["1.0; reboot", "$(id)", "`x`", "1\n2", "1.0 && id", "1.0, -rf"] {
            assert_eq!(fixed(hostile), Err(reason::UNSAFE_VERSION), "{hostile:?}");
        }
        assert_eq!(fixed(&"1".repeat(10 << 20)), Err(reason::UNSAFE_VERSION));
    }

    #[test]
    fn references_are_urls_and_few() {
        let many: Vec<String> = (0..100).map(|i| format!("https://example.org/{i}")).collect();
        let mut texts = vec!["javascript:alert(1)", "https://a/\u{1b}[2J", "https://a/b c", "https://example.org/0"];
        texts.extend(many.iter().map(String::as_str));
        assert_eq!(references(texts), many[..MAX_REFERENCES]);
    }

    #[test]
    fn a_vector_says_the_score() {
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let scored = cvss("nvd", "3.0", 1.0, vector).unwrap();
        assert_eq!((scored.version.as_str(), scored.score.hundredths()), ("3.1", 980));
        assert_eq!(scored.vector.as_deref(), Some(vector));
        let without = cvss("nvd", "3.0", 5.5, "AV:N").unwrap();
        assert_eq!((without.version.as_str(), without.score.hundredths()), ("3.0", 550));
        assert!(cvss("nvd", "3.0", f64::NAN, "").is_none());
    }

    #[test]
    fn times_of_zero_are_unknown() {
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time("yesterday"), None);
        assert_eq!(time("2020-12-10T04:15:00Z").unwrap().to_string(), "2020-12-10T04:15:00Z");
    }
}
