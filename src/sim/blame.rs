//! What the monitor says of searches: what they find is believed, and they find it quickly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{PackageName, StepId};
use crate::plan::{Action, HostPlan, StepKind};
use crate::playbook::LEFT_OUT;

use super::monitor::Monitor;
use super::{CallId, Invariant, SimWorld};

impl Monitor {
    /// A step has succeeded; where that was a search, this is what it found.
    pub(super) fn found(&mut self, at: Timestamp, call: CallId, step: &StepId, facts: &BTreeMap<String, String>) {
        let Some((_, planned)) = self.plan.step(step) else { return };
        let Action::Bisect { units, .. } = &planned.action else { return };
        let names = facts.get(LEFT_OUT.1).map_or("", String::as_str);
        let blamed: BTreeSet<PackageName> =
            names.split(' ').filter_map(|package| PackageName::new(package).ok()).collect();
        let culprits = units.iter().filter(|unit| unit.iter().any(|package| blamed.contains(package))).count();
        // ceil(log2 n), and one to show that the rest is fine.
        let most = units.len().next_power_of_two().ilog2() + 1;
        let trials = self.trials.get(&call).copied().unwrap_or(0);
        let what = if culprits == 0 {
            Some(format!("{step} succeeded and blames nothing"))
        } else {
            (culprits == 1 && trials > most)
                .then(|| format!("{step} needed {trials} trials for one of {}, and {most} are enough", units.len()))
        };
        if let Some(what) = what {
            self.complain(at, Invariant::Blame, what);
        }
        self.blamed.insert(step.clone(), blamed);
    }

    /// A host was fixed, or a clone took its place: what a search that speaks for it blames is not on it.
    pub(super) fn leaves_out(&mut self, at: Timestamp, world: &SimWorld, step: &StepId) {
        let Some((host, step)) = self.plan.step(step).filter(|(_, step)| step.on.is_none()) else { return };
        let name = &host.host.name;
        let (Some(sim), Some(before)) = (world.host(name), self.before.get(name)) else { return };
        let blamed = self.blamed_for(host).find(|package| {
            let there = sim.disk.installed.get(*package);
            there.is_some() && there != before.installed.get(*package)
        });
        if let Some(package) = blamed {
            let what = format!("{} brought {package} to {name}, which broke a clone", step.id);
            self.complain(at, Invariant::Blame, what);
        }
    }

    /// Packages that broke the clone of this host, or of the host for which it waits if it has no search of its own.
    pub(super) fn blamed_for<'m>(&'m self, host: &'m HostPlan) -> impl Iterator<Item = &'m PackageName> {
        let own = host.steps.iter().find(|step| step.kind == StepKind::Bisect).map(|step| &step.id);
        let pilots: Vec<&str> = host.steps.iter().flat_map(|step| step.foreign_needs()).map(StepId::host).collect();
        let speaks = move |search: &StepId| match own {
            Some(own) => search == own,
            None => pilots.contains(&search.host()),
        };
        self.blamed.iter().filter(move |(search, _)| speaks(search)).flat_map(|(_, blamed)| blamed)
    }
}
