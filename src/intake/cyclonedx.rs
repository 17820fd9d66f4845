//! CycloneDX as a report: components and what is vulnerable in them become rows, whether they were JSON or XML.

use std::collections::BTreeMap;

use super::advisory::{self, Purl};
use super::format::Input;
use super::lenient::Text;
use super::reports::{Asset, Report};
use super::row::{self, Owner, Row, Sink, reason};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::{AssetName, Cvss, FixState, PackageName, PackageVersion, Severity, VulnerabilityType};

/// A component, as far as a row needs it. Empty texts are what is not said.
#[derive(Clone, Debug, Default)]
pub(super) struct Component {
    /// By what vulnerabilities refer to it.
    pub(super) reference: String,
    /// `library`, `operating-system`, ...
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) purl: String,
    /// Where it is, by a property or an occurrence.
    pub(super) path: String,
}

/// One rating of a vulnerability.
#[derive(Clone, Debug, Default)]
pub(super) struct Rating {
    pub(super) source: String,
    pub(super) severity: String,
    pub(super) score: Option<f64>,
    pub(super) method: String,
    pub(super) vector: String,
}

/// What a vulnerability is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Affect {
    /// The component's reference.
    pub(super) reference: String,
    /// Versions or ranges with their status (`affected`, `unaffected`, `unknown`).
    pub(super) versions: Vec<(String, String)>,
}

/// A vulnerability, as far as a row needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Vulnerability {
    pub(super) id: String,
    /// Who tells of it.
    pub(super) source: String,
    /// Ids of equal vulnerabilities elsewhere.
    pub(super) others: Vec<String>,
    pub(super) ratings: Vec<Rating>,
    /// What may serve as one line for people, best first.
    pub(super) texts: Vec<String>,
    pub(super) recommendation: String,
    pub(super) urls: Vec<String>,
    pub(super) published: String,
    /// When it was first found here.
    pub(super) first_issued: String,
    /// The state of an analysis (`not_affected`, `false_positive`, ...).
    pub(super) state: String,
    /// What is answered to it (`will_not_fix`, `update`, ...).
    pub(super) responses: Vec<String>,
    pub(super) affects: Vec<Affect>,
    /// Names and values that the schema does not know.
    pub(super) properties: Vec<(String, String)>,
}

/// A document: what it is about, and its components.
#[derive(Debug, Default)]
pub(super) struct Bom {
    components: BTreeMap<String, Component>,
    os: Option<(String, String)>,
    subject: Component,
    count: u64,
}

impl Bom {
    /// About one thing, which is a component too.
    pub(super) fn new(subject: Component) -> Self {
        let mut bom = Self::default();
        bom.add(subject.clone());
        bom.count = 0;
        Self { subject, ..bom }
    }

    /// One component more.
    pub(super) fn add(&mut self, component: Component) {
        self.count += 1;
        if component.kind == "operating-system" {
            self.os.get_or_insert_with(|| (component.name.clone(), component.version.clone()));
        }
        // A reference may be left out where the package URL says the same.
        for key in [&component.purl, &component.reference] {
            if !key.is_empty() && !self.components.contains_key(key) {
                self.components.insert(key.clone(), component.clone());
            }
        }
    }

    /// The asset that it is about, which is put into the report.
    pub(super) fn asset(&self, input: &Input<'_>, scanned_at: &str, report: &mut Report) -> AssetName {
        let named = asset_name(&self.subject.name);
        let asset = given_asset(input.given).or_else(|| named.clone()).unwrap_or_else(unnamed);
        let kind = match self.subject.kind.as_str() {
            "container" => Some("container_image".to_owned()),
            kind => row::location(kind),
        };
        let mut names: std::collections::BTreeSet<AssetName> = named.into_iter().collect();
        names.remove(&asset);
        let os = self.os.as_ref().and_then(|(name, version)| advisory::os(name, version));
        let facts = Asset { names, os, kind, scanned_at: advisory::time(scanned_at), facts: None };
        report.assets.insert(asset.clone(), facts);
        asset
    }

    /// Without vulnerabilities a document is a list of parts and no report: that it was looked at is not said.
    pub(super) fn is_inventory_only(&self, report: &mut Report) {
        report.set_aside("component", self.count);
    }

    /// The rows of a vulnerability: one for each component that it is in, one without a package where it is in none.
    pub(super) fn take(&self, raw: &Vulnerability, asset: &AssetName, scanner: &str, sink: &mut Sink) {
        let nowhere = [Affect::default()];
        let affects = if raw.affects.is_empty() { &nowhere[..] } else { &raw.affects[..] };
        let left_out = match raw.state.as_str() {
            "false_positive" => Some(reason::FALSE_POSITIVE),
            "resolved" | "resolved_with_pedigree" => Some(reason::CLOSED),
            _ => None,
        };
        if let Some(why) = left_out {
            return sink.leave_out(why, affects.len() as u64);
        }
        let known = raw.row();
        for affect in affects {
            // `urn:cdx:SERIAL/VERSION#REFERENCE` is a component of another document, which may be this one.
            let reference = affect.reference.as_str();
            let found = self.components.get(reference).or_else(|| {
                let (_, local) = reference.strip_prefix("urn:cdx:")?.split_once('#')?;
                self.components.get(local)
            });
            let by_reference = || Component {
                purl: if reference.starts_with("pkg:") { reference.to_owned() } else { String::new() },
                path: reference.to_owned(),
                ..Component::default()
            };
            let component = found.cloned().unwrap_or_else(by_reference);
            match known.clone().and_then(|known| complete(known, raw, &component, affect)) {
                Err(why) => sink.leave_out(why, 1),
                Ok(row) => {
                    let ecosystem = row.purl_type.clone().unwrap_or_else(|| "unknown".to_owned());
                    let kind = if component.kind == "operating-system" {
                        VulnerabilityType::Linux
                    } else {
                        advisory::kind_of(&ecosystem)
                    };
                    let location = row.path.clone().filter(|_| kind != VulnerabilityType::Linux);
                    let owner = Owner { asset, kind, ecosystem: &ecosystem, location, scanner };
                    sink.add(row.into_finding(owner));
                }
            }
        }
    }
}

/// Adds what depends on the component.
fn complete(known: Row, raw: &Vulnerability, component: &Component, affect: &Affect) -> Result<Row, &'static str> {
    let purl = Purl::parse(&component.purl);
    let name = name_of(component, purl.as_ref());
    let package = match &name {
        None => None,
        Some(name) => Some(PackageName::new(name).map_err(|_| reason::UNSAFE_PACKAGE)?),
    };
    let affected = || affect.versions.iter().filter(|(_, status)| status.is_empty() || status == "affected");
    let of_purl = purl.as_ref().and_then(|purl| purl.version.as_deref()).unwrap_or_default();
    let exact = affected().map(|(version, _)| version.as_str()).find(|version| PackageVersion::new(version).is_ok());
    let installed = [component.version.as_str(), of_purl].into_iter().find(|version| !version.is_empty()).or(exact);
    let fixed = fixed(raw, component, affect)?;
    let responded = |what: &str| raw.responses.iter().any(|response| response == what);
    let fix_state = match raw.state.as_str() {
        "not_affected" => FixState::NotAffected,
        _ if !fixed.is_empty() => FixState::Fixed,
        _ if responded("will_not_fix") => FixState::WillNotFix,
        _ if responded("can_not_fix") => FixState::NotFixed,
        _ => FixState::Unknown,
    };
    Ok(Row {
        package,
        installed: row::installed_version(&advisory::text(installed.unwrap_or_default()))?,
        fixed,
        fix_state,
        path: row::location(&component.path),
        purl_type: purl.map(|purl| purl.kind),
        ..known
    })
}

/// The name by its ecosystem; a component without one has no package.
fn name_of(component: &Component, purl: Option<&Purl>) -> Option<String> {
    match (purl, component.group.as_str(), component.name.as_str()) {
        (Some(purl), _, _) => Some(purl.package()),
        (None, _, "") => None,
        (None, "", name) => Some(name.to_owned()),
        (None, group, name) => Some(format!("{group}/{name}")),
    }
}

/// The versions that fix it: by a property, by the versions that are not affected, or by what is recommended.
fn fixed(raw: &Vulnerability, component: &Component, affect: &Affect) -> Result<Vec<PackageVersion>, &'static str> {
    let by_property = raw.properties.iter().filter(|(name, _)| {
        let name: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        ["fixedversion", "fixversion", "fixedversions", "fixversions", "fixedin"].iter().any(|end| name.ends_with(end))
    });
    let mut found = advisory::versions(by_property.map(|(_, value)| value.as_str()))?;
    let unaffected = affect.versions.iter().filter(|(_, status)| status == "unaffected").map(|(version, _)| version);
    for text in unaffected {
        match text.strip_prefix("vers:").and_then(|range| range.split_once('/')) {
            Some((_, range)) => found.extend(advisory::starts_of_range(&range.replace('|', " "))),
            None => found.extend(PackageVersion::new(text)),
        }
    }
    if found.is_empty() {
        found = recommended(raw, &component.name);
    }
    found.truncate(32);
    let mut each: Vec<PackageVersion> = Vec::new();
    for version in found {
        if !each.contains(&version) {
            each.push(version);
        }
    }
    Ok(each)
}

/// `Upgrade NAME to version A, B; Upgrade OTHER to version C`, or `Update to version A.` of the only component.
fn recommended(raw: &Vulnerability, name: &str) -> Vec<PackageVersion> {
    /// A longer text is an essay.
    const MAX: usize = 64 << 10;
    if raw.recommendation.len() > MAX {
        return Vec::new();
    }
    let mut parts = raw.recommendation.split([';', '\n']).filter_map(|part| {
        let (what, versions) = part.split_once(" to version ")?;
        let what = what.trim().trim_start_matches("Upgrade").trim_start_matches("Update").trim();
        Some((what, versions))
    });
    let is_it = |what: &str| match what.strip_suffix(name) {
        _ if what.is_empty() => raw.affects.len() <= 1,
        Some(before) => !name.is_empty() && (before.is_empty() || before.ends_with(['/', ':'])),
        None => false,
    };
    let versions = parts.find(|(what, _)| is_it(what)).map_or("", |(_, versions)| versions);
    let versions = versions.split(',').map(|version| version.trim().trim_end_matches('.'));
    versions.filter_map(|version| PackageVersion::new(version).ok()).take(32).collect()
}

impl Vulnerability {
    /// What does not depend on the component.
    fn row(&self) -> Result<Row, &'static str> {
        let (vulnerability, aliases) =
            advisory::identify(&advisory::text(&self.id), self.others.iter().map(String::as_str))?;
        let scores = self.ratings.iter().filter_map(|rating| self.score(rating));
        let texts = self.texts.iter().map(String::as_str);
        Ok(Row {
            aliases,
            severity: self.severity(),
            cvss: advisory::scores(scores),
            published: advisory::time(&self.published),
            first_seen: advisory::time(&self.first_issued),
            title: row::title(texts),
            references: row::references(self.urls.iter().map(String::as_str)),
            ..Row::new(vulnerability)
        })
    }

    fn score(&self, rating: &Rating) -> Option<Cvss> {
        let source = [&rating.source, &self.source].into_iter().find(|source| !source.is_empty());
        advisory::cvss(source.map_or("unknown", |source| source), &rating.method, rating.score, &rating.vector)
    }

    /// By who tells of it, else the worst that anybody says.
    fn severity(&self) -> Option<Severity> {
        let said = |rating: &&Rating| rating.source.is_empty() || rating.source == self.source;
        let worst =
            |ratings: &mut dyn Iterator<Item = &Rating>| ratings.filter_map(|r| advisory::severity(&r.severity)).max();
        worst(&mut self.ratings.iter().filter(said)).or_else(|| worst(&mut self.ratings.iter()))
    }
}

/// A text as its owner's.
pub(super) fn owned(text: &Text<'_>) -> String {
    text.as_str().to_owned()
}
