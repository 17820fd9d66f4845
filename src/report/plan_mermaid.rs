//! A plan as a Mermaid flowchart.

use super::plan_graph::{Look, drawing};
use crate::plan::Plan;

/// The plan as a Mermaid flowchart: waves from left to right, the way back dotted.
pub fn plan_mermaid(plan: &Plan) -> String {
    let drawing = drawing(plan);
    let mut out = String::from("flowchart LR\n");
    for wave in &drawing.waves {
        out.push_str(&format!("  subgraph {}[\"{}\"]\n", wave.id, escape(&wave.label)));
        for node in &wave.nodes {
            let class = match node.look {
                Look::Plain => "",
                Look::Disruptive => ":::disruptive",
                Look::Undo => ":::undo",
            };
            out.push_str(&format!("    {}[\"{}\"]{class}\n", node.id, escape(&node.label)));
        }
        out.push_str("  end\n");
    }
    for arrow in &drawing.arrows {
        out.push_str(&format!("  {} {} {}\n", arrow.from, if arrow.undo { "-.->" } else { "-->" }, arrow.to));
    }
    out.push_str("  classDef disruptive stroke-width:3px\n  classDef undo stroke-dasharray:4\n");
    out
}

/// Everything but letters, digits, spaces and a few harmless marks as a numeric entity: nothing can end the label,
/// start an entity, or become HTML or Markdown.
fn escape(label: &str) -> String {
    label
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | ':' | '-') {
                c.to_string()
            } else {
                format!("#{};", u32::from(c))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_leaves_its_quotes() {
        for hostile in ["a\"] --> b", "</script><script>alert(1)</script>", "`x`", "#quot;", "a\nb", "end;%%{init}%%"] {
            let safe = escape(hostile);
            assert!(!safe.contains(['"', '<', '>', '[', ']', '`', '\n', '%', '{']), "{safe}");
            assert_eq!(safe.matches('#').count(), safe.matches(';').count(), "{safe}");
        }
        assert_eq!(escape("web-1 fix 5m"), "web-1 fix 5m");
        assert_eq!(escape("a\"b"), "a#34;b");
    }
}
