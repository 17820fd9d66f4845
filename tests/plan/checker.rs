//! Every way to break a plan that matters is noticed, by the code that names it.

use switchback::model::{Command, DecisionKind, Digest, FactRef, HostName, Program, RuleName, StepId, TimeSpan};
use switchback::plan::{AFTER_PILOT, Action, HostPlan, PLAN_FORMAT, Plan, PlanApproval, Reason, Step, StepKind, check};
use switchback::policy::Amount;

use crate::fleet::Fleet;

/// Five hosts of one service; every other has a switch.
fn sound() -> Plan {
    let mut fleet = Fleet::of(5, 3);
    fleet.policy.rollout.max_unavailable = Some(("service".to_owned(), Amount::Hosts(2)));
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts.len(), 5);
    plan
}

const HOST: &str = "web-00000";
const OTHER: &str = "web-00001";

fn host(plan: &mut Plan) -> &mut HostPlan {
    plan.host_mut(HOST).unwrap()
}

fn step(plan: &mut Plan, kind: StepKind) -> &mut Step {
    host(plan).steps.iter_mut().find(|s| s.kind == kind).unwrap()
}

fn remove(plan: &mut Plan, kind: StepKind) {
    // The step behind it takes over what it needed, so that only its absence is wrong.
    let at = host(plan).steps.iter().position(|s| s.kind == kind).unwrap();
    let gone = host(plan).steps.remove(at);
    if let Some(next) = host(plan).steps.get_mut(at) {
        next.needs = gone.needs;
    }
}

fn name(text: &str) -> RuleName {
    RuleName::new(text).unwrap()
}

fn approval(plan: &Plan, hosts: &[&str]) -> PlanApproval {
    PlanApproval {
        rule: plan.report.decisions[0].rule.clone(),
        required: 1,
        from: None,
        signers: None,
        not_author: false,
        valid_for: TimeSpan::hours(1),
        hosts: hosts.iter().map(|host| HostName::new(host).unwrap()).collect(),
    }
}

fn shell(script: &str) -> Command {
    Command {
        name: "extra".to_owned(),
        program: Program::Shell { digest: Digest::of(script.as_bytes()) },
        argv: Vec::new(),
        env: Default::default(),
        env_facts: Default::default(),
        root: true,
        timeout: TimeSpan::minutes(1),
        repeatable: false,
    }
}

fn commands(step: &mut Step) -> &mut Vec<Command> {
    match &mut step.action {
        Action::Check { commands, .. } | Action::Change { commands } | Action::Soak { commands, .. } => commands,
        other => panic!("no commands in {other:?}"),
    }
}

type Mutation = (&'static str, &'static str, fn(&mut Plan));

const MUTATIONS: &[Mutation] = &[
    ("another format", "format", |p| p.format = PLAN_FORMAT + 1),
    // The graph.
    ("an edge dropped", "chain-broken", |p| step(p, StepKind::Reboot).needs.clear()),
    ("the edge to the preflight dropped", "change-before-preflight", |p| step(p, StepKind::Backup).needs.clear()),
    ("the edge to the backup dropped", "arm-without-backup", |p| step(p, StepKind::Drain).needs.clear()),
    ("an edge to nowhere", "need-unknown", |p| {
        step(p, StepKind::Fix).needs.push(StepId::new("web-00000/gone").unwrap())
    }),
    ("an edge to another host", "need-unasked", |p| {
        step(p, StepKind::Fix).needs.push(StepId::new("web-00001/fix").unwrap())
    }),
    ("an edge back", "cycle", |p| {
        let soak = step(p, StepKind::Soak).id.clone();
        step(p, StepKind::Fix).needs.push(soak);
    }),
    ("two steps swapped", "step-order", |p| host(p).steps.swap(3, 4)),
    ("a second reboot", "step-twice", |p| {
        let mut again = step(p, StepKind::Reboot).clone();
        again.id = StepId::new("web-00000/reboot-again").unwrap();
        again.needs = vec![step(p, StepKind::Reboot).id.clone()];
        let at = host(p).steps.iter().position(|s| s.kind == StepKind::Verify).unwrap();
        step(p, StepKind::Verify).needs = vec![again.id.clone()];
        host(p).steps.insert(at, again);
    }),
    ("one id twice", "step-id-twice", |p| {
        let id = step(p, StepKind::Verify).id.clone();
        step(p, StepKind::Soak).id = id;
    }),
    ("a step of another host", "step-id-foreign", |p| {
        step(p, StepKind::Soak).id = StepId::new("web-00001/soak").unwrap()
    }),
    ("a restore in the chain", "step-unexpected", |p| {
        let restore = step(p, StepKind::Fix).undo[0].clone();
        host(p).steps.push(restore);
    }),
    ("a check that changes", "action-differs", |p| {
        step(p, StepKind::Preflight).action = Action::Change { commands: Vec::new() };
    }),
    // What must be there.
    ("no preflight", "step-missing", |p| remove(p, StepKind::Preflight)),
    ("no backup", "backup-of-other", |p| remove(p, StepKind::Backup)),
    ("no backup and no watch", "change-before-backup", |p| {
        [StepKind::Arm, StepKind::Disarm, StepKind::Backup].into_iter().for_each(|kind| remove(p, kind));
    }),
    ("no verify", "disarm-unverified", |p| remove(p, StepKind::Verify)),
    ("no verify and no watch", "service-unverified", |p| {
        [StepKind::Arm, StepKind::Disarm, StepKind::Verify].into_iter().for_each(|kind| remove(p, kind));
    }),
    ("no soak", "soak-not-last", |p| remove(p, StepKind::Soak)),
    ("no drain", "step-missing", |p| remove(p, StepKind::Drain)),
    ("no undrain", "step-missing", |p| remove(p, StepKind::Undrain)),
    ("no fix", "step-missing", |p| remove(p, StepKind::Fix)),
    ("a fix that runs nothing", "change-empty", |p| commands(step(p, StepKind::Fix)).clear()),
    ("a verify that looks at nothing", "verify-empty", |p| commands(step(p, StepKind::Verify)).clear()),
    ("a switch gone", "drain-without-switch", |p| host(p).host.switch = None),
    ("a provider gone", "backup-without-provider", |p| host(p).host.provider = None),
    ("said to go without a backup", "backup-unexpected", |p| host(p).without_backup = true),
    ("a step that fails at once", "timeout-zero", |p| {
        step(p, StepKind::Undrain).timeout = TimeSpan::ZERO;
    }),
    ("a step that may not take what it takes", "timeout-short", |p| {
        step(p, StepKind::Fix).timeout = TimeSpan::seconds(1)
    }),
    // The way back.
    ("no undo of the fix", "undo-missing", |p| step(p, StepKind::Fix).undo.clear()),
    ("a restore that nothing verifies", "undo-missing", |p| {
        step(p, StepKind::Fix).undo.pop();
    }),
    ("a restore verified before it is made", "undo-missing", |p| step(p, StepKind::Fix).undo.reverse()),
    ("a restore that its check does not wait for", "chain-broken", |p| step(p, StepKind::Fix).undo[1].needs.clear()),
    ("a check of the restored host that looks at nothing", "verify-empty", |p| {
        commands(&mut step(p, StepKind::Fix).undo[1]).clear();
    }),
    ("the backup of another host", "backup-of-other", |p| {
        if let Action::Restore { backup, .. } = &mut step(p, StepKind::Fix).undo[0].action {
            *backup = StepId::new("web-00001/backup").unwrap();
        }
    }),
    ("no undrain on the way back", "undo-missing", |p| step(p, StepKind::Drain).undo.clear()),
    ("no drain on the way back", "undo-missing", |p| step(p, StepKind::Undrain).undo.clear()),
    ("an undo where none belongs", "undo-unexpected", |p| {
        let undo = step(p, StepKind::Drain).undo.clone();
        step(p, StepKind::Verify).undo = undo;
    }),
    // Commands.
    ("a script changed", "script-changed", |p| p.scripts.values_mut().next().unwrap().push_str("\nreboot")),
    ("a script gone", "script-missing", |p| p.scripts.clear()),
    ("a script too many", "script-unused", |p| {
        p.scripts.insert(Digest::of(b"true"), "true".to_owned());
    }),
    ("a command slipped in", "script-missing", |p| commands(step(p, StepKind::Fix)).push(shell("reboot"))),
    ("an argv without a program", "command-empty", |p| {
        let mut command = shell("x");
        command.program = Program::Argv;
        commands(step(p, StepKind::Fix)).push(command);
    }),
    ("a fact from later", "fact-unknown", |p| {
        let later = FactRef { step: step(p, StepKind::Verify).id.clone(), key: "versions".to_owned(), otherwise: None };
        commands(step(p, StepKind::Fix))[0].env_facts.insert("X".to_owned(), later);
    }),
    // Findings.
    ("a finding lost", "findings-count", |p| {
        p.report.decisions.pop();
    }),
    ("a finding that came from nowhere", "findings-count", |p| p.report.findings += 1),
    ("a wrong count", "decided-count", |p| {
        p.report.decided.insert(DecisionKind::Ignore, 1);
    }),
    ("a finding dropped from its fix", "finding-lost", |p| {
        host(p).fix.findings.pop();
    }),
    ("a finding slipped into a fix", "finding-unasked", |p| {
        let other = p.hosts[OTHER].fix.findings[0].clone();
        host(p).fix.findings.push(other);
    }),
    ("a host lost", "finding-lost", |p| {
        p.hosts.remove(HOST);
        p.rollout.waves.iter_mut().for_each(|w| w.hosts.retain(|h| h.as_str() != HOST));
        p.rollout.waves.retain(|w| !w.hosts.is_empty());
    }),
    ("a host that nobody asked for", "host-unasked", |p| {
        p.report.blocked.insert(HostName::new("web-9").unwrap(), vec![Reason::new("x", "y")]);
    }),
    ("a host both planned and blocked", "planned-and-blocked", |p| {
        p.report.blocked.insert(HostName::new(HOST).unwrap(), vec![Reason::new("x", "y")]);
    }),
    ("a host blocked without a reason", "blocked-without-reason", |p| {
        p.hosts.remove(HOST);
        p.report.blocked.insert(HostName::new(HOST).unwrap(), Vec::new());
    }),
    ("decisions out of order", "decisions-order", |p| p.report.decisions.reverse()),
    ("an urgency played down", "priority-differs", |p| host(p).priority = switchback::model::Priority::Low),
    ("a fix without packages", "fix-empty", |p| host(p).fix.packages.clear()),
    ("packages out of order", "fix-order", |p| host(p).fix.packages.reverse()),
    ("a host under another name", "host-name", |p| host(p).host.name = HostName::new(OTHER).unwrap()),
    ("a wave across two failure domains", "wave-domains", |p| {
        p.rollout.domain = Some("rack".to_owned());
        for (i, host) in p.hosts_mut().enumerate() {
            host.host.labels.insert("rack".to_owned(), i.to_string());
        }
    }),
    ("a host of unknown failure domain", "domain-unknown", |p| p.rollout.domain = Some("rack".to_owned())),
    ("an approval by nobody", "approval-zero", |p| {
        let rule = p.report.decisions[0].rule.clone();
        let valid_for = switchback::model::TimeSpan::hours(1);
        p.approvals.push(PlanApproval {
            rule,
            required: 0,
            from: None,
            signers: None,
            not_author: false,
            valid_for,
            hosts: vec![],
        });
    }),
    // Waves and budgets.
    ("a host in two waves", "wave-twice", |p| {
        let host = HostName::new(HOST).unwrap();
        p.rollout.waves.iter_mut().for_each(|w| {
            if !w.hosts.contains(&host) {
                w.hosts.push(host.clone());
            }
        });
    }),
    ("a host in no wave", "wave-missing", |p| {
        p.rollout.waves.iter_mut().for_each(|w| w.hosts.retain(|h| h.as_str() != HOST));
    }),
    ("a host moved to another wave", "wave-differs", |p| host(p).wave += 1),
    ("an unknown host in a wave", "wave-host-unknown", |p| {
        p.rollout.waves[0].hosts.push(HostName::new("web-9").unwrap());
    }),
    ("an empty wave", "wave-empty", |p| {
        let mut wave = p.rollout.waves[0].clone();
        wave.hosts.clear();
        wave.name = name("empty");
        p.rollout.waves.push(wave);
    }),
    ("two waves with one name", "wave-name-twice", |p| p.rollout.waves[1].name = p.rollout.waves[0].name.clone()),
    ("a budget raised to the whole service", "budget-whole-service", |p| {
        p.rollout.groups.values_mut().for_each(|g| g.max_unavailable = g.size);
    }),
    ("a budget of nothing", "budget-zero", |p| p.rollout.groups.values_mut().for_each(|g| g.max_unavailable = 0)),
    ("a service made smaller than it is", "group-size", |p| {
        p.rollout.groups.values_mut().for_each(|g| (g.size, g.max_unavailable) = (2, 1));
    }),
    ("a host taken out of its service", "group-missing", |p| host(p).group = None),
    ("a host in a service of its own", "group-without-label", |p| {
        let group = p.rollout.groups.values().next().unwrap().clone();
        p.rollout.groups.insert(name("alone"), group);
        host(p).group = Some(name("alone"));
    }),
    ("an unknown service", "group-unknown", |p| host(p).group = Some(name("gone"))),
    ("a service without hosts", "group-unused", |p| {
        let group = p.rollout.groups.values().next().unwrap().clone();
        p.rollout.groups.insert(name("alone"), group);
    }),
    ("a failure budget of more than all hosts", "failure-budget", |p| p.rollout.failure_budget = 500),
    ("no failure budget", "failure-budget", |p| p.rollout.failure_budget = 0),
    ("nothing at once", "concurrency-zero", |p| p.rollout.concurrency = 0),
    ("an approval for nobody", "approval-empty", |p| {
        let approval = approval(p, &[]);
        p.approvals.push(approval);
    }),
    ("an approval for somebody else", "approval-host-unknown", |p| {
        let approval = approval(p, &["web-9"]);
        p.approvals.push(approval);
    }),
    ("an approval with a host twice", "approval-order", |p| {
        let approval = approval(p, &[HOST, HOST]);
        p.approvals.push(approval);
    }),
    ("an approval that expires at once", "approval-void", |p| {
        let approval = PlanApproval { valid_for: TimeSpan::ZERO, ..approval(p, &[HOST]) };
        p.approvals.push(approval);
    }),
    ("an approval of the emergency lane for a host that does not go by it", "approval-uncovered", |p| {
        let mut approval = approval(p, &[HOST]);
        approval.rule.name = name("scope.emergency");
        p.approvals.push(approval);
    }),
    ("an emergency that goes the usual way", "emergency-differs", |p| p.report.decisions[0].emergency = true),
    ("more steps than there are kinds of", "too-many-steps", |p| {
        let soak = step(p, StepKind::Soak).clone();
        host(p).steps.extend(std::iter::repeat_n(soak, 64));
    }),
    // Windows.
    ("windows that are not there", "windows-unknown", |p| host(p).windows = Some(name("gone"))),
    ("windows that nobody uses", "windows-unused", |p| {
        let set = p.windows.values().next().unwrap().clone();
        p.windows.insert(name("extra"), set);
    }),
    ("windows without intervals", "windows-empty", |p| p.windows.values_mut().for_each(Vec::clear)),
    ("windows out of order", "windows-overlap", |p| p.windows.values_mut().for_each(|w| w.reverse())),
    ("a window that has passed", "window-past", |p| {
        p.windows.values_mut().for_each(|w| w[0].interval.start = TimeSpan::hours(5).before(w[0].interval.start));
        p.as_of = p.windows.values().next().unwrap()[0].interval.end;
    }),
    ("a window turned around", "window-empty", |p| {
        for window in p.windows.values_mut().flatten() {
            let interval = &mut window.interval;
            std::mem::swap(&mut interval.start, &mut interval.end);
        }
    }),
    ("two names of one machine", "same-machine", |p| {
        p.hosts_mut().for_each(|h| h.host.address = Some("192.0.2.1".to_owned()));
    }),
    ("a chain that grew", "window-too-short", |p| {
        let fix = step(p, StepKind::Fix);
        (fix.expected, fix.timeout) = (TimeSpan::hours(4), TimeSpan::hours(4));
    }),
    ("a way back that grew", "window-too-short", |p| {
        let restore = &mut step(p, StepKind::Fix).undo[0];
        (restore.expected, restore.timeout) = (TimeSpan::hours(4), TimeSpan::hours(4));
    }),
    ("a margin that grew", "window-too-short", |p| p.rollout.margin = TimeSpan::hours(4)),
];

#[test]
fn every_mutation_is_noticed() {
    let sound = sound();
    for (what, code, mutate) in MUTATIONS {
        let mut plan = sound.clone();
        mutate(&mut plan);
        assert_ne!(plan, sound, "{what}: nothing was changed");
        let found = check(&plan);
        assert!(found.iter().any(|v| v.code == *code), "{what}: expected {code}, found {found:#?}");
    }
}

#[test]
fn violations_name_their_place_and_show_the_shortest_run() {
    let mut plan = sound();
    step(&mut plan, StepKind::Fix).undo.clear();
    let found = check(&plan);
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "web-00000: it can end changed and stuck: nothing takes it back [no-way-back]",
            "web-00000/fix: its undo is not restore, then verify_restored [undo-missing]",
        ]
    );
    assert_eq!(
        found[0].trace,
        [
            "web-00000/preflight, backup, drain, arm succeed",
            "web-00000/fix fails when it has had its effect",
            "web-00000 ends changed and stuck: nothing takes it back",
        ]
    );
}

/// A plan under `auto` in which web-0 goes by clone and switch, and web-1 in place behind it.
fn switched() -> Plan {
    let policy = "version: 1\nscope: {fix: [critical]}\nstrategy: {default: auto}\nreboot: always\nrollout: {waves: [\"100%\"]}\n";
    let mut fleet = Fleet::under(&[("policy.yaml", policy)]);
    for name in ["web-0", "web-1"] {
        let mut host = crate::fleet::host(name);
        host.switch = Some(switchback::model::SwitchSettings::Simulated);
        fleet.add(host);
        fleet.finding(name, "CVE-2026-1", "openssl", "1.3.0");
    }
    let plan = fleet.plan();
    assert_eq!(check(&plan), []);
    assert_eq!(plan.hosts["web-1"].strategy_reason.code, AFTER_PILOT);
    plan
}

/// What planners get wrong: each defect with its code and the last two lines of the shortest run.
#[test]
fn defects_that_a_planner_could_have_are_shown_as_runs() {
    let of = |plan: &mut Plan, host: &str, kind: StepKind, change: &dyn Fn(&mut Step)| {
        let steps = &mut plan.host_mut(host).unwrap().steps;
        change(steps.iter_mut().find(|step| step.kind == kind && step.on.is_none()).unwrap());
    };
    type Defect<'a> = (&'static str, Box<dyn Fn(&mut Plan) + 'a>, [&'static str; 2]);
    let defects: [Defect<'_>; 8] = [
        (
            "traffic-to-nowhere",
            // The switch still points to the clone's own address, which is gone with its promotion.
            Box::new(|p| of(p, "web-0", StepKind::Undrain, &|step| step.action = Action::Undrain)),
            [
                "web-0/preflight, backup, clone, preflight-clone, fix-clone, restart-clone, reboot-clone, verify-clone, \
                 switchover, observe, drain, promote, verify succeed",
                "web-0/undrain begins and sends traffic to a clone that is not there or not verified",
            ],
        ),
        (
            "traffic-to-nowhere",
            // What takes the drain back puts a clone into service that is destroyed next.
            Box::new(|p| {
                let mut undrain =
                    p.hosts["web-1"].steps.iter().find(|s| s.kind == StepKind::Drain).unwrap().undo[0].clone();
                undrain.id = StepId::new("web-0/undrain-back").unwrap();
                of(p, "web-0", StepKind::Drain, &|step| step.undo = vec![undrain.clone()]);
            }),
            ["", "web-0/undrain-back begins and sends traffic to a clone that is not there or not verified"],
        ),
        (
            "clone-left",
            Box::new(|p| of(p, "web-0", StepKind::Clone, &|step| step.undo.clear())),
            ["web-0/clone fails when it has had its effect", "web-0 ends with a clone that nobody destroys"],
        ),
        (
            "restore-in-service",
            Box::new(|p| of(p, "web-1", StepKind::Undrain, &|step| step.undo.clear())),
            ["web-1/undrain fails when it has had its effect", "web-1/restore begins while traffic goes to its host"],
        ),
        (
            "original-unverified",
            Box::new(|p| of(p, "web-0", StepKind::Switchover, &|step| drop(step.undo.pop()))),
            [
                "web-0/switch_back, destroy-back succeed",
                "web-0 ends and nothing has shown that its original still works",
            ],
        ),
        (
            "disruption-ungated",
            // A check that changes something does not wait for a window.
            Box::new(|p| {
                let fix = p.hosts["web-1"].steps.iter().find(|s| s.kind == StepKind::Fix).unwrap().action.clone();
                of(p, "web-1", StepKind::Preflight, &|step| step.action = fix.clone());
            }),
            ["", "web-1/preflight begins without having waited for a window and a permit"],
        ),
        (
            "pilot-not-awaited",
            Box::new(|p| of(p, "web-1", StepKind::Preflight, &|step| step.needs.clear())),
            ["web-1/preflight, backup succeed", "web-1/drain begins before web-0/soak has succeeded"],
        ),
        (
            "pilot-not-awaited",
            // A trial is not what `auto` waits for: web-0 can still fail.
            Box::new(|p| {
                of(p, "web-1", StepKind::Preflight, &|step| {
                    step.needs = vec![StepId::new("web-0/verify-clone").unwrap()];
                })
            }),
            ["web-1/preflight, backup succeed", "web-1/drain begins before web-0/soak has succeeded"],
        ),
    ];
    for (code, defect, last) in defects {
        let mut plan = switched();
        defect(&mut plan);
        let found = check(&plan);
        let violation = found.iter().find(|violation| violation.code == code);
        let trace = violation.map(|violation| violation.trace.clone()).unwrap_or_default();
        assert!(!trace.is_empty(), "expected a run for {code}, found {found:#?}");
        let told: Vec<&str> = trace.iter().rev().take(2).rev().map(String::as_str).collect();
        let wanted: Vec<&str> = last.into_iter().filter(|line| !line.is_empty()).collect();
        assert!(told.ends_with(&wanted), "{code}: {trace:#?}");
    }
}

#[test]
fn a_service_that_can_go_down_as_a_whole_is_shown_host_by_host() {
    let mut plan = sound();
    plan.rollout.groups.values_mut().for_each(|group| group.max_unavailable = group.size);
    let found = check(&plan);
    let [violation] = found.as_slice() else { panic!("{found:#?}") };
    // The canary is a wave of its own: it must be stuck to be out while the others are.
    let trace: Vec<&str> = violation.trace.iter().map(String::as_str).collect();
    assert_eq!(trace.len(), 5 + plan.rollout.waves.len() - 1 + 1, "{trace:#?}");
    assert!(trace[0].ends_with("begins: 1 of 5 are unavailable") && trace[1].ends_with("it is stuck"), "{trace:#?}");
    assert_eq!(trace.last(), Some(&"no host of service-0 is left"));
}
