//! The controller dies behind every record, once and twice, or is taken over: the end is the same.

use std::collections::BTreeMap;

use switchback::engine::Phase;
use switchback::model::{HostName, HostOutcome, TimeSpan};
use switchback::plan::StepKind;
use switchback::sim::{Disturbance, Fault, LostWhen, SimResult, Took};

use crate::support::{Reboots, Shape, Way};
use crate::{assert_well, run};

const DOWN: [TimeSpan; 2] = [TimeSpan::seconds(1), TimeSpan::minutes(30)];

fn ends(result: &SimResult) -> BTreeMap<HostName, HostOutcome> {
    result.outcomes.iter().map(|(host, (outcome, _))| (host.clone(), *outcome)).collect()
}

/// Runs undisturbed, then with every kind of crash behind every record; gives the number of runs.
fn crash_everywhere(shape: &Shape, seed: u64, faults: &[(&str, Fault)]) -> usize {
    let calm = run(shape, seed, faults, vec![]);
    assert_well(&calm, Phase::Ended);
    assert_eq!(calm.world.faults_reached(), faults.len(), "every fault comes to pass");
    let last = calm.records.len() as u64;
    let mut runs = 0;
    for behind in 1..last {
        let mut disturbances: Vec<Vec<Disturbance>> =
            DOWN.iter().map(|&down_for| vec![Disturbance::kill(behind, down_for)]).collect();
        disturbances.push(vec![Disturbance::take_over(behind)]);
        // The next controller dies as well, right behind the record by which it takes over, or a little later.
        for later in [1, 2, 5] {
            let down_for = TimeSpan::seconds(20);
            disturbances.push(vec![
                Disturbance::kill(behind, down_for),
                Disturbance::kill(behind + later, down_for),
            ]);
        }
        for disturbances in disturbances {
            let shown = format!("{disturbances:?}");
            let crashed = run(shape, seed, faults, disturbances);
            if ends(&crashed) != ends(&calm) || crashed.world.state_digest() != calm.world.state_digest() {
                eprintln!("{shown}: {:?} instead of {:?}", ends(&crashed), ends(&calm));
                assert_well(&crashed, Phase::New);
            }
            if !crashed.violations.is_empty() {
                eprintln!("{shown}");
            }
            assert_well(&crashed, Phase::Ended);
            assert!(crashed.controllers > 1, "nobody died: {shown}");
            runs += 1;
        }
    }
    runs
}

#[test]
fn a_crash_behind_any_record_changes_no_end() {
    let shape = Shape { hosts: 3, reboot: Reboots::Always, max_unavailable: Some(2), ..Shape::default() };
    let mut runs = crash_everywhere(&shape, 1, &[]);
    for faults in [
        [("web-1", Fault::FixFails)].as_slice(),
        &[("web-1", Fault::FixBreaks), ("web-2", Fault::Lost { step: StepKind::Fix, when: LostWhen::During })],
        &[("web-2", Fault::CutOff { step: StepKind::Fix })],
        &[("web-2", Fault::BackupFails), ("web-3", Fault::Lost { step: StepKind::Reboot, when: LostWhen::Before })],
        &[("web-1", Fault::FixBreaks), ("web-1", Fault::RestoreFails)],
        &[("web-1", Fault::DrainFails), ("web-3", Fault::DiskFull)],
    ] {
        runs += crash_everywhere(&shape, 1, faults);
    }
    println!("{runs} runs with a crash, every end as without");
}

#[test]
fn a_crash_changes_no_end_with_waves_and_a_canary() {
    let shape = Shape { hosts: 4, canary: Some(TimeSpan::minutes(10)), waves: vec![1], ..Shape::default() };
    let runs = crash_everywhere(&shape, 5, &[("web-2", Fault::FixBreaks)]);
    println!("{runs} runs with a crash, every end as without");
}

#[test]
fn a_crash_changes_no_end_while_a_clone_takes_the_place_of_its_host() {
    let shape = Shape { hosts: 1, way: Way::CloneAndSwitch, keep: false, ..Shape::default() };
    let mut runs = 0;
    for faults in [
        [].as_slice(),
        &[("web-1", Fault::CloneNeverAnswers)],
        &[("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::seconds(100) })],
        &[("web-1", Fault::SwitchFails { step: StepKind::Switchover, took: Took::Yes })],
        &[("web-1", Fault::PromoteFails { took: Took::Yes })],
        &[("web-1", Fault::Lost { step: StepKind::Promote, when: LostWhen::During })],
        &[("web-1-clone", Fault::FixFails), ("web-1", Fault::DestroyFails)],
    ] {
        runs += crash_everywhere(&shape, 1, faults);
    }
    println!("{runs} runs with a crash, every end as without");
}

#[test]
fn a_crash_changes_no_end_while_others_wait_for_a_pilot() {
    let shape = Shape { hosts: 2, way: Way::Auto, keep_failed: TimeSpan::days(1), ..Shape::default() };
    let mut runs = crash_everywhere(&shape, 1, &[]);
    runs += crash_everywhere(&shape, 1, &[("web-1-clone", Fault::BreaksUnderTraffic { after: TimeSpan::ZERO })]);
    let tried = Shape { hosts: 2, way: Way::FirstTried, ..Shape::default() };
    runs += crash_everywhere(&tried, 1, &[("web-2", Fault::FixBreaks)]);
    println!("{runs} runs with a crash, every end as without");
}
