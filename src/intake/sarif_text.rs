//! What a SARIF result says of a package: SARIF has no place for packages, and so each tool has sentences of its own.

use super::advisory::{self, Purl};
use super::lenient::Text;
use super::row;
use super::sarif::{RawResult, RawRule};
use super::shapes::Part;
use crate::model::PackageVersion;

/// What was found in the texts; empty is what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) others: Vec<String>,
    pub(super) package: String,
    pub(super) installed: String,
    fixed: String,
    pub(super) severity: String,
    pub(super) ecosystem: String,
    pub(super) path: String,
    pub(super) links: Vec<String>,
}

impl Said {
    /// The versions that fix it. Prose (`not fixed`) is none.
    pub(super) fn fixed(&self) -> Result<Vec<PackageVersion>, &'static str> {
        match self.fixed.trim() {
            "not fixed" | "No fix available" | "None" | "N/A" | "n/a" => Ok(Vec::new()),
            text => row::fixed_versions(&advisory::text(text)),
        }
    }
}

/// Longer texts are looked at so far.
const MAX_TEXT: usize = 16 << 10;

fn short<'a>(text: &'a Text<'_>) -> &'a str {
    let text = text.as_str();
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What a result says, if it is about a vulnerability of a package.
pub(super) fn said_by(rule_id: &Text<'_>, rule: &RawRule<'_>, result: &RawResult<'_>) -> Option<Said> {
    let message = short(&result.message.0.text);
    let help = short(&rule.help.0.text);
    let tagged = || rule.properties.0.tags.0.iter().any(|tag| tag.as_str().eq_ignore_ascii_case("vulnerability"));
    let mut said = Said::default();
    said.look_at_message(message);
    said.look_at_logical_location(result);
    said.look_at_purls(rule, result);
    said.look_at_help(help);
    let id = rule_id.as_str();
    let mut ids: Vec<&str> = advisory::ids_in(id);
    if ids.is_empty() && (is_advisory(id) || tagged()) {
        // `SNYK-JS-LODASH-590103` stays the name unless there is a CVE in the texts of its rule.
        ids.push(id.strip_suffix(&format!("-{}", said.package)).unwrap_or(id));
        ids.extend([&rule.short.0.text, &rule.full.0.text].into_iter().flat_map(|text| advisory::ids_in(short(text))));
    }
    let (first, others) = ids.split_first()?;
    said.id = (*first).to_owned();
    let also = message.find("also known as").map(|at| advisory::ids_in(&message[at..])).unwrap_or_default();
    let declared = rule.other_ids.0.iter().map(Text::as_str);
    said.others = others.iter().copied().chain(also).chain(declared).map(str::to_owned).collect();
    said.look_at_fixes(result);
    Some(said)
}

/// Ids of advisories that are not CVEs.
fn is_advisory(id: &str) -> bool {
    const PREFIXES: [&str; 22] = [
        "SNYK-",
        "PYSEC-",
        "RUSTSEC-",
        "GO-",
        "OSV-",
        "MAL-",
        "TEMP-",
        "DSA-",
        "DLA-",
        "USN-",
        "RHSA-",
        "RHBA-",
        "ELSA-",
        "ALAS",
        "ALSA-",
        "RLSA-",
        "SUSE-",
        "openSUSE-",
        "NSWG-",
        "ASA-",
        "XRAY-",
        "sonatype-",
    ];
    const OLD_SNYK: &str = "npm:";
    let fits = id.len() <= 128 && id.bytes().any(|b| b.is_ascii_digit());
    fits && (PREFIXES.iter().any(|prefix| id.starts_with(prefix)) || id.starts_with(OLD_SNYK))
}

/// The value behind `KEY:` at the beginning of a line.
fn line<'a>(text: &'a str, keys: &[&str]) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        let key = key.trim();
        keys.iter().any(|wanted| key.eq_ignore_ascii_case(wanted)).then(|| value.trim())
    })
}

fn set(field: &mut String, value: Option<&str>) {
    if let Some(value) = value.filter(|value| field.is_empty() && !value.is_empty()) {
        value.clone_into(field);
    }
}

impl Said {
    fn look_at_message(&mut self, text: &str) {
        // Trivy and Docker Scout write lines.
        let package = line(text, &["package"]);
        match package.and_then(Purl::parse) {
            Some(purl) => self.take_purl(&purl),
            None => set(&mut self.package, package),
        }
        set(&mut self.installed, line(text, &["installed version"]));
        set(&mut self.fixed, line(text, &["fixed version"]));
        set(&mut self.severity, line(text, &["severity"]));
        // Grype: `The path PATH reports NAME at version VERSION  which is a vulnerable (TYPE) package ...`
        if let Some((path, rest)) = between(text, "The path ", " reports ")
            && let Some((name, rest)) = rest.split_once(" at version ")
        {
            set(&mut self.path, Some(path));
            set(&mut self.package, Some(name));
            set(&mut self.installed, rest.split_whitespace().next());
            set(&mut self.ecosystem, between(rest, "(", ")").map(|(kind, _)| advisory::ecosystem(kind)).as_deref());
        }
        // Later: `A SEVERITY vulnerability in TYPE package: NAME, version VERSION was found in image IMAGE at: PATH`
        if let Some((head, rest)) = text.split_once(" package: ")
            && let Some((name, rest)) = rest.split_once(", version ")
            && let Some((severity, kind)) = head.split_once(" vulnerability in ")
        {
            set(&mut self.package, Some(name));
            set(&mut self.installed, rest.split_whitespace().next());
            set(&mut self.severity, severity.split_whitespace().last());
            set(&mut self.ecosystem, Some(advisory::ecosystem(kind).as_str()));
            set(&mut self.path, rest.split_once(" at: ").map(|(_, path)| path.trim()));
        }
        // OSV-Scanner: `Package 'NAME@VERSION' is vulnerable to 'ID' ...`
        if let Some((both, rest)) = between(text, "Package '", "'")
            && rest.trim_start().starts_with("is vulnerable")
        {
            let (name, version) = advisory::split_at_version(both);
            set(&mut self.package, Some(name));
            set(&mut self.installed, Some(version));
        }
    }

    /// Snyk: `NAME@VERSION`; Dependency-Check and others: a package URL.
    fn look_at_logical_location(&mut self, result: &RawResult<'_>) {
        let locations = result.locations.0.iter().flat_map(|Part(location)| &location.logical.0);
        for Part(logical) in locations {
            let full = logical.full.as_str();
            match Purl::parse(full) {
                Some(purl) => self.take_purl(&purl),
                None if self.package.is_empty() && !full.contains([' ', '#']) => {
                    let (name, version) = advisory::split_at_version(full);
                    if !version.is_empty() && !version.contains([':', '/']) {
                        set(&mut self.package, Some(name));
                        set(&mut self.installed, Some(version));
                    }
                }
                None => {}
            }
        }
    }

    fn look_at_purls(&mut self, rule: &RawRule<'_>, result: &RawResult<'_>) {
        for bag in [&result.properties.0, &rule.properties.0] {
            // A rule that is about several packages does not say which one a result is about.
            let purls: Vec<Purl> =
                bag.purls.0.iter().chain([&bag.purl]).filter_map(|p| Purl::parse(p.as_str())).collect();
            let wanted = purls.iter().find(|purl| purl.package() == self.package);
            let only = || purls.first().filter(|_| purls.len() == 1 && self.package.is_empty());
            if let Some(purl) = wanted.or_else(only) {
                let purl = purl.clone();
                self.take_purl(&purl);
            }
            set(&mut self.fixed, Some(bag.fixed.as_str()));
        }
        if self.ecosystem.is_empty() {
            // Snyk tags its rules with the package manager.
            const MANAGERS: [&str; 16] = [
                "npm",
                "yarn",
                "pip",
                "poetry",
                "maven",
                "gradle",
                "golang",
                "gomodules",
                "rubygems",
                "nuget",
                "composer",
                "cargo",
                "deb",
                "rpm",
                "apk",
                "hex",
            ];
            let tags = || rule.properties.0.tags.0.iter().map(Text::as_str);
            set(&mut self.ecosystem, tags().find(|tag| MANAGERS.contains(tag)).map(advisory::ecosystem).as_deref());
        }
    }

    fn take_purl(&mut self, purl: &Purl) {
        set(&mut self.package, Some(&purl.package()));
        set(&mut self.installed, purl.version.as_deref());
        set(&mut self.ecosystem, Some(&purl.kind));
    }

    /// The help of a rule is about one package; a result may be about another that has the same vulnerability.
    fn look_at_help(&mut self, text: &str) {
        let package = line(text, &["package"]);
        if self.package.is_empty() || package == Some(self.package.as_str()) {
            set(&mut self.package, package);
            set(&mut self.installed, line(text, &["version", "installed version"]));
            set(&mut self.fixed, line(text, &["fix version", "fixed version"]));
            set(&mut self.ecosystem, line(text, &["type"]).map(advisory::ecosystem).as_deref());
        }
        set(&mut self.severity, line(text, &["severity"]));
        // `Link: [ID](URL)`
        let link = line(text, &["link"]).and_then(|link| between(link, "](", ")"));
        self.links.extend(link.map(|(url, _)| url.to_owned()));
        // OSV-Scanner: a table of packages and their fixed versions under a heading.
        if self.fixed.is_empty()
            && let Some((_, table)) = text.split_once("Remediation").or_else(|| text.split_once("Fixed Version"))
        {
            let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
            let rows = table.lines().map(cells).filter(|cells| cells.contains(&self.package));
            let last = rows.filter_map(|cells| cells.into_iter().rev().find(|cell| !cell.is_empty())).next();
            let version = last.filter(|version| PackageVersion::new(version).is_ok() && *version != self.package);
            set(&mut self.fixed, version.as_deref());
        }
    }

    /// Snyk: `Upgrade to NAME@VERSION`.
    fn look_at_fixes(&mut self, result: &RawResult<'_>) {
        let texts = result.fixes.0.iter().map(|Part(fix)| fix.description.0.text.as_str());
        for text in texts {
            let both = text.strip_prefix("Upgrade to ").map(str::trim);
            let (name, version) = both.map_or(("", ""), advisory::split_at_version);
            // The upgrade may be of the package that brings this one in.
            if name == self.package {
                set(&mut self.fixed, Some(version));
            }
        }
    }
}

/// The text between two marks, and what follows.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use serde_json::{Value, json};

    use super::super::samples::{check_sample, read_as, shown};
    use super::*;

    fn log(tool: &str, rules: Value, results: Value) -> Value {
        json!({"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "runs": [{"tool": {"driver": {"name": tool, "rules": rules}}, "results": results}]})
    }

    #[test]
    fn trivy() {
        let rule = |name: &str, id: &str, tags: Value| {
            json!({"id": id, "name": name, "shortDescription": {"text": "a flaw"},
            "defaultConfiguration": {"level": "warning"}, "helpUri": "https://avd.aquasec.com/nvd/cve-2026-1234",
            "help": {"text": "Vulnerability X\nSeverity: MEDIUM\nPackage: libssl1.1\nFixed Version: 9\nLink: [CVE-2026-1234](https://avd.aquasec.com/nvd/cve-2026-1234)"},
            "properties": {"security-severity": "5.3", "tags": tags, "cvssv3_baseScore": 5.3, "cvssv3_vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N",
                "cvssv2_score": 5, "cvssv2_vector": "AV:N/AC:L/Au:N/C:P/I:N/A:N"}})
        };
        let mut document = log(
            "Trivy",
            json!([
                rule("OsPackageVulnerability", "CVE-2026-1234", json!(["vulnerability", "security", "MEDIUM"])),
                rule("LanguageSpecificPackageVulnerability", "GHSA-aaaa-bbbb-cccc", json!(["vulnerability", "security", "LOW"])),
                {"id": "aws-key", "name": "Secret", "properties": {"tags": ["secret", "CVE-2026-9999"]}},
                {"id": "DS002", "name": "Misconfiguration", "properties": {"tags": ["misconfiguration"]}}]),
            json!([
                {"ruleId": "CVE-2026-1234", "ruleIndex": 0, "level": "warning",
                 "message": {"text": "Package: libcrypto1.1\nInstalled Version: 1.1.1c-r0\nVulnerability CVE-2026-1234\nSeverity: MEDIUM\nFixed Version: 1.1.1d-r0\nLink: [CVE-2026-1234](https://avd.aquasec.com/nvd/cve-2026-1234)"},
                 "locations": [{"physicalLocation": {"artifactLocation": {"uri": "alpine", "uriBaseId": "ROOTPATH"}}}]},
                {"ruleIndex": 1, "message": {"text": "Package: lodash\nInstalled Version: 4\nVulnerability GHSA\nSeverity: UNKNOWN\nFixed Version: 5, 6"},
                 "locations": [{"physicalLocation": {"artifactLocation": {"uri": "app/package-lock.json"}}}]},
                {"ruleId": "aws-key", "ruleIndex": 2, "message": {"text": "Artifact: x"}},
                {"ruleId": "DS002", "message": {"text": "Artifact: Dockerfile"}},
                {"ruleId": "CVE-2026-1234", "message": {"text": "Package: a"}, "suppressions": [{"kind": "external"}]},
                {"ruleId": "CVE-2026-1234", "message": {"text": "Package: b"}, "suppressions": [{"kind": "external", "status": "underReview"}]},
                {"ruleId": "CVE-2026-1234", "message": {"text": "Package: c"}, "baselineState": "absent"},
                {"ruleId": "CVE-2026-1234", "message": {"text": "Package: d"}, "kind": "pass"}]),
        );
        document["runs"][0]["properties"] = json!({"imageName": "img:1", "repoTags": []});
        let report = read_as("sarif", &document);
        assert_eq!(
            shown(&report),
            [
                "img:1 CVE-2026-1234 linux unknown libcrypto1.1 1.1.1c-r0 -> 1.1.1d-r0 fixed medium",
                "img:1 GHSA-aaaa-bbbb-cccc application unknown lodash 4 -> 5,6 fixed - #app/package-lock.json",
                "img:1 CVE-2026-1234 linux unknown b - -> unknown medium",
            ]
        );
        let scores: Vec<_> =
            report.findings[0].cvss.iter().map(|c| format!("{} {} {}", c.source, c.version, c.score)).collect();
        assert_eq!(scores, ["trivy 2.0 5.0", "trivy 3.1 5.3"]);
        assert_eq!((report.left_out["suppressed-by-scanner"], report.left_out["closed"]), (1, 1));
        let aside: Vec<_> = report.set_aside.iter().map(|(what, count)| format!("{what} {count}")).collect();
        assert_eq!(aside, ["misconfiguration 1", "passed-check 1", "secret 1"]);
        check_sample("sarif", &document);
    }

    #[test]
    fn grype_of_all_ages() {
        let help = "Vulnerability CVE-2026-1234\nSeverity: low\nPackage: tar\nVersion: 1.34\nFix Version: 1.35\nType: deb\nLocation: /p\nLink: [CVE-2026-1234](https://example.org/1)";
        let location = json!([{"physicalLocation": {"artifactLocation": {"uri": "image//p"}},
            "logicalLocations": [{"name": "/p", "fullyQualifiedName": "nginx@sha256:13d2@sha256:5117:/p"}]}]);
        let rules = json!([{"id": "CVE-2026-1234-tar", "help": {"text": help}, "properties": {"security-severity": "10.0"}},
            {"id": "GHSA-aaaa-bbbb-cccc-log4j-core", "help": {"text": "Package: log4j-core\nType: java-archive\nSeverity: Critical"}}]);
        let document = log(
            "Grype",
            rules.clone(),
            json!([
            {"ruleId": "CVE-2026-1234-tar", "message": {"text": "The path /p reports tar at version 1.34  which is a vulnerable (deb) package installed in the container"}, "locations": location},
            {"ruleId": "GHSA-aaaa-bbbb-cccc-log4j-core", "message": {"text": "A critical vulnerability in java-archive package: log4j-core, version 2.14.1 was found in image nginx at: /app/x.jar"}, "locations": location}]),
        );
        assert_eq!(
            shown(&read_as("sarif", &document)),
            [
                "nginx@sha256:13d2 CVE-2026-1234 linux deb tar 1.34 -> 1.35 fixed low",
                "nginx@sha256:13d2 GHSA-aaaa-bbbb-cccc application maven log4j-core 2.14.1 -> unknown critical #/app/x.jar",
            ]
        );
        let first = log(
            "Anchore Container Vulnerability Report (T0)",
            json!([]),
            json!([
            {"ruleId": "ANCHOREVULN_CVE-2026-1234_deb_tar_1.34", "suppressions": [{"kind": "external"}],
             "message": {"text": "The path /p reports tar at version 1.34  which is a vulnerable (deb) package installed in the container"}}]),
        );
        assert_eq!(
            shown(&read_as("sarif", &first)),
            ["unnamed artifact CVE-2026-1234 linux deb tar 1.34 -> unknown -"]
        );
        check_sample("sarif", &document);
    }

    #[test]
    fn snyk_osv_scanner_scout_and_dependency_check() {
        let snyk = log(
            "Snyk Open Source",
            json!([
            {"id": "SNYK-JS-LODASH-590103", "shortDescription": {"text": "High severity - Prototype Pollution vulnerability in lodash"},
             "fullDescription": {"text": "(CVE-2026-1234) lodash@4.17.15"}, "properties": {"tags": ["security", "CWE-1321", "npm"], "cvssv3_baseScore": 7.4, "security-severity": "7.4"}},
            {"id": "snyk:lic:npm:x:GPL-3.0", "properties": {"tags": ["security", "license"]}}]),
            json!([
            {"ruleId": "SNYK-JS-LODASH-590103", "level": "error", "message": {"text": "This file introduces a vulnerable lodash package with a high severity vulnerability."},
             "locations": [{"physicalLocation": {"artifactLocation": {"uri": "package.json"}}, "logicalLocations": [{"fullyQualifiedName": "lodash@4.17.15"}]}],
             "fixes": [{"description": {"text": "Upgrade to lodash@4.17.20"}, "artifactChanges": []}]},
            {"ruleId": "snyk:lic:npm:x:GPL-3.0", "message": {"text": "x"}}]),
        );
        let report = read_as("sarif", &snyk);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact CVE-2026-1234+SNYK-JS-LODASH-590103 application npm lodash 4.17.15 -> 4.17.20 fixed high #package.json"
            ]
        );
        assert_eq!(report.set_aside["license"], 1);

        let osv = log(
            "osv-scanner",
            json!([{"id": "CVE-2026-1234", "deprecatedIds": ["CVE-2026-1234", "GHSA-aaaa-bbbb-cccc"],
            "help": {"text": "**Your dependency is vulnerable to [CVE-2026-1234]**\n### Remediation\n| Package Name | Fixed Version |\n| --- | --- |\n| mlflow | 2.11.0 |"}}]),
            json!([
            {"ruleId": "CVE-2026-1234", "ruleIndex": 0, "level": "warning", "message": {"text": "Package 'mlflow@2.9.2' is vulnerable to 'CVE-2026-1234' (also known as 'PYSEC-1', 'GHSA-aaaa-bbbb-cccc')."},
             "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///r.txt"}}}]}]),
        );
        assert_eq!(
            shown(&read_as("sarif", &osv)),
            [
                "unnamed artifact CVE-2026-1234+GHSA-aaaa-bbbb-cccc application unknown mlflow 2.9.2 -> 2.11.0 fixed medium #file:///r.txt"
            ]
        );

        let scout = log(
            "docker scout",
            json!([{"id": "CVE-2026-1234", "properties": {"affected_version": "<3", "fixed_version": "3.0.1", "purls": ["pkg:deb/debian/openssl@1.1?os_name=debian"],
            "security-severity": "9.8", "cvssV3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "tags": ["CRITICAL"]}}, {"id": "CVE-2026-2222", "properties": {"fixed_version": "not fixed"}}]),
            json!([
            {"ruleId": "CVE-2026-1234", "kind": "fail", "level": "none", "message": {"text": "  Vulnerability   : CVE-2026-1234\n  Severity        : CRITICAL\n  Package         : pkg:deb/debian/openssl@1.1?os_name=debian\n  Fixed version   : 3.0.1\n"}},
            {"ruleId": "CVE-2026-2222", "message": {"text": "x"}}]),
        );
        let report = read_as("sarif", &scout);
        assert_eq!(
            shown(&report),
            [
                "unnamed artifact CVE-2026-1234 linux deb openssl 1.1 -> 3.0.1 fixed critical",
                "unnamed artifact CVE-2026-2222 application unknown - - -> unknown -"
            ]
        );
        assert_eq!(report.findings[0].cvss[0].score.to_string(), "9.8");

        let check = log(
            "dependency-check",
            json!([{"id": "CVE-2026-1234", "properties": {"security-severity": "7.5"}}]),
            json!([
            {"ruleId": "CVE-2026-1234", "level": "warning", "message": {"text": "High severity vulnerability"},
             "locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:///x.jar"}}, "logicalLocations": [{"fullyQualifiedName": "pkg:maven/org.x/core@1.0"}]}]}]),
        );
        assert_eq!(
            shown(&read_as("sarif", &check)),
            ["unnamed artifact CVE-2026-1234 application maven org.x:core 1.0 -> unknown high #file:///x.jar"]
        );
    }

    #[test]
    fn findings_of_code_analysis_are_set_aside() {
        let document = log(
            "CodeQL",
            json!([{"id": "py/sql-injection", "fullDescription": {"text": "as in CVE-2026-1234"}}]),
            json!([
            {"ruleId": "py/sql-injection", "message": {"text": "CVE-2026-1234"}}, {"ruleId": "py/sql-injection", "suppressions": [{}]}, 7]),
        );
        let report = read_as("sarif", &document);
        assert_eq!(
            (report.read, report.set_aside["static-analysis"], report.set_aside["suppressed-by-scanner"]),
            (0, 2, 1)
        );
        let old = super::super::read_report(
            "f",
            br#"{"version": "1.0.0", "$schema": "sarif-1.0.0.json", "runs": []}"#,
            &super::super::ReadOptions::default(),
        );
        assert_eq!(old.unwrap_err().code, "unsupported-version");
        let clean = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Trivy"}}, "results": [], "properties": {"imageName": "img:1"}}]});
        assert_eq!(read_as("sarif", &clean).assets.len(), 1);
    }

    #[test]
    fn marks_that_are_missing_end_nothing() {
        assert_eq!(between("a (b", "(", ")"), None);
        assert_eq!(line("x: 1\nPackage:y", &["package"]), Some("y"));
        let long = Text::Is("é".repeat(MAX_TEXT).into());
        assert!(short(&long).len() <= MAX_TEXT);
    }
}
