//! How many hosts of each service were unavailable, and when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::types::{CampaignReport, ServiceReport, Unavailable};
use crate::model::{HostOutcome, RuleName, TimeSpan};
use crate::plan::Plan;

/// As the engine counts: from the first step that may disrupt a host to the host's end; a stuck host stays unavailable.
pub(super) fn services(plan: &Plan, report: &CampaignReport) -> BTreeMap<RuleName, ServiceReport> {
    let mut changes: BTreeMap<&RuleName, BTreeMap<Timestamp, i64>> = BTreeMap::new();
    for host in report.hosts.values() {
        let Some((service, from)) = host.service.as_ref().zip(host.disrupted) else { continue };
        let changes = changes.entry(service).or_default();
        *changes.entry(from).or_default() += 1;
        if let Some(end) = host.ended.filter(|_| host.outcome != Some(HostOutcome::Stuck)) {
            *changes.entry(end).or_default() -= 1;
        }
    }
    let until = report.ended.or(report.as_of);
    let services = plan.rollout.groups.iter().map(|(name, group)| {
        let mut service =
            ServiceReport { max_unavailable: group.max_unavailable, hosts: group.size, ..ServiceReport::default() };
        let mut hosts = 0;
        for (from, change) in changes.get(name).into_iter().flatten().filter(|(_, change)| **change != 0) {
            hosts += change;
            // A clock that was set back could take one away before it came.
            service.over_time.push(Unavailable { from: *from, hosts: u32::try_from(hosts).unwrap_or(0) });
        }
        service.most = service.over_time.iter().map(|point| point.hosts).max().unwrap_or(0);
        let ends = service.over_time.iter().skip(1).map(|point| point.from).chain(until);
        let lengths = service.over_time.iter().zip(ends).filter(|(point, _)| point.hosts > 0);
        service.degraded = lengths.fold(TimeSpan::ZERO, |sum, (p, end)| sum.plus(TimeSpan::between(p.from, end)));
        (name.clone(), service)
    });
    services.collect()
}
