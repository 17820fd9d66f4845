//! When: windows and waves above each other on one axis that leaves out the days on which nothing happens.

use jiff::Timestamp;

use super::super::plan_text::count;
use super::{Page, text, when};
use crate::model::{Interval, union};
use crate::plan::{Forecast, HostForecast, Plan};

/// With more hosts only waves have bars.
const HOSTS_DRAWN: usize = 60;
/// Stretches of the axis; with more it leaves nothing out.
const MAX_STRETCHES: usize = 8;
/// A stretch in which nothing happens, in thousandths of the axis.
const GAP: i64 = 30;

/// The time axis: stretches in which something happens, with small gaps between.
struct Axis {
    stretches: Vec<Interval>,
}

impl Axis {
    fn new(happens: Vec<Interval>) -> Option<Self> {
        let stretches = union(happens);
        let (first, last) = (stretches.first()?, stretches.last()?);
        let whole = Interval { start: first.start, end: last.end };
        Some(Self { stretches: if stretches.len() > MAX_STRETCHES { vec![whole] } else { stretches } })
    }

    /// In thousandths.
    fn at(&self, time: Timestamp) -> i64 {
        let gaps = GAP * i64::try_from(self.stretches.len().saturating_sub(1)).unwrap_or(0);
        let all: i64 = self.stretches.iter().map(length).sum::<i64>().max(1);
        let (mut seconds, mut passed) = (0, 0);
        for stretch in &self.stretches {
            if time >= stretch.end {
                seconds += length(stretch);
                passed += GAP;
            } else {
                seconds += (time.as_second() - stretch.start.as_second()).max(0);
                break;
            }
        }
        (seconds * (1000 - gaps) / all + passed).min(1000)
    }

    /// A bar, as a style.
    fn bar(&self, interval: Interval) -> String {
        let (from, to) = (self.at(interval.start), self.at(interval.end));
        // What would be thinner cannot be seen.
        let width = (to - from).max(6);
        let from = from.min(1000 - width);
        format!("left:{}.{}%;width:{}.{}%", from / 10, from % 10, width / 10, width % 10)
    }
}

fn length(interval: &Interval) -> i64 {
    interval.end.as_second() - interval.start.as_second()
}

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
    row(page, "axis", "", "", |page| {
        for stretch in &axis.stretches {
            let at = axis.at(stretch.start).min(800);
            page.put(format_args!(
                "<span style=\"left:{}.{}%\">{}</span>",
                at / 10,
                at % 10,
                stretch.start.strftime("%-d %b %H:%M")
            ));
        }
    });
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

fn row(page: &mut Page, class: &str, title: &str, told: &str, bars: impl FnOnce(&mut Page)) {
    page.put(format_args!("<div class=\"row {class}\"><span class=\"what\">{title}</span><div class=\"track\">"));
    bars(page);
    page.put(format_args!("</div><span class=\"told\">{told}</span></div>\n"));
}

/// `Sat 28 Nov 21:00 to 21:48`; the day again where it is another.
fn range(interval: Interval) -> String {
    let day = |at: Timestamp| at.strftime("%a %-d %b ").to_string();
    let (first, last) = (day(interval.start), day(interval.end));
    let last = if first == last { String::new() } else { last };
    format!("{first}{} to {last}{}", interval.start.strftime("%H:%M"), interval.end.strftime("%H:%M"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: i64, end: i64) -> Interval {
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        Interval { start: at(start), end: at(end) }
    }

    #[test]
    fn the_axis_leaves_out_what_is_empty_and_keeps_the_order() {
        let axis = Axis::new(vec![interval(1000, 2000), interval(1500, 2500), interval(90_000, 91_500)]);
        let Some(axis) = axis else { panic!("something happens") };
        let at = |second| axis.at(Timestamp::from_second(second).unwrap_or(Timestamp::MIN));
        // Each stretch is half of what the gap leaves.
        assert_eq!([at(1000), at(2500), at(90_000), at(91_500)], [0, 515, 515, 1000]);
        assert!((0..92_000).step_by(100).map(at).collect::<Vec<_>>().is_sorted());
        assert_eq!(axis.bar(interval(91_500, 91_500)), "left:99.4%;width:0.6%", "no bar leaves the track");
        assert!(Axis::new(vec![]).is_none());
    }
}
