//! A plan as a drawing: what the Mermaid and DOT views have in common.

use super::plan_text::{cell, count};
use crate::plan::{HostPlan, Plan, StepKind};

/// With more hosts each is one node: drawings of thousands of steps cannot be read, and viewers refuse them.
const HOSTS_IN_DETAIL: usize = 30;

/// What is drawn: boxes of nodes, and arrows.
pub(super) struct Drawing {
    pub waves: Vec<WaveBox>,
    pub arrows: Vec<Arrow>,
}

/// A wave.
pub(super) struct WaveBox {
    pub id: String,
    pub label: String,
    pub nodes: Vec<Node>,
}

/// A step, or a host where there are many.
pub(super) struct Node {
    pub id: String,
    pub label: String,
    pub look: Look,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Disruptive,
    Undo,
}

/// From one node or box to another.
pub(super) struct Arrow {
    pub from: String,
    pub to: String,
    /// On the way back.
    pub undo: bool,
}

/// Ids are made of numbers only: no name of the user's can end up in the syntax of the drawing.
pub(super) fn drawing(plan: &Plan) -> Drawing {
    let detail = plan.hosts.len() <= HOSTS_IN_DETAIL;
    let mut drawing = Drawing { waves: Vec::new(), arrows: Vec::new() };
    let mut last_before: Option<String> = None;
    for (w, wave) in plan.rollout.waves.iter().enumerate() {
        let mut label = format!("{}: {}", cell(&wave.name), count(wave.hosts.len(), "host"));
        if wave.soak.as_seconds() > 0 {
            label.push_str(&format!(", then watched for {}", wave.soak));
        }
        let mut nodes = Vec::new();
        for (h, name) in wave.hosts.iter().enumerate() {
            let Some(host) = plan.hosts.get(name) else { continue };
            let prefix = format!("w{w}h{h}");
            if detail {
                steps(&prefix, name.as_str(), host, &mut nodes, &mut drawing.arrows);
            } else {
                let label = format!("{name}: {}, {}", host.priority, count(host.steps.len(), "step"));
                nodes.push(Node { id: prefix, label, look: Look::Plain });
            }
        }
        if let (Some(first), Some(last)) = (nodes.first(), nodes.last()) {
            let arrow = last_before.map(|from| Arrow { from, to: first.id.clone(), undo: false });
            drawing.arrows.extend(arrow);
            last_before = Some(last.id.clone());
        }
        drawing.waves.push(WaveBox { id: format!("w{w}"), label, nodes });
    }
    drawing
}

fn steps(prefix: &str, name: &str, host: &HostPlan, nodes: &mut Vec<Node>, arrows: &mut Vec<Arrow>) {
    let id_of = |i: usize| format!("{prefix}s{i}");
    for (i, step) in host.steps.iter().enumerate() {
        let look = if step.kind.is_disruptive() { Look::Disruptive } else { Look::Plain };
        for need in &step.needs {
            if let Some(from) = host.steps.iter().position(|s| &s.id == need) {
                arrows.push(Arrow { from: id_of(from), to: id_of(i), undo: false });
            }
        }
        let mut from = id_of(i);
        for (u, undo) in step.undo.iter().enumerate() {
            let id = format!("{prefix}s{i}u{u}");
            arrows.push(Arrow { from, to: id.clone(), undo: true });
            from = id.clone();
            nodes.push(Node { id, label: format!("{name} {}", kind(undo.kind)), look: Look::Undo });
        }
        nodes.push(Node { id: id_of(i), label: format!("{name} {} {}", kind(step.kind), step.expected), look });
    }
}

fn kind(kind: StepKind) -> String {
    kind.as_str().replace('_', " ")
}
