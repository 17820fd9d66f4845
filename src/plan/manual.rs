//! What no playbook does, as items for people: every finding decided `manual` is in exactly one.

use std::collections::BTreeMap;

use super::draft::Draft;
use crate::model::{
    Decision, DecisionKind, Finding, HostName, ManualId, ManualItem, PackageName, PackageVersion, printable,
};

/// Texts of reports are for people, and there may be thousands of items.
const MAX_TEXT: usize = 300;
/// More places to read more are in the report.
const MAX_REFERENCES: usize = 3;

/// The items, most urgent first, then by host.
pub(super) fn items(draft: &Draft<'_>) -> Vec<ManualItem> {
    let mut items: BTreeMap<ManualId, ManualItem> = BTreeMap::new();
    let manual = draft.findings.iter().zip(&draft.decisions).filter(|(_, d)| d.kind == DecisionKind::Manual);
    for (finding, decision) in manual {
        let one = item(draft, finding, decision);
        match items.entry(one.id.clone()) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(one)),
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let item = entry.get_mut();
                item.findings.extend(one.findings);
                item.scanners.extend(one.scanners);
                item.priority = item.priority.max(one.priority);
                item.due = item.due.into_iter().chain(one.due).min();
            }
        }
    }
    let mut items: Vec<ManualItem> = items.into_values().collect();
    items.sort_by(|a, b| {
        (b.priority, &a.host, &a.vulnerability, &a.id).cmp(&(a.priority, &b.host, &b.vulnerability, &b.id))
    });
    items
}

fn item(draft: &Draft<'_>, finding: &Finding, decision: &Decision) -> ManualItem {
    let input = draft.input;
    let host: &HostName = &decision.host;
    let rule = input.hosts.get(host).map(|host| input.policy.manual_for(finding, host, decision, input.as_of));
    let (assignee, due) = rule.unwrap_or_default();
    let scanners = std::iter::once(&finding.scanner).chain(finding.claims.iter().map(|claim| &claim.scanner));
    ManualItem {
        id: ManualItem::id_of(host, finding),
        host: host.clone(),
        vulnerability: finding.vulnerability.clone(),
        package: finding.package.clone(),
        location: finding.location.as_deref().map(|location| printable(location, MAX_TEXT)),
        findings: [finding.id.clone()].into(),
        scanners: scanners.cloned().collect(),
        priority: decision.assessment.priority,
        why: printable(&decision.reason, MAX_TEXT),
        suggestion: suggestion(finding),
        references: finding.references.iter().take(MAX_REFERENCES).map(|text| printable(text, MAX_TEXT)).collect(),
        assignee: assignee.map(str::to_owned),
        due: due.map(|due| due.after(finding.first_seen.unwrap_or(input.as_of))),
    }
}

/// The advisory's own words come behind what they come to.
fn suggestion(finding: &Finding) -> String {
    let package = finding.package.as_ref().map_or("what is affected", PackageName::as_str);
    let from = finding.installed.as_ref().map_or_else(String::new, |version| format!(" from {version}"));
    let mut text = if finding.fixed.is_empty() {
        format!("no version of {package} that fixes it is named: see the advisory")
    } else {
        let fixed: Vec<&str> = finding.fixed.iter().map(PackageVersion::as_str).collect();
        format!("bring {package}{from} to {} or later", fixed.join(" or "))
    };
    if let Some(title) = &finding.title {
        text.push_str(&format!(" ({title})"));
    }
    printable(&text, MAX_TEXT)
}
