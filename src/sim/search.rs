//! The simulated search for what breaks a clone, as the real executor makes it: trials on fresh clones, halves alone, then
//! all that is not to blame together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::{Effected, StepResult};
use crate::model::{AttemptId, HostName, PackageName, PackageVersion, StepId, TimeSpan};
use crate::plan::{Action, Reason, Step, StepKind};
use crate::playbook::LEFT_OUT;

use super::act::{failed, unknown};
use super::provider::{ADDRESS_FACT, CLONE_FACT, HOST_KEY_FACT, host_key_of};
use super::world::{Call, Happening, Phase};
use super::{CallId, CloneOf, Disk, Fault, LostWhen, Observation, SimWorld, clone_name};

type Units = BTreeSet<usize>;

/// A search that is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    blamed: Units,
    /// One of these breaks the host.
    suspects: Units,
    /// What the trial under way installs.
    tries: Units,
    /// Whether it shows that all that is not blamed goes well together.
    proves: bool,
    tried: u32,
}

/// What came of a trial.
enum Trial {
    Well,
    Broken,
    /// It says nothing of the packages.
    Inconclusive(String),
}

/// What the search's action says.
struct Asked<'a> {
    steps: &'a [StepId],
    units: &'a [Vec<PackageName>],
    most: u32,
}

impl Asked<'_> {
    fn of(call: &Call) -> Option<Asked<'_>> {
        match &call.step.action {
            Action::Bisect { steps, units, trials, .. } => Some(Asked { steps, units, most: *trials }),
            _ => None,
        }
    }

    fn names(&self, which: &Units) -> String {
        let mut names: Vec<&str> =
            which.iter().filter_map(|unit| self.units.get(*unit)).flatten().map(PackageName::as_str).collect();
        names.sort_unstable();
        names.join(" ")
    }

    fn steps<'c>(&'c self, call: &'c Call) -> impl Iterator<Item = &'c Step> {
        self.steps.iter().filter_map(|id| call.plan.step(id)).map(|(_, step)| step)
    }
}

impl SimWorld {
    /// A search begins anew, whatever an earlier try of it has left.
    pub(super) fn search(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let lost = |when: LostWhen| move |fault: &Fault| *fault == Fault::Lost { step: StepKind::Bisect, when };
        if self.spring(&call.host, lost(LostWhen::Before)).is_some() {
            return self.connection_lost(now, id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.phase = Phase::Working;
        }
        let Some(asked) = Asked::of(call) else { return };
        let search = Search { suspects: (0..asked.units.len()).collect(), ..Search::default() };
        self.searches.insert(id, search);
        self.next_trial(now, id, call);
        if self.spring(&call.host, lost(LostWhen::During)).is_some() {
            self.connection_lost(now, id);
        }
    }

    fn next_trial(&mut self, now: Timestamp, id: CallId, call: &Call) {
        let (Some(asked), Some(mut search)) = (Asked::of(call), self.searches.remove(&id)) else { return };
        if search.suspects.len() > 1 {
            search.tries = search.suspects.iter().copied().take(search.suspects.len().div_ceil(2)).collect();
            search.proves = false;
        } else {
            search.blamed.append(&mut search.suspects);
            search.tries = (0..asked.units.len()).filter(|unit| !search.blamed.contains(unit)).collect();
            search.proves = true;
        }
        let blamed = asked.names(&search.blamed);
        if search.tries.is_empty() {
            let reason = Reason::new("nothing-left", format!("{blamed} break it, and nothing is left to fix"));
            let evidence = format!("{}: {blamed}", LEFT_OUT.1);
            self.remove_clone(now, &call.owner);
            return self.answer(now, id, StepResult::Failed { reason, effect: Effected::No, evidence });
        }
        if search.tried >= asked.most {
            let text = format!("no answer after {} trials", search.tried);
            return self.answer(now, id, failed("bisect-inconclusive", text));
        }
        search.tried += 1;
        self.remove_clone(now, &call.owner);
        let clone = clone_name(&call.host);
        if self.spring(&clone, |fault| *fault == Fault::CloneFails).is_some() {
            let text = format!("the quota leaves no room for a clone of {}", call.host);
            return self.answer(now, id, failed("clone-failed", text));
        }
        let Some(disk) = self.backup_of(call).cloned() else {
            return self.answer(now, id, failed("no-backup", format!("{} has no backup to clone", call.host)));
        };
        self.see(Observation::Trial { call: id });
        self.make_trial_clone(now, call, search.tried, &disk);
        let steps: Vec<Step> = asked.steps(call).cloned().collect();
        let length = steps.iter().fold(TimeSpan::minutes(2), |sum, step| sum.plus(self.duration(&clone, step)));
        self.searches.insert(id, search);
        self.at(length.after(now), Happening::TrialEnds(id));
    }

    fn make_trial_clone(&mut self, now: Timestamp, call: &Call, number: u32, disk: &Disk) {
        let Some(host) = self.hosts.get(&call.host) else { return };
        // The key of a trial's clone is that of the search, with the trial's number.
        let Ok(step) = StepId::new(&format!("{}-{number}", call.step.id)) else { return };
        let key = AttemptId { step, ..call.attempt.clone() };
        let overdue_at = TimeSpan::days(1).after(now);
        let of = CloneOf { host: call.host.clone(), key, overdue_at, kept_until: None };
        let clone = host.cloned(disk, of);
        let up = Observation::HostUp { host: clone.host.name.clone(), boot: clone.boot };
        self.add_clone(clone);
        self.see(up);
    }

    pub(super) fn trial_ends(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        let (Some(asked), Some(mut search)) = (Asked::of(&call), self.searches.remove(&id)) else { return };
        // Whose controller was overtaken finds that out when it next says something, and makes no further trial.
        if call.phase != Phase::Working || call.overtaken {
            return;
        }
        match self.trial(now, &call, &asked, &search) {
            Trial::Inconclusive(why) => {
                let text = format!("trial {}: {why}", search.tried);
                self.answer(now, id, failed("bisect-inconclusive", text));
            }
            Trial::Well if search.proves => self.found(now, id, &call, &asked, &search),
            outcome => {
                search.suspects = match outcome {
                    Trial::Well => search.suspects.difference(&search.tries).copied().collect(),
                    _ => search.tries.clone(),
                };
                self.searches.insert(id, search);
                self.next_trial(now, id, &call);
            }
        }
    }

    fn found(&mut self, now: Timestamp, id: CallId, call: &Call, asked: &Asked<'_>, search: &Search) {
        let lost = Fault::Lost { step: StepKind::Bisect, when: LostWhen::After };
        if self.spring(&call.host, |fault| *fault == lost).is_some() {
            return self.connection_lost(now, id);
        }
        let Some((clone, of)) = self.clones(&call.owner).next() else {
            return self.answer(now, id, unknown("clone-not-found", "somebody else destroyed the clone"));
        };
        let facts = BTreeMap::from([
            (LEFT_OUT.1.to_owned(), asked.names(&search.blamed)),
            ("trials".to_owned(), search.tried.to_string()),
            (CLONE_FACT.to_owned(), clone.host.name.to_string()),
            (ADDRESS_FACT.to_owned(), clone.host.address().to_owned()),
            (HOST_KEY_FACT.to_owned(), host_key_of(of)),
        ]);
        self.answer(now, id, StepResult::Succeeded { facts, note: None });
    }

    /// The steps of a trial on its clone, one behind the other.
    fn trial(&mut self, now: Timestamp, call: &Call, asked: &Asked<'_>, search: &Search) -> Trial {
        let name = clone_name(&call.host);
        let away = |fault: &Fault| match fault {
            Fault::Refused { step, .. }
            | Fault::CutOff { step }
            | Fault::Isolated { step }
            | Fault::Lost { step, .. } => *step == StepKind::Bisect,
            _ => false,
        };
        if self.spring(&name, away).is_some() {
            return Trial::Inconclusive(format!("{name} does not answer"));
        }
        if self.spring(&name, |fault| *fault == Fault::FixFails).is_some() {
            return Trial::Broken;
        }
        let breaks = self.spring(&name, |fault| *fault == Fault::FixBreaks).is_some();
        if let Some(Fault::FixBreaksLater { after }) =
            self.spring(&name, |fault| matches!(fault, Fault::FixBreaksLater { .. }))
        {
            self.at(after.after(now), Happening::Breaks { host: name.clone(), restores: 0 });
        }
        let reboots = asked.steps(call).any(|step| step.kind == StepKind::Reboot);
        if reboots && self.spring(&name, |fault| *fault == Fault::RebootNeverReturns).is_some() {
            return Trial::Broken;
        }
        let packages: Vec<_> =
            search.tries.iter().filter_map(|unit| asked.units.get(*unit)).flatten().map(|name| (name, None)).collect();
        let broken = self.install(&name, &call.owner, &packages);
        let Some(clone) = self.hosts.get_mut(&name) else {
            return Trial::Inconclusive("somebody else destroyed the clone".to_owned());
        };
        clone.disk.stale = false;
        if reboots {
            clone.boot += 1;
            clone.disk.reboot_required = false;
        }
        clone.disk.sound &= !breaks;
        if broken || !clone.serves() { Trial::Broken } else { Trial::Well }
    }

    /// The package manager upgrades these, to what its source offers or else to these versions; whether one of them
    /// breaks the service.
    pub(super) fn install(
        &mut self,
        name: &HostName,
        owner: &HostName,
        packages: &[(&PackageName, Option<&PackageVersion>)],
    ) -> bool {
        let Some(host) = self.hosts.get_mut(name) else { return false };
        let mut breaks = BTreeSet::new();
        for &(package, to) in packages {
            let offer = host.offers.get(package);
            let Some(version) = offer.map(|offer| &offer.version).or(to) else { continue };
            let before = host.disk.installed.insert(package.clone(), version.clone());
            host.disk.stale = true;
            host.disk.reboot_required |= offer.is_some_and(|offer| offer.needs_reboot);
            if before.as_ref() != Some(version) {
                breaks.extend(host.breaking.get(package).copied());
            }
        }
        host.disk.sound &= breaks.is_empty();
        let broken = !breaks.is_empty();
        for fault in breaks {
            self.comes_to_pass(owner, fault);
        }
        if broken {
            self.see(Observation::ServiceBroke { host: name.clone() });
        }
        broken
    }
}
