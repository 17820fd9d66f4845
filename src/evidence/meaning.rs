//! Whether a journal tells of a campaign that the plan allows: its records are folded by the engine, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{Campaign, IllegalTransition, Phase, Record, RecordBody};
use crate::model::{CampaignId, Digest, HostName, HostOutcome};
use crate::plan::{Plan, Step};

use super::Problem;
use super::journal::{problem, shown};

/// What the records come to.
#[derive(Debug)]
pub(super) struct Meaning {
    pub phase: Phase,
    pub outcomes: BTreeMap<HostOutcome, u32>,
    /// The first record that a controller of this plan does not write.
    pub problem: Option<Problem>,
}

pub(super) fn meaning(campaign: &CampaignId, digest: Digest, plan: Arc<Plan>, records: &[Record]) -> Meaning {
    let mut folded = Campaign::new(Arc::clone(&plan), digest, campaign.clone());
    let mut begun = BTreeSet::new();
    let mut found = None;
    for (index, record) in records.iter().enumerate() {
        let told = match folded.apply(record.at, &record.body) {
            Err(IllegalTransition(why)) => Some(problem("audit-record-impossible", shown(&why))),
            Ok(()) => outside_window(&plan, record, &mut begun),
        };
        if let Some(told) = told {
            found = Some(told.at(record.seq, index));
            break;
        }
    }
    let mut outcomes = BTreeMap::new();
    for (outcome, _) in folded.outcomes().values() {
        *outcomes.entry(*outcome).or_insert(0) += 1;
    }
    Meaning { phase: folded.phase(), outcomes, problem: found }
}

/// The fold knows no windows: they gate the start of a host's first disruptive step, by the time of its record.
fn outside_window(plan: &Plan, record: &Record, begun: &mut BTreeSet<HostName>) -> Option<Problem> {
    let RecordBody::Intent { attempt, undo: false } = &record.body else { return None };
    let (host, step) = plan.step(&attempt.step)?;
    if !Step::is_disruptive(step) || !begun.insert(host.host.name.clone()) {
        return None;
    }
    let windows = plan.windows.get(host.windows.as_ref()?);
    let inside = windows.into_iter().flatten().any(|window| window.interval.contains(record.at));
    (!inside).then(|| {
        let text = format!("{} was disrupted at {}, outside its windows", host.host.name, record.at);
        problem("audit-outside-window", text)
    })
}
