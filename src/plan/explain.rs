//! Why a host or a finding is planned as it is: the chain of reasons, as data.

use jiff::Timestamp;

use super::{BudgetGroup, Plan, Reason, StepKind, Strategy};
use crate::model::{Decision, Fix, HostName, Importance, Priority, RuleName, StepId, TimeSpan, VulnerabilityId};

/// The chain of reasons for one host, or for one vulnerability of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation<'a> {
    /// The host.
    pub host: &'a HostName,
    /// What was decided of each finding asked for, with the score, the rule and its place.
    pub decisions: Vec<&'a Decision>,
    /// What became of the host.
    pub outcome: HostExplained<'a>,
}

/// What became of a host in the plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostExplained<'a> {
    /// It will be touched.
    Planned(Box<Planned<'a>>),
    /// It has findings to fix and is left out.
    Blocked(&'a [Reason]),
    /// None of its findings is to be fixed.
    NothingToFix,
}

/// When and how a host is fixed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Planned<'a> {
    /// Its importance.
    pub importance: Importance,
    /// Its most urgent priority.
    pub priority: Priority,
    /// How.
    pub strategy: Strategy,
    /// By which playbook.
    pub playbook: &'a RuleName,
    /// What.
    pub fix: &'a Fix,
    /// Its wave.
    pub wave: &'a RuleName,
    /// Its place in the wave, from 1.
    pub place: usize,
    /// Hosts in the waves before its own: all of them must have ended well.
    pub hosts_before: usize,
    /// The service it belongs to, and how many of that may be down.
    pub group: Option<(&'a RuleName, &'a BudgetGroup)>,
    /// Its windows; none means at any time.
    pub windows: Option<&'a RuleName>,
    /// When the first window opens that is long enough.
    pub first_start: Option<Timestamp>,
    /// The usual time of its disruptive steps and of what follows them.
    pub chain: TimeSpan,
    /// The usual time to go back.
    pub way_back: TimeSpan,
    /// It has no way back, and policy accepts that.
    pub without_backup: bool,
    /// Its steps, in order.
    pub steps: Vec<StepExplained<'a>>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StepExplained<'a> {
    /// Its id.
    pub id: &'a StepId,
    /// What it is for.
    pub kind: StepKind,
    /// How long it usually takes.
    pub expected: TimeSpan,
    /// What takes it back.
    pub undo: Vec<StepKind>,
}

/// Why nothing can be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The plan does not mention the host.
    #[error("plan says nothing of host {0}: no report has a finding on it, or the inventory does not have it")]
    UnknownHost(HostName),
    /// The host has no such finding.
    #[error("plan knows no finding {vulnerability} on host {host}")]
    UnknownVulnerability {
        /// The host.
        host: HostName,
        /// What was asked for.
        vulnerability: VulnerabilityId,
    },
}

impl ExplainError {
    /// The kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownHost(_) => "unknown-host",
            Self::UnknownVulnerability { .. } => "unknown-vulnerability",
        }
    }
}

/// Why the host, or one vulnerability of it, is planned as it is.
pub fn explain<'a>(
    plan: &'a Plan,
    host: &HostName,
    vulnerability: Option<&VulnerabilityId>,
) -> Result<Explanation<'a>, ExplainError> {
    let own = plan.report.decisions_of(host);
    let Some(first) = own.first() else { return Err(ExplainError::UnknownHost(host.clone())) };
    let decisions: Vec<&Decision> = own.iter().filter(|d| vulnerability.is_none_or(|v| is_of(d, v))).collect();
    if let (Some(vulnerability), true) = (vulnerability, decisions.is_empty()) {
        return Err(ExplainError::UnknownVulnerability { host: host.clone(), vulnerability: vulnerability.clone() });
    }
    let outcome = match (planned(plan, host), plan.report.blocked.get(host)) {
        (Some(planned), _) => HostExplained::Planned(Box::new(planned)),
        (None, Some(reasons)) => HostExplained::Blocked(reasons),
        (None, None) => HostExplained::NothingToFix,
    };
    Ok(Explanation { host: &first.host, decisions, outcome })
}

/// The id of a finding names its vulnerability between slashes.
fn is_of(decision: &Decision, vulnerability: &VulnerabilityId) -> bool {
    decision.finding.as_str().split('/').any(|part| part.eq_ignore_ascii_case(vulnerability.as_str()))
}

fn planned<'a>(plan: &'a Plan, name: &HostName) -> Option<Planned<'a>> {
    let host = plan.hosts.get(name)?;
    let index = usize::try_from(host.wave).ok()?;
    let wave = plan.rollout.waves.get(index)?;
    Some(Planned {
        importance: host.importance,
        priority: host.priority,
        strategy: host.strategy,
        playbook: &host.playbook,
        fix: &host.fix,
        wave: &wave.name,
        place: wave.hosts.iter().position(|h| h == name)? + 1,
        hosts_before: plan.rollout.waves[..index].iter().map(|w| w.hosts.len()).sum(),
        group: host.group.as_ref().and_then(|g| plan.rollout.groups.get_key_value(g)),
        windows: host.windows.as_ref(),
        first_start: host.first_window(plan).map(|w| w.interval.start),
        chain: host.disruptive_chain(),
        way_back: host.way_back(),
        without_backup: host.without_backup,
        steps: host
            .steps
            .iter()
            .map(|s| StepExplained {
                id: &s.id,
                kind: s.kind,
                expected: s.expected,
                undo: s.undo.iter().map(|u| u.kind).collect(),
            })
            .collect(),
    })
}
