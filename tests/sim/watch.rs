//! Hosts that go back by themselves when no controller is heard of.

use std::collections::BTreeMap;

use switchback::engine::Phase;
use switchback::model::{HostOutcome, TimeSpan};
use switchback::plan::StepKind;
use switchback::sim::{Disturbance, Fault, LostWhen, SimResult, WatchState};

use crate::support::{Shape, Way};
use crate::{assert_well, outcome, run};

const AFTER: TimeSpan = TimeSpan::minutes(10);
const HOST: &str = "web-1";

fn shape() -> Shape {
    Shape { hosts: 1, way: Way::InPlace, dead_man: Some(AFTER), ..Shape::default() }
}

fn watch(result: &SimResult) -> Option<WatchState> {
    let host = result.world.hosts().find(|host| host.host.name.as_str() == HOST).unwrap();
    host.watch.as_ref().map(|watch| watch.state)
}

fn code(result: &SimResult) -> &str {
    result.outcomes[HOST].1.as_ref().map_or("", |reason| reason.code.as_str())
}

#[test]
fn a_controller_that_is_away_for_long_finds_hosts_as_they_were() {
    let calm = run(&shape(), 7, &[], vec![]);
    assert_well(&calm, Phase::Ended);
    assert_eq!((outcome(&calm, HOST), watch(&calm)), (HostOutcome::Fixed, Some(WatchState::Disarmed)));
    let mut ends = BTreeMap::new();
    for behind in 1..calm.records.len() as u64 {
        for down_for in [TimeSpan::seconds(5), TimeSpan::minutes(5), TimeSpan::minutes(40)] {
            let result = run(&shape(), 7, &[], vec![Disturbance::kill(behind, down_for)]);
            assert_well(&result, Phase::Ended);
            let end = (outcome(&result, HOST), watch(&result).unwrap());
            if down_for < AFTER {
                assert_eq!(end, (HostOutcome::Fixed, WatchState::Disarmed), "killed behind {behind} for {down_for}");
            } else if end.1 == WatchState::WentBack {
                assert_eq!(code(&result), "went-back-by-itself");
            }
            *ends.entry(format!("{end:?}")).or_insert(0) += 1;
        }
    }
    println!("{ends:?}");
    let restored = ends.get("(Restored, WentBack)").copied().unwrap_or(0);
    // Fix, restart, reboot, verify and disarm, begun or ended.
    assert!(restored >= 8, "{ends:?}");
    assert!(!ends.keys().any(|end| end.contains("Stuck") || end == "(Fixed, WentBack)"), "{ends:?}");
}

#[test]
fn a_stuck_host_keeps_its_watch_and_no_other_does() {
    for (faults, end, state) in [
        (vec![Fault::FixBreaks], HostOutcome::Restored, Some(WatchState::Disarmed)),
        (vec![Fault::FixBreaks, Fault::RestoreFails], HostOutcome::Stuck, Some(WatchState::Armed)),
        (vec![Fault::BackupFails], HostOutcome::Untouched, None),
        (vec![Fault::WatchFails { step: StepKind::Arm }], HostOutcome::Untouched, None),
        // It is armed, and nobody was told so: then it does not answer for a while.
        (
            vec![Fault::Lost { step: StepKind::Arm, when: LostWhen::After }, Fault::WatchFails { step: StepKind::Arm }],
            HostOutcome::Fixed,
            Some(WatchState::Disarmed),
        ),
    ] {
        let faults: Vec<_> = faults.into_iter().map(|fault| (HOST, fault)).collect();
        let result = run(&shape(), 7, &faults, vec![]);
        assert_well(&result, Phase::Ended);
        assert_eq!((outcome(&result, HOST), watch(&result)), (end, state), "{faults:?}");
    }
}
