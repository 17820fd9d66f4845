//! How long steps took and how often they failed, by the records of a campaign.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{Record, RecordBody, StepResult};
use crate::model::{HostName, RuleName, StepId};
use crate::plan::{Doing, Experience, StepKind};

use super::history::HostOf;

/// What a plan says of a step, whatever else its format holds.
#[derive(serde::Deserialize)]
pub(super) struct StepOf {
    id: StepId,
    kind: StepKind,
    #[serde(default)]
    on: Option<StepId>,
    #[serde(default)]
    undo: Vec<StepOf>,
}

/// Adds what a campaign has shown.
pub(super) fn learn(experience: &mut Experience, hosts: &BTreeMap<HostName, HostOf>, records: &[Record]) {
    let unknown = unknown();
    let mut steps: BTreeMap<&StepId, (&HostOf, &StepOf)> = BTreeMap::new();
    for host in hosts.values() {
        let all = host.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo));
        steps.extend(all.map(|step| (&step.id, (host, step))));
    }
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
                let Some((host, step)) = steps.get(&attempt.step) else { continue };
                let failed = matches!(result, StepResult::Failed { .. });
                let took = begun.remove(&attempt.step).filter(|_| result.was_done());
                let millis = took.map(|from| millis(record.at.as_millisecond() - from.as_millisecond()));
                let doing = Doing {
                    kind: step.kind,
                    on_clone: step.on.is_some(),
                    host: &host.host,
                    playbook: host.playbook.as_ref().unwrap_or(&unknown),
                    cohort: &host.cohort,
                };
                experience.add(&doing, millis, failed);
            }
            _ => {}
        }
    }
}

fn millis(length: i64) -> u32 {
    u32::try_from(length.max(0)).unwrap_or(u32::MAX)
}

/// Stands for the playbook where a plan names none.
fn unknown() -> RuleName {
    #[expect(clippy::unwrap_used, reason = "short and printable")]
    RuleName::new("unknown").unwrap()
}
