//! What can happen next: every atomic step of the protocol, with the function of the product that it stands for.

mod controller;
mod host;

use switchback::model::HostOutcome;

use crate::engine::{Engines, Step as PlanStep};
use crate::world::{Bad, Controller, Disk, Folders, Found, Setting, Store, World};

/// One step, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub who: Who,
    pub what: &'static str,
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Nobody,
    Controller(u8),
    Call,
    Runner,
    Host,
    Provider,
}

impl Step {
    pub const FIRST: Self = Self { who: Who::Nobody, what: "", about: "" };
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = match self.who {
            Who::Nobody => "-",
            Who::Controller(0) => "controller A",
            Who::Controller(_) => "controller B",
            Who::Call => "call on the host",
            Who::Runner => "runner on the host",
            Who::Host => "host",
            Who::Provider => "provider",
        };
        write!(f, "{who}: {}{}{}", self.what, if self.about.is_empty() { "" } else { " " }, self.about)
    }
}

/// A step that was taken, where it leads, and whether it must not be.
pub struct Taken {
    pub step: Step,
    pub world: World,
    pub bad: Found,
}

/// One world and what may come of it.
pub struct Scene<'a> {
    pub engines: &'a mut Engines,
    pub setting: &'a Setting,
    pub world: World,
    taken: &'a mut Vec<Taken>,
}

impl Scene<'_> {
    /// The world behind one more thing that goes wrong, if one may.
    fn fault(&self) -> Option<World> {
        Some(World { faults_left: self.world.faults_left.checked_sub(1)?, ..self.world })
    }

    fn to(&mut self, who: Who, what: &'static str, world: World) {
        self.about(who, what, "", world, None);
    }

    fn about(&mut self, who: Who, what: &'static str, about: &'static str, world: World, bad: Found) {
        let world = world.canonical();
        let bad = bad.or_else(|| self.wrong_end(&world));
        self.taken.push(Taken { step: Step { who, what, about }, world, bad });
    }

    /// Who is told that a host ended may rely on it, from then on and for ever.
    fn wrong_end(&self, world: &World) -> Found {
        let outcomes = used(world, self.setting).filter_map(|store| self.engines.view(store.journal).outcome);
        let wrong = |outcome: HostOutcome| match outcome {
            HostOutcome::Fixed => world.host.disk != Disk::Fixed,
            HostOutcome::Untouched | HostOutcome::Restored => world.host.disk != Disk::Original,
            _ => false,
        };
        outcomes.into_iter().any(wrong).then_some(Bad::WrongEnd)
    }

    /// Whether some journal has the intent of a step and not its outcome.
    fn is_open(&self, step: PlanStep) -> bool {
        used(&self.world, self.setting).any(|store| self.engines.view(store.journal).open == Some(step))
    }
}

/// State folders in which somebody works.
fn used<'a>(world: &'a World, setting: &Setting) -> impl Iterator<Item = &'a Store> {
    let folders = if setting.folders == Folders::One { 1 } else { 2 };
    world.stores[..folders].iter().filter(|store| store.fence > 0)
}

impl World {
    /// The host has ended, whoever asks.
    pub fn has_ended(&self, engines: &Engines, setting: &Setting) -> bool {
        used(self, setting).all(|store| engines.view(store.journal).ended)
    }
}

/// The campaign is registered, and its first controller is about to begin.
pub fn start(setting: &Setting) -> World {
    let mut world = World::new(setting.faults);
    world.stores[0] = Store { journal: Engines::NEW, fence: 1, newest: 0, locked: Some(0) };
    world.controllers[0] = Controller::Fenced { fence: 1 };
    world
}

/// Everything that can happen now.
pub fn next(engines: &mut Engines, setting: &Setting, world: &World, taken: &mut Vec<Taken>) {
    let mut scene = Scene { engines, setting, world: *world, taken };
    for controller in [0, 1] {
        scene.controller(controller);
    }
    for slot in [0, 1] {
        scene.call(slot);
        scene.runner(slot);
        scene.restore(slot);
    }
    scene.reboot();
    scene.time_passes();
}
