//! The search for what breaks a clone: what is found is left out of every host for which the search speaks, the rest is
//! fixed, and a search that finds nothing leaves its host untouched.

use std::collections::BTreeSet;

use switchback::engine::{Phase, RecordBody, StepResult};
use switchback::model::{HostOutcome, PackageName, TimeSpan};
use switchback::plan::{Action, Plan, StepKind};
use switchback::sim::{Fault, Invariant, LostWhen, SimResult, SimRun, WhenPaused, clone_name};

use crate::support::{Shape, Way, host, sample, start};
use crate::{assert_well, outcome, plant, run};

/// The update of nginx, which every web server gets.
const NGINX: Fault = Fault::PackageBreaks { nth: 8 };
/// That of sudo, which most get.
const SUDO: Fault = Fault::PackageBreaks { nth: 5 };
/// Of a fleet in which the first web servers have at least four updates, sudo among them.
const SEED: u64 = 12;

fn shape(way: Way) -> Shape {
    Shape { way, bisect: true, ..Shape::default() }
}

/// What the search of this host found, and in how many trials.
fn found(result: &SimResult, name: &str) -> Option<(String, u32)> {
    let step = format!("{name}/bisect");
    result.records.iter().find_map(|record| match &record.body {
        RecordBody::Outcome { attempt, result: StepResult::Succeeded { facts, .. } }
            if attempt.step.as_str() == step =>
        {
            Some((facts["left_out"].clone(), facts["trials"].parse().unwrap()))
        }
        _ => None,
    })
}

fn units(name: &str, way: Way) -> Vec<Vec<PackageName>> {
    let (_, plan, _) = sample(&shape(way), SEED);
    let steps = &plan.hosts[&host(name)].steps;
    let units = steps.iter().find_map(|step| match &step.action {
        Action::Bisect { units, .. } => Some(units.clone()),
        _ => None,
    });
    units.unwrap()
}

/// The packages of the plan that are not fixed on this host.
fn unfixed(result: &SimResult, name: &str) -> BTreeSet<String> {
    let sim = result.world.host(&host(name)).unwrap();
    let old = sim.offers.iter().filter(|(package, offer)| sim.disk.installed[*package] != offer.version);
    old.map(|(package, _)| package.to_string()).collect()
}

#[test]
fn what_breaks_a_clone_is_found_and_left_out_and_the_rest_is_fixed() {
    for way in [Way::EachTried, Way::FirstTried, Way::CloneAndSwitch, Way::Auto] {
        let n = units("web-1", way).len();
        assert!(n >= 4, "{n} updates");
        let faults = ["web-1", "web-2", "web-3"].map(|name| (name, NGINX));
        let result = run(&shape(way), SEED, &faults, vec![]);
        assert_well(&result, Phase::Ended);
        let (left_out, trials) = found(&result, "web-1").unwrap();
        assert_eq!(left_out, "nginx nginx-common", "{way:?}");
        assert!(trials <= n.next_power_of_two().ilog2() + 1, "{trials} trials for one of {n}");
        for name in ["web-1", "web-2", "web-3"] {
            let (ended, reason) = &result.outcomes[&host(name)];
            let code = reason.as_ref().map(|reason| reason.code.as_str());
            assert_eq!((*ended, code), (HostOutcome::Fixed, Some("packages-left-out")), "{way:?} {name}");
            assert_eq!(unfixed(&result, name), ["nginx", "nginx-common"].map(String::from).into());
            assert!(result.world.host(&host(name)).unwrap().available());
            assert_eq!(result.world.clones(&host(name)).count(), 0, "{way:?} {name}");
        }
        // Who waits for the first has no search of its own, or each has one.
        assert_eq!(found(&result, "web-2").is_some(), matches!(way, Way::EachTried | Way::CloneAndSwitch));
    }
}

#[test]
fn two_that_break_it_are_found_one_after_the_other() {
    let faults = [("web-1", NGINX), ("web-1", SUDO)];
    let result = run(&Shape { hosts: 1, ..shape(Way::EachTried) }, SEED, &faults, vec![]);
    assert_well(&result, Phase::Ended);
    assert_eq!(found(&result, "web-1").unwrap().0, "nginx nginx-common sudo");
    assert_eq!(outcome(&result, "web-1"), HostOutcome::Fixed);
    assert!(faults.iter().all(|(name, fault)| result.world.reached(&host(name), *fault)));
}

#[test]
fn where_everything_breaks_it_nothing_is_fixed_and_no_clone_is_left() {
    let all: Vec<_> = (0..11).map(|nth| ("web-1", Fault::PackageBreaks { nth })).collect();
    let result = run(&shape(Way::Auto), SEED, &all, vec![]);
    assert_well(&result, Phase::Ended);
    assert_eq!(outcome(&result, "web-1"), HostOutcome::Untouched);
    assert_eq!(outcome(&result, "web-2"), HostOutcome::Untouched, "nobody spoke for it");
    assert_eq!(result.world.clones(&host("web-1")).count(), 0);
}

#[test]
fn a_search_that_cannot_be_made_blames_nobody() {
    let breaks = ("web-1-clone", Fault::FixFails);
    for fault in [
        ("web-1-clone", Fault::CloneFails),
        ("web-1-clone", Fault::CutOff { step: StepKind::Bisect }),
        ("web-1-clone", Fault::Refused { step: StepKind::Bisect, span: TimeSpan::hours(1) }),
    ] {
        let result = run(&shape(Way::Auto), SEED, &[breaks, fault], vec![]);
        assert_well(&result, Phase::Ended);
        assert!(result.world.reached(&clone_name(&host("web-1")), fault.1), "{fault:?}");
        assert_eq!(outcome(&result, "web-1"), HostOutcome::Untouched, "{fault:?}");
        assert_eq!(unfixed(&result, "web-1").len(), result.world.host(&host("web-1")).unwrap().offers.len());
        assert_eq!(outcome(&result, "web-2"), HostOutcome::Untouched, "{fault:?}");
        assert_eq!(result.world.clones(&host("web-1")).count(), 0, "{fault:?}");
    }
}

#[test]
fn a_search_whose_answer_is_lost_is_made_again() {
    for when in [LostWhen::Before, LostWhen::During, LostWhen::After] {
        let lost = ("web-1", Fault::Lost { step: StepKind::Bisect, when });
        let result = run(&shape(Way::Auto), SEED, &[("web-1", NGINX), lost], vec![]);
        assert_well(&result, Phase::Ended);
        assert!(result.world.reached(&host("web-1"), lost.1), "{when:?}");
        assert_eq!(found(&result, "web-1").unwrap().0, "nginx nginx-common", "{when:?}");
        assert_eq!(outcome(&result, "web-1"), HostOutcome::Fixed);
    }
}

/// A judge that never says no proves nothing.
#[test]
fn the_monitor_sees_a_follower_that_is_not_told() {
    let (fleet, plan, digest) = sample(&shape(Way::Auto), SEED);
    let mut plan = Plan::clone(&plan);
    for step in &mut plan.host_mut(&host("web-2")).unwrap().steps {
        if let Action::Check { commands, .. } | Action::Change { commands } | Action::Soak { commands, .. } =
            &mut step.action
        {
            commands.iter_mut().for_each(|command| command.env_facts.clear());
        }
    }
    let mut world = fleet.world();
    plant(&mut world, &[("web-1", NGINX)]);
    let (plan, disturbances) = (std::sync::Arc::new(plan), vec![]);
    let run = SimRun { plan, digest, world, start: start(), disturbances, when_paused: WhenPaused::Leave };
    let seen: Vec<Invariant> = run.run().violations.into_iter().map(|violation| violation.invariant).collect();
    assert!(seen.contains(&Invariant::Blame), "{seen:?}");
}
