//! Which approvals of a plan count, which do not and why, and what is still missing.
//!
//! Who may approve is whom the plan has **and** whom the file names now: a person who was added later needs a new plan,
//! a person who was taken out stops counting at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::engine::{Approval, Approvals, Gives};
use crate::model::{Digest, HostName, Interval, Principal, RuleName, TimeSpan};
use crate::plan::{Plan, PlanApproval, Reason, SubPlan};
use crate::store::SignedText;
use crate::transport::PrivateDir;

use super::statement::intervals;
use super::{APPROVAL_NAMESPACE, Found, Signature, SignatureError, Statement, StatementKind, verify, verify_unnamed};

/// A clock may be ahead by this much.
const SKEW: TimeSpan = TimeSpan::minutes(5);

/// Why approvals cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// Nobody knows who may approve now.
    #[error("file of approvers {file} cannot be read: {why}")]
    Approvers {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// Signatures cannot be checked.
    #[error("signature of {name} cannot be checked: {error}")]
    Signature {
        /// The statement.
        name: String,
        /// Why.
        error: SignatureError,
    },
    /// No private folder.
    #[error("files cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// What the signatures that were found come to.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What counts, for the engine.
    pub accepted: Vec<Approval>,
    /// The same as it was signed, and what was revoked.
    pub signed: Vec<SignedText>,
    /// What does not count, and why.
    pub void: Vec<Void>,
    /// How each rule stands, in the order of the plan.
    pub rules: Vec<RuleState>,
}

/// Something that does not count.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Void {
    /// The file.
    pub file: String,
    /// Who is said to have signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Principal>,
    /// The hosts for which it does not; none: all of it.
    pub hosts: Vec<HostName>,
    /// Why.
    pub reason: Reason,
}

/// How a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct RuleState {
    /// The rule.
    pub rule: RuleName,
    /// How many people must approve.
    pub required: u32,
    /// Where they are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many hosts it is for.
    pub hosts: usize,
    /// Who has approved, for how many of them, until when.
    pub people: Vec<Person>,
    /// Hosts that are not approved by enough people.
    pub unapproved: Vec<HostName>,
    /// Hosts without a backup, of which nobody has signed that this is accepted.
    pub unacknowledged: Vec<HostName>,
    /// Until when all of it is good; none if something is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_until: Option<Timestamp>,
    /// Hosts whose approvals will have expired when their first window opens.
    pub too_short: Vec<HostName>,
}

impl RuleState {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.unapproved.is_empty() && self.unacknowledged.is_empty()
    }
}

/// A person who has approved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Person {
    /// Who.
    pub by: Principal,
    /// With which key.
    pub key: String,
    /// How many of the rule's hosts.
    pub hosts: usize,
    /// Until when.
    pub until: Timestamp,
}

/// Files of approvers, as the plan has them and as they are.
struct Signers {
    rules: BTreeSet<u32>,
    frozen: PathBuf,
    current: PathBuf,
}

impl Judged {
    /// Judges what was found. `current` tells where a file of approvers is now.
    pub fn of(
        plan: &Plan,
        found: &[Found],
        current: &dyn Fn(&str) -> PathBuf,
        now: Timestamp,
    ) -> Result<Self, JudgeError> {
        let dir = PrivateDir::create()?;
        let mut signers: BTreeMap<&str, Signers> = BTreeMap::new();
        for (number, rule) in (0..).zip(&plan.approvals) {
            let Some((file, text)) = rule.signers.as_ref().and_then(|file| plan.signers.get_key_value(file)) else {
                continue;
            };
            if !signers.contains_key(file.as_str()) {
                let (frozen, current) = (dir.path().join(format!("signers-{number}")), current(file));
                std::fs::write(&frozen, text)?;
                std::fs::File::open(&current).map_err(|error| JudgeError::Approvers {
                    file: current.display().to_string(),
                    why: error.to_string(),
                })?;
                signers.insert(file, Signers { rules: BTreeSet::new(), frozen, current });
            }
            signers.entry(file).and_modify(|signers| signers.rules.extend([number]));
        }
        let mut judge = Judge { plan, signers, now, revoked: BTreeMap::new(), judged: Self::default() };
        let mut seen = BTreeSet::new();
        let mut approvals = Vec::new();
        for found in found.iter().filter(|found| seen.insert((&found.text, &found.signature))) {
            if let Some(statement) = judge.statement(found)? {
                approvals.push((found, statement));
            }
        }
        for (found, statement) in approvals {
            judge.approval(found, statement);
        }
        let mut judged = judge.judged;
        judged.rules = states(plan, &judged.accepted, now);
        Ok(judged)
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.rules.iter().all(RuleState::is_complete)
    }
}

/// A statement whose signature is good.
struct Signed {
    statement: Statement,
    key: String,
    rules: BTreeSet<u32>,
}

struct Judge<'a> {
    plan: &'a Plan,
    signers: BTreeMap<&'a str, Signers>,
    now: Timestamp,
    /// When somebody last revoked what they had signed of a host.
    revoked: BTreeMap<(Principal, HostName), Timestamp>,
    judged: Judged,
}

impl Judge<'_> {
    fn void(&mut self, found: &Found, by: Option<&Principal>, hosts: Vec<HostName>, code: &str, why: String) {
        let reason = Reason::new(code, why);
        self.judged.void.push(Void { file: found.name.clone(), by: by.cloned(), hosts, reason });
    }

    /// Checks form, signature and signer. A revocation is taken in at once; an approval is given back.
    fn statement(&mut self, found: &Found) -> Result<Option<Signed>, JudgeError> {
        let statement = match Statement::parse(&found.text) {
            Ok(statement) => statement,
            Err(error) => {
                self.void(found, None, Vec::new(), "invalid-statement", error.to_string());
                return Ok(None);
            }
        };
        let by = &statement.principal;
        let Some(text) = &found.signature else {
            self.void(found, Some(by), Vec::new(), "unsigned", format!("there is no {}.sig", found.name));
            return Ok(None);
        };
        let checked = Signature::parse(text).and_then(|signature| {
            Ok((verify_unnamed(APPROVAL_NAMESPACE, found.text.as_bytes(), &signature)?, signature))
        });
        let (key, signature) = match checked {
            Ok(checked) => checked,
            Err(error @ (SignatureError::Form | SignatureError::Refused(_))) => {
                self.void(found, Some(by), Vec::new(), "bad-signature", error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(JudgeError::Signature { name: found.name.clone(), error }),
        };
        let mut rules = BTreeSet::new();
        let (mut was, mut is) = (false, false);
        for signers in self.signers.values() {
            let allowed =
                |file, at| match verify(file, by.as_str(), APPROVAL_NAMESPACE, found.text.as_bytes(), &signature, at) {
                    Ok(_) => Ok(true),
                    Err(SignatureError::Form | SignatureError::Refused(_)) => Ok(false),
                    Err(error) => Err(JudgeError::Signature { name: found.name.clone(), error }),
                };
            // As of when it was signed the plan's, as of now today's.
            let (then, now) = (allowed(&signers.frozen, statement.signed_at)?, allowed(&signers.current, self.now)?);
            was |= then;
            is |= now;
            if then && now {
                rules.extend(&signers.rules);
            }
        }
        if statement.signed_at > SKEW.after(self.now) {
            let why = format!("it says that it was signed at {}, which is to come", statement.signed_at);
            self.void(found, Some(by), Vec::new(), "signed-in-future", why);
            return Ok(None);
        }
        if statement.kind == StatementKind::Revoke {
            return Ok(self.revocation(found, &statement, was || is, &signature));
        }
        if rules.is_empty() {
            let (code, why) = match (was, is) {
                (true, _) => {
                    ("no-approver-any-more", "the plan names this key, the file of approvers does not any more")
                }
                (_, true) => {
                    ("approver-added-later", "the file of approvers names this key, the plan does not: make it again")
                }
                _ => ("not-an-approver", "no file of approvers gives this name to the key"),
            };
            self.void(found, Some(by), Vec::new(), code, why.to_owned());
            return Ok(None);
        }
        Ok(Some(Signed { statement, key, rules }))
    }

    /// Whoever may or might approve can take back what they signed, at any time.
    fn revocation(
        &mut self,
        found: &Found,
        statement: &Statement,
        is_known: bool,
        signature: &Signature,
    ) -> Option<Signed> {
        let by = &statement.principal;
        if !is_known {
            let why = "no file of approvers gives this name to the key".to_owned();
            self.void(found, Some(by), Vec::new(), "not-an-approver", why);
            return None;
        }
        for host in statement.hosts.keys() {
            let last = self.revoked.entry((by.clone(), host.clone())).or_insert(statement.signed_at);
            *last = statement.signed_at.max(*last);
        }
        self.judged.signed.push(SignedText { text: found.text.clone(), signature: signature.as_str().to_owned() });
        None
    }

    /// Finds out for which rules and hosts an approval counts.
    fn approval(&mut self, found: &Found, signed: Signed) {
        let Signed { statement, key, mut rules } = signed;
        let by = &statement.principal;
        let theirs = |number: &u32| usize::try_from(*number).ok().and_then(|number| self.plan.approvals.get(number));
        let authors: BTreeSet<u32> = rules
            .iter()
            .copied()
            .filter(|number| theirs(number).is_some_and(|rule| self.is_author(rule, by)))
            .collect();
        let valid = rules.iter().filter_map(theirs).map(|rule| rule.valid_for).max().unwrap_or(TimeSpan::ZERO);
        let until = statement.valid_until.min(valid.after(statement.signed_at));
        rules.retain(|number| !authors.contains(number));
        if rules.is_empty() {
            let author = self.plan.author.as_deref().unwrap_or("nobody knows who");
            let why = format!("{author} made the plan, and its author does not count");
            return self.void(found, Some(by), Vec::new(), "author", why);
        }
        if let (Some(ticket), Some(other)) = (&self.plan.ticket, &statement.ticket)
            && ticket != other
        {
            let why = format!("it is for ticket {other}, and the plan for {ticket}");
            return self.void(found, Some(by), Vec::new(), "other-ticket", why);
        }
        if statement.kind == StatementKind::WithoutBackup && statement.hosts.len() != 1 {
            let why = "each host without a backup needs a signature of its own".to_owned();
            return self.void(found, Some(by), Vec::new(), "not-one-host", why);
        }
        if until <= self.now {
            return self.void(found, Some(by), Vec::new(), "expired", format!("it was good until {until}"));
        }
        let mut hosts = BTreeSet::new();
        let mut other: BTreeMap<(&str, String), Vec<HostName>> = BTreeMap::new();
        for (name, stated) in &statement.hosts {
            let changed = SubPlanState::of(self.plan, &statement, name, stated, self.now);
            let revoked = self.revoked.get(&(by.clone(), name.clone())).filter(|at| **at >= statement.signed_at);
            match (changed, revoked) {
                (_, Some(at)) => {
                    other.entry(("revoked", format!("{by} revoked it at {at}"))).or_default().push(name.clone())
                }
                (SubPlanState::Same, None) => drop(hosts.insert(name.clone())),
                (SubPlanState::Gone, None) => {
                    let why = "they are not in this plan".to_owned();
                    other.entry(("not-planned", why)).or_default().push(name.clone());
                }
                (SubPlanState::Changed(parts), None) => {
                    let why = format!("what is planned has changed: {}", parts.join(", "));
                    other.entry(("plan-changed", why)).or_default().push(name.clone());
                }
                (SubPlanState::OtherTimes(start), None) => {
                    let why = format!("a window that opens at {start} was not approved");
                    other.entry(("windows-changed", why)).or_default().push(name.clone());
                }
            }
        }
        for ((code, why), hosts) in other {
            self.void(found, Some(by), hosts, code, why);
        }
        if hosts.is_empty() {
            return;
        }
        let gives = match statement.kind {
            StatementKind::WithoutBackup => Gives::WithoutBackup,
            StatementKind::Approve | StatementKind::Revoke => Gives::Approval,
        };
        self.judged.accepted.push(Approval {
            by: by.clone(),
            key,
            statement: Digest::of(found.text.as_bytes()),
            gives,
            rules,
            hosts,
            signed_at: statement.signed_at,
            until: statement.valid_until,
            ticket: statement.ticket.clone(),
        });
        let signature = found.signature.clone().unwrap_or_default();
        self.judged.signed.push(SignedText { text: found.text.clone(), signature });
    }

    /// Whether somebody is the author of the plan, as far as names tell. A plan that names no author has everybody's.
    fn is_author(&self, rule: &PlanApproval, by: &Principal) -> bool {
        rule.not_author && self.plan.author.as_deref().is_none_or(|author| same_person(author, by.as_str()))
    }
}

/// Whether two names are of one person: the same, or the same before an `@`.
pub fn same_person(one: &str, other: &str) -> bool {
    let local = |name: &str| name.split('@').next().unwrap_or(name).to_lowercase();
    local(one) == local(other)
}

/// What became of a host's part of the plan since somebody signed.
enum SubPlanState {
    Same,
    Gone,
    Changed(Vec<String>),
    OtherTimes(Timestamp),
}

impl SubPlanState {
    fn of(plan: &Plan, statement: &Statement, name: &HostName, stated: &super::StatedHost, now: Timestamp) -> Self {
        let Some(host) = plan.hosts.get(name) else { return Self::Gone };
        let planned = SubPlan::of(plan, host);
        if planned.digest != stated.sub_plan.digest {
            return Self::Changed(planned.differs_in(&stated.sub_plan));
        }
        let Some(windows) = &host.windows else { return Self::Same };
        let approved = stated.windows.as_ref().and_then(|name| statement.windows.get(name));
        let approved = crate::model::union(approved.cloned().unwrap_or_default());
        let within = |next: &Interval| approved.iter().any(|old| old.start <= next.start && next.end <= old.end);
        // What opens only when the approval has expired needs another one in any case.
        let counts = |next: &&Interval| next.end > now && next.start < statement.valid_until;
        match intervals(plan, windows).iter().filter(counts).find(|next| !within(next)) {
            Some(next) => Self::OtherTimes(next.start),
            None => Self::Same,
        }
    }
}

/// How each rule stands with these approvals.
fn states(plan: &Plan, accepted: &[Approval], now: Timestamp) -> Vec<RuleState> {
    let mut approvals = Approvals::default();
    accepted.iter().cloned().for_each(|approval| approvals.accept(approval));
    (0..).zip(&plan.approvals).map(|(number, rule)| state(plan, &approvals, accepted, number, rule, now)).collect()
}

fn state(
    plan: &Plan,
    approvals: &Approvals,
    accepted: &[Approval],
    number: u32,
    rule: &PlanApproval,
    now: Timestamp,
) -> RuleState {
    let mut state = RuleState {
        rule: rule.rule.name.clone(),
        required: rule.required,
        from: rule.from.clone(),
        hosts: rule.hosts.len(),
        people: Vec::new(),
        unapproved: Vec::new(),
        unacknowledged: Vec::new(),
        good_until: None,
        too_short: Vec::new(),
    };
    for approval in accepted.iter().filter(|a| a.gives == Gives::Approval && a.rules.contains(&number)) {
        let hosts = rule.hosts.iter().filter(|host| approval.hosts.contains(*host)).count();
        let until = approval.until.min(rule.valid_for.after(approval.signed_at));
        if hosts > 0 && until > now {
            state.people.push(Person { by: approval.by.clone(), key: approval.key.clone(), hosts, until });
        }
    }
    let mut good_until: Option<Timestamp> = None;
    for host in rule.hosts.iter().filter_map(|name| plan.hosts.get(name)) {
        let name = || host.host.name.clone();
        let still = |until: &Timestamp| *until > now;
        let good = approvals.good_until(number, rule, host).filter(still);
        if approvals.approved_until(number, rule, &host.host.name).filter(still).is_none() {
            state.unapproved.push(name());
        } else if good.is_none() {
            state.unacknowledged.push(name());
        }
        if let Some(until) = good {
            good_until = Some(good_until.map_or(until, |first| first.min(until)));
            let first = host.windows.as_ref().and_then(|set| intervals(plan, set).into_iter().find(|w| w.end > now));
            if first.is_some_and(|window| window.start >= until) {
                state.too_short.push(name());
            }
        }
    }
    state.good_until = good_until.filter(|_| state.is_complete());
    state
}
