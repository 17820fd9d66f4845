//! The state of the model: what is in the store, in the heads of two controllers, on the host, and on the way.

use crate::engine::{Answer, Node, Step};

/// What can be taken out of the protocol, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// `OpenOptions::try_lock` in `SqliteJournal::claim`: one controller while its process lives.
    StoreLock,
    /// `fence = fence + 1` in `SqliteJournal::claim`.
    NewFence,
    /// The fence and the chain of `SqliteJournal::append`: who was taken over writes nothing more.
    Fence,
    /// `PRAGMA synchronous = FULL`: what was acknowledged is not lost, whatever dies.
    DurableJournal,
    /// `Dispatcher`: effects wait until the records before them are durable.
    IntentFirst,
    /// `Mode::Attach`: an open intent is asked about on the host, not taken for one that never began.
    Attach,
    /// `drive`: a lost connection is not a failed job.
    LostIsNoFailure,
    /// `drive` and `ended`: that a host cannot take a job proves nothing as long as an earlier call may be on its way.
    Doubt,
    /// `mv -T` in attach.sh: one folder a job, whoever comes first.
    AtomicClaim,
    /// `flock -n 9` in runner.sh.
    RunnerLock,
    /// `[ -e started ]` in runner.sh.
    StartedMarker,
    /// `durable started.tmp` in runner.sh: the mark is on disk before the job runs.
    DurableMark,
    /// `durable . .. ../.. ../../..` in runner.sh: so are the folders above it.
    DurableFolders,
    /// The folder of jobs is on a disk that survives a reboot.
    DurableSpool,
    /// `limit` and `timeout` in runner.sh and `GRACE` of the engine: a job is over on the host before it is given up.
    Limit,
    /// `effect_lock`, `alone` in machine.sh: a restore that goes on without its controller is alone.
    EffectLock,
    /// A restore that takes the disk back stops what runs and cuts what is connected.
    RestoreCuts,
}

/// How far an exploration goes, and what it leaves out.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// How many things may go wrong.
    pub faults: u8,
    /// One bit a guard.
    pub without: u32,
    /// Whether the restore stops the host and takes its whole disk back, or works on the running host and leaves the
    /// folder of jobs alone, as restic does.
    pub restore: RestoreKind,
    /// Whether both controllers work on one state folder, or the second on a copy of the first one's, elsewhere.
    pub folders: Folders,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreKind {
    Disk,
    Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    One,
    Copied,
}

impl Setting {
    pub const fn new(faults: u8) -> Self {
        Self { faults, without: 0, restore: RestoreKind::Disk, folders: Folders::One }
    }

    pub const fn without(self, guard: Guard) -> Self {
        Self { without: self.without | 1 << guard as u32, ..self }
    }

    pub const fn has(&self, guard: Guard) -> bool {
        self.without & 1 << guard as u32 == 0
    }
}

/// Everything at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// How often more time has passed than any step may take.
    pub hour: u8,
    pub faults_left: u8,
    pub stores: [Store; 2],
    pub controllers: [Controller; 2],
    pub calls: [Option<Call>; 2],
    pub host: Host,
    pub restores: [Option<Restore>; 2],
}

/// A state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// Where its journal stands.
    pub journal: Node,
    /// The last fencing number given out, and who has it.
    pub fence: u8,
    pub newest: u8,
    /// The controller whose process holds the lock.
    pub locked: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Controller {
    Gone,
    /// It has the lock and not yet a number.
    Locked,
    /// It has a number and has not yet read the journal.
    Fenced {
        fence: u8,
    },
    Runs(Head),
}

/// What a controller has in its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub fence: u8,
    /// What its engine believes.
    pub node: Node,
    /// Records that are not acknowledged yet, oldest first.
    pub batches: [Option<Batch>; 2],
    pub worker: Option<Worker>,
}

/// A decision of the engine on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    pub decision: u16,
    /// Where the journal stood before it.
    pub base: Node,
    /// How many of its records are durable.
    pub written: u8,
}

/// An attempt that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    pub step: Step,
    pub attach: bool,
    pub stage: Stage,
    /// A call has left this controller.
    pub sent: bool,
    /// An earlier call, of this controller or of one before it, has found the job or was not answered.
    pub doubt: bool,
    /// The step's time is up.
    pub late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Asks,
    /// It has seen the job run and only looks from now on.
    Looks,
    Waits,
}

/// A call for the job on its way to the host, at work there, or on its way back: one run of attach.sh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The controller that waits for the answer, if any still does.
    pub from: Option<u8>,
    pub at: CallAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallAt {
    Sent,
    /// It found no job and uploads one.
    Uploads,
    /// It has moved a job into place that is not known to be on disk.
    Moved,
    Launches,
    /// It has launched a runner and looks again soon.
    Lingers,
    Answers(JobState),
}

/// What a call says of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    Absent,
    Claimed,
    Running,
    Done(Answer),
    Lost,
    LostByReboot,
    NotClaimed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    pub up: bool,
    pub disk: Disk,
    pub job: Option<Job>,
    pub runners: [Option<Runner>; 2],
    /// How often the fix has begun; two stands for more.
    pub fixes: u8,
}

/// What the fix has made of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disk {
    Original,
    Half,
    Fixed,
}

/// The job's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Whether a power cut leaves it there.
    pub durable: bool,
    pub started: Option<Started>,
    pub rc: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Started {
    pub durable: bool,
    pub in_this_boot: bool,
}

/// One run of runner.sh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Runner {
    pub at: RunnerAt,
    /// The folder that it runs in was replaced by another of the same name.
    pub cast_out: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunnerAt {
    Spawned,
    /// From here on it holds the lock.
    Locked,
    Marked,
    Works,
    Ended(Answer),
}

/// A restore by the provider: a process on the controller's machine, or one that it reaches from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Restore {
    pub from: Option<u8>,
    /// The machine whose effect lock it holds.
    pub machine: u8,
    pub at: RestoreAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestoreAt {
    Alone,
    Works,
    Answers(Answer),
}

/// Something that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    /// Two effects at once on the host.
    TwoAtOnce,
    /// The fix begins on a system on which it has begun.
    FixedTwice,
    /// The fix begins on a system that was restored after it.
    FixedAgain,
    /// An effect begins although no intent of it is open in the journal.
    NoIntent,
    /// Somebody who was taken over writes to the journal.
    Overtaken,
    /// A host ends in a state that it is not in.
    WrongEnd,
    /// Nothing can end the host any more.
    NoWayToEnd,
}

/// A bad thing, or none.
pub type Found = Option<Bad>;

impl World {
    pub fn new(faults: u8) -> Self {
        let store = Store { journal: 0, fence: 0, newest: 0, locked: None };
        let host = Host { up: true, disk: Disk::Original, job: None, runners: [None; 2], fixes: 0 };
        Self {
            hour: 0,
            faults_left: faults,
            stores: [store; 2],
            controllers: [Controller::Gone; 2],
            calls: [None; 2],
            host,
            restores: [None; 2],
        }
    }

    /// One order for what has none.
    pub fn canonical(mut self) -> Self {
        self.calls.sort();
        self.host.runners.sort();
        self.restores.sort();
        self
    }

    /// The store of a controller.
    pub fn store_of(&self, controller: u8, folders: Folders) -> usize {
        match folders {
            Folders::One => 0,
            Folders::Copied => usize::from(controller),
        }
    }

    pub fn head(&mut self, controller: u8) -> &mut Head {
        match &mut self.controllers[usize::from(controller)] {
            Controller::Runs(head) => head,
            other => panic!("controller {controller} is {other:?}"),
        }
    }

    /// A controller's process is gone; what it has sent and started goes on.
    pub fn dies(&mut self, controller: u8) {
        self.controllers[usize::from(controller)] = Controller::Gone;
        for store in &mut self.stores {
            store.locked = store.locked.filter(|by| *by != controller);
        }
        for call in &mut self.calls {
            *call = call.and_then(|call| forsaken(call, controller));
        }
        for restore in self.restores.iter_mut().flatten() {
            restore.from = restore.from.filter(|from| *from != controller);
        }
        self.forget_answers();
    }

    /// Answers that nobody waits for are gone.
    pub fn forget_answers(&mut self) {
        let unheard = |call: &Call| call.from.is_none() && matches!(call.at, CallAt::Answers(_));
        self.calls.iter_mut().for_each(|call| *call = call.filter(|call| !unheard(call)));
        let unheard = |restore: &Restore| restore.from.is_none() && matches!(restore.at, RestoreAt::Answers(_));
        self.restores.iter_mut().for_each(|restore| *restore = restore.filter(|restore| !unheard(restore)));
    }

    /// Every connection to the host ends, and everything that runs there.
    pub fn host_stops(&mut self, cuts: bool) {
        self.host.runners = [None; 2];
        if !cuts {
            return;
        }
        for call in std::mem::take(&mut self.calls).into_iter().flatten() {
            if let Some(from) = call.from {
                self.loses_call(from);
            }
        }
    }

    /// A controller's connection ends: it does not know what became of its call.
    pub fn loses_call(&mut self, controller: u8) {
        if let Some(worker) = &mut self.head(controller).worker {
            worker.stage = Stage::Asks;
            worker.doubt = true;
        }
    }
}

/// A call of which this controller hears no more.
pub fn forsaken(mut call: Call, controller: u8) -> Option<Call> {
    call.from = call.from.filter(|from| *from != controller);
    Some(call)
}
