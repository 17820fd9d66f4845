//! cargo-audit's JSON: vulnerabilities of a lock file. Its warnings are of crates without a vulnerability.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink, reason};
use super::shapes::{Listed, Named, Part, Tally};
use super::trivy::{given_asset, unnamed};
use crate::model::FixState;

/// `cargo audit --json`.
pub(super) const REPORT: Format = Format {
    name: "cargo-audit",
    title: "cargo-audit's JSON (`cargo audit --json`)",
    scanner: "cargo-audit",
    is: |peek| {
        peek.root().is_some_and(|root| {
            root.has(&["vulnerabilities/list"]) && (root.has(&["lockfile"]) || root.has(&["database"]))
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    vulnerabilities: Part<RawList<'a>>,
    warnings: Named<'a, Tally>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawList<'a> {
    list: Listed<RawVulnerability<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    advisory: Part<RawAdvisory<'a>>,
    versions: Part<RawVersions<'a>>,
    package: Part<RawPackage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAdvisory<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    package: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    date: Text<'a>,
    #[serde(borrow)]
    aliases: Few<Text<'a>, 32>,
    #[serde(borrow)]
    cvss: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    references: Few<Text<'a>, 32>,
    #[serde(borrow)]
    withdrawn: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVersions<'a> {
    #[serde(borrow)]
    patched: Few<Text<'a>, 32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawPackage<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

impl RawVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let advisory = &self.advisory.0;
        let (vulnerability, aliases) = advisory::identify(&advisory.id, advisory.aliases.0.iter().map(Text::as_str))?;
        let name = if self.package.0.name == Text::Absent { &advisory.package } else { &self.package.0.name };
        // `^1.2.3` and `~1.2.3` are fixed from there on, within their branch.
        let patched: Vec<String> =
            self.versions.0.patched.0.iter().map(|range| range.as_str().replace(['^', '~'], ">=")).collect();
        let fixed: Vec<_> = patched.iter().flat_map(|range| advisory::starts_of_range(range)).take(32).collect();
        let cvss = advisory::scores(advisory::cvss("rustsec", "", None, advisory.cvss.as_str()));
        Ok(Row {
            aliases,
            package: Some(row::package_name(name)?),
            installed: row::installed_version(&self.package.0.version)?,
            fix_state: if fixed.is_empty() { FixState::NotFixed } else { FixState::Fixed },
            fixed,
            severity: cvss.first().and_then(|cvss| advisory::severity_of_score(cvss.score.into())),
            cvss,
            published: advisory::time(advisory.date.as_str()),
            title: row::title([advisory.title.as_str()]),
            references: row::references(std::iter::once(&advisory.url).chain(&advisory.references.0).map(Text::as_str)),
            purl_type: Some("cargo".to_owned()),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawReport<'_>> = json::parse(input.name, input.bytes)?;
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    for vulnerability in &raw.0.vulnerabilities.0.list.0 {
        if vulnerability.advisory.0.withdrawn == Text::Absent {
            advisory::put(sink, &asset, "cargo-audit", vulnerability.check());
        } else {
            sink.leave_out(reason::CLOSED, 1);
        }
    }
    for (kind, list) in &raw.0.warnings.0 {
        let kind = ["unmaintained", "unsound", "yanked", "notice"].into_iter().find(|known| known == kind);
        report.set_aside(kind.unwrap_or("warning"), list.0.len() as u64);
    }
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn vulnerabilities_and_warnings() {
        let document = json!({
            "database": {"advisory-count": 500}, "lockfile": {"dependency-count": 241}, "settings": {"ignore": []},
            "vulnerabilities": {"found": true, "count": 3, "list": [
                {"advisory": {"id": "RUSTSEC-2026-0071", "package": "time", "title": "a flaw", "date": "2026-01-01", "aliases": ["CVE-2026-1234"],
                    "cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "references": ["https://example.org/1"], "url": "https://github.com/x", "withdrawn": null},
                 "versions": {"patched": [">=0.2.23", "^0.1.45"], "unaffected": ["=0.2.0"]}, "affected": null,
                 "package": {"name": "time", "version": "0.1.43", "source": "registry+https://github.com/rust-lang/crates.io-index", "dependencies": []}},
                {"advisory": {"id": "RUSTSEC-2026-0072", "package": "old", "cvss": null}, "versions": {"patched": []}},
                {"advisory": {"id": "RUSTSEC-2026-0073", "withdrawn": "2026-01-01"}}]},
            "warnings": {"unmaintained": [{}, {}], "yanked": [{}], "other": [{}]}});
        let report = read_as("cargo-audit", &document);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact CVE-2026-1234+RUSTSEC-2026-0071 application cargo time 0.1.43 -> 0.2.23,0.1.45 fixed high",
                "unnamed artifact RUSTSEC-2026-0072 application cargo old - -> not_fixed -",
            ]
        );
        let aside: Vec<_> = report.set_aside.iter().map(|(what, count)| format!("{what} {count}")).collect();
        assert_eq!((aside.join(", ").as_str(), report.left_out["closed"]), ("unmaintained 2, warning 1, yanked 1", 1));
        assert_eq!(report.findings[0].cvss[0].score.to_string(), "7.5");
        check_sample("cargo-audit", &document);
    }
}
