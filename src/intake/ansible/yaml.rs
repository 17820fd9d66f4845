//! Ansible's YAML inventories (groups with `hosts`, `children`, `vars`) and the JSON that `ansible-inventory --list`
//! and inventory scripts print.

use std::sync::Arc;

use serde_json::Value;

use super::any::Any;
use super::data::AnsibleInventory;
use super::range::{MAX_HOSTS, expand_host_entry};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::{GroupName, HostName, printable};
use crate::yaml::{self, Spanned};

type Entries = Vec<(Spanned<String>, Any)>;

/// Reads a source into an inventory.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) inventory: &'a mut AnsibleInventory,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Groups at the top, each with its hosts, children and variables.
    pub(super) fn groups(&mut self, root: Entries) {
        for (name, group) in root {
            self.group(&name, group);
        }
    }

    /// The answer of `--list`: groups by name, variables of hosts under `_meta`.
    pub(super) fn list(&mut self, root: Entries) {
        let mut hostvars = Vec::new();
        let mut children = Vec::new();
        for (name, value) in root {
            if name.value == "_meta" {
                if let Any::Map(entries) = value {
                    hostvars.extend(entries.into_iter().filter(|(key, _)| key.value == "hostvars"));
                }
                continue;
            }
            if !self.declare(&name) {
                continue;
            }
            match value {
                Any::List(hosts) => self.listed_hosts(&name, hosts),
                Any::Map(entries) => {
                    for (key, value) in entries {
                        match (key.value.as_str(), value) {
                            ("hosts", Any::List(hosts)) => self.listed_hosts(&name, hosts),
                            ("children", Any::List(names)) => children.push((name.clone(), names)),
                            ("vars", Any::Map(vars)) => self.group_vars(&name.value, vars),
                            (_, Any::Null) => {}
                            (_, value) => self.unexpected(&key, &name.value, &value),
                        }
                    }
                }
                Any::Null => {}
                value @ Any::Scalar(_) => self.unexpected(&name, "all", &value),
            }
        }
        for (parent, names) in children {
            for child in names {
                let Any::Scalar(Value::String(child)) = child else { continue };
                let child = Spanned { value: child, ..parent.clone() };
                if self.declare(&child) {
                    self.add_child(&parent.value, &child);
                }
            }
        }
        for (_, hosts) in hostvars {
            let Any::Map(hosts) = hosts else { continue };
            for (host, vars) in hosts {
                if let Any::Map(vars) = vars
                    && self.add_hosts(&host, "all", vec![host.value.clone()], None)
                {
                    self.host_vars(&host.value, vars);
                }
            }
        }
    }

    fn listed_hosts(&mut self, group: &Spanned<String>, hosts: Vec<Any>) {
        for host in hosts {
            let Any::Scalar(host) = host else { continue };
            let host = host.as_str().map_or_else(|| host.to_string(), str::to_owned);
            self.add_hosts(group, &group.value, vec![host], None);
        }
    }

    fn group(&mut self, name: &Spanned<String>, value: Any) -> bool {
        let entries = match value {
            Any::Null => Vec::new(),
            Any::Map(entries) => entries,
            other => {
                let message = format!("`{}` is {}, not a group", printable(&name.value, 80), other.describe());
                self.warn("ignored-key", message, name, "a group is a mapping of `hosts`, `children` and `vars`");
                return false;
            }
        };
        if !self.declare(name) {
            return false;
        }
        for (key, value) in entries {
            // A single name may stand for a mapping of one.
            let value = match value {
                Any::Scalar(Value::String(one)) => Any::Map(vec![(Spanned { value: one, ..key.clone() }, Any::Null)]),
                value => value,
            };
            match (key.value.as_str(), value) {
                ("hosts" | "children" | "vars", Any::Null) => {}
                ("hosts", Any::Map(hosts)) => self.hosts(&name.value, hosts),
                ("children", Any::Map(children)) => {
                    for (child, group) in children {
                        if self.group(&child, group) {
                            self.add_child(&name.value, &child);
                        }
                    }
                }
                ("vars", Any::Map(vars)) => self.group_vars(&name.value, vars),
                ("hosts" | "children" | "vars", other) => {
                    let message = format!("`{}` of group `{}` is {}", key.value, name.value, other.describe());
                    let diagnostic = Diagnostic::error("invalid-inventory", message)
                        .at(yaml::span(self.source, &key))
                        .help("it is a mapping by name: `web-1:` rather than `- web-1`");
                    self.diagnostics.push(diagnostic);
                }
                (_, other) => self.unexpected(&key, &name.value, &other),
            }
        }
        true
    }

    fn hosts(&mut self, group: &str, hosts: Entries) {
        for (entry, vars) in hosts {
            let (names, port) = match expand_host_entry(&entry.value) {
                Ok(expanded) => expanded,
                Err(message) => {
                    let message = format!("`{}`: {message}", printable(&entry.value, 80));
                    self.error("invalid-host-range", &message, &entry);
                    continue;
                }
            };
            let vars = match vars {
                Any::Null => Vec::new(),
                Any::Map(vars) => vars,
                other => {
                    let message =
                        format!("the variables of `{}` are {}", printable(&entry.value, 80), other.describe());
                    self.error("invalid-inventory", &message, &entry);
                    continue;
                }
            };
            if self.add_hosts(&entry, group, names.clone(), port) {
                for name in names {
                    self.host_vars(&name, vars.clone());
                }
            }
        }
    }

    fn add_hosts(&mut self, at: &Spanned<String>, group: &str, names: Vec<String>, port: Option<u16>) -> bool {
        if self.inventory.host_count() + names.len() > MAX_HOSTS {
            self.error("too-many-hosts", &format!("the inventory names more than {MAX_HOSTS} hosts"), at);
            return false;
        }
        for name in &names {
            if let Err(error) = HostName::new(name) {
                self.error("invalid-host-name", &error.to_string(), at);
                return false;
            }
        }
        let source = self.source;
        for name in &names {
            self.inventory.add_host(name, group, port, || yaml::span(source, at));
        }
        true
    }

    fn host_vars(&mut self, host: &str, vars: Entries) {
        for (name, value) in vars {
            self.inventory.set_host_var(host, &name.value, value.into_json());
        }
    }

    fn group_vars(&mut self, group: &str, vars: Entries) {
        for (name, value) in vars {
            self.inventory.set_group_var(group, &name.value, value.into_json());
        }
    }

    fn declare(&mut self, name: &Spanned<String>) -> bool {
        match GroupName::new(&name.value) {
            Ok(_) => {
                self.inventory.add_group(&name.value);
                true
            }
            Err(error) => {
                self.error("invalid-group-name", &error.to_string(), name);
                false
            }
        }
    }

    fn add_child(&mut self, parent: &str, child: &Spanned<String>) {
        if let Err(message) = self.inventory.add_child(parent, &child.value) {
            self.error("group-loop", &message, child);
        }
    }

    fn unexpected(&mut self, key: &Spanned<String>, group: &str, value: &Any) {
        let message = format!(
            "`{}` of group `{group}` is {} that says nothing here",
            printable(&key.value, 80),
            value.describe()
        );
        self.warn("ignored-key", message, key, "a group has `hosts`, `children` and `vars`");
    }

    fn error(&mut self, code: &'static str, message: &str, at: &Spanned<String>) {
        self.diagnostics.push(Diagnostic::error(code, message).at(yaml::span(self.source, at)));
    }

    fn warn(&mut self, code: &'static str, message: String, at: &Spanned<String>, help: &str) {
        self.diagnostics.push(Diagnostic::warning(code, message).at(yaml::span(self.source, at)).help(help));
    }
}
