//! A campaign as one pure machine: hosts, groups and the campaign itself, folded from records.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome, StepId};
use crate::plan::{Plan, PlanApproval};

use super::agenda::Agenda;
use super::campaign::Was;
use super::gate::window_end;
use super::roster::{Member, Roster};
use super::{
    Approvals, CampaignMachine, GroupMachine, HostEnd, HostMachine, JOURNAL_FORMAT, Record, RecordBody, StepResult,
};

/// Operators' retries would count it up; there is one try of every step.
pub(super) const GENERATION: u32 = 1;

/// Why a record or an input does not fit the state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal transition: {0}")]
pub struct IllegalTransition(pub String);

/// A campaign: state = fold(journal). Inputs in, effects out.
///
/// The caller stamps every record of one `handle` with the `now` it gave to that `handle`, in the order of the
/// effects; then `apply(record.at, &record.body)` over the journal gives an equal campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    pub(super) plan: Arc<Plan>,
    digest: Digest,
    pub(super) id: CampaignId,
    pub(super) roster: Arc<Roster>,
    pub(super) state: CampaignState,
    pub(super) agenda: Agenda,
}

/// The state of a campaign: the three kinds of machines.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CampaignState {
    /// The campaign itself.
    pub campaign: CampaignMachine,
    /// Groups, in the order of their names.
    pub groups: Vec<GroupMachine>,
    /// Hosts, in wave order.
    pub hosts: Vec<HostMachine>,
    /// What people have approved.
    pub approvals: Approvals,
}

/// Campaigns are equal when their states are; what each has on its agenda follows from the state.
impl PartialEq for Campaign {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.digest == other.digest && self.state == other.state
    }
}

impl Eq for Campaign {}

impl Campaign {
    /// A campaign that has not started.
    pub fn new(plan: Arc<Plan>, plan_digest: Digest, id: CampaignId) -> Self {
        let roster = Roster::new(&plan);
        let state = CampaignState {
            campaign: CampaignMachine::new(u32::try_from(roster.hosts.len()).unwrap_or(u32::MAX), &plan.rollout),
            groups: plan.rollout.groups.values().map(|group| GroupMachine::new(group.max_unavailable)).collect(),
            hosts: vec![HostMachine::default(); roster.hosts.len()],
            approvals: Approvals::default(),
        };
        Self { plan, digest: plan_digest, id, roster: Arc::new(roster), state, agenda: Agenda::default() }
    }

    /// The campaign that these records tell of; give it an [`super::Input::Recover`] to go on.
    pub fn fold<'a>(
        plan: Arc<Plan>,
        plan_digest: Digest,
        id: CampaignId,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Self, IllegalTransition> {
        let mut campaign = Self::new(plan, plan_digest, id);
        for record in records {
            campaign.apply(record.at, &record.body)?;
        }
        Ok(campaign)
    }

    /// Folds one record in. After an error the campaign must not be used.
    pub fn apply(&mut self, at: Timestamp, body: &RecordBody) -> Result<(), IllegalTransition> {
        if let RecordBody::CampaignStarted { format, plan, .. } = body {
            if *format != JOURNAL_FORMAT {
                return illegal(format!("journal format {format} is not {JOURNAL_FORMAT}"));
            }
            if *plan != self.digest {
                return illegal(format!("the journal is of plan {}, not of {}", plan.short(), self.digest.short()));
            }
            if let Some(why) = &self.roster.problem {
                return illegal(format!("the plan cannot be run: {why}"));
            }
        }
        let roster = Arc::clone(&self.roster);
        let waves = |wave| u32::try_from(roster.wave(wave).len()).unwrap_or(u32::MAX);
        self.state.campaign.apply(at, body, waves)?;
        let now = self.state.campaign.clock().steady(at);
        match body {
            RecordBody::ControllerStarted { .. } => {
                self.state.hosts.iter_mut().for_each(|host| host.taken_over(now));
                Ok(())
            }
            RecordBody::Gate { host, verdict, .. } => self.host(host.as_str())?.machine.answer(host, verdict),
            RecordBody::Intent { attempt, undo } => self.begin(at, now, attempt, *undo),
            RecordBody::Outcome { attempt, result } => self.finish(now, attempt, result),
            RecordBody::Probing { attempt, probe } => {
                self.check(attempt)?;
                self.host(attempt.step.host())?.machine.probe(&attempt.step, *probe)
            }
            RecordBody::UndoStarted { host, reason } => {
                let parts = self.host(host.as_str())?;
                let had_failed = parts.machine.has_failed();
                parts.machine.go_back(&parts.member.plan, reason)?;
                if parts.machine.has_failed() && !had_failed {
                    parts.campaign.host_fails();
                }
                Ok(())
            }
            RecordBody::HostEnded { host, outcome, reason } => {
                self.end(now, host, HostEnd { outcome: *outcome, reason: reason.clone() })
            }
            RecordBody::Approved(approval) => {
                self.state.approvals.accept(approval.clone());
                Ok(())
            }
            RecordBody::Disapproved { statement, .. } => match self.state.approvals.withdraw(statement) {
                true => Ok(()),
                false => illegal(format!("approval {} is withdrawn and was never given", statement.short())),
            },
            RecordBody::Overrun { host, .. } => self.host(host.as_str())?.machine.overrun(host),
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        at: Timestamp,
        now: Timestamp,
        attempt: &AttemptId,
        undo: bool,
    ) -> Result<(), IllegalTransition> {
        self.check(attempt)?;
        let number = self.number(attempt.step.host())?;
        if !undo {
            self.check_others(at, number, attempt)?;
        }
        let mut parts = self.parts(number)?;
        let (had_begun, was_in_chain) = (parts.machine.has_begun(), parts.machine.is_in_chain());
        if !undo && !parts.campaign.lets_begin(parts.member, had_begun, was_in_chain, parts.rollout) {
            return illegal(format!("attempt {attempt} begins although the campaign does not let it"));
        }
        let end = parts.windows.and_then(|windows| window_end(windows, at));
        parts.machine.begin(&parts.member.plan, &attempt.step, undo, now, end)?;
        if !had_begun {
            parts.campaign.host_begins(parts.member);
            if let Some(group) = &mut parts.group {
                group.prepare(&parts.member.name);
            }
        }
        if parts.machine.is_in_chain() && !was_in_chain {
            parts.campaign.chain_begins()?;
            if let Some(group) = &mut parts.group {
                group.take(&parts.member.name)?;
            }
        }
        Ok(())
    }

    /// No step begins before what it needs of other hosts has succeeded, and neither a host's first step nor its
    /// disruptive part without the approvals that the plan needs for it.
    fn check_others(&self, at: Timestamp, number: usize, attempt: &AttemptId) -> Result<(), IllegalTransition> {
        let Some(member) = self.roster.hosts.get(number) else { return Ok(()) };
        if member.awaits.is_empty() && member.approvals.is_empty() {
            return Ok(());
        }
        let index = member.plan.steps.iter().position(|step| step.id == attempt.step);
        if let Some((pilot, _)) = self.awaited(member, index) {
            return illegal(format!("attempt {attempt} begins although {pilot} has not spoken for it"));
        }
        match self.unapproved(at, member).filter(|_| index == Some(0) || index == member.lengths.chain_start) {
            Some(rule) => illegal(format!("attempt {attempt} begins without what {} asks for", rule.rule.name)),
            None => Ok(()),
        }
    }

    /// The rule whose approvals a host does not have at a time, if there is one.
    pub(super) fn unapproved(&self, at: Timestamp, member: &Member) -> Option<&PlanApproval> {
        #[cfg(test)]
        if super::planted::planted(super::planted::Defect::NeedsNoApproval) {
            return None;
        }
        if member.approvals.is_empty() {
            return None;
        }
        self.state.approvals.missing(&self.plan, &member.approvals, &member.plan, at)
    }

    /// Whom a host waits for before its step of this index, and whether that host may still succeed; none if nobody.
    pub(super) fn awaited(&self, member: &Member, index: Option<usize>) -> Option<(&HostName, bool)> {
        #[cfg(test)]
        if super::planted::planted(super::planted::Defect::IgnoresThePilot) {
            return None;
        }
        member.awaits.iter().filter(|(at, ..)| Some(*at) == index).find_map(|&(_, pilot, there)| {
            let (pilot, machine) = self.roster.hosts.get(pilot).zip(self.state.hosts.get(pilot))?;
            let done = machine.has_succeeded(&pilot.plan, there);
            (done != Some(true)).then_some((&pilot.name, done.is_none()))
        })
    }

    fn finish(&mut self, now: Timestamp, attempt: &AttemptId, result: &StepResult) -> Result<(), IllegalTransition> {
        self.check(attempt)?;
        let parts = self.host(attempt.step.host())?;
        let had_failed = parts.machine.has_failed();
        parts.machine.finish(&parts.member.plan, &attempt.step, result, now)?;
        if parts.machine.has_failed() && !had_failed {
            parts.campaign.host_fails();
        }
        Ok(())
    }

    fn end(&mut self, now: Timestamp, host: &HostName, end: HostEnd) -> Result<(), IllegalTransition> {
        let parts = self.host(host.as_str())?;
        let outcome = end.outcome;
        let was = Was {
            active: parts.machine.has_begun(),
            at_risk: parts.machine.is_in_chain() && !parts.machine.has_failed(),
        };
        let stop = parts.campaign.abort().cloned();
        parts.machine.end(&parts.member.plan, end, stop.as_ref(), now)?;
        parts.campaign.host_ends(parts.member, outcome, parts.rollout, was);
        if let Some(group) = parts.group {
            group.end(host, outcome);
        }
        Ok(())
    }

    /// Whether an attempt can be one of this campaign.
    pub(super) fn check(&self, attempt: &AttemptId) -> Result<(), IllegalTransition> {
        if attempt.campaign != self.id || attempt.generation != GENERATION {
            return illegal(format!("attempt {attempt} is not of campaign {}", self.id));
        }
        Ok(())
    }

    fn number(&self, host: &str) -> Result<usize, IllegalTransition> {
        let unknown = || IllegalTransition(format!("host {:?} is not in the plan", crate::model::printable(host, 80)));
        self.roster.number(host).ok_or_else(unknown)
    }

    fn host(&mut self, name: &str) -> Result<Parts<'_>, IllegalTransition> {
        self.parts(self.number(name)?)
    }

    fn parts(&mut self, number: usize) -> Result<Parts<'_>, IllegalTransition> {
        let unknown = || IllegalTransition(format!("host {number} is not in the plan"));
        let member = self.roster.hosts.get(number).ok_or_else(unknown)?;
        Ok(Parts {
            machine: self.state.hosts.get_mut(number).ok_or_else(unknown)?,
            rollout: &self.plan.rollout,
            campaign: &mut self.state.campaign,
            group: member.group.and_then(|group| self.state.groups.get_mut(group)),
            windows: self.roster.windows(member),
            member,
        })
    }

    /// The attempt of a step.
    pub(super) fn attempt(&self, step: StepId) -> AttemptId {
        AttemptId { campaign: self.id.clone(), step, generation: GENERATION }
    }

    /// Its state.
    pub fn state(&self) -> &CampaignState {
        &self.state
    }

    /// Its id.
    pub fn id(&self) -> &CampaignId {
        &self.id
    }

    /// Its plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The digest of its plan.
    pub fn plan_digest(&self) -> Digest {
        self.digest
    }

    /// Facts of the host's steps so far, and of the hosts that it waited for, by step and key.
    pub fn facts(&self, host: &HostName) -> Arc<BTreeMap<(StepId, String), String>> {
        let number = self.roster.number(host.as_str());
        let member = number.and_then(|number| self.roster.hosts.get(number));
        let pilots = member.into_iter().flat_map(|member| member.awaits.iter().map(|&(_, pilot, _)| pilot));
        #[cfg(test)]
        let pilots = pilots.filter(|_| !super::planted::planted(super::planted::Defect::ForgetsWhatIsToBlame));
        let machines = number.into_iter().chain(pilots).filter_map(|number| self.state.hosts.get(number));
        let facts = machines.flat_map(HostMachine::facts).flat_map(|(step, facts)| {
            facts.iter().map(move |(key, value)| ((step.clone(), key.clone()), value.clone()))
        });
        Arc::new(facts.collect())
    }

    /// Hosts that have ended, with why unless they are fixed.
    pub fn outcomes(&self) -> BTreeMap<HostName, (HostOutcome, Option<crate::plan::Reason>)> {
        let ends = self.roster.hosts.iter().zip(&self.state.hosts);
        ends.filter_map(|(member, host)| {
            host.ended().map(|end| (member.name.clone(), (end.outcome, end.reason.clone())))
        })
        .collect()
    }
}

/// A host with what its records touch.
struct Parts<'a> {
    machine: &'a mut HostMachine,
    rollout: &'a crate::plan::Rollout,
    campaign: &'a mut CampaignMachine,
    group: Option<&'a mut GroupMachine>,
    windows: Option<&'a [crate::model::Interval]>,
    member: &'a Member,
}

pub(super) fn illegal<T>(why: String) -> Result<T, IllegalTransition> {
    Err(IllegalTransition(why))
}
