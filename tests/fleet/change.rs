//! A change under change control on real hosts: approved by two people, in part anew after a re-plan, run, reported, and
//! proven to a stranger.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use switchback::lab::{Fault, Trigger};

use crate::campaign::{ONLY_CANARY, POLICY, Work};
use crate::fleet::Fleet;

const APPROVALS: &str = "
approvals:
  - {match: {groups: [web]}, required: 2, from: approvers, not_author: true, valid_for: 8h}
";

/// One host is asked for more than before.
const ONE_MORE_PROBE: &str = "    - {name: web-2 answers, match: {hosts: [web-2]}, http: {url: \"http://{{ host.address }}/health\", status: 200}}\n";

fn new_key(dir: &Path, name: &str) -> String {
    let file = dir.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status().unwrap();
    assert!(made.success());
    fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned()
}

fn plan(work: &Work) {
    let args = ["plan", "-p", "policy.yaml", "-i", &work.inventory, "-f", "before.json", "-o", "plan.json"];
    work.ok(&[&args[..], &["--author", "dora@example.com", "--ticket", "CHG0012"]].concat());
}

/// Whether nothing is missing, and the hosts for which something is.
fn stands(work: &Work) -> (bool, String) {
    let (code, out, err) = work.run(&["approvals", "plan.json"]);
    assert!(code == 0 || code == 4, "{out}\n{err}");
    (code == 0, out)
}

fn flip_a_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_change_is_approved_run_and_proven_to_a_stranger() {
    let Some(fleet) = Fleet::up("change", 2) else { return };
    for host in ["web-1", "web-2"] {
        fleet.lab.plant(host, Fault::Healthy, Trigger::Now).unwrap();
    }
    let policy = [POLICY, ONLY_CANARY, APPROVALS].concat();
    let work = Work::new(&fleet, &policy);
    let keys = work.dir.join("keys");
    fs::create_dir(&keys).unwrap();
    let lines = ["alice", "bob", "dora"].map(|name| format!("{name}@example.com {}\n", new_key(&keys, name)));
    new_key(&keys, "mallory");
    fs::write(work.dir.join("approvers"), lines.concat()).unwrap();
    let approve = |who: &str| work.run(&["approve", "plan.json", "--yes", "--key", &format!("keys/{who}")]);
    work.scan("before.json");
    plan(&work);

    let (code, _, err) = work.run(&["run", "plan.json"]);
    assert!(code == 4 && err.contains("approval-missing"), "{err}");
    for who in ["mallory", "dora"] {
        let (code, out, err) = approve(who);
        assert!(code != 0 || !stands(&work).0, "{who} counts: {out}\n{err}");
    }
    for who in ["alice", "bob"] {
        let (code, out, err) = approve(who);
        assert_eq!(code, 0, "{out}\n{err}");
    }
    assert!(stands(&work).0, "two of two");

    // One host's part of the plan changes: its approvals are void, the other's stay.
    fs::write(work.dir.join("policy.yaml"), [POLICY, ONE_MORE_PROBE, ONLY_CANARY, APPROVALS].concat()).unwrap();
    plan(&work);
    let (complete, text) = stands(&work);
    assert!(!complete && text.contains("missing for web-2") && !text.contains("missing for web-1"), "{text}");
    assert_eq!(work.run(&["run", "plan.json"]).0, 4);
    for who in ["alice", "bob"] {
        let (code, out, err) = approve(who);
        assert!(code == 0 && (out + &err).contains("web-2"));
    }
    assert!(stands(&work).0);
    // Anybody can verify what they signed.
    let folder = work.dir.join("plan.json.approvals");
    let alice = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        path.extension().is_some_and(|e| e == "json") && fs::read_to_string(path).unwrap().contains("alice@example.com")
    });
    let alice = alice.unwrap();
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "approvers", "-I", "alice@example.com", "-n", "switchback-approval", "-s"])
        .arg(format!("{}.sig", alice.display()))
        .stdin(fs::File::open(&alice).unwrap())
        .current_dir(&work.dir)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");

    let (code, out, err) = work.run(&["run", "plan.json", "--html", "report.html"]);
    assert_eq!(code, 0, "{out}\n{err}");
    for host in ["web-1", "web-2"] {
        assert_eq!(fleet.version(host, "sblab-canary"), "1.1");
    }
    let page = fs::read_to_string(work.dir.join("report.html")).unwrap();
    assert!(page.contains("alice@example.com") && page.contains("bob@example.com") && page.contains("CHG0012"));
    let history: Value = serde_json::from_str(&work.ok(&["history", "--format", "json"])).unwrap();
    let history = history.to_string();
    assert!(history.contains("CHG0012") && history.contains("sblab-canary"), "{history}");

    // The stranger has the folder and the controller's key, and nothing else.
    let campaign: Value = serde_json::from_str(&work.ok(&["status", "--format", "json"])).unwrap();
    let campaign = campaign[0]["campaign"].as_str().unwrap();
    work.ok(&["audit", "export", campaign, "-o", "evidence"]);
    let stranger = Work { dir: fleet.dir.join("stranger"), inventory: String::new() };
    let _ = fs::remove_dir_all(&stranger.dir);
    fs::create_dir(&stranger.dir).unwrap();
    fs::rename(work.dir.join("evidence"), stranger.dir.join("evidence")).unwrap();
    fs::write(stranger.dir.join("controller.allowed"), work.ok(&["audit", "key"])).unwrap();
    let verify = ["audit", "verify", "evidence", "--controller-key", "controller.allowed"];
    let text = stranger.ok(&verify);
    assert!(text.contains("verified") && text.contains("2 fixed"), "{text}");
    flip_a_byte(&stranger.dir.join("evidence/journal.jsonl"));
    let (code, text, _) = stranger.run(&verify);
    assert_eq!(code, 13, "{text}");
}
