//! What policy says, beside what was expected.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::check::{Suite, Test};
use crate::diagnostic::Diagnostic;
use crate::model::{Decision, Host, Place, RuleRef, Score, TimeSpan};
use crate::policy::{Policy, WindowSet};

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// The key under `expect`.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What policy says, with the rule.
    pub got: String,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All is as expected.
    Passed,
    /// Something is not.
    Failed(Vec<Mismatch>),
}

/// A test that was run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tested {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// How it ended.
    pub outcome: Outcome,
}

/// Which rules of policies were asked for by tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// Every rule with its place, and whether a test saw it decide or match. Rules of two policies may share a name.
    #[serde(serialize_with = "as_list")]
    pub rules: BTreeMap<RuleRef, bool>,
}

fn as_list<S: serde::Serializer>(rules: &BTreeMap<RuleRef, bool>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        rule: &'a RuleRef,
        covered: bool,
    }
    serializer.collect_seq(rules.iter().map(|(rule, covered)| Line { rule, covered: *covered }))
}

impl Coverage {
    /// Adds what another suite saw.
    pub fn add(&mut self, other: Self) {
        for (rule, seen) in other.rules {
            *self.rules.entry(rule).or_default() |= seen;
        }
    }

    /// Rules that were seen, and all.
    pub fn counts(&self) -> (usize, usize) {
        (self.rules.values().filter(|seen| **seen).count(), self.rules.len())
    }
}

impl Suite {
    /// Lets the rules of a policy judge the findings at the time of a test.
    pub fn prepare(&self, index: usize, policy: &Policy) -> Result<(), Vec<Diagnostic>> {
        let now = self.tests.get(index).and_then(|test| test.now).unwrap_or(self.now);
        policy.prepare(self.findings(), now).map(drop)
    }

    /// Runs one test.
    pub fn run(&self, index: usize, policy: &Policy) -> Option<Tested> {
        let test = self.tests.get(index)?;
        let mismatches = self.mismatches(test, policy);
        let outcome = if mismatches.is_empty() { Outcome::Passed } else { Outcome::Failed(mismatches) };
        Some(Tested { name: test.name.clone(), place: test.at.place(), outcome })
    }

    /// Whether all tests pass.
    pub fn passes(&self, policy: &Policy) -> bool {
        let passes = |(index, test): (usize, &Test)| {
            self.prepare(index, policy).is_ok() && self.mismatches(test, policy).is_empty()
        };
        self.tests.iter().enumerate().all(passes)
    }

    /// The rules of the policies, and which of them decided or matched what the tests are about.
    pub fn coverage(&self, policy: &Policy) -> Coverage {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut note = |rule: &RuleRef| {
            seen.insert(rule.name.to_string());
        };
        for test in &self.tests {
            let Some(host) = self.hosts.get(&test.host) else { continue };
            let now = test.now.unwrap_or(self.now);
            let raw = &test.expect.raw;
            let decision = self.decide(test, policy, now);
            let emergency = decision.as_ref().is_some_and(|decision| decision.emergency);
            if let Some(decision) = decision {
                note(&decision.rule);
                note(&decision.assessment.rule);
                note(&policy.importance_of(host).1);
            }
            if raw.importance.is_some() {
                note(&policy.importance_of(host).1);
            }
            if raw.strategy.is_some() {
                note(&policy.strategy_for(host).rule);
            }
            if raw.approvals.is_some() {
                policy.approvals_for(host, emergency).iter().for_each(|approval| note(&approval.rule));
            }
            if raw.open.is_some() || raw.closed.is_some() {
                policy.window_rules(host).iter().chain(&policy.freeze_rules(host)).for_each(&mut note);
            }
            if raw.probes.is_some() {
                policy.probe_rules(host).iter().for_each(&mut note);
            }
        }
        let covered = |rule: RuleRef| {
            let was_seen = seen.contains(rule.name.as_str());
            (rule, was_seen)
        };
        Coverage { rules: policy.rules_written().into_iter().map(covered).collect() }
    }

    fn decide(&self, test: &Test, policy: &Policy, now: Timestamp) -> Option<Decision> {
        let (host, finding) = self.findings.get(test.finding.as_ref()?)?;
        Some(policy.decide(finding, self.hosts.get(host)?, now))
    }

    fn mismatches(&self, test: &Test, policy: &Policy) -> Vec<Mismatch> {
        let now = test.now.unwrap_or(self.now);
        let Some(host) = self.hosts.get(&test.host) else { return Vec::new() };
        let mut wrong = Vec::new();
        let decision = self.decide(test, policy, now);
        if let Some(decision) = &decision {
            of_finding(test, decision, &mut wrong);
        }
        let emergency = decision.is_some_and(|decision| decision.emergency);
        of_host(test, host, emergency, policy, &mut wrong);
        wrong
    }
}

fn compare(wrong: &mut Vec<Mismatch>, key: &'static str, expected: Option<String>, got: String, by: Option<&RuleRef>) {
    let Some(expected) = expected.filter(|expected| *expected != got) else { return };
    let got = match by {
        Some(RuleRef { name, place: Some(place) }) => format!("{got}, by {name} at {place}"),
        Some(RuleRef { name, place: None }) => format!("{got}, by {name}"),
        None => got,
    };
    wrong.push(Mismatch { key, expected, got });
}

fn of_finding(test: &Test, decision: &Decision, wrong: &mut Vec<Mismatch>) {
    let (raw, assessment) = (&test.expect.raw, &decision.assessment);
    let kind = raw.decision.map(|kind| kind.as_str().to_owned());
    compare(wrong, "decision", kind, decision.kind.as_str().to_owned(), Some(&decision.rule));
    let priority = raw.priority.map(|priority| priority.to_string());
    compare(wrong, "priority", priority, assessment.priority.to_string(), Some(&assessment.rule));
    let score = raw
        .score
        .as_ref()
        .map(|score| Score::try_from(score.value).map_or_else(|error| error.to_string(), |score| score.to_string()));
    compare(wrong, "score", score, assessment.score.map_or("none".to_owned(), |score| score.to_string()), None);
    // The rule of the decision or of the priority: a test may name either.
    if raw.rule.as_deref() != Some(assessment.rule.name.as_str()) {
        let (decides, ranks) = (&decision.rule.name, &assessment.rule.name);
        if raw.rule.as_deref() != Some(decides.as_str()) {
            compare(wrong, "rule", raw.rule.clone(), format!("{decides}, and of the priority {ranks}"), None);
        }
    }
    if let Some(part) = raw.reason.as_ref().filter(|part| !decision.reason.contains(part.as_str())) {
        let got = decision.reason.clone();
        wrong.push(Mismatch { key: "reason", expected: format!("... {part} ..."), got });
    }
    let shown = |due: Option<Timestamp>| due.map_or("never".to_owned(), |due| due.to_string());
    compare(wrong, "due", test.expect.due.map(shown), shown(decision.due), Some(&assessment.rule));
    let emergency = raw.emergency.map(|emergency| emergency.to_string());
    compare(wrong, "emergency", emergency, decision.emergency.to_string(), Some(&decision.rule));
}

fn of_host(test: &Test, host: &Host, emergency: bool, policy: &Policy, wrong: &mut Vec<Mismatch>) {
    let raw = &test.expect.raw;
    let (importance, rule) = policy.importance_of(host);
    let expected = raw.importance.map(|importance| importance.as_str().to_owned());
    compare(wrong, "importance", expected, importance.as_str().to_owned(), Some(&rule));
    let choice = policy.strategy_for(host);
    let expected = raw.strategy.map(|strategy| strategy.as_str().to_owned());
    compare(wrong, "strategy", expected, choice.kind.as_str().to_owned(), Some(&choice.rule));
    let approvals = policy.approvals_for(host, emergency);
    let people: u32 = approvals.iter().map(|approval| approval.required).sum();
    let expected = raw.approvals.map(|people| people.to_string());
    compare(wrong, "approvals", expected, people.to_string(), approvals.first().map(|approval| &approval.rule));
    for (key, times, wanted) in [("open", &test.expect.open, true), ("closed", &test.expect.closed, false)] {
        for time in times {
            let (open, why) = is_open(policy, host, *time, emergency);
            if open != wanted {
                let state = if open { "open" } else { "closed" };
                wrong.push(Mismatch { key, expected: format!("{key} at {time}"), got: format!("{state}: {why}") });
            }
        }
    }
    if let Some(expected) = &raw.probes {
        let probes = policy.probes_for(host);
        let names: BTreeSet<&str> = probes.iter().map(|probe| probe.name.as_str()).collect();
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        let shown = |names: BTreeSet<&str>| {
            if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
        };
        compare(wrong, "probes", Some(shown(expected)), shown(names), None);
    }
}

/// Whether disruptive steps on a host may start at a time, and by which windows.
fn is_open(policy: &Policy, host: &Host, time: Timestamp, emergency: bool) -> (bool, String) {
    let windows = if emergency && policy.emergency_bypasses_freezes() {
        policy.windows_bypassing_freezes(host, time, TimeSpan::seconds(1))
    } else {
        policy.windows_for(host, time, TimeSpan::seconds(1))
    };
    match windows {
        WindowSet::Always => (true, "no window is written, and no freeze lies ahead".to_owned()),
        WindowSet::None { why } => (false, why),
        WindowSet::Set { name, intervals } => {
            (intervals.iter().any(|window| window.interval.contains(time)), name.to_string())
        }
    }
}
