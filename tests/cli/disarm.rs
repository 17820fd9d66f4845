//! `switchback disarm`.

use switchback::engine::{Chain, JOURNAL_FORMAT, RecordBody};
use switchback::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome};
use switchback::plan::{StepKind, read_plan};
use switchback::store::{Journal as _, SqliteJournal};

use super::World;

const WATCHES: &str = "/var/lib/switchback/watches";

/// A state folder `s` with a campaign that armed the watch of web-1; and the folder of that watch.
fn campaign(id: &str, ends: Option<HostOutcome>) -> (World, std::path::PathBuf) {
    let world = World::new();
    world.example("first-plan");
    let inventory = std::fs::read_to_string(world.path().join("inventory.yaml")).unwrap();
    let exec = "provider: {kind: exec, backup: [/usr/local/bin/backup, \"{host}\", \"{key}\"], \
                restore: [/usr/local/bin/restore, \"{host}\", \"{ref}\"]}";
    let btrfs =
        "provider: {kind: btrfs, subvolume: /pool/web-1, snapshots: /pool/kept, stop: [\"true\"], start: [\"true\"]}";
    assert!(inventory.contains(exec));
    world.write("inventory.yaml", &inventory.replacen(exec, btrfs, 1));
    let ran = world.run(super::FIRST_PLAN);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let (digest, plan) = read_plan(std::fs::File::open(world.path().join("plan.json")).unwrap()).unwrap();
    let host = HostName::new("web-1").unwrap();
    let arm = plan.hosts[&host].steps.iter().find(|step| step.kind == StepKind::Arm).unwrap();
    let campaign = CampaignId::new(id).unwrap();
    let attempt = AttemptId { campaign: campaign.clone(), step: arm.id.clone(), generation: 1 };
    let folder = format!("{WATCHES}/{}", &Digest::of(attempt.to_string().as_bytes()).to_string()[..32]);
    let mut chain = Chain::new(campaign.clone(), digest);
    let started = RecordBody::CampaignStarted { format: JOURNAL_FORMAT, plan: digest, operator: "tester".into() };
    let ended = ends.map(|outcome| RecordBody::HostEnded { host, outcome, reason: None });
    let bodies = [Some(started), Some(RecordBody::Intent { attempt, undo: false }), ended];
    let records: Vec<_> = bodies.into_iter().flatten().map(|body| chain.push(switchback::env::now(), body)).collect();
    let mut journal = SqliteJournal::open(&world.path().join("s")).unwrap();
    journal.create(&campaign, &serde_json::to_vec(&plan).unwrap(), &[]).unwrap();
    let fence = journal.claim(&campaign, "tester").unwrap();
    journal.append(&campaign, fence, &records).unwrap();
    (world, folder.into())
}

#[test]
fn only_what_a_campaign_has_left_is_disarmed() {
    for (ends, code, told) in [
        (None, 1, "in-use"),
        (Some(HostOutcome::Restored), 3, "unknown-watch"),
        (Some(HostOutcome::Fixed), 3, "unknown-watch"),
    ] {
        let (world, folder) = campaign("c-left", ends);
        let ran = world.run(&["disarm", "web-1", "--state", "s"]);
        assert!(ran.code == Some(code) && ran.stderr.contains(told), "{}", ran.show());
        assert!(!folder.exists(), "{}", ran.show());
    }
}

#[test]
fn the_watch_of_a_stuck_host_is_ended() {
    // Watches belong to root.
    if std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) != 0) {
        return;
    }
    // What watches leave stays on this machine: no other run has this name.
    let id = format!("c-{}-{}", std::process::id(), std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos());
    let (world, folder) = campaign(&id, Some(HostOutcome::Stuck));
    let disarm = || world.run(&["disarm", "web-1", "--state", "s"]);
    let ran = disarm();
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stderr.contains("is disarmed") && folder.join("disarmed").exists(), "{}", ran.show());
    // One that has gone back cannot be.
    std::fs::remove_file(folder.join("disarmed")).unwrap();
    for file in ["fired", "rc"] {
        std::fs::write(folder.join(file), "0\n").unwrap();
    }
    let ran = disarm();
    assert!(ran.code == Some(1) && ran.stderr.contains("has restored it"), "{}", ran.show());
    std::fs::remove_dir_all(folder).unwrap();
}
