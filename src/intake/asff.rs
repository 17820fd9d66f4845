//! AWS Security Hub's finding format (ASFF): Inspector's findings, and what Trivy writes in it.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::aws::{self, PackagesOf, RawPackage, RawTags};
use super::each::{self, Amount, Object, Objects, Shape};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::inspector;
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, MAX_ALIASES, MAX_SCORES, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{AssetName, Cvss, FixState, Os};

/// `aws securityhub get-findings`, a list of findings, or findings line by line.
pub(super) const FINDINGS: Format = Format {
    name: "asff",
    title: "AWS Security Hub's findings (ASFF), by Inspector, Trivy and others",
    scanner: "aws-security-hub",
    is: |peek| each::is_one(peek, SHAPES),
    read,
};

const SHAPES: &[Shape] = &[
    Shape { has: &["Findings/0/ProductArn"], rows: &["Findings"] },
    Shape { has: &["findings/0/ProductArn"], rows: &["findings"] },
    Shape { has: &["0/ProductArn", "0/SchemaVersion"], rows: &[] },
    Shape { has: &["0/Findings/0/ProductArn"], rows: &["Findings"] },
    Shape { has: &["ProductArn", "SchemaVersion", "Resources"], rows: &[] },
    // An event of EventBridge.
    Shape { has: &["detail/findings/0/ProductArn"], rows: &["detail", "findings"] },
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(borrow)]
    product_arn: Text<'a>,
    #[serde(borrow)]
    types: Few<Text<'a>, 16>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    first_observed_at: Text<'a>,
    #[serde(borrow)]
    updated_at: Text<'a>,
    #[serde(borrow)]
    record_state: Text<'a>,
    #[serde(borrow)]
    workflow_state: Text<'a>,
    workflow: Object<RawWorkflow<'a>>,
    compliance: Object<RawCompliance>,
    severity: Object<RawSeverity<'a>>,
    product_fields: Object<RawProductFields<'a>>,
    /// Some exports have it here, others with the vulnerability.
    epss_score: Amount,
    vulnerabilities: Objects<RawVulnerability<'a>>,
    resources: Few<Object<RawResource<'a>>, 32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCompliance {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawWorkflow<'a> {
    #[serde(borrow)]
    status: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawSeverity<'a> {
    #[serde(borrow)]
    label: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawProductFields<'a> {
    #[serde(rename = "aws/inspector/FindingStatus", borrow)]
    status: Text<'a>,
    #[serde(rename = "aws/inspector/instanceId", borrow)]
    instance: Text<'a>,
    #[serde(rename = "aws/inspector/resources/1/resourceDetails/awsEc2InstanceDetails/platform", borrow)]
    instance_platform: Text<'a>,
    #[serde(rename = "aws/inspector/resources/1/resourceDetails/awsEcrContainerImageDetails/platform", borrow)]
    image_platform: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    related_vulnerabilities: Few<Text<'a>, MAX_ALIASES>,
    vulnerable_packages: Objects<RawPackage<'a>>,
    cvss: Few<Object<RawCvss<'a>>, MAX_SCORES>,
    vendor: Object<RawVendor<'a>>,
    #[serde(borrow)]
    reference_urls: Few<Text<'a>, 64>,
    #[serde(borrow)]
    fix_available: Text<'a>,
    epss_score: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawCvss<'a> {
    base_score: Amount,
    #[serde(borrow)]
    base_vector: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawVendor<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    vendor_created_at: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawResource<'a> {
    #[serde(rename = "Type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    tags: Object<RawTags<'a>>,
    details: Object<RawResourceDetails<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawResourceDetails<'a> {
    aws_ec2_instance: Object<RawInstance<'a>>,
    aws_ecr_container_image: Object<RawImage<'a>>,
    other: Object<RawTrivy<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawInstance<'a> {
    #[serde(rename = "IpV4Addresses", borrow)]
    ip_v4: Few<Text<'a>, 16>,
    #[serde(rename = "IpV6Addresses", borrow)]
    ip_v6: Few<Text<'a>, 16>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
struct RawImage<'a> {
    #[serde(borrow)]
    repository_name: Text<'a>,
}

/// Where Trivy puts what it knows.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawTrivy<'a> {
    #[serde(rename = "CVE ID", borrow)]
    id: Text<'a>,
    #[serde(rename = "CVE Title", borrow)]
    title: Text<'a>,
    #[serde(rename = "PkgName", borrow)]
    package: Text<'a>,
    #[serde(rename = "Installed Package", borrow)]
    installed: Text<'a>,
    #[serde(rename = "Patched Package", borrow)]
    fixed: Text<'a>,
    #[serde(rename = "NvdCvssScoreV2")]
    v2_score: Amount,
    #[serde(rename = "NvdCvssVectorV2", borrow)]
    v2_vector: Text<'a>,
    #[serde(rename = "NvdCvssScoreV3")]
    v3_score: Amount,
    #[serde(rename = "NvdCvssVectorV3", borrow)]
    v3_vector: Text<'a>,
}

impl RawFinding<'_> {
    /// Why it opens no work.
    fn is_done(&self) -> Option<&'static str> {
        let workflow = self.workflow.0.as_ref().map_or(self.workflow_state.as_str(), |flow| flow.status.as_str());
        let inspector = self.product_fields.0.as_ref().map_or("", |fields| fields.status.as_str());
        match (workflow, inspector) {
            ("SUPPRESSED", _) | (_, "SUPPRESSED") => Some(reason::SUPPRESSED),
            ("RESOLVED", _) | (_, "CLOSED") => Some(reason::CLOSED),
            _ if self.record_state.as_str() == "ARCHIVED" => Some(reason::CLOSED),
            _ => None,
        }
    }

    fn is_by_trivy(&self) -> bool {
        self.product_arn.as_str().ends_with("/aquasecurity/aquasecurity")
    }

    fn severity(&self) -> Option<crate::model::Severity> {
        self.severity.0.as_ref().and_then(|severity| row::severity(severity.label.as_str()))
    }

    /// What it is where it is no vulnerability of a package.
    fn other_kind(&self) -> Option<&'static str> {
        let has = |what: &str| self.types.0.iter().any(|kind| kind.as_str().contains(what));
        let trivy = self.resources.0.iter().filter_map(|r| r.0.as_ref()?.details.0.as_ref()?.other.0.as_ref());
        match () {
            () if !self.vulnerabilities.first.is_empty() || trivy.into_iter().any(|other| other.id != Text::Absent) => {
                None
            }
            () if has("Software and Configuration Checks/Vulnerabilities") => None,
            () if self.compliance.0.is_some() || has("Industry and Regulatory Standards") => Some("compliance"),
            () if has("Sensitive Data") => Some("secret"),
            () if has("Software and Configuration Checks") => Some("misconfiguration"),
            () => Some("other-finding"),
        }
    }

    /// A finding of Inspector that came without its vulnerabilities still begins its title with the id.
    fn by_title(&self) -> Result<Row, &'static str> {
        let first = self.title.as_str().split_whitespace().next().unwrap_or_default();
        let known = ["CVE-", "GHSA-", "ALAS"].iter().any(|start| first.starts_with(start));
        let id = if known { Text::Is(first.into()) } else { Text::Absent };
        Ok(Row::new(row::vulnerability_id(&id)?))
    }

    fn row(&self, vulnerability: Option<&RawVulnerability<'_>>) -> Result<Row, &'static str> {
        let mut row = match vulnerability {
            None => self.by_title()?,
            Some(raw) => {
                let id = row::vulnerability_id(&raw.id)?;
                let scores: BTreeSet<Cvss> = raw.cvss.0.iter().filter_map(|cvss| cvss.0.as_ref()?.read()).collect();
                let vendor = raw.vendor.0.as_ref();
                let urls = vendor.map(|vendor| &vendor.url).into_iter().chain(&raw.reference_urls.0);
                Row {
                    aliases: row::aliases(&raw.related_vulnerabilities.0, &id),
                    cvss: scores.into_iter().collect(),
                    epss: row::probability(raw.epss_score.0),
                    published: vendor.and_then(|vendor| subject::moment(vendor.vendor_created_at.as_str())),
                    references: row::references(urls.map(Text::as_str)),
                    fix_state: if raw.fix_available.as_str() == "NO" { FixState::NotFixed } else { FixState::Unknown },
                    ..Row::new(id)
                }
            }
        };
        row.epss = row.epss.or_else(|| row::probability(self.epss_score.0));
        row.severity = self.severity();
        row.first_seen = subject::moment(self.first_observed_at.as_str());
        row.title = row::title([self.title.as_str()]);
        Ok(row)
    }
}

impl RawCvss<'_> {
    fn read(&self) -> Option<Cvss> {
        let vector = self.base_vector.as_str();
        let version = subject::cvss_version(vector, self.version.as_str());
        let source = if self.source == Text::Absent { "aws-security-hub" } else { self.source.as_str() };
        row::cvss(&source.to_ascii_lowercase(), version, self.base_score.0?, vector)
    }
}

impl RawResource<'_> {
    fn enter(&self, raw: &RawFinding<'_>, input: &Input<'_>, report: &mut Report) -> (AssetName, Option<Os>) {
        let id = self.id.as_str();
        let mut names = vec![aws::short(id), id];
        let mut kind = match self.kind.as_str() {
            "AwsEc2Instance" => "host",
            "AwsEcrContainerImage" | "Container" => "container_image",
            "AwsLambdaFunction" => "function",
            _ => "resource",
        };
        let mut platform = "";
        if let Some(fields) = &raw.product_fields.0 {
            platform = [&fields.instance_platform, &fields.image_platform]
                .map(Text::as_str)
                .into_iter()
                .max()
                .unwrap_or_default();
            if kind == "host" {
                names.push(fields.instance.as_str());
            }
        }
        if let Some(details) = &self.details.0 {
            if let Some(instance) = &details.aws_ec2_instance.0 {
                kind = "host";
                names.extend(instance.ip_v4.0.iter().chain(&instance.ip_v6.0).map(Text::as_str));
            }
            if let Some(image) = &details.aws_ecr_container_image.0 {
                names.push(image.repository_name.as_str());
            }
        }
        if let Some(tags) = &self.tags.0 {
            names.push(tags.name.as_str());
        }
        let os = aws::os(platform);
        let seen = subject::moment(raw.updated_at.as_str());
        (Subject { names, os: os.clone(), kind, seen }.enter(input, report), os)
    }
}

/// Trivy's own: one package, beside the resource. The resource is the target: `IMAGE (alpine 3.10.2)`, or a lock file.
fn take_trivy(
    raw: &RawFinding<'_>,
    resource: &RawResource<'_>,
    other: &RawTrivy<'_>,
    input: &Input<'_>,
    report: &mut Report,
    sink: &mut Sink,
) {
    let target = resource.id.as_str();
    let (name, system) = target.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).unwrap_or((target, ""));
    let (family, version) = system.rsplit_once(' ').unwrap_or((system, ""));
    let is_os = !system.is_empty();
    let subject = Subject {
        names: vec![name],
        os: trivy::os(family, version),
        kind: "container_image",
        seen: subject::moment(raw.updated_at.as_str()),
    };
    let asset = subject.enter(input, report);
    let (kind, ecosystem) = trivy::classify(if is_os { "os-pkgs" } else { "lang-pkgs" }, family, target);
    let row = || {
        let vulnerability = row::vulnerability_id(&other.id)?;
        let fixed = row::fixed_versions(&other.fixed)?;
        let vectors = [(&other.v2_score, &other.v2_vector, "2.0"), (&other.v3_score, &other.v3_vector, "3.1")];
        let scores = vectors.into_iter().filter_map(|(score, vector, version)| {
            let version = subject::cvss_version(vector.as_str(), version);
            row::cvss("nvd", version, score.0.filter(|score| *score > 0.0)?, vector.as_str())
        });
        Ok(Row {
            package: Some(row::package_name(&other.package)?),
            installed: row::installed_version(&other.installed)?,
            fix_state: trivy::fix_state("", &fixed),
            fixed,
            severity: raw.severity(),
            cvss: scores.collect(),
            title: row::title([other.title.as_str(), raw.title.as_str()]),
            ..Row::new(vulnerability)
        })
    };
    match row() {
        Ok(row) => {
            let location = if is_os { None } else { row::location(target) };
            let owner = Owner { asset: &asset, kind, ecosystem: &ecosystem, location, scanner: trivy::SCANNER };
            sink.add(row.into_finding(owner));
        }
        Err(why) => sink.leave_out(why, 1),
    }
}

fn take(raw: &RawFinding<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    if let Some(other) = raw.other_kind() {
        return report.set_aside(other, 1);
    }
    let scanner =
        if raw.product_arn.as_str().ends_with("/aws/inspector") { inspector::SCANNER } else { "aws-security-hub" };
    let nowhere = Object(Some(RawResource::default()));
    let resources = if raw.resources.0.is_empty() { std::slice::from_ref(&nowhere) } else { &raw.resources.0 };
    for resource in resources.iter().filter_map(|resource| resource.0.as_ref()) {
        if let Some(other) = resource.details.0.as_ref().and_then(|details| details.other.0.as_ref())
            && raw.is_by_trivy()
        {
            match raw.is_done() {
                Some(why) => sink.leave_out(why, 1),
                None => take_trivy(raw, resource, other, input, report, sink),
            }
            continue;
        }
        let (asset, os) = resource.enter(raw, input, report);
        let owner = PackagesOf { asset: &asset, os: os.as_ref(), scanner };
        let lost = raw.vulnerabilities.first.iter().filter(|vulnerability| vulnerability.is_none()).count();
        sink.leave_out(reason::MALFORMED, u64::try_from(lost).unwrap_or(u64::MAX));
        sink.leave_out(reason::TOO_MANY, raw.vulnerabilities.beyond);
        let row = |vulnerability| raw.is_done().map_or_else(|| raw.row(vulnerability), Err);
        if raw.vulnerabilities.first.is_empty() {
            owner.add(&Objects::default(), row(None), sink);
        }
        for vulnerability in raw.vulnerabilities.first.iter().flatten() {
            owner.add(&vulnerability.vulnerable_packages, row(Some(vulnerability)), sink);
        }
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawFinding<'_>>| match raw {
        Some(raw) => take(&raw, input, report, sink),
        None => sink.leave_out(reason::MALFORMED, 1),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};
    use super::*;

    fn read(text: &str) -> Report {
        read_report("a.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn finding() -> Value {
        json!({"SchemaVersion": "2018-10-08", "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/inspector",
            "Types": ["Software and Configuration Checks/Vulnerabilities/CVE"], "Title": "CVE-2026-1000 - a, b",
            "FirstObservedAt": "2026-01-02T03:04:05Z", "Severity": {"Label": "HIGH"}, "RecordState": "ACTIVE",
            "Workflow": {"Status": "NEW"},
            "ProductFields": {"aws/inspector/resources/1/resourceDetails/awsEc2InstanceDetails/platform": "UBUNTU_22_04"},
            "Resources": [{"Type": "AwsEc2Instance", "Id": "arn:aws:ec2:eu-west-1:1:instance/i-0a", "Tags": {"Name": "web"},
                "Details": {"AwsEc2Instance": {"IpV4Addresses": ["10.0.0.1"]}}}],
            "Vulnerabilities": [{"Id": "CVE-2026-1000", "RelatedVulnerabilities": ["CVE-2026-1000", "GHSA-1"], "EpssScore": "0.5",
                "Cvss": [{"Version": "3.1", "BaseScore": "7.5", "BaseVector": "CVSS:3.1/AV:N", "Source": "NVD"},
                    {"Version": "3.1", "BaseScore": 7.5, "BaseVector": "CVSS:3.1/AV:N", "Source": "NVD"}],
                "Vendor": {"Url": "https://example.org/0", "VendorCreatedAt": "2026-01-01T00:00:00Z"},
                "ReferenceUrls": ["https://example.org/1"],
                "VulnerablePackages": [
                    {"Name": "openssl", "Version": "3.0.2", "Epoch": "0", "Release": "0ubuntu1", "PackageManager": "OS", "FixedInVersion": "0:3.0.2-0ubuntu1.15"},
                    {"Name": "semver", "Version": "7.5.1", "PackageManager": "NODEPKG", "FilePath": "a/package.json", "FixedInVersion": "NotAvailable"}]}]})
    }

    #[test]
    fn findings_are_read_in_every_shape() {
        let one = finding();
        for text in [
            json!([one]).to_string(),
            json!({"Findings": [one]}).to_string(),
            json!({"findings": [one]}).to_string(),
            json!([{"Findings": [one]}]).to_string(),
            json!({"detail": {"findings": [one]}}).to_string(),
            one.to_string(),
            format!("{one}\n{one}\n"),
        ] {
            let report = read(&text);
            assert_eq!((report.format, report.findings.len()), ("asff", 2), "{text}");
            let [os, npm] = &report.findings[..] else { panic!("{text}") };
            assert_eq!(
                (os.asset.as_str(), os.ecosystem.as_str(), os.scanner.as_str()),
                ("i-0a", "deb", "aws-inspector")
            );
            assert_eq!(os.installed.as_ref().unwrap().as_str(), "3.0.2-0ubuntu1");
            assert_eq!((os.fixed[0].as_str(), npm.fix_state), ("3.0.2-0ubuntu1.15", FixState::NotFixed));
            assert_eq!((npm.ecosystem.as_str(), npm.location.as_deref()), ("npm", Some("a/package.json")));
            assert_eq!((os.cvss.len(), os.epss.unwrap().hundred_thousandths(), os.aliases.len()), (1, 50_000, 1));
            assert_eq!(report.assets["i-0a"].names.len(), 3);
        }
    }

    #[test]
    fn what_is_done_or_no_vulnerability_opens_no_work() {
        let with = |path: &str, value: Value| {
            let mut finding = finding();
            *finding.pointer_mut(path).unwrap() = value;
            finding
        };
        let mut compliance = finding();
        compliance["Vulnerabilities"] = json!([]);
        compliance["Types"] = json!(["Software and Configuration Checks/Industry and Regulatory Standards/X"]);
        compliance["Compliance"] = json!({"Status": "FAILED"});
        let mut bare = finding();
        bare["Vulnerabilities"] = json!([]);
        let mut other = with("/Types", json!(["TTPs/Discovery"]));
        other["Vulnerabilities"] = json!(null);
        let rows = json!([
            with("/RecordState", json!("ARCHIVED")),
            with("/Workflow/Status", json!("RESOLVED")),
            with("/Workflow/Status", json!("SUPPRESSED")),
            compliance,
            other,
            bare
        ]);
        let report = read(&rows.to_string());
        assert_eq!((report.read, report.left_out["closed"], report.left_out["suppressed-by-scanner"]), (7, 4, 2));
        assert_eq!((report.set_aside["compliance"], report.set_aside["other-finding"]), (1, 1));
        let [bare] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!((bare.vulnerability.as_str(), &bare.package), ("CVE-2026-1000", &None));
    }

    #[test]
    fn trivys_own_is_read_with_its_system() {
        let row = |id: &str, other: Value| {
            json!({"SchemaVersion": "2018-10-08", "ProductArn": "arn:aws:securityhub:r::product/aquasecurity/aquasecurity",
                "Types": ["Software and Configuration Checks/Vulnerabilities/CVE"], "Title": "t", "Severity": {"Label": "LOW"},
                "Resources": [{"Type": "Container", "Id": id, "Details": {"Other": other}}], "RecordState": "ACTIVE"})
        };
        let other = json!({"CVE ID": "CVE-2026-1000", "CVE Title": "a flaw", "PkgName": "libssl1.1", "Installed Package": "1.1.1c-r0",
            "Patched Package": "1.1.1d-r0", "NvdCvssScoreV3": "5.3", "NvdCvssVectorV3": "CVSS:3.0/AV:N", "NvdCvssScoreV2": "0"});
        let mut wrong = row("Dockerfile", json!({"Message": "m"}));
        wrong["Types"] = json!(["Software and Configuration Checks"]);
        let rows = json!({"Findings": [row("img (alpine 3.10.2)", other.clone()), row("app/package-lock.json", other), wrong]});
        let report = read(&rows.to_string());
        let shown: Vec<_> =
            report.findings.iter().map(|f| (f.asset.as_str(), f.ecosystem.as_str(), f.scanner.as_str())).collect();
        assert_eq!(shown, [("img", "apk", "trivy"), ("app/package-lock.json", "unknown", "trivy")]);
        assert_eq!(report.findings[0].cvss[0].version, "3.0");
        assert_eq!(report.set_aside["misconfiguration"], 1);
        assert_eq!(report.assets["img"].os.as_ref().unwrap().version.as_deref(), Some("3.10.2"));
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let mut hostile = finding();
        hostile["Vulnerabilities"][0]["VulnerablePackages"] =
            json!([{"Name": "a; reboot"}, {"Name": "a", "FixedInVersion": "abc[2.0]"}, 7]);
        let mut odd = finding();
        odd["Vulnerabilities"] = json!([7, {"Id": "$(id)"}]);
        odd["Resources"] = json!([{"Id": "a\u{1b}[2J"}]);
        let text = json!([finding(), hostile, odd, 7]).to_string();
        let report = read(&text);
        assert_eq!(report.read, 2 + 3 + 2 + 1, "{:?}", report.left_out);
        assert_eq!(report.read, report.findings.len() as u64 + report.left_out.values().sum::<u64>());
        assert!(report.assets.keys().all(|name| !name.as_str().contains('\u{1b}')));
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("a", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
