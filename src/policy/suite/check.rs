//! Raw tests to checked ones; every problem becomes a diagnostic.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::raw::{ExpectRaw, FindingRaw, HostRaw, SuiteRaw};
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
        let mut times = vec![self.now];
        times.extend(self.tests.iter().filter_map(|test| test.now));
        times.dedup();
        times
    }
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
            if let Some(finding) = self.finding(name, finding, &hosts) {
                findings.insert(name.clone(), finding);
            }
        }
        if raw.tests.value.is_empty() {
            self.error("no-tests", &raw.tests, "this file tests nothing");
        }
        let mut tests: Vec<Test> = Vec::new();
        for raw in raw.tests.value {
            let at = span(self.source, &raw.value.name);
            let name = printable(&raw.value.name.value, 200);
            if let Some(first) = tests.iter().find(|test| test.name == name) {
                let message = format!("two tests are called `{name}`");
                let twice = Diagnostic::error("duplicate-name", message).at(at.clone());
                self.diagnostics.push(twice.related("the first is here", first.at.clone()));
            }
            let test_now = raw.value.now.as_ref().map(|now| self.time(now));
            let subject = self.subject(
                &raw.value.name,
                raw.value.finding.as_ref(),
                raw.value.host.as_ref(),
                &hosts,
                &raw_hosts(&findings),
            );
            let expect = self.expect(raw.value.expect, raw.value.finding.is_some());
            if let (Some(host), Some(expect)) = (subject, expect)
                && !matches!(test_now, Some(None))
            {
                let finding = raw.value.finding.map(|finding| finding.value);
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
    ) -> Option<(HostName, Finding)> {
        let written = &raw.value;
        let host = self.known_host(&written.host, hosts);
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
        let mut aliases = std::collections::BTreeSet::new();
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
                scanner: "test".to_owned(),
            },
        ))
    }

    fn subject(
        &mut self,
        name: &Spanned<String>,
        finding: Option<&Spanned<String>>,
        host: Option<&Spanned<String>>,
        hosts: &BTreeMap<HostName, Host>,
        findings: &BTreeMap<&str, &HostName>,
    ) -> Option<HostName> {
        match (finding, host) {
            (Some(finding), None) => {
                let host = findings.get(finding.value.as_str()).map(|host| (*host).clone());
                if host.is_none() {
                    let message = format!("there is no finding `{}` in this file", printable(&finding.value, 80));
                    let mut problem = Diagnostic::error("unknown-name", message).at(span(self.source, finding));
                    if let Some(near) = nearest(&finding.value, findings.keys().copied()) {
                        problem = problem.help(format!("did you mean `{near}`?"));
                    }
                    self.diagnostics.push(problem);
                }
                host
            }
            (None, Some(host)) => self.known_host(host, hosts),
            _ => {
                self.error("invalid-test", name, "a test is about a `finding` or about a `host`");
                None
            }
        }
    }

    fn known_host(&mut self, name: &Spanned<String>, hosts: &BTreeMap<HostName, Host>) -> Option<HostName> {
        let known = hosts.get_key_value(name.value.as_str()).map(|(name, _)| name.clone());
        if known.is_none() {
            let message = format!("there is no host `{}` in this file", printable(&name.value, 80));
            let mut problem = Diagnostic::error("unknown-name", message).at(span(self.source, name));
            if let Some(near) = nearest(&name.value, hosts.keys().map(HostName::as_str)) {
                problem = problem.help(format!("did you mean `{near}`?"));
            }
            self.diagnostics.push(problem);
        }
        known
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
        let due = match &raw.due {
            Some(due) if due.value == "never" => Some(None),
            Some(due) => Some(Some(self.time(due)?)),
            None => None,
        };
        let open = self.times(raw.open.as_ref());
        let closed = self.times(raw.closed.as_ref());
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

fn raw_hosts(findings: &BTreeMap<String, (HostName, Finding)>) -> BTreeMap<&str, &HostName> {
    findings.iter().map(|(name, (host, _))| (name.as_str(), host)).collect()
}
