//! A checked policy, and what it says of findings and hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::Bundle;
use super::calendar::Calendar;
use super::check::{DEFAULT_IMPORTANCE, check, read, rule};
use super::exceptions::Exceptions;
use super::manual::ManualRule;
use super::rego::{PriorityVoice, Rules, StrategyVoice};
use super::score::Scoring;
use super::selector::{Facts, Selector, Truth, fix_available};
use super::vex::Vex;
use super::windows::{self, Times};
use super::{
    Amount, ApprovalPolicy, BackupPolicy, ProbePolicy, Proven, RebootPolicy, RolloutPolicy, StrategyChoice,
    StrategyKind, TestFix, WindowSet,
};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{
    Assessment, ChangePolicy, Decision, DecisionKind, Digest, Finding, FixState, Host, HostName, Importance, Interval,
    Notify, PendingReboot, Place, PlanWindow, Priority, RuleName, RuleRef, TimeSpan, printable, subtract, union,
};

/// A checked policy.
///
/// What a bundle does not say has these values: weights, thresholds and points as in `Scoring`; findings without
/// score and severity are `high`; critical and high findings are fixed; hosts are of `general` importance; no window
/// and no freeze, so at any time; in place; a backup is required, at most an hour old, and kept for seven days; one
/// canary soaks for 30 minutes, then waves of 10 %, 50 % and all; one host a `service` at once; two failed hosts
/// pause; ten hosts at once; reboots when required, and one that is pending before is
/// only reported; every service may be restarted; five minutes of watching; nothing may be removed.
#[derive(Debug)]
pub struct Policy {
    /// Section `backup`.
    pub backup: BackupPolicy,
    /// Section `rollout`.
    pub rollout: RolloutPolicy,
    /// Section `reboot`.
    pub reboot: RebootPolicy,
    /// `reboot_pending_before`.
    pub pending_reboot: PendingReboot,
    /// `restart.never`: patterns of units that no fix restarts, sorted.
    pub restart_never: Vec<String>,
    /// `verify.soak`: how long a fixed host is watched.
    pub verify_soak: TimeSpan,
    /// `playbooks.allow_removals`: whether a fix may remove packages.
    pub allow_removals: bool,
    pub(super) digest: Digest,
    /// The files whose texts the digest names.
    pub(super) texts: Vec<Arc<Source>>,
    pub(super) scoring: Scoring,
    pub(super) thresholds_at: Option<Place>,
    pub(super) unscored: (Priority, RuleRef),
    pub(super) overrides: Vec<Override>,
    pub(super) deadlines: BTreeMap<Priority, TimeSpan>,
    pub(super) importance: (Importance, RuleRef),
    pub(super) importance_rules: Vec<ImportanceRule>,
    pub(super) scope: (BTreeSet<Priority>, RuleRef),
    pub(super) exceptions: Exceptions,
    pub(super) vex: Vex,
    pub(super) windows: Vec<Window>,
    pub(super) freezes: Vec<Freeze>,
    /// `strategy.test_fix`.
    pub test_fix: TestFix,
    /// `strategy.proven`.
    pub proven: Proven,
    /// `strategy.similar_by`: labels that similar hosts have in common.
    pub similar_by: BTreeSet<String>,
    /// `strategy.keep_failed`: how long a clone is kept on which a fix has failed.
    pub keep_failed: TimeSpan,
    /// `strategy.bisect`: whether the packages to blame are looked for when a fix fails on a clone.
    pub bisect: bool,
    /// `strategy.quarantine`: how long what was rolled back stays out of plans.
    pub quarantine: TimeSpan,
    /// `strategy.stateful`.
    pub(super) stateful: Option<(Selector, Span)>,
    pub(super) strategy: (StrategyKind, RuleRef),
    pub(super) strategy_rules: Vec<StrategyRule>,
    pub(super) emergency: Option<Emergency>,
    pub(super) approvals: Vec<ApprovalRule>,
    /// Section `change`.
    pub change: Option<ChangePolicy>,
    pub(super) order: Vec<OrderRule>,
    pub(super) manual: Vec<ManualRule>,
    /// Section `notify`, sorted.
    pub notify: Vec<Notify>,
    pub(super) probes: Vec<ProbeRule>,
    pub(super) rules: Rules,
    /// Where values that stand once in the bundle are set, by key.
    pub(super) set_at: BTreeMap<&'static str, Span>,
    /// Intervals by the windows and freezes that match: thousands of hosts share a few.
    sets: Mutex<BTreeMap<SetKey, WindowSet>>,
}

/// Indices of windows and freezes, and the range.
type SetKey = (Vec<usize>, Vec<usize>, Timestamp, TimeSpan);

#[derive(Clone, Debug)]
pub(super) struct Override {
    pub selector: Selector,
    pub priority: Priority,
    pub reason: String,
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
    pub kind: StrategyKind,
    pub rule: RuleRef,
    pub at: Span,
}

/// The lane of what cannot wait.
#[derive(Clone, Debug)]
pub(super) struct Emergency {
    pub selector: Selector,
    pub bypass_freeze: bool,
    pub approvals: Option<u32>,
    pub rule: RuleRef,
    pub at: Span,
}

#[derive(Clone, Debug)]
pub(super) struct ApprovalRule {
    pub selector: Selector,
    pub approval: ApprovalPolicy,
    pub at: Span,
}

/// Hosts that are done before others.
#[derive(Clone, Debug)]
pub(super) struct OrderRule {
    pub before: Selector,
    pub after: Selector,
    pub at: Span,
    pub after_at: Span,
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
            backup: BackupPolicy {
                required: true,
                max_age: TimeSpan::hours(1),
                keep: TimeSpan::days(7),
                drill_within: None,
                dead_man: Some(TimeSpan::minutes(30)),
            },
            rollout: RolloutPolicy {
                canary: Some((1, TimeSpan::minutes(30))),
                waves: vec![Amount::Percent(10), Amount::Percent(50), Amount::Percent(100)],
                max_unavailable: Some(("service".to_owned(), Amount::Hosts(1))),
                single_host: false,
                failure_hosts: Some(2),
                failure_percent: None,
                concurrency: 10,
                clones: None,
                per_label: Vec::new(),
                domain: None,
            },
            reboot: RebootPolicy::WhenRequired,
            pending_reboot: PendingReboot::Report,
            restart_never: Vec::new(),
            verify_soak: TimeSpan::minutes(5),
            allow_removals: false,
            digest,
            texts: Vec::new(),
            scoring: Scoring::default(),
            thresholds_at: None,
            unscored: (Priority::High, default.clone()),
            overrides: Vec::new(),
            deadlines: BTreeMap::new(),
            importance: (DEFAULT_IMPORTANCE, default.clone()),
            importance_rules: Vec::new(),
            scope: (BTreeSet::from([Priority::Critical, Priority::High]), default.clone()),
            exceptions: Exceptions::default(),
            vex: Vex::default(),
            windows: Vec::new(),
            freezes: Vec::new(),
            test_fix: TestFix::Never,
            proven: Proven { successes: 1, within: TimeSpan::days(90) },
            similar_by: BTreeSet::new(),
            keep_failed: TimeSpan::ZERO,
            bisect: false,
            quarantine: TimeSpan::days(30),
            stateful: None,
            strategy: (StrategyKind::InPlace, default),
            strategy_rules: Vec::new(),
            emergency: None,
            approvals: Vec::new(),
            change: None,
            order: Vec::new(),
            manual: Vec::new(),
            notify: Vec::new(),
            probes: Vec::new(),
            rules: Rules::default(),
            set_at: BTreeMap::new(),
            sets: Mutex::default(),
        }
    }

    /// Reads and checks the files of a bundle. Every problem of every file becomes a diagnostic;
    /// none is returned if one of them was an error.
    pub fn load(bundle: impl Into<Bundle>, diagnostics: &mut Diagnostics) -> Option<Self> {
        check(&bundle.into(), diagnostics)
    }

    /// What texts say that were found to be fine before: files that policies name are not looked for, and texts of such
    /// files, which are no policies, say nothing.
    pub fn of_known_texts(texts: Vec<Arc<Source>>) -> Self {
        read(&texts.into(), &mut Diagnostics::default())
    }

    /// The digest of the texts of all files; their names and order do not matter.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The files that the digest is made of: policies and what they name.
    pub fn texts(&self) -> &[Arc<Source>] {
        &self.texts
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

    pub(super) fn importance_value(&self, host: &Host) -> Importance {
        host.importance.unwrap_or_else(|| self.importance_by_rule(host).0)
    }

    /// What overrides are judged by: the priority is the one by score.
    pub(super) fn facts_by_score(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Facts {
        let importance = self.importance_value(host);
        let score = self.scoring.score(finding, importance, as_of);
        let priority = score.map_or(self.unscored.0, |(score, _)| self.scoring.priority(score).0);
        Facts { importance, priority, as_of }
    }

    /// The priority of a finding on a host.
    pub fn assess(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Assessment {
        self.assess_by_rules(finding, host, as_of).0
    }

    /// The priority with the last word of the rules; a reason where they give one, or why nothing may be done.
    fn assess_by_rules(
        &self,
        finding: &Finding,
        host: &Host,
        as_of: Timestamp,
    ) -> (Assessment, Option<String>, Option<(RuleRef, &'static str)>) {
        let written = self.assess_as_written(finding, host, as_of);
        let unknown_host = match self.rules.strategy(host, written.importance) {
            StrategyVoice::Unknown { rule, why } => Some((rule, why)),
            StrategyVoice::Silent | StrategyVoice::Says { .. } => None,
        };
        match self.rules.priority(finding, host, &written, as_of) {
            PriorityVoice::Silent => (written, None, unknown_host),
            PriorityVoice::Says { priority, rule, reason } => {
                (Assessment { priority, rule, reason: reason.clone(), ..written }, reason, unknown_host)
            }
            PriorityVoice::Unknown { rule, why } => (written, None, Some((rule, why))),
        }
    }

    /// The priority by scores and overrides, without rules.
    pub(super) fn assess_as_written(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Assessment {
        let importance = self.importance_value(host);
        let (score, parts) = match self.scoring.score(finding, importance, as_of) {
            Some((score, parts)) => (Some(score), parts),
            None => (None, Vec::new()),
        };
        let by_score = score.map(|score| self.scoring.priority(score));
        let priority = by_score.map_or(self.unscored.0, |(priority, _)| priority);
        let facts = Facts { importance, priority, as_of };
        let (priority, reason, rule) =
            match self.overrides.iter().find(|rule| rule.selector.matches(finding, host, facts)) {
                Some(rule) => (rule.priority, Some(rule.reason.clone()), rule.rule.clone()),
                None => (
                    priority,
                    None,
                    by_score.map_or_else(
                        || self.unscored.1.clone(),
                        |(_, name)| RuleRef { place: self.thresholds_at.clone(), ..rule(name, None) },
                    ),
                ),
            };
        Assessment { score, parts, priority, rule, reason, importance }
    }

    /// What to do with a finding on a host. Exceptions come first, a whitelist before what is ignored; then what VEX
    /// documents state; then whether there is a fix at all; then the scope.
    pub fn decide(&self, finding: &Finding, host: &Host, as_of: Timestamp) -> Decision {
        let (assessment, because, unknown) = self.assess_by_rules(finding, host, as_of);
        let because = because.map_or(String::new(), |because| format!(": {because}"));
        let priority = assessment.priority;
        let facts = Facts { importance: assessment.importance, priority, as_of };
        let exception = self.exceptions.find(finding, host, facts);
        let emergency = self.emergency.as_ref().filter(|lane| lane.selector.matches(finding, host, facts));
        let (kind, rule, mut reason) = if let Some((rule, why)) = unknown {
            (DecisionKind::Manual, rule, why.to_owned())
        } else if let Some((exception, _)) = exception {
            (exception.kind.decision(), exception.rule.clone(), exception.reason())
        } else if let Some(verdict) = self.vex.judge(finding, host) {
            (DecisionKind::NotAffected, verdict.rule, verdict.reason)
        } else if finding.fix_state == FixState::NotAffected {
            (DecisionKind::NotAffected, rule("default", None), no_fix(finding.fix_state).to_owned())
        } else if !fix_available(finding) {
            (DecisionKind::NoFixAvailable, rule("default", None), no_fix(finding.fix_state).to_owned())
        } else if let Some(lane) = emergency {
            (DecisionKind::Fix, lane.rule.clone(), format!("priority {priority}, in the emergency lane"))
        } else if self.scope.0.contains(&priority) {
            (DecisionKind::Fix, self.scope.1.clone(), format!("priority {priority} is in scope{because}"))
        } else {
            (DecisionKind::Defer, self.scope.1.clone(), format!("priority {priority} is not in scope{because}"))
        };
        if exception.is_none() {
            reason.extend(self.exceptions.lapsed(finding, host, facts));
        }
        let deadline = self.deadlines.get(&priority);
        Decision {
            finding: finding.id.clone(),
            host: host.name.clone(),
            kind,
            assessment,
            emergency: emergency.is_some() && kind == DecisionKind::Fix,
            rule,
            reason,
            first_seen: finding.first_seen,
            due: finding.first_seen.zip(deadline).map(|(seen, deadline)| deadline.after(seen)),
            expires: exception.filter(|_| kind != DecisionKind::Manual).map(|(_, expires)| expires),
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
        let (kind, rule) = chosen.map_or((self.strategy.0, &self.strategy.1), |chosen| (chosen.kind, &chosen.rule));
        match self.rules.strategy(host, importance) {
            StrategyVoice::Says { kind, rule, .. } => StrategyChoice { kind, rule },
            // What is not known blocks every finding of the host.
            StrategyVoice::Silent | StrategyVoice::Unknown { .. } => StrategyChoice { kind, rule: rule.clone() },
        }
    }

    /// Whether a host keeps what is written to it, so that a switch back would lose it.
    pub fn is_stateful(&self, host: &Host) -> bool {
        match &self.stateful {
            Some((selector, _)) => selector.matches_host(host, self.importance_value(host)),
            None => host.labels.get("stateful").is_some_and(|value| value == "true"),
        }
    }

    /// The approvals that a plan needs for a host: of each rule that matches, and in the emergency lane as many people as
    /// that asks for instead.
    pub fn approvals_for(&self, host: &Host, emergency: bool) -> Vec<ApprovalPolicy> {
        let importance = self.importance_value(host);
        let matching = self.approvals.iter().filter(|rule| rule.selector.matches_host(host, importance));
        let mut needed: Vec<ApprovalPolicy> = matching.map(|rule| rule.approval.clone()).collect();
        if let Some(lane) = self.emergency.as_ref().filter(|_| emergency)
            && let Some(required) = lane.approvals
        {
            if needed.is_empty() {
                let valid_for = super::check::APPROVAL_VALID;
                needed.push(ApprovalPolicy {
                    rule: lane.rule.clone(),
                    required,
                    from: None,
                    signers: None,
                    not_author: false,
                    valid_for,
                });
            }
            for approval in &mut needed {
                approval.rule = lane.rule.clone();
                approval.required = required;
            }
        }
        needed.sort();
        needed.dedup();
        needed
    }

    /// The windows that are for a host, as rules.
    pub fn window_rules(&self, host: &Host) -> Vec<RuleRef> {
        let importance = self.importance_value(host);
        let matching = self.windows.iter().filter(|window| window.selector.matches_host(host, importance));
        matching.map(|window| rule(&format!("windows/{}", window.name), Some(&window.at))).collect()
    }

    /// The freezes that are for a host, as rules.
    pub fn freeze_rules(&self, host: &Host) -> Vec<RuleRef> {
        let importance = self.importance_value(host);
        let matching = self.freezes.iter().filter(|freeze| freeze.selector.matches_host(host, importance));
        matching.map(|freeze| rule(&format!("freezes/{}", freeze.name), Some(&freeze.at))).collect()
    }

    /// The probes that are for a host, as rules.
    pub fn probe_rules(&self, host: &Host) -> Vec<RuleRef> {
        let importance = self.importance_value(host);
        let matching = self.probes.iter().filter(|probe| probe.selector.matches_host(host, importance));
        matching.map(|probe| rule(&format!("verify.probes/{}", probe.probe.name), Some(&probe.at))).collect()
    }

    /// Every rule that the bundle writes, by the name under which decisions give it. The three thresholds are rules
    /// where they are written.
    pub fn rules_written(&self) -> Vec<RuleRef> {
        let mut rules: Vec<RuleRef> = Vec::new();
        if let Some(place) = &self.thresholds_at {
            for name in ["priority.thresholds.critical", "priority.thresholds.high", "priority.thresholds.medium"] {
                rules.push(RuleRef { place: Some(place.clone()), ..rule(name, None) });
            }
        }
        rules.extend(self.overrides.iter().map(|r| r.rule.clone()));
        rules.extend(self.importance_rules.iter().map(|r| r.rule.clone()));
        rules.extend(self.exceptions.all.iter().map(|r| r.rule.clone()));
        rules.extend(self.windows.iter().map(|w| rule(&format!("windows/{}", w.name), Some(&w.at))));
        rules.extend(self.freezes.iter().map(|f| rule(&format!("freezes/{}", f.name), Some(&f.at))));
        rules.extend(self.strategy_rules.iter().map(|r| r.rule.clone()));
        rules.extend(self.probes.iter().map(|p| rule(&format!("verify.probes/{}", p.probe.name), Some(&p.at))));
        rules.extend(self.emergency.iter().map(|lane| lane.rule.clone()));
        rules.extend(self.approvals.iter().map(|r| r.approval.rule.clone()));
        let set = [&self.scope.1, &self.unscored.1, &self.importance.1, &self.strategy.1];
        rules.extend(set.into_iter().filter(|rule| rule.place.is_some()).cloned());
        rules
    }

    /// Whether the emergency lane may pass freezes.
    pub fn emergency_bypasses_freezes(&self) -> bool {
        self.emergency.as_ref().is_some_and(|lane| lane.bypass_freeze)
    }

    /// For each host its place in `rollout.order`: a host with a lower number is done before one with a higher. Rules
    /// that contradict each other are an error that names the hosts of one circle.
    pub fn order_of<'a>(
        &self,
        hosts: impl IntoIterator<Item = &'a Host>,
    ) -> Result<BTreeMap<HostName, u32>, Vec<HostName>> {
        super::order::levels(&self.order, hosts, |host| self.importance_value(host))
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

    pub(super) fn selectors(&self) -> Vec<(&Selector, &Span)> {
        let mut all: Vec<(&Selector, &Span)> = Vec::new();
        all.extend(self.overrides.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.importance_rules.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.exceptions.all.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.windows.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.freezes.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.strategy_rules.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.stateful.iter().map(|(selector, at)| (selector, at)));
        all.extend(self.probes.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.emergency.iter().map(|lane| (&lane.selector, &lane.at)));
        all.extend(self.approvals.iter().map(|rule| (&rule.selector, &rule.at)));
        all.extend(self.manual.iter().map(|rule| (&rule.selector, &rule.at)));
        for rule in &self.order {
            all.extend([(&rule.before, &rule.at), (&rule.after, &rule.after_at)]);
        }
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
pub(super) fn bounded(text: String) -> RuleName {
    RuleName::new(&text).unwrap_or_else(|_| {
        let digest = Digest::of(text.as_bytes()).short();
        rule(&format!("{} {digest}", printable(&text, 40)), None).name
    })
}
