//! How many records a second become durable, one at a time and sixteen at a time.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot unwrap has failed")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use switchback::engine::{Chain, RecordBody, StepResult};
use switchback::model::{AttemptId, CampaignId, Digest, HostName, StepId};
use switchback::plan::Reason;
use switchback::store::{Journal, SqliteJournal};

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for size in [1_u64, 16] {
        // On the disk that is worked on: a folder in memory would cost nothing.
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let mut journal = SqliteJournal::open(dir.path()).unwrap();
        let campaign = CampaignId::new("bench").unwrap();
        journal.create(&campaign, b"plan", &[]).unwrap();
        let fence = journal.claim(&campaign, "bench").unwrap();
        let mut chain = Chain::new(campaign.clone(), Digest::of(b"plan"));
        let step = StepId::of(&HostName::new("web-1").unwrap(), "fix");
        let attempt = AttemptId { campaign: campaign.clone(), step, generation: 1 };
        // 500 bytes, as in the measurements that chose the store.
        let reason = Reason::new("lost", "x".repeat(300));
        let body = RecordBody::Outcome { attempt, result: StepResult::Unknown { reason } };
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size} a commit"), |bencher| {
            bencher.iter(|| {
                let records: Vec<_> = (0..size).map(|_| chain.push(Timestamp::UNIX_EPOCH, body.clone())).collect();
                journal.append(&campaign, fence, &records).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
