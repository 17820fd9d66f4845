//! A rehearsal as a page: what to expect first, then when runs end and what services have left, as charts.

use crate::model::{RuleName, TimeSpan};
use crate::sim::{Rehearsal, Service};

use super::chart::{HIGH, WIDE, close, float, open};
use super::page::{MAX_ROWS, Page, names, text, when};
use super::plan_text::count;
use super::rehearsal::{chances, ended, percent};

/// Services with a chart: those of which most is unavailable.
const CHARTS: usize = 12;

/// The page of a rehearsal.
pub fn rehearsal_html(rehearsal: &Rehearsal) -> String {
    let mut page = Page::titled(&format!("Rehearsal of plan {}", rehearsal.plan.short()));
    summary(&mut page, rehearsal);
    ends(&mut page, rehearsal);
    hosts(&mut page, rehearsal);
    services(&mut page, rehearsal);
    page.end()
}

fn summary(page: &mut Page, rehearsal: &Rehearsal) {
    let runs = count(rehearsal.runs as usize, "run");
    let verdict = match rehearsal.ends.p95 {
        Some(p95) => format!("95 of 100 runs that come to their end do so by {}.", when(p95)),
        None => "No run comes to its end.".to_owned(),
    };
    page.put(format_args!(
        "<p class=\"verdict\">{verdict}</p>\n<p>{runs} from {}, with the seeds from {} on. What fails and how long steps take \
         are assumptions, or what earlier campaigns have shown; the engine that decides is the one that runs campaigns.</p>\n\
         <ul class=\"figures\">\n",
        when(rehearsal.start),
        rehearsal.seed
    ));
    for (what, chance) in chances(&rehearsal.chances) {
        let warn = if chance < 0.95 { " class=\"warn\"" } else { "" };
        page.put(format_args!("<li{warn}><b>{}</b><br>of the runs {what}</li>\n", percent(chance)));
    }
    page.put(format_args!("</ul>\n"));
    if !rehearsal.never_begun.is_empty() {
        let who = names(rehearsal.never_begun.iter(), MAX_ROWS);
        page.put(format_args!("<p><b>No run has begun with</b> {who}.</p>\n"));
    }
}

fn ends(page: &mut Page, rehearsal: &Rehearsal) {
    page.heading("When runs end");
    let (Some(p50), Some(p95), Some(worst)) = (rehearsal.ends.p50, rehearsal.ends.p95, rehearsal.ends.worst) else {
        page.put(format_args!("<p>None does.</p>\n"));
        return;
    };
    page.put(format_args!(
        "<p>Half of them by {}, 95 of 100 by {}, the last by {}.</p>\n",
        when(p50),
        when(p95),
        when(worst)
    ));
    let most = rehearsal.histogram.iter().copied().max().unwrap_or(0).max(1);
    open(page, "How many runs end when, from the first to the last");
    let bars = rehearsal.histogram.len().max(1);
    let width = WIDE / float(bars);
    for (at, runs) in rehearsal.histogram.iter().enumerate() {
        let height = HIGH * f64::from(*runs) / f64::from(most);
        page.put(format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}</title></rect>\n",
            float(at) * width,
            HIGH - height,
            (width - 1.0).max(0.5),
            count(*runs as usize, "run")
        ));
    }
    close(page);
}

fn hosts(page: &mut Page, rehearsal: &Rehearsal) {
    page.heading("How hosts end");
    let rows = rehearsal.hosts_ended.iter().map(|(outcome, hosts)| {
        let cells =
            [ended(*outcome).to_owned(), format!("{:.2}", hosts.mean), hosts.p95.to_string(), hosts.most.to_string()];
        cells.to_vec()
    });
    page.table(&["Hosts", "On average", "95 of 100 runs have at most", "Most in any run"], rows);
}

fn services(page: &mut Page, rehearsal: &Rehearsal) {
    page.heading("What services have left");
    if rehearsal.services.is_empty() {
        page.put(format_args!(
            "<p>The plan has no disruption budget, so nothing says which hosts are one service.</p>\n"
        ));
        return;
    }
    let mut services: Vec<(&RuleName, &Service)> = rehearsal.services.iter().collect();
    services.sort_by_key(|(name, service)| (std::cmp::Reverse(service.worst), *name));
    let rows = services.iter().take(MAX_ROWS).map(|(name, service)| {
        vec![
            text(name),
            service.worst.to_string(),
            service.max_unavailable.to_string(),
            service.hosts.to_string(),
            TimeSpan::seconds(service.degraded_seconds).to_string(),
        ]
    });
    page.table(&["Service", "Down at worst", "May be down", "Hosts", "Degraded per run"], rows);
    page.cut(services.len(), "service");
    for (name, service) in services.into_iter().take(CHARTS).filter(|(_, service)| !service.over_time.is_empty()) {
        chart(page, name, service, rehearsal);
    }
}

/// Hosts that are in service over time: what is expected, and the worst of any run.
fn chart(page: &mut Page, name: &RuleName, service: &Service, rehearsal: &Rehearsal) {
    let (Some(first), Some(last)) = (service.over_time.first(), service.over_time.last()) else { return };
    let hosts = f64::from(service.hosts.max(1));
    let width = WIDE / float(service.over_time.len());
    let y = |down: f64| HIGH * (down / hosts).min(1.0);
    open(page, &format!("{}: hosts in service, of {}", text(name), service.hosts));
    page.put(format_args!("<rect x=\"0\" y=\"0\" width=\"{WIDE}\" height=\"{HIGH}\"/>\n"));
    for (number, stretch) in service.over_time.iter().enumerate() {
        let from = float(number) * width;
        let told =
            format!("{}: {:.1} expected to be down, {} at worst", when(stretch.from), stretch.expected, stretch.worst);
        for (class, down) in [("worst", f64::from(stretch.worst)), ("usual", stretch.expected)] {
            page.put(format_args!(
                "<rect class=\"{class}\" x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{:.1}\"><title>{told}</title></rect>\n",
                width + 0.5,
                y(down)
            ));
        }
    }
    let line = y(f64::from(service.max_unavailable));
    page.put(format_args!("<path class=\"back\" d=\"M0 {line:.1}H{WIDE}\"/>\n"));
    close(page);
    page.put(format_args!(
        "<p class=\"cut\">From {} to {}, in stretches of {}; those in which no host is down in any run are left out. From the \
         top: hosts that are down, dark as expected, hatched at worst in {}; the dashed line is the disruption budget.</p>\n",
        when(first.from),
        when(TimeSpan::seconds(last.seconds).after(last.from)),
        TimeSpan::seconds(first.seconds),
        count(rehearsal.runs as usize, "run")
    ));
}
