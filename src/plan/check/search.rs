//! Breadth-first search over a small transition system: the shortest way to each thing that must not happen.

use std::collections::BTreeSet;

/// What may come of a state.
pub(super) enum Next<S, E, B> {
    /// An event leads to another state.
    State(E, S),
    /// Something that must not happen can happen now.
    Bad(B),
}

/// What a search found.
pub(super) struct Search<E, B> {
    /// Each bad thing once, with the shortest way to it, in the order of their lengths.
    pub bad: Vec<(B, Vec<E>)>,
    /// Whether every state was looked at.
    pub complete: bool,
}

/// Looks at every state that can be reached, the nearest first, and gives up behind `limit` of them.
pub(super) fn search<S: Ord + Clone, E: Clone, B: PartialEq>(
    start: S,
    limit: usize,
    mut next: impl FnMut(&S) -> Vec<Next<S, E, B>>,
) -> Search<E, B> {
    let mut seen = BTreeSet::from([start.clone()]);
    // Every state with the one that it came from: a way is read backwards.
    let mut nodes: Vec<(S, Option<(usize, E)>)> = vec![(start, None)];
    let mut found = Search { bad: Vec::new(), complete: true };
    let mut at = 0;
    while let Some((state, _)) = nodes.get(at) {
        if at >= limit {
            found.complete = false;
            break;
        }
        for next in next(&state.clone()) {
            match next {
                Next::State(event, state) => {
                    if seen.insert(state.clone()) {
                        nodes.push((state, Some((at, event))));
                    }
                }
                Next::Bad(bad) => {
                    if found.bad.iter().all(|(known, _)| *known != bad) {
                        found.bad.push((bad, way(&nodes, at)));
                    }
                }
            }
        }
        at += 1;
    }
    found
}

fn way<S, E: Clone>(nodes: &[(S, Option<(usize, E)>)], to: usize) -> Vec<E> {
    let back = std::iter::successors(nodes.get(to), |(_, from)| nodes.get(from.as_ref()?.0));
    let mut events: Vec<E> = back.filter_map(|(_, from)| from.as_ref().map(|(_, event)| event.clone())).collect();
    events.reverse();
    events
}
