//! A plan as a tree by host.

use super::plan_text::{cell, count, package, start};
use crate::model::Digest;
use crate::plan::{Action, Plan, Step};

/// A node of the tree: a line and what hangs on it.
struct Node(String, Vec<Node>);

/// The plan as a tree by host: what is fixed, and every step with its commands and its way back.
pub fn plan_tree(plan: &Plan, id: &Digest) -> String {
    let mut out = format!("Plan {}\n", id.short());
    let last = plan.hosts.len() + plan.report.blocked.len();
    let hosts = plan.hosts.iter().map(|(name, host)| {
        let wave = plan.rollout.waves.get(host.wave as usize).map_or_else(|| host.wave.to_string(), |w| cell(&w.name));
        let mut title = format!("{name}: {}, {}, {wave}, {}", host.priority, host.strategy.as_str(), start(plan, host));
        if let Some(group) = &host.group {
            title.push_str(&format!(", service {}", cell(group)));
        }
        if host.without_backup {
            title.push_str(", no way back");
        }
        let fix = Node(
            format!("{} in {}", count(host.fix.findings.len(), "finding"), count(host.fix.packages.len(), "package")),
            host.fix.packages.iter().map(|p| Node(package(p), vec![])).collect(),
        );
        Node(title, std::iter::once(fix).chain(host.steps.iter().map(step)).collect())
    });
    let blocked = plan.report.blocked.iter().map(|(name, reasons)| {
        Node(
            format!("{name}: not planned"),
            reasons.iter().map(|r| Node(format!("{} [{}]", cell(&r.text), cell(&r.code)), vec![])).collect(),
        )
    });
    for (i, node) in hosts.chain(blocked).enumerate() {
        draw(&node, "", i + 1 == last, &mut out);
    }
    out
}

fn step(step: &Step) -> Node {
    let mut parts: Vec<Node> = step.action.commands().map(|c| Node(format!("run {}", cell(&c.name)), vec![])).collect();
    if let Action::Check { probes, .. } | Action::Soak { probes, .. } = &step.action {
        parts.extend(
            probes
                .iter()
                .map(|p| Node(format!("probe {}: {} gives {}", cell(&p.name), cell(&p.url), p.status), vec![])),
        );
    }
    if !step.undo.is_empty() {
        parts.push(Node("on failure".to_owned(), step.undo.iter().map(self::step).collect()));
    }
    let what = match &step.action {
        Action::Soak { span, every, .. } => format!(" for {span}, looked at every {every}"),
        Action::Backup { keep } => format!(", kept for {keep} or longer"),
        Action::Reboot { required: Some(_), .. } => " when required".to_owned(),
        _ => String::new(),
    };
    Node(format!("{}{what} (about {}, at most {})", step.kind, step.expected, step.timeout), parts)
}

fn draw(node: &Node, indent: &str, is_last: bool, out: &mut String) {
    let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
    out.push_str(&format!("{indent}{branch}{}\n", node.0));
    let indent = format!("{indent}{below}");
    for (i, child) in node.1.iter().enumerate() {
        draw(child, &indent, i + 1 == node.1.len(), out);
    }
}
