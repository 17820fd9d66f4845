//! Every format of report that can be read: each parser says what it reads and how it is recognised.

use super::error::IntakeError;
use super::json::Root;
use super::peek::Peek;
use super::reports::Report;
use super::row::Sink;
use super::{
    anchore, asff, cargo_audit, clair, composer_audit, container_csv, cyberwatch, cyclonedx_json, cyclonedx_xml,
    defectdojo, defender, dependency_track, gcloud, github_alerts, gitlab, govulncheck, grype, harbor, huawei_hss,
    inspector, native, nessus, nessus_csv, nexpose, npm_audit, openscap, openvas, osv_scanner, pip_audit, prisma,
    qualys, qualys_csv, sarif, satellite, snyk, trivy, trivy_operator, twistlock, vuls, wazuh,
};
use crate::model::HostName;

/// A report to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    /// What messages call it.
    pub(super) name: &'a str,
    /// Its bytes, within their bounds and without a byte order mark.
    pub(super) bytes: &'a [u8],
    /// The host that all its findings are about, where the user says so.
    pub(super) given: Option<&'a HostName>,
}

/// A format that can be read.
#[derive(Debug)]
pub(super) struct Format {
    /// `--from NAME`: kebab-case, stable.
    pub(super) name: &'static str,
    /// For people: whose it is and what it is.
    pub(super) title: &'static str,
    /// The tool that writes it; a parser may put a more exact one into the report.
    pub(super) scanner: &'static str,
    /// Whether a file is of this format, by its content.
    pub(super) is: fn(&Peek) -> bool,
    /// Reads it: every row goes into the sink, as a finding or as left out.
    pub(super) read: fn(&Input<'_>, &mut Report, &mut Sink) -> Result<(), IntakeError>,
}

/// All formats. No file is of two of them; the first that recognises it reads it.
pub(super) const FORMATS: &[&Format] = &[
    &native::REPORT,
    &trivy::ARTIFACT,
    &trivy::CLUSTER,
    &trivy::LEGACY,
    &trivy_operator::RESOURCES,
    &anchore::REPORT,
    &cargo_audit::REPORT,
    &clair::SCANNERS,
    &clair::VERSION_4,
    &composer_audit::REPORT,
    &cyclonedx_json::REPORT,
    &dependency_track::REPORT,
    &github_alerts::GRAPHQL,
    &github_alerts::REST,
    &gitlab::REPORT,
    &govulncheck::REPORT,
    &grype::REPORT,
    &harbor::REPORT,
    &npm_audit::ADVISORIES,
    &npm_audit::LINES,
    &npm_audit::VULNERABILITIES,
    &osv_scanner::REPORT,
    &pip_audit::REPORT,
    &sarif::REPORT,
    &snyk::REPORT,
    &vuls::REPORT,
    &wazuh::API,
    &wazuh::INDEXER,
    &defender::JSON,
    &defender::CSV,
    &inspector::FINDINGS,
    &asff::FINDINGS,
    &satellite::ERRATA,
    &huawei_hss::ANSWERS,
    &huawei_hss::EXPORT,
    &twistlock::RESULTS,
    &cyberwatch::EXPORT,
    &gcloud::OCCURRENCES,
    &defectdojo::GENERIC,
    &nessus::XML,
    &nessus_csv::TABLE,
    &qualys::ASSETS,
    &qualys::SCAN,
    &qualys::DETECTIONS,
    &qualys_csv::TABLE,
    &openvas::XML,
    &openvas::TABLE,
    &openscap::XCCDF,
    &openscap::ARF,
    &openscap::OVAL,
    &cyclonedx_xml::BOM,
    &prisma::TABLE,
    &container_csv::SYSDIG,
    &container_csv::DEEPFENCE,
    &nexpose::XML,
];

/// The names and titles of all formats, for help and documentation.
pub fn report_formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMATS.iter().map(|format| (format.name, format.title))
}

/// The format of this name.
pub(super) fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| format.name == name)
}

/// Tells the format by the content.
pub(super) fn detect(name: &str, peek: &Peek) -> Result<&'static Format, IntakeError> {
    if let Some(format) = FORMATS.iter().copied().find(|format| (format.is)(peek)) {
        return Ok(format);
    }
    if peek.root().is_some_and(|root| matches!(root, Root::Object(keys) if keys.is_empty())) {
        let message = "an object with nothing in it, which is no report: a report without findings says what it is of";
        return Err(IntakeError::new("unknown-report-format", name, message)
            .help("Trivy's has at least `SchemaVersion`: look whether the scan has failed"));
    }
    let known = other_tool(peek).map(|tool| format!("; this looks like {tool}, which is not read"));
    let message = format!("{}, no report known here{}", peek.describe(), known.unwrap_or_default());
    Err(IntakeError::new("unknown-report-format", name, message)
        .help("`switchback findings --formats` lists the formats that are read; `--from FORMAT` forces one"))
}

/// What else it may be, so that the message helps.
fn other_tool(peek: &Peek) -> Option<&'static str> {
    let root = peek.root()?;
    [
        (&["spdxVersion"][..], "an SPDX document"),
        (&["@context", "statements"], "an OpenVEX document (name it in `vex:` of a policy)"),
        (&["document", "vulnerabilities"], "a CSAF document (name it in `vex:` of a policy)"),
    ]
    .iter()
    .find(|(keys, _)| root.has(keys))
    .map(|&(_, tool)| tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        names.sort_unstable();
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
