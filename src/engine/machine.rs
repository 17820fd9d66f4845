//! A campaign as one pure machine: the composite of hosts, groups and the campaign itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome, StepId};
use crate::plan::{Plan, Reason};

use super::{CampaignStatus, Effect, Input, Mode, Phase, Record, RecordBody, StepRequest};

/// Why a record or an input does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal transition: {0}")]
pub struct IllegalTransition(pub String);

/// A campaign: state = fold(journal). Inputs in, effects out.
///
/// The caller stamps every record of one `handle` with the `now` it gave to that `handle`, in the order of the
/// effects; then `apply(record.at, &record.body)` over the journal gives an equal campaign.
#[derive(Clone, Debug)]
pub struct Campaign {}

impl Campaign {
    /// A campaign that has not started.
    pub fn new(_plan: Arc<Plan>, _plan_digest: Digest, _id: CampaignId) -> Self {
        todo!()
    }

    /// The campaign that these records tell of.
    pub fn fold<'a>(
        _plan: Arc<Plan>,
        _plan_digest: Digest,
        _id: CampaignId,
        _records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Self, IllegalTransition> {
        todo!()
    }

    /// Folds one record in.
    pub fn apply(&mut self, _at: Timestamp, _body: &RecordBody) -> Result<(), IllegalTransition> {
        todo!()
    }

    /// Decides what follows from an input. Records are applied to `self` before they are returned; an effect
    /// behind an `Append` must wait until that record is durable. At most one `WakeAt`, the earliest timer.
    /// A repeated `Finished` is ignored; one of an attempt that was never begun is an error and changes nothing.
    pub fn handle(&mut self, _now: Timestamp, _input: Input) -> Result<Vec<Effect>, IllegalTransition> {
        todo!()
    }

    /// What an executor gets for an attempt of a `Begin`.
    pub fn request(&self, _attempt: &AttemptId, _mode: Mode) -> Option<StepRequest> {
        todo!()
    }

    /// Where it stands.
    pub fn status(&self, _now: Timestamp) -> CampaignStatus {
        todo!()
    }

    /// Where it stands, in a word.
    pub fn phase(&self) -> Phase {
        todo!()
    }

    /// Hosts that have ended, with why unless they are fixed.
    pub fn outcomes(&self) -> BTreeMap<HostName, (HostOutcome, Option<Reason>)> {
        todo!()
    }

    /// Facts of the host's steps so far, by step and key.
    pub fn facts(&self, _host: &HostName) -> Arc<BTreeMap<(StepId, String), String>> {
        todo!()
    }

    /// Whether every host has ended.
    pub fn is_ended(&self) -> bool {
        todo!()
    }

    /// Its id.
    pub fn id(&self) -> &CampaignId {
        todo!()
    }

    /// Its plan.
    pub fn plan(&self) -> &Arc<Plan> {
        todo!()
    }
}
