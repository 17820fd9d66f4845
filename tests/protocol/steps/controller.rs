//! The controllers: taking a campaign over, writing and performing what the engine decided, and making attempts.

use super::{Scene, Who};
use crate::engine::{Answer, Engines, Step as PlanStep, Told};
use crate::world::{
    Bad, Batch, Call, CallAt, Controller, Disk, Folders, Guard, Head, JobState, Restore, RestoreAt, Stage, Worker,
    World,
};

/// How often an attempt whose result is unknown is asked about before its time is up: once shows what every time does.
const PROBES: u64 = 1;

impl Scene<'_> {
    pub(super) fn controller(&mut self, by: u8) {
        let store = self.world.store_of(by, self.setting.folders);
        let mut world = self.world;
        match world.controllers[usize::from(by)] {
            Controller::Gone => self.takes_lock(by, store),
            // `SqliteJournal::claim`: `fence = fence + 1`.
            Controller::Locked => {
                world.stores[store].fence += u8::from(self.setting.has(Guard::NewFence));
                world.stores[store].newest = by;
                world.controllers[usize::from(by)] = Controller::Fenced { fence: world.stores[store].fence };
                self.to(Who::Controller(by), "takes the next fencing number", world);
            }
            // `EmbeddedEngine::resume`: reads, folds, and tells the engine to recover.
            Controller::Fenced { fence } => {
                let node = world.stores[store].journal;
                if self.engines.view(node).ended {
                    world.dies(by);
                    self.to(Who::Controller(by), "finds nothing left to do", world);
                } else {
                    let head = Head { fence, node, batches: [None; 2], worker: None };
                    world.controllers[usize::from(by)] = Controller::Runs(head);
                    let told = if node == Engines::NEW { Told::Start } else { Told::Recover };
                    self.input(&mut world, by, told);
                    self.to(Who::Controller(by), "reads the journal and goes on", world);
                }
            }
            Controller::Runs(head) => self.runs(by, store, head),
        }
        if let Some(mut world) = self.fault().filter(|_| world.controllers[usize::from(by)] != Controller::Gone) {
            world.dies(by);
            self.to(Who::Controller(by), "is killed", world);
            if !self.setting.has(Guard::DurableJournal) {
                world.stores[store].journal = self.engines.before(world.stores[store].journal);
                self.to(Who::Controller(by), "is killed, and the last record is lost", world);
            }
        }
    }

    /// `SqliteJournal::claim`: `try_lock` on a file; the system frees it when the process dies.
    fn takes_lock(&mut self, by: u8, store: usize) {
        let mut world = self.world;
        let held = world.stores[store].locked.is_some();
        if self.setting.folders == Folders::Copied && world.stores[store].fence == 0 {
            // Somebody copies the state folder to another machine.
            let Some(mut world) = self.fault().filter(|world| world.stores[0].journal != Engines::NEW) else { return };
            world.stores[1] = crate::world::Store { newest: by, locked: None, ..world.stores[0] };
            self.to(Who::Controller(by), "gets a copy of the state folder", world);
            return;
        }
        if self.engines.view(world.stores[store].journal).ended || (held && self.setting.has(Guard::StoreLock)) {
            return;
        }
        if held {
            let Some(stolen) = self.fault() else { return };
            world = stolen;
        }
        world.stores[store].locked = Some(by);
        world.controllers[usize::from(by)] = Controller::Locked;
        self.to(Who::Controller(by), "takes the lock of the campaign", world);
    }

    fn runs(&mut self, by: u8, store: usize, head: Head) {
        if let Some(batch) = head.batches[0] {
            self.writes(by, store, head, batch);
        }
        if let Some(worker) = head.worker {
            match worker.step {
                PlanStep::Fix => self.fix(by, worker),
                PlanStep::Restore => self.restores(by, worker),
                PlanStep::Verify | PlanStep::VerifyRestored => self.checks(by, worker),
            }
        }
        let view = self.engines.view(head.node);
        if let Some(mut world) = self.fault()
            && head.batches[1].is_none()
            && !view.aborted
            && !view.ended
        {
            // `Dispatcher::look`: an operator aborts.
            self.input(&mut world, by, Told::Abort);
            self.to(Who::Controller(by), "is told to abort", world);
        }
    }

    /// `JournalWriter` and `SqliteJournal::append`. The product writes a batch in one transaction; here a crash may keep
    /// any part of it, which is more than can happen.
    fn writes(&mut self, by: u8, store: usize, head: Head, batch: Batch) {
        let mut world = self.world;
        let decision = self.engines.decision(batch.decision).clone();
        let written = usize::from(batch.written);
        if written == decision.behind.len() {
            // `Dispatcher::written`: what follows from durable records happens.
            let head = world.head(by);
            head.batches = [head.batches[1], None];
            if self.setting.has(Guard::IntentFirst) {
                self.performs(&mut world, by, batch.decision);
            }
            self.to(Who::Controller(by), "does what follows from its records", world);
            return;
        }
        let end = written.checked_sub(1).map_or(batch.base, |last| decision.behind[last]);
        let follows = world.stores[store].journal == end;
        if self.setting.has(Guard::Fence) && (!follows || world.stores[store].fence != head.fence) {
            world.dies(by);
            self.to(Who::Controller(by), "is refused by the journal and stops", world);
            return;
        }
        let bad = (!follows || world.stores[store].newest != by).then_some(Bad::Overtaken);
        world.stores[store].journal = decision.behind[written];
        world.head(by).batches[0] = Some(Batch { written: batch.written + 1, ..batch });
        self.about(Who::Controller(by), "writes", decision.kinds[written], world, bad);
    }

    /// `Dispatcher::perform`.
    fn performs(&mut self, world: &mut World, by: u8, decision: u16) {
        let decision = self.engines.decision(decision);
        if decision.finished {
            world.dies(by);
        } else if let Some((step, attach)) = decision.begin {
            // A new controller does not know what the one before it has sent.
            let worker = Worker { step, attach, stage: Stage::Asks, sent: false, doubt: attach, late: false };
            world.head(by).worker = Some(worker);
        }
    }

    /// `Dispatcher::input`: the engine decides, its records go to the writer.
    fn input(&mut self, world: &mut World, by: u8, told: Told) {
        let hour = world.hour;
        let head = world.head(by);
        let number = self.engines.ask(head.node, told, hour);
        let batch = Batch { decision: number, base: head.node, written: 0 };
        head.node = self.engines.decision(number).next().expect("a record");
        let slot = head.batches.iter_mut().find(|slot| slot.is_none()).expect("room for a batch");
        *slot = Some(batch);
        if !self.setting.has(Guard::IntentFirst) {
            self.performs(world, by, number);
        }
    }

    /// A worker's answer reaches the engine. An attempt that is unknown is asked about again; the model does so a few
    /// times only and waits otherwise.
    fn ends(&mut self, world: World, by: u8, what: &'static str, answer: Answer) {
        let mut world = world;
        let node = world.head(by).node;
        let Some(worker) = world.head(by).worker else { return };
        if world.head(by).batches[1].is_some()
            || (answer == Answer::Unknown && !worker.late && self.engines.view(node).probes >= PROBES)
        {
            return;
        }
        world.head(by).worker = None;
        self.input(&mut world, by, Told::Finished(worker.step, answer));
        self.to(Who::Controller(by), what, world);
    }

    fn stays(&mut self, world: World, by: u8, what: &'static str, stage: Stage) {
        let mut world = world;
        if let Some(worker) = &mut world.head(by).worker {
            worker.stage = stage;
            worker.doubt = true;
        }
        self.to(Who::Controller(by), what, world);
    }

    /// `Work::check_step`: a look at the host, made again whenever its answer was lost.
    fn checks(&mut self, by: u8, worker: Worker) {
        let wanted = if worker.step == PlanStep::Verify { Disk::Fixed } else { Disk::Original };
        if self.world.host.up && self.world.host.disk == wanted {
            self.ends(self.world, by, "sees that the host is well", Answer::Succeeded);
            if let Some(world) = self.fault() {
                self.ends(world, by, "sees that a service does not answer", Answer::Refused);
            }
        } else {
            self.ends(self.world, by, "sees that the host is not well", Answer::Refused);
        }
    }

    /// `Work::change_step` over `drive`: a detached job is started or attached to, and followed.
    fn fix(&mut self, by: u8, worker: Worker) {
        if worker.attach && !self.setting.has(Guard::Attach) {
            self.ends(self.world, by, "takes the open intent for one that never began", Answer::Refused);
            return;
        }
        let never_sent = if worker.attach { Answer::Unknown } else { Answer::Refused };
        match worker.stage {
            Stage::Asks if worker.late => {
                let answer = if worker.sent { Answer::Unknown } else { never_sent };
                self.ends(self.world, by, "runs out of time", answer);
            }
            Stage::Asks => {
                if let Some(free) = self.world.calls.iter().position(Option::is_none).filter(|_| self.world.host.up) {
                    let mut world = self.world;
                    world.calls[free] = Some(Call { from: Some(by), at: CallAt::Sent });
                    world.head(by).worker = Some(Worker { sent: true, stage: Stage::Waits, ..worker });
                    self.to(Who::Controller(by), "sends a call for the job", world);
                }
                if let Some(world) = self.fault().filter(|_| !worker.sent) {
                    // `JobEnd::NeverSent`: no connection within `FIRST_CONTACT`.
                    self.ends(world, by, "reaches nobody", never_sent);
                }
            }
            Stage::Looks if worker.late => self.ends(self.world, by, "runs out of time", Answer::Unknown),
            // `Call::Look` changes nothing on the host: question and answer are one step.
            Stage::Looks if self.world.host.up => {
                let state = self.world.host.look();
                self.hears(self.world, by, worker, state);
                if let Some(world) = self.fault() {
                    self.hears(world, by, worker, JobState::NotClaimed);
                }
            }
            Stage::Looks => {}
            Stage::Waits => self.waits(by, worker),
        }
    }

    fn waits(&mut self, by: u8, worker: Worker) {
        let mine = |call: &Option<Call>| call.is_some_and(|call| call.from == Some(by));
        let Some(slot) = self.world.calls.iter().position(mine) else { return };
        if let Some(Call { at: CallAt::Answers(state), .. }) = self.world.calls[slot] {
            let mut world = self.world;
            world.calls[slot] = None;
            self.hears(world, by, worker, state);
        }
        if let Some(mut world) = self.fault() {
            // `TransportError::Lost` or `Timeout`: the call may be anywhere.
            world.calls[slot] = world.calls[slot].map(|call| Call { from: None, ..call });
            world.forget_answers();
            if self.setting.has(Guard::LostIsNoFailure) {
                world.loses_call(by);
                self.to(Who::Controller(by), "loses the connection", world);
            } else {
                self.ends(world, by, "takes a lost connection for a job that did not run", Answer::Refused);
            }
        }
    }

    /// `drive`, and `Work::ended` behind it: what the state of a job means for the step.
    fn hears(&mut self, world: World, by: u8, worker: Worker, state: JobState) {
        match state {
            JobState::Done(answer) => self.ends(world, by, "hears how the job ended", answer),
            JobState::Running => self.stays(world, by, "hears that the job runs", Stage::Looks),
            JobState::Claimed if worker.stage == Stage::Looks => {}
            JobState::Claimed => self.stays(world, by, "hears that the job has not started", Stage::Asks),
            JobState::LostByReboot => self.ends(world, by, "hears that the job was lost by a reboot", Answer::Failed),
            JobState::NotClaimed if worker.doubt && self.setting.has(Guard::Doubt) => {
                self.ends(world, by, "hears that the host cannot take the job, and doubts it", Answer::Unknown);
                if worker.stage == Stage::Waits {
                    self.stays(world, by, "hears that the host cannot take the job, and asks again", Stage::Asks);
                }
            }
            JobState::NotClaimed => self.ends(world, by, "hears that the host cannot take the job", Answer::Refused),
            JobState::Lost | JobState::Absent => {
                self.ends(world, by, "hears that the job is gone", Answer::Unknown);
                if worker.stage != Stage::Looks {
                    self.stays(world, by, "hears that the job is gone, and looks again", Stage::Looks);
                }
            }
        }
    }

    /// `Work::restore_step`: the provider is asked; the same call with the same key finds out what became of an earlier.
    fn restores(&mut self, by: u8, worker: Worker) {
        let machine = if self.setting.folders == Folders::One { 0 } else { by };
        let mine = |restore: &Option<Restore>| restore.is_some_and(|restore| restore.from == Some(by));
        match worker.stage {
            Stage::Asks if worker.late => self.ends(self.world, by, "runs out of time", Answer::Unknown),
            Stage::Asks => {
                let works = |restore: &Restore| {
                    restore.machine == machine && matches!(restore.at, RestoreAt::Alone | RestoreAt::Works)
                };
                if self.world.restores.iter().flatten().any(works) && self.setting.has(Guard::EffectLock) {
                    self.ends(self.world, by, "finds an earlier restore at work", Answer::Unknown);
                } else if let Some(free) = self.world.restores.iter().position(Option::is_none) {
                    let mut world = self.world;
                    world.restores[free] = Some(Restore { from: Some(by), machine, at: RestoreAt::Alone });
                    world.head(by).worker = Some(Worker { sent: true, stage: Stage::Waits, ..worker });
                    self.to(Who::Controller(by), "asks the provider for a restore", world);
                }
            }
            _ => {
                let Some(slot) = self.world.restores.iter().position(mine) else { return };
                let Some(Restore { at: RestoreAt::Answers(answer), .. }) = self.world.restores[slot] else { return };
                let mut world = self.world;
                world.restores[slot] = None;
                self.ends(world, by, "hears from the provider", answer);
                if answer == Answer::Unknown {
                    self.stays(world, by, "hears nothing sure from the provider, and asks again", Stage::Asks);
                }
            }
        }
    }
}
