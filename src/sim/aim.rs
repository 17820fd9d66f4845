//! Campaigns that go at one cell of the coverage table: a host is led to a step, the step to a state, and there something
//! goes wrong.

use crate::engine::Signal;
use crate::model::{HostName, TimeSpan};
use crate::plan::StepKind;

use super::scenario::draw_step;
use super::shape::number;
use super::{
    Disturbance, FAULTS, Fault, LostWhen, Moment, Place, Reboots, Rng, STATES, Scenario, StepAt, StepState, TROUBLES,
    Took, Trouble, Way, impossible,
};

impl Scenario {
    pub(super) fn aim(&mut self, rng: &mut Rng) {
        let at = draw_step(rng);
        self.shape.hosts = self.shape.hosts.min(4);
        self.shape_for(at, rng);
        let fleet = super::fleet(self.shape.hosts, self.seed);
        let Some(host) = fleet.hosts.first().map(|host| host.host.name.clone()) else { return };
        self.lead_to(&host, at, rng);
        if rng.percent(50) {
            let faults: Vec<&str> =
                FAULTS.into_iter().filter(|fault| impossible(fault, at, StepState::Running).is_none()).collect();
            let Some(fault) = rng.pick(&faults).and_then(|name| fault_at(name, at, rng)) else { return };
            if rng.percent(50) {
                self.make_unknown(&host, at, rng);
            }
            self.meet(&host, at, fault, rng);
        } else {
            let state = rng.pick(&STATES).copied().unwrap_or(StepState::Intended);
            match state {
                StepState::Unknown => self.plant(&host, at.place, lost(at, rng)),
                StepState::Failed => self.fail(&host, at, rng),
                _ => {}
            }
            let moment = match state {
                StepState::Running => Moment::During { at, milliseconds: number(rng.between(0, 2_000)) },
                _ => Moment::Step { at, state },
            };
            let Some(name) = rng.pick(&TROUBLES) else { return };
            self.disturbances.push(Disturbance { at: moment, what: trouble(name, rng) });
        }
    }

    /// A plan in which the first host has this step.
    fn shape_for(&mut self, at: StepAt, rng: &mut Rng) {
        use StepKind as K;
        let shape = &mut self.shape;
        let in_place = [Way::InPlace, Way::EachTried];
        match (at.kind, at.place) {
            (K::Observe | K::Switchover | K::SwitchBack | K::Promote | K::VerifyOriginal, _) => {
                (shape.way, shape.switch) = (Way::CloneAndSwitch, true);
            }
            (K::Destroy, Place::Host) => shape.way = Way::EachTried,
            (K::Clone | K::Bisect | K::Destroy, _) | (_, Place::Clone) => {
                let ways = [Way::EachTried, Way::FirstTried, Way::CloneAndSwitch, Way::Auto];
                shape.way = rng.pick(&ways).copied().unwrap_or(Way::EachTried);
            }
            (K::Drain, Place::Host) => shape.switch = true,
            (K::Arm | K::Disarm, _) => {
                shape.way = rng.pick(&in_place).copied().unwrap_or(Way::InPlace);
                shape.dead_man = shape.dead_man.or(Some(TimeSpan::minutes(2)));
            }
            (K::Fix | K::Restart | K::Reboot, Place::Host) | (K::Undrain | K::Drain, Place::Back) => {
                shape.way = rng.pick(&in_place).copied().unwrap_or(Way::InPlace);
            }
            _ => {}
        }
        shape.switch |= matches!(at.kind, K::Drain | K::Undrain);
        shape.keep &= at.kind != K::Release;
        shape.bisect = if at.kind == K::Bisect { true } else { shape.bisect && at.kind != K::Destroy };
        // A plan without backups can do little of what is aimed at.
        shape.backup |= !matches!((at.kind, at.place), (K::Fix | K::Verify | K::Drain, Place::Host));
        if at.kind == K::Reboot {
            shape.reboot = Reboots::Always;
        }
    }

    /// What brings the host to a step that it does not come to when all goes well.
    fn lead_to(&mut self, host: &HostName, at: StepAt, rng: &mut Rng) {
        use StepKind as K;
        match (at.kind, at.place) {
            (K::Bisect, _) => {
                let fault = if rng.percent(50) { Fault::FixFails } else { Fault::FixBreaks };
                if rng.percent(30) {
                    self.plant_package(rng);
                }
                self.plant(host, Place::Clone, fault);
            }
            (K::Destroy, Place::Back) => self.plant(host, Place::Clone, Fault::FixFails),
            (K::SwitchBack | K::VerifyOriginal, _) => {
                let fault = Fault::BreaksUnderTraffic { after: TimeSpan::ZERO };
                self.shape.soak = self.shape.soak.max(TimeSpan::minutes(2));
                self.plant(host, Place::Clone, fault);
            }
            (K::Restore | K::VerifyRestored | K::Undrain | K::Disarm, Place::Back) => {
                let fault = match self.shape.way {
                    Way::CloneAndSwitch | Way::Auto => Fault::PromoteFails { took: Took::Yes },
                    _ if rng.percent(50) => Fault::FixBreaks,
                    _ => Fault::FixFails,
                };
                self.plant(host, Place::Host, fault);
            }
            (K::Drain, Place::Back) => {
                let fault = if rng.percent(50) {
                    Fault::CutOff { step: K::Soak }
                } else {
                    Fault::SwitchFails { step: K::Undrain, took: Took::draw(rng) }
                };
                self.plant(host, Place::Host, fault);
            }
            _ => {}
        }
    }

    /// The step's first answer is lost, or its controller is.
    fn make_unknown(&mut self, host: &HostName, at: StepAt, rng: &mut Rng) {
        if rng.percent(50) {
            // A watch that is armed without anybody's knowledge is what the next look must not forget.
            let when = if at.kind == StepKind::Arm { LostWhen::draw(rng) } else { LostWhen::Before };
            self.plant(host, at.place, Fault::Lost { step: at.kind, when });
        } else {
            let down_for = TimeSpan::seconds(rng.between(0, 60));
            let moment = Moment::Step { at, state: StepState::Intended };
            self.disturbances.push(Disturbance { at: moment, what: Trouble::Kill { down_for } });
        }
    }

    /// The step meets this fault.
    fn meet(&mut self, host: &HostName, at: StepAt, fault: Fault, rng: &mut Rng) {
        use StepKind as K;
        let place = match (fault, at.kind) {
            (Fault::PackageBreaks { .. }, _) => return self.plant_package(rng),
            // A search works on clones, and only what it asks of the network is its own.
            (Fault::Lost { .. } | Fault::PromoteFails { .. }, K::Bisect) => Place::Host,
            (_, K::Bisect) => Place::Clone,
            (Fault::BreaksUnderTraffic { .. }, _) => Place::Clone,
            _ => at.place,
        };
        if at.kind == K::Bisect && fault == Fault::FixFails {
            // The fix of the trial before it ends in another way.
            self.faults.retain(|planted| planted.fault != Fault::FixFails);
            self.plant(host, place, if rng.percent(50) { Fault::ForeignReboot } else { Fault::RebootNeverReturns });
            self.shape.reboot = Reboots::Always;
        } else if at.kind == K::Bisect {
            // What happens once is not to be spent before the search.
            self.faults.retain(|planted| planted.fault != Fault::FixBreaks);
            self.plant(host, place, Fault::FixFails);
            self.shape.reboot = Reboots::Always;
        }
        self.plant(host, place, fault);
    }

    /// The step fails.
    fn fail(&mut self, host: &HostName, at: StepAt, rng: &mut Rng) {
        use StepKind as K;
        let took = Took::draw(rng);
        let (place, fault) = match at.kind {
            K::Backup => (at.place, Fault::BackupFails),
            K::Clone => (at.place, Fault::CloneFails),
            K::Bisect => (Place::Clone, Fault::CloneFails),
            K::Destroy => (at.place, Fault::DestroyFails),
            K::Release => (at.place, Fault::ReleaseFails),
            K::Promote => (at.place, Fault::PromoteFails { took }),
            K::Restore => (at.place, Fault::RestoreFails),
            K::Drain | K::Undrain | K::Switchover | K::SwitchBack => {
                (at.place, Fault::SwitchFails { step: at.kind, took })
            }
            K::Fix => (at.place, Fault::FixFails),
            K::Arm | K::Disarm => (at.place, Fault::WatchFails { step: at.kind }),
            _ => (at.place, Fault::CutOff { step: at.kind }),
        };
        self.plant(host, place, fault);
    }
}

fn lost(at: StepAt, rng: &mut Rng) -> Fault {
    Fault::Lost { step: at.kind, when: LostWhen::draw(rng) }
}

/// A fault of this name that meets this step.
fn fault_at(name: &str, at: StepAt, rng: &mut Rng) -> Option<Fault> {
    let step = at.kind;
    let mut span = |longest: u64| TimeSpan::seconds(rng.between(1, longest));
    Some(match name {
        "refused" => Fault::Refused { step, span: span(900) },
        "cut-off" => Fault::CutOff { step },
        "isolated" => Fault::Isolated { step },
        "slow" => Fault::Slow { factor: number(rng.between(2, 12)) },
        "foreign-reboot" => Fault::ForeignReboot,
        "reboot-never-returns" => Fault::RebootNeverReturns,
        "fix-fails" => Fault::FixFails,
        "fix-breaks" => Fault::FixBreaks,
        "fix-breaks-later" => Fault::FixBreaksLater { after: span(240) },
        "package-breaks" => Fault::PackageBreaks { nth: 0 },
        "backup-fails" => Fault::BackupFails,
        "restore-fails" => Fault::RestoreFails,
        "disk-full" => Fault::DiskFull,
        "lock-held" => Fault::LockHeld,
        "mirror-down" => Fault::MirrorDown,
        "drain-fails" => Fault::DrainFails,
        "clone-fails" => Fault::CloneFails,
        "clone-never-answers" => Fault::CloneNeverAnswers,
        "breaks-under-traffic" => Fault::BreaksUnderTraffic { after: span(400) },
        "switch-fails" => Fault::SwitchFails { step, took: Took::draw(rng) },
        "promote-fails" => Fault::PromoteFails { took: Took::draw(rng) },
        "destroy-fails" => Fault::DestroyFails,
        "release-fails" => Fault::ReleaseFails,
        "fixed-meanwhile" => Fault::FixedMeanwhile,
        "watch-fails" => Fault::WatchFails { step },
        "lost" => lost(at, rng),
        _ => return None,
    })
}

/// A trouble of this name.
fn trouble(name: &str, rng: &mut Rng) -> Trouble {
    let by = "operator".to_owned();
    match name {
        "paused" => Trouble::Ask(Signal::Pause { by }),
        "aborted" => Trouble::Ask(Signal::Abort { by }),
        _ => {
            // One of the others, of which each is as likely.
            let drawn = std::iter::repeat_with(|| Trouble::draw(rng)).take(100).find(|drawn| drawn.name() == name);
            drawn.unwrap_or(Trouble::TakeOver)
        }
    }
}
