//! The simulated switch: whether a host is in service, and to which address its requests go.

use jiff::Timestamp;

use crate::engine::StepResult;
use crate::model::StepId;
use crate::plan::Action;

use super::act::{broken, failed, later, succeeded};
use super::world::{Call, Happening};
use super::{CallId, Fault, JobState, LostWhen, Observation, SimWorld, Took, Traffic, clone_name};

/// How long a switch takes.
const SWITCH_MS: i64 = 3_000;
/// The facts of a clone step: where the clone answers, and where its host's requests went before.
pub(super) const ADDRESS_FACT: &str = "address";
pub(super) const ENDPOINT_FACT: &str = "endpoint";

impl SimWorld {
    pub(super) fn switch(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let to = match &call.step.action {
            Action::Switchover { clone } => self.noted(call, clone, ADDRESS_FACT).map(Some),
            Action::SwitchBack { clone } => self.noted(call, clone, ENDPOINT_FACT).map(Some),
            _ => Ok(None),
        };
        let to = match to {
            Ok(to) => to,
            Err(result) => return self.answer(now, id, result),
        };
        let kind = call.step.kind;
        // Who is refused and asks for the same again is refused again.
        if let Some(JobState::Done(refused)) = self.job(&call.host, &call.attempt) {
            let refused = refused.clone();
            return self.answer(later(now, SWITCH_MS), id, refused);
        }
        let fault = self.spring(
            &call.host,
            |fault| matches!(fault, Fault::SwitchFails { step, .. } | Fault::Lost { step, .. } if *step == kind),
        );
        let never = matches!(
            fault,
            Some(Fault::SwitchFails { took: Took::No, .. } | Fault::Lost { when: LostWhen::Before, .. })
        );
        if !never {
            self.set_traffic(now, call, to);
        }
        match fault {
            Some(Fault::SwitchFails { .. }) => {
                let text = format!("the switch refuses to do this for {}", call.host);
                let refused = broken("switch-failed", text, "");
                self.remember(call, &refused);
                self.answer(later(now, SWITCH_MS), id, refused);
            }
            Some(_) => self.connection_lost(now, id),
            None => self.switched(now, id, call),
        }
    }

    fn switched(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let Action::Drain { idle_within } = call.step.action else {
            return self.answer(later(now, SWITCH_MS), id, succeeded("in service"));
        };
        if self.spring(&call.host, |fault| *fault == Fault::DrainFails).is_none() {
            return self.answer(later(now, SWITCH_MS), id, succeeded("drained"));
        }
        let text = format!("{} still had requests after {idle_within}", call.host);
        // On the way back it is enough that nothing new comes.
        let result = if call.is_way_back() { succeeded(&text) } else { broken("not-idle", text, "") };
        self.answer(idle_within.after(now), id, result);
    }

    fn set_traffic(&mut self, now: Timestamp, call: &Call, to: Option<String>) {
        let (attempt, kind) = (call.attempt.clone(), call.step.kind);
        self.see(Observation::EffectStarted { attempt: attempt.clone(), kind });
        if let Some(host) = self.hosts.get_mut(&call.host) {
            let drains = matches!(call.step.action, Action::Drain { .. });
            host.traffic = if drains { Traffic::Drained } else { Traffic::InService };
            host.goes_to = to.unwrap_or_else(|| host.goes_to.clone());
        }
        self.see(Observation::EffectEnded { attempt, kind, well: true });
        let clone = clone_name(&call.host);
        if matches!(call.step.action, Action::Switchover { .. })
            && let Some(Fault::BreaksUnderTraffic { after }) =
                self.spring(&clone, |fault| matches!(fault, Fault::BreaksUnderTraffic { .. }))
        {
            self.at(after.after(now), Happening::Breaks { host: clone, restores: 0 });
        }
    }

    /// What a step noted in the journal: a controller that forgot it cannot go on.
    pub(super) fn noted(&self, call: &Call, step: &StepId, key: &str) -> Result<String, StepResult> {
        let fact = super::provider::of_clone(&call.facts, step, key);
        fact.cloned().ok_or_else(|| failed("no-fact", format!("{step} left no {key}")))
    }
}
