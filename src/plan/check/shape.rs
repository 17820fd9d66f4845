//! What of a host matters to its safety: its steps without names, commands and times, so that alike hosts are one shape.

use std::collections::BTreeMap;

use crate::model::{HostName, StepId, Strategy};
use crate::plan::{Action, HostPlan, Plan, Step, StepKind};

/// A host with more steps than this is refused: more than three times as many as the longest chain has, and a set of
/// them is one number.
pub(super) const MAX_STEPS: usize = 64;

/// A set of steps of one host, by their index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Steps(u64);

impl Steps {
    pub(super) fn with(self, index: usize) -> Self {
        Self(self.0 | u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0))
    }

    pub(super) fn has(self, index: usize) -> bool {
        Self::default().with(index).0 & self.0 != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn holds_all(self, of: Self) -> bool {
        of.0 & !self.0 == 0
    }
}

/// What waits for what among the steps of one host.
pub(super) struct Order<'a> {
    index: BTreeMap<&'a StepId, usize>,
    before: Vec<Steps>,
}

impl<'a> Order<'a> {
    pub(super) fn of(steps: &'a [Step]) -> Self {
        let index: BTreeMap<&StepId, usize> = steps.iter().enumerate().map(|(i, step)| (&step.id, i)).collect();
        let direct = |step: &Step| {
            step.needs.iter().filter_map(|need| index.get(need)).fold(Steps::default(), |all, &i| all.with(i))
        };
        let mut before: Vec<Steps> = steps.iter().map(direct).collect();
        // Needs of needs, until nothing is added; one round where steps are listed behind what they need.
        loop {
            let mut grown = false;
            for i in 0..before.len() {
                let needed = before.iter().enumerate().filter(|&(j, _)| before[i].has(j));
                let all = needed.fold(before[i], |all, (_, steps)| all.union(*steps));
                grown |= all != before[i];
                before[i] = all;
            }
            if !grown {
                return Self { index, before };
            }
        }
    }

    /// Whether `later` starts only after `earlier` has succeeded.
    pub(super) fn is_behind(&self, later: &StepId, earlier: &StepId) -> bool {
        match (self.index.get(later), self.index.get(earlier)) {
            (Some(&later), Some(&earlier)) => later != earlier && self.before[later].has(earlier),
            _ => false,
        }
    }

    /// The first step that waits for itself.
    pub(super) fn cycle(&self) -> Option<&'a StepId> {
        let circles = self.index.iter().filter(|&(_, &i)| self.before[i].has(i));
        circles.min_by_key(|&(_, &i)| i).map(|(&id, _)| id)
    }

    pub(super) fn knows(&self, id: &StepId) -> bool {
        self.index.contains_key(id)
    }
}

/// What a step does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Look,
    Watch,
    Backup,
    Clone,
    Search,
    Destroy,
    Switchover,
    SwitchBack,
    Promote,
    Release,
    Drain,
    Undrain,
    Arm,
    Disarm,
    Fix,
    Change,
    Reboot,
    Restore,
}

/// On which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Host,
    Clone,
}

/// Whether what a step names is its host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Names {
    Own,
    OtherClone,
    OtherBackup,
    OtherWatch,
}

/// A step as an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Act {
    pub kind: StepKind,
    pub deed: Deed,
    pub place: Place,
    pub names: Names,
    /// It waits for a window and a permit.
    pub is_gated: bool,
}

/// A step with what it needs of its own host and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub act: Act,
    /// None: something that is not there, so that it never starts.
    pub needs: Option<Steps>,
    /// What it is done instead of, when one of those fails; else it is passed over.
    pub stands_for: Steps,
    pub undo: Vec<Undo>,
}

/// A step that takes back, with what it needs among those of the same step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Undo {
    pub act: Act,
    pub needs: Option<Steps>,
}

/// A host as far as its safety goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub has_switch: bool,
    pub without_backup: bool,
    /// It fixes nothing: it proves that a backup of the host can be restored.
    pub is_drill: bool,
    /// It goes back by itself when nothing is heard of the controller.
    pub is_watched: bool,
    pub steps: Vec<Node>,
}

impl Shape {
    fn of(host: &HostPlan) -> Self {
        let first = |kind: StepKind| host.steps.iter().find(|step| step.kind == kind).map(|step| &step.id);
        let own = Own {
            clone: first(StepKind::Clone),
            backup: first(StepKind::Backup),
            promote: first(StepKind::Promote),
            arm: first(StepKind::Arm),
        };
        let node = |step: &Step| Node {
            act: own.act(step),
            needs: set(step.needs.iter().filter(|need| need.host() == step.id.host()), &host.steps),
            stands_for: set(step.stands_for.iter(), &host.steps).unwrap_or_default(),
            undo: step
                .undo
                .iter()
                .map(|undo| Undo { act: own.act(undo), needs: set(undo.needs.iter(), &step.undo) })
                .collect(),
        };
        let mut steps: Vec<Node> = host.steps.iter().map(node).collect();
        // Who needs a step that another may stand for needs that one as well: it is done, or passed over.
        let standing: Vec<(usize, Steps)> =
            steps.iter().enumerate().map(|(i, step)| (i, step.stands_for)).filter(|(_, of)| !of.is_empty()).collect();
        for (stand, of) in standing {
            let behind = |(i, _): &(usize, &mut Node)| *i != stand && !of.has(*i);
            for (_, step) in steps.iter_mut().enumerate().filter(behind) {
                step.needs = step.needs.map(|needs| if needs.meets(of) { needs.with(stand) } else { needs });
            }
        }
        Self {
            has_switch: host.host.switch.is_some(),
            without_backup: host.without_backup,
            is_drill: host.strategy == Strategy::Drill,
            is_watched: steps.iter().any(|step| matches!(step.act.deed, Deed::Arm | Deed::Disarm)),
            steps,
        }
    }

    /// The steps that are done when this one has succeeded: with it, one that stands for it and the others that have.
    pub(super) fn done_with(&self, done: Steps, step: usize) -> Steps {
        let done = done.with(step);
        let over = |node: &Node| !node.stands_for.is_empty() && done.holds_all(node.stands_for);
        self.steps.iter().enumerate().filter(|(_, node)| over(node)).fold(done, |all, (stand, _)| all.with(stand))
    }

    /// What is done instead of this step when it fails, and all that it stands for.
    pub(super) fn instead_of(&self, step: usize) -> Option<Steps> {
        self.steps.iter().map(|node| node.stands_for).find(|of| of.has(step))
    }

    /// The first step of this kind and place.
    pub(super) fn find(&self, kind: StepKind, place: Place) -> Option<usize> {
        self.steps.iter().position(|step| (step.act.kind, step.act.place) == (kind, place))
    }
}

fn set<'a>(mut needs: impl Iterator<Item = &'a StepId>, among: &[Step]) -> Option<Steps> {
    needs.try_fold(Steps::default(), |all, need| Some(all.with(among.iter().position(|step| step.id == *need)?)))
}

/// What the steps of a host may refer to.
struct Own<'a> {
    clone: Option<&'a StepId>,
    backup: Option<&'a StepId>,
    promote: Option<&'a StepId>,
    arm: Option<&'a StepId>,
}

impl Own<'_> {
    fn act(&self, step: &Step) -> Act {
        let (deed, clone, backup) = match &step.action {
            Action::Check { .. } => (Deed::Look, None, None),
            Action::Soak { .. } => (Deed::Watch, None, None),
            Action::Change { .. } if step.kind == StepKind::Fix => (Deed::Fix, None, None),
            Action::Change { .. } => (Deed::Change, None, None),
            Action::Reboot { .. } => (Deed::Reboot, None, None),
            Action::Backup { .. } => (Deed::Backup, None, None),
            Action::Clone { backup, .. } => (Deed::Clone, None, Some(backup)),
            Action::Bisect { clone, backup, .. } => (Deed::Search, Some(clone), Some(backup)),
            Action::Destroy { clone, .. } => (Deed::Destroy, Some(clone), None),
            Action::Switchover { clone } => (Deed::Switchover, Some(clone), None),
            Action::SwitchBack { clone } => (Deed::SwitchBack, Some(clone), None),
            Action::Promote { clone, .. } => (Deed::Promote, Some(clone), None),
            Action::Release { backup, .. } => (Deed::Release, None, Some(backup)),
            Action::Restore { backup, .. } => (Deed::Restore, None, Some(backup)),
            Action::Drain { .. } => (Deed::Drain, None, None),
            Action::Undrain => (Deed::Undrain, None, None),
            Action::Arm { backup, .. } => (Deed::Arm, None, Some(backup)),
            Action::Disarm { .. } => (Deed::Disarm, None, None),
        };
        let promoted = match &step.action {
            Action::Release { promote, .. } => promote.as_ref() == self.promote,
            _ => true,
        };
        let clones = [clone, step.on.as_ref()];
        let names = if clones.into_iter().flatten().any(|clone| Some(clone) != self.clone) || !promoted {
            Names::OtherClone
        } else if backup.is_some_and(|backup| Some(backup) != self.backup) {
            Names::OtherBackup
        } else if matches!(&step.action, Action::Disarm { arm } if Some(arm) != self.arm) {
            Names::OtherWatch
        } else {
            Names::Own
        };
        let place = if step.on.is_some() { Place::Clone } else { Place::Host };
        Act { kind: step.kind, deed, place, names, is_gated: step.is_disruptive() }
    }
}

/// The shapes of a plan's hosts, each once.
pub(super) struct Shapes<'a> {
    pub all: Vec<Shape>,
    of: BTreeMap<&'a HostName, usize>,
}

impl<'a> Shapes<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut numbers: BTreeMap<Shape, usize> = BTreeMap::new();
        let mut of = BTreeMap::new();
        for (name, host) in plan.hosts.iter().filter(|(_, host)| host.steps.len() <= MAX_STEPS) {
            let next = numbers.len();
            of.insert(name, *numbers.entry(Shape::of(host)).or_insert(next));
        }
        let mut all: Vec<(usize, Shape)> = numbers.into_iter().map(|(shape, number)| (number, shape)).collect();
        all.sort_by_key(|(number, _)| *number);
        Self { all: all.into_iter().map(|(_, shape)| shape).collect(), of }
    }

    /// The number of a host's shape; none if it has too many steps.
    pub(super) fn number(&self, host: &HostName) -> Option<usize> {
        self.of.get(host).copied()
    }
}
