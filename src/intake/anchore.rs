//! Anchore Engine's and Enterprise's vulnerabilities of an image.

use serde::Deserialize;

use super::advisory::{self, Purl};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Number, Text};
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink};
use super::shapes::{Flag, Listed, Part};
use super::trivy::{asset_name, given_asset, unnamed};
use crate::model::FixState;

/// `anchore-cli --json image vuln IMAGE all`.
pub(super) const REPORT: Format = Format {
    name: "anchore",
    title: "Anchore Engine's vulnerabilities of an image (`anchore-cli --json image vuln IMAGE all`)",
    scanner: "anchore",
    is: |peek| {
        peek.root().is_some_and(|root| {
            root.has(&["vulnerabilities", "vulnerability_type"])
                || root.has(&["vulnerabilities/0/vuln", "vulnerabilities/0/package"])
        })
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawReport<'a> {
    vulnerabilities: Listed<RawVulnerability<'a>>,
    #[serde(rename = "imageFullTag", borrow)]
    tag: Text<'a>,
    #[serde(rename = "imageDigest", borrow)]
    digest: Text<'a>,
    #[serde(rename = "image_digest", borrow)]
    new_digest: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVulnerability<'a> {
    #[serde(borrow)]
    vuln: Text<'a>,
    #[serde(borrow)]
    feed_group: Text<'a>,
    #[serde(borrow)]
    fix: Text<'a>,
    will_not_fix: Flag,
    #[serde(borrow)]
    package: Text<'a>,
    #[serde(borrow)]
    package_name: Text<'a>,
    #[serde(borrow)]
    package_version: Text<'a>,
    #[serde(borrow)]
    package_type: Text<'a>,
    #[serde(borrow)]
    package_path: Text<'a>,
    #[serde(borrow)]
    purl: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    nvd_data: Few<Part<RawData<'a>>, 32>,
    vendor_data: Few<Part<RawData<'a>>, 32>,
    extra: Part<RawExtra<'a>>,
    #[serde(borrow)]
    detected_at: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawData<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    cvss_v2: Part<RawScore>,
    cvss_v3: Part<RawScore>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawScore {
    base_score: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawExtra<'a> {
    #[serde(borrow)]
    description: Text<'a>,
}

impl RawVulnerability<'_> {
    fn check(&self) -> Result<Row, &'static str> {
        let data = || self.nvd_data.0.iter().chain(&self.vendor_data.0).map(|Part(data)| data);
        let (vulnerability, aliases) = advisory::identify(&self.vuln, data().map(|data| data.id.as_str()))?;
        let purl = Purl::parse(self.purl.as_str());
        let kind = self.package_type.as_str();
        let ecosystem = match &purl {
            Some(purl) => purl.kind.clone(),
            None => advisory::ecosystem(kind),
        };
        // The name, else `NAME-VERSION` without its end.
        let whole = self.package.as_str();
        let short =
            whole.strip_suffix(self.package_version.as_str()).and_then(|name| name.strip_suffix('-')).unwrap_or(whole);
        let name = if self.package_name == Text::Absent { advisory::text(short) } else { self.package_name.clone() };
        let fixed = match self.fix.as_str() {
            "None" => Vec::new(),
            _ => row::fixed_versions(&self.fix)?,
        };
        let by_vendor = self.feed_group.as_str().split(':').next().filter(|by| !by.is_empty()).unwrap_or("vendor");
        let sources = self.nvd_data.0.iter().map(|Part(data)| ("nvd", data));
        let sources = sources.chain(self.vendor_data.0.iter().map(|Part(data)| (by_vendor, data)));
        // -1 is how Anchore says that there is no score. Scores of an advisory's other CVEs are not its own.
        let scores = sources.filter(|(_, data)| data.id == self.vuln || data.id.as_str() == vulnerability.as_str());
        let scores = scores.flat_map(|(by, data)| {
            let all = [("2.0", &data.cvss_v2), ("3.1", &data.cvss_v3)];
            all.map(|(version, score)| advisory::cvss(by, version, score.0.base_score.0.filter(|s| *s > 0.0), ""))
        });
        // `pkgdb` is the database of the distribution.
        let path = Some(self.package_path.as_str()).filter(|path| *path != "pkgdb").unwrap_or_default();
        Ok(Row {
            aliases,
            package: Some(advisory::package(&name, purl.as_ref())?),
            installed: row::installed_version(&self.package_version)?,
            fix_state: if self.will_not_fix.is_set() { FixState::WillNotFix } else { advisory::fix_state("", &fixed) },
            fixed,
            severity: advisory::severity(self.severity.as_str()),
            cvss: advisory::scores(scores.flatten()),
            first_seen: advisory::time(self.detected_at.as_str()),
            title: row::title([self.extra.0.description.as_str()]),
            references: row::references([self.url.as_str()]),
            path: row::location(path),
            purl_type: Some(ecosystem),
            ..Row::new(vulnerability)
        })
    }
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let raw: Part<RawReport<'_>> = json::parse(input.name, input.bytes)?;
    let raw = &raw.0;
    let names = [&raw.tag, &raw.digest, &raw.new_digest].into_iter().filter_map(|name| asset_name(name.as_str()));
    let names: Vec<_> = names.collect();
    let asset = given_asset(input.given).or_else(|| names.first().cloned()).unwrap_or_else(unnamed);
    for vulnerability in &raw.vulnerabilities.0 {
        advisory::put(sink, &asset, "anchore", vulnerability.check());
    }
    let kind = Some("container_image".to_owned());
    let names = names.into_iter().filter(|name| *name != asset).collect();
    report.assets.insert(asset, Asset { names, kind, ..Asset::default() });
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{check_sample, read_as, shown};

    #[test]
    fn images() {
        let document = json!({"imageDigest": "sha256:1", "imageFullTag": "img:1", "vulnerability_type": "all", "vulnerabilities": [
            {"vuln": "CVE-2026-1234", "feed": "vulnerabilities", "feed_group": "rhel:8", "fix": "None", "package": "brotli-1.0.6-2.el8", "package_name": "brotli", "package_version": "1.0.6-2.el8",
             "package_type": "rpm", "package_path": "pkgdb", "severity": "Medium", "url": "https://example.org/1", "will_not_fix": true, "vendor_data": [],
             "nvd_data": [{"id": "CVE-2026-1234", "cvss_v2": {"base_score": 6.4}, "cvss_v3": {"base_score": -1.0}}], "extra": {"description": "a flaw"}},
            {"vuln": "GHSA-aaaa-bbbb-cccc", "feed_group": "github:python", "fix": "1.26.17", "package": "urllib3-1.26.5", "package_version": "1.26.5", "package_type": "python",
             "package_path": "/usr/lib/python3/urllib3", "severity": "High", "nvd_data": [{"id": "CVE-2026-2222", "cvss_v3": {"base_score": 7.5}}]}]});
        let report = read_as("anchore", &document);
        assert_eq!(
            shown(&report),
            [
                "img:1 CVE-2026-1234 linux rpm brotli 1.0.6-2.el8 -> will_not_fix medium",
                "img:1 CVE-2026-2222+GHSA-aaaa-bbbb-cccc application pypi urllib3 1.26.5 -> 1.26.17 fixed high #/usr/lib/python3/urllib3",
            ]
        );
        assert_eq!(report.findings.iter().map(|f| f.cvss.len()).collect::<Vec<_>>(), [1, 1]);
        assert!(report.assets["img:1"].names.contains("sha256:1"));
        check_sample("anchore", &document);
    }
}
