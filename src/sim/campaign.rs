//! A simulated campaign: what happens to its controller and when, and how it went.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Phase, Record, Signal};
use crate::model::{Digest, HostName, HostOutcome, TimeSpan};
use crate::plan::{Plan, Reason};

use super::{Coverage, SimWorld, StepAt, StepState, Violation};

/// When something is done to the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// With the record of this number.
    Record(u64),
    /// With the first record that says that a step is so far, on any host.
    Step {
        /// The step.
        at: StepAt,
        /// How far.
        state: StepState,
    },
    /// So long behind the first begin of a step, on any host. What needs a record then meets that of a pause.
    During {
        /// The step.
        at: StepAt,
        /// How long.
        milliseconds: u32,
    },
    /// With the record by which the controller of this number takes over.
    Controller(u64),
}

/// Why a journal cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalFault {
    /// No room is left.
    DiskFull,
    /// The disk fails.
    InputOutput,
}

/// Something is done to the controller, or asked of it, at a moment. Each happens once.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disturbance {
    /// When.
    pub at: Moment,
    /// What.
    pub what: Trouble,
}

/// What is done to a controller, or asked of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It dies as soon as the record is durable; another starts this much later.
    Kill {
        /// How long nobody controls.
        down_for: TimeSpan,
    },
    /// It dies while it writes the record, of which only so many bytes reach the disk (in thousandths).
    Torn {
        /// How much of it is written.
        thousandths: u32,
        /// How long nobody controls.
        down_for: TimeSpan,
    },
    /// Another takes over as soon as the record is durable, while the first still waits for its calls.
    TakeOver,
    /// The record cannot be written: the controller stops. Somebody starts another this much later.
    JournalFails {
        /// Why.
        why: JournalFault,
        /// How long nobody controls.
        down_for: TimeSpan,
    },
    /// A person asks for something behind the record.
    Ask(Signal),
    /// The controller's clock is set, forward or back, behind the record.
    ClockJump {
        /// By how much.
        seconds: i64,
    },
}

impl Trouble {
    /// Its kind, as tables have it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "killed",
            Self::Torn { .. } => "torn-record",
            Self::TakeOver => "taken-over",
            Self::JournalFails { .. } => "journal-fails",
            Self::Ask(Signal::Abort { .. }) => "aborted",
            Self::Ask(_) => "paused",
            Self::ClockJump { seconds } if *seconds < 0 => "clock-back",
            Self::ClockJump { .. } => "clock-leaps",
        }
    }
}

impl Disturbance {
    /// The controller dies behind this record.
    pub const fn kill(behind: u64, down_for: TimeSpan) -> Self {
        Self { at: Moment::Record(behind), what: Trouble::Kill { down_for } }
    }

    /// Another controller takes over behind this record.
    pub const fn take_over(behind: u64) -> Self {
        Self { at: Moment::Record(behind), what: Trouble::TakeOver }
    }

    /// A person asks for something behind this record.
    pub const fn ask(behind: u64, signal: Signal) -> Self {
        Self { at: Moment::Record(behind), what: Trouble::Ask(signal) }
    }
}

/// What the person does when the campaign stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenPaused {
    /// Leaves it.
    #[default]
    Leave,
    /// Lets it go on.
    Resume,
    /// Aborts it.
    Abort,
}

/// A campaign to be simulated.
#[derive(Clone, Debug)]
pub struct SimRun {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its digest.
    pub digest: Digest,
    /// The world it meets.
    pub world: SimWorld,
    /// When it starts.
    pub start: Timestamp,
    /// What happens to its controller.
    pub disturbances: Vec<Disturbance>,
    /// What the person does when it stands still.
    pub when_paused: WhenPaused,
}

/// How a simulated campaign went.
#[derive(Clone, Debug)]
pub struct SimResult {
    /// Where hosts ended.
    pub outcomes: BTreeMap<HostName, (HostOutcome, Option<Reason>)>,
    /// Where the campaign stands.
    pub phase: Phase,
    /// Its journal.
    pub records: Vec<Record>,
    /// Equal for equal runs: a digest of everything that happened.
    pub trace: Digest,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The world behind it.
    pub world: SimWorld,
    /// How many controllers it had.
    pub controllers: u32,
    /// Why and when a controller stopped because it could not write.
    pub stops: Vec<(Timestamp, JournalFault)>,
    /// What was met, and at which steps.
    pub coverage: Coverage,
}
