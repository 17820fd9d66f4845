//! The list of what people do: items as plans had them, and a log of what became of each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{Notes, StoreError};
use crate::model::{ManualEntry, ManualId, ManualItem, ManualWork};

impl Notes {
    /// Takes items of a plan into the list. One that is there already keeps when it came, and is due no later than it was:
    /// planning again puts nothing off. What a newer plan said of it stays.
    pub fn list_manual(&mut self, items: &[ManualItem], at: Timestamp) -> Result<(), StoreError> {
        let known = self.manual()?;
        let mut write = || -> Result<(), rusqlite::Error> {
            let tx = self.connection.transaction()?;
            for item in items {
                let before = known.get(&item.id);
                if before.is_some_and(|work| at < work.planned) {
                    continue;
                }
                let due = before.and_then(|work| work.item.due).into_iter().chain(item.due).min();
                let since = before.map_or(at, |work| work.since);
                let body = serde_json::to_string(&ManualItem { due, ..item.clone() }).unwrap_or_default();
                tx.execute(
                    "INSERT OR REPLACE INTO manual_item(item, since, body) VALUES (?1, ?2, ?3)",
                    params![item.id.as_str(), since.to_string(), body],
                )?;
                tx.execute(
                    "INSERT OR REPLACE INTO manual_planned(item, at) VALUES (?1, ?2)",
                    params![item.id.as_str(), at.to_string()],
                )?;
            }
            tx.commit()
        };
        write().map_err(|error| self.io("write to", &error))
    }

    /// Writes into the log of an item.
    pub fn log_manual(&mut self, item: &ManualId, entry: &ManualEntry) -> Result<(), StoreError> {
        let body = serde_json::to_string(entry).unwrap_or_default();
        self.connection
            .execute("INSERT INTO manual_log(item, body) VALUES (?1, ?2)", params![item.as_str(), body])
            .map(drop)
            .map_err(|error| self.io("write to", &error))
    }

    /// Every item with what became of it.
    pub fn manual(&self) -> Result<BTreeMap<ManualId, ManualWork>, StoreError> {
        let rows = |sql: &str| -> Result<Vec<(String, String)>, StoreError> {
            let read = || -> Result<Vec<(String, String)>, rusqlite::Error> {
                let mut select = self.connection.prepare(sql)?;
                let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            };
            read().map_err(|error| self.io("read", &error))
        };
        let broken = |error: serde_json::Error| StoreError::Io {
            what: format!("read the list of manual work in {}", self.path),
            why: error.to_string(),
        };
        let mut all = BTreeMap::new();
        for (since, body) in rows("SELECT since, body FROM manual_item")? {
            let item: ManualItem = serde_json::from_str(&body).map_err(broken)?;
            let since = self.time(&since)?;
            all.insert(item.id.clone(), ManualWork { item, since, planned: since, log: Vec::new() });
        }
        for (item, at) in rows("SELECT item, at FROM manual_planned")? {
            if let Some(work) = all.get_mut(item.as_str()) {
                work.planned = self.time(&at)?;
            }
        }
        for (item, body) in rows("SELECT item, body FROM manual_log ORDER BY id")? {
            if let Some(work) = all.get_mut(item.as_str()) {
                work.log.push(serde_json::from_str(&body).map_err(broken)?);
            }
        }
        Ok(all)
    }
}
