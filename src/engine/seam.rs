//! The seam between the pure machines and the world: what goes in, what comes out, and who performs it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AttemptId, CampaignId, HostName, HostOutcome};
use crate::plan::{Plan, Reason};

use super::{Approval, Event, RecordBody};

/// A boxed future, so that the traits of the seam can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What came of one attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StepResult {
    /// Done.
    Succeeded {
        /// What later steps may ask for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        facts: BTreeMap<String, String>,
        /// In words, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The host needs nothing any more: the rest is skipped.
    NothingToDo {
        /// In words.
        note: String,
    },
    /// Known to have failed.
    Failed {
        /// Why.
        reason: Reason,
        /// Whether the host may have been changed by this step.
        effect: Effected,
        /// The end of its output, made printable, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        evidence: String,
    },
    /// Nobody knows; the host must be asked before anything else is done.
    Unknown {
        /// What is known.
        reason: Reason,
    },
}

/// The fact that a reboot leaves which nobody needed.
const NO_REBOOT: (&str, &str) = ("reboot", "not-required");

impl StepResult {
    /// A reboot that nobody needed.
    pub fn no_reboot(note: &str) -> Self {
        let (key, value) = NO_REBOOT;
        Self::Succeeded { facts: [(key.to_owned(), value.to_owned())].into(), note: Some(note.to_owned()) }
    }

    /// Whether what a step is for was done: a reboot that nobody needed says nothing of how long one takes.
    pub fn was_done(&self) -> bool {
        let (key, value) = NO_REBOOT;
        matches!(self, Self::Succeeded { facts, .. } if facts.get(key).is_none_or(|reboot| reboot != value))
    }
}

/// Whether a failed step may have changed something.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Effected {
    /// It is known that nothing was changed.
    No,
    /// Something may have been changed.
    Possibly,
}

/// Whether an attempt may be started or only be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// First start: its intent was journaled just now.
    Start,
    /// Its intent is in the journal and its result is not: find out what became of it. What provably never
    /// started may be started now; what cannot be found out is `Unknown`.
    Attach,
}

/// One attempt to be made.
#[derive(Clone, Debug)]
pub struct StepRequest {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The host.
    pub host: HostName,
    /// The attempt; its step is in the plan.
    pub attempt: AttemptId,
    /// Start or attach.
    pub mode: Mode,
    /// Facts of the host's earlier steps, by step and key: `("web-1/preflight", "packages")`.
    pub facts: Arc<BTreeMap<(crate::model::StepId, String), String>>,
}

/// What an executor may tell and ask while it works.
pub trait StepContext: Send + Sync {
    /// Still alive, doing this.
    fn progress(&self, note: &str);
    /// The campaign is being aborted; a soak may end early. Changes in flight are not to be cut off.
    fn is_cancelled(&self) -> bool;
}

/// The only code that touches hosts.
pub trait StepExecutor: Send + Sync {
    /// Makes the attempt. Dropping the future must not be taken to stop what it started.
    fn execute<'a>(&'a self, context: Arc<dyn StepContext>, request: StepRequest) -> BoxFuture<'a, StepResult>;
}

/// What the machines are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A new campaign.
    Start {
        /// Who.
        operator: String,
        /// The approvals that count.
        approvals: Vec<Approval>,
    },
    /// The journal was folded; this controller goes on.
    Recover {
        /// Who.
        operator: String,
        /// The approvals that count now; none: those that the journal has.
        approvals: Option<Vec<Approval>>,
    },
    /// A step's result.
    Finished {
        /// The attempt.
        attempt: AttemptId,
        /// The result.
        result: StepResult,
    },
    /// A timer fired, or time has passed.
    Tick,
    /// The clock was set forward, as one that nobody sets shows: without that it would be this time now.
    Leapt {
        /// The time without that.
        from: Timestamp,
    },
    /// A person asks.
    Signal(Signal),
}

/// What a person may ask of a running campaign.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "signal", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Signal {
    Pause { by: String },
    Resume { by: String },
    Abort { by: String },
}

/// What the machines ask for. An effect behind an `Append` happens only once that record is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable.
    Append(RecordBody),
    /// Make this attempt.
    Begin {
        /// The attempt.
        attempt: AttemptId,
        /// Start or attach.
        mode: Mode,
        /// Not before this time (backoff between probes).
        not_before: Option<Timestamp>,
    },
    /// Tell running soaks that the campaign is being aborted.
    Cancel,
    /// Send a `Tick` at this time, at the latest.
    WakeAt(Timestamp),
    /// Every host has ended.
    Finished,
}

/// A campaign from outside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct CampaignStatus {
    /// The campaign.
    pub campaign: CampaignId,
    /// Where it stands.
    pub phase: Phase,
    /// Hosts that have ended.
    pub ended: BTreeMap<HostName, HostOutcome>,
    /// Hosts that are being worked on, with their step.
    pub active: BTreeMap<HostName, String>,
    /// Hosts that wait, with why.
    pub waiting: BTreeMap<HostName, String>,
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Phase {
    New,
    Running,
    Paused,
    Aborting,
    Ended,
}

/// Whatever runs campaigns: embedded now, a distributed engine later.
pub trait Engine: Send + Sync {
    /// Why a call failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Accepts a plan and starts its campaign.
    fn start<'a>(&'a self, plan: Arc<Plan>, operator: &'a str) -> BoxFuture<'a, Result<CampaignId, Self::Error>>;
    /// Asks something of a campaign; durable when this returns.
    fn signal<'a>(&'a self, campaign: &'a CampaignId, signal: Signal) -> BoxFuture<'a, Result<(), Self::Error>>;
    /// Where it stands.
    fn status<'a>(&'a self, campaign: &'a CampaignId) -> BoxFuture<'a, Result<CampaignStatus, Self::Error>>;
    /// Its events from this record on; the end of the channel is the end of the campaign.
    fn events<'a>(
        &'a self,
        campaign: &'a CampaignId,
        from: u64,
    ) -> BoxFuture<'a, Result<Box<dyn EventStream>, Self::Error>>;
}

/// A stream of events.
pub trait EventStream: Send {
    /// The next; none at the end.
    fn next(&mut self) -> BoxFuture<'_, Option<Event>>;
}
