//! Raw files to one checked policy: every problem of every file becomes a diagnostic.

mod rollout;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decide::{
    ApprovalRule, Emergency, Freeze, ImportanceRule, Override, Policy, ProbeRule, StrategyRule, Window,
};
use super::exceptions;
use super::manual;
use super::notify;
use super::raw::{
    ApprovalRaw, ChangeRaw, EmergencyRaw, FreezeRaw, OverrideRaw, PolicyRaw, PriorityRaw, ProbeRaw, SpanOrNever,
    StrategyRaw, WindowRaw,
};
use super::rego::{RuleSet, Rules, is_rego_test};
use super::score;
use super::selector::{Context, Selector};
use super::vex;
use super::{Amount, ApprovalPolicy, Bundle, ProbePolicy, Proven, Signers};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{
    ChangeCheck, ChangePolicy, Importance, Priority, RuleName, RuleRef, Score, TimeSpan, is_unprintable, printable,
};
use crate::yaml::{Size, Spanned, parse, span};

/// The version of the policy format.
const VERSION: u32 = 1;

/// How long an approval is good for where policy does not say.
pub(super) const APPROVAL_VALID: TimeSpan = TimeSpan::days(3);

/// No plan waits for more people.
const MAX_PEOPLE: u32 = 20;

/// A controller is silent for a minute between two looks at a host that does not answer; so long that is no reason to go
/// back.
const SHORTEST_DEAD_MAN: TimeSpan = TimeSpan::minutes(2);
/// A thousand people with a key each.
const MAX_SIGNERS: usize = 256 << 10;

/// Names are shown in tables and become part of other names.
const MAX_NAME: usize = 100;

/// Reads and checks all files, in any order.
pub(super) fn check(bundle: &Bundle, diagnostics: &mut Diagnostics) -> Option<Policy> {
    let mut found = Diagnostics::default();
    let policy = read(bundle, &mut found);
    let fine = !found.has_errors();
    diagnostics.extend(found);
    fine.then_some(policy)
}

/// What the files say as far as it can be read.
pub(super) fn read(bundle: &Bundle, diagnostics: &mut Diagnostics) -> Policy {
    let mut files = bundle.policies.clone();
    files.sort_by(|a, b| (&a.name, &a.text).cmp(&(&b.name, &b.text)));
    let mut policy = Policy::new(super::bundle::digest(&[]));
    let mut check = Check {
        policy: &mut policy,
        diagnostics,
        set: BTreeMap::new(),
        bundle,
        named: BTreeMap::new(),
        rules: Vec::new(),
    };
    for source in &files {
        if let Some(raw) = parse::<PolicyRaw>(source, Size::Small, check.diagnostics) {
            check.file(source, raw);
        }
    }
    let set = std::mem::take(&mut check.set);
    // What policies name is part of what they say.
    let named = std::mem::take(&mut check.named);
    let rules = std::mem::take(&mut check.rules);
    policy.texts = files.iter().chain(named.values()).cloned().collect();
    policy.digest = super::bundle::digest(&policy.texts);
    policy.rules = Rules::new(RuleSet::read(rules, diagnostics));
    policy.set_at = set.into_iter().filter(|((_, name), _)| name.is_empty()).map(|((key, _), at)| (key, at)).collect();
    // The order of files must not matter: where the first match wins, names decide.
    policy.exceptions.sort();
    policy.windows.sort_by(|a, b| a.name.cmp(&b.name));
    policy.freezes.sort_by(|a, b| a.name.cmp(&b.name));
    policy.probes.sort_by(|a, b| a.probe.name.cmp(&b.probe.name));
    policy.notify.sort();
    policy
}

pub(super) struct Check<'a> {
    pub(super) policy: &'a mut Policy,
    pub(super) diagnostics: &'a mut Diagnostics,
    /// What was set so far, by key or by section and name.
    set: BTreeMap<(&'static str, String), Span>,
    bundle: &'a Bundle,
    /// The files that policies name, by name.
    named: BTreeMap<String, Arc<Source>>,
    /// The rule files among them, tests of rules included.
    rules: Vec<Arc<Source>>,
}

impl Check<'_> {
    fn file(&mut self, source: &Arc<Source>, raw: PolicyRaw) {
        if raw.version.value != VERSION {
            self.error("unsupported-version", source, &raw.version, format!("this program reads version {VERSION}"));
        }
        self.rules(source, &raw.rules);
        self.priority(source, raw.priority);
        if let Some((importance, at)) = self.scalar("importance.default", source, raw.importance.default) {
            self.policy.importance = (importance, rule("importance.default", Some(&at)));
        }
        let rules = raw.importance.rules;
        self.ordered("importance.rules", source, rules.first().map(|rule| &rule.matches));
        for (index, raw) in rules.into_iter().enumerate() {
            let at = span(source, &raw.matches);
            let selector = self.selector(source, Context::ImportanceRule, &raw.matches);
            let rule = rule(&format!("importance.rules/{}", index + 1), Some(&at));
            self.policy.importance_rules.push(ImportanceRule { selector, importance: raw.importance, rule, at });
        }
        if let Some((fix, at)) = self.scalar("scope.fix", source, raw.scope.fix) {
            self.policy.scope = (fix.0.into_iter().collect(), rule("scope.fix", Some(&at)));
        }
        self.emergency(source, raw.scope.emergency);
        for raw in raw.exceptions {
            exceptions::check(self, source, raw);
        }
        vex::load(self, source, raw.vex);
        for raw in raw.windows {
            self.window(source, raw);
        }
        for raw in raw.freezes {
            self.freeze(source, raw);
        }
        self.strategy(source, raw.strategy);
        if let Some((required, _)) = self.scalar("backup.required", source, raw.backup.required) {
            self.policy.backup.required = required;
        }
        if let Some((max_age, _)) = self.scalar("backup.max_age", source, raw.backup.max_age) {
            self.policy.backup.max_age = max_age;
        }
        if let Some((keep, _)) = self.scalar("backup.keep", source, raw.backup.keep) {
            self.policy.backup.keep = keep;
        }
        if let Some((within, at)) = self.scalar("backup.drill_within", source, raw.backup.drill_within) {
            if within == TimeSpan::ZERO {
                self.push(Diagnostic::error("invalid-value", "no drill is ever that recent").at(at));
            }
            self.policy.backup.drill_within = Some(within);
        }
        if let Some((SpanOrNever(after), at)) = self.scalar("backup.dead_man", source, raw.backup.dead_man) {
            if after.is_some_and(|after| after < SHORTEST_DEAD_MAN) {
                let why = format!("at least {SHORTEST_DEAD_MAN}, or `never`: hosts would go back for a short silence");
                self.push(Diagnostic::error("invalid-value", why).at(at));
            }
            self.policy.backup.dead_man = after;
        }
        self.rollout(source, raw.rollout);
        if let Some((reboot, _)) = self.scalar("reboot", source, raw.reboot) {
            self.policy.reboot = reboot;
        }
        if let Some((pending, _)) = self.scalar("reboot_pending_before", source, raw.reboot_pending_before) {
            self.policy.pending_reboot = pending;
        }
        if let Some((units, _)) = self.scalar("restart.never", source, raw.restart.never) {
            self.units(source, &units.0);
        }
        if let Some((soak, _)) = self.scalar("verify.soak", source, raw.verify.soak) {
            self.policy.verify_soak = soak;
        }
        for raw in raw.verify.probes {
            self.probe(source, raw);
        }
        self.approvals(source, raw.approvals);
        self.change(source, raw.change);
        self.ordered("manual", source, raw.manual.first().map(|rule| &rule.matches));
        for raw in raw.manual {
            manual::check(self, source, raw);
        }
        for raw in raw.notify {
            notify::check(self, source, raw);
        }
        if let Some((allow, _)) = self.scalar("playbooks.allow_removals", source, raw.playbooks.allow_removals) {
            self.policy.allow_removals = allow;
        }
    }

    fn priority(&mut self, source: &Arc<Source>, raw: PriorityRaw) {
        if let Some((weights, at)) = self.scalar("priority.weights", source, raw.weights) {
            let each = [&weights.cvss, &weights.exploitation, &weights.importance, &weights.age];
            let wrong: Vec<_> = each.into_iter().filter(|weight| !(0.0..=1000.0).contains(&weight.value)).collect();
            for weight in &wrong {
                self.error("invalid-weight", source, weight, "a weight lies between 0 and 1000");
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let millionths = each.map(|weight| (weight.value.clamp(0.0, 1000.0) * 1e6).round() as u64);
            match score::normalise(millionths) {
                Some(weights) => self.policy.scoring.weights = weights,
                None if wrong.is_empty() => {
                    self.push(Diagnostic::error("invalid-weight", "all weights are zero").at(at))
                }
                None => {}
            }
        }
        if let Some((age, at)) = self.scalar("priority.age_full_at", source, raw.age_full_at) {
            if age == TimeSpan::ZERO {
                self.push(Diagnostic::error("invalid-value", "`age_full_at` is longer than no time").at(at));
            }
            self.policy.scoring.age_full_at = age;
        }
        if let Some((points, at)) = self.scalar("priority.importance_points", source, raw.importance_points)
            && let Some([important, general, test]) =
                self.scores(source, [&points.important, &points.general, &points.test])
        {
            if important < general || general < test {
                self.push(
                    Diagnostic::error("points-out-of-order", "a more important host has fewer points")
                        .at(at)
                        .help("important >= general >= test"),
                );
            }
            [self.policy.scoring.important, self.policy.scoring.general, self.policy.scoring.test] =
                [important, general, test];
        }
        if let Some((thresholds, at)) = self.scalar("priority.thresholds", source, raw.thresholds) {
            let each = [&thresholds.critical, &thresholds.high, &thresholds.medium];
            if let Some([critical, high, medium]) = self.scores(source, each) {
                if critical <= high || high <= medium {
                    let message = "the thresholds are out of order: some priority can never be reached";
                    let help = "critical > high > medium";
                    self.push(Diagnostic::error("thresholds-out-of-order", message).at(at.clone()).help(help));
                }
                [self.policy.scoring.critical, self.policy.scoring.high, self.policy.scoring.medium] =
                    [critical, high, medium];
                self.policy.thresholds_at = Some(at.place());
            }
        }
        if let Some((unscored, at)) = self.scalar("priority.unscored", source, raw.unscored) {
            self.policy.unscored = (unscored, rule("priority.unscored", Some(&at)));
        }
        self.ordered("priority.overrides", source, raw.overrides.first().map(|raw| &raw.name));
        for raw in raw.overrides {
            self.priority_override(source, raw);
        }
        if let Some((deadlines, at)) = self.scalar("priority.deadlines", source, raw.deadlines) {
            let given =
                [deadlines.critical, deadlines.high, deadlines.medium, deadlines.low].map(|d| d.map(|d| d.value));
            let in_order: Vec<TimeSpan> = given.iter().flatten().copied().collect();
            if !in_order.is_sorted() {
                self.push(
                    Diagnostic::error("deadlines-out-of-order", "a more urgent priority has a later deadline")
                        .at(at)
                        .help("critical <= high <= medium <= low"),
                );
            }
            self.policy.deadlines = Priority::ALL.into_iter().zip(given).filter_map(|(p, d)| Some((p, d?))).collect();
        }
    }

    fn priority_override(&mut self, source: &Arc<Source>, raw: OverrideRaw) {
        let Some((name, at)) = self.name("priority.overrides", source, &raw.name) else { return };
        let selector = self.selector(source, Context::Finding, &raw.matches);
        self.reason(source, &raw.reason);
        let rule = rule(&format!("priority.overrides/{name}"), Some(&at));
        let reason = printable(&raw.reason.value, 300);
        self.policy.overrides.push(Override { selector, priority: raw.priority, reason, rule, at });
    }

    fn window(&mut self, source: &Arc<Source>, raw: WindowRaw) {
        let name = self.name("windows", source, &raw.name);
        let selector = self.selector(source, Context::Host, &raw.matches);
        let times = super::calendars::window(self, source, &raw);
        if let (Some((name, at)), Some(times)) = (name, times) {
            let never = times.is_never();
            self.policy.windows.push(Window { name, selector, times, never, at });
        }
    }

    fn freeze(&mut self, source: &Arc<Source>, raw: FreezeRaw) {
        let name = self.name("freezes", source, &raw.name);
        let selector = self.selector(source, Context::Host, &raw.matches);
        self.reason(source, &raw.reason);
        let span = super::calendars::freeze(self, source, &raw);
        if let (Some((name, at)), Some(span)) = (name, span) {
            let reason = printable(&raw.reason.value, 300);
            self.policy.freezes.push(Freeze { name, selector, span, reason, at });
        }
    }

    fn strategy(&mut self, source: &Arc<Source>, raw: StrategyRaw) {
        if let Some((proven, _)) = self.scalar("strategy.proven", source, raw.proven) {
            if proven.successes.value == 0 {
                self.error("invalid-value", source, &proven.successes, "a fix that never succeeded is not proven");
            }
            if proven.within.value == TimeSpan::ZERO {
                self.error("invalid-value", source, &proven.within, "no success is ever that recent");
            }
            self.policy.proven = Proven { successes: proven.successes.value, within: proven.within.value };
        }
        if let Some((test_fix, _)) = self.scalar("strategy.test_fix", source, raw.test_fix) {
            self.policy.test_fix = test_fix;
        }
        if let Some((labels, at)) = self.scalar("strategy.similar_by", source, raw.similar_by) {
            for label in labels.iter().filter(|label| label.is_empty() || label.contains(is_unprintable)) {
                let message = format!("`{}` is no name of a label", printable(label, 80));
                self.diagnostics.push(Diagnostic::error("invalid-value", message).at(at.clone()));
            }
            self.policy.similar_by = labels.into_iter().collect();
        }
        if let Some((stateful, _)) = self.scalar("strategy.stateful", source, raw.stateful) {
            let at = span(source, &stateful.matches);
            self.policy.stateful = Some((self.selector(source, Context::Host, &stateful.matches), at));
        }
        if let Some((bisect, _)) = self.scalar("strategy.bisect", source, raw.bisect) {
            self.policy.bisect = bisect;
        }
        if let Some((quarantine, _)) = self.scalar("strategy.quarantine", source, raw.quarantine) {
            self.policy.quarantine = quarantine;
        }
        if let Some((keep, _)) = self.scalar("strategy.keep_failed", source, raw.keep_failed) {
            self.policy.keep_failed = keep;
        }
        if let Some((kind, at)) = self.scalar("strategy.default", source, raw.default) {
            self.policy.strategy = (kind, rule("strategy.default", Some(&at)));
        }
        self.ordered("strategy.rules", source, raw.rules.first().map(|raw| &raw.matches));
        for (index, raw) in raw.rules.into_iter().enumerate() {
            let at = span(source, &raw.matches);
            let selector = self.selector(source, Context::Host, &raw.matches);
            self.reason(source, &raw.reason);
            let rule = rule(&format!("strategy.rules/{}", index + 1), Some(&at));
            self.policy.strategy_rules.push(StrategyRule { selector, kind: raw.uses.value, rule, at });
        }
    }

    fn emergency(&mut self, source: &Arc<Source>, raw: Option<Spanned<EmergencyRaw>>) {
        let Some((raw, at)) = self.scalar("scope.emergency", source, raw) else { return };
        let selector = self.selector(source, Context::Finding, &raw.matches);
        let approvals = raw.approvals.as_ref().map(|count| self.people(source, count));
        self.policy.emergency = Some(Emergency {
            selector,
            bypass_freeze: raw.bypass_freeze,
            approvals,
            rule: rule("scope.emergency", Some(&at)),
            at: span(source, &raw.matches),
        });
    }

    fn approvals(&mut self, source: &Arc<Source>, raw: Vec<ApprovalRaw>) {
        self.ordered("approvals", source, raw.first().map(|raw| &raw.matches));
        for (index, raw) in raw.into_iter().enumerate() {
            let at = span(source, &raw.matches);
            let selector = self.selector(source, Context::Host, &raw.matches);
            let required = self.people(source, &raw.required);
            if let Some(from) = raw.from.as_ref().filter(|from| from.value.trim().is_empty()) {
                self.error("invalid-value", source, from, "this names nobody: write a file or a group of approvers");
            }
            let valid_for = raw.valid_for.as_ref().map_or(APPROVAL_VALID, |valid| valid.value);
            if let Some(valid) = raw.valid_for.as_ref().filter(|valid| valid.value == TimeSpan::ZERO) {
                self.error("invalid-value", source, valid, "an approval that is good for no time is never given");
            }
            let rule = rule(&format!("approvals/{}", index + 1), Some(&at));
            let signers = raw.from.as_ref().filter(|from| !from.value.trim().is_empty());
            let signers = signers.and_then(|from| self.signers(source, from));
            let from = raw.from.map(|from| printable(&from.value, 200));
            let approval = ApprovalPolicy { rule, required, from, signers, not_author: raw.not_author, valid_for };
            self.policy.approvals.push(ApprovalRule { selector, approval, at });
        }
    }

    /// The people who may approve. Their file is no part of the policy's digest: a plan keeps whom it had, and who leaves
    /// the file later stops counting without a new plan.
    fn signers(&mut self, source: &Arc<Source>, from: &Spanned<String>) -> Option<Signers> {
        let found = self.bundle.find(source, &from.value).map_err(|error| error.to_string());
        let found = found.and_then(|found| <[_; 1]>::try_from(found).map_err(|_| "this is not one file".to_owned()));
        let [file] = match found {
            Ok(found) => found,
            // No error: the plan can be made and looked at, but not run.
            Err(why) => {
                let message = format!("nobody can approve: `{}`: {why}", printable(&from.value, 120));
                self.push(
                    Diagnostic::warning("approvers-missing", message)
                        .at(span(source, from))
                        .help("name a file in the format of `allowed_signers` of OpenSSH beside the policy"),
                );
                return None;
            }
        };
        let names = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if !file.text.lines().any(names) || file.text.len() > MAX_SIGNERS {
            let message = format!("this file of approvers names nobody, or is larger than {} KiB", MAX_SIGNERS >> 10);
            self.error("invalid-value", source, from, message);
            return None;
        }
        Some(Signers { file: file.name.clone(), text: file.text.clone() })
    }

    fn change(&mut self, source: &Arc<Source>, raw: Option<Spanned<ChangeRaw>>) {
        let Some((raw, _)) = self.scalar("change", source, raw) else { return };
        let mut check = None;
        if let Some(asked) = raw.check {
            check = match (&asked.value.command, &asked.value.webhook) {
                (Some(command), None) => {
                    if command.value.first().is_none_or(|program| program.trim().is_empty()) {
                        self.error("invalid-value", source, command, "the command is empty");
                    }
                    Some(ChangeCheck::Command(command.value.clone()))
                }
                (None, Some(webhook)) => {
                    self.variable(source, &webhook.url_env);
                    Some(ChangeCheck::Webhook { url_env: webhook.url_env.value.clone() })
                }
                _ => {
                    self.error("invalid-value", source, &asked, "a check has either `command` or `webhook`");
                    None
                }
            };
        }
        self.policy.change = Some(ChangePolicy { required: raw.required, check });
    }

    /// The name of an environment variable that holds a URL.
    fn variable(&mut self, source: &Arc<Source>, name: &Spanned<String>) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.value.is_empty()
            || !name.value.chars().all(plain)
            || name.value.starts_with(|c: char| c.is_ascii_digit())
        {
            self.push(
                Diagnostic::error("invalid-value", format!("`{}` is no variable", printable(&name.value, 60)))
                    .at(span(source, name))
                    .help("name the environment variable that holds the URL: secrets do not stand in policies"),
            );
        }
    }

    /// A number of people who approve.
    fn people(&mut self, source: &Arc<Source>, count: &Spanned<u32>) -> u32 {
        if !(1..=MAX_PEOPLE).contains(&count.value) {
            let message = format!("between 1 and {MAX_PEOPLE} people approve a plan");
            self.error("invalid-value", source, count, message);
        }
        count.value
    }

    fn probe(&mut self, source: &Arc<Source>, raw: ProbeRaw) {
        let name = self.name("verify.probes", source, &raw.name);
        let selector = self.selector(source, Context::Host, &raw.matches);
        let url = &raw.http.url;
        if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
            self.error("invalid-url", source, url, "a probe asks a URL that begins with http:// or https://");
        }
        let authority =
            url.value.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
        if authority.contains('@') {
            self.error(
                "invalid-url",
                source,
                url,
                "a probe's URL names nobody: what is before an @ would be in every plan",
            );
        }
        let status = raw.http.status.as_ref().map_or(200, |status| status.value);
        if let Some(status) = raw.http.status.as_ref().filter(|s| !(100..=599).contains(&s.value)) {
            self.error("invalid-value", source, status, "an HTTP status lies between 100 and 599");
        }
        let timeout = raw.http.timeout.as_ref().map_or(TimeSpan::seconds(10), |timeout| timeout.value);
        if let Some(timeout) = raw.http.timeout.as_ref().filter(|t| t.value == TimeSpan::ZERO) {
            self.error("invalid-value", source, timeout, "a probe without any time always fails");
        }
        if let Some((name, at)) = name {
            let probe = ProbePolicy { name, url: raw.http.url.value, status, contains: raw.http.contains, timeout };
            self.policy.probes.push(ProbeRule { selector, probe, at });
        }
    }

    fn rules(&mut self, source: &Arc<Source>, paths: &[Spanned<String>]) {
        for path in paths {
            let files = self.files(source, path);
            // Tests say nothing of findings: a new one must not void an approval.
            self.named.retain(|_, file| !is_rego_test(file));
            self.rules.extend(files);
        }
    }

    // The small pieces.

    /// The files that a path in a policy means; none that it means nothing is reported.
    pub(super) fn files(&mut self, source: &Arc<Source>, path: &Spanned<String>) -> Vec<Arc<Source>> {
        let found = match self.bundle.find(source, &path.value) {
            Ok(found) => found,
            Err(error) => {
                let message = format!("`{}`: {error}", printable(&path.value, 120));
                self.error("unreadable-file", source, path, message);
                return Vec::new();
            }
        };
        if found.is_empty() {
            let message = format!("`{}` names no file", printable(&path.value, 120));
            self.push(
                Diagnostic::error("missing-file", message)
                    .at(span(source, path))
                    .help("paths are relative to this file, or to the folder that is given as policies"),
            );
        }
        for file in &found {
            self.named.insert(file.name.clone(), Arc::clone(file));
        }
        found
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub(super) fn error<T>(
        &mut self,
        code: &'static str,
        source: &Arc<Source>,
        at: &Spanned<T>,
        message: impl AsRef<str>,
    ) {
        self.push(Diagnostic::error(code, message).at(span(source, at)));
    }

    /// A value that may be set once in the whole bundle.
    fn scalar<T>(&mut self, key: &'static str, source: &Arc<Source>, value: Option<Spanned<T>>) -> Option<(T, Span)> {
        let value = value?;
        let at = span(source, &value);
        self.once(key, "", "set-twice", format!("`{key}` is set twice"), at.clone()).then_some((value.value, at))
    }

    /// A list in which the first match wins may stand in one file only.
    fn ordered<T>(&mut self, key: &'static str, source: &Arc<Source>, first: Option<&Spanned<T>>) {
        if let Some(first) = first {
            let message = format!("`{key}` stands in two files: the first match wins, and files have no order");
            self.once(key, "\0list", "ordered-list-split", message, span(source, first));
        }
    }

    /// Patterns of units. They are matched by a shell on the host, so that only what a unit can be called is allowed.
    fn units(&mut self, source: &Arc<Source>, patterns: &[Spanned<String>]) {
        for pattern in patterns {
            let text = pattern.value.as_str();
            let fine = |b: u8| b.is_ascii_alphanumeric() || b":_.@-*?".contains(&b);
            if !(1..=MAX_NAME).contains(&text.len()) || text.starts_with('-') || !text.bytes().all(fine) {
                self.error("invalid-unit", source, pattern, format!("{:?} names no unit", printable(text, 80)));
                continue;
            }
            // As systemctl does.
            let plain = !text.contains(['.', '*', '?']);
            self.policy.restart_never.push(if plain { format!("{text}.service") } else { text.to_owned() });
        }
        self.policy.restart_never.sort();
        self.policy.restart_never.dedup();
    }

    pub(super) fn name(
        &mut self,
        section: &'static str,
        source: &Arc<Source>,
        name: &Spanned<String>,
    ) -> Option<(RuleName, Span)> {
        let at = span(source, name);
        let message = match RuleName::new(&name.value) {
            Ok(valid) if name.value.len() <= MAX_NAME && !name.value.trim().is_empty() => {
                let message = format!("`{section}` has two entries named `{valid}`");
                return self.once(section, &name.value, "duplicate-name", message, at.clone()).then_some((valid, at));
            }
            _ => format!("a name has 1 to {MAX_NAME} bytes of printable text"),
        };
        self.push(Diagnostic::error("invalid-name", message).at(at));
        None
    }

    fn once(&mut self, key: &'static str, name: &str, code: &'static str, message: String, at: Span) -> bool {
        match self.set.entry((key, name.to_owned())) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(at);
                true
            }
            std::collections::btree_map::Entry::Occupied(entry) => {
                let first = entry.get().clone();
                self.push(Diagnostic::error(code, message).at(at).related("the first is here", first));
                false
            }
        }
    }

    pub(super) fn selector(
        &mut self,
        source: &Arc<Source>,
        context: Context,
        raw: &Spanned<super::raw::MatchRaw>,
    ) -> Selector {
        Selector::check(raw, context, source, self.diagnostics)
    }

    pub(super) fn reason(&mut self, source: &Arc<Source>, reason: &Spanned<String>) {
        if reason.value.trim().is_empty() {
            self.error("missing-reason", source, reason, "a reason is mandatory: somebody will ask");
        }
    }

    fn scores(&mut self, source: &Arc<Source>, numbers: [&Spanned<f64>; 3]) -> Option<[Score; 3]> {
        let read = numbers.map(|number| {
            let score = Score::try_from(number.value);
            if let Err(error) = &score {
                self.error("invalid-score", source, number, error.to_string());
            }
            score.ok()
        });
        Some([read[0]?, read[1]?, read[2]?])
    }

    fn amount(&mut self, source: &Arc<Source>, text: &Spanned<String>) -> Option<Amount> {
        let amount = text.value.parse().ok();
        if amount.is_none() {
            let message = format!("`{}` is {}", printable(&text.value, 40), super::InvalidAmount);
            self.error("invalid-amount", source, text, message);
        }
        amount
    }
}

pub(super) fn rule(name: &str, at: Option<&Span>) -> RuleRef {
    #[expect(clippy::expect_used, reason = "sections and checked names are short and printable")]
    let name = RuleName::new(name).expect("a section with a checked name");
    RuleRef { name, place: at.map(Span::place) }
}

/// The importance of a host of which policy says nothing.
pub(super) const DEFAULT_IMPORTANCE: Importance = Importance::General;
