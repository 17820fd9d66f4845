//! What is done on a host step by step, with its way back, drawn once for all hosts for which it is the same.

use std::collections::BTreeMap;

use super::super::plan_text::count;
use super::Page;
use crate::model::{HostName, TimeSpan};
use crate::plan::{Action, HostPlan, Plan, Step, StepKind};

/// Procedures drawn. A plan has a handful: as many as there are kinds of playbook and strategy.
const MAX_DRAWN: usize = 20;

/// The drawing, in its own units: a column of steps, and one of their way back.
const ROW: usize = 46;
const BOX: usize = 32;
const STEPS: (usize, usize) = (4, 210);
const BACK: (usize, usize) = (246, 150);

/// A step without what differs from host to host.
type Shape = (StepKind, bool, bool, bool, Vec<StepKind>);

pub(super) struct Procedures<'a> {
    all: Vec<Procedure<'a>>,
    of: BTreeMap<&'a HostName, usize>,
}

struct Procedure<'a> {
    example: &'a HostPlan,
    hosts: usize,
    shortest: TimeSpan,
    longest: TimeSpan,
}

impl<'a> Procedures<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        let mut known: BTreeMap<Vec<Shape>, usize> = BTreeMap::new();
        let mut procedures = Self { all: Vec::new(), of: BTreeMap::new() };
        for host in plan.rollout.waves.iter().flat_map(|wave| &wave.hosts).filter_map(|name| plan.hosts.get(name)) {
            let number = *known.entry(host.steps.iter().map(shape).collect()).or_insert(procedures.all.len());
            let takes = super::super::plan_text::expected(host);
            if procedures.all.len() == number {
                procedures.all.push(Procedure { example: host, hosts: 0, shortest: takes, longest: takes });
            }
            let procedure = &mut procedures.all[number];
            procedure.hosts += 1;
            procedure.shortest = procedure.shortest.min(takes);
            procedure.longest = procedure.longest.max(takes);
            procedures.of.insert(&host.host.name, number);
        }
        procedures
    }

    /// From 0.
    pub fn number(&self, host: &HostName) -> usize {
        self.of.get(host).copied().unwrap_or(0)
    }

    pub fn link(&self, host: &HostName) -> String {
        let number = self.number(host) + 1;
        format!("<a href=\"#procedure-{number}\">procedure {number}</a>")
    }

    pub fn draw(&self, page: &mut Page) {
        if self.all.is_empty() {
            return;
        }
        page.heading("Procedures, step by step");
        page.put(format_args!(
            "<p>Left, from top to bottom: what is done. Right: what takes it back. When a step fails, what it and the steps \
             above it have done is taken back, the last first. A thick edge marks what may make the host unavailable; a \
             dashed edge marks the way back.</p>\n<div class=\"procedures\">\n",
        ));
        for (number, procedure) in self.all.iter().take(MAX_DRAWN).enumerate() {
            procedure.draw(page, number + 1);
        }
        page.put(format_args!("</div>\n"));
        if self.all.len() > MAX_DRAWN {
            let more = count(self.all.len() - MAX_DRAWN, "procedure");
            page.put(format_args!(
                "<p class=\"cut\">{more} more not drawn; <code>switchback show PLAN --format tree</code> has the steps of \
                 every host.</p>\n"
            ));
        }
    }
}

impl Procedure<'_> {
    fn draw(&self, page: &mut Page, number: usize) {
        let takes = if self.shortest == self.longest {
            format!("about {}", self.longest)
        } else {
            format!("{} to {}", self.shortest, self.longest)
        };
        let hosts = count(self.hosts, "host");
        page.put(format_args!(
            "<figure id=\"procedure-{number}\"><figcaption><b>Procedure {number}</b>: {hosts}, {takes}</figcaption>\n"
        ));
        let steps = &self.example.steps;
        let waits = steps.iter().any(|step| step.foreign_needs().next().is_some());
        let rows: usize = steps.iter().map(|step| step.undo.len().max(1)).sum::<usize>() + usize::from(waits);
        page.put(format_args!(
            "<svg viewBox=\"0 0 400 {height}\" role=\"img\" aria-label=\"steps of procedure {number} and their way back\">\n\
             <defs><marker id=\"arrow-{number}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
            height = rows * ROW,
        ));
        let mut y = 0;
        let mut before: Option<usize> = None;
        if waits {
            node(page, "waits", STEPS, y, "The first of its kind succeeds", "");
            before = Some(y);
            y += ROW;
        }
        for step in steps {
            if let Some(before) = before {
                let x = STEPS.0 + 20;
                arrow(page, number, "on", (x, before + BOX), (x, y));
            }
            let class = if step.is_disruptive() { "disrupts" } else { "calm" };
            node(page, class, STEPS, y, &words(step), &step.expected.to_string());
            before = Some(y);
            for (at, undo) in step.undo.iter().enumerate() {
                let undo_y = y + at * ROW;
                match at {
                    0 => arrow(page, number, "back", (STEPS.0 + STEPS.1, y + BOX / 2), (BACK.0, y + BOX / 2)),
                    _ => arrow(page, number, "back", (BACK.0 + 20, undo_y + BOX - ROW), (BACK.0 + 20, undo_y)),
                }
                node(page, "undo", BACK, undo_y, &words(undo), "");
            }
            y += step.undo.len().max(1) * ROW;
        }
        page.put(format_args!("</svg></figure>\n"));
    }
}

fn node(page: &mut Page, class: &str, (x, width): (usize, usize), y: usize, label: &str, takes: &str) {
    page.put(format_args!(
        "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>\
         <text x=\"{left}\" y=\"{base}\">{label}</text>",
        top = y + 2,
        height = BOX - 4,
        left = x + 8,
        base = y + 20,
    ));
    if !takes.is_empty() {
        page.put(format_args!("<text class=\"takes\" x=\"{}\" y=\"{}\">{takes}</text>", x + width - 8, y + 20));
    }
    page.put(format_args!("\n"));
}

fn arrow(page: &mut Page, number: usize, class: &str, from: (usize, usize), to: (usize, usize)) {
    page.put(format_args!(
        "<path class=\"{class}\" d=\"M{} {}L{} {}\" marker-end=\"url(#arrow-{number})\"/>",
        from.0, from.1, to.0, to.1
    ));
}

fn shape(step: &Step) -> Shape {
    let when_required = matches!(step.action, Action::Reboot { required: Some(_), .. });
    let undo = step.undo.iter().map(|undo| undo.kind).collect();
    (step.kind, step.on.is_some(), step.foreign_needs().next().is_some(), when_required, undo)
}

/// What a step does, for people who do not know our words.
fn words(step: &Step) -> String {
    let what = match step.kind {
        StepKind::Preflight => "Check it is ready",
        StepKind::Backup => "Back up",
        StepKind::Clone => "Make a clone",
        StepKind::Bisect => "If the clone broke: find why",
        StepKind::Destroy => "Remove the clone",
        StepKind::Switchover => "Traffic to the clone",
        StepKind::Observe => "Watch the clone serve",
        StepKind::SwitchBack => "Traffic to the original",
        StepKind::VerifyOriginal => "Check the original",
        StepKind::Promote => "Clone takes the place",
        StepKind::Drain => "Take out of service",
        StepKind::Arm => "Arm the way back",
        StepKind::Disarm => "Disarm the way back",
        StepKind::Fix => "Install the fix",
        StepKind::Restart => "Restart services",
        StepKind::Reboot if matches!(step.action, Action::Reboot { required: Some(_), .. }) => "Reboot if needed",
        StepKind::Reboot => "Reboot",
        StepKind::Verify => "Check the result",
        StepKind::Undrain => "Put into service",
        StepKind::Soak => "Watch",
        StepKind::Release => "Delete what is kept",
        StepKind::Restore => "Restore the backup",
        StepKind::VerifyRestored => "Check it is as before",
    };
    let says_clone = matches!(step.kind, StepKind::Destroy | StepKind::Observe);
    if step.on.is_some() && !says_clone { format!("Clone: {}", lower(what)) } else { what.to_owned() }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}
