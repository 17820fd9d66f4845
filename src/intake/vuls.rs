//! Vuls' JSON: what it found on one host or in one container, and what it knows of each CVE.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Owner, Row, Sink, reason};
use super::shapes::{Flag, Listed, Named, OneOrMore, Part, Plain, Tally};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, Cvss, FixState, PackageName, PackageVersion, VulnerabilityId, VulnerabilityType};

/// `results/current/HOST.json`.
pub(super) const REPORT: Format = Format {
    name: "vuls",
    title: "Vuls' JSON of a host (`results/current/HOST.json`)",
    scanner: "vuls",
    is: |peek| peek.root().is_some_and(|root| root.has(&["scannedCves"]) || root.has(&["0/scannedCves"])),
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResult<'a> {
    #[serde(rename = "serverName", borrow)]
    server: Text<'a>,
    #[serde(rename = "serverUUID", borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    family: Text<'a>,
    #[serde(borrow)]
    release: Text<'a>,
    container: Part<RawContainer<'a>>,
    platform: Part<RawPlatform<'a>>,
    #[serde(rename = "ipv4Addrs", borrow)]
    ipv4: Few<Text<'a>, 64>,
    #[serde(rename = "ipv6Addrs", borrow)]
    ipv6: Few<Text<'a>, 64>,
    #[serde(rename = "scannedAt", borrow)]
    scanned_at: Text<'a>,
    #[serde(rename = "scannedCves")]
    cves: Named<'a, Part<RawCve<'a>>>,
    packages: Named<'a, Part<RawPackage<'a>>>,
    #[serde(rename = "WordPressPackages")]
    wordpress: Listed<RawWordPress<'a>>,
    libraries: Listed<RawLibraries<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawContainer<'a> {
    #[serde(rename = "containerID", borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    image: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPlatform<'a> {
    #[serde(rename = "instanceID", borrow)]
    instance: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    release: Text<'a>,
    #[serde(rename = "newVersion", borrow)]
    new_version: Text<'a>,
    #[serde(rename = "newRelease", borrow)]
    new_release: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawWordPress<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLibraries<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Text<'a>,
    #[serde(rename = "path", borrow)]
    path: Text<'a>,
    #[serde(rename = "Path", borrow)]
    old_path: Text<'a>,
    #[serde(rename = "lockfilePath", borrow)]
    lock_file: Text<'a>,
    #[serde(rename = "Libs")]
    libraries: Listed<RawLibrary<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLibrary<'a> {
    #[serde(rename = "Name", borrow)]
    name: Text<'a>,
    #[serde(rename = "Version", borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCve<'a> {
    #[serde(rename = "cveID", borrow)]
    id: Text<'a>,
    #[serde(rename = "affectedPackages")]
    packages: Listed<RawAffected<'a>>,
    #[serde(rename = "libraryFixedIns")]
    libraries: Listed<RawLibraryFix<'a>>,
    #[serde(rename = "wpPackageFixStats")]
    wordpress: Listed<RawWordPressFix<'a>>,
    #[serde(rename = "windowsKBFixedIns", borrow)]
    kbs: Few<Text<'a>, 256>,
    #[serde(rename = "cpeURIs", borrow)]
    cpes: Few<Text<'a>, 256>,
    #[serde(rename = "GitHubSecurityAlerts")]
    github: Listed<RawGithub<'a>>,
    #[serde(rename = "distroAdvisories")]
    advisories: Listed<RawAdvisory<'a>>,
    #[serde(rename = "cveContents")]
    contents: Named<'a, OneOrMore<RawContent<'a>>>,
    #[serde(rename = "alertDict")]
    alerts: Part<RawAlerts>,
    kevs: Listed<RawKev<'a>>,
    #[serde(rename = "diffStatus", borrow)]
    diff: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAffected<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "notFixedYet")]
    not_fixed: Flag,
    #[serde(rename = "fixState", borrow)]
    state: Text<'a>,
    #[serde(rename = "fixedIn", borrow)]
    fixed: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLibraryFix<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "fixedIn", borrow)]
    fixed: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawWordPressFix<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "fixedIn", borrow)]
    fixed: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawGithub<'a> {
    #[serde(rename = "packageName", borrow)]
    name: Text<'a>,
    #[serde(rename = "fixedIn", borrow)]
    fixed: Text<'a>,
    #[serde(rename = "dismissedAt", borrow)]
    dismissed: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    #[serde(rename = "advisoryID", borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    issued: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawContent<'a> {
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    summary: Text<'a>,
    #[serde(rename = "cvss2Score")]
    score2: Number,
    #[serde(rename = "cvss2Vector", borrow)]
    vector2: Text<'a>,
    #[serde(rename = "cvss2Severity", borrow)]
    severity2: Text<'a>,
    #[serde(rename = "cvss3Score")]
    score3: Number,
    #[serde(rename = "cvss3Vector", borrow)]
    vector3: Text<'a>,
    #[serde(rename = "cvss3Severity", borrow)]
    severity3: Text<'a>,
    #[serde(rename = "cvss40Score")]
    score4: Number,
    #[serde(rename = "cvss40Vector", borrow)]
    vector4: Text<'a>,
    #[serde(rename = "cvss40Severity", borrow)]
    severity4: Text<'a>,
    #[serde(rename = "sourceLink", borrow)]
    link: Text<'a>,
    references: Few<Part<RawReference<'a>>, 64>,
    #[serde(borrow)]
    published: Text<'a>,
    optional: Part<RawOptional>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawOptional {
    epss: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReference<'a> {
    #[serde(borrow)]
    link: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawAlerts {
    cisa: Tally,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawKev<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: OneOrMore<RawResult<'_>> = json::parse(input.name, input.bytes)?;
    for result in raw.0 {
        take_result(&result, input, report, sink);
    }
    Ok(())
}

fn take_result(raw: &RawResult<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let container = &raw.container.0;
    let in_container = container.id != Text::Absent || container.name != Text::Absent;
    // What Vuls calls a container's report.
    let of_container = format!("{}@{}", container.name.as_str(), raw.server.as_str());
    let server = if in_container { of_container.as_str() } else { raw.server.as_str() };
    let own = [server, raw.platform.0.instance.as_str(), raw.uuid.as_str()];
    let addresses = raw.ipv4.0.iter().chain(&raw.ipv6.0).map(Text::as_str);
    let of_host = own.into_iter().chain(addresses).filter(|_| !in_container);
    let mut names: BTreeSet<AssetName> = of_host.filter_map(asset_name).collect();
    names.extend([&container.id, &container.image].into_iter().filter_map(|name| asset_name(name.as_str())));
    let named = asset_name(server).or_else(|| names.first().cloned());
    let asset = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
    names.extend(named);
    names.remove(&asset);
    let family = raw.family.as_str();
    let ecosystem = advisory::ecosystem(family);
    let mut libraries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for set in &raw.libraries.0 {
        for library in &set.libraries.0 {
            libraries.entry(library.name.as_str()).or_default().push((set, &library.version));
        }
    }
    let host = Host {
        asset: &asset,
        ecosystem: &ecosystem,
        family,
        packages: raw.packages.0.iter().map(|(name, Part(package))| (name.as_ref(), package)).collect(),
        libraries,
        wordpress: raw.wordpress.0.iter().map(|package| (package.name.as_str(), &package.version)).collect(),
        place: if in_container && input.given.is_some() { row::location(server) } else { None },
    };
    for (key, Part(cve)) in &raw.cves.0 {
        host.take(key, cve, sink);
    }
    let facts = Asset {
        names,
        os: Some(family)
            .filter(|family| *family != "pseudo")
            .and_then(|family| advisory::os(family, raw.release.as_str())),
        kind: Some(if in_container { "container" } else { "host" }.to_owned()),
        scanned_at: advisory::time(raw.scanned_at.as_str()),
        ..Asset::default()
    };
    report.assets.insert(asset, facts);
}

/// A host with what is installed on it.
struct Host<'a> {
    asset: &'a AssetName,
    ecosystem: &'a str,
    family: &'a str,
    packages: BTreeMap<&'a str, &'a RawPackage<'a>>,
    libraries: BTreeMap<&'a str, Vec<(&'a RawLibraries<'a>, &'a Text<'a>)>>,
    wordpress: BTreeMap<&'a str, &'a Text<'a>>,
    place: Option<String>,
}

/// A library is in so many places at most that are looked through.
const MAX_PLACES: usize = 256;

impl RawLibraries<'_> {
    fn path(&self) -> &str {
        let paths = [&self.lock_file, &self.path, &self.old_path].map(Text::as_str);
        paths.into_iter().find(|path| !path.is_empty()).unwrap_or_default()
    }
}

/// A package with its CVE: a row. Vuls writes a CVE once with all that it affects.
struct Hit {
    package: Result<Option<PackageName>, &'static str>,
    installed: Result<Option<PackageVersion>, &'static str>,
    fixed: Result<Vec<PackageVersion>, &'static str>,
    state: Option<FixState>,
    kind: VulnerabilityType,
    ecosystem: String,
    location: Option<String>,
}

impl Host<'_> {
    fn take(&self, key: &str, cve: &RawCve<'_>, sink: &mut Sink) {
        let hits = self.hits(cve);
        if cve.diff.as_str() == "-" {
            // A report of differences: resolved since the last one.
            sink.leave_out(reason::CLOSED, (hits.len() as u64).max(1));
            return;
        }
        let id = if cve.id == Text::Absent { advisory::text(key) } else { cve.id.clone() };
        let ids = cve.advisories.0.iter().map(|advisory| advisory.id.as_str());
        let known = advisory::identify(&id, ids)
            .map(|(vulnerability, aliases)| Row { aliases, ..self.knowledge(vulnerability, cve) });
        if hits.is_empty() {
            // Nothing says what it affects.
            let hit = Hit {
                package: Ok(None),
                installed: Ok(None),
                fixed: Ok(Vec::new()),
                state: None,
                kind: advisory::kind_of(self.ecosystem),
                ecosystem: self.ecosystem.to_owned(),
                location: None,
            };
            return self.add(hit, &known, sink);
        }
        for hit in hits {
            self.add(hit, &known, sink);
        }
    }

    fn hits(&self, cve: &RawCve<'_>) -> Vec<Hit> {
        let kind = advisory::kind_of(self.ecosystem);
        let packages = cve.packages.0.iter().map(|affected| {
            let installed = self.packages.get(affected.name.as_str());
            let version = installed.map(|package| joined(&package.version, &package.release)).unwrap_or_default();
            let newest =
                installed.map(|package| joined(&package.new_version, &package.new_release)).unwrap_or_default();
            // Where nothing says in which version it is fixed, the newest that the repositories offer is it.
            let fixed = match (&affected.fixed, affected.not_fixed.is_set()) {
                (Text::Absent, false) if newest != version => advisory::text(&newest),
                (fixed, _) => fixed.clone(),
            };
            Hit {
                package: row::package_name(&affected.name).map(Some),
                installed: row::installed_version(&advisory::text(&version)),
                fixed: row::fixed_versions(&fixed),
                state: match advisory::fix_state(affected.state.as_str(), &[]) {
                    FixState::Unknown if affected.not_fixed.is_set() => Some(FixState::NotFixed),
                    FixState::Fixed | FixState::Unknown => None,
                    state => Some(state),
                },
                kind,
                ecosystem: self.ecosystem.to_owned(),
                location: self.place.clone(),
            }
        });
        let libraries = cve.libraries.0.iter().map(|library| {
            let all = self.libraries.get(library.name.as_str()).into_iter().flatten();
            let here = |set: &RawLibraries<'_>| library.path == Text::Absent || set.path() == library.path.as_str();
            let found = all.take(MAX_PLACES).find(|(set, _)| here(set));
            let kind = found.map_or(library.key.as_str(), |(set, _)| set.kind.as_str());
            Hit {
                package: row::package_name(&library.name).map(Some),
                installed: row::installed_version(&found.map(|(_, version)| (*version).clone()).unwrap_or_default()),
                fixed: row::fixed_versions(&library.fixed),
                state: None,
                kind: VulnerabilityType::Application,
                ecosystem: advisory::ecosystem(kind),
                location: row::location(found.map_or(library.path.as_str(), |(set, _)| set.path())),
            }
        });
        let wordpress = cve.wordpress.0.iter().map(|fix| {
            let installed = self.wordpress.get(fix.name.as_str());
            Hit {
                package: row::package_name(&fix.name).map(Some),
                installed: row::installed_version(&installed.map(|version| (*version).clone()).unwrap_or_default()),
                fixed: row::fixed_versions(&fix.fixed),
                state: None,
                kind: VulnerabilityType::WebCms,
                ecosystem: "wordpress".to_owned(),
                location: None,
            }
        });
        let kbs = cve.kbs.0.iter().map(|kb| {
            let number = kb.as_str().trim_start_matches("KB");
            Hit {
                package: row::package_name(&advisory::text(&format!("KB{number}"))).map(Some),
                installed: Ok(None),
                fixed: Ok(Vec::new()),
                state: Some(FixState::Fixed),
                kind: VulnerabilityType::Windows,
                ecosystem: "windows".to_owned(),
                location: None,
            }
        });
        let cpes = cve.cpes.0.iter().map(|cpe| {
            let (product, version) = product(cpe.as_str());
            Hit {
                package: row::package_name(&advisory::text(product)).map(Some),
                installed: Ok(PackageVersion::new(version).ok()),
                fixed: Ok(Vec::new()),
                state: None,
                kind: VulnerabilityType::Application,
                ecosystem: "cpe".to_owned(),
                location: row::location(cpe.as_str()),
            }
        });
        let github = cve.github.0.iter().filter(|alert| alert.dismissed.as_str().is_empty()).map(|alert| Hit {
            package: row::package_name(&alert.name).map(Some),
            installed: Ok(None),
            fixed: row::fixed_versions(&alert.fixed),
            state: None,
            kind: VulnerabilityType::Application,
            ecosystem: "unknown".to_owned(),
            location: None,
        });
        packages.chain(libraries).chain(wordpress).chain(kbs).chain(cpes).chain(github).collect()
    }

    fn add(&self, hit: Hit, known: &Result<Row, &'static str>, sink: &mut Sink) {
        let checked = || {
            let known = known.clone()?;
            let (package, installed, fixed) = (hit.package?, hit.installed?, hit.fixed?);
            let fix_state = match hit.state {
                Some(FixState::NotFixed) if !fixed.is_empty() => FixState::Fixed,
                Some(state) => state,
                None => advisory::fix_state("", &fixed),
            };
            Ok(Row { package, installed, fixed, fix_state, ..known })
        };
        match checked() {
            Err(why) => sink.leave_out(why, 1),
            Ok(row) => sink.add(row.into_finding(Owner {
                asset: self.asset,
                kind: hit.kind,
                ecosystem: &hit.ecosystem,
                location: hit.location,
                scanner: "vuls",
            })),
        }
    }

    /// What the sources say of a CVE, whatever it affects.
    fn knowledge(&self, vulnerability: VulnerabilityId, cve: &RawCve<'_>) -> Row {
        let sources =
            || cve.contents.0.iter().flat_map(|(source, list)| list.0.iter().map(move |c| (source.as_ref(), c)));
        // The distribution knows best how it built the package.
        let own = |source: &str| {
            u8::from(!(source.starts_with(self.family) || advisory::ecosystem(source) == self.ecosystem))
        };
        let mut ranked: Vec<_> = sources().collect();
        ranked.sort_by_key(|(source, _)| own(source));
        let by_content = ranked.iter().find_map(|(_, content)| {
            let words = [&content.severity4, &content.severity3, &content.severity2];
            words.into_iter().find_map(|word| advisory::severity(word.as_str()))
        });
        let by_advisory =
            cve.advisories.0.iter().filter_map(|advisory| advisory::severity(advisory.severity.as_str())).max();
        let issued = cve.advisories.0.iter().map(|advisory| advisory.issued.as_str());
        let published = sources().map(|(_, content)| content.published.as_str()).chain(issued);
        let texts = ranked.iter().map(|(_, c)| c.title.as_str()).chain(ranked.iter().map(|(_, c)| c.summary.as_str()));
        let links = ranked.iter().flat_map(|(_, content)| {
            let more = content.references.0.iter().map(|Part(reference)| reference.link.as_str());
            std::iter::once(content.link.as_str()).chain(more)
        });
        let epss = sources().filter_map(|(_, content)| content.optional.0.epss.0.parse().ok()).reduce(f64::max);
        let of_cisa = |kev: &RawKev<'_>| matches!(kev.kind.as_str(), "" | "cisa");
        Row {
            severity: by_advisory.or(by_content),
            cvss: advisory::scores(sources().flat_map(|(source, content)| scores(source, content))),
            epss: row::probability(epss),
            kev: cve.kevs.0.iter().any(of_cisa) || !cve.alerts.0.cisa.0.is_empty(),
            published: published.filter_map(advisory::time).min(),
            title: row::title(texts),
            references: row::references(links),
            ..Row::new(vulnerability)
        }
    }
}

fn scores(source: &str, content: &RawContent<'_>) -> Vec<Cvss> {
    [
        ("2.0", &content.score2, &content.vector2),
        ("3.1", &content.score3, &content.vector3),
        ("4.0", &content.score4, &content.vector4),
    ]
    .into_iter()
    .filter_map(|(version, score, vector)| {
        // Zero and `-` are how Vuls says that there is none.
        let vector = Some(vector.as_str()).filter(|vector| *vector != "-").unwrap_or_default();
        advisory::cvss(source, version, score.0.filter(|score| *score > 0.0), vector)
    })
    .collect()
}

/// `VERSION-RELEASE`.
fn joined(version: &Text<'_>, release: &Text<'_>) -> String {
    match (version.as_str(), release.as_str()) {
        (version, "") => version.to_owned(),
        (version, release) => format!("{version}-{release}"),
    }
}

/// Product and version of `cpe:/a:VENDOR:PRODUCT:VERSION` or `cpe:2.3:a:VENDOR:PRODUCT:VERSION`.
fn product(cpe: &str) -> (&str, &str) {
    let parts: Vec<&str> = cpe.splitn(8, ':').collect();
    let at = if cpe.starts_with("cpe:2.3:") { 4 } else { 3 };
    (parts.get(at).copied().unwrap_or_default(), parts.get(at + 1).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn everything_that_a_cve_affects_on_a_host_is_a_row() {
        let document = json!({
            "jsonVersion": 4, "serverName": "web-1", "serverUUID": "u-1", "family": "redhat", "release": "8.7",
            "container": {"containerID": "", "name": ""}, "platform": {"name": "aws", "instanceID": "i-1"},
            "ipv4Addrs": ["10.0.0.1"], "ipv6Addrs": null, "scannedAt": "2026-01-01T00:00:00Z", "errors": [],
            "scannedCves": {
                "CVE-2026-1": {
                    "cveID": "CVE-2026-1",
                    "affectedPackages": [
                        {"name": "openssl", "fixedIn": "1:1.1.1k-9.el8"},
                        {"name": "openssl-libs"},
                        {"name": "nss", "notFixedYet": true, "fixState": "Will not fix"},
                        {"name": "nspr", "notFixedYet": true, "fixState": "Fix deferred"},
                        {"name": "python2", "notFixedYet": true, "fixState": "Out of support scope"},
                        {"name": "gone", "notFixedYet": true}],
                    "distroAdvisories": [{"advisoryID": "RHSA-2026:1", "severity": "Important", "issued": "2026-01-01T00:00:00Z"}],
                    "cveContents": {
                        "redhat_api": [{"cvss3Score": 6.1, "cvss3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "cvss3Severity": "Moderate", "cvss2Score": 0, "cvss2Vector": "-"}],
                        "nvd": [{"cvss2Score": 6.9, "cvss2Vector": "AV:L/AC:M/Au:N/C:C/I:C/A:C", "cvss40Score": 8.5, "cvss40Vector": "CVSS:4.0/AV:N", "summary": "a flaw",
                                 "sourceLink": "https://nvd.nist.gov/vuln/detail/CVE-2026-1", "published": "2025-12-01T00:00:00Z", "optional": {"epss": "0.25"}}]},
                    "alertDict": {"cisa": [{"title": "KEV"}], "jpcert": null}},
                "CVE-2026-2": {"cveID": "CVE-2026-2", "libraryFixedIns": [{"key": "node", "name": "lodash", "fixedIn": "4.17.21", "path": "/app/package-lock.json"}],
                    "wpPackageFixStats": [{"name": "akismet", "fixedIn": "4.1.3"}], "windowsKBFixedIns": ["5058405"],
                    "cpeURIs": ["cpe:/a:rubyonrails:ruby_on_rails:4.2.1"], "kevs": [{"type": "vulncheck"}],
                    "cveContents": {"nvd": {"cvss3Score": 9.8}}},
                "CVE-2026-3": {"affectedPackages": null},
                "CVE-2026-4": {"affectedPackages": [{"name": "openssl"}], "diffStatus": "-"},
            },
            "packages": {
                "openssl": {"name": "openssl", "version": "1:1.1.1k", "release": "7.el8", "newVersion": "1:1.1.1k", "newRelease": "9.el8"},
                "openssl-libs": {"version": "1:1.1.1k", "release": "7.el8", "newVersion": "1:1.1.1k", "newRelease": "9.el8"},
                "nss": {"version": "3.79.0", "release": "17.el8", "newVersion": "3.79.0", "newRelease": "17.el8"}},
            "WordPressPackages": [{"name": "akismet", "version": "4.1"}],
            "libraries": [{"Type": "npm", "path": "/app/package-lock.json", "Libs": [{"Name": "lodash", "Version": "4.17.20"}]}],
        });
        let report = read_as("vuls", &document);
        assert_eq!(
            shown(&report),
            [
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm openssl 1:1.1.1k-7.el8 -> 1:1.1.1k-9.el8 fixed high",
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm openssl-libs 1:1.1.1k-7.el8 -> 1:1.1.1k-9.el8 fixed high",
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm nss 3.79.0-17.el8 -> will_not_fix high",
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm nspr - -> deferred high",
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm python2 - -> end_of_life high",
                "web-1 CVE-2026-1+RHSA-2026:1 linux rpm gone - -> not_fixed high",
                "web-1 CVE-2026-2 application npm lodash 4.17.20 -> 4.17.21 fixed - #/app/package-lock.json",
                "web-1 CVE-2026-2 web_cms wordpress akismet 4.1 -> 4.1.3 fixed -",
                "web-1 CVE-2026-2 windows windows KB5058405 - -> fixed -",
                "web-1 CVE-2026-2 application cpe ruby_on_rails 4.2.1 -> unknown - #cpe:/a:rubyonrails:ruby_on_rails:4.2.1",
                "web-1 CVE-2026-3 linux rpm - - -> unknown -",
            ]
        );
        assert_eq!(report.left_out["closed"], 1);
        let first = &report.findings[0];
        let scores: Vec<_> = first.cvss.iter().map(|c| format!("{} {} {}", c.source, c.version, c.score)).collect();
        assert_eq!(scores, ["nvd 2.0 6.9", "nvd 4.0 8.5", "redhat_api 3.1 6.1"]);
        assert!(first.kev && first.epss.is_some() && !report.findings[6].kev);
        assert_eq!(first.published.unwrap().to_string(), "2025-12-01T00:00:00Z");
        let asset = &report.assets["web-1"];
        let names: Vec<_> = asset.names.iter().map(|name| name.as_str()).collect();
        assert_eq!((names, asset.os.as_ref().unwrap().family.as_str()), (vec!["10.0.0.1", "i-1", "u-1"], "redhat"));
        check_sample("vuls", &document);
    }

    #[test]
    fn a_container_is_not_its_host() {
        let document = json!({"serverName": "web-1", "family": "debian", "release": "10", "ipv4Addrs": ["10.0.0.1"],
            "container": {"containerID": "abc", "name": "shop", "image": "shop:1"},
            "scannedCves": {"CVE-2026-1": {"cveID": "CVE-2026-1", "affectedPackages": [{"name": "bash", "fixedIn": "5.1"}]}}, "packages": {}});
        let report = read_as("vuls", &document);
        assert_eq!(shown(&report), ["shop@web-1 CVE-2026-1 linux deb bash - -> 5.1 fixed -"]);
        let names: Vec<_> = report.assets["shop@web-1"].names.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["abc", "shop:1"]);
        let both = json!([document, {"serverName": "web-2", "scannedCves": {}}]);
        assert_eq!(read_as("vuls", &both).assets.len(), 2);
    }
}
