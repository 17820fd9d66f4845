//! Nessus: its XML (`.nessus`, version 2), and what one row of its XML or of a CSV export of Tenable's products means.

use std::borrow::Cow;

use jiff::Timestamp;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus_output::{self, Place};
use super::peek::Peek;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink};
use super::xml::{Head, Source, Tree, Walk};
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageVersion, Probability, Severity, VulnerabilityId, VulnerabilityType,
};

pub(super) const SCANNER: &str = "nessus";

/// The XML of Nessus, Tenable.sc and Tenable Vulnerability Management.
pub(super) const XML: Format = Format {
    name: "nessus",
    title: "Nessus XML (`.nessus`, version 2)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if root == "NessusClientData_v2"),
    read: read_xml,
};

fn read_xml(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    let mut walk = source.walk();
    let mut host: Option<Host> = None;
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "ReportHost" => {
                if let Some(host) = host.take() {
                    host.settle(input, report);
                }
                let mut identity = Identity::default();
                identity.call(head.attribute("name"));
                host = Some(Host { identity, settled: None });
            }
            "HostProperties" => {
                let properties = walk.tree(head)?;
                if let Some(host) = &mut host {
                    host.describe(&properties);
                }
            }
            "ReportItem" => take_item(head, &mut walk, &mut host, input, report, sink)?,
            _ => {}
        }
    }
    if let Some(host) = host {
        host.settle(input, report);
    }
    Ok(())
}

/// The host whose items are being read.
struct Host {
    identity: Identity,
    /// Its name, once an item needed it: its properties stand in front.
    settled: Option<(AssetName, Option<Os>)>,
}

impl Host {
    fn describe(&mut self, properties: &Tree) {
        let tag =
            |name: &str| properties.children("tag").find(|tag| tag.attribute("name") == name).map_or("", Tree::text);
        // What the host calls itself comes before what the scan was told to look at.
        let mut identity = Identity::default();
        identity.call(tag("hostname"));
        let named = std::mem::take(&mut self.identity);
        self.identity = identity;
        for name in named.names() {
            self.identity.call(name);
        }
        for name in ["host-fqdn", "host-rdns", "netbios-name", "host-ip", "aws-instance-id", "azure-vm-id", "host-uuid"]
        {
            self.identity.call(tag(name));
        }
        self.identity.runs(tag("operating-system"));
        self.identity.about.kind = row::location(tag("system-type"));
        let end = ["HOST_END_TIMESTAMP", "HOST_END", "HOST_START_TIMESTAMP", "HOST_START"].map(tag);
        self.identity.about.scanned_at = end.into_iter().find_map(prose::time);
    }

    fn settle(self, input: &Input<'_>, report: &mut Report) {
        if self.settled.is_none() {
            self.identity.settle(input, report);
        }
    }

    fn name(&mut self, input: &Input<'_>, report: &mut Report) -> &(AssetName, Option<Os>) {
        self.settled.get_or_insert_with(|| {
            let os = self.identity.os().cloned();
            (std::mem::take(&mut self.identity).settle(input, report), os)
        })
    }
}

fn take_item(
    head: Head,
    walk: &mut Walk<'_>,
    host: &mut Option<Host>,
    input: &Input<'_>,
    report: &mut Report,
    sink: &mut Sink,
) -> Result<(), IntakeError> {
    let item = walk.tree(head)?;
    let mut nobody = Host { identity: Identity::default(), settled: None };
    let (asset, os) = host.as_mut().unwrap_or(&mut nobody).name(input, report).clone();
    let text = |name: &'static str| item.text_of(name);
    let all = |name: &'static str| item.children(name).map(Tree::text).collect::<Vec<_>>().join("\n");
    let scores = [
        ("2.0", "cvss_base_score", "cvss_vector"),
        ("3.0", "cvss3_base_score", "cvss3_vector"),
        ("4.0", "cvss4_base_score", "cvss4_vector"),
    ];
    let is_compliance = text("compliance") == "true" || item.all().any(|child| child.name().starts_with("compliance-"));
    let plugin = Plugin {
        id: item.attribute("pluginID"),
        name: Cow::Borrowed(first_of([item.attribute("pluginName"), text("plugin_name")])),
        family: item.attribute("pluginFamily"),
        severity: severity(item.attribute("severity")),
        is_compliance,
        ids: prose::cves(&all("cve")),
        kbs: prose::kbs(&all("mskb").lines().map(|kb| format!("KB{kb} ")).collect::<String>()),
        output: text("plugin_output"),
        cpe: all("cpe"),
        cross_references: all("xref"),
        see_also: all("see_also"),
        end_of_life: text("unsupported_by_vendor") == "true",
        patched: !text("patch_publication_date").is_empty(),
        cvss: scores
            .iter()
            .filter_map(|(v, score, vector)| prose::cvss(SCANNER, v, text(score), text(vector)))
            .collect(),
        epss: row::probability(text("epss_score").parse().ok()),
        published: prose::time(text("vuln_publication_date")),
        first_seen: None,
        port: port(item.attribute("protocol"), item.attribute("port")),
    };
    plugin.pour(&asset, os.as_ref(), report, sink);
    Ok(())
}

fn first_of<'t>(texts: impl IntoIterator<Item = &'t str>) -> &'t str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Where on the network: `tcp/443`; port 0 means the host as a whole.
pub(super) fn port(protocol: &str, port: &str) -> Option<String> {
    let number = port.parse::<u16>().ok().filter(|number| *number > 0)?;
    let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_ascii_lowercase() };
    row::location(&format!("{protocol}/{number}"))
}

/// By name or by number; none for what only informs.
pub(super) fn severity(text: &str) -> Option<Severity> {
    match text {
        "4" => Some(Severity::Critical),
        "3" => Some(Severity::High),
        "2" => Some(Severity::Medium),
        "1" => Some(Severity::Low),
        other => row::severity(other),
    }
}

/// What a plugin found on one host, from whatever kind of export.
#[derive(Debug)]
pub(super) struct Plugin<'p> {
    pub(super) id: &'p str,
    pub(super) name: Cow<'p, str>,
    pub(super) family: &'p str,
    pub(super) severity: Option<Severity>,
    pub(super) is_compliance: bool,
    pub(super) ids: Vec<VulnerabilityId>,
    pub(super) kbs: Vec<VulnerabilityId>,
    pub(super) output: &'p str,
    pub(super) cpe: String,
    pub(super) cross_references: String,
    pub(super) see_also: String,
    pub(super) end_of_life: bool,
    pub(super) patched: bool,
    pub(super) cvss: Vec<Cvss>,
    pub(super) epss: Option<Probability>,
    pub(super) published: Option<Timestamp>,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) port: Option<String>,
}

impl Plugin<'_> {
    /// Its findings: one a package or place that its output names, else one. Each of them counts as a row, because each
    /// is work of its own.
    pub(super) fn pour(self, asset: &AssetName, os: Option<&Os>, report: &mut Report, sink: &mut Sink) {
        if self.is_compliance || self.family.eq_ignore_ascii_case("Policy Compliance") {
            report.set_aside("compliance", 1);
            return;
        }
        if self.severity.is_none() && self.ids.is_empty() {
            report.set_aside("informational", 1);
            return;
        }
        let Ok(own) = VulnerabilityId::new(&format!("NESSUS-{}", self.id.trim())) else {
            sink.leave_out(if self.id.is_empty() { row::reason::NO_ID } else { row::reason::UNSAFE_ID }, 1);
            return;
        };
        let (kind, ecosystem) = classify(self.family, &self.name, !self.kbs.is_empty(), os);
        let output = nessus_output::read(self.output, ecosystem);
        let mut kbs = self.kbs;
        if kind == VulnerabilityType::Windows {
            kbs.extend(output.kbs.into_iter().chain(prose::kbs(&self.name)));
            kbs.sort();
            kbs.dedup();
        }
        let (vulnerability, mut aliases) = prose::named(self.ids, own);
        aliases.extend(kbs.iter().cloned().chain(prose::advisories(&self.name)));
        let product = only_application(&self.cpe).filter(|_| kind != VulnerabilityType::Linux);
        let row = Row {
            aliases,
            severity: Some(self.severity.unwrap_or(Severity::Negligible)),
            cvss: self.cvss,
            epss: self.epss,
            kev: self.cross_references.contains("CISA-KNOWN-EXPLOITED"),
            published: self.published,
            first_seen: self.first_seen,
            title: row::title([self.name.as_ref()]),
            references: row::references(prose::urls(&self.see_also)),
            ..Row::new(vulnerability)
        };
        let mut places = output.places;
        if places.is_empty() || kind == VulnerabilityType::Windows {
            places = vec![Place::default()];
        }
        for place in places {
            let fixed = match kind {
                VulnerabilityType::Windows => {
                    kbs.iter().filter_map(|kb| PackageVersion::new(kb.as_str()).ok()).collect()
                }
                _ => place.fixed,
            };
            let fix_state = match () {
                () if !fixed.is_empty() => FixState::Fixed,
                () if self.name.contains("Unpatched Vulnerabilit") => FixState::NotFixed,
                () if self.end_of_life || self.name.contains("SEoL") => FixState::EndOfLife,
                () if self.name.contains("Unsupported Version") => FixState::EndOfLife,
                () if self.patched => FixState::Fixed,
                () => FixState::Unknown,
            };
            let of_host = kind == VulnerabilityType::Linux && place.package.is_some();
            let location = if of_host {
                None
            } else {
                place.path.as_deref().and_then(row::location).or_else(|| self.port.clone())
            };
            let row = Row {
                package: place.package.or_else(|| product.clone()),
                installed: place.installed,
                fixed,
                fix_state,
                ..row.clone()
            };
            sink.add(row.into_finding(Owner { asset, kind, ecosystem, location, scanner: SCANNER }));
        }
    }
}

/// Whose fix it is, and how packages are written: by the family and name that a plugin has.
pub(super) fn classify(family: &str, name: &str, has_kbs: bool, os: Option<&Os>) -> (VulnerabilityType, &'static str) {
    const NOT_LINUX: [&str; 11] = [
        "AIX",
        "FreeBSD",
        "HP-UX",
        "Junos",
        "MacOS X",
        "OpenBSD",
        "Palo Alto",
        "Solaris",
        "VMware ESX",
        "F5 Networks",
        "Citrix XenServer",
    ];
    if let Some(system) = family.strip_suffix(" Local Security Checks") {
        if NOT_LINUX.iter().any(|other| system.eq_ignore_ascii_case(other) || system.starts_with(other)) {
            return (VulnerabilityType::Application, "unknown");
        }
        let by_name = prose::os(system);
        return match prose::ecosystem(by_name.as_ref().or(os)) {
            "unknown" if !matches!(system, "Gentoo" | "Slackware") => (VulnerabilityType::Linux, "rpm"),
            ecosystem => (VulnerabilityType::Linux, ecosystem),
        };
    }
    if name.starts_with("Linux Distros Unpatched") {
        return (VulnerabilityType::Linux, prose::ecosystem(os));
    }
    if prose::is_web_cms(name) {
        return (VulnerabilityType::WebCms, "unknown");
    }
    let of_windows = family.starts_with("Windows") || os.is_some_and(|os| os.family == "windows");
    let of_microsoft = family.contains("Microsoft Bulletins")
        || has_kbs
        || !prose::kbs(name).is_empty()
        || ["Microsoft ", "Windows ", "MS"].iter().any(|start| name.starts_with(start));
    if of_windows && of_microsoft {
        return (VulnerabilityType::Windows, "windows");
    }
    (VulnerabilityType::Application, "unknown")
}

/// The application that the CPEs are about, where they are about one.
fn only_application(cpes: &str) -> Option<crate::model::PackageName> {
    let mut names = cpes.split_whitespace().filter_map(prose::application).map(|(name, _)| name);
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    fn item(attributes: &str, inner: &str) -> String {
        format!("<ReportItem port=\"0\" svc_name=\"general\" protocol=\"tcp\" {attributes}>{inner}</ReportItem>")
    }

    fn file(items: &str) -> String {
        format!(
            "<?xml version=\"1.0\" ?>\n<NessusClientData_v2><Policy><policyName>p</policyName></Policy><Report name=\"r\">\
             <ReportHost name=\"192.0.2.7\"><HostProperties><tag name=\"host-ip\">192.0.2.7</tag><tag name=\"host-fqdn\">\
             web-1.example.org</tag><tag name=\"netbios-name\">WEB-1</tag><tag name=\"operating-system\">Linux Kernel 5.10 on \
             Debian 11.6</tag><tag name=\"HOST_END_TIMESTAMP\">1648044472</tag></HostProperties>{items}</ReportHost></Report>\
             </NessusClientData_v2>"
        )
    }

    fn sample() -> String {
        file(
            &[
                item("severity=\"0\" pluginID=\"10287\" pluginName=\"Traceroute\" pluginFamily=\"General\"", ""),
                item("severity=\"3\" pluginID=\"21157\" pluginName=\"CIS\" pluginFamily=\"Policy Compliance\"", ""),
                item(
                    "severity=\"3\" pluginID=\"150000\" pluginName=\"Debian DSA-5417-1 : openssl - security update\" \
                     pluginFamily=\"Debian Local Security Checks\"",
                    "<cve>CVE-2023-0464</cve><cve>CVE-2023-0465</cve><cvss3_base_score>7.5</cvss3_base_score>\
                     <cvss3_vector>CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H</cvss3_vector><xref>CISA-KNOWN-EXPLOITED:2024/07/03\
                     </xref><see_also>https://www.debian.org/x\nhttps://www.debian.org/y</see_also><plugin_output>Remote package \
                     installed : openssl_1.1.1n-0+deb11u3\nShould be : openssl_1.1.1n-0+deb11u5\nRemote package installed : \
                     libssl1.1_1.1.1n-0+deb11u3\nShould be : libssl1.1_1.1.1n-0+deb11u5</plugin_output>",
                ),
                item(
                    "severity=\"2\" pluginID=\"57608\" pluginName=\"SMB Signing not required\" pluginFamily=\"Misc.\"",
                    "",
                )
                .replace("port=\"0\"", "port=\"445\""),
                item("severity=\"0\" pluginID=\"1\" pluginName=\"x\" pluginFamily=\"Misc.\"", "<cve>CVE-1999-0524</cve>"),
                item(
                    "severity=\"4\" pluginID=\"2\" pluginName=\"KB5003197: Windows Security Update (May 2021)\" \
                     pluginFamily=\"Windows : Microsoft Bulletins\"",
                    "<cve>CVE-2021-1</cve><cve>CVE-2021-31166</cve><xref>MSKB:5003197</xref><plugin_output>\nThe remote host is \
                     missing one of the following rollup KBs :\n  - 5003197\n</plugin_output>",
                ),
                item(
                    "severity=\"4\" pluginID=\"58987\" pluginName=\"PHP Unsupported Version Detection\" pluginFamily=\"CGI abuses\"",
                    "<cpe>cpe:/a:php:php</cpe><plugin_output>Installed version : 5.1.6</plugin_output>",
                ),
                item(
                    "severity=\"2\" pluginID=\"3\" pluginName=\"WordPress &lt; 6.4.2 Vulnerability\" pluginFamily=\"CGI abuses\"",
                    "<plugin_output>URL : https://h/blog\nInstalled version : 6.4\nFixed version : 6.4.2</plugin_output>",
                ),
                item("severity=\"2\" pluginID=\"$(id)\" pluginName=\"x\" pluginFamily=\"Misc.\"", ""),
            ]
            .concat(),
        )
    }

    #[test]
    fn items_become_findings() {
        let report = read_report("r.nessus", sample().as_bytes(), &ReadOptions::default()).unwrap();
        assert_eq!(report.set_aside, [("compliance".to_owned(), 1), ("informational".to_owned(), 1)].into());
        assert_eq!(report.left_out, [(row::reason::UNSAFE_ID.to_owned(), 1)].into());
        let shown: Vec<_> = report
            .findings
            .iter()
            .map(|f| {
                let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
                format!("{} {} {} {:?} {}", f.kind.as_str(), f.ecosystem, f.id, f.fix_state, fixed.join(","))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "linux deb web-1.example.org/CVE-2023-0464/openssl@1.1.1n-0+deb11u3 Fixed 1.1.1n-0+deb11u5",
                "linux deb web-1.example.org/CVE-2023-0464/libssl1.1@1.1.1n-0+deb11u3 Fixed 1.1.1n-0+deb11u5",
                "application unknown web-1.example.org/NESSUS-57608/-#tcp/445 Unknown ",
                "application unknown web-1.example.org/CVE-1999-0524/- Unknown ",
                "windows windows web-1.example.org/CVE-2021-31166/- Fixed KB5003197",
                "application unknown web-1.example.org/NESSUS-58987/php@5.1.6 EndOfLife ",
                "web_cms unknown web-1.example.org/NESSUS-3/-@6.4#https://h/blog Fixed 6.4.2",
            ]
        );
        let openssl = &report.findings[0];
        let aliases: Vec<_> = openssl.aliases.iter().map(ToString::to_string).collect();
        assert_eq!(aliases, ["CVE-2023-0465", "DSA-5417-1", "NESSUS-150000"]);
        assert!(openssl.kev && openssl.cvss.len() == 1 && openssl.references.len() == 2);
        let (name, asset) = report.assets.iter().next().unwrap();
        let names: Vec<_> = asset.names.iter().map(ToString::to_string).collect();
        assert_eq!(
            (name.as_str(), names),
            ("web-1.example.org", vec!["192.0.2.7".into(), "WEB-1".into(), "web-1".into()])
        );
        assert_eq!(asset.os.as_ref().unwrap().version.as_deref(), Some("11.6"));
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        let text = sample();
        for length in (1..text.len()).step_by(50) {
            let error = read_report("r.nessus", &text.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
            assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
        }
    }

    #[test]
    fn hosts_without_findings_are_there() {
        let text = file("").replace("</Report>", "<ReportHost name=\"10.0.0.9\"/></Report>");
        let report = read_report("r", text.as_bytes(), &ReadOptions::default()).unwrap();
        let names: Vec<_> = report.assets.keys().map(ToString::to_string).collect();
        assert_eq!((names, report.read), (vec!["10.0.0.9".to_owned(), "web-1.example.org".to_owned()], 0));
    }
}
