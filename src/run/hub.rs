//! Hands events to whoever listens: records always, progress while there is room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::engine::{BoxFuture, Event, EventStream, Record};
use crate::model::{HostName, StepId, printable};

/// Progress that waits for a slow listener; more is dropped, because newer progress says more.
const PROGRESS_ROOM: usize = 256;
/// The longest note of a step that is passed on.
const NOTE_CHARS: usize = 400;

/// Where a campaign's controller tells and listeners listen.
#[derive(Debug, Default)]
pub(super) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    closed: bool,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    records: mpsc::UnboundedSender<Record>,
    progress: mpsc::Sender<Event>,
}

impl Hub {
    /// A hub behind this many records that were durable before.
    pub fn behind(last: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { last, ..State::default() }) })
    }

    /// These records are durable.
    pub fn records(&self, records: &[Record]) {
        let mut state = self.lock();
        if let Some(record) = records.last() {
            state.last = record.seq;
        }
        state.listeners.retain(|listener| records.iter().all(|record| listener.records.send(record.clone()).is_ok()));
    }

    /// A step says something of itself.
    pub fn progress(&self, host: &HostName, step: &StepId, note: &str) {
        let note = printable(note, NOTE_CHARS);
        for listener in &self.lock().listeners {
            // Full or gone: progress may be dropped.
            let event = Event::Progress { host: host.clone(), step: step.clone(), note: note.clone() };
            let _ = listener.progress.try_send(event);
        }
    }

    /// Nothing will be told any more: every stream ends behind what it has.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.listeners.clear();
    }

    /// Listens from now on; gives the number of the last record told before, which the journal has.
    pub fn listen(&self) -> (u64, Live) {
        let (records, record_receiver) = mpsc::unbounded_channel();
        let (progress, progress_receiver) = mpsc::channel(PROGRESS_ROOM);
        let mut state = self.lock();
        if !state.closed {
            state.listeners.push(Listener { records, progress });
        }
        (state.last, Live { records: record_receiver, progress: progress_receiver })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // No code panics while it holds the lock; even if it did, the lists are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a listener receives.
#[derive(Debug)]
pub(super) struct Live {
    records: mpsc::UnboundedReceiver<Record>,
    progress: mpsc::Receiver<Event>,
}

impl Live {
    pub(super) async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            record = self.records.recv() => record.map(Event::Record),
            Some(event) = self.progress.recv() => Some(event),
        }
    }
}

/// Records of the journal, then what happens from now on.
pub(super) struct Stream {
    /// Records that were durable before.
    pub past: VecDeque<Record>,
    /// What follows; none if the campaign is not run here.
    pub live: Option<Live>,
}

impl EventStream for Stream {
    fn next(&mut self) -> BoxFuture<'_, Option<Event>> {
        Box::pin(async move {
            if let Some(record) = self.past.pop_front() {
                return Some(Event::Record(record));
            }
            self.live.as_mut()?.next().await
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::engine::{Chain, RecordBody};
    use crate::model::{CampaignId, Digest};

    fn records(count: u32) -> Vec<Record> {
        let mut chain = Chain::new(CampaignId::new("test").unwrap(), Digest::of(b"plan"));
        (0..count).map(|wave| chain.push(jiff::Timestamp::UNIX_EPOCH, RecordBody::WaveStarted { wave })).collect()
    }

    #[tokio::test]
    async fn records_are_never_dropped_and_progress_is() {
        let hub = Hub::behind(0);
        let (last, mut live) = hub.listen();
        assert_eq!(last, 0);
        let host = HostName::new("web-1").unwrap();
        let step = StepId::of(&host, "fix");
        let all = records(1000);
        for record in &all {
            hub.progress(&host, &step, "on \u{1b}[31mit");
            hub.records(std::slice::from_ref(record));
        }
        hub.close();
        let (mut seen, mut notes) = (Vec::new(), Vec::new());
        while let Some(event) = live.next().await {
            match event {
                Event::Record(record) => seen.push(record),
                Event::Progress { note, .. } => notes.push(note),
            }
        }
        assert_eq!(seen, all);
        assert!(notes.iter().all(|note| note == "on \u{fffd}[31mit"), "no control character passes");
        assert!(notes.len() <= PROGRESS_ROOM);
        assert_eq!(hub.listen().0, 1000, "who comes late reads the journal up to here");
    }
}
