//! One campaign over hosts that each have another fault: all happen for real, and every host ends as documented.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use switchback::lab::{EvidenceEvent, Fault, Trigger};

use crate::campaign::{Work, health, packages};
use crate::fleet::{Fleet, eventually};
use crate::told::tell;

/// No canary and wide budgets: no host waits for another. The soak covers the update that breaks late.
const POLICY: &str = r#"
version: 1
scope: {fix: [critical, high, medium, low]}
rollout:
  canary: {hosts: 0, soak: 1s}
  waves: ["100%"]
  max_unavailable: {per: {label: service}, value: 100%}
  failure_budget: {hosts: 100}
  concurrency: {hosts: 100}
verify:
  soak: 90s
  probes:
    - {name: web answers, match: {groups: [web]}, http: {url: "http://{{ host.address }}/health", status: 200}}
"#;

/// The shipped playbook with less patience: for a preflight, for a fix, and for a host that was put back.
const LESS_PATIENCE: [(&str, &str); 6] = [
    ("name: linux-apt\n", "name: apt-in-a-hurry\n"),
    ("timeout: 10m", "timeout: 2m"),
    ("timeout: 30m", "timeout: 90s"),
    ("back_within: 10m", "back_within: 30s"),
    ("preflight: 30s", "preflight: 10s"),
    ("fix: 3m", "fix: 20s"),
];

/// A provider of the user's own whose restore fails; its backup stays.
const PROVIDER: &str = r#"#!/bin/sh
set -eu
cd "${0%/*}"
case $1 in
    backup) podman exec "$3" tar -cf - /etc /var/lib/dpkg >backup.tar 2>/dev/null; echo "$2" >key; echo the-backup ;;
    verify) tar -tf backup.tar >/dev/null ;;
    restore) echo 'the storage is broken' >&2; exit 75 ;;
    list) [ ! -e key ] || echo "backup $(cat key) the-backup" ;;
esac
"#;

/// What is done to a host when its fix is in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InFix {
    Cut(Fault),
    BackupGone,
}

/// A fault, and what the docs say of it.
struct Case {
    fault: &'static str,
    /// The update that is pending.
    update: Fault,
    /// What else is planted between plan and run.
    late: Option<(Fault, Trigger)>,
    in_fix: Option<InFix>,
    proof: &'static str,
    /// The outcome and, unless it is fixed, the reason's code.
    ends: (&'static str, &'static str),
    /// Where it failed.
    failed: &'static str,
}

const fn case(fault: &'static str, update: Fault, proof: &'static str, ends: (&'static str, &'static str)) -> Case {
    Case { fault, update, late: None, in_fix: None, proof, ends, failed: "" }
}

const SLOW: Fault = Fault::Slow { seconds: 10 };
/// Longer than ssh takes to notice that the other side is gone.
const FOR_A_WHILE: Fault = Fault::Partition { seconds: Some(22) };
const FOR_GOOD: Fault = Fault::Partition { seconds: None };
const LOCK_PASSES: Fault = Fault::AptLocked { seconds: 45 };
const LOCK_STAYS: Fault = Fault::AptLocked { seconds: 1800 };
/// The host whose backups are made by [`PROVIDER`].
const BROKEN_RESTORE: &str = "restore: its provider fails";

fn cases() -> Vec<Case> {
    use Trigger::{DuringFix, Now};
    vec![
        Case {
            in_fix: Some(InFix::Cut(FOR_A_WHILE)),
            ..case(
                "network: cut by nftables in mid-fix, for a while",
                SLOW,
                "evidence; the connection was lost in the job, which is on the host once",
                ("fixed", ""),
            )
        },
        Case {
            in_fix: Some(InFix::Cut(FOR_GOOD)),
            failed: "restore",
            ..case(
                "network: cut by nftables in mid-fix, for good",
                SLOW,
                "evidence; its backup is listed",
                ("stuck", "undo-failed"),
            )
        },
        Case {
            late: Some((Fault::Cut { seconds: None }, DuringFix)),
            failed: "fix",
            ..case(
                "network: the host's link goes down in mid-fix, for good",
                Fault::Healthy,
                "evidence",
                ("restored", "unknown-past-deadline"),
            )
        },
        Case {
            late: Some((Fault::SshGone, DuringFix)),
            failed: "verify",
            ..case("network: sshd ends in mid-fix", Fault::Healthy, "evidence", ("restored", "configuration-broken"))
        },
        Case {
            late: Some((Fault::Reboot, DuringFix)),
            failed: "fix",
            ..case(
                "host: rebooted by somebody else in mid-fix",
                Fault::Healthy,
                "evidence",
                ("restored", "job-lost-by-reboot"),
            )
        },
        Case {
            late: Some((Fault::DiskFull, Now)),
            failed: "preflight",
            ..case("host: disk full", Fault::Healthy, "evidence", ("untouched", "no-space"))
        },
        Case {
            late: Some((Fault::DpkgInterrupted, Now)),
            failed: "preflight",
            ..case("packages: dpkg was interrupted", Fault::Healthy, "evidence", ("untouched", "packages-broken"))
        },
        Case {
            late: Some((Fault::MirrorGone, Now)),
            failed: "preflight",
            ..case("packages: source down", Fault::Healthy, "evidence", ("untouched", "source-unreachable"))
        },
        Case {
            late: Some((LOCK_PASSES, Now)),
            ..case(
                "packages: apt's lock held for a while",
                Fault::Healthy,
                "evidence; the preflight met it, and ended after it",
                ("fixed", ""),
            )
        },
        Case {
            late: Some((LOCK_STAYS, Now)),
            failed: "preflight",
            ..case("packages: apt's lock held for longer", Fault::Healthy, "evidence", ("untouched", "locked"))
        },
        Case {
            failed: "fix",
            ..case("update: fails", Fault::FailingPostinst, "evidence", ("restored", "transaction-failed"))
        },
        Case {
            failed: "verify",
            ..case("update: breaks nginx at once", Fault::NginxBroken, "evidence", ("restored", "configuration-broken"))
        },
        Case {
            failed: "soak",
            ..case(
                "update: breaks nginx some time later",
                Fault::Nginx500 { after: 60 },
                "evidence; it was well when it was verified",
                ("restored", "probe-failed"),
            )
        },
        Case {
            in_fix: Some(InFix::BackupGone),
            late: None,
            failed: "restore",
            ..case(
                "restore: somebody has deleted the backup",
                SLOW,
                "evidence of the ended sshd",
                ("stuck", "undo-failed"),
            )
        },
        Case {
            failed: "restore",
            ..case(BROKEN_RESTORE, Fault::FailingPostinst, "evidence; its backup is listed", ("stuck", "undo-failed"))
        },
    ]
}

/// The campaign's tools: the inventory with one host of another provider, the playbook with less patience.
fn work(fleet: &Fleet, cases: &[(String, Case)]) -> Work {
    let mut work = Work::new(fleet, POLICY);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/playbooks/linux-apt.yaml");
    let playbook = LESS_PATIENCE.iter().fold(std::fs::read_to_string(shipped).unwrap(), |text, (long, short)| {
        assert!(text.contains(long), "{long}");
        text.replace(long, short)
    });
    std::fs::write(work.dir.join("playbook.yaml"), playbook).unwrap();

    let (host, _) = cases.iter().find(|(_, case)| case.fault == BROKEN_RESTORE).unwrap();
    let folder = work.dir.join("provider");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("provider.sh");
    std::fs::write(&program, PROVIDER).unwrap();
    let call = |args: &[&str]| {
        let program = program.display().to_string();
        serde_json::to_string(&[&["/bin/sh", program.as_str()], args].concat()).unwrap()
    };
    let container = fleet.container(host);
    let own = format!(
        "provider: {{kind: exec, backup: {}, restore: {}, verify_backup: {}, list: {}, timeout: 1m}}",
        call(&["backup", "{key}", &container]),
        call(&["restore"]),
        call(&["verify"]),
        call(&["list"]),
    );
    let text = fleet.lab.inventory_yaml().unwrap();
    let lines = text.lines().map(|line| {
        let is_its = line.contains("provider:") && line.contains(&format!("name: {container},"));
        if is_its { format!("    {own}") } else { line.to_owned() }
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert!(text.contains("kind: exec"), "{text}");
    let inventory = work.dir.join("inventory.yaml");
    std::fs::write(&inventory, text).unwrap();
    work.inventory = inventory.display().to_string();
    work
}

/// A report for each host. They were made alike, so that one is asked and the others have the same: a scan takes long.
fn scan(work: &Work, cases: &[(String, Case)]) -> Vec<String> {
    let (first, _) = &cases[0];
    work.ok(&["scan", "-i", &work.inventory, "--host", first, "-o", "before.json"]);
    let mut report: Value =
        serde_json::from_str(&std::fs::read_to_string(work.dir.join("before.json")).unwrap()).unwrap();
    report["findings"].as_array_mut().unwrap().retain(|finding| finding["package"] == "sblab-canary");
    let text = report.to_string();
    let write = |(host, _): &(String, Case)| {
        let name = format!("{host}.json");
        std::fs::write(work.dir.join(&name), text.replace(first, host)).unwrap();
        name
    };
    cases.iter().map(write).collect()
}

/// Removes the backup of a host behind its provider's back.
fn delete_backup(fleet: &Fleet, host: &str) {
    let podman = |args: &[&str]| {
        let output = std::process::Command::new("podman").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let filter = format!("label=io.switchback.backup.container={}", fleet.container(host));
    let backups = podman(&["images", "--quiet", "--filter", &filter]);
    assert_eq!(backups.lines().count(), 1, "{backups}");
    podman(&["rmi", "--force", backups.trim()]);
}

fn happen(fleet: &Fleet, host: &str, what: InFix) {
    match what {
        InFix::Cut(fault) => fleet.lab.plant(host, fault, Trigger::Now).unwrap(),
        InFix::BackupGone => {
            delete_backup(fleet, host);
            fleet.lab.plant(host, Fault::SshGone, Trigger::Now).unwrap();
        }
    }
}

fn at(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// One end of the campaign: what every look at it says.
struct Scene<'a> {
    fleet: &'a Fleet,
    report: &'a Value,
    /// What was said of running steps.
    events: &'a str,
    clones: &'a [Value],
}

impl Scene<'_> {
    fn step(&self, host: &str, kind: &str) -> &Value {
        let steps = self.report["hosts"][host]["steps"].as_array().unwrap();
        steps.iter().find(|step| step["kind"] == kind).unwrap_or_else(|| panic!("{host} has no {kind}: {steps:#?}"))
    }

    /// Whether a running step has said something that ends like this.
    fn said(&self, host: &str, step: &str, ending: &str) -> bool {
        let step = format!("{host}/{step}");
        self.events.lines().any(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let told = &event["progress"];
            told["step"] == step.as_str() && told["note"].as_str().unwrap().ends_with(ending)
        })
    }

    /// Each fault of the case has left its evidence.
    fn is_proven(&self, host: &str, case: &Case) {
        let cut = match case.in_fix {
            Some(InFix::Cut(fault)) => Some(fault),
            Some(InFix::BackupGone) => Some(Fault::SshGone),
            None => None,
        };
        let all = [Some(case.update), case.late.map(|(fault, _)| fault), cut];
        for fault in all.into_iter().flatten().filter(|fault| *fault != Fault::Healthy) {
            assert!(self.fleet.lab.fired(host, fault).unwrap(), "{fault} happened on {host}");
        }
        if case.in_fix == Some(InFix::Cut(FOR_A_WHILE)) {
            assert!(self.said(host, "fix", "; asking again"), "the connection was lost");
        }
        if matches!(case.late, Some((LOCK_PASSES, _))) {
            assert!(self.said(host, "preflight", "; again"), "the lock was met");
            let preflight = self.step(host, "preflight");
            let evidence = self.fleet.lab.evidence(host).unwrap();
            let passed = evidence.iter().find(|e| e.event == EvidenceEvent::Ended).unwrap().at;
            let passed = Timestamp::from_millisecond(i64::try_from(passed).unwrap()).unwrap();
            assert!(at(&preflight["started"]) < passed && passed < at(&preflight["ended"]), "{preflight}");
        }
    }

    /// Where it ended, and that the report tells where and why.
    fn ended(&self, host: &str, case: &Case) -> String {
        let told = &self.report["hosts"][host];
        let (outcome, code) = (told["outcome"].as_str().unwrap(), told["reason"]["code"].as_str().unwrap_or_default());
        assert_eq!((outcome, code), case.ends, "{host}, {}: {told:#}", case.fault);
        if !case.failed.is_empty() {
            let failed = self.step(host, case.failed);
            assert_eq!(failed["result"]["result"], "failed", "{host}, {}: {told:#}", case.fault);
        }
        if outcome == "untouched" {
            let steps = told["steps"].as_array().unwrap();
            assert!(steps.iter().all(|step| step["kind"] == "preflight"), "{told:#}");
        }
        if code.is_empty() { format!("`{outcome}`") } else { format!("`{outcome}` (`{code}`)") }
    }

    /// The host itself agrees with the report.
    fn agrees(&self, host: &str, case: &Case, before: &(String, String)) {
        let upgrades = || self.fleet.say(host, "grep -h ' upgrade sblab-canary' /var/log/dpkg.log* | wc -l");
        let jobs = || self.fleet.say(host, "sudo sh -c 'ls /var/lib/switchback/jobs/*/fix'");
        let is = (self.fleet.boot(host), packages(self.fleet, host));
        match case.ends.0 {
            "fixed" => {
                assert_eq!(self.fleet.version(host, "sblab-canary"), "1.1", "{host}");
                assert_eq!((upgrades().as_str(), jobs().as_str()), ("1", "1.0"), "{host}: the fix ran once");
                assert_eq!(is.0, before.0, "{host} was not restarted");
            }
            "untouched" => assert_eq!(is, *before, "{host} was not restarted, restored or changed"),
            "restored" => assert_eq!(is.1, before.1, "{host} is as before"),
            // The restore itself went well; that the host cannot be reached is what a person has to see to.
            _ if case.in_fix == Some(InFix::Cut(FOR_GOOD)) => assert_eq!(is.1, before.1, "{host} is as before"),
            // It was left as the failure left it.
            _ => assert_ne!(is.1, before.1, "{host}"),
        }
        assert_eq!(health(self.fleet, host), "200", "{host}");
    }

    /// Whoever has to see to a host that is stuck finds what is known of it.
    fn is_told_of(&self, host: &str, case: &Case) {
        let why = match case.in_fix {
            Some(InFix::BackupGone) => "does not exist",
            Some(InFix::Cut(_)) => "not back within",
            None => "the storage is broken",
        };
        let text = self.report["hosts"][host]["reason"]["text"].as_str().unwrap();
        assert!(text.contains(why) && text.contains("it was taken back because"), "{text}");
        let backup = self.clones.iter().find(|item| item["host"] == host && item["kind"] == "backup");
        match case.in_fix {
            Some(InFix::BackupGone) => assert_eq!(backup, None),
            _ => {
                let backup = backup.unwrap_or_else(|| panic!("no backup of {host}: {:?}", self.clones));
                assert!(backup["is_stuck"] == true && backup.get("until").is_none(), "{backup}");
            }
        }
    }
}

#[test]
fn every_fault_ends_as_documented() {
    let cases: Vec<(String, Case)> = (1..).map(|number| format!("web-{number}")).zip(cases()).collect();
    let Some(fleet) = Fleet::up("real", u32::try_from(cases.len()).unwrap()) else { return };
    let work = work(&fleet, &cases);
    std::thread::scope(|scope| {
        for (host, case) in &cases {
            scope.spawn(|| fleet.lab.plant(host, case.update, Trigger::Now).unwrap());
        }
    });
    let reports = scan(&work, &cases);
    let args = ["plan", "-p", "policy.yaml", "-i", &work.inventory, "--playbooks", "playbook.yaml", "-o", "plan.json"];
    let reports = reports.iter().flat_map(|report| ["-f", report]);
    work.ok(&args.into_iter().chain(reports).collect::<Vec<_>>());
    let plan: Value = serde_json::from_str(&work.ok(&["show", "plan.json", "--format", "json"])).unwrap();
    assert_eq!(plan["hosts"].as_object().unwrap().len(), cases.len(), "{}", plan["report"]);
    // Who holds apt's lock for a while comes last, so that it is held when the campaign begins.
    let (last, first): (Vec<_>, Vec<_>) = cases.iter().partition(|(_, c)| matches!(c.late, Some((LOCK_PASSES, _))));
    let mut before = BTreeMap::new();
    for (host, case) in first.into_iter().chain(last) {
        let lasts = matches!(case.late, Some((Fault::DpkgInterrupted, _)));
        if !lasts {
            before.insert(host.as_str(), (fleet.boot(host), packages(&fleet, host)));
        }
        if let Some((fault, trigger)) = case.late {
            fleet.lab.plant(host, fault, trigger).unwrap();
        }
        before.entry(host).or_insert_with(|| (fleet.boot(host), packages(&fleet, host)));
    }

    let mut controller = work.start(&["run", "plan.json", "--format", "json"]);
    let mut waiting: Vec<_> = cases.iter().filter_map(|(host, case)| Some((host, case, case.in_fix?))).collect();
    eventually("the fixes are in their middle", 240, || {
        assert!(controller.try_wait().unwrap().is_none(), "the controller ended before the fixes\n{}", work.log());
        waiting.retain(|(host, case, what)| {
            let is_due = fleet.lab.fired(host, case.update).unwrap();
            if is_due {
                happen(&fleet, host, *what);
            }
            !is_due
        });
        waiting.is_empty()
    });
    eventually("the campaign ends", 600, || controller.try_wait().unwrap().is_some());
    let code = controller.wait().unwrap().code();

    let report: Value = serde_json::from_str(&work.ok(&["report", "--format", "json"])).unwrap();
    let clones: Vec<Value> = serde_json::from_str(&work.ok(&["clones", "list", "--format", "json"])).unwrap();
    let status: Value = serde_json::from_str(&work.ok(&["status", "--format", "json"])).unwrap();
    let scene = Scene { fleet: &fleet, report: &report, events: &work.out(), clones: &clones };
    assert_eq!(code, Some(6), "{}\n{}", report["outcomes"], work.log());
    for (host, case) in &cases {
        scene.is_proven(host, case);
        let seen = scene.ended(host, case);
        assert_eq!(status[0]["ended"][host], case.ends.0, "{status}");
        if case.ends.0 == "stuck" {
            scene.is_told_of(host, case);
        }
        match case.in_fix {
            Some(InFix::Cut(FOR_GOOD)) => fleet.lab.heal(host, FOR_GOOD).unwrap(),
            Some(InFix::BackupGone) => fleet.lab.heal(host, Fault::SshGone).unwrap(),
            _ => {}
        }
        scene.agrees(host, case, &before[host.as_str()]);
        let steps = report["hosts"][host]["steps"].as_array().unwrap();
        let took = at(&steps.last().unwrap()["ended"]).duration_since(at(&steps[0]["started"]));
        tell(case.fault, case.proof, &seen, &seen, Duration::try_from(took).unwrap());
    }
}
