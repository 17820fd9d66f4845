//! OpenVAS and Greenbone: reports as XML and as CSV.

use std::collections::BTreeMap;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus::{classify, port};
use super::nessus_output::{self, Place};
use super::peek::Peek;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::table::{self, Needs, Table};
use super::xml::{Source, Tree};
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageName, PackageVersion, Probability, Severity, VulnerabilityId,
    VulnerabilityType,
};

const SCANNER: &str = "openvas";

/// A report, alone or in the answer of the management protocol.
pub(super) const XML: Format = Format {
    name: "openvas",
    title: "OpenVAS / Greenbone report XML",
    scanner: SCANNER,
    is: |peek| match peek {
        Peek::Xml { root, attributes } => {
            let marks = ["format_id", "config_id", "content_type", "extension", "id", "type"];
            let is_report = root == "report" && marks.iter().any(|mark| attributes.contains_key(*mark));
            is_report || root == "get_reports_response" || root == "get_results_response"
        }
        _ => false,
    },
    read: read_xml,
};

/// The same as a table.
pub(super) const TABLE: Format = Format {
    name: "openvas-csv",
    title: "OpenVAS / Greenbone report CSV",
    scanner: SCANNER,
    is: |peek| table::has_columns(peek, NEEDS),
    read: read_table,
};

const NEEDS: Needs = &[&["nvt oid"], &["ip", "host"], &["nvt name"], &["severity", "threat"]];
/// Greenbone's own reports show what is at least this sure.
const SURE: f64 = 70.0;

/// What was found on one host.
#[derive(Debug, Default)]
struct Found<'f> {
    oid: &'f str,
    name: &'f str,
    family: &'f str,
    threat: &'f str,
    score: &'f str,
    quality: &'f str,
    solution: &'f str,
    output: &'f str,
    ids: Vec<VulnerabilityId>,
    other_ids: String,
    cvss: Vec<Cvss>,
    epss: Option<Probability>,
    references: Vec<String>,
    port: Option<String>,
}

fn read_xml(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    // The hosts stand behind the results.
    let mut hosts: BTreeMap<String, Identity> = BTreeMap::new();
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "host" if walk.parent() == "report" => {
                let tree = walk.tree(head)?;
                describe(&tree, hosts.entry(address(&tree).to_owned()).or_default());
            }
            "result" if walk.parent() == "results" => {
                let tree = walk.tree(head)?;
                if let Some(host) = tree.child("host") {
                    let identity = hosts.entry(host.text().to_owned()).or_default();
                    identity.call(host.text_of("hostname"));
                    identity.call(host.text());
                }
            }
            _ => {}
        }
    }
    let mut settled: BTreeMap<String, (AssetName, Option<Os>)> = BTreeMap::new();
    for (address, identity) in hosts {
        let os = identity.os().cloned();
        settled.insert(address, (identity.settle(input, report), os));
    }
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        if head.name != "result" || !matches!(walk.parent(), "results" | "get_results_response") {
            continue;
        }
        let tree = walk.tree(head)?;
        let address = tree.text_of("host");
        let (asset, os) = match settled.get(address) {
            Some(settled) => settled.clone(),
            None => {
                let mut identity = Identity::default();
                identity.call(tree.text_at(&["host", "hostname"]));
                identity.call(address);
                (identity.settle(input, report), None)
            }
        };
        found(&tree).pour(&asset, os.as_ref(), report, sink);
    }
    Ok(())
}

fn address(host: &Tree) -> &str {
    let ip = host.text_of("ip");
    if ip.is_empty() { host.text() } else { ip }
}

fn describe(host: &Tree, identity: &mut Identity) {
    let detail = |name: &str| {
        host.children("detail").find(|detail| detail.text_of("name") == name).map_or("", |d| d.text_of("value"))
    };
    for name in ["hostname", "FQDN", "DNS-via-TargetDefinition"] {
        identity.call(detail(name));
    }
    identity.call(address(host));
    identity.runs(detail("best_os_txt"));
    identity.runs(&detail("best_os_cpe").replace([':', '_'], " "));
    identity.about.scanned_at = prose::time(host.text_of("end")).or_else(|| prose::time(host.text_of("start")));
}

fn found(result: &Tree) -> Found<'_> {
    let empty: &Tree = result;
    let nvt = result.child("nvt").unwrap_or(empty);
    // `summary=…|cvss_base_vector=AV:N/…|solution_type=VendorFix|…`
    let tag = |name: &str| {
        let tags = nvt.text_of("tags").split('|').find_map(|tag| tag.trim().strip_prefix(name)?.strip_prefix('='));
        tags.map_or("", str::trim)
    };
    let refs: Vec<&Tree> = nvt.child("refs").into_iter().flat_map(|refs| refs.children("ref")).collect();
    let of = |kind: &str| {
        refs.iter()
            .filter(|r| r.attribute("type").eq_ignore_ascii_case(kind))
            .map(|r| r.attribute("id"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let ids = format!(
        "{}\n{}\n{}",
        of("cve"),
        nvt.text_of("cve"),
        if nvt.text_of("type") == "cve" { nvt.attribute("oid") } else { "" }
    );
    let urls = format!("{}\n{}", of("url"), nvt.text_of("xref").replace("URL:", " "));
    let mut cvss = Vec::new();
    for severity in nvt.child("severities").into_iter().flat_map(|list| list.children("severity")) {
        let generation = if severity.attribute("type").ends_with("v2") { "2.0" } else { "3.1" };
        let score = in_tens(severity.text_of("score"));
        let source = Some(severity.text_of("origin"))
            .filter(|origin| !origin.is_empty() && origin.len() <= 32)
            .unwrap_or(SCANNER);
        cvss.extend(prose::cvss(source, generation, &score, severity.text_of("value")));
    }
    if cvss.is_empty() {
        cvss.extend(prose::cvss(SCANNER, "2.0", nvt.text_of("cvss_base"), tag("cvss_base_vector")));
    }
    let solution = nvt.child("solution").map_or("", |solution| solution.attribute("type"));
    // `443/tcp`, `general/tcp`, of old `https (443/tcp)`.
    let place = result.text_of("port");
    let place = place.split_once('(').map_or(place, |(_, rest)| rest.trim_end_matches(')'));
    let (number, protocol) = place.split_once('/').unwrap_or_default();
    Found {
        oid: nvt.attribute("oid"),
        name: Some(nvt.text_of("name")).filter(|name| !name.is_empty()).unwrap_or(result.text_of("name")),
        family: nvt.text_of("family"),
        threat: result.text_of("threat"),
        score: result.text_of("severity"),
        quality: result.text_at(&["qod", "value"]),
        solution: if solution.is_empty() { tag("solution_type") } else { solution },
        output: result.text_of("description"),
        ids: prose::cves(&ids),
        other_ids: format!("{}\n{}", of("dsa"), of("advisory_id")),
        cvss,
        epss: row::probability(nvt.text_at(&["epss", "max_severity", "score"]).parse().ok()),
        references: row::references(prose::urls(&urls)),
        port: port(protocol, number),
    }
}

/// One generation of the tool wrote scores in tenths.
fn in_tens(score: &str) -> String {
    match score.parse::<u16>() {
        Ok(tenths) if tenths > 10 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => score.to_owned(),
    }
}

fn read_table(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, NEEDS)?;
    while let Some(cells) = table.next(sink)? {
        let get = |names: &[&str]| cells.get(names);
        let mut identity = Identity::default();
        identity.call(&get(&["hostname"]));
        identity.call(&get(&["ip", "host"]));
        identity.about.scanned_at = prose::time(&get(&["timestamp"]));
        let asset = identity.settle(input, report);
        let score = get(&["cvss"]);
        let oid = get(&["nvt oid"]);
        let threat = get(&["severity", "threat"]);
        Found {
            oid: &oid,
            name: &get(&["nvt name"]),
            family: "",
            threat: if get(&["falsepositive", "false positive"]).eq_ignore_ascii_case("true") {
                "false positive"
            } else {
                &threat
            },
            score: &score,
            quality: &get(&["qod"]),
            solution: &get(&["solution type"]),
            output: &get(&["specific result"]),
            ids: prose::cves(&format!("{} {oid}", get(&["cves", "cve"]))),
            other_ids: String::new(),
            cvss: prose::cvss(SCANNER, "3.1", &score, "").into_iter().collect(),
            epss: row::probability(get(&["max severity epss score", "max epss score"]).parse().ok()),
            references: row::references(prose::urls(&get(&["other references"]))),
            port: port(&get(&["port protocol"]), &get(&["port"])),
        }
        .pour(&asset, None, report, sink);
    }
    Ok(())
}

impl Found<'_> {
    /// Its findings: one a package that the result names, else one. Each of them counts as a row.
    fn pour(self, asset: &AssetName, os: Option<&Os>, report: &mut Report, sink: &mut Sink) {
        let score: f64 = self.score.parse().unwrap_or(f64::NAN);
        if self.threat.eq_ignore_ascii_case("false positive") || score < 0.0 {
            sink.leave_out(reason::SUPPRESSED, 1);
            return;
        }
        let threat = self.threat.to_ascii_lowercase();
        if matches!(threat.as_str(), "log" | "debug" | "none") || (score == 0.0 && row::severity(&threat).is_none()) {
            report.set_aside("informational", 1);
            return;
        }
        // The CVE scanner writes the CVE where the others have their OID.
        let own = if self.oid.starts_with("CVE-") { self.oid.to_owned() } else { format!("OID-{}", self.oid) };
        let Ok(own) = VulnerabilityId::new(&own) else {
            sink.leave_out(reason::UNSAFE_ID, 1);
            return;
        };
        if self.oid.is_empty() {
            sink.leave_out(reason::NO_ID, 1);
            return;
        }
        let family = if self.family.is_empty() { family_of(self.name) } else { self.family };
        let kbs = prose::kbs(self.name);
        let (kind, ecosystem) = classify(family, self.name, !kbs.is_empty(), os);
        let (vulnerability, mut aliases) = prose::named(self.ids, own);
        aliases
            .extend(kbs.iter().cloned().chain(prose::advisories(self.name)).chain(prose::advisories(&self.other_ids)));
        aliases.remove(&vulnerability);
        let unsure = self.quality.parse::<f64>().is_ok_and(|quality| quality < SURE);
        let title = if unsure { format!("potential: {}", self.name) } else { self.name.to_owned() };
        let row = Row {
            aliases,
            severity: row::severity(&threat).or_else(|| by_score(score)),
            cvss: self.cvss,
            epss: self.epss,
            title: row::title([title.as_str()]),
            references: self.references,
            ..Row::new(vulnerability)
        };
        let mut places = nessus_output::read(self.output, ecosystem).places;
        if places.is_empty() {
            let (package, installed) =
                carried(self.output).map_or((None, None), |(name, version)| (Some(name), version));
            places.push(Place { package, installed, ..Place::default() });
        }
        for place in places {
            let fixed = match kind {
                VulnerabilityType::Windows => {
                    kbs.iter().filter_map(|kb| PackageVersion::new(kb.as_str()).ok()).collect()
                }
                _ => place.fixed,
            };
            let fix_state = match self.solution {
                "VendorFix" => FixState::Fixed,
                "WillNotFix" => FixState::WillNotFix,
                "NoneAvailable" | "Workaround" => FixState::NotFixed,
                _ if !fixed.is_empty() => FixState::Fixed,
                _ => FixState::Unknown,
            };
            let of_host = kind == VulnerabilityType::Linux && place.package.is_some();
            let location = if of_host {
                None
            } else {
                place.path.as_deref().and_then(row::location).or_else(|| self.port.clone())
            };
            let row = Row { package: place.package, installed: place.installed, fixed, fix_state, ..row.clone() };
            sink.add(row.into_finding(Owner { asset, kind, ecosystem, location, scanner: SCANNER }));
        }
    }
}

/// Tables do not name the family; the checks of distributions are called after them.
fn family_of(name: &str) -> &'static str {
    const STARTS: [(&str, &str); 14] = [
        ("Debian: Security Advisory", "Debian Local Security Checks"),
        ("Debian Security Advisory", "Debian Local Security Checks"),
        ("Ubuntu: Security Advisory", "Ubuntu Local Security Checks"),
        ("Ubuntu Update for", "Ubuntu Local Security Checks"),
        ("RedHat Update for", "Red Hat Local Security Checks"),
        ("RedHat: Security Advisory", "Red Hat Local Security Checks"),
        ("CentOS Update for", "CentOS Local Security Checks"),
        ("CentOS: Security Advisory", "CentOS Local Security Checks"),
        ("AlmaLinux: Security Advisory", "AlmaLinux Local Security Checks"),
        ("Rocky Linux: Security Advisory", "Rocky Linux Local Security Checks"),
        ("Fedora: Security Advisory", "Fedora Local Security Checks"),
        ("SUSE: Security Advisory", "SuSE Local Security Checks"),
        ("openSUSE: Security Advisory", "SuSE Local Security Checks"),
        ("Oracle: Security Advisory", "Oracle Linux Local Security Checks"),
    ];
    STARTS.iter().find(|(start, _)| name.starts_with(start)).map_or("", |(_, family)| family)
}

fn by_score(score: f64) -> Option<Severity> {
    match score {
        score if score >= 9.0 => Some(Severity::Critical),
        score if score >= 7.0 => Some(Severity::High),
        score if score >= 4.0 => Some(Severity::Medium),
        score if score > 0.0 => Some(Severity::Low),
        _ => None,
    }
}

/// `The host carries the product: cpe:/a:apache:http_server:2.4.7`.
fn carried(output: &str) -> Option<(PackageName, Option<PackageVersion>)> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix("The host carries the product:"))?;
    prose::application(line)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    fn result(oid: &str, name: &str, family: &str, threat: &str, score: &str, rest: &str, nvt: &str) -> String {
        format!(
            "<result id=\"1\"><name>{name}</name><host>192.0.2.1<asset asset_id=\"\"/><hostname>h-1.example.org</hostname></host>\
             <port>443/tcp</port><nvt oid=\"{oid}\"><type>nvt</type><name>{name}</name><family>{family}</family><cvss_base>7.5\
             </cvss_base>{nvt}</nvt><threat>{threat}</threat><severity>{score}</severity>{rest}</result>"
        )
    }

    fn sample() -> String {
        let results = [
            result(
                "1.3.6.1.4.1.25623.1.0.1",
                "Debian: Security Advisory (DSA-5417-1)",
                "Debian Local Security Checks",
                "High",
                "7.5",
                "<qod><value>97</value></qod><description>Vulnerable package:   openssl\nInstalled version:    openssl-1.1.1n-0+deb11u3\n\
                 Fixed version:      &gt;=openssl-1.1.1n-0+deb11u5</description>",
                "<refs><ref type=\"cve\" id=\"CVE-2023-0464\"/><ref type=\"url\" id=\"https://example.org/a\"/></refs><solution \
                 type=\"VendorFix\">x</solution><severities score=\"75\"><severity type=\"cvss_base_v3\"><origin>NVD</origin><score>75</score>\
                 <value>CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H</value></severity></severities>",
            ),
            result(
                "1.2",
                "SSL x",
                "SSL and TLS",
                "",
                "4.0",
                "<qod><value>30</value></qod>",
                "<tags>a=b|cvss_base_vector=AV:N/AC:L/Au:N/C:P/I:P/A:P|solution_type=WillNotFix</tags>",
            ),
            result("1.3", "OS detection", "Product detection", "Log", "0.0", "", ""),
            result("1.4", "x", "General", "False Positive", "-1.0", "", ""),
            result(
                "CVE-2021-26690",
                "CVE-2021-26690",
                "",
                "High",
                "7.5",
                "<description>The host carries the product: \
                    cpe:/a:apache:http_server:2.4.7\nIt is vulnerable</description>",
                "",
            ),
            result("a b", "x", "General", "High", "7.5", "", "").replace("443/tcp", "https (443/tcp)"),
        ];
        format!(
            "<report id=\"1\" format_id=\"2\"><report id=\"3\"><results start=\"1\">{}</results><host><ip>192.0.2.1</ip><end>2023-09-26T13:04:00Z\
             </end><detail><name>best_os_txt</name><value>Debian GNU/Linux 11</value></detail></host></report></report>",
            results.concat()
        )
    }

    fn shown(report: &Report) -> Vec<String> {
        let one = |f: &crate::model::Finding| {
            let scores: Vec<_> = f.cvss.iter().map(|c| format!("{} {}", c.version, c.score)).collect();
            format!("{} {} {:?} {:?} {}", f.kind.as_str(), f.id, f.severity.unwrap(), f.fix_state, scores.join(","))
        };
        report.findings.iter().map(one).collect()
    }

    #[test]
    fn a_report_is_read_in_every_nesting() {
        for text in [sample(), format!("<get_reports_response status=\"200\">{}</get_reports_response>", sample())] {
            let report = read_report("r.xml", text.as_bytes(), &ReadOptions::default()).unwrap();
            assert_eq!(
                shown(&report),
                [
                    "linux h-1.example.org/CVE-2023-0464/openssl@1.1.1n-0+deb11u3 High Fixed 3.1 7.5",
                    "application h-1.example.org/OID-1.2/-#tcp/443 Medium WillNotFix 2.0 7.5",
                    "application h-1.example.org/CVE-2021-26690/http_server@2.4.7#tcp/443 High Unknown 2.0 7.5",
                ]
            );
            assert_eq!(report.findings[1].title.as_deref(), Some("potential: SSL x"));
            assert_eq!(report.set_aside, [("informational".to_owned(), 1)].into());
            assert_eq!(
                report.left_out,
                [("suppressed-by-scanner".to_owned(), 1), ("unsafe-vulnerability-id".to_owned(), 1)].into()
            );
            let asset = &report.assets.values().next().unwrap();
            assert_eq!(asset.os.as_ref().unwrap().version.as_deref(), Some("11"));
        }
    }

    #[test]
    fn a_table_is_read() {
        let text = "IP,Hostname,Port,Port Protocol,CVSS,Severity,QoD,Solution Type,NVT Name,Specific Result,NVT OID,CVEs,Timestamp\n\
                    192.0.2.1,,443,tcp,7.5,High,80,VendorFix,x,\"Installed version: 1.2\nFixed version:     1.3\",1.2,\"CVE-2020-1000,CVE-2020-1001\",2024-03-18T21:29:42Z\n\
                    192.0.2.1,,,,0.0,Log,80,,y,,1.3,,\n";
        let report = read_report("r.csv", text.as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(shown(&report), ["application 192.0.2.1/CVE-2020-1000/-@1.2#tcp/443 High Fixed 3.1 7.5"]);
        assert_eq!(report.set_aside["informational"], 1);
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        let text = sample();
        for length in (1..text.len()).step_by(50) {
            let error = read_report("r", &text.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
            assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
        }
    }
}
