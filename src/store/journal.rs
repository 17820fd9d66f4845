//! The contract of a journal.

use jiff::Timestamp;

#[cfg(doc)]
use crate::engine::RecordBody;
use crate::engine::{Chain, Record};
use crate::model::{CampaignId, Digest, HostName};

/// Why the journal could not do it. After a failed append nothing of that call is stored, and the caller must stop
/// starting things: what is not in the journal did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("no space left for the journal at {path}")]
    Full {
        /// The file.
        path: String,
    },
    /// Reading or writing failed.
    #[error("cannot {what}: {why}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        why: String,
    },
    /// A newer program wrote it.
    #[error("journal {path} has schema {found}; this program knows up to {known}: use the newer program")]
    Newer {
        /// The file.
        path: String,
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// There is no such campaign.
    #[error("no campaign {0}")]
    UnknownCampaign(CampaignId),
    /// A campaign of this name exists.
    #[error("campaign {0} exists already")]
    Exists(CampaignId),
    /// A host is in another campaign that has not ended.
    #[error("host {host} is in campaign {campaign}, which has not ended")]
    HostBusy {
        /// The host.
        host: HostName,
        /// The campaign that has it.
        campaign: CampaignId,
    },
    /// Another controller runs this campaign.
    #[error("campaign {campaign} is run by another controller ({by})")]
    Claimed {
        /// The campaign.
        campaign: CampaignId,
        /// Who.
        by: String,
    },
    /// Another controller has taken the campaign over.
    #[error("campaign {campaign} was taken over by another controller")]
    Fenced {
        /// The campaign.
        campaign: CampaignId,
    },
    /// Its controller died before the first record, and its hosts went to another campaign.
    #[error("campaign {0} never began, and hosts of it are in another now: run its plan again")]
    GivenUp(CampaignId),
    /// What a campaign has shown cannot be known.
    #[error("what campaign {campaign} has shown cannot be read: {why}")]
    Unreadable {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        why: String,
    },
    /// The records do not chain.
    #[error("record {seq} of campaign {campaign} is broken: {why}")]
    Broken {
        /// The campaign.
        campaign: CampaignId,
        /// The first bad record.
        seq: u64,
        /// Why.
        why: String,
    },
    /// An earlier append failed, so this one was not tried.
    #[error("the journal stopped after an earlier failure")]
    Stopped,
}

/// A text and the signature of it, as they were given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedText {
    /// The text.
    pub text: String,
    /// Its armoured signature.
    pub signature: String,
}

/// A campaign of the journal, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignEntry {
    /// The campaign.
    pub id: CampaignId,
    /// The digest of its plan.
    pub plan: Digest,
    /// When its first record was written.
    pub started: Option<Timestamp>,
    /// When its last record was written.
    pub last: Option<Timestamp>,
    /// How many records it has.
    pub records: u64,
    /// Whether it has ended, or never began and was given up.
    pub ended: bool,
}

/// Where campaigns are kept. Called from one thread at a time; every call that returns `Ok` is durable.
pub trait Journal: Send {
    /// Registers a campaign with its plan (the bytes that its digest names) and locks its hosts.
    fn create(&mut self, campaign: &CampaignId, plan: &[u8], hosts: &[HostName]) -> Result<(), StoreError>;

    /// The plan of a campaign, as given.
    fn plan(&mut self, campaign: &CampaignId) -> Result<Vec<u8>, StoreError>;

    /// All campaigns, sorted by id.
    fn campaigns(&mut self) -> Result<Vec<CampaignEntry>, StoreError>;

    /// Becomes the one controller of a campaign, until this journal is dropped or its process dies. The fencing
    /// number grows with every claim; appends with an older one are refused.
    fn claim(&mut self, campaign: &CampaignId, operator: &str) -> Result<u64, StoreError>;

    /// Appends records of one campaign, all or none; they must follow what is there. A `HostEnded` unlocks its host, a `CampaignEnded` all.
    fn append(&mut self, campaign: &CampaignId, fence: u64, records: &[Record]) -> Result<(), StoreError>;

    /// Keeps what people signed for a campaign; what is there already stays as it is.
    fn keep_approvals(&mut self, campaign: &CampaignId, signed: &[SignedText]) -> Result<(), StoreError>;

    /// What people signed for a campaign, sorted.
    fn approvals(&mut self, campaign: &CampaignId) -> Result<Vec<SignedText>, StoreError>;

    /// All records of a campaign, their chain verified.
    fn read(&mut self, campaign: &CampaignId) -> Result<Vec<Record>, StoreError>;

    /// The records of some kinds ([`RecordBody::kind`]), one by one. For views of many campaigns: the chain is not
    /// verified.
    fn scan(
        &mut self,
        campaign: &CampaignId,
        kinds: &[&'static str],
        each: &mut dyn FnMut(Record),
    ) -> Result<(), StoreError>;
}

/// Verifies that records follow each other without a gap from the plan on; names the first that does not.
pub fn verify_chain(campaign: &CampaignId, plan: Digest, records: &[Record]) -> Result<Chain, StoreError> {
    let mut chain = Chain::new(campaign.clone(), plan);
    for record in records {
        let seq = chain.seq().saturating_add(1);
        chain.follow(record).map_err(|why| StoreError::Broken { campaign: campaign.clone(), seq, why })?;
    }
    Ok(chain)
}

/// Takes in the next record to be stored; one whose number is taken already tells that somebody else has written.
pub(super) fn follow(chain: &mut Chain, campaign: &CampaignId, record: &Record) -> Result<(), StoreError> {
    if record.campaign == *campaign && record.seq <= chain.seq() {
        return Err(StoreError::Fenced { campaign: campaign.clone() });
    }
    let seq = chain.seq().saturating_add(1);
    chain.follow(record).map_err(|why| StoreError::Broken { campaign: campaign.clone(), seq, why })
}
