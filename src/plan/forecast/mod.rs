//! What a plan will come to if all goes as usual: when hosts are worked on, which deadlines are missed, and what would help.
//!
//! A forecast binds nobody: the engine decides by its own gates, and neither reads it.

mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Plan, StepKind};
use crate::model::{DecisionKind, HostName, RuleName, TimeSpan};

use schedule::{Placed, Schedule};

/// Lengths of one more window that are tried: up to a night, finer than anybody plans.
const STEP: TimeSpan = TimeSpan::minutes(30);
const LONGEST: TimeSpan = TimeSpan::hours(8);

/// What the plan comes to if it starts when it was made, every step takes as long as usual and nothing fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// When the last host has ended; none if no host is worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// How many windows are used.
    pub windows: u32,
    /// How many hosts are rebooted, if all of them need it. None is rebooted twice.
    pub reboots: u32,
    /// When each host is worked on.
    pub hosts: BTreeMap<HostName, HostForecast>,
    /// Planned hosts for which the windows that the plan knows leave no room.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub no_room: BTreeSet<HostName>,
    /// Hosts with a reboot in this plan and findings left for the campaign of another playbook, which may reboot again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reboot_again: BTreeSet<HostName>,
    /// Deadlines that are missed, by host and cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
    /// What one more window would do; none where no window could help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// When a host is worked on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostForecast {
    /// Its first step starts.
    pub start: Timestamp,
    /// Its first disruptive step starts; none if no step disrupts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disrupted: Option<Timestamp>,
    /// It has been watched, and nothing can fail any more.
    pub end: Timestamp,
    /// What keeps it from an earlier window into which it would fit by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<HeldBy>,
}

/// What keeps a host from an earlier window.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The waves before it, with the time they are watched.
    Waves,
    /// The host that goes first for it.
    Pilot,
    /// The disruption budget of its service.
    DisruptionBudget,
    /// How many hosts are worked on at once.
    Concurrency,
    /// How many hosts may be in their disruptive part at once, so that they cannot overspend the failure budget.
    FailureBudget,
}

/// Findings of one host that miss their deadline for one cause.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Breach {
    /// The first of the deadlines.
    pub due: Timestamp,
    /// The host.
    pub host: HostName,
    /// How many findings.
    pub findings: u32,
    /// Why.
    pub cause: BreachCause,
}

/// Why a deadline is missed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BreachCause {
    /// It had passed when the plan was made: nothing can meet it.
    Overdue,
    /// The host's turn comes too late.
    Late,
    /// No window that the plan knows has room for the host.
    NoRoom,
    /// The host is blocked.
    Blocked,
    /// The finding is not to be fixed by this plan, and its deadline passes before the plan is done.
    NotPlanned,
}

/// One more window.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// It ends here, at the first deadline that is missed for want of a window.
    pub before: Timestamp,
    /// The sets of windows that would have it.
    pub sets: BTreeSet<RuleName>,
    /// How long it must be for all of them to be met; none if eight hours are not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<TimeSpan>,
}

impl Forecast {
    /// How many hosts something keeps from an earlier window, by what it is.
    pub fn held(&self) -> BTreeMap<HeldBy, usize> {
        let mut held = BTreeMap::new();
        for by in self.hosts.values().filter_map(|host| host.held_by) {
            *held.entry(by).or_default() += 1;
        }
        held
    }
}

/// Makes the forecast of a plan. Pure, and the same for the same plan.
pub fn forecast(plan: &Plan) -> Forecast {
    let mut schedule = Schedule::of(plan);
    let deadlines = deadlines(plan, &schedule);
    let placed = schedule.run();
    let mut forecast = Forecast { windows: schedule.windows_used(&placed), ..Forecast::default() };
    for (name, placed) in schedule.names().zip(&placed) {
        match placed {
            Some(placed) => drop(forecast.hosts.insert(name.clone(), of_host(placed))),
            None => drop(forecast.no_room.insert(name.clone())),
        }
    }
    forecast.ends = forecast.hosts.values().map(|host| host.end).max();
    reboots(plan, &mut forecast);
    breaches(plan, &mut forecast);
    forecast.remedy = remedy(plan, &mut schedule, &deadlines, &placed);
    forecast
}

fn of_host(placed: &Placed) -> HostForecast {
    HostForecast {
        start: time(placed.begin),
        disrupted: placed.disrupted.map(time),
        end: time(placed.end),
        held_by: placed.held_by,
    }
}

fn reboots(plan: &Plan, forecast: &mut Forecast) {
    let rebooted: BTreeSet<&HostName> = plan
        .hosts
        .iter()
        .filter(|(_, host)| host.steps.iter().any(|step| step.kind == StepKind::Reboot && step.on.is_none()))
        .map(|(name, _)| name)
        .collect();
    forecast.reboots = u32::try_from(rebooted.len()).unwrap_or(u32::MAX);
    // The planner's own rule defers what another playbook would fix.
    let left = plan.report.decisions.iter().filter(|d| d.kind == DecisionKind::Defer && is_other_playbook(d));
    forecast.reboot_again = left.map(|d| &d.host).filter(|host| rebooted.contains(host)).cloned().collect();
}

fn is_other_playbook(decision: &crate::model::Decision) -> bool {
    decision.rule.place.is_none() && decision.rule.name.as_str() == "playbooks"
}

fn breaches(plan: &Plan, forecast: &mut Forecast) {
    let done = forecast.ends.unwrap_or(plan.as_of);
    let mut found: BTreeMap<(&HostName, BreachCause), (Timestamp, u32)> = BTreeMap::new();
    for decision in &plan.report.decisions {
        let Some(due) = decision.due else { continue };
        let host = &decision.host;
        let missed = match decision.kind {
            // Somebody has said that these need not be fixed.
            DecisionKind::Ignore | DecisionKind::Whitelist | DecisionKind::NotAffected => None,
            DecisionKind::Defer | DecisionKind::NoFixAvailable | DecisionKind::Manual => {
                (due < done).then_some(BreachCause::NotPlanned)
            }
            DecisionKind::Fix => match forecast.hosts.get(host) {
                Some(planned) => (due < planned.end).then_some(BreachCause::Late),
                None if plan.hosts.contains_key(host) => Some(BreachCause::NoRoom),
                None => Some(BreachCause::Blocked),
            },
        };
        let Some(cause) = missed else { continue };
        let cause = if due <= plan.as_of { BreachCause::Overdue } else { cause };
        let (first, count) = found.entry((host, cause)).or_insert((due, 0));
        *first = due.min(*first);
        *count += 1;
    }
    let breaches =
        found.into_iter().map(|((host, cause), (due, findings))| Breach { due, host: host.clone(), findings, cause });
    forecast.breaches = breaches.collect();
    forecast.breaches.sort_by(|a, b| (a.due, &a.host, a.cause).cmp(&(b.due, &b.host, b.cause)));
}

/// The first deadline of each host in the schedule's order that can still be met.
fn deadlines(plan: &Plan, schedule: &Schedule<'_>) -> Vec<Option<i64>> {
    let mut first: BTreeMap<&HostName, Timestamp> = BTreeMap::new();
    let to_fix = plan.report.decisions.iter().filter(|decision| decision.kind == DecisionKind::Fix);
    for (host, due) in to_fix.filter_map(|d| Some((&d.host, d.due.filter(|due| *due > plan.as_of)?))) {
        let known = first.entry(host).or_insert(due);
        *known = due.min(*known);
    }
    schedule.names().map(|name| first.get(name).map(|due| due.as_second())).collect()
}

/// Hosts, by number, that have ended too late or not at all.
fn late<'a>(deadlines: &'a [Option<i64>], placed: &'a [Option<Placed>]) -> impl Iterator<Item = (usize, i64)> + 'a {
    let both = deadlines.iter().zip(placed).enumerate();
    both.filter_map(|(job, (due, placed))| {
        let due = (*due)?;
        placed.as_ref().is_none_or(|placed| placed.end > due).then_some((job, due))
    })
}

/// The shortest window before the first missed deadline with which every deadline is met.
fn remedy(
    plan: &Plan,
    schedule: &mut Schedule<'_>,
    deadlines: &[Option<i64>],
    placed: &[Option<Placed>],
) -> Option<Remedy> {
    let mut before = i64::MAX;
    let mut sets = BTreeSet::new();
    for (job, due) in late(deadlines, placed) {
        // Hosts that may be touched at any time are late for another reason.
        let Some(set) = schedule.set_of(job) else { continue };
        sets.insert(set);
        before = before.min(due);
    }
    if sets.is_empty() {
        return None;
    }
    let step = seconds(STEP);
    let lengths = (1..=seconds(LONGEST) / step).map(|n| n * step);
    let mut would_do = |length: i64| {
        let placed = schedule.run_with(&sets, (before - length, before));
        late(deadlines, &placed).next().is_none()
    };
    let length =
        lengths.take_while(|length| before - length >= plan.as_of.as_second()).find(|length| would_do(*length));
    Some(Remedy {
        before: time(before),
        sets: sets.iter().map(|set| schedule.set_name(*set).clone()).collect(),
        length: length.map(|length| TimeSpan::seconds(u64::try_from(length).unwrap_or(0))),
    })
}

fn seconds(span: TimeSpan) -> i64 {
    i64::try_from(span.as_seconds()).unwrap_or(i64::MAX)
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}
