//! `switchback explain`

use super::World;

#[test]
fn a_finding_is_explained_with_its_rule_and_place() {
    let world = World::first_plan();
    let ran = world.run(&["explain", "web-1", "CVE-2023-4039"]);
    let (finding, planned) = ran.stdout.split_once("Planned\n").unwrap();
    assert!(planned.contains("window   saturday-night without year-end, first at 2026-11-28 21:00Z"), "{}", ran.show());
    insta::assert_snapshot!(finding, @r"
    web-1
    Finding web-1/CVE-2023-4039/libgcc-s1@12.2.0-14
      priority        medium            score 4.63, by priority.thresholds.medium
        cvss          4.8               weighs 60.00%: CVSS 3.1 4.8 by nvd
        exploitation  0.0               weighs 15.00%: nothing known of exploitation
        importance    5.0               weighs 15.00%: importance general
        age           10.0              weighs 10.00%: published 1167 days ago
      decision        no_fix_available  its maintainers offer no fix, by default
    ");
    let ran = world.run(&["explain", "web-1", "CVE-2024-5535", "--plan", "plan.json"]);
    assert!(ran.stdout.contains("by scope.fix at policies/policy.yaml:5:8"), "{}", ran.show());
    let json = world.run(&["explain", "web-1", "--format", "json"]).json();
    assert!(json.to_string().contains("CVE-2024-5535"), "{json}");
}

#[test]
fn what_the_plan_does_not_know_is_said() {
    let world = World::first_plan();
    insta::assert_snapshot!(world.refused(3, &["explain", "web-9"]).show(), @r"
    exit: 3
    ----- stderr
    error: nothing to explain: plan says nothing of host web-9: no report has a finding on it, or the inventory does not have it [unknown-host]
    ");
    insta::assert_snapshot!(world.refused(3, &["explain", "web-1", "CVE-1999-1"]).show(), @r"
    exit: 3
    ----- stderr
    error: nothing to explain: plan knows no finding CVE-1999-1 on host web-1 [unknown-vulnerability]
    ");
    insta::assert_snapshot!(world.refused(2, &["explain", "web-1; reboot"]).show(), @r#"
    exit: 2
    ----- stderr
    error: invalid value 'web-1; reboot' for '<HOST>': "web-1; reboot" is not a valid host name: letters, digits and . _ - : only, starting with a letter or digit, at most 253

    For more information, try '--help'.
    "#);
}
