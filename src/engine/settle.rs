//! Inputs become records and effects: what the machines want, held against the gates.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AttemptId, HostName, HostOutcome, StepId};
use crate::plan::{PlanApproval, Reason};

use super::agenda::{Park, Room};
use super::gate::{Lengths, MAX_BACKUP_AGE, Never, WindowAnswer, chain_may_start, preparation_may_start};
use super::machine::illegal;
#[cfg(test)]
use super::planted::{Defect, planted};
use super::roster::Member;
use super::{
    Approval, Campaign, Effect, Gate, GateVerdict, HostCommand, HostEnd, HostMachine, IllegalTransition, Input,
    JOURNAL_FORMAT, Mode, Phase, RecordBody, Signal,
};

/// What the gates say to a host.
enum Answer {
    Go,
    Wait { gate: Gate, why: String, until: Option<Timestamp>, park: Park },
    Never { gate: Gate, code: Never, why: String },
}

impl Campaign {
    /// Decides what follows from an input. Records are applied to `self` before they are returned; an effect
    /// behind an `Append` must wait until that record is durable. At most one `WakeAt`, the earliest timer.
    /// A repeated `Finished` is ignored; one of an attempt that was never begun is an error and changes nothing.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, IllegalTransition> {
        let mut out = Vec::new();
        let phase = self.phase();
        match (&input, phase) {
            (Input::Start { .. }, Phase::New) => {}
            (Input::Start { .. }, _) => return illegal(format!("campaign {} was started already", self.id)),
            (_, Phase::New) => return illegal(format!("campaign {} has not started", self.id)),
            (Input::Finished { attempt, .. }, _) if !self.is_running(attempt)? => return Ok(self.conclude(out)),
            (Input::Recover { .. }, Phase::Ended) => return Ok(vec![Effect::Finished]),
            (_, Phase::Ended) => return Ok(out),
            _ => {}
        }
        if let Some(from) = self.state.campaign.clock().went_back(now) {
            self.append(&mut out, now, RecordBody::ClockJump { from, to: now })?;
            self.list_wave();
        }
        match input {
            Input::Start { operator, approvals } => {
                let (format, plan) = (JOURNAL_FORMAT, self.plan_digest());
                self.append(&mut out, now, RecordBody::CampaignStarted { format, plan, operator: operator.clone() })?;
                self.take_over(&mut out, now, operator)?;
                self.approve(&mut out, now, &approvals)?;
            }
            Input::Recover { operator, approvals } => {
                self.take_over(&mut out, now, operator)?;
                if let Some(approvals) = approvals {
                    self.approve(&mut out, now, &approvals)?;
                }
                let running: Vec<StepId> = self.state.hosts.iter().filter_map(HostMachine::looked_at).collect();
                #[cfg(test)]
                let running = if planted(Defect::ForgetsWhatRuns) { Vec::new() } else { running };
                let mode = Mode::Attach;
                #[cfg(test)]
                let mode = if planted(Defect::RepeatsBlindly) { Mode::Start } else { mode };
                for step in running {
                    out.push(Effect::Begin { attempt: self.attempt(step), mode, not_before: None });
                }
                if phase == Phase::Aborting {
                    out.push(Effect::Cancel);
                }
            }
            Input::Finished { attempt, result } => {
                let host = self.roster.number(attempt.step.host());
                self.append(&mut out, now, RecordBody::Outcome { attempt, result })?;
                host.into_iter().for_each(|host| self.look_again(host));
            }
            Input::Tick => {}
            // What waits for a time on the wall is looked at by it; limits go on as if nothing had happened.
            Input::Leapt { from } => {
                if let Some(from) = self.state.campaign.clock().leapt(from, now) {
                    self.append(&mut out, now, RecordBody::ClockJump { from, to: now })?;
                    self.list_wave();
                }
            }
            Input::Signal(signal) => self.signal(&mut out, now, signal)?,
        }
        self.agenda.wake_until(now);
        self.settle(&mut out, now)?;
        Ok(self.conclude(out))
    }

    /// Adds the earliest timer.
    fn conclude(&self, mut out: Vec<Effect>) -> Vec<Effect> {
        // A paused or aborting campaign starts nothing: time does not matter to it.
        let timers = [self.agenda.next_timer(), self.state.campaign.soaks_until()];
        if self.phase() == Phase::Running
            && let Some(next) = timers.into_iter().flatten().min()
        {
            out.push(Effect::WakeAt(next));
        }
        out
    }

    fn take_over(&mut self, out: &mut Vec<Effect>, now: Timestamp, operator: String) -> Result<(), IllegalTransition> {
        let fence = self.state.campaign.fence().saturating_add(1);
        self.append(out, now, RecordBody::ControllerStarted { fence, operator })?;
        self.list_wave();
        Ok(())
    }

    /// These approvals count from now on, and no others.
    fn approve(
        &mut self,
        out: &mut Vec<Effect>,
        now: Timestamp,
        approvals: &[Approval],
    ) -> Result<(), IllegalTransition> {
        self.state.approvals.update(approvals).into_iter().try_for_each(|body| self.append(out, now, body))
    }

    fn signal(&mut self, out: &mut Vec<Effect>, now: Timestamp, signal: Signal) -> Result<(), IllegalTransition> {
        match (signal, self.phase()) {
            (Signal::Pause { by }, Phase::Running) => {
                let reason = Reason::new("paused", format!("paused by {by}"));
                self.append(out, now, RecordBody::Paused { by, reason })
            }
            (Signal::Resume { by }, Phase::Paused) => {
                self.append(out, now, RecordBody::Resumed { by })?;
                self.agenda.wake_held();
                Ok(())
            }
            (Signal::Abort { by }, Phase::Running | Phase::Paused) => {
                let reason = Reason::new("aborted", format!("aborted by {by}"));
                self.append(out, now, RecordBody::Aborted { by, reason })?;
                out.push(Effect::Cancel);
                let hosts = self.state.hosts.iter().enumerate().filter(|(_, host)| host.ended().is_none());
                self.agenda.restart(self.state.groups.len(), hosts.map(|(number, _)| number));
                Ok(())
            }
            // Asked for what is so already, or for what an abort has overtaken.
            _ => Ok(()),
        }
    }

    /// Puts all hosts that are to be looked at on the agenda: those of the open wave, or all when going back.
    fn list_wave(&mut self) {
        let listed = match (self.phase(), self.state.campaign.wave()) {
            (Phase::Aborting, _) => 0..self.state.hosts.len(),
            (_, Some(wave)) => self.roster.wave(wave),
            (_, None) => 0..0,
        };
        let open = |&number: &usize| self.state.hosts.get(number).is_some_and(|host| host.ended().is_none());
        self.agenda.restart(self.state.groups.len(), listed.filter(open));
    }

    /// Decides until nothing more follows.
    fn settle(&mut self, out: &mut Vec<Effect>, now: Timestamp) -> Result<(), IllegalTransition> {
        loop {
            while let Some(body) = self.state.campaign.next(&self.plan.rollout, now) {
                let (starts, ends) =
                    (matches!(body, RecordBody::WaveStarted { .. }), matches!(body, RecordBody::CampaignEnded { .. }));
                self.append(out, now, body)?;
                if starts {
                    self.list_wave();
                }
                if ends {
                    out.push(Effect::Finished);
                }
            }
            if self.phase() == Phase::Running {
                self.wake();
            }
            let Some(host) = self.agenda.pop() else { return Ok(()) };
            self.look_at(out, now, host)?;
        }
    }

    /// A host has a result: it is looked at, and so is whoever waits for it.
    fn look_again(&mut self, number: usize) {
        self.agenda.look_at(number);
        self.wake_followers(number);
    }

    /// Those of the open wave: the others are looked at when theirs begins.
    fn wake_followers(&mut self, number: usize) {
        let Some(wave) = self.state.campaign.wave() else { return };
        let roster = Arc::clone(&self.roster);
        let open = roster.wave(wave);
        for &follower in roster.followers(number).iter().filter(|follower| open.contains(follower)) {
            if self.state.hosts.get(follower).is_some_and(|host| host.ended().is_none() && !host.has_begun()) {
                self.agenda.look_at(follower);
            }
        }
    }

    /// Wakes the next host for which there is room, of each kind of room one.
    fn wake(&mut self) {
        if self.state.campaign.has_slot(&self.plan.rollout) {
            if let Some(group) = self.agenda.wake_for_slot() {
                self.agenda.refresh(group, self.room(group));
            }
            let campaign = &self.state.campaign;
            self.agenda.wake_for_pools(|pool| !campaign.is_full(pool));
        }
        if self.state.campaign.may_risk_another()
            && let Some(group) = self.agenda.wake_for_permit()
        {
            self.agenda.refresh(group, self.room(group));
        }
    }

    fn room(&self, group: Option<usize>) -> Room {
        let group = group.and_then(|group| self.state.groups.get(group));
        group.map_or(Room { slot: true, permit: true }, |group| Room {
            slot: group.may_prepare(),
            permit: group.has_permit(),
        })
    }

    /// Does what one host wants, as far as the gates let it.
    fn look_at(&mut self, out: &mut Vec<Effect>, now: Timestamp, number: usize) -> Result<(), IllegalTransition> {
        let roster = Arc::clone(&self.roster);
        let Some(member) = roster.hosts.get(number) else { return Ok(()) };
        let name = &member.name;
        loop {
            let Some(machine) = self.state.hosts.get(number) else { return Ok(()) };
            let steady = self.state.campaign.clock().steady(now);
            match machine.next(&member.plan, self.state.campaign.abort(), steady) {
                HostCommand::Await | HostCommand::Done => return Ok(()),
                HostCommand::Start { step, undo } => {
                    if !undo && !self.pass(out, now, number, member, &step)? {
                        return Ok(());
                    }
                    let attempt = self.attempt(step);
                    self.append(out, now, RecordBody::Intent { attempt: attempt.clone(), undo })?;
                    out.push(Effect::Begin { attempt, mode: Mode::Start, not_before: None });
                    self.agenda.refresh(member.group, self.room(member.group));
                    return Ok(());
                }
                HostCommand::Probe { step, probe, delay } => {
                    let attempt = self.attempt(step);
                    self.append(out, now, RecordBody::Probing { attempt: attempt.clone(), probe })?;
                    let not_before = Some(delay.after(now));
                    out.push(Effect::Begin { attempt, mode: Mode::Attach, not_before });
                    return Ok(());
                }
                HostCommand::GiveUp { step, result } => {
                    let attempt = self.attempt(step);
                    self.append(out, now, RecordBody::Outcome { attempt, result })?;
                    self.wake_followers(number);
                }
                HostCommand::GoBack { reason } => {
                    self.append(out, now, RecordBody::UndoStarted { host: name.clone(), reason })?;
                }
                HostCommand::End(end) => {
                    if let Some(window_end) = machine.unrecorded_overrun(now) {
                        self.append(out, now, RecordBody::Overrun { host: name.clone(), window_end })?;
                    }
                    return self.end_host(out, now, member, end);
                }
            }
            if self.state.campaign.next(&self.plan.rollout, now).is_some() {
                // What this did to the campaign comes first.
                self.agenda.look_at(number);
                return Ok(());
            }
        }
    }

    fn end_host(
        &mut self,
        out: &mut Vec<Effect>,
        now: Timestamp,
        member: &Member,
        end: HostEnd,
    ) -> Result<(), IllegalTransition> {
        let (host, outcome) = (member.name.clone(), end.outcome);
        self.append(out, now, RecordBody::HostEnded { host, outcome, reason: end.reason })?;
        self.roster.number(member.name.as_str()).into_iter().for_each(|number| self.wake_followers(number));
        let exhausted = member.group.and_then(|g| self.state.groups.get(g)).is_some_and(|g| g.is_exhausted());
        if exhausted {
            self.agenda.wake_group(member.group);
        }
        self.agenda.refresh(member.group, self.room(member.group));
        Ok(())
    }

    /// Whether the gates let a step begin now; if not, the host waits or ends.
    fn pass(
        &mut self,
        out: &mut Vec<Effect>,
        now: Timestamp,
        number: usize,
        member: &Member,
        step: &StepId,
    ) -> Result<bool, IllegalTransition> {
        let Some(machine) = self.state.hosts.get(number) else { return Ok(false) };
        let said = machine.gate().cloned();
        match self.ask(now, member, machine) {
            Answer::Go => {
                if matches!(said, Some(GateVerdict::Waiting { .. })) {
                    self.record_answer(out, now, &member.name, step, GateVerdict::Open)?;
                }
                Ok(true)
            }
            Answer::Wait { gate, why, until, park } => {
                let verdict = GateVerdict::Waiting { gate, why, until };
                if said.as_ref() != Some(&verdict) {
                    self.record_answer(out, now, &member.name, step, verdict)?;
                }
                self.agenda.park(number, member.group, park, self.room(member.group));
                Ok(false)
            }
            Answer::Never { gate, code, why } => {
                let reason = Some(Reason::new(code.as_str(), why.clone()));
                self.record_answer(out, now, &member.name, step, GateVerdict::Closed { gate, why: why.clone() })?;
                if self.state.hosts.get(number).is_some_and(|machine| machine.owes(&member.plan)) {
                    // Nothing was disrupted yet; a clone that was made must go.
                    let (host, reason) = (member.name.clone(), Reason::new(code.as_str(), why));
                    self.append(out, now, RecordBody::UndoStarted { host, reason })?;
                    self.look_again(number);
                } else {
                    self.end_host(out, now, member, HostEnd { outcome: HostOutcome::Untouched, reason })?;
                }
                Ok(false)
            }
        }
    }

    fn record_answer(
        &mut self,
        out: &mut Vec<Effect>,
        now: Timestamp,
        host: &HostName,
        step: &StepId,
        verdict: GateVerdict,
    ) -> Result<(), IllegalTransition> {
        self.append(out, now, RecordBody::Gate { host: host.clone(), step: step.clone(), verdict })
    }

    /// Asks the gates for a host's next forward step.
    fn ask(&self, now: Timestamp, member: &Member, machine: &HostMachine) -> Answer {
        if machine.is_in_chain() {
            return Answer::Go;
        }
        if let Some(reason) = self.state.campaign.pause() {
            return Answer::Wait { gate: Gate::Paused, why: reason.text.clone(), until: None, park: Park::Resume };
        }
        let lengths = member.lengths;
        let chain = lengths.chain_start.is_some_and(|start| start == machine.position());
        let first = machine.position() == 0;
        let answers = [
            self.ask_pilot(member, machine),
            first.then(|| self.ask_preparation(now, member, lengths)),
            chain.then(|| self.ask_chain(now, member, machine, lengths)),
            // Last, so that an approval that is renewed before the host's turn comes is soon enough.
            (first || chain).then(|| self.ask_approval(now, member)),
        ];
        answers.into_iter().flatten().find(|answer| !matches!(answer, Answer::Go)).unwrap_or(Answer::Go)
    }

    /// Whether the hosts that speak for this one have succeeded.
    fn ask_pilot(&self, member: &Member, machine: &HostMachine) -> Option<Answer> {
        let (pilot, may_succeed) = self.awaited(member, Some(machine.position()))?;
        let gate = Gate::Cohort;
        Some(if may_succeed {
            let why = format!("{pilot} goes first: the fix is not proven on hosts like these");
            Answer::Wait { gate, why, until: None, park: Park::Pilot }
        } else {
            let why = format!("{pilot}, which goes first for hosts like this one, did not succeed");
            Answer::Never { gate, code: Never::PilotFailed, why }
        })
    }

    /// Whether the approvals that the plan needs for a host are there.
    fn ask_approval(&self, now: Timestamp, member: &Member) -> Answer {
        let Some(rule) = self.unapproved(now, member) else { return Answer::Go };
        let why =
            format!("it does not have the {} of {} that must be good when it begins", people(rule), rule.rule.name);
        Answer::Never { gate: Gate::Approval, code: Never::ApprovalExpired, why }
    }

    fn ask_preparation(&self, now: Timestamp, member: &Member, lengths: Lengths) -> Answer {
        let disrupts = lengths.chain_start.is_some();
        if let Some(windows) = self.roster.windows(member).filter(|_| disrupts) {
            match preparation_may_start(windows, lengths, now) {
                WindowAnswer::Open => {}
                WindowAnswer::Later(until) => {
                    let why = format!("no window leaves {} from now on, so preparation waits", lengths.reserve);
                    return Answer::Wait { gate: Gate::Window, why, until: Some(until), park: Park::Until(until) };
                }
                WindowAnswer::Over => return over(lengths),
            }
        }
        let group = member.group.and_then(|group| self.state.groups.get(group)).filter(|_| disrupts);
        if group.is_some_and(|group| group.is_exhausted()) {
            return self.used_up(member);
        }
        if group.is_some_and(|group| !group.may_prepare()) {
            return self.wait_for_group(member, Park::Slot);
        }
        if let Some((pool, max)) = self.state.campaign.full_pool(member) {
            let name = self.roster.pools.get(pool).map_or("", |name| name.as_str());
            let why = format!("{max} of {name} are worked on at once");
            return Answer::Wait { gate: Gate::Concurrency, why, until: None, park: Park::Pool(pool) };
        }
        if !self.state.campaign.has_slot(&self.plan.rollout) {
            let why = format!("{} hosts are worked on at once", self.plan.rollout.concurrency);
            return Answer::Wait { gate: Gate::Concurrency, why, until: None, park: Park::Slot };
        }
        Answer::Go
    }

    fn ask_chain(&self, now: Timestamp, member: &Member, machine: &HostMachine, lengths: Lengths) -> Answer {
        let useful_until = machine.backed_up().map(|at| MAX_BACKUP_AGE.after(self.state.campaign.clock().wall(at)));
        let too_old = |time: Timestamp| useful_until.is_some_and(|until| time > until);
        let mut start = now;
        if let Some(windows) = self.roster.windows(member) {
            match chain_may_start(windows, lengths, now) {
                WindowAnswer::Open => {}
                WindowAnswer::Later(until) => start = until,
                WindowAnswer::Over => return over(lengths),
            }
        }
        if too_old(start) {
            let why = format!("its backup would be older than {MAX_BACKUP_AGE} when its turn comes");
            return Answer::Never { gate: Gate::Window, code: Never::BackupTooOld, why };
        }
        if start > now {
            let why = format!("{} must be left of a window", lengths.reserve);
            return Answer::Wait { gate: Gate::Window, why, until: Some(start), park: Park::Until(start) };
        }
        let group = member.group.and_then(|group| self.state.groups.get(group));
        if group.is_some_and(|group| group.is_exhausted()) {
            return self.used_up(member);
        }
        if group.is_some_and(|group| !group.has_permit()) {
            return self.wait_for_group(member, Park::Permit);
        }
        if !self.state.campaign.may_risk_another() {
            let why = "the hosts in the middle could use up the failure budget".to_owned();
            return Answer::Wait { gate: Gate::FailureBudget, why, until: None, park: Park::Permit };
        }
        Answer::Go
    }

    fn wait_for_group(&self, member: &Member, park: Park) -> Answer {
        let (name, max) = self.group_name(member);
        let why = format!("{max} of {name} may be unavailable at once");
        Answer::Wait { gate: Gate::DisruptionBudget, why, until: None, park }
    }

    fn used_up(&self, member: &Member) -> Answer {
        let (name, max) = self.group_name(member);
        let why = format!("{max} of {name} may be unavailable at once, and that many are and stay so");
        Answer::Never { gate: Gate::DisruptionBudget, code: Never::DisruptionBudgetUsedUp, why }
    }

    fn group_name(&self, member: &Member) -> (&str, u32) {
        let name = member.group.and_then(|group| self.roster.groups.get(group)).map_or("", |name| name.as_str());
        let machine = member.group.and_then(|group| self.state.groups.get(group));
        (name, machine.map_or(0, super::GroupMachine::max_unavailable))
    }

    /// Whether somebody is at this attempt: if not, its result is known already.
    fn is_running(&self, attempt: &AttemptId) -> Result<bool, IllegalTransition> {
        self.check(attempt)?;
        let host = attempt.step.host();
        let number = self.roster.number(host);
        let found = number.and_then(|number| self.state.hosts.get(number).zip(self.roster.hosts.get(number)));
        match found {
            Some((machine, _)) if machine.running() == Some((&attempt.step, true)) => Ok(true),
            Some((machine, member)) if machine.knows(&member.plan, &attempt.step) => Ok(false),
            _ => illegal(format!("attempt {attempt} has a result but was never begun")),
        }
    }

    fn append(&mut self, out: &mut Vec<Effect>, now: Timestamp, body: RecordBody) -> Result<(), IllegalTransition> {
        self.apply(now, &body)?;
        out.push(Effect::Append(body));
        Ok(())
    }
}

fn people(rule: &PlanApproval) -> String {
    if rule.required == 1 { "approval".to_owned() } else { format!("{} approvals", rule.required) }
}

fn over(lengths: Lengths) -> Answer {
    let why = format!("none of its windows leaves {} any more", lengths.reserve);
    Answer::Never { gate: Gate::Window, code: Never::WindowOver, why }
}
