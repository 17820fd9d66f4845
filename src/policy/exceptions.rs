//! Exceptions: who accepts which findings, why and until when; one without a valid date accepts nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Policy;
use super::check::{Check, rule};
use super::raw::ExceptionRaw;
use super::selector::{Context, Facts, Selector};
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::model::{
    DecisionKind, Finding, Host, JUSTIFICATIONS, Place, RuleName, RuleRef, TimeSpan, VulnerabilityId, printable,
};
use crate::yaml::{nearest, span};

/// An exception is warned of this long before it ends.
const SOON: TimeSpan = TimeSpan::days(14);

/// What an exception does; the first in order wins where two match.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// Accepted until an expiry date: not reported, not planned, and left out of scans.
    Whitelist,
    /// Left for now; the next scan reports it again.
    Ignore,
}

impl ExceptionKind {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::Ignore => "ignore",
        }
    }

    pub(super) const fn decision(self) -> DecisionKind {
        match self {
            Self::Whitelist => DecisionKind::Whitelist,
            Self::Ignore => DecisionKind::Ignore,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub name: RuleName,
    pub kind: ExceptionKind,
    pub selector: Selector,
    /// Why, as written.
    pub why: String,
    pub owner: String,
    pub justification: Option<String>,
    pub ticket: Option<String>,
    /// None where the date could not be read.
    pub expires: Option<Timestamp>,
    /// The date as written.
    pub written: String,
    pub rule: RuleRef,
    pub at: Span,
}

impl Exception {
    /// The reason of a decision.
    pub fn reason(&self) -> String {
        let mut reason = format!("{} ({}", self.why, self.owner);
        for more in [&self.justification, &self.ticket].into_iter().flatten() {
            reason.push_str(", ");
            reason.push_str(more);
        }
        reason.push(')');
        reason
    }

    pub fn is_active(&self, as_of: Timestamp) -> bool {
        self.expires.is_some_and(|expires| as_of < expires)
    }
}

/// Checks one exception. One whose date cannot be read is kept, to be told of where it would have applied.
pub(super) fn check(check: &mut Check<'_>, source: &Arc<Source>, raw: ExceptionRaw) {
    let name = check.name("exceptions", source, &raw.name);
    let selector = check.selector(source, Context::Finding, &raw.matches);
    check.reason(source, &raw.reason);
    if raw.owner.value.trim().is_empty() {
        check.error("missing-owner", source, &raw.owner, "an exception belongs to somebody");
    }
    if let Some(given) = raw.justification.as_ref().filter(|given| !JUSTIFICATIONS.contains(&given.value.as_str())) {
        let message = format!("`{}` is not a justification of VEX", printable(&given.value, 60));
        let help = match nearest(&given.value, JUSTIFICATIONS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", JUSTIFICATIONS.map(|known| format!("`{known}`")).join(", ")),
        };
        check.push(Diagnostic::warning("unknown-justification", message).at(span(source, given)).help(help));
    }
    let expires = expiry(&raw.expires.value);
    if expires.is_none() {
        let shown = printable(&raw.expires.value, 60);
        check.push(
            Diagnostic::warning("malformed-expiry", format!("`{shown}` is not a date: this exception does not apply"))
                .at(span(source, &raw.expires))
                .help("write a day such as 2027-03-01 (it ends as that day begins, UTC), or 2027-03-01T12:00:00Z"),
        );
    }
    let Some((name, at)) = name else { return };
    let rule = rule(&format!("exceptions/{name}"), Some(&at));
    let short = |text: &str, chars| printable(text, chars);
    check.policy.exceptions.all.push(Exception {
        name,
        kind: raw.kind,
        selector,
        why: short(&raw.reason.value, 300),
        owner: short(&raw.owner.value, 80),
        justification: raw.justification.map(|text| short(&text.value, 120)),
        ticket: raw.ticket.map(|text| short(&text, 120)),
        expires,
        written: short(&raw.expires.value, 40),
        rule,
        at,
    });
}

/// When an exception ends: as a day begins in UTC, or at an instant.
pub fn expiry(text: &str) -> Option<Timestamp> {
    match text.len() {
        10 => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        _ => text.parse().ok(),
    }
}

/// A time as the day it begins, or in full.
pub(super) fn shown(time: Timestamp) -> String {
    let text = time.to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}

/// All exceptions, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Exceptions {
    pub all: Vec<Exception>,
    /// Those that name their vulnerabilities one by one: imported lists have thousands of them.
    by_id: BTreeMap<VulnerabilityId, Vec<usize>>,
    /// All others.
    others: Vec<usize>,
    /// When the first of them ends; long ago where a date cannot be read.
    first_end: Option<Timestamp>,
}

impl Exceptions {
    /// The order of files must not matter: where the first match wins, names decide.
    pub fn sort(&mut self) {
        self.all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        self.first_end = self.all.iter().map(|exception| exception.expires.unwrap_or(Timestamp::MIN)).min();
        self.by_id.clear();
        self.others.clear();
        for (index, exception) in self.all.iter().enumerate() {
            match exception.selector.exact_vulnerabilities() {
                // What is no id matches no finding.
                Some(ids) => {
                    for id in ids.into_iter().filter_map(|id| VulnerabilityId::new(id).ok()) {
                        self.by_id.entry(id).or_default().push(index);
                    }
                }
                None => self.others.push(index),
            }
        }
    }

    /// Whether every one of them applies.
    fn all_are_active(&self, as_of: Timestamp) -> bool {
        self.first_end.is_none_or(|end| as_of < end)
    }

    /// Those that may speak of a finding, in order.
    fn candidates(&self, finding: &Finding) -> Vec<usize> {
        let ids = std::iter::once(&finding.vulnerability).chain(&finding.aliases);
        let mut found: Vec<usize> = ids.filter_map(|id| self.by_id.get(id)).flatten().copied().collect();
        found.extend(&self.others);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn matching<'a>(
        &'a self,
        finding: &'a Finding,
        host: &'a Host,
        facts: Facts,
    ) -> impl Iterator<Item = &'a Exception> + 'a {
        let candidates = self.candidates(finding).into_iter().map(|index| &self.all[index]);
        candidates.filter(move |exception| exception.selector.matches(finding, host, facts))
    }

    /// The exception that applies, and when it ends.
    pub fn find(&self, finding: &Finding, host: &Host, facts: Facts) -> Option<(&Exception, Timestamp)> {
        if self.all.is_empty() {
            return None;
        }
        self.candidates(finding)
            .into_iter()
            .map(|index| &self.all[index])
            .filter(|exception| exception.is_active(facts.as_of))
            .find(|exception| exception.selector.matches(finding, host, facts))
            .and_then(|exception| Some((exception, exception.expires?)))
    }

    /// What is to be said of exceptions that would apply if they had not ended; the end of a sentence.
    pub fn lapsed(&self, finding: &Finding, host: &Host, facts: Facts) -> Option<String> {
        const SHOWN: usize = 3;
        if self.all_are_active(facts.as_of) {
            return None;
        }
        let lapsed: Vec<&Exception> =
            self.matching(finding, host, facts).filter(|exception| !exception.is_active(facts.as_of)).collect();
        let mut text = String::new();
        for exception in lapsed.iter().take(SHOWN) {
            let what = match exception.expires {
                Some(expires) => format!("ended {} and no longer applies", shown(expires)),
                None => "has no valid expiry date and does not apply".to_owned(),
            };
            text.push_str(&format!("; exception {} of {} {what}", exception.name, exception.owner));
        }
        if lapsed.len() > SHOWN {
            text.push_str(&format!("; {} more exceptions no longer apply", lapsed.len() - SHOWN));
        }
        (!text.is_empty()).then_some(text)
    }
}

/// Whether an exception applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionState {
    /// It applies.
    Active,
    /// It ended.
    Expired,
    /// Its date cannot be read.
    Malformed,
}

impl ExceptionState {
    /// The name as written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
        }
    }
}

/// An exception, for people.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ExceptionView {
    /// Its name.
    pub name: RuleName,
    /// What it does.
    pub kind: ExceptionKind,
    /// Whether it applies.
    pub state: ExceptionState,
    /// Whole days until it ends, negative since it ended; none where its date cannot be read.
    pub days_left: Option<i64>,
    /// Its date as written.
    pub expires: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Why, by one of the justifications of VEX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// Where more is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Where it is written.
    pub source: Place,
}

impl Policy {
    /// Every exception, those that end first in front; those without a valid date come first of all.
    pub fn exceptions(&self, as_of: Timestamp) -> Vec<ExceptionView> {
        const DAY: i64 = 86_400;
        let mut all: Vec<&Exception> = self.exceptions.all.iter().collect();
        all.sort_by_key(|exception| exception.expires);
        all.into_iter()
            .map(|exception| ExceptionView {
                name: exception.name.clone(),
                kind: exception.kind,
                state: match exception.expires {
                    None => ExceptionState::Malformed,
                    Some(expires) if as_of < expires => ExceptionState::Active,
                    Some(_) => ExceptionState::Expired,
                },
                days_left: exception.expires.map(|expires| (expires.as_second() - as_of.as_second()).div_euclid(DAY)),
                expires: exception.written.clone(),
                owner: exception.owner.clone(),
                reason: exception.why.clone(),
                justification: exception.justification.clone(),
                ticket: exception.ticket.clone(),
                source: exception.at.place(),
            })
            .collect()
    }

    /// What the reason of a decision ends with where exceptions would apply if they had not ended.
    pub fn lapsed_exceptions(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Option<String> {
        if self.exceptions.all_are_active(as_of) {
            return None;
        }
        self.exceptions.lapsed(finding, host, self.facts(finding, host, as_of))
    }

    fn facts(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Facts {
        let assessment = self.assess(finding, host, as_of);
        Facts { importance: assessment.importance, priority: assessment.priority, as_of }
    }

    /// A warning for every exception that has ended.
    pub fn expired_exceptions(&self, as_of: Timestamp) -> Vec<Diagnostic> {
        let ended = |exception: &&Exception| exception.expires.is_some_and(|expires| expires <= as_of);
        self.exceptions
            .all
            .iter()
            .filter(ended)
            .map(|exception| {
                let expires = exception.expires.map(|time| time.to_string()).unwrap_or_default();
                Diagnostic::warning(
                    "expired-exception",
                    format!("exception `{}` ended at {expires}: it no longer applies", exception.name),
                )
                .at(exception.at.clone())
                .help("take it out, or give it another date for a good reason")
            })
            .collect()
    }

    /// A warning for every exception that ends within two weeks.
    pub fn expiring_exceptions(&self, as_of: Timestamp) -> Vec<Diagnostic> {
        let soon = SOON.after(as_of);
        let ends_soon = |exception: &&Exception| {
            exception.is_active(as_of) && exception.expires.is_some_and(|expires| expires <= soon)
        };
        self.exceptions
            .all
            .iter()
            .filter(ends_soon)
            .map(|exception| {
                let expires = exception.expires.map(shown).unwrap_or_default();
                let message =
                    format!("exception `{}` of {} ends {expires}, within 14 days", exception.name, exception.owner);
                Diagnostic::warning("exception-expires-soon", message)
                    .at(exception.at.clone())
                    .help("fix what it covers, or agree on another date while there is time")
            })
            .collect()
    }

    /// How many of these findings each exception matches, whether it has ended or not and whichever comes first.
    pub fn exception_matches<'a>(
        &self,
        findings: impl IntoIterator<Item = (&'a Host, &'a Finding)>,
        as_of: Timestamp,
    ) -> BTreeMap<RuleName, u64> {
        let mut counts: BTreeMap<RuleName, u64> =
            self.exceptions.all.iter().map(|exception| (exception.name.clone(), 0)).collect();
        if counts.is_empty() {
            return counts;
        }
        for (host, finding) in findings {
            let facts = self.facts(finding, host, as_of);
            for exception in self.exceptions.matching(finding, host, facts) {
                *counts.entry(exception.name.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// A warning for every exception that matches none of these findings.
    pub fn unmatched_exceptions<'a>(
        &self,
        findings: impl IntoIterator<Item = (&'a Host, &'a Finding)>,
        as_of: Timestamp,
    ) -> Vec<Diagnostic> {
        let counts = self.exception_matches(findings, as_of);
        // One that has ended is told as such.
        let unmatched = self.exceptions.all.iter().filter(|exception| {
            exception.expires.is_some_and(|end| as_of < end) && counts.get(&exception.name) == Some(&0)
        });
        unmatched
            .map(|exception| {
                let message = format!("exception `{}` matches none of the findings", exception.name);
                Diagnostic::warning("unmatched-exception", message)
                    .at(exception.at.clone())
                    .help("take it out, if what it accepted is fixed")
            })
            .collect()
    }

    /// How many VEX documents and statements there are, and how many of the statements decide one of these findings.
    pub fn vex_matches<'a>(
        &self,
        findings: impl IntoIterator<Item = (&'a Host, &'a Finding)>,
    ) -> (usize, usize, usize) {
        let (documents, statements) = self.vex.counts();
        let judged = findings.into_iter().filter_map(|(host, finding)| self.vex.judge(finding, host));
        let used: std::collections::BTreeSet<usize> = judged.map(|verdict| verdict.statement).collect();
        (documents, statements, used.len())
    }
}
