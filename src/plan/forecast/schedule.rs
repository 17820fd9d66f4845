//! When each host would be worked on: the waves walked through the windows, with all that is limited handed out in order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use super::{HeldBy, seconds};
use crate::model::{HostName, RuleName, TimeSpan};
use crate::plan::{HostPlan, Plan, Step};

/// The wave that must succeed before any other host is touched.
const CANARY: &str = "canary";

/// A plan in numbers: seconds, and indices in the order of waves.
pub(super) struct Schedule<'a> {
    plan: &'a Plan,
    jobs: Vec<Job<'a>>,
    /// Jobs of each wave.
    waves: Vec<std::ops::Range<usize>>,
    groups: Vec<u32>,
    pools: Vec<u32>,
    sets: Vec<(&'a RuleName, Vec<(i64, i64)>)>,
    start: i64,
}

/// A host's work.
struct Job<'a> {
    name: &'a HostName,
    group: Option<usize>,
    pools: Vec<usize>,
    set: Option<usize>,
    disrupts: bool,
    /// How long it takes until its first disruptive step.
    preparation: i64,
    /// From there to its end.
    chain: i64,
    /// What must be left of a window when its first disruptive step starts.
    reserve: i64,
    /// When it would start at the latest in the first window into which it fits by itself.
    first_window: i64,
    needs: Vec<Need>,
}

/// A step of another host that must have ended.
struct Need {
    pilot: usize,
    /// It ends so long after the pilot's start, or after its first disruptive step.
    after: i64,
    in_chain: bool,
    /// The step that needs it starts so long after its own host's start.
    own: i64,
}

/// When a host is worked on.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub begin: i64,
    pub disrupted: Option<i64>,
    pub end: i64,
    pub held_by: Option<HeldBy>,
    /// The disruptive part, or where it would be.
    chain: i64,
}

/// Equal units of which each is free from a time on.
struct Pool(BTreeMap<i64, u64>);

impl Pool {
    fn new(units: u32) -> Self {
        Self(BTreeMap::from([(i64::MIN, u64::from(units.max(1)))]))
    }

    /// When the next unit is free.
    fn free(&self) -> i64 {
        self.0.first_key_value().map_or(i64::MIN, |(at, _)| *at)
    }

    /// Takes the unit that has been free for the shortest time: others may use the rest.
    fn take(&mut self, from: i64, until: i64) {
        let Some(at) = self.0.range(..=from).next_back().map(|(at, _)| *at) else { return };
        if let Some(units) = self.0.get_mut(&at) {
            *units -= 1;
            if *units == 0 {
                self.0.remove(&at);
            }
        }
        *self.0.entry(until).or_default() += 1;
    }
}

/// A service: who may be disrupted, and who prepared for it.
struct Budget {
    permits: Pool,
    preparing: Pool,
}

/// What one walk has handed out.
struct Walk {
    placed: Vec<Option<Placed>>,
    decided: Vec<bool>,
    budgets: Vec<Budget>,
    slots: Pool,
    pools: Vec<Pool>,
    at_risk: Pool,
}

/// The latest of several bounds, and the first of them that leaves no room in the first window.
struct Bound {
    at: i64,
    /// The last start that the first window allows.
    first_window: i64,
    held_by: Option<HeldBy>,
}

impl Bound {
    fn raise(&mut self, at: i64, by: HeldBy) {
        self.at = at.max(self.at);
        if at > self.first_window {
            self.held_by.get_or_insert(by);
        }
    }
}

/// Hosts that wait for the same: of each kind only the first is looked at.
type Kind<'k> = (Option<usize>, &'k [usize], Option<usize>, Option<usize>, i64, i64);

impl<'a> Schedule<'a> {
    pub fn of(plan: &'a Plan) -> Self {
        let groups: BTreeMap<&RuleName, usize> = plan.rollout.groups.keys().zip(0..).collect();
        let pools: BTreeMap<&RuleName, usize> = plan.rollout.pools.keys().zip(0..).collect();
        let sets: BTreeMap<&RuleName, usize> = plan.windows.keys().zip(0..).collect();
        let mut jobs: Vec<Job<'a>> = Vec::with_capacity(plan.hosts.len());
        let mut numbers: BTreeMap<&HostName, usize> = BTreeMap::new();
        let mut waves = Vec::with_capacity(plan.rollout.waves.len());
        for wave in &plan.rollout.waves {
            let from = jobs.len();
            for (name, host) in wave.hosts.iter().filter_map(|name| plan.hosts.get_key_value(name)) {
                let chain_start = host.steps.iter().position(Step::is_disruptive);
                let chain = host.disruptive_chain();
                let reserve = chain.plus(host.way_back()).plus(plan.rollout.margin);
                numbers.insert(name, jobs.len());
                jobs.push(Job {
                    name,
                    group: host.group.as_ref().and_then(|group| groups.get(group)).copied(),
                    pools: host.pools.iter().filter_map(|pool| pools.get(pool)).copied().collect(),
                    // Windows hold back what disrupts.
                    set: host.windows.as_ref().filter(|_| chain_start.is_some()).and_then(|set| sets.get(set)).copied(),
                    disrupts: chain_start.is_some(),
                    preparation: total(&host.steps[..chain_start.unwrap_or(host.steps.len())]),
                    chain: seconds(chain),
                    reserve: seconds(reserve),
                    first_window: i64::MAX,
                    needs: needs(plan, host, &numbers),
                });
            }
            waves.push(from..jobs.len());
        }
        let seconds_of = |interval: &crate::model::Interval| (interval.start.as_second(), interval.end.as_second());
        let mut schedule = Self {
            plan,
            jobs,
            waves,
            groups: plan.rollout.groups.values().map(|group| group.max_unavailable).collect(),
            pools: plan.rollout.pools.values().map(|pool| pool.hosts).collect(),
            sets: plan
                .windows
                .iter()
                .map(|(name, windows)| (name, windows.iter().map(|w| seconds_of(&w.interval)).collect()))
                .collect(),
            // A part of a second is a second: nothing starts before it may.
            start: plan.as_of.as_second() + i64::from(plan.as_of.subsec_nanosecond() > 0),
        };
        let latest = |job: &Job<'_>| {
            let at = schedule.fit(job, schedule.start.saturating_add(job.preparation))?;
            Some(schedule.window(job, at)?.1 - job.reserve)
        };
        let latest: Vec<Option<i64>> = schedule.jobs.iter().map(latest).collect();
        for (job, latest) in schedule.jobs.iter_mut().zip(latest) {
            job.first_window = latest.unwrap_or(i64::MAX);
        }
        schedule
    }

    pub fn names(&self) -> impl Iterator<Item = &'a HostName> + '_ {
        self.jobs.iter().map(|job| job.name)
    }

    pub fn set_of(&self, job: usize) -> Option<usize> {
        self.jobs.get(job)?.set
    }

    pub fn set_name(&self, set: usize) -> &'a RuleName {
        self.sets[set].0
    }

    /// How many windows have a disruptive step in them; one that two sets share counts once.
    pub fn windows_used(&self, placed: &[Option<Placed>]) -> u32 {
        let used: BTreeSet<(i64, i64)> = self
            .jobs
            .iter()
            .zip(placed)
            .filter_map(|(job, placed)| self.window(job, placed.as_ref()?.disrupted?))
            .collect();
        u32::try_from(used.len()).unwrap_or(u32::MAX)
    }

    /// The walk with one more window in some sets.
    pub fn run_with(&mut self, sets: &BTreeSet<usize>, window: (i64, i64)) -> Vec<Option<Placed>> {
        let before = self.sets.clone();
        for set in sets {
            let mut windows = std::mem::take(&mut self.sets[*set].1);
            windows.push(window);
            windows.sort_unstable();
            let joined = &mut self.sets[*set].1;
            for (start, end) in windows {
                match joined.last_mut() {
                    Some(last) if start <= last.1 => last.1 = end.max(last.1),
                    _ => joined.push((start, end)),
                }
            }
        }
        let placed = self.run();
        self.sets = before;
        placed
    }

    /// Places every host; none: no window has room for it.
    pub fn run(&self) -> Vec<Option<Placed>> {
        let rollout = &self.plan.rollout;
        let pool = |max: &u32| Budget { permits: Pool::new(*max), preparing: Pool::new(*max) };
        let mut walk = Walk {
            placed: vec![None; self.jobs.len()],
            decided: vec![false; self.jobs.len()],
            budgets: self.groups.iter().map(pool).collect(),
            slots: Pool::new(rollout.concurrency),
            pools: self.pools.iter().copied().map(Pool::new).collect(),
            // One more than may fail: if all of them do, it is overspent by one host.
            at_risk: Pool::new(rollout.failure_budget.saturating_add(1)),
        };
        let mut now = self.start;
        for (wave, jobs) in rollout.waves.iter().zip(&self.waves) {
            let ended = self.wave(&mut walk, jobs.clone(), now);
            if wave.name.as_str() == CANARY && jobs.clone().any(|job| walk.placed[job].is_none()) {
                break;
            }
            now = ended.saturating_add(seconds(wave.soak));
        }
        walk.placed
    }

    /// Places the hosts of a wave that begins now, and says when it has ended.
    fn wave(&self, walk: &mut Walk, jobs: std::ops::Range<usize>, now: i64) -> i64 {
        let mut queues: BTreeMap<Kind<'_>, VecDeque<usize>> = BTreeMap::new();
        for job in jobs {
            queues.entry(self.kind(job)).or_default().push_back(job);
        }
        let mut queues: Vec<VecDeque<usize>> = queues.into_values().collect();
        // The first of each queue, by when it could be disrupted.
        let mut next: BinaryHeap<Reverse<(i64, usize, usize)>> = BinaryHeap::new();
        let push = |next: &mut BinaryHeap<_>, queue: usize, job: Option<usize>| {
            next.extend(job.map(|job| Reverse((i64::MIN, job, queue))));
        };
        for (number, queue) in queues.iter().enumerate() {
            push(&mut next, number, queue.front().copied());
        }
        let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut ended = now;
        while let Some(Reverse((known, number, queue))) = next.pop() {
            let job = &self.jobs[number];
            if let Some(need) = job.needs.iter().find(|need| !walk.decided[need.pilot]) {
                waiting.entry(need.pilot).or_default().push(queue);
                continue;
            }
            match self.place(walk, job, now) {
                Some((at, _, _))
                    if at > known && next.peek().is_some_and(|Reverse(top)| *top < (at, number, queue)) =>
                {
                    next.push(Reverse((at, number, queue)));
                    continue;
                }
                Some((_, chain, held_by)) => {
                    let placed = self.take(walk, job, chain, held_by);
                    ended = ended.max(placed.end);
                    walk.placed[number] = Some(placed);
                }
                None => {
                    // It is given up when the last of its windows has become too short.
                    let last = job.set.and_then(|set| self.sets[set].1.last()).map_or(now, |last| last.1 - job.reserve);
                    ended = ended.max(last);
                }
            }
            walk.decided[number] = true;
            queues[queue].pop_front();
            push(&mut next, queue, queues[queue].front().copied());
            for queue in waiting.remove(&number).unwrap_or_default() {
                push(&mut next, queue, queues[queue].front().copied());
            }
        }
        ended
    }

    fn kind(&self, number: usize) -> Kind<'_> {
        let job = &self.jobs[number];
        (job.group, &job.pools, job.set, job.needs.first().map(|need| need.pilot), job.preparation, job.reserve)
    }

    /// By when it is compared with others, and when its disruptive part starts, with what set that.
    fn place(&self, walk: &Walk, job: &Job<'_>, now: i64) -> Option<(i64, i64, Option<HeldBy>)> {
        let ahead = |at: i64| at.saturating_add(job.preparation);
        let mut bound = Bound { at: ahead(self.start), first_window: job.first_window, held_by: None };
        bound.raise(ahead(now), HeldBy::Waves);
        for need in &job.needs {
            let pilot = walk.placed[need.pilot].as_ref()?;
            let done = if need.in_chain { pilot.chain } else { pilot.begin } + need.after;
            bound.raise(ahead(done - need.own), HeldBy::Pilot);
        }
        if let Some(budget) = job.group.filter(|_| job.disrupts).map(|group| &walk.budgets[group]) {
            bound.raise(budget.permits.free(), HeldBy::DisruptionBudget);
            bound.raise(ahead(budget.preparing.free()), HeldBy::DisruptionBudget);
        }
        for pool in &job.pools {
            bound.raise(ahead(walk.pools[*pool].free()), HeldBy::Concurrency);
        }
        bound.at = self.fit(job, bound.at)?;
        let own = bound.at;
        bound.raise(ahead(walk.slots.free()), HeldBy::Concurrency);
        if job.disrupts {
            bound.raise(walk.at_risk.free(), HeldBy::FailureBudget);
        }
        let chain = self.fit(job, bound.at)?;
        // Who waits for what all share waits in order; who is moved to another window by it lets others go first.
        let at = if chain == bound.at { own } else { chain };
        Some((at, chain, bound.held_by))
    }

    fn take(&self, walk: &mut Walk, job: &Job<'_>, chain: i64, held_by: Option<HeldBy>) -> Placed {
        let begin = chain.saturating_sub(job.preparation);
        let end = chain.saturating_add(job.chain);
        walk.slots.take(begin, end);
        for pool in &job.pools {
            walk.pools[*pool].take(begin, end);
        }
        if job.disrupts {
            walk.at_risk.take(chain, end);
            if let Some(budget) = job.group.map(|group| &mut walk.budgets[group]) {
                budget.permits.take(chain, end);
                budget.preparing.take(begin, chain);
            }
        }
        Placed { begin, disrupted: job.disrupts.then_some(chain), end, held_by, chain }
    }

    /// The first time, not before this, at which its disruptive part may start.
    fn fit(&self, job: &Job<'_>, from: i64) -> Option<i64> {
        let Some(set) = job.set else { return Some(from) };
        let windows = &self.sets[set].1;
        let ahead = &windows[windows.partition_point(|(_, end)| *end <= from)..];
        ahead
            .iter()
            .map(|(start, end)| (from.max(*start), *end))
            .find(|(at, end)| at.saturating_add(job.reserve) <= *end)
            .map(|(at, _)| at)
    }

    fn window(&self, job: &Job<'_>, at: i64) -> Option<(i64, i64)> {
        let windows = &self.sets[job.set?].1;
        windows.get(windows.partition_point(|(_, end)| *end <= at)).copied()
    }
}

fn needs(plan: &Plan, host: &HostPlan, numbers: &BTreeMap<&HostName, usize>) -> Vec<Need> {
    let mut needs = Vec::new();
    for (at, step) in host.steps.iter().enumerate() {
        for need in step.foreign_needs() {
            let Some((pilot_plan, _)) = plan.step(need) else { continue };
            let Some(&pilot) = numbers.get(&pilot_plan.host.name) else { continue };
            let Some(done) = pilot_plan.steps.iter().position(|step| &step.id == need) else { continue };
            let chain = pilot_plan.steps.iter().position(Step::is_disruptive).filter(|chain| *chain <= done);
            needs.push(Need {
                pilot,
                after: total(&pilot_plan.steps[chain.unwrap_or(0)..=done]),
                in_chain: chain.is_some(),
                own: total(&host.steps[..at]),
            });
        }
    }
    needs
}

fn total(steps: &[Step]) -> i64 {
    seconds(steps.iter().fold(TimeSpan::ZERO, |sum, step| sum.plus(step.expected)))
}
