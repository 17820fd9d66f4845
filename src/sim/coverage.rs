//! What random campaigns have met: trouble by step and by how far the step was, and why the rest cannot be met.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::plan::{HostPlan, Step, StepKind};

/// Where a step works, and in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Forward, on the host itself.
    Host,
    /// Forward, on its clone.
    Clone,
    /// Taking something back.
    Back,
}

/// A step as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepAt {
    /// What it does.
    pub kind: StepKind,
    /// Where.
    pub place: Place,
}

impl StepAt {
    /// The place of a step in its host's plan.
    pub(super) fn of(plan: &HostPlan, step: &Step) -> Self {
        let place = match step.on {
            Some(_) => Place::Clone,
            None if plan.steps.iter().any(|forward| forward.id == step.id) => Place::Host,
            None => Place::Back,
        };
        Self { kind: step.kind, place }
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It is about to begin: its intent is the last that was written.
    Intended,
    /// It was begun, and its answer is waited for.
    Running,
    /// Its answer said nothing, or was lost with a controller: it is asked for again.
    Unknown,
    /// It has succeeded: that is the last that was written.
    Succeeded,
    /// It has failed: that is the last that was written.
    Failed,
}

/// Every place of the table.
pub const STEPS: [StepAt; 31] = {
    const fn host(kind: StepKind) -> StepAt {
        StepAt { kind, place: Place::Host }
    }
    const fn clone(kind: StepKind) -> StepAt {
        StepAt { kind, place: Place::Clone }
    }
    const fn back(kind: StepKind) -> StepAt {
        StepAt { kind, place: Place::Back }
    }
    use StepKind as K;
    [
        host(K::Preflight),
        host(K::Backup),
        host(K::Clone),
        clone(K::Preflight),
        clone(K::Fix),
        clone(K::Restart),
        clone(K::Reboot),
        clone(K::Verify),
        host(K::Bisect),
        host(K::Destroy),
        host(K::Switchover),
        clone(K::Observe),
        host(K::Drain),
        host(K::Promote),
        host(K::Arm),
        host(K::Fix),
        host(K::Restart),
        host(K::Reboot),
        host(K::Verify),
        host(K::Disarm),
        host(K::Undrain),
        host(K::Soak),
        host(K::Release),
        back(K::Drain),
        back(K::Restore),
        back(K::VerifyRestored),
        back(K::Disarm),
        back(K::Undrain),
        back(K::SwitchBack),
        back(K::VerifyOriginal),
        back(K::Destroy),
    ]
};

/// Every state of the table.
pub const STATES: [StepState; 5] =
    [StepState::Intended, StepState::Running, StepState::Unknown, StepState::Succeeded, StepState::Failed];

/// What can go wrong at the controller, by the names of [`super::Trouble`].
pub const TROUBLES: [&str; 8] =
    ["killed", "torn-record", "taken-over", "journal-fails", "paused", "aborted", "clock-back", "clock-leaps"];

/// What can go wrong in the world, by the names of [`super::Fault`].
pub const FAULTS: [&str; 26] = [
    "refused",
    "lost",
    "cut-off",
    "isolated",
    "slow",
    "foreign-reboot",
    "reboot-never-returns",
    "fix-fails",
    "fix-breaks",
    "fix-breaks-later",
    "package-breaks",
    "backup-fails",
    "restore-fails",
    "disk-full",
    "lock-held",
    "mirror-down",
    "drain-fails",
    "clone-fails",
    "clone-never-answers",
    "breaks-under-traffic",
    "switch-fails",
    "promote-fails",
    "destroy-fails",
    "release-fails",
    "fixed-meanwhile",
    "watch-fails",
];

/// One cell of the table.
pub type Cell = (&'static str, StepAt, StepState);

/// How often each cell was hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Cell, u64>);

/// Why this cell cannot be hit; none: it must be in a large run.
pub fn impossible(trouble: &str, at: StepAt, state: StepState) -> Option<&'static str> {
    use StepKind as K;
    if TROUBLES.contains(&trouble) {
        // A controller may be in trouble behind any record, and whatever runs.
        return None;
    }
    if !matches!(state, StepState::Running | StepState::Unknown) {
        return Some("the world is asked for nothing before a step begins and behind its end");
    }
    let asks_a_system = matches!(
        at.kind,
        K::Preflight
            | K::Fix
            | K::Restart
            | K::Reboot
            | K::Verify
            | K::Observe
            | K::Soak
            | K::VerifyRestored
            | K::VerifyOriginal
    );
    let switches = matches!(at.kind, K::Drain | K::Undrain | K::Switchover | K::SwitchBack);
    let watches = matches!(at.kind, K::Arm | K::Disarm);
    let searches = at.kind == K::Bisect;
    let (possible, why) = match trouble {
        "lost" => (true, ""),
        "refused" | "cut-off" | "isolated" => {
            (asks_a_system || searches, "neither provider nor switch is reached through the host's network")
        }
        "slow" => (!switches && !watches, "switches and watches answer at once, however slow their host is"),
        "foreign-reboot" => (at.kind == K::Fix, "it is planted in the middle of a fix"),
        "reboot-never-returns" => (at.kind == K::Reboot || searches, "only a reboot can stay away"),
        "fix-fails" | "fix-breaks" | "fix-breaks-later" | "package-breaks" => {
            (at.kind == K::Fix || searches, "only a fix installs something")
        }
        "backup-fails" | "fixed-meanwhile" => (at.kind == K::Backup, "it is planted where the backup is made"),
        "restore-fails" => (at.kind == K::Restore, "only a restore can fail to restore"),
        "disk-full" | "lock-held" | "mirror-down" => {
            (at.kind == K::Preflight, "a preflight looks for it, and nothing goes on behind one that fails")
        }
        "drain-fails" => (at.kind == K::Drain, "only a drain waits for requests to end"),
        "watch-fails" => (watches, "nothing else is asked of a watch that may fail"),
        "clone-fails" => (at.kind == K::Clone || searches, "only what makes clones needs room for one"),
        "clone-never-answers" => (at.kind == K::Clone, "it is planted for the first clone of a host"),
        "breaks-under-traffic" => (at.kind == K::Switchover, "the switchover sends the traffic"),
        "switch-fails" => (switches, "it asks no switch"),
        "promote-fails" => (at.kind == K::Promote, "only a promotion can fail to promote"),
        "destroy-fails" => (at.kind == K::Destroy, "only a destruction can fail to destroy"),
        "release-fails" => (at.kind == K::Release, "only a release can fail to release"),
        _ => (false, "no such trouble"),
    };
    (!possible).then_some(why)
}

impl Coverage {
    pub(super) fn hit(&mut self, cell: Cell) {
        *self.0.entry(cell).or_insert(0) += 1;
    }

    /// Adds what another run has hit.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.0 {
            *self.0.entry(*cell).or_insert(0) += count;
        }
    }

    /// Every cell that can be hit.
    pub fn possible() -> impl Iterator<Item = Cell> {
        let all = FAULTS.iter().chain(&TROUBLES).flat_map(|&trouble| {
            STEPS.iter().flat_map(move |&at| STATES.iter().map(move |&state| (trouble, at, state)))
        });
        all.filter(|&(trouble, at, state)| impossible(trouble, at, state).is_none())
    }

    /// Cells that can be hit and were not.
    pub fn missing(&self) -> Vec<Cell> {
        Self::possible().filter(|cell| !self.0.contains_key(cell)).collect()
    }

    /// Cells that were hit and are said to be impossible: the table of reasons is wrong.
    pub fn surprises(&self) -> Vec<Cell> {
        self.0.keys().copied().filter(|&(trouble, at, state)| impossible(trouble, at, state).is_some()).collect()
    }

    /// How often this went wrong, anywhere.
    pub fn of(&self, trouble: &str) -> u64 {
        self.0.iter().filter(|((name, ..), _)| *name == trouble).map(|(_, count)| count).sum()
    }

    /// The table: a line for trouble and step, a column for each state; `-` cannot be.
    pub fn table(&self) -> String {
        let mut text = format!("{:<22}{:<24}", "trouble", "step");
        for state in STATES {
            let _ = write!(text, "{:>11}", format!("{state:?}").to_lowercase());
        }
        text.push('\n');
        for trouble in FAULTS.iter().chain(&TROUBLES) {
            for at in STEPS {
                if STATES.iter().all(|&state| impossible(trouble, at, state).is_some()) {
                    continue;
                }
                let _ = write!(text, "{trouble:<22}{:<24}", step_name(at));
                for state in STATES {
                    let count = self.0.get(&(*trouble, at, state)).copied().unwrap_or(0);
                    let shown = match impossible(trouble, at, state) {
                        Some(_) if count == 0 => "-".to_owned(),
                        _ => count.to_string(),
                    };
                    let _ = write!(text, "{shown:>11}");
                }
                text.push('\n');
            }
        }
        text
    }
}

/// A step's name in the table.
pub fn step_name(at: StepAt) -> String {
    match at.place {
        Place::Host => at.kind.to_string(),
        Place::Clone => format!("{} on the clone", at.kind),
        Place::Back => format!("{} going back", at.kind),
    }
}
