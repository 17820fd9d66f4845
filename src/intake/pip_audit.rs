//! pip-audit's JSON: the list of dependencies that it wrote at first, and the object since.

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json::{self, Root};
use super::lenient::{Few, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink};
use super::shapes::{Listed, Part};
use super::trivy::{given_asset, unnamed};
use crate::model::FixState;

/// `pip-audit -f json`.
pub(super) const REPORT: Format = Format {
    name: "pip-audit",
    title: "pip-audit's JSON (`pip-audit -f json`)",
    scanner: "pip-audit",
    is: |peek| {
        peek.root().is_some_and(|root| {
            let of = |first: &str| {
                root.has(&[&format!("{first}/name")])
                    && (root.has(&[&format!("{first}/vulns")]) || root.has(&[&format!("{first}/skip_reason")]))
            };
            let empty = matches!(root.at("dependencies"), Some(Root::List(None))) && root.has(&["fixes"]);
            of("0") || of("dependencies/0") || empty
        })
    },
    read,
};

/// Both roots: the object has the list in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    dependencies: Listed<RawDependency<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawDependency<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    vulns: Listed<RawVulnerability<'a>>,
    #[serde(borrow)]
    skip_reason: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    aliases: Few<Text<'a>, 64>,
    #[serde(borrow)]
    fix_versions: Few<Text<'a>, 32>,
    #[serde(borrow)]
    description: Text<'a>,
}

impl RawVulnerability<'_> {
    fn check(&self, dependency: &RawDependency<'_>) -> Result<Row, &'static str> {
        let (vulnerability, aliases) = advisory::identify(&self.id, self.aliases.0.iter().map(Text::as_str))?;
        let fixed = advisory::versions(self.fix_versions.0.iter().map(Text::as_str))?;
        Ok(Row {
            aliases,
            package: Some(row::package_name(&dependency.name)?),
            installed: row::installed_version(&dependency.version)?,
            fix_state: if fixed.is_empty() { FixState::NotFixed } else { FixState::Fixed },
            fixed,
            title: row::title([self.description.as_str()]),
            purl_type: Some("pypi".to_owned()),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let is_list = input.bytes.trim_ascii_start().starts_with(b"[");
    let dependencies = if is_list {
        json::parse(input.name, input.bytes)?
    } else {
        json::parse::<Part<RawReport<'_>>>(input.name, input.bytes)?.0.dependencies
    };
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    for dependency in &dependencies.0 {
        if dependency.skip_reason != Text::Absent {
            report.set_aside("skipped-dependency", 1);
        }
        for vulnerability in &dependency.vulns.0 {
            advisory::put(sink, &asset, "pip-audit", vulnerability.check(dependency));
        }
    }
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn both_shapes() {
        let list = json!([
            {"name": "Flask", "version": "0.5", "vulns": [
                {"id": "PYSEC-2026-66", "aliases": ["CVE-2026-1234", "GHSA-aaaa-bbbb-cccc"], "fix_versions": ["0.12.3", "1.0"], "description": "a flaw"},
                {"id": "PYSEC-2026-67", "fix_versions": []}, 7]},
            {"name": "azure-devops", "skip_reason": "not found on PyPI"},
            {"name": "ok", "version": "1", "vulns": []}]);
        for document in [list.clone(), json!({"dependencies": list, "fixes": []})] {
            let report = read_as("pip-audit", &document);
            assert_eq!(
                shown(&report),
                [
                    "unnamed artifact CVE-2026-1234+GHSA-aaaa-bbbb-cccc+PYSEC-2026-66 application pypi Flask 0.5 -> 0.12.3,1.0 fixed -",
                    "unnamed artifact PYSEC-2026-67 application pypi Flask 0.5 -> not_fixed -",
                ]
            );
            assert_eq!((report.set_aside["skipped-dependency"], report.left_out["missing-vulnerability-id"]), (1, 1));
            check_sample("pip-audit", &document);
        }
        let skipped = json!([{"name": "a", "skip_reason": "x"}]);
        assert_eq!(read_as("pip-audit", &skipped).read, 0);
        assert_eq!(read_as("pip-audit", &json!({"dependencies": [], "fixes": []})).read, 0);
    }
}
