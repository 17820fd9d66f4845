//! CycloneDX in JSON, 1.2 to 1.7, with the vulnerabilities of its components (also as VDR or VEX).

use serde::Deserialize;

use super::cyclonedx::{Affect, Bom, Component, Rating, Vulnerability, owned};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::Report;
use super::row::Sink;
use super::shapes::{Listed, OneOrMore, Part};
use crate::model::printable;

/// A bill of materials with vulnerabilities.
pub(super) const REPORT: Format = Format {
    name: "cyclonedx-json",
    title: "CycloneDX JSON with vulnerabilities (Trivy, Grype, Dependency-Track and others)",
    scanner: "cyclonedx",
    is: |peek| peek.root().is_some_and(|root| root.text("bomFormat").eq_ignore_ascii_case("CycloneDX")),
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawBom<'a> {
    metadata: Part<RawMetadata<'a>>,
    components: Listed<RawComponent<'a>>,
    vulnerabilities: Option<Listed<RawVulnerability<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMetadata<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
    tools: OneOrMore<RawTool<'a>>,
    component: Part<RawComponent<'a>>,
}

/// A tool of the list before 1.5, or the object since.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawTool<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    components: Listed<RawToolName<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawToolName<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawComponent<'a> {
    #[serde(rename = "bom-ref", borrow)]
    reference: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    group: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    purl: Text<'a>,
    properties: Few<Part<RawProperty<'a>>, 256>,
    evidence: Part<RawEvidence<'a>>,
    components: Listed<RawComponent<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawProperty<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawEvidence<'a> {
    occurrences: Few<Part<RawOccurrence<'a>>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawOccurrence<'a> {
    #[serde(borrow)]
    location: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    source: Part<RawSource<'a>>,
    references: Few<Part<RawReference<'a>>, 64>,
    ratings: Few<Part<RawRating<'a>>, 64>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    detail: Text<'a>,
    #[serde(borrow)]
    recommendation: Text<'a>,
    advisories: Few<Part<RawSource<'a>>, 128>,
    #[serde(borrow)]
    published: Text<'a>,
    analysis: Part<RawAnalysis<'a>>,
    affects: Few<Part<RawAffect<'a>>, 65_536>,
    properties: Few<Part<RawProperty<'a>>, 64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawSource<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReference<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    source: Part<RawSource<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRating<'a> {
    source: Part<RawSource<'a>>,
    score: Number,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow)]
    vector: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAnalysis<'a> {
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(borrow)]
    response: Few<Text<'a>, 16>,
    #[serde(rename = "firstIssued", borrow)]
    first_issued: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAffect<'a> {
    #[serde(rename = "ref", borrow)]
    reference: Text<'a>,
    versions: Few<Part<RawVersion<'a>>, 256>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVersion<'a> {
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    range: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
}

impl RawComponent<'_> {
    fn normal(&self) -> Component {
        let property = |end: &str| {
            let all = self.properties.0.iter().map(|Part(property)| property);
            all.filter(|property| property.name.as_str().ends_with(end)).map(|property| &property.value).next()
        };
        // Trivy and Syft name the place in a property, others as evidence.
        let occurrence = self.evidence.0.occurrences.0.first().map(|Part(occurrence)| &occurrence.location);
        let path = property(":FilePath").or_else(|| property("location:0:path")).or(occurrence);
        Component {
            reference: owned(&self.reference),
            kind: owned(&self.kind),
            group: owned(&self.group),
            name: owned(&self.name),
            version: owned(&self.version),
            purl: owned(&self.purl),
            path: path.map(owned).unwrap_or_default(),
        }
    }

    fn put_into(&self, bom: &mut Bom) {
        bom.add(self.normal());
        // As deep as JSON may nest.
        for below in &self.components.0 {
            below.put_into(bom);
        }
    }
}

impl RawVulnerability<'_> {
    fn normal(&self) -> Vulnerability {
        let texts = |list: [&Text<'_>; 2]| list.into_iter().map(owned).filter(|text| !text.is_empty()).collect();
        let references = || self.references.0.iter().map(|Part(reference)| reference);
        let of_references = references().map(|reference| &reference.source.0.url);
        let advisories = self.advisories.0.iter().map(|Part(advisory)| &advisory.url);
        Vulnerability {
            id: owned(&self.id),
            source: owned(&self.source.0.name),
            others: references().map(|reference| owned(&reference.id)).collect(),
            ratings: self.ratings.0.iter().map(|Part(rating)| rating.normal()).collect(),
            texts: texts([&self.description, &self.detail]),
            recommendation: owned(&self.recommendation),
            urls: std::iter::once(&self.source.0.url).chain(advisories).chain(of_references).map(owned).collect(),
            published: owned(&self.published),
            first_issued: owned(&self.analysis.0.first_issued),
            state: owned(&self.analysis.0.state),
            responses: self.analysis.0.response.0.iter().map(owned).collect(),
            affects: self.affects.0.iter().map(|Part(affect)| affect.normal()).collect(),
            properties: self.properties.0.iter().map(|Part(p)| (owned(&p.name), owned(&p.value))).collect(),
        }
    }
}

impl RawRating<'_> {
    fn normal(&self) -> Rating {
        Rating {
            source: owned(&self.source.0.name),
            severity: owned(&self.severity),
            score: self.score.0,
            method: owned(&self.method),
            vector: owned(&self.vector),
        }
    }
}

impl RawAffect<'_> {
    fn normal(&self) -> Affect {
        let version = |raw: &RawVersion<'_>| {
            let text = if raw.version == Text::Absent { &raw.range } else { &raw.version };
            (owned(text), owned(&raw.status))
        };
        Affect {
            reference: owned(&self.reference),
            versions: self.versions.0.iter().map(|Part(raw)| version(raw)).collect(),
        }
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: RawBom<'_> = json::parse(input.name, input.bytes)?;
    let metadata = raw.metadata.0;
    let tool = metadata.tools.0.iter().find_map(|tool| {
        let below = tool.components.0.iter().map(|component| &component.name);
        std::iter::once(&tool.name).chain(below).map(Text::as_str).find(|name| !name.is_empty())
    });
    if let Some(tool) = tool {
        report.scanner = printable(tool, 64);
    }
    let mut bom = Bom::new(metadata.component.0.normal());
    for component in metadata.component.0.components.0.iter().chain(&raw.components.0) {
        component.put_into(&mut bom);
    }
    let asset = bom.asset(input, metadata.timestamp.as_str(), report);
    let Some(vulnerabilities) = raw.vulnerabilities else {
        bom.is_inventory_only(report);
        return Ok(());
    };
    let scanner = report.scanner.clone();
    for vulnerability in &vulnerabilities.0 {
        bom.take(&vulnerability.normal(), &asset, &scanner, sink);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn vulnerabilities_meet_their_components() {
        let document = json!({
            "bomFormat": "CycloneDX", "specVersion": "1.7", "version": 1,
            "metadata": {
                "timestamp": "2026-01-01T00:00:00+00:00",
                "tools": {"components": [{"type": "application", "name": "trivy"}]},
                "component": {"bom-ref": "root", "type": "container", "name": "img:1", "version": "1"}},
            "components": [
                {"bom-ref": "os", "type": "operating-system", "name": "debian", "version": "12.5"},
                {"bom-ref": "b", "type": "library", "name": "bash", "version": "5.2-1", "purl": "pkg:deb/debian/bash@5.2-1?distro=debian-12.5"},
                {"bom-ref": "a", "type": "application", "name": "app", "components": [
                    {"bom-ref": "m", "type": "library", "group": "org.x", "name": "core", "version": "2.14.1", "purl": "pkg:maven/org.x/core@2.14.1",
                     "properties": [{"name": "aquasecurity:trivy:FilePath", "value": "app/core.jar"}]}]},
                {"type": "library", "group": "g", "name": "n", "version": "1", "purl": "pkg:npm/%40g/n@1", "evidence": {"occurrences": [{"location": "/x"}]}}],
            "vulnerabilities": [
                {"id": "GHSA-aaaa-bbbb-cccc", "source": {"name": "ghsa", "url": "https://github.com/advisories"},
                 "references": [{"id": "CVE-2026-1234", "source": {"name": "NVD", "url": "https://nvd.nist.gov/vuln/detail/CVE-2026-1234"}}],
                 "ratings": [
                    {"source": {"name": "nvd"}, "score": 9.8, "severity": "critical", "method": "CVSSv31", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
                    {"source": {"name": "ghsa"}, "severity": "medium"},
                    {"source": {"name": "nvd"}, "score": 7.5, "method": "CVSSv2", "vector": "AV:N/AC:L/Au:N/C:P/I:P/A:P"},
                    {"score": 1.5, "method": "OWASP"}],
                 "description": "a flaw", "recommendation": "Upgrade org.x:core to version 2.15.0, 2.12.2; Upgrade bash to version 5.2-2",
                 "published": "2026-01-01T00:00:00Z",
                 "affects": [{"ref": "m", "versions": [{"version": "2.14.1", "status": "affected"}]}, {"ref": "b"}]},
                {"id": "CVE-2026-2", "affects": [{"ref": "urn:cdx:3e67/1#b", "versions": [{"range": "vers:deb/>=5.2-3|<6", "status": "unaffected"}]},
                    {"ref": "pkg:npm/%40g/n@1", "versions": [{"version": "1.2", "status": "unaffected"}]}, {"ref": "nowhere", "versions": [{"version": "3"}]}]},
                {"id": "CVE-2026-3", "analysis": {"state": "not_affected", "justification": "code_not_reachable"}, "affects": [{"ref": "b"}]},
                {"id": "CVE-2026-4", "analysis": {"state": "exploitable", "response": ["will_not_fix", "update"], "firstIssued": "2026-01-01T00:00:00Z"}, "affects": [{"ref": "b"}]},
                {"id": "CVE-2026-5", "analysis": {"state": "false_positive"}, "affects": [{"ref": "b"}, {"ref": "m"}]},
                {"id": "CVE-2026-8", "recommendation": "Update to version 5.2-4.", "affects": [{"ref": "b"}]},
                {"id": "CVE-2026-6", "analysis": {"state": "resolved"}},
                {"id": "CVE-2026-7", "properties": [{"name": "x:fixedVersion", "value": "7"}], "ratings": [{"severity": "info"}]}]});
        let report = read_as("cyclonedx-json", &document);
        assert_eq!(
            shown(&report),
            [
                "img:1 CVE-2026-1234+GHSA-aaaa-bbbb-cccc application maven org.x:core 2.14.1 -> 2.15.0,2.12.2 fixed medium #app/core.jar",
                "img:1 CVE-2026-1234+GHSA-aaaa-bbbb-cccc linux deb bash 5.2-1 -> 5.2-2 fixed medium",
                "img:1 CVE-2026-2 linux deb bash 5.2-1 -> 5.2-3 fixed -",
                "img:1 CVE-2026-2 application npm @g/n 1 -> 1.2 fixed - #/x",
                "img:1 CVE-2026-2 application unknown - 3 -> unknown - #nowhere",
                "img:1 CVE-2026-3 linux deb bash 5.2-1 -> not_affected -",
                "img:1 CVE-2026-4 linux deb bash 5.2-1 -> will_not_fix -",
                "img:1 CVE-2026-8 linux deb bash 5.2-1 -> 5.2-4 fixed -",
                "img:1 CVE-2026-7 application unknown - - -> 7 fixed negligible",
            ]
        );
        assert_eq!((report.left_out["false-positive"], report.left_out["closed"]), (2, 1));
        let scores: Vec<_> = report.findings[0].cvss.iter().map(|c| format!("{} {}", c.version, c.score)).collect();
        assert_eq!((scores, report.scanner.as_str()), (vec!["2.0 7.5".to_owned(), "3.1 9.8".to_owned()], "trivy"));
        let asset = &report.assets["img:1"];
        assert_eq!(
            (asset.os.as_ref().unwrap().family.as_str(), asset.kind.as_deref()),
            ("debian", Some("container_image"))
        );
        check_sample("cyclonedx-json", &document);
    }

    #[test]
    fn a_bill_without_vulnerabilities_is_an_inventory() {
        let report = read_as(
            "cyclonedx-json",
            &json!({"bomFormat": "CycloneDX", "specVersion": "1.2", "components": [{"name": "a"}],
            "metadata": {"tools": [{"vendor": "x", "name": "syft"}]}}),
        );
        assert_eq!((report.read, report.set_aside["component"], report.scanner.as_str()), (0, 1, "syft"));
        let report = read_as(
            "cyclonedx-json",
            &json!({"bomFormat": "CycloneDX", "components": [{"name": "a"}], "vulnerabilities": []}),
        );
        assert_eq!((report.read, report.set_aside.len()), (0, 0));
    }
}
