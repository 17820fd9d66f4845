//! Ansible's YAML inventories (groups with `hosts`, `children`, `vars`) and the JSON that `ansible-inventory --list`
//! and inventory scripts print.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::any::Any;
use super::data::AnsibleInventory;
use super::range::{MAX_GROUPS, MAX_SHARED, TOO_MANY_HOSTS, expand_host_entry};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::{GroupName, HostName, printable};
use crate::yaml::{self, Spanned};

type Entries = Vec<(Spanned<String>, Any)>;

/// Whether a JSON document is what `--list` prints rather than groups as people write them: hosts are a list there.
pub(super) fn is_list(root: &Entries) -> bool {
    let listed = |entries: &Entries| {
        let list = |(key, value): &(Spanned<String>, Any)| is_section(&key.value) && matches!(value, Any::List(_));
        entries.iter().any(list)
    };
    root.iter().any(|(key, value)| match value {
        Any::Map(group) => key.value == "_meta" || listed(group),
        Any::List(_) => true,
        _ => false,
    })
}

fn is_section(key: &str) -> bool {
    matches!(key, "hosts" | "vars" | "children")
}

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

    /// The answer of `--list`: groups by name, variables of hosts under `_meta`. The hosts whose variables have to be
    /// asked for, because there is no `_meta`.
    pub(super) fn list(&mut self, root: Entries) -> Vec<String> {
        let mut hostvars = None;
        let mut listed = Vec::new();
        for (name, value) in root {
            if name.value != "_meta" {
                self.listed_group(&name, value, &mut listed);
                continue;
            }
            let found = match value {
                Any::Map(entries) => entries.into_iter().find(|(key, _)| key.value == "hostvars").map(|(_, vars)| vars),
                _ => None,
            };
            match found {
                Some(Any::Map(hosts)) => hostvars = Some(hosts),
                _ => {
                    self.error("invalid-inventory", "`_meta` has no mapping `hostvars`", &name);
                    hostvars = Some(Vec::new());
                }
            }
        }
        let Some(hostvars) = hostvars else {
            let mut seen = BTreeSet::new();
            listed.retain(|host| seen.insert(host.clone()));
            return listed;
        };
        let listed: BTreeSet<String> = listed.into_iter().collect();
        for (host, vars) in hostvars {
            match vars {
                _ if !listed.contains(&host.value) => {
                    let message =
                        format!("`_meta` has variables of `{}`, which is in no group", printable(&host.value, 80));
                    self.warn("ignored-key", message, &host, "add it to a group, such as `ungrouped`");
                }
                Any::Map(vars) => self.host_vars(&host.value, vars),
                Any::Null => {}
                other => {
                    let what = format!("the variables of `{}` are {}", printable(&host.value, 80), other.describe());
                    self.error("invalid-inventory", &what, &host);
                }
            }
        }
        Vec::new()
    }

    fn listed_group(&mut self, name: &Spanned<String>, value: Any, listed: &mut Vec<String>) {
        if !self.declare(name) {
            return;
        }
        let entries = match value {
            Any::Map(entries) if entries.iter().any(|(key, _)| is_section(&key.value)) => entries,
            Any::Map(vars) => {
                let message = format!("`{}` has neither `hosts`, `vars` nor `children`", printable(&name.value, 80));
                self.warn("ignored-key", message, name, "it is taken for a host of this name, as Ansible does");
                self.listed_hosts(name, vec![Any::Text(name.value.clone(), 0)], listed);
                return self.group_vars(&name.value, vars);
            }
            hosts => vec![(Spanned { value: "hosts".to_owned(), ..name.clone() }, hosts)],
        };
        for (key, value) in entries {
            match (key.value.as_str(), value) {
                ("hosts", Any::List(hosts)) => self.listed_hosts(name, hosts, listed),
                ("children", Any::List(names)) => {
                    for child in names {
                        let Any::Text(child, offset) = child else { continue };
                        let child = Spanned { length: child.len(), value: child, offset };
                        if self.declare(&child) {
                            self.add_child(&name.value, &child);
                        }
                    }
                }
                ("vars", Any::Map(vars)) => self.group_vars(&name.value, vars),
                ("hosts" | "children" | "vars", value) => {
                    let what = if key.value == "vars" { "a mapping" } else { "a list" };
                    let message = format!("`{}` of group `{}` is {}", key.value, name.value, value.describe());
                    let diagnostic = Diagnostic::error("invalid-inventory", message).at(yaml::span(self.source, &key));
                    self.diagnostics.push(diagnostic.help(format!("in the answer of `--list` it is {what}")));
                }
                (_, value) => self.unexpected(&key, &name.value, &value),
            }
        }
    }

    fn listed_hosts(&mut self, group: &Spanned<String>, hosts: Vec<Any>, listed: &mut Vec<String>) {
        for host in hosts {
            let what = host.describe();
            match host {
                Any::Text(host, offset) => {
                    let at = Spanned { length: host.len(), value: (), offset };
                    if self.add_hosts(&at, &group.value, std::slice::from_ref(&host), None) {
                        listed.push(host);
                    }
                }
                _ => self.error(
                    "invalid-inventory",
                    &format!("a host of group `{}` is {what}, no text", group.value),
                    group,
                ),
            }
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
                Any::Text(one, _) => Any::Map(vec![(Spanned { value: one, ..key.clone() }, Any::Null)]),
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
            if self.inventory.is_full() {
                // Every further range would be expanded for nothing.
                return;
            }
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
                    self.inventory.refuse(names.len());
                    continue;
                }
            };
            if names.len() > 1
                && vars.iter().map(|(_, value)| 64 + value.weight()).sum::<usize>() * names.len() > MAX_SHARED
            {
                let message = format!(
                    "the variables of `{}` for {} hosts take more than {} MiB",
                    printable(&entry.value, 80),
                    names.len(),
                    MAX_SHARED >> 20
                );
                self.error("too-many-hosts", &message, &entry);
                self.inventory.refuse(names.len());
                continue;
            }
            if self.add_hosts(&entry, group, &names, port) {
                for name in names {
                    self.host_vars(&name, vars.clone());
                }
            }
        }
    }

    fn add_hosts<T>(&mut self, at: &Spanned<T>, group: &str, names: &[String], port: Option<u16>) -> bool {
        for name in names {
            if let Err(error) = HostName::new(name) {
                self.error("invalid-host-name", &error.to_string(), at);
                self.inventory.refuse(names.len());
                return false;
            }
        }
        let source = self.source;
        for name in names {
            if self.inventory.is_full() {
                self.error("too-many-hosts", TOO_MANY_HOSTS, at);
                return false;
            }
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
            Ok(_) if self.inventory.group_count() >= MAX_GROUPS && !self.inventory.has_group(&name.value) => {
                self.error("too-many-hosts", &format!("the inventory names more than {MAX_GROUPS} groups"), name);
                false
            }
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
        self.inventory.add_child(parent, &child.value, Some(yaml::span(self.source, child)));
    }

    fn unexpected(&mut self, key: &Spanned<String>, group: &str, value: &Any) {
        let message = format!(
            "`{}` of group `{group}` is {} that says nothing here",
            printable(&key.value, 80),
            value.describe()
        );
        self.warn("ignored-key", message, key, "a group has `hosts`, `children` and `vars`");
    }

    fn error<T>(&mut self, code: &'static str, message: &str, at: &Spanned<T>) {
        self.diagnostics.push(Diagnostic::error(code, message).at(yaml::span(self.source, at)));
    }

    fn warn(&mut self, code: &'static str, message: String, at: &Spanned<String>, help: &str) {
        self.diagnostics.push(Diagnostic::warning(code, message).at(yaml::span(self.source, at)).help(help));
    }
}
