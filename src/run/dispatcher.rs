//! The one place that talks to the world and puts everything in one order: inputs to the machine, records to the
//! journal, and only behind those the effects.
//!
//! The machine runs ahead of the disk: while one batch of records is written, the next inputs are already decided.
//! Effects wait in a queue for the records in front of them, so nothing happens on a host before its intent is
//! durable, and the writer can commit the records of many hosts at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::{Campaign, CampaignStatus, Chain, Effect, Input, Mode, Phase, Record, StepExecutor, StepResult};
use crate::model::AttemptId;
use crate::store::{JournalWriter, SignalBox, StoreError};

use super::hub::Hub;
use super::worker;
use super::{OnPause, RunError};

/// How often the box of signals is looked into.
const SIGNALS_EVERY: Duration = Duration::from_millis(500);

/// What reaches the dispatcher.
pub(super) enum Message {
    /// A worker has an answer.
    Finished(AttemptId, StepResult),
    /// The oldest batch that was not durable is, or never will be.
    Written(Result<(), StoreError>),
    /// Somebody left a signal: do not wait for the next look.
    Look,
    /// Somebody asks where the campaign stands.
    Status(oneshot::Sender<CampaignStatus>),
}

/// Records that are being written, and what follows from them.
struct Batch {
    records: Vec<Record>,
    effects: Vec<Effect>,
    /// The signal that is dealt with once they are durable.
    signal: Option<i64>,
}

pub(super) struct Dispatcher {
    pub campaign: Campaign,
    pub chain: Chain,
    pub writer: JournalWriter,
    pub signals: SignalBox,
    pub executor: Arc<dyn StepExecutor>,
    pub hub: Arc<Hub>,
    pub on_pause: OnPause,
    pub sender: mpsc::UnboundedSender<Message>,
}

/// What the loop changes.
struct Running {
    campaign: Campaign,
    chain: Chain,
    writer: JournalWriter,
    signals: SignalBox,
    executor: Arc<dyn StepExecutor>,
    hub: Arc<Hub>,
    sender: mpsc::UnboundedSender<Message>,
    batches: VecDeque<Batch>,
    /// Workers by attempt. Dropping the set stops them; the jobs on hosts go on.
    workers: BTreeMap<AttemptId, tokio::task::JoinHandle<()>>,
    wakes: BTreeSet<Timestamp>,
    cancel: watch::Sender<bool>,
    pace: Pace,
    /// The last signal given to the machine: it stays in the box until its records are durable.
    taken: i64,
    finished: bool,
}

/// The clock on the wall beside one that nobody sets.
struct Pace {
    wall: Timestamp,
    steady: Instant,
}

/// A clock that is corrected by less than this has not leapt; a step's limit has a minute to spare.
const LEAP: Duration = Duration::from_secs(10);

impl Pace {
    /// What time it would be if the clock had not been set forward since the last look, if it was.
    fn leapt(&mut self, wall: Timestamp, steady: Instant) -> Option<Timestamp> {
        let passed = steady.saturating_duration_since(self.steady);
        let expected = self.wall.checked_add(passed).unwrap_or(Timestamp::MAX);
        *self = Self { wall, steady };
        let ahead = Duration::try_from(wall.duration_since(expected)).unwrap_or(Duration::ZERO);
        (ahead > LEAP).then_some(expected)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for worker in self.workers.values() {
            worker.abort();
        }
    }
}

/// Runs a campaign until it has ended, stands still (if that is to stop it), or the journal fails.
pub(super) async fn run(
    dispatcher: Dispatcher,
    first: Input,
    mut messages: mpsc::UnboundedReceiver<Message>,
) -> Result<CampaignStatus, RunError> {
    let Dispatcher { campaign, chain, writer, signals, executor, hub, on_pause, sender } = dispatcher;
    let mut running = Running {
        campaign,
        chain,
        writer,
        signals,
        executor,
        hub,
        sender,
        batches: VecDeque::new(),
        workers: BTreeMap::new(),
        wakes: BTreeSet::new(),
        cancel: watch::Sender::new(false),
        pace: Pace { wall: crate::env::now(), steady: Instant::now() },
        taken: 0,
        finished: false,
    };
    running.input(first, None)?;
    let mut look = tokio::time::interval(SIGNALS_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !running.finished {
        if on_pause == OnPause::Stop && running.stands_still() {
            // What somebody asked before now is not to wait for the next controller.
            running.look()?;
            if running.stands_still() {
                break;
            }
            continue;
        }
        let wake = running.wakes.first().copied();
        tokio::select! {
            // Results before time: a step that ended in time is not to be judged by a clock that ticked meanwhile.
            biased;
            message = messages.recv() => match message {
                Some(message) => running.message(message)?,
                None => break,
            },
            _ = look.tick() => running.look()?,
            () = worker::sleep_until(wake.unwrap_or(Timestamp::MAX)), if wake.is_some() => running.wake()?,
        }
    }
    let status = running.campaign.status(crate::env::now());
    running.hub.close();
    Ok(status)
}

impl Running {
    fn message(&mut self, message: Message) -> Result<(), RunError> {
        match message {
            Message::Finished(attempt, result) => {
                self.workers.remove(&attempt);
                self.input(Input::Finished { attempt, result }, None)
            }
            Message::Written(Ok(())) => self.written(),
            Message::Written(Err(error)) => {
                tracing::error!(%error, "journal failed: no further step is started");
                Err(RunError::Journal(error))
            }
            Message::Look => self.look(),
            Message::Status(answer) => {
                // Who asked may be gone.
                let _ = answer.send(self.campaign.status(crate::env::now()));
                Ok(())
            }
        }
    }

    /// Tells the machine first if the clock was set forward.
    fn input(&mut self, input: Input, signal: Option<i64>) -> Result<(), RunError> {
        let now = crate::env::now();
        if let Some(from) = self.pace.leapt(now, Instant::now()) {
            self.give(now, Input::Leapt { from }, None)?;
        }
        self.give(now, input, signal)
    }

    /// Gives an input to the machine and its records to the writer; effects wait.
    fn give(&mut self, now: Timestamp, input: Input, signal: Option<i64>) -> Result<(), RunError> {
        let effects = self.campaign.handle(now, input).map_err(RunError::Engine)?;
        let mut records = Vec::new();
        let mut others = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append(body) => records.push(self.chain.push(now, body)),
                other => others.push(other),
            }
        }
        if records.is_empty() && self.batches.is_empty() {
            self.perform(others);
            return self.dealt_with(signal);
        }
        let batch = Batch { records, effects: others, signal };
        if batch.records.is_empty() {
            // Nothing to write, but it comes behind what is being written: it joins the youngest batch.
            if let Some(last) = self.batches.back_mut() {
                last.effects.extend(batch.effects);
                last.signal = last.signal.max(batch.signal);
            }
            return Ok(());
        }
        let sender = self.sender.clone();
        let ack = Box::new(move |result| {
            // The dispatcher is gone: nobody acts on what was written.
            let _ = sender.send(Message::Written(result));
        });
        self.writer.append(batch.records.clone(), ack);
        self.batches.push_back(batch);
        Ok(())
    }

    /// The oldest batch is durable: what follows from it may happen.
    fn written(&mut self) -> Result<(), RunError> {
        let Some(batch) = self.batches.pop_front() else { return Ok(()) };
        self.hub.records(&batch.records);
        self.perform(batch.effects);
        self.dealt_with(batch.signal)
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                // Taken out before; appends are never performed here.
                Effect::Append(_) => {}
                Effect::Begin { attempt, mode, not_before } => self.begin(attempt, mode, not_before),
                Effect::Cancel => {
                    self.cancel.send_replace(true);
                }
                Effect::WakeAt(time) => {
                    self.wakes.insert(time);
                }
                Effect::Finished => self.finished = true,
            }
        }
    }

    fn begin(&mut self, attempt: AttemptId, mode: Mode, not_before: Option<Timestamp>) {
        let sender = self.sender.clone();
        let Some(request) = self.campaign.request(&attempt, mode) else {
            tracing::error!(%attempt, "no request for an attempt that is to begin");
            return;
        };
        let work = worker::attempt(
            Arc::clone(&self.executor),
            request,
            not_before,
            Arc::clone(&self.hub),
            self.cancel.subscribe(),
        );
        let name = attempt.clone();
        let task = tokio::spawn(async move {
            let result = work.await;
            // The dispatcher is gone: the next controller asks the host.
            let _ = sender.send(Message::Finished(name, result));
        });
        if let Some(before) = self.workers.insert(attempt, task) {
            before.abort();
        }
    }

    fn wake(&mut self) -> Result<(), RunError> {
        let now = crate::env::now();
        self.wakes.retain(|time| *time > now);
        self.input(Input::Tick, None)
    }

    /// Looks into the box of signals.
    fn look(&mut self) -> Result<(), RunError> {
        if self.campaign.state().campaign.clock().went_back(crate::env::now()).is_some() {
            // The times to wake at were on the clock before: a watch would last longer by what it was set back.
            self.wakes.clear();
            self.input(Input::Tick, None)?;
        }
        let campaign = self.campaign.id().clone();
        let waiting = match self.signals.waiting(&campaign) {
            Ok(waiting) => waiting,
            Err(error) => {
                // A box that cannot be read must not stop what runs; the next look tries again.
                tracing::warn!(%error, "signals cannot be read");
                return Ok(());
            }
        };
        for (id, signal) in waiting {
            if id > self.taken {
                self.taken = id;
                self.input(Input::Signal(signal), Some(id))?;
            }
        }
        Ok(())
    }

    fn dealt_with(&mut self, signal: Option<i64>) -> Result<(), RunError> {
        if let Some(id) = signal {
            let campaign = self.campaign.id().clone();
            if let Err(error) = self.signals.done(&campaign, id) {
                // It is found again by the next controller; asking twice does no harm.
                tracing::warn!(%error, "a signal cannot be taken away");
            }
        }
        Ok(())
    }

    /// Paused, with nothing under way.
    fn stands_still(&self) -> bool {
        self.campaign.phase() == Phase::Paused && self.workers.is_empty() && self.batches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_forward_is_noticed_and_one_that_is_corrected_is_not() {
        let (wall, steady) = (Timestamp::UNIX_EPOCH, Instant::now());
        let later = |seconds: u64| (wall + Duration::from_secs(seconds), steady + Duration::from_secs(seconds));
        let mut pace = Pace { wall, steady };
        let (at, then) = later(100);
        assert_eq!(pace.leapt(at + Duration::from_secs(9), then), None);
        let (at, then) = later(200);
        assert_eq!(pace.leapt(at + Duration::from_secs(3_600), then), Some(at + Duration::from_secs(9)));
        let (at, then) = later(300);
        assert_eq!(pace.leapt(at + Duration::from_secs(3_600), then), None, "once");
        let (at, then) = later(400);
        assert_eq!(pace.leapt(at, then), None, "set back: the records tell");
    }
}
