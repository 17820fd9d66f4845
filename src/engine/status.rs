//! A campaign from outside.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::AttemptId;

use super::{Campaign, CampaignStatus, GateVerdict, Mode, Phase, StepRequest};

impl Campaign {
    /// Where it stands.
    pub fn status(&self, now: Timestamp) -> CampaignStatus {
        let mut status = CampaignStatus {
            campaign: self.id.clone(),
            phase: self.phase(),
            ended: BTreeMap::new(),
            active: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        let wave = self.state.campaign.wave();
        for (member, machine) in self.roster.hosts.iter().zip(&self.state.hosts) {
            let name = member.name.clone();
            if let Some(end) = machine.ended() {
                status.ended.insert(name, end.outcome);
            } else if let Some((step, _)) = machine.running() {
                status.active.insert(name, step.step().to_owned());
            } else {
                let why = match machine.gate() {
                    Some(GateVerdict::Waiting { why, until: Some(until), .. }) => format!("{why}: until {until}"),
                    Some(GateVerdict::Waiting { why, .. } | GateVerdict::Closed { why, .. }) => why.clone(),
                    _ if wave.is_none_or(|wave| wave < member.wave) => self.why_later(now),
                    _ => "not started".to_owned(),
                };
                status.waiting.insert(name, why);
            }
        }
        status
    }

    fn why_later(&self, now: Timestamp) -> String {
        match (self.state.campaign.pause(), self.state.campaign.soaks_until()) {
            (Some(reason), _) => reason.text.clone(),
            (None, Some(until)) if until > now => format!("the wave before is watched until {until}"),
            _ => "its wave has not begun".to_owned(),
        }
    }

    /// Where it stands, in a word.
    pub fn phase(&self) -> Phase {
        self.state.campaign.phase()
    }

    /// Whether every host has ended and that is recorded.
    pub fn is_ended(&self) -> bool {
        self.phase() == Phase::Ended
    }

    /// What an executor gets for an attempt of a `Begin`.
    pub fn request(&self, attempt: &AttemptId, mode: Mode) -> Option<StepRequest> {
        self.check(attempt).ok()?;
        let (host, _) = self.plan.step(&attempt.step)?;
        let host = host.host.name.clone();
        let facts = self.facts(&host);
        Some(StepRequest { plan: self.plan.clone(), host, attempt: attempt.clone(), mode, facts })
    }
}
