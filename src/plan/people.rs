//! What a policy asks of people before a plan is run, and whether the plan asks it as well.

use std::collections::BTreeMap;

use super::{Plan, PlanApproval, Strategy};
use crate::model::{Host, printable};
use crate::policy::{ApprovalPolicy, Policy};

/// What is shown of an approval: it may be for thousands of hosts.
const SHOWN: usize = 300;

/// The approvals that a policy wants for these hosts, each with whether it goes by the emergency lane; and the files that
/// name who may give them, with their texts.
pub fn asked<'a>(
    policy: &Policy,
    hosts: impl IntoIterator<Item = (&'a Host, bool)>,
) -> (Vec<PlanApproval>, BTreeMap<String, String>) {
    let mut needed: BTreeMap<ApprovalPolicy, Vec<_>> = BTreeMap::new();
    for (host, emergency) in hosts {
        for approval in policy.approvals_for(host, emergency) {
            needed.entry(approval).or_default().push(host.name.clone());
        }
    }
    let signers = needed.keys().filter_map(|approval| approval.signers.clone()).map(|s| (s.file, s.text)).collect();
    let approvals = needed.into_iter().map(|(approval, hosts)| PlanApproval {
        rule: approval.rule,
        required: approval.required,
        from: approval.from,
        signers: approval.signers.map(|signers| signers.file),
        not_author: approval.not_author,
        valid_for: approval.valid_for,
        hosts,
    });
    (approvals.collect(), signers)
}

/// Whoever can write a plan file could leave out what its policy asks for. Says what a plan asks otherwise; where the
/// policy and the people it names lie now does not matter.
pub fn asks_otherwise(plan: &Plan, policy: &Policy) -> Option<String> {
    // A drill changes nothing, and asks nobody.
    let mut hosts = plan.hosts.values().filter(|host| host.strategy != Strategy::Drill).peekable();
    hosts.peek()?;
    let (asked, _) = asked(policy, hosts.map(|host| (&host.host, host.emergency)));
    let lines = |approvals: &[PlanApproval]| {
        let mut lines: Vec<String> = approvals.iter().map(line).collect();
        lines.sort();
        lines
    };
    let (wanted, found) = (lines(&asked), lines(&plan.approvals));
    if let Some(missing) = wanted.iter().find(|line| !found.contains(line)) {
        return Some(format!("the policy wants what the plan does not: {}", printable(missing, SHOWN)));
    }
    if wanted != found {
        return Some("the plan wants approvals that the policy does not want".to_owned());
    }
    (plan.change != policy.change)
        .then(|| "the plan does not hold its change request against what the policy says".to_owned())
}

/// An approval in words that tell any two apart, without where it is written.
fn line(approval: &PlanApproval) -> String {
    let PlanApproval { rule, required, from, signers: _, not_author, valid_for, hosts } = approval;
    let hosts: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    let from = from.as_ref().map_or(String::new(), |from| format!(" of {from:?}"));
    let author = if *not_author { ", not the author," } else { "" };
    format!("{} ({required} people{from}{author} good for {valid_for}) for {}", rule.name, hosts.join(", "))
}
