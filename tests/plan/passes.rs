//! What the passes plan, and what they leave out with which reason.

use std::collections::BTreeMap;

use switchback::diagnostic::{Diagnostics, Source};
use switchback::model::{
    DecisionKind, HostName, Importance, Os, PackageName, PackageVersion, ProviderSettings, SwitchSettings, TimeSpan,
    VulnerabilityType,
};
use switchback::plan::{Action, Plan, PlanError, PlanInput, StepKind, check, plan};
use switchback::playbook::Playbook;
use switchback::policy::{Amount, RebootPolicy};

use crate::fleet::{Fleet, finding, harmless, host};

fn kinds(plan: &Plan, host: &str) -> Vec<StepKind> {
    plan.hosts[host].steps.iter().map(|s| s.kind).collect()
}

fn codes(plan: &Plan, host: &str) -> Vec<String> {
    plan.report.blocked[host].iter().map(|r| r.code.clone()).collect()
}

fn one_host() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add(host("web-1"));
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    fleet
}

#[test]
fn findings_become_one_transaction_at_the_highest_version() {
    let mut fleet = one_host();
    fleet.finding("web-1", "CVE-2026-2", "openssl", "1.10.0");
    fleet.finding("web-1", "CVE-2026-3", "openssl", "1.9.0");
    fleet.finding("web-1", "CVE-2026-4", "bash", "2.0.0").fixed.clear();
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    let fix = &plan.hosts["web-1"].fix;
    let packages: Vec<_> =
        fix.packages.iter().map(|p| (p.name.as_str(), p.to.as_ref().map(PackageVersion::as_str))).collect();
    // By dpkg's order 1.10 is above 1.9; a pending update without a version asks for the newest.
    assert_eq!(packages, [("bash", None), ("openssl", Some("1.10.0"))]);
    assert_eq!(fix.findings.len(), 4);
}

#[test]
fn a_host_stays_on_its_branch() {
    let mut fleet = one_host();
    fleet.findings[0].1.fixed = ["2.0.1", "1.2.9", "1.1.9"].iter().map(|v| PackageVersion::new(v).unwrap()).collect();
    assert_eq!(fleet.plan().hosts["web-1"].fix.packages[0].to.as_ref().unwrap().as_str(), "1.2.9");
}

/// Each ecosystem by its own rules: dpkg would order all of these otherwise.
#[test]
fn a_host_stays_on_its_branch_in_every_ecosystem() {
    for (ecosystem, installed, fixed, expected) in [
        ("apk", "1.2.0-r3", ["2.0.1-r0", "1.2.0_rc9-r9", "1.2.0-r10"], "1.2.0-r10"),
        ("rpm", "1.2.0-3.el9", ["2:0.1-1", "1.2.0~rc9-9.el9", "1.2.0^git1-1.el9"], "1.2.0^git1-1.el9"),
        ("npm", "1.2.0", ["2.0.1", "1.2.0-rc.9", "1.2.1-beta"], "1.2.1-beta"),
        ("golang", "v1.2.0", ["2.0.1", "1.2.0-20200101", "1.2.9+incompatible"], "1.2.9+incompatible"),
        ("pypi", "1.2.0", ["2.0.1", "1.2rc9", "1.2.post1"], "1.2.post1"),
        ("maven", "1.2.0", ["2.0.1", "1.2-RC9", "1.2.0-jre"], "1.2.0-jre"),
        ("gem", "1.2.0", ["2.0.1", "1.2.0.rc9", "1.2.0.1"], "1.2.0.1"),
        ("nuget", "1.2.0", ["2.0.1", "1.2.0-rc9", "1.2.0.1"], "1.2.0.1"),
        ("composer", "1.2.0", ["2.0.1", "1.2.0-RC9", "1.2.0-pl1"], "1.2.0-pl1"),
    ] {
        let mut fleet = one_host();
        let finding = &mut fleet.findings[0].1;
        finding.ecosystem = ecosystem.to_owned();
        finding.installed = Some(PackageVersion::new(installed).unwrap());
        finding.fixed = fixed.iter().map(|v| PackageVersion::new(v).unwrap()).collect();
        let plan = fleet.plan();
        assert_eq!(check(&plan), []);
        assert_eq!(plan.hosts["web-1"].fix.packages[0].to.as_ref().unwrap().as_str(), expected, "{ecosystem}");
    }
}

#[test]
fn versions_without_an_order_wait_for_a_person() {
    let mut fleet = one_host();
    fleet.finding("web-1", "CVE-2026-2", "zlib", "1.3.0").ecosystem = "conan".to_owned();
    fleet.finding("web-1", "CVE-2026-3", "zlib", "1.4.0").ecosystem = "conan".to_owned();
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.report.decided, BTreeMap::from([(DecisionKind::Fix, 1), (DecisionKind::Manual, 2)]));
    assert_eq!(plan.hosts["web-1"].fix.packages.len(), 1);
    let manual = plan.report.decisions.iter().find(|d| d.kind == DecisionKind::Manual).unwrap();
    assert!(manual.reason.contains("conan"), "{}", manual.reason);
}

#[test]
fn every_finding_is_accounted_for() {
    let mut fleet = one_host();
    harmless(fleet.finding("web-1", "CVE-2026-2", "vim", "1.3.0"));
    fleet.finding("web-1", "CVE-2026-3", "wordpress", "6.6").kind = VulnerabilityType::WebCms;
    let mut windows = host("win-1");
    windows.os = None;
    fleet.add(windows);
    fleet.finding("win-1", "CVE-2026-4", "notepad", "2.0");
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.report.findings, 4);
    let counts = [(DecisionKind::Fix, 1), (DecisionKind::Defer, 1), (DecisionKind::Manual, 2)];
    assert_eq!(plan.report.decided, BTreeMap::from(counts));
    assert_eq!(plan.hosts.len(), 1);
    assert!(plan.report.blocked.is_empty());
    let reasons: Vec<_> =
        plan.report.decisions.iter().filter(|d| d.kind == DecisionKind::Manual).map(|d| d.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "no playbook fixes web_cms findings on debian 12: a person must",
            "no playbook fixes linux findings on a host whose operating system is unknown: a person must",
        ]
    );
}

#[test]
fn the_same_finding_from_two_reports_is_counted_twice_and_fixed_once() {
    let mut fleet = one_host();
    let mut again = fleet.findings[0].1.clone();
    again.scanner = "grype".to_owned();
    fleet.findings.push((HostName::new("web-1").unwrap(), again));
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!((plan.report.findings, plan.hosts["web-1"].fix.findings.len()), (2, 1));
}

#[test]
fn a_finding_for_an_unknown_host_is_refused() {
    let mut fleet = one_host();
    fleet.findings.push((HostName::new("web-9").unwrap(), finding("web-9", "CVE-2026-1", "bash", "2")));
    let error = plan(&fleet.input()).unwrap_err();
    assert!(matches!(&error, PlanError::UnknownHost { host, .. } if host.as_str() == "web-9"), "{error}");
}

#[test]
fn steps_come_in_order_with_their_way_back() {
    use StepKind::*;
    let mut fleet = one_host();
    let plain = fleet.plan();
    assert_eq!(kinds(&plain, "web-1"), [Preflight, Backup, Arm, Fix, Restart, Reboot, Verify, Disarm, Soak]);

    fleet.hosts.get_mut("web-1").unwrap().switch = Some(SwitchSettings::Simulated);
    let switched = fleet.plan();
    assert_eq!(
        kinds(&switched, "web-1"),
        [Preflight, Backup, Drain, Arm, Fix, Restart, Reboot, Verify, Disarm, Undrain, Soak]
    );
    let steps = &switched.hosts["web-1"].steps;
    let undo = |i: usize| steps[i].undo.iter().map(|s| s.id.as_str()).collect::<Vec<_>>();
    assert_eq!(undo(2), ["web-1/undrain-back"]);
    assert_eq!(undo(3), ["web-1/disarm-back"]);
    assert_eq!(undo(4), ["web-1/restore", "web-1/verify_restored"]);
    assert_eq!(undo(9), ["web-1/drain-back"]);
    assert!(matches!(&steps[4].undo[0].action, Action::Restore { backup, .. } if backup.as_str() == "web-1/backup"));
    assert!(steps.windows(2).all(|pair| pair[1].needs == [pair[0].id.clone()]));
    assert_eq!(check(&switched), []);
}

#[test]
fn the_reboot_follows_policy() {
    let mut fleet = one_host();
    let reboot = |fleet: &Fleet| {
        let plan = fleet.plan();
        assert_eq!(check(&plan), []);
        let step = plan.hosts["web-1"].steps.iter().find(|s| s.kind == StepKind::Reboot).cloned();
        step.map(|s| matches!(s.action, Action::Reboot { required: Some(_), .. }))
    };
    assert_eq!(reboot(&fleet), Some(true));
    fleet.policy.reboot = RebootPolicy::Always;
    assert_eq!(reboot(&fleet), Some(false));
    fleet.policy.reboot = RebootPolicy::Never;
    assert_eq!(reboot(&fleet), None);
}

#[test]
fn a_host_without_a_provider_is_blocked_unless_policy_says_otherwise() {
    let mut fleet = one_host();
    fleet.hosts.get_mut("web-1").unwrap().provider = None;
    let blocked = fleet.plan();
    assert_eq!(check(&blocked), []);
    assert_eq!(codes(&blocked, "web-1"), ["no-backup-provider"]);
    assert!(blocked.hosts.is_empty() && blocked.scripts.is_empty() && blocked.windows.is_empty());

    fleet.policy.backup.required = false;
    let planned = fleet.plan();
    assert_eq!(check(&planned), []);
    let host = &planned.hosts["web-1"];
    assert!(host.without_backup && host.steps.iter().all(|s| s.undo.is_empty()));
    assert!(planned.report.notes.iter().any(|n| n.code == "without-backup" && n.text.contains("web-1")));
}

#[test]
fn hosts_without_a_usable_window_are_blocked_with_all_their_reasons() {
    let mut fleet = one_host();
    for (name, env) in [("web-2", "none"), ("web-3", "short")] {
        let mut host = host(name);
        host.labels.insert("env".to_owned(), env.to_owned());
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet.hosts.get_mut("web-2").unwrap().provider = None;
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(codes(&plan, "web-2"), ["no-backup-provider", "no-window"]);
    assert_eq!(codes(&plan, "web-3"), ["window-too-short"]);
    let text = &plan.report.blocked["web-3"][0].text;
    assert!(text.contains("it needs ") && text.contains(" is 5m, from "), "{text}");
    assert_eq!(plan.hosts.keys().map(HostName::as_str).collect::<Vec<_>>(), ["web-1"]);
    assert_eq!(plan.windows.len(), 1);
}

#[test]
fn windows_lie_ahead_and_hold_the_way_back() {
    let plan = one_host().plan();
    let host = &plan.hosts["web-1"];
    let windows = &plan.windows[host.windows.as_ref().unwrap()];
    assert!(windows.iter().all(|w| w.interval.start >= plan.as_of));
    let first = host.first_window(&plan).unwrap();
    let arm = host.steps.iter().find(|s| s.kind == StepKind::Arm).unwrap();
    let needed = host.reserve(&arm.id).unwrap().plus(plan.rollout.margin);
    assert!(first.interval.length() >= needed);
    // Arm, fix, restart, reboot, verify, disarm and soak, then restore and its verification.
    assert!(host.time_from(&arm.id).unwrap() > TimeSpan::minutes(5) && host.way_back() > TimeSpan::ZERO);
    assert_eq!(host.reserve(&arm.id).unwrap(), host.disruptive_chain().plus(host.way_back()));
}

#[test]
fn a_window_fits_to_the_second() {
    let planned = one_host().plan();
    let host = &planned.hosts["web-1"];
    let needed = host.disruptive_chain().plus(host.way_back()).plus(planned.rollout.margin).as_seconds();
    for (seconds, fits) in [(needed, true), (needed - 1, false)] {
        let schedule = format!(
            "version: 1\nwindows:\n  - name: tight\n    match: all\n    schedule: \
             {{rrule: FREQ=DAILY, start: \"22:00\", duration: {}, timezone: UTC}}\n",
            TimeSpan::seconds(seconds)
        );
        let mut fleet = Fleet::with_window(&schedule);
        fleet.add(crate::fleet::host("web-1"));
        fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
        let plan = fleet.plan();
        assert_eq!(check(&plan), []);
        assert_eq!(plan.hosts.contains_key("web-1"), fits, "{seconds}");
        if !fits {
            assert_eq!(codes(&plan, "web-1"), ["window-too-short"]);
        }
    }
}

#[test]
fn a_host_has_one_playbook_and_the_rest_waits() {
    let text = "version: 1\nname: cms\ndescription: the shop's own\nmatch: {type: web_cms}\nsteps:\n  \
                preflight: [{name: there, run: [test, -e, /srv/cms], timeout: 1m}]\n  \
                fix: [{name: update, run: [cms-update], timeout: 5m}]\n  \
                verify: [{name: works, run: [cms-check], timeout: 1m}]\n  \
                verify_restored: [{name: works, run: [cms-check], timeout: 1m}]\n\
                expected: {preflight: 1m, fix: 2m, restart: 1m, reboot: 1m, verify: 1m}\n";
    let mut diagnostics = Diagnostics::default();
    let cms = Playbook::load(&Source::new("cms.yaml", text), &mut diagnostics);
    let mut fleet = one_host();
    fleet.playbooks.push(cms.unwrap_or_else(|| panic!("{:?}", diagnostics.iter().collect::<Vec<_>>())));
    fleet.finding("web-1", "CVE-2026-2", "bash", "1.3.0");
    fleet.finding("web-1", "CVE-2026-3", "wordpress", "6.6").kind = VulnerabilityType::WebCms;
    fleet.add(host("cms-1"));
    fleet.finding("cms-1", "CVE-2026-3", "wordpress", "6.6").kind = VulnerabilityType::WebCms;
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts["web-1"].playbook.as_str(), "linux-apt");
    assert_eq!(plan.hosts["cms-1"].playbook.as_str(), "cms");
    assert_eq!(plan.report.decided, BTreeMap::from([(DecisionKind::Fix, 3), (DecisionKind::Defer, 1)]));
    let deferred = plan.report.decisions.iter().find(|d| d.kind == DecisionKind::Defer).unwrap();
    assert_eq!(
        deferred.reason,
        "one transaction a host and campaign: this campaign runs playbook linux-apt; plan again behind it for cms"
    );
    // Neither the order of playbooks nor who has more to do on other hosts changes that.
    fleet.playbooks.reverse();
    assert_eq!(fleet.plan(), plan);
}

#[test]
fn a_recipe_takes_what_lies_in_its_folder_and_the_rest_is_for_a_person() {
    let mut fleet = Fleet::without_windows();
    let mut app = host("app-1");
    app.labels.insert("pip_environment".to_owned(), "/opt/app".to_owned());
    fleet.add(app);
    fleet.add(host("app-2"));
    let places = [("app-1", "opt/app/lib/requests"), ("app-1", "usr/lib/requests"), ("app-2", "opt/app/lib/requests")];
    for (number, (host, place)) in places.into_iter().enumerate() {
        let finding = fleet.finding(host, &format!("CVE-2026-{number}"), "requests", "2.0");
        finding.kind = VulnerabilityType::Application;
        finding.ecosystem = "pypi".to_owned();
        finding.location = Some(place.to_owned());
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts.len(), 1);
    assert_eq!((plan.hosts["app-1"].playbook.as_str(), plan.hosts["app-1"].fix.findings.len()), ("pip", 1));
    let manual: Vec<_> = plan.report.decisions.iter().filter(|d| d.kind == DecisionKind::Manual).collect();
    assert_eq!(manual.len(), 2);
    for (decision, place) in manual.iter().zip(["usr/lib/requests", "opt/app/lib/requests"]) {
        let told = format!(
            "no playbook fixes application findings on debian 12: a person must \
             (playbook pip fixes what lies in {{{{ host.labels.pip_environment }}}}; this is at {place})"
        );
        assert_eq!(decision.reason, told);
    }
}

#[test]
fn updates_of_windows_are_named_and_their_hosts_are_refused_with_the_reason() {
    let mut fleet = Fleet::without_windows();
    let mut windows = host("win-1");
    windows.os = Some(Os { family: "windows".into(), name: "windows".into(), version: Some("10".into()) });
    fleet.add(windows);
    for (number, (package, fixed)) in
        [(Some("KB5034441"), vec![]), (None, vec!["KB5003171", "KB5003169"]), (Some("notepad"), vec!["11.2"])]
            .into_iter()
            .enumerate()
    {
        let finding = fleet.finding("win-1", &format!("CVE-2026-{number}"), "x", "1");
        finding.kind = VulnerabilityType::Windows;
        finding.ecosystem = "windows".to_owned();
        finding.package = package.map(|name| PackageName::new(name).unwrap());
        finding.fixed = fixed.into_iter().map(|version| PackageVersion::new(version).unwrap()).collect();
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert!(plan.hosts.is_empty());
    assert_eq!(codes(&plan, "win-1"), ["windows-not-supported"]);
    let manual = plan.report.decisions.iter().find(|d| d.kind == DecisionKind::Manual).unwrap();
    assert_eq!(manual.reason, "the report names no update (KB): a person must look");
}

#[test]
fn a_recipe_fixes_what_it_names_and_nothing_else() {
    let recipe = |text: &str, name: &str, selector: &str| {
        let text = text
            .replace("match:\n", &format!("match:\n  {selector}\n"))
            .replace(&format!("\nname: {name}\n"), &format!("\nname: our-{name}\n"));
        // The placeholders of `match` go: the copy says what it is for.
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("  package: [\"example") && !line.starts_with("  vulnerability: CVE-0000"))
            .map(|line| format!("{line}\n"))
            .collect();
        let mut diagnostics = Diagnostics::default();
        let playbook = Playbook::load(&Source::new(name, text), &mut diagnostics);
        playbook.unwrap_or_else(|| panic!("{:?}", diagnostics.iter().collect::<Vec<_>>()))
    };
    let mut fleet = Fleet::empty();
    fleet.playbooks.push(recipe(include_str!("../../playbooks/jar.yaml"), "jar", "package: [log4j-core]"));
    fleet.playbooks.push(recipe(
        include_str!("../../playbooks/mitigation.yaml"),
        "mitigation",
        "vulnerability: [CVE-2026-9]",
    ));
    fleet.add(host("web-1"));
    fleet.add(host("web-2"));
    fleet.finding("web-1", "CVE-2026-1", "log4j-core", "2.17.1").kind = VulnerabilityType::Application;
    fleet.finding("web-1", "CVE-2026-2", "jackson-core", "2.15").kind = VulnerabilityType::Application;
    fleet.finding("web-2", "CVE-2026-9", "x", "1").kind = VulnerabilityType::Emergency;
    fleet.finding("web-2", "CVE-2026-8", "x", "1").kind = VulnerabilityType::Emergency;

    let plan = fleet.plan();

    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts["web-1"].playbook.as_str(), "our-jar");
    assert_eq!(plan.hosts["web-1"].fix.findings.len(), 1);
    assert_eq!(plan.hosts["web-2"].playbook.as_str(), "our-mitigation");
    assert_eq!(plan.hosts["web-2"].fix.findings.len(), 1);
    assert_eq!(plan.report.decided, BTreeMap::from([(DecisionKind::Fix, 2), (DecisionKind::Manual, 2)]));
}

#[test]
fn a_window_that_is_open_begins_with_the_plan() {
    let fleet = one_host();
    let as_of = "2026-11-28T21:30:00Z".parse().unwrap();
    let plan = plan(&PlanInput { as_of, ..fleet.input() }).unwrap();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.windows.values().next().unwrap()[0].interval.start, as_of);
}

#[test]
fn without_windows_in_the_policy_any_time_will_do() {
    let mut fleet = Fleet::without_windows();
    fleet.add(host("web-1"));
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts["web-1"].windows, None);
}

fn service(sizes: &[(&str, usize)]) -> Fleet {
    let mut fleet = Fleet::empty();
    for (service, size) in sizes {
        for i in 0..*size {
            let name = format!("{service}-{i}");
            let mut host = host(&name);
            host.labels.insert("service".to_owned(), (*service).to_owned());
            fleet.add(host);
            fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
        }
    }
    fleet
}

#[test]
fn budgets_are_rounded_down_and_a_budget_of_nothing_blocks_with_a_remedy() {
    let mut fleet = service(&[("shop", 9), ("mail", 3), ("db", 1)]);
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    let groups: Vec<_> = plan.rollout.groups.iter().map(|(n, g)| (n.as_str(), g.max_unavailable, g.size)).collect();
    assert_eq!(groups, [("shop", 2, 9)]);
    assert_eq!(codes(&plan, "mail-0"), ["budget-zero"]);
    assert_eq!(
        plan.report.blocked["mail-0"][0].text,
        "service mail has 3 hosts, and 25% of 3, rounded down, is 0: none may be taken down. \
         To allow one (one at a time), set `rollout.max_unavailable.value` to 1, or to 34% or more"
    );
    assert!(plan.report.blocked["db-0"][0].text.contains("set `rollout.max_unavailable.single_host`"));
    fleet.policy.rollout.single_host = true;
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.rollout.groups["db"].max_unavailable, 1);
    assert!(plan.report.notes.iter().any(|n| n.code == "budget-single-host" && n.text.contains("db")));
    assert_eq!(codes(&plan, "mail-0"), ["budget-zero"], "only a service of one host is meant");
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Percent(0)));
    assert_eq!(codes(&fleet.plan(), "db-0"), ["budget-zero"], "none is none");

    // What the remedy says works.
    for value in [Amount::Hosts(1), Amount::Percent(34)] {
        fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), value));
        let plan = fleet.plan();
        assert!(plan.rollout.groups["mail"].max_unavailable == 1, "{value:?}");
    }
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Hosts(1)));
    assert_eq!(fleet.plan().hosts.len(), 13);
}

#[test]
fn a_service_of_several_hosts_never_goes_down_as_a_whole() {
    let mut fleet = service(&[("shop", 3), ("db", 1)]);
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Percent(100)));
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.rollout.groups["shop"].max_unavailable, 2);
    assert_eq!(plan.rollout.groups["db"].max_unavailable, 1);
    assert!(plan.report.notes.iter().any(|n| n.code == "budget-limited" && n.text.contains("shop")));
}

#[test]
fn hosts_that_are_not_planned_count_for_the_size_of_a_service() {
    let mut fleet = service(&[("shop", 4)]);
    fleet.findings.truncate(1);
    assert_eq!(fleet.plan().rollout.groups["shop"].size, 4);
}

#[test]
fn a_service_whose_label_names_nothing_is_blocked() {
    let mut fleet = one_host();
    fleet.hosts.get_mut("web-1").unwrap().labels.insert("service".to_owned(), "a\u{1b}[31m".to_owned());
    let plan = fleet.plan();
    assert_eq!(codes(&plan, "web-1"), ["budget-label"]);
    assert!(!plan.report.blocked["web-1"][0].text.contains('\u{1b}'));
}

#[test]
fn waves_start_with_what_matters_least_and_grow_as_policy_says() {
    let mut fleet = Fleet::empty();
    for i in 0..20 {
        let name = format!("web-{i:02}");
        let mut host = host(&name);
        host.importance = Some(if i == 13 { Importance::Test } else { Importance::General });
        fleet.add(host);
        fleet.finding(&name, "CVE-2026-1", "openssl", "1.3.0");
    }
    fleet.hosts.get_mut("web-00").unwrap().importance = Some(Importance::Important);
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    let waves: Vec<_> = plan.rollout.waves.iter().map(|w| (w.name.as_str(), w.hosts.len(), w.soak)).collect();
    let none = TimeSpan::ZERO;
    // 1, then 10%, 50% and 100% of 20, counted from the first host.
    assert_eq!(
        waves,
        [("canary", 1, TimeSpan::minutes(30)), ("wave 1", 1, none), ("wave 2", 8, none), ("wave 3", 10, none)]
    );
    assert_eq!(plan.rollout.waves[0].hosts[0].as_str(), "web-13");
    assert_eq!(plan.rollout.waves[3].hosts.last().unwrap().as_str(), "web-00");
    assert_eq!(plan.hosts["web-00"].wave, 3);
}

#[test]
fn a_small_fleet_gets_a_host_in_every_wave() {
    let mut fleet = Fleet::of(4, 1);
    fleet.policy.rollout.max_unavailable = None;
    let sizes: Vec<_> = fleet.plan().rollout.waves.iter().map(|w| w.hosts.len()).collect();
    assert_eq!(sizes, [1, 1, 1, 1]);
    fleet.policy.rollout.canary = None;
    fleet.policy.rollout.waves.clear();
    let waves = fleet.plan().rollout.waves;
    assert_eq!((waves.len(), waves[0].name.as_str()), (1, "wave 1"));
}

#[test]
fn the_failure_budget_is_what_is_reached_first() {
    let mut fleet = Fleet::of(10, 1);
    fleet.policy.rollout.max_unavailable = None;
    let mut pauses_at = |hosts, percent| {
        fleet.policy.rollout.failure_hosts = hosts;
        fleet.policy.rollout.failure_percent = percent;
        let plan = fleet.plan();
        assert_eq!(check(&plan), []);
        plan.rollout.failure_budget
    };
    assert_eq!(pauses_at(Some(2), Some(50)), 2);
    assert_eq!(pauses_at(Some(8), Some(50)), 5);
    assert_eq!(pauses_at(Some(8), Some(5)), 1, "5% of 10 is nothing: the first failure pauses");
    assert_eq!(pauses_at(Some(0), None), 1);
    assert_eq!(pauses_at(Some(50), None), 10);
    assert_eq!(pauses_at(None, None), 10);
}

#[test]
fn nothing_to_do_is_a_valid_plan_that_says_so() {
    let plan = Fleet::empty().plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.report.notes[0].code, "empty-plan");
}

#[test]
fn two_names_of_one_machine_are_not_both_fixed() {
    let mut fleet = one_host();
    fleet.add(host("www"));
    fleet.finding("www", "CVE-2026-1", "openssl", "1.3.0");
    fleet.add(host("other"));
    fleet.finding("other", "CVE-2026-1", "openssl", "1.3.0");
    for (name, port) in [("web-1", None), ("www", Some(22)), ("other", Some(2222))] {
        let host = fleet.hosts.get_mut(name).unwrap();
        (host.address, host.ssh.port) = (Some("192.0.2.1".to_owned()), port);
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(
        (codes(&plan, "web-1"), codes(&plan, "www")),
        (vec!["same-machine".into()], vec!["same-machine".into()])
    );
    assert!(plan.hosts.contains_key("other"), "another port is another machine behind one address");
}

#[test]
fn only_so_many_of_a_kind_go_at_once() {
    let policy = "version: 1\nstrategy: {default: auto}\nrollout: {concurrency: {hosts: 50, clones: 3, per: [{label: site, hosts: 2, \
                  clones: 1}, {label: rack, hosts: 1}]}}\n";
    let mut fleet = Fleet::under(&[("policy.yaml", policy)]);
    for (name, site) in [("web-1", "ams"), ("web-2", "ams"), ("web-3", "fra"), ("web-4", "no\u{7}name")] {
        let mut host = host(name);
        host.labels.insert("site".to_owned(), site.to_owned());
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    let plan = fleet.plan();
    let pools = |host: &str| plan.hosts[host].pools.iter().map(|pool| pool.as_str().to_owned()).collect::<Vec<_>>();
    // The first of the cohort tries the fix on a clone.
    assert_eq!(pools("web-1"), ["clones", "clones of site=ams", "site=ams"]);
    assert_eq!(pools("web-2"), ["site=ams"]);
    assert_eq!(pools("web-3"), ["site=fra"]);
    let limits: Vec<_> = plan.rollout.pools.iter().map(|(name, pool)| (name.as_str(), pool.hosts)).collect();
    assert_eq!(limits, [("clones", 3), ("clones of site=ams", 1), ("site=ams", 2), ("site=fra", 2)]);
    assert_eq!(codes(&plan, "web-4"), ["concurrency-label"]);
}

#[test]
fn hosts_whose_providers_put_back_the_same_are_not_planned() {
    let mut fleet = Fleet::empty();
    // The last has nothing to fix, and would be replaced.
    for (name, container) in [("web-1", "c1"), ("web-2", "c2"), ("idle", "c1")] {
        let mut host = host(name);
        let name = container.to_owned();
        host.provider = Some(ProviderSettings::Podman { name, containers_conf: None, clone_network: None });
        fleet.add(host);
    }
    for host in ["web-1", "web-2"] {
        fleet.finding(host, "CVE-2026-1", "openssl", "1.3.0");
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(codes(&plan, "web-1"), ["same-provider-object"]);
    assert!(
        plan.report.blocked["web-1"]
            .iter()
            .any(|why| why.text.contains("podman container c1, and so does that of idle"))
    );
    assert!(plan.hosts.contains_key("web-2"));
}
