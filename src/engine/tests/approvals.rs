//! Approvals: how many people, which of them count once, and what begins when they expire.

use crate::engine::{Approval, Gate, GateVerdict, Gives, Input, RecordBody};
use crate::model::{Digest, HostOutcome, Principal, RuleRef, TimeSpan};
use crate::plan::{Plan, PlanApproval};

use super::fixture::{HostSpec, PlanSpec, at, name};
use super::world::{Stop, World};

/// Two people for all hosts, good for an hour.
fn plan(windows: Option<Vec<(i64, i64)>>) -> Plan {
    let host = HostSpec { windows: windows.as_ref().map(|_| 0), ..HostSpec::default() };
    let mut plan =
        PlanSpec { hosts: vec![host], windows: windows.into_iter().collect(), ..PlanSpec::default() }.build();
    plan.approvals = vec![PlanApproval {
        rule: RuleRef { name: name("approvals/1"), place: None },
        required: 2,
        from: None,
        signers: None,
        not_author: false,
        valid_for: TimeSpan::hours(1),
        hosts: plan.hosts.keys().cloned().collect(),
    }];
    plan
}

fn approval(plan: &Plan, by: &str, key: &str, signed: i64) -> Approval {
    Approval {
        by: Principal::new(by).unwrap(),
        key: key.to_owned(),
        statement: Digest::of(format!("{by} {key} {signed}").as_bytes()),
        gives: Gives::Approval,
        rules: [0].into(),
        hosts: plan.hosts.keys().cloned().collect(),
        signed_at: at(signed),
        until: at(1_000_000),
        ticket: None,
    }
}

fn run(plan: Plan, approvals: Vec<Approval>) -> World {
    let mut world = World::with_deeds(plan, &[]);
    world.give(Input::Start { operator: "ann".to_owned(), approvals });
    assert_eq!(world.run(None), Stop::Quiet);
    world
}

fn end(world: &World) -> (HostOutcome, String) {
    world.outcome("h00000").unwrap()
}

#[test]
fn people_count_once_by_name_and_by_key() {
    let of = |people: &[(&str, &str)]| {
        let plan = plan(None);
        let approvals = people.iter().map(|(by, key)| approval(&plan, by, key, 0)).collect();
        end(&run(plan, approvals)).0
    };
    assert_eq!(of(&[("anne", "1"), ("ben", "2")]), HostOutcome::Fixed);
    assert_eq!(of(&[]), HostOutcome::Untouched);
    assert_eq!(of(&[("anne", "1")]), HostOutcome::Untouched);
    assert_eq!(of(&[("anne", "1"), ("anne", "2")]), HostOutcome::Untouched, "two keys of one person");
    assert_eq!(of(&[("anne", "1"), ("ben", "1")]), HostOutcome::Untouched, "two names of one key");
}

#[test]
fn what_expires_before_the_host_begins_leaves_it_untouched_and_what_is_renewed_does_not() {
    // The window opens in ten thousand seconds, and approvals are good for an hour.
    let windowed = || plan(Some(vec![(10_000, 12_000)]));
    let given = |signed| {
        let plan = windowed();
        vec![approval(&plan, "anne", "1", signed), approval(&plan, "ben", "2", signed)]
    };
    let world = run(windowed(), given(0));
    assert_eq!(end(&world).0, HostOutcome::Untouched);
    let closed = |body: &RecordBody| {
        matches!(body, RecordBody::Gate { verdict: GateVerdict::Closed { gate: Gate::Approval, .. }, .. })
    };
    assert!(world.bodies().any(closed));
    assert!(!world.bodies().any(|body| matches!(body, RecordBody::Intent { .. })), "nothing was begun");

    let mut world = World::with_deeds(windowed(), &[]);
    world.give(Input::Start { operator: "ann".to_owned(), approvals: given(0) });
    world.run(Some(at(8_000)));
    world.give(Input::Recover { operator: "ben".to_owned(), approvals: Some(given(8_000)) });
    assert_eq!(world.run(None), Stop::Quiet);
    assert_eq!(end(&world).0, HostOutcome::Fixed);
    let withdrawn = world.bodies().filter(|body| matches!(body, RecordBody::Disapproved { .. })).count();
    assert_eq!(withdrawn, 2, "what was signed first is not among what counts now");
}

#[test]
fn a_host_in_the_middle_is_never_stopped_by_its_approvals() {
    let plan = plan(None);
    let given = |until| {
        let until = |approval| Approval { until, ..approval };
        vec![until(approval(&plan, "anne", "1", 0)), until(approval(&plan, "ben", "2", 0))]
    };
    let world = run(plan.clone(), given(at(1_000)));
    let is_drain =
        |body: &RecordBody| matches!(body, RecordBody::Intent { attempt, .. } if attempt.step.step() == "drain");
    let drained = world.records.iter().find(|record| is_drain(&record.body)).unwrap().at;
    let end_of = |until| end(&run(plan.clone(), given(until))).0;
    assert_eq!(end_of(TimeSpan::seconds(1).after(drained)), HostOutcome::Fixed);
    assert_eq!(end_of(drained), HostOutcome::Untouched, "expired when the disruptive part was to begin");
}

#[test]
fn a_host_without_a_backup_needs_a_word_of_its_own() {
    let mut plan = plan(None);
    plan.hosts_mut().for_each(|host| host.without_backup = true);
    let mut given = vec![approval(&plan, "anne", "1", 0), approval(&plan, "ben", "2", 0)];
    assert_eq!(end(&run(plan.clone(), given.clone())).0, HostOutcome::Untouched);
    let word = Approval { gives: Gives::WithoutBackup, ..approval(&plan, "anne", "1", 1) };
    given.push(word);
    assert_eq!(end(&run(plan, given)).0, HostOutcome::Fixed);
}
