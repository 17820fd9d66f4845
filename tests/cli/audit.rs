//! `switchback audit`: a simulated campaign, proven to a stranger, and every way to forge the proof.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use switchback::engine::{Campaign, Chain, Effect, Input, Record, RecordBody};
use switchback::evidence::{
    APPROVAL_NAMESPACE, Asking, AuditBundle, Checkpoint, CheckpointLine, ControllerKey, Judged, SigningKey, Statement,
    StatementKind, Trust, audit, controller_line, inspect_journal, read_folder, sign,
};
use switchback::model::{CampaignId, ChangePolicy, Digest, TimeSpan};
use switchback::plan::{Plan, Reason, read_plan, write_plan};
use switchback::store::{InputText, Journal as _, Proofs, SignedText, SqliteJournal};

use super::conform::conforms;
use super::{Ran, World};

/// A campaign of two hosts, run once for all tests: its world, and its bundle in `evidence/`.
struct Told {
    world: World,
    campaign: String,
    key: String,
}

static TOLD: LazyLock<Told> = LazyLock::new(|| tell(World::new()));

fn tell(world: World) -> Told {
    let ran = world.run(&["demo", "--simulated", "--hosts", "2", "--dir", "d", "--format", "json"]);
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    assert!(!ran.stderr.contains("warning"), "{}", ran.show());
    let last: Value = serde_json::from_str(ran.stdout.lines().next_back().unwrap()).unwrap();
    let campaign = last["campaign"].as_str().unwrap().to_owned();
    let key = world.run(&["audit", "key", "--state", "d/state"]);
    assert_eq!(key.code, Some(0), "{}", key.show());
    world.write("controller.allowed", &key.stdout);
    let ran = world.run(&["audit", "export", &campaign, "-o", "evidence", "--state", "d/state"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    Told { world, campaign, key: key.stdout }
}

/// A stranger's machine with a copy of the evidence, which may be changed.
fn stranger() -> World {
    let world = World::new();
    copy(&TOLD.world.path().join("evidence"), &world.path().join("evidence"));
    world.write("controller.allowed", &TOLD.key);
    world
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

const VERIFY: &[&str] = &["audit", "verify", "evidence", "--controller-key", "controller.allowed"];

/// What is wrong, by code, and the record that is named first.
fn problems(world: &World) -> (Vec<String>, Option<u64>) {
    let ran = world.run(&[VERIFY, &["--format", "json"]].concat());
    assert_eq!(ran.code, Some(13), "{}", ran.show());
    let report = ran.json();
    conforms("audit-report", &report);
    assert_eq!(report["verdict"], "failed");
    let problems = report["problems"].as_array().unwrap();
    let codes = problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned()).collect();
    (codes, problems[0]["record"].as_u64())
}

/// Changes the lines of a file in the evidence.
fn edit(world: &World, file: &str, change: impl FnOnce(&mut Vec<String>)) {
    let path = world.path().join("evidence").join(file);
    let mut lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

fn records(lines: &[String]) -> Vec<Record> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same records, changed and chained anew as their controller would.
fn chained(lines: &mut [String], change: impl Fn(&mut Record)) {
    let mut records = records(lines);
    records.iter_mut().for_each(change);
    let mut chain = Chain::new(records[0].campaign.clone(), records[0].previous);
    for (line, record) in lines.iter_mut().zip(records) {
        *line = serde_json::to_string(&chain.push(record.at, record.body)).unwrap();
    }
}

/// What made a host go back is glossed over.
fn whitewash(record: &mut Record) {
    let text = serde_json::to_string(&record.body).unwrap();
    let text = text.replace("does not answer", "answers slowly");
    record.body = serde_json::from_str(&text).unwrap();
}

/// The manifest as its writer would have written it for what is there now.
fn remake_manifest(world: &World) {
    let evidence = world.path().join("evidence");
    let mut bundle = AuditBundle::read(&evidence).unwrap();
    let lines: Vec<&[u8]> = bundle.journal.strip_suffix(b"\n").unwrap().split(|&b| b == b'\n').collect();
    bundle.manifest.records = lines.len() as u64;
    bundle.manifest.last = Digest::of(lines.last().unwrap());
    bundle.manifest.checkpoints = bundle.checkpoints.iter().filter(|&&b| b == b'\n').count() as u64;
    bundle.manifest.policies = bundle.policies.len() as u64;
    std::fs::remove_dir_all(&evidence).unwrap();
    bundle.write(&evidence).unwrap();
}

/// Signs every checkpoint's place again, with a key that is not the controller's.
fn resign(world: &World, key: &ControllerKey) {
    let mut records = Vec::new();
    edit(world, "journal.jsonl", |lines| records = self::records(lines));
    edit(world, "checkpoints.jsonl", |lines| {
        for line in lines.iter_mut() {
            let old: CheckpointLine = serde_json::from_str(line).unwrap();
            let old: Checkpoint = serde_json::from_str(&old.statement).unwrap();
            let signed = key.sign(&Checkpoint::behind(&records[old.seq as usize - 1], old.plan, old.at)).unwrap();
            let new = CheckpointLine { statement: signed.statement, signature: signed.signature };
            *line = serde_json::to_string(&new).unwrap();
        }
    });
}

fn without_ids(ran: &Ran) -> String {
    let mut text = ran.show().replace(&TOLD.campaign, "[CAMPAIGN]");
    while let Some(at) = text.find("SHA256:") {
        let end = text[at..].find(char::is_whitespace).map_or(text.len(), |length| at + length);
        text.replace_range(at..end, "[KEY]");
    }
    text
}

#[test]
fn a_stranger_verifies_a_campaign_without_its_state_folder() {
    let world = stranger();
    let ran = world.run(VERIFY);
    let records = std::fs::read_to_string(world.path().join("evidence/journal.jsonl")).unwrap().lines().count();
    let text = without_ids(&ran).replace(&records.to_string(), "[N]");
    insta::assert_snapshot!(text, @r"
    exit: 0
    ----- stdout
    campaign [CAMPAIGN]: verified
    plan      [DIGEST]
    records   [N] hold, [N] of them are signed (2 checkpoints)
    key       [KEY] (the one you gave)
    hosts     1 fixed, 1 restored
    ");
    let ran = world.run(&[VERIFY, &["--format", "json"]].concat());
    conforms("audit-report", &ran.json());
    assert_eq!(ran.json()["signed"], records);
    assert_eq!(ran.json()["problems"], Value::Array(Vec::new()));

    // Without the key the verdict says what it rests on.
    let ran = world.run(&["audit", "verify", "evidence"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stdout.contains("the bundle's own") && ran.stdout.contains("taken from the bundle"), "{}", ran.show());
    assert_eq!(world.files().len(), stranger().files().len(), "verifying writes nothing");
}

#[test]
fn openssh_alone_verifies_a_checkpoint() {
    let world = stranger();
    let line = std::fs::read_to_string(world.path().join("evidence/checkpoints.jsonl")).unwrap();
    let line: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    world.write("statement", line["statement"].as_str().unwrap());
    world.write("statement.sig", line["signature"].as_str().unwrap());
    let verify = "ssh-keygen -Y verify -f controller.allowed -I controller -n switchback-checkpoint -s statement.sig < statement";
    let run = || Command::new("sh").args(["-c", verify]).current_dir(world.path()).output().unwrap();
    assert!(run().status.success(), "{:?}", run());
    world.write("statement", "something else");
    assert!(!run().status.success());
}

#[test]
fn an_export_is_the_same_each_time_and_overwrites_nothing() {
    let Told { world, campaign, .. } = &*TOLD;
    let ran = world.run(&["audit", "export", campaign, "-o", "again/", "--state", "d/state"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let read = |folder: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        let root = world.path().join(folder);
        let inside = world.files().into_iter();
        inside.filter_map(|(path, bytes)| Some((path.strip_prefix(&root).ok()?.to_owned(), bytes))).collect()
    };
    assert_eq!(read("again"), read("evidence"));
    assert!(read("again").contains_key(Path::new("inputs/policies/001-d_policy.yaml")), "{:?}", read("again").keys());
    let ran = world.run(&["audit", "export", campaign, "-o", "evidence", "--state", "d/state"]);
    assert_eq!(ran.code, Some(1), "{}", ran.show());
    assert!(ran.stderr.contains("not empty"), "{}", ran.show());
    let ran = world.run(&["audit", "export", "c-0000000000000000", "-o", "none", "--state", "d/state"]);
    assert_eq!(ran.code, Some(1), "{}", ran.show());
    // The state folder is verified as a bundle is.
    let ran = world.run(&["audit", "verify", campaign, "--state", "d/state", "--controller-key", "controller.allowed"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
}

#[test]
fn what_is_done_to_single_records_is_named() {
    for (change, code, record) in [
        ((|lines| lines[4] = lines[4].replacen("\"at\":\"2", "\"at\":\"3", 1)) as fn(&mut Vec<String>), "changed", 5),
        (|lines| drop(lines.remove(4)), "removed", 5),
        (|lines| lines.insert(4, lines[4].clone()), "added", 5),
        (|lines| lines.swap(4, 9), "moved", 5),
        (|lines| lines[0].push(' '), "changed", 1),
    ] {
        let world = stranger();
        edit(&world, "journal.jsonl", change);
        let (codes, at) = problems(&world);
        assert_eq!((codes[0].as_str(), at), (format!("audit-record-{code}").as_str(), Some(record)), "{codes:?}");
    }
    // What a host printed is part of its record.
    let world = stranger();
    let mut changed = 0;
    edit(&world, "journal.jsonl", |lines| {
        let at = lines.iter().position(|line| line.contains("does not answer")).unwrap();
        lines[at] = lines[at].replacen("does not answer", "answers", 1);
        changed = at as u64 + 1;
    });
    assert_eq!(problems(&world).1, Some(changed));
}

#[test]
fn a_cut_tail_is_noticed_wherever_it_is_cut() {
    let mut sealed = Vec::new();
    edit(&stranger(), "checkpoints.jsonl", |lines| {
        for line in lines.iter() {
            let line: CheckpointLine = serde_json::from_str(line).unwrap();
            sealed.push(serde_json::from_str::<Checkpoint>(&line.statement).unwrap().seq);
        }
    });
    assert!(sealed.len() > 1, "{sealed:?}");
    let first = sealed[0] as usize;
    for left in [0, 1, first, first + 3] {
        let world = stranger();
        edit(&world, "journal.jsonl", |lines| lines.truncate(left));
        let (codes, record) = problems(&world);
        assert_eq!((codes[0].as_str(), record), ("audit-journal-cut", Some(left as u64 + 1)), "{codes:?}");
        if left == 0 {
            continue;
        }
        // Whoever cuts the checkpoints as well, and tells so in the manifest, leaves a campaign that never ended.
        edit(&world, "checkpoints.jsonl", |lines| lines.truncate(1));
        remake_manifest(&world);
        let (codes, _) = problems(&world);
        assert!(codes.contains(&"audit-unfinished".to_owned()) || codes[0] == "audit-journal-cut", "{codes:?}");
        let unfinished = world.run(&[VERIFY, &["--unfinished"]].concat());
        assert_eq!(unfinished.code == Some(0), left >= first, "{}", unfinished.show());
        assert_eq!(unfinished.stdout.contains("covered by no signature: they prove nothing yet"), left > first);
        assert_eq!(codes.contains(&"audit-tail-unsigned".to_owned()), left > first, "{codes:?}");
    }
    // Bytes that are torn off.
    let world = stranger();
    let path = world.path().join("evidence/journal.jsonl");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    assert_eq!(problems(&world).0[0], "audit-journal-cut");
}

#[test]
fn who_chains_all_records_anew_lacks_the_signature_and_who_signs_anew_lacks_the_key() {
    let world = stranger();
    edit(&world, "journal.jsonl", |lines| chained(lines, whitewash));
    remake_manifest(&world);
    let (codes, _) = problems(&world);
    assert_eq!(codes, ["audit-record-changed"]);
    let ran = world.run(VERIFY);
    assert!(ran.stdout.contains("a checkpoint signs another digest for record"), "{}", ran.show());

    let key = ControllerKey::of_state(&world.path().join("attacker")).unwrap();
    resign(&world, &key);
    assert!(problems(&world).0.contains(&"audit-signature-wrong".to_owned()));
    // The bundle's own key is replaced too: only the known key shows it.
    world.write("evidence/controller.pub", &format!("{}\n", key.public()));
    let ran = world.run(&["audit", "verify", "evidence"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stdout.contains("may have made the key"), "{}", ran.show());
    assert!(problems(&world).0.contains(&"audit-signature-wrong".to_owned()));
    world.write("attacker.pub", &controller_line(key.public()));
    assert_eq!(world.run(&["audit", "verify", "evidence", "--controller-key", "attacker.pub"]).code, Some(0));
}

#[test]
fn a_controller_that_lies_within_its_own_chain_is_caught_where_the_plan_forbids_it() {
    let world = stranger();
    let key = ControllerKey::of_state(&world.path().join("liar")).unwrap();
    edit(&world, "journal.jsonl", |lines| {
        // A host that was put back is told to have been fixed.
        let at = lines.iter().position(|line| line.contains("\"outcome\":\"restored\"")).unwrap();
        lines[at] = lines[at].replacen("\"outcome\":\"restored\"", "\"outcome\":\"fixed\"", 1);
        chained(lines, |_| {});
    });
    resign(&world, &key);
    world.write("evidence/controller.pub", &format!("{}\n", key.public()));
    remake_manifest(&world);
    let ran = world.run(&["audit", "verify", "evidence", "--format", "json"]);
    assert_eq!(ran.code, Some(13), "{}", ran.show());
    assert_eq!(ran.json()["problems"][0]["code"], "audit-record-impossible", "{}", ran.show());
    assert!(!ran.stdout.contains("audit-unfinished"), "what comes behind was not looked at: {}", ran.show());
}

#[test]
fn a_bundle_mixed_from_two_campaigns_is_none() {
    let other = tell(World::new());
    for (file, code) in [
        ("journal.jsonl", "audit-record-foreign"),
        ("plan.json", "audit-"),
        ("checkpoints.jsonl", "audit-checkpoint-foreign"),
        ("controller.pub", "audit-signature-wrong"),
    ] {
        let world = stranger();
        let from = other.world.path().join("evidence").join(file);
        std::fs::copy(from, world.path().join("evidence").join(file)).unwrap();
        // With the bundle's own key, so that no other key shows it.
        let ran = world.run(&["audit", "verify", "evidence", "--format", "json"]);
        assert_eq!(ran.code, Some(13), "{file}: {}", ran.show());
        let codes: Vec<String> =
            ran.json()["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap().to_owned()).collect();
        assert!(codes.iter().any(|found| found.starts_with(code)), "{file}: {codes:?}");
    }
}

#[test]
fn plan_policies_checkpoints_and_manifest_are_held_against_each_other() {
    let policy = "evidence/inputs/policies/001-d_policy.yaml";
    for (attack, code) in [
        (
            (|world| edit(world, "plan.json", |lines| lines[0] = lines[0].replacen("web-1", "web-9", 1))) as fn(&World),
            "audit-plan-changed",
        ),
        (
            |world| drop(world.write("evidence/inputs/policies/001-d_policy.yaml", "version: 1\n")),
            "audit-policies-changed",
        ),
        (|world| drop(world.write("evidence/inputs/policies/extra.yaml", "x")), "audit-policies-changed"),
        (|world| edit(world, "checkpoints.jsonl", |lines| drop(lines.remove(0))), "audit-manifest-wrong"),
        (|world| edit(world, "checkpoints.jsonl", |lines| lines.push(lines[0].clone())), "audit-checkpoint-wrong"),
        (
            |world| edit(world, "checkpoints.jsonl", |lines| lines[0] = lines[0].replacen("AAAA", "AAAB", 1)),
            "audit-signature-wrong",
        ),
        (|world| edit(world, "checkpoints.jsonl", Vec::clear), "audit-tail-unsigned"),
    ] {
        let world = stranger();
        attack(&world);
        let (codes, _) = problems(&world);
        assert!(codes.iter().any(|found| found == code), "{code}: {codes:?}");
    }
    let world = stranger();
    std::fs::remove_file(world.path().join(policy)).unwrap();
    assert!(problems(&world).0.contains(&"audit-policies-changed".to_owned()));
    remake_manifest(&world);
    assert_eq!(problems(&world).0, ["audit-policies-absent"]);
    let ran = world.run(&[VERIFY, &["--without-policies"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert!(ran.stdout.contains("were not kept or were taken out"), "{}", ran.show());
}

#[test]
fn a_bundle_in_which_nothing_is_signed_proves_nothing() {
    let world = stranger();
    let evidence = world.path().join("evidence");
    let mut bundle = AuditBundle::read(&evidence).unwrap();
    (bundle.journal, bundle.checkpoints) = (Vec::new(), Vec::new());
    (bundle.manifest.records, bundle.manifest.checkpoints) = (0, 0);
    bundle.manifest.last = bundle.manifest.plan;
    std::fs::remove_dir_all(&evidence).unwrap();
    bundle.write(&evidence).unwrap();
    let ran = world.run(&[VERIFY, &["--unfinished"]].concat());
    assert_eq!(ran.code, Some(13), "{}", ran.show());
    assert!(ran.stdout.contains("nothing is signed") && ran.stdout.contains("[audit-tail-unsigned]"), "{}", ran.show());
}

#[test]
fn a_key_that_is_given_holds_with_all_that_its_line_demands() {
    let world = stranger();
    let key = TOLD.key.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" ");
    let verify = || world.run(VERIFY);
    for (line, code) in [
        (key.clone(), 0),
        (format!("controller {key}"), 0),
        (format!("controller namespaces=\"git\" {key}"), 13),
        (format!("controller valid-before=\"20200101\" {key}"), 13),
        (format!("alice@example.com {key}"), 2),
        (format!("# a comment\n* {key}"), 2),
    ] {
        world.write("controller.allowed", &line);
        let ran = verify();
        assert_eq!(ran.code, Some(code), "{line}: {}", ran.show());
        assert_eq!(ran.stdout.contains("[audit-signature-wrong]"), code == 13, "{line}: {}", ran.show());
    }
    assert!(verify().stderr.contains("line 2 is neither"), "{}", verify().show());
}

/// A campaign that began with an approval, in the state folder `s`.
fn approved() -> (World, String) {
    approved_after(|_| {})
}

/// The same with a plan that was changed before it was approved.
fn approved_after(change: fn(&mut Plan)) -> (World, String) {
    let world = World::new();
    world.example("first-plan");
    let keys = |name: &str| {
        let file = world.path().join(name);
        let made = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"];
        assert!(Command::new("ssh-keygen").args(made).arg(&file).status().unwrap().success());
        std::fs::read_to_string(file.with_extension("pub")).unwrap()
    };
    let (alice, mallory) = (keys("alice"), keys("mallory"));
    world.write("policies/approvers", &format!("alice@example.com {alice}"));
    world.write("others", &format!("mallory@example.com {mallory}"));
    let rule = "version: 1\napprovals:\n  - {match: all, required: 1, from: approvers, valid_for: 72h}\n";
    world.write("policies/approvals.yaml", rule);
    let ran = world.run(super::FIRST_PLAN);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let (_, mut plan) = read_plan(std::fs::File::open(world.path().join("plan.json")).unwrap()).unwrap();
    change(&mut plan);
    let id = write_plan(&plan, std::fs::File::create(world.path().join("plan.json")).unwrap()).unwrap();
    let ran = world.run(&["approve", "plan.json", "--yes", "--key", "alice"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());

    let found = read_folder(&world.path().join("plan.json.approvals")).unwrap();
    let now = switchback::env::now();
    let judged = Judged::of(&plan, &found, &|file| world.path().join(file), now).unwrap();
    assert!(judged.is_complete(), "{judged:?}");
    let campaign = CampaignId::new("c-0123456789abcdef").unwrap();
    let bytes = serde_json::to_vec(&plan).unwrap();
    let state = world.path().join("s");
    let mut journal = SqliteJournal::open(&state).unwrap();
    journal.create(&campaign, &bytes, &[]).unwrap();
    journal.keep_approvals(&campaign, &judged.signed).unwrap();
    let fence = journal.claim(&campaign, "tester").unwrap();
    let mut folded = Campaign::new(Arc::new(plan), id, campaign.clone());
    let start = Input::Start { operator: "tester".to_owned(), approvals: judged.accepted };
    let mut chain = Chain::new(campaign.clone(), id);
    let records: Vec<Record> = folded
        .handle(now, start)
        .unwrap()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Append(body) => Some(chain.push(now, body)),
            _ => None,
        })
        .collect();
    journal.append(&campaign, fence, &records).unwrap();
    let key = ControllerKey::of_state(&state).unwrap();
    let signed = key.sign(&Checkpoint::behind(records.last().unwrap(), id, now)).unwrap();
    let mut proofs = Proofs::open(&state).unwrap();
    proofs.add_checkpoint(&campaign, &signed).unwrap();
    let texts = ["approvals.yaml", "policy.yaml"].map(|name| {
        let text = std::fs::read_to_string(world.path().join("policies").join(name)).unwrap();
        InputText { role: "policies".to_owned(), name: format!("policies/{name}"), text }
    });
    proofs.keep_inputs(&campaign, &texts).unwrap();
    (world, campaign.to_string())
}

/// What is wrong with the campaign in the state folder `s`, by code, and the notes.
fn wrong_in_state(world: &World, campaign: &str) -> (Vec<String>, String) {
    let ran = world.run(&["audit", "verify", campaign, "--state", "s", "--unfinished", "--format", "json"]);
    let report = ran.json();
    conforms("audit-report", &report);
    let problems = report["problems"].as_array().unwrap().iter();
    let codes = problems.map(|problem| problem["code"].as_str().unwrap().to_owned()).collect();
    (codes, report["notes"].to_string())
}

#[test]
fn a_plan_that_did_not_ask_people_what_its_policy_asks_is_no_proof() {
    let (world, campaign) = approved();
    let (codes, notes) = wrong_in_state(&world, &campaign);
    assert_eq!(codes, [""; 0]);
    assert!(notes.contains("approvers-not-pinned"), "{notes}");
    let ran = world.run(&["audit", "verify", &campaign, "--state", "s", "--unfinished"]);
    assert!(ran.stdout.contains("agreed    alice@example.com for approvals/1: 2 hosts (SHA256:"), "{}", ran.show());
    for change in [
        (|plan| {
            plan.approvals.clear();
            plan.signers.clear();
        }) as fn(&mut Plan),
        |plan| plan.approvals[0].valid_for = TimeSpan::days(300),
        |plan| plan.change = Some(ChangePolicy { required: false, check: None }),
    ] {
        let (world, campaign) = approved_after(change);
        assert_eq!(wrong_in_state(&world, &campaign).0, ["audit-not-as-policy"]);
    }
    let (world, campaign) = approved_after(|plan| drop(plan.inputs.remove("policies")));
    assert_eq!(wrong_in_state(&world, &campaign).0, ["audit-policies-changed"]);
}

#[test]
fn a_revocation_counts_from_when_the_controller_learnt_of_it() {
    let (world, campaign) = approved();
    let id = CampaignId::new(&campaign).unwrap();
    let state = world.path().join("s");
    let mut journal = SqliteJournal::open(&state).unwrap();
    let (_, lines) = journal.raw(&id).unwrap();
    let old = records(&lines);
    let approval = old.iter().find_map(|record| match &record.body {
        RecordBody::Approved(approval) => Some(approval.clone()),
        _ => None,
    });
    let approval = approval.unwrap();
    // Signed later, with an earlier time.
    let (plan_id, plan) = read_plan(std::fs::File::open(world.path().join("plan.json")).unwrap()).unwrap();
    let times = (approval.signed_at, approval.until);
    let by = approval.by.clone();
    let revocation = Statement::new(StatementKind::Revoke, (plan_id, &plan), by, plan.hosts.keys(), times).to_text();
    let alice = SigningKey::file(&world.path().join("alice"));
    let signature = sign(&alice, APPROVAL_NAMESPACE, revocation.as_bytes(), Asking::Nobody).unwrap();
    let signature = signature.as_str().to_owned();
    journal.keep_approvals(&id, &[SignedText { text: revocation, signature }]).unwrap();
    assert_eq!(wrong_in_state(&world, &campaign).0, ["audit-approval-wrong"], "nobody learnt of it");

    let mut chain = Chain::new(id.clone(), old[0].previous);
    old.iter().for_each(|record| chain.follow(record).unwrap());
    let reason = Reason::new("approval-void", "it was revoked");
    let learnt = RecordBody::Disapproved { statement: approval.statement, reason };
    let record = chain.push(switchback::env::now(), learnt);
    let fence = journal.claim(&id, "tester").unwrap();
    journal.append(&id, fence, std::slice::from_ref(&record)).unwrap();
    let key = ControllerKey::of_state(&state).unwrap();
    let signed = key.sign(&Checkpoint::behind(&record, plan_id, record.at)).unwrap();
    Proofs::open(&state).unwrap().add_checkpoint(&id, &signed).unwrap();
    assert_eq!(wrong_in_state(&world, &campaign).0, [""; 0]);
}

#[test]
fn approvals_are_held_against_what_was_signed() {
    let (world, campaign) = approved();
    let ran = world.run(&["audit", "export", &campaign, "-o", "evidence", "--state", "s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    let names: Vec<PathBuf> = std::fs::read_dir(world.path().join("evidence/approvals"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    let [statement] = names.as_slice() else { panic!("{names:?}") };
    let signature = PathBuf::from(format!("{}.sig", statement.display()));
    let verify = |more: &[&str]| {
        let ran = world.run(&[&["audit", "verify", "evidence", "--unfinished", "--format", "json"], more].concat());
        let report = ran.json();
        let problems = report["problems"].as_array().unwrap().iter();
        (ran.code, problems.map(|problem| problem["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(verify(&[]), (Some(0), Vec::new()));
    assert_eq!(verify(&["--allowed-signers", "policies/approvers"]), (Some(0), Vec::new()));
    let wrong = (Some(13), vec!["audit-approval-wrong".to_owned()]);
    assert_eq!(verify(&["--allowed-signers", "others"]), wrong, "the auditor does not know her");

    let (text, good) = (std::fs::read_to_string(statement).unwrap(), std::fs::read_to_string(&signature).unwrap());
    let mallory = SigningKey::file(&world.path().join("mallory"));
    let forged = sign(&mallory, APPROVAL_NAMESPACE, text.as_bytes(), Asking::Nobody).unwrap();
    std::fs::write(&signature, forged.as_str()).unwrap();
    assert_eq!(verify(&[]), wrong, "signed again by somebody who may not approve");
    let alice = SigningKey::file(&world.path().join("alice"));
    let other = sign(&alice, "git", text.as_bytes(), Asking::Nobody).unwrap();
    std::fs::write(&signature, other.as_str()).unwrap();
    assert_eq!(verify(&[]), wrong, "signed for another use");
    std::fs::write(&signature, good).unwrap();
    std::fs::write(statement, text.replacen("\"comment\"", "\"x\"", 1).replacen("web-1", "web-3", 1)).unwrap();
    assert_eq!(verify(&[]), (Some(13), vec!["audit-approval-missing".to_owned()]), "changed by a byte");
    std::fs::remove_file(statement).unwrap();
    let (code, problems) = verify(&[]);
    assert_eq!(code, Some(13));
    for code in ["audit-approval-missing", "audit-approval-wrong", "audit-manifest-wrong"] {
        assert!(problems.iter().any(|found| found == code), "{code}: {problems:?}");
    }
}

#[test]
fn more_statements_than_people_sign_are_not_verified() {
    let (world, campaign) = approved();
    assert_eq!(world.run(&["audit", "export", &campaign, "-o", "evidence", "--state", "s"]).code, Some(0));
    for number in 0..1_000 {
        world.write(&format!("evidence/approvals/x-{number}.json"), "{}");
    }
    let ran = world.run(&["audit", "verify", "evidence", "--unfinished"]);
    assert_eq!(ran.code, Some(13), "{}", ran.show());
    assert!(ran.stdout.contains("there are more than 1000 statements [audit-approval-wrong]"), "{}", ran.show());
}

#[test]
fn what_is_no_bundle_is_told_apart_from_one_that_is_wrong() {
    let world = stranger();
    for (what, hint) in [("nowhere", "no campaign"), ("evidence/plan.json", "Not a directory"), ("/", "cannot read")] {
        let ran = world.run(&["audit", "verify", what]);
        assert!(matches!(ran.code, Some(1 | 3)), "{}", ran.show());
        assert!(ran.stderr.contains(hint) || ran.stderr.contains("no journal"), "{what}: {}", ran.show());
    }
    for (file, text) in [("manifest.json", "{}"), ("manifest.json", ""), ("journal.jsonl", "")] {
        let world = stranger();
        let path = world.write(&format!("evidence/{file}"), text);
        if file == "journal.jsonl" {
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        }
        let ran = world.run(VERIFY);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.show());
        assert!(ran.stderr.contains("[audit-unreadable]"), "{}", ran.show());
    }
    world.refused(2, &["audit", "verify", "evidence", "--controller-key", "nowhere.pub"]);
    world.refused(2, &["audit", "verify", "evidence", "--controller-key", "evidence/manifest.json"]);
}

/// The journal of a real campaign: what is true of made-up chains is true of it.
#[test]
fn every_flipped_byte_of_a_journal_names_its_record() {
    let bundle = AuditBundle::read(&TOLD.world.path().join("evidence")).unwrap();
    let campaign = &bundle.manifest.campaign;
    let lines: Vec<&[u8]> = bundle.journal.split_inclusive(|&b| b == b'\n').collect();
    let digest = |seq: usize| Digest::of(lines[seq - 1].strip_suffix(b"\n").unwrap());
    let signed = BTreeMap::from([2, lines.len()].map(|seq| (seq as u64, digest(seq))));
    assert!(inspect_journal(campaign, bundle.manifest.plan, &bundle.journal, &signed).problem.is_none());
    let (mut start, workers) = (0, 2);
    for (index, line) in lines.iter().enumerate() {
        let seq = index as u64 + 1;
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let (bundle, signed) = (&bundle, &signed);
                scope.spawn(move || {
                    let mut journal = bundle.journal.clone();
                    for at in (start + worker..start + line.len()).step_by(workers) {
                        // Each of the eight bits at some byte of every field.
                        journal[at] ^= 1 << (at % 8);
                        let found = inspect_journal(campaign, bundle.manifest.plan, &journal, signed);
                        let problem = found.problem.unwrap_or_else(|| panic!("byte {at} of record {seq}"));
                        assert_eq!(problem.record, Some(seq), "byte {at}: {problem:?}");
                        journal[at] ^= 1 << (at % 8);
                    }
                });
            }
        });
        start += line.len();
    }
    // And the whole verification says so as well.
    let mut changed = bundle.clone();
    changed.journal[start / 2] ^= 1;
    let report = audit(&changed, &Trust::default()).unwrap();
    assert!(report.problems[0].code.starts_with("audit-record-"), "{report:?}");
}

#[test]
fn a_journal_that_was_changed_in_the_state_folder_is_shown() {
    let told = tell(World::new());
    let file = told.world.path().join("d/state/journal.db");
    let database = rusqlite::Connection::open(file).unwrap();
    database.execute_batch("DROP TRIGGER record_no_update; DROP TRIGGER record_no_delete;").unwrap();
    let verify = || {
        let args = ["audit", "verify", &told.campaign, "--state", "d/state", "--format", "json"];
        let ran = told.world.run(&args);
        assert_eq!(ran.code, Some(13), "{}", ran.show());
        let first = ran.json()["problems"][0].clone();
        (first["code"].as_str().unwrap().to_owned(), first["record"].as_u64().unwrap())
    };
    database.execute("UPDATE record SET body = replace(body, '\"fence\":1', '\"fence\":2') WHERE seq = 2", []).unwrap();
    assert_eq!(verify(), ("audit-record-changed".to_owned(), 2));
    database.execute("DELETE FROM record WHERE seq = 2", []).unwrap();
    assert_eq!(verify(), ("audit-record-removed".to_owned(), 2));
    // It can be exported all the same: it is evidence.
    let ran = told.world.run(&["audit", "export", &told.campaign, "-o", "broken", "--state", "d/state"]);
    assert_eq!(ran.code, Some(0), "{}", ran.show());
    assert_eq!(told.world.run(&["audit", "verify", "broken"]).code, Some(13));
}

#[test]
fn a_key_that_cannot_sign_stops_no_campaign() {
    let world = World::new();
    let key = world.write("key", "no key at all");
    let args = ["demo", "--simulated", "--hosts", "2", "--dir", "d", "--format", "json"];
    let mut command = world.command(&args);
    command.env("SWITCHBACK_CONTROLLER_KEY", &key);
    let ran = world.finish(command, "");
    assert_eq!(ran.code, Some(5), "{}", ran.show());
    assert_eq!(ran.stderr.matches("the journal cannot be signed").count(), 1, "{}", ran.show());
    let last: Value = serde_json::from_str(ran.stdout.lines().next_back().unwrap()).unwrap();
    let ran = world.run(&["audit", "verify", last["campaign"].as_str().unwrap(), "--state", "d/state"]);
    assert_eq!(ran.code, Some(13), "{}", ran.show());
    assert!(ran.stdout.contains("[audit-tail-unsigned]"), "{}", ran.show());
    let mut command = world.command(&args);
    command.env("SWITCHBACK_CONTROLLER_KEY", "nowhere");
    assert_eq!(world.finish(command, "").code, Some(2), "a key that is not there is told");
}
