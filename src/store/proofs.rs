//! What proves campaigns to others, beside the journal: checkpoints that controllers signed, and the texts of inputs.
//!
//! A file of its own: whoever signs never waits for the journal's writer, and never makes it wait.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use crate::model::{CampaignId, Digest};

use super::StoreError;
use super::sqlite::failed;

/// The version of the file's schema.
const SCHEMA: i64 = 1;
/// How long a call waits for another process.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);
/// The texts of one campaign's inputs: a thousand times what a large company's policies have.
const MAX_TEXTS: usize = 64 << 20;

/// A statement about the journal and the signature of the controller that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The record that it signs, and with it every one before.
    pub seq: u64,
    /// What was signed.
    pub statement: String,
    /// The signature, as `ssh-keygen -Y sign` writes it.
    pub signature: String,
    /// The public key that it was made with: `TYPE BASE64`.
    pub key: String,
}

/// The text of a file from which a plan was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputText {
    /// The plan's name of the input, such as `policies`.
    pub role: String,
    /// What the file was called.
    pub name: String,
    /// What it held.
    pub text: String,
}

/// The file of proofs in a state folder.
#[derive(Debug)]
pub struct Proofs {
    connection: Connection,
    path: PathBuf,
}

impl Proofs {
    /// The file's name in its folder.
    pub const FILE: &str = "proofs.db";

    /// Opens `DIR/proofs.db`, making the file where absent; the folder is the journal's and must be there.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(Self::FILE);
        let io = |error: rusqlite::Error| failed(&dir.join(Self::FILE), "open", &error);
        // SQLite gives its side files the mode of this one.
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        made.map_err(|error| StoreError::Io { what: format!("open {}", path.display()), why: error.to_string() })?;
        let connection = Connection::open(&path).map_err(io)?;
        connection.busy_timeout(BUSY).map_err(io)?;
        // Rare and small: the rollback journal, synced at every commit, is the plainest durable mode.
        connection.pragma_update(None, "synchronous", "FULL").map_err(io)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(io)?;
        if found > SCHEMA {
            return Err(StoreError::Newer { path: path.display().to_string(), found, known: SCHEMA });
        }
        if found == SCHEMA {
            return Ok(Self { connection, path });
        }
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS checkpoint(id INTEGER PRIMARY KEY, campaign TEXT NOT NULL,
                   seq INTEGER NOT NULL, statement TEXT NOT NULL, signature TEXT NOT NULL, key TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS text(digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
                 CREATE TABLE IF NOT EXISTS input(campaign TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
                   digest TEXT NOT NULL REFERENCES text(digest), PRIMARY KEY(campaign, role, name, digest)) STRICT;
                 PRAGMA user_version = {SCHEMA};"
            ))
            .map_err(io)?;
        Ok(Self { connection, path })
    }

    /// Keeps a checkpoint; durable when this returns.
    pub fn add_checkpoint(&mut self, campaign: &CampaignId, checkpoint: &SignedCheckpoint) -> Result<(), StoreError> {
        let SignedCheckpoint { seq, statement, signature, key } = checkpoint;
        let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
        let sql = "INSERT INTO checkpoint(campaign, seq, statement, signature, key) VALUES(?1, ?2, ?3, ?4, ?5)";
        let added = self.connection.execute(sql, params![campaign.as_str(), seq, statement, signature, key]);
        added.map(drop).map_err(|error| failed(&self.path, "write", &error))
    }

    /// The checkpoints of a campaign in the order in which they were made, as they stand there: nothing is verified.
    pub fn checkpoints(&self, campaign: &CampaignId) -> Result<Vec<SignedCheckpoint>, StoreError> {
        let sql = "SELECT seq, statement, signature, key FROM checkpoint WHERE campaign = ?1 ORDER BY id";
        let read = |error: rusqlite::Error| failed(&self.path, "read", &error);
        let mut query = self.connection.prepare(sql).map_err(read)?;
        let rows = query.query_map([campaign.as_str()], |row| {
            let seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            Ok(SignedCheckpoint { seq, statement: row.get(1)?, signature: row.get(2)?, key: row.get(3)? })
        });
        rows.and_then(Iterator::collect).map_err(read)
    }

    /// Keeps the texts of a campaign's inputs; a text that is there already is not kept twice.
    pub fn keep_inputs(&mut self, campaign: &CampaignId, inputs: &[InputText]) -> Result<(), StoreError> {
        let size: usize = inputs.iter().map(|input| input.text.len()).sum();
        if size > MAX_TEXTS {
            let why = format!("they have {size} bytes, more than {MAX_TEXTS}");
            return Err(StoreError::Io { what: "keep the texts of the inputs".to_owned(), why });
        }
        let path = self.path.clone();
        let write = |error: rusqlite::Error| failed(&path, "write", &error);
        let tx = self.connection.transaction().map_err(write)?;
        for InputText { role, name, text } in inputs {
            let digest = Digest::of(text.as_bytes()).to_string();
            let sql = "INSERT INTO text(digest, body) VALUES(?1, ?2) ON CONFLICT DO NOTHING";
            tx.execute(sql, [&digest, text]).map_err(write)?;
            let sql = "INSERT INTO input(campaign, role, name, digest) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            tx.execute(sql, [campaign.as_str(), role, name, &digest]).map_err(write)?;
        }
        tx.commit().map_err(write)
    }

    /// The texts of a campaign's inputs, sorted.
    pub fn inputs(&self, campaign: &CampaignId) -> Result<Vec<InputText>, StoreError> {
        let sql = "SELECT role, name, body FROM input JOIN text USING(digest) WHERE campaign = ?1
            ORDER BY role, name, digest";
        let read = |error: rusqlite::Error| failed(&self.path, "read", &error);
        let mut query = self.connection.prepare(sql).map_err(read)?;
        let rows = query.query_map([campaign.as_str()], |row| {
            Ok(InputText { role: row.get(0)?, name: row.get(1)?, text: row.get(2)? })
        });
        rows.and_then(Iterator::collect).map_err(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_campaign() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["c-1", "c-2"].map(|id| CampaignId::new(id).unwrap());
        let checkpoint = |seq, statement: &str| SignedCheckpoint {
            seq,
            statement: statement.to_owned(),
            signature: "signature".to_owned(),
            key: "key".to_owned(),
        };
        let input = |name: &str, text: &str| InputText {
            role: "policies".to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let mut proofs = Proofs::open(dir.path()).unwrap();
        for (campaign, made) in [(&one, checkpoint(7, "b")), (&two, checkpoint(2, "c")), (&one, checkpoint(7, "a"))] {
            proofs.add_checkpoint(campaign, &made).unwrap();
        }
        let texts = [input("b.yaml", "same"), input("a.yaml", "same"), input("a.yaml", "other")];
        proofs.keep_inputs(&one, &texts).unwrap();
        proofs.keep_inputs(&two, &texts[..1]).unwrap();
        proofs.keep_inputs(&two, &texts[..1]).unwrap();

        let again = Proofs::open(dir.path()).unwrap();
        assert_eq!(again.checkpoints(&one).unwrap(), [checkpoint(7, "b"), checkpoint(7, "a")], "as they were made");
        assert_eq!(again.inputs(&two).unwrap(), texts[..1]);
        let mut found = again.inputs(&one).unwrap();
        assert!(found.windows(2).all(|two| two[0].name <= two[1].name), "{found:?}");
        found.sort();
        let mut sorted = texts.to_vec();
        sorted.sort();
        assert_eq!(found, sorted);
        let kept: i64 = again.connection.query_row("SELECT count(*) FROM text", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 2, "a text is kept once");

        let huge = "x".repeat(MAX_TEXTS + 1);
        assert!(matches!(proofs.keep_inputs(&one, &[input("c", &huge)]), Err(StoreError::Io { .. })));
        again.connection.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
        assert!(matches!(Proofs::open(dir.path()), Err(StoreError::Newer { .. })));
    }
}
