//! Drills: which hosts can be drilled and how, that the checker knows a drill that does harm, and what a proof is good for.

use std::collections::{BTreeMap, BTreeSet};

use switchback::model::{
    CampaignId, Drill, ExecProvider, HostName, Os, ProviderSettings, RuleName, SwitchSettings, TimeSpan,
};
use switchback::plan::{Action, DrillInput, Drills, Plan, StepKind, check, plan_drills};

use crate::fleet::{Fleet, as_of, host};

const PROBED: &str = r#"
version: 1
backup: {drill_within: 30d}
strategy: {default: in_place, test_fix: never}
verify:
  probes:
    - {name: answers, match: {hosts: ["web-*"]}, http: {url: "http://{{ host.address }}/", status: 200}}
"#;

fn drills(fleet: &Fleet) -> Drills {
    let mut hosts: Vec<_> = fleet.hosts.values().collect();
    let input = |hosts: &[&switchback::model::Host]| {
        let input = DrillInput {
            hosts,
            policy: &fleet.policy,
            playbooks: &fleet.playbooks,
            concurrency: 3,
            as_of: as_of(),
            inputs: BTreeMap::new(),
        };
        plan_drills(&input).unwrap()
    };
    let drills = input(&hosts);
    hosts.reverse();
    let again = input(&hosts);
    assert_eq!((&drills.plan, &drills.left_out), (&again.plan, &again.left_out), "whatever the order of the hosts");
    drills
}

fn exec() -> ExecProvider {
    let argv = || vec!["true".to_owned()];
    ExecProvider {
        backup: argv(),
        restore: argv(),
        delete: Some(argv()),
        clone: Some(argv()),
        destroy: Some(argv()),
        list: Some(argv()),
        ..ExecProvider::default()
    }
}

/// A provider that makes no clones.
fn lvm() -> ProviderSettings {
    let settings = r#"{"kind": "lvm", "group": "vg", "volume": "web", "stop": ["true"], "start": ["true"]}"#;
    serde_json::from_str(settings).unwrap()
}

#[test]
fn a_drill_restores_to_a_clone_looks_at_it_and_leaves_nothing() {
    let mut fleet = Fleet::under(&[("policy.yaml", PROBED)]);
    let mut web = host("web-1");
    web.switch = Some(SwitchSettings::Simulated);
    fleet.add(web);
    fleet.add(host("db-1"));
    let Drills { plan, left_out } = drills(&fleet);
    assert_eq!((check(&plan), left_out), (vec![], BTreeMap::new()));
    let planned = &plan.hosts["web-1"];
    assert_eq!(planned.host.switch, None, "its traffic is no matter of a drill");
    let steps: Vec<&str> = planned.steps.iter().map(|step| step.id.step()).collect();
    assert_eq!(steps, ["preflight", "backup", "clone", "verify-clone", "destroy", "release"]);
    let undo: Vec<&str> = planned.steps.iter().flat_map(|step| &step.undo).map(|step| step.id.step()).collect();
    assert_eq!(undo, ["release-back", "destroy-back"]);
    let Action::Check { commands, probes } = &planned.steps[3].action else { panic!("{planned:?}") };
    let names: Vec<&str> = commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!((names, probes.len()), (vec!["as before"], 1));
    assert_eq!(probes[0].url, "http://clone.switchback.invalid/", "the clone is asked, not the host");
    // It is compared with what the host said of itself right before.
    assert!(commands[0].env_facts.values().all(|fact| fact.step == planned.steps[0].id), "{commands:?}");
    let Action::Check { commands, probes } = &planned.steps[0].action else { panic!("{planned:?}") };
    assert_eq!((commands[0].name.as_str(), probes.len()), ("how it is", 1));
    assert!(plan.scripts.len() == 2, "{:?}", plan.scripts.keys());
}

#[test]
fn what_cannot_be_drilled_is_left_out_with_every_reason() {
    let mut fleet = Fleet::under(&[("policy.yaml", PROBED)]);
    let mut add = |name: &str, provider: Option<ProviderSettings>, family: Option<&str>| {
        let mut host = host(name);
        host.provider = provider;
        host.os = family.map(|family| Os { family: family.into(), name: family.into(), version: None });
        fleet.add(host);
    };
    let podman = |clone_network: Option<&str>| ProviderSettings::Podman {
        name: clone_network.unwrap_or("c").to_owned(),
        containers_conf: None,
        clone_network: clone_network.map(str::to_owned),
    };
    add("web-none", None, Some("debian"));
    add("web-lvm", Some(lvm()), Some("debian"));
    add("web-podman", Some(podman(None)), Some("debian"));
    add("web-blind", Some(ProviderSettings::Exec(ExecProvider { list: None, ..exec() })), Some("debian"));
    add("web-keeps", Some(ProviderSettings::Exec(ExecProvider { delete: None, ..exec() })), Some("debian"));
    add("web-windows", Some(ProviderSettings::Simulated), Some("windows"));
    add("db-unknown", Some(ProviderSettings::Simulated), None);
    add("web-exec", Some(ProviderSettings::Exec(exec())), None);
    add("web-fine", Some(podman(Some("clones"))), Some("debian"));
    let mut twin = host("web-twin");
    twin.address = Some("web-fine".to_owned());
    fleet.add(twin);
    let Drills { plan, left_out } = drills(&fleet);
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts.keys().map(HostName::as_str).collect::<Vec<_>>(), ["web-exec", "web-fine"]);
    let codes: BTreeMap<&str, Vec<&str>> = left_out
        .iter()
        .map(|(host, reasons)| (host.as_str(), reasons.iter().map(|reason| reason.code.as_str()).collect()))
        .collect();
    let cannot =
        ["web-none", "web-lvm", "web-podman", "web-blind", "web-keeps"].map(|name| (name, vec!["cannot-drill"]));
    let others = [
        ("db-unknown", vec!["no-verification"]),
        ("web-twin", vec!["same-machine"]),
        ("web-windows", vec!["windows-not-supported"]),
    ];
    assert_eq!(codes, cannot.into_iter().chain(others).collect());
}

#[test]
fn no_more_clones_at_once_than_policy_and_provider_bear() {
    let policy =
        format!("{PROBED}rollout: {{concurrency: {{hosts: 9, clones: 2, per: [{{label: rack, clones: 1}}]}}}}\n");
    let mut fleet = Fleet::under(&[("policy.yaml", &policy)]);
    for (name, rack) in [("web-1", "a"), ("web-2", "a"), ("web-3", "b")] {
        let mut host = host(name);
        host.labels.insert("rack".to_owned(), rack.to_owned());
        fleet.add(host);
    }
    let Drills { plan, .. } = drills(&fleet);
    assert_eq!((check(&plan), plan.rollout.concurrency), (vec![], 3));
    let pools: Vec<(&str, u32)> = plan.rollout.pools.iter().map(|(name, pool)| (name.as_str(), pool.hosts)).collect();
    assert_eq!(pools, [("clones", 2), ("clones of rack=a", 1), ("clones of rack=b", 1)]);
}

/// Breaks the plan of a drill.
type Harm = (&'static str, fn(&mut Plan), &'static str);

#[test]
fn the_checker_knows_a_drill_that_does_harm() {
    fn steps(plan: &mut Plan) -> &mut Vec<switchback::plan::Step> {
        &mut plan.host_mut("web-1").unwrap().steps
    }
    fn cut(plan: &mut Plan, at: usize) {
        let gone = steps(plan).remove(at);
        for step in steps(plan) {
            for need in step.needs.iter_mut().filter(|need| **need == gone.id) {
                gone.needs[0].clone_into(need);
            }
        }
    }
    let harms: [Harm; 9] = [
        ("the clone is never destroyed", |plan| cut(plan, 4), "clone-left"),
        ("the backup is never deleted", |plan| cut(plan, 5), "backup-left"),
        ("nobody looks at the clone", |plan| cut(plan, 3), "proves-nothing"),
        ("a failure leaves the backup", |plan| steps(plan)[1].undo.clear(), "backup-left"),
        ("a failure leaves the clone", |plan| steps(plan)[2].undo.clear(), "clone-left"),
        ("it asks the host instead of the clone", |plan| steps(plan)[3].on = None, "proves-nothing"),
        (
            "it asks nothing",
            |plan| {
                steps(plan)[3].action = Action::Check { commands: vec![], probes: vec![] };
            },
            "verify-empty",
        ),
        (
            "it restores the host itself",
            |plan| {
                let backup = steps(plan)[1].id.clone();
                steps(plan)[2].kind = StepKind::Restore;
                steps(plan)[2].action = Action::Restore { backup, back_within: TimeSpan::minutes(1) };
            },
            "step-unexpected",
        ),
        (
            "it is not looked at before",
            |plan| {
                cut_first(steps(plan));
            },
            "step-missing",
        ),
    ];
    fn cut_first(steps: &mut Vec<switchback::plan::Step>) {
        steps.remove(0);
        steps[0].needs.clear();
    }
    let mut fleet = Fleet::under(&[("policy.yaml", PROBED)]);
    fleet.add(host("web-1"));
    let Drills { plan, .. } = drills(&fleet);
    assert_eq!(check(&plan), []);
    for (what, harm, code) in harms {
        let mut broken = plan.clone();
        harm(&mut broken);
        let found = check(&broken);
        let codes: BTreeSet<&str> = found.iter().map(|violation| violation.code).collect();
        assert!(codes.contains(code), "{what}: {codes:?}");
    }
    // Nothing is fixed on the side.
    let mut fleet = Fleet::under(&[("policy.yaml", "version: 1\n")]);
    fleet.add(host("web-1"));
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    let mut broken = plan.clone();
    broken.host_mut("web-1").unwrap().fix = fleet.plan().hosts["web-1"].fix.clone();
    assert!(check(&broken).iter().any(|violation| violation.code == "drill-fixes"));
}

/// A fleet of one host with something to fix, and what its last drill has shown.
fn drilled(policy: &str, provider: ProviderSettings, drill: Option<Drill>) -> Plan {
    let mut fleet = Fleet::under(&[("policy.yaml", policy)]);
    let mut web = host("web-1");
    web.provider = Some(provider);
    fleet.add(web);
    fleet.finding("web-1", "CVE-2026-1", "openssl", "1.3.0");
    if let Some(drill) = drill {
        fleet.history.drill(HostName::new("web-1").unwrap(), drill);
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    plan
}

fn proof(days_ago: u64) -> Drill {
    Drill {
        campaign: CampaignId::new("c-1").unwrap(),
        at: TimeSpan::days(days_ago).before(as_of()),
        provider: ProviderSettings::Simulated.digest(),
        probes: [RuleName::new("answers").unwrap()].into(),
        failed: None,
    }
}

#[test]
fn in_place_only_where_the_way_back_is_proven() {
    let simulated = || ProviderSettings::Simulated;
    let why = |provider: ProviderSettings, drill: Option<Drill>| {
        let plan = drilled(PROBED, provider, drill);
        let reasons = plan.report.blocked.get("web-1");
        reasons.map(|reasons| reasons.iter().map(|r| format!("[{}] {}", r.code, r.text)).collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(why(simulated(), Some(proof(29))), None);
    let is = |why: Option<String>, code: &str, text: &str| {
        let why = why.unwrap();
        assert!(why.starts_with(&format!("[{code}] ")) && why.contains(text) && !why.contains('\n'), "{why}");
    };
    let not_drilled = "backup-not-drilled";
    let hint = "`switchback drill -p POLICIES -i INVENTORY --limit web-1` proves it";
    is(why(simulated(), None), not_drilled, "it was never drilled");
    is(why(simulated(), None), not_drilled, hint);
    is(why(simulated(), Some(proof(31))), not_drilled, "its last drill was on 2026-10-23");
    let failed = Drill { failed: Some("clone-not-up: no answer".to_owned()), ..proof(1) };
    is(why(simulated(), Some(failed)), not_drilled, "found its way back broken: clone-not-up");
    let unasked = Drill { probes: BTreeSet::new(), ..proof(1) };
    is(why(simulated(), Some(unasked)), not_drilled, "probe \"answers\" was not asked");
    is(why(ProviderSettings::Exec(exec()), Some(proof(1))), not_drilled, "set up otherwise");
    is(why(lvm(), Some(proof(1))), "cannot-drill", "a provider of kind `lvm`");
    let plan = drilled(&PROBED.replace("backup: {drill_within: 30d}", ""), simulated(), None);
    assert!(plan.hosts.contains_key("web-1"), "nobody asks for a drill");
}

#[test]
fn a_fix_that_is_tried_on_a_clone_of_the_host_first_needs_no_drill() {
    for (policy, planned) in [("test_fix: every_host", true), ("test_fix: never", false)] {
        let plan = drilled(&PROBED.replace("test_fix: never", policy), ProviderSettings::Simulated, None);
        assert_eq!(plan.hosts.contains_key("web-1"), planned, "{policy}: {:?}", plan.report.blocked);
    }
}
