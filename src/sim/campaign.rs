//! A whole campaign in virtual time: the engine's machines against the simulated world, with controllers that die.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Campaign, Chain, Effect, Input, Mode, Phase, Record, Signal};
use crate::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome, TimeSpan};
use crate::plan::{Plan, Reason};

use super::monitor::Monitor;
use super::{CallId, Invariant, SimWorld, Violation};

/// What is done to the controller, or asked of it, behind a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// It dies as soon as this record is durable; another starts this much later.
    Kill {
        /// The record.
        behind: u64,
        /// How long nobody controls.
        down_for: TimeSpan,
    },
    /// Another takes over as soon as this record is durable, while the first still waits for its calls.
    TakeOver {
        /// The record.
        behind: u64,
    },
    /// A person asks for something.
    Ask {
        /// The record.
        behind: u64,
        /// What.
        signal: Signal,
    },
}

impl Disturbance {
    const fn behind(&self) -> u64 {
        match self {
            Self::Kill { behind, .. } | Self::TakeOver { behind } | Self::Ask { behind, .. } => *behind,
        }
    }
}

/// What the person does when the campaign stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenPaused {
    /// Leaves it.
    #[default]
    Leave,
    /// Lets it go on.
    Resume,
    /// Aborts it.
    Abort,
}

/// A campaign to be simulated.
#[derive(Clone, Debug)]
pub struct SimRun {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its digest.
    pub digest: Digest,
    /// The world it meets.
    pub world: SimWorld,
    /// When it starts.
    pub start: Timestamp,
    /// What happens to its controller.
    pub disturbances: Vec<Disturbance>,
    /// What the person does when it stands still.
    pub when_paused: WhenPaused,
}

/// How a simulated campaign went.
#[derive(Clone, Debug)]
pub struct SimResult {
    /// Where hosts ended.
    pub outcomes: BTreeMap<HostName, (HostOutcome, Option<Reason>)>,
    /// Where the campaign stands.
    pub phase: Phase,
    /// Its journal.
    pub records: Vec<Record>,
    /// Equal for equal runs: a digest of everything that happened.
    pub trace: Digest,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The world behind it.
    pub world: SimWorld,
    /// How many controllers it had.
    pub controllers: u32,
}

/// A bound on the events of one run; a run of a hundred hosts has some ten thousand.
const MAX_EVENTS: u64 = 2_000_000;
/// How often a person comes back to a campaign that stands still.
const MAX_ASKS: u32 = 50;

/// What the driver itself has to do at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    NewController,
    Start(AttemptId),
    Attach(AttemptId),
    Tick,
    Deliver,
}

struct Driver {
    plan: Arc<Plan>,
    digest: Digest,
    id: CampaignId,
    world: SimWorld,
    monitor: Monitor,
    campaign: Option<Campaign>,
    chain: Chain,
    records: Vec<Record>,
    calls: BTreeMap<CallId, AttemptId>,
    due: BTreeSet<(Timestamp, Due)>,
    asked: Vec<Signal>,
    disturbances: Vec<Disturbance>,
    trace: String,
    controllers: u32,
    finished: bool,
}

impl SimRun {
    /// Runs it to its end, or until it stands still.
    pub fn run(self) -> SimResult {
        #[expect(clippy::unwrap_used, reason = "a constant that is a valid id")]
        let id = CampaignId::new("simulated").unwrap();
        let mut driver = Driver {
            monitor: Monitor::new(Arc::clone(&self.plan), &self.world),
            campaign: Some(Campaign::new(Arc::clone(&self.plan), self.digest, id.clone())),
            chain: Chain::new(id.clone(), self.digest),
            plan: self.plan,
            digest: self.digest,
            id,
            world: self.world,
            records: Vec::new(),
            calls: BTreeMap::new(),
            due: BTreeSet::new(),
            asked: Vec::new(),
            disturbances: self.disturbances,
            trace: String::new(),
            controllers: 1,
            finished: false,
        };
        let mut now = self.start;
        driver.input(now, Input::Start { operator: "simulator".to_owned() });
        let (mut events, mut asks) = (0u64, 0u32);
        while !driver.finished && events < MAX_EVENTS {
            events += 1;
            let due = driver.due.first().map(|(at, _)| *at);
            let world = driver.world.next_at();
            match (due, world) {
                (Some(due), world) if world.is_none_or(|world| due <= world) => {
                    now = now.max(due);
                    driver.fall_due(now);
                }
                (_, Some(world)) => {
                    now = now.max(world);
                    driver.advance(now);
                }
                _ => {
                    let Some(signal) = answer(self.when_paused, driver.phase(), &mut asks) else { break };
                    driver.input(now, Input::Signal(signal));
                }
            }
        }
        driver.end(now)
    }
}

fn answer(when_paused: WhenPaused, phase: Phase, asks: &mut u32) -> Option<Signal> {
    *asks += 1;
    let by = "operator".to_owned();
    match when_paused {
        _ if phase != Phase::Paused || *asks > MAX_ASKS => None,
        WhenPaused::Leave => None,
        WhenPaused::Resume => Some(Signal::Resume { by }),
        WhenPaused::Abort => Some(Signal::Abort { by }),
    }
}

impl Driver {
    fn phase(&self) -> Phase {
        self.campaign.as_ref().map_or(Phase::New, Campaign::phase)
    }

    /// Lets the world go on by one event.
    fn advance(&mut self, now: Timestamp) {
        let Some(advanced) = self.world.advance(now) else { return };
        self.look(advanced.at);
        if let Some((call, result)) = advanced.answer
            && let Some(attempt) = self.calls.remove(&call)
        {
            self.input(now, Input::Finished { attempt, result });
        }
    }

    /// Shows the monitor what has happened in the world.
    fn look(&mut self, at: Timestamp) {
        let seen = self.world.take_seen();
        for observation in &seen {
            // Writing to a string cannot fail.
            let _ = writeln!(self.trace, "{at} {observation:?}");
            self.monitor.saw(at, &self.world, observation);
        }
        if !seen.is_empty() {
            self.monitor.between(at, &self.world);
        }
    }

    fn fall_due(&mut self, now: Timestamp) {
        let Some((_, due)) = self.due.pop_first() else { return };
        match due {
            Due::NewController => self.new_controller(now),
            Due::Start(attempt) => self.begin(now, &attempt, Mode::Start),
            Due::Attach(attempt) => self.begin(now, &attempt, Mode::Attach),
            Due::Tick => self.input(now, Input::Tick),
            Due::Deliver => {
                if self.campaign.is_some() {
                    for signal in std::mem::take(&mut self.asked) {
                        self.input(now, Input::Signal(signal));
                    }
                }
            }
        }
    }

    fn begin(&mut self, now: Timestamp, attempt: &AttemptId, mode: Mode) {
        let Some(request) = self.campaign.as_ref().and_then(|campaign| campaign.request(attempt, mode)) else {
            self.monitor.complain(now, Invariant::Fold, format!("{attempt} is begun, but there is no request for it"));
            return;
        };
        let call = self.world.begin(now, &request);
        self.calls.insert(call, attempt.clone());
        self.look(now);
    }

    fn input(&mut self, now: Timestamp, input: Input) {
        let Some(campaign) = &mut self.campaign else { return };
        let shown = format!("{input:?}");
        match campaign.handle(now, input) {
            Ok(effects) => self.perform(now, effects),
            Err(error) => self.monitor.complain(now, Invariant::Fold, format!("{error} by {shown}")),
        }
    }

    /// Performs effects in order; a controller may die behind any record.
    fn perform(&mut self, now: Timestamp, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(body) => {
                    let record = self.chain.push(now, body);
                    self.monitor.recorded(&self.world, &record);
                    let seq = record.seq;
                    self.records.push(record);
                    if self.disturb(now, seq) {
                        return;
                    }
                }
                Effect::Begin { attempt, mode, not_before } => match not_before {
                    Some(at) if at > now => {
                        let due = if mode == Mode::Start { Due::Start(attempt) } else { Due::Attach(attempt) };
                        self.due.insert((at, due));
                    }
                    _ => self.begin(now, &attempt, mode),
                },
                Effect::Cancel => {
                    self.world.cancel_soaks(now);
                    self.look(now);
                }
                Effect::WakeAt(at) => {
                    self.due.insert((at.max(now), Due::Tick));
                }
                Effect::Finished => self.finished = true,
            }
        }
    }

    /// What happens behind this record; whether the controller is gone.
    fn disturb(&mut self, now: Timestamp, seq: u64) -> bool {
        let mut gone = false;
        for disturbance in self.disturbances.clone().into_iter().filter(|d| d.behind() == seq) {
            match disturbance {
                Disturbance::Kill { down_for, .. } => {
                    for call in std::mem::take(&mut self.calls).into_keys() {
                        self.world.forget(call);
                    }
                    self.replace(down_for.after(now));
                    gone = true;
                }
                Disturbance::TakeOver { .. } => {
                    // Its calls stay open. When they are answered, it cannot append any more, and stops.
                    for call in std::mem::take(&mut self.calls).into_keys() {
                        self.world.overtake(call);
                    }
                    self.replace(now);
                    gone = true;
                }
                Disturbance::Ask { signal, .. } => {
                    self.asked.push(signal);
                    self.due.insert((now, Due::Deliver));
                }
            }
        }
        gone
    }

    fn replace(&mut self, at: Timestamp) {
        self.campaign = None;
        self.due.clear();
        self.due.insert((at, Due::NewController));
    }

    fn new_controller(&mut self, now: Timestamp) {
        self.controllers += 1;
        match Campaign::fold(Arc::clone(&self.plan), self.digest, self.id.clone(), &self.records) {
            Ok(campaign) => {
                self.campaign = Some(campaign);
                let operator = format!("simulator {}", self.controllers);
                self.input(now, Input::Recover { operator });
                if !self.asked.is_empty() {
                    self.due.insert((now, Due::Deliver));
                }
            }
            Err(error) => {
                self.monitor.complain(now, Invariant::Fold, format!("the journal does not fold: {error}"));
                self.finished = true;
            }
        }
    }

    fn end(mut self, now: Timestamp) -> SimResult {
        let (phase, outcomes) =
            self.campaign.as_ref().map_or_else(|| (Phase::New, BTreeMap::new()), |c| (c.phase(), c.outcomes()));
        match Campaign::fold(Arc::clone(&self.plan), self.digest, self.id.clone(), &self.records) {
            Ok(folded) => {
                if self.campaign.as_ref().is_some_and(|live| *live != folded) {
                    self.monitor.complain(now, Invariant::Fold, "the state is not the fold of the journal");
                }
            }
            Err(error) => self.monitor.complain(now, Invariant::Fold, format!("the journal does not fold: {error}")),
        }
        if phase == Phase::Ended {
            self.monitor.finish(now, &self.world, &outcomes);
        } else if phase != Phase::Paused {
            self.monitor.complain(now, Invariant::Progress, format!("the campaign stands still in {phase:?}"));
        }
        // The last record names all before it.
        if let Some(record) = self.records.last() {
            let _ = writeln!(self.trace, "{}", record.digest());
        }
        SimResult {
            outcomes,
            phase,
            records: self.records,
            trace: Digest::of(self.trace.as_bytes()),
            ended_at: now,
            violations: self.monitor.violations,
            world: self.world,
            controllers: self.controllers,
        }
    }
}
