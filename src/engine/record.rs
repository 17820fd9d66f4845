//! The records of the journal: what a campaign's state is folded from.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome, RuleName, StepId};
use crate::plan::Reason;

use super::{Approval, StepResult};

/// The version of the journal format.
pub const JOURNAL_FORMAT: u32 = 1;

/// One record, durable before anything that follows from it happens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// The campaign.
    pub campaign: CampaignId,
    /// Counts from 1 without a gap.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The digest of the record before; of the plan for the first.
    pub previous: Digest,
    /// What happened.
    pub body: RecordBody,
}

impl Record {
    /// The digest that the next record names.
    pub fn digest(&self) -> Digest {
        // A record holds only strings, numbers and sorted maps: its JSON is canonical and cannot fail.
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The end of a journal, to which the next record is chained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    campaign: CampaignId,
    seq: u64,
    previous: Digest,
}

impl Chain {
    /// The chain of a campaign without records; its first record names the plan.
    pub fn new(campaign: CampaignId, plan: Digest) -> Self {
        Self { campaign, seq: 0, previous: plan }
    }

    /// The chain that ends with this record.
    pub fn after(record: &Record) -> Self {
        Self { campaign: record.campaign.clone(), seq: record.seq, previous: record.digest() }
    }

    /// The next record.
    pub fn push(&mut self, at: Timestamp, body: RecordBody) -> Record {
        let record = Record {
            campaign: self.campaign.clone(),
            seq: self.seq.saturating_add(1),
            at,
            previous: self.previous,
            body,
        };
        self.seq = record.seq;
        self.previous = record.digest();
        record
    }

    /// Takes a record in that somebody else chained; says why when it is not the next.
    pub fn follow(&mut self, record: &Record) -> Result<(), String> {
        if record.campaign != self.campaign {
            return Err(format!("it belongs to campaign {}", record.campaign));
        }
        if Some(record.seq) != self.seq.checked_add(1) {
            return Err(format!("it has number {} and {} was due", record.seq, self.seq.saturating_add(1)));
        }
        if record.previous != self.previous {
            return Err("it does not name the digest of the record before".to_owned());
        }
        self.seq = record.seq;
        self.previous = record.digest();
        Ok(())
    }

    /// The number of the last record; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RecordBody {
    /// The plan was accepted and the campaign began.
    CampaignStarted {
        /// [`JOURNAL_FORMAT`].
        format: u32,
        /// The plan's digest.
        plan: Digest,
        /// Who started it.
        operator: String,
    },
    /// A controller took the campaign over (first start and every resume), fencing earlier ones.
    ControllerStarted {
        /// Counts from 1.
        fence: u64,
        /// Who.
        operator: String,
    },
    /// A wave began.
    WaveStarted {
        /// Index into the plan's waves.
        wave: u32,
    },
    /// All hosts of a wave have ended; it is watched until then.
    WaveSoaking {
        /// Index into the plan's waves.
        wave: u32,
        /// Until when.
        until: Timestamp,
    },
    /// A wave ended well.
    WaveEnded {
        /// Index into the plan's waves.
        wave: u32,
    },
    /// A gate's answer for a host changed.
    Gate {
        /// The host.
        host: HostName,
        /// The step that waits or may go.
        step: StepId,
        /// The gate's answer.
        verdict: GateVerdict,
    },
    /// A step is about to be started.
    Intent {
        /// The attempt.
        attempt: AttemptId,
        /// Whether it takes something back.
        undo: bool,
    },
    /// A step's result is known, or known to be unknown.
    Outcome {
        /// The attempt.
        attempt: AttemptId,
        /// What came of it.
        result: StepResult,
    },
    /// An attempt whose result is unknown is looked at again, by asking the host.
    Probing {
        /// The attempt.
        attempt: AttemptId,
        /// Counts from 1.
        probe: u32,
    },
    /// A host goes back.
    UndoStarted {
        /// The host.
        host: HostName,
        /// Why.
        reason: Reason,
    },
    /// A host reached one of its final states.
    HostEnded {
        /// The host.
        host: HostName,
        /// Where it ended.
        outcome: HostOutcome,
        /// Why, unless it is fixed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// A disruptive chain ended behind the end of its window.
    Overrun {
        /// The host.
        host: HostName,
        /// The end of the window.
        window_end: Timestamp,
    },
    /// What runs is finished, nothing new starts.
    Paused {
        /// Who: an operator, `failure_budget` or `canary`.
        by: String,
        /// Why.
        reason: Reason,
    },
    /// Goes on.
    Resumed {
        /// Who.
        by: String,
    },
    /// Hosts in the middle go back, nothing new starts.
    Aborted {
        /// Who.
        by: String,
        /// Why.
        reason: Reason,
    },
    /// The clock was set back or forward.
    ClockJump {
        /// The time before.
        from: Timestamp,
        /// The time after.
        to: Timestamp,
    },
    /// A person's approval was accepted; again if it counts for something else than before.
    Approved(Approval),
    /// An approval that was accepted does not count any more.
    Disapproved {
        /// The digest of what was signed.
        statement: Digest,
        /// Why.
        reason: Reason,
    },
    /// Every host has ended.
    CampaignEnded {
        /// How many hosts ended in which state.
        outcomes: BTreeMap<HostOutcome, u32>,
    },
}

impl RecordBody {
    /// The name of the kind, as in files.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CampaignStarted { .. } => "campaign_started",
            Self::ControllerStarted { .. } => "controller_started",
            Self::WaveStarted { .. } => "wave_started",
            Self::WaveSoaking { .. } => "wave_soaking",
            Self::WaveEnded { .. } => "wave_ended",
            Self::Gate { .. } => "gate",
            Self::Intent { .. } => "intent",
            Self::Outcome { .. } => "outcome",
            Self::Probing { .. } => "probing",
            Self::UndoStarted { .. } => "undo_started",
            Self::HostEnded { .. } => "host_ended",
            Self::Overrun { .. } => "overrun",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Aborted { .. } => "aborted",
            Self::ClockJump { .. } => "clock_jump",
            Self::Approved(_) => "approved",
            Self::Disapproved { .. } => "disapproved",
            Self::CampaignEnded { .. } => "campaign_ended",
        }
    }

    /// The name of the host it is about, if it is about one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Gate { host, .. }
            | Self::UndoStarted { host, .. }
            | Self::HostEnded { host, .. }
            | Self::Overrun { host, .. } => Some(host.as_str()),
            Self::Intent { attempt, .. } | Self::Outcome { attempt, .. } | Self::Probing { attempt, .. } => {
                Some(attempt.step.host())
            }
            _ => None,
        }
    }
}

/// A gate's answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// May go.
    Open,
    /// Must wait.
    Waiting {
        /// Which gate.
        gate: Gate,
        /// Why, in words.
        why: String,
        /// The earliest time it can change, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Can never go in this campaign.
    Closed {
        /// Which gate.
        gate: Gate,
        /// Why, in words.
        why: String,
    },
}

/// What can hold a step back.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Gate {
    Wave,
    Cohort,
    Window,
    DisruptionBudget,
    FailureBudget,
    Concurrency,
    Paused,
    Approval,
}

/// Something for eyes: durable records are never dropped, progress may be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A durable record.
    Record(Record),
    /// What a running step says of itself.
    Progress {
        /// The host.
        host: HostName,
        /// The step.
        step: StepId,
        /// In words.
        note: String,
    },
}

/// Names of waves for people.
pub fn wave_name(index: usize, canary: bool) -> Option<RuleName> {
    if canary && index == 0 {
        return RuleName::new("canary").ok();
    }
    RuleName::new(&format!("wave {}", if canary { index } else { index + 1 })).ok()
}
