//! The records of a campaign, one after the other, as what became of its hosts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::types::{
    CampaignReport, FindingsReport, GivenApproval, HostReport, Operation, Sla, StepReport, TurnedBack, Verdict, Wait,
    WaveReport,
};
use super::{disruption, findings, kept, sla};
use crate::engine::{Approval, GateVerdict, Record, RecordBody, StepResult};
use crate::model::{CampaignId, Digest, HostName, HostOutcome, PackageName, StepId, told, told_lines};
use crate::plan::{HostPlan, Plan, Reason, StepKind};

/// No sentence of a report is longer; the journal has all of it.
const MAX_SAID: usize = 1000;
/// Of what a step's output ended with, so much is an excerpt.
const MAX_EVIDENCE: usize = 4000;

impl CampaignReport {
    /// Gathers the report. Records that do not fit the plan are left out: the journal's reader has judged them already.
    pub fn new(campaign: &CampaignId, digest: Digest, plan: &Plan, records: &[Record]) -> Self {
        let mut report = Self {
            campaign: campaign.clone(),
            plan: digest,
            verdict: Verdict::Open,
            author: plan.author.as_ref().map(|author| told(author, MAX_SAID)),
            ticket: plan.ticket.clone(),
            approvals: Vec::new(),
            operator: String::new(),
            started: None,
            ended: None,
            as_of: records.last().map(|record| record.at),
            outcomes: BTreeMap::new(),
            waves: waves(plan),
            hosts: plan.hosts.iter().map(|(name, host)| (name.clone(), planned(plan, host))).collect(),
            operations: Vec::new(),
            findings: FindingsReport::default(),
            sla: Sla::default(),
            forecast: None,
            services: BTreeMap::new(),
            kept: Vec::new(),
            aborted: false,
            records: records.len() as u64,
        };
        for record in records {
            report.add(plan, record);
        }
        report.count(plan);
        report.verdict = report.judge(records);
        report.findings = findings::by_journal(plan, &report.hosts);
        report.sla = sla::sla(plan, &report);
        report.forecast = sla::forecast(plan, &report);
        report.services = disruption::services(plan, &report);
        report.kept = kept::kept(plan, &report.hosts);
        report
    }

    fn count(&mut self, plan: &Plan) {
        for (name, host) in &self.hosts {
            let Some(outcome) = host.outcome else { continue };
            *self.outcomes.entry(outcome).or_default() += 1;
            let wave = plan.hosts.get(name).and_then(|planned| usize::try_from(planned.wave).ok());
            if let Some(wave) = wave.and_then(|wave| self.waves.get_mut(wave)) {
                *wave.outcomes.entry(outcome).or_default() += 1;
            }
        }
    }

    fn judge(&self, records: &[Record]) -> Verdict {
        let paused = records.iter().rev().find_map(|record| match record.body {
            RecordBody::Paused { .. } => Some(true),
            RecordBody::Resumed { .. } | RecordBody::Aborted { .. } => Some(false),
            _ => None,
        });
        match self.ended {
            None if paused == Some(true) => Verdict::Paused,
            None => Verdict::Open,
            Some(_) if self.stuck() > 0 => Verdict::Stuck,
            Some(_) if self.aborted => Verdict::Aborted,
            Some(_) if self.went_back() > 0 => Verdict::WentBack,
            Some(_) => Verdict::AsPlanned,
        }
    }

    fn add(&mut self, plan: &Plan, record: &Record) {
        let at = record.at;
        match &record.body {
            RecordBody::CampaignStarted { operator, .. } => {
                self.started = Some(at);
                self.operator = told(operator, MAX_SAID);
            }
            RecordBody::ControllerStarted { fence, operator } => {
                if *fence > 1 {
                    self.note(at, format!("taken over by controller {fence} ({operator})"));
                }
            }
            RecordBody::WaveStarted { wave } => self.wave(*wave, |wave| wave.started = Some(at)),
            RecordBody::WaveSoaking { wave, until } => self.wave(*wave, |wave| wave.watched_until = Some(*until)),
            RecordBody::WaveEnded { wave } => self.wave(*wave, |wave| wave.ended = Some(at)),
            RecordBody::Paused { by, reason } => self.note(at, format!("paused by {by}: {}", reason.text)),
            RecordBody::Resumed { by } => self.note(at, format!("resumed by {by}")),
            RecordBody::Aborted { by, reason } => {
                self.aborted = true;
                self.note(at, format!("aborted by {by}: {}", reason.text));
            }
            RecordBody::ClockJump { from, to } => self.note(at, format!("the clock jumped from {from} to {to}")),
            RecordBody::Approved(approval) => self.approve(at, plan, approval),
            RecordBody::Disapproved { statement, reason } => {
                if let Some(given) = self.approvals.iter_mut().find(|given| given.statement == *statement) {
                    given.withdrawn = Some(TurnedBack { at, reason: said(reason) });
                }
            }
            RecordBody::CampaignEnded { .. } => self.ended = Some(at),
            RecordBody::Gate { host, verdict, .. } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.waits_for(at, verdict);
                }
            }
            RecordBody::Intent { attempt, undo } => {
                let Some((planned, step)) = plan.step(&attempt.step) else { return };
                let disruptive = step.is_disruptive();
                let report = StepReport {
                    step: step.id.clone(),
                    kind: step.kind,
                    undo: *undo,
                    disruptive,
                    started: at,
                    ended: None,
                    result: None,
                    probes: 0,
                };
                if let Some(host) = self.hosts.get_mut(&planned.host.name) {
                    host.goes_on(at);
                    host.began.get_or_insert(at);
                    if disruptive && !undo {
                        host.disrupted.get_or_insert(at);
                    }
                    host.steps.push(report);
                }
            }
            RecordBody::Probing { attempt, probe } => {
                if let Some((_, step)) = self.attempt(plan, &attempt.step) {
                    step.probes = *probe;
                }
            }
            RecordBody::Outcome { attempt, result } => {
                if let Some((left_out, step)) = self.attempt(plan, &attempt.step) {
                    if matches!(step.kind, StepKind::Verify | StepKind::Bisect) {
                        left_out.extend(packages_left_out(result));
                    }
                    step.ended = Some(at);
                    step.result = Some(shown(result));
                }
            }
            RecordBody::UndoStarted { host, reason } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.went_back.get_or_insert(TurnedBack { at, reason: said(reason) });
                }
            }
            RecordBody::HostEnded { host, outcome, reason } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.goes_on(at);
                    host.outcome = Some(*outcome);
                    host.reason = reason.as_ref().map(said);
                    host.ended = Some(at);
                }
            }
            RecordBody::Overrun { host, window_end } => {
                if let Some(host) = self.hosts.get_mut(host) {
                    host.overrun = Some(*window_end);
                }
            }
        }
    }

    fn wave(&mut self, number: u32, change: impl FnOnce(&mut WaveReport)) {
        if let Some(wave) = usize::try_from(number).ok().and_then(|number| self.waves.get_mut(number)) {
            change(wave);
        }
    }

    /// Of one statement the last that is said holds.
    fn approve(&mut self, at: Timestamp, plan: &Plan, approval: &Approval) {
        let rule = |number: &u32| usize::try_from(*number).ok().and_then(|number| plan.approvals.get(number));
        let given = GivenApproval {
            at,
            by: approval.by.clone(),
            key: told(&approval.key, MAX_SAID),
            statement: approval.statement,
            gives: approval.gives,
            rules: approval.rules.iter().filter_map(rule).map(|rule| rule.rule.name.to_string()).collect(),
            hosts: u32::try_from(approval.hosts.len()).unwrap_or(u32::MAX),
            signed_at: approval.signed_at,
            until: approval.until,
            ticket: approval.ticket.clone(),
            withdrawn: None,
        };
        self.approvals.retain(|known| known.statement != given.statement);
        self.approvals.push(given);
    }

    fn note(&mut self, at: Timestamp, what: String) {
        self.operations.push(Operation { at, what: told(&what, MAX_SAID) });
    }

    fn attempt(&mut self, plan: &Plan, step: &StepId) -> Option<(&mut BTreeSet<PackageName>, &mut StepReport)> {
        let (planned, _) = plan.step(step)?;
        let host = self.hosts.get_mut(&planned.host.name)?;
        let step = host.steps.iter_mut().rev().find(|report| &report.step == step)?;
        Some((&mut host.left_out, step))
    }
}

impl HostReport {
    fn waits_for(&mut self, at: Timestamp, verdict: &GateVerdict) {
        let (gate, why) = match verdict {
            GateVerdict::Open => return self.goes_on(at),
            GateVerdict::Waiting { gate, why, .. } | GateVerdict::Closed { gate, why } => (*gate, told(why, MAX_SAID)),
        };
        self.waiting = Some(why.clone());
        match self.waits.last_mut() {
            // The same gate with another answer, such as how many are ahead.
            Some(wait) if wait.to.is_none() && wait.gate == gate => wait.why = why,
            _ => {
                self.end_wait(at);
                self.waits.push(Wait { from: at, to: None, gate, why });
            }
        }
    }

    fn goes_on(&mut self, at: Timestamp) {
        self.waiting = None;
        self.end_wait(at);
    }

    fn end_wait(&mut self, at: Timestamp) {
        if let Some(wait) = self.waits.last_mut().filter(|wait| wait.to.is_none()) {
            wait.to = Some(at);
        }
    }
}

fn waves(plan: &Plan) -> Vec<WaveReport> {
    let waves = plan.rollout.waves.iter().map(|wave| WaveReport {
        name: wave.name.clone(),
        hosts: u32::try_from(wave.hosts.len()).unwrap_or(u32::MAX),
        started: None,
        watched_until: None,
        ended: None,
        outcomes: BTreeMap::<HostOutcome, u32>::new(),
    });
    waves.collect()
}

fn planned(plan: &Plan, host: &HostPlan) -> HostReport {
    let wave = usize::try_from(host.wave).ok().and_then(|wave| plan.rollout.waves.get(wave));
    HostReport {
        outcome: None,
        reason: None,
        wave: wave.map(|wave| wave.name.to_string()).unwrap_or_default(),
        priority: host.priority,
        strategy: host.strategy,
        service: host.group.clone(),
        findings: u32::try_from(host.fix.findings.len()).unwrap_or(u32::MAX),
        began: None,
        disrupted: None,
        went_back: None,
        ended: None,
        steps: Vec::new(),
        waits: Vec::new(),
        waiting: None,
        left_out: BTreeSet::new(),
        overrun: None,
    }
}

/// What was left out of a fix, as the search for it and the verification tell.
fn packages_left_out(result: &StepResult) -> impl Iterator<Item = PackageName> {
    let (_, key) = crate::playbook::LEFT_OUT;
    let names = match result {
        StepResult::Succeeded { facts, .. } => facts.get(key).map(String::as_str),
        _ => None,
    };
    names.unwrap_or_default().split_whitespace().filter_map(|name| PackageName::new(name).ok())
}

fn said(reason: &Reason) -> Reason {
    Reason { code: told(&reason.code, MAX_SAID), text: told(&reason.text, MAX_SAID) }
}

/// A result without what looks like a secret: journals are kept by whoever runs campaigns, reports go to anybody.
fn shown(result: &StepResult) -> StepResult {
    match result {
        StepResult::Succeeded { facts, note } => {
            let facts = facts.iter().map(|(key, value)| (told(key, MAX_SAID), told(value, MAX_SAID))).collect();
            StepResult::Succeeded { facts, note: note.as_ref().map(|note| told(note, MAX_SAID)) }
        }
        StepResult::NothingToDo { note } => StepResult::NothingToDo { note: told(note, MAX_SAID) },
        StepResult::Failed { reason, effect, evidence } => {
            StepResult::Failed { reason: said(reason), effect: *effect, evidence: told_lines(evidence, MAX_EVIDENCE) }
        }
        StepResult::Unknown { reason } => StepResult::Unknown { reason: said(reason) },
    }
}

/// The hosts in the order in which they were to be started.
pub(in crate::report) fn in_order<'a>(
    plan: &'a Plan,
    hosts: &'a BTreeMap<HostName, HostReport>,
) -> impl Iterator<Item = (&'a HostName, &'a HostReport)> {
    plan.rollout.waves.iter().flat_map(|wave| &wave.hosts).filter_map(|name| hosts.get_key_value(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_fact_is_in_a_report() {
        let facts = [("url".to_owned(), "https://ann:hunter2@example.com/".to_owned())].into();
        let shown = shown(&StepResult::Succeeded { facts, note: None });
        assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");
    }
}
