//! Every decision and every outcome as an entry, and what filters let through.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};

use crate::engine::{Chain, JOURNAL_FORMAT};
use crate::model::{AttemptId, Digest, StepId};
use crate::store::MemoryJournal;

use super::*;

const START: i64 = 1_795_000_000;

fn id(text: &str) -> CampaignId {
    CampaignId::new(text).unwrap()
}

fn host(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

fn decision(finding: &str, host: &str, kind: &str) -> Value {
    json!({"finding": finding, "host": host, "kind": kind, "rule": {"name": "exceptions/E1"}, "reason": "said so",
        "assessment": {"priority": "high"}, "of another program": true})
}

fn planned(packages: &[(&str, &str)]) -> Value {
    let packages: Vec<Value> = packages.iter().map(|(name, to)| json!({"name": name, "from": "1", "to": to})).collect();
    json!({"strategy": "in_place", "fix": {"packages": packages, "findings": []}, "steps": "of another program"})
}

/// A host, whether it begins, and how it ends.
type Walk<'a> = (&'a str, bool, Option<(HostOutcome, Option<Reason>)>);

/// A campaign of this plan: hosts that begin one second after another, and end as told another second later.
fn campaign(journal: &mut MemoryJournal, name: &str, at: i64, plan: &Value, hosts: &[Walk<'_>]) {
    let plan = serde_json::to_vec(plan).unwrap();
    journal.create(&id(name), &plan, &[]).unwrap();
    let fence = journal.claim(&id(name), "ann").unwrap();
    let mut chain = Chain::new(id(name), Digest::of(&plan));
    let mut second = at;
    let mut push = |body| {
        let record = chain.push(Timestamp::from_second(second).unwrap(), body);
        second += 1;
        record
    };
    let (format, plan, operator) = (JOURNAL_FORMAT, Digest::of(&plan), "ann".to_owned());
    let mut records = vec![push(RecordBody::CampaignStarted { format, plan, operator })];
    for (name_of_host, begins, ended) in hosts {
        if *begins {
            for step in ["preflight", "backup"] {
                let step = StepId::of(&host(name_of_host), step);
                let attempt = AttemptId { campaign: id(name), step, generation: 1 };
                records.push(push(RecordBody::Intent { attempt, undo: false }));
            }
        }
        if let Some((outcome, reason)) = ended {
            let (outcome, reason) = (*outcome, reason.clone());
            records.push(push(RecordBody::HostEnded { host: host(name_of_host), outcome, reason }));
        }
    }
    journal.append(&id(name), fence, &records).unwrap();
}

fn told(journal: &mut MemoryJournal, filter: &LedgerFilter) -> Vec<LedgerEntry> {
    let campaigns = ledger_campaigns(journal, filter).unwrap();
    campaigns.iter().flat_map(|campaign| ledger(journal, &campaign.id, filter).unwrap()).collect()
}

#[test]
fn every_outcome_of_a_host_and_every_decision_stands_somewhere() {
    let because = |code: &str| Some(Reason::new(code, "it was so"));
    let held = |code: &str| Some((HostOutcome::Untouched, because(code)));
    let outcomes = [
        ("fixed", true, Some((HostOutcome::Fixed, None)), Standing::Fixed, None),
        ("pending", true, Some((HostOutcome::FixedPendingReboot, None)), Standing::PendingReboot, None),
        ("nothing", true, Some((HostOutcome::NothingToDo, None)), Standing::AlreadyFixed, None),
        (
            "failed",
            true,
            Some((HostOutcome::Untouched, because("backup-failed"))),
            Standing::Failed,
            Some("backup-failed"),
        ),
        ("gone", true, Some((HostOutcome::Untouched, because("unreachable"))), Standing::Failed, Some("unreachable")),
        ("called", true, Some((HostOutcome::Untouched, because("aborted"))), Standing::Unfixed, Some("aborted")),
        ("late", true, Some((HostOutcome::Untouched, because("window-over"))), Standing::Unfixed, Some("window-over")),
        ("expired", true, held("approval-expired"), Standing::Unfixed, Some("approval-expired")),
        ("pilot", true, held("pilot-failed"), Standing::Unfixed, Some("pilot-failed")),
        ("old", true, held("backup-too-old"), Standing::Unfixed, Some("backup-too-old")),
        ("full", true, held("disruption-budget-used-up"), Standing::Unfixed, Some("disruption-budget-used-up")),
        ("budget", false, Some((HostOutcome::Untouched, because("budget"))), Standing::Unfixed, Some("budget")),
        (
            "restored",
            true,
            Some((HostOutcome::Restored, because("probe-failed"))),
            Standing::Restored,
            Some("probe-failed"),
        ),
        (
            "back",
            true,
            Some((HostOutcome::SwitchedBack, because("probe-failed"))),
            Standing::SwitchedBack,
            Some("probe-failed"),
        ),
        ("stuck", true, Some((HostOutcome::Stuck, because("undo-failed"))), Standing::Stuck, Some("undo-failed")),
        ("running", true, None, Standing::Fixing, None),
        ("waits", false, None, Standing::Waiting, None),
    ];
    let decisions = [
        ("defer", Standing::Deferred),
        ("ignore", Standing::Ignored),
        ("whitelist", Standing::Whitelisted),
        ("not_affected", Standing::NotAffected),
        ("no_fix_available", Standing::NoFixAvailable),
        ("manual", Standing::Manual),
    ];
    let mut all: Vec<Value> =
        outcomes.iter().map(|(name, ..)| decision(&format!("{name}/CVE-2026-1/openssl@1#/x"), name, "fix")).collect();
    // Decisions on a host that is fixed as well: its outcome is not theirs.
    all.extend(
        decisions
            .iter()
            .zip(10..)
            .map(|((kind, _), n)| decision(&format!("fixed/CVE-2026-{n}/curl@7.0"), "fixed", kind)),
    );
    all.push(decision("blocked/CVE-2026-1/openssl@1", "blocked", "fix"));
    let hosts: Value = outcomes.iter().map(|(name, ..)| ((*name).to_owned(), planned(&[("openssl", "2")]))).collect();
    let blocked = json!({"blocked": [{"code": "no-provider", "text": "none"}, {"code": "no-window", "text": "never"}]});
    let plan = json!({"hosts": hosts, "report": {"decisions": all, "blocked": blocked}, "ticket": "CHG1"});
    let mut journal = MemoryJournal::new();
    let course: Vec<_> = outcomes.iter().map(|(name, begins, ended, ..)| (*name, *begins, ended.clone())).collect();
    campaign(&mut journal, "c1", START, &plan, &course);

    let entries = told(&mut journal, &LedgerFilter::default());
    assert_eq!(entries.len(), outcomes.len() + decisions.len() + 1);
    let find = |host: &str, vulnerability: &str| {
        entries.iter().find(|e| e.host.as_str() == host && e.vulnerability == vulnerability).unwrap()
    };
    for (name, begins, ended, standing, code) in &outcomes {
        let entry = find(name, "CVE-2026-1");
        assert_eq!((entry.status, entry.code.as_deref()), (*standing, *code), "{name}");
        assert_eq!((entry.started.is_some(), entry.ended.is_some()), (*begins, ended.is_some()), "{name}");
        assert_eq!(entry.seconds, (*begins && ended.is_some()).then_some(2), "{name}");
        assert_eq!((entry.strategy, entry.ticket.as_deref()), (Some(Strategy::InPlace), Some("CHG1")));
        let change = PackageChange { name: "openssl".into(), from: Some("1".into()), to: Some("2".into()) };
        assert_eq!(entry.packages, [change]);
    }
    for ((kind, standing), n) in decisions.iter().zip(10..) {
        let entry = find("fixed", &format!("CVE-2026-{n}"));
        assert_eq!((entry.status, entry.code.as_deref()), (*standing, Some("exceptions/E1")), "{kind}");
        assert_eq!((entry.started, entry.ended, entry.at.as_second()), (None, None, START), "{kind}");
        assert_eq!((entry.packages[0].from.as_deref(), &entry.packages[0].to), (Some("7.0"), &None), "{kind}");
    }
    let blocked = find("blocked", "CVE-2026-1");
    assert_eq!((blocked.status, blocked.code.as_deref()), (Standing::Blocked, Some("no-provider no-window")));
    assert_eq!(blocked.reason.as_deref(), Some("none; never"));
    let stood: std::collections::BTreeSet<_> = entries.iter().map(|entry| entry.status).collect();
    let never: Vec<_> = Standing::ALL.into_iter().filter(|standing| !stood.contains(standing)).collect();
    assert_eq!(never, [Standing::LeftOut], "the next test has it");
}

#[test]
fn what_holds_hosts_back_are_words_of_the_engine() {
    let engine = [
        include_str!("../../engine/settle.rs"),
        include_str!("../../engine/campaign.rs"),
        include_str!("../../run/executor/soak.rs"),
    ];
    for code in HELD_BACK {
        assert!(engine.iter().any(|text| text.contains(&format!("\"{code}\""))), "{code}");
    }
}

#[test]
fn packages_of_one_vulnerability_are_one_entry_that_stands_as_the_worst_of_them() {
    let left_out = Reason::new("packages-left-out", "they broke a clone and were left out: libfoo libfoo-dev");
    let plan = json!({
        "hosts": {"a": planned(&[("bar", "2"), ("libfoo", "2"), ("libfoo-dev", "2")])},
        "report": {"decisions": [
            decision("registry.example/web:1/CVE-2026-1/libfoo@1", "a", "fix"),
            decision("registry.example/web:1/CVE-2026-1/bar@1", "a", "fix"),
            decision("a/CVE-2026-2/bar@1", "a", "fix"),
            decision("a/CVE-2026-2/@scope/bar@1", "a", "whitelist"),
        ]},
        "ticket": {"id": "CHG2", "url": "x"},
    });
    let mut journal = MemoryJournal::new();
    campaign(&mut journal, "c1", START, &plan, &[("a", true, Some((HostOutcome::Fixed, Some(left_out))))]);
    let entries = told(&mut journal, &LedgerFilter::default());
    let short: Vec<_> = entries
        .iter()
        .map(|e| {
            let names: Vec<&str> = e.packages.iter().map(|package| package.name.as_str()).collect();
            (e.vulnerability.as_str(), e.status, names.join(" "))
        })
        .collect();
    assert_eq!(
        short,
        [
            ("CVE-2026-1", Standing::LeftOut, "bar libfoo".to_owned()),
            ("CVE-2026-2", Standing::Whitelisted, "@scope/bar bar".to_owned()),
        ]
    );
    assert_eq!(entries[0].code.as_deref(), Some("packages-left-out"));
    assert_eq!(entries[0].ticket.as_deref(), Some("CHG2"));
}

#[test]
fn filters_combine_and_campaigns_come_as_they_began() {
    let plan = |strategy: &str| {
        let mut planned = planned(&[("openssl", "2")]);
        planned["strategy"] = json!(strategy);
        json!({"hosts": {"web-1": planned, "db-1": planned},
            "report": {"decisions": [decision("db-1/CVE-2026-1/openssl@1", "db-1", "fix"),
                decision("web-1/CVE-2026-1/openssl@1", "web-1", "fix"),
                decision("web-1/CVE-2026-2/curl@1", "web-1", "ignore")]}})
    };
    let mut journal = MemoryJournal::new();
    let fixed = || Some((HostOutcome::Fixed, None));
    let day = |n: i64| START + n * 86_400;
    campaign(&mut journal, "z", day(0), &plan("in_place"), &[("web-1", true, fixed()), ("db-1", true, fixed())]);
    let restored = Some((HostOutcome::Restored, Some(Reason::new("probe-failed", "x"))));
    campaign(
        &mut journal,
        "a",
        day(1),
        &plan("clone_and_switch"),
        &[("web-1", true, restored), ("db-1", true, fixed())],
    );
    // One that never began has no entries, and one whose plan cannot be read does not stand for none.
    journal.create(&id("m"), b"{}", &[]).unwrap();

    let mut count = |change: fn(&mut LedgerFilter)| {
        let mut filter = LedgerFilter::default();
        change(&mut filter);
        told(&mut journal, &filter).iter().map(|e| format!("{} {}", e.campaign, e.host)).collect::<Vec<_>>()
    };
    assert_eq!(count(|_| ()), ["z db-1", "z web-1", "z web-1", "a db-1", "a web-1", "a web-1"]);
    assert_eq!(count(|f| f.host = Some(Glob::new("web-*"))).len(), 4);
    assert_eq!(count(|f| f.vulnerability = Some("cve-2026-2".into())), ["z web-1", "a web-1"]);
    assert_eq!(count(|f| f.package = Some("curl".into())), ["z web-1", "a web-1"]);
    assert_eq!(count(|f| f.statuses = vec![Standing::Restored, Standing::Ignored]), ["z web-1", "a web-1", "a web-1"]);
    assert_eq!(count(|f| f.strategy = Some(Strategy::CloneAndSwitch)), ["a db-1", "a web-1"]);
    assert_eq!(count(|f| f.operator = Some("ann".into())).len(), 6);
    assert_eq!(count(|f| f.operator = Some("bob".into())).len(), 0);
    assert_eq!(count(|f| f.campaign = Some(id("a"))).len(), 3);
    let later = |f: &mut LedgerFilter| f.since = Timestamp::from_second(START + 86_400).ok();
    assert_eq!(count(later), ["a db-1", "a web-1", "a web-1"]);
    assert_eq!(count(|f| f.until = Timestamp::from_second(START + 86_400).ok()), ["z db-1", "z web-1", "z web-1"]);
    // The second that the host ended in, to the second.
    assert_eq!(count(|f| f.until = Timestamp::from_second(START + 3).ok()), ["z web-1"]);
    let both = |f: &mut LedgerFilter| {
        f.host = Some(Glob::new("web-?"));
        f.statuses = vec![Standing::Fixed];
        f.until = Timestamp::from_second(START + 4).ok();
    };
    assert_eq!(count(both), ["z web-1"]);
}

#[test]
fn a_plan_that_cannot_be_read_is_told() {
    let mut journal = MemoryJournal::new();
    campaign(&mut journal, "c1", START, &json!({"report": {"decisions": 7}}), &[]);
    let failed = ledger(&mut journal, &id("c1"), &LedgerFilter::default());
    assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
    campaign(&mut journal, "c2", START, &json!({"format": 1}), &[]);
    assert_eq!(ledger(&mut journal, &id("c2"), &LedgerFilter::default()), Ok(vec![]));
}

#[test]
fn both_kinds_of_journal_scan_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut journals: [Box<dyn Journal>; 2] =
        [Box::new(MemoryJournal::new()), Box::new(crate::store::SqliteJournal::open(dir.path()).unwrap())];
    for journal in &mut journals {
        journal.create(&id("c1"), b"plan", &[]).unwrap();
        let fence = journal.claim(&id("c1"), "ann").unwrap();
        let mut chain = Chain::new(id("c1"), Digest::of(b"plan"));
        let at = Timestamp::from_second(START).unwrap();
        let records = [
            chain.push(at, RecordBody::Resumed { by: "ann".into() }),
            chain.push(at, RecordBody::WaveStarted { wave: 0 }),
            chain.push(at, RecordBody::HostEnded { host: host("a"), outcome: HostOutcome::Fixed, reason: None }),
        ];
        journal.append(&id("c1"), fence, &records).unwrap();
        let mut found = Vec::new();
        journal.scan(&id("c1"), &["host_ended", "resumed"], &mut |record| found.push(record)).unwrap();
        assert_eq!(found, [records[0].clone(), records[2].clone()]);
        assert!(journal.scan(&id("c9"), &["resumed"], &mut |_| ()).is_err());
    }
}
