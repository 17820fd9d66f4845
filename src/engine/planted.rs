//! Mistakes that tests make on purpose, to see that the simulator finds them. None of this is in any program.

use std::cell::Cell;

/// A mistake of the engine, of the controller around it, or of what runs steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A result that says nothing is taken for success: nobody asks the host.
    SkipsTheProbe,
    /// Failed hosts do not use up the failure budget.
    ForgetsFailedHosts,
    /// The time to go back is not reserved in the window.
    ReservesNothing,
    /// What was done first is taken back first.
    UndoesForwards,
    /// The clone of a host that does not go on is left behind.
    LeavesTheClone,
    /// A backup that failed is as good as one.
    FixesWithoutBackup,
    /// Nobody waits for the host that goes first.
    IgnoresThePilot,
    /// The next controller starts what the last one had started.
    RepeatsBlindly,
    /// The next controller does not ask for what runs.
    ForgetsWhatRuns,
    /// There is always one more permit.
    OverspendsPermits,
    /// What the search of another host found is not told.
    ForgetsWhatIsToBlame,
    /// A host that failed ends without its way back.
    GivesUpTheHost,
    /// A restored host is put back into service unverified.
    SkipsTheLastUndo,
    /// A step begins before its intent is durable.
    ActsBeforeItIsDurable,
    /// A journal is read without its last record.
    LosesTheLastRecord,
    /// A job that left no result is started again.
    RepeatsWhatLeftNoResult,
    /// A reboot whose answer was lost is made again.
    RebootsTwice,
    /// Approvals are not asked for.
    NeedsNoApproval,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::SkipsTheProbe,
        Self::ForgetsFailedHosts,
        Self::ReservesNothing,
        Self::UndoesForwards,
        Self::LeavesTheClone,
        Self::FixesWithoutBackup,
        Self::IgnoresThePilot,
        Self::RepeatsBlindly,
        Self::ForgetsWhatRuns,
        Self::OverspendsPermits,
        Self::ForgetsWhatIsToBlame,
        Self::GivesUpTheHost,
        Self::SkipsTheLastUndo,
        Self::ActsBeforeItIsDurable,
        Self::LosesTheLastRecord,
        Self::RepeatsWhatLeftNoResult,
        Self::RebootsTwice,
        Self::NeedsNoApproval,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// Whether this mistake is to be made.
pub(crate) fn planted(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
}

/// Does something with a mistake.
pub(crate) fn with<T>(defect: Defect, run: impl FnOnce() -> T) -> T {
    PLANTED.set(Some(defect));
    let done = run();
    PLANTED.set(None);
    done
}
