//! OpenSCAP and its kin: results of XCCDF benchmarks and of OVAL definitions, alone or together in one ARF file.

use std::collections::{BTreeMap, BTreeSet};

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity::Identity;
use super::peek::Peek;
use super::prose;
use super::reports::Report;
use super::row::{self, Owner, Row, Sink, reason};
use super::xml::{Source, Tree};
use crate::model::{
    AssetName, Cvss, FixState, Os, PackageName, PackageVersion, Severity, VulnerabilityId, VulnerabilityType, printable,
};

const SCANNER: &str = "openscap";

/// Results of a benchmark, in it or alone.
pub(super) const XCCDF: Format = Format {
    name: "openscap-xccdf",
    title: "XCCDF results (OpenSCAP, SCC)",
    scanner: SCANNER,
    is: |peek| match peek {
        Peek::Xml { root, attributes } => {
            let of_xccdf = attributes.values().any(|value| value.contains("checklists.nist.gov/xccdf"));
            of_xccdf && matches!(local(root), "Benchmark" | "TestResult")
        }
        _ => false,
    },
    read,
};

/// Everything of a scan in one file.
pub(super) const ARF: Format = Format {
    name: "openscap-arf",
    title: "ARF results (OpenSCAP)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if local(root) == "asset-report-collection"),
    read,
};

/// Results of OVAL definitions.
pub(super) const OVAL: Format = Format {
    name: "openscap-oval",
    title: "OVAL results (OpenSCAP)",
    scanner: SCANNER,
    is: |peek| matches!(peek, Peek::Xml { root, .. } if local(root) == "oval_results"),
    read,
};

fn local(root: &str) -> &str {
    root.rsplit(':').next().unwrap_or(root)
}

/// No content has more definitions and rules.
const MAX_DEFINITIONS: usize = 1_000_000;

/// What stands elsewhere in the file than the results that refer to it.
#[derive(Default)]
struct Known {
    /// OVAL definitions of patches and vulnerabilities, by id.
    definitions: BTreeMap<String, Definition>,
    /// Titles of XCCDF rules, by id.
    rules: BTreeMap<String, String>,
    /// Definitions with an OVAL result of their own: it says more than the rule that asked for it.
    evaluated: BTreeSet<String>,
    /// The systems of the OVAL results, in their order.
    systems: Vec<Identity>,
    has_results: bool,
}

/// A definition of a patch or a vulnerability.
#[derive(Clone, Default)]
struct Definition {
    title: String,
    ids: Vec<VulnerabilityId>,
    others: Vec<VulnerabilityId>,
    severity: Option<Severity>,
    cvss: Vec<Cvss>,
    references: Vec<String>,
    published: Option<jiff::Timestamp>,
    windows: bool,
    will_not_fix: bool,
    /// The package and the version that fixes it, by the test that compares them.
    tests: BTreeMap<String, (PackageName, Option<PackageVersion>)>,
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    let known = look_around(input, &source)?;
    if !known.has_results {
        let message = "a benchmark or definitions without any result";
        return Err(
            IntakeError::new("invalid-report", input.name, message).help("export the results of a scan (`--results`)")
        );
    }
    let mut systems = known.systems.clone().into_iter();
    let mut on_system: Option<(AssetName, Option<Os>)> = None;
    let mut target = Identity::default();
    let mut settled: Option<(AssetName, Option<Os>)> = None;
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "system" if walk.parent() == "results" => {
                let system = systems.next().unwrap_or_default();
                let os = system.os().cloned();
                on_system = Some((system.settle(input, report), os));
            }
            "definition" if !head.attribute("definition_id").is_empty() && !walk.within("oval_definitions") => {
                let result = walk.tree(head)?;
                let Some((asset, os)) = &on_system else { continue };
                let definition = known.definitions.get(result.attribute("definition_id"));
                take_definition(&result, definition, asset, os.as_ref(), report, sink);
            }
            "TestResult" => {
                (target, settled) = (Identity::default(), None);
                target.about.scanned_at = prose::time(head.attribute("end-time"));
            }
            "target" | "target-address" if walk.parent() == "TestResult" => target.call(walk.tree(head)?.text()),
            "fact" => {
                let fact = walk.tree(head)?;
                let name = fact.attribute("name");
                if ["identifier:host_name", "identifier:fqdn", "identifier:ipv4", "identifier:ipv6"]
                    .iter()
                    .any(|end| name.ends_with(end))
                {
                    target.call(fact.text());
                }
            }
            "platform" if walk.parent() == "TestResult" => target.runs(&head.attribute("idref").replace('_', " ")),
            "rule-result" => {
                let result = walk.tree(head)?;
                let (asset, os) = settled.get_or_insert_with(|| {
                    let os = target.os().cloned();
                    (std::mem::take(&mut target).settle(input, report), os)
                });
                take_rule(&result, &known, asset, os.as_ref(), report, sink);
            }
            _ => {}
        }
    }
    target.settle_unless_unnamed(input, report);
    Ok(())
}

/// The first walk: definitions, titles, systems.
fn look_around(input: &Input<'_>, source: &Source<'_>) -> Result<Known, IntakeError> {
    let mut known = Known::default();
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "definition" if walk.within("oval_definitions") => {
                if matches!(head.attribute("class"), "patch" | "vulnerability") {
                    let tree = walk.tree(head)?;
                    known.definitions.insert(tree.attribute("id").to_owned(), Definition::of(&tree));
                }
            }
            "definition" => {
                known.evaluated.insert(head.attribute("definition_id").to_owned());
            }
            "Rule" => {
                let tree = walk.tree(head)?;
                known.rules.insert(tree.attribute("id").to_owned(), printable(tree.text_of("title"), 300));
            }
            "results" => known.has_results = true,
            "TestResult" => known.has_results = true,
            "system" if walk.parent() == "results" => known.systems.push(Identity::default()),
            "system_info" => {
                let tree = walk.tree(head)?;
                if let Some(system) = known.systems.last_mut() {
                    system.call(tree.text_of("primary_host_name"));
                    for interface in tree.child("interfaces").into_iter().flat_map(|list| list.children("interface")) {
                        system.call(interface.text_of("ip_address").split('/').next().unwrap_or_default());
                    }
                    system.runs(&format!("{} {}", tree.text_of("os_name"), tree.text_of("os_version")));
                }
            }
            _ => {}
        }
        if known.definitions.len().max(known.rules.len()).max(known.evaluated.len()) > MAX_DEFINITIONS {
            let message = format!("more than {MAX_DEFINITIONS} definitions or rules");
            return Err(IntakeError::new("record-too-large", input.name, message));
        }
    }
    Ok(known)
}

impl Definition {
    fn of(tree: &Tree) -> Self {
        let Some(metadata) = tree.child("metadata") else { return Self::default() };
        let references: Vec<&Tree> = metadata.children("reference").collect();
        let names: Vec<&str> = references.iter().map(|reference| reference.attribute("ref_id")).collect();
        let title = metadata.text_of("title");
        let advisory = metadata.child("advisory");
        let listed: Vec<&Tree> = advisory.into_iter().flat_map(|advisory| advisory.children("cve")).collect();
        let mut cvss = Vec::new();
        for cve in &listed {
            for (generation, name) in [("2.0", "cvss2"), ("3.1", "cvss3"), ("4.0", "cvss4")] {
                // `7.5/CVSS:3.1/AV:N/...`
                let (score, vector) = cve.attribute(name).split_once('/').unwrap_or_default();
                cvss.extend(prose::cvss(cve_source(tree.attribute("id")), generation, score, vector));
            }
        }
        cvss.sort();
        cvss.dedup();
        cvss.truncate(row::MAX_SCORES);
        let mut criteria = Vec::new();
        tree.find("criterion", &mut criteria);
        let texts: Vec<&str> = names.iter().copied().chain(listed.iter().map(|cve| cve.text())).collect();
        let severity = advisory.map_or("", |advisory| advisory.text_of("severity"));
        let published = advisory.and_then(|advisory| prose::time(advisory.child("issued")?.attribute("date")));
        Self {
            title: printable(title, 300),
            ids: prose::cves(&format!("{} {title}", texts.join(" "))),
            others: prose::advisories(&format!("{} {title}", names.join(" "))),
            severity: prose::severity(severity).or_else(|| in_title(title)),
            cvss,
            references: row::references(references.iter().map(|reference| reference.attribute("ref_url"))),
            published,
            windows: metadata.children("affected").any(|affected| affected.attribute("family") == "windows"),
            will_not_fix: advisory.is_some_and(|advisory| {
                let mut states = Vec::new();
                advisory.find("resolution", &mut states);
                states.iter().any(|state| state.attribute("state").eq_ignore_ascii_case("Will not fix"))
            }),
            tests: criteria
                .into_iter()
                .filter_map(|criterion| {
                    Some((criterion.attribute("test_ref").to_owned(), compared(criterion.attribute("comment"))?))
                })
                .collect(),
        }
    }
}

/// Who scored, by the name space of the definition.
fn cve_source(id: &str) -> &'static str {
    let sources = [
        ("com.redhat", "redhat"),
        ("com.ubuntu", "ubuntu"),
        ("org.debian", "debian"),
        ("org.opensuse", "suse"),
        ("com.oracle", "oracle"),
    ];
    sources.iter().find(|(space, _)| id.contains(space)).map_or(SCANNER, |(_, source)| source)
}

/// `RHSA-2006:0117: vixie-cron security update (Low)`.
fn in_title(title: &str) -> Option<Severity> {
    prose::severity(title.trim_end().strip_suffix(')')?.rsplit_once('(')?.1)
}

/// `openssl is earlier than 1:1.0.2k-19.el7`, `openssl DPKG is earlier than 1.1.1n-0+deb11u3`,
/// `openssl package in focal is affected and has been fixed (note: '1.1.1f-1ubuntu2.16').`
fn compared(comment: &str) -> Option<(PackageName, Option<PackageVersion>)> {
    let name = |text: &str| PackageName::new(text.split_whitespace().next()?.trim_matches(['\'', '"'])).ok();
    if let Some((package, version)) = comment.split_once(" is earlier than ") {
        return Some((
            name(package)?,
            PackageVersion::new(version.split_whitespace().next()?.trim_matches(['\'', '"'])).ok(),
        ));
    }
    if comment.contains(" is affected") || comment.contains(" is vulnerable") {
        let version =
            comment.split_once("(note: '").and_then(|(_, rest)| PackageVersion::new(rest.split('\'').next()?).ok());
        return Some((name(comment)?, version));
    }
    None
}

/// An OVAL result. One that is true is one finding for each package that was found too old, else one.
fn take_definition(
    result: &Tree,
    definition: Option<&Definition>,
    asset: &AssetName,
    os: Option<&Os>,
    report: &mut Report,
    sink: &mut Sink,
) {
    // Of classes other than patches and vulnerabilities: inventories, compliance.
    let Some(definition) = definition else {
        report.set_aside("compliance", 1);
        return;
    };
    match result.attribute("result") {
        "true" => {}
        "error" | "unknown" => {
            sink.leave_out(reason::NOT_EVALUATED, 1);
            return;
        }
        _ => {
            report.set_aside("not-vulnerable", 1);
            return;
        }
    }
    let mut criteria = Vec::new();
    result.find("criterion", &mut criteria);
    let is_true = criteria.iter().filter(|criterion| criterion.attribute("result") == "true");
    let mut packages: Vec<_> =
        is_true.filter_map(|criterion| definition.tests.get(criterion.attribute("test_ref"))).cloned().collect();
    packages.sort();
    packages.dedup();
    // Results in short name no tests.
    if packages.is_empty() && criteria.is_empty() && definition.tests.len() == 1 {
        packages.extend(definition.tests.values().cloned());
    }
    let id = result.attribute("definition_id");
    pour(definition, id, packages, (asset, os), sink);
}

/// The result of a rule: of a vulnerability where it has a CVE or asks for an advisory, else of compliance.
fn take_rule(result: &Tree, known: &Known, asset: &AssetName, os: Option<&Os>, report: &mut Report, sink: &mut Sink) {
    let idents: Vec<&str> = result.children("ident").map(Tree::text).collect();
    let rule = result.attribute("idref");
    let title = known.rules.get(rule).map_or("", String::as_str);
    let check = result
        .child("check")
        .and_then(|check| check.child("check-content-ref"))
        .map_or("", |check| check.attribute("name"));
    let ids = prose::cves(&idents.join(" "));
    let others = prose::advisories(&format!("{title} {}", idents.join(" ")));
    let of_oval = rule.starts_with("oval-") || check.contains("rhsa") || known.definitions.contains_key(check);
    if ids.is_empty() && (others.is_empty() || !of_oval) {
        report.set_aside("compliance", 1);
        return;
    }
    // The same row a second time, and less of it.
    if known.evaluated.contains(check) {
        return;
    }
    match result.text_of("result") {
        "fail" => {}
        "fixed" => {
            sink.leave_out(reason::CLOSED, 1);
            return;
        }
        "error" | "unknown" => {
            sink.leave_out(reason::NOT_EVALUATED, 1);
            return;
        }
        _ => {
            report.set_aside("not-vulnerable", 1);
            return;
        }
    }
    let mut definition = known.definitions.get(check).cloned().unwrap_or_default();
    if definition.title.is_empty() {
        title.clone_into(&mut definition.title);
    }
    definition.ids.extend(ids);
    definition.others.extend(others);
    definition.severity =
        definition.severity.or_else(|| in_title(title)).or_else(|| prose::severity(result.attribute("severity")));
    let id = if check.is_empty() { rule } else { check };
    pour(&definition, id, Vec::new(), (asset, os), sink);
}

fn pour(
    definition: &Definition,
    id: &str,
    mut packages: Vec<(PackageName, Option<PackageVersion>)>,
    (asset, os): (&AssetName, Option<&Os>),
    sink: &mut Sink,
) {
    let own = definition.others.first().cloned().map_or_else(|| VulnerabilityId::new(id), Ok);
    let Ok(own) = own else {
        sink.leave_out(reason::UNSAFE_ID, 1);
        return;
    };
    let (vulnerability, mut aliases) = prose::named(definition.ids.clone(), own);
    aliases.extend(definition.others.iter().cloned());
    aliases.remove(&vulnerability);
    let ecosystem = match prose::ecosystem(os) {
        "unknown" if id.contains("debian") || id.contains("ubuntu") => "deb",
        "unknown"
            if ["redhat", "suse", "oracle", "centos", "almalinux", "rocky"].iter().any(|name| id.contains(name)) =>
        {
            "rpm"
        }
        known => known,
    };
    let windows = definition.windows || os.is_some_and(|os| os.family == "windows");
    let kind = if windows { VulnerabilityType::Windows } else { VulnerabilityType::Linux };
    let ecosystem = if windows { "windows" } else { ecosystem };
    let is_patch = definition.others.iter().any(|id| !id.as_str().starts_with("CVE-"));
    if packages.is_empty() {
        packages.extend(named_in(&definition.title).map(|name| (name, None)));
    }
    let mut packages: Vec<_> = packages.into_iter().map(|(name, version)| (Some(name), version)).collect();
    if packages.is_empty() {
        packages.push((None, None));
    }
    for (package, fixed) in packages {
        let fixed: Vec<PackageVersion> = fixed.into_iter().collect();
        let row = Row {
            aliases: aliases.clone(),
            package,
            fix_state: match () {
                () if !fixed.is_empty() || is_patch => FixState::Fixed,
                () if definition.will_not_fix => FixState::WillNotFix,
                () => FixState::Unknown,
            },
            fixed,
            severity: definition.severity,
            cvss: definition.cvss.clone(),
            published: definition.published,
            title: row::title([definition.title.as_str()]),
            references: definition.references.clone(),
            ..Row::new(vulnerability.clone())
        };
        sink.add(row.into_finding(Owner { asset, kind, ecosystem, location: None, scanner: SCANNER }));
    }
}

/// The package in the title of an advisory: `RHSA-2006:0117: vixie-cron security update (Low)`.
fn named_in(title: &str) -> Option<PackageName> {
    let (advisory, rest) = title.split_once(": ")?;
    let (name, _) = rest.split_once(" security")?;
    (prose::advisories(advisory).len() == 1 && !name.contains(' ')).then(|| PackageName::new(name).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    const XCCDF_XML: &str = "<cdf:Benchmark xmlns:cdf=\"http://checklists.nist.gov/xccdf/1.1\" id=\"b\"><cdf:Rule id=\"oval-com.redhat.rhsa-def-1\">\
        <cdf:title>RHSA-2006:0117: vixie-cron security update (Low)</cdf:title></cdf:Rule><cdf:Rule id=\"sshd\"><cdf:title>SSH</cdf:title>\
        </cdf:Rule><cdf:TestResult end-time=\"2019-03-04T07:43:35\"><cdf:target>h-1.example.org</cdf:target><cdf:target-address>127.0.0.1\
        </cdf:target-address><cdf:target-address>192.0.2.1</cdf:target-address><cdf:target-facts><cdf:fact \
        name=\"urn:xccdf:fact:asset:identifier:host_name\">h-1</cdf:fact></cdf:target-facts><cdf:platform \
        idref=\"cpe:/o:redhat:enterprise_linux:7\"/>RULES</cdf:TestResult></cdf:Benchmark>";

    fn rule(id: &str, result: &str, ident: &str) -> String {
        format!(
            "<cdf:rule-result idref=\"{id}\" severity=\"low\"><cdf:result>{result}</cdf:result><cdf:ident>{ident}</cdf:ident><cdf:check>\
             <cdf:check-content-ref name=\"oval:com.redhat.rhsa:def:1\"/></cdf:check></cdf:rule-result>"
        )
    }

    fn xccdf() -> String {
        let of_rhsa = |result: &str, cve: &str| rule("oval-com.redhat.rhsa-def-1", result, cve);
        let rules = [
            of_rhsa("fail", "CVE-2005-1038"),
            of_rhsa("pass", "CVE-2005-1039"),
            of_rhsa("error", "CVE-2005-1040"),
            of_rhsa("fixed", "CVE-2005-1041"),
            rule("sshd", "fail", "CCE-26970-4"),
        ];
        XCCDF_XML.replace("RULES", &rules.concat())
    }

    fn oval(systems: &str) -> String {
        format!(
            "<oval_results xmlns=\"http://oval.mitre.org/XMLSchema/oval-results-5\"><oval_definitions><definitions>\
             <definition id=\"oval:org.debian:def:1\" class=\"patch\"><metadata><title>DSA-5417-1 openssl -- security update</title>\
             <affected family=\"unix\"/><reference source=\"CVE\" ref_id=\"CVE-2023-0464\" ref_url=\"https://example.org/1\"/>\
             <reference source=\"DSA\" ref_id=\"DSA-5417-1\"/><advisory><severity>Important</severity><issued date=\"2023-05-31\"/><cve \
             cvss3=\"7.5/CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H\">CVE-2023-0465</cve></advisory></metadata><criteria><criterion \
             test_ref=\"t:1\" comment=\"openssl DPKG is earlier than 1.1.1n-0+deb11u5\"/><criteria><criterion test_ref=\"t:2\" comment=\"\
             libssl1.1 DPKG is earlier than 1.1.1n-0+deb11u5\"/><criterion test_ref=\"t:3\" comment=\"libssl-dev DPKG is earlier than 2\"/>\
             </criteria></criteria></definition><definition id=\"oval:org.debian:def:2\" class=\"vulnerability\"><metadata><title>CVE-2020-1000 \
             x</title></metadata></definition><definition id=\"oval:i:def:3\" class=\"inventory\"><metadata><title>Debian is installed</title>\
             </metadata></definition></definitions></oval_definitions><results>{systems}</results></oval_results>"
        )
    }

    fn system(host: &str) -> String {
        format!(
            "<system><definitions><definition definition_id=\"oval:org.debian:def:1\" result=\"true\"><criteria result=\"true\"><criterion \
             test_ref=\"t:1\" result=\"true\"/><criteria result=\"true\"><criterion test_ref=\"t:2\" result=\"true\"/><criterion \
             test_ref=\"t:3\" result=\"false\"/></criteria></criteria></definition><definition definition_id=\"oval:org.debian:def:2\" \
             result=\"false\"/><definition definition_id=\"oval:i:def:3\" result=\"true\"/></definitions><oval_system_characteristics>\
             <system_info><os_name>Debian GNU/Linux</os_name><os_version>11</os_version><primary_host_name>{host}</primary_host_name>\
             <interfaces><interface><ip_address>192.0.2.1/24</ip_address></interface></interfaces></system_info>\
             </oval_system_characteristics></system>"
        )
    }

    fn shown(text: &str) -> (Vec<String>, Report) {
        let report = read_report("r.xml", text.as_bytes(), &ReadOptions::default()).unwrap();
        let one = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {} {:?} {:?} {}",
                f.kind.as_str(),
                f.ecosystem,
                f.id,
                f.severity.unwrap(),
                f.fix_state,
                fixed.join(",")
            )
        };
        (report.findings.iter().map(one).collect(), report)
    }

    #[test]
    fn rules_about_vulnerabilities_are_findings_and_others_are_compliance() {
        let (findings, report) = shown(&xccdf());
        assert_eq!(findings, ["linux rpm h-1.example.org/CVE-2005-1038/vixie-cron Low Fixed "]);
        assert!(report.findings[0].aliases.iter().any(|id| id.as_str() == "RHSA-2006:0117"));
        assert_eq!(report.set_aside, [("compliance".to_owned(), 1), ("not-vulnerable".to_owned(), 1)].into());
        assert_eq!(report.left_out, [("closed".to_owned(), 1), ("not-evaluated".to_owned(), 1)].into());
        let asset = report.assets.values().next().unwrap();
        let names: Vec<_> = asset.names.iter().map(ToString::to_string).collect();
        assert_eq!((names, asset.os.as_ref().unwrap().name.as_str()), (vec!["192.0.2.1".into(), "h-1".into()], "rhel"));
    }

    #[test]
    fn definitions_that_are_true_are_findings() {
        let (findings, report) = shown(&oval(&format!("{}{}", system("h-1"), system("h-2"))));
        assert_eq!(
            findings,
            [
                "linux deb h-1/CVE-2023-0464/libssl1.1 High Fixed 1.1.1n-0+deb11u5",
                "linux deb h-1/CVE-2023-0464/openssl High Fixed 1.1.1n-0+deb11u5",
                "linux deb h-2/CVE-2023-0464/libssl1.1 High Fixed 1.1.1n-0+deb11u5",
                "linux deb h-2/CVE-2023-0464/openssl High Fixed 1.1.1n-0+deb11u5",
            ]
        );
        assert_eq!(report.set_aside, [("compliance".to_owned(), 2), ("not-vulnerable".to_owned(), 2)].into());
        assert_eq!(report.findings[0].cvss[0].source, "debian");
    }

    #[test]
    fn an_arf_file_has_both_and_counts_a_row_once() {
        let xccdf = xccdf().replace("oval:com.redhat.rhsa:def:1", "oval:org.debian:def:1");
        let text = format!(
            "<arf:asset-report-collection xmlns:arf=\"x\"><arf:report>{xccdf}</arf:report><arf:report>{}</arf:report></arf:asset-report-collection>",
            oval(&system("h-1.example.org"))
        );
        let (findings, report) = shown(&text);
        assert_eq!((findings.len(), report.read, report.format), (2, 2, "openscap-arf"));
    }

    #[test]
    fn a_benchmark_without_results_is_told() {
        let text = "<Benchmark xmlns=\"http://checklists.nist.gov/xccdf/1.2\" id=\"b\"><Rule id=\"r\"/></Benchmark>";
        let error = read_report("r", text.as_bytes(), &ReadOptions::default()).unwrap_err();
        assert_eq!(error.code, "invalid-report");
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        for text in [xccdf(), oval(&system("h-1"))] {
            for length in (1..text.len()).step_by(50) {
                let error = read_report("r", &text.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
                assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
            }
        }
    }
}
