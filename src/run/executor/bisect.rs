//! Which packages break the host: the trial of a fix is repeated with fewer of them on fresh clones.
//!
//! Halves are tried alone, so that one package to blame among n is found in ceil(log2 n) trials, and one more shows that
//! all the others are fine together; if they are not, there is another to be found among them. Everything happens on
//! clones: whatever becomes of a trial, it may be done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{Effected, Mode, StepRequest, StepResult};
use crate::model::{AttemptId, Command, Host, PackageName, StepId};
use crate::plan::{Action, Reason, Step, StepKind};
use crate::playbook::LEFT_OUT;
use crate::provider::{BackupRef, CloneRef, EffectKey};

use super::clone::{ADDRESS, CLONE, HOST_KEY, as_host};
use super::effects::{BACKUP, provider_failed};
use super::{Work, failed};

/// Failures that say nothing of the packages: nobody could look.
const NOT_EVIDENCE: [&str; 8] = [
    "unreachable",
    "connection-lost",
    "no-answer",
    "login-refused",
    "host-key-mismatch",
    "out-of-protocol",
    "command-not-rendered",
    "step-timeout",
];

/// What came of a trial.
enum Trial {
    /// All went well; this is the clone that has it.
    Well { clone: CloneRef, host: Box<Host> },
    /// The fix broke it.
    Broken,
}

/// What a search works with.
struct Search<'a> {
    backup: BackupRef,
    steps: Vec<&'a Step>,
    units: &'a [Vec<PackageName>],
    variable: &'a str,
    back_within: crate::model::TimeSpan,
    most: u32,
    tried: u32,
}

type Units = BTreeSet<usize>;

impl Work<'_> {
    pub(super) async fn bisect_step(&self) -> Result<StepResult, StepResult> {
        let Action::Bisect { backup, steps, units, variable, back_within, trials, .. } = &self.step.action else {
            return Err(failed(Reason::new("unknown-step", "no search"), Effected::No, String::new()));
        };
        let plan = &self.request.plan;
        let mut search = Search {
            backup: BackupRef(self.needed(backup, BACKUP)?),
            steps: steps.iter().filter_map(|id| plan.step(id)).map(|(_, step)| step).collect(),
            units,
            variable,
            back_within: *back_within,
            most: *trials,
            tried: 0,
        };
        // The clone that broke, and whatever an earlier try of this search has left.
        self.clear(None).await?;
        let mut blamed = Units::new();
        loop {
            let suspects: Units = (0..units.len()).filter(|unit| !blamed.contains(unit)).collect();
            let culprit = self.find(&mut search, suspects.clone()).await?;
            blamed.insert(culprit);
            let rest: Units = suspects.into_iter().filter(|unit| *unit != culprit).collect();
            let names = names(units, &blamed);
            if rest.is_empty() {
                let text = format!("{names} break it, and nothing is left to fix");
                return Err(self.blame(&names, failed(Reason::new("nothing-left", text), Effected::No, String::new())));
            }
            if let Trial::Well { clone, host } = self.trial(&mut search, &rest).await? {
                self.clear(Some(&clone)).await?;
                let facts = BTreeMap::from([
                    (LEFT_OUT.1.to_owned(), names.clone()),
                    ("trials".to_owned(), search.tried.to_string()),
                    (CLONE.to_owned(), clone.0),
                    (ADDRESS.to_owned(), host.address().to_owned()),
                    (HOST_KEY.to_owned(), host.ssh.host_key.clone().unwrap_or_default()),
                ]);
                let note = Some(format!("{names} break it, found in {} trials; the rest is fine", search.tried));
                return Ok(StepResult::Succeeded { facts, note });
            }
        }
    }

    /// One of these units, which together break the host.
    async fn find(&self, search: &mut Search<'_>, mut suspects: Units) -> Result<usize, StepResult> {
        while suspects.len() > 1 {
            let half: Units = suspects.iter().copied().take(suspects.len().div_ceil(2)).collect();
            suspects = match self.trial(search, &half).await? {
                Trial::Broken => half,
                Trial::Well { clone, .. } => {
                    self.destroy(&clone).await?;
                    suspects.difference(&half).copied().collect()
                }
            };
        }
        let none = || failed(Reason::new("bisect-failed", "there is nothing to blame"), Effected::No, String::new());
        suspects.pop_first().ok_or_else(none)
    }

    /// The fix with these units and no others, on a clone of its own.
    async fn trial(&self, search: &mut Search<'_>, units: &Units) -> Result<Trial, StepResult> {
        if search.tried >= search.most {
            let text = format!("no answer after {} trials", search.tried);
            return Err(failed(Reason::new("bisect-inconclusive", text), Effected::No, String::new()));
        }
        search.tried += 1;
        let number = search.tried;
        let without: Units = (0..search.units.len()).filter(|unit| !units.contains(unit)).collect();
        let left_out = names(search.units, &without);
        self.context.progress(&format!("trial {number}: without {left_out}"));
        let provider = self.provider()?;
        let key = EffectKey(format!("{}.{number}", self.request.attempt));
        let clone = match self.in_time(provider.clone_host(self.host, &search.backup, &key)).await? {
            Ok(clone) => clone,
            Err(error) => return Err(provider_failed("clone-failed", error)),
        };
        let host = as_host(self.host, clone.address, clone.host_key);
        if let Err(reason) = (Work { host: &host, ..*self }).wait_until_back(search.back_within).await {
            return Err(failed(Reason::new("clone-not-up", reason.text), Effected::No, String::new()));
        }
        let mut facts = (*self.request.facts).clone();
        for step in &search.steps {
            let step = with_left_out(step, search.variable, &left_out);
            match self.on_clone(&step, &host, number, &facts).await {
                StepResult::Succeeded { facts: told, .. } => {
                    facts.extend(told.into_iter().map(|(key, value)| ((step.id.clone(), key), value)));
                }
                // Only what the fix itself has done is evidence.
                StepResult::Failed { reason, effect, .. }
                    if step.kind != StepKind::Preflight
                        && !NOT_EVIDENCE.contains(&reason.code.as_str())
                        && (step.kind == StepKind::Verify || effect == Effected::Possibly) =>
                {
                    self.destroy(&clone.reference).await?;
                    self.context.progress(&format!("trial {number} without {left_out}: {}", reason.text));
                    return Ok(Trial::Broken);
                }
                StepResult::Failed { reason, .. } | StepResult::Unknown { reason } => {
                    let text = format!("trial {number} without {left_out}: {}: {}", step.id.step(), reason.text);
                    return Err(failed(Reason::new("bisect-inconclusive", text), Effected::No, String::new()));
                }
                StepResult::NothingToDo { note } => {
                    let text = format!("trial {number} without {left_out}: {note}");
                    return Err(failed(Reason::new("bisect-inconclusive", text), Effected::No, String::new()));
                }
            }
        }
        Ok(Trial::Well { clone: clone.reference, host: Box::new(host) })
    }

    /// A step of the trial on a clone. Its jobs have names of their own on each clone.
    async fn on_clone(
        &self,
        step: &Step,
        host: &Host,
        number: u32,
        facts: &BTreeMap<(StepId, String), String>,
    ) -> StepResult {
        let id = StepId::new(&format!("{}-{number}-{}", self.step.id, step.id.step()));
        let Ok(id) = id else {
            return failed(Reason::new("unknown-step", "a name is too long"), Effected::No, String::new());
        };
        let request = StepRequest {
            attempt: AttemptId { step: id, ..self.request.attempt.clone() },
            mode: Mode::Start,
            facts: Arc::new(facts.clone()),
            ..self.request.clone()
        };
        let deadline = self.deadline.min(std::time::Instant::now() + step.timeout.to_std());
        Work { request: &request, host, step, deadline, ..*self }.perform().await
    }

    async fn destroy(&self, clone: &CloneRef) -> Result<(), StepResult> {
        let provider = self.provider()?;
        match self.in_time(provider.destroy(self.host, clone)).await? {
            Ok(()) => Ok(()),
            Err(error) => Err(provider_failed("destroy-failed", error)),
        }
    }

    /// Destroys the clones of this host and campaign but for one.
    async fn clear(&self, but: Option<&CloneRef>) -> Result<(), StepResult> {
        let provider = self.provider()?;
        for clone in self.clones(&*provider).await?.iter().filter(|clone| Some(*clone) != but) {
            self.destroy(clone).await?;
        }
        Ok(())
    }

    /// What was found is evidence also where nothing is left to fix.
    fn blame(&self, names: &str, result: StepResult) -> StepResult {
        match result {
            StepResult::Failed { reason, effect, .. } => {
                StepResult::Failed { reason, effect, evidence: format!("{}: {names}", LEFT_OUT.1) }
            }
            other => other,
        }
    }
}

fn names(units: &[Vec<PackageName>], which: &Units) -> String {
    let mut names: Vec<&str> =
        which.iter().filter_map(|unit| units.get(*unit)).flatten().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.join(" ")
}

/// The step with this in the variable of its commands.
fn with_left_out(step: &Step, variable: &str, names: &str) -> Step {
    let mut step = step.clone();
    let set = |command: &mut Command| {
        if let Some(value) = command.env.get_mut(variable) {
            names.clone_into(value);
        }
    };
    match &mut step.action {
        Action::Check { commands, .. } | Action::Change { commands } => commands.iter_mut().for_each(set),
        Action::Reboot { required, command, .. } => required.iter_mut().chain([command]).for_each(set),
        _ => {}
    }
    step
}
