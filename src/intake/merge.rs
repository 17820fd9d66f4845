//! Findings of several scanners on one host: what is one vulnerability of one package at one place is one finding.

use std::collections::BTreeMap;

use super::row::enrich;
use crate::model::{Finding, HostName, PackageName, VulnerabilityId};

/// The key by which findings of several scanners are one: host, vulnerability (the CVE, where the id or an alias is
/// one), package, and place on the host for what is no package of the distribution.
type Key = (HostName, VulnerabilityId, Option<PackageName>, Option<String>);

/// The findings of all hosts, and how many more were reported for one that is there already.
pub fn merge_scanners(matched: Vec<(HostName, Finding)>) -> (Vec<(HostName, Finding)>, u64) {
    let mut merged: Vec<(HostName, Finding)> = Vec::with_capacity(matched.len());
    let mut seen: BTreeMap<Key, usize> = BTreeMap::new();
    let mut again = 0;
    for (host, finding) in matched {
        let key = (host.clone(), canonical(&finding), finding.package.clone(), finding.location.clone());
        match seen.get(&key) {
            // What one scanner keeps apart stays apart.
            Some(&index) if merged[index].1.scanner != finding.scanner => {
                again += 1;
                let known = &mut merged[index].1;
                if (is_cve(&finding.vulnerability), &known.id) > (is_cve(&known.vulnerability), &finding.id) {
                    let (mut id, mut vulnerability) = (finding.id.clone(), finding.vulnerability.clone());
                    std::mem::swap(&mut known.id, &mut id);
                    std::mem::swap(&mut known.vulnerability, &mut vulnerability);
                    known.aliases.insert(vulnerability);
                } else {
                    known.aliases.insert(finding.vulnerability.clone());
                }
                enrich(known, finding);
                let own = known.vulnerability.clone();
                known.aliases.remove(&own);
            }
            _ => {
                seen.insert(key, merged.len());
                merged.push((host, finding));
            }
        }
    }
    (merged, again)
}

fn is_cve(id: &VulnerabilityId) -> bool {
    id.as_str().starts_with("CVE-")
}

fn canonical(finding: &Finding) -> VulnerabilityId {
    let cve = std::iter::once(&finding.vulnerability).chain(&finding.aliases).find(|id| is_cve(id));
    cve.unwrap_or(&finding.vulnerability).clone()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::row::{Owner, Row};
    use super::*;
    use crate::model::{AssetName, FixState, PackageVersion, Severity, VulnerabilityType};

    fn finding(scanner: &str, asset: &str, id: &str, alias: Option<&str>, severity: Severity) -> (HostName, Finding) {
        let mut row = Row::new(VulnerabilityId::new(id).unwrap());
        row.aliases = alias.map(|alias| VulnerabilityId::new(alias).unwrap()).into_iter().collect();
        row.package = Some(PackageName::new("openssl").unwrap());
        row.fixed = vec![PackageVersion::new("3.0.15").unwrap()];
        row.fix_state = FixState::Fixed;
        row.severity = Some(severity);
        let asset = AssetName::new(asset).unwrap();
        let kind = VulnerabilityType::Linux;
        let finding = row.into_finding(Owner { asset: &asset, kind, ecosystem: "deb", location: None, scanner });
        (HostName::new("web-1").unwrap(), finding)
    }

    #[test]
    fn two_scanners_that_know_a_host_by_two_names_report_one_finding_and_what_each_says_is_kept() {
        let trivy = finding("trivy", "web-1", "CVE-2026-1", None, Severity::High);
        let grype = finding("grype", "10.0.0.1", "GHSA-a", Some("CVE-2026-1"), Severity::Critical);
        let other = finding("grype", "10.0.0.1", "CVE-2026-2", None, Severity::Low);
        for matched in [vec![trivy.clone(), grype.clone(), other.clone()], vec![other, grype, trivy]] {
            let (merged, again) = merge_scanners(matched);
            assert_eq!((merged.len(), again), (2, 1));
            let one = &merged.iter().find(|(_, f)| f.vulnerability.as_str() == "CVE-2026-1").unwrap().1;
            assert_eq!(one.severity, Some(Severity::Critical), "the worst that is said");
            assert_eq!(one.aliases.iter().map(VulnerabilityId::as_str).collect::<Vec<_>>(), ["GHSA-a"]);
            let claims: Vec<_> = one.claims.iter().map(|claim| (claim.scanner.as_str(), claim.severity)).collect();
            assert_eq!(claims, [("grype", Some(Severity::Critical)), ("trivy", Some(Severity::High))]);
        }
    }

    #[test]
    fn agreement_needs_no_claims_and_one_scanner_keeps_its_rows() {
        let agreed = vec![
            finding("trivy", "web-1", "CVE-2026-1", None, Severity::High),
            finding("grype", "web-1", "CVE-2026-1", None, Severity::High),
        ];
        let (merged, again) = merge_scanners(agreed);
        assert_eq!((merged.len(), again, merged[0].1.claims.len()), (1, 1, 0));
        let own = vec![
            finding("trivy", "web-1", "CVE-2026-1", None, Severity::High),
            finding("trivy", "web-1", "DLA-1", Some("CVE-2026-1"), Severity::Low),
        ];
        assert_eq!(merge_scanners(own).0.len(), 2);
    }
}
