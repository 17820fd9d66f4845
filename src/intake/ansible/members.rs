//! Who is in which group: what host patterns select from.

use std::collections::BTreeMap;

use crate::model::{Host, HostName};

/// Hosts and groups in the order in which the sources name them; `[0]` in a pattern is about this order.
#[derive(Clone, Debug, Default)]
pub struct Members {
    hosts: Vec<HostName>,
    host_index: BTreeMap<HostName, usize>,
    groups: Vec<Group>,
    group_index: BTreeMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    hosts: Vec<usize>,
    children: Vec<usize>,
}

impl Members {
    pub(super) fn host(&mut self, name: &str) -> Option<usize> {
        if let Some(&index) = self.host_index.get(name) {
            return Some(index);
        }
        let name = HostName::new(name).ok()?;
        self.hosts.push(name.clone());
        self.host_index.insert(name, self.hosts.len() - 1);
        Some(self.hosts.len() - 1)
    }

    fn group_at(&mut self, name: &str) -> usize {
        if let Some(&index) = self.group_index.get(name) {
            return index;
        }
        self.groups.push(Group { name: name.to_owned(), hosts: Vec::new(), children: Vec::new() });
        self.group_index.insert(name.to_owned(), self.groups.len() - 1);
        self.groups.len() - 1
    }

    pub(super) fn group(&mut self, name: &str, hosts: &[String], children: &[String]) {
        let at = self.group_at(name);
        let hosts: Vec<usize> = hosts.iter().filter_map(|host| self.host(host)).collect();
        let children: Vec<usize> = children.iter().map(|child| self.group_at(child)).collect();
        self.groups[at].hosts.extend(hosts);
        self.groups[at].children.extend(children);
    }

    /// A host of a native inventory; it is in `all`, and in `ungrouped` if in no group.
    pub(in crate::intake) fn add(&mut self, host: &Host) {
        let Some(index) = self.host(host.name.as_str()) else { return };
        let all = self.group_at("all");
        self.groups[all].hosts.push(index);
        if host.groups.is_empty() {
            let ungrouped = self.group_at("ungrouped");
            self.groups[ungrouped].hosts.push(index);
        }
        for group in &host.groups {
            let at = self.group_at(group.as_str());
            self.groups[at].hosts.push(index);
        }
    }

    pub(super) fn name_of(&self, host: usize) -> &HostName {
        &self.hosts[host]
    }

    pub(super) fn find_host(&self, name: &str) -> Option<usize> {
        self.host_index.get(name).copied()
    }

    pub(super) fn host_names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.hosts.iter().map(HostName::as_str).enumerate()
    }

    pub(super) fn group_names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.groups.iter().map(|group| group.name.as_str()).enumerate()
    }

    /// The hosts of a group: its own, then those of its children, level by level.
    pub(super) fn hosts_of(&self, group: usize) -> Vec<usize> {
        let mut seen_groups = vec![false; self.groups.len()];
        let mut seen_hosts = vec![false; self.hosts.len()];
        let mut hosts = Vec::new();
        let mut level = vec![group];
        while !level.is_empty() {
            let mut below = Vec::new();
            for at in level {
                if std::mem::replace(&mut seen_groups[at], true) {
                    continue;
                }
                let group = &self.groups[at];
                hosts.extend(group.hosts.iter().filter(|host| !std::mem::replace(&mut seen_hosts[**host], true)));
                below.extend(&group.children);
            }
            level = below;
        }
        hosts
    }
}
