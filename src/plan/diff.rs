//! What a change of policy, inventory or findings does to the fleet: not lines but decisions, grouped and counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Plan;
use crate::model::{
    Decision, DecisionKind, Finding, FindingId, Host, HostName, PackageName, RuleRef, TimeSpan, VulnerabilityId,
};
use crate::policy::{ApprovalPolicy, Policy, WindowSet};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// The plan that it gives.
    pub plan: &'a Plan,
    /// Its policy.
    pub policy: &'a Policy,
    /// Its inventory.
    pub hosts: &'a BTreeMap<HostName, Host>,
    /// Its findings.
    pub findings: &'a [(HostName, Finding)],
    /// How far ahead its windows are looked for.
    pub horizon: TimeSpan,
}

/// What may change of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Aspect {
    /// It is there in one of the two versions only.
    Presence,
    Decision,
    Priority,
    Due,
    /// Whether its host is in the plan.
    Planned,
    Window,
    Strategy,
    Approval,
    Wave,
}

impl Aspect {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Decision => "decision",
            Self::Priority => "priority",
            Self::Due => "due date",
            Self::Planned => "planned",
            Self::Window => "window",
            Self::Strategy => "strategy",
            Self::Approval => "approval",
            Self::Wave => "wave",
        }
    }
}

/// A finding of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub struct Member {
    /// Its host.
    pub host: HostName,
    /// Its vulnerability.
    pub vulnerability: VulnerabilityId,
    /// Its package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Its id.
    pub finding: FindingId,
}

/// Findings of which the same changed in the same way, by the same rules.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct ChangeGroup {
    /// What changed.
    pub aspect: Aspect,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
    /// The rule that said so before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_before: Option<RuleRef>,
    /// The rule that says so now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_after: Option<RuleRef>,
    /// Why, in words, for the first of them.
    pub why: String,
    /// How many hosts they are on.
    pub hosts: u64,
    /// The findings, by host.
    pub findings: Vec<Member>,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Impact {
    /// The time both versions refer to.
    pub as_of: Timestamp,
    /// Findings of both versions together.
    pub compared: u64,
    /// Hosts that they are on.
    pub hosts: u64,
    /// Findings of which anything changed.
    pub changed: u64,
    /// Hosts with a finding of which anything changed.
    pub changed_hosts: u64,
    /// Findings to fix, before and after.
    pub to_fix: [u64; 2],
    /// Planned hosts, before and after.
    pub planned: [u64; 2],
    /// What changed, the most important first.
    pub groups: Vec<ChangeGroup>,
    /// Problems of the new version that the old one did not have, as `message [code]`.
    pub new_problems: Vec<String>,
    /// Problems of the old version that the new one no longer has.
    pub gone_problems: Vec<String>,
}

impl Impact {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.new_problems.is_empty() && self.gone_problems.is_empty()
    }

    /// Findings and hosts of which this changed.
    pub fn count(&self, aspect: Aspect) -> (u64, u64) {
        let groups = self.groups.iter().filter(|group| group.aspect == aspect);
        let members: Vec<&Member> = groups.flat_map(|group| &group.findings).collect();
        let hosts: BTreeSet<&HostName> = members.iter().map(|member| &member.host).collect();
        (members.len() as u64, hosts.len() as u64)
    }
}

/// What a version says of a host.
#[derive(Debug, PartialEq, Eq)]
struct HostFacts {
    planned: String,
    window: (String, Option<RuleRef>),
    strategy: (String, RuleRef),
    approval: (String, Option<RuleRef>),
    wave: Option<String>,
}

/// Compares two versions. Problems are left empty: those who read the files know them.
pub fn impact(base: &Version<'_>, head: &Version<'_>) -> Impact {
    let mut groups = Groups::default();
    let names = [names(base), names(head)];
    let mut changed: BTreeSet<(&HostName, &FindingId)> = BTreeSet::new();
    let (mut compared, mut hosts) = (0, BTreeSet::new());

    let mut before = base.plan.report.decisions.iter().peekable();
    let mut after = head.plan.report.decisions.iter().peekable();
    let mut facts: Option<(&HostName, Option<HostFacts>, Option<HostFacts>)> = None;
    loop {
        let (old, new) = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => (before.next(), None),
            (None, Some(_)) => (None, after.next()),
            (Some(old), Some(new)) => match (&old.host, &old.finding).cmp(&(&new.host, &new.finding)) {
                std::cmp::Ordering::Less => (before.next(), None),
                std::cmp::Ordering::Greater => (None, after.next()),
                std::cmp::Ordering::Equal => (before.next(), after.next()),
            },
        };
        let Some(some) = new.or(old) else { break };
        compared += 1;
        hosts.insert(&some.host);
        let member = || {
            let known =
                names[1].get(&(&some.host, &some.finding)).or_else(|| names[0].get(&(&some.host, &some.finding)));
            let (vulnerability, package) = known.map(|f| (f.vulnerability.clone(), f.package.clone()))?;
            Some(Member { host: some.host.clone(), vulnerability, package, finding: some.finding.clone() })
        };
        let mut add = |aspect, change: Change<'_>| {
            if change.before != change.after {
                groups.add(aspect, change, member());
                changed.insert((&some.host, &some.finding));
            }
        };
        let (Some(old), Some(new)) = (old, new) else {
            let shown =
                |decision: Option<&Decision>| decision.map_or("not there".to_owned(), |d| d.kind.as_str().to_owned());
            let change = Change {
                before: shown(old),
                after: shown(new),
                rules: [old.map(|d| &d.rule), new.map(|d| &d.rule)],
                why: some.reason.clone(),
            };
            add(Aspect::Presence, change);
            continue;
        };
        add(
            Aspect::Decision,
            Change {
                before: old.kind.as_str().to_owned(),
                after: new.kind.as_str().to_owned(),
                rules: [Some(&old.rule), Some(&new.rule)],
                why: new.reason.clone(),
            },
        );
        add(
            Aspect::Priority,
            Change {
                before: old.assessment.priority.to_string(),
                after: new.assessment.priority.to_string(),
                rules: [Some(&old.assessment.rule), Some(&new.assessment.rule)],
                why: why_priority(old, new),
            },
        );
        if let Some((before, after)) = due(old.due, new.due) {
            let why = format!("first seen + deadline of priority {}", new.assessment.priority);
            let rules = [Some(&old.assessment.rule), Some(&new.assessment.rule)];
            add(Aspect::Due, Change { before, after, rules, why });
        }
        if old.kind != DecisionKind::Fix && new.kind != DecisionKind::Fix {
            continue;
        }
        if facts.as_ref().is_none_or(|(host, ..)| *host != &some.host) {
            facts = Some((&some.host, host_facts(base, &some.host), host_facts(head, &some.host)));
        }
        let Some((_, Some(old), Some(new))) = &facts else { continue };
        add(
            Aspect::Planned,
            Change { before: old.planned.clone(), after: new.planned.clone(), rules: [None, None], why: String::new() },
        );
        add(
            Aspect::Window,
            Change {
                before: old.window.0.clone(),
                after: new.window.0.clone(),
                rules: [old.window.1.as_ref(), new.window.1.as_ref()],
                why: String::new(),
            },
        );
        add(
            Aspect::Strategy,
            Change {
                before: old.strategy.0.clone(),
                after: new.strategy.0.clone(),
                rules: [Some(&old.strategy.1), Some(&new.strategy.1)],
                why: String::new(),
            },
        );
        add(
            Aspect::Approval,
            Change {
                before: old.approval.0.clone(),
                after: new.approval.0.clone(),
                rules: [old.approval.1.as_ref(), new.approval.1.as_ref()],
                why: String::new(),
            },
        );
        // A host that comes or goes has no wave to change.
        if let (Some(old), Some(new)) = (&old.wave, &new.wave) {
            add(
                Aspect::Wave,
                Change { before: old.clone(), after: new.clone(), rules: [None, None], why: String::new() },
            );
        }
    }
    let fix = |version: &Version<'_>| version.plan.report.decided.get(&DecisionKind::Fix).copied().unwrap_or(0);
    let changed_hosts: BTreeSet<&HostName> = changed.iter().map(|(host, _)| *host).collect();
    Impact {
        as_of: head.plan.as_of,
        compared,
        hosts: hosts.len() as u64,
        changed: changed.len() as u64,
        changed_hosts: changed_hosts.len() as u64,
        to_fix: [fix(base), fix(head)],
        planned: [base.plan.hosts.len() as u64, head.plan.hosts.len() as u64],
        groups: groups.finish(),
        new_problems: Vec::new(),
        gone_problems: Vec::new(),
    }
}

/// Findings by host and id.
fn names<'a>(version: &Version<'a>) -> BTreeMap<(&'a HostName, &'a FindingId), &'a Finding> {
    version.findings.iter().map(|(host, finding)| ((host, &finding.id), finding)).collect()
}

fn why_priority(old: &Decision, new: &Decision) -> String {
    let score = |d: &Decision| d.assessment.score.map_or("no score".to_owned(), |score| format!("score {score}"));
    match &new.assessment.reason {
        Some(reason) => reason.clone(),
        None if old.assessment.score != new.assessment.score => format!("{}, was {}", score(new), score(old)),
        None => score(new),
    }
}

/// Due dates in words by how far they moved, so that findings which moved alike stay together.
fn due(old: Option<Timestamp>, new: Option<Timestamp>) -> Option<(String, String)> {
    let text = match (old, new) {
        (None, None) => return None,
        (Some(_), None) => ("due".to_owned(), "without a due date".to_owned()),
        (None, Some(_)) => ("without a due date".to_owned(), "due".to_owned()),
        (Some(old), Some(new)) if new < old => ("due".to_owned(), format!("{} earlier", TimeSpan::between(new, old))),
        (Some(old), Some(new)) if new > old => ("due".to_owned(), format!("{} later", TimeSpan::between(old, new))),
        (Some(_), Some(_)) => return None,
    };
    Some(text)
}

fn host_facts(version: &Version<'_>, name: &HostName) -> Option<HostFacts> {
    let host = version.hosts.get(name)?;
    let (plan, policy) = (version.plan, version.policy);
    let planned = plan.hosts.get(name);
    let choice = policy.strategy_for(host);
    let emergency = plan.report.decisions_of(name).iter().any(|decision| decision.emergency);
    let approvals = policy.approvals_for(host, emergency);
    Some(HostFacts {
        planned: match plan.report.blocked.get(name) {
            _ if planned.is_some() => "planned".to_owned(),
            Some(reasons) => {
                let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
                format!("blocked: {}", codes.join(", "))
            }
            None => "nothing to fix".to_owned(),
        },
        window: (window(version, host), policy.window_rules(host).into_iter().next()),
        strategy: (choice.kind.as_str().to_owned(), choice.rule),
        approval: (approval(&approvals), approvals.into_iter().next().map(|approval| approval.rule)),
        wave: planned.and_then(|host| {
            let wave = plan.rollout.waves.get(usize::try_from(host.wave).ok()?)?;
            Some(wave.name.to_string())
        }),
    })
}

fn window(version: &Version<'_>, host: &Host) -> String {
    match version.policy.windows_for(host, version.plan.as_of, version.horizon) {
        WindowSet::Always => "any time".to_owned(),
        WindowSet::None { .. } => "none".to_owned(),
        WindowSet::Set { name, intervals } => match intervals.first() {
            Some(first) => {
                let total = intervals.iter().fold(TimeSpan::ZERO, |sum, w| sum.plus(w.interval.length()));
                format!(
                    "{name}, first {}, {total} in {}",
                    first.interval.start.strftime("%a %Y-%m-%d %H:%MZ"),
                    version.horizon
                )
            }
            None => format!("{name}, never in {}", version.horizon),
        },
    }
}

fn approval(approvals: &[ApprovalPolicy]) -> String {
    let one = |approval: &ApprovalPolicy| {
        let from = approval.from.as_ref().map_or(String::new(), |from| format!(" of {from}"));
        let author = if approval.not_author { ", not the author" } else { "" };
        format!("{}{from}{author}, good for {}", approval.required, approval.valid_for)
    };
    if approvals.is_empty() { "none".to_owned() } else { approvals.iter().map(one).collect::<Vec<_>>().join("; ") }
}

struct Change<'a> {
    before: String,
    after: String,
    rules: [Option<&'a RuleRef>; 2],
    why: String,
}

type Key = (Aspect, String, String, Option<RuleRef>, Option<RuleRef>);

#[derive(Default)]
struct Groups(BTreeMap<Key, (String, Vec<Member>)>);

impl Groups {
    fn add(&mut self, aspect: Aspect, change: Change<'_>, member: Option<Member>) {
        let [before, after] = change.rules.map(Option::<&RuleRef>::cloned);
        let key = (aspect, change.before, change.after, before, after);
        let (_, members) = self.0.entry(key).or_insert_with(|| (change.why, Vec::new()));
        members.extend(member);
    }

    /// By aspect, then the largest first.
    fn finish(self) -> Vec<ChangeGroup> {
        let mut groups: Vec<ChangeGroup> = self
            .0
            .into_iter()
            .map(|((aspect, before, after, rule_before, rule_after), (why, findings))| {
                let hosts: BTreeSet<&HostName> = findings.iter().map(|member| &member.host).collect();
                let hosts = hosts.len() as u64;
                ChangeGroup { aspect, before, after, rule_before, rule_after, why, hosts, findings }
            })
            .collect();
        // Places say where a rule stands, not what changed: they decide last.
        let name = |rule: &Option<RuleRef>| rule.as_ref().map(|rule| rule.name.clone());
        groups.sort_by_cached_key(|g| {
            let rules = (name(&g.rule_before), name(&g.rule_after));
            (g.aspect, std::cmp::Reverse(g.findings.len()), g.before.clone(), g.after.clone(), rules)
        });
        groups
    }
}
