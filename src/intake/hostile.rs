//! Every format reads whatever it is given without harm, and accounts for every row.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;

use super::format::{FORMATS, Input};
use super::reports::Report;
use super::row::Sink;

/// Reads bytes as every format.
fn read_as_all(bytes: &[u8]) {
    for format in FORMATS {
        let mut report = Report::new(format);
        let mut sink = Sink::default();
        let given = None;
        let read = (format.read)(&Input { name: "f", bytes, given }, &mut report, &mut sink);
        let report = report.fill(sink);
        if read.is_ok() {
            let left_out: u64 = report.left_out.values().sum();
            assert_eq!(report.read, report.findings.len() as u64 + left_out, "{}: rows are accounted for", format.name);
        }
    }
}

/// Elements of all formats of XML: any nesting of them is well-formed.
const ELEMENTS: [&str; 66] = [
    "NessusClientData_v2",
    "ReportHost name='h'",
    "HostProperties",
    "tag name='host-fqdn'",
    "ReportItem pluginID='1' severity='3' pluginFamily='Debian Local Security Checks' port='1'",
    "cve",
    "plugin_output",
    "cpe",
    "xref",
    "ASSET_DATA_REPORT",
    "HOST",
    "IP",
    "DNS",
    "VULN_INFO",
    "QID",
    "TYPE",
    "RESULT",
    "VULN_DETAILS",
    "TITLE",
    "CVE_ID_LIST",
    "CVE_ID",
    "ID",
    "SCAN",
    "IP value='1' name='n'",
    "CAT port='1' protocol='tcp'",
    "VULN number='1' severity='5'",
    "DETECTION",
    "STATUS",
    "report id='1'",
    "results",
    "result",
    "host",
    "hostname",
    "nvt oid='1.2'",
    "threat",
    "severity",
    "refs",
    "ref type='cve' id='CVE-2020-1000'",
    "description",
    "Benchmark",
    "Rule id='oval-x'",
    "TestResult",
    "target",
    "rule-result idref='oval-x'",
    "ident",
    "check",
    "check-content-ref name='d'",
    "oval_results",
    "oval_definitions",
    "definitions",
    "definition id='d' class='patch' definition_id='d' result='true'",
    "metadata",
    "criterion test_ref='t' result='true' comment='x is earlier than 1'",
    "system",
    "system_info",
    "bom",
    "components",
    "component bom-ref='c'",
    "vulnerabilities",
    "vulnerability id='t' ref='c'",
    "affects",
    "NexposeReport",
    "node address='1'",
    "tests",
    "test id='t' status='vulnerable-version'",
    "Paragraph",
];

const TEXTS: [&str; 12] = [
    "CVE-2021-44228",
    "KB5003197",
    "10.0.0.1",
    "Debian 11",
    "Installed package : a_1\nFixed package : a_2",
    "99999999999999999999",
    "\u{202e}\u{fffd}",
    "High",
    "Package Installed Version Required Version\na 1 2",
    "2021-13-45",
    "pkg:maven/a/b@1",
    "-1.0",
];

/// Headers of all formats of tables.
const HEADERS: [&str; 8] = [
    "Plugin ID,CVE,Risk,Host,Name,Plugin Output,CVSS v3.0 Base Score,First Discovered",
    "definition.id;definition.name;severity;asset.name;definition.cve;output;definition.family;asset.operating_system",
    "QID,IP,Title,Type,Severity,CVE ID,CVSS3 Base,Results",
    "IP,Hostname,NVT OID,NVT Name,Severity,CVEs,Specific Result,QoD",
    "Hostname,Distro,CVE ID,Compliance ID,Packages,Package Version,Fix Status,Severity",
    "Vulnerability Name,Package Name,Package Version,Package Type,Image Name,CVSS Score,CVSS Vector,Fix Version",
    "cve_id,cve_caused_by_package,cve_severity,host_name,cve_fixed_in,cve_type,cve_container_image,masked",
    "a\tb",
];

fn xml() -> impl Strategy<Value = String> {
    let text = prop_oneof![prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned), "[ -~éß\u{202e}]{0,20}"];
    let leaf = (prop::sample::select(ELEMENTS.to_vec()), text)
        .prop_map(|(name, text)| element(name, &quick_xml::escape::escape(text)));
    leaf.prop_recursive(8, 60, 6, |inner| {
        (prop::sample::select(ELEMENTS.to_vec()), prop::collection::vec(inner, 0..6))
            .prop_map(|(name, inner)| element(name, &inner.concat()))
    })
}

fn element(opening: &str, inner: &str) -> String {
    let name = opening.split(' ').next().unwrap_or_default();
    format!("<{opening}>{inner}</{name}>")
}

proptest! {
    #[test]
    fn any_nesting_of_known_elements(text in xml()) {
        read_as_all(text.as_bytes());
    }

    #[test]
    fn any_cells_under_known_headers(
        header in prop::sample::select(HEADERS.to_vec()),
        rows in prop::collection::vec(prop::collection::vec(prop_oneof![prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned), "[ -~éß]{0,12}"], 6..10), 0..6),
    ) {
        let delimiter = if header.contains(';') { b';' } else { b',' };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = [header.as_bytes(), b"\n", &writer.into_inner().unwrap()].concat();
        read_as_all(&text);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_all(&bytes);
    }
}
