//! Makes a failing scenario small: fewer hosts, fewer faults, fewer and earlier disturbances, a plainer plan.

use crate::model::TimeSpan;

use super::{Invariant, Moment, Place, Reboots, Scenario, Shape, Trouble, Way};

/// A scenario that still violates the invariant, and what it took to find it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The small one.
    pub scenario: Scenario,
    /// How many scenarios were run.
    pub runs: u32,
}

/// Some hundred are enough for a campaign of ten hosts; one of fifty is not worth more than minutes.
const MAX_RUNS: u32 = 3_000;

/// The smallest scenario that was found which `fails`; the one given, if that does not fail.
pub fn shrink(scenario: &Scenario, fails: impl Fn(&Scenario) -> bool) -> Shrunk {
    let mut shrunk = Shrunk { scenario: scenario.clone(), runs: 0 };
    // Whatever was taken away may make something else superfluous: again, until nothing goes any more.
    loop {
        let mut smaller = None;
        for candidate in candidates(&shrunk.scenario) {
            if shrunk.runs >= MAX_RUNS {
                return shrunk;
            }
            shrunk.runs += 1;
            if fails(&candidate) {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(scenario) => shrunk.scenario = scenario,
            None => return shrunk,
        }
    }
}

/// Whether a run violates this invariant.
pub fn violates(scenario: &Scenario, invariant: Invariant) -> bool {
    scenario.run().violations.iter().any(|violation| violation.invariant == invariant)
}

/// Scenarios that are smaller by one thing, those that take away most first.
fn candidates(from: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = from.clone();
        change(&mut smaller);
        if smaller != *from {
            all.push(smaller);
        }
    };
    let names: Vec<_> = super::fleet(from.shape.hosts, from.seed).inventory().into_iter().map(|h| h.name).collect();
    for hosts in [from.shape.hosts / 2, from.shape.hosts.saturating_sub(1)] {
        push(&|s| {
            s.shape.hosts = hosts.max(1);
            let kept = &names[..s.shape.hosts.min(names.len())];
            s.without.retain(|host| kept.contains(host));
            s.ahead.retain(|host| kept.contains(host));
            s.faults.retain(|planted| kept.contains(&planted.host));
        });
    }
    for host in names.iter().filter(|host| !from.without.contains(*host)) {
        if from.without.len() + 1 < from.shape.hosts {
            push(&|s| {
                s.without.insert(host.clone());
                s.ahead.remove(host);
                s.faults.retain(|planted| planted.host != *host);
            });
        }
    }
    push(&|s| s.faults.truncate(s.faults.len() / 2));
    push(&|s| drop(s.faults.drain(..s.faults.len() / 2)));
    for index in 0..from.faults.len() {
        push(&|s| drop(s.faults.remove(index)));
    }
    for index in 0..from.disturbances.len() {
        push(&|s| drop(s.disturbances.remove(index)));
    }
    for host in &from.ahead {
        push(&|s| s.ahead.retain(|other| other != host));
    }
    for (index, planted) in from.faults.iter().enumerate() {
        if planted.place == Place::Back {
            push(&|s| s.faults[index].place = Place::Host);
        }
    }
    for (index, disturbance) in from.disturbances.iter().enumerate() {
        if let Moment::Record(seq) = disturbance.at {
            for earlier in [seq / 2, seq.saturating_sub(1)] {
                push(&|s| s.disturbances[index].at = Moment::Record(earlier.max(1)));
            }
        }
        push(&|s| calm(&mut s.disturbances[index].what));
    }
    let plain: [fn(&mut Shape); 13] = [
        |shape| shape.canary = None,
        |shape| shape.waves.clear(),
        |shape| shape.windows = None,
        |shape| shape.max_unavailable = None,
        |shape| shape.bisect = false,
        |shape| shape.way = Way::InPlace,
        |shape| shape.switch = false,
        |shape| shape.reboot = Reboots::Never,
        |shape| shape.keep = true,
        |shape| shape.keep_failed = TimeSpan::ZERO,
        |shape| shape.soak = TimeSpan::ZERO,
        |shape| shape.backup = true,
        |shape| shape.approvals = None,
    ];
    for change in plain {
        push(&|s| change(&mut s.shape));
    }
    all
}

/// The same trouble for a second.
fn calm(trouble: &mut Trouble) {
    match trouble {
        Trouble::Kill { down_for } | Trouble::JournalFails { down_for, .. } => *down_for = TimeSpan::seconds(1),
        Trouble::Torn { down_for, thousandths } => (*down_for, *thousandths) = (TimeSpan::seconds(1), 500),
        Trouble::ClockJump { seconds } => *seconds = seconds.signum() * (seconds.abs() / 2).max(1),
        Trouble::TakeOver | Trouble::Ask(_) => {}
    }
}
