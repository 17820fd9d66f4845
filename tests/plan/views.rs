//! What people see of a plan.

use std::io::Write as _;
use std::process::{Command, Stdio};

use switchback::model::{Digest, HostName, RuleName, SwitchSettings, VulnerabilityId};
use switchback::plan::{HostExplained, Plan, explain, plan_id};
use switchback::policy::Amount;
use switchback::report::{explain_text, plan_dot, plan_mermaid, plan_table, plan_tree};

use crate::fleet::{Fleet, host};

/// Two hosts planned, one blocked.
fn small() -> Plan {
    let mut fleet = Fleet::empty();
    for name in ["web-1", "web-2", "web-3"] {
        let mut host = host(name);
        host.labels.insert("service".to_owned(), "shop".to_owned());
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
        fleet.finding(name, "CVE-2026-2", "bash", "1.4.0");
    }
    fleet.hosts.get_mut("web-1").unwrap().switch = Some(SwitchSettings::Simulated);
    fleet.hosts.get_mut("web-3").unwrap().provider = None;
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Hosts(1)));
    fleet.plan()
}

/// The same with names that try to leave their place.
fn hostile() -> Plan {
    let mut plan = small();
    let evil = RuleName::new("x\"] --> y; </script><b>`$(id)`%%{init}%%\\").unwrap();
    plan.rollout.waves[0].name = evil.clone();
    for host in plan.hosts_mut() {
        host.playbook = evil.clone();
        host.group = Some(evil.clone());
    }
    plan.report.blocked.get_mut("web-3").unwrap()[0].text = "bad \u{1b}[2J\u{202e} text\nsecond line".to_owned();
    plan
}

fn id(plan: &Plan) -> Digest {
    plan_id(plan).unwrap()
}

#[test]
fn the_table_goes_by_wave_and_names_what_is_left_out() {
    let plan = small();
    let table = plan_table(&plan, &id(&plan));
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with(&format!(
        "Plan {}, as of 2026-11-23 06:00Z: 2 hosts in 2 waves, 6 findings (6 fix)",
        id(&plan).short()
    )));
    assert!(lines.contains(&"Service shop: at most 1 of 3 hosts down"));
    let canary = lines.iter().position(|l| *l == "canary (1 host, then watched for 30m)").unwrap();
    assert!(lines[canary + 1].trim_start().starts_with("HOST"));
    let row: Vec<&str> = lines[canary + 2].split_whitespace().collect();
    assert_eq!(row[0], "web-1");
    assert!(lines[canary + 2].contains("bash, openssl") && lines[canary + 2].contains("saturday-night"));
    assert!(table.contains("Not planned (1 host)") && table.contains("no-backup-provider"));
    // Columns stand under their titles.
    let column = lines[canary + 1].find("PACKAGES").unwrap();
    assert_eq!(&lines[canary + 2][column..column + 4], "bash");
}

#[test]
fn the_tree_shows_every_step_with_its_way_back() {
    let plan = small();
    let tree = plan_tree(&plan, &id(&plan));
    for part in [
        "├─ web-1: ",
        "bash 1.2.0 → 1.4.0",
        "on failure",
        "restore (about ",
        "verify_restored (about ",
        "└─ web-3: not planned",
    ] {
        assert!(tree.contains(part), "{part}\n{tree}");
    }
    let position = |text: &str| tree.find(text).unwrap();
    assert!(position("─ backup") < position("─ drain") && position("─ drain") < position("─ fix"));
}

#[test]
fn drawings_hold_every_step_and_edge() {
    let plan = small();
    let steps: usize = plan.hosts.values().flat_map(|h| &h.steps).map(|s| 1 + s.undo.len()).sum();
    let edges: usize = plan.hosts.values().flat_map(|h| &h.steps).map(|s| s.needs.len() + s.undo.len()).sum();
    let (mermaid, dot) = (plan_mermaid(&plan), plan_dot(&plan));
    // One more edge from wave to wave, and the titles of two waves.
    assert_eq!(mermaid.matches("[\"").count(), steps + 2);
    assert_eq!(mermaid.matches("->").count(), edges + 1);
    assert_eq!(dot.matches("[label=").count(), steps);
    assert_eq!(dot.matches(" -> ").count(), edges + 1);
    let big = Fleet::of(64, 1).plan();
    assert!(plan_mermaid(&big).lines().count() < 64 + 40, "many hosts are one node each");
}

#[test]
fn hostile_names_stay_in_their_labels() {
    let plan = hostile();
    for text in [plan_table(&plan, &id(&plan)), plan_tree(&plan, &id(&plan)), plan_mermaid(&plan), plan_dot(&plan)] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
        assert!(!text.lines().any(|l| l.trim_start().starts_with("second line")), "{text}");
    }
    let title = plan_mermaid(&plan).lines().find(|l| l.contains("subgraph w0")).unwrap().to_owned();
    assert_eq!(title.matches('"').count(), 2, "{title}");
    assert!(!title.contains("-->") && !title.contains('<') && !title.contains('%') && !title.contains('`'), "{title}");
    let title = plan_dot(&plan).lines().find(|l| l.contains("label=\"x")).unwrap().to_owned();
    assert!(title.contains("x\\\"] --> y;") && title.ends_with("\\\\: 1 host, then watched for 30m\";"), "{title}");
    let host = HostName::new("web-1").unwrap();
    assert!(!explain_text(&explain(&plan, &host, None).unwrap()).contains('\u{1b}'));
}

/// Graphviz itself reads the drawing, where it is installed.
#[test]
fn graphviz_takes_the_hostile_drawing() {
    let child = Command::new("dot").arg("-Tplain").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: Graphviz (dot) is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(plan_dot(&hostile()).as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn explanations_give_the_whole_chain() {
    let plan = small();
    let host = HostName::new("web-1").unwrap();
    let cve = VulnerabilityId::new("cve-2026-1").unwrap();
    let one = explain(&plan, &host, Some(&cve)).unwrap();
    assert_eq!(one.decisions.len(), 1);
    let HostExplained::Planned(planned) = &one.outcome else { panic!("{one:?}") };
    assert_eq!((planned.wave.as_str(), planned.place, planned.hosts_before), ("canary", 1, 0));
    assert_eq!(planned.steps.len(), 11);
    let text = explain_text(&one);
    for part in [
        "web-1",
        "priority",
        "cvss",
        "weighs",
        "decision",
        "fix",
        "wave",
        "canary",
        "saturday-night",
        "on failure restore, verify_restored",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    assert_eq!(explain(&plan, &host, None).unwrap().decisions.len(), 2);
    let blocked = explain(&plan, &HostName::new("web-3").unwrap(), None).unwrap();
    assert!(matches!(&blocked.outcome, HostExplained::Blocked(r) if r[0].code == "no-backup-provider"));
    assert!(explain_text(&blocked).contains("no-backup-provider"));

    let unknown = VulnerabilityId::new("CVE-1999-1").unwrap();
    assert_eq!(explain(&plan, &host, Some(&unknown)).unwrap_err().code(), "unknown-vulnerability");
    assert_eq!(explain(&plan, &HostName::new("web-9").unwrap(), None).unwrap_err().code(), "unknown-host");
    // Explanations are data too.
    assert!(serde_json::to_value(&one).unwrap()["outcome"]["planned"]["steps"].is_array());
}
