//! Rapid7 Nexpose (InsightVM): reports as XML, version 2.

use std::collections::BTreeMap;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus::port;
use super::peek::Peek;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::xml::{Source, Tree};
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageName, PackageVersion, Severity, VulnerabilityId, VulnerabilityType,
};

const SCANNER: &str = "nexpose";

/// A report with the definitions of its vulnerabilities.
pub(super) const XML: Format = Format {
    name: "nexpose",
    title: "Rapid7 Nexpose / InsightVM XML 2.0",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if root == "NexposeReport"),
    read,
};

/// Nexpose knows fewer vulnerabilities than this.
const MAX_DEFINITIONS: usize = 1_000_000;

/// What a report says of a vulnerability, wherever it was found.
#[derive(Default)]
struct Definition {
    title: String,
    severity: Option<Severity>,
    ids: Vec<VulnerabilityId>,
    others: Vec<VulnerabilityId>,
    kbs: Vec<VulnerabilityId>,
    cvss: Vec<Cvss>,
    references: Vec<String>,
    published: Option<jiff::Timestamp>,
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    // The definitions stand behind the nodes that refer to them.
    let mut definitions: BTreeMap<String, Definition> = BTreeMap::new();
    let mut ended = None;
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "scan" => ended = ended.max(prose::time(head.attribute("endTime"))),
            "vulnerability" if walk.within("VulnerabilityDefinitions") => {
                let tree = walk.tree(head)?;
                if definitions.len() == MAX_DEFINITIONS {
                    let message = format!("more than {MAX_DEFINITIONS} definitions");
                    return Err(IntakeError::new("record-too-large", input.name, message));
                }
                definitions.insert(tree.attribute("id").to_lowercase(), Definition::of(&tree));
            }
            _ => {}
        }
    }
    let unknown = Definition::default();
    let mut identity = Identity::default();
    let mut address = String::new();
    let mut settled: Option<(AssetName, Option<Os>)> = None;
    let (mut place, mut certainty) = (None, -1.0);
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "node" => {
                identity.call(&address);
                identity.settle_unless_unnamed(input, report);
                (identity, settled, place, certainty) = (Identity::default(), None, None, -1.0);
                identity.about.scanned_at = ended;
                head.attribute("address").clone_into(&mut address);
            }
            "name" if walk.parent() == "names" => identity.call(walk.tree(head)?.text()),
            "os" if walk.within("fingerprints") && settled.is_none() => {
                let sure = head.attribute("certainty").parse().unwrap_or(0.0);
                if sure > certainty {
                    certainty = sure;
                    let parts = ["vendor", "product", "version"].map(|part| head.attribute(part));
                    identity.about.os = prose::os(&parts.join(" "));
                }
            }
            "endpoint" => place = port(head.attribute("protocol"), head.attribute("port")),
            "tests" if !walk.within("endpoints") => place = None,
            "test" => {
                let tree = walk.tree(head)?;
                let (asset, os) = settled.get_or_insert_with(|| {
                    identity.call(&std::mem::take(&mut address));
                    let os = identity.os().cloned();
                    (std::mem::take(&mut identity).settle(input, report), os)
                });
                let definition = definitions.get(&tree.attribute("id").to_lowercase()).unwrap_or(&unknown);
                definition.pour(&tree, place.as_deref(), (asset, os.as_ref()), report, sink);
            }
            _ => {}
        }
    }
    identity.call(&address);
    identity.settle_unless_unnamed(input, report);
    Ok(())
}

impl Definition {
    fn of(tree: &Tree) -> Self {
        let references: Vec<&Tree> =
            tree.child("references").into_iter().flat_map(|list| list.children("reference")).collect();
        let of = |kind: &str| {
            references
                .iter()
                .filter(|r| r.attribute("source").eq_ignore_ascii_case(kind))
                .map(|r| r.text())
                .collect::<Vec<_>>()
        };
        let names: Vec<&str> = references.iter().map(|reference| reference.text()).collect();
        let mut cvss = Vec::new();
        for (generation, score, vector) in [
            ("2.0", "cvssScore", "cvssVector"),
            ("3.1", "cvssV3Score", "cvssV3Vector"),
            ("3.1", "cvss3Score", "cvss3Vector"),
        ] {
            cvss.extend(prose::cvss(SCANNER, generation, tree.attribute(score), tree.attribute(vector)));
        }
        Self {
            title: tree.attribute("title").to_owned(),
            // Nexpose's own words for these are critical, severe and moderate.
            severity: match tree.attribute("severity").parse::<u8>() {
                Ok(8..=10) => Some(Severity::Critical),
                Ok(4..=7) => Some(Severity::High),
                Ok(1..=3) => Some(Severity::Medium),
                _ => None,
            },
            ids: prose::cves(&of("CVE").join(" ")),
            others: prose::advisories(&names.join(" ")),
            kbs: prose::kbs(
                &of("MSKB").iter().map(|kb| format!("KB{} ", kb.trim_start_matches("KB"))).collect::<String>(),
            ),
            cvss,
            references: row::references(of("URL")),
            published: prose::time(tree.attribute("published")),
        }
    }

    fn pour(
        &self,
        test: &Tree,
        port: Option<&str>,
        (asset, os): (&AssetName, Option<&Os>),
        report: &mut Report,
        sink: &mut Sink,
    ) {
        let status = test.attribute("status");
        match status {
            "vulnerable-exploited" | "vulnerable-version" | "vulnerable-potential" | "potential" | "vulnerable" => {}
            _ if status.starts_with("exception") || status.ends_with("exception") => {
                sink.leave_out(reason::RISK_ACCEPTED, 1);
                return;
            }
            "error" | "unknown" => {
                sink.leave_out(reason::NOT_EVALUATED, 1);
                return;
            }
            _ => {
                report.set_aside("not-vulnerable", 1);
                return;
            }
        }
        let id = test.attribute("id");
        let Ok(own) = VulnerabilityId::new(id) else {
            sink.leave_out(if id.is_empty() { reason::NO_ID } else { reason::UNSAFE_ID }, 1);
            return;
        };
        let mut ids = self.ids.clone();
        ids.extend(prose::cves(id));
        let (vulnerability, mut aliases) = prose::named(ids, own);
        aliases.extend(self.others.iter().chain(&self.kbs).cloned());
        aliases.remove(&vulnerability);
        let mut paragraphs = vec![test];
        test.find("Paragraph", &mut paragraphs);
        let (package, installed) =
            paragraphs.iter().find_map(|paragraph| software(paragraph.text())).unwrap_or_default();
        let (kind, ecosystem) = self.classify(id, os, package.is_some());
        let fixed: Vec<PackageVersion> = match kind {
            VulnerabilityType::Windows => {
                self.kbs.iter().filter_map(|kb| PackageVersion::new(kb.as_str()).ok()).collect()
            }
            _ => Vec::new(),
        };
        let title = if self.title.is_empty() { id } else { &self.title };
        let title = if status.ends_with("potential") { format!("potential: {title}") } else { title.to_owned() };
        let key = Some(test.attribute("key")).filter(|key| !key.is_empty() && kind != VulnerabilityType::Linux);
        let row = Row {
            aliases,
            package,
            installed,
            fix_state: if fixed.is_empty() { FixState::Unknown } else { FixState::Fixed },
            fixed,
            severity: self.severity,
            cvss: self.cvss.clone(),
            published: self.published,
            first_seen: prose::time(test.attribute("vulnerable-since")),
            title: row::title([title.as_str()]),
            references: self.references.clone(),
            ..Row::new(vulnerability)
        };
        let location = key.or(port).and_then(row::location);
        sink.add(row.into_finding(Owner { asset, kind, ecosystem, location, scanner: SCANNER }));
    }

    /// The id of a check begins with whose advisory it follows: `debian-cve-2020-1971`, `windows-hotfix-ms17-010`.
    fn classify(&self, id: &str, os: Option<&Os>, has_package: bool) -> (VulnerabilityType, &'static str) {
        let id = id.to_ascii_lowercase();
        if ["windows-", "msft-", "microsoft-"].iter().any(|start| id.starts_with(start))
            || (!self.kbs.is_empty() && os.is_some_and(|os| os.family == "windows"))
        {
            return (VulnerabilityType::Windows, "windows");
        }
        if prose::is_web_cms(&id) || prose::is_web_cms(&self.title) {
            return (VulnerabilityType::WebCms, "unknown");
        }
        let starts = [
            ("debian-", "deb"),
            ("ubuntu-", "deb"),
            ("redhat", "rpm"),
            ("centos", "rpm"),
            ("alma", "rpm"),
            ("rocky", "rpm"),
            ("oracle_linux", "rpm"),
            ("oracle-linux", "rpm"),
            ("amazon-linux", "rpm"),
            ("amazon_linux", "rpm"),
            ("suse-", "rpm"),
            ("fedora", "rpm"),
            ("alpine", "apk"),
        ];
        if let Some((_, ecosystem)) = starts.iter().find(|(start, _)| id.starts_with(start)) {
            return (VulnerabilityType::Linux, ecosystem);
        }
        match prose::ecosystem(os) {
            "unknown" => (VulnerabilityType::Application, "unknown"),
            ecosystem if has_package && id.contains("-cve-") => (VulnerabilityType::Linux, ecosystem),
            _ => (VulnerabilityType::Application, "unknown"),
        }
    }
}

/// `Vulnerable software installed: Ubuntu libssl1.1 1.1.1f-1ubuntu2`.
fn software(text: &str) -> Option<(Option<PackageName>, Option<PackageVersion>)> {
    let (_, rest) = text.split_once("oftware installed:")?;
    let words: Vec<&str> = rest.lines().next()?.split_whitespace().collect();
    let [.., name, version] = words[..] else { return None };
    Some((Some(PackageName::new(name).ok()?), Some(PackageVersion::new(version).ok()?)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};

    const SAMPLE: &str = "<NexposeReport version=\"2.0\"><scans><scan id=\"1\" endTime=\"20210211T164705486\"/></scans><nodes><node \
        address=\"192.0.2.1\" status=\"alive\"><names><name>h-1</name></names><fingerprints><os certainty=\"0.5\" vendor=\"Microsoft\" \
        product=\"Windows\" version=\"10\"/><os certainty=\"1.00\" vendor=\"Ubuntu\" family=\"Linux\" product=\"Linux\" version=\"20.04\"/>\
        </fingerprints><tests><test id=\"ubuntu-cve-2021-3449\" key=\"\" status=\"vulnerable-version\" \
        vulnerable-since=\"20210211T163822649\"><Paragraph><Paragraph>Vulnerable OS: Ubuntu Linux 20.04</Paragraph><Paragraph>Vulnerable \
        software installed: Ubuntu libssl1.1 1.1.1f-1ubuntu2</Paragraph></Paragraph></test><test id=\"x\" status=\"not-vulnerable\"/><test \
        id=\"y\" status=\"exception-vulnerable-exploited\"/><test id=\"z\" status=\"error\"/></tests><endpoints><endpoint protocol=\"tcp\" \
        port=\"443\"><services><service><tests><test id=\"ssl-x\" key=\"\" status=\"vulnerable-potential\"/></tests></service></services>\
        </endpoint></endpoints></node><node address=\"192.0.2.2\"><names/><tests/></node></nodes><VulnerabilityDefinitions><vulnerability \
        id=\"ubuntu-CVE-2021-3449\" title=\"OpenSSL x\" severity=\"4\" cvssScore=\"4.3\" cvssVector=\"(AV:N/AC:M/Au:N/C:N/I:N/A:P)\" \
        published=\"20210325T000000000\"><references><reference source=\"CVE\">CVE-2021-3449</reference><reference source=\"UBUNTU\">USN-4891-1\
        </reference><reference source=\"URL\">https://example.org/1</reference></references></vulnerability></VulnerabilityDefinitions>\
        </NexposeReport>";

    #[test]
    fn tests_are_findings_by_their_definitions() {
        let report = read_report("r.xml", SAMPLE.as_bytes(), &ReadOptions::default()).unwrap();
        let shown: Vec<_> = report
            .findings
            .iter()
            .map(|f| format!("{} {} {} {:?}", f.kind.as_str(), f.ecosystem, f.id, f.severity))
            .collect();
        assert_eq!(
            shown,
            [
                "linux deb h-1/CVE-2021-3449/libssl1.1@1.1.1f-1ubuntu2 Some(High)",
                "application unknown h-1/ssl-x/-#tcp/443 None"
            ]
        );
        let openssl = &report.findings[0];
        assert_eq!(openssl.cvss[0].vector.as_deref(), Some("AV:N/AC:M/Au:N/C:N/I:N/A:P"));
        let aliases: Vec<_> = openssl.aliases.iter().map(ToString::to_string).collect();
        assert_eq!(aliases, ["USN-4891-1", "ubuntu-cve-2021-3449"]);
        assert_eq!((openssl.published.is_some(), openssl.first_seen.is_some()), (true, true));
        assert_eq!(report.findings[1].title.as_deref(), Some("potential: ssl-x"));
        assert_eq!(report.left_out, [("not-evaluated".to_owned(), 1), ("risk-accepted".to_owned(), 1)].into());
        assert_eq!(report.set_aside, [("not-vulnerable".to_owned(), 1)].into());
        let assets: Vec<_> =
            report.assets.iter().map(|(name, a)| format!("{name} {:?}", a.os.as_ref().map(|os| &os.name))).collect();
        assert_eq!(assets, ["192.0.2.2 None", "h-1 Some(\"ubuntu\")"]);
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        for length in (1..SAMPLE.len()).step_by(50) {
            let error = read_report("r", &SAMPLE.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
            assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
        }
    }
}
