//! What reports of many tools say in the same words: ids and aliases, package URLs, ecosystems, ranges, vectors.

use std::collections::BTreeSet;

use super::lenient::Text;
use super::row::{self, MAX_ALIASES, Owner, Row, Sink, reason};
use super::trivy;
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageName, PackageVersion, Severity, VulnerabilityId, VulnerabilityType,
    printable, score_vector,
};

/// The id that names a vulnerability, and its other ids: a CVE names it where it is the only one. An advisory about
/// several CVEs keeps its own name, because no one of them says all.
pub(super) fn identify<'t>(
    own: &Text<'_>,
    others: impl IntoIterator<Item = &'t str>,
) -> Result<(VulnerabilityId, BTreeSet<VulnerabilityId>), &'static str> {
    let own = row::vulnerability_id(own)?;
    let mut aliases: BTreeSet<VulnerabilityId> = BTreeSet::new();
    for text in others.into_iter().take(4 * MAX_ALIASES) {
        if let Ok(id) = VulnerabilityId::new(text.trim())
            && id != own
            && aliases.len() < MAX_ALIASES
        {
            aliases.insert(id);
        }
    }
    if is_cve(own.as_str()) {
        return Ok((own, aliases));
    }
    // Trackers of distributions put their name in front of the CVE.
    let within = own.as_str().find("-CVE-").map(|at| &own.as_str()[at + 1..]).filter(|id| is_cve(id));
    let cves: BTreeSet<VulnerabilityId> = aliases
        .iter()
        .filter(|id| is_cve(id.as_str()))
        .cloned()
        .chain(within.and_then(|id| VulnerabilityId::new(id).ok()))
        .collect();
    match (cves.len(), cves.into_iter().next()) {
        (1, Some(cve)) => {
            aliases.remove(&cve);
            aliases.insert(own);
            Ok((cve, aliases))
        }
        _ => Ok((own, aliases)),
    }
}

/// `CVE-YEAR-NUMBER`.
pub(super) fn is_cve(text: &str) -> bool {
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, number)| year.len() == 4 && digits(year, 4) && digits(number, 4) && number.len() <= 19)
}

/// `GHSA-xxxx-xxxx-xxxx`.
pub(super) fn is_ghsa(text: &str) -> bool {
    text.strip_prefix("GHSA-").is_some_and(|rest| {
        let parts: Vec<&str> = rest.split('-').collect();
        parts.len() == 3 && parts.iter().all(|p| p.len() == 4 && p.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

/// The CVE and GHSA ids in a text, in its order, each once.
pub(super) fn ids_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let id = [("CVE-", 3), ("GHSA-", 4)].into_iter().find_map(|(prefix, parts)| {
            let word = &word[word.find(prefix)?..];
            // What follows behind another hyphen is no part of the id.
            let end = word.match_indices('-').nth(parts - 1).map_or(word.len(), |(at, _)| at);
            Some(&word[..end]).filter(|id| is_cve(id) || is_ghsa(id))
        });
        if let Some(id) = id
            && found.len() < MAX_ALIASES
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found
}

/// The last part of an advisory's address, where it is an id.
pub(super) fn id_of_url(url: &str) -> Option<&str> {
    let last = url.trim_end_matches('/').rsplit('/').next()?;
    (is_cve(last) || is_ghsa(last)).then_some(last)
}

/// A package URL: `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Purl {
    pub(super) kind: String,
    namespace: String,
    name: String,
    pub(super) version: Option<String>,
}

impl Purl {
    /// Takes it apart; what is none gives nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        /// None is longer.
        const MAX: usize = 2048;
        let kind = row::purl_type(text).filter(|_| text.len() <= MAX)?;
        let (_, rest) = text.split_once('/')?;
        let rest = rest.split(['?', '#']).next()?.trim_matches('/');
        // A scope begins with `@`, and so the version begins with the last one.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !version.contains('/') => (path, decoded(version)),
            _ => (rest, String::new()),
        };
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (namespace, name) = (decoded(namespace), decoded(name));
        (!name.is_empty()).then_some(Self { kind, namespace, name, version: Some(version).filter(|v| !v.is_empty()) })
    }

    /// The name of the package as its own ecosystem says it: the namespace is a distribution's name in some, and a
    /// part of the package's in others.
    pub(super) fn package(&self) -> String {
        let Self { kind, namespace, name, .. } = self;
        match kind.as_str() {
            _ if namespace.is_empty() => name.clone(),
            "maven" => format!("{namespace}:{name}"),
            "deb" | "rpm" | "apk" | "alpm" | "generic" | "oci" | "docker" | "bitnami" | "wordpress" => name.clone(),
            _ => format!("{namespace}/{name}"),
        }
    }
}

/// `%2B` is `+`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The ecosystem, as the type of a package URL, behind the names that tools give it; an unknown name stays as it is.
pub(super) fn ecosystem(name: &str) -> String {
    let lower = name.split(':').next().unwrap_or(name).trim().to_ascii_lowercase();
    let known = match lower.as_str() {
        "deb" | "dpkg" | "debian" | "ubuntu" | "raspbian" | "echo" => "deb",
        "rpm"
        | "redhat"
        | "red hat"
        | "rhel"
        | "centos"
        | "rocky"
        | "rocky linux"
        | "rockylinux"
        | "alma"
        | "almalinux"
        | "oracle"
        | "oraclelinux"
        | "ol"
        | "amazon"
        | "amazonlinux"
        | "amzn"
        | "fedora"
        | "suse"
        | "opensuse"
        | "opensuse.leap"
        | "opensuse.tumbleweed"
        | "opensuse-leap"
        | "opensuse-tumbleweed"
        | "sles"
        | "suse.linux.enterprise.server"
        | "suse.linux.enterprise.desktop"
        | "photon"
        | "photon os"
        | "mariner"
        | "cbl-mariner"
        | "azurelinux"
        | "azure linux"
        | "openeuler"
        | "mageia" => "rpm",
        "apk"
        | "apkg"
        | "alpine"
        | "wolfi"
        | "chainguard"
        | "minimos"
        | "alpaquita"
        | "bellsoft hardened containers" => "apk",
        "alpm" | "arch" | "archlinux" => "alpm",
        "portage" | "ebuild" | "gentoo" => "ebuild",
        "freebsd" => "freebsd",
        "npm" | "yarn" | "pnpm" | "javascript" | "node" | "nodejs" | "node-pkg" | "npm-package" => "npm",
        "pypi" | "pip" | "python" | "python-pkg" | "pipenv" | "poetry" | "uv" => "pypi",
        "conda" => "conda",
        "gem" | "rubygems" | "ruby" | "bundler" | "gemspec" => "gem",
        "go" | "golang" | "gomod" | "gomodules" | "go-module" | "gobinary" | "govendor" => "golang",
        "maven" | "java" | "java-archive" | "jenkins-plugin" | "gradle" | "jar" | "pom" | "sbt" | "scala" => "maven",
        "cargo" | "crates.io" | "rust" | "rust-crate" | "rustbinary" => "cargo",
        "composer" | "packagist" | "php" | "php-composer" => "composer",
        "nuget" | "dotnet" | ".net" | "dotnet-core" => "nuget",
        "hex" | "hexpm" | "erlang" | "elixir" | "mix" => "hex",
        "pub" | "dart" => "pub",
        "swift" | "swifturl" => "swift",
        "cocoapods" | "pod" => "cocoapods",
        "conan" | "conancenter" => "conan",
        "cran" | "r-package" => "cran",
        "bitnami" => "bitnami",
        "actions" | "github-action" | "github actions" | "githubactions" => "github",
        "wordpress" | "wordpress-plugin" => "wordpress",
        "msrc-kb" | "kb" | "windows" => "windows",
        "binary" | "generic" => "generic",
        "" => "unknown",
        _ => return printable(&lower, 32),
    };
    known.to_owned()
}

/// Who fixes packages of an ecosystem.
pub(super) fn kind_of(ecosystem: &str) -> VulnerabilityType {
    match ecosystem {
        "deb" | "rpm" | "apk" | "alpm" | "ebuild" | "freebsd" | "linux-kernel" | "linux-kernel-module" => {
            VulnerabilityType::Linux
        }
        "windows" => VulnerabilityType::Windows,
        "wordpress" | "drupal" | "joomla" => VulnerabilityType::WebCms,
        _ => VulnerabilityType::Application,
    }
}

/// What runs on an asset, by the names that tools give distributions.
pub(super) fn os(name: &str, version: &str) -> Option<Os> {
    let family = match ecosystem(name).as_str() {
        "deb" => "debian",
        "apk" => "alpine",
        "alpm" => "arch",
        "rpm" if name.to_ascii_lowercase().contains("suse") || name.starts_with("sle") => "suse",
        "rpm" => "redhat",
        _ => return trivy::os(name, version),
    };
    let version = (!version.is_empty()).then(|| printable(version, 64));
    Some(Os { family: family.to_owned(), name: printable(name, 64), version })
}

/// A severity in the words of any tool.
pub(super) fn severity(text: &str) -> Option<Severity> {
    let text = text.trim();
    row::severity(text).or_else(|| match text.to_ascii_lowercase().as_str() {
        "important" | "severe" | "error" => Some(Severity::High),
        "defcon1" | "urgent" => Some(Severity::Critical),
        "warning" => Some(Severity::Medium),
        "note" => Some(Severity::Low),
        "info" | "informational" | "information" | "unimportant" | "minimal" => Some(Severity::Negligible),
        _ => None,
    })
}

/// The severity that CVSS 3 and 4 give a score.
pub(super) fn severity_of_score(score: f64) -> Option<Severity> {
    match score {
        s if (9.0..=10.0).contains(&s) => Some(Severity::Critical),
        s if (7.0..9.0).contains(&s) => Some(Severity::High),
        s if (4.0..7.0).contains(&s) => Some(Severity::Medium),
        s if s > 0.0 && s < 4.0 => Some(Severity::Low),
        _ => None,
    }
}

/// The state of a fix in the words of any tool. A version that fixes says more than a word.
pub(super) fn fix_state(text: &str, fixed: &[PackageVersion]) -> FixState {
    let lower: String = text.trim().to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match lower.as_str() {
        "notaffected" => FixState::NotAffected,
        "wontfix" | "willnotfix" | "ignored" => FixState::WillNotFix,
        _ if !fixed.is_empty() => FixState::Fixed,
        "fixed" | "released" => FixState::Fixed,
        "notfixed" | "notfixedyet" | "affected" | "open" | "needed" | "needsevaluation" | "new" => FixState::NotFixed,
        "fixdeferred" | "deferred" | "postponed" | "pending" => FixState::Deferred,
        "endoflife" | "outofsupportscope" | "eol" => FixState::EndOfLife,
        _ => FixState::Unknown,
    }
}

/// The checked versions of a list; what is none is a reason to leave out the row.
pub(super) fn versions<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<PackageVersion>, &'static str> {
    /// No vulnerability is fixed in more branches.
    const MAX: usize = 32;
    let mut kept = Vec::new();
    for text in texts {
        for version in row::fixed_versions(&Text::Is(text.into()))? {
            if kept.len() < MAX && !kept.contains(&version) {
                kept.push(version);
            }
        }
    }
    Ok(kept)
}

/// The versions at which a vulnerable range ends: `<1.1.4|>=2.0.0,<2.1.1` is fixed in 1.1.4 and 2.1.1. A range that
/// ends with its last vulnerable version (`<=`) does not say which one fixes.
pub(super) fn ends_of_range(range: &str) -> Vec<PackageVersion> {
    bounds(range, "<")
}

/// The versions at which a range of fixed versions begins: `>=1.2.3 <2.0.0 || >=2.0.5` are 1.2.3 and 2.0.5.
pub(super) fn starts_of_range(range: &str) -> Vec<PackageVersion> {
    bounds(range, ">=")
}

fn bounds(range: &str, sign: &str) -> Vec<PackageVersion> {
    /// No range is longer.
    const MAX: usize = 4096;
    let mut found = Vec::new();
    if range.len() > MAX {
        return found;
    }
    // A sign may stand apart from its version.
    let mut before = "";
    for word in range.split([' ', ',', '|', '\t', '(', ')']).filter(|word| !word.is_empty()) {
        let length = word.bytes().take_while(|b| b"<>=!~^".contains(b)).count();
        let (signs, version) = match word.split_at(length) {
            ("", version) => (std::mem::take(&mut before), version),
            (signs, "") => {
                before = signs;
                continue;
            }
            both => both,
        };
        // `<0.0.0` is how npm says that no version is fine.
        if signs == sign
            && version.bytes().any(|b| b.is_ascii_digit() && b != b'0')
            && let Ok(version) = PackageVersion::new(version)
            && !found.contains(&version)
        {
            found.push(version);
        }
    }
    found
}

/// A score as one source gave it: the version is in the vector, else as told; a vector without a score is scored.
pub(super) fn cvss(source: &str, version: &str, score: Option<f64>, vector: &str) -> Option<Cvss> {
    let vector = vector.trim();
    let bare = vector.trim_start_matches('(').trim_end_matches(')');
    let told = version.to_ascii_lowercase();
    let told = told.trim_start_matches("cvss").trim_start_matches(['_', ':', 'v']).to_owned();
    let version = match () {
        () if bare.starts_with("CVSS:4.0/") => "4.0",
        () if bare.starts_with("CVSS:3.1/") => "3.1",
        () if bare.starts_with("CVSS:3.0/") => "3.0",
        () if bare.starts_with("AV:") && bare.contains("/Au:") => "2.0",
        () => match told.as_str() {
            "2" | "2.0" => "2.0",
            "3.0" | "30" => "3.0",
            "3" | "3.1" | "31" => "3.1",
            "4" | "4.0" | "40" => "4.0",
            _ => return None,
        },
    };
    let score = score.or_else(|| score_of(bare))?;
    row::cvss(source, version, score, vector)
}

/// The base score of a vector.
fn score_of(vector: &str) -> Option<f64> {
    score_vector(vector).ok().map(|scored| scored.base.into())
}

/// A checked row goes to its asset, and one that did not pass is counted. The ecosystem says who fixes it; packages of
/// a distribution are there once, wherever their files are.
pub(super) fn put(sink: &mut Sink, asset: &AssetName, scanner: &str, row: Result<Row, &'static str>) {
    match row {
        Err(why) => sink.leave_out(why, 1),
        Ok(row) => {
            let ecosystem = row.purl_type.clone().unwrap_or_else(|| "unknown".to_owned());
            let kind = kind_of(&ecosystem);
            let location = row.path.clone().filter(|_| kind != VulnerabilityType::Linux);
            sink.add(row.into_finding(Owner { asset, kind, ecosystem: &ecosystem, location, scanner }));
        }
    }
}

/// Sorted and each once.
pub(super) fn scores(scores: impl IntoIterator<Item = Cvss>) -> Vec<Cvss> {
    let mut scores: Vec<Cvss> = scores.into_iter().take(4 * row::MAX_SCORES).collect();
    scores.sort();
    scores.dedup();
    scores.truncate(row::MAX_SCORES);
    scores
}

/// A time in the words of any tool: with or without its offset, with or without its hour.
pub(super) fn time(text: &str) -> Option<jiff::Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || text.starts_with("0001-01-01") {
        return None;
    }
    let utc =
        |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    row::time(text)
        .or_else(|| utc(text.parse::<jiff::civil::DateTime>().ok()?))
        .or_else(|| utc(text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))
}

/// The package of a row: by its package URL where the ecosystem's name has parts that the tool leaves out.
pub(super) fn package(name: &Text<'_>, purl: Option<&Purl>) -> Result<PackageName, &'static str> {
    match purl {
        Some(purl) if purl.kind == "maven" || *name == Text::Absent => {
            PackageName::new(&purl.package()).or_else(|_| row::package_name(name)).map_err(|_| reason::UNSAFE_PACKAGE)
        }
        _ => row::package_name(name),
    }
}

/// A package, where one is named.
pub(super) fn named_package(name: &Text<'_>) -> Result<Option<PackageName>, &'static str> {
    match name {
        Text::Absent => Ok(None),
        name => row::package_name(name).map(Some),
    }
}

/// `NAME@VERSION`, with the `@` of a scope in the name.
pub(super) fn split_at_version(text: &str) -> (&str, &str) {
    match text.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() => (name, version),
        _ => (text, ""),
    }
}

/// A text that borrows.
pub(super) const fn text(text: &str) -> Text<'_> {
    if text.is_empty() { Text::Absent } else { Text::Is(std::borrow::Cow::Borrowed(text)) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn identified(own: &str, others: &[&str]) -> String {
        let (id, aliases) = identify(&text(own), others.iter().copied()).unwrap();
        std::iter::once(&id).chain(&aliases).map(VulnerabilityId::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_only_cve_names_the_vulnerability() {
        assert_eq!(identified("GHSA-aaaa-bbbb-cccc", &["CVE-2026-1234"]), "CVE-2026-1234 GHSA-aaaa-bbbb-cccc");
        assert_eq!(identified("CVE-2026-1234", &["CVE-2026-1234", "X-1"]), "CVE-2026-1234 X-1");
        assert_eq!(
            identified("ALAS-1", &["CVE-2026-1234", "CVE-2026-1235", "a; b"]),
            "ALAS-1 CVE-2026-1234 CVE-2026-1235"
        );
        assert_eq!(identified("UBUNTU-CVE-2026-1234", &[]), "CVE-2026-1234 UBUNTU-CVE-2026-1234");
        assert_eq!(identified("DLA-1-1", &["CVE-YYYY-1234"]), "DLA-1-1 CVE-YYYY-1234");
        assert_eq!(identify(&text("a b"), []).unwrap_err(), reason::UNSAFE_ID);
    }

    #[test]
    fn ids_are_found_in_texts() {
        let found =
            ids_in("CVE-2005-2541-tar (CVE-2005-2541), GHSA-jfh8-c2jp-5v3q-x, XCVE-2020-12345 CVE-20-1 GHSA-a-b-c");
        assert_eq!(found, ["CVE-2005-2541", "GHSA-jfh8-c2jp-5v3q", "CVE-2020-12345"]);
        assert_eq!(id_of_url("https://github.com/advisories/GHSA-jfh8-c2jp-5v3q/"), Some("GHSA-jfh8-c2jp-5v3q"));
        assert_eq!(id_of_url("https://npmjs.com/advisories/118"), None);
        assert!(ids_in(&"CVE-".repeat(100_000)).is_empty());
    }

    #[test]
    fn package_urls_are_taken_apart() {
        for (purl, kind, package, version) in [
            ("pkg:deb/debian/bash@5.0-4%2Bdeb10u1?arch=amd64", "deb", "bash", "5.0-4+deb10u1"),
            (
                "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
                "maven",
                "org.apache.logging.log4j:log4j-core",
                "2.14.1",
            ),
            ("pkg:npm/%40babel/core@7.0.0", "npm", "@babel/core", "7.0.0"),
            ("pkg:npm/@babel/core", "npm", "@babel/core", ""),
            ("pkg:golang/github.com/gin-gonic/gin@v1.6.0#sub", "golang", "github.com/gin-gonic/gin", "v1.6.0"),
            ("pkg:composer/guzzlehttp/guzzle@6.3.3", "composer", "guzzlehttp/guzzle", "6.3.3"),
            ("pkg:pypi/django", "pypi", "django", ""),
            ("pkg:rpm/redhat/openssl@1%3A1.1.1k-7.el8?epoch=1", "rpm", "openssl", "1:1.1.1k-7.el8"),
        ] {
            let parsed = Purl::parse(purl).unwrap();
            assert_eq!((parsed.kind.as_str(), parsed.package().as_str()), (kind, package), "{purl}");
            assert_eq!(parsed.version.as_deref().unwrap_or_default(), version, "{purl}");
        }
        for text in ["", "pkg:", "pkg:deb", "pkg:deb/", "deb/bash", "pkg:d b/x", "pkg:npm/%"] {
            let _ = Purl::parse(text);
        }
        assert_eq!(Purl::parse("pkg:deb/"), None);
        assert_eq!(Purl::parse("x"), None);
        assert_eq!(decoded("a%2Bb%zz%4"), "a+b%zz%4");
    }

    #[test]
    fn ranges_tell_what_fixes() {
        let shown =
            |versions: Vec<PackageVersion>| versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown(ends_of_range("<1.1.4|>=2.0.0,<2.1.1")), "1.1.4 2.1.1");
        assert_eq!(shown(ends_of_range(">= 1.0, < 1.2.3")), "1.2.3");
        assert_eq!(shown(ends_of_range("<=4.17.20")), "");
        assert_eq!(shown(ends_of_range("<0.0.0")), "");
        assert_eq!(shown(starts_of_range(">=1.2.3 <2.0.0 || >=2.0.5")), "1.2.3 2.0.5");
        assert_eq!(shown(ends_of_range("<$(id) < ; <")), "");
        assert_eq!(shown(ends_of_range(&"<1 ".repeat(1 << 20))), "");
    }

    #[test]
    fn scores_know_their_version() {
        let version = |told: &str, vector: &str| cvss("nvd", told, Some(5.0), vector).map(|cvss| cvss.version);
        assert_eq!(version("CVSSv31", "").as_deref(), Some("3.1"));
        assert_eq!(version("CVSSv2", "(AV:N/AC:L/Au:N/C:P/I:N/A:N)").as_deref(), Some("2.0"));
        assert_eq!(version("CVSS_V4", "CVSS:4.0/AV:N").as_deref(), Some("4.0"));
        assert_eq!(version("3.1", "CVSS:3.0/AV:N").as_deref(), Some("3.0"));
        assert_eq!(version("other", ""), None);
        assert_eq!(version("OWASP", "SL:1/M:4"), None);
        assert_eq!(cvss("nvd", "3.1", Some(99.0), ""), None);
    }

    #[test]
    fn times_of_many_kinds() {
        for text in
            ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05.0", "2026-01-02T05:04:05+02:00"]
        {
            assert_eq!(time(text).unwrap().to_string(), "2026-01-02T03:04:05Z", "{text}");
        }
        assert_eq!(time("2026-01-02").unwrap().to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time("soon"), None);
    }
}
