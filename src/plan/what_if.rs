//! What would have to be written otherwise: the smallest single change of policy that gives another outcome, proved by
//! applying it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Origin, Plan, PlanInput, plan};
use crate::diagnostic::{Diagnostics, Source};
use crate::model::{
    Assessment, Decision, DecisionKind, Finding, FindingId, History, Host, HostName, Place, Priority, Score, TimeSpan,
    printable,
};
use crate::playbook::Playbook;
use crate::policy::{Bundle, Edit, Policy, mutants};
use crate::yaml::{Item, outline};

/// What might be wanted instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The findings are fixed by the plan.
    Planned,
    /// None of them is.
    NotPlanned,
    /// They have this priority.
    Priority(Priority),
}

/// A change that reaches a goal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WhatIf {
    /// What is reached.
    pub goal: Goal,
    /// Where the policy changes; none for a file that is added.
    pub place: Option<Place>,
    /// The change: `priority.thresholds.high: 6.0 -> 5.5`, or the text that is added.
    pub change: String,
    /// What policy then says.
    pub outcome: String,
}

/// What is asked about, and all that a plan needs.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The policies as text.
    pub bundle: &'a Bundle,
    /// The inventory.
    pub hosts: &'a BTreeMap<HostName, Host>,
    /// How things are fixed.
    pub playbooks: &'a [Playbook],
    /// All findings of the host.
    pub findings: &'a [(HostName, Finding)],
    /// The host.
    pub host: &'a HostName,
    /// The findings asked about.
    pub about: &'a [FindingId],
    /// The time all decisions refer to.
    pub as_of: Timestamp,
    /// How far ahead windows are looked for.
    pub horizon: TimeSpan,
    /// Makes a changed policy ready to decide: lets its rules judge the findings. False where they cannot.
    pub ready: &'a dyn Fn(&mut Policy) -> bool,
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("host", self.host).field("about", &self.about).finish_non_exhaustive()
    }
}

/// A change that may help, with what it costs a reviewer.
struct Candidate {
    cost: u32,
    place: Option<Place>,
    change: String,
    bundle: Bundle,
}

/// What a version of the policy says of the findings.
struct State {
    planned: Vec<bool>,
    decisions: Vec<Decision>,
    blocked: Option<String>,
    has_rules: bool,
}

/// More changes than these are not tried: a policy of thousands of rules would take minutes.
const MAX_TRIED: usize = 3_000;
/// With rules in Rego every change starts a process that evaluates them.
const MAX_TRIED_WITH_RULES: usize = 200;

/// For every goal that is not reached now the smallest change that reaches it, and the goals that no single change reached.
pub fn what_if(question: &Question<'_>) -> (Vec<WhatIf>, Vec<Goal>) {
    let Some(now) = state(question, question.bundle) else { return (Vec::new(), Vec::new()) };
    let mut goals: Vec<Goal> = Priority::ALL.into_iter().map(Goal::Priority).collect();
    goals.push(Goal::Planned);
    goals.push(Goal::NotPlanned);
    goals.retain(|goal| !reached(*goal, &now));
    if now.decisions.len() != 1 {
        // One priority for several findings is nobody's question.
        goals.retain(|goal| !matches!(goal, Goal::Priority(_)));
    }
    let mut candidates = candidates(question, &now);
    candidates.sort_by(|a, b| {
        (a.cost, a.change.len(), &a.change, &a.place).cmp(&(b.cost, b.change.len(), &b.change, &b.place))
    });
    let mut found: BTreeMap<Goal, WhatIf> = BTreeMap::new();
    let most = if now.has_rules { MAX_TRIED_WITH_RULES } else { MAX_TRIED };
    for candidate in candidates.into_iter().take(most) {
        if found.len() == goals.len() {
            break;
        }
        let Some(then) = state(question, &candidate.bundle) else { continue };
        for goal in goals.iter().filter(|goal| reached(**goal, &then)) {
            found.entry(*goal).or_insert_with(|| WhatIf {
                goal: *goal,
                place: candidate.place.clone(),
                change: candidate.change.clone(),
                outcome: outcome(&then),
            });
        }
    }
    let unreached = goals.into_iter().filter(|goal| !found.contains_key(goal)).collect();
    (found.into_values().collect(), unreached)
}

fn reached(goal: Goal, state: &State) -> bool {
    match goal {
        Goal::Planned => state.planned.iter().all(|planned| *planned),
        Goal::NotPlanned => !state.planned.iter().any(|planned| *planned),
        Goal::Priority(priority) => state.decisions.iter().all(|decision| decision.assessment.priority == priority),
    }
}

/// Plans the host alone under a version of the policy; none if that is no policy.
fn state(question: &Question<'_>, bundle: &Bundle) -> Option<State> {
    let mut policy = Policy::load(bundle.clone(), &mut Diagnostics::default())?;
    if !(question.ready)(&mut policy) {
        return None;
    }
    let input = PlanInput {
        hosts: question.hosts,
        findings: question.findings,
        policy: &policy,
        playbooks: question.playbooks,
        as_of: question.as_of,
        seed: 0,
        inputs: BTreeMap::new(),
        history: &History::default(),
        origin: Origin::default(),
        horizon: question.horizon,
    };
    let plan: Plan = plan(&input).ok()?;
    let about = |decision: &&Decision| question.about.contains(&decision.finding);
    let decisions: Vec<Decision> = plan.report.decisions_of(question.host).iter().filter(about).cloned().collect();
    let is_planned = plan.hosts.contains_key(question.host);
    let planned = decisions.iter().map(|decision| is_planned && decision.kind == DecisionKind::Fix).collect();
    let blocked = plan.report.blocked.get(question.host).map(|reasons| {
        let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
        codes.join(", ")
    });
    let has_rules = !policy.rules().is_empty();
    (!decisions.is_empty()).then_some(State { planned, decisions, blocked, has_rules })
}

fn outcome(state: &State) -> String {
    let decision = &state.decisions[0];
    let host = match &state.blocked {
        Some(codes) => format!(", host blocked: {codes}"),
        None => String::new(),
    };
    let (kind, priority) = (decision.kind.as_str(), decision.assessment.priority);
    let more =
        if state.decisions.len() > 1 { format!(" (and {} more)", state.decisions.len() - 1) } else { String::new() };
    format!("{kind}, priority {priority}, by {}{more}{host}", decision.rule.name)
}

fn candidates(question: &Question<'_>, now: &State) -> Vec<Candidate> {
    let mut all = Vec::new();
    let written: Vec<(usize, Vec<Item>)> =
        question.bundle.policies.iter().enumerate().map(|(index, source)| (index, outline(source))).collect();
    let items = || written.iter().flat_map(|(file, items)| items.iter().map(move |item| (*file, item)));
    let mut maker = Maker { question, all: &mut all };
    for (file, item) in items() {
        let name = item.name();
        if let Some(decision) = now.decisions.first().filter(|_| now.decisions.len() == 1) {
            maker.threshold(file, item, &name, &decision.assessment);
        }
        maker.scope(file, item, &name);
        maker.expiry(file, item, &name);
        maker.set(file, item, &name);
    }
    maker.additions(now, |section| items().any(|(_, item)| item.name() == section));
    // Any other single change: values, comparisons, selectors, rules taken out.
    for mutant in mutants(question.bundle) {
        let cost = if mutant.what.ends_with("taken out") || mutant.what.ends_with("-> all") { 4 } else { 3 };
        all.push(Candidate {
            cost,
            place: Some(mutant.place),
            change: mutant.what,
            bundle: question.bundle.edited(&mutant.edit),
        });
    }
    all
}

struct Maker<'a, 'q> {
    question: &'a Question<'q>,
    all: &'a mut Vec<Candidate>,
}

impl Maker<'_, '_> {
    fn replace(&mut self, cost: u32, file: usize, item: &Item, name: &str, with: &str) {
        let source = &self.question.bundle.policies[file];
        let old = source.text.get(item.start..item.end).unwrap_or_default();
        if old == with {
            return;
        }
        let edit = Edit { file: source.name.clone(), start: item.start, end: item.end, with: with.to_owned() };
        self.all.push(Candidate {
            cost,
            place: Some(source.place(item.start)),
            change: printable(&format!("{name}: {old} -> {with}"), 300),
            bundle: self.question.bundle.edited(&edit),
        });
    }

    /// The score itself as threshold, and just more than it.
    fn threshold(&mut self, file: usize, item: &Item, name: &str, assessment: &Assessment) {
        let Some(score) = assessment.score.filter(|_| name.starts_with("priority.thresholds.")) else { return };
        let above = Score::from_hundredths(score.hundredths() + 1);
        for wanted in [score, above] {
            self.replace(1, file, item, name, &wanted.to_string());
        }
    }

    /// One priority more or less in scope.
    fn scope(&mut self, file: usize, item: &Item, name: &str) {
        if name != "scope.fix" {
            return;
        }
        let source = &self.question.bundle.policies[file];
        let text = &source.text[item.start..item.end];
        let has =
            |priority: &Priority| text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == priority.as_str());
        let inside: Vec<Priority> = Priority::ALL.into_iter().filter(has).collect();
        for priority in Priority::ALL {
            let list: Vec<&str> = Priority::ALL
                .into_iter()
                .filter(|p| inside.contains(p) != (*p == priority))
                .map(Priority::as_str)
                .collect();
            if !list.is_empty() {
                self.replace(1, file, item, name, &format!("[{}]", list.join(", ")));
            }
        }
    }

    /// An exception that ends today, or that lasts another month.
    fn expiry(&mut self, file: usize, item: &Item, name: &str) {
        if !(name.starts_with("exceptions[") && name.ends_with(".expires")) {
            return;
        }
        let today = self.question.as_of.to_zoned(TimeZone::UTC).date();
        let later = TimeSpan::days(30).after(self.question.as_of).to_zoned(TimeZone::UTC).date();
        for day in [today, later] {
            self.replace(1, file, item, name, &day.to_string());
        }
    }

    /// Settings that keep whole hosts out.
    fn set(&mut self, file: usize, item: &Item, name: &str) {
        match name {
            "backup.required" => self.replace(2, file, item, name, "false"),
            "strategy.default" => self.replace(2, file, item, name, "in_place"),
            "strategy.test_fix" => self.replace(2, file, item, name, "never"),
            "rollout.max_unavailable.value" => self.replace(2, file, item, name, "\"1\""),
            _ if name.starts_with("strategy.rules[") && name.ends_with(".use") => {
                self.replace(2, file, item, name, "in_place")
            }
            // Room for the work and the way back.
            _ if name.starts_with("windows[") && name.ends_with("schedule.duration") => {
                self.replace(2, file, item, name, "12h")
            }
            _ => {}
        }
    }

    /// What stands nowhere yet comes as a file of its own.
    fn additions(&mut self, now: &State, is_written: impl Fn(&str) -> bool) {
        let Some(decision) = now.decisions.first() else { return };
        let finding = self.question.findings.iter().find(|(_, finding)| finding.id == decision.finding);
        let Some((host, finding)) = finding else { return };
        let own = format!("{{hosts: \"{host}\", vulnerability: {}}}", finding.vulnerability);
        let until = TimeSpan::days(30).after(self.question.as_of).to_zoned(TimeZone::UTC).date();
        let exception = |kind: &str| {
            format!(
                "exceptions: [{{name: what-if, kind: {kind}, match: {own}, reason: what if, owner: nobody, expires: {until}}}]"
            )
        };
        self.add(5, &exception("ignore"));
        if !is_written("scope.fix") {
            for list in ["critical", "critical, high, medium", "critical, high, medium, low"] {
                self.add(2, &format!("scope: {{fix: [{list}]}}"));
            }
        }
        if !is_written("priority.overrides") {
            for priority in Priority::ALL {
                self.add(5, &format!("priority: {{overrides: [{{name: what-if, match: {own}, priority: {priority}, reason: what if}}]}}"));
            }
        }
        if !is_written("backup.required") {
            self.add(3, "backup: {required: false}");
        }
        if !is_written("rollout.max_unavailable") {
            self.add(3, "rollout: {max_unavailable: {per: {label: service}, value: \"50%\", single_host: true}}");
        }
        if let Some(score) = decision.assessment.score.filter(|_| !is_written("priority.thresholds")) {
            for (critical, high, medium) in
                [(800, score.hundredths(), 350), (800, 600, score.hundredths()), (score.hundredths(), 600, 350)]
            {
                let [critical, high, medium] = [critical, high, medium].map(Score::from_hundredths);
                self.add(
                    2,
                    &format!("priority: {{thresholds: {{critical: {critical}, high: {high}, medium: {medium}}}}}"),
                );
            }
        }
    }

    fn add(&mut self, cost: u32, section: &str) {
        let mut bundle = self.question.bundle.clone();
        bundle.policies.push(Source::new("what-if.yaml", format!("version: 1\n{section}\n")));
        self.all.push(Candidate { cost, place: None, change: format!("add: {section}"), bundle });
    }
}
