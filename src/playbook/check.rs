//! A playbook that was read and found right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{Digest, PackageName, RuleName, TimeSpan, VulnerabilityId, VulnerabilityType, printable};
use crate::yaml::{OneOrMany, Size, Spanned, nearest, parse, span};

use super::raw::{RawCommand, RawExpected, RawOs, RawPlaybook, RawReboot};
use super::{PhaseTimes, builtin, output, payload, shell, template};

/// The recipe of how a kind of fix is done on a kind of host.
#[derive(Clone, Debug)]
pub struct Playbook {
    pub(super) name: RuleName,
    pub(super) description: String,
    pub(super) digest: Digest,
    pub(super) kind: VulnerabilityType,
    pub(super) os: Option<OsMatch>,
    pub(super) ecosystem: Option<String>,
    pub(super) folder: Option<String>,
    pub(super) packages: BTreeSet<PackageName>,
    pub(super) vulnerabilities: BTreeSet<VulnerabilityId>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) steps: Steps,
    pub(super) expected: PhaseTimes,
    pub(super) at: Span,
}

/// Which operating systems.
#[derive(Clone, Debug)]
pub(super) struct OsMatch {
    pub family: Option<String>,
    pub name: Option<String>,
    pub version: Option<VersionMatch>,
}

/// Which releases: `12`, `>=12`, `<22.04`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionMatch {
    pub operator: &'static str,
    pub version: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub preflight: Vec<CommandTemplate>,
    pub state: Vec<CommandTemplate>,
    pub fix: Vec<CommandTemplate>,
    pub restart: Vec<CommandTemplate>,
    pub reboot: Option<RebootTemplate>,
    pub verify: Vec<CommandTemplate>,
    pub verify_restored: Vec<CommandTemplate>,
}

#[derive(Clone, Debug)]
pub(super) struct RebootTemplate {
    pub required: Option<CommandTemplate>,
    pub command: CommandTemplate,
    pub back_within: TimeSpan,
}

#[derive(Clone, Debug)]
pub(super) struct CommandTemplate {
    pub name: String,
    pub program: ProgramTemplate,
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Variable to (step, key).
    pub env_facts: BTreeMap<String, (String, String)>,
    pub root: bool,
    pub timeout: TimeSpan,
    pub repeatable: bool,
}

#[derive(Clone, Debug)]
pub(super) enum ProgramTemplate {
    Builtin { name: String, digest: Digest, text: &'static str },
    Argv,
    Shell { template: String },
    Ansible { playbook: String, mode: &'static str },
}

/// The steps of a playbook in the order in which they run; a fact comes from an earlier one.
const PHASES: [&str; 6] = ["preflight", "fix", "restart", "reboot", "verify", "verify_restored"];
/// More commands in one step than this are a mistake.
const MAX_COMMANDS: usize = 64;
/// How long a command may take where the playbook does not say it, by index of [`PHASES`].
const TIMEOUTS: [TimeSpan; 6] = [
    TimeSpan::minutes(5),
    TimeSpan::minutes(30),
    TimeSpan::minutes(5),
    TimeSpan::minutes(1),
    TimeSpan::minutes(5),
    TimeSpan::minutes(5),
];
/// What templates may name.
const VARIABLES: [&str; 14] = [
    "allow_removals",
    "fix.folder",
    "fix.package_names",
    "fix.package_specs",
    "fix.packages",
    "host.address",
    "host.groups",
    "host.labels",
    "host.name",
    "host.os.family",
    "host.os.name",
    "host.os.version",
    "reboot_pending_before",
    "restart_never",
];

impl Playbook {
    /// Reads and checks a playbook; all problems become diagnostics, and none is returned if one is an error.
    pub fn load(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let raw: RawPlaybook = parse(source, Size::Small, diagnostics)?;
        let mut checker = Checker {
            source,
            diagnostics: Diagnostics::default(),
            vars: raw.vars.keys().map(|v| (v.clone(), false)).collect(),
        };
        let playbook = checker.playbook(&raw);
        let failed = checker.diagnostics.has_errors();
        diagnostics.extend(checker.diagnostics);
        playbook.filter(|_| !failed)
    }

    /// Its name.
    pub fn name(&self) -> &RuleName {
        &self.name
    }

    /// One sentence for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What kind of vulnerability it fixes.
    pub fn kind(&self) -> VulnerabilityType {
        self.kind
    }

    /// Where it gives its name.
    pub fn place(&self) -> &Span {
        &self.at
    }

    /// The digest of its text and of the scripts it names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it holds templated scripts, which a policy may deny.
    pub fn has_shell(&self) -> bool {
        self.steps.commands().any(|c| matches!(c.program, ProgramTemplate::Shell { .. }))
    }
}

impl Steps {
    pub(super) fn commands(&self) -> impl Iterator<Item = &CommandTemplate> {
        let reboot = self.reboot.iter().flat_map(|r| r.required.iter().chain([&r.command]));
        [&self.preflight, &self.state, &self.fix, &self.restart, &self.verify, &self.verify_restored]
            .into_iter()
            .flatten()
            .chain(reboot)
    }
}

fn written(raw: &Option<Spanned<String>>) -> Option<String> {
    raw.as_ref().map(|raw| raw.value.clone())
}

struct Checker<'a> {
    source: &'a Arc<Source>,
    diagnostics: Diagnostics,
    /// The constants of the playbook, and whether a template names them.
    vars: BTreeMap<String, bool>,
}

impl Checker<'_> {
    fn error<T>(&mut self, at: &Spanned<T>, code: &'static str, message: impl AsRef<str>) -> Option<Diagnostic> {
        self.error_at(span(self.source, at), code, message)
    }

    fn error_at(&mut self, at: Span, code: &'static str, message: impl AsRef<str>) -> Option<Diagnostic> {
        self.diagnostics.push(Diagnostic::error(code, message).at(at));
        None
    }

    fn playbook(&mut self, raw: &RawPlaybook) -> Option<Playbook> {
        if raw.version.value != 1 {
            self.error(&raw.version, "unknown-version", format!("playbook version {} is not 1", raw.version.value));
        }
        let name =
            RuleName::new(&raw.name.value).map_err(|e| self.error(&raw.name, "invalid-name", e.to_string())).ok();
        if raw.description.value.trim().is_empty() {
            self.error(&raw.description, "empty-description", "the description is empty");
        }
        let kind = self.kind(&raw.selector.kind);
        let os = raw.selector.os.as_ref().map(|os| self.os(os));
        let packages = self.names(raw.selector.package.as_ref());
        let vulnerabilities = self.names(raw.selector.vulnerability.as_ref());
        if let Some(folder) = &raw.selector.folder {
            self.template(folder, false);
            // What is fixed is not known before it is known what matches.
            if template::variables(&folder.value, false).is_ok_and(|names| names.iter().any(|n| n.starts_with("fix.")))
            {
                self.error(folder, "unknown-variable", "a folder depends on `host` and `vars` only");
            }
        }
        let steps = &raw.steps.value;
        if steps.fix.is_empty() {
            self.error(&raw.steps, "no-fix", "a playbook without a fix step fixes nothing");
        }
        if steps.verify.is_empty() {
            self.error(&raw.steps, "no-verify", "a playbook without a verify step cannot tell that the fix is there");
        }
        let reboot = steps.reboot.as_ref().map(|reboot| self.reboot(reboot));
        let steps = Steps {
            preflight: self.commands(&steps.preflight, 0),
            // It takes the place of the preflight.
            state: self.commands(&steps.state, 0),
            fix: self.commands(&steps.fix, 1),
            restart: self.commands(&steps.restart, 2),
            reboot: reboot.flatten(),
            verify: self.commands(&steps.verify, 4),
            verify_restored: self.commands(&steps.verify_restored, 5),
        };
        let expected = self.expected(&raw.expected);
        self.vars(&raw.vars);
        let mut text = self.source.text.clone();
        for command in steps.commands() {
            if let ProgramTemplate::Builtin { name, digest, .. } = &command.program {
                text.push_str(&format!("\n{name} {digest}"));
            }
            if let ProgramTemplate::Ansible { .. } = &command.program {
                text.push_str(&format!("\nansible {}", Digest::of(super::ansible::SCRIPT.as_bytes())));
            }
        }
        Some(Playbook {
            name: name?,
            description: printable(raw.description.value.trim(), 500),
            digest: Digest::of(text.as_bytes()),
            kind: kind?,
            os,
            ecosystem: written(&raw.selector.ecosystem),
            folder: written(&raw.selector.folder),
            packages,
            vulnerabilities,
            vars: raw.vars.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
            steps,
            expected,
            at: span(self.source, &raw.name),
        })
    }

    fn kind(&mut self, raw: &Spanned<String>) -> Option<VulnerabilityType> {
        use VulnerabilityType as T;
        let known = [T::Linux, T::Windows, T::WebCms, T::Application, T::Emergency];
        known.into_iter().find(|t| t.as_str() == raw.value).or_else(|| {
            let names = known.map(T::as_str);
            self.unknown(raw, "unknown-type", "vulnerability type", &raw.value, &names);
            None
        })
    }

    fn os(&mut self, raw: &RawOs) -> OsMatch {
        let version = raw.version.as_ref().and_then(|raw| {
            VersionMatch::parse(&raw.value).or_else(|| {
                self.error(
                    raw,
                    "invalid-version",
                    format!("{:?} is no release: write `12`, `>=12` or `<22.04`", raw.value),
                );
                None
            })
        });
        OsMatch { family: written(&raw.family), name: written(&raw.name), version }
    }

    /// The names that a selector lists.
    fn names<T: FromStr<Err: Display> + Ord>(&mut self, raw: Option<&OneOrMany<Spanned<String>>>) -> BTreeSet<T> {
        raw.iter().flat_map(|raw| &raw.0).filter_map(|raw| self.parsed(raw, "invalid-name")).collect()
    }

    fn vars(&mut self, raw: &BTreeMap<String, Spanned<String>>) {
        for (name, value) in raw {
            if !output::is_fact_key(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
                self.error(
                    value,
                    "invalid-name",
                    format!("{:?} names no constant: a-z, 0-9 and _", printable(name, 80)),
                );
            } else if self.vars.get(name) == Some(&false) {
                let message = format!("no template names `vars.{name}`");
                self.diagnostics.push(Diagnostic::warning("unused-var", message).at(span(self.source, value)));
            }
        }
    }

    fn expected(&mut self, raw: &RawExpected) -> PhaseTimes {
        // What is not said is taken from the slow end: too short a reserve would be paid for at the window's end.
        let mut time = |raw: &Option<Spanned<String>>, default: TimeSpan| match raw {
            Some(raw) => self.parsed(raw, "invalid-time-span").unwrap_or(default),
            None => default,
        };
        PhaseTimes {
            preflight: time(&raw.preflight, TimeSpan::minutes(1)),
            fix: time(&raw.fix, TimeSpan::minutes(10)),
            restart: time(&raw.restart, TimeSpan::minutes(1)),
            reboot: time(&raw.reboot, TimeSpan::minutes(5)),
            verify: time(&raw.verify, TimeSpan::minutes(1)),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, raw: &Spanned<String>, code: &'static str) -> Option<T> {
        raw.value.parse().map_err(|e: T::Err| self.error(raw, code, e.to_string())).ok()
    }

    fn commands(&mut self, raw: &[Spanned<RawCommand>], phase: usize) -> Vec<CommandTemplate> {
        if let Some(extra) = raw.get(MAX_COMMANDS) {
            self.error(extra, "too-many-commands", format!("a step has at most {MAX_COMMANDS} commands"));
            return Vec::new();
        }
        raw.iter().filter_map(|raw| self.command(&raw.value, span(self.source, raw), phase)).collect()
    }

    fn reboot(&mut self, raw: &Spanned<RawReboot>) -> Option<RebootTemplate> {
        let back_within = self.parsed(&raw.value.back_within, "invalid-time-span");
        let required = raw.value.required.as_ref().map(|r| self.command(&r.value, span(self.source, r), 3));
        let command = self.command(&raw.value.command(), span(self.source, raw), 3);
        Some(RebootTemplate { required: required.flatten(), command: command?, back_within: back_within? })
    }

    fn command(&mut self, raw: &RawCommand, at: Span, phase: usize) -> Option<CommandTemplate> {
        let mut argv: Vec<String> = Vec::new();
        let (program, default_name) = match (&raw.builtin, &raw.run, &raw.shell, &raw.ansible) {
            (Some(builtin), None, None, None) => (self.builtin(builtin), builtin.value.clone()),
            (None, Some(run), None, None) => {
                if !raw.args.is_empty() {
                    self.error_at(at.clone(), "args-of-run", "`run` holds its arguments itself");
                }
                match run.value.first() {
                    Some(first)
                        if template::is_template(&first.value)
                            || first.value.is_empty()
                            || first.value.starts_with('-') =>
                    {
                        self.error(first, "value-as-command", "the program of `run` must be a plain name");
                    }
                    Some(_) => {}
                    None => _ = self.error(run, "empty-run", "`run` names no program"),
                }
                argv.extend(run.value.iter().map(|a| a.value.clone()));
                (Some(ProgramTemplate::Argv), run.value.first().map_or(String::new(), |a| a.value.clone()))
            }
            (None, None, Some(script), None) => {
                self.shell(script);
                (Some(ProgramTemplate::Shell { template: script.value.clone() }), format!("{} script", PHASES[phase]))
            }
            (None, None, None, Some(playbook)) if PHASES[phase] != "reboot" => {
                self.template(playbook, false);
                // Before the fix it tells what it would do; behind it nothing may be left to do.
                let mode = ["check", "change", "change", "", "hold", "hold"][phase];
                let program = ProgramTemplate::Ansible { playbook: playbook.value.clone(), mode };
                (Some(program), format!("Ansible playbook {}", playbook.value))
            }
            _ => {
                let which = "a command has exactly one of `builtin`, `run`, `shell` and (not for a reboot) `ansible`";
                self.error_at(at, "which-command", which);
                return None;
            }
        };
        for argument in raw.run.iter().flat_map(|r| &r.value).chain(&raw.args).chain(raw.env.values()) {
            self.template(argument, false);
        }
        for (variable, value) in raw.env.iter().chain(&raw.env_facts) {
            if let Err(error) = payload::check_env_name(variable) {
                self.error(value, "invalid-variable", error.to_string());
            }
            if raw.env.contains_key(variable) && raw.env_facts.contains_key(variable) {
                self.error(value, "variable-twice", format!("{variable} is set in `env` and in `env_facts`"));
            }
        }
        argv.extend(raw.args.iter().map(|a| a.value.clone()));
        let env_facts = raw.env_facts.iter().filter_map(|(k, v)| Some((k.clone(), self.fact(v, phase)?))).collect();
        let timeout = match &raw.timeout {
            Some(raw) => self.parsed(raw, "invalid-time-span"),
            None => Some(TIMEOUTS[phase]),
        };
        if let (Some(raw), Some(TimeSpan::ZERO)) = (&raw.timeout, timeout) {
            self.error(raw, "invalid-time-span", "no command is done in no time");
        }
        let name = raw.name.as_ref().map_or(default_name, |n| n.value.clone());
        Some(CommandTemplate {
            name: printable(&name, 200),
            program: program?,
            argv,
            env: raw.env.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect(),
            env_facts,
            root: raw.becomes,
            timeout: timeout?,
            repeatable: raw.repeatable,
        })
    }

    fn builtin(&mut self, raw: &Spanned<String>) -> Option<ProgramTemplate> {
        let Some(text) = builtin(&raw.value) else {
            let names: Vec<&str> = super::shipped::builtin_names().collect();
            self.unknown(raw, "unknown-builtin", "script", &raw.value, &names);
            return None;
        };
        Some(ProgramTemplate::Builtin { name: raw.value.clone(), digest: Digest::of(text.as_bytes()), text })
    }

    fn shell(&mut self, raw: &Spanned<String>) {
        self.template(raw, true);
        for problem in shell::check(&raw.value) {
            self.error(raw, problem.code, format!("line {} of the script: {}", problem.line, problem.message));
        }
    }

    fn template(&mut self, raw: &Spanned<String>, shell: bool) {
        if raw.value.contains('\0') {
            self.error(raw, "invalid-template", "a NUL byte");
        }
        match template::variables(&raw.value, shell) {
            Ok(names) => {
                for name in names {
                    let known = VARIABLES
                        .iter()
                        .any(|v| name == *v || (name.starts_with("host.labels.") && *v == "host.labels"));
                    let constant = name.strip_prefix("vars.").and_then(|name| self.vars.get_mut(name));
                    // `fix` alone is what a loop or a filter leaves visible of `fix.packages`.
                    match constant {
                        Some(used) => *used = true,
                        None if known => {}
                        None => {
                            let vars: Vec<String> = self.vars.keys().map(|name| format!("vars.{name}")).collect();
                            let names: Vec<&str> =
                                VARIABLES.into_iter().chain(vars.iter().map(String::as_str)).collect();
                            self.unknown(raw, "unknown-variable", "variable", &name, &names);
                        }
                    }
                }
            }
            Err(error) => _ = self.error(raw, "invalid-template", error.to_string()),
        }
    }

    fn fact(&mut self, raw: &Spanned<String>, phase: usize) -> Option<(String, String)> {
        let Some((step, key)) = raw.value.split_once('.').filter(|(_, key)| output::is_fact_key(key)) else {
            self.error(raw, "invalid-fact", format!("{:?} is no fact: write `preflight.packages`", raw.value));
            return None;
        };
        // What the planner itself looks for when a fix fails on a clone; empty where it did not have to.
        if (step, key) == LEFT_OUT {
            return Some((step.to_owned(), key.to_owned()));
        }
        let earlier = &PHASES[..phase];
        // A restored host does not remember what came behind its backup; the controller does, and so it may ask.
        if !earlier.contains(&step) {
            self.unknown(raw, "unknown-step", "step before this one", step, earlier);
            return None;
        }
        Some((step.to_owned(), key.to_owned()))
    }

    fn unknown<T>(&mut self, at: &Spanned<T>, code: &'static str, what: &str, text: &str, known: &[&str]) {
        let help = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.join(", ")),
        };
        self.diagnostics
            .push(Diagnostic::error(code, format!("unknown {what} {text:?}")).at(span(self.source, at)).help(help));
    }
}

/// The fact with the names of packages that a command must leave out, with blanks between.
pub const LEFT_OUT: (&str, &str) = ("bisect", "left_out");

impl VersionMatch {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let operator = [">=", "<=", ">", "<", "="].into_iter().find(|o| text.starts_with(o)).unwrap_or("");
        let version = Self::numbers(text[operator.len()..].trim())?;
        Some(Self { operator: if operator.is_empty() { "=" } else { operator }, version })
    }

    /// `22.04` as numbers; none if it is anything else.
    fn numbers(text: &str) -> Option<Vec<u64>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    }

    pub(super) fn holds(&self, version: &str) -> bool {
        let Some(version) = Self::numbers(version) else { return false };
        match self.operator {
            // `12` is 12 and every 12.x.
            "=" => version.starts_with(&self.version),
            ">=" => version >= self.version,
            "<=" => version <= self.version || version.starts_with(&self.version),
            ">" => version > self.version && !version.starts_with(&self.version),
            _ => version < self.version,
        }
    }
}
