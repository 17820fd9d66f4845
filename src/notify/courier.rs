//! Who tells one target, on a thread of its own: folds, tries again for a while, notes what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{CampaignId, Moment, NotifyTarget};
use crate::store::Notes;

use super::closing::Closing;
use super::message::{Notice, compose};
use super::send::{Failure, deliver_to_rest, limit_of};

/// How long couriers wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// What happens to hosts within this time is one message.
    pub fold: Duration,
    /// One try, except of a command.
    pub once: Duration,
    /// Between the first two tries; twice as long before each further one, up to `longest`.
    pub pause: Duration,
    /// The longest time between two tries.
    pub longest: Duration,
    /// One message is tried for no longer.
    pub give_up: Duration,
}

impl Patience {
    pub const USUAL: Self = Self {
        fold: Duration::from_secs(10),
        once: Duration::from_secs(10),
        pause: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        give_up: Duration::from_secs(300),
    };
}

/// A message that has so many hosts is sent at once.
const MAX_FOLDED: usize = 500;

/// What became of a target's notices, for who waits at the end.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Accepted and neither told nor given up.
    pub waiting: AtomicUsize,
    /// Given up, or never accepted.
    pub lost: AtomicUsize,
    /// Why the last try failed.
    pub why: Mutex<Option<String>>,
}

impl Tally {
    pub fn because(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// Tells one target.
pub(super) struct Courier {
    pub target: NotifyTarget,
    /// Names the target among what was told.
    pub key: String,
    pub campaign: CampaignId,
    pub state: PathBuf,
    pub patience: Patience,
    pub closing: Arc<Closing>,
    pub tally: Arc<Tally>,
}

impl Courier {
    /// Until no more notices can come.
    pub fn run(self, notices: &Receiver<Notice>) {
        let mut folded: BTreeMap<Moment, Vec<Notice>> = BTreeMap::new();
        let mut due: Option<Instant> = None;
        loop {
            let next = match due {
                Some(due) => notices.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => notices.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(notice) if notice.moment.is_of_a_host() => {
                    due.get_or_insert_with(|| Instant::now() + self.patience.fold);
                    let same = folded.entry(notice.moment).or_default();
                    same.push(notice);
                    if same.len() < MAX_FOLDED {
                        continue;
                    }
                    self.tell_all(&mut folded);
                }
                Ok(notice) => {
                    self.tell_all(&mut folded);
                    self.tell(&[notice]);
                }
                Err(RecvTimeoutError::Timeout) => self.tell_all(&mut folded),
                Err(RecvTimeoutError::Disconnected) => {
                    self.tell_all(&mut folded);
                    return;
                }
            }
            due = None;
        }
    }

    fn tell_all(&self, folded: &mut BTreeMap<Moment, Vec<Notice>>) {
        for notices in std::mem::take(folded).into_values() {
            self.tell(&notices);
        }
    }

    /// One message, until it is told or given up.
    fn tell(&self, notices: &[Notice]) {
        let Some(notification) = compose(&self.campaign, notices) else { return };
        let give_up = Instant::now() + self.patience.give_up;
        let mut pause = self.patience.pause;
        let once = limit_of(&self.target, self.patience.once);
        let mut reached = BTreeSet::new();
        while let Some(limit) = self.closing.left(once) {
            let after = match deliver_to_rest(&self.target, &notification, limit, &mut reached) {
                Ok(()) => {
                    self.note(notices);
                    self.tally.waiting.fetch_sub(notices.len(), Ordering::Relaxed);
                    return;
                }
                Err(Failure::Lasting(why)) => {
                    self.tally.because(why);
                    break;
                }
                Err(Failure::Passing { why, after }) => {
                    self.tally.because(why);
                    // A server may ask for more time, never for less.
                    after.map_or(pause, |after| after.max(pause))
                }
            };
            if Instant::now() + after > give_up {
                break;
            }
            self.closing.pause(after);
            pause = (pause * 2).min(self.patience.longest);
        }
        self.tally.lost.fetch_add(notices.len(), Ordering::Relaxed);
        self.tally.waiting.fetch_sub(notices.len(), Ordering::Relaxed);
    }

    /// What cannot be noted is told again by a later controller: better twice than never.
    fn note(&self, notices: &[Notice]) {
        let records: Vec<u64> = notices.iter().map(|notice| notice.seq).collect();
        let noted = Notes::open(&self.state).and_then(|mut notes| notes.note_told(&self.campaign, &self.key, &records));
        if let Err(error) = noted {
            tracing::warn!(%error, "what was told cannot be noted");
        }
    }
}
