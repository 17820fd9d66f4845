//! A campaign to be simulated, as data: drawn from a seed, written as text, read from it, and run.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::engine::Signal;
use crate::model::{HostName, TimeSpan};
use crate::plan::StepKind;

use super::fleet::UPDATES;
use super::sample::sample_without;
use super::shape::number;
use super::{
    Disturbance, Fault, JournalFault, Moment, Place, Rng, STATES, STEPS, Shape, SimResult, SimRun, StepAt, Trouble,
    WhenPaused, clone_name, start,
};

/// Everything that a run depends on: the same scenario gives the same trace.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Of the fleet, its durations and the plan.
    pub seed: u64,
    /// What the plan is like.
    pub shape: Shape,
    /// Hosts of the fleet that are left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub without: BTreeSet<HostName>,
    /// Hosts that somebody fixed behind the planning.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ahead: BTreeSet<HostName>,
    /// What goes wrong in the world.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Planted>,
    /// What happens to the controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<Disturbance>,
    /// What the person does when it stands still.
    pub when_paused: WhenPaused,
}

/// A fault and whom it meets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planted {
    /// The host of the plan.
    pub host: HostName,
    /// Itself at any time, its clone, or itself only when it goes back.
    pub place: Place,
    /// What goes wrong.
    pub fault: Fault,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds only strings, numbers and lists.
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl FromStr for Scenario {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Scenario {
    /// The campaign of this seed. Half of them go at one cell of the coverage table, the others are left to chance.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::keyed(seed, "campaign");
        let when_paused = [WhenPaused::Resume, WhenPaused::Resume, WhenPaused::Abort, WhenPaused::Leave];
        let mut scenario = Self {
            seed,
            shape: Shape::draw(&mut rng),
            without: BTreeSet::new(),
            ahead: BTreeSet::new(),
            faults: Vec::new(),
            disturbances: Vec::new(),
            when_paused: rng.pick(&when_paused).copied().unwrap_or_default(),
        };
        // Drawn apart, so that a seed gives the same campaign as before there were approvals.
        let mut apart = Rng::keyed(seed, "approvals");
        let lengths = [TimeSpan::minutes(apart.between(1, 90)), TimeSpan::hours(apart.between(1, 60))];
        scenario.shape.approvals = apart.pick(&lengths).copied().filter(|_| seed % 7 == 3);
        if rng.percent(50) {
            scenario.aim(&mut rng);
            if rng.percent(30) {
                scenario.disturb(&mut rng);
            }
        } else {
            scenario.leave_to_chance(&mut rng);
        }
        scenario
    }

    fn leave_to_chance(&mut self, rng: &mut Rng) {
        let fleet = super::fleet(self.shape.hosts, self.seed);
        for host in fleet.inventory() {
            let host = host.name;
            // Somebody was faster than the plan.
            if rng.percent(5) {
                self.ahead.insert(host.clone());
            }
            for _ in 0..rng.pick(&[0, 0, 0, 1, 1, 2]).copied().unwrap_or(0) {
                let place = if rng.percent(15) { Place::Back } else { Place::Host };
                self.plant(&host, place, Fault::draw(rng));
            }
            for _ in 0..rng.below(3) {
                match rng.below(4) {
                    0 => self.plant(&host, Place::Clone, Fault::draw_on_clone(rng)),
                    1 | 2 => self.plant(&host, Place::Host, Fault::draw_around_clone(rng)),
                    _ => {}
                }
            }
        }
        if rng.percent(30) {
            self.plant_package(rng);
        }
        for _ in 0..rng.below(4) {
            self.disturb(rng);
        }
    }

    /// An update that breaks every host on which it is installed.
    pub(super) fn plant_package(&mut self, rng: &mut Rng) {
        let fault = Fault::PackageBreaks { nth: number(rng.below(u64::from(UPDATES))) };
        for host in super::fleet(self.shape.hosts, self.seed).inventory() {
            self.plant(&host.name, Place::Host, fault);
        }
    }

    pub(super) fn plant(&mut self, host: &HostName, place: Place, fault: Fault) {
        self.faults.push(Planted { host: host.clone(), place, fault });
    }

    fn disturb(&mut self, rng: &mut Rng) {
        let at = match rng.below(10) {
            0..=4 => Moment::Record(rng.between(1, 200)),
            5 => Moment::Controller(rng.between(1, 3)),
            6 | 7 => Moment::During { at: draw_step(rng), milliseconds: number(rng.below(60_000)) },
            _ => Moment::Step { at: draw_step(rng), state: rng.pick(&STATES).copied().unwrap_or(STATES[0]) },
        };
        let what = Trouble::draw(rng);
        let kills = matches!(what, Trouble::Kill { .. } | Trouble::Torn { .. } | Trouble::TakeOver);
        self.disturbances.push(Disturbance { at, what });
        // A controller that takes over dies as well, right then.
        if kills && rng.percent(15) {
            let at = Moment::Controller(rng.between(2, 3));
            self.disturbances.push(Disturbance { at, what: Trouble::draw(rng) });
        }
    }

    /// Runs it.
    pub fn run(&self) -> SimResult {
        self.to_run().run()
    }

    /// The campaign, before it is run.
    pub fn to_run(&self) -> SimRun {
        let (mut fleet, plan, digest) = sample_without(&self.shape, self.seed, &self.without);
        for host in fleet.hosts.iter_mut().filter(|host| self.ahead.contains(&host.host.name)) {
            let offered = host.offers.iter().map(|(package, offer)| (package.clone(), offer.version.clone()));
            host.disk.installed = offered.collect();
        }
        let mut world = fleet.world();
        for planted in self.faults.iter().filter(|planted| !self.without.contains(&planted.host)) {
            match planted.place {
                Place::Host => world.plant(&planted.host, planted.fault),
                Place::Clone => world.plant(&clone_name(&planted.host), planted.fault),
                Place::Back => world.plant_on_way_back(&planted.host, planted.fault),
            }
        }
        let disturbances = self.disturbances.clone();
        SimRun { plan, digest, world, start: start(), disturbances, when_paused: self.when_paused }
    }
}

pub(super) fn draw_step(rng: &mut Rng) -> StepAt {
    rng.pick(&STEPS).copied().unwrap_or(StepAt { kind: StepKind::Fix, place: Place::Host })
}

impl Trouble {
    /// Drawn from all kinds.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let by = || "operator".to_owned();
        let down_for = TimeSpan::seconds(if rng.percent(20) { rng.between(0, 90_000) } else { rng.between(0, 600) });
        match rng.below(16) {
            0..=3 => Self::Kill { down_for },
            4 | 5 => Self::Torn { thousandths: number(rng.between(0, 1000)), down_for },
            6 | 7 => Self::TakeOver,
            8 | 9 => {
                let why = if rng.percent(50) { JournalFault::DiskFull } else { JournalFault::InputOutput };
                Self::JournalFails { why, down_for }
            }
            10 | 11 => Self::Ask(Signal::Pause { by: by() }),
            12 => Self::Ask(Signal::Abort { by: by() }),
            kind => {
                // A leap second, a summer time, a machine whose battery is empty.
                let longest = rng.pick(&[2, 5_000, 100_000]).copied().unwrap_or(2);
                let seconds = i64::try_from(rng.between(1, longest)).unwrap_or(1);
                Self::ClockJump { seconds: if kind == 15 { seconds } else { -seconds } }
            }
        }
    }
}
