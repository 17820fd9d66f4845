//! The page of a plan: facts, structure, hostile names, and a bound on its size.

use switchback::model::{RuleName, SwitchSettings};
use switchback::plan::{Plan, Reason, plan_id};
use switchback::policy::Amount;
use switchback::report::plan_html;

use crate::fleet::{Fleet, harmless, host};
use crate::page::{assert_well_formed, text};

/// Two kinds of host with their pilots, one host blocked, one finding deferred, deadlines that are missed, approvals.
fn fleet() -> Fleet {
    let policy = "version: 1\npriority: {deadlines: {critical: 12d}}\nstrategy: {default: auto, similar_by: [role]}\n\
                  rollout: {waves: [\"100%\"], canary: {hosts: 1, soak: 30m}}\n\
                  approvals: [{match: {hosts: [web-*]}, required: 2, from: change-board, not_author: true, valid_for: 72h}]\n";
    let window = "version: 1\nwindows:\n  - {name: saturday-night, match: all, schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, \
                  start: \"22:00\", duration: 4h, timezone: Europe/Berlin}}\n";
    let mut fleet = Fleet::under(&[("policy.yaml", policy), ("windows.yaml", window)]);
    for name in ["db-1", "db-2", "web-1", "web-2", "web-3"] {
        let mut host = host(name);
        host.labels.insert("role".to_owned(), name[..name.len() - 2].to_owned());
        host.labels.insert("service".to_owned(), name[..name.len() - 2].to_owned());
        host.switch = name.starts_with("web").then_some(SwitchSettings::Simulated);
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    harmless(fleet.finding("web-1", "CVE-2026-9", "vim", "2.0"));
    fleet.hosts.get_mut("web-3").unwrap().provider = None;
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Hosts(1)));
    fleet
}

fn page(plan: &Plan) -> String {
    plan_html(plan, &plan_id(plan).unwrap())
}

#[test]
fn the_page_tells_an_approver_what_counts() {
    let plan = fleet().plan();
    let page = page(&plan);
    assert_well_formed(&page);
    let text = text(&page);
    let web = plan.hosts["web-2"].cohort.to_string();
    for fact in [
        "This plan fixes 4 findings on 4 hosts, in 2 waves.",
        "disrupts the first host on Sat 28 Nov 2026 21:00 UTC",
        "4 hosts changed",
        "⚠ 1 host blocked",
        "0 hosts without a way back",
        "2 approvals needed",
        "2 approvals of change-board for 2 hosts ( web-1, web-2), by rule",
        "Every host goes back to how it was if anything fails",
        "1 host is fixed on a clone, to which the traffic is switched; 3 hosts are fixed in place",
        "1. canary : 1 host, then watched for 30m",
        "Why: similar to web-1, which goes first.",
        "after web-1 : fixed in place",
        "openssl 1.2.0 → 1.3.0",
        "The first of its kind succeeds",
        "Clone: install the fix",
        "Traffic to the clone",
        "Restore the backup",
        "one more window of",
        "Deadlines missed",
        "the host's turn comes later",
        "the host is blocked",
        "Not now : 1 finding on 1 host. priority low is not in scope",
        "Hosts that are blocked, and why",
        "no-backup-provider",
        &web,
    ] {
        let fact = fact.replace('\'', "&#39;").replace("( ", "(");
        let fact = if text.contains(&fact) { fact } else { fact.replace("&#39;", "'") };
        assert!(text.contains(&fact), "{fact}\n{text}");
    }
    // Nothing is loaded from anywhere and nothing runs.
    for needless in ["<script", "http:", "https:", "<link", "@import", "url(h", " on"] {
        let found = page.match_indices(needless).any(|(at, _)| needless != " on" || page[at..].starts_with(" onclick"));
        assert!(!found, "{needless}");
    }
    // One drawing a procedure, and each link leads to one.
    let procedures = page.matches("<figure id=\"procedure-").count();
    assert_eq!(procedures, 4, "pilot and follower of both kinds");
    for link in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
    }
}

#[test]
fn a_host_without_a_way_back_is_named_first() {
    let mut fleet = fleet();
    fleet.hosts.get_mut("db-2").unwrap().provider = None;
    let mut plan = fleet.plan();
    plan.host_mut("db-1").unwrap().without_backup = true;
    let text = text(&page(&plan));
    assert!(text.contains("⚠ 1 host without a way back"), "{text}");
    assert!(text.contains("⚠ Nothing takes back what is done to 1 host: db-1."), "{text}");
    assert!(text.contains("⚠ no way back"), "{text}");
}

#[test]
fn hostile_names_stay_text() {
    let mut plan = fleet().plan();
    let evil = "x\"><img src=x onerror=alert(1)></style></script><!--'&";
    let name = RuleName::new(evil).unwrap();
    plan.rollout.waves[0].name = name.clone();
    plan.rollout.domain = Some(evil.to_owned());
    plan.approvals[0].from = Some(evil.to_owned());
    plan.approvals[0].rule.name = name.clone();
    let windows = plan.windows.pop_first().unwrap().1;
    plan.windows.insert(name.clone(), windows);
    let group = plan.rollout.groups.pop_first().unwrap().1;
    plan.rollout.groups.insert(name.clone(), group);
    for host in plan.hosts_mut() {
        (host.playbook, host.cohort) = (name.clone(), name.clone());
        (host.group, host.windows) = (Some(name.clone()), Some(name.clone()));
        host.strategy_reason.text = format!("{evil}\u{1b}[2J\u{202e}");
    }
    for decision in &mut plan.report.decisions {
        decision.rule.name = name.clone();
        decision.reason = evil.to_owned();
        decision.assessment.reason = Some(evil.to_owned());
    }
    plan.report.blocked.values_mut().flatten().for_each(|reason| *reason = Reason::new(evil, evil));
    plan.report.notes.push(Reason::new(evil, evil));
    plan.inputs.insert(
        evil.to_owned(),
        switchback::plan::InputRef { paths: vec![evil.to_owned()], digest: plan_id(&plan).unwrap() },
    );
    (plan.made_by, plan.tzdata) = (evil.to_owned(), evil.to_owned());
    plan.report.forecast = Some(switchback::plan::forecast(&plan));
    let page = page(&plan);
    assert_well_formed(&page);
    assert!(page.matches("&lt;img src=x onerror").count() > 15);
    for left in ["<img", "</script>", "<!--", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(left), "{left:?}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn thousands_of_hosts_are_counted_and_cut() {
    let mut fleet = Fleet::of(10_000, 3);
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Percent(50)));
    let plan = fleet.plan();
    let page = page(&plan);
    assert_well_formed(&page);
    let mib = page.len() as f64 / f64::from(1 << 20);
    eprintln!("the page of 10,000 hosts has {mib:.1} MiB");
    assert!(mib < 3.0, "{mib}");
    let text = text(&page);
    assert!(text.contains("30000 findings on 10000 hosts") && text.contains("this page lists 2000 hosts"));
}
