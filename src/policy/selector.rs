//! The one grammar that says which hosts and findings are meant.

mod proof;

use std::sync::Arc;

use jiff::Timestamp;

use super::compare::{Comparison, OsVersion};
use super::glob::Glob;
use super::raw::{MatchRaw, SelectorRaw, Texts};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::{
    Finding, FixState, Host, Importance, Priority, Probability, Score, TimeSpan, VulnerabilityType, printable,
};
use crate::yaml::{Spanned, span};

pub(super) use proof::Effort;

/// What a selector may speak about where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Hosts, before their importance is known.
    ImportanceRule,
    /// Hosts.
    Host,
    /// Findings on hosts.
    Finding,
}

/// What is known beside host and finding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// The host's importance as policy sees it.
    pub importance: Importance,
    /// The priority by score.
    pub priority: Priority,
    /// The time ages refer to.
    pub as_of: Timestamp,
}

/// Whether something holds, where not everything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// Whatever the rest may be, it does not hold.
    No,
    /// It depends on the finding.
    Maybe,
    /// Whatever the rest may be, it holds.
    Yes,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// A checked selector: every term must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selector {
    terms: Vec<Term>,
}

/// The patterns of a selector that speaks of packages alone; an empty list means any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfPackages<'a> {
    pub vulnerability: &'a [Glob],
    pub package: &'a [Glob],
    pub ecosystem: &'a [Glob],
    pub installed: &'a [Glob],
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Hosts(Vec<Glob>),
    Groups(Vec<Glob>),
    Label(String, Vec<Glob>),
    OsFamily(Vec<Glob>),
    OsName(Vec<Glob>),
    OsVersion(Vec<Comparison<OsVersion>>),
    Importance(Vec<Importance>),
    Type(Vec<VulnerabilityType>),
    Vulnerability(Vec<Glob>),
    Package(Vec<Glob>),
    Ecosystem(Vec<Glob>),
    Installed(Vec<Glob>),
    Priority(Vec<Priority>),
    Cvss(Comparison<Score>),
    Epss(Comparison<Probability>),
    Kev(bool),
    Age(Comparison<TimeSpan>),
    FixAvailable(bool),
    Any(Vec<Selector>),
    Not(Selector),
}

/// Whether there is a version that fixes it.
pub(super) fn fix_available(finding: &Finding) -> bool {
    finding.fix_state == FixState::Fixed || !finding.fixed.is_empty()
}

impl Selector {
    /// Whether a host is meant. What a selector asks of findings counts as not holding.
    pub fn matches_host(&self, host: &Host, importance: Importance) -> bool {
        self.truth_for_host(host, importance) == Truth::Yes
    }

    /// Whether a host is meant, as far as can be said without a finding.
    pub fn truth_for_host(&self, host: &Host, importance: Importance) -> Truth {
        self.truth(host, importance, None)
    }

    /// Whether a finding on a host is meant. What is not known of it fulfils no comparison.
    pub fn matches(&self, finding: &Finding, host: &Host, facts: Facts) -> bool {
        self.truth(host, facts.importance, Some((finding, facts))) == Truth::Yes
    }

    /// Whether it is seen from the texts alone that every host that `other` means is meant here.
    pub fn covers(&self, other: &Self) -> bool {
        self.terms.iter().all(|term| other.terms.contains(term))
    }

    fn truth(&self, host: &Host, importance: Importance, finding: Option<(&Finding, Facts)>) -> Truth {
        let mut all = Truth::Yes;
        for term in &self.terms {
            all = all.min(term.truth(host, importance, finding));
            if all == Truth::No {
                break;
            }
        }
        all
    }

    /// The vulnerabilities that are meant, where they are named one by one: nothing else is matched.
    pub fn exact_vulnerabilities(&self) -> Option<Vec<&str>> {
        let globs = self.terms.iter().find_map(|term| match term {
            Term::Vulnerability(globs) => Some(globs),
            _ => None,
        })?;
        let exact = globs.iter().map(|glob| match glob {
            Glob::Exact(id) => Some(id.as_str()),
            _ => None,
        });
        exact.collect()
    }

    /// What it says of packages alone, for formats that know no hosts; or the key that says more.
    pub fn of_packages(&self) -> Result<OfPackages<'_>, &'static str> {
        let mut said = OfPackages::default();
        for term in &self.terms {
            match term {
                Term::Vulnerability(globs) => said.vulnerability = globs,
                Term::Package(globs) => said.package = globs,
                Term::Ecosystem(globs) => said.ecosystem = globs,
                Term::Installed(globs) => said.installed = globs,
                Term::Hosts(_) => return Err("hosts"),
                Term::Groups(_) => return Err("groups"),
                Term::Label(..) => return Err("labels"),
                Term::OsFamily(_) | Term::OsName(_) | Term::OsVersion(_) => return Err("os"),
                Term::Importance(_) => return Err("importance"),
                Term::Type(_) => return Err("type"),
                Term::Priority(_) => return Err("priority"),
                Term::Cvss(_) => return Err("cvss"),
                Term::Epss(_) => return Err("epss"),
                Term::Kev(_) => return Err("kev"),
                Term::Age(_) => return Err("age"),
                Term::FixAvailable(_) => return Err("fix_available"),
                Term::Any(_) => return Err("any"),
                Term::Not(_) => return Err("not"),
            }
        }
        Ok(said)
    }

    /// Checks a `match`; every problem becomes a diagnostic.
    pub fn check(
        raw: &Spanned<MatchRaw>,
        context: Context,
        source: &Arc<Source>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let MatchRaw::Keys(keys) = &raw.value else { return Self::default() };
        let mut check = Check { context, source, diagnostics, terms: Vec::new(), seen: 0 };
        check.selector(keys);
        if check.seen == 0 {
            let place = span(source, raw);
            check.diagnostics.push(
                Diagnostic::error("empty-selector", "this selector says nothing")
                    .at(place)
                    .help("write `match: all` if everything is meant"),
            );
        }
        Self { terms: check.terms }
    }
}

impl Term {
    fn truth(&self, host: &Host, importance: Importance, finding: Option<(&Finding, Facts)>) -> Truth {
        let any = |globs: &[Glob], text: &str| Truth::from(globs.iter().any(|glob| glob.matches(text)));
        let about = |holds: &dyn Fn(&Finding, Facts) -> bool| {
            finding.map_or(Truth::Maybe, |(finding, facts)| holds(finding, facts).into())
        };
        let os = || host.os.as_ref();
        match self {
            Self::Hosts(globs) => any(globs, host.name.as_str()),
            Self::Groups(globs) => {
                host.groups.iter().map(|group| any(globs, group.as_str())).max().unwrap_or(Truth::No)
            }
            Self::Label(key, globs) => host.labels.get(key).map_or(Truth::No, |value| any(globs, value)),
            Self::OsFamily(globs) => os().map_or(Truth::No, |os| any(globs, &os.family)),
            Self::OsName(globs) => os().map_or(Truth::No, |os| any(globs, &os.name)),
            Self::OsVersion(bounds) => os()
                .and_then(|os| OsVersion::new(os.version.as_deref()?))
                .is_some_and(|version| bounds.iter().any(|bound| bound.holds_for(&version)))
                .into(),
            Self::Importance(wanted) => wanted.contains(&importance).into(),
            Self::Type(wanted) => about(&|finding, _| wanted.contains(&finding.kind)),
            Self::Vulnerability(globs) => about(&|finding, _| {
                std::iter::once(&finding.vulnerability)
                    .chain(&finding.aliases)
                    .any(|id| globs.iter().any(|glob| glob.matches(id.as_str())))
            }),
            Self::Package(globs) => about(&|finding, _| {
                finding.package.as_ref().is_some_and(|name| globs.iter().any(|glob| glob.matches(name.as_str())))
            }),
            Self::Ecosystem(globs) => {
                about(&|finding, _| globs.iter().any(|glob| glob.matches(&finding.ecosystem.to_ascii_lowercase())))
            }
            Self::Installed(globs) => about(&|finding, _| {
                finding
                    .installed
                    .as_ref()
                    .is_some_and(|version| globs.iter().any(|glob| glob.matches(version.as_str())))
            }),
            Self::Priority(wanted) => about(&|_, facts| wanted.contains(&facts.priority)),
            Self::Cvss(bound) => about(&|finding, _| finding.base_score().is_some_and(|cvss| bound.holds(&cvss.score))),
            Self::Epss(bound) => about(&|finding, _| finding.epss.is_some_and(|epss| bound.holds(&epss))),
            Self::Kev(wanted) => about(&|finding, _| finding.kev == *wanted),
            Self::Age(bound) => about(&|finding, facts| {
                finding.published.is_some_and(|published| bound.holds(&TimeSpan::between(published, facts.as_of)))
            }),
            Self::FixAvailable(wanted) => about(&|finding, _| fix_available(finding) == *wanted),
            Self::Any(selectors) => {
                selectors.iter().map(|selector| selector.truth(host, importance, finding)).max().unwrap_or(Truth::No)
            }
            Self::Not(selector) => match selector.truth(host, importance, finding) {
                Truth::No => Truth::Yes,
                Truth::Maybe => Truth::Maybe,
                Truth::Yes => Truth::No,
            },
        }
    }
}

/// Patterns are short: a longer one is a mistake or an attack.
const MAX_PATTERN: usize = 256;

struct Check<'a> {
    context: Context,
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
    terms: Vec<Term>,
    /// How many keys were written, right or wrong.
    seen: usize,
}

impl Check<'_> {
    fn selector(&mut self, raw: &SelectorRaw) {
        if let Some(texts) = &raw.hosts {
            let globs = self.globs("hosts", texts);
            self.terms.push(Term::Hosts(globs));
        }
        if let Some(texts) = &raw.groups {
            let globs = self.globs("groups", texts);
            self.terms.push(Term::Groups(globs));
        }
        if let Some(labels) = &raw.labels {
            self.not_empty("labels", labels, labels.value.is_empty());
            for (key, texts) in &labels.value {
                let globs = self.globs(&format!("labels.{key}"), texts);
                self.terms.push(Term::Label(key.clone(), globs));
            }
        }
        if let Some(os) = &raw.os {
            let nothing = os.value.family.is_none() && os.value.name.is_none() && os.value.version.is_none();
            self.not_empty("os", os, nothing);
            if let Some(texts) = &os.value.family {
                let globs = self.globs("os.family", texts);
                self.terms.push(Term::OsFamily(globs));
            }
            if let Some(texts) = &os.value.name {
                let globs = self.globs("os.name", texts);
                self.terms.push(Term::OsName(globs));
            }
            if let Some(texts) = &os.value.version {
                self.not_empty("os.version", texts, texts.value.0.is_empty());
                let mut bounds = Vec::new();
                for text in &texts.value.0 {
                    let help = "write numbers and dots, such as \"12\", \">=12\" or \">=20.04,<24.04\"";
                    bounds.extend(self.comparison("os.version", text, Comparison::os_version, help));
                }
                self.terms.push(Term::OsVersion(bounds));
            }
        }
        if let Some(wanted) = &raw.importance {
            self.not_empty("importance", wanted, wanted.value.0.is_empty());
            if self.context == Context::ImportanceRule {
                self.diagnostics.push(
                    Diagnostic::error("selector-context", "a rule for importance cannot ask for importance")
                        .at(span(self.source, wanted)),
                );
            }
            self.terms.push(Term::Importance(wanted.value.0.clone()));
        }
        self.about_findings(raw);
        if let Some(any) = &raw.any {
            self.not_empty("any", any, any.value.is_empty());
            let all = any.value.iter().map(|raw| self.nested(raw)).collect();
            self.terms.push(Term::Any(all));
        }
        if let Some(not) = &raw.not {
            self.seen += 1;
            let inner = self.nested(not);
            self.terms.push(Term::Not(inner));
        }
    }

    fn about_findings(&mut self, raw: &SelectorRaw) {
        if let Some(wanted) = &raw.kind {
            self.finding_key("type", wanted, wanted.value.0.is_empty());
            self.terms.push(Term::Type(wanted.value.0.clone()));
        }
        if let Some(texts) = &raw.vulnerability {
            self.finding_only("vulnerability", texts);
            let globs = self.globs("vulnerability", texts);
            self.terms.push(Term::Vulnerability(globs));
        }
        if let Some(texts) = &raw.package {
            self.finding_only("package", texts);
            let globs = self.globs("package", texts);
            self.terms.push(Term::Package(globs));
        }
        if let Some(texts) = &raw.ecosystem {
            self.finding_only("ecosystem", texts);
            let globs = self.globs("ecosystem", texts);
            self.terms.push(Term::Ecosystem(globs));
        }
        if let Some(texts) = &raw.installed {
            self.finding_only("installed", texts);
            let globs = self.globs("installed", texts);
            self.terms.push(Term::Installed(globs));
        }
        if let Some(wanted) = &raw.priority {
            self.finding_key("priority", wanted, wanted.value.0.is_empty());
            self.terms.push(Term::Priority(wanted.value.0.clone()));
        }
        if let Some(text) = &raw.cvss {
            self.finding_key("cvss", text, false);
            let bound =
                self.comparison("cvss", text, Comparison::score, "write a score from 0 to 10, such as \">=7.0\"");
            self.terms.extend(bound.map(Term::Cvss));
        }
        if let Some(text) = &raw.epss {
            self.finding_key("epss", text, false);
            let help = "write a probability from 0 to 1, such as \">=0.5\"";
            let bound = self.comparison("epss", text, Comparison::probability, help);
            self.terms.extend(bound.map(Term::Epss));
        }
        if let Some(wanted) = &raw.kev {
            self.finding_key("kev", wanted, false);
            self.terms.push(Term::Kev(wanted.value));
        }
        if let Some(text) = &raw.age {
            self.finding_key("age", text, false);
            let bound = self.comparison("age", text, Comparison::span, "write a length of time, such as \">=30d\"");
            self.terms.extend(bound.map(Term::Age));
        }
        if let Some(wanted) = &raw.fix_available {
            self.finding_key("fix_available", wanted, false);
            self.terms.push(Term::FixAvailable(wanted.value));
        }
    }

    fn nested(&mut self, raw: &Spanned<MatchRaw>) -> Selector {
        Selector::check(raw, self.context, self.source, self.diagnostics)
    }

    fn not_empty<T>(&mut self, key: &str, value: &Spanned<T>, empty: bool) {
        self.seen += 1;
        if empty {
            let shown = printable(key, 80);
            self.diagnostics.push(
                Diagnostic::error("empty-selector", format!("`{shown}` is empty: it can match nothing"))
                    .at(span(self.source, value))
                    .help("leave the key out, or say what is meant"),
            );
        }
    }

    fn finding_key<T>(&mut self, key: &str, value: &Spanned<T>, empty: bool) {
        self.not_empty(key, value, empty);
        self.finding_only(key, value);
    }

    fn finding_only<T>(&mut self, key: &str, value: &Spanned<T>) {
        if self.context != Context::Finding {
            self.diagnostics.push(
                Diagnostic::error(
                    "selector-context",
                    format!("`{key}` is about findings, and this rule is about hosts"),
                )
                .at(span(self.source, value))
                .help("use hosts, groups, labels, os, importance, any and not here"),
            );
        }
    }

    fn globs(&mut self, key: &str, texts: &Texts) -> Vec<Glob> {
        self.not_empty(key, texts, texts.value.0.is_empty());
        let mut globs = Vec::with_capacity(texts.value.0.len());
        for text in &texts.value.0 {
            if text.value.is_empty() || text.value.len() > MAX_PATTERN {
                self.diagnostics.push(
                    Diagnostic::error("invalid-pattern", format!("a pattern has 1 to {MAX_PATTERN} bytes"))
                        .at(span(self.source, text)),
                );
            }
            globs.push(Glob::new(&text.value));
        }
        globs
    }

    fn comparison<T>(
        &mut self,
        key: &str,
        text: &Spanned<String>,
        parse: impl Fn(&str) -> Option<T>,
        help: &str,
    ) -> Option<T> {
        let parsed = parse(&text.value);
        if parsed.is_none() {
            let shown = printable(&text.value, 60);
            self.diagnostics.push(
                Diagnostic::error("invalid-comparison", format!("`{shown}` is not a comparison for `{key}`"))
                    .at(span(self.source, text))
                    .help(help),
            );
        }
        parsed
    }
}
