//! Drills on the simulated fleet: whatever fails and whoever dies, no clone and no backup is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchback::diagnostic::{Diagnostics, Source};
use switchback::engine::Phase;
use switchback::model::{Digest, Host, HostOutcome, TimeSpan};
use switchback::plan::{DrillInput, Plan, StepKind, check, plan_drills};
use switchback::playbook::shipped;
use switchback::policy::Policy;
use switchback::sim::{Disturbance, Fault, LostWhen, Moment, SimFleet, SimResult, SimRun, Trouble, WhenPaused, fleet};

use crate::support::{host, start};
use crate::{assert_well, outcome, plant};

fn plan(fleet: &SimFleet) -> Plan {
    let policy = Policy::load(vec![Source::new("policy.yaml", "version: 1\n")], &mut Diagnostics::default()).unwrap();
    let hosts = fleet.inventory();
    let hosts: Vec<&Host> = hosts.iter().collect();
    let input = DrillInput {
        hosts: &hosts,
        policy: &policy,
        playbooks: &shipped(),
        concurrency: 2,
        as_of: start(),
        inputs: BTreeMap::new(),
    };
    let drills = plan_drills(&input).unwrap();
    assert_eq!((check(&drills.plan), drills.left_out.len()), (vec![], 0));
    drills.plan
}

fn drill(faults: &[(&str, Fault)], disturbances: Vec<Disturbance>) -> SimResult {
    let fleet = fleet(3, 1);
    let plan = Arc::new(plan(&fleet));
    let digest = Digest::of(&serde_json::to_vec(&plan).unwrap());
    let mut world = fleet.world();
    plant(&mut world, faults);
    SimRun { plan, digest, world, start: start(), disturbances, when_paused: WhenPaused::Leave }.run()
}

/// How many clones and backups there are of a host.
fn left(result: &SimResult, name: &str) -> (usize, usize) {
    let name = host(name);
    (result.world.clones(&name).count(), result.world.host(&name).unwrap().backups.len())
}

/// What goes wrong, on which host, where `web-1` ends, and how many clones and backups of it are left.
type Case = (Option<Fault>, &'static str, HostOutcome, (usize, usize));

fn cases() -> Vec<Case> {
    use HostOutcome::{Proven, Untouched};
    let lost = |step, when| Some(Fault::Lost { step, when });
    vec![
        (None, "web-1", Proven, (0, 0)),
        (Some(Fault::BackupFails), "web-1", Untouched, (0, 0)),
        (Some(Fault::CloneFails), "web-1", Untouched, (0, 0)),
        (Some(Fault::CloneNeverAnswers), "web-1", Untouched, (0, 0)),
        (Some(Fault::Refused { step: StepKind::Verify, span: TimeSpan::hours(2) }), "web-1-clone", Untouched, (0, 0)),
        // What a provider cannot delete it lists; for the proof that is no matter.
        (Some(Fault::DestroyFails), "web-1", Proven, (1, 0)),
        (Some(Fault::ReleaseFails), "web-1", Proven, (0, 1)),
        (lost(StepKind::Backup, LostWhen::During), "web-1", Proven, (0, 0)),
        (lost(StepKind::Clone, LostWhen::After), "web-1", Proven, (0, 0)),
        (lost(StepKind::Destroy, LostWhen::Before), "web-1", Proven, (0, 0)),
        (lost(StepKind::Release, LostWhen::During), "web-1", Proven, (0, 0)),
    ]
}

#[test]
fn whatever_fails_the_host_is_as_before_and_nothing_is_left() {
    for (fault, on, expected, behind) in cases() {
        let faults: Vec<_> = fault.into_iter().map(|fault| (on, fault)).collect();
        let result = drill(&faults, vec![]);
        assert_well(&result, Phase::Ended);
        assert_eq!(result.world.faults_reached(), faults.len(), "{fault:?} comes to pass");
        let seen = [outcome(&result, "web-1"), outcome(&result, "web-2")];
        assert_eq!((seen, left(&result, "web-1")), ([expected, HostOutcome::Proven], behind), "{fault:?}");
        assert_eq!(left(&result, "web-2"), (0, 0));
    }
}

#[test]
fn a_crash_behind_any_record_leaves_nothing_either() {
    let mut runs = 0;
    for (fault, on, expected, behind) in cases() {
        let faults: Vec<_> = fault.into_iter().map(|fault| (on, fault)).collect();
        let last = drill(&faults, vec![]).records.len() as u64;
        for record in 1..last {
            for down_for in [TimeSpan::seconds(1), TimeSpan::minutes(30)] {
                let crashed =
                    drill(&faults, vec![Disturbance { at: Moment::Record(record), what: Trouble::Kill { down_for } }]);
                assert_well(&crashed, Phase::Ended);
                assert!(crashed.controllers > 1, "nobody died behind {record}");
                let seen = (outcome(&crashed, "web-1"), left(&crashed, "web-1"));
                assert_eq!(seen, (expected, behind), "{fault:?}, killed behind {record} for {down_for}");
                runs += 1;
            }
        }
    }
    println!("{runs} drills with a crash, every end as without");
}
