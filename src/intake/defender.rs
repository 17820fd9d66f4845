//! Microsoft Defender for Endpoint: vulnerabilities by machine and software, from its API, its export and its console.

use serde::Deserialize;

use super::columns;
use super::each::{self, Amount, Shape, Word};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{FixState, Os, VulnerabilityType, printable};

const SCANNER: &str = "defender";

/// Answers of the API, and the files of the export.
pub(super) const JSON: Format = Format {
    name: "defender",
    title: "Microsoft Defender for Endpoint: answers of `machinesVulnerabilities`, `SoftwareVulnerabilitiesByMachine` or `machines`, or exported files",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, SHAPES),
    read: read_json,
};

/// The table that the console and advanced hunting export.
pub(super) const CSV: Format = Format {
    name: "defender-csv",
    title: "Microsoft Defender for Endpoint: the table `DeviceTvmSoftwareVulnerabilities` as CSV",
    scanner: SCANNER,
    is: |peek| columns::has(&columns::header(peek), &[CVE, SOFTWARE, &["DeviceName", "DeviceId", "machineId"]]),
    read: read_csv,
};

const CVE: &[&str] = &["CveId"];
const SOFTWARE: &[&str] = &["SoftwareName", "productName"];

const SHAPES: &[Shape] = &[
    Shape { has: &["value/0/cveId"], rows: &["value"] },
    Shape { has: &["value/0/CveId"], rows: &["value"] },
    // Machines by themselves say what the machines of other answers are called.
    Shape { has: &["value/0/computerDnsName"], rows: &["value"] },
    Shape { has: &["@odata.context", "value"], rows: &["value"] },
    Shape { has: &["0/cveId", "0/deviceId"], rows: &[] },
    Shape { has: &["0/cveId", "0/machineId"], rows: &[] },
    Shape { has: &["0/CveId", "0/DeviceId"], rows: &[] },
    Shape { has: &["cveId", "deviceId"], rows: &[] },
    Shape { has: &["CveId", "DeviceId"], rows: &[] },
];

/// A row of any of the answers: each has some of these.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRow<'a> {
    #[serde(rename = "cveId", alias = "CveId", borrow)]
    cve: Text<'a>,
    #[serde(rename = "machineId", alias = "deviceId", alias = "DeviceId", borrow)]
    machine: Text<'a>,
    #[serde(rename = "deviceName", alias = "DeviceName", borrow)]
    device_name: Text<'a>,
    #[serde(rename = "osPlatform", alias = "OSPlatform", borrow)]
    os_platform: Text<'a>,
    #[serde(rename = "osVersion", alias = "OSVersion", borrow)]
    os_version: Word<'a>,
    #[serde(rename = "productVendor", alias = "softwareVendor", alias = "SoftwareVendor", borrow)]
    vendor: Text<'a>,
    #[serde(rename = "productName", alias = "softwareName", alias = "SoftwareName", borrow)]
    product: Text<'a>,
    #[serde(rename = "productVersion", alias = "softwareVersion", alias = "SoftwareVersion", borrow)]
    version: Text<'a>,
    #[serde(rename = "severity", alias = "vulnerabilitySeverityLevel", alias = "VulnerabilitySeverityLevel", borrow)]
    severity: Text<'a>,
    #[serde(rename = "cvssScore", alias = "CvssScore")]
    cvss_score: Amount,
    #[serde(
        rename = "fixingKbId",
        alias = "recommendedSecurityUpdateId",
        alias = "RecommendedSecurityUpdateId",
        borrow
    )]
    update_id: Word<'a>,
    #[serde(rename = "recommendedSecurityUpdate", alias = "RecommendedSecurityUpdate", borrow)]
    update: Text<'a>,
    #[serde(rename = "recommendedSecurityUpdateUrl", alias = "RecommendedSecurityUpdateUrl", borrow)]
    update_url: Text<'a>,
    #[serde(rename = "firstSeenTimestamp", alias = "FirstSeenTimestamp", borrow)]
    first_seen: Text<'a>,
    #[serde(rename = "diskPaths", alias = "DiskPaths", borrow)]
    disk_paths: Few<Text<'a>, 4>,
    /// Of a delta: what became of the row.
    #[serde(rename = "status", alias = "Status", borrow)]
    status: Text<'a>,
    // Of a machine.
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "computerDnsName", borrow)]
    dns_name: Text<'a>,
    #[serde(rename = "lastIpAddress", borrow)]
    last_ip: Text<'a>,
    #[serde(rename = "lastExternalIpAddress", borrow)]
    external_ip: Text<'a>,
}

/// What a row says, from wherever it comes.
#[derive(Default)]
struct Software<'a> {
    cve: &'a str,
    machine: &'a str,
    device_name: &'a str,
    os_platform: &'a str,
    os_version: &'a str,
    vendor: &'a str,
    product: Text<'a>,
    version: Text<'a>,
    severity: &'a str,
    cvss_score: Amount,
    update_id: &'a str,
    update: &'a str,
    update_url: &'a str,
    first_seen: &'a str,
    path: &'a str,
    status: &'a str,
}

/// Vendors whose software on Linux is the packages of their distribution.
const DISTRIBUTIONS: &[&str] = &[
    "almalinux",
    "amazon",
    "canonical",
    "centos",
    "debian",
    "fedora",
    "fedoraproject",
    "mariner",
    "oracle",
    "red_hat",
    "redhat",
    "rocky",
    "suse",
    "ubuntu",
];

impl Software<'_> {
    fn is_windows(&self) -> bool {
        self.os_platform.to_ascii_lowercase().starts_with("windows")
    }

    fn os(&self) -> Option<Os> {
        let version = Some(printable(self.os_version, 64)).filter(|version| !version.is_empty());
        let platform = self.os_platform.to_ascii_lowercase();
        let family = match platform.as_str() {
            "" | "other" => return None,
            text if text.starts_with("windows") => {
                return Some(Os { family: "windows".into(), name: printable(self.os_platform, 64), version });
            }
            "redhatenterpriselinux" => "redhat",
            "amazonlinux" => "amazon",
            "oraclelinux" => "oracle",
            "almalinux" => "alma",
            "rockylinux" => "rocky",
            known => known,
        };
        trivy::os(family, self.os_version)
    }

    /// `windows_server_2019` and its kin are updated as a whole; on Linux, software of the distribution's own vendor is
    /// its packages; everything else is somebody's program.
    fn kind(&self) -> (VulnerabilityType, &'static str) {
        let is_product = self.product.as_str().starts_with("windows_");
        let has_kb = subject::kb(self.update_id).is_some();
        let by_distribution = DISTRIBUTIONS.contains(&self.vendor.to_ascii_lowercase().as_str());
        match self.os().map(|os| os.family) {
            _ if is_product || (has_kb && (self.is_windows() || self.os_platform.is_empty())) => {
                (VulnerabilityType::Windows, "windows")
            }
            Some(family) if family == "windows" => (VulnerabilityType::Application, "windows"),
            Some(family) if by_distribution && family == "debian" => (VulnerabilityType::Linux, "deb"),
            Some(family) if by_distribution && (family == "redhat" || family == "suse") => {
                (VulnerabilityType::Linux, "rpm")
            }
            _ => (VulnerabilityType::Application, "unknown"),
        }
    }

    fn row(&self) -> Result<Row, &'static str> {
        let id = if self.cve.is_empty() { Text::Absent } else { Text::Is(self.cve.into()) };
        let vulnerability = row::vulnerability_id(&id)?;
        if self.status.eq_ignore_ascii_case("fixed") {
            return Err(reason::CLOSED);
        }
        let fixed: Vec<_> = self.update_id.split([',', ';']).filter_map(subject::kb).collect();
        Ok(Row {
            package: Some(subject::product_name(self.vendor, &self.product)?),
            installed: row::installed_version(&self.version)?,
            fix_state: if fixed.is_empty() && self.update.is_empty() { FixState::Unknown } else { FixState::Fixed },
            fixed,
            severity: row::severity(self.severity),
            // Not said which version of CVSS it is.
            cvss: self.cvss_score.0.and_then(|score| row::cvss(SCANNER, "3.1", score, "")).into_iter().collect(),
            first_seen: subject::moment(self.first_seen),
            title: row::title([self.update]),
            references: row::references([self.update_url]),
            path: row::location(self.path),
            ..Row::new(vulnerability)
        })
    }

    fn take(&self, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
        let subject = Subject { names: vec![self.device_name, self.machine], os: self.os(), kind: "host", seen: None };
        let asset = subject.enter(input, report);
        let (kind, ecosystem) = self.kind();
        match self.row() {
            Ok(row) => {
                let location = row.path.clone().filter(|_| kind == VulnerabilityType::Application);
                sink.add(row.into_finding(Owner { asset: &asset, kind, ecosystem, location, scanner: SCANNER }));
            }
            Err(why) => sink.leave_out(why, 1),
        }
    }
}

fn read_json(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawRow<'_>>| {
        let Some(raw) = raw else { return sink.leave_out(reason::MALFORMED, 1) };
        let is_machine = raw.cve == Text::Absent && raw.machine == Text::Absent && raw.id != Text::Absent;
        if is_machine {
            let machine = Software {
                os_platform: raw.os_platform.as_str(),
                os_version: raw.os_version.as_str(),
                ..Software::default()
            };
            let names = [&raw.id, &raw.dns_name, &raw.last_ip, &raw.external_ip].map(Text::as_str);
            let subject = Subject { names: names.to_vec(), os: machine.os(), kind: "host", seen: None };
            subject.enter(input, report);
            return report.set_aside("machine", 1);
        }
        let paths = &raw.disk_paths.0;
        let software = Software {
            cve: raw.cve.as_str(),
            machine: raw.machine.as_str(),
            device_name: raw.device_name.as_str(),
            os_platform: raw.os_platform.as_str(),
            os_version: raw.os_version.as_str(),
            vendor: raw.vendor.as_str(),
            product: raw.product.clone(),
            version: raw.version.clone(),
            severity: raw.severity.as_str(),
            cvss_score: raw.cvss_score,
            update_id: raw.update_id.as_str(),
            update: raw.update.as_str(),
            update_url: raw.update_url.as_str(),
            first_seen: raw.first_seen.as_str(),
            path: paths.first().map_or("", Text::as_str),
            status: raw.status.as_str(),
        };
        software.take(input, report, sink);
    })
}

fn read_csv(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    columns::records(input, |record| {
        let text = |names: &[&str]| match record.get(names) {
            "" => Text::Absent,
            cell => Text::Is(cell.into()),
        };
        let software = Software {
            cve: record.get(CVE),
            machine: record.get(&["DeviceId", "machineId"]),
            device_name: record.get(&["DeviceName"]),
            os_platform: record.get(&["OSPlatform"]),
            os_version: record.get(&["OSVersion"]),
            vendor: record.get(&["SoftwareVendor", "productVendor"]),
            product: text(SOFTWARE),
            version: text(&["SoftwareVersion", "productVersion"]),
            severity: record.get(&["VulnerabilitySeverityLevel", "severity"]),
            cvss_score: Amount::read(record.get(&["CvssScore"])),
            update_id: record.get(&["RecommendedSecurityUpdateId", "fixingKbId"]),
            update: record.get(&["RecommendedSecurityUpdate"]),
            update_url: record.get(&["RecommendedSecurityUpdateUrl"]),
            first_seen: record.get(&["FirstSeenTimestamp"]),
            path: record.get(&["DiskPaths"]).split(';').next().unwrap_or_default(),
            status: record.get(&["Status"]),
        };
        software.take(input, report, sink);
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::json;

    use super::super::reports::{ReadOptions, Report, read_report};
    use super::*;

    fn read(text: &str) -> Report {
        read_report("d", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn shown(report: &Report) -> Vec<String> {
        let show = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(|v| v.as_str()).collect();
            format!(
                "{} {} {} {} {}",
                f.asset,
                f.kind.as_str(),
                f.ecosystem,
                f.package.as_ref().unwrap(),
                fixed.join(",")
            )
        };
        report.findings.iter().map(show).collect()
    }

    #[test]
    fn answers_of_the_api_and_its_machines_are_read() {
        let row = |product: &str, kb: serde_json::Value| {
            json!({"id": "x", "cveId": "CVE-2026-1000", "machineId": "m1", "fixingKbId": kb, "productName": product,
                "productVendor": "microsoft", "productVersion": "10.0.17763.1", "severity": "High"})
        };
        let rows =
            [row("windows_server_2019", json!("5034441")), row(".net", json!(null)), row("edge", json!(5_034_442))];
        let report = read(&json!({"@odata.context": "c", "value": rows}).to_string());
        assert_eq!(
            shown(&report),
            [
                "m1 windows windows windows_server_2019 KB5034441",
                "m1 application unknown microsoft/.net ",
                "m1 windows windows edge KB5034442"
            ]
        );
        let machine = json!({"id": "m1", "computerDnsName": "web-1.example.org", "lastIpAddress": "10.0.0.1",
            "lastExternalIpAddress": null, "osPlatform": "WindowsServer2019", "osVersion": null});
        let report = read(&json!({"@odata.context": "c", "value": [machine]}).to_string());
        assert_eq!((report.read, report.set_aside["machine"]), (0, 1));
        let names: Vec<_> = report.assets["m1"].names.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["10.0.0.1", "web-1.example.org"]);
        assert_eq!(read(r#"{"@odata.context": "c", "value": []}"#).read, 0);
    }

    #[test]
    fn exports_are_read_as_answers_as_lines_and_as_tables() {
        let row = json!({"deviceId": "d1", "deviceName": "web-1.example.org", "osPlatform": "Ubuntu", "osVersion": "22.04",
            "softwareVendor": "canonical", "softwareName": "openssl", "softwareVersion": "3.0.2-0ubuntu1.10",
            "cveId": "CVE-2026-1000", "vulnerabilitySeverityLevel": "Critical", "cvssScore": "9.8",
            "recommendedSecurityUpdate": "USN-1", "recommendedSecurityUpdateId": "", "firstSeenTimestamp": "2026-01-02 03:04:05",
            "diskPaths": ["/usr/lib/libssl.so.3"]});
        let line = row.to_string();
        let table = "DeviceId,DeviceName,OSPlatform,OSVersion,SoftwareVendor,SoftwareName,SoftwareVersion,CveId,\
             VulnerabilitySeverityLevel,RecommendedSecurityUpdate,RecommendedSecurityUpdateId,CvssScore,FirstSeenTimestamp\n\
             d1,web-1.example.org,Ubuntu,22.04,canonical,openssl,3.0.2-0ubuntu1.10,CVE-2026-1000,Critical,USN-1,,9.8,2026-01-02 03:04:05\n";
        let answer = json!({"@odata.context": "c", "value": [row]}).to_string();
        for (text, format) in
            [(answer, "defender"), (format!("{line}\n{line}"), "defender"), (table.to_owned(), "defender-csv")]
        {
            let report = read(&text);
            assert_eq!(report.format, format);
            assert_eq!(shown(&report), ["web-1.example.org linux deb openssl "], "{text}");
            let finding = &report.findings[0];
            assert_eq!(finding.fix_state, FixState::Fixed);
            assert_eq!(finding.first_seen.unwrap().to_string(), "2026-01-02T03:04:05Z");
            assert_eq!(finding.cvss[0].score.to_string(), "9.8");
            assert_eq!(report.assets["web-1.example.org"].os.as_ref().unwrap().name, "ubuntu");
        }
        let gone = line.replace("\"osPlatform\"", "\"status\":\"Fixed\",\"osPlatform\"");
        assert_eq!(read(&format!("[{gone}]")).left_out["closed"], 1);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let row = |product: &str, version: &str, cve: &str| json!({"cveId": cve, "machineId": "m\u{1b}1", "productName": product, "productVendor": "v", "productVersion": version});
        let rows = json!([
            row("a", "1", "CVE-2026-1000"),
            row("a; reboot", "1", "CVE-2026-1000"),
            row("a", "1 && id", "CVE-2026-1000"),
            row("a", "1", "$(id)"),
            row("a", "1", ""),
            [1],
            {"cveId": 7, "machineId": "m"}
        ]);
        let text = json!({"@odata.context": "c", "value": rows}).to_string();
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (7, 1), "{:?}", report.left_out);
        assert!(report.assets.keys().all(|name| !name.as_str().contains('\u{1b}')));
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("d", &text.as_bytes()[..end], &ReadOptions::default());
        }
    }
}
