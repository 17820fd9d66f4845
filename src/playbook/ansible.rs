//! `ansible:` as a command: an existing Ansible playbook against one host, run on the controller by a static script of ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{Become, Fix, Host, printable};

use super::RenderError;

/// What runs `ansible-playbook` and says how it ended.
pub(super) const SCRIPT: &str =
    concat!(include_str!("../../playbooks/linux/common.sh"), include_str!("../../playbooks/ansible/run.sh"));

/// What the script is told of the host and of the fix.
pub(super) fn environment(host: &Host, fix: &Fix, root: bool) -> Result<BTreeMap<String, String>, RenderError> {
    let name = host.name.as_str();
    let mut vars = connection(host)?;
    vars.insert("ansible_become".to_owned(), (root && host.becomes == Become::Sudo).into());
    let groups: Map<String, Value> =
        host.groups.iter().map(|group| (group.to_string(), json!({ "hosts": { (name): {} } }))).collect();
    let inventory = json!({ "all": { "hosts": { (name): vars }, "children": groups } });
    // The names that the fix holds have character sets in which Ansible sees no template.
    let vars = json!({ "switchback": { "host": name, "packages": fix.packages } });
    Ok(BTreeMap::from([
        ("HOST".to_owned(), name.to_owned()),
        ("INVENTORY".to_owned(), inventory.to_string()),
        ("VARS".to_owned(), vars.to_string()),
        ("KNOWN_HOSTS".to_owned(), host.ssh.host_key.as_ref().map_or_else(String::new, |key| format!("{name} {key}"))),
    ]))
}

/// How Ansible reaches the host: as we do, with the same pinned key.
fn connection(host: &Host) -> Result<Map<String, Value>, RenderError> {
    let ssh = &host.ssh;
    let mut vars = Map::new();
    vars.insert("ansible_host".to_owned(), plain(host.address())?.into());
    if let Some(user) = &ssh.user {
        vars.insert("ansible_user".to_owned(), plain(user)?.into());
    }
    if let Some(port) = ssh.port {
        vars.insert("ansible_port".to_owned(), port.into());
    }
    if let Some(identity) = &ssh.identity {
        vars.insert("ansible_ssh_private_key_file".to_owned(), plain(identity)?.into());
    }
    let mut options = Vec::new();
    if let Some(jump) = &ssh.jump {
        options.push(format!("-J {}", plain(jump)?));
    }
    if let Some(config) = &ssh.config {
        options.push(format!("-F {}", plain(config)?));
    }
    let known_hosts = match (&ssh.host_key, &ssh.known_hosts) {
        (Some(_), _) => {
            options.push(format!("-o HostKeyAlias={}", host.name));
            Some("{{ lookup('env', 'SWITCHBACK_WORK') }}/known_hosts")
        }
        (None, Some(file)) => Some(plain(file)?),
        (None, None) => None,
    };
    if let Some(file) = known_hosts {
        options.push(format!(
            "-o UserKnownHostsFile={file} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes"
        ));
    }
    vars.insert("ansible_ssh_common_args".to_owned(), options.join(" ").into());
    Ok(vars)
}

/// Nothing that Ansible would take for a template, or a shell for more than one word.
fn plain(value: &str) -> Result<&str, RenderError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-:@+/~,[]".contains(c);
    if value.is_empty() || value.starts_with('-') || !value.chars().all(fine) {
        let message = format!("{:?} cannot be given to Ansible", printable(value, 80));
        return Err(RenderError::Template { place: "the inventory for Ansible".to_owned(), message });
    }
    Ok(value)
}
