//! What people ask of campaigns, kept until the controller has made it durable in the journal.
//!
//! A file of its own beside the journal: whoever asks needs neither the claim on the campaign nor the writer's lock.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, params};

use crate::engine::Signal;
use crate::model::CampaignId;

use super::StoreError;
use super::sqlite::failed;

/// The version of the file's schema.
const SCHEMA: i64 = 1;
/// More unanswered signals than this are somebody's runaway loop.
const MAX_WAITING: i64 = 1000;
/// How long a call waits for another process.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// The box in which signals wait.
#[derive(Debug)]
pub struct SignalBox {
    connection: Connection,
    path: String,
}

impl SignalBox {
    /// Opens `DIR/signals.db`, making the file where absent; the folder is the journal's and must be there.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let file = dir.join("signals.db");
        let path = file.display().to_string();
        let io = |error: rusqlite::Error| failed(&file, "open", &error);
        // SQLite gives its side files the mode of this one.
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
        made.map_err(|error| StoreError::Io { what: format!("open {path}"), why: error.to_string() })?;
        let connection = Connection::open(&file).map_err(io)?;
        connection.busy_timeout(BUSY).map_err(io)?;
        // Rare and small: the rollback journal, synced at every commit, is the plainest durable mode.
        connection.pragma_update(None, "synchronous", "FULL").map_err(io)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(io)?;
        if found > SCHEMA {
            return Err(StoreError::Newer { path, found, known: SCHEMA });
        }
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS signal(id INTEGER PRIMARY KEY AUTOINCREMENT, campaign TEXT NOT NULL,
                   body TEXT NOT NULL) STRICT;
                 PRAGMA user_version = {SCHEMA};"
            ))
            .map_err(io)?;
        Ok(Self { connection, path })
    }

    /// Leaves a signal for whoever controls the campaign now or next; durable when this returns.
    pub fn post(&mut self, campaign: &CampaignId, signal: &Signal) -> Result<(), StoreError> {
        let body = serde_json::to_string(signal)
            .map_err(|error| StoreError::Io { what: "write a signal".to_owned(), why: error.to_string() })?;
        let insert = "INSERT INTO signal(campaign, body) SELECT ?1, ?2
                      WHERE (SELECT count(*) FROM signal WHERE campaign = ?1) < ?3";
        let stored = self
            .connection
            .execute(insert, params![campaign.as_str(), body, MAX_WAITING])
            .map_err(|error| self.io("write to", &error))?;
        if stored == 0 {
            let why = format!("{MAX_WAITING} signals wait for campaign {campaign} already");
            return Err(StoreError::Io { what: format!("write to {}", self.path), why });
        }
        Ok(())
    }

    /// What waits for this campaign, oldest first, with the number by which it is taken away.
    pub fn waiting(&mut self, campaign: &CampaignId) -> Result<Vec<(i64, Signal)>, StoreError> {
        let read = || -> Result<Vec<(i64, String)>, rusqlite::Error> {
            let mut select =
                self.connection.prepare_cached("SELECT id, body FROM signal WHERE campaign = ?1 ORDER BY id")?;
            let rows = select.query_map([campaign.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|error| self.io("read", &error))?;
        let parse = |(id, body): (i64, String)| {
            let signal = serde_json::from_str(&body).map_err(|error| StoreError::Io {
                what: format!("read signal {id} of {}", self.path),
                why: error.to_string(),
            })?;
            Ok((id, signal))
        };
        rows.into_iter().map(parse).collect()
    }

    /// Takes away what the controller has dealt with: everything up to this number.
    pub fn done(&mut self, campaign: &CampaignId, up_to: i64) -> Result<(), StoreError> {
        self.connection
            .execute("DELETE FROM signal WHERE campaign = ?1 AND id <= ?2", params![campaign.as_str(), up_to])
            .map_err(|error| self.io("write to", &error))?;
        Ok(())
    }

    fn io(&self, what: &str, error: &rusqlite::Error) -> StoreError {
        failed(Path::new(&self.path), what, error)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn signals_wait_in_order_until_they_are_dealt_with() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (CampaignId::new("one").unwrap(), CampaignId::new("other").unwrap());
        let pause = Signal::Pause { by: "ops".to_owned() };
        let abort = Signal::Abort { by: "ops".to_owned() };
        let mut asking = SignalBox::open(dir.path()).unwrap();
        asking.post(&one, &pause).unwrap();
        asking.post(&other, &abort).unwrap();
        asking.post(&one, &abort).unwrap();
        drop(asking);
        let mut answering = SignalBox::open(dir.path()).unwrap();
        let waiting = answering.waiting(&one).unwrap();
        assert_eq!(waiting.iter().map(|(_, signal)| signal.clone()).collect::<Vec<_>>(), [pause, abort.clone()]);
        answering.done(&one, waiting[0].0).unwrap();
        assert_eq!(answering.waiting(&one).unwrap().len(), 1);
        answering.done(&one, waiting[1].0).unwrap();
        assert!(answering.waiting(&one).unwrap().is_empty());
        assert_eq!(answering.waiting(&other).unwrap()[0].1, abort);
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let campaign = CampaignId::new("one").unwrap();
        let mut signals = SignalBox::open(dir.path()).unwrap();
        signals.connection.pragma_update(None, "max_page_count", 3).unwrap();
        let signal = Signal::Pause { by: "x".repeat(4096) };
        let refused = (0..MAX_WAITING).find_map(|_| signals.post(&campaign, &signal).err());
        assert!(matches!(refused, Some(StoreError::Full { .. })), "{refused:?}");
    }

    #[test]
    fn a_flood_is_refused_and_a_newer_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let campaign = CampaignId::new("one").unwrap();
        let mut signals = SignalBox::open(dir.path()).unwrap();
        signals.connection.execute_batch("BEGIN").unwrap();
        for _ in 0..MAX_WAITING {
            signals.post(&campaign, &Signal::Pause { by: "loop".to_owned() }).unwrap();
        }
        assert!(signals.post(&campaign, &Signal::Pause { by: "loop".to_owned() }).is_err());
        signals.connection.execute_batch("ROLLBACK; PRAGMA user_version = 99").unwrap();
        drop(signals);
        assert!(matches!(SignalBox::open(dir.path()), Err(StoreError::Newer { found: 99, .. })));
    }
}
