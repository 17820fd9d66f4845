//! `switchback drill` on real hosts: a way back that is proven, one that is not, and a drill whose controller is killed.

use serde_json::Value;
use switchback::provider::{Containers, Held, Provider as _};

use crate::campaign::{ONLY_CANARY, Work, health, packages};
use crate::fleet::{Fleet, eventually};
use switchback::lab::{Fault, Trigger};

const POLICY: &str = r#"
version: 1
scope: {fix: [critical, high, medium, low]}
strategy: {default: in_place, test_fix: never}
backup: {drill_within: 30d}
rollout: {waves: ["100%"], max_unavailable: {per: {label: service}, value: 1}}
verify:
  probes:
    - {name: web answers, match: {groups: [web]}, http: {url: "http://{{ host.address }}/health", status: 200}}
"#;

const DRILL: [&str; 5] = ["drill", "-p", "policy.yaml", "-f", "before.json"];

/// Everything of ours that the provider holds for the hosts.
fn held(fleet: &Fleet, hosts: &[&str]) -> Vec<Held> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let list = |host: &&str| runtime.block_on(Containers::default().list(&fleet.host(host))).unwrap();
    hosts.iter().flat_map(list).map(|(_, held)| held).collect()
}

#[test]
fn a_drill_proves_a_way_back_and_finds_one_that_is_broken() {
    let Some(fleet) = Fleet::up("drill", 2) else { return };
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    let hosts = ["web-1", "web-2"];
    for host in hosts {
        fleet.lab.plant(host, Fault::Healthy, Trigger::Now).unwrap();
    }
    work.scan("before.json");
    let drill = |more: &[&str]| work.run(&[&DRILL[..], &["-i", &work.inventory, "--format", "json"], more].concat());
    // It serves, and would not after a boot: somebody changed its configuration and has not tried it.
    fleet.say("web-2", "echo 'nonsense;' | sudo tee /etc/nginx/conf.d/nonsense.conf >/dev/null");
    assert_eq!(health(&fleet, "web-2"), "200");
    let before = hosts.map(|host| (packages(&fleet, host), fleet.boot(host)));

    let (code, stdout, log) = drill(&[]);

    let told: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{log}"));
    assert_eq!((code, &told["proven"]), (5, &Value::from(1)), "{told}\n{log}");
    assert_eq!(told["hosts"]["web-1"]["outcome"], "proven", "{told}\n{log}");
    assert_eq!(told["hosts"]["web-1"]["asked"], serde_json::json!(["as before", "web answers"]), "{told}");
    let broken = &told["hosts"]["web-2"];
    assert_eq!(broken["outcome"], "not_proven", "{told}\n{log}");
    assert_eq!(broken["reasons"][0]["code"], "service-lost", "{told}\n{log}");
    assert!(broken["reasons"][0]["text"].as_str().unwrap().contains("nginx"), "{told}");
    // Nothing was changed and nothing is left.
    assert_eq!(hosts.map(|host| (packages(&fleet, host), fleet.boot(host))), before);
    assert_eq!(hosts.map(|host| health(&fleet, host)), ["200", "200"]);
    assert_eq!(held(&fleet, &hosts), []);
    assert_eq!(work.ok(&["clones"]), "no clones, backups or originals\n");

    // The plan asks the journal.
    let plan = work.plan();
    assert_eq!(plan["hosts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["web-1"], "{}", plan["report"]);
    let why = &plan["report"]["blocked"]["web-2"][0];
    assert_eq!(why["code"], "backup-not-drilled", "{why}");
    assert!(why["text"].as_str().unwrap().contains("found its way back broken: service-lost"), "{why}");

    // It is mended, and its drill is killed while there is a clone; nothing is lost.
    fleet.say("web-2", "sudo rm /etc/nginx/conf.d/nonsense.conf");
    let mut controller = work.start(&[&DRILL[..], &["-i", &work.inventory, "--limit", "web-2"]].concat());
    eventually("there is a clone", 180, || {
        if let Some(ended) = controller.try_wait().unwrap() {
            panic!("the controller ended before there was a clone: {ended}\n{}", work.log());
        }
        held(&fleet, &hosts).iter().any(|held| matches!(held, Held::Clone(_)))
    });
    controller.kill().unwrap();
    controller.wait().unwrap();
    let left: Value = serde_json::from_str(&work.ok(&["clones", "list", "--format", "json"])).unwrap();
    let kinds: Vec<_> = left.as_array().unwrap().iter().map(|item| (&item["kind"], &item["in_use"])).collect();
    assert!(kinds.contains(&(&Value::from("clone"), &Value::from(true))), "{left}");
    let (code, _, log) = drill(&["--limit", "web-2"]);
    assert_eq!(code, 9, "{log}");
    assert!(log.contains("switchback resume"), "{log}");

    let (code, _, log) = work.run(&["resume"]);

    assert_eq!((code, work.outcomes()["web-2"].as_str()), (0, "proven"), "{log}");
    assert_eq!(held(&fleet, &hosts), []);
    assert_eq!(work.plan()["hosts"].as_object().unwrap().len(), 2);
}
