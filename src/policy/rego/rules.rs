//! Rules at work: started once, asked in batches for what is new, and remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{self, PriorityAnswer, StrategyAnswer};
use super::client::{Launcher, Runner};
use super::failure::Failure;
use super::input::{self, Paths};
use super::protocol::{Answer, LIFE, Problem, ProblemKind, Request};
use super::scan::{PLAN, PRIORITY, STRATEGY};
use super::set::RuleSet;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::model::{Assessment, Digest, Finding, Host, Priority, RuleRef};
use crate::policy::Policy;
use crate::policy::StrategyKind;
use crate::policy::check::rule;

/// How many evaluations one request asks for: a child that dies loses no more answers.
const BATCH: usize = 128;
/// How many inputs wait to be evaluated, so that a fleet of any size needs no more memory.
const CHUNK: usize = 8_192;
/// How many different problems are told of, and looked for.
const MAX_PROBLEMS: usize = 20;

/// The rules of a policy.
#[derive(Debug, Default)]
pub(in crate::policy) struct Rules {
    pub(super) set: RuleSet,
    /// What is asked of findings and of hosts, where a package of that kind exists.
    about_findings: Option<Asked>,
    about_hosts: Option<Asked>,
    launcher: Option<Arc<dyn Launcher>>,
    answers: Mutex<Answers>,
}

/// A rule that is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub name: &'static str,
    pub paths: Paths,
    pub rule: RuleRef,
    pub at: Option<Span>,
}

#[derive(Debug, Default)]
struct Answers {
    /// The time that the last answers refer to: hosts are asked about without one.
    as_of: Option<Timestamp>,
    findings: BTreeMap<Digest, Option<PriorityAnswer>>,
    hosts: BTreeMap<Digest, Option<StrategyAnswer>>,
}

/// What rules say of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum PriorityVoice {
    /// Nothing: what the rest of the policy says holds.
    Silent,
    /// This priority.
    Says { priority: Priority, rule: RuleRef, reason: Option<String> },
    /// They were not, or could not be, asked: nothing may be done.
    Unknown { rule: RuleRef, why: &'static str },
}

/// What rules say of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum StrategyVoice {
    Silent,
    Says { kind: StrategyKind, rule: RuleRef, reason: Option<String> },
    Unknown { rule: RuleRef, why: &'static str },
}

const UNKNOWN: &str = "the rules were not evaluated for this finding, so that nothing may be done";
const UNKNOWN_HOST: &str = "the rules of strategy were not evaluated for this host, so that nothing may be done";

/// How much work rules were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Findings that were looked at.
    pub findings: u64,
    /// Evaluations that they needed.
    pub evaluations: u64,
}

impl Rules {
    pub fn new(set: RuleSet) -> Self {
        let asked = |package: &'static str, name: &'static str, short: &str| {
            let (_, last) = name.rsplit_once('.').unwrap_or(("", name));
            let at = set.head(package, last)?;
            let rule = rule(&format!("rules/{short}"), Some(&at));
            Some(Asked { name, paths: set.paths(package), rule, at: Some(at) })
        };
        let about_findings = asked(PRIORITY, "data.switchback.priority.override", "priority.override");
        let about_hosts = asked(STRATEGY, "data.switchback.strategy.use", "strategy.use");
        Self { set, about_findings, about_hosts, ..Self::default() }
    }

    /// What the rules say of a finding, of which the rest of the policy says `base`.
    pub fn priority(&self, finding: &Finding, host: &Host, base: &Assessment, as_of: Timestamp) -> PriorityVoice {
        let Some(asked) = &self.about_findings else { return PriorityVoice::Silent };
        let key = key(&input::about_finding(&asked.paths, finding, host, base, as_of));
        match self.answers().findings.get(&key) {
            None => PriorityVoice::Unknown { rule: asked.rule.clone(), why: UNKNOWN },
            Some(None) => PriorityVoice::Silent,
            Some(Some(answer)) => PriorityVoice::Says {
                priority: answer.priority,
                rule: asked.rule.clone(),
                reason: answer.reason.clone(),
            },
        }
    }

    /// What the rules say of a host.
    pub fn strategy(&self, host: &Host, importance: crate::model::Importance) -> StrategyVoice {
        let Some(asked) = &self.about_hosts else { return StrategyVoice::Silent };
        let answers = self.answers();
        let key = answers.as_of.map(|as_of| key(&input::about_host(&asked.paths, host, importance, as_of)));
        match key.and_then(|key| answers.hosts.get(&key)) {
            None => StrategyVoice::Unknown { rule: asked.rule.clone(), why: UNKNOWN_HOST },
            Some(None) => StrategyVoice::Silent,
            Some(Some(answer)) => {
                StrategyVoice::Says { kind: answer.kind, rule: asked.rule.clone(), reason: answer.reason.clone() }
            }
        }
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A child with the rules loaded.
    pub(super) fn launch(&self) -> Result<Box<dyn Runner>, Box<Diagnostic>> {
        let Some(launcher) = &self.launcher else {
            let message = "the policy has rules, and they were not started";
            return Err(Diagnostic::error("rego-unavailable", message).into());
        };
        let mut found = Vec::new();
        let runner = load(&self.set, false, launcher.as_ref(), &mut found);
        let otherwise = || Diagnostic::error("rego-unavailable", "no evaluator");
        runner.ok_or_else(|| found.pop().unwrap_or_else(otherwise).into())
    }

    /// Evaluates one rule for all inputs; gives what is known, and adds the problems.
    fn evaluate<T: Send>(
        &self,
        asked: &Asked,
        pending: &BTreeMap<Digest, Pending>,
        read: fn(&Value) -> Result<Option<T>, String>,
        problems: &Mutex<BTreeMap<String, Found>>,
    ) -> BTreeMap<Digest, Option<T>> {
        let inputs: Vec<(&Digest, &Pending)> = pending.iter().collect();
        let batches: Vec<&[(&Digest, &Pending)]> = inputs.chunks(BATCH).collect();
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let answers = Mutex::new(BTreeMap::new());
        let workers = self.launcher.as_ref().map_or(1, |launcher| launcher.workers()).clamp(1, batches.len().max(1));
        let work = || {
            let mut slot: Option<(Box<dyn Runner>, Duration)> = None;
            while !stop.load(Ordering::Relaxed) {
                let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let (mut runner, worked) = match slot.take().filter(|(_, worked)| *worked < LIFE) {
                    Some(old) => old,
                    None => match self.launch() {
                        Ok(runner) => (runner, Duration::ZERO),
                        Err(diagnostic) => {
                            stop.store(true, Ordering::Relaxed);
                            add(problems, Found { diagnostic: *diagnostic, example: String::new(), count: 0 });
                            return;
                        }
                    },
                };
                let begun = Instant::now();
                let inputs = batch.iter().map(|(_, pending)| pending.input.clone()).collect();
                let request = Request::Evaluate { rule: asked.name.to_owned(), inputs };
                let mut done = 0;
                let asked_for = runner.ask(&request, batch.len(), &mut |answer| {
                    let (key, pending) = batch[done];
                    done += 1;
                    match self.judge(asked, answer, read) {
                        Ok(value) => {
                            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                            answers.insert(*key, value);
                        }
                        Err(trouble) => {
                            let fatal = trouble.fatal;
                            if add(problems, Found::new(trouble.diagnostic, pending)) || fatal {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                });
                if let Err(failure) = asked_for {
                    stop.store(true, Ordering::Relaxed);
                    let doing = format!("rule `{}`", asked.name);
                    let found =
                        Found::new(failure.diagnostic(&doing, asked.at.clone()), batch[done.min(batch.len() - 1)].1);
                    add(problems, found);
                    return;
                }
                slot = Some((runner, worked + begun.elapsed()));
            }
        };
        if workers == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(work);
                }
            });
        }
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an answer means.
    pub(super) fn judge<T>(
        &self,
        asked: &Asked,
        answer: Answer,
        read: fn(&Value) -> Result<Option<T>, String>,
    ) -> Result<Option<T>, Box<Trouble>> {
        let doing = format!("rule `{}`", asked.name);
        let diagnostic = |code: &'static str, message: String| {
            let diagnostic = Diagnostic::error(code, message);
            match asked.at.clone() {
                Some(at) => diagnostic.at(at),
                None => diagnostic,
            }
        };
        let trouble = |diagnostic, fatal| Err(Box::new(Trouble { diagnostic, fatal }));
        match answer {
            Answer::Value(value) => match read(&value) {
                Ok(read) => Ok(read),
                Err(why) => trouble(diagnostic("invalid-rule-decision", format!("{doing}: {why}")), false),
            },
            Answer::Undefined => {
                let (_, last) = asked.name.rsplit_once('.').unwrap_or(("", asked.name));
                let help = format!("write `default {last} := null` where it has no opinion");
                trouble(diagnostic("undefined-rule-decision", format!("{doing} has no value")).help(help), false)
            }
            Answer::Problem(problem) => {
                let fatal = matches!(problem.kind, ProblemKind::Timeout | ProblemKind::TooLarge);
                trouble(problem.diagnostic(&self.set, &doing, asked.at.clone()), fatal)
            }
            Answer::Added(_) | Answer::Done | Answer::Tested { .. } => {
                let failure = Failure::Crashed("it gave an answer to another question".to_owned());
                trouble(failure.diagnostic(&doing, asked.at.clone()), true)
            }
        }
    }
}

/// Why an answer says nothing.
pub(super) struct Trouble {
    pub diagnostic: Diagnostic,
    /// The next input would cost as much time again.
    pub fatal: bool,
}

/// An input that is to be evaluated, with one of those it stands for.
struct Pending {
    input: Value,
    example: String,
}

/// A problem with the first finding or host that has it.
struct Found {
    diagnostic: Diagnostic,
    example: String,
    count: usize,
}

impl Found {
    fn new(diagnostic: Diagnostic, pending: &Pending) -> Self {
        Self { diagnostic, example: pending.example.clone(), count: 1 }
    }

    fn into_diagnostic(self) -> Diagnostic {
        let mut diagnostic = self.diagnostic;
        if !self.example.is_empty() {
            let others = match self.count {
                0 | 1 => String::new(),
                count => format!(" and {} other inputs", count - 1),
            };
            let message = format!("{}; for {}{others}", diagnostic.message, self.example);
            diagnostic.message = crate::model::printable(&message, 800);
        }
        diagnostic
    }
}

/// Adds a problem, or counts one that is known; whether there are enough.
fn add(problems: &Mutex<BTreeMap<String, Found>>, found: Found) -> bool {
    let mut problems = problems.lock().unwrap_or_else(PoisonError::into_inner);
    let known = problems.entry(found.diagnostic.to_string()).or_insert_with(|| Found {
        diagnostic: found.diagnostic.clone(),
        example: found.example.clone(),
        count: 0,
    });
    known.count += found.count;
    // Workers are in no order: the first example by name is told.
    if found.example < known.example {
        known.example = found.example;
    }
    problems.len() >= MAX_PROBLEMS
}

fn key(input: &Value) -> Digest {
    Digest::of(input.to_string().as_bytes())
}

/// Starts a child and gives it the rules; every problem becomes a diagnostic.
pub(super) fn load(
    set: &RuleSet,
    with_tests: bool,
    launcher: &dyn Launcher,
    problems: &mut Vec<Diagnostic>,
) -> Option<Box<dyn Runner>> {
    let mut runner = match launcher.launch() {
        Ok(runner) => runner,
        Err(failure) => {
            problems.push(failure.diagnostic("rules", None));
            return None;
        }
    };
    let files = set.files.iter().chain(set.tests.iter().filter(|_| with_tests));
    for (number, file) in files.enumerate() {
        let request = Request::Add { file: u32::try_from(number).unwrap_or(u32::MAX), text: file.source.text.clone() };
        let at = Span { source: Arc::clone(&file.source), offset: 0, length: 0 };
        let package = format!("data.{}", file.facts.package);
        if let Err(problem) = one(runner.as_mut(), &request, &package) {
            let fatal = problem.is_err();
            problems.push(match problem {
                Ok(problem) => problem.diagnostic(set, "", Some(at)),
                Err(failure) => failure.diagnostic("reading this file", Some(at)),
            });
            if fatal {
                return None;
            }
        }
    }
    if !problems.is_empty() {
        return None;
    }
    let at = || set.files.first().map(|file| Span { source: Arc::clone(&file.source), offset: 0, length: 0 });
    match one(runner.as_mut(), &Request::Compile { coverage: with_tests }, "") {
        Ok(()) => Some(runner),
        Err(problem) => {
            problems.push(match problem {
                Ok(problem) => problem.diagnostic(set, "", at()),
                Err(failure) => failure.diagnostic("checking the rules", at()),
            });
            None
        }
    }
}

/// Asks for something that is done or not.
fn one(runner: &mut dyn Runner, request: &Request, package: &str) -> Result<(), Result<Problem, Failure>> {
    let mut answer = None;
    runner.ask(request, 1, &mut |given| answer = Some(given)).map_err(Err)?;
    match answer {
        Some(Answer::Done) => Ok(()),
        // What was read of the text here must be what is evaluated there.
        Some(Answer::Added(read)) if read == package => Ok(()),
        Some(Answer::Added(_)) => {
            let message = "the package has a name that cannot be asked for: write words with dots between them";
            Err(Ok(Problem { kind: ProblemKind::Invalid, message: message.to_owned(), place: None }))
        }
        Some(Answer::Problem(problem)) => Err(Ok(problem)),
        _ => Err(Err(Failure::Crashed("it gave an answer to another question".to_owned()))),
    }
}

impl Policy {
    /// The rule files of the policy and their tests.
    pub fn rules(&self) -> &RuleSet {
        &self.rules.set
    }

    /// Lets a child check the rules; from then on they can be asked. Without rules nothing is started.
    pub fn start_rules(&mut self, launcher: Arc<dyn Launcher>, diagnostics: &mut Diagnostics) {
        if self.rules.set.files.is_empty() {
            return;
        }
        let mut problems = Vec::new();
        if let Some(runner) = load(&self.rules.set, false, launcher.as_ref(), &mut problems)
            && self.rules.try_out(runner, &mut problems)
        {
            self.rules.launcher = Some(launcher);
        }
        problems.into_iter().for_each(|problem| diagnostics.push(problem));
    }

    /// Lets the rules judge these findings and their hosts, each distinct input once. What is not prepared, or could
    /// not be, is decided `manual`.
    pub fn prepare<'a>(
        &self,
        findings: impl IntoIterator<Item = (&'a Host, &'a Finding)>,
        as_of: Timestamp,
    ) -> Result<Prepared, Vec<Diagnostic>> {
        let rules = &self.rules;
        let mut prepared = Prepared::default();
        if rules.about_findings.is_none() && rules.about_hosts.is_none() {
            return Ok(prepared);
        }
        rules.answers().as_of = Some(as_of);
        let problems = Mutex::default();
        let mut pending: BTreeMap<Digest, Pending> = BTreeMap::new();
        let mut hosts: BTreeMap<Digest, Pending> = BTreeMap::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (host, finding) in findings {
            prepared.findings += 1;
            if let Some(asked) = &rules.about_findings {
                let base = self.assess_as_written(finding, host, as_of);
                let input = input::about_finding(&asked.paths, finding, host, &base, as_of);
                let key = key(&input);
                if !rules.answers().findings.contains_key(&key) {
                    let example = || format!("{} on {}", finding.vulnerability, host.name);
                    pending.entry(key).or_insert_with(|| Pending { input, example: example() });
                }
            }
            if let Some(asked) = rules.about_hosts.as_ref().filter(|_| seen.insert(host.name.as_str())) {
                let input = input::about_host(&asked.paths, host, self.importance_value(host), as_of);
                let key = key(&input);
                if !rules.answers().hosts.contains_key(&key) {
                    hosts.entry(key).or_insert_with(|| Pending { input, example: host.name.to_string() });
                }
            }
            if pending.len() >= CHUNK || hosts.len() >= CHUNK {
                prepared.evaluations += rules.flush(&mut pending, &mut hosts, &problems);
            }
        }
        prepared.evaluations += rules.flush(&mut pending, &mut hosts, &problems);
        let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        if problems.is_empty() {
            return Ok(prepared);
        }
        Err(problems.into_values().map(Found::into_diagnostic).collect())
    }
}

impl Rules {
    /// Asks every rule about nothing: what is wrong whatever the input is shows now. Whether it found nothing.
    fn try_out(&self, mut runner: Box<dyn Runner>, problems: &mut Vec<Diagnostic>) -> bool {
        let asked = [(PRIORITY, "override"), (STRATEGY, "use"), (PLAN, "deny"), (PLAN, "warn")];
        for (package, name) in asked {
            let Some(at) = self.set.head(package, name) else { continue };
            let rule = format!("data.{package}.{name}");
            let doing = format!("rule `{rule}`");
            let request = Request::Evaluate { rule, inputs: vec![Value::Object(serde_json::Map::new())] };
            let mut answer = None;
            match (runner.ask(&request, 1, &mut |given| answer = Some(given)), answer) {
                (Err(failure), _) => {
                    problems.push(failure.diagnostic(&doing, Some(at)));
                    break;
                }
                // That there is no value for nothing, or a wrong one, says little.
                (Ok(()), Some(Answer::Problem(problem))) if problem.kind != ProblemKind::Failed => {
                    problems.push(problem.diagnostic(&self.set, &doing, Some(at)));
                }
                _ => {}
            }
        }
        problems.is_empty()
    }

    /// Evaluates what is pending and remembers it; how many evaluations that were.
    fn flush(
        &self,
        pending: &mut BTreeMap<Digest, Pending>,
        hosts: &mut BTreeMap<Digest, Pending>,
        problems: &Mutex<BTreeMap<String, Found>>,
    ) -> u64 {
        let fine = || problems.lock().unwrap_or_else(PoisonError::into_inner).len() < MAX_PROBLEMS;
        let mut count = 0;
        if let Some(asked) = self.about_findings.as_ref().filter(|_| !pending.is_empty() && fine()) {
            count += pending.len() as u64;
            let found = self.evaluate(asked, pending, answer::priority, problems);
            self.answers().findings.extend(found);
        }
        if let Some(asked) = self.about_hosts.as_ref().filter(|_| !hosts.is_empty() && fine()) {
            count += hosts.len() as u64;
            let found = self.evaluate(asked, hosts, answer::strategy, problems);
            self.answers().hosts.extend(found);
        }
        pending.clear();
        hosts.clear();
        count
    }
}
