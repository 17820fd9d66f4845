//! When: each host's steps against its windows, waves as bands, one axis.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::axis::{Axis, range, row};
use super::super::campaign::{CampaignReport, HostReport, WaveReport, in_order};
use super::super::campaign_words::result;
use super::{Page, class, count, marked, step_class, text};
use crate::model::{HostName, Interval, RuleName, TimeSpan, printable};
use crate::plan::Plan;

/// With more hosts only those that are not as planned have a row, and of those no more than this.
const HOSTS_DRAWN: usize = 150;
/// Bars of one host. Steps take minutes, and whatever waits long is not a step.
const MAX_BARS: usize = 60;
/// Windows shaded; more would be a grey field.
const MAX_WINDOWS: usize = 60;
/// Characters of what is told when a bar is pointed at.
const TOLD: usize = 160;
/// Steps of a wave's curve of how many hosts are worked on.
const STRETCHES: i64 = 125;

/// Height of a row's drawing, in its own units; the width is 1000.
const HIGH: i64 = 20;

pub(super) fn timeline(page: &mut Page, report: &CampaignReport, plan: &Plan) {
    page.heading("When");
    let Some((axis, now)) = axis(report, plan) else {
        page.put(format_args!("<p>No host has been worked on.</p>\n"));
        return;
    };
    page.put(format_args!(
        "<p>A row a host. Shaded: its windows. High bars: steps that may disrupt the host; low ones: those that do not. \
         <span class=\"key good\"></span> done <span class=\"key bad\"></span> failed \
         <span class=\"key back\"></span> takes back (in the lower half) <span class=\"key open\"></span> no result yet \
         <span class=\"key wait\"></span> waits at a gate. Times of nothing are left out.</p>\n<div class=\"timeline gantt\">\n"
    ));
    let windows = Windows::define(page, report, plan, &axis);
    axis.draw(page);
    let drawn = drawn(report, plan);
    for (number, wave) in report.waves.iter().enumerate() {
        let hosts = plan.rollout.waves.get(number).map(|wave| wave.hosts.as_slice()).unwrap_or_default();
        let of_wave = || hosts.iter().filter_map(|name| report.hosts.get_key_value(name));
        band(page, &axis, wave, of_wave().map(|(_, host)| host), now);
        for (name, host) in of_wave().filter(|(name, host)| drawn.contains(name) && host.began.is_some()) {
            host_row(page, &axis, &windows, (name, host), plan, now);
        }
    }
    page.put(format_args!("</div>\n"));
    let begun = report.hosts.values().filter(|host| host.began.is_some()).count();
    let shown = drawn.iter().filter(|name| report.hosts.get(**name).is_some_and(|host| host.began.is_some())).count();
    if begun > shown {
        page.put(format_args!(
            "<p class=\"cut\">{} without a row: with more than {HOSTS_DRAWN} hosts only those have one that are not as \
             planned; the bands show how many hosts of a wave were worked on.</p>\n",
            count(begun - shown, "host")
        ));
    }
}

/// The axis of what happened, with as much of the windows around it.
fn axis(report: &CampaignReport, plan: &Plan) -> Option<(Axis, Timestamp)> {
    let now = report.ended.or(report.as_of)?;
    let worked: Vec<Interval> = report.hosts.values().filter_map(|host| worked_on(host, now)).collect();
    let (first, last) = (worked.iter().map(|i| i.start).min()?, worked.iter().map(|i| i.end).max()?);
    let longest = worked.iter().map(Interval::length).max()?;
    // What lies close together is one stretch.
    let near = TimeSpan::seconds((longest.as_seconds() / 4).max(1));
    let mut happens: Vec<Interval> =
        worked.iter().map(|i| Interval { start: near.before(i.start), end: near.after(i.end) }).collect();
    for wave in &report.waves {
        let watched = wave.watched_until.map(|until| wave.ended.unwrap_or(now).min(until));
        happens.extend(wave.started.zip(watched).map(|(start, end)| Interval { start, end }));
    }
    // Windows in which something was disrupted, but not whole days of them.
    let (from, to) = (longest.before(first), longest.after(last));
    let disrupted: BTreeSet<(&RuleName, Timestamp)> = report
        .hosts
        .iter()
        .filter_map(|(name, host)| Some((plan.hosts.get(name)?.windows.as_ref()?, host.disrupted?)))
        .collect();
    for (set, at) in disrupted {
        let windows = plan.windows.get(set).map(Vec::as_slice).unwrap_or_default();
        let window = windows.get(windows.partition_point(|window| window.interval.end <= at));
        happens.extend(window.map(|w| Interval { start: w.interval.start.max(from), end: w.interval.end.min(to) }));
    }
    Some((Axis::new(happens)?, now))
}

fn worked_on(host: &HostReport, now: Timestamp) -> Option<Interval> {
    let start = host.began?;
    Some(Interval { start, end: host.ended.unwrap_or(now).max(TimeSpan::seconds(1).after(start)) })
}

/// The hosts that have a row.
fn drawn<'a>(report: &'a CampaignReport, plan: &'a Plan) -> BTreeSet<&'a HostName> {
    let all = report.hosts.len() <= HOSTS_DRAWN;
    let wanted = |host: &HostReport| all || class(host.outcome) != "good" && host.began.is_some();
    in_order(plan, &report.hosts).filter(|(_, host)| wanted(host)).take(HOSTS_DRAWN).map(|(name, _)| name).collect()
}

/// The drawing of each set of windows, defined once and used by every host that has it.
struct Windows<'a>(BTreeMap<&'a RuleName, usize>);

impl<'a> Windows<'a> {
    fn define(page: &mut Page, report: &CampaignReport, plan: &'a Plan, axis: &Axis) -> Self {
        let used: BTreeSet<&RuleName> =
            report.hosts.keys().filter_map(|name| plan.hosts.get(name)?.windows.as_ref()).collect();
        let mut known = BTreeMap::new();
        page.put(format_args!("<svg width=\"0\" height=\"0\" class=\"defs\" aria-hidden=\"true\"><defs>\n"));
        for (set, windows) in plan.windows.iter().filter(|(set, _)| used.contains(set)) {
            let number = known.len();
            known.insert(set, number);
            page.put(format_args!("<g id=\"windows-{number}\">"));
            for window in windows.iter().filter(|window| axis.shows(window.interval)).take(MAX_WINDOWS) {
                let (from, width) = axis.span(window.interval);
                page.put(format_args!(
                    "<rect class=\"window\" x=\"{from}\" y=\"0\" width=\"{width}\" height=\"{HIGH}\"/>"
                ));
            }
            page.put(format_args!("</g>\n"));
        }
        page.put(format_args!("</defs></svg>\n"));
        Self(known)
    }

    /// What a host's row lies on: hosts without windows may be disrupted at any time.
    fn lay(&self, page: &mut Page, set: Option<&RuleName>) {
        match set.and_then(|set| self.0.get(set)) {
            Some(number) => page.put(format_args!("<use href=\"#windows-{number}\"/>")),
            None => page.put(format_args!("<rect class=\"window\" x=\"0\" y=\"0\" width=\"1000\" height=\"{HIGH}\"/>")),
        }
    }
}

fn open(page: &mut Page, label: &str) {
    page.put(format_args!(
        "<svg viewBox=\"0 0 1000 {HIGH}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
    ));
}

/// A wave: from its begin to the end of the time it was watched, and how many of its hosts were worked on.
fn band<'a>(
    page: &mut Page,
    axis: &Axis,
    wave: &WaveReport,
    hosts: impl Iterator<Item = &'a HostReport>,
    now: Timestamp,
) {
    let Some(start) = wave.started else {
        row(page, "wave", &text(&wave.name), "not begun", |_| {});
        return;
    };
    let worked: Vec<Interval> = hosts.filter_map(|host| worked_on(host, now)).collect();
    let last = worked.iter().map(|interval| interval.end).max().unwrap_or(start);
    let end = wave.ended.or(wave.watched_until.map(|until| until.min(now))).unwrap_or(last).max(last);
    let whole = Interval { start, end };
    let most = most_at_once(&worked);
    let title = format!("{} ({})", text(&wave.name), count(wave.hosts as usize, "host"));
    let told = format!("{}; at most {} at once", range(whole), count(most, "host"));
    row(page, "wave", &title, &told, |page| {
        open(page, &told);
        let (from, width) = axis.span(whole);
        page.put(format_args!("<rect class=\"band\" x=\"{from}\" y=\"0\" width=\"{width}\" height=\"{HIGH}\"/>"));
        curve(page, axis, &worked, most);
        page.put(format_args!("</svg>"));
    });
}

fn most_at_once(worked: &[Interval]) -> usize {
    let mut changes: Vec<(Timestamp, bool)> = worked.iter().flat_map(|i| [(i.start, true), (i.end, false)]).collect();
    // Who ends at a time makes room for who begins then.
    changes.sort_unstable();
    let (mut hosts, mut most) = (0_usize, 0);
    for (_, begins) in changes {
        hosts = if begins { hosts + 1 } else { hosts.saturating_sub(1) };
        most = most.max(hosts);
    }
    most
}

/// How many hosts were worked on, as bars from below.
fn curve(page: &mut Page, axis: &Axis, worked: &[Interval], most: usize) {
    let width = 1000 / STRETCHES;
    let mut changes = vec![0_i64; usize::try_from(STRETCHES).unwrap_or(0) + 1];
    for interval in worked {
        let stretch = |at: Timestamp| usize::try_from((axis.at(at) / width).min(STRETCHES - 1)).unwrap_or(0);
        changes[stretch(interval.start)] += 1;
        changes[stretch(interval.end) + 1] -= 1;
    }
    let mut hosts = 0;
    for (number, change) in changes.iter().enumerate().take(changes.len() - 1) {
        hosts += change;
        let high = (hosts * HIGH / i64::try_from(most).unwrap_or(1).max(1)).min(HIGH);
        if high > 0 {
            let (x, y) = (i64::try_from(number).unwrap_or(0) * width, HIGH - high);
            page.put(format_args!("<rect class=\"many\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{high}\"/>"));
        }
    }
}

fn host_row(
    page: &mut Page,
    axis: &Axis,
    windows: &Windows<'_>,
    (name, host): (&HostName, &HostReport),
    plan: &Plan,
    now: Timestamp,
) {
    let Some(worked) = worked_on(host, now) else { return };
    let told = format!("{} {}", marked(host), range(worked));
    row(page, "host", &text(name), &told, |page| {
        open(page, &format!("{}: {}", text(name), range(worked)));
        windows.lay(page, plan.hosts.get(name).and_then(|host| host.windows.as_ref()));
        for wait in host.waits.iter().take(MAX_BARS) {
            let interval = Interval { start: wait.from, end: wait.to.unwrap_or(now) };
            if axis.shows(interval) {
                bar(page, axis, interval, ("wait", HIGH / 2 - 1, 2), &format!("waits: {}", wait.why));
            }
        }
        for step in host.steps.iter().take(MAX_BARS) {
            let class = step_class(step);
            let (y, high) = match (step.undo, step.disruptive) {
                (true, _) => (HIGH / 2, HIGH / 2),
                (false, true) => (0, HIGH),
                (false, false) => (HIGH * 3 / 10, HIGH * 4 / 10),
            };
            let interval = Interval { start: step.started, end: step.ended.unwrap_or(now) };
            bar(page, axis, interval, (class, y, high), &format!("{}: {}", step.step.step(), result(step)));
        }
        page.put(format_args!("</svg>"));
    });
}

fn bar(page: &mut Page, axis: &Axis, interval: Interval, (class, y, high): (&str, i64, i64), told: &str) {
    let (from, width) = axis.span(interval);
    page.put(format_args!(
        "<rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{high}\"><title>{}</title></rect>",
        text(printable(told, TOLD))
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_when_another_ends_is_not_at_once_with_it() {
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        let worked = |all: &[(i64, i64)]| {
            all.iter().map(|&(start, end)| Interval { start: at(start), end: at(end) }).collect::<Vec<_>>()
        };
        assert_eq!(most_at_once(&worked(&[(0, 10), (10, 20), (15, 18)])), 2);
        assert_eq!(most_at_once(&[]), 0);
    }
}
