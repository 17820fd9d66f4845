//! What a drill has proven, host by host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::engine::StepResult;
use crate::model::{CampaignId, HostName, HostOutcome, TimeSpan, printable};
use crate::plan::{Action, HostPlan, Plan, Reason, StepKind};

use super::CampaignReport;

/// Reasons longer than this are for the campaign's report.
const MAX_REASON: usize = 300;

/// What a drill has proven.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct DrillReport {
    /// The campaign that was the drill; none where no host could be drilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// How many hosts' way back is proven.
    pub proven: u32,
    /// Every host that was asked for.
    pub hosts: BTreeMap<HostName, DrilledHost>,
}

/// What the drill of one host came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrillOutcome {
    /// A backup of it was restored to a clone, and the clone was well.
    Proven,
    /// It was not, or the drill came to no end.
    NotProven,
    /// No drill of it is possible.
    CannotDrill,
}

/// What became of the drill of one host.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct DrilledHost {
    /// What it came to.
    pub outcome: DrillOutcome,
    /// Why it is not proven.
    pub reasons: Vec<Reason>,
    /// How long it took until a clone of the backup answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_in: Option<TimeSpan>,
    /// The commands and probes that were asked of the clone.
    pub asked: Vec<String>,
    /// Whether packages and services of the clone were compared with the host's; else its probes alone were asked.
    pub compared: bool,
    /// What was made for the drill and could not be deleted: its provider lists it.
    pub left: Vec<Reason>,
}

impl DrillReport {
    /// Of hosts that cannot be drilled.
    pub fn new(left_out: BTreeMap<HostName, BTreeSet<Reason>>) -> Self {
        let cannot = |reasons: BTreeSet<Reason>| DrilledHost {
            outcome: DrillOutcome::CannotDrill,
            reasons: reasons.into_iter().collect(),
            restored_in: None,
            asked: Vec::new(),
            compared: false,
            left: Vec::new(),
        };
        let hosts = left_out.into_iter().map(|(host, reasons)| (host, cannot(reasons))).collect();
        Self { campaign: None, proven: 0, hosts }
    }

    /// Adds what became of the hosts that were drilled.
    pub fn add(&mut self, report: &CampaignReport, plan: &Plan) {
        self.campaign = Some(report.campaign.clone());
        for (name, host) in &report.hosts {
            let Some(planned) = plan.hosts.get(name) else { continue };
            let steps = || host.steps.iter();
            let succeeded = |result: &Option<StepResult>| matches!(result, Some(StepResult::Succeeded { .. }));
            let clone = steps().find(|step| step.kind == StepKind::Clone && succeeded(&step.result));
            let was_asked = steps().any(|step| step.kind == StepKind::Verify);
            let left = steps().filter(|step| step.kind.is_tidying()).filter_map(|step| match &step.result {
                Some(StepResult::Failed { reason, .. }) => Some(reason.clone()),
                _ => None,
            });
            let is_proven = host.outcome == Some(HostOutcome::Proven);
            let unended = || Reason::new("not-ended", "the drill came to no end");
            let reasons = match (is_proven, &host.reason) {
                (true, _) => Vec::new(),
                (false, reason) => vec![reason.clone().unwrap_or_else(unended)],
            };
            self.proven += u32::from(is_proven);
            let drilled = DrilledHost {
                outcome: if is_proven { DrillOutcome::Proven } else { DrillOutcome::NotProven },
                reasons,
                restored_in: clone.and_then(|step| step.took()),
                asked: if was_asked { asked(planned) } else { Vec::new() },
                compared: was_asked && compares(planned),
                left: left.collect(),
            };
            self.hosts.insert(name.clone(), drilled);
        }
    }

    /// Whether the way back of every host is.
    pub fn is_proven(&self) -> bool {
        self.hosts.values().all(|host| host.outcome == DrillOutcome::Proven)
    }

    /// One line a host.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (name, host) in &self.hosts {
            let (outcome, told) = match host.outcome {
                DrillOutcome::Proven => ("proven", String::new()),
                DrillOutcome::NotProven => ("not proven", reasons(&host.reasons)),
                DrillOutcome::CannotDrill => ("no drill", reasons(&host.reasons)),
            };
            let told = match (host.outcome, host.restored_in) {
                (DrillOutcome::Proven, Some(span)) => {
                    format!("restored to a clone in {span}, where held: {}", host.asked.join(", "))
                }
                _ => told,
            };
            let _ = writeln!(text, "{:<24} {outcome:<10} {}", name.as_str(), printable(&told, MAX_REASON));
            if host.outcome == DrillOutcome::Proven && !host.compared {
                let _ = writeln!(
                    text,
                    "  packages and services were not compared: its system is not known (`os` in the inventory, or a report with -f)"
                );
            }
            if !host.left.is_empty() {
                let left = printable(&reasons(&host.left), MAX_REASON);
                let _ = writeln!(text, "  left with its provider (`switchback clones`): {left}");
            }
        }
        let _ = writeln!(text, "{} of {} hosts proven", self.proven, self.hosts.len());
        text
    }
}

fn reasons(reasons: &[Reason]) -> String {
    let told: Vec<String> = reasons.iter().map(|reason| format!("{} [{}]", reason.text, reason.code)).collect();
    told.join("; ")
}

/// Whether a playbook looks at the clone of this host.
fn compares(planned: &HostPlan) -> bool {
    let on_clone = planned.steps.iter().filter(|step| step.on.is_some());
    on_clone.flat_map(|step| step.action.commands()).next().is_some()
}

/// What a drill asks of the clone of this host.
fn asked(planned: &HostPlan) -> Vec<String> {
    let on_clone = planned.steps.iter().filter(|step| step.on.is_some());
    on_clone
        .flat_map(|step| match &step.action {
            Action::Check { commands, probes } => {
                let commands = commands.iter().map(|command| command.name.clone());
                commands.chain(probes.iter().map(|probe| probe.name.to_string())).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}
