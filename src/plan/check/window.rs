//! Time: one window holds all that may disrupt a host, the whole way back and the margin, so that what has begun in a
//! window can also be taken back in it.

use jiff::Timestamp;

use super::{Found, Violation};
use crate::model::{HostName, Interval, TimeSpan};
use crate::plan::{HostPlan, Plan, Step};

pub(super) fn check(plan: &Plan, name: &HostName, host: &HostPlan, found: &mut Found) {
    let Some(set) = &host.windows else { return };
    let Some(windows) = plan.windows.get(set) else {
        found.add(name, "windows-unknown", format!("it waits for windows {set}, which the plan does not have"));
        return;
    };
    let mut seconds: u64 = plan.rollout.margin.as_seconds();
    let mut disrupted = false;
    for step in &host.steps {
        disrupted |= step.is_disruptive();
        if disrupted {
            seconds = seconds.saturating_add(step.expected.as_seconds());
        }
        for undo in &step.undo {
            seconds = seconds.saturating_add(undo.expected.as_seconds());
        }
    }
    if !disrupted {
        return;
    }
    let length = |window: &Interval| TimeSpan::between(window.start, window.end).as_seconds();
    let ahead = windows.iter().map(|window| window.interval).filter(|window| window.start >= plan.as_of);
    let Some(longest) = ahead.max_by_key(length).filter(|longest| length(longest) < seconds) else {
        let none = windows.iter().all(|window| window.interval.start < plan.as_of);
        found.expect(!none, name, "window-too-short", format!("none of {set} begins behind the plan"));
        return;
    };
    found.0.push(Violation {
        place: name.to_string(),
        code: "window-too-short",
        text: format!("it needs {} in one window, and none of {set} is as long", TimeSpan::seconds(seconds)),
        trace: longest_run(host, longest, plan.rollout.margin),
    });
}

/// The longest a host can be about it when it begins with a window: forward until a step fails, and all the way back.
fn longest_run(host: &HostPlan, window: Interval, margin: TimeSpan) -> Vec<String> {
    let Some(first) = host.steps.iter().position(Step::is_disruptive) else { return Vec::new() };
    let mut worst: Option<(&Step, &Step, TimeSpan, TimeSpan)> = None;
    let mut forward = TimeSpan::ZERO;
    let mut back: Vec<&Step> = Vec::new();
    for (index, step) in host.steps.iter().enumerate() {
        if index >= first {
            forward = forward.plus(step.expected);
        }
        back.splice(0..0, step.undo.iter());
        let all = back.iter().fold(forward, |sum, undo| sum.plus(undo.expected));
        if let Some(last) = back.last().filter(|_| index >= first)
            && worst.is_none_or(|(.., longest)| all > longest)
        {
            worst = Some((step, *last, forward, all));
        }
    }
    let begins = |step: &Step, at: Timestamp| format!("{at}: {} begins, as the window opens", step.id);
    let mut lines: Vec<String> = host.steps.get(first).map(|step| begins(step, window.start)).into_iter().collect();
    if let Some((failing, last, forward, all)) = worst {
        lines.push(format!("{}: {} fails", forward.after(window.start), failing.id));
        lines.push(format!("{}: {} ends, which is the last of the way back", all.after(window.start), last.id));
    }
    lines.push(format!("{}: the window has closed, or closes before the margin of {margin} is over", window.end));
    lines
}
