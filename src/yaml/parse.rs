//! Text to raw types, with every problem as a diagnostic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Spanned;
use super::de::NodeDe;
use super::tree::{self, Kind, Node};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::model::printable;

pub use super::de::nearest;

/// How large a document may be.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// Policies and playbooks: 100,000 nodes, 4 MiB.
    Small,
    /// Inventories: 20 million nodes, 512 MiB.
    Large,
}

impl Size {
    const fn max_nodes(self) -> usize {
        match self {
            Self::Small => 100_000,
            Self::Large => 20_000_000,
        }
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::Small => 4 << 20,
            Self::Large => 512 << 20,
        }
    }
}

/// Nothing that people write nests deeper.
const MAX_DEPTH: usize = 32;

/// Every problem found costs another walk over the document: no more than this many nodes are walked in all.
const MAX_WALKED: u32 = 5_000_000;

/// Reads one document. Every problem becomes a diagnostic; none is returned if there was an error.
pub fn parse<T: DeserializeOwned>(source: &Arc<Source>, size: Size, diagnostics: &mut Diagnostics) -> Option<T> {
    if source.text.len() > size.max_bytes() {
        let limit = format!("`{}` is larger than {} MiB", source.name, size.max_bytes() >> 20);
        diagnostics.push(Diagnostic::error("yaml-limit", limit).at(place(source, 0, 0)));
        return None;
    }
    let (root, count) = match tree::read(&source.text, options(size)) {
        Ok(read) => read,
        Err(error) => {
            diagnostics.push(syntax(source, &error, size));
            return None;
        }
    };
    let mut pruned = BTreeSet::new();
    duplicates(source, &root, &mut pruned, diagnostics);
    let clean = pruned.is_empty();

    let attempts = (MAX_WALKED / count.max(1)).clamp(1, 200);
    for attempt in 0..attempts {
        match T::deserialize(NodeDe { node: &root, pruned: &pruned, key: false }) {
            Ok(value) => return (clean && attempt == 0).then_some(value),
            Err(error) => {
                let prune = error.prune.unwrap_or(root.id);
                // What is missing may well be what was written wrongly: the cause was shown.
                let echo =
                    matches!(error.code, "missing-key" | "wrong-type") && has_pruned_child(&root, prune, &pruned);
                if !echo {
                    let (offset, length) = error.place.unwrap_or((root.offset, root.length));
                    let mut diagnostic =
                        Diagnostic::error(error.code, &error.message).at(place(source, offset, length));
                    if let Some(help) = &error.help {
                        diagnostic = diagnostic.help(help);
                    }
                    diagnostics.push(diagnostic);
                }
                if prune == root.id || !pruned.insert(prune) {
                    return None;
                }
            }
        }
    }
    None
}

/// The span of a value in its source.
pub fn span<T>(source: &Arc<Source>, spanned: &Spanned<T>) -> Span {
    place(source, spanned.offset, spanned.length)
}

fn place(source: &Arc<Source>, offset: usize, length: usize) -> Span {
    Span { source: Arc::clone(source), offset, length }
}

pub(super) fn options(size: Size) -> serde_yaml::Options {
    let max_nodes = size.max_nodes();
    serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // `99e846` is half a commit to those who write it: whoever wants a number looks again.
        non_finite_float_policy: serde_yaml::options::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
        emit_comments: false,
        duplicate_keys: serde_yaml::options::DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: max_nodes,
            max_replay_stack_depth: MAX_DEPTH,
            max_alias_expansions_per_anchor: 10_000,
        },
        budget: serde_yaml::budget! {
            max_nodes: max_nodes,
            max_events: 2 * max_nodes,
            max_depth: MAX_DEPTH,
            max_total_scalar_bytes: size.max_bytes(),
            max_recorded_anchor_events: max_nodes,
        },
    }
}

/// An error of the YAML crate: the document has no tree.
fn syntax(source: &Arc<Source>, error: &serde_yaml::Error, size: Size) -> Diagnostic {
    let (offset, length) = error.location().map_or((0, 0), |location| match tree::range(&location) {
        // Errors of the scanner carry no bytes.
        (0, 0) => (offset_of(&source.text, location.line(), location.column()), 0),
        range => range,
    });
    let text = error.to_string();
    let cause = match error {
        serde_yaml::Error::AliasError { error, .. } => error,
        other => other,
    };
    let limit = match cause {
        serde_yaml::Error::Budget { breach, .. } => Some(limit_name(breach, size)),
        serde_yaml::Error::AliasReplayLimitExceeded { .. } | serde_yaml::Error::AliasReplayCounterOverflow { .. } => {
            Some(format!("aliases repeat more than {} nodes", size.max_nodes()))
        }
        serde_yaml::Error::AliasExpansionLimitExceeded { .. } => {
            Some("an anchor is repeated more than 10000 times".to_owned())
        }
        serde_yaml::Error::AliasReplayStackDepthExceeded { .. } => {
            Some(format!("aliases nest deeper than {MAX_DEPTH} levels"))
        }
        _ => None,
    };
    match limit {
        None if matches!(cause, serde_yaml::Error::MultipleDocuments { .. }) => {
            Diagnostic::error("invalid-yaml", "a second document begins here").help("put it into a file of its own")
        }
        Some(limit) => Diagnostic::error("yaml-limit", limit),
        None => {
            // The place is shown by us: the crate's own mention of it goes.
            let end = text.rfind(" at line ").unwrap_or(text.len());
            let end = text.find(": line ").filter(|&i| i < end).unwrap_or(end);
            Diagnostic::error("invalid-yaml", text.get(..end).unwrap_or(&text))
        }
    }
    .at(place(source, offset, length))
}

/// The byte offset of a line and column, both from 1.
fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let index = |n: u64| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(index(line)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let within = rest.char_indices().nth(index(column)).map_or(rest.len(), |(i, _)| i);
    start + within
}

fn limit_name(breach: &serde_yaml::budget::BudgetBreach, size: Size) -> String {
    use serde_yaml::budget::BudgetBreach as Breach;
    match breach {
        Breach::Depth { .. } => format!("the document nests deeper than {MAX_DEPTH} levels"),
        Breach::Nodes { .. } | Breach::Events { .. } => {
            format!("the document has more than {} nodes", size.max_nodes())
        }
        Breach::Aliases { .. } | Breach::Anchors { .. } => {
            "the document has more than 50000 anchors or aliases".to_owned()
        }
        Breach::ScalarBytes { .. } => {
            format!("the texts of the document are longer than {} MiB", size.max_bytes() >> 20)
        }
        Breach::RecordedAnchorEvents { .. } | Breach::RecordedAnchorBytes { .. } => {
            format!("anchors and aliases repeat more than {} nodes", size.max_nodes())
        }
        other => {
            let name = format!("{other:?}");
            format!("the document exceeds the limit {}", name.split(' ').next().unwrap_or_default())
        }
    }
}

/// Reports keys given twice, with both places, and leaves the later ones out.
fn duplicates(source: &Arc<Source>, node: &Node, pruned: &mut BTreeSet<u32>, diagnostics: &mut Diagnostics) {
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::Seq(items) => items.iter().for_each(|item| duplicates(source, item, pruned, diagnostics)),
        Kind::Map(entries) => {
            let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
            for (key, value) in entries {
                if let Kind::Scalar { text, .. } = &key.kind
                    && let Some(first) = seen.insert(text, key)
                {
                    seen.insert(text, first);
                    pruned.insert(value.id);
                    diagnostics.push(
                        Diagnostic::error("duplicate-key", format!("key `{}` is given twice", printable(text, 80)))
                            .at(place(source, key.offset, key.length))
                            .related("given before here", place(source, first.offset, first.length))
                            .help("keep one of them"),
                    );
                    continue;
                }
                duplicates(source, value, pruned, diagnostics);
            }
        }
    }
}

/// Whether a child of the node with this id was left out.
fn has_pruned_child(node: &Node, id: u32, pruned: &BTreeSet<u32>) -> bool {
    let children: Vec<&Node> = match &node.kind {
        Kind::Scalar { .. } => return false,
        Kind::Seq(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
    };
    if node.id == id {
        return children.iter().any(|child| pruned.contains(&child.id));
    }
    children.iter().any(|child| has_pruned_child(child, id, pruned))
}
