//! The one writer of a journal: a thread that commits what arrives together in one transaction.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::engine::Record;
use crate::model::CampaignId;

use super::{Journal, StoreError};

/// Appends that may wait for the writer before `append` blocks: far more than one disk flush gathers, and little memory.
const MAX_WAITING: usize = 4096;

/// Records in one transaction: keeps the first waiter's delay within a few milliseconds, and the gain per record is
/// flat long before.
const MAX_BATCH: usize = 1024;

/// What is told when an append is durable, or has failed.
pub type Ack = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Request {
    records: Vec<Record>,
    ack: Ack,
}

/// The one writer of a campaign's journal, on a thread of its own: appends that arrive while it writes are committed
/// together (group commit).
#[derive(Debug)]
pub struct JournalWriter {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<Box<dyn Journal>>>,
}

impl JournalWriter {
    /// Starts the writer of a claimed campaign.
    pub fn spawn(journal: Box<dyn Journal>, campaign: CampaignId, fence: u64) -> Result<Self, StoreError> {
        let (requests, waiting) = sync_channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(journal, &campaign, fence, &waiting))
            .map_err(|error| StoreError::Io {
                what: "start the journal's writer".to_owned(),
                why: error.to_string(),
            })?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Asks for records to be made durable, in the order of the calls; `ack` is called on the writer's thread. After a
    /// failure every later append fails too.
    pub fn append(&self, records: Vec<Record>, ack: Ack) {
        let request = Request { records, ack };
        let refused = match &self.requests {
            Some(requests) => requests.send(request).err().map(|error| error.0),
            None => Some(request),
        };
        if let Some(request) = refused {
            (request.ack)(Err(StoreError::Stopped));
        }
    }

    /// Waits until everything asked for is durable and gives the journal back.
    pub fn close(mut self) -> Result<Box<dyn Journal>, StoreError> {
        self.requests = None;
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).ok_or(StoreError::Stopped)
    }
}

impl Drop for JournalWriter {
    /// What was asked for is written before the writer goes.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write(
    mut journal: Box<dyn Journal>,
    campaign: &CampaignId,
    fence: u64,
    waiting: &Receiver<Request>,
) -> Box<dyn Journal> {
    let mut stopped = false;
    while let Ok(first) = waiting.recv() {
        let mut records = first.records;
        let mut acks = vec![first.ack];
        while records.len() < MAX_BATCH
            && let Ok(next) = waiting.try_recv()
        {
            records.extend(next.records);
            acks.push(next.ack);
        }
        let result = if stopped { Err(StoreError::Stopped) } else { journal.append(campaign, fence, &records) };
        stopped |= result.is_err();
        for ack in acks {
            ack(result.clone());
        }
    }
    journal
}
