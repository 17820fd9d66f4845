//! A simulated host: packages, services, power, network, traffic and the jobs that run on it. A clone is one as well.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::engine::StepResult;
use crate::intake::{HostFacts, HostScan};
use crate::model::{
    AttemptId, Cvss, Finding, FixState, Host, HostName, PackageName, PackageVersion, Severity, UnitName,
    VulnerabilityId, VulnerabilityType,
};
use crate::plan::StepKind;

use super::{Fault, Watch};

/// A vulnerability that a newer version of a package removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// Its id.
    pub vulnerability: VulnerabilityId,
    /// Its score, where one was given.
    pub cvss: Option<Cvss>,
    /// Its severity, where one was given.
    pub severity: Option<Severity>,
    /// Known to be exploited.
    pub kev: bool,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// One line for people.
    pub title: String,
}

/// What the package source offers for a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The newest version.
    pub version: PackageVersion,
    /// What it removes.
    pub advisories: Vec<Advisory>,
    /// Whether it takes effect only by a reboot (a kernel).
    pub needs_reboot: bool,
}

/// What a backup holds, and what a restore puts back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Installed packages.
    pub installed: BTreeMap<PackageName, PackageVersion>,
    /// Whether what the service needs is whole.
    pub sound: bool,
    /// Running programs still use what was replaced.
    pub stale: bool,
    /// A reboot is needed for what was installed to take effect.
    pub reboot_required: bool,
}

impl Disk {
    /// What it is like when a machine has booted from it.
    pub(super) fn booted(&self) -> Self {
        Self { stale: false, reboot_required: false, ..self.clone() }
    }
}

/// Whether a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It runs.
    Up,
    /// It does not, for now or for good.
    Down,
}

/// What the network does with a host's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It answers.
    Fine,
    /// It refuses connections until this time.
    RefusesUntil(Timestamp),
    /// It answers nobody until it is restored.
    CutOff,
    /// It answers nobody any more.
    Isolated,
}

/// Whether the switch sends requests, to where [`SimHost::goes_to`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// It sends them.
    InService,
    /// It sends none.
    Drained,
}

/// What a clone is to its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneOf {
    /// Its host.
    pub host: HostName,
    /// The attempt that made it: its key.
    pub key: AttemptId,
    /// What still is there then was forgotten.
    pub overdue_at: Timestamp,
    /// Until when it is kept for people to look at, if it is.
    pub kept_until: Option<Timestamp>,
}

/// A detached job on a host, or an effect of a provider for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it is for.
    pub kind: StepKind,
    /// How far it is.
    pub state: JobState,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs: in this boot of the host, or at the provider.
    Running {
        /// The boot, for jobs on the host.
        boot: Option<u64>,
    },
    /// It ended; its result is kept.
    Done(StepResult),
    /// It was started, does not run and left no result.
    Lost,
}

/// A simulated host.
#[derive(Clone, Debug)]
pub struct SimHost {
    /// The host as an inventory has it.
    pub host: Host,
    /// What a backup of it holds.
    pub disk: Disk,
    /// What its package source offers.
    pub offers: BTreeMap<PackageName, Offer>,
    /// The service it is there for.
    pub service: UnitName,
    /// Running or not.
    pub power: Power,
    /// Reachable or not.
    pub network: Network,
    /// In service or not.
    pub traffic: Traffic,
    /// The address to which the switch sends its requests.
    pub goes_to: String,
    /// Counts boots, from 1.
    pub boot: u64,
    /// Free space in the package cache, in MiB.
    pub free_mib: u64,
    /// Somebody else holds the package manager's lock.
    pub lock_held: bool,
    /// The package source answers.
    pub mirror_up: bool,
    /// What was started on or for it, by attempt.
    pub jobs: BTreeMap<AttemptId, Job>,
    /// Backups of it, by reference.
    pub backups: BTreeMap<String, Disk>,
    /// What clones have replaced and their provider keeps, by reference.
    pub originals: BTreeMap<String, Disk>,
    /// Whose clone it is; none: it is a host of its own.
    pub clone_of: Option<CloneOf>,
    /// Packages that break its service when they are upgraded, and why.
    pub breaking: BTreeMap<PackageName, Fault>,
    /// Something that makes it unavailable is going on (fix, restart, reboot, restore).
    pub busy: BTreeSet<AttemptId>,
    /// Who puts it back by itself, if anybody was asked to.
    pub watch: Option<Watch>,
}

/// The name of a host's clone: faults of the clone are planted under it.
pub fn clone_name(host: &HostName) -> HostName {
    HostName::new(&format!("{host}-clone")).unwrap_or_else(|_| host.clone())
}

/// Space that every transaction needs.
pub(super) const NEEDED_MIB: u64 = 256;

impl SimHost {
    /// A healthy host with these packages, of which the source offers these.
    pub fn new(
        host: Host,
        service: UnitName,
        installed: BTreeMap<PackageName, PackageVersion>,
        offers: BTreeMap<PackageName, Offer>,
    ) -> Self {
        Self {
            goes_to: host.address().to_owned(),
            host,
            disk: Disk { installed, sound: true, stale: false, reboot_required: false },
            offers,
            service,
            power: Power::Up,
            network: Network::Fine,
            traffic: Traffic::InService,
            boot: 1,
            free_mib: 8192,
            lock_held: false,
            mirror_up: true,
            jobs: BTreeMap::new(),
            backups: BTreeMap::new(),
            originals: BTreeMap::new(),
            clone_of: None,
            breaking: BTreeMap::new(),
            busy: BTreeSet::new(),
            watch: None,
        }
    }

    /// A clone of it that has booted from this disk: a host of its own, which gets no requests.
    pub(super) fn cloned(&self, disk: &Disk, of: CloneOf) -> Self {
        let host = Host {
            name: clone_name(&of.host),
            address: Some(format!("clone-of-{}", self.host.address())),
            provider: None,
            switch: None,
            ..self.host.clone()
        };
        let clone = Self::new(host, self.service.clone(), BTreeMap::new(), self.offers.clone());
        let breaking = self.breaking.clone();
        Self { disk: disk.booted(), traffic: Traffic::Drained, clone_of: Some(of), breaking, ..clone }
    }

    /// It comes up from this disk.
    pub(super) fn boots(&mut self, disk: Disk, network: Network) {
        self.disk = disk;
        self.network = network;
        self.power = Power::Up;
        self.boot += 1;
    }

    /// The faults that are a state of it.
    pub(super) fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::DiskFull => self.free_mib = 3,
            Fault::LockHeld => self.lock_held = true,
            Fault::MirrorDown => self.mirror_up = false,
            Fault::PackageBreaks { nth } => {
                let packages = super::fleet::update(nth).into_iter().map(|package| (package, fault));
                self.breaking.extend(packages);
            }
            _ => {}
        }
    }

    /// Whether a controller's restore of it runs.
    pub(super) fn is_being_restored(&self) -> bool {
        let runs = |job: &Job| job.kind == StepKind::Restore && matches!(job.state, JobState::Running { .. });
        self.jobs.values().any(runs)
    }

    /// Whether it answers its controller.
    pub fn reachable(&self, now: Timestamp) -> bool {
        self.power == Power::Up
            && match self.network {
                Network::Fine => true,
                Network::RefusesUntil(until) => now >= until,
                Network::CutOff | Network::Isolated => false,
            }
    }

    /// Whether requests go to itself.
    pub fn gets_requests(&self) -> bool {
        self.traffic == Traffic::InService && self.goes_to == self.host.address()
    }

    /// Whether its users are served by it, with nothing going on that may change that.
    pub fn available(&self) -> bool {
        self.gets_requests() && self.is_well()
    }

    /// Whether it serves, with nothing going on that may change that.
    pub(super) fn is_well(&self) -> bool {
        self.serves() && self.busy.is_empty()
    }

    /// Whether its network is gone for good.
    pub fn is_cut_off(&self) -> bool {
        matches!(self.network, Network::CutOff | Network::Isolated)
    }

    /// Whether its service would answer.
    pub fn serves(&self) -> bool {
        self.power == Power::Up && self.disk.sound
    }

    /// Whether this package is at the version that its source offers, or at least at that of the fix.
    pub fn has(&self, package: &PackageName, to: Option<&PackageVersion>) -> bool {
        let installed = self.disk.installed.get(package);
        installed.is_some()
            && (installed == self.offers.get(package).map(|offer| &offer.version) || (to.is_some() && installed == to))
    }

    /// What a scan would find now.
    pub fn scan(&self, now: Timestamp) -> HostScan {
        let mut findings: Vec<Finding> = self
            .offers
            .iter()
            .filter(|(package, offer)| self.disk.installed.get(*package).is_some_and(|v| *v != offer.version))
            .flat_map(|(package, offer)| offer.advisories.iter().map(move |a| self.finding(package, offer, a)))
            .collect();
        findings.sort_by(|a, b| a.id.cmp(&b.id));
        HostScan {
            host: self.host.name.clone(),
            scanned_at: now,
            os: self.host.os.clone(),
            facts: HostFacts {
                reboot_pending: self.disk.reboot_required,
                stale_services: if self.disk.stale { vec![self.service.clone()] } else { Vec::new() },
                ..HostFacts::default()
            },
            findings,
            left_out: BTreeMap::new(),
        }
    }

    fn finding(&self, package: &PackageName, offer: &Offer, advisory: &Advisory) -> Finding {
        // A host name is printable: it is an asset name as well.
        #[expect(clippy::unwrap_used, reason = "every host name is a valid asset name")]
        let asset = crate::model::AssetName::new(self.host.name.as_str()).unwrap();
        let installed = self.disk.installed.get(package).cloned();
        Finding {
            id: Finding::make_id(&asset, &advisory.vulnerability, Some(package), installed.as_ref(), None),
            asset,
            vulnerability: advisory.vulnerability.clone(),
            aliases: BTreeSet::new(),
            kind: VulnerabilityType::Linux,
            ecosystem: "deb".to_owned(),
            package: Some(package.clone()),
            location: None,
            installed,
            fixed: vec![offer.version.clone()],
            fix_state: FixState::Fixed,
            severity: advisory.severity,
            cvss: advisory.cvss.iter().cloned().collect(),
            epss: None,
            kev: advisory.kev,
            published: advisory.published,
            first_seen: None,
            title: Some(advisory.title.clone()),
            references: Vec::new(),
            claims: Vec::new(),
            scanner: "simulated".to_owned(),
        }
    }
}
