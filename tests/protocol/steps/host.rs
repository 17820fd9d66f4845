//! The host: calls for its job (attach.sh), the job itself (runner.sh), reboots, restores, and time.

use super::{Scene, Who};
use crate::engine::{Answer, Step as PlanStep};
use crate::world::{
    Bad, CallAt, Controller, Disk, Found, Guard, Host, Job, JobState, RestoreAt, RestoreKind, Runner, RunnerAt, Stage,
    Started,
};

impl Host {
    /// `look` in attach.sh. The lock is asked about last, and `rc` once more behind it: that is one step here.
    pub fn look(&self) -> JobState {
        let runs = |runner: &Runner| runner.at > RunnerAt::Spawned && !runner.cast_out;
        match self.job {
            None => JobState::Absent,
            Some(Job { rc: Some(answer), .. }) => JobState::Done(answer),
            Some(Job { started: None, .. }) => JobState::Claimed,
            Some(_) if self.runners.iter().flatten().any(runs) => JobState::Running,
            Some(Job { started: Some(started), .. }) if !started.in_this_boot => JobState::LostByReboot,
            Some(_) => JobState::Lost,
        }
    }

    /// Room for one more runner.
    fn free(&self) -> Option<usize> {
        self.runners.iter().position(Option::is_none)
    }
}

impl Scene<'_> {
    /// One run of attach.sh, step by step. It goes on though the connection is gone and its controller is dead.
    pub(super) fn call(&mut self, slot: usize) {
        let Some(call) = self.world.calls[slot] else { return };
        let mut world = self.world;
        let goes_to = |at: CallAt| Some(crate::world::Call { at, ..call });
        let told = |host: &Host| match host.look() {
            JobState::Claimed => CallAt::Launches,
            state => CallAt::Answers(state),
        };
        match call.at {
            // `look`, the first time. A message that was never delivered is one that stays here.
            CallAt::Sent => {
                let at = match world.host.look() {
                    JobState::Absent => CallAt::Uploads,
                    _ => told(&world.host),
                };
                world.calls[slot] = goes_to(at);
                world.forget_answers();
                self.to(Who::Call, "arrives and looks", world);
                if let Some(mut world) = self.fault() {
                    // `for tool in flock mktemp setsid sha256sum`, before anything is looked at.
                    world.calls[slot] = goes_to(CallAt::Answers(JobState::NotClaimed));
                    world.forget_answers();
                    self.to(Who::Call, "misses a tool", world);
                }
            }
            // `claim`: what was uploaded beside its place is moved there, or thrown away where somebody was faster.
            CallAt::Uploads => {
                if world.host.job.is_none() || !self.setting.has(Guard::AtomicClaim) {
                    let cast_out = world.host.job.is_some();
                    world.host.runners.iter_mut().flatten().for_each(|runner| runner.cast_out |= cast_out);
                    world.host.job = Some(Job { durable: false, started: None, rc: None });
                    world.calls[slot] = goes_to(CallAt::Moved);
                } else {
                    world.calls[slot] = goes_to(told(&world.host));
                    world.forget_answers();
                }
                self.to(Who::Call, "moves its upload into place", world);
                if let Some(mut world) = self.fault() {
                    world.calls[slot] = goes_to(CallAt::Answers(JobState::NotClaimed));
                    world.forget_answers();
                    self.to(Who::Call, "finds no room for its upload", world);
                }
            }
            // `durable "$home"`.
            CallAt::Moved => {
                if let Some(job) = &mut world.host.job {
                    job.durable = true;
                }
                world.calls[slot] = goes_to(told(&world.host));
                world.forget_answers();
                self.to(Who::Call, "has the claim on disk", world);
            }
            // `launch`.
            CallAt::Launches => {
                let Some(free) = world.host.free() else { return };
                if world.host.job.is_some() {
                    world.host.runners[free] = Some(Runner { at: RunnerAt::Spawned, cast_out: false });
                }
                world.calls[slot] = goes_to(CallAt::Lingers);
                self.to(Who::Call, "launches a runner", world);
            }
            // `look` once more, whether the runner has begun by then or not.
            CallAt::Lingers => {
                world.calls[slot] = goes_to(CallAt::Answers(world.host.look()));
                world.forget_answers();
                self.to(Who::Call, "looks again and answers", world);
            }
            // Its controller takes the answer.
            CallAt::Answers(_) => {}
        }
    }

    /// One run of runner.sh.
    pub(super) fn runner(&mut self, slot: usize) {
        let Some(runner) = self.world.host.runners[slot] else { return };
        let mut world = self.world;
        let host = &mut world.host;
        let goes_to = |at: RunnerAt| Some(Runner { at, ..runner });
        match runner.at {
            // `flock -n 9 || exit 0`, then `if [ -e started ] || [ -e rc ]; then exit 0; fi`: nobody else writes these
            // while the lock is held.
            RunnerAt::Spawned => {
                let holds = |other: &Runner| other.at > RunnerAt::Spawned && other.cast_out == runner.cast_out;
                let busy = host.runners.iter().flatten().any(holds) && self.setting.has(Guard::RunnerLock);
                let ran = host.job.is_some_and(|job| job.started.is_some() || job.rc.is_some());
                if busy || (ran && self.setting.has(Guard::StartedMarker)) {
                    host.runners[slot] = None;
                    self.to(Who::Runner, "is not the first and ends", world);
                } else {
                    host.runners[slot] = goes_to(RunnerAt::Locked);
                    self.to(Who::Runner, "holds the lock", world);
                }
            }
            // `mv started.tmp started`.
            RunnerAt::Locked => {
                if let Some(job) = host.job.as_mut().filter(|_| !runner.cast_out) {
                    job.started = Some(Started { durable: false, in_this_boot: true });
                }
                host.runners[slot] = goes_to(RunnerAt::Marked);
                self.to(Who::Runner, "marks the job as started", world);
            }
            // `durable . .. ../.. ../../..`, then the script.
            RunnerAt::Marked => {
                if let Some(job) = &mut host.job {
                    job.durable |= self.setting.has(Guard::DurableFolders);
                    if let Some(started) = &mut job.started {
                        started.durable |= self.setting.has(Guard::DurableMark);
                    }
                }
                let mut refused = world;
                world.host.runners[slot] = goes_to(RunnerAt::Works);
                world.host.disk = Disk::Half;
                world.host.fixes = (world.host.fixes + 1).min(2);
                let bad = self.fix_is_bad();
                self.about(Who::Runner, "begins the fix", "", world, bad);
                if let Some(left) = self.world.faults_left.checked_sub(1) {
                    refused.faults_left = left;
                    refused.host.runners[slot] = goes_to(RunnerAt::Ended(Answer::Refused));
                    self.to(Who::Runner, "sees the fix refuse before it changes anything", refused);
                }
                self.kills(slot);
            }
            RunnerAt::Works => {
                host.disk = Disk::Fixed;
                host.runners[slot] = goes_to(RunnerAt::Ended(Answer::Succeeded));
                self.to(Who::Runner, "ends the fix", world);
                if let Some(mut world) = self.fault() {
                    world.host.runners[slot] = goes_to(RunnerAt::Ended(Answer::Failed));
                    self.to(Who::Runner, "sees the fix fail halfway", world);
                }
                self.kills(slot);
            }
            // `mv rc.tmp rc`, and the lock is free.
            RunnerAt::Ended(answer) => {
                if let Some(job) = host.job.as_mut().filter(|_| !runner.cast_out) {
                    job.rc = Some(answer);
                }
                host.runners[slot] = None;
                self.to(Who::Runner, "leaves its exit code", world);
            }
        }
    }

    /// Somebody kills the runner, as the kernel does when memory is short.
    fn kills(&mut self, slot: usize) {
        if let Some(mut world) = self.fault() {
            world.host.runners[slot] = None;
            self.to(Who::Runner, "is killed", world);
        }
    }

    fn fix_is_bad(&self) -> Found {
        let host = &self.world.host;
        let works = host.runners.iter().flatten().any(|runner| runner.at == RunnerAt::Works);
        let restores = self.world.restores.iter().flatten().any(|restore| restore.at == RestoreAt::Works);
        if works || restores {
            Some(Bad::TwoAtOnce)
        } else if host.disk != Disk::Original {
            Some(Bad::FixedTwice)
        } else if host.fixes > 0 {
            Some(Bad::FixedAgain)
        } else if !self.is_open(PlanStep::Fix) {
            Some(Bad::NoIntent)
        } else {
            None
        }
    }

    /// The host boots, whoever asked for it. What was not on disk may be gone or not.
    pub(super) fn reboot(&mut self) {
        let Some(mut world) = self.fault().filter(|world| world.host.up) else { return };
        world.host_stops(true);
        let kept = world.host.job.filter(|_| self.setting.has(Guard::DurableSpool)).map(|mut job| {
            job.durable = true;
            if let Some(started) = &mut job.started {
                *started = Started { durable: true, in_this_boot: false };
            }
            job
        });
        let mut lost = self.world.host.job.filter(|job| job.durable && self.setting.has(Guard::DurableSpool));
        if let Some(job) = &mut lost {
            job.started = job.started.filter(|started| started.durable);
            if let Some(started) = &mut job.started {
                started.in_this_boot = false;
            }
        }
        for job in [Some(kept), (lost != kept).then_some(lost)].into_iter().flatten() {
            world.host.job = job;
            self.to(Who::Host, if job == kept { "boots" } else { "boots and has lost what was not on disk" }, world);
        }
    }

    /// A restore by the provider (`Provider::restore`). Its process outlives its controller.
    pub(super) fn restore(&mut self, slot: usize) {
        let Some(restore) = self.world.restores[slot] else { return };
        let mut world = self.world;
        let goes_to = |at: RestoreAt| Some(crate::world::Restore { at, ..restore });
        match restore.at {
            RestoreAt::Alone => {
                let works =
                    |slot: &Option<crate::world::Restore>| slot.is_some_and(|other| other.at == RestoreAt::Works);
                let runs = |runner: &Runner| runner.at == RunnerAt::Works;
                let beside =
                    self.setting.restore == RestoreKind::Files && world.host.runners.iter().flatten().any(runs);
                let bad = if world.restores.iter().any(works) || beside {
                    Some(Bad::TwoAtOnce)
                } else if !self.is_open(PlanStep::Restore) {
                    Some(Bad::NoIntent)
                } else {
                    None
                };
                world.restores[slot] = goes_to(RestoreAt::Works);
                if self.setting.restore == RestoreKind::Disk {
                    world.host.up = false;
                    world.host_stops(self.setting.has(Guard::RestoreCuts));
                }
                self.about(Who::Provider, "begins to restore", "", world, bad);
                if let Some(mut world) = self.fault() {
                    world.restores[slot] = goes_to(RestoreAt::Answers(Answer::Refused));
                    world.forget_answers();
                    self.to(Who::Provider, "cannot restore", world);
                }
            }
            RestoreAt::Works => {
                world.host.up = true;
                world.host.disk = Disk::Original;
                if self.setting.restore == RestoreKind::Disk {
                    // The jobs of this campaign are younger than its backup.
                    world.host.job = None;
                }
                world.restores[slot] = goes_to(RestoreAt::Answers(Answer::Succeeded));
                world.forget_answers();
                self.to(Who::Provider, "has restored the host", world);
                if let Some(mut world) = self.fault() {
                    world.restores[slot] = goes_to(RestoreAt::Answers(Answer::Unknown));
                    world.forget_answers();
                    self.to(Who::Provider, "ends halfway", world);
                }
            }
            RestoreAt::Answers(_) => {}
        }
    }

    /// More time passes than any step may take. By then the host has ended its jobs (`timeout` in runner.sh), the calls
    /// have run out (`CALL_LIMIT`) and so have the provider's.
    pub(super) fn time_passes(&mut self) {
        let mut world = self.world;
        let busy = world.host.runners.iter().any(Option::is_some)
            || world.calls.iter().any(Option::is_some)
            || world.restores.iter().any(Option::is_some);
        // Twice for the fix and for the restore, and once more for each time that something goes wrong.
        let most = 2 + self.setting.faults - world.faults_left;
        if world.hour == most || (busy && self.setting.has(Guard::Limit)) {
            return;
        }
        world.hour += 1;
        let mut ends = false;
        for controller in &mut world.controllers {
            if let Controller::Runs(head) = controller
                && let Some(worker) = head.worker.as_mut().filter(|worker| !worker.late)
                && matches!(worker.step, PlanStep::Fix | PlanStep::Restore)
            {
                (worker.late, ends) = (true, true);
                if worker.stage == Stage::Waits {
                    worker.stage = Stage::Asks;
                }
            }
        }
        if ends {
            // Nobody waits any more for what is still on its way.
            world.calls.iter_mut().flatten().for_each(|call| call.from = None);
            world.restores.iter_mut().flatten().for_each(|restore| restore.from = None);
            world.forget_answers();
            self.to(Who::Nobody, "more time passes than the step has", world);
        }
    }
}
