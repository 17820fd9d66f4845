//! What became of a campaign, gathered from its plan and its records for every kind of view.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{GateVerdict, Record, RecordBody, StepResult};
use crate::model::{CampaignId, Digest, HostName, HostOutcome, StepId, TimeSpan};
use crate::plan::{Plan, Reason, StepKind};

/// A campaign as seen from its journal.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct CampaignReport {
    /// The campaign.
    pub campaign: CampaignId,
    /// The plan it runs.
    pub plan: Digest,
    /// Who started it.
    pub operator: String,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When its last host ended.
    pub ended: Option<Timestamp>,
    /// How many hosts ended in which state.
    pub outcomes: BTreeMap<HostOutcome, u32>,
    /// Every host of the plan.
    pub hosts: BTreeMap<HostName, HostReport>,
    /// Pauses, resumes, aborts and changes of controller, in order.
    pub operations: Vec<Operation>,
    /// Findings before and after, where a scan after the campaign was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingCounts>,
    /// Whether somebody ended it before its time.
    pub aborted: bool,
    /// How many records the journal holds.
    pub records: u64,
}

/// Findings of the planned hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct FindingCounts {
    /// Before the campaign.
    pub before: u64,
    /// After it.
    pub after: u64,
}

/// What happened to the campaign as a whole.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Operation {
    /// When.
    pub at: Timestamp,
    /// In words.
    pub what: String,
}

/// What became of one host.
#[derive(Clone, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct HostReport {
    /// Where it ended; none while it has not.
    pub outcome: Option<HostOutcome>,
    /// Why, unless it is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Its wave's name.
    pub wave: String,
    /// Every attempt, in order.
    pub steps: Vec<StepReport>,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// When it went on past the end of its window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrun: Option<Timestamp>,
}

/// One attempt of one step.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct StepReport {
    /// The step.
    pub step: StepId,
    /// What it is for.
    pub kind: StepKind,
    /// Whether it took something back.
    pub undo: bool,
    /// When its intent was written.
    pub started: Timestamp,
    /// When its result was written.
    pub ended: Option<Timestamp>,
    /// The result.
    pub result: Option<StepResult>,
    /// How often its unknown result was asked for.
    pub probes: u32,
}

impl StepReport {
    /// How long it took.
    pub fn took(&self) -> Option<TimeSpan> {
        self.ended.map(|ended| TimeSpan::between(self.started, ended))
    }
}

impl CampaignReport {
    /// Gathers the report. Records that do not fit the plan are left out: the journal's reader has judged them already.
    pub fn new(campaign: &CampaignId, digest: Digest, plan: &Plan, records: &[Record]) -> Self {
        let mut report = Self {
            campaign: campaign.clone(),
            plan: digest,
            operator: String::new(),
            started: None,
            ended: None,
            outcomes: BTreeMap::new(),
            hosts: plan
                .hosts
                .iter()
                .map(|(name, host)| {
                    let wave = plan.rollout.waves.get(host.wave as usize).map(|w| w.name.to_string());
                    (name.clone(), HostReport { wave: wave.unwrap_or_default(), ..HostReport::default() })
                })
                .collect(),
            operations: Vec::new(),
            findings: None,
            aborted: false,
            records: records.len() as u64,
        };
        for record in records {
            report.add(plan, record);
        }
        for host in report.hosts.values() {
            if let Some(outcome) = host.outcome {
                *report.outcomes.entry(outcome).or_default() += 1;
            }
        }
        report
    }

    /// Hosts that did not reach what the plan wanted.
    pub fn went_back(&self) -> u32 {
        self.outcomes.iter().filter(|(outcome, _)| !outcome.is_success()).map(|(_, count)| count).sum()
    }

    /// Hosts that need a person.
    pub fn stuck(&self) -> u32 {
        self.outcomes.get(&HostOutcome::Stuck).copied().unwrap_or(0)
    }

    fn add(&mut self, plan: &Plan, record: &Record) {
        let at = record.at;
        match &record.body {
            RecordBody::CampaignStarted { operator, .. } => {
                self.started = Some(at);
                self.operator.clone_from(operator);
            }
            RecordBody::ControllerStarted { fence, operator } => {
                if *fence > 1 {
                    self.note(at, format!("taken over by controller {fence} ({operator})"));
                }
            }
            RecordBody::Paused { by, reason } => self.note(at, format!("paused by {by}: {}", reason.text)),
            RecordBody::Resumed { by } => self.note(at, format!("resumed by {by}")),
            RecordBody::Aborted { by, reason } => {
                self.aborted = true;
                self.note(at, format!("aborted by {by}: {}", reason.text));
            }
            RecordBody::ClockJump { from, to } => self.note(at, format!("the clock jumped from {from} to {to}")),
            RecordBody::Gate { host, verdict, .. } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.waiting = match verdict {
                        GateVerdict::Open => None,
                        GateVerdict::Waiting { why, .. } | GateVerdict::Closed { why, .. } => Some(why.clone()),
                    };
                }
            }
            RecordBody::Intent { attempt, undo } => {
                let Some((host, step)) = plan.step(&attempt.step) else { return };
                if let Some(host) = self.hosts.get_mut(&host.host.name) {
                    host.waiting = None;
                    host.steps.push(StepReport {
                        step: step.id.clone(),
                        kind: step.kind,
                        undo: *undo,
                        started: at,
                        ended: None,
                        result: None,
                        probes: 0,
                    });
                }
            }
            RecordBody::Probing { attempt, probe } => {
                if let Some(step) = self.attempt(plan, &attempt.step) {
                    step.probes = *probe;
                }
            }
            RecordBody::Outcome { attempt, result } => {
                if let Some(step) = self.attempt(plan, &attempt.step) {
                    step.ended = Some(at);
                    step.result = Some(result.clone());
                }
            }
            RecordBody::HostEnded { host, outcome, reason } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.outcome = Some(*outcome);
                    host.reason.clone_from(reason);
                    host.waiting = None;
                }
            }
            RecordBody::Overrun { host, window_end } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.overrun = Some(*window_end);
                }
            }
            RecordBody::Approved(approval) => self.note(at, super::live::approval_text(approval)),
            RecordBody::Disapproved { statement, reason } => {
                self.note(at, format!("approval {} does not count any more: {}", statement.short(), reason.text));
            }
            RecordBody::CampaignEnded { .. } => self.ended = Some(at),
            RecordBody::WaveStarted { .. }
            | RecordBody::WaveSoaking { .. }
            | RecordBody::WaveEnded { .. }
            | RecordBody::UndoStarted { .. } => {}
        }
    }

    fn note(&mut self, at: Timestamp, what: String) {
        self.operations.push(Operation { at, what });
    }

    fn attempt(&mut self, plan: &Plan, step: &StepId) -> Option<&mut StepReport> {
        let (host, _) = plan.step(step)?;
        self.hosts.get_mut(&host.host.name)?.steps.iter_mut().rev().find(|s| &s.step == step)
    }
}
