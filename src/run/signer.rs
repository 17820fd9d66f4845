//! Signs checkpoints of the journal beside the dispatcher, which never waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Event, Record, RecordBody};
use crate::evidence::{Checkpoint, ControllerKey};
use crate::model::{Digest, printable};
use crate::store::Proofs;

use super::hub::Live;

/// Records from one checkpoint to the next: bounds what somebody could write anew behind the last one, and costs some
/// milliseconds of another process each time.
const EVERY: u64 = 1000;

/// The same for campaigns in which little happens.
const AT_LEAST: Duration = Duration::from_secs(5 * 60);

/// How long a controller that ends waits for its last signature: a little more than one may take.
pub(super) const LAST: Duration = Duration::from_secs(35);

/// How a controller signs its journal.
#[derive(Clone)]
pub struct Signing {
    /// The key file; the one of the state folder if there is none.
    pub key: Option<PathBuf>,
    /// Told when it cannot be signed: the campaign goes on.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Signs what becomes durable, until nothing does any more.
pub(super) async fn sign_along(mut live: Live, dir: PathBuf, plan: Digest, signing: Signing) {
    let mut signer = Signer { dir, plan, signing, signed: 0, silent: false };
    let mut last: Option<Record> = None;
    let mut ticks = tokio::time::interval(AT_LEAST);
    loop {
        let due = tokio::select! {
            event = live.next() => match event {
                None => break,
                Some(Event::Progress { .. }) => false,
                Some(Event::Record(record)) => {
                    // From the first record on, and where somebody may take their time.
                    let due = record.seq.saturating_sub(signer.signed) >= EVERY
                        || matches!(record.body, RecordBody::ControllerStarted { .. } | RecordBody::Paused { .. });
                    last = Some(record);
                    due
                }
            },
            _ = ticks.tick() => true,
        };
        if let Some(record) = last.as_ref().filter(|_| due) {
            signer.sign(record).await;
        }
    }
    if let Some(record) = &last {
        signer.sign(record).await;
    }
}

struct Signer {
    dir: PathBuf,
    plan: Digest,
    signing: Signing,
    /// The last record with a signature.
    signed: u64,
    /// It was told that it fails, and has failed ever since.
    silent: bool,
}

impl Signer {
    async fn sign(&mut self, record: &Record) {
        if record.seq <= self.signed {
            return;
        }
        let (dir, key, plan, signed) = (self.dir.clone(), self.signing.key.clone(), self.plan, record.clone());
        let work = tokio::task::spawn_blocking(move || keep(&dir, key.as_deref(), plan, &signed));
        match work.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => (self.signed, self.silent) = (record.seq, false),
            Err(why) => {
                if !std::mem::replace(&mut self.silent, true) {
                    let why = printable(&why, 300);
                    (self.signing.tell)(&format!(
                        "warning: the journal cannot be signed, so `switchback audit` will show records without a signature: {why}"
                    ));
                }
            }
        }
    }
}

fn keep(dir: &Path, key: Option<&Path>, plan: Digest, record: &Record) -> Result<(), String> {
    let key = key.map_or_else(|| ControllerKey::of_state(dir), ControllerKey::file).map_err(|e| e.to_string())?;
    let checkpoint = Checkpoint::behind(record, plan, crate::env::now());
    let signed = key.sign(&checkpoint).map_err(|error| error.to_string())?;
    let kept = Proofs::open(dir).and_then(|mut proofs| proofs.add_checkpoint(&record.campaign, &signed));
    kept.map_err(|error| error.to_string())
}
