//! Dead rules are found, and only dead rules are.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::diagnostic::{Diagnostics, Source, render_text};
use crate::model::{
    AssetName, Cvss, FindingId, FixState, Os, PackageName, Probability, Score, TimeSpan, VulnerabilityId,
    VulnerabilityType,
};

fn load(text: &str) -> Policy {
    let mut diagnostics = Diagnostics::default();
    let policy = Policy::load(vec![Source::new("p.yaml", format!("version: 1\n{text}"))], &mut diagnostics);
    let shown = render_text(&diagnostics.sorted(), false);
    policy.unwrap_or_else(|| panic!("{text}\n{shown}"))
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// Eight hosts, each unlike the others.
fn fleet() -> BTreeMap<HostName, Host> {
    let hosts = (0..8_usize).map(|i| {
        let mut host = Host::named(HostName::new(&format!("{}-{}", ["web", "db"][i % 2], i / 2)).unwrap());
        host.groups = [["web", "db"][i % 2].parse().unwrap()].into_iter().take(i % 3).collect();
        for (key, value) in [("env", ["prod", "test"][i / 4]), ("tier", "gold")].into_iter().take(1 + i / 3) {
            host.labels.insert(key.to_owned(), value.to_owned());
        }
        let systems =
            [("debian", "debian", Some("12")), ("debian", "ubuntu", Some("22.04")), ("redhat", "rocky", None)];
        host.os = systems.get(i % 4).map(|(family, name, version)| Os {
            family: (*family).to_owned(),
            name: (*name).to_owned(),
            version: version.map(str::to_owned),
        });
        host.importance = [None, None, Some(Importance::Test), Some(Importance::Important)][i % 4];
        host
    });
    hosts.map(|host| (host.name.clone(), host)).collect()
}

fn finding(i: usize) -> Finding {
    let score = [None, Some(4.0), Some(7.0), Some(8.9), Some(9.8)][i % 5];
    let cvss = score.map(|s| Cvss {
        source: "nvd".into(),
        version: "3.1".into(),
        score: Score::try_from(s).unwrap(),
        vector: None,
    });
    Finding {
        id: FindingId::new(&format!("f-{i}")).unwrap(),
        asset: AssetName::new("a").unwrap(),
        vulnerability: VulnerabilityId::new(["CVE-1", "CVE-2", "CVE-13"][i % 3]).unwrap(),
        aliases: [VulnerabilityId::new("DSA-1").unwrap()].into_iter().take(i % 2).collect(),
        kind: [VulnerabilityType::Linux, VulnerabilityType::Windows, VulnerabilityType::WebCms][i % 7 % 3],
        ecosystem: "deb".into(),
        package: [None, Some("libssl"), Some("openssl")][i % 11 % 3].map(|name| PackageName::new(name).unwrap()),
        location: None,
        installed: None,
        fixed: vec![],
        fix_state: [FixState::Fixed, FixState::Fixed, FixState::NotFixed][i % 13 % 3],
        severity: None,
        cvss: cvss.into_iter().collect(),
        epss: [None, Some(0.1), Some(0.6)][i % 4 % 3].map(|chance| Probability::try_from(chance).unwrap()),
        kev: i.is_multiple_of(4),
        published: [None, Some(5), Some(60)][i % 5 % 3].map(|days| TimeSpan::days(days).before(now())),
        first_seen: None,
        title: None,
        references: vec![],
        claims: vec![],
        scanner: "test".into(),
    }
}

fn findings(count: usize) -> Vec<(HostName, Finding)> {
    let hosts: Vec<HostName> = fleet().into_keys().collect();
    (0..count).map(|i| (hosts[i * 5 % 8].clone(), finding(i))).collect()
}

/// `CODE LINE` and the line of the other place, of what is dead in a policy.
fn dead(
    policy: &str,
    hosts: Option<&BTreeMap<HostName, Host>>,
    findings: Option<&[(HostName, Finding)]>,
) -> Vec<String> {
    let found = load(policy).dead_rules(Judged { hosts, findings, as_of: now() });
    found
        .iter()
        .map(|d| {
            let line = |span: &Span| span.place().line;
            let related = d.related.as_ref().map_or(String::new(), |(_, span)| format!(" by {}", line(span)));
            format!("{} {}{related}", d.code, d.span.as_ref().map_or(0, line))
        })
        .collect()
}

/// Overrides with these selectors, the first in line 4.
fn overrides(selectors: &[&str]) -> String {
    let rule = |(i, s): (usize, &&str)| format!("    - {{name: o{i}, match: {s}, priority: high, reason: r}}\n");
    format!("priority:\n  overrides:\n{}", selectors.iter().enumerate().map(rule).collect::<String>())
}

#[test]
fn what_earlier_selectors_include_is_shadowed() {
    for (first, second) in [
        ("all", "{kev: true}"),
        ("{hosts: [web-*, db-1]}", "{hosts: [web-1, \"web-?\", db-1]}"),
        ("{cvss: \">=7\"}", "{cvss: \">=9\", kev: true}"),
        ("{cvss: \">6.9\"}", "{cvss: \">=7\"}"),
        ("{os: {version: \">=12\"}}", "{os: {version: [\"13\", \"12.4\"]}}"),
        ("{os: {version: \"<=22\"}}", "{os: {version: \"22.04\"}}"),
        ("{any: [{kev: true}, {groups: web}]}", "{groups: web, package: a}"),
        ("{not: {importance: test}}", "{importance: important}"),
        ("{priority: [high, critical]}", "{priority: high}"),
        ("{labels: {env: \"*\"}}", "{labels: {env: prod, tier: gold}}"),
        ("{not: {kev: true, groups: web}}", "{kev: false}"),
        ("{not: {cvss: \"<7\"}}", "{cvss: \">=7\"}"),
        ("{type: [linux, windows, web_cms, application, emergency]}", "{hosts: a}"),
        ("{epss: \">=0\"}", "{epss: \"<0.5\"}"),
        ("{age: \"<90d\"}", "{age: \"<=30d\"}"),
    ] {
        assert_eq!(dead(&overrides(&[first, second]), None, None), ["shadowed-rule 5 by 4"], "{first} {second}");
        // The other way round, the second is not included.
        assert_eq!(dead(&overrides(&[second, first]), None, None), [""; 0], "{second} {first}");
    }
    let split = overrides(&["{kev: true}", "{groups: x}", "{kev: false}", "{cvss: \">=9\"}"]);
    assert_eq!(dead(&split, None, None), ["shadowed-rule 7 by 6"], "together they match everything");
    for apart in [
        ["{groups: web}", "{groups: [web, db]}"],
        ["{not: {cvss: \"<7\"}}", "all"],
        ["{not: {package: a}}", "{package: \"a*\"}"],
        ["{labels: {env: prod}}", "{labels: {tier: prod}}"],
        ["{os: {version: \">=12\"}}", "{os: {family: debian}}"],
        ["{hosts: \"web-?\"}", "{hosts: web-*}"],
    ] {
        assert_eq!(dead(&overrides(&apart), None, None), [""; 0], "{apart:?}");
    }
}

#[test]
fn what_contradicts_itself_is_impossible() {
    for selector in [
        "{cvss: \">=7,<5\"}",
        "{cvss: \">10\"}",
        "{epss: \"<0\"}",
        "{kev: true, not: {kev: true}}",
        "{os: {family: debian}, not: {os: {family: \"deb*\"}}}",
        "{os: {family: debian}, any: [{os: {family: redhat}}, {os: {family: suse, name: x}}]}",
        "{os: {version: \">=12,<12\"}}",
        "{os: {version: \"12\"}, not: {os: {version: \">=12\"}}}",
        "{importance: [test, general], not: {any: [{importance: test}, {importance: general}]}}",
        "{hosts: web-*, any: [{hosts: db-*}]}",
        "{not: all}",
        "{not: {hosts: \"*\"}}",
        "{groups: web, not: {groups: \"w*\"}}",
        "{age: \"<0s\"}",
        "{priority: low, not: {not: {priority: high}}}",
    ] {
        assert_eq!(dead(&overrides(&[selector]), None, None), ["impossible-selector 4"], "{selector}");
    }
    for selector in [
        "{groups: web, any: [{groups: db}]}",
        "{not: {cvss: \">=0\"}}",
        "{not: {os: {family: \"*\"}}}",
        "{vulnerability: CVE-1, not: {vulnerability: CVE-2}}",
        "{os: {version: \"22\"}, not: {os: {version: \"22.04\"}}}",
    ] {
        assert_eq!(dead(&overrides(&[selector]), None, None), [""; 0], "{selector}");
    }
    let freeze =
        "freezes:\n  - {name: f, match: {not: all}, from: 2026-01-01, to: 2026-01-02, timezone: UTC, reason: r}\n";
    assert_eq!(dead(freeze, None, None), ["impossible-selector 3"]);
}

#[test]
fn hosts_show_what_selectors_alone_do_not() {
    let hosts = fleet();
    // Every host in group db is a database.
    let policy = overrides(&["{hosts: db-*}", "{groups: db, kev: true}", "{groups: gone}"]);
    assert_eq!(dead(&policy, Some(&hosts), None), ["shadowed-rule 5 by 4", "unmatched-selector 6"]);
    // An earlier rule that depends on the finding shadows nothing.
    assert_eq!(dead(&overrides(&["{hosts: db-*, kev: true}", "{groups: db}"]), Some(&hosts), None), [""; 0]);
    let strategy = "strategy:\n  rules:\n    - {match: {hosts: db-*}, use: in_place, reason: r}\n    - {match: {groups: db}, use: auto, reason: r}\n";
    assert_eq!(dead(strategy, Some(&hosts), None), ["shadowed-rule 5 by 4"]);
    let inventory = "importance:\n  rules:\n    - {match: {hosts: web-1}, importance: test}\n";
    assert_eq!(dead(inventory, Some(&hosts), None), ["shadowed-rule 4"], "the inventory says it");
}

#[test]
fn findings_show_what_exceptions_and_overrides_are_for() {
    let (hosts, findings) = (fleet(), findings(8));
    let exceptions = "exceptions:\n  - {name: a, kind: ignore, match: {vulnerability: CVE-1}, reason: r, owner: o, expires: 2027-01-01}\n  \
        - {name: b, kind: ignore, match: {vulnerability: CVE-99}, reason: r, owner: o, expires: 2027-01-01}\n  \
        - {name: c, kind: ignore, match: {vulnerability: CVE-98}, reason: r, owner: o, expires: 2026-01-01}\n";
    assert_eq!(dead(exceptions, Some(&hosts), None), [""; 0]);
    assert_eq!(
        dead(exceptions, Some(&hosts), Some(&findings)),
        ["unmatched-exception 4"],
        "what has ended is told elsewhere"
    );
    // All findings that are known to be exploited are on web hosts.
    let policy = overrides(&["{any: [{hosts: web-*}, {hosts: db-0}]}", "{kev: true}"]);
    let exploited: Vec<_> = findings.iter().filter(|(_, f)| f.kev).cloned().collect();
    assert!(
        !exploited.is_empty() && exploited.iter().all(|(h, _)| h.as_str().starts_with("web") || h.as_str() == "db-0")
    );
    assert_eq!(dead(&policy, Some(&hosts), None), [""; 0]);
    assert_eq!(dead(&policy, Some(&hosts), Some(&findings)), ["shadowed-rule 5 by 4"]);
}

#[test]
fn priorities_that_nothing_reaches_are_told() {
    let weights = "priority:\n  weights: {cvss: 1, exploitation: 0, importance: 1, age: 0}\n  importance_points: {important: 6, general: 5, test: 4}\n  ";
    let policy =
        format!("{weights}thresholds: {{critical: 9, high: 7, medium: 1.5}}\nscope: {{fix: [critical, low]}}\n");
    assert_eq!(dead(&policy, None, None), ["unreachable-priority 5", "unreachable-priority 5", "unreachable-scope 6"]);
    let policy =
        format!("{weights}thresholds: {{critical: 8, high: 7, medium: 2.01}}\nscope: {{fix: [critical, low]}}\n");
    assert_eq!(dead(&policy, None, None), [""; 0], "8 is (10 + 6) / 2, and 2 is (0 + 4) / 2");
    let policy = format!(
        "{weights}thresholds: {{critical: 9, high: 7, medium: 5}}\n  overrides: [{{name: o, match: {{kev: true}}, priority: critical, reason: r}}]\n"
    );
    assert_eq!(dead(&policy, None, None), [""; 0], "by override only");
    assert_eq!(dead("", None, None), [""; 0]);
    assert_eq!(dead("scope: {fix: []}\n", None, None), [""; 0], "that is meant");
}

const OF_HOSTS: &[&str] = &[
    "hosts: web-*",
    "hosts: [web-1, db-1]",
    "hosts: \"*\"",
    "hosts: \"?b-1\"",
    "groups: web",
    "groups: [web, db]",
    "groups: \"*\"",
    "labels: {env: prod}",
    "labels: {env: [prod, test]}",
    "labels: {env: \"*\", tier: gold}",
    "os: {family: debian}",
    "os: {family: \"*\", version: \">=12\"}",
    "os: {name: ubuntu}",
    "os: {version: [\"<13\", \"22\"]}",
    "os: {version: \">=22.04,<23\"}",
];

const OF_IMPORTANCE: &[&str] = &["importance: test", "importance: [general, important]"];

const OF_FINDINGS: &[&str] = &[
    "kev: true",
    "kev: false",
    "cvss: \">=7\"",
    "cvss: \">9\"",
    "cvss: \"<5\"",
    "epss: \">=0.5\"",
    "epss: \"<0.5\"",
    "priority: critical",
    "priority: [high, medium]",
    "type: linux",
    "type: [linux, windows]",
    "package: \"lib*\"",
    "package: openssl",
    "vulnerability: \"CVE-1*\"",
    "vulnerability: [CVE-1, CVE-2, DSA-1]",
    "age: \">=10d\"",
    "age: \"<60d\"",
    "fix_available: true",
];

/// Selectors of these keys, with `any` and `not` within.
fn selector(keys: &[&[&'static str]]) -> impl Strategy<Value = String> + use<> {
    let keys = keys.concat();
    let one_each = |keys: Vec<&'static str>| {
        let by_name: BTreeMap<&str, &str> = keys.iter().map(|key| (key.split(':').next().unwrap(), *key)).collect();
        by_name.into_values().collect::<Vec<_>>().join(", ")
    };
    let plain = proptest::sample::subsequence(keys, 1..=2).prop_map(one_each);
    plain.clone().prop_recursive(3, 12, 3, move |inner| {
        let many = proptest::collection::vec(inner.clone(), 1..=3);
        prop_oneof![
            (plain.clone(), many.clone()).prop_map(|(keys, any)| format!(
                "{keys}, any: [{}]",
                any.iter().map(|one| format!("{{{one}}}")).collect::<Vec<_>>().join(", ")
            )),
            (plain.clone(), inner.clone()).prop_map(|(keys, not)| format!("{keys}, not: {{{not}}}")),
            inner.prop_map(|not| format!("not: {{{not}}}")),
            many.prop_map(|any| format!(
                "any: [{}]",
                any.iter().map(|one| format!("{{{one}}}")).collect::<Vec<_>>().join(", ")
            )),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let several = |keys: &[&[&'static str]]| proptest::collection::vec(selector(keys), 1..=4);
    let priorities = proptest::collection::vec(proptest::sample::select(&["critical", "high", "medium", "low"][..]), 4);
    (several(&[OF_HOSTS, OF_IMPORTANCE, OF_FINDINGS]), several(&[OF_FINDINGS]), several(&[OF_HOSTS]), several(&[OF_HOSTS, OF_IMPORTANCE]), priorities)
        .prop_map(|(overrides, exceptions, importances, strategies, priorities)| {
            let mut text = "priority:\n  overrides:\n".to_owned();
            for (i, selector) in overrides.iter().enumerate() {
                text += &format!("    - {{name: o{i}, match: {{{selector}}}, priority: {}, reason: r}}\n", priorities[i]);
            }
            text += "exceptions:\n";
            for (i, selector) in exceptions.iter().enumerate() {
                let kind = ["ignore", "whitelist"][i % 2];
                text += &format!("  - {{name: e{i}, kind: {kind}, match: {{{selector}}}, reason: r, owner: o, expires: 2027-01-01}}\n");
            }
            text += "importance:\n  rules:\n";
            for (i, selector) in importances.iter().enumerate() {
                let importance = ["important", "test", "general"][i % 3];
                text += &format!("    - {{match: {{{selector}}}, importance: {importance}}}\n");
            }
            text += "strategy:\n  rules:\n";
            for (i, selector) in strategies.iter().enumerate() {
                let uses = ["in_place", "auto", "clone_and_switch"][i % 3];
                text += &format!("    - {{match: {{{selector}}}, use: {uses}, reason: r}}\n");
            }
            text
        })
}

/// What a policy decides, without the names of rules, which their numbers are part of.
fn decisions(policy: &Policy, hosts: &BTreeMap<HostName, Host>, findings: &[(HostName, Finding)]) -> Vec<String> {
    let by_finding = findings.iter().map(|(name, finding)| {
        let d = policy.decide(finding, &hosts[name], now());
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            d.kind, d.assessment.priority, d.assessment.importance, d.assessment.reason, d.expires
        )
    });
    let by_host =
        hosts.values().map(|host| format!("{:?} {:?}", policy.importance_of(host).0, policy.strategy_for(host).kind));
    by_finding.chain(by_host).collect()
}

fn without(text: &str, dead: &[&Span]) -> Policy {
    let mut policy = load(text);
    let is_dead = |at: &Span| dead.contains(&at);
    policy.overrides.retain(|rule| !is_dead(&rule.at));
    policy.exceptions.all.retain(|rule| !is_dead(&rule.at));
    policy.exceptions.sort();
    policy.importance_rules.retain(|rule| !is_dead(&rule.at));
    policy.strategy_rules.retain(|rule| !is_dead(&rule.at));
    policy
}

#[test]
fn without_a_dead_rule_everything_is_decided_as_before() {
    let (hosts, all) = (fleet(), findings(240));
    let strategy = policy();
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..Config::default().cases {
        let text = strategy.new_tree(&mut runner).unwrap().current();
        let some = &all[..[3, 20, 240][round as usize % 3]];
        for (inventory, reports) in [(None, None), (Some(&hosts), None), (Some(&hosts), Some(some))] {
            let whole = load(&text);
            let dead = whole.dead_rules(Judged { hosts: inventory, findings: reports, as_of: now() });
            // What is said without findings holds for all.
            let findings = reports.unwrap_or(&all);
            let before = decisions(&whole, &hosts, findings);
            let places: Vec<&Span> = dead.iter().filter_map(|d| d.span.as_ref()).collect();
            for place in &places {
                assert!(decisions(&without(&text, &[place]), &hosts, findings) == before, "{}\n{text}", place.place());
            }
            assert!(decisions(&without(&text, &places), &hosts, findings) == before, "all at once\n{text}");
            let kind = if reports.is_some() {
                "findings"
            } else if inventory.is_some() {
                "hosts"
            } else {
                "alone"
            };
            for diagnostic in &dead {
                *seen.entry(format!("{} {kind}", diagnostic.code)).or_default() += 1;
            }
        }
    }
    for kind in [
        "impossible-selector alone",
        "shadowed-rule alone",
        "shadowed-rule hosts",
        "unmatched-selector hosts",
        "unmatched-exception findings",
    ] {
        assert!(seen.get(kind).is_some_and(|count| *count >= 10), "{kind}: {seen:?}");
    }
    assert!(seen["shadowed-rule hosts"] > seen["shadowed-rule alone"], "{seen:?}");
}

#[test]
fn hostile_alternatives_end() {
    let part = |i: usize| {
        format!("{{any: [{{package: a{i}, vulnerability: b{i}}}, {{package: c{i}*, vulnerability: d{i}}}]}}")
    };
    let many: Vec<String> = (0..40).map(|i| format!("{{not: {}}}", part(i))).collect();
    let hostile = format!("{{any: [{{kev: true}}], not: {{any: [{}]}}}}", many.join(", "));
    let rules: Vec<&str> = std::iter::repeat_n(hostile.as_str(), 60).collect();
    let (policy, started) = (load(&overrides(&rules)), std::time::Instant::now());
    let _ = policy.dead_rules(Judged { hosts: None, findings: None, as_of: now() });
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
