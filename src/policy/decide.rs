//! A checked policy, and what it says of findings and hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Bundle;
use super::calendar::Calendar;
use super::check::{DEFAULT_IMPORTANCE, check, rule};
use super::score::Scoring;
use super::selector::{Facts, Selector, Truth, fix_available};
use super::windows::{self, Times};
use super::{Amount, BackupPolicy, ProbePolicy, RebootPolicy, RolloutPolicy, StrategyChoice, WindowSet};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::model::{
    Assessment, Decision, DecisionKind, Digest, Finding, FixState, Host, Importance, Interval, Place, PlanWindow,
    Priority, RuleName, RuleRef, Strategy, TimeSpan, printable, subtract, union,
};

/// A checked policy.
///
/// What a bundle does not say has these values: weights, thresholds and points as in `Scoring`; findings without
/// score and severity are `high`; critical and high findings are fixed; hosts are of `general` importance; no window
/// and no freeze, so at any time; in place; a backup is required, at most an hour old, and kept for seven days; one
/// canary soaks for 30 minutes, then waves of 10 %, 50 % and all; one host a `service` at once; two failed hosts
/// pause; ten hosts at once; reboots when required; five minutes of watching; nothing may be removed.
#[derive(Debug)]
pub struct Policy {
    /// Section `backup`.
    pub backup: BackupPolicy,
    /// Section `rollout`.
    pub rollout: RolloutPolicy,
    /// Section `reboot`.
    pub reboot: RebootPolicy,
    /// `verify.soak`: how long a fixed host is watched.
    pub verify_soak: TimeSpan,
    /// `playbooks.allow_removals`: whether a fix may remove packages.
    pub allow_removals: bool,
    pub(super) digest: Digest,
    pub(super) scoring: Scoring,
    pub(super) thresholds_at: Option<Place>,
    pub(super) unscored: (Priority, RuleRef),
    pub(super) overrides: Vec<Override>,
    pub(super) deadlines: BTreeMap<Priority, TimeSpan>,
    pub(super) importance: (Importance, RuleRef),
    pub(super) importance_rules: Vec<ImportanceRule>,
    pub(super) scope: (BTreeSet<Priority>, RuleRef),
    pub(super) exceptions: Vec<Exception>,
    pub(super) windows: Vec<Window>,
    pub(super) freezes: Vec<Freeze>,
    pub(super) strategy: RuleRef,
    pub(super) strategy_auto: bool,
    pub(super) strategy_rules: Vec<StrategyRule>,
    pub(super) probes: Vec<ProbeRule>,
    /// Intervals by the windows and freezes that match: thousands of hosts share a few.
    sets: Mutex<BTreeMap<SetKey, WindowSet>>,
}

/// Indices of windows and freezes, and the range.
type SetKey = (Vec<usize>, Vec<usize>, Timestamp, TimeSpan);

#[derive(Clone, Debug)]
pub(super) struct Override {
    pub selector: Selector,
    pub priority: Priority,
    pub rule: RuleRef,
    pub at: Span,
}

#[derive(Clone, Debug)]
pub(super) struct ImportanceRule {
    pub selector: Selector,
    pub importance: Importance,
    pub rule: RuleRef,
    pub at: Span,
}

/// What an exception does; the first in order wins where two match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExceptionKind {
    Whitelist,
    Ignore,
}

#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub name: RuleName,
    pub kind: ExceptionKind,
    pub selector: Selector,
    pub reason: String,
    pub expires: Timestamp,
    pub rule: RuleRef,
    pub at: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Window {
    pub name: RuleName,
    pub selector: Selector,
    pub times: Times,
    /// Whether it can never open, which was reported where it is written.
    pub never: bool,
    pub at: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Freeze {
    pub name: RuleName,
    pub selector: Selector,
    pub span: FreezeSpan,
    pub reason: String,
    pub at: Span,
}

/// When a freeze holds.
#[derive(Clone, Debug)]
pub(super) enum FreezeSpan {
    Once(Interval),
    Calendar(Calendar),
}

impl FreezeSpan {
    /// The intervals that overlap `range`.
    pub fn intervals(&self, range: Interval) -> Vec<Interval> {
        match self {
            Self::Once(interval) => vec![*interval],
            Self::Calendar(calendar) => {
                calendar.openings(range).into_iter().filter_map(|opening| opening.open).collect()
            }
        }
    }

    /// Whether nothing of it lies behind an instant.
    pub fn is_over(&self, at: Timestamp) -> bool {
        matches!(self, Self::Once(interval) if interval.end <= at)
    }
}

#[derive(Clone, Debug)]
pub(super) struct StrategyRule {
    pub selector: Selector,
    pub auto: bool,
    pub rule: RuleRef,
    pub at: Span,
}

#[derive(Clone, Debug)]
pub(super) struct ProbeRule {
    pub selector: Selector,
    pub probe: ProbePolicy,
    pub at: Span,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Digest::of(b""))
    }
}

impl Policy {
    /// A policy that says nothing.
    pub(super) fn new(digest: Digest) -> Self {
        let default = rule("default", None);
        Self {
            backup: BackupPolicy { required: true, max_age: TimeSpan::hours(1), keep: TimeSpan::days(7) },
            rollout: RolloutPolicy {
                canary: Some((1, TimeSpan::minutes(30))),
                waves: vec![Amount::Percent(10), Amount::Percent(50), Amount::Percent(100)],
                max_unavailable: Some(("service".to_owned(), Amount::Hosts(1))),
                single_host: false,
                failure_hosts: Some(2),
                failure_percent: None,
                concurrency: 10,
            },
            reboot: RebootPolicy::WhenRequired,
            verify_soak: TimeSpan::minutes(5),
            allow_removals: false,
            digest,
            scoring: Scoring::default(),
            thresholds_at: None,
            unscored: (Priority::High, default.clone()),
            overrides: Vec::new(),
            deadlines: BTreeMap::new(),
            importance: (DEFAULT_IMPORTANCE, default.clone()),
            importance_rules: Vec::new(),
            scope: (BTreeSet::from([Priority::Critical, Priority::High]), default.clone()),
            exceptions: Vec::new(),
            windows: Vec::new(),
            freezes: Vec::new(),
            strategy: default,
            strategy_auto: false,
            strategy_rules: Vec::new(),
            probes: Vec::new(),
            sets: Mutex::default(),
        }
    }

    /// Reads and checks the files of a bundle. Every problem of every file becomes a diagnostic;
    /// none is returned if one of them was an error.
    pub fn load(bundle: impl Into<Bundle>, diagnostics: &mut Diagnostics) -> Option<Self> {
        check(&bundle.into(), diagnostics)
    }

    /// The digest of the texts of all files; their names and order do not matter.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The importance of a host, and what says so: the inventory, else the first rule that matches, else the default.
    pub fn importance_of(&self, host: &Host) -> (Importance, RuleRef) {
        match (host.importance, self.importance_by_rule(host)) {
            (Some(importance), _) => (importance, rule("inventory", None)),
            (None, (importance, rule)) => (importance, rule.clone()),
        }
    }

    fn importance_by_rule(&self, host: &Host) -> (Importance, &RuleRef) {
        self.importance_rules
            .iter()
            .find(|rule| rule.selector.matches_host(host, DEFAULT_IMPORTANCE))
            .map_or((self.importance.0, &self.importance.1), |rule| (rule.importance, &rule.rule))
    }

    fn importance_value(&self, host: &Host) -> Importance {
        host.importance.unwrap_or_else(|| self.importance_by_rule(host).0)
    }

    /// The priority of a finding on a host.
    pub fn assess(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Assessment {
        let importance = self.importance_value(host);
        let (score, parts) = match self.scoring.score(finding, importance, as_of) {
            Some((score, parts)) => (Some(score), parts),
            None => (None, Vec::new()),
        };
        let by_score = score.map(|score| self.scoring.priority(score));
        let priority = by_score.map_or(self.unscored.0, |(priority, _)| priority);
        let facts = Facts { importance, priority, as_of };
        let (priority, rule) = match self.overrides.iter().find(|rule| rule.selector.matches(finding, host, facts)) {
            Some(rule) => (rule.priority, rule.rule.clone()),
            None => (
                priority,
                by_score.map_or_else(
                    || self.unscored.1.clone(),
                    |(_, name)| RuleRef { place: self.thresholds_at.clone(), ..rule(name, None) },
                ),
            ),
        };
        Assessment { score, parts, priority, rule, importance }
    }

    /// What to do with a finding on a host: fix, defer, ignore, whitelist or no fix available.
    pub fn decide(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Decision {
        let assessment = self.assess(finding, host, as_of);
        let priority = assessment.priority;
        let facts = Facts { importance: assessment.importance, priority, as_of };
        let exception = self
            .exceptions
            .iter()
            .filter(|exception| as_of < exception.expires)
            .find(|exception| exception.selector.matches(finding, host, facts));
        let (kind, rule, reason) = if let Some(exception) = exception {
            let kind = match exception.kind {
                ExceptionKind::Whitelist => DecisionKind::Whitelist,
                ExceptionKind::Ignore => DecisionKind::Ignore,
            };
            (kind, exception.rule.clone(), exception.reason.clone())
        } else if finding.fix_state == FixState::NotAffected {
            (DecisionKind::NotAffected, rule("default", None), no_fix(finding.fix_state).to_owned())
        } else if !fix_available(finding) {
            (DecisionKind::NoFixAvailable, rule("default", None), no_fix(finding.fix_state).to_owned())
        } else if self.scope.0.contains(&priority) {
            (DecisionKind::Fix, self.scope.1.clone(), format!("priority {priority} is in scope"))
        } else {
            (DecisionKind::Defer, self.scope.1.clone(), format!("priority {priority} is not in scope"))
        };
        let deadline = self.deadlines.get(&priority);
        Decision {
            finding: finding.id.clone(),
            host: host.name.clone(),
            kind,
            assessment,
            rule,
            reason,
            due: finding.first_seen.zip(deadline).map(|(seen, deadline)| deadline.after(seen)),
            expires: exception.map(|exception| exception.expires),
        }
    }

    /// When disruptive steps on a host may start, for whole intervals that overlap `from .. from + horizon` (at most
    /// five years). Where only freezes are written, the time between them counts as a window called `any time`.
    pub fn windows_for(&self, host: &Host, from: Timestamp, horizon: TimeSpan) -> WindowSet {
        self.window_set(self.matching(host, from, true), from, horizon)
    }

    /// The same as if there were no freezes: for what may not wait for them to end.
    pub fn windows_bypassing_freezes(&self, host: &Host, from: Timestamp, horizon: TimeSpan) -> WindowSet {
        self.window_set(self.matching(host, from, false), from, horizon)
    }

    /// The windows and the freezes ahead that are for a host.
    pub(super) fn matching(&self, host: &Host, from: Timestamp, freezes: bool) -> (Vec<usize>, Vec<usize>) {
        let importance = self.importance_value(host);
        let open =
            (0..self.windows.len()).filter(|&i| self.windows[i].selector.matches_host(host, importance)).collect();
        let closed = (0..self.freezes.len())
            .filter(|&i| freezes && !self.freezes[i].span.is_over(from))
            .filter(|&i| self.freezes[i].selector.matches_host(host, importance))
            .collect();
        (open, closed)
    }

    fn window_set(&self, (open, closed): (Vec<usize>, Vec<usize>), from: Timestamp, horizon: TimeSpan) -> WindowSet {
        let horizon = horizon.min(windows::MAX_HORIZON);
        if open.is_empty() && !self.windows.is_empty() {
            return WindowSet::None {
                why: format!("policy has {} windows, and none of them is for this host", self.windows.len()),
            };
        }
        if open.is_empty() && closed.is_empty() {
            return WindowSet::Always;
        }
        let key = (open, closed, from, horizon);
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&key) {
            return set.clone();
        }
        let set = self.expand(&key);
        sets.insert(key, set.clone());
        set
    }

    fn expand(&self, (open, closed, from, horizon): &SetKey) -> WindowSet {
        let range = Interval { start: *from, end: horizon.after(*from) };
        let by_window: Vec<(&RuleName, Vec<Interval>)> =
            open.iter().map(|&i| (&self.windows[i].name, self.windows[i].times.intervals(range))).collect();
        // A window that is open at an edge of the range is whole: a freeze may take of it what lies outside.
        let edges = by_window.iter().flat_map(|(_, all)| all).fold(range, |edges, interval| Interval {
            start: edges.start.min(interval.start),
            end: edges.end.max(interval.end),
        });
        let frozen = union(closed.iter().flat_map(|&i| self.freezes[i].span.intervals(edges)).collect());
        let allowed = if open.is_empty() {
            vec![range]
        } else {
            union(by_window.iter().flat_map(|(_, intervals)| intervals.iter().copied()).collect())
        };
        let intervals = subtract(&allowed, &frozen)
            .into_iter()
            .map(|interval| {
                let overlaps = |other: &Interval| other.start < interval.end && interval.start < other.end;
                let names = by_window.iter().filter(|(_, all)| all.iter().any(overlaps)).map(|(name, _)| name.as_str());
                PlanWindow { interval, name: joined(names.collect(), "any time") }
            })
            .collect();
        let windows = open.iter().map(|&i| self.windows[i].name.as_str()).collect();
        let mut name = joined(windows, "any time");
        if !closed.is_empty() {
            let freezes = joined(closed.iter().map(|&i| self.freezes[i].name.as_str()).collect(), "");
            name = bounded(format!("{name} without {freezes}"));
        }
        WindowSet::Set { name, intervals }
    }

    /// Where the time zone data that resolved the windows comes from, and its version if it says so.
    pub fn tzdata_version(&self) -> String {
        windows::tzdata_version()
    }

    /// How a host is fixed.
    pub fn strategy_for(&self, host: &Host) -> StrategyChoice {
        let importance = self.importance_value(host);
        let chosen = self.strategy_rules.iter().find(|rule| rule.selector.matches_host(host, importance));
        let (auto, rule) = chosen.map_or((self.strategy_auto, &self.strategy), |chosen| (chosen.auto, &chosen.rule));
        let note = auto.then(|| "`auto` is `in_place`: there is no other strategy yet".to_owned());
        StrategyChoice { strategy: Strategy::InPlace, rule: rule.clone(), note }
    }

    /// The probes of section `verify` for a host.
    pub fn probes_for(&self, host: &Host) -> Vec<ProbePolicy> {
        let importance = self.importance_value(host);
        let matching = self.probes.iter().filter(|rule| rule.selector.matches_host(host, importance));
        matching.map(|rule| rule.probe.clone()).collect()
    }

    /// A warning for every selector that can match no host of the inventory.
    pub fn unmatched_selectors<'a>(&self, hosts: impl IntoIterator<Item = &'a Host>) -> Vec<Diagnostic> {
        let mut left = self.selectors();
        for host in hosts {
            if left.is_empty() {
                break;
            }
            let importance = self.importance_value(host);
            left.retain(|(selector, _)| selector.truth_for_host(host, importance) == Truth::No);
        }
        left.into_iter()
            .map(|(_, at)| {
                Diagnostic::warning("unmatched-selector", "this rule can match no host of the inventory").at(at.clone())
            })
            .collect()
    }

    /// A warning for every exception that has ended.
    pub fn expired_exceptions(&self, as_of: Timestamp) -> Vec<Diagnostic> {
        self.exceptions
            .iter()
            .filter(|exception| exception.expires <= as_of)
            .map(|exception| {
                Diagnostic::warning(
                    "expired-exception",
                    format!("exception `{}` ended at {}: it no longer applies", exception.name, exception.expires),
                )
                .at(exception.at.clone())
                .help("take it out, or give it another date for a good reason")
            })
            .collect()
    }

    fn selectors(&self) -> Vec<(&Selector, &Span)> {
        let mut all: Vec<(&Selector, &Span)> = Vec::new();
        all.extend(self.overrides.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.importance_rules.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.exceptions.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.windows.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.freezes.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.strategy_rules.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.probes.iter().map(|rule| (&rule.selector, &rule.at)));
        all
    }
}

const fn no_fix(state: FixState) -> &'static str {
    match state {
        FixState::WillNotFix => "its maintainers will not fix it",
        FixState::EndOfLife => "the system it belongs to is no longer maintained",
        FixState::Deferred => "its maintainers deferred the fix",
        FixState::NotAffected => "its maintainers say that this package is not vulnerable",
        FixState::Unknown => "the report names no version that fixes it",
        FixState::NotFixed | FixState::Fixed => "its maintainers offer no fix",
    }
}

/// Names joined by ` + `, or `otherwise` where there are none.
pub(super) fn joined(names: Vec<&str>, otherwise: &str) -> RuleName {
    bounded(if names.is_empty() { otherwise.to_owned() } else { names.join(" + ") })
}

/// A name made of names; a digest keeps it apart from others where it is too long.
fn bounded(text: String) -> RuleName {
    RuleName::new(&text).unwrap_or_else(|_| {
        let digest = Digest::of(text.as_bytes()).short();
        rule(&format!("{} {digest}", printable(&text, 40)), None).name
    })
}
