//! A plan as a Graphviz digraph.

use super::plan_graph::{Look, drawing};
use crate::plan::Plan;

/// The plan in Graphviz's language: waves as clusters, the way back dashed.
pub fn plan_dot(plan: &Plan) -> String {
    let drawing = drawing(plan);
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for wave in &drawing.waves {
        out.push_str(&format!("  subgraph cluster_{} {{\n    label=\"{}\";\n", wave.id, escape(&wave.label)));
        for node in &wave.nodes {
            let style = match node.look {
                Look::Plain => "",
                Look::Disruptive => ", penwidth=3",
                Look::Undo => ", style=dashed",
            };
            out.push_str(&format!("    {} [label=\"{}\"{style}];\n", node.id, escape(&node.label)));
        }
        out.push_str("  }\n");
    }
    for arrow in &drawing.arrows {
        out.push_str(&format!(
            "  {} -> {}{};\n",
            arrow.from,
            arrow.to,
            if arrow.undo { " [style=dashed]" } else { "" }
        ));
    }
    out.push_str("}\n");
    out
}

/// In a quoted string of DOT only `"` ends it and only `\` has a meaning (`\N`, `\l`); control characters are replaced
/// before.
fn escape(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in label.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_leaves_its_quotes() {
        assert_eq!(escape("a\"]; b -> c; \\"), "a\\\"]; b -> c; \\\\");
        assert_eq!(escape("a\nb\u{1b}[2J"), "a b [2J");
    }
}
