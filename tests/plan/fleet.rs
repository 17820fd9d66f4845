//! Fleets of any size for tests and benchmarks of the planner; the same arguments give the same fleet.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::duplicated_attributes,
    clippy::allow_attributes,
    reason = "a failed assumption must fail the test; each target that includes this file uses a part of it"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchback::diagnostic::{Diagnostics, Source};
use switchback::model::{
    AssetName, Cvss, Finding, FixState, History, Host, HostName, Importance, Os, PackageName, PackageVersion,
    ProviderSettings, Score, SwitchSettings, TimeSpan, VulnerabilityId, VulnerabilityType,
};
use switchback::plan::{Plan, PlanInput, plan};
use switchback::playbook::{Playbook, shipped};
use switchback::policy::Policy;

/// Hosts labelled `env: prod` have a long window, `env: short` a short one, others none at all.
const WINDOWS: &str = r#"
version: 1
windows:
  - name: saturday-night
    match: {labels: {env: prod}}
    schedule: {rrule: FREQ=WEEKLY;BYDAY=SA, start: "22:00", duration: 4h, timezone: Europe/Berlin}
  - name: lunch
    match: {labels: {env: short}}
    schedule: {rrule: FREQ=DAILY, start: "12:00", duration: 5m, timezone: Europe/Berlin}
"#;

const POLICY: &str = r#"
version: 1
scope: {fix: [critical, high]}
backup: {required: true, max_age: 1h, keep: 7d}
rollout:
  canary: {hosts: 1, soak: 30m}
  waves: ["10%", "50%", "100%"]
  max_unavailable: {per: {label: service}, value: "25%"}
  failure_budget: {hosts: 2, share: "50%"}
  concurrency: {hosts: 50}
reboot: when_required
verify: {soak: 5m}
"#;

/// Everything a plan is made of.
#[derive(Debug)]
pub struct Fleet {
    pub hosts: BTreeMap<HostName, Host>,
    pub findings: Vec<(HostName, Finding)>,
    pub policy: Policy,
    pub playbooks: Vec<Playbook>,
    pub history: History,
}

impl Fleet {
    pub fn empty() -> Self {
        Self::under(&[("policy.yaml", POLICY), ("windows.yaml", WINDOWS)])
    }

    /// With a policy that writes no windows.
    pub fn without_windows() -> Self {
        Self::under(&[("policy.yaml", POLICY)])
    }

    pub fn with_window(window: &str) -> Self {
        Self::under(&[("policy.yaml", POLICY), ("windows.yaml", window)])
    }

    pub fn under(files: &[(&str, &str)]) -> Self {
        let mut diagnostics = Diagnostics::default();
        let files: Vec<_> = files.iter().map(|(name, text)| Source::new(*name, *text)).collect();
        let policy = Policy::load(files, &mut diagnostics);
        let policy = policy.unwrap_or_else(|| panic!("{:?}", diagnostics.iter().collect::<Vec<_>>()));
        Self { hosts: BTreeMap::new(), findings: Vec::new(), policy, playbooks: shipped(), history: History::default() }
    }

    /// `hosts` hosts in services of eight, with `findings` findings each.
    pub fn of(hosts: usize, findings: usize) -> Self {
        let mut fleet = Self::empty();
        for h in 0..hosts {
            let mut host = host(&format!("web-{h:05}"));
            host.labels.insert("service".to_owned(), format!("service-{}", h / 8));
            host.importance = Some([Importance::General, Importance::Test, Importance::Important][h % 3]);
            if h % 2 == 0 {
                host.switch = Some(SwitchSettings::Simulated);
            }
            let name = host.name.clone();
            fleet.add(host);
            for f in 0..findings {
                let package = format!("libpackage{}", (f * 7 + h) % (findings.max(2) - 1));
                fleet.finding(
                    name.as_str(),
                    &format!("CVE-2026-{:04}", f * 13 + h % 5),
                    &package,
                    &format!("1.2.{}", f + 1),
                );
            }
        }
        fleet
    }

    pub fn add(&mut self, host: Host) {
        self.hosts.insert(host.name.clone(), host);
    }

    /// A critical finding with a fix.
    pub fn finding(&mut self, host: &str, vulnerability: &str, package: &str, fixed: &str) -> &mut Finding {
        self.findings.push((HostName::new(host).unwrap(), finding(host, vulnerability, package, fixed)));
        &mut self.findings.last_mut().unwrap().1
    }

    pub fn input(&self) -> PlanInput<'_> {
        PlanInput {
            hosts: &self.hosts,
            findings: &self.findings,
            policy: &self.policy,
            playbooks: &self.playbooks,
            as_of: as_of(),
            seed: 7,
            inputs: BTreeMap::new(),
            history: &self.history,
            origin: switchback::plan::Origin::default(),
            horizon: TimeSpan::days(28),
        }
    }

    pub fn plan(&self) -> Plan {
        plan(&self.input()).unwrap()
    }
}

/// A Monday.
pub fn as_of() -> Timestamp {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// A Debian host of the simulator that may be disrupted only on Saturday nights.
pub fn host(name: &str) -> Host {
    let mut host = Host::named(HostName::new(name).unwrap());
    host.os = Some(Os { family: "debian".to_owned(), name: "debian".to_owned(), version: Some("12".to_owned()) });
    host.provider = Some(ProviderSettings::Simulated);
    host.labels.insert("env".to_owned(), "prod".to_owned());
    host
}

/// A critical finding with a fix.
pub fn finding(host: &str, vulnerability: &str, package: &str, fixed: &str) -> Finding {
    let asset = AssetName::new(host).unwrap();
    let vulnerability = VulnerabilityId::new(vulnerability).unwrap();
    let package = PackageName::new(package).unwrap();
    let installed = PackageVersion::new("1.2.0").unwrap();
    Finding {
        id: Finding::make_id(&asset, &vulnerability, Some(&package), Some(&installed), None),
        asset,
        vulnerability,
        aliases: Default::default(),
        kind: VulnerabilityType::Linux,
        ecosystem: "deb".to_owned(),
        package: Some(package),
        location: None,
        installed: Some(installed),
        fixed: vec![PackageVersion::new(fixed).unwrap()],
        fix_state: FixState::Fixed,
        severity: None,
        cvss: vec![Cvss {
            source: "nvd".to_owned(),
            version: "3.1".to_owned(),
            score: Score::from_hundredths(980),
            vector: None,
        }],
        epss: None,
        kev: true,
        published: Some(TimeSpan::days(200).before(as_of())),
        first_seen: Some(TimeSpan::days(10).before(as_of())),
        title: None,
        references: Vec::new(),
        claims: Vec::new(),
        scanner: "trivy".to_owned(),
    }
}

/// A finding that policy defers.
pub fn harmless(finding: &mut Finding) {
    finding.kev = false;
    finding.published = None;
    finding.cvss[0].score = Score::from_hundredths(100);
}
