//! Groups, hosts and variables of Ansible inventories, with Ansible's own rules of membership and precedence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::members::Members;
use super::range::MAX_HOSTS;
use super::vars::VarsFiles;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::model::printable;

/// Variables by name.
pub(super) type Vars = BTreeMap<String, Value>;
/// The variables of one host, as Ansible merges them: borrowed, because ten thousand hosts share those of their groups.
pub(super) type Merged<'a> = BTreeMap<&'a str, &'a Value>;

#[derive(Debug)]
pub(super) struct Group {
    /// Direct members, as they came.
    hosts: Vec<String>,
    members: BTreeSet<String>,
    /// As they came; where each is named as a child, except for those that are put into `all`.
    children: Vec<String>,
    child_spans: BTreeMap<String, Option<Span>>,
    parents: Vec<String>,
    vars: Vars,
    priority: i64,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            members: BTreeSet::new(),
            children: Vec::new(),
            child_spans: BTreeMap::new(),
            parents: Vec::new(),
            vars: Vars::new(),
            // What Ansible gives a group without `ansible_group_priority`.
            priority: 1,
        }
    }
}

#[derive(Debug)]
struct HostEntry {
    vars: Vars,
    /// Groups of which it is a direct member.
    groups: Vec<String>,
    /// Where it is first named.
    span: Span,
}

/// Everything that a set of Ansible sources says.
#[derive(Debug)]
pub(super) struct AnsibleInventory {
    groups: BTreeMap<String, Group>,
    /// Names of groups as they came.
    group_order: Vec<String>,
    hosts: BTreeMap<String, HostEntry>,
    host_order: Vec<String>,
    /// How often hosts were named.
    mentions: usize,
}

/// A host as Ansible sees it.
pub(super) struct Resolved<'a> {
    pub(super) name: &'a str,
    /// With those that contain them; without `all` and `ungrouped`.
    pub(super) groups: Vec<&'a str>,
    pub(super) vars: Merged<'a>,
    /// Where it is named.
    pub(super) span: &'a Span,
}

impl Default for AnsibleInventory {
    fn default() -> Self {
        let mut inventory = Self {
            groups: BTreeMap::new(),
            group_order: Vec::new(),
            hosts: BTreeMap::new(),
            host_order: Vec::new(),
            mentions: 0,
        };
        inventory.add_group("all");
        inventory.add_group("ungrouped");
        inventory.add_child("all", "ungrouped", None);
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

    /// Both groups exist. Whether one contains itself is seen when all are known.
    pub(super) fn add_child(&mut self, parent: &str, child: &str, span: Option<Span>) {
        if let Some(group) = self.groups.get_mut(parent)
            && !group.child_spans.contains_key(child)
        {
            group.child_spans.insert(child.to_owned(), span);
            group.children.push(child.to_owned());
            if let Some(group) = self.groups.get_mut(child) {
                group.parents.push(parent.to_owned());
            }
        }
    }

    /// The group exists.
    pub(super) fn add_host(&mut self, name: &str, group: &str, port: Option<u16>, span: impl FnOnce() -> Span) {
        self.mentions += 1;
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

    /// A variable of a host; of the group of this name where there is one, as Ansible has it.
    pub(super) fn set_host_var(&mut self, host: &str, name: &str, value: Value) {
        if self.groups.contains_key(host) {
            self.set_group_var(host, name, value);
        } else if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(name.to_owned(), value);
        }
    }

    pub(super) fn set_group_var(&mut self, group: &str, name: &str, value: Value) {
        if let Some(group) = self.groups.get_mut(group) {
            if name == "ansible_group_priority" {
                let text = value.as_str().and_then(|text| text.trim().parse().ok());
                group.priority = value.as_i64().or(text).unwrap_or(group.priority);
            } else {
                group.vars.insert(name.to_owned(), value);
            }
        }
    }

    /// So many names were expanded for nothing: they count, or a file of a few bytes a line would keep us for hours.
    pub(super) fn refuse(&mut self, hosts: usize) {
        self.mentions += hosts;
    }

    /// Whether there are as many hosts as there may be, or they were named so often that nobody meant it.
    pub(super) fn is_full(&self) -> bool {
        self.hosts.len() >= MAX_HOSTS || self.mentions >= 10 * MAX_HOSTS
    }

    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Every group descends from `all`; a host is in `ungrouped` exactly if it is in no other. A group that contains
    /// itself is told.
    pub(super) fn reconcile(&mut self, diagnostics: &mut Diagnostics) {
        for name in self.group_order.clone() {
            if name != "all" && self.groups.get(&name).is_some_and(|group| group.parents.is_empty()) {
                self.add_child("all", &name, None);
            }
        }
        let mut leaving = BTreeSet::new();
        let mut joining = Vec::new();
        for name in &self.host_order {
            let Some(host) = self.hosts.get_mut(name) else { continue };
            let grouped = host.groups.iter().any(|group| group != "all" && group != "ungrouped");
            let ungrouped = host.groups.iter().any(|group| group == "ungrouped");
            if grouped && ungrouped {
                host.groups.retain(|group| group != "ungrouped");
                leaving.insert(name.clone());
            } else if !grouped && !ungrouped {
                host.groups.push("ungrouped".to_owned());
                joining.push(name.clone());
            }
        }
        if let Some(group) = self.groups.get_mut("ungrouped") {
            group.members.retain(|name| !leaving.contains(name));
            group.hosts.retain(|name| !leaving.contains(name));
            group.members.extend(joining.iter().cloned());
            group.hosts.extend(joining);
        }
        if let Some((message, span)) = self.a_loop() {
            let mut diagnostic = Diagnostic::error("group-loop", message);
            diagnostic.span = span;
            diagnostics.push(diagnostic.help("take one of the groups out of the other"));
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

    /// The longest way from `all` to each group; none for groups in a loop and below one.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut open: BTreeMap<&str, usize> =
            self.groups.iter().map(|(name, group)| (name.as_str(), group.parents.len())).collect();
        let mut ready: VecDeque<&str> = open.iter().filter(|(_, open)| **open == 0).map(|(name, _)| *name).collect();
        let mut depths: BTreeMap<&str, usize> = ready.iter().map(|name| (*name, 0)).collect();
        while let Some(name) = ready.pop_front() {
            open.remove(name);
            let below = depths.get(name).copied().unwrap_or(0) + 1;
            for child in self.groups.get(name).iter().flat_map(|group| &group.children) {
                let Some((child, left)) = open.get_key_value(child.as_str()).map(|(name, left)| (*name, *left)) else {
                    continue;
                };
                let depth = depths.entry(child).or_default();
                *depth = below.max(*depth);
                open.insert(child, left - 1);
                if left == 1 {
                    ready.push_back(child);
                }
            }
        }
        depths.retain(|name, _| !open.contains_key(name));
        depths
    }

    /// A group that contains itself, and where that is written.
    fn a_loop(&self) -> Option<(String, Option<Span>)> {
        let depths = self.depths();
        // Every group without a depth has a parent without one: going up ends in a loop.
        let mut at = self.groups.keys().map(String::as_str).find(|name| !depths.contains_key(name))?;
        let mut seen = BTreeSet::new();
        loop {
            let parents = &self.groups.get(at)?.parents;
            let parent = parents.iter().map(String::as_str).find(|parent| !depths.contains_key(parent))?;
            if !seen.insert(at) {
                let message = if parent == at {
                    format!("group `{}` contains itself", printable(at, 80))
                } else {
                    format!("group `{}` contains itself through `{}`", printable(at, 80), printable(parent, 80))
                };
                return Some((message, self.groups.get(parent)?.child_spans.get(at).cloned().flatten()));
            }
            at = parent;
        }
    }

    /// Every host with its groups and variables as Ansible would merge them.
    pub(super) fn resolved<'a>(&'a self, files: &'a VarsFiles) -> impl Iterator<Item = Resolved<'a>> {
        let depths = self.depths();
        self.host_order.iter().filter_map(move |name| {
            let host = self.hosts.get(name)?;
            let mut groups: Vec<&str> =
                self.ancestors(host.groups.iter().map(String::as_str)).into_iter().filter(|g| *g != "all").collect();
            groups.sort_by_key(|name| {
                (depths.get(name).copied().unwrap_or(0), self.groups.get(*name).map_or(1, |g| g.priority), *name)
            });
            let mut vars = Merged::new();
            let mut merge = |layer: &'a Vars| vars.extend(layer.iter().map(|(name, value)| (name.as_str(), value)));
            for group in ["all"].iter().chain(&groups).filter_map(|name| self.groups.get(*name)) {
                merge(&group.vars);
            }
            for group in [["all"].as_slice(), &groups] {
                files.of_groups(group, &mut merge);
            }
            merge(&host.vars);
            files.of_host(name, &mut merge);
            groups.retain(|group| *group != "ungrouped");
            Some(Resolved { name, groups, vars, span: &host.span })
        })
    }

    /// Who is in which group, in the order of the sources.
    pub(super) fn members(&self) -> Members {
        let mut members = Members::default();
        for name in &self.host_order {
            members.host(name);
        }
        // All names first: a group's children would push in otherwise.
        self.group_order.iter().for_each(|name| members.group(name, &[], &[]));
        for name in &self.group_order {
            if let Some(group) = self.groups.get(name) {
                members.group(name, &group.hosts, &group.children);
            }
        }
        members
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
        let vars: BTreeMap<_, _> =
            self.resolved(files).filter(|host| !host.vars.is_empty()).map(|host| (host.name, host.vars)).collect();
        out.insert("_meta".to_owned(), json!({ "hostvars": vars, "profile": "inventory_legacy" }));
        Value::Object(out)
    }
}
