//! Which feed a file is, by its content; what is none is named, because advisory databases look much alike.

use crate::intake::columns;
use crate::intake::error::IntakeError;
use crate::intake::format;
use crate::intake::json::Root;
use crate::intake::peek::Peek;

/// The feeds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// CISA's catalogue of known exploited vulnerabilities, in JSON.
    Kev,
    /// The same as CSV.
    KevTable,
    /// FIRST's scores of exploitation, as CSV.
    Epss,
    /// A decision table of SSVC in JSON.
    Decisions,
    /// The same as CSV.
    DecisionsTable,
}

/// What people take for a feed.
const OTHERS: &[(&[&str], &str)] = &[
    (&["resultsPerPage", "vulnerabilities"], "an answer of the NVD's API 2.0, an advisory database"),
    (&["vulnerabilities/0/cve/id"], "an answer of the NVD's API 2.0, an advisory database"),
    (&["cve/id"], "a record of the NVD (API 2.0), an advisory database"),
    (&["CVE_Items"], "a feed of the NVD in its old format, an advisory database"),
    (&["dataType", "cveMetadata"], "a CVE record (CVE JSON 5), of an advisory database"),
    (&["0/Vulnerability/NamespaceName"], "a list of distribution advisories, an advisory database"),
    (&["Vulnerability/NamespaceName"], "a distribution's advisory, of an advisory database"),
    (&["0/fixed_in", "0/product"], "a list of Microsoft's advisories (MSRC), an advisory database"),
    (&["0/isEol", "0/eolFrom"], "a list of end-of-life dates"),
    (&["data/0/epss", "status"], "an answer of the EPSS API: the feed is the CSV file of all scores"),
    (&["values", "schemaVersion", "definition"], "a decision point of SSVC by itself, and no table"),
    (&["@context", "statements"], "an OpenVEX document: name it in `vex:` of a policy"),
    (&["document", "vulnerabilities"], "a CSAF document: name it in `vex:` of a policy"),
    (&["id", "modified"], "an OSV record, of an advisory database"),
    (&["id", "affected"], "an OSV record, of an advisory database"),
    (&["0/id", "0/affected"], "a list of OSV records, an advisory database"),
];

/// Tells the feed.
pub(super) fn detect(name: &str, peek: &Peek) -> Result<Kind, IntakeError> {
    if let Peek::Text(lines) = peek {
        let is_scored = lines.first().is_some_and(|line| line.trim_start_matches('#').starts_with("model_version"));
        let header = columns::header(peek);
        match () {
            () if is_scored || columns::has(&header, &[&["cve"], &["epss"]]) => return Ok(Kind::Epss),
            () if columns::has(&header, &[&["cveID"], &["dateAdded"]]) => return Ok(Kind::KevTable),
            () if header.len() > 2 && header[0] == "row" => {
                return Ok(Kind::DecisionsTable);
            }
            () => {}
        }
    }
    if let Some(root) = peek.root() {
        let is_catalogue = root.has(&["catalogVersion"]) || root.has(&["vulnerabilities/0/cveID"]);
        match () {
            () if is_catalogue && root.is_list("vulnerabilities") => return Ok(Kind::Kev),
            () if root.has(&["decision_points", "mapping", "outcome"]) => return Ok(Kind::Decisions),
            () => {}
        }
    }
    let known = peek.root().and_then(other).map(str::to_owned).or_else(|| {
        let report = format::detect(name, peek).ok()?;
        Some(format!("a report ({}): give it with `-f`", report.title))
    });
    let message = match known {
        Some(known) => format!("the file is {known}; it is no feed that raises or lowers priorities"),
        None => format!("{}, no feed known here", peek.describe()),
    };
    Err(IntakeError::new("unknown-feed", name, message)
        .help("feeds are the KEV catalogue (JSON, CSV), the EPSS scores (CSV) and SSVC decision tables (JSON, CSV)"))
}

fn other(root: &Root) -> Option<&'static str> {
    OTHERS.iter().find(|(keys, _)| root.has(keys)).map(|&(_, what)| what)
}
