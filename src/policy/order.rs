//! `rollout.order`: rules that put hosts before others become one number a host.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use super::decide::OrderRule;
use crate::model::{Host, HostName, Importance};

/// For each host how many steps of rules lead to it at most; on contradiction the hosts of one circle.
pub(super) fn levels<'a>(
    rules: &[OrderRule],
    hosts: impl IntoIterator<Item = &'a Host>,
    importance: impl Fn(&Host) -> Importance,
) -> Result<BTreeMap<HostName, u32>, Vec<HostName>> {
    // Hosts that all rules treat alike share a node: thousands of hosts, a few nodes.
    let mut classes: BTreeMap<(Vec<bool>, Vec<bool>), Vec<HostName>> = BTreeMap::new();
    for host in hosts {
        let importance = importance(host);
        let before = rules.iter().map(|rule| rule.before.matches_host(host, importance)).collect();
        let after = rules.iter().map(|rule| rule.after.matches_host(host, importance)).collect();
        classes.entry((before, after)).or_default().push(host.name.clone());
    }
    let mut graph = DiGraph::<Vec<HostName>, ()>::new();
    let nodes: Vec<(Vec<bool>, Vec<bool>, NodeIndex)> =
        classes.into_iter().map(|((before, after), hosts)| (before, after, graph.add_node(hosts))).collect();
    for (before, _, from) in &nodes {
        for (_, after, to) in &nodes {
            if (0..rules.len()).any(|rule| before[rule] && after[rule]) {
                graph.update_edge(*from, *to, ());
            }
        }
    }
    let circle = |node: NodeIndex| {
        let mut hosts = graph[node].clone();
        hosts.sort();
        hosts
    };
    let sorted = petgraph::algo::toposort(&graph, None).map_err(|found| circle(found.node_id()))?;
    let mut level: BTreeMap<NodeIndex, u32> = BTreeMap::new();
    for node in sorted {
        let before = graph.neighbors_directed(node, Direction::Incoming).filter_map(|n| level.get(&n)).max();
        let own = before.map_or(0, |before| before + 1);
        level.insert(node, own);
    }
    Ok(graph
        .node_indices()
        .flat_map(|node| graph[node].iter().map(|host| (host.clone(), level[&node])).collect::<Vec<_>>())
        .collect())
}
