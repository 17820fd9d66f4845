//! What the passes work on: a plan in the making.

use std::collections::{BTreeMap, BTreeSet};

use super::{BudgetGroup, PlanApproval, PlanInput, PlanWindow, Pool, Probe, Reason, Step, Strategy, Wave};
use crate::model::{
    Decision, DecisionKind, Digest, Finding, Fix, Host, HostName, Importance, Priority, RuleName, RuleRef, TimeSpan,
};
use crate::playbook::{Playbook, Rendered};

/// A plan in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub input: &'a PlanInput<'a>,
    pub margin: TimeSpan,
    /// Sorted by host and id.
    pub findings: Vec<&'a Finding>,
    /// One for each finding, in the same order.
    pub decisions: Vec<Decision>,
    /// Hosts with something to fix, those that are blocked included: one report names all that is in their way.
    pub hosts: BTreeMap<HostName, HostDraft<'a>>,
    pub scripts: BTreeMap<Digest, String>,
    pub windows: BTreeMap<RuleName, Vec<PlanWindow>>,
    pub groups: BTreeMap<RuleName, BudgetGroup>,
    pub pools: BTreeMap<RuleName, Pool>,
    /// All hosts, in the order in which they go.
    pub sequence: Vec<HostName>,
    pub waves: Vec<Wave>,
    pub failure_budget: u32,
    pub approvals: Vec<PlanApproval>,
    /// Files of approvers by path.
    pub signers: BTreeMap<String, String>,
    pub notes: BTreeSet<Reason>,
}

/// A host in the making.
#[derive(Debug)]
pub(super) struct HostDraft<'a> {
    pub host: &'a Host,
    pub importance: Importance,
    pub priority: Priority,
    pub strategy: Strategy,
    pub strategy_reason: Option<Reason>,
    pub cohort: Option<RuleName>,
    /// Where policy wants it: hosts of another place are not disrupted with it.
    pub place: (u32, Option<String>),
    /// Indices of the findings to fix.
    pub findings: Vec<usize>,
    pub playbook: Option<&'a Playbook>,
    pub fix: Fix,
    pub rendered: Option<Rendered>,
    pub probes: Vec<Probe>,
    /// The same, for a clone.
    pub clone_probes: Vec<Probe>,
    pub without_backup: bool,
    pub steps: Vec<Step>,
    pub windows: Option<RuleName>,
    pub group: Option<RuleName>,
    pub pools: BTreeSet<RuleName>,
    pub wave: u32,
    /// One of its findings goes by the emergency lane.
    pub emergency: bool,
    /// It passes the freezes.
    pub bypass_freeze: bool,
    /// Why it cannot be planned; none means that it is.
    pub reasons: BTreeSet<Reason>,
}

impl<'a> Draft<'a> {
    pub fn new(input: &'a PlanInput<'a>, margin: TimeSpan) -> Self {
        Self {
            input,
            margin,
            findings: Vec::new(),
            decisions: Vec::new(),
            hosts: BTreeMap::new(),
            scripts: BTreeMap::new(),
            windows: BTreeMap::new(),
            groups: BTreeMap::new(),
            pools: BTreeMap::new(),
            sequence: Vec::new(),
            waves: Vec::new(),
            failure_budget: 0,
            approvals: Vec::new(),
            signers: BTreeMap::new(),
            notes: BTreeSet::new(),
        }
    }

    /// Takes a finding out of the plan.
    pub fn redecide(&mut self, finding: usize, kind: DecisionKind, rule: RuleRef, reason: String) {
        let decision = &mut self.decisions[finding];
        // That an exception no longer applies stays part of the reason.
        let lapsed = self
            .input
            .hosts
            .get(&decision.host)
            .and_then(|host| self.input.policy.lapsed_exceptions(self.findings[finding], host, self.input.as_of));
        decision.kind = kind;
        decision.rule = rule;
        decision.reason = reason + lapsed.as_deref().unwrap_or_default();
    }
}

impl HostDraft<'_> {
    pub fn block(&mut self, code: &str, text: impl Into<String>) {
        self.reasons.insert(Reason::new(code, text));
    }
}

/// A few of many names, for people.
pub(super) fn some_of<T: std::fmt::Display>(names: &[T]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
