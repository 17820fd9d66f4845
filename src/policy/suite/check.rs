//! Raw tests to checked ones; every problem becomes a diagnostic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::raw::{ExpectRaw, FindingRaw, HostRaw, SuiteRaw, TestRaw};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{
    AssetName, Cvss, Finding, FixState, GroupName, Host, HostName, InvalidName, Os, PackageName, PackageVersion,
    Probability, Score, VulnerabilityId, VulnerabilityType, printable,
};
use crate::policy::{Bundle, Policy};
use crate::yaml::{OneOrMany, Size, Spanned, nearest, parse, span};

/// The version of the format.
const VERSION: u32 = 1;

/// The tests of one file.
#[derive(Debug)]
pub struct Suite {
    /// The file.
    pub source: Arc<Source>,
    /// The policies under test.
    pub bundle: Bundle,
    pub(super) now: Timestamp,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) findings: BTreeMap<String, (HostName, Finding)>,
    pub(super) tests: Vec<Test>,
}

#[derive(Debug)]
pub(super) struct Test {
    pub name: String,
    pub at: Span,
    pub now: Option<Timestamp>,
    pub finding: Option<String>,
    pub host: HostName,
    pub expect: Expect,
}

/// An expectation with the times that it names.
#[derive(Debug)]
pub(super) struct Expect {
    pub raw: ExpectRaw,
    pub due: Option<Option<Timestamp>>,
    pub open: Vec<Timestamp>,
    pub closed: Vec<Timestamp>,
}

impl Suite {
    /// Reads the tests of a file; the policies under test are looked for in the bundle.
    pub fn load(source: &Arc<Source>, bundle: &Bundle, diagnostics: &mut Diagnostics) -> Option<Self> {
        let raw = parse::<SuiteRaw>(source, Size::Small, diagnostics)?;
        let mut found = Diagnostics::default();
        let suite = Check { source, diagnostics: &mut found }.suite(raw, bundle);
        let fine = !found.has_errors();
        diagnostics.extend(found);
        suite.filter(|_| fine)
    }

    /// How many tests it has.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether it has no test.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// The policies under test, checked.
    pub fn policy(&self, diagnostics: &mut Diagnostics) -> Option<Policy> {
        Policy::load(self.bundle.clone(), diagnostics)
    }

    /// Its findings, each with its host.
    pub fn findings(&self) -> impl Iterator<Item = (&Host, &Finding)> {
        self.findings.values().filter_map(|(host, finding)| Some((self.hosts.get(host)?, finding)))
    }

    /// Every time at which something is asked, the file's own first.
    pub fn times(&self) -> Vec<Timestamp> {
        let others: BTreeSet<Timestamp> = self.tests.iter().filter_map(|test| test.now).collect();
        std::iter::once(self.now).chain(others.into_iter().filter(|time| *time != self.now)).collect()
    }
}

/// What the tests of a file may be about, checked and as written.
struct Known<'a> {
    hosts: &'a BTreeMap<HostName, Host>,
    findings: &'a BTreeMap<String, (HostName, Finding)>,
    raw_hosts: &'a BTreeMap<String, Spanned<HostRaw>>,
    raw_findings: &'a BTreeMap<String, Spanned<FindingRaw>>,
}

struct Check<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
}

impl Check<'_> {
    fn error<T>(&mut self, code: &'static str, at: &Spanned<T>, message: impl AsRef<str>) {
        self.diagnostics.push(Diagnostic::error(code, message).at(span(self.source, at)));
    }

    fn suite(&mut self, raw: SuiteRaw, bundle: &Bundle) -> Option<Suite> {
        if raw.version.value != VERSION {
            self.error("unsupported-version", &raw.version, format!("this program reads version {VERSION}"));
        }
        let now = self.time(&raw.now);
        let mut tested = bundle.clone();
        if let Some(OneOrMany(paths)) = &raw.policies {
            tested.policies = self.policies(paths, bundle);
        } else if bundle.policies.is_empty() {
            let problem = Diagnostic::error("no-policy-files", "there is no policy to test");
            let problem = problem.at(span(self.source, &raw.version));
            self.diagnostics.push(problem.help("name it: `policies: NAME.yaml`, relative to this file"));
        }
        let mut hosts = BTreeMap::new();
        for (name, host) in &raw.hosts.value {
            match HostName::new(name) {
                Ok(name) => drop(hosts.insert(name.clone(), self.host(name, &host.value))),
                Err(error) => self.error("invalid-name", host, error.to_string()),
            }
        }
        let mut findings = BTreeMap::new();
        for (name, finding) in &raw.findings {
            if let Some(finding) = self.finding(name, finding, &hosts, &raw.hosts.value) {
                findings.insert(name.clone(), finding);
            }
        }
        if raw.tests.value.is_empty() {
            self.error("no-tests", &raw.tests, "this file tests nothing");
        }
        let known =
            Known { hosts: &hosts, findings: &findings, raw_hosts: &raw.hosts.value, raw_findings: &raw.findings };
        let mut tests: Vec<Test> = Vec::new();
        let mut names: BTreeMap<String, Span> = BTreeMap::new();
        for Spanned { value: raw, .. } in raw.tests.value {
            let at = span(self.source, &raw.name);
            let name = printable(&raw.name.value, 200);
            if let Some(first) = names.insert(name.clone(), at.clone()) {
                let twice = Diagnostic::error("duplicate-name", format!("two tests are called `{name}`"));
                self.diagnostics.push(twice.at(at.clone()).related("the first is here", first));
            }
            let test_now = raw.now.as_ref().map(|now| self.time(now));
            let host = self.subject(&raw, &known);
            let expect = self.expect(raw.expect, raw.finding.is_some());
            if let (Some(host), Some(expect)) = (host, expect)
                && test_now != Some(None)
            {
                let finding = raw.finding.map(|finding| finding.value);
                tests.push(Test { name, at, now: test_now.flatten(), finding, host, expect });
            }
        }
        Some(Suite { source: Arc::clone(self.source), bundle: tested, now: now?, hosts, findings, tests })
    }

    fn policies(&mut self, paths: &[Spanned<String>], bundle: &Bundle) -> Vec<Arc<Source>> {
        let mut policies = Vec::new();
        for path in paths {
            match bundle.find(self.source, &path.value) {
                Ok(found) if found.is_empty() => {
                    let message = format!("`{}` names no file", printable(&path.value, 120));
                    self.error("missing-file", path, message);
                }
                Ok(found) => policies.extend(found),
                Err(error) => self.error("unreadable-file", path, error.to_string()),
            }
        }
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        policies.dedup_by(|a, b| a.name == b.name);
        policies
    }

    fn host(&mut self, name: HostName, raw: &HostRaw) -> Host {
        let mut host = Host::named(name);
        for group in raw.groups.iter().flat_map(|groups| &groups.0) {
            host.groups.extend(self.named(group, GroupName::new));
        }
        host.labels = raw.labels.clone();
        host.importance = raw.importance;
        host.os = raw.os.as_ref().map(|os| Os {
            family: os.family.clone(),
            name: os.name.clone().unwrap_or_else(|| os.family.clone()),
            version: os.version.clone(),
        });
        host
    }

    fn finding(
        &mut self,
        name: &str,
        raw: &Spanned<FindingRaw>,
        hosts: &BTreeMap<HostName, Host>,
        raw_hosts: &BTreeMap<String, Spanned<HostRaw>>,
    ) -> Option<(HostName, Finding)> {
        let written = &raw.value;
        let host = self.known_host(&written.host, hosts, raw_hosts);
        let vulnerability = match &written.vulnerability {
            Some(id) => self.named(id, VulnerabilityId::new),
            None => VulnerabilityId::new("CVE-0000-0001").ok(),
        };
        let package = written.package.as_ref().map(|package| self.named(package, PackageName::new));
        let installed = written.installed.as_ref().map(|version| self.named(version, PackageVersion::new));
        let mut fixed = Vec::new();
        for version in written.fixed.iter().flat_map(|fixed| &fixed.0) {
            fixed.extend(self.named(version, PackageVersion::new));
        }
        let mut aliases = BTreeSet::new();
        for alias in written.aliases.iter().flat_map(|aliases| &aliases.0) {
            aliases.extend(self.named(alias, VulnerabilityId::new));
        }
        let cvss = written.cvss.as_ref().map(|score| match Score::try_from(score.value) {
            Ok(score) => vec![Cvss { source: "test".to_owned(), version: "3.1".to_owned(), score, vector: None }],
            Err(error) => {
                self.error("invalid-score", score, error.to_string());
                Vec::new()
            }
        });
        let epss = written.epss.as_ref().and_then(|chance| match Probability::try_from(chance.value) {
            Ok(chance) => Some(chance),
            Err(error) => {
                self.error("invalid-value", chance, error);
                None
            }
        });
        let published = written.published.as_ref().and_then(|time| self.time(time));
        let first_seen = written.first_seen.as_ref().and_then(|time| self.time(time));
        let (host, vulnerability) = (host?, vulnerability?);
        let asset = AssetName::new(host.as_str()).ok()?;
        let package = package.flatten();
        let location = format!("test {}", printable(name, 100));
        let installed = installed.flatten();
        Some((
            host,
            Finding {
                id: Finding::make_id(&asset, &vulnerability, package.as_ref(), installed.as_ref(), Some(&location)),
                asset,
                vulnerability,
                aliases,
                kind: written.kind.unwrap_or(VulnerabilityType::Linux),
                ecosystem: written.ecosystem.clone().unwrap_or_else(|| "deb".to_owned()),
                package,
                location: Some(location),
                installed,
                fixed,
                fix_state: written.fix_state.unwrap_or(FixState::Fixed),
                severity: written.severity,
                cvss: cvss.unwrap_or_default(),
                epss,
                kev: written.kev,
                published,
                first_seen,
                title: None,
                references: Vec::new(),
                claims: Vec::new(),
                scanner: "test".to_owned(),
            },
        ))
    }

    /// The host that a test is about: its own, or that of its finding.
    fn subject(&mut self, test: &TestRaw, known: &Known<'_>) -> Option<HostName> {
        match (&test.finding, &test.host) {
            (Some(finding), None) => {
                let host = known.findings.get(&finding.value).map(|(host, _)| host.clone());
                // What is wrong with a finding that is described was said there.
                if host.is_none() && !known.raw_findings.contains_key(&finding.value) {
                    self.unknown("finding", finding, known.raw_findings.keys().map(String::as_str));
                }
                host
            }
            (None, Some(host)) => self.known_host(host, known.hosts, known.raw_hosts),
            _ => {
                self.error("invalid-test", &test.name, "a test is about a `finding` or about a `host`");
                None
            }
        }
    }

    fn known_host(
        &mut self,
        name: &Spanned<String>,
        hosts: &BTreeMap<HostName, Host>,
        raw_hosts: &BTreeMap<String, Spanned<HostRaw>>,
    ) -> Option<HostName> {
        let known = hosts.get_key_value(name.value.as_str()).map(|(name, _)| name.clone());
        if known.is_none() && !raw_hosts.contains_key(&name.value) {
            self.unknown("host", name, raw_hosts.keys().map(String::as_str));
        }
        known
    }

    fn unknown<'k>(&mut self, what: &str, name: &Spanned<String>, known: impl Iterator<Item = &'k str>) {
        let message = format!("there is no {what} `{}` in this file", printable(&name.value, 80));
        let mut problem = Diagnostic::error("unknown-name", message).at(span(self.source, name));
        if let Some(near) = nearest(&name.value, known) {
            problem = problem.help(format!("did you mean `{}`?", printable(near, 80)));
        }
        self.diagnostics.push(problem);
    }

    fn expect(&mut self, raw: Spanned<ExpectRaw>, of_finding: bool) -> Option<Expect> {
        let at = Spanned { value: (), offset: raw.offset, length: raw.length };
        let raw = raw.value;
        let about_finding = raw.decision.is_some()
            || raw.priority.is_some()
            || raw.score.is_some()
            || raw.rule.is_some()
            || raw.reason.is_some()
            || raw.due.is_some()
            || raw.emergency.is_some();
        let about_host = raw.importance.is_some()
            || raw.strategy.is_some()
            || raw.approvals.is_some()
            || raw.open.is_some()
            || raw.closed.is_some()
            || raw.probes.is_some();
        if !about_finding && !about_host {
            self.error("invalid-test", &at, "this test expects nothing");
        }
        if about_finding && !of_finding {
            self.error("invalid-test", &at, "this is expected of a finding, and the test is about a host");
        }
        if raw.reason.as_deref() == Some("") {
            self.error("invalid-test", &at, "every reason has the empty text in it");
        }
        if let Some(score) = &raw.score
            && let Err(error) = Score::try_from(score.value)
        {
            self.error("invalid-score", score, error.to_string());
        }
        for (key, times) in [("open", &raw.open), ("closed", &raw.closed)] {
            if times.as_ref().is_some_and(|times| times.0.is_empty()) {
                self.error("invalid-test", &at, format!("`{key}` names no time: nothing is expected"));
            }
        }
        let due = raw.due.as_ref().map(|due| (due.value != "never").then(|| self.time(due)));
        let open = self.times(raw.open.as_ref());
        let closed = self.times(raw.closed.as_ref());
        // A time that is wrong was reported.
        let due = match due {
            Some(Some(None)) => return None,
            Some(time) => Some(time.flatten()),
            None => None,
        };
        Some(Expect { raw, due, open, closed })
    }

    fn times(&mut self, texts: Option<&OneOrMany<Spanned<String>>>) -> Vec<Timestamp> {
        texts.into_iter().flat_map(|texts| &texts.0).filter_map(|text| self.time(text)).collect()
    }

    /// A time, or a day for its beginning in UTC.
    fn time(&mut self, text: &Spanned<String>) -> Option<Timestamp> {
        let time = match text.value.len() {
            10 => text.value.parse::<Date>().ok().and_then(|day| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())),
            _ => text.value.parse().ok(),
        };
        if time.is_none() {
            let message = format!("`{}` is not a time", printable(&text.value, 60));
            let problem = Diagnostic::error("invalid-time", message).at(span(self.source, text));
            self.diagnostics.push(
                problem.help("write it as 2026-11-23T12:00:00Z, with `+01:00` for another offset, or 2026-11-23"),
            );
        }
        time
    }

    fn named<T>(&mut self, text: &Spanned<String>, new: impl Fn(&str) -> Result<T, InvalidName>) -> Option<T> {
        new(&text.value).map_err(|error| self.error("invalid-name", text, error.to_string())).ok()
    }
}
