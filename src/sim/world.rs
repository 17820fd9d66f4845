//! The simulated world: hosts, their provider, their switch and the network, moved by events in virtual time.
//!
//! A controller makes calls; the world goes on whether the controller lives or not. Everything random is keyed by
//! seed and step, so that a run that was interrupted meets the same durations and faults as one that was not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Mode, StepRequest, StepResult};
use crate::intake::HostScan;
use crate::model::{AttemptId, Digest, HostName, TimeSpan};
use crate::plan::{Action, Plan, Step, StepKind};

use super::search::Search;
use super::{CloneOf, Coverage, Fault, Network, Place, Rng, SimHost, StepAt, StepState};

/// One call of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u64);

/// What an all-seeing observer sees; the invariants are judged by this, never by what the engine believes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Observation {
    /// A controller asked for this attempt.
    Begun {
        attempt: AttemptId,
        kind: StepKind,
        mode: Mode,
    },
    /// A controller got its answer.
    Answered {
        call: CallId,
        attempt: AttemptId,
        kind: StepKind,
        result: StepResult,
    },
    /// Something began to change a host, its backups or its traffic.
    EffectStarted {
        attempt: AttemptId,
        kind: StepKind,
    },
    /// It ended, well or not.
    EffectEnded {
        attempt: AttemptId,
        kind: StepKind,
        well: bool,
    },
    /// A planted fault came to pass.
    FaultReached {
        host: HostName,
        fault: Fault,
    },
    /// A host went down, or came up with this boot.
    HostDown {
        host: HostName,
    },
    HostUp {
        host: HostName,
        boot: u64,
    },
    /// Its service broke.
    ServiceBroke {
        host: HostName,
    },
    /// Its watch has not heard of a controller: it begins to put it back.
    WentBack {
        host: HostName,
    },
    /// A search began one more trial.
    Trial {
        call: CallId,
    },
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The host to answer.
    Connecting,
    /// What it asked for.
    Working,
    /// Its answer is on the way.
    Answering,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Who is worked on: a host of the plan, or its clone.
    pub host: HostName,
    /// The host of the plan.
    pub owner: HostName,
    pub step: Step,
    pub attempt: AttemptId,
    pub mode: Mode,
    pub plan: Arc<Plan>,
    pub facts: Arc<BTreeMap<(crate::model::StepId, String), String>>,
    pub began: Timestamp,
    pub phase: Phase,
    /// Its controller was overtaken and will do nothing with the answer.
    pub overtaken: bool,
}

/// What will happen in the world.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Arrives(CallId),
    CheckEnds(CallId),
    SoakTick(CallId),
    Deadline(CallId),
    Reply(CallId, StepResult),
    JobEnds { call: Box<Call>, boot: Option<u64> },
    GoesDown { attempt: AttemptId, host: HostName, boot: u64 },
    ForeignReboot { host: HostName },
    ComesUp { host: HostName, boot: u64, rebooted_by: Option<AttemptId> },
    Breaks { host: HostName, restores: u32 },
    TrialEnds(CallId),
    Renews(CallId),
    WatchDue { host: HostName },
    WatchRestored { host: HostName },
}

/// When a fault may come to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum WaitsFor {
    Anything,
    WayBack,
}

/// A simulated fleet with everything around it.
#[derive(Clone, Debug)]
pub struct SimWorld {
    pub(super) seed: u64,
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) restores: BTreeMap<HostName, u32>,
    /// Whose place each clone took that is none any more, and how often that host had been restored before.
    pub(super) promoted: BTreeMap<HostName, (HostName, u32)>,
    /// What was planted, and whether it waits for the way back.
    armed: BTreeMap<(HostName, WaitsFor), BTreeSet<Fault>>,
    reached: BTreeSet<(HostName, Fault)>,
    /// The step for which something happens now.
    pub(super) acting: Option<(StepAt, StepState)>,
    /// What came to pass, and at which step.
    pub(super) hits: Coverage,
    pub(super) searches: BTreeMap<CallId, Search>,
    pub(super) calls: BTreeMap<CallId, Call>,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    next: u64,
    seen: Vec<Observation>,
}

impl SimWorld {
    /// A world of these hosts in which nothing has gone wrong yet.
    pub fn new(seed: u64, hosts: impl IntoIterator<Item = SimHost>) -> Self {
        Self {
            seed,
            hosts: hosts.into_iter().map(|host| (host.host.name.clone(), host)).collect(),
            restores: BTreeMap::new(),
            promoted: BTreeMap::new(),
            armed: BTreeMap::new(),
            reached: BTreeSet::new(),
            acting: None,
            hits: Coverage::default(),
            searches: BTreeMap::new(),
            calls: BTreeMap::new(),
            queue: BTreeMap::new(),
            next: 0,
            seen: Vec::new(),
        }
    }

    /// Lets this go wrong on this host when its moment comes. A clone has its own faults: see [`super::clone_name`].
    pub fn plant(&mut self, host: &HostName, fault: Fault) {
        if let Some(state) = self.hosts.get_mut(host) {
            state.suffer(fault);
        }
        self.armed.entry((host.clone(), WaitsFor::Anything)).or_default().insert(fault);
    }

    /// Lets this go wrong when the host goes back, and not before.
    pub fn plant_on_way_back(&mut self, host: &HostName, fault: Fault) {
        self.armed.entry((host.clone(), WaitsFor::WayBack)).or_default().insert(fault);
    }

    /// A clone has come up, with what was planted for it.
    pub(super) fn add_clone(&mut self, mut clone: SimHost) {
        let name = clone.host.name.clone();
        self.armed
            .get(&(name.clone(), WaitsFor::Anything))
            .into_iter()
            .flatten()
            .for_each(|fault| clone.suffer(*fault));
        self.hosts.insert(name, clone);
    }

    /// Whether this fault came to pass: a test that plants a fault asks.
    pub fn reached(&self, host: &HostName, fault: Fault) -> bool {
        self.reached.contains(&(host.clone(), fault))
    }

    /// The planted faults that came to pass.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.reached.iter().map(|(_, fault)| *fault)
    }

    /// Which faults came to pass, at which steps.
    pub fn hits(&self) -> &Coverage {
        &self.hits
    }

    /// How many planted faults came to pass.
    pub fn faults_reached(&self) -> usize {
        self.reached.len()
    }

    /// A host, or a clone, as it truly is.
    pub fn host(&self, name: &HostName) -> Option<&SimHost> {
        self.hosts.get(name)
    }

    /// All hosts as they truly are, clones aside.
    pub fn hosts(&self) -> impl Iterator<Item = &SimHost> {
        self.hosts.values().filter(|host| host.clone_of.is_none())
    }

    /// The clones that a provider would list for this host.
    pub fn clones(&self, host: &HostName) -> impl Iterator<Item = (&SimHost, &CloneOf)> {
        let all = self.hosts.values().filter_map(|clone| clone.clone_of.as_ref().map(|of| (clone, of)));
        all.filter(move |(_, of)| of.host == *host)
    }

    /// Who gets the requests of this host: itself, its clone, or none if it is out of service or nobody is there.
    pub fn serving(&self, host: &HostName) -> Option<&SimHost> {
        let switched = self.hosts.get(host).filter(|host| host.traffic == super::Traffic::InService)?;
        let clones = self.clones(host).map(|(clone, _)| clone);
        std::iter::once(switched).chain(clones).find(|there| there.host.address() == switched.goes_to)
    }

    /// What scans of these hosts would find now; an unreachable host gives none.
    pub fn scan(&self, now: Timestamp) -> BTreeMap<HostName, Option<HostScan>> {
        let scan = |host: &SimHost| host.reachable(now).then(|| host.scan(now));
        self.hosts().map(|host| (host.host.name.clone(), scan(host))).collect()
    }

    /// What was seen since the last time this was asked.
    pub fn take_seen(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.seen)
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Calls of the controller in charge that are not answered.
    pub fn open_calls(&self) -> impl Iterator<Item = &AttemptId> {
        self.calls.values().filter(|call| !call.overtaken).map(|call| &call.attempt)
    }

    /// A controller asks for this attempt; the answer comes out of [`Self::advance`].
    pub fn begin(&mut self, now: Timestamp, request: &StepRequest) -> CallId {
        self.next += 1;
        let id = CallId(self.next);
        let Some((_, step)) = request.plan.step(&request.attempt.step) else {
            let result = super::act::failed("unknown-step", format!("no step {} in the plan", request.attempt.step));
            self.at(now, Happening::Reply(id, result));
            return id;
        };
        self.see(Observation::Begun { attempt: request.attempt.clone(), kind: step.kind, mode: request.mode });
        let limit = step.timeout.max(TimeSpan::seconds(1));
        let target = self.target(request, step);
        let call = Call {
            host: target.as_ref().map_or_else(|_| request.host.clone(), HostName::clone),
            owner: request.host.clone(),
            step: step.clone(),
            attempt: request.attempt.clone(),
            mode: request.mode,
            plan: Arc::clone(&request.plan),
            facts: Arc::clone(&request.facts),
            began: now,
            phase: Phase::Connecting,
            overtaken: false,
        };
        self.calls.insert(id, call);
        self.at(super::act::later(now, super::act::LATENCY_MS), Happening::Arrives(id));
        self.renews(now, id);
        self.at(limit.after(now), Happening::Deadline(id));
        if let Err(result) = target {
            self.answer(now, id, result);
        }
        id
    }

    /// The controller that made this call is gone; what it started goes on.
    pub fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
        self.searches.remove(&call);
    }

    /// The controller that made this call was overtaken by another: the call goes on, its answer changes nothing.
    pub fn overtake(&mut self, call: CallId) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.overtaken = true;
        }
    }

    /// Soaks may end early.
    pub fn cancel_soaks(&mut self, now: Timestamp) {
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            self.cancel_soak(now, id);
        }
    }

    /// This call may end early, if it is a soak.
    pub fn cancel_soak(&mut self, now: Timestamp, id: CallId) {
        if self.calls.get(&id).is_some_and(|call| matches!(call.step.action, Action::Soak { .. })) {
            let text = "the watch was ended because the campaign is aborted";
            self.answer(now, id, super::act::broken("cancelled", text, ""));
        }
    }

    /// Lets the next thing happen, if it is due; gives the answer to a call where that was one.
    pub fn advance(&mut self, now: Timestamp) -> Option<Advanced> {
        let ((at, _), _) = self.queue.first_key_value()?;
        if *at > now {
            return None;
        }
        let ((at, _), happening) = self.queue.pop_first()?;
        self.acting = self.acted_for(&happening);
        Some(Advanced { at, answer: self.happen(at, happening) })
    }

    /// The step for which this happens.
    fn acted_for(&self, happening: &Happening) -> Option<(StepAt, StepState)> {
        let call = match happening {
            Happening::Arrives(id) | Happening::CheckEnds(id) | Happening::TrialEnds(id) => self.calls.get(id)?,
            Happening::JobEnds { call, .. } => call,
            _ => return None,
        };
        let at = StepAt::of(call.plan.hosts.get(&call.owner)?, &call.step);
        Some((at, if call.mode == Mode::Start { StepState::Running } else { StepState::Unknown }))
    }

    /// A digest of what the hosts are like, to compare the ends of two runs: packages, service, power, traffic,
    /// and what providers hold.
    pub fn state_digest(&self) -> Digest {
        let mut text = String::new();
        for (name, host) in &self.hosts {
            text.push_str(&format!(
                "{name} {:?} {:?} {:?} {} {:?} {:?} {:?}\n",
                host.disk,
                host.power,
                host.traffic,
                host.goes_to,
                host.network == Network::Isolated,
                host.backups,
                host.originals,
            ));
        }
        Digest::of(text.as_bytes())
    }

    // ---- for the other files of this room ----

    pub(super) fn at(&mut self, time: Timestamp, happening: Happening) {
        self.next += 1;
        self.queue.insert((time, self.next), happening);
    }

    pub(super) fn see(&mut self, observation: Observation) {
        self.seen.push(observation);
    }

    /// The fault of this host that `which` picks, which thereby comes to pass. It is spent, but for one that is a
    /// state.
    pub(super) fn spring(&mut self, host: &HostName, which: impl Fn(&Fault) -> bool) -> Option<Fault> {
        if self.armed.is_empty() {
            return None;
        }
        let goes_back = self.acting.is_some_and(|(at, _)| at.place == Place::Back);
        let lists = [goes_back.then_some(WaitsFor::WayBack), Some(WaitsFor::Anything)];
        for waits_for in lists.into_iter().flatten() {
            let Some(armed) = self.armed.get_mut(&(host.clone(), waits_for)) else { continue };
            let Some(fault) = armed.iter().copied().find(|fault| which(fault)) else { continue };
            if !fault.stays() {
                armed.remove(&fault);
            }
            self.comes_to_pass(host, fault);
            return Some(fault);
        }
        None
    }

    /// A fault shows.
    pub(super) fn comes_to_pass(&mut self, host: &HostName, fault: Fault) {
        if let Some((at, state)) = self.acting {
            self.hits.hit((fault.name(), at, state));
        }
        self.reached.insert((host.clone(), fault));
        self.see(Observation::FaultReached { host: host.clone(), fault });
    }

    /// How long this step takes on this host, from half to a little more than its expected time.
    pub(super) fn duration(&mut self, host: &HostName, step: &Step) -> TimeSpan {
        let percent = Rng::keyed(self.seed, step.id.as_str()).between(50, 110);
        let slow = match self.spring(host, |fault| matches!(fault, Fault::Slow { .. })) {
            Some(Fault::Slow { factor }) => Some(factor),
            _ => None,
        };
        let seconds = step.expected.as_seconds().saturating_mul(percent) / 100;
        TimeSpan::seconds(seconds.saturating_mul(u64::from(slow.unwrap_or(1))).max(1))
    }

    /// The call gets this answer soon.
    pub(super) fn answer(&mut self, now: Timestamp, id: CallId, result: StepResult) {
        if let Some(call) = self.calls.get_mut(&id)
            && call.phase != Phase::Answering
        {
            call.phase = Phase::Answering;
            self.at(super::act::later(now, super::act::LATENCY_MS), Happening::Reply(id, result));
        }
    }

    /// Calls that wait for this attempt.
    pub(super) fn waiting_for(&self, attempt: &AttemptId) -> Vec<CallId> {
        let waits = |call: &Call| call.attempt == *attempt && call.phase == Phase::Working;
        self.calls.iter().filter(|(_, call)| waits(call)).map(|(id, _)| *id).collect()
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// When.
    pub at: Timestamp,
    /// The answer to a call, if it was one.
    pub answer: Option<(CallId, StepResult)>,
}
