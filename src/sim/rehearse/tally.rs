//! What many runs come to: counted as they end, in whatever order that is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{DecisionKind, Digest, HostName, HostOutcome, RuleName, TimeSpan};
use crate::plan::Plan;

use super::trial::{Cast, Run};

/// Points of a curve, more or less: finer than any screen shows.
const POINTS: i64 = 240;

/// What a plan came to when it was rehearsed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rehearsal {
    /// The plan.
    pub plan: Digest,
    /// When each run started.
    pub start: Timestamp,
    /// Runs with seeds from here on.
    pub seed: u64,
    /// How many.
    pub runs: u32,
    /// Shares of the runs.
    pub chances: Chances,
    /// When runs ended; those that stand still are not among them.
    pub ends: Quantiles<Timestamp>,
    /// Hosts by how they ended.
    pub hosts_ended: BTreeMap<HostOutcome, Amounts>,
    /// Services with a disruption budget.
    pub services: BTreeMap<RuleName, Service>,
    /// Hosts that no run that came to its end has begun with.
    pub never_begun: Vec<HostName>,
    /// How often each host ended in which way.
    pub hosts: BTreeMap<HostName, BTreeMap<HostOutcome, u32>>,
    /// How many runs ended when, in equal stretches from the first to the last.
    pub histogram: Vec<u32>,
}

/// In how many of all runs something was so, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Chances {
    /// It came to its end and did not have to be resumed.
    pub no_pause: f64,
    /// It came to its end, no host was left out for want of a window, and none was worked on past the end of its own.
    ///
    /// Missing when no host waits for windows.
    pub in_windows: Option<f64>,
    /// Every planned host was fixed.
    pub all_fixed: f64,
    /// No deadline of what was to be fixed was missed.
    ///
    /// Missing when nothing that is to be fixed has a deadline.
    pub deadlines_met: Option<f64>,
    /// No host was parked for a person.
    pub none_stuck: f64,
}

/// Half of the runs, 95 of 100 and all of them were at or below these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quantiles<T> {
    /// Half of them.
    pub p50: Option<T>,
    /// 95 of 100.
    pub p95: Option<T>,
    /// All.
    pub worst: Option<T>,
}

/// How many hosts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Amounts {
    /// On average.
    pub mean: f64,
    /// In 95 of 100 runs no more than this.
    pub p95: u32,
    /// In no run more.
    pub most: u32,
}

/// How many hosts of a service were unavailable.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Service {
    /// How many it has, planned or not.
    pub hosts: u32,
    /// How many may be at once.
    pub max_unavailable: u32,
    /// The most that were, in any run.
    pub worst: u32,
    /// For how many seconds of a run there was at least one, on average.
    pub degraded_seconds: u64,
    /// Over time; stretches in which none was are left out.
    pub over_time: Vec<Stretch>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stretch {
    /// Its start.
    pub from: Timestamp,
    /// Its length.
    pub seconds: u64,
    /// The most that were unavailable at once in it, on average of all runs.
    pub expected: f64,
    /// The most in any run.
    pub worst: u32,
}

/// Counts of some runs; those of others can be added.
pub(super) struct Tally {
    axis: Axis,
    runs: Vec<(u64, Summary)>,
    hosts: Vec<BTreeMap<HostOutcome, u32>>,
    begun: Vec<bool>,
    groups: Vec<Group>,
}

struct Group {
    degraded: u64,
    sum: Vec<u64>,
    worst: Vec<u32>,
}

/// What is kept of a run.
struct Summary {
    ended: Option<i64>,
    pauses: u32,
    overruns: u32,
    late: u32,
    not_begun: bool,
    outcomes: BTreeMap<HostOutcome, u32>,
}

/// Stretches of equal length that cover the times in which something happens, in seconds from the start.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    stretch: i64,
    /// Start and end of a part, and how many stretches lie before it.
    parts: Vec<(i64, i64, usize)>,
    points: usize,
}

impl Axis {
    /// An axis over these times, which are sorted and apart.
    pub fn over(times: &[(i64, i64)]) -> Self {
        let all: i64 = times.iter().map(|(from, to)| to - from).sum();
        let stretch = (all / POINTS / 60 + 1) * 60;
        let mut axis = Self { stretch, parts: Vec::with_capacity(times.len()), points: 0 };
        for &(from, to) in times {
            axis.parts.push((from, to, axis.points));
            axis.points += usize::try_from((to - from + stretch - 1) / stretch).unwrap_or(0).max(1);
        }
        axis
    }

    /// The stretch of a time. What lies between two parts counts to the end of the first.
    fn index(&self, at: i64) -> usize {
        let part = self.parts.partition_point(|(from, ..)| *from <= at).saturating_sub(1);
        let Some(&(from, _, before)) = self.parts.get(part) else { return 0 };
        let next = self.parts.get(part + 1).map_or(self.points, |(.., before)| *before);
        let within = usize::try_from((at - from).max(0) / self.stretch).unwrap_or(0);
        before.saturating_add(within).min(next.saturating_sub(1))
    }

    /// When a stretch begins.
    fn begin(&self, point: usize) -> i64 {
        let part = self.parts.partition_point(|(.., before)| *before <= point).saturating_sub(1);
        let within = |before: usize| i64::try_from(point - before).unwrap_or(0);
        self.parts.get(part).map_or(0, |(from, _, before)| from + within(*before) * self.stretch)
    }
}

impl Tally {
    pub fn new(hosts: usize, groups: usize, axis: Axis) -> Self {
        let group = || Group { degraded: 0, sum: vec![0; axis.points], worst: vec![0; axis.points] };
        Self {
            runs: Vec::new(),
            hosts: vec![BTreeMap::new(); hosts],
            begun: vec![false; hosts],
            groups: (0..groups).map(|_| group()).collect(),
            axis,
        }
    }

    pub fn count(&mut self, number: u64, run: &Run, casts: impl Iterator<Item = Cast>) {
        let mut outcomes: BTreeMap<HostOutcome, u32> = BTreeMap::new();
        let mut changes: Vec<Vec<(i64, i32)>> = vec![Vec::new(); self.groups.len()];
        for cast in casts {
            let Some(fate) = run.fates.get(cast.host) else { continue };
            if let Some(outcome) = fate.outcome {
                *outcomes.entry(outcome).or_default() += 1;
                *self.hosts[cast.host].entry(outcome).or_default() += 1;
            }
            self.begun[cast.host] |= fate.begun;
            if let (Some(group), Some((from, until))) = (cast.group, fate.down) {
                changes[group].push((from, 1));
                changes[group].extend(until.map(|until| (until, -1)));
            }
        }
        for (group, mut changes) in self.groups.iter_mut().zip(changes) {
            changes.sort_unstable();
            group.count(&changes, &self.axis);
        }
        // A stuck campaign tells nothing of hosts that wait for a person.
        let not_begun = run.ended.is_some() && run.fates.iter().any(|fate| !fate.begun);
        let (ended, pauses, overruns, late) = (run.ended, run.pauses, run.overruns, run.late);
        self.runs.push((number, Summary { ended, pauses, overruns, late, not_begun, outcomes }));
    }

    pub fn add(&mut self, other: Self) {
        self.runs.extend(other.runs);
        for (own, other) in self.hosts.iter_mut().zip(other.hosts) {
            for (outcome, count) in other {
                *own.entry(outcome).or_default() += count;
            }
        }
        for (own, other) in self.begun.iter_mut().zip(other.begun) {
            *own |= other;
        }
        for (own, other) in self.groups.iter_mut().zip(other.groups) {
            own.degraded += other.degraded;
            own.sum.iter_mut().zip(other.sum).for_each(|(own, other)| *own += other);
            own.worst.iter_mut().zip(other.worst).for_each(|(own, other)| *own = other.max(*own));
        }
    }

    pub fn conclude(mut self, plan: &Plan, digest: Digest, start: Timestamp, seed: u64) -> Rehearsal {
        self.runs.sort_by_key(|(number, _)| *number);
        let runs: Vec<&Summary> = self.runs.iter().map(|(_, run)| run).collect();
        let planned = u32::try_from(plan.hosts.len()).unwrap_or(u32::MAX);
        let share = |holds: &dyn Fn(&Summary) -> bool| {
            count(runs.iter().filter(|run| holds(run)).count()) / count(runs.len().max(1))
        };
        let fixed = |run: &Summary| -> u32 {
            run.outcomes.iter().filter(|(outcome, _)| outcome.is_success()).map(|(_, hosts)| hosts).sum()
        };
        let waits = plan.hosts.values().any(|host| host.windows.is_some());
        let mut fixes = plan.report.decisions.iter().filter(|decision| decision.kind == DecisionKind::Fix);
        let due = fixes.any(|decision| decision.due.is_some());
        let chances = Chances {
            no_pause: share(&|run| run.ended.is_some() && run.pauses == 0),
            in_windows: waits.then(|| share(&|run| run.ended.is_some() && run.overruns == 0 && !run.not_begun)),
            all_fixed: share(&|run| planned == fixed(run)),
            deadlines_met: due.then(|| share(&|run| run.ended.is_some() && run.late == 0)),
            none_stuck: share(&|run| !run.outcomes.contains_key(&HostOutcome::Stuck)),
        };
        let mut ends: Vec<i64> = runs.iter().filter_map(|run| run.ended).collect();
        ends.sort_unstable();
        let time = |seconds: i64| TimeSpan::seconds(u64::try_from(seconds).unwrap_or(0)).after(start);
        let outcomes: std::collections::BTreeSet<_> =
            runs.iter().flat_map(|run| run.outcomes.keys().copied()).collect();
        let amounts = |outcome: HostOutcome| {
            let mut hosts: Vec<u32> = runs.iter().map(|run| run.outcomes.get(&outcome).copied().unwrap_or(0)).collect();
            hosts.sort_unstable();
            let sum: u64 = hosts.iter().map(|&hosts| u64::from(hosts)).sum();
            let (p95, most) = (at(&hosts, 95).unwrap_or(0), hosts.last().copied().unwrap_or(0));
            (outcome, Amounts { mean: ratio(sum, runs.len()), p95, most })
        };
        let some_ended = !ends.is_empty();
        let never = |(_, begun): &(&HostName, &bool)| some_ended && !**begun;
        Rehearsal {
            plan: digest,
            start,
            seed,
            runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
            chances,
            ends: Quantiles {
                p50: at(&ends, 50).map(time),
                p95: at(&ends, 95).map(time),
                worst: ends.last().copied().map(time),
            },
            hosts_ended: outcomes.into_iter().map(amounts).collect(),
            services: plan
                .rollout
                .groups
                .iter()
                .zip(&self.groups)
                .map(|((name, group), counted)| {
                    (name.clone(), counted.service((group.size, group.max_unavailable), runs.len(), &self.axis, start))
                })
                .collect(),
            never_begun: plan.hosts.keys().zip(&self.begun).filter(never).map(|(name, _)| name.clone()).collect(),
            hosts: plan.hosts.keys().cloned().zip(self.hosts).collect(),
            histogram: histogram(&ends),
        }
    }
}

impl Group {
    /// Counts who was unavailable when, from changes in the order of time.
    fn count(&mut self, changes: &[(i64, i32)], axis: &Axis) {
        if changes.is_empty() {
            return;
        }
        let mut most = vec![0_u32; axis.points];
        let (mut down, mut since) = (0_i32, 0_i64);
        let mut fill = |from: i64, to: usize, down: i32| {
            let down = u32::try_from(down).unwrap_or(0);
            most[axis.index(from)..=to].iter_mut().for_each(|most| *most = down.max(*most));
        };
        for &(at, change) in changes {
            if down > 0 && at > since {
                self.degraded += u64::try_from(at - since).unwrap_or(0);
                fill(since, axis.index(at - 1), down);
            }
            (down, since) = (down + change, at);
        }
        if down > 0 {
            // Stuck hosts stay so.
            fill(since, axis.points - 1, down);
        }
        for ((sum, worst), most) in self.sum.iter_mut().zip(&mut self.worst).zip(most) {
            *sum += u64::from(most);
            *worst = most.max(*worst);
        }
    }

    fn service(&self, (hosts, max_unavailable): (u32, u32), runs: usize, axis: &Axis, start: Timestamp) -> Service {
        let seconds = u64::try_from(axis.stretch).unwrap_or(1);
        let begin = |point: usize| u64::try_from(axis.begin(point)).unwrap_or(0);
        let over_time = self.sum.iter().zip(&self.worst).enumerate().filter(|(_, (_, worst))| **worst > 0);
        Service {
            hosts,
            max_unavailable,
            worst: self.worst.iter().copied().max().unwrap_or(0),
            degraded_seconds: self.degraded / (runs as u64).max(1),
            over_time: over_time
                .map(|(point, (sum, worst))| Stretch {
                    from: TimeSpan::seconds(begin(point)).after(start),
                    seconds,
                    expected: ratio(*sum, runs),
                    worst: *worst,
                })
                .collect(),
        }
    }
}

/// The value that this many of a hundred are at or below.
fn at<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Thirty bars.
fn histogram(ends: &[i64]) -> Vec<u32> {
    const BARS: i64 = 30;
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Vec::new() };
    let mut bars = vec![0; usize::try_from(BARS).unwrap_or(1)];
    for end in ends {
        let bar = (end - first) * BARS / (last - first + 1);
        if let Some(bar) = usize::try_from(bar).ok().and_then(|bar| bars.get_mut(bar)) {
            *bar += 1;
        }
    }
    bars
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

/// To three decimals.
#[expect(clippy::cast_precision_loss, reason = "sums far below 2^52")]
fn ratio(sum: u64, of: usize) -> f64 {
    (sum as f64 / count(of.max(1)) * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_leaves_out_what_lies_between_its_parts() {
        let axis = Axis::over(&[(100, 160), (10_000, 10_240)]);
        assert_eq!((axis.stretch, axis.points), (60, 5));
        let indices = [0, 100, 159, 160, 9_999, 10_000, 10_060, 10_239, 99_999].map(|at| axis.index(at));
        assert_eq!(indices, [0, 0, 0, 0, 0, 1, 2, 4, 4]);
        assert_eq!([0, 1, 4].map(|point| axis.begin(point)), [100, 10_000, 10_180]);
    }

    #[test]
    fn who_is_down_is_counted_over_time() {
        let axis = Axis::over(&[(0, 240)]);
        let mut group = Group { degraded: 0, sum: vec![0; 4], worst: vec![0; 4] };
        // Two overlap in the first minute; a third is stuck from the last on.
        group.count(&[(10, 1), (20, 1), (30, -1), (70, -1), (190, 1)], &axis);
        assert_eq!((group.degraded, group.worst.as_slice()), (60, [2, 1, 0, 1].as_slice()));
        group.count(&[(0, 1), (60, -1)], &axis);
        assert_eq!((group.sum.as_slice(), group.worst.as_slice()), ([3, 1, 0, 1].as_slice(), [2, 1, 0, 1].as_slice()));
        assert_eq!(
            [50, 95, 100].map(|percent| at(&(1..=200).collect::<Vec<u32>>(), percent)),
            [Some(100), Some(190), Some(200)]
        );
        assert_eq!(at::<u32>(&[], 95), None);
        assert_eq!(histogram(&[5, 5, 5]).iter().sum::<u32>(), 3);
    }
}
