//! Who has approved what, and until when that is enough. A pure machine.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{Digest, HostName, Principal, Ticket};
use crate::plan::{HostPlan, Plan, PlanApproval, Reason};

use super::RecordBody;

/// What a person's signature was accepted for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Approval {
    /// Who.
    pub by: Principal,
    /// The fingerprint of the key.
    pub key: String,
    /// The digest of the statement that was signed.
    pub statement: Digest,
    /// What it gives.
    pub gives: Gives,
    /// The rules for which this person counts, by their place in the plan.
    pub rules: BTreeSet<u32>,
    /// The hosts for which it is as the plan is.
    pub hosts: BTreeSet<HostName>,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// Until when it is good; a rule may end it earlier.
    pub until: Timestamp,
    /// The change request that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
}

/// What a signature gives.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// The hosts may be fixed as planned.
    Approval,
    /// The hosts may be fixed although there is no backup of them.
    WithoutBackup,
}

/// The approvals that count.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Approvals {
    given: BTreeMap<Digest, Approval>,
}

impl Approvals {
    /// Takes one in; of one statement the last that is said holds.
    pub fn accept(&mut self, approval: Approval) {
        self.given.insert(approval.statement, approval);
    }

    /// Forgets one; whether it was there.
    pub(super) fn withdraw(&mut self, statement: &Digest) -> bool {
        self.given.remove(statement).is_some()
    }

    /// The records that lead from these to those that count now.
    pub(super) fn update(&self, now: &[Approval]) -> Vec<RecordBody> {
        let still = |statement: &Digest| now.iter().any(|approval| approval.statement == *statement);
        let gone = self.given.keys().filter(|statement| !still(statement)).map(|statement| RecordBody::Disapproved {
            statement: *statement,
            reason: Reason::new("approval-void", "it was revoked, has expired, or its signer may not approve any more"),
        });
        let new = now.iter().filter(|approval| self.given.get(&approval.statement) != Some(approval));
        gone.chain(new.cloned().map(RecordBody::Approved)).collect()
    }

    /// Until when a rule (with its place in the plan) lets a host be fixed; none if it does not at any time.
    ///
    /// People count once, by their name and by their key: two names of one key are one person, two keys of one name too.
    pub fn good_until(&self, number: u32, rule: &PlanApproval, host: &HostPlan) -> Option<Timestamp> {
        let approved = self.approved_until(number, rule, &host.host.name)?;
        if !host.without_backup {
            return Some(approved);
        }
        let (acknowledged, _) = self.given(Gives::WithoutBackup, number, rule, &host.host.name).into_iter().next()?;
        Some(approved.min(acknowledged))
    }

    /// The same, whether or not the host has a backup.
    pub fn approved_until(&self, number: u32, rule: &PlanApproval, host: &HostName) -> Option<Timestamp> {
        let mut people = BTreeSet::new();
        let mut keys = BTreeSet::new();
        let given = self.given(Gives::Approval, number, rule, host);
        let mut persons = given.iter().filter(|(_, approval)| {
            let fresh = !people.contains(&approval.by) && !keys.contains(&approval.key);
            fresh && people.insert(&approval.by) && keys.insert(&approval.key)
        });
        let enough = usize::try_from(rule.required).ok()?.checked_sub(1)?;
        persons.nth(enough).map(|(until, _)| *until)
    }

    /// What was given for a host, with until when a rule lets it be good, the longest first.
    fn given(&self, gives: Gives, number: u32, rule: &PlanApproval, host: &HostName) -> Vec<(Timestamp, &Approval)> {
        let for_host = |approval: &&Approval| {
            approval.gives == gives && approval.rules.contains(&number) && approval.hosts.contains(host)
        };
        let until = |approval: &Approval| approval.until.min(rule.valid_for.after(approval.signed_at));
        let mut given: Vec<_> = self.given.values().filter(for_host).map(|a| (until(a), a)).collect();
        given.sort_by_key(|(until, _)| std::cmp::Reverse(*until));
        given
    }

    /// The first of these rules that does not let a host be fixed at a time.
    pub fn missing<'a>(
        &self,
        plan: &'a Plan,
        rules: &[usize],
        host: &HostPlan,
        at: Timestamp,
    ) -> Option<&'a PlanApproval> {
        rules.iter().filter_map(|&number| Some((number, plan.approvals.get(number)?))).find_map(|(number, rule)| {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.good_until(number, rule, host).is_none_or(|until| until <= at).then_some(rule)
        })
    }
}
