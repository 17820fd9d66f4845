//! When each host may be disrupted: its windows, and whether the work and the way back fit into one of them.

use crate::model::{HostName, Interval};
use crate::plan::PlanWindow;
use crate::plan::draft::Draft;
use crate::plan::reserve::{disruptive_chain, way_back};
use crate::policy::WindowSet;

/// Finds the windows of a host whose steps are known.
pub(super) fn fit(draft: &mut Draft<'_>, name: &HostName) {
    let input = draft.input;
    let Some(host) = draft.hosts.get_mut(name) else { return };
    let windows = if host.bypass_freeze {
        input.policy.windows_bypassing_freezes(host.host, input.as_of, input.horizon)
    } else {
        input.policy.windows_for(host.host, input.as_of, input.horizon)
    };
    let (name, intervals) = match windows {
        WindowSet::Always => return,
        WindowSet::None { why } => {
            host.block("no-window", why);
            return;
        }
        WindowSet::Set { name, intervals } => (name, intervals),
    };
    let windows = draft.windows.entry(name.clone()).or_insert_with(|| {
        // What has passed is of no use: a window that is open at `as_of` begins there.
        let ahead = intervals.iter().filter(|w| w.interval.end > input.as_of).cloned();
        ahead
            .map(|w| PlanWindow {
                interval: Interval { start: w.interval.start.max(input.as_of), end: w.interval.end },
                ..w
            })
            .collect()
    });
    let chain = disruptive_chain(&host.steps);
    let back = way_back(&host.steps);
    let needed = chain.plus(back).plus(draft.margin);
    match windows.iter().max_by_key(|w| w.interval.length()) {
        None => host.block(
            "no-window",
            format!("its windows `{name}` leave no time in the {} from {}", input.horizon, input.as_of),
        ),
        Some(longest) if longest.interval.length() < needed => host.block(
            "window-too-short",
            format!(
                "it needs {needed} in one window ({chain} for its disruptive steps, {back} to go back, {} margin), \
                     and the longest of `{name}` in the {} from {} is {}, from {}",
                draft.margin,
                input.horizon,
                input.as_of,
                longest.interval.length(),
                longest.interval.start,
            ),
        ),
        Some(_) => {}
    }
    if windows.is_empty() {
        draft.windows.remove(&name);
    } else {
        host.windows = Some(name);
    }
}
