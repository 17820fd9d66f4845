//! Disruption: how many hosts of each service were unavailable, against its budget.

use super::super::campaign::{CampaignReport, ServiceReport};
use super::super::chart::{HIGH, WIDE, close, float, open};
use super::{MAX_ROWS, Page, text, when};
use crate::model::{RuleName, TimeSpan};

/// Services with a chart: those of which most were unavailable.
const CHARTS: usize = 12;
/// Stretches of a chart; each shows the most of its time.
const STRETCHES: usize = 175;

pub(super) fn services(page: &mut Page, report: &CampaignReport) {
    page.heading("Hosts of services that were unavailable");
    if report.services.is_empty() {
        page.put(format_args!(
            "<p>The plan has no disruption budget, so nothing says which hosts are one service.</p>\n"
        ));
        return;
    }
    page.put(format_args!(
        "<p>A host counts from the first step that may disrupt it until it has ended; one that is stuck counts on.</p>\n"
    ));
    let mut services: Vec<(&RuleName, &ServiceReport)> = report.services.iter().collect();
    services.sort_by_key(|(name, service)| (std::cmp::Reverse(service.most), *name));
    let rows = services.iter().take(MAX_ROWS).map(|(name, service)| {
        let sign = if service.most > service.max_unavailable { "⚠ " } else { "" };
        vec![
            text(name),
            format!("{sign}{}", service.most),
            service.max_unavailable.to_string(),
            service.hosts.to_string(),
            service.degraded.to_string(),
        ]
    });
    page.table(&["Service", "Unavailable at worst", "Allowed", "Hosts", "Any unavailable for"], rows);
    page.cut_of_campaign(services.len(), "service");
    for (name, service) in services.into_iter().take(CHARTS).filter(|(_, service)| service.most > 0) {
        chart(page, name, service, report);
    }
}

/// Hosts that are in service over time, from the first disruption to the last.
fn chart(page: &mut Page, name: &RuleName, service: &ServiceReport, report: &CampaignReport) {
    let (Some(first), Some(last)) = (service.over_time.first(), service.over_time.last()) else { return };
    let end = if last.hosts > 0 { report.ended.or(report.as_of).unwrap_or(last.from) } else { last.from };
    let whole = (end.as_millisecond() - first.from.as_millisecond()).max(1);
    // The most of each stretch, so that no short one is lost.
    let mut most = vec![0_u32; STRETCHES];
    let ends = service.over_time.iter().skip(1).map(|point| point.from).chain([end]);
    for (point, until) in service.over_time.iter().zip(ends) {
        let (from, to) =
            (bin(point.from.as_millisecond(), first.from, whole), bin(until.as_millisecond(), first.from, whole));
        for stretch in most.iter_mut().take(to + 1).skip(from) {
            *stretch = point.hosts.max(*stretch);
        }
    }
    let hosts = f64::from(service.hosts.max(1));
    let y = |down: u32| HIGH * (f64::from(down) / hosts).min(1.0);
    open(page, &format!("{}: hosts in service, of {}", text(name), service.hosts));
    page.put(format_args!("<rect x=\"0\" y=\"0\" width=\"{WIDE}\" height=\"{HIGH}\"/>\n"));
    let width = WIDE / float(STRETCHES);
    let mut at = 0;
    for alike in most.chunk_by(|a, b| a == b) {
        if alike[0] > 0 {
            page.put(format_args!(
                "<rect class=\"usual\" x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{:.1}\"><title>{} unavailable</title></rect>\n",
                float(at) * width,
                float(alike.len()) * width + 0.2,
                y(alike[0]),
                alike[0]
            ));
        }
        at += alike.len();
    }
    let line = y(service.max_unavailable);
    page.put(format_args!("<path class=\"back\" d=\"M0 {line:.1}H{WIDE}\"/>\n"));
    close(page);
    page.put(format_args!(
        "<p class=\"cut\">From {} to {}, each step of the drawing the worst of {}. From the top, dark: hosts that are \
         unavailable; the dashed line is the disruption budget.</p>\n",
        when(first.from),
        when(end),
        TimeSpan::seconds((u64::try_from(whole).unwrap_or(0) / 1000 / STRETCHES as u64).max(1))
    ));
}

fn bin(at: i64, first: jiff::Timestamp, whole: i64) -> usize {
    let passed = (at - first.as_millisecond()).clamp(0, whole);
    usize::try_from(passed * (STRETCHES as i64 - 1) / whole).unwrap_or(0)
}
