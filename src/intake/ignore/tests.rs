//! Every ignore file of the corpus is read, and what is no vulnerability is told with its line.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Source, explain};

fn read(name: &str, text: &str) -> IgnoreFile {
    read_ignore(&Source::new(name, text)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
fn corpus(name: &str) -> Option<IgnoreFile> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("SWITCHBACK_CORPUS").map_or_else(beside, PathBuf::from);
    if !folder.join("README.md").is_file() {
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: no corpus at {}", folder.display());
        }
        return None;
    }
    Some(read_ignore_file(&folder.join("ignore").join(name)).unwrap_or_else(|problems| panic!("{problems:?}")))
}

/// Every rule as `LINE ID|- PACKAGES [until] [own reason|comment]`.
fn rules(file: &IgnoreFile) -> Vec<String> {
    let package = |package: &IgnoredPackage| {
        let parts = [&package.name, &package.ecosystem, &package.os, &package.installed];
        parts.map(|part| part.as_deref().unwrap_or("*").to_owned()).join("/")
    };
    let one = |rule: &IgnoreRule| {
        let mut text = format!("{} {}", rule.line, rule.vulnerability.as_deref().unwrap_or("-"));
        rule.packages.iter().for_each(|found| text.push_str(&format!(" {}", package(found))));
        rule.expires.iter().for_each(|end| text.push_str(&format!(" until {}", &end.to_string()[..10])));
        text
    };
    file.rules.iter().map(one).collect()
}

fn left_out(file: &IgnoreFile) -> Vec<String> {
    file.left_out.iter().map(|entry| format!("{} {}", entry.place.line, entry.what)).collect()
}

#[test]
fn trivyignore_of_the_corpus() {
    let Some(file) = corpus("trivy.trivyignore") else { return };
    assert_eq!(file.format, "trivyignore");
    assert_eq!(
        rules(&file),
        [
            "2 CVE-2019-0001",
            "3 CVE-2019-0002",
            "4 CVE-2019-0004 until 2020-01-01",
            "5 CVE-2019-0005 until 9999-01-01",
            "6 CVE-2019-0006 until 9999-01-01"
        ]
    );
    assert_eq!(left_out(&file), ["9 ID300", "11 AVD-ID400", "14 generic-unwanted-rule", "17 GPL-3.0"]);
}

#[test]
fn trivyignore_yaml_of_the_corpus() {
    let Some(file) = corpus("trivy.trivyignore.yaml") else { return };
    assert_eq!(file.format, "trivyignore-yaml");
    assert_eq!(
        rules(&file),
        [
            "8 CVE-2019-0003",
            "12 CVE-2019-0005 until 2023-01-01",
            "14 CVE-2019-0006 until 2020-01-01",
            "16 CVE-2019-0007 github.com/aquasecurity/aaa/golang/*/9.9.9 github.com/aquasecurity/bar/golang/*/*"
        ]
    );
    let left = left_out(&file);
    assert_eq!(&left[..3], ["2 CVE-2019-0001", "5 CVE-2019-0002", "9 CVE-2019-0004"], "paths cannot be said");
    assert_eq!(left.len(), 3 + 4 + 3 + 5);
    let Some(file) = corpus("forms-flow-ai.trivyignore.yaml") else { return };
    assert_eq!(rules(&file), ["2 CVE-2023-45853"]);
    assert_eq!(file.rules[0].reason.as_deref(), Some("Not considered a vulnerability by upstream Debian"));
    assert_eq!(left_out(&file), ["6 private-key"]);
}

#[test]
fn grype_rules_of_the_corpus() {
    let Some(file) = corpus("ggshield.grype.yaml") else { return };
    assert_eq!((file.format, file.rules.len(), file.left_out.len()), ("grype", 12, 0));
    assert!(file.rules[0].comment.as_deref().unwrap().starts_with("Baseline: vulnerabilities already present"));
    let Some(file) = corpus("grype-ignore-reason.yaml") else { return };
    assert_eq!(rules(&file), ["3 CVE-2021-42385"]);
    assert_eq!(file.rules[0].reason.as_deref(), Some("test reason for vulnerability being ignored"));
    let Some(file) = corpus("litellm.grype.yaml") else { return };
    assert_eq!(rules(&file), ["5 CVE-2026-85091 zlib/apk/*/*", "9 GHSA-g5fp-32jq-cfw2 zlib/apk/*/*"]);
    assert!(file.rules[1].heading.as_deref().unwrap().starts_with("Wolfi's secdb says"));
    let Some(file) = corpus("kics.grype.yaml") else { return };
    assert_eq!(rules(&file), ["2 GHSA-4v7x-pqxf-cx7m", "3 - anchore/scan-action/*/*/*"]);
    assert_eq!(left_out(&file).len(), 3);
    assert!(file.left_out.iter().all(|entry| entry.why.contains("location")));
}

#[test]
fn osv_scanner_of_the_corpus() {
    let Some(file) = corpus("osv-scanner-composite.toml") else { return };
    assert_eq!(file.format, "osv-scanner");
    let archive = "6 - https://github.com/brendan-duncan/archive.git/*/*/*";
    assert_eq!(rules(&file), ["2 - */npm/*/*", archive, "10 - */maven/*/*"]);
    assert_eq!(left_out(&file), ["15 Packagist", "19 Alpine"]);
    let Some(file) = corpus("osv-scanner-duplicate.toml") else { return };
    assert_eq!(
        rules(&file),
        [
            "2 GO-2022-0274 until 2020-01-01",
            "6 GO-2022-0274 until 2022-01-01",
            "10 GHSA-whgm-jr23-g3j9",
            "13 CVE-2025-26519"
        ]
    );
    let Some(file) = corpus("osv-scanner-partial-ignores.toml") else { return };
    assert_eq!(file.rules.len(), 5);
    assert_eq!(file.rules[2].comment.as_deref(), Some("in postgres-stretch.cdx.xml"));
    assert_eq!(rules(&file)[4], "15 CVE-2022-1304 until 2100-01-01");
    let Some(file) = corpus("osv.dev-osv-scanner.toml") else { return };
    assert_eq!(file.rules.len(), 5);
    assert_eq!(rules(&file)[4], "22 - urllib3/pypi/*/1.26.20");
    assert!(file.rules[4].reason.as_deref().unwrap().starts_with("Only installed when running with PyPy"));
}

#[test]
fn cargo_audit_of_the_corpus() {
    let Some(file) = corpus("atuin-cargo-audit.toml") else { return };
    assert_eq!(file.format, "cargo-audit");
    assert_eq!(rules(&file), ["8 RUSTSEC-2023-0071"]);
    assert!(file.rules[0].comment.as_deref().unwrap().starts_with("This is a vuln on RSA."), "{file:?}");
}

#[test]
fn what_a_rule_asks_for_beyond_an_exception_is_never_dropped() {
    let file = read(
        ".grype.yaml",
        "ignore:\n  - {vulnerability: CVE-1-1, namespace: x}\n  - {vulnerability: CVE-1-1, match-type: y}\n  - {fix-state: wont-fix}\n  \
         - {vulnerability: CVE-1-2, fix-state: not-fixed}\n  - {package: {name: 'a|b'}}\n  - {package: {name: 'linux-.*-headers', type: deb}}\n  \
         - {package: {upstream-name: x}}\n  - {package: {type: deb}}\n  - {vex-status: fixed}\n  - {package: {name: '.*'}}\n  - {}\n  - {vulnerability: 'a b'}\n  \
         - {package: {name: 'libstdc\\+\\+6', version: 1.0, language: go}}\n",
    );
    assert_eq!(rules(&file), ["5 CVE-1-2", "7 - linux-*-headers/deb/*/*", "14 - libstdc++6/golang/*/1.0"]);
    assert_eq!(file.rules[0].fix_available, Some(false));
    assert_eq!(file.left_out.len(), 10, "{:?}", file.left_out);
    let file = read(
        "osv-scanner.toml",
        "[[PackageOverrides]]\nname = 'a'\ngroup = 'dev'\nignore = true\n[[PackageOverrides]]\nignore = true\n[[PackageOverrides]]\n\
         name = 'b'\necosystem = 'Debian:11'\nignore = true\n[[PackageOverrides]]\nname = 'c'\necosystem = 'Debian'\nvulnerability.ignore = true\n\
         effectiveUntil = 2030-01-02T03:04:05Z\n[[IgnoredVulns]]\nid = 'CVE-1-1'\nignoreUntil = 'soon'\n[[IgnoredVulns]]\nreason = 'x'\n",
    );
    assert_eq!(rules(&file), ["12 - c/deb/debian/* until 2030-01-02"]);
    assert_eq!(file.left_out.len(), 5, "{:?}", file.left_out);
    let file = read(
        ".trivyignore.yaml",
        "vulnerabilities:\n  - {id: CVE-1-1, purls: ['pkg:deb/debian/a@1', 'nonsense']}\n  - {id: CVE-1-2, paths: []}\n  - {id: CVE-1-3, expired_at: soon}\n  - {}\n",
    );
    assert_eq!((rules(&file), file.left_out.len()), (vec!["3 CVE-1-2".to_owned()], 3));
    let file = read(
        ".trivyignore",
        "CVE-1-1 exp:2020-13-01\n  GHSA-aaaa-bbbb-1ccc # exp:2020-01-01\nAVD-AWS-0001\nDS002\nMIT\n",
    );
    assert_eq!((rules(&file), file.left_out.len()), (vec!["2 GHSA-aaaa-bbbb-1ccc".to_owned()], 4));
    assert_eq!(file.rules[0].comment.as_deref(), Some("exp:2020-01-01"));
}

#[test]
fn formats_are_told_by_content_then_by_name() {
    for (name, text, format) in [
        ("x", "", "trivyignore"),
        ("x", "ignore: []\n", "grype"),
        ("x.yaml", "# c\nignore:\n", "grype"),
        ("x", "vulnerabilities: []\n", "trivyignore-yaml"),
        (".trivyignore.yml", "", "trivyignore-yaml"),
        ("x", "[[ignoredvulns]]\nid = 'CVE-1-1'\n", "osv-scanner"),
        ("osv-scanner.toml", "", "osv-scanner"),
        ("x", "[advisories]\n", "cargo-audit"),
        (".cargo/audit.toml", "[output]\nquiet = true\n", "cargo-audit"),
    ] {
        assert_eq!(read(name, text).format, format, "{name} {text:?}");
    }
    for (name, text, code) in [
        ("x.toml", "", "unknown-ignore-format"),
        ("x.yaml", "a: 1\n", "unknown-ignore-format"),
        ("audit.toml", "[advisories\n", "invalid-toml"),
        (".grype.yaml", "ignore: {a: b}\n", "wrong-type"),
        (".grype.yaml", "ignore: [\n", "invalid-yaml"),
    ] {
        let problems = read_ignore(&Source::new(name, text)).unwrap_err();
        assert_eq!(problems[0].code, code, "{name} {text:?}");
        assert!(explain(code).is_some());
    }
    let deep = format!("advisories = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read_ignore(&Source::new("audit.toml", deep)).is_err());
    let large = read_ignore(&Source::new("x", "CVE-1-1\n".repeat(1 << 20))).unwrap_err();
    assert_eq!(large[0].code, "file-too-large");
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(
        name in prop::sample::select(vec!["x", "x.toml", ".grype.yaml", ".trivyignore.yaml", "osv-scanner.toml"]),
        text in "(ignore:|\\[\\[IgnoredVulns\\]\\]|\\[advisories\\]|vulnerabilities:)?\n[a-z:\\[\\]{}=\"'#\n -]{0,60}",
    ) {
        let _ = read_ignore(&Source::new(name, text));
    }
}
