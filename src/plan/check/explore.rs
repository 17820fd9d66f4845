//! One host through all that may happen to it: every step may succeed, fail before its effect, behind it, or somewhere
//! between; what was done is then taken back, last first, and that may fail too.

use super::search::{Next, Search, search};
use super::shape::{Act, Deed, Place, Shape, Steps, Undo};
use super::world::{End, Hazard, World};
use crate::model::{HostName, StepId};
use crate::plan::{Action, HostPlan, Step};

/// The longest chain has some six hundred states. Steps that wait for nothing have one for each set of them: a host that
/// needs more than this is refused unseen.
const MAX_STATES: usize = 20_000;

/// A step of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    Forward(usize),
    Undo(usize, usize),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    FailedBefore,
    FailedBehind,
    Lost,
    Left,
}

/// Where something must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Begins(At),
    Ends,
}

/// What can go wrong with a host of some shape, with the shortest way there.
pub(super) struct Peril {
    pub at: Where,
    pub hazard: Hazard,
    pub events: Vec<(At, Outcome)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    done: Steps,
    /// The way back: which step failed, if it may have had an effect, and how many steps were taken back.
    back: Option<(Option<usize>, usize)>,
    world: World,
}

type Events = Vec<Next<State, (At, Outcome), (Where, Hazard)>>;

/// Everything that can go wrong with hosts of this shape.
pub(super) fn explore(shape: &Shape) -> Vec<Peril> {
    let start = State { done: Steps::default(), back: None, world: World::START };
    let Search { bad, complete } = search(start, MAX_STATES, |state| match state.back {
        None => forward(shape, state),
        Some((failed, at)) => back(shape, state, failed, at),
    });
    let mut perils: Vec<Peril> = Vec::new();
    for ((at, hazard), events) in bad {
        if perils.iter().all(|known| known.hazard.code != hazard.code) {
            perils.push(Peril { at, hazard, events });
        }
    }
    if !complete {
        let hazard = Hazard { code: "too-many-states", clause: "in more ways than can be looked at" };
        perils.push(Peril { at: Where::Ends, hazard, events: Vec::new() });
    }
    perils
}

fn forward(shape: &Shape, state: &State) -> Events {
    let mut next = Vec::new();
    let left = || (0..shape.steps.len()).filter(|&i| !state.done.has(i));
    if left().next().is_none() {
        next.extend(state.world.hazard_of_end(shape, End::Fixed).map(|hazard| Next::Bad((Where::Ends, hazard))));
        return next;
    }
    let ready: Vec<usize> = left()
        .filter(|&i| shape.steps[i].needs.is_some_and(|needs| state.done.holds_all(needs)))
        .filter(|&i| state.done.holds_all(shape.steps[i].stands_for))
        .collect();
    if ready.is_empty() {
        let hazard = Hazard { code: "never-ends", clause: "never: what is left waits for what will not come" };
        next.push(Next::Bad((Where::Ends, hazard)));
    }
    for i in ready {
        let act = shape.steps[i].act;
        let at = At::Forward(i);
        let may_have = |deed: Deed| may_have(shape, state.done, None, deed);
        if let Some(hazard) = state.world.hazard_of(shape, act, false, may_have) {
            next.push(Next::Bad((Where::Begins(at), hazard)));
            continue;
        }
        let mut begun = state.world;
        begun.begin(act);
        let mut succeeded = begun;
        succeeded.succeed(act);
        let done = shape.done_with(state.done, i);
        next.push(Next::State((at, Outcome::Succeeded), State { done, back: None, world: succeeded }));
        if act.kind.is_tidying() {
            let mut world = begun;
            world.leave(act);
            next.push(Next::State((at, Outcome::Left), State { done, back: None, world }));
            continue;
        }
        let turned = |failed, world| State { done: state.done, back: Some((failed, 0)), world };
        next.push(Next::State((at, Outcome::FailedBefore), turned(None, begun)));
        for (outcome, world) in [Outcome::FailedBehind, Outcome::Lost].into_iter().zip(begun.fail(act)) {
            next.push(Next::State((at, outcome), turned(Some(i), world)));
        }
        // Another step is done instead of it, and of all that this stands for.
        if let Some(replaced) = shape.instead_of(i) {
            let done = state.done.union(replaced);
            let mut world = begun;
            world.give_up_trial();
            next.push(Next::State((at, Outcome::Lost), State { done, back: None, world }));
        }
    }
    next
}

fn back(shape: &Shape, state: &State, failed: Option<usize>, at: usize) -> Events {
    let may_have = |deed: Deed| may_have(shape, state.done, failed, deed);
    let way = way_back(shape, state.done, failed);
    if at == 0 {
        let restores = way.iter().any(|(_, undo)| undo.act.deed == Deed::Restore);
        let switches = way.iter().any(|(_, undo)| undo.act.deed == Deed::SwitchBack);
        let changed = [Deed::Fix, Deed::Change, Deed::Reboot, Deed::Promote].into_iter().any(may_have);
        let is_lost = (changed && !restores) || (may_have(Deed::Switchover) && !switches);
        if is_lost {
            // Then the host is parked. Without a backup that is what the policy has accepted.
            let hazard = Hazard { code: "no-way-back", clause: "changed and stuck: nothing takes it back" };
            let accepted = shape.without_backup;
            return (!accepted).then_some(Next::Bad((Where::Ends, hazard))).into_iter().collect();
        }
    }
    let Some(&(place, undo)) = way.get(at) else {
        let hazard = state.world.hazard_of_end(shape, End::TakenBack);
        return hazard.map(|hazard| Next::Bad((Where::Ends, hazard))).into_iter().collect();
    };
    let At::Undo(step, index) = place else { return Vec::new() };
    // What comes earlier on the way was done: those of the same step, in their order.
    let before = (0..index).fold(Steps::default(), Steps::with);
    if !undo.needs.is_some_and(|needs| before.holds_all(needs)) {
        let hazard = Hazard { code: "undo-order", clause: "before what it needs" };
        return vec![Next::Bad((Where::Begins(At::Undo(step, index)), hazard))];
    }
    if let Some(hazard) = state.world.hazard_of(shape, undo.act, true, may_have) {
        return vec![Next::Bad((Where::Begins(place), hazard))];
    }
    let on = |world| State { back: Some((failed, at + 1)), world, ..*state };
    let mut succeeded = state.world;
    succeeded.succeed(undo.act);
    let mut next = vec![Next::State((place, Outcome::Succeeded), on(succeeded))];
    if undo.act.kind.is_tidying() {
        let mut world = state.world;
        world.leave(undo.act);
        next.push(Next::State((place, Outcome::Left), on(world)));
    }
    // Any other that fails leaves the host stuck: it keeps its permit and nothing more is done.
    next
}

/// What takes back all that was done or may have been, last first. A clone that was destroyed on the way is not
/// destroyed again.
fn way_back(shape: &Shape, done: Steps, failed: Option<usize>) -> Vec<(At, &Undo)> {
    let destroyed = acts(shape, done, None).any(|act| act.deed == Deed::Destroy);
    let due = |i: usize| done.has(i) || failed == Some(i);
    let steps = shape.steps.iter().enumerate().rev().filter(|&(i, _)| due(i));
    let undo = steps.flat_map(|(i, step)| step.undo.iter().enumerate().map(move |(j, undo)| (At::Undo(i, j), undo)));
    undo.filter(|(_, undo)| !(destroyed && undo.act.deed == Deed::Destroy)).collect()
}

fn acts(shape: &Shape, done: Steps, failed: Option<usize>) -> impl Iterator<Item = Act> {
    let steps = shape.steps.iter().enumerate();
    steps.filter(move |&(i, _)| done.has(i) || failed == Some(i)).map(|(_, step)| step.act)
}

/// Whether something was begun that may have had an effect; on a clone it is no matter of the host.
fn may_have(shape: &Shape, done: Steps, failed: Option<usize>, deed: Deed) -> bool {
    acts(shape, done, failed).any(|act| act.place == Place::Host && act.deed == deed)
}

impl Peril {
    /// The step it is about; none if it is about how the host ends.
    pub(super) fn step<'a>(&self, host: &'a HostPlan) -> Option<&'a Step> {
        match self.at {
            Where::Begins(at) => at.of(host),
            Where::Ends => None,
        }
    }

    /// The way there in words.
    pub(super) fn trace(&self, name: &HostName, host: &HostPlan) -> Vec<String> {
        let mut lines = tell(name, host, &self.events);
        lines.push(match self.step(host) {
            Some(step) => format!("{} begins {}", step.id, self.hazard.clause),
            None => format!("{name} ends {}", self.hazard.clause),
        });
        lines
    }

    /// What is wrong, in words.
    pub(super) fn text(&self, host: &HostPlan) -> String {
        let Some(step) = self.step(host) else { return format!("it can end {}", self.hazard.clause) };
        match (&step.action, self.hazard.code) {
            (Action::Restore { backup, .. } | Action::Clone { backup, .. }, "backup-of-other") => {
                format!("it can begin {}: {backup}", self.hazard.clause)
            }
            (_, "clone-of-other") => match &step.on {
                Some(on) => format!("it can begin {}: {on}", self.hazard.clause),
                None => format!("it can begin {}", self.hazard.clause),
            },
            _ => format!("it can begin {}", self.hazard.clause),
        }
    }
}

impl At {
    fn of(self, host: &HostPlan) -> Option<&Step> {
        match self {
            Self::Forward(i) => host.steps.get(i),
            Self::Undo(i, j) => host.steps.get(i)?.undo.get(j),
        }
    }
}

/// Events as lines; successes in a row share one.
pub(super) fn tell(name: &HostName, host: &HostPlan, events: &[(At, Outcome)]) -> Vec<String> {
    let id = |at: At| at.of(host).map_or_else(|| name.to_string(), |step| step.id.to_string());
    let together = |a: &(At, Outcome), b: &(At, Outcome)| a.1 == Outcome::Succeeded && b.1 == Outcome::Succeeded;
    let line = |events: &[(At, Outcome)]| match events {
        [(at, outcome)] => format!("{} {}", id(*at), outcome.as_str()),
        [(first, _), rest @ ..] => {
            let steps = rest.iter().filter_map(|(at, _)| at.of(host)).map(|step: &Step| StepId::step(&step.id));
            let rest = steps.fold(String::new(), |all, step| format!("{all}, {step}"));
            format!("{}{rest} succeed", id(*first))
        }
        [] => String::new(),
    };
    events.chunk_by(together).map(line).collect()
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeds",
            Self::FailedBefore => "fails and has changed nothing",
            Self::FailedBehind => "fails when it has had its effect",
            Self::Lost => "fails, and nobody knows how far it came",
            Self::Left => "fails: what it should delete is left",
        }
    }
}
