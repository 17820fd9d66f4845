//! The graph of steps: petgraph behind stable ids, with answers that do not depend on the order of insertion.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{Dfs, Reversed};

use super::Step;
use crate::model::StepId;

/// Steps and what they need; an edge leads from a step to one that needs it.
#[derive(Debug, Default)]
pub struct StepGraph {
    graph: StableDiGraph<StepId, ()>,
    nodes: BTreeMap<StepId, NodeIndex>,
    unknown: BTreeSet<(StepId, StepId)>,
}

/// Steps that need each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("steps need each other: {}", .0.iter().map(StepId::as_str).collect::<Vec<_>>().join(", "))]
pub struct Cycle(pub Vec<StepId>);

impl StepGraph {
    /// The graph of these steps, without their undo. A step twice is taken once, with the needs of both.
    pub fn of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        // Sorted, so that indices, and with them every answer, are the same for the same set of steps.
        let mut needs: BTreeMap<&StepId, BTreeSet<&StepId>> = BTreeMap::new();
        for step in steps {
            needs.entry(&step.id).or_default().extend(&step.needs);
        }
        let mut all = Self::default();
        for id in needs.keys() {
            let node = all.graph.add_node((*id).clone());
            all.nodes.insert((*id).clone(), node);
        }
        for (id, needed) in needs {
            for need in needed {
                match (all.nodes.get(need), all.nodes.get(id)) {
                    (Some(&from), Some(&to)) => {
                        all.graph.add_edge(from, to, ());
                    }
                    _ => {
                        all.unknown.insert((id.clone(), need.clone()));
                    }
                }
            }
        }
        all
    }

    /// Needs that name no step of the graph: (step, what it needs).
    pub fn unknown_needs(&self) -> impl Iterator<Item = &(StepId, StepId)> {
        self.unknown.iter()
    }

    /// Every step behind all it needs, the least id first where there is a choice; or one of the cycles.
    pub fn order(&self) -> Result<Vec<StepId>, Cycle> {
        let mut missing: BTreeMap<&StepId, usize> =
            self.nodes.iter().map(|(id, &node)| (id, self.needed_by(node).count())).collect();
        let mut ready: BTreeSet<&StepId> = missing.iter().filter(|&(_, &n)| n == 0).map(|(&id, _)| id).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(id) = ready.pop_first() {
            order.push(id.clone());
            let Some(&node) = self.nodes.get(id) else { continue };
            for later in self.graph.neighbors(node) {
                let later = &self.graph[later];
                if let Some(count) = missing.get_mut(later) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(later);
                    }
                }
            }
        }
        if order.len() == self.nodes.len() { Ok(order) } else { Err(self.cycle().unwrap_or(Cycle(Vec::new()))) }
    }

    /// The cycle with the least id, if there is any.
    pub fn cycle(&self) -> Option<Cycle> {
        tarjan_scc(&self.graph)
            .into_iter()
            .filter(|part| part.len() > 1 || part.iter().any(|&n| self.graph.contains_edge(n, n)))
            .map(|part| {
                let mut ids: Vec<StepId> = part.into_iter().map(|n| self.graph[n].clone()).collect();
                ids.sort();
                Cycle(ids)
            })
            .min_by(|a, b| a.0.cmp(&b.0))
    }

    /// Whether `later` starts only after `earlier` has succeeded.
    pub fn is_behind(&self, later: &StepId, earlier: &StepId) -> bool {
        let (Some(&from), Some(&to)) = (self.nodes.get(earlier), self.nodes.get(later)) else { return false };
        let mut walk = Dfs::new(Reversed(&self.graph), to);
        from != to && std::iter::from_fn(|| walk.next(Reversed(&self.graph))).any(|node| node == from)
    }

    fn needed_by(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        self.graph.neighbors_directed(node, petgraph::Direction::Incoming)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed assumption must fail the test")]
    use super::*;
    use crate::model::TimeSpan;
    use crate::plan::{Action, StepKind};

    fn step(id: &str, needs: &[&str]) -> Step {
        Step {
            id: StepId::new(id).unwrap(),
            kind: StepKind::Undrain,
            needs: needs.iter().map(|n| StepId::new(n).unwrap()).collect(),
            on: None,
            stands_for: Vec::new(),
            action: Action::Undrain,
            undo: Vec::new(),
            expected: TimeSpan::ZERO,
            timeout: TimeSpan::ZERO,
        }
    }

    fn ids(texts: &[&str]) -> Vec<StepId> {
        texts.iter().map(|t| StepId::new(t).unwrap()).collect()
    }

    #[test]
    fn order_is_the_same_whatever_the_order_of_insertion() {
        let steps = [step("h/d", &["h/b", "h/c"]), step("h/c", &["h/a"]), step("h/b", &["h/a"]), step("h/a", &[])];
        let expected = ids(&["h/a", "h/b", "h/c", "h/d"]);
        assert_eq!(StepGraph::of(&steps).order().unwrap(), expected);
        assert_eq!(StepGraph::of(steps.iter().rev()).order().unwrap(), expected);
    }

    #[test]
    fn cycles_are_named() {
        let steps = [step("h/a", &["h/c"]), step("h/b", &["h/a"]), step("h/c", &["h/b"]), step("h/z", &["h/a"])];
        assert_eq!(StepGraph::of(&steps).order().unwrap_err(), Cycle(ids(&["h/a", "h/b", "h/c"])));
        assert_eq!(StepGraph::of(&[step("h/a", &["h/a"])]).cycle(), Some(Cycle(ids(&["h/a"]))));
    }

    #[test]
    fn reachability_follows_needs_only_forward() {
        let graph = StepGraph::of(&[step("h/a", &[]), step("h/b", &["h/a"]), step("h/c", &["h/b"]), step("h/x", &[])]);
        let is_behind = |l: &str, e: &str| graph.is_behind(&StepId::new(l).unwrap(), &StepId::new(e).unwrap());
        assert!(is_behind("h/c", "h/a"));
        assert!(!is_behind("h/a", "h/c"));
        assert!(!is_behind("h/x", "h/a"));
        assert!(!is_behind("h/a", "h/a"));
        assert!(!is_behind("h/a", "h/unknown"));
    }

    #[test]
    fn needs_that_name_nothing_are_reported() {
        let graph = StepGraph::of(&[step("h/a", &["h/gone"])]);
        assert_eq!(graph.unknown_needs().count(), 1);
    }
}
