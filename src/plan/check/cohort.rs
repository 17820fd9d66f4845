//! Pilots: a host that waits for another is not touched before that one has shown what was asked of it, nor behind its
//! failure.
//!
//! Who must wait is what the plan says of the host: its reason has the code `after-pilot` or `after-trial`. The proof is a
//! search over one pilot and one follower, each at any of its steps, the pilot failed or not. More hosts need no search:
//! followers only read what became of the pilot, and their steps do nothing to each other.

use std::collections::BTreeMap;

use super::explore::{At, Outcome, tell};
use super::search::{Next, search};
use super::shape::{Node, Place, Shape, Shapes, Steps};
use super::{Found, Violation};
use crate::model::{HostName, RuleName, StepId};
use crate::plan::{AFTER_PILOT, AFTER_TRIAL, HostPlan, Plan, Step, StepKind};

/// A pilot and a follower have some four hundred states.
const MAX_STATES: usize = 20_000;

/// What a host waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// The pilot was fixed and watched.
    Fixed,
    /// The fix went well on a clone of the pilot.
    Tried,
}

impl Proof {
    /// What the plan says of this host.
    fn asked_of(host: &HostPlan) -> Option<Self> {
        match host.strategy_reason.code.as_str() {
            AFTER_PILOT => Some(Self::Fixed),
            AFTER_TRIAL => Some(Self::Tried),
            _ => None,
        }
    }

    /// The step of the pilot that proves it.
    fn step(self, pilot: &Shape) -> Option<usize> {
        match self {
            Self::Fixed => pilot.find(StepKind::Soak, Place::Host),
            // Where the trial is searched when it fails, the search is passed over or done behind it.
            Self::Tried => {
                pilot.find(StepKind::Bisect, Place::Host).or_else(|| pilot.find(StepKind::Verify, Place::Clone))
            }
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "was fixed and watched",
            Self::Tried => "showed the fix to go well on a clone",
        }
    }
}

/// A host's place in the order of waves: the wave, and the place in it.
type Turn = (usize, usize);

/// The two hosts of a search, with the follower's needs: index of its step, index of the pilot's.
type Pair = (usize, usize, Vec<(usize, usize)>, usize);

type Events = Vec<(Who, usize, Outcome)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Pilot,
    Follower,
}

pub(super) fn check(plan: &Plan, shapes: &Shapes<'_>, found: &mut Found) {
    let turns = turns(plan);
    let firsts = firsts(plan);
    let mut known: BTreeMap<Pair, Option<Events>> = BTreeMap::new();
    for (name, host) in &plan.hosts {
        let waits = host.steps.iter().flat_map(|step| step.foreign_needs().map(move |need| (step, need)));
        for (step, need) in waits {
            needs(plan, &turns, name, host, (step, need), found);
        }
        let Some(proof) = Proof::asked_of(host) else { continue };
        let named = host.steps.iter().flat_map(Step::foreign_needs);
        let mut pilots = named.filter_map(|need| plan.hosts.get_key_value(need.host()));
        let pilot = pilots.find(|(_, pilot)| pilot.cohort == host.cohort);
        let pilot = pilot.or_else(|| firsts.get(&host.cohort).and_then(|first| plan.hosts.get_key_value(*first)));
        let Some((pilot_name, pilot)) = pilot.filter(|(pilot, _)| *pilot != name) else {
            found.add(name, "pilot-missing", "it is to wait for a host of its cohort, and there is no other");
            continue;
        };
        let (Some(first), Some(second)) = (shapes.number(pilot_name), shapes.number(name)) else { continue };
        let Some(proves) = proof.step(&shapes.all[first]) else {
            let text = format!("it is to wait until {pilot_name} {}, and that has no such step", proof.as_str());
            found.add(name, "pilot-proves-nothing", text);
            continue;
        };
        let pair = (first, second, own_needs(host, pilot_name, pilot), proves);
        let events = known.entry(pair).or_insert_with_key(|pair| {
            let (first, second, needs, proves) = pair;
            hasty(&shapes.all[*first], &shapes.all[*second], needs, *proves)
        });
        let Some(events) = events else { continue };
        let Some(proving) = pilot.steps.get(proves) else { continue };
        found.0.push(Violation {
            place: name.to_string(),
            code: "pilot-not-awaited",
            text: format!("it can be disrupted before {pilot_name} {}", proof.as_str()),
            trace: trace((pilot_name, pilot), (name, host), events, proving),
        });
    }
}

/// Each wait is for a step of a host of the same cohort that comes before.
fn needs(
    plan: &Plan,
    turns: &BTreeMap<&HostName, Turn>,
    name: &HostName,
    host: &HostPlan,
    (step, need): (&Step, &StepId),
    found: &mut Found,
) {
    let there = plan.hosts.get_key_value(need.host());
    let Some((pilot_name, pilot)) = there.filter(|(_, pilot)| pilot.steps.iter().any(|step| step.id == *need)) else {
        found.add(&step.id, "need-unknown", format!("it needs {need}, which no planned host does"));
        return;
    };
    if Proof::asked_of(host).is_none() {
        found.add(&step.id, "need-unasked", format!("it needs {need}, and the plan does not say that {name} waits"));
    }
    if pilot.cohort != host.cohort {
        found.add(&step.id, "pilot-of-other", format!("it needs {need}, and {pilot_name} is of another cohort"));
    }
    let (Some(&own), Some(&other)) = (turns.get(name), turns.get(pilot_name)) else { return };
    if other < own {
        return;
    }
    let wave = |turn: Turn| plan.rollout.waves.get(turn.0).map_or("", |wave| wave.name.as_str());
    let mut trace = vec![format!("wave {:?} begins", wave(own)), format!("{} waits for {need}", step.id)];
    trace.push(if own.0 == other.0 {
        format!("{pilot_name} comes behind {name} in this wave: where there is one place, {name} has it")
    } else {
        format!("wave {:?}, which {pilot_name} is in, waits for {name} to end: neither goes on", wave(other))
    });
    found.0.push(Violation {
        place: step.id.to_string(),
        code: "pilot-later",
        text: format!("it needs {need}, and {pilot_name} does not come before {name}"),
        trace,
    });
}

fn turns(plan: &Plan) -> BTreeMap<&HostName, Turn> {
    let waves = plan.rollout.waves.iter().enumerate();
    waves.flat_map(|(w, wave)| wave.hosts.iter().enumerate().map(move |(i, host)| (host, (w, i)))).collect()
}

/// The first host of each cohort, in the order of the waves, that waits for none.
fn firsts(plan: &Plan) -> BTreeMap<&RuleName, &HostName> {
    let mut firsts = BTreeMap::new();
    for name in plan.rollout.waves.iter().flat_map(|wave| &wave.hosts) {
        if let Some(host) = plan.hosts.get(name).filter(|host| Proof::asked_of(host).is_none()) {
            firsts.entry(&host.cohort).or_insert(name);
        }
    }
    firsts
}

fn own_needs(host: &HostPlan, pilot_name: &HostName, pilot: &HostPlan) -> Vec<(usize, usize)> {
    let steps = host.steps.iter().enumerate();
    let needs = steps.flat_map(|(i, step)| step.foreign_needs().map(move |need| (i, need)));
    let needs = needs.filter(|(_, need)| need.host() == pilot_name.as_str());
    needs.filter_map(|(i, need)| Some((i, pilot.steps.iter().position(|step| step.id == *need)?))).collect()
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    pilot: Steps,
    has_failed: bool,
    follower: Steps,
}

/// The shortest way in which the follower is disrupted before the pilot has proven anything.
fn hasty(pilot: &Shape, follower: &Shape, needs: &[(usize, usize)], proves: usize) -> Option<Events> {
    let ready = |steps: &[Node], done: Steps| -> Vec<usize> {
        let is_ready = |&(i, step): &(usize, &Node)| {
            let may = step.needs.is_some_and(|needs| done.holds_all(needs)) && done.holds_all(step.stands_for);
            !done.has(i) && may
        };
        steps.iter().enumerate().filter(is_ready).map(|(i, _)| i).collect()
    };
    let start = State { pilot: Steps::default(), has_failed: false, follower: Steps::default() };
    let found = search(start, MAX_STATES, |state| {
        let mut next = Vec::new();
        for i in ready(&pilot.steps, state.pilot).into_iter().filter(|_| !state.has_failed) {
            let done = State { pilot: pilot.done_with(state.pilot, i), ..*state };
            next.push(Next::State((Who::Pilot, i, Outcome::Succeeded), done));
            next.push(Next::State((Who::Pilot, i, Outcome::FailedBefore), State { has_failed: true, ..*state }));
        }
        for i in ready(&follower.steps, state.follower) {
            let lets = |&(step, need): &(usize, usize)| step != i || state.pilot.has(need);
            if !needs.iter().all(lets) {
                continue;
            }
            if follower.steps[i].act.is_gated && !state.pilot.has(proves) {
                next.push(Next::Bad(i));
                continue;
            }
            let done = State { follower: follower.done_with(state.follower, i), ..*state };
            next.push(Next::State((Who::Follower, i, Outcome::Succeeded), done));
        }
        next
    });
    let (step, mut events) = found.bad.into_iter().next()?;
    events.push((Who::Follower, step, Outcome::Succeeded));
    Some(events)
}

fn trace(
    pilot: (&HostName, &HostPlan),
    follower: (&HostName, &HostPlan),
    events: &Events,
    proving: &Step,
) -> Vec<String> {
    let Some(((_, last, _), before)) = events.split_last() else { return Vec::new() };
    let mut lines = Vec::new();
    for part in before.chunk_by(|a, b| a.0 == b.0) {
        let (name, host) = if part[0].0 == Who::Pilot { pilot } else { follower };
        let part: Vec<(At, Outcome)> = part.iter().map(|&(_, i, outcome)| (At::Forward(i), outcome)).collect();
        lines.extend(tell(name, host, &part));
    }
    if let Some(step) = follower.1.steps.get(*last) {
        lines.push(format!("{} begins before {} has succeeded", step.id, proving.id));
    }
    lines
}
