//! What became of every vulnerability on every host, campaign by campaign.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{CANARY_FAILED, FAILURE_BUDGET, GATE_CLOSED, RecordBody, packages_left_out};
use crate::model::{
    CampaignId, DecisionKind, Finding, FindingId, HostName, HostOutcome, PackageFix, Priority, RuleRef, Strategy,
    TimeSpan,
};
use crate::plan::Reason;
use crate::policy::Glob;

use super::{CampaignEntry, Journal, StoreError};

/// Records that tell where a host stands; the rest is how it came there.
const TELLING: [&str; 3] = ["campaign_started", "intent", "host_ended"];

/// Reasons of hosts that were begun and then left as they were by a person's word or a used up budget: nothing failed
/// there. So it is where a gate was closed.
const HELD_BACK: [&str; 5] = ["aborted", "paused", "cancelled", FAILURE_BUDGET.1, CANARY_FAILED.1];

fn is_held_back(code: &str) -> bool {
    HELD_BACK.contains(&code) || GATE_CLOSED.contains(&code)
}

/// Where a vulnerability stands on a host after a campaign. What a person would want to see first comes last: where the
/// packages of a vulnerability stand differently, the last counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does not apply to the host.
    NotAffected,
    /// The campaign found it fixed already.
    AlreadyFixed,
    /// Fixed and verified.
    Fixed,
    /// Fixed; policy forbids the reboot that completes it.
    PendingReboot,
    /// Accepted until a date.
    Whitelisted,
    /// Left; the next scan reports it again.
    Ignored,
    /// Nobody offers a fix.
    NoFixAvailable,
    /// Not now.
    Deferred,
    /// A person must fix it.
    Manual,
    /// The host was fixed without this package, which broke a clone.
    LeftOut,
    /// To be fixed, and something keeps the host out of the plan.
    Blocked,
    /// To be fixed; its host has not begun.
    Waiting,
    /// Its host is being worked on.
    Fixing,
    /// To be fixed, and its host was left as it was.
    Unfixed,
    /// Tried, and nothing was changed on the host.
    Failed,
    /// Traffic is back on the original, which has it still.
    SwitchedBack,
    /// The host was put back from its backup, and has it still.
    Restored,
    /// The way back failed: a person must look.
    Stuck,
}

impl Standing {
    /// All, as ordered.
    pub const ALL: [Self; 18] = [
        Self::NotAffected,
        Self::AlreadyFixed,
        Self::Fixed,
        Self::PendingReboot,
        Self::Whitelisted,
        Self::Ignored,
        Self::NoFixAvailable,
        Self::Deferred,
        Self::Manual,
        Self::LeftOut,
        Self::Blocked,
        Self::Waiting,
        Self::Fixing,
        Self::Unfixed,
        Self::Failed,
        Self::SwitchedBack,
        Self::Restored,
        Self::Stuck,
    ];

    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::AlreadyFixed => "already_fixed",
            Self::Fixed => "fixed",
            Self::PendingReboot => "pending_reboot",
            Self::Whitelisted => "whitelisted",
            Self::Ignored => "ignored",
            Self::NoFixAvailable => "no_fix_available",
            Self::Deferred => "deferred",
            Self::Manual => "manual",
            Self::LeftOut => "left_out",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Fixing => "fixing",
            Self::Unfixed => "unfixed",
            Self::Failed => "failed",
            Self::SwitchedBack => "switched_back",
            Self::Restored => "restored",
            Self::Stuck => "stuck",
        }
    }
}

/// One vulnerability on one host in one campaign.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct LedgerEntry {
    /// The campaign.
    pub campaign: CampaignId,
    /// The host.
    pub host: HostName,
    /// The vulnerability; the id of the finding where that is all that is known.
    pub vulnerability: String,
    /// How urgent it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Where it stands.
    pub status: Standing,
    /// The packages that have it, sorted, from the version that was found to the one that fixes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackageChange>,
    /// How it was to be fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Who started the campaign.
    pub operator: String,
    /// When the host's first step began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When the host ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The time in between, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why it stands so, for machines: the code of a failure, or the rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The change that the campaign belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Since when that is known: when the host ended, else began, else when the campaign began.
    pub at: Timestamp,
}

/// A package from one version to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub struct PackageChange {
    /// The package.
    pub name: String,
    /// The version that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// At least this version was to be installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Which entries are wanted; what is not set lets all through.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LedgerFilter {
    pub campaign: Option<CampaignId>,
    pub host: Option<Glob>,
    /// Whatever its case.
    pub vulnerability: Option<String>,
    pub package: Option<String>,
    /// Any of these; all where there is none.
    pub statuses: Vec<Standing>,
    pub strategy: Option<Strategy>,
    pub operator: Option<String>,
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl LedgerFilter {
    /// Whether a campaign can have entries that are wanted: they are no older than its first record and no newer than
    /// its last.
    fn wants(&self, campaign: &CampaignEntry) -> bool {
        self.campaign.as_ref().is_none_or(|id| *id == campaign.id)
            && self.since.is_none_or(|since| campaign.last >= Some(since))
            && self.until.is_none_or(|until| campaign.started < Some(until))
    }

    fn lets_through(&self, entry: &LedgerEntry) -> bool {
        self.vulnerability.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&entry.vulnerability))
            && self.package.as_ref().is_none_or(|wanted| entry.packages.iter().any(|package| package.name == *wanted))
            && (self.statuses.is_empty() || self.statuses.contains(&entry.status))
            && self.strategy.is_none_or(|wanted| entry.strategy == Some(wanted))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }
}

/// Campaigns that have begun and may have entries that are wanted, in the order in which they began.
pub fn ledger_campaigns(journal: &mut dyn Journal, filter: &LedgerFilter) -> Result<Vec<CampaignEntry>, StoreError> {
    let mut campaigns = journal.campaigns()?;
    campaigns.retain(|campaign| campaign.started.is_some() && filter.wants(campaign));
    campaigns.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    Ok(campaigns)
}

/// The entries of one campaign that are wanted, by host and vulnerability.
pub fn ledger(
    journal: &mut dyn Journal,
    campaign: &CampaignId,
    filter: &LedgerFilter,
) -> Result<Vec<LedgerEntry>, StoreError> {
    let plan: PlanOf = serde_json::from_slice(&journal.plan(campaign)?).map_err(|error| StoreError::Io {
        what: format!("read the plan of campaign {campaign}"),
        why: error.to_string(),
    })?;
    let mut course = Course::default();
    journal.scan(campaign, &TELLING, &mut |record| course.follow(record.at, record.body))?;
    let Some(began) = course.began else { return Ok(Vec::new()) };
    if filter.operator.as_ref().is_some_and(|wanted| *wanted != course.operator) {
        return Ok(Vec::new());
    }
    let writer =
        Writer { campaign, plan: &plan, course: &course, began, ticket: plan.ticket.as_ref().and_then(ticket) };
    let mut entries: BTreeMap<(&HostName, &str), LedgerEntry> = BTreeMap::new();
    for decision in &plan.report.decisions {
        if filter.host.as_ref().is_some_and(|glob| !glob.matches(decision.host.as_str())) {
            continue;
        }
        let entry = writer.entry(decision);
        let key = (&decision.host, Finding::parts_of(&decision.finding, &decision.host).vulnerability);
        match entries.get_mut(&key) {
            Some(known) => known.join(entry),
            None => drop(entries.insert(key, entry)),
        }
    }
    Ok(entries.into_values().filter(|entry| filter.lets_through(entry)).collect())
}

impl LedgerEntry {
    /// Takes in another package with the same vulnerability.
    fn join(&mut self, mut other: Self) {
        self.packages.append(&mut other.packages);
        self.packages.sort();
        self.packages.dedup();
        if other.status > self.status {
            let packages = std::mem::take(&mut self.packages);
            let priority = self.priority.max(other.priority);
            *self = Self { packages, priority, ..other };
        } else {
            self.priority = self.priority.max(other.priority);
        }
    }
}

/// What a plan says of its findings, whatever else its format holds: plans of earlier programs count as well.
#[derive(serde::Deserialize)]
struct PlanOf {
    #[serde(default)]
    hosts: BTreeMap<HostName, HostOf>,
    #[serde(default)]
    report: ReportOf,
    /// As text, or as an object with an `id`.
    #[serde(default)]
    ticket: Option<serde_json::Value>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct ReportOf {
    decisions: Vec<DecisionOf>,
    blocked: BTreeMap<HostName, Vec<Reason>>,
}

#[derive(serde::Deserialize)]
struct DecisionOf {
    finding: FindingId,
    host: HostName,
    kind: DecisionKind,
    rule: RuleRef,
    reason: String,
    #[serde(default)]
    assessment: Option<AssessmentOf>,
}

#[derive(serde::Deserialize)]
struct AssessmentOf {
    priority: Priority,
}

#[derive(serde::Deserialize)]
struct HostOf {
    #[serde(default)]
    strategy: Option<String>,
    fix: FixOf,
}

#[derive(serde::Deserialize)]
struct FixOf {
    packages: Vec<PackageFix>,
}

fn ticket(value: &serde_json::Value) -> Option<String> {
    value.as_str().or_else(|| value.get("id")?.as_str()).map(str::to_owned)
}

/// How a campaign went, by its records.
#[derive(Default)]
struct Course {
    began: Option<Timestamp>,
    operator: String,
    started: BTreeMap<String, Timestamp>,
    ended: BTreeMap<HostName, (Timestamp, HostOutcome, Option<Reason>)>,
}

impl Course {
    fn follow(&mut self, at: Timestamp, body: RecordBody) {
        match body {
            RecordBody::CampaignStarted { operator, .. } => (self.began, self.operator) = (Some(at), operator),
            RecordBody::Intent { attempt, .. } => {
                let host = attempt.step.host();
                if !self.started.contains_key(host) {
                    self.started.insert(host.to_owned(), at);
                }
            }
            RecordBody::HostEnded { host, outcome, reason } => drop(self.ended.insert(host, (at, outcome, reason))),
            _ => {}
        }
    }
}

/// Makes the entries of a campaign.
struct Writer<'a> {
    campaign: &'a CampaignId,
    plan: &'a PlanOf,
    course: &'a Course,
    began: Timestamp,
    ticket: Option<String>,
}

impl Writer<'_> {
    fn entry(&self, decision: &DecisionOf) -> LedgerEntry {
        let parts = Finding::parts_of(&decision.finding, &decision.host);
        let planned = self.plan.hosts.get(&decision.host).filter(|_| decision.kind == DecisionKind::Fix);
        let fix =
            parts.package.and_then(|name| planned?.fix.packages.iter().find(|package| package.name.as_str() == name));
        let (status, why) = match planned {
            Some(_) => self.outcome(&decision.host, parts.package),
            None => self.decided(decision),
        };
        let package = parts.package.map(|name| PackageChange {
            name: name.to_owned(),
            from: parts.installed.map(str::to_owned).or_else(|| Some(fix?.from.as_ref()?.to_string())),
            to: fix.and_then(|fix| fix.to.as_ref()).map(ToString::to_string),
        });
        let started = planned.and_then(|_| self.course.started.get(decision.host.as_str())).copied();
        let ended = planned.and_then(|_| self.course.ended.get(&decision.host)).map(|(at, ..)| *at);
        let (code, reason) = why.map(|why| (why.code, why.text)).unzip();
        LedgerEntry {
            campaign: self.campaign.clone(),
            host: decision.host.clone(),
            vulnerability: parts.vulnerability.to_owned(),
            priority: decision.assessment.as_ref().map(|assessment| assessment.priority),
            status,
            packages: package.into_iter().collect(),
            strategy: planned.and_then(|planned| strategy(planned.strategy.as_deref()?)),
            operator: self.course.operator.clone(),
            started,
            ended,
            seconds: started.zip(ended).map(|(from, to)| TimeSpan::between(from, to).as_seconds()),
            code,
            reason,
            ticket: self.ticket.clone(),
            at: ended.or(started).unwrap_or(self.began),
        }
    }

    /// Where a finding stands that was to be fixed on a host of the plan.
    fn outcome(&self, host: &HostName, package: Option<&str>) -> (Standing, Option<Reason>) {
        let begun = self.course.started.contains_key(host.as_str());
        let Some((_, outcome, reason)) = self.course.ended.get(host) else {
            return (if begun { Standing::Fixing } else { Standing::Waiting }, None);
        };
        let left_out = || {
            let mut names = reason.iter().flat_map(packages_left_out);
            names.any(|name| Some(name) == package)
        };
        match outcome {
            HostOutcome::Fixed | HostOutcome::FixedPendingReboot if left_out() => (Standing::LeftOut, reason.clone()),
            HostOutcome::Fixed => (Standing::Fixed, None),
            HostOutcome::FixedPendingReboot => (Standing::PendingReboot, None),
            HostOutcome::NothingToDo => (Standing::AlreadyFixed, reason.clone()),
            HostOutcome::Restored => (Standing::Restored, reason.clone()),
            HostOutcome::SwitchedBack => (Standing::SwitchedBack, reason.clone()),
            HostOutcome::Stuck => (Standing::Stuck, reason.clone()),
            HostOutcome::Untouched => {
                let held_back = reason.as_ref().is_some_and(|why| is_held_back(&why.code));
                (if begun && !held_back { Standing::Failed } else { Standing::Unfixed }, reason.clone())
            }
            // A drill fixes nothing.
            HostOutcome::Proven => (Standing::Unfixed, reason.clone()),
        }
    }

    /// Where a finding stands that its plan leaves as it is.
    fn decided(&self, decision: &DecisionOf) -> (Standing, Option<Reason>) {
        let standing = match decision.kind {
            DecisionKind::Fix => {
                let reasons = self.plan.report.blocked.get(&decision.host);
                let joined = |part: fn(&Reason) -> &str, by: &str| {
                    reasons.into_iter().flatten().map(part).collect::<Vec<_>>().join(by)
                };
                let why = Reason { code: joined(|why| &why.code, " "), text: joined(|why| &why.text, "; ") };
                return (Standing::Blocked, Some(why));
            }
            DecisionKind::Defer => Standing::Deferred,
            DecisionKind::Ignore => Standing::Ignored,
            DecisionKind::Whitelist => Standing::Whitelisted,
            DecisionKind::NotAffected => Standing::NotAffected,
            DecisionKind::NoFixAvailable => Standing::NoFixAvailable,
            DecisionKind::Manual => Standing::Manual,
        };
        (standing, Some(Reason::new(decision.rule.name.as_str(), decision.reason.clone())))
    }
}

fn strategy(name: &str) -> Option<Strategy> {
    [Strategy::InPlace, Strategy::CloneAndSwitch, Strategy::Drill].into_iter().find(|known| known.as_str() == name)
}
