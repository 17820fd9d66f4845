//! The planner: a visible list of passes over one draft.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::Draft;
use super::forecast::forecast;
use super::passes;
use super::{HostPlan, PLAN_FORMAT, Plan, PlanInput, PlanReport, Reason, Rollout};
use crate::model::{DecisionKind, Digest, FindingId, HostName, Program, TimeSpan};

/// Added to what the window gate reserves: clocks differ, and a host may answer late.
const MARGIN: TimeSpan = TimeSpan::minutes(5);

type Pass = for<'a> fn(&mut Draft<'a>) -> Result<(), PlanError>;

/// Every pass, in order. Each sees what those before it left.
const PASSES: [Pass; 14] = [
    passes::decide::run,     // what policy says of every finding
    passes::emergency::run,  // what may not wait for a freeze to end
    passes::playbook::run,   // who can fix it: one playbook a host
    passes::machines::run,   // no machine twice
    passes::merge::run,      // findings become one transaction a host
    passes::quarantine::run, // without what had to be rolled back before
    passes::render::run,     // the playbook's commands and the policy's probes
    passes::backup::run,     // a way back, or the policy's word that none is needed
    passes::budgets::run,    // how many of a service at once
    passes::order::run,      // in which order
    passes::cohorts::run,    // how, and what speaks for it: the graph of each host, and when
    passes::waves::run,      // in which company
    passes::approvals::run,  // who must say yes
    passes::limits::run,     // when to pause
];

/// Why there is no plan at all. What keeps a single host out of it is data in the plan's report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A finding was matched to a host that the inventory does not have.
    #[error("finding {finding} is for host {host}, which the inventory does not have")]
    UnknownHost {
        /// The host.
        host: HostName,
        /// The finding.
        finding: FindingId,
    },
    /// Two scripts claim one digest.
    #[error("playbook {playbook} gives a script that does not have the digest {digest}")]
    ScriptDigest {
        /// The playbook.
        playbook: String,
        /// The digest it claims.
        digest: Digest,
    },
}

impl PlanError {
    /// The kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownHost { .. } => "unknown-host",
            Self::ScriptDigest { .. } => "script-digest",
        }
    }
}

/// Makes the plan. The same input gives the same bytes, whatever the order of its lists.
pub fn plan(input: &PlanInput<'_>) -> Result<Plan, PlanError> {
    let mut draft = Draft::new(input, MARGIN);
    for pass in PASSES {
        pass(&mut draft)?;
    }
    Ok(finish(draft))
}

fn finish(draft: Draft<'_>) -> Plan {
    let input = draft.input;
    let mut report = PlanReport { findings: draft.decisions.len() as u64, ..PlanReport::default() };
    for decision in &draft.decisions {
        *report.decided.entry(decision.kind).or_default() += 1;
    }
    report.manual = super::manual::items(&draft);
    report.decisions = draft.decisions;
    report.notes = draft.notes.into_iter().collect();

    let mut hosts = BTreeMap::new();
    for (name, host) in draft.hosts {
        let (playbook, cohort, strategy_reason) = match (host.playbook, host.cohort, host.strategy_reason) {
            (Some(playbook), Some(cohort), Some(reason)) if host.reasons.is_empty() => (playbook, cohort, reason),
            _ => {
                report.blocked.insert(name, host.reasons.into_iter().collect());
                continue;
            }
        };
        hosts.insert(
            name,
            Arc::new(HostPlan {
                host: host.host.clone(),
                importance: host.importance,
                priority: host.priority,
                strategy: host.strategy,
                strategy_reason,
                cohort,
                fix: host.fix,
                playbook: playbook.name().clone(),
                wave: host.wave,
                emergency: host.emergency,
                group: host.group,
                pools: host.pools,
                windows: host.windows,
                quarantine: input.policy.quarantine,
                without_backup: host.without_backup,
                steps: host.steps,
            }),
        );
    }
    if hosts.is_empty() {
        let fix = report.decided.get(&DecisionKind::Fix).copied().unwrap_or(0);
        let why = if fix == 0 {
            "no finding is to be fixed".to_owned()
        } else {
            "every host with something to fix is blocked".to_owned()
        };
        report.notes.push(Reason::new("empty-plan", why));
    }

    let mut inputs = input.inputs.clone();
    inputs.values_mut().for_each(|i| i.paths.sort());
    let mut plan = Plan {
        format: PLAN_FORMAT,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        as_of: input.as_of,
        seed: input.seed,
        tzdata: input.policy.tzdata_version(),
        author: input.origin.author.clone(),
        ticket: input.origin.ticket.clone(),
        inputs,
        rollout: Rollout {
            waves: draft.waves,
            groups: draft.groups,
            failure_budget: draft.failure_budget,
            concurrency: input.policy.rollout.concurrency.max(1),
            pools: draft.pools,
            margin: draft.margin,
            domain: input.policy.rollout.domain.clone(),
        },
        windows: draft.windows,
        approvals: draft.approvals,
        signers: draft.signers,
        change: input.policy.change.clone(),
        notify: input.policy.notify.clone(),
        hosts,
        scripts: draft.scripts,
        report,
    };
    plan.keep_used();
    plan.report.forecast = Some(forecast(&plan));
    plan
}

impl Plan {
    /// Only what a planned host refers to stays: a blocked host must not leave scripts or groups behind.
    pub(super) fn keep_used(&mut self) {
        let used: BTreeSet<Digest> = self
            .hosts
            .values()
            .flat_map(|h| &h.steps)
            .flat_map(|s| std::iter::once(s).chain(&s.undo))
            .flat_map(|s| s.action.commands())
            .filter_map(|c| script_of(&c.program))
            .collect();
        self.scripts.retain(|digest, _| used.contains(digest));
        let used: BTreeSet<_> = self.hosts.values().filter_map(|h| h.windows.as_ref()).collect();
        self.windows.retain(|name, _| used.contains(name));
        let used: BTreeSet<_> = self.hosts.values().filter_map(|h| h.group.as_ref()).collect();
        self.rollout.groups.retain(|name, _| used.contains(name));
        let used: BTreeSet<_> = self.hosts.values().flat_map(|h| &h.pools).collect();
        self.rollout.pools.retain(|name, _| used.contains(name));
    }
}

fn script_of(program: &Program) -> Option<Digest> {
    match program {
        Program::Builtin { digest, .. } | Program::Ansible { digest } | Program::Shell { digest } => Some(*digest),
        Program::Argv => None,
    }
}
