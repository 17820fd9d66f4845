//! Findings before and after: by the journal, or by a scan that was made later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::types::{CampaignReport, FindingCounts, FindingsReport, HostReport, LaterScanReport};
use crate::model::{Decision, DecisionKind, Finding, FindingId, HostName, HostOutcome};
use crate::plan::Plan;

/// A scan that was made after the campaign.
#[derive(Clone, Debug, Default)]
pub struct LaterScan {
    /// Its files.
    pub files: Vec<String>,
    /// When hosts were looked at last.
    pub at: Option<Timestamp>,
    /// The hosts that it speaks of, also those without a finding.
    pub hosts: BTreeSet<HostName>,
    /// What it found.
    pub findings: Vec<(HostName, Finding)>,
}

/// When a finding was fixed and that was verified.
pub(super) fn fixed_at(plan: &Plan, host: Option<&HostReport>, decision: &Decision) -> Option<Timestamp> {
    let host = host?;
    let fixed = host.fixed()?;
    let planned = plan.hosts.get(&decision.host)?;
    planned.fix.findings.binary_search(&decision.finding).ok()?;
    let about = Finding::parts_of(&decision.finding, &decision.host).package;
    (!host.left_out.iter().any(|package| about == Some(package.as_str()))).then_some(fixed)
}

/// Whether a decision is about this vulnerability of this package.
fn is_about(decision: &Decision, wanted: (&str, Option<&str>)) -> bool {
    let about = Finding::parts_of(&decision.finding, &decision.host);
    (about.vulnerability, about.package) == wanted
}

/// What was there before, less what was fixed.
pub(super) fn by_journal(plan: &Plan, hosts: &BTreeMap<HostName, HostReport>) -> FindingsReport {
    let mut report = FindingsReport::default();
    for decision in &plan.report.decisions {
        let host = hosts.get(&decision.host);
        let is_fixed = fixed_at(plan, host, decision).is_some();
        report.add(decision, FindingCounts { after: u64::from(!is_fixed), ..counts(plan, host, decision) });
    }
    report
}

fn counts(plan: &Plan, host: Option<&HostReport>, decision: &Decision) -> FindingCounts {
    let is_fixed = fixed_at(plan, host, decision).is_some();
    let is_pending = is_fixed && host.is_some_and(|host| host.outcome == Some(HostOutcome::FixedPendingReboot));
    let is_planned = decision.kind == DecisionKind::Fix && host.is_some();
    FindingCounts {
        before: 1,
        planned: u64::from(is_planned),
        fixed: u64::from(is_fixed),
        pending_reboot: u64::from(is_pending),
        after: 0,
    }
}

impl FindingsReport {
    fn add(&mut self, decision: &Decision, more: FindingCounts) {
        for counts in [&mut self.total, self.by_priority.entry(decision.assessment.priority).or_default()] {
            counts.before += more.before;
            counts.planned += more.planned;
            counts.fixed += more.fixed;
            counts.pending_reboot += more.pending_reboot;
            counts.after += more.after;
        }
    }
}

impl CampaignReport {
    /// Holds the journal against a scan that was made later.
    pub fn compare(&mut self, plan: &Plan, scan: &LaterScan) {
        let mut later = LaterScanReport { files: scan.files.clone(), at: scan.at, ..LaterScanReport::default() };
        let mut there: BTreeSet<(&HostName, &FindingId)> = BTreeSet::new();
        // What several scanners report is one finding.
        let mut new = BTreeSet::new();
        for (host, finding) in &scan.findings {
            match known(plan.report.decisions_of(host), finding) {
                Some(decision) => drop(there.insert((&decision.host, &decision.finding))),
                None => drop(new.insert((host, &finding.vulnerability, &finding.package))),
            }
        }
        later.new = new.len() as u64;
        let mut report = FindingsReport::default();
        for decision in &plan.report.decisions {
            let host = self.hosts.get(&decision.host);
            let is_fixed = fixed_at(plan, host, decision).is_some();
            let is_there = if scan.hosts.contains(&decision.host) {
                there.contains(&(&decision.host, &decision.finding))
            } else {
                later.not_scanned.insert(decision.host.clone());
                !is_fixed
            };
            if is_there && is_fixed {
                later.still_found.entry(decision.host.clone()).or_default().insert(decision.finding.clone());
            }
            report.add(decision, FindingCounts { after: u64::from(is_there), ..counts(plan, host, decision) });
        }
        report.later_scan = Some(later);
        self.findings = report;
    }
}

/// The decision about this finding before the campaign: of the same vulnerability and package, whatever its version is now
/// and whatever the scanner calls the host.
fn known<'a>(decisions: &'a [Decision], finding: &Finding) -> Option<&'a Decision> {
    // Of one host they are sorted.
    if let Ok(at) = decisions.binary_search_by(|decision| decision.finding.cmp(&finding.id)) {
        return decisions.get(at);
    }
    let wanted = (finding.vulnerability.as_str(), finding.package.as_ref().map(|package| package.as_str()));
    let place = finding.location.as_ref().map(|place| format!("#{place}"));
    let fits = |decision: &&Decision| is_about(decision, wanted);
    let at_place =
        |decision: &&Decision| place.as_ref().is_none_or(|place| decision.finding.as_str().ends_with(place.as_str()));
    decisions.iter().find(|decision| fits(decision) && at_place(decision))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_is_about_its_package_and_about_no_place_of_that_name() {
        let of = |id: &str| {
            let decision = json!({"finding": id, "host": "web-1", "kind": "fix", "rule": {"name": "r"}, "reason": "so",
                "assessment": {"priority": "high", "rule": {"name": "r"}, "importance": "general"}});
            serde_json::from_value::<Decision>(decision).unwrap()
        };
        let wanted = ("CVE-2026-1", Some("libc6"));
        for (id, fits) in [
            ("web-1/CVE-2026-1/libc6@2.36-9+deb12u4", true),
            ("image:a/b/CVE-2026-1/libc6@1#package.json", true),
            ("web-1/CVE-2026-1/libc@1", false),
            ("web-1/CVE-2026-2/left-pad@1#srv/CVE-2026-1/libc6", false),
        ] {
            assert_eq!(is_about(&of(id), wanted), fits, "{id}");
        }
    }
}
