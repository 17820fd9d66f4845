//! Groups, hosts and variables of Ansible inventories, with Ansible's own rules of membership and precedence.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::vars::VarsFiles;
use crate::diagnostic::Span;

/// Variables by name.
pub(super) type Vars = BTreeMap<String, Value>;

#[derive(Debug, Default)]
pub(super) struct Group {
    /// Direct members, as they came.
    hosts: Vec<String>,
    members: BTreeSet<String>,
    children: Vec<String>,
    parents: Vec<String>,
    vars: Vars,
    priority: i64,
}

#[derive(Debug)]
pub(super) struct HostEntry {
    pub(super) vars: Vars,
    /// Groups of which it is a direct member.
    groups: Vec<String>,
    /// Where it is first named.
    pub(super) span: Span,
}

/// Everything that a set of Ansible sources says.
#[derive(Debug)]
pub struct AnsibleInventory {
    groups: BTreeMap<String, Group>,
    /// Names of groups as they came.
    group_order: Vec<String>,
    hosts: BTreeMap<String, HostEntry>,
    host_order: Vec<String>,
}

impl Default for AnsibleInventory {
    fn default() -> Self {
        let mut inventory =
            Self { groups: BTreeMap::new(), group_order: Vec::new(), hosts: BTreeMap::new(), host_order: Vec::new() };
        inventory.add_group("all");
        inventory.add_group("ungrouped");
        // Neither is its own child.
        let _ = inventory.add_child("all", "ungrouped");
        inventory
    }
}

impl AnsibleInventory {
    pub(super) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    pub(super) fn add_group(&mut self, name: &str) {
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), Group::default());
            self.group_order.push(name.to_owned());
        }
    }

    /// Both groups exist. A group that would contain itself is an error.
    pub(super) fn add_child(&mut self, parent: &str, child: &str) -> Result<(), String> {
        if parent == child || self.ancestors([parent]).contains(child) {
            return Err(format!("group `{child}` would contain itself through `{parent}`"));
        }
        if let Some(group) = self.groups.get_mut(parent)
            && !group.children.iter().any(|name| name == child)
        {
            group.children.push(child.to_owned());
            if let Some(group) = self.groups.get_mut(child) {
                group.parents.push(parent.to_owned());
            }
        }
        Ok(())
    }

    /// The group exists.
    pub(super) fn add_host(&mut self, name: &str, group: &str, port: Option<u16>, span: impl FnOnce() -> Span) {
        if !self.hosts.contains_key(name) {
            let vars = port.map(|port| ("ansible_port".to_owned(), json!(port))).into_iter().collect();
            self.hosts.insert(name.to_owned(), HostEntry { vars, groups: Vec::new(), span: span() });
            self.host_order.push(name.to_owned());
        }
        if let (Some(group_entry), Some(host)) = (self.groups.get_mut(group), self.hosts.get_mut(name))
            && group_entry.members.insert(name.to_owned())
        {
            group_entry.hosts.push(name.to_owned());
            host.groups.push(group.to_owned());
        }
    }

    pub(super) fn set_host_var(&mut self, host: &str, name: &str, value: Value) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(name.to_owned(), value);
        }
    }

    pub(super) fn set_group_var(&mut self, group: &str, name: &str, value: Value) {
        if let Some(group) = self.groups.get_mut(group) {
            if name == "ansible_group_priority" {
                let text = value.as_str().and_then(|text| text.parse().ok());
                group.priority = value.as_i64().or(text).unwrap_or(group.priority);
            } else {
                group.vars.insert(name.to_owned(), value);
            }
        }
    }

    pub(super) fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// Every group descends from `all`; a host is in `ungrouped` exactly if it is in no other.
    pub(super) fn reconcile(&mut self) {
        for name in self.group_order.clone() {
            if name != "all" && self.groups.get(&name).is_some_and(|group| group.parents.is_empty()) {
                let _ = self.add_child("all", &name);
            }
        }
        for name in self.host_order.clone() {
            let Some(host) = self.hosts.get_mut(&name) else { continue };
            let grouped = host.groups.iter().any(|group| group != "all" && group != "ungrouped");
            let ungrouped = host.groups.iter().any(|group| group == "ungrouped");
            if grouped && ungrouped {
                host.groups.retain(|group| group != "ungrouped");
                if let Some(group) = self.groups.get_mut("ungrouped") {
                    group.members.remove(&name);
                    group.hosts.retain(|member| *member != name);
                }
            } else if !grouped && !ungrouped {
                host.groups.push("ungrouped".to_owned());
                if let Some(group) = self.groups.get_mut("ungrouped") {
                    group.members.insert(name.clone());
                    group.hosts.push(name);
                }
            }
        }
    }

    /// These groups and all that contain them.
    fn ancestors<'a>(&'a self, of: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = of.into_iter().collect();
        while let Some(name) = next.pop() {
            if let Some(group) = self.groups.get(name)
                && seen.insert(name)
            {
                next.extend(group.parents.iter().map(String::as_str));
            }
        }
        seen
    }

    /// The longest way from `all` to each group.
    fn depths(&self) -> BTreeMap<&str, usize> {
        fn depth<'a>(inventory: &'a AnsibleInventory, name: &'a str, known: &mut BTreeMap<&'a str, usize>) -> usize {
            if let Some(&depth) = known.get(name) {
                return depth;
            }
            let parents = inventory.groups.get(name).map(|group| group.parents.as_slice()).unwrap_or_default();
            let deepest = parents.iter().map(|parent| depth(inventory, parent, known) + 1).max().unwrap_or(0);
            known.insert(name, deepest);
            deepest
        }
        let mut known = BTreeMap::new();
        for name in self.groups.keys() {
            depth(self, name, &mut known);
        }
        known
    }

    /// Every host with its groups (`all` and `ungrouped` left out), its variables as Ansible would merge them, and where
    /// it is named.
    pub(super) fn resolved(&self, files: &VarsFiles) -> Vec<(&str, Vec<&str>, Vars, &Span)> {
        let depths = self.depths();
        let mut resolved = Vec::with_capacity(self.hosts.len());
        for name in &self.host_order {
            let Some(host) = self.hosts.get(name) else { continue };
            let mut groups: Vec<&str> =
                self.ancestors(host.groups.iter().map(String::as_str)).into_iter().filter(|g| *g != "all").collect();
            groups.sort_by_key(|name| {
                (depths.get(name).copied().unwrap_or(0), self.groups.get(*name).map_or(0, |g| g.priority), *name)
            });
            let mut vars = Vars::new();
            let mut merge = |layer: &Vars| vars.extend(layer.iter().map(|(k, v)| (k.clone(), v.clone())));
            for group in ["all"].iter().chain(&groups).filter_map(|name| self.groups.get(*name)) {
                merge(&group.vars);
            }
            for group in [["all"].as_slice(), &groups] {
                files.of_groups(group).for_each(&mut merge);
            }
            merge(&host.vars);
            files.of_host(name).for_each(&mut merge);
            groups.retain(|group| *group != "ungrouped");
            resolved.push((name.as_str(), groups, vars, &host.span));
        }
        resolved
    }

    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    pub(super) fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// What `ansible-inventory --list` answers.
    pub(super) fn list(&self, files: &VarsFiles) -> Value {
        let mut out = Map::new();
        for (name, group) in &self.groups {
            let mut entry = Map::new();
            if name != "all" && !group.hosts.is_empty() {
                entry.insert("hosts".to_owned(), json!(group.hosts));
            }
            if !group.children.is_empty() {
                entry.insert("children".to_owned(), json!(group.children));
            }
            if !entry.is_empty() {
                out.insert(name.clone(), Value::Object(entry));
            }
        }
        let vars = self.resolved(files).into_iter().filter(|(_, _, vars, _)| !vars.is_empty());
        let vars: BTreeMap<_, _> = vars.map(|(name, _, vars, _)| (name, vars)).collect();
        out.insert("_meta".to_owned(), json!({ "hostvars": vars, "profile": "inventory_legacy" }));
        Value::Object(out)
    }
}
