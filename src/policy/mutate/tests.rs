//! Mutants: each changes one thing, and the text stays a policy.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::diagnostic::Diagnostics;
use crate::policy::Policy;

const POLICY: &str = r#"version: 1
priority:
  thresholds: {critical: 8.0, high: 6.0, medium: 3.5}
  overrides:
    - {name: a, match: {kev: true, labels: {env: [prod, dev]}}, priority: critical, reason: x}
    - name: b
      match: {package: "vim*", cvss: ">=7.0,<9", not: {groups: db}}
      priority: low
      reason: y
importance:
  rules:
    - {match: {labels: {env: test}}, importance: test}   # a comment stays
    - {match: {labels: {env: prod}}, importance: important}
    - {match: {labels: {owner: web, priority: high}}, importance: important}
scope: {fix: [critical, high], emergency: {match: {kev: true}, bypass_freeze: true}}
exceptions:
  - {name: E, kind: ignore, match: {vulnerability: CVE-2026-1, os: {name: debian}}, reason: r, owner: o, expires: 2027-03-01}
windows:
  - name: w
    match: all
    schedule: {rrule: "FREQ=WEEKLY;BYDAY=SA,SU", start: "22:00", duration: 4h, timezone: Europe/Berlin}
"#;

#[test]
fn each_mutant_changes_one_thing_and_most_are_policies() {
    let bundle = Bundle::from(vec![Source::new("p.yaml", POLICY)]);
    let all = mutants(&bundle);
    let what: Vec<&str> = all.iter().map(|mutant| mutant.what.as_str()).collect();
    for expected in [
        "priority.thresholds.high: 6.0 -> 6.1",
        "priority.thresholds.high: 6.0 -> 5.9",
        "priority.overrides[0] taken out",
        "priority.overrides[0] put behind priority.overrides[1]",
        "importance.rules[0] put behind importance.rules[2]",
        "importance.rules[2].match.labels.owner: web -> \"*\"",
        "importance.rules[2].match.labels.priority: high -> \"not-high\"",
        "scope.emergency taken out",
        "scope.emergency.bypass_freeze: true -> false",
        "exceptions[0].match.os.name: debian -> \"*\"",
        "priority.overrides[0].match.kev: true -> false",
        "priority.overrides[0].match.kev taken out",
        "priority.overrides[0].match.labels.env[1] taken out",
        "priority.overrides[1].match.package: \"vim*\" -> \"*\"",
        "priority.overrides[1].match.cvss: \">=7.0,<9\" -> \">7.0,<9\"",
        "priority.overrides[1].match.cvss: \">=7.0,<9\" -> \">=7.1,<9\"",
        "priority.overrides[1].match.cvss: \">=7.0,<9\" -> \">=7.0,<=9\"",
        "priority.overrides[1].match.not taken out",
        "priority.overrides[1].priority: low -> medium",
        "scope.fix[1] taken out",
        "scope.fix[1]: high -> medium",
        "exceptions[0] taken out",
        "exceptions[0].kind: ignore -> whitelist",
        "exceptions[0].expires: 2027-03-01 -> \"2027-03-02\"",
        "exceptions[0].match: {vulnerability: CVE-2026-1, os: {name: debian}} -> all",
        "windows[0].schedule.start: \"22:00\" -> \"23:00\"",
        "windows[0].schedule.duration: 4h -> 3h",
        "windows[0].schedule.rrule: \"FREQ=WEEKLY;BYDAY=SA,SU\" -> \"FREQ=WEEKLY;BYDAY=SU,SU\"",
        "windows[0].schedule.timezone: Europe/Berlin -> UTC",
    ] {
        assert!(what.contains(&expected), "{expected} is not among {what:#?}");
    }
    for silent in ["reason", "exceptions[0].owner", "exceptions[0].name", "windows[0].name", "overrides[0].name"] {
        assert!(!what.iter().any(|what| what.contains(silent)), "{silent}");
    }
    // Rules that never meet, and rules that say the same, may stand in any order.
    assert!(!what.iter().any(|what| what.starts_with("importance.rules[1] put behind")));
    let mut valid = 0;
    for mutant in &all {
        let text = bundle.edited(&mutant.edit).policies[0].text.clone();
        assert_ne!(text, POLICY, "{}", mutant.what);
        let mut diagnostics = Diagnostics::default();
        let policy = Policy::load(bundle.edited(&mutant.edit), &mut diagnostics);
        assert!(policy.is_some() || diagnostics.has_errors(), "{}", mutant.what);
        if policy.is_none() {
            let codes: Vec<_> = diagnostics.iter().map(|d| d.code).collect();
            assert!(!codes.contains(&"invalid-yaml"), "{}: {text}", mutant.what);
        }
        valid += usize::from(policy.is_some());
    }
    assert!(valid * 10 > all.len() * 9, "{valid} of {}", all.len());
}

#[test]
fn a_rule_put_behind_another_leaves_the_rest_where_it_is() {
    let bundle = Bundle::from(vec![Source::new("p.yaml", POLICY)]);
    let all = mutants(&bundle);
    let turned = all.iter().find(|mutant| mutant.what.starts_with("importance.rules[0] put behind")).unwrap();
    let text = bundle.edited(&turned.edit).policies[0].text.clone();
    let rules = text.split("  rules:\n").nth(1).unwrap().split("scope").next().unwrap();
    let expected = "    - {match: {labels: {env: prod}}, importance: important}   # a comment stays
    - {match: {labels: {owner: web, priority: high}}, importance: important}
    - {match: {labels: {env: test}}, importance: test}
";
    assert_eq!(rules, expected);
    assert!(Policy::load(bundle.edited(&turned.edit), &mut Diagnostics::default()).is_some());
}

#[test]
fn weights_change_in_their_own_scale_and_the_only_one_not_at_all() {
    let what = |weights: &str| {
        let text = format!("version: 1\npriority: {{weights: {{{weights}}}}}\n");
        let all = mutants(&Bundle::from(vec![Source::new("p.yaml", text)]));
        all.into_iter().map(|mutant| mutant.what).collect::<Vec<_>>().join("; ")
    };
    let all = what("cvss: 60, exploitation: 0.5, importance: 0, age: 0");
    assert!(all.contains("weights.cvss: 60 -> 66; priority.weights.cvss: 60 -> 54"), "{all}");
    assert!(all.contains("exploitation: 0.5 -> 0.6; priority.weights.exploitation: 0.5 -> 0.4"), "{all}");
    let all = what("cvss: 1, exploitation: 0, importance: 0, age: 0");
    assert!(!all.contains("weights.cvss") && all.contains("age: 0 -> 0.1"), "{all}");
}

#[test]
fn thousands_of_rules_that_never_meet_are_looked_at_in_time() {
    let mut text = "version: 1\nimportance:\n  rules:\n".to_owned();
    for n in 0..3000 {
        text.push_str(&format!(
            "    - {{match: {{labels: {{env: e{n}}}}}, importance: {}}}\n",
            ["test", "general"][n % 2]
        ));
    }
    let all = mutants(&Bundle::from(vec![Source::new("p.yaml", text)]));
    assert_eq!(all.iter().filter(|mutant| mutant.what.contains("put behind")).count(), 0);
    assert!(all.len() >= 3000 * 4, "{}", all.len());
}
