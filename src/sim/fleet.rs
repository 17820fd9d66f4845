//! Believable fleets: Debian 12 hosts in a few services, with pending security updates and the CVE ids they remove.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::intake::HostScan;
use crate::model::{
    Become, Cvss, Finding, GroupName, Host, HostName, Importance, Os, PackageName, PackageVersion, ProviderSettings,
    Score, Severity, SwitchSettings, UnitName, VulnerabilityId,
};

use super::{Advisory, Offer, Rng, SimHost, SimWorld};

/// An update of the security suite: binary packages, versions before and behind, what it removes.
struct Update {
    packages: &'static [&'static str],
    from: &'static str,
    to: &'static str,
    kernel: bool,
    advisories: &'static [Known],
}

/// A vulnerability as the public data bases have it: id, score in hundredths, known to be exploited, published, title.
struct Known(&'static str, u16, bool, &'static str, &'static str);

/// What any Debian 12 host of some age may have pending.
const COMMON: &[Update] = &[
    Update {
        packages: &["libssl3", "openssl"],
        from: "3.0.11-1~deb12u2",
        to: "3.0.15-1~deb12u1",
        kernel: false,
        advisories: &[
            Known("CVE-2024-5535", 910, false, "2024-06-27", "buffer overread in SSL_select_next_proto"),
            Known("CVE-2024-4741", 750, false, "2024-11-13", "use after free with SSL_free_buffers"),
            Known("CVE-2024-6119", 750, false, "2024-09-03", "denial of service in X.509 name checks"),
        ],
    },
    Update {
        packages: &["openssh-client", "openssh-server"],
        from: "1:9.2p1-2+deb12u2",
        to: "1:9.2p1-2+deb12u3",
        kernel: false,
        advisories: &[Known("CVE-2024-6387", 810, false, "2024-07-01", "signal handler race in sshd (regreSSHion)")],
    },
    Update {
        packages: &["libc-bin", "libc6"],
        from: "2.36-9+deb12u4",
        to: "2.36-9+deb12u7",
        kernel: false,
        advisories: &[
            Known("CVE-2024-2961", 880, false, "2024-04-17", "out-of-bounds write in iconv ISO-2022-CN-EXT"),
            Known("CVE-2024-33599", 810, false, "2024-05-06", "stack overflow in the netgroup cache of nscd"),
        ],
    },
    Update {
        packages: &["liblzma5", "xz-utils"],
        from: "5.4.1-0.2",
        to: "5.4.1-1",
        kernel: false,
        advisories: &[Known("CVE-2025-31115", 870, false, "2025-04-03", "use after free in the threaded xz decoder")],
    },
    Update {
        packages: &["libperl5.36", "perl", "perl-base"],
        from: "5.36.0-7+deb12u1",
        to: "5.36.0-7+deb12u2",
        kernel: false,
        advisories: &[Known("CVE-2024-56406", 840, false, "2025-04-13", "heap overflow in tr/// on non-ASCII bytes")],
    },
    Update {
        packages: &["sudo"],
        from: "1.9.13p3-1+deb12u1",
        to: "1.9.13p3-1+deb12u2",
        kernel: false,
        advisories: &[Known("CVE-2025-32462", 700, false, "2025-06-30", "host option ignored by command checks")],
    },
    Update {
        packages: &["less"],
        from: "590-2",
        to: "590-2.1~deb12u2",
        kernel: false,
        advisories: &[Known("CVE-2024-32487", 860, false, "2024-04-13", "command execution through file names")],
    },
    Update {
        packages: &["linux-image-amd64"],
        from: "6.1.69-1",
        to: "6.1.76-1",
        kernel: true,
        advisories: &[
            Known("CVE-2024-1086", 780, true, "2024-01-31", "use after free in nf_tables"),
            Known("CVE-2024-0646", 780, false, "2024-01-17", "out-of-bounds write in kernel TLS"),
        ],
    },
];

/// A service: its name, the unit, its update, how many of ten hosts serve it.
const ROLES: &[(&str, &str, Importance, Update)] = &[
    (
        "web",
        "nginx.service",
        Importance::General,
        Update {
            packages: &["nginx", "nginx-common"],
            from: "1.22.1-9",
            to: "1.22.1-9+deb12u1",
            kernel: false,
            advisories: &[Known("CVE-2024-7347", 570, false, "2024-08-14", "buffer overread in the mp4 module")],
        },
    ),
    (
        "db",
        "postgresql@15-main.service",
        Importance::Important,
        Update {
            packages: &["postgresql-15", "postgresql-client-15"],
            from: "15.6-0+deb12u1",
            to: "15.8-0+deb12u1",
            kernel: false,
            advisories: &[Known("CVE-2024-7348", 880, false, "2024-08-08", "time-of-check race in pg_dump")],
        },
    ),
    (
        "cache",
        "redis-server.service",
        Importance::Test,
        Update {
            packages: &["redis-server", "redis-tools"],
            from: "5:7.0.15-1~deb12u1",
            to: "5:7.0.15-1~deb12u2",
            kernel: false,
            advisories: &[Known("CVE-2024-31449", 880, false, "2024-10-07", "stack overflow in a Lua library")],
        },
    ),
];

/// The fleet as it was made.
#[derive(Clone, Debug)]
pub struct SimFleet {
    /// Its hosts.
    pub hosts: Vec<SimHost>,
    seed: u64,
}

/// A fleet of `size` hosts. The same seed gives the same fleet; the first hosts do not depend on how many follow.
pub fn fleet(size: usize, seed: u64) -> SimFleet {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let hosts = (0..size)
        .filter_map(|i| {
            // Of ten hosts six are web servers, two data bases, two caches; a small fleet begins with web servers.
            let (role, unit, importance, own) = &ROLES[[0, 0, 0, 1, 0, 2, 0, 0, 1, 2][i % 10]];
            let number = counts.entry(role).or_insert(0);
            *number += 1;
            let name = HostName::new(&format!("{role}-{number}")).ok()?;
            let mut rng = Rng::keyed(seed, name.as_str());
            let mut host = describe(name, role, *importance, i);
            host.labels.insert("env".to_owned(), if rng.percent(70) { "prod" } else { "staging" }.to_owned());
            let mut updates: Vec<&Update> =
                COMMON.iter().filter(|update| rng.percent(if update.kernel { 40 } else { 55 })).collect();
            updates.push(own);
            Some(build(host, UnitName::new(unit).ok()?, &updates))
        })
        .collect();
    SimFleet { hosts, seed }
}

/// How many updates there are.
pub(super) const UPDATES: u32 = 11;

/// The packages of one update of the catalogue.
pub(super) fn update(nth: u32) -> Vec<PackageName> {
    let all = COMMON.iter().chain(ROLES.iter().map(|(.., update)| update));
    let update = all.into_iter().nth(usize::try_from(nth).unwrap_or(usize::MAX));
    update.into_iter().flat_map(|update| update.packages).filter_map(|name| PackageName::new(name).ok()).collect()
}

fn describe(name: HostName, role: &str, importance: Importance, index: usize) -> Host {
    let mut host = Host::named(name);
    // A network for measurements, large enough for every host to have an address of its own.
    host.address = Some(format!("198.{}.{}.{}", 18 + index / 64_000, index / 250 % 256, index % 250 + 1));
    host.groups = GroupName::new(role).into_iter().collect::<BTreeSet<_>>();
    host.labels.insert("service".to_owned(), if role == "web" { "shop" } else { role }.to_owned());
    host.labels.insert("rack".to_owned(), format!("r{}", index % 3 + 1));
    host.os = Some(Os { family: "debian".to_owned(), name: "debian".to_owned(), version: Some("12".to_owned()) });
    host.importance = Some(importance);
    host.becomes = Become::Sudo;
    host.provider = Some(ProviderSettings::Simulated);
    host.switch = Some(SwitchSettings::Simulated);
    host
}

fn build(host: Host, service: UnitName, updates: &[&Update]) -> SimHost {
    let mut installed = BTreeMap::new();
    let mut offers = BTreeMap::new();
    for update in updates {
        let (Ok(from), Ok(to)) = (PackageVersion::new(update.from), PackageVersion::new(update.to)) else { continue };
        for package in update.packages.iter().filter_map(|name| PackageName::new(name).ok()) {
            installed.insert(package.clone(), from.clone());
            let advisories = update.advisories.iter().filter_map(advisory).collect();
            offers.insert(package, Offer { version: to.clone(), advisories, needs_reboot: update.kernel });
        }
    }
    SimHost::new(host, service, installed, offers)
}

fn advisory(known: &Known) -> Option<Advisory> {
    let Known(id, score, kev, published, title) = known;
    let severity = match score {
        900.. => Severity::Critical,
        700.. => Severity::High,
        400.. => Severity::Medium,
        _ => Severity::Low,
    };
    Some(Advisory {
        vulnerability: VulnerabilityId::new(id).ok()?,
        cvss: Some(Cvss {
            source: "nvd".to_owned(),
            version: "3.1".to_owned(),
            score: Score::from_hundredths(*score),
            vector: None,
        }),
        severity: Some(severity),
        kev: *kev,
        published: format!("{published}T00:00:00Z").parse().ok(),
        title: (*title).to_owned(),
    })
}

impl SimFleet {
    /// What an inventory says of it.
    pub fn inventory(&self) -> Vec<Host> {
        self.hosts.iter().map(|host| host.host.clone()).collect()
    }

    /// What scans find on it.
    pub fn scans(&self, now: Timestamp) -> Vec<HostScan> {
        self.hosts.iter().map(|host| host.scan(now)).collect()
    }

    /// All its findings.
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        self.scans(now).into_iter().flat_map(|scan| scan.findings).collect()
    }

    /// The world it lives in.
    pub fn world(&self) -> SimWorld {
        SimWorld::new(self.seed, self.hosts.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_catalogue_is_valid() {
        let updates = COMMON.iter().chain(ROLES.iter().map(|(.., update)| update));
        for update in updates {
            assert!(
                PackageVersion::new(update.from).is_ok() && PackageVersion::new(update.to).is_ok(),
                "{}",
                update.to
            );
            assert!(update.packages.iter().all(|name| PackageName::new(name).is_ok()), "{:?}", update.packages);
            let advisories: Vec<_> = update.advisories.iter().filter_map(advisory).collect();
            assert_eq!(advisories.len(), update.advisories.len());
            assert!(advisories.iter().all(|a| a.published.is_some()));
        }
        assert!(!update(UPDATES - 1).is_empty() && update(UPDATES).is_empty());
    }

    #[test]
    fn a_fleet_depends_on_its_seed_alone_and_grows_at_its_end() {
        let now = Timestamp::UNIX_EPOCH;
        let small = fleet(4, 7);
        let large = fleet(40, 7);
        assert_eq!(small.findings(now), fleet(4, 7).findings(now));
        assert_ne!(large.findings(now), fleet(40, 8).findings(now));
        assert_eq!(small.inventory(), large.inventory()[..4]);
        assert!(small.hosts.iter().all(|host| !host.scan(now).findings.is_empty()), "every host has something to fix");
        let names: BTreeSet<_> = large.inventory().into_iter().map(|host| host.name).collect();
        assert_eq!(names.len(), 40, "names are unique");
    }
}
