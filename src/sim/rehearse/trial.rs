//! One run of a rehearsal: the engine that runs campaigns, and a world that only says how long things take and whether
//! they go well.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::{Approval, Campaign, Effect, Effected, Gives, Input, Mode, RecordBody, Signal, StepResult};
use crate::model::{AttemptId, CampaignId, Digest, HostName, HostOutcome, Principal, StepId, TimeSpan};
use crate::plan::{Action, Plan, Reason, Step, StepKind};

use super::super::Rng;
use super::profile::{Chance, Profile, WHOLE, between};

/// A host that is gone says nothing for so long.
const SILENCE: TimeSpan = TimeSpan::seconds(30);
/// A question with a short answer: whether a reboot is required.
const QUESTION: u64 = 2_000;
/// How often a person resumes a campaign: who has done it so often looks for the cause.
const MAX_RESUMES: u32 = 20;

/// What all runs share.
#[expect(clippy::disallowed_types, reason = "asked for every record of every run, and never walked")]
pub(super) struct Stage<'a> {
    plan: Arc<Plan>,
    blank: Campaign,
    profile: &'a Profile,
    start: Timestamp,
    casts: Vec<Cast>,
    /// The places of hosts in `casts`.
    hosts: std::collections::HashMap<&'a str, usize>,
    parts: std::collections::HashMap<&'a StepId, Part<'a>>,
}

/// A step, forward or back.
struct Part<'a> {
    step: &'a Step,
    host: usize,
    /// How long steps like it took, in milliseconds and ascending, unless too few were seen.
    took: Option<&'a [u32]>,
}

/// A host: its number, that of its group, and the first of its deadlines.
#[derive(Clone, Copy)]
pub(super) struct Cast {
    pub host: usize,
    pub group: Option<usize>,
    due: Option<Timestamp>,
}

/// What became of a host in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    pub outcome: Option<HostOutcome>,
    pub begun: bool,
    /// From when it counted as unavailable, and until when, in seconds from the start.
    pub down: Option<(i64, Option<i64>)>,
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// When it ended, in seconds from the start; none: it stands still.
    pub ended: Option<i64>,
    pub pauses: u32,
    pub overruns: u32,
    pub late: u32,
    pub fates: Vec<Fate>,
}

/// What is going to happen.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Timestamp,
    /// Equal times in the order in which they were asked for.
    order: u64,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The answer to an attempt is there.
    Answer(AttemptId),
    /// An attempt is looked at again.
    Look(AttemptId),
    Resume,
}

/// What comes of an attempt.
struct Act {
    takes: TimeSpan,
    result: StepResult,
    /// The connection is lost at half time.
    lost: bool,
}

impl<'a> Stage<'a> {
    pub fn new(plan: &'a Arc<Plan>, digest: Digest, profile: &'a Profile, start: Timestamp) -> Self {
        let mut due: BTreeMap<&HostName, Timestamp> = BTreeMap::new();
        for decision in plan.report.decisions.iter().filter(|d| d.kind == crate::model::DecisionKind::Fix) {
            if let Some(at) = decision.due {
                due.entry(&decision.host).and_modify(|first| *first = at.min(*first)).or_insert(at);
            }
        }
        let groups: BTreeMap<_, usize> = plan.rollout.groups.keys().zip(0..).collect();
        let cast = |(host, (name, planned)): (usize, (&HostName, &'a Arc<crate::plan::HostPlan>))| {
            let group = planned.group.as_ref().and_then(|group| groups.get(group)).copied();
            Cast { host, group, due: due.get(name).copied() }
        };
        let parts = plan.hosts.values().enumerate().flat_map(|(host, planned)| {
            let all = planned.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.undo));
            all.map(move |step| (&step.id, Part { step, host, took: profile.seen.took(&planned.doing(step)) }))
        });
        #[expect(clippy::unwrap_used, reason = "a constant that is a valid id")]
        let id = CampaignId::new("rehearsal").unwrap();
        Self {
            plan: Arc::clone(plan),
            blank: Campaign::new(Arc::clone(plan), digest, id),
            profile,
            start,
            casts: plan.hosts.iter().enumerate().map(cast).collect(),
            hosts: plan.hosts.keys().map(HostName::as_str).zip(0..).collect(),
            parts: parts.collect(),
        }
    }

    pub fn casts(&self) -> impl Iterator<Item = Cast> + '_ {
        self.casts.iter().copied()
    }

    /// Plays a campaign to its end.
    pub fn run(&self, seed: u64) -> Run {
        let mut scene = Scene {
            stage: self,
            seed,
            campaign: self.blank.clone(),
            due: BinaryHeap::new(),
            order: 0,
            wake: None,
            results: BTreeMap::new(),
            run: Run { fates: vec![Fate::default(); self.casts.len()], ..Run::default() },
            finished: false,
        };
        scene.play();
        scene.run
    }
}

/// As if everybody had approved everything for good: a rehearsal asks what would happen then.
fn assumed(plan: &Plan) -> Vec<Approval> {
    let rules: Vec<u32> = (0..).take(plan.approvals.len()).collect();
    let people = plan.approvals.iter().map(|rule| rule.required).max().unwrap_or(0);
    let words = (0..people).flat_map(|person| [(person, Gives::Approval), (person, Gives::WithoutBackup)]);
    words
        .filter_map(|(person, gives)| {
            let name = format!("person-{person}");
            Some(Approval {
                by: Principal::new(&name).ok()?,
                key: name,
                statement: Digest::of(format!("{person} {gives:?}").as_bytes()),
                gives,
                rules: rules.iter().copied().collect(),
                hosts: plan.hosts.keys().cloned().collect(),
                signed_at: Timestamp::MAX,
                until: Timestamp::MAX,
                ticket: None,
            })
        })
        .collect()
}

struct Scene<'s, 'a> {
    stage: &'s Stage<'a>,
    seed: u64,
    campaign: Campaign,
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
    wake: Option<Timestamp>,
    /// What attempts in flight come to, and when that can be known.
    results: BTreeMap<StepId, (Timestamp, StepResult)>,
    run: Run,
    finished: bool,
}

impl Scene<'_, '_> {
    fn play(&mut self) {
        let mut now = self.stage.start;
        self.input(now, Input::Start { operator: "rehearsal".to_owned(), approvals: assumed(&self.stage.plan) });
        while !self.finished {
            let next = self.due.peek().map(|Reverse(due)| due.at);
            match (next, self.wake) {
                (Some(next), wake) if wake.is_none_or(|wake| next <= wake) => {
                    let Some(Reverse(due)) = self.due.pop() else { break };
                    now = now.max(due.at);
                    self.happen(now, due.what);
                }
                (_, Some(wake)) => {
                    self.wake = None;
                    now = now.max(wake);
                    self.input(now, Input::Tick);
                }
                // It stands still.
                _ => break,
            }
        }
        if self.finished {
            self.run.ended = Some(self.since(now));
        }
    }

    fn since(&self, at: Timestamp) -> i64 {
        at.as_second() - self.stage.start.as_second()
    }

    fn at(&mut self, at: Timestamp, what: What) {
        self.order += 1;
        self.due.push(Reverse(Due { at, order: self.order, what }));
    }

    fn happen(&mut self, now: Timestamp, what: What) {
        let gone = || StepResult::Unknown { reason: Reason::new("unreachable", "it does not answer") };
        match what {
            What::Answer(attempt) => {
                let result = match self.results.get(&attempt.step) {
                    Some((known, _)) if *known > now => gone(),
                    Some(_) => self.results.remove(&attempt.step).map_or_else(gone, |(_, result)| result),
                    None => gone(),
                };
                self.input(now, Input::Finished { attempt, result });
            }
            What::Look(attempt) => {
                // Whoever looks waits for what still runs; who is gone is not waited for.
                let known = self.results.get(&attempt.step).map(|(known, _)| *known);
                let at = known.map_or_else(|| SILENCE.after(now), |known| known.max(now));
                self.at(at, What::Answer(attempt));
            }
            What::Resume => self.input(now, Input::Signal(Signal::Resume { by: "rehearsal".to_owned() })),
        }
    }

    fn input(&mut self, now: Timestamp, input: Input) {
        // The engine refuses nothing of what it asked for; if it did, the run would stand still and be told as such.
        let Ok(effects) = self.campaign.handle(now, input) else { return };
        self.wake = None;
        for effect in effects {
            match effect {
                Effect::Append(body) => self.recorded(now, &body),
                Effect::Begin { attempt, mode: Mode::Start, .. } => self.begin(now, attempt),
                Effect::Begin { attempt, mode: Mode::Attach, not_before } => {
                    self.at(not_before.unwrap_or(now).max(now), What::Look(attempt));
                }
                Effect::WakeAt(at) => self.wake = Some(at.max(now)),
                Effect::Cancel => {}
                Effect::Finished => self.finished = true,
            }
        }
    }

    fn recorded(&mut self, now: Timestamp, body: &RecordBody) {
        let since = self.since(now);
        match body {
            RecordBody::Intent { attempt, undo } => {
                let Some(part) = self.stage.parts.get(&attempt.step) else { return };
                let Some(fate) = self.run.fates.get_mut(part.host) else { return };
                fate.begun = true;
                if !undo && fate.down.is_none() && part.step.is_disruptive() {
                    fate.down = Some((since, None));
                }
            }
            RecordBody::HostEnded { host, outcome, .. } => {
                let Some(&number) = self.stage.hosts.get(host.as_str()) else { return };
                let Some(fate) = self.run.fates.get_mut(number) else { return };
                fate.outcome = Some(*outcome);
                // A stuck host stays unavailable.
                if let Some((_, until)) = fate.down.as_mut().filter(|_| *outcome != HostOutcome::Stuck) {
                    *until = Some(since);
                }
                let due = self.stage.casts.get(number).and_then(|cast| cast.due);
                let missed = due.is_some_and(|due| due < now || !outcome.is_success());
                self.run.late += u32::from(missed);
            }
            RecordBody::Overrun { .. } => self.run.overruns += 1,
            RecordBody::Paused { .. } => {
                self.run.pauses += 1;
                if let Some(after) = self.stage.profile.resume_after.filter(|_| self.run.pauses <= MAX_RESUMES) {
                    self.at(after.after(now), What::Resume);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: Timestamp, attempt: AttemptId) {
        let Some(act) = self.stage.parts.get(&attempt.step).map(|part| self.act(part)) else { return };
        let Some(act) = act else {
            // The host is gone: what it was doing is never heard of.
            self.at(SILENCE.after(now), What::Answer(attempt));
            return;
        };
        let known = act.takes.after(now);
        self.results.insert(attempt.step.clone(), (known, act.result));
        let at = if act.lost { TimeSpan::seconds(act.takes.as_seconds() / 2).after(now) } else { known };
        self.at(at, What::Answer(attempt));
    }

    /// What an attempt comes to: by the seed and the step alone, whenever it is made. None: the host is gone.
    fn act(&self, part: &Part<'_>) -> Option<Act> {
        let step = part.step;
        let profile = self.stage.profile;
        let mut rng = Rng::keyed(self.seed, step.id.as_str());
        let mut draw = || u32::try_from(rng.below(u64::from(WHOLE))).unwrap_or(0);
        let happens = |draw: Chance, chance: Chance| draw < chance;
        let fails = happens(draw(), profile.fails.get(&step.kind).copied().unwrap_or(0));
        let (lost, gone, length) = (happens(draw(), profile.lost), happens(draw(), profile.gone), draw());
        let (needed, nothing) = (happens(draw(), profile.reboot_needed), happens(draw(), profile.nothing_to_do));
        let on_host = matches!(step.action, Action::Change { .. } | Action::Reboot { .. } | Action::Check { .. });
        if gone && on_host && step.on.is_none() && !matches!(step.kind, StepKind::VerifyRestored) {
            return None;
        }
        let slow = happens(
            u32::try_from(Rng::keyed(self.seed, step.id.host()).below(u64::from(WHOLE))).unwrap_or(0),
            profile.slow.0,
        );
        let factor = if slow { u64::from(profile.slow.1) } else { 1 };
        let millis = match part.took {
            Some(took) => u64::from(between(took, length)),
            None => step.expected.as_seconds().saturating_mul(u64::from(profile.spread.at(length))),
        };
        let takes = match &step.action {
            // It is watched for as long as policy says, or until it fails.
            Action::Soak { span, .. } if fails => span.as_seconds() * u64::from(length) * 1_000 / u64::from(WHOLE),
            Action::Soak { span, .. } => span.as_seconds() * 1_000,
            Action::Reboot { required: Some(_), .. } if !needed => QUESTION,
            _ => millis.saturating_mul(factor),
        };
        let takes = TimeSpan::seconds(takes.div_ceil(1_000));
        let failed = |code: &str| StepResult::Failed {
            reason: Reason::new(code, "rehearsed"),
            effect: if step.kind == StepKind::Preflight { Effected::No } else { Effected::Possibly },
            evidence: String::new(),
        };
        let (takes, result) = if takes > step.timeout {
            (step.timeout, failed("timeout"))
        } else if fails {
            (takes, failed("rehearsed"))
        } else if nothing && step.kind == StepKind::Preflight {
            (takes, StepResult::NothingToDo { note: String::new() })
        } else {
            (takes, StepResult::Succeeded { facts: BTreeMap::new(), note: None })
        };
        Some(Act { takes, result, lost: lost && on_host })
    }
}
