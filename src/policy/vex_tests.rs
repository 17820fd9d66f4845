//! What VEX documents and exceptions that ended do to decisions.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::diagnostic::{Diagnostics, render_text};
use crate::model::{
    AssetName, Decision, DecisionKind, Finding, FindingId, FixState, Host, HostName, Os, PackageName, PackageVersion,
    VulnerabilityId, VulnerabilityType,
};

fn bundle(files: &[(&str, &str)]) -> Bundle {
    let files = files.iter().map(|(name, text)| (format!("p/{name}"), text.as_bytes().to_vec()));
    Bundle::of_files(files.collect(), &["p/".to_owned()]).unwrap()
}

fn load(files: &[(&str, &str)]) -> Policy {
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(bundle(files), &mut diagnostics);
    let shown = render_text(&diagnostics.sorted(), false);
    policy.unwrap_or_else(|| panic!("{shown}"))
}

/// A policy with one document of OpenVEX.
fn vex(statements: &str) -> Policy {
    let document = format!(
        "{{\"@context\": \"https://openvex.dev/ns/v0.2.0\", \"author\": \"Acme\", \"timestamp\": \"2026-01-01T00:00:00Z\",\n \
         \"statements\": [{statements}]}}"
    );
    load(&[("a.yaml", "version: 1\nvex: [vex/*.json]\n"), ("vex/acme.json", &document)])
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn host(os: &str, version: &str) -> Host {
    let os = Os { family: os.into(), name: os.into(), version: Some(version.into()) };
    Host { os: Some(os), ..Host::named(HostName::new("web-1").unwrap()) }
}

fn finding(id: &str, ecosystem: &str, package: &str, installed: &str) -> Finding {
    Finding {
        id: FindingId::new(id).unwrap(),
        asset: AssetName::new("web-1").unwrap(),
        vulnerability: VulnerabilityId::new(id).unwrap(),
        aliases: [VulnerabilityId::new("GHSA-1-2-3").unwrap()].into(),
        kind: match ecosystem {
            "deb" | "rpm" | "apk" => VulnerabilityType::Linux,
            _ => VulnerabilityType::Application,
        },
        ecosystem: ecosystem.into(),
        package: (!package.is_empty()).then(|| PackageName::new(package).unwrap()),
        location: None,
        installed: (!installed.is_empty()).then(|| PackageVersion::new(installed).unwrap()),
        fixed: vec![],
        fix_state: FixState::Fixed,
        severity: None,
        cvss: vec![],
        epss: None,
        kev: false,
        published: None,
        first_seen: None,
        title: None,
        references: vec![],
        claims: vec![],
        scanner: "test".into(),
    }
}

fn decide(policy: &Policy, finding: &Finding, host: &Host) -> Decision {
    policy.decide(finding, host, now())
}

fn is_dropped(policy: &Policy, finding: &Finding, host: &Host) -> bool {
    decide(policy, finding, host).kind == DecisionKind::NotAffected
}

#[test]
fn a_statement_about_the_package_decides_with_its_source_author_and_justification() {
    let policy = vex(
        "{\"vulnerability\": {\"name\": \"CVE-1-1\"}, \"products\": [{\"@id\": \"pkg:deb/debian/openssl@3.0.1\"}],\n  \
          \"status\": \"not_affected\", \"justification\": \"vulnerable_code_not_present\", \"impact_statement\": \"built\\nwithout\"},\n \
          {\"vulnerability\": \"GHSA-1-2-3\", \"products\": [\"pkg:npm/%40a/b\"], \"status\": \"fixed\"}",
    );
    let debian = host("debian", "12");
    let decision = decide(&policy, &finding("CVE-1-1", "deb", "openssl", "3.0.1"), &debian);
    assert_eq!(decision.kind, DecisionKind::NotAffected);
    assert_eq!(decision.rule.name.as_str(), "vex/acme.json#statements/1");
    assert_eq!(decision.rule.place.unwrap().to_string(), "p/vex/acme.json:2:17");
    assert_eq!(decision.reason, "Acme says that it is not affected, vulnerable_code_not_present: built without");
    // An alias names the vulnerability as well; a scope is part of the name.
    let decision = decide(&policy, &finding("CVE-9-9", "npm", "@a/b", "1.0"), &debian);
    assert_eq!(decision.rule.name.as_str(), "vex/acme.json#statements/2");
    assert_eq!(
        (decision.kind, decision.reason.as_str()),
        (DecisionKind::NotAffected, "Acme says that it contains the fix")
    );
    for (finding, host) in [
        (finding("CVE-1-1", "deb", "openssl", "3.0.2"), &debian),
        (finding("CVE-1-1", "deb", "openssl", ""), &debian),
        (finding("CVE-1-1", "deb", "libssl3", "3.0.1"), &debian),
        (finding("CVE-1-1", "rpm", "openssl", "3.0.1"), &debian),
        (finding("CVE-1-1", "deb", "openssl", "3.0.1"), &host("ubuntu", "12")),
        (finding("CVE-1-1", "deb", "openssl", "3.0.1"), &Host::named(HostName::new("web-1").unwrap())),
        (finding("CVE-1-2", "deb", "openssl", "3.0.1"), &debian),
        (finding("CVE-9-9", "npm", "b", "1.0"), &debian),
        (finding("CVE-1-1", "deb", "", ""), &debian),
    ] {
        assert!(!is_dropped(&policy, &finding, host), "{finding:?} on {host:?}");
    }
    assert_eq!(policy.vex_matches([(&debian, &finding("CVE-1-1", "deb", "openssl", "3.0.1"))]), (1, 2, 1));
}

#[test]
fn the_latest_statement_wins_and_of_two_at_once_the_one_that_says_less() {
    let statement = |status: &str, time: &str| {
        let time = if time.is_empty() { String::new() } else { format!(", \"timestamp\": \"{time}\"") };
        format!(
            "{{\"vulnerability\": {{\"name\": \"CVE-1-1\"}}, \"products\": [\"pkg:npm/a\"], \"status\": \"{status}\"{time}}}"
        )
    };
    let (early, late) = ("2025-01-01T00:00:00Z", "2026-03-01T00:00:00+02:00");
    let a = finding("CVE-1-1", "npm", "a", "1");
    for (first, second, dropped) in [
        (("affected", early), ("not_affected", late), true),
        (("not_affected", late), ("affected", early), true),
        (("not_affected", early), ("under_investigation", late), false),
        // Without a time of its own a statement has the document's, 2026-01-01.
        (("affected", early), ("fixed", ""), true),
        (("affected", late), ("fixed", ""), false),
        (("not_affected", ""), ("affected", ""), false),
        (("affected", ""), ("not_affected", ""), false),
    ] {
        let statements = [first, second].map(|(status, time)| statement(status, time)).join(",");
        assert_eq!(is_dropped(&vex(&statements), &a, &host("debian", "12")), dropped, "{first:?} {second:?}");
    }
    // ... also across documents.
    let document = |status: &str, time: &str| {
        format!("{{\"author\": \"{status}\", \"timestamp\": \"{time}\", \"statements\": [{}]}}", statement(status, ""))
    };
    let policy = load(&[
        ("a.yaml", "version: 1\nvex: [x.json, y.json]\n"),
        ("b.yaml", "version: 1\nvex: x.json\n"),
        ("x.json", &document("not_affected", early)),
        ("y.json", &document("affected", late)),
    ]);
    assert!(!is_dropped(&policy, &a, &host("debian", "12")));
    assert_eq!(policy.vex_matches([]), (2, 2, 0), "a document that is named twice is read once");
}

#[test]
fn what_is_fixed_is_fixed_in_later_versions_where_their_order_is_known() {
    let statements = |status: &str| {
        let products = "[\"pkg:deb/debian/a@1.10\", \"pkg:cobol/b@1.10\"]";
        vex(&format!("{{\"vulnerability\": \"CVE-1-1\", \"products\": {products}, \"status\": \"{status}\"}}"))
    };
    let (fixed, not_affected, debian) = (statements("fixed"), statements("not_affected"), host("debian", "12"));
    let is = |policy: &Policy, ecosystem: &str, package: &str, version: &str| {
        is_dropped(policy, &finding("CVE-1-1", ecosystem, package, version), &debian)
    };
    assert!(is(&fixed, "deb", "a", "1.10") && is(&fixed, "deb", "a", "1.11") && !is(&fixed, "deb", "a", "1.9"));
    assert!(is(&not_affected, "deb", "a", "1.10") && !is(&not_affected, "deb", "a", "1.11"));
    assert!(is(&fixed, "cobol", "b", "1.10") && !is(&fixed, "cobol", "b", "1.11"), "no order is known");
}

#[test]
fn a_part_counts_only_in_the_product_that_is_here() {
    let policy = vex(
        "{\"vulnerability\": \"CVE-1-1\", \"status\": \"not_affected\", \"products\": [{\"@id\": \"pkg:oci/shop@sha256%3Aab?repository_url=ghcr.io/acme/shop\",\
           \"subcomponents\": [{\"@id\": \"pkg:npm/a@1\"}]}]},\
         {\"vulnerability\": \"CVE-1-2\", \"status\": \"not_affected\", \"products\": [{\"@id\": \"web-1\"}]},\
         {\"vulnerability\": \"CVE-1-3\", \"status\": \"not_affected\", \"products\": [{\"@id\": \"pkg:golang/acme.io/tool\", \"subcomponents\": [\"pkg:npm/a\"]}]},\
         {\"vulnerability\": \"CVE-1-4\", \"status\": \"not_affected\", \"products\": [{\"@id\": \"web-1\", \"subcomponents\": [\"???\"]}]},\
         {\"vulnerability\": \"CVE-1-5\", \"status\": \"not_affected\", \"products\": [\"\", {}, 7, {\"@id\": \"pkg:nothing\"}]}",
    );
    let mut shop = host("debian", "12");
    let is = |id: &str, host: &Host| is_dropped(&policy, &finding(id, "npm", "a", "1"), host);
    assert!(!is("CVE-1-1", &shop));
    shop.aliases.insert("ghcr.io/acme/shop:1@sha256:ab".to_owned());
    assert!(is("CVE-1-1", &shop) && !is_dropped(&policy, &finding("CVE-1-1", "npm", "b", "1"), &shop));
    assert!(is("CVE-1-2", &shop) && is_dropped(&policy, &finding("CVE-1-2", "", "", ""), &shop), "all of the host");
    assert!(!is("CVE-1-3", &shop), "whether the tool is there is not known");
    assert!(!is("CVE-1-4", &shop), "a part that is not understood is no reason to drop the whole");
    assert!(!is("CVE-1-5", &shop));
}

#[test]
fn exceptions_come_before_vex_and_vex_before_everything_else() {
    let statement = "{\"statements\": [{\"vulnerability\": \"CVE-1-1\", \"status\": \"fixed\", \"products\": [\"pkg:npm/a\"]},\
                      {\"vulnerability\": \"CVE-1-2\", \"status\": \"fixed\", \"products\": [\"pkg:npm/a\"]}]}";
    let policy = "version: 1\nvex: v.json\nexceptions:\n  - {name: E, kind: ignore, match: {vulnerability: CVE-1-1}, reason: r, owner: o, expires: 2027-01-01}\n\
                  \x20 - {name: F, kind: whitelist, match: {vulnerability: CVE-1-2}, reason: r, owner: o, expires: 2026-01-01}\n";
    let policy = load(&[("a.yaml", policy), ("v.json", statement)]);
    let decide = |id: &str, state: FixState| {
        let finding = Finding { fix_state: state, ..finding(id, "npm", "a", "1") };
        policy.decide(&finding, &host("debian", "12"), now())
    };
    assert_eq!(decide("CVE-1-1", FixState::Fixed).kind, DecisionKind::Ignore);
    let decision = decide("CVE-1-2", FixState::NotFixed);
    assert_eq!(decision.kind, DecisionKind::NotAffected);
    assert!(
        decision.reason.ends_with("; exception F of o ended 2026-01-01 and no longer applies"),
        "{}",
        decision.reason
    );
    assert_eq!(decide("CVE-1-3", FixState::NotFixed).kind, DecisionKind::NoFixAvailable);
}

#[test]
fn an_exception_that_does_not_apply_is_told_where_it_would_have() {
    let policy = load(&[(
        "a.yaml",
        "version: 1\nexceptions:\n\
         \x20 - {name: EXC-17, kind: whitelist, match: {vulnerability: CVE-1-1}, reason: r, owner: web-team, expires: 2026-03-01}\n\
         \x20 - {name: EXC-18, kind: ignore, match: {package: a}, reason: r, owner: ops, expires: 31.12.2026}\n\
         \x20 - {name: EXC-19, kind: ignore, match: {package: a, vulnerability: CVE-1-3}, reason: r, owner: ops, expires: 2026-06-10T12:00:00Z}\n\
         \x20 - {name: EXC-20, kind: ignore, match: {vulnerability: CVE-9*}, reason: r, owner: ops, expires: 2027-01-01}\n",
    )]);
    let of = |id: &str| decide(&policy, &finding(id, "npm", "a", "1"), &host("debian", "12"));
    let both = of("CVE-1-1");
    assert_eq!(both.kind, DecisionKind::Fix);
    assert!(
        both.reason.ends_with(
            "; exception EXC-17 of web-team ended 2026-03-01 and no longer applies\
             ; exception EXC-18 of ops has no valid expiry date and does not apply"
        ),
        "{}",
        both.reason
    );
    assert!(!of("CVE-1-3").reason.contains("EXC"), "one that applies is the whole reason: {}", of("CVE-1-3").reason);
    let codes = |found: Vec<crate::diagnostic::Diagnostic>| {
        found.iter().map(|d| format!("{} {}", d.code, d.place().unwrap().line)).collect::<Vec<_>>()
    };
    assert_eq!(codes(policy.expired_exceptions(now())), ["expired-exception 3"]);
    assert_eq!(codes(policy.expiring_exceptions(now())), ["exception-expires-soon 5"]);
    assert_eq!(codes(policy.expiring_exceptions("2026-05-20T00:00:00Z".parse().unwrap())), Vec::<String>::new());
    let (web, found) =
        (host("debian", "12"), [finding("CVE-1-1", "npm", "a", "1"), finding("CVE-1-2", "npm", "a", "1")]);
    let pairs = || found.iter().map(|finding| (&web, finding));
    let counts: BTreeMap<String, u64> =
        policy.exception_matches(pairs(), now()).into_iter().map(|(name, n)| (name.to_string(), n)).collect();
    let expected = [("EXC-17", 1), ("EXC-18", 2), ("EXC-19", 0), ("EXC-20", 0)].map(|(name, n)| (name.to_owned(), n));
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(codes(policy.unmatched_exceptions(pairs(), now())), ["unmatched-exception 5", "unmatched-exception 6"]);
    let views = policy.exceptions(now());
    let shown: Vec<_> = views.iter().map(|v| (v.name.as_str(), v.state, v.days_left)).collect();
    assert_eq!(
        shown,
        [
            ("EXC-18", ExceptionState::Malformed, None),
            ("EXC-17", ExceptionState::Expired, Some(-92)),
            ("EXC-19", ExceptionState::Active, Some(9)),
            ("EXC-20", ExceptionState::Active, Some(214)),
        ]
    );
}

#[test]
fn a_selector_may_ask_for_ecosystem_and_installed_version() {
    let policy = load(&[(
        "a.yaml",
        "version: 1\nexceptions:\n  - {name: E, kind: ignore, match: {package: a, ecosystem: pypi, installed: \"1.2*\"}, reason: r, owner: o, expires: 2027-01-01}\n",
    )]);
    let kind = |ecosystem: &str, version: &str| {
        decide(&policy, &finding("CVE-1-1", ecosystem, "a", version), &host("x", "1")).kind
    };
    assert_eq!(kind("PyPI", "1.2.3"), DecisionKind::Ignore);
    for (ecosystem, version) in [("npm", "1.2.3"), ("pypi", "1.3"), ("pypi", "")] {
        assert_eq!(kind(ecosystem, version), DecisionKind::Fix, "{ecosystem} {version}");
    }
}

#[test]
fn documents_are_part_of_the_policy_and_what_is_wrong_in_them_is_told() {
    let files = |text| [("a.yaml", "version: 1\nvex: [v.json]\n"), ("v.json", text)];
    assert_ne!(load(&files("{\"statements\": []}")).digest(), load(&files("{\"statements\": [] }")).digest());
    for (text, code) in [
        ("{\"statements\": [}", "invalid-json"),
        ("{\"a\": 1}", "unknown-vex-format"),
        ("{\"document\": {\"csaf_version\": \"1.2\"}}", "unsupported-version"),
    ] {
        let mut diagnostics = Diagnostics::default();
        assert!(Policy::load(bundle(&files(text)), &mut diagnostics).is_none());
        let found = diagnostics.sorted();
        assert_eq!((found[0].code, found[0].place().unwrap().to_string().as_str()), (code, "p/a.yaml:2:7"));
        assert!(found[0].message.starts_with("p/v.json"), "{}", found[0]);
    }
    let mut diagnostics = Diagnostics::default();
    assert!(Policy::load(bundle(&[("a.yaml", "version: 1\nvex: none/*.json\n")]), &mut diagnostics).is_none());
    assert_eq!(diagnostics.sorted()[0].code, "missing-file");
}

#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
#[test]
fn documents_by_others_take_away_what_they_are_about_and_nothing_else() {
    let beside = || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("SWITCHBACK_CORPUS").map_or_else(beside, std::path::PathBuf::from);
    let read = |name: &str| std::fs::read_to_string(corpus.join("vex").join(name));
    if read("csaf/cve-2023-4154.json").is_err() {
        #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
        {
            eprintln!("SKIPPED: no corpus at {}", corpus.display());
        }
        return;
    }
    let files = [
        "csaf/cve-2023-4154.json",
        "csaf/rhsa-2025_23414.json",
        "csaf/rhsa-2020_1358.json",
        "openvex/go-vex-v0.0.1.json",
        "openvex/dd-openvex_many_vuln.json",
        "openvex/alpine-cves.openvex.json",
        "openvex/trivy-oci.openvex.json",
        "openvex/trivy-openvex-multiple.json",
        "openvex/vexhub-harvester-cloud-provider.openvex.json",
        "cyclonedx/vex.json",
        "cyclonedx/case-5.json",
    ];
    let texts: Vec<(String, String)> = files.iter().map(|name| (name.replace('/', "-"), read(name).unwrap())).collect();
    let mut all = vec![("a.yaml", "version: 1\nvex: '*.json'\n")];
    all.extend(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let policy = load(&all);
    let mut image = host("alpine", "3.18.4");
    image.aliases.insert("aquasec/trivy:0.53.0".to_owned());
    image
        .aliases
        .insert("alpine-cves@sha256:eece025e432126ce23f223450a0326fbebde39cdf496a85d8c016293fc851978".to_owned());
    let (rhel, rocky, debian) = (host("redhat", "8.9"), host("rocky", "8.9"), host("debian", "12"));
    for (id, ecosystem, package, version, host, dropped) in [
        ("CVE-2023-4154", "rpm", "libsmbclient", "4.18.6-1.el8", &rhel, true),
        ("CVE-2023-4154", "rpm", "libsmbclient", "4.18.6-1.el8", &rocky, false),
        ("CVE-2023-4154", "rpm", "bash", "4.18.6-1.el8", &rhel, false),
        ("CVE-2021-25220", "rpm", "bind", "32:9.8.2-0.68.rc1.el6_10.17", &rhel, false),
        ("CVE-2023-12345", "apk", "git", "2.39.0-r1", &host("wolfi", "20230201"), true),
        ("CVE-2023-12345", "apk", "git", "2.38.0-r0", &host("wolfi", "20230201"), false),
        ("CVE-2024-10001", "apk", "apk-tools", "2.10.6-r0", &host("alpine", "3.10.9"), true),
        ("CVE-2024-10001", "apk", "apk-tools", "2.10.6-r0", &host("alpine", "3.11"), false),
        ("CVE-2024-10002", "apk", "busybox", "1.30.1-r3", &host("alpine", "3.10.9"), false),
        ("CVE-2023-5363", "apk", "libssl3", "3.1.3-r0", &image, true),
        ("CVE-2023-5363", "apk", "libssl3", "3.1.3-r0", &host("alpine", "3.18.4"), false),
        ("CVE-2023-42363", "apk", "busybox", "1.36.1-r5", &image, true),
        ("CVE-2023-42363", "apk", "zlib", "1.36.1-r5", &image, false),
        ("CVE-2021-44228", "maven", "org.springframework.boot:spring-boot", "2.6.0", &debian, true),
        ("CVE-2021-44228", "maven", "org.springframework.boot:spring-boot", "2.7.0", &debian, false),
        (
            "CVE-2019-13209",
            "golang",
            "github.com/rancher/rancher",
            "v0.0.0-20230124173128-2207cfed1803",
            &debian,
            false,
        ),
        ("CVE-2020-25649", "maven", "com.fasterxml.jackson.core:jackson-databind", "2.10.0", &debian, true),
        ("CVE-2020-25649", "maven", "com.fasterxml.jackson.core:jackson-databind", "2.10.1", &debian, false),
        ("CVE-2020-25649", "maven", "com.fasterxml.jackson.core:jackson-core", "2.10.0", &debian, false),
    ] {
        let decision = decide(&policy, &finding(id, ecosystem, package, version), host);
        assert_eq!(decision.kind == DecisionKind::NotAffected, dropped, "{id} {package} {version} {decision:?}");
    }
}

#[test]
fn thousands_of_statements_and_exceptions_are_looked_up_not_walked() {
    // Were each finding compared with each statement, this would take minutes.
    const STATEMENTS: usize = 10_000;
    const FINDINGS: usize = 20_000;
    let each = |f: &dyn Fn(usize) -> String, between: &str| (0..STATEMENTS).map(f).collect::<Vec<_>>().join(between);
    let statements = each(
        &|i| {
            let parts = "\"subcomponents\": [\"pkg:deb/debian/p\"]";
            format!(
                "{{\"vulnerability\": \"CVE-1-{i}\", \"status\": \"fixed\", \"products\": [\"pkg:deb/debian/p{i}\", {{\"@id\": \"x\", {parts}}}]}}"
            )
        },
        ",",
    );
    let exception = |i: usize| {
        let rest = "reason: r, owner: o, expires: 2027-01-01";
        format!("  - {{name: E{i}, kind: ignore, match: {{vulnerability: CVE-2-{i}}}, {rest}}}\n")
    };
    // A policy file holds some thousands of them.
    let file = |range: std::ops::Range<usize>| {
        format!("version: 1\nexceptions:\n{}", range.map(exception).collect::<String>())
    };
    let (one, two) = (file(0..STATEMENTS / 2), file(STATEMENTS / 2..STATEMENTS));
    let document = format!("{{\"statements\": [{statements}]}}");
    let ended = "exceptions: [{name: ended, kind: ignore, match: {vulnerability: CVE-3-1}, reason: r, owner: o, expires: 2026-01-01}]";
    let vex = format!("version: 1\nvex: v.json\n{ended}\n");
    let vex = ("vex.yaml", vex.as_str());
    let policy = load(&[("a.yaml", &one), ("b.yaml", &two), vex, ("v.json", &document)]);
    let debian = host("debian", "12");
    let mut counts = BTreeMap::new();
    for i in 0..FINDINGS {
        let (year, number) = (1 + i % 3, i / 3);
        let kind =
            decide(&policy, &finding(&format!("CVE-{year}-{number}"), "deb", &format!("p{number}"), "1"), &debian).kind;
        *counts.entry(kind).or_insert(0) += 1;
    }
    let expected = [(DecisionKind::Fix, 6666), (DecisionKind::Ignore, 6667), (DecisionKind::NotAffected, 6667)];
    assert_eq!(counts, BTreeMap::from(expected));
}
