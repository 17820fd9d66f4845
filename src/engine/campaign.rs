//! The campaign as a whole: phase, waves, failure budget and concurrency. A pure machine.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{HostName, HostOutcome, TimeSpan};
use crate::plan::{Reason, Rollout};

use super::clock::Clock;
use super::roster::Member;
use super::{IllegalTransition, Phase, RecordBody};

/// The name of the wave whose hosts must all succeed, see [`super::wave_name`].
const CANARY: &str = "canary";

/// Who pauses when the failure budget is used up, and the reason's code.
pub const FAILURE_BUDGET: (&str, &str) = ("failure_budget", "failure-budget-used-up");

/// Who pauses when a canary did not succeed, and the reason's code.
pub const CANARY_FAILED: (&str, &str) = ("canary", "canary-failed");

/// Where the campaign stands, hosts and groups aside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CampaignMachine {
    phase: Phase,
    fence: u64,
    clock: Clock,
    waves_ended: u32,
    wave: Option<OpenWave>,
    pause: Option<Reason>,
    abort: Option<Reason>,
    /// Hosts that have not ended.
    left: u32,
    /// Hosts that have begun and not ended.
    active: u32,
    /// The same for each pool, in the order of their names.
    pools: Vec<Taken>,
    /// Hosts in their disruptive part that have not failed so far: each may still use up the failure budget.
    at_risk: u32,
    /// Hosts that failed in their disruptive part.
    failed: u32,
    /// As soon as this many have failed, it pauses. Resuming grants one more than have failed, so that the next
    /// failure pauses again.
    allowed: u32,
    /// A person was told that the failure budget is used up and has not resumed since.
    overspent: bool,
    /// A canary that did not succeed and that nobody was told of.
    lost_canary: Option<HostName>,
    outcomes: BTreeMap<HostOutcome, u32>,
}

/// How many hosts of a pool are worked on, and how many may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Taken {
    active: u32,
    max: u32,
}

/// The wave that is worked on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct OpenWave {
    /// Hosts of it that have not ended.
    left: u32,
    /// Until when it is watched, in steady time.
    soaks: Option<Timestamp>,
}

impl CampaignMachine {
    /// A campaign of this many hosts that has not started.
    pub fn new(hosts: u32, rollout: &Rollout) -> Self {
        Self {
            phase: Phase::New,
            fence: 0,
            clock: Clock::default(),
            waves_ended: 0,
            wave: None,
            pause: None,
            abort: None,
            left: hosts,
            active: 0,
            pools: rollout.pools.values().map(|pool| Taken { active: 0, max: pool.hosts }).collect(),
            at_risk: 0,
            failed: 0,
            allowed: rollout.failure_budget.max(1),
            overspent: false,
            lost_canary: None,
            outcomes: BTreeMap::new(),
        }
    }

    /// The record that is due, whatever single hosts do; none means that hosts may be looked at.
    pub fn next(&self, rollout: &Rollout, now: Timestamp) -> Option<RecordBody> {
        if matches!(self.phase, Phase::New | Phase::Ended) {
            return None;
        }
        if self.left == 0 {
            // Nothing is left that a pause could hold.
            return Some(match self.wave {
                Some(_) if self.phase != Phase::Aborting => RecordBody::WaveEnded { wave: self.waves_ended },
                _ => RecordBody::CampaignEnded { outcomes: self.outcomes.clone() },
            });
        }
        if self.phase == Phase::Aborting {
            return None;
        }
        if self.failed >= self.allowed && !self.overspent {
            let text = format!("{} hosts have failed, and {} use the failure budget up", self.failed, self.allowed);
            let (by, code) = FAILURE_BUDGET;
            return Some(RecordBody::Paused { by: by.to_owned(), reason: Reason::new(code, text) });
        }
        if let Some(host) = &self.lost_canary {
            let (by, code) = CANARY_FAILED;
            let text = format!("canary {host} did not succeed, so nothing speaks for the other hosts");
            return Some(RecordBody::Paused { by: by.to_owned(), reason: Reason::new(code, text) });
        }
        if self.phase == Phase::Paused {
            return None;
        }
        let wave = self.waves_ended;
        let Some(open) = &self.wave else { return Some(RecordBody::WaveStarted { wave }) };
        if open.left > 0 {
            return None;
        }
        let soak = usize::try_from(wave).ok().and_then(|i| rollout.waves.get(i)).map_or(TimeSpan::ZERO, |w| w.soak);
        match open.soaks {
            None if soak > TimeSpan::ZERO => Some(RecordBody::WaveSoaking { wave, until: soak.after(now) }),
            Some(until) if self.clock.steady(now) < until => None,
            _ => Some(RecordBody::WaveEnded { wave }),
        }
    }

    /// Folds in a record that is not about one host. `hosts` tells how many hosts a wave has.
    pub(super) fn apply(
        &mut self,
        at: Timestamp,
        body: &RecordBody,
        hosts: impl FnOnce(u32) -> u32,
    ) -> Result<(), IllegalTransition> {
        let legal = match (body, self.phase) {
            (RecordBody::CampaignStarted { .. }, phase) => phase == Phase::New,
            (_, Phase::New | Phase::Ended) => false,
            (RecordBody::ControllerStarted { fence, .. }, _) => self.fence.checked_add(1) == Some(*fence),
            (RecordBody::WaveStarted { wave }, phase) => {
                phase == Phase::Running && self.wave.is_none() && *wave == self.waves_ended
            }
            (RecordBody::WaveSoaking { wave, .. }, phase) => {
                let over = self.wave.as_ref().is_some_and(|open| open.left == 0 && open.soaks.is_none());
                phase == Phase::Running && *wave == self.waves_ended && over
            }
            (RecordBody::WaveEnded { wave }, phase) => {
                let over = self.wave.as_ref().is_some_and(|open| open.left == 0);
                phase != Phase::Aborting && *wave == self.waves_ended && over
            }
            (RecordBody::Paused { .. }, phase) => phase != Phase::Aborting,
            (RecordBody::Resumed { .. }, phase) => phase == Phase::Paused,
            (RecordBody::Aborted { .. }, phase) => phase != Phase::Aborting,
            (RecordBody::CampaignEnded { outcomes }, _) => self.left == 0 && *outcomes == self.outcomes,
            (RecordBody::ClockJump { from, to }, _) => {
                let leapt = *to == at && self.clock.leapt(*from, at) == Some(*from);
                leapt || self.clock.went_back(at) == Some(*from)
            }
            _ => true,
        };
        if !legal {
            return Err(IllegalTransition(format!("{} does not follow in phase {:?}", body.kind(), self.phase)));
        }
        if let RecordBody::ClockJump { from, to } = body {
            self.clock.jump(*from, *to);
        }
        self.clock.record(at);
        match body {
            RecordBody::CampaignStarted { .. } => self.phase = Phase::Running,
            RecordBody::ControllerStarted { fence, .. } => self.fence = *fence,
            RecordBody::WaveStarted { wave } => self.wave = Some(OpenWave { left: hosts(*wave), soaks: None }),
            RecordBody::WaveSoaking { until, .. } => {
                let until = self.clock.steady(*until);
                if let Some(open) = &mut self.wave {
                    open.soaks = Some(until);
                }
            }
            RecordBody::WaveEnded { .. } => {
                self.wave = None;
                self.waves_ended = self.waves_ended.saturating_add(1);
            }
            RecordBody::Paused { reason, .. } => {
                self.phase = Phase::Paused;
                self.pause = Some(reason.clone());
                self.overspent |= reason.code == FAILURE_BUDGET.1;
                if reason.code == CANARY_FAILED.1 {
                    self.lost_canary = None;
                }
            }
            RecordBody::Resumed { .. } => {
                self.phase = Phase::Running;
                self.pause = None;
                self.overspent = false;
                self.allowed = self.allowed.max(self.failed.saturating_add(1));
            }
            RecordBody::Aborted { reason, .. } => {
                self.phase = Phase::Aborting;
                self.pause = None;
                self.abort = Some(reason.clone());
            }
            RecordBody::CampaignEnded { .. } => self.phase = Phase::Ended,
            _ => {}
        }
        Ok(())
    }

    /// Whether a forward step of a host of this wave may begin.
    pub(super) fn lets_begin(&self, member: &Member, has_begun: bool, in_chain: bool, rollout: &Rollout) -> bool {
        let has_room = || self.has_slot(rollout) && self.full_pool(member).is_none();
        match self.phase {
            Phase::Running => self.wave() == Some(member.wave) && (has_begun || has_room()),
            // What is in the middle is finished.
            Phase::Paused => in_chain,
            Phase::New | Phase::Aborting | Phase::Ended => false,
        }
    }

    /// A host's first step begins.
    pub(super) fn host_begins(&mut self, member: &Member) {
        self.active = self.active.saturating_add(1);
        for &pool in &member.pools {
            if let Some(pool) = self.pools.get_mut(pool) {
                pool.active = pool.active.saturating_add(1);
            }
        }
    }

    /// A host's disruptive part begins.
    pub(super) fn chain_begins(&mut self) -> Result<(), IllegalTransition> {
        if !self.may_risk_another() {
            return Err(IllegalTransition("a disruptive part begins without failure budget left".to_owned()));
        }
        self.at_risk = self.at_risk.saturating_add(1);
        Ok(())
    }

    /// A host in its disruptive part fails, for the first time.
    pub(super) fn host_fails(&mut self) {
        self.at_risk = self.at_risk.saturating_sub(1);
        #[cfg(test)]
        if super::planted::planted(super::planted::Defect::ForgetsFailedHosts) {
            return;
        }
        self.failed = self.failed.saturating_add(1);
    }

    /// A host has ended. `was_at_risk`: it was in its disruptive part and had not failed.
    pub(super) fn host_ends(&mut self, member: &Member, outcome: HostOutcome, rollout: &Rollout, was: Was) {
        self.left = self.left.saturating_sub(1);
        self.active = self.active.saturating_sub(u32::from(was.active));
        self.at_risk = self.at_risk.saturating_sub(u32::from(was.at_risk));
        for &pool in &member.pools {
            if let Some(pool) = self.pools.get_mut(pool) {
                pool.active = pool.active.saturating_sub(u32::from(was.active));
            }
        }
        let wave = member.wave;
        let count = self.outcomes.entry(outcome).or_insert(0);
        *count = count.saturating_add(1);
        if wave == self.waves_ended
            && let Some(open) = &mut self.wave
        {
            open.left = open.left.saturating_sub(1);
        }
        let canary = usize::try_from(wave).ok().and_then(|i| rollout.waves.get(i));
        if canary.is_some_and(|wave| wave.name.as_str() == CANARY) && !outcome.is_success() {
            self.lost_canary.get_or_insert_with(|| member.name.clone());
        }
    }

    /// Whether one more host may begin with its disruptive part: at most as many as there is failure budget left, and
    /// one, are in it at once. If all of them fail, the budget is overspent by one host and not by the whole fleet.
    pub fn may_risk_another(&self) -> bool {
        self.failed < self.allowed && self.failed.saturating_add(self.at_risk) <= self.allowed
    }

    /// Whether another host may be worked on.
    pub fn has_slot(&self, rollout: &Rollout) -> bool {
        self.active < rollout.concurrency
    }

    /// The first pool of a host of which no other host may be worked on, and how many are.
    pub(super) fn full_pool(&self, member: &Member) -> Option<(usize, u32)> {
        member
            .pools
            .iter()
            .find_map(|&pool| self.is_full(pool).then(|| (pool, self.pools.get(pool).map_or(0, |p| p.max))))
    }

    /// Whether no other host of a pool may be worked on.
    pub(super) fn is_full(&self, pool: usize) -> bool {
        self.pools.get(pool).is_some_and(|pool| pool.active >= pool.max)
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why it is paused, if it is.
    pub fn pause(&self) -> Option<&Reason> {
        self.pause.as_ref()
    }

    /// Why it is aborted, if it is.
    pub fn abort(&self) -> Option<&Reason> {
        self.abort.as_ref()
    }

    /// The wave that is worked on or watched.
    pub fn wave(&self) -> Option<u32> {
        self.wave.as_ref().map(|_| self.waves_ended)
    }

    /// Until when a wave is watched, on the wall.
    pub fn soaks_until(&self) -> Option<Timestamp> {
        self.wave.as_ref().and_then(|open| open.soaks).map(|until| self.clock.wall(until))
    }

    /// How many controllers it had.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// How many hosts failed in their disruptive part.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// What a host was when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Was {
    pub active: bool,
    pub at_risk: bool,
}
