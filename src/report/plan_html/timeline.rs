//! When: windows and waves above each other on one axis that leaves out the days on which nothing happens.

use jiff::Timestamp;

use super::super::axis::{Axis, range, row};
use super::super::plan_text::count;
use super::{Page, text, when};
use crate::model::Interval;
use crate::plan::{Forecast, HostForecast, Plan};

/// With more hosts only waves have bars.
const HOSTS_DRAWN: usize = 60;
fn worked_on(host: &HostForecast) -> Interval {
    Interval { start: host.start, end: host.end }
}

pub(super) fn timeline(page: &mut Page, plan: &Plan) {
    page.heading("When");
    let Some(forecast) = plan.report.forecast.as_ref().filter(|forecast| !forecast.hosts.is_empty()) else {
        page.put(format_args!("<p>No host is worked on.</p>\n"));
        return;
    };
    let waves: Vec<(usize, Interval)> =
        (0..plan.rollout.waves.len()).filter_map(|wave| Some((wave, of_wave(plan, forecast, wave)?))).collect();
    let used: Vec<Vec<Interval>> = plan.windows.keys().map(|set| used_windows(plan, forecast, set)).collect();
    let Some(axis) = Axis::new(used.iter().flatten().copied().chain(forecast.hosts.values().map(worked_on)).collect())
    else {
        return;
    };
    page.put(format_args!(
        "<p>An estimate: every step takes as long as usual, nothing fails, and the campaign starts when the plan was made \
         ({}). Disruption starts only inside windows, with the time to go back kept free; the bars of windows have dashed \
         edges. Hatched is what disrupts a host. Times of nothing are left out.</p>\n<div class=\"timeline\">\n",
        when(plan.as_of)
    ));
    axis.draw(page);
    for (set, windows) in plan.windows.keys().zip(&used).filter(|(_, windows)| !windows.is_empty()) {
        let told = windows.first().map_or(String::new(), |first| range(*first));
        let more = if windows.len() > 1 { format!(" and {} more", windows.len() - 1) } else { String::new() };
        row(page, "window", &format!("window {}", text(set)), &format!("{told}{more}"), |page| {
            for window in windows {
                page.put(format_args!("<i style=\"{}\"></i>", axis.bar(*window)));
            }
        });
    }
    for (number, interval) in waves {
        let wave = &plan.rollout.waves[number];
        let title = format!("{} ({})", text(&wave.name), count(wave.hosts.len(), "host"));
        row(page, "wave", &title, &range(interval), |page| {
            page.put(format_args!("<i style=\"{}\"></i>", axis.bar(interval)));
        });
        if plan.hosts.len() > HOSTS_DRAWN {
            continue;
        }
        for name in &wave.hosts {
            let Some(host) = forecast.hosts.get(name) else { continue };
            row(page, "host", &text(name), &range(worked_on(host)), |page| {
                page.put(format_args!("<i style=\"{}\"></i>", axis.bar(worked_on(host))));
                if let Some(disrupted) = host.disrupted {
                    let end = undisturbed(plan, name, disrupted, host.end);
                    page.put(format_args!(
                        "<i class=\"disrupts\" style=\"{}\"></i>",
                        axis.bar(Interval { start: disrupted, end })
                    ));
                }
            });
        }
    }
    page.put(format_args!("</div>\n"));
    if plan.hosts.len() > HOSTS_DRAWN {
        page.put(format_args!("<p class=\"cut\">With more than {HOSTS_DRAWN} hosts only waves have bars.</p>\n"));
    }
}

/// When its last disruptive step has ended.
fn undisturbed(plan: &Plan, name: &crate::model::HostName, from: Timestamp, latest: Timestamp) -> Timestamp {
    let Some(host) = plan.hosts.get(name) else { return latest };
    let first = host.steps.iter().position(crate::plan::Step::is_disruptive).unwrap_or(0);
    let last = host.steps.iter().rposition(crate::plan::Step::is_disruptive).unwrap_or(first);
    host.steps[first..=last.max(first)].iter().fold(from, |at, step| step.expected.after(at)).min(latest)
}

fn of_wave(plan: &Plan, forecast: &Forecast, wave: usize) -> Option<Interval> {
    let hosts = plan.rollout.waves.get(wave)?.hosts.iter().filter_map(|name| forecast.hosts.get(name));
    let (start, end) = hosts.fold((None, None), |(start, end): (Option<Timestamp>, Option<Timestamp>), host| {
        (Some(start.map_or(host.start, |s| s.min(host.start))), end.max(Some(host.end)))
    });
    Some(Interval { start: start?, end: end? })
}

/// The windows of a set in which a host is disrupted.
fn used_windows(plan: &Plan, forecast: &Forecast, set: &crate::model::RuleName) -> Vec<Interval> {
    let Some(windows) = plan.windows.get(set) else { return Vec::new() };
    let mut used = vec![false; windows.len()];
    for (name, host) in &forecast.hosts {
        let Some(at) = host.disrupted.filter(|_| plan.hosts.get(name).is_some_and(|h| h.windows.as_ref() == Some(set)))
        else {
            continue;
        };
        let window = windows.partition_point(|w| w.interval.end <= at);
        if let Some(used) = used.get_mut(window) {
            *used = true;
        }
    }
    windows.iter().zip(used).filter(|(_, used)| *used).map(|(window, _)| window.interval).collect()
}
