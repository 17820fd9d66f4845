//! Findings of a host become one transaction: each package once, at the highest version that any finding wants.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::playbook::rule;
use crate::model::{DecisionKind, Finding, Fix, PackageFix, PackageName, PackageVersion, VersionScheme};
use crate::plan::PlanError;
use crate::plan::draft::Draft;

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut manual = Vec::new();
    for host in draft.hosts.values_mut() {
        let mut packages: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        let mut windows = BTreeSet::new();
        let mut left = BTreeSet::new();
        for &finding in &host.findings {
            let found = draft.findings[finding];
            match &found.package {
                _ if found.ecosystem == "windows" => match updates(found) {
                    Some(name) => _ = windows.insert(name),
                    None => {
                        left.insert(finding);
                        manual.push((finding, "the report names no update (KB): a person must look".to_owned()));
                    }
                },
                Some(package) => packages.entry(package).or_default().push(finding),
                None => {
                    left.insert(finding);
                    manual.push((finding, "the report names no package: a person must look".to_owned()));
                }
            }
        }
        for (name, findings) in packages {
            match merge(findings.iter().map(|&f| draft.findings[f])) {
                Ok((from, to)) => {
                    host.fix.packages.push(PackageFix { name: name.clone(), from: from.cloned(), to: to.cloned() });
                }
                Err(why) => {
                    left.extend(findings.iter().copied());
                    manual.extend(findings.into_iter().map(|f| (f, why.clone())));
                }
            }
        }
        host.fix.packages.extend(windows.into_iter().map(|name| PackageFix { name, from: None, to: None }));
        host.fix.packages.sort();
        host.findings.retain(|f| !left.contains(f));
        let priority = host.findings.iter().map(|&f| draft.decisions[f].assessment.priority).max();
        host.priority = priority.unwrap_or(host.priority);
        let ids: BTreeSet<_> = host.findings.iter().map(|&f| draft.findings[f].id.clone()).collect();
        host.fix = Fix { packages: std::mem::take(&mut host.fix.packages), findings: ids.into_iter().collect() };
    }
    for (finding, why) in manual {
        draft.redecide(finding, DecisionKind::Manual, rule("versions"), why);
    }
    draft.hosts.retain(|_, host| !host.findings.is_empty());
    Ok(())
}

/// The updates of Windows that fix a finding, each on the release that it is for: `KB5003169/KB5003171`. They stay
/// together, for the others are in no host's way that has one of them.
fn updates(finding: &Finding) -> Option<PackageName> {
    let is_kb = |text: &&str| {
        text.strip_prefix("KB").is_some_and(|n| (5..=9).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let names =
        finding.fixed.iter().map(PackageVersion::as_str).chain(finding.package.as_ref().map(PackageName::as_str));
    let kbs: BTreeSet<&str> = names.filter(is_kb).collect();
    PackageName::new(&kbs.into_iter().collect::<Vec<_>>().join("/")).ok()
}

type FromTo<'a> = (Option<&'a PackageVersion>, Option<&'a PackageVersion>);

/// The version seen and the version wanted; an error, in words, where versions cannot be put in order.
fn merge<'a>(findings: impl Iterator<Item = &'a Finding>) -> Result<FromTo<'a>, String> {
    let mut ecosystem: Option<&str> = None;
    let (mut from, mut to): FromTo<'_> = (None, None);
    for finding in findings {
        if *ecosystem.get_or_insert(&finding.ecosystem) != finding.ecosystem {
            return Err(format!(
                "package {} was reported in more than one ecosystem: a person must look",
                finding.package.as_ref().map_or("", PackageName::as_str)
            ));
        }
        let order = |a: &PackageVersion, b: &PackageVersion| compare(&finding.ecosystem, a, b);
        if let Some(installed) = &finding.installed {
            from = Some(pick(from, installed, Ordering::Less, order)?);
        }
        if let Some(wanted) = wanted(finding)? {
            to = Some(pick(to, wanted, Ordering::Greater, order)?);
        }
    }
    Ok((from, to))
}

/// What this finding wants: the lowest fixed version above the installed one, so that a host stays on its branch;
/// the highest where none is known to be above.
fn wanted(finding: &Finding) -> Result<Option<&PackageVersion>, String> {
    let order = |a: &PackageVersion, b: &PackageVersion| compare(&finding.ecosystem, a, b);
    let (mut lowest_above, mut highest) = (None, None);
    for fixed in &finding.fixed {
        highest = Some(pick(highest, fixed, Ordering::Greater, order)?);
        let above = match &finding.installed {
            Some(installed) => order(fixed, installed)? == Ordering::Greater,
            None => false,
        };
        if above {
            lowest_above = Some(pick(lowest_above, fixed, Ordering::Less, order)?);
        }
    }
    Ok(lowest_above.or(highest))
}

fn pick<'a>(
    best: Option<&'a PackageVersion>,
    next: &'a PackageVersion,
    better: Ordering,
    order: impl Fn(&PackageVersion, &PackageVersion) -> Result<Ordering, String>,
) -> Result<&'a PackageVersion, String> {
    match best {
        // Versions that are equal by the rules may be spelled differently: the least spelling is taken.
        Some(best) => match order(next, best)? {
            Ordering::Equal => Ok(best.min(next)),
            found if found == better => Ok(next),
            _ => Ok(best),
        },
        None => Ok(next),
    }
}

fn compare(ecosystem: &str, a: &PackageVersion, b: &PackageVersion) -> Result<Ordering, String> {
    if a == b {
        return Ok(Ordering::Equal);
    }
    match VersionScheme::from_name(ecosystem) {
        Some(scheme) => {
            scheme.compare(a.as_str(), b.as_str()).map_err(|e| format!("versions cannot be put in order: {e}"))
        }
        None => Err(format!(
            "versions {a} and {b} cannot be put in order: the order of ecosystem {} is not known",
            crate::model::printable(ecosystem, 40)
        )),
    }
}
