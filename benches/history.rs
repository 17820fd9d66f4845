//! How long the history of ten campaigns of 1,000 hosts takes to read and to write; a hundred take ten times as long.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot unwrap has failed")]

#[path = "../tests/plan/fleet.rs"]
mod fleet;

use std::io::sink;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use switchback::engine::{Chain, JOURNAL_FORMAT, RecordBody, StepResult};
use switchback::model::{AttemptId, CampaignId, Digest, HostOutcome, TimeSpan};
use switchback::plan::Plan;
use switchback::report::{Sheet, SheetFormat};
use switchback::store::{Journal, LedgerEntry, LedgerFilter, SqliteJournal, ledger, ledger_campaigns, lessons};

const CAMPAIGNS: u64 = 10;
const HOSTS: usize = 1_000;
const FINDINGS: usize = 5;

/// A campaign in which every step of every host went well.
fn record(journal: &mut SqliteJournal, campaign: &CampaignId, plan: &Plan, start: Timestamp) {
    let bytes = serde_json::to_vec(plan).unwrap();
    journal.create(campaign, &bytes, &[]).unwrap();
    let fence = journal.claim(campaign, "bench").unwrap();
    let mut chain = Chain::new(campaign.clone(), Digest::of(&bytes));
    let mut at = start;
    let mut push = |body| {
        at = TimeSpan::seconds(1).after(at);
        chain.push(at, body)
    };
    let (format, plan_digest, operator) = (JOURNAL_FORMAT, Digest::of(&bytes), "bench".to_owned());
    let mut records = vec![push(RecordBody::CampaignStarted { format, plan: plan_digest, operator })];
    for (name, host) in &plan.hosts {
        for step in &host.steps {
            let attempt = AttemptId { campaign: campaign.clone(), step: step.id.clone(), generation: 1 };
            records.push(push(RecordBody::Intent { attempt: attempt.clone(), undo: false }));
            let result = StepResult::Succeeded { facts: Default::default(), note: Some("x".repeat(200)) };
            records.push(push(RecordBody::Outcome { attempt, result }));
        }
        let (host, outcome) = (name.clone(), HostOutcome::Fixed);
        records.push(push(RecordBody::HostEnded { host, outcome, reason: None }));
    }
    records.push(push(RecordBody::CampaignEnded { outcomes: Default::default() }));
    journal.append(campaign, fence, &records).unwrap();
}

fn write(journal: &mut SqliteJournal, format: SheetFormat) -> usize {
    let filter = LedgerFilter::default();
    let (mut out, mut rows) = (sink(), 0);
    let mut sheet = Sheet::begin::<LedgerEntry>(format, "history", Timestamp::UNIX_EPOCH, &mut out).unwrap();
    for campaign in ledger_campaigns(journal, &filter).unwrap() {
        let entries = ledger(journal, &campaign.id, &filter).unwrap();
        rows += entries.len();
        entries.iter().for_each(|entry| sheet.row(entry).unwrap());
    }
    sheet.end().unwrap();
    rows
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10).measurement_time(std::time::Duration::from_secs(3));
    // On the disk that is worked on: a folder in memory would cost nothing.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut journal = SqliteJournal::open(dir.path()).unwrap();
    let plan = fleet::Fleet::of(HOSTS, FINDINGS).plan();
    for n in 0..CAMPAIGNS {
        let campaign = CampaignId::new(&format!("c-{n:04}")).unwrap();
        record(&mut journal, &campaign, &plan, TimeSpan::days(n).after(plan.as_of));
    }
    for (name, format) in [("csv", SheetFormat::Csv), ("xlsx", SheetFormat::Xlsx)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert!(write(&mut journal, format) >= usize::try_from(CAMPAIGNS).unwrap() * HOSTS));
        });
    }
    group.bench_function("lessons for the planner", |bencher| {
        bencher.iter(|| assert!(lessons(&mut journal).unwrap().digest.is_some()));
    });
    group.finish();
}

criterion_group!(history, benches);
criterion_main!(history);
