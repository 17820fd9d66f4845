//! GitHub's Dependabot alerts: what its GraphQL API answers to `vulnerabilityAlerts`, and the list of its REST API.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::Report;
use super::row::{self, Row, Sink, reason};
use super::shapes::{Listed, Part};
use super::trivy::{asset_name, given_asset, unnamed};

const SCANNER: &str = "dependabot";

/// The answer of the GraphQL API.
pub(super) const GRAPHQL: Format = Format {
    name: "github-alerts-graphql",
    title: "GitHub's `vulnerabilityAlerts` (the answer of its GraphQL API)",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            let paths = ["repository", "search/nodes/0", "organization/repositories", "viewer/repositories", "node"];
            let found = |path: &str| root.has(&[&format!("data/{path}/vulnerabilityAlerts")]);
            // Too deep to be seen: no other answer is a list of repositories.
            let deep =
                root.has(&["data/organization/repositories/nodes"]) || root.has(&["data/viewer/repositories/nodes"]);
            paths.iter().any(|path| found(path)) || deep
        })
    },
    read: read_graphql,
};

/// The answer of the REST API.
pub(super) const REST: Format = Format {
    name: "github-alerts",
    title: "GitHub's Dependabot alerts (`gh api repos/OWNER/NAME/dependabot/alerts`)",
    scanner: SCANNER,
    is: |peek| peek.root().is_some_and(|root| root.has(&["0/security_advisory", "0/dependency"])),
    read: read_rest,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAnswer<'a> {
    data: Part<RawData<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawData<'a> {
    search: Part<RawRepositories<'a>>,
    organization: Part<RawOwner<'a>>,
    viewer: Part<RawOwner<'a>>,
    repository: Part<RawRepository<'a>>,
    node: Part<RawRepository<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOwner<'a> {
    repositories: Part<RawRepositories<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRepositories<'a> {
    nodes: Listed<RawRepository<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRepository<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(rename = "nameWithOwner", borrow)]
    full_name: Text<'a>,
    #[serde(rename = "vulnerabilityAlerts")]
    alerts: Part<RawAlerts<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAlerts<'a> {
    nodes: Listed<RawAlert<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAlert<'a> {
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(rename = "dismissReason", borrow)]
    dismissed: Text<'a>,
    #[serde(rename = "createdAt", borrow)]
    created: Text<'a>,
    #[serde(rename = "vulnerableManifestPath", borrow)]
    path: Text<'a>,
    #[serde(rename = "vulnerableRequirements", borrow)]
    requirements: Text<'a>,
    #[serde(rename = "securityVulnerability")]
    vulnerability: Part<RawVulnerability<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    severity: Text<'a>,
    package: Part<RawPackage<'a>>,
    #[serde(rename = "firstPatchedVersion")]
    patched: Part<RawPatched<'a>>,
    advisory: Part<RawAdvisory<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    ecosystem: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPatched<'a> {
    #[serde(borrow)]
    identifier: Text<'a>,
}

/// Both APIs: GraphQL writes `publishedAt`, REST `published_at`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    #[serde(rename = "ghsaId", borrow)]
    ghsa: Text<'a>,
    #[serde(rename = "ghsa_id", borrow)]
    ghsa_id: Text<'a>,
    #[serde(borrow)]
    cve_id: Text<'a>,
    identifiers: Few<Part<RawIdentifier<'a>>, 32>,
    #[serde(borrow)]
    summary: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    references: Few<Part<RawReference<'a>>, 64>,
    cvss: Part<RawCvss<'a>>,
    #[serde(rename = "cvssSeverities")]
    cvss_severities: Part<RawSeverities<'a>>,
    #[serde(rename = "cvss_severities")]
    rest_severities: Part<RawSeverities<'a>>,
    epss: Part<RawEpss>,
    #[serde(rename = "publishedAt", borrow)]
    published: Text<'a>,
    #[serde(borrow)]
    published_at: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawIdentifier<'a> {
    #[serde(borrow)]
    value: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReference<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    score: Number,
    #[serde(rename = "vectorString", borrow)]
    vector: Text<'a>,
    #[serde(rename = "vector_string", borrow)]
    rest_vector: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSeverities<'a> {
    #[serde(rename = "cvssV3")]
    v3: Part<RawCvss<'a>>,
    #[serde(rename = "cvssV4")]
    v4: Part<RawCvss<'a>>,
    #[serde(rename = "cvss_v3")]
    rest_v3: Part<RawCvss<'a>>,
    #[serde(rename = "cvss_v4")]
    rest_v4: Part<RawCvss<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEpss {
    percentage: Number,
}

/// What both APIs say of an alert.
struct Alert<'a> {
    state: &'a str,
    dismissed: &'a str,
    created: &'a str,
    path: &'a str,
    installed: &'a str,
    severity: &'a str,
    package: &'a RawPackage<'a>,
    patched: &'a Text<'a>,
    advisory: &'a RawAdvisory<'a>,
}

impl Alert<'_> {
    fn left_out(&self) -> Option<&'static str> {
        let lower = |text: &str| text.to_ascii_lowercase().replace([' ', '_', '-'], "");
        match (lower(self.state).as_str(), lower(self.dismissed).as_str()) {
            ("fixed", _) => Some(reason::CLOSED),
            ("dismissed" | "", "tolerablerisk" | "nobandwidth" | "riskistolerable") => Some(reason::RISK_ACCEPTED),
            ("dismissed" | "", "inaccurate") => Some(reason::FALSE_POSITIVE),
            ("dismissed" | "autodismissed", _) => Some(reason::SUPPRESSED),
            _ => None,
        }
    }

    fn check(&self) -> Result<Row, &'static str> {
        if let Some(why) = self.left_out() {
            return Err(why);
        }
        let raw = self.advisory;
        let identifiers = || raw.identifiers.0.iter().map(|Part(id)| &id.value);
        let own =
            [&raw.ghsa, &raw.ghsa_id].into_iter().find(|id| **id != Text::Absent).or_else(|| identifiers().next());
        let others = identifiers().chain([&raw.cve_id]).map(Text::as_str);
        let (vulnerability, aliases) = advisory::identify(own.unwrap_or(&raw.cve_id), others)?;
        let fixed = row::fixed_versions(self.patched)?;
        let bags = [&raw.cvss_severities.0, &raw.rest_severities.0];
        let more = bags
            .into_iter()
            .flat_map(|bag| [(&bag.v3, "3.1"), (&bag.rest_v3, "3.1"), (&bag.v4, "4.0"), (&bag.rest_v4, "4.0")]);
        let cvss = std::iter::once((&raw.cvss, "3.1")).chain(more).filter_map(|(Part(cvss), version)| {
            let vector = if cvss.vector == Text::Absent { &cvss.rest_vector } else { &cvss.vector };
            advisory::cvss("ghsa", version, cvss.score.0.filter(|score| *score > 0.0), vector.as_str())
        });
        let published = [raw.published.as_str(), raw.published_at.as_str()];
        Ok(Row {
            aliases,
            package: Some(row::package_name(&self.package.name)?),
            installed: row::installed_version(&advisory::text(self.installed))?,
            fix_state: advisory::fix_state("", &fixed),
            fixed,
            severity: advisory::severity(self.severity),
            cvss: advisory::scores(cvss),
            epss: row::probability(raw.epss.0.percentage.0),
            published: published.into_iter().find_map(advisory::time),
            first_seen: advisory::time(self.created),
            title: row::title([raw.summary.as_str(), raw.description.as_str()]),
            references: row::references(raw.references.0.iter().map(|Part(reference)| reference.url.as_str())),
            path: row::location(self.path),
            purl_type: Some(advisory::ecosystem(self.package.ecosystem.as_str())),
            ..Row::new(vulnerability)
        })
    }
}

fn read_graphql(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawAnswer<'_>> = json::parse(input.name, input.bytes)?;
    let data = &raw.0.data.0;
    let owned = [&data.organization.0, &data.viewer.0].into_iter().flat_map(|owner| &owner.repositories.0.nodes.0);
    let alone = [&data.repository.0, &data.node.0].into_iter().filter(|one| !one.alerts.0.nodes.0.is_empty());
    for repository in data.search.0.nodes.0.iter().chain(owned).chain(alone) {
        let names = [&repository.full_name, &repository.name].map(|name| asset_name(name.as_str()));
        let named = names.into_iter().flatten().next();
        let asset = given_asset(input.given).or(named).unwrap_or_else(unnamed);
        for alert in &repository.alerts.0.nodes.0 {
            let vulnerability = &alert.vulnerability.0;
            // `= 1.2.3` is what is there; a range only tells what is asked for.
            let exact = alert.requirements.as_str().strip_prefix("= ").unwrap_or_default();
            let alert = Alert {
                state: alert.state.as_str(),
                dismissed: alert.dismissed.as_str(),
                created: alert.created.as_str(),
                path: alert.path.as_str(),
                installed: exact,
                severity: vulnerability.severity.as_str(),
                package: &vulnerability.package.0,
                patched: &vulnerability.patched.0.identifier,
                advisory: &vulnerability.advisory.0,
            };
            advisory::put(sink, &asset, SCANNER, alert.check());
        }
        report.assets.entry(asset).or_default().kind = Some("repository".to_owned());
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRest<'a> {
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(borrow)]
    dismissed_reason: Text<'a>,
    #[serde(borrow)]
    created_at: Text<'a>,
    #[serde(borrow)]
    html_url: Text<'a>,
    dependency: Part<RawDependency<'a>>,
    security_advisory: Part<RawAdvisory<'a>>,
    security_vulnerability: Part<RawRestVulnerability<'a>>,
    repository: Part<RawRestRepository<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDependency<'a> {
    package: Part<RawPackage<'a>>,
    #[serde(borrow)]
    manifest_path: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRestVulnerability<'a> {
    #[serde(borrow)]
    severity: Text<'a>,
    first_patched_version: Part<RawPatched<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRestRepository<'a> {
    #[serde(borrow)]
    full_name: Text<'a>,
}

fn read_rest(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Listed<RawRest<'_>> = json::parse(input.name, input.bytes)?;
    for alert in &raw.0 {
        // `https://github.com/OWNER/NAME/security/dependabot/1`
        let of_url = || {
            let path = alert.html_url.as_str().strip_prefix("https://")?.split_once('/')?.1;
            path.split_once("/security/").map(|(name, _)| name)
        };
        let named = asset_name(alert.repository.0.full_name.as_str()).or_else(|| asset_name(of_url()?));
        let asset = given_asset(input.given).or(named).unwrap_or_else(unnamed);
        let checked = Alert {
            state: alert.state.as_str(),
            dismissed: alert.dismissed_reason.as_str(),
            created: alert.created_at.as_str(),
            path: alert.dependency.0.manifest_path.as_str(),
            installed: "",
            severity: alert.security_vulnerability.0.severity.as_str(),
            package: &alert.dependency.0.package.0,
            patched: &alert.security_vulnerability.0.first_patched_version.0.identifier,
            advisory: &alert.security_advisory.0,
        };
        advisory::put(sink, &asset, SCANNER, checked.check());
        report.assets.entry(asset).or_default().kind = Some("repository".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn graphql() {
        let alert = |state: &str, reason: &str| {
            json!({"id": "x", "state": state, "dismissReason": reason, "createdAt": "2026-01-01T00:00:00Z", "vulnerableManifestPath": "app/package-lock.json",
            "vulnerableRequirements": "= 4.17.15", "securityVulnerability": {"severity": "MODERATE", "package": {"name": "lodash", "ecosystem": "NPM"}, "firstPatchedVersion": {"identifier": "4.17.20"},
            "advisory": {"ghsaId": "GHSA-aaaa-bbbb-cccc", "summary": "a flaw", "identifiers": [{"type": "GHSA", "value": "GHSA-aaaa-bbbb-cccc"}, {"type": "CVE", "value": "CVE-2026-1234"}],
                "references": [{"url": "https://example.org/1"}], "cvss": {"score": 7.4, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, "publishedAt": "2026-01-01T00:00:00Z", "epss": {"percentage": 0.5}}}})
        };
        let repository = json!({"name": "shop", "nameWithOwner": "x/shop", "vulnerabilityAlerts": {"nodes": [alert("OPEN", ""), alert("FIXED", ""), alert("DISMISSED", "tolerable_risk"), alert("DISMISSED", "inaccurate"), alert("AUTO_DISMISSED", "")]}});
        for data in [
            json!({"search": {"nodes": [repository]}}),
            json!({"repository": repository}),
            json!({"organization": {"repositories": {"nodes": [repository]}}}),
        ] {
            let document = json!({"data": data});
            let report = read_as("github-alerts-graphql", &document);
            assert_eq!(
                shown(&report),
                [
                    "x/shop CVE-2026-1234+GHSA-aaaa-bbbb-cccc application npm lodash 4.17.15 -> 4.17.20 fixed medium #app/package-lock.json"
                ]
            );
            let left_out: Vec<_> = report.left_out.iter().map(|(why, rows)| format!("{why} {rows}")).collect();
            assert_eq!(left_out, ["closed 1", "false-positive 1", "risk-accepted 1", "suppressed-by-scanner 1"]);
            assert!(report.findings[0].epss.is_some() && report.findings[0].first_seen.is_some());
            check_sample("github-alerts-graphql", &document);
        }
    }

    #[test]
    fn rest() {
        let alert = |state: &str, reason: Value| {
            json!({"number": 1, "state": state, "dismissed_reason": reason, "html_url": "https://github.com/x/shop/security/dependabot/1", "created_at": "2026-01-01T00:00:00Z",
            "dependency": {"package": {"ecosystem": "pip", "name": "django"}, "manifest_path": "requirements.txt", "scope": "runtime"},
            "security_advisory": {"ghsa_id": "GHSA-aaaa-bbbb-cccc", "cve_id": "CVE-2026-1234", "summary": "a flaw", "severity": "high", "identifiers": [], "published_at": "2026-01-01T00:00:00Z",
                "cvss": {"vector_string": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "score": 9.8}, "cvss_severities": {"cvss_v3": {"vector_string": null, "score": 0.0}}},
            "security_vulnerability": {"severity": "high", "vulnerable_version_range": "< 4.0.2", "first_patched_version": {"identifier": "4.0.2"}}})
        };
        let document =
            json!([alert("open", json!(null)), alert("dismissed", json!("no_bandwidth")), alert("fixed", json!(null))]);
        let report = read_as("github-alerts", &document);
        assert_eq!(
            shown(&report),
            [
                "x/shop CVE-2026-1234+GHSA-aaaa-bbbb-cccc application pypi django - -> 4.0.2 fixed high #requirements.txt"
            ]
        );
        assert_eq!((report.left_out["risk-accepted"], report.left_out["closed"]), (1, 1));
        check_sample("github-alerts", &document);
    }
}
