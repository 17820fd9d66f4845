//! What earlier campaigns have shown, folded from their journals.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Record, RecordBody, StepResult};
use crate::model::{
    CampaignId, Digest, Drill, Fix, History, Host, HostName, HostOutcome, PackageName, Quarantined, RolledBack,
    RuleName, Strategy, TimeSpan, os_release,
};
use crate::plan::{Action, Experience, HostPlan, Plan, Reason, StepKind};

use super::experience::{StepOf, learn as learn_of_steps};
use super::{Journal, StoreError};

/// Reasons that say nothing of the packages: the network, a person, the controller.
const NOT_THE_FIX: [&str; 15] = [
    "aborted",
    "paused",
    "cancelled",
    "unreachable",
    "connection-lost",
    "no-answer",
    "login-refused",
    "host-key-mismatch",
    "unknown-past-deadline",
    "job-lost-by-reboot",
    "locked",
    "went-back-by-itself",
    "watch-silent",
    "watch-gone",
    "disarm-failed",
];

/// What the campaigns of a journal have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// Of fixes and of ways back.
    pub history: History,
    /// Of steps.
    pub experience: Experience,
    /// What names the campaigns, as far as they had gone; none where there are none.
    pub digest: Option<Digest>,
}

/// What a plan says of its hosts, whatever else its format holds: plans of earlier programs count as well.
#[derive(serde::Deserialize)]
struct PlanOf {
    hosts: BTreeMap<HostName, HostOf>,
}

impl PlanOf {
    /// Whether it is the plan of a drill, whose steps tell what was asked of the clones.
    fn is_drill(&self) -> bool {
        self.hosts.values().any(|host| host.strategy.as_deref() == Some(Strategy::Drill.as_str()))
    }
}

#[derive(serde::Deserialize)]
pub(super) struct HostOf {
    pub host: Host,
    pub cohort: RuleName,
    fix: Fix,
    #[serde(default)]
    strategy: Option<String>,
    #[serde(default)]
    quarantine: Option<TimeSpan>,
    #[serde(default)]
    pub playbook: Option<RuleName>,
    #[serde(default)]
    pub steps: Vec<StepOf>,
}

/// What the campaigns of a journal have shown. One that cannot be read is an error: what it has put in quarantine would be
/// planned again.
pub fn lessons(journal: &mut dyn Journal) -> Result<Lessons, StoreError> {
    let mut lessons = Lessons::default();
    let mut campaigns = journal.campaigns()?;
    // The latest first, as experience wants it.
    campaigns.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    let mut names = String::new();
    for campaign in campaigns {
        let last = campaign.last.map_or_else(String::new, |at| at.to_string());
        names.push_str(&format!("{} {} {} {last}\n", campaign.id, campaign.plan, campaign.records));
        let unreadable = |error: &dyn std::error::Error| StoreError::Unreadable {
            campaign: campaign.id.clone(),
            why: error.to_string(),
        };
        let text = journal.plan(&campaign.id).map_err(|error| unreadable(&error))?;
        let plan: PlanOf = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
        let records = journal.read(&campaign.id).map_err(|error| unreadable(&error))?;
        learn_of_steps(&mut lessons.experience, &plan.hosts, &records);
        let history = &mut lessons.history;
        if plan.is_drill() {
            // One of another program proves nothing: what it asked is not known.
            let Ok(plan) = serde_json::from_slice::<Plan>(&text) else { continue };
            records.iter().for_each(|record| learn_of_drill(history, &plan, &campaign.id, record));
            continue;
        }
        records.iter().for_each(|record| learn(history, &plan, &campaign.id, record, &records));
    }
    lessons.digest = (!names.is_empty()).then(|| Digest::of(names.as_bytes()));
    Ok(lessons)
}

fn learn(history: &mut History, plan: &PlanOf, campaign: &CampaignId, record: &Record, all: &[Record]) {
    match &record.body {
        RecordBody::HostEnded { host, outcome, reason } => {
            let Some(planned) = plan.hosts.get(host) else { return };
            match outcome {
                // What was left out of it was not proven.
                HostOutcome::Fixed | HostOutcome::FixedPendingReboot if reason.is_none() => {
                    history.prove(planned.cohort.clone(), host.clone(), record.at);
                }
                HostOutcome::Restored | HostOutcome::SwitchedBack => {
                    let why = all.iter().rev().find_map(|earlier| match &earlier.body {
                        RecordBody::UndoStarted { host: of, reason } if of == host => Some(reason),
                        _ => None,
                    });
                    if let Some(why) = why.filter(|why| !NOT_THE_FIX.contains(&why.code.as_str())) {
                        rolled_back(history, planned, campaign, record, host, why);
                    }
                }
                _ => {}
            }
        }
        RecordBody::Outcome { attempt, result } if attempt.step.step() == StepKind::Bisect.as_str() => {
            let host = attempt.step.host();
            if let Some((name, planned)) = plan.hosts.iter().find(|(name, _)| name.as_str() == host) {
                for package in blamed(result) {
                    let why = Reason::new("bisect", "it broke a clone, and what was fixed without it did not");
                    keep_out(history, planned, campaign, record, name, &package, &why);
                }
            }
        }
        _ => {}
    }
}

/// A drill proves the way back if its host ended so. One that found the backup or its clone broken takes an earlier proof
/// back; one that could not look at them says nothing.
fn learn_of_drill(history: &mut History, plan: &Plan, campaign: &CampaignId, record: &Record) {
    let (planned, failed) = match &record.body {
        RecordBody::HostEnded { host, outcome: HostOutcome::Proven, .. } => {
            (plan.hosts.get(host).map(Arc::as_ref), None)
        }
        RecordBody::Outcome { attempt, result: StepResult::Failed { reason, .. } } => match plan.step(&attempt.step) {
            Some((planned, step)) if is_of_backup(step.kind, step.on.is_some(), &reason.code) => {
                (Some(planned), Some(format!("{}: {}", reason.code, reason.text)))
            }
            _ => return,
        },
        _ => return,
    };
    let Some((planned, provider)) = planned.and_then(|planned| Some((planned, planned.host.provider.as_ref()?))) else {
        return;
    };
    let drill = Drill {
        campaign: campaign.clone(),
        at: record.at,
        provider: provider.digest(),
        probes: asked_of_clone(planned).cloned().collect(),
        failed,
    };
    history.drill(planned.host.name.clone(), drill);
}

/// Whether a step that failed for this reason shows that what was backed up cannot serve.
fn is_of_backup(kind: StepKind, on_clone: bool, code: &str) -> bool {
    match kind {
        StepKind::Backup => code == "backup-not-verified",
        StepKind::Clone => code == "clone-not-up",
        _ => on_clone && !NOT_THE_FIX.contains(&code),
    }
}

fn asked_of_clone(planned: &HostPlan) -> impl Iterator<Item = &RuleName> {
    let on_clone = planned.steps.iter().filter(|step| step.on.is_some());
    let probes =
        on_clone.flat_map(|step| if let Action::Check { probes, .. } = &step.action { &probes[..] } else { &[] });
    probes.map(|probe| &probe.name)
}

/// The packages that a search found.
fn blamed(result: &StepResult) -> Vec<PackageName> {
    let (_, key) = crate::playbook::LEFT_OUT;
    let names = match result {
        StepResult::Succeeded { facts, .. } => facts.get(key).map(String::as_str),
        StepResult::Failed { evidence, .. } => evidence.strip_prefix(key).and_then(|rest| rest.strip_prefix(": ")),
        _ => None,
    };
    names.unwrap_or_default().split_whitespace().filter_map(|name| PackageName::new(name).ok()).collect()
}

fn rolled_back(
    history: &mut History,
    planned: &HostOf,
    campaign: &CampaignId,
    record: &Record,
    host: &HostName,
    why: &Reason,
) {
    if let [package] = planned.fix.packages.as_slice() {
        keep_out(history, planned, campaign, record, host, &package.name.clone(), why);
    } else if let Some(quarantine) = planned.quarantine {
        history.roll_back(RolledBack {
            cohort: planned.cohort.clone(),
            host: host.clone(),
            campaign: campaign.clone(),
            since: record.at,
            until: quarantine.after(record.at),
            why: why.text.clone(),
        });
    }
}

fn keep_out(
    history: &mut History,
    planned: &HostOf,
    campaign: &CampaignId,
    record: &Record,
    host: &HostName,
    package: &PackageName,
    why: &Reason,
) {
    let version = planned.fix.packages.iter().find(|fix| fix.name == *package).and_then(|fix| fix.to.clone());
    if let (Some(version), Some(os), Some(quarantine)) = (version, os_release(&planned.host), planned.quarantine) {
        history.quarantine(Quarantined {
            package: package.clone(),
            version,
            os,
            host: host.clone(),
            campaign: campaign.clone(),
            since: record.at,
            until: quarantine.after(record.at),
            why: why.text.clone(),
        });
    }
}
