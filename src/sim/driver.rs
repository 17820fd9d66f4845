//! Runs a campaign in virtual time: the engine's machines against the simulated world, with controllers that die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
use crate::engine::planted::{Defect, planted};
use crate::engine::{Approval, Campaign, Chain, Effect, Input, Mode, Phase, Record, RecordBody, Signal, StepResult};
use crate::model::{AttemptId, CampaignId, Digest, TimeSpan};
use crate::plan::Plan;

use super::journal::{Trace, read_tail, torn};
use super::monitor::Monitor;
use super::{
    CallId, Coverage, Disturbance, Invariant, JournalFault, Moment, SimResult, SimRun, SimWorld, StepAt, StepState,
    Trouble, WhenPaused,
};

/// A bound on the events of one run; a run of a hundred hosts has some ten thousand.
const MAX_EVENTS: u64 = 2_000_000;
/// How often a person comes back to a campaign that stands still.
const MAX_ASKS: u32 = 50;

/// What the driver itself has to do at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    NewController,
    /// The controller notices that its clock was set forward.
    Leapt,
    Start(AttemptId),
    Attach(AttemptId),
    Tick,
    Deliver,
    /// A disturbance whose time has come, by its number among [`Driver::timed`].
    Disturb(usize),
}

/// A clock that is set forward by less is taken for a corrected one.
const NOTICED: SignedDuration = SignedDuration::from_secs(10);

struct Driver {
    plan: Arc<Plan>,
    digest: Digest,
    id: CampaignId,
    world: SimWorld,
    monitor: Monitor,
    campaign: Option<Campaign>,
    /// The fold of the journal, kept beside the campaign: after every input they must be equal.
    folded: Campaign,
    chain: Chain,
    records: Vec<Record>,
    /// What is left of a record that was torn.
    tail: Vec<u8>,
    calls: BTreeMap<CallId, (AttemptId, Mode)>,
    due: BTreeSet<(Timestamp, Due)>,
    asked: Vec<Signal>,
    disturbances: Vec<Disturbance>,
    /// Disturbances that wait for their time.
    timed: Vec<Trouble>,
    /// How far the controller's clock is from the world's.
    skew: SignedDuration,
    /// By how much it was set forward since the controller looked.
    leapt: SignedDuration,
    /// What it showed when the last input was given.
    decided_at: Timestamp,
    trace: Trace,
    controllers: u32,
    stops: Vec<(Timestamp, JournalFault)>,
    coverage: Coverage,
    finished: bool,
}

/// Whether a controller is there behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controller {
    Alive,
    Gone,
}

impl SimRun {
    /// Runs it to its end, or until it stands still.
    pub fn run(self) -> SimResult {
        #[expect(clippy::unwrap_used, reason = "a constant that is a valid id")]
        let id = CampaignId::new("simulated").unwrap();
        let campaign = Campaign::new(Arc::clone(&self.plan), self.digest, id.clone());
        let mut driver = Driver {
            monitor: Monitor::new(Arc::clone(&self.plan), &self.world),
            folded: campaign.clone(),
            campaign: Some(campaign),
            chain: Chain::new(id.clone(), self.digest),
            plan: self.plan,
            digest: self.digest,
            id,
            world: self.world,
            records: Vec::new(),
            tail: Vec::new(),
            calls: BTreeMap::new(),
            due: BTreeSet::new(),
            asked: Vec::new(),
            disturbances: self.disturbances,
            timed: Vec::new(),
            skew: SignedDuration::ZERO,
            leapt: SignedDuration::ZERO,
            decided_at: self.start,
            trace: Trace::default(),
            controllers: 1,
            stops: Vec::new(),
            coverage: Coverage::default(),
            finished: false,
        };
        let mut now = self.start;
        driver.input(
            now,
            Input::Start { operator: "simulator".to_owned(), approvals: driver.approvals(now).unwrap_or_default() },
        );
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

fn later_by(now: Timestamp, milliseconds: u32) -> Timestamp {
    super::act::later(now, i64::from(milliseconds))
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
            && let Some((attempt, _)) = self.calls.remove(&call)
        {
            self.input(now, Input::Finished { attempt, result });
        }
    }

    /// Shows the monitor what has happened in the world.
    fn look(&mut self, at: Timestamp) {
        let seen = self.world.take_seen();
        for observation in &seen {
            self.trace.saw(at, observation);
            self.monitor.saw(at, &self.world, observation);
        }
        if !seen.is_empty() {
            self.monitor.between(at, &self.world);
        }
    }

    /// What the controller takes for the time.
    fn clock(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.skew).unwrap_or(now)
    }

    /// When the controller's clock shows this time.
    fn world_time(&self, clock: Timestamp) -> Timestamp {
        clock.checked_sub(self.skew).unwrap_or(clock)
    }

    /// What people have signed by now.
    fn approvals(&self, now: Timestamp) -> Option<Vec<Approval>> {
        super::approve::given(&self.plan, self.clock(now), self.controllers).filter(|_| !self.plan.approvals.is_empty())
    }

    fn fall_due(&mut self, now: Timestamp) {
        let Some((_, due)) = self.due.pop_first() else { return };
        match due {
            Due::NewController => self.new_controller(now),
            Due::Start(attempt) => self.begin(now, &attempt, Mode::Start),
            Due::Attach(attempt) => self.begin(now, &attempt, Mode::Attach),
            Due::Leapt => {
                let from = self.clock(now).checked_sub(std::mem::take(&mut self.leapt)).unwrap_or(Timestamp::MIN);
                self.input(now, Input::Leapt { from });
            }
            Due::Tick => self.input(now, Input::Tick),
            Due::Disturb(number) => self.disturb(now, number),
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
        self.calls.insert(call, (attempt.clone(), mode));
        self.look(now);
        if self.disturbances.iter().any(|disturbance| matches!(disturbance.at, Moment::During { .. })) {
            self.time_disturbances(now, attempt);
        }
    }

    /// Disturbances that are due some time behind the begin of this attempt.
    fn time_disturbances(&mut self, now: Timestamp, attempt: &AttemptId) {
        let Some(here) = self.plan.step(&attempt.step).map(|(plan, step)| StepAt::of(plan, step)) else { return };
        let due = |d: &Disturbance| matches!(d.at, Moment::During { at, .. } if at == here);
        let (timed, later) = std::mem::take(&mut self.disturbances).into_iter().partition(due);
        self.disturbances = later;
        for Disturbance { at, what } in timed {
            if let Moment::During { milliseconds, .. } = at {
                self.due.insert((later_by(now, milliseconds), Due::Disturb(self.timed.len())));
                self.timed.push(what);
            }
        }
    }

    fn disturb(&mut self, now: Timestamp, number: usize) {
        // Nobody is there whom it could meet.
        let Some(what) = self.timed.get(number).filter(|_| self.campaign.is_some()).cloned() else { return };
        match what {
            Trouble::Torn { .. } | Trouble::JournalFails { .. } => {
                let next = Moment::Record(self.chain.seq().saturating_add(1));
                self.disturbances.push(Disturbance { at: next, what });
                self.input(now, Input::Signal(Signal::Pause { by: "operator".to_owned() }));
            }
            what => {
                self.met(None, &[&what]);
                self.suffer(now, what);
            }
        }
    }

    fn input(&mut self, now: Timestamp, input: Input) {
        let clock = self.clock(now);
        self.decided_at = clock;
        let Some(campaign) = &mut self.campaign else { return };
        match campaign.handle(clock, input) {
            Ok(effects) => self.perform(now, effects),
            Err(error) => self.monitor.complain(now, Invariant::Fold, error.to_string()),
        }
        if self.campaign.as_ref().is_some_and(|live| *live != self.folded) {
            self.monitor.complain(now, Invariant::Fold, "the state is not the fold of the journal");
        }
    }

    /// Performs effects in order; a controller may die behind any record, or while it writes one.
    fn perform(&mut self, now: Timestamp, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(body) => {
                    if self.append(now, body) == Controller::Gone {
                        return;
                    }
                }
                Effect::Begin { attempt, mode, not_before } => match not_before.map(|at| self.world_time(at)) {
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
                    self.due.insert((self.world_time(at).max(now), Due::Tick));
                }
                Effect::Finished => self.finished = true,
            }
        }
    }

    /// Writes a record, and lets happen what is to happen with it.
    fn append(&mut self, now: Timestamp, body: RecordBody) -> Controller {
        // Whatever happens to the clock meanwhile: the records of one input have the time of that input.
        let record = self.chain.push(self.decided_at, body);
        let place = self.place(&record);
        let with_it = |disturbance: &Disturbance| match disturbance.at {
            Moment::Record(seq) => seq == record.seq,
            Moment::Step { at, state } => place == Some((at, state)),
            Moment::Controller(number) => {
                matches!(record.body, RecordBody::ControllerStarted { fence, .. } if fence == number)
            }
            Moment::During { .. } => false,
        };
        if !self.disturbances.iter().any(with_it) {
            self.durable(record);
            return Controller::Alive;
        }
        let (due, later) = std::mem::take(&mut self.disturbances).into_iter().partition(with_it);
        self.disturbances = later;
        self.met(place, &due.iter().map(|disturbance| &disturbance.what).collect::<Vec<_>>());
        let loses = |d: &Disturbance| matches!(d.what, Trouble::Torn { .. } | Trouble::JournalFails { .. });
        match due.iter().find(|disturbance| loses(disturbance)).map(|disturbance| disturbance.what.clone()) {
            Some(Trouble::Torn { thousandths, down_for }) => {
                self.tail = torn(&record, thousandths);
                #[cfg(test)]
                if planted(Defect::ActsBeforeItIsDurable)
                    && let RecordBody::Intent { attempt, .. } = &record.body
                {
                    self.begin(now, &attempt.clone(), Mode::Start);
                }
                self.die(now, down_for);
                return Controller::Gone;
            }
            Some(Trouble::JournalFails { why, down_for }) => {
                self.stops.push((now, why));
                self.die(now, down_for);
                return Controller::Gone;
            }
            _ => self.durable(record),
        }
        let mut left = Controller::Alive;
        for disturbance in due {
            if self.suffer(now, disturbance.what) == Controller::Gone {
                left = Controller::Gone;
            }
        }
        left
    }

    /// Something is done to the controller between two records, or asked of it.
    fn suffer(&mut self, now: Timestamp, what: Trouble) -> Controller {
        match what {
            Trouble::Kill { down_for } => {
                self.die(now, down_for);
                return Controller::Gone;
            }
            Trouble::TakeOver => {
                // Its calls stay open. When they are answered, it cannot append any more, and stops.
                for call in std::mem::take(&mut self.calls).into_keys() {
                    self.world.overtake(call);
                }
                self.replace(now);
                return Controller::Gone;
            }
            Trouble::Ask(signal) => {
                self.asked.push(signal);
                self.due.insert((now, Due::Deliver));
            }
            Trouble::ClockJump { seconds } => self.set_clock(now, seconds),
            Trouble::Torn { .. } | Trouble::JournalFails { .. } => {}
        }
        Controller::Alive
    }

    fn durable(&mut self, record: Record) {
        if let Err(error) = self.folded.apply(record.at, &record.body) {
            self.monitor.complain(record.at, Invariant::Fold, format!("record {} does not fold: {error}", record.seq));
        }
        self.monitor.recorded(&self.world, &record);
        self.records.push(record);
    }

    /// The step that a record is about, and how far it says that it is.
    fn place(&self, record: &Record) -> Option<(StepAt, StepState)> {
        let (attempt, state) = match &record.body {
            RecordBody::Intent { attempt, .. } => (attempt, StepState::Intended),
            RecordBody::Probing { attempt, .. } => (attempt, StepState::Unknown),
            RecordBody::Outcome { attempt, result } => (
                attempt,
                match result {
                    StepResult::Succeeded { .. } | StepResult::NothingToDo { .. } => StepState::Succeeded,
                    StepResult::Failed { .. } => StepState::Failed,
                    StepResult::Unknown { .. } => StepState::Unknown,
                },
            ),
            _ => return None,
        };
        let (plan, step) = self.plan.step(&attempt.step)?;
        Some((StepAt::of(plan, step), state))
    }

    /// Counts what these meet: the step of the record, and all that run.
    fn met(&mut self, place: Option<(StepAt, StepState)>, due: &[&Trouble]) {
        let running = self.calls.values().filter_map(|(attempt, mode)| {
            let (plan, step) = self.plan.step(&attempt.step)?;
            let state = if *mode == Mode::Start { StepState::Running } else { StepState::Unknown };
            Some((StepAt::of(plan, step), state))
        });
        for (at, state) in running.chain(place) {
            due.iter().for_each(|trouble| self.coverage.hit((trouble.name(), at, state)));
        }
    }

    /// Nobody waits for its calls any more; another starts later.
    fn die(&mut self, now: Timestamp, down_for: TimeSpan) {
        for call in std::mem::take(&mut self.calls).into_keys() {
            self.world.forget(call);
        }
        self.replace(down_for.after(now));
    }

    fn replace(&mut self, at: Timestamp) {
        self.campaign = None;
        // Who comes next does not know it.
        self.leapt = SignedDuration::ZERO;
        self.due.retain(|(_, due)| matches!(due, Due::Disturb(_)));
        self.due.insert((at, Due::NewController));
    }

    /// Timers are for times on the wall, pauses between two looks are not.
    fn set_clock(&mut self, now: Timestamp, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.skew = self.skew.saturating_add(by);
        let moved = |(at, due): (Timestamp, Due)| match due {
            Due::Tick => (at.checked_sub(by).unwrap_or(at).max(now), due),
            _ => (at, due),
        };
        self.due = std::mem::take(&mut self.due).into_iter().map(moved).collect();
        if self.campaign.is_some() && by > NOTICED {
            self.leapt = self.leapt.saturating_add(by);
            self.due.insert((now, Due::Leapt));
        }
        self.due.insert((now, Due::Tick));
    }

    /// What a controller finds on the disk: whole records, and the rest of a torn one, which it leaves out.
    fn read_journal(&mut self) {
        self.chain = self.records.last().map_or_else(|| Chain::new(self.id.clone(), self.digest), Chain::after);
        let tail = std::mem::take(&mut self.tail);
        if let Some(record) = read_tail(&self.chain, &tail) {
            // The tear was behind its last byte.
            self.chain = Chain::after(&record);
            self.durable(record);
        }
    }

    fn new_controller(&mut self, now: Timestamp) {
        self.controllers += 1;
        self.read_journal();
        #[cfg(test)]
        if planted(Defect::LosesTheLastRecord) {
            self.records.pop();
            self.chain = self.records.last().map_or_else(|| Chain::new(self.id.clone(), self.digest), Chain::after);
        }
        match Campaign::fold(Arc::clone(&self.plan), self.digest, self.id.clone(), &self.records) {
            Ok(campaign) => {
                self.campaign = Some(campaign);
                let operator = format!("simulator {}", self.controllers);
                // Nothing is durable of a campaign whose first record was lost: it is started.
                let first = self.records.is_empty();
                let approvals = self.approvals(now);
                let input = match first {
                    true => Input::Start { operator, approvals: approvals.unwrap_or_default() },
                    false => Input::Recover { operator, approvals },
                };
                self.input(now, input);
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
        if phase == Phase::Ended {
            self.monitor.finish(now, &self.world, &outcomes);
        } else if phase != Phase::Paused {
            self.monitor.complain(now, Invariant::Progress, format!("the campaign stands still in {phase:?}"));
        }
        // The last record names all before it.
        let last = self.records.last().map(Record::digest);
        self.coverage.add(&self.world.hits);
        SimResult {
            outcomes,
            phase,
            records: self.records,
            trace: self.trace.digest(last),
            ended_at: now,
            violations: self.monitor.violations,
            world: self.world,
            controllers: self.controllers,
            stops: self.stops,
            coverage: self.coverage,
        }
    }
}
