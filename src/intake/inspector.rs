//! Amazon Inspector v2: findings about packages of instances, images and functions.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::aws::{self, PackagesOf, RawPackage, RawTags};
use super::each::{self, Amount, Object, Objects, Shape};
use super::format::{Format, Input};
use super::json::Root;
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, MAX_ALIASES, MAX_SCORES, Row, Sink, reason};
use super::subject::{self, Subject};
use crate::model::{AssetName, Cvss, Os};

pub(super) const SCANNER: &str = "aws-inspector";

/// `aws inspector2 list-findings`, or its findings line by line.
pub(super) const FINDINGS: Format = Format {
    name: "aws-inspector2",
    title: "Amazon Inspector v2's findings (`aws inspector2 list-findings`)",
    scanner: SCANNER,
    is: |peek| {
        // `{"findings": []}`: Inspector found nothing, and nobody else writes so.
        let is_empty = |root: &Root| match root {
            Root::Object(keys) => keys.len() == 1 && matches!(keys.get("findings"), Some(Root::List(None))),
            _ => false,
        };
        each::is_one(peek, SHAPES) || peek.root().is_some_and(is_empty)
    },
    read: |input, report, sink| {
        let shapes = [SHAPES, &[Shape { has: &["findings"], rows: &["findings"] }]].concat();
        each::each(input, &shapes, |raw: Option<RawFinding<'_>>| match raw {
            Some(raw) => take(&raw, input, report, sink),
            None => sink.leave_out(reason::MALFORMED, 1),
        })
    },
};

const SHAPES: &[Shape] = &[
    Shape { has: &["findings/0/findingArn"], rows: &["findings"] },
    Shape { has: &["findings/0/packageVulnerabilityDetails"], rows: &["findings"] },
    Shape { has: &["0/findings/0/findingArn"], rows: &["findings"] },
    Shape { has: &["0/findingArn"], rows: &[] },
    Shape { has: &["findingArn", "resources"], rows: &[] },
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    first_observed_at: Text<'a>,
    #[serde(borrow)]
    last_observed_at: Text<'a>,
    epss: Object<RawEpss>,
    inspector_score_details: Object<RawScoreDetails<'a>>,
    package_vulnerability_details: Object<RawDetails<'a>>,
    resources: Few<Object<RawResource<'a>>, 32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEpss {
    score: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawScoreDetails<'a> {
    adjusted_cvss: Object<RawCvss<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    #[serde(alias = "score")]
    base_score: Amount,
    #[serde(borrow)]
    scoring_vector: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawDetails<'a> {
    #[serde(borrow)]
    vulnerability_id: Text<'a>,
    #[serde(borrow)]
    related_vulnerabilities: Few<Text<'a>, MAX_ALIASES>,
    #[serde(borrow)]
    source_url: Text<'a>,
    #[serde(borrow)]
    reference_urls: Few<Text<'a>, 64>,
    #[serde(borrow)]
    vendor_created_at: Text<'a>,
    cvss: Few<Object<RawCvss<'a>>, MAX_SCORES>,
    vulnerable_packages: Objects<RawPackage<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawResource<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    tags: Object<RawTags<'a>>,
    details: Object<RawResourceDetails<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawResourceDetails<'a> {
    aws_ec2_instance: Object<RawInstance<'a>>,
    aws_ecr_container_image: Object<RawImage<'a>>,
    aws_lambda_function: Object<RawFunction<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawInstance<'a> {
    #[serde(rename = "ipV4Addresses", borrow)]
    ip_v4: Few<Text<'a>, 16>,
    #[serde(rename = "ipV6Addresses", borrow)]
    ip_v6: Few<Text<'a>, 16>,
    #[serde(borrow)]
    platform: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawImage<'a> {
    #[serde(borrow)]
    platform: Text<'a>,
    #[serde(borrow)]
    repository_name: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawFunction<'a> {
    #[serde(borrow)]
    function_name: Text<'a>,
}

impl RawCvss<'_> {
    fn read(&self) -> Option<Cvss> {
        let vector = self.scoring_vector.as_str();
        let version = subject::cvss_version(vector, self.version.as_str());
        let source = if self.source == Text::Absent { SCANNER } else { self.source.as_str() };
        row::cvss(&source.to_ascii_lowercase(), version, self.base_score.0?, vector)
    }
}

impl RawResource<'_> {
    /// An instance is known by its id: its tag `Name` is shared by all that one group starts.
    fn enter(&self, input: &Input<'_>, report: &mut Report, seen: &str) -> (AssetName, Option<Os>) {
        let id = self.id.as_str();
        let mut names = vec![aws::short(id), id];
        let (mut platform, mut kind) = ("", "resource");
        if let Some(details) = &self.details.0 {
            if let Some(instance) = &details.aws_ec2_instance.0 {
                kind = "host";
                platform = instance.platform.as_str();
                names.extend(instance.ip_v4.0.iter().chain(&instance.ip_v6.0).map(Text::as_str));
            }
            if let Some(image) = &details.aws_ecr_container_image.0 {
                kind = "container_image";
                platform = image.platform.as_str();
                names.push(image.repository_name.as_str());
            }
            if let Some(function) = &details.aws_lambda_function.0 {
                kind = "function";
                names.push(function.function_name.as_str());
            }
        }
        if let Some(tags) = &self.tags.0 {
            names.push(tags.name.as_str());
        }
        if self.kind.as_str() == "AWS_EC2_INSTANCE" {
            kind = "host";
        }
        let os = aws::os(platform);
        (Subject { names, os: os.clone(), kind, seen: subject::moment(seen) }.enter(input, report), os)
    }
}

impl RawFinding<'_> {
    /// Everything but the package.
    fn row(&self, details: &RawDetails<'_>) -> Result<Row, &'static str> {
        let vulnerability = row::vulnerability_id(&details.vulnerability_id)?;
        let adjusted = self.inspector_score_details.0.as_ref().and_then(|scores| scores.adjusted_cvss.0.as_ref());
        let given = details.cvss.0.iter().filter_map(|cvss| cvss.0.as_ref());
        let scores: BTreeSet<Cvss> = given.chain(adjusted).filter_map(RawCvss::read).take(MAX_SCORES).collect();
        let urls = std::iter::once(&details.source_url).chain(&details.reference_urls.0);
        Ok(Row {
            aliases: row::aliases(&details.related_vulnerabilities.0, &vulnerability),
            severity: row::severity(self.severity.as_str()),
            cvss: scores.into_iter().collect(),
            epss: row::probability(self.epss.0.as_ref().and_then(|epss| epss.score.0)),
            published: subject::moment(details.vendor_created_at.as_str()),
            first_seen: subject::moment(self.first_observed_at.as_str()),
            title: row::title([self.title.as_str()]),
            references: row::references(urls.map(Text::as_str)),
            ..Row::new(vulnerability)
        })
    }
}

fn take(raw: &RawFinding<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let other = match raw.kind.as_str() {
        "NETWORK_REACHABILITY" => Some("network-reachability"),
        "CODE_VULNERABILITY" => Some("code-vulnerability"),
        _ => None,
    };
    if let Some(other) = other {
        return report.set_aside(other, 1);
    }
    let empty = RawDetails::default();
    let details = raw.package_vulnerability_details.0.as_ref().unwrap_or(&empty);
    let nowhere = Object(Some(RawResource::default()));
    let resources = if raw.resources.0.is_empty() { std::slice::from_ref(&nowhere) } else { &raw.resources.0 };
    for resource in resources.iter().filter_map(|resource| resource.0.as_ref()) {
        let (asset, os) = resource.enter(input, report, raw.last_observed_at.as_str());
        let row = match raw.status.as_str() {
            "CLOSED" => Err(reason::CLOSED),
            "SUPPRESSED" => Err(reason::SUPPRESSED),
            _ => raw.row(details),
        };
        PackagesOf { asset: &asset, os: os.as_ref(), scanner: SCANNER }.add(&details.vulnerable_packages, row, sink);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};
    use crate::model::{FixState, VulnerabilityType};

    fn read(text: &str) -> Report {
        read_report("i.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn finding(status: &str, packages: &Value) -> Value {
        json!({"findingArn": "arn:aws:inspector2:x", "type": "PACKAGE_VULNERABILITY", "status": status, "severity": "HIGH",
            "title": "CVE-2026-1000 - libxml2", "firstObservedAt": "2026-01-02T03:04:05+01:00", "epss": {"score": 0.25},
            "inspectorScoreDetails": {"adjustedCvss": {"score": 7.5, "scoringVector": "CVSS:3.1/AV:N", "version": "3.1"}},
            "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2026-1000", "relatedVulnerabilities": ["GHSA-1"],
                "cvss": [{"baseScore": 2.6, "scoringVector": "AV:N/AC:H/Au:N/C:N/I:N/A:P", "source": "NVD", "version": "2.0"}],
                "referenceUrls": ["https://example.org/1"], "sourceUrl": "https://example.org/0", "vulnerablePackages": packages},
            "resources": [{"type": "AWS_EC2_INSTANCE", "id": "i-0b22", "tags": {"Name": "web"},
                "details": {"awsEc2Instance": {"ipV4Addresses": ["10.0.0.1"], "platform": "CENTOS_7"}}}]})
    }

    fn package(name: &str, manager: &str, fixed: &str) -> Value {
        json!({"name": name, "epoch": 0, "version": "2.9.1", "release": "6.el7", "fixedInVersion": fixed,
            "packageManager": manager, "filePath": "app/lock"})
    }

    #[test]
    fn every_package_of_a_finding_is_one() {
        let packages = json!([package("libxml2", "OS", "0:2.9.1-7.el7"), package("semver", "NODEPKG", "NotAvailable")]);
        let report = read(&json!({"findings": [finding("ACTIVE", &packages)]}).to_string());
        assert_eq!((report.format, report.read, report.findings.len()), ("aws-inspector2", 2, 2));
        let [os, npm] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!(
            (os.kind, os.ecosystem.as_str(), os.fixed[0].as_str()),
            (VulnerabilityType::Linux, "rpm", "2.9.1-7.el7")
        );
        assert_eq!(os.installed.as_ref().unwrap().as_str(), "2.9.1-6.el7");
        assert_eq!(
            (npm.ecosystem.as_str(), npm.fix_state, npm.location.as_deref()),
            ("npm", FixState::NotFixed, Some("app/lock"))
        );
        let scores: Vec<_> = os.cvss.iter().map(|c| format!("{} {} {}", c.source, c.version, c.score)).collect();
        assert_eq!(scores, ["aws-inspector 3.1 7.5", "nvd 2.0 2.6"]);
        assert_eq!((os.epss.unwrap().hundred_thousandths(), os.aliases.len(), os.references.len()), (25_000, 1, 2));
        let asset = &report.assets["i-0b22"];
        assert_eq!(asset.names.iter().map(|n| n.as_str()).collect::<Vec<_>>(), ["10.0.0.1", "web"]);
        assert_eq!(asset.os.as_ref().unwrap().name, "centos");
    }

    #[test]
    fn closed_and_suppressed_findings_and_other_kinds_open_no_work() {
        let packages = json!([package("a", "OS", "1"), package("b", "OS", "1")]);
        let mut network = finding("ACTIVE", &packages);
        network["type"] = json!("NETWORK_REACHABILITY");
        let rows =
            [finding("CLOSED", &packages), finding("SUPPRESSED", &packages), network, finding("ACTIVE", &json!([]))];
        let text = rows.map(|row| row.to_string()).join("\n");
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (5, 1));
        assert_eq!((report.left_out["closed"], report.left_out["suppressed-by-scanner"]), (2, 2));
        assert_eq!(report.set_aside["network-reachability"], 1);
        assert_eq!(report.findings[0].package, None);
        assert_eq!((read(r#"{"findings": []}"#).format, read(r#"{"findings": []}"#).read), ("aws-inspector2", 0));
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let packages =
            json!([package("a; reboot", "OS", "1"), package("a", "OS", "$(id)"), 7, package("a", "OS", "1")]);
        let mut nameless = finding("ACTIVE", &packages);
        nameless["packageVulnerabilityDetails"]["vulnerabilityId"] = json!(["x"]);
        let mut odd = finding("ACTIVE", &json!("x"));
        odd["resources"] = json!("x");
        odd["epss"] = json!(1e300);
        let text = json!({"findings": [finding("ACTIVE", &packages), nameless, odd, null, 7]}).to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (4 + 4 + 1 + 2, 2), "{:?}", report.left_out);
        assert_eq!(report.read, report.findings.len() as u64 + report.left_out.values().sum::<u64>());
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("i", &text.as_bytes()[..end], &ReadOptions::default());
        }
        let many = Value::Array(vec![package("a", "OS", "1"); 5000]);
        let report = read(&json!({"findings": [finding("ACTIVE", &many)]}).to_string());
        assert_eq!((report.read, report.left_out["too-many-packages"]), (5000, 904));
    }
}
