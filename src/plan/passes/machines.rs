//! One plan for each machine: two names of one machine would be fixed at once, and a restore of one undo the other. So would
//! a provider that puts back another host than the one it is named for.

use std::collections::BTreeMap;

use crate::model::{Host, HostName, Ssh};
use crate::plan::PlanError;
use crate::plan::draft::{Draft, some_of};

pub(in crate::plan) fn run(draft: &mut Draft<'_>) -> Result<(), PlanError> {
    let mut names: BTreeMap<_, Vec<HostName>> = BTreeMap::new();
    for (name, host) in &draft.hosts {
        names.entry(machine(host.host.address(), &host.host.ssh)).or_default().push(name.clone());
    }
    for names in names.into_values().filter(|names| names.len() > 1) {
        let why = format!("{} are one machine by their address: name it once in the inventory", some_of(&names));
        for name in names {
            if let Some(host) = draft.hosts.get_mut(&name) {
                host.block("same-machine", why.clone());
            }
        }
    }
    // Also with hosts that have nothing to fix: they would be put back.
    let objects = objects(draft.input.hosts.values());
    for (name, host) in &mut draft.hosts {
        let Some(object) = host.host.provider.as_ref().and_then(|provider| provider.object()) else { continue };
        let others: Vec<&HostName> = objects[&object].iter().copied().filter(|other| *other != name).collect();
        if !others.is_empty() {
            host.block("same-provider-object", same_object(&object, &others));
        }
    }
    Ok(())
}

/// Which hosts each object of a provider is named for.
pub(in crate::plan) fn objects<'a>(hosts: impl Iterator<Item = &'a Host>) -> BTreeMap<String, Vec<&'a HostName>> {
    let mut objects: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for host in hosts {
        if let Some(object) = host.provider.as_ref().and_then(|provider| provider.object()) {
            objects.entry(object).or_default().push(&host.name);
        }
    }
    objects
}

pub(in crate::plan) fn same_object(object: &str, others: &[&HostName]) -> String {
    format!(
        "its provider backs up and restores the {object}, and so does that of {}: it is one host's",
        some_of(others)
    )
}

/// What a host is reached by: behind different jump hosts an address may be another machine's.
type Machine<'a> = (String, u16, Option<&'a str>, Option<&'a str>);

pub(in crate::plan) fn machine<'a>(address: &str, ssh: &'a Ssh) -> Machine<'a> {
    (address.to_ascii_lowercase(), ssh.port.unwrap_or(22), ssh.jump.as_deref(), ssh.config.as_deref())
}
