//! Hands what records have to tell to those who tell it, and never waits for them before the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Record;
use crate::model::{CampaignId, Digest, Moment, NotifyTarget};
use crate::plan::Plan;
use crate::store::Notes;

use super::closing::Closing;
use super::courier::{Courier, Patience, Tally};
use super::message::{Notice, notice};
use super::send::missing_secret;

/// Notices that wait for one target: more come only where a target is dead and hundreds of hosts go back.
const ROOM: usize = 2000;

/// Tells people what the records of one campaign say.
pub struct Notifier {
    plan: Arc<Plan>,
    lines: Vec<Line>,
    closing: Arc<Closing>,
    /// Ends when the last courier has ended.
    ended: Receiver<()>,
}

/// The way to one target.
struct Line {
    shown: String,
    on: BTreeSet<Moment>,
    told: BTreeSet<u64>,
    sender: SyncSender<Notice>,
    tally: Arc<Tally>,
}

impl Notifier {
    /// Ready for the records of a campaign, the first included: what was told before is not told again. Also gives what
    /// people should know before: targets that cannot be reached as things are.
    pub fn start(plan: &Arc<Plan>, campaign: &CampaignId, state: &Path) -> (Self, Vec<String>) {
        Self::with_patience(plan, campaign, state, Patience::USUAL)
    }

    pub(super) fn with_patience(
        plan: &Arc<Plan>,
        campaign: &CampaignId,
        state: &Path,
        patience: Patience,
    ) -> (Self, Vec<String>) {
        let mut targets: BTreeMap<&NotifyTarget, BTreeSet<Moment>> = BTreeMap::new();
        for notify in &plan.notify {
            targets.entry(&notify.to).or_default().extend(&notify.on);
        }
        let closing = Arc::new(Closing::default());
        let (alive, ended) = mpsc::channel();
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        let mut told = BTreeMap::new();
        if !targets.is_empty() {
            match Notes::open(state).and_then(|notes| notes.told(campaign)) {
                Ok(noted) => told = noted,
                Err(error) => problems.push(format!("what was told before cannot be read, and is told again: {error}")),
            }
        }
        for (target, on) in targets {
            let shown = target.shown();
            problems.extend(missing_secret(target).map(|why| format!("{shown} will be told nothing: {why}")));
            let key = key(target);
            let tally = Arc::new(Tally::default());
            let (sender, receiver) = mpsc::sync_channel(ROOM);
            let told = told.remove(&key).unwrap_or_default();
            let courier = Courier {
                target: target.clone(),
                key,
                campaign: campaign.clone(),
                state: state.to_owned(),
                patience,
                closing: Arc::clone(&closing),
                tally: Arc::clone(&tally),
            };
            let alive = alive.clone();
            let run = move || {
                courier.run(&receiver);
                drop(alive);
            };
            if let Err(error) = std::thread::Builder::new().name("notify".to_owned()).spawn(run) {
                problems.push(format!("{shown} will be told nothing: {error}"));
            }
            lines.push(Line { shown, on, told, sender, tally });
        }
        (Self { plan: Arc::clone(plan), lines, closing, ended }, problems)
    }

    /// A record, in order.
    pub fn record(&mut self, record: &Record) {
        if self.lines.is_empty() {
            return;
        }
        let Some(notice) = notice(record, &self.plan) else { return };
        for line in &self.lines {
            if !line.on.contains(&notice.moment) || line.told.contains(&notice.seq) {
                continue;
            }
            line.tally.waiting.fetch_add(1, Ordering::Relaxed);
            if line.sender.try_send(notice.clone()).is_err() {
                line.tally.waiting.fetch_sub(1, Ordering::Relaxed);
                line.tally.lost.fetch_add(1, Ordering::Relaxed);
                line.tally.because("too much waits to be told".to_owned());
            }
        }
    }

    /// No record follows: waits for at most this long for what is left, and gives what could not be told.
    pub fn finish(self, within: Duration) -> Vec<String> {
        let deadline = Instant::now() + within;
        self.closing.close(deadline);
        let mut lines = Vec::new();
        for Line { shown, tally, sender, .. } in self.lines {
            drop(sender);
            lines.push((shown, tally));
        }
        // A message never comes: the channel ends with the last courier.
        let _ = self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let untold = lines.into_iter().filter_map(|(shown, tally)| {
            let count = tally.waiting.load(Ordering::Relaxed) + tally.lost.load(Ordering::Relaxed);
            let why = tally.why.lock().unwrap_or_else(PoisonError::into_inner).take();
            let why = why.unwrap_or_else(|| "it took too long".to_owned());
            (count > 0).then(|| format!("{shown} was not told of {count} events: {why}"))
        });
        untold.collect()
    }
}

/// Names a target among what was told.
fn key(target: &NotifyTarget) -> String {
    // Texts and lists of them: this cannot fail.
    Digest::of(&serde_json::to_vec(target).unwrap_or_default()).short()
}
