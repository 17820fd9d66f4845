//! Qualys: its reports as XML (of a scan, of assets, of detections), and what one detection of any export means.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus::port;
use super::peek::Peek;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::xml::{Head, Source, Tree, Walk};
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageName, PackageVersion, Severity, VulnerabilityId, VulnerabilityType,
};

pub(super) const SCANNER: &str = "qualys";

/// A report of assets: hosts with QIDs, and a glossary of these behind them.
pub(super) const ASSETS: Format = Format {
    name: "qualys",
    title: "Qualys scan report XML (`ASSET_DATA_REPORT`)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if root == "ASSET_DATA_REPORT"),
    read: read_assets,
};

/// The result of one scan.
pub(super) const SCAN: Format = Format {
    name: "qualys-scan",
    title: "Qualys scan result XML (`SCAN`)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if root == "SCAN"),
    read: read_scan,
};

/// The answer of the API that lists detections.
pub(super) const DETECTIONS: Format = Format {
    name: "qualys-detections",
    title: "Qualys host list detection XML (`HOST_LIST_VM_DETECTION_OUTPUT`)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if root == "HOST_LIST_VM_DETECTION_OUTPUT"),
    read: read_detections,
};

/// Qualys knows fewer QIDs than this.
const MAX_QIDS: usize = 500_000;

/// What Qualys knows of a QID, wherever a report says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Qid {
    pub(super) title: String,
    pub(super) severity: String,
    pub(super) category: String,
    pub(super) ids: Vec<VulnerabilityId>,
    pub(super) vendor: String,
    pub(super) cvss: Vec<Cvss>,
    pub(super) references: Vec<String>,
    pub(super) published: Option<Timestamp>,
    pub(super) patched: bool,
}

/// A QID on a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Detection<'d> {
    pub(super) qid: &'d str,
    /// `Vuln`, `Practice`, `Ig`; `Confirmed`, `Potential`, `Information`.
    pub(super) kind: &'d str,
    /// `New`, `Active`, `Re-Opened`, `Fixed`; nothing where nothing is tracked.
    pub(super) status: &'d str,
    /// Qualys was told not to report it.
    pub(super) ignored: bool,
    pub(super) results: &'d str,
    pub(super) port: Option<String>,
    pub(super) first_seen: Option<Timestamp>,
}

fn read_assets(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    // The glossary stands behind the hosts that refer to it.
    let mut glossary: BTreeMap<String, Qid> = BTreeMap::new();
    let mut generated = None;
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "VULN_DETAILS" => {
                let tree = walk.tree(head)?;
                if glossary.len() == MAX_QIDS {
                    let message = format!("more than {MAX_QIDS} QIDs in the glossary");
                    return Err(IntakeError::new("record-too-large", input.name, message));
                }
                glossary.insert(tree.text_of("QID").to_owned(), Qid::of(&tree));
            }
            "GENERATION_DATETIME" => generated = prose::time(walk.tree(head)?.text()),
            _ => {}
        }
    }
    let unknown = Qid::default();
    let mut walk = source.walk();
    let mut identity = Identity::default();
    let mut settled: Option<(AssetName, Option<Os>)> = None;
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "HOST" => {
                identity.settle_unless_unnamed(input, report);
                (identity, settled) = (Identity::default(), None);
                identity.about.scanned_at = generated;
            }
            "VULN_INFO" => {
                let tree = walk.tree(head)?;
                let (asset, os) = settled.get_or_insert_with(|| settle(&mut identity, input, report));
                let qid = tree.text_of("QID");
                let detection = Detection {
                    qid,
                    kind: tree.text_of("TYPE"),
                    status: tree.text_of("VULN_STATUS"),
                    ignored: false,
                    results: tree.text_of("RESULT"),
                    port: port(tree.text_of("PROTOCOL"), tree.text_of("PORT")),
                    first_seen: prose::time(tree.text_of("FIRST_FOUND")),
                };
                detection.pour(glossary.get(qid).unwrap_or(&unknown), asset, os.as_ref(), report, sink);
            }
            _ if walk.parent() == "HOST" => describe(head, &mut walk, &mut identity)?,
            _ => {}
        }
    }
    identity.settle_unless_unnamed(input, report);
    Ok(())
}

fn settle(identity: &mut Identity, input: &Input<'_>, report: &mut Report) -> (AssetName, Option<Os>) {
    let os = identity.os().cloned();
    (std::mem::take(identity).settle(input, report), os)
}

/// One element in front of a host's detections.
fn describe(head: Head, walk: &mut Walk<'_>, identity: &mut Identity) -> Result<(), IntakeError> {
    match head.name.as_str() {
        "DNS" | "NETBIOS" | "IP" | "IPV6" | "EC2_INSTANCE_ID" | "CLOUD_RESOURCE_ID" | "ID" | "HOST_ID"
        | "QG_HOSTID" => {
            identity.call(walk.tree(head)?.text());
        }
        "DNS_DATA" => {
            let tree = walk.tree(head)?;
            identity.call(tree.text_of("FQDN"));
            identity.call(tree.text_of("HOSTNAME"));
        }
        "OS" | "OPERATING_SYSTEM" => identity.runs(walk.tree(head)?.text()),
        "LAST_SCAN_DATETIME" | "LAST_VM_SCANNED_DATE" => {
            identity.about.scanned_at = identity.about.scanned_at.max(prose::time(walk.tree(head)?.text()));
        }
        _ => {}
    }
    Ok(())
}

fn read_scan(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    let mut walk = source.walk();
    let mut identity = Identity::default();
    let mut settled: Option<(AssetName, Option<Os>)> = None;
    let (mut place, mut category) = (None, String::new());
    let mut date = None;
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "KEY" if head.attribute("value") == "DATE" => date = prose::time(walk.tree(head)?.text()),
            "IP" if walk.parent() == "SCAN" => {
                identity.settle_unless_unnamed(input, report);
                (identity, settled) = (Identity::default(), None);
                identity.about.scanned_at = date;
                identity.call(head.attribute("name"));
                identity.call(head.attribute("value"));
            }
            "OS" if walk.parent() == "IP" => identity.runs(walk.tree(head)?.text()),
            "NETBIOS_HOSTNAME" => identity.call(walk.tree(head)?.text()),
            "CAT" => {
                place = port(head.attribute("protocol"), head.attribute("port"));
                category = head.attribute("value").to_owned();
            }
            kind @ ("VULN" | "PRACTICE" | "INFO" | "SERVICE") if walk.parent() == "CAT" => {
                let kind = match kind {
                    "VULN" => "Vuln",
                    "PRACTICE" => "Practice",
                    _ => "Ig",
                };
                let tree = walk.tree(head)?;
                let (asset, os) = settled.get_or_insert_with(|| settle(&mut identity, input, report));
                let mut qid = Qid { category: category.clone(), ..Qid::of(&tree) };
                qid.ids.extend(prose::cves(tree.attribute("cveid")));
                let detection = Detection {
                    qid: tree.attribute("number"),
                    kind,
                    results: tree.text_of("RESULT"),
                    port: place.clone(),
                    ..Detection::default()
                };
                detection.pour(&qid, asset, os.as_ref(), report, sink);
            }
            _ => {}
        }
    }
    identity.settle_unless_unnamed(input, report);
    Ok(())
}

fn read_detections(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    let mut walk = source.walk();
    let mut identity = Identity::default();
    let mut settled: Option<(AssetName, Option<Os>)> = None;
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "HOST" => {
                identity.settle_unless_unnamed(input, report);
                (identity, settled) = (Identity::default(), None);
            }
            "DETECTION" => {
                let tree = walk.tree(head)?;
                let (asset, os) = settled.get_or_insert_with(|| settle(&mut identity, input, report));
                let detection = Detection {
                    qid: tree.text_of("QID"),
                    kind: tree.text_of("TYPE"),
                    status: tree.text_of("STATUS"),
                    ignored: ["IS_IGNORED", "IS_DISABLED"].iter().any(|name| tree.text_of(name) == "1"),
                    results: tree.text_of("RESULTS"),
                    port: port(tree.text_of("PROTOCOL"), tree.text_of("PORT")),
                    first_seen: prose::time(tree.text_of("FIRST_FOUND_DATETIME")),
                };
                detection.pour(&Qid::of(&tree), asset, os.as_ref(), report, sink);
            }
            _ if walk.parent() == "HOST" => describe(head, &mut walk, &mut identity)?,
            _ => {}
        }
    }
    identity.settle_unless_unnamed(input, report);
    Ok(())
}

impl Qid {
    /// From an element that describes one.
    fn of(tree: &Tree) -> Self {
        let cves: Vec<&str> = tree
            .child("CVE_ID_LIST")
            .into_iter()
            .flat_map(|list| list.children("CVE_ID"))
            .map(|id| id.text_of("ID"))
            .collect();
        let references =
            tree.child("VENDOR_REFERENCE_LIST").into_iter().flat_map(|list| list.children("VENDOR_REFERENCE"));
        let (names, urls): (Vec<&str>, Vec<&str>) = references.map(|r| (r.text_of("ID"), r.text_of("URL"))).unzip();
        let mut cvss = Vec::new();
        for (version, paths) in [
            ("2.0", [&["CVSS_SCORE", "CVSS_BASE"][..], &["CVSS_BASE"]]),
            ("3.1", [&["CVSS3_SCORE", "CVSS3_BASE"], &["CVSS3_BASE"]]),
        ] {
            let (score, vector) = prose::score_and_vector(
                paths.iter().map(|path| tree.text_at(path)).find(|t| !t.is_empty()).unwrap_or_default(),
            );
            cvss.extend(prose::cvss(SCANNER, version, score, vector));
        }
        Self {
            title: tree.text_of("TITLE").to_owned(),
            severity: Some(tree.text_of("SEVERITY"))
                .filter(|s| !s.is_empty())
                .unwrap_or(tree.attribute("severity"))
                .to_owned(),
            category: tree.text_of("CATEGORY").to_owned(),
            ids: prose::cves(&cves.join(" ")),
            vendor: names.join(" "),
            cvss,
            references: row::references(urls),
            published: prose::time(tree.text_of("PUBLISHED_DATETIME")),
            patched: tree.text_of("PATCHABLE") == "1",
        }
    }
}

/// Qualys counts from 1 (minimal) to 5 (urgent).
fn severity(text: &str) -> Option<Severity> {
    match text {
        "5" => Some(Severity::Critical),
        "4" => Some(Severity::High),
        "3" => Some(Severity::Medium),
        "2" | "1" => Some(Severity::Low),
        other => prose::severity(other),
    }
}

impl Detection<'_> {
    /// Its findings: one a package that its results name, else one. Each of them counts as a row.
    pub(super) fn pour(self, qid: &Qid, asset: &AssetName, os: Option<&Os>, report: &mut Report, sink: &mut Sink) {
        let kind = self.kind.to_ascii_lowercase();
        if kind == "ig" || kind.starts_with("info") {
            report.set_aside("informational", 1);
            return;
        }
        if self.ignored {
            sink.leave_out(reason::SUPPRESSED, 1);
            return;
        }
        if self.status.eq_ignore_ascii_case("fixed") {
            sink.leave_out(reason::CLOSED, 1);
            return;
        }
        let Ok(own) = VulnerabilityId::new(&format!("QID-{}", self.qid.trim())) else {
            sink.leave_out(if self.qid.is_empty() { reason::NO_ID } else { reason::UNSAFE_ID }, 1);
            return;
        };
        let (of, ecosystem) = qid.classify(os);
        let kbs = if of == VulnerabilityType::Windows {
            prose::kbs(&format!("{} {}", qid.vendor, qid.title))
        } else {
            Vec::new()
        };
        let (vulnerability, mut aliases) = prose::named(qid.ids.clone(), own);
        aliases.extend(kbs.iter().cloned());
        aliases.extend(prose::advisories(&format!("{} {}", qid.vendor, qid.title)));
        // What may be there was not proven; it is shown to whoever decides.
        let is_potential = kind == "practice" || kind.starts_with("potential");
        let title =
            if is_potential && !qid.title.is_empty() { format!("potential: {}", qid.title) } else { qid.title.clone() };
        let row = Row {
            aliases,
            severity: severity(&qid.severity),
            cvss: qid.cvss.clone(),
            published: qid.published,
            first_seen: self.first_seen,
            title: row::title([title.as_str()]),
            references: qid.references.clone(),
            ..Row::new(vulnerability)
        };
        let mut packages = if of == VulnerabilityType::Linux { packages(self.results) } else { Vec::new() };
        if packages.is_empty() {
            packages.push((None, None, Vec::new()));
        }
        for (package, installed, mut fixed) in packages {
            if of == VulnerabilityType::Windows {
                fixed = kbs.iter().filter_map(|kb| PackageVersion::new(kb.as_str()).ok()).collect();
            }
            let fix_state = match () {
                () if !fixed.is_empty() || qid.patched => FixState::Fixed,
                () if qid.title.starts_with("EOL/Obsolete") => FixState::EndOfLife,
                () => FixState::Unknown,
            };
            let location = if package.is_some() { None } else { self.port.clone() };
            let row = Row { package, installed, fixed, fix_state, ..row.clone() };
            sink.add(row.into_finding(Owner { asset, kind: of, ecosystem, location, scanner: SCANNER }));
        }
    }
}

impl Qid {
    /// Whose fix it is, and how its packages' versions are written.
    fn classify(&self, os: Option<&Os>) -> (VulnerabilityType, &'static str) {
        if prose::is_web_cms(&self.title) {
            return (VulnerabilityType::WebCms, "unknown");
        }
        let of_windows = self.category == "Windows" || os.is_some_and(|os| os.family == "windows");
        let of_microsoft = self.title.contains("Microsoft")
            || self.title.starts_with("Windows")
            || !prose::kbs(&self.vendor).is_empty();
        if of_windows && of_microsoft {
            return (VulnerabilityType::Windows, "windows");
        }
        // Qualys files what a distribution publishes under that distribution.
        let category = if self.category == "OEL" { "oracle linux" } else { self.category.as_str() };
        let distribution = prose::os(category).filter(|os| os.family != "windows");
        let advises = ["Security Notification for", "Security Update for", "Update for"]
            .iter()
            .any(|mark| self.title.contains(mark));
        let distribution =
            distribution.or_else(|| prose::os(&self.title).filter(|os| advises && os.family != "windows"));
        match prose::ecosystem(distribution.as_ref()) {
            "unknown" => (VulnerabilityType::Application, "unknown"),
            ecosystem => (VulnerabilityType::Linux, ecosystem),
        }
    }
}

type Package = (Option<PackageName>, Option<PackageVersion>, Vec<PackageVersion>);

/// Packages of a result's table: `Package`, `Installed Version`, `Required Version`.
fn packages(results: &str) -> Vec<Package> {
    const MAX_PACKAGES: usize = 500;
    let mut found: Vec<Package> = Vec::new();
    let mut in_table = false;
    for line in results.lines() {
        let lower = line.to_ascii_lowercase();
        if lower.contains("package") && lower.contains("installed version") && lower.contains("required version") {
            in_table = true;
            continue;
        }
        let cells: Vec<&str> = line.split_whitespace().collect();
        if let [name, installed, required, ..] = cells[..]
            && in_table
            && found.len() < MAX_PACKAGES
            && let (Ok(name), Ok(installed)) = (PackageName::new(name), PackageVersion::new(installed))
        {
            let package = (Some(name), Some(installed), PackageVersion::new(required).into_iter().collect());
            if !found.contains(&package) {
                found.push(package);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    const ASSETS_XML: &str = "<?xml version=\"1.0\"?><!DOCTYPE ASSET_DATA_REPORT SYSTEM \"https://192.0.2.1/x.dtd\"><ASSET_DATA_REPORT>\
        <HEADER><GENERATION_DATETIME>2019-08-01T20:03:10Z</GENERATION_DATETIME></HEADER><HOST_LIST><HOST><IP>192.0.2.1</IP>\
        <DNS><![CDATA[web-1.example.org]]></DNS><NETBIOS>WEB1</NETBIOS><OPERATING_SYSTEM>Ubuntu Linux 18.04.3</OPERATING_SYSTEM>\
        <VULN_INFO_LIST><VULN_INFO><QID id=\"qid_6\">6</QID><TYPE>Ig</TYPE></VULN_INFO>\
        <VULN_INFO><QID id=\"qid_197\">197</QID><TYPE>Vuln</TYPE><VULN_STATUS>New</VULN_STATUS><RESULT format=\"table\">Package\t\
        Installed Version\tRequired Version\nlibssl1.1\t1.1.0g-2ubuntu4\t1.1.0g-2ubuntu4.3\n$(id)\t1\t2\nopenssl\t1.1.0g-2ubuntu4\t\
        1.1.0g-2ubuntu4.3</RESULT><FIRST_FOUND>2019-07-31T21:57:48Z</FIRST_FOUND></VULN_INFO>\
        <VULN_INFO><QID id=\"qid_38\">38</QID><TYPE>Practice</TYPE><PORT>443</PORT><PROTOCOL>tcp</PROTOCOL><VULN_STATUS>Active\
        </VULN_STATUS></VULN_INFO><VULN_INFO><QID>39</QID><TYPE>Vuln</TYPE><VULN_STATUS>Fixed</VULN_STATUS></VULN_INFO>\
        </VULN_INFO_LIST></HOST></HOST_LIST><GLOSSARY><VULN_DETAILS_LIST><VULN_DETAILS id=\"qid_197\"><QID>197</QID>\
        <TITLE>Ubuntu Security Notification for OpenSSL (USN-3692-1)</TITLE><SEVERITY>4</SEVERITY><CATEGORY>Ubuntu</CATEGORY>\
        <CVE_ID_LIST><CVE_ID><ID>CVE-2018-0732</ID></CVE_ID><CVE_ID><ID>CVE-2018-0737</ID></CVE_ID></CVE_ID_LIST>\
        <VENDOR_REFERENCE_LIST><VENDOR_REFERENCE><ID>USN-3692-1</ID><URL>https://usn.ubuntu.com/3692-1</URL></VENDOR_REFERENCE>\
        </VENDOR_REFERENCE_LIST><CVSS3_SCORE><CVSS3_BASE>7.5 (AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H)</CVSS3_BASE></CVSS3_SCORE>\
        </VULN_DETAILS><VULN_DETAILS><QID>38</QID><TITLE>SSL x</TITLE><SEVERITY>1</SEVERITY><CATEGORY>General remote services\
        </CATEGORY></VULN_DETAILS></VULN_DETAILS_LIST></GLOSSARY></ASSET_DATA_REPORT>";

    fn shown(report: &Report) -> Vec<String> {
        let one = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
            format!("{} {} {:?} {:?} {}", f.kind.as_str(), f.id, f.severity.unwrap(), f.fix_state, fixed.join(","))
        };
        report.findings.iter().map(one).collect()
    }

    fn read(text: &str) -> Report {
        read_report("r.xml", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    #[test]
    fn a_report_of_assets_has_its_glossary_behind_it() {
        let report = read(ASSETS_XML);
        assert_eq!(
            shown(&report),
            [
                "linux web-1.example.org/CVE-2018-0732/libssl1.1@1.1.0g-2ubuntu4 High Fixed 1.1.0g-2ubuntu4.3",
                "linux web-1.example.org/CVE-2018-0732/openssl@1.1.0g-2ubuntu4 High Fixed 1.1.0g-2ubuntu4.3",
                "application web-1.example.org/QID-38/-#tcp/443 Low Unknown ",
            ]
        );
        let openssl = &report.findings[1];
        let aliases: Vec<_> = openssl.aliases.iter().map(ToString::to_string).collect();
        assert_eq!(aliases, ["CVE-2018-0737", "QID-197", "USN-3692-1"]);
        assert_eq!(openssl.cvss[0].vector.as_deref().unwrap(), "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H");
        assert_eq!(report.findings[2].title.as_deref(), Some("potential: SSL x"));
        assert_eq!(report.set_aside, [("informational".to_owned(), 1)].into());
        assert_eq!(report.left_out, [("closed".to_owned(), 1)].into());
        let (_, asset) = report.assets.iter().next().unwrap();
        let names: Vec<_> = asset.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["192.0.2.1", "WEB1", "web-1"]);
    }

    #[test]
    fn the_result_of_a_scan_is_read() {
        let report = read(
            "<SCAN value=\"scan/1\"><HEADER><KEY value=\"DATE\">2020-01-02T03:04:05Z</KEY></HEADER><IP value=\"192.0.2.1\" name=\"h-1\">\
             <OS>Windows 2016</OS><NETBIOS_HOSTNAME>H1</NETBIOS_HOSTNAME><INFOS><CAT value=\"x\"><INFO number=\"6\" severity=\"1\">\
             <TITLE>DNS</TITLE></INFO></CAT></INFOS><VULNS><CAT value=\"Windows\" port=\"445\" protocol=\"tcp\"><VULN number=\"91762\" \
             severity=\"5\" cveid=\"CVE-2021-31166\"><TITLE>Microsoft Windows Security Update for May 2021</TITLE><VENDOR_REFERENCE_LIST>\
             <VENDOR_REFERENCE><ID>KB5003169</ID></VENDOR_REFERENCE></VENDOR_REFERENCE_LIST><CVSS_BASE>7.5</CVSS_BASE></VULN></CAT>\
             </VULNS></IP></SCAN>",
        );
        assert_eq!(shown(&report), ["windows h-1/CVE-2021-31166/-#tcp/445 Critical Fixed KB5003169"]);
        assert_eq!(report.set_aside["informational"], 1);
        assert!(report.assets.values().next().unwrap().scanned_at.is_some());
    }

    #[test]
    fn a_list_of_detections_is_read() {
        let host = |inner: &str| {
            format!(
                "<HOST_LIST_VM_DETECTION_OUTPUT><RESPONSE><HOST_LIST><HOST><ID>7</ID><IP>192.0.2.1</IP><OS>Windows 10</OS><DNS_DATA>\
                 <HOSTNAME>h-1</HOSTNAME><FQDN>h-1.example.org</FQDN></DNS_DATA><DETECTION_LIST>{inner}</DETECTION_LIST></HOST>\
                 <HOST><ID>8</ID></HOST></HOST_LIST></RESPONSE></HOST_LIST_VM_DETECTION_OUTPUT>"
            )
        };
        let one = |qid: &str, rest: &str| {
            format!("<DETECTION><QID>{qid}</QID><TYPE>Confirmed</TYPE><SEVERITY>3</SEVERITY>{rest}</DETECTION>")
        };
        let report = read(&host(
            &[
                one("1", "<STATUS>Active</STATUS>"),
                one("2", "<STATUS>Fixed</STATUS>"),
                one("3", "<IS_IGNORED>1</IS_IGNORED>"),
                one("a b", ""),
            ]
            .concat(),
        ));
        assert_eq!(shown(&report), ["application h-1.example.org/QID-1/- Medium Unknown "]);
        let left_out: Vec<_> = report.left_out.keys().map(String::as_str).collect();
        assert_eq!(left_out, ["closed", "suppressed-by-scanner", "unsafe-vulnerability-id"]);
        assert_eq!(report.assets.keys().map(ToString::to_string).collect::<Vec<_>>(), ["8", "h-1.example.org"]);
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        for length in (1..ASSETS_XML.len()).step_by(50) {
            let error = read_report("r", &ASSETS_XML.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
            assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
        }
    }
}
