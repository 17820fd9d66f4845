//! People who approve simulated plans, renew that and take it back; and what the monitor thinks of who begins without.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::engine::{Approval, Gives};
use crate::model::{AttemptId, Digest, HostName, Principal, RuleName, RuleRef, TimeSpan};
use crate::plan::{Plan, PlanApproval};

use super::Invariant;
use super::monitor::Monitor;

/// Two people must approve all hosts but every fourth.
pub(super) fn rule(valid_for: TimeSpan, hosts: &[HostName]) -> Option<PlanApproval> {
    let hosts: BTreeSet<HostName> =
        hosts.iter().enumerate().filter(|(index, _)| index % 4 != 3).map(|(_, host)| host.clone()).collect();
    (!hosts.is_empty()).then(|| PlanApproval {
        rule: RuleRef { name: name("approvals/1"), place: None },
        required: 2,
        from: None,
        signers: None,
        not_author: false,
        valid_for,
        hosts: hosts.into_iter().collect(),
    })
}

#[expect(clippy::unwrap_used, reason = "constants that are valid names")]
fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

/// What people have signed when a campaign's controller of this number begins: the first finds three people, the second
/// finds that they have signed again, the third that only one is left, later ones ask nobody.
pub(super) fn given(plan: &Plan, now: Timestamp, controller: u32) -> Option<Vec<Approval>> {
    // Cleo has two keys and counts once.
    let all = [("anne", "anne"), ("ben", "ben"), ("cleo", "cleo-1"), ("cleo", "cleo-2")];
    let people = match controller {
        1 | 2 => &all[..],
        3 => &all[..1],
        _ => return None,
    };
    let words = people
        .iter()
        .flat_map(|&(person, key)| [Gives::Approval, Gives::WithoutBackup].map(|gives| (person, key, gives)));
    let approvals = words.filter_map(|(person, key, gives)| {
        Some(Approval {
            by: Principal::new(person).ok()?,
            key: key.to_owned(),
            statement: Digest::of(format!("{key} {gives:?} {now}").as_bytes()),
            gives,
            rules: (0..).take(plan.approvals.len()).collect(),
            hosts: plan.hosts.keys().cloned().collect(),
            signed_at: now,
            until: TimeSpan::days(30).after(now),
            ticket: None,
        })
    });
    Some(approvals.collect())
}

impl Monitor {
    /// A forward step is about to begin: a host is begun, and disrupted, only with the approvals that the plan wants.
    pub(super) fn is_approved(&mut self, at: Timestamp, attempt: &AttemptId) {
        let plan = std::sync::Arc::clone(&self.plan);
        let Some((host, step)) = plan.step(&attempt.step) else { return };
        let first = host.steps.first().is_some_and(|first| first.id == step.id);
        let disrupts = host.steps.iter().find(|s| s.is_disruptive()).is_some_and(|disruptive| disruptive.id == step.id);
        if !first && !disrupts {
            return;
        }
        for rule in plan.approvals.iter().filter(|rule| rule.hosts.contains(&host.host.name)) {
            let good = |approval: &&Approval| {
                let until = rule.valid_for.after(approval.signed_at).min(approval.until);
                at < until && approval.hosts.contains(&host.host.name)
            };
            let words: Vec<&Approval> = self.approved.values().filter(good).collect();
            let people: BTreeSet<_> = words.iter().filter(|a| a.gives == Gives::Approval).map(|a| &a.by).collect();
            let acknowledged = words.iter().any(|approval| approval.gives == Gives::WithoutBackup);
            let count = people.len();
            if count < rule.required as usize || (host.without_backup && !acknowledged) {
                let what = format!("{attempt} begins with the approvals of {count} people");
                self.complain(at, Invariant::Approval, what);
            }
        }
    }
}
