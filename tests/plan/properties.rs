//! For any fleet: the same bytes whatever the order of the input, and nothing for the checker to complain about.

use proptest::prelude::*;
use switchback::model::{HostName, Importance, ProviderSettings, SwitchSettings, VulnerabilityType};
use switchback::plan::{check, plan_id, read_plan, write_plan};
use switchback::policy::{Amount, RebootPolicy};

use crate::fleet::{Fleet, finding, harmless, host};

#[derive(Clone, Debug)]
struct AnyHost {
    provider: bool,
    switch: bool,
    env: &'static str,
    service: Option<&'static str>,
    importance: Importance,
    findings: Vec<AnyFinding>,
}

#[derive(Clone, Debug)]
struct AnyFinding {
    cve: u8,
    package: u8,
    fixed: u8,
    linux: bool,
    harmless: bool,
}

fn any_host() -> impl Strategy<Value = AnyHost> {
    let any_finding = (0u8..6, 0u8..4, 1u8..30, prop::bool::weighted(0.9), prop::bool::weighted(0.2))
        .prop_map(|(cve, package, fixed, linux, harmless)| AnyFinding { cve, package, fixed, linux, harmless });
    (
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::sample::select(vec!["prod", "prod", "prod", "short", "none"]),
        prop::option::of(prop::sample::select(vec!["shop", "mail"])),
        prop::sample::select(vec![Importance::Test, Importance::General, Importance::Important]),
        prop::collection::vec(any_finding, 0..6),
    )
        .prop_map(|(provider, switch, env, service, importance, findings)| AnyHost {
            provider,
            switch,
            env,
            service,
            importance,
            findings,
        })
}

fn any_fleet() -> impl Strategy<Value = (Vec<AnyHost>, AnyPolicy)> {
    (prop::collection::vec(any_host(), 0..10), any_policy())
}

#[derive(Clone, Debug)]
struct AnyPolicy {
    required: bool,
    canary: u32,
    waves: Vec<u32>,
    unavailable: Option<u32>,
    failure: Option<u32>,
    reboot: RebootPolicy,
}

fn any_policy() -> impl Strategy<Value = AnyPolicy> {
    (
        any::<bool>(),
        0u32..4,
        prop::collection::vec(0u32..=100, 0..4),
        prop::option::of(0u32..=100),
        prop::option::of(0u32..20),
        prop::sample::select(vec![RebootPolicy::Never, RebootPolicy::WhenRequired, RebootPolicy::Always]),
    )
        .prop_map(|(required, canary, mut waves, unavailable, failure, reboot)| {
            waves.sort_unstable();
            AnyPolicy { required, canary, waves, unavailable, failure, reboot }
        })
}

fn build(hosts: &[AnyHost], policy: &AnyPolicy) -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.policy.backup.required = policy.required;
    fleet.policy.reboot = policy.reboot;
    let rollout = &mut fleet.policy.rollout;
    rollout.canary = (policy.canary > 0).then(|| (policy.canary, switchback::model::TimeSpan::minutes(5)));
    rollout.waves = policy.waves.iter().map(|&w| Amount::Percent(w)).collect();
    rollout.max_unavailable = policy.unavailable.map(|v| ("service".to_owned(), Amount::Percent(v)));
    rollout.failure_hosts = policy.failure;
    for (i, any) in hosts.iter().enumerate() {
        let name = format!("web-{i}");
        let mut host = host(&name);
        host.provider = any.provider.then_some(ProviderSettings::Simulated);
        host.switch = any.switch.then_some(SwitchSettings::Simulated);
        host.importance = Some(any.importance);
        host.labels.insert("env".to_owned(), any.env.to_owned());
        if let Some(service) = any.service {
            host.labels.insert("service".to_owned(), service.to_owned());
        }
        fleet.add(host);
        for any in &any.findings {
            let mut finding = finding(
                &name,
                &format!("CVE-2026-{}", any.cve),
                &format!("lib{}", any.package),
                &format!("1.{}", any.fixed),
            );
            if !any.linux {
                finding.kind = VulnerabilityType::WebCms;
            }
            if any.harmless {
                harmless(&mut finding);
            }
            fleet.findings.push((HostName::new(&name).unwrap(), finding));
        }
    }
    fleet
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_checker_has_no_complaints_and_nothing_is_lost((hosts, policy) in any_fleet()) {
        let fleet = build(&hosts, &policy);
        let plan = fleet.plan();
        prop_assert_eq!(check(&plan), []);
        prop_assert_eq!(plan.report.findings, fleet.findings.len() as u64);
        prop_assert_eq!(plan.report.decided.values().sum::<u64>(), fleet.findings.len() as u64);
    }

    #[test]
    fn the_order_of_the_input_does_not_matter((hosts, policy) in any_fleet(), seed in any::<u64>()) {
        let mut fleet = build(&hosts, &policy);
        let first = plan_id(&fleet.plan()).unwrap();
        // A shuffle that needs no more than this number.
        let mut state = seed | 1;
        for i in (1..fleet.findings.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            fleet.findings.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        fleet.playbooks.reverse();
        prop_assert_eq!(plan_id(&fleet.plan()).unwrap(), first);
    }

    #[test]
    fn a_plan_file_gives_back_the_plan((hosts, policy) in any_fleet()) {
        let plan = build(&hosts, &policy).plan();
        let mut bytes = Vec::new();
        let id = write_plan(&plan, &mut bytes).unwrap();
        let (read_id, read) = read_plan(bytes.as_slice()).unwrap();
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(read, plan);
    }
}
