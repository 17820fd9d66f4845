//! A journal in a SQLite file: write-ahead log, synchronous FULL, append only.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::engine::{Chain, Record, RecordBody};
use crate::model::{CampaignId, Digest, HostName, printable};

use super::journal::follow;
use super::{CampaignEntry, Journal, SignedText, StoreError, verify_chain};

/// The schema this program writes.
const SCHEMA: i64 = 2;

/// How long to wait for another program that reads or writes the file.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

const CREATE: &str = "
CREATE TABLE campaign(id TEXT PRIMARY KEY, digest TEXT NOT NULL, plan BLOB NOT NULL) STRICT;
CREATE TABLE lease(campaign TEXT PRIMARY KEY REFERENCES campaign(id), fence INTEGER NOT NULL, operator TEXT NOT NULL) STRICT;
CREATE TABLE host_lock(host TEXT PRIMARY KEY, campaign TEXT NOT NULL REFERENCES campaign(id)) STRICT;
CREATE TABLE record(
  id INTEGER PRIMARY KEY,
  campaign TEXT NOT NULL REFERENCES campaign(id),
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  previous TEXT NOT NULL,
  kind TEXT NOT NULL,
  host TEXT,
  body TEXT NOT NULL,
  UNIQUE(campaign, seq)
) STRICT;
CREATE INDEX record_host ON record(host, campaign) WHERE host IS NOT NULL;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
CREATE TRIGGER campaign_no_delete BEFORE DELETE ON campaign BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
CREATE TRIGGER campaign_no_update BEFORE UPDATE ON campaign BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
";

/// What version 2 adds: what people signed, so that it can be shown to others.
const CREATE_APPROVALS: &str = "
CREATE TABLE approvals(
  campaign TEXT NOT NULL REFERENCES campaign(id),
  statement TEXT NOT NULL,
  signature TEXT NOT NULL,
  UNIQUE(campaign, statement, signature)
) STRICT;
CREATE TRIGGER approvals_no_delete BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
CREATE TRIGGER approvals_no_update BEFORE UPDATE ON approvals BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END;
";

/// A journal in a SQLite file. Not for network file systems: neither the write-ahead log nor the locks work there.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    connection: Connection,
    /// Lock files of claimed campaigns: the system frees them when the process dies, however it dies.
    claims: BTreeMap<CampaignId, File>,
    /// Where claimed campaigns' records end; only their controller appends.
    ends: BTreeMap<CampaignId, Chain>,
}

impl SqliteJournal {
    /// The file's name in its folder.
    pub const FILE: &str = "journal.db";

    /// Opens `DIR/journal.db`, making the folder (only its owner may enter) and the file where absent.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let what = || format!("open the state folder {}", dir.display());
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| io(what(), &error))?;
        let path = dir.join(Self::FILE);
        // SQLite gives its side files the mode of this one.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        file.map_err(|error| io(what(), &error))?;
        let opened = Connection::open(&path).map_err(|error| failed(&path, "open the journal", &error))?;
        let mut journal = Self { path, connection: opened, claims: BTreeMap::new(), ends: BTreeMap::new() };
        journal.prepare()?;
        Ok(journal)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let open = |error: rusqlite::Error| failed(&path, "open the journal", &error);
        self.connection.busy_timeout(BUSY).map_err(open)?;
        let known: i64 = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(open)?;
        if known > SCHEMA {
            return Err(StoreError::Newer { path: path.display().to_string(), found: known, known: SCHEMA });
        }
        let mode: String =
            self.connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(open)?;
        if mode != "wal" {
            let what = format!("open the journal {}", path.display());
            return Err(StoreError::Io { what, why: format!("its file system allows no write-ahead log ({mode})") });
        }
        self.connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;").map_err(open)?;
        let tx = begin(&mut self.connection, &path)?;
        // Asked again inside the transaction: another process may have made it in between.
        let found: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(open)?;
        if found == 0 {
            tx.execute_batch(CREATE).map_err(open)?;
        }
        if found < 2 {
            tx.execute_batch(CREATE_APPROVALS).map_err(open)?;
            tx.pragma_update(None, "user_version", SCHEMA).map_err(open)?;
        }
        tx.commit().map_err(open)
    }

    /// Makes the disk full when the file has this many pages.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        let set = self.connection.pragma_update(None, "max_page_count", pages);
        assert!(set.is_ok(), "{set:?}");
    }

    fn known(&self, campaign: &CampaignId) -> Result<Digest, StoreError> {
        let sql = "SELECT digest FROM campaign WHERE id = ?1";
        let found: Option<String> = self
            .connection
            .query_row(sql, [campaign.as_str()], |row| row.get(0))
            .optional()
            .map_err(|error| failed(&self.path, "read the journal", &error))?;
        let text = found.ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        Digest::try_from(text).map_err(|why| broken(campaign, 0, why))
    }

    /// Who started the controller that runs a campaign now; none: nobody runs it.
    pub fn controller(&self, campaign: &CampaignId) -> Result<Option<String>, StoreError> {
        let lock = self.lock_path(campaign);
        let what = || format!("look at {}", lock.display());
        let mut file = match File::open(&lock) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(what(), &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Whoever holds the lock may be writing its name just now.
                drop((&mut file).take(256).read_to_string(&mut by));
                Ok(Some(printable(&by, 80)))
            }
            Err(TryLockError::Error(error)) => Err(io(what(), &error)),
        }
    }

    /// The records of a campaign, in order, as far as the condition holds.
    fn each_record(
        &self,
        campaign: &CampaignId,
        condition: &str,
        each: &mut dyn FnMut(Record),
    ) -> Result<(), StoreError> {
        let read = |error: rusqlite::Error| failed(&self.path, "read the journal", &error);
        let sql = format!("SELECT seq, at, previous, body FROM record WHERE campaign = ?1 {condition} ORDER BY seq");
        let mut query = self.connection.prepare_cached(&sql).map_err(read)?;
        let mut rows = query.query([campaign.as_str()]).map_err(read)?;
        while let Some(row) = rows.next().map_err(read)? {
            let text = |column: usize| row.get::<_, String>(column).map_err(read);
            let seq = u64::try_from(row.get::<_, i64>(0).map_err(read)?).unwrap_or(0);
            let bad = |why: String| broken(campaign, seq, &printable(&why, 200));
            each(Record {
                campaign: campaign.clone(),
                seq,
                at: text(1)?.parse().map_err(|error: jiff::Error| bad(error.to_string()))?,
                previous: Digest::try_from(text(2)?).map_err(|why| bad(why.to_owned()))?,
                body: serde_json::from_str(&text(3)?).map_err(|error| bad(error.to_string()))?,
            });
        }
        Ok(())
    }

    /// The plan and the records of a campaign as they stand in the file, a line a record, as its digest is made; nothing
    /// is verified.
    pub fn raw(&mut self, campaign: &CampaignId) -> Result<(Vec<u8>, Vec<String>), StoreError> {
        let read = |error: rusqlite::Error| failed(&self.path, "read the journal", &error);
        let sql = "SELECT plan FROM campaign WHERE id = ?1";
        let plan = self.connection.query_row(sql, [campaign.as_str()], |row| row.get(0)).optional().map_err(read)?;
        let plan = plan.ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        let sql = "SELECT seq, at, previous, body FROM record WHERE campaign = ?1 ORDER BY seq";
        let mut query = self.connection.prepare_cached(sql).map_err(read)?;
        let rows = query.query_map([campaign.as_str()], |row| {
            let (seq, at, previous, body) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (seq, at, previous, body): (i64, String, String, String) = (seq, at, previous, body);
            let [id, at, previous] = [campaign.as_str(), &at, &previous].map(serde_json::Value::from);
            // A line is a record, whatever somebody has put into its columns.
            let body = body.replace(['\n', '\r'], " ");
            Ok(format!(r#"{{"campaign":{id},"seq":{seq},"at":{at},"previous":{previous},"body":{body}}}"#))
        });
        let lines = rows.and_then(Iterator::collect).map_err(read)?;
        Ok((plan, lines))
    }

    fn lock_path(&self, campaign: &CampaignId) -> PathBuf {
        lock_path(&self.path, campaign)
    }
}

/// How often a claim is tried again, and how long it waits in between.
const LOOKS: u32 = 5;
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

fn lock_path(journal: &Path, campaign: &CampaignId) -> PathBuf {
    journal.with_file_name(format!("{campaign}.lock"))
}

/// The fencing number of a campaign that can never be claimed again.
const GIVEN_UP: i64 = 0;

/// Frees the hosts of a campaign whose controller died before its first record: nothing was done on them, and nobody
/// would ever free them. None if it has begun or somebody is about to begin it; else its claim.
fn give_up(tx: &Transaction<'_>, journal: &Path, campaign: &CampaignId) -> rusqlite::Result<Option<File>> {
    let sql = "SELECT EXISTS(SELECT 1 FROM record WHERE campaign = ?1)";
    let begun: bool = tx.query_row(sql, [campaign.as_str()], |row| row.get(0))?;
    let mut open = OpenOptions::new();
    let claim = open.create(true).truncate(false).write(true).mode(0o600).open(lock_path(journal, campaign));
    let Some(claim) = claim.ok().filter(|claim| !begun && claim.try_lock().is_ok()) else { return Ok(None) };
    tx.execute("DELETE FROM host_lock WHERE campaign = ?1", [campaign.as_str()])?;
    let sql = "INSERT INTO lease(campaign, fence, operator) VALUES(?1, ?2, '')
        ON CONFLICT(campaign) DO UPDATE SET fence = excluded.fence, operator = ''";
    tx.execute(sql, params![campaign.as_str(), GIVEN_UP])?;
    Ok(Some(claim))
}

impl Journal for SqliteJournal {
    fn create(&mut self, campaign: &CampaignId, plan: &[u8], hosts: &[HostName]) -> Result<(), StoreError> {
        let path = self.path.clone();
        let write = |error: rusqlite::Error| failed(&path, "write the journal", &error);
        let folder = path.clone();
        let tx = begin(&mut self.connection, &path)?;
        // Held until the end, so that none of them begins meanwhile.
        let mut given_up = Vec::new();
        let digest = Digest::of(plan).to_string();
        let sql = "INSERT INTO campaign(id, digest, plan) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING";
        if tx.execute(sql, params![campaign.as_str(), digest, plan]).map_err(write)? == 0 {
            return Err(StoreError::Exists(campaign.clone()));
        }
        {
            let sql = "INSERT INTO host_lock(host, campaign) VALUES(?1, ?2) ON CONFLICT DO NOTHING";
            let mut lock = tx.prepare(sql).map_err(write)?;
            for host in hosts {
                while lock.execute([host.as_str(), campaign.as_str()]).map_err(write)? == 0 {
                    let sql = "SELECT campaign FROM host_lock WHERE host = ?1";
                    let by: String = tx.query_row(sql, [host.as_str()], |row| row.get(0)).map_err(write)?;
                    let by = CampaignId::new(&by).unwrap_or_else(|_| campaign.clone());
                    match give_up(&tx, &folder, &by).map_err(write)? {
                        Some(claim) => given_up.push(claim),
                        None => return Err(StoreError::HostBusy { host: host.clone(), campaign: by }),
                    }
                }
            }
        }
        tx.commit().map_err(write)
    }

    fn plan(&mut self, campaign: &CampaignId) -> Result<Vec<u8>, StoreError> {
        let digest = self.known(campaign)?;
        let sql = "SELECT plan FROM campaign WHERE id = ?1";
        let plan: Vec<u8> = self
            .connection
            .query_row(sql, [campaign.as_str()], |row| row.get(0))
            .map_err(|error| failed(&self.path, "read the journal", &error))?;
        if Digest::of(&plan) != digest {
            return Err(broken(campaign, 0, "its plan does not have the digest it is kept under"));
        }
        Ok(plan)
    }

    fn campaigns(&mut self) -> Result<Vec<CampaignEntry>, StoreError> {
        let read = |error: rusqlite::Error| failed(&self.path, "read the journal", &error);
        let sql = "SELECT c.id, c.digest, first.at, last.at, last.seq,
              CASE WHEN lease.fence = 0 THEN 'campaign_ended' ELSE last.kind END
            FROM campaign c
            LEFT JOIN lease ON lease.campaign = c.id
            LEFT JOIN record first ON first.campaign = c.id AND first.seq = 1
            LEFT JOIN record last ON last.campaign = c.id
              AND last.seq = (SELECT max(seq) FROM record WHERE campaign = c.id)
            ORDER BY c.id";
        let mut query = self.connection.prepare(sql).map_err(read)?;
        type Row = (String, String, Option<String>, Option<String>, Option<i64>, Option<String>);
        let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)));
        let rows: Vec<Row> = rows.and_then(Iterator::collect).map_err(read)?;
        let bad = |why: &str| StoreError::Io { what: "read the list of campaigns".to_owned(), why: why.to_owned() };
        rows.into_iter()
            .map(|(id, plan, started, last, records, kind)| {
                Ok(CampaignEntry {
                    id: CampaignId::new(&id).map_err(|error| bad(&error.to_string()))?,
                    plan: Digest::try_from(plan).map_err(bad)?,
                    started: started.and_then(|at| at.parse().ok()),
                    last: last.and_then(|at| at.parse().ok()),
                    records: records.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                    ended: kind.as_deref() == Some("campaign_ended"),
                })
            })
            .collect()
    }

    fn claim(&mut self, campaign: &CampaignId, operator: &str) -> Result<u64, StoreError> {
        self.known(campaign)?;
        let lock = self.lock_path(campaign);
        let what = || format!("lock {}", lock.display());
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| io(what(), &error))?;
        let mut locked = file.try_lock();
        // Whoever only looks whether there is a controller holds it for an instant.
        for _ in 0..LOOKS {
            if matches!(locked, Err(TryLockError::WouldBlock)) {
                std::thread::sleep(LOOK);
                locked = file.try_lock();
            }
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Only for the message; whoever holds the lock may be writing its name just now.
                drop(file.take(256).read_to_string(&mut by));
                return Err(StoreError::Claimed { campaign: campaign.clone(), by: printable(&by, 80) });
            }
            Err(TryLockError::Error(error)) => return Err(io(what(), &error)),
        }
        // Asked behind the lock: from here on nobody can give it up.
        let sql = "SELECT EXISTS(SELECT 1 FROM lease WHERE campaign = ?1 AND fence = ?2)";
        let given_up: bool = self
            .connection
            .query_row(sql, params![campaign.as_str(), GIVEN_UP], |row| row.get(0))
            .map_err(|error| failed(&self.path, "claim the campaign", &error))?;
        if given_up {
            return Err(StoreError::GivenUp(campaign.clone()));
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(operator.as_bytes()))
            .map_err(|error| io(what(), &error))?;
        let sql = "INSERT INTO lease(campaign, fence, operator) VALUES(?1, 1, ?2)
            ON CONFLICT(campaign) DO UPDATE SET fence = fence + 1, operator = excluded.operator RETURNING fence";
        let fence: i64 = self
            .connection
            .query_row(sql, [campaign.as_str(), operator], |row| row.get(0))
            .map_err(|error| failed(&self.path, "claim the campaign", &error))?;
        let records = self.read(campaign)?;
        let end = match records.last() {
            Some(last) => Chain::after(last),
            None => Chain::new(campaign.clone(), self.known(campaign)?),
        };
        self.ends.insert(campaign.clone(), end);
        self.claims.insert(campaign.clone(), file);
        u64::try_from(fence).map_err(|_| broken(campaign, 0, "its fencing number is negative"))
    }

    fn append(&mut self, campaign: &CampaignId, fence: u64, records: &[Record]) -> Result<(), StoreError> {
        let fenced = || StoreError::Fenced { campaign: campaign.clone() };
        // Without a claim somebody else may be writing.
        let mut end = self.ends.get(campaign).cloned().ok_or_else(fenced)?;
        records.iter().try_for_each(|record| follow(&mut end, campaign, record))?;
        let path = self.path.clone();
        let tx = begin(&mut self.connection, &path)?;
        let sql = "SELECT fence FROM lease WHERE campaign = ?1";
        let lease: i64 = tx
            .query_row(sql, [campaign.as_str()], |row| row.get(0))
            .map_err(|error| failed(&path, "write the journal", &error))?;
        if u64::try_from(lease) != Ok(fence) {
            return Err(fenced());
        }
        insert(&tx, records).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => fenced(),
            _ => failed(&path, "write the journal", &error),
        })?;
        tx.commit().map_err(|error| failed(&path, "write the journal", &error))?;
        self.ends.insert(campaign.clone(), end);
        Ok(())
    }

    fn keep_approvals(&mut self, campaign: &CampaignId, signed: &[SignedText]) -> Result<(), StoreError> {
        self.known(campaign)?;
        let path = self.path.clone();
        let write = |error: rusqlite::Error| failed(&path, "write the journal", &error);
        let tx = begin(&mut self.connection, &path)?;
        let sql = "INSERT INTO approvals(campaign, statement, signature) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING";
        for SignedText { text, signature } in signed {
            tx.execute(sql, [campaign.as_str(), text, signature]).map_err(write)?;
        }
        tx.commit().map_err(write)
    }

    fn approvals(&mut self, campaign: &CampaignId) -> Result<Vec<SignedText>, StoreError> {
        self.known(campaign)?;
        let read = |error: rusqlite::Error| failed(&self.path, "read the journal", &error);
        let sql = "SELECT statement, signature FROM approvals WHERE campaign = ?1 ORDER BY statement, signature";
        let mut query = self.connection.prepare(sql).map_err(read)?;
        let rows =
            query.query_map([campaign.as_str()], |row| Ok(SignedText { text: row.get(0)?, signature: row.get(1)? }));
        rows.and_then(Iterator::collect).map_err(read)
    }

    fn read(&mut self, campaign: &CampaignId) -> Result<Vec<Record>, StoreError> {
        let digest = self.known(campaign)?;
        let mut records = Vec::new();
        self.each_record(campaign, "", &mut |record| records.push(record))?;
        verify_chain(campaign, digest, &records)?;
        Ok(records)
    }

    fn scan(
        &mut self,
        campaign: &CampaignId,
        kinds: &[&'static str],
        each: &mut dyn FnMut(Record),
    ) -> Result<(), StoreError> {
        self.known(campaign)?;
        self.each_record(campaign, &format!("AND kind IN ('{}')", kinds.join("', '")), each)
    }
}

fn insert(tx: &Transaction<'_>, records: &[Record]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO record(campaign, seq, at, previous, kind, host, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Record { campaign, seq, at, previous, body } in records {
        let text =
            serde_json::to_string(body).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
        let (at, previous) = (at.to_string(), previous.to_string());
        insert.execute(params![campaign.as_str(), seq, at, previous, body.kind(), body.host(), text])?;
        match body {
            RecordBody::HostEnded { host, .. } => {
                let sql = "DELETE FROM host_lock WHERE host = ?1 AND campaign = ?2";
                tx.prepare_cached(sql)?.execute([host.as_str(), campaign.as_str()])?;
            }
            RecordBody::CampaignEnded { .. } => {
                tx.prepare_cached("DELETE FROM host_lock WHERE campaign = ?1")?.execute([campaign.as_str()])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Locks the file for writing at once, so that nothing read inside can be outdated.
fn begin<'a>(connection: &'a mut Connection, path: &Path) -> Result<Transaction<'a>, StoreError> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| failed(path, "write the journal", &error))
}

/// What a failed call means for a file of ours.
pub(super) fn failed(path: &Path, what: &str, error: &rusqlite::Error) -> StoreError {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path: path.to_string() },
        _ => StoreError::Io { what: format!("{what} {path}"), why: error.to_string() },
    }
}

fn io(what: String, error: &std::io::Error) -> StoreError {
    StoreError::Io { what, why: error.to_string() }
}

fn broken(campaign: &CampaignId, seq: u64, why: &str) -> StoreError {
    StoreError::Broken { campaign: campaign.clone(), seq, why: why.to_owned() }
}
