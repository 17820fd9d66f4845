//! How long findings stayed open, which deadlines were met, and what of the plan's forecast came true.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::findings::fixed_at;
use super::types::{CampaignReport, Deadlines, Durations, ForecastReport, HostReport, Missed, Sla, SlaFigures};
use crate::engine::StepResult;
use crate::model::{Decision, DecisionKind, HostName, Priority, TimeSpan};
use crate::plan::{BreachCause, Plan, StepKind};

/// What is added up for a priority.
#[derive(Default)]
struct Sums {
    since_first_seen: Vec<TimeSpan>,
    since_plan: Vec<TimeSpan>,
    deadlines: Deadlines,
}

pub(super) fn sla(plan: &Plan, report: &CampaignReport) -> Sla {
    let mut sums: BTreeMap<Priority, Sums> = BTreeMap::new();
    let mut missed: BTreeMap<(&HostName, Option<Timestamp>, bool), Missed> = BTreeMap::new();
    let foretold = foretold(plan);
    let now = report.as_of.unwrap_or(plan.as_of);
    for decision in &plan.report.decisions {
        let sums = sums.entry(decision.assessment.priority).or_default();
        let fixed = fixed_at(plan, report.hosts.get(&decision.host), decision);
        if let Some(fixed) = fixed {
            match decision.first_seen {
                Some(seen) => sums.since_first_seen.push(TimeSpan::between(seen, fixed)),
                None => sums.since_plan.push(TimeSpan::between(plan.as_of, fixed)),
            }
        }
        let Some(due) = decision.due.filter(|_| binds(decision)) else { continue };
        let is_late = due < fixed.unwrap_or(now);
        match (is_late, fixed) {
            _ if due <= plan.as_of => sums.deadlines.overdue += 1,
            (true, _) => sums.deadlines.missed += 1,
            (false, Some(_)) => sums.deadlines.met += 1,
            (false, None) => sums.deadlines.ahead += 1,
        }
        if is_late {
            let (host, before) = (&decision.host, due <= plan.as_of);
            let known = missed.entry((host, fixed, before)).or_insert_with(|| Missed {
                host: host.clone(),
                due,
                findings: 0,
                fixed,
                foretold: foretold.get(&(host, before)).copied(),
            });
            known.due = due.min(known.due);
            known.findings += 1;
        }
    }
    let mut total = Sums::default();
    let mut by_priority = BTreeMap::new();
    for (priority, sums) in sums {
        total.since_first_seen.extend(&sums.since_first_seen);
        total.since_plan.extend(&sums.since_plan);
        total.deadlines.add(sums.deadlines);
        by_priority.insert(priority, sums.figures());
    }
    let mut missed: Vec<Missed> = missed.into_values().collect();
    missed.sort_by(|a, b| (a.due, &a.host, a.fixed).cmp(&(b.due, &b.host, b.fixed)));
    Sla { total: total.figures(), by_priority, missed }
}

/// Why a host was to miss deadlines, and whether they had passed when the plan was made: that has a cause of its own.
fn foretold(plan: &Plan) -> BTreeMap<(&HostName, bool), BreachCause> {
    let breaches = plan.report.forecast.iter().flat_map(|forecast| &forecast.breaches);
    breaches.map(|breach| ((&breach.host, breach.due <= plan.as_of), breach.cause)).collect()
}

/// Whether the deadline of a finding holds: nobody has said that it need not be fixed.
fn binds(decision: &Decision) -> bool {
    !matches!(decision.kind, DecisionKind::Ignore | DecisionKind::Whitelist | DecisionKind::NotAffected)
}

impl Sums {
    fn figures(self) -> SlaFigures {
        SlaFigures {
            since_first_seen: durations(self.since_first_seen),
            since_plan: durations(self.since_plan),
            deadlines: self.deadlines,
        }
    }
}

impl Deadlines {
    fn add(&mut self, more: Self) {
        self.met += more.met;
        self.missed += more.missed;
        self.overdue += more.overdue;
        self.ahead += more.ahead;
    }
}

fn durations(mut all: Vec<TimeSpan>) -> Option<Durations> {
    all.sort_unstable();
    let longest = *all.last()?;
    let findings = all.len() as u64;
    let sum: u64 = all.iter().map(|span| span.as_seconds()).fold(0, u64::saturating_add);
    Some(Durations { findings, mean: TimeSpan::seconds(sum / findings), median: all[(all.len() - 1) / 2], longest })
}

pub(super) fn forecast(plan: &Plan, report: &CampaignReport) -> Option<ForecastReport> {
    let forecast = plan.report.forecast.as_ref().filter(|forecast| !forecast.hosts.is_empty())?;
    let mut told = ForecastReport {
        ends: forecast.ends,
        ended: report.ended,
        reboots_expected: forecast.reboots,
        breaches_expected: forecast.breaches.iter().map(|breach| u64::from(breach.findings)).sum(),
        breaches: report.sla.missed.iter().map(|missed| missed.findings).sum(),
        ..ForecastReport::default()
    };
    for (name, host) in &report.hosts {
        told.reboots += u32::from(was_rebooted(host));
        let Some((expected, (took, ended))) = forecast.hosts.get(name).zip(host.took().zip(host.ended)) else {
            continue;
        };
        told.hosts += 1;
        told.expected = told.expected.plus(TimeSpan::between(expected.start, expected.end));
        told.took = told.took.plus(took);
        told.later += u32::from(ended > expected.end);
    }
    Some(told)
}

fn was_rebooted(host: &HostReport) -> bool {
    let mut reboots = host.steps.iter().filter(|step| step.kind == StepKind::Reboot && step.disruptive);
    reboots.any(|step| step.result.as_ref().is_some_and(StepResult::was_done))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_late_already_is_not_foretold_to_come_late() {
        let breach = |due: &str, cause: &str| json!({"due": due, "host": "web-1", "findings": 1, "cause": cause});
        let plan: Plan = serde_json::from_value(json!({
            "format": crate::plan::PLAN_FORMAT, "made_by": "test", "as_of": "2026-11-23T06:00:00Z", "seed": 0,
            "tzdata": "test", "inputs": {},
            "rollout": {"waves": [], "groups": {}, "failure_budget": 1, "concurrency": 1, "margin": "5m"},
            "windows": {}, "hosts": {}, "scripts": {},
            "report": {"findings": 0, "decided": {}, "decisions": [], "blocked": {}, "notes": [],
                "forecast": {"windows": 0, "reboots": 0, "hosts": {}, "breaches": [
                    breach("2026-11-20T00:00:00Z", "overdue"), breach("2026-11-25T00:00:00Z", "late"),
                ]}}
        }))
        .unwrap();
        let host = HostName::new("web-1").unwrap();
        let foretold = foretold(&plan);
        assert_eq!(foretold.get(&(&host, true)), Some(&BreachCause::Overdue));
        assert_eq!(foretold.get(&(&host, false)), Some(&BreachCause::Late));
    }

    #[test]
    fn a_reboot_that_nobody_needed_is_none() {
        assert!(!StepResult::no_reboot("no reboot is required").was_done());
        assert!(StepResult::Succeeded { facts: BTreeMap::new(), note: None }.was_done());
    }

    #[test]
    fn the_median_is_a_duration_that_was() {
        let of = |seconds: &[u64]| durations(seconds.iter().copied().map(TimeSpan::seconds).collect());
        assert_eq!(of(&[]), None);
        let figures = of(&[50, 10, 30, 20]).unwrap_or_default();
        let [mean, median, longest] = [figures.mean, figures.median, figures.longest].map(TimeSpan::as_seconds);
        assert_eq!((figures.findings, mean, median, longest), (4, 27, 20, 50));
    }
}
