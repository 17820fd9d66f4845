//! The contract of a journal against both kinds, and what only files do.
#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::channel;

use jiff::Timestamp;

use crate::diagnostic::{Diagnostics, Source};
use crate::engine::{Chain, Effected, JOURNAL_FORMAT, Record, RecordBody, StepResult};
use crate::model::{AttemptId, CampaignId, Digest, Host, HostName, HostOutcome, ProviderSettings, RuleName, StepId};
use crate::plan::{Doing, DrillInput, Experience, Reason, StepKind, plan_drills};
use crate::policy::Policy;

use super::{Journal, JournalWriter, MemoryJournal, SignedText, SqliteJournal, StoreError, lessons};

const PLAN: &[u8] = b"{\"plan\":1}";

fn id(text: &str) -> CampaignId {
    CampaignId::new(text).unwrap()
}

fn host(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

/// `count` records of a campaign, the first its start.
fn records(campaign: &str, count: u64) -> Vec<Record> {
    let plan = Digest::of(PLAN);
    let mut chain = Chain::new(id(campaign), plan);
    let time = |second: u64| {
        "2027-03-28T02:30:00.123456789Z".parse::<Timestamp>().unwrap() + std::time::Duration::from_secs(second)
    };
    (0..count)
        .map(|n| {
            let operator = "ann \u{1f980} \"o'brien\"".to_owned();
            let body = match n {
                0 => RecordBody::CampaignStarted { format: JOURNAL_FORMAT, plan, operator },
                _ => RecordBody::ControllerStarted { fence: n, operator },
            };
            chain.push(time(n), body)
        })
        .collect()
}

fn journals(test: impl Fn(&mut dyn Journal)) {
    test(&mut MemoryJournal::new());
    let dir = tempfile::tempdir().unwrap();
    test(&mut SqliteJournal::open(&dir.path().join("state")).unwrap());
}

#[test]
fn what_was_appended_is_read_back() {
    journals(|journal| {
        journal.create(&id("c1"), PLAN, &[]).unwrap();
        let fence = journal.claim(&id("c1"), "ann").unwrap();
        let all = records("c1", 20);
        journal.append(&id("c1"), fence, &all[..1]).unwrap();
        journal.append(&id("c1"), fence, &all[1..1]).unwrap();
        journal.append(&id("c1"), fence, &all[1..]).unwrap();
        assert_eq!(journal.read(&id("c1")).unwrap(), all);
        assert_eq!(journal.plan(&id("c1")).unwrap(), PLAN);
        let entries = journal.campaigns().unwrap();
        assert_eq!((entries.len(), entries[0].records, entries[0].ended), (1, 20, false));
        assert_eq!((entries[0].started, entries[0].last), (Some(all[0].at), Some(all[19].at)));
        assert_eq!(entries[0].plan, Digest::of(PLAN));
        assert!(matches!(journal.create(&id("c1"), PLAN, &[]), Err(StoreError::Exists(_))));
        assert!(matches!(journal.read(&id("c9")), Err(StoreError::UnknownCampaign(_))));
        assert!(matches!(journal.claim(&id("c9"), "ann"), Err(StoreError::UnknownCampaign(_))));
    });
}

#[test]
fn what_people_signed_is_kept_once_and_stays() {
    journals(|journal| {
        journal.create(&id("c1"), PLAN, &[]).unwrap();
        journal.create(&id("c2"), PLAN, &[]).unwrap();
        let signed = |text: &str| SignedText { text: text.to_owned(), signature: format!("signature of {text}") };
        journal.keep_approvals(&id("c1"), &[signed("b"), signed("a")]).unwrap();
        journal.keep_approvals(&id("c1"), &[signed("a"), signed("c")]).unwrap();
        assert_eq!(journal.approvals(&id("c1")).unwrap(), [signed("a"), signed("b"), signed("c")]);
        assert_eq!(journal.approvals(&id("c2")).unwrap(), []);
        assert!(matches!(journal.keep_approvals(&id("c9"), &[signed("a")]), Err(StoreError::UnknownCampaign(_))));
    });
}

#[test]
fn a_journal_of_the_first_schema_gets_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteJournal::open(dir.path()).unwrap());
    let file = rusqlite::Connection::open(dir.path().join(SqliteJournal::FILE)).unwrap();
    file.execute_batch("DROP TABLE approvals; PRAGMA user_version = 1").unwrap();
    drop(file);
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    assert_eq!(journal.approvals(&id("c1")).unwrap(), []);
}

#[test]
fn records_that_do_not_follow_are_refused_and_nothing_of_them_is_kept() {
    journals(|journal| {
        journal.create(&id("c1"), PLAN, &[]).unwrap();
        let fence = journal.claim(&id("c1"), "ann").unwrap();
        let all = records("c1", 6);
        journal.append(&id("c1"), fence, &all[..3]).unwrap();
        let broken = |result| matches!(result, Err(StoreError::Broken { seq: 4, .. }));
        assert!(broken(journal.append(&id("c1"), fence, &all[4..])), "a gap");
        let mut forged = all[3].clone();
        forged.previous = Digest::of(b"else");
        assert!(broken(journal.append(&id("c1"), fence, &[forged])));
        assert!(broken(journal.append(&id("c1"), fence, &records("c2", 4)[3..])), "another campaign's");
        let again = journal.append(&id("c1"), fence, &all[2..]);
        assert!(matches!(again, Err(StoreError::Fenced { .. })), "the number is taken");
        let twisted = [all[3].clone(), all[5].clone()];
        assert!(journal.append(&id("c1"), fence, &twisted).is_err());
        assert_eq!(journal.read(&id("c1")).unwrap(), all[..3]);
        journal.append(&id("c1"), fence, &all[3..]).unwrap();
    });
}

#[test]
fn a_host_is_in_one_campaign_until_it_has_ended() {
    journals(|journal| {
        journal.create(&id("c1"), PLAN, &[host("a"), host("b"), host("c")]).unwrap();
        let fence = journal.claim(&id("c1"), "ann").unwrap();
        let busy = journal.create(&id("c2"), PLAN, &[host("d"), host("b")]);
        assert_eq!(busy, Err(StoreError::HostBusy { host: host("b"), campaign: id("c1") }));
        let start = records("c1", 1);
        journal.append(&id("c1"), fence, &start).unwrap();
        let mut chain = Chain::after(&start[0]);
        let body = RecordBody::HostEnded { host: host("b"), outcome: HostOutcome::Fixed, reason: None };
        let ended = chain.push(start[0].at, body);
        journal.append(&id("c1"), fence, &[ended]).unwrap();
        journal.create(&id("c2"), PLAN, &[host("d"), host("b")]).unwrap();
        journal.claim(&id("c2"), "ann").unwrap();
        assert!(matches!(journal.create(&id("c3"), PLAN, &[host("a")]), Err(StoreError::HostBusy { .. })));
        let body = RecordBody::CampaignEnded { outcomes: [(HostOutcome::Fixed, 3)].into() };
        journal.append(&id("c1"), fence, &[chain.push(start[0].at, body)]).unwrap();
        assert!(journal.campaigns().unwrap()[0].ended);
        journal.create(&id("c3"), PLAN, &[host("a")]).unwrap();
        let busy = journal.create(&id("c4"), PLAN, &[host("b")]);
        assert_eq!(busy, Err(StoreError::HostBusy { host: host("b"), campaign: id("c2") }), "c1 no longer holds it");
    });
}

#[test]
fn a_campaign_that_never_began_does_not_keep_its_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let open = || SqliteJournal::open(dir.path()).unwrap();
    let mut dead = open();
    dead.create(&id("c1"), PLAN, &[host("a"), host("b")]).unwrap();
    dead.claim(&id("c1"), "ann").unwrap();
    let mut other = open();
    let busy = Err(StoreError::HostBusy { host: host("b"), campaign: id("c1") });
    assert_eq!(other.create(&id("c2"), PLAN, &[host("b")]), busy, "its controller is about to begin");
    drop(dead);
    other.create(&id("c2"), PLAN, &[host("b")]).unwrap();
    assert_eq!(other.claim(&id("c1"), "ann"), Err(StoreError::GivenUp(id("c1"))));
    assert!(other.campaigns().unwrap()[0].ended);
    other.create(&id("c3"), PLAN, &[host("a")]).unwrap();
    // One that has begun keeps them, controller or not.
    let fence = other.claim(&id("c2"), "ann").unwrap();
    other.append(&id("c2"), fence, &records("c2", 1)).unwrap();
    drop(other);
    let busy = Err(StoreError::HostBusy { host: host("b"), campaign: id("c2") });
    assert_eq!(open().create(&id("c4"), PLAN, &[host("b")]), busy);
}

#[test]
fn one_controller_runs_a_campaign_and_an_older_one_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = SqliteJournal::open(dir.path()).unwrap();
    first.create(&id("c1"), PLAN, &[]).unwrap();
    let unclaimed = first.append(&id("c1"), 0, &records("c1", 1));
    assert!(matches!(unclaimed, Err(StoreError::Fenced { .. })), "nothing without a claim");
    assert_eq!(first.claim(&id("c1"), "ann"), Ok(1));
    let mut second = SqliteJournal::open(dir.path()).unwrap();
    assert_eq!(second.claim(&id("c1"), "bob"), Err(StoreError::Claimed { campaign: id("c1"), by: "ann".to_owned() }));
    assert_eq!(second.read(&id("c1")), Ok(vec![]), "reading is free");
    drop(first);
    assert_eq!(second.claim(&id("c1"), "bob"), Ok(2), "the lock died with its holder");
    let stale = second.append(&id("c1"), 1, &records("c1", 1));
    assert_eq!(stale, Err(StoreError::Fenced { campaign: id("c1") }));
    second.append(&id("c1"), 2, &records("c1", 1)).unwrap();
}

#[test]
fn an_older_controller_in_memory_is_fenced_too() {
    let mut first = MemoryJournal::new();
    first.create(&id("c1"), PLAN, &[]).unwrap();
    let old = first.claim(&id("c1"), "ann").unwrap();
    let mut second = first.clone();
    let new = second.claim(&id("c1"), "bob").unwrap();
    assert!(matches!(first.append(&id("c1"), old, &records("c1", 1)), Err(StoreError::Fenced { .. })));
    second.append(&id("c1"), new, &records("c1", 1)).unwrap();
}

#[test]
fn the_state_folder_belongs_to_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/.switchback");
    let mut journal = SqliteJournal::open(&state).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    journal.claim(&id("c1"), "ann").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm", "c1.lock"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
}

/// A file with a campaign of five records, changed by `sql` behind the journal's back.
fn tampered(sql: &str) -> (tempfile::TempDir, SqliteJournal) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    journal.append(&id("c1"), fence, &records("c1", 5)).unwrap();
    drop(journal);
    let raw = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    raw.execute_batch(sql).unwrap();
    drop(raw);
    let journal = SqliteJournal::open(dir.path()).unwrap();
    (dir, journal)
}

#[test]
fn a_changed_journal_is_refused_at_its_first_bad_record() {
    let free = "DROP TRIGGER record_no_update; DROP TRIGGER record_no_delete;";
    for (sql, first_bad) in [
        ("UPDATE record SET body = replace(body, 'ann', 'eve') WHERE seq = 3", 4),
        ("UPDATE record SET at = '2027-01-01T00:00:00Z' WHERE seq = 1", 2),
        ("DELETE FROM record WHERE seq = 2", 2),
        ("DELETE FROM record WHERE seq = 1", 1),
        ("UPDATE record SET previous = 'xyz' WHERE seq = 2", 2),
        ("UPDATE record SET body = '{' WHERE seq = 5", 5),
        ("UPDATE record SET body = '{\"kind\":\"unheard_of\"}' WHERE seq = 5", 5),
        ("UPDATE record SET seq = 9 WHERE seq = 5", 5),
    ] {
        let (_dir, mut journal) = tampered(&format!("{free}{sql}"));
        match journal.read(&id("c1")) {
            Err(StoreError::Broken { seq, .. }) => assert_eq!(seq, first_bad, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
        assert!(journal.claim(&id("c1"), "ann").is_err(), "and nobody goes on from there");
    }
    let (_dir, mut journal) = tampered("DROP TRIGGER campaign_no_update; UPDATE campaign SET plan = x'00'");
    assert!(matches!(journal.plan(&id("c1")), Err(StoreError::Broken { seq: 0, .. })));
}

#[test]
fn the_file_itself_refuses_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    journal.append(&id("c1"), fence, &records("c1", 2)).unwrap();
    let raw = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    for sql in [
        "DELETE FROM record",
        "UPDATE record SET body = '' WHERE seq = 1",
        "DELETE FROM campaign",
        "UPDATE campaign SET plan = x''",
        "INSERT INTO record(campaign, seq, at, previous, kind, body) VALUES('c1', 2, '', '', '', '')",
    ] {
        assert!(raw.execute_batch(sql).is_err(), "{sql}");
    }
}

#[test]
fn a_newer_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteJournal::open(dir.path()).unwrap());
    let raw = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    raw.execute_batch("PRAGMA user_version = 99").unwrap();
    let error = SqliteJournal::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 2, .. }));
    assert!(error.to_string().contains("newer program"), "{error}");
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.db"), vec![7_u8; 5000]).unwrap();
    assert!(matches!(SqliteJournal::open(dir.path()), Err(StoreError::Io { .. })));
}

#[test]
fn a_full_disk_is_an_error_and_leaves_the_journal_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    let all = records("c1", 2_000);
    journal.append(&id("c1"), fence, &all[..100]).unwrap();
    journal.limit_pages(40);
    let full = journal.append(&id("c1"), fence, &all[100..]);
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    assert_eq!(journal.read(&id("c1")).unwrap(), all[..100]);
    journal.limit_pages(1 << 20);
    journal.append(&id("c1"), fence, &all[100..]).unwrap();
    assert_eq!(journal.read(&id("c1")).unwrap(), all);
}

#[test]
fn the_writer_acknowledges_in_order_what_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    let writer = JournalWriter::spawn(Box::new(journal), id("c1"), fence).unwrap();
    let (told, tell) = channel();
    let all = records("c1", 500);
    for (number, record) in all.iter().enumerate() {
        let told = told.clone();
        writer.append(vec![record.clone()], Box::new(move |result| told.send((number, result)).unwrap()));
    }
    for number in 0..all.len() {
        assert_eq!(tell.recv().unwrap(), (number, Ok(())));
    }
    let mut journal = writer.close().unwrap();
    assert_eq!(journal.read(&id("c1")).unwrap(), all);
}

#[test]
fn after_a_failure_the_writer_writes_nothing_more() {
    let shared = MemoryJournal::new();
    let mut journal = shared.clone();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    shared.fail_at(3);
    let writer = JournalWriter::spawn(Box::new(journal), id("c1"), fence).unwrap();
    let (told, tell) = channel();
    let append = |record: &Record| {
        let told = told.clone();
        writer.append(vec![record.clone()], Box::new(move |result| told.send(result).unwrap()));
        tell.recv().unwrap()
    };
    let all = records("c1", 5);
    assert_eq!(append(&all[0]), Ok(()));
    assert_eq!(append(&all[1]), Ok(()));
    assert!(matches!(append(&all[2]), Err(StoreError::Full { .. })), "the fault was reached");
    shared.heal();
    assert_eq!(append(&all[3]), Err(StoreError::Stopped));
    assert_eq!(append(&all[2]), Err(StoreError::Stopped), "even what would fit: effects were dropped since");
    assert_eq!(shared.clone().read(&id("c1")).unwrap(), all[..2]);
}

#[test]
fn a_torn_tail_leaves_a_journal_that_can_be_read_and_continued() {
    let mut journal = MemoryJournal::new();
    journal.create(&id("c1"), PLAN, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    let all = records("c1", 5);
    journal.append(&id("c1"), fence, &all).unwrap();
    journal.tear(&id("c1"), 2);
    assert_eq!(journal.read(&id("c1")).unwrap(), all[..3]);
    journal.append(&id("c1"), fence, &all[3..]).unwrap();
}

#[test]
fn what_steps_took_and_how_they_ended_is_learned_from_journals() {
    let plan = br#"{"hosts": {"a": {
        "host": {"name": "a", "provider": {"kind": "simulated"}}, "cohort": "c", "playbook": "linux-apt",
        "fix": {"packages": [], "findings": []},
        "steps": [
            {"id": "a/fix", "kind": "fix", "undo": [{"id": "a/restore", "kind": "restore"}]},
            {"id": "a/reboot", "kind": "reboot", "new": true}
        ]
    }}, "other": 1}"#;
    let mut journal = MemoryJournal::new();
    journal.create(&id("c1"), plan, &[]).unwrap();
    let fence = journal.claim(&id("c1"), "ann").unwrap();
    let mut chain = Chain::new(id("c1"), Digest::of(plan));
    let attempt = |step: &str| AttemptId { campaign: id("c1"), step: StepId::new(step).unwrap(), generation: 1 };
    let start: Timestamp = "2027-03-28T02:30:00Z".parse().unwrap();
    let operator = || "ann".to_owned();
    let done = || StepResult::Succeeded { facts: Default::default(), note: None };
    let not_needed =
        StepResult::Succeeded { facts: [("reboot".to_owned(), "not-required".to_owned())].into(), note: None };
    let failed =
        StepResult::Failed { reason: Reason::new("x", "x"), effect: Effected::Possibly, evidence: String::new() };
    let unknown = StepResult::Unknown { reason: Reason::new("x", "x") };
    let bodies = [
        (0, RecordBody::CampaignStarted { format: JOURNAL_FORMAT, plan: Digest::of(plan), operator: operator() }),
        (0, RecordBody::ControllerStarted { fence: 1, operator: operator() }),
        (0, RecordBody::Intent { attempt: attempt("a/fix"), undo: false }),
        (12, RecordBody::Outcome { attempt: attempt("a/fix"), result: done() }),
        (12, RecordBody::Intent { attempt: attempt("a/restore"), undo: true }),
        (13, RecordBody::Outcome { attempt: attempt("a/restore"), result: failed }),
        // How long this took is not known, and that it is unknown is no end.
        (13, RecordBody::Intent { attempt: attempt("a/fix"), undo: false }),
        (14, RecordBody::Outcome { attempt: attempt("a/fix"), result: unknown }),
        (15, RecordBody::Probing { attempt: attempt("a/fix"), probe: 1 }),
        (90, RecordBody::Outcome { attempt: attempt("a/fix"), result: done() }),
        (90, RecordBody::Outcome { attempt: attempt("b/fix"), result: done() }),
        // That a host need not be rebooted says nothing of how long that takes.
        (90, RecordBody::Intent { attempt: attempt("a/reboot"), undo: false }),
        (91, RecordBody::Outcome { attempt: attempt("a/reboot"), result: not_needed }),
    ];
    let records: Vec<Record> =
        bodies.map(|(at, body)| chain.push(start + std::time::Duration::from_secs(at), body)).into();
    journal.append(&id("c1"), fence, &records).unwrap();
    let mut web = Host::named(host("a"));
    web.provider = Some(ProviderSettings::Simulated);
    let (name, cohort) = (RuleName::new("linux-apt").unwrap(), RuleName::new("c").unwrap());
    let of = |kind| Doing { kind, on_clone: false, host: &web, playbook: &name, cohort: &cohort };
    let mut wanted = Experience::default();
    wanted.add(&of(StepKind::Fix), Some(12_000), false);
    wanted.add(&of(StepKind::Fix), None, false);
    wanted.add(&of(StepKind::Restore), None, true);
    wanted.add(&of(StepKind::Reboot), None, false);
    let learned = lessons(&mut journal).unwrap();
    assert_eq!(learned.experience, wanted);
    assert!(learned.digest.is_some());
    assert_eq!(lessons(&mut MemoryJournal::new()).unwrap().digest, None);
}

/// The plan of a drill of `web-1`, as it is stored.
fn drill_plan() -> Vec<u8> {
    let text = "version: 1\nverify: {probes: [{name: answers, match: all, http: {url: \"http://{{ host.address }}/\", status: 200}}]}\n";
    let policy = Policy::load(vec![Source::new("policy.yaml", text)], &mut Diagnostics::default()).unwrap();
    let mut web = Host::named(host("web-1"));
    web.provider = Some(ProviderSettings::Simulated);
    let input = DrillInput {
        hosts: &[&web],
        policy: &policy,
        playbooks: &[],
        concurrency: 1,
        as_of: Timestamp::UNIX_EPOCH,
        inputs: Default::default(),
    };
    serde_json::to_vec(&plan_drills(&input).unwrap().plan).unwrap()
}

/// A campaign of `web-1` that began at this second: what came of a step, and where the host ended.
fn drilled(journal: &mut dyn Journal, campaign: &str, second: i64, failed: Option<(&str, &str)>, ended: HostOutcome) {
    let (campaign, plan) = (id(campaign), drill_plan());
    journal.create(&campaign, &plan, &[host("web-1")]).unwrap();
    let fence = journal.claim(&campaign, "ann").unwrap();
    let mut chain = Chain::new(campaign.clone(), Digest::of(&plan));
    let at = |n: i64| Timestamp::from_second(second + n).unwrap();
    let (format, operator) = (JOURNAL_FORMAT, "ann".to_owned());
    let mut records =
        vec![chain.push(at(0), RecordBody::CampaignStarted { format, plan: Digest::of(&plan), operator })];
    if let Some((step, code)) = failed {
        let step = StepId::new(&format!("web-1/{step}")).unwrap();
        let attempt = AttemptId { campaign: campaign.clone(), step, generation: 1 };
        let reason = Reason::new(code, "said so");
        let result = StepResult::Failed { reason, effect: Effected::No, evidence: String::new() };
        records.push(chain.push(at(1), RecordBody::Outcome { attempt, result }));
    }
    let body = RecordBody::HostEnded { host: host("web-1"), outcome: ended, reason: None };
    records.push(chain.push(at(2), body));
    records.push(chain.push(at(3), RecordBody::CampaignEnded { outcomes: [(ended, 1)].into() }));
    journal.append(&campaign, fence, &records).unwrap();
}

#[test]
fn the_last_drill_that_showed_something_of_the_backup_counts() {
    use HostOutcome::{Proven, Untouched};
    journals(|journal| {
        assert_eq!(lessons(journal).unwrap().history.drilled(&host("web-1")), None);
        drilled(journal, "c1", 100, None, Proven);
        let proven = lessons(journal).unwrap().history.drilled(&host("web-1")).cloned().unwrap();
        assert_eq!((proven.campaign.clone(), proven.at.as_second(), &proven.failed), (id("c1"), 102, &None));
        assert_eq!(proven.provider, ProviderSettings::Simulated.digest());
        assert_eq!(proven.probes.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["answers"]);
        // These say nothing of the backup: the provider, the network, the host itself.
        for (number, failed) in [
            ("clone", "clone-failed"),
            ("verify-clone", "unreachable"),
            ("preflight", "probe-failed"),
            ("backup", "backup-failed"),
        ]
        .into_iter()
        .enumerate()
        {
            drilled(journal, &format!("c2-{number}"), 200, Some(failed), Untouched);
            assert_eq!(lessons(journal).unwrap().history.drilled(&host("web-1")), Some(&proven), "{failed:?}");
        }
        for (number, (step, code)) in
            [("backup", "backup-not-verified"), ("clone", "clone-not-up"), ("verify-clone", "probe-failed")]
                .into_iter()
                .enumerate()
        {
            let second = 300 + 10 * i64::try_from(number).unwrap();
            drilled(journal, &format!("c3-{number}"), second, Some((step, code)), Untouched);
            let known = lessons(journal).unwrap().history.drilled(&host("web-1")).cloned().unwrap();
            assert_eq!(known.failed, Some(format!("{code}: said so")));
            drilled(journal, &format!("c4-{number}"), second + 5, None, Proven);
            assert_eq!(
                lessons(journal).unwrap().history.drilled(&host("web-1")).unwrap().failed,
                None,
                "it was mended"
            );
        }
        let shown = lessons(journal).unwrap().history;
        assert_eq!(shown.quarantine_list().0.len() + shown.quarantine_list().1.len(), 0, "nothing was fixed");
    });
}

#[test]
fn a_campaign_that_cannot_be_read_is_named_and_forgets_nothing() {
    journals(|journal| {
        drilled(journal, "c1", 100, None, HostOutcome::Proven);
        journal.create(&id("c2"), b"{}", &[]).unwrap();
        let error = lessons(journal).unwrap_err();
        assert!(matches!(&error, StoreError::Unreadable { campaign, .. } if *campaign == id("c2")), "{error}");
    });
}
