//! CSV exports of Nessus, Tenable.sc and Tenable Vulnerability Management, whatever their columns are called.

use std::borrow::Cow;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::nessus::{self, Plugin, SCANNER};
use super::prose;
use super::reports::Report;
use super::row::{self, Sink, reason};
use super::table::{self, Cells, Needs, Table};

/// Tables of plugins.
pub(super) const TABLE: Format = Format {
    name: "nessus-csv",
    title: "CSV exports of Nessus, Tenable.sc and Tenable Vulnerability Management",
    scanner: SCANNER,
    is: |peek| table::has_columns(peek, NEEDS),
    read,
};

const NEEDS: Needs = &[
    &["plugin id", "plugin", "definition.id", "definition_id"],
    &["name", "plugin name", "definition.name", "definition_name"],
    &["risk", "severity", "definition.severity"],
    &["host", "ip address", "dns name", "asset.name", "asset.host_name", "asset.display_ipv4_address", "fqdn"],
];

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let mut table = Table::open(input, NEEDS)?;
    while let Some(cells) = table.next(sink)? {
        let get = |names: &[&str]| cells.get(names);
        let identity = identity(&cells);
        let os = identity.os().cloned();
        let asset = identity.settle(input, report);
        let state = get(&["state", "vulnerability state", "mitigated status"]);
        let accepted = !get(&["accept risk comment"]).is_empty()
            || get(&["risk_modified"]).eq_ignore_ascii_case("ACCEPTED")
            || get(&["accepted", "risk accepted"]).eq_ignore_ascii_case("true");
        if ["fixed", "mitigated", "closed"].iter().any(|closed| state.eq_ignore_ascii_case(closed)) {
            sink.leave_out(reason::CLOSED, 1);
            continue;
        }
        if accepted {
            sink.leave_out(reason::RISK_ACCEPTED, 1);
            continue;
        }
        let id = get(&["plugin id", "plugin", "definition.id", "definition_id"]);
        let family = get(&["family", "plugin family", "definition.family"]);
        let output = get(&["plugin output", "output", "plugin text"]);
        let risk = get(&["severity", "risk", "definition.severity", "risk factor"]);
        let cross_references = get(&["xref", "cross references", "definition.references"]);
        let kbs = get(&["mskb", "microsoft kbs"]);
        let cvss = [
            (
                "2.0",
                &[
                    "cvss v2.0 base score",
                    "cvss v2 base score",
                    "cvss base score",
                    "cvss",
                    "definition.cvss2.base_score",
                ][..],
                &["cvss v2 vector", "cvss v2.0 vector", "cvss vector", "definition.cvss2.base_vector"][..],
            ),
            (
                "3.0",
                &[
                    "cvss v3.0 base score",
                    "cvss v3 base score",
                    "cvss3 base score",
                    "cvssv3",
                    "definition.cvss3.base_score",
                ],
                &["cvss v3 vector", "cvss v3.0 vector", "cvss3 vector", "definition.cvss3.base_vector"],
            ),
            (
                "4.0",
                &["cvss v4.0 base score", "cvss v4 base score", "cvss4 base score", "definition.cvss4.base_score"],
                &["cvss v4 vector", "cvss v4.0 vector", "cvss4 vector", "definition.cvss4.base_vector"],
            ),
        ];
        let plugin = Plugin {
            id: &id,
            name: get(&["plugin name", "name", "definition.name", "definition_name"]),
            family: &family,
            severity: nessus::severity(&risk),
            is_compliance: false,
            ids: prose::cves(&get(&["cve", "definition.cve"])),
            kbs: prose::kbs(
                &kbs.split([';', ',', ' ', '\n'])
                    .map(|kb| format!("KB{} ", kb.trim_start_matches("KB")))
                    .collect::<String>(),
            ),
            output: &output,
            cpe: get(&["cpe", "definition.cpe"]).replace(',', " "),
            cross_references: cross_references.into_owned(),
            see_also: get(&["see also", "definition.see_also"]).into_owned(),
            end_of_life: get(&["definition.unsupported_by_vendor"]).eq_ignore_ascii_case("true"),
            patched: prose::time(&get(&["patch publication date", "definition.patch_published"])).is_some(),
            cvss: cvss
                .iter()
                .filter_map(|(v, score, vector)| prose::cvss(SCANNER, v, &get(score), &get(vector)))
                .collect(),
            epss: row::probability(get(&["epss score", "definition.epss.score"]).parse().ok()),
            published: prose::time(&get(&["vuln publication date", "definition.vulnerability_published"])),
            first_seen: prose::time(&get(&["first discovered", "first found", "first_observed", "first seen"])),
            port: nessus::port(&get(&["protocol"]), &get(&["port"])),
        };
        plugin.pour(&asset, os.as_ref(), report, sink);
    }
    Ok(())
}

fn identity(cells: &Cells<'_>) -> Identity {
    let mut identity = Identity::default();
    for names in [
        &["asset.host_name", "host name", "hostname"][..],
        &["dns name", "fqdn", "asset.display_fqdn"],
        &["host", "asset.name", "asset name"],
        &["netbios name", "netbios", "asset.netbios_name"],
        &["ip address", "asset.display_ipv4_address", "ipv4 address"],
        &["asset.display_ipv6_address"],
        &["asset.id", "asset uuid", "host id", "agent id"],
    ] {
        let cell = cells.get(names);
        // Tenable.sc writes `DOMAIN\NAME`.
        identity.call(cell.rsplit('\\').next().unwrap_or(&cell));
    }
    identity.runs(&cells.get(&["asset.operating_system", "operating system", "os"]));
    let kind: Cow<'_, str> = cells.get(&["asset.system_type"]);
    identity.about.kind = row::location(&kind);
    identity.about.scanned_at = prose::time(&cells.get(&["last observed", "last found", "last_seen", "host end"]));
    identity
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};

    fn read(text: &str) -> super::Report {
        read_report("r.csv", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn shown(report: &super::Report) -> Vec<String> {
        report.findings.iter().map(|f| format!("{} {} {:?}", f.kind.as_str(), f.id, f.severity)).collect()
    }

    #[test]
    fn every_fashion_of_header_is_read() {
        let classic = "Plugin ID,CVE,CVSS,Risk,Host,Protocol,Port,Name,Synopsis,Description,Solution,See Also,Plugin Output\n\
                       \"42873\",\"CVE-2016-2183\",\"5.0\",\"Medium\",\"h-1\",\"tcp\",\"443\",\"SSL x\",\"s\",\"d\",\"n\",\"\",\"\"\n\
                       \"10107\",\"\",\"\",\"None\",\"h-1\",\"tcp\",\"80\",\"HTTP\",\"s\",\"d\",\"n/a\",\"\",\"Cowboy\"\n";
        let report = read(classic);
        assert_eq!(shown(&report), ["application h-1/CVE-2016-2183/-#tcp/443 Some(Medium)"]);
        assert_eq!(report.set_aside["informational"], 1);
        let sc = "\"Plugin\",\"Plugin Name\",\"Family\",\"Severity\",\"IP Address\",\"DNS Name\",\"NetBIOS Name\",\"Port\",\"Protocol\",\
                  \"CVE\",\"First Discovered\",\"Accept Risk Comment\"\n\
                  \"1\",\"x\",\"General\",\"High\",\"192.0.2.1\",\"h-1.example.org\",\"DOM\\H-1\",\"0\",\"TCP\",\"CVE-2020-1000,CVE-2020-1001\",\
                  \"Feb 9, 2024 10:48:42 UTC\",\"\"\n\"1\",\"x\",\"General\",\"High\",\"192.0.2.1\",\"\",\"\",\"0\",\"TCP\",\"\",\"\",\"fine\"\n";
        let report = read(sc);
        assert_eq!(shown(&report), ["application h-1.example.org/CVE-2020-1000/- Some(High)"]);
        assert_eq!(report.findings[0].first_seen.unwrap().to_string(), "2024-02-09T10:48:42Z");
        assert_eq!(report.left_out, [("risk-accepted".to_owned(), 1)].into());
        let io = "asset.host_name;asset.display_ipv4_address;asset.operating_system;definition.cve;definition.family;definition.id;\
                  definition.name;severity;state;output;port;protocol;definition.cvss3.base_score;definition.cvss3.base_vector\n\
                  h-1;192.0.2.1;CentOS Linux 7 (Core);CVE-2019-19126, CVE-2020-1;CentOS Local Security Checks;1;CentOS 7 : glibc \
                  (CESA-2020:3861);Low;ACTIVE;\"'\nRemote package installed : glibc-2.17-292.el7\nShould be                : \
                  glibc-2.17-317.el7\n\";0;TCP;3.3;CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N\n\
                  h-2;192.0.2.2;;CVE-2019-19126;General;2;x;Low;FIXED;;0;TCP;;\n";
        let report = read(io);
        assert_eq!(shown(&report), ["linux h-1/CVE-2019-19126/glibc@2.17-292.el7 Some(Low)"]);
        assert_eq!((report.read, report.left_out), (2, [("closed".to_owned(), 1)].into()));
        assert_eq!(report.findings[0].cvss[0].version, "3.1");
        assert_eq!(report.assets.len(), 2);
    }

    #[test]
    fn a_truncated_file_gives_what_is_whole_and_never_panics() {
        let text = "Plugin ID,CVE,Risk,Host,Name,Plugin Output\n1,CVE-2020-1000,High,h-1,\"x\ny\",\"Installed version : 1\"\n\
                    2,CVE-2020-1001,High,h-2,z,\n";
        for length in 1..text.len() {
            let _ = read_report("r.csv", &text.as_bytes()[..length], &ReadOptions::default());
        }
    }
}
