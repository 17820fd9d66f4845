//! Section `manual`: who does what no playbook does, and until when.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Policy;
use super::check::Check;
use super::raw::MatchRaw;
use super::selector::{Context, Facts, Selector};
use crate::diagnostic::{Source, Span};
use crate::model::{Decision, Finding, Host, TimeSpan, is_unprintable};
use crate::yaml::{Spanned, span};

/// Names and addresses of people and teams are shorter.
const MAX_ASSIGNEE: usize = 100;

/// Who does it, and until when; the first match wins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManualRaw {
    /// Which findings, on which hosts.
    #[serde(rename = "match")]
    pub matches: Spanned<MatchRaw>,
    /// Who does it: a person or a team.
    #[serde(default)]
    pub assignee: Option<Spanned<String>>,
    /// How long after it was first seen it is due, such as `14d`; where absent, the deadline of its priority.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub due: Option<Spanned<TimeSpan>>,
}

#[derive(Clone, Debug)]
pub(super) struct ManualRule {
    pub selector: Selector,
    pub assignee: Option<String>,
    pub due: Option<TimeSpan>,
    pub at: Span,
}

/// Checks one rule.
pub(super) fn check(check: &mut Check<'_>, source: &Arc<Source>, raw: ManualRaw) {
    let at = span(source, &raw.matches);
    let selector = check.selector(source, Context::Finding, &raw.matches);
    if let Some(who) = &raw.assignee
        && (who.value.trim().is_empty() || who.value.len() > MAX_ASSIGNEE || who.value.chars().any(is_unprintable))
    {
        check.error("invalid-value", source, who, format!("an assignee has 1 to {MAX_ASSIGNEE} printable bytes"));
    }
    let (assignee, due) = (raw.assignee.map(|who| who.value), raw.due.map(|due| due.value));
    check.policy.manual.push(ManualRule { selector, assignee, due, at });
}

impl Policy {
    /// Who does what no playbook does, and how long after it was first seen.
    pub fn manual_for(
        &self,
        finding: &Finding,
        host: &Host,
        decision: &Decision,
        as_of: jiff::Timestamp,
    ) -> (Option<&str>, Option<TimeSpan>) {
        let priority = decision.assessment.priority;
        let facts = Facts { importance: decision.assessment.importance, priority, as_of };
        let rule = self.manual.iter().find(|rule| rule.selector.matches(finding, host, facts));
        let deadline = self.deadlines.get(&priority).copied();
        (rule.and_then(|rule| rule.assignee.as_deref()), rule.and_then(|rule| rule.due).or(deadline))
    }
}
