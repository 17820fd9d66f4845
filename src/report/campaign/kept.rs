//! What a campaign has left with providers, as far as its journal tells: `switchback clones` asks the providers themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::types::{HostReport, Kept, KeptKind};
use crate::engine::StepResult;
use crate::model::{HostName, HostOutcome, TimeSpan, told};
use crate::plan::{Action, HostPlan, Plan, StepKind};

/// No reference of a provider is longer.
const MAX_REFERENCE: usize = 300;

pub(super) fn kept(plan: &Plan, hosts: &BTreeMap<HostName, HostReport>) -> Vec<Kept> {
    let both = hosts.iter().filter_map(|(name, host)| Some((plan.hosts.get(name)?, host)));
    both.flat_map(|(planned, host)| of_host(planned, host)).collect()
}

fn of_host(planned: &HostPlan, host: &HostReport) -> impl Iterator<Item = Kept> {
    let mut held: BTreeMap<KeptKind, (String, Option<Timestamp>)> = BTreeMap::new();
    let keep = planned.steps.iter().find_map(|step| match step.action {
        Action::Backup { keep } => Some(keep),
        _ => None,
    });
    let lives = planned.steps.iter().find_map(|step| match step.action {
        Action::Clone { time_to_live, .. } => Some(time_to_live),
        _ => None,
    });
    for step in &host.steps {
        let Some(StepResult::Succeeded { facts, .. }) = &step.result else { continue };
        let fact = |key: &str| facts.get(key).map(|text| told(text, MAX_REFERENCE));
        let until = |span: Option<TimeSpan>| span.zip(step.ended).map(|(span, ended)| span.after(ended));
        match step.kind {
            StepKind::Backup => {
                held.extend(fact("backup").map(|reference| (KeptKind::Backup, (reference, None))));
            }
            StepKind::Clone | StepKind::Bisect => {
                held.extend(fact("clone").map(|reference| (KeptKind::Clone, (reference, until(lives)))));
            }
            StepKind::Destroy => match facts.get("kept_until").and_then(|until| until.parse().ok()) {
                Some(until) => {
                    held.entry(KeptKind::Clone).and_modify(|(_, kept)| *kept = Some(until));
                }
                None => drop(held.remove(&KeptKind::Clone)),
            },
            StepKind::Promote => {
                held.remove(&KeptKind::Clone);
                held.extend(fact("original").map(|reference| (KeptKind::Original, (reference, None))));
            }
            StepKind::Release => held.retain(|kind, _| *kind == KeptKind::Clone),
            _ => {}
        }
    }
    let (name, is_stuck) = (planned.host.name.clone(), host.outcome == Some(HostOutcome::Stuck));
    let ended = host.ended.filter(|_| !is_stuck);
    held.into_iter().map(move |(kind, (reference, until))| {
        let until = match kind {
            KeptKind::Clone => until.filter(|_| !is_stuck),
            KeptKind::Backup | KeptKind::Original => ended.zip(keep).map(|(ended, keep)| keep.after(ended)),
        };
        Kept { host: name.clone(), kind, reference, until }
    })
}
