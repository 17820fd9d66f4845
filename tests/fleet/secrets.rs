//! No secret is kept or shown: canaries are planted wherever one could come from, and everything that is left is searched.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use switchback::lab::{Fault, Trigger};

use crate::campaign::{ONLY_CANARY, Work};
use crate::fleet::Fleet;

const POLICY: &str = r#"
version: 1
scope: {fix: [critical, high, medium, low]}
rollout: {canary: {hosts: 0, soak: 1s}, waves: ["100%"], max_unavailable: {per: {label: service}, value: 3}}
verify: {soak: 1s}
"#;

/// Its fix says what a careless package script could say, and fails, so that it is kept as evidence.
const PLAYBOOK: &str = r#"
version: 1
name: careless
description: says what it should keep to itself
match: {type: linux}
steps:
  preflight: [{shell: "cat /root/leak", become: true}]
  fix: [{shell: "cat /root/leak; cat /root/leak >&2; exit 1", become: true}]
  verify: [{shell: "true"}]
  verify_restored: [{shell: "true"}]
"#;

/// What the host says, with secrets of every form.
const LEAK: &str = "get https://ann:canary-url@apt.example.com/debian\\nDB_PASSWORD=canary-word\\nAuthorization: Bearer canary-bearer-0123\\n\
                    ##switchback reason leaked token=canary-reason\\n";

/// Another host of the fleet, as people write them for Ansible.
const ANSIBLE: &str = "all:\n  hosts:\n    other-1:\n      ansible_host: 192.0.2.1\n      ansible_password: canary-login\n      \
                       ansible_become_pass: canary-become\n      api_key: canary-variable\n";

#[test]
fn the_sudoers_example_is_all_that_is_needed() {
    let Some(fleet) = Fleet::up("sudoers", 1) else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sudoers/switchback");
    // The lab's login has another name.
    let text = std::fs::read_to_string(example).unwrap().replace("switchback", "ops");
    let write = "base64 -d | sudo tee /etc/sudoers.d/zz-example >/dev/null";
    let encoded = base64(&text);
    fleet.say("web-1", &format!("echo {encoded} | {write} && sudo chmod 0440 /etc/sudoers.d/zz-example && sudo visudo -cf /etc/sudoers.d/zz-example"));
    fleet.say("web-1", "sudo sh -c 'cd /etc/sudoers.d && for f in *; do [ \"$f\" = zz-example ] || rm \"$f\"; done'");
    assert!(!fleet.ssh("web-1", "sudo -n /usr/bin/id").status.success(), "nothing else is allowed any more");
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    work.scan("before.json");
    assert!(fleet.say("web-1", "sudo -n /bin/sh -c 'id -u'") == "0");
}

fn base64(text: &str) -> String {
    let mut child =
        std::process::Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Every canary that some file below a folder holds, with the file.
fn found(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(self::found(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.extend(canaries(&bytes).into_iter().map(|canary| format!("{}: {canary}", path.display())));
        }
    }
    found
}

fn canaries(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let at = text.match_indices("canary-").map(|(at, _)| text[at..].chars().take(20).collect());
    // The lab's own package is called so as well.
    at.filter(|word: &String| !word.starts_with("canary-failed")).collect()
}

/// The command lines of all processes but this one's own.
fn command_lines() -> BTreeSet<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.flat_map(|line| canaries(&line)).collect()
}

#[test]
fn no_secret_is_kept_or_shown() {
    let Some(fleet) = Fleet::up("secrets", 1) else { return };
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    fleet.lab.plant("web-1", Fault::Healthy, Trigger::Now).unwrap();
    fleet.say("web-1", &format!("printf '{LEAK}' | sudo tee /root/leak >/dev/null"));
    std::fs::create_dir_all(work.dir.join("inputs")).unwrap();
    std::fs::write(work.dir.join("inputs/ansible.yaml"), ANSIBLE).unwrap();
    std::fs::write(work.dir.join("careless.yaml"), PLAYBOOK).unwrap();
    work.ok(&["scan", "-i", &work.inventory, "-o", "before.json"]);

    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    let watcher = std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !watched.load(Ordering::Relaxed) {
            seen.extend(command_lines());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        seen
    });
    let mut said = String::new();
    let mut run = |args: &[&str], wanted: i32| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_switchback"))
            .args(args)
            .current_dir(&work.dir)
            .env("DB_PASSWORD", "canary-environment")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        for bytes in [output.stdout, output.stderr] {
            said.push_str(&String::from_utf8_lossy(&bytes));
        }
        assert_eq!(output.status.code(), Some(wanted), "{args:?}\n{said}");
    };
    let inventories = ["-i", &work.inventory, "-i", "inputs/ansible.yaml"];
    let plan = ["plan", "-p", "policy.yaml", "-f", "before.json", "--playbooks", "careless.yaml", "-o", "plan.json"];
    run(&[plan.as_slice(), &inventories].concat(), 0);
    run(&["run", "plan.json"], 5);
    run(&["status"], 0);
    run(&["report", "--format", "json"], 0);
    run(&["report", "--format", "html"], 0);
    run(&["show", "plan.json", "--format", "json"], 0);
    stop.store(true, Ordering::Relaxed);

    assert_eq!(work.outcomes()["web-1"], "restored", "what was said is kept as evidence: the fix failed\n{said}");
    assert!(said.contains("DB_PASSWORD=[redacted]") && said.contains("https://[redacted]@apt.example.com"), "{said}");
    assert!(said.contains("token=[redacted]"), "{said}");
    assert_eq!(watcher.join().unwrap(), BTreeSet::new(), "in the process list");
    assert_eq!(canaries(said.as_bytes()), BTreeSet::new(), "on the terminal");
    // Where they were planted they are; nothing else of ours holds one.
    assert_eq!(found(&work.dir.join("inputs")).len(), 3);
    std::fs::remove_dir_all(work.dir.join("inputs")).unwrap();
    assert_eq!(found(&work.dir), BTreeSet::new(), "in files");
    let key = std::fs::read_to_string(fleet.lab.identity_path()).unwrap();
    let key = key.lines().nth(2).unwrap();
    for name in ["plan.json", ".switchback/journal.db"] {
        let bytes = std::fs::read(work.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!String::from_utf8_lossy(&bytes).contains(key), "{name} holds the private key");
    }
}
