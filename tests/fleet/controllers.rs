//! What happens to controllers: two of one campaign, a full disk, and kills at random moments.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use switchback::engine::{Record, RecordBody, StepResult};
use switchback::lab::{Fault, Trigger};
use switchback::provider::{Containers, Provider as _};
use switchback::sim::Rng;
use switchback::store::{Journal as _, SqliteJournal};

use crate::campaign::{ONLY_CANARY, POLICY, Work, health};
use crate::fleet::{Fleet, eventually};
use crate::told::tell;

const HOST: &str = "web-1";
const SLOW: Fault = Fault::Slow { seconds: 12 };

/// The records of the only campaign that has not ended, else of the latest; their chain is verified by reading them.
fn records(work: &Work) -> Vec<Record> {
    let mut journal = SqliteJournal::open(&work.dir.join(".switchback")).unwrap();
    let campaigns = journal.campaigns().unwrap();
    let latest = campaigns.iter().max_by_key(|campaign| (!campaign.ended, campaign.started)).unwrap();
    journal.read(&latest.id).unwrap()
}

/// The steps that were started, in order; a step that was started twice is there twice.
fn intents(records: &[Record]) -> Vec<String> {
    let step = |record: &Record| match &record.body {
        RecordBody::Intent { attempt, .. } => Some(attempt.step.to_string()),
        _ => None,
    };
    records.iter().filter_map(step).collect()
}

fn fences(records: &[Record]) -> Vec<u64> {
    let fence = |record: &Record| match record.body {
        RecordBody::ControllerStarted { fence, .. } => Some(fence),
        _ => None,
    };
    records.iter().filter_map(fence).collect()
}

/// Each step was started once, whatever happened to the controllers.
fn started_once(records: &[Record]) {
    let mut steps = intents(records);
    let all = steps.len();
    steps.sort();
    steps.dedup();
    assert_eq!(steps.len(), all, "a step was started twice: {:?}", intents(records));
}

/// Waits until the planted update is being installed.
fn in_its_middle(fleet: &Fleet, work: &Work, controller: &mut Child) {
    eventually("the fix is in its middle", 120, || {
        assert!(controller.try_wait().unwrap().is_none(), "the controller ended before the fix\n{}", work.log());
        fleet.lab.fired(HOST, SLOW).unwrap()
    });
}

fn signal(controller: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &controller.id().to_string()]).status().unwrap().success());
}

/// Kills a controller with -9; it did not end by itself before.
fn kill(controller: &mut Child) {
    controller.kill().unwrap();
    assert_eq!(controller.wait().unwrap().signal(), Some(9), "it was killed");
}

/// Lines of the host's package log since it had so many.
fn package_log(fleet: &Fleet, host: &str, since: usize) -> Vec<String> {
    fleet.say(host, "cat /var/log/dpkg.log 2> /dev/null || true").lines().skip(since).map(str::to_owned).collect()
}

fn upgrades<'a>(log: &'a [String], package: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(&format!(" upgrade {package}:"))).collect()
}

/// What is on the host of the jobs of this campaign's steps.
fn jobs(fleet: &Fleet, campaign: &str) -> String {
    fleet.say(HOST, &format!("sudo sh -c 'cd /var/lib/switchback/jobs/{campaign} && ls -d */*'"))
}

#[test]
fn two_controllers_never_run_one_campaign() {
    let Some(fleet) = Fleet::up("two", 1) else { return };
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    fleet.lab.plant(HOST, SLOW, Trigger::Now).unwrap();
    work.scan("before.json");
    work.plan();
    let begun = Instant::now();
    let mut first = work.start(&["run", "plan.json"]);
    in_its_middle(&fleet, &work, &mut first);

    // One that runs keeps others out, also while it is frozen: nobody knows whether it will wake up.
    for frozen in [false, true] {
        if frozen {
            signal(&first, "-STOP");
        }
        let (code, _, said) = work.run(&["resume"]);
        assert!(code == 9 && said.contains("is run by another controller"), "{code}: {said}");
        let (code, _, said) = work.run(&["run", "plan.json"]);
        assert!(code == 9 && said.contains("host web-1 is in campaign"), "{code}: {said}");
    }
    assert_eq!(first.try_wait().unwrap(), None, "the first still lives");
    assert_eq!(fences(&records(&work)), [1], "the second wrote nothing");
    kill(&mut first);

    // Several want it at once: one gets it.
    let others: Vec<Child> = (0..3).map(|_| work.start(&["resume"])).collect();
    let mut codes: Vec<Option<i32>> = others.into_iter().map(|mut other| other.wait().unwrap().code()).collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(9), Some(9)], "{}", work.log());
    let took = begun.elapsed();

    let records = records(&work);
    assert_eq!(fences(&records), [1, 2]);
    started_once(&records);
    let jobs = jobs(&fleet, records[0].campaign.as_str());
    assert_eq!(jobs.lines().filter(|job| job.starts_with("fix/")).collect::<Vec<_>>(), ["fix/1.0"], "{jobs}");
    assert_eq!(work.outcomes()[HOST], "fixed");
    assert_eq!(upgrades(&package_log(&fleet, HOST, 0), "sblab-canary").len(), 1);
    tell(
        "controller: two at once, also when one is frozen or killed",
        "exit code 9 of the others; the journal has fences 1 and 2, each step and job once",
        "`fixed`, by one after the other",
        "`fixed`",
        took,
    );
}

/// A small file system; it goes also when the test fails.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path, size: &str) -> Self {
        let _ = Command::new("umount").arg(path).output();
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output().unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
        Self(path.to_owned())
    }

    /// Leaves no room at all; answers how much it took.
    fn fill(&self) -> u64 {
        let mut file = std::fs::File::create(self.0.join("full")).unwrap();
        let block = [0; 4096];
        while file.write_all(&block).is_ok() {}
        file.metadata().unwrap().len()
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("full")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_controller_and_nothing_else() {
    let Some(fleet) = Fleet::up("nospace", 1) else { return };
    let work = Work::new(&fleet, &format!("{POLICY}{ONLY_CANARY}"));
    let disk = Small::mount(&work.dir.join(".switchback"), "4m");
    fleet.lab.plant(HOST, SLOW, Trigger::Now).unwrap();
    work.scan("before.json");
    work.plan();
    let begun = Instant::now();
    let mut controller = work.start(&["run", "plan.json"]);
    in_its_middle(&fleet, &work, &mut controller);
    assert!(disk.fill() > 0);

    eventually("the controller stops", 60, || controller.try_wait().unwrap().is_some());
    let code = controller.wait().unwrap().code();

    let log = work.log();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("no space left for the journal"), "{log}");
    assert!(log.contains("no further step was started") && log.contains("switchback resume"), "{log}");
    // The job on the host went on to its end, and nothing came after it.
    assert_eq!(fleet.version(HOST, "sblab-canary"), "1.1");
    let campaign = fleet.say(HOST, "sudo ls /var/lib/switchback/jobs");
    assert_eq!(jobs(&fleet, &campaign), "fix/1.0");
    let (code, _, said) = work.run(&["resume"]);
    assert!(code == 1 && said.contains("no space left for the journal"), "{code}: {said}");
    assert_eq!(jobs(&fleet, &campaign), "fix/1.0", "nothing was started without a record of it");

    disk.make_room();
    assert_eq!(
        intents(&records(&work)).last().map(String::as_str),
        Some("web-1/fix"),
        "the journal ends with its intent"
    );
    let (code, _, log) = work.run(&["resume"]);
    let took = begun.elapsed();

    assert_eq!((code, work.outcomes()[HOST].as_str()), (0, "fixed"), "{log}");
    started_once(&records(&work));
    assert_eq!(upgrades(&package_log(&fleet, HOST, 0), "sblab-canary").len(), 1);
    drop(disk);
    tell(
        "controller: disk full",
        "no block of the state folder's file system is free; exit code 1 says so, also of `resume`",
        "`fixed`, by `resume` when there is room",
        "`fixed`",
        took,
    );
}

/// So many kills are enough to see that it works; a long run makes more.
const KILLS: usize = 6;
/// The longest pause before a kill, in milliseconds. It doubles as long as no step comes to its end, so that a slow
/// machine gets on as well.
const LONGEST: u64 = 4_000;

fn number(name: &str) -> Option<u64> {
    switchback::env::var(name).and_then(|value| value.parse().ok())
}

/// How far the campaign is: how many steps have ended, and what hosts are at.
fn stands(work: &Work) -> (usize, String) {
    let (code, out, _) = work.run(&["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&out).unwrap_or_default();
    let open = status.as_array().and_then(|all| all.iter().find(|one| one["phase"] != "ended"));
    let (Some(open), 0) = (open, code) else { return (0, String::new()) };
    let active = open["active"].as_object().unwrap();
    let active: Vec<String> = active.iter().map(|(host, step)| format!("{host} {}", step.as_str().unwrap())).collect();
    let ends = |record: &Record| match &record.body {
        RecordBody::Outcome { result, .. } => !matches!(result, StepResult::Unknown { .. }),
        _ => false,
    };
    let ended = records(work).iter().filter(|record| ends(record)).count();
    (ended, active.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_at_any_moment_resumes() {
    const HOSTS: [&str; 3] = ["web-1", "web-2", "web-3"];
    let kills = number("SWITCHBACK_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    let seed = number("SWITCHBACK_SEED")
        .unwrap_or_else(|| u64::from_str_radix(&switchback::env::random_hex().unwrap(), 16).unwrap());
    let say = |text: String| writeln!(std::io::stderr(), "{text}").unwrap();
    say(format!("KILLS {kills} with SWITCHBACK_SEED={seed}"));
    let Some(fleet) = Fleet::up("kills", 3) else { return };
    let keep_nothing = POLICY.replace("verify:", "backup: {keep: 0s}\nverify:");
    // The long run begins with everything that is pending.
    let everything = kills > KILLS;
    let mut rng = Rng::new(seed);
    let (mut killed, mut campaign) = (0, 0);
    let begun = Instant::now();
    while killed < kills {
        campaign += 1;
        let only = if everything && campaign == 1 { "" } else { ONLY_CANARY };
        let work = Work::new(&fleet, &format!("{keep_nothing}{only}"));
        let slow = Fault::Slow { seconds: 4 };
        for host in HOSTS {
            if campaign > 1 {
                fleet.lab.heal(host, slow).unwrap();
            }
            fleet.lab.plant(host, slow, Trigger::Now).unwrap();
        }
        work.scan("before.json");
        let plan = work.plan();
        let since = HOSTS.map(|host| package_log(&fleet, host, 0).len());

        let mut args: &[&str] = &["run", "plan.json"];
        let (mut longest, mut steps) = (LONGEST, 0);
        loop {
            let pause = Duration::from_millis(rng.between(100, longest));
            let mut controller = work.start(args);
            let started = Instant::now();
            while killed == kills || started.elapsed() < pause {
                if controller.try_wait().unwrap().is_some() {
                    break;
                }
                assert!(started.elapsed() < Duration::from_secs(600), "it does not end\n{}", work.log());
                std::thread::sleep(Duration::from_millis(10));
            }
            controller.kill().unwrap();
            let status = controller.wait().unwrap();
            // It may have ended in the last moment.
            if status.signal() != Some(9) {
                assert_eq!(status.code(), Some(0), "seed {seed}\n{}", work.log());
                break;
            }
            killed += 1;
            let (ended, active) = stands(&work);
            longest = if ended > steps { LONGEST } else { longest * 2 };
            steps = ended;
            say(format!(
                "KILL {killed} in campaign {campaign} after {} ms: {ended} steps ended; {active}",
                pause.as_millis()
            ));
            args = match has_ended(&work) {
                // It was killed while it told of the end.
                Some(true) => break,
                Some(false) => &["resume"],
                // Before the campaign was in the journal there is nothing to resume.
                None => &["run", "plan.json"],
            };
        }

        let all = records(&work);
        started_once(&all);
        let fences = fences(&all);
        assert!(fences.is_sorted_by(|a, b| a < b), "seed {seed}: {fences:?}");
        say(format!("CAMPAIGN {campaign} ended: {} records of {} controllers", all.len(), fences.len()));
        for (host, since) in HOSTS.into_iter().zip(since) {
            assert_eq!(work.outcomes()[host], "fixed", "{host}, seed {seed}");
            assert_eq!((fleet.version(host, "sblab-canary").as_str(), health(&fleet, host).as_str()), ("1.1", "200"));
            let log = package_log(&fleet, host, since);
            for package in plan["hosts"][host]["fix"]["packages"].as_array().unwrap() {
                let name = package["name"].as_str().unwrap();
                assert_eq!(upgrades(&log, name).len(), 1, "{name} on {host}, seed {seed}: {log:#?}");
            }
            let held = Containers::default().list(&fleet.host(host)).await.unwrap();
            assert_eq!(held, [], "nothing is left of {host}, seed {seed}");
        }
    }
    tell(
        "controller: killed with -9 at random moments",
        "it ended by signal 9 each time; each step was started once, each package upgraded once, nothing left behind",
        "`fixed`, by `resume`",
        &format!("`fixed` in {campaign} campaigns with {killed} kills, seed {seed},"),
        begun.elapsed(),
    );
}

/// Whether the campaign has ended; none where the journal does not know it yet.
fn has_ended(work: &Work) -> Option<bool> {
    let campaigns = SqliteJournal::open(&work.dir.join(".switchback")).unwrap().campaigns().unwrap();
    campaigns.first().map(|campaign| campaign.ended)
}
