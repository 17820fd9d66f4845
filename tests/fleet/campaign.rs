//! The main job on real hosts: scan, plan, run, go back, resume. The program is used as its users do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use switchback::lab::{Fault, Trigger};

use crate::fleet::{Fleet, eventually};

const CANARY: &str = "sblab-canary";

/// Everything with a fix is fixed now; soaks are short so that the test is.
pub(crate) const POLICY: &str = r#"
version: 1
scope: {fix: [critical, high, medium, low]}
rollout:
  canary: {hosts: 1, soak: 1s}
  waves: ["100%"]
  max_unavailable: {per: {label: service}, value: 3}
  failure_budget: {hosts: 2}
verify:
  soak: 3s
  probes:
    - {name: web answers, match: {groups: [web]}, http: {url: "http://{{ host.address }}/health", status: 200}}
"#;

/// As [`POLICY`], but nothing is fixed except the lab's own package: quick, and the same on every day.
pub(crate) const ONLY_CANARY: &str = r#"
exceptions:
  - {name: others, kind: ignore, match: {not: {package: sblab-canary}}, reason: another test, owner: tests, expires: 2999-01-01}
"#;

/// A folder in which the program runs against a fleet.
pub(crate) struct Work {
    pub(crate) dir: PathBuf,
    pub(crate) inventory: String,
}

impl Work {
    pub(crate) fn new(fleet: &Fleet, policy: &str) -> Self {
        let dir = fleet.dir.join("work");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("policy.yaml"), policy).unwrap();
        let inventory = fleet.lab.inventory_path().display().to_string();
        Self { dir, inventory }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end; answers its exit code, stdout and stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(args);
        assert_eq!(code, 0, "{args:?}\n{stdout}\n{stderr}");
        stdout
    }

    /// Scans all hosts; findings by host.
    pub(crate) fn scan(&self, file: &str) -> BTreeMap<String, Vec<Value>> {
        self.ok(&["scan", "-i", &self.inventory, "-o", file]);
        let findings: Value = serde_json::from_str(&self.ok(&["findings", "-f", file, "--format", "json"])).unwrap();
        let mut by_host: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for finding in findings["findings"].as_array().unwrap() {
            by_host.entry(finding["asset"].as_str().unwrap().to_owned()).or_default().push(finding.clone());
        }
        by_host
    }

    pub(crate) fn plan(&self) -> Value {
        self.ok(&["plan", "-p", "policy.yaml", "-i", &self.inventory, "-f", "before.json", "-o", "plan.json"]);
        serde_json::from_str(&self.ok(&["show", "plan.json", "--format", "json"])).unwrap()
    }

    /// Starts the controller and leaves it running.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let file = |name| std::fs::File::create(self.dir.join(name)).unwrap();
        self.command(args).stdout(file("controller.out")).stderr(file("controller.log")).spawn().unwrap()
    }

    /// What the controller said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("controller.log")).unwrap_or_default()
    }

    /// What it printed.
    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(self.dir.join("controller.out")).unwrap_or_default()
    }

    /// Where each host of the latest campaign ended.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, String> {
        let report: Value = serde_json::from_str(&self.ok(&["report", "--format", "json"])).unwrap();
        let hosts = report["hosts"].as_object().unwrap();
        hosts.iter().map(|(host, r)| (host.clone(), r["outcome"].as_str().unwrap_or("none").to_owned())).collect()
    }
}

pub(crate) fn packages(fleet: &Fleet, host: &str) -> String {
    fleet.say(host, "dpkg-query --show --showformat '${Package}:${Architecture} ${Version} ${Status}\\n' | sort")
}

/// Files of the system that were changed, as the distribution's own checksums see them.
fn config(fleet: &Fleet, host: &str) -> String {
    fleet.say(host, "cd /etc && sudo find . -type f ! -path './ssh/*' ! -name '*.lock' -exec sha256sum {} + | sort -k2")
}

pub(crate) fn health(fleet: &Fleet, host: &str) -> String {
    fleet.say(host, "curl -s -o /dev/null -w '%{http_code}' http://localhost/health; true")
}

#[test]
fn a_campaign_fixes_what_it_can_and_puts_back_what_breaks() {
    let Some(fleet) = Fleet::up("campaign", 4) else { return };
    let work = Work::new(&fleet, POLICY);
    let broken = "web-4";
    fleet.lab.plant(broken, Fault::NginxBroken, Trigger::Now).unwrap();
    let before = work.scan("before.json");
    assert_eq!(before.len(), 4, "every host has pending updates: {:?}", before.keys());
    assert!(before[broken].iter().any(|f| f["package"] == CANARY), "the planted update is found");
    let plan = work.plan();
    assert_eq!(plan["hosts"].as_object().unwrap().len(), 4, "{}", plan["report"]);
    let (packages_before, config_before) = (packages(&fleet, broken), config(&fleet, broken));

    let (code, _, log) = work.run(&["run", "plan.json", "--html", "report.html"]);

    assert!(fleet.lab.fired(broken, Fault::NginxBroken).unwrap(), "the fault happened\n{log}");
    let outcomes = work.outcomes();
    assert_eq!(code, 5, "{outcomes:?}\n{log}");
    for (host, outcome) in &outcomes {
        assert_eq!(outcome, if host == broken { "restored" } else { "fixed" }, "{host}\n{log}");
    }
    // Fixed hosts: nothing that was planned is pending any more, and they serve.
    for host in outcomes.keys().filter(|host| *host != broken) {
        let pending = fleet.say(host, "apt-get -s upgrade | sed -n 's/^Inst \\([^ ]*\\) .*/\\1/p'");
        let planned: Vec<&str> = plan["hosts"][host]["fix"]["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        assert!(planned.len() > 5, "{planned:?}");
        let left: Vec<&str> = pending.lines().filter(|p| planned.contains(p)).collect();
        assert!(left.is_empty(), "{host} still has {left:?} pending");
        assert_eq!(health(&fleet, host), "200", "{host}");
    }
    // The broken host is exactly as before, and serves.
    assert_eq!(packages(&fleet, broken), packages_before);
    assert_eq!(config(&fleet, broken), config_before);
    assert_eq!(health(&fleet, broken), "200");
    // A new scan agrees.
    let after = work.scan("after.json");
    assert_eq!(after.keys().map(String::as_str).collect::<Vec<_>>(), [broken], "only the restored host has findings");
    let html = std::fs::read_to_string(work.dir.join("report.html")).unwrap();
    assert!(html.contains("restored") && html.contains(broken));
}

#[test]
fn a_killed_controller_resumes_and_the_fix_ran_once() {
    let Some(fleet) = Fleet::up("resume", 1) else { return };
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    let (host, slow) = ("web-1", Fault::Slow { seconds: 15 });
    fleet.lab.plant(host, slow, Trigger::Now).unwrap();
    work.scan("before.json");
    let plan = work.plan();
    assert_eq!(plan["hosts"][host]["fix"]["packages"].as_array().unwrap().len(), 1);

    let mut controller = work.start(&["run", "plan.json"]);
    eventually("the fix is in its middle", 120, || {
        if controller.try_wait().unwrap().is_some() {
            panic!("the controller ended before the fix\n{}", work.log());
        }
        fleet.lab.fired(host, slow).unwrap()
    });
    controller.kill().unwrap();
    controller.wait().unwrap();
    // Proof that it was cut off in the middle: the package is not configured yet, and the journal has no result.
    let state = fleet.say(host, "dpkg-query --show --showformat '${db:Status-Status}' sblab-canary");
    assert_ne!(state, "installed", "the controller was killed too late");
    let status: Value = serde_json::from_str(&work.ok(&["status", "--format", "json"])).unwrap();
    assert_eq!(status[0]["active"][host].as_str().map(|s| s.contains("fix")), Some(true), "{status}");

    let (code, _, log) = work.run(&["resume"]);

    assert_eq!((code, work.outcomes()[host].as_str()), (0, "fixed"), "{log}");
    let upgrades = fleet.say(host, "grep -h ' upgrade sblab-canary' /var/log/dpkg.log* | wc -l");
    assert_eq!(upgrades, "1", "the fix ran once");
    assert_eq!(fleet.version(host, CANARY), "1.1");
}

/// A campaign of two hosts whose canary is in the middle of a slow fix.
fn in_the_middle(fleet: &Fleet) -> (Work, Child) {
    let work = Work::new(fleet, &format!("{POLICY}{ONLY_CANARY}"));
    let slow = Fault::Slow { seconds: 12 };
    fleet.lab.plant("web-1", slow, Trigger::Now).unwrap();
    fleet.lab.plant("web-2", Fault::Healthy, Trigger::Now).unwrap();
    work.scan("before.json");
    work.plan();
    let mut controller = work.start(&["run", "plan.json"]);
    eventually("the fix is in its middle", 120, || {
        assert!(controller.try_wait().unwrap().is_none(), "the controller ended before the fix\n{}", work.log());
        fleet.lab.fired("web-1", slow).unwrap()
    });
    (work, controller)
}

fn interrupt(controller: &Child) {
    let sent = Command::new("kill").args(["-INT", &controller.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_once_finishes_what_runs_and_resume_goes_on() {
    let Some(fleet) = Fleet::up("ctrlc", 2) else { return };
    let (work, mut controller) = in_the_middle(&fleet);

    interrupt(&controller);
    let code = controller.wait().unwrap().code();

    let log = work.log();
    assert_eq!(code, Some(7), "{log}");
    assert!(log.contains("paused by"), "{log}");
    let outcomes = work.outcomes();
    assert_eq!((outcomes["web-1"].as_str(), outcomes["web-2"].as_str()), ("fixed", "none"), "{log}");
    assert_eq!(fleet.version("web-2", CANARY), "1.0", "nothing new was started");
    let (code, _, log) = work.run(&["resume"]);
    assert_eq!((code, work.outcomes()["web-2"].as_str()), (0, "fixed"), "{log}");
}

#[test]
fn ctrl_c_twice_takes_back_what_is_in_the_middle() {
    let Some(fleet) = Fleet::up("abort", 2) else { return };
    let (work, mut controller) = in_the_middle(&fleet);
    let before = packages(&fleet, "web-2");

    interrupt(&controller);
    eventually("the pause is durable", 10, || work.log().contains("paused by"));
    interrupt(&controller);
    let code = controller.wait().unwrap().code();

    let log = work.log();
    assert_eq!(code, Some(8), "{log}");
    let outcomes = work.outcomes();
    assert_eq!((outcomes["web-1"].as_str(), outcomes["web-2"].as_str()), ("restored", "untouched"), "{log}");
    assert_eq!(fleet.version("web-1", CANARY), "1.0");
    assert_eq!(packages(&fleet, "web-2"), before);
    assert_eq!(health(&fleet, "web-1"), "200");
}

#[test]
fn a_wrong_host_key_is_never_talked_to() {
    let Some(fleet) = Fleet::up("hostkey", 1) else { return };
    let work = Work::new(&fleet, POLICY);
    let inventory = std::fs::read_to_string(fleet.lab.inventory_path()).unwrap();
    let key = inventory.lines().find_map(|l| l.split("ssh-ed25519 ").nth(1)).unwrap();
    let key: String = key.chars().take_while(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)).collect();
    let other = Command::new("sh")
        .args(["-c", "rm -f k k.pub; ssh-keygen -q -t ed25519 -N '' -f k && cut -d' ' -f2 k.pub"])
        .current_dir(&work.dir)
        .output()
        .unwrap();
    let other = String::from_utf8(other.stdout).unwrap();
    std::fs::write(work.dir.join("inventory.yaml"), inventory.replace(&key, other.trim())).unwrap();

    let (code, _, stderr) = work.run(&["scan", "-i", "inventory.yaml", "-o", "before.json"]);

    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("host key of web-1 is not one that is known"), "{stderr}");
    assert!(stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{stderr}");
}
