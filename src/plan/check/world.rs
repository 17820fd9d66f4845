//! The smallest world in which a host can be lost: its system, its clone, its backup and where its traffic goes.

use super::shape::{Act, Deed, Names, Place, Shape};
use crate::plan::StepKind;

/// What runs under the name of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum System {
    /// As it was.
    Original,
    /// As it was, and its traffic went elsewhere for a while.
    Idle,
    /// Changed, or nobody knows.
    Changed,
    /// Changed, and shown to work.
    Verified,
    /// Restored.
    Restored,
    /// Restored, and shown to work.
    Back,
}

/// What became of the clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Clone {
    None,
    Fresh,
    Changed,
    Verified,
    /// It took the place of its host.
    Promoted,
    /// It took the place, and a restore took it back.
    Aside,
    Gone,
    /// It could not be deleted: its provider lists it.
    Left,
}

/// Where the switch sends the host's traffic, when it sends any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Traffic {
    Host,
    Clone,
}

/// How a host's part of the world stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct World {
    system: System,
    clone: Clone,
    traffic: Traffic,
    flows: bool,
    backed_up: bool,
    /// A watch puts the host back when nothing is heard of the controller.
    armed: bool,
    /// Each machine was looked at before it was changed.
    looked: [bool; 2],
    /// The fix was made on each.
    fixed: [bool; 2],
    /// The fix went well on the clone.
    tried: bool,
    /// A clone was looked at as its backup made it.
    shown: bool,
    /// The clone was watched while it had the traffic.
    watched: bool,
    /// The host was watched in service since it was changed.
    settled: bool,
    /// A step has begun that waits for a window and a permit: both are held until the host has ended.
    has_permit: bool,
    reboots: [u8; 2],
}

/// Something that must not happen, as an end of the sentence "it begins ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hazard {
    pub code: &'static str,
    pub clause: &'static str,
}

const fn hazard(code: &'static str, clause: &'static str) -> Option<Hazard> {
    Some(Hazard { code, clause })
}

/// How a host ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Fixed,
    TakenBack,
}

impl World {
    pub(super) const START: Self = Self {
        system: System::Original,
        clone: Clone::None,
        traffic: Traffic::Host,
        flows: true,
        backed_up: false,
        armed: false,
        looked: [false; 2],
        fixed: [false; 2],
        tried: false,
        shown: false,
        watched: false,
        settled: false,
        has_permit: false,
        reboots: [0; 2],
    };

    /// Why this must not begin now. `may_have` tells which deeds were begun and not shown to be without effect.
    pub(super) fn hazard_of(
        &self,
        shape: &Shape,
        act: Act,
        is_undo: bool,
        may_have: impl Fn(Deed) -> bool,
    ) -> Option<Hazard> {
        match act.names {
            Names::Own => {}
            Names::OtherClone => return hazard("clone-of-other", "on a clone that its host did not make"),
            Names::OtherWatch => return hazard("watch-of-other", "for a watch that its host did not arm"),
            Names::OtherBackup => return hazard("backup-of-other", "with a backup that its host did not make"),
        }
        if is_undo {
            let takes_back: &[Deed] = match act.deed {
                Deed::Restore => &[Deed::Fix, Deed::Change, Deed::Reboot, Deed::Promote],
                Deed::Destroy => &[Deed::Clone],
                Deed::Release => &[Deed::Backup],
                Deed::SwitchBack => &[Deed::Switchover],
                Deed::Undrain => &[Deed::Drain],
                Deed::Disarm => &[Deed::Arm],
                Deed::Drain => &[Deed::Undrain, Deed::SwitchBack],
                _ => &[],
            };
            if !takes_back.is_empty() && !takes_back.iter().any(|&deed| may_have(deed)) {
                return hazard("undo-of-nothing", "to take back what was never done");
            }
        }
        if act.place == Place::Clone && !matches!(self.clone, Clone::Fresh | Clone::Changed | Clone::Verified) {
            return hazard("clone-gone", "when there is no clone");
        }
        if !act.is_gated && !self.has_permit && act.place == Place::Host && disrupts(act.deed) {
            return hazard("disruption-ungated", "without having waited for a window and a permit");
        }
        let serves = |machine: Traffic| shape.has_switch && self.flows && self.traffic == machine;
        match act.deed {
            Deed::Look | Deed::Watch => None,
            Deed::Backup if !matches!(self.system, System::Original) => {
                hazard("backup-too-late", "when the host may have been changed already")
            }
            Deed::Backup => None,
            Deed::Clone if !self.backed_up => {
                hazard("clone-without-backup", "before there is a backup to make it from")
            }
            Deed::Clone => None,
            Deed::Search if !self.backed_up => {
                hazard("clone-without-backup", "before there is a backup to make clones from")
            }
            Deed::Search => None,
            Deed::Fix | Deed::Change | Deed::Reboot | Deed::Promote => self.change(shape, act, serves),
            Deed::Switchover if self.clone != Clone::Verified || !self.tried => {
                hazard("switchover-unverified", "though nothing has shown that the clone works")
            }
            Deed::Switchover => None,
            Deed::Drain => None,
            Deed::Arm if !self.backed_up => hazard("arm-without-backup", "before there is a backup to go back to"),
            Deed::Arm if serves(Traffic::Host) => {
                hazard("arm-in-service", "while traffic goes to the host that may go back from then on")
            }
            Deed::Arm => None,
            Deed::Disarm if !is_undo && self.system == System::Changed => {
                hazard("disarm-unverified", "though nothing has verified what was changed")
            }
            Deed::Disarm => None,
            Deed::Undrain => self.service(self.traffic),
            Deed::SwitchBack => self.service(Traffic::Host),
            Deed::Restore if !self.backed_up => hazard("restore-without-backup", "and there is no backup"),
            Deed::Restore if serves(Traffic::Host) => hazard("restore-in-service", "while traffic goes to its host"),
            Deed::Restore => None,
            Deed::Destroy if self.clone == Clone::Promoted => {
                hazard("destroys-the-host", "when the clone has taken its host's place")
            }
            Deed::Destroy if serves(Traffic::Clone) => hazard("traffic-to-nowhere", "while traffic goes to the clone"),
            Deed::Destroy | Deed::Release => None,
        }
    }

    fn change(&self, shape: &Shape, act: Act, serves: impl Fn(Traffic) -> bool) -> Option<Hazard> {
        let own = if act.place == Place::Host { Traffic::Host } else { Traffic::Clone };
        let tries = shape.steps.iter().any(|step| step.act.deed == Deed::Clone);
        if !self.looked[machine(act.place)] {
            return hazard("change-before-preflight", "before a preflight has looked at what it changes");
        }
        if !self.backed_up && !shape.without_backup {
            return hazard("change-before-backup", "before there is a backup of its host");
        }
        if act.deed == Deed::Promote && (self.clone != Clone::Verified || !self.watched) {
            return hazard("promote-unobserved", "before the clone was verified and watched under its traffic");
        }
        if act.place == Place::Host && tries && !self.tried {
            return hazard("change-before-trial", "before the fix went well on the clone");
        }
        if serves(own) || (act.deed == Deed::Promote && self.flows) {
            return hazard("change-in-service", "while traffic goes to what it changes");
        }
        if act.place == Place::Host && shape.is_watched && !self.armed {
            return hazard("change-unwatched", "while no watch is armed that could take it back");
        }
        if act.deed == Deed::Reboot && self.reboots[machine(act.place)] > 0 {
            return hazard("second-reboot", "though the machine was rebooted before");
        }
        None
    }

    /// Why traffic must not go there.
    fn service(&self, to: Traffic) -> Option<Hazard> {
        match to {
            Traffic::Host if self.armed => {
                hazard("service-armed", "and sends traffic to a host that may go back by itself at any time")
            }
            Traffic::Clone if self.clone != Clone::Verified => {
                hazard("traffic-to-nowhere", "and sends traffic to a clone that is not there or not verified")
            }
            Traffic::Host if matches!(self.system, System::Changed | System::Restored) => {
                hazard("service-unverified", "and sends traffic to a host that nothing has verified")
            }
            _ => None,
        }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, act: Act) {
        self.has_permit |= act.is_gated;
    }

    /// A step succeeds.
    pub(super) fn succeed(&mut self, act: Act) {
        let on_clone = act.place == Place::Clone;
        match act.deed {
            Deed::Look => match (act.kind, act.place) {
                (StepKind::Preflight, place) => self.looked[machine(place)] = true,
                (StepKind::Verify, Place::Clone) if self.clone == Clone::Changed => {
                    (self.clone, self.tried) = (Clone::Verified, self.fixed[machine(Place::Clone)]);
                }
                (StepKind::Verify, Place::Clone) => self.shown |= self.clone == Clone::Fresh,
                (StepKind::Verify, Place::Host) if self.system == System::Changed => self.system = System::Verified,
                (StepKind::VerifyRestored, _) if self.system == System::Restored => self.system = System::Back,
                (StepKind::VerifyOriginal, _) if self.system == System::Idle => self.system = System::Original,
                _ => {}
            },
            Deed::Watch if on_clone => self.watched |= self.flows && self.traffic == Traffic::Clone,
            Deed::Watch => self.settled |= self.flows && self.system == System::Verified,
            Deed::Backup => self.backed_up = true,
            Deed::Release => self.backed_up = false,
            Deed::Clone => self.clone = Clone::Fresh,
            // It leaves a clone on which all but what it blames went well.
            Deed::Search => {
                (self.clone, self.tried) = (Clone::Verified, true);
                self.fixed[machine(Place::Clone)] = true;
            }
            Deed::Destroy => self.clone = Clone::Gone,
            Deed::Fix | Deed::Change | Deed::Reboot => {
                self.fixed[machine(act.place)] |= act.deed == Deed::Fix;
                if act.deed == Deed::Reboot {
                    let count = &mut self.reboots[machine(act.place)];
                    *count = count.saturating_add(1);
                }
                if on_clone {
                    (self.clone, self.tried) = (Clone::Changed, false);
                } else {
                    (self.system, self.settled) = (System::Changed, false);
                }
            }
            Deed::Promote => {
                (self.system, self.clone) = (System::Changed, Clone::Promoted);
                self.fixed = [self.fixed[machine(Place::Clone)]; 2];
            }
            Deed::Restore => {
                self.system = System::Restored;
                if self.clone == Clone::Promoted {
                    self.clone = Clone::Aside;
                }
            }
            Deed::Switchover => {
                (self.traffic, self.flows) = (Traffic::Clone, true);
                if self.system == System::Original {
                    self.system = System::Idle;
                }
            }
            Deed::SwitchBack => (self.traffic, self.flows) = (Traffic::Host, true),
            Deed::Arm => self.armed = true,
            Deed::Disarm => self.armed = false,
            Deed::Drain => self.flows = false,
            Deed::Undrain => self.flows = true,
        }
    }

    /// The worlds in which a step may leave this one when it fails and may have had an effect; none if it cannot.
    pub(super) fn fail(&self, act: Act) -> Vec<Self> {
        if matches!(act.deed, Deed::Look | Deed::Watch) {
            return Vec::new();
        }
        let (mut with, mut without) = (*self, *self);
        with.succeed(act);
        match (act.deed, act.place) {
            // Nobody knows how far it came: what it works on counts as changed.
            (Deed::Promote | Deed::Fix | Deed::Change | Deed::Reboot, Place::Host) => without.system = System::Changed,
            (Deed::Fix | Deed::Change | Deed::Reboot, Place::Clone) | (Deed::Search, _) => {
                without.clone = Clone::Changed;
            }
            (Deed::Switchover, _) if self.system == System::Original => without.system = System::Idle,
            // The watch was faster: it has restored the host.
            (Deed::Disarm, _) => (without.armed, without.system) = (false, System::Restored),
            _ => {}
        }
        vec![with, without]
    }

    /// The trial failed, and is searched for what is to blame.
    pub(super) fn give_up_trial(&mut self) {
        (self.clone, self.tried) = (Clone::Changed, false);
    }

    /// What should be deleted is not: nobody may count on it any more either.
    pub(super) fn leave(&mut self, act: Act) {
        match act.deed {
            Deed::Destroy => self.clone = Clone::Left,
            Deed::Release => self.backed_up = false,
            _ => {}
        }
    }

    /// Why a host must not end like this.
    pub(super) fn hazard_of_end(&self, shape: &Shape, end: End) -> Option<Hazard> {
        if shape.has_switch && !self.flows {
            return hazard("left-out-of-service", "out of service");
        }
        if self.armed {
            return hazard("left-armed", "with a watch that may take it back at any time");
        }
        if shape.has_switch && self.traffic == Traffic::Clone {
            return hazard("left-on-clone", "with its traffic on a clone");
        }
        let leaves = matches!(self.clone, Clone::Fresh | Clone::Changed | Clone::Verified | Clone::Aside)
            || (end == End::TakenBack && self.clone == Clone::Promoted);
        if leaves {
            return hazard("clone-left", "with a clone that nobody destroys");
        }
        if shape.is_drill {
            return self.hazard_of_drill(end);
        }
        match (end, self.system) {
            (End::Fixed, _) if !self.fixed[machine(Place::Host)] => {
                hazard("fixes-nothing", "as fixed, and nothing has fixed it")
            }
            (End::Fixed, System::Verified) if !self.settled => {
                hazard("soak-missed", "and nothing has watched it in service since it was changed")
            }
            (End::Fixed, System::Verified) | (End::TakenBack, System::Original | System::Back) => None,
            (End::Fixed, _) => hazard("change-unverified", "and nothing has verified what was changed"),
            (End::TakenBack, System::Idle) => {
                hazard("original-unverified", "and nothing has shown that its original still works")
            }
            (End::TakenBack, System::Restored) => {
                hazard("restore-unverified", "restored, and nothing has verified the restored host")
            }
            (End::TakenBack, _) => hazard("left-changed", "changed"),
        }
    }

    /// Why a drill must not end like this: it leaves the host as it was and nothing behind.
    fn hazard_of_drill(&self, end: End) -> Option<Hazard> {
        if self.system != System::Original {
            return hazard("left-changed", "changed");
        }
        if self.backed_up {
            return hazard("backup-left", "with a backup that nobody deletes");
        }
        if end == End::Fixed && !self.shown {
            return hazard("proves-nothing", "as proven, and nothing has looked at a clone");
        }
        None
    }
}

/// Whether it makes the host unavailable, or may.
const fn disrupts(deed: Deed) -> bool {
    matches!(
        deed,
        Deed::Drain
            | Deed::Arm
            | Deed::Fix
            | Deed::Change
            | Deed::Reboot
            | Deed::Promote
            | Deed::Restore
            | Deed::Switchover
            | Deed::SwitchBack
    )
}

const fn machine(place: Place) -> usize {
    match place {
        Place::Host => 0,
        Place::Clone => 1,
    }
}
