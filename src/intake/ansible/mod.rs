//! Ansible inventories as they are: INI, YAML, `--list` JSON, with `group_vars/` and `host_vars/`.

mod any;
mod data;
mod host;
mod ini;
mod literal;
mod range;
mod vars;
mod yaml;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Diagnostics, Source, Span};
use crate::model::{Host, HostName};

pub(super) use any::Any;
pub use data::AnsibleInventory;
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

    pub(super) fn yaml(&mut self, source: &Arc<Source>, root: Any, diagnostics: &mut Diagnostics) {
        self.any = true;
        let mut reader = yaml::Reader { source, inventory: &mut self.inventory, diagnostics };
        if let Any::Map(entries) = root {
            if entries.iter().any(|(key, _)| key.value == "_meta") {
                reader.list(entries);
            } else {
                reader.groups(entries);
            }
        }
    }

    /// The hosts with where they are named, and the answer of `ansible-inventory --list`; none if there was no source.
    pub(super) fn finish(mut self, diagnostics: &mut Diagnostics) -> Option<(Vec<(Host, Span)>, Value)> {
        if !self.any {
            return None;
        }
        self.inventory.reconcile();
        let files = vars::VarsFiles::read(&self.folders, &self.inventory, diagnostics);
        let mut hosts = Vec::new();
        for (name, groups, vars, span) in self.inventory.resolved(&files) {
            // Checked when it was read.
            if let Ok(name) = HostName::new(name) {
                hosts.push((host::host(name, &groups, &vars, span, diagnostics), span.clone()));
            }
        }
        Some((hosts, self.inventory.list(&files)))
    }
}
