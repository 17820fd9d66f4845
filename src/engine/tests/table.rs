//! What happens when a step fails, row by row.

use crate::engine::{Effected, Input, Phase, RecordBody, Signal, StepResult};
use crate::model::{AttemptId, HostOutcome, StepId};

use super::fixture::{HostSpec, PlanSpec, at};
use super::world::{Deed, World, failed, succeeded, unknown};

const ALL: [&str; 9] = ["preflight", "backup", "drain", "fix", "restart", "reboot", "verify", "undrain", "soak"];

fn one(deeds: &[(&str, Deed)]) -> World {
    World::with_deeds(PlanSpec::hosts(1).build(), deeds).start_and_run()
}

fn check(world: &World, outcome: HostOutcome, code: &str, walk: &[&str]) {
    assert_eq!(world.outcome("h00000"), Some((outcome, code.to_owned())));
    assert_eq!(world.walk("h00000"), walk);
    assert_eq!(world.phase(), Phase::Ended);
    assert!(world.finished);
}

#[test]
fn all_goes_well() {
    check(&one(&[]), HostOutcome::Fixed, "", &ALL);
}

#[test]
fn a_reboot_that_policy_forbids_is_said() {
    let facts = [("reboot_pending".to_owned(), "true".to_owned())].into();
    let deed = Deed::of(StepResult::Succeeded { facts, note: None });
    let world = one(&[("h00000/verify", deed)]);
    check(&world, HostOutcome::FixedPendingReboot, "", &ALL);
    let host = super::fixture::host_name("h00000");
    let key = (StepId::new("h00000/verify").unwrap(), "reboot_pending".to_owned());
    assert_eq!(world.campaign.facts(&host).get(&key).map(String::as_str), Some("true"));
}

#[test]
fn nothing_needed_skips_the_rest() {
    let nothing = StepResult::NothingToDo { note: "fixed already".to_owned() };
    check(&one(&[("h00000/preflight", Deed::of(nothing.clone()))]), HostOutcome::NothingToDo, "", &["preflight"]);
    check(&one(&[("h00000/reboot", Deed::of(nothing))]), HostOutcome::Fixed, "", &ALL);
}

#[test]
fn failed_steps_lead_back() {
    use HostOutcome::{Restored, Untouched};
    let back = ["restore", "verify_restored", "undo-drain"];
    // What failed in service leaves it before it is restored.
    let out_and_back = ["undo-undrain", "restore", "verify_restored", "undo-drain"];
    for (step, effect, outcome, undo) in [
        ("preflight", Effected::No, Untouched, &[][..]),
        ("preflight", Effected::Possibly, Untouched, &[]),
        ("backup", Effected::No, Untouched, &[]),
        ("backup", Effected::Possibly, Untouched, &[]),
        ("drain", Effected::No, Untouched, &[]),
        ("drain", Effected::Possibly, Untouched, &["undo-drain"]),
        ("fix", Effected::No, Untouched, &["undo-drain"]),
        ("fix", Effected::Possibly, Restored, &back),
        ("restart", Effected::No, Restored, &back),
        ("restart", Effected::Possibly, Restored, &back),
        ("reboot", Effected::Possibly, Restored, &back),
        ("verify", Effected::No, Restored, &back),
        ("undrain", Effected::No, Restored, &back),
        ("undrain", Effected::Possibly, Restored, &out_and_back),
        ("soak", Effected::No, Restored, &out_and_back),
    ] {
        let world = one(&[(&format!("h00000/{step}"), Deed::of(failed(effect)))]);
        let done = ALL.iter().position(|s| *s == step).unwrap();
        let walk: Vec<&str> = ALL.iter().take(done + 1).chain(undo).copied().collect();
        check(&world, outcome, "broken", &walk);
    }
}

#[test]
fn a_host_that_stays_unknown_past_its_time_goes_back() {
    for step in ["fix", "reboot", "verify"] {
        let lost = Deed { unknown: u32::MAX, ..Deed::of(succeeded()) };
        let world = one(&[(&format!("h00000/{step}"), lost)]);
        assert_eq!(
            world.outcome("h00000"),
            Some((HostOutcome::Restored, "unknown-past-deadline".to_owned())),
            "{step}"
        );
        // 600 s and 60 s of grace, looked at after 1, 2, 4, ... 60, 60 s and once more at the end.
        let probes = world.bodies().filter(|b| matches!(b, RecordBody::Probing { .. })).count();
        assert!((14..=18).contains(&probes), "{probes} looks at {step}");
    }
}

#[test]
fn what_was_unknown_and_becomes_known_goes_on() {
    let lost = Deed { unknown: 3, ..Deed::of(succeeded()) };
    let world = one(&[("h00000/fix", lost)]);
    check(&world, HostOutcome::Fixed, "", &ALL);
    assert_eq!(world.bodies().filter(|b| matches!(b, RecordBody::Probing { .. })).count(), 3);
}

#[test]
fn a_failed_undo_parks_the_host_and_does_not_put_it_into_service() {
    let broken = Deed::of(failed(Effected::Possibly));
    let world = one(&[("h00000/fix", broken.clone()), ("h00000/restore", broken.clone())]);
    check(&world, HostOutcome::Stuck, "undo-failed", &["preflight", "backup", "drain", "fix", "restore"]);

    let lost = Deed { unknown: u32::MAX, ..Deed::of(succeeded()) };
    let world = one(&[("h00000/fix", broken.clone()), ("h00000/verify_restored", lost)]);
    let walk = ["preflight", "backup", "drain", "fix", "restore", "verify_restored"];
    check(&world, HostOutcome::Stuck, "undo-failed", &walk);

    let world = one(&[("h00000/drain", broken.clone()), ("h00000/undo-drain", broken)]);
    check(&world, HostOutcome::Stuck, "undo-failed", &["preflight", "backup", "drain", "undo-drain"]);
}

#[test]
fn without_a_backup_a_failed_fix_parks_the_host() {
    let spec = PlanSpec { hosts: vec![HostSpec { backup: false, ..HostSpec::default() }], ..PlanSpec::default() };
    let run = |effect| World::with_deeds(spec.build(), &[("h00000/fix", Deed::of(failed(effect)))]).start_and_run();
    check(&run(Effected::Possibly), HostOutcome::Stuck, "no-way-back", &["preflight", "drain", "fix"]);
    check(&run(Effected::No), HostOutcome::Untouched, "broken", &["preflight", "drain", "fix", "undo-drain"]);
}

#[test]
fn a_repeated_result_is_ignored_and_one_of_a_stranger_is_an_error() {
    let mut world = World::with_deeds(PlanSpec::hosts(1).build(), &[]);
    world.start();
    world.run(Some(at(35)));
    let attempt = |campaign: &str, step: &str, generation| AttemptId {
        campaign: crate::model::CampaignId::new(campaign).unwrap(),
        step: StepId::new(step).unwrap(),
        generation,
    };
    let before = world.campaign.clone();
    let records = world.records.len();
    let again = Input::Finished { attempt: attempt("c1", "h00000/preflight", 1), result: failed(Effected::No) };
    assert_eq!(world.campaign.handle(at(36), again), Ok(vec![]));
    for (campaign, step, generation) in [
        ("c1", "h00000/verify", 1),
        ("c1", "h00000/restore", 1),
        ("c1", "h9/fix", 1),
        ("c2", "h00000/fix", 1),
        ("c1", "h00000/fix", 2),
    ] {
        let input = Input::Finished { attempt: attempt(campaign, step, generation), result: succeeded() };
        assert!(world.campaign.handle(at(1), input).is_err(), "{step}");
    }
    assert_eq!(world.campaign, before, "nothing of it is left");
    assert_eq!(world.records.len(), records);
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let mut world = World::with_deeds(PlanSpec::hosts(1).build(), &[]);
    let ann = || "ann".to_owned();
    assert!(world.campaign.handle(at(0), Input::Tick).is_err());
    assert!(world.campaign.handle(at(0), Input::Recover { operator: ann(), approvals: None }).is_err());
    assert!(world.campaign.handle(at(0), Input::Signal(Signal::Pause { by: ann() })).is_err());
    world.start();
    assert!(world.campaign.handle(at(0), Input::Start { operator: ann(), approvals: Vec::new() }).is_err());
    let body = RecordBody::WaveStarted { wave: 7 };
    assert!(world.campaign.clone().apply(at(0), &body).is_err());
    let body =
        RecordBody::HostEnded { host: super::fixture::host_name("h00000"), outcome: HostOutcome::Fixed, reason: None };
    assert!(world.campaign.clone().apply(at(0), &body).is_err(), "it has not walked its steps");
    assert!(world.campaign.clone().apply(at(0), &RecordBody::Resumed { by: ann() }).is_err());
}

#[test]
fn a_plan_that_cannot_be_run_is_refused_at_the_start() {
    let refused = |change: fn(&mut crate::plan::Plan)| {
        let mut plan = PlanSpec::hosts(2).build();
        change(&mut plan);
        let mut world = World::with_deeds(plan, &[]);
        world.campaign.handle(at(0), Input::Start { operator: "ann".to_owned(), approvals: Vec::new() }).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|plan| plan.rollout.concurrency = 0));
    assert!(refused(|plan| plan.rollout.waves.clear()));
    assert!(refused(|plan| plan.rollout.waves.push(plan.rollout.waves[0].clone())));
    assert!(refused(|plan| plan.hosts_mut().for_each(|host| host.steps.reverse())));
    assert!(refused(|plan| plan.hosts_mut().for_each(|host| host.steps.push(host.steps[0].clone()))));
    assert!(refused(|plan| plan.hosts_mut().for_each(|host| host.steps.clear())));
    assert!(refused(|plan| plan.hosts_mut().for_each(|host| host.group = Some(super::fixture::name("x")))));
    assert!(refused(|plan| plan.hosts_mut().for_each(|host| host.windows = Some(super::fixture::name("x")))));
}

#[test]
fn a_journal_of_another_plan_or_format_is_refused() {
    let world = one(&[]);
    let other = std::sync::Arc::new(PlanSpec::hosts(2).build());
    let digest = crate::model::Digest::of(b"another");
    let id = world.campaign.id().clone();
    assert!(crate::engine::Campaign::fold(other, digest, id, &world.records).is_err());
}

#[test]
fn an_empty_campaign_ends_at_once() {
    let world = World::with_deeds(PlanSpec::hosts(0).build(), &[]).start_and_run();
    assert_eq!(world.phase(), Phase::Ended);
}

#[test]
fn probing_follows_an_unknown_result_at_once_and_waits_longer_each_time() {
    let mut world = World::with_deeds(PlanSpec::hosts(1).build(), &[]);
    world.start();
    let attempt = AttemptId {
        campaign: world.campaign.id().clone(),
        step: StepId::new("h00000/preflight").unwrap(),
        generation: 1,
    };
    for (probe, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
        let effects =
            world.campaign.handle(at(0), Input::Finished { attempt: attempt.clone(), result: unknown() }).unwrap();
        use crate::engine::{Effect, Mode};
        assert_eq!(
            effects,
            [
                Effect::Append(RecordBody::Outcome { attempt: attempt.clone(), result: unknown() }),
                Effect::Append(RecordBody::Probing { attempt: attempt.clone(), probe }),
                Effect::Begin { attempt: attempt.clone(), mode: Mode::Attach, not_before: Some(at(wait)) },
            ]
        );
    }
    let effects = world.campaign.handle(at(660), Input::Finished { attempt, result: unknown() }).unwrap();
    assert_eq!(effects.len(), 6, "unknown, given up, host, wave and campaign ended, finished: {effects:?}");
}
