//! Rules that decide nothing: they contradict themselves, match nothing here, or come behind others that match first.
//!
//! Only what is certain is told: taking out a rule that is reported changes no decision.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Policy;
use super::selector::{Effort, Selector, Truth};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Finding, Host, HostName, Importance, Priority, RuleRef};

/// Hosts and findings that rules are judged by, as far as they are given.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The inventory.
    pub hosts: Option<&'a BTreeMap<HostName, Host>>,
    /// What reports found on these hosts.
    pub findings: Option<&'a [(HostName, Finding)]>,
    /// The time ages and expiries refer to.
    pub as_of: Timestamp,
}

/// A rule of a list in which the first match wins.
struct Listed<'a> {
    selector: &'a Selector,
    rule: &'a RuleRef,
    at: &'a Span,
}

/// The lists in which the first match wins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Overrides,
    Importance,
    Strategy,
}

impl Policy {
    /// A warning for every rule that can decide nothing, one a rule: by itself, and for these hosts and findings.
    pub fn dead_rules(&self, judged: Judged<'_>) -> Vec<Diagnostic> {
        let mut dead = Dead { policy: self, judged, effort: Effort::WHOLE, told: BTreeSet::new(), found: Vec::new() };
        dead.impossible();
        for list in [List::Overrides, List::Importance, List::Strategy] {
            dead.shadowed(list);
        }
        dead.unmatched();
        dead.exceptions();
        dead.priorities();
        dead.found
    }

    fn listed(&self, list: List) -> Vec<Listed<'_>> {
        match list {
            List::Overrides => {
                self.overrides.iter().map(|o| Listed { selector: &o.selector, rule: &o.rule, at: &o.at }).collect()
            }
            List::Importance => self
                .importance_rules
                .iter()
                .map(|i| Listed { selector: &i.selector, rule: &i.rule, at: &i.at })
                .collect(),
            List::Strategy => {
                self.strategy_rules.iter().map(|s| Listed { selector: &s.selector, rule: &s.rule, at: &s.at }).collect()
            }
        }
    }
}

/// What a rule met among hosts or findings.
#[derive(Clone, Copy, Default)]
struct Met {
    /// It may match one.
    touched: bool,
    /// It may decide one.
    decides: bool,
    /// What decided the first one instead; none: the inventory.
    instead: Option<usize>,
}

impl Met {
    fn meet(&mut self, first: Option<First>, index: usize) {
        match first {
            Some(First::Inventory) => self.touched = true,
            Some(First::Rule(rule)) if rule < index => {
                self.instead = self.instead.or(Some(rule));
                self.touched = true;
            }
            _ => (self.touched, self.decides) = (true, true),
        }
    }
}

/// What decides on a host whatever the finding is.
#[derive(Clone, Copy)]
enum First {
    Inventory,
    Rule(usize),
}

struct Dead<'a> {
    policy: &'a Policy,
    judged: Judged<'a>,
    effort: Effort,
    /// The rules that were told, by file and place.
    told: BTreeSet<(String, usize)>,
    found: Vec<Diagnostic>,
}

impl<'a> Dead<'a> {
    fn tell(&mut self, diagnostic: Diagnostic, at: &Span) {
        self.told.insert((at.source.name.clone(), at.offset));
        self.found.push(diagnostic.at(at.clone()));
    }

    fn is_told(&self, at: &Span) -> bool {
        self.told.contains(&(at.source.name.clone(), at.offset))
    }

    fn impossible(&mut self) {
        for (selector, at) in self.policy.selectors() {
            if selector.is_impossible(&mut self.effort) {
                let message = "the selector of this rule contradicts itself: it can never match";
                let help = "every key must hold at once; alternatives stand under `any`";
                self.tell(Diagnostic::warning("impossible-selector", message).help(help), at);
            }
        }
    }

    fn shadowed(&mut self, list: List) {
        let rules = self.policy.listed(list);
        for (index, rule) in rules.iter().enumerate() {
            if self.is_told(rule.at) {
                continue;
            }
            let earlier = &rules[..index];
            let one = earlier.iter().position(|e| rule.selector.is_covered_by(&[e.selector], &mut self.effort));
            let all = || earlier.iter().map(|e| e.selector).collect::<Vec<_>>();
            let (cover, what) = match one {
                Some(one) => (Some(one), "an earlier rule matches all that"),
                None if index > 1 && rule.selector.is_covered_by(&all(), &mut self.effort) => {
                    (Some(index - 1), "the rules before it match all that")
                }
                None => continue,
            };
            let message = format!("`{}` decides nothing: {what} it matches", rule.rule.name);
            self.shadow(message, rule.at, cover.map(|cover| &rules[cover]));
        }
        let Some(hosts) = self.judged.hosts else { return };
        let (by_host, first) = self.by_host(list, &rules, hosts);
        self.tell_met(&rules, &by_host, "host of the inventory");
        if let (List::Overrides, Some(findings)) = (list, self.judged.findings) {
            let by_finding = self.by_finding(&rules, hosts, findings, &first);
            self.tell_met(&rules, &by_finding, "finding of the reports");
        }
    }

    fn shadow(&mut self, message: String, at: &Span, by: Option<&Listed<'_>>) {
        let mut diagnostic = Diagnostic::warning("shadowed-rule", message)
            .help("the first match wins: take it out, or put it in front of the rule that is more general");
        if let Some(by) = by {
            diagnostic = diagnostic.related("this one comes first", by.at.clone());
        }
        self.tell(diagnostic, at);
    }

    fn tell_met(&mut self, rules: &[Listed<'_>], met: &[Met], what: &str) {
        for (rule, met) in rules.iter().zip(met) {
            if !met.touched || met.decides || self.is_told(rule.at) {
                continue;
            }
            let name = &rule.rule.name;
            let message = match met.instead {
                Some(_) => format!("`{name}` decides nothing: an earlier rule matches every {what} that it matches"),
                None => format!("`{name}` decides nothing: the inventory says it for every {what} that it matches"),
            };
            self.shadow(message, rule.at, met.instead.map(|by| &rules[by]));
        }
    }

    /// What each rule meets among the hosts, and what decides on each host whatever the finding.
    fn by_host<'h>(
        &self,
        list: List,
        rules: &[Listed<'_>],
        hosts: &'h BTreeMap<HostName, Host>,
    ) -> (Vec<Met>, BTreeMap<&'h HostName, Option<First>>) {
        let mut met = vec![Met::default(); rules.len()];
        let mut all = BTreeMap::new();
        for host in hosts.values() {
            let importance = match list {
                List::Importance => super::check::DEFAULT_IMPORTANCE,
                List::Overrides | List::Strategy => self.policy.importance_value(host),
            };
            let mut first = (list == List::Importance && host.importance.is_some()).then_some(First::Inventory);
            for (index, rule) in rules.iter().enumerate() {
                if first.is_some() && met[index].decides {
                    continue;
                }
                let truth = rule.selector.truth_for_host(host, importance);
                if truth != Truth::No {
                    met[index].meet(first, index);
                }
                if truth == Truth::Yes && first.is_none() {
                    first = Some(First::Rule(index));
                }
            }
            all.insert(&host.name, first);
        }
        (met, all)
    }

    fn by_finding(
        &self,
        rules: &[Listed<'_>],
        hosts: &BTreeMap<HostName, Host>,
        findings: &[(HostName, Finding)],
        first: &BTreeMap<&HostName, Option<First>>,
    ) -> Vec<Met> {
        let mut met = vec![Met::default(); rules.len()];
        for (name, finding) in findings {
            let Some(host) = hosts.get(name) else { continue };
            let first = first.get(name).copied().flatten();
            let facts = self.policy.facts_by_score(finding, host, self.judged.as_of);
            for (index, rule) in rules.iter().enumerate() {
                if !met[index].decides && rule.selector.matches(finding, host, facts) {
                    met[index].meet(first, index);
                }
            }
        }
        met
    }

    fn unmatched(&mut self) {
        let Some(hosts) = self.judged.hosts else { return };
        for diagnostic in self.policy.unmatched_selectors(hosts.values()) {
            if let Some(at) = diagnostic.span.clone().filter(|at| !self.is_told(at)) {
                self.tell(diagnostic, &at);
            }
        }
    }

    fn exceptions(&mut self) {
        let (Some(hosts), Some(findings)) = (self.judged.hosts, self.judged.findings) else { return };
        let known = findings.iter().filter_map(|(name, finding)| Some((hosts.get(name)?, finding)));
        for diagnostic in self.policy.unmatched_exceptions(known, self.judged.as_of) {
            if let Some(at) = diagnostic.span.clone().filter(|at| !self.is_told(at)) {
                self.tell(diagnostic, &at);
            }
        }
    }

    fn priorities(&mut self) {
        let policy = self.policy;
        let all = [Importance::Test, Importance::General, Importance::Important];
        let Some((least, highest)) = policy.scoring.range(&all) else { return };
        let by_score = |priority: Priority| {
            let scoring = &policy.scoring;
            let (from, to) = match priority {
                Priority::Critical => (Some(scoring.critical), None),
                Priority::High => (Some(scoring.high), Some(scoring.critical)),
                Priority::Medium => (Some(scoring.medium), Some(scoring.high)),
                Priority::Low => (None, Some(scoring.medium)),
            };
            from.is_none_or(|from| from <= highest) && to.is_none_or(|to| least < to)
        };
        let by_rule = |priority: Priority| {
            policy.unscored.0 == priority || policy.overrides.iter().any(|rule| rule.priority == priority)
        };
        let places = ["priority.thresholds", "priority.weights", "priority.importance_points"];
        let place = places.iter().find_map(|key| policy.set_at.get(key)).cloned();
        for priority in Priority::ALL {
            // A threshold above all scores may mean: by override only.
            if by_score(priority) || by_rule(priority) {
                continue;
            }
            let message =
                format!("no finding can have priority {priority}: scores lie between {least} and {highest} here");
            let diagnostic = Diagnostic::warning("unreachable-priority", message)
                .help("change the thresholds, the weights or the points of importance, or set it by an override");
            self.found.push(place.clone().into_iter().fold(diagnostic, Diagnostic::at));
        }
        let scope = &policy.scope.0;
        if !scope.is_empty() && !scope.iter().any(|priority| by_score(*priority) || by_rule(*priority)) {
            let message = "nothing is ever in scope: no finding can have one of these priorities";
            let diagnostic = Diagnostic::warning("unreachable-scope", message);
            let at = policy.set_at.get("scope.fix").cloned();
            self.found.push(at.into_iter().fold(diagnostic, Diagnostic::at));
        }
    }
}

#[cfg(test)]
mod tests;
