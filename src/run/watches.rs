//! Watches that campaigns have left armed over hosts that they could not put back.

use std::sync::Arc;

use crate::engine::RecordBody;
use crate::model::{CampaignId, Host, HostName, HostOutcome};
use crate::plan::StepKind;
use crate::provider::{Ask, EffectKey, ProviderError, Watch, for_host};
use crate::transport::Transport;

use super::Past;

/// A watch that may be armed.
pub struct LeftWatch<'a> {
    /// Who armed it.
    pub campaign: &'a CampaignId,
    /// Its host is in this campaign, which has not ended.
    pub in_use: bool,
    host: &'a Host,
    key: EffectKey,
}

/// Every watch over this host that the journals do not tell the end of.
pub fn left_watches<'a>(past: &'a [Past], name: &HostName) -> Vec<LeftWatch<'a>> {
    let left = |past: &'a Past| {
        let planned = past.plan.hosts.get(name)?;
        let arm = &planned.steps.iter().find(|step| step.kind == StepKind::Arm)?.id;
        let (mut key, mut end) = (None, None);
        for record in &past.records {
            match &record.body {
                RecordBody::Intent { attempt, .. } if attempt.step == *arm => {
                    key = Some(EffectKey(attempt.to_string()))
                }
                RecordBody::HostEnded { host, outcome, .. } if host == name => end = Some(*outcome),
                _ => {}
            }
        }
        let watch = LeftWatch { campaign: &past.id, in_use: end.is_none(), host: &planned.host, key: key? };
        end.is_none_or(|end| end == HostOutcome::Stuck).then_some(watch)
    };
    past.iter().filter_map(left).collect()
}

impl LeftWatch<'_> {
    /// Ends it, unless it has gone back; how it stands then.
    pub async fn disarm(&self, transport: &Arc<dyn Transport>) -> Result<Watch, ProviderError> {
        let gone = || ProviderError::NoEffect(format!("{} has no provider any more", self.host.name));
        let provider = for_host(self.host, transport).ok_or_else(gone)?;
        provider.watch(self.host, &self.key, Ask::Disarm).await
    }
}
