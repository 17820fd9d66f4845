//! Why a campaign cannot be run, or not any further.

use std::sync::Arc;

use crate::engine::IllegalTransition;
use crate::model::CampaignId;
use crate::store::StoreError;

/// Why a campaign cannot be run, or not any further.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// The journal refused. Nothing was started for which it has no intent; what runs on hosts goes on there.
    #[error(
        "journal failed; no further step was started, what runs on hosts goes on, and `switchback resume` finds it"
    )]
    Journal(#[source] StoreError),
    /// The store refused before anything was started.
    #[error("store refused")]
    Store(#[source] StoreError),
    /// The plan has problems that the checker found.
    #[error("plan cannot be run: {}", .0.join("; "))]
    Plan(Vec<String>),
    /// The stored plan cannot be read back.
    #[error("plan of campaign {campaign} cannot be read: {why}")]
    StoredPlan {
        /// The campaign.
        campaign: CampaignId,
        /// Why.
        why: String,
    },
    /// The engine refused an input or a record: a defect, or a journal that was tampered with.
    #[error("engine refused")]
    Engine(#[source] IllegalTransition),
    /// The campaign has ended: nothing can be asked of it any more.
    #[error("campaign {0} has ended")]
    Ended(CampaignId),
    /// The campaign is not run by this engine.
    #[error("campaign {0} is not run here; `switchback resume` takes it up")]
    NotRunning(CampaignId),
    /// The campaign's controller is gone without a word.
    #[error("controller of campaign {0} stopped; `switchback resume` takes it up")]
    Stopped(CampaignId),
    /// No random bytes, no threads.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl RunError {
    pub(super) fn system(what: &'static str, source: std::io::Error) -> Self {
        Self::System { what, source: Arc::new(source) }
    }
}
