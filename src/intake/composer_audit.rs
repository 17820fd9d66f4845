//! `composer audit` in JSON.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink};
use super::shapes::{Listed, Named, Part};
use super::trivy::{given_asset, unnamed};

/// `composer audit --format=json`.
pub(super) const REPORT: Format = Format {
    name: "composer-audit",
    title: "`composer audit --format=json`",
    scanner: "composer-audit",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let own = root.has(&["abandoned"]) || root.has(&["ignored-advisories"]);
            let alone = matches!(root, Root::Object(keys) if keys.len() == 1);
            let advisories = matches!(root.at("advisories"), Some(Root::Object(_) | Root::List(None)));
            advisories && (own || alone) && !root.has(&["metadata"])
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    advisories: Named<'a, Listed<RawAdvisory<'a>>>,
    #[serde(rename = "ignored-advisories")]
    ignored: Named<'a, Listed<RawAdvisory<'a>>>,
    abandoned: Named<'a, serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    #[serde(rename = "advisoryId", borrow)]
    id: Text<'a>,
    #[serde(rename = "packageName", borrow)]
    package: Text<'a>,
    #[serde(rename = "affectedVersions", borrow)]
    affected: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    cve: Text<'a>,
    #[serde(borrow)]
    link: Text<'a>,
    #[serde(rename = "reportedAt", borrow)]
    reported: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    sources: Few<Part<RawSource<'a>>, 16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSource<'a> {
    #[serde(rename = "remoteId", borrow)]
    id: Text<'a>,
}

impl RawAdvisory<'_> {
    fn check(&self, key: &str) -> Result<Row, &'static str> {
        let sources = self.sources.0.iter().map(|Part(source)| source.id.as_str());
        // The other sources name files and addresses, too.
        let others = sources.filter(|id| advisory::is_ghsa(id) || advisory::is_cve(id));
        let (vulnerability, aliases) = advisory::identify(&self.id, others.chain([self.cve.as_str()]))?;
        let fixed = advisory::ends_of_range(self.affected.as_str());
        let name = if self.package == Text::Absent { advisory::text(key) } else { self.package.clone() };
        Ok(Row {
            aliases,
            package: Some(row::package_name(&name)?),
            fix_state: advisory::fix_state("", &fixed),
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            published: advisory::time(self.reported.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references([self.link.as_str()]),
            purl_type: Some("composer".to_owned()),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawReport<'_>> = json::parse(input.name, input.bytes)?;
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    for (package, advisories) in &raw.0.advisories.0 {
        for advisory in &advisories.0 {
            advisory::put(sink, &asset, "composer-audit", advisory.check(package));
        }
    }
    let ignored: usize = raw.0.ignored.0.iter().map(|(_, advisories)| advisories.0.len()).sum();
    report.set_aside("suppressed-by-scanner", ignored as u64);
    report.set_aside("abandoned-package", raw.0.abandoned.0.len() as u64);
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn lists_and_what_php_makes_of_them() {
        let advisory = json!({"advisoryId": "PKSA-pwh8-d4fr-nywn", "packageName": "league/flysystem", "affectedVersions": "<1.1.4|>=2.0.0,<2.1.1", "title": "a flaw",
            "cve": "CVE-2026-1234", "link": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "reportedAt": "2026-01-01T00:00:00+00:00",
            "sources": [{"name": "GitHub", "remoteId": "GHSA-aaaa-bbbb-cccc"}, {"name": "FriendsOfPHP", "remoteId": "league/flysystem/CVE-2026-1234.yaml"}], "severity": "critical"});
        let line = "unnamed artifact CVE-2026-1234+GHSA-aaaa-bbbb-cccc+PKSA-pwh8-d4fr-nywn application composer league/flysystem - -> 1.1.4,2.1.1 fixed critical";
        for list in [json!([advisory]), json!({"3": advisory})] {
            let document = json!({"advisories": {"league/flysystem": list}, "ignored-advisories": {"x/y": [advisory]}, "abandoned": {"a/b": null}});
            let report = read_as("composer-audit", &document);
            assert_eq!(shown(&report), [line]);
            assert_eq!((report.set_aside["suppressed-by-scanner"], report.set_aside["abandoned-package"]), (1, 1));
            check_sample("composer-audit", &document);
        }
        for empty in [json!({"advisories": [], "abandoned": []}), json!({"advisories": []})] {
            assert_eq!(read_as("composer-audit", &empty).read, 0);
        }
    }
}
