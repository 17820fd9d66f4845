//! Notes beside the journal: what people said of what campaigns left behind, and what people were told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::StoreError;
use crate::model::CampaignId;

/// The version of the file's schema.
const SCHEMA: i64 = 3;
/// How long a call waits for another process.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// A package or cohort that a person let in again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Released {
    /// `PACKAGE`, `PACKAGE=VERSION` or a cohort.
    pub name: String,
    /// What was known by then.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The file of notes in a state folder.
#[derive(Debug)]
pub struct Notes {
    pub(super) connection: Connection,
    pub(super) path: String,
}

impl Notes {
    /// Opens `DIR/notes.db`, making the file where absent; the folder must be there.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let file = dir.join("notes.db");
        let path = file.display().to_string();
        let io = |error: rusqlite::Error| StoreError::Io { what: format!("open {path}"), why: error.to_string() };
        // SQLite gives its side files the mode of this one.
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
        made.map_err(|error| StoreError::Io { what: format!("open {path}"), why: error.to_string() })?;
        let connection = Connection::open(&file).map_err(io)?;
        connection.busy_timeout(BUSY).map_err(io)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(io)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(io)?;
        if found > SCHEMA {
            return Err(StoreError::Newer { path, found, known: SCHEMA });
        }
        if found == SCHEMA {
            return Ok(Self { connection, path });
        }
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS released(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
                   at TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS kept(reference TEXT PRIMARY KEY, until TEXT NOT NULL, by TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS told(campaign TEXT NOT NULL, target TEXT NOT NULL, record INTEGER NOT NULL,
                   PRIMARY KEY(campaign, target, record)) STRICT, WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS manual_item(item TEXT PRIMARY KEY, since TEXT NOT NULL, body TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS manual_planned(item TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS manual_log(id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL,
                   body TEXT NOT NULL) STRICT;
                 PRAGMA user_version = {SCHEMA};"
            ))
            .map_err(io)?;
        Ok(Self { connection, path })
    }

    /// Lets a package or a cohort in again, whatever was known of it until then.
    pub fn release(&mut self, released: &Released) -> Result<(), StoreError> {
        let values = params![released.name, released.at.to_string(), released.by, released.reason];
        self.connection
            .execute("INSERT INTO released(name, at, by, reason) VALUES (?1, ?2, ?3, ?4)", values)
            .map(drop)
            .map_err(|error| self.io("write to", &error))
    }

    /// Everything that was let in again, oldest first.
    pub fn released(&self) -> Result<Vec<Released>, StoreError> {
        let read = || -> Result<Vec<(String, String, String, String)>, rusqlite::Error> {
            let mut select = self.connection.prepare("SELECT name, at, by, reason FROM released ORDER BY id")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|error| self.io("read", &error))?;
        rows.into_iter().map(|(name, at, by, reason)| Ok(Released { name, at: self.time(&at)?, by, reason })).collect()
    }

    /// Keeps something until this time.
    pub fn keep(&mut self, reference: &str, until: Timestamp, by: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO kept(reference, until, by) VALUES (?1, ?2, ?3)",
                params![reference, until.to_string(), by],
            )
            .map(drop)
            .map_err(|error| self.io("write to", &error))
    }

    /// What is kept until when.
    pub fn kept(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let read = || -> Result<Vec<(String, String)>, rusqlite::Error> {
            let mut select = self.connection.prepare("SELECT reference, until FROM kept")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|error| self.io("read", &error))?;
        rows.into_iter().map(|(reference, until)| Ok((reference, self.time(&until)?))).collect()
    }

    /// These records of a campaign were told to a target.
    pub fn note_told(&mut self, campaign: &CampaignId, target: &str, records: &[u64]) -> Result<(), StoreError> {
        let mut write = || -> Result<(), rusqlite::Error> {
            let tx = self.connection.transaction()?;
            for record in records {
                let values = params![campaign.as_str(), target, record.cast_signed()];
                tx.execute("INSERT OR IGNORE INTO told(campaign, target, record) VALUES (?1, ?2, ?3)", values)?;
            }
            tx.commit()
        };
        write().map_err(|error| self.io("write to", &error))
    }

    /// The records of a campaign that were told, by target.
    pub fn told(&self, campaign: &CampaignId) -> Result<BTreeMap<String, BTreeSet<u64>>, StoreError> {
        let read = || -> Result<Vec<(String, i64)>, rusqlite::Error> {
            let mut select = self.connection.prepare("SELECT target, record FROM told WHERE campaign = ?1")?;
            let rows = select.query_map([campaign.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let mut told: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (target, record) in read().map_err(|error| self.io("read", &error))? {
            told.entry(target).or_default().insert(record.cast_unsigned());
        }
        Ok(told)
    }

    pub(super) fn time(&self, text: &str) -> Result<Timestamp, StoreError> {
        text.parse().map_err(|error: jiff::Error| StoreError::Io {
            what: format!("read a time in {}", self.path),
            why: error.to_string(),
        })
    }

    pub(super) fn io(&self, what: &str, error: &rusqlite::Error) -> StoreError {
        StoreError::Io { what: format!("{what} {}", self.path), why: error.to_string() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_there_when_the_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let said = Released { name: "nginx".into(), at, by: "ops".into(), reason: "fixed by hand".into() };
        let mut notes = Notes::open(dir.path()).unwrap();
        notes.release(&said).unwrap();
        notes.keep("clone-1", at, "ops").unwrap();
        let later = crate::model::TimeSpan::hours(1).after(at);
        notes.keep("clone-1", later, "ops").unwrap();
        let campaign = CampaignId::new("c-1").unwrap();
        notes.note_told(&campaign, "a", &[7, 9]).unwrap();
        notes.note_told(&campaign, "a", &[9, u64::MAX]).unwrap();
        drop(notes);
        let notes = Notes::open(dir.path()).unwrap();
        assert_eq!(notes.told(&campaign).unwrap(), [("a".to_owned(), [7, 9, u64::MAX].into())].into());
        assert!(notes.told(&CampaignId::new("c-2").unwrap()).unwrap().is_empty());
        assert_eq!(notes.released().unwrap(), [said]);
        assert_eq!(notes.kept().unwrap(), [("clone-1".to_owned(), later)].into());
    }
}
