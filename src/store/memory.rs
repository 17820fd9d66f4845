//! A journal in memory, for tests and simulations, with faults that can be planted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{Chain, Record, RecordBody};
use crate::model::{CampaignId, Digest, HostName};

use super::journal::follow;
use super::{CampaignEntry, Journal, SignedText, StoreError, verify_chain};

/// A journal in memory; clones share it, so that a second controller can open what a killed one left.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    campaigns: BTreeMap<CampaignId, Kept>,
    locks: BTreeMap<HostName, CampaignId>,
    appended: u64,
    fail_at: Option<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    plan: Vec<u8>,
    records: Vec<Record>,
    fence: u64,
    approvals: BTreeSet<SignedText>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the append that holds this record, counted from 1 over all campaigns, fails as on a full disk, and
    /// so does every later one.
    pub fn fail_at(&self, record: u64) {
        self.lock().fail_at = Some(record);
    }

    /// The disk has space again.
    pub fn heal(&self) {
        self.lock().fail_at = None;
    }

    /// Loses the last records of a campaign, as a crash does with what was not durable.
    pub fn tear(&self, campaign: &CampaignId, records: usize) {
        if let Some(kept) = self.lock().campaigns.get_mut(campaign) {
            let left = kept.records.len().saturating_sub(records);
            kept.records.truncate(left);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change is one assignment or push: a panic elsewhere cannot leave it half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn create(&mut self, campaign: &CampaignId, plan: &[u8], hosts: &[HostName]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        if shared.campaigns.contains_key(campaign) {
            return Err(StoreError::Exists(campaign.clone()));
        }
        if let Some((host, by)) = hosts.iter().find_map(|host| shared.locks.get_key_value(host)) {
            return Err(StoreError::HostBusy { host: host.clone(), campaign: by.clone() });
        }
        shared.locks.extend(hosts.iter().map(|host| (host.clone(), campaign.clone())));
        shared.campaigns.insert(campaign.clone(), Kept { plan: plan.to_vec(), ..Kept::default() });
        Ok(())
    }

    fn plan(&mut self, campaign: &CampaignId) -> Result<Vec<u8>, StoreError> {
        let shared = self.lock();
        let kept = shared.campaigns.get(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        Ok(kept.plan.clone())
    }

    fn campaigns(&mut self) -> Result<Vec<CampaignEntry>, StoreError> {
        let shared = self.lock();
        let entries = shared.campaigns.iter().map(|(id, kept)| CampaignEntry {
            id: id.clone(),
            plan: Digest::of(&kept.plan),
            started: kept.records.first().map(|record| record.at),
            last: kept.records.last().map(|record| record.at),
            records: kept.records.last().map_or(0, |record| record.seq),
            ended: matches!(kept.records.last().map(|r| &r.body), Some(RecordBody::CampaignEnded { .. })),
        });
        Ok(entries.collect())
    }

    fn claim(&mut self, campaign: &CampaignId, _operator: &str) -> Result<u64, StoreError> {
        let mut shared = self.lock();
        let kept = shared.campaigns.get_mut(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        // In memory the later controller wins, which is what tests of fencing want.
        kept.fence = kept.fence.saturating_add(1);
        Ok(kept.fence)
    }

    fn append(&mut self, campaign: &CampaignId, fence: u64, records: &[Record]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        let shared = &mut *shared;
        let kept = shared.campaigns.get_mut(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        if kept.fence != fence {
            return Err(StoreError::Fenced { campaign: campaign.clone() });
        }
        let after = shared.appended.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        if shared.fail_at.is_some_and(|at| at <= after) {
            return Err(StoreError::Full { path: "memory".to_owned() });
        }
        let begin = || Chain::new(campaign.clone(), Digest::of(&kept.plan));
        let mut chain = kept.records.last().map_or_else(begin, Chain::after);
        records.iter().try_for_each(|record| follow(&mut chain, campaign, record))?;
        shared.appended = after;
        for record in records {
            match &record.body {
                RecordBody::HostEnded { host, .. } => {
                    shared.locks.remove(host);
                }
                RecordBody::CampaignEnded { .. } => shared.locks.retain(|_, by| by != campaign),
                _ => {}
            }
        }
        kept.records.extend_from_slice(records);
        Ok(())
    }

    fn keep_approvals(&mut self, campaign: &CampaignId, signed: &[SignedText]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        let kept = shared.campaigns.get_mut(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        kept.approvals.extend(signed.iter().cloned());
        Ok(())
    }

    fn approvals(&mut self, campaign: &CampaignId) -> Result<Vec<SignedText>, StoreError> {
        let shared = self.lock();
        let kept = shared.campaigns.get(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        Ok(kept.approvals.iter().cloned().collect())
    }

    fn read(&mut self, campaign: &CampaignId) -> Result<Vec<Record>, StoreError> {
        let shared = self.lock();
        let kept = shared.campaigns.get(campaign).ok_or_else(|| StoreError::UnknownCampaign(campaign.clone()))?;
        verify_chain(campaign, Digest::of(&kept.plan), &kept.records)?;
        Ok(kept.records.clone())
    }
}
