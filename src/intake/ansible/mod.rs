//! Ansible inventories as they are: INI, YAML, `--list` JSON, with `group_vars/` and `host_vars/`.

mod address;
mod any;
mod data;
mod host;
mod ini;
mod literal;
mod members;
mod pattern;
mod range;
mod ssh_args;
mod template;
#[cfg(test)]
mod tests;
mod vars;
mod yaml;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::json;
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::{Host, HostName};

pub(super) use any::Any;
use data::AnsibleInventory;
pub use members::Members;
pub use pattern::{PatternError, Selected, select};
pub use range::expand_host_entry;

/// Ansible sources as they are read, one behind the other.
#[derive(Debug, Default)]
pub(super) struct AnsibleReader {
    inventory: AnsibleInventory,
    /// Folders that hold a source, in order.
    folders: Vec<PathBuf>,
    any: bool,
}

impl AnsibleReader {
    /// A source lies in this folder: its `group_vars` and `host_vars` count.
    pub(super) fn folder(&mut self, folder: PathBuf) {
        if !self.folders.contains(&folder) {
            self.folders.push(folder);
        }
    }

    pub(super) fn ini(&mut self, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
        self.any = true;
        ini::read(source, &mut self.inventory, diagnostics);
    }

    pub(super) fn yaml(&mut self, source: &Arc<Source>, mut root: Any, diagnostics: &mut Diagnostics) {
        self.any = true;
        let is_json = json::is_json(&source.text);
        if !is_json {
            root.resolve(&source.text);
        }
        vars::tell_encrypted(&root, source, diagnostics);
        let mut reader = yaml::Reader { source, inventory: &mut self.inventory, diagnostics };
        if let Any::Map(entries) = root {
            if is_json && yaml::is_list(&entries) {
                reader.list(entries);
            } else {
                reader.groups(entries);
            }
        }
    }

    /// The answer of an inventory program; the hosts whose variables it wants to be asked for.
    pub(super) fn answer(&mut self, source: &Arc<Source>, root: Any, diagnostics: &mut Diagnostics) -> Vec<String> {
        self.any = true;
        vars::tell_encrypted(&root, source, diagnostics);
        let Any::Map(entries) = root else { return Vec::new() };
        yaml::Reader { source, inventory: &mut self.inventory, diagnostics }.list(entries)
    }

    /// The answer of an inventory program about one host.
    pub(super) fn host_answer(&mut self, host: &str, vars: Any) {
        if let Any::Map(vars) = vars {
            for (name, value) in vars {
                self.inventory.set_host_var(host, &name.value, value.into_json());
            }
        }
    }

    /// Everything that was read; none if there was no source.
    pub(super) fn finish(mut self, diagnostics: &mut Diagnostics) -> Option<Answer> {
        if !self.any {
            return None;
        }
        if self.inventory.is_full() && diagnostics.has_errors() {
            // A million hosts would be made for nothing.
            return None;
        }
        self.inventory.reconcile(diagnostics);
        let files = vars::VarsFiles::read(&self.folders, &self.inventory, diagnostics);
        let mut hosts = Vec::new();
        let mut notes = host::Notes::default();
        let mut memberships = 0;
        for host in self.inventory.resolved(&files) {
            memberships += host.groups.len();
            if memberships > MAX_MEMBERSHIPS {
                let message =
                    format!("hosts are in groups more than {MAX_MEMBERSHIPS} times, counting groups of groups");
                diagnostics.push(Diagnostic::error("too-many-hosts", message).at(host.span.clone()));
                break;
            }
            // Checked when it was read.
            if let Ok(name) = HostName::new(host.name) {
                hosts.push((host::host(name, &host.groups, &host.vars, host.span, &mut notes), host.span.clone()));
            }
        }
        notes.tell(diagnostics);
        let members = self.inventory.members();
        Some(Answer { hosts, members, ansible: Ansible { inventory: self.inventory, files } })
    }
}

/// Twenty thousand hosts in a thousand groups each.
const MAX_MEMBERSHIPS: usize = 20_000_000;

/// What Ansible sources say together.
pub(super) struct Answer {
    /// The hosts with where they are named.
    pub(super) hosts: Vec<(Host, Span)>,
    /// Who is in which group.
    pub(super) members: Members,
    /// All of it.
    pub(super) ansible: Ansible,
}

/// Ansible sources with all their variables.
#[derive(Debug)]
pub(super) struct Ansible {
    inventory: AnsibleInventory,
    files: vars::VarsFiles,
}

impl Ansible {
    /// The answer of `ansible-inventory --list`. Every host repeats the variables of its groups: it may be large.
    pub(super) fn list(&self) -> Value {
        self.inventory.list(&self.files)
    }
}
