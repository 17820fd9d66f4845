//! govulncheck's JSON: a stream of messages (or a list of them), and the one document of its first versions.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::advisory;
use super::error::IntakeError;
use super::format::{Format, Input};
use super::json;
use super::lenient::{Few, Text};
use super::osv::{Found, RawOsv};
use super::peek::Peek;
use super::reports::{Asset, Report};
use super::row::{self, Row, Sink, reason};
use super::shapes::{Listed, Named, Part, Plain};
use super::trivy::{given_asset, unnamed};
use crate::model::FixState;

/// `govulncheck -format json` (`-json` before 1.0).
pub(super) const REPORT: Format = Format {
    name: "govulncheck",
    title: "govulncheck's JSON (`govulncheck -format json`)",
    scanner: "govulncheck",
    is: |peek| match peek {
        Peek::Stream(root) | Peek::Json(root) => {
            let configured = |at: &str| {
                root.has(&[&format!("{at}config/protocol_version")])
                    || root.text(&format!("{at}config/scanner_name")) == "govulncheck"
            };
            let of =
                |at: &str| configured(at) || (root.has(&[&format!("{at}finding/osv"), &format!("{at}finding/trace")]));
            let message =
                of("") || of("0/") || root.has(&["osv/schema_version"]) || root.has(&["0/osv/schema_version"]);
            message || root.has(&["Vulns/0/OSV"]) || root.has(&["Vulns", "Calls"])
        }
        _ => false,
    },
    read,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawMessage<'a> {
    osv: Option<Part<RawOsv<'a>>>,
    finding: Option<Part<RawFinding<'a>>>,
    /// The whole report of the first versions.
    #[serde(rename = "Vulns")]
    vulns: Listed<RawVuln<'a>>,
    #[serde(rename = "Requires")]
    requires: Part<RawRequires<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRequires<'a> {
    #[serde(rename = "Modules")]
    modules: Named<'a, Part<RawRequired<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawRequired<'a> {
    #[serde(rename = "Version", borrow)]
    version: Text<'a>,
}

impl RawMessage<'_> {
    /// The configuration and the progress do not, and are not kept.
    fn says_anything(&self) -> bool {
        self.osv.is_some() || self.finding.is_some() || !self.vulns.0.is_empty()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFinding<'a> {
    #[serde(borrow)]
    osv: Text<'a>,
    #[serde(borrow)]
    fixed_version: Text<'a>,
    trace: Few<Part<RawFrame<'a>>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawFrame<'a> {
    #[serde(borrow)]
    module: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawVuln<'a> {
    #[serde(rename = "OSV")]
    osv: Part<RawOsv<'a>>,
    #[serde(rename = "Modules")]
    modules: Listed<RawModule<'a>>,
    #[serde(rename = "ModPath", borrow)]
    path: Text<'a>,
    #[serde(rename = "RequireSink")]
    sink: Plain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RawModule<'a> {
    #[serde(rename = "Path", borrow)]
    path: Text<'a>,
    #[serde(rename = "FoundVersion", borrow)]
    found: Text<'a>,
    #[serde(rename = "FixedVersion", borrow)]
    fixed: Text<'a>,
}

/// A row of a module, by the record where there is one.
fn check(
    id: &Text<'_>,
    osv: Option<&RawOsv<'_>>,
    module: &Text<'_>,
    version: &Text<'_>,
    fixed: &Text<'_>,
) -> Result<Row, &'static str> {
    let found = Found { name: module.as_str(), version: version.as_str(), ecosystem: "Go" };
    let known = match osv {
        Some(osv) => osv.row(found)?,
        None => {
            let (vulnerability, aliases) = advisory::identify(id, [])?;
            let row = Row { aliases, installed: row::installed_version(version)?, ..Row::new(vulnerability) };
            Row { purl_type: Some("golang".to_owned()), ..row }
        }
    };
    // The version that govulncheck names is of the module's own branch.
    let own = row::fixed_versions(fixed)?;
    let fixed = if own.is_empty() { known.fixed.clone() } else { own };
    let fix_state = if fixed.is_empty() { FixState::NotFixed } else { FixState::Fixed };
    Ok(Row { package: Some(row::package_name(module)?), fixed, fix_state, ..known })
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let asset = given_asset(input.given).unwrap_or_else(unnamed);
    let mut messages: Vec<RawMessage<'_>> = Vec::new();
    if input.bytes.trim_ascii_start().starts_with(b"[") {
        let list: Listed<RawMessage<'_>> = json::parse(input.name, input.bytes)?;
        messages.extend(list.0.into_iter().filter(RawMessage::says_anything));
    } else {
        json::documents(input.name, input.bytes, |Part(message): Part<RawMessage<'_>>| {
            messages.extend(Some(message).filter(RawMessage::says_anything));
        })?;
    }
    let records = messages.iter().filter_map(|message| message.osv.as_ref());
    let records: BTreeMap<&str, &RawOsv<'_>> = records.map(|Part(osv)| (osv.id.as_str(), osv)).collect();
    for Part(finding) in messages.iter().filter_map(|message| message.finding.as_ref()) {
        let osv = records.get(finding.osv.as_str()).copied();
        let row = match finding.trace.0.first() {
            _ if osv.is_some_and(RawOsv::is_withdrawn) => Err(reason::CLOSED),
            None => Err(reason::MALFORMED),
            Some(Part(frame)) => check(&finding.osv, osv, &frame.module, &frame.version, &finding.fixed_version),
        };
        advisory::put(sink, &asset, "govulncheck", row);
    }
    for message in &messages {
        let required = &message.requires.0.modules.0;
        let required: BTreeMap<&str, &Text<'_>> =
            required.iter().map(|(key, Part(m))| (key.as_ref(), &m.version)).collect();
        for vuln in &message.vulns.0 {
            let osv = &vuln.osv.0;
            if vuln.modules.0.is_empty() {
                let version = required.get(vuln.sink.0.as_str()).copied().unwrap_or(&Text::Absent);
                let row = check(&osv.id, Some(osv), &vuln.path, version, &Text::Absent);
                advisory::put(sink, &asset, "govulncheck", row);
            }
            for module in &vuln.modules.0 {
                let row = check(&osv.id, Some(osv), &module.path, &module.found, &module.fixed);
                advisory::put(sink, &asset, "govulncheck", row);
            }
        }
    }
    report.assets.insert(asset, Asset::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::samples::{check_sample, check_text, read_as, read_text_as, shown};

    fn osv() -> Value {
        json!({"schema_version": "1.3.1", "id": "GO-2026-1840", "published": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-1234"], "summary": "a flaw",
            "affected": [{"package": {"name": "stdlib", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.19.10"}, {"introduced": "1.20.0"}, {"fixed": "1.20.5"}]}]}],
            "references": [{"type": "REPORT", "url": "https://go.dev/issue/60272"}]})
    }

    #[test]
    fn streams_lists_and_the_first_versions() {
        let config =
            json!({"config": {"protocol_version": "v1.0.0", "scanner_name": "govulncheck", "go_version": "go1.20.1"}});
        let finding = |version: Value, module: &str| json!({"finding": {"osv": "GO-2026-1840", "fixed_version": version, "trace": [{"module": module, "version": "v1.20.1", "package": "runtime"}, {"module": "x"}]}});
        let messages = [
            config.clone(),
            json!({"progress": {"message": "Scanning"}}),
            json!({"osv": osv()}),
            finding(json!("v1.20.5"), "stdlib"),
            finding(json!("v1.20.5"), "stdlib"),
            finding(json!(null), "stdlib"),
            json!({"finding": {"osv": "GO-2026-9", "trace": [{"module": "golang.org/x/net", "version": "v0.1.0"}]}}),
            json!({"finding": {"osv": "GO-2026-9"}}),
        ];
        let lines = [
            "unnamed artifact CVE-2026-1234+GO-2026-1840 application golang stdlib v1.20.1 -> 1.19.10,1.20.5 fixed -",
            "unnamed artifact GO-2026-9 application golang golang.org/x/net v0.1.0 -> not_fixed -",
        ];
        let stream: String =
            messages.iter().map(|message| serde_json::to_string_pretty(message).unwrap() + "\n").collect();
        for report in [read_text_as("govulncheck", &stream), read_as("govulncheck", &json!(messages))] {
            assert_eq!(shown(&report), lines);
            assert_eq!((report.left_out["duplicate"], report.left_out["malformed-row"]), (2, 1));
        }
        check_text("govulncheck", &stream);
        check_sample("govulncheck", &json!(messages));
        assert_eq!(read_as("govulncheck", &config).read, 0);

        let old = json!({"Calls": {}, "Vulns": [{"OSV": osv(), "Modules": [{"Path": "stdlib", "FoundVersion": "v1.20.1", "FixedVersion": "v1.20.5", "Packages": []}]}]});
        assert_eq!(
            shown(&read_as("govulncheck", &old)),
            ["unnamed artifact CVE-2026-1234+GO-2026-1840 application golang stdlib v1.20.1 -> v1.20.5 fixed -"]
        );
        check_sample("govulncheck", &old);
        let first = json!({"Calls": {}, "Requires": {"Modules": {"4": {"Path": "stdlib", "Version": "v1.20.1"}}}, "Vulns": [{"OSV": osv(), "Symbol": "f", "ModPath": "stdlib", "RequireSink": 4}]});
        let lines =
            ["unnamed artifact CVE-2026-1234+GO-2026-1840 application golang stdlib v1.20.1 -> 1.19.10,1.20.5 fixed -"];
        assert_eq!(shown(&read_as("govulncheck", &first)), lines);
    }
}
