//! VEX documents that policies name: which statement, if any, takes a finding on a host out of the plan.
//!
//! What a statement means and is not understood here matches nothing: a wrong match would hide a vulnerability.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::Check;
use super::decide::bounded;
use super::raw::Texts;
use super::vex_names::{distribution_fits, names_asset, release_fits};
use crate::diagnostic::{Diagnostic, Source};
use crate::intake::read_vex;
use crate::model::{
    Finding, Host, Place, ProductName, Purl, RuleRef, VersionScheme, VexProduct, VexStatement, VexStatus, VexVersion,
    VulnerabilityId, package_key, printable,
};
use crate::yaml::span;

/// The statements of all documents, to be found by vulnerability and package.
#[derive(Debug, Default)]
pub(super) struct Vex {
    documents: BTreeMap<String, Arc<Source>>,
    statements: Vec<(String, VexStatement)>,
    index: BTreeMap<VulnerabilityId, BTreeMap<String, Vec<Entry>>>,
}

/// A product of a statement.
#[derive(Clone, Debug)]
struct Entry {
    statement: usize,
    product: Arc<VexProduct>,
}

/// Under this key stand products that are no packages.
const NO_PACKAGE: &str = "";

/// Reads the documents that a policy names.
pub(super) fn load(check: &mut Check<'_>, policy: &Arc<Source>, paths: Option<Texts>) {
    for path in paths.into_iter().flat_map(|paths| paths.value.0) {
        for file in check.files(policy, &path) {
            if check.policy.vex.documents.contains_key(&file.name) {
                continue;
            }
            match read_vex(&file) {
                Ok(document) => {
                    for statement in document.statements {
                        check.policy.vex.add(&file.name, statement);
                    }
                    check.policy.vex.documents.insert(file.name.clone(), file);
                }
                Err(error) => check.push(Diagnostic::from(error).at(span(policy, &path))),
            }
        }
    }
}

/// A statement that speaks of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub statement: usize,
    pub rule: RuleRef,
    pub reason: String,
}

impl Vex {
    /// How many documents and statements there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.documents.len(), self.statements.len())
    }

    pub(super) fn add(&mut self, file: &str, statement: VexStatement) {
        let number = self.statements.len();
        for id in &statement.vulnerabilities {
            let by_package = self.index.entry(id.clone()).or_default();
            for product in &statement.products {
                // Of parts only package URLs are understood; a product itself may also be a host or an image.
                let mut keys: Vec<String> = if product.parts.is_empty() {
                    product.names.iter().map(key).collect()
                } else {
                    let parts = product.parts.iter().flat_map(|part| part.iter());
                    parts.filter(|name| matches!(name, ProductName::Purl(_))).map(key).collect()
                };
                keys.sort();
                keys.dedup();
                for key in keys {
                    let entry = Entry { statement: number, product: Arc::clone(product) };
                    by_package.entry(key).or_default().push(entry);
                }
            }
        }
        self.statements.push((file.to_owned(), statement));
    }

    /// The latest statement about a finding, if it says that there is nothing to fix. Of two of the same time the one
    /// that says less wins.
    pub fn judge(&self, finding: &Finding, host: &Host) -> Option<Verdict> {
        if self.statements.is_empty() {
            return None;
        }
        let package = finding.package.as_ref().map(|name| package_key(&finding.ecosystem, name.as_str()));
        let mut latest: Option<usize> = None;
        for id in std::iter::once(&finding.vulnerability).chain(&finding.aliases) {
            let Some(by_package) = self.index.get(id) else { continue };
            for key in [package.as_deref(), Some(NO_PACKAGE)].into_iter().flatten() {
                for entry in by_package.get(key).map_or(&[][..], Vec::as_slice) {
                    let later = latest.is_none_or(|known| self.order(entry.statement, known) == Ordering::Greater);
                    if later && holds(&entry.product, self.statements[entry.statement].1.status, finding, host) {
                        latest = Some(entry.statement);
                    }
                }
            }
        }
        let statement = latest?;
        let (file, said) = &self.statements[statement];
        matches!(said.status, VexStatus::NotAffected | VexStatus::Fixed).then(|| Verdict {
            statement,
            rule: rule(file, said),
            reason: reason(said),
        })
    }

    /// Which of two statements counts: the later one, else the one that says less, else the first.
    fn order(&self, a: usize, b: usize) -> Ordering {
        let (one, other) = (&self.statements[a].1, &self.statements[b].1);
        one.timestamp.cmp(&other.timestamp).then(other.status.cmp(&one.status)).then(b.cmp(&a))
    }
}

/// Where a product is looked for.
fn key(name: &ProductName) -> String {
    match name {
        ProductName::Purl(purl) if !matches!(purl.kind.as_str(), "oci" | "docker") => purl.package_key(),
        _ => NO_PACKAGE.to_owned(),
    }
}

fn rule(file: &str, statement: &VexStatement) -> RuleRef {
    let name = file.rsplit('/').next().unwrap_or(file);
    let (line, column) = statement.place;
    RuleRef {
        name: bounded(format!("vex/{}#{}", printable(name, 80), printable(&statement.id, 120))),
        place: Some(Place { file: file.to_owned(), line, column }),
    }
}

fn reason(statement: &VexStatement) -> String {
    let what = if statement.status == VexStatus::Fixed { "contains the fix" } else { "is not affected" };
    let mut reason = format!("{} says that it {what}", printable(&statement.author, 80));
    match (&statement.justification, &statement.impact) {
        (None, None) if statement.status == VexStatus::NotAffected => reason.push_str(", without a justification"),
        (why, impact) => {
            for (mark, text) in [(", ", why), (": ", impact)] {
                if let Some(text) = text {
                    reason.push_str(mark);
                    reason.push_str(&printable(text, 200));
                }
            }
        }
    }
    reason
}

/// Whether a finding on a host is about a product.
fn holds(product: &VexProduct, status: VexStatus, finding: &Finding, host: &Host) -> bool {
    let package = |name: &ProductName, versions: Option<&[VexVersion]>| match name {
        ProductName::Purl(purl) => names_package(purl, versions, status, finding, host),
        _ => false,
    };
    // Which version a host or an image is of, as its own maker counts, is not known here.
    let asset = || product.versions.is_none() && product.names.iter().any(|name| names_asset(name, finding, host));
    if product.parts.is_empty() {
        product.names.iter().any(|name| package(name, product.versions.as_deref())) || asset()
    } else {
        product.parts.iter().flat_map(|part| part.iter()).any(|name| package(name, None)) && asset()
    }
}

/// Whether a package URL means the package of a finding.
fn names_package(
    purl: &Purl,
    versions: Option<&[VexVersion]>,
    status: VexStatus,
    finding: &Finding,
    host: &Host,
) -> bool {
    let Some(package) = &finding.package else { return false };
    if !purl.kind.eq_ignore_ascii_case(&finding.ecosystem)
        || purl.package_key() != package_key(&purl.kind, package.as_str())
    {
        return false;
    }
    if purl.is_of_distribution() {
        let vendor = purl.namespace.as_deref();
        let fits = vendor.is_none_or(|vendor| distribution_fits(vendor, host))
            && purl.qualifiers.get("distro").is_none_or(|release| release_fits(release, host));
        if !fits {
            return false;
        }
    }
    let installed = finding.installed.as_ref().map(|version| version.as_str());
    if let Some(ranges) = versions {
        return installed.is_some_and(|installed| ranges.iter().any(|range| lies_in(range, &purl.kind, installed)));
    }
    let Some(version) = &purl.version else { return true };
    let Some(installed) = installed else { return false };
    let epoch = purl.qualifiers.get("epoch").filter(|epoch| *epoch != "0" && !version.contains(':'));
    let version = epoch.map_or_else(|| version.clone(), |epoch| format!("{epoch}:{version}"));
    same_version(&purl.kind, &version, installed)
        || (status == VexStatus::Fixed
            && order(&purl.kind, installed, &version).is_some_and(|order| order != Ordering::Less))
}

/// Versions as texts that differ in ways of writing only.
fn same_version(kind: &str, a: &str, b: &str) -> bool {
    let plain = |text: &str| match kind {
        "golang" => text.strip_prefix('v').unwrap_or(text).to_owned(),
        "deb" | "rpm" => text.strip_prefix("0:").unwrap_or(text).to_owned(),
        _ => text.to_owned(),
    };
    plain(a) == plain(b)
}

/// The order of versions, where the rules of the ecosystem are known here.
fn order(kind: &str, a: &str, b: &str) -> Option<Ordering> {
    VersionScheme::from_name(kind)?.compare(a, b).ok()
}

fn lies_in(range: &VexVersion, kind: &str, installed: &str) -> bool {
    match range {
        VexVersion::Is(version) => same_version(kind, version, installed),
        VexVersion::Vers(text) => in_vers(text, installed).unwrap_or(false),
    }
}

/// No range has more parts.
const MAX_CONSTRAINTS: usize = 256;

/// Whether a version lies in a `vers:SCHEME/CONSTRAINTS` range; none where that cannot be told.
fn in_vers(text: &str, installed: &str) -> Option<bool> {
    let (scheme, constraints) = text.strip_prefix("vers:")?.split_once('/')?;
    if constraints.trim() == "*" {
        return Some(true);
    }
    let scheme = VersionScheme::from_name(scheme)?;
    let mut bounds: Vec<(&str, &str)> = Vec::new();
    for constraint in constraints.split('|').map(str::trim).filter(|constraint| !constraint.is_empty()) {
        let sign = ["<=", ">=", "!=", "<", ">", "="].into_iter().find(|sign| constraint.starts_with(sign));
        let version = constraint[sign.unwrap_or("").len()..].trim();
        let against = scheme.compare(installed, version).ok()?;
        match sign {
            None | Some("=") if against == Ordering::Equal => return Some(true),
            Some("!=") if against == Ordering::Equal => return Some(false),
            Some(sign @ ("<" | "<=" | ">" | ">=")) => bounds.push((sign, version)),
            _ => {}
        }
        if bounds.len() > MAX_CONSTRAINTS {
            return None;
        }
    }
    // Writers are to sort the bounds, and some do not.
    bounds.sort_by(|a, b| scheme.compare(a.1, b.1).unwrap_or(Ordering::Equal));
    let meets = |(sign, version): &(&str, &str)| {
        let order = scheme.compare(installed, version).unwrap_or(Ordering::Less);
        match *sign {
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            _ => order != Ordering::Less,
        }
    };
    let up = |bound: &(&str, &str)| bound.0.starts_with('>');
    let below_all = bounds.first().is_some_and(|first| !up(first) && meets(first));
    let above_all = bounds.last().is_some_and(|last| up(last) && meets(last));
    let between = bounds.windows(2).any(|pair| up(&pair[0]) && !up(&pair[1]) && meets(&pair[0]) && meets(&pair[1]));
    Some(below_all || above_all || between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_versions_are_understood_in_any_order_or_not_at_all() {
        for (range, inside, outside) in [
            ("vers:deb/<7.0.0|>=1.5.0", "1.5.0", "7.0.0"),
            ("vers:deb/<1.5.0|>=7.0.0", "1.0", "3"),
            ("vers:deb/>=7.0.0|<1.5.0", "8", "1.5.0"),
            ("vers:deb/1.0|2.0", "2.0", "1.5"),
            ("vers:deb/=1.0|>=3|<=4|>9", "10", "5"),
            ("vers:deb/!=2|>1", "3", "2"),
            ("vers:deb/>=1.0|<=2.3", "2.3", "2.4"),
        ] {
            assert_eq!(in_vers(range, inside), Some(true), "{range} {inside}");
            assert_eq!(in_vers(range, outside), Some(false), "{range} {outside}");
        }
        assert_eq!(in_vers("vers:generic/*", "1"), Some(true));
        for unknown in ["vers:cobol/>=1", "deb/1", "vers:deb", "vers:deb/>=$(id)", ""] {
            assert_ne!(in_vers(unknown, "1"), Some(true), "{unknown}");
        }
    }
}
