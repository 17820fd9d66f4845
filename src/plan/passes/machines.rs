//! One plan for each machine: two names of one machine would be fixed at once, and a restore of one undo the other.

use std::collections::BTreeMap;

use crate::model::{HostName, Ssh};
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
    Ok(())
}

/// What a host is reached by: behind different jump hosts an address may be another machine's.
type Machine<'a> = (String, u16, Option<&'a str>, Option<&'a str>);

pub(in crate::plan) fn machine<'a>(address: &str, ssh: &'a Ssh) -> Machine<'a> {
    (address.to_ascii_lowercase(), ssh.port.unwrap_or(22), ssh.jump.as_deref(), ssh.config.as_deref())
}
