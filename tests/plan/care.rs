//! What policy asks for beyond windows and budgets: approvals, order, failure domains, the emergency lane, proof.

use switchback::model::DecisionKind;
use switchback::plan::{Plan, check};

use crate::fleet::{Fleet, host};

/// Six hosts in two racks and three roles, each with a critical finding.
fn fleet(policy: &str) -> Fleet {
    let mut fleet = Fleet::under(&[("policy.yaml", policy)]);
    for (i, role) in ["primary", "replica", "replica", "proxy", "replica", "proxy"].into_iter().enumerate() {
        let name = format!("db-{i}");
        let mut host = host(&name);
        host.labels.insert("role".to_owned(), role.to_owned());
        host.labels.insert("rack".to_owned(), ["a", "b"][i % 2].to_owned());
        fleet.add(host);
        fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet
}

fn waves(plan: &Plan) -> Vec<(String, Vec<&str>)> {
    let wave = |w: &switchback::plan::Wave| {
        (w.name.to_string(), w.hosts.iter().map(|h| plan.hosts[h].host.labels["role"].as_str()).collect())
    };
    plan.rollout.waves.iter().map(wave).collect()
}

fn blocked(plan: &Plan) -> Vec<String> {
    plan.report.blocked.values().flatten().map(|reason| reason.code.clone()).collect()
}

#[test]
fn who_goes_first_is_as_policy_orders_it() {
    let fleet = fleet(
        "version: 1\nrollout:\n  canary: {hosts: 1, soak: 1m}\n  waves: [\"100%\"]\n  order:\n    - {before: {labels: {role: replica}}, after: {labels: {role: primary}}}\n    - {before: {labels: {role: proxy}}, after: {labels: {role: replica}}}\n",
    );
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    let roles: Vec<&str> = waves(&plan).into_iter().flat_map(|(_, roles)| roles).collect();
    assert_eq!(roles, ["proxy", "proxy", "replica", "replica", "replica", "primary"]);
    assert!(
        waves(&plan).iter().all(|(_, roles)| roles.windows(2).all(|pair| pair[0] == pair[1])),
        "{:?}",
        waves(&plan)
    );
}

#[test]
fn an_order_that_contradicts_itself_plans_nobody() {
    let fleet = fleet(
        "version: 1\nrollout:\n  order:\n    - {before: {labels: {role: replica}}, after: {labels: {role: primary}}}\n    - {before: {labels: {role: primary}}, after: {labels: {role: replica}}}\n",
    );
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert!(plan.hosts.is_empty() && blocked(&plan).iter().all(|code| code == "order-contradiction"));
}

#[test]
fn no_wave_touches_two_failure_domains_and_a_host_without_one_waits() {
    let mut fleet = fleet("version: 1\nrollout: {one_domain_at_a_time: {label: rack}, waves: [\"100%\"]}\n");
    fleet.add(host("nowhere"));
    fleet.finding("nowhere", "CVE-2026-1", "openssl", "1.3.0");
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(blocked(&plan), ["domain-unknown"]);
    assert_eq!(plan.hosts.len(), 6);
    for wave in &plan.rollout.waves {
        let racks: std::collections::BTreeSet<_> =
            wave.hosts.iter().map(|h| &plan.hosts[h].host.labels["rack"]).collect();
        assert_eq!(racks.len(), 1, "{wave:?}");
    }
}

#[test]
fn approvals_name_the_hosts_they_are_for_and_the_emergency_lane_asks_for_its_own() {
    let policy = "version: 1\nscope: {fix: [low], emergency: {match: {vulnerability: CVE-2026-9}, approvals: 3}}\napprovals:\n  - {match: {labels: {role: [primary, replica]}}, required: 2, from: policies/approvers, not_author: true, valid_for: 72h}\n";
    let mut fleet = fleet(policy);
    fleet.finding("db-1", "CVE-2026-9", "bash", "1.3.0");
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    // Critical is not in scope here: only the emergency is fixed.
    assert_eq!(plan.hosts.keys().map(|h| h.as_str()).collect::<Vec<_>>(), ["db-1"]);
    assert!(plan.hosts["db-1"].emergency);
    let emergency: Vec<_> = plan.report.decisions.iter().filter(|d| d.emergency).collect();
    assert_eq!(
        (emergency.len(), emergency[0].kind, emergency[0].rule.name.as_str()),
        (1, DecisionKind::Fix, "scope.emergency")
    );
    let [approval] = plan.approvals.as_slice() else { panic!("{:?}", plan.approvals) };
    assert_eq!(
        (approval.required, approval.from.as_deref(), approval.not_author),
        (3, Some("policies/approvers"), true)
    );
    assert_eq!(approval.hosts.iter().map(|h| h.as_str()).collect::<Vec<_>>(), ["db-1"]);
}

#[test]
fn whom_to_tell_is_frozen_with_names_of_secrets_only() {
    let entries =
        ["{on: stuck, slack: {url_env: HOOK}}", "{webhook: {url_file: /run/hook, headers_env: {X-Key: KEY}}}"];
    let policy = |entries: [&str; 2]| format!("version: 1\nnotify:\n  - {}\n  - {}\n", entries[0], entries[1]);
    let plan = fleet(&policy(entries)).plan();
    assert_eq!(check(&plan), []);
    let told: Vec<_> = plan.notify.iter().map(|n| (n.to.shown(), n.on.len())).collect();
    assert_eq!(told, [("webhook (/run/hook)".to_owned(), 7), ("slack ($HOOK)".to_owned(), 1)]);
    assert_eq!(fleet(&policy([entries[1], entries[0]])).plan().notify, plan.notify, "in any order");
}

#[test]
fn only_emergencies_pass_a_freeze() {
    let policy = "version: 1\nscope: {fix: [critical], emergency: {match: {vulnerability: CVE-2026-9}, bypass_freeze: true}}\nwindows:\n  - {name: nights, match: all, schedule: {rrule: FREQ=DAILY, start: \"20:00\", duration: 8h, timezone: UTC}}\nfreezes:\n  - {name: week, match: {labels: {role: primary}}, from: 2026-11-20, to: 2027-01-31, timezone: UTC, reason: year end}\n";
    let mut fleet = fleet(policy);
    for host in ["db-0", "db-1"] {
        fleet.finding(host, "CVE-2026-9", "bash", "1.3.0");
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    // The primary is frozen for as long as windows are looked for: it is planned for the emergency alone.
    let frozen = &plan.hosts["db-0"];
    let packages = |host: &str| plan.hosts[host].fix.packages.iter().map(|p| p.name.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (packages("db-0"), packages("db-1")),
        (vec!["bash".to_owned()], vec!["bash".to_owned(), "openssl".to_owned()])
    );
    assert_eq!(frozen.windows.as_ref().unwrap().as_str(), "nights");
    let waiting: Vec<_> =
        plan.report.decisions_of(&frozen.host.name).iter().filter(|d| d.kind == DecisionKind::Defer).collect();
    assert_eq!((waiting.len(), waiting[0].rule.name.as_str()), (1, "scope.emergency"));
    assert!(!waiting[0].emergency && waiting[0].reason.contains("a freeze holds"));
}
