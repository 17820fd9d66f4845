//! Faults to plant in hosts, and the evidence that they really happened.

use std::fmt;
use std::fs;

use super::state::Prefix;
use super::tool::Tool;
use super::{Lab, LabError, hosts};

/// What goes wrong. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// A pending update of the canary package with nothing wrong in it.
    Healthy,
    /// Its update fails when it is configured.
    FailingPostinst,
    /// Its update breaks nginx's configuration: nginx is down.
    NginxBroken,
    /// Its update makes nginx answer 500, at once or some time later.
    #[serde(rename = "nginx-500")]
    Nginx500 {
        /// How long after the update.
        after: u32,
    },
    /// Its update takes this long.
    Slow {
        /// How long.
        seconds: u32,
    },
    /// Somebody else holds apt's lock.
    AptLocked {
        /// How long.
        seconds: u32,
    },
    /// dpkg was killed between unpacking and configuring.
    DpkgInterrupted,
    /// Nothing fits into apt's cache any more, until the host restarts.
    DiskFull,
    /// The host's only link goes down, until it restarts or is restored.
    Cut {
        /// How long; for good where absent.
        seconds: Option<u32>,
    },
    /// The network between this machine and the host drops everything; a restore does not help.
    Partition {
        /// How long; for good where absent.
        seconds: Option<u32>,
    },
    /// The package mirrors cannot be reached, until the host restarts.
    MirrorGone,
    /// sshd is stopped and does not start again.
    SshGone,
    /// Somebody else reboots the host.
    Reboot,
    /// The next reboot does not bring sshd back.
    NoReturn,
}

/// When a fault happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// At once, or as soon as the host meets it (an update is installed, a reboot is made).
    #[default]
    Now,
    /// In the middle of the next fix: when apt calls dpkg.
    DuringFix,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Now => "now",
            Self::DuringFix => "during-fix",
        })
    }
}

impl Fault {
    /// Its name in evidence and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::FailingPostinst => "failing-postinst",
            Self::NginxBroken => "nginx-broken",
            Self::Nginx500 { .. } => "nginx-500",
            Self::Slow { .. } => "slow",
            Self::AptLocked { .. } => "apt-locked",
            Self::DpkgInterrupted => "dpkg-interrupted",
            Self::DiskFull => "disk-full",
            Self::Cut { .. } => "cut",
            Self::Partition { .. } => "partition",
            Self::MirrorGone => "mirror-gone",
            Self::SshGone => "ssh-gone",
            Self::Reboot => "reboot",
            Self::NoReturn => "no-return",
        }
    }

    /// All names.
    pub const NAMES: [&str; 14] = [
        "healthy",
        "failing-postinst",
        "nginx-broken",
        "nginx-500",
        "slow",
        "apt-locked",
        "dpkg-interrupted",
        "disk-full",
        "cut",
        "partition",
        "mirror-gone",
        "ssh-gone",
        "reboot",
        "no-return",
    ];

    /// The fault of this name, lasting (or waiting) this long where it has a length.
    pub fn named(name: &str, seconds: Option<u32>) -> Option<Self> {
        /// Longer than a test waits, shorter than a person.
        const USUAL: u32 = 30;
        Some(match name {
            "healthy" => Self::Healthy,
            "failing-postinst" => Self::FailingPostinst,
            "nginx-broken" => Self::NginxBroken,
            "nginx-500" => Self::Nginx500 { after: seconds.unwrap_or(0) },
            "slow" => Self::Slow { seconds: seconds.unwrap_or(USUAL) },
            "apt-locked" => Self::AptLocked { seconds: seconds.unwrap_or(USUAL) },
            "dpkg-interrupted" => Self::DpkgInterrupted,
            "disk-full" => Self::DiskFull,
            "cut" => Self::Cut { seconds },
            "partition" => Self::Partition { seconds },
            "mirror-gone" => Self::MirrorGone,
            "ssh-gone" => Self::SshGone,
            "reboot" => Self::Reboot,
            "no-return" => Self::NoReturn,
            _ => return None,
        })
    }

    const fn seconds(self) -> u32 {
        match self {
            Self::Nginx500 { after } => after,
            Self::Slow { seconds } | Self::AptLocked { seconds } => seconds,
            Self::Cut { seconds: Some(seconds) } | Self::Partition { seconds: Some(seconds) } => seconds,
            _ => 0,
        }
    }

    /// Whether it can wait for a fix.
    const fn can_wait(self) -> bool {
        matches!(self, Self::Cut { .. } | Self::SshGone | Self::Reboot)
    }

    /// Whether it has happened as soon as it is planted now, so that its evidence must be there.
    const fn is_immediate(self) -> bool {
        matches!(
            self,
            Self::AptLocked { .. }
                | Self::DpkgInterrupted
                | Self::DiskFull
                | Self::Cut { .. }
                | Self::Partition { .. }
                | Self::MirrorGone
                | Self::SshGone
                | Self::Reboot
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What was seen of a fault.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// Milliseconds since 1970, by the host's clock.
    pub at: u64,
    /// The fault's name.
    pub fault: String,
    /// What happened.
    pub event: EvidenceEvent,
    /// In words.
    pub detail: String,
}

/// What happened to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceEvent {
    /// It was prepared.
    Planted,
    /// It happened: this is the proof.
    Fired,
    /// It passed by itself.
    Ended,
    /// It was taken away.
    Healed,
}

impl Evidence {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let at = words.next()?.parse().ok()?;
        let fault = words.next().filter(|name| Fault::NAMES.contains(name))?.to_owned();
        let event = match words.next()? {
            "planted" => EvidenceEvent::Planted,
            "fired" => EvidenceEvent::Fired,
            "ended" => EvidenceEvent::Ended,
            "healed" => EvidenceEvent::Healed,
            _ => return None,
        };
        Some(Self { at, fault, event, detail: crate::model::printable(words.next().unwrap_or_default(), 200) })
    }
}

impl Lab {
    /// Plants a fault. One that happens at once has happened when this returns.
    pub fn plant(&self, host: &str, fault: Fault, trigger: Trigger) -> Result<(), LabError> {
        if trigger == Trigger::DuringFix && !fault.can_wait() {
            return Err(LabError::Trigger { fault, how: trigger });
        }
        let (state, address) = self.host(host)?;
        let container = state.prefix.container(host);
        let before = self.evidence(host)?.len();
        hosts::refresh_script(&container)?;
        match fault {
            Fault::DiskFull => {
                hosts::script(&container, &["note", fault.name(), "planted"], 10)?;
                self.fill_disk(&container)?;
            }
            Fault::Partition { .. } => {
                hosts::script(&container, &["note", fault.name(), "planted"], 10)?;
                partition(&state.prefix, address, fault.seconds())?;
                hosts::script(&container, &["note", fault.name(), "fired", "dropped on the controller"], 10)?;
            }
            _ => {
                let (seconds, trigger) = (fault.seconds().to_string(), trigger.to_string());
                hosts::script(&container, &["plant", fault.name(), &seconds, &trigger], 120)?;
            }
        }
        if trigger == Trigger::Now && fault.is_immediate() {
            self.await_fired(host, fault, before)?;
        }
        Ok(())
    }

    /// Takes a fault away and puts right what it broke; harmless where there is none.
    pub fn heal(&self, host: &str, fault: Fault) -> Result<(), LabError> {
        let (state, address) = self.host(host)?;
        let container = state.prefix.container(host);
        hosts::refresh_script(&container)?;
        match fault {
            Fault::DiskFull => {
                self.free_disk(&container)?;
                hosts::script(&container, &["note", fault.name(), "healed"], 10)?;
            }
            Fault::Partition { .. } => {
                mend_partition(&state.prefix, address)?;
                hosts::script(&container, &["note", fault.name(), "healed"], 10)?;
            }
            _ => {
                hosts::script(&container, &["heal", fault.name()], 120)?;
            }
        }
        Ok(())
    }

    /// All evidence of a host, in the order in which it was noted.
    pub fn evidence(&self, host: &str) -> Result<Vec<Evidence>, LabError> {
        self.host(host)?;
        let path = self.folder().evidence(host).join("evidence");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().filter_map(Evidence::read).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(LabError::io(&path, "read")(error)),
        }
    }

    /// Whether the fault has happened since it was last planted.
    pub fn fired(&self, host: &str, fault: Fault) -> Result<bool, LabError> {
        let evidence = self.evidence(host)?;
        let own = evidence.iter().rev().filter(|e| e.fault == fault.name());
        Ok(own.take_while(|e| e.event != EvidenceEvent::Planted).any(|e| e.event == EvidenceEvent::Fired))
    }

    /// Waits for the evidence of a fault that happens at once; a service in the host notes it.
    fn await_fired(&self, host: &str, fault: Fault, before: usize) -> Result<(), LabError> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            let evidence = self.evidence(host)?;
            if evidence.iter().skip(before).any(|e| e.fault == fault.name() && e.event == EvidenceEvent::Fired) {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(LabError::NoEvidence { fault, host: host.to_owned() })
    }

    /// Puts a tiny file system over apt's archives. A host may not mount, so this machine does it in the host's place.
    fn fill_disk(&self, container: &str) -> Result<(), LabError> {
        self.free_disk(container)?;
        Tool::new("nsenter", format!("filling the disk of {container}"))
            .args(["--target", &pid(container)?, "--mount", "mount", "-t", "tmpfs", "-o", "size=64k,mode=755"])
            .args([FULL, ARCHIVES])
            .run()?;
        let fill = "mkdir -p \"$0/partial\"; dd if=/dev/zero of=\"$0/full\" bs=1k 2> /dev/null; test -s \"$0/full\"";
        Tool::new("podman", format!("filling the disk of {container}"))
            .args(["exec", container, "sh", "-c", fill, ARCHIVES])
            .run()?;
        let free = Tool::new("podman", format!("looking at the disk of {container}"))
            .args(["exec", container, "df", "--output=avail", ARCHIVES])
            .run()?;
        let free = free.split_whitespace().next_back().unwrap_or_default();
        hosts::script(container, &["note", Fault::DiskFull.name(), "fired", &format!("{free} KiB left")], 10)?;
        Ok(())
    }

    fn free_disk(&self, container: &str) -> Result<(), LabError> {
        let pid = pid(container)?;
        let path = format!("/proc/{pid}/mountinfo");
        let mounts = fs::read_to_string(&path).map_err(LabError::io(path.as_ref(), "read"))?;
        // Only what is ours is ever unmounted; it may have been planted more than once.
        for _ in mounts.lines().filter(|line| line.split(' ').any(|word| word == FULL)) {
            Tool::new("nsenter", format!("freeing the disk of {container}"))
                .args(["--target", &pid, "--mount", "umount", ARCHIVES])
                .run()?;
        }
        Ok(())
    }
}

/// Where apt puts what it fetches.
const ARCHIVES: &str = "/var/cache/apt/archives";
/// The source by which our mount is known.
const FULL: &str = "switchback-lab-full";

fn pid(container: &str) -> Result<String, LabError> {
    match hosts::inspect(&[container.to_owned()])?.get(container) {
        Some(found) if found.running && found.pid != 0 => Ok(found.pid.to_string()),
        _ => Err(LabError::Failed {
            program: "podman".to_owned(),
            purpose: format!("looking at {container}"),
            stderr: "the host does not run".to_owned(),
        }),
    }
}

/// Drops everything between this machine and the address; nftables itself ends it after its time.
fn partition(prefix: &Prefix, address: std::net::Ipv4Addr, seconds: u32) -> Result<(), LabError> {
    let table = prefix.table();
    let timeout = if seconds == 0 { String::new() } else { format!(" timeout {seconds}s") };
    let rules = format!(
        "add table inet {table}\n\
         add set inet {table} cut {{ type ipv4_addr; flags timeout; }}\n\
         add chain inet {table} in {{ type filter hook input priority -300; }}\n\
         add chain inet {table} out {{ type filter hook output priority -300; }}\n\
         flush chain inet {table} in\n\
         flush chain inet {table} out\n\
         add rule inet {table} in ip saddr @cut drop\n\
         add rule inet {table} out ip daddr @cut drop\n\
         add element inet {table} cut {{ {address}{timeout} }}\n"
    );
    // An element that is there keeps its old time: it goes first.
    mend_partition(prefix, address)?;
    nft("cutting off a host", rules)
}

fn mend_partition(prefix: &Prefix, address: std::net::Ipv4Addr) -> Result<(), LabError> {
    // Adding first makes the removal succeed whether it was there or not.
    let table = prefix.table();
    nft(
        "reconnecting a host",
        format!(
            "add table inet {table}\nadd set inet {table} cut {{ type ipv4_addr; flags timeout; }}\n\
             add element inet {table} cut {{ {address} }}\ndelete element inet {table} cut {{ {address} }}\n"
        ),
    )
}

/// Removes the lab's table, if nftables is there at all.
pub(crate) fn remove_table(prefix: &Prefix) -> Result<(), LabError> {
    let table = prefix.table();
    let rules = format!("add table inet {table}\ndelete table inet {table}\n");
    match nft("removing the lab's nftables table", rules) {
        // Without nftables no partition was ever planted.
        Err(LabError::Start { .. }) => Ok(()),
        result => result,
    }
}

pub(crate) fn nft(purpose: &str, rules: String) -> Result<(), LabError> {
    Tool::new("nft", purpose).args(["--file", "-"]).input(rules).run().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_faults_agree() {
        for name in Fault::NAMES {
            assert_eq!(Fault::named(name, Some(7)).map(Fault::name), Some(name));
        }
        assert_eq!(Fault::named("fire", None), None);
        assert_eq!(Fault::named("cut", Some(7)), Some(Fault::Cut { seconds: Some(7) }));
    }

    #[test]
    fn evidence_is_read_and_nonsense_is_not() {
        let read = Evidence::read("1700000000123 nginx-500 fired nginx answers 500").expect("evidence");
        assert_eq!((read.at, read.fault.as_str(), read.event), (1_700_000_000_123, "nginx-500", EvidenceEvent::Fired));
        assert_eq!(read.detail, "nginx answers 500");
        assert!(Evidence::read("1 cut ended ").is_some());
        for bad in ["", "x cut fired", "1 fire fired", "1 cut", "1 cut burst"] {
            assert!(Evidence::read(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_wait_for_a_fix_is_refused() -> Result<(), LabError> {
        let dir = std::path::Path::new("/nonexistent");
        let lab = Lab::open(dir, dir)?;
        let refused = lab.plant("web-1", Fault::DiskFull, Trigger::DuringFix);
        assert!(matches!(refused, Err(LabError::Trigger { .. })), "{refused:?}");
        Ok(())
    }
}
