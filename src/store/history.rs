//! What earlier campaigns have shown, folded from their journals.

use crate::engine::RecordBody;
use crate::model::{History, HostName, HostOutcome, RuleName};

use super::{Journal, StoreError};

/// What a plan says of a host, whatever else its format holds: plans of earlier programs count as well.
#[derive(serde::Deserialize)]
struct PlanOf {
    hosts: std::collections::BTreeMap<HostName, HostOf>,
}

#[derive(serde::Deserialize)]
struct HostOf {
    cohort: RuleName,
}

/// What the campaigns of a journal have shown. A campaign that cannot be read shows nothing.
pub fn history(journal: &mut dyn Journal) -> Result<History, StoreError> {
    let mut history = History::default();
    for campaign in journal.campaigns()? {
        let Ok(plan) = serde_json::from_slice::<PlanOf>(&journal.plan(&campaign.id)?) else { continue };
        let Ok(records) = journal.read(&campaign.id) else { continue };
        for record in records {
            let RecordBody::HostEnded { host, outcome, .. } = record.body else { continue };
            let proven = matches!(outcome, HostOutcome::Fixed | HostOutcome::FixedPendingReboot);
            if let Some(planned) = plan.hosts.get(&host).filter(|_| proven) {
                history.prove(planned.cohort.clone(), host, record.at);
            }
        }
    }
    Ok(history)
}
