//! Huawei Cloud Host Security Service: answers of its API (vulnerabilities, servers of one, vulnerabilities of a
//! server), and the lists that its console exports.

use serde::Deserialize;

use super::columns::{self, Record};
use super::each::{self, Amount, Object, Objects, Shape};
use super::error::IntakeError;
use super::format::{Format, Input};
use super::lenient::{Few, Text};
use super::reports::Report;
use super::row::{self, MAX_ALIASES, Owner, Row, Sink, reason};
use super::subject::{self, Subject};
use super::trivy;
use crate::model::{FixState, Os, PackageName, PackageVersion, VulnerabilityId, VulnerabilityType, printable};

const SCANNER: &str = "huawei-hss";

/// `GET /v5/PROJECT/vulnerability/...`.
pub(super) const ANSWERS: Format = Format {
    name: "huawei-hss",
    title: "Huawei Cloud HSS: answers of its vulnerability API (`/vulnerability/vulnerabilities`, `/hosts`, `/host/ID`, ...)",
    scanner: SCANNER,
    is: |peek| each::is_one(peek, SHAPES),
    read: read_answers,
};

/// What the console's `Export` and the export API write.
pub(super) const EXPORT: Format = Format {
    name: "huawei-hss-csv",
    title: "Huawei Cloud HSS: the exported vulnerability list as CSV",
    scanner: SCANNER,
    is: |peek| {
        let header = columns::header(peek);
        let by_field = columns::has(&header, &[&["vul_id", "vul_name"]]);
        by_field || columns::has(&header, &[&[NAME, ID].concat(), PRIORITY])
    },
    read: read_export,
};

const SHAPES: &[Shape] = &[
    Shape { has: &["data_list/0/vul_id"], rows: &["data_list"] },
    Shape { has: &["data_list/0/vul_name"], rows: &["data_list"] },
    Shape { has: &["data_list/0/cve_id_list"], rows: &["data_list"] },
    Shape { has: &["data_list/0/vul_ids_info"], rows: &["data_list"] },
    Shape { has: &["data_list/0/repair_cmd"], rows: &["data_list"] },
    // Nothing was found.
    Shape { has: &["data_list", "total_num"], rows: &["data_list"] },
];

/// A row of any of the answers: each has some of these.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRow<'a> {
    #[serde(borrow)]
    vul_id: Text<'a>,
    #[serde(borrow)]
    vul_name: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
    #[serde(borrow)]
    severity_level: Text<'a>,
    #[serde(borrow)]
    repair_necessity: Text<'a>,
    #[serde(borrow)]
    repair_priority: Text<'a>,
    #[serde(borrow)]
    solution_detail: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    patch_url: Text<'a>,
    cve_list: Few<Object<RawCve<'a>>, 256>,
    #[serde(borrow)]
    cve_id_list: Few<Text<'a>, 256>,
    #[serde(borrow)]
    cve_id: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    repair_cmd: Text<'a>,
    app_list: Objects<RawApp<'a>>,
    #[serde(borrow)]
    app_name: Text<'a>,
    #[serde(borrow)]
    app_version: Text<'a>,
    #[serde(borrow)]
    app_path: Text<'a>,
    #[serde(borrow)]
    software_version: Text<'a>,
    scan_time: Amount,
    first_scan_time: Amount,
    publish_time: Amount,
    host_num: Amount,
    unhandle_host_num: Amount,
    #[serde(borrow)]
    host_id_list: Few<Text<'a>, 10_000>,
    #[serde(borrow)]
    host_id: Text<'a>,
    #[serde(borrow)]
    host_name: Text<'a>,
    #[serde(borrow)]
    host_ip: Text<'a>,
    #[serde(borrow)]
    private_ip: Text<'a>,
    #[serde(borrow)]
    public_ip: Text<'a>,
    #[serde(borrow)]
    os_type: Text<'a>,
    #[serde(borrow)]
    os_name: Text<'a>,
    #[serde(borrow)]
    os_version: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawCve<'a> {
    #[serde(borrow)]
    cve_id: Text<'a>,
    cvss: Amount,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawApp<'a> {
    #[serde(borrow)]
    app_name: Text<'a>,
    #[serde(borrow)]
    app_version: Text<'a>,
    #[serde(borrow)]
    upgrade_version: Text<'a>,
    #[serde(borrow)]
    app_path: Text<'a>,
}

/// A package of a row, as far as it is told.
#[derive(Clone, Default)]
struct Package<'a> {
    name: Text<'a>,
    installed: Text<'a>,
    fixed: Text<'a>,
    path: &'a str,
}

/// What a row says, from wherever it comes.
#[derive(Default)]
struct Vulnerability<'a> {
    id: Text<'a>,
    name: &'a str,
    kind: &'a str,
    description: &'a str,
    severities: [&'a str; 3],
    solution: &'a str,
    urls: [&'a str; 2],
    /// Each with its score, where it has one.
    cves: Vec<(&'a str, Option<f64>)>,
    status: &'a str,
    command: &'a str,
    packages: Vec<Option<Package<'a>>>,
    packages_beyond: u64,
    published: Option<jiff::Timestamp>,
    first_seen: Option<jiff::Timestamp>,
    seen: Option<jiff::Timestamp>,
    os: Option<Os>,
    os_type: &'a str,
}

/// What HSS calls the kinds, in its API and on its console.
fn kind_of(text: &str) -> Option<VulnerabilityType> {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let plain = plain.trim_end_matches("vulnerability").trim_end_matches("vulnerabilities").trim_end_matches("漏洞");
    match plain {
        "linuxvul" | "linux" => Some(VulnerabilityType::Linux),
        "windowsvul" | "windows" => Some(VulnerabilityType::Windows),
        "webcms" | "webcmsvul" => Some(VulnerabilityType::WebCms),
        "appvul" | "app" | "application" | "应用" => Some(VulnerabilityType::Application),
        "urgentvul" | "urgent" | "emergency" | "应急" => Some(VulnerabilityType::Emergency),
        _ => None,
    }
}

/// Why a row opens no work. What waits for a reboot is not yet gone, and what is being handled may still fail.
fn is_done(status: &str) -> Option<&'static str> {
    let plain: String = status.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match plain.strip_prefix("vulstatus").unwrap_or(&plain) {
        "ignored" | "ignore" | "已忽略" | "whitelisted" | "addedtowhitelist" | "已加白名单" => {
            Some(reason::SUPPRESSED)
        }
        "fixed" | "handled" | "repaired" | "修复成功" | "已处理" | "已修复" => Some(reason::CLOSED),
        _ => None,
    }
}

/// The packages that a command such as `yum update glibc glibc-common` updates; none where it says anything else.
fn updated_by(command: &str) -> Vec<PackageName> {
    let mut words = command.split_whitespace().skip_while(|word| *word == "sudo");
    let known = match words.next() {
        Some("yum" | "dnf" | "microdnf") => ["update", "upgrade", "install", "update-minimal"].as_slice(),
        Some("zypper") => &["update", "up", "install", "in"],
        Some("apt" | "apt-get") => &["install", "upgrade"],
        _ => return Vec::new(),
    };
    let Some(verb) = words.find(|word| !word.starts_with('-')) else { return Vec::new() };
    if !known.contains(&verb) {
        return Vec::new();
    }
    let names: Result<Vec<PackageName>, _> = words
        .filter(|word| !word.starts_with('-'))
        .take(256)
        .map(|word| PackageName::new(word.split('=').next().unwrap_or_default()))
        .collect();
    names.unwrap_or_default()
}

impl Vulnerability<'_> {
    fn kind(&self) -> VulnerabilityType {
        kind_of(self.kind).unwrap_or_else(|| match () {
            () if self.os_type.eq_ignore_ascii_case("windows") => VulnerabilityType::Windows,
            () if !self.command.is_empty() => VulnerabilityType::Linux,
            () if self.packages.iter().flatten().any(|package| !package.path.is_empty()) => {
                VulnerabilityType::Application
            }
            () => VulnerabilityType::Linux,
        })
    }

    fn ecosystem(&self, kind: VulnerabilityType) -> &'static str {
        let manager = self.command.split_whitespace().find(|word| *word != "sudo").unwrap_or_default();
        match (kind, self.os.as_ref().map_or("", |os| os.family.as_str()), manager) {
            (VulnerabilityType::Windows, _, _) => "windows",
            (VulnerabilityType::Linux, "debian", _) | (VulnerabilityType::Linux, _, "apt" | "apt-get") => "deb",
            (VulnerabilityType::Linux, "redhat" | "suse", _)
            | (VulnerabilityType::Linux, _, "yum" | "dnf" | "microdnf" | "zypper") => "rpm",
            _ => "unknown",
        }
    }

    /// Everything but the package.
    fn row(&self) -> Result<Row, &'static str> {
        let advisory = match &self.id {
            Text::Absent => None,
            id => Some(row::vulnerability_id(id)?),
        };
        let mut cves: Vec<VulnerabilityId> = Vec::new();
        for (cve, _) in &self.cves {
            if let Ok(cve) = VulnerabilityId::new(cve)
                && !cves.contains(&cve)
            {
                cves.push(cve);
            }
        }
        if cves.is_empty() {
            cves.extend([self.urls[0], self.name].into_iter().find_map(subject::cve_in));
        }
        let (vulnerability, mut aliases) = subject::named_by(advisory, cves).ok_or(reason::NO_ID)?;
        while aliases.len() > MAX_ALIASES {
            aliases.pop_last();
        }
        // HSS scores with CVSS 3 and says so only in the details of a vulnerability.
        let mut scores: Vec<_> =
            self.cves.iter().filter_map(|(_, score)| row::cvss(SCANNER, "3.1", (*score)?, "")).collect();
        scores.sort();
        scores.dedup();
        scores.truncate(row::MAX_SCORES);
        let has_fix = !self.command.is_empty() || !self.urls[1].is_empty();
        Ok(Row {
            aliases,
            fix_state: if has_fix { FixState::Fixed } else { FixState::Unknown },
            severity: self.severities.into_iter().find_map(subject::severity),
            cvss: scores,
            published: self.published,
            first_seen: self.first_seen,
            title: row::title([self.name, self.description, self.solution]),
            references: row::references(self.urls),
            ..Row::new(vulnerability)
        })
    }

    /// A row may name several packages, each of which must be fixed: every one counts as a row.
    fn take(&self, names: &[&str], input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
        let subject = Subject { names: names.to_vec(), os: self.os.clone(), kind: "host", seen: self.seen };
        let asset = subject.enter(input, report);
        let kind = self.kind();
        let updated = if self.packages.is_empty() { updated_by(self.command) } else { Vec::new() };
        let named = self.packages.len().max(updated.len()).max(1);
        let rows = u64::try_from(named).unwrap_or(u64::MAX) + self.packages_beyond;
        let base = match is_done(self.status).map_or_else(|| self.row(), Err) {
            Ok(base) => base,
            Err(why) => return sink.leave_out(why, rows),
        };
        let mut add = |row: Row| {
            let location = row.path.clone().filter(|_| kind != VulnerabilityType::Linux);
            let owner = Owner { asset: &asset, kind, ecosystem: self.ecosystem(kind), location, scanner: SCANNER };
            sink.add(row.into_finding(owner));
        };
        let mut wrong = vec![(reason::TOO_MANY, self.packages_beyond)];
        if self.packages.is_empty() {
            if updated.is_empty() {
                add(base.clone());
            }
            updated.into_iter().for_each(|package| add(Row { package: Some(package), ..base.clone() }));
        }
        for package in &self.packages {
            let complete = |package: &Package<'_>| {
                let mut row = base.clone();
                row.package = Some(subject::product_name("", &package.name)?);
                row.installed = row::installed_version(&package.installed)?;
                row.fixed = match &package.fixed {
                    Text::Is(text) => text.split(',').filter_map(|one| PackageVersion::new(one.trim()).ok()).collect(),
                    Text::Absent | Text::Wrong => Vec::new(),
                };
                if !row.fixed.is_empty() {
                    row.fix_state = FixState::Fixed;
                }
                row.path = row::location(package.path);
                Ok(row)
            };
            match package.as_ref().map_or(Err(reason::MALFORMED), complete) {
                Ok(row) => add(row),
                Err(why) => wrong.push((why, 1)),
            }
        }
        wrong.into_iter().for_each(|(why, rows)| sink.leave_out(why, rows));
    }
}

fn os(os_type: &str, name: &str, version: &str) -> Option<Os> {
    let text = |text: &str| Some(printable(text, 64)).filter(|text| !text.is_empty());
    if os_type.eq_ignore_ascii_case("windows") {
        return Some(Os {
            family: "windows".into(),
            name: text(name).unwrap_or("windows".into()),
            version: text(version),
        });
    }
    let lower = name.to_ascii_lowercase();
    let family = match lower.split([' ', '_', '-']).next()? {
        "" => return None,
        "euleros" | "huawei" | "hce" | "hceos" => "openeuler",
        "red" | "rhel" | "redhat" => "redhat",
        "almalinux" => "alma",
        "suse" => "sles",
        known => known,
    };
    trivy::os(family, version)
}

fn read_answers(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    each::each(input, SHAPES, |raw: Option<RawRow<'_>>| {
        let Some(raw) = raw else { return sink.leave_out(reason::MALFORMED, 1) };
        let mut cves: Vec<(&str, Option<f64>)> = raw
            .cve_list
            .0
            .iter()
            .filter_map(|cve| cve.0.as_ref())
            .map(|cve| (cve.cve_id.as_str(), cve.cvss.0))
            .collect();
        cves.extend(raw.cve_id_list.0.iter().chain([&raw.cve_id]).map(|cve| (cve.as_str(), None)));
        let names = [&raw.host_name, &raw.host_ip, &raw.private_ip, &raw.public_ip, &raw.host_id].map(Text::as_str);
        let os = os(raw.os_type.as_str(), raw.os_name.as_str(), raw.os_version.as_str());
        let is_vulnerability =
            raw.vul_id != Text::Absent || raw.vul_name != Text::Absent || cves.iter().any(|(cve, _)| !cve.is_empty());
        if !is_vulnerability {
            // The view of hosts: how many vulnerabilities each has.
            Subject { names: names.to_vec(), os, kind: "host", seen: subject::millis(raw.scan_time.0) }
                .enter(input, report);
            return report.set_aside("host-summary", 1);
        }
        let app = |app: &RawApp<'_>| -> bool { app.app_name != Text::Absent };
        let mut packages: Vec<Option<Package<'_>>> = raw
            .app_list
            .first
            .iter()
            .filter(|entry| entry.as_ref().is_none_or(app))
            .map(|entry| {
                entry.as_ref().map(|app| Package {
                    name: app.app_name.clone(),
                    installed: app.app_version.clone(),
                    fixed: app.upgrade_version.clone(),
                    path: app.app_path.as_str(),
                })
            })
            .collect();
        if packages.is_empty() && raw.app_name != Text::Absent {
            let installed = if raw.app_version == Text::Absent { &raw.software_version } else { &raw.app_version };
            packages.push(Some(Package {
                name: raw.app_name.clone(),
                installed: installed.clone(),
                fixed: Text::Absent,
                path: raw.app_path.as_str(),
            }));
        }
        let vulnerability = Vulnerability {
            id: raw.vul_id.clone(),
            name: raw.vul_name.as_str(),
            kind: raw.kind.as_str(),
            description: raw.description.as_str(),
            severities: [&raw.severity_level, &raw.repair_necessity, &raw.repair_priority].map(Text::as_str),
            solution: raw.solution_detail.as_str(),
            urls: [raw.url.as_str(), raw.patch_url.as_str()],
            cves,
            status: raw.status.as_str(),
            command: raw.repair_cmd.as_str(),
            packages,
            packages_beyond: raw.app_list.beyond,
            published: subject::millis(raw.publish_time.0),
            first_seen: subject::millis(raw.first_scan_time.0),
            seen: subject::millis(raw.scan_time.0),
            os,
            os_type: raw.os_type.as_str(),
        };
        let hosts = &raw.host_id_list.0;
        // The view of vulnerabilities lists the hosts of each: every one of them counts as a row. It counts those that
        // nobody has handled yet; where there are some, it does not say which.
        let all_handled = raw.host_num.0.is_some_and(|hosts| hosts > 0.0) && raw.unhandle_host_num.0 == Some(0.0);
        if all_handled && raw.status == Text::Absent {
            return sink.leave_out(reason::CLOSED, u64::try_from(hosts.len().max(1)).unwrap_or(u64::MAX));
        }
        if hosts.is_empty() || input.given.is_some() {
            vulnerability.take(&names, input, report, sink);
        } else {
            hosts.iter().for_each(|host| vulnerability.take(&[host.as_str()], input, report, sink));
        }
    })
}

// The columns of the export: the fields of the API, or what the console calls them in English and Chinese.
const ID: &[&str] = &["vul_id", "Vulnerability ID", "漏洞ID"];
const NAME: &[&str] = &["vul_name", "Vulnerability Name", "Vulnerability", "漏洞名称"];
const PRIORITY: &[&str] =
    &["repair_priority", "Repair Priority", "Fix Priority", "Fixing Priority", "Vulnerability Priority", "修复优先级"];
const SEVERITY: &[&str] = &["severity_level", "Severity", "Severity Level", "Risk Level", "漏洞等级", "风险等级"];
const KIND: &[&str] = &["type", "Vulnerability Type", "漏洞类型"];
const STATUS: &[&str] =
    &["status", "Vulnerability Status", "Handling Status", "状态", "漏洞状态", "处理状态", "处置状态"];
const CVES: &[&str] = &["cve_id", "cve_list", "cve_id_list", "CVE", "CVE ID", "CVE IDs", "漏洞编号", "CVE编号"];
const COMMAND: &[&str] = &["repair_cmd", "Fix Command", "Repair Command", "修复命令"];
const SOLUTION: &[&str] = &["solution_detail", "Solution", "解决方案", "修复建议"];
const APP: &[&str] = &["app_name", "Software", "Software Name", "Affected Software", "软件名称"];
const APP_VERSION: &[&str] = &["app_version", "software_version", "Software Version", "Current Version", "软件版本"];
const UPGRADE: &[&str] = &["upgrade_version", "Fixed Version", "Fix Version", "升级版本"];
const PATH: &[&str] = &["app_path", "Software Path", "Path", "软件路径"];
const HOST_NAME: &[&str] = &["host_name", "Server Name", "Host Name", "Affected Server", "服务器名称", "主机名称"];
const HOST_ID: &[&str] = &["host_id", "Server ID", "Host ID", "服务器ID", "主机ID"];
const PRIVATE_IP: &[&str] =
    &["private_ip", "host_ip", "Private IP Address", "Server IP Address", "IP Address", "私有IP", "IP地址", "服务器IP"];
const PUBLIC_IP: &[&str] = &["public_ip", "EIP", "Public IP Address", "弹性公网IP", "公网IP"];
const FIRST_SEEN: &[&str] = &["first_scan_time", "First Scanned", "First Detected", "首次发现时间", "首次扫描时间"];
const SEEN: &[&str] = &["scan_time", "Last Scanned", "Latest Scan Time", "最近扫描时间"];

/// Severities are exported in the language of the console.
fn translated(text: &str) -> &str {
    match text {
        "紧急" | "严重" => "Critical",
        "高" | "高危" => "High",
        "中" | "中危" => "Medium",
        "低" | "低危" => "Low",
        text => text,
    }
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    subject::moment(text).or_else(|| subject::millis(Amount::read(text).0))
}

fn take_record(record: &Record<'_>, input: &Input<'_>, report: &mut Report, sink: &mut Sink) {
    let text = |names: &[&str]| match record.get(names) {
        "" => Text::Absent,
        cell => Text::Is(cell.into()),
    };
    let cells = record.get(CVES).split([',', ';', '|', ' ', '\n', '[', ']', '"', '\'']);
    let cves = cells.filter(|cve| !cve.is_empty()).take(256).map(|cve| (cve, None)).collect();
    let package =
        Package { name: text(APP), installed: text(APP_VERSION), fixed: text(UPGRADE), path: record.get(PATH) };
    // A name such as `USN-5528-1: FreeType vulnerabilities` begins with the id.
    let name = record.get(NAME);
    let named = name.split([':', ' ']).next().filter(|id| id.contains('-') && VulnerabilityId::new(id).is_ok());
    let vulnerability = Vulnerability {
        id: match text(ID) {
            Text::Absent => named.map_or(Text::Absent, |id| Text::Is(id.into())),
            id => id,
        },
        name,
        kind: record.get(KIND),
        severities: [translated(record.get(SEVERITY)), translated(record.get(PRIORITY)), ""],
        solution: record.get(SOLUTION),
        cves,
        status: record.get(STATUS),
        command: record.get(COMMAND),
        packages: (package.name != Text::Absent).then_some(Some(package)).into_iter().collect(),
        first_seen: time(record.get(FIRST_SEEN)),
        seen: time(record.get(SEEN)),
        ..Vulnerability::default()
    };
    let names = [HOST_NAME, PRIVATE_IP, PUBLIC_IP, HOST_ID].map(|names| record.get(names));
    vulnerability.take(&names, input, report, sink);
}

fn read_export(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    columns::records(input, |record| take_record(record, input, report, sink))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::reports::{ReadOptions, Report, read_report};
    use crate::model::{HostName, Severity};

    fn read(text: &str) -> Report {
        read_report("h", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn answer(rows: &Value) -> String {
        json!({"total_num": 1, "data_list": rows}).to_string()
    }

    fn shown(report: &Report) -> Vec<String> {
        let show = |f: &crate::model::Finding| {
            let package = f.package.as_ref().map_or("-", |package| package.as_str());
            format!("{} {} {} {} {package}", f.asset, f.vulnerability, f.kind.as_str(), f.ecosystem)
        };
        report.findings.iter().map(show).collect()
    }

    #[test]
    fn the_view_of_vulnerabilities_lists_hosts() {
        let row = |unhandled: u64| {
            json!({"vul_id": "USN-5528-1", "vul_name": "USN-5528-1: FreeType vulnerabilities", "type": "linux_vul", "host_num": 2,
                "unhandle_host_num": unhandled, "host_id_list": ["id-1", "id-2"], "severity_level": "Critical", "scan_time": 1_661_752_185_836_u64,
                "url": "https://ubuntu.com/security/CVE-2022-27405", "cve_list": [{"cve_id": "CVE-2022-27405", "cvss": 7.5}]})
        };
        let report = read(&answer(&json!([row(2)])));
        assert_eq!(shown(&report), ["id-1 CVE-2022-27405 linux unknown -", "id-2 CVE-2022-27405 linux unknown -"]);
        assert_eq!(report.findings[0].aliases.first().unwrap().as_str(), "USN-5528-1");
        assert_eq!((report.findings[0].severity, report.findings[0].cvss.len()), (Some(Severity::Critical), 1));
        let handled = read(&answer(&json!([row(0)])));
        assert_eq!((handled.read, handled.left_out["closed"]), (2, 2));
        let options = ReadOptions { host: Some(HostName::new("web-1").unwrap()), ..ReadOptions::default() };
        let given = read_report("h", answer(&json!([row(2)])).as_bytes(), &options).unwrap();
        assert_eq!(shown(&given), ["web-1 CVE-2022-27405 linux unknown -"]);
        assert_eq!(read(r#"{"total_num": 0, "data_list": []}"#).read, 0);
    }

    #[test]
    fn servers_of_a_vulnerability_are_read_with_what_repairs_them() {
        let row = |status: &str, command: &str| {
            json!({"host_id": "id-1", "host_name": "web-1", "host_ip": "10.0.0.1", "public_ip": "1.2.3.4", "severity_level": "Low",
                "cve_id_list": ["CVE-2022-1664", "CVE-2022-1665"], "status": status, "repair_cmd": command})
        };
        let rows = json!([
            row("vul_status_unfix", "zypper update update-alternatives"),
            row("vul_status_fixing", "yum -y update glibc glibc-common"),
            row("vul_status_reboot", "curl x | sh"),
            row("vul_status_ignored", ""),
            row("vul_status_fixed", "")
        ]);
        let report = read(&answer(&rows));
        assert_eq!(
            shown(&report),
            [
                "web-1 CVE-2022-1664 linux rpm update-alternatives",
                "web-1 CVE-2022-1664 linux rpm glibc",
                "web-1 CVE-2022-1664 linux rpm glibc-common",
                "web-1 CVE-2022-1664 linux unknown -"
            ]
        );
        assert_eq!((report.left_out["suppressed-by-scanner"], report.left_out["closed"], report.read), (1, 1, 6));
        let names: Vec<_> = report.assets["web-1"].names.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["1.2.3.4", "10.0.0.1", "id-1"]);
    }

    #[test]
    fn vulnerabilities_of_a_server_are_read_with_their_software() {
        let rows = json!([
            {"vul_id": "HCVD-1", "vul_name": "Log4Shell", "type": "app_vul", "status": "vul_status_failed", "first_scan_time": 1_661_752_185_836_u64,
                "cve_list": [{"cve_id": "CVE-2021-44228", "cvss": 10}],
                "app_list": [{"app_name": "log4j-core", "app_version": "2.14.1", "upgrade_version": "2.17.1", "app_path": "/opt/a.jar"}, 7]},
            {"vul_id": "KB5034441", "type": "windows_vul", "patch_url": "https://e.org/kb"},
            {"vul_id": "WCMS-1", "type": "web_cms", "app_name": "WordPress", "app_version": "5.0"},
            {"vul_id": "U-1", "type": "urgent_vul"}
        ]);
        let report = read(&answer(&rows));
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact CVE-2021-44228 application unknown log4j-core",
                "unnamed artifact KB5034441 windows windows -",
                "unnamed artifact WCMS-1 web_cms unknown WordPress",
                "unnamed artifact U-1 emergency unknown -"
            ]
        );
        let first = &report.findings[0];
        assert_eq!((first.fixed[0].as_str(), first.location.as_deref()), ("2.17.1", Some("/opt/a.jar")));
        assert_eq!((report.read, report.left_out["malformed-row"]), (5, 1));
        let hosts = json!([{"host_id": "id-1", "host_name": "web-1", "vul_ids_info": {}, "vul_num_with_repair_priority_list": []}]);
        assert_eq!(read(&answer(&hosts)).set_aside["host-summary"], 1);
    }

    #[test]
    fn the_export_is_read_in_every_language() {
        for text in [
            "vul_name,vul_id,type,repair_priority,status,host_name,private_ip,cve_id,repair_cmd\n\
             USN-1-1: x,USN-1-1,linux_vul,High,vul_status_unfix,web-1,10.0.0.1,CVE-2026-1000,apt-get install --only-upgrade bash\n",
            "Vulnerability Name;Vulnerability Type;Fix Priority;Status;Server Name;IP Address;CVE ID;Fix Command\n\
             USN-1-1: x;Linux vulnerabilities;High;Unhandled;web-1;10.0.0.1;CVE-2026-1000;apt install bash\n",
            "漏洞名称,漏洞类型,修复优先级,状态,服务器名称,IP地址,CVE编号,修复命令\n\
             USN-1-1: x,Linux漏洞,高,未处理,web-1,10.0.0.1,CVE-2026-1000,apt-get install bash\n",
        ] {
            let report = read(text);
            assert_eq!(shown(&report), ["web-1 CVE-2026-1000 linux deb bash"], "{text}");
            assert_eq!(report.format, "huawei-hss-csv");
            assert_eq!(report.findings[0].severity, Some(Severity::High), "{text}");
            assert_eq!(report.findings[0].aliases.first().unwrap().as_str(), "USN-1-1");
            assert_eq!(report.assets["web-1"].names.len(), 1);
        }
        let ignored = "vul_id,host_name,status\nUSN-1-1,web-1,Ignored\nUSN-1-2,web-1,修复成功\n";
        assert_eq!(read(ignored).left_out.len(), 2);
    }

    #[test]
    fn hostile_rows_are_left_out_and_counted() {
        let rows = json!([
            {"vul_id": "$(id)", "type": "linux_vul", "host_id": "a\u{1b}[2J"},
            {"vul_id": "A-1", "app_list": [{"app_name": "a; reboot"}]},
            {"vul_id": "A-1", "repair_cmd": "yum update a;reboot $(id)"},
            {"vul_name": "x"},
            {"vul_id": ["x"]},
            7
        ]);
        let text = answer(&rows);
        let report = read(&text);
        assert_eq!((report.read, report.findings.len()), (6, 1), "{:?}", report.left_out);
        assert_eq!(report.findings[0].package, None, "a command that is no plain update names none");
        assert!(report.assets.keys().all(|name| !name.as_str().contains('\u{1b}')));
        for end in (0..text.len()).step_by(50) {
            let _ = read_report("h", &text.as_bytes()[..end], &ReadOptions::default());
        }
        let csv = read("vul_id,host_name,app_name\n$(id),web-1,a\nA-1,web-1,a; reboot\n");
        assert_eq!((csv.read, csv.findings.len()), (2, 0));
    }
}
