//! How hosts are fixed: pilots and followers, clones, proof from history, and what blocks.

use switchback::model::{
    CampaignId, DecisionKind, ExecProvider, HostName, PackageName, PackageVersion, ProviderSettings, Quarantined,
    RolledBack, SwitchSettings, TimeSpan,
};
use switchback::plan::{Action, HostPlan, Plan, Strategy, check};

use crate::fleet::{Fleet, as_of, host};

const WAVES: &str = "rollout: {waves: [\"100%\"], canary: {hosts: 1, soak: 1m}}\n";

/// Three web hosts behind a switch and two databases, with the same finding.
fn fleet(strategy: &str) -> Fleet {
    let policy = format!("version: 1\n{WAVES}backup: {{required: true}}\nstrategy: {strategy}\n");
    let mut fleet = Fleet::under(&[("policy.yaml", &policy)]);
    for name in ["db-1", "db-2", "web-1", "web-2", "web-3"] {
        let mut host = host(name);
        host.labels.insert("role".to_owned(), name[..name.len() - 2].to_owned());
        if name.starts_with("web") {
            host.switch = Some(SwitchSettings::Simulated);
        }
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet
}

fn ids(host: &HostPlan) -> Vec<&str> {
    host.steps.iter().map(|step| step.id.step()).collect()
}

fn waits_for(plan: &Plan, host: &str) -> Vec<String> {
    plan.hosts[host].steps.iter().flat_map(|step| step.foreign_needs()).map(ToString::to_string).collect()
}

fn planned(fleet: &Fleet) -> Plan {
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    plan
}

#[test]
fn the_first_of_a_cohort_speaks_for_the_others() {
    let plan = planned(&fleet("{default: auto, similar_by: [role]}"));
    assert_eq!(plan.hosts.len(), 5);
    let strategies: Vec<_> = plan.hosts.values().map(|host| host.strategy).collect();
    use Strategy::{CloneAndSwitch, InPlace};
    assert_eq!(strategies, [InPlace, InPlace, CloneAndSwitch, InPlace, InPlace]);
    // Without a switch the first is tried on a clone, then fixed in place.
    assert_eq!(
        ids(&plan.hosts["db-1"]),
        [
            "preflight",
            "backup",
            "clone",
            "preflight-clone",
            "fix-clone",
            "restart-clone",
            "reboot-clone",
            "verify-clone",
            "destroy",
            "arm",
            "fix",
            "restart",
            "reboot",
            "verify",
            "disarm",
            "soak"
        ]
    );
    assert_eq!(
        ids(&plan.hosts["db-2"]),
        ["preflight", "backup", "arm", "fix", "restart", "reboot", "verify", "disarm", "soak"]
    );
    assert_eq!(
        ids(&plan.hosts["web-1"]),
        [
            "preflight",
            "backup",
            "clone",
            "preflight-clone",
            "fix-clone",
            "restart-clone",
            "reboot-clone",
            "verify-clone",
            "switchover",
            "observe",
            "drain",
            "promote",
            "verify",
            "undrain",
            "soak"
        ]
    );
    assert_eq!(waits_for(&plan, "web-1"), Vec::<String>::new());
    assert_eq!(waits_for(&plan, "web-2"), ["web-1/soak"]);
    assert_eq!(waits_for(&plan, "db-2"), ["db-1/soak"]);
    assert!(plan.hosts["db-1"].strategy_reason.text.contains("no `switch`"));
    // What runs on a clone disrupts nobody; what the clone's steps ask for they ask of the clone.
    let disruptive: Vec<_> = plan.hosts["web-1"].steps.iter().filter(|s| s.is_disruptive()).collect();
    assert_eq!(disruptive[0].id.step(), "switchover");
    for step in plan.hosts["web-1"].steps.iter().filter(|step| step.on.is_some()) {
        for fact in step.action.commands().flat_map(|command| command.env_facts.values()) {
            assert!(fact.step.step().ends_with("-clone"), "{} asks {}", step.id, fact.step);
        }
    }
}

#[test]
fn without_labels_that_tell_them_apart_hosts_of_one_release_and_fix_are_similar() {
    let mut fleet = fleet("{default: auto}");
    fleet.finding("web-3", "CVE-2026-2", "bash", "5.3");
    let plan = planned(&fleet);
    assert_eq!(waits_for(&plan, "web-1"), ["db-1/soak"]);
    assert_eq!(waits_for(&plan, "web-3"), Vec::<String>::new(), "it has another fix");
    assert_eq!(plan.hosts["web-3"].strategy, Strategy::CloneAndSwitch);
}

#[test]
fn what_history_has_proven_needs_no_pilot() {
    let mut fleet = fleet("{default: auto, proven: {successes: 2, within: 30d}, similar_by: [role]}");
    let cohort = planned(&fleet).hosts["web-2"].cohort.clone();
    let host = |name: &str| switchback::model::HostName::new(name).unwrap();
    let ago = |days| TimeSpan::days(days).before(as_of());
    fleet.history.prove(cohort.clone(), host("web-8"), ago(1));
    fleet.history.prove(cohort.clone(), host("web-9"), ago(31));
    assert_eq!(planned(&fleet).hosts["web-1"].strategy, Strategy::CloneAndSwitch, "one of them is too old");
    // The same host twice proves no more than once.
    fleet.history.prove(cohort.clone(), host("web-8"), ago(2));
    assert_eq!(planned(&fleet).hosts["web-1"].strategy, Strategy::CloneAndSwitch);
    fleet.history.prove(cohort, host("web-9"), ago(3));
    let plan = planned(&fleet);
    for name in ["web-1", "web-2", "web-3"] {
        assert_eq!((plan.hosts[name].strategy, waits_for(&plan, name)), (Strategy::InPlace, vec![]), "{name}");
    }
    assert_eq!(waits_for(&plan, "db-2"), ["db-1/soak"], "nothing is proven of the others");
}

#[test]
fn a_stateful_host_is_not_switched_unless_its_clones_share_its_data() {
    let mut fleet = fleet("{default: auto, stateful: {match: {hosts: [web-*]}}, similar_by: [role]}");
    let plan = planned(&fleet);
    assert_eq!(plan.hosts["web-1"].strategy, Strategy::InPlace);
    assert!(plan.hosts["web-1"].strategy_reason.text.contains("stateful"));
    assert!(ids(&plan.hosts["web-1"]).contains(&"fix-clone"), "it is tried on a clone all the same");
    let argv = || vec!["/bin/true".to_owned()];
    let shares = ExecProvider {
        backup: argv(),
        restore: argv(),
        clone: Some(argv()),
        destroy: Some(argv()),
        list: Some(argv()),
        promote: Some(argv()),
        shares_data: true,
        ..ExecProvider::default()
    };
    for host in fleet.hosts.values_mut() {
        host.provider = Some(ProviderSettings::Exec(shares.clone()));
    }
    assert_eq!(planned(&fleet).hosts["web-1"].strategy, Strategy::CloneAndSwitch);
}

#[test]
fn what_a_strategy_needs_and_is_not_there_blocks() {
    for (strategy, host, code) in [
        ("{default: clone_and_switch}", "db-1", "cannot-switch"),
        ("{default: clone_and_switch, stateful: {match: {hosts: [web-1]}}}", "web-1", "stateful-host"),
    ] {
        let plan = planned(&fleet(strategy));
        let reasons = plan.report.blocked.iter().find(|(name, _)| name.as_str() == host).unwrap().1;
        assert_eq!(reasons.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), [code], "{strategy}");
    }
    for test_fix in ["first_of_cohort", "every_host"] {
        let mut fleet = fleet(&format!("{{default: in_place, test_fix: {test_fix}}}"));
        for host in fleet.hosts.values_mut() {
            let name = host.name.to_string();
            host.provider = Some(ProviderSettings::Podman { name, containers_conf: None, clone_network: None });
        }
        let plan = planned(&fleet);
        assert!(plan.hosts.is_empty());
        assert!(
            plan.report
                .blocked
                .values()
                .flatten()
                .all(|r| r.code == "cannot-clone" && r.text.contains("clone_network"))
        );
    }
}

#[test]
fn a_test_fix_speaks_for_its_cohort_or_for_each_host() {
    let plan = planned(&fleet("{default: in_place, test_fix: first_of_cohort, similar_by: [role]}"));
    assert!(ids(&plan.hosts["web-1"]).contains(&"fix-clone") && !ids(&plan.hosts["web-2"]).contains(&"fix-clone"));
    assert_eq!(waits_for(&plan, "web-2"), ["web-1/verify-clone"]);
    let destroy = plan.hosts["web-1"].steps.iter().find(|step| step.id.step() == "destroy").unwrap();
    assert!(matches!(destroy.action, Action::Destroy { keep_failed: TimeSpan::ZERO, .. }));

    let plan = planned(&fleet("{default: in_place, test_fix: every_host}"));
    for (name, host) in &plan.hosts {
        assert!(ids(host).contains(&"fix-clone"), "{name}");
        assert_eq!(waits_for(&plan, name.as_str()), Vec::<String>::new());
    }
}

#[test]
fn a_host_that_is_blocked_speaks_for_nobody() {
    let mut fleet = fleet("{default: auto, similar_by: [role]}");
    fleet.hosts.get_mut("web-1").unwrap().provider = None;
    let plan = planned(&fleet);
    assert!(plan.report.blocked.contains_key("web-1"));
    assert_eq!(plan.hosts["web-2"].strategy, Strategy::CloneAndSwitch);
    assert_eq!(waits_for(&plan, "web-3"), ["web-2/soak"]);
}

#[test]
fn nothing_is_kept_where_policy_keeps_nothing() {
    let policy = format!("version: 1\n{WAVES}backup: {{keep: 0s}}\nstrategy: {{default: auto, keep_failed: 24h}}\n");
    let mut fleet = Fleet::under(&[("policy.yaml", &policy)]);
    let mut web = host("web-1");
    web.switch = Some(SwitchSettings::Simulated);
    fleet.add(web);
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    let plan = planned(&fleet);
    let steps = &plan.hosts["web-1"].steps;
    assert!(
        matches!(&steps.last().unwrap().action, Action::Release { promote: Some(step), .. } if step.step() == "promote")
    );
    let clone = steps.iter().find(|step| step.id.step() == "clone").unwrap();
    assert!(matches!(clone.undo[0].action, Action::Destroy { keep_failed, .. } if keep_failed == TimeSpan::hours(24)));
}

#[test]
fn what_breaks_a_clone_is_searched_where_the_playbook_can_leave_packages_out() {
    let mut fleet = fleet("{default: auto, bisect: true, similar_by: [role]}");
    assert!(!ids(&planned(&fleet).hosts["web-1"]).contains(&"bisect"), "one package cannot be told apart");
    for host in ["web-1", "web-2"] {
        fleet.finding(host, "CVE-2026-2", "bash", "5.3");
        // Of one source: the same versions.
        fleet.finding(host, "CVE-2026-3", "libssl3", "1.3.0");
    }
    let plan = planned(&fleet);
    let pilot = &plan.hosts["web-1"];
    let search = pilot.steps.iter().find(|step| step.id.step() == "bisect").unwrap();
    let Action::Bisect { units, trials, .. } = &search.action else { panic!("{search:?}") };
    let units: Vec<Vec<&str>> = units.iter().map(|unit| unit.iter().map(|name| name.as_str()).collect()).collect();
    assert_eq!(units, [vec!["bash"], vec!["libssl3", "openssl"]]);
    assert!(*trials >= 2);
    let stands: Vec<&str> = search.stands_for.iter().map(|step| step.step()).collect();
    assert_eq!(stands, ["fix-clone", "restart-clone", "reboot-clone", "verify-clone"]);
    // Nothing is left out in the trial itself; production asks the search, on the host itself and on those that wait.
    let told = |host: &str, step: &str| {
        let step = plan.hosts[host].steps.iter().find(|s| s.id.step() == step).unwrap();
        let command = step.action.commands().next().unwrap();
        (command.env.get("LEAVE_OUT").cloned(), command.env_facts.get("LEAVE_OUT").map(|fact| fact.step.to_string()))
    };
    assert_eq!(told("web-1", "fix-clone"), (Some(String::new()), None));
    assert_eq!(told("web-1", "verify"), (None, Some("web-1/bisect".to_owned())));
    assert_eq!(told("web-2", "fix"), (None, Some("web-1/bisect".to_owned())));
    assert_eq!(told("db-2", "fix"), (Some(String::new()), None), "nobody searched for it");
}

fn quarantined(package: &str, version: &str, os: &str, until: TimeSpan) -> Quarantined {
    Quarantined {
        package: PackageName::new(package).unwrap(),
        version: PackageVersion::new(version).unwrap(),
        os: os.to_owned(),
        host: HostName::new("web-9").unwrap(),
        campaign: CampaignId::new("c-1").unwrap(),
        since: TimeSpan::days(1).before(as_of()),
        until: until.after(as_of()),
        why: "nginx: configuration broken".to_owned(),
    }
}

#[test]
fn what_was_rolled_back_stays_out_until_it_is_superseded_over_or_let_in() {
    let plan_with = |entry: Quarantined, released: bool| {
        let mut fleet = fleet("{default: in_place}");
        fleet.finding("web-1", "CVE-2026-2", "bash", "5.3");
        fleet.history.quarantine(entry);
        if released {
            fleet.history.release("openssl", as_of());
        }
        planned(&fleet)
    };
    let entry = |version, os, until| quarantined("openssl", version, os, until);
    let (days, ended) = (TimeSpan::days(3), TimeSpan::ZERO);
    let plan = plan_with(entry("1.3.0", "debian 12", days), false);
    // Of the host with another fix only that package waits; the others have nothing else.
    assert_eq!(plan.hosts.keys().map(|host| host.as_str()).collect::<Vec<_>>(), ["web-1"]);
    assert_eq!(plan.hosts["web-1"].fix.packages.len(), 1);
    let why: Vec<_> = plan.report.decisions.iter().filter(|d| d.rule.name.as_str() == "quarantine").collect();
    assert_eq!((why.len(), why[0].kind), (5, DecisionKind::Defer));
    assert!(why[0].reason.contains("web-9") && why[0].reason.contains("configuration broken"), "{}", why[0].reason);
    for (entry, released) in [
        (entry("1.2.9", "debian 12", days), false),
        (entry("1.3.0", "debian 11", days), false),
        (entry("1.3.0", "debian 12", ended), false),
        (entry("1.3.0", "debian 12", days), true),
    ] {
        assert_eq!(plan_with(entry.clone(), released).hosts.len(), 5, "{entry:?}");
    }
}

#[test]
fn a_fix_of_which_nobody_knows_what_was_to_blame_blocks_its_cohort_until_it_goes_well() {
    let mut fleet = fleet("{default: in_place, similar_by: [role]}");
    let cohort = planned(&fleet).hosts["web-2"].cohort.clone();
    fleet.history.roll_back(RolledBack {
        cohort: cohort.clone(),
        host: HostName::new("web-9").unwrap(),
        campaign: CampaignId::new("c-1").unwrap(),
        since: TimeSpan::days(2).before(as_of()),
        until: TimeSpan::days(2).after(as_of()),
        why: "it broke".to_owned(),
    });
    let plan = planned(&fleet);
    assert_eq!(plan.hosts.len(), 2, "the databases");
    assert!(plan.report.blocked.values().flatten().all(|reason| reason.code == "rolled-back-before"));
    fleet.history.prove(cohort, HostName::new("web-8").unwrap(), TimeSpan::days(1).before(as_of()));
    assert_eq!(planned(&fleet).hosts.len(), 5, "it went well since");
}
