//! Faults that can be planted in the simulated world.

use crate::model::TimeSpan;
use crate::plan::StepKind;

use super::Rng;

/// Where in a command the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostWhen {
    /// What was sent never arrived, and the sender cannot know that.
    Before,
    /// While the command runs.
    During,
    /// The command has ended; its answer is lost.
    After,
}

/// Whether what failed had its effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Took {
    /// Nothing was changed.
    No,
    /// It was: a switch that switched, a promotion that stopped half-way.
    Yes,
}

/// What goes wrong on one host, or on its clone: that is planted under the clone's name. Each happens once, except those
/// that are a state of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// This package of the fleet's catalogue breaks the service of every system on which it is installed.
    PackageBreaks {
        /// Counts the updates of [`super::fleet()`].
        nth: u32,
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
    /// The provider has no room for a clone.
    CloneFails,
    /// The clone is made and does not answer.
    CloneNeverAnswers,
    /// The service of the clone breaks so long after requests were sent to it.
    BreaksUnderTraffic {
        /// How long.
        after: TimeSpan,
    },
    /// The switch fails.
    SwitchFails {
        /// The step that meets it.
        step: StepKind,
        /// Whether it has switched.
        took: Took,
    },
    /// The provider does not let the clone take the host's place.
    PromoteFails {
        /// Whether the host was shut down.
        took: Took,
    },
    /// The provider does not destroy the clone.
    DestroyFails,
    /// The provider does not delete the backup and the original.
    ReleaseFails,
    /// The machine that watches the host does not answer.
    WatchFails {
        /// The step that meets it.
        step: StepKind,
    },
    /// Somebody else fixes the host between its preflight and its backup.
    FixedMeanwhile,
}

impl Fault {
    /// Whether it is a state, that stays when it has come to pass.
    pub(super) const fn stays(self) -> bool {
        matches!(self, Self::DrainFails | Self::Slow { .. } | Self::PackageBreaks { .. })
    }

    /// Its kind, as tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Lost { .. } => "lost",
            Self::CutOff { .. } => "cut-off",
            Self::Isolated { .. } => "isolated",
            Self::Slow { .. } => "slow",
            Self::ForeignReboot => "foreign-reboot",
            Self::RebootNeverReturns => "reboot-never-returns",
            Self::FixFails => "fix-fails",
            Self::FixBreaks => "fix-breaks",
            Self::FixBreaksLater { .. } => "fix-breaks-later",
            Self::PackageBreaks { .. } => "package-breaks",
            Self::BackupFails => "backup-fails",
            Self::RestoreFails => "restore-fails",
            Self::DiskFull => "disk-full",
            Self::LockHeld => "lock-held",
            Self::MirrorDown => "mirror-down",
            Self::DrainFails => "drain-fails",
            Self::CloneFails => "clone-fails",
            Self::CloneNeverAnswers => "clone-never-answers",
            Self::BreaksUnderTraffic { .. } => "breaks-under-traffic",
            Self::SwitchFails { .. } => "switch-fails",
            Self::PromoteFails { .. } => "promote-fails",
            Self::DestroyFails => "destroy-fails",
            Self::ReleaseFails => "release-fails",
            Self::WatchFails { .. } => "watch-fails",
            Self::FixedMeanwhile => "fixed-meanwhile",
        }
    }

    /// A fault drawn from all kinds.
    pub fn draw(rng: &mut Rng) -> Self {
        const STEPS: [StepKind; 10] = [
            StepKind::Preflight,
            StepKind::Fix,
            StepKind::Fix,
            StepKind::Restart,
            StepKind::Reboot,
            StepKind::Verify,
            StepKind::Soak,
            StepKind::VerifyRestored,
            StepKind::Backup,
            StepKind::Restore,
        ];
        let step = rng.pick(&STEPS).copied().unwrap_or(StepKind::Fix);
        match rng.below(19) {
            0 | 1 => Self::Refused { step, span: TimeSpan::seconds(rng.between(5, 900)) },
            2..=4 => Self::Lost { step, when: LostWhen::draw(rng) },
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
            16 => Self::SwitchFails { step: StepKind::Undrain, took: Took::draw(rng) },
            17 => Self::FixedMeanwhile,
            _ => match rng.below(3) {
                0 => Self::DiskFull,
                1 => Self::LockHeld,
                _ => Self::MirrorDown,
            },
        }
    }

    /// A fault drawn from those that only a host with a clone meets, on the host itself.
    pub fn draw_around_clone(rng: &mut Rng) -> Self {
        const STEPS: [StepKind; 9] = [
            StepKind::Clone,
            StepKind::Bisect,
            StepKind::Destroy,
            StepKind::Switchover,
            StepKind::SwitchBack,
            StepKind::VerifyOriginal,
            StepKind::Promote,
            StepKind::Undrain,
            StepKind::Release,
        ];
        const SWITCHES: [StepKind; 3] = [StepKind::Switchover, StepKind::SwitchBack, StepKind::Undrain];
        let step = rng.pick(&STEPS).copied().unwrap_or(StepKind::Clone);
        match rng.below(12) {
            0 => Self::CloneFails,
            1 => Self::CloneNeverAnswers,
            2 | 3 => {
                let step = rng.pick(&SWITCHES).copied().unwrap_or(StepKind::Switchover);
                Self::SwitchFails { step, took: Took::draw(rng) }
            }
            4 | 5 => Self::PromoteFails { took: Took::draw(rng) },
            6 => Self::DestroyFails,
            7 => Self::ReleaseFails,
            8 => Self::CutOff { step: StepKind::VerifyOriginal },
            _ => Self::Lost { step, when: LostWhen::draw(rng) },
        }
    }

    /// A fault drawn from those that a clone meets.
    pub fn draw_on_clone(rng: &mut Rng) -> Self {
        match rng.below(13) {
            10 => Self::CloneFails,
            11 => Self::FixFails,
            12 => Self::Refused { step: StepKind::Bisect, span: TimeSpan::hours(1) },
            0..=2 => Self::BreaksUnderTraffic { after: TimeSpan::seconds(rng.between(0, 400)) },
            3 => Self::CutOff { step: StepKind::Observe },
            4 => Self::Refused { step: StepKind::Observe, span: TimeSpan::seconds(rng.between(5, 900)) },
            _ => Self::draw(rng),
        }
    }
}

impl LostWhen {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.below(3) {
            0 => Self::Before,
            1 => Self::During,
            _ => Self::After,
        }
    }
}

impl Took {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        if rng.percent(50) { Self::Yes } else { Self::No }
    }
}
