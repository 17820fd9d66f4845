//! A world in virtual time: hosts whose jobs outlive their controller, and a driver that does what `run` does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::engine::{Campaign, Chain, Effect, Effected, Input, Mode, Phase, Record, RecordBody, Signal, StepResult};
use crate::model::{AttemptId, CampaignId, Digest, HostOutcome, StepId};
use crate::plan::{Plan, Reason, StepKind};

use super::fixture::at;

/// What a step does when it runs.
#[derive(Clone, Debug)]
pub struct Deed {
    pub takes: i64,
    pub result: StepResult,
    /// How often nothing is known before the result is.
    pub unknown: u32,
}

impl Deed {
    pub fn of(result: StepResult) -> Self {
        Self { takes: 10, result, unknown: 0 }
    }
}

pub fn succeeded() -> StepResult {
    StepResult::Succeeded { facts: BTreeMap::new(), note: None }
}

pub fn failed(effect: Effected) -> StepResult {
    StepResult::Failed { reason: Reason::new("broken", "it broke"), effect, evidence: String::new() }
}

pub fn unknown() -> StepResult {
    StepResult::Unknown { reason: Reason::new("lost", "the connection was lost") }
}

/// Decides what each step does.
pub type Fate = Arc<dyn Fn(&StepId, StepKind) -> Deed + Send + Sync>;

/// A job on a host.
#[derive(Debug)]
struct Job {
    ends: Timestamp,
    asked: u32,
}

/// Campaign, hosts and journal. Time is `now` for the hosts and `now + offset` for the controller's clock.
pub struct World {
    pub plan: Arc<Plan>,
    pub campaign: Campaign,
    pub records: Vec<Record>,
    pub now: Timestamp,
    pub offset: SignedDuration,
    /// How many starts the hosts have seen, by attempt.
    pub starts: BTreeMap<AttemptId, u32>,
    pub finished: bool,
    pub cancels: u32,
    /// Stop as if killed when the journal has this many records.
    pub kill_at: Option<usize>,
    fate: Fate,
    shadow: Campaign,
    chain: Chain,
    jobs: BTreeMap<AttemptId, Job>,
    coming: BTreeSet<(Timestamp, u64)>,
    results: BTreeMap<u64, (AttemptId, StepResult)>,
    next_id: u64,
    wake: Option<Timestamp>,
    last_finished: Option<(AttemptId, StepResult)>,
}

/// What stopped a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing will happen any more unless somebody asks.
    Quiet,
    /// Killed at `kill_at`.
    Killed,
    /// The time given has come.
    Time,
}

impl World {
    pub fn new(plan: Plan, fate: Fate) -> Self {
        let plan = Arc::new(plan);
        let digest = Digest::of(&serde_json::to_vec(plan.as_ref()).unwrap());
        let id = CampaignId::new("c1").unwrap();
        let campaign = Campaign::new(plan.clone(), digest, id.clone());
        Self {
            plan,
            shadow: campaign.clone(),
            campaign,
            records: Vec::new(),
            now: at(0),
            offset: SignedDuration::ZERO,
            starts: BTreeMap::new(),
            finished: false,
            cancels: 0,
            kill_at: None,
            fate,
            chain: Chain::new(id, digest),
            jobs: BTreeMap::new(),
            coming: BTreeSet::new(),
            results: BTreeMap::new(),
            next_id: 0,
            wake: None,
            last_finished: None,
        }
    }

    /// All steps succeed but those given.
    pub fn with_deeds(plan: Plan, deeds: &[(&str, Deed)]) -> Self {
        let deeds: BTreeMap<StepId, Deed> =
            deeds.iter().map(|(id, deed)| (StepId::new(id).unwrap(), deed.clone())).collect();
        let fate = move |id: &StepId, _: StepKind| deeds.get(id).cloned().unwrap_or_else(|| Deed::of(succeeded()));
        Self::new(plan, Arc::new(fate))
    }

    /// Starts and runs until nothing happens any more.
    pub fn start_and_run(mut self) -> Self {
        self.start();
        assert_eq!(self.run(None), Stop::Quiet);
        self
    }

    pub fn start(&mut self) -> bool {
        self.give(Input::Start { operator: "ann".to_owned(), approvals: Vec::new() })
    }

    pub fn signal(&mut self, signal: Signal) -> bool {
        self.give(Input::Signal(signal))
    }

    /// Gives an input and does what follows; false if killed meanwhile.
    pub fn give(&mut self, input: Input) -> bool {
        let wall = self.wall();
        let effects = self.campaign.handle(wall, input).unwrap();
        self.wake = None;
        let mut wakes = 0;
        for effect in effects {
            match effect {
                Effect::Append(body) => {
                    self.shadow.apply(wall, &body).unwrap();
                    self.records.push(self.chain.push(wall, body));
                    if self.kill_at == Some(self.records.len()) {
                        return false;
                    }
                }
                Effect::Begin { attempt, mode, not_before } => {
                    let intended = self.records.iter().any(
                        |r| matches!(&r.body, RecordBody::Intent { attempt: intended, .. } if *intended == attempt),
                    );
                    assert!(intended, "{attempt} begins without an intent in the journal");
                    let begins = not_before.map_or(self.now, |time| self.inner(time)).max(self.now);
                    self.begin(attempt, mode, begins);
                }
                Effect::Cancel => self.cancels += 1,
                Effect::WakeAt(time) => {
                    wakes += 1;
                    assert!(time > wall, "a timer that is over would spin");
                    self.wake = Some(self.inner(time));
                }
                Effect::Finished => self.finished = true,
            }
        }
        assert!(wakes <= 1);
        assert_eq!(self.campaign, self.shadow, "state is the fold of the journal");
        true
    }

    fn wall(&self) -> Timestamp {
        self.now.checked_add(self.offset).unwrap()
    }

    fn inner(&self, wall: Timestamp) -> Timestamp {
        wall.checked_sub(self.offset).unwrap()
    }

    fn begin(&mut self, attempt: AttemptId, mode: Mode, begins: Timestamp) {
        let (_, step) = self.plan.step(&attempt.step).unwrap();
        let deed = (self.fate)(&attempt.step, step.kind);
        if mode == Mode::Start {
            assert!(!self.jobs.contains_key(&attempt), "{attempt} is started twice");
        }
        let busy = self.jobs.iter().find(|(other, job)| {
            // A host that was given up may hang for ever.
            let theirs = (self.fate)(&other.step, self.plan.step(&other.step).unwrap().1.kind);
            **other != attempt && other.step.host() == attempt.step.host() && job.ends > begins && theirs.unknown < 100
        });
        assert!(busy.is_none(), "{attempt} is started while {busy:?} runs");
        let starts = &mut self.starts;
        let job = self.jobs.entry(attempt.clone()).or_insert_with(|| {
            *starts.entry(attempt.clone()).or_insert(0) += 1;
            Job { ends: begins + SignedDuration::from_secs(deed.takes), asked: 0 }
        });
        let result = if job.asked < deed.unknown { unknown() } else { deed.result };
        job.asked += 1;
        let when = if matches!(result, StepResult::Unknown { .. }) { begins } else { job.ends.max(begins) };
        self.next_id += 1;
        self.coming.insert((when, self.next_id));
        self.results.insert(self.next_id, (attempt, result));
    }

    /// Runs until `until`, or until nothing happens any more.
    pub fn run(&mut self, until: Option<Timestamp>) -> Stop {
        for _ in 0..1_000_000 {
            let result = self.coming.first().copied();
            let next = [result.map(|(time, _)| time), self.wake].into_iter().flatten().min();
            let Some(next) = next else { return Stop::Quiet };
            if let Some(until) = until.filter(|until| *until < next) {
                self.now = self.now.max(until);
                return Stop::Time;
            }
            self.now = self.now.max(next);
            let input = match result.filter(|(time, _)| *time <= self.now) {
                Some((time, id)) => {
                    self.coming.remove(&(time, id));
                    let (attempt, result) = self.results.remove(&id).unwrap();
                    self.last_finished = Some((attempt.clone(), result.clone()));
                    Input::Finished { attempt, result }
                }
                None => Input::Tick,
            };
            if !self.give(input) {
                return Stop::Killed;
            }
        }
        panic!("the world does not come to rest");
    }

    /// The last result is told again.
    pub fn repeat_last_result(&mut self) {
        if let Some((attempt, result)) = self.last_finished.clone() {
            let known = self.campaign.state().clone();
            let running = self.coming.iter().any(|(_, id)| self.results.get(id).is_some_and(|(a, _)| *a == attempt));
            if !running {
                let wall = self.wall();
                let effects = self.campaign.handle(wall, Input::Finished { attempt, result }).unwrap();
                assert!(effects.iter().all(|effect| matches!(effect, Effect::WakeAt(_))), "{effects:?}");
                assert_eq!(*self.campaign.state(), known);
            }
        }
    }

    /// The controller died: what it was told and had not recorded is lost, the hosts go on. Another one takes over.
    pub fn recover(&mut self) -> bool {
        self.kill_at = None;
        self.coming.clear();
        self.results.clear();
        self.wake = None;
        self.finished = false;
        let (id, digest) = (self.campaign.id().clone(), self.campaign.plan_digest());
        self.campaign = Campaign::fold(self.plan.clone(), digest, id, &self.records).unwrap();
        self.shadow = self.campaign.clone();
        if self.records.is_empty() {
            return self.start();
        }
        self.give(Input::Recover { operator: "bob".to_owned(), approvals: None })
    }

    pub fn outcomes(&self) -> BTreeMap<String, HostOutcome> {
        self.campaign.outcomes().into_iter().map(|(host, (outcome, _))| (host.to_string(), outcome)).collect()
    }

    pub fn outcome(&self, host: &str) -> Option<(HostOutcome, String)> {
        let (outcome, reason) = self.campaign.outcomes().remove(host)?;
        Some((outcome, reason.map_or(String::new(), |reason| reason.code)))
    }

    pub fn phase(&self) -> Phase {
        self.campaign.phase()
    }

    /// The steps of a host in the order of their starts.
    pub fn walk(&self, host: &str) -> Vec<String> {
        let intents = self.records.iter().filter_map(|record| match &record.body {
            RecordBody::Intent { attempt, .. } if attempt.step.host() == host => Some(attempt.step.step().to_owned()),
            _ => None,
        });
        intents.collect()
    }

    pub fn bodies(&self) -> impl Iterator<Item = &RecordBody> {
        self.records.iter().map(|record| &record.body)
    }
}
