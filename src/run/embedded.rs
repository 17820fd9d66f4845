//! The engine in this process: a journal in the state folder, steps in tasks.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::{
    BoxFuture, Campaign, CampaignStatus, Chain, Engine, EventStream, Input, Phase, Record, Signal, StepExecutor,
};
use crate::evidence::Judged;
use crate::model::{CampaignId, Digest, HostName};
use crate::plan::Plan;
use crate::store::{Journal, JournalWriter, SignalBox, SqliteJournal, StoreError};

use super::RunError;
use super::dispatcher::{self, Dispatcher, Message};
use super::hub::{Hub, Stream};

/// What the controller does when its campaign is paused and nothing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPause {
    /// It waits for somebody to resume or abort.
    #[default]
    Wait,
    /// It stops; [`EmbeddedEngine::resume`] takes the campaign up again.
    Stop,
}

/// How journals are opened: each call gives a handle of its own.
pub type OpenJournal = Arc<dyn Fn() -> Result<Box<dyn Journal>, StoreError> + Send + Sync>;

/// Runs campaigns in this process. Dropping it is like a crash: controllers stop at once, jobs on hosts go on, and
/// whoever resumes finds them.
pub struct EmbeddedEngine {
    dir: PathBuf,
    journal: OpenJournal,
    executor: Arc<dyn StepExecutor>,
    on_pause: OnPause,
    controllers: Mutex<BTreeMap<CampaignId, Controller>>,
}

/// A campaign that is run here.
struct Controller {
    messages: mpsc::UnboundedSender<Message>,
    hub: Arc<Hub>,
    end: watch::Receiver<Option<Result<CampaignStatus, RunError>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for EmbeddedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedEngine").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl EmbeddedEngine {
    /// An engine over this state folder.
    pub fn new(dir: &Path, executor: Arc<dyn StepExecutor>, on_pause: OnPause) -> Self {
        let folder = dir.to_owned();
        let open = move || SqliteJournal::open(&folder).map(|journal| Box::new(journal) as Box<dyn Journal>);
        Self::with_journal(dir, Arc::new(open), executor, on_pause)
    }

    /// An engine with another journal; signals are kept in the folder all the same.
    pub fn with_journal(dir: &Path, journal: OpenJournal, executor: Arc<dyn StepExecutor>, on_pause: OnPause) -> Self {
        Self { dir: dir.to_owned(), journal, executor, on_pause, controllers: Mutex::new(BTreeMap::new()) }
    }

    /// Takes up a campaign whose controller is gone: folds its journal and asks hosts what became of what ran. An engine
    /// that stops when a campaign is paused lets a paused one go on.
    pub async fn resume(&self, campaign: &CampaignId, operator: &str) -> Result<(), RunError> {
        self.resume_with(campaign, operator, None).await
    }

    /// The same with the approvals that count now.
    pub async fn resume_with(
        &self,
        campaign: &CampaignId,
        operator: &str,
        judged: Option<&Judged>,
    ) -> Result<(), RunError> {
        let mut journal = self.open().await?;
        let id = campaign.clone();
        let claimed_by = operator.to_owned();
        let signed = judged.map(|judged| judged.signed.clone()).unwrap_or_default();
        let (journal, fence, plan, records) = blocking(move || {
            let fence = journal.claim(&id, &claimed_by)?;
            journal.keep_approvals(&id, &signed)?;
            let plan = journal.plan(&id)?;
            let records = journal.read(&id)?;
            Ok((journal, fence, plan, records))
        })
        .await
        .map_err(RunError::Store)?;
        let digest = Digest::of(&plan);
        let plan = read_plan(campaign, &plan)?;
        let folded = Campaign::fold(Arc::new(plan), digest, campaign.clone(), &records).map_err(RunError::Engine)?;
        if folded.phase() == Phase::Ended {
            return Err(RunError::Ended(campaign.clone()));
        }
        let operator = operator.to_owned();
        if self.on_pause == OnPause::Stop {
            // Taken up as it stands it would stop again at once. It waits behind what was asked before, so that an
            // abort stays one; where nothing is paused it changes nothing.
            let (dir, id, by) = (self.dir.clone(), campaign.clone(), operator.clone());
            blocking(move || SignalBox::open(&dir)?.post(&id, &Signal::Resume { by }))
                .await
                .map_err(RunError::Store)?;
        }
        // The first controller may have died between registering the campaign and its first record.
        let approvals = judged.map(|judged| judged.accepted.clone());
        let first = match records.is_empty() {
            true => Input::Start { operator, approvals: approvals.unwrap_or_default() },
            false => Input::Recover { operator, approvals },
        };
        self.control(folded, digest, journal, fence, &records, first)
    }

    /// Waits until the controller of a campaign stops: where the campaign stands then, or why it cannot go on.
    pub async fn wait(&self, campaign: &CampaignId) -> Result<CampaignStatus, RunError> {
        let mut end = match self.controllers().get(campaign) {
            Some(controller) => controller.end.clone(),
            None => return Err(RunError::NotRunning(campaign.clone())),
        };
        let ended = end.wait_for(Option::is_some).await.map_or(None, |ended| ended.clone());
        // From here on the campaign is not run here any more.
        self.controllers().remove(campaign);
        ended.unwrap_or_else(|| Err(RunError::Stopped(campaign.clone())))
    }

    /// Accepts a plan with its approvals and starts its campaign.
    pub async fn start_with(&self, plan: Arc<Plan>, operator: &str, judged: &Judged) -> Result<CampaignId, RunError> {
        let problems = crate::plan::check(&plan);
        if !problems.is_empty() {
            return Err(RunError::Plan(problems.iter().map(ToString::to_string).collect()));
        }
        let id = campaign_id()?;
        let hosts: Vec<HostName> = plan.hosts.keys().cloned().collect();
        // The plan's canonical JSON is what its digest names.
        let bytes = serde_json::to_vec(&*plan)
            .map_err(|error| RunError::StoredPlan { campaign: id.clone(), why: error.to_string() })?;
        let digest = Digest::of(&bytes);
        let mut journal = self.open().await?;
        let (name, claimed_by) = (id.clone(), operator.to_owned());
        let signed = judged.signed.clone();
        let (journal, fence) = blocking(move || {
            journal.create(&name, &bytes, &hosts)?;
            journal.keep_approvals(&name, &signed)?;
            let fence = journal.claim(&name, &claimed_by)?;
            Ok((journal, fence))
        })
        .await
        .map_err(RunError::Store)?;
        let campaign = Campaign::new(plan, digest, id.clone());
        let first = Input::Start { operator: operator.to_owned(), approvals: judged.accepted.clone() };
        self.control(campaign, digest, journal, fence, &[], first)?;
        Ok(id)
    }

    /// Starts the controller of a claimed campaign.
    fn control(
        &self,
        campaign: Campaign,
        digest: Digest,
        journal: Box<dyn Journal>,
        fence: u64,
        records: &[Record],
        first: Input,
    ) -> Result<(), RunError> {
        let id = campaign.id().clone();
        let mut chain = Chain::new(id.clone(), digest);
        for record in records {
            let broken = |why| StoreError::Broken { campaign: id.clone(), seq: record.seq, why };
            chain.follow(record).map_err(|why| RunError::Store(broken(why)))?;
        }
        let signals = SignalBox::open(&self.dir).map_err(RunError::Store)?;
        let writer = JournalWriter::spawn(journal, id.clone(), fence).map_err(RunError::Store)?;
        let (messages, receiver) = mpsc::unbounded_channel();
        let hub = Hub::behind(chain.seq());
        let dispatcher = Dispatcher {
            campaign,
            chain,
            writer,
            signals,
            executor: Arc::clone(&self.executor),
            hub: Arc::clone(&hub),
            on_pause: self.on_pause,
            sender: messages.clone(),
        };
        let (tell, end) = watch::channel(None);
        let told = Arc::clone(&hub);
        let task = tokio::spawn(async move {
            let result = dispatcher::run(dispatcher, first, receiver).await;
            told.close();
            tell.send_replace(Some(result));
        });
        self.controllers().insert(id, Controller { messages, hub, end, task });
        Ok(())
    }

    async fn open(&self) -> Result<Box<dyn Journal>, RunError> {
        let open = Arc::clone(&self.journal);
        blocking(move || open()).await.map_err(RunError::Store)
    }

    /// A campaign as its journal tells it.
    async fn folded(&self, campaign: &CampaignId) -> Result<(Campaign, Vec<Record>), RunError> {
        let mut journal = self.open().await?;
        let id = campaign.clone();
        let (plan, records) =
            blocking(move || Ok((journal.plan(&id)?, journal.read(&id)?))).await.map_err(RunError::Store)?;
        let digest = Digest::of(&plan);
        let plan = Arc::new(read_plan(campaign, &plan)?);
        let folded = Campaign::fold(plan, digest, campaign.clone(), &records).map_err(RunError::Engine)?;
        Ok((folded, records))
    }

    fn controllers(&self) -> MutexGuard<'_, BTreeMap<CampaignId, Controller>> {
        // No code panics while it holds the lock; even if it did, the map is whole.
        self.controllers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The controller's mailbox, if the campaign is run here.
    fn messages(&self, campaign: &CampaignId) -> Option<mpsc::UnboundedSender<Message>> {
        self.controllers().get(campaign).map(|controller| controller.messages.clone())
    }
}

impl Engine for EmbeddedEngine {
    type Error = RunError;

    fn start<'a>(&'a self, plan: Arc<Plan>, operator: &'a str) -> BoxFuture<'a, Result<CampaignId, RunError>> {
        Box::pin(async move { self.start_with(plan, operator, &Judged::default()).await })
    }

    fn signal<'a>(&'a self, campaign: &'a CampaignId, signal: Signal) -> BoxFuture<'a, Result<(), RunError>> {
        Box::pin(async move {
            let (folded, _) = self.folded(campaign).await?;
            if folded.phase() == Phase::Ended {
                return Err(RunError::Ended(campaign.clone()));
            }
            let (dir, id) = (self.dir.clone(), campaign.clone());
            blocking(move || SignalBox::open(&dir)?.post(&id, &signal)).await.map_err(RunError::Store)?;
            if let Some(messages) = self.messages(campaign) {
                // A controller that stopped meanwhile leaves the signal to the next.
                let _ = messages.send(Message::Look);
            }
            Ok(())
        })
    }

    fn status<'a>(&'a self, campaign: &'a CampaignId) -> BoxFuture<'a, Result<CampaignStatus, RunError>> {
        Box::pin(async move {
            if let Some(messages) = self.messages(campaign) {
                let (answer, status) = oneshot::channel();
                if messages.send(Message::Status(answer)).is_ok()
                    && let Ok(status) = status.await
                {
                    return Ok(status);
                }
            }
            let (folded, _) = self.folded(campaign).await?;
            Ok(folded.status(crate::env::now()))
        })
    }

    fn events<'a>(
        &'a self,
        campaign: &'a CampaignId,
        from: u64,
    ) -> BoxFuture<'a, Result<Box<dyn EventStream>, RunError>> {
        Box::pin(async move {
            // Listen first, read then: what is told in between is in the channel, what was told before in the journal.
            let listening = self.controllers().get(campaign).map(|controller| controller.hub.listen());
            let mut journal = self.open().await?;
            let id = campaign.clone();
            let records = blocking(move || journal.read(&id)).await.map_err(RunError::Store)?;
            let (last, live) = listening.map_or((u64::MAX, None), |(last, live)| (last, Some(live)));
            let past: VecDeque<Record> =
                records.into_iter().filter(|record| record.seq >= from && record.seq <= last).collect();
            Ok(Box::new(Stream { past, live }) as Box<dyn EventStream>)
        })
    }
}

/// `c-` and sixteen hexadecimal digits.
fn campaign_id() -> Result<CampaignId, RunError> {
    let system = |source| RunError::system("draw a campaign id", source);
    let hex = crate::env::random_hex().map_err(system)?;
    CampaignId::new(&format!("c-{hex}")).map_err(|error| system(std::io::Error::other(error)))
}

fn read_plan(campaign: &CampaignId, bytes: &[u8]) -> Result<Plan, RunError> {
    serde_json::from_slice(bytes)
        .map_err(|error| RunError::StoredPlan { campaign: campaign.clone(), why: error.to_string() })
}

/// Calls the store where it may block.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Io { what: "call the store".to_owned(), why: error.to_string() }),
    }
}
