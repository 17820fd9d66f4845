//! Faults that can be planted in the simulated world.

use crate::model::TimeSpan;
use crate::plan::StepKind;

use super::Rng;

/// Where in a command the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostWhen {
    /// What was sent never arrived, and the sender cannot know that.
    Before,
    /// While the command runs.
    During,
    /// The command has ended; its answer is lost.
    After,
}

/// What goes wrong on one host. Each happens once, except those that are a state of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// From this step on the host refuses connections for a while.
    Refused {
        /// The step that meets it.
        step: StepKind,
        /// For how long.
        span: TimeSpan,
    },
    /// The connection is lost once.
    Lost {
        /// The step that meets it.
        step: StepKind,
        /// Where.
        when: LostWhen,
    },
    /// The host loses its network in the middle of this step, for good; a restored host has it again.
    CutOff {
        /// The step that meets it.
        step: StepKind,
    },
    /// As [`Fault::CutOff`], but the restored host does not answer either.
    Isolated {
        /// The step that meets it.
        step: StepKind,
    },
    /// Everything on this host takes this many times as long.
    Slow {
        /// How many times.
        factor: u32,
    },
    /// Somebody else reboots the host while the fix runs.
    ForeignReboot,
    /// The reboot does not come back.
    RebootNeverReturns,
    /// The transaction fails half-way.
    FixFails,
    /// The fix succeeds, and the service is broken.
    FixBreaks,
    /// The fix succeeds, and the service breaks later.
    FixBreaksLater {
        /// How long behind the fix.
        after: TimeSpan,
    },
    /// The provider cannot back the host up.
    BackupFails,
    /// The provider cannot restore it.
    RestoreFails,
    /// No room for the packages.
    DiskFull,
    /// Somebody holds the package manager's lock.
    LockHeld,
    /// The package source does not answer.
    MirrorDown,
    /// Running requests do not end.
    DrainFails,
}

impl Fault {
    /// A fault drawn from all kinds.
    pub fn draw(rng: &mut Rng) -> Self {
        const STEPS: [StepKind; 8] = [
            StepKind::Preflight,
            StepKind::Fix,
            StepKind::Fix,
            StepKind::Restart,
            StepKind::Reboot,
            StepKind::Verify,
            StepKind::Soak,
            StepKind::VerifyRestored,
        ];
        let step = rng.pick(&STEPS).copied().unwrap_or(StepKind::Fix);
        match rng.below(17) {
            0 | 1 => Self::Refused { step, span: TimeSpan::seconds(rng.between(5, 900)) },
            2..=4 => {
                let when = match rng.below(3) {
                    0 => LostWhen::Before,
                    1 => LostWhen::During,
                    _ => LostWhen::After,
                };
                Self::Lost { step, when }
            }
            5 => Self::CutOff { step },
            6 => Self::Isolated { step },
            7 => Self::Slow { factor: u32::try_from(rng.between(2, 12)).unwrap_or(2) },
            8 => Self::ForeignReboot,
            9 => Self::RebootNeverReturns,
            10 => Self::FixFails,
            11 => Self::FixBreaks,
            12 => Self::FixBreaksLater { after: TimeSpan::seconds(rng.between(1, 240)) },
            13 => Self::BackupFails,
            14 => Self::RestoreFails,
            15 => Self::DrainFails,
            _ => match rng.below(3) {
                0 => Self::DiskFull,
                1 => Self::LockHeld,
                _ => Self::MirrorDown,
            },
        }
    }
}
