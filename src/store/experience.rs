//! How long steps took and how often they failed, from the journals of earlier campaigns.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{Record, RecordBody, StepResult};
use crate::model::{HostName, StepId, TimeSpan};
use crate::plan::StepKind;

use super::{Journal, StoreError};

/// More samples of a kind of step would change nothing.
const MAX_SAMPLES: usize = 10_000;

/// What earlier campaigns have shown of steps, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experience {
    /// By kind of step.
    pub steps: BTreeMap<StepKind, Seen>,
}

/// What was seen of one kind of step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many have a result.
    pub attempts: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How long they took, in thousandths of what their plans expected.
    pub shares: Vec<u32>,
}

impl Experience {
    /// Adds an attempt, and its length where that is known.
    pub fn add(&mut self, kind: StepKind, share: Option<u32>, failed: bool) {
        let seen = self.steps.entry(kind).or_default();
        seen.attempts += 1;
        seen.failures += u64::from(failed);
        seen.shares.extend(share.filter(|_| seen.shares.len() < MAX_SAMPLES));
    }
}

/// What a plan says of its steps, whatever else its format holds.
#[derive(serde::Deserialize)]
struct PlanOf {
    hosts: BTreeMap<HostName, HostOf>,
}

#[derive(serde::Deserialize)]
struct HostOf {
    steps: Vec<StepOf>,
}

#[derive(serde::Deserialize)]
struct StepOf {
    id: StepId,
    kind: StepKind,
    expected: TimeSpan,
    #[serde(default)]
    undo: Vec<StepOf>,
}

/// What the campaigns of a journal have shown. A campaign that cannot be read shows nothing.
pub fn experience(journal: &mut dyn Journal) -> Result<Experience, StoreError> {
    let mut experience = Experience::default();
    let mut campaigns = journal.campaigns()?;
    // The latest first: what was long ago counts for less, and where there is enough it does not count.
    campaigns.sort_by_key(|campaign| std::cmp::Reverse(campaign.started));
    for campaign in campaigns {
        let Ok(plan) = serde_json::from_slice::<PlanOf>(&journal.plan(&campaign.id)?) else { continue };
        let Ok(records) = journal.read(&campaign.id) else { continue };
        learn(&mut experience, &plan, &records);
    }
    Ok(experience)
}

fn learn(experience: &mut Experience, plan: &PlanOf, records: &[Record]) {
    let steps =
        plan.hosts.values().flat_map(|host| &host.steps).flat_map(|step| std::iter::once(step).chain(&step.undo));
    let steps: BTreeMap<&StepId, &StepOf> = steps.map(|step| (&step.id, step)).collect();
    let mut begun: BTreeMap<&StepId, Timestamp> = BTreeMap::new();
    for record in records {
        match &record.body {
            RecordBody::Intent { attempt, .. } => {
                begun.insert(&attempt.step, record.at);
            }
            // Nobody looked at it for a while: when it ended is not known.
            RecordBody::Probing { attempt, .. } => {
                begun.remove(&attempt.step);
            }
            RecordBody::ControllerStarted { .. } => begun.clear(),
            RecordBody::Outcome { attempt, result } if !matches!(result, StepResult::Unknown { .. }) => {
                let Some(step) = steps.get(&attempt.step) else { continue };
                let failed = matches!(result, StepResult::Failed { .. });
                let took = begun.remove(&attempt.step).filter(|_| matches!(result, StepResult::Succeeded { .. }));
                let share = took.map(|from| share(record.at.as_millisecond() - from.as_millisecond(), step.expected));
                experience.add(step.kind, share, failed);
            }
            _ => {}
        }
    }
}

/// In thousandths.
fn share(millis: i64, expected: TimeSpan) -> u32 {
    let millis = u64::try_from(millis).unwrap_or(0);
    u32::try_from(millis / expected.as_seconds().max(1)).unwrap_or(u32::MAX)
}
