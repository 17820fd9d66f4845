//! Custom resources of the Trivy operator: `VulnerabilityReport`, its cluster-wide kin, and lists of them.

use serde::Deserialize;

use super::format::Format;
use super::json;
use super::lenient::{Few, Keep, Many, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Owner, Row, Sink};
use super::trivy::{
    Check, Given, RawOs, Rows, SCANNER, Scores, asset_name, classify, fix_state, given_asset, os, unnamed,
};
use crate::model::VulnerabilityType;

/// `VulnerabilityReport`, `ClusterVulnerabilityReport`, and lists of them.
pub(super) const RESOURCES: Format = Format {
    name: "trivy-operator",
    title: "custom resources of the Trivy operator (`kubectl get vulnerabilityreports -o json`)",
    scanner: SCANNER,
    is: |peek| {
        peek.root().is_some_and(|root| {
            let kind = root.text("kind");
            root.has(&["apiVersion"])
                && (kind.contains("VulnerabilityReport") || (kind == "List" && root.has(&["items"])))
        })
    },
    read: |input, report, sink| {
        read(json::parse(input.name, input.bytes)?, input.given, report, sink);
        Ok(())
    },
};

/// A custom resource of the operator, or a list of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCustomResource<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    metadata: Option<RawObjectMeta<'a>>,
    report: Option<RawOperatorReport<'a>>,
    items: Many<RawItem<'a>>,
}

/// A resource in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawItem<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    metadata: Option<RawObjectMeta<'a>>,
    report: Option<RawOperatorReport<'a>>,
}

impl Keep for RawItem<'_> {
    fn keep(&self) -> bool {
        self.report.is_some() || self.kind != Text::Absent
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawObjectMeta<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    labels: Option<RawLabels<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawLabels<'a> {
    #[serde(rename = "trivy-operator.resource.kind", borrow)]
    kind: Text<'a>,
    #[serde(rename = "trivy-operator.resource.name", borrow)]
    name: Text<'a>,
    #[serde(rename = "trivy-operator.resource.namespace", borrow)]
    namespace: Text<'a>,
    #[serde(rename = "trivy-operator.container.name", borrow)]
    container: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOperatorReport<'a> {
    os: Option<RawOs<'a>>,
    #[serde(rename = "updateTimestamp", borrow)]
    updated: Text<'a>,
    vulnerabilities: Rows<RawOperatorVulnerability<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOperatorVulnerability<'a> {
    #[serde(rename = "vulnerabilityID", borrow)]
    id: Text<'a>,
    #[serde(rename = "resource", borrow)]
    package: Text<'a>,
    #[serde(rename = "installedVersion", borrow)]
    installed: Text<'a>,
    #[serde(rename = "fixedVersion", borrow)]
    fixed: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    score: Number,
    cvss: Scores,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(rename = "primaryLink", borrow)]
    primary_link: Text<'a>,
    #[serde(borrow)]
    links: Few<Text<'a>, 64>,
    #[serde(borrow)]
    target: Text<'a>,
    #[serde(borrow)]
    class: Text<'a>,
    #[serde(rename = "packageType", borrow)]
    package_type: Text<'a>,
    #[serde(rename = "packagePath", alias = "pkgPath", borrow)]
    path: Text<'a>,
    #[serde(rename = "packagePURL", alias = "pkgPURL", borrow)]
    purl: Text<'a>,
    #[serde(rename = "publishedDate", borrow)]
    published: Text<'a>,
}

impl Check for RawOperatorVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let vulnerability = row::vulnerability_id(&self.id)?;
        let fixed = row::fixed_versions(&self.fixed)?;
        let urls = std::iter::once(&self.primary_link).chain(&self.links.0);
        // The operator's own score is the CVSS 3 score it found best.
        let own_score = || self.score.0.and_then(|score| row::cvss("trivy-operator", "3.1", score, ""));
        let cvss = if self.cvss.0.is_empty() { own_score().into_iter().collect() } else { self.cvss.0.clone() };
        // Older operators do not say the class: distribution packages have no target then.
        let is_os = match self.class.as_str() {
            "" => self.target == Text::Absent && self.path == Text::Absent,
            class => class == "os-pkgs",
        };
        let target = if is_os {
            ""
        } else {
            [&self.path, &self.target].map(Text::as_str).iter().find(|t| !t.is_empty()).copied().unwrap_or("?")
        };
        let kind = match self.package_type.as_str() {
            "" if is_os => None,
            "" => Some("unknown".to_owned()),
            kind => Some(classify(self.class.as_str(), kind, "").1.into_owned()),
        };
        Ok(Row {
            package: Some(row::package_name(&self.package)?),
            installed: row::installed_version(&self.installed)?,
            fix_state: fix_state("", &fixed),
            fixed,
            severity: row::severity(self.severity.as_str()),
            cvss,
            published: row::time(self.published.as_str()),
            title: row::title([self.title.as_str(), self.description.as_str()]),
            references: row::references(urls.map(Text::as_str)),
            path: row::location(target),
            purl_type: row::purl_type(self.purl.as_str()).or(kind),
            ..Row::new(vulnerability)
        })
    }
}

/// A custom resource of the operator, or a list of them.
fn read(raw: RawCustomResource<'_>, given: Given<'_>, report: &mut Report, sink: &mut Sink) {
    // A list of one kind may leave out the kind of its items.
    let of_list = raw.kind.as_str().strip_suffix("List").unwrap_or_default().to_owned();
    let single = RawItem { kind: raw.kind, metadata: raw.metadata, report: raw.report };
    let single = (single.report.is_some() || raw.items.0.is_empty()).then_some(single);
    for item in raw.items.0.into_iter().chain(single) {
        let kind = if item.kind == Text::Absent { &of_list } else { item.kind.as_str() };
        let is_vulnerabilities = kind.ends_with("VulnerabilityReport");
        let Some(body) = item.report.filter(|_| is_vulnerabilities) else {
            // An empty list is no resource of another kind.
            if !is_vulnerabilities && !kind.ends_with("List") {
                report.set_aside("other-resource", 1);
            }
            continue;
        };
        let meta = item.metadata.unwrap_or_default();
        let labels = meta.labels.unwrap_or_default();
        let parts = match labels.name {
            Text::Is(_) => [labels.namespace.as_str(), labels.kind.as_str(), labels.name.as_str()],
            _ => ["", meta.namespace.as_str(), meta.name.as_str()],
        };
        let name = parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let asset = given_asset(given).or_else(|| asset_name(&name)).unwrap_or_else(unnamed);
        let raw_os = body.os.unwrap_or_default();
        let os = os(raw_os.family.as_str(), raw_os.name.as_str());
        let ecosystem = classify("os-pkgs", raw_os.family.as_str(), "").1;
        let prefix = given.map(|_| format!("{name}: ")).unwrap_or_default();
        let container = format!("{prefix}{}", labels.container.as_str());
        body.vulnerabilities.pour(sink, |row| Owner {
            asset: &asset,
            kind: if row.path.is_none() { VulnerabilityType::Linux } else { VulnerabilityType::Application },
            ecosystem: &ecosystem,
            location: match &row.path {
                None => row::location(&container),
                Some(path) => row::location(&format!("{container}: {path}")),
            },
            scanner: SCANNER,
        });
        let facts = Asset {
            os,
            kind: Some("kubernetes".to_owned()),
            scanned_at: row::time(body.updated.as_str()),
            ..Asset::default()
        };
        report.assets.insert(asset, facts);
    }
}
