//! The embedded engine with the simulated fleet: the real dispatcher, the real journal, time that goes a thousand
//! times as fast.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use switchback::engine::{
    BoxFuture, CampaignStatus, Engine, Event, Phase, Record, RecordBody, Signal, StepContext, StepExecutor,
    StepRequest, StepResult,
};
use switchback::model::{CampaignId, HostName, HostOutcome, TimeSpan};
use switchback::plan::Plan;
use switchback::run::{EmbeddedEngine, OnPause, RunError};
use switchback::sim::{Fault, SimExecutor, SimWorld};
use switchback::store::{Journal, MemoryJournal, SqliteJournal, StoreError};

use support::{Reboots, Shape, host, sample, start};

const SCALE: u32 = 3000;

/// Three hosts; `web-1` is broken by its fix and goes back.
fn setting() -> (Arc<SimExecutor>, Arc<Plan>) {
    let shape =
        Shape { reboot: Reboots::Always, max_unavailable: Some(2), soak: TimeSpan::minutes(2), ..Shape::default() };
    let (fleet, plan, _) = sample(&shape, 1);
    let mut world = fleet.world();
    world.plant(&host("web-1"), Fault::FixBreaks);
    (executor(world), plan)
}

fn executor(world: SimWorld) -> Arc<SimExecutor> {
    Arc::new(SimExecutor::new(world, start(), SCALE))
}

fn expected() -> BTreeMap<HostName, HostOutcome> {
    [("web-1", HostOutcome::Restored), ("web-2", HostOutcome::Fixed), ("web-3", HostOutcome::Fixed)]
        .map(|(name, outcome)| (host(name), outcome))
        .into()
}

fn records(dir: &Path, campaign: &CampaignId) -> Vec<Record> {
    SqliteJournal::open(dir).unwrap().read(campaign).unwrap()
}

fn intents(records: &[Record], step: &str) -> usize {
    let is = |body: &RecordBody| matches!(body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step);
    records.iter().filter(|record| is(&record.body)).count()
}

/// Waits until this record is durable; gives its number.
async fn until(engine: &EmbeddedEngine, campaign: &CampaignId, wanted: impl Fn(&RecordBody) -> bool) -> u64 {
    let mut events = engine.events(campaign, 1).await.unwrap();
    let wait = async {
        while let Some(event) = events.next().await {
            if let Event::Record(record) = event
                && wanted(&record.body)
            {
                return record.seq;
            }
        }
        panic!("the campaign ended without the record");
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap()
}

fn is_intent(step: &str) -> impl Fn(&RecordBody) -> bool + '_ {
    move |body| matches!(body, RecordBody::Intent { attempt, .. } if attempt.step.as_str() == step)
}

async fn wait(engine: &EmbeddedEngine, campaign: &CampaignId) -> Result<CampaignStatus, RunError> {
    tokio::time::timeout(Duration::from_secs(120), engine.wait(campaign)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_runs_to_its_end_and_tells_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let (executor, plan) = setting();
    let engine = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
    let campaign = engine.start(plan, "ops").await.unwrap();
    let mut events = engine.events(&campaign, 1).await.unwrap();
    let (mut told, mut notes) = (Vec::new(), 0);
    while let Some(event) = events.next().await {
        match event {
            Event::Record(record) => told.push(record),
            Event::Progress { .. } => notes += 1,
        }
    }
    let status = wait(&engine, &campaign).await.unwrap();
    assert_eq!(status.phase, Phase::Ended);
    assert_eq!(status.ended, expected());
    assert_eq!(told, records(dir.path(), &campaign), "events are the journal, without a gap");
    assert!(notes > 0, "steps say what they do");
    executor.with_world(|world, _| {
        assert!(world.reached(&host("web-1"), Fault::FixBreaks));
        assert!(world.hosts().all(switchback::sim::SimHost::available));
    });
    // Behind the end: nothing can be asked, everything can be read.
    let pause = Signal::Pause { by: "ops".to_owned() };
    assert!(matches!(engine.signal(&campaign, pause).await, Err(RunError::Ended(_))));
    assert!(matches!(engine.resume(&campaign, "ops").await, Err(RunError::Ended(_))));
    assert_eq!(engine.status(&campaign).await.unwrap().ended, expected());
    let mut again = engine.events(&campaign, 5).await.unwrap();
    assert!(matches!(again.next().await, Some(Event::Record(record)) if record.seq == 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_controller_is_taken_over_and_the_end_is_the_same() {
    for step in ["web-1/backup", "web-2/fix", "web-3/reboot", "web-1/restore", "web-2/soak"] {
        let dir = tempfile::tempdir().unwrap();
        let (executor, plan) = setting();
        let first = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
        let campaign = first.start(plan, "ops").await.unwrap();
        let lost = until(&first, &campaign, is_intent(step)).await;
        drop(first);
        // The world goes on without a controller.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let second = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
        let resumed = resume(&second, &campaign).await;
        assert!(resumed.is_ok(), "{step}: {resumed:?}");
        let status = wait(&second, &campaign).await.unwrap();
        assert_eq!(status.ended, expected(), "lost behind {step}");
        let records = records(dir.path(), &campaign);
        assert!(records.len() as u64 > lost);
        assert_eq!(intents(&records, step), 1, "{step} is attached to, not begun again");
        let controllers = records.iter().filter(|r| matches!(r.body, RecordBody::ControllerStarted { .. })).count();
        assert_eq!(controllers, 2);
    }
}

/// The controller that was dropped lets go of its campaign within moments.
async fn resume(engine: &EmbeddedEngine, campaign: &CampaignId) -> Result<(), RunError> {
    for _ in 0..100 {
        match engine.resume(campaign, "ops").await {
            Err(RunError::Store(StoreError::Claimed { .. })) => tokio::time::sleep(Duration::from_millis(20)).await,
            other => return other,
        }
    }
    engine.resume(campaign, "ops").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_controller_is_refused_while_the_first_lives() {
    let dir = tempfile::tempdir().unwrap();
    let (executor, plan) = setting();
    let first = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
    let campaign = first.start(Arc::clone(&plan), "ops").await.unwrap();
    let second = EmbeddedEngine::new(dir.path(), executor, OnPause::Wait);
    let refused = second.resume(&campaign, "other").await;
    assert!(matches!(refused, Err(RunError::Store(StoreError::Claimed { .. }))), "{refused:?}");
    // Another campaign on the same hosts is refused as well.
    let refused = second.start(plan, "other").await;
    assert!(matches!(refused, Err(RunError::Store(StoreError::HostBusy { .. }))), "{refused:?}");
    assert_eq!(wait(&first, &campaign).await.unwrap().ended, expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_from_another_process_holds_and_outlives_the_controller() {
    let dir = tempfile::tempdir().unwrap();
    // One host after the other, each watched for more than a second of ours.
    let shape = Shape { soak: TimeSpan::hours(1), ..Shape::default() };
    let (fleet, plan, _) = sample(&shape, 1);
    let executor = executor(fleet.world());
    let controller = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Stop);
    let campaign = controller.start(plan, "ops").await.unwrap();
    until(&controller, &campaign, is_intent("web-1/preflight")).await;
    // Another engine on the same folder stands for another process: it knows nothing of the first but its files.
    let elsewhere = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
    elsewhere.signal(&campaign, Signal::Pause { by: "someone".to_owned() }).await.unwrap();
    let status = wait(&controller, &campaign).await.unwrap();
    assert_eq!(status.phase, Phase::Paused);
    assert!(status.active.is_empty() && status.ended.len() < 3, "{status:?}");
    drop(controller);

    // One that waits while it is paused takes it up as it stands; asked while nobody controls it, it goes on.
    let next = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
    resume(&next, &campaign).await.unwrap();
    assert_eq!(next.status(&campaign).await.unwrap().phase, Phase::Paused);
    drop(next);
    // One that stops when it is paused would have nothing to do: to resume is to go on.
    let last = EmbeddedEngine::new(dir.path(), executor, OnPause::Stop);
    resume(&last, &campaign).await.unwrap();
    let status = wait(&last, &campaign).await.unwrap();
    assert_eq!(status.phase, Phase::Ended);
    assert!(status.ended.values().all(|outcome| *outcome == HostOutcome::Fixed), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_of_a_paused_campaign_is_done_by_whoever_resumes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (fleet, plan, _) = sample(&Shape { soak: TimeSpan::hours(1), ..Shape::default() }, 1);
    let executor = executor(fleet.world());
    let engine = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Stop);
    let campaign = engine.start(plan, "ops").await.unwrap();
    until(&engine, &campaign, is_intent("web-1/preflight")).await;
    engine.signal(&campaign, Signal::Pause { by: "ops".to_owned() }).await.unwrap();
    assert_eq!(wait(&engine, &campaign).await.unwrap().phase, Phase::Paused);
    engine.signal(&campaign, Signal::Abort { by: "ops".to_owned() }).await.unwrap();
    resume(&engine, &campaign).await.unwrap();
    let status = wait(&engine, &campaign).await.unwrap();
    assert_eq!(status.phase, Phase::Ended);
    assert!(status.ended.values().any(|outcome| *outcome == HostOutcome::Untouched), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_takes_back_what_is_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let shape = Shape { soak: TimeSpan::hours(3), ..Shape::default() };
    let (fleet, plan, _) = sample(&shape, 1);
    let executor = executor(fleet.world());
    let engine = EmbeddedEngine::new(dir.path(), executor.clone(), OnPause::Wait);
    let campaign = engine.start(plan, "ops").await.unwrap();
    until(&engine, &campaign, is_intent("web-1/soak")).await;
    engine.signal(&campaign, Signal::Abort { by: "ops".to_owned() }).await.unwrap();
    let status = wait(&engine, &campaign).await.unwrap();
    assert_eq!(status.phase, Phase::Ended);
    assert_eq!(status.ended.len(), 3);
    let changed = status.ended.values().filter(|outcome| outcome.is_success()).count();
    assert!(changed <= 1, "only what was over may stay: {:?}", status.ended);
    assert!(status.ended.values().any(|outcome| *outcome == HostOutcome::Untouched), "{:?}", status.ended);
    executor.with_world(|world, _| assert!(world.hosts().all(switchback::sim::SimHost::available)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_fails_stops_safely_and_the_campaign_is_resumed() {
    for fail_at in [4, 9, 20, 33] {
        let dir = tempfile::tempdir().unwrap();
        let (executor, plan) = setting();
        let journal = MemoryJournal::new();
        journal.fail_at(fail_at);
        let shared = journal.clone();
        let open = Arc::new(move || Ok(Box::new(shared.clone()) as Box<dyn Journal>));
        let engine = EmbeddedEngine::with_journal(dir.path(), open, executor.clone(), OnPause::Wait);
        let campaign = engine.start(plan, "ops").await.unwrap();
        let error = wait(&engine, &campaign).await.unwrap_err();
        assert!(matches!(error, RunError::Journal(StoreError::Full { .. })), "{error:?}");
        assert!(error.to_string().contains("switchback resume"), "it says how to go on: {error}");
        let durable = journal.clone().read(&campaign).unwrap();
        assert!((durable.len() as u64) < fail_at);
        // Nothing happened on a host that the journal does not know.
        executor.with_world(|world, _| {
            for job in world.hosts().flat_map(|host| host.jobs.keys()) {
                assert_eq!(intents(&durable, job.step.as_str()), 1, "{job} was started without an intent");
            }
        });
        journal.heal();
        engine.resume(&campaign, "ops").await.unwrap();
        assert_eq!(wait(&engine, &campaign).await.unwrap().ended, expected(), "failed at {fail_at}");
    }
}

/// Panics at the first try of each fix; what it started goes on.
struct Panicking(Arc<SimExecutor>, AtomicUsize);

impl StepExecutor for Panicking {
    fn execute<'a>(&'a self, context: Arc<dyn StepContext>, request: StepRequest) -> BoxFuture<'a, StepResult> {
        Box::pin(async move {
            if request.attempt.step.step() == "fix" && self.1.fetch_add(1, Ordering::SeqCst) == 0 {
                let result = tokio::time::timeout(Duration::from_millis(5), self.0.execute(context, request)).await;
                panic!("planted, after {result:?}");
            }
            self.0.execute(context, request).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_executor_is_an_unknown_result_and_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let (fleet, plan, _) = sample(&Shape { soak: TimeSpan::minutes(1), ..Shape::default() }, 1);
    let panicking = Arc::new(Panicking(executor(fleet.world()), AtomicUsize::new(0)));
    let engine = EmbeddedEngine::new(dir.path(), panicking.clone(), OnPause::Wait);
    let campaign = engine.start(plan, "ops").await.unwrap();
    let status = wait(&engine, &campaign).await.unwrap();
    assert!(panicking.1.load(Ordering::SeqCst) > 1);
    assert!(status.ended.values().all(|outcome| *outcome == HostOutcome::Fixed), "{:?}", status.ended);
    let probed = records(dir.path(), &campaign).iter().any(|r| matches!(r.body, RecordBody::Probing { .. }));
    assert!(probed, "the host was asked what became of it");
}

#[tokio::test]
async fn a_plan_that_the_checker_refuses_is_not_started() {
    let dir = tempfile::tempdir().unwrap();
    let (executor, plan) = setting();
    let mut plan = Arc::unwrap_or_clone(plan);
    for host in plan.hosts_mut() {
        host.steps.retain(|step| step.kind != switchback::plan::StepKind::Backup);
    }
    let engine = EmbeddedEngine::new(dir.path(), executor, OnPause::Wait);
    let refused = engine.start(Arc::new(plan), "ops").await;
    assert!(matches!(&refused, Err(RunError::Plan(problems)) if !problems.is_empty()), "{refused:?}");
    assert!(SqliteJournal::open(dir.path()).unwrap().campaigns().unwrap().is_empty());
}
