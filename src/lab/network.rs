//! The lab's own network: one /24 of 10.77.0.0/16, chosen so that it meets no other.

use std::fmt;
use std::net::Ipv4Addr;

use super::tool::Tool;
use super::{LabError, Prefix};

/// The first host's last octet; below it are the gateway and room for whatever a test adds.
const FIRST: u8 = 11;
/// Hosts of one lab.
pub(crate) const MAX_HOSTS: u32 = 200;

/// A network of 256 addresses, written `10.77.3.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet([u8; 3]);

impl Subnet {
    /// The address of the host with this number, counted from 1.
    pub(crate) fn host(self, number: u32) -> Result<Ipv4Addr, LabError> {
        let [a, b, c] = self.0;
        u8::try_from(number)
            .ok()
            .filter(|_| (1..=MAX_HOSTS).contains(&number))
            .and_then(|number| FIRST.checked_add(number - 1))
            .map(|d| Ipv4Addr::new(a, b, c, d))
            .ok_or(LabError::Hosts(number))
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        address.octets()[..3] == self.0
    }

    /// Whether the two have an address in common.
    fn meets(self, address: Ipv4Addr, length: u32) -> bool {
        let mask = |a: Ipv4Addr, l: u32| u32::from(a).checked_shr(32 - l).unwrap_or(0);
        let own = Ipv4Addr::new(self.0[0], self.0[1], self.0[2], 0);
        let shorter = length.min(24);
        self.contains(address) || mask(own, shorter) == mask(address, shorter)
    }

    /// One that meets none of these networks (`a.b.c.d/length`).
    fn free(taken: &[(Ipv4Addr, u32)]) -> Option<Self> {
        (0..=255).map(|c| Self([10, 77, c])).find(|s| !taken.iter().any(|&(address, length)| s.meets(address, length)))
    }
}

impl std::str::FromStr for Subnet {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        match network(text) {
            Some((address, 24)) if address.octets()[3] == 0 => {
                let [a, b, c, _] = address.octets();
                Ok(Self([a, b, c]))
            }
            _ => Err(LabError::Subnet(crate::model::printable(text, 40))),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a}.{b}.{c}.0/24")
    }
}

impl TryFrom<String> for Subnet {
    type Error = LabError;
    fn try_from(text: String) -> Result<Self, LabError> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

fn network(text: &str) -> Option<(Ipv4Addr, u32)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok().filter(|length| *length <= 32)?))
}

/// Chooses a network that meets no other of podman's and no route of this machine.
pub(crate) fn choose() -> Result<Subnet, LabError> {
    let mut taken = Vec::new();
    let names = Tool::new("podman", "listing networks").args(["network", "ls", "--quiet"]).run()?;
    let names: Vec<&str> = names.split_whitespace().collect();
    if !names.is_empty() {
        let inspected = Tool::new("podman", "looking at networks").args(["network", "inspect"]).args(&names).ask()?;
        taken.extend(subnets(&inspected.stdout));
    }
    let routes = Tool::new("ip", "listing routes").args(["-4", "route", "show", "table", "all"]).run()?;
    taken.extend(routes.lines().filter_map(|line| line.split_whitespace().find_map(network)));
    Subnet::free(&taken).ok_or(LabError::NoNetwork)
}

fn subnets(inspected: &str) -> Vec<(Ipv4Addr, u32)> {
    #[derive(serde::Deserialize)]
    struct Network {
        #[serde(default)]
        subnets: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        subnet: String,
    }
    // A network that vanished between the two calls is no reason to fail: its creation is what decides.
    let networks: Vec<Network> = serde_json::from_str(inspected).unwrap_or_default();
    networks.iter().flat_map(|n| &n.subnets).filter_map(|entry| network(&entry.subnet)).collect()
}

/// Makes the network, and the one for clones, unless they are there.
pub(crate) fn ensure(prefix: &Prefix, subnet: Subnet) -> Result<(), LabError> {
    if exists(prefix.as_str())? {
        belongs(prefix, subnet)?;
    } else {
        Tool::new("podman", format!("making network {prefix}"))
            .args(["network", "create", "--driver", "bridge", "--subnet", &subnet.to_string()])
            .args(["--label", &prefix.label(), prefix.as_str()])
            .run()?;
    }
    let clones = prefix.clone_network();
    if !exists(&clones)? {
        Tool::new("podman", format!("making network {clones}"))
            .args(["network", "create", "--driver", "bridge", "--label", &prefix.label(), &clones])
            .run()?;
    }
    let inspected =
        Tool::new("podman", format!("looking at network {clones}")).args(["network", "inspect", &clones]).run()?;
    keep_apart(prefix, subnet, &subnets(&inspected))
}

/// A clone does not reach its original's network, nor is it reached from there. podman's own isolation depends on the
/// order in which its networks were first used.
fn keep_apart(prefix: &Prefix, hosts: Subnet, clones: &[(Ipv4Addr, u32)]) -> Result<(), LabError> {
    let table = prefix.table();
    let mut rules = format!(
        "add table inet {table}\n\
         add chain inet {table} apart {{ type filter hook forward priority -300; }}\n\
         flush chain inet {table} apart\n"
    );
    for (address, length) in clones {
        let clones = format!("{address}/{length}");
        for (from, to) in [(hosts.to_string(), clones.clone()), (clones, hosts.to_string())] {
            rules.push_str(&format!("add rule inet {table} apart ip saddr {from} ip daddr {to} drop\n"));
        }
    }
    super::fault::nft("keeping clones apart from hosts", rules)
}

fn exists(name: &str) -> Result<bool, LabError> {
    let answer = Tool::new("podman", "looking for the network").args(["network", "exists", name]).ask()?;
    Ok(answer.status.success())
}

/// The network of this name must be ours.
fn belongs(prefix: &Prefix, subnet: Subnet) -> Result<(), LabError> {
    #[derive(serde::Deserialize)]
    struct Network {
        #[serde(default)]
        labels: Option<std::collections::BTreeMap<String, String>>,
    }
    let purpose = format!("looking at network {prefix}");
    let said = Tool::new("podman", purpose.as_str()).args(["network", "inspect", prefix.as_str()]).run()?;
    let networks: Vec<Network> = serde_json::from_str(&said).map_err(|why| LabError::Answer {
        program: "podman".to_owned(),
        purpose,
        why: why.to_string(),
    })?;
    let ours = networks.iter().any(|network| {
        network.labels.as_ref().and_then(|labels| labels.get(super::state::LABEL)).map(String::as_str)
            == Some(prefix.as_str())
    });
    let there = subnets(&said).first().map_or_else(String::new, |(address, length)| format!("{address}/{length}"));
    if ours && there == subnet.to_string() {
        Ok(())
    } else {
        Err(LabError::Foreign { what: "network", name: prefix.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_read_as_written() {
        let subnet: Subnet = "10.77.3.0/24".parse().expect("a network");
        assert_eq!(subnet.to_string(), "10.77.3.0/24");
        assert_eq!(subnet.host(1).expect("fits"), Ipv4Addr::new(10, 77, 3, 11));
        assert_eq!(subnet.host(MAX_HOSTS).expect("fits"), Ipv4Addr::new(10, 77, 3, 210));
        assert!(subnet.host(0).is_err() && subnet.host(MAX_HOSTS + 1).is_err());
        for bad in ["", "10.77.3.0", "10.77.3.0/16", "10.77.3.1/24", "10.77.3.0/240", "a/24"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_network_in_use_is_not_chosen() {
        let taken = ["10.77.0.0/24", "10.77.1.128/25", "10.77.2.0/23", "192.0.2.0/24"];
        let taken: Vec<_> = taken.into_iter().filter_map(network).collect();
        assert_eq!(Subnet::free(&taken), Some(Subnet([10, 77, 4])));
        assert_eq!(Subnet::free(&[(Ipv4Addr::new(10, 0, 0, 0), 8)]), None);
        assert_eq!(Subnet::free(&[]), Some(Subnet([10, 77, 0])));
    }
}
