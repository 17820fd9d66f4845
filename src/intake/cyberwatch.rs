//! Cyberwatch, as its exporter writes it: CVEs with their servers, and issues that are none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::each::{self, Amount, Flag, Object, Objects, Shape, Word};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text, otherwise};
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{FixState, Os, PackageVersion, VulnerabilityType, printable};

const SCANNER: &str = "cyberwatch";

/// The file that its API exporter writes.
pub(super) const EXPORT: Format = Format {
    name: "cyberwatch",
    title: "Cyberwatch: CVEs with servers, as its API exporter writes them",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, CVES) || each::is_one(peek, EMPTY),
    read,
};

const CVES: &[Shape] = &[
    Shape { has: &["cves/0/cve_code"], rows: &["cves"] },
    Shape { has: &["cves", "security_issues/0/security_issue_id"], rows: &["cves"] },
];
const EMPTY: &[Shape] = &[Shape { has: &["cves", "security_issues"], rows: &["cves"] }];
const ISSUES: &[Shape] = &[Shape { has: &[], rows: &["security_issues"] }];

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCve<'a> {
    #[serde(borrow)]
    cve_code: Text<'a>,
    cve_score: Amount,
    #[serde(borrow)]
    cve_level: Text<'a>,
    #[serde(borrow)]
    cve_published_at: Text<'a>,
    cve_epss: Amount,
    #[serde(borrow)]
    cvss_v3: Text<'a>,
    #[serde(borrow)]
    content: Text<'a>,
    servers: Objects<RawServer<'a>>,
    updates_assets: Products<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawServer<'a> {
    active: Flag,
    ignored: Flag,
    #[serde(borrow)]
    fixed_at: Text<'a>,
    #[serde(borrow)]
    detected_at: Text<'a>,
    #[serde(borrow)]
    computer_id: Word<'a>,
    #[serde(borrow)]
    computer_name: Text<'a>,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    computer_os: Text<'a>,
    #[serde(borrow)]
    computer_os_name: Text<'a>,
    updates: Objects<RawUpdate<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawUpdate<'a> {
    current: Object<RawProduct<'a>>,
    target: Object<RawProduct<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawProduct<'a> {
    #[serde(borrow)]
    vendor: Text<'a>,
    #[serde(borrow)]
    product: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

/// `{PRODUCT: {assets: [SERVER], versions: [VERSION]}}`.
#[derive(Default)]
struct Products<'a>(BTreeMap<Cow<'a, str>, RawAssets<'a>>);

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawAssets<'a> {
    #[serde(borrow)]
    assets: Few<Text<'a>, 4096>,
    #[serde(borrow)]
    versions: Few<Text<'a>, 64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Products<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Products<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("servers by product")
            }
            fn visit_unit<E: Error>(self) -> Result<Products<'de>, E> {
                Ok(Products::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Products<'de>, A::Error> {
                /// No CVE is about so many products.
                const MAX_PRODUCTS: usize = 1000;
                let mut products = Products::default();
                while let Some((name, Object(assets))) = map.next_entry::<Cow<'de, str>, Object<RawAssets<'de>>>()? {
                    if let Some(assets) = assets
                        && products.0.len() < MAX_PRODUCTS
                    {
                        products.0.insert(name, assets);
                    }
                }
                Ok(products)
            }
            otherwise!('de, Products::default(), [scalars numbers text seq]);
        }
        deserializer.deserialize_any(V)
    }
}

/// `ubuntu_2404_64` with `Ubuntu 24.04 LTS`.
fn os(key: &str, name: &str) -> Option<Os> {
    let family = key.split('_').next().filter(|family| !family.is_empty())?;
    let version =
        name.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    if family == "windows" {
        let version = Some(printable(version, 64)).filter(|version| !version.is_empty());
        return Some(Os { family: "windows".into(), name: printable(name, 64), version });
    }
    let family = match family {
        "rhel" | "redhat" => "redhat",
        "amazon" | "amzn" => "amazon",
        "suse" => "sles",
        known => known,
    };
    trivy::os(family, version)
}

/// A package of a server, as far as it is known.
struct Package<'a> {
    vendor: &'a str,
    name: Text<'a>,
    installed: Text<'a>,
    target: &'a str,
}

impl RawCve<'_> {
    fn row(&self) -> Result<Row, &'static str> {
        let vector = self.cvss_v3.as_str();
        let version = subject::cvss_version(vector, "");
        Ok(Row {
            severity: row::severity(self.cve_level.as_str().trim_start_matches("level_")),
            cvss: self.cve_score.0.and_then(|score| row::cvss(SCANNER, version, score, vector)).into_iter().collect(),
            epss: row::probability(self.cve_epss.0),
            published: subject::moment(self.cve_published_at.as_str()),
            title: row::title([self.content.as_str()]),
            ..Row::new(row::vulnerability_id(&self.cve_code)?)
        })
    }

    /// The packages of a server: what its updates say, else what is listed by product. None where neither does.
    fn packages<'s>(&'s self, server: &'s RawServer<'_>) -> Vec<Package<'s>> {
        let name = server.computer_name.as_str();
        let updates = server.updates.first.iter().flatten().map(|update| {
            let (current, target) = (update.current.0.as_ref(), update.target.0.as_ref());
            Package {
                vendor: current.or(target).map_or("", |product| product.vendor.as_str()),
                name: current.or(target).map_or(Text::Absent, |product| product.product.clone()),
                installed: current.map_or(Text::Absent, |product| product.version.clone()),
                target: target.map_or("", |product| product.version.as_str()),
            }
        });
        let updates: Vec<_> = updates.collect();
        if !updates.is_empty() {
            return updates;
        }
        let listed = self
            .updates_assets
            .0
            .iter()
            .filter(|(_, product)| product.assets.0.iter().any(|asset| asset.as_str() == name));
        let package = |(product, assets): (&'s Cow<'_, str>, &'s RawAssets<'_>)| Package {
            vendor: "",
            name: Text::Is(product.as_ref().into()),
            // Several versions do not say which of them this server has.
            installed: match &assets.versions.0[..] {
                [one] => one.clone(),
                _ => Text::Absent,
            },
            target: "",
        };
        listed.map(package).collect()
    }
}

impl Package<'_> {
    fn complete(&self, mut row: Row) -> Result<Row, &'static str> {
        row.package = Some(subject::product_name(self.vendor, &self.name)?);
        row.installed = row::installed_version(&self.installed)?;
        // A target may be a patch with a name of its own.
        row.fixed = subject::kb(self.target).or_else(|| PackageVersion::new(self.target).ok()).into_iter().collect();
        row.fix_state = if row.fixed.is_empty() { FixState::Unknown } else { FixState::Fixed };
        Ok(row)
    }
}

/// A CVE lists its servers, and each of them what to update: every one of these counts as a row.
fn take(raw: &RawCve<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let base = raw.row();
    for server in &raw.servers.first {
        let Some(server) = server else {
            sink.leave_out(reason::MALFORMED, 1);
            continue;
        };
        let system = os(server.computer_os.as_str(), server.computer_os_name.as_str());
        let (kind, ecosystem) = match system.as_ref().map(|os| os.family.as_str()) {
            Some("windows") => (VulnerabilityType::Windows, "windows"),
            Some("debian") => (VulnerabilityType::Linux, "deb"),
            Some("redhat" | "suse") => (VulnerabilityType::Linux, "rpm"),
            Some("alpine") => (VulnerabilityType::Linux, "apk"),
            Some(_) => (VulnerabilityType::Linux, "unknown"),
            None => (VulnerabilityType::Application, "unknown"),
        };
        let names = vec![server.computer_name.as_str(), server.hostname.as_str(), server.computer_id.as_str()];
        let asset = Subject { names, os: system, kind: "host", seen: None }.enter(input, report);
        let packages = raw.packages(server);
        let rows = u64::try_from(packages.len().max(1)).unwrap_or(u64::MAX) + server.updates.beyond;
        let base = match &base {
            _ if server.ignored.0 == Some(true) => Err(reason::SUPPRESSED),
            _ if server.active.0 == Some(false) || server.fixed_at != Text::Absent => Err(reason::CLOSED),
            Err(why) => Err(*why),
            Ok(base) => Ok(Row { first_seen: subject::moment(server.detected_at.as_str()), ..base.clone() }),
        };
        let base = match base {
            Ok(base) => base,
            Err(why) => {
                sink.leave_out(why, rows);
                continue;
            }
        };
        let owner = || Owner { asset: &asset, kind, ecosystem, location: None, scanner: SCANNER };
        if packages.is_empty() {
            sink.add(base.clone().into_finding(owner()));
        }
        for package in packages {
            match package.complete(base.clone()) {
                Ok(row) => sink.add(row.into_finding(owner())),
                Err(why) => sink.leave_out(why, 1),
            }
        }
        sink.leave_out(reason::TOO_MANY, server.updates.beyond);
    }
    sink.leave_out(reason::TOO_MANY, raw.servers.beyond);
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let shapes = [CVES, EMPTY].concat();
    each::each(input, &shapes, |raw: Option<RawCve<'_>>| match raw {
        Some(raw) => take(&raw, input, report, sink),
        None => sink.leave_out(reason::MALFORMED, 1),
    })?;
    each::each(input, ISSUES, |_: Option<serde::de::IgnoredAny>| report.set_aside("security-issue", 1))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};

    fn read(text: &str) -> Report {
        read_report("c.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn export(servers: &Value, products: &Value) -> String {
        json!({"cves": [{"cve_code": "CVE-2026-1000", "cve_score": 5.5, "cve_level": "level_medium", "cve_epss": 0.25,
            "cve_published_at": "2026-01-01T00:00:00+01:00", "cvss_v3": "CVSS:3.1/AV:L", "servers": servers, "updates_assets": products}],
            "security_issues": [{"security_issue_id": "X"}, {}]})
        .to_string()
    }

    #[test]
    fn every_server_of_a_cve_and_every_update_is_one() {
        let servers = json!([
            {"active": true, "computer_name": "web-1", "computer_id": 32, "computer_os": "ubuntu_2404_64", "computer_os_name": "Ubuntu 24.04 LTS",
                "updates": [{"current": {"product": "busybox", "version": "1:1.36"}, "target": {"product": "busybox", "version": "1:1.37"}},
                    {"current": {"product": "udhcpc", "version": "1"}, "target": null}]},
            {"active": true, "computer_name": "web-2", "computer_os": "windows_2019", "computer_os_name": "Windows Server 2019"},
            {"active": true, "computer_name": "web-3"},
            {"active": false, "fixed_at": "2026-01-01", "computer_name": "web-4"},
            {"active": true, "ignored": true, "computer_name": "web-5"}
        ]);
        let report = read(&export(&servers, &json!({"Edge": {"assets": ["web-2"], "versions": ["1.0"]}})));
        let shown: Vec<_> = report
            .findings
            .iter()
            .map(|f| {
                format!(
                    "{} {} {} {}",
                    f.asset,
                    f.kind.as_str(),
                    f.package.as_ref().map_or("-", |p| p.as_str()),
                    f.fixed.len()
                )
            })
            .collect();
        assert_eq!(
            shown,
            ["web-1 linux busybox 1", "web-1 linux udhcpc 0", "web-2 windows Edge 0", "web-3 application - 0"]
        );
        assert_eq!((report.read, report.left_out["closed"], report.left_out["suppressed-by-scanner"]), (6, 1, 1));
        assert_eq!((report.set_aside["security-issue"], report.format), (2, "cyberwatch"));
        let first = &report.findings[0];
        assert_eq!((first.epss.unwrap().hundred_thousandths(), first.cvss[0].version.as_str()), (25_000, "3.1"));
        assert_eq!(report.assets["web-1"].os.as_ref().unwrap().version.as_deref(), Some("24.04"));
        assert_eq!(read(r#"{"cves": [], "security_issues": []}"#).read, 0);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let servers =
            json!([7, {"computer_name": "a\u{1b}[2J", "updates": [{"current": {"product": "a; reboot"}}, 7]}]);
        let text = export(&servers, &json!({"x": 7}));
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (2, 0), "{:?}", report.left_out);
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("c", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
