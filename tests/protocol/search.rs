//! Breadth-first through everything that can happen: every state once, the shortest way to what must not be.
#![expect(
    clippy::disallowed_types,
    reason = "millions of states are looked up, and the order of the map is never used"
)]

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use switchback::model::HostOutcome;

use crate::engine::Engines;
use crate::steps::{Step, Taken, next, start};
use crate::world::{Bad, Setting, World};

/// What an exploration found.
pub struct Explored {
    pub states: usize,
    pub transitions: usize,
    /// States in which every host has ended.
    pub ended: usize,
    /// Each bad thing once, with the shortest way to it.
    pub bad: Vec<(Bad, Vec<Step>)>,
    /// How the host ended.
    pub outcomes: BTreeSet<HostOutcome>,
}

impl Explored {
    pub fn way_to(&self, bad: Bad) -> Option<&[Step]> {
        self.bad.iter().find(|(known, _)| *known == bad).map(|(_, way)| way.as_slice())
    }
}

/// Above this something is wrong with a bound of the model.
const MOST: usize = 4_000_000;

/// Looks at every state that is reached without harm, or with harm that is `suffered`.
pub fn explore(engines: &mut Engines, setting: &Setting, suffered: &[Bad]) -> Explored {
    go(engines, setting, suffered, Until::End)
}

/// The shortest way to any harm.
pub fn first_harm(engines: &mut Engines, setting: &Setting) -> Explored {
    go(engines, setting, &[], Until::Harm)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Harm,
}

fn go(engines: &mut Engines, setting: &Setting, suffered: &[Bad], until: Until) -> Explored {
    let first = start(setting);
    let mut numbers = HashMap::from([(first, 0_u32)]);
    let mut worlds = vec![first];
    let mut from: Vec<(u32, Step)> = vec![(0, Step::FIRST)];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut goals: Vec<u32> = Vec::new();
    let mut found = Explored { states: 0, transitions: 0, ended: 0, bad: Vec::new(), outcomes: BTreeSet::new() };
    let mut taken: Vec<Taken> = Vec::new();
    let mut at = 0;
    while at < worlds.len() {
        let world: World = worlds[at];
        let number = u32::try_from(at).expect("fewer states");
        if world.has_ended(engines, setting) {
            goals.push(number);
            found.outcomes.extend(engines.view(world.stores[0].journal).outcome);
        }
        taken.clear();
        next(engines, setting, &world, &mut taken);
        for Taken { step, world, bad } in taken.drain(..) {
            found.transitions += 1;
            if let Some(bad) = bad {
                if found.way_to(bad).is_none() {
                    found.bad.push((bad, way(&from, number, Some(step))));
                }
                if until == Until::Harm {
                    found.states = worlds.len();
                    return found;
                }
                // What follows from a broken world says nothing, unless it is one that people may be in.
                if !suffered.contains(&bad) {
                    continue;
                }
            }
            let to = match numbers.entry(world) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let to = u32::try_from(worlds.len()).expect("fewer states");
                    worlds.push(world);
                    from.push((number, step));
                    assert!(worlds.len() <= MOST, "the model has no bound");
                    *new.insert(to)
                }
            };
            edges.push((to, number));
        }
        at += 1;
    }
    (found.states, found.ended) = (worlds.len(), goals.len());
    if found.bad.is_empty()
        && let Some(lost) = lost(worlds.len(), &mut edges, goals)
    {
        found.bad.push((Bad::NoWayToEnd, way(&from, lost, None)));
    }
    found
}

/// The first state from which no goal can be reached.
fn lost(states: usize, edges: &mut [(u32, u32)], mut goals: Vec<u32>) -> Option<u32> {
    edges.sort_unstable();
    let mut reaches = vec![false; states];
    goals.iter().for_each(|goal| reaches[*goal as usize] = true);
    while let Some(to) = goals.pop() {
        let first = edges.partition_point(|(end, _)| *end < to);
        for (_, from) in edges[first..].iter().take_while(|(end, _)| *end == to) {
            if !std::mem::replace(&mut reaches[*from as usize], true) {
                goals.push(*from);
            }
        }
    }
    reaches.iter().position(|reaches| !reaches).and_then(|lost| u32::try_from(lost).ok())
}

fn way(from: &[(u32, Step)], to: u32, last: Option<Step>) -> Vec<Step> {
    let mut steps: Vec<Step> = last.into_iter().collect();
    let mut at = to;
    while at != 0 {
        let (before, step) = from[at as usize];
        steps.push(step);
        at = before;
    }
    steps.reverse();
    steps
}
