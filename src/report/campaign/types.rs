//! What became of a campaign: the shape of its report, the same for people and for programs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::{Gate, Gives, StepResult};
use crate::model::{
    CampaignId, Digest, FindingId, HostName, HostOutcome, PackageName, Principal, Priority, RuleName, StepId, Strategy,
    Ticket, TimeSpan,
};
use crate::plan::{BreachCause, Reason, StepKind};

/// A campaign as its plan and its journal have it. Of one that has not ended everything is as of its last record, so that
/// the same journal gives the same report.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct CampaignReport {
    /// The campaign.
    pub campaign: CampaignId,
    /// The plan it runs.
    pub plan: Digest,
    /// What it came to.
    pub verdict: Verdict,
    /// Who made the plan, as its machine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The change request that the plan belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Approvals that were accepted, in order.
    pub approvals: Vec<GivenApproval>,
    /// Who started it.
    pub operator: String,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When its last host ended.
    pub ended: Option<Timestamp>,
    /// The time of its last record.
    pub as_of: Option<Timestamp>,
    /// How many hosts ended in which state.
    pub outcomes: BTreeMap<HostOutcome, u32>,
    /// Its waves, in order.
    pub waves: Vec<WaveReport>,
    /// Every host of the plan.
    pub hosts: BTreeMap<HostName, HostReport>,
    /// Pauses, resumes, aborts and changes of controller, in order.
    pub operations: Vec<Operation>,
    /// Findings before and after.
    pub findings: FindingsReport,
    /// How long findings stayed open, and which deadlines were met.
    pub sla: Sla,
    /// What the plan foretold and what came of it; none where it foretold nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastReport>,
    /// Services with a disruption budget, and how many of their hosts were unavailable when.
    pub services: BTreeMap<RuleName, ServiceReport>,
    /// Backups, clones and originals that the campaign has left, as far as the journal tells.
    pub kept: Vec<Kept>,
    /// Whether somebody ended it before its time.
    pub aborted: bool,
    /// How many records the journal holds.
    pub records: u64,
}

/// An approval that was accepted.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct GivenApproval {
    /// When the campaign took it in, for the last time.
    pub at: Timestamp,
    /// Who gave it.
    pub by: Principal,
    /// The fingerprint of the key.
    pub key: String,
    /// The digest of what was signed.
    pub statement: Digest,
    /// What it gives.
    pub gives: Gives,
    /// The names of the rules for which it counts.
    pub rules: BTreeSet<String>,
    /// For how many hosts it is as the plan is.
    pub hosts: u32,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// Until when it is good.
    pub until: Timestamp,
    /// The change request that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// When and why it did not count any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<TurnedBack>,
}

/// What a campaign came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has not ended.
    Open,
    /// It has not ended, and nothing new starts.
    Paused,
    /// It ended, and hosts need a person.
    Stuck,
    /// Somebody ended it before its time.
    Aborted,
    /// It ended, and hosts are not as planned.
    WentBack,
    /// It ended, and every host is as planned.
    AsPlanned,
}

/// One wave.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct WaveReport {
    /// Its name.
    pub name: RuleName,
    /// How many hosts it has.
    pub hosts: u32,
    /// When it began.
    pub started: Option<Timestamp>,
    /// Until when it was to be watched, once its last host had ended.
    pub watched_until: Option<Timestamp>,
    /// When it ended and was watched, however its hosts ended.
    pub ended: Option<Timestamp>,
    /// How many of its hosts ended in which state.
    pub outcomes: BTreeMap<HostOutcome, u32>,
}

/// What happened to the campaign as a whole.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Operation {
    /// When.
    pub at: Timestamp,
    /// In words.
    pub what: String,
}

/// What became of one host.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct HostReport {
    /// Where it ended; none while it has not.
    pub outcome: Option<HostOutcome>,
    /// Why, unless it is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Its wave's name.
    pub wave: String,
    /// The most urgent priority among its findings.
    pub priority: Priority,
    /// How it was to be fixed.
    pub strategy: Strategy,
    /// The service whose disruption budget it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<RuleName>,
    /// How many findings were to be fixed.
    pub findings: u32,
    /// When its first step began.
    pub began: Option<Timestamp>,
    /// When its first step began that may make it unavailable.
    pub disrupted: Option<Timestamp>,
    /// When it went back, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back: Option<TurnedBack>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Every attempt, in order.
    pub steps: Vec<StepReport>,
    /// What it waited for, in order.
    pub waits: Vec<Wait>,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Packages that were left out because they broke a clone.
    pub left_out: BTreeSet<PackageName>,
    /// When it went on past the end of its window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrun: Option<Timestamp>,
}

/// Something was taken back: the changes of a host, an approval.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct TurnedBack {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// A host waited.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Wait {
    /// Since when.
    pub from: Timestamp,
    /// Until when; none if it still waits.
    pub to: Option<Timestamp>,
    /// At which gate.
    pub gate: Gate,
    /// Why, in words.
    pub why: String,
}

/// One attempt of one step.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct StepReport {
    /// The step.
    pub step: StepId,
    /// What it is for.
    pub kind: StepKind,
    /// Whether it took something back.
    pub undo: bool,
    /// Whether it may have made the host unavailable.
    pub disruptive: bool,
    /// When its intent was written.
    pub started: Timestamp,
    /// When its result was written.
    pub ended: Option<Timestamp>,
    /// The result.
    pub result: Option<StepResult>,
    /// How often its unknown result was asked for.
    pub probes: u32,
}

/// Findings of the plan, before and after.
#[derive(Clone, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct FindingsReport {
    /// All priorities together.
    pub total: FindingCounts,
    /// By priority.
    pub by_priority: BTreeMap<Priority, FindingCounts>,
    /// The scan that says what there is after the campaign; none: what was there before, less what was fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_scan: Option<LaterScanReport>,
}

/// Findings of a priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct FindingCounts {
    /// Before the campaign: every finding that the plan has decided about.
    pub before: u64,
    /// Those that the plan was to fix.
    pub planned: u64,
    /// Those of them that were fixed and verified.
    pub fixed: u64,
    /// Those of the fixed that need a reboot before they are gone from what runs.
    pub pending_reboot: u64,
    /// Those that are still there: by a later scan, where there is one.
    pub after: u64,
}

/// What a scan after the campaign has shown.
#[derive(Clone, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct LaterScanReport {
    /// The files.
    pub files: Vec<String>,
    /// When hosts were looked at last, where the files tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Findings that were not there before. The plan has no priority for them.
    pub new: u64,
    /// Findings that the campaign has fixed and verified, and that the scan reports all the same, by host.
    pub still_found: BTreeMap<HostName, BTreeSet<FindingId>>,
    /// Hosts with findings that the scan does not speak of: what it does not tell is taken from the journal.
    pub not_scanned: BTreeSet<HostName>,
}

/// How long findings stayed open, and which deadlines were met.
#[derive(Clone, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Sla {
    /// All priorities together.
    pub total: SlaFigures,
    /// By priority.
    pub by_priority: BTreeMap<Priority, SlaFigures>,
    /// Deadlines that were missed, the first first.
    pub missed: Vec<Missed>,
}

/// How long findings of a priority stayed open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct SlaFigures {
    /// From when a finding was first seen on its host until the host ended fixed; of findings of which that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_first_seen: Option<Durations>,
    /// From when the plan was made until then; of findings of which nobody says when they were first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_plan: Option<Durations>,
    /// Deadlines.
    pub deadlines: Deadlines,
}

/// How long something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Durations {
    /// How many findings.
    pub findings: u64,
    /// On average.
    pub mean: TimeSpan,
    /// Half of them took no longer.
    pub median: TimeSpan,
    /// None took longer.
    pub longest: TimeSpan,
}

/// Findings with a deadline. Those that somebody accepted, or that do not apply, have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Deadlines {
    /// Fixed in time.
    pub met: u64,
    /// Fixed too late, or not fixed and too late by now.
    pub missed: u64,
    /// Too late already when the plan was made: nothing could meet them.
    pub overdue: u64,
    /// Not fixed, and still in time.
    pub ahead: u64,
}

/// Deadlines of one host that were missed.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Missed {
    /// The host.
    pub host: HostName,
    /// The first of the deadlines.
    pub due: Timestamp,
    /// How many findings.
    pub findings: u64,
    /// When they were fixed; none if they are not.
    pub fixed: Option<Timestamp>,
    /// Why the forecast of the plan said so too; none if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foretold: Option<BreachCause>,
}

/// What the plan foretold, and what came of it.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct ForecastReport {
    /// When the last host was to end.
    pub ends: Option<Timestamp>,
    /// When it did.
    pub ended: Option<Timestamp>,
    /// Hosts of both and how long they were worked on, waiting included.
    pub hosts: u32,
    /// As it was foretold, all of them together.
    pub expected: TimeSpan,
    /// As it was.
    pub took: TimeSpan,
    /// Hosts that ended later than foretold.
    pub later: u32,
    /// Hosts that were to be rebooted, if all of them need it.
    pub reboots_expected: u32,
    /// Hosts that were.
    pub reboots: u32,
    /// Findings that were to miss their deadline.
    pub breaches_expected: u64,
    /// Findings that did.
    pub breaches: u64,
}

/// Disruption of a service.
#[derive(Clone, Debug, Default, serde::Serialize, schemars::JsonSchema)]
pub struct ServiceReport {
    /// How many of its hosts might be unavailable at once.
    pub max_unavailable: u32,
    /// How many hosts it has, planned or not.
    pub hosts: u32,
    /// The most that were unavailable at once.
    pub most: u32,
    /// For how long any was.
    pub degraded: TimeSpan,
    /// Every change of how many are unavailable: from the first step that may disrupt a host to the host's end; a stuck
    /// host stays so.
    pub over_time: Vec<Unavailable>,
}

/// So many hosts are unavailable from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Unavailable {
    /// Since when.
    pub from: Timestamp,
    /// How many.
    pub hosts: u32,
}

/// Something that a campaign has left with a provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Kept {
    /// Of which host.
    pub host: HostName,
    /// What it is.
    pub kind: KeptKind,
    /// Names it for its provider.
    pub reference: String,
    /// Until when; none as long as its host has not ended or is stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a provider keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeptKind {
    Backup,
    Clone,
    Original,
}

impl KeptKind {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Clone => "clone",
            Self::Original => "original",
        }
    }
}

impl StepReport {
    /// How long it took.
    pub fn took(&self) -> Option<TimeSpan> {
        self.ended.map(|ended| TimeSpan::between(self.started, ended))
    }
}

impl HostReport {
    /// From its first step to its end.
    pub fn took(&self) -> Option<TimeSpan> {
        self.began.zip(self.ended).map(|(began, ended)| TimeSpan::between(began, ended))
    }

    /// Whether its fix was made and verified, and when it ended so.
    pub fn fixed(&self) -> Option<Timestamp> {
        let gone = matches!(
            self.outcome,
            Some(HostOutcome::Fixed | HostOutcome::FixedPendingReboot | HostOutcome::NothingToDo)
        );
        self.ended.filter(|_| gone)
    }

    /// The last step that failed going forward: what the host went back for.
    pub fn failed_step(&self) -> Option<&StepReport> {
        let failed = |step: &&StepReport| matches!(step.result, Some(StepResult::Failed { .. }));
        self.steps.iter().filter(failed).max_by_key(|step| !step.undo && !step.kind.is_tidying())
    }
}

impl CampaignReport {
    /// Hosts that did not reach what the plan wanted.
    pub fn went_back(&self) -> u32 {
        self.outcomes.iter().filter(|(outcome, _)| !outcome.is_success()).map(|(_, count)| count).sum()
    }

    /// Hosts that need a person.
    pub fn stuck(&self) -> u32 {
        self.outcomes.get(&HostOutcome::Stuck).copied().unwrap_or(0)
    }
}
