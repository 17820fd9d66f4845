//! The real engine as a table: what `Campaign` decides in every state, asked once and remembered.
//!
//! Controllers of the model do not guess what the engine does: they call it. A state of the engine is a number here;
//! two are the same when their machines are, whatever was written to get there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use switchback::engine::{
    Campaign, Chain, Effect, Effected, Input, Mode, Phase, Record, RecordBody, Signal, StepResult,
};
use switchback::model::{
    AttemptId, CampaignId, Digest, Fix, Host, HostName, HostOutcome, Importance, Priority, RuleName, StepId, TimeSpan,
};
use switchback::plan::{
    Action, HostPlan, PLAN_FORMAT, Plan, PlanReport, Reason, Rollout, Step as PlanStep, StepKind, Strategy, Wave,
};

/// A state of the engine.
pub type Node = u16;

/// The steps of the one host. The fix is a detached job there, the restore an effect of its provider, the rest looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Fix,
    Verify,
    Restore,
    VerifyRestored,
}

const STEPS: [(Step, StepKind); 4] = [
    (Step::Fix, StepKind::Fix),
    (Step::Verify, StepKind::Verify),
    (Step::Restore, StepKind::Restore),
    (Step::VerifyRestored, StepKind::VerifyRestored),
];

/// What a worker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Succeeded,
    /// It failed and provably changed nothing.
    Refused,
    Failed,
    Unknown,
}

/// What the engine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Start,
    Recover,
    Finished(Step, Answer),
    Abort,
}

/// What the engine decided.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The states behind each of its records: where a journal stands that holds so many of them.
    pub behind: Vec<Node>,
    /// The kinds of these records, for people.
    pub kinds: Vec<&'static str>,
    pub begin: Option<(Step, bool)>,
    pub finished: bool,
}

impl Decision {
    pub fn next(&self) -> Option<Node> {
        self.behind.last().copied()
    }
}

/// What is to be seen of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The step whose intent is in the journal and whose outcome is not.
    pub open: Option<Step>,
    pub probes: u64,
    pub outcome: Option<HostOutcome>,
    pub aborted: bool,
    pub ended: bool,
}

struct Known {
    /// The state before its last record.
    before: Node,
    /// The shortest journal that leads here.
    journal: Vec<(Timestamp, RecordBody)>,
    /// The engine that decided its way here, where one did.
    live: Option<Campaign>,
    view: View,
}

pub struct Engines {
    plan: Arc<Plan>,
    digest: Digest,
    id: CampaignId,
    host: HostName,
    known: Vec<Known>,
    by_state: BTreeMap<String, Node>,
    decisions: Vec<Decision>,
    asked: BTreeMap<(Node, Told, u8), u16>,
}

/// Longer than any limit in the plan, with what the engine adds to it.
const HOUR: i64 = 3600;
const LIMIT: TimeSpan = TimeSpan::seconds(600);

fn at(hour: u8) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + HOUR * i64::from(hour)).unwrap()
}

impl Engines {
    pub fn new() -> Self {
        let plan = Arc::new(plan());
        let digest = Digest::of(&serde_json::to_vec(&*plan).unwrap());
        let mut engines = Self {
            id: CampaignId::new("c-model").unwrap(),
            host: plan.hosts.keys().next().unwrap().clone(),
            plan,
            digest,
            known: Vec::new(),
            by_state: BTreeMap::new(),
            decisions: Vec::new(),
            asked: BTreeMap::new(),
        };
        let new = engines.campaign();
        engines.know(&new, Self::NEW, Vec::new());
        engines
    }

    fn campaign(&self) -> Campaign {
        Campaign::new(Arc::clone(&self.plan), self.digest, self.id.clone())
    }

    /// The state before the first record.
    pub const NEW: Node = 0;

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn view(&self, node: Node) -> View {
        self.known[usize::from(node)].view
    }

    pub fn before(&self, node: Node) -> Node {
        self.known[usize::from(node)].before
    }

    pub fn decision(&self, number: u16) -> &Decision {
        &self.decisions[usize::from(number)]
    }

    fn know(&mut self, campaign: &Campaign, before: Node, journal: Vec<(Timestamp, RecordBody)>) -> Node {
        let state = serde_json::to_string(campaign.state()).unwrap();
        if let Some(node) = self.by_state.get(&state) {
            return *node;
        }
        let node = Node::try_from(self.known.len()).expect("fewer states");
        let view = self.look(campaign);
        self.known.push(Known { before, journal, live: None, view });
        self.by_state.insert(state, node);
        node
    }

    fn look(&self, campaign: &Campaign) -> View {
        let host = serde_json::to_value(&campaign.state().hosts[0]).unwrap();
        let open = host["running"]["step"].as_str().map(|id| {
            let named = |(_, kind): &&(Step, StepKind)| StepId::of(&self.host, kind.as_str()).to_string() == id;
            STEPS.iter().find(named).expect("a step of the plan").0
        });
        let end = campaign.state().hosts[0].ended();
        if let Some(end) = end {
            assert_eq!(
                end.reason.is_none(),
                end.outcome == HostOutcome::Fixed,
                "who is not fixed has a reason: {end:?}"
            );
        }
        View {
            open,
            probes: host["running"]["probes"].as_u64().unwrap_or(0),
            outcome: end.map(|end| end.outcome),
            aborted: campaign.state().campaign.abort().is_some(),
            ended: campaign.state().campaign.phase() == Phase::Ended,
        }
    }

    /// The campaign as a new controller reads it: the fold of a journal whose chain holds.
    fn fold(&self, node: Node) -> Campaign {
        let mut chain = Chain::new(self.id.clone(), self.digest);
        let journal = &self.known[usize::from(node)].journal;
        let records: Vec<Record> = journal.iter().map(|(at, body)| chain.push(*at, body.clone())).collect();
        Campaign::fold(Arc::clone(&self.plan), self.digest, self.id.clone(), &records).unwrap()
    }

    /// What `Campaign::handle` decides.
    pub fn ask(&mut self, node: Node, told: Told, hour: u8) -> u16 {
        if let Some(decision) = self.asked.get(&(node, told, hour)) {
            return *decision;
        }
        let mut campaign = match told {
            // Whoever takes over has nothing but the journal.
            Told::Start | Told::Recover => self.fold(node),
            _ => self.known[usize::from(node)].live.clone().expect("an engine that has decided before"),
        };
        let mut folded = campaign.clone();
        let operator = "model".to_owned();
        let input = match told {
            Told::Start => Input::Start { operator, approvals: Vec::new() },
            Told::Recover => Input::Recover { operator, approvals: None },
            Told::Abort => Input::Signal(Signal::Abort { by: operator }),
            Told::Finished(step, answer) => Input::Finished { attempt: self.attempt(step), result: result(answer) },
        };
        let effects = campaign.handle(at(hour), input).unwrap();
        let mut decision = Decision { behind: vec![], kinds: vec![], begin: None, finished: false };
        let mut journal = self.known[usize::from(node)].journal.clone();
        let mut before = node;
        for effect in effects {
            match effect {
                Effect::Append(body) => {
                    assert!(decision.begin.is_none(), "an effect is asked for before its record");
                    folded.apply(at(hour), &body).unwrap();
                    decision.kinds.push(body.kind());
                    journal.push((at(hour), body));
                    before = self.know(&folded, before, journal.clone());
                    decision.behind.push(before);
                }
                Effect::Begin { attempt, mode, .. } => {
                    let step = STEPS.iter().find(|(_, kind)| attempt.step.step() == kind.as_str()).unwrap().0;
                    assert_eq!(self.look(&folded).open, Some(step), "a step begins only behind its intent");
                    assert!(decision.begin.replace((step, mode == Mode::Attach)).is_none(), "one step at a time");
                }
                Effect::Finished => decision.finished = true,
                Effect::Cancel | Effect::WakeAt(_) => {}
            }
        }
        assert_eq!(folded, campaign, "state = fold(journal)");
        let next = decision.next().expect("every input of the model is journaled");
        self.known[usize::from(next)].live.get_or_insert(campaign);
        let number = u16::try_from(self.decisions.len()).expect("fewer decisions");
        self.decisions.push(decision);
        self.asked.insert((node, told, hour), number);
        number
    }

    fn attempt(&self, step: Step) -> AttemptId {
        let kind = STEPS.iter().find(|(known, _)| *known == step).unwrap().1;
        AttemptId { campaign: self.id.clone(), step: StepId::of(&self.host, kind.as_str()), generation: 1 }
    }
}

fn result(answer: Answer) -> StepResult {
    let failed =
        |effect| StepResult::Failed { reason: Reason::new("model", "it failed"), effect, evidence: String::new() };
    match answer {
        Answer::Succeeded => StepResult::Succeeded { facts: BTreeMap::new(), note: None },
        Answer::Refused => failed(Effected::No),
        Answer::Failed => failed(Effected::Possibly),
        Answer::Unknown => StepResult::Unknown { reason: Reason::new("model", "nobody knows") },
    }
}

/// The smallest plan with a way back: fix and verify; restore and verify again.
fn plan() -> Plan {
    let rule = |text: &str| RuleName::new(text).unwrap();
    let host = HostName::new("host").unwrap();
    let step = |kind: StepKind, undo: Vec<PlanStep>| PlanStep {
        id: StepId::of(&host, kind.as_str()),
        kind,
        needs: vec![],
        on: None,
        stands_for: vec![],
        // The engine decides by kind; what a step does is the model's business.
        action: Action::Undrain,
        undo,
        expected: TimeSpan::seconds(30),
        timeout: LIMIT,
    };
    let back = vec![step(StepKind::Restore, vec![]), step(StepKind::VerifyRestored, vec![])];
    let steps = vec![step(StepKind::Fix, back), step(StepKind::Verify, vec![])];
    let host_plan = HostPlan {
        host: Host::named(host.clone()),
        importance: Importance::General,
        priority: Priority::High,
        strategy: Strategy::InPlace,
        strategy_reason: Reason::new("strategy", "asked for"),
        cohort: rule("cohort"),
        fix: Fix { packages: vec![], findings: vec![] },
        playbook: rule("model"),
        wave: 0,
        emergency: false,
        group: None,
        pools: BTreeSet::new(),
        windows: None,
        quarantine: TimeSpan::days(30),
        without_backup: false,
        steps,
    };
    Plan {
        format: PLAN_FORMAT,
        made_by: "model".to_owned(),
        as_of: at(0),
        seed: 0,
        tzdata: "model".to_owned(),
        inputs: BTreeMap::new(),
        rollout: Rollout {
            waves: vec![Wave { name: rule("wave 1"), hosts: vec![host.clone()], soak: TimeSpan::ZERO }],
            groups: BTreeMap::new(),
            // Nothing pauses: a pause only holds hosts back that have not begun.
            failure_budget: 100,
            concurrency: 1,
            pools: BTreeMap::new(),
            margin: TimeSpan::ZERO,
            domain: None,
        },
        windows: BTreeMap::new(),
        hosts: BTreeMap::from([(host, host_plan.into())]),
        approvals: vec![],
        author: None,
        ticket: None,
        signers: BTreeMap::new(),
        change: None,
        notify: vec![],
        scripts: BTreeMap::new(),
        report: PlanReport::default(),
    }
}
