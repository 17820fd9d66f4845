//! Qualys's CSV exports: scan reports, and the vulnerabilities of VMDR with one CVE a row.

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus::port;
use super::prose;
use super::qualys::{Detection, Qid, SCANNER};
use super::reports::Report;
use super::row::{self, Sink};
use super::table::{self, Needs, Table};

/// Tables of detections.
pub(super) const TABLE: Format = Format {
    name: "qualys-csv",
    title: "Qualys CSV exports (scan report, VMDR)",
    scanner: SCANNER,
    is: |peek| table::has_columns(peek, NEEDS),
    read,
};

const NEEDS: Needs = &[
    &["qid"],
    &["ip", "asset ipv4", "asset name", "ip address", "host ip"],
    &["title", "vulnerability", "vuln title"],
];

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, NEEDS)?;
    while let Some(cells) = table.next(sink)? {
        let get = |names: &[&str]| cells.get(names);
        let mut identity = Identity::default();
        for names in [
            &["fqdn"][..],
            &["dns", "dns name", "asset name", "hostname"],
            &["netbios", "netbios name"],
            &["ip", "asset ipv4", "ip address", "host ip"],
            &["asset ipv6"],
            &["ec2 instance id", "cloud resource id"],
            &["asset id", "host id", "qg host id"],
        ] {
            identity.call(&get(names));
        }
        identity.runs(&get(&["os", "operating system"]));
        identity.about.scanned_at = prose::time(&get(&["last detected", "last scan"]));
        let os = identity.os().cloned();
        let asset = identity.settle(input, report);
        let mut cvss = Vec::new();
        for (version, source, names) in [
            ("2.0", SCANNER, &["cvss base", "cvss2 base"][..]),
            ("2.0", "nvd", &["cvssv2 base (nvd)"]),
            ("3.1", SCANNER, &["cvss3 base", "cvss3.1 base"]),
            ("3.1", "nvd", &["cvssv3.1 base (nvd)"]),
            ("4.0", "nvd", &["cvssv4 base (nvd)"]),
        ] {
            let cell = get(names);
            let (score, vector) = prose::score_and_vector(&cell);
            cvss.extend(prose::cvss(source, version, score, vector));
        }
        let yes = |names: &[&str]| ["yes", "true", "1"].iter().any(|yes| get(names).eq_ignore_ascii_case(yes));
        let qid = Qid {
            title: get(&["title", "vulnerability", "vuln title"]).into_owned(),
            severity: get(&["severity", "kb severity"]).into_owned(),
            category: get(&["category"]).into_owned(),
            ids: prose::cves(&get(&["cve id", "cve", "cveid", "cves", "cve ids"])),
            vendor: get(&["vendor reference"]).replace(',', " "),
            cvss,
            references: row::references(prose::urls(&get(&["solution"]))),
            published: prose::time(&get(&["published date", "published"])),
            patched: prose::time(&get(&["patch released"])).is_some(),
        };
        let detection = Detection {
            qid: &get(&["qid"]),
            kind: &get(&["type", "type detected"]),
            status: &get(&["vuln status", "status"]),
            ignored: yes(&["ignored"]) || yes(&["disabled"]),
            results: &get(&["results", "result"]),
            port: port(&get(&["protocol"]), &get(&["port"])),
            first_seen: prose::time(&get(&["first detected", "first found"])),
        };
        detection.pour(&qid, &asset, os.as_ref(), report, sink);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};

    fn read(text: &str) -> super::Report {
        read_report("r.csv", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn shown(report: &super::Report) -> Vec<String> {
        report
            .findings
            .iter()
            .map(|f| format!("{} {} {:?} {:?}", f.kind.as_str(), f.id, f.severity, f.fix_state))
            .collect()
    }

    #[test]
    fn a_scan_report_is_read() {
        let report = read(
            "\"IP\",\"DNS\",\"NetBIOS\",\"OS\",\"QID\",\"Title\",\"Vuln Status\",\"Type\",\"Severity\",\"Port\",\"Protocol\",\"First Detected\",\
             \"CVE ID\",\"Vendor Reference\",\"CVSS3 Base\",\"Category\"\n\
             192.0.2.1,h-1.example.org,H1,Windows Server 2016,91762,Microsoft Windows Security Update,Active,Vuln,5,,,05/13/2021 07:08:28,\
             \"CVE-2021-31192, CVE-2021-31188\",\"KB5003169, KB5003171\",\"9.9 (AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H)\",Windows\n\
             192.0.2.1,h-1.example.org,H1,Windows Server 2016,45,x,,Ig,1,,,,,,,\n\
             192.0.2.1,h-1.example.org,H1,Windows Server 2016,105970,EOL/Obsolete Software: Apache x,Active,Vuln,5,80,tcp,,,,-,Security\n",
        );
        assert_eq!(
            shown(&report),
            [
                "windows h-1.example.org/CVE-2021-31192/- Some(Critical) Fixed",
                "application h-1.example.org/QID-105970/-#tcp/80 Some(Critical) EndOfLife",
            ]
        );
        let fixed: Vec<_> = report.findings[0].fixed.iter().map(ToString::to_string).collect();
        assert_eq!(fixed, ["KB5003169", "KB5003171"]);
        assert_eq!(report.set_aside["informational"], 1);
    }

    #[test]
    fn what_vmdr_says_is_closed_or_ignored_opens_no_work() {
        let report = read(
            "\"Asset Vuln Datalist Report\",\"04 Feb 2026\"\n\"Company\",\"Street\"\n\"User\"\n\"CVE\",\"CVSSv3.1 Base (nvd)\",\"QID\",\"Title\",\
             \"Severity\",\"Type Detected\",\"First Detected\",\"Protocol\",\"Port\",\"Status\",\"Asset Id\",\"Asset Name\",\"Asset IPV4\",\
             \"Ignored\",\"Patch Released\",\"Operating System\"\n\
             CVE-2023-0001,3.1,1,x,1,Confirmed,\"Jan 10, 2026 10:00 AM\",TCP,80,ACTIVE,3,S1,\"192.0.2.1,192.0.2.2\",No,\"Jan 15, 2023 12:00 PM\",Debian 11\n\
             CVE-2023-0002,3.1,2,x,1,Confirmed,,'-,0,FIXED,3,S1,192.0.2.1,No,,\n\
             CVE-2023-0003,3.1,3,x,1,Confirmed,,'-,0,ACTIVE,3,S1,192.0.2.1,Yes,,\n",
        );
        assert_eq!(shown(&report), ["application S1/CVE-2023-0001/-#tcp/80 Some(Low) Fixed"]);
        let left_out: Vec<_> = report.left_out.keys().map(String::as_str).collect();
        assert_eq!(left_out, ["closed", "suppressed-by-scanner"]);
        let names: Vec<_> = report.assets.values().next().unwrap().names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["192.0.2.1", "192.0.2.2", "3"]);
    }
}
