//! What steps do to simulated hosts, and what checks see on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::StepResult;
use crate::model::{PackageFix, PackageName, Strategy, TimeSpan};
use crate::plan::{Action, HostPlan, Step, StepKind};
use crate::playbook::LEFT_OUT;

use super::act::{REBOOT_FACT, broken, failed, succeeded};
use super::host::NEEDED_MIB;
use super::sample::LEAVE_OUT;
use super::world::{Call, Happening, Phase};
use super::{CallId, Disk, Fault, Observation, SimHost, SimWorld};

/// How long a soak bears with a host that does not answer.
const SOAK_PATIENCE: TimeSpan = TimeSpan::minutes(5);

impl SimWorld {
    pub(super) fn check_ends(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        if call.phase != Phase::Working {
            return;
        }
        let name = &call.host;
        let Some(host) = self.hosts.get(name) else { return };
        if !host.reachable(now) {
            self.connection_lost(now, id);
            return;
        }
        let plan = call.plan.hosts.get(&call.owner).map(Arc::as_ref);
        let is_drill = plan.is_some_and(|plan| plan.strategy == Strategy::Drill);
        let result = match call.step.kind {
            // Nothing is fixed: what is well before must be so on the clone, with the same packages.
            StepKind::Preflight if is_drill => verify(host, plan, &call.step, &left_out(&call)),
            StepKind::Verify if is_drill => verify_as_before(host, self.backup_of(&call)),
            StepKind::Preflight => preflight(host, plan, &left_out(&call)),
            StepKind::VerifyRestored | StepKind::VerifyOriginal => verify_as_before(host, self.backup_of(&call)),
            _ => verify(host, plan, &call.step, &left_out(&call)),
        };
        if call.step.kind == StepKind::Preflight && !matches!(result, StepResult::Succeeded { .. }) {
            self.spring(name, |fault| matches!(fault, Fault::DiskFull | Fault::LockHeld | Fault::MirrorDown));
        }
        let lost = Fault::Lost { step: call.step.kind, when: super::LostWhen::After };
        if self.spring(name, |fault| *fault == lost).is_some() {
            self.connection_lost(now, id);
        } else {
            self.answer(now, id, result);
        }
    }

    pub(super) fn soak_tick(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id).cloned() else { return };
        let Action::Soak { span, every, .. } = call.step.action else { return };
        let Some(host) = self.hosts.get(&call.host) else { return };
        if call.phase != Phase::Working {
            return;
        }
        let over = now >= span.after(call.began);
        if host.reachable(now) {
            if !host.serves() {
                self.answer(
                    now,
                    id,
                    failed("service-down", format!("{} does not answer on {}", host.service, call.host)),
                );
                return;
            }
            if over {
                self.answer(now, id, succeeded("well all the time"));
                return;
            }
        } else if now >= span.plus(SOAK_PATIENCE).after(call.began) {
            self.answer(now, id, failed("unreachable", format!("{} does not answer", call.host)));
            return;
        }
        let next = every.max(TimeSpan::seconds(1)).after(now);
        self.at(if over { next } else { next.min(span.after(call.began).max(now)) }, Happening::SoakTick(id));
    }

    /// The transaction ended: the packages are there, or half of them.
    pub(super) fn fixed(&mut self, now: Timestamp, call: &Call) -> StepResult {
        let name = &call.host;
        let fails = self.spring(name, |fault| *fault == Fault::FixFails).is_some();
        let breaks = !fails && self.spring(name, |fault| *fault == Fault::FixBreaks).is_some();
        let breaks_later =
            if fails { None } else { self.spring(name, |fault| matches!(fault, Fault::FixBreaksLater { .. })) };
        let Some(plan) = call.plan.hosts.get(&call.owner) else {
            return failed("no-such-host", format!("no host {name}"));
        };
        let left_out = left_out(call);
        let packages: Vec<_> = plan.fix.packages.iter().filter(|package| !left_out.contains(&package.name)).collect();
        let done = if fails { packages.len() / 2 } else { packages.len() };
        let installed: Vec<_> = packages.iter().take(done).map(|p| (&p.name, p.to.as_ref())).collect();
        self.install(name, &call.owner, &installed);
        let Some(host) = self.hosts.get_mut(name) else { return failed("no-such-host", format!("no host {name}")) };
        if breaks {
            host.disk.sound = false;
            self.see(Observation::ServiceBroke { host: name.clone() });
        }
        if let Some(Fault::FixBreaksLater { after }) = breaks_later {
            let restores = self.restores.get(name).copied().unwrap_or(0);
            self.at(after.after(now), Happening::Breaks { host: name.clone(), restores });
        }
        if fails {
            let text = format!("the package manager failed on {name}");
            return broken("fix-failed", text, "dpkg: error processing package: post-installation script returned 1");
        }
        succeeded(&format!("{done} packages upgraded"))
    }

    pub(super) fn restarted(&mut self, call: &Call) -> StepResult {
        if let Some(host) = self.hosts.get_mut(&call.host) {
            host.disk.stale = false;
        }
        succeeded("services restarted")
    }
}

/// The packages that the commands of a call are told to leave out.
fn left_out(call: &Call) -> BTreeSet<PackageName> {
    let told = call.step.action.commands().find_map(|command| {
        let fact = command.env_facts.get(LEAVE_OUT);
        let known = fact.map(|fact| call.facts.get(&(fact.step.clone(), fact.key.clone())).or(fact.otherwise.as_ref()));
        known.unwrap_or_else(|| command.env.get(LEAVE_OUT))
    });
    told.into_iter().flat_map(|names| names.split(' ')).filter_map(|name| PackageName::new(name).ok()).collect()
}

fn preflight(host: &SimHost, plan: Option<&HostPlan>, left_out: &BTreeSet<PackageName>) -> StepResult {
    let name = &host.host.name;
    if !host.mirror_up {
        return failed("source-unreachable", format!("the package source of {name} does not answer"));
    }
    if host.lock_held {
        return failed("lock-held", format!("the package manager of {name} is locked by another process"));
    }
    if host.free_mib < NEEDED_MIB {
        return failed("no-space", format!("{name} has {} MiB free, {NEEDED_MIB} are needed", host.free_mib));
    }
    let due = |p: &&PackageFix| !left_out.contains(&p.name) && !host.has(&p.name, p.to.as_ref());
    let missing = plan.map_or(0, |plan| plan.fix.packages.iter().filter(due).count());
    if missing == 0 {
        return StepResult::NothingToDo { note: "every package is there already".to_owned() };
    }
    succeeded(&format!("{missing} packages to upgrade"))
}

fn verify(host: &SimHost, plan: Option<&HostPlan>, step: &Step, left_out: &BTreeSet<PackageName>) -> StepResult {
    let name = &host.host.name;
    let has_step = |kind| plan.is_some_and(|plan| plan.steps.iter().any(|s| s.kind == kind && s.on == step.on));
    let due = |p: &&PackageFix| !left_out.contains(&p.name) && !host.has(&p.name, p.to.as_ref());
    if let Some(missing) = plan.and_then(|plan| plan.fix.packages.iter().find(due)) {
        return failed("not-fixed", format!("{} on {name} is not at the fixed version", missing.name));
    }
    if !host.serves() {
        return failed("service-down", format!("{} does not answer on {name}", host.service));
    }
    if host.disk.stale && has_step(StepKind::Restart) {
        return failed("stale-service", format!("{} on {name} still uses replaced libraries", host.service));
    }
    if host.disk.reboot_required && has_step(StepKind::Reboot) {
        return failed("old-kernel", format!("{name} still runs the old kernel"));
    }
    let planned = plan.into_iter().flat_map(|plan| &plan.fix.packages).map(|package| &package.name);
    let names: Vec<&str> = planned.filter(|name| left_out.contains(*name)).map(PackageName::as_str).collect();
    let facts = BTreeMap::from([
        (REBOOT_FACT.to_owned(), host.disk.reboot_required.to_string()),
        (LEFT_OUT.1.to_owned(), names.join(" ")),
    ]);
    StepResult::Succeeded { facts, note: None }
}

pub(super) fn verify_as_before(host: &SimHost, backup: Option<&Disk>) -> StepResult {
    let name = &host.host.name;
    if backup.is_some_and(|backup| backup.installed != host.disk.installed) {
        return failed("not-as-before", format!("{name} does not have the packages of its backup"));
    }
    if !host.serves() {
        return failed("service-down", format!("{} does not answer on {name}", host.service));
    }
    succeeded("as before")
}
