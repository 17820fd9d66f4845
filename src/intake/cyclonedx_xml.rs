//! CycloneDX as XML: vulnerabilities of 1.4 and later, and of the extension before it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::IntakeError;
use super::format::{Format, Input};
use super::identity;
use super::lenient::Text;
use super::peek::Peek;
use super::prose;
use super::reports::{Asset, Report};
use super::row::{self, MAX_SCORES, Owner, Row, Sink, reason};
use super::trivy::{given_asset, unnamed};
use super::xml::{Source, Tree};
use crate::model::{
    AssetName, Cvss, FixState, PackageName, PackageVersion, Severity, VulnerabilityId, VulnerabilityType,
};

/// Bills of materials with vulnerabilities, of any version.
pub(super) const BOM: Format = Format {
    name: "cyclonedx-xml",
    title: "CycloneDX XML with vulnerabilities",
    scanner: "cyclonedx",
    is: |peek| match peek {
        Peek::Xml { root, attributes } => {
            let of_cyclonedx = attributes.values().any(|value| value.contains("cyclonedx.org/schema/bom"));
            of_cyclonedx && (root == "bom" || root.ends_with(":bom"))
        }
        _ => false,
    },
    read,
};

/// No bill has more components.
const MAX_COMPONENTS: usize = 1_000_000;

/// A component, as far as a finding needs it.
#[derive(Clone, Debug, Default)]
struct Component {
    name: String,
    version: String,
    purl: String,
}

fn read(input: &Input<'_>, report: &mut Report, sink: &mut Sink) -> Result<(), IntakeError> {
    let source = Source::of(input)?;
    // A vulnerability may stand in front of the component that it refers to.
    let mut components: BTreeMap<String, Component> = BTreeMap::new();
    let mut about = Asset::default();
    let mut name = None;
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            "metadata" if walk.parent() == "bom" => {
                let metadata = walk.tree(head)?;
                about.scanned_at = prose::time(metadata.text_of("timestamp"));
                if let Some(tool) = tool(&metadata) {
                    report.scanner = tool;
                }
                if let Some(component) = metadata.child("component") {
                    name = identity::thing(component.text_of("name"));
                    let kind = if component.attribute("type") == "container" {
                        "container_image"
                    } else {
                        component.attribute("type")
                    };
                    about.kind = row::location(kind);
                    let reference = component.attribute("bom-ref");
                    if !reference.is_empty() {
                        components.insert(reference.to_owned(), Component::of(component));
                    }
                }
            }
            "component" if walk.parent() == "components" => {
                let tree = walk.tree(head)?;
                let mut inner = vec![&tree];
                tree.find("component", &mut inner);
                for component in inner {
                    if components.len() == MAX_COMPONENTS {
                        let message = format!("more than {MAX_COMPONENTS} components");
                        return Err(IntakeError::new("record-too-large", input.name, message));
                    }
                    let reference = component.attribute("bom-ref");
                    if !reference.is_empty() {
                        components.insert(reference.to_owned(), Component::of(component));
                    }
                }
            }
            _ => {}
        }
    }
    let asset = given_asset(input.given).or(name).unwrap_or_else(unnamed);
    report.assets.insert(asset.clone(), about);
    let scanner = report.scanner.clone();
    let mut walk = source.walk();
    while let Some(head) = walk.next()? {
        match head.name.as_str() {
            // With the vulnerabilities of the extension in it.
            "component" if walk.parent() == "components" => {
                let tree = walk.tree(head)?;
                let mut inner = vec![&tree];
                tree.find("component", &mut inner);
                for component in inner {
                    let of = Component::of(component);
                    for vulnerability in
                        component.child("vulnerabilities").into_iter().flat_map(|list| list.children("vulnerability"))
                    {
                        take(vulnerability, Some(&of), &asset, &scanner, sink);
                    }
                }
            }
            "vulnerability" if walk.parent() == "vulnerabilities" => {
                let tree = walk.tree(head)?;
                let affects: Vec<&str> = tree
                    .child("affects")
                    .into_iter()
                    .flat_map(|list| list.children("target"))
                    .map(|target| target.text_of("ref"))
                    .collect();
                // The extension refers from outside by an attribute.
                let by_attribute = Some(tree.attribute("ref")).filter(|reference| components.contains_key(*reference));
                let references: Vec<&str> = affects.into_iter().chain(by_attribute).collect();
                if references.is_empty() {
                    take(&tree, None, &asset, &scanner, sink);
                }
                // One vulnerability of several components is work on each of them: each counts as a row.
                for reference in references {
                    let known = components.get(reference).cloned().unwrap_or_else(|| Component::referred(reference));
                    take(&tree, Some(&known), &asset, &scanner, sink);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The tool that wrote the bill: the old list, or components of the new one.
fn tool(metadata: &Tree) -> Option<String> {
    let tools = metadata.child("tools")?;
    let tool = tools.child("tool").or_else(|| tools.at(&["components", "component"]))?;
    row::location(&tool.text_of("name").to_lowercase())
}

impl Component {
    fn of(tree: &Tree) -> Self {
        let group = tree.text_of("group");
        let purl = tree.text_of("purl");
        // The package URL names it as its ecosystem does; the group may be missing beside it.
        let by_purl = Self::referred(purl);
        let name = tree.text_of("name");
        let name = match (by_purl.name.is_empty(), group.is_empty()) {
            (false, _) => by_purl.name,
            (true, true) => name.to_owned(),
            (true, false) => format!("{group}/{name}"),
        };
        let version = tree.text_of("version");
        let version = if version.is_empty() { by_purl.version } else { version.to_owned() };
        Self { name, version, purl: purl.to_owned() }
    }

    /// A component that is not in the bill; its reference may be a package URL, alone or behind the bill's own (`urn:cdx:…#pkg:…`).
    fn referred(reference: &str) -> Self {
        let purl = reference.find("pkg:").map_or("", |index| &reference[index..]);
        let rest = purl.split(['?', '#']).next().unwrap_or_default();
        let (path, version) = rest.rsplit_once('@').filter(|(path, _)| path.len() > 4).unwrap_or((rest, ""));
        let path = path.split_once('/').map_or("", |(_, path)| path);
        let separator = if rest.starts_with("pkg:maven/") { ":" } else { "/" };
        let name = if of_distribution(purl) {
            path.rsplit('/').next().unwrap_or_default().to_owned()
        } else {
            path.replace('/', separator)
        };
        Self { name: decoded(&name), version: decoded(version), purl: purl.to_owned() }
    }
}

/// `%40babel` as `@babel`.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn of_distribution(purl: &str) -> bool {
    matches!(row::purl_type(purl).as_deref(), Some("deb" | "rpm" | "apk" | "alpm"))
}

fn take(tree: &Tree, component: Option<&Component>, asset: &AssetName, scanner: &str, sink: &mut Sink) {
    match check(tree, component) {
        Ok((row, kind, ecosystem)) => {
            sink.add(row.into_finding(Owner { asset, kind, ecosystem: &ecosystem, location: None, scanner }));
        }
        Err(why) => sink.leave_out(why, 1),
    }
}

fn check(tree: &Tree, component: Option<&Component>) -> Result<(Row, VulnerabilityType, String), &'static str> {
    fn some(text: &str) -> Text<'_> {
        if text.is_empty() { Text::Absent } else { Text::Is(Cow::Borrowed(text)) }
    }
    match tree.text_at(&["analysis", "state"]) {
        "resolved" | "resolved_with_pedigree" => return Err(reason::CLOSED),
        "false_positive" | "not_affected" => return Err(reason::SUPPRESSED),
        _ => {}
    }
    let id = row::vulnerability_id(&some(tree.text_of("id")))?;
    let others: Vec<&str> = tree
        .child("references")
        .into_iter()
        .flat_map(|list| list.children("reference"))
        .map(|r| r.text_of("id"))
        .collect();
    let mut aliases: std::collections::BTreeSet<VulnerabilityId> =
        others.iter().filter_map(|other| VulnerabilityId::new(other).ok()).take(row::MAX_ALIASES).collect();
    // A CVE names it where there is one.
    let vulnerability = if id.as_str().starts_with("CVE-") {
        None
    } else {
        aliases.iter().find(|id| id.as_str().starts_with("CVE-")).cloned()
    };
    if vulnerability.is_some() {
        aliases.insert(id.clone());
    }
    let vulnerability = vulnerability.unwrap_or(id);
    aliases.remove(&vulnerability);
    let source = tree.child("source");
    let source = source.map_or("", |source| {
        if source.attribute("name").is_empty() { source.text_of("name") } else { source.attribute("name") }
    });
    let ratings: Vec<&Tree> = tree.child("ratings").into_iter().flat_map(|list| list.children("rating")).collect();
    let fixed = fixed(tree);
    let mut advisories: Vec<&str> = tree.text_at(&["source", "url"]).split_whitespace().collect();
    for advisory in tree.child("advisories").into_iter().flat_map(|list| list.children("advisory")) {
        advisories.push(if advisory.text().is_empty() { advisory.text_of("url") } else { advisory.text() });
    }
    let responses: Vec<&str> = tree
        .at(&["analysis", "responses"])
        .into_iter()
        .flat_map(|list| list.children("response"))
        .map(Tree::text)
        .collect();
    let row = Row {
        aliases,
        package: component.map(|component| row::package_name(&some(&component.name))).transpose()?,
        installed: component.map(|component| row::installed_version(&some(&component.version))).transpose()?.flatten(),
        fix_state: match () {
            () if !fixed.is_empty() => FixState::Fixed,
            () if responses.contains(&"will_not_fix") => FixState::WillNotFix,
            () => FixState::Unknown,
        },
        fixed,
        severity: rated(&ratings, source),
        cvss: scores(&ratings, source),
        published: prose::time(tree.text_of("published")),
        title: row::title([tree.text_of("description"), tree.text_of("detail")]),
        references: row::references(advisories),
        purl_type: component.and_then(|component| row::purl_type(&component.purl)),
        ..Row::new(vulnerability)
    };
    let (kind, ecosystem) = classify(component, source);
    Ok((row, kind, ecosystem.to_owned()))
}

/// The severity that the source of the vulnerability gives, else the first one.
fn rated(ratings: &[&Tree], source: &str) -> Option<Severity> {
    let named = |rating: &&&Tree| !source.is_empty() && rating.text_at(&["source", "name"]) == source;
    let of = |rating: &&Tree| prose::severity(rating.text_of("severity"));
    ratings.iter().filter(named).find_map(of).or_else(|| ratings.iter().find_map(of))
}

fn scores(ratings: &[&Tree], source: &str) -> Vec<Cvss> {
    let mut found = Vec::new();
    for rating in ratings.iter().take(MAX_SCORES) {
        let generation = match rating.text_of("method").to_ascii_lowercase().as_str() {
            "cvssv2" => "2.0",
            "cvssv3" => "3.0",
            "cvssv31" => "3.1",
            "cvssv4" => "4.0",
            _ => continue,
        };
        let by = rating.text_at(&["source", "name"]);
        let by = [by, source, "cyclonedx"].into_iter().find(|by| !by.is_empty()).unwrap_or_default();
        // `<score>7.5</score>`, before 1.4 `<score><base>7.5</base></score>`.
        let score = if rating.text_of("score").is_empty() {
            rating.text_at(&["score", "base"])
        } else {
            rating.text_of("score")
        };
        found.extend(prose::cvss(by, generation, score, rating.text_of("vector")));
    }
    found.sort();
    found.dedup();
    found
}

/// Versions that are said not to be affected, and those that the recommendation names: `Upgrade x to version 1.2.3`.
fn fixed(tree: &Tree) -> Vec<PackageVersion> {
    let mut affected = Vec::new();
    tree.child("affects").into_iter().for_each(|affects| affects.find("versions", &mut affected));
    let mut found: Vec<PackageVersion> = affected
        .iter()
        .flat_map(|versions| versions.children("version"))
        .filter(|version| version.text_of("status") == "unaffected")
        .filter_map(|version| PackageVersion::new(version.text_of("version")).ok())
        .collect();
    let recommendation = [tree.text_of("recommendation"), tree.text_at(&["recommendations", "recommendation"])];
    for text in recommendation {
        if let Some((_, rest)) = text.split_once(" to version ").or_else(|| text.split_once(" to ")) {
            found.extend(prose::versions(rest.split(". ").next().unwrap_or_default().trim_end_matches('.')));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|version| seen.insert(version.clone()));
    found.truncate(32);
    found
}

/// By the package URL, else by whose feed the vulnerability is from: `vulnerabilities:debian:10`, `github:python`.
fn classify(component: Option<&Component>, source: &str) -> (VulnerabilityType, &'static str) {
    let purl = component.map_or("", |component| component.purl.as_str());
    let name = component.map_or("", |component| component.name.as_str());
    if of_distribution(purl) {
        return (VulnerabilityType::Linux, "unknown");
    }
    let is_cms = ["pkg:composer/drupal/", "pkg:composer/wordpress/", "pkg:wordpress/"]
        .iter()
        .any(|start| purl.starts_with(start));
    if is_cms || prose::is_web_cms(name) {
        return (VulnerabilityType::WebCms, "unknown");
    }
    if purl.is_empty() && PackageName::new(name).is_ok() {
        match prose::ecosystem(prose::os(source).as_ref()) {
            "unknown" => {}
            ecosystem => return (VulnerabilityType::Linux, ecosystem),
        }
        let feeds = [
            ("python", "pypi"),
            ("npm", "npm"),
            ("gem", "gem"),
            ("java", "maven"),
            ("go", "golang"),
            ("rust", "cargo"),
            ("composer", "composer"),
            ("nuget", "nuget"),
        ];
        if let Some((_, language)) = source.split_once("github:")
            && let Some((_, ecosystem)) = feeds.iter().find(|(feed, _)| *feed == language)
        {
            return (VulnerabilityType::Application, ecosystem);
        }
    }
    (VulnerabilityType::Application, "unknown")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::super::reports::{ReadOptions, read_report};
    use super::*;

    fn shown(text: &str) -> (Vec<String>, Report) {
        let report = read_report("r.xml", text.as_bytes(), &ReadOptions::default()).unwrap();
        let one = |f: &crate::model::Finding| {
            let fixed: Vec<_> = f.fixed.iter().map(ToString::to_string).collect();
            format!(
                "{} {} {} {:?} {:?} {}",
                f.kind.as_str(),
                f.ecosystem,
                f.id,
                f.severity,
                f.fix_state,
                fixed.join(",")
            )
        };
        (report.findings.iter().map(one).collect(), report)
    }

    const NEW: &str = "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.5\"><metadata><timestamp>2024-01-01T00:00:00Z</timestamp><tools><components>\
        <component type=\"application\"><name>Trivy</name></component></components></tools><component type=\"container\" bom-ref=\"c\">\
        <name>example.org/app:1</name></component></metadata><components><component type=\"library\" bom-ref=\"a\"><group>org.apache</group>\
        <name>log4j-core</name><version>2.13.2</version><purl>pkg:maven/org.apache/log4j-core@2.13.2</purl><components><component \
        bom-ref=\"b\"><group>debian</group><name>openssl</name><version>1.1.1n-0+deb11u3</version><purl>pkg:deb/debian/openssl@1.1.1n-0%2Bdeb11u3\
        ?arch=amd64</purl></component></components></component></components><vulnerabilities><vulnerability><id>GHSA-jfh8-c2jp-5v3q</id>\
        <source><name>ghsa</name></source><references><reference><id>CVE-2021-44228</id></reference></references><ratings><rating><source><name>nvd\
        </name></source><score>10.0</score><severity>critical</severity><method>CVSSv31</method><vector>CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H\
        </vector></rating><rating><source><name>ghsa</name></source><severity>high</severity></rating></ratings><recommendation>Upgrade \
        log4j-core to version 2.15.0, 2.12.2</recommendation><advisories><advisory><url>https://example.org/1</url></advisory></advisories>\
        <published>2021-12-10T00:00:00Z</published><affects><target><ref>a</ref></target><target><ref>b</ref></target><target>\
        <ref>urn:cdx:1/1#pkg:npm/%40babel/core@7.0.0</ref></target></affects></vulnerability><vulnerability><id>CVE-2020-1</id><analysis>\
        <state>not_affected</state></analysis></vulnerability><vulnerability><id>CVE-2020-1000</id><analysis><state>resolved</state></analysis>\
        </vulnerability><vulnerability><id>CVE-2020-1001</id></vulnerability><vulnerability><id>$(id)</id></vulnerability></vulnerabilities></bom>";

    #[test]
    fn vulnerabilities_are_of_what_they_affect() {
        let (findings, report) = shown(NEW);
        assert_eq!(
            findings,
            [
                "application maven example.org/app:1/CVE-2021-44228/org.apache:log4j-core@2.13.2 Some(High) Fixed 2.15.0,2.12.2",
                "linux deb example.org/app:1/CVE-2021-44228/openssl@1.1.1n-0+deb11u3 Some(High) Fixed 2.15.0,2.12.2",
                "application npm example.org/app:1/CVE-2021-44228/@babel/core@7.0.0 Some(High) Fixed 2.15.0,2.12.2",
                "application unknown example.org/app:1/CVE-2020-1001/- None Unknown ",
            ]
        );
        assert_eq!((report.scanner.as_str(), report.read), ("trivy", 7));
        let left_out: Vec<_> = report.left_out.keys().map(String::as_str).collect();
        assert_eq!(left_out, ["closed", "suppressed-by-scanner", "unsafe-vulnerability-id"]);
        assert_eq!(report.findings[0].cvss[0].source, "nvd");
    }

    #[test]
    fn the_extension_of_old_stands_in_its_component() {
        let text = "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.2\" xmlns:v=\"http://cyclonedx.org/schema/ext/vulnerability/1.0\"><components>\
            <component type=\"library\"><name>apt</name><version>1.8.2.1</version><v:vulnerabilities><v:vulnerability ref=\"urn:uuid:1\"><v:id>\
            CVE-2011-3374</v:id><v:source name=\"vulnerabilities:debian:10\"><v:url>http://example.org/1</v:url></v:source><v:ratings><v:rating>\
            <v:score><v:base>4.3</v:base></v:score><v:severity>Low</v:severity><v:method>CVSSv2</v:method><v:vector>AV:N/AC:M/Au:N/C:N/I:P/A:N\
            </v:vector></v:rating></v:ratings></v:vulnerability></v:vulnerabilities></component><component><name>Django</name><version>1</version>\
            <v:vulnerabilities><v:vulnerability><v:id>GHSA-1</v:id><v:source name=\"github:python\"/></v:vulnerability></v:vulnerabilities>\
            </component></components></bom>";
        let (findings, report) = shown(text);
        assert_eq!(
            findings,
            [
                "linux deb unnamed artifact/CVE-2011-3374/apt@1.8.2.1 Some(Low) Unknown ",
                "application pypi unnamed artifact/GHSA-1/Django@1 None Unknown ",
            ]
        );
        assert_eq!((report.findings[0].cvss[0].version.as_str(), report.findings[0].references.len()), ("2.0", 1));
    }

    #[test]
    fn a_truncated_file_is_an_error_and_no_panic() {
        for length in (1..NEW.len()).step_by(50) {
            let error = read_report("r", &NEW.as_bytes()[..length], &ReadOptions::default()).unwrap_err();
            assert!(["invalid-xml", "unknown-report-format"].contains(&error.code), "{error}");
        }
    }
}
